/*
 * journal.h - the writing half of the journal: records into writes, writes into the disk's queue,
 * and what is durable by now.
 *
 * Owns:    the write being filled, the writes in flight, positions. The journal stage owns the
 *          struct; what other stages append reaches it through struct journal_port.
 * Never:   does I/O: the caller writes blocks and tells when they are on the disk.
 * Upholds: J5  durable is the contiguous prefix of completed writes.
 *          J6  a write never straddles a segment, and starts behind the one before.
 *          J7  a promise is durable only when the superblock has it too.
 *          J11 the write that tells for the first time that votes may be lost is one block, and alone
 *              until it is durable: what told us so is overwritten whole, or still there.
 *          J13 a segment is free only when both superblocks' anchors stand behind it: either may be
 *              the only one that can be read.
 *          J14 behind the anchor stands a durable write: a journal with none has lost all.
 * Proofs:  tests/unit/test_journal.c.
 *
 * The caller's loop:
 *   journal_append ... ; while (journal_close(j, &w)) submit w.bytes (w.blocks blocks) at w.place,
 *   and w.superblock, if not NULL, at superblock slot w.superblock_slot; when all of them are on
 *   the disk: journal_completed(j, w.number). When any of them fails: never again; the stages hear
 *   MESSAGE_DISK_FAILED. A write's buffer is its own until journal_completed.
 */
#ifndef CONSENSUS_JOURNAL_H
#define CONSENSUS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal_block.h"
#include "consensus/journal_segments.h"
#include "consensus/superblock.h"

enum {
	/* Who appends: the acceptor shards, then the leader stage (pins). Each has its own positions. */
	JOURNAL_LANE_LEADER = SHARD_MAX,
	JOURNAL_LANES,

	JOURNAL_BUFFERS = JOURNAL_DEPTH + 1, /* In flight, and the one being filled. */
	/* A write's blocks, then one for the superblock that may go with it. */
	JOURNAL_BUFFER_BYTES = JOURNAL_WRITE_BYTES + JOURNAL_BLOCK_BYTES,
};

/* How a stage hands its records to the journal; in the style of struct outlet. */
struct journal_port {
	void *context;
	/* Does a record with `bytes` of entries surely fit now? */
	bool (*room)(void *context, uint32_t bytes);
	/* room() said yes. Copies the record and its entries before it returns. Returns its position in
	 * this lane: 1, 2, ... When all up to there is durable the stage hears MESSAGE_DURABLE. */
	uint64_t (*append)(void *context, const struct journal_record *record,
		const uint8_t *entries);
};

/* What to submit. */
struct journal_write {
	uint64_t number;
	uint64_t place;            /* Of its first block. */
	uint32_t blocks;           /* At place, place + 1, ...: one segment. */
	uint32_t superblock_slot;  /* With superblock. */
	const uint8_t *bytes;      /* Aligned as the buffers are. */
	const uint8_t *superblock; /* One block that must be written too; NULL: none. */
};

/* What is durable, as the stages are told of it: MESSAGE_DURABLE to lane l carries
 * first = positions[l] and watermark = delivered. */
struct journal_durable {
	uint64_t number;
	uint64_t positions[JOURNAL_LANES];
	uint64_t delivered; /* Every shard's record says so: a restart comes to there again. */
};

/* One write that was closed and is not durable yet. */
struct journal_flight {
	uint64_t number;
	bool completed;
	bool superblock; /* One goes with it, to this slot, with its anchor at this segment. */
	uint32_t slot;
	uint64_t anchor;
	uint64_t segment; /* In which it stands. */
	uint32_t buffer;
	uint64_t positions[JOURNAL_LANES];
	uint64_t delivered[SHARD_MAX];
};

