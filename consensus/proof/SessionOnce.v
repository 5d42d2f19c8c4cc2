(* What a client may count on: each command executes at most once, whatever the log; a duplicate
   hears the reply of the execution; and `stale` is never the answer to what did not execute. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Session.
Import ListNotations.

Section Once.

Variable W : nat.
Hypothesis W_positive : 1 <= W.
Variable max : nat.
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.

Local Notation session := (session Reply).
Local Notation entry := (entry Value).
Local Notation outcome := (outcome Reply).
Local Notation session_look := (session_look W).
Local Notation session_apply := (session_apply W).
Local Notation session_keep := (session_keep W).
Local Notation bits_within := (bits_within W).
Local Notation apply := (apply W max zero execute).
Local Notation replay := (replay W max machine0 zero execute).

Local Notation session_reply := (session_reply W zero).

(* ---- What holds after any log ---- *)

(* Instance i is command (c, q), and its outcome is o. *)
Definition at_instance (log : list entry) (i c q : nat) (o : outcome) : Prop :=
  (exists v, nth_error log i = Some (Command c q v)) /\ nth_error (snd (replay log)) i = Some o.

(* The session has seen (c, q) execute: below its window, or its bit is set. *)

Record Inv (log : list entry) : Prop := {
  inv_next : next (fst (replay log)) = length log;
  inv_outcomes : length (snd (replay log)) = length log;
  inv_ids : forall s, In s (sessions (fst (replay log))) -> id s < length log;
  inv_replies : forall s, In s (sessions (fst (replay log))) -> length (replies s) = W;
  (* A bit stands for an execution whose reply is still kept. *)
  inv_bit : forall s k, In s (sessions (fst (replay log))) -> Nat.testbit (done s) k = true ->
    k < W /\ exists i, at_instance log i (id s) (base s + k) (Ran (session_reply s (base s + k)));
  (* An execution is seen by its session for as long as that is in the table. *)
  inv_ran : forall i c q r, at_instance log i c q (Ran r) ->
    c < length log /\ forall s, In s (sessions (fst (replay log))) -> id s = c -> has s q;
  (* The base was moved by a command W - 1 above it. *)
  inv_base : forall s, In s (sessions (fst (replay log))) ->
    base s = 0 \/ exists i t r, at_instance log i (id s) t (Ran r) /\ t + 1 = base s + W;
  (* Of two executions of one command one is the other; and every other outcome has its cause. *)
  inv_once : forall i j c q r r', at_instance log i c q (Ran r) -> at_instance log j c q (Ran r') ->
    i = j;
  inv_cached : forall j c q r, at_instance log j c q (Cached r) ->
    exists i, i < j /\ at_instance log i c q (Ran r);
  inv_stale : forall j c q, at_instance log j c q Stale ->
    exists i t r, i < j /\ at_instance log i c t (Ran r) /\ q + W <= t;
  inv_outcome : forall j c q o, at_instance log j c q o -> o <> Nothing /\ forall s, o <> Opened s
}.

Lemma nth_error_snoc {A} (l : list A) x i y :
  nth_error (l ++ [x]) i = Some y <-> nth_error l i = Some y \/ (i = length l /\ x = y).
Proof.
  destruct (Nat.lt_ge_cases i (length l)) as [H|H].
  - rewrite nth_error_app1 by exact H. split; [auto | intros [K|[K _]]; [exact K | lia]].
  - rewrite nth_error_app2 by exact H. split.
    + intros K. right. destruct (i - length l) as [|n] eqn:E.
      * simpl in K. injection K as K. split; [lia | exact K].
      * simpl in K. destruct n; discriminate K.
    + intros [K|[-> ->]].
      * assert (i < length l) by (apply nth_error_Some; congruence). lia.
      * rewrite Nat.sub_diag. reflexivity.
Qed.

(* An instance of the longer log is one of the shorter, or the last. *)
Lemma at_snoc log e i c q o : Inv log ->
  at_instance (log ++ [e]) i c q o <->
  at_instance log i c q o
  \/ (i = length log /\ (exists v, e = Command c q v) /\ snd (apply (fst (replay log)) e) = o).
