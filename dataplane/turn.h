/*
 * turn.h - one burst of input of a stage: taken from a ring, each frame handled, each mbuf leaves.
 */
#ifndef DATAPLANE_TURN_H
#define DATAPLANE_TURN_H

#include "dataplane/replica.h"

enum {
	TICK_NS = 2000
}; /* Timers are looked at no more often. */

/* The value that control published last: each turn of a stage begins with it. */
static inline const struct replica_settings *turn_settings(const struct replica *r)
{
	return &live_read(&r->live)->settings;
}

struct turn {
	struct crossing *crossing;
	uint32_t count;
	uint32_t at;
	struct rte_mbuf *mbuf;
	struct frame *frame;
	struct handoff_element elements[HANDOFF_BURST];
};

/* A burst of a ring that ends here; none if there is no room for what it may cause. */
static inline void turn_begin(struct turn *t, struct crossing *c, struct handoff *h)
{
	t->crossing = c;
	t->at = 0;
	t->count = 0;
	if (!rte_ring_empty(h->ring)) {
		uint32_t inputs = crossing_inputs(c);

		t->count = handoff_take_burst(h, t->elements,
			inputs < HANDOFF_BURST ? inputs : HANDOFF_BURST);
	}
	c->reserved = (t->count + 1) * STAGE_ROOM;
	/* The message, where its body stands, and the body's begin. */
	for (uint32_t i = 0; i < t->count; i++) {
		rte_prefetch0(frame_of(t->elements[i].mbuf));
		rte_prefetch0(&frame_of(t->elements[i].mbuf)->body);
		rte_prefetch0(frame_bytes(t->elements[i].mbuf) + FRAME_BODY_OFFSET);
	}
}

static inline bool turn_next(struct turn *t)
{
	if (t->at == t->count)
		return false;
	t->mbuf = t->elements[t->at].mbuf;
	t->frame = frame_of(t->mbuf);
	t->crossing->in = t->mbuf;
	t->crossing->in_taken = false;
	t->at++;
	t->crossing->reserved -= STAGE_ROOM;
	return true;
}

/* The frame was handled: freed with the turn's others, unless it was handed on or retained. */
static inline void turn_done(struct turn *t, bool retained)
{
	if (!retained && !t->crossing->in_taken)
		spent_add(&t->crossing->spent, t->mbuf);
	t->crossing->in = NULL;
}

#endif
