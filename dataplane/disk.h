/*
 * disk.h - the writes of a journal: some in flight, each durable when it and all before it are.
 *
 * Owns:    the io_uring, what is in flight. Belongs to the lcore that polls it; opening, adding
 *          segments and closing are control's.
 * Never:   waits, retries, or counts a write that did not come back whole.
 * Upholds: `durable` is a prefix: a write counts when it is complete and so are all before it.
 *          The first failure ends it: nothing becomes durable after it, nothing is written.
 *          The directory stays locked until the last write in flight has ended, also after a kill:
 *          the lock is one of the ring's registered files.
 * Proofs:  tests/unit/test_disk.c.
 */
#ifndef DATAPLANE_DISK_H
#define DATAPLANE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <liburing.h>

#include "consensus/journal.h"
#include "dataplane/directory.h"

enum {
	/* Each write of the journal, and the superblock that goes with it. */
	DISK_FLIGHTS = 2 * JOURNAL_DEPTH,
	DISK_CAUSE_MAX = 512,
};
static_assert((DISK_FLIGHTS & (DISK_FLIGHTS - 1)) == 0, "masks");

/* What a test puts between the kernel and us. */
struct disk_faults {
	void *context;
	/* The result of a write that has ended: bytes, or a negative errno. DISK_HELD: it has not
	 * ended yet as far as we know, ask again. */
	int32_t (*result)(void *context, uint64_t write, int32_t result);
};
#define DISK_HELD INT32_MIN

struct disk_flight {
	uint32_t file;    /* Which of the ring's registered files; */
	uint64_t segment; /* if it is a segment, of this number. */
	uint64_t offset;
	uint32_t bytes;
	int32_t result;
	bool ended;
};

struct disk {
	struct directory *directory;
	const struct disk_faults *faults; /* NULL outside of tests. */
	uint32_t segment_blocks;
	uint64_t segments;          /* The one behind the last that may be written to. */
	uint64_t begun;             /* Writes given to the kernel, ever. */
	uint64_t durable;           /* All before this one are complete. */
	uint64_t bytes;             /* Of the durable ones. */
	bool stopped;               /* Set once, after `cause`: release. */
	char cause[DISK_CAUSE_MAX]; /* A sentence. */
	struct disk_flight flights[DISK_FLIGHTS];
	uint8_t *maps
		[CONFIG_SEGMENTS_MAX]; /* Of segment i at i % CONFIG_SEGMENTS_MAX: a directory in memory. */
	struct io_uring ring;          /* Not in use when the directory is in memory. */
};

/* `directory` is open, and the disk's until it is closed; all writes come out of `buffers`, aligned
 * to JOURNAL_BLOCK_BYTES. `faults` NULL but in tests. False: a sentence. */
bool disk_open(struct disk *d, struct directory *directory, uint8_t *buffers, uint64_t bytes,
	const struct disk_faults *faults, char *error, size_t size);

/* Waits for what is in flight. */
void disk_close(struct disk *d);

/* Adds a segment while writes go on: a new one, or the first one, which is free. Control only. */
bool disk_add_segment(struct disk *d, const uint8_t *blank, char *error, size_t size);
bool disk_recycle_segment(struct disk *d, char *error, size_t size);

/* The first segment, which is free, is given back to the file system. Control only. */
bool disk_drop_segment(struct disk *d, char *error, size_t size);

/* Segments below this one may be written to, unless they are free. Any thread. */
static inline uint64_t disk_segments(const struct disk *d)
{
	return __atomic_load_n(&d->segments, __ATOMIC_ACQUIRE); /* Pairs with disk_add_segment. */
}

/* Writes that may be begun now. */
static inline uint32_t disk_room(const struct disk *d)
{
	return d->stopped ? 0 : DISK_FLIGHTS - (uint32_t)(d->begun - d->durable);
}

/* Begins a write of blocks; they stay as they are until it is durable. disk_room: yes. */
void disk_write(struct disk *d, uint64_t place, const uint8_t *blocks, uint32_t blocks_count);
void disk_write_superblock(struct disk *d, uint32_t slot, const uint8_t *block);

/* Takes what has ended. Returns `durable`. */
uint64_t disk_poll(struct disk *d);

static inline uint32_t disk_in_flight(const struct disk *d)
{
	return (uint32_t)(d->begun - d->durable);
}

/* Any thread; `cause` may be read if it is true. */
static inline bool disk_stopped(const struct disk *d)
{
	return __atomic_load_n(&d->stopped, __ATOMIC_ACQUIRE);
}

#endif
