(* The repaired protocol of the thesis: its inductive invariant, agreement, I1, I2 and validity.

   The rules may hold some of the mistakes: the theorems say which do no harm to agreement. *)
From Coq Require Import List Arith Lia Bool PeanoNat.
From Paxwire Require Import Thesis ThesisRepaired.
Import ListNotations.

Section Agreement.

Variables proposers acceptors : list nat.
Variable init : nat -> proposal.
Variables Q1 Q2 : list nat -> bool.
Variable r : rules.

Local Notation key := (key r).
Local Notation on_prepare := (on_prepare r).
Local Notation lets_through := (lets_through r).
Local Notation on_promise := (on_promise Q1).
Local Notation step_send := (step_send acceptors).
Local Notation start := (start proposers init).
Local Notation exec := (exec proposers acceptors Q1 r).
Local Notation chosen := (chosen Q2).

Hypothesis quorums_meet : forall q k, Q1 q = true -> Q2 k = true -> exists a, In a q /\ In a k.
Hypothesis empty_is_none : Q2 [] = false.
Hypothesis disjoint : forall n, In n proposers -> In n acceptors -> False.
Hypothesis unique_numbers : forall p k, In p proposers -> In k proposers ->
  number (init p) = number (init k) -> p = k.
Hypothesis numbers_positive : forall p, In p proposers -> 1 <= number (init p).

(* The rules under which agreement is proved. *)
Definition safe : Prop :=
  compare_value r = false /\ report_promised r = false
  /\ (unchecked_init r = false \/ dummy_after_nack r = false).
Hypothesis safe_rules : safe.

(* ---- The inductive invariant ---- *)

(* Why p may propose x: a phase-1 quorum promised; x has the value of the highest that they report,
   or, when they report none, is p's own. *)
Definition justified (w : world) (p : nat) (x : proposal) : Prop :=
  exists got, Q1 (map fst got) = true
    /\ (forall a o, In (a, o) got -> In (Promise a p o) (net w))
    /\ (number (highest (0, 0) got) = 0 /\ x = init p
        \/ number (highest (0, 0) got) <> 0 /\ value x = value (highest (0, 0) got)).

Definition proposer_ok (w : world) (p : nat) (s : role_state) : Prop :=
  match s with
  | PInit x | PSentPrep _ x => x = init p
  | PWaitPrepResp got x => x = init p /\ forall a o, In (a, o) got -> In (Promise a p o) (net w)
  | PSentAccReq _ x => number x = number (init p) /\ justified w p x
  | PAbort => True
  | _ => False
  end.

(* p has sent accept requests for x, or may have. *)
Definition proposes (s : role_state) (x : proposal) : Prop :=
  match s with PSentAccReq _ y => y = x | PAbort => True | _ => False end.

Definition acceptor_ok (s : role_state) : Prop :=
  match s with
  | AInit => True
  | APromised n _ => 1 <= n
  | AAccepted x => 1 <= number x
  | _ => False
  end.

Record Inv (w : world) : Prop := {
  inv_proposer : forall p, In p proposers -> proposer_ok w p (st w p);
  inv_acceptor : forall a, In a acceptors -> acceptor_ok (st w a);
  inv_vote : forall a x, In (a, x) (votes w) ->
    In a acceptors /\ 1 <= number x <= promised_number (st w a)
    /\ exists p, In (Accept p a x) (net w);
  (* An acceptor knows its highest vote. *)
  inv_last : forall a, In a acceptors ->
    match accepted_of (st w a) with
    | Some x => In (a, x) (votes w) /\ forall y, In (a, y) (votes w) -> number y <= number x
    | None => forall y, ~ In (a, y) (votes w)
    end;
  inv_prepare : forall p a x, In (Prepare p a x) (net w) -> In p proposers /\ x = init p;
  (* A promise reports the highest vote below its number, and there will be no other. *)
  inv_promise : forall a p o, In (Promise a p o) (net w) ->
    In a acceptors /\ In p proposers /\ number (init p) <= promised_number (st w a)
    /\ match o with
       | Some x => In (a, x) (votes w) /\ number x < number (init p)
                   /\ forall y, In (a, y) (votes w) -> number y < number (init p) ->
                      number y <= number x
       | None => forall y, In (a, y) (votes w) -> number (init p) <= number y
       end;
  inv_accept : forall p a x, In (Accept p a x) (net w) ->
    (dummy_after_nack r = true /\ x = (0, 0))
    \/ (In p proposers /\ number x = number (init p) /\ justified w p x /\ proposes (st w p) x);
  inv_unique : forall p a b x y, In (Accept p a x) (net w) -> In (Accept p b y) (net w) ->
    1 <= number x -> 1 <= number y -> x = y
}.

Lemma justified_mono w w' p x : incl (net w) (net w') -> justified w p x -> justified w' p x.
Proof.
  intros I (got & A & B & C). exists got. repeat split; auto.
