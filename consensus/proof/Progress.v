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

(* Every node has ballots above any given one, and acceptors take the step. *)
Hypothesis ballots : forall p b, exists b', b < b' /\ owner b' = p.
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
    (forall m, prop_of w' m = prop_of w m) /\
    (forall y ms m, In (y, ms) (pending (cell_of w n s)) -> In m ms -> Sent w' m).
Proof.
  induction k as [|k IH]; intros w R L.
  - exists w. split; [apply steps_refl|]. destruct (pending (cell_of w n s)) eqn:P; [|discriminate].
    split; [|split; [auto|split; [auto|simpl; tauto]]].
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
    destruct (IH u Ru) as (w' & S' & D & M' & P' & N); [rewrite Cn; simpl; simpl in L; lia|].
    exists w'. split; [now apply (steps_trans w u)|]. split; auto. split; [|split].
    + intros m t. now rewrite M', M.
    + intros m. rewrite P'. apply (prop_set_cell w n s c m).
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
  alone_mem : forall n s, let x := mem (cell_of w n s) in let y := mem (cell_of w' n s) in
    lo y = lo x /\ high y = high x /\ (promised y = promised x \/ promised y = b);
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
  - intros n s. simpl. destruct (alone_mem _ _ A n s) as (A1 & A2 & A3).
    destruct (alone_mem _ _ B n s) as (B1 & B2 & B3). simpl in *.
    rewrite B1, B2. split; auto. split; auto. destruct B3 as [->|]; auto.
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
  destruct (sync_all n s _ w1 R1 eq_refl) as (w2 & S2 & D2 & M2 & P2 & _).
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
    + destruct (alone_mem _ _ AU m t) as (_ & _ & [K|K]); simpl in K; lia.
  - exists w'. split; [now apply (alone_trans w u)|]. intros m t [E|J]; auto.
    injection E as <- <-. now apply (alone_ready _ _ AW).
Qed.

Lemma alone_say w ms e a : act w e = Some (w, ms, a) -> alone w (send ms w).
Proof.
  intros E. constructor; [now apply (do_step w e w ms a)|intros; simpl; auto| |auto].
  simpl. repeat split; auto.
Qed.

(* ---- Phase 2, alone ---- *)

Section Phase2.
Variables (h v : nat).
Let s := shard_of h.

Definition votable w n : Prop :=
  let x := mem (cell_of w n s) in
  promised x = b /\ lo x <= h /\ h + 1 <= lo x + window /\ high x <= h.

Lemma votable_votes w n : reachable w -> votable w n ->
  on_accept window too_high (mem (cell_of w n s)) b h [v] =
  (fst (on_accept window too_high (mem (cell_of w n s)) b h [v]), Voted).
Proof.
  intros R (A & B & D & E). set (x := mem _) in *. unfold on_accept.
  destruct (Nat.ltb_spec b (promised x)); [lia|]. rewrite no_limit.
  destruct (Nat.ltb_spec h (lo x)); [lia|]. simpl length.
  destruct (Nat.ltb_spec (lo x + window) (h + 1)); [lia|].
  assert (N : slot_at x h = None).
  { destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) n s)) as (_ & G & _).
    specialize (G h eq_refl). fold x in G. unfold slot_ok in G.
    destruct (slot_at x h) as [[c k m u|u]|]; auto; lia. }
  unfold judge. cbn [compare length]. rewrite N. reflexivity.
Qed.

Lemma one_vote w n : reachable w -> Sent w (Accept b h [v]) -> votable w n ->
  exists w', steps w w' /\ Sent w' (Accepted n s b h 1) /\
    forall m, m <> n -> mem (cell_of w' m s) = mem (cell_of w m s).
