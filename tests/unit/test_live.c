/* What changes while a replica runs: the units, and that no reader sees an old or torn value. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/live.h"

enum {
	READERS = 2,
	GENERATIONS = 2000,
};

struct reader {
	pthread_t thread;
	bool ended; /* Every value is checked by its thread, and reported by the main one. */
	uint64_t turns, seen, torn, backward;
};

static struct live *slot;
static struct reader readers[READERS + 1]; /* And the main thread. */

/* In front of liburcu's, which is not instrumented: TSan learns here what a grace period means. All
 * that readers did before their last quiescent states happened before its end, and nothing more. */
void urcu_qsbr_synchronize_rcu(void)
{
	void (*real)(void);
	void *symbol = dlsym(RTLD_NEXT, "urcu_qsbr_synchronize_rcu");

	memcpy(&real, &symbol, sizeof(real));
	real();
	for (uint32_t i = 0; i <= READERS; i++)
		__atomic_load_n(&readers[i].turns, __ATOMIC_ACQUIRE);
}

static void quiescent(struct reader *r)
{
	__atomic_store_n(&r->turns, r->turns + 1, __ATOMIC_RELEASE);
	urcu_qsbr_quiescent_state();
}

static int teardown(void **state)
{
	(void)state;
	free(slot);
	slot = NULL;
	return 0;
}

/* A value in which everything says its generation. */
static struct live given_value(uint64_t generation)
{
	struct live l;

	memset(&l, (int)(generation % 251), sizeof(l));
	l.settings.window = (uint32_t)generation;
	l.members[MEMBER_MAX - 1].endpoint.ip = (uint32_t)generation;
	return l;
}

static bool torn(const struct live *l)
{
	const uint8_t *bytes = (const uint8_t *)&l->tunables;
	uint32_t different = 0;

	for (size_t i = 0; i < sizeof(l->tunables); i++)
		different += bytes[i] != l->generation % 251;
	return different > 0 || l->settings.window != l->generation ||
		l->members[MEMBER_MAX - 1].endpoint.ip != l->generation;
}

static void when_published(uint64_t generation)
{
	const struct live next = given_value(generation);

	assert_true(live_publish(&slot, &next));
}

/* ---- Units ---- */

static void each_tunable_arrives_in_the_unit_of_the_stages(void **state)
{
	const struct tunables t = {
		.batch = 11,
		.linger_us = 12,
		.window = 1024,
		.idle = IDLE_ADAPTIVE,
		.packing = true,
		.heartbeat_us = 13,
		.election_timeout_ms = 14,
		.progress_timeout_ms = 15,
		.retransmit_us = 16,
		.commit_idle_us = 17,
		.lag_max = 18,
		.lag_timeout_ms = 19,
		.handover_ms = 20,
	};
	struct live l = {.generation = 5, .settings = {.self = 2, .members = 3, .uuid = 4711}};

	(void)state;
	live_tune(&l, &t);
	assert_int_equal(l.settings.batch_max, 11);
	assert_int_equal(l.settings.linger_ns, 12000);
	assert_int_equal(l.settings.window, 1024);
	assert_true(l.settings.packing);
	assert_int_equal(l.settings.heartbeat_ns, 13000);
	assert_int_equal(l.settings.election_timeout_ns, 14000000);
	assert_int_equal(l.settings.progress_timeout_ns, 15000000);
	assert_int_equal(l.settings.retransmit_ns, 16000);
	assert_int_equal(l.settings.commit_idle_ns, 17000);
	assert_int_equal(l.settings.lag_max, 18);
	assert_int_equal(l.settings.lag_timeout_ns, 19000000);
	assert_int_equal(l.settings.handover_ns, 20000000);
	assert_memory_equal(&l.tunables, &t, sizeof(t));
	/* What is fixed stays. */
	assert_int_equal(l.settings.self, 2);
	assert_int_equal(l.settings.members, 3);
	assert_int_equal(l.settings.uuid, 4711);
	assert_int_equal(l.generation, 5);
}

