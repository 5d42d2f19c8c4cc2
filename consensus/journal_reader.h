/*
 * journal_reader.h - the reading half of the journal: blocks in, valid writes out, and a judgement.
 *
 * Owns:    the payloads of the write being put together and of those that wait for a judgement.
 * Never:   does I/O, applies a record, or believes a length that it has not checked.
 * Upholds: J8  a torn tail is cut: of a write that is not whole, and of what follows it while nothing
 *              says that it was durable, nothing is told.
 *          J9  a write that was durable and is not whole any more is never taken for a torn tail
 *              while a later write says that it was durable, or one of its blocks is damaged.
 * Proofs:  tests/unit/test_journal_reader.c; tests/sim. (design: section 7.)
 *
 * The judgement. Let n be the first write that is not whole at its place. A later write that was
 * closed after n was durable proves corruption; so does a block, of n or of what was in flight with
 * it, that is neither new nor an intact old one. Else n is torn: the disk never said that it was written, so nothing in it, or in
 * the writes that were in flight with it, was acknowledged. (A disk that loses its very last writes
 * and says otherwise can not be told from that: it is outside the fault model.)
 */
#ifndef CONSENSUS_JOURNAL_READER_H
#define CONSENSUS_JOURNAL_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal.h"
#include "consensus/journal_block.h"
#include "consensus/superblock.h"

enum {
	/* Those in flight with a write that is missing, the one that proves it, and one to fill. */
	JOURNAL_SLOTS = JOURNAL_DEPTH + 2
};

/* A write as it was read. */
struct journal_found {
	uint64_t number;
	uint64_t place_after; /* The place behind its last block. */
	uint32_t life;
	uint32_t chain;
	bool follows_damage; /* A durable write between this one and the one told before is lost. */
	uint32_t bytes;      /* Of the payload. */
	_Alignas(8) uint8_t payload[JOURNAL_WRITE_PAYLOAD];
};

static inline const struct journal_write_header *journal_found_header(const struct journal_found *f)
{
	return (const struct journal_write_header *)(const void *)f->payload;
}

struct journal_reader {
	uint64_t uuid;
	uint32_t segment_blocks;

	/* The last write that was told. */
	uint64_t last;
	uint32_t chain;
	uint64_t place; /* Behind it. */

	bool suspect;   /* A block that may be of the next write is damaged. */
	bool lost;      /* The write behind the newest slot was durable, and is lost. */
	bool told_loss; /* Such a loss was found anywhere. */
	uint64_t number_max;
	uint32_t life_max;
	uint64_t writes;

	/* Slots from `first` on: `ready` to be taken, then `waiting` for a judgement, then perhaps one
	 * being filled. */
	uint32_t first, ready, waiting;
	bool filling;
	bool filling_next; /* It follows the newest ready one (or `last`). */
	uint16_t filling_blocks, filling_index;
	struct journal_found slots[JOURNAL_SLOTS];
};

/* From the superblock's anchor on. */
void journal_reader_init(struct journal_reader *r, const struct superblock *superblock);

/* The next block, of places that go up one by one from the anchor's. Then take all that is there. */
void journal_reader_block(struct journal_reader *r, uint64_t place, const uint8_t *block);

/* The next valid write, in order, or NULL. It stays until the next call for a block. */
const struct journal_found *journal_reader_take(struct journal_reader *r);

enum journal_verdict {
	JOURNAL_CLEAN,   /* Every write is whole. */
	JOURNAL_TORN,    /* What was in flight at the end is cut. */
	JOURNAL_DAMAGED, /* Durable writes are lost: votes may be missing. */
	JOURNAL_EMPTY,   /* Not one valid write: nothing is known, this node stays out. */
};

struct journal_end {
	enum journal_verdict verdict;
	bool tail_damaged; /* DAMAGED, and no valid write follows the loss. */
	uint64_t place;    /* For journal_start. */
	uint64_t number;
	uint64_t previous;
	uint32_t chain;
	uint32_t life; /* Highest seen. */
};

/* After the last block, and after the last take. */
void journal_reader_end(const struct journal_reader *r, struct journal_end *end);

#endif
