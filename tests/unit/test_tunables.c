/* What may change while a replica runs, and what it may become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/tunables.h"
#include "consensus/limits.h"

static struct tunables tunables;
static char error[512];

static bool when_set(const char *name, const char *value)
{
	return tunables_set(&tunables, 1, name, value, error, sizeof(error));
}

/* Refused with exactly this sentence, and nothing has changed. */
static void then_refuses(const char *name, const char *value, const char *sentence)
{
	struct tunables before;

	memcpy(&before, &tunables, sizeof(before));
	assert_false(when_set(name, value));
	assert_string_equal(error, sentence);
	assert_memory_equal(&before, &tunables, sizeof(before));
}

static int given_presets(void **state)
{
	(void)state;
	memset(&tunables, 0, sizeof(tunables));
	tunables_preset(&tunables);
	return 0;
}

static void the_presets_keep_every_rule_with_any_number_of_shards(void **state)
{
	struct complaint c;

	(void)state;
	for (uint32_t shards = 1; shards <= SHARD_MAX; shards *= 2) {
		complaint_init(&c, NULL, error, sizeof(error));
		if (!tunables_check(&tunables, shards, "", &c))
			fail_msg("%s", error);
	}
}

static void every_tunable_is_set_by_its_name(void **state)
{
	static const char *const values[TUNABLE_COUNT] = {
		[TUNABLE_BATCH] = "8",
		[TUNABLE_LINGER_US] = "3",
		[TUNABLE_WINDOW] = "1000",
		[TUNABLE_IDLE] = "busy",
		[TUNABLE_PACKING] = "false",
		[TUNABLE_HEARTBEAT_US] = "1000",
		[TUNABLE_ELECTION_TIMEOUT_MS] = "300",
		[TUNABLE_PROGRESS_TIMEOUT_MS] = "700",
		[TUNABLE_RETRANSMIT_US] = "900",
		[TUNABLE_COMMIT_IDLE_US] = "7",
		[TUNABLE_LAG_MAX] = "5000",
		[TUNABLE_LAG_TIMEOUT_MS] = "1234",
		[TUNABLE_HANDOVER_MS] = "35",
	};

	(void)state;
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct field *f = &tunables_fields()[i];
		char shown[FIELD_TEXT_MAX];

		assert_non_null(values[i]);
		assert_string_not_equal(values[i], f->preset);
		if (!when_set(f->key, values[i]))
			fail_msg("%s", error);
		field_show(f, &tunables, shown);
		assert_string_equal(shown, values[i]);
	}
	assert_int_equal(tunables.batch, 8);
	assert_int_equal(tunables.linger_us, 3);
	assert_int_equal(tunables.window, 1000);
	assert_int_equal(tunables.idle, IDLE_BUSY);
	assert_false(tunables.packing);
	assert_int_equal(tunables.heartbeat_us, 1000);
	assert_int_equal(tunables.election_timeout_ms, 300);
	assert_int_equal(tunables.progress_timeout_ms, 700);
	assert_int_equal(tunables.retransmit_us, 900);
	assert_int_equal(tunables.commit_idle_us, 7);
	assert_int_equal(tunables.lag_max, 5000);
	assert_int_equal(tunables.lag_timeout_ms, 1234);
	assert_int_equal(tunables.handover_ms, 35);
}

static void every_number_keeps_to_its_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct field *f = &tunables_fields()[i];
		char value[FIELD_TEXT_MAX];
		char range[FIELD_TEXT_MAX];

		if (f->kind != FIELD_UINT)
			continue;
		snprintf(range, sizeof(range), "out of range, give a number from %u to %u", f->min,
			f->max);
		snprintf(value, sizeof(value), "%llu", (unsigned long long)f->max + 1);
		assert_false(when_set(f->key, value));
		assert_non_null(strstr(error, range));
		if (f->min == 0)
			continue;
		snprintf(value, sizeof(value), "%u", f->min - 1);
		assert_false(when_set(f->key, value));
		assert_non_null(strstr(error, range));
	}
}

static void refuses_an_unknown_name_and_says_what_lists_the_known_ones(void **state)
{
	(void)state;
	then_refuses("bach", "8", "'bach' is no tunable: `paxwire-ctl tunables` lists them");
}

