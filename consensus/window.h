/*
 * window.h - the runs in flight: proposed at one ballot, not yet all chosen.
 *
 * Owns:    the runs in instance order, and who voted for each.
 * Never:   holds a value: retransmission reads the log.
 * Upholds: P1  a run's boundaries never change while it is in flight.
 *          P2  `chosen` passes a run only when its votes contain a phase-2 quorum, and all before
 *              it are passed.
 * Proofs:  tests/unit/test_window.c.
 */
#ifndef CONSENSUS_WINDOW_H
#define CONSENSUS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/quorum.h"

struct flight {
	uint64_t first;
	uint64_t sent_ns;
	uint32_t votes; /* Bitmask of members. */
	uint16_t count;
	bool resent; /* How long its votes took is not known. */
};

struct window {
	uint64_t
		oldest; /* Number of the oldest run in flight; run r stands at r % WINDOW_INSTANCES. */
	uint64_t next;             /* Number of the next run. */
	uint64_t chosen;           /* Every instance from the ballot's start to here is chosen. */
	uint64_t end;              /* The next run's first instance. */
	uint64_t hint[MEMBER_MAX]; /* The run that a member votes for next, if in order. */
	struct flight flights[WINDOW_INSTANCES];
};

/* Nothing in flight; the next run starts at `start`. */
void window_init(struct window *w, uint64_t start);

/* Instances proposed and not passed by `chosen`. */
static inline uint64_t window_span(const struct window *w)
{
	return w->end - w->chosen;
}

/* The next run: [end, end + count). Returns its first instance. The span stays within
 * WINDOW_INSTANCES: the caller asks before. */
uint64_t window_push(struct window *w, uint32_t count, uint64_t now_ns);

/* A member voted for [first, first + count): for every run that lies wholly inside it, and for no
 * other. */
void window_vote(struct window *w, uint32_t member, uint64_t first, uint64_t count);

/* Passes the oldest runs that a phase-2 quorum voted for. True: `chosen` went up. */
bool window_advance(struct window *w, const struct quorum *q);

/* The oldest run in flight, or NULL. */
static inline const struct flight *window_oldest(const struct window *w)
{
	return w->oldest < w->next ? &w->flights[w->oldest % WINDOW_INSTANCES] : NULL;
}

/* Runs in flight. */
static inline uint64_t window_runs(const struct window *w)
{
	return w->next - w->oldest;
}

/* A member could not vote yet for the run that starts at `first`: it is due as if it had been sent no
 * later than `sent_ns`. */
void window_refused(struct window *w, uint64_t first, uint64_t sent_ns);

/* The oldest run in flight that was last sent at or before `before_ns`, among the first `look`
 * ones; NULL if none. The caller sets sent_ns. */
struct flight *window_due(struct window *w, uint64_t before_ns, uint32_t look);

#endif
