(* Reads what a program of this folder tells of the C's handlers, and runs the handlers extracted
   from consensus/proof on the same. The first difference ends it. *)
module P = Protocol
module S = Session
module Q = Quorum

exception Different of string

let different fmt = Printf.ksprintf (fun s -> raise (Different s)) fmt

(* ---- What is told: a number a byte ---- *)

let number () = input_byte stdin
let numbers n = Array.init n (fun _ -> number ())
let list_of n read = List.init n (fun _ -> read ())

(* The mark at the begin of each record; none at the end. *)
let mark () = match input_char stdin with c -> Some c | exception End_of_file -> None

let rec each f = match mark () with Some c -> f c; each f | None -> ()

(* ---- What was counted ---- *)

let counted : (string, int ref) Hashtbl.t = Hashtbl.create 16
let order = ref []

let count name =
  match Hashtbl.find_opt counted name with
  | Some n -> incr n
  | None -> Hashtbl.add counted name (ref 1); order := name :: !order

(* A configuration in which only what the handlers ask for is given. *)
let config ?(q2 = fun _ -> false) ?(window = 0) ?(block = 1) () = {
  P.q1 = (fun _ -> true); q2; owner = (fun _ -> 0); shard_of = (fun _ -> 0); shards = 1; window;
  block; retained = 0; too_high = (fun _ _ -> false);
}

(* ---- Acceptor ---- *)

let answers = P.[|
  Promised; Voted; Repeated; Stored; Known; Refused; Trimmed; Behind; Conflict; TooHigh
|]

let fields = 5
let slot_fields = 6
let value_bits = 2

