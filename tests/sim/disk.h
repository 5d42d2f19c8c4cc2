/*
 * disk.h - a node's simulated disk: blocks that outlive the process, writes that take their time.
 *
 * Owns:    the journal's blocks, the two superblocks, the snapshot; the writes under way.
 * Never:   tears a block, or forgets a write that it completed, unless a fault says so.
 *
 * Writes under way complete in any order. At a crash each block of a write that is not complete is
 * new or old. A lost write is one that the disk called complete and left out; it is put back if the
 * node crashes before any later write says that it was durable: a disk that loses its very last
 * writes is outside the fault model. A snapshot takes the old one's place as a whole, when it is
 * complete or in a crash before. Free segments are used anew with what is in them, on a full disk
 * too.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal.h"
#include "tests/sim/random.h"

enum {
	DISK_SEGMENT = JOURNAL_WRITE_BLOCKS,
	DISK_BLOCKS = 192 * DISK_SEGMENT, /* At a time; places go up for ever. */
	DISK_SNAPSHOT_BYTES = 1 << 15,
};

struct disk_faults {
	uint64_t delay_min_ns;
	uint64_t delay_max_ns;
	bool fails_next; /* The next write is answered by an error. */
	bool loses_next; /* The next write is called complete, and is not. */
	bool full;       /* There is no room for more segments, */
	bool cramped;    /* nor for a snapshot. */
};

struct disk_flight {
	struct journal_write write;
	uint64_t at_ns; /* UINT64_MAX: none. */
	bool fails;
	bool loses;
};

struct disk {
	struct random *random;
	struct disk_faults faults;
	uint64_t faults_count;
	uint64_t first;   /* Places from here on are there, */
	uint64_t blocks;  /* up to here, written in full before use. */
	uint64_t written; /* Behind the last write. */
	uint64_t steps;   /* Submissions and completions, so far. */
	struct disk_flight flights[JOURNAL_DEPTH];

	/* The snapshot, and one under way. */
	uint64_t snapshot_at_ns; /* UINT64_MAX: none. */
	uint64_t snapshot_instance;
	uint32_t snapshot_length, snapshot_next_length;
	_Alignas(8) uint8_t snapshot[DISK_SNAPSHOT_BYTES];
	_Alignas(8) uint8_t snapshot_next[DISK_SNAPSHOT_BYTES];

	/* The lost write, 0: none; its first block; and the block that stands there instead. */
	uint64_t lost_number;
	uint64_t lost_place;
	uint32_t lost_blocks;
	bool lost_is_proved;
	uint8_t lost[JOURNAL_WRITE_BYTES];

	_Alignas(JOURNAL_BLOCK_BYTES) uint8_t superblocks[SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES];
	_Alignas(JOURNAL_BLOCK_BYTES) uint8_t buffers[JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES];
	_Alignas(JOURNAL_BLOCK_BYTES) uint8_t image[DISK_BLOCKS * JOURNAL_BLOCK_BYTES];
};

/* As `paxwire-ctl format` leaves it. */
void disk_format(struct disk *d, struct random *random, struct superblock *superblock);

/* One more segment, as far as there are any; or the first one anew, which is free. */
void disk_extend(struct disk *d, uint64_t uuid);
void disk_recycle(struct disk *d);

/* A snapshot is to be kept, unless one is under way or the disk has no room for it. */
void disk_keep(struct disk *d, const uint8_t *bytes, uint64_t length, uint64_t instance,
	uint64_t now_ns);

/* Is it on the disk by now? */
bool disk_kept(struct disk *d, uint64_t now_ns, uint64_t *instance);

void disk_put_superblock(struct disk *d, struct superblock *superblock);

static inline const uint8_t *disk_block(const struct disk *d, uint64_t place)
{
	return d->image + place % DISK_BLOCKS * JOURNAL_BLOCK_BYTES;
}

void disk_submit(struct disk *d, const struct journal_write *w, uint64_t now_ns);

/* When the next write under way ends, or UINT64_MAX. */
uint64_t disk_next_ns(const struct disk *d);

/* The next write that has ended by now. False: none. *failed: with an error. */
bool disk_take(struct disk *d, uint64_t now_ns, uint64_t *number, bool *failed);

/* The power fails: what is under way is torn. */
void disk_crash(struct disk *d);

/* A bit of a used block of the journal, of the superblocks or of the snapshot turns over. */
void disk_flip(struct disk *d);

/* Mutant: the block before the one under way was written again with it, and is torn too. */
void disk_tear_before(struct disk *d, uint64_t uuid);

#endif
