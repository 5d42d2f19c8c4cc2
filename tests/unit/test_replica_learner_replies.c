/* The learner's stage and its clients: exactly once, and who is answered what. */
#include "tests/unit/given_learner.h"

enum {
	CLIENT = ENDPOINT_CLIENT_FIRST + 5,
	OTHER_CLIENT = ENDPOINT_CLIENT_FIRST + 6,
	NONCE = 77,
};

/* What the leader `node` writes into an open for its client. */
static uint64_t asked_of(uint32_t node, uint16_t client)
{
	return (uint64_t)node * 65536 + client;
}

/* We lead; session 0 is open, and its client was answered. */
static int setup_session(void **state)
{
	setup(state);
	with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
	when_chosen();
	sent_count = 0;
	return 0;
}

static const struct reply *reply(const struct sent *s, uint32_t i)
{
	const uint8_t *at = s->body;

	assert_true(i < s->m.count);
	for (; i > 0; i--)
		at += sizeof(struct reply) +
			(reply_length((const struct reply *)(const void *)at) + 7) / 8 * 8;
	return (const struct reply *)(const void *)at;
}

static void then_reply(const struct sent *s, uint32_t i, uint16_t client, uint64_t session,
	uint64_t sequence, enum reply_status status, uint64_t result)
{
	const struct reply *r = reply(s, i);

	assert_int_equal(s->to.client, client);
	assert_int_equal(r->session, session);
	assert_int_equal(reply_sequence(r), sequence);
	assert_int_equal(reply_status(r), status);
	assert_int_equal(r->result, result);
}

static void hear_retry(uint16_t client, uint64_t session, uint64_t sequence)
{
	const struct entry e = {
		.session = session,
		.sequence_length = entry_pack(ENTRY_COMMAND, sequence, 0),
	};
	const struct message m = {
		.type = MESSAGE_RETRY,
		.count = 1,
		.from = client,
		.payload_len = sizeof(e),
	};

	learner_stage_on_message(&stage, &m, (const uint8_t *)&e, NULL, now);
	flush();
}

static void an_open_is_answered_with_the_sessions_id(void **state)
{
	(void)state;
	given_delivered(7);
	with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
	when_chosen();
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 1);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, NONCE, 0, REPLY_OPENED, 7);
}

static void an_open_that_another_proposed_is_not_answered(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, NONCE, asked_of(2, CLIENT));
	when_chosen();
	with_command(0, 0);
	when_chosen();
	assert_int_equal(applied_count, 1);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void a_command_is_answered_after_it_was_applied(void **state)
{
	(void)state;
	with_command(0, 0);
	with_command(0, 1);
	hear_voted(OURS, 1);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	hear_watermark(OURS, 3, 3);
	flush();
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 2);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_OK, 10);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 0, 1, REPLY_OK, 20);
}

static void who_does_not_lead_executes_and_keeps_silent(void **state)
{
	(void)state;
	with_command(0, 0);
	when_chosen_at(THEIRS);
	assert_int_equal(applied_count, 1);
	hear_retry(CLIENT, 0, 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	/* A watermark of the ballot before does not make it leader again. */
	hear_watermark(OURS, 2, 2);
	hear_retry(CLIENT, 0, 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void a_duplicate_is_answered_from_the_cache_and_not_executed(void **state)
{
	(void)state;
	with_command(0, 0);
	when_chosen();
	sent_count = 0;
	with_command(0, 0);
	when_chosen();
	assert_int_equal(applied_count, 1);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_OK, 10);
	assert_int_equal(stage.counters.duplicates, 1);
}

static void a_duplicate_in_the_run_of_its_first_copy_is_too(void **state)
{
	(void)state;
	with_command(0, 0);
	with_command(0, 0);
	with_command(0, 1);
	when_chosen();
	assert_int_equal(applied_count, 2);
	assert_int_equal(applied[1].instance, 3);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_OK, 10);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 0, 0, REPLY_OK, 10);
	then_reply(the_only(MESSAGE_REPLY), 2, CLIENT, 0, 1, REPLY_OK, 30);
}

static void commands_of_a_session_run_out_of_order(void **state)
{
	/* Else, with "last sequence": 4 is lost, 5 executes, 4 is a duplicate and never runs. */
	(void)state;
	with_command(0, 2);
	with_command(0, 0);
	when_chosen();
	assert_int_equal(applied_count, 2);
	assert_int_equal(applied[1].sequence, 0);
}

static void a_stale_command_is_not_executed(void **state)
{
	(void)state;
	with_command(0, SESSION_WINDOW);
	with_command(0, 0);
	when_chosen();
	assert_int_equal(applied_count, 1);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_STALE, 0);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 0, SESSION_WINDOW, REPLY_OK, 10);
	assert_int_equal(stage.counters.stale, 1);
}

