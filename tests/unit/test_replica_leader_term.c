/* The leader's stage in office: heartbeats, the watermark, and what it sends again. */
#include "tests/unit/given_leader.h"

static int setup(void **state)
{
	setup_stranger(state);
	given_leading();
	return 0;
}

static int setup_follower(void **state)
{
	setup_stranger(state);
	given_enrolled();
	sent_count = 0;
	return 0;
}

static void a_leaders_heartbeat_carries_its_ballot_and_its_watermark(void **state)
{
	const struct sent *s;

	(void)state;
	delivered(1);
	hear_others();
	now += HEARTBEAT;
	tick();
	s = the_only(MESSAGE_HEARTBEAT);
	assert_int_equal(s->to.members, OTHERS);
	assert_int_equal(s->m.flags, HEARTBEAT_LEADS);
	assert_int_equal(s->m.ballot, stage.proposer.ballot);
	assert_int_equal(s->m.watermark, 1);
	assert_int_equal(s->m.first, 1);
	assert_int_equal(s->m.echo, EVERYBODY);
}

static void a_heartbeat_before_the_noop_is_chosen_leads_nobody(void **state)
{
	(void)state;
	sent_count = 0;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	now += HEARTBEAT;
	hear_heartbeat(1, 0, 0, 0, 0);
	sent_count = 0;
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.flags, 0);
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.watermark, 0);
}

static void who_stepped_down_leads_nobody(void **state)
{
	(void)state;
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.flags, 0);
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.watermark, 0);
}

static void the_watermark_goes_out_alone_when_nothing_else_does(void **state)
{
	/* Else: an idle follower never learns of the last command. */
	(void)state;
	for (uint32_t packing = 0; packing < 2; packing++) {
		setup(NULL);
		settings.packing = packing == 1;
		settings.commit_idle_ns = 2;
		now += HEARTBEAT;
		tick();
		sent_count = 0;
		/* No heartbeat is due for a while. */
		now += 2;
		with_commands(9, 3);
		when_requested();
		then_proposed(the_only(MESSAGE_ACCEPT), 1, 3);
		assert_int_equal(the_only(MESSAGE_ACCEPT)->m.watermark, 1);
		choose_all();
		now += 1;
		tick();
		assert_int_equal(sent_of(MESSAGE_HEARTBEAT), 0);
		now += 1;
		tick();
		assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.watermark, 4);
		now += 4;
		tick();
		the_only(MESSAGE_HEARTBEAT);
	}
}

static void the_watermark_rides_on_what_is_proposed_next(void **state)
{
	(void)state;
	tick();
	sent_count = 0;
	with_commands(9, 3);
	when_requested();
	choose_all();
	with_commands(20, 1);
	when_requested();
	assert_int_equal(sent_nth(MESSAGE_ACCEPT, 1)->m.watermark, 4);
	now += 6;
	tick();
	assert_int_equal(sent_of(MESSAGE_HEARTBEAT), 0);
}

static void the_learner_hears_once_what_is_chosen(void **state)
{
	const struct sent *s;

	(void)state;
	with_commands(9, 3);
	when_requested();
	hear_accepted(SELF, 1, 3, 0);
	flush();
	assert_int_equal(sent_of(MESSAGE_WATERMARK), 0);
	hear_accepted(1, 1, 3, 0);
	flush();
	flush();
	s = the_only(MESSAGE_WATERMARK);
	assert_true(s->to.local);
	assert_int_equal(s->m.ballot, stage.proposer.ballot);
	assert_int_equal(s->m.watermark, 4);
	assert_int_equal(s->m.sender, SELF);
}

static void the_learner_hears_the_watermark_of_who_leads(void **state)
{
	(void)state;
	hear_heartbeat(2, HEARTBEAT_LEADS, ballot_make(3, 2), 40, 50);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.ballot, ballot_make(3, 2));
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.watermark, 50);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.first, 40);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.sender, 2);
}

static void what_another_delivered_is_no_commit(void **state)
{
	/* Else: a follower that voted x@b1 delivers x though y was chosen at b2. */
	(void)state;
	delivered(30);
	hear_heartbeat(2, 0, ballot_make(3, 2), 30, 50);
	assert_int_equal(sent_of(MESSAGE_WATERMARK), 0);
	hear_heartbeat(2, 0, ballot_make(3, 2), 40, 50);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.ballot, 0);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.watermark, 0);
	assert_int_equal(the_only(MESSAGE_WATERMARK)->m.first, 40);
}