Proof.
  intros I. unfold at_instance. rewrite replay_snoc. simpl. split.
  - intros [[v Hv] Ho]. apply nth_error_snoc in Hv, Ho. rewrite (inv_outcomes _ I) in Ho.
    destruct Hv as [Hv|[Hv Ev]], Ho as [Ho|[Ho Eo]].
    + left. split; [exists v; exact Hv | exact Ho].
    + assert (i < length log) by (apply nth_error_Some; congruence). lia.
    + assert (i < length log) by (rewrite <- (inv_outcomes _ I); apply nth_error_Some; congruence).
      lia.
    + right. split; [exact Hv|]. split; [exists v; exact Ev | exact Eo].
  - intros [[[v Hv] Ho]|[-> [[v ->] Ho]]].
    + split; [exists v|]; apply nth_error_snoc; auto.
    + split; [exists v|]; apply nth_error_snoc; right; auto.
      split; [symmetry; apply (inv_outcomes _ I) | exact Ho].
Qed.

Lemma at_lt log i c q o : at_instance log i c q o -> i < length log.
Proof. intros [[v H] _]. apply nth_error_Some. congruence. Qed.

Lemma inv_empty : Inv [].
Proof.
  assert (N : forall i c q o, ~ at_instance [] i c q o).
  { intros i c q o [[v H] _]. destruct i; discriminate H. }
  constructor; simpl; intros; try reflexivity; try tauto; exfalso; eapply N; eassumption.
Qed.

(* ---- One more entry keeps it ---- *)

Section More.

Variables (log : list entry) (e : entry).
Hypothesis I : Inv log.
Let s0 := fst (replay log).

Lemma old i c q o : at_instance log i c q o -> at_instance (log ++ [e]) i c q o.
Proof. intros H. apply at_snoc; auto. Qed.

(* The outcome is new, the sessions are as they were but for `last`, or one more. *)
Lemma inv_quiet (Same : forall s, In s (sessions (fst (apply s0 e))) ->
    (exists s1, In s1 (sessions s0) /\ id s = id s1 /\ base s = base s1 /\ done s = done s1
                /\ replies s = replies s1)
    \/ s = mkSession (length log) 0 (length log) 0 (repeat zero W))
  (Next : next (fst (apply s0 e)) = S (length log))
  (Not : forall c q v, e = Command c q v ->
     snd (apply s0 e) = Expired
     \/ (exists i t r, snd (apply s0 e) = Stale /\ at_instance log i c t (Ran r) /\ q + W <= t)
     \/ (exists i r, snd (apply s0 e) = Cached r /\ at_instance log i c q (Ran r))) :
  Inv (log ++ [e]).
