/* Pools of frames: each mbuf is handed out once, and comes back, also through other threads. */
#include "given_dpdk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "dataplane/handoff.h"
#include "dataplane/pool.h"

enum {
	MBUFS = 2047,
	ROUNDS = 20000,
	THREADS = 3,
	RING = 256,
};

static struct rte_mempool *pool;
static uint32_t holders[MBUFS]; /* By the mbuf's place in `all`. */
static void *all[MBUFS];

static int by_address(const void *a, const void *b)
{
	const void *const *one = a;
	const void *const *other = b;

	return *one < *other ? -1 : *one > *other;
}

static uint32_t place_of(void *mbuf)
{
	void **found = bsearch(&mbuf, all, MBUFS, sizeof(all[0]), by_address);

	assert_non_null(found);
	return (uint32_t)(found - all);
}

static int setup(void **state)
{
	(void)state;
	pool = pool_create("frames", MBUFS, FRAME_PRIVATE_BYTES, MBUF_ROOM + RTE_PKTMBUF_HEADROOM);
	return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	return 0;
}

/* All at once, by single ones, by odd counts: what the stack's batches are made of. */
static void take_all(uint32_t at_once)
{
	uint32_t taken = 0;

	while (taken < MBUFS) {
		uint32_t n = MBUFS - taken < at_once ? MBUFS - taken : at_once;

		assert_int_equal(rte_mempool_ops_dequeue_bulk(pool, all + taken, n), 0);
		taken += n;
		assert_int_equal(rte_mempool_avail_count(pool), MBUFS - taken);
	}
}

static void give_all(uint32_t at_once)
{
	uint32_t given = 0;

	while (given < MBUFS) {
		uint32_t n = MBUFS - given < at_once ? MBUFS - given : at_once;

		rte_mempool_ops_enqueue_bulk(pool, all + given, n);
		given += n;
		assert_int_equal(rte_mempool_avail_count(pool), given);
	}
}

static void each_mbuf_is_handed_out_once_whatever_the_counts(void **state)
{
	const uint32_t counts[] = {1, 2, 14, 15, 16, 31, 97, 384, 481, MBUFS};
	const uint32_t ways = sizeof(counts) / sizeof(counts[0]);

	(void)state;
	for (uint32_t i = 0; i < ways * ways; i++) {
		take_all(counts[i / ways]);
		qsort(all, MBUFS, sizeof(all[0]), by_address);
		for (uint32_t m = 1; m < MBUFS; m++)
			assert_ptr_not_equal(all[m], all[m - 1]);
		give_all(counts[i % ways]);
	}
}

static void what_is_not_there_whole_is_refused_and_nothing_is_lost(void **state)
{
	void *more[2];

	(void)state;
	take_all(MBUFS);
	assert_int_equal(rte_mempool_ops_dequeue_bulk(pool, more, 1), -ENOBUFS);
	rte_mempool_ops_enqueue_bulk(pool, all, 1);
	assert_int_equal(rte_mempool_ops_dequeue_bulk(pool, more, 2), -ENOBUFS);
	assert_int_equal(rte_mempool_avail_count(pool), 1);
	assert_int_equal(rte_mempool_ops_dequeue_bulk(pool, more, 1), 0);
	assert_ptr_equal(more[0], all[0]);
	give_all(MBUFS);
}

static void what_was_freed_last_is_taken_first(void **state)
{
	void *again[1];

	(void)state;
	take_all(MBUFS);
	give_all(100);
	assert_int_equal(rte_mempool_ops_dequeue_bulk(pool, again, 1), 0);
	assert_ptr_equal(again[0], all[MBUFS - 1]);
	rte_mempool_ops_enqueue_bulk(pool, again, 1);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_null(pool_create(name, 63, 0, 256));
}

/* Takes some, says that they are its own, and lets the next thread free what its ring takes. */
struct worker {
	pthread_t thread;
	uint32_t id;
	struct handoff *from, *to;
	uint64_t doubled, taken;
};

static void hold(struct worker *w, void *mbuf)
{
	uint32_t nobody = 0;

	w->doubled += __atomic_compare_exchange_n(&holders[place_of(mbuf)], &nobody, w->id, false,
			      __ATOMIC_RELAXED, __ATOMIC_RELAXED)
		? 0
		: 1;
}

static void release(struct handoff_element *elements, uint32_t count)
{
	void *mbufs[HANDOFF_BURST];

	for (uint32_t i = 0; i < count; i++) {
		mbufs[i] = elements[i].mbuf;
		__atomic_store_n(&holders[place_of(mbufs[i])], 0, __ATOMIC_RELAXED);
	}
	if (count > 0)
		rte_mempool_ops_enqueue_bulk(pool, mbufs, count);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	struct handoff_element elements[HANDOFF_BURST];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		void *mbufs[HANDOFF_BURST];
		uint32_t n = 1 + (round * 7 + w->id) % HANDOFF_BURST;

		if (rte_mempool_ops_dequeue_bulk(pool, mbufs, n) == 0) {
			w->taken += n;
			for (uint32_t i = 0; i < n; i++)
				hold(w, mbufs[i]);
			for (uint32_t i = 0; i < n; i++)
				if (!handoff_put(w->to, mbufs[i], 0))
					release(&(struct handoff_element){.mbuf = mbufs[i]}, 1);
		}
		release(elements, handoff_take_burst(w->from, elements, HANDOFF_BURST));
	}
	return NULL;
}

static void threads_that_free_what_others_took_neither_lose_nor_double_one(void **state)
{
	struct handoff rings[THREADS];
	struct worker workers[THREADS];
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t left;

	(void)state;
	take_all(MBUFS);
	qsort(all, MBUFS, sizeof(all[0]), by_address);
	void *copies[MBUFS];

	memcpy(copies, all, sizeof(all));
	rte_mempool_ops_enqueue_bulk(pool, copies, MBUFS);
	for (uint32_t i = 0; i < THREADS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "pool_%u", i);
		rings[i] = handoff_create(name, RING);
		assert_non_null(rings[i].ring);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.id = i + 1,
			.from = &rings[i],
			.to = &rings[(i + 1) % THREADS],
		};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].doubled, 0);
		assert_true(workers[i].taken > ROUNDS);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		while ((left = handoff_take_burst(&rings[i], elements, HANDOFF_BURST)) > 0)
			release(elements, left);
		handoff_free(&rings[i]);
	}
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	take_all(MBUFS);
	qsort(all, MBUFS, sizeof(all[0]), by_address);
	assert_memory_equal(all, copies, sizeof(all));
	give_all(MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_mbuf_is_handed_out_once_whatever_the_counts,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_not_there_whole_is_refused_and_nothing_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_freed_last_is_taken_first, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_name_that_is_too_long_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			threads_that_free_what_others_took_neither_lose_nor_double_one, setup,
			teardown),
	};

	if (!given_dpdk("pool"))
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
