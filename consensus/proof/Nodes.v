(* The invariant is kept by what proposers and learners do, and by restarts. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement.
Import ListNotations.

Section Nodes.
Context {cfg : config}.

Lemma get2_empty A a b : get2 a b (@empty (map A)) = None.
Proof. unfold get2. now rewrite find_empty. Qed.

(* ---- Proposer ---- *)

Lemma still_set_prop w p x : still w (set_prop w p x).
Proof. constructor; auto. intros. now rewrite cell_set_prop. Qed.

Lemma inv_set_prop w p x : invariant w -> proposer_fits w p x -> invariant (set_prop w p x).
Proof.
  intros I F. pose proof (still_set_prop w p x) as S. pose proof (still_grows _ _ S) as G.
  apply (inv_still w); auto.
  - intros n s. apply (cell_same w); [auto|apply cell_set_prop| |apply I].
    intros c i _. now apply still_voted.
  - intros k. apply (still_fits w); auto. rewrite prop_set_prop.
    destruct (Nat.eqb_spec p k); subst; auto. apply I.
  - intros k. rewrite learn_set_prop. apply (learner_same w); auto; [|apply I].
    intros s i. rewrite cell_set_prop. now apply kept_grows.
  - apply (snapshots_same w); auto. apply I.
Qed.

(* What is changed is only what a proposer believes. *)
Lemma fits_believes w p x y : proposer_fits w p x -> ballot y = ballot x -> active y = active x ->
  next y = next x -> proposed y = proposed x -> mark y = mark x ->
  (active x = true -> leading_ok w p x -> leading_ok w p y) -> proposer_fits w p y.
Proof.
  intros (A & B & D) E1 E2 E3 E4 E5 L. unfold proposer_fits. rewrite E1, E2, E3, E4, E5. auto.
Qed.

Lemma fits_idle w p x y : proposer_fits w p x -> ballot y = ballot x -> active y = false ->
  proposer_fits w p y.
Proof.
  intros (A & B & D) E1 E2. unfold proposer_fits. rewrite E1, E2. split; [|split].
  - intros b f vs O S. split; [apply (A b f vs); auto|discriminate].
  - intros b m O S. split; [apply (B b m); auto|discriminate].
  - discriminate.
Qed.

Lemma fits_start w p x b : proposer_fits w p x -> owner b = p -> ballot x < b ->
  proposer_fits w p (start x b).
Proof.
  intros (A & B & D) O L. split; [|split]; simpl.
  - intros c f vs Oc S. specialize (A c f vs Oc S). split; [lia|]. intros _ E. lia.
  - intros c m Oc S. specialize (B c m Oc S). split; [lia|]. intros _ E. lia.
  - intros _. split; auto. split; auto. simpl. repeat split; intros;
      try (rewrite get2_empty in *; discriminate);
      try (rewrite find_empty in *; discriminate); try discriminate; try lia.
Qed.

Lemma fits_hear_promise w p n s low top : let x := prop_of w p in
  invariant w -> Sent w (Promise n s (ballot x) low top) ->
  proposer_fits w p (hear_promise x n s low top).
Proof.
  intros x I M. apply (inv_message _ I) in M.
  apply (fits_believes w p x); auto; [apply I|]. intros _ (A & B & D & E).
  split; auto. split; auto. split; auto. simpl. intros t k l u H.
  rewrite get2_put2 in H. destruct (Nat.eqb_spec s t) as [<-|], (Nat.eqb_spec n k) as [<-|];
    simpl in H; eauto.
  injection H as <- <-. exact M.
Qed.

Lemma find_add_reports n rs : forall from m i k r,
  get2 i k (add_reports n from rs m) = Some r ->
  get2 i k m = Some r \/ (k = n /\ exists j, nth_error rs j = Some r /\ i = from + j).
Proof.
  induction rs as [|a rest IH]; simpl; intros from m i k r H; auto.
  destruct (IH _ _ _ _ _ H) as [E|(E & j & F & J)].
  - rewrite get2_put2 in E. destruct (Nat.eqb_spec from i), (Nat.eqb_spec n k); simpl in E; auto.
    right. split; auto. exists 0. inversion E; subst. simpl. split; auto.
  - right. split; auto. exists (S j). split; auto. lia.
Qed.

Lemma fits_hear_votes w p n s from rs : let x := prop_of w p in
  invariant w -> Sent w (Votes n s (ballot x) from rs) -> run_in_shard s from (length rs) ->
  proposer_fits w p (hear_votes x n from rs).
Proof.
  intros x I M R. apply (inv_message _ I) in M. simpl in M.
  apply (fits_believes w p x); auto; [apply I|]. intros _ (A & B & D & E & F).
  split; auto. split; auto. split; auto. split; auto. simpl. intros i k r H.
  apply find_add_reports in H. destruct H as [H|(-> & j & J & ->)]; auto.
  apply M; auto. apply R. assert (j < length rs) by (apply nth_error_Some; congruence). lia.
Qed.

Lemma fits_begin w p x a : proposer_fits w p x -> proposed x = false -> next x <= a ->
  proposer_fits w p (begin x a).
Proof.
  intros (A & B & D) N L. split; [|split]; simpl.
  - intros b f vs O S. destruct (A b f vs O S) as (E & F). split; auto. intros Ac Eb.
    destruct (F Ac Eb). congruence.
  - intros b m O S. destruct (B b m O S) as (E & F). split; auto. intros Ac Eb.
    specialize (F Ac Eb). destruct (D Ac) as (_ & K & _). lia.
  - intros Ac. destruct (D Ac) as (D1 & D2 & D3 & D4 & D5 & D6 & D7).
    split; auto. split; auto. split; auto. split; auto. split; [|split; auto]; simpl.
    + intros i v _ (f & vs & S & _). destruct (A _ _ _ D1 S) as (_ & F).
      destruct (F Ac eq_refl). congruence.
    + intros f c H. destruct (D6 f c H) as (D8 & D9). split; auto. lia.
Qed.

Lemma fits_open w p q : let x := prop_of w p in invariant w -> Q1 q = true ->
  above_all x q (next x) = true -> proposer_fits w p (open x).
Proof.
  intros x I Q H. apply (fits_believes w p x); auto; [apply I|].
  intros _ (D1 & D2 & D3 & D4 & D5 & D6 & D7).
  split; auto. split; auto. split; auto. split; auto. split; auto. split; auto. simpl.
  intros o O. injection O as <-. exists q. split; auto. intros n s N S.
  unfold above_all in H. rewrite forallb_forall in H. specialize (H n N). simpl in H.
  rewrite forallb_forall in H. specialize (H s). rewrite in_seq in H.
  destruct (get2 s n (promises x)) as [[low top]|] eqn:E; [|discriminate H; lia].
  assert (K : low <= next x /\ top <= next x).
  { rewrite <- !Nat.leb_le. apply andb_true_iff, H. lia. }
  exists low, top. split; [apply K|split; [apply K|now apply (D3 _ _ low)]].
Qed.

Lemma fits_advance w p size votes : let x := prop_of w p in invariant w -> active x = true ->
  find (mark x) (runs x) = Some size -> Q2 (List.map fst votes) = true ->
  forallb (counts w (ballot x) (mark x) size) votes = true ->
  proposer_fits w p (advance x size).
Proof.
  intros x I Ac R Q V. destruct (inv_proposer _ I p) as (A & B & D). fold x in A, B, D.
  destruct (D Ac) as (D1 & D2 & D3 & D4 & D5 & D6 & D7).
  destruct (D6 _ _ R) as (D8 & vs & S & E). split; [|split]; simpl; auto.
  - intros b m O M. destruct (B b m O M) as (F & G). split; auto. intros Aa Eb.
    specialize (G Aa Eb). lia.
  - intros _. split; auto. split; [simpl; lia|]. split; auto. split; auto. split; auto. simpl.
    intros i v J RA. destruct (Nat.lt_ge_cases i (mark x)); auto.
    split; auto. exists (List.map fst votes). split; auto. intros n N.
    apply in_map_iff in N. destruct N as ([k [f c]] & Ek & N). simpl in Ek. subst k.
    rewrite forallb_forall in V. specialize (V _ N). simpl in V.
    apply andb_true_iff in V. destruct V as [V V3]. apply andb_true_iff in V.
    destruct V as [V1 V2]. apply Nat.leb_le in V2, V3. exists f, c. split; [|lia].
    apply (inv_message _ I) in S. destruct S as (_ & S & _). rewrite (S i) by lia. exact V1.
Qed.

Lemma inv_propose w p q vs
  (Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2) :
  let x := prop_of w p in invariant w -> active x = true ->
  Sent w (Prepare (ballot x)) -> Q1 q = true -> run_in_shard (shard_of (next x)) (next x) (length vs) ->
  may_propose_run w x q (next x) vs = true ->
  invariant (send [Accept (ballot x) (next x) vs] (set_prop w p (propose x vs))).
Proof.
  intros x I Ac M Q R P. set (ms := [_]). set (w' := send ms _).
  assert (SE : forall m, Sent w' m <-> In m ms \/ Sent w m)
    by (intros m; exact (sent_send ms (set_prop w p (propose x vs)) m)).
  assert (CE : forall n s, cell_of w' n s = cell_of w n s) by (intros; apply cell_set_prop).
  assert (VE : forall n c i, voted w' n c i -> voted w n c i).
  { intros n c i (f & k & A & B). apply SE in A. destruct A as [[A|[]]|A]; [discriminate|].
    exists f, k. auto. }
  assert (G : grows w w').
  { constructor; auto.
    - intros m K. apply SE. now right.
    - intros n s. unfold disk_promise. rewrite CE. auto. }
  destruct (inv_proposer _ I p) as (A & B & D). fold x in A, B, D.
  destruct (D Ac) as (D1 & D2 & D3 & D4 & D5 & D6 & D7).
  assert (AE : forall b f us, Sent w' (Accept b f us) ->
    Sent w (Accept b f us) \/ (b = ballot x /\ f = next x /\ us = vs)).
  { intros b f us K. apply SE in K. destruct K as [[K|[]]|K]; auto. inversion K; auto. }
  assert (RE : forall b i v, ran w' b i v -> ran w b i v \/ (b = ballot x /\ next x <= i)).
  { intros b i v (f & us & K & L). apply AE in K. destruct K as [K|(-> & -> & ->)].
    - left. exists f, us. auto.
    - right. split; auto. apply L. }
  constructor.
  - intros n s. apply (cell_same w); auto. apply I.
  - intros m K. apply SE in K. destruct K as [[<-|[]]|K].
    + split; [|split; auto].
      * apply (backed_grows w); auto. now apply (inv_message _ I) in M.
      * intros j v J. destruct (select_run_safe Q1_Q2 w p q vs I Ac Q (next x) P j v J).
        split; [now apply (proposable_grows w)|].
        split; [apply (elected_grows w)|apply (safe_grows w)]; tauto.
    + apply (message_grows w); auto; [now apply I|]. destruct m; auto. intros i v L H.
      apply RE in H. destruct H as [H|(-> & H)]; auto.
      destruct (B _ _ D1 K) as (_ & F). specialize (F Ac eq_refl). lia.
  - intros b f us f' us' i K K' L L'. apply AE in K, K'.
    destruct K as [K|(-> & -> & ->)], K' as [K'|(E & -> & ->)]; auto.
    + apply (inv_unique _ I b _ _ _ _ i); auto.
    + subst b. destruct (A _ _ _ D1 K) as (_ & F). destruct (F Ac eq_refl). lia.
    + destruct (A _ _ _ D1 K') as (_ & F). destruct (F Ac eq_refl). lia.
  - intros k. replace (prop_of w' k) with (prop_of (set_prop w p (propose x vs)) k) by auto.
    rewrite prop_set_prop. destruct (Nat.eqb_spec p k) as [<-|N].
    + split; [|split]; simpl.
      * intros b f us O K. apply AE in K. destruct K as [K|(-> & -> & ->)]; auto.
        destruct (A b f us O K) as (F & H). split; auto. intros F1 F2.
        destruct (H F1 F2). split; auto. lia.
      * intros b m O K. apply SE in K. destruct K as [[K|[]]|K]; [discriminate|]. auto.
      * intros _. assert (L : leading_ok w' p x).
        { apply (leading_grows w); auto. intros i v L H. apply RE in H.
          destruct H as [H|(_ & H)]; auto. lia. }
        destruct L as (L1 & L2 & L3 & L4 & L5 & L6 & L7).
        split; auto. split; [simpl; lia|]. split; auto. split; auto. split; auto. split; auto. simpl.
        intros f c F. rewrite find_put in F. destruct (Nat.eqb_spec (next x) f).
        -- subst f. inversion F; subst c. split; auto. exists vs. split; auto.
           apply SE. left. now left.
        -- destruct (L6 _ _ F). split; auto. lia.
    + apply (fits_same w); auto; [| |apply I].
      * intros b f us O K. apply AE in K. destruct K as [K|(-> & _)]; auto. congruence.
      * intros b m _ K. apply SE in K. destruct K as [[K|[]]|K]; [discriminate|]. auto.
  - intros k. replace (learn_of w' k) with (learn_of w k)
      by (symmetry; apply (learn_set_prop w p (propose x vs) k)).
    apply (learner_same w); auto; [|apply I]. intros s i. rewrite CE. now apply kept_grows.
  - apply (snapshots_same w); auto. apply I.
Qed.

(* ---- Learner ---- *)

Lemma still_set_learn w n l : still w (set_learn w n l).
Proof. constructor; auto. intros. now rewrite cell_set_learn. Qed.

Lemma inv_set_learn w n l : invariant w -> learner_fits w n l -> invariant (set_learn w n l).
Proof.
  intros I F. pose proof (still_set_learn w n l) as S. pose proof (still_grows _ _ S) as G.
  apply (inv_still w); auto.
  - intros k s. apply (cell_same w); [auto|apply cell_set_learn| |apply I].
    intros c i _. now apply still_voted.
  - intros k. rewrite prop_set_learn. apply (still_fits w); auto. apply I.
  - intros k. rewrite learn_set_learn. apply (learner_same w); auto.
    + intros s i. rewrite cell_set_learn. now apply kept_grows.
    + destruct (Nat.eqb_spec n k); subst; auto. apply I.
  - apply (snapshots_same w); auto. apply I.
Qed.

Lemma fits_deliver1 w n l v : learner_fits w n l -> known w (count l) v ->
  kept w (mem (cell_of w n (shard_of (count l)))) (count l) -> learner_fits w n (deliver1 l v).
Proof.
  intros (A & B) K L. split; simpl.
  - intros i J. rewrite find_put. destruct (Nat.eqb_spec (count l) i); subst; eauto.
    apply A. lia.
  - intros i J. destruct (Nat.eq_dec i (count l)); subst; auto. apply B. lia.
Qed.

Lemma fits_deliver_run w n s b vs : forall i l l',
  (forall j v, nth_error vs j = Some v -> known_at w b (i + j) v /\ shard_of (i + j) = s) ->
  learner_fits w n l -> deliver_run (mem (cell_of w n s)) b l i vs = Some l' -> learner_fits w n l'.
Proof.
  induction vs as [|v r IH]; simpl; intros i l l' K F E; [inversion E; subst; auto|].
  assert (K' : forall j u, nth_error r j = Some u -> known_at w b (S i + j) u /\ shard_of (S i + j) = s).
  { intros j u J. replace (S i + j) with (i + S j) by lia. apply K. auto. }
  destruct (i <? count l); [apply (IH (S i) l l'); auto|].
  destruct (Nat.eqb_spec i (count l)); simpl in E; [|discriminate].
  destruct (holds _ b i) eqn:H; [|discriminate].
  apply (IH (S i) (deliver1 l v) l'); auto. subst i.
  destruct (K 0 v eq_refl) as (K1 & K2). rewrite Nat.add_0_r in K1, K2.
  apply fits_deliver1; auto; [now exists b|]. rewrite K2. right. exists b, v. split; auto.
  unfold holds in H. destruct (slot_at _ _) as [[c k m u|u]|]; simpl; auto; try discriminate.
  now apply Nat.leb_le.
Qed.

(* ---- Restart ---- *)

Lemma cell_restart w n lg k m s :
  cell_of (restart w n lg k) m s = if n =? m then restart_cell (cell_of w m s) else cell_of w m s.
Proof.
  unfold cell_of, restart. rewrite node_set. destruct (Nat.eqb_spec n m); auto. subst. simpl.
  now rewrite (get_every _ _ restart_cell cell_init cell_init).
Qed.

Lemma restart_above w n s : s < shards -> disk_promise w n s <= restart_ballot w n.
Proof.
  intros L. unfold restart_ballot, disk_promise.
  assert (H : In s (seq 0 shards)) by (apply in_seq; lia). clear L. revert H.
  generalize (seq 0 shards) as l. induction l as [|a r IH]; simpl; [tauto|].
  intros [->|H]; [lia|]. specialize (IH H). lia.
Qed.

Lemma inv_restart w n lg k (shards_some : 0 < shards) :
  invariant w -> snapshot w k = Some lg -> invariant (restart w n lg k).
Proof.
  intros I E. assert (S : still w (restart w n lg k)).
  { constructor; auto. intros m s. rewrite cell_restart. destruct (n =? m); auto. }
  pose proof (still_grows _ _ S) as G. apply (inv_still w); auto.
  - intros m s. destruct (Nat.eqb_spec n m) as [->|N].
    + unfold cell_ok. rewrite cell_restart, Nat.eqb_refl. simpl. split; auto.
      apply (good_grows w); [auto| |apply I]. intros c i _. now apply still_voted.
    + apply (cell_same w); [auto| |intros c i _; now apply still_voted|apply I].
      rewrite cell_restart. destruct (Nat.eqb_spec n m); congruence.
  - intros p. apply (still_fits w); auto. unfold prop_of at 1, restart at 1. rewrite node_set.
    destruct (Nat.eqb_spec n p) as [->|N]; [|apply I]. simpl. split; [|split]; simpl.
    + intros b f vs O M. split; [|discriminate]. apply (inv_message _ I) in M.
      destruct M as (M & _). specialize (M 0 shards_some). rewrite O in M.
      pose proof (restart_above w p 0 shards_some). lia.
    + intros b m O M. split; [|discriminate]. apply (inv_message _ I) in M.
      destruct M as (M & _). specialize (M 0 shards_some). rewrite O in M.
      pose proof (restart_above w p 0 shards_some). lia.
    + discriminate.
  - intros m. unfold learn_of, restart at 2. rewrite node_set. destruct (Nat.eqb_spec n m) as [->|N].
    + simpl. split; simpl; [|intros; lia]. intros i J.
      exact (inv_snapshots _ I _ _ E i J).
    + apply (learner_same w); auto; [|apply I]. intros s i. rewrite cell_restart.
      destruct (Nat.eqb_spec n m); [congruence|]. now apply kept_grows.
  - apply (snapshots_same w); auto. apply I.
Qed.

(* ---- What is told ---- *)

Lemma report_of_ok w n s b i : invariant w -> let c := cell_of w n s in
  promised (disk c) = b -> promised (mem c) = b -> shard_of i = s -> lo (mem c) <= i ->
  report_ok w n b i (report_of (mem c) i).
Proof.
  intros I c D M S L. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G. fold c in G.
  destruct G as (G1 & G2 & G3 & _). specialize (G2 i S). split.
  - unfold disk_promise. rewrite S. fold c. lia.
  - apply order_bottom in G1. unfold report_of, slot_ok in *.
    assert (V : forall k, voted w n k i -> covers (slot_at (mem c) i) k).
    { intros k V. apply (G3 k i S V). lia. }
    destruct (slot_at (mem c) i) as [[k a z u|u]|]; simpl in V.
    + split; [apply G2|]. intros j J H. apply V in H. lia.
    + apply G2.
    + intros k _ H. now apply V in H.
Qed.

Lemma promise_told w n s : invariant w -> let c := cell_of w n s in
  promised (disk c) = promised (mem c) -> promise_ok w n s (promised (mem c)) (lo (mem c)) (high (mem c)).
Proof.
  intros I c E. pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G. fold c in G.
  split; [unfold disk_promise; fold c; lia|]. intros i k S L H _ V.
  destruct G as (G1 & G2 & G3 & G4). destruct (G3 k i S V) as (_ & F).
  apply order_bottom in G1 as O. specialize (F ltac:(lia)).
  pose proof (covered_high w n s (mem c) k i (conj G1 (conj G2 (conj G3 G4))) S F). lia.
Qed.

Lemma all_sent_known w vs : invariant w -> forall first, all_sent_chosen w first vs = true ->
  forall i, first <= i < first + length vs -> known w i (nth (i - first) vs 0).
Proof.
  intros I. induction vs as [|v r IH]; simpl; intros first H i J; [lia|].
  apply andb_true_iff in H. destruct H as [H1 H2]. destruct (Nat.eq_dec i first) as [->|N].
  - rewrite Nat.sub_diag. exact (inv_message _ I _ H1).
  - replace (i - first) with (S (i - S first)) by lia. simpl. apply IH; auto. lia.
Qed.

Lemma voted_merge w n s b first c1 c2 k c i : Sent w (Accepted n s b first c1) ->
  Sent w (Accepted n s b (first + c1) c2) ->
  voted (send [Accepted n s b first (c1 + c2)] w) k c i -> voted w k c i.
Proof.
  intros A B (f & z & M & J). apply sent_send in M. destruct M as [[M|[]]|M]; [|exists f, z; auto].
  inversion M; subst. destruct (Nat.lt_ge_cases i (f + c1)).
  - exists f, c1. split; auto. lia.
  - exists (f + c1), c2. split; auto. lia.
Qed.

End Nodes.
