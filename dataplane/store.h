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
 *          ST1 the journal's anchor moves only to a snapshot that is on the disk.
 *          ST2 while each snapshot is kept before journal.snapshot_segments more segments are filled,
 *              the journal has no more than store_segments_most() segments; after a time in which
 *              they were not, the next one that is kept brings it back to that.
 * Proofs:  tests/unit/test_store.c, test_store_snapshots.c; tests/scenario (restarts).
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
	const struct journal_port *journal; /* Into the write being filled: the journal's lcore. */
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
	uint64_t segments; /* Up to where the journal knows of them. */

	/* Between control and the stage. */
	uint64_t stable; /* Control's: the instance of the snapshot on the disk. Release. */
	uint64_t freed;  /* The stage's: segments below are free. Release. */

	/* The stage's own: as far as the anchor has been moved. */
	uint64_t anchored;

	/* Control's own. */
	uint32_t snapshot_segments;
	uint32_t segments_most; /* ST2 */
	uint64_t asked;      /* In which segment the journal was when a snapshot was asked for. */
	bool snapshot_lost;  /* The journal begins behind one that is not there: one is wanted, */
	bool loss_said;      /* and the operator knows. */
	bool snapshot_ended; /* The disk failed while one was written: no more are. */
	bool snapshot_said;
	uint64_t snapshot_retry_ns;
	uint64_t snapshots_kept, snapshots_failed;
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

/* Before store_read: the snapshot's bytes, into `to`. 0: there is none that can be read. */
uint64_t store_read_snapshot(struct store *s, uint8_t *to, uint64_t room);

/* What came of it: the state below `instance` was loaded; 0: none. If the journal relies on a later
 * one, store_attend says so. */
void store_loaded(struct store *s, uint64_t instance);

/* The begin of a lane, for the stage that appends. `near`: the journal's own lcore polls it. */
struct journal_port store_port(struct store *s, uint32_t lane, bool near);

/* Some times a second: uses free segments anew, or removes them if there are too many, adds one if few are left, which takes as long as
 * writing one does, and looks whether writing has stopped. True: a sentence, said once. */
bool store_attend(struct store *s, char *sentence, size_t size);

/* Is it time for a snapshot? True once each time. */
bool store_wants_snapshot(struct store *s);

/* A snapshot of all below `instance` is to be kept. True: it is on the disk, and the journal in front
 * of it is trimmed. False: it is not; *said: a sentence, for the first time. Where the disk is full it
 * is tried again some seconds later, at the earliest. */
bool store_keep(struct store *s, uint64_t instance, const uint8_t *bytes, uint64_t length,
	uint64_t now_ns, bool *said, char *error, size_t size);

/* ST2: or those that it was formatted with, if they are more. */
uint32_t store_segments_most(const struct config *config);

/* After the stages stopped: what was appended is written, and an orderly end is noted. */
void store_close(struct store *s);

/* Bytes of DPDK's memory that a store takes. */
uint64_t store_bytes(const struct config *config);

/* ---- The stage: journal.c ---- */

uint32_t journal_poll(void *store, uint64_t now_ns);

/* struct disk_port's function. */
void journal_submit(void *store, const struct journal_write *w);

/* struct journal_port's two functions for a stage on the journal's own lcore; `lane` is a struct
 * store_lane. A record goes straight into the write being filled; over the lane only if that is full,
 * or others wait in the lane already. */
bool journal_near_room(void *lane, uint32_t bytes);
uint64_t journal_near_append(void *lane, const struct journal_record *record,
	const uint8_t *entries);

#endif
