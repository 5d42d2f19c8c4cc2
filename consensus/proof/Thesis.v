(* The adapted protocol of A. Pillai's thesis (Mechanised Verification of Paxos-like Consensus
   Protocols, UCL 2018), chapter 4 and its PaxosProtocol.v, as it is written there: the states, the
   messages, what a node becomes by sending (step_send) and by receiving (step_recv). Its inductive
   invariant was left unproved. It says that two properties make agreement:
     I1   one value goes with one proposal number, among what acceptors have accepted;
     I2   once a value is chosen, every higher numbered proposal that is accepted has that value.
   What is true of it, and proved or computed below:
     1. As encoded there, a transition's precondition binds the sender's state only: a message may
        carry anything, and a promise needs no prepare request. Agreement holds even so, because
        AAccepted is final: an acceptor votes once in its life. I1 and I2 are false, and so is
        validity.
     2. As its text has it (a message carries what its sender holds, an answer follows a request)
        nothing is ever accepted: whoever promised p refuses p, for the accept request is let
        through only by a number greater than the promise (`>` where Paxos needs `>=`).
     3. With `>=` agreement, I1 and I2 hold, since at most one proposal is ever accepted by anyone.
        But two proposers and three acceptors can come to where nothing will be chosen, with no
        fault at all.
     4. Its simulator compares a proposal's value with the promised number: two values are chosen.
   1 is proved here, 2 and 3 in ThesisInvariant.v; ThesisRuns.v has the runs; ThesisRepaired.v the
   repair. The era that the thesis pairs with each state never changes there,
   and is left out. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
Import ListNotations.

Definition proposal : Type := (nat * nat)%type.
Definition number (x : proposal) : nat := fst x.
Definition value (x : proposal) : nat := snd x.

Definition promises : Type := list (nat * bool * proposal).
Definition sender (x : nat * bool * proposal) : nat := fst (fst x).
Definition promised (x : nat * bool * proposal) : bool := snd (fst x).

Inductive role_state :=
| PInit (x : proposal)
| PSentPrep (sent_to : list nat) (x : proposal)
| PWaitPrepResp (got : promises) (x : proposal)
| PSentAccReq (sent_to : list nat) (x : proposal)
| PAbort
| AInit
| APromised (x : proposal)
| AAccepted (x : proposal).

Inductive tag := prepare_req | promise_resp | nack_resp | accept_req.

Record message := mkMessage { mtag : tag; from : nat; to : nat; body : proposal }.

Definition proposal_dec (x y : proposal) : {x = y} + {x <> y}.
Proof. decide equality; apply Nat.eq_dec. Defined.
Definition message_dec (m k : message) : {m = k} + {m <> k}.
Proof. decide equality; auto using Nat.eq_dec, proposal_dec. decide equality. Defined.
Definition in_net (m : message) (net : list message) : bool :=
  if in_dec message_dec m net then true else false.

(* Equal as multisets. *)
Definition perm_eq (l k : list nat) : bool :=
  forallb (fun a => count_occ Nat.eq_dec l a =? count_occ Nat.eq_dec k a) (l ++ k).

Definition mem (a : nat) (l : list nat) : bool := existsb (Nat.eqb a) l.

Lemma mem_In a l : mem a l = true <-> In a l.
Proof.
  unfold mem. rewrite existsb_exists. split.
  - intros (x & Hx & E). apply Nat.eqb_eq in E. subst. exact Hx.
  - intros H. exists a. split; [exact H | apply Nat.eqb_refl].
Qed.

Lemma perm_eq_incl l k : perm_eq l k = true -> incl k l.
Proof.
  unfold perm_eq. rewrite forallb_forall. intros H a Ha.
  assert (E := H a (in_or_app _ _ _ (or_intror Ha))). apply Nat.eqb_eq in E.
  apply (count_occ_In Nat.eq_dec) in Ha. apply (count_occ_In Nat.eq_dec). lia.
Qed.

