/*
 * counts.h - what stages, ports and load count, taken at a phase's begin and end, and over a run.
 */
#ifndef BENCH_COUNTS_H
#define BENCH_COUNTS_H

#include "bench/load.h"
#include "bench/run.h"
#include "dataplane/embedded.h"

/* What is counted from a phase's begin to its end. */
struct counts {
	uint64_t ns;
	uint64_t done;
	uint64_t frames;
	uint64_t bytes;
	uint64_t cpu_ns;
	uint64_t busy_cycles[OUTCOME_STAGES + 1];
	uint64_t busy_turns[OUTCOME_STAGES + 1];
	uint64_t work[OUTCOME_STAGES + 1];
	uint64_t runs;
	uint64_t commands;
	uint64_t writes; /* Of the journals, durable. */
	uint64_t write_bytes;
};

/* Of the whole cluster (or of our own end of a remote one) up to now. Control only. */
struct counts counts_take(struct embedded *e, const struct load *load);

/* What happened between the two. */
void counts_conclude(struct outcome *o, const struct counts *begin, const struct counts *end);

/* The whole run's: drops by reason, retransmits, what clients saw. The stages stand still. */
void counts_gather(struct report *report, const struct embedded *e, const struct load *load);

#endif
