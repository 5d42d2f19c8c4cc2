/*
 * learner.h - what is known chosen, and the order in which it is delivered.
 *
 * Owns:    the runs that its node's acceptors hold and that are not delivered yet.
 * Never:   takes a run for chosen that was voted for at another ballot than the watermark's.
 * Upholds: D1  a run is delivered only if a record says it is chosen, or if it was voted for here
 *              at ballot b and lies below b's watermark.
 *          D2  delivery is in instance order, without a hole and without repetition.
 *          D3  a watermark of a lower ballot than one seen before is not heard.
 * Proofs:  tests/unit/test_learner.c.
 */
#ifndef CONSENSUS_LEARNER_H
#define CONSENSUS_LEARNER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	LEARNER_SLOTS = VOTES_MAX
}; /* By a run's first instance. */

struct learner_run {
	uint64_t first;
	uint64_t ballot;
	void *frame;         /* What keeps `body` alive; NULL: not retained, body is not here. */
	const uint8_t *body; /* Entries; NULL with bytes > 0: in the log only. */
	uint16_t count;      /* 0: an empty slot. */
	uint16_t bytes;
	bool chosen;
};

struct learner {
	uint64_t delivered; /* Everything below is delivered. */
	uint64_t ballot;    /* Of the watermark. */
	uint64_t watermark;
	uint64_t target; /* Some node knows everything below to be chosen. */
	struct learner_run runs[LEARNER_SLOTS];
};

void learner_init(struct learner *l);

/* A run that an own acceptor holds. False: not kept (delivered already, or we know better); the
 * caller keeps the frame. True: `run.frame` is ours, and *replaced (if not NULL) is given back. */
bool learner_add(struct learner *l, const struct learner_run *run, void **replaced);

void learner_on_watermark(struct learner *l, uint64_t ballot, uint64_t watermark);
void learner_on_target(struct learner *l, uint64_t known);

/* The run that starts at `delivered` if it is known chosen, else NULL. */
const struct learner_run *learner_next(const struct learner *l);

/* Is a run that starts here held, with its body? */
bool learner_holds(const struct learner *l, uint64_t first);

/* All below `delivered` came otherwise: what is held of it is given back by `release`. */
void learner_jump(struct learner *l, uint64_t delivered,
	void (*release)(void *context, void *frame), void *context);

/* The next run was delivered: returns its frame, which is the caller's again. */
void *learner_delivered(struct learner *l);

#endif
