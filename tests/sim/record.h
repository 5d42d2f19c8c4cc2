/*
 * record.h - a run's trace in a file, for the checker of consensus/proof.
 *
 * Owns:    the steps that are not written yet.
 */
#ifndef TESTS_SIM_RECORD_H
#define TESTS_SIM_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "consensus/trace_file.h"
#include "consensus/transition.h"

enum {
	RECORD_STEPS = 4096
};

struct record_file {
	FILE *out;
	uint64_t steps; /* In all. */
	uint32_t count;
	struct trace_file_step waiting[RECORD_STEPS];
};

/* `path` "-": standard output. False: errno says why. */
bool record_open(struct record_file *r, const char *path);

void record_header(struct record_file *r, const struct trace_file_header *h);

void record_step(struct record_file *r, uint64_t at_ns, uint32_t member, uint32_t stage,
	const struct transition *t);

/* False: not all of it could be written. */
bool record_close(struct record_file *r);

#endif
