/*
 * acceptor.h - the voter: promises ballots and votes for runs of instances.
 *
 * Owns:    the promised ballot, the low end, the index of votes (one slot an instance).
 * Never:   allocates, blocks, reads a clock, sends, or touches a value: `position` says where the
 *          caller keeps the run's record in its log.
 * Upholds: A1  `promised` never goes down.
 *          A2  no vote has a ballot above `promised`.
 *          A3  a vote is never replaced by one of a lower ballot, nor by another run of its own.
 *          A4  what is known chosen is never replaced.
 *          A5  `lo`, `delivered`, `tail` never go down; lo <= delivered, tail <= delivered.
 *          A6  a vote is only for an instance of [lo, lo + window).
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove); tests/unit/test_acceptor.c.
 */
#ifndef CONSENSUS_ACCEPTOR_H
#define CONSENSUS_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"

/* position of a no-op run, which has no record. */
#define POSITION_NOOP 0xffffffffffffffffull

enum vote_state {
	VOTE_NONE,
	VOTE_CAST,
	VOTE_CHOSEN
};

/* One instance's slot, at instance % VOTES_MAX; meaningful only if `instance` is the one asked. */
struct vote {
	uint64_t ballot; /* VOTE_CAST: of the vote. VOTE_CHOSEN: 0. */
	uint64_t instance;
	uint64_t position; /* Of its run's record in the log, or POSITION_NOOP. */
	uint32_t checksum; /* Of its run's body. */
	uint16_t count;    /* Of its run: 1..RUN_COUNT_MAX. */
	uint8_t index;     /* Of this instance in its run. */
	uint8_t state;     /* enum vote_state */
};

struct acceptor {
	uint64_t promised;
	uint64_t lo; /* Delivered index rounded down to a block: votes below need no report. */
	uint64_t delivered; /* The node's delivered index, as the learner last said. */
	uint64_t tail;      /* Oldest instance whose delivered value the log still holds. */
	uint64_t high;      /* One past the highest instance voted or stored as chosen. */
	uint64_t window;    /* Instances above lo that may be voted for; <= ACCEPTOR_WINDOW. */
	struct vote votes[VOTES_MAX];
};

/* A run as the caller has it: consecutive instances of one block. */
struct run {
	uint64_t ballot;
	uint64_t first;
	uint64_t position; /* Where its record will stand in the log, or POSITION_NOOP. */
	uint32_t checksum;
	uint16_t count; /* 1..RUN_COUNT_MAX; first / BLOCK == (first + count - 1) / BLOCK. */
};

enum acceptor_answer {
	ACCEPTOR_PROMISED,
	ACCEPTOR_VOTED,    /* The caller must append the record at run.position. */
	ACCEPTOR_REPEATED, /* The identical run was voted for before: vote again, append nothing. */
	ACCEPTOR_STORED,   /* on_chosen: append the record at run.position. */
	ACCEPTOR_KNOWN,    /* on_chosen: all of it was known chosen already: append nothing. */
	ACCEPTOR_REFUSED,  /* ballot < promised */
	ACCEPTOR_TRIMMED,  /* first < lo; on_chosen: all of it is below lo */
	ACCEPTOR_BEHIND,   /* first + count > lo + window */
	ACCEPTOR_CONFLICT, /* a vote at this ballot with other boundaries or checksum: alarm */
	ACCEPTOR_TOO_HIGH, /* the round is more than 2^32 above our promise's */
};

/*@ predicate slot_ok(struct acceptor *a, integer k) = a->votes[k].ballot <= a->promised;
  @ predicate acceptor_ok(struct acceptor *a) =
  @   1 <= a->window <= ACCEPTOR_WINDOW &&
  @   a->tail <= a->delivered && a->lo == a->delivered - a->delivered % BLOCK &&
  @   a->delivered <= INSTANCE_TOP &&
  @   (\forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k));
  @ predicate slot_same{A,B}(struct acceptor *a, integer k) =
  @   \at(a->votes[k].ballot, A) == \at(a->votes[k].ballot, B) &&
  @   \at(a->votes[k].instance, A) == \at(a->votes[k].instance, B) &&
  @   \at(a->votes[k].position, A) == \at(a->votes[k].position, B) &&
  @   \at(a->votes[k].checksum, A) == \at(a->votes[k].checksum, B) &&
  @   \at(a->votes[k].count, A) == \at(a->votes[k].count, B) &&
  @   \at(a->votes[k].index, A) == \at(a->votes[k].index, B) &&
  @   \at(a->votes[k].state, A) == \at(a->votes[k].state, B);
  @ predicate all_same{A,B}(struct acceptor *a) =
  @   \forall integer k; 0 <= k < VOTES_MAX ==> slot_same{A,B}(a, k);
  @ predicate apart(integer k, integer first, integer count) =
  @   \forall integer i; first <= i < first + count ==> k != i % VOTES_MAX;
  @ predicate others_same{A,B}(struct acceptor *a, integer first, integer count) =
  @   \forall integer k; 0 <= k < VOTES_MAX && apart(k, first, count) ==> slot_same{A,B}(a, k);
  @ predicate holds_vote(struct acceptor *a, integer i) =
  @   a->votes[i % VOTES_MAX].state != VOTE_NONE && a->votes[i % VOTES_MAX].instance == i;
  @ predicate known_chosen(struct acceptor *a, integer i) =
  @   holds_vote(a, i) && a->votes[i % VOTES_MAX].state == VOTE_CHOSEN;
  @ predicate is_cast(struct acceptor *a, integer i, struct run *r) =
  @   a->votes[i % VOTES_MAX].ballot == r->ballot && a->votes[i % VOTES_MAX].instance == i &&
  @   a->votes[i % VOTES_MAX].position == r->position && a->votes[i % VOTES_MAX].state == VOTE_CAST;
  @ predicate run_ok(struct run *r) = 1 <= r->count <= RUN_COUNT_MAX && r->first < INSTANCE_TOP;
  @*/

