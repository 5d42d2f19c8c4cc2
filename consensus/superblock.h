/*
 * superblock.h - what a journal is: its format, whose it is, how often it was started.
 *
 * Owns:    the layout of two blocks, JOURNAL_BLOCK_BYTES each, that are written in turn: block
 *          `sequence % 2`. The newest valid one counts.
 * Never:   is written while the other one's write is in flight.
 * Upholds: J3  `life` is raised and durable before the first frame of a start leaves.
 *          J4  an explicit promise stands here too, so that one damaged write can not lose it.
 *          J12 every pin stands here before the write with its record is trimmed.
 * Proofs:  tests/unit/test_superblock.c.
 *
 * A format writes, in this order and each durable before the next: the segments (journal_block_blank),
 * the journal's first write (journal_format), both superblocks. So a valid superblock says that
 * there is a valid write: a journal without one was lost, and is not a fresh one.
 */
#ifndef CONSENSUS_SUPERBLOCK_H
#define CONSENSUS_SUPERBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/journal_block.h"
#include "consensus/limits.h"

enum {
	SUPERBLOCK_SLOTS = 2,
	SUPERBLOCK_BYTES = 208
};

#define SUPERBLOCK_MAGIC (0x53575850u + ((unsigned)JOURNAL_VERSION << 24)) /* "PXWS" + version */

struct superblock {
	uint32_t crc; /* crc32c of the other 4092 bytes. */
	uint32_t magic;
	uint64_t sequence; /* Slot: sequence % SUPERBLOCK_SLOTS. */
	uint64_t uuid;
	uint64_t config_hash; /* Of what all members must have alike. */
	uint32_t cluster;
	uint32_t node;
	uint32_t shards;
	uint32_t block;          /* BLOCK: instances. */
	uint32_t block_bytes;    /* JOURNAL_BLOCK_BYTES */
	uint32_t segment_blocks; /* Of each segment. */
	uint32_t life;           /* Of the last start; 0: none yet. */
	uint32_t mode;           /* enum durability of the last start. */
	uint32_t clean;          /* 1: the last life ended in order, all its records durable. */
	uint32_t reserved;
	uint64_t promised[SHARD_MAX];
	/* Where reading begins: the write at `place` follows write `number` with `chain`, and the state
	 * below instance `applied` stands in the snapshot. All 0: the whole journal. */
	uint64_t anchor_place;
	uint64_t anchor_number;
	uint64_t anchor_applied;
	uint32_t anchor_chain;
	uint32_t reserved2;
	/* The uuid that each member is known by, 0: none yet; the own one, once all were exchanged. Their
	 * records may stand in front of the anchor. */
	uint64_t pins[MEMBER_MAX];
};
static_assert(sizeof(struct superblock) == SUPERBLOCK_BYTES, "disk");
static_assert(offsetof(struct superblock, life) == 56, "disk");
static_assert(offsetof(struct superblock, promised) == 72, "disk");
static_assert(offsetof(struct superblock, anchor_place) == 104, "disk");
static_assert(offsetof(struct superblock, pins) == 136, "disk");

/* Writes `s` with the next sequence as a block of JOURNAL_BLOCK_BYTES; s->sequence goes up. The
 * block belongs at slot s->sequence % SUPERBLOCK_SLOTS. */
void superblock_seal(struct superblock *s, uint8_t *block);

enum superblock_result {
	SUPERBLOCK_OK,
	SUPERBLOCK_NONE, /* Neither block is one: an empty or foreign directory. Not ours to format. */
	SUPERBLOCK_VERSION,  /* Of another version of the format. */
	SUPERBLOCK_ONE_LOST, /* OK, but one block is damaged: what it said last may be missing. */
};

/* Is it the journal of this member? `wanted`: what the configuration says. NULL: it is; else one
 * sentence for the operator. */
const char *superblock_mismatch(const struct superblock *s, const struct superblock *wanted);

/* The newest of the two blocks (SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES). */
enum superblock_result superblock_read(const uint8_t *blocks, struct superblock *s);

#endif
