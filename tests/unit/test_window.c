/* The runs in flight: votes by range, chosen without a hole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/window.h"

static struct window w;
static struct quorum majority;

static int setup(void **state)
{
	(void)state;
	quorum_init_majority(&majority, 3);
	window_init(&w, 100);
	window_push(&w, 16, 1);
	window_push(&w, 17, 2);
	window_push(&w, 1, 3);
	return 0;
}

static void a_run_is_chosen_by_a_quorum_not_before(void **state)
{
	(void)state;
	window_vote(&w, 0, 100, 16);
	assert_false(window_advance(&w, &majority));
	window_vote(&w, 2, 100, 16);
	assert_true(window_advance(&w, &majority));
	assert_int_equal(w.chosen, 116);
}

static void one_member_twice_is_no_quorum(void **state)
{
	(void)state;
	window_vote(&w, 1, 100, 16);
	window_vote(&w, 1, 100, 16);
	assert_false(window_advance(&w, &majority));
}

static void a_hole_holds_what_follows_back(void **state)
{
	/* Else: 1-16 lost, 17-33 arrive, and "watermark 34" is read as votes for 1-33. */
	(void)state;
	window_vote(&w, 0, 116, 17);
	window_vote(&w, 1, 116, 17);
	assert_false(window_advance(&w, &majority));
	window_vote(&w, 0, 100, 16);
	window_vote(&w, 1, 100, 16);
	assert_true(window_advance(&w, &majority));
	assert_int_equal(w.chosen, 133);
}

static void a_range_votes_for_every_run_wholly_inside_it_and_no_other(void **state)
{
	(void)state;
	window_vote(&w, 0, 100, 20);
	window_vote(&w, 1, 90, 43);
	assert_true(window_advance(&w, &majority));
	assert_int_equal(w.chosen, 116);
	assert_int_equal(w.flights[1].votes, 1u << 1);
}

static void ranges_out_of_order_find_their_runs(void **state)
{
	(void)state;
	window_vote(&w, 0, 133, 1);
	window_vote(&w, 0, 100, 16);
	window_vote(&w, 0, 116, 17);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(w.flights[i].votes, 1);
}

static void a_range_of_what_was_passed_changes_nothing(void **state)
{
	(void)state;
	window_vote(&w, 0, 100, 34);
	window_vote(&w, 1, 100, 34);
	window_advance(&w, &majority);
	window_vote(&w, 2, 50, 50);
	assert_int_equal(window_span(&w), 0);
}

static void the_oldest_unsent_run_is_due_first(void **state)
{
	struct flight *f;

	(void)state;
	assert_null(window_due(&w, 0, 64));
	f = window_due(&w, 2, 64);
	assert_int_equal(f->first, 100);
	f->sent_ns = 10;
	assert_int_equal(window_due(&w, 2, 64)->first, 116);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_run_is_chosen_by_a_quorum_not_before, setup),
		cmocka_unit_test_setup(one_member_twice_is_no_quorum, setup),
		cmocka_unit_test_setup(a_hole_holds_what_follows_back, setup),
		cmocka_unit_test_setup(a_range_votes_for_every_run_wholly_inside_it_and_no_other,
			setup),
		cmocka_unit_test_setup(ranges_out_of_order_find_their_runs, setup),
		cmocka_unit_test_setup(a_range_of_what_was_passed_changes_nothing, setup),
		cmocka_unit_test_setup(the_oldest_unsent_run_is_due_first, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
