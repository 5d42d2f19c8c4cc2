/* The learner's stage and reads: not before their index, once, and without a trace. */
#include "tests/unit/given_learner.h"

enum {
	CLIENT = ENDPOINT_CLIENT_FIRST + 5,
	OTHER_CLIENT = ENDPOINT_CLIENT_FIRST + 6,
};

static _Alignas(8) uint8_t body[FRAME_BODY];
static uint16_t clients[RUN_COUNT_MAX];
static uint32_t count, bytes; /* Of the reads in the making. */

static int setup_reads(void **state)
{
	count = 0;
	bytes = 0;
	return setup(state);
}

static void with_read(uint16_t client, uint64_t session, uint64_t sequence)
{
	bytes += put_entry(body + bytes, ENTRY_COMMAND, session, sequence, 8);
	clients[count++] = client;
}

/* The frame is the stage's for the call only. */
static void hear_reads(uint64_t index)
{
	const struct message m = {
		.type = MESSAGE_READ,
		.first = index,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)(bytes + count * 2),
	};

	memcpy(body + bytes, clients, count * sizeof(clients[0]));
	assert_false(learner_stage_on_message(&stage, &m, body, NULL, now));
	memset(body, 0xee, sizeof(body));
	count = 0;
	bytes = 0;
	flush();
}

static void then_reply(const struct sent *s, uint32_t i, uint16_t client, uint64_t session,
	uint64_t sequence, enum reply_status status, uint64_t result)
{
	const struct reply *r = (const struct reply *)(const void *)s->body + i;

	assert_non_null(s);
	assert_true(i < s->m.count);
	assert_int_equal(s->to.client, client);
	assert_int_equal(r->session, session);
	assert_int_equal(reply_sequence(r), sequence);
	assert_int_equal(reply_status(r), status);
	assert_int_equal(r->result, result);
}

static void a_read_of_what_is_applied_is_answered_at_once(void **state)
{
	uint64_t digest;

	(void)state;
	given_delivered(7);
	digest = stage.digest;
	with_read(CLIENT, 3, 44);
	with_read(OTHER_CLIENT, 4, 45);
	hear_reads(7);
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	then_reply(sent_nth(MESSAGE_REPLY, 0), 0, CLIENT, 3, 44, REPLY_NOT_FOUND, 7);
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, OTHER_CLIENT, 4, 45, REPLY_NOT_FOUND, 7);
	/* No session, nothing applied. */
	assert_int_equal(applied_count, 0);
	assert_int_equal(stage.digest, digest);
	assert_int_equal(stage.counters.reads, 2);
	assert_int_equal(stage.counters.expired, 0);
}

static void a_read_does_not_run_before_its_index_is_applied(void **state)
{
	/* Else: it misses what was acknowledged before it was asked. */
	(void)state;
	given_delivered(7);
	with_read(CLIENT, 3, 44);
	hear_reads(9);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	given_delivered(8);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	given_delivered(12);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, 44, REPLY_NOT_FOUND, 12);
	flush();
	the_only(MESSAGE_REPLY);
}

static void batches_wait_each_for_its_own_index(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < READS_WAITING; i++) {
		with_read(CLIENT, 3, i);
		hear_reads(10 + i);
	}
	for (uint64_t i = 0; i < READS_WAITING; i++) {
		sent_count = 0;
		given_delivered(10 + i);
		then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, i, REPLY_NOT_FOUND, 10 + i);
	}
}

static void more_batches_than_wait_are_busy(void **state)
{
	(void)state;
	for (uint64_t i = 0; i <= READS_WAITING; i++) {
		with_read(CLIENT, 3, i);
		hear_reads(10);
	}
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, READS_WAITING, REPLY_BUSY, 0);
	sent_count = 0;
	given_delivered(10);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, READS_WAITING);
	for (uint32_t i = 0; i < READS_WAITING; i++)
		then_reply(the_only(MESSAGE_REPLY), i, CLIENT, 3, i, REPLY_NOT_FOUND, 10);
	/* The ring goes round. */
	for (uint64_t i = 0; i < READS_WAITING; i++) {
		with_read(CLIENT, 3, i);
		hear_reads(11);
	}
	sent_count = 0;
	given_delivered(11);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, READS_WAITING);
}

static void a_confirmed_read_is_answered_whoever_leads_by_then(void **state)
{
	(void)state;
	with_read(CLIENT, 3, 44);
	hear_reads(1);
	hear_noops(THEIRS, 0, 1);
	hear_watermark(THEIRS, 1, 1);
	flush();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, 44, REPLY_NOT_FOUND, 1);
	/* The client is not to take us for the leader. */
	assert_int_equal(the_only(MESSAGE_REPLY)->m.flags, FLAG_READ_ANY);
}

static void a_read_sees_the_commands_of_the_same_burst_that_it_waited_for(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 77, 0);
	when_chosen();
	with_command(0, 0);
	hear_voted(OURS, 1);
	hear_watermark(OURS, 2, 2);
	with_read(CLIENT, 3, 44);
	hear_reads(2);
	assert_int_equal(applied_count, 1);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 3, 44, REPLY_NOT_FOUND, 2);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.flags, 0);
}

static void a_stale_read_is_answered_at_once_with_the_instance_that_it_reflects(void **state)
{
	/* LR6. Other replies of the same client leave in frames of their own. */
	struct message m = {
		.type = MESSAGE_READ,
		.flags = FLAG_READ_STALE,
		.from = CLIENT,
	};
	const struct sent *s;

	(void)state;
	given_delivered(7);
	with_read(CLIENT, 3, 44);
	hear_reads(7);
	with_read(CLIENT, 4, 45);
	with_read(CLIENT, 4, 46);
	m.count = 2;
	m.payload_len = (uint16_t)bytes;
	assert_false(learner_stage_on_message(&stage, &m, body, NULL, now));
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	s = sent_nth(MESSAGE_REPLY, 0);
	assert_int_equal(s->m.flags, 0);
	then_reply(s, 0, CLIENT, 3, 44, REPLY_NOT_FOUND, 7);
	s = sent_nth(MESSAGE_REPLY, 1);
	assert_int_equal(s->m.flags, FLAG_READ_STALE);
	assert_int_equal(s->m.watermark, 7);
	assert_int_equal(s->m.count, 2);
	then_reply(s, 0, CLIENT, 4, 45, REPLY_NOT_FOUND, 7);
	then_reply(s, 1, CLIENT, 4, 46, REPLY_NOT_FOUND, 7);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_read_of_what_is_applied_is_answered_at_once, setup_reads),
		cmocka_unit_test_setup(a_read_does_not_run_before_its_index_is_applied,
			setup_reads),
		cmocka_unit_test_setup(batches_wait_each_for_its_own_index, setup_reads),
		cmocka_unit_test_setup(more_batches_than_wait_are_busy, setup_reads),
		cmocka_unit_test_setup(a_confirmed_read_is_answered_whoever_leads_by_then,
			setup_reads),
		cmocka_unit_test_setup(
			a_stale_read_is_answered_at_once_with_the_instance_that_it_reflects,
			setup_reads),
		cmocka_unit_test_setup(
			a_read_sees_the_commands_of_the_same_burst_that_it_waited_for, setup_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
