(* From the invariant: an instance has one chosen value, and it was a client's command or a no-op.
   And the step that all depends on: what a proposer selects is safe. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol Facts.
Import ListNotations.

Section Agreement.
Context {cfg : config}.

Lemma ran_message w b i v : invariant w -> ran w b i v ->
  elected w b i /\ proposable w v /\ safe w b i v.
Proof.
  intros I (f & vs & A & B & D). apply (inv_message _ I) in A. destruct A as (_ & _ & E).
  destruct (E _ _ D) as (F & G). replace (f + (i - f)) with i in G by lia. tauto.
Qed.

Lemma known_chosen w b i v : invariant w -> known_at w b i v -> chosen_at w b i v.
Proof.
  intros I (m & A & B & D). apply (inv_message _ I) in A. destruct A as (_ & A). now apply A.
Qed.

Lemma dead_unchosen w b i v : dead w b i -> ~ chosen_at w b i v.
Proof. intros D (_ & q & A & B). destruct (D q A) as (n & N & _ & K). apply K, B, N. Qed.

(* Once a value is chosen at b, every proposal above b has it. *)
Lemma chosen_stable w i : invariant w -> forall b' b v u,
  chosen_at w b i v -> ran w b' i u -> b < b' -> u = v.
Proof.
  intros I. induction b' as [b' IH] using (well_founded_induction lt_wf). intros b v u D R L.
  destruct (ran_message _ _ _ _ I R) as (_ & _ & S).
  destruct (S b L) as [K|[K|(c & K & E)]].
  - now apply dead_unchosen in D.
  - apply (ran_unique w b i); auto; [apply I|apply D].
  - symmetry. apply (IH b L c); auto. apply D.
Qed.

Lemma chosen_at_or_above w b b' i v u : invariant w ->
  chosen_at w b i v -> ran w b' i u -> b <= b' -> u = v.