static void a_run_is_sent_again_to_those_who_have_not_voted(void **state)
{
	const struct sent *s;

	(void)state;
	with_commands(9, 3);
	when_requested();
	hear_accepted(SELF, 1, 3, 0);
	pass(RETRANSMIT - HEARTBEAT);
	assert_int_equal(sent_of(MESSAGE_RESEND), 0);
	pass(HEARTBEAT);
	s = the_only(MESSAGE_RESEND);
	assert_true(s->to.local);
	assert_int_equal(s->m.ballot, stage.proposer.ballot);
	assert_int_equal(s->m.first, 1);
	assert_int_equal(s->m.count, 3);
	assert_int_equal(s->m.watermark, 1);
	assert_int_equal(s->m.echo, OTHERS);
	pass(RETRANSMIT - HEARTBEAT);
	the_only(MESSAGE_RESEND);
	pass(HEARTBEAT);
	assert_int_equal(sent_of(MESSAGE_RESEND), 2);
	choose_all();
	pass(2 * RETRANSMIT);
	assert_int_equal(sent_of(MESSAGE_RESEND), 2);
}

static void who_voted_is_not_sent_it_again(void **state)
{
	(void)state;
	quorum_init_threshold(&majority, MEMBERS, 1, 3);
	with_commands(9, 3);
	when_requested();
	hear_accepted(2, 1, 3, 0);
	pass(RETRANSMIT);
	assert_int_equal(the_only(MESSAGE_RESEND)->m.echo, 1u << 1);
}

static void no_tick_sends_more_again_than_a_ring_surely_holds(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		with_commands(9 + i, 1);
		when_requested();
	}
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 20);
	now += RETRANSMIT;
	tick();
	assert_in_range(sent_of(MESSAGE_RESEND), 1, STAGE_ROOM);
	for (uint32_t i = 0; i < 20; i++)
		tick();
	assert_int_equal(sent_of(MESSAGE_RESEND), 20);
}

static void votes_at_another_ballot_choose_nothing(void **state)
{
	const struct range range = {.first = 1, .count = 3};
	struct message m = {.type = MESSAGE_ACCEPTED, .count = 1};

	(void)state;
	with_commands(9, 3);
	when_requested();
	hear_accepted(SELF, 1, 3, 0);
	m.ballot = stage.proposer.ballot - BALLOT_NODES;
	hear(1, &m, &range);
	assert_int_equal(stage.proposer.window.chosen, 1);
}

static void a_leader_of_which_nothing_is_chosen_steps_down(void **state)
{
	(void)state;
	with_commands(9, 3);
	when_requested();
	for (uint32_t i = 0; i < PROGRESS / HEARTBEAT; i++) {
		pass(HEARTBEAT);
		assert_true(stage.leads);
		sent_count = 0;
	}
	pass(HEARTBEAT);
	assert_false(stage.leads);
	hear_accepted(SELF, 1, 3, 0);
	hear_accepted(1, 1, 3, 0);
	flush();
	assert_int_equal(sent_of(MESSAGE_WATERMARK), 0);
}

static void a_leader_of_which_runs_are_chosen_stays(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		with_commands(9, 1);
		with_commands(20 + i, 1);
		when_requested();
		pass(PROGRESS / 2);
		choose_all();
		sent_count = 0;
	}
	assert_true(stage.leads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_heartbeat_before_the_noop_is_chosen_leads_nobody,
			setup_stranger),
		cmocka_unit_test_setup(the_learner_hears_the_watermark_of_who_leads,
			setup_follower),
		cmocka_unit_test_setup(what_another_delivered_is_no_commit, setup_follower),
		cmocka_unit_test_setup(a_leaders_heartbeat_carries_its_ballot_and_its_watermark,
			setup),
		cmocka_unit_test_setup(who_stepped_down_leads_nobody, setup),
		cmocka_unit_test_setup(the_watermark_goes_out_alone_when_nothing_else_does, setup),
		cmocka_unit_test_setup(the_watermark_rides_on_what_is_proposed_next, setup),
		cmocka_unit_test_setup(the_learner_hears_once_what_is_chosen, setup),
		cmocka_unit_test_setup(a_run_is_sent_again_to_those_who_have_not_voted, setup),
		cmocka_unit_test_setup(who_voted_is_not_sent_it_again, setup),
		cmocka_unit_test_setup(no_tick_sends_more_again_than_a_ring_surely_holds, setup),
		cmocka_unit_test_setup(votes_at_another_ballot_choose_nothing, setup),
		cmocka_unit_test_setup(a_leader_of_which_nothing_is_chosen_steps_down, setup),
		cmocka_unit_test_setup(a_leader_of_which_runs_are_chosen_stays, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
