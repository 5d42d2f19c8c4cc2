/*
 * jobs.h - many seeds, shared out to processes, which report through memory that they share.
 *
 * A seed that makes a replica abort ends its job, and is named too.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include "tests/sim/world.h"

enum {
	JOBS_MAX = 256
};

struct totals {
	uint64_t passed;
	uint64_t failed;
	uint64_t commits;
	uint64_t reads;
	uint64_t faults;
	uint64_t crashes;     /* That were recovered from. */
	uint64_t calm_max_ns; /* The longest that progress took after the last fault. */
	/* Of the failure with the lowest seed: */
	uint64_t failed_seed;
	uint64_t failed_faults; /* Not counting those of packets. */
	char violation[ORACLE_TEXT_MAX];
	struct coverage coverage;
};

/* Seeds plan->seed, and `seeds - 1` that follow. Each job stops at its first failure. */
struct totals jobs_run(struct world *w, const struct plan *plan, uint64_t seeds, uint32_t jobs);

#endif
