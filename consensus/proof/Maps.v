(* Finite maps from numbers, and sets of number sequences. Both are the standard library's balanced
   trees, so that the extracted checker takes logarithmic time a step; the proofs use only the few
   equations below. *)
From Coq Require Import List Arith Lia Bool.
From Coq Require Orders MSetAVL.
From Coq Require Import OrderedTypeEx FMapAVL FMapFacts.
Import ListNotations.

Module NM := FMapAVL.Make Nat_as_OT.
Module NF := FMapFacts.WFacts_fun Nat_as_OT NM.

Definition map (A : Type) := NM.t A.
Definition empty {A} : map A := NM.empty A.
Definition find {A} (k : nat) (m : map A) : option A := NM.find k m.
Definition put {A} (k : nat) (x : A) (m : map A) : map A := NM.add k x m.
Definition get {A} (d : A) (k : nat) (m : map A) : A :=
  match find k m with Some x => x | None => d end.
Definition every {A B} (f : A -> B) (m : map A) : map B := NM.map f m.

Lemma find_empty A k : find k (@empty A) = None.
Proof. apply NF.empty_o. Qed.

Lemma find_put A j k (x : A) m : find k (put j x m) = if j =? k then Some x else find k m.
Proof.
  unfold find, put. rewrite NF.add_o.
  destruct (NM.E.eq_dec j k), (Nat.eqb_spec j k); congruence.
Qed.

Lemma get_empty A (d : A) k : get d k empty = d.
Proof. unfold get. now rewrite find_empty. Qed.

Lemma get_put A (d : A) j k x m : get d k (put j x m) = if j =? k then x else get d k m.
Proof. unfold get. rewrite find_put. now destruct (j =? k). Qed.

Lemma get_every A B (f : A -> B) (d : A) (e : B) k m :
  f d = e -> get e k (every f m) = f (get d k m).
Proof.
  intros H. unfold get, find, every. rewrite NF.map_o. destruct (NM.find k m); simpl; auto.
Qed.

(* Number sequences in lexicographic order. *)
Module Sequence <: Orders.OrderedType.
  Definition t := list nat.
  Definition eq := @eq t.
  Definition eq_equiv : Equivalence eq := eq_equivalence.

  Fixpoint compare (x y : t) : comparison :=
    match x, y with
    | [], [] => Eq
    | [], _ => Lt
    | _, [] => Gt
    | a :: r, b :: s => match Nat.compare a b with Eq => compare r s | c => c end
    end.

  Definition lt x y := compare x y = Lt.

  Lemma compare_eq x : forall y, compare x y = Eq -> x = y.
  Proof.
    induction x as [|a r IH]; intros [|b s]; simpl; try discriminate; auto.
    destruct (Nat.compare_spec a b); try discriminate. intros H'. subst. f_equal. auto.
  Qed.

  Lemma compare_refl x : compare x x = Eq.
  Proof. induction x; simpl; auto. now rewrite Nat.compare_refl. Qed.

  Lemma compare_opp x : forall y, compare y x = CompOpp (compare x y).
  Proof.
    induction x as [|a r IH]; intros [|b s]; simpl; auto.
    rewrite (Nat.compare_antisym a b). destruct (Nat.compare a b); simpl; auto.
  Qed.

  Lemma lt_trans x : forall y z, lt x y -> lt y z -> lt x z.
  Proof.
    unfold lt. induction x as [|a r IH]; intros [|b s] [|c u]; simpl; try discriminate; auto.
    destruct (Nat.compare_spec a b), (Nat.compare_spec b c); try discriminate; intros; subst;
      try (rewrite Nat.compare_refl); eauto;
      match goal with |- context [Nat.compare ?p ?q] => destruct (Nat.compare_spec p q) end;
      auto; lia.
  Qed.

  Global Instance lt_strorder : StrictOrder lt.
  Proof.
    split.
    - intros x H. unfold lt in H. rewrite compare_refl in H. discriminate.
    - intros x y z. apply lt_trans.
  Qed.

  Global Instance lt_compat : Proper (eq ==> eq ==> iff) lt.
  Proof. intros x y E u v F. unfold eq in *. subst. reflexivity. Qed.

  Lemma compare_spec x y : CompareSpec (eq x y) (lt x y) (lt y x) (compare x y).
  Proof.
    destruct (compare x y) eqn:E; constructor; auto.
    - now apply compare_eq.
    - unfold lt. now rewrite compare_opp, E.
  Qed.

  Definition eq_dec (x y : t) : {eq x y} + {~ eq x y} := list_eq_dec Nat.eq_dec x y.
End Sequence.

Module SS := MSetAVL.Make Sequence.