static void the_longest_times_do_not_wrap(void **state)
{
	const struct tunables t = {
		.linger_us = UINT32_MAX,
		.heartbeat_us = UINT32_MAX,
		.election_timeout_ms = UINT32_MAX,
		.progress_timeout_ms = UINT32_MAX,
		.retransmit_us = UINT32_MAX,
		.commit_idle_us = UINT32_MAX,
		.lag_timeout_ms = UINT32_MAX,
		.handover_ms = UINT32_MAX,
	};
	struct live l = {0};

	(void)state;
	live_tune(&l, &t);
	assert_int_equal(l.settings.linger_ns, UINT32_MAX * 1000ull);
	assert_int_equal(l.settings.heartbeat_ns, UINT32_MAX * 1000ull);
	assert_int_equal(l.settings.election_timeout_ns, UINT32_MAX * 1000000ull);
	assert_int_equal(l.settings.progress_timeout_ns, UINT32_MAX * 1000000ull);
	assert_int_equal(l.settings.retransmit_ns, UINT32_MAX * 1000ull);
	assert_int_equal(l.settings.commit_idle_ns, UINT32_MAX * 1000ull);
	assert_int_equal(l.settings.lag_timeout_ns, UINT32_MAX * 1000000ull);
	assert_int_equal(l.settings.handover_ns, UINT32_MAX * 1000000ull);
}

/* ---- Publishing ---- */

static void the_generation_counts_up_from_1_whatever_the_value_says(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 5; i++) {
		struct live next = given_value(i);

		next.generation = 77;
		assert_true(live_publish(&slot, &next));
		assert_int_equal(live_read(&slot)->generation, i);
		assert_int_equal(next.generation, 77);
	}
}

static void a_publication_is_a_copy(void **state)
{
	struct live next = given_value(1);

	(void)state;
	assert_true(live_publish(&slot, &next));
	memset(&next, 0, sizeof(next));
	assert_ptr_not_equal(live_read(&slot), &next);
	assert_false(torn(live_read(&slot)));
}

/* An lcore's turns: a value is used throughout one, and given back between two. */
static void *read_on(void *argument)
{
	struct reader *r = argument;

	urcu_qsbr_register_thread();
	while (!__atomic_load_n(&r->ended, __ATOMIC_RELAXED)) {
		const struct live *l = live_read(&slot);
		uint64_t generation = l->generation;

		for (uint32_t twice = 0; twice < 2; twice++)
			r->torn += torn(l) || l->generation != generation;
		r->backward += generation < r->seen;
		r->seen = generation;
		quiescent(r);
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

static void await_turns(const struct reader *r, uint64_t turns)
{
	while (__atomic_load_n(&r->turns, __ATOMIC_RELAXED) < turns)
		sched_yield();
}

static void a_reader_never_sees_a_value_that_is_torn_freed_or_older(void **state)
{
	(void)state;
	when_published(1);
	for (uint32_t i = 0; i < READERS; i++) {
		readers[i] = (struct reader){0};
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (uint32_t i = 0; i < READERS; i++)
		await_turns(&readers[i], 1);
	for (uint64_t i = 2; i <= GENERATIONS; i++)
		when_published(i);
	for (uint32_t i = 0; i < READERS; i++) {
		/* A whole turn from now on sees what was published last. */
		await_turns(&readers[i], __atomic_load_n(&readers[i].turns, __ATOMIC_RELAXED) + 2);
		__atomic_store_n(&readers[i].ended, true, __ATOMIC_RELAXED);
		pthread_join(readers[i].thread, NULL);
	}
	for (uint32_t i = 0; i < READERS; i++) {
		assert_int_equal(readers[i].torn, 0);
		assert_int_equal(readers[i].backward, 0);
		assert_int_equal(readers[i].seen, GENERATIONS);
	}
}

static void *publish_2(void *published)
{
	when_published(2);
	__atomic_store_n((bool *)published, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Read after the publication, before the quiescent state: the old value must still be whole. */
static void a_value_lives_until_its_last_reader_is_quiescent(void **state)
{
	bool published = false;
	pthread_t control;

	(void)state;
	when_published(1);
	urcu_qsbr_register_thread();
	const struct live *old = live_read(&slot);

	assert_int_equal(pthread_create(&control, NULL, publish_2, &published), 0);
	while (live_read(&slot) == old)
		sched_yield();
	for (uint32_t i = 0; i < 100; i++) {
		sched_yield();
		assert_false(__atomic_load_n(&published, __ATOMIC_ACQUIRE));
		assert_int_equal(old->generation, 1);
		assert_false(torn(old));
	}
	quiescent(&readers[READERS]);
	urcu_qsbr_unregister_thread();
	pthread_join(control, NULL);
	assert_true(published);
	assert_int_equal(slot->generation, 2);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_tunable_arrives_in_the_unit_of_the_stages),
		TEST(the_longest_times_do_not_wrap),
		TEST(the_generation_counts_up_from_1_whatever_the_value_says),
		TEST(a_publication_is_a_copy),
		TEST(a_reader_never_sees_a_value_that_is_torn_freed_or_older),
		TEST(a_value_lives_until_its_last_reader_is_quiescent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
