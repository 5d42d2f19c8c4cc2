/*
 * handover.h - does this leader commit too slowly to go on leading?
 *
 * One run in flight at a time is looked at, from its proposal until it is chosen. The time is cut
 * into periods of sixteen bounds; a period is slow when a quarter of it went by on runs that took
 * longer than the bound, or all of its runs did. Two slow periods in a row, those with too few runs
 * to tell left out, are a reason to hand over: one stall is none. A leadership is given four periods at
 * least, so that a slow network does not make leaders go round.
 *
 * Owns:    the run looked at, the period's sum.
 * Never:   hands over by itself, nor touches the window.
 * Upholds: T3  only a leadership that was slow in two periods in a row, and is four old, is to end.
 * Proofs:  tests/unit/test_handover.c; tests/sim (a slow leader).
 */
#ifndef CONSENSUS_HANDOVER_H
#define CONSENSUS_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/window.h"

enum {
	HANDOVER_PERIOD = 16, /* Bounds. */
	HANDOVER_SHARE = 4,   /* Of a period: one part of so many makes it slow. */
	HANDOVER_SLOW = 2,    /* Slow periods in a row. */
	HANDOVER_RUNS = 2,    /* So few runs, all of them slow, make a period slow as well. */
	HANDOVER_REST = 4,    /* Periods that a leadership has at least. */
};

struct handover {
	bool looks;          /* At the run that begins at */
	uint64_t first;      /* this instance, */
	uint64_t since_ns;   /* proposed then, */
	uint64_t counted_ns; /* and summed up until then. */
	uint64_t period_ns;  /* When the period began. */
	uint64_t slow_ns;    /* Of it. */
	uint32_t runs;       /* Looked at and chosen in it, */
	uint32_t slow_runs;  /* and those of them that took too long. */
	uint32_t slow;       /* Slow periods in a row. */
	uint32_t periods;    /* Of this leadership, up to HANDOVER_REST. */
};

/* A leadership begins, or gets another chance. */
void handover_begin(struct handover *h, uint64_t now_ns);

/* All below `chosen` is chosen. */
void handover_on_chosen(struct handover *h, uint64_t bound_ns, uint64_t chosen, uint64_t now_ns);

/* True: this leadership is to end. A bound of 0: never. */
bool handover_on_tick(struct handover *h, uint64_t bound_ns, const struct window *w,
	uint64_t now_ns);

#endif