/* lo = delivered = tail = promised = high = 0, no votes. 1 <= window <= ACCEPTOR_WINDOW. */
/*@ requires \valid(a) && 1 <= window <= ACCEPTOR_WINDOW;
    assigns *a;
    ensures ok: acceptor_ok(a) && a->promised == 0 && a->lo == 0;
    ensures none: \forall integer k; 0 <= k < VOTES_MAX ==> a->votes[k].state == VOTE_NONE; */
void acceptor_init(struct acceptor *a, uint64_t window);

/* PROMISED: promised == ballot (equal ballots are promised again). REFUSED, TOO_HIGH: nothing
 * changed. (Lamport, Paxos Made Simple, phase 1b; design: section 3.) */
/*@ // Coq: Acceptor.on_prepare.
    requires \valid(a) && acceptor_ok(a);
    assigns a->promised;
    ensures A1: a->promised >= \old(a->promised);
    ensures A2: acceptor_ok(a);
    ensures stale: ballot < \old(a->promised) <==> \result == ACCEPTOR_REFUSED;
    ensures promised: \result == ACCEPTOR_PROMISED ==> a->promised == ballot;
    ensures refused: \result != ACCEPTOR_PROMISED ==> a->promised == \old(a->promised); */
enum acceptor_answer acceptor_on_prepare(struct acceptor *a, uint64_t ballot);

/* Checked in this order: REFUSED, TOO_HIGH, TRIMMED (first < lo), BEHIND, then per instance
 * CONFLICT, REPEATED (each slot but those known chosen holds exactly this run: same ballot, its
 * index, count and checksum). VOTED: promised = ballot, each instance's slot is this run's, but of
 * those known chosen, which stay so; high covers it; all other slots unchanged. REPEATED: promised =
 * ballot, slots unchanged. Anything else: nothing changed. (Phase 2b, >=.) */
/*@ // Coq: Acceptor.on_accept.
    requires \valid(a) && \valid_read(run) && \separated(a, run);
    requires acceptor_ok(a) && run_ok(run);
    assigns a->promised, a->high, a->votes[0 .. VOTES_MAX - 1];
    ensures A1: a->promised >= \old(a->promised);
    ensures A2: acceptor_ok(a);
    ensures stale: run->ballot < \old(a->promised) <==> \result == ACCEPTOR_REFUSED;
    ensures refused: \result != ACCEPTOR_VOTED && \result != ACCEPTOR_REPEATED ==>
      a->promised == \old(a->promised) && a->high == \old(a->high) && all_same{Pre,Post}(a);
    ensures repeated: \result == ACCEPTOR_REPEATED ==>
      a->promised == run->ballot && a->high == \old(a->high) && all_same{Pre,Post}(a);
    ensures voted: \result == ACCEPTOR_VOTED ==>
      a->promised == run->ballot && a->high >= run->first + run->count &&
      (\forall integer i; run->first <= i < run->first + run->count &&
        !\at(known_chosen(a, i), Pre) ==> is_cast(a, i, run));
    ensures A3: \result == ACCEPTOR_VOTED ==>
      \forall integer i; run->first <= i < run->first + run->count &&
        \at(holds_vote(a, i) && !known_chosen(a, i), Pre) ==>
        \at(a->votes[i % VOTES_MAX].ballot, Pre) != run->ballot;
    ensures A4: \forall integer i; run->first <= i < run->first + run->count &&
      \at(known_chosen(a, i), Pre) ==> slot_same{Pre,Post}(a, i % VOTES_MAX);
    ensures others: others_same{Pre,Post}(a, run->first, run->count);
    ensures A6: \result == ACCEPTOR_VOTED ==>
      a->lo <= run->first && run->first + run->count <= a->lo + a->window; */
enum acceptor_answer acceptor_on_accept(struct acceptor *a, const struct run *run);