Proof.
  intros R M V. pose proof (votable_votes w n R V) as E.
  set (y := fst _) in E. set (ms := [Accepted n s b h 1]).
  set (w1 := send [] (set_cell w n s (append (cell_of w n s) y ms))).
  assert (S1 : steps w w1).
  { apply (do_step w (EAccept n s b h [v]) _ [] (Some Voted)). cbn [act length]. rewrite E.
    unfold Sent in M. rewrite M. unfold in_shard. simpl. fold s. now rewrite Nat.eqb_refl. }
  assert (R1 : reachable w1) by now apply (steps_reachable w).
  assert (C1 : forall m t, cell_of w1 m t =
    if (n =? m) && (s =? t) then append (cell_of w n s) y ms else cell_of w m t)
    by (intros m t; exact (cell_set_cell w n s (append (cell_of w n s) y ms) m t)).
  destruct (sync_all n s _ w1 R1 eq_refl) as (w2 & S2 & _ & M2 & _ & N2).
  exists w2. split; [now apply (steps_trans w w1)|]. split.
  - apply (N2 y ms); [|now left]. rewrite C1, !Nat.eqb_refl. simpl. apply in_or_app. right. now left.
  - intros m N. rewrite M2, C1. destruct (Nat.eqb_spec n m); [congruence|]. reflexivity.
Qed.

Lemma all_vote l : forall w, reachable w -> Sent w (Accept b h [v]) ->
  (forall n, In n l -> Sent w (Accepted n s b h 1) \/ votable w n) ->
  exists w', steps w w' /\ forall n, In n l -> Sent w' (Accepted n s b h 1).
