/*
 * survival.h - what a run was told before it was killed must be there when it is started again.
 *
 * Never:   asks the replicas that were killed: what is compared was written down before.
 */
#ifndef BENCH_SURVIVAL_H
#define BENCH_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/embedded.h"

/* Writes to `path` up to where some replica has delivered (so all that was acknowledged lies below),
 * and the digest at a checkpoint before that; then kills the process, as kill -9 does. Comes back
 * only if the file can not be written: false, and a sentence. */
bool survival_end(const struct embedded *e, const char *path, char *error, size_t size);

/* Is all of it there? Looks until every replica has come so far. False: a sentence. */
bool survival_check(const struct embedded *e, const char *path, char *error, size_t size);

#endif
