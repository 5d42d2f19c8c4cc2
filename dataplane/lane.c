#include "dataplane/lane.h"

#include <string.h>

#include <rte_memcpy.h>

#include "consensus/check.h"
#include "dataplane/pool.h"

struct rte_mempool *lane_pool_create(const char *name, uint32_t count, uint32_t entries_max)
{
	uint32_t room = RTE_PKTMBUF_HEADROOM + sizeof(struct lane_record) + entries_max;

	return pool_create(name, count, 0, (uint16_t)room);
}

bool lane_create(struct lane *l, const char *name, struct rte_mempool *pool)
{
	*l = (struct lane){.ring = handoff_create(name, LANE_SIZE), .pool = pool};
	return l->ring.ring != NULL;
}

void lane_destroy(struct lane *l)
{
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t taken;

	if (l->ring.ring == NULL)
		return;
	while ((taken = handoff_take_burst(&l->ring, elements, HANDOFF_BURST)) > 0)
		for (uint32_t i = 0; i < taken; i++)
			rte_pktmbuf_free(elements[i].mbuf);
	rte_pktmbuf_free_bulk(l->stash, l->stash_count);
	handoff_free(&l->ring);
}

static bool stash_filled(struct lane *l)
{
	if (l->stash_count > 0)
		return true;
	if (rte_pktmbuf_alloc_bulk(l->pool, l->stash, HANDOFF_BURST) != 0)
		return false;
	l->stash_count = HANDOFF_BURST;
	return true;
}

bool lane_room(void *lane, uint32_t bytes)
{
	struct lane *l = lane;

	/* Every record fits an mbuf: they are made for the longest. */
	(void)bytes;
	return handoff_room(&l->ring) > 0 && stash_filled(l);
}

uint64_t lane_append(void *lane, const struct journal_record *record, const uint8_t *entries)
{
	struct lane *l = lane;

	CHECK(l->stash_count > 0);
	struct rte_mbuf *mbuf = l->stash[--l->stash_count];
	struct lane_record *to = rte_pktmbuf_mtod(mbuf, struct lane_record *);

	CHECK(sizeof(*to) + record->bytes <= rte_pktmbuf_tailroom(mbuf));
	to->record = *record;
	if (record->bytes > 0)
		rte_memcpy(to->entries, entries, record->bytes);
	bool put = handoff_put(&l->ring, mbuf, 0);

	CHECK(put);
	return ++l->position;
}
