(* The table of sessions: who is evicted, how many there are, and that a snapshot is all of it. *)
From Coq Require Import List Arith Lia Bool PeanoNat Permutation Sorted.
From Paxwire Require Import Session SessionOnce.
Import ListNotations.

Section Table.

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
Local Notation session_open := (session_open W max zero).
Local Notation apply := (apply W max zero execute).
Local Notation replay := (replay W max machine0 zero execute).

Local Notation inv_replay :=
  (inv_replay W W_positive max Machine Value Reply machine0 zero execute).
Arguments inv_next {W max Machine Value Reply machine0 zero execute} log.
Arguments inv_ids {W max Machine Value Reply machine0 zero execute} log.
Local Notation id := (@id Reply).
Local Notation last := (@last Reply).
Local Notation oldest := (@oldest Reply).
Local Notation evict_oldest := (@evict_oldest Reply).
Local Notation table := (table Reply).

Record Shape (log : list entry) : Prop := {
  shape_sorted : StronglySorted lt (map id (sessions (fst (replay log))));
  shape_last : forall x, In x (sessions (fst (replay log))) -> last x < length log;
  shape_lasts : forall x y, In x (sessions (fst (replay log))) ->
    In y (sessions (fst (replay log))) ->
    last x = last y -> x = y
}.

Lemma map_id_put t s : map id (session_put t s) = map id t.
Proof.
  unfold session_put. rewrite map_map. apply map_ext. intros x.
  destruct (Nat.eqb_spec (id x) (id s)); congruence.
Qed.

Lemma sorted_filter f t : StronglySorted lt (map id t) -> StronglySorted lt (map id (filter f t)).
Proof.
  induction t as [|x t IH]; simpl; intros S; [constructor|].
  apply StronglySorted_inv in S. destruct S as [S F].
  destruct (f x); simpl; [|apply IH, S]. constructor; [apply IH, S|].
  rewrite Forall_forall in *. intros i Hi. apply F. apply in_map_iff in Hi.
  destruct Hi as (y & <- & Hy). apply filter_In in Hy. apply in_map. tauto.
Qed.

Lemma sorted_snoc l i : StronglySorted lt l -> (forall j, In j l -> j < i) ->
  StronglySorted lt (l ++ [i]).
Proof.
  induction l as [|j l IH]; simpl; intros S H; [constructor; constructor|].
  apply StronglySorted_inv in S. destruct S as [S F]. constructor.
  - apply IH; auto.
  - apply Forall_app. split; [exact F|]. constructor; [apply H; auto | constructor].
Qed.

