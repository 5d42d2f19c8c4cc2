/* Delivery: only what is chosen, in order, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/learner.h"

static struct learner l;
static _Alignas(8) uint8_t body[32 * ENTRY_BYTES];
static int frames[4];

static int setup(void **state)
{
	(void)state;
	learner_init(&l);
	memset(body, 0, sizeof(body));
	return 0;
}

static bool add(uint64_t ballot, uint64_t first, uint16_t count, bool chosen)
{
	void *replaced;
	const struct learner_run run = {
		.first = first,
		.ballot = ballot,
		.count = count,
		.bytes = (uint16_t)(count * ENTRY_BYTES),
		.body = body,
		.frame = frames,
		.chosen = chosen,
	};

	return learner_add(&l, &run, &replaced);
}

static void a_vote_below_its_ballots_watermark_is_delivered(void **state)
{
	(void)state;
	add(5, 0, 16, false);
	assert_null(learner_next(&l));
	learner_on_watermark(&l, 5, 15);
	assert_null(learner_next(&l));
	learner_on_watermark(&l, 5, 16);
	assert_non_null(learner_next(&l));
	learner_delivered(&l);
	assert_int_equal(l.delivered, 16);
}

static void a_vote_at_another_ballot_is_not_chosen_by_a_watermark(void **state)
{
	/* Else: a follower that voted x@b1 delivers x though y was chosen at b2. */
	(void)state;
	add(5, 0, 16, false);
	learner_on_watermark(&l, 6, 100);
	assert_null(learner_next(&l));
}

static void a_watermark_of_a_lower_ballot_is_not_heard(void **state)
{
	(void)state;
	learner_on_watermark(&l, 6, 0);
	add(5, 0, 16, false);
	learner_on_watermark(&l, 5, 100);
	assert_null(learner_next(&l));
}

static void what_a_record_says_chosen_is_delivered(void **state)
{
	(void)state;
	add(5, 0, 16, false);
	add(0, 0, 4, true);
	assert_int_equal(learner_next(&l)->count, 4);
}

static void chosen_is_never_replaced_by_a_vote(void **state)
{
	(void)state;
	add(0, 0, 4, true);
	assert_false(add(9, 0, 16, false));
	assert_true(learner_next(&l)->chosen);
}

static void an_older_vote_does_not_replace_a_newer(void **state)
{
	(void)state;
	add(9, 0, 16, false);
	assert_false(add(5, 0, 8, false));
	assert_true(add(10, 0, 8, false));
}

static void a_hole_stops_delivery(void **state)
{
	(void)state;
	learner_on_watermark(&l, 5, 100);
	add(5, 16, 16, false);
	assert_null(learner_next(&l));
	add(5, 0, 16, false);
	learner_delivered(&l);
	assert_int_equal(learner_next(&l)->first, 16);
}

static void of_a_run_that_starts_below_only_the_rest_is_delivered(void **state)
{
	(void)state;
	add(0, 0, 12, true);
	learner_delivered(&l);
	assert_true(add(0, 10, 8, true));
	assert_int_equal(learner_next(&l)->first, 12);
	assert_int_equal(learner_next(&l)->count, 6);
	assert_ptr_equal(learner_next(&l)->body, body + 2 * ENTRY_BYTES);
}

static void what_is_delivered_is_not_taken_again(void **state)
{
	(void)state;
	add(0, 0, 12, true);
	learner_delivered(&l);
	assert_false(add(0, 0, 12, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_vote_below_its_ballots_watermark_is_delivered, setup),
		cmocka_unit_test_setup(a_vote_at_another_ballot_is_not_chosen_by_a_watermark,
			setup),
		cmocka_unit_test_setup(a_watermark_of_a_lower_ballot_is_not_heard, setup),
		cmocka_unit_test_setup(what_a_record_says_chosen_is_delivered, setup),
		cmocka_unit_test_setup(chosen_is_never_replaced_by_a_vote, setup),
		cmocka_unit_test_setup(an_older_vote_does_not_replace_a_newer, setup),
		cmocka_unit_test_setup(a_hole_stops_delivery, setup),
		cmocka_unit_test_setup(of_a_run_that_starts_below_only_the_rest_is_delivered,
			setup),
		cmocka_unit_test_setup(what_is_delivered_is_not_taken_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
