(* The client half of a session (consensus/client.c), and that it is well-behaved.

   `fill` transcribes what client_fill does for an open session, `reply` what on_done does; the rest
   of the system is any: the log takes commands that were sent, in any order, as often as it likes
   (each retry is the same command), and other entries; a reply comes from any instance that was
   applied, at any later time. (One that a replica gives by looking the session up is among them:
   looked_up_cached and looked_up_stale in SessionOnce.v.) The rule of the client half then holds in
   every world that is reached, so each command that it reports done has executed exactly once.

   Not transcribed: `expired`, with which the session ends; refusals, of which one (too large) ends
   a command that no log has; timers. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Session SessionOnce ClientLog.
Import ListNotations.

Record client := mkClient {
  oldest : nat;                           (* `base`: the oldest outstanding, or `coming`. *)
  coming : nat;                           (* `next`: the sequence of the next command. *)
  outstanding : nat                       (* Bit k: oldest + k is not answered. *)
}.
Definition client0 := mkClient 0 0 0.     (* on_opened *)

Section Client.

Variable W : nat.
Hypothesis W_positive : 1 <= W.
Variable max : nat.
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.
Variable c : nat.                         (* The session. *)
Variable window : nat.                    (* Commands outstanding of a session: a setting. *)
Hypothesis window_within : window <= W.

Local Notation at_instance := (at_instance W max Machine Value Reply machine0 zero execute).
Local Notation well_behaved := (well_behaved W max Machine Value Reply machine0 zero execute).
Local Notation inv_replay :=
  (inv_replay W W_positive max Machine Value Reply machine0 zero execute).
Local Notation at_snoc := (at_snoc W W_positive max Machine Value Reply machine0 zero execute).
Local Notation at_app := (at_app W W_positive max Machine Value Reply machine0 zero execute).
Local Notation at_lt := (at_lt W max Machine Value Reply machine0 zero execute).

Definition fill (s : client) : option client :=
  if coming s - oldest s <? window then
    Some (mkClient (oldest s) (S (coming s)) (Nat.setbit (outstanding s) (coming s - oldest s)))
  else None.

(* Past what is answered. `fuel` bounds the loop: what there is to pass. *)
Fixpoint pass (fuel : nat) (s : client) : client :=
  match fuel with
  | 0 => s
  | S fuel =>
      if (oldest s <? coming s) && negb (Nat.testbit (outstanding s) 0) then
        pass fuel (mkClient (S (oldest s)) (coming s) (Nat.shiftr (outstanding s) 1))
      else s
  end.

Definition is_outstanding (s : client) (q : nat) : bool :=
  (oldest s <=? q) && (q <? coming s) && Nat.testbit (outstanding s) (q - oldest s).

Definition reply (s : client) (q : nat) : option client :=
  if is_outstanding s q then
    Some (pass (coming s - oldest s)
            (mkClient (oldest s) (coming s) (Nat.clearbit (outstanding s) (q - oldest s))))
  else None.

Definition answered (log : list (entry Value)) (q : nat) : Prop :=
  exists i o, at_instance log i c q o /\ o <> Expired.

Inductive reach : client -> list (entry Value) -> Prop :=
| reach_open log : (forall i q o, ~ at_instance log i c q o) -> reach client0 log
| reach_fill s s' log : reach s log -> fill s = Some s' -> reach s' log
| reach_grow s log e : reach s log ->
    (forall q v, e = Command c q v -> q < coming s) -> reach s (log ++ [e])
| reach_reply s s' log q : reach s log -> answered log q -> reply s q = Some s' -> reach s' log.

(* What is not outstanding of what was sent was answered. *)
Definition Accounted (s : client) (log : list (entry Value)) : Prop :=
  oldest s <= coming s
  /\ (forall q, q < oldest s -> answered log q)
  /\ forall q, oldest s <= q < coming s -> Nat.testbit (outstanding s) (q - oldest s) = false ->
     answered log q.

Record Inv (s : client) (log : list (entry Value)) : Prop := {
  inv_accounted : Accounted s log;
  inv_sent : forall i q o, at_instance log i c q o -> q < coming s;
  inv_rule : forall t q, t < coming s -> q + W <= t -> answered log q;
  inv_behaved : well_behaved log c
}.

Lemma answered_grow log e q : answered log q -> answered (log ++ [e]) q.
Proof. intros (i & o & A & N). exists i, o. split; [apply at_app, A | exact N]. Qed.

Lemma pass_coming fuel : forall s, coming (pass fuel s) = coming s.
Proof.
  induction fuel as [|fuel IH]; intros s; simpl; [reflexivity|].
  destruct (_ && _); [rewrite IH|]; reflexivity.
Qed.

Lemma pass_accounted log fuel : forall s, Accounted s log -> Accounted (pass fuel s) log.
Proof.
  induction fuel as [|fuel IH]; intros s (A & B & C); cbn [pass]; [split; auto|].
  destruct (Nat.ltb_spec (oldest s) (coming s)) as [L|L]; cbn [andb]; [|split; auto].
  destruct (Nat.testbit (outstanding s) 0) eqn:T; cbn [negb]; [split; auto|].
  apply IH. unfold Accounted. cbn [oldest coming outstanding]. split; [lia|]. split.
  - intros q H. destruct (Nat.eq_dec q (oldest s)) as [->|D]; [|apply B; lia].
    apply C; [lia|]. rewrite Nat.sub_diag. exact T.
  - intros q H E. apply C; [lia|]. rewrite Nat.shiftr_spec' in E.
    replace (q - oldest s) with (q - S (oldest s) + 1) by lia. exact E.
Qed.

Theorem inv_reach s log : reach s log -> Inv s log.
Proof.
  induction 1 as [log N|s s' log R I F|s log e R I G|s s' log q R I A P].
  - constructor; simpl.
    + split; [simpl; lia|]. split; simpl; intros; lia.
    + intros i q o H. exfalso. eapply N, H.
    + intros; lia.
    + intros j t o H. exfalso. eapply N, H.
  - destruct I as [(A & B & C) S Ru Be]. unfold fill in F.
    destruct (Nat.ltb_spec (coming s - oldest s) window) as [L|L]; [|discriminate F].
    injection F as <-. constructor; simpl.
    + split; [simpl; lia|]. split; simpl; [exact B|]. intros q H E.
      rewrite Nat.setbit_eqb in E. apply orb_false_iff in E. destruct E as [E1 E2].
      apply Nat.eqb_neq in E1. apply C; [lia | exact E2].
    + intros i q o H. specialize (S i q o H). lia.
    + intros t q Ht Hq. destruct (Nat.eq_dec t (coming s)) as [->|D].
      * apply B. lia.
      * apply (Ru t q); lia.
    + exact Be.
  - destruct I as [(A & B & C) S Ru Be]. constructor.
    + split; [exact A|]. split; intros; apply answered_grow; auto.
    + intros i q o H. apply at_snoc in H; [|apply inv_replay].
      destruct H as [H|(_ & (v & E) & _)]; [eapply S, H | eapply G, E].
    + intros t q Ht Hq. apply answered_grow. eapply Ru; eassumption.
    + intros j t o H q Hq. apply at_snoc in H; [|apply inv_replay].
      destruct H as [H|(-> & (v & E) & _)].
      * destruct (Be j t o H q Hq) as (i & o' & L & K & N). exists i, o'.
        split; [exact L|]. split; [apply at_app, K | exact N].
      * destruct (Ru t q (G t v E) Hq) as (i & o' & K & N). exists i, o'.
        split; [eapply at_lt, K|]. split; [apply at_app, K | exact N].
  - destruct I as [(B & C & D) S Ru Be]. unfold reply, is_outstanding in P.
    destruct (Nat.leb_spec (oldest s) q) as [L1|L1]; [|discriminate P].
    destruct (_ && _); [|discriminate P]. injection P as <-. constructor.
    + apply pass_accounted. split; [exact B|]. split; [exact C|]. simpl. intros p H E.
      rewrite Nat.clearbit_eqb in E. apply andb_false_iff in E. destruct E as [E|E].
      * apply D; assumption.
      * apply negb_false_iff, Nat.eqb_eq in E. replace p with q by lia. exact A.
    + rewrite pass_coming. exact S.
    + rewrite pass_coming. exact Ru.
    + exact Be.
Qed.

(* What the client half reports done has executed, at one instance and no other. *)
Theorem done_is_executed_once s log q : reach s log -> q < coming s -> is_outstanding s q = false ->
  exists i r, at_instance log i c q (Ran r)
    /\ forall j r', at_instance log j c q (Ran r') -> j = i /\ r' = r.
Proof.
  intros R L N. destruct (inv_reach _ _ R) as [(A & B & C) _ _ Be].
  assert (An : answered log q).
  { unfold is_outstanding in N. destruct (Nat.leb_spec (oldest s) q) as [L1|L1]; [|apply B, L1].
    destruct (Nat.ltb_spec q (coming s)); [|lia]. apply C; [lia | exact N]. }
  destruct An as (k & o & K & No).
  destruct (answered_has_executed _ W_positive _ _ _ _ _ _ _ _ _ Be _ _ _ K No) as (i & r & _ & E).
  exists i, r. split; [exact E|]. intros j r' F.
  assert (j = i) by (eapply (executed_once _ W_positive); eassumption). subst j.
  split; [reflexivity|]. destruct E as [_ E], F as [_ F]. congruence.
Qed.

End Client.

(* A window of two: 0 and 1 are sent, 2 is held back, also when 1 is answered; when 0 is, both pass.
   *)
Example held_back :
  let s2 := mkClient 0 2 3 in
  fill 2 client0 = Some (mkClient 0 1 1) /\ fill 2 (mkClient 0 1 1) = Some s2 /\ fill 2 s2 = None
  /\ reply s2 1 = Some (mkClient 0 2 1) /\ fill 2 (mkClient 0 2 1) = None
  /\ reply (mkClient 0 2 1) 1 = None /\ reply (mkClient 0 2 1) 0 = Some (mkClient 2 2 0).
Proof. repeat split. Qed.
