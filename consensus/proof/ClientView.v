(* What a client sees of the whole: the sessions of Session.v on top of what the nodes of Protocol.v
   deliver.

   A node's view is the sequence of commands that its session table executes as it applies what it
   delivered; where it starts from a snapshot, with those that are in it (tables_replay in Tables.v).
   [meaning] reads an entry from a value, and is any function: the protocol looks into no value. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes Invariant Learner.
From Paxwire Require Import Quorum Deployed.
From Paxwire Require Import Session SessionOnce ClientLog Client.
Import ListNotations.

Section View.
Context {cfg : config}.

Hypothesis shards_some : 0 < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

Variable W : nat.
Hypothesis W_positive : 1 <= W.
Variable max : nat.
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.
Variable meaning : nat -> entry Value.
Hypothesis meaning_0 : meaning 0 = Noop.  (* what fills a gap *)

Local Notation history := (history W max Machine Value Reply machine0 zero execute).
Local Notation at_instance := (at_instance W max Machine Value Reply machine0 zero execute).
Local Notation answered := (answered W max Machine Value Reply machine0 zero execute).
Local Notation executed := (executed Value Reply).
Local Notation command_of := (command_of Value Reply).
Local Notation value_of := (value_of Value Reply).
Local Notation reply_of := (reply_of Value Reply).
Local Notation after := (after Machine Value Reply machine0 execute).
Local Notation in_history :=
  (in_history W W_positive max Machine Value Reply machine0 zero execute _ _).
Local Notation history_grows :=
  (history_grows W W_positive max Machine Value Reply machine0 zero execute).
Local Notation executed_once :=
  (executed_once W W_positive max Machine Value Reply machine0 zero execute _ _ _ _ _ _ _).
Local Notation at_app := (at_app W W_positive max Machine Value Reply machine0 zero execute).
Local Notation at_app_inv := (at_app_inv W W_positive max Machine Value Reply machine0 zero execute).

Local Notation history_in :=
  (history_in W W_positive max Machine Value Reply machine0 zero execute).

Definition applied w n : list (entry Value) := List.map meaning (delivered_by w n).
Definition view w n : list executed := history (applied w n).

(* A client submitted this command. *)
Definition submitted w (c q : nat) (x : Value) : Prop :=
  exists v, Sent w (Request v) /\ meaning v = Command c q x.

(* ---- All that was ever delivered is one log ---- *)

Record whole w (l : list nat) : Prop := {
  whole_known : forall i v, nth_error l i = Some v -> known w i v;
  whole_prefix : forall n, prefix (delivered_by w n) l
}.

Lemma whole_chosen w l i v : reachable w -> whole w l -> nth_error l i = Some v -> chosen w i v.
Proof.
  intros R H N. destruct (whole_known _ _ H _ _ N) as (b & K). exists b.
  apply known_chosen in K; auto. now apply inv_reachable.
Qed.

Lemma whole_submitted w l c q x : reachable w -> whole w l ->
  In (Command c q x) (List.map meaning l) -> submitted w c q x.
Proof.
  intros R H I. apply in_map_iff in I. destruct I as (v & E & I).
  apply In_nth_error in I. destruct I as (i & I).
  destruct (validity shards_some Q1_Q2 w i v R) as [->|S]; [|congruence|now exists v].
  now apply (whole_chosen w l).
Qed.

Lemma applied_prefix w l n : whole w l -> prefix (applied w n) (List.map meaning l).
Proof.
  intros H. destruct (whole_prefix _ _ H n) as (m & E). exists (List.map meaning m).
  unfold applied. now rewrite <- map_app, <- E.
Qed.

Lemma act_learn w e u ms a : act w e = Some (u, ms, a) ->
  exists k, forall n, n <> k -> learn_of u n = learn_of w n.
Proof.
  intros E.
  assert (K : exists k, u = w \/ (exists s c, u = set_cell w k s c) \/
    (exists p, u = set_prop w k p) \/ (exists l, u = set_learn w k l) \/
    (exists lg m, u = restart w k lg m) \/ exists s, u = mkWorld (nodes w) (net w) s).
  { destruct e; cbn [act] in E; unfold when, Protocol.done, appended in E;
      repeat match type of E with
      | (if ?b then _ else _) = _ => destruct b eqn:?; try discriminate E
      | (let '(_, _) := ?x in _) = _ => destruct x eqn:?
      | match ?x with _ => _ end = _ => destruct x eqn:?; try discriminate E
      end; injection E as <- _ _;
      match goal with
      | |- exists k, set_cell _ ?n _ _ = _ \/ _ => exists n
      | |- exists k, set_prop _ ?n _ = _ \/ _ => exists n
      | |- exists k, set_learn _ ?n _ = _ \/ _ => exists n
      | |- exists k, restart _ ?n _ _ = _ \/ _ => exists n
      | _ => exists 0
      end; eauto 10. }
  destruct K as (k & K). exists k. intros n N.
  destruct K as [->|[(s & c & ->)|[(p & ->)|[(l & ->)|[(lg & m & ->)|(s & ->)]]]]]; auto.
  - apply learn_set_cell.
  - apply learn_set_prop.
  - rewrite learn_set_learn. destruct (Nat.eqb_spec k n); congruence.
  - unfold learn_of, restart. rewrite node_set. destruct (Nat.eqb_spec k n); congruence.
Qed.

(* A step adds to it at its end. *)
Lemma whole_step w l e w' ms a : reachable w -> whole w l -> exec w e = Some (w', ms, a) ->
  exists m, whole w' (l ++ m).
Proof.
  intros R H E. assert (R' : reachable w') by now apply (reachable_step w e w' ms a).
  assert (G : grows w w').
  { apply (exec_grows shards_some w e w' ms a); auto. now apply inv_reachable. }
  assert (K : forall i v, nth_error l i = Some v -> known w' i v)
    by (intros; apply (known_grows w w' G), (whole_known _ _ H); auto).
  assert (Agree : forall n i v u, nth_error l i = Some v ->
    nth_error (delivered_by w' n) i = Some u -> v = u).
  { intros n i v u A B. apply (known_agree w' i); auto; [now apply inv_reachable|].
    now apply (delivered_nth shards_some Q1_Q2 w' n). }
  assert (F : exists k, forall n, n <> k -> delivered_by w' n = delivered_by w n).
  { unfold exec in E. destruct (act w e) as [[[u ms'] a']|] eqn:A; [|discriminate].
    injection E as <- _ _. destruct (act_learn _ _ _ _ _ A) as (k & F). exists k. intros n N.
    unfold delivered_by. change (learn_of (send ms' u) n) with (learn_of u n). now rewrite F. }
  destruct F as (k & F).
  assert (Same : forall n, n <> k -> prefix (delivered_by w' n) l)
    by (intros n N; rewrite F by exact N; apply (whole_prefix _ _ H)).
  destruct (Nat.le_ge_cases (length (delivered_by w' k)) (length l)) as [L|L].
  - exists []. rewrite app_nil_r. constructor; auto. intros n.
    destruct (Nat.eq_dec n k) as [->|N]; auto. apply agree_prefix; auto.
    intros i v u A B. symmetry. now apply (Agree k i).
  - destruct (agree_prefix l (delivered_by w' k) L (Agree k)) as (m & M). exists m.
    rewrite <- M. constructor.
    + intros i v. now apply (delivered_nth shards_some Q1_Q2 w' k).
    + intros n. destruct (Nat.eq_dec n k) as [->|N]; [exists []; now rewrite app_nil_r|].
      destruct (Same n N) as (r & ->). rewrite M. exists (r ++ m). now rewrite app_assoc.
Qed.

Lemma whole_reachable w : reachable w -> exists l, whole w l.
Proof.
  induction 1 as [|w e w' ms a R (l & H) E].
  - exists []. constructor; [now intros [|]|]. intros n. exists []. reflexivity.
  - destruct (whole_step w l e w' ms a R H E) as (m & H'). now exists (l ++ m).
Qed.

(* ---- A client ---- *)

(* The client half (Client.v) of session c, among nodes that do what they may. It sends commands
   that it took, as often as it likes; a reply may come from any node that applied the command, at
   any time after. *)
Inductive client_run (c outstanding_max : nat) : client -> world -> Prop :=
| run_open w : reachable w -> (forall q x, ~ submitted w c q x) ->
    client_run c outstanding_max client0 w
| run_fill s s' w : client_run c outstanding_max s w -> fill outstanding_max s = Some s' ->
    client_run c outstanding_max s' w
| run_step s w e w' ms a : client_run c outstanding_max s w -> exec w e = Some (w', ms, a) ->
    (forall q x, submitted w' c q x -> q < coming s) -> client_run c outstanding_max s w'
| run_reply s s' w n q : client_run c outstanding_max s w -> answered c (applied w n) q ->
    reply s q = Some s' -> client_run c outstanding_max s' w.

(* It is one of Client.v, on the log of all that was ever delivered. *)
Lemma run_reach c k s w : client_run c k s w ->
  reachable w /\ exists l, whole w l /\
  reach W max Machine Value Reply machine0 zero execute c k s (List.map meaning l).
Proof.
  induction 1 as [w R N|s s' w _ (R & l & H & I) F|s w e w' ms a _ (R & l & H & I) E S
    |s s' w n q _ (R & l & H & I) A P].
  - split; auto. destruct (whole_reachable w R) as (l & H). exists l. split; auto.
    apply reach_open. intros i q o ((x & X) & _). apply (N q x).
    apply (whole_submitted w l); auto. now apply nth_error_In in X.
  - split; auto. exists l. split; auto. eapply reach_fill; eauto.
  - assert (R' : reachable w') by now apply (reachable_step w e w' ms a).
    split; auto. destruct (whole_step w l e w' ms a R H E) as (m & M).
    exists (l ++ m). split; auto. rewrite map_app.
    assert (B : forall q x, In (Command c q x) (List.map meaning m) -> q < coming s).
    { intros q x J. apply (S q x), (whole_submitted w' (l ++ m)); auto.
      rewrite map_app. apply in_or_app. auto. }
    clear - I B. induction (List.map meaning m) as [|y r IH] using rev_ind.
    + now rewrite app_nil_r.
    + rewrite app_assoc. apply reach_grow.
      * apply IH. intros q x J. apply (B q x), in_or_app. auto.
      * intros q x ->. apply (B q x), in_or_app. right. now left.
  - split; auto. exists l. split; auto. eapply reach_reply; eauto.
    destruct (applied_prefix w l n H) as (m & ->). destruct A as (i & o & A & No).
    exists i, o. split; auto. now apply at_app.
Qed.

(* ---- The view ---- *)

Lemma view_command w n c q x r : In (c, q, x, r) (view w n) ->
  exists i, at_instance (applied w n) i c q (Ran r) /\
            nth_error (applied w n) i = Some (Command c q x).
Proof. intros H. destruct (in_history H) as (i & A & B). now exists i. Qed.

Lemma view_submitted w n c q x r : reachable w -> In (c, q, x, r) (view w n) -> submitted w c q x.
Proof.
  intros R H. destruct (view_command _ _ _ _ _ _ H) as (i & _ & B).
  destruct (whole_reachable w R) as (l & L). apply (whole_submitted w l); auto.
  destruct (applied_prefix w l n L) as (m & ->). apply in_or_app. left. now apply nth_error_In in B.
Qed.

Lemma view_one w w' n n' : reachable w -> steps w w' ->
  prefix (view w n) (view w' n') \/ prefix (view w' n') (view w n).
Proof.
  intros R S. destruct (prefixes shards_some Q1_Q2 w w' n n' R S) as [(m & E)|(m & E)];
    [left|right]; apply history_grows; unfold applied; rewrite E, map_app; eexists; reflexivity.
Qed.

Lemma whole_steps w w' l : reachable w -> steps w w' -> whole w l -> exists m, whole w' (l ++ m).
Proof.
  intros R S H. induction S as [w|w u e w' ms a S IH E].
  - exists []. now rewrite app_nil_r.
  - destruct (IH R H) as (m & M). assert (Ru : reachable u) by now apply (steps_reachable w).
    destruct (whole_step u _ e w' ms a Ru M E) as (k & K). exists (m ++ k). now rewrite app_assoc.
Qed.

(* The log that a client of the replicated machine sees. In every reachable world w and later w',
   for any nodes n and n', whatever crashed:
   - no command stands in a view twice;
   - each was submitted;
   - each reply is what the machine says when it executes the view in its order;
   - of two views one is a prefix of the other: nothing is ever taken back or put between;
   - what was submitted only after w stands behind all that a view of w has;
   - a command that a client has been answered has one place in the log for good: its instance has
     chosen it, each node that delivers so far has executed it, and no view has another execution
     of it or another reply. *)
Definition client_sees w n : Prop :=
  NoDup (List.map command_of (view w n)) /\
  (forall c q x r, In (c, q, x, r) (view w n) -> submitted w c q x) /\
  (forall before x later, view w n = before ++ x :: later ->
     reply_of x = snd (execute (after before) (value_of x))) /\
  (forall w' n', steps w w' ->
     prefix (view w n) (view w' n') \/ prefix (view w' n') (view w n)) /\
  (forall w' n' c q x r, steps w w' -> In (c, q, x, r) (view w' n') -> ~ submitted w c q x ->
     exists later, view w' n' = view w n ++ later /\ In (c, q, x, r) later) /\
  (forall c k s q, k <= W -> client_run c k s w -> q < coming s -> is_outstanding s q = false ->
     exists i v x r, meaning v = Command c q x /\
     forall w' n', steps w w' -> chosen w' i v /\
       (i < count (learn_of w' n') -> In (c, q, x, r) (view w' n')) /\
       (forall x' r', In (c, q, x', r') (view w' n') -> x' = x /\ r' = r)).

Theorem client_view w n : reachable w -> client_sees w n.
Proof.
  intros R. split; [|split; [|split; [|split; [|split]]]].
  - apply history_once; auto.
  - intros c q x r. now apply view_submitted.
  - intros before x later. apply reply_in_place; auto.
  - intros w' n'. now apply view_one.
  - intros w' n' c q x r S I N. destruct (view_one w w' n n' R S) as [(m & E)|(m & E)].
    + exists m. split; auto. rewrite E, in_app_iff in I. destruct I as [I|I]; auto.
      exfalso. eapply N, view_submitted; eauto.
    + exfalso. eapply N, (view_submitted w n); auto. rewrite E. apply in_or_app. eauto.
  - intros c k s q K C L O. destruct (run_reach c k s w C) as (_ & l & H & I).
    destruct (done_is_executed_once W W_positive max Machine Value Reply machine0 zero execute c k K
      s _ q I L O) as (i & r & A & _).
    destruct (proj1 A) as (x & X). pose proof X as Y. rewrite nth_error_map in Y.
    destruct (nth_error l i) as [v|] eqn:V; [|discriminate]. injection Y as Y.
    exists i, v, x, r. split; auto. intros w' n' S.
    destruct (whole_steps w w' l R S H) as (m & M).
    assert (R' : reachable w') by now apply (steps_reachable w).
    destruct (applied_prefix w' _ n' M) as (z & Z).
    assert (A' : at_instance (List.map meaning (l ++ m)) i c q (Ran r))
      by (rewrite map_app; apply at_app; exact A).
    assert (V' : nth_error (l ++ m) i = Some v).
    { rewrite nth_error_app1; auto. apply nth_error_Some. congruence. }
    assert (N : nth_error (List.map meaning (l ++ m)) i = Some (Command c q x))
      by (rewrite nth_error_map, V'; simpl; congruence).
    rewrite Z in A', N. split; [|split].
    + now apply (whole_chosen w' (l ++ m)).
    + intros D. assert (D' : i < length (applied w' n'))
        by (unfold applied; now rewrite map_length, delivered_length).
      rewrite nth_error_app1 in N by exact D'. apply (history_in _ i); auto.
      now apply at_app_inv in A'.
    + intros x' r' J. destruct (view_command _ _ _ _ _ _ J) as (j & B & F).
      apply (at_app _ z) in B. assert (j = i) by now apply (executed_once B A'). subst j.
      destruct A' as [_ A'], B as [_ B]. split; [|congruence].
      rewrite nth_error_app1 in N by (apply nth_error_Some; congruence). congruence.
Qed.

End View.

(* At every quorum system that quorum.c accepts, with any session window and any state machine. *)
Theorem deployed_client_view s nodes_max shards_count block_size accept_window log_instances far
  W max Machine Value Reply machine0 zero execute meaning :
  valid s = true -> 0 < shards_count -> 1 <= W -> meaning 0 = Noop ->
  let here := deployed s nodes_max shards_count block_size accept_window log_instances far in
  forall w n, @reachable here w ->
    @client_sees here W max Machine Value Reply machine0 zero execute meaning w n.
Proof. intros V S P M here w n. now apply client_view; [|apply quorums_meet| |]. Qed.
