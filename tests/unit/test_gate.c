/* What waits for the disk, in order, and no longer than it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "consensus/gate.h"

static struct gate gate;

static int setup(void **state)
{
	(void)state;
	gate_init(&gate);
	return 0;
}

static void add(uint64_t appended, uint64_t first)
{
	const struct gated g = {.kind = GATE_VOTE, .first = first};

	gate.appended = appended;
	gate_add(&gate, &g);
}

/* G1 */
static void nothing_leaves_before_all_appended_before_it_is_durable(void **state)
{
	(void)state;
	add(3, 1);
	add(5, 2);
	gate_open(&gate, 2);
	assert_null(gate_take(&gate));
	gate_open(&gate, 3);
	assert_int_equal(gate_take(&gate)->first, 1);
	assert_null(gate_take(&gate));
	gate_open(&gate, 5);
	assert_int_equal(gate_take(&gate)->first, 2);
	assert_null(gate_take(&gate));
}

static void what_is_durable_stays_so(void **state)
{
	(void)state;
	add(3, 1);
	gate_open(&gate, 3);
	gate_open(&gate, 1);
	assert_int_equal(gate.durable, 3);
	assert_non_null(gate_take(&gate));
}

static void it_is_bounded_and_goes_round(void **state)
{
	(void)state;
	for (uint64_t lap = 0; lap < 3; lap++) {
		for (uint64_t i = 0; i < GATE_MAX; i++) {
			assert_true(gate_room(&gate, 1));
			add(lap * GATE_MAX + i + 1, i);
		}
		assert_false(gate_room(&gate, 1));
		gate_open(&gate, gate.appended);
		for (uint64_t i = 0; i < GATE_MAX; i++)
			assert_int_equal(gate_take(&gate)->first, i);
		assert_null(gate_take(&gate));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_leaves_before_all_appended_before_it_is_durable,
			setup),
		cmocka_unit_test_setup(what_is_durable_stays_so, setup),
		cmocka_unit_test_setup(it_is_bounded_and_goes_round, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