/* A run known chosen (run->ballot unused). TRIMMED: first + count <= lo. BEHIND as above.
 * KNOWN: every instance at or above lo is VOTE_CHOSEN already. STORED: every instance of it at or
 * above lo that was not VOTE_CHOSEN is now, with ballot 0 (index counted from run->first).
 * `promised` is unchanged, whatever it is. */
/*@ // Coq: Acceptor.on_chosen.
    requires \valid(a) && \valid_read(run) && \separated(a, run);
    requires acceptor_ok(a) && run_ok(run);
    assigns a->high, a->votes[0 .. VOTES_MAX - 1];
    ensures A2: acceptor_ok(a);
    ensures A4: \forall integer i; run->first <= i < run->first + run->count &&
      \at(holds_vote(a, i), Pre) && \at(a->votes[i % VOTES_MAX].state, Pre) == VOTE_CHOSEN ==>
        slot_same{Pre,Post}(a, i % VOTES_MAX);
    ensures others: others_same{Pre,Post}(a, run->first, run->count);
    ensures refused: \result == ACCEPTOR_TRIMMED || \result == ACCEPTOR_BEHIND ==>
      all_same{Pre,Post}(a); */
enum acceptor_answer acceptor_on_chosen(struct acceptor *a, const struct run *run);

/* The learner delivered below `delivered`: raises delivered, and lo to its block's start. */
/*@ // Coq: Acceptor.trim.
    requires \valid(a) && acceptor_ok(a) && delivered <= INSTANCE_TOP;
    assigns a->delivered, a->lo, a->tail;
    ensures A5: a->delivered >= \old(a->delivered) && a->lo >= \old(a->lo) &&
      a->tail >= \old(a->tail);
    ensures A2: acceptor_ok(a); */
void acceptor_trim(struct acceptor *a, uint64_t delivered);

/* The state below `delivered` came as a snapshot: as acceptor_trim, and nothing below is served any
 * more, for what this acceptor voted for there need not be what was chosen. */
/*@ // Coq: Acceptor.install.
    requires \valid(a) && acceptor_ok(a) && delivered <= INSTANCE_TOP;
    assigns a->delivered, a->lo, a->tail;
    ensures A5: a->delivered >= \old(a->delivered) && a->lo >= \old(a->lo) &&
      a->tail >= \old(a->tail);
    ensures none: delivered > \old(a->delivered) ==> a->tail == delivered;
    ensures A2: acceptor_ok(a); */
void acceptor_install(struct acceptor *a, uint64_t delivered);

/* The log dropped what lies below `tail`: raises a->tail (not above lo). */
/*@ // Coq: Acceptor.drop.
    requires \valid(a) && acceptor_ok(a);
    assigns a->tail;
    ensures A5: a->tail >= \old(a->tail);
    ensures A2: acceptor_ok(a); */
void acceptor_drop(struct acceptor *a, uint64_t tail);

/* The slot of an instance, or NULL if it holds no vote (or one for another instance). */
/*@ // Coq: Acceptor.slot_at.
    requires \valid_read(a);
    assigns \nothing;
    ensures \result == \null || \result == &a->votes[instance % VOTES_MAX];
    ensures held: \result != \null <==> holds_vote(a, instance); */
const struct vote *acceptor_vote(const struct acceptor *a, uint64_t instance);

/* Consecutive instances from `first` (below `end`) whose slots are of one and the same record. */
struct piece {
	uint64_t first;
	uint64_t ballot; /* 0: known chosen. */
	uint64_t position;
	uint32_t checksum;  /* of the whole run's body */
	uint16_t count;     /* of this piece */
	uint16_t run_count; /* of the whole run */
	uint8_t index;      /* of the piece's first instance in the run */
	bool chosen;
};

/* The next piece at or after `from`, below `end` (end - from <= VOTES_MAX). False: no vote in
 * [from, end). A piece never crosses `end`. */
/*@ requires \valid_read(a) && \valid(piece) && \separated(a, piece);
    requires from <= end <= INSTANCE_TOP && end - from <= VOTES_MAX;
    assigns *piece;
    ensures inside: \result ==>
      from <= piece->first && 1 <= piece->count && piece->first + piece->count <= end;
    ensures held: \result ==> holds_vote(a, piece->first);
    ensures skipped: \result ==>
      \forall integer i; from <= i < piece->first ==> !holds_vote(a, i);
    ensures none: !\result ==> \forall integer i; from <= i < end ==> !holds_vote(a, i); */
bool acceptor_piece(const struct acceptor *a, uint64_t from, uint64_t end, struct piece *piece);

/* The log's cleaner moved the record of these instances: each slot whose position is `old` gets
 * `new_position`; nothing else changes. */
/*@ requires \valid(a) && acceptor_ok(a) && first < INSTANCE_TOP && count <= RUN_COUNT_MAX;
    assigns a->votes[0 .. VOTES_MAX - 1].position;
    ensures A2: acceptor_ok(a); */
void acceptor_relocate(struct acceptor *a, uint64_t first, uint16_t count, uint64_t old,
	uint64_t new_position);

#endif
