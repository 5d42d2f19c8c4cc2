/*
 * run.h - one measured run of an embedded cluster under the load, and what came of it.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/agreement.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/probe.h"
#include "bench/snapshots.h"
#include "config/config.h"

enum {
	OUTCOME_STAGES = 5,
	DROPS_KINDS_MAX = 32,
};

struct drop_count {
	const char *reason;
	uint64_t count;
};

struct stage_outcome {
	const char *name; /* io, leader, acceptor, learner, journal: over all replicas; or load. */
	double cycles_per_commit;
	double frames_per_turn; /* Of turns that did work. */
};

/* One phase of a run. */
struct outcome {
	double seconds;
	uint64_t commits;
	uint64_t frames; /* Sent over all ports. */
	uint64_t bytes;
	double offered; /* Commands a second; 0: closed loop. */
	double cpu_us_per_commit;
	double work_cycles_per_commit;
	double batch_mean; /* Commands in an Accept. */
	/* Of all replicas' journals. */
	uint64_t writes;
	uint64_t write_bytes; /* With what is padded. */
	struct stage_outcome stages[OUTCOME_STAGES + 1];
	struct histogram latencies;
};

/* What --pause-follower did. */
struct absence {
	int replica;        /* Which one stood still; -1: none. */
	double paused_s;    /* For so long. */
	uint64_t behind;    /* Instances that it was behind at its return, */
	bool caught_up;     /* then it came to lag_max behind, */
	uint64_t return_ns; /* which took so long, */
	uint64_t installed; /* and so many images. */
};

struct report {
	struct options options;
	const struct config *config;
	struct probe before, after;
	struct outcome saturated; /* Or the open loop's. */
	struct outcome unloaded;  /* demo: one command at a time. */
	struct histogram
		calm; /* --snapshots: of the slices without; saturated.latencies is with. */
	struct snapshots snapshots;
	uint64_t read_bytes;   /* Of all journals, at the start, one after the other, */
	double read_s;         /* and what it took. */
	double first_commit_s; /* From the start of the stages. */
	uint64_t drops;        /* Frames and messages, everywhere, for every reason: */
	uint32_t drops_kinds;
	struct drop_count drops_by[DROPS_KINDS_MAX];
	uint64_t trace_lost;      /* Steps that --trace could not keep up with. */
	uint64_t recorded;        /* Steps that --record wrote. */
	uint64_t allocated_bytes; /* By lcores while they polled: 0, or something is broken. */
	uint64_t lost, late;      /* Of the frames between replicas, as these count them. */
	uint64_t retransmits;
	uint64_t leaderships; /* Won, by any replica: 1 is the start's. */
	uint64_t faults_lost, faults_doubled, faults_late;
	uint64_t client_retries;
	uint64_t client_busy;
	uint64_t failed;            /* Commands answered otherwise than OK. */
	struct agreement agreement; /* Of a remote cluster nothing is known. */
	bool remote;                /* The replicas are processes of their own. */
	bool interrupted;
	int killed; /* The replica that --kill-leader stopped, or -1. */
	int moved;  /* That which --transfer told to hand over, or -1. */
	struct absence absence;
	/* Of whatever was done to a replica: */
	uint64_t gap_ns;     /* the longest time without a commit from then on, */
	uint64_t stall_ns;   /* and without a turn of some lcore. */
	uint32_t unanswered; /* Commands without an answer after the drain. */
};

/* Runs it all; false: a sentence in `error`. DPDK is up already. */
bool run(const struct options *options, const struct config *config, struct report *report,
	char *error, size_t size);

/* Seen by SIGINT and SIGTERM: the run ends early, with its report. */
void run_interrupt(void);
bool run_interrupted(void);

#endif
