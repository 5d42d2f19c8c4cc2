/* The client's half of exactly once: sessions, windows, and one report for each command. */
#include "tests/unit/given_client.h"

static void every_session_opens_by_itself(void **state)
{
	(void)state;
	given_client(SESSIONS);
	client_want(&client, 1, 1);
	assert_int_equal(fill(), SESSIONS);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		assert_int_equal(entry_kind(entry(i)), ENTRY_OPEN);
		assert_int_equal(entry(i)->session, client.nonce + i);
	}
	assert_int_equal(fill(), 0);
}

static void sends_what_is_wanted_and_no_more(void **state)
{
	(void)state;
	given_opened(2);
	assert_int_equal(fill(), 0);
	client_want(&client, 1, 2);
	assert_int_equal(fill(), 2);
	then_entry(0, ID + 1, 0);
	then_entry(1, ID + 1, 1);
	assert_int_equal(fill(), 0);
}

static void a_value_is_padded_with_zeros(void **state)
{
	const uint8_t zeros[3] = {0};

	(void)state;
	given_opened(1);
	client_want(&client, 0, 1);
	memset(body, 0xee, sizeof(body));
	fill();
	assert_int_equal(body_bytes, entry_bytes(13));
	assert_int_equal(entry_length(entry(0)), 13);
	assert_memory_equal(body + ENTRY_BYTES + 13, zeros, 3);
}

static void never_has_a_sequence_a_window_above_an_outstanding_one(void **state)
{
	/* Else: the session table slides past the oldest, which is then `stale`. */
	(void)state;
	given_full_window();
	assert_int_equal(fill(), 0);
	when_reply(ID, 1, REPLY_OK, 0);
	when_reply(ID, 2, REPLY_OK, 0);
	assert_int_equal(fill(), 0);
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(fill(), WINDOW);
	then_entry(0, ID, 3);
}

static void a_frame_holds_no_more_than_its_batch(void **state)
{
	(void)state;
	settings.batch = 2;
	given_opened(1);
	client_want(&client, 0, 10);
	assert_int_equal(fill(), 2);
	assert_int_equal(fill(), 1);
	then_entry(0, ID, 2);
	now += 2 * RETRY;
	assert_int_equal(fill_retries(), 2);
}

static void a_body_is_never_longer_than_its_limit(void **state)
{
	(void)state;
	settings.body_max = 2 * entry_bytes(13) + entry_bytes(VALUE_MAX) - 1;
	given_opened(1);
	client_want(&client, 0, 10);
	assert_int_equal(fill(), 2);
	assert_true(body_bytes <= settings.body_max);
	assert_int_equal(fill(), 1);
	then_entry(0, ID, 2);
}

static uint32_t length(void *context, uint32_t session, uint64_t sequence)
{
	(void)context;
	(void)session;
	(void)sequence;
	return 13;
}

static void a_command_of_known_length_needs_no_more_room(void **state)
{
	(void)state;
	settings.length = length;
	settings.body_max = 2 * entry_bytes(13);
	given_opened(1);
	client_want(&client, 0, 10);
	assert_int_equal(fill(), 2);
	assert_int_equal(fill(), 1);
	then_entry(0, ID, 2);
}

static void opens_fill_a_body_to_its_limit(void **state)
{
	(void)state;
	settings.body_max = 3 * ENTRY_BYTES - 1;
	given_client(SESSIONS);
	assert_int_equal(fill(), 2);
	assert_int_equal(fill(), 2);
}

static void a_command_is_done_once_with_the_reply_to_its_sequence(void **state)
{
	(void)state;
	given_full_window();
	when_reply(ID, 1, REPLY_OK, 71);
	when_reply(ID, 1, REPLY_OK, 72);
	assert_int_equal(dones_count, 1);
	assert_int_equal(dones[0].sequence, 1);
	assert_int_equal(dones[0].id, ID);
	assert_int_equal(dones[0].result, 71);
	assert_int_equal(dones[0].sent_ns, 5000);
	assert_int_equal(client.counters.late, 1);
	when_reply(ID, 0, REPLY_OK, 70);
	when_reply(ID, 0, REPLY_OK, 70);
	assert_int_equal(dones_count, 2);
	assert_int_equal(client.outstanding, 1);
}

static void a_reply_to_what_was_never_sent_is_late(void **state)
{
	(void)state;
	given_full_window();
	when_reply(ID, WINDOW, REPLY_OK, 0);
	when_reply(ID, 32, REPLY_OK, 0);
	when_reply(ID + 1, 0, REPLY_OK, 0);
	assert_int_equal(dones_count, 0);
	assert_int_equal(client.outstanding, WINDOW);
}

static void a_reply_to_what_was_answered_long_ago_is_late(void **state)
{
	(void)state;
	given_opened(1);
	client_want(&client, 0, 33);
	for (uint64_t i = 0; i < 32; i++) {
		fill();
		when_reply(ID, i, REPLY_OK, 0);
	}
	fill();
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(dones_count, 32);
	assert_int_equal(client.outstanding, 1);
}