static void a_command_of_an_unknown_session_is_not_executed(void **state)
{
	(void)state;
	with_command(5, 0);
	when_chosen();
	assert_int_equal(applied_count, 0);
	assert_int_equal(stage.counters.expired, 1);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void a_retry_of_what_was_applied_hears_the_cached_reply(void **state)
{
	(void)state;
	with_command(0, 0);
	when_chosen();
	sent_count = 0;
	hear_retry(OTHER_CLIENT, 0, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, OTHER_CLIENT, 0, 0, REPLY_OK, 10);
	assert_int_equal(applied_count, 1);
}

static void a_retrys_address_replaces_the_sessions(void **state)
{
	(void)state;
	hear_retry(OTHER_CLIENT, 0, 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	with_command(0, 0);
	when_chosen();
	then_reply(the_only(MESSAGE_REPLY), 0, OTHER_CLIENT, 0, 0, REPLY_OK, 10);
}

static void a_retry_below_the_sessions_window_is_stale(void **state)
{
	(void)state;
	with_command(0, SESSION_WINDOW);
	when_chosen();
	sent_count = 0;
	hear_retry(CLIENT, 0, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_STALE, 0);
}

static void only_who_is_past_its_open_says_that_a_session_expired(void **state)
{
	(void)state;
	hear_retry(CLIENT, 3, 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	given_delivered(3);
	hear_retry(CLIENT, 3, 0);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	given_delivered(4);
	hear_retry(CLIENT, 3, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, 0, REPLY_EXPIRED, 0);
}

static void each_retry_of_a_message_is_heard(void **state)
{
	struct entry entries[3];
	struct message m = {
		.type = MESSAGE_RETRY,
		.count = 3,
		.from = CLIENT,
		.payload_len = sizeof(entries),
	};

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		with_command(0, i);
		entries[i] = (struct entry){0, entry_pack(ENTRY_COMMAND, i, 0)};
	}
	when_chosen();
	sent_count = 0;
	learner_stage_on_message(&stage, &m, (const uint8_t *)entries, NULL, now);
	flush();
	for (uint32_t i = 0; i < 3; i++)
		then_reply(the_only(MESSAGE_REPLY), i, CLIENT, 0, i, REPLY_OK, 10 * (i + 1));
}

static void a_full_table_evicts_the_session_that_was_idle_longest(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < SESSIONS_MAX; i++) {
		with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
		when_chosen();
	}
	with_command(0, 0);
	with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
	when_chosen();
	sent_count = 0;
	with_command(1, 0);
	with_command(0, 1);
	when_chosen();
	assert_int_equal(applied_count, 2);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 1, REPLY_OK, 70);
	hear_retry(CLIENT, 1, 0);
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, CLIENT, 1, 0, REPLY_EXPIRED, 0);
}

static void an_open_that_moves_sessions_loses_no_reply(void **state)
{
	const uint64_t opens[] = {5, 6, 31};

	(void)state;
	/* Sessions 0 and 31 have one home: when 0 is evicted, 31 moves up. */
	for (uint32_t i = 0; i < 3; i++) {
		given_delivered(opens[i]);
		with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
		when_chosen();
	}
	assert_int_equal(session_home(&stage.sessions, 31), session_home(&stage.sessions, 0));
	with_command(31, 0);
	with_entry(ENTRY_OPEN, NONCE, asked_of(SELF, CLIENT));
	when_chosen();
	assert_null(session_find(&stage.sessions, 0));
	sent_count = 0;
	hear_retry(CLIENT, 31, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 31, 0, REPLY_OK, 320);
}

static void an_answers_value_follows_it_padded_with_zeros(void **state)
{
	static const uint8_t value[] = "0123456789ab";
	const uint8_t padded[16] = "0123456789a";

	(void)state;
	answer_value = value;
	answer_length = 11;
	for (uint32_t i = 0; i < REPLY_BUFFERS; i++)
		memset(stage.replies[i].body, 0xee, sizeof(stage.replies[i].body));
	with_command(0, 0);
	with_command(0, 1);
	when_chosen();
	assert_int_equal(reply_length(reply(the_only(MESSAGE_REPLY), 0)), 11);
	assert_memory_equal(reply(the_only(MESSAGE_REPLY), 0) + 1, padded, 16);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 0, 1, REPLY_OK, 20);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.payload_len, 2 * (24 + 16));
}

static void answers_never_exceed_a_frame(void **state)
{
	(void)state;
	settings.body_max = 3 * sizeof(struct reply) + 8;
	for (uint64_t i = 0; i < SESSION_WINDOW; i++)
		with_command(0, i);
	when_chosen();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	assert_int_equal(sent_nth(MESSAGE_REPLY, 0)->m.count, 3);
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, CLIENT, 0, 3, REPLY_OK, 40);
}

