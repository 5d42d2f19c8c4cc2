(* Reads by a round of questions instead of a command (consensus/reads.h): the index that a round
   yields covers everything that any node had delivered when the round began. The answers come later,
   each at a time of its own, from acceptors that may have crashed in between. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant Learner.
Import ListNotations.

Section Reads.
Context {cfg : config}.

Hypothesis shards_some : 0 < shards.
Hypothesis shard_in : forall i, shard_of i < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

Local Notation reachable_inv := (inv_reachable shards_some Q1_Q2).

Lemma promise_later w w' n s : reachable w -> steps w w' ->
  later (disk (cell_of w n s)) (mem (cell_of w' n s)) /\ good w' n s (mem (cell_of w' n s)).
Proof.
  intros R S. pose proof (steps_disk shards_some Q1_Q2 w w' n s R S) as A.
  assert (I : invariant w') by (apply reachable_inv; now apply (steps_reachable w)).
  split; [eapply later_trans; eauto; now apply mem_later, I|now apply mem_good, I].
Qed.

(* The leader's rule (LR1, LR2): at w the round begins. The leader's opening no-op is chosen, and
   [mark] is what it noted. Each shard of a phase-2 quorum confirms some time later that it has promised
   nothing higher. *)
Definition confirmed w b : Prop :=
  exists q, Q2 q = true /\ forall n s, In n q -> s < shards ->
  exists w', steps w w' /\ promised (mem (cell_of w' n s)) <= b.

Theorem leader_index w p o i v : reachable w -> let x := prop_of w p in
  active x = true -> opened x = Some o -> o < mark x -> confirmed w (ballot x) ->
  known w i v -> i < mark x.
Proof.
  intros R x A O L (q & Q & K) (c & V). assert (I := reachable_inv w R).
  destruct (inv_proposer _ I p) as (_ & P & D). fold x in P, D.
  destruct (D A) as (D1 & _ & _ & _ & _ & _ & D7).
  assert (H := known_chosen _ _ _ _ I V). destruct H as (H & q2 & Q2q & H2).
  destruct (lt_eq_lt_dec c (ballot x)) as [[T|T]|T].
  - destruct (D7 o O) as (q1 & Q1q & E). destruct (Q1_Q2 q1 q2 Q1q Q2q) as (n & N1 & N2).
    destruct (E n (shard_of i) N1 (shard_in i)) as (low & top & F1 & F2 & _ & G).
    destruct (Nat.lt_ge_cases i low), (Nat.lt_ge_cases i top); try lia. exfalso.
    apply (G i c); auto.
  - subst c. destruct V as (m & M & J & _). destruct (P _ _ D1 M) as (_ & F).
    specialize (F A eq_refl). lia.
  - exfalso. destruct (ran_message _ _ _ _ I H) as ((q1 & Q1q & E) & _).
    destruct (Q1_Q2 q1 q Q1q Q) as (n & N1 & N2). specialize (E n N1).
    destruct (K n (shard_of i) N2 (shard_in i)) as (w' & S & B).
    destruct (promise_later w w' n (shard_of i) R S) as ((F & _) & _). unfold disk_promise in E. lia.
Qed.

(* The quorum's rule (LR4), at any node: [index] is at or above max (high, lo) of each shard of a
   phase-1 quorum, asked after w. It covers even what is chosen and known to nobody. *)
Definition reported w index : Prop :=
  exists q, Q1 q = true /\ forall n s, In n q -> s < shards ->
  exists w', steps w w' /\
    Nat.max (high (mem (cell_of w' n s))) (lo (mem (cell_of w' n s))) <= index.

Theorem quorum_index w index i v : reachable w -> reported w index -> chosen w i v -> i < index.
Proof.
  intros R (q & Q & K) (b & _ & q2 & Q2q & V). assert (I := reachable_inv w R).
  destruct (Q1_Q2 q q2 Q Q2q) as (n & N1 & N2). specialize (V n N2).
  destruct (inv_cell _ I n (shard_of i)) as ((_ & _ & G & _) & _).
  specialize (G b i eq_refl V).
  destruct (K n (shard_of i) N1 (shard_in i)) as (w' & S & B).
  destruct (promise_later w w' n (shard_of i) R S) as (L & M).
  destruct (later_remembers _ _ _ _ L G) as (_ & H). destruct M as (O & M).
  apply order_bottom in O as P. destruct (Nat.lt_ge_cases i (bottom (mem (cell_of w' n (shard_of i)))));
    [lia|].
  pose proof (covered_high w' n (shard_of i) _ b i (conj O M) eq_refl (H ltac:(lia))). lia.
Qed.

(* A read that runs at node m once all below the index is applied there sees all that any node n had
   delivered, and so told a client, when the round began. *)
Theorem read_sees w w' n m index : reachable w -> steps w w' ->
  (forall i v, known w i v -> i < index) -> index <= count (learn_of w' m) ->
  exists rest, delivered_by w' m = delivered_by w n ++ rest.
Proof.
  intros R S K L. apply agree_prefix.
  - rewrite !delivered_length.
    destruct (Nat.eq_dec (count (learn_of w n)) 0) as [->|N]; [lia|].
    destruct (inv_learner _ (reachable_inv w R) n) as (A & _).
    destruct (A (count (learn_of w n) - 1)) as (v & _ & V); [lia|]. apply K in V. lia.
  - intros i v u A B. eapply (delivered_agree shards_some Q1_Q2); eauto.
Qed.

Theorem leader_read w w' n m p o : reachable w -> steps w w' -> let x := prop_of w p in
  active x = true -> opened x = Some o -> o < mark x -> confirmed w (ballot x) ->
  mark x <= count (learn_of w' m) ->
  exists rest, delivered_by w' m = delivered_by w n ++ rest.
Proof.
  intros R S x A O L K. apply read_sees; auto. intros i v. now apply (leader_index w p o).
Qed.

Theorem quorum_read w w' n m index : reachable w -> steps w w' -> reported w index ->
  index <= count (learn_of w' m) ->
  exists rest, delivered_by w' m = delivered_by w n ++ rest.
Proof.
  intros R S P. apply read_sees; auto. intros i v (b & K). apply (quorum_index w index i v); auto.
  exists b. apply known_chosen; auto. now apply reachable_inv.
Qed.

End Reads.