(* The value of the highest numbered promise; (0, 0) stands for none. *)
Fixpoint find_highest_numbered_promise (highest : proposal) (got : promises) : proposal :=
  match got with
  | [] => highest
  | (_, check, x) :: rest =>
      if check && (number highest <? number x) then find_highest_numbered_promise x rest
      else find_highest_numbered_promise highest rest
  end.

Definition create_proposal_for_acc_req (got : promises) (x : proposal) : proposal :=
  if forallb promised got then
    let highest := find_highest_numbered_promise (0, 0) got in
    if proposal_dec highest (0, 0) then x else (number x, value highest)
  else (0, 0).

(* A run of a system. *)
Fixpoint run {W E : Type} (exec : W -> E -> option W) (w : W) (es : list E) : option W :=
  match es with
  | [] => Some w
  | e :: r => match exec w e with Some w' => run exec w' r | None => None end
  end.

Section Thesis.

Variables proposers acceptors : list nat.
Variable init : nat -> proposal.          (* What a proposer starts with. *)

Definition step_send (s : role_state) (to : nat) : role_state :=
  match s with
  | PInit x => if perm_eq [to] acceptors then PWaitPrepResp [] x else PSentPrep [to] x
  | PSentPrep sent x =>
      if perm_eq (to :: sent) acceptors then PWaitPrepResp [] x else PSentPrep (to :: sent) x
  | PSentAccReq sent x =>
      if perm_eq (to :: sent) acceptors then PAbort else PSentAccReq (to :: sent) x
  | _ => s
  end.

(* `passes promised n`: is an accept request of number n let through? As written: n > promised. *)
Definition greater (promised n : nat) : bool := promised <? n.
Definition at_least (promised n : nat) : bool := promised <=? n.

