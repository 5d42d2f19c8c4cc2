/*
 * agreement.h - do all living replicas of an embedded cluster execute the same, and answer the same?
 *
 * Upholds: it holds only while the digests over (instance, session, sequence, value, result) are
 *          equal at equal instances: at every checkpoint that all still have, and at the end.
 */
#ifndef BENCH_AGREEMENT_H
#define BENCH_AGREEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/embedded.h"

struct agreement {
	bool holds;
	uint64_t checkpoint; /* Next to be compared. */
	uint64_t compared;   /* Checkpoints found equal. */
	uint64_t delivered;  /* At the end, of the replica that is behind. */
};

void agreement_init(struct agreement *a);

/* Compares the replicas' digests at checkpoints that all have reached. Any thread, now and then. */
void agreement_compare(struct agreement *a, const struct embedded *e);

/* The lowest delivered index of the living; *same: all stand there. */
uint64_t agreement_delivered(const struct embedded *e, bool *same);

/* The stages stand still: compares their ends. */
void agreement_conclude(struct agreement *a, const struct embedded *e);

#endif
