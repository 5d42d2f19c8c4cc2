/* The trace: steps of all stages as lines in time order; what does not fit is counted. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/transition.h"
#include "dataplane/trace.h"
#include "tests/unit/given_dpdk.h"

enum {
	SELF = 2,
	STEPS = 1000,
	RING_STEPS = 16383, /* What one stage's ring holds. */
	LINE_MAX_BYTES = 256,
};

/* All that the trace looks at: its crossings, and who it is. */
static struct replica replica;
static char *text;
static size_t text_bytes;

static int setup(void **state)
{
	(void)state;
	memset(&replica, 0, sizeof(replica));
	replica.settings.self = SELF;
	for (uint32_t p = 0; p < POSITIONS_MAX; p++)
		replica.crossings[p].outlet.context = &replica.crossings[p];
	return trace_start(&replica) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	trace_stop(&replica);
	free(text);
	text = NULL;
	return 0;
}

static void when_step(uint32_t position, enum transition_event event, uint64_t first)
{
	outlet_watch(&replica.crossings[position].outlet, event, ballot_make(3, 1), first, 5);
}

static uint64_t when_drained(void)
{
	free(text);
	FILE *out = open_memstream(&text, &text_bytes);

	assert_non_null(out);
	uint64_t lines = trace_drain(&replica, out);

	fclose(out);
	return lines;
}

/* The line without its time, which must be one. Moves *at behind it. */
static const char *next_line(const char **at, uint64_t *ns)
{
	static char line[LINE_MAX_BYTES];
	const char *end = strchr(*at, '\n');
	char *rest;

	assert_non_null(end);
	*ns = strtoull(*at, &rest, 10);
	assert_true(rest > *at && *rest == ' ');
	snprintf(line, sizeof(line), "%.*s", (int)(end - rest - 1), rest + 1);
	*at = end + 1;
	return line;
}

static void a_step_is_a_line_of_the_documented_form(void **state)
{
	const char *const expected[] = {
		"replica 2 leader 0 proposed 3:1 [100, 105)",
		"replica 2 learner 0 delivered 3:1 [200, 205)",
		"replica 2 acceptor 0 voted 3:1 [300, 305)",
		"replica 2 acceptor 3 promised 3:1 [18446744073709551000, 18446744073709551005)",
	};
	uint64_t ns;

	(void)state;
	when_step(POSITION_LEADER, TRANSITION_PROPOSED, 100);
	when_step(POSITION_LEARNER, TRANSITION_DELIVERED, 200);
	when_step(POSITION_ACCEPTOR, TRANSITION_VOTED, 300);
	when_step(POSITION_ACCEPTOR + 3, TRANSITION_PROMISED, 18446744073709551000u);
	assert_int_equal(when_drained(), 4);
	const char *at = text;

	for (uint32_t i = 0; i < 4; i++)
		assert_string_equal(next_line(&at, &ns), expected[i]);
	assert_string_equal(at, "");
}

static void every_event_has_its_own_name(void **state)
{
	char line[LINE_MAX_BYTES];
	uint64_t ns;

	(void)state;
	for (uint32_t e = 0; e < TRANSITION_EVENTS; e++) {
		assert_string_not_equal(transition_text(e), "unknown");
		for (uint32_t other = 0; other < e; other++)
			assert_string_not_equal(transition_text(e), transition_text(other));
		when_step(POSITION_LEADER, (enum transition_event)e, 0);
		assert_int_equal(when_drained(), 1);
		const char *at = text;

		snprintf(line, sizeof(line), "replica 2 leader 0 %s 3:1 [0, 5)",
			transition_text(e));
		assert_string_equal(next_line(&at, &ns), line);
	}
}

/* By turns, and more often of one: whatever the order in which the rings are looked at. */
static void steps_of_all_stages_come_out_in_time_order(void **state)
{
	const uint32_t positions[] = {POSITION_LEARNER, POSITION_ACCEPTOR + 1, POSITION_LEARNER,
		POSITION_LEADER, POSITION_ACCEPTOR, POSITION_LEARNER};
	char expected[LINE_MAX_BYTES];
	uint64_t before = 0;
	uint64_t ns;

	(void)state;
	for (uint32_t i = 0; i < STEPS; i++)
		when_step(positions[i % 6], TRANSITION_STORED, i);
	assert_int_equal(when_drained(), STEPS);
	const char *at = text;

	for (uint32_t i = 0; i < STEPS; i++) {
		const char *line = next_line(&at, &ns);

		snprintf(expected, sizeof(expected), " stored 3:1 [%u, %u)", i, i + 5);
		assert_non_null(strstr(line, expected));
		assert_true(ns >= before);
		before = ns;
	}
}

static void what_was_drained_is_not_drained_again(void **state)
{
	(void)state;
	assert_int_equal(when_drained(), 0);
	when_step(POSITION_LEADER, TRANSITION_LEADING, 1);
	assert_int_equal(when_drained(), 1);
	assert_int_equal(when_drained(), 0);
	assert_int_equal(text_bytes, 0);
}

static void a_full_ring_loses_the_newest_and_counts_them(void **state)
{
	uint64_t ns;

	(void)state;
	for (uint32_t i = 0; i < RING_STEPS + 7; i++)
		when_step(POSITION_LEADER, TRANSITION_PROPOSED, i);
	when_step(POSITION_LEARNER, TRANSITION_DELIVERED, 77);
	assert_int_equal(trace_lost(&replica), 7);
	assert_int_equal(when_drained(), RING_STEPS + 1);
	const char *at = text;

	for (uint32_t i = 0; i < RING_STEPS; i++)
		next_line(&at, &ns);
	assert_string_equal(next_line(&at, &ns), "replica 2 learner 0 delivered 3:1 [77, 82)");
	/* There is room again. */
	when_step(POSITION_LEADER, TRANSITION_PROPOSED, 1);
	assert_int_equal(when_drained(), 1);
	assert_int_equal(trace_lost(&replica), 7);
	for (uint32_t i = 0; i < RING_STEPS + 1; i++)
		when_step(POSITION_ACCEPTOR, TRANSITION_VOTED, i);
	assert_int_equal(trace_lost(&replica), 8);
}

static void off_costs_no_call(void **state)
{
	(void)state;
	trace_stop(&replica);
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		assert_null(replica.crossings[p].outlet.watch);
		assert_null(replica.crossings[p].trace);
		when_step(p, TRANSITION_VOTED, 1);
	}
	assert_int_equal(when_drained(), 0);
	assert_int_equal(trace_lost(&replica), 0);
	/* And it can be started anew: the rings' names are free. */
	assert_true(trace_start(&replica));
	when_step(POSITION_ACCEPTOR, TRANSITION_VOTED, 1);
	assert_int_equal(when_drained(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_is_a_line_of_the_documented_form),
		TEST(every_event_has_its_own_name),
		TEST(steps_of_all_stages_come_out_in_time_order),
		TEST(what_was_drained_is_not_drained_again),
		TEST(a_full_ring_loses_the_newest_and_counts_them),
		TEST(off_costs_no_call),
	};

	if (!given_dpdk("trace"))
		return SKIPPED;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	return failed;
}