struct journal {
	struct superblock superblock; /* As last sealed. */
	uint64_t place;     /* Where the next write goes, if the segment's rest holds it. */
	uint64_t place_end; /* Blocks from here on are not there yet. */
	uint64_t previous;  /* Number of the last write closed, */
	uint64_t number;    /* and of the one being filled. */
	uint32_t chain;     /* Of the last write closed. */
	uint64_t blind;     /* As in the write header. */
	bool untold;        /* No durable write of this life says `blind` yet. */
	uint64_t promised[SHARD_MAX];
	uint64_t positions[JOURNAL_LANES]; /* Appended. */
	uint64_t delivered[SHARD_MAX];     /* Appended. */
	struct journal_durable durable;

	/* What is trimmed. */
	struct journal_segments segments;
	uint64_t segment;                   /* Of the last durable write. */
	uint64_t anchors[SUPERBLOCK_SLOTS]; /* Segments, as the superblocks on the disk say. */
	uint32_t superblocks_due; /* So many of the next ones are written for the anchor's sake. */

	/* The write being filled. */
	uint8_t *buffers;
	uint32_t buffer; /* The lowest that was free: the fewer are in use, the warmer they are. */
	uint32_t buffers_used; /* As a mask: by what is in flight, and by this write. */
	uint32_t payload;      /* Bytes of it so far, with the header's. */
	uint32_t records;
	uint32_t record_chain;
	uint64_t end;  /* One past the highest instance of its runs. */
	bool urgent;   /* It holds what somebody waits for. */
	bool promises; /* It holds a promise: the superblock goes with it. */

	uint32_t flights_first, flights_count;
	struct journal_flight flights[JOURNAL_DEPTH];
};

/* Where a journal goes on: from journal_reader_end, or as journal_format left it. */
struct journal_start {
	uint64_t place;    /* Of the next write. */
	uint64_t number;   /* Of the next write: above any ever seen. */
	uint64_t previous; /* The last valid write, */
	uint32_t chain;    /* and its chain. */
	uint64_t blind;
	uint64_t delivered; /* What the replay delivered. */
	uint64_t promised[SHARD_MAX];
	const struct journal_segments
		*segments; /* Copied. NULL: there is only the format's write. */
};

/* `buffers`: JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES, aligned to JOURNAL_BLOCK_BYTES. `superblock`:
 * this life's, already durable. place_end: as many blocks are pre-written. The first write of a life
 * is due at once (it holds no record but marks where the life begins). */
void journal_init(struct journal *j, const struct superblock *superblock,
	const struct journal_start *start, uint64_t place_end, uint8_t *buffers);

/* The first write of a fresh journal, which the format puts at place 0: fills `block`
 * (JOURNAL_BLOCK_BYTES). */
void journal_format(const struct superblock *superblock, uint8_t *block);

/* A snapshot of all below `applied` is on the disk, and stays: what the journal says of that is not
 * needed. The superblocks say so with the next writes. */
void journal_anchor(struct journal *j, uint64_t applied);

/* Segments below this one are not read again by any start, and may be used anew. */
uint64_t journal_free(const struct journal *j);

/* Segments up to `place_end` are pre-written now: with blank blocks, or with old writes of this
 * journal. */
void journal_extend(struct journal *j, uint64_t place_end);

/* Does a record with `bytes` of entries fit the write being filled? */
bool journal_room(const struct journal *j, uint32_t bytes);

/* room: yes. Returns the record's position in the lane. The chain is set here. */
uint64_t journal_append(struct journal *j, uint32_t lane, const struct journal_record *record,
	const uint8_t *entries);

/* Is there something to write that somebody waits for? Or (lazy) anything at all: notes of what was
 * delivered wait for a write that is due anyway, and go alone after some milliseconds. */
static inline bool journal_urgent(const struct journal *j)
{
	return j->urgent;
}

static inline bool journal_lazy(const struct journal *j)
{
	return j->records > 0;
}

/* Closes the write being filled and begins another. False: nothing to write, JOURNAL_DEPTH writes
 * are in flight (or one superblock), or no pre-written blocks are left. */
bool journal_close(struct journal *j, struct journal_write *out);

/* All blocks of this write, and its superblock, are on the disk. True: j->durable went up. */
bool journal_completed(struct journal *j, uint64_t number);

#endif
