/*
 * lane.h - a stage's way to the journal stage: its records, each in an mbuf over a ring.
 *
 * Owns:    the ring; its begin belongs to the lcore of the stage that appends, its end to the
 *          journal's.
 * Never:   waits: a stage asks for room before it changes anything that must be kept.
 * Upholds: records come out in the order in which they went in, and each counts one position.
 * Proofs:  tests/unit/test_lane.c, also under TSan.
 */
#ifndef DATAPLANE_LANE_H
#define DATAPLANE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "consensus/journal.h"
#include "dataplane/handoff.h"

enum {
	LANE_SIZE = 4096, /* What is in flight at most, one command a record, fits. */
};

/* The end that appends. */
struct lane {
	struct handoff ring;
	struct rte_mempool *pool; /* Of the journal's own mbufs: room for one record each. */
	uint64_t position;        /* Of the last record. */
	uint32_t stash_count;     /* Mbufs taken ahead: what room promised is there. */
	struct rte_mbuf *stash[HANDOFF_BURST];
};

/* A record as it lies in its mbuf. */
struct lane_record {
	struct journal_record record;
	uint8_t entries[];
};

/* Mbufs of `entries_max` bytes of entries. NULL: no memory. */
struct rte_mempool *lane_pool_create(const char *name, uint32_t count, uint32_t entries_max);

/* False: no memory. */
bool lane_create(struct lane *l, const char *name, struct rte_mempool *pool);

/* Frees what is still in it. */
void lane_destroy(struct lane *l);

/* struct journal_port's two functions; `lane` is the context. */
bool lane_room(void *lane, uint32_t bytes);
uint64_t lane_append(void *lane, const struct journal_record *record, const uint8_t *entries);

static inline const struct lane_record *lane_record_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const struct lane_record *);
}

#endif
