/* What crosses cores: nothing lost, doubled or reordered, and the frame's content with it. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/handoff.h"

enum {
	SIZE = 64,
	ELEMENTS = 200000
};

static struct handoff handoff;
static uint64_t contents[ELEMENTS]; /* Stands for the frames: written before the hand-off. */

static int setup(void **state)
{
	ssize_t bytes = rte_ring_get_memsize_elem(sizeof(struct handoff_element), SIZE);

	(void)state;
	handoff.ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)bytes);
	return rte_ring_init(handoff.ring, "test", SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int teardown(void **state)
{
	(void)state;
	free(handoff.ring);
	return 0;
}

static void *produce(void *unused)
{
	(void)unused;
	for (uint64_t i = 0; i < ELEMENTS; i++) {
		contents[i] = i * 3;
		while (!handoff_put(&handoff, NULL, i))
			sched_yield();
	}
	return NULL;
}

static void elements_arrive_once_in_order_with_what_was_written_before(void **state)
{
	struct handoff_element elements[HANDOFF_BURST];
	pthread_t producer;
	uint64_t expected = 0;

	(void)state;
	assert_int_equal(pthread_create(&producer, NULL, produce, NULL), 0);
	while (expected < ELEMENTS) {
		uint32_t count = handoff_take_burst(&handoff, elements, HANDOFF_BURST);

		for (uint32_t i = 0; i < count; i++, expected++) {
			assert_int_equal(elements[i].route, expected);
			assert_int_equal(contents[expected], expected * 3);
		}
		if (count == 0)
			sched_yield();
	}
	pthread_join(producer, NULL);
}

static void a_full_ring_takes_no_more_and_loses_nothing(void **state)
{
	struct handoff_element elements[HANDOFF_BURST];
	uint64_t put = 0;

	(void)state;
	while (handoff_put(&handoff, NULL, put))
		put++;
	assert_int_equal(put, SIZE - 1);
	assert_int_equal(handoff_room(&handoff), 0);
	assert_int_equal(handoff_take_burst(&handoff, elements, HANDOFF_BURST), HANDOFF_BURST);
	assert_int_equal(elements[0].route, 0);
	assert_int_equal(handoff_take_burst(&handoff, elements, HANDOFF_BURST),
		SIZE - 1 - HANDOFF_BURST);
	assert_int_equal(handoff_take_burst(&handoff, elements, HANDOFF_BURST), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			elements_arrive_once_in_order_with_what_was_written_before, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_full_ring_takes_no_more_and_loses_nothing, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
