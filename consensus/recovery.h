/*
 * recovery.h - what a candidate must propose again: for each instance of one block, the value
 * that its phase-1 quorum reported.
 *
 * Owns:    a cell an instance, with a copy of its entry.
 * Upholds: R1  a value reported as chosen outranks every vote; of votes the highest ballot wins.
 *          R2  an instance that no one reported becomes a no-op, never a guess.
 *          R3  selection is per instance: runs are cut at every boundary.
 * Proofs:  contracts below and in recovery.c, by Frama-C/WP (tools/run prove): R1, R2, of one report of
 *          one instance; tests/unit/test_recovery.c. (Lamport, Paxos Made Simple, P2c.)
 */
#ifndef CONSENSUS_RECOVERY_H
#define CONSENSUS_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	RECOVERY_ENTRY_MAX = (BODY_MAX + 7) / 8 * 8,
	RECOVERY_BYTES = BLOCK * RECOVERY_ENTRY_MAX /* Of all entries: one range, to the provers. */
};

enum cell_state {
	CELL_EMPTY,
	CELL_VOTED,
	CELL_CHOSEN
};

struct cell {
	uint64_t ballot;
	uint32_t bytes; /* Of the entry; 0: a no-op. */
	uint8_t state;  /* enum cell_state */
};

struct recovery {
	uint64_t from, to; /* The stride: instances of one block. */
	uint64_t next;     /* The next to be proposed again. */
	struct cell cells[BLOCK];
	_Alignas(8) uint8_t entries[BLOCK][RECOVERY_ENTRY_MAX];
};

/*@ predicate cell_ok{L}(struct recovery *r, integer k) =
  @   r->cells[k].state <= CELL_CHOSEN && r->cells[k].bytes <= RECOVERY_ENTRY_MAX &&
  @   (r->cells[k].state == CELL_EMPTY ==> r->cells[k].bytes == 0);
  @ predicate recovery_ok{L}(struct recovery *r) =
  @   r->from <= r->next <= r->to <= INSTANCE_TOP &&
  @   (\forall integer k; 0 <= k < BLOCK ==> cell_ok(r, k));
  @ predicate cell_same{A,B}(struct recovery *r, integer k) =
  @   \at(r->cells[k].ballot, A) == \at(r->cells[k].ballot, B) &&
  @   \at(r->cells[k].bytes, A) == \at(r->cells[k].bytes, B) &&
  @   \at(r->cells[k].state, A) == \at(r->cells[k].state, B);
  @*/

/*@ // Each entry fits a run of `limit` bytes.
  @ predicate entries_fit{L}(struct recovery *r, integer limit) =
  @   \forall integer k; 0 <= k < BLOCK ==> r->cells[k].bytes <= limit;
  @*/

/* A new stride, all cells empty. to - from <= BLOCK, one block. */
/*@ requires \valid(r) && from <= to <= INSTANCE_TOP;
    assigns r->from, r->to, r->next, r->cells[0 .. BLOCK - 1];
    ensures ok: recovery_ok(r) && r->from == from && r->to == to && r->next == from;
    ensures R2: \forall integer k; 0 <= k < BLOCK ==>
      r->cells[k].state == CELL_EMPTY && r->cells[k].bytes == 0; */
void recovery_begin(struct recovery *r, uint64_t from, uint64_t to);

/*@ // Has the cell of an instance what a report at this ballot (0: chosen) says, or what outranks it?
  @ predicate heard{L}(struct recovery *r, integer i, integer ballot) =
  @   r->from <= i < r->to ==> r->cells[i % BLOCK].state == CELL_CHOSEN ||
  @     (ballot != 0 && r->cells[i % BLOCK].state == CELL_VOTED &&
  @       r->cells[i % BLOCK].ballot >= ballot);
  @ // What a cell keeps, whatever is reported later.
  @ predicate outlives{A,B}(struct recovery *r, integer k) =
  @   (\at(r->cells[k].state, A) == CELL_CHOSEN ==> cell_same{A,B}(r, k)) &&
  @   (\at(r->cells[k].state, A) == CELL_VOTED ==> \at(r->cells[k].state, B) == CELL_CHOSEN ||
  @     (\at(r->cells[k].state, B) == CELL_VOTED &&
  @       \at(r->cells[k].ballot, B) >= \at(r->cells[k].ballot, A)));
  @*/

/* The records of one votes chunk. Instances outside the stride are passed over. */
/*@ // Coq: Protocol.better.
    requires \valid(r) && recovery_ok(r) && bytes <= BODY_MAX;
    requires \valid_read(body + (0 .. bytes - 1)) && \separated(r, body + (0 .. bytes - 1));
    requires decoded: \exists integer count; 0 <= count && chunk_in(body, count, bytes);
    assigns r->cells[0 .. BLOCK - 1], r->entries[0][0 .. RECOVERY_BYTES - 1];
    ensures ok: recovery_ok(r);
    ensures fit: \forall integer limit; entries_fit{Pre}(r, limit) && bytes <= limit + RECORD_BYTES ==>
      entries_fit(r, limit);
    ensures R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,Post}(r, k); */
void recovery_add(struct recovery *r, const uint8_t *body, uint32_t bytes);

/* The next run to propose again: its length in instances, 0 at the stride's end. *bytes is 0 for a
 * no-op run; else `body` (of body_max bytes) holds its entries, at most limit bytes of them. */
/*@ requires \valid(r) && recovery_ok(r) && \valid(bytes) && \valid(body + (0 .. limit - 1));
    requires \separated(r, bytes, body + (0 .. limit - 1));
    requires limit <= 0x10000;
    assigns r->next, *bytes, body[0 .. limit - 1];
    ensures ok: recovery_ok(r);
    ensures within: \result <= count_max && *bytes <= limit &&
      r->next == \old(r->next) + \result;
    ensures all: \result == 0 && count_max > 0 && entries_fit{Pre}(r, limit) ==> r->next == r->to;
    ensures R2: \forall integer i; \old(r->next) <= i < r->next ==>
      (r->cells[i % BLOCK].bytes == 0 <==> *bytes == 0); */
uint32_t recovery_next(struct recovery *r, uint8_t *body, uint32_t limit, uint32_t count_max,
	uint32_t *bytes);

#endif
