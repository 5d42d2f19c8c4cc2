/*
 * clock.h - a node's own clock: it runs at its own rate, and may jump; it never goes back.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdint.h>

enum {
	CLOCK_RATE = 1024 /* As fast as the world's. */
};

struct clock {
	uint64_t world_ns; /* When it was last set, */
	uint64_t shown_ns; /* and to what. */
	uint32_t rate;
};

static inline uint64_t clock_read(const struct clock *c, uint64_t world_ns)
{
	return c->shown_ns + (world_ns - c->world_ns) * c->rate / CLOCK_RATE;
}

static inline void clock_set(struct clock *c, uint64_t world_ns, uint64_t jump_ns, uint32_t rate)
{
	c->shown_ns = clock_read(c, world_ns) + jump_ns;
	c->world_ns = world_ns;
	c->rate = rate;
}

#endif
