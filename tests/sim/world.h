/*
 * world.h - one seed's run: replicas, clients, network and faults on one virtual clock.
 *
 * Owns:    everything of the run; made again from the seed alone.
 * Never:   reads a real clock or any chance but the seed's.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/customer.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/power.h"
#include "tests/sim/random.h"
#include "tests/sim/trace.h"

enum {
	WORLD_MEMBERS_MAX = 5,
	WORLD_COMMITS = 300, /* Acknowledged commands of a seed, at least. */
};

/* A rule broken on purpose: the checks must see it. */
enum mutant {
	MUTANT_NONE,
	MUTANT_FORGETFUL,    /* A replica's acceptors forget their promises and votes at a pause. */
	MUTANT_SWAP,         /* A replica executes two commands of a batch in the wrong order. */
	MUTANT_ONE_VOTE,     /* One vote is taken for a quorum. */
	MUTANT_STALE_READ,   /* A leader reads without a round, */
	MUTANT_NO_PROBE,     /* any member does, */
	MUTANT_OWN_REPORT,   /* or asks itself only, */
	MUTANT_REUSED_ROUND, /* or lets a round serve what arrived after it began. */
	MUTANT_NO_HANDOVER,  /* A slow leader leads on. */
	MUTANT_DISK,         /* enum disk_mutant, from here on. */
};

struct world {
	bool slow_leader; /* The run's only fault; set before it begins. */
	uint32_t slowed;  /* Who is slow then; WORLD_MEMBERS_MAX: nobody yet. */
	uint64_t slowed_ns;
	uint64_t seed;
	enum mutant mutant;
	uint64_t now_ns;
	struct random random;
	struct network network;
	struct trace trace;
	struct oracle oracle;
	struct quorum quorum;
	uint32_t members;
	bool durable; /* Mode sync: crashed members come back. */
	uint32_t faults;
	uint32_t killed;   /* Bitmask. */
	uint16_t isolated; /* Member that no other hears or is heard by, until then. */
	uint64_t isolated_until_ns;
	bool calm; /* No more faults: everything must finish. */
	uint64_t calm_since_ns;
	uint64_t fault_next_ns;
	uint64_t turn_next_ns[WORLD_MEMBERS_MAX];
	uint64_t promised[WORLD_MEMBERS_MAX][SIM_SHARDS_MAX];
	struct node nodes[WORLD_MEMBERS_MAX];
	struct customer customer;
	struct power power;
};

struct world_result {
	bool passed;
	uint64_t commits;
	uint64_t reads;
	uint64_t faults;
	uint64_t crashes;
	uint64_t virtual_ns;
};

/* Runs the seed to its end or its first violation, which oracle.violation then names. */
struct world_result world_run(struct world *w, uint64_t seed, enum mutant mutant);

#endif