static void replies_of_one_frame_are_all_heard(void **state)
{
	(void)state;
	given_full_window();
	for (uint64_t i = 0; i < WINDOW; i++)
		put_reply(ID, i, REPLY_OK, i);
	when_replies_of(0);
	assert_int_equal(dones_count, WINDOW);
}

static void a_second_open_of_a_retry_is_left_to_expire(void **state)
{
	(void)state;
	given_opened(1);
	client_want(&client, 0, 2);
	fill();
	when_reply(client.nonce + 0, 0, REPLY_OPENED, 900);
	assert_int_equal(client.opened, 1);
	assert_int_equal(client.counters.late, 1);
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(dones_count, 1);
	assert_int_equal(dones[0].id, ID);
}

static void a_session_that_is_not_ours_is_not_opened(void **state)
{
	(void)state;
	given_opened(1);
	when_reply(client.nonce + 1, 0, REPLY_OPENED, 900);
	when_reply(client.nonce + UINT64_MAX, 0, REPLY_OPENED, 900);
	assert_int_equal(client.opened, 1);
	assert_int_equal(client.counters.late, 2);
}

static void an_id_that_no_member_can_give_opens_nothing(void **state)
{
	/* Else: the session counts as open and is closed, and each such reply takes a slot of the
	 * index, until a search in it finds no end. */
	(void)state;
	given_client(2);
	assert_int_equal(fill(), 2);
	when_reply(client.nonce, 0, REPLY_OPENED, CLIENT_CLOSED);
	when_reply(client.nonce, 0, REPLY_OPENED, INSTANCE_TOP);
	assert_int_equal(client.opened, 0);
	assert_int_equal(client.outstanding, 2);
	when_reply(client.nonce, 0, REPLY_OPENED, ID);
	when_reply(client.nonce + 1, 0, REPLY_OPENED, ID); /* The other one's. */
	assert_int_equal(client.opened, 1);
	assert_true(client_closed(&client.sessions[1]));
	assert_int_equal(client.counters.late, 3);
}

static void a_session_may_expire_for_ever(void **state)
{
	(void)state;
	given_opened(1);
	client_want(&client, 0, 1);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(fill(), 1);
		when_reply(ID + i, 0, REPLY_EXPIRED, 0);
		assert_int_equal(fill(), 1);
		when_reply(entry(0)->session, 0, REPLY_OPENED, ID + i + 1);
	}
	assert_int_equal(client.counters.expired, 1000);
}

static void an_answer_to_an_earlier_opening_opens_nothing(void **state)
{
	/* Else: a member that lags knows that session still, and answers a new command as it did an old
	 * one of the same number: done, though it never is executed. */
	uint64_t nonce;

	(void)state;
	given_opened(1);
	nonce = client.nonce;
	client_want(&client, 0, 1);
	fill();
	when_reply(ID, 0, REPLY_EXPIRED, 0);
	assert_int_equal(fill(), 1);
	assert_int_not_equal(entry(0)->session, nonce);
	when_reply(nonce, 0, REPLY_OPENED, ID);
	assert_int_equal(client.opened, 0);
	when_reply(entry(0)->session, 0, REPLY_OPENED, 900);
	assert_int_equal(client.opened, 1);
	assert_int_equal(client.sessions[0].id, 900);
}

static uint64_t lost[DONE_MAX];
static uint32_t lost_count;

static void lose(void *context, uint32_t session, uint64_t sequence)
{
	(void)context;
	assert_int_equal(session, 0);
	lost[lost_count++] = sequence;
}

static void who_asks_hears_which_commands_expired_with_their_session(void **state)
{
	(void)state;
	settings.expired = lose;
	lost_count = 0;
	given_full_window();
	when_reply(ID, 1, REPLY_OK, 0);
	when_reply(ID, 2, REPLY_EXPIRED, 0);
	assert_int_equal(lost_count, 2);
	assert_int_equal(lost[0], 0);
	assert_int_equal(lost[1], 2);
	/* Ten were wanted, three went out, and none stands in for those lost. */
	assert_int_equal(client.sessions[0].allowed, 10 - WINDOW);
}

/* Of four commands, those with an odd sequence are reads. */
static uint32_t value_or_read(void *context, uint32_t session, uint64_t sequence, uint8_t *to)
{
	return value(context, session, sequence, to) | (sequence % 2 == 1 ? CLIENT_READ : 0);
}

static void reads_are_split_from_the_body_that_was_filled(void **state)
{
	_Alignas(8) uint8_t reads[sizeof(body)];
	const struct entry *e = (const struct entry *)(const void *)reads;
	uint32_t reads_bytes;

	(void)state;
	settings.value = value_or_read;
	given_full_window();
	assert_int_equal(entry_length(entry(1)), 13);
	assert_int_equal(client_split(&client, body, WINDOW, &body_bytes, reads, &reads_bytes), 1);
	assert_int_equal(reads_bytes, entry_bytes(13));
	assert_int_equal(entry_sequence(e), 1);
	assert_memory_equal((const uint8_t *)(e + 1), "\x02\x02\x02", 3);
	assert_int_equal(body_bytes, 2 * entry_bytes(13));
	then_entry(0, ID, 0);
	then_entry(1, ID, 2);
	/* The next body is split by what stands in it. */
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(fill(), 1);
	then_entry(0, ID, 3);
	assert_int_equal(client_split(&client, body, 1, &body_bytes, reads, &reads_bytes), 1);
	assert_int_equal(body_bytes, 0);
	when_reply(ID, 1, REPLY_OK, 0);
	when_reply(ID, 2, REPLY_OK, 0);
	assert_int_equal(fill(), 2);
	then_entry(0, ID, 4);
	assert_int_equal(client_split(&client, body, 2, &body_bytes, reads, &reads_bytes), 1);
	then_entry(0, ID, 4);
}