Proof.
  intros I D R L. destruct (Nat.eq_dec b b').
  - subst. apply (ran_unique w b' i); auto; [apply I|apply D].
  - apply (chosen_stable w i I b' b); auto. lia.
Qed.

Lemma agreement_inv w i v v' : invariant w -> chosen w i v -> chosen w i v' -> v = v'.
Proof.
  intros I (b & A) (b' & B). destruct (Nat.le_ge_cases b b').
  - symmetry. apply (chosen_at_or_above w b b' i); auto. apply B.
  - apply (chosen_at_or_above w b' b i); auto. apply A.
Qed.

Lemma known_agree w i v v' : invariant w -> known w i v -> known w i v' -> v = v'.
Proof.
  intros I (b & A) (b' & B). apply (agreement_inv w i); auto.
  - exists b. now apply known_chosen.
  - exists b'. now apply known_chosen.
Qed.

Lemma validity_inv w i v : invariant w -> chosen w i v -> proposable w v.
Proof. intros I (b & A & _). now apply ran_message in A. Qed.

(* What an acceptor keeps of what was delivered is what was chosen. *)
Lemma kept_value w n s x i v : invariant w -> good w n s x -> shard_of i = s ->
  kept w x i -> tail x <= i -> slot_at x i = Some v -> known w i (value_of v).
Proof.
  intros I (_ & G & _) S [K|(b & u & K & L)] T E; [lia|]. specialize (G i S).
  unfold slot_ok in G. rewrite E in *. destruct v as [c k m v|v]; simpl in *; [|tauto].
  replace v with u; [now exists b|]. symmetry.
  apply (chosen_at_or_above w b c i); auto; [now apply known_chosen|apply G].
Qed.

(* ---- Selection ---- *)

Definition outranks (r q : report) : Prop :=
  match r, q with
  | Decided _, _ => True
  | _, Empty => True
  | Vote b _, Vote c _ => c <= b
  | _, _ => False
  end.

Lemma outranks_refl r : outranks r r.
Proof. destruct r; simpl; auto. Qed.

Lemma outranks_trans a b c : outranks a b -> outranks b c -> outranks a c.
Proof. destruct a, b, c; simpl; auto; try tauto; lia. Qed.

Lemma better_outranks a b : outranks (better a b) a /\ outranks (better a b) b.
Proof.
  destruct a as [|x u|u], b as [|y v|v]; simpl; auto.
  destruct (Nat.ltb_spec y x); simpl; lia.
Qed.

Lemma better_one a b : better a b = a \/ better a b = b.
Proof. destruct a as [|x u|u], b as [|y v|v]; simpl; auto. destruct (y <? x); auto. Qed.

Lemma select_spec x i q : forall r, select x i q = Some r ->
  (forall n, In n q -> exists k, heard x i n = Some k /\ outranks r k) /\
  (r = Empty \/ exists n, In n q /\ heard x i n = Some r).
Proof.
  induction q as [|m rest IH]; cbn [select]; intros r E; [inversion E; simpl; tauto|].
  destruct (heard x i m) as [k|] eqn:H; [|discriminate].
  destruct (select x i rest) as [t|]; [|discriminate]. inversion E; subst. clear E.
  destruct (IH t eq_refl) as (A & B). destruct (better_outranks k t) as (O1 & O2). split.
  - intros n [<-|N]; [now exists k|]. destruct (A n N) as (j & J & K). exists j. split; auto.
    eapply outranks_trans; eauto.
  - destruct (better_one k t) as [-> | ->]; [right; exists m; simpl; auto|].
    destruct B as [B|(n & N & B)]; [now left|right]. exists n. simpl. auto.
Qed.

Lemma heard_ok w p x i n r : leading_ok w p x -> heard x i n = Some r ->
  report_ok w n (ballot x) i r.
Proof.
  intros (_ & _ & P & R & _) H. unfold heard in H.
  destruct (get2 i n (reports x)) as [k|] eqn:E; [inversion H; subst; now apply R|].
  destruct (get2 (shard_of i) n (promises x)) as [[low top]|] eqn:F; [|discriminate].
  destruct (Nat.leb_spec low i), (Nat.leb_spec top i); simpl in H; try discriminate.
  inversion H; subst. destruct (P _ _ _ _ F) as (A & B). split; auto.
Qed.

Hypothesis Q1_Q2 : forall q1 q2, Q1 q1 = true -> Q2 q2 = true -> exists n, In n q1 /\ In n q2.

(* Above every vote that the quorum reported, below its promise, nothing is chosen. *)
Lemma quorum_dead w p x i q r b : leading_ok w p x -> Q1 q = true -> select x i q = Some r ->
  b < ballot x -> match r with Empty => True | Vote c _ => c < b | Decided _ => False end ->
  dead w b i.
Proof.
  intros L Q S B R q2 H2. destruct (Q1_Q2 q q2 Q H2) as (n & N1 & N2).
  destruct (select_spec _ _ _ _ S) as (A & _). destruct (A n N1) as (k & H & O).
  apply (heard_ok w p) in H; auto. destruct H as (D & E). exists n. split; auto. split; [lia|].
  destruct r as [|c u|u], k as [|j v|v]; simpl in O, R; try tauto; try (apply E; lia).
Qed.

Lemma select_elected w p x q i r : leading_ok w p x -> Q1 q = true -> select x i q = Some r ->
  elected w (ballot x) i.
Proof.
  intros L Q S. exists q. split; auto. intros n N. apply select_spec in S. destruct S as (A & _).
  destruct (A n N) as (k & H & _). apply (heard_ok w p) in H; auto. apply H.
Qed.

Lemma select_safe w p q i v : invariant w -> active (prop_of w p) = true -> Q1 q = true ->
  may_propose w (prop_of w p) q i v = true ->
  proposable w v /\ elected w (ballot (prop_of w p)) i /\ safe w (ballot (prop_of w p)) i v.
Proof.
  intros I A Q M. set (x := prop_of w p) in *.
  destruct (inv_proposer _ I p) as (_ & _ & L). specialize (L A). fold x in L.
  unfold may_propose in M. destruct (select x i q) as [r|] eqn:S; [|discriminate].
  pose proof (select_elected w p x q i r L Q S) as E.
  cut (proposable w v /\ safe w (ballot x) i v); [tauto|]. clear E.
  destruct (select_spec _ _ _ _ S) as (_ & [->|(n & N & H)]).
  - split.
    + apply orb_true_iff in M. destruct M as [M|M]; [left; now apply Nat.eqb_eq|now right].
    + intros b B. left. eapply quorum_dead; eauto. exact Logic.I.
  - destruct r as [|c u|u].
    + split.
      * apply orb_true_iff in M. destruct M as [M|M]; [left; now apply Nat.eqb_eq|now right].
      * intros b B. left. eapply quorum_dead; eauto. exact Logic.I.
    + apply Nat.eqb_eq in M. subst u. apply (heard_ok w p) in H; auto. destruct H as (_ & R & _).
      destruct (ran_message _ _ _ _ I R) as (_ & P & F). split; auto. intros b B.
      destruct (lt_eq_lt_dec b c) as [[K|K]|K].
      * now apply F.
      * subst. auto.
      * left. eapply quorum_dead; eauto.
    + apply Nat.eqb_eq in M. subst u. apply (heard_ok w p) in H; auto. destruct H as (_ & c & R).
      apply known_chosen in R; auto.
      destruct (ran_message _ _ _ _ I (proj1 R)) as (_ & P & F). split; auto. intros b B.
      destruct (lt_eq_lt_dec b c) as [[K|K]|K].
      * now apply F.
      * subst. right. left. apply R.
      * right. right. exists c. auto.
Qed.

Lemma select_run_safe w p q vs : invariant w -> active (prop_of w p) = true -> Q1 q = true ->
  forall i, may_propose_run w (prop_of w p) q i vs = true ->
  forall j v, nth_error vs j = Some v ->
  proposable w v /\ elected w (ballot (prop_of w p)) (i + j) /\
  safe w (ballot (prop_of w p)) (i + j) v.
Proof.
  intros I A Q. induction vs as [|u r IH]; simpl; intros i M j v J; [destruct j; discriminate|].
  apply andb_true_iff in M. destruct M as [M1 M2]. destruct j as [|j]; simpl in J.
  - inversion J; subst. rewrite Nat.add_0_r. now apply (select_safe w p q).
  - replace (i + S j) with (S i + j) by lia. now apply IH.
Qed.

End Agreement.
