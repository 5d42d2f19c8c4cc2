/*
 * recovery.h - what a candidate must propose again: for each instance of one block, the value
 * that its phase-1 quorum reported.
 *
 * Owns:    a cell an instance, with a copy of its entry.
 * Upholds: R1  a value reported as chosen outranks every vote; of votes the highest ballot wins.
 *          R2  an instance that no one reported becomes a no-op, never a guess.
 *          R3  selection is per instance: runs are cut at every boundary.
 * Proofs:  tests/unit/test_recovery.c. (Lamport, Paxos Made Simple, P2c.)
 */
#ifndef CONSENSUS_RECOVERY_H
#define CONSENSUS_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	RECOVERY_ENTRY_MAX = (BODY_MAX + 7) / 8 * 8
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

/* A new stride, all cells empty. to - from <= BLOCK, one block. */
void recovery_begin(struct recovery *r, uint64_t from, uint64_t to);

/* The records of one votes chunk. Instances outside the stride are passed over. */
void recovery_add(struct recovery *r, const uint8_t *body, uint32_t bytes);

/* The next run to propose again: its length in instances, 0 at the stride's end. *bytes is 0 for a
 * no-op run; else `body` (of body_max bytes) holds its entries, at most limit bytes of them. */
uint32_t recovery_next(struct recovery *r, uint8_t *body, uint32_t limit, uint32_t count_max,
	uint32_t *bytes);

#endif
