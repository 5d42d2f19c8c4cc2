/*
 * versions.h - what the versions in a key's history say of its order, so that orders that can not be
 * right are not tried.
 *
 * Upholds: leaves out no order that model.h allows. Versions only go up, so:
 *          writes with a known version stand in the order of their versions;
 *          a version that is left has been seen by all who saw it.
 */
#ifndef TESTS_LINEAR_VERSIONS_H
#define TESTS_LINEAR_VERSIONS_H

#include "tests/linear/model.h"

enum {
	VERSIONS_NONE = UINT32_MAX,
};

struct versions {
	uint64_t *seen; /* Each version that an answer names as there, ascending. */
	uint32_t *left; /* How many of those who saw it are not in the order yet. */
	size_t seen_count;
	uint64_t *written; /* Known versions of writes, ascending. */
	size_t written_count;
	size_t written_done;
};

/* False: no memory. */
bool versions_create(struct versions *v, const struct operation *operations, size_t count);
void versions_destroy(struct versions *v);

/* The operation fits the model, which it takes from *before to *after: does it fit the versions? */
bool versions_allow(const struct versions *v, const struct operation *op,
	const struct state *before, const struct state *after);

/* It joins the order, or leaves it again. */
void versions_join(struct versions *v, const struct operation *op);
void versions_leave(struct versions *v, const struct operation *op);

#endif
