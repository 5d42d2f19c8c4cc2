/* The leader's stage and reads at any member: the quorum's rule, the leader's index, stale ones. */
#include "tests/unit/given_leader.h"

enum {
	LEADER = 2
};

static int setup(void **state)
{
	setup_stranger(state);
	settings.seed = 4711;
	settings.life = 3;
	given_enrolled();
	sent_count = 0;
	return 0;
}

static int setup_leader(void **state)
{
	setup_stranger(state);
	given_leading();
	return 0;
}

static void when_read_as(uint8_t flags)
{
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.flags = flags,
		.sender = MESSAGE_SENDER_CLIENT,
		.from = CLIENT,
		.count = request_count,
		.payload_len = (uint16_t)request_bytes,
	};

	leader_stage_on_message(&stage, &m, request, now);
	request_count = 0;
	request_bytes = 0;
	flush();
}

static void when_read(void)
{
	with_commands(9, 1);
	when_read_as(FLAG_READ_ANY);
}

static void hear_report(uint8_t member, uint16_t shard, uint64_t high)
{
	const struct message m = {
		.type = MESSAGE_READ_REPORT,
		.ballot = stage.any_reads.ballot,
		.first = stage.any_reads.nonce,
		.watermark = high,
		.shard = shard,
	};

	hear(member, &m, NULL);
}

static void hear_indexed(uint64_t ballot, uint64_t nonce, uint64_t index)
{
	const struct message m = {
		.type = MESSAGE_READ_INDEXED,
		.ballot = ballot,
		.first = nonce,
		.watermark = index,
	};

	hear(LEADER, &m, NULL);
}

static void hear_leads(void)
{
	hear_heartbeat(LEADER, HEARTBEAT_LEADS, ballot_make(3, LEADER), 0, 0);
}

static void a_read_for_any_member_asks_every_shard_how_far_it_voted(void **state)
{
	(void)state;
	settings.shards = 2;
	when_read();
	assert_int_equal(sent_of(MESSAGE_READ_PROBE), 2);
	for (uint16_t shard = 0; shard < 2; shard++) {
		const struct sent *s = sent_nth(MESSAGE_READ_PROBE, shard);

		assert_int_equal(s->to.members, EVERYBODY);
		assert_int_equal(s->m.shard, shard);
		assert_int_equal(s->m.ballot, settings.seed + settings.life);
		assert_int_equal(s->m.first, stage.any_reads.nonce);
	}
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void a_read_runs_once_the_largest_report_of_a_phase1_quorum_is_applied(void **state)
{
	/* LR4. Else: what a member that was not asked has acknowledged is missed. */
	(void)state;
	when_read();
	hear_report(SELF, 0, 4);
	hear_report(SELF, 0, 4);
	delivered(4);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	hear_report(1, 0, 7);
	delivered(6);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	delivered(7);
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 7);
	assert_true(the_only(MESSAGE_READ)->to.local);
	/* Once. */
	hear_report(2, 0, 5);
	delivered(8);
	the_only(MESSAGE_READ);
}

static void what_is_applied_already_is_read_at_once(void **state)
{
	(void)state;
	delivered(9);
	when_read();
	hear_report(SELF, 0, 9);
	hear_report(2, 0, 8);
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 9);
}

static void who_reports_after_the_quorum_makes_no_read_wait(void **state)
{
	(void)state;
	when_read();
	hear_report(SELF, 0, 4);
	hear_report(1, 0, 4);
	hear_report(2, 0, 9);
	delivered(4);
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 4);
}

static void a_member_counts_with_every_one_of_its_shards(void **state)
{
	(void)state;
	settings.shards = 2;
	when_read();
	hear_report(SELF, 0, 0);
	hear_report(1, 1, 0);
	hear_report(2, 0, 0);
	hear_report(SELF, 1, 300);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	assert_false(stage.any_reads.reported);
	hear_report(2, 1, 0);
	assert_true(stage.any_reads.reported);
	delivered(300);
	the_only(MESSAGE_READ);
}

