/* The leader's stage: how it comes to lead, what it tells while it does, and how it stops. */
#include "tests/unit/given_leader.h"

static int setup(void **state)
{
	return setup_stranger(state);
}

static void says_only_hello_before_all_are_enrolled(void **state)
{
	const struct message prevote = {.type = MESSAGE_PREVOTE, .ballot = ballot_make(9, 1)};

	(void)state;
	hear_hello(1, uuid_of(SELF), 0);
	hear(1, &prevote, NULL);
	pass(10 * TIMEOUT);
	assert_true(sent_count > 0);
	assert_int_equal(sent_of(MESSAGE_HELLO), sent_count);
	assert_int_equal(sent[sent_count - 1].to.members, 1u << 2);
	assert_int_equal(sent[sent_count - 1].m.flags, HELLO_ASKS);
	assert_true(stage.counters.foreign > 0);
}

static void a_hello_that_asks_is_answered_with_the_uuid_held(void **state)
{
	const struct sent *s;

	(void)state;
	hear_hello(2, 0, HELLO_ASKS);
	s = the_only(MESSAGE_HELLO);
	assert_int_equal(s->to.members, 1u << 2);
	assert_int_equal(s->m.ballot, uuid_of(2));
	assert_int_equal(s->m.flags, 0);
	hear_hello(2, 0, 0);
	assert_int_equal(sent_of(MESSAGE_HELLO), 1);
}

static void the_acceptors_hear_once_who_is_enrolled(void **state)
{
	const uint64_t uuids[MEMBER_MAX] = {uuid_of(0), uuid_of(1), uuid_of(2)};

	(void)state;
	hear_hello(1, uuid_of(SELF), 0);
	assert_int_equal(sent_of(MESSAGE_ENROLLED), 0);
	hear_hello(2, uuid_of(SELF), 0);
	hear_hello(2, uuid_of(SELF), 0);
	assert_true(the_only(MESSAGE_ENROLLED)->to.local);
	assert_int_equal(the_only(MESSAGE_ENROLLED)->m.payload_len, sizeof(uuids));
	assert_memory_equal(the_only(MESSAGE_ENROLLED)->body, uuids, sizeof(uuids));
}

static void a_frame_of_another_uuid_is_not_heard(void **state)
{
	const struct range range = {.first = 0, .count = 1};
	struct message m = {.type = MESSAGE_ACCEPTED, .sender = 1, .count = 1, .uuid = 4711};

	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	tick();
	hear_accepted(SELF, 0, 1, 0);
	m.ballot = stage.proposer.ballot;
	leader_stage_on_message(&stage, &m, (const uint8_t *)&range, now);
	assert_false(stage.leads);
	assert_int_equal(stage.counters.foreign, 1);
	m.type = MESSAGE_HELLO;
	leader_stage_on_message(&stage, &m, NULL, now);
	assert_int_equal(stage.counters.foreign, 2);
}

static void prepare_goes_to_the_own_acceptors_first(void **state)
{
	/* Else: Prepare(1,A) is sent, A forgets it, Prepare(1,A) again: two values at one ballot. */
	(void)state;
	settings.shards = 2;
	given_candidate();
	assert_int_equal(sent_of(MESSAGE_PREPARE), 2);
	for (uint32_t shard = 0; shard < 2; shard++) {
		const struct sent *s = sent_nth(MESSAGE_PREPARE, shard);

		assert_int_equal(s->to.members, 1u << SELF);
		assert_int_equal(s->m.ballot, stage.election.ballot);
		assert_int_equal(s->m.shard, shard);
	}
	hear_promise(SELF, 0, 0);
	tick();
	assert_int_equal(sent_of(MESSAGE_PREPARE), 2);
	const struct message second = {
		.type = MESSAGE_PROMISE,
		.ballot = stage.proposer.ballot,
		.shard = 1,
	};

	hear(SELF, &second, NULL);
	tick();
	assert_int_equal(sent_of(MESSAGE_PREPARE), 4);
	assert_int_equal(sent_nth(MESSAGE_PREPARE, 3)->to.members, OTHERS);
}

static void a_new_leader_opens_with_a_noop_in_its_own_ballot(void **state)
{
	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	tick();
	then_proposed(the_only(MESSAGE_ACCEPT), 0, 1);
	assert_int_equal(the_only(MESSAGE_ACCEPT)->m.flags, FLAG_NOOP);
	tick();
	the_only(MESSAGE_ACCEPT);
	hear_accepted(SELF, 0, 1, 0);
	assert_false(stage.leads);
	hear_accepted(2, 0, 1, 0);
	assert_true(stage.leads);
	assert_int_equal(stage.counters.terms, 1);
}

