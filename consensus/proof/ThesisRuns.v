(* Runs of the thesis's protocol, computed: two proposers and three acceptors, its own scenario. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Thesis.
Import ListNotations.

Definition proposers := [1; 2].
Definition acceptors := [3; 4; 5].
Definition init (p : nat) : proposal := (p, 10 * p).
Definition majority (q : list nat) : bool :=
  2 <=? length (filter (fun a => mem a q) acceptors).
Definition acceptors_of (w : option world) : option (list role_state) :=
  option_map (fun w => map (st w) acceptors) w.

Notation start := (start proposers init).
Notation chosen := (chosen acceptors majority).

(* ---- As encoded: I1, I2 and validity are false ---- *)

Definition free (es : list free_event) : option world :=
  run (exec_free proposers acceptors) start es.

(* All acceptors promise p what it never asked of them; it may then send accept requests. *)
Definition unprompted (p : nat) : list free_event :=
  map (fun a => Send (mkMessage prepare_req p a (init p))) acceptors
  ++ flat_map (fun a => let m := mkMessage promise_resp a p (0, 0) in [Send m;
       Receive m]) acceptors.
Definition accepted (p a : nat) (x : proposal) : list free_event :=
  let m := mkMessage accept_req p a x in [Send m; Receive m].

(* Two values with one number. *)
Example I1_as_encoded :
  acceptors_of (free (unprompted 1 ++ accepted 1 3 (1, 7) ++ accepted 1 4 (1, 8)))
  = Some [AAccepted (1, 7); AAccepted (1, 8); AInit].
Proof. vm_compute. reflexivity. Qed.

(* Chosen, and a higher numbered proposal of another value is accepted. The accept requests are what
   the proposers were given; only the promises are unprompted. *)
Example I2_as_encoded :
  acceptors_of (free (unprompted 1 ++ unprompted 2
                      ++ accepted 1 3 (init 1) ++ accepted 1 4 (init 1) ++ accepted 2 5 (init 2)))
  = Some [AAccepted (1, 10); AAccepted (1, 10); AAccepted (2, 20)].
Proof. vm_compute. reflexivity. Qed.

(* Chosen, though no proposer was given it. *)
Example validity_as_encoded :
  acceptors_of (free (unprompted 1 ++ accepted 1 3 (1, 7) ++ accepted 1 4 (1, 7)))
  = Some [AAccepted (1, 7); AAccepted (1, 7); AInit].
Proof. vm_compute. reflexivity. Qed.

(* ---- As its text has it ---- *)

Definition prepare_all (p : nat) : list event :=
  map (SendPrepare p) acceptors
  ++ map (fun a => ToAcceptor (mkMessage prepare_req p a (init p))) acceptors.
Definition promise_all (p : nat) : list event :=
  map (fun a => ToProposer (mkMessage promise_resp a p (init p))) acceptors.
Definition accept_at (p a : nat) : list event :=
  [SendAccept p a; ToAcceptor (mkMessage accept_req p a (init p))].
Definition accept_all (p : nat) : list event := flat_map (accept_at p) acceptors.

Definition text (passes : nat -> nat -> bool) : world -> list event -> option world :=
  run (exec proposers acceptors (text_acceptor acceptors passes)).

(* A proposer alone, no message lost: refused by those who promised. *)
Example alone_as_written :
  acceptors_of (text greater start (prepare_all 1 ++ promise_all 1 ++ accept_all 1))
  = Some [APromised (1, 10); APromised (1, 10); APromised (1, 10)].
Proof. vm_compute. reflexivity. Qed.

Example alone_with_at_least :
  acceptors_of (text at_least start (prepare_all 1 ++ promise_all 1 ++ accept_all 1))
  = Some [AAccepted (1, 10); AAccepted (1, 10); AAccepted (1, 10)].
Proof. vm_compute. reflexivity. Qed.

(* ---- With `>=`: where nothing will ever be chosen ---- *)

(* Acceptor 3 accepted from 1 and is silent for ever; 4 and 5 promised 2, who waits for 3. *)
Definition to_block : list event :=
  prepare_all 1 ++ promise_all 1 ++ accept_at 1 3 ++ prepare_all 2.

Record Blocked (w : world) : Prop := {
  blocked_3 : st w 3 = AAccepted (1, 10);
  blocked_4 : st w 4 = APromised (2, 20);
  blocked_5 : st w 5 = APromised (2, 20);
  blocked_1 : match st w 1 with PSentAccReq _ x => number x <= 1 | PAbort => True | _ => False end;
  blocked_2 : match st w 2 with
              | PWaitPrepResp got _ => ~ In 3 (map sender got) | PAbort => True | _ => False end;
  blocked_net : forall m, In m (net w) ->
    match mtag m with
    | prepare_req => number (body m) <= 2
    | accept_req => number (body m) <= 1
    | promise_resp => to m = 2 -> from m <> 3
    | nack_resp => True
    end
}.

Lemma blocked_step w e w' :
  exec proposers acceptors (text_acceptor acceptors at_least) w e = Some w' ->
  Blocked w -> Blocked w'.
Proof.
  intros E [B3 B4 B5 B1 B2 BN].
  assert (P12 : forall p, mem p proposers = true -> p = 1 \/ p = 2).
  { intros p H. apply mem_In in H. destruct H as [<-|[<-|[]]]; auto. }
  assert (A345 : forall a, mem a acceptors = true -> a = 3 \/ a = 4 \/ a = 5).
  { intros a H. apply mem_In in H. destruct H as [<-|[<-|[<-|[]]]]; auto. }
  destruct e as [p a|p a|m|m]; unfold exec in E.
  - destruct (mem p proposers) eqn:P; [|discriminate E].
    destruct (mem a acceptors); [|discriminate E].
    cbn [andb] in E. destruct (P12 p P) as [-> | ->].
    + destruct (st w 1); try discriminate E; contradiction.
    + destruct (st w 2); try discriminate E; contradiction.
  - destruct (mem p proposers) eqn:P; [|discriminate E].
    destruct (mem a acceptors); [|discriminate E].
    cbn [andb] in E. destruct (P12 p P) as [-> | ->]; [|destruct (st w 2); try discriminate E;
      contradiction].
    destruct (st w 1) as [| | |s x| | | |] eqn:S; try discriminate E. injection E as <-.
    constructor; simpl; auto.
    + destruct (perm_eq _ _); auto.
    + intros m [<-|H]; [exact B1 | apply BN, H].
  - destruct (in_net m (net w)) eqn:N; [|discriminate E]. apply in_net_In in N.
    destruct (mem (to m) acceptors) eqn:A; [|discriminate E]. cbn [andb] in E.
    assert (K := BN m N). destruct m as [t f a x]. cbn [to from mtag body] in *.
    destruct (A345 a A) as [-> | [-> | ->]].
    + rewrite B3 in E. destruct t; try discriminate E; injection E as <-; constructor; simpl; auto.
    + rewrite B4 in E. destruct t; try discriminate E;
      unfold text_acceptor, step_recv, at_least in E; change (number (2, 20)) with 2 in E.
      * destruct (Nat.ltb_spec 2 (number x)); [lia|]. injection E as <-.
        constructor; simpl; auto. intros m [<-|Hm]; [exact I | apply BN, Hm].
      * destruct (Nat.leb_spec 2 (number x)); [lia|]. injection E as <-.
        constructor; simpl; auto.
    + rewrite B5 in E. destruct t; try discriminate E;
      unfold text_acceptor, step_recv, at_least in E; change (number (2, 20)) with 2 in E.
      * destruct (Nat.ltb_spec 2 (number x)); [lia|]. injection E as <-.
        constructor; simpl; auto. intros m [<-|Hm]; [exact I | apply BN, Hm].
      * destruct (Nat.leb_spec 2 (number x)); [lia|]. injection E as <-.
        constructor; simpl; auto.
  - destruct (in_net m (net w)) eqn:N; [|discriminate E]. apply in_net_In in N.
    destruct (mem (to m) proposers) eqn:A; [|discriminate E]. cbn [andb] in E.
    assert (K := BN m N). destruct m as [t f p x]. cbn [to from mtag body] in *.
    assert (W : w' = set w p (step_recv acceptors greater (st w p) f t x) []
                /\ (t = promise_resp \/ t = nack_resp)).
    { destruct t; try discriminate E; injection E as <-; auto. }
    destruct W as [-> T]. clear E. destruct (P12 p A) as [-> | ->].
    + constructor; simpl; auto. destruct (st w 1); try contradiction; exact B1.
    + constructor; simpl; auto. destruct (st w 2) as [| |got y| | | | |]; try contradiction; auto.
      unfold step_recv. destruct (mem f (map sender got)); [exact B2|].
      destruct T as [-> | ->]; [|exact I]. cbv beta iota zeta.
      assert (D : ~ In 3 (map sender ((f, true, x) :: got))).
      { intros [H|H]; [apply K; auto | apply B2, H]. }
      destruct (perm_eq _ acceptors) eqn:Q; [|exact D].
      exfalso. apply D. apply (perm_eq_incl _ _ Q). left. reflexivity.
Qed.

(* No fault, no message lost: a world is reached from which no run chooses a value. *)
Theorem can_block : exists w, text at_least start to_block = Some w /\
  forall es w' x, text at_least w es = Some w' -> ~ chosen w' x.
Proof.
  destruct (text at_least start to_block) as [w|] eqn:R; [|vm_compute in R; discriminate R].
  exists w. split; [reflexivity|].
  assert (B : Blocked w).
  { vm_compute in R. injection R as <-. constructor; simpl; auto; try lia.
    intros m H. repeat (destruct H as [<-|H]; [simpl; lia|]). destruct H. }
  clear R. intros es. revert w B.
  induction es as [|e es IH]; simpl; intros w B w' x R.
  - injection R as <-. intros (q & Q & _ & H).
    assert (K : In 4 q \/ In 5 q).
    { unfold majority, acceptors in Q. simpl in Q.
      destruct (mem 4 q) eqn:E4; [left; apply mem_In, E4|].
      destruct (mem 5 q) eqn:E5; [right; apply mem_In, E5|].
      destruct (mem 3 q); discriminate Q. }
    destruct K as [K|K]; apply H in K;
      [rewrite (blocked_4 _ B) in K | rewrite (blocked_5 _ B) in K]; discriminate K.
  - unfold text in R. cbn [run] in R.
    destruct (exec proposers acceptors _ w e) as [w1|] eqn:E; [|discriminate R].
    apply (IH w1 (blocked_step _ _ _ E B) w' x R).
Qed.

(* ---- Its simulator: the value is compared with the promised number ---- *)

(* Besides, an accept request after the first is not refused there, for AAccepted listens. *)
Definition simulator_acceptor (s : role_state) (t : tag) (x : proposal) : role_state * option tag :=
  match t, s with
  | prepare_req, AInit => (APromised x, Some promise_resp)
  | prepare_req, APromised y =>
      if value x <? number y then (s, Some nack_resp) else (APromised x, Some promise_resp)
  | prepare_req, _ => (s, Some nack_resp)
  | accept_req, AInit => (AAccepted x, None)
  | accept_req, (APromised y | AAccepted y) =>
      (if number y <=? value x then AAccepted x else s, None)
  | _, _ => (s, None)
  end.

Definition simulator : world -> list event -> option world :=
  run (exec proposers acceptors simulator_acceptor).

(* Both proposers are promised; the first's value is chosen; then the second's. *)
Theorem simulator_chooses_two : exists w1 w2,
  simulator start (prepare_all 1 ++ prepare_all 2 ++ promise_all 1 ++ promise_all 2 ++ accept_all 1)
  = Some w1
  /\ simulator w1 (accept_all 2) = Some w2
  /\ chosen w1 (1, 10) /\ chosen w2 (2, 20).
Proof.
  destruct (simulator start _) as [w1|] eqn:R1; [|vm_compute in R1; discriminate R1].
  exists w1. vm_compute in R1. injection R1 as <-.
  match goal with |- context [simulator ?w (accept_all 2)] =>
    destruct (simulator w (accept_all 2)) as [w2|] eqn:R2; [|vm_compute in R2; discriminate R2]
  end.
  exists w2. vm_compute in R2. injection R2 as <-.
  split; [reflexivity|]. split; [reflexivity|].
  split; exists [3; 4]; (split; [reflexivity|]; split;
    [intros a [<-|[<-|[]]]; simpl; auto | intros a [<-|[<-|[]]]; reflexivity]).
Qed.
