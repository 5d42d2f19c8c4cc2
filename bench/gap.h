/*
 * gap.h - the longest time in which something did not happen: no commit, seen from the client; no
 * turn of an lcore, which is a stall of the machine.
 *
 * Owns:    the longest gap since control last marked the begin.
 */
#ifndef BENCH_GAP_H
#define BENCH_GAP_H

#include <stdint.h>

#include "dataplane/stage.h"

struct gap {
	struct stage stage; /* gap_poll: notes every turn of the lcore that polls it. */
	uint64_t from_ns;   /* Set by control: gaps that end later count. */
	uint64_t seen_ns;
	uint64_t last_ns;
	uint64_t longest_ns; /* Read by control. */
};

/* It happened now. */
static inline void gap_note(struct gap *g, uint64_t now_ns)
{
	uint64_t from_ns = __atomic_load_n(&g->from_ns, __ATOMIC_RELAXED);

	if (from_ns != g->seen_ns) {
		g->seen_ns = from_ns;
		g->longest_ns = 0;
	}
	if (g->last_ns != 0 && now_ns - g->last_ns > g->longest_ns && now_ns > from_ns)
		__atomic_store_n(&g->longest_ns, now_ns - g->last_ns, __ATOMIC_RELAXED);
	g->last_ns = now_ns;
}

/* From now on. Any thread. */
static inline void gap_mark(struct gap *g, uint64_t now_ns)
{
	__atomic_store_n(&g->from_ns, now_ns, __ATOMIC_RELAXED);
}

static inline uint64_t gap_longest_ns(const struct gap *g)
{
	return __atomic_load_n(&g->longest_ns, __ATOMIC_RELAXED);
}

static inline uint32_t gap_poll(void *gap, uint64_t now_ns)
{
	gap_note(gap, now_ns);
	return 0;
}

#endif
