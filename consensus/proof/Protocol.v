(* The protocol as an executable transition system: nodes that send messages and crash.

   A message once sent stays in the net for ever, and a node may act on any message there at any
   time: that is loss, delay, duplication and reordering. The net is all that nodes have in common.
   [exec] says what one event does, or None if the protocol does not allow it.

   A node has an acceptor for each shard, a proposer and a learner. Quorums are sets of nodes; only
   the acceptors of an instance's shard take part in choosing it. *)
From Coq Require Import List Arith Lia Bool.
From Paxwire Require Import Maps Acceptor.
Import ListNotations.

(* What a chunk of votes says of one instance. *)
Inductive report := Empty | Vote (ballot value : nat) | Decided (value : nat).

Inductive message :=
| Request (v : nat)                                (* a client's command *)
| Prepare (b : nat)                                (* phase 1a, for all instances *)
| Promise (n s b low top : nat)                    (* 1b: node n, shard s; its lo and high *)
| Votes (n s b from : nat) (reports : list report) (* 1b: what it voted for, from [from] on *)
| Accept (b first : nat) (vs : list nat)           (* 2a: a run *)
| Accepted (n s b first count : nat)               (* 2b: a range of instances *)
| Commit (b mark : nat)                            (* the leader's watermark *)
| Catchup (i v : nat).                             (* MESSAGE_CHOSEN: one instance known chosen *)

(* Each message as a number sequence of its own. *)
Definition report_code (r : report) : list nat :=
  match r with Empty => [0; 0; 0] | Vote c v => [1; c; v] | Decided v => [2; 0; v] end.

Definition code (m : message) : list nat :=
  match m with
  | Request v => [0; v]
  | Prepare b => [1; b]
  | Promise n s b low top => [2; n; s; b; low; top]
  | Votes n s b from reports => 3 :: n :: s :: b :: from :: flat_map report_code reports
  | Accept b first vs => 4 :: b :: first :: vs
  | Accepted n s b first count => [5; n; s; b; first; count]
  | Commit b mark => [6; b; mark]
  | Catchup i v => [7; i; v]
  end.

Lemma reports_inj xs : forall ys,
  flat_map report_code xs = flat_map report_code ys -> xs = ys.
Proof.
  induction xs as [|x r IH]; intros [|y s]; simpl; auto.
  - destruct y; discriminate.
  - destruct x; discriminate.
  - destruct x, y; simpl; intros H; inversion H; subst; f_equal; auto.
Qed.

Lemma code_inj x y : code x = code y -> x = y.
Proof.
  destruct x, y; simpl; intros H; try discriminate; inversion H; subst; auto.
  f_equal. now apply reports_inj.
Qed.

(* An acceptor's memory, its disk, and the journal's records in between: for each the state that it
   leads to and the votes that may be told once it is durable (gate.c). Without a journal each record
   is durable at once. *)
Record cell := mkCell { disk : acceptor; mem : acceptor; pending : list (acceptor * list message) }.

(* struct proposer: all of it is lost in a crash. *)
Record proposer := mkProposer {
  ballot : nat;                         (* election.highest, at least: none below is used again *)
  active : bool;
  promises : map (map (nat * nat));     (* shard, node: lo and high *)
  reports : map (map report);           (* instance, node *)
  begun : bool;                         (* phase 1 has a quorum, and the prefix below is delivered *)
  proposed : bool;
  next : nat;                           (* window.end *)
  mark : nat;                           (* window.chosen *)
  opened : option nat;                  (* the no-op that opens the ballot *)
  runs : map nat                        (* first, count *)
}.

(* struct learner: what is delivered, and up to where it came as a snapshot. *)
Record learner := mkLearner { log : map nat; count : nat; jump : nat }.

Record node := mkNode { cells : map cell; prop : proposer; learn : learner }.

Record world := mkWorld { nodes : map node; net : SS.t; snapshots : map (map nat) }.

Definition cell_init := mkCell acceptor_init acceptor_init [].
Definition proposer_init := mkProposer 0 false empty empty false false 0 0 None empty.
Definition learner_init := mkLearner empty 0 0.
Definition node_init := mkNode empty proposer_init learner_init.
Definition world_init := mkWorld empty SS.empty empty.

Definition node_of (w : world) n := get node_init n (nodes w).
Definition cell_of w n s := get cell_init s (cells (node_of w n)).
Definition prop_of w n := prop (node_of w n).
Definition learn_of w n := learn (node_of w n).

Definition set_node w n x := mkWorld (put n x (nodes w)) (net w) (snapshots w).
Definition set_cell w n s c :=
  let x := node_of w n in set_node w n (mkNode (put s c (cells x)) (prop x) (learn x)).
Definition set_prop w n p :=
  let x := node_of w n in set_node w n (mkNode (cells x) p (learn x)).
Definition set_learn w n l :=
  let x := node_of w n in set_node w n (mkNode (cells x) (prop x) l).

Definition sent (w : world) (m : message) : bool := SS.mem (code m) (net w).
Definition send (ms : list message) (w : world) : world :=
  mkWorld (nodes w) (fold_left (fun net m => SS.add (code m) net) ms (net w)) (snapshots w).

Inductive event :=
| ERequest (v : nat)
(* acceptor of node n, shard s *)
| EPrepare (n s b : nat)
| EPromise (n s : nat)                    (* tells its promise *)
| EPull (n s b from size : nat)           (* tells its votes *)
| EAccept (n s b first : nat) (vs : list nat)
| EMerge (n s b first c1 c2 : nat)        (* two ranges of votes that touch are told as one *)
| EChosen (n s first : nat) (vs : list nat)
| ENote (n s d : nat)                     (* JOURNAL_DELIVERED *)
| ETrim (n s d : nat)
| EInstall (n s d : nat)
| EDrop (n s t : nat)
| ESettle (n s : nat)
| EForget (n s f : nat)
| ERecount (n s h : nat)                  (* a restart's, from the slots that are there *)
| EServe (n s i : nat)                    (* answers a FETCH *)
| ESync (n s : nat)                       (* its next record is durable *)
(* proposer of node p *)
| EStart (p b : nat)
| ESendPrepare (p : nat)
| EHearPromise (p n s low top : nat)
| EHearVotes (p n s from : nat) (reports : list report)
| EBegin (p : nat) (quorum : list nat) (start : nat)
| EPropose (p : nat) (quorum : list nat) (vs : list nat)
| EOpen (p : nat) (quorum : list nat)
| EAdvance (p : nat) (votes : list (nat * (nat * nat))) (* node, first, count *)
| ECommit (p : nat)
| EStop (p : nat)
(* learner of node n *)
| EDeliver (n b wm first : nat) (vs : list nat)
| EDeliverChosen (n v : nat)
| EDeliverOwn (n : nat)                   (* after a restart: what its disk says was delivered *)
| ESnapshot (n : nat)
| EJump (n k : nat)                       (* takes over a snapshot of all below k *)
(* the whole node *)
| ERestart (n k : nat).                   (* from its disk and a snapshot; 0: from none *)

(* What the configuration says. What the proofs ask of it stands with them. *)
Class config := {
  Q1 : list nat -> bool;           (* sets of nodes: quorums of phase 1, *)
  Q2 : list nat -> bool;           (* and of phase 2 *)
  owner : nat -> nat;              (* the node of a ballot *)
  shard_of : nat -> nat;           (* the shard of an instance *)
  shards : nat;
  window : nat;                    (* ACCEPTOR_WINDOW *)
  block : nat;                     (* BLOCK *)
  retained : nat;                  (* VOTES_MAX - ACCEPTOR_WINDOW *)
  too_high : nat -> nat -> bool    (* is this ballot too far above that promise? *)
}.

Section Protocol.
Context {cfg : config}.

(* ---- Acceptor ---- *)

(* A record is appended: the new state, and what is told once it is durable. *)
Definition append (c : cell) (x : acceptor) (ms : list message) : cell :=
  mkCell (disk c) x (pending c ++ [(x, ms)]).

Definition sync (c : cell) : option (cell * list message) :=
  match pending c with
  | [] => None
  | (x, ms) :: rest => Some (mkCell x (mem c) rest, ms)
  end.

(* acceptor_report_votes: one instance *)
Definition report_of (x : acceptor) (i : nat) : report :=
  match slot_at x i with
  | None => Empty
  | Some (Cast b _ _ v) => Vote b v
  | Some (Chosen v) => Decided v
  end.

Definition in_shard (s first size : nat) : bool :=
  forallb (fun i => shard_of i =? s) (seq first size).

(* ---- Proposer ---- *)

Definition start (p : proposer) (b : nat) : proposer :=
  mkProposer b true empty empty false false 0 0 None empty.

Definition stop (p : proposer) : proposer :=
  mkProposer (ballot p) false empty empty false false 0 0 None empty.

Definition get2 {A} (a b : nat) (m : map (map A)) : option A :=
  match find a m with Some r => find b r | None => None end.
Definition put2 {A} (a b : nat) (x : A) (m : map (map A)) : map (map A) :=
  put a (put b x (get empty a m)) m.

(* proposer_on_promise *)
Definition hear_promise (p : proposer) n s low top : proposer :=
  mkProposer (ballot p) (active p) (put2 s n (low, top) (promises p)) (reports p) (begun p)
    (proposed p) (next p) (mark p) (opened p) (runs p).

Fixpoint add_reports (n from : nat) (rs : list report) (m : map (map report)) :=
  match rs with [] => m | r :: rest => add_reports n (S from) rest (put2 from n r m) end.

(* recovery_add *)
Definition hear_votes (p : proposer) n from rs : proposer :=
  mkProposer (ballot p) (active p) (promises p) (add_reports n from rs (reports p)) (begun p)
    (proposed p) (next p) (mark p) (opened p) (runs p).

Definition promised_all (p : proposer) (n : nat) : bool :=
  forallb (fun s => match get2 s n (promises p) with Some _ => true | None => false end)
    (seq 0 shards).

(* The quorum's promises, each shard of each node: their lo's are at most [start]. *)
Definition low_enough (p : proposer) (quorum : list nat) (start : nat) : bool :=
  forallb (fun n => forallb (fun s =>
    match get2 s n (promises p) with Some (low, _) => low <=? start | None => false end)
    (seq 0 shards)) quorum.

Definition above_all (p : proposer) (quorum : list nat) (i : nat) : bool :=
  forallb (fun n => forallb (fun s =>
    match get2 s n (promises p) with Some (low, top) => (low <=? i) && (top <=? i) | None => false end)
    (seq 0 shards)) quorum.

(* What node n is known to have voted for: by a chunk; or nothing, for its promise ends below. *)
Definition heard (p : proposer) (i n : nat) : option report :=
  match get2 i n (reports p) with
  | Some r => Some r
  | None => match get2 (shard_of i) n (promises p) with
            | Some (low, top) => if (low <=? i) && (top <=? i) then Some Empty else None
            | None => None
            end
  end.

(* outranks, in recovery.c *)
Definition better (r q : report) : report :=
  match r, q with
  | Decided _, _ => r
  | _, Decided _ => q
  | Vote b _, Vote c _ => if c <? b then r else q
  | Empty, _ => q
  | _, Empty => r
  end.

(* None: a node of the quorum has not reported the instance. *)
Fixpoint select (p : proposer) (i : nat) (quorum : list nat) : option report :=
  match quorum with
  | [] => Some Empty
  | n :: rest =>
      match heard p i n, select p i rest with
      | Some r, Some q => Some (better r q)
      | _, _ => None
      end
  end.

(* A no-op (0) or a command of a client where nothing is reported; else what is reported. *)
Definition may_propose (w : world) (p : proposer) (quorum : list nat) (i v : nat) : bool :=
  match select p i quorum with
  | Some (Decided u) | Some (Vote _ u) => u =? v
  | Some Empty => (v =? 0) || sent w (Request v)
  | None => false
  end.

Fixpoint may_propose_run w p quorum i (vs : list nat) : bool :=
  match vs with
  | [] => true
  | v :: rest => may_propose w p quorum i v && may_propose_run w p quorum (S i) rest
  end.

Definition propose (p : proposer) (vs : list nat) : proposer :=
  mkProposer (ballot p) (active p) (promises p) (reports p) (begun p) true
    (next p + length vs) (mark p) (opened p) (put (next p) (length vs) (runs p)).

Definition begin (p : proposer) (start : nat) : proposer :=
  mkProposer (ballot p) (active p) (promises p) (reports p) true (proposed p) start start
    (opened p) (runs p).

Definition open (p : proposer) : proposer :=
  mkProposer (ballot p) (active p) (promises p) (reports p) (begun p) (proposed p) (next p)
    (mark p) (Some (next p)) (runs p).

Definition advance (p : proposer) (size : nat) : proposer :=
  mkProposer (ballot p) (active p) (promises p) (reports p) (begun p) (proposed p) (next p)
    (mark p + size) (opened p) (runs p).

(* window_vote: a range counts for a run that lies wholly inside it. *)
Definition counts (w : world) (b first size : nat) (vote : nat * (nat * nat)) : bool :=
  let '(n, (f, c)) := vote in
  sent w (Accepted n (shard_of first) b f c) && (f <=? first) && (first + size <=? f + c).

(* ---- Learner ---- *)

Definition deliver1 (l : learner) (v : nat) : learner :=
  mkLearner (put (count l) v (log l)) (S (count l)) (jump l).

(* Does the own acceptor hold a vote at b or above, or the value as chosen? *)
Definition holds (x : acceptor) (b i : nat) : bool :=
  match slot_at x i with
  | Some (Cast c _ _ _) => b <=? c
  | Some (Chosen _) => true
  | None => false
  end.

Fixpoint deliver_run (x : acceptor) (b : nat) (l : learner) (i : nat) (vs : list nat)
  : option learner :=
  match vs with
  | [] => Some l
  | v :: rest =>
      if i <? count l then deliver_run x b l (S i) rest
      else if (i =? count l) && holds x b i then deliver_run x b (deliver1 l v) (S i) rest
      else None
  end.

Fixpoint all_sent_chosen (w : world) (i : nat) (vs : list nat) : bool :=
  match vs with
  | [] => true
  | v :: rest => sent w (Catchup i v) && all_sent_chosen w (S i) rest
  end.

Definition restart_cell (c : cell) : cell := mkCell (disk c) (disk c) [].

(* leader_past.promised: no ballot at or below is used again. *)
Definition restart_ballot (w : world) (n : nat) : nat :=
  fold_right Nat.max 0 (List.map (fun s => promised (disk (cell_of w n s))) (seq 0 shards)).

Definition restart_prop (b : nat) : proposer :=
  mkProposer b false empty empty false false 0 0 None empty.

Definition restart w n lg k : world :=
  let x := node_of w n in
  set_node w n (mkNode (every restart_cell (cells x)) (restart_prop (restart_ballot w n))
    (mkLearner lg k k)).

Definition snapshot (w : world) (k : nat) : option (map nat) :=
  if k =? 0 then Some empty else find k (snapshots w).

(* ---- One event ---- *)

Definition outcome := option (world * list message * option answer).
Definition done (w : world) (ms : list message) : outcome := Some (w, ms, None).
Definition when (b : bool) (o : outcome) : outcome := if b then o else None.

(* A handler of an acceptor that appends a record. *)
Definition appended w n s (x : acceptor) ms (a : option answer) : outcome :=
  Some (set_cell w n s (append (cell_of w n s) x ms), [], a).

(* May the learner's index be taken for what is delivered through this acceptor? *)
Definition told w n s d : bool :=
  let x := mem (cell_of w n s) in let known := Nat.max (delivered x) (noted x) in
  (d <=? known) || ((d <=? count (learn_of w n)) && (jump (learn_of w n) <=? known)).

Definition act (w : world) (e : event) : outcome :=
  match e with
  | ERequest v => done w [Request v]
  | EPrepare n s b =>
      (* Its own ballots reach a node's acceptors by its own rings, also after it gave them up. *)
      when (sent w (Prepare b) || (owner b =? n))
        (let '(x, a) := on_prepare too_high (mem (cell_of w n s)) b in
         match a with
         | Promised => appended w n s x [] (Some a)
         | _ => Some (w, [], Some a)
         end)
  | EPromise n s =>
      let c := cell_of w n s in let x := mem c in
      when (promised (disk c) =? promised x)
        (done w [Promise n s (promised x) (lo x) (high x)])
  | EPull n s b from size =>
      let c := cell_of w n s in let x := mem c in
      if negb (b =? promised x) then Some (w, [], Some Refused)
      else if from <? lo x then Some (w, [], Some Trimmed)
      else when ((promised (disk c) =? b) && in_shard s from size)
        (done w [Votes n s b from (List.map (report_of x) (seq from size))])
  | EAccept n s b first vs =>
      when (sent w (Accept b first vs) && in_shard s first (length vs))
        (let '(x, a) := on_accept window too_high (mem (cell_of w n s)) b first vs in
         match a with
         | Voted | Repeated => appended w n s x [Accepted n s b first (length vs)] (Some a)
         | _ => Some (w, [], Some a)
         end)
  | EMerge n s b first c1 c2 =>
      when (sent w (Accepted n s b first c1) && sent w (Accepted n s b (first + c1) c2))
        (done w [Accepted n s b first (c1 + c2)])
  | EChosen n s first vs =>
      when (all_sent_chosen w first vs && in_shard s first (length vs))
        (let '(x, a) := on_chosen window (mem (cell_of w n s)) first vs in
         match a with
         | Stored => appended w n s x [] (Some a)
         | _ => Some (w, [], Some a)
         end)
  | ENote n s d =>
      when (told w n s d) (appended w n s (note (mem (cell_of w n s)) d) [] None)
  | ETrim n s d =>
      when (told w n s d) (appended w n s (trim block retained (mem (cell_of w n s)) d) [] None)
  | EInstall n s d =>
      when (d <=? count (learn_of w n))
        (appended w n s (install block (mem (cell_of w n s)) d) [] None)
  | EDrop n s t => appended w n s (drop (mem (cell_of w n s)) t) [] None
  | ESettle n s =>
      appended w n s (settle block (mem (cell_of w n s)) (count (learn_of w n))) [] None
  | EForget n s f => appended w n s (forget block (mem (cell_of w n s)) f) [] None
  | ERecount n s h =>
      let x := mem (cell_of w n s) in
      when (all_below x h) (appended w n s (recount x h) [] None)
  | EServe n s i =>
      let x := mem (cell_of w n s) in
      when ((tail x <=? i) && (i <? delivered x) && (shard_of i =? s))
        match slot_at x i with
        | Some v => done w [Catchup i (value_of v)]
        | None => None
        end
  | ESync n s =>
      match sync (cell_of w n s) with
      | Some (c, ms) => done (set_cell w n s c) ms
      | None => None
      end
  | EStart p b =>
      let x := prop_of w p in
      when ((owner b =? p) && (ballot x <? b)) (done (set_prop w p (start x b)) [])
  | ESendPrepare p =>
      let x := prop_of w p in
      when (active x && promised_all x p) (done w [Prepare (ballot x)])
  | EHearPromise p n s low top =>
      let x := prop_of w p in
      when (active x && sent w (Promise n s (ballot x) low top))
        (done (set_prop w p (hear_promise x n s low top)) [])
  | EHearVotes p n s from rs =>
      let x := prop_of w p in
      when (active x && sent w (Votes n s (ballot x) from rs) && in_shard s from (length rs))
        (done (set_prop w p (hear_votes x n from rs)) [])
  | EBegin p quorum start =>
      let x := prop_of w p in
      when (active x && negb (proposed x) && (next x <=? start) && Q1 quorum &&
            low_enough x quorum start)
        (done (set_prop w p (begin x start)) [])
  | EPropose p quorum vs =>
      let x := prop_of w p in
      when (active x && begun x && sent w (Prepare (ballot x)) && Q1 quorum &&
            in_shard (shard_of (next x)) (next x) (length vs) && (0 <? length vs) &&
            may_propose_run w x quorum (next x) vs)
        (done (set_prop w p (propose x vs)) [Accept (ballot x) (next x) vs])
  | EOpen p quorum =>
      let x := prop_of w p in
      when (active x && begun x && Q1 quorum && above_all x quorum (next x))
        (done (set_prop w p (open x)) [])
  | EAdvance p votes =>
      let x := prop_of w p in
      match find (mark x) (runs x) with
      | Some size =>
          when (active x && Q2 (List.map fst votes) &&
                forallb (counts w (ballot x) (mark x) size) votes)
            (done (set_prop w p (advance x size)) [])
      | None => None
      end
  | ECommit p =>
      let x := prop_of w p in
      when (active x && sent w (Prepare (ballot x))) (done w [Commit (ballot x) (mark x)])
  | EStop p => done (set_prop w p (stop (prop_of w p))) []
  | EDeliver n b wm first vs =>
      when (sent w (Accept b first vs) && sent w (Commit b wm) && (first + length vs <=? wm) &&
            in_shard (shard_of first) first (length vs))
        match deliver_run (mem (cell_of w n (shard_of first))) b (learn_of w n) first vs with
        | Some l => done (set_learn w n l) []
        | None => None
        end
  | EDeliverChosen n v =>
      let l := learn_of w n in
      let x := mem (cell_of w n (shard_of (count l))) in
      when (sent w (Catchup (count l) v) &&
            ((count l <? lo x) ||
             match slot_at x (count l) with Some (Chosen _) => true | _ => false end))
        (done (set_learn w n (deliver1 l v)) [])
  | EDeliverOwn n =>
      let l := learn_of w n in
      let x := mem (cell_of w n (shard_of (count l))) in
      when ((tail x <=? count l) && (count l <? Nat.max (delivered x) (noted x)))
        match slot_at x (count l) with
        | Some v => done (set_learn w n (deliver1 l (value_of v))) []
        | None => None
        end
  | ESnapshot n =>
      let l := learn_of w n in
      done (mkWorld (nodes w) (net w) (put (count l) (log l) (snapshots w))) []
  | EJump n k =>
      match snapshot w k with
      | Some lg => when (count (learn_of w n) <? k) (done (set_learn w n (mkLearner lg k k)) [])
      | None => None
      end
  | ERestart n k =>
      match snapshot w k with
      | Some lg => done (restart w n lg k) []
      | None => None
      end
  end.

Definition exec (w : world) (e : event) : outcome :=
  match act w e with
  | Some (w', ms, a) => Some (send ms w', ms, a)
  | None => None
  end.

Inductive reachable : world -> Prop :=
| reachable_init : reachable world_init
| reachable_step w e w' ms a : reachable w -> exec w e = Some (w', ms, a) -> reachable w'.

End Protocol.
