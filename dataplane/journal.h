/*
 * journal.h - the journal stage: what acceptors and leader append becomes writes, and what is durable
 * becomes messages to them.
 *
 * Owns:    the replica's directory, its disk, the write being filled and those in flight. Polled by
 *          the lcore that the configuration names; opened, extended and closed by control.
 * Never:   writes while one write is in flight, unless much has come since (group commit); goes on
 *          after a failure.
 * Upholds: MESSAGE_DURABLE is said of a record only when its write, all writes before it, and the
 *          superblock that goes with it are on the disk.
 * Proofs:  tests/unit/test_journal_stage.c; tests/scenario (restarts).
 */
#ifndef DATAPLANE_JOURNAL_H
#define DATAPLANE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal.h"
#include "consensus/journal_reader.h"
#include "consensus/replica.h"
#include "dataplane/disk.h"
#include "dataplane/lane.h"
#include "dataplane/stage.h"

enum {
	JOURNAL_BUFFERS_BYTES = JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES,
};

/* A record taken from its lane that did not fit the write. */
struct journal_lane {
	struct lane lane;
	uint32_t at, count;
	struct handoff_element taken[HANDOFF_BURST];
};

struct journal_counters {
	uint64_t writes; /* Durable. */
	uint64_t blocks; /* Of them. */
	uint64_t records;
	uint64_t superblocks;
};

struct journal_submitted {
	uint64_t number;
	uint64_t until; /* disk.durable from which on it is complete. */
	uint32_t blocks;
};

struct journal_stage {
	struct stage stage;
	struct outlet *outlet;
	uint32_t depth;
	uint32_t lanes_mask;  /* The lanes in use. */
	bool exhausted;       /* Set by control: there is no room for more segments. Relaxed. */
	bool failed;          /* The stages were told. */
	uint32_t outstanding; /* Writes in flight: read by lcores (lcore.h), relaxed. */
	uint64_t closed_ns;   /* When the last write was begun. */
	uint64_t pinned;      /* Position in the leader's lane that it was told of. */
	uint64_t extended;    /* Segments that `journal` knows of. */
	uint32_t submitted_first, submitted_count;
	struct journal_submitted submitted[JOURNAL_DEPTH];
	struct journal_counters counters;
	struct rte_mempool *pool;
	uint8_t *buffers;
	struct journal_lane lanes[JOURNAL_LANES];
	struct directory directory;
	struct disk disk;
	struct journal journal;
	uint8_t *blank; /* The block that new segments are made of. */
};

/* ---- Control: journal_open.c ---- */

/* Opens the replica's directory and checks whose it is. False: a sentence that says what to do. On
 * success s->journal.superblock is the one on the disk. */
bool journal_stage_open(struct journal_stage *s, const struct config *config, uint32_t replica,
	char *error, size_t size);

/* Reads the journal, telling `found` (or nobody) each valid write in order. */
bool journal_stage_read(struct journal_stage *s,
	void (*found)(void *context, const struct journal_found *write), void *context,
	struct journal_end *end, char *error, size_t size);

/* Raises the life counter, durably, and makes the journal ready to be written. */
bool journal_stage_start(struct journal_stage *s, const struct config *config,
	const struct journal_start *start, uint32_t life_seen, char *error, size_t size);

/* Adds a segment if few are left. Takes as long as writing one does. False: a sentence; what is
 * there can still be written. */
bool journal_stage_extend(struct journal_stage *s, char *error, size_t size);

/* After the stages stopped: what is in flight lands; an orderly end is noted. */
void journal_stage_close(struct journal_stage *s);

/* ---- The stage ---- */

uint32_t journal_poll(void *self, uint64_t now_ns);

#endif