static void a_read_that_arrived_after_the_round_began_has_the_next(void **state)
{
	/* LR2. Else: what was acknowledged between the reports and the read is missed. */
	uint64_t nonce;

	(void)state;
	when_read();
	nonce = stage.any_reads.nonce;
	with_commands(20, 2);
	when_read_as(FLAG_READ_ANY);
	the_only(MESSAGE_READ_PROBE);
	hear_report(SELF, 0, 0);
	hear_report(1, 0, 0);
	assert_int_equal(the_only(MESSAGE_READ)->m.count, 1);
	flush();
	assert_int_equal(sent_of(MESSAGE_READ_PROBE), 2);
	assert_int_not_equal(stage.any_reads.nonce, nonce);
	/* What was said to the first round is no answer to the second. */
	for (uint8_t i = 0; i < MEMBERS; i++) {
		const struct message m = {
			.type = MESSAGE_READ_REPORT,
			.ballot = settings.seed + settings.life,
			.first = nonce,
		};

		hear(i, &m, NULL);
	}
	the_only(MESSAGE_READ);
}

static void what_was_said_to_an_earlier_life_is_no_answer(void **state)
{
	(void)state;
	when_read();
	for (uint8_t i = 0; i < MEMBERS; i++) {
		const struct message m = {
			.type = MESSAGE_READ_REPORT,
			.ballot = settings.seed, /* Of an earlier life. */
			.first = stage.any_reads.nonce,
		};

		hear(i, &m, NULL);
	}
	assert_false(stage.any_reads.reported);
}

static void who_did_not_report_is_asked_again(void **state)
{
	(void)state;
	when_read();
	hear_report(1, 0, 0);
	now += RETRANSMIT - 1;
	tick();
	the_only(MESSAGE_READ_PROBE);
	now++;
	tick();
	assert_int_equal(sent_nth(MESSAGE_READ_PROBE, 1)->to.members, EVERYBODY & ~(1 << 1));
}

static void what_is_not_applied_in_time_asks_the_leader(void **state)
{
	/* Else: a vote for what is never chosen makes reads wait for ever. */
	const struct sent *s;

	(void)state;
	hear_leads();
	delivered(3);
	when_read();
	hear_report(SELF, 0, 3);
	now += 30;
	hear_report(1, 0, 4);
	now += RETRANSMIT - 1;
	tick();
	assert_int_equal(sent_of(MESSAGE_READ_INDEX), 0);
	now++;
	tick();
	s = the_only(MESSAGE_READ_INDEX);
	assert_int_equal(s->to.members, 1 << LEADER);
	tick();
	the_only(MESSAGE_READ_INDEX);
	hear_indexed(s->m.ballot, s->m.first, 3);
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 3);
}

static void a_leaders_index_counts_for_the_round_that_asked_only(void **state)
{
	/* LR5. */
	(void)state;
	hear_leads();
	when_read();
	hear_report(SELF, 0, 4);
	hear_report(1, 0, 4);
	hear_indexed(stage.any_reads.ballot, stage.any_reads.nonce - 1, 0);
	hear_indexed(stage.any_reads.ballot + 1, stage.any_reads.nonce, 0);
	hear_indexed(stage.any_reads.ballot, stage.any_reads.nonce, 9);
	delivered(3);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	delivered(4);
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 4);
}

static void who_can_not_tell_refuses_after_an_election_timeout(void **state)
{
	(void)state;
	hear_leads();
	when_read();
	now += TIMEOUT - 1;
	tick();
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	hear_leads();
	now++;
	tick();
	flush();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_REDIRECT, LEADER);
	assert_false(stage.any_reads.under_way);
}

static void a_leader_reads_for_any_by_its_own_rule(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_read_as(FLAG_READ_ANY);
	the_only(MESSAGE_READ_ROUND);
	assert_int_equal(sent_of(MESSAGE_READ_PROBE), 0);
}

