#include "dataplane/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_stack.h>

#include "dataplane/heap.h"

enum {
	POOL_CACHE = 256, /* Mbufs that an lcore keeps, at least, before it gives batches back. */
	BATCH = 15,       /* With their count two cache lines. */
	BATCHES_AT_ONCE = 32,
	/* Batches emptied, and not yet in `empty` again. */
	BATCHES_IN_HANDS = BATCHES_AT_ONCE * RTE_MAX_LCORE,
};

struct batch {
	uint64_t count; /* In `full` at least 1: as many batches as mbufs are enough. */
	void *mbufs[BATCH];
} __rte_cache_aligned;

struct stock {
	struct rte_stack *full;  /* Batches with free mbufs, */
	struct rte_stack *empty; /* and those without. */
	struct batch *batches;
	uint32_t free; /* Mbufs in `full`; relaxed, for whoever asks. */
};

static uint32_t batches_of(const struct rte_mempool *mp)
{
	return mp->size + BATCHES_IN_HANDS;
}

static struct rte_stack *stack_create(const struct rte_mempool *mp, const char *kind)
{
	char name[RTE_STACK_NAMESIZE];

	if (snprintf(name, sizeof(name), "%s_%s", mp->name, kind) >= (int)sizeof(name)) {
		rte_errno = ENAMETOOLONG;
		return NULL;
	}
	return rte_stack_create(name, batches_of(mp), mp->socket_id, RTE_STACK_F_LF);
}

static void stock_free(struct rte_mempool *mp)
{
	struct stock *s = mp->pool_data;

	if (s == NULL)
		return;
	rte_stack_free(s->full);
	rte_stack_free(s->empty);
	rte_free(s->batches);
	rte_free(s);
	mp->pool_data = NULL;
}

static int stock_alloc(struct rte_mempool *mp)
{
	struct stock *s = heap_zalloc("stock", sizeof(*s));

	mp->pool_data = s;
	if (s == NULL)
		return -ENOMEM;
	s->full = stack_create(mp, "full");
	s->empty = stack_create(mp, "empty");
	s->batches = heap_zalloc("batches", batches_of(mp) * sizeof(struct batch));
	if (s->full == NULL || s->empty == NULL || s->batches == NULL) {
		stock_free(mp);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < batches_of(mp); i++) {
		void *batch = &s->batches[i];

		rte_stack_push(s->empty, &batch, 1);
	}
	return 0;
}

/* Batches for `mbufs` mbufs at most, and for as many as one turn takes. */
static uint32_t batches_for(uint32_t mbufs)
{
	uint32_t batches = (mbufs + BATCH - 1) / BATCH;

	return batches < BATCHES_AT_ONCE ? batches : BATCHES_AT_ONCE;
}

/* Up to `wanted`; 0: the stack is empty. */
static uint32_t pop(struct rte_stack *s, struct batch **batches, uint32_t wanted)
{
	uint32_t taken = rte_stack_pop(s, (void **)batches, wanted);

	return taken > 0 || wanted == 1 ? taken : rte_stack_pop(s, (void **)batches, 1);
}

static int stock_put(struct rte_mempool *mp, void *const *mbufs, unsigned int count)
{
	struct stock *s = mp->pool_data;
	struct batch *batches[BATCHES_AT_ONCE];

	__atomic_fetch_add(&s->free, count, __ATOMIC_RELAXED);
	while (count > 0) {
		uint32_t taken = pop(s->empty, batches, batches_for(count));

		for (uint32_t i = 0; i < taken; i++) {
			struct batch *b = batches[i];

			b->count = count < BATCH ? count : BATCH;
			memcpy(b->mbufs, mbufs, b->count * sizeof(void *));
			mbufs += b->count;
			count -= (unsigned int)b->count;
		}
		rte_stack_push(s->full, (void *const *)batches, taken);
	}
	return 0;
}

/* All or nothing. */
static int stock_take(struct rte_mempool *mp, void **mbufs, unsigned int count)
{
	struct stock *s = mp->pool_data;
	struct batch *batches[BATCHES_AT_ONCE];
	unsigned int got = 0;

	while (got < count) {
		uint32_t taken = pop(s->full, batches, batches_for(count - got));
		uint32_t emptied = 0;

		if (unlikely(taken == 0)) {
			__atomic_fetch_sub(&s->free, got, __ATOMIC_RELAXED);
			stock_put(mp, mbufs, got);
			return -ENOBUFS;
		}
		for (uint32_t i = 0; i < taken; i++) {
			struct batch *b = batches[i];
			uint64_t most = count - got;
			uint64_t n = b->count < most ? b->count : most;

			b->count -= n;
			memcpy(mbufs + got, b->mbufs + b->count, n * sizeof(void *));
			got += (unsigned int)n;
			if (b->count == 0)
				batches[emptied++] = b;
			else
				rte_stack_push(s->full, (void *const *)&b, 1);
		}
		if (emptied > 0)
			rte_stack_push(s->empty, (void *const *)batches, emptied);
	}
	__atomic_fetch_sub(&s->free, count, __ATOMIC_RELAXED);
	return 0;
}

static unsigned int stock_count(const struct rte_mempool *mp)
{
	const struct stock *s = mp->pool_data;

	return __atomic_load_n(&s->free, __ATOMIC_RELAXED);
}

static const struct rte_mempool_ops stock_ops = {
	.name = "paxwire_batches",
	.alloc = stock_alloc,
	.free = stock_free,
	.enqueue = stock_put,
	.dequeue = stock_take,
	.get_count = stock_count,
};

RTE_MEMPOOL_REGISTER_OPS(stock_ops)

struct rte_mempool *pool_create(const char *name, uint32_t count, uint16_t private_bytes,
	uint16_t room)
{
	return rte_pktmbuf_pool_create_by_ops(name, count, POOL_CACHE, private_bytes, room,
		heap_socket(), stock_ops.name);
}

uint64_t pool_bytes(uint32_t count, uint16_t private_bytes, uint16_t room)
{
	uint32_t mbuf =
		rte_mempool_calc_obj_size((uint32_t)sizeof(struct rte_mbuf) + private_bytes + room,
			0, NULL);
	uint64_t batches = (uint64_t)count + BATCHES_IN_HANDS;

	return (uint64_t)count * mbuf +
		batches * (sizeof(struct batch) + 2 * sizeof(struct rte_stack_lf_elem));
}
