/* The leader's stage and reads: a round for each batch, and what becomes of those that wait. */
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

static void when_read_by(uint16_t client)
{
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.flags = FLAG_READ,
		.sender = MESSAGE_SENDER_CLIENT,
		.from = client,
		.count = request_count,
		.payload_len = (uint16_t)request_bytes,
	};

	leader_stage_on_message(&stage, &m, request, now);
	request_count = 0;
	request_bytes = 0;
}

static void when_read(void)
{
	when_read_by(CLIENT);
	flush();
}

static void hear_confirm(uint8_t member, uint16_t shard, uint64_t nonce)
{
	const struct message m = {
		.type = MESSAGE_READ_CONFIRM,
		.ballot = stage.proposer.ballot,
		.first = nonce,
		.shard = shard,
	};

	hear(member, &m, NULL);
}

static void confirm_round(void)
{
	uint64_t nonce = stage.reads.nonce;

	hear_confirm(SELF, 0, nonce);
	hear_confirm(1, 0, nonce);
}

static void a_read_asks_every_shard_of_every_member_and_is_not_proposed(void **state)
{
	const struct sent *s;

	(void)state;
	settings.shards = 2;
	with_commands(9, 2);
	when_read();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 2);
	for (uint16_t shard = 0; shard < 2; shard++) {
		s = sent_nth(MESSAGE_READ_ROUND, shard);
		assert_int_equal(s->to.members, EVERYBODY);
		assert_int_equal(s->m.ballot, stage.proposer.ballot);
		assert_int_equal(s->m.shard, shard);
	}
	assert_int_equal(sent_nth(MESSAGE_READ_ROUND, 0)->m.first,
		sent_nth(MESSAGE_READ_ROUND, 1)->m.first);
}

static void the_learner_has_reads_once_a_quorum_confirmed(void **state)
{
	const struct sent *s;
	const uint16_t *clients;
	const struct entry *e;

	(void)state;
	with_commands(9, 1);
	when_read_by(CLIENT);
	with_commands(20, 1);
	when_read_by(OTHER_CLIENT);
	flush();
	hear_confirm(SELF, 0, stage.reads.nonce);
	hear_confirm(SELF, 0, stage.reads.nonce);
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	hear_confirm(2, 0, stage.reads.nonce);
	s = the_only(MESSAGE_READ);
	assert_true(s->to.local);
	assert_int_equal(s->m.count, 2);
	assert_int_equal(s->m.first, 1);
	assert_int_equal(s->m.payload_len, 2 * (entry_bytes(8) + 2));
	e = (const struct entry *)(const void *)s->body;
	assert_int_equal(e->session, 9);
	clients = (const uint16_t *)(const void *)(s->body + 2 * entry_bytes(8));
	assert_int_equal(clients[0], CLIENT);
	assert_int_equal(clients[1], OTHER_CLIENT);
	/* Over is over. */
	hear_confirm(1, 0, stage.reads.nonce);
	flush();
	the_only(MESSAGE_READ);
	the_only(MESSAGE_READ_ROUND);
}

static void a_read_has_the_index_that_was_chosen_when_it_arrived(void **state)
{
	(void)state;
	with_commands(9, 3);
	when_requested();
	with_commands(20, 1);
	when_read();
	choose_all();
	confirm_round();
	assert_int_equal(the_only(MESSAGE_READ)->m.first, 1);
	with_commands(20, 1);
	when_read();
	confirm_round();
	assert_int_equal(sent_nth(MESSAGE_READ, 1)->m.first, 4);
}

static void a_read_that_arrived_after_the_round_began_waits_for_the_next(void **state)
{
	uint64_t nonce;

	(void)state;
	with_commands(9, 1);
	when_read();
	nonce = stage.reads.nonce;
	with_commands(20, 2);
	when_read();
	the_only(MESSAGE_READ_ROUND);
	confirm_round();
	assert_int_equal(the_only(MESSAGE_READ)->m.count, 1);
	flush();
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 2);
	assert_int_not_equal(sent_nth(MESSAGE_READ_ROUND, 1)->m.first, nonce);
	hear_confirm(1, 0, nonce);
	hear_confirm(2, 0, nonce);
	the_only(MESSAGE_READ);
	confirm_round();
	assert_int_equal(sent_nth(MESSAGE_READ, 1)->m.count, 2);
}

static void who_did_not_confirm_is_asked_again(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_read();
	hear_confirm(1, 0, stage.reads.nonce);
	now += RETRANSMIT - 1;
	tick();
	the_only(MESSAGE_READ_ROUND);
	now += 1;
	tick();
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 2);
	assert_int_equal(sent_nth(MESSAGE_READ_ROUND, 1)->to.members, EVERYBODY & ~(1 << 1));
	assert_int_equal(sent_nth(MESSAGE_READ_ROUND, 1)->m.first, stage.reads.nonce);
	tick();
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 2);
	hear_confirm(2, 0, stage.reads.nonce);
	now += 2 * RETRANSMIT;
	tick();
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 2);
}

