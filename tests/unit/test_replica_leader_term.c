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

/* E1 */
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
	/* Now it is proposed, and nobody has voted for it. */
	the_only(MESSAGE_ACCEPT);
	now += HEARTBEAT;
	hear_heartbeat(1, 0, 0, 0, 0);
	sent_count = 0;
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.flags, 0);
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.ballot, 0);
	choose_all();
	sent_count = 0;
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.flags, HEARTBEAT_LEADS);
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

static void what_a_member_is_behind_for_is_sent_again_soon(void **state)
{
	const struct message behind = {
		.type = MESSAGE_REFUSED,
		.flags = REFUSAL_BEHIND,
		.ballot = stage.proposer.ballot,
		.first = 1,
		.count = 3,
	};

	/* Else: behind slow disks, where votes take long, it waits several times as long, for nothing. */
	(void)state;
	stage.votes_ns = RETRANSMIT;
	pass(8 * RETRANSMIT);
	sent_count = 0;
	with_commands(9, 3);
	when_requested();
	with_commands(19, 3);
	when_requested();
	hear(1, &behind, NULL);
	pass(RETRANSMIT - HEARTBEAT);
	assert_int_equal(sent_of(MESSAGE_RESEND), 0);
	pass(HEARTBEAT);
	assert_int_equal(the_only(MESSAGE_RESEND)->m.first, 1);
}

static void who_voted_is_not_sent_it_again(void **state)
{
	(void)state;
	quorum_init_threshold(&majority, MEMBERS, 1, 3);
	with_commands(9, 3);
	when_requested();
	hear_accepted(2, 1, 3, 0);
	pass(RETRANSMIT);
	assert_int_equal(the_only(MESSAGE_RESEND)->m.echo, 1u << SELF | 1u << 1);
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

static void when_deposed(void)
{
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	assert_false(stage.leads);
}

/* All ticks that the walk over what was taken needs, each within what a ring surely holds. */
static void tick_through(void)
{
	for (uint32_t i = 0; i <= 2 * ADMISSION_SLOTS / ADMISSION_STRIDE; i++) {
		uint32_t before = sent_of(MESSAGE_LOST);

		tick();
		assert_in_range(sent_of(MESSAGE_LOST) - before, 0, 1);
	}
}

static void the_learner_hears_what_a_lost_leadership_took(void **state)
{
	/* Else: who waits hears nothing, and its retry is redirected as if nothing were sent. */
	const struct sent *s;
	const struct entry *e;

	(void)state;
	with_commands(9, 2);
	when_requested();
	settings.packing = true;
	with_commands(20, 1);
	when_requested_by(OTHER_CLIENT);
	assert_int_equal(stage.batch_count, 1);
	when_deposed();
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	tick_through();
	s = the_only(MESSAGE_LOST);
	e = (const struct entry *)(const void *)s->body;
	assert_true(s->to.local);
	assert_int_equal(s->m.count, 3);
	assert_int_equal(s->m.payload_len, 3 * ENTRY_BYTES);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(e[i].session, i < 2 ? 9 + i : 20);
		assert_int_equal(entry_sequence(&e[i]), 0);
		assert_int_equal(admission_client(&e[i]), i < 2 ? CLIENT : OTHER_CLIENT);
	}
	tick_through();
	the_only(MESSAGE_LOST);
}

static void many_commands_taken_are_told_by_frames(void **state)
{
	uint32_t told = 0;

	(void)state;
	for (uint64_t i = 0; i < 6; i++) {
		with_commands(100 * i, 50);
		when_requested();
	}
	when_deposed();
	tick_through();
	for (uint32_t i = 0; i < sent_of(MESSAGE_LOST); i++) {
		assert_true(sent_nth(MESSAGE_LOST, i)->m.payload_len <= BODY_BYTES);
		told += sent_nth(MESSAGE_LOST, i)->m.count;
	}
	assert_int_equal(told, 300);
}

static void what_was_taken_waits_for_room_in_the_rings(void **state)
{
	/* Else: the ring overflows, and what the learner does not hear is lost. */
	(void)state;
	with_commands(9, 2);
	when_requested();
	when_deposed();
	room = STAGE_ROOM - 1;
	tick_through();
	assert_int_equal(sent_of(MESSAGE_LOST), 0);
	room = STAGE_ROOM;
	tick_through();
	assert_int_equal(the_only(MESSAGE_LOST)->m.count, 2);
}

static void an_open_in_the_batch_of_a_lost_leadership_is_unknown(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 77, 0, 0);
	with_commands(9, 1);
	settings.packing = true;
	when_requested_by(CLIENT);
	assert_int_equal(stage.batch_count, 2);
	when_deposed();
	flush();
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 1);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 77, REPLY_UNKNOWN, 0);
}

static void no_leadership_opens_before_the_last_ones_commands_are_told(void **state)
{
	/* Else: it takes the slots of commands that nobody was told of. */
	(void)state;
	with_commands(9, 1);
	when_requested();
	when_deposed();
	sent_count = 0;
	proposer_start(&stage.proposer,
		ballot_make(ballot_round(stage.election.highest) + 1, SELF));
	stage.proposer.state = PROPOSER_LEADING;
	tick();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	tick_through();
	the_only(MESSAGE_LOST);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 1);
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
		cmocka_unit_test_setup(what_a_member_is_behind_for_is_sent_again_soon, setup),
		cmocka_unit_test_setup(who_voted_is_not_sent_it_again, setup),
		cmocka_unit_test_setup(no_tick_sends_more_again_than_a_ring_surely_holds, setup),
		cmocka_unit_test_setup(votes_at_another_ballot_choose_nothing, setup),
		cmocka_unit_test_setup(a_leader_of_which_nothing_is_chosen_steps_down, setup),
		cmocka_unit_test_setup(a_leader_of_which_runs_are_chosen_stays, setup),
		cmocka_unit_test_setup(the_learner_hears_what_a_lost_leadership_took, setup),
		cmocka_unit_test_setup(many_commands_taken_are_told_by_frames, setup),
		cmocka_unit_test_setup(what_was_taken_waits_for_room_in_the_rings, setup),
		cmocka_unit_test_setup(an_open_in_the_batch_of_a_lost_leadership_is_unknown, setup),
		cmocka_unit_test_setup(no_leadership_opens_before_the_last_ones_commands_are_told,
			setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