static void refuses_a_value_of_the_wrong_type(void **state)
{
	(void)state;
	then_refuses("batch", "eight",
		"batch: 'eight' is not a whole number, give a number from 0 to 256");
	then_refuses("batch", "", "batch: '' is not a whole number, give a number from 0 to 256");
	then_refuses("batch", "8 ",
		"batch: '8 ' is not a whole number, give a number from 0 to 256");
	then_refuses("idle", "sleep", "idle: 'sleep' is unknown, give busy, yield or adaptive");
	then_refuses("packing", "1", "packing: '1' is not a yes or no, give true or false");
}

static void refuses_a_line_break_in_the_sentence(void **state)
{
	(void)state;
	then_refuses("batch", "1\n2",
		"batch: '1?2' is not a whole number, give a number from 0 to 256");
}

static void a_window_holds_a_block_of_each_shard(void **state)
{
	(void)state;
	assert_true(tunables_set(&tunables, 4, "window", "1024", error, sizeof(error)));
	assert_false(tunables_set(&tunables, 4, "window", "1023", error, sizeof(error)));
	assert_string_equal(error,
		"window: 1023 is less than 256 for each of 4 shards, give at least 1024 or fewer "
		"shards");
	assert_int_equal(tunables.window, 1024);
	assert_true(when_set("window", "1"));
}

static void a_batch_fits_the_window(void **state)
{
	(void)state;
	assert_true(when_set("window", "16"));
	assert_true(when_set("batch", "16"));
	then_refuses("batch", "17",
		"batch: 17 is above the window, which is 16, give at most that or a wider window");
}

static void a_lag_is_at_least_the_window(void **state)
{
	(void)state;
	assert_true(when_set("window", "1000"));
	assert_true(when_set("lag_max", "1000"));
	then_refuses("lag_max", "999",
		"lag_max: 999 is below the window, which is 1000, give at least that or a narrower "
		"window");
	then_refuses("window", "1001",
		"lag_max: 1000 is below the window, which is 1001, give at least that or a narrower "
		"window");
}

static void three_heartbeats_fit_an_election_timeout(void **state)
{
	(void)state;
	assert_true(when_set("election_timeout_ms", "90"));
	assert_true(when_set("heartbeat_us", "30000"));
	then_refuses("heartbeat_us", "30001",
		"heartbeat_us: 30001 is more than a third of election_timeout_ms, which is 90 ms, give "
		"at most 30000 or a longer timeout");
}

static void two_retransmissions_fit_a_progress_timeout(void **state)
{
	(void)state;
	assert_true(when_set("progress_timeout_ms", "10"));
	then_refuses("retransmit_us", "5001",
		"retransmit_us: 5001 is more than half of progress_timeout_ms, which is 10 ms, give at "
		"most 5000 or a longer timeout");
}

static void the_watermark_goes_out_before_a_heartbeat_would_carry_it(void **state)
{
	(void)state;
	assert_true(when_set("heartbeat_us", "500"));
	assert_true(when_set("commit_idle_us", "500"));
	then_refuses("commit_idle_us", "501",
		"commit_idle_us: 501 is above heartbeat_us, which is 500 and carries the watermark too, "
		"give at most that");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_presets_keep_every_rule_with_any_number_of_shards,
			given_presets),
		cmocka_unit_test_setup(every_tunable_is_set_by_its_name, given_presets),
		cmocka_unit_test_setup(every_number_keeps_to_its_range, given_presets),
		cmocka_unit_test_setup(refuses_an_unknown_name_and_says_what_lists_the_known_ones,
			given_presets),
		cmocka_unit_test_setup(refuses_a_value_of_the_wrong_type, given_presets),
		cmocka_unit_test_setup(refuses_a_line_break_in_the_sentence, given_presets),
		cmocka_unit_test_setup(a_window_holds_a_block_of_each_shard, given_presets),
		cmocka_unit_test_setup(a_batch_fits_the_window, given_presets),
		cmocka_unit_test_setup(a_lag_is_at_least_the_window, given_presets),
		cmocka_unit_test_setup(three_heartbeats_fit_an_election_timeout, given_presets),
		cmocka_unit_test_setup(two_retransmissions_fit_a_progress_timeout, given_presets),
		cmocka_unit_test_setup(the_watermark_goes_out_before_a_heartbeat_would_carry_it,
			given_presets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
