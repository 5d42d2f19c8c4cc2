/* What the client sends again, when, and to whom. */
#include "tests/unit/given_client.h"

static void a_retry_is_the_same_command_again(void **state)
{
	uint8_t first[sizeof(body)];
	uint32_t bytes;

	(void)state;
	given_opened(1);
	client_want(&client, 0, 1);
	fill();
	bytes = body_bytes;
	memcpy(first, body, bytes);
	now += RETRY - 1;
	assert_int_equal(fill_retries(), 0);
	now += RETRY / 2 + 1;
	memset(body, 0xee, sizeof(body));
	assert_int_equal(fill_retries(), 1);
	assert_int_equal(body_bytes, bytes);
	assert_memory_equal(body, first, bytes);
	assert_int_equal(fill_retries(), 0);
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(dones[0].sent_ns, 5000);
}

static void only_what_is_outstanding_is_retried(void **state)
{
	(void)state;
	given_full_window();
	when_reply(ID, 1, REPLY_OK, 0);
	now += 2 * RETRY;
	assert_int_equal(fill_retries(), 2);
	then_entry(0, ID, 0);
	then_entry(1, ID, 2);
}

static void an_open_is_retried(void **state)
{
	(void)state;
	fill();
	now += 2 * RETRY;
	assert_int_equal(fill_retries(), 1);
	assert_int_equal(entry_kind(entry(0)), ENTRY_OPEN);
}

/* The time that the command waits for its next retry. */
static uint64_t wait_of(uint32_t sequence)
{
	return client.sessions[0].commands[sequence].retry_ns - now;
}

static void retries_back_off_to_sixteen_times_with_jitter(void **state)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	given_opened(1);
	client_want(&client, 0, 1);
	fill();
	for (uint32_t i = 0; i < 60; i++) {
		/* The first retry waits as long as the first copy did. */
		uint64_t base = (uint64_t)RETRY << (i < 1 ? 0 : i < 5 ? i - 1 : 4);
		uint64_t wait = wait_of(0);

		assert_in_range(wait, base, base + base / 2);
		if (i >= 5) {
			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
		now += wait;
		assert_int_equal(fill_retries(), 1);
		/* No round: who leads is not in doubt here. */
		client.doubt = 0;
	}
	assert_true(most - least > 4 * RETRY);
	when_reply(ID, 0, REPLY_OK, 0);
	client_want(&client, 0, 1);
	fill();
	assert_true(wait_of(1) <= RETRY * 3 / 2);
}

static void what_speaks_of_one_copy_leaves_the_command_outstanding(void **state)
{
	const enum reply_status statuses[] = {REPLY_BUSY, REPLY_REDIRECT, REPLY_UNKNOWN};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		setup(NULL);
		given_full_window();
		when_reply(ID, 0, statuses[i], 2);
		assert_int_equal(dones_count, 0);
		assert_int_equal(client.outstanding, WINDOW);
		now += RETRY / 2;
		assert_int_equal(fill_retries(), 1);
		then_entry(0, ID, 0);
	}
}

static void a_redirect_names_the_leader(void **state)
{
	(void)state;
	given_full_window();
	when_reply(ID, 0, REPLY_BUSY, 1);
	assert_int_equal(client.leader, 0);
	when_reply(ID, 0, REPLY_REDIRECT, 2);
	assert_int_equal(client.leader, 2);
	when_reply(ID, 0, REPLY_REDIRECT, 3);
	assert_int_equal(client.leader, 2);
}

static void a_refused_open_goes_out_again_soon(void **state)
{
	(void)state;
	fill();
	when_reply(client.nonce, 0, REPLY_REDIRECT, 1);
	now += RETRY / 2;
	assert_int_equal(fill_retries(), 1);
	assert_int_equal(client.leader, 1);
}

/* Time for any retry: who was asked then, ASKED_NOBODY if there was none. */
#define ASKED_NOBODY UINT32_MAX

static uint32_t asked(void)
{
	now += 100 * RETRY;
	return fill_retries() > 0 ? client.leader : ASKED_NOBODY;
}

/* Two rounds without a word: who leads is in doubt. */
static void given_doubt(void)
{
	given_full_window();
	assert_int_equal(asked(), 0);
	assert_int_equal(asked(), 0);
}

static void a_leader_that_is_silent_is_left_for_each_of_the_others_in_turn(void **state)
{
	(void)state;
	given_doubt();
	assert_int_equal(asked(), 1);
	assert_int_equal(asked(), 2);
	assert_int_equal(asked(), 0);
	assert_int_equal(asked(), 1);
}

static void in_doubt_one_command_asks_and_the_others_wait(void **state)
{
	(void)state;
	given_doubt();
	now += 100 * RETRY;
	assert_int_equal(fill_retries(), 1);
	now += RETRY - 1;
	assert_int_equal(fill_retries(), 0);
}

