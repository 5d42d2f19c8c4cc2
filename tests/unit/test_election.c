/* Who leads: what silence, a promise, a grant and a stall mean. */
#include "tests/unit/given_election.h"

static struct quorum quorum;

static void who_hears_a_leader_supports_nobody(void **state)
{
	(void)state;
	assert_true(supports(ballot_make(9, 1)));
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
	assert_false(supports(ballot_make(9, 1)));
	silence(TIMEOUT - HEARTBEAT);
	assert_false(supports(ballot_make(9, 1)));
	silence(HEARTBEAT);
	assert_true(supports(ballot_make(9, 1)));
}

static void a_promise_is_followed_by_one_timeout_without_support(void **state)
{
	(void)state;
	election_on_promised(&e, ballot_make(1, 2), now);
	silence(TIMEOUT - HEARTBEAT);
	assert_false(supports(ballot_make(9, 1)));
	silence(HEARTBEAT);
	assert_true(supports(ballot_make(9, 1)));
}

static void supports_only_a_ballot_above_all_it_saw(void **state)
{
	(void)state;
	election_saw(&e, ballot_make(5, 2));
	assert_false(supports(ballot_make(5, 1)));
	assert_false(supports(ballot_make(5, 2)));
	assert_true(supports(ballot_make(6, 1)));
}

static void a_candidate_and_a_leader_support_nobody_else(void **state)
{
	(void)state;
	given_candidate();
	assert_false(supports(ballot_make(9, 1)));
	election_won(&e, now);
	now += TIMEOUT;
	assert_false(supports(ballot_make(9, 1)));
}

static void a_heartbeat_before_the_noop_is_chosen_is_no_leaders(void **state)
{
	(void)state;
	hears(2, 0, ballot_make(1, 2), EVERYBODY);
	assert_int_equal(e.leader, ELECTION_NOBODY);
	assert_true(supports(ballot_make(9, 1)));
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
	assert_int_equal(e.leader, 2);
}

static void a_leader_of_an_older_ballot_is_not_heard(void **state)
{
	(void)state;
	hears(2, HEARTBEAT_LEADS, ballot_make(3, 2), EVERYBODY);
	hears(1, HEARTBEAT_LEADS, ballot_make(2, 1), EVERYBODY);
	assert_int_equal(e.leader, 2);
	hears(1, HEARTBEAT_LEADS, ballot_make(4, 1), EVERYBODY);
	assert_int_equal(e.leader, 1);
}

static void who_hears_nobody_does_not_stand(void **state)
{
	(void)state;
	silence(10 * TIMEOUT);
	assert_int_equal(e.state, ELECTION_FOLLOWER);
	assert_true(asks_within(TIMEOUT));
}

static void who_is_not_heard_by_a_quorum_does_not_stand(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++, now += HEARTBEAT) {
		hears(1, 0, 0, 1u << 1 | 1u << 2);
		hears(2, 0, 0, 1u << 1 | 1u << 2);
		assert_false(tick().prevote);
	}
	assert_true(asks_within(TIMEOUT));
}

static void standing_needs_a_quorum_of_each_phase(void **state)
{
	(void)state;
	for (uint32_t q1 = 1; q1 <= MEMBERS; q1 += 2) {
		quorum_init_threshold(&quorum, MEMBERS, q1, MEMBERS + 1 - q1);
		settings.quorum = &quorum;
		election_init(&e, &settings);
		for (uint32_t i = 0; i < 100; i++, now += HEARTBEAT) {
			hears(1, 0, 0, EVERYBODY);
			assert_false(tick().prevote);
		}
		assert_true(asks_within(TIMEOUT));
	}
}

static void a_fresh_cluster_stands_by_member_id(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (uint32_t self = 0; self < MEMBERS; self++) {
		settings.self = self;
		election_init(&e, &settings);
		now = 1000;
		for (uint32_t i = 0; i < MEMBERS; i++)
			e.echoes[i] = EVERYBODY;
		do {
			now++;
			for (uint32_t i = 0; i < MEMBERS; i++)
				e.heard_ns[i] = now;
		} while (!tick().prevote && now < 1000 + TIMEOUT);
		assert_int_equal(e.state, ELECTION_PREVOTING);
		assert_true(now > before);
		before = now;
	}
}

