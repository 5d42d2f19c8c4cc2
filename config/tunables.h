/*
 * tunables.h - what may change while a replica runs: how much it batches, how many instances are in
 * flight, how it waits, and its timers.
 *
 * Owns:    the table of tunables with their ranges and defaults.
 * Never:   says anything that must be equal among replicas; config_hash does not cover it.
 * Upholds: a struct tunables that went through tunables_set or config_load satisfies every range
 *          and every rule between two of them (tunables_check).
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_TUNABLES_H
#define CONFIG_TUNABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/field.h"

enum idle_policy {
	IDLE_BUSY,  /* Poll again at once: the lowest latency, a whole CPU. */
	IDLE_YIELD, /* sched_yield between polls, now and then a nap: for more lcores than CPUs. */
	IDLE_ADAPTIVE, /* Poll, then yield, then sleep up to the next timer. */
};

enum tunable {
	TUNABLE_BATCH,
	TUNABLE_LINGER_US,
	TUNABLE_WINDOW,
	TUNABLE_IDLE,
	TUNABLE_PACKING,
	TUNABLE_HEARTBEAT_US,
	TUNABLE_ELECTION_TIMEOUT_MS,
	TUNABLE_PROGRESS_TIMEOUT_MS,
	TUNABLE_RETRANSMIT_US,
	TUNABLE_COMMIT_IDLE_US,
	TUNABLE_LAG_MAX,
	TUNABLE_LAG_TIMEOUT_MS,
	TUNABLE_HANDOVER_MS,
	TUNABLE_COUNT
};

struct tunables {
	uint32_t batch;               /* Commands in a frame at most; 0: what fits the MTU. */
	uint32_t linger_us;           /* How long a frame that is not full waits for more. */
	uint32_t window;              /* Instances in flight at most. */
	enum idle_policy idle;        /* What an lcore does when it found no work. */
	bool packing;                 /* One frame may carry what several client frames brought. */
	uint32_t heartbeat_us;        /* Leader to followers. */
	uint32_t election_timeout_ms; /* Without a leader for so long: stand for election. */
	uint32_t progress_timeout_ms; /* Leading without anything chosen for so long: step down. */
	uint32_t retransmit_us;       /* Without a vote for so long: send the run again. */
	uint32_t commit_idle_us; /* Nothing sent for so long: send the commit watermark alone. */
	uint32_t lag_max;        /* Instances a live follower may be behind before `busy`. */
	uint32_t lag_timeout_ms; /* A follower without progress for so long is not live. */
	uint32_t handover_ms;    /* A leader that commits slower than this hands over; 0: never. */
};

/* The table, TUNABLE_COUNT rows in the order of enum tunable. */
const struct field *tunables_fields(void);

void tunables_preset(struct tunables *t);

/* The rules between two tunables, and between one and the number of shards. `parent` is the key
 * path in front of the tunables' names. False: a complaint was made. */
bool tunables_check(const struct tunables *t, uint32_t shards, const char *parent,
	struct complaint *c);

/* Sets one tunable by name, as paxwire-ctl does. False: `t` is as before and `error` is one
 * sentence that says why and what would be right. */
bool tunables_set(struct tunables *t, uint32_t shards, const char *name, const char *value,
	char *error, size_t size);

#endif
