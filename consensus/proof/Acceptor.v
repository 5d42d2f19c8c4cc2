(* The acceptor: consensus/acceptor.c, function by function, on numbers instead of bytes.

   What differs from the C, and why it is the same. The C keeps a run's body in a log and its
   checksum in each slot; here each slot keeps its run's values and its own, and runs are compared by
   values, so the checksum is taken to tell bodies apart. The C finds a slot at instance % VOTES_MAX, and a
   later instance overwrites an earlier one; here [bottom] says from where on slots are still there:
   [forget] may raise it to what the C may have overwritten, at any time. *)
From Coq Require Import List Arith Lia Bool SetoidList.
From Paxwire Require Import Maps.
Import ListNotations.

(* enum vote_state. Cast: struct vote's ballot and index, the run, and its value at that index. *)
Inductive slot := Cast (ballot index : nat) (run : list nat) (value : nat) | Chosen (value : nat).

(* struct acceptor *)
Record acceptor := mkAcceptor {
  promised : nat;
  lo : nat;
  delivered : nat;
  tail : nat;
  noted : nat; (* of the last JOURNAL_DELIVERED record *)
  high : nat;
  bottom : nat;
  slots : map slot
}.

(* enum acceptor_answer *)
Inductive answer :=
  Promised | Voted | Repeated | Stored | Known | Refused | Trimmed | Behind | Conflict | TooHigh.

Definition acceptor_init := mkAcceptor 0 0 0 0 0 0 0 empty.

(* acceptor_vote *)
Definition slot_at (x : acceptor) (i : nat) : option slot :=
  if i <? bottom x then None else find i (slots x).

Definition is_chosen (x : acceptor) (i : nat) : bool :=
  match slot_at x i with Some (Chosen _) => true | _ => false end.

Definition value_of (v : slot) : nat := match v with Cast _ _ _ u => u | Chosen u => u end.

Section Acceptor.
Variables window block retained : nat. (* ACCEPTOR_WINDOW, BLOCK, VOTES_MAX - ACCEPTOR_WINDOW *)
Variable too_high : nat -> nat -> bool. (* too_high promised ballot *)

Definition floor (d : nat) : nat := d - d mod block.

Definition promise (b : nat) (x : acceptor) : acceptor :=
  mkAcceptor b (lo x) (delivered x) (tail x) (noted x) (high x) (bottom x) (slots x).

(* acceptor_on_prepare *)
Definition on_prepare (x : acceptor) (b : nat) : acceptor * answer :=
  if b <? promised x then (x, Refused)
  else if too_high (promised x) b then (x, TooHigh)
  else (promise b x, Promised).

Fixpoint same_values (vs us : list nat) : bool :=
  match vs, us with
  | [], [] => true
  | v :: r, u :: s => (v =? u) && same_values r s
  | _, _ => false
  end.

(* compare_votes: how many are known chosen; does one conflict; how many are the same. *)
Fixpoint compare (x : acceptor) (b i index : nat) (run vs : list nat) : nat * bool * nat :=
  match vs with
  | [] => (0, false, 0)
  | _ :: rest =>
      let '(known, conflict, same) := compare x b (S i) (S index) run rest in
      match slot_at x i with
      | None => (known, conflict, same)
      | Some (Chosen _) => (S known, conflict, same)
      | Some (Cast c k r _) =>
          if negb (c =? b) then (known, conflict, same)
          else if (k =? index) && same_values r run then (known, conflict, S same)
          else (known, true, same)
      end
  end.

(* What is known chosen does not stand in the way. A run that is known chosen whole is voted for all the
   same: a vote has a record, and with it the promise that it raises. *)
Definition judge (x : acceptor) (b first : nat) (vs : list nat) : answer :=
  let '(known, conflict, same) := compare x b first 0 vs vs in
  if conflict || ((0 <? same) && (same + known <? length vs)) then Conflict
  else if 0 <? same then Repeated else Voted.

(* cast_votes: a slot that is known chosen is left alone. *)
Fixpoint cast (x : acceptor) (b i index : nat) (run vs : list nat) (m : map slot) : map slot :=
  match vs with
  | [] => m
  | v :: rest =>
      cast x b (S i) (S index) run rest
        (if is_chosen x i then m else put i (Cast b index run v) m)
  end.

(* acceptor_on_accept *)
Definition on_accept (x : acceptor) (b first : nat) (vs : list nat) : acceptor * answer :=
  if b <? promised x then (x, Refused)
  else if too_high (promised x) b then (x, TooHigh)
  else if first <? lo x then (x, Trimmed)
  else if lo x + window <? first + length vs then (x, Behind)
  else match judge x b first vs with
       | Voted => (mkAcceptor b (lo x) (delivered x) (tail x) (noted x)
                     (Nat.max (high x) (first + length vs)) (bottom x)
                     (cast x b first 0 vs vs (slots x)), Voted)
       | Repeated => (promise b x, Repeated)
       | a => (x, a)
       end.

(* store_chosen, for each instance of the run; was any stored? *)
Fixpoint store (x : acceptor) (i : nat) (vs : list nat) (m : map slot) : map slot * bool :=
  match vs with
  | [] => (m, false)
  | v :: rest =>
      let known := (i <? lo x) || is_chosen x i in
      let '(m', stored) := store x (S i) rest (if known then m else put i (Chosen v) m) in
      (m', negb known || stored)
  end.

(* acceptor_on_chosen *)
Definition on_chosen (x : acceptor) (first : nat) (vs : list nat) : acceptor * answer :=
  if first + length vs <=? lo x then (x, Trimmed)
  else if lo x + window <? first + length vs then (x, Behind)
  else let '(m, stored) := store x first vs (slots x) in
       if stored
       then (mkAcceptor (promised x) (lo x) (delivered x) (tail x) (noted x)
               (Nat.max (high x) (first + length vs)) (bottom x) m, Stored)
       else (x, Known).

(* acceptor_trim, with follow_index *)
Definition trim (x : acceptor) (d : nat) : acceptor :=
  if d <=? delivered x then x
  else mkAcceptor (promised x) (floor d) d (Nat.max (tail x) (floor d - retained))
         (noted x) (high x) (bottom x) (slots x).

(* acceptor_install *)
Definition install (x : acceptor) (d : nat) : acceptor :=
  if d <=? delivered x then x
  else mkAcceptor (promised x) (floor d) d d (noted x) (high x) (bottom x) (slots x).

(* note_delivered: the record of what is delivered, before the trim that follows once it is durable *)
Definition note (x : acceptor) (d : nat) : acceptor :=
  mkAcceptor (promised x) (lo x) (delivered x) (tail x) (Nat.max (noted x) d) (high x) (bottom x)
    (slots x).

(* acceptor_drop *)
Definition drop (x : acceptor) (t : nat) : acceptor :=
  mkAcceptor (promised x) (lo x) (delivered x) (Nat.max (tail x) (Nat.min t (lo x)))
    (noted x) (high x) (bottom x) (slots x).

(* replay.c, settle: a restarted node's learner stands lower than its acceptor was told. *)
Definition settle (x : acceptor) (d : nat) : acceptor :=
  if (d <? tail x) || (delivered x <=? d) then x
  else mkAcceptor (promised x) (floor d) d (tail x) (noted x) (high x) (bottom x) (slots x).

(* The index overwrites slots below both [lo] and the block of [tail]. *)
Definition forget (x : acceptor) (f : nat) : acceptor :=
  mkAcceptor (promised x) (lo x) (delivered x) (tail x) (noted x) (high x)
    (Nat.max (bottom x) (Nat.min f (Nat.min (lo x) (floor (tail x))))) (slots x).

(* replay.c: a restart counts `high` from the slots that are there again. *)
Definition recount (x : acceptor) (h : nat) : acceptor :=
  mkAcceptor (promised x) (lo x) (delivered x) (tail x) (noted x) h (bottom x) (slots x).

Definition all_below (x : acceptor) (h : nat) : bool :=
  forallb (fun k => (fst k <? h) || (fst k <? bottom x)) (NM.elements (slots x)).

(* ---- What the handlers keep ---- *)

(* The acceptor remembers that it voted at [c] for [i], or something that outranks it. *)
Definition covers (o : option slot) (c : nat) : Prop :=
  match o with Some (Cast b _ _ _) => c <= b | Some (Chosen _) => True | None => False end.

Definition remembers (x : acceptor) (c i : nat) : Prop :=
  c <= promised x /\ (bottom x <= i -> covers (slot_at x i) c).

(* What it holds for [i] is no vote at [b]. *)
Definition unvoted (x : acceptor) (b i : nat) : Prop :=
  match slot_at x i with Some (Cast c _ _ _) => c <> b | _ => True end.

(* What an acceptor promised and voted for it never takes back. *)
Definition later (x y : acceptor) : Prop :=
  promised x <= promised y /\ bottom x <= bottom y /\ tail x <= tail y /\
  forall c i, bottom y <= i -> covers (slot_at x i) c -> covers (slot_at y i) c.

Definition in_order (x : acceptor) : Prop :=
  lo x = floor (delivered x) /\ tail x <= delivered x /\ bottom x <= floor (tail x).

Lemma later_refl x : later x x.
Proof. unfold later. repeat (split; [lia|]). auto. Qed.

Lemma later_trans x y z : later x y -> later y z -> later x z.
Proof.
  intros (A & B & C & D) (E & F & G & H). repeat (split; [lia|]).
  intros c i K L. apply H; auto. apply D; auto. lia.
Qed.

Lemma later_remembers x y c i : later x y -> remembers x c i -> remembers y c i.
Proof.
  intros (A & B & C & D) (E & F). split; [lia|]. intros I. apply D; auto. apply F. lia.
Qed.

Lemma floor_le d : floor d <= d.
Proof. unfold floor. lia. Qed.

Lemma floor_mono a b : a <= b -> floor a <= floor b.
Proof.
  intros H. unfold floor. destruct (Nat.eq_dec block 0) as [->|N].
  - simpl. lia.
  - pose proof (Nat.div_mod a block N). pose proof (Nat.div_mod b block N).
    pose proof (Nat.div_le_mono a b block N H).
    assert (block * (a / block) <= block * (b / block)) by (apply Nat.mul_le_mono_l; auto). lia.
Qed.

(* What a cast run's slots hold. *)
Lemma find_cast x b run vs : forall i index m k,
  find k (cast x b i index run vs m) =
  if (i <=? k) && (k <? i + length vs) && negb (is_chosen x k)
  then Some (Cast b (index + (k - i)) run (nth (k - i) vs 0)) else find k m.
Proof.
  induction vs as [|v r IH]; intros; cbn [cast length].
  - destruct (Nat.leb_spec i k), (Nat.ltb_spec k (i + 0)); simpl; auto; lia.
  - rewrite IH. destruct (Nat.eq_dec k i) as [->|N].
    + destruct (Nat.leb_spec (S i) i), (Nat.leb_spec i i), (Nat.ltb_spec i (i + S (length r)));
        try lia. simpl.
      replace (i - i) with 0 by lia. destruct (is_chosen x i); simpl; auto.
      now rewrite find_put, Nat.eqb_refl, Nat.add_0_r.
    + assert (F : find k (if is_chosen x i then m else put i (Cast b index run v) m) = find k m).
      { destruct (is_chosen x i); auto. rewrite find_put. destruct (Nat.eqb_spec i k); auto; lia. }
      rewrite F.
      destruct (Nat.leb_spec (S i) k), (Nat.leb_spec i k), (Nat.ltb_spec k (S i + length r)),
        (Nat.ltb_spec k (i + S (length r))); simpl; auto; try lia.
      destruct (is_chosen x k); simpl; auto.
      replace (k - i) with (S (k - S i)) by lia. simpl. f_equal. f_equal. lia.
Qed.

Lemma order_bottom x : in_order x -> bottom x <= lo x /\ bottom x <= tail x.
Proof.
  intros (A & B & C). pose proof (floor_mono _ _ B). pose proof (floor_le (tail x)). lia.
Qed.

Lemma same_values_spec vs : forall us, same_values vs us = true -> vs = us.
Proof.
  induction vs as [|v r IH]; intros [|u s]; simpl; try discriminate; auto. intros H.
  apply andb_true_iff in H. destruct H as [E H]. apply Nat.eqb_eq in E. subst. f_equal. auto.
Qed.

Lemma compare_voted x b run vs : forall i index ch,
  compare x b i index run vs = (ch, false, 0) ->
  forall k, i <= k < i + length vs -> unvoted x b k.
Proof.
  induction vs as [|v r IH]; intros i index ch; simpl; intros H k K; [lia|].
  destruct (compare x b (S i) (S index) run r) as [[ch' co] sa] eqn:E.
  assert (co = false /\ sa = 0 /\ unvoted x b i) as (-> & -> & Hi).
  { unfold unvoted. destruct (slot_at x i) as [[c k0 n u|u]|]; try (inversion H; subst; tauto).
    destruct (Nat.eqb_spec c b); simpl in H; [|inversion H; subst; tauto].
    destruct (_ && _); inversion H. }
  destruct (Nat.eq_dec k i) as [->|]; auto. apply (IH _ _ _ E). lia.
Qed.

Lemma compare_unvoted x b run vs : forall i index,
  (forall k, i <= k < i + length vs -> unvoted x b k) ->
  exists known, compare x b i index run vs = (known, false, 0).
Proof.
  induction vs as [|v r IH]; intros i index H; simpl in *; [now exists 0|].
  destruct (IH (S i) (S index)) as (known & ->); [intros; apply H; lia|].
  specialize (H i). unfold unvoted in H.
  destruct (slot_at x i) as [[c k n u|u]|]; [|now exists (S known)|now exists known].
  destruct (Nat.eqb_spec c b); [exfalso; apply H; auto; lia|now exists known].
Qed.

Lemma compare_count x b run vs : forall i index,
  let '(known, _, same) := compare x b i index run vs in same + known <= length vs.
Proof.
  induction vs as [|v r IH]; intros; simpl; auto.
  specialize (IH (S i) (S index)).
  destruct (compare x b (S i) (S index) run r) as [[ch co] sa].
  destruct (slot_at x i) as [[c k n u|u]|]; simpl; try lia.
  destruct (negb _); simpl; [lia|]. destruct (_ && _); simpl; lia.
Qed.

(* Each slot is the same, so holds its place in this run at this ballot, or is known chosen. *)
Lemma compare_same x b run vs : forall i index ch co sa,
  compare x b i index run vs = (ch, co, sa) -> sa + ch = length vs ->
  forall k, i <= k < i + length vs ->
  match slot_at x k with
  | Some (Cast c j r _) => c = b /\ j = index + (k - i) /\ r = run
  | Some (Chosen _) => True
  | None => False
  end.
Proof.
  induction vs as [|v r IH]; intros i index ch co sa; simpl; intros H L k K; [lia|].
  pose proof (compare_count x b run r (S i) (S index)) as B.
  destruct (compare x b (S i) (S index) run r) as [[ch' co'] sa'] eqn:E.
  assert (sa' + ch' = length r /\ match slot_at x i with
    | Some (Cast c j n _) => c = b /\ j = index /\ n = run
    | Some (Chosen _) => True
    | None => False
    end) as (L' & Hi).
  { destruct (slot_at x i) as [[c k0 n u|u]|]; [|inversion H; lia|inversion H; lia].
    destruct (Nat.eqb_spec c b); simpl in H; [|inversion H; lia].
    destruct (_ && _) eqn:T; inversion H; subst; [|lia].
    apply andb_true_iff in T. destruct T as [T1 T2].
    apply Nat.eqb_eq in T1. apply same_values_spec in T2. split; [lia|auto]. }
  destruct (Nat.eq_dec k i) as [->|N].
  - replace (i - i) with 0 by lia. rewrite Nat.add_0_r. exact Hi.
  - specialize (IH _ _ _ _ _ E L' k). replace (k - i) with (S (k - S i)) by lia.
    destruct (slot_at x k) as [[c j n u|u]|]; auto; try (apply IH; lia).
    replace (index + S (k - S i)) with (S index + (k - S i)) by lia. apply IH. lia.
Qed.

(* What a stored run's slots hold. *)
Lemma find_store x vs : forall i m k,
  find k (fst (store x i vs m)) =
  if (i <=? k) && (k <? i + length vs)
     && negb ((k <? lo x) || is_chosen x k)
  then Some (Chosen (nth (k - i) vs 0)) else find k m.
Proof.
  induction vs as [|v r IH]; intros i m k.
  - simpl. destruct (Nat.leb_spec i k), (Nat.ltb_spec k (i + 0)); simpl; auto; lia.
  - cbn [store length]. set (known := (i <? lo x) || _).
    specialize (IH (S i) (if known then m else put i (Chosen v) m) k).
    destruct (store x (S i) r _) as [m' st]. cbn [fst] in *. rewrite IH. clear IH.
    destruct (Nat.eq_dec k i) as [->|].
    + fold known.
      destruct (Nat.leb_spec (S i) i), (Nat.leb_spec i i), (Nat.ltb_spec i (i + S (length r)));
        try lia. simpl.
      replace (i - i) with 0 by lia. destruct known; simpl; auto.
      now rewrite find_put, Nat.eqb_refl.
    + assert (F : find k (if known then m else put i (Chosen v) m) = find k m).
      { destruct known; auto. rewrite find_put. destruct (Nat.eqb_spec i k); auto; lia. }
      rewrite F.
      destruct (Nat.leb_spec (S i) k), (Nat.leb_spec i k), (Nat.ltb_spec k (S i + length r)),
        (Nat.ltb_spec k (i + S (length r))); simpl; auto; try lia.
      replace (k - i) with (S (k - S i)) by lia. reflexivity.
Qed.

Lemma store_known x vs : forall i m, snd (store x i vs m) = false ->
  forall k, i <= k < i + length vs -> (k <? lo x) || is_chosen x k = true.
Proof.
  induction vs as [|v r IH]; intros i m; cbn [store length]; intros H k K; [lia|].
  set (known := (i <? lo x) || _) in *.
  specialize (IH (S i) (if known then m else put i (Chosen v) m)).
  destruct (store x (S i) r _) as [m' st]. cbn [snd] in *.
  destruct known eqn:E; simpl in H; [|discriminate].
  destruct (Nat.eq_dec k i) as [->|]; auto. apply IH; auto. lia.
Qed.

(* The slots that an accepted run is in hold it, but for those known chosen before; the others are as
   they were. *)
Lemma accept_slots x b first vs : in_order x -> snd (on_accept x b first vs) = Voted ->
  let y := fst (on_accept x b first vs) in
  (promised x <= b /\ promised y = b /\ high x <= high y /\ first + length vs <= high y /\
   lo y = lo x /\ delivered y = delivered x /\ tail y = tail x /\ noted y = noted x /\
   bottom y = bottom x) /\
  forall i, if (first <=? i) && (i <? first + length vs) && negb (is_chosen x i)
    then slot_at y i = Some (Cast b (i - first) vs (nth (i - first) vs 0)) /\
         unvoted x b i
    else slot_at y i = slot_at x i.
Proof.
  intros O. apply order_bottom in O. destruct O as [O1 O2]. unfold on_accept.
  destruct (Nat.ltb_spec b (promised x)); [discriminate|].
  destruct (too_high (promised x) b); [discriminate|].
  destruct (Nat.ltb_spec first (lo x)); [discriminate|].
  destruct (Nat.ltb_spec (lo x + window) (first + length vs)); [discriminate|].
  destruct (judge x b first vs) eqn:J; try discriminate. intros _. simpl. split.
  - repeat split; auto; lia.
  - intros i. unfold slot_at at 1 2. simpl. rewrite find_cast.
    destruct (Nat.leb_spec first i), (Nat.ltb_spec i (first + length vs)); simpl; auto.
    destruct (is_chosen x i); simpl; auto.
    destruct (Nat.ltb_spec i (bottom x)); [lia|]. split; auto.
    unfold judge in J. destruct (compare x b first 0 vs vs) as [[ch co] sa] eqn:C.
    destruct co; [discriminate|]. simpl in J.
    destruct (Nat.ltb_spec 0 sa); [destruct (_ <? _); discriminate|].
    assert (sa = 0) by lia. subst. apply (compare_voted _ _ _ _ _ _ _ C). lia.
Qed.

(* A run that fits is voted for, whatever of it is known chosen. *)
Lemma accept_takes x b first vs : promised x <= b -> too_high (promised x) b = false ->
  lo x <= first -> first + length vs <= lo x + window ->
  (forall i, first <= i < first + length vs -> unvoted x b i) ->
  snd (on_accept x b first vs) = Voted.
Proof.
  intros P T L W U. unfold on_accept. rewrite T.
  destruct (Nat.ltb_spec b (promised x)); [lia|].
  destruct (Nat.ltb_spec first (lo x)); [lia|].
  destruct (Nat.ltb_spec (lo x + window) (first + length vs)); [lia|].
  unfold judge. destruct (compare_unvoted x b vs vs first 0 U) as (known & ->).
  reflexivity.
Qed.

(* Such a run's instances each hold its vote, or are known chosen, which outranks it. *)
Lemma accept_repeated x b first vs : snd (on_accept x b first vs) = Repeated ->
  promised x <= b /\ fst (on_accept x b first vs) = promise b x /\
  forall i, first <= i < first + length vs ->
  match slot_at x i with
  | Some (Cast c k r _) => c = b /\ k = i - first /\ r = vs
  | Some (Chosen _) => True
  | None => False
  end.
Proof.
  unfold on_accept.
  destruct (Nat.ltb_spec b (promised x)); [discriminate|].
  destruct (too_high (promised x) b); [discriminate|].
  destruct (Nat.ltb_spec first (lo x)); [discriminate|].
  destruct (Nat.ltb_spec (lo x + window) (first + length vs)); [discriminate|].
  destruct (judge x b first vs) eqn:J; try discriminate. intros _. simpl.
  split; [auto|split; [auto|]]. intros i I.
  unfold judge in J. destruct (compare x b first 0 vs vs) as [[ch co] sa] eqn:C.
  pose proof (compare_count x b vs vs first 0) as B. rewrite C in B.
  destruct co; [discriminate|]. simpl in J. destruct (0 <? sa); [|discriminate]. simpl in J.
  destruct (Nat.ltb_spec (sa + ch) (length vs)); [discriminate|].
  assert (L : sa + ch = length vs) by lia.
  apply (compare_same _ _ _ _ _ _ _ _ _ C L i I).
Qed.

Lemma accept_else x b first vs :
  snd (on_accept x b first vs) <> Voted -> snd (on_accept x b first vs) <> Repeated ->
  fst (on_accept x b first vs) = x.
Proof.
  unfold on_accept.
  destruct (b <? promised x); auto. destruct (too_high _ _); auto. destruct (first <? lo x); auto.
  destruct (_ <? _); auto. destruct (judge x b first vs); auto; simpl; congruence.
Qed.

Lemma chosen_slots x first vs : in_order x ->
  let y := fst (on_chosen x first vs) in
  (promised y = promised x /\ high x <= high y /\
   lo y = lo x /\ delivered y = delivered x /\ tail y = tail x /\ noted y = noted x /\
   bottom y = bottom x) /\
  forall i, slot_at y i = slot_at x i \/
    (first <= i < first + length vs /\ slot_at y i = Some (Chosen (nth (i - first) vs 0)) /\
     i < high y).
Proof.
  intros O. apply order_bottom in O. destruct O as [O1 O2]. unfold on_chosen.
  destruct (_ <=? _); [simpl; auto 10|].
  destruct (_ <? _); [simpl; auto 10|].
  pose proof (find_store x vs first (slots x)) as F.
  destruct (store x first vs (slots x)) as [m st]. simpl in F.
  destruct st; [|simpl; auto 10]. simpl. split; [repeat split; auto; lia|].
  intros i. unfold slot_at. simpl. rewrite F.
  destruct (Nat.leb_spec first i), (Nat.ltb_spec i (first + length vs)); simpl; auto.
  destruct (Nat.ltb_spec i (bottom x)); auto.
  destruct (_ || _); simpl; auto. right. repeat split; auto; lia.
Qed.

(* ---- Each handler leads to a later state, in order ---- *)

Lemma later_promise b x : promised x <= b -> later x (promise b x).
Proof. intros H. unfold later. simpl. repeat (split; [lia|]). auto. Qed.

Lemma later_prepare x b : later x (fst (on_prepare x b)).
Proof.
  unfold on_prepare. destruct (Nat.ltb_spec b (promised x)); [apply later_refl|].
  destruct (too_high _ _); [apply later_refl|]. now apply later_promise.
Qed.

Lemma later_accept x b first vs : in_order x -> (forall c k n u i,
    slot_at x i = Some (Cast c k n u) -> first <= i < first + length vs -> c <= promised x) ->
  later x (fst (on_accept x b first vs)).
Proof.
  intros O Le. destruct (snd (on_accept x b first vs)) eqn:E;
    try (rewrite accept_else by congruence; apply later_refl).
  - destruct (accept_slots _ _ _ _ O E) as ((P1 & P2 & P3 & P4 & P5 & P6 & P7 & P9 & P8) & S).
    set (y := fst _) in *. repeat (split; [lia|]).
    intros c i I. specialize (S i).
    destruct (Nat.leb_spec first i), (Nat.ltb_spec i (first + length vs)); simpl in S;
      try (rewrite S; auto; fail).
    unfold is_chosen, unvoted in S. destruct (slot_at x i) as [[c' k n u|u]|] eqn:F; simpl in S.
    + destruct S as [-> S]. specialize (Le _ _ _ _ _ F). simpl. lia.
    + now rewrite S.
    + simpl. tauto.
  - destruct (accept_repeated _ _ _ _ E) as (A & -> & _). now apply later_promise.
Qed.

Lemma later_chosen x first vs : in_order x -> later x (fst (on_chosen x first vs)).
Proof.
  intros O. destruct (chosen_slots x first vs O) as ((P1 & P2 & P3 & P4 & P5 & P7 & P6) & S).
  set (y := fst _) in *. repeat (split; [lia|]). intros c i I.
  destruct (S i) as [->|(_ & -> & _)]; simpl; auto.
Qed.

(* The low ends move, and nothing else. *)
Definition same_votes (x y : acceptor) : Prop :=
  promised y = promised x /\ high y = high x /\ bottom x <= bottom y /\ tail x <= tail y /\
  slots y = slots x.

Ltac by_fields := unfold same_votes; simpl; repeat split; lia.

Lemma same_slot x y i : same_votes x y -> slot_at y i = slot_at x i \/ slot_at y i = None.
Proof.
  intros (_ & _ & C & _ & D). unfold slot_at. rewrite D.
  destruct (Nat.ltb_spec i (bottom y)), (Nat.ltb_spec i (bottom x)); auto. lia.
Qed.

Lemma later_same x y : same_votes x y -> later x y.
Proof.
  intros (A & B & C & T & D). repeat (split; [lia|]). intros c i I. unfold slot_at. rewrite D.
  destruct (Nat.ltb_spec i (bottom y)), (Nat.ltb_spec i (bottom x)); auto; lia.
Qed.

Lemma same_trim x d : same_votes x (trim x d).
Proof. unfold trim. destruct (_ <=? _); by_fields. Qed.

Lemma same_install x d : tail x <= delivered x -> same_votes x (install x d).
Proof. unfold install. destruct (Nat.leb_spec d (delivered x)); by_fields. Qed.

Lemma same_note x d : same_votes x (note x d).
Proof. by_fields. Qed.

Lemma same_drop x t : same_votes x (drop x t).
Proof. by_fields. Qed.

Lemma same_settle x d : same_votes x (settle x d).
Proof. unfold settle. destruct (_ || _); by_fields. Qed.

Lemma same_forget x f : same_votes x (forget x f).
Proof. by_fields. Qed.

Lemma all_below_spec x h i : all_below x h = true -> slot_at x i <> None -> i < h.
Proof.
  unfold all_below, slot_at. rewrite forallb_forall. intros H S.
  destruct (Nat.ltb_spec i (bottom x)); [congruence|].
  destruct (find i (slots x)) as [v|] eqn:F; [|congruence].
  apply NM.find_2, NM.elements_1, InA_alt in F. destruct F as ([k u] & (E & _) & I).
  cbn in E. subst k. specialize (H _ I). cbn [fst] in H. apply orb_true_iff in H.
  destruct H as [H|H]; apply Nat.ltb_lt in H; lia.
Qed.

Lemma order_recount x h : in_order x -> in_order (recount x h).
Proof. auto. Qed.

Lemma order_init : in_order acceptor_init.
Proof. unfold in_order, floor. simpl. lia. Qed.

Lemma order_like x y : lo y = lo x -> delivered y = delivered x -> tail y = tail x ->
  bottom y = bottom x -> in_order x -> in_order y.
Proof. unfold in_order. intros -> -> -> ->. auto. Qed.

Lemma order_prepare x b : in_order x -> in_order (fst (on_prepare x b)).
Proof. unfold on_prepare. destruct (_ <? _); auto. destruct (too_high _ _); auto. Qed.

Lemma order_accept x b first vs : in_order x -> in_order (fst (on_accept x b first vs)).
Proof.
  unfold on_accept. destruct (_ <? _); auto. destruct (too_high _ _); auto.
  destruct (_ <? _); auto. destruct (_ <? _); auto. destruct (judge _ _ _ _); auto.
Qed.

Lemma order_chosen x first vs : in_order x -> in_order (fst (on_chosen x first vs)).
Proof.
  unfold on_chosen. destruct (_ <=? _); auto. destruct (_ <? _); auto.
  destruct (store _ _ _ _) as [m []]; auto.
Qed.

Lemma order_trim x d : in_order x -> in_order (trim x d).
Proof.
  unfold trim, in_order. destruct (Nat.leb_spec d (delivered x)); auto. simpl. intros (A & B & C).
  pose proof (floor_le d). pose proof (floor_le (tail x)).
  assert (floor (tail x) <= floor (Nat.max (tail x) (floor d - retained))) by (apply floor_mono; lia). lia.
Qed.

Lemma order_install x d : in_order x -> in_order (install x d).
Proof.
  unfold install, in_order. destruct (Nat.leb_spec d (delivered x)); auto. simpl. intros (A & B & C).
  assert (floor (tail x) <= floor d) by (apply floor_mono; lia). lia.
Qed.

Lemma order_note x d : in_order x -> in_order (note x d).
Proof. auto. Qed.

Lemma order_drop x t : in_order x -> in_order (drop x t).
Proof.
  unfold drop, in_order. simpl. intros (A & B & C). pose proof (floor_le (delivered x)).
  assert (floor (tail x) <= floor (Nat.max (tail x) (Nat.min t (lo x)))) by (apply floor_mono; lia). lia.
Qed.

Lemma order_settle x d : in_order x -> in_order (settle x d).
Proof.
  unfold settle, in_order. destruct (Nat.ltb_spec d (tail x)), (Nat.leb_spec (delivered x) d);
    simpl; auto; lia.
Qed.

Lemma order_forget x f : in_order x -> in_order (forget x f).
Proof. unfold forget, in_order. simpl. intros (A & B & C). lia. Qed.

End Acceptor.