static void a_frame_holds_no_more_commands_than_a_run(void **state)
{
	static _Alignas(64) uint8_t many[1 << 17];

	/* Else: the replica drops it as malformed, and its commands wait for ever. */
	(void)state;
	settings.batch = UINT32_MAX;
	assert_true(client_bytes(2 * RUN_COUNT_MAX) <= sizeof(many));
	client_init(&client, &settings, 2 * RUN_COUNT_MAX, many);
	assert_int_equal(fill(), RUN_COUNT_MAX);
	now += 2 * RETRY;
	assert_int_equal(fill_retries(), RUN_COUNT_MAX);
}

static void an_expired_session_opens_again_and_counts_from_zero(void **state)
{
	(void)state;
	given_full_window();
	when_reply(ID, 0, REPLY_OK, 0);
	fill();
	when_reply(ID, 1, REPLY_EXPIRED, 0);
	assert_int_equal(client.opened, 0);
	assert_int_equal(client.outstanding, 0);
	when_reply(ID, 2, REPLY_OK, 0);
	assert_int_equal(dones_count, 1);
	assert_int_equal(fill(), 1);
	assert_int_equal(entry_kind(entry(0)), ENTRY_OPEN);
	when_reply(entry(0)->session, 0, REPLY_OPENED, 900);
	assert_int_equal(fill(), WINDOW);
	then_entry(0, 900, 0);
	/* Ten were wanted, one is done, three are out. */
	assert_int_equal(client.sessions[0].allowed, 10 - 1 - WINDOW);
}

static void sessions_whose_ids_collide_are_told_apart(void **state)
{
	(void)state;
	given_client(SESSIONS);
	fill();
	for (uint32_t i = 0; i < SESSIONS; i++)
		when_reply(client.nonce + i, 0, REPLY_OPENED, ID + i * 63);
	for (uint32_t i = 0; i < SESSIONS; i++)
		client_want(&client, i, 1);
	assert_int_equal(fill(), SESSIONS);
	when_reply(ID, 0, REPLY_EXPIRED, 0);
	for (uint32_t i = 1; i < SESSIONS; i++)
		when_reply(ID + i * 63, 0, REPLY_OK, i);
	assert_int_equal(dones_count, SESSIONS - 1);
	for (uint32_t i = 0; i < dones_count; i++)
		assert_int_equal(dones[i].session, i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_session_opens_by_itself, setup),
		cmocka_unit_test_setup(sends_what_is_wanted_and_no_more, setup),
		cmocka_unit_test_setup(a_value_is_padded_with_zeros, setup),
		cmocka_unit_test_setup(never_has_a_sequence_a_window_above_an_outstanding_one,
			setup),
		cmocka_unit_test_setup(a_frame_holds_no_more_than_its_batch, setup),
		cmocka_unit_test_setup(a_body_is_never_longer_than_its_limit, setup),
		cmocka_unit_test_setup(a_command_of_known_length_needs_no_more_room, setup),
		cmocka_unit_test_setup(opens_fill_a_body_to_its_limit, setup),
		cmocka_unit_test_setup(a_command_is_done_once_with_the_reply_to_its_sequence,
			setup),
		cmocka_unit_test_setup(a_reply_to_what_was_never_sent_is_late, setup),
		cmocka_unit_test_setup(a_reply_to_what_was_answered_long_ago_is_late, setup),
		cmocka_unit_test_setup(replies_of_one_frame_are_all_heard, setup),
		cmocka_unit_test_setup(a_second_open_of_a_retry_is_left_to_expire, setup),
		cmocka_unit_test_setup(a_session_that_is_not_ours_is_not_opened, setup),
		cmocka_unit_test_setup(an_id_that_no_member_can_give_opens_nothing, setup),
		cmocka_unit_test_setup(a_session_may_expire_for_ever, setup),
		cmocka_unit_test_setup(an_answer_to_an_earlier_opening_opens_nothing, setup),
		cmocka_unit_test_setup(an_expired_session_opens_again_and_counts_from_zero, setup),
		cmocka_unit_test_setup(sessions_whose_ids_collide_are_told_apart, setup),
		cmocka_unit_test_setup(who_asks_hears_which_commands_expired_with_their_session,
			setup),
		cmocka_unit_test_setup(reads_are_split_from_the_body_that_was_filled, setup),
		cmocka_unit_test_setup(a_frame_holds_no_more_commands_than_a_run, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
