/* The leader's stage and members that lag: whom clients wait for, and whom not. */
#include "tests/unit/given_leader.h"

enum {
	LAG_MAX = 8,
	LAG_TIMEOUT = 1000,
};

static int setup(void **state)
{
	setup_stranger(state);
	given_leading();
	return 0;
}

/* A follower votes for everything, and says that it delivered so much. */
static void choose_all_with(uint8_t member, uint64_t its_delivered)
{
	const struct window *w = &stage.proposer.window;

	hear_accepted(SELF, w->chosen, w->end - w->chosen, 1);
	hear_accepted(member, w->chosen, w->end - w->chosen, its_delivered);
}

/* Else: it is chosen a moment later, others deliver it, and their logs no longer hold what the one
 * that lags still misses. */
static void what_is_in_flight_counts_as_lag(void **state)
{
	(void)state;
	settings.lag_max = LAG_MAX;
	with_commands(9, LAG_MAX - 1);
	when_requested();
	assert_int_equal(stage.counters.busy, 0);
	with_commands(29, 1);
	when_requested();
	with_commands(39, 1);
	when_requested();
	assert_int_equal(stage.counters.busy, 1);
}

static void while_a_live_follower_lags_clients_hear_busy(void **state)
{
	(void)state;
	settings.lag_max = LAG_MAX;
	hear_heartbeat(1, 0, 0, 1, 1);
	hear_heartbeat(2, 0, 0, 1, 1);
	with_commands(9, 8);
	when_requested();
	choose_all_with(1, 9);
	/* Member 2 is 8 behind: as much as it may be. */
	with_commands(30, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	choose_all_with(1, 10);
	with_commands(40, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 40, REPLY_BUSY, 0);
	hear_heartbeat(2, 0, 0, 2, 2);
	with_commands(40, 1);
	when_requested();
	the_only(MESSAGE_REPLY);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 3);
}

/* F1. Else: its disk is slow, it crashes, and the others' logs no longer hold where it stands again. */
static void a_follower_lags_by_what_a_crash_leaves_it(void **state)
{
	(void)state;
	settings.lag_max = LAG_MAX;
	with_commands(9, 8);
	when_requested();
	choose_all_with(1, 9);
	hear_heartbeat(2, 0, 0, 9, 0);
	with_commands(30, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 30, REPLY_BUSY, 0);
	hear_heartbeat(2, 0, 0, 9, 9);
	with_commands(30, 1);
	when_requested();
	the_only(MESSAGE_REPLY);
}

static void with_a_journal_the_own_acceptors_lag_counts_too(void **state)
{
	/* Their window follows what is durably delivered: beyond it they could not vote. */
	const struct message durable = {.type = MESSAGE_PINNED, .watermark = 11};

	(void)state;
	settings.lag_max = LAG_MAX;
	settings.durability = DURABILITY_SYNC;
	with_commands(9, 10);
	when_requested();
	hear_accepted(1, 1, 10, 11);
	hear_accepted(2, 1, 10, 11);
	hear_accepted(SELF, 1, 10, 1);
	with_commands(30, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 30, REPLY_BUSY, 0);
	/* What it votes for next would tell; but nothing is taken that it could vote for. */
	leader_stage_on_message(&stage, &durable, NULL, now);
	with_commands(30, 1);
	when_requested();
	the_only(MESSAGE_REPLY);
}