Qed.

Lemma proposer_ok_mono w w' p s : incl (net w) (net w') -> proposer_ok w p s -> proposer_ok w' p s.
Proof.
  intros I. destruct s; simpl; try tauto.
  - intros [A B]. split; auto.
  - intros [A B]. split; [exact A | eapply justified_mono; eassumption].
Qed.

(* A proposer's step: it changes, and sends. *)
Lemma inv_proposer_step w p s more : Inv w -> In p proposers ->
  proposer_ok (set w p s more []) p s ->
  (forall a x, In (Accept p a x) (net w) -> 1 <= number x -> proposes s x) ->
  (forall m, In m more -> (exists a, m = Prepare p a (init p))
     \/ (exists a, m = Accept p a (0, 0) /\ dummy_after_nack r = true)
     \/ (exists a x, m = Accept p a x /\ number x = number (init p) /\ justified w p x
           /\ proposes s x /\ forall b y, In (Accept p b y) (net w) -> 1 <= number y -> y = x)) ->
  (forall a b x y, In (Accept p a x) more -> In (Accept p b y) more -> x = y) ->
  Inv (set w p s more []).
Proof.
  intros I Hp OK Keep New One.
  assert (N : incl (net w) (net (set w p s more []))).
  { intros m Hm. simpl. apply in_or_app. auto. }
  assert (A : forall a, In a acceptors -> st (set w p s more []) a = st w a).
  { intros a Ha. apply set_other. intros ->. eapply disjoint; eassumption. }
  constructor.
  - intros k Hk. destruct (Nat.eq_dec k p) as [->|D].
    + rewrite set_same. exact OK.
    + rewrite set_other by exact D. apply (proposer_ok_mono w); auto. apply (inv_proposer _ I), Hk.
  - intros a Ha. rewrite (A a Ha). apply (inv_acceptor _ I), Ha.
  - intros a x H. simpl in H. destruct (inv_vote _ I _ _ H) as (Ha & L & k & K).
    rewrite (A a Ha). repeat split; try tauto. exists k. apply N, K.
  - intros a Ha. rewrite (A a Ha). apply (inv_last _ I), Ha.
  - intros k a x H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(b & E)|[(b & E & _)|(b & y & E & _)]]; try discriminate E.
      injection E as -> _ ->. auto.
    + eapply (inv_prepare _ I), H.
  - intros a k o H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(b & E)|[(b & E & _)|(b & y & E & _)]]; discriminate E.
    + destruct (inv_promise _ I _ _ _ H) as (Ha & Hk & L). rewrite (A a Ha). auto.
  - intros k a x H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(b & E)|[(b & E & D)|(b & y & E & En & J & P & _)]];
        try discriminate E.
      * injection E as -> _ ->. auto.
      * injection E as -> _ ->. right. rewrite set_same. repeat split; auto.
        eapply justified_mono; eassumption.
    + destruct (inv_accept _ I _ _ _ H) as [K|(Hk & En & J & P)]; [auto|]. right.
      repeat split; auto; [eapply justified_mono; eassumption|].
      destruct (Nat.eq_dec k p) as [->|D]; [|rewrite set_other by exact D; exact P].
      rewrite set_same. eapply Keep; [exact H|]. rewrite En. apply numbers_positive, Hp.
  - intros k a b x y H K Px Py. simpl in H, K. apply in_app_or in H, K.
    destruct H as [H|H], K as [K|K].
    + destruct (Nat.eq_dec k p) as [->|D]; [eapply One; eassumption|].
      destruct (New _ H) as [(c & E)|[(c & E & _)|(c & z & E & _)]]; try discriminate E;
        injection E as -> _ _; contradiction.
    + destruct (New _ H) as [(c & E)|[(c & E & _)|(c & z & E & _ & _ & _ & U)]]; try discriminate E.
      * injection E as -> _ ->. simpl in Px. lia.
      * injection E as -> _ ->. symmetry. eapply U; eassumption.
    + destruct (New _ K) as [(c & E)|[(c & E & _)|(c & z & E & _ & _ & _ & U)]]; try discriminate E.
      * injection E as -> _ ->. simpl in Py. lia.
      * injection E as -> _ ->. eapply U; eassumption.
    + eapply (inv_unique _ I); eassumption.