static void stands_in_the_round_above_the_highest_seen(void **state)
{
	(void)state;
	election_saw(&e, ballot_make(8, 2));
	given_prevoting();
	assert_int_equal(e.ballot, ballot_make(9, 0));
}

static void stands_only_with_a_phase_1_quorum_of_grants(void **state)
{
	(void)state;
	given_prevoting();
	assert_false(tick().stand);
	grants(1, e.ballot, 0, 0);
	assert_false(tick().stand);
	grants(1, e.ballot - 1, PREVOTED_GRANTED, 0);
	assert_false(tick().stand);
	grants(1, e.ballot, PREVOTED_GRANTED, 0);
	assert_true(tick().stand);
	assert_false(tick().stand);
}

static void grants_of_an_earlier_question_do_not_count(void **state)
{
	(void)state;
	given_prevoting();
	grants(1, e.ballot, PREVOTED_GRANTED, 0);
	settings.quorum = &quorum;
	quorum_init_threshold(&quorum, MEMBERS, 3, 1);
	while (e.state == ELECTION_PREVOTING) {
		now += HEARTBEAT;
		hears_the_others();
		assert_false(tick().stand);
	}
	settings.quorum = &majority;
	assert_true(asks_within(2 * TIMEOUT));
	assert_false(tick().stand);
}

static void catches_up_to_the_highest_grant_before_it_stands(void **state)
{
	struct election_output out;

	(void)state;
	given_prevoting();
	grants(1, e.ballot, PREVOTED_GRANTED, 40);
	grants(2, e.ballot, PREVOTED_GRANTED, 30);
	out = election_on_tick(&e, now, 39, false);
	assert_true(out.catch_up);
	assert_false(out.stand);
	assert_int_equal(e.grants_delivered, 40);
	assert_int_equal(e.grants_from, 1);
	out = election_on_tick(&e, now, 40, false);
	assert_false(out.catch_up);
	assert_true(out.stand);
}

static void a_prevote_ends_when_a_leader_is_heard(void **state)
{
	(void)state;
	given_prevoting();
	grants(1, e.ballot, PREVOTED_GRANTED, 0);
	hears(2, HEARTBEAT_LEADS, ballot_make(1, 2), EVERYBODY);
	assert_false(tick().stand);
	assert_int_equal(e.state, ELECTION_FOLLOWER);
}

static void a_prevote_without_success_backs_off_with_jitter(void **state)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		assert_true(asks_within(TIMEOUT));
		while (e.state == ELECTION_PREVOTING) {
			now += HEARTBEAT;
			hears_the_others();
			assert_false(tick().stand);
		}
		uint64_t wait = e.stand_ns - now;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_true(least >= TIMEOUT / 4 && most <= TIMEOUT * 3 / 4);
	assert_true(most - least >= TIMEOUT / 4);
}

static void phase_1_has_a_timeout(void **state)
{
	(void)state;
	given_candidate();
	silence(TIMEOUT - HEARTBEAT);
	assert_false(tick().step_down);
	now += HEARTBEAT;
	assert_true(tick().step_down);
}

static void who_steps_down_sits_out_a_backoff(void **state)
{
	(void)state;
	given_leader();
	assert_int_equal(e.leader, 0);
	election_lost(&e, now);
	assert_int_equal(e.leader, ELECTION_NOBODY);
	assert_false(asks_within(TIMEOUT / 4));
	assert_true(asks_within(TIMEOUT));
}

static void a_leader_that_no_phase_2_quorum_hears_steps_down(void **state)
{
	(void)state;
	given_leader();
	hears(1, 0, 0, EVERYBODY);
	hears(2, 0, 0, 1u << 1 | 1u << 2);
	assert_false(tick().step_down);
	hears(1, 0, 0, 1u << 1 | 1u << 2);
	assert_true(tick().step_down);
}

