/* The client half and reads: who is asked, and what a stale answer tells. */
#include "tests/unit/given_client.h"

static uint64_t reflected;

static void done_reflecting(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	reflected = client.reflects;
	done(context, session, id, sequence, reply, sent_ns);
}

static void hear_from(uint8_t member)
{
	const struct message m = {.sender = member};

	client_on_reply(&client, &m, NULL, now);
}

static uint32_t asked(uint32_t reads, uint32_t member)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < reads; i++)
		count += client_reader(&client, READ_ANY, now) == member ? 1 : 0;
	return count;
}

static void each_mode_has_its_flag(void **state)
{
	(void)state;
	assert_int_equal(read_flags(READ_LOG), 0);
	assert_int_equal(read_flags(READ_LEADER), FLAG_READ);
	assert_int_equal(read_flags(READ_ANY), FLAG_READ_ANY);
	assert_int_equal(read_flags(READ_STALE), FLAG_READ_STALE);
}

static void reads_for_the_leader_go_to_the_leader(void **state)
{
	(void)state;
	client.leader = 2;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(client_reader(&client, READ_LEADER, now), 2);
}

static void reads_for_any_member_go_to_each_in_its_turn(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(asked(9, i), 3);
	client.reader = 0;
	assert_int_equal(client_reader(&client, READ_STALE, now), 1);
}

static void who_does_not_answer_is_passed_over(void **state)
{
	/* Else: a dead member costs a third of all reads a timeout. */
	(void)state;
	asked(3, 0);
	now += RETRY - 1;
	hear_from(0);
	hear_from(2);
	assert_int_equal(asked(9, 1), 3);
	now++;
	hear_from(0);
	hear_from(2);
	assert_int_equal(asked(9, 1), 0);
	/* But for one read in a timeout: it may be back. */
	now += RETRY;
	hear_from(0);
	hear_from(2);
	assert_int_equal(asked(9, 1), 1);
	hear_from(1);
	assert_int_equal(asked(9, 1), 3);
}

static void with_nobody_to_answer_reads_still_go_somewhere(void **state)
{
	(void)state;
	asked(3, 0);
	now += RETRY + 1;
	assert_true(client_reader(&client, READ_ANY, now) < 3);
}

static void a_stale_answer_tells_the_instance_that_it_reflects(void **state)
{
	struct message m = {.flags = FLAG_READ_STALE, .watermark = 99, .count = 1};

	(void)state;
	settings.done = done_reflecting;
	given_opened(1);
	client_want(&client, 0, 2);
	fill();
	put_reply(ID, 0, REPLY_OK, 5);
	client_on_reply(&client, &m, replies, now);
	assert_int_equal(dones_count, 1);
	assert_int_equal(reflected, 99);
	/* Only the mark says that the number means it. */
	m.flags = 0;
	replies_count = 0;
	replies_bytes = 0;
	put_reply(ID, 1, REPLY_OK, 6);
	client_on_reply(&client, &m, replies, now);
	assert_int_equal(dones_count, 2);
	assert_int_equal(reflected, 0);
}

static void who_only_reads_opens_no_session_and_has_no_instances_id(void **state)
{
	(void)state;
	settings.reads = READ_STALE;
	given_client(2);
	assert_int_equal(fill(), 0);
	client_want(&client, 0, 1);
	client_want(&client, 1, 1);
	assert_int_equal(fill(), 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(entry_kind(entry(i)), ENTRY_COMMAND);
		assert_true(entry(i)->session >= INSTANCE_TOP);
	}
	assert_int_not_equal(entry(0)->session, entry(1)->session);
	/* There is no such session, so it can not be forgotten. */
	when_reply(entry(0)->session, 0, REPLY_EXPIRED, 0);
	assert_int_equal(client.outstanding, 2);
	when_reply(entry(0)->session, 0, REPLY_OK, 7);
	assert_int_equal(dones_count, 1);
	assert_int_equal(dones[0].result, 7);
}

static void reads_for_any_member_do_not_wait_for_a_leader(void **state)
{
	/* Else: with many lost, one goes out again in a timeout, as if it were to find the leader. */
	(void)state;
	settings.reads = READ_ANY;
	given_client(4);
	for (uint32_t i = 0; i < 4; i++)
		client_want(&client, i, 1);
	assert_int_equal(fill(), 4);
	for (uint32_t round = 0; round < 5; round++) {
		now += 100 * RETRY;
		assert_int_equal(fill_retries(), 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_mode_has_its_flag, setup),
		cmocka_unit_test_setup(reads_for_the_leader_go_to_the_leader, setup),
		cmocka_unit_test_setup(reads_for_any_member_go_to_each_in_its_turn, setup),
		cmocka_unit_test_setup(who_does_not_answer_is_passed_over, setup),
		cmocka_unit_test_setup(with_nobody_to_answer_reads_still_go_somewhere, setup),
		cmocka_unit_test_setup(a_stale_answer_tells_the_instance_that_it_reflects, setup),
		cmocka_unit_test_setup(who_only_reads_opens_no_session_and_has_no_instances_id,
			setup),
		cmocka_unit_test_setup(reads_for_any_member_do_not_wait_for_a_leader, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
