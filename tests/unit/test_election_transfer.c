/* The lead moves by command: who is told to stand, and when it does. */
#include "tests/unit/given_election.h"

static void hears_timeout_now(uint8_t member, uint64_t ballot, uint64_t chosen)
{
	const struct message m = {.sender = member, .ballot = ballot, .first = chosen};

	election_on_timeout_now(&e, &m, now);
}

/* Member 2 leads at ballot 1, and everybody hears everybody. */
static void given_follower_of_2(void)
{
	hears(1, 0, 0, EVERYBODY);
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
	now += 1;
	tick();
}

static void who_is_told_by_its_leader_stands_at_once_and_asks_nobody(void **state)
{
	struct election_output out;

	(void)state;
	given_follower_of_2();
	hears_timeout_now(2, ballot_make(1, 2), 0);
	out = tick();
	assert_true(out.stand);
	assert_false(out.prevote);
	assert_int_equal(e.ballot, ballot_make(2, 0));
}

static void who_is_told_to_stand_first_delivers_what_was_chosen(void **state)
{
	struct election_output out;

	(void)state;
	given_follower_of_2();
	hears_timeout_now(2, ballot_make(1, 2), 7);
	out = election_on_tick(&e, now, 6, false);
	assert_false(out.stand);
	assert_true(out.catch_up);
	assert_int_equal(e.grants_delivered, 7);
	assert_int_equal(e.grants_from, 2);
	assert_true(election_on_tick(&e, now, 7, false).stand);
}

static void who_can_not_deliver_it_in_time_follows_on(void **state)
{
	(void)state;
	given_follower_of_2();
	hears_timeout_now(2, ballot_make(1, 2), 7);
	for (uint32_t i = 0; i < TIMEOUT / 2 / HEARTBEAT; i++) {
		now += HEARTBEAT;
		hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
		assert_false(tick().stand);
	}
	assert_int_equal(e.state, ELECTION_FOLLOWER);
	/* What was allowed once is not allowed for ever: a leader ends a later pre-vote. */
	assert_true(asks_within(3 * TIMEOUT));
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
	grants(1, e.ballot, PREVOTED_GRANTED, 0);
	assert_false(tick().stand);
}

static void who_does_not_lead_tells_nobody_to_stand(void **state)
{
	/* E5. Else: a frame that is late, or of another leadership, deposes who leads now. */
	(void)state;
	hears_timeout_now(2, ballot_make(1, 2), 0);
	assert_false(tick().stand);
	given_follower_of_2();
	hears_timeout_now(1, ballot_make(1, 2), 0);
	hears_timeout_now(2, ballot_make(1, 1), 0);
	hears_timeout_now(2, ballot_make(2, 2), 0);
	hears_timeout_now(2, 0, 0);
	assert_false(tick().stand);
	assert_int_equal(e.state, ELECTION_FOLLOWER);
}

static void who_is_not_connected_does_not_stand_though_told(void **state)
{
	(void)state;
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), 1 << 2);
	now += 1;
	tick();
	hears_timeout_now(2, ballot_make(1, 2), 0);
	assert_false(tick().stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_is_told_by_its_leader_stands_at_once_and_asks_nobody,
			setup),
		cmocka_unit_test_setup(who_is_told_to_stand_first_delivers_what_was_chosen, setup),
		cmocka_unit_test_setup(who_can_not_deliver_it_in_time_follows_on, setup),
		cmocka_unit_test_setup(who_does_not_lead_tells_nobody_to_stand, setup),
		cmocka_unit_test_setup(who_is_not_connected_does_not_stand_though_told, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
