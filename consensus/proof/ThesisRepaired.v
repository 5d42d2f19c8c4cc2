(* The thesis's protocol, repaired: its states and messages, with what Paxos needs.

   The repair, beside `>=` for an accept request:
     - AAccepted is not final: an acceptor answers a prepare request of a higher number, and
       APromised keeps what was accepted;
     - a promise reports what its acceptor accepted, not the proposal that it promised;
     - a proposer goes on with a phase-1 quorum of promises, not only with all;
     - who was refused sends nothing more.
   Each mistake can be put back by a rule (below). Comparing the value breaks agreement, and so does
   reporting what was promised; accepting unchecked in AInit and sending the dummy after a refusal
   do only together; `>` for `>=` breaks no agreement, but then nothing is ever chosen.
   ThesisAgreement.v has the invariant and the theorems, ThesisMistakes.v the runs. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Thesis.
Import ListNotations.

Inductive role_state :=
| PInit (x : proposal)
| PSentPrep (sent_to : list nat) (x : proposal)
| PWaitPrepResp (got : list (nat * option proposal)) (x : proposal)
| PSentAccReq (sent_to : list nat) (x : proposal)
| PAbort
| AInit
| APromised (n : nat) (accepted : option proposal)
| AAccepted (x : proposal).

(* What goes from a proposer p to an acceptor a, and back. *)
Inductive message :=
| Prepare (p a : nat) (x : proposal)
| Promise (a p : nat) (accepted : option proposal)
| Nack (a p : nat)
| Accept (p a : nat) (x : proposal).

Definition message_dec (m k : message) : {m = k} + {m <> k}.
Proof. repeat decide equality. Defined.
Definition in_net (m : message) (net : list message) : bool :=
  if in_dec message_dec m net then true else false.

(* The mistakes of the thesis's text, code and simulator. All false: the repaired protocol. *)
Record rules := mkRules {
  compare_value : bool;                   (* The simulator: the value stands for the number. *)
  unchecked_init : bool;                  (* In AInit an accept request is not checked. *)
  strict_accept : bool;                   (* An accept request needs a number above the promise. *)
  dummy_after_nack : bool;                (* Who was refused sends accept requests for (0, 0). *)
  report_promised : bool                  (* A promise echoes the proposal that it promises. *)
}.

(* `votes` is what acceptors ever accepted: what a learner would hear. No node reads it. *)
Record world := mkWorld { st : nat -> role_state; net : list message;
  votes : list (nat * proposal) }.

Definition promised_number (s : role_state) : nat :=
  match s with APromised n _ => n | AAccepted x => number x | _ => 0 end.
Definition accepted_of (s : role_state) : option proposal :=
  match s with APromised _ o => o | AAccepted x => Some x | _ => None end.

(* The highest numbered of what promises report; (0, 0): none. *)
Fixpoint highest (best : proposal) (got : list (nat * option proposal)) : proposal :=
  match got with
  | [] => best
  | (_, Some x) :: r => if number best <? number x then highest x r else highest best r
  | (_, None) :: r => highest best r
  end.

Definition pick (got : list (nat * option proposal)) (x : proposal) : proposal :=
  let h := highest (0, 0) got in if number h =? 0 then x else (number x, value h).

Lemma in_net_In m l : in_net m l = true -> In m l.
Proof. unfold in_net. destruct (in_dec message_dec m l); [auto | discriminate]. Qed.

Lemma highest_spec got : forall best,
  number best <= number (highest best got)
  /\ (highest best got = best \/ exists a, In (a, Some (highest best got)) got)
  /\ forall a x, In (a, Some x) got -> number x <= number (highest best got).
Proof.
  induction got as [|[a [x|]] got IH]; simpl; intros best.
  - repeat split; auto. intros a x [].
  - destruct (Nat.ltb_spec (number best) (number x)) as [L|L].
    + destruct (IH x) as (A & B & C). split; [lia|]. split.
      * right. destruct B as [B|[b B]]; [exists a; left; congruence | exists b; right; exact B].
      * intros b y [K|K]; [injection K as _ <-; exact A | eapply C, K].
    + destruct (IH best) as (A & B & C). split; [exact A|]. split.
      * destruct B as [B|[b B]]; [left; exact B | right; exists b; right; exact B].
      * intros b y [K|K]; [injection K as _ <-; lia | eapply C, K].
  - destruct (IH best) as (A & B & C). split; [exact A|]. split.
    + destruct B as [B|[b B]]; [left; exact B | right; exists b; right; exact B].
    + intros b y [K|K]; [discriminate K | eapply C, K].
Qed.

Section Repaired.

Variables proposers acceptors : list nat.
Variable init : nat -> proposal.
Variables Q1 Q2 : list nat -> bool.       (* Quorums of promises, and of votes. *)
Variable r : rules.

Definition key (x : proposal) : nat := if compare_value r then value x else number x.

(* An acceptor's next state, and what it reports; None: a refusal. *)
Definition on_prepare (s : role_state) (x : proposal) : role_state * option (option proposal) :=
  if promised_number s <? key x
  then (APromised (number x) (accepted_of s),
        Some (if report_promised r then Some x else accepted_of s))
  else (s, None).

Definition lets_through (s : role_state) (x : proposal) : bool :=
  match s with
  | AInit => unchecked_init r || (1 <=? number x)
  | _ => if strict_accept r then promised_number s <? key x else promised_number s <=? key x
  end.

Definition on_promise (got : list (nat * option proposal)) (x : proposal) (a : nat)
  (o : option proposal) : role_state :=
  if mem a (map fst got) then PWaitPrepResp got x
  else let got' := (a, o) :: got in
       if Q1 (map fst got') then PSentAccReq [] (pick got' x) else PWaitPrepResp got' x.

Definition step_send (s : role_state) (to : nat) : role_state :=
  match s with
  | PInit x => if perm_eq [to] acceptors then PWaitPrepResp [] x else PSentPrep [to] x
  | PSentPrep sent x =>
      if perm_eq (to :: sent) acceptors then PWaitPrepResp [] x else PSentPrep (to :: sent) x
  | PSentAccReq sent x =>
      if perm_eq (to :: sent) acceptors then PAbort else PSentAccReq (to :: sent) x
  | _ => s
  end.

Definition set (w : world) (n : nat) (s : role_state) (more : list message)
  (cast : list (nat * proposal)) : world :=
  mkWorld (fun k => if k =? n then s else st w k) (more ++ net w) (cast ++ votes w).

Lemma set_other w n s more cast k : k <> n -> st (set w n s more cast) k = st w k.
Proof. intros D. simpl. destruct (Nat.eqb_spec k n); [contradiction | reflexivity]. Qed.
Lemma set_same w n s more cast : st (set w n s more cast) n = s.
Proof. simpl. rewrite Nat.eqb_refl. reflexivity. Qed.

Definition start : world :=
  mkWorld (fun n => if mem n proposers then PInit (init n) else AInit) [] [].

Inductive event :=
| SendPrepare (p a : nat)
| SendAccept (p a : nat)
| SendDummy (p a : nat)
| ToAcceptor (m : message)
| ToProposer (m : message).

Definition exec (w : world) (e : event) : option world :=
  match e with
  | SendPrepare p a =>
      if mem p proposers && mem a acceptors then
        match st w p with
        | PInit x | PSentPrep _ x => Some (set w p (step_send (st w p) a) [Prepare p a x] [])
        | _ => None
        end
      else None
  | SendAccept p a =>
      if mem p proposers && mem a acceptors then
        match st w p with
        | PSentAccReq _ x => Some (set w p (step_send (st w p) a) [Accept p a x] [])
        | _ => None
        end
      else None
  | SendDummy p a =>
      if mem p proposers && mem a acceptors && dummy_after_nack r then
        match st w p with
        | PAbort => Some (set w p PAbort [Accept p a (0, 0)] [])
        | _ => None
        end
      else None
  | ToAcceptor (Prepare p a x as m) =>
      if in_net m (net w) && mem a acceptors then
        match on_prepare (st w a) x with
        | (s, Some o) => Some (set w a s [Promise a p o] [])
        | (s, None) => Some (set w a s [Nack a p] [])
        end
      else None
  | ToAcceptor (Accept p a x as m) =>
      if in_net m (net w) && mem a acceptors then
        if lets_through (st w a) x then Some (set w a (AAccepted x) [] [(a, x)]) else Some w
      else None
  | ToProposer (Promise a p o as m) =>
      if in_net m (net w) && mem p proposers then
        match st w p with
        | PWaitPrepResp got x => Some (set w p (on_promise got x a o) [] [])
        | _ => Some w
        end
      else None
  | ToProposer (Nack a p as m) =>
      if in_net m (net w) && mem p proposers then
        match st w p with
        | PWaitPrepResp _ _ => Some (set w p PAbort [] [])
        | _ => Some w
        end
      else None
  | _ => None
  end.

Definition chosen (w : world) (x : proposal) : Prop :=
  exists q, Q2 q = true /\ forall a, In a q -> In (a, x) (votes w).

End Repaired.
