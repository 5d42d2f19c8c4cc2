(* Progress, up to the state machine: if one proposer runs alone with a quorum that hears it, a command
   that a client submitted is chosen, and each node of the quorum delivers it. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant Learner.
From Paxwire Require Import Progress Quorum Deployed.
Import ListNotations.

Section Delivery.
Context {cfg : config}.

Hypothesis shards_some : 0 < shards.
Hypothesis shard_in : forall i, shard_of i < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.
Hypothesis no_limit : forall b b', too_high b b' = false.

Local Notation reachable_inv := (inv_reachable shards_some Q1_Q2).
Local Notation steps_sent := (steps_sent shards_some Q1_Q2).

(* ---- What an acceptor has stored as chosen was told, and can be told again ---- *)

Definition stored_told w (x : acceptor) : Prop :=
  forall i u, slot_at x i = Some (Chosen u) -> Sent w (Catchup i u).

Definition cell_told w (c : cell) : Prop :=
  stored_told w (disk c) /\ stored_told w (mem c) /\
  forall y ms, In (y, ms) (pending c) -> stored_told w y.

Lemma told_append w c x ms : cell_told w c -> stored_told w x -> cell_told w (append c x ms).
Proof.
  intros (A & B & C) X. split; [exact A|]. split; [exact X|]. intros y ys J.
  apply in_app_or in J. destruct J as [J|[J|[]]]; [now apply (C y ys)|injection J as <- _; exact X].
Qed.

Lemma told_same w x y : stored_told w x -> same_votes x y -> stored_told w y.
Proof. intros A S i u E. destruct (same_slot x y i S) as [F|F]; [apply A|]; congruence. Qed.

Lemma told_like w x y : stored_told w x -> (forall i, slot_at y i = slot_at x i) ->
  stored_told w y.
Proof. intros A S i u E. apply A. now rewrite <- S. Qed.

Lemma all_sent_nth w vs : forall i j v, all_sent_chosen w i vs = true ->
  nth_error vs j = Some v -> Sent w (Catchup (i + j) v).
Proof.
  induction vs as [|a r IH]; intros i j v A N; [destruct j; discriminate|].
  simpl in A. apply andb_true_iff in A. destruct A as (A & B). destruct j as [|j]; simpl in N.
  - rewrite Nat.add_0_r. injection N as <-. exact A.
  - replace (i + S j) with (S i + j) by lia. now apply IH.
Qed.

Lemma told_prepare w x b : stored_told w x -> stored_told w (fst (on_prepare too_high x b)).
Proof.
  intros T. unfold on_prepare. destruct (_ <? _); auto. destruct (too_high _ _); auto.
Qed.

Lemma told_accept w x b first vs : in_order block x -> stored_told w x ->
  stored_told w (fst (on_accept window too_high x b first vs)).
Proof.
  intros O T. destruct (snd (on_accept window too_high x b first vs)) eqn:E;
    try (rewrite accept_else by congruence; exact T).
  - destruct (accept_slots _ _ _ _ _ _ _ O E) as (_ & S). intros i u F. specialize (S i).
    destruct (_ && _); [destruct S as (S & _); congruence|]. apply T. congruence.
  - destruct (accept_repeated _ _ _ _ _ _ E) as (_ & -> & _). exact T.
Qed.

Lemma told_chosen w x first vs : in_order block x -> stored_told w x ->
  all_sent_chosen w first vs = true -> stored_told w (fst (on_chosen window x first vs)).
Proof.
  intros O T A i u E. destruct (chosen_slots window block x first vs O) as (_ & S).
  destruct (S i) as [F|(I & F & _)]; [apply T; congruence|].
  rewrite F in E. injection E as <-. replace i with (first + (i - first)) at 1 by lia.
  apply (all_sent_nth w vs); auto. apply nth_error_nth'. lia.
Qed.

Lemma told_reachable w : reachable w -> forall n s, cell_told w (cell_of w n s).
Proof.
  induction 1 as [|w e w' ms a R IH E]; intros n s.
  { assert (Z : forall c, c = cell_init -> cell_told world_init c).
    { intros c ->. assert (N : stored_told world_init acceptor_init).
      { intros i u. unfold slot_at. simpl. now rewrite find_empty. }
      repeat split; [exact N|exact N|intros y ms []]. }
    apply Z. unfold cell_of, node_of. simpl nodes. rewrite get_empty.
    exact (get_empty cell cell_init s). }
  assert (G : forall m, Sent w m -> Sent w' m).
  { intros m. apply (steps_sent w w'); auto. eapply steps_next; eauto. apply steps_refl. }
  assert (K : cell_told w (cell_of w' n s)).
  2:{ destruct K as (K1 & K2 & K3). unfold cell_told, stored_told in *. repeat split; eauto. }
  assert (O : forall m t, in_order block (mem (cell_of w m t))).
  { intros m t. destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) m t)) as (O & _). exact O. }
  unfold exec in E. destruct (act w e) as [[[u ms'] a']|] eqn:A; [|discriminate].
  injection E as <- <- <-. change (cell_of (send ms' u)) with (cell_of u).
  assert (One : forall m t x ns, stored_told w x ->
    cell_told w (cell_of (set_cell w m t (append (cell_of w m t) x ns)) n s)).
  { intros m t x ns X. rewrite cell_set_cell. destruct (_ && _); auto. now apply told_append. }
  assert (Mem : forall m t, stored_told w (mem (cell_of w m t))) by (intros; apply IH).
  destruct e; cbn [act] in A; unfold when, done, appended in A;
    repeat match type of A with
    | (if ?b then _ else _) = _ => destruct b eqn:?; try discriminate A
    | (let '(_, _) := ?x in _) = _ => destruct x eqn:?
    | match ?x with _ => _ end = _ => destruct x eqn:?; try discriminate A
    end; injection A as <- <- <-;
    rewrite ?cell_set_prop, ?cell_set_learn;
    match goal with
    | |- cell_told _ (cell_of w _ _) => apply IH
    | |- cell_told _ (cell_of (mkWorld _ _ _) _ _) => exact (IH n s)
    | |- cell_told _ (cell_of (set_cell _ _ _ (append _ _ _)) _ _) => apply One
    | _ => idtac
    end.
  - change a with (fst (a, Promised)). rewrite <- Heqp. now apply told_prepare.
  - change a with (fst (a, Voted)). rewrite <- Heqp. now apply told_accept.
  - change a with (fst (a, Repeated)). rewrite <- Heqp. now apply told_accept.
  - change a with (fst (a, Stored)). rewrite <- Heqp. apply told_chosen; auto.
    match goal with H : _ && _ = true |- _ => apply andb_true_iff in H; apply H end.
  - apply (told_same w (mem (cell_of w n0 s0))), same_note; auto.
  - apply (told_same w (mem (cell_of w n0 s0))), same_trim; auto.
  - apply (told_same w (mem (cell_of w n0 s0))); auto. apply same_install.
    destruct (O n0 s0) as (_ & T & _). exact T.
  - apply (told_same w (mem (cell_of w n0 s0))), same_drop; auto.
  - apply (told_same w (mem (cell_of w n0 s0))), same_settle; auto.
  - apply (told_same w (mem (cell_of w n0 s0))), same_forget; auto.
  - apply (told_like w (mem (cell_of w n0 s0))); auto.
  - match goal with H : sync _ = _ |- _ => unfold sync in H; rename H into Y end.
    destruct (pending (cell_of w n0 s0)) as [|[y ys] r] eqn:F; [discriminate|].
    injection Y as <- _. rewrite cell_set_cell. destruct (_ && _); auto.
    destruct (IH n0 s0) as (_ & B & C). rewrite F in C. split; [apply (C y ys); now left|].
    split; [exact B|]. intros z zs J. apply (C z zs). now right.
  - rewrite cell_restart. destruct (n0 =? n); auto. destruct (IH n s) as (B & _).
    split; [exact B|]. split; [exact B|]. intros y ys [].
Qed.

(* ---- From below up to the command ---- *)

(* An instance that was told as chosen a node takes over: its acceptor stores it, its learner delivers
   it. *)
Lemma store_it k u x : in_order block x -> lo x <= k -> k + 1 <= lo x + window ->
  (forall v, slot_at x k <> Some (Chosen v)) ->
  exists y, on_chosen window x k [u] = (y, Stored) /\ slot_at y k = Some (Chosen u).
Proof.
  intros O L X N. apply order_bottom in O. unfold on_chosen. simpl length.
  destruct (Nat.leb_spec (k + 1) (lo x)); [lia|].
  destruct (Nat.ltb_spec (lo x + window) (k + 1)); [lia|]. cbn [store].
  assert (K : (k <? lo x) || is_chosen x k = false).
  { destruct (Nat.ltb_spec k (lo x)); [lia|]. unfold is_chosen.
    destruct (slot_at x k) as [[c i m z|z]|]; auto. now destruct (N z). }
  rewrite K. eexists. split; [reflexivity|]. unfold slot_at. simpl.
  destruct (Nat.ltb_spec k (bottom x)); [lia|]. now rewrite find_put, Nat.eqb_refl.
Qed.

Lemma take_over k u w n : reachable w -> Sent w (Catchup k u) ->
  lo (mem (cell_of w n (shard_of k))) <= k ->
  k + 1 <= lo (mem (cell_of w n (shard_of k))) + window -> k <= count (learn_of w n) ->
  exists w', keeps k w w' /\ k < count (learn_of w' n).
Proof.
  intros R M L X C. destruct (Nat.eq_dec k (count (learn_of w n))) as [E|E].
  2:{ exists w. split; [apply keeps_refl|lia]. }
  set (s := shard_of k) in *. set (x := mem (cell_of w n s)) in *.
  assert (St : exists w1, keeps k w w1 /\ learn_of w1 n = learn_of w n /\ Sent w1 (Catchup k u) /\
    exists v, slot_at (mem (cell_of w1 n s)) k = Some (Chosen v)).
  { assert (D : (exists v, slot_at x k = Some (Chosen v)) \/
      forall v, slot_at x k <> Some (Chosen v)).
    { destruct (slot_at x k) as [[c i m z|z]|]; [right; discriminate|left; now exists z|].
      right. discriminate. }
    destruct D as [(v & D)|D]; [exists w; split; [apply keeps_refl|eauto]|].
    assert (O : in_order block x).
    { destruct (mem_good _ _ _ (inv_cell _ (reachable_inv w R) n s)) as (O & _). exact O. }
    destruct (store_it k u x O L X D) as (y & Y & Z).
    set (c := append (cell_of w n s) y []). set (w1 := send [] (set_cell w n s c)).
    assert (S1 : steps w w1).
    { apply (do_step w (EChosen n s k [u]) _ [] (Some Stored)). cbn [act all_sent_chosen].
      unfold Sent in M. rewrite M. unfold in_shard. simpl. fold s. rewrite Nat.eqb_refl. simpl.
      fold x. now rewrite Y. }
    assert (C1 : forall m t, cell_of w1 m t = if (n =? m) && (s =? t) then c else cell_of w m t)
      by (intros m t; exact (cell_set_cell w n s c m t)).
    assert (L1 : forall m, learn_of w1 m = learn_of w m)
      by (intros m; exact (learn_set_cell w n s c m)).
    exists w1. split; [constructor|split; [auto|split]]; auto.
    - intros m t. rewrite C1. destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); simpl; auto. subst m t.
      destruct (chosen_slots window block x k [u] O) as ((_ & _ & H & _) & _).
      rewrite Y in H. exact H.
    - intros m t i K. rewrite C1. destruct (Nat.eqb_spec n m), (Nat.eqb_spec s t); simpl; auto.
      subst m t. destruct (chosen_slots window block x k [u] O) as (_ & H).
      rewrite Y in H. destruct (H i) as [H'|(H' & _)]; [exact H'|]. simpl in H'.
      destruct K as [K|K]; [now destruct K|lia].
    - intros m. rewrite L1. lia.
    - exists u. rewrite C1, !Nat.eqb_refl. exact Z. }
  destruct St as (w1 & K1 & L1 & M1 & v & V).
  set (l := deliver1 (learn_of w n) u). exists (send [] (set_learn w1 n l)).
  assert (Y : forall m, learn_of (send [] (set_learn w1 n l)) m =
    if n =? m then l else learn_of w1 m) by (intros m; exact (learn_set_learn w1 n l m)).
  assert (C1 : forall m t, cell_of (send [] (set_learn w1 n l)) m t = cell_of w1 m t)
    by (intros m t; exact (cell_set_learn w1 n l m t)).
  split; [apply (keeps_trans k w w1); auto; constructor|].
  - apply (do_step w1 (EDeliverChosen n u) _ [] None). cbn [act]. rewrite L1, <- E. fold s.
    unfold Sent in M1. rewrite M1, V, orb_true_r. reflexivity.
  - intros m t. now rewrite C1.
  - intros m t i _. now rewrite C1.
  - intros m. rewrite Y. destruct (Nat.eqb_spec n m); [subst m; rewrite L1; simpl; lia|lia].
  - rewrite Y, Nat.eqb_refl. simpl. lia.
Qed.

Lemma catch_up k u l : forall w, reachable w -> Sent w (Catchup k u) ->
  (forall n, In n l -> let x := mem (cell_of w n (shard_of k)) in
     lo x <= k /\ k + 1 <= lo x + window /\ k <= count (learn_of w n)) ->
  exists w', keeps k w w' /\
    forall n, In n l \/ k < count (learn_of w n) -> k < count (learn_of w' n).
Proof.
  induction l as [|n r IH]; intros w R M H.
  - exists w. split; [apply keeps_refl|]. simpl. tauto.
  - destruct (H n (or_introl eq_refl)) as (H1 & H2 & H3).
    destruct (take_over k u w n R M H1 H2 H3) as (w1 & K1 & D1).
    destruct (IH w1) as (w' & K' & D').
    + apply (steps_reachable w); auto; apply K1.
    + apply (steps_sent w w1); auto; apply K1.
    + intros m J. destruct (H m (or_intror J)) as (H4 & H5 & H6). simpl.
      rewrite (keeps_lo _ _ _ K1). pose proof (keeps_count _ _ _ K1 m). repeat split; auto. lia.
    + exists w'. split; [now apply (keeps_trans k w w1)|]. intros m [[<-|J]|J]; auto.
      apply D'. right. pose proof (keeps_count _ _ _ K1 m). lia.
Qed.

(* ---- From below up to the command ---- *)

Section Quorum.
Variables (p : nat) (q : list nat).
Hypothesis ballots : has_ballots p.
Hypothesis quorum1 : Q1 q = true.
Hypothesis quorum2 : Q2 q = true.

(* All of the quorum have delivered what is below [k], none has trimmed what is above, and [h] is
   inside their windows. *)
Definition within w k h : Prop :=
  (forall n, In n q -> k <= count (learn_of w n)) /\
  (forall n t, In n q -> t < shards ->
     lo (mem (cell_of w n t)) <= k /\ h + 1 <= lo (mem (cell_of w n t)) + window).

Lemma next_instance w k h v : reachable w -> within w k h -> k <= h -> proposable w v ->
  exists w' u, keeps k w w' /\ chosen w' k u /\ (forall n, In n q -> k < count (learn_of w' n)) /\
    ((forall n, In n q -> slot_at (mem (cell_of w n (shard_of k))) k = None) -> u = v).
Proof.
  intros R (C & X) L V. set (s := shard_of k).
  assert (D : (exists n u, In n q /\ slot_at (mem (cell_of w n s)) k = Some (Chosen u)) \/
    forall n, In n q -> forall u, slot_at (mem (cell_of w n s)) k <> Some (Chosen u)).
  { clear - q. induction q as [|n r [(m & u & N & H)|H]].
    - right. intros n [].
    - left. exists m, u. split; auto. now right.
    - destruct (slot_at (mem (cell_of w n s)) k) as [[c i m z|z]|] eqn:E.
      2: left; exists n, z; split; auto; now left.
      all: right; intros m' [<-|N]; [congruence|now apply H]. }
  assert (Xs : forall n, In n q -> lo (mem (cell_of w n s)) <= k /\
    k + 1 <= lo (mem (cell_of w n s)) + window).
  { intros n N. destruct (X n s N (shard_in k)). lia. }
  destruct D as [(n & u & N & E)|D].
  - destruct (told_reachable w R n s) as (_ & T & _). pose proof (T _ _ E) as S.
    destruct (catch_up k u q w R S) as (w' & K & H).
    { intros m J. destruct (Xs m J). repeat split; auto. }
    exists w', u. split; auto. split; [|split].
    + apply (chosen_for_good shards_some Q1_Q2 w); auto; [apply K|].
      destruct (inv_message _ (reachable_inv w R) _ S) as (b & F). exists b.
      apply known_chosen; auto. now apply reachable_inv.
    + intros m J. apply H. now left.
    + intros Z. specialize (Z n N). congruence.
  - destruct (free_ballot shards_some w p q ballots) as (b & O & F & P).
    destruct (run_alone shards_some shard_in Q1_Q2 no_limit p b k q quorum1 quorum2 w v)
      as (w1 & u & K & U & A & B & H & Z); auto.
    { intros n t N T. now apply X. }
    { intros n N. now apply Xs. }
    assert (R1 : reachable w1) by (apply (steps_reachable w); auto; apply K).
    destruct (all_deliver shards_some Q1_Q2 b k u q w1 R1 A B) as (w2 & K2 & H2).
    { intros n N. split; [now apply H|]. pose proof (keeps_count _ _ _ K n). specialize (C n N). lia. }
    exists w2, u. split; [now apply (keeps_trans k w w1)|]. split; [|split].
    + apply (chosen_for_good shards_some Q1_Q2 w1); auto. apply K2.
    + intros n N. apply H2. now left.
    + exact Z.
Qed.

Lemma up_to h v : forall d w k, h = k + d -> reachable w -> within w k h -> Sent w (Request v) ->
  (forall n, In n q -> slot_at (mem (cell_of w n (shard_of h))) h = None) ->
  exists w', steps w w' /\ chosen w' h v /\ forall n, In n q -> h < count (learn_of w' n).
Proof.
  induction d as [|d IH]; intros w k E R X V Z.
  - rewrite Nat.add_0_r in E. subst k.
    destruct (next_instance w h h v) as (w' & u & K & C & D & U); auto; [now right|].
    exists w'. split; [apply K|]. rewrite <- U; auto.
  - destruct (next_instance w k h 0) as (w1 & u & K & _ & D & _); auto; [lia|now left|].
    destruct X as (_ & X).
    assert (R1 : reachable w1) by (apply (steps_reachable w); auto; apply K).
    destruct (IH w1 (S k)) as (w' & S' & C & D'); auto; [lia| | | |].
    + split; [exact D|]. intros n t N T. rewrite (keeps_lo _ _ _ K).
      destruct (X n t N T). split; auto.
    + apply (steps_sent w w1); auto. apply K.
    + intros n N. rewrite (keeps_slot _ _ _ K); auto. right. lia.
    + exists w'. split; [|auto]. apply (steps_trans w w1); auto. apply K.
Qed.

End Quorum.

(* From every reachable state. The quorum q hears p, none of its nodes holds anything for h, all have
   delivered what is below [start], and none has trimmed what stands from there on: a node that is
   further behind takes over a snapshot first. h is inside the windows of their acceptors. *)
Theorem progress_delivered w (p : nat) (q : list nat) (start h v : nat) :
  reachable w -> has_ballots p -> Q1 q = true -> Q2 q = true -> start <= h -> within q w start h ->
  (forall n, In n q -> slot_at (mem (cell_of w n (shard_of h))) h = None) ->
  Sent w (Request v) ->
  exists w', steps w w' /\ chosen w' h v /\
    forall n, In n q -> nth_error (delivered_by w' n) h = Some v.
Proof.
  intros R O A B L X Z V.
  destruct (up_to p q O A B h v (h - start) w start) as (w' & S & C & D); auto; [lia|].
  exists w'. split; auto. split; auto. intros n N.
  assert (R' : reachable w') by now apply (steps_reachable w).
  destruct (nth_error (delivered_by w' n) h) as [u|] eqn:E.
  - f_equal. apply (agreement shards_some Q1_Q2 w' h); auto.
    now apply (delivered_chosen shards_some Q1_Q2 w' n).
  - apply nth_error_None in E. rewrite delivered_length in E. specialize (D n N). lia.
Qed.

End Delivery.

(* At every quorum system that quorum.c accepts, with the C's ballots and shards. *)
Theorem deployed_progress_delivered s nodes_max shards_count block_size accept_window log_instances
  far : valid s = true -> 0 < shards_count -> (forall b b', far b b' = false) ->
  let here := deployed s nodes_max shards_count block_size accept_window log_instances far in
  forall w p q start h v, @reachable here w -> p < nodes_max ->
    phase1 s q = true -> phase2 s q = true -> start <= h -> @within here q w start h ->
    (forall n, In n q -> slot_at (mem (cell_of w n (shard_of h))) h = None) ->
    Sent w (Request v) ->
    exists w', @steps here w w' /\ @chosen here w' h v /\
      forall n, In n q -> nth_error (delivered_by w' n) h = Some v.
Proof.
  intros V C F here w p q start h v R P. apply (@progress_delivered here) with (p := p); auto.
  - intros i. apply Nat.mod_upper_bound. simpl. lia.
  - exact (quorums_meet s V).
  - intros b. exists (p + S b * nodes_max). split; [nia|].
    change ((p + S b * nodes_max) mod nodes_max = p).
    rewrite Nat.mod_add by lia. now apply Nat.mod_small.
Qed.