Theorem shape_replay log : Shape log.
Proof.
  induction log as [|e log S] using rev_ind.
  { constructor; simpl; [constructor | tauto | tauto]. }
  assert (I := inv_replay log). assert (Nx := inv_next _ I).
  assert (Put : forall s, last s = length log ->
    let t := session_put (sessions (fst (replay log))) s in
    StronglySorted lt (map id t) /\ (forall x, In x t -> last x < length (log ++ [e]))
    /\ (forall x y, In x t -> In y t -> last x = last y -> x = y)).
  { intros s L. simpl. rewrite map_id_put, app_length. simpl.
    assert (O := shape_last _ S). split; [apply (shape_sorted _ S)|]. split.
    - intros x H. apply In_put in H. destruct H as [->|[H _]]; [lia|]. apply O in H. lia.
    - intros x y H K E. apply In_put in H, K. destruct H as [->|[H _]], K as [->|[K _]].
      + reflexivity.
      + apply O in K. lia.
      + apply O in H. lia.
      + apply (shape_lasts _ S); assumption. }
  assert (Same : let t := sessions (fst (replay log)) in
    StronglySorted lt (map id t) /\ (forall x, In x t -> last x < length (log ++ [e]))
    /\ (forall x y, In x t -> In y t -> last x = last y -> x = y)).
  { simpl. split; [apply (shape_sorted _ S)|]. split; [|apply (shape_lasts _ S)].
    intros x H. rewrite app_length. simpl. apply (shape_last _ S) in H. lia. }
  assert (G : let t := sessions (fst (replay (log ++ [e]))) in
    StronglySorted lt (map id t) /\ (forall x, In x t -> last x < length (log ++ [e]))
    /\ (forall x y, In x t -> In y t -> last x = last y -> x = y)).
  { rewrite replay_snoc. destruct e as [| |c q v]; simpl; [exact Same | |].
    - rewrite Nx. split; [|split].
      + unfold session_open. rewrite map_app. apply sorted_snoc.
        * destruct (_ =? max); [|apply Same].
          destruct (sessions (fst (replay log))) as [|x r] eqn:E.
          { constructor. }
          unfold evict_oldest. apply sorted_filter. apply Same.
        * intros j Hj. apply in_map_iff in Hj. destruct Hj as (x & <- & Hx).
          apply (inv_ids _ I).
          destruct (_ =? max); [|exact Hx]. destruct (sessions (fst (replay log))); [exact Hx|].
          unfold evict_oldest in Hx. apply filter_In in Hx. apply Hx.
      + intros x H. apply In_open in H. destruct H as [H| ->].
        * apply Same, H.
        * rewrite app_length. simpl. lia.
      + intros x y H K E. apply In_open in H, K.
        destruct H as [H| ->], K as [K| ->]; [apply Same; assumption | | |reflexivity];
          [apply (shape_last _ S) in H | apply (shape_last _ S) in K]; simpl in E; lia.
    - unfold gather. destruct (session_find _ c) as [s|]; [|exact Same].
      destruct (session_apply s q _) as [s' a] eqn:Ea. rewrite Nx in Ea.
      assert (L : last s' = length log).
      { unfold session_apply in Ea. destruct (session_look s q);
          [destruct (W <=? q - base s)| |]; injection Ea as <- _; reflexivity. }
      destruct a; [destruct (execute _ v)| |]; apply Put; exact L. }
  destruct G as (G1 & G2 & G3). constructor; assumption.
Qed.

(* S3: who is evicted has the oldest last command. No two sessions share one (shape_lasts), so every
   replica evicts the same, in whatever order its table stands. *)
Theorem oldest_spec t : forall s, In (oldest s t) (s :: t) /\
  forall x, In x (s :: t) -> last (oldest s t) <= last x.
Proof.
  induction t as [|y t IH]; intros s; simpl.
  - split; [auto|]. intros x [<-|[]]. lia.
  - destruct (IH (if last y <? last s then y else s)) as [A B]. split.
    + destruct A as [A|A]; [|auto]. destruct (last y <? last s); auto.
    + assert (C := B _ (or_introl eq_refl)).
      intros x [<-|[<-|H]]; [| |apply B; right; exact H];
        destruct (Nat.ltb_spec (last y) (last s)); lia.
Qed.

Lemma filter_shorter {A} (f : A -> bool) l a : In a l -> f a = false ->
  length (filter f l) < length l.
Proof.
  induction l as [|b l IH]; simpl; [tauto|]. intros [->|H] F.
  - rewrite F. assert (K : length (filter f l) <= length l); [|lia].
    clear. induction l as [|b l IH]; simpl; [lia|]. destruct (f b); simpl; lia.
  - specialize (IH H F). destruct (f b); simpl; lia.
Qed.

Theorem table_within log : 1 <= max -> length (sessions (fst (replay log))) <= max.
Proof.
  intros M. induction log as [|e log IH] using rev_ind; [simpl; lia|].
  rewrite replay_snoc. destruct e as [| |c q v]; simpl; [exact IH | |].
  - unfold session_open. rewrite app_length. simpl.
    destruct (Nat.eqb_spec (length (sessions (fst (replay log)))) max) as [E|E]; [|lia].
    destruct (sessions (fst (replay log))) as [|s t]; [simpl in E; lia|].
    assert (L : length (evict_oldest (s :: t)) < length (s :: t)); [|lia].
    unfold evict_oldest. apply filter_shorter with (a := oldest s t).
    + apply oldest_spec.
    + rewrite Nat.eqb_refl. reflexivity.
  - unfold gather. destruct (session_find _ c) as [s|]; [|exact IH].
    destruct (session_apply s q _) as [s' a].
    destruct a; [destruct (execute _ v)| |]; simpl; unfold session_put; rewrite map_length;
      exact IH.
Qed.

(* S5: a snapshot has each session once, in any order (the C saves a session when it first changes,
   or when the scan comes by). Taking them in gives the table back. *)
Fixpoint insert (s : session) (t : table) : table :=
  match t with
  | [] => [s]
  | x :: r => if id s <? id x then s :: t else x :: insert s r
  end.
Definition session_restore (saved : list session) : table := fold_right insert [] saved.

Lemma insert_permutation s t : Permutation (s :: t) (insert s t).
Proof.
  induction t as [|x t IH]; simpl; [auto|]. destruct (id s <? id x); [auto|].
  eapply perm_trans; [apply perm_swap|]. apply perm_skip, IH.
Qed.

Lemma insert_sorted s t : ~ In (id s) (map id t) -> StronglySorted lt (map id t) ->
  StronglySorted lt (map id (insert s t)).
Proof.
  induction t as [|x t IH]; intros N S; cbn [insert].
  - constructor; constructor.
  - assert (S' := S). apply StronglySorted_inv in S. destruct S as [S F].
    destruct (Nat.ltb_spec (id s) (id x)) as [L|L].
    + constructor; [exact S'|]. constructor; [exact L|].
      rewrite Forall_forall in *. intros i Hi. specialize (F i Hi). lia.
    + cbn [map] in *. constructor.
      * apply IH; [|exact S]. intros H. apply N. right. exact H.
      * rewrite Forall_forall in *. intros i Hi.
        assert (P := Permutation_map id (insert_permutation s t)).
        apply (Permutation_in _ (Permutation_sym P)) in Hi. destruct Hi as [<-|Hi]; [|auto].
        assert (id x <> id s) by (intros E; apply N; left; exact E). lia.
Qed.

Lemma sorted_unique l : forall k, StronglySorted lt (map id l) -> StronglySorted lt (map id k) ->
  Permutation l k -> l = k.
Proof.
  induction l as [|x l IH]; intros k S T P.
  - apply Permutation_nil in P. auto.
  - destruct k as [|y k]; [apply Permutation_sym, Permutation_nil in P; discriminate P|].
    cbn [map] in S, T. apply StronglySorted_inv in S, T. destruct S as [S F], T as [T G].
    rewrite Forall_forall in F, G.
    assert (E : x = y).
    { assert (X := Permutation_in x P (or_introl eq_refl)).
      assert (Y := Permutation_in y (Permutation_sym P) (or_introl eq_refl)).
      destruct X as [X|X]; [auto|]. destruct Y as [Y|Y]; [auto|].
      apply (in_map id) in X, Y. apply F in Y. apply G in X. lia. }
    subst y. f_equal. apply IH; auto. apply Permutation_cons_inv in P. exact P.
Qed.

Theorem restored_table log saved : Permutation saved (sessions (fst (replay log))) ->
  session_restore saved = sessions (fst (replay log)).
Proof.
  intros P. assert (S := shape_sorted _ (shape_replay log)).
  assert (N : NoDup (map id saved)).
  { apply (Permutation_NoDup (Permutation_sym (Permutation_map id P))).
    clear P. induction (map id (sessions (fst (replay log)))) as [|i l IH]; [constructor|].
    apply StronglySorted_inv in S. destruct S as [S F]. constructor; [|apply IH, S].
    rewrite Forall_forall in F. intros H. apply F in H. lia. }
  assert (R : Permutation saved (session_restore saved)
              /\ StronglySorted lt (map id (session_restore saved))).
  { clear P S. induction saved as [|s saved IH]; [split; constructor|].
    cbn [map] in N. apply NoDup_cons_iff in N. destruct N as [N1 N2].
    destruct (IH N2) as [A B]. unfold session_restore in *. cbn [fold_right]. split.
    - eapply perm_trans; [apply perm_skip, A | apply insert_permutation].
    - apply insert_sorted; [|exact B]. intros H. apply N1.
      eapply Permutation_in; [apply Permutation_map, Permutation_sym, A | exact H]. }
  apply sorted_unique; [apply R | exact S |].
  eapply perm_trans; [apply Permutation_sym, R | exact P].
Qed.

End Table.
