(* Exactly once on top of the log: the session table of consensus/session.c.

   The learner applies the log in order. A client opens a session by a command of its own; the
   instance of that command is the session's id. Each command carries (session, sequence). Per
   session the table keeps the window [base, base + W): which of its sequences have executed, and
   their replies.

   `session_look`, `session_apply` and `session_keep` transcribe the C functions of these names,
   `open_session` and `gather` those of consensus/replica_learner.c. Not transcribed: where a
   session stands in the hash table, the client's handle (no replica shares it), and that the C
   executes commands in batches (it ends the batch before it answers a duplicate or opens a
   session). A reply here is what the C keeps of one, status and result; the bytes that a read
   through the log brings back with its first reply it does not keep. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
Import ListNotations.
Set Implicit Arguments.

(* Keeps the n-th place of a list. *)
Fixpoint set_nth {A : Type} (n : nat) (x : A) (l : list A) : list A :=
  match l, n with
  | [], _ => []
  | _ :: r, 0 => x :: r
  | y :: r, S n => y :: set_nth n x r
  end.

Lemma nth_set_nth {A} (d x : A) l : forall n k, n < length l ->
  nth k (set_nth n x l) d = if k =? n then x else nth k l d.
Proof.
  induction l as [|y l IH]; simpl; intros n k H; [lia|].
  destruct n, k; simpl; auto. apply IH. lia.
Qed.

Lemma length_set_nth {A} (x : A) l : forall n, length (set_nth n x l) = length l.
Proof. induction l as [|y l IH]; intros [|n]; simpl; auto. Qed.

(* Two numbers of one window have different places in it. *)
Lemma window_mod W b p q : 1 <= W ->
  b <= p < b + W -> b <= q < b + W -> p mod W = q mod W -> p = q.
Proof.
  intros HW Hp Hq E.
  assert (Ep := Nat.div_mod p W ltac:(lia)). assert (Eq := Nat.div_mod q W ltac:(lia)).
  rewrite E in Ep. destruct (Nat.lt_trichotomy (p / W) (q / W)) as [L|[L|L]]; nia.
Qed.

Section Sessions.

Variable W : nat.                         (* SESSION_WINDOW *)
Variable max : nat.                       (* Sessions that the table holds. *)
Variables (Reply : Type) (zero : Reply).

(* ---- One session ---- *)

Record session := mkSession {
  id : nat;                               (* The instance of its open command. *)
  base : nat;                             (* Sequences below do not execute any more. *)
  last : nat;                             (* The instance of its last applied command. *)
  done : nat;                             (* Bit k: sequence base + k has executed. *)
  replies : list Reply                    (* By sequence mod W. *)
}.

Inductive answer := SESSION_RUN | SESSION_CACHED | SESSION_STALE.

Definition session_look (s : session) (sequence : nat) : answer :=
  if sequence <? base s then SESSION_STALE
  else if W <=? sequence - base s then SESSION_RUN
  else if Nat.testbit (done s) (sequence - base s) then SESSION_CACHED
  else SESSION_RUN.

Definition session_apply (s : session) (sequence instance : nat) : session * answer :=
  match session_look s sequence with
  | SESSION_RUN =>
      let ahead := sequence - base s in
      if W <=? ahead then
        let slide := ahead + 1 - W in
        let slid := if slide <? W then Nat.shiftr (done s) slide else 0 in
        (mkSession (id s) (base s + slide) instance (Nat.setbit slid (W - 1)) (replies s),
         SESSION_RUN)
      else
        (mkSession (id s) (base s) instance (Nat.setbit (done s) ahead) (replies s), SESSION_RUN)
  | a => (mkSession (id s) (base s) instance (done s) (replies s), a)
  end.

Definition session_keep (s : session) (sequence : nat) (r : Reply) : session :=
  mkSession (id s) (base s) (last s) (done s) (set_nth (sequence mod W) r (replies s)).

Definition session_reply (s : session) (sequence : nat) : Reply :=
  nth (sequence mod W) (replies s) zero.

(* ---- The table ---- *)

Definition table := list session.

Definition session_find (t : table) (i : nat) : option session :=
  find (fun s => id s =? i) t.

Definition session_put (t : table) (s : session) : table :=
  map (fun x => if id x =? id s then s else x) t.

(* The session whose last applied command is oldest in the log. *)
Fixpoint oldest (s : session) (t : table) : session :=
  match t with
  | [] => s
  | x :: r => oldest (if last x <? last s then x else s) r
  end.

Definition evict_oldest (t : table) : table :=
  match t with
  | [] => []
  | s :: r => filter (fun x => negb (id x =? id (oldest s r))) t
  end.

Definition session_open (t : table) (i : nat) : table :=
  (if length t =? max then evict_oldest t else t) ++ [mkSession i 0 i 0 (repeat zero W)].

(* The session has seen a sequence execute: it is below the window, or its bit is set. *)
Definition has (s : session) (q : nat) : Prop :=
  q < base s \/ (base s <= q /\ Nat.testbit (done s) (q - base s) = true).

Lemma find_spec t i s : session_find t i = Some s -> In s t /\ id s = i.
Proof.
  intros H. apply find_some in H. destruct H as [H E]. apply Nat.eqb_eq in E. auto.
Qed.

Lemma In_put t s x : In x (session_put t s) -> x = s \/ (In x t /\ id x <> id s).
Proof.
  unfold session_put. rewrite in_map_iff. intros (y & E & H).
  destruct (Nat.eqb_spec (id y) (id s)) as [|N]; subst; auto.
Qed.

Lemma In_open t i x : In x (session_open t i) ->
  In x t \/ x = mkSession i 0 i 0 (repeat zero W).
Proof.
  unfold session_open. rewrite in_app_iff. intros [H|[H|[]]]; [|auto].
  left. destruct (length t =? max); [|exact H]. destruct t as [|s r]; [exact H|].
  simpl in H. change (In x (evict_oldest (s :: r))) in H.
  unfold evict_oldest in H. apply filter_In in H. apply H.
Qed.

Lemma look_stale s q : session_look s q = SESSION_STALE <-> q < base s.
Proof.
  unfold session_look. destruct (Nat.ltb_spec q (base s)); [tauto|].
  destruct (Nat.leb_spec W (q - base s)); [split; [discriminate | lia]|].
  destruct (Nat.testbit _ _); split; try discriminate; lia.
Qed.

Lemma look_cached s q : session_look s q = SESSION_CACHED ->
  base s <= q /\ q - base s < W /\ Nat.testbit (done s) (q - base s) = true.
Proof.
  unfold session_look. destruct (Nat.ltb_spec q (base s)); [discriminate|].
  destruct (Nat.leb_spec W (q - base s)); [discriminate|].
  destruct (Nat.testbit _ _); [auto | discriminate].
Qed.

Hypothesis W_positive : 1 <= W.

Definition bits_within (s : session) : Prop :=
  forall k, Nat.testbit (done s) k = true -> k < W.

(* What session_apply does when it answers SESSION_RUN. *)
Lemma apply_run s q i s' : bits_within s -> session_apply s q i = (s', SESSION_RUN) ->
  id s' = id s /\ replies s' = replies s /\ base s <= base s' /\ base s' <= q < base s' + W
  /\ ~ has s q /\ has s' q /\ (forall p, has s p -> has s' p)
  /\ (forall k, Nat.testbit (done s') k = true ->
        base s' + k = q \/ (base s <= base s' + k /\
                            Nat.testbit (done s) (base s' + k - base s) = true))
  /\ bits_within s'
  /\ (base s' = base s \/ q + 1 = base s' + W).
Proof.
  intros B. unfold session_apply. destruct (session_look s q) eqn:L; intros E; try discriminate E.
  assert (Q : base s <= q).
  { destruct (Nat.lt_ge_cases q (base s)) as [H|H]; [|exact H].
    apply look_stale in H. congruence. }
  assert (N : ~ has s q).
  { intros [H|[_ H]]; [lia|]. assert (K := B _ H).
    unfold session_look in L. destruct (Nat.ltb_spec q (base s)); [lia|].
    destruct (Nat.leb_spec W (q - base s)); [lia|]. rewrite H in L. discriminate L. }
  destruct (Nat.leb_spec W (q - base s)) as [H|H].
  - set (slide := q - base s + 1 - W) in *. injection E as <-. unfold has. simpl.
    set (slid := if slide <? W then Nat.shiftr (done s) slide else 0).
    assert (Slid : forall k, Nat.testbit slid k = true ->
                     Nat.testbit (done s) (k + slide) = true).
    { intros k Hk. unfold slid in Hk. destruct (slide <? W).
      - rewrite Nat.shiftr_spec' in Hk. exact Hk.
      - rewrite Nat.bits_0 in Hk. discriminate Hk. }
    repeat split; try lia.
    + exact N.
    + right. split; [lia|]. replace (q - (base s + slide)) with (W - 1) by lia.
      rewrite Nat.setbit_eqb, Nat.eqb_refl. reflexivity.
    + intros p [P|[P1 P2]]; [left; lia|].
      destruct (Nat.lt_ge_cases p (base s + slide)) as [P|P]; [left; exact P|].
      right. split; [exact P|]. rewrite Nat.setbit_eqb. apply orb_true_iff. right.
      assert (K := B _ P2). unfold slid. destruct (Nat.ltb_spec slide W); [|lia].
      rewrite Nat.shiftr_spec'. replace (p - (base s + slide) + slide) with (p - base s) by lia.
      exact P2.
    + intros k Hk. rewrite Nat.setbit_eqb in Hk. apply orb_true_iff in Hk. destruct Hk as [Hk|Hk].
      * apply Nat.eqb_eq in Hk. left. lia.
      * apply Slid in Hk. right. split; [lia|].
        replace (base s + slide + k - base s) with (k + slide) by lia. exact Hk.
    + intros k Hk. simpl in Hk. rewrite Nat.setbit_eqb in Hk. apply orb_true_iff in Hk.
      destruct Hk as [Hk|Hk]; [apply Nat.eqb_eq in Hk; lia|]. apply Slid, B in Hk. lia.
  - injection E as <-. unfold has. simpl. repeat split; try lia.
    + exact N.
    + right. split; [exact Q|]. rewrite Nat.setbit_eqb, Nat.eqb_refl. reflexivity.
    + intros p [P|[P1 P2]]; [left; exact P|]. right. split; [exact P1|].
      rewrite Nat.setbit_eqb. apply orb_true_iff. right. exact P2.
    + intros k Hk. rewrite Nat.setbit_eqb in Hk. apply orb_true_iff in Hk. destruct Hk as [Hk|Hk].
      * apply Nat.eqb_eq in Hk. left. lia.
      * right. split; [lia|]. replace (base s + k - base s) with k by lia. exact Hk.
    + intros k Hk. simpl in Hk. rewrite Nat.setbit_eqb in Hk. apply orb_true_iff in Hk.
      destruct Hk as [Hk|Hk]; [apply Nat.eqb_eq in Hk; lia | apply B, Hk].
Qed.

(* When it answers anything else only `last` changes. *)
Lemma apply_other s q i s' a : session_apply s q i = (s', a) -> a <> SESSION_RUN ->
  s' = mkSession (id s) (base s) i (done s) (replies s) /\ session_look s q = a.
Proof.
  unfold session_apply. destruct (session_look s q); intros E N.
  - destruct (W <=? q - base s); injection E as _ E; congruence.
  - injection E as <- <-. auto.
  - injection E as <- <-. auto.
Qed.

End Sessions.

Arguments id {Reply}.
Arguments last {Reply}.

(* ---- The log ---- *)

Section Log.

Variables W max : nat.
(* The state machine: any function. *)
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.

Inductive entry :=
| Noop
| Open
| Command (session sequence : nat) (value : Value).

(* What becomes of an entry. *)
Inductive outcome :=
| Nothing
| Opened (session : nat)
| Ran (r : Reply)                         (* Executed now. *)
| Cached (r : Reply)                      (* Executed before: its reply again. *)
| Stale
| Expired.

Record state := mkState { sessions : table Reply; machine : Machine; next : nat }.
Definition state0 := mkState [] machine0 0.

Definition gather (s : state) (i sequence : nat) (v : Value) : state * outcome :=
  match session_find (sessions s) i with
  | None => (mkState (sessions s) (machine s) (S (next s)), Expired)
  | Some x =>
      match session_apply W x sequence (next s) with
      | (x', SESSION_RUN) =>
          let (m, r) := execute (machine s) v in
          (mkState (session_put (sessions s) (session_keep W x' sequence r)) m (S (next s)), Ran r)
      | (x', SESSION_CACHED) =>
          (mkState (session_put (sessions s) x') (machine s) (S (next s)),
           Cached (session_reply W zero x' sequence))
      | (x', SESSION_STALE) =>
          (mkState (session_put (sessions s) x') (machine s) (S (next s)), Stale)
      end
  end.

Definition apply (s : state) (e : entry) : state * outcome :=
  match e with
  | Noop => (mkState (sessions s) (machine s) (S (next s)), Nothing)
  | Open =>
      (mkState (session_open W max zero (sessions s) (next s)) (machine s) (S (next s)),
       Opened (next s))
  | Command i sequence v => gather s i sequence v
  end.

Definition step (x : state * list outcome) (e : entry) : state * list outcome :=
  let (s, o) := apply (fst x) e in (s, snd x ++ [o]).

(* From a state on, and from the start: the state, and what became of each entry. *)
Definition carry_on (s : state) (log : list entry) : state * list outcome :=
  fold_left step log (s, []).
Definition replay (log : list entry) : state * list outcome := carry_on state0 log.

Lemma fold_outcomes log : forall s os,
  fold_left step log (s, os) = (fst (carry_on s log), os ++ snd (carry_on s log)).
Proof.
  unfold carry_on. induction log as [|e log IH]; intros s os; simpl.
  - rewrite app_nil_r. reflexivity.
  - unfold step at 2 4 6. simpl. destruct (apply s e) as [s' o]. simpl.
    rewrite (IH s' (os ++ [o])), (IH s' [o]). simpl. rewrite <- app_assoc. reflexivity.
Qed.

(* Replicas that applied the same log have the same table, for `replay` is a function. A replica
   that starts from the table as it stood after `log` goes on as one that replayed everything: the
   table is all there is to save. *)
Theorem snapshot_then_carry_on log more :
  replay (log ++ more) =
  (fst (carry_on (fst (replay log)) more),
   snd (replay log) ++ snd (carry_on (fst (replay log)) more)).
Proof.
  unfold replay at 1, carry_on at 1. rewrite fold_left_app.
  rewrite (surjective_pairing (fold_left step log (state0, []))) at 1.
  rewrite fold_outcomes. reflexivity.
Qed.

Lemma replay_snoc log e :
  replay (log ++ [e]) = (fst (apply (fst (replay log)) e),
                         snd (replay log) ++ [snd (apply (fst (replay log)) e)]).
Proof.
  rewrite snapshot_then_carry_on. unfold carry_on. simpl. unfold step. simpl.
  destruct (apply (fst (replay log)) e). reflexivity.
Qed.

End Log.

Arguments Nothing {Reply}.
Arguments Opened {Reply}.
Arguments Stale {Reply}.
Arguments Expired {Reply}.
Arguments Noop {Value}.
Arguments Open {Value}.
(* With "last sequence" in place of the window: 5 overtakes 4, and 4 would never run. Here it does;
   a second copy of it hears the first's reply; after 9 it is stale. (W = 4, a counter as the
   machine.) *)
Example overtaken :
  snd (replay 4 10 0 0 (fun m v => (m + v, m + v))
         [Open; Command 0 5 10; Command 0 4 1; Command 0 4 1; Noop; Command 0 9 100;
          Command 0 5 10; Command 7 0 1])
  = [Opened 0; Ran 10; Ran 11; Cached 11; Nothing; Ran 111; Stale; Expired].
Proof. reflexivity. Qed.