static void more_clients_than_buffers_are_all_answered(void **state)
{
	const struct sent *s;

	(void)state;
	for (uint16_t i = 0; i < REPLY_BUFFERS + 3; i++)
		with_entry(ENTRY_OPEN, NONCE + i, asked_of(SELF, (uint16_t)(CLIENT + i)));
	when_chosen();
	assert_int_equal(sent_of(MESSAGE_REPLY), REPLY_BUFFERS + 3);
	for (uint32_t i = 0; i < REPLY_BUFFERS + 3; i++) {
		s = sent_nth(MESSAGE_REPLY, i);
		assert_int_equal(s->m.count, 1);
		assert_int_equal(reply(s, 0)->session - NONCE, s->to.client - CLIENT);
	}
}

/* A leadership of ours is over, which took this command. */
static void hear_lost(uint16_t client, uint64_t session, uint64_t sequence)
{
	const struct entry e = {
		.session = session,
		.sequence_length = sequence + client * SEQUENCE_TOP,
	};
	const struct message m = {
		.type = MESSAGE_LOST,
		.count = 1,
		.payload_len = sizeof(e),
	};

	learner_stage_on_message(&stage, &m, (const uint8_t *)&e, NULL, now);
	flush();
}

static void what_a_lost_leadership_did_not_answer_is_unknown(void **state)
{
	(void)state;
	with_command(0, 0);
	hear_voted(OURS, 1);
	hear_lost(OTHER_CLIENT, 0, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, OTHER_CLIENT, 0, 0, REPLY_UNKNOWN, 0);
	/* Also once another leads, and of a session that we do not know. */
	sent_count = 0;
	hear_watermark(THEIRS, 1, 1);
	hear_lost(CLIENT, 0, 0);
	then_reply(sent_nth(MESSAGE_REPLY, 0), 0, CLIENT, 0, 0, REPLY_UNKNOWN, 0);
	hear_lost(CLIENT, 44, 3);
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, CLIENT, 44, 3, REPLY_UNKNOWN, 0);
}

static void what_a_lost_leadership_answered_is_not_answered_again(void **state)
{
	(void)state;
	with_command(0, 0);
	with_command(0, 1);
	with_command(0, 5);
	when_chosen();
	hear_watermark(THEIRS, 1, 1);
	sent_count = 0;
	hear_lost(CLIENT, 0, 0);
	hear_lost(CLIENT, 0, 1);
	hear_lost(CLIENT, 0, 5);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void what_was_applied_in_silence_is_answered_to_whom_we_took_it_from(void **state)
{
	(void)state;
	hear_watermark(THEIRS, 1, 1);
	with_command(0, 0);
	when_chosen_at(THEIRS);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	hear_lost(CLIENT, 0, 0);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 0, 0, REPLY_OK, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_open_is_answered_with_the_sessions_id, setup),
		cmocka_unit_test_setup(an_open_that_another_proposed_is_not_answered, setup),
		cmocka_unit_test_setup(more_clients_than_buffers_are_all_answered, setup),
		cmocka_unit_test_setup(a_command_is_answered_after_it_was_applied, setup_session),
		cmocka_unit_test_setup(who_does_not_lead_executes_and_keeps_silent, setup_session),
		cmocka_unit_test_setup(a_duplicate_is_answered_from_the_cache_and_not_executed,
			setup_session),
		cmocka_unit_test_setup(a_duplicate_in_the_run_of_its_first_copy_is_too,
			setup_session),
		cmocka_unit_test_setup(commands_of_a_session_run_out_of_order, setup_session),
		cmocka_unit_test_setup(a_stale_command_is_not_executed, setup_session),
		cmocka_unit_test_setup(a_command_of_an_unknown_session_is_not_executed,
			setup_session),
		cmocka_unit_test_setup(a_retry_of_what_was_applied_hears_the_cached_reply,
			setup_session),
		cmocka_unit_test_setup(a_retrys_address_replaces_the_sessions, setup_session),
		cmocka_unit_test_setup(a_retry_below_the_sessions_window_is_stale, setup_session),
		cmocka_unit_test_setup(only_who_is_past_its_open_says_that_a_session_expired,
			setup_session),
		cmocka_unit_test_setup(each_retry_of_a_message_is_heard, setup_session),
		cmocka_unit_test_setup(a_full_table_evicts_the_session_that_was_idle_longest,
			setup_session),
		cmocka_unit_test_setup(an_open_that_moves_sessions_loses_no_reply, setup_session),
		cmocka_unit_test_setup(an_answers_value_follows_it_padded_with_zeros,
			setup_session),
		cmocka_unit_test_setup(answers_never_exceed_a_frame, setup_session),
		cmocka_unit_test_setup(what_a_lost_leadership_did_not_answer_is_unknown,
			setup_session),
		cmocka_unit_test_setup(what_a_lost_leadership_answered_is_not_answered_again,
			setup_session),
		cmocka_unit_test_setup(
			what_was_applied_in_silence_is_answered_to_whom_we_took_it_from,
			setup_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