Proof.
  assert (Quiet : forall i c q r, at_instance (log ++ [e]) i c q (Ran r) ->
                    at_instance log i c q (Ran r)).
  { intros i c q r H. apply at_snoc in H; [|exact I]. destruct H as [H|(_ & (v & Ev) & Ho)].
    - exact H.
    - fold s0 in Ho. destruct (Not _ _ _ Ev) as [K|[(? & ? & ? & K & _)|(? & ? & K & _)]];
        congruence. }
  constructor; rewrite ?replay_snoc; simpl; fold s0.
  - rewrite app_length. simpl. rewrite Next. lia.
  - rewrite !app_length. simpl. rewrite (inv_outcomes _ I). reflexivity.
  - intros s H. rewrite app_length. simpl. apply Same in H.
    destruct H as [(s1 & H & E & _)| ->]; simpl; [|lia].
    rewrite E. assert (K := inv_ids _ I _ H). lia.
  - intros s H. apply Same in H. destruct H as [(s1 & H & _ & _ & _ & E)| ->]; simpl.
    + rewrite E. apply (inv_replies _ I _ H).
    + apply repeat_length.
  - intros s k H B. apply Same in H. destruct H as [(s1 & H & E1 & E2 & E3 & E4)| ->].
    + rewrite E3 in B. destruct (inv_bit _ I _ _ H B) as (K & i & A). split; [exact K|].
      exists i. unfold session_reply in *. rewrite E1, E2, E4. apply old, A.
    + simpl in B. rewrite Nat.bits_0 in B. discriminate B.
  - intros i c q r H. apply Quiet in H. destruct (inv_ran _ I _ _ _ _ H) as [K L].
    rewrite app_length. simpl. split; [lia|]. intros s Hs Ei. apply Same in Hs.
    destruct Hs as [(s1 & Hs & E1 & E2 & E3 & _)| ->].
    + unfold has. rewrite E2, E3. apply L; [exact Hs | congruence].
    + simpl in Ei. lia.
  - intros s H. apply Same in H. destruct H as [(s1 & H & E1 & E2 & _)| ->].
    + destruct (inv_base _ I _ H) as [Z|(i & t & r & A & B)].
      * left. congruence.
      * right. exists i, t, r. rewrite E1, E2. split; [apply old, A | exact B].
    + left. reflexivity.
  - intros i j c q r r' H K. apply Quiet in H, K. eapply (inv_once _ I); eassumption.
  - intros j c q r H. apply at_snoc in H; [|exact I]. destruct H as [H|(-> & (v & Ev) & Ho)].
    + destruct (inv_cached _ I _ _ _ _ H) as (i & L & A). exists i. split; [exact L | apply old, A].
    + fold s0 in Ho. destruct (Not _ _ _ Ev) as [K|[(? & ? & ? & K & _)|(i & r' & K & A)]];
        try congruence.
      exists i. split; [apply (at_lt _ _ _ _ _ A)|]. apply old. congruence.
  - intros j c q H. apply at_snoc in H; [|exact I]. destruct H as [H|(-> & (v & Ev) & Ho)].
    + destruct (inv_stale _ I _ _ _ H) as (i & t & r & L & A & B). exists i, t, r.
      split; [exact L|]. split; [apply old, A | exact B].
    + fold s0 in Ho. destruct (Not _ _ _ Ev) as [K|[(i & t & r & K & A & B)|(? & ? & K & _)]];
        try congruence.
      exists i, t, r. split; [apply (at_lt _ _ _ _ _ A)|]. split; [apply old, A | exact B].
  - intros j c q o H. apply at_snoc in H; [|exact I]. destruct H as [H|(-> & (v & Ev) & Ho)].
    + eapply (inv_outcome _ I), H.
    + fold s0 in Ho. rewrite <- Ho.
      destruct (Not _ _ _ Ev) as [K|[(? & ? & ? & K & _)|(? & ? & K & _)]]; rewrite K;
        split; congruence.
Qed.

Lemma inv_execute c q v s s' m r :
  e = Command c q v -> In s (sessions s0) -> id s = c ->
  session_apply s q (next s0) = (s', SESSION_RUN) ->
  apply s0 e = (mkState (session_put (sessions s0) (session_keep s' q r)) m (S (next s0)), Ran r) ->
  Inv (log ++ [e]).
Proof.
  intros Ee Hs Ec Ea Ex.
  assert (B : bits_within s). { intros k Hk. apply (inv_bit _ I _ _ Hs Hk). }
  destruct (apply_run W_positive _ _ B Ea) as (A1 & A2 & A3 & A4 & A5 & A6 & A7 & A8 & A9 & A10).
  set (new := session_keep s' q r) in *.
  assert (New : at_instance (log ++ [e]) (length log) c q (Ran r)).
  { apply at_snoc; [exact I|]. right. fold s0. rewrite Ex. eauto. }
  assert (Ids : id new = c) by (unfold new; simpl; congruence).
  assert (Fresh : forall i r', ~ at_instance log i c q (Ran r')).
  { intros i r' H. destruct (inv_ran _ I _ _ _ _ H) as [_ K]. apply A5, K; auto. }
  assert (Rep : length (replies s') = W). { rewrite A2. apply (inv_replies _ I _ Hs). }
  assert (Split : forall i c' q' r', at_instance (log ++ [e]) i c' q' (Ran r') ->
            at_instance log i c' q' (Ran r')
            \/ (i = length log /\ c' = c /\ q' = q /\ r' = r)).
  { intros i c' q' r' H. apply at_snoc in H; [|exact I].
    destruct H as [H|(-> & (v' & Ev) & Ho)]; [auto|]. fold s0 in Ho. rewrite Ex in Ho. simpl in Ho.
    right. rewrite Ee in Ev. injection Ev as <- <- _. injection Ho as <-. auto. }
  constructor; rewrite ?replay_snoc; simpl; fold s0; rewrite ?Ex; simpl.
  - rewrite app_length. simpl. unfold s0. rewrite (inv_next _ I). lia.
  - rewrite !app_length. simpl. rewrite (inv_outcomes _ I). reflexivity.
  - intros x H. rewrite app_length. simpl. apply In_put in H. destruct H as [->|[H _]].
    + rewrite Ids, <- Ec. assert (K := inv_ids _ I _ Hs). lia.
    + assert (K := inv_ids _ I _ H). lia.
  - intros x H. apply In_put in H. destruct H as [->|[H _]].
    + unfold new. simpl. rewrite length_set_nth. exact Rep.
    + apply (inv_replies _ I _ H).
  - intros x k H Hb. apply In_put in H. destruct H as [->|[H _]].
    + change (Nat.testbit (done s') k = true) in Hb. change (base new) with (base s').
      rewrite Ids. assert (K := A9 _ Hb). split; [exact K|].
      unfold session_reply. change (replies new) with (set_nth (q mod W) r (replies s')).
      rewrite nth_set_nth by (rewrite Rep; apply Nat.mod_upper_bound; lia).
      destruct (A8 _ Hb) as [E|[E1 E2]].
      * rewrite E, Nat.eqb_refl. exists (length log). exact New.
      * destruct (Nat.eqb_spec ((base s' + k) mod W) (q mod W)) as [E|E].
        -- apply (window_mod W_positive (b := base s')) in E; [|lia | lia].
           exfalso. apply A5. right. rewrite <- E. auto.
        -- destruct (inv_bit _ I _ _ Hs E2) as (_ & i & A). exists i. apply old.
           replace (base s + (base s' + k - base s)) with (base s' + k) in A by lia.
           unfold session_reply in A. rewrite A2, <- Ec. exact A.
    + destruct (inv_bit _ I _ _ H Hb) as (K & i & A). split; [exact K|]. exists i. apply old, A.
  - intros i c' q' r' H. rewrite app_length. simpl. apply Split in H.
    assert (Lt : c < length log) by (rewrite <- Ec; apply (inv_ids _ I _ Hs)).
    destruct H as [H|(-> & -> & -> & ->)].
    + destruct (inv_ran _ I _ _ _ _ H) as [K L]. split; [lia|].
      intros x Hx Ei. apply In_put in Hx. destruct Hx as [->|[Hx _]].
      * assert (P : has s q') by (apply L; [exact Hs | congruence]). apply A7 in P. exact P.
      * apply L; assumption.
    + split; [lia|]. intros x Hx Ei. apply In_put in Hx. destruct Hx as [->|[_ N]].
      * exact A6.
      * congruence.
  - intros x H. apply In_put in H. destruct H as [->|[H _]].
    + change (base new) with (base s'). rewrite Ids. destruct A10 as [E|E].
      * rewrite E. destruct (inv_base _ I _ Hs) as [Z|(i & t & r' & A & Et)]; [auto|].
        right. exists i, t, r'. rewrite <- Ec. split; [apply old, A | exact Et].
      * right. exists (length log), q, r. auto.
    + destruct (inv_base _ I _ H) as [Z|(i & t & r' & A & Et)]; [auto|].
      right. exists i, t, r'. split; [apply old, A | exact Et].
  - intros i j c' q' r1 r2 H K. apply Split in H, K.
    destruct H as [H|(-> & -> & -> & ->)], K as [K|(-> & E1 & E2 & E3)].
    + eapply (inv_once _ I); eassumption.
    + subst. exfalso. eapply Fresh, H.
    + exfalso. eapply Fresh, K.
    + reflexivity.
  - intros j c' q' r' H. apply at_snoc in H; [|exact I]. destruct H as [H|(_ & _ & Ho)].
    + destruct (inv_cached _ I _ _ _ _ H) as (i & L & A). exists i. split; [exact L | apply old, A].
    + fold s0 in Ho. rewrite Ex in Ho. discriminate Ho.
  - intros j c' q' H. apply at_snoc in H; [|exact I]. destruct H as [H|(_ & _ & Ho)].
    + destruct (inv_stale _ I _ _ _ H) as (i & t & r' & L & A & Et). exists i, t, r'.
      split; [exact L|]. split; [apply old, A | exact Et].
    + fold s0 in Ho. rewrite Ex in Ho. discriminate Ho.
  - intros j c' q' o H. apply at_snoc in H; [|exact I]. destruct H as [H|(_ & _ & Ho)].
    + eapply (inv_outcome _ I), H.
    + fold s0 in Ho. rewrite Ex in Ho. simpl in Ho. rewrite <- Ho. split; congruence.
Qed.

Lemma inv_more : Inv (log ++ [e]).
Proof.
  assert (Nx : next s0 = length log) by apply (inv_next _ I).
  destruct e as [| |c q v] eqn:Ee; rewrite <- Ee.
  - apply inv_quiet; rewrite Ee; simpl; intros; try discriminate; try (rewrite Nx; reflexivity).
    left. exists s. auto.
  - apply inv_quiet; rewrite Ee; simpl; intros; try discriminate; try (rewrite Nx; reflexivity).
    apply In_open in H. rewrite Nx in H. destruct H as [H|H]; [|auto]. left. exists s. auto.
  - destruct (session_find (sessions s0) c) as [s|] eqn:F.
    + destruct (find_spec _ _ F) as [Hs Ec].
      destruct (session_apply s q (next s0)) as [s' a] eqn:Ea.
      assert (B : bits_within s). { intros k Hk. apply (inv_bit _ I _ _ Hs Hk). }
      destruct a.
      * destruct (execute (machine s0) v) as [m r] eqn:Ex.
        apply (inv_execute c q v s s' m r); auto.
        rewrite Ee. simpl. unfold gather. rewrite F, Ea, Ex. reflexivity.
      * destruct (apply_other _ _ _ _ Ea) as [-> L]; [discriminate|].
        destruct (look_cached _ _ _ L) as (L1 & L2 & L3).
        destruct (inv_bit _ I _ _ Hs L3) as (_ & i & A).
        replace (base s + (q - base s)) with q in A by lia. rewrite Ec in A.
        apply inv_quiet; rewrite Ee; simpl; unfold gather; rewrite F, Ea; simpl.
        -- intros x H. left. apply In_put in H.
           destruct H as [->|[H _]]; [exists s | exists x]; auto.
        -- rewrite Nx. reflexivity.
        -- intros c' q' v' E. injection E as <- <- _. right. right.
           exists i, (session_reply s q). split; [reflexivity | exact A].
      * destruct (apply_other _ _ _ _ Ea) as [-> L]; [discriminate|].
        apply look_stale in L. destruct (inv_base _ I _ Hs) as [Z|(i & t & r & A & Et)]; [lia|].
        rewrite Ec in A.
        apply inv_quiet; rewrite Ee; simpl; unfold gather; rewrite F, Ea; simpl.
        -- intros x H. left. apply In_put in H.
           destruct H as [->|[H _]]; [exists s | exists x]; auto.
        -- rewrite Nx. reflexivity.
        -- intros c' q' v' E. injection E as <- <- _. right. left. exists i, t, r.
           split; [reflexivity|]. split; [exact A | lia].
    + apply inv_quiet; rewrite Ee; simpl; unfold gather; rewrite F; simpl.
      * intros x H. left. exists x. auto.
      * rewrite Nx. reflexivity.
      * intros c' q' v' E. left. reflexivity.
Qed.

End More.

Theorem inv_replay log : Inv log.
Proof.
  induction log as [|e log I] using rev_ind; [apply inv_empty | apply inv_more, I].
Qed.

(* ---- What a client may count on ---- *)

(* S1: whatever the log, a command executes at most once. *)
Theorem executed_once log i j c q r r' :
  at_instance log i c q (Ran r) -> at_instance log j c q (Ran r') -> i = j.
Proof. apply (inv_once _ (inv_replay log)). Qed.

(* A later copy of an executed command hears the reply of the execution, or that its session is past
   it, or that its session is forgotten. *)
Theorem duplicate_answered log i j c q r o :
  at_instance log i c q (Ran r) -> at_instance log j c q o -> i < j ->
  o = Cached r \/ o = Stale \/ o = Expired.
Proof.
  intros A B L. destruct (inv_outcome _ (inv_replay log) _ _ _ _ B) as [N1 N2].
  destruct o as [|s|r'|r'| |]; auto.
  - congruence.
  - exfalso. eapply N2. reflexivity.
  - assert (E := executed_once _ _ _ _ _ _ _ A B). lia.
  - destruct (inv_cached _ (inv_replay log) _ _ _ _ B) as (k & _ & C).
    assert (E := executed_once _ _ _ _ _ _ _ A C). subst k.
    left. destruct A as [_ A], C as [_ C]. congruence.
Qed.

(* The client half's rule (consensus/client.h): a session never has sequences s and t >= s + W
   outstanding. So when t stands in the log, each s with s + W <= t was answered before t was sent;
   the answer came from an instance that had been applied, hence chosen, before t had one. *)
Definition well_behaved (log : list entry) (c : nat) : Prop :=
  forall j t o, at_instance log j c t o ->
  forall s, s + W <= t -> exists i o', i < j /\ at_instance log i c s o' /\ o' <> Expired.

(* Then `stale` is never the answer to a command that did not execute: whatever is answered, and not
   `expired`, has executed by then. (With executed_once: exactly once.) *)
Theorem answered_has_executed log c : well_behaved log c ->
  forall j q o, at_instance log j c q o -> o <> Expired ->
  exists i r, i <= j /\ at_instance log i c q (Ran r).
Proof.
  intros B j. induction j as [j IH] using (well_founded_induction lt_wf). intros q o A N.
  destruct (inv_outcome _ (inv_replay log) _ _ _ _ A) as [N1 N2].
  destruct o as [|s|r|r| |].
  - congruence.
  - exfalso. eapply N2. reflexivity.
  - exists j, r. split; [lia | exact A].
  - destruct (inv_cached _ (inv_replay log) _ _ _ _ A) as (i & L & C). exists i, r.
    split; [lia | exact C].
  - destruct (inv_stale _ (inv_replay log) _ _ _ A) as (i & t & r & L & C & Et).
    destruct (B _ _ _ C _ Et) as (k & o' & Lk & D & No).
    destruct (IH k ltac:(lia) _ _ D No) as (k' & r' & Lk' & E).
    exists k', r'. split; [lia | exact E].
  - congruence.
Qed.

(* A retry that the table answers without the log (retry_one in consensus/replica_learner.c), at any
   replica, at any time: `cached` is the reply of the execution, and `stale` is said of what
   executed. *)
Theorem looked_up_cached log s q : In s (sessions (fst (replay log))) ->
  session_look s q = SESSION_CACHED ->
  exists i, at_instance log i (id s) q (Ran (session_reply s q)).
Proof.
  intros H L. apply look_cached in L. destruct L as (L1 & _ & L3).
  destruct (inv_bit _ (inv_replay log) _ _ H L3) as (_ & i & A). exists i.
  replace (base s + (q - base s)) with q in A by lia. exact A.
Qed.

Theorem looked_up_stale log s q : In s (sessions (fst (replay log))) -> well_behaved log (id s) ->
  session_look s q = SESSION_STALE -> exists i r, at_instance log i (id s) q (Ran r).
Proof.
  intros H B L. apply look_stale in L.
  destruct (inv_base _ (inv_replay log) _ H) as [Z|(i & t & r & A & E)]; [lia|].
  destruct (B _ _ _ A q ltac:(lia)) as (k & o & _ & C & N).
  destruct (answered_has_executed _ _ B _ _ _ C N) as (j & r' & _ & D). eauto.
Qed.

End Once.
