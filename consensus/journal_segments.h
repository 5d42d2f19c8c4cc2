/*
 * journal_segments.h - which segments a journal still needs: of each, what stands before it, and how
 * far the runs in it reach.
 *
 * Owns:    a table of the segments from the anchor's to the last one with a write.
 * Never:   does I/O, or says that a segment is free: that its superblocks say so too (journal.h).
 * Upholds: J15 no segment before the anchor's holds a vote or a chosen run at or above the block of the
 *              snapshot's instance.
 * Proofs:  tests/unit/test_journal_segments.c; tests/sim.
 */
#ifndef CONSENSUS_JOURNAL_SEGMENTS_H
#define CONSENSUS_JOURNAL_SEGMENTS_H

#include <stdint.h>

#include "consensus/superblock.h"

enum {
	JOURNAL_SEGMENTS_MAX = 1024 /* Between the anchor's and the last one, both counted. */
};

struct journal_segment {
	uint64_t number; /* Of the write before its first one, */
	uint64_t end;    /* One past the highest instance of its runs; 0: none. */
	uint32_t chain;  /* and that write's chain. */
};

struct journal_segments {
	uint32_t blocks; /* Of a segment. */
	uint32_t chain;  /* Of the last write, */
	uint64_t number; /* and its number. */
	uint64_t first;  /* The anchor's segment. */
	uint64_t last;   /* The last write's. */
	struct journal_segment
		of[JOURNAL_SEGMENTS_MAX]; /* Segment i at i % JOURNAL_SEGMENTS_MAX. */
};

/* As the superblock's anchor says; no write yet. */
void journal_segments_init(struct journal_segments *s, const struct superblock *superblock);

/* The next write: a place in it, and one past the highest instance of its runs (0: it has none). */
void journal_segments_add(struct journal_segments *s, uint64_t place, uint64_t number,
	uint32_t chain, uint64_t end);

/* The first segment, up to `limit`, that holds a run at or above `instance`; `limit`, if none does. */
uint64_t journal_segments_needed(const struct journal_segments *s, uint64_t instance,
	uint64_t limit);

/* The anchor moves to the start of this segment: the superblock says so from now on. */
void journal_segments_anchor(struct journal_segments *s, uint64_t segment,
	struct superblock *superblock);

#endif