Proof.
  induction l as [|n r IH]; intros w R M H.
  - exists w. split; [apply steps_refl|simpl; tauto].
  - assert (O : exists u, steps w u /\ Sent u (Accepted n s b h 1) /\
      forall m, m <> n -> mem (cell_of u m s) = mem (cell_of w m s)).
    { destruct (H n (or_introl eq_refl)) as [K|K]; [|now apply one_vote].
      exists w. split; [apply steps_refl|auto]. }
    destruct O as (u & S & N & C).
    assert (Ru : reachable u) by now apply (steps_reachable w).
    destruct (IH u Ru) as (w' & S' & N').
    + now apply (steps_sent w u).
    + intros m J. destruct (Nat.eq_dec m n) as [->|D]; auto.
      destruct (H m (or_intror J)) as [K|K].
      * left. now apply (steps_sent w u).
      * right. unfold votable. now rewrite C.
    + exists w'. split; [now apply (steps_trans w u)|]. intros m [<-|J]; auto.
      now apply (steps_sent u w').
Qed.

Variable q : list nat.
Hypothesis quorum1 : Q1 q = true.
Hypothesis quorum2 : Q2 q = true.

(* The instance [h] is above all that the quorum voted for, and inside its windows. *)
Definition room w : Prop :=
  (forall n t, In n q -> t < shards ->
     high (mem (cell_of w n t)) <= h /\ lo (mem (cell_of w n t)) <= h) /\
  (forall n, In n q -> h + 1 <= lo (mem (cell_of w n s)) + window).

Lemma select_empty x : reports x = empty ->
  (forall n, In n q -> exists low top, get2 s n (promises x) = Some (low, top) /\ low <= h /\ top <= h) ->
  select x h q = Some Empty.
Proof.
  intros E. clear quorum1 quorum2. induction q as [|n r IH]; simpl; auto. intros H.
  destruct (H n (or_introl eq_refl)) as (low & top & G & L & T).
  rewrite IH by (intros; apply H; auto). unfold heard. rewrite E.
  replace (get2 h n empty) with (@None report)
    by (unfold get2; now rewrite find_empty). fold s. rewrite G.
  destruct (Nat.leb_spec low h), (Nat.leb_spec top h); try lia. reflexivity.
Qed.

Lemma run_alone w : reachable w -> owner b = p -> ballot (prop_of w p) < b ->
  (forall n t, promised (mem (cell_of w n t)) <= b \/ ~ (n = p \/ In n q) \/ shards <= t) ->
  room w -> Sent w (Request v) ->
  exists w', steps w w' /\ chosen w' h v.
Proof.
  intros R O B P (RM1 & RM2) Q.
  (* A higher ballot. *)
  set (w1 := send [] (set_prop w p (start (prop_of w p) b))).
  assert (S1 : steps w w1).
  { apply (do_step w (EStart p b) _ [] None). cbn [act]. rewrite O, Nat.eqb_refl.
    destruct (Nat.ltb_spec (ballot (prop_of w p)) b); [reflexivity|lia]. }
  assert (R1 : reachable w1) by now apply (steps_reachable w).
  assert (P1 : prop_of w1 p = start (prop_of w p) b).
  { unfold w1. change (prop_of (send [] ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (M1 : forall n t, cell_of w1 n t = cell_of w n t)
    by (intros n t; exact (cell_set_prop w p (start (prop_of w p) b) n t)).
  (* Its own acceptors promise. *)
  destruct (all_promise (List.map (fun t => (p, t)) (seq 0 shards)) w1) as (w2 & A2 & Y2); auto;
    try (rewrite P1; reflexivity).
  { intros n t J. apply in_map_iff in J. destruct J as (k & J & I). injection J as <- <-.
    apply in_seq in I. split; auto. rewrite M1. destruct (P p k) as [K|[K|K]]; auto; [tauto|lia]. }
  destruct (alone_prop _ _ A2) as (E1 & E2 & E3 & E4 & E5 & E6).
  rewrite P1 in E1, E2, E3, E4, E5, E6. simpl in E1, E2, E3, E4, E5, E6.
  assert (R2 : reachable w2) by (apply (steps_reachable w1); auto; apply A2).
  (* The others are asked, and promise. *)
  set (w3 := send [Prepare b] w2).
  assert (A3 : alone w2 w3).
  { apply (alone_say w2 [Prepare b] (ESendPrepare p) None). cbn [act]. rewrite E1, E2.
    replace (promised_all (prop_of w2 p) p) with true; [reflexivity|]. symmetry.
    apply forallb_forall. intros t J.
    destruct (Y2 p t) as (_ & Y); [|now rewrite Y].
    apply in_map_iff. exists t. auto. }
  assert (R3 : reachable w3) by (apply (steps_reachable w2); auto; apply A3).
  pose proof (alone_trans _ _ _ A2 A3) as A13.
  destruct (all_promise (list_prod q (seq 0 shards)) w3) as (w4 & A4 & Y4); auto.
  { intros n t J. apply in_prod_iff in J. destruct J as (J & K). apply in_seq in K. split.
    - right. apply sent_send. left. now left.
    - destruct (alone_mem _ _ A13 n t) as (_ & _ & [D|D]); simpl in D; rewrite D; auto.
      rewrite M1. destruct (P n t) as [F|[F|F]]; auto; [tauto|lia]. }
  pose proof (alone_trans _ _ _ A13 A4) as A14.
  destruct (alone_prop _ _ A14) as (F1 & F2 & F3 & F4 & F5 & F6).
  rewrite P1 in F1, F2, F3, F4, F5, F6. simpl in F1, F2, F3, F4, F5, F6.
  assert (R4 : reachable w4) by (apply (steps_reachable w3); auto; apply A4).
  assert (Y : forall n t, In n q -> t < shards -> ready w4 n t).
  { intros n t J K. apply Y4, in_prod; auto. apply in_seq. lia. }
  assert (M4 : forall n t, lo (mem (cell_of w4 n t)) = lo (mem (cell_of w n t)) /\
    high (mem (cell_of w4 n t)) = high (mem (cell_of w n t))).
  { intros n t. destruct (alone_mem _ _ A14 n t) as (K1 & K2 & _). simpl in K1, K2.
    rewrite M1 in K1, K2. auto. }
  (* It begins at h, and proposes. *)
  set (x4 := prop_of w4 p) in *. set (w5 := send [] (set_prop w4 p (begin x4 h))).
  assert (S5 : steps w4 w5).
  { apply (do_step w4 (EBegin p q h) _ [] None). cbn [act]. fold x4.
    rewrite F2, F5, F6, quorum1. simpl.
    replace (low_enough x4 q h) with true; [reflexivity|]. symmetry.
    apply forallb_forall. intros n N. apply forallb_forall. intros t T. apply in_seq in T.
    destruct (Y n t N) as (_ & G); [lia|]. fold x4 in G. rewrite G. apply Nat.leb_le.
    destruct (M4 n t) as (-> & _). apply RM1; auto. lia. }
  assert (P5 : prop_of w5 p = begin x4 h).
  { unfold w5. change (prop_of (send [] ?u)) with (prop_of u).
    now rewrite prop_set_prop, Nat.eqb_refl. }
  assert (R5 : reachable w5) by now apply (steps_reachable w4).
  set (w6 := send [Accept b h [v]] (set_prop w5 p (propose (begin x4 h) [v]))).
  assert (S35 : steps w3 w5) by (apply (steps_trans w3 w4); auto; apply A4).
  assert (S05 : steps w w5).
  { apply (steps_trans w w1); auto. apply (steps_trans w1 w3); auto. apply A13. }
  assert (S6 : steps w5 w6).
  { replace w6 with (send [Accept (ballot (begin x4 h)) (next (begin x4 h)) [v]]
      (set_prop w5 p (propose (begin x4 h) [v]))) by (simpl; now rewrite F1).
    apply (do_step w5 (EPropose p q [v]) _ _ None). cbn [act]. rewrite P5. simpl ballot. simpl next.
    rewrite F1. replace (sent w5 (Prepare b)) with true.
    2:{ symmetry. apply (steps_sent w3 w5); auto. apply sent_send. left. now left. }
    simpl active. rewrite F2, quorum1. cbn [begun andb begin]. unfold in_shard. simpl.
    rewrite Nat.eqb_refl. simpl. unfold may_propose. rewrite select_empty.
    - replace (sent w5 (Request v)) with true; [now rewrite orb_true_r|].
      symmetry. now apply (steps_sent w w5).
    - exact F3.
    - intros n N. destruct (Y n s N (shard_in h)) as (_ & G).
      exists (lo (mem (cell_of w4 n s))), (high (mem (cell_of w4 n s))). split; auto.
      destruct (M4 n s) as (-> & ->). destruct (RM1 n s N (shard_in h)). auto. }
  assert (R6 : reachable w6) by now apply (steps_reachable w5).
  assert (M6 : forall n t, cell_of w6 n t = cell_of w4 n t).
  { intros n t. unfold w6. change (cell_of (send ?ms ?u)) with (cell_of u). rewrite cell_set_prop.
    unfold w5. change (cell_of (send [] ?u)) with (cell_of u). now rewrite cell_set_prop. }
  (* The quorum votes. *)
  destruct (all_vote q w6 R6) as (w7 & S7 & V7).
  { apply sent_send. left. now left. }
  { intros n N. right. unfold votable. rewrite M6. destruct (Y n s N (shard_in h)) as (K & _).
    destruct (M4 n s) as (-> & ->). destruct (RM1 n s N (shard_in h)). specialize (RM2 n N). auto. }
  exists w7. split; [apply (steps_trans w w5), (steps_trans w5 w6); auto|].
  exists b. split.
  - exists h, [v]. split; [|rewrite Nat.sub_diag; auto].
    apply (steps_sent w6 w7); auto. apply sent_send. left. now left.
  - exists q. split; auto. intros n N. exists h, 1. split; [now apply V7|lia].
Qed.

End Phase2.
End Alone.

Lemma bounded {A} (f : A -> nat) l : exists m, forall a, In a l -> f a <= m.
Proof.
  induction l as [|a r (m & H)]; [exists 0; simpl; tauto|].
  exists (Nat.max m (f a)). intros k [<-|K]; [lia|]. specialize (H k K). lia.
Qed.

(* From every reachable state. [q] is a quorum of both phases that hears p; [h] is an instance above
   all that q voted for and inside the windows of all of q: what flow control and state transfer are
   there for. *)
Theorem progress w (p : nat) (q : list nat) (h v : nat) :
  reachable w -> Q1 q = true -> Q2 q = true -> room h q w ->
  Sent w (Request v) -> exists w', steps w w' /\ chosen w' h v.
Proof.
  intros R A B RM Q.
  destruct (bounded (fun c => promised (mem (cell_of w (fst c) (snd c))))
    (list_prod (p :: q) (seq 0 shards))) as (m & M).
  destruct (ballots p (Nat.max m (ballot (prop_of w p)))) as (b & L & O).
  apply (run_alone p b h v q A B w); auto; [lia|].
  intros n t. destruct (Nat.lt_ge_cases t shards) as [T|T]; [|auto].
  destruct (in_dec Nat.eq_dec n (p :: q)) as [N|N].
  - left. specialize (M (n, t)). cbn [fst snd] in M.
    assert (promised (mem (cell_of w n t)) <= m); [|lia].
    apply M. apply in_prod_iff. split; auto. apply in_seq. lia.
  - right. left. intros [->|K]; apply N; simpl; auto.
Qed.

End Progress.