static void in_doubt_the_pace_is_that_of_a_first_retry(void **state)
{
	(void)state;
	given_opened(1);
	client_want(&client, 0, 1);
	fill();
	for (uint32_t i = 0; i < 4; i++)
		asked();
	/* The command's own timer runs for longer. */
	assert_true(wait_of(0) >= 8 * RETRY);
	now += RETRY * 3 / 2;
	assert_int_equal(fill_retries(), 1);
}

static void who_answers_in_doubt_leads_and_all_goes_there_soon(void **state)
{
	(void)state;
	given_doubt();
	assert_int_equal(asked(), 1);
	put_reply(ID, 1, REPLY_OK, 0);
	when_replies_of(1);
	now += RETRY / 2;
	assert_int_equal(fill_retries(), 2);
	assert_int_equal(client.leader, 1);
	when_reply(ID, 0, REPLY_OK, 0);
	when_reply(ID, 2, REPLY_OK, 0);
	assert_int_equal(dones_count, 3);
}

static void who_answers_a_read_without_leading_is_not_believed_to_lead(void **state)
{
	const struct message marked = {.sender = 1, .count = 1, .flags = FLAG_READ_ANY};

	(void)state;
	given_doubt();
	assert_int_equal(asked(), 1);
	put_reply(ID, 1, REPLY_OK, 0);
	client_on_reply(&client, &marked, replies, now);
	assert_int_equal(dones_count, 1);
	assert_int_equal(asked(), 2);
}

static void after_a_doubt_every_session_begins_at_the_first_pace(void **state)
{
	(void)state;
	given_opened(2);
	client_want(&client, 0, 1);
	client_want(&client, 1, 1);
	fill();
	for (uint32_t i = 0; i < 8; i++)
		asked();
	put_reply(ID, 0, REPLY_OK, 0);
	when_replies_of(1);
	now += RETRY / 2;
	assert_int_equal(fill_retries(), 1);
	assert_true(client.sessions[1].commands[0].retry_ns <= now + RETRY * 3 / 2);
}

static void in_doubt_the_answer_of_one_asked_before_is_as_good(void **state)
{
	(void)state;
	given_doubt();
	assert_int_equal(asked(), 1);
	assert_int_equal(asked(), 2);
	put_reply(ID, 1, REPLY_OK, 0);
	when_replies_of(1);
	assert_int_equal(client.leader, 1);
}

static void a_late_answer_moves_nobody_from_a_leader_that_is_not_in_doubt(void **state)
{
	(void)state;
	given_full_window();
	put_reply(ID, 0, REPLY_OK, 0);
	when_replies_of(2);
	assert_int_equal(client.leader, 0);
	assert_int_equal(dones_count, 1);
}

static void a_redirect_in_doubt_is_followed_soon_but_not_for_ever(void **state)
{
	/* Else: two followers that name each other, or a dead leader, keep the third unasked. */
	(void)state;
	given_doubt();
	assert_int_equal(asked(), 1);
	put_reply(ID, 0, REPLY_REDIRECT, 0);
	when_replies_of(1);
	now += RETRY / 16;
	assert_int_equal(fill_retries(), 1);
	assert_int_equal(client.leader, 0);
	put_reply(ID, 0, REPLY_REDIRECT, 1);
	when_replies_of(0);
	now += RETRY / 16;
	assert_int_equal(fill_retries(), 0);
	assert_int_equal(asked(), 2);
}

static void who_is_only_busy_is_left_at_last(void **state)
{
	uint32_t rounds = 0;

	/* Else: a member that is cut off from the others, and knows no leader, is asked for ever. */
	(void)state;
	given_full_window();
	for (; client.leader == 0 && rounds < 100; rounds++) {
		assert_int_not_equal(asked(), ASKED_NOBODY);
		put_reply(ID, 0, REPLY_BUSY, 0);
		when_replies_of(0);
	}
	assert_int_equal(client.leader, 1);
	assert_in_range(rounds, 6, 10);
}

static void two_that_name_each_other_are_left_at_last_for_the_third(void **state)
{
	uint32_t rounds = 0;

	(void)state;
	given_full_window();
	for (uint32_t to = asked(); to != 2 && rounds < 100; to = asked(), rounds++) {
		put_reply(ID, 0, REPLY_REDIRECT, 1 - to);
		when_replies_of((uint8_t)to);
	}
	assert_int_equal(client.leader, 2);
	/* Not sooner: a redirect is a word, and mostly right. */
	assert_in_range(rounds, 8, 14);
}

