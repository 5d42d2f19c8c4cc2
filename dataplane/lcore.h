/*
 * lcore.h - the poll loop of one lcore: its stages in turn, until told to stop.
 *
 * Owns:    the order of the stages, the clock of the turn, the idle policy.
 * Upholds: between two turns it holds nothing that RCU published (live.h).
 * Never:   sleeps under the busy policy; reads the clock more than once a turn unless it accounts.
 */
#ifndef DATAPLANE_LCORE_H
#define DATAPLANE_LCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/tunables.h"
#include "consensus/limits.h"
#include "dataplane/stage.h"

enum {
	LCORE_DISKS_MAX = MEMBER_MAX,
	/* Of an embedded cluster, all on one: its replicas' (replica_place), and the load. */
	LCORE_STAGES_MAX = MEMBER_MAX * (6 + SHARD_MAX) + 1,
};

struct lcore {
	uint32_t id; /* DPDK's. */
	uint32_t stages_count;
	struct stage *stages[LCORE_STAGES_MAX];
	enum idle_policy idle;
	/* Writes in flight of the journals of this process: while there are some, every turn ends
	 * with a yield, or now and then a nap, busy or not. Else the kernel's part of a write waits
	 * for a poller's whole time slice, 4 ms, on the CPU that took the disk's interrupt. */
	uint32_t disks_count;
	const uint32_t *disks[LCORE_DISKS_MAX];
	bool accounts; /* Cycles per stage: two more clock reads a stage and turn. */
	bool stop;     /* Set by control: relaxed, seen at the next turn. */
	bool running;
	uint64_t turns;
	uint64_t cpu_ns; /* Thread CPU time, as of the last time it was asked for. */
	uint64_t cpu_asked, cpu_answered;
	uint64_t
		allocated_bytes; /* By this thread from the heap since its loop began, as cpu_ns. */
};

void lcore_init(struct lcore *l, uint32_t id, enum idle_policy idle);
void lcore_add(struct lcore *l, struct stage *stage);

/* `outstanding` outlives the loop. Before it starts. */
void lcore_watch_disk(struct lcore *l, const uint32_t *outstanding);

/* Starts the loop on its lcore; false: DPDK has no such idle lcore. */
bool lcore_start(struct lcore *l);

/* Tells it to stop, and waits until it did. */
void lcore_stop(struct lcore *l);

/* CPU time that the lcore's thread has used: it answers at its next turn. */
uint64_t lcore_cpu_ns(struct lcore *l);

/* The clock of all turns: nanoseconds since the first call, from the TSC. */
uint64_t lcore_now_ns(void);

#endif