Qed.

(* An acceptor's step: it changes, answers or votes. *)
Lemma inv_acceptor_step w a s more cast : Inv w -> In a acceptors ->
  acceptor_ok s -> promised_number (st w a) <= promised_number s ->
  (forall m, In m more -> (exists p, m = Nack a p)
     \/ (exists p o, m = Promise a p o /\ In p proposers /\ cast = []
           /\ number (init p) <= promised_number s
           /\ match o with
              | Some x => In (a, x) (votes w) /\ number x < number (init p)
                          /\ forall y, In (a, y) (votes w) -> number y <= number x
              | None => forall y, ~ In (a, y) (votes w)
              end)) ->
  (cast = [] /\ accepted_of s = accepted_of (st w a)
   \/ exists p x, cast = [(a, x)] /\ s = AAccepted x /\ In (Accept p a x) (net w)) ->
  Inv (set w a s more cast).
Proof.
  intros I Ha OK Up New Cast.
  assert (N : incl (net w) (net (set w a s more cast))).
  { intros m Hm. simpl. apply in_or_app. auto. }
  assert (P : forall p, In p proposers -> st (set w a s more cast) p = st w p).
  { intros p Hp. apply set_other. intros ->. eapply disjoint; eassumption. }
  assert (V : forall b y, In (b, y) (cast ++ votes w) -> In (b, y) (votes w)
                \/ (b = a /\ s = AAccepted y /\ exists p, In (Accept p a y) (net w))).
  { intros b y H. apply in_app_or in H. destruct H as [H|H]; [|auto].
    destruct Cast as [[-> _]|(p & x & -> & Es & Hp)]; [destruct H|].
    destruct H as [H|[]]. injection H as <- <-. right. eauto. }
  constructor.
  - intros p Hp. rewrite (P p Hp). apply (proposer_ok_mono w); auto. apply (inv_proposer _ I), Hp.
  - intros b Hb. destruct (Nat.eq_dec b a) as [->|D].
    + rewrite set_same. exact OK.
    + rewrite set_other by exact D. apply (inv_acceptor _ I), Hb.
  - intros b y H. apply V in H. destruct H as [H|(-> & -> & p & K)].
    + destruct (inv_vote _ I _ _ H) as (Hb & L & p & K). repeat split; try tauto.
      * destruct (Nat.eq_dec b a) as [->|D]; [rewrite set_same; lia|].
        rewrite set_other by exact D. lia.
      * exists p. apply N, K.
    + rewrite set_same. simpl in OK. repeat split; auto. exists p. apply N, K.
  - intros b Hb. destruct (Nat.eq_dec b a) as [->|D].
    + rewrite set_same. assert (L := inv_last _ I _ Ha).
      destruct Cast as [[-> E]|(p & x & -> & -> & _)].
      * rewrite E. exact L.
      * simpl. split; [auto|]. intros y [K|K]; [injection K as <-; lia|].
        apply (inv_vote _ I) in K. simpl in Up. lia.
    + rewrite set_other by exact D. assert (L := inv_last _ I _ Hb).
      destruct (accepted_of (st w b)) as [x|].
      * destruct L as [L1 L2]. simpl. split; [apply in_or_app; auto|]. intros y K. apply V in K.
        destruct K as [K|(-> & _)]; [auto | contradiction].
      * intros y K. apply V in K. destruct K as [K|(-> & _)]; [eapply L, K | contradiction].
  - intros p b x H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(k & E)|(k & o & E & _)]; discriminate E.
    + eapply (inv_prepare _ I), H.
  - intros b p o H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(k & E)|(k & o' & E & Hk & -> & L & M)]; [discriminate E|].
      injection E as -> -> ->. rewrite set_same. repeat split; auto. simpl.
      destruct o' as [x|].
      * destruct M as (M1 & M2 & M3). repeat split; auto.
      * intros y K. exfalso. eapply M, K.
    + destruct (inv_promise _ I _ _ _ H) as (Hb & Hp & L & M).
      assert (L' : number (init p) <= promised_number (st (set w a s more cast) b)).
      { destruct (Nat.eq_dec b a) as [->|D]; [rewrite set_same; lia|].
        rewrite set_other by exact D. exact L. }
      repeat split; auto. destruct o as [x|].
      * destruct M as (M1 & M2 & M3). split; [simpl; apply in_or_app; auto|]. split; [exact M2|].
        intros y K Ly. apply V in K. destruct K as [K|(-> & Es & _)]; [auto|].
        rewrite Es in Up. simpl in Up. lia.
      * intros y K. apply V in K. destruct K as [K|(-> & Es & _)]; [auto|].
        rewrite Es in Up. simpl in Up. lia.
  - intros p b x H. simpl in H. apply in_app_or in H. destruct H as [H|H].
    + destruct (New _ H) as [(k & E)|(k & o & E & _)]; discriminate E.
    + destruct (inv_accept _ I _ _ _ H) as [K|(Hp & En & J & Pr)]; [auto|]. right.
      rewrite (P p Hp). repeat split; auto. eapply justified_mono; eassumption.
  - assert (B : forall p b x, In (Accept p b x) (net (set w a s more cast)) ->
                  In (Accept p b x) (net w)).
    { intros p b x H. simpl in H. apply in_app_or in H. destruct H as [H|H]; [|exact H].
      destruct (New _ H) as [(k & E)|(k & o & E & _)]; discriminate E. }
    intros p b c x y H K. apply B in H, K. eapply (inv_unique _ I); eassumption.
Qed.

Theorem inv_start : Inv start.
Proof.
  constructor; simpl; try tauto.
  - intros p Hp. apply mem_In in Hp. rewrite Hp. reflexivity.
  - intros a Ha. destruct (mem a proposers) eqn:E; [|exact Logic.I].
    apply mem_In in E. exfalso. eapply disjoint; eassumption.
  - intros a Ha. destruct (mem a proposers); simpl; tauto.
Qed.

(* What a proposer picks is justified by its promises. *)
Lemma pick_justified w p got : In p proposers -> Q1 (map fst got) = true ->
  (forall a o, In (a, o) got -> In (Promise a p o) (net w)) ->
  number (pick got (init p)) = number (init p) /\ justified w p (pick got (init p)).
Proof.
  intros Hp Q G. unfold pick. destruct (Nat.eqb_spec (number (highest (0, 0) got)) 0) as [E|E].
  - split; [reflexivity|]. exists got. auto.
  - split; [reflexivity|]. exists got. auto.
Qed.

(* Who accepts was asked by a proposer with its number, not below the promise. *)
Lemma let_through_real w a x p : Inv w -> In a acceptors -> In (Accept p a x) (net w) ->
  lets_through (st w a) x = true ->
  In p proposers /\ number x = number (init p) /\ promised_number (st w a) <= number x
  /\ (strict_accept r = true -> promised_number (st w a) < number x).
Proof.
  intros I Ha H T. destruct safe_rules as (S1 & S2 & S3).
  assert (OK := inv_acceptor _ I _ Ha). unfold lets_through, key in T. rewrite S1 in T.
  destruct (inv_accept _ I _ _ _ H) as [[Du ->]|(Hp & En & _)].
  - exfalso. destruct S3 as [S3|S3]; [|congruence]. rewrite S3 in T.
    destruct (st w a); try contradiction; simpl in *;
      [discriminate T | |]; destruct (strict_accept r);
      first [apply Nat.ltb_lt in T | apply Nat.leb_le in T]; lia.
  - assert (Pos := numbers_positive _ Hp). repeat split; auto; destruct (st w a); try contradiction;
      simpl in *; try lia; intros; try rewrite H0 in T; destruct (strict_accept r);
      try discriminate; first [apply Nat.ltb_lt in T | apply Nat.leb_le in T]; lia.
Qed.

Theorem inv_exec w e w' : Inv w -> exec w e = Some w' -> Inv w'.
Proof.
  intros I E. destruct safe_rules as (S1 & S2 & S3).
  destruct e as [p a|p a|p a|m|m]; unfold exec in E.
  - destruct (mem p proposers && mem a acceptors) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite !mem_In in M. destruct M as [Hp Ha].
    assert (OK := inv_proposer _ I _ Hp).
    assert (X : exists s, proposer_ok w p s /\ w' = set w p s [Prepare p a (init p)] []
              /\ forall x, ~ proposes (st w p) x).
    { destruct (st w p) as [x|sent x| | | | | |] eqn:Es; try discriminate E; injection E as <-;
        simpl in OK; subst x; (eexists; split; [|split; [reflexivity | tauto]]); simpl;
        destruct (perm_eq _ _); simpl; try reflexivity; (split; [reflexivity | intros ? ? []]). }
    destruct X as (s & OK' & -> & NP). apply inv_proposer_step; auto.
    + apply (proposer_ok_mono w); [|exact OK']. intros m Hm. simpl. auto.
    + intros b x H L. exfalso. destruct (inv_accept _ I _ _ _ H) as [[_ ->]|(_ & _ & _ & K)].
      * simpl in L. lia.
      * eapply NP, K.
    + intros m [<-|[]]. left. eauto.
    + intros b c x y [H|[]]. discriminate H.
  - destruct (mem p proposers && mem a acceptors) eqn:M; [|discriminate E].
    apply andb_true_iff in M. rewrite !mem_In in M. destruct M as [Hp Ha].
    assert (OK := inv_proposer _ I _ Hp).
    destruct (st w p) as [| | |sent x| | | |] eqn:Es; try discriminate E. injection E as <-.
    simpl in OK. destruct OK as [En J].
    assert (K : forall b y, In (Accept p b y) (net w) -> 1 <= number y -> y = x).
    { intros b y H L. destruct (inv_accept _ I _ _ _ H) as [[_ ->]|(_ & _ & _ & K)].
      - simpl in L. lia.
      - rewrite Es in K. symmetry. exact K. }
    assert (PS : proposes (step_send (PSentAccReq sent x) a) x).
    { simpl. destruct (perm_eq _ _); simpl; auto. }
    apply inv_proposer_step; auto.
    + simpl. destruct (perm_eq _ _); simpl; auto. split; [exact En|].
      eapply justified_mono; [|exact J]. intros m Hm. simpl. auto.
    + intros b y H L. rewrite (K b y H L). exact PS.
    + intros m [<-|[]]. right. right. exists a, x. repeat split; auto.
    + intros b c y z [H|[]] [G|[]]. congruence.
  - destruct (mem p proposers && mem a acceptors && dummy_after_nack r) eqn:M; [|discriminate E].
    rewrite !andb_true_iff, !mem_In in M. destruct M as [[Hp Ha] Du].
    destruct (st w p) eqn:Es; try discriminate E. injection E as <-.
    apply inv_proposer_step; auto.
    + simpl. exact Logic.I.
    + intros. exact Logic.I.
    + intros m [<-|[]]. right. left. eauto.
    + intros b c y z [H|[]] [G|[]]. congruence.
  - destruct m as [p a x|a p o|a p|p a x]; try discriminate E.
    + destruct (in_net _ (net w) && mem a acceptors) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Ha].
      apply in_net_In in Hm. destruct (inv_prepare _ I _ _ _ Hm) as [Hp ->].
      assert (Pos := numbers_positive _ Hp).
      unfold on_prepare, key in E. rewrite S1, S2 in E.
      destruct (Nat.ltb_spec (promised_number (st w a)) (number (init p))) as [L|L];
        injection E as <-.
      * apply inv_acceptor_step; auto; simpl; try lia.
        intros m [<-|[]]. right. exists p, (accepted_of (st w a)). repeat split; auto.
        assert (La := inv_last _ I _ Ha). destruct (accepted_of (st w a)) as [x|]; [|exact La].
        destruct La as [L1 L2]. repeat split; auto. apply (inv_vote _ I) in L1. lia.
      * apply inv_acceptor_step; auto.
        -- apply (inv_acceptor _ I), Ha.
        -- intros m [<-|[]]. left. eauto.
    + destruct (in_net _ (net w) && mem a acceptors) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Ha].
      apply in_net_In in Hm.
      destruct (lets_through (st w a) x) eqn:T; [|injection E as <-; exact I].
      injection E as <-. destruct (let_through_real _ _ _ _ I Ha Hm T) as (Hp & En & L & _).
      apply inv_acceptor_step; auto.
      * simpl. rewrite En. apply numbers_positive, Hp.
      * intros m [].
      * right. eauto.
  - destruct m as [p a x|a p o|a p|p a x]; try discriminate E.
    + destruct (in_net _ (net w) && mem p proposers) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Hp].
      apply in_net_In in Hm. assert (OK := inv_proposer _ I _ Hp).
      destruct (st w p) as [| |got x| | | | |] eqn:Es; try (injection E as <-; exact I).
      injection E as <-. simpl in OK. destruct OK as [-> G].
      apply inv_proposer_step; auto.
      * unfold on_promise. destruct (mem a (map fst got)); [split; [reflexivity | exact G]|].
        assert (G' : forall b q, In (b, q) ((a, o) :: got) -> In (Promise b p q) (net w)).
        { intros b q [K|K]; [injection K as <- <-; exact Hm | apply G, K]. }
        cbv zeta. destruct (Q1 (map fst ((a, o) :: got))) eqn:Q.
        -- apply (pick_justified w); assumption.
        -- split; [reflexivity | exact G'].
      * intros b y H L. exfalso. destruct (inv_accept _ I _ _ _ H) as [[_ ->]|(_ & _ & _ & K)].
        -- simpl in L. lia.
        -- rewrite Es in K. exact K.
      * intros m [].
      * intros b c y z [].
    + destruct (in_net _ (net w) && mem p proposers) eqn:M; [|discriminate E].
      apply andb_true_iff in M. rewrite mem_In in M. destruct M as [Hm Hp].
      destruct (st w p) as [| |got x| | | | |] eqn:Es; try (injection E as <-; exact I).
      injection E as <-. apply inv_proposer_step; simpl; auto; tauto.
Qed.

Theorem inv_run es : forall w w', Inv w -> run exec w es = Some w' -> Inv w'.
Proof.
  induction es as [|e es IH]; simpl; intros w w' I R; [congruence|].
  destruct (exec w e) as [w1|] eqn:E; [|discriminate R].
  apply (IH w1); [eapply inv_exec; eassumption | exact R].
Qed.

(* ---- Agreement ---- *)

(* Who reports is reported: the highest of a quorum's promises is a vote, below the proposer's
   number. *)
Lemma highest_is_vote w p got : Inv w ->
  (forall a o, In (a, o) got -> In (Promise a p o) (net w)) ->
  number (highest (0, 0) got) <> 0 ->
  exists c, In (c, highest (0, 0) got) (votes w) /\ number (highest (0, 0) got) < number (init p).
Proof.
  intros I G N. destruct (highest_spec got (0, 0)) as (_ & [E|[c B]] & _).
  - rewrite E in N. simpl in N. congruence.
  - destruct (inv_promise _ I _ _ _ (G _ _ B)) as (_ & _ & _ & M1 & M2 & _). eauto.
Qed.

Lemma real_accept w p a x : Inv w -> In (Accept p a x) (net w) -> 1 <= number x ->
  In p proposers /\ number x = number (init p) /\ justified w p x.
Proof.
  intros I H L. destruct (inv_accept _ I _ _ _ H) as [[_ ->]|(A & B & C & _)]; [|auto].
  simpl in L. lia.
Qed.

(* What is proposed above a chosen number has the chosen value. *)
Lemma chosen_stable w x : Inv w -> chosen w x ->
  forall n p a y, number y = n -> In (Accept p a y) (net w) -> number x <= number y ->
  value y = value x.
Proof.
  intros I (q & Q & V) n. induction n as [n IH] using (well_founded_induction lt_wf).
  intros p a y <- H L.
  assert (X : exists b k, In b q /\ 1 <= number x /\ In (Accept k b x) (net w)).
  { destruct q as [|b q]; [congruence|].
    destruct (inv_vote _ I _ _ (V b (or_introl eq_refl))) as (_ & Lx & k & K).
    exists b, k. split; [left; reflexivity|]. split; [lia | exact K]. }
  destruct X as (b & k & Hb & Lx & K).
  destruct (real_accept _ _ _ _ I K Lx) as (Hk & Ek & _).
  destruct (real_accept _ _ _ _ I H ltac:(lia)) as (Hp & Ep & got & G1 & G2 & G3).
  destruct (Nat.eq_dec (number y) (number x)) as [E|D].
  - assert (p = k) by (apply unique_numbers; auto; congruence). subst k.
    f_equal. eapply (inv_unique _ I); eauto. lia.
  - destruct (quorums_meet _ _ G1 Q) as (c & Cg & Cq).
    apply in_map_iff in Cg. destruct Cg as ([c' o] & Ec & Co). simpl in Ec. subst c'.
    assert (Vc := V c Cq). destruct (inv_promise _ I _ _ _ (G2 _ _ Co)) as (_ & _ & _ & M).
    destruct o as [z|]; [|apply M in Vc; lia].
    destruct M as (_ & _ & M). specialize (M x Vc ltac:(lia)).
    destruct (highest_spec got (0, 0)) as (_ & _ & Top). specialize (Top _ _ Co).
    assert (N : number (highest (0, 0) got) <> 0) by lia.
    destruct G3 as [[G3 _]|[_ G3]]; [contradiction|]. rewrite G3.
    destruct (highest_is_vote _ _ _ I G2 N) as (d & Vd & Ld).
    destruct (inv_vote _ I _ _ Vd) as (_ & _ & k' & K').
    eapply (IH (number (highest (0, 0) got))); [lia | reflexivity | exact K' | lia].
Qed.

Lemma votes_grow w e w' : exec w e = Some w' -> incl (votes w) (votes w').
Proof.
  assert (S : forall n s more cast, incl (votes w) (votes (set w n s more cast))).
  { intros n s more cast v H. simpl. apply in_or_app. auto. }
  intros E v H. destruct e as [p a|p a|p a|m|m]; unfold exec in E.
  1-3: destruct (_ && _); [|discriminate E];
       destruct (st w p); try discriminate E; injection E as <-; exact H.
  - destruct m; try discriminate E; (destruct (_ && _); [|discriminate E]).
    + destruct (on_prepare _ _) as [s [o|]]; injection E as <-; apply S, H.
    + destruct (lets_through _ _); injection E as <-; [apply S, H | exact H].
  - destruct m; try discriminate E; (destruct (_ && _); [|discriminate E]);
      destruct (st w p); injection E as <-; exact H.
Qed.

Lemma chosen_stays es : forall w w' x, run exec w es = Some w' -> chosen w x -> chosen w' x.
Proof.
  induction es as [|e es IH]; simpl; intros w w' x R C; [congruence|].
  destruct (exec w e) as [w1|] eqn:E; [|discriminate R]. apply (IH w1 w' x R).
  destruct C as (q & Q & V). exists q. split; [exact Q|]. intros a Ha.
  apply (votes_grow _ _ _ E), V, Ha.
Qed.

(* Of two values chosen at any two times of a run, both are one. *)
Theorem agreement es more w w' x y :
  run exec start es = Some w -> run exec w more = Some w' ->
  chosen w x -> chosen w' y -> value x = value y.
Proof.
  intros R1 R2 C D. apply (chosen_stays _ _ _ _ R2) in C.
  assert (I := inv_run _ _ _ (inv_run _ _ _ inv_start R1) R2).
  assert (X : forall z, chosen w' z -> exists k b, In (Accept k b z) (net w')).
  { intros z (q & Q & V). destruct q as [|b q]; [congruence|].
    destruct (inv_vote _ I _ _ (V b (or_introl eq_refl))) as (_ & _ & k & K). eauto. }
  destruct (X x C) as (k & b & K), (X y D) as (l & c & L).
  destruct (Nat.le_ge_cases (number x) (number y)).
  - symmetry. eapply (chosen_stable _ _ I C); eauto.
  - eapply (chosen_stable _ _ I D); eauto.
Qed.

(* The thesis's I1: one value with one number, of all that was ever accepted. *)
Theorem I1 es w a b x y : run exec start es = Some w ->
  In (a, x) (votes w) -> In (b, y) (votes w) -> number x = number y -> value x = value y.
Proof.
  intros R A B E. assert (I := inv_run _ _ _ inv_start R).
  destruct (inv_vote _ I _ _ A) as (_ & Lx & p & P), (inv_vote _ I _ _ B) as (_ & Ly & k & K).
  destruct (real_accept _ _ _ _ I P ltac:(lia)) as (Hp & Ep & _).
  destruct (real_accept _ _ _ _ I K ltac:(lia)) as (Hk & Ek & _).
  assert (p = k) by (apply unique_numbers; auto; congruence). subst k.
  f_equal. eapply (inv_unique _ I); eauto; lia.
Qed.

(* Its I2: what is accepted above a chosen number has the chosen value. *)
Theorem I2 es w b x y : run exec start es = Some w ->
  chosen w x -> In (b, y) (votes w) -> number x < number y -> value y = value x.
Proof.
  intros R C B L. assert (I := inv_run _ _ _ inv_start R).
  destruct (inv_vote _ I _ _ B) as (_ & _ & k & K).
  eapply (chosen_stable _ _ I C); eauto. lia.
Qed.

(* What is accepted some proposer was given. *)
Theorem validity es w a x : run exec start es = Some w -> In (a, x) (votes w) ->
  exists p, In p proposers /\ value x = value (init p).
Proof.
  intros R. assert (I := inv_run _ _ _ inv_start R). remember (number x) as n eqn:En. revert a x En.
  induction n as [n IH] using (well_founded_induction lt_wf). intros a x -> A.
  destruct (inv_vote _ I _ _ A) as (_ & Lx & p & P).
  destruct (real_accept _ _ _ _ I P ltac:(lia)) as (Hp & Ep & got & _ & G2 & [[_ G3]|[N G3]]).
  - exists p. subst x. auto.
  - destruct (highest_is_vote _ _ _ I G2 N) as (c & Vc & Lc).
    rewrite G3. eapply (IH (number (highest (0, 0) got))); [lia | reflexivity | exact Vc].
Qed.

(* ---- `>` in place of `>=` ---- *)

(* An acceptor that promised p does not accept from p, whether the promise came first or last. *)
Lemma promised_refuses es : strict_accept r = true -> forall w, run exec start es = Some w ->
  forall a p o y, In (Promise a p o) (net w) -> In (a, y) (votes w) -> number y <> number (init p).
Proof.
  intros S w. revert w. induction es as [|e es IH] using rev_ind; intros w R.
  { injection R as <-. simpl. tauto. }
  assert (X : exists w1, run exec start es = Some w1 /\ exec w1 e = Some w).
  { clear - R. revert R. generalize start. induction es as [|e' es IH]; simpl; intros w0 R.
    - exists w0. split; [reflexivity|]. destruct (exec w0 e); congruence.
    - destruct (exec w0 e') as [w1|]; [apply IH, R | discriminate R]. }
  destruct X as (w1 & R1 & E). specialize (IH w1 R1).
  assert (I := inv_run _ _ _ inv_start R1).
  intros a p o y H V.
  destruct e as [k b|k b|k b|m|m]; unfold exec in E.
  1-3: destruct (_ && _); [|discriminate E];
       destruct (st w1 k); try discriminate E; injection E as <-; simpl in H, V;
       (destruct H as [H|H]; [discriminate H | eapply IH; eassumption]).
  - destruct m as [k b x|b k q|b k|k b x]; try discriminate E;
      (destruct (in_net _ _ && mem b acceptors) eqn:M; [|discriminate E]);
      apply andb_true_iff in M; rewrite mem_In in M; destruct M as [Hm Hb]; apply in_net_In in Hm.
    + destruct (inv_prepare _ I _ _ _ Hm) as [Hk ->]. destruct safe_rules as (S1 & S2 & _).
      unfold on_prepare, key in E. rewrite S1 in E.
      destruct (Nat.ltb_spec (promised_number (st w1 b)) (number (init k))) as [L|L];
        injection E as <-; simpl in H, V.
      * destruct H as [H|H]; [|eapply IH; eassumption]. injection H as -> -> _.
        destruct (inv_vote _ I _ _ V) as (_ & Ly & _). lia.
      * destruct H as [H|H]; [discriminate H | eapply IH; eassumption].
    + destruct (lets_through (st w1 b) x) eqn:T; injection E as <-; [|eapply IH; eassumption].
      simpl in H, V. destruct V as [V|V]; [|eapply IH; eassumption]. injection V as -> ->.
      destruct (let_through_real _ _ _ _ I Hb Hm T) as (_ & _ & _ & L). specialize (L S).
      destruct (inv_promise _ I _ _ _ H) as (_ & _ & Lp & _). lia.
  - destruct m as [k b x|b k q|b k|k b x]; try discriminate E;
      (destruct (_ && _); [|discriminate E]);
      destruct (st w1 k); injection E as <-; simpl in H, V; eapply IH; eassumption.
Qed.

Theorem strict_chooses_nothing es w x : strict_accept r = true -> run exec start es = Some w ->
  ~ chosen w x.
Proof.
  intros S R (q & Q & V). assert (I := inv_run _ _ _ inv_start R).
  assert (X : exists b k, 1 <= number x /\ In (Accept k b x) (net w)).
  { destruct q as [|b q]; [congruence|].
    destruct (inv_vote _ I _ _ (V b (or_introl eq_refl))) as (_ & L & k & K).
    exists b, k. split; [lia | exact K]. }
  destruct X as (b & k & L & K).
  destruct (real_accept _ _ _ _ I K L) as (_ & E & got & G1 & G2 & _).
  destruct (quorums_meet _ _ G1 Q) as (c & Cg & Cq).
  apply in_map_iff in Cg. destruct Cg as ([c' o] & Ec & Co). simpl in Ec. subst c'.
  eapply promised_refuses; eauto.
Qed.

End Agreement.