static void a_leader_that_hears_no_phase_2_quorum_steps_down(void **state)
{
	(void)state;
	given_leader();
	silence(TIMEOUT - HEARTBEAT);
	assert_false(tick().step_down);
	now += HEARTBEAT;
	assert_true(tick().step_down);
}

static bool steps_down_within(uint64_t span, bool in_flight)
{
	for (uint64_t end = now + span; now < end;) {
		now += HEARTBEAT;
		hears_the_others();
		if (election_on_tick(&e, now, 0, in_flight).step_down)
			return true;
	}
	return false;
}

static void a_leader_with_runs_of_which_none_is_chosen_steps_down(void **state)
{
	(void)state;
	given_leader();
	assert_false(steps_down_within(2 * PROGRESS, false));
	assert_false(steps_down_within(PROGRESS, true));
	election_progress(&e, now);
	assert_false(steps_down_within(PROGRESS, true));
	assert_true(steps_down_within(HEARTBEAT, true));
}

static void evidence_of_a_higher_ballot_makes_it_step_down(void **state)
{
	(void)state;
	assert_false(election_saw(&e, ballot_make(1, 2)));
	given_leader();
	assert_false(election_saw(&e, e.ballot));
	assert_false(election_saw(&e, e.ballot - 1));
	assert_true(election_saw(&e, e.ballot + 1));
	assert_true(election_on_promised(&e, e.ballot + 1, now));
	assert_true(hears(2, 0, e.ballot + 1, EVERYBODY));
}

static void silence_during_our_own_stall_is_not_held_against_the_leader(void **state)
{
	(void)state;
	hears(1, HEARTBEAT_LEADS, ballot_make(1, 1), EVERYBODY);
	tick();
	now += 10 * TIMEOUT;
	tick();
	assert_int_equal(e.leader, 1);
	assert_int_equal(election_heard(&e, now), 1u << 0 | 1u << 1);
	assert_false(supports(ballot_make(9, 2)));
	silence(TIMEOUT);
	assert_int_equal(e.leader, ELECTION_NOBODY);
	assert_int_equal(election_heard(&e, now), 1u << 0);
}

static void who_wakes_up_supports_nobody_before_its_leader_had_time_to_speak(void **state)
{
	(void)state;
	hears(1, HEARTBEAT_LEADS, ballot_make(1, 1), EVERYBODY);
	tick();
	now += 10 * TIMEOUT;
	assert_false(supports(ballot_make(9, 2)));
}

static void a_stall_does_not_shorten_what_a_promise_means(void **state)
{
	(void)state;
	tick();
	election_on_promised(&e, ballot_make(1, 2), now);
	now += 10 * TIMEOUT;
	assert_false(supports(ballot_make(9, 1)));
	silence(TIMEOUT);
	assert_true(supports(ballot_make(9, 1)));
}

static void a_stalled_leader_may_hear_its_followers_first(void **state)
{
	(void)state;
	given_leader();
	now += 10 * PROGRESS;
	assert_false(election_on_tick(&e, now, 0, true).step_down);
}

static void what_is_heard_after_a_stall_is_heard_then(void **state)
{
	/* Else: a leader that dies after we were stalled for an hour is believed for an hour. */
	(void)state;
	tick();
	now += 10 * TIMEOUT;
	hears(1, HEARTBEAT_LEADS, ballot_make(1, 1), EVERYBODY);
	tick();
	silence(TIMEOUT);
	assert_int_equal(e.leader, ELECTION_NOBODY);
	assert_int_equal(election_heard(&e, now), 1u << 0);
}

static void a_dead_leader_is_followed_after_some_jitter(void **state)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		hears(1, HEARTBEAT_LEADS, ballot_make(1 + i, 1), EVERYBODY);
		do {
			now += HEARTBEAT;
			hears_the_others();
			assert_false(tick().prevote && e.leader != ELECTION_NOBODY);
		} while (e.leader != ELECTION_NOBODY);
		uint64_t wait = e.stand_ns - now;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		e.state = ELECTION_FOLLOWER;
	}
	assert_true(most <= TIMEOUT / 4 && most - least >= TIMEOUT / 8);
}

