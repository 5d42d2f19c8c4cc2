(* The thesis's protocol as its text has it: its inductive invariant, and what follows.

   With the accept request let through by `>`, as written, nothing is ever accepted. With `>=` at
   most one proposal is ever accepted, by anyone: agreement, I1 and I2 are then corollaries. The
   invariant is the same for both. Which value a proposer takes from its promises does not matter,
   for every promise echoes the proposal that it answers (own_proposal). *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Thesis.
Import ListNotations.

Section Invariant.

Variables proposers acceptors : list nat.
Variable init : nat -> proposal.
Variable quorum : list nat -> bool.
Hypothesis empty_is_none : quorum [] = false.
Hypothesis disjoint : forall n, In n proposers -> In n acceptors -> False.
Hypothesis unique_numbers : forall p k, In p proposers -> In k proposers ->
  number (init p) = number (init k) -> p = k.

Local Notation step_send := (step_send acceptors).
Local Notation step_recv := (step_recv acceptors).
Local Notation start := (start proposers init).
Local Notation chosen := (chosen acceptors quorum).
Local Notation text_acceptor := (text_acceptor acceptors).
Local Notation exec := (exec proposers acceptors).

Section Text.

Variable passes : nat -> nat -> bool.
Hypothesis passes_not_below : forall c n, passes c n = true -> c <= n.

(* An acceptor that has promised n, or more, or has accepted so. *)
Definition holds (n : nat) (s : role_state) : Prop :=
  match s with APromised x | AAccepted x => n <= number x | _ => False end.

(* All acceptors have promised p's number. *)
Definition complete (w : world) (p : nat) : Prop :=
  forall a, In a acceptors -> holds (number (init p)) (st w a).

Definition proposer_state (w : world) (p : nat) : Prop :=
  match st w p with
  | PInit x | PSentPrep _ x => x = init p
  | PWaitPrepResp got x => x = init p /\ forall a b y, In (a, b, y) got ->
      b = true /\ y = init p /\ In (mkMessage promise_resp a p y) (net w)
  | PSentAccReq _ x => x = init p /\ complete w p
  | PAbort => True
  | _ => False
  end.

Definition acceptor_state (w : world) (a : nat) : Prop :=
  match st w a with
  | AInit | APromised _ => True
  | AAccepted x => exists p, In p proposers /\ x = init p /\ complete w p
  | _ => False
  end.

Definition sent (w : world) (m : message) : Prop :=
  match mtag m with
  | prepare_req => In (from m) proposers /\ In (to m) acceptors /\ body m = init (from m)
  | accept_req =>
      In (from m) proposers /\ In (to m) acceptors /\ body m = init (from m) /\ complete w (from m)
  | promise_resp =>
      In (from m) acceptors /\ In (to m) proposers /\ body m = init (to m)
      /\ holds (number (init (to m))) (st w (from m))
  | nack_resp => In (from m) acceptors /\ In (to m) proposers
  end.

(* The inductive invariant. *)
Record Inv (w : world) : Prop := {
  inv_proposer : forall p, In p proposers -> proposer_state w p;
  inv_acceptor : forall a, In a acceptors -> acceptor_state w a;
  inv_sent : forall m, In m (net w) -> sent w m
}.

(* An acceptor never goes back. *)
Definition grows (w w' : world) : Prop :=
  forall a n, In a acceptors -> holds n (st w a) -> holds n (st w' a).

Lemma complete_grows w w' p : grows w w' -> complete w p -> complete w' p.
Proof. intros G C a Ha. apply G; auto. Qed.

Lemma sent_grows w w' m : grows w w' -> sent w m -> sent w' m.
Proof.
  intros G. unfold sent. destruct (mtag m); try tauto.
  - intros (A & B & C & D). auto.
  - intros (A & B & C & D). repeat split; auto. eapply complete_grows; eassumption.
Qed.

Lemma proposer_state_grows w w' p : grows w w' -> incl (net w) (net w') -> st w' p = st w p ->
  proposer_state w p -> proposer_state w' p.
Proof.
  intros G I E. unfold proposer_state. rewrite E. destruct (st w p); try tauto.
  - intros [A B]. split; [exact A|]. intros a b y H. destruct (B a b y H) as (? & ? & ?). auto.
  - intros [A B]. split; [exact A|]. eapply complete_grows; eassumption.
Qed.

Lemma acceptor_state_grows w w' a : grows w w' -> st w' a = st w a ->
  acceptor_state w a -> acceptor_state w' a.
Proof.
  intros G E. unfold acceptor_state. rewrite E. destruct (st w a); try tauto.
  intros (p & A & B & C). exists p. repeat split; auto. eapply complete_grows; eassumption.
Qed.

(* One node changes, some messages are added. *)
Lemma inv_set w n s more : Inv w ->
  (forall k, In n acceptors -> holds k (st w n) -> holds k s) ->
  (In n proposers -> proposer_state (set w n s more) n) ->
  (In n acceptors -> acceptor_state (set w n s more) n) ->
  (forall m, In m more -> sent (set w n s more) m) ->
  Inv (set w n s more).
Proof.
  intros I H P A S.
  assert (G : grows w (set w n s more)).
  { intros a k Ha Hk. simpl. destruct (Nat.eqb_spec a n) as [->|]; auto. }
  assert (N : incl (net w) (net (set w n s more))).
  { intros m Hm. simpl. apply in_or_app. auto. }
  constructor.
  - intros p Hp. destruct (Nat.eq_dec p n) as [->|D]; [auto|].
    apply (proposer_state_grows w); auto.
    + simpl. destruct (Nat.eqb_spec p n); [contradiction | reflexivity].
    + apply (inv_proposer _ I), Hp.
  - intros a Ha. destruct (Nat.eq_dec a n) as [->|D]; [auto|].
    apply (acceptor_state_grows w); auto.
    + simpl. destruct (Nat.eqb_spec a n); [contradiction | reflexivity].
    + apply (inv_acceptor _ I), Ha.
  - intros m Hm. simpl in Hm. apply in_app_or in Hm. destruct Hm as [Hm|Hm]; [auto|].
    apply (sent_grows w); [exact G | apply (inv_sent _ I), Hm].
Qed.

Lemma set_same w n s more : st (set w n s more) n = s.
Proof. simpl. rewrite Nat.eqb_refl. reflexivity. Qed.

(* Every promise that a proposer gets echoes its own proposal, so that is what it proposes. *)
Lemma own_proposal got x : (forall a b y, In (a, b, y) got -> b = true /\ y = x) ->
  create_proposal_for_acc_req got x = x.
Proof.
  intros H. unfold create_proposal_for_acc_req. destruct (forallb promised got) eqn:F.
  - assert (K : forall h, h = (0, 0) \/ h = x ->
                find_highest_numbered_promise h got = (0, 0)
                \/ find_highest_numbered_promise h got = x).
    { clear F. induction got as [|[[a b] y] got IH]; simpl; intros h Hh; [exact Hh|].
      destruct (H a b y (or_introl eq_refl)) as [_ ->].
      destruct (b && _); apply IH; auto; intros; eapply H; right; eassumption. }
    destruct (proposal_dec _ (0, 0)) as [|D]; [reflexivity|].
    destruct (K (0, 0) (or_introl eq_refl)) as [E|E]; [contradiction|].
    rewrite E. destruct x. reflexivity.
  - apply not_true_iff_false in F. exfalso. apply F. apply forallb_forall.
    intros [[a b] y] Hy. apply (H a b y Hy).
Qed.

Theorem inv_start : Inv start.
Proof.
  constructor; simpl.
  - intros p Hp. unfold proposer_state. simpl. apply mem_In in Hp. rewrite Hp. reflexivity.
  - intros a Ha. unfold acceptor_state. simpl. destruct (mem a proposers) eqn:E; [|exact I].
    apply mem_In in E. exfalso. eapply disjoint; eassumption.
  - tauto.
Qed.

Theorem inv_exec w e w' : Inv w -> exec (text_acceptor passes) w e = Some w' -> Inv w'.
Proof.
  intros I E. destruct e as [p a|p a|m|m]; simpl in E.
  - destruct (mem p proposers && mem a acceptors) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite !mem_In in M. destruct M as [Hp Ha].
    assert (S := inv_proposer _ I _ Hp). unfold proposer_state in S.
    assert (X : exists x, x = init p
              /\ (st w p = PInit x \/ exists sent_to, st w p = PSentPrep sent_to x)
              /\ w' = set w p (step_send (st w p) a) [mkMessage prepare_req p a x]).
    { destruct (st w p); try discriminate E; injection E as <-; exists x; repeat split; eauto. }
    clear E. destruct X as (x & Ex & Es & ->). apply inv_set; auto.
    + intros k Hk. exfalso. eapply disjoint; eassumption.
    + intros _. unfold proposer_state. rewrite set_same.
      destruct Es as [->|[sent_to ->]]; simpl; destruct (perm_eq _ _);
        try exact Ex; (split; [exact Ex | intros ? ? ? []]).
    + intros Hk. exfalso. eapply disjoint; eassumption.
    + intros m [<-|[]]. unfold sent. simpl. auto.
  - destruct (mem p proposers && mem a acceptors) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite !mem_In in M. destruct M as [Hp Ha].
    assert (S := inv_proposer _ I _ Hp). unfold proposer_state in S.
    destruct (st w p) as [| | |sent_to x| | | |] eqn:Es; try discriminate E. injection E as <-.
    destruct S as [Ex C].
    assert (C' : complete (set w p (step_send (PSentAccReq sent_to x) a)
                             [mkMessage accept_req p a x]) p).
    { intros k Hk. simpl. destruct (Nat.eqb_spec k p) as [->|]; [|apply C, Hk].
      exfalso. eapply disjoint; eassumption. }
    apply inv_set; auto.
    + intros k Hk. exfalso. eapply disjoint; eassumption.
    + intros _. unfold proposer_state. rewrite set_same. simpl.
      destruct (perm_eq _ _) eqn:Q; [exact Logic.I|]. split; [exact Ex|].
      simpl in C'. rewrite Q in C'. exact C'.
    + intros Hk. exfalso. eapply disjoint; eassumption.
    + intros m [<-|[]]. unfold sent. simpl. auto.
  - destruct (in_net m (net w) && mem (to m) acceptors) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Ha].
    apply in_net_In in Hm. assert (S := inv_sent _ I _ Hm).
    assert (A := inv_acceptor _ I _ Ha). unfold acceptor_state in A.
    assert (NP : ~ In (to m) proposers) by (intros K; eapply disjoint; eassumption).
    destruct m as [t f a x]. unfold sent in S. simpl in *.
    destruct t; try discriminate E; injection E as <-.
    + destruct S as (Hf & _ & Ex). subst x.
      destruct (st w a) as [| | | | | |y|y] eqn:Es; try contradiction; simpl.
      * apply inv_set; try contradiction; try exact I.
        -- rewrite Es. simpl. tauto.
        -- intros _. unfold acceptor_state. rewrite set_same. exact Logic.I.
        -- intros m [<-|[]]. unfold sent. simpl. rewrite Nat.eqb_refl. simpl. auto.
      * destruct (Nat.ltb_spec (number y) (number (init f))) as [L|L].
        -- apply inv_set; try contradiction; try exact I.
           ++ rewrite Es. simpl. intros k _ Hk. lia.
           ++ intros _. unfold acceptor_state. rewrite set_same. exact Logic.I.
           ++ intros m [<-|[]]. unfold sent. simpl. rewrite Nat.eqb_refl. simpl. auto.
        -- apply inv_set; try contradiction; try exact I.
           ++ rewrite Es. tauto.
           ++ intros _. unfold acceptor_state. rewrite set_same. exact Logic.I.
           ++ intros m [<-|[]]. unfold sent. simpl. auto.
      * assert (G : grows w (set w a (AAccepted y) [])).
        { intros k n Hk Hn. simpl.
          destruct (Nat.eqb_spec k a) as [->|]; [rewrite <- Es|]; exact Hn. }
        apply inv_set; try contradiction; try exact I.
        -- rewrite Es. tauto.
        -- intros _. apply (acceptor_state_grows w); auto.
           ++ rewrite set_same. auto.
           ++ apply (inv_acceptor _ I), Ha.
    + destruct S as (Hf & _ & Ex & C). subst x. assert (H := C a Ha).
      destruct (st w a) as [| | | | | |y|y] eqn:Es; try contradiction; simpl.
      * simpl in H. destruct (passes (number y) (number (init f))) eqn:P.
        -- apply passes_not_below in P.
           assert (K : forall k, holds k (st w a) -> holds k (AAccepted (init f))).
           { rewrite Es. simpl. intros k Hk. lia. }
           apply inv_set; try contradiction; auto.
           ++ intros _. unfold acceptor_state. rewrite set_same. exists f. repeat split; auto.
              intros k Hk. simpl. destruct (Nat.eqb_spec k a) as [->|]; [simpl; lia | apply C, Hk].
        -- apply inv_set; try contradiction; try exact I.
           ++ rewrite Es. tauto.
           ++ intros _. unfold acceptor_state. rewrite set_same. exact Logic.I.
      * assert (G : grows w (set w a (AAccepted y) [])).
        { intros k n Hk Hn. simpl.
          destruct (Nat.eqb_spec k a) as [->|]; [rewrite <- Es|]; exact Hn. }
        apply inv_set; try contradiction; try exact I.
        -- rewrite Es. tauto.
        -- intros _. apply (acceptor_state_grows w); auto.
           ++ rewrite set_same. auto.
           ++ apply (inv_acceptor _ I), Ha.
  - destruct (in_net m (net w) && mem (to m) proposers) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Hp].
    apply in_net_In in Hm. assert (S := inv_sent _ I _ Hm).
    assert (A := inv_proposer _ I _ Hp).
    assert (NA : ~ In (to m) acceptors) by (intros K; eapply disjoint; eassumption).
    assert (W : w' = set w (to m) (step_recv greater (st w (to m)) (from m) (mtag m) (body m)) []
                /\ (mtag m = promise_resp \/ mtag m = nack_resp)).
    { destruct (mtag m); try discriminate E; injection E as <-; auto. }
    destruct W as [-> T]. clear E.
    apply inv_set; try (intros; contradiction); [exact I|].
    intros _. destruct m as [t f p x]. unfold sent in S. simpl in *.
    assert (G : forall s, grows w (set w p s [])).
    { intros s k n Hk Hn. simpl. destruct (Nat.eqb_spec k p) as [->|]; [contradiction | exact Hn]. }
    assert (Keep : proposer_state (set w p (st w p) []) p).
    { apply (proposer_state_grows w); auto; [|apply set_same]. intros k Hk. exact Hk. }
    destruct (st w p) as [y|sent_to y|got y|sent_to y| | |y|y] eqn:Es; try exact Keep;
      unfold proposer_state in A; rewrite Es in A; try contradiction.
    unfold step_recv. destruct (mem f (map sender got)); [exact Keep|]. destruct A as [-> A].
    destruct T as [-> | ->]; [|unfold proposer_state; rewrite set_same; exact Logic.I].
    destruct S as (Hf & _ & Ex & H). subst x.
    assert (All : forall a b y, In (a, b, y) ((f, true, init p) :: got) ->
              b = true /\ y = init p /\ In (mkMessage promise_resp a p y) (net w)).
    { intros a b y [K|K]; [injection K as <- <- <-; auto | apply A, K]. }
    cbv beta iota zeta. destruct (perm_eq (map sender ((f, true, init p) :: got)) acceptors) eqn:Q.
    + unfold proposer_state. rewrite set_same. split.
      * apply own_proposal. intros a b y K. destruct (All a b y K) as (? & ? & _). auto.
      * intros a Ha. apply G; [exact Ha|]. apply (perm_eq_incl _ _ Q) in Ha.
        apply in_map_iff in Ha. destruct Ha as ([[a' b] y] & Ea & K). change (a' = a) in Ea.
        subst a'.
        destruct (All _ _ _ K) as (_ & _ & N). apply (inv_sent _ I) in N. apply N.
    + unfold proposer_state. rewrite set_same. split; [reflexivity | exact All].
Qed.

Theorem inv_run es : forall w w', Inv w -> run (exec (text_acceptor passes)) w es = Some w' ->
  Inv w'.
Proof.
  induction es as [|e es IH]; simpl; intros w w' I R; [congruence|].
  destruct (exec _ w e) as [w1|] eqn:E; [|discriminate R].
  apply (IH w1); [eapply inv_exec; eassumption | exact R].
Qed.

(* At most one proposal is ever accepted, by anyone: all acceptors promised its number, and each
   other proposal's that could be accepted. *)
Theorem one_accepted es w a b x y : run (exec (text_acceptor passes)) start es = Some w ->
  In a acceptors -> In b acceptors -> st w a = AAccepted x -> st w b = AAccepted y -> x = y.
Proof.
  intros R Ha Hb A B. assert (I := inv_run _ _ _ inv_start R).
  assert (SA := inv_acceptor _ I _ Ha). assert (SB := inv_acceptor _ I _ Hb).
  unfold acceptor_state in SA, SB. rewrite A in SA. rewrite B in SB.
  destruct SA as (p & Hp & -> & C), SB as (k & Hk & -> & D).
  assert (X := C b Hb). assert (Y := D a Ha). rewrite A in Y. rewrite B in X. simpl in X, Y.
  f_equal. apply unique_numbers; auto. lia.
Qed.

End Text.

(* As written (`>`): nothing is ever accepted, so nothing is ever chosen. *)
Theorem nothing_accepted es w a x : run (exec (text_acceptor greater)) start es = Some w ->
  In a acceptors -> st w a <> AAccepted x.
Proof.
  assert (P : forall c n, greater c n = true -> c <= n).
  { unfold greater. intros c n H. apply Nat.ltb_lt in H. lia. }
  intros R Ha. revert w R. induction es as [|e es IH] using rev_ind; intros w R.
  - injection R as <-. simpl. destruct (mem a proposers); discriminate.
  - assert (X : exists w1, run (exec (text_acceptor greater)) start es = Some w1
              /\ exec (text_acceptor greater) w1 e = Some w).
    { clear - R. revert R. generalize start. induction es as [|e' es IH]; simpl; intros w0 R.
      - exists w0. split; [reflexivity|]. destruct (exec _ w0 e); congruence.
      - destruct (exec _ w0 e') as [w1|]; [apply IH, R | discriminate R]. }
    destruct X as (w1 & R1 & E). specialize (IH w1 R1).
    assert (I := inv_run _ P _ _ _ inv_start R1).
    destruct e as [p k|p k|m|m]; simpl in E.
    + destruct (_ && _); [|discriminate E].
      destruct (st w1 p) eqn:S; try discriminate E; injection E as <-; simpl;
        destruct (Nat.eqb_spec a p) as [->|]; auto; destruct (perm_eq _ _); discriminate.
    + destruct (_ && _); [|discriminate E].
      destruct (st w1 p) eqn:S; try discriminate E; injection E as <-; simpl;
        destruct (Nat.eqb_spec a p) as [->|]; auto; destruct (perm_eq _ _); discriminate.
    + destruct (in_net m (net w1) && mem (to m) acceptors) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Hk].
      apply in_net_In in Hm. assert (S := inv_sent _ I _ Hm).
      assert (A := inv_acceptor _ I _ Ha). unfold acceptor_state in A.
      destruct m as [t f k y]. unfold sent in S. simpl in *.
      destruct t; try discriminate E; injection E as <-; simpl;
        destruct (Nat.eqb_spec a k) as [<-|]; auto.
      * destruct (st w1 a) as [| | | | | |z|z] eqn:Es; try contradiction; simpl; try congruence.
        destruct (number z <? number y); congruence.
      * destruct S as (_ & _ & Ey & C). assert (H := C a Ha).
        destruct (st w1 a) as [| | | | | |z|z] eqn:Es; simpl; try congruence; try contradiction.
        simpl in H. unfold greater. subst y.
        destruct (Nat.ltb_spec (number z) (number (init f))); [lia | congruence].
    + destruct (in_net m (net w1) && mem (to m) proposers) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Hk].
      assert (a <> to m) by (intros ->; eapply disjoint; eassumption).
      destruct (mtag m); try discriminate E; injection E as <-; simpl;
        destruct (Nat.eqb_spec a (to m)); auto.
Qed.

Corollary nothing_chosen es w x :
  run (exec (text_acceptor greater)) start es = Some w -> ~ chosen w x.
Proof.
  intros R (q & Q & I & A). destruct q as [|a q]; [congruence|].
  eapply nothing_accepted; [exact R | apply I; left; reflexivity | apply A; left; reflexivity].
Qed.

(* With `>=`: agreement, I1 and I2. *)
Lemma at_least_not_below c n : at_least c n = true -> c <= n.
Proof. unfold at_least. apply Nat.leb_le. Qed.

Corollary I1_text es w a b x y : run (exec (text_acceptor at_least)) start es = Some w ->
  In a acceptors -> In b acceptors -> st w a = AAccepted x -> st w b = AAccepted y ->
  number x = number y -> value x = value y.
Proof.
  intros R Ha Hb A B _. f_equal.
  exact (one_accepted at_least at_least_not_below es w a b x y R Ha Hb A B).
Qed.

Corollary I2_text es w b x y : run (exec (text_acceptor at_least)) start es = Some w ->
  chosen w x -> In b acceptors -> st w b = AAccepted y -> number x < number y -> value x = value y.
Proof.
  intros R (q & Q & I & A) Hb B _. destruct q as [|a q]; [congruence|].
  f_equal. apply (one_accepted at_least at_least_not_below es w a b x y R).
  - apply I. left. reflexivity.
  - exact Hb.
  - apply A. left. reflexivity.
  - exact B.
Qed.

End Invariant.
