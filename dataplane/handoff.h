/*
 * handoff.h - the rings between stages: the only place where something crosses cores.
 *
 * Owns:    single-producer, single-consumer rings of 16-byte elements.
 * Never:   waits: a burst moves what fits.
 * Upholds: an mbuf is on one ring or with one stage; who takes it frees it or hands it on.
 * Proofs:  tests/unit/test_handoff.c, also under TSan. The producer's release store of rte_ring's
 *          tail pairs with the consumer's acquire load of it.
 */
#ifndef DATAPLANE_HANDOFF_H
#define DATAPLANE_HANDOFF_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring_elem.h>

enum {
	HANDOFF_BURST = 32
};

struct handoff_element {
	struct rte_mbuf *mbuf;
	uint64_t route; /* To io: the route to send it on. Else 0. */
};
static_assert(sizeof(struct handoff_element) == 16, "rte_ring's 16-byte copies");

struct handoff {
	struct rte_ring *ring;
};

/* `size`: a power of two; holds size - 1. NULL ring: out of memory. */
struct handoff handoff_create(const char *name, uint32_t size);
void handoff_free(struct handoff *h);

static inline uint32_t handoff_room(const struct handoff *h)
{
	return rte_ring_free_count(h->ring);
}

static inline bool handoff_put(struct handoff *h, struct rte_mbuf *mbuf, uint64_t route)
{
	struct handoff_element e = {.mbuf = mbuf, .route = route};

	return rte_ring_sp_enqueue_elem(h->ring, &e, sizeof(e)) == 0;
}

/* Takes up to `count`. */
static inline uint32_t handoff_take_burst(struct handoff *h, struct handoff_element *elements,
	uint32_t count)
{
	return rte_ring_sc_dequeue_burst_elem(h->ring, elements, sizeof(*elements), count, NULL);
}

#endif
