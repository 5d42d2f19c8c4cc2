/*
 * store.h - a replica's journal on its disk: the journal stage of consensus bound to lanes, a
 * directory and a disk.
 *
 * Owns:    the replica's directory, its disk, the journal stage and the lanes' ends. Polled by the
 *          lcore that the configuration names; opened, extended and closed by control.
 * Never:   has a second write in flight, unless much has come since (group commit); goes on after a
 *          failure.
 * Upholds: a write is completed only when it, all writes before it, and the superblock that goes
 *          with it are on the disk.
 * Proofs:  tests/unit/test_store.c; tests/scenario (restarts).
 */
#ifndef DATAPLANE_STORE_H
#define DATAPLANE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal_reader.h"
#include "consensus/replica_journal.h"
#include "dataplane/disk.h"
#include "dataplane/lane.h"
#include "dataplane/stage.h"

enum {
	STORE_BUFFERS_BYTES = JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES,
	STORE_MBUFS = 8191, /* Records on the lanes: what may be in flight, and what caches keep. */
};

/* The end of a lane: what was taken from it and did not fit the write. */
struct store_lane {
	struct lane lane;
	uint32_t at, count;
	struct handoff_element taken[HANDOFF_BURST];
};

struct store_flight {
	uint64_t number;
	uint64_t until; /* disk.durable from which on it is complete. */
};

struct store {
	struct stage poll;
	uint32_t depth;
	uint32_t lanes_mask;  /* The lanes in use. */
	uint32_t outstanding; /* Writes in flight: read by lcores (lcore.h), relaxed. */
	bool exhausted;       /* Set by control: there is no room for more segments. Relaxed. */
	bool said;            /* Control's: why it has stopped. */
	bool started;
	uint32_t segments; /* That the journal knows of. */
	uint32_t flights_first, flights_count;
	struct store_flight flights[JOURNAL_DEPTH];
	struct rte_mempool *pool;
	uint8_t *buffers;
	uint8_t *blank;      /* The block that new segments are made of. */
	uint64_t read_bytes; /* Of the journal, at the start, */
	uint64_t read_ns;    /* and what reading it back into the stages took. */
	struct superblock superblock;
	enum superblock_result superblock_result;
	struct store_lane lanes[JOURNAL_LANES];
	struct directory directory;
	struct disk disk;
	struct journal_stage stage;
};

/* ---- Control: store.c ---- */

/* Opens the replica's directory and checks whose it is. False: a sentence that says what to do. */
bool store_open(struct store *s, const struct config *config, uint32_t replica, char *error,
	size_t size);

/* Reads the journal, telling `found` each valid write in order. */
bool store_read(struct store *s, void (*found)(void *context, const struct journal_found *write),
	void *context, struct journal_end *end, char *error, size_t size);

/* Begins a life: makes its superblock durable, and everything ready to be written. */
bool store_start(struct store *s, const struct config *config,
	const struct replica_settings *settings, struct outlet *outlet,
	const struct superblock *life, const struct journal_start *start, char *error, size_t size);

/* The begin of a lane, for the stage that appends. */
struct journal_port store_port(struct store *s, uint32_t lane);

/* Some times a second: adds a segment if few are left, which takes as long as writing one does, and
 * looks whether writing has stopped. True: a sentence, said once. */
bool store_attend(struct store *s, char *sentence, size_t size);

/* After the stages stopped: what was appended is written, and an orderly end is noted. */
void store_close(struct store *s);

/* Bytes of DPDK's memory that a store takes. */
uint64_t store_bytes(const struct config *config);

/* ---- The stage: journal.c ---- */

uint32_t journal_poll(void *store, uint64_t now_ns);

/* struct disk_port's function. */
void journal_submit(void *store, const struct journal_write *w);

#endif
