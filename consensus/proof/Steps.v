(* The invariant is kept by what messages, acceptors and disks do. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts.
Import ListNotations.

Section Steps.
Context {cfg : config}.

(* ---- Parts of the world that a step leaves alone ---- *)

Definition no_accept (w w' : world) : Prop :=
  forall b f vs, Sent w' (Accept b f vs) -> Sent w (Accept b f vs).

Lemma ran_old w w' b i v : no_accept w w' -> ran w' b i v -> ran w b i v.
Proof. intros N (f & vs & A & B). exists f, vs. split; auto. Qed.

Lemma unique_old w w' : no_accept w w' -> unique w -> unique w'.
Proof. intros N U b f vs f' vs' i A B. apply (U b); auto. Qed.

Lemma cell_same w w' n s : grows w w' -> cell_of w' n s = cell_of w n s ->
  (forall c i, shard_of i = s -> voted w' n c i -> voted w n c i) -> cell_ok w n s -> cell_ok w' n s.
Proof.
  intros G E V (A & B). unfold cell_ok. rewrite E.
  split; [now apply (good_grows w)|now apply (chain_grows w)].
Qed.

Lemma fits_same w w' p x : grows w w' ->
  (forall b f vs, owner b = p -> Sent w' (Accept b f vs) -> Sent w (Accept b f vs)) ->
  (forall b m, owner b = p -> Sent w' (Commit b m) -> Sent w (Commit b m)) ->
  proposer_fits w p x -> proposer_fits w' p x.
Proof.
  intros G N M (A & B & D). split; [|split].
  - intros b f vs O S. apply A; auto.
  - intros b m O S. apply B; auto.
  - intros L. specialize (D L). apply (leading_grows w); auto.
    intros i v I (f & vs & R & S). exists f, vs. split; auto. apply N; auto. apply D.
Qed.

Lemma learner_same w w' n l : grows w w' ->
  (forall s i, kept w (mem (cell_of w n s)) i -> kept w' (mem (cell_of w' n s)) i) ->
  learner_fits w n l -> learner_fits w' n l.
Proof.
  intros G K (A & B). split.
  - intros i I. destruct (A i I) as (v & E & F). exists v. split; auto.
    now apply (known_grows w).
  - intros i I. apply K, B, I.
Qed.

Lemma snapshots_same w w' : grows w w' -> snapshots w' = snapshots w ->
  snapshots_ok w -> snapshots_ok w'.
Proof.
  intros G E S k lg H i I. unfold snapshot in *. rewrite E in H.
  destruct (S k lg H i I) as (v & A & B). exists v. split; auto. now apply (known_grows w).
Qed.

(* ---- Only messages ---- *)

Definition voteless (m : message) : Prop :=
  match m with Accepted _ _ _ _ _ => False | _ => True end.

Lemma voted_send ms w n c i : (forall m, In m ms -> voteless m) ->
  voted (send ms w) n c i -> voted w n c i.
Proof.
  intros H (f & k & A & B). exists f, k. split; auto.
  apply sent_send in A. destruct A as [A|A]; auto. apply H in A. destruct A.
Qed.

Lemma grows_say ms w : (forall n c i, voted (send ms w) n c i -> voted w n c i) ->
  grows w (send ms w).
Proof.
  intros H. constructor; auto. intros m M. apply sent_send. now right.
Qed.

Lemma inv_say w ms : invariant w ->
  (forall n c i, voted (send ms w) n c i -> voted w n c i) ->
  (forall m, In m ms -> message_ok w m /\ match m with
     | Accept _ _ _ => False
     | Commit b k => b <= ballot (prop_of w (owner b)) /\
         (active (prop_of w (owner b)) = true -> b = ballot (prop_of w (owner b)) ->
          k <= mark (prop_of w (owner b)))
     | _ => True end) ->
  invariant (send ms w).
Proof.
  intros I V H. pose proof (grows_say ms w V) as G.
  assert (N : no_accept w (send ms w)).
  { intros b f vs S. apply sent_send in S. destruct S as [S|S]; auto.
    destruct (H _ S) as [_ []]. }
  destruct I as [A B U P L S]. constructor.
  - intros n s. apply (cell_same w); auto.
  - intros m M. apply (message_grows w); auto.
    + apply sent_send in M. destruct M as [M|M]; auto. now apply H.
    + destruct m; auto. intros i v _. now apply ran_old.
  - now apply (unique_old w).
  - intros p. destruct (P p) as (P1 & P2 & P3). split; [|split].
    + intros b f vs O M. apply P1; auto.
    + intros b m O M. apply sent_send in M. destruct M as [M|M]; [|now apply P2].
      subst. apply H in M. apply M.
    + intros K. apply (leading_grows w); auto. intros i v _. now apply ran_old.
  - intros n. apply (learner_same w); auto; [|apply L]. intros s i. now apply (kept_grows w).
  - now apply (snapshots_same w).
Qed.

(* ---- A change without a message ---- *)

Record still (w w' : world) : Prop := {
  still_net : net w' = net w;
  still_disk : forall n s, disk (cell_of w' n s) = disk (cell_of w n s)
}.

Lemma still_old w w' m : still w w' -> Sent w' m -> Sent w m.
Proof. intros S. unfold Sent, sent. now rewrite (still_net _ _ S). Qed.

Lemma still_new w w' m : still w w' -> Sent w m -> Sent w' m.
Proof. intros S. unfold Sent, sent. now rewrite (still_net _ _ S). Qed.

Lemma still_accept w w' : still w w' -> no_accept w w'.
Proof. intros S b f vs. now apply still_old. Qed.

Lemma still_grows w w' : still w w' -> grows w w'.
Proof.
  intros S. constructor.
  - intros m. now apply still_new.
  - intros n s. unfold disk_promise. rewrite (still_disk _ _ S). auto.
  - intros n c i (f & k & A & B). left. exists f, k. split; auto. now apply (still_old w w').
Qed.

Lemma still_voted w w' n c i : still w w' -> voted w' n c i -> voted w n c i.
Proof. intros S (f & k & A & B). exists f, k. split; auto. now apply (still_old w w'). Qed.

Lemma still_messages w w' : still w w' ->
  (forall m, Sent w m -> message_ok w m) -> forall m, Sent w' m -> message_ok w' m.
Proof.
  intros S M m H. apply (message_grows w w' (still_grows _ _ S)).
  - apply M. now apply (still_old w w').
  - destruct m; auto. intros i v _. now apply ran_old, still_accept.
Qed.

Lemma still_fits w w' p x : still w w' -> proposer_fits w p x -> proposer_fits w' p x.
Proof.
  intros S. apply fits_same; [now apply still_grows| |]; intros; now apply (still_old w w').
Qed.

Lemma inv_still w w' : still w w' -> invariant w ->
  (forall n s, cell_ok w' n s) ->
  (forall p, proposer_fits w' p (prop_of w' p)) ->
  (forall n, learner_fits w' n (learn_of w' n)) ->
  snapshots_ok w' -> invariant w'.
Proof.
  intros S I A B D E. constructor; auto.
  - apply (still_messages w); auto. apply I.
  - apply (unique_old w); [|apply I]. now apply still_accept.
Qed.

(* ---- An acceptor appends a record ---- *)

Lemma inv_append w n s y ms : invariant w ->
  later (mem (cell_of w n s)) y -> good w n s y -> (forall m, In m ms -> answer_ok n s y m) ->
  invariant (set_cell w n s (append (cell_of w n s) y ms)).
Proof.
  intros I L G M. set (w' := set_cell w n s _).
  assert (S : still w w').
  { constructor; auto. intros k t. subst w'. rewrite cell_set_cell.
    destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; subst; auto. }
  pose proof (still_grows _ _ S) as GR.
  apply (inv_still w); auto.
  - intros k t. destruct (inv_cell _ I k t) as (A & B).
    assert (V : forall c i, shard_of i = t -> voted w' k c i -> voted w k c i)
      by (intros; now apply (still_voted w w')).
    split; rewrite (still_disk _ _ S); [now apply (good_grows w)|].
    subst w'. rewrite cell_set_cell.
    destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; try (now apply (chain_grows w)).
    subst. apply (chain_grows w); auto. apply chain_append with (z := mem (cell_of w k t)); auto.
  - intros p. apply (still_fits w); auto. subst w'. rewrite prop_set_cell. apply I.
  - intros k. apply (learner_same w); auto.
    + intros t i K. apply (kept_grows w); auto. subst w'. rewrite cell_set_cell.
      destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; auto. subst.
      eapply kept_later; eauto. apply G.
    + subst w'. rewrite learn_set_cell. apply I.
  - apply (snapshots_same w); auto. apply I.
Qed.

Lemma good_step w n s x y : good w n s x -> later x y -> in_order block y ->
  (forall i, shard_of i = s -> slot_ok w y i) ->
  (forall i, shard_of i = s -> Nat.max (delivered x) (noted x) <= i ->
     i < Nat.max (delivered y) (noted y) -> kept w y i) ->
  good w n s y.
Proof.
  intros (A & B & D & E) L O S K. split; auto. split; auto. split.
  - intros c i I V. eapply later_remembers; eauto.
  - intros i I J. destruct (Nat.lt_ge_cases i (Nat.max (delivered x) (noted x))); auto.
    eapply kept_later; eauto.
Qed.

Lemma slot_same w x y : same_votes x y -> (forall i, slot_ok w x i -> slot_ok w y i).
Proof.
  intros S i. unfold slot_ok. destruct (same_slot x y i S) as [->| ->]; auto.
  destruct S as (-> & -> & _). auto.
Qed.

Lemma inv_prepare w n s b : invariant w -> snd (on_prepare too_high (mem (cell_of w n s)) b) = Promised ->
  invariant (set_cell w n s
    (append (cell_of w n s) (fst (on_prepare too_high (mem (cell_of w n s)) b)) [])).
Proof.
  intros I E. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G.
  set (x := mem _) in *. apply inv_append; auto; [apply later_prepare| |simpl; tauto].
  apply (good_step w n s x); auto.
  - apply later_prepare.
  - apply order_prepare, G.
  - intros i J. destruct G as (_ & G & _). specialize (G i J). unfold on_prepare in *.
    destruct (Nat.ltb_spec b (promised x)); auto. destruct (too_high _ _); auto.
    unfold slot_ok, slot_at in *. simpl. destruct (i <? bottom x); auto.
    destruct (find i (slots x)) as [[c k m v|v]|]; intuition lia.
  - intros i J A B. exfalso. revert A B. unfold on_prepare.
    destruct (_ <? _); [|destruct (too_high _ _)]; simpl; lia.
Qed.

Lemma inv_accept w n s b first vs : invariant w -> Sent w (Accept b first vs) ->
  run_in_shard s first (length vs) ->
  (let a := snd (on_accept window too_high (mem (cell_of w n s)) b first vs) in
   a = Voted \/ a = Repeated) ->
  invariant (set_cell w n s (append (cell_of w n s)
    (fst (on_accept window too_high (mem (cell_of w n s)) b first vs))
    [Accepted n s b first (length vs)])).
Proof.
  intros I M RS E. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G.
  set (x := mem _) in *. set (y := fst _).
  assert (L : later x y).
  { apply (later_accept window block); [apply G|]. intros c k m u i F R.
    destruct G as (_ & G & _). specialize (G i (RS i R)). unfold slot_ok in G. rewrite F in G.
    apply G. }
  assert (O : in_order block y) by (apply order_accept, G).
  assert (H : promised y = b /\ delivered y = delivered x /\ noted y = noted x /\
     (forall i, first <= i < first + length vs -> remembers y b i) /\
     forall i, shard_of i = s -> slot_ok w y i).
  { destruct G as (G0 & G & _). destruct E as [E|E].
    - destruct (accept_slots _ _ _ _ _ _ _ G0 E) as ((P1 & P2 & P3 & P4 & P5 & P6 & P7 & P9 & P8) & S).
      fold y in P2, P3, P4, P5, P6, P7, P8, P9, S.
      split; auto. split; auto. split; auto. split.
      + intros i J. split; [lia|]. intros _. specialize (S i).
        destruct (Nat.leb_spec first i), (Nat.ltb_spec i (first + length vs)); simpl in S; try lia.
        destruct (is_chosen x i) eqn:F; simpl in S.
        * rewrite S. unfold is_chosen in F. now destruct (slot_at x i) as [[]|].
        * destruct S as [-> _]. simpl. auto.
      + intros i J. specialize (G i J). specialize (S i). unfold slot_ok.
        destruct (Nat.leb_spec first i), (Nat.ltb_spec i (first + length vs)); simpl in S;
          try (rewrite S; unfold slot_ok in G;
               destruct (slot_at x i) as [[c k m u|u]|]; intuition lia).
        destruct (is_chosen x i); simpl in S;
          [rewrite S; unfold slot_ok in G;
           destruct (slot_at x i) as [[c k m u|u]|]; intuition lia|].
        destruct S as [-> _]. split; [lia|split; [lia|]]. apply ran_nth; auto.
    - destruct (accept_repeated _ _ _ _ _ _ E) as (P1 & P2 & S). fold y in P2. rewrite P2. simpl.
      split; auto. split; auto. split; auto. split.
      + intros i J. specialize (S i J). split; [simpl; lia|]. intros _.
        change (slot_at (promise b x) i) with (slot_at x i).
        destruct (slot_at x i) as [[c k m u|u]|]; simpl; intuition lia.
      + intros i J. specialize (G i J). unfold slot_ok in *.
        change (slot_at (promise b x) i) with (slot_at x i). simpl.
        destruct (slot_at x i) as [[c k m u|u]|]; intuition lia. }
  destruct H as (H1 & H2 & H3 & H4 & H5).
  apply inv_append; auto.
  - apply (good_step w n s x); auto. intros i _ A B. lia.
  - intros m [<-|[]]. simpl. auto.
Qed.

Lemma inv_chosen w n s first vs : invariant w ->
  (forall i, first <= i < first + length vs -> known w i (nth (i - first) vs 0)) ->
  invariant (set_cell w n s (append (cell_of w n s)
    (fst (on_chosen window (mem (cell_of w n s)) first vs)) [])).
Proof.
  intros I K. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G.
  set (x := mem _) in *. set (y := fst _).
  assert (L : later x y) by (apply (later_chosen window block), G).
  destruct (chosen_slots window block x first vs (proj1 G)) as ((P1 & P2 & P3 & P4 & P5 & P7 & P6) & S).
  fold y in P1, P2, P3, P4, P5, P6, P7, S.
  apply inv_append; auto; [|simpl; tauto]. apply (good_step w n s x); auto.
  - apply order_chosen, G.
  - intros i J. destruct G as (_ & G & _). specialize (G i J). unfold slot_ok in *.
    destruct (S i) as [->|(R & -> & H)].
    + destruct (slot_at x i) as [[c k m u|u]|]; intuition lia.
    + split; auto.
  - intros i _ A B. lia.
Qed.

(* The low ends move: what is newly delivered is kept. *)
Lemma inv_ends w n s y : invariant w -> let x := mem (cell_of w n s) in
  same_votes x y -> in_order block y ->
  (forall i, shard_of i = s -> Nat.max (delivered x) (noted x) <= i ->
     i < Nat.max (delivered y) (noted y) -> kept w x i \/ i < tail y) ->
  invariant (set_cell w n s (append (cell_of w n s) y [])).
Proof.
  intros I x S O K. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G. fold x in G.
  pose proof (later_same _ _ S) as L.
  apply inv_append; auto; [|simpl; tauto]. apply (good_step w n s x); auto.
  - intros i J. apply (slot_same w x); auto. now apply G.
  - intros i J A B. destruct (K i J A B) as [H|H]; [|now left]. eapply kept_later; eauto.
Qed.

Lemma inv_recount w n s h : invariant w -> all_below (mem (cell_of w n s)) h = true ->
  invariant (set_cell w n s (append (cell_of w n s) (recount (mem (cell_of w n s)) h) [])).
Proof.
  intros I B. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G. set (x := mem _) in *.
  pose proof (all_below_spec x h) as H.
  assert (K : forall i, shard_of i = s -> slot_ok w (recount x h) i).
  { intros i J. destruct G as (_ & G & _). specialize (G i J). unfold slot_ok in *.
    change (slot_at (recount x h) i) with (slot_at x i). specialize (H i B).
    destruct (slot_at x i) as [[c k m u|u]|]; auto; simpl; (split; [apply H; discriminate|tauto]). }
  assert (L : later x (recount x h)) by (unfold later; simpl; auto).
  apply inv_append; auto; [|simpl; tauto]. apply (good_step w n s x); auto; [apply G|].
  simpl. intros i _ A D. lia.
Qed.

Lemma told_kept w n s d i : invariant w -> told w n s d = true -> shard_of i = s ->
  Nat.max (delivered (mem (cell_of w n s))) (noted (mem (cell_of w n s))) <= i -> i < d ->
  kept w (mem (cell_of w n s)) i.
Proof.
  intros I T J A B. unfold told in T. apply orb_true_iff in T.
  destruct T as [T|T]; [apply Nat.leb_le in T; lia|].
  apply andb_true_iff in T. destruct T as [T1 T2]. apply Nat.leb_le in T1, T2.
  destruct (inv_learner _ I n) as (_ & L). subst s.
  apply L. lia.
Qed.

(* ---- The disk ---- *)

Lemma chain_told w w' n s l : forall x z, grows w w' ->
  (forall c i y, shard_of i = s -> later x y -> voted w' n c i -> voted w n c i \/ remembers y c i) ->
  chain w n s x l z -> chain w' n s x l z.
Proof.
  induction l as [|[y ms] r IH]; simpl; auto. intros x z G V (A & B & D & E).
  split; auto. split; [|split; auto].
  - destruct B as (B1 & B2 & B3 & B4). split; auto. split; [|split].
    + intros i I. apply (slot_grows w), B2; auto.
    + intros c i I H. destruct (V c i y I A H); auto.
    + intros i I J. apply (kept_grows w), B4; auto.
  - apply IH; auto. intros c i k I F. apply V; auto. eapply later_trans; eauto.
Qed.

Lemma inv_sync w n s c ms : invariant w -> sync (cell_of w n s) = Some (c, ms) ->
  invariant (send ms (set_cell w n s c)).
Proof.
  intros I E. unfold sync in E.
  destruct (inv_cell _ I n s) as (A & B).
  destruct (pending (cell_of w n s)) as [|[y ms'] r] eqn:F; [discriminate|]. inversion E; subst. clear E.
  simpl in B. destruct B as (B1 & B2 & B3 & B4). set (c := mkCell y (mem (cell_of w n s)) r).
  set (w' := send ms (set_cell w n s c)).
  assert (CE : forall k t, cell_of w' k t = if (n =? k) && (s =? t) then c else cell_of w k t)
    by (intros; apply cell_set_cell).
  assert (SE : forall m, Sent w' m <-> In m ms \/ Sent w m)
    by (intros m; exact (sent_send ms (set_cell w n s c) m)).
  assert (DE : forall k t, disk_promise w k t <= disk_promise w' k t).
  { intros k t. unfold disk_promise. rewrite CE.
    destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; auto. subst. apply B1. }
  assert (VE : forall k b i, voted w' k b i -> voted w k b i \/
     (k = n /\ shard_of i = s /\ b = promised y /\ remembers y b i)).
  { intros k b i (f & z & M & J). apply SE in M. destruct M as [M|M].
    - right. apply B3 in M. simpl in M. destruct M as (-> & -> & -> & M). auto.
    - left. exists f, z. auto. }
  assert (G : grows w w').
  { constructor; auto.
    - intros m M. apply SE. now right.
    - intros k b i V. apply VE in V. destruct V as [V|(-> & J & -> & _)]; auto. right.
      rewrite J. apply B1. }
  assert (N : no_accept w w').
  { intros b f vs M. apply SE in M. destruct M as [M|M]; auto. apply B3 in M. destruct M. }
  constructor.
  - intros k t.
    destruct (Nat.eqb_spec n k); [destruct (Nat.eqb_spec s t)|].
    + subst. unfold cell_ok. rewrite CE, !Nat.eqb_refl. simpl. split.
      * destruct B2 as (C1 & C2 & C3 & C4). split; auto. split; [|split].
        -- intros i J. apply (slot_grows w), C2; auto.
        -- intros b i J V. apply VE in V. destruct V as [V|(_ & _ & _ & V)]; auto.
        -- intros i J K. apply (kept_grows w), C4; auto.
      * apply (chain_told w); auto. intros b i z J Lz V. apply VE in V.
        destruct V as [V|(_ & _ & _ & V)]; auto. right. eapply later_remembers; eauto.
    + apply (cell_same w); auto; [|intros b i J V|apply I].
      * rewrite CE. destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; auto; congruence.
      * apply VE in V. destruct V as [V|(_ & V & _)]; auto. congruence.
    + apply (cell_same w); auto; [|intros b i J V|apply I].
      * rewrite CE. destruct (Nat.eqb_spec n k); simpl; auto; congruence.
      * apply VE in V. destruct V as [V|(V & _)]; auto. congruence.
  - intros m M. apply SE in M. destruct M as [M|M].
    + apply B3 in M. destruct m; simpl in *; tauto.
    + apply (message_grows w); auto; [now apply I|].
      destruct m; auto. intros i v _. now apply ran_old.
  - apply (unique_old w); auto. apply I.
  - intros p. replace (prop_of w' p) with (prop_of w p)
      by (symmetry; apply (prop_set_cell w n s c p)).
    apply (fits_same w); auto; [|apply I].
    intros b m _ M. apply SE in M. destruct M as [M|M]; auto. apply B3 in M. destruct M.
  - intros k. replace (learn_of w' k) with (learn_of w k)
      by (symmetry; apply (learn_set_cell w n s c k)).
    apply (learner_same w); auto; [|apply I].
    intros t i K. apply (kept_grows w); auto. rewrite CE.
    destruct (Nat.eqb_spec n k), (Nat.eqb_spec s t); simpl; subst; auto.
  - apply (snapshots_same w); auto. apply I.
Qed.

End Steps.
