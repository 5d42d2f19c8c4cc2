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

#include "tests/sim/coverage.h"
#include "tests/sim/customer.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/power.h"
#include "tests/sim/random.h"
#include "tests/sim/swarm.h"
#include "tests/sim/trace.h"

enum {
	WORLD_MEMBERS_MAX = 5,
	WORLD_COMMITS = 300, /* Acknowledged commands of a seed, at least. */
	WORLD_NOBODY = 0xffff,
};

#define WORLD_US 1000ull
#define WORLD_MS 1000000ull

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

/* What makes a run: the same plan is the same run, to the last bit. */
struct plan {
	uint64_t seed;
	uint64_t commits; /* Commands to acknowledge; a long run's are LONG_TIMES as many. */
	uint64_t faults;  /* At most so many; those of packets do not count. */
	uint32_t without; /* Kinds of faults left out: bitmask of enum fault. */
	uint32_t with;    /* Kinds that are on, whatever is drawn. */
	uint32_t members; /* 0: drawn. */
	bool slow_leader; /* No fault but that who leads first becomes slow. */
	enum mutant mutant;
};

/* The last run of a ballot: P5 says where the next one begins. */
struct proposals {
	uint64_t ballot;
	uint64_t end;
};

struct world {
	struct plan plan;
	uint64_t now_ns;
	struct random random;  /* Who is when and how: all but the faults. */
	struct random chance;  /* The faults': what is left out changes little else. */
	struct random weather; /* The network's. */
	struct swarm swarm;
	struct network network;
	struct trace trace;
	struct record_file *record; /* Not NULL: every run is recorded there. Outlives a run. */
	struct oracle oracle;
	struct quorum quorum;
	uint32_t members;
	bool durable;          /* Mode sync: crashed members come back. */
	uint32_t sessions_max; /* Of a replica's table. */
	uint64_t commits;      /* To acknowledge. */
	uint64_t faults;
	uint64_t broken;   /* Frames that arrived damaged, or were of another cluster. */
	uint32_t killed;   /* Bitmask. */
	uint32_t outcasts; /* Of the killed, who came back without memory: nobody may hear them. */
	uint16_t isolated; /* Member that no other hears or is heard by, until then. */
	uint64_t isolated_until_ns;
	bool calm; /* No more faults: everything must finish. */
	uint64_t calm_since_ns;
	uint64_t faulty_until_ns;
	uint32_t slowed; /* Who leads and is made slow; WORLD_NOBODY: nobody yet. */
	uint64_t slowed_ns;
	uint64_t fault_next_ns;
	uint64_t turn_next_ns[WORLD_MEMBERS_MAX];
	uint64_t promised[WORLD_MEMBERS_MAX][SIM_SHARDS_MAX];
	uint64_t evicted[WORLD_MEMBERS_MAX];
	uint64_t led[WORLD_MEMBERS_MAX]; /* Highest ballot whose no-op was chosen. */
	struct proposals proposals[WORLD_MEMBERS_MAX];
	uint64_t terms; /* Leaderships won so far. */
	uint64_t block; /* That some node's delivered index reached. */
	struct node nodes[WORLD_MEMBERS_MAX];
	struct customer customer;
	struct power power;
	struct coverage coverage; /* Of all runs. */
};

struct world_result {
	bool passed;
	uint64_t commits;
	uint64_t reads;
	uint64_t faults;
	uint64_t crashes;
	uint64_t virtual_ns;
	uint64_t calm_ns; /* From the last fault to the end. */
};

/* Runs the plan to its end or its first violation, which oracle.violation then names. */
struct world_result world_run(struct world *w, const struct plan *plan);

/* The same in steps, for those who choose the faults themselves. */
void world_start(struct world *w, const struct plan *plan);
void world_step(struct world *w);

/* No more faults. */
void world_calm(struct world *w);

/* A member that leads; WORLD_NOBODY: none does. */
uint16_t world_leader(const struct world *w);

/* Is it alive, the member that it always was, and able to catch up? */
static inline bool world_counts(const struct world *w, uint32_t id)
{
	return w->nodes[id].alive && (w->outcasts >> id & 1) == 0;
}

#endif
