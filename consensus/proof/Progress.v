(* Progress, as a run that exists: whatever happened so far, if from now on one proposer runs alone with
   a quorum that hears it, a command that a client submitted is chosen. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant Learner.
Import ListNotations.

Section Progress.
Context {cfg : config}.

Hypothesis shards_some : 0 < shards.
Hypothesis shard_in : forall i, shard_of i < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

(* Acceptors take a step to any ballot. *)
Hypothesis no_limit : forall b b', too_high b b' = false.

Local Notation reachable_inv := (inv_reachable shards_some Q1_Q2).

Lemma steps_trans w u w' : steps w u -> steps u w' -> steps w w'.
Proof.
  intros A B. induction B as [|v u e w' ms a B IH E]; auto. apply (steps_next w u e w' ms a); auto.
Qed.

Lemma do_step w e u ms a : act w e = Some (u, ms, a) -> steps w (send ms u).
Proof.
  intros E. eapply steps_next; [apply steps_refl|]. unfold exec. rewrite E. reflexivity.
Qed.

Lemma steps_sent w w' m : reachable w -> steps w w' -> Sent w m -> Sent w' m.
Proof. intros R S. apply (grows_sent w w'). now apply steps_grow. Qed.

(* All of an acceptor's records become durable. *)
Lemma sync_all n s : forall k w, reachable w -> length (pending (cell_of w n s)) = k ->
  exists w', steps w w' /\ disk (cell_of w' n s) = mem (cell_of w' n s) /\
    (forall m t, mem (cell_of w' m t) = mem (cell_of w m t)) /\
    (forall m, prop_of w' m = prop_of w m) /\ (forall m, learn_of w' m = learn_of w m) /\
    (forall y ms m, In (y, ms) (pending (cell_of w n s)) -> In m ms -> Sent w' m).
Proof.
  induction k as [|k IH]; intros w R L.
  - exists w. split; [apply steps_refl|]. destruct (pending (cell_of w n s)) eqn:P; [|discriminate].
    split; [|split; [auto|split; [auto|split; [auto|simpl; tauto]]]].
    destruct (inv_cell _ (reachable_inv w R) n s) as (_ & B). rewrite P in B. exact B.
  - destruct (pending (cell_of w n s)) as [|[y ms] r] eqn:P; [discriminate|].
    set (c := mkCell y (mem (cell_of w n s)) r). set (u := send ms (set_cell w n s c)).
    assert (S : steps w u).
    { apply (do_step w (ESync n s) (set_cell w n s c) ms None). simpl. unfold sync.
      rewrite P. reflexivity. }
    assert (C : forall m t, cell_of u m t = if (n =? m) && (s =? t) then c else cell_of w m t)
      by (intros; apply cell_set_cell).
    assert (M : forall m t, mem (cell_of u m t) = mem (cell_of w m t)).
    { intros m t. rewrite C. destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); simpl; subst; auto. }
    assert (Cn : cell_of u n s = c) by (rewrite C, !Nat.eqb_refl; auto).
    assert (Ru : reachable u) by now apply (steps_reachable w).
    destruct (IH u Ru) as (w' & S' & D & M' & P' & L' & N); [rewrite Cn; simpl; simpl in L; lia|].
    exists w'. split; [now apply (steps_trans w u)|]. split; auto. split; [|split; [|split]].
    + intros m t. now rewrite M', M.
    + intros m. rewrite P'. apply (prop_set_cell w n s c m).
    + intros m. rewrite L'. apply (learn_set_cell w n s c m).
    + intros z zs m [E|H] J.
      * injection E as <- <-. apply (steps_sent u w'); auto. apply sent_send. now left.
      * apply (N z zs m); auto. rewrite Cn. exact H.
Qed.

(* ---- Phase 1, alone ---- *)

Section Alone.
Variables (p b : nat).

(* The proposer has this acceptor's promise, as the acceptor stands. *)
Definition ready w n s : Prop :=
  let x := mem (cell_of w n s) in
  promised x = b /\ get2 s n (promises (prop_of w p)) = Some (lo x, high x).

(* What goes on between the promises changes nothing else. *)
Record alone (w w' : world) : Prop := {
  alone_steps : steps w w';
  alone_mem : forall n s, mem (cell_of w' n s) = mem (cell_of w n s) \/
    mem (cell_of w' n s) = promise b (mem (cell_of w n s));
  alone_learn : forall n, learn_of w' n = learn_of w n;
  alone_prop : let x := prop_of w p in let y := prop_of w' p in
    ballot y = ballot x /\ active y = active x /\ reports y = reports x /\ begun y = begun x /\
    proposed y = proposed x /\ next y = next x;
  alone_ready : forall n s, ready w n s -> ready w' n s
}.

Lemma alone_refl w : alone w w.
Proof. constructor; auto; [apply steps_refl|repeat split; auto]. Qed.

Lemma alone_trans w u w' : alone w u -> alone u w' -> alone w w'.
Proof.
  intros A B. constructor.
  - apply (steps_trans w u); [apply A|apply B].
  - intros n s. simpl. destruct (alone_mem _ _ A n s) as [A1|A1], (alone_mem _ _ B n s) as [B1|B1];
      simpl in *; rewrite B1, A1; auto.
  - intros n. now rewrite (alone_learn _ _ B), (alone_learn _ _ A).
  - simpl. destruct (alone_prop _ _ A) as (A1 & A2 & A3 & A4 & A5 & A6).
    destruct (alone_prop _ _ B) as (B1 & B2 & B3 & B4 & B5 & B6). repeat split; congruence.
  - intros n s H. apply (alone_ready _ _ B), (alone_ready _ _ A), H.
Qed.

(* One acceptor is asked, promises, and is heard. *)
Lemma one_promise w n s : reachable w -> active (prop_of w p) = true -> ballot (prop_of w p) = b ->
  owner b = p -> (n = p \/ Sent w (Prepare b)) -> promised (mem (cell_of w n s)) <= b ->
  exists w', alone w w' /\ ready w' n s.
Proof.
  intros R A B O M L. set (x := mem (cell_of w n s)) in *.
  (* It promises. *)
  set (w1 := send [] (set_cell w n s (append (cell_of w n s) (promise b x) []))).
  assert (S1 : steps w w1).
  { apply (do_step w (EPrepare n s b) _ [] (Some Promised)). cbn [act]. fold x.
    replace (sent w (Prepare b) || (owner b =? n)) with true.
    - unfold on_prepare. destruct (Nat.ltb_spec b (promised x)); [lia|]. now rewrite no_limit.
    - symmetry. apply orb_true_iff. destruct M as [->|M]; [right|now left].
      rewrite O. apply Nat.eqb_refl. }
  assert (R1 : reachable w1) by now apply (steps_reachable w).
  (* Its promise becomes durable. *)
  destruct (sync_all n s _ w1 R1 eq_refl) as (w2 & S2 & D2 & M2 & P2 & L2 & _).
  assert (R2 : reachable w2) by now apply (steps_reachable w1).
  assert (C1 : forall m t, mem (cell_of w1 m t) =
    if (n =? m) && (s =? t) then promise b x else mem (cell_of w m t)).
  { intros m t. unfold w1. change (cell_of (send [] ?u)) with (cell_of u).
    rewrite cell_set_cell. destruct ((n =? m) && (s =? t)); auto. }
  assert (X2 : mem (cell_of w2 n s) = promise b x) by (rewrite M2, C1, !Nat.eqb_refl; auto).
  assert (PE : forall m, prop_of w2 m = prop_of w m).
  { intros m. rewrite P2. apply (prop_set_cell w n s _ m). }
  (* It tells it. *)
  set (w3 := send [Promise n s b (lo x) (high x)] w2).
  assert (S3 : steps w2 w3).
  { apply (do_step w2 (EPromise n s) w2 _ None). cbn [act]. rewrite D2, X2. simpl.
    now rewrite Nat.eqb_refl. }
  (* It is heard. *)
  set (y := hear_promise (prop_of w p) n s (lo x) (high x)).
  set (w4 := send [] (set_prop w3 p y)).
  assert (S4 : steps w3 w4).
  { apply (do_step w3 (EHearPromise p n s (lo x) (high x)) (set_prop w3 p y) [] None). cbn [act].
    change (prop_of w3 p) with (prop_of w2 p). rewrite PE, A, B.
    replace (sent w3 (Promise n s b (lo x) (high x))) with true; [reflexivity|].
    symmetry. apply sent_send. left. now left. }
  assert (P4 : prop_of w4 p = y).
  { unfold w4. change (prop_of (send [] ?u)) with (prop_of u). now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (M4 : forall m t, mem (cell_of w4 m t) =
    if (n =? m) && (s =? t) then promise b x else mem (cell_of w m t)).
  { intros m t. rewrite <- C1, <- M2. unfold w4. change (cell_of (send [] ?u)) with (cell_of u).
    rewrite cell_set_prop. reflexivity. }
  exists w4. assert (RY : ready w4 n s).
  { unfold ready. rewrite P4, M4, !Nat.eqb_refl. simpl. rewrite get2_put2, !Nat.eqb_refl. auto. }
  split; auto. constructor.
  - apply (steps_trans w w1), (steps_trans w1 w2), (steps_trans w2 w3); auto.
  - intros m t. simpl. rewrite M4.
    destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); simpl; auto. subst. auto.
  - intros m. unfold w4, w3. change (learn_of (send ?ms ?u)) with (learn_of u).
    rewrite learn_set_prop. change (learn_of (send ?ms ?u)) with (learn_of u). rewrite L2.
    apply (learn_set_cell w n s).
  - simpl. rewrite P4. repeat split; auto.
  - intros m t (H1 & H2). destruct (Nat.eqb_spec n m) as [<-|N].
    + destruct (Nat.eqb_spec s t) as [<-|N]; auto. unfold ready. rewrite P4, M4.
      rewrite Nat.eqb_refl. destruct (Nat.eqb_spec s t); [congruence|]. simpl.
      rewrite get2_put2. destruct (Nat.eqb_spec s t); [congruence|]. auto.
    + unfold ready. rewrite P4, M4. destruct (Nat.eqb_spec n m); [congruence|]. simpl.
      rewrite get2_put2. destruct (Nat.eqb_spec n m); [congruence|]. rewrite andb_false_r. auto.
Qed.

(* So do all of a list of them. *)
Lemma all_promise l : forall w, reachable w -> active (prop_of w p) = true ->
  ballot (prop_of w p) = b -> owner b = p ->
  (forall n s, In (n, s) l -> (n = p \/ Sent w (Prepare b)) /\ promised (mem (cell_of w n s)) <= b) ->
  exists w', alone w w' /\ forall n s, In (n, s) l -> ready w' n s.
Proof.
  induction l as [|[n s] r IH]; intros w R A B O H; [exists w; split; [apply alone_refl|simpl; tauto]|].
  destruct (H n s (or_introl eq_refl)) as (H1 & H2).
  destruct (one_promise w n s R A B O H1 H2) as (u & AU & RU).
  destruct (alone_prop _ _ AU) as (E1 & E2 & _).
  assert (Ru : reachable u) by (apply (steps_reachable w); auto; apply AU).
  destruct (IH u) as (w' & AW & RW); auto; try congruence.
  - intros m t J. destruct (H m t (or_intror J)) as (H3 & H4). split.
    + destruct H3; auto. right. apply (steps_sent w u); auto. apply AU.
    + destruct (alone_mem _ _ AU m t) as [K|K]; rewrite K; auto.
  - exists w'. split; [now apply (alone_trans w u)|]. intros m t [E|J]; auto.
    injection E as <- <-. now apply (alone_ready _ _ AW).
Qed.

Lemma alone_say w ms e a : act w e = Some (w, ms, a) -> alone w (send ms w).
Proof.
  intros E. constructor; [now apply (do_step w e w ms a)|intros; now left|auto| |auto].
  simpl. repeat split; auto.
Qed.

(* ---- Phase 2, alone: one instance ---- *)

Section Phase2.
Variable k : nat.
Let s := shard_of k.

(* All that is changed of acceptors is what they promised, and their slots of [k]. *)
Record keeps (w w' : world) : Prop := {
  keeps_steps : steps w w';
  keeps_lo : forall n t, lo (mem (cell_of w' n t)) = lo (mem (cell_of w n t));
  keeps_slot : forall n t i, t <> s \/ i <> k ->
    slot_at (mem (cell_of w' n t)) i = slot_at (mem (cell_of w n t)) i;
  keeps_count : forall n, count (learn_of w n) <= count (learn_of w' n)
}.

Lemma keeps_refl w : keeps w w.
Proof. constructor; auto. apply steps_refl. Qed.

Lemma keeps_trans w u w' : keeps w u -> keeps u w' -> keeps w w'.
Proof.
  intros A B. constructor.
  - apply (steps_trans w u); [apply A|apply B].
  - intros. now rewrite (keeps_lo _ _ B), (keeps_lo _ _ A).
  - intros. now rewrite (keeps_slot _ _ B), (keeps_slot _ _ A).
  - intros n. eapply Nat.le_trans; [apply A|apply B].
Qed.

Lemma keeps_alone w w' : alone w w' -> keeps w w'.
Proof.
  intros A. constructor; [apply A| | |]; intros.
  - destruct (alone_mem _ _ A n t) as [E|E]; rewrite E; auto.
  - destruct (alone_mem _ _ A n t) as [E|E]; rewrite E; auto.
  - now rewrite (alone_learn _ _ A).
Qed.

(* A step that leaves acceptors and learners as they are. *)
Lemma keeps_step w e u ms a : act w e = Some (u, ms, a) ->
  (forall n t, cell_of u n t = cell_of w n t) -> (forall n, learn_of u n = learn_of w n) ->
  keeps w (send ms u).
Proof.
  intros E C L. constructor.
  - now apply (do_step w e u ms a).
  - intros n t. change (cell_of (send ms u) n t) with (cell_of u n t). now rewrite C.
  - intros n t i _. change (cell_of (send ms u) n t) with (cell_of u n t). now rewrite C.
  - intros n. change (learn_of (send ms u) n) with (learn_of u n). now rewrite L.
Qed.

Definition reported (x : proposer) rs : proposer :=
  mkProposer (ballot x) (active x) (promises x) rs (begun x) (proposed x) (next x) (mark x)
    (opened x) (runs x).

Definition says w n := report_of (mem (cell_of w n s)) k.

Lemma one_pull w n : reachable w -> active (prop_of w p) = true -> ballot (prop_of w p) = b ->
  ready w n s -> lo (mem (cell_of w n s)) <= k ->
  exists w', keeps w w' /\ (forall m t, cell_of w' m t = cell_of w m t) /\
    prop_of w' p = reported (prop_of w p) (put2 k n (says w n) (reports (prop_of w p))).
Proof.
  intros R A B (Y1 & Y2) L.
  assert (D : promised (disk (cell_of w n s)) = b).
  { destruct (inv_proposer _ (reachable_inv w R) p) as (_ & _ & F). specialize (F A).
    destruct F as (_ & _ & F & _). destruct (F _ _ _ _ Y2) as (G & _). rewrite B in G.
    destruct (mem_later _ _ _ (inv_cell _ (reachable_inv w R) n s)) as (H & _).
    unfold disk_promise in G. lia. }
  set (w1 := send [Votes n s b k [says w n]] w).
  assert (S1 : keeps w w1).
  { apply (keeps_step w (EPull n s b k 1) w _ None); auto. cbn [act].
    rewrite Y1, D, Nat.eqb_refl. destruct (Nat.ltb_spec k (lo (mem (cell_of w n s)))); [lia|].
    unfold in_shard. simpl. fold s. now rewrite Nat.eqb_refl. }
  set (y := hear_votes (prop_of w p) n k [says w n]).
  exists (send [] (set_prop w1 p y)). split; [|split].
  - apply (keeps_trans w w1); auto.
    apply (keeps_step w1 (EHearVotes p n s k [says w n]) _ [] None).
    + cbn [act]. change (prop_of w1 p) with (prop_of w p). rewrite A, B.
      replace (sent w1 (Votes n s b k [says w n])) with true
        by (symmetry; apply sent_send; left; now left).
      unfold in_shard. simpl. fold s. now rewrite Nat.eqb_refl.
    + intros. apply cell_set_prop.
    + intros. apply learn_set_prop.
  - intros m t. exact (cell_set_prop w1 p y m t).
  - change (prop_of (send [] ?u)) with (prop_of u). now rewrite prop_set_prop, Nat.eqb_refl.
Qed.

Lemma all_pull l : forall w, reachable w -> active (prop_of w p) = true ->
  ballot (prop_of w p) = b ->
  (forall n, In n l -> ready w n s /\ lo (mem (cell_of w n s)) <= k) ->
  exists w' rs, keeps w w' /\ (forall m t, cell_of w' m t = cell_of w m t) /\
    prop_of w' p = reported (prop_of w p) rs /\
    forall n, In n l \/ get2 k n (reports (prop_of w p)) = Some (says w n) ->
      get2 k n rs = Some (says w n).
Proof.
  induction l as [|n r IH]; intros w R A B H.
  - exists w, (reports (prop_of w p)). split; [apply keeps_refl|]. split; auto.
    split; [now destruct (prop_of w p)|]. simpl. tauto.
  - destruct (H n (or_introl eq_refl)) as (H1 & H2).
    destruct (one_pull w n R A B H1 H2) as (u & K & C & P).
    destruct (IH u) as (w' & rs & K' & C' & P' & G).
    + apply (steps_reachable w); auto; apply K.
    + now rewrite P.
    + now rewrite P.
    + intros m J. rewrite C. destruct (H m (or_intror J)) as (H3 & H4). split; auto.
      unfold ready in *. now rewrite C, P.
    + exists w', rs. split; [now apply (keeps_trans w u)|].
      split; [intros; now rewrite C', C|]. split; [now rewrite P', P|].
      assert (E : forall m, says u m = says w m) by (intros; unfold says; now rewrite C).
      intros m J. rewrite <- E. apply G. rewrite P. simpl. rewrite get2_put2, Nat.eqb_refl. simpl.
      destruct (Nat.eqb_spec n m) as [->|N]; [right; now rewrite E|].
      destruct J as [[J|J]|J]; [congruence|now left|right; rewrite E; exact J].
Qed.

Lemma select_reported x l f : (forall n, In n l -> get2 k n (reports x) = Some (f n)) ->
  exists r, select x k l = Some r /\ ((forall n, In n l -> f n = Empty) -> r = Empty).
Proof.
  induction l as [|n r IH]; simpl; intros H; [now exists Empty|].
  destruct IH as (y & E & Y); [intros; apply H; auto|]. exists (better (f n) y).
  unfold heard. rewrite (H n), E by auto. split; auto. intros Z.
  rewrite (Z n), Y by auto. reflexivity.
Qed.

Definition votable w n : Prop :=
  let x := mem (cell_of w n s) in
  promised x = b /\ lo x <= k /\ k + 1 <= lo x + window /\ unvoted x b k.

Definition has_voted w n : Prop :=
  Sent w (Accepted n s b k 1) /\ holds (mem (cell_of w n s)) b k = true.

Lemma one_vote w n u : reachable w -> Sent w (Accept b k [u]) -> votable w n ->
  exists w', keeps w w' /\ prop_of w' p = prop_of w p /\ has_voted w' n /\
    forall m, m <> n -> mem (cell_of w' m s) = mem (cell_of w m s).
Proof.
  intros R M (V1 & V2 & V3 & V4). set (x := mem (cell_of w n s)) in *.
  assert (E : snd (on_accept window too_high x b k [u]) = Voted).
  { apply accept_takes; auto; [lia|]. simpl length. intros i I. now replace i with k by lia. }
  destruct (accept_slots window block too_high x b k [u]) as (F & G); auto.
  { destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) n s)) as (O & _). exact O. }
  set (y := fst (on_accept window too_high x b k [u])) in *.
  destruct F as (_ & _ & _ & _ & F & _). simpl length in G.
  set (ms := [Accepted n s b k 1]).
  set (w1 := send [] (set_cell w n s (append (cell_of w n s) y ms))).
  assert (S1 : steps w w1).
  { apply (do_step w (EAccept n s b k [u]) _ [] (Some Voted)). cbn [act length]. fold x.
    rewrite (surjective_pairing (on_accept window too_high x b k [u])). rewrite E. fold y.
    unfold Sent in M. rewrite M. unfold in_shard. simpl. fold s. now rewrite Nat.eqb_refl. }
  assert (R1 : reachable w1) by now apply (steps_reachable w).
  assert (C1 : forall m t, cell_of w1 m t =
    if (n =? m) && (s =? t) then append (cell_of w n s) y ms else cell_of w m t)
    by (intros m t; exact (cell_set_cell w n s (append (cell_of w n s) y ms) m t)).
  destruct (sync_all n s _ w1 R1 eq_refl) as (w2 & S2 & _ & M2 & P2 & L2 & N2).
  assert (M1 : forall m t, mem (cell_of w2 m t) =
    if (n =? m) && (s =? t) then y else mem (cell_of w m t)).
  { intros m t. rewrite M2, C1. now destruct ((n =? m) && (s =? t)). }
  exists w2. split; [constructor|split; [|split; [split|]]].
  - now apply (steps_trans w w1).
  - intros m t. rewrite M1. destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); subst; auto.
  - intros m t i K. rewrite M1.
    destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); simpl; auto. subst m t.
    specialize (G i). destruct (Nat.leb_spec k i), (Nat.ltb_spec i (k + 1)); simpl in G; auto.
    lia.
  - intros m. rewrite L2. change (learn_of w1 m) with (learn_of (set_cell w n s
      (append (cell_of w n s) y ms)) m). rewrite learn_set_cell. lia.
  - rewrite P2. apply (prop_set_cell w n s _ p).
  - apply (N2 y ms); [|now left]. rewrite C1, !Nat.eqb_refl. simpl. apply in_or_app. right. now left.
  - rewrite M1, !Nat.eqb_refl. simpl. specialize (G k).
    destruct (Nat.leb_spec k k), (Nat.ltb_spec k (k + 1)); try lia. simpl in G.
    unfold holds. destruct (is_chosen x k) eqn:C; simpl in G.
    + rewrite G. unfold is_chosen in C. now destruct (slot_at x k) as [[]|].
    + destruct G as (-> & _). apply Nat.leb_refl.
  - intros m N. rewrite M1. destruct (Nat.eqb_spec n m); [congruence|]. reflexivity.
Qed.

Lemma all_vote u l : forall w, reachable w -> Sent w (Accept b k [u]) ->
  (forall n, In n l -> has_voted w n \/ votable w n) ->
  exists w', keeps w w' /\ prop_of w' p = prop_of w p /\
    forall n, In n l \/ has_voted w n -> has_voted w' n.
Proof.
  induction l as [|n r IH]; intros w R M H.
  - exists w. split; [apply keeps_refl|]. simpl. split; auto. tauto.
  - assert (O : exists w1, keeps w w1 /\ prop_of w1 p = prop_of w p /\ has_voted w1 n /\
      forall m, m = n \/ mem (cell_of w1 m s) = mem (cell_of w m s)).
    { destruct (H n (or_introl eq_refl)) as [K|K].
      - exists w. split; [apply keeps_refl|auto].
      - destruct (one_vote w n u R M K) as (w1 & K1 & P1 & V1 & C1). exists w1.
        repeat split; auto; try apply K1; try apply V1.
        intros m. destruct (Nat.eq_dec m n); auto. }
    destruct O as (w1 & K1 & P1 & V1 & C1).
    assert (R1 : reachable w1) by (apply (steps_reachable w); auto; apply K1).
    assert (T : forall m, has_voted w m -> has_voted w1 m).
    { intros m (A & B). destruct (C1 m) as [->|E]; auto. split; [|now rewrite E].
      apply (steps_sent w w1); auto. apply K1. }
    destruct (IH w1 R1) as (w' & K' & P' & V').
    + apply (steps_sent w w1); auto. apply K1.
    + intros m J. destruct (H m (or_intror J)) as [K|K]; [left; auto|].
      destruct (C1 m) as [->|E]; [now left|]. right. unfold votable. now rewrite E.
    + exists w'. split; [now apply (keeps_trans w w1)|]. split; [congruence|].
      intros m [[<-|J]|J]; auto.
Qed.

(* Each of a list of nodes that hears of it delivers it. *)
Lemma all_deliver u l : forall w, reachable w -> Sent w (Accept b k [u]) ->
  Sent w (Commit b (k + 1)) ->
  (forall n, In n l -> holds (mem (cell_of w n s)) b k = true /\ k <= count (learn_of w n)) ->
  exists w', keeps w w' /\ forall n, In n l \/ k < count (learn_of w n) -> k < count (learn_of w' n).
Proof.
  induction l as [|n r IH]; intros w R M C H.
  - exists w. split; [apply keeps_refl|]. simpl. tauto.
  - destruct (H n (or_introl eq_refl)) as (H1 & H2).
    assert (O : exists w1, keeps w w1 /\ (forall m t, cell_of w1 m t = cell_of w m t) /\
      k < count (learn_of w1 n)).
    { destruct (Nat.eq_dec k (count (learn_of w n))) as [E|E].
      - set (l1 := deliver1 (learn_of w n) u). exists (send [] (set_learn w n l1)).
        assert (X : forall m, learn_of (set_learn w n l1) m = if n =? m then l1 else learn_of w m)
          by (intros; apply learn_set_learn).
        split; [constructor|split].
        + apply (do_step w (EDeliver n b (k + 1) k [u]) _ [] None). cbn [act].
          unfold Sent in M, C. rewrite M, C. simpl length. rewrite Nat.leb_refl.
          unfold in_shard. simpl. rewrite Nat.eqb_refl. fold s. rewrite H1.
          destruct (Nat.ltb_spec k (count (learn_of w n))); [lia|].
          rewrite (proj2 (Nat.eqb_eq _ _) E). reflexivity.
        + intros m t. change (cell_of (send [] ?x)) with (cell_of x). now rewrite cell_set_learn.
        + intros m t i _. change (cell_of (send [] ?x)) with (cell_of x).
          now rewrite cell_set_learn.
        + intros m. change (learn_of (send [] ?x)) with (learn_of x). rewrite X.
          destruct (Nat.eqb_spec n m); [subst; simpl|]; lia.
        + intros m t. exact (cell_set_learn w n l1 m t).
        + change (learn_of (send [] ?x)) with (learn_of x). rewrite X, Nat.eqb_refl. simpl. lia.
      - exists w. split; [apply keeps_refl|]. split; auto. lia. }
    destruct O as (w1 & K1 & C1 & D1).
    destruct (IH w1) as (w' & K' & D').
    + apply (steps_reachable w); auto; apply K1.
    + apply (steps_sent w w1); auto; apply K1.
    + apply (steps_sent w w1); auto; apply K1.
    + intros m J. rewrite C1. destruct (H m (or_intror J)) as (H3 & H4).
      pose proof (keeps_count _ _ K1 m). split; auto. lia.
    + exists w'. split; [now apply (keeps_trans w w1)|]. intros m [[<-|J]|J]; auto.
      apply D'. right. pose proof (keeps_count _ _ K1 m). lia.
Qed.

Variable q : list nat.
Hypothesis quorum1 : Q1 q = true.
Hypothesis quorum2 : Q2 q = true.

(* The whole of it: a ballot above all that is promised, in which [k] is chosen, and all can hear it.
   If the quorum holds nothing for it, it is what the proposer likes. *)
Lemma run_alone w v : reachable w -> owner b = p -> ballot (prop_of w p) < b ->
  (forall n t, promised (mem (cell_of w n t)) < b \/ ~ (n = p \/ In n q) \/ shards <= t) ->
  (forall n t, In n q -> t < shards -> lo (mem (cell_of w n t)) <= k) ->
  (forall n, In n q -> k + 1 <= lo (mem (cell_of w n s)) + window) ->
  proposable w v ->
  exists w' u, keeps w w' /\ chosen w' k u /\
    Sent w' (Accept b k [u]) /\ Sent w' (Commit b (k + 1)) /\
    (forall n, In n q -> holds (mem (cell_of w' n s)) b k = true) /\
    ((forall n, In n q -> slot_at (mem (cell_of w n s)) k = None) -> u = v).
Proof.
  intros R O B P L X V.
  (* A higher ballot. *)
  set (w1 := send [] (set_prop w p (start (prop_of w p) b))).
  assert (K1 : keeps w w1).
  { apply (keeps_step w (EStart p b) _ [] None).
    - cbn [act]. rewrite O, Nat.eqb_refl.
      destruct (Nat.ltb_spec (ballot (prop_of w p)) b); [reflexivity|lia].
    - intros. apply cell_set_prop.
    - intros. apply learn_set_prop. }
  assert (R1 : reachable w1) by (apply (steps_reachable w); auto; apply K1).
  assert (P1 : prop_of w1 p = start (prop_of w p) b).
  { unfold w1. change (prop_of (send [] ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (M1 : forall n t, cell_of w1 n t = cell_of w n t)
    by (intros n t; exact (cell_set_prop w p (start (prop_of w p) b) n t)).
  (* Its own acceptors promise. *)
  destruct (all_promise (List.map (fun t => (p, t)) (seq 0 shards)) w1) as (w2 & A2 & Y2); auto;
    try (rewrite P1; reflexivity).
  { intros n t J. apply in_map_iff in J. destruct J as (j & J & I). injection J as <- <-.
    apply in_seq in I. split; auto. rewrite M1. destruct (P p j) as [F|[F|F]]; [|tauto|]; lia. }
  destruct (alone_prop _ _ A2) as (E1 & E2 & _). rewrite P1 in E1, E2. simpl in E1, E2.
  assert (R2 : reachable w2) by (apply (steps_reachable w1); auto; apply A2).
  (* The others are asked, and promise. *)
  set (w3 := send [Prepare b] w2).
  assert (A3 : alone w2 w3).
  { apply (alone_say w2 [Prepare b] (ESendPrepare p) None). cbn [act]. rewrite E1, E2.
    replace (promised_all (prop_of w2 p) p) with true; [reflexivity|]. symmetry.
    apply forallb_forall. intros t J.
    destruct (Y2 p t) as (_ & Y); [|now rewrite Y].
    apply in_map_iff. exists t. auto. }
  pose proof (alone_trans _ _ _ A2 A3) as A13.
  assert (R3 : reachable w3) by (apply (steps_reachable w2); auto; apply A3).
  assert (Q3 : Sent w3 (Prepare b)) by (apply sent_send; left; now left).
  destruct (all_promise (list_prod q (seq 0 shards)) w3) as (w4 & A4 & Y4); auto.
  { intros n t J. apply in_prod_iff in J. destruct J as (J & I). apply in_seq in I. split; auto.
    destruct (alone_mem _ _ A13 n t) as [D|D]; rewrite D; auto.
    rewrite M1. destruct (P n t) as [F|[F|F]]; [|tauto|]; lia. }
  pose proof (alone_trans _ _ _ A13 A4) as A14.
  destruct (alone_prop _ _ A14) as (F1 & F2 & F3 & F4 & F5 & F6).
  rewrite P1 in F1, F2, F3, F4, F5, F6. simpl in F1, F2, F3, F4, F5, F6.
  assert (K4 : keeps w w4) by (apply (keeps_trans w w1); auto; now apply keeps_alone).
  assert (R4 : reachable w4) by (apply (steps_reachable w3); auto; apply A4).
  assert (Y : forall n t, In n q -> t < shards -> ready w4 n t).
  { intros n t J I. apply Y4, in_prod; auto. apply in_seq. lia. }
  assert (L4 : forall n t, In n q -> t < shards -> lo (mem (cell_of w4 n t)) <= k).
  { intros n t J I. rewrite (keeps_lo _ _ K4). auto. }
  assert (Z4 : forall n, In n q -> slot_at (mem (cell_of w4 n s)) k = slot_at (mem (cell_of w n s)) k).
  { intros n J. destruct (alone_mem _ _ A14 n s) as [E|E]; rewrite E, M1; reflexivity. }
  (* It is told what they hold for k. *)
  destruct (all_pull q w4 R4 F2 F1) as (w5 & rs & K45 & C5 & P5 & G5).
  { intros n J. split; [apply Y|apply L4]; auto; apply shard_in. }
  assert (R5 : reachable w5) by (apply (steps_reachable w4); auto; apply K45).
  set (x5 := reported (prop_of w4 p) rs) in *. set (x6 := begin x5 k).
  destruct (select_reported x6 q (says w4)) as (r & Sel & Emp); [intros; apply G5; auto|].
  (* It begins at k, and proposes that, or its own. *)
  set (u := match r with Decided z => z | Vote _ z => z | Empty => v end).
  set (w6 := send [] (set_prop w5 p x6)).
  assert (K6 : keeps w5 w6).
  { apply (keeps_step w5 (EBegin p q k) _ [] None).
    - cbn [act]. rewrite P5. simpl. rewrite F2, F5, F6, quorum1. simpl.
      replace (low_enough x5 q k) with true; [reflexivity|]. symmetry.
      apply forallb_forall. intros n N. apply forallb_forall. intros t T. apply in_seq in T.
      destruct (Y n t N) as (_ & G); [lia|]. simpl. rewrite G. apply Nat.leb_le, L4; auto. lia.
    - intros. apply cell_set_prop.
    - intros. apply learn_set_prop. }
  assert (P6 : prop_of w6 p = x6).
  { unfold w6. change (prop_of (send [] ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (R6 : reachable w6) by (apply (steps_reachable w5); auto; apply K6).
  pose proof (keeps_trans _ _ _ K45 K6) as K46.
  assert (S36 : steps w3 w6) by (apply (steps_trans w3 w4); [apply A4|apply K46]).
  assert (Q6 : Sent w6 (Prepare b)) by now apply (steps_sent w3 w6).
  assert (K06 : keeps w w6) by now apply (keeps_trans w w4).
  set (x7 := propose x6 [u]). set (w7 := send [Accept b k [u]] (set_prop w6 p x7)).
  assert (K7 : keeps w6 w7).
  { apply (keeps_step w6 (EPropose p q [u]) _ _ None).
    - cbn [act]. rewrite P6. simpl. rewrite F1, F2, quorum1. unfold Sent in Q6. rewrite Q6.
      unfold in_shard. simpl. rewrite Nat.eqb_refl. simpl. unfold may_propose.
      rewrite Sel.
      replace (_ && true) with true; [reflexivity|]. symmetry. unfold u.
      destruct r; try now rewrite Nat.eqb_refl. destruct V as [->|V]; auto.
      apply (steps_sent w w6) in V; auto; [|apply K06]. unfold Sent in V. rewrite V.
      now rewrite orb_true_r.
    - intros. apply cell_set_prop.
    - intros. apply learn_set_prop. }
  assert (R7 : reachable w7) by (apply (steps_reachable w6); auto; apply K7).
  assert (P7 : prop_of w7 p = x7).
  { unfold w7. change (prop_of (send ?ms ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (Q7 : Sent w7 (Accept b k [u])) by (apply sent_send; left; now left).
  assert (M7 : forall n t, cell_of w7 n t = cell_of w4 n t).
  { intros n t. rewrite <- C5. unfold w7. change (cell_of (send ?ms ?u)) with (cell_of u).
    rewrite cell_set_prop. exact (cell_set_prop w5 p x6 n t). }
  (* The quorum votes. *)
  destruct (all_vote u q w7 R7 Q7) as (w8 & K8 & P8 & V8).
  { intros n N. right. unfold votable. rewrite M7. destruct (Y n s N (shard_in k)) as (D & _).
    split; [exact D|]. split; [apply L4; auto; apply shard_in|].
    split; [rewrite (keeps_lo _ _ K4); now apply X|]. unfold unvoted. rewrite Z4 by auto.
    destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) n s)) as (_ & G & _).
    specialize (G k eq_refl). unfold slot_ok in G.
    destruct (slot_at (mem (cell_of w n s)) k) as [[c i m z|z]|]; auto.
    destruct (P n s) as [F|[F|F]]; [lia|tauto|]. pose proof (shard_in k). unfold s in F. lia. }
  assert (R8 : reachable w8) by (apply (steps_reachable w7); auto; apply K8).
  pose proof (keeps_trans _ _ _ (keeps_trans _ _ _ K06 K7) K8) as K08.
  rewrite P7 in P8.
  assert (CH : chosen w8 k u).
  { exists b. split.
    - exists k, [u]. split; [|rewrite Nat.sub_diag; auto]. apply (steps_sent w7 w8); auto. apply K8.
    - exists q. split; auto. intros n N. exists k, 1. split; [now apply V8; left|lia]. }
  (* The proposer counts, and tells it. *)
  set (x9 := advance x7 1). set (w9 := send [] (set_prop w8 p x9)).
  assert (K9 : keeps w8 w9).
  { apply (keeps_step w8 (EAdvance p (List.map (fun n => (n, (k, 1))) q)) _ [] None).
    - cbn [act]. rewrite P8. unfold x7 at 1 2. simpl. rewrite find_put, Nat.eqb_refl.
      rewrite F1, F2, map_map. simpl. rewrite map_id, quorum2. simpl.
      replace (forallb _ _) with true; [reflexivity|]. symmetry. apply forallb_forall.
      intros vote J. apply in_map_iff in J. destruct J as (n & <- & N). unfold counts.
      destruct (V8 n (or_introl N)) as (S & _). unfold Sent in S. fold s. rewrite S.
      rewrite !Nat.leb_refl. reflexivity.
    - intros. apply cell_set_prop.
    - intros. apply learn_set_prop. }
  assert (R9 : reachable w9) by (apply (steps_reachable w8); auto; apply K9).
  assert (P9 : prop_of w9 p = x9).
  { unfold w9. change (prop_of (send [] ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  set (w10 := send [Commit b (k + 1)] w9).
  assert (K10 : keeps w9 w10).
  { apply (keeps_step w9 (ECommit p) w9 _ None); auto. cbn [act]. rewrite P9. simpl.
    rewrite F1, F2. replace (sent w9 (Prepare b)) with true; [reflexivity|]. symmetry.
    apply (steps_sent w8 w9); auto; [apply K9|]. apply (steps_sent w7 w8); auto; [apply K8|].
    apply (steps_sent w6 w7); auto. apply K7. }
  assert (R10 : reachable w10) by (apply (steps_reachable w9); auto; apply K10).
  pose proof (keeps_trans _ _ _ K9 K10) as K810.
  exists w10, u. split; [now apply (keeps_trans w w8)|]. split; [|split; [|split; [|split]]].
  - apply (chosen_for_good shards_some Q1_Q2 w8); auto. apply K810.
  - apply (steps_sent w8 w10); auto; [apply K810|]. apply (steps_sent w7 w8); auto. apply K8.
  - apply sent_send. left. now left.
  - intros n N. change (cell_of w10 n s) with (cell_of (set_prop w8 p x9) n s).
    rewrite cell_set_prop. destruct (V8 n (or_introl N)) as (_ & H). exact H.
  - intros E. unfold u. rewrite Emp; auto. intros n N. unfold says, report_of.
    now rewrite Z4, E.
Qed.

End Phase2.
End Alone.

Lemma bounded {A} (f : A -> nat) l : exists m, forall a, In a l -> f a <= m.
Proof.
  induction l as [|a r (m & H)]; [exists 0; simpl; tauto|].
  exists (Nat.max m (f a)). intros k [<-|K]; [lia|]. specialize (H k K). lia.
Qed.

(* A node that has ballots above any given one. *)
Definition has_ballots p : Prop := forall b, exists b', b < b' /\ owner b' = p.

(* There is one for [run_alone]. *)
Lemma free_ballot w p (q : list nat) : has_ballots p ->
  exists b, owner b = p /\ ballot (prop_of w p) < b /\
  forall n t, promised (mem (cell_of w n t)) < b \/ ~ (n = p \/ In n q) \/ shards <= t.
Proof.
  intros ballots. destruct (bounded (fun c => promised (mem (cell_of w (fst c) (snd c))))
    (list_prod (p :: q) (seq 0 shards))) as (m & M).
  destruct (ballots (Nat.max m (ballot (prop_of w p)))) as (b & L & O).
  exists b. split; auto. split; [lia|]. intros n t.
  destruct (Nat.lt_ge_cases t shards) as [T|T]; [|auto].
  destruct (in_dec Nat.eq_dec n (p :: q)) as [N|N].
  - left. specialize (M (n, t)). cbn [fst snd] in M.
    assert (promised (mem (cell_of w n t)) <= m); [|lia].
    apply M. apply in_prod_iff. split; auto. apply in_seq. lia.
  - right. left. intros [->|K]; apply N; simpl; auto.
Qed.

(* From every reachable state. [q] is a quorum of both phases that hears p; [h] is an instance above
   all that q voted for and inside the windows of all of q: what flow control and state transfer are
   there for. *)
Theorem progress w (p : nat) (q : list nat) (h v : nat) :
  reachable w -> has_ballots p -> Q1 q = true -> Q2 q = true ->
  (forall n t, In n q -> t < shards ->
     high (mem (cell_of w n t)) <= h /\ lo (mem (cell_of w n t)) <= h) ->
  (forall n, In n q -> h + 1 <= lo (mem (cell_of w n (shard_of h))) + window) ->
  Sent w (Request v) -> exists w', steps w w' /\ chosen w' h v.
Proof.
  intros R H A B L X Q. destruct (free_ballot w p q H) as (b & O & C & P).
  assert (E : forall n, In n q -> slot_at (mem (cell_of w n (shard_of h))) h = None).
  { intros n N.
    destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) n (shard_of h))) as (_ & G & _).
    specialize (G h eq_refl). unfold slot_ok in G. destruct (L n (shard_of h) N (shard_in h)) as (F & _).
    destruct (slot_at (mem (cell_of w n (shard_of h))) h) as [[c k m u|u]|]; auto; lia. }
  destruct (run_alone p b h q A B w v) as (w' & u & K & U & _ & _ & _ & V); auto.
  - intros n t N T. now apply L.
  - now right.
  - exists w'. split; [apply K|]. now rewrite <- V.
Qed.

End Progress.
