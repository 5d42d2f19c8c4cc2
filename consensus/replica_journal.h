/*
 * replica_journal.h - the journal stage: what the other stages append goes to the disk in as few
 * writes as the disk's pace allows, and they hear what is durable.
 *
 * Owns:    the journal.
 * Never:   does I/O: it submits blocks through the disk's port, and is told how that went.
 * Upholds: group commit: what is appended while a write is under way goes with the next one.
 *          J10 after one failed write nothing is written and nothing is called durable any more.
 * Proofs:  tests/unit/test_replica_journal.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_JOURNAL_H
#define CONSENSUS_REPLICA_JOURNAL_H

#include "consensus/journal.h"
#include "consensus/replica.h"

enum {
	JOURNAL_LAZY_NS = 1000000 /* Notes of what was delivered wait so long for company. */
};

struct disk_port {
	void *context;
	/* w's blocks, and its superblock, to their places. They stay until journal_stage_on_completed
	 * (all of them are on the disk), or for ever. */
	void (*submit)(void *context, const struct journal_write *w);
};

struct journal_counters {
	uint64_t records;
	uint64_t writes;
	uint64_t blocks;
	uint64_t superblocks;
};

/* A stage's way in. The data plane may put a ring between: then the ring's end calls it. */
struct journal_lane {
	struct journal_stage *stage;
	uint32_t lane;
	struct journal_port port;
};

struct journal_stage {
	const struct replica_settings *settings;
	struct outlet *outlet;
	struct disk_port disk;
	bool failed;
	uint64_t lazy_ns; /* Since when notes wait; 0: none. */
	uint64_t told[JOURNAL_LANES];
	uint64_t told_delivered;
	struct journal_lane lanes[JOURNAL_LANES];
	struct journal_counters counters;
	struct journal journal;
};

/* As journal_init. */
void journal_stage_init(struct journal_stage *s, const struct replica_settings *settings,
	struct outlet *outlet, const struct disk_port *disk, const struct superblock *superblock,
	const struct journal_start *start, uint64_t place_end, uint8_t *buffers);

/* For stages that share this stage's lcore. */
static inline const struct journal_port *journal_stage_port(const struct journal_stage *s,
	uint32_t lane)
{
	return &s->lanes[lane].port;
}

/* End of a turn: what waits goes to the disk, as far as it takes more. */
void journal_stage_flush(struct journal_stage *s, uint64_t now_ns);

void journal_stage_on_completed(struct journal_stage *s, uint64_t number);

/* A write or a sync failed: for good. */
void journal_stage_on_failed(struct journal_stage *s);

#endif
