/* When a leader is too slow to go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/handover.h"

enum {
	BOUND = 100,
	PERIOD = HANDOVER_PERIOD * BOUND,
};

static struct window window;
static struct handover handover;
static uint64_t now;
static bool over;

static int setup(void **state)
{
	(void)state;
	window_init(&window, 0);
	now = 5000;
	over = false;
	handover_begin(&handover, now);
	return 0;
}

static void tick(void)
{
	over = handover_on_tick(&handover, BOUND, &window, now) || over;
}

/* One run, chosen after so long. */
static void commit(uint64_t latency)
{
	window_push(&window, 1, now);
	tick();
	for (uint64_t end = now + latency; now < end;) {
		now += end - now < BOUND / 4 ? end - now : BOUND / 4;
		tick();
	}
	window.oldest = window.next;
	window.chosen = window.end;
	handover_on_chosen(&handover, BOUND, window.chosen, now);
	tick();
}

static void pass(uint64_t span, uint64_t latency)
{
	for (uint64_t end = now + span; now < end;)
		commit(latency);
}

static void a_leader_that_is_quick_stays(void **state)
{
	(void)state;
	pass(20 * PERIOD, BOUND - 1);
	assert_false(over);
}

static void a_leader_that_is_always_slow_hands_over_after_its_rest(void **state)
{
	(void)state;
	pass((HANDOVER_REST - 1) * PERIOD, BOUND + 1);
	assert_false(over);
	pass(2 * PERIOD, BOUND + 1);
	assert_true(over);
}

static void slow_once_is_not_enough(void **state)
{
	/* Else: one stall of the machine moves the lead. */
	(void)state;
	pass(5 * PERIOD, BOUND / 2);
	for (uint32_t i = 0; i < 5; i++) {
		commit(PERIOD);
		pass(2 * PERIOD, BOUND / 2);
	}
	assert_false(over);
}

static void a_quarter_of_the_time_is_enough(void **state)
{
	(void)state;
	pass(5 * PERIOD, BOUND / 2);
	for (uint32_t i = 0; i < 12; i++) {
		commit(2 * BOUND);
		pass(PERIOD, BOUND / 2);
	}
	assert_false(over);
	for (uint32_t i = 0; i < 24; i++) {
		commit(2 * BOUND);
		pass(4 * BOUND, BOUND / 2);
	}
	assert_true(over);
}

/* Nothing in flight. */
static void idle(uint64_t span)
{
	for (uint64_t end = now + span; now < end; now += BOUND / 4)
		tick();
}

static void a_leader_with_little_to_do_is_slow_by_what_it_does(void **state)
{
	/* Else: one run at a time, each too slow, with pauses between: nobody calls that slow. */
	(void)state;
	for (uint32_t i = 0; i < 3 * HANDOVER_REST && !over; i++) {
		commit(2 * BOUND);
		idle(2 * PERIOD);
	}
	assert_true(over);
}

static void a_quick_run_between_two_slow_ones_is_a_reason_to_stay(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3 * HANDOVER_REST; i++) {
		commit(2 * BOUND);
		idle(2 * PERIOD);
		commit(BOUND / 2);
		idle(2 * PERIOD);
	}
	assert_false(over);
}

static void a_run_that_is_never_chosen_counts_meanwhile(void **state)
{
	/* Else: a disk that hangs is not slow. */
	(void)state;
	pass(5 * PERIOD, BOUND / 2);
	window_push(&window, 1, now);
	for (uint32_t i = 0; i < 3 * HANDOVER_PERIOD; i++) {
		now += BOUND;
		tick();
	}
	assert_true(over);
}

static void who_commits_nothing_is_not_slow(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20 * HANDOVER_PERIOD; i++) {
		now += BOUND;
		tick();
	}
	assert_false(over);
}

static void without_a_bound_nobody_is_slow(void **state)
{
	(void)state;
	window_push(&window, 1, now);
	for (uint32_t i = 0; i < 20 * HANDOVER_PERIOD; i++) {
		now += BOUND;
		assert_false(handover_on_tick(&handover, 0, &window, now));
	}
}

static void another_chance_begins_anew(void **state)
{
	(void)state;
	pass(6 * PERIOD, BOUND + 1);
	assert_true(over);
	over = false;
	handover_begin(&handover, now);
	pass((HANDOVER_REST - 1) * PERIOD, BOUND + 1);
	assert_false(over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_leader_that_is_quick_stays, setup),
		cmocka_unit_test_setup(a_leader_that_is_always_slow_hands_over_after_its_rest,
			setup),
		cmocka_unit_test_setup(slow_once_is_not_enough, setup),
		cmocka_unit_test_setup(a_quarter_of_the_time_is_enough, setup),
		cmocka_unit_test_setup(a_leader_with_little_to_do_is_slow_by_what_it_does, setup),
		cmocka_unit_test_setup(a_quick_run_between_two_slow_ones_is_a_reason_to_stay,
			setup),
		cmocka_unit_test_setup(a_run_that_is_never_chosen_counts_meanwhile, setup),
		cmocka_unit_test_setup(who_commits_nothing_is_not_slow, setup),
		cmocka_unit_test_setup(without_a_bound_nobody_is_slow, setup),
		cmocka_unit_test_setup(another_chance_begins_anew, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
