(* Reads recorded traces (consensus/trace_file.h), and says of each step whether the protocol proved
   in Protocol.v allows it.

   A step becomes one or more events of the model, which [Protocol.exec] takes or refuses. What a
   replica says of itself beside that is compared with what the model says: an acceptor's answer, the
   values of a run, the lo and high of a promise. An answer that leaves must be one that the model
   let go: that is where a vote told before it was durable is found.

   Trusted: this file, the extraction, and that the trace's order is that of what happened. *)
open Protocol

exception Refused_step of string

let refuse fmt = Printf.ksprintf (fun s -> raise (Refused_step s)) fmt

(* ---- The file ---- *)

type step = {
  at : int; ballot : int; first : int; value : int; count : int; event : int;
  member : int; stage : int;
}

let magic = "PXWPTRC1"
let header_bytes = 40 + 128
let step_bytes = 40
let lost = 0xffff

let names = [|
  "promised"; "voted"; "refused"; "stored"; "preparing"; "proposed"; "chosen"; "leading";
  "stepped-down"; "transferring"; "delivered"; "installed"; "values"; "taken"; "repeated";
  "trimmed"; "appended"; "found"; "dropped"; "restored"; "durable"; "told-promise"; "told-votes";
  "told-report"; "served"; "prepared"; "heard-promise"; "heard-report"; "quorum"; "advanced"; "cut"
|]

let name e = if e < Array.length names then names.(e) else if e = lost then "lost" else "unknown"

let u64 b at = Int64.to_int (Bytes.get_int64_le b at)
let u32 b at = Int32.to_int (Bytes.get_int32_le b at) land 0xffffffff

let step_of b = {
  at = u64 b 0; ballot = u64 b 8; first = u64 b 16; value = u64 b 24; count = u32 b 32;
  event = Bytes.get_uint16_le b 36; member = Bytes.get_uint8 b 38; stage = Bytes.get_uint8 b 39;
}

(* ---- A run ---- *)

module Ints = Map.Make (Int)

(* What stands in the model's [pending], and the position of the journal's record that it waits for:
   max_int until that is known. *)
type waits = { mutable tag : int; kind : int }

(* A record as "appended" and "found" name it: ballot, first, kind and count. *)
type record = int * int * int

type cell_of_trace = {
  waiting : waits Queue.t;
  records : (int * record) Queue.t;  (* from the last durable one on, with their positions *)
  mutable newest : waits option;     (* for the record that follows it *)
  mutable appended : int;
  mutable durable : int;
  mutable found : record option;
  mutable dropped : int;
}

type leading = {
  mutable of_ballot : int;
  mutable quorum : int list;
  mutable begun : bool;
  mutable mark : int;
}

type run = {
  config : config;
  name : int;                        (* the seed *)
  members : int;
  journal : bool;
  mutable world : world;
  values : (int * int, int list) Hashtbl.t;            (* member, stage: in reverse *)
  cells : (int * int, cell_of_trace) Hashtbl.t;
  leaders : leading array;
  proposals : (int, int list Ints.t) Hashtbl.t;        (* ballot: first -> values *)
  told : (int * int, int list) Hashtbl.t;              (* ballot, first: who may say it voted *)
  marks : (int, int) Hashtbl.t;                        (* ballot: highest Commit *)
  highs : (int * int * int * int * int, int) Hashtbl.t; (* of promises told: the model's high *)
  chunks : (int * int * int * int, report list) Hashtbl.t;
  restoring : (int, (int * step) list) Hashtbl.t;
}

let set_of mask members = List.filter (fun n -> mask land (1 lsl n) <> 0) (List.init members Fun.id)

let run_of b =
  let at k = u32 b (16 + 4 * k) in
  let members = at 0 and shards = at 1 and block = at 2 and window = at 3 in
  let quorum base set =
    let mask = List.fold_left (fun m n -> m lor (1 lsl n)) 0 set in
    Char.code (Bytes.get b (base + mask / 8)) land (1 lsl (mask mod 8)) <> 0 in
  let q1 = quorum 40 and q2 = quorum (40 + 64) in
  let sets = List.init (1 lsl members) (fun mask -> set_of mask members) in
  (* The proof's hypotheses about quorums. *)
  List.iter (fun a -> if q1 a then List.iter (fun c ->
    if q2 c && not (List.exists (fun n -> List.mem n c) a) then
      refuse "a quorum of phase 1 does not meet one of phase 2") sets) sets;
  if q2 [] then refuse "nobody is a quorum of phase 2";
  {
    config = {
      q1; q2; shards; window; block;
      owner = (fun ballot -> ballot land 0xffff);
      shard_of = (fun i -> i / block land (shards - 1));
      retained = at 5;
      too_high = (fun promised ballot -> ballot lsr 16 > (promised lsr 16) + 0x100000000);
    };
    name = u64 b 8; members; journal = at 4 = 1; world = world_init;
    values = Hashtbl.create 64; cells = Hashtbl.create 64;
    leaders = Array.init members (fun _ -> { of_ballot = 0; quorum = []; begun = false; mark = 0 });
    proposals = Hashtbl.create 64; told = Hashtbl.create 4096; marks = Hashtbl.create 64;
    highs = Hashtbl.create 64; chunks = Hashtbl.create 64; restoring = Hashtbl.create 8;
  }

let cell r n s =
  match Hashtbl.find_opt r.cells (n, s) with
  | Some c -> c
  | None ->
      let c = {
        waiting = Queue.create (); records = Queue.create (); newest = None; appended = 0;
        durable = 0; found = None; dropped = 0 } in
      Hashtbl.add r.cells (n, s) c;
      c

let remember r = function
  | Accept (b, first, vs) ->
      let runs = Option.value (Hashtbl.find_opt r.proposals b) ~default:Ints.empty in
      Hashtbl.replace r.proposals b (Ints.add first vs runs)
  | Accepted (n, _, b, first, _) ->
      let nodes = Option.value (Hashtbl.find_opt r.told (b, first)) ~default:[] in
      if not (List.mem n nodes) then Hashtbl.replace r.told (b, first) (n :: nodes)
  | Commit (b, mark) ->
      let before = Option.value (Hashtbl.find_opt r.marks b) ~default:0 in
      Hashtbl.replace r.marks b (max mark before)
  | _ -> ()

let exec_or r event ~otherwise =
  match exec r.config r.world event with
  | Some ((world, sent), answer) ->
      r.world <- world;
      List.iter (remember r) sent;
      (sent, answer)
  | None -> otherwise ()

let exec r what event =
  exec_or r event ~otherwise:(fun () -> refuse "the protocol does not allow it: %s" what)

let take_values r n stage count =
  let taken = Option.value (Hashtbl.find_opt r.values (n, stage)) ~default:[] in
  Hashtbl.remove r.values (n, stage);
  (* A run of no-ops has none. *)
  if taken = [] then List.init count (fun _ -> 0)
  else if List.length taken <> count then
    refuse "%d values came with a run of %d" (List.length taken) count
  else List.rev taken

(* ---- Durability ---- *)

let sync_one r n s = ignore (exec r "a record becomes durable" (ESync (n, s)))

let sync_to r n s position =
  let c = cell r n s in
  c.durable <- max position c.durable;
  while (not (Queue.is_empty c.records)) && fst (Queue.peek c.records) < c.durable do
    ignore (Queue.pop c.records)
  done;
  while (not (Queue.is_empty c.waiting)) && (Queue.peek c.waiting).tag <= c.durable do
    ignore (Queue.pop c.waiting);
    sync_one r n s
  done

let vote = 1 and chosen = 2 and promise = 3 and noted = 5 and trim = 6 and installed = 8

(* The model's acceptor appended something. It waits for the record that comes next in the trace, or,
   if none of its kind does, for those that were there before. *)
let wait r n s kind ~recorded =
  if not r.journal then sync_one r n s
  else begin
    let c = cell r n s in
    let w = { tag = (if recorded then max_int else c.appended); kind } in
    Queue.push w c.waiting;
    c.newest <- Some w
  end

let record_of step : record = (step.ballot, step.first, step.count)

let on_appended r n s step =
  let c = cell r n s and kind = step.count / 65536 in
  c.appended <- step.value;
  Queue.push (step.value, record_of step) c.records;
  if kind = noted then begin
    ignore (exec r "delivered is noted" (ENote (n, s, step.first)));
    if r.journal then Queue.push { tag = step.value; kind } c.waiting else sync_one r n s
  end
  else match c.newest with
    | Some w when w.kind = kind ->
        w.tag <- step.value;
        c.newest <- None
    | _ -> ()

(* ---- Acceptors ---- *)

let answered what got expected =
  if not (List.mem got (List.map Option.some expected)) then
    refuse "the proved handler answers otherwise: %s" what

let on_accept r n s step expected =
  let vs = take_values r n step.stage step.count in
  let runs = Option.value (Hashtbl.find_opt r.proposals step.ballot) ~default:Ints.empty in
  (match Ints.find_opt step.first runs with
   | None -> refuse "nobody proposed this run"
   | Some proposed when proposed <> vs -> refuse "its values are not those that were proposed"
   | Some _ -> ());
  let _, answer =
    exec r "to vote for this run" (EAccept (n, s, step.ballot, step.first, vs)) in
  answered "to an Accept" answer [ expected ];
  if expected = Voted then wait r n s vote ~recorded:true
  else wait r n s 0 ~recorded:false

let on_stored r n s step =
  let vs = take_values r n step.stage step.count in
  let _, answer = exec r "to store values as chosen" (EChosen (n, s, step.first, vs)) in
  answered "to chosen values" answer [ Stored; Known ];
  if answer = Some Stored then wait r n s chosen ~recorded:true

let on_promised r n s step =
  let _, answer = exec r "to promise" (EPrepare (n, s, step.ballot)) in
  answered "to a Prepare" answer [ Promised ];
  wait r n s promise ~recorded:false

let on_trimmed r n s step =
  if step.value = 1 then begin
    ignore (exec r "to start from a snapshot" (EInstall (n, s, step.first)));
    wait r n s installed ~recorded:false
  end
  else if step.first > (cell_of r.world n s).mem0.delivered then begin
    ignore (exec r "to trim" (ETrim (n, s, step.first)));
    wait r n s trim ~recorded:false
  end

let on_told_promise r n s step =
  match exec r "to tell a promise that is not durable" (EPromise (n, s)) with
  | [ Promise (_, _, b, low, top) ], _ when b = step.ballot ->
      (* Below lo, `high` says nothing: a start does not read back what was trimmed. *)
      if low <> step.first || max low top <> max step.first step.value then
        refuse "its promise says lo %d and high %d, the proved acceptor %d and %d" step.first
          step.value low top;
      Hashtbl.replace r.highs (n, s, b, low, step.value) top
  | _ -> refuse "it tells a promise of another ballot than its own"

let on_told_votes r n step =
  let runs = Option.value (Hashtbl.find_opt r.proposals step.ballot) ~default:Ints.empty in
  let rec covered at =
    if at < step.first + step.count then
      match Ints.find_opt at runs with
      | None -> refuse "it tells of a vote at %d, where no run of this ballot begins" at
      | Some vs ->
          if not (List.mem n (Option.value (Hashtbl.find_opt r.told (step.ballot, at)) ~default:[]))
          then refuse "it tells of a vote at %d that it did not cast, or that is not durable" at;
          covered (at + List.length vs) in
  covered step.first

let on_told_report r n s step =
  match exec r "to report votes" (EPull (n, s, step.ballot, step.first, step.count)) with
  | [ Votes (_, _, _, _, reports) ], _ ->
      Hashtbl.replace r.chunks (n, step.ballot, step.first, step.count) reports
  | _ -> refuse "the proved acceptor refuses to report"

let on_served r n s step =
  for i = step.first to step.first + step.count - 1 do
    ignore (exec r "to give this away as chosen" (EServe (n, s, i)))
  done

(* ---- Leaders ---- *)

let on_preparing r n step =
  ignore (exec r "to take this ballot" (EStart (n, step.ballot)));
  r.leaders.(n) <- { of_ballot = step.ballot; quorum = []; begun = false; mark = 0 }

let leads r n step = r.leaders.(n).of_ballot = step.ballot

let on_heard_promise r n step =
  let m = step.count land 255 and s = step.count / 256 in
  match Hashtbl.find_opt r.highs (m, s, step.ballot, step.first, step.value) with
  | None -> refuse "it hears a promise that nobody made"
  | Some top -> ignore (exec r "to hear a promise" (EHearPromise (n, m, s, step.first, top)))

let on_heard_report r n step =
  if leads r n step then
    match Hashtbl.find_opt r.chunks (step.value, step.ballot, step.first, step.count) with
    | None -> refuse "it hears a report that nobody sent"
    | Some reports ->
        ignore (exec r "to hear a report"
          (EHearVotes (n, step.value, r.config.shard_of step.first, step.first, reports)))

let on_proposed r n step =
  let l = r.leaders.(n) and vs = take_values r n step.stage step.count in
  if not (leads r n step) then refuse "it proposes at a ballot that it did not prepare";
  if not l.begun then begin
    ignore (exec r "to begin phase 2" (EBegin (n, l.quorum, step.first)));
    l.begun <- true;
    l.mark <- step.first
  end;
  match exec r "to propose these values" (EPropose (n, l.quorum, vs)) with
  | [ Accept (_, first, _) ], _ when first = step.first -> ()
  | _ -> refuse "it proposes at an instance that is not its next one"

let on_advanced r n step =
  let l = r.leaders.(n) in
  let runs = Option.value (Hashtbl.find_opt r.proposals step.ballot) ~default:Ints.empty in
  while l.mark < step.first do
    match Ints.find_opt l.mark runs with
    | None -> refuse "no run of its ballot begins at %d" l.mark
    | Some vs ->
        let size = List.length vs in
        let nodes = Option.value (Hashtbl.find_opt r.told (step.ballot, l.mark)) ~default:[] in
        ignore (exec r "to count this run as chosen"
          (EAdvance (n, List.map (fun m -> (m, (l.mark, size))) nodes)));
        l.mark <- l.mark + size
  done;
  if l.mark <> step.first then refuse "its watermark %d lies inside a run" step.first;
  ignore (exec r "to tell its watermark" (ECommit n))

(* ---- Learners ---- *)

let delivered r n = (learn_of r.world n).Protocol.count

let rec from_nth k l = if k = 0 then l else match l with [] -> [] | _ :: t -> from_nth (k - 1) t

let on_delivered r n step =
  let vs = take_values r n step.stage step.count in
  if step.first <> delivered r n then
    refuse "it delivers %d, and its next one is %d" step.first (delivered r n);
  if step.ballot = 0 then
    List.iter (fun v -> ignore (exec r "to deliver a value as chosen" (EDeliverChosen (n, v)))) vs
  else begin
    let runs = Option.value (Hashtbl.find_opt r.proposals step.ballot) ~default:Ints.empty in
    match Ints.find_last_opt (fun first -> first <= step.first) runs with
    | Some (first, all) when from_nth (step.first - first) all = vs ->
        let mark = Option.value (Hashtbl.find_opt r.marks step.ballot) ~default:0 in
        ignore (exec r "to deliver a run by the watermark"
          (EDeliver (n, step.ballot, mark, first, all)))
    | Some _ -> refuse "the values that it delivers are not those that were proposed"
    | None -> refuse "nobody proposed what it delivers"
  end

(* ---- A new life ---- *)

(* What a start delivers again: its disk says that it was delivered, or chosen, or voted for at a
   ballot whose commit record stands there; that record is a Commit heard before. *)
let deliver_again r n i =
  let x = (cell_of r.world n (r.config.shard_of i)).mem0 in
  let refused () =
    refuse "its disk does not say what was chosen at %d, which it delivers again" i in
  ignore (exec_or r (EDeliverOwn n) ~otherwise:(fun () ->
    match slot_at x i with
    | Some (Chosen v) -> exec_or r (EDeliverChosen (n, v)) ~otherwise:refused
    | Some (Cast (b, index, _, _)) ->
        let runs = Option.value (Hashtbl.find_opt r.proposals b) ~default:Ints.empty in
        let mark = Option.value (Hashtbl.find_opt r.marks b) ~default:0 in
        let run = Option.value (Ints.find_opt (i - index) runs) ~default:[] in
        exec_or r (EDeliver (n, b, mark, i - index, run)) ~otherwise:refused
    | None -> refused ()))

(* All that was durable is on the disk, and maybe some of what was under way. *)
let sync_found r n s (step : step) =
  let c = cell r n s in
  let position =
    Queue.fold (fun last (at, record) -> if Some record = c.found then at else last) 0 c.records in
  if position < c.durable && step.count = 0 then
    refuse "a record that was durable is not on its disk, which it takes for whole";
  sync_to r n s position;
  Hashtbl.remove r.cells (n, s);
  if step.ballot < (cell_of r.world n s).disk.promised then
    refuse "it restarts with a promise below the durable one"

let restart r n shards =
  let tails = List.map (fun (s, _) -> (s, (cell r n s).dropped)) shards in
  let first = (snd (List.hd shards)).first and snapshot = (snd (List.hd shards)).value in
  List.iter (fun (s, step) -> sync_found r n s step) shards;
  ignore (exec r "to start from this snapshot" (ERestart (n, snapshot)));
  r.leaders.(n) <- { of_ballot = 0; quorum = []; begun = false; mark = 0 };
  List.iter (fun (s, tail) ->
    ignore (exec r "to hold nothing below its tail" (EDrop (n, s, tail)));
    sync_one r n s) tails;
  while delivered r n < first do deliver_again r n (delivered r n) done;
  List.iter (fun (s, (step : step)) ->
    ignore (exec r "to settle" (ESettle (n, s)));
    sync_one r n s;
    (* The promise may have reached a superblock, and no record. *)
    if step.ballot > (cell_of r.world n s).mem0.promised then begin
      ignore (exec r "to restore a promise" (EPrepare (n, s, step.ballot)));
      sync_one r n s
    end) shards

let on_restored r n s step =
  let so_far = Option.value (Hashtbl.find_opt r.restoring n) ~default:[] @ [ (s, step) ] in
  if List.length so_far < r.config.shards then Hashtbl.replace r.restoring n so_far
  else begin
    Hashtbl.remove r.restoring n;
    restart r n so_far
  end

(* ---- One step ---- *)

let judge r step =
  let n = step.member and s = step.stage - 3 in
  (match name step.event with
   | "appended" | "found" | "dropped" | "restored" -> ()
   | _ when s >= 0 -> sync_to r n s (cell r n s).durable
   | _ -> ());
  match name step.event with
  | "values" ->
      let key = (n, step.stage) in
      let before = Option.value (Hashtbl.find_opt r.values key) ~default:[] in
      let three = [ step.ballot; step.first; step.value ] in
      Hashtbl.replace r.values key
        (List.rev_append (List.filteri (fun i _ -> i < step.count) three) before)
  | "taken" -> ignore (exec r "" (ERequest step.value))
  | "promised" -> on_promised r n s step
  | "voted" -> on_accept r n s step Voted
  | "repeated" -> on_accept r n s step Repeated
  | "stored" -> on_stored r n s step
  | "trimmed" -> on_trimmed r n s step
  | "appended" -> on_appended r n s step
  | "durable" -> sync_to r n s step.value
  | "told-promise" -> on_told_promise r n s step
  | "told-votes" -> on_told_votes r n step
  | "told-report" -> on_told_report r n s step
  | "served" -> on_served r n s step
  | "preparing" -> on_preparing r n step
  | "prepared" -> ignore (exec r "to send Prepare to others" (ESendPrepare n))
  | "heard-promise" -> if leads r n step then on_heard_promise r n step
  | "quorum" -> r.leaders.(n).quorum <- set_of step.value r.members
  | "heard-report" -> on_heard_report r n step
  | "proposed" -> on_proposed r n step
  | "advanced" -> on_advanced r n step
  | "stepped-down" ->
      ignore (exec r "" (EStop n));
      r.leaders.(n) <- { of_ballot = 0; quorum = []; begun = false; mark = 0 }
  | "delivered" -> on_delivered r n step
  | "cut" ->
      if delivered r n <> step.first then refuse "a snapshot of what it has not delivered";
      ignore (exec r "" (ESnapshot n))
  | "installed" -> ignore (exec r "to install this snapshot" (EJump (n, step.first)))
  | "restored" -> on_restored r n s step
  | "dropped" -> (cell r n s).dropped <- step.first
  | "found" -> (cell r n s).found <- Some (record_of step)
  | "refused" | "chosen" | "leading" | "transferring" -> ()
  | "lost" -> refuse "steps before it were lost: record again, with a slower load"
  | _ -> refuse "no event has the number %d" step.event

let stage_name stage =
  match stage with 1 -> "leader" | 2 -> "learner" | s -> Printf.sprintf "acceptor %d" (s - 3)

let show step =
  Printf.sprintf "%d replica %d %s: %s ballot %d.%d [%d, %d) value %d" step.at step.member
    (stage_name step.stage) (name step.event) (step.ballot lsr 16) (step.ballot land 0xffff)
    step.first (step.first + step.count) step.value

(* ---- Files ---- *)

type totals = { mutable steps : int; mutable runs : int }

let count_step totals r in_run verbose step =
  totals.steps <- totals.steps + 1;
  (try judge r step with Refused_step why ->
     let run = if r.name = 0 then "" else Printf.sprintf " of run %d" r.name in
     refuse "step %d%s: %s\n  %s" in_run run why (show step));
  if verbose then Printf.printf "%d ok  %s\n" in_run (show step)

let read_rest input b size =
  try really_input input b 8 size with End_of_file -> refuse "the file ends inside a record"

(* The simulator's: runs one after the other, each in its own order. *)
let check_file verbose totals input =
  let b = Bytes.create header_bytes in
  let rec loop run in_run =
    match really_input input b 0 8 with
    | exception End_of_file -> ()
    | () ->
        if Bytes.sub_string b 0 8 = magic then begin
          read_rest input b (header_bytes - 8);
          totals.runs <- totals.runs + 1;
          loop (Some (run_of b)) 0
        end
        else begin
          read_rest input b (step_bytes - 8);
          match run with
          | None -> refuse "not a trace: it does not begin with %s" magic
          | Some r ->
              count_step totals r in_run verbose (step_of b);
              loop run (in_run + 1)
        end in
  loop None 0

(* A stage's: its steps until the first that was never written. *)
let steps_of_stage path =
  let input = open_in_bin path in
  let head = Bytes.create header_bytes and b = Bytes.create step_bytes in
  let rec steps so_far =
    match really_input input b 0 step_bytes with
    | exception End_of_file -> so_far
    | () ->
        let step = step_of b in
        if step.stage = 0 then so_far else steps (step :: so_far) in
  match really_input input head 0 header_bytes with
  | exception End_of_file -> refuse "%s ends inside its header" path
  | () ->
      if Bytes.sub_string head 0 8 <> magic then refuse "%s is no trace" path;
      let found = steps [] in
      close_in input;
      (head, List.rev found)

(* A folder of replicas' files: one run, in the order of the clock that they share. *)
let check_folder verbose totals folder =
  let paths = List.filter (fun f -> Filename.check_suffix f ".rec")
      (List.sort compare (Array.to_list (Sys.readdir folder))) in
  if paths = [] then refuse "%s holds no file that ends in .rec" folder;
  let files = List.map (fun f -> steps_of_stage (Filename.concat folder f)) paths in
  let head = fst (List.hd files) in
  if List.exists (fun (h, _) -> h <> head) files then
    refuse "the files in %s are of clusters with different configurations" folder;
  let steps = Array.of_list (List.concat_map snd files) in
  Array.stable_sort (fun a b -> compare a.at b.at) steps;
  totals.runs <- totals.runs + 1;
  let r = run_of head in
  Array.iteri (fun i step -> count_step totals r i verbose step) steps

let check verbose path =
  let totals = { steps = 0; runs = 0 } in
  match
    if path = "-" then begin
      set_binary_mode_in stdin true;
      check_file verbose totals stdin
    end
    else if Sys.is_directory path then check_folder verbose totals path
    else check_file verbose totals (open_in_bin path)
  with
  | () when totals.steps = 0 ->
      print_endline "no steps: nothing was checked";
      exit 1
  | () ->
      Printf.printf "%d steps of %d runs: the protocol allows each\n" totals.steps totals.runs
  | exception Refused_step why ->
      Printf.printf "REFUSED %s\n" why;
      exit 1
  | exception Sys_error why ->
      prerr_endline ("paxwire-check: " ^ why);
      exit 2

let () =
  let verbose = Array.mem "-v" Sys.argv in
  match List.filter (fun a -> a <> "-v") (List.tl (Array.to_list Sys.argv)) with
  | [ path ] -> check verbose path
  | _ ->
      prerr_endline "usage: paxwire-check [-v] FILE|FOLDER    (- is standard input)";
      exit 2