static void a_dead_follower_slows_nobody(void **state)
{
	(void)state;
	settings.lag_max = LAG_MAX;
	hear_heartbeat(2, 0, 0, 1, 1);
	with_commands(9, 10);
	when_requested();
	choose_all_with(1, 11);
	with_commands(30, 1);
	when_requested();
	the_only(MESSAGE_REPLY);
	/* It is heard, and stands still. */
	now += LAG_TIMEOUT - 1;
	hear_heartbeat(2, 0, 0, 1, 1);
	with_commands(30, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	now += 1;
	with_commands(30, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 2);
}

/* Member 2 stood still for LAG_TIMEOUT, ten instances behind. */
static void given_lagged_out(void)
{
	settings.lag_max = LAG_MAX;
	hear_heartbeat(2, 0, 0, 1, 1);
	with_commands(9, 10);
	when_requested();
	choose_all_with(1, 11);
	now += LAG_TIMEOUT;
}

static void who_lagged_out_slows_nobody_until_it_has_caught_up(void **state)
{
	/* Else: a follower that fetches a long past from a log slows everybody all that while. */
	(void)state;
	given_lagged_out();
	hear_heartbeat(2, 0, 0, 2, 2);
	with_commands(30, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	choose_all_with(1, 12);
	hear_heartbeat(2, 0, 0, 3, 3);
	now += 1;
	with_commands(31, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	choose_all_with(1, 13);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 3);
}

static void who_has_caught_up_slows_again(void **state)
{
	(void)state;
	given_lagged_out();
	hear_heartbeat(2, 0, 0, 2, 2);
	hear_heartbeat(2, 0, 0, 3, 3);
	with_commands(30, 1);
	when_requested();
	choose_all_with(1, 12);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	with_commands(31, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 31, REPLY_BUSY, 0);
}

static void hear_installing(uint64_t instance)
{
	const struct message installing = {
		.type = MESSAGE_INSTALLING,
		.first = instance,
		.sender = 2,
		.uuid = uuid_of(2),
	};

	leader_stage_on_message(&stage, &installing, NULL, now);
}

static void who_installs_a_snapshot_counts_as_one_that_stands_there(void **state)
{
	/* Else: it is out, commits go on, and the snapshot is too old when it is installed. */
	(void)state;
	given_lagged_out();
	hear_heartbeat(2, 0, 0, 1, 0);
	assert_true(stage.peers[2].out);
	sent_count = 0;
	hear_installing(2);
	with_commands(70, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 70, REPLY_BUSY, 0);
	/* No more news of it: it slows nobody. */
	now += LAG_TIMEOUT;
	with_commands(71, 1);
	when_requested();
	the_only(MESSAGE_REPLY);
}

static void who_installs_a_snapshot_lags_by_what_lies_behind_it(void **state)
{
	/* Else: nothing is taken while it installs what was cut a moment ago. */
	(void)state;
	given_lagged_out();
	sent_count = 0;
	hear_installing(11);
	with_commands(70, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 1);
}

static void who_had_nothing_to_deliver_did_not_lag(void **state)
{
	/* Else: after a pause, nobody counts until the followers are far behind. */
	(void)state;
	settings.lag_max = LAG_MAX;
	hear_heartbeat(2, 0, 0, 1, 1);
	now += LAG_TIMEOUT;
	hear_heartbeat(2, 0, 0, 1, 1);
	with_commands(9, 10);
	when_requested();
	choose_all_with(1, 11);
	with_commands(30, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 30, REPLY_BUSY, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_in_flight_counts_as_lag, setup),
		cmocka_unit_test_setup(while_a_live_follower_lags_clients_hear_busy, setup),
		cmocka_unit_test_setup(a_follower_lags_by_what_a_crash_leaves_it, setup),
		cmocka_unit_test_setup(with_a_journal_the_own_acceptors_lag_counts_too, setup),
		cmocka_unit_test_setup(a_dead_follower_slows_nobody, setup),
		cmocka_unit_test_setup(who_lagged_out_slows_nobody_until_it_has_caught_up, setup),
		cmocka_unit_test_setup(who_has_caught_up_slows_again, setup),
		cmocka_unit_test_setup(who_installs_a_snapshot_counts_as_one_that_stands_there,
			setup),
		cmocka_unit_test_setup(who_installs_a_snapshot_lags_by_what_lies_behind_it, setup),
		cmocka_unit_test_setup(who_had_nothing_to_deliver_did_not_lag, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
