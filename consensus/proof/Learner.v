(* Learners: what nodes deliver, whenever and after whatever crashes, are prefixes of one sequence. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant.
Import ListNotations.

Lemma agree_prefix (x y : list nat) : length x <= length y ->
  (forall i v u, nth_error x i = Some v -> nth_error y i = Some u -> v = u) ->
  exists rest, y = x ++ rest.
Proof.
  revert y. induction x as [|a r IH]; simpl; intros y L H; [now exists y|].
  destruct y as [|b s]; simpl in L; [lia|].
  assert (a = b) by (apply (H 0); auto). subst b.
  destruct (IH s) as [rest ->]; [lia| |now exists rest].
  intros i v u A B. apply (H (S i)); auto.
Qed.

Section Learner.
Context {cfg : config}.

Hypothesis shards_some : 0 < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

Inductive steps : world -> world -> Prop :=
| steps_refl w : steps w w
| steps_next w u e w' ms a : steps w u -> exec u e = Some (w', ms, a) -> steps w w'.

Lemma steps_reachable w w' : reachable w -> steps w w' -> reachable w'.
Proof.
  intros R S. induction S as [|w u e w' ms a S IH E]; auto. apply (reachable_step u e w' ms a); auto.
Qed.

(* ---- What a step can do to disks, and to votes that were told ---- *)

