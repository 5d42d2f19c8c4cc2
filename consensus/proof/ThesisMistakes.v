(* The mistakes of the thesis, put back one at a time into the repaired protocol: runs, computed.

   Three proposers, given 5, 6 and 7; three acceptors; majorities. `decided` is what a majority of
   acceptors accepted at any time in the run. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Thesis ThesisRepaired ThesisAgreement.
Import ListNotations.

Definition proposers := [1; 2; 3].
Definition acceptors := [4; 5; 6].
Definition init (p : nat) : proposal := (p, 4 + p).
Definition majority (q : list nat) : bool :=
  2 <=? length (filter (fun a => mem a q) acceptors).

Definition voters (w : world) (x : proposal) : list nat :=
  map fst (filter (fun v => if proposal_dec (snd v) x then true else false) (votes w)).
Definition decided (w : world) : list proposal :=
  filter (fun x => majority (voters w x)) (nodup proposal_dec (map snd (votes w))).

Definition play (r : rules) (es : list event) : option (list proposal) :=
  option_map decided (run (exec proposers acceptors majority r) (start proposers init) es).

(* p asks all; its request reaches some; their promises reach it; it asks all to accept, and some
   hear. *)
Definition prepare (p : nat) (reached : list nat) : list event :=
  map (SendPrepare p) acceptors ++ map (fun a => ToAcceptor (Prepare p a (init p))) reached.
Definition promise (p : nat) (o : option proposal) (reached : list nat) : list event :=
  map (fun a => ToProposer (Promise a p o)) reached.
Definition accept (p : nat) (x : proposal) (reached : list nat) : list event :=
  map (SendAccept p) acceptors ++ map (fun a => ToAcceptor (Accept p a x)) reached.

Definition none := mkRules false false false false false.

(* The repaired protocol: what 1 had chosen 2 takes over, and 3 after it. *)
Example repaired_keeps :
  play none (prepare 1 [4; 5] ++ promise 1 None [4; 5] ++ accept 1 (1, 5) [4; 5]
             ++ prepare 2 [5; 6] ++ promise 2 (Some (1, 5)) [5] ++ promise 2 None [6]
             ++ accept 2 (2, 5) [5; 6]
             ++ prepare 3 [4; 6] ++ promise 3 (Some (2, 5)) [6] ++ promise 3 (Some (1, 5)) [4]
             ++ accept 3 (3, 5) [4; 5; 6])
  = Some [(3, 5); (2, 5); (1, 5)].
Proof. vm_compute. reflexivity. Qed.

(* It gets out of where the thesis's is blocked (ThesisRuns.v): one accepted, two promised more. *)
Example repaired_goes_on :
  play none (prepare 1 [4; 5; 6] ++ promise 1 None [4; 5; 6] ++ accept 1 (1, 5) [4]
             ++ prepare 2 [4; 5; 6] ++ promise 2 None [5; 6] ++ accept 2 (2, 6) [4; 5; 6])
  = Some [(2, 6)].
Proof. vm_compute. reflexivity. Qed.

(* Mistake 1, the simulator's: the value stands for the number. 5 promised 2 and accepts 1's, since
   5 is not below 2. Two values are chosen. *)
Example compares_value :
  play (mkRules true false false false false)
    (prepare 1 [4; 5] ++ prepare 2 [5; 6] ++ promise 1 None [4; 5] ++ promise 2 None [5; 6]
     ++ accept 1 (1, 5) [4; 5] ++ accept 2 (2, 6) [5; 6])
  = Some [(2, 6); (1, 5)].
Proof. vm_compute. reflexivity. Qed.

(* Mistakes 2 and 4 together: 1 is refused by 4, which promised 2. It sends (0, 0), which 5 and 6
   accept, for in AInit they check nothing. 3 hears of (0, 0), which stands for "none", and proposes
   its own. Two values are chosen, one of them given by nobody. *)
Definition refused_then_dummy : list event :=
  prepare 2 [4] ++ prepare 1 [4] ++ [ToProposer (Nack 4 1)]
  ++ [SendDummy 1 5; SendDummy 1 6; ToAcceptor (Accept 1 5 (0, 0)); ToAcceptor (Accept 1 6 (0, 0))].

Example unchecked_and_dummy :
  play (mkRules false true false true false)
    (refused_then_dummy
     ++ prepare 3 [5; 6] ++ promise 3 (Some (0, 0)) [5; 6] ++ accept 3 (3, 7) [5; 6])
  = Some [(3, 7); (0, 0)].
Proof. vm_compute. reflexivity. Qed.

(* Mistake 4 alone: the dummy is refused everywhere. *)
Example dummy_alone :
  play (mkRules false false false true false)
    (refused_then_dummy ++ prepare 3 [5; 6] ++ promise 3 None [5; 6] ++ accept 3 (3, 7) [5; 6])
  = Some [(3, 7)].
Proof. vm_compute. reflexivity. Qed.

(* Mistake 3: who promised refuses. Only 6, which heard of no promise, accepts. *)
Example strict :
  play (mkRules false false true false false)
    (prepare 1 [4; 5] ++ promise 1 None [4; 5] ++ accept 1 (1, 5) [4; 5; 6])
  = Some [].
Proof. vm_compute. reflexivity. Qed.

(* A fifth, once acceptors listen on: a promise echoes the proposal that it promises. 2 does not
   hear what was accepted. Two values are chosen. *)
Example echoes :
  play (mkRules false false false false true)
    (prepare 1 [4; 5] ++ promise 1 (Some (1, 5)) [4; 5] ++ accept 1 (1, 5) [4; 5]
     ++ prepare 2 [5; 6] ++ promise 2 (Some (2, 6)) [5; 6] ++ accept 2 (2, 6) [5; 6])
  = Some [(2, 6); (1, 5)].
Proof. vm_compute. reflexivity. Qed.

(* What `decided` computes is chosen, in the sense of the theorems. *)
Lemma decided_chosen w x : In x (decided w) -> chosen majority w x.
Proof.
  unfold decided. rewrite filter_In. intros [_ M]. exists (voters w x). split; [exact M|].
  intros a Ha. unfold voters in Ha. apply in_map_iff in Ha. destruct Ha as ([b y] & <- & H).
  apply filter_In in H. destruct H as [H E]. simpl in E.
  destruct (proposal_dec y x); [|discriminate E].
  subst y. exact H.
Qed.

(* Each of the mistakes 2, 3 and 4 alone (and 3 with either) leaves agreement; the hypotheses of the
   theorem hold here, so it is not empty. *)
Example harmless : Forall safe
  [none;
   mkRules false true false false false; mkRules false false true false false;
   mkRules false false false true false;
   mkRules false true true false false; mkRules false false true true false].
Proof. repeat (apply Forall_cons; [unfold safe; simpl; auto|]). apply Forall_nil. Qed.

Lemma majorities_meet q k : majority q = true -> majority k = true -> exists a, In a q /\ In a k.
Proof.
  unfold majority, acceptors. simpl. intros Q K.
  destruct (mem 4 q) eqn:Q4, (mem 5 q) eqn:Q5, (mem 6 q) eqn:Q6; try discriminate Q;
    destruct (mem 4 k) eqn:K4, (mem 5 k) eqn:K5, (mem 6 k) eqn:K6; try discriminate K;
    first [exists 4; split; apply mem_In; assumption | exists 5; split; apply mem_In; assumption
          | exists 6; split; apply mem_In; assumption].
Qed.

Theorem agreement_here r es more w w' x y : safe r ->
  run (exec proposers acceptors majority r) (start proposers init) es = Some w ->
  run (exec proposers acceptors majority r) w more = Some w' ->
  In x (decided w) -> In y (decided w') -> value x = value y.
Proof.
  intros S R1 R2 X Y. apply decided_chosen in X, Y.
  assert (D : forall n, In n proposers -> In n acceptors -> False).
  { intros n H K. simpl in H, K. lia. }
  assert (P : forall p, In p proposers -> 1 <= number (init p)).
  { intros p H. simpl in H. simpl. lia. }
  apply (agreement proposers acceptors init majority majority r majorities_meet eq_refl D
           (fun _ _ _ _ E => E) P S es more w w'); assumption.
Qed.