static void what_the_quorum_voted_for_is_proposed_again_before_the_noop(void **state)
{
	_Alignas(8) uint8_t body[256];
	uint32_t bytes = put_entry(body + RECORD_BYTES, ENTRY_COMMAND, 9, 0, 8);
	const struct record r = {
		.ballot = 1,
		.first = 2,
		.count = 1,
		.bytes = (uint16_t)bytes,
		.checksum = message_crc(body + RECORD_BYTES, bytes),
	};
	struct message votes = {.type = MESSAGE_VOTES, .watermark = 3};

	(void)state;
	memcpy(body, &r, sizeof(r));
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 3);
	tick();
	assert_int_equal(sent_nth(MESSAGE_PULL, 0)->to.members, 1u << SELF);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->to.members, 1u << 1);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->m.first, 0);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->m.watermark, 3);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	votes.ballot = stage.proposer.ballot;
	hear(SELF, &votes, body);
	votes.payload_len = (uint16_t)(RECORD_BYTES + bytes);
	votes.count = 1;
	hear(1, &votes, body);
	for (uint32_t i = 0; i < 4; i++)
		tick();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 0, 2);
	assert_int_equal(sent_nth(MESSAGE_ACCEPT, 0)->m.flags, FLAG_NOOP);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 2, 1);
	assert_memory_equal(sent_nth(MESSAGE_ACCEPT, 1)->body, body + RECORD_BYTES, bytes);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 2), 3, 1);
	assert_int_equal(sent_nth(MESSAGE_ACCEPT, 2)->m.flags, FLAG_NOOP);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 3);
	hear_accepted(SELF, 0, 3, 0);
	hear_accepted(1, 0, 3, 0);
	assert_false(stage.leads);
	choose_all();
	assert_true(stage.leads);
}

static void a_pull_goes_on_where_the_last_chunk_ended(void **state)
{
	struct message votes = {.type = MESSAGE_VOTES, .watermark = 40};

	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 100);
	tick();
	sent_count = 0;
	votes.ballot = stage.proposer.ballot;
	hear(1, &votes, NULL);
	tick();
	assert_int_equal(sent_nth(MESSAGE_PULL, 0)->m.first, 0);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->to.members, 1u << 1);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->m.first, 40);
	assert_int_equal(sent_nth(MESSAGE_PULL, 1)->m.watermark, 100);
}

static void questions_of_phase_1_are_asked_again(void **state)
{
	(void)state;
	given_candidate();
	pass(RETRANSMIT);
	assert_int_equal(sent_of(MESSAGE_PREPARE), 2);
	assert_int_equal(sent_nth(MESSAGE_PREPARE, 1)->to.members, 1u << SELF);
}

static void a_refusal_makes_it_step_down_and_never_outbid(void **state)
{
	uint64_t ballot;

	(void)state;
	given_leading();
	ballot = stage.proposer.ballot;
	hear_refused(1, REFUSAL_BALLOT, ballot + 1, 0);
	assert_false(stage.leads);
	assert_int_equal(stage.counters.step_downs, 1);
	assert_int_equal(stage.election.leader, ELECTION_NOBODY);
	pass(TIMEOUT / 4);
	flush();
	assert_int_equal(sent_of(MESSAGE_PREVOTE), 0);
	assert_int_equal(sent_of(MESSAGE_PREPARE), 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	pass(TIMEOUT);
	assert_int_equal(the_only(MESSAGE_PREVOTE)->to.members, OTHERS);
	assert_true(the_only(MESSAGE_PREVOTE)->m.ballot > ballot + 1);
	assert_int_equal(sent_of(MESSAGE_PREPARE), 0);
}

static void a_candidate_steps_down_too(void **state)
{
	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	sent_count = 0;
	hear_promise(1, 0, 0);
	hear_promise(2, 0, 0);
	pass(TIMEOUT / 4);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	assert_int_equal(sent_of(MESSAGE_PREPARE), 0);
}

static void a_refusal_without_a_higher_ballot_changes_nothing(void **state)
{
	(void)state;
	given_leading();
	hear_refused(1, REFUSAL_BEHIND, stage.proposer.ballot, 256);
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot - 1, 0);
	hear_refused(1, REFUSAL_CONFLICT, stage.proposer.ballot, 0);
	assert_true(stage.leads);
	assert_int_equal(sent_count, 0);
	assert_int_equal(stage.counters.conflicts, 1);
}

static void the_own_acceptors_promise_to_another_makes_it_step_down(void **state)
{
	const struct message promise = {.type = MESSAGE_PROMISE, .ballot = ballot_make(9, 2)};
	const struct message prevote = {.type = MESSAGE_PREVOTE, .ballot = ballot_make(10, 1)};

	(void)state;
	given_leading();
	hear(SELF, &promise, NULL);
	assert_false(stage.leads);
	hear(1, &prevote, NULL);
	assert_int_equal(the_only(MESSAGE_PREVOTED)->m.flags, 0);
}

static void a_leader_of_a_higher_ballot_makes_it_step_down(void **state)
{
	(void)state;
	given_leading();
	hear_heartbeat(2, HEARTBEAT_LEADS, ballot_make(9, 2), 0, 0);
	assert_false(stage.leads);
	assert_int_equal(stage.election.leader, 2);
}