static void heartbeats_leave_on_a_tick(void **state)
{
	(void)state;
	assert_true(tick().heartbeat);
	now += HEARTBEAT - 1;
	assert_false(tick().heartbeat);
	now += 1;
	assert_true(tick().heartbeat);
}

static void a_round_far_above_all_others_is_not_believed(void **state)
{
	/* Else: one wrong number uses up the rounds for everybody. */
	(void)state;
	given_leader();
	uint64_t far = ballot_make(ballot_round(e.highest) + BALLOT_ROUND_JUMP + 1, 2);

	assert_false(election_saw(&e, far));
	assert_false(hears(2, HEARTBEAT_LEADS, far, EVERYBODY));
	assert_int_equal(e.leader, 0);
	assert_int_equal(e.highest, e.ballot);
	election_lost(&e, now);
	assert_false(supports(far));
	assert_true(supports(far - BALLOT_NODES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_hears_a_leader_supports_nobody, setup),
		cmocka_unit_test_setup(a_promise_is_followed_by_one_timeout_without_support, setup),
		cmocka_unit_test_setup(supports_only_a_ballot_above_all_it_saw, setup),
		cmocka_unit_test_setup(a_candidate_and_a_leader_support_nobody_else, setup),
		cmocka_unit_test_setup(a_heartbeat_before_the_noop_is_chosen_is_no_leaders, setup),
		cmocka_unit_test_setup(a_leader_of_an_older_ballot_is_not_heard, setup),
		cmocka_unit_test_setup(who_hears_nobody_does_not_stand, setup),
		cmocka_unit_test_setup(who_is_not_heard_by_a_quorum_does_not_stand, setup),
		cmocka_unit_test_setup(standing_needs_a_quorum_of_each_phase, setup),
		cmocka_unit_test_setup(a_fresh_cluster_stands_by_member_id, setup),
		cmocka_unit_test_setup(stands_in_the_round_above_the_highest_seen, setup),
		cmocka_unit_test_setup(stands_only_with_a_phase_1_quorum_of_grants, setup),
		cmocka_unit_test_setup(grants_of_an_earlier_question_do_not_count, setup),
		cmocka_unit_test_setup(catches_up_to_the_highest_grant_before_it_stands, setup),
		cmocka_unit_test_setup(a_prevote_ends_when_a_leader_is_heard, setup),
		cmocka_unit_test_setup(a_prevote_without_success_backs_off_with_jitter, setup),
		cmocka_unit_test_setup(phase_1_has_a_timeout, setup),
		cmocka_unit_test_setup(who_steps_down_sits_out_a_backoff, setup),
		cmocka_unit_test_setup(a_leader_that_no_phase_2_quorum_hears_steps_down, setup),
		cmocka_unit_test_setup(a_leader_that_hears_no_phase_2_quorum_steps_down, setup),
		cmocka_unit_test_setup(a_leader_with_runs_of_which_none_is_chosen_steps_down,
			setup),
		cmocka_unit_test_setup(evidence_of_a_higher_ballot_makes_it_step_down, setup),
		cmocka_unit_test_setup(silence_during_our_own_stall_is_not_held_against_the_leader,
			setup),
		cmocka_unit_test_setup(
			who_wakes_up_supports_nobody_before_its_leader_had_time_to_speak, setup),
		cmocka_unit_test_setup(a_stall_does_not_shorten_what_a_promise_means, setup),
		cmocka_unit_test_setup(a_stalled_leader_may_hear_its_followers_first, setup),
		cmocka_unit_test_setup(what_is_heard_after_a_stall_is_heard_then, setup),
		cmocka_unit_test_setup(a_dead_leader_is_followed_after_some_jitter, setup),
		cmocka_unit_test_setup(heartbeats_leave_on_a_tick, setup),
		cmocka_unit_test_setup(a_round_far_above_all_others_is_not_believed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