static void a_higher_ballot_ends_the_lead_and_the_reads_hear_of_it(void **state)
{
	const struct sent *s;

	(void)state;
	with_commands(9, 1);
	when_read();
	with_commands(20, 1);
	when_read_by(OTHER_CLIENT);
	hear_refused(2, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	assert_false(stage.leads);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	for (uint32_t i = 0; i < 2; i++) {
		s = sent_nth(MESSAGE_REPLY, i);
		then_reply(s, 0, s->to.client == CLIENT ? CLIENT : OTHER_CLIENT,
			s->to.client == CLIENT ? 9 : 20, REPLY_BUSY, 0);
	}
	confirm_round();
	now += RETRANSMIT;
	tick();
	flush();
	assert_int_equal(sent_of(MESSAGE_READ), 0);
	the_only(MESSAGE_READ_ROUND);
}

static void reads_are_redirected_to_whom_a_deposed_leader_hears(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_read();
	hear_heartbeat(2, HEARTBEAT_LEADS, ballot_make(300, 2), 0, 0);
	flush();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_REDIRECT, 2);
}

static void who_does_not_lead_takes_no_read(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_read();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BUSY, 0);
	hear_heartbeat(2, HEARTBEAT_LEADS, ballot_make(3, 2), 0, 0);
	with_commands(9, 1);
	when_read();
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, CLIENT, 9, REPLY_REDIRECT, 2);
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 0);
}

static void more_reads_than_fit_are_busy(void **state)
{
	uint32_t fit = READ_FRAMES * BODY_BYTES / (entry_bytes(8) + 2);
	uint64_t session = 100;
	uint32_t told = 0;

	(void)state;
	with_commands(9, 1);
	when_read();
	for (uint32_t left = fit + 2; left > 0;) {
		uint32_t count = left < 50 ? left : 50;

		with_commands(session, count);
		when_read_by((uint16_t)(CLIENT + (session - 100) / 50));
		flush();
		session += count;
		left -= count;
	}
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 2);
	then_reply(the_only(MESSAGE_REPLY), 0, (uint16_t)(CLIENT + fit / 50), 100 + fit, REPLY_BUSY,
		0);
	assert_int_equal(stage.counters.busy, 2);
	confirm_round();
	flush();
	sent_count = 0;
	confirm_round();
	assert_in_range(sent_of(MESSAGE_READ), READ_FRAMES, READ_PIECES_MAX);
	/* Each read once, in frames that carry a body. */
	for (uint32_t i = 0; i < sent_of(MESSAGE_READ); i++) {
		const struct sent *s = sent_nth(MESSAGE_READ, i);
		const struct entry *e = (const struct entry *)(const void *)s->body;
		const uint16_t *clients = (const uint16_t *)(const void *)(s->body +
			s->m.payload_len - 2 * s->m.count);

		for (uint32_t k = 0; k < s->m.count; k++)
			assert_int_equal(clients[k], CLIENT + (told + k) / 50);
		assert_true(s->m.payload_len <= BODY_BYTES);
		assert_int_equal(e->session, 100 + told);
		told += s->m.count;
	}
	assert_int_equal(told, fit);
}

static void a_read_is_a_command_that_fits_a_frame(void **state)
{
	uint32_t fits = (BODY_BYTES - RECORD_BYTES - ENTRY_BYTES) / 8 * 8;

	(void)state;
	with_entry(ENTRY_OPEN, 9, 0, 0);
	with_entry(ENTRY_NOOP, 10, 0, 0);
	when_read();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BAD_COMMAND, 0);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 10, REPLY_BAD_COMMAND, 0);
	with_entry(ENTRY_COMMAND, 9, 0, fits + 1);
	when_read();
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, CLIENT, 9, REPLY_TOO_LARGE, 0);
	assert_int_equal(sent_of(MESSAGE_READ_ROUND), 0);
	with_entry(ENTRY_COMMAND, 9, 0, fits);
	when_read();
	the_only(MESSAGE_READ_ROUND);
}

static void a_read_takes_no_sequence_of_a_session(void **state)
{
	(void)state;
	with_entry(ENTRY_COMMAND, 9, 0, 8);
	when_read();
	with_entry(ENTRY_COMMAND, 9, 0, 8);
	when_requested();
	then_proposed(the_only(MESSAGE_ACCEPT), 1, 1);
	with_entry(ENTRY_COMMAND, 9, 0, 8);
	when_read();
	confirm_round();
	flush();
	confirm_round();
	assert_int_equal(sent_of(MESSAGE_READ), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_does_not_lead_takes_no_read, setup_follower),
		cmocka_unit_test_setup(a_read_asks_every_shard_of_every_member_and_is_not_proposed,
			setup),
		cmocka_unit_test_setup(the_learner_has_reads_once_a_quorum_confirmed, setup),
		cmocka_unit_test_setup(a_read_has_the_index_that_was_chosen_when_it_arrived, setup),
		cmocka_unit_test_setup(a_read_that_arrived_after_the_round_began_waits_for_the_next,
			setup),
		cmocka_unit_test_setup(who_did_not_confirm_is_asked_again, setup),
		cmocka_unit_test_setup(a_higher_ballot_ends_the_lead_and_the_reads_hear_of_it,
			setup),
		cmocka_unit_test_setup(reads_are_redirected_to_whom_a_deposed_leader_hears, setup),
		cmocka_unit_test_setup(more_reads_than_fit_are_busy, setup),
		cmocka_unit_test_setup(a_read_is_a_command_that_fits_a_frame, setup),
		cmocka_unit_test_setup(a_read_takes_no_sequence_of_a_session, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