/* As many frames as a sweep may fill go out before any answer can come. */
static void frames_of_one_sweep_are_one_round_of_silence(void **state)
{
	(void)state;
	given_opened(4);
	client.settings.batch = 1;
	for (uint32_t i = 0; i < 4; i++)
		client_want(&client, i, WINDOW);
	while (fill() > 0)
		continue;
	now += 2 * RETRY;
	for (uint32_t i = 0; i < 4 * WINDOW; i++) {
		assert_int_equal(fill_retries(), 1);
		assert_int_equal(client.leader, 0);
	}
}

static void a_redirect_is_followed_sooner_than_busy(void **state)
{
	uint64_t busy;

	(void)state;
	given_full_window();
	when_reply(ID, 0, REPLY_BUSY, 0);
	when_reply(ID, 1, REPLY_REDIRECT, 1);
	busy = wait_of(0);
	assert_true(wait_of(1) * 4 < busy);
}

static void a_leader_that_answers_is_kept(void **state)
{
	(void)state;
	given_opened(1);
	client_want(&client, 0, 1000);
	for (uint32_t i = 0; i < DONE_MAX; i++) {
		fill();
		asked();
		put_reply(ID, i, REPLY_OK, 0);
		when_replies_of(0);
		assert_int_equal(client.leader, 0);
	}
}

static void once_another_leads_what_waits_goes_out_at_once(void **state)
{
	/* Else: a command waits out its back-off, though the new leader takes commands. */
	(void)state;
	given_opened(2);
	client_want(&client, 0, 10);
	client_want(&client, 1, 10);
	while (fill() > 0)
		continue;
	now++;
	when_reply(ID, 0, REPLY_REDIRECT, 1);
	assert_int_equal(client.leader, 1);
	/* That one may not lead at all: first it must do a command. */
	assert_int_equal(fill_retries(), 0);
	when_reply(ID, 1, REPLY_BUSY, 0);
	assert_int_equal(fill_retries(), 0);
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(fill_retries(), 2 * WINDOW - 1);
	/* Once. */
	when_reply(ID, 1, REPLY_OK, 0);
	assert_int_equal(fill_retries(), 0);
}

static void once_a_silent_leader_was_left_what_waits_goes_out_at_once(void **state)
{
	(void)state;
	given_opened(2);
	client_want(&client, 0, 3);
	client_want(&client, 1, 3);
	while (fill() > 0)
		continue;
	while (client.leader == 0) {
		now += 100 * RETRY;
		fill_retries();
	}
	assert_int_equal(fill_retries(), 0);
	when_reply(ID, 0, REPLY_OK, 0);
	assert_int_equal(fill_retries(), 2 * WINDOW - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_retry_is_the_same_command_again, setup),
		cmocka_unit_test_setup(only_what_is_outstanding_is_retried, setup),
		cmocka_unit_test_setup(an_open_is_retried, setup),
		cmocka_unit_test_setup(retries_back_off_to_sixteen_times_with_jitter, setup),
		cmocka_unit_test_setup(what_speaks_of_one_copy_leaves_the_command_outstanding,
			setup),
		cmocka_unit_test_setup(a_redirect_names_the_leader, setup),
		cmocka_unit_test_setup(a_refused_open_goes_out_again_soon, setup),
		cmocka_unit_test_setup(
			a_leader_that_is_silent_is_left_for_each_of_the_others_in_turn, setup),
		cmocka_unit_test_setup(in_doubt_one_command_asks_and_the_others_wait, setup),
		cmocka_unit_test_setup(who_answers_a_read_without_leading_is_not_believed_to_lead,
			setup),
		cmocka_unit_test_setup(in_doubt_the_pace_is_that_of_a_first_retry, setup),
		cmocka_unit_test_setup(who_answers_in_doubt_leads_and_all_goes_there_soon, setup),
		cmocka_unit_test_setup(after_a_doubt_every_session_begins_at_the_first_pace, setup),
		cmocka_unit_test_setup(in_doubt_the_answer_of_one_asked_before_is_as_good, setup),
		cmocka_unit_test_setup(
			a_late_answer_moves_nobody_from_a_leader_that_is_not_in_doubt, setup),
		cmocka_unit_test_setup(a_redirect_in_doubt_is_followed_soon_but_not_for_ever,
			setup),
		cmocka_unit_test_setup(who_is_only_busy_is_left_at_last, setup),
		cmocka_unit_test_setup(two_that_name_each_other_are_left_at_last_for_the_third,
			setup),
		cmocka_unit_test_setup(frames_of_one_sweep_are_one_round_of_silence, setup),
		cmocka_unit_test_setup(a_redirect_is_followed_sooner_than_busy, setup),
		cmocka_unit_test_setup(a_leader_that_answers_is_kept, setup),
		cmocka_unit_test_setup(once_another_leads_what_waits_goes_out_at_once, setup),
		cmocka_unit_test_setup(once_a_silent_leader_was_left_what_waits_goes_out_at_once,
			setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
