/*
 * harness.h - Google Benchmark for cases in C: a table of cases, the loop in batches, the results.
 *
 * Owns:    whether any case of the process failed.
 * Never:   times anything itself: Google Benchmark does, and takes all its own flags.
 * Upholds: a case that could not show its work makes harness_run false.
 * Proofs:  bench/micro runs tiny among the tests.
 *
 * One thread calls all of this.
 */
#ifndef BENCH_MICRO_HARNESS_H
#define BENCH_MICRO_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

/* One run of one case with one argument. */
struct harness;

enum {
	HARNESS_ARGUMENTS_MAX = 8
};

struct harness_case {
	const char *name;
	const char *argument;                      /* What the arguments count: "commands". */
	uint32_t arguments[HARNESS_ARGUMENTS_MAX]; /* One benchmark each; 0 ends the list. */
	bool wall; /* Measured by the wall clock: more than this thread works. */

	/* Called for every run, unmeasured. NULL: no run; harness_fail may have said why. */
	void *(*setup)(struct harness *h);
	/* Loops while harness_batch, then compares what was done with harness_iterations. */
	void (*run)(void *state, struct harness *h);
	void (*teardown)(void *state);
};

uint32_t harness_argument(const struct harness *h);

/* True: do `iterations` more, then ask again. What happens between the first call and the one that
 * is answered false is measured. The only form: a call for each iteration would cost as much as
 * what is measured. */
bool harness_batch(struct harness *h, uint32_t iterations);

/* All that were asked for, after the last harness_batch. */
uint64_t harness_iterations(const struct harness *h);

/* After the last harness_batch: what was done in all, for items_per_second. */
void harness_items(struct harness *h, uint64_t items);

/* After the last harness_batch: a column of the report, and a key of its JSON. */
void harness_counter(struct harness *h, const char *name, double value);

/* The run counts for nothing, and harness_run answers false. The case returns soon. */
void harness_fail(struct harness *h, const char *why);

/* Takes Google Benchmark's flags out of the arguments. False: others are left, which it names. */
bool harness_init(int *argc, char **argv);

/* `c` stays valid until harness_run returns. */
void harness_add(const struct harness_case *c);

/* False: a case failed, or none was chosen. */
bool harness_run(void);

#endif