Definition step_recv (passes : nat -> nat -> bool) (s : role_state) (from : nat) (t : tag)
  (x : proposal) : role_state :=
  match s with
  | PWaitPrepResp got own =>
      if mem from (map sender got) then s
      else match t with
           | nack_resp => PAbort
           | _ =>
               let is_promise := match t with promise_resp => true | _ => false end in
               let got' := (from, is_promise, x) :: got in
               if perm_eq (map sender got') acceptors
               then PSentAccReq [] (create_proposal_for_acc_req got' own)
               else PWaitPrepResp got' own
           end
  | AInit => match t with prepare_req => APromised x | _ => AAccepted x end
  | APromised y =>
      match t with
      | prepare_req => if number y <? number x then APromised x else s
      | _ => if passes (number y) (number x) then AAccepted x else s
      end
  | _ => s
  end.

Record world := mkWorld { st : nat -> role_state; net : list message }.

Definition start : world :=
  mkWorld (fun n => if mem n proposers then PInit (init n) else AInit) [].
Definition set (w : world) (n : nat) (s : role_state) (more : list message) : world :=
  mkWorld (fun k => if k =? n then s else st w k) (more ++ net w).

(* A value is chosen when a quorum stands in AAccepted with one proposal of that value. *)
Variable quorum : list nat -> bool.
Hypothesis quorums_meet : forall q k, quorum q = true -> quorum k = true ->
  exists a, In a q /\ In a k.

Definition chosen (w : world) (x : proposal) : Prop :=
  exists q, quorum q = true /\ incl q acceptors /\ forall a, In a q -> st w a = AAccepted x.

(* ---- 1. As encoded: the preconditions bind the sender's state only ---- *)

(* (In the encoding an accept request leaves only as the first of a proposer's; the text sends one
   to each acceptor. This follows the text: it allows more.) *)
Definition may_send (s : role_state) (t : tag) : bool :=
  match t, s with
  | prepare_req, (PInit _ | PSentPrep _ _) => true
  | accept_req, PSentAccReq _ _ => true
  | promise_resp, (AInit | APromised _) => true
  | nack_resp, APromised _ => true
  | _, _ => false
  end.

Inductive free_event := Send (m : message) | Receive (m : message).

Definition exec_free (w : world) (e : free_event) : option world :=
  match e with
  | Send m =>
      if mem (from m) (proposers ++ acceptors) && mem (to m) (proposers ++ acceptors)
         && may_send (st w (from m)) (mtag m)
      then Some (set w (from m) (step_send (st w (from m)) (to m)) [m]) else None
  | Receive m =>
      if in_net m (net w)
      then Some (set w (to m) (step_recv greater (st w (to m)) (from m) (mtag m) (body m)) [])
      else None
  end.

Lemma vote_is_final w e w' a x :
  exec_free w e = Some w' -> st w a = AAccepted x -> st w' a = AAccepted x.
Proof.
  intros E A. destruct e as [m|m]; simpl in E.
  - destruct (_ && _); [|discriminate E]. injection E as <-. simpl.
    destruct (Nat.eqb_spec a (from m)) as [->|]; [rewrite A; reflexivity | exact A].
  - destruct (in_net m (net w)); [|discriminate E]. injection E as <-. simpl.
    destruct (Nat.eqb_spec a (to m)) as [->|]; [rewrite A; reflexivity | exact A].
Qed.

(* Agreement, of any two worlds of a run, from any world on: numbers and promises play no part. *)
Theorem agreement_as_encoded es : forall w w' x y,
  run exec_free w es = Some w' -> chosen w x -> chosen w' y -> x = y.
Proof.
  intros w w' x y R (q & Q & _ & A) (k & K & _ & B).
  destruct (quorums_meet q k Q K) as (a & Aq & Ak).
  assert (F : st w' a = AAccepted x).
  { specialize (A a Aq). clear - R A. revert w R A.
    induction es as [|e es IH]; simpl; intros w R A; [congruence|].
    destruct (exec_free w e) as [w1|] eqn:E; [|discriminate R].
    apply (IH w1 R). eapply vote_is_final; eassumption. }
  rewrite (B a Ak) in F. congruence.
Qed.

(* ---- 2 and 3. As the text has it: a message carries what its sender holds ---- *)

(* An acceptor: its next state, and its answer. The thesis's, and its simulator's. *)
Definition text_acceptor (passes : nat -> nat -> bool) (s : role_state) (t : tag) (x : proposal) :
  role_state * option tag :=
  (step_recv passes s 0 t x,
   match t, s with
   | prepare_req, AInit => Some promise_resp
   | prepare_req, APromised y => if number y <? number x then Some promise_resp else Some nack_resp
   | _, _ => None
   end).

Inductive event :=
| SendPrepare (p a : nat)
| SendAccept (p a : nat)
| ToAcceptor (m : message)                (* Receives a request, and answers. *)
| ToProposer (m : message).

Section Acceptor.

Variable acceptor : role_state -> tag -> proposal -> role_state * option tag.

(* What is received was sent; nothing is removed from the network. *)
Definition exec (w : world) (e : event) : option world :=
  match e with
  | SendPrepare p a =>
      if mem p proposers && mem a acceptors then
        match st w p with
        | PInit x | PSentPrep _ x =>
            Some (set w p (step_send (st w p) a) [mkMessage prepare_req p a x])
        | _ => None
        end
      else None
  | SendAccept p a =>
      if mem p proposers && mem a acceptors then
        match st w p with
        | PSentAccReq _ x =>
            Some (set w p (step_send (st w p) a) [mkMessage accept_req p a x])
        | _ => None
        end
      else None
  | ToAcceptor m =>
      if in_net m (net w) && mem (to m) acceptors then
        match mtag m with
        | prepare_req | accept_req =>
            let (s, answer) := acceptor (st w (to m)) (mtag m) (body m) in
            Some (set w (to m) s
                    match answer with
                    | Some t => [mkMessage t (to m) (from m) (body m)]
                    | None => []
                    end)
        | _ => None
        end
      else None
  | ToProposer m =>
      if in_net m (net w) && mem (to m) proposers then
        match mtag m with
        | promise_resp | nack_resp =>
            Some (set w (to m)
                    (step_recv greater (st w (to m)) (from m) (mtag m) (body m)) [])
        | _ => None
        end
      else None
  end.

End Acceptor.
Lemma in_net_In m l : in_net m l = true -> In m l.
Proof. unfold in_net. destruct (in_dec message_dec m l); [auto | discriminate]. Qed.

End Thesis.
