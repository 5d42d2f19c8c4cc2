(* The session table and the state machine of a node, as it goes: it executes what it delivers, saves
   both in its snapshots, and takes both from one as it restarts or has fallen behind. They are always
   those of a node that executed all of the log that it has delivered. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant Learner.
From Paxwire Require Import Session SessionOnce ClientLog Client ClientView.
Import ListNotations.

Section Tables.
Context {cfg : config}.
Variables W max : nat.
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.
Variable meaning : nat -> entry Value.

Local Notation state := (state Machine Reply).
Local Notation state0 := (state0 Reply machine0).
Local Notation carry_on := (carry_on W max zero execute).
Local Notation replay := (replay W max machine0 zero execute).

Definition set_at (n : nat) (x : state) (f : nat -> state) (k : nat) : state :=
  if n =? k then x else f k.

(* What node n delivered by a step that took nothing over. *)
Definition fresh w w' n : list (entry Value) :=
  skipn (count (learn_of w n)) (List.map meaning (delivered_by w' n)).

Definition at_snapshot (saved : nat -> state) k : state := if k =? 0 then state0 else saved k.

(* A run, with the state of each node, and of each snapshot by the length of its log. *)
Inductive tables : world -> (nat -> state) -> (nat -> state) -> Prop :=
| tables_init saved : tables world_init (fun _ => state0) saved
| tables_jump w w' n k ms a own saved : tables w own saved ->
    exec w (EJump n k) = Some (w', ms, a) -> tables w' (set_at n (at_snapshot saved k) own) saved
| tables_restart w w' n k ms a own saved : tables w own saved ->
    exec w (ERestart n k) = Some (w', ms, a) -> tables w' (set_at n (at_snapshot saved k) own) saved
| tables_save w w' n ms a own saved : tables w own saved ->
    exec w (ESnapshot n) = Some (w', ms, a) ->
    tables w' own (set_at (count (learn_of w n)) (own n) saved)
| tables_apply w e w' ms a own saved : tables w own saved -> exec w e = Some (w', ms, a) ->
    match e with EJump _ _ | ERestart _ _ | ESnapshot _ => False | _ => True end ->
    tables w' (fun n => fst (carry_on (own n) (fresh w w' n))) saved.

(* There are such states in every reachable world. *)
Lemma tables_exist w : reachable w -> exists own saved, tables w own saved.
Proof.
  induction 1 as [|w e w' ms a R (own & saved & T) E].
  - eexists. exists (fun _ => state0). constructor.
  - destruct e; try (do 2 eexists; eapply tables_apply; [exact T|exact E|exact I]).
    + do 2 eexists. eapply tables_save; eauto.
    + do 2 eexists. eapply tables_jump; eauto.
    + do 2 eexists. eapply tables_restart; eauto.
Qed.

(* ---- Logs ---- *)

Definition listed (lg : map nat) k : list nat := List.map (fun i => get 0 i lg) (seq 0 k).

(* What a learner had delivered it keeps, unless it takes over a snapshot. *)
Definition extends (l l' : learner) : Prop :=
  exists more, listed (log l') (count l') = listed (log l) (count l) ++ more.

Lemma extends_refl l : extends l l.
Proof. exists []. now rewrite app_nil_r. Qed.

Lemma extends_trans l k m : extends l k -> extends k m -> extends l m.
Proof. intros (a & A) (b & B). exists (a ++ b). rewrite B, A. now rewrite app_assoc. Qed.

Lemma listed_put lg k j v : k <= j -> listed (put j v lg) k = listed lg k.
Proof.
  intros L. apply map_ext_in. intros i I. apply in_seq in I. rewrite get_put.
  destruct (Nat.eqb_spec j i); [lia|auto].
Qed.

Lemma extends_deliver l v : extends l (deliver1 l v).
Proof.
  exists [v]. simpl. unfold listed at 1. rewrite seq_S, map_app. simpl.
  change (List.map _ (seq 0 (count l))) with (listed (put (count l) v (log l)) (count l)).
  rewrite listed_put by auto. now rewrite get_put, Nat.eqb_refl.
Qed.

Lemma extends_run x b vs : forall l i l', deliver_run x b l i vs = Some l' -> extends l l'.
Proof.
  induction vs as [|v r IH]; simpl; intros l i l' E; [injection E as <-; apply extends_refl|].
  destruct (i <? count l); [eauto|]. destruct (_ && _); [|discriminate].
  eapply extends_trans; [apply extends_deliver|eauto].
Qed.

(* Of an event that is allowed: each way through it. *)
Ltac allowed_cases E :=
  unfold when, Protocol.done, appended in E;
  repeat match type of E with
  | (if ?b then _ else _) = _ => destruct b eqn:?; try discriminate E
  | (let '(_, _) := ?x in _) = _ => destruct x eqn:?
  | match ?x with _ => _ end = _ => destruct x eqn:?; try discriminate E
  end; injection E as <- _ _.

Lemma act_extends w e u ms a n : act w e = Some (u, ms, a) ->
  match e with EJump _ _ | ERestart _ _ => False | _ => True end ->
  extends (learn_of w n) (learn_of u n).
Proof.
  intros E N. destruct e; cbn [act] in E; try contradiction; allowed_cases E;
    rewrite ?learn_set_cell, ?learn_set_prop, ?learn_set_learn;
    match goal with
    | |- extends ?x ?x => apply extends_refl
    | |- extends _ (learn_of (mkWorld _ _ _) _) => apply extends_refl
    | |- extends _ (if ?k =? n then _ else _) =>
        destruct (Nat.eqb_spec k n); [subst k|apply extends_refl]
    end; try apply extends_deliver.
  eapply extends_run; eauto.
Qed.

Lemma act_snapshots w e u ms a : act w e = Some (u, ms, a) ->
  match e with ESnapshot _ => False | _ => True end -> snapshots u = snapshots w.
Proof.
  intros E N. destruct e; cbn [act] in E; try contradiction; allowed_cases E; reflexivity.
Qed.

(* Each node's is that of one who executed all that it delivered. *)
Theorem tables_replay w own saved : tables w own saved ->
  (forall n, own n = fst (replay (applied Value meaning w n))) /\
  forall k lg, snapshot w k = Some lg ->
    at_snapshot saved k = fst (replay (List.map meaning (listed lg k))).
Proof.
  assert (Zero : forall w saved k lg, k = 0 -> snapshot w k = Some lg ->
    at_snapshot saved k = fst (replay (List.map meaning (listed lg k)))) by (intros; subst; reflexivity).
  induction 1 as [saved|w w' n k ms a own saved _ (O & S) E|w w' n k ms a own saved _ (O & S) E
    |w w' n ms a own saved _ (O & S) E|w e w' ms a own saved _ (O & S) E N].
  - split; [reflexivity|]. intros k lg E.
    destruct (Nat.eq_dec k 0) as [Z|Z]; [now apply (Zero world_init)|].
    unfold snapshot in E. destruct (Nat.eqb_spec k 0); [tauto|]. simpl in E.
    now rewrite find_empty in E.
  - unfold exec in E. cbn [act] in E. destruct (snapshot w k) as [lg|] eqn:F; [|discriminate].
    unfold when, Protocol.done in E. destruct (_ <? _); [|discriminate]. injection E as <- _ _.
    split; [|exact S]. intros m. unfold applied, delivered_by.
    change (learn_of (send [] ?u)) with (learn_of u). rewrite learn_set_learn. unfold set_at.
    destruct (n =? m); [now apply S|apply O].
  - unfold exec in E. cbn [act] in E. destruct (snapshot w k) as [lg|] eqn:F; [|discriminate].
    unfold Protocol.done in E. injection E as <- _ _.
    split; [|exact S]. intros m. unfold applied, delivered_by.
    change (learn_of (send [] ?u)) with (learn_of u). unfold set_at.
    replace (learn_of (restart w n lg k) m) with (if n =? m then mkLearner lg k k else learn_of w m).
    + destruct (n =? m); [now apply S|apply O].
    + unfold learn_of, restart. rewrite node_set. now destruct (n =? m).
  - unfold exec in E. cbn [act] in E. unfold Protocol.done in E. injection E as <- _ _.
    split; [exact O|]. intros k lg F.
    destruct (Nat.eq_dec k 0) as [Z|Z]; [exact (Zero _ _ _ _ Z F)|].
    unfold snapshot in F. unfold at_snapshot, set_at.
    destruct (Nat.eqb_spec k 0); [tauto|]. simpl in F. rewrite find_put in F.
    destruct (Nat.eqb_spec (count (learn_of w n)) k) as [<-|D].
    + injection F as <-. apply O.
    + specialize (S k lg). unfold snapshot, at_snapshot in S.
      destruct (Nat.eqb_spec k 0); [tauto|]. now apply S.
  - unfold exec in E. destruct (act w e) as [[[u ms'] a']|] eqn:A; [|discriminate].
    injection E as <- _ _. split.
    + intros n. destruct (act_extends w e u ms' a' n A) as (more & M); [now destruct e|].
      rewrite O. unfold fresh. change (delivered_by (send ms' u) n) with (delivered_by u n).
      unfold applied. change (delivered_by (send ms' u) n) with (delivered_by u n).
      change (delivered_by u n = delivered_by w n ++ more) in M. rewrite M, map_app.
      rewrite snapshot_then_carry_on. cbn [fst]. do 2 f_equal.
      rewrite <- (delivered_length w n), <- (map_length meaning), skipn_app, skipn_all, Nat.sub_diag.
      reflexivity.
    + intros k lg F. apply S. unfold snapshot in *. simpl in F.
      rewrite (act_snapshots w e u ms' a' A) in F; [exact F|now destruct e].
Qed.

End Tables.
