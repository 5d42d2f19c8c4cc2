(* What it means that a value is voted for, chosen, known; and the facts that every message and every
   state carries. All of them, once true, stay true: [grows] is what a step may do to them. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor Protocol.
Import ListNotations.

Definition Sent (w : world) (m : message) : Prop := sent w m = true.

Lemma sent_send ms : forall w m, Sent (send ms w) m <-> In m ms \/ Sent w m.
Proof.
  unfold Sent, sent, send. simpl.
  assert (H : forall t m, SS.mem (code m) (fold_left (fun net m => SS.add (code m) net) ms t) = true
    <-> In m ms \/ SS.mem (code m) t = true); [|intros; apply H].
  induction ms as [|x r IH]; simpl; intros t m; [tauto|].
  rewrite IH, !SS.mem_spec, SS.add_spec. unfold Sequence.eq. split.
  - intros [A|[A|A]]; auto. left. left. symmetry. now apply code_inj.
  - intros [[A|A]|A]; subst; auto.
Qed.

Lemma sent_init m : ~ Sent world_init m.
Proof. unfold Sent, sent. simpl. rewrite SS.mem_spec. apply SS.empty_spec. Qed.

(* The accessors after a setter. *)
Lemma node_set w n x k : node_of (set_node w n x) k = if n =? k then x else node_of w k.
Proof. unfold node_of, set_node. simpl. now rewrite get_put. Qed.

Lemma cell_set_cell w n s c k t :
  cell_of (set_cell w n s c) k t = if (n =? k) && (s =? t) then c else cell_of w k t.
Proof.
  unfold cell_of, set_cell. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; auto.
  subst. rewrite get_put. now destruct (s =? t).
Qed.

Lemma cell_set_prop w n p k t : cell_of (set_prop w n p) k t = cell_of w k t.
Proof.
  unfold cell_of, set_prop. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma cell_set_learn w n l k t : cell_of (set_learn w n l) k t = cell_of w k t.
Proof.
  unfold cell_of, set_learn. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma prop_set_cell w n s c k : prop_of (set_cell w n s c) k = prop_of w k.
Proof.
  unfold prop_of, set_cell. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma prop_set_prop w n p k : prop_of (set_prop w n p) k = if n =? k then p else prop_of w k.
Proof. unfold prop_of, set_prop. rewrite node_set. destruct (Nat.eqb_spec n k); auto. Qed.

Lemma prop_set_learn w n l k : prop_of (set_learn w n l) k = prop_of w k.
Proof.
  unfold prop_of, set_learn. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma learn_set_cell w n s c k : learn_of (set_cell w n s c) k = learn_of w k.
Proof.
  unfold learn_of, set_cell. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma learn_set_prop w n p k : learn_of (set_prop w n p) k = learn_of w k.
Proof.
  unfold learn_of, set_prop. rewrite node_set. destruct (Nat.eqb_spec n k); simpl; subst; auto.
Qed.

Lemma learn_set_learn w n l k : learn_of (set_learn w n l) k = if n =? k then l else learn_of w k.
Proof. unfold learn_of, set_learn. rewrite node_set. destruct (Nat.eqb_spec n k); auto. Qed.

Lemma get2_put2 A a b (x : A) m c d :
  get2 c d (put2 a b x m) = if (a =? c) && (b =? d) then Some x else get2 c d m.
Proof.
  unfold get2, put2. rewrite find_put. destruct (Nat.eqb_spec a c); simpl; auto.
  subst. rewrite find_put. destruct (b =? d); auto. unfold get.
  destruct (find c m); auto.
Qed.

Section Facts.
Context {cfg : config}.

Definition disk_promise w n s := promised (disk (cell_of w n s)).

(* Value v was proposed for instance i at ballot b. *)
Definition ran w b i v : Prop :=
  exists first vs, Sent w (Accept b first vs) /\ first <= i /\ nth_error vs (i - first) = Some v.

(* Node n told a vote at b for i. *)
Definition voted w n b i : Prop :=
  exists f c, Sent w (Accepted n (shard_of i) b f c) /\ f <= i < f + c.

Definition chosen_at w b i v : Prop :=
  ran w b i v /\ exists q, Q2 q = true /\ forall n, In n q -> voted w n b i.

Definition chosen w i v : Prop := exists b, chosen_at w b i v.

(* A leader told that the runs of b are chosen up to there. *)
Definition known_at w b i v : Prop :=
  exists mark, Sent w (Commit b mark) /\ i < mark /\ ran w b i v.

Definition known w i v : Prop := exists b, known_at w b i v.

(* Nothing is or will be chosen at b for i. *)
Definition dead w b i : Prop :=
  forall q, Q2 q = true ->
  exists n, In n q /\ b < disk_promise w n (shard_of i) /\ ~ voted w n b i.

(* Nothing but u is or will be chosen for i below b'. *)
Definition safe w b' i u : Prop :=
  forall b, b < b' -> dead w b i \/ ran w b i u \/ exists c, c < b /\ chosen_at w c i u.

(* A quorum of phase 1 has promised b for good. *)
Definition elected w b i : Prop :=
  exists q, Q1 q = true /\ forall n, In n q -> b <= disk_promise w n (shard_of i).

Definition proposable w v : Prop := v = 0 \/ Sent w (Request v).

(* The proposer's own acceptors have promised b for good. *)
Definition backed w b : Prop := forall s, s < shards -> b <= disk_promise w (owner b) s.

Definition promise_ok w n s b low top : Prop :=
  b <= disk_promise w n s /\
  forall i c, shard_of i = s -> low <= i -> top <= i -> c < b -> ~ voted w n c i.

Definition report_ok w n b i r : Prop :=
  b <= disk_promise w n (shard_of i) /\
  match r with
  | Empty => forall c, c < b -> ~ voted w n c i
  | Vote c v => ran w c i v /\ forall k, c < k < b -> ~ voted w n k i
  | Decided v => known w i v
  end.

(* An acceptor that keeps what i was delivered by: it serves nothing else. *)
Definition kept w x i : Prop :=
  i < tail x \/ exists b v, known_at w b i v /\ covers (slot_at x i) b.

Definition slot_ok w x i : Prop :=
  match slot_at x i with
  | None => True
  | Some (Cast c _ _ v) => i < high x /\ c <= promised x /\ ran w c i v
  | Some (Chosen v) => i < high x /\ known w i v
  end.

(* What holds of an acceptor's state, on disk or not. *)
Definition good w n s x : Prop :=
  in_order block x /\
  (forall i, shard_of i = s -> slot_ok w x i) /\
  (forall c i, shard_of i = s -> voted w n c i -> remembers x c i) /\
  (forall i, shard_of i = s -> i < Nat.max (delivered x) (noted x) -> kept w x i).

Definition answer_ok n s x m : Prop :=
  match m with
  | Accepted n' s' b f c => n' = n /\ s' = s /\ b = promised x /\
      forall i, f <= i < f + c -> remembers x b i
  | _ => False
  end.

(* From the disk's state, record by record, to the memory's. *)
Fixpoint chain w n s x (l : list (acceptor * list message)) z : Prop :=
  match l with
  | [] => x = z
  | (y, ms) :: rest =>
      later x y /\ good w n s y /\ (forall m, In m ms -> answer_ok n s y m) /\ chain w n s y rest z
  end.

Definition cell_ok w n s : Prop :=
  let c := cell_of w n s in
  good w n s (disk c) /\ chain w n s (disk c) (pending c) (mem c).

Definition run_in_shard s first size := forall i, first <= i < first + size -> shard_of i = s.

Definition message_ok w m : Prop :=
  match m with
  | Request _ | Accepted _ _ _ _ _ => True
  | Prepare b => backed w b
  | Promise n s b low top => promise_ok w n s b low top
  | Votes n s b from rs => forall j r, nth_error rs j = Some r -> shard_of (from + j) = s ->
      report_ok w n b (from + j) r
  | Accept b first vs => backed w b /\ run_in_shard (shard_of first) first (length vs) /\
      forall j v, nth_error vs j = Some v ->
        proposable w v /\ elected w b (first + j) /\ safe w b (first + j) v
  | Commit b mark => backed w b /\ forall i v, i < mark -> ran w b i v -> chosen_at w b i v
  | Catchup i v => known w i v
  end.

(* An instance has one run at a ballot. *)
Definition unique w : Prop :=
  forall b f vs f' vs' i, Sent w (Accept b f vs) -> Sent w (Accept b f' vs') ->
  f <= i < f + length vs -> f' <= i < f' + length vs' -> f = f' /\ vs = vs'.

(* What a proposer with this state may still believe. *)
Definition leading_ok w p x : Prop :=
  owner (ballot x) = p /\ mark x <= next x /\
  (forall s n low top, get2 s n (promises x) = Some (low, top) ->
    promise_ok w n s (ballot x) low top) /\
  (forall i n r, get2 i n (reports x) = Some r -> report_ok w n (ballot x) i r) /\
  (forall i v, i < mark x -> ran w (ballot x) i v -> chosen_at w (ballot x) i v) /\
  (forall f c, find f (runs x) = Some c -> f + c <= next x /\
    exists vs, Sent w (Accept (ballot x) f vs) /\ length vs = c) /\
  (forall o, opened x = Some o -> exists q, Q1 q = true /\
    forall n s, In n q -> s < shards -> exists low top,
      low <= o /\ top <= o /\ promise_ok w n s (ballot x) low top).

Definition proposer_fits w p x : Prop :=
  (forall b f vs, owner b = p -> Sent w (Accept b f vs) -> b <= ballot x /\
    (active x = true -> b = ballot x -> f + length vs <= next x /\ proposed x = true)) /\
  (forall b m, owner b = p -> Sent w (Commit b m) -> b <= ballot x /\
    (active x = true -> b = ballot x -> m <= mark x)) /\
  (active x = true -> leading_ok w p x).

Definition learner_fits w n l : Prop :=
  (forall i, i < count l -> exists v, find i (log l) = Some v /\ known w i v) /\
  (forall i, jump l <= i < count l -> kept w (mem (cell_of w n (shard_of i))) i).

Definition snapshots_ok w : Prop :=
  forall k lg, snapshot w k = Some lg -> forall i, i < k ->
  exists v, find i lg = Some v /\ known w i v.

Record invariant w : Prop := {
  inv_cell : forall n s, cell_ok w n s;
  inv_message : forall m, Sent w m -> message_ok w m;
  inv_unique : unique w;
  inv_proposer : forall p, proposer_fits w p (prop_of w p);
  inv_learner : forall n, learner_fits w n (learn_of w n);
  inv_snapshots : snapshots_ok w
}.

(* ---- Facts stay true ---- *)

Record grows w w' : Prop := {
  grows_sent : forall m, Sent w m -> Sent w' m;
  grows_promise : forall n s, disk_promise w n s <= disk_promise w' n s;
  grows_voted : forall n c i, voted w' n c i -> voted w n c i \/ disk_promise w n (shard_of i) <= c
}.

Section Growth.
Variables w w' : world.
Hypothesis G : grows w w'.

Lemma ran_grows b i v : ran w b i v -> ran w' b i v.
Proof. intros (f & vs & A & B). exists f, vs. split; auto. now apply (grows_sent _ _ G). Qed.

Lemma voted_grows n b i : voted w n b i -> voted w' n b i.
Proof. intros (f & c & A & B). exists f, c. split; auto. now apply (grows_sent _ _ G). Qed.

Lemma unvoted_grows n b c i : b <= disk_promise w n (shard_of i) -> c < b ->
  ~ voted w n c i -> ~ voted w' n c i.
Proof. intros A B C D. apply (grows_voted _ _ G) in D. destruct D; auto. lia. Qed.

Lemma chosen_grows b i v : chosen_at w b i v -> chosen_at w' b i v.
Proof.
  intros (A & q & B & C). split; [now apply ran_grows|].
  exists q. split; auto. intros n N. apply voted_grows; auto.
Qed.

Lemma known_at_grows b i v : known_at w b i v -> known_at w' b i v.
Proof.
  intros (m & A & B & C). exists m. split; [now apply (grows_sent _ _ G)|].
  split; auto. now apply ran_grows.
Qed.

Lemma known_grows i v : known w i v -> known w' i v.
Proof. intros (b & A). exists b. now apply known_at_grows. Qed.

Lemma dead_grows b i : dead w b i -> dead w' b i.
Proof.
  intros D q Q. destruct (D q Q) as (n & A & B & C). exists n. split; auto.
  pose proof (grows_promise _ _ G n (shard_of i)). split; [lia|].
  apply (unvoted_grows n (S b)); auto.
Qed.

Lemma safe_grows b i u : safe w b i u -> safe w' b i u.
Proof.
  intros S c C. destruct (S c C) as [D|[R|(k & K & D)]].
  - left. now apply dead_grows.
  - right. left. now apply ran_grows.
  - right. right. exists k. split; auto. now apply chosen_grows.
Qed.

Lemma elected_grows b i : elected w b i -> elected w' b i.
Proof.
  intros (q & Q & E). exists q. split; auto. intros n N. specialize (E n N).
  pose proof (grows_promise _ _ G n (shard_of i)). lia.
Qed.

Lemma proposable_grows v : proposable w v -> proposable w' v.
Proof. intros [A|A]; [now left|right]. now apply (grows_sent _ _ G). Qed.

Lemma backed_grows b : backed w b -> backed w' b.
Proof. intros B s S. pose proof (grows_promise _ _ G (owner b) s). specialize (B s S). lia. Qed.

Lemma promise_grows n s b low top : promise_ok w n s b low top -> promise_ok w' n s b low top.
Proof.
  intros (A & B). pose proof (grows_promise _ _ G n s). split; [lia|].
  intros i c I L T C. apply (unvoted_grows n b); auto. now rewrite I.
Qed.

Lemma report_grows n b i r : report_ok w n b i r -> report_ok w' n b i r.
Proof.
  intros (A & B). pose proof (grows_promise _ _ G n (shard_of i)). split; [lia|].
  destruct r.
  - intros c C. apply (unvoted_grows n b); auto.
  - destruct B as (B & D). split; [now apply ran_grows|].
    intros k K. apply (unvoted_grows n b); auto. lia.
  - now apply known_grows.
Qed.

Lemma kept_grows x i : kept w x i -> kept w' x i.
Proof.
  intros [A|(b & v & A & B)]; [now left|right]. exists b, v. split; auto. now apply known_at_grows.
Qed.

Lemma slot_grows x i : slot_ok w x i -> slot_ok w' x i.
Proof.
  unfold slot_ok. destruct (slot_at x i) as [[c k n u|u]|]; auto.
  - intros (A & B & D). split; auto. split; auto. now apply ran_grows.
  - intros (A & B). split; auto. now apply known_grows.
Qed.

(* [old]: this acceptor told no vote by the step. *)
Lemma good_grows n s x (old : forall c i, shard_of i = s -> voted w' n c i -> voted w n c i) :
  good w n s x -> good w' n s x.
Proof.
  intros (A & B & C & D). split; auto. split; [|split].
  - intros i I. apply slot_grows, B, I.
  - intros c i I V. apply C; auto.
  - intros i I J. apply kept_grows, D; auto.
Qed.

Lemma chain_grows n s (old : forall c i, shard_of i = s -> voted w' n c i -> voted w n c i) l :
  forall x z, chain w n s x l z -> chain w' n s x l z.
Proof.
  induction l as [|[y ms] r IH]; simpl; auto. intros x z (A & B & C & D).
  split; auto. split; [now apply good_grows|]. split; auto.
Qed.

(* A commit stands as long as no run is proposed below it. *)
Lemma message_grows m : message_ok w m ->
  match m with
  | Commit b k => forall i v, i < k -> ran w' b i v -> ran w b i v
  | _ => True
  end -> message_ok w' m.
Proof.
  destruct m; cbn [message_ok]; intros H B; trivial.
  - now apply backed_grows.
  - now apply promise_grows.
  - intros j r J I. apply report_grows, H; auto.
  - destruct H as (H & I & D). split; [now apply backed_grows|]. split; auto. intros j v J.
    destruct (D j v J) as (E & F & K).
    split; [now apply proposable_grows|split; [now apply elected_grows|now apply safe_grows]].
  - destruct H as (H & D). split; [now apply backed_grows|]. intros i v I R.
    apply chosen_grows, D; auto.
  - now apply known_grows.
Qed.

Lemma leading_grows p x (below : forall i v, i < mark x -> ran w' (ballot x) i v ->
    ran w (ballot x) i v) : leading_ok w p x -> leading_ok w' p x.
Proof.
  intros (A & B & C & D & E & F & H). split; auto. split; auto.
  split; [|split; [|split; [|split]]].
  - intros s n low top K. apply promise_grows, (C _ _ _ _ K).
  - intros i n r K. apply report_grows, (D _ _ _ K).
  - intros i v I R. apply chosen_grows, E; auto.
  - intros f c K. destruct (F f c K) as (L & vs & M & N). split; auto. exists vs. split; auto.
    now apply (grows_sent _ _ G).
  - intros o O. destruct (H o O) as (q & Q & K). exists q. split; auto. intros n s N S.
    destruct (K n s N S) as (low & top & L & T & P). exists low, top. split; auto. split; auto.
    now apply promise_grows.
Qed.

End Growth.

Lemma grows_refl w : grows w w.
Proof. constructor; auto. Qed.

Lemma grows_trans w v u : grows w v -> grows v u -> grows w u.
Proof.
  intros A B. constructor.
  - intros m M. apply (grows_sent _ _ B), (grows_sent _ _ A), M.
  - intros n s. pose proof (grows_promise _ _ A n s). pose proof (grows_promise _ _ B n s). lia.
  - intros n c i V. destruct (grows_voted _ _ B _ _ _ V) as [D|D].
    + apply (grows_voted _ _ A), D.
    + right. pose proof (grows_promise _ _ A n (shard_of i)). lia.
Qed.

(* ---- Chains ---- *)

Lemma chain_good w n s l : forall x z, good w n s x -> chain w n s x l z -> good w n s z.
Proof.
  induction l as [|[y ms] r IH]; simpl; intros x z A B; [now subst|].
  destruct B as (_ & B & _ & C). eauto.
Qed.

Lemma chain_later w n s l : forall x z, chain w n s x l z -> later x z.
Proof.
  induction l as [|[y ms] r IH]; simpl; intros x z B; [subst; apply later_refl|].
  destruct B as (A & _ & _ & C). eapply later_trans; eauto.
Qed.

Lemma chain_append w n s y ms l : forall x z, chain w n s x l z ->
  later z y -> good w n s y -> (forall m, In m ms -> answer_ok n s y m) ->
  chain w n s x (l ++ [(y, ms)]) y.
Proof.
  induction l as [|[k ks] r IH]; simpl; intros x z B A C D; [subst; auto|].
  destruct B as (E & F & H & I). eauto 10.
Qed.

Lemma mem_good w n s : cell_ok w n s -> good w n s (mem (cell_of w n s)).
Proof. intros (A & B). eapply chain_good; eauto. Qed.

Lemma mem_later w n s : cell_ok w n s -> later (disk (cell_of w n s)) (mem (cell_of w n s)).
Proof. intros (A & B). eapply chain_later; eauto. Qed.

(* What is kept stays kept as an acceptor goes on. *)
Lemma kept_later w x y i : later x y -> in_order block y -> kept w x i -> kept w y i.
Proof.
  intros (A & B & C & E) O [K|(b & v & K & L)].
  - left. lia.
  - apply order_bottom in O. destruct (Nat.lt_ge_cases i (tail y)); [now left|right].
    exists b, v. split; auto. apply E; auto. lia.
Qed.

Lemma covered_high w n s x c i : good w n s x -> shard_of i = s -> covers (slot_at x i) c ->
  i < high x.
Proof.
  intros (_ & G & _) S V. specialize (G i S). unfold slot_ok in G.
  destruct (slot_at x i) as [[a k m u|u]|]; simpl in V; tauto.
Qed.

Lemma ran_nth w b first vs i : Sent w (Accept b first vs) -> first <= i < first + length vs ->
  ran w b i (nth (i - first) vs 0).
Proof.
  intros S I. exists first, vs. split; auto. split; [lia|]. apply nth_error_nth'. lia.
Qed.

Lemma ran_unique w b i v v' : unique w -> ran w b i v -> ran w b i v' -> v = v'.
Proof.
  intros U (f & vs & A & B & C) (f' & vs' & A' & B' & C').
  assert (i - f < length vs) by (apply nth_error_Some; congruence).
  assert (i - f' < length vs') by (apply nth_error_Some; congruence).
  destruct (U b f vs f' vs' i A A'); try lia. subst. congruence.
Qed.

Lemma in_shard_spec s first size : in_shard s first size = true ->
  run_in_shard s first size.
Proof.
  unfold in_shard. rewrite forallb_forall. intros H i I. apply Nat.eqb_eq, H, in_seq. lia.
Qed.

End Facts.
