(* What a client sees of the replicated log: one sequence of executed commands, which only grows, in
   which each command stands at most once, and each reply is that of the command's place.

   The section takes of the protocol what its agreement theorem gives: of the logs that any two
   replicas have delivered, at any two times, one is a prefix of the other; and a delivered command
   was submitted. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Session SessionOnce.
Import ListNotations.

Definition prefix {A : Type} (l k : list A) : Prop := exists m, k = l ++ m.

Section Client_log.

Variable W : nat.
Hypothesis W_positive : 1 <= W.
Variable max : nat.
Variables (Machine Value Reply : Type) (machine0 : Machine) (zero : Reply).
Variable execute : Machine -> Value -> Machine * Reply.

Local Notation entry := (entry Value).
Local Notation apply := (apply W max zero execute).
Local Notation replay := (replay W max machine0 zero execute).
Local Notation at_instance := (at_instance W max Machine Value Reply machine0 zero execute).
Local Notation Inv := (Inv W max Machine Value Reply machine0 zero execute).
Local Notation inv_replay :=
  (inv_replay W W_positive max Machine Value Reply machine0 zero execute).
Local Notation inv_outcomes := (inv_outcomes W max Machine Value Reply machine0 zero execute).
Local Notation at_snoc := (at_snoc W W_positive max Machine Value Reply machine0 zero execute).
Local Notation at_lt := (at_lt W max Machine Value Reply machine0 zero execute).
Local Notation executed_once :=
  (executed_once W W_positive max Machine Value Reply machine0 zero execute).

(* One executed command: who, which, what, and the reply. *)
Definition executed : Type := (nat * nat * Value * Reply)%type.
Definition command_of (x : executed) : nat * nat := fst (fst x).
Definition value_of (x : executed) : Value := snd (fst x).
Definition reply_of (x : executed) : Reply := snd x.

(* The commands that a log executes, in its order. *)
Definition execution (x : entry * outcome Reply) : list executed :=
  match x with
  | (Command c q v, Ran r) => [(c, q, v, r)]
  | _ => []
  end.
Definition history (log : list entry) : list executed :=
  flat_map execution (combine log (snd (replay log))).

Lemma combine_app {A B} (l : list A) : forall (k : list B) l' k', length l = length k ->
  combine (l ++ l') (k ++ k') = combine l k ++ combine l' k'.
Proof.
  induction l as [|x l IH]; intros [|y k] l' k' H; simpl in *; try discriminate; auto.
  f_equal. apply IH. congruence.
Qed.

Lemma history_snoc log e :
  history (log ++ [e]) = history log ++ execution (e, snd (apply (fst (replay log)) e)).
Proof.
  unfold history. rewrite replay_snoc. cbn [snd]. rewrite combine_app.
  - rewrite flat_map_app. simpl. rewrite app_nil_r. reflexivity.
  - symmetry. apply inv_outcomes, inv_replay.
Qed.

(* It only grows. *)
Theorem history_grows l k : prefix l k -> prefix (history l) (history k).
Proof.
  intros [m ->]. induction m as [|e m IH] using rev_ind.
  - exists []. rewrite !app_nil_r. reflexivity.
  - destruct IH as [h E]. rewrite app_assoc, history_snoc, E, <- app_assoc. eexists. reflexivity.
Qed.

Lemma at_app l m i c q o : at_instance l i c q o -> at_instance (l ++ m) i c q o.
Proof.
  intros A. induction m as [|e m IH] using rev_ind.
  - rewrite app_nil_r. exact A.
  - rewrite app_assoc. apply at_snoc; [apply inv_replay | left; exact IH].
Qed.

(* Within the shorter log, what an instance of the longer is, it is of the shorter. *)
Lemma at_app_inv l m i c q o : at_instance (l ++ m) i c q o -> i < length l ->
  at_instance l i c q o.
Proof.
  intros A L. induction m as [|e m IH] using rev_ind.
  - rewrite app_nil_r in A. exact A.
  - rewrite app_assoc in A. apply at_snoc in A; [|apply inv_replay].
    destruct A as [A|(E & _)]; [apply IH, A|]. rewrite app_length in E. lia.
Qed.

Lemma in_history log x : In x (history log) ->
  exists i, at_instance log i (fst (command_of x)) (snd (command_of x)) (Ran (reply_of x))
            /\ nth_error log i
               = Some (Command (fst (command_of x)) (snd (command_of x)) (value_of x)).
Proof.
  induction log as [|e log IH] using rev_ind; [intros []|].
  rewrite history_snoc, in_app_iff. intros [H|H].
  - destruct (IH H) as (i & A & N). exists i. split; [apply at_app, A|].
    rewrite nth_error_app1; [exact N | eapply at_lt, A].
  - destruct e as [| |c q v]; try (simpl in H; tauto).
    unfold execution in H.
    destruct (snd (apply (fst (replay log)) (Command c q v))) eqn:E; try (simpl in H; tauto).
    destruct H as [<-|[]]. exists (length log). split.
    + apply at_snoc; [apply inv_replay|]. right. eauto.
    + rewrite nth_error_app2, Nat.sub_diag; auto.
Qed.

Lemma history_in log i c q v r : at_instance log i c q (Ran r) ->
  nth_error log i = Some (Command c q v) -> In (c, q, v, r) (history log).
Proof.
  induction log as [|e log IH] using rev_ind; intros A N; [destruct i; discriminate N|].
  rewrite history_snoc, in_app_iff. apply at_snoc in A; [|apply inv_replay].
  destruct A as [A|(-> & _ & E)].
  - left. apply IH; [exact A|]. rewrite nth_error_app1 in N; [exact N | eapply at_lt, A].
  - right. rewrite nth_error_app2, Nat.sub_diag in N; auto. injection N as ->. rewrite E.
    now left.
Qed.

Lemma nodup_snoc {A} (l : list A) x : NoDup l -> ~ In x l -> NoDup (l ++ [x]).
Proof.
  induction l as [|y l IH]; simpl; intros N H.
  - constructor; [auto | constructor].
  - apply NoDup_cons_iff in N. destruct N as [N1 N2]. constructor.
    + rewrite in_app_iff. intros [K|[K|[]]]; [auto | apply H; auto].
    + apply IH; auto.
Qed.

(* Each command stands there at most once. *)
Theorem history_once log : NoDup (map command_of (history log)).
Proof.
  induction log as [|e log IH] using rev_ind; [constructor|].
  rewrite history_snoc, map_app.
  destruct e as [| |c q v]; try (simpl; rewrite app_nil_r; exact IH).
  destruct (snd (apply (fst (replay log)) (Command c q v))) as [|s|r|r| |] eqn:E;
    unfold execution; try (simpl; rewrite app_nil_r; exact IH).
  apply nodup_snoc; [exact IH|]. intros H. apply in_map_iff in H. destruct H as (x & Ex & Hx).
  destruct (in_history _ _ Hx) as (i & A & _). rewrite Ex in A.
  assert (B : at_instance (log ++ [Command c q v]) (length log) c q (Ran r)).
  { apply at_snoc; [apply inv_replay|]. right. eauto. }
  assert (L := at_lt _ _ _ _ _ A).
  assert (K := executed_once _ _ _ _ _ _ _ (at_app _ [Command c q v] _ _ _ _ A) B). lia.
Qed.

(* ---- A reply is that of the command's place ---- *)

Definition after (h : list executed) : Machine :=
  fold_left (fun m x => fst (execute m (value_of x))) h machine0.

Lemma machine_after log : machine (fst (replay log)) = after (history log).
Proof.
  unfold after. induction log as [|e log IH] using rev_ind; [reflexivity|].
  rewrite history_snoc, replay_snoc, fold_left_app, <- IH. cbn [fst].
  destruct e as [| |c q v]; try reflexivity. simpl. unfold gather.
  destruct (session_find _ c) as [s|]; [|reflexivity].
  destruct (session_apply W s q _) as [s' a]. destruct a; try reflexivity.
  destruct (execute _ v) as [m r] eqn:E. unfold value_of. simpl. rewrite E. reflexivity.
Qed.

Theorem reply_in_place log before x later : history log = before ++ x :: later ->
  reply_of x = snd (execute (after before) (value_of x)).
Proof.
  revert later. induction log as [|e log IH] using rev_ind; intros later H.
  { destruct before; discriminate H. }
  rewrite history_snoc in H.
  destruct (execution (e, snd (apply (fst (replay log)) e))) as [|y t] eqn:E.
  { rewrite app_nil_r in H. apply (IH _ H). }
  destruct e as [| |c q v]; try discriminate E.
  simpl in E. unfold gather in E.
  destruct (session_find _ c) as [s|]; [|discriminate E].
  destruct (session_apply W s q _) as [s' a]. destruct a; try discriminate E.
  destruct (execute (machine (fst (replay log))) v) as [m r] eqn:X. simpl in E.
  injection E as <- <-.
  destruct later as [|z later] using rev_ind.
  - apply app_inj_tail in H. destruct H as [<- <-]. rewrite <- machine_after.
    unfold value_of, reply_of. simpl. rewrite X. reflexivity.
  - rewrite app_comm_cons, app_assoc in H. apply app_inj_tail in H. destruct H as [H _].
    apply (IH _ H).
Qed.

(* ---- All replicas, at all times ---- *)

Section Replicas.

(* The logs that any replica has delivered at any time. *)
Variable delivered : list entry -> Prop.
Hypothesis agreement : forall l k, delivered l -> delivered k -> prefix l k \/ prefix k l.
Variable submitted : nat -> nat -> Value -> Prop.
Hypothesis validity : forall l c q v, delivered l -> In (Command c q v) l -> submitted c q v.

Theorem one_history l k : delivered l -> delivered k ->
  prefix (history l) (history k) \/ prefix (history k) (history l).
Proof.
  intros Dl Dk. destruct (agreement _ _ Dl Dk); [left | right]; apply history_grows; assumption.
Qed.

(* Nothing executes that was not submitted. *)
Theorem only_submitted l x : delivered l -> In x (history l) ->
  submitted (fst (command_of x)) (snd (command_of x)) (value_of x).
Proof.
  intros D H. destruct (in_history _ _ H) as (i & _ & N).
  apply nth_error_In in N. eapply validity; eassumption.
Qed.

(* The answer to a command, be it by its execution or by a later copy of it. *)
Definition answers (l : list entry) (c q : nat) (r : Reply) : Prop :=
  exists i, at_instance l i c q (Ran r) \/ at_instance l i c q (Cached r).

Lemma answers_ran l c q r : answers l c q r -> exists i, at_instance l i c q (Ran r).
Proof.
  intros (i & [A|A]); [exists i; exact A|].
  destruct (inv_cached _ _ _ _ _ _ _ _ _ (inv_replay l) _ _ _ _ A) as (k & _ & B). eauto.
Qed.

(* Whichever replica answers, and however often: the answer is one. *)
Theorem one_answer l k c q r r' : delivered l -> delivered k ->
  answers l c q r -> answers k c q r' -> r = r'.
Proof.
  intros Dl Dk A B. apply answers_ran in A, B. destruct A as [i A], B as [j B].
  assert (E : forall m i j r r', at_instance m i c q (Ran r) -> at_instance m j c q (Ran r') ->
                r = r').
  { clear - W_positive. intros m i j r r' A B. assert (E := executed_once _ _ _ _ _ _ _ A B).
    subst j.
    destruct A as [_ A], B as [_ B]. congruence. }
  destruct (agreement _ _ Dl Dk) as [[m ->]|[m ->]].
  - eapply E; [apply at_app, A | exact B].
  - eapply E; [exact A | apply at_app, B].
Qed.

(* Real time: what is submitted after an answer was heard comes after it. The replica that answered
   had delivered l; the later command stands in no log that short. *)
Theorem later_comes_later l k c q r i c' q' r' j : delivered l -> delivered k ->
  at_instance l i c q (Ran r) -> at_instance k j c' q' (Ran r') ->
  (forall n v, nth_error l n <> Some (Command c' q' v)) -> i < j.
Proof.
  intros Dl Dk A B N. assert (Li := at_lt _ _ _ _ _ A).
  destruct (Nat.lt_ge_cases j (length l)) as [L|L]; [|lia]. exfalso.
  destruct (agreement _ _ Dl Dk) as [[m ->]|[m ->]].
  - apply at_app_inv in B; [|exact L]. destruct B as [[v B] _]. eapply N, B.
  - apply (at_app _ m) in B. destruct B as [[v B] _]. eapply N, B.
Qed.

End Replicas.

End Client_log.
