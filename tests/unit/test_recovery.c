/* Value selection: per instance, what is chosen first, then the highest ballot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/recovery.h"

static struct recovery r;
static _Alignas(8) uint8_t out[BODY_MAX + 8];

static int setup(void **state)
{
	(void)state;
	recovery_begin(&r, 256, 276);
	return 0;
}

/* One record whose entries carry `mark` as their session. */
static void report(uint64_t ballot, uint64_t first, uint16_t count, uint64_t mark, uint8_t flags)
{
	_Alignas(8) uint8_t body[RECORD_BYTES + 32 * ENTRY_BYTES];
	const uint32_t bytes = flags == 0 ? count * (uint32_t)ENTRY_BYTES : 0;
	const struct record record = {
		.ballot = ballot,
		.first = first,
		.count = count,
		.bytes = (uint16_t)bytes,
		.flags = flags,
	};

	memcpy(body, &record, sizeof(record));
	for (uint32_t i = 0; i < bytes / ENTRY_BYTES; i++) {
		const struct entry e = {.session = mark};

		memcpy(body + RECORD_BYTES + i * ENTRY_BYTES, &e, sizeof(e));
	}
	recovery_add(&r, body, RECORD_BYTES + bytes);
}

static uint64_t mark_at(uint32_t index)
{
	return ((const struct entry *)(const void *)out)[index].session;
}

static void the_highest_ballot_wins_at_each_instance(void **state)
{
	/* Else: [1..17]@1 overwrites [10..17]@3. */
	uint32_t bytes;

	(void)state;
	report(3, 266, 8, 33, 0);
	report(1, 256, 17, 11, 0);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 18);
	assert_int_equal(mark_at(9), 11);
	assert_int_equal(mark_at(10), 33);
	assert_int_equal(mark_at(17), 33);
}

static void what_is_chosen_outranks_every_vote(void **state)
{
	uint32_t bytes;

	(void)state;
	report(0, 256, 1, 1, 0);
	report(99, 256, 2, 2, 0);
	recovery_next(&r, out, BODY_MAX, 100, &bytes);
	assert_int_equal(mark_at(0), 1);
	assert_int_equal(mark_at(1), 2);
}

static void what_nobody_reported_becomes_a_no_op(void **state)
{
	uint32_t bytes;

	(void)state;
	report(1, 260, 2, 5, 0);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 4);
	assert_int_equal(bytes, 0);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 2);
	assert_int_equal(bytes, 2 * ENTRY_BYTES);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 14);
	assert_int_equal(bytes, 0);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 0);
}

static void a_voted_no_op_beats_an_older_value(void **state)
{
	uint32_t bytes;

	(void)state;
	report(1, 256, 20, 5, 0);
	report(2, 256, 20, 0, FLAG_NOOP);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 20);
	assert_int_equal(bytes, 0);
}

static void runs_fit_the_frame_and_the_window(void **state)
{
	uint32_t bytes;

	(void)state;
	report(1, 256, 20, 5, 0);
	assert_int_equal(recovery_next(&r, out, 3 * ENTRY_BYTES, 100, &bytes), 3);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 2, &bytes), 2);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 15);
}

static void instances_outside_the_stride_are_passed_over(void **state)
{
	uint32_t bytes;

	(void)state;
	report(1, 270, 20, 5, 0);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 14);
	assert_int_equal(recovery_next(&r, out, BODY_MAX, 100, &bytes), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_highest_ballot_wins_at_each_instance, setup),
		cmocka_unit_test_setup(what_is_chosen_outranks_every_vote, setup),
		cmocka_unit_test_setup(what_nobody_reported_becomes_a_no_op, setup),
		cmocka_unit_test_setup(a_voted_no_op_beats_an_older_value, setup),
		cmocka_unit_test_setup(runs_fit_the_frame_and_the_window, setup),
		cmocka_unit_test_setup(instances_outside_the_stride_are_passed_over, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
