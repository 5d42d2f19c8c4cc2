/*
 * disk.h - the writes of a journal: some in flight, each durable when it and all before it are.
 *
 * Owns:    the buffers that are being filled and written, the io_uring. Belongs to the lcore that
 *          polls it; opening, adding segments and closing are control's.
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

#include "dataplane/directory.h"

enum {
	DISK_WRITE_BYTES_MAX = 1 << 18, /* One write, one buffer. */
	DISK_CAUSE_MAX = 512,
};

/* Where a write begins. */
struct disk_place {
	uint32_t segment;
	uint32_t block; /* In the segment. */
};

/* What a test puts between the kernel and us. */
struct disk_faults {
	void *context;
	/* The result of a write that has ended: bytes, or a negative errno. DISK_HELD: it has not
	 * ended yet as far as we know, ask again. */
	int32_t (*result)(void *context, uint64_t write, int32_t result);
};
#define DISK_HELD INT32_MIN

struct disk_write {
	struct disk_place place;
	uint32_t bytes;
	int32_t result;
	bool ended;
};

struct disk {
	struct directory *directory;
	const struct disk_faults *faults; /* NULL outside of tests. */
	uint32_t depth;                   /* Writes in flight at most, a power of two. */
	uint32_t segments;                /* That may be written to: 0 to segments - 1. */
	uint64_t begun;                   /* Writes given to the kernel, ever. */
	uint64_t durable;                 /* All before this one are complete. */
	uint64_t bytes;                   /* Of the durable ones. */
	bool stopped;                     /* Set once, after `cause`: release. */
	char cause[DISK_CAUSE_MAX];       /* A sentence. */
	uint8_t *buffers;                 /* depth * DISK_WRITE_BYTES_MAX */
	struct disk_write writes[CONFIG_DEPTH_MAX];
	struct io_uring ring; /* Not in use when the directory is in memory. */
};

/* `directory` is open and outlives the disk. `faults` NULL but in tests. False: a sentence. */
bool disk_open(struct disk *d, struct directory *directory, uint32_t depth,
	const struct disk_faults *faults, char *error, size_t size);

/* Waits for what is in flight. */
void disk_close(struct disk *d);

/* Adds a segment while writes go on. Control only. */
bool disk_add_segment(struct disk *d, char *error, size_t size);

/* How many segments may be written to. Any thread. */
static inline uint32_t disk_segments(const struct disk *d)
{
	return __atomic_load_n(&d->segments, __ATOMIC_ACQUIRE); /* Pairs with disk_add_segment. */
}

/* The buffer of the next write, DISK_WRITE_BYTES_MAX bytes at a DISK_BLOCK boundary, with what was
 * last in it. NULL: `depth` are in flight, or it has stopped. */
uint8_t *disk_begin(struct disk *d);

/* Writes the first `blocks` of disk_begin's buffer. */
void disk_write(struct disk *d, struct disk_place place, uint32_t blocks);

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