/* scenarios.md, Bad input: a ballot near the maximum from a valid peer. */
static void a_heartbeat_of_a_ballot_from_nowhere_is_not_heard_by_the_learner(void **state)
{
	(void)state;
	given_enrolled();
	hear_heartbeat(1, HEARTBEAT_LEADS, ballot_make(BALLOT_ROUND_JUMP + 1, 1), 9, 9);
	assert_int_equal(sent_of(MESSAGE_WATERMARK), 0);
	assert_int_equal(stage.counters.too_high, 1);
	hear_heartbeat(1, HEARTBEAT_LEADS, ballot_make(7, 1), 9, 9);
	assert_int_equal(sent_of(MESSAGE_WATERMARK), 1);
}

static void a_leader_alone_steps_down(void **state)
{
	(void)state;
	given_leading();
	for (uint32_t i = 0; i < TIMEOUT / HEARTBEAT + 1; i++) {
		now += HEARTBEAT;
		tick();
	}
	assert_false(stage.leads);
	assert_int_equal(stage.proposer.state, PROPOSER_IDLE);
}

static void a_prevote_is_answered_with_what_is_delivered(void **state)
{
	const struct message prevote = {.type = MESSAGE_PREVOTE, .ballot = ballot_make(9, 1)};
	const struct sent *s;

	(void)state;
	given_enrolled();
	delivered(300);
	delivered(200);
	hear(1, &prevote, NULL);
	s = the_only(MESSAGE_PREVOTED);
	assert_int_equal(s->to.members, 1u << 1);
	assert_int_equal(s->m.ballot, ballot_make(9, 1));
	assert_int_equal(s->m.first, 300);
	assert_int_equal(s->m.flags, PREVOTED_GRANTED);
}

static void a_candidate_first_catches_up_to_the_highest_grant(void **state)
{
	(void)state;
	given_prevoting();
	hear_granted(1, 300);
	tick();
	assert_true(the_only(MESSAGE_CATCH_UP)->to.local);
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.first, 300);
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.sender, 1);
	assert_int_equal(sent_of(MESSAGE_PREPARE), 0);
	delivered(300);
	tick();
	the_only(MESSAGE_PREPARE);
}

static void the_prefix_below_the_quorums_lo_is_fetched_before_it_proposes(void **state)
{
	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 256, 256);
	tick();
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.first, 256);
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.sender, 1);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	delivered(260);
	tick();
	then_proposed(the_only(MESSAGE_ACCEPT), 260, 1);
}

static void what_was_trimmed_is_fetched_from_who_trimmed_it(void **state)
{
	(void)state;
	given_leading();
	hear_refused(2, REFUSAL_TRIMMED, stage.proposer.ballot, 256);
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.first, 256);
	assert_int_equal(the_only(MESSAGE_CATCH_UP)->m.sender, 2);
	delivered(256);
	hear_refused(2, REFUSAL_TRIMMED, stage.proposer.ballot, 256);
	the_only(MESSAGE_CATCH_UP);
	assert_true(stage.leads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_only_hello_before_all_are_enrolled, setup),
		cmocka_unit_test_setup(a_hello_that_asks_is_answered_with_the_uuid_held, setup),
		cmocka_unit_test_setup(the_acceptors_hear_once_who_is_enrolled, setup),
		cmocka_unit_test_setup(a_frame_of_another_uuid_is_not_heard, setup),
		cmocka_unit_test_setup(prepare_goes_to_the_own_acceptors_first, setup),
		cmocka_unit_test_setup(a_new_leader_opens_with_a_noop_in_its_own_ballot, setup),
		cmocka_unit_test_setup(what_the_quorum_voted_for_is_proposed_again_before_the_noop,
			setup),
		cmocka_unit_test_setup(a_pull_goes_on_where_the_last_chunk_ended, setup),
		cmocka_unit_test_setup(questions_of_phase_1_are_asked_again, setup),
		cmocka_unit_test_setup(a_refusal_makes_it_step_down_and_never_outbid, setup),
		cmocka_unit_test_setup(a_candidate_steps_down_too, setup),
		cmocka_unit_test_setup(a_refusal_without_a_higher_ballot_changes_nothing, setup),
		cmocka_unit_test_setup(the_own_acceptors_promise_to_another_makes_it_step_down,
			setup),
		cmocka_unit_test_setup(a_leader_of_a_higher_ballot_makes_it_step_down, setup),
		cmocka_unit_test_setup(
			a_heartbeat_of_a_ballot_from_nowhere_is_not_heard_by_the_learner, setup),
		cmocka_unit_test_setup(a_leader_alone_steps_down, setup),
		cmocka_unit_test_setup(a_prevote_is_answered_with_what_is_delivered, setup),
		cmocka_unit_test_setup(a_candidate_first_catches_up_to_the_highest_grant, setup),
		cmocka_unit_test_setup(
			the_prefix_below_the_quorums_lo_is_fetched_before_it_proposes, setup),
		cmocka_unit_test_setup(what_was_trimmed_is_fetched_from_who_trimmed_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
