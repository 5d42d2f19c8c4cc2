(* Quorum systems, as consensus/quorum.c builds them at load.

   A set of members is a list of ids; order and repetition do not matter. The protocol asks two
   things of the pair (phase1, phase2), and each kind of system is shown to give them:
     meet    each phase-1 quorum shares a member with each phase-2 quorum;
     empty   the empty set is no quorum.
   A superset of a quorum is a quorum, too. Everything here computes: the checker uses it. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
Import ListNotations.

(* ---- Sets ---- *)

Definition member (a : nat) (l : list nat) : bool := existsb (Nat.eqb a) l.

Lemma member_In a l : member a l = true <-> In a l.
Proof.
  unfold member. rewrite existsb_exists. split.
  - intros (x & Hx & E). apply Nat.eqb_eq in E. subst. exact Hx.
  - intros H. exists a. split; [exact H | apply Nat.eqb_refl].
Qed.

(* set_contains: all of `part` is in `l`. *)
Definition contains (l part : list nat) : bool := forallb (fun a => member a l) part.

(* share_member. *)
Definition share (l k : list nat) : bool := existsb (fun a => member a k) l.

(* The members of `l` that there are, each once: what the bitmask of `l` holds. *)
Definition restrict (n : nat) (l : list nat) : list nat := filter (fun a => member a l) (seq 0 n).

(* size_of_set. Ids that are no member's do not count. *)
Definition size (n : nat) (l : list nat) : nat := length (restrict n l).

Lemma contains_In l part : contains l part = true <-> incl part l.
Proof.
  unfold contains. rewrite forallb_forall. split; intros H a Ha.
  - apply member_In, H, Ha.
  - apply member_In, H, Ha.
Qed.

Lemma share_In l k : share l k = true <-> exists a, In a l /\ In a k.
Proof.
  unfold share. rewrite existsb_exists.
  split; intros (a & Ha & Hk); exists a; (split; [exact Ha | apply member_In, Hk]).
Qed.

Lemma restrict_In n l a : In a (restrict n l) <-> a < n /\ In a l.
Proof.
  unfold restrict. rewrite filter_In, in_seq, member_In. split; intros [H K]; split; auto; lia.
Qed.

Lemma size_incl n l k : incl l k -> size n l <= size n k.
Proof.
  intros H. apply NoDup_incl_length.
  - apply NoDup_filter, seq_NoDup.
  - intros a Ha. apply restrict_In in Ha. destruct Ha as [Hn Ha]. apply restrict_In. auto.
Qed.

Lemma size_nil n : size n [] = 0.
Proof. unfold size, restrict. simpl. induction (seq 0 n); simpl; auto. Qed.

(* Two sets whose sizes exceed n together share a member. *)
Lemma filters_meet (f g : nat -> bool) l :
  length l < length (filter f l) + length (filter g l) ->
  exists a, f a = true /\ g a = true.
Proof.
  induction l as [|a l IH]; simpl; intros H; [lia|].
  destruct (f a) eqn:Ef, (g a) eqn:Eg; simpl in H; [eauto | apply IH; lia ..].
Qed.

Lemma sizes_meet n l k : n < size n l + size n k -> exists a, In a l /\ In a k.
Proof.
  intros H. unfold size, restrict in H.
  destruct (filters_meet (fun a => member a l) (fun a => member a k) (seq 0 n)) as (a & A & B).
  - rewrite seq_length. exact H.
  - exists a. split; apply member_In; assumption.
Qed.

(* ---- The four kinds ---- *)

Definition at_least (n k : nat) (l : list nat) : bool := k <=? size n l.

(* quorum_init_majority: both phases. *)
Definition majority (n : nat) (l : list nat) : bool := n <? 2 * size n l.

(* quorum_init_grid: member row * columns + column. Phase 1: all of one row (some_row_whole);
   phase 2: one of each row (each_row_met). *)
Definition row (columns r : nat) : list nat := seq (r * columns) columns.
Definition some_row_whole (rows columns : nat) (l : list nat) : bool :=
  existsb (fun r => contains l (row columns r)) (seq 0 rows).
Definition each_row_met (rows columns : nat) (l : list nat) : bool :=
  forallb (fun r => share (row columns r) l) (seq 0 rows).

(* quorum_init_explicit (holds_one): the minimal quorums are given. *)
Definition holds_one (sets : list (list nat)) (l : list nat) : bool := existsb (contains l) sets.

(* sets_valid: at least one set, none empty, only members. *)
Definition sets_valid (n : nat) (sets : list (list nat)) : bool :=
  negb (match sets with [] => true | _ => false end)
  && forallb (fun s => negb (match s with [] => true | _ => false end)
                       && forallb (fun a => a <? n) s) sets.

(* All sets of the members below n: what the bitmasks 0 .. 2^n - 1 are. *)
Fixpoint subsets (l : list nat) : list (list nat) :=
  match l with
  | [] => [[]]
  | a :: r => map (cons a) (subsets r) ++ subsets r
  end.

(* quorum_intersects: all pairs are looked at. *)
Definition intersects (n : nat) (Q1 Q2 : list nat -> bool) : bool :=
  let all := subsets (seq 0 n) in
  let second := filter Q2 all in
  forallb (fun a => forallb (fun b => share a b) second) (filter Q1 all).

Inductive system :=
| Majority (n : nat)
| Threshold (n q1 q2 : nat)
| Grid (rows columns : nat)
| Explicit (n : nat) (sets1 sets2 : list (list nat)).

Definition members (s : system) : nat :=
  match s with
  | Majority n | Threshold n _ _ | Explicit n _ _ => n
  | Grid rows columns => rows * columns
  end.

Definition phase1 (s : system) : list nat -> bool :=
  match s with
  | Majority n => majority n
  | Threshold n q1 _ => at_least n q1
  | Grid rows columns => some_row_whole rows columns
  | Explicit _ sets1 _ => holds_one sets1
  end.

Definition phase2 (s : system) : list nat -> bool :=
  match s with
  | Majority n => majority n
  | Threshold n _ q2 => at_least n q2
  | Grid rows columns => each_row_met rows columns
  | Explicit _ _ sets2 => holds_one sets2
  end.

Definition member_max : nat := 9.

(* What the init functions check before they answer QUORUM_OK. The C runs quorum_intersects for each
   kind; `init_checks_all` below says that it never fails for the first three. *)
Definition valid (s : system) : bool :=
  (1 <=? members s) && (members s <=? member_max) &&
  match s with
  | Majority _ => true
  | Threshold n q1 q2 =>
      (1 <=? q1) && (q1 <=? n) && (1 <=? q2) && (q2 <=? n) && (n <? q1 + q2)
  | Grid rows columns => (1 <=? rows) && (1 <=? columns)
  | Explicit n sets1 sets2 =>
      sets_valid n sets1 && sets_valid n sets2 && intersects n (holds_one sets1) (holds_one sets2)
  end.

(* A bitmask, as the C's tables are indexed; and the tables. A mask that names a stranger is no
   quorum in the C; here a stranger does not count. *)
Definition of_mask (mask : nat) : list nat := filter (Nat.testbit mask) (seq 0 member_max).
Definition table1 (s : system) (mask : nat) : bool :=
  (mask <? 2 ^ members s) && phase1 s (of_mask mask).
Definition table2 (s : system) (mask : nat) : bool :=
  (mask <? 2 ^ members s) && phase2 s (of_mask mask).

(* ---- The exhaustive check is sound and complete ---- *)

Lemma filter_subset (f : nat -> bool) l : In (filter f l) (subsets l).
Proof.
  induction l as [|a l IH]; simpl; [auto|].
  apply in_or_app. destruct (f a); [left; apply in_map, IH | right; exact IH].
Qed.

Theorem intersects_sound n (Q1 Q2 : list nat -> bool) :
  (forall l, Q1 l = true -> Q1 (restrict n l) = true) ->
  (forall l, Q2 l = true -> Q2 (restrict n l) = true) ->
  intersects n Q1 Q2 = true ->
  forall l k, Q1 l = true -> Q2 k = true -> exists a, In a l /\ In a k.
Proof.
  intros R1 R2 H l k Hl Hk. unfold intersects in H. rewrite forallb_forall in H.
  assert (S : share (restrict n l) (restrict n k) = true).
  { assert (L : In (restrict n l) (filter Q1 (subsets (seq 0 n)))).
    { apply filter_In. split; [apply filter_subset | apply R1, Hl]. }
    specialize (H _ L). rewrite forallb_forall in H.
    apply H, filter_In. split; [apply filter_subset | apply R2, Hk]. }
  apply share_In in S. destruct S as (a & A & B).
  apply restrict_In in A, B. exists a. tauto.
Qed.

Theorem intersects_complete n (Q1 Q2 : list nat -> bool) :
  (forall l k, Q1 l = true -> Q2 k = true -> exists a, In a l /\ In a k) ->
  intersects n Q1 Q2 = true.
Proof.
  intros H. unfold intersects. apply forallb_forall. intros l Hl. apply forallb_forall.
  intros k Hk. apply filter_In in Hl, Hk. apply share_In, H; tauto.
Qed.

(* ---- Each kind meets, and the empty set is none ---- *)

Lemma majority_meet n l k :
  majority n l = true -> majority n k = true -> exists a, In a l /\ In a k.
Proof.
  unfold majority. rewrite !Nat.ltb_lt. intros. apply (sizes_meet n). lia.
Qed.

Lemma at_least_meet n q1 q2 l k :
  n < q1 + q2 -> at_least n q1 l = true -> at_least n q2 k = true -> exists a, In a l /\ In a k.
Proof.
  unfold at_least. rewrite !Nat.leb_le. intros. apply (sizes_meet n). lia.
Qed.

Lemma grid_meet rows columns l k :
  some_row_whole rows columns l = true -> each_row_met rows columns k = true ->
  exists a, In a l /\ In a k.
Proof.
  unfold some_row_whole, each_row_met. rewrite existsb_exists, forallb_forall.
  intros (r & Hr & W) M. specialize (M r Hr). rewrite contains_In in W. rewrite share_In in M.
  destruct M as (a & A & B). exists a. split; [apply W, A | exact B].
Qed.

Lemma holds_one_restrict n sets l :
  sets_valid n sets = true -> holds_one sets l = true -> holds_one sets (restrict n l) = true.
Proof.
  unfold sets_valid, holds_one. rewrite andb_true_iff, !existsb_exists, forallb_forall.
  intros [_ V] (s & Hs & C). exists s. split; [exact Hs|].
  specialize (V s Hs). rewrite andb_true_iff, forallb_forall in V. destruct V as [_ V].
  rewrite contains_In in *. intros a Ha. apply restrict_In. split; [|apply C, Ha].
  apply Nat.ltb_lt, V, Ha.
Qed.

Theorem quorums_meet s : valid s = true -> forall l k,
  phase1 s l = true -> phase2 s k = true -> exists a, In a l /\ In a k.
Proof.
  unfold valid. rewrite andb_true_iff. intros [_ V] l k H K. destruct s; simpl in *.
  - eapply majority_meet; eassumption.
  - rewrite !andb_true_iff, Nat.ltb_lt in V. eapply at_least_meet; [apply V | eassumption ..].
  - eapply grid_meet; eassumption.
  - rewrite !andb_true_iff in V. destruct V as [[V1 V2] V3].
    apply (intersects_sound n) with (Q1 := holds_one sets1) (Q2 := holds_one sets2); auto;
      intros; apply holds_one_restrict; assumption.
Qed.

Lemma holds_one_nil n sets : sets_valid n sets = true -> holds_one sets [] = false.
Proof.
  unfold sets_valid, holds_one. rewrite andb_true_iff, forallb_forall. intros [_ V].
  apply not_true_is_false. rewrite existsb_exists. intros (s & Hs & C). specialize (V s Hs).
  destruct s; [discriminate V | discriminate C].
Qed.

Theorem empty_is_none s : valid s = true -> phase1 s [] = false /\ phase2 s [] = false.
Proof.
  unfold valid. rewrite andb_true_iff. intros [M V]. destruct s; cbn [members phase1 phase2] in *.
  - unfold majority. rewrite size_nil. auto.
  - rewrite !andb_true_iff, !Nat.leb_le in V. unfold at_least. rewrite size_nil.
    split; apply Nat.leb_gt; simpl; lia.
  - rewrite !andb_true_iff, !Nat.leb_le in V. destruct V as [R C].
    unfold some_row_whole, each_row_met, row. destruct rows as [|rows]; [lia|].
    destruct columns as [|columns]; [lia|]. split.
    + apply not_true_is_false. rewrite existsb_exists. intros (r & _ & H). discriminate H.
    + apply not_true_is_false. rewrite forallb_forall. intros H. specialize (H 0).
      rewrite share_In in H. destruct H as (a & _ & []). apply in_seq. lia.
  - rewrite !andb_true_iff in V. destruct V as [[V1 V2] _].
    split; eapply holds_one_nil; eassumption.
Qed.

(* A superset of a quorum is a quorum (Q2 in consensus/README.md). *)
Theorem upward s l k : incl l k ->
  (phase1 s l = true -> phase1 s k = true) /\ (phase2 s l = true -> phase2 s k = true).
Proof.
  intros I.
  assert (H1 : forall sets, holds_one sets l = true -> holds_one sets k = true).
  { unfold holds_one. intros sets. rewrite !existsb_exists. intros (x & Hx & C).
    exists x. split; [exact Hx|]. rewrite contains_In in *. intros a Ha. apply I, C, Ha. }
  destruct s; simpl.
  - unfold majority. rewrite !Nat.ltb_lt. assert (S := size_incl n l k I). split; intros; lia.
  - unfold at_least. rewrite !Nat.leb_le. assert (S := size_incl n l k I). split; intros; lia.
  - unfold some_row_whole, each_row_met. rewrite !existsb_exists, !forallb_forall. split.
    + intros (r & Hr & C). exists r. split; [exact Hr|]. rewrite contains_In in *.
      intros a Ha. apply I, C, Ha.
    + intros M r Hr. specialize (M r Hr). rewrite share_In in *.
      destruct M as (a & A & B). exists a. split; [exact A | apply I, B].
  - auto.
Qed.

(* The check at load passes for whatever `valid` lets through. *)
Theorem init_checks_all s : valid s = true -> intersects (members s) (phase1 s) (phase2 s) = true.
Proof.
  intros V. apply intersects_complete. apply quorums_meet, V.
Qed.

(* The systems of the documentation, and some that must be refused. *)
Example five : valid (Majority 5) = true. Proof. reflexivity. Qed.
Example flexible : valid (Threshold 5 4 2) = true. Proof. reflexivity. Qed.
Example too_small : valid (Threshold 5 3 2) = false. Proof. reflexivity. Qed.
Example grid_3_3 : valid (Grid 3 3) = true. Proof. reflexivity. Qed.
Example explicit : valid (Explicit 4 [[0; 1]; [2; 3]] [[0; 2]; [1; 3]; [0; 3]; [1; 2]]) = true.
Proof. reflexivity. Qed.
Example disjoint : valid (Explicit 4 [[0; 1]; [2; 3]] [[0; 2]; [0; 1]]) = false.
Proof. reflexivity. Qed.