static void hear_confirm(uint8_t member)
{
	const struct message m = {
		.type = MESSAGE_READ_CONFIRM,
		.ballot = stage.reads.ballot,
		.first = stage.reads.nonce,
	};

	hear(member, &m, NULL);
}

static void a_leader_tells_its_index_once_a_round_confirmed_it(void **state)
{
	const struct message asks = {.type = MESSAGE_READ_INDEX, .ballot = 99, .first = 5};
	const struct sent *s;

	(void)state;
	hear(1, &asks, NULL);
	flush();
	the_only(MESSAGE_READ_ROUND);
	hear_confirm(SELF);
	assert_int_equal(sent_of(MESSAGE_READ_INDEXED), 0);
	hear_confirm(2);
	s = the_only(MESSAGE_READ_INDEXED);
	assert_int_equal(s->to.members, 1 << 1);
	assert_int_equal(s->m.ballot, 99);
	assert_int_equal(s->m.first, 5);
	assert_int_equal(s->m.watermark, stage.proposer.window.chosen);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	/* Asked after the round began: the next one tells. */
	with_commands(9, 1);
	when_read_as(FLAG_READ);
	hear(1, &asks, NULL);
	hear_confirm(SELF);
	hear_confirm(1);
	the_only(MESSAGE_READ_INDEXED);
	flush();
	hear_confirm(SELF);
	hear_confirm(1);
	assert_int_equal(sent_of(MESSAGE_READ_INDEXED), 2);
}

static void who_does_not_lead_tells_no_index(void **state)
{
	const struct message asks = {.type = MESSAGE_READ_INDEX, .ballot = 99, .first = 5};

	(void)state;
	hear(1, &asks, NULL);
	flush();
	assert_int_equal(sent_count, 0);
}

static void a_stale_read_goes_to_the_learner_as_it_is(void **state)
{
	const struct sent *s;

	(void)state;
	with_commands(9, 2);
	with_entry(ENTRY_OPEN, 30, 0, 0);
	with_commands(11, 1);
	when_read_as(FLAG_READ_STALE);
	assert_int_equal(sent_of(MESSAGE_READ_PROBE), 0);
	s = the_only(MESSAGE_READ);
	assert_true(s->to.local);
	assert_int_equal(s->m.flags, FLAG_READ_STALE);
	assert_int_equal(s->m.from, CLIENT);
	assert_int_equal(s->m.count, 3);
	assert_true(entries_valid(s->body, s->m.payload_len, 3));
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 30, REPLY_BAD_COMMAND, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_read_for_any_member_asks_every_shard_how_far_it_voted,
			setup),
		cmocka_unit_test_setup(
			a_read_runs_once_the_largest_report_of_a_phase1_quorum_is_applied, setup),
		cmocka_unit_test_setup(what_is_applied_already_is_read_at_once, setup),
		cmocka_unit_test_setup(who_reports_after_the_quorum_makes_no_read_wait, setup),
		cmocka_unit_test_setup(a_member_counts_with_every_one_of_its_shards, setup),
		cmocka_unit_test_setup(a_read_that_arrived_after_the_round_began_has_the_next,
			setup),
		cmocka_unit_test_setup(what_was_said_to_an_earlier_life_is_no_answer, setup),
		cmocka_unit_test_setup(who_did_not_report_is_asked_again, setup),
		cmocka_unit_test_setup(what_is_not_applied_in_time_asks_the_leader, setup),
		cmocka_unit_test_setup(a_leaders_index_counts_for_the_round_that_asked_only, setup),
		cmocka_unit_test_setup(who_can_not_tell_refuses_after_an_election_timeout, setup),
		cmocka_unit_test_setup(a_leader_reads_for_any_by_its_own_rule, setup_leader),
		cmocka_unit_test_setup(a_leader_tells_its_index_once_a_round_confirmed_it,
			setup_leader),
		cmocka_unit_test_setup(who_does_not_lead_tells_no_index, setup),
		cmocka_unit_test_setup(a_stale_read_goes_to_the_learner_as_it_is, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
