/*
 * model.h - one key of a key-value store with versions, as a sequential object.
 *
 * Upholds: a version is higher than each before it.
 */
#ifndef TESTS_LINEAR_MODEL_H
#define TESTS_LINEAR_MODEL_H

#include "tests/linear/history.h"

struct state {
	uint64_t value;
	uint64_t version; /* 0: not known: who wrote it was never answered. */
	uint64_t floor;   /* Versions up to here are used. */
	bool present;
};

/* May the operation run now, with the answer it got? Then *s is the state after it. An `info` one
 * runs with effect: without, it need not run. */
bool model_step(struct state *s, const struct operation *op);

#endif
