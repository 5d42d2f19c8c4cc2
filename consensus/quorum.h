/*
 * quorum.h - which sets of members are a quorum of phase 1, and of phase 2.
 *
 * Owns:    two tables over all sets of members, filled once at load.
 * Upholds: Q1  each phase-1 quorum meets each phase-2 quorum, checked over all pairs of sets.
 *          Q2  a superset of a quorum is a quorum; the empty set is none.
 * Proofs:  contracts below, by Frama-C/WP; tests/unit/test_quorum.c.
 *
 * Sets are bitmasks of member ids. (Howard, Malkhi, Spiegelman: Flexible Paxos, section 3.)
 */
#ifndef CONSENSUS_QUORUM_H
#define CONSENSUS_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"

struct quorum {
	uint32_t members;
	uint8_t phase1[MEMBER_SETS]; /* 1: this set holds a phase-1 quorum. */
	uint8_t phase2[MEMBER_SETS];
};

enum quorum_result {
	QUORUM_OK,
	QUORUM_MEMBERS,   /* no members, or more than MEMBER_MAX */
	QUORUM_THRESHOLD, /* q1 or q2 out of 1..n, or q1 + q2 <= n */
	QUORUM_GRID,      /* rows * columns out of 1..MEMBER_MAX */
	QUORUM_SETS,      /* a set is empty or names a member that is not there, or none is given */
	QUORUM_DISJOINT,  /* some phase-1 quorum misses some phase-2 quorum */
};

/* One sentence: what is wrong and what would be right. */
const char *quorum_result_text(enum quorum_result result);

enum quorum_result quorum_init_majority(struct quorum *q, uint32_t members);

/* Any q1 members for phase 1, any q2 for phase 2; q1 + q2 > members. */
enum quorum_result quorum_init_threshold(struct quorum *q, uint32_t members, uint32_t q1,
	uint32_t q2);

/* Member row * columns + column. Phase 1: all of one row; phase 2: one of each row. */
enum quorum_result quorum_init_grid(struct quorum *q, uint32_t rows, uint32_t columns);

/* The minimal quorums of each phase, as bitmasks. */
enum quorum_result quorum_init_explicit(struct quorum *q, uint32_t members, const uint32_t *sets1,
	uint32_t count1, const uint32_t *sets2, uint32_t count2);

/* Does every phase-1 quorum share a member with every phase-2 quorum? All pairs are looked at. */
bool quorum_intersects(const struct quorum *q);

static inline bool quorum_phase1(const struct quorum *q, uint32_t members)
{
	return members < MEMBER_SETS && q->phase1[members] == 1;
}

static inline bool quorum_phase2(const struct quorum *q, uint32_t members)
{
	return members < MEMBER_SETS && q->phase2[members] == 1;
}

#endif
