(* The executable step and the handlers, as OCaml, for the checker of traces and for the comparison with
   the C. Trusted here: extraction itself, and that numbers become OCaml's 63-bit ints, which the
   checker's input must respect. *)
From Coq Require Import PeanoNat Extraction ExtrOcamlBasic ExtrOcamlNatInt ExtrOcamlZInt.
From Paxwire Require Import Maps Acceptor Protocol.
From Paxwire Require Session Quorum.

(* Both names that the library gives to each. *)
Extract Inlined Constant Nat.eqb => "((=) : int -> int -> bool)".
Extract Inlined Constant Nat.leb => "((<=) : int -> int -> bool)".
Extract Inlined Constant Nat.ltb => "((<) : int -> int -> bool)".
Extract Inlined Constant Nat.max => "(fun (a : int) b -> if a < b then b else a)".
Extract Inlined Constant Nat.min => "(fun (a : int) b -> if a < b then a else b)".
Extract Inlined Constant Nat.sub => "(fun a b -> if a < b then 0 else a - b)".
Extract Inlined Constant Nat.modulo => "(fun a b -> if b = 0 then a else a mod b)".
Extract Inlined Constant Nat.compare =>
  "(fun (a : int) b -> if a = b then Eq else if a < b then Lt else Gt)".
Extract Inlined Constant Init.Nat.eqb => "((=) : int -> int -> bool)".
Extract Inlined Constant Init.Nat.leb => "((<=) : int -> int -> bool)".
Extract Inlined Constant Init.Nat.ltb => "((<) : int -> int -> bool)".
Extract Inlined Constant Init.Nat.max => "(fun (a : int) b -> if a < b then b else a)".
Extract Inlined Constant Init.Nat.min => "(fun (a : int) b -> if a < b then a else b)".
Extract Inlined Constant Init.Nat.sub => "(fun a b -> if a < b then 0 else a - b)".
Extract Inlined Constant Init.Nat.modulo => "(fun a b -> if b = 0 then a else a mod b)".
(* Bits, by whose definitions the library's tests and shifts are computed. *)
Extract Inlined Constant Nat.div2 => "(fun a -> a / 2)".
Extract Inlined Constant Nat.odd => "(fun a -> a land 1 = 1)".
Extract Inlined Constant Init.Nat.div2 => "(fun a -> a / 2)".
Extract Inlined Constant Init.Nat.odd => "(fun a -> a land 1 = 1)".

Extraction "protocol.ml"
  exec world_init cell_of prop_of learn_of sent
  acceptor_init on_prepare on_accept on_chosen trim install note drop settle forget slot_at report_of
  better select may_propose propose begin advance counts deliver_run.

(* A file each: the names would clash. *)
Extraction "session.ml" Session.state0 Session.apply.
Extraction "quorum.ml" Quorum.valid Quorum.table1 Quorum.table2.
