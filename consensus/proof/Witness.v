(* The model is not empty: three nodes, majorities, two shards. A command is submitted, chosen and
   delivered; its leader and a follower crash; another leader finds the value, and proposes no other. *)
From Coq Require Import List Arith Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Learner.
From Paxwire Require Import Session SessionOnce ClientLog Client ClientView.
Import ListNotations.

Definition two (l : list nat) : bool := 2 <=? length (nodup Nat.eq_dec l).

#[local] Instance three : config := {|
  Q1 := two;
  Q2 := two;
  owner := fun b => b mod 3;
  shard_of := fun i => (i / 4) mod 2;
  shards := 2;
  window := 16;
  block := 4;
  retained := 16;
  too_high := fun _ _ => false
|}.

Fixpoint play (w : world) (es : list event) : option world :=
  match es with
  | [] => Some w
  | e :: rest => match exec w e with Some (w', _, _) => play w' rest | None => None end
  end.

(* Node n promises b, and proposer p hears it: with these lo and high in shard 0. *)
Definition promise_to p n b low top :=
  [EPrepare n 0 b; ESync n 0; EPromise n 0; EHearPromise p n 0 low top;
   EPrepare n 1 b; ESync n 1; EPromise n 1; EHearPromise p n 1 0 0].

(* Node 0 leads at ballot 3, nodes 0 and 1 vote, node 1 hears the watermark and delivers. *)
Definition lead (vs : list nat) :=
  EStart 0 3 :: promise_to 0 0 3 0 0 ++ [ESendPrepare 0] ++ promise_to 0 1 3 0 0 ++
  [EBegin 0 [0; 1] 0; EOpen 0 [0; 1]; EPropose 0 [0; 1] vs;
   EAccept 0 0 3 0 vs; ESync 0 0; EAccept 1 0 3 0 vs; ESync 1 0;
   EAdvance 0 [(0, (0, 2)); (1, (0, 2))]; ECommit 0; EDeliver 1 3 2 0 vs].

Definition first_leader := ERequest 7 :: lead [7; 0].

(* They crash. Node 2 leads at ballot 5 with node 1, which reports its votes. *)
Definition second_leader :=
  [ERestart 0 0; ERestart 1 0; EStart 2 5] ++ promise_to 2 2 5 0 0 ++ [ESendPrepare 2] ++
  promise_to 2 1 5 0 2 ++
  [EBegin 2 [1; 2] 0; EPull 1 0 5 0 2; EPull 2 0 5 0 2;
   EHearVotes 2 1 0 0 [Vote 3 7; Vote 3 0]; EHearVotes 2 2 0 0 [Empty; Empty]].

Example delivers : option_map (fun w => delivered_by w 1) (play world_init first_leader) = Some [7; 0].
Proof. vm_compute. reflexivity. Qed.

Example finds : option_map (fun w => may_propose w (prop_of w 2) [1; 2] 0 7)
  (play world_init (first_leader ++ second_leader)) = Some true.
Proof. vm_compute. reflexivity. Qed.

Example no_other : play world_init (first_leader ++ second_leader ++ [EPropose 2 [1; 2] [0; 0]]) = None.
Proof. vm_compute. reflexivity. Qed.

(* Without the chunk of node 1 nothing may be proposed there at all. *)
Example not_blindly : option_map (fun w => may_propose w (prop_of w 2) [1; 2] 0 7)
  (play world_init (first_leader ++ firstn 22 second_leader)) = Some false.
Proof. vm_compute. reflexivity. Qed.

(* A client opens session 0 and adds 5 to a sum in it; node 1 delivers both, and answers. *)
Definition reads_as (v : nat) : entry nat :=
  match v with 7 => Open | 8 => Command 0 0 5 | _ => Noop end.

Definition adds (sum x : nat) : nat * nat := (sum + x, sum + x).

Lemma client_plays k s es : forall w w', 0 < coming s ->
  client_run 4 10 nat nat nat 0 0 adds reads_as 0 k s w -> play w es = Some w' ->
  client_run 4 10 nat nat nat 0 0 adds reads_as 0 k s w'.
Proof.
  induction es as [|e r IH]; simpl; intros w w' C R P; [congruence|].
  destruct (exec w e) as [[[u ms] a]|] eqn:E; [|discriminate]. apply (IH u w' C); auto.
  eapply run_step; eauto. intros q x (v & _ & M).
  do 9 (destruct v; [discriminate M || (injection M as <- _; exact C)|]). discriminate M.
Qed.

Example client_hears : exists w s,
  client_run 4 10 nat nat nat 0 0 adds reads_as 0 2 s w /\
  coming s = 1 /\ is_outstanding s 0 = false /\
  view 4 10 nat nat nat 0 0 adds reads_as w 1 = [(0, 0, 5, 5)].
Proof.
  destruct (play world_init (ERequest 7 :: ERequest 8 :: lead [7; 8])) as [w|] eqn:P;
    [|vm_compute in P; discriminate].
  assert (V : List.map reads_as (delivered_by w 1) = [Open; Command 0 0 5]).
  { transitivity (match play world_init (ERequest 7 :: ERequest 8 :: lead [7; 8]) with
      | Some u => List.map reads_as (delivered_by u 1) | None => [] end);
      [now rewrite P | vm_compute; reflexivity]. }
  exists w, (mkClient 1 1 0). split; [|split; [|split]]; auto.
  - eapply (run_reply _ _ _ _ _ _ _ _ _ _ _ (mkClient 0 1 1) _ w 1 0); [| |reflexivity].
    + eapply client_plays; eauto. apply (run_fill _ _ _ _ _ _ _ _ _ _ _ client0); [|reflexivity].
      apply run_open; [constructor|]. intros q x (v & S & _). now apply sent_init in S.
    + exists 1, (Ran 5). split; [|discriminate]. unfold applied. rewrite V.
      split; [now exists 5 | reflexivity].
  - unfold view, applied. now rewrite V.
Qed.