Ltac cases E := repeat match type of E with
  | (if ?b then _ else _) = _ => destruct b eqn:?; try discriminate E
  | (let '(_, _) := ?x in _) = _ => destruct x eqn:?
  | match ?x with _ => _ end = _ => destruct x eqn:?; try discriminate E
  end.

Lemma act_net w e u ms a : act w e = Some (u, ms, a) -> net u = net w.
Proof.
  intros E. destruct e; cbn [act] in E; unfold when, done, appended in E; cases E;
    injection E as <- <- <-; reflexivity.
Qed.

Lemma act_disk w e u ms a n s : invariant w -> act w e = Some (u, ms, a) ->
  later (disk (cell_of w n s)) (disk (cell_of u n s)).
Proof.
  intros I E. destruct e; cbn [act] in E; unfold when, done, appended in E; cases E;
    injection E as <- <- <-; rewrite ?cell_set_prop, ?cell_set_learn, ?cell_set_cell, ?cell_restart;
    try apply later_refl;
    match goal with
    | |- later _ (disk (if (?k =? n) && (?t =? s) then _ else _)) =>
        destruct (Nat.eqb_spec k n), (Nat.eqb_spec t s); cbn [andb]; try apply later_refl; subst
    | _ => idtac
    end; try apply later_refl.
  - destruct (inv_cell _ I n s) as (_ & B). unfold sync in *.
    destruct (pending (cell_of w n s)) as [|[y k] r] eqn:F; [discriminate|].
    match goal with H : Some _ = Some _ |- _ => injection H as <- <- end. simpl. apply B.
  - destruct (_ =? n); simpl; apply later_refl.
Qed.

(* A vote that is new in the net is one at or above what the disk promised. *)
Lemma act_votes w e u ms a n s b f c : invariant w -> act w e = Some (u, ms, a) ->
  In (Accepted n s b f c) ms ->
  promised (disk (cell_of w n s)) <= b \/
  exists c1 c2, c = c1 + c2 /\ Sent w (Accepted n s b f c1) /\ Sent w (Accepted n s b (f + c1) c2).
Proof.
  intros I E M. destruct e; cbn [act] in E; unfold when, done, appended in E; cases E;
    injection E as <- <- <-; simpl in M; try tauto;
    try (destruct M as [M|[]]; discriminate M).
  - destruct M as [M|[]]. injection M as <- <- <- <- <-. right. exists c1, c2.
    match goal with H : _ && _ = true |- _ => apply andb_true_iff in H; destruct H end. auto.
  - destruct (inv_cell _ I n0 s0) as (_ & B). unfold sync in *.
    destruct (pending (cell_of w n0 s0)) as [|[y k] r] eqn:F; [discriminate|].
    match goal with H : Some _ = Some _ |- _ => injection H as <- <- end.
    destruct B as (B1 & _ & B3 & _). apply B3 in M. simpl in M. destruct M as (-> & -> & -> & _).
    left. apply B1.
Qed.

Lemma exec_grows w e w' ms a : invariant w -> exec w e = Some (w', ms, a) -> grows w w'.
Proof.
  intros I X. unfold exec in X. destruct (act w e) as [[[u ms'] a']|] eqn:E; [|discriminate].
  injection X as <- <- <-.
  assert (SE : forall m, Sent (send ms' u) m <-> In m ms' \/ Sent w m).
  { intros m. rewrite sent_send. unfold Sent, sent. now rewrite (act_net _ _ _ _ _ E). }
  constructor.
  - intros m M. apply SE. now right.
  - intros n s. apply (act_disk w e u ms' a'); auto.
  - intros n c i (f & k & A & B). apply SE in A. destruct A as [A|A]; [|left; exists f, k; auto].
    destruct (act_votes w e u ms' a' _ _ _ _ _ I E A) as [L|(c1 & c2 & -> & A1 & A2)]; auto.
    left. destruct (Nat.lt_ge_cases i (f + c1)).
    + exists f, c1. split; auto. lia.
    + exists (f + c1), c2. split; auto. lia.
Qed.

Lemma steps_grow w w' : reachable w -> steps w w' -> grows w w'.
Proof.
  intros R S. induction S as [|w u e w' ms a S IH E]; [apply grows_refl|].
  apply (grows_trans w u); auto. apply (exec_grows u e w' ms a); auto.
  apply inv_reachable; auto. now apply (steps_reachable w).
Qed.

Lemma steps_disk w w' n s : reachable w -> steps w w' ->
  later (disk (cell_of w n s)) (disk (cell_of w' n s)).
Proof.
  intros R S. induction S as [|w u e w' ms a S IH E]; [apply later_refl|].
  apply (later_trans _ (disk (cell_of u n s))); auto. unfold exec in E.
  destruct (act u e) as [[[v ms'] a']|] eqn:A; [|discriminate]. injection E as <- <- <-.
  apply (act_disk u e v ms' a'); auto. apply inv_reachable; auto. now apply (steps_reachable w).
Qed.

(* ---- One sequence ---- *)

Definition delivered_by w n : list nat :=
  let l := learn_of w n in List.map (fun i => get 0 i (log l)) (seq 0 (count l)).

Lemma delivered_length w n : length (delivered_by w n) = count (learn_of w n).
Proof. unfold delivered_by. now rewrite map_length, seq_length. Qed.

Lemma delivered_nth w n i v : reachable w -> nth_error (delivered_by w n) i = Some v -> known w i v.
Proof.
  intros R H. assert (L : i < count (learn_of w n)).
  { rewrite <- delivered_length. apply nth_error_Some. congruence. }
  destruct (inv_learner _ (inv_reachable shards_some Q1_Q2 _ R) n) as (A & _).
  destruct (A i L) as (u & F & K). unfold delivered_by in H. rewrite nth_error_map in H.
  rewrite (nth_error_nth' _ 0) in H by (now rewrite seq_length). rewrite seq_nth in H by auto.
  simpl in H. unfold get in H. rewrite F in H. congruence.
Qed.

(* What is delivered is chosen, hence submitted, or a no-op. *)
Theorem delivered_chosen w n i v : reachable w -> nth_error (delivered_by w n) i = Some v ->
  chosen w i v /\ proposable w v.
Proof.
  intros R H. apply delivered_nth in H; auto. destruct H as (b & K).
  apply known_chosen in K; [|now apply inv_reachable]. assert (chosen w i v) by now exists b.
  split; auto. now apply (validity shards_some Q1_Q2 w i).
Qed.

(* Two nodes, or one node at two times, between which it may have crashed. *)
Theorem delivered_agree w w' n n' i v v' : reachable w -> steps w w' ->
  nth_error (delivered_by w n) i = Some v -> nth_error (delivered_by w' n') i = Some v' -> v = v'.
Proof.
  intros R S A B. apply delivered_nth in A; auto.
  assert (R' : reachable w') by now apply (steps_reachable w).
  apply delivered_nth in B; auto. apply (known_agree w' i); auto.
  - now apply inv_reachable.
  - apply (known_grows w); auto. now apply steps_grow.
Qed.

Theorem prefixes w w' n n' : reachable w -> steps w w' ->
  (exists rest, delivered_by w' n' = delivered_by w n ++ rest) \/
  (exists rest, delivered_by w n = delivered_by w' n' ++ rest).
Proof.
  intros R S. destruct (Nat.le_ge_cases (length (delivered_by w n)) (length (delivered_by w' n'))).
  - left. apply agree_prefix; auto. intros i v u A B. eapply delivered_agree; eauto.
  - right. apply agree_prefix; auto. intros i v u A B. symmetry. eapply delivered_agree; eauto.
Qed.

(* What is chosen stays chosen. *)
Theorem chosen_for_good w w' i v : reachable w -> steps w w' -> chosen w i v -> chosen w' i v.
Proof.
  intros R S (b & K). exists b. apply (chosen_grows w); auto. now apply steps_grow.
Qed.

End Learner.
