(* The invariant holds at the start and is kept by every event: agreement and validity follow. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts Steps Agreement Nodes.
Import ListNotations.

Section Invariant.
Context {cfg : config}.

(* All that is asked of a configuration. *)
Hypothesis shards_some : 0 < shards.
Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

Lemma inv_init : invariant world_init.
Proof.
  assert (N : forall m, ~ Sent world_init m) by apply sent_init.
  assert (CE : forall n s, cell_of world_init n s = cell_init).
  { intros. unfold cell_of, node_of. simpl nodes. rewrite get_empty. exact (get_empty cell cell_init s). }
  assert (SL : forall i, slot_at acceptor_init i = None).
  { intros. unfold slot_at. simpl. now rewrite find_empty. }
  constructor.
  - intros n s. unfold cell_ok. rewrite CE. simpl. split; auto.
    split; [apply order_init|]. split; [|split].
    + intros i _. unfold slot_ok. now rewrite SL.
    + intros c i _ (f & k & M & _). now apply N in M.
    + simpl. intros i _. lia.
  - intros m M. now apply N in M.
  - intros b f vs f' vs' i M. now apply N in M.
  - intros p. unfold prop_of, node_of. simpl nodes. rewrite get_empty. simpl.
    split; [|split]; simpl; try discriminate; intros b; intros; exfalso; eapply N; eauto.
  - intros n. unfold learn_of, node_of. simpl nodes. rewrite get_empty. split; simpl; intros; lia.
  - intros k lg E i L. unfold snapshot in E. simpl in E. rewrite find_empty in E.
    destruct (Nat.eqb_spec k 0); [lia|discriminate].
Qed.

(* ---- Every event ---- *)

Ltac guards := repeat match goal with
  | H : andb _ _ = true |- _ => apply andb_true_iff in H; destruct H
  | H : negb _ = true |- _ => apply negb_true_iff in H
  | H : Nat.eqb _ _ = true |- _ => apply Nat.eqb_eq in H
  | H : Nat.leb _ _ = true |- _ => apply Nat.leb_le in H
  | H : Nat.ltb _ _ = true |- _ => apply Nat.ltb_lt in H
  | H : in_shard _ _ _ = true |- _ => apply in_shard_spec in H
  end.

(* An event that its guard forbids did not happen. *)
Ltac happened H := unfold when, done, appended in H; repeat match type of H with
  | (if ?b then _ else _) = _ => destruct b eqn:?; [|try discriminate H]
  end; guards; try discriminate H.

Lemma inv_quiet w ms : invariant w ->
  (forall m, In m ms -> voteless m /\ message_ok w m /\ match m with
     | Accept _ _ _ => False
     | Commit b k => b <= ballot (prop_of w (owner b)) /\
         (active (prop_of w (owner b)) = true -> b = ballot (prop_of w (owner b)) ->
          k <= mark (prop_of w (owner b)))
     | _ => True end) -> invariant (send ms w).
Proof.
  intros I H. apply inv_say; auto; [|intros m M; apply (H m M)].
  intros n c i. apply voted_send. intros m M. apply (H m M).
Qed.

Lemma send_nothing w : send [] w = w.
Proof. destruct w. reflexivity. Qed.

Theorem inv_step w e w' ms a : invariant w -> exec w e = Some (w', ms, a) -> invariant w'.
Proof.
  intros I X. unfold exec in X. destruct (act w e) as [[[u ms'] a']|] eqn:E; [|discriminate].
  injection X as <- <- <-. destruct e; cbn [act] in E.
  - (* ERequest *)
    injection E as <- <- <-. apply inv_quiet; auto. intros m [<-|[]]. simpl. auto.
  - (* EPrepare *)
    destruct (on_prepare _ _ _) as [x r] eqn:H. happened E.
    destruct r; injection E as <- <- <-; rewrite send_nothing; auto.
    replace x with (fst (on_prepare too_high (mem (cell_of w n s)) b)) by now rewrite H.
    apply inv_prepare; auto. now rewrite H.
  - (* EPromise *)
    happened E. injection E as <- <- <-. apply inv_quiet; auto. intros m [<-|[]]. simpl.
    split; auto. split; auto. now apply promise_told.
  - (* EPull *)
    destruct (negb _) eqn:N; [injection E as <- <- <-; now rewrite send_nothing|].
    destruct (from <? _) eqn:L; [injection E as <- <- <-; now rewrite send_nothing|].
    happened E. injection E as <- <- <-. apply negb_false_iff, Nat.eqb_eq in N.
    apply Nat.ltb_ge in L. apply inv_quiet; auto. intros m [<-|[]]. simpl.
    split; auto. split; auto. intros j r J S.
    rewrite nth_error_map in J. destruct (nth_error (seq from size) j) as [i|] eqn:Q; [|discriminate].
    injection J as <-. assert (i = from + j).
    { assert (j < size) by (rewrite <- (seq_length size from); apply nth_error_Some; congruence).
      rewrite (nth_error_nth' _ 0) in Q by (now rewrite seq_length). injection Q as <-.
      now apply seq_nth. }
    subst i. apply (report_of_ok w n s); auto. lia.
  - (* EAccept *)
    destruct (on_accept _ _ _ _ _ _) as [x r] eqn:H. happened E.
    destruct r; injection E as <- <- <-; rewrite send_nothing; auto;
      replace x with (fst (on_accept window too_high (mem (cell_of w n s)) b first vs))
        by (now rewrite H); apply inv_accept; auto; rewrite H; auto.
  - (* EMerge *)
    happened E. injection E as <- <- <-. apply inv_say; auto.
    + intros k c i. now apply voted_merge.
    + intros m [<-|[]]. simpl. auto.
  - (* EChosen *)
    destruct (on_chosen _ _ _ _) as [x r] eqn:H. happened E.
    destruct r; injection E as <- <- <-; rewrite send_nothing; auto.
    replace x with (fst (on_chosen window (mem (cell_of w n s)) first vs)) by (now rewrite H).
    apply inv_chosen; auto. now apply all_sent_known.
  - (* ENote *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    apply inv_ends; auto; [apply same_note|apply order_note, mem_good, I|].
    simpl. intros i S A B. left. eapply told_kept; eauto. lia.
  - (* ETrim *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    apply inv_ends; auto; [apply same_trim|apply order_trim, mem_good, I|].
    intros i S A B. left. eapply told_kept; eauto. revert B. unfold trim.
    destruct (_ <=? _); simpl; lia.
  - (* EInstall *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    pose proof (mem_good _ _ _ (inv_cell _ I n s)) as (O & _).
    apply inv_ends; auto; [apply same_install, O|now apply order_install|].
    intros i S A B. right. revert B. unfold install. destruct (_ <=? _); simpl; lia.
  - (* EDrop *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    apply inv_ends; auto; [apply same_drop|apply order_drop, mem_good, I|].
    simpl. intros i S A B. lia.
  - (* ESettle *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    apply inv_ends; auto; [apply same_settle|apply order_settle, mem_good, I|].
    intros i S A B. exfalso. revert B. unfold settle.
    destruct (Nat.ltb_spec (count (learn_of w n)) (tail (mem (cell_of w n s)))),
      (Nat.leb_spec (delivered (mem (cell_of w n s))) (count (learn_of w n))); simpl; lia.
  - (* EForget *)
    happened E. injection E as <- <- <-. rewrite send_nothing.
    apply inv_ends; auto; [apply same_forget|apply order_forget, mem_good, I|].
    simpl. intros i S A B. lia.
  - (* ERecount *)
    happened E. injection E as <- <- <-. rewrite send_nothing. now apply inv_recount.
  - (* EServe *)
    happened E. destruct (slot_at _ _) as [v|] eqn:S; [|discriminate]. injection E as <- <- <-.
    apply inv_quiet; auto. intros m [<-|[]]. simpl. split; auto. split; auto.
    pose proof (mem_good _ _ _ (inv_cell _ I n s)) as G.
    eapply kept_value; eauto. apply G; auto. lia.
  - (* ESync *)
    destruct (sync _) as [[c l]|] eqn:S; [|discriminate]. injection E as <- <- <-.
    now apply inv_sync.
  - (* EStart *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    apply fits_start; auto. apply I.
  - (* ESendPrepare *)
    happened E. injection E as <- <- <-. apply inv_quiet; auto. intros m [<-|[]]. simpl.
    split; auto. split; auto. intros s S.
    destruct (inv_proposer _ I p) as (_ & _ & L). destruct L as (O & _ & P & _); auto. rewrite O.
    match goal with H : promised_all _ _ = true |- _ => unfold promised_all in H;
      rewrite forallb_forall in H; specialize (H s); rewrite in_seq in H;
      destruct (get2 s p _) as [[low top]|] eqn:K; [|discriminate H; lia] end.
    apply P in K. apply K.
  - (* EHearPromise *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    now apply fits_hear_promise.
  - (* EHearVotes *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    now apply (fits_hear_votes w p n s).
  - (* EBegin *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    apply fits_begin; auto. apply I.
  - (* EPropose *)
    happened E. injection E as <- <- <-. now apply inv_propose with (q := quorum).
  - (* EOpen *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    now apply (fits_open w p quorum).
  - (* EAdvance *)
    destruct (find _ _) as [size|] eqn:R; [|discriminate].
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    now apply (fits_advance w p size votes).
  - (* ECommit *)
    happened E. injection E as <- <- <-.
    destruct (inv_proposer _ I p) as (A & B & L). specialize (L H).
    destruct L as (O & M & _ & _ & L & _).
    apply inv_quiet; auto. intros m [<-|[]]. simpl. rewrite O.
    split; auto. split; [split; [|exact L]|auto]. exact (inv_message _ I _ H0).
  - (* EStop *)
    injection E as <- <- <-. rewrite send_nothing. apply inv_set_prop; auto.
    apply (fits_idle w p (prop_of w p)); auto. apply I.
  - (* EDeliver *)
    happened E. destruct (deliver_run _ _ _ _ _) as [l|] eqn:D; [|discriminate].
    injection E as <- <- <-. rewrite send_nothing. apply inv_set_learn; auto.
    eapply fits_deliver_run; eauto; [|apply I]. intros j v J.
    assert (j < length vs) by (apply nth_error_Some; congruence). split.
    + exists wm. split; auto. split; [lia|]. exists first, vs. split; auto. split; [lia|].
      now replace (first + j - first) with j by lia.
    + match goal with H : run_in_shard _ _ _ |- _ => apply H; lia end.
  - (* EDeliverChosen *)
    happened E. injection E as <- <- <-. rewrite send_nothing. apply inv_set_learn; auto.
    assert (K : known w (count (learn_of w n)) v).
    { match goal with H : sent _ _ = true |- _ => exact (inv_message _ I _ H) end. }
    apply fits_deliver1; auto; [apply I|].
    set (i := count (learn_of w n)) in *.
    pose proof (mem_good _ _ _ (inv_cell _ I n (shard_of i))) as (G & _ & _ & G4).
    match goal with H : _ || _ = true |- _ => apply orb_true_iff in H; destruct H as [H|H] end.
    + apply G4; auto. destruct G as (G & _). pose proof (floor_le block (delivered
        (mem (cell_of w n (shard_of i))))). apply Nat.ltb_lt in H0. lia.
    + right. destruct K as (b & K). exists b, v. split; auto.
      destruct (slot_at _ _) as [[]|]; try discriminate. simpl. auto.
  - (* EDeliverOwn *)
    happened E. destruct (slot_at _ _) as [v|] eqn:S; [|discriminate]. injection E as <- <- <-.
    rewrite send_nothing. apply inv_set_learn; auto.
    set (i := count (learn_of w n)) in *.
    pose proof (mem_good _ _ _ (inv_cell _ I n (shard_of i))) as G.
    assert (K : kept w (mem (cell_of w n (shard_of i))) i) by (apply G; auto).
    apply fits_deliver1; auto; [apply I|]. eapply kept_value; eauto.
  - (* ESnapshot *)
    injection E as <- <- <-. rewrite send_nothing.
    assert (S : still w (mkWorld (nodes w) (net w)
      (put (count (learn_of w n)) (log (learn_of w n)) (snapshots w)))) by (constructor; auto).
    pose proof (still_grows _ _ S) as G. apply (inv_still w); auto.
    + intros k s. apply (cell_same w); [auto|reflexivity| |apply I].
      intros c i _. now apply still_voted.
    + intros p. apply (still_fits w); auto. apply I.
    + intros k. apply (learner_same w); [auto| |apply I]. intros s i. now apply (kept_grows w).
    + intros k lg H i J. unfold snapshot in H. simpl in H. rewrite find_put in H.
      destruct (Nat.eqb_spec k 0); [lia|]. destruct (Nat.eqb_spec (count (learn_of w n)) k).
      * injection H as <-. subst k. apply (inv_learner _ I n). auto.
      * apply (inv_snapshots _ I k); auto. unfold snapshot. destruct (Nat.eqb_spec k 0); auto; lia.
  - (* EJump *)
    destruct (snapshot w k) as [lg|] eqn:S; [|discriminate]. happened E.
    injection E as <- <- <-. rewrite send_nothing. apply inv_set_learn; auto.
    split; simpl; [|intros; lia]. intros i J. exact (inv_snapshots _ I _ _ S i J).
  - (* ERestart *)
    destruct (snapshot w k) as [lg|] eqn:S; [|discriminate]. injection E as <- <- <-.
    rewrite send_nothing. now apply inv_restart.
Qed.

Theorem inv_reachable w : reachable w -> invariant w.
Proof. induction 1; [apply inv_init|eapply inv_step; eauto]. Qed.

Theorem agreement w i v v' : reachable w -> chosen w i v -> chosen w i v' -> v = v'.
Proof. intros R. now apply agreement_inv, inv_reachable. Qed.

(* A chosen value is a no-op, or a client submitted it. *)
Theorem validity w i v : reachable w -> chosen w i v -> proposable w v.
Proof. intros R. now apply validity_inv, inv_reachable. Qed.

End Invariant.
