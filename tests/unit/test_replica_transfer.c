/* The leader's stage hands its lead over: nothing new, all chosen, then the target stands. */
#include "tests/unit/given_leader.h"

enum {
	TARGET = 1
};

static int setup(void **state)
{
	setup_stranger(state);
	given_leading();
	return 0;
}

/* The watermark goes out, and the transfer takes its step. */
static void step(void)
{
	now += settings.commit_idle_ns;
	tick();
	flush();
}

static void given_told(void)
{
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	step();
	the_only(MESSAGE_TIMEOUT_NOW);
	sent_count = 0;
}

static void the_target_is_told_to_stand_at_once(void **state)
{
	const struct sent *s;

	(void)state;
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	step();
	s = the_only(MESSAGE_TIMEOUT_NOW);
	assert_int_equal(s->to.members, 1 << TARGET);
	assert_int_equal(s->m.ballot, stage.proposer.ballot);
	assert_int_equal(s->m.first, 1);
}

static void a_transfer_takes_no_command(void **state)
{
	/* T1. */
	(void)state;
	assert_true(leader_stage_eager(&stage, now));
	given_told();
	assert_false(leader_stage_eager(&stage, now));
	with_commands(9, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BUSY, 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
}

static void nobody_is_told_while_a_command_is_in_flight(void **state)
{
	/* T2. Else: clients wait for an election with what they have asked for already. */
	(void)state;
	with_commands(9, 3);
	when_requested();
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	step();
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
	choose_all();
	/* And the others hear before that all is chosen. */
	tick();
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
	step();
	assert_int_equal(the_only(MESSAGE_TIMEOUT_NOW)->m.first, 4);
	assert_int_equal(stage.watermark_sent, 4);
}

static void draining_may_take_longer_than_an_election(void **state)
{
	/* T1. Else: a leader so slow that it must hand over never can. */
	(void)state;
	settings.progress_timeout_ns = 100000;
	with_commands(9, 3);
	when_requested();
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	pass(3 * TIMEOUT);
	assert_int_equal(stage.counters.transfers_failed, 0);
	choose_all();
	step();
	the_only(MESSAGE_TIMEOUT_NOW);
}

static void a_batch_in_the_making_goes_out_first(void **state)
{
	(void)state;
	settings.packing = true;
	settings.linger_ns = 20;
	with_commands(9, 1);
	when_requested();
	assert_int_equal(stage.batch_count, 1);
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	step();
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
	now += 20;
	flush();
	choose_all();
	step();
	the_only(MESSAGE_TIMEOUT_NOW);
}

static void a_target_far_behind_is_waited_for(void **state)
{
	(void)state;
	settings.window = 4;
	for (uint64_t i = 0; i < 3; i++) {
		with_commands(20 + 10 * i, 3);
		when_requested();
		choose_all();
		delivered(stage.proposer.window.chosen);
	}
	assert_true(leader_stage_transfer(&stage, TARGET, now));
	step();
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
	hear_heartbeat(TARGET, 0, 0, 6, 6);
	step();
	the_only(MESSAGE_TIMEOUT_NOW);
}

static void a_target_that_does_not_hear_is_told_again(void **state)
{
	(void)state;
	given_told();
	now += RETRANSMIT - 1;
	tick();
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
	now++;
	tick();
	the_only(MESSAGE_TIMEOUT_NOW);
}

static void a_leader_goes_on_when_the_target_does_not_take_it(void **state)
{
	(void)state;
	given_told();
	for (uint32_t i = 0; i < TIMEOUT / HEARTBEAT; i++)
		pass(HEARTBEAT);
	assert_int_equal(stage.counters.transfers_failed, 1);
	assert_true(stage.leads);
	sent_count = 0;
	with_commands(9, 1);
	when_requested();
	the_only(MESSAGE_ACCEPT);
	sent_count = 0;
	pass(10 * HEARTBEAT);
	assert_int_equal(sent_of(MESSAGE_TIMEOUT_NOW), 0);
}

static void the_lost_lead_ends_the_transfer(void **state)
{
	(void)state;
	given_told();
	hear_refused(2, REFUSAL_BALLOT, ballot_make(300, TARGET), 0);
	assert_false(stage.leads);
	assert_int_equal(stage.transfer.state, TRANSFER_NONE);
	hear_heartbeat(TARGET, HEARTBEAT_LEADS, ballot_make(300, TARGET), 1, 1);
	with_commands(9, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_REDIRECT, TARGET);
}

static void only_a_leader_transfers_and_only_to_another_member_that_it_hears(void **state)
{
	(void)state;
	assert_false(leader_stage_transfer(&stage, SELF, now));
	assert_false(leader_stage_transfer(&stage, MEMBERS, now));
	assert_true(leader_stage_transfer(&stage, 2, now));
	assert_false(leader_stage_transfer(&stage, TARGET, now));
	stage.transfer.state = TRANSFER_NONE;
	for (uint32_t i = 0; i < TIMEOUT / HEARTBEAT; i++) {
		now += HEARTBEAT;
		hear_heartbeat(2, 0, 0, 0, 0);
		tick();
	}
	assert_false(leader_stage_transfer(&stage, TARGET, now));
	assert_true(leader_stage_transfer(&stage, 2, now));
	stage.transfer.state = TRANSFER_NONE;
	hear_refused(2, REFUSAL_BALLOT, ballot_make(300, 2), 0);
	assert_false(leader_stage_transfer(&stage, 2, now));
}

static void until_handovers(uint64_t handovers)
{
	for (uint32_t i = 0; i < 200 && stage.counters.handovers < handovers; i++) {
		now += HEARTBEAT / 2;
		hear_heartbeat(1, 0, 0, 2, 2);
		hear_heartbeat(2, 0, 0, 3, 3);
		tick();
	}
	assert_int_equal(stage.counters.handovers, handovers);
}

static void a_slow_leader_hands_over_to_whom_is_nearest(void **state)
{
	uint64_t begun;

	(void)state;
	settings.handover_ns = 4;
	settings.progress_timeout_ns = 100000;
	with_commands(9, 3);
	when_requested();
	choose_all();
	with_commands(30, 3);
	when_requested();
	sent_count = 0;
	/* Nothing of it is chosen: member 2 has delivered more. */
	until_handovers(1);
	assert_int_equal(stage.transfer.target, 2);
	/* It does not take it: the leader has as long as a new one before it tries again. */
	choose_all();
	begun = now;
	while (stage.counters.transfers_failed == 0)
		pass(HEARTBEAT);
	with_commands(60, 3);
	when_requested();
	until_handovers(2);
	assert_true(now >= begun + TIMEOUT + HANDOVER_REST * HANDOVER_PERIOD * 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_target_is_told_to_stand_at_once, setup),
		cmocka_unit_test_setup(a_transfer_takes_no_command, setup),
		cmocka_unit_test_setup(nobody_is_told_while_a_command_is_in_flight, setup),
		cmocka_unit_test_setup(draining_may_take_longer_than_an_election, setup),
		cmocka_unit_test_setup(a_batch_in_the_making_goes_out_first, setup),
		cmocka_unit_test_setup(a_target_far_behind_is_waited_for, setup),
		cmocka_unit_test_setup(a_target_that_does_not_hear_is_told_again, setup),
		cmocka_unit_test_setup(a_leader_goes_on_when_the_target_does_not_take_it, setup),
		cmocka_unit_test_setup(the_lost_lead_ends_the_transfer, setup),
		cmocka_unit_test_setup(
			only_a_leader_transfers_and_only_to_another_member_that_it_hears, setup),
		cmocka_unit_test_setup(a_slow_leader_hands_over_to_whom_is_nearest, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
