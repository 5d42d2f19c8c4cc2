(* What is asked of a configuration holds of every one that quorum.c accepts: majorities, thresholds,
   grids and explicit sets; and of the C's ballots and shards. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Invariant Learner Quorum.
Import ListNotations.

Section Deployed.
Variable s : system.
Variables nodes_max shards_count block_size accept_window log_instances : nat.
Variable far : nat -> nat -> bool.
Hypothesis accepted : valid s = true.
Hypothesis some_shard : 0 < shards_count.

Local Instance deployed : config := {|
  Q1 := phase1 s;
  Q2 := phase2 s;
  owner := fun b => b mod nodes_max;                     (* ballot_node *)
  shard_of := fun i => (i / block_size) mod shards_count;
  shards := shards_count;
  window := accept_window;
  block := block_size;
  retained := log_instances;
  too_high := far
|}.

Lemma shard_below i : shard_of i < shards.
Proof. apply Nat.mod_upper_bound. simpl in *. lia. Qed.

Theorem deployed_agreement w i v v' : reachable w -> chosen w i v -> chosen w i v' -> v = v'.
Proof. apply agreement; [exact some_shard|exact (quorums_meet s accepted)]. Qed.

Theorem deployed_prefixes w w' n n' : reachable w -> steps w w' ->
  (exists rest, delivered_by w' n' = delivered_by w n ++ rest) \/
  (exists rest, delivered_by w n = delivered_by w' n' ++ rest).
Proof. apply prefixes; [exact some_shard|exact (quorums_meet s accepted)]. Qed.

End Deployed.
