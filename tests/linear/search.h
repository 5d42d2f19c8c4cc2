/*
 * search.h - is a history of one key linearizable? (Wing and Gong, JPDC 1993; with the memory of
 * visited configurations of Lowe, Concurrency and Computation 2017.)
 *
 * Upholds: true only if some order of the operations, within their times, explains every answer; an
 *          `info` operation stands in it once or not at all.
 * Proofs:  tests/linear/test_linear.c.
 */
#ifndef TESTS_LINEAR_SEARCH_H
#define TESTS_LINEAR_SEARCH_H

#include "tests/linear/history.h"

enum verdict {
	VERDICT_LINEARIZABLE,
	VERDICT_NOT,
	VERDICT_UNDECIDED, /* Too many configurations, or no memory. */
};

struct judgement {
	enum verdict verdict;
	uint64_t configurations;
	const struct operation
		*stuck; /* NOT: in the order that went furthest, this found no place. */
};

/* The operations of one key, in any order; it sorts them. */
struct judgement search_key(struct operation *operations, size_t count);

#endif