(* The value at an index of a run, and a run's values: its checksum says them. *)
let value_at checksum index = (checksum lsr (index * value_bits)) land ((1 lsl value_bits) - 1)
let values_of checksum size = List.init size (value_at checksum)

(* The C's slot of number k in a state's key: its instance and what it holds. *)
let slot_of key k =
  let at i = Char.code (Bytes.unsafe_get key (fields + (k * slot_fields) + i)) in
  let value = value_at (at 5) (at 4) in
  match at 1 with
  | 0 -> None
  | 1 -> Some (at 0, P.Cast (at 2, at 4, values_of (at 5) (at 3), value))
  | _ -> Some (at 0, P.Chosen value)

let acceptor_of key votes =
  let at i = Char.code (Bytes.get key i) in
  let slots = ref P.empty0 in
  for k = 0 to votes - 1 do
    match slot_of key k with Some (i, v) -> slots := P.put i v !slots | None -> ()
  done;
  { P.promised = at 0; lo = at 1; delivered = at 2; tail = at 3; noted = 0; high = at 4; bottom = 0;
    slots = !slots }

(* Is the C's new state the one that Coq's handler gives? The C may overwrite a slot by one of
   a later instance only where [forget] allows that. *)
let same_acceptor block votes instances (x : P.acceptor) key =
  let at i = Char.code (Bytes.unsafe_get key i) in
  if (at 0, at 1, at 2, at 3, at 4) <> (x.promised, x.lo, x.delivered, x.tail, x.high) then
    different "promised, lo, delivered, tail, high: C has %d %d %d %d %d, Coq %d %d %d %d %d"
      (at 0) (at 1) (at 2) (at 3) (at 4) x.promised x.lo x.delivered x.tail x.high;
  for i = 0 to instances - 1 do
    match slot_of key (i mod votes), P.find0 i x.slots with
    | Some (j, v), Some u when i = j -> if v <> u then different "the slot of instance %d" i
    | Some (j, _), None when i = j -> different "a slot of instance %d that Coq has not" i
    | Some (j, _), Some _ when j > i && i < x.lo && i < P.floor block x.tail -> count "overwritten"
    | _, Some _ -> different "no slot of instance %d" i
    | _, None -> ()
  done

let input_names = [| "on_prepare"; "on_accept"; "on_chosen"; "trim"; "install"; "drop" |]

let acceptor () =
  let window = number () in let block = number () in let votes = number () in
  let retained = number () in let nodes = number () in let jump = number () in
  let instances = number () in
  let too_high promised ballot = ballot / nodes > (promised / nodes) + jump in
  let key () = let b = Bytes.create (fields + (votes * slot_fields)) in
    really_input stdin b 0 (Bytes.length b); b in
  let from = ref P.acceptor_init in
  let state () =
    from := acceptor_of (key ()) votes;
    count "states";
    let first = number () in let size = number () in
    for i = first to first + size - 1 do
      let kind = number () in let ballot = number () in let value = number () in
      let c = match kind with 0 -> P.Empty | 1 -> P.Vote (ballot, value) | _ -> P.Decided value in
      count "reports";
      if c <> P.report_of !from i then different "the report of instance %d" i
    done in
  let transition () =
    let kind = number () in let n = number () in let first = number () in let size = number () in
    let checksum = number () in let answer = number () in
    let after = key () in
    let vs = values_of checksum size in
    let answered (x, a) = x, Some a in
    let x, a = match kind with
      | 0 -> answered (P.on_prepare too_high !from n)
      | 1 -> answered (P.on_accept window too_high !from n first vs)
      | 2 -> answered (P.on_chosen window !from first vs)
      | 3 -> P.trim block retained !from n, None
      | 4 -> P.install block !from n, None
      | _ -> P.drop !from n, None in
    let about = Printf.sprintf "%s of %d at %d with %d instances" input_names.(kind) n first size in
    count input_names.(kind);
    if (if answer = 255 then None else Some answers.(answer)) <> a then
      different "%s: another answer than %d" about answer;
    match same_acceptor block votes instances x after with
    | () -> ()
    | exception Different s -> different "%s: %s" about s in
  each (function 'S' -> state () | _ -> transition ())

(* ---- Recovery ---- *)

let recovery () =
  let c = config () in
  each (fun _ ->
    let from = number () in let upto = number () in let members = number () in
    let report () =
      let kind = number () in let value = number () in
      match kind with 0 -> P.Empty | 3 -> P.Decided value | b -> P.Vote (b, value) in
    let hear p n = let r0 = report () in let r1 = report () in P.hear_votes p n 0 [r0; r1] in
    let all = List.init members Fun.id in
    let p = List.fold_left hear (P.start P.proposer_init 3) all in
    count "sequences";
    for i = from to upto - 1 do
      let value = number () in
      count "selections";
      match P.select c p i all with
      | Some (P.Decided v | P.Vote (_, v)) when v = value -> ()
      | Some P.Empty when value = 0 -> ()
      | _ -> different "value %d for instance %d of [%d, %d), %d members" value i from upto members
    done)

(* ---- Window ---- *)

let window () =
  let start = number () in let members = number () in let q2 = number () in
  let c = config ~q2:(Q.phase2 (Q.Threshold (members, members - q2 + 1, q2))) () in
  let ballot = 1 in
  let state () =
    let _, sizes = (* each run: first and size *)
      List.fold_left (fun (first, runs) size -> first + size, runs @ [first, size]) (start, [])
        (list_of (number ()) number) in
    let heard = list_of (number ()) (fun () ->
      let m = number () in let f = number () in let n = number () in m, (f, n)) in
    let oldest = number () in let chosen = number () in
    let w = P.send (List.map (fun (m, (f, n)) -> P.Accepted (m, 0, ballot, f, n)) heard)
      P.world_init in
    let voted (first, size) = List.filter (P.counts c w ballot first size) heard in
    count "states";
    List.iteri (fun k run ->
      if k >= oldest then begin
        let bits = List.fold_left (fun bits (m, _) -> bits lor (1 lsl m)) 0 (voted run) in
        count "tallies";
        let told = number () in
        if told <> bits then different "run %d at %d has votes %x, in Coq %x" k (fst run) told bits
      end) sizes;
    let p = { (P.start P.proposer_init ballot) with
      P.begun = true; mark = chosen;
      runs = List.fold_left (fun m (f, n) -> P.put f n m) P.empty0 sizes } in
    let rec advance w =
      let mark = (P.prop_of w 0).P.mark in
      match P.find0 mark p.P.runs with
      | None -> mark
      | Some size ->
          match P.exec c w (P.EAdvance (0, voted (mark, size))) with
          | Some ((w, _), _) -> advance w
          | None -> mark in
    let coq = advance (P.set_prop w 0 p) in
    let up = number () in let told = number () in
    count (if coq = chosen then "unmoved" else "advances");
    if told <> coq || (up = 1) <> (coq <> chosen) then
      different "chosen goes from %d to %d, in Coq to %d" chosen told coq in
  each (fun _ -> state ())

(* ---- Learner ---- *)

(* What was voted for at a ballot is that ballot's value; what is known chosen is another. *)
let chosen_value = 100

let learner () =
  let instances = number () in let ballots = number () in let block = number () in
  let c = config ~block () in
  let accepts = List.concat_map (fun b -> List.concat_map (fun first ->
      List.map (fun size -> P.Accept (b, first, List.init size (fun _ -> b))) [1; 2])
    (List.init instances Fun.id)) (List.init ballots succ) in
  let catchups = List.init instances (fun i -> P.Catchup (i, chosen_value)) in
  let net = P.send (accepts @ catchups) P.world_init in
  let state () =
    let lo = number () in
    let slots = ref P.empty0 in
    for i = 0 to instances - 1 do
      let state = number () in let ballot = number () in
      match state with
      | 0 -> ()
      | 1 -> slots := P.put i (P.Cast (ballot, 0, [ballot], ballot)) !slots
      | _ -> slots := P.put i (P.Chosen chosen_value) !slots
    done;
    let heard = numbers ballots in
    let delivered = number () in let size = number () in let first = number () in
    let ballot = number () in
    count "states";
    if size > 0 then begin
      count (if ballot = 0 then "chosen" else "by watermark");
      let x = { P.acceptor_init with P.lo; slots = !slots } in
      let log = List.fold_left (fun m i -> P.put i 0 m) P.empty0 (List.init delivered Fun.id) in
      let commits = List.mapi (fun b mark -> P.Commit (b + 1, mark)) (Array.to_list heard) in
      let w = P.set_cell (P.send commits net) 0 0 { P.cell_init with P.mem0 = x } in
      let w = P.set_learn w 0 { P.log; count = delivered; jump = 0 } in
      let next w e = Option.bind w (fun w -> Option.map (fun ((w, _), _) -> w) (P.exec c w e)) in
      let events =
        if ballot = 0 then List.init size (fun _ -> P.EDeliverChosen (0, chosen_value))
        else
          let vs = List.init size (fun _ -> ballot) in
          [P.EDeliver (0, ballot, heard.(ballot - 1), first, vs)] in
      let allowed = match List.fold_left next (Some w) events with
        | Some w -> (P.learn_of w 0).P.count = first + size
        | None -> false in
      if first <> delivered || not allowed then
        different "[%d, %d) of ballot %d is delivered at %d" first (first + size) ballot delivered
    end in
  each (fun _ -> state ())

(* ---- Session ---- *)

let session () =
  let w = number () in let sessions = number () in
  (* The machine counts what it executes. *)
  let execute ran () = ran + 1, ran + 1 in
  let states = Array.make 256 (S.state0 0) in
  each (fun kind ->
    let depth = number () in let id = number () in let sequence = number () in
    let outcome = number () in let result = number () in
    let table = list_of (number ()) (fun () ->
      let id = number () in let base = number () in let last = number () in
      let done0 = number () in
      { S.id; base; last; done0; replies = list_of w number }) in
    let entry = match kind with
      | 'N' -> S.Noop | 'O' -> S.Open | _ -> S.Command (id, sequence, ()) in
    let s, o = S.apply w sessions 0 execute states.(depth) entry in
    states.(depth + 1) <- s;
    let told = match outcome with
      | 0 -> S.Nothing | 1 -> S.Opened result | 2 -> S.Ran result | 3 -> S.Cached result
      | 4 -> S.Stale | _ -> S.Expired in
    count (match outcome with
      | 0 -> "no-ops" | 1 -> "opens" | 2 -> "runs" | 3 -> "cached" | 4 -> "stale" | _ -> "expired");
    if told <> o then
      different "entry %d, of session %d and sequence %d: another outcome than %d" depth id sequence
        outcome;
    let by_id = List.sort (fun a b -> compare a.S.id b.S.id) in
    if by_id table <> by_id s.S.sessions then different "the table after entry %d" depth)

(* ---- Quorum ---- *)

let quorum () =
  let set () = let mask = number () in List.filter (fun m -> mask land (1 lsl m) <> 0)
    (List.init 8 Fun.id) in
  each (fun kind ->
    let system = match kind with
      | 'M' -> Q.Majority (number ())
      | 'T' -> let n = number () in let q1 = number () in Q.Threshold (n, q1, number ())
      | 'G' -> let rows = number () in Q.Grid (rows, number ())
      | _ ->
          let n = number () in
          let sets1 = list_of (number ()) set in
          Q.Explicit (n, sets1, list_of (number ()) set) in
    let valid = number () = 1 in
    count (if valid then "systems" else "refused");
    if valid <> Q.valid system then different "a system of kind %c: valid %b" kind valid;
    if valid then
      for mask = 0 to (1 lsl Q.member_max) - 1 do
        let told = number () in
        count "sets";
        let is1 = Bool.to_int (Q.table1 system mask) in
        if told <> is1 + (2 * Bool.to_int (Q.table2 system mask)) then
          different "a system of kind %c: the set %x" kind mask
      done)

let () =
  set_binary_mode_in stdin true;
  let unit_of = [
    "acceptor", acceptor; "recovery", recovery; "window", window; "learner", learner;
    "session", session; "quorum", quorum ] in
  match (List.assoc Sys.argv.(1) unit_of) () with
  | () ->
      List.iter (fun name -> Printf.printf "%s %d\n" name !(Hashtbl.find counted name))
        (List.rev !order)
  | exception Different s -> Printf.printf "different: %s\n" s; exit 1
  | exception End_of_file -> print_endline "what was told ends within a record"; exit 2
