/* The leader's stage and its clients: what is proposed, and how the rest is answered. */
#include "tests/unit/given_leader.h"

enum {
	WINDOW = 16,
	/* Commands of 8 bytes that fill a frame to the last entry. */
	FULL = (BODY_BYTES - RECORD_BYTES) / (ENTRY_BYTES + 8),
};

static int setup_idle(void **state)
{
	setup_stranger(state);
	given_enrolled();
	sent_count = 0;
	return 0;
}

static int setup(void **state)
{
	setup_stranger(state);
	given_leading();
	return 0;
}

static int setup_packing(void **state)
{
	setup(state);
	settings.packing = true;
	return 0;
}

static void who_does_not_lead_redirects_to_whom_it_hears(void **state)
{
	(void)state;
	hear_heartbeat(2, HEARTBEAT_LEADS, ballot_make(3, 2), 0, 0);
	with_commands(9, 2);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_REDIRECT, 2);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 10, REPLY_REDIRECT, 2);
	assert_int_equal(stage.counters.redirected, 2);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
}

static void who_knows_no_leader_is_busy(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BUSY, 0);
	assert_int_equal(stage.counters.busy, 1);
}

static void takes_nothing_before_its_noop_is_chosen(void **state)
{
	(void)state;
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	tick();
	sent_count = 0;
	with_commands(9, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BUSY, 0);
}

static void a_frame_of_new_commands_is_proposed_as_it_stands(void **state)
{
	_Alignas(8) uint8_t copy[256];
	uint32_t bytes;
	const struct sent *s;

	(void)state;
	with_commands(9, 3);
	bytes = request_bytes;
	memcpy(copy, request, bytes);
	when_requested();
	s = the_only(MESSAGE_ACCEPT);
	then_proposed(s, 1, 3);
	assert_int_equal(s->m.payload_len, bytes);
	assert_memory_equal(s->body, copy, bytes);
	assert_true(s->m.checksum_known);
	assert_int_equal(s->m.checksum, message_crc(copy, bytes));
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void an_open_is_proposed_with_our_id_and_the_clients_handle(void **state)
{
	const struct entry *e;

	(void)state;
	with_entry(ENTRY_OPEN, 77, 0, 0);
	when_requested_by(CLIENT);
	then_proposed(the_only(MESSAGE_ACCEPT), 1, 1);
	e = (const struct entry *)(const void *)the_only(MESSAGE_ACCEPT)->body;
	assert_int_equal(entry_kind(e), ENTRY_OPEN);
	assert_int_equal(e->session, 77);
	assert_int_equal(entry_sequence(e), SELF * 65536 + CLIENT);
	assert_false(the_only(MESSAGE_ACCEPT)->m.checksum_known);
}

static void a_client_may_not_propose_a_noop_or_a_stop(void **state)
{
	(void)state;
	with_entry(ENTRY_NOOP, 9, 0, 0);
	with_entry(ENTRY_STOP, 9, 1, 0);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_BAD_COMMAND, 0);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 9, REPLY_BAD_COMMAND, 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
}

static void a_value_that_leaves_no_room_for_a_record_is_too_large(void **state)
{
	uint32_t fits = (BODY_BYTES - RECORD_BYTES - ENTRY_BYTES) / 8 * 8;

	(void)state;
	with_entry(ENTRY_COMMAND, 9, 0, fits + 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9, REPLY_TOO_LARGE, 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	with_entry(ENTRY_COMMAND, 9, 0, fits);
	when_requested();
	then_proposed(the_only(MESSAGE_ACCEPT), 1, 1);
}

static void a_full_window_answers_busy(void **state)
{
	(void)state;
	settings.window = WINDOW;
	with_commands(9, WINDOW + 2);
	when_requested();
	then_proposed(the_only(MESSAGE_ACCEPT), 1, WINDOW);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 2);
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 9 + WINDOW, REPLY_BUSY, 0);
	then_reply(the_only(MESSAGE_REPLY), 1, CLIENT, 10 + WINDOW, REPLY_BUSY, 0);
	choose_all();
	with_commands(9 + WINDOW, 2);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 1 + WINDOW, 2);
}

static void a_window_that_fills_with_whole_frames_answers_busy(void **state)
{
	uint32_t taken = 0;

	(void)state;
	for (uint64_t i = 0; sent_of(MESSAGE_REPLY) == 0; i++) {
		sent_count = 0;
		with_commands(100 * i, 50);
		when_requested();
		taken += 50;
		assert_true(stage.proposer.window.end <= 1 + settings.window);
	}
	assert_true(taken > settings.window - BLOCK);
}

/* A frame of many commands may become as many proposals: they must fit the rings. */
static void without_room_in_the_rings_clients_hear_busy(void **state)
{
	(void)state;
	settings.batch_max = 1;
	room = STAGE_ROOM - 1;
	with_commands(9, 4);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	then_reply(the_only(MESSAGE_REPLY), 3, CLIENT, 12, REPLY_BUSY, 0);
	assert_int_equal(stage.counters.busy, 4);
}

/* The only entry that the learner hears of. */
static void then_retry(const struct sent *s, uint16_t client, uint64_t session, uint64_t sequence)
{
	const struct entry *e = (const struct entry *)(const void *)s->body;

	assert_true(s->to.local);
	assert_int_equal(s->m.from, client);
	assert_int_equal(s->m.count, 1);
	assert_int_equal(e->session, session);
	assert_int_equal(entry_sequence(e), sequence);
	assert_int_equal(entry_length(e), 0);
	assert_int_equal(s->m.payload_len, ENTRY_BYTES);
}

static void a_duplicate_is_not_proposed_and_the_learner_hears_of_it(void **state)
{
	(void)state;
	for (uint32_t packing = 0; packing < 2; packing++) {
		setup(NULL);
		settings.packing = packing == 1;
		with_entry(ENTRY_COMMAND, 9, 0, 8);
		when_requested();
		/* The client's handle is new for the session. */
		then_retry(the_only(MESSAGE_RETRY), CLIENT, 9, 0);
		with_entry(ENTRY_COMMAND, 9, 0, 8);
		when_requested_by(OTHER_CLIENT);
		flush();
		assert_int_equal(sent_of(MESSAGE_ACCEPT), 1);
		then_retry(sent_nth(MESSAGE_RETRY, 1), OTHER_CLIENT, 9, 0);
		with_entry(ENTRY_COMMAND, 9, 0, 8);
		when_requested_by(OTHER_CLIENT);
		then_retry(sent_nth(MESSAGE_RETRY, 2), OTHER_CLIENT, 9, 0);
		assert_int_equal(stage.counters.repeated, 2);
		assert_int_equal(sent_of(MESSAGE_REPLY), 0);
		with_entry(ENTRY_COMMAND, 9, 1, 8);
		when_requested_by(OTHER_CLIENT);
		assert_int_equal(sent_of(MESSAGE_RETRY), 3);
	}
}

static void no_frame_causes_more_local_messages_than_a_ring_surely_holds(void **state)
{
	const struct entry *e;
	uint32_t local = 0;

	(void)state;
	for (uint32_t packing = 0; packing < 2; packing++) {
		setup(NULL);
		settings.packing = packing == 1;
		with_commands(100, 50);
		when_requested();
		local = 0;
		for (uint32_t i = 0; i < sent_count; i++)
			local += sent[i].to.local ? 1 : 0;
		assert_true(local <= STAGE_ROOM);
		e = (const struct entry *)(const void *)the_only(MESSAGE_RETRY)->body;
		assert_int_equal(the_only(MESSAGE_RETRY)->m.count, 50);
		assert_int_equal(e[49].session, 149);
	}
}

static void of_a_frame_with_duplicates_only_the_new_is_proposed(void **state)
{
	const struct sent *s;

	(void)state;
	with_entry(ENTRY_COMMAND, 9, 0, 8);
	when_requested();
	with_entry(ENTRY_COMMAND, 10, 0, 8);
	with_entry(ENTRY_COMMAND, 9, 0, 8);
	with_entry(ENTRY_COMMAND, 9, 1, 8);
	when_requested();
	s = sent_nth(MESSAGE_ACCEPT, 1);
	then_proposed(s, 2, 2);
	assert_int_equal(((const struct entry *)(const void *)s->body)->session, 10);
	assert_int_equal(s->m.payload_len, 2 * entry_bytes(8));
	assert_int_equal(stage.counters.proposed_commands, 3);
}

static void a_new_leadership_takes_again_what_an_earlier_took(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_requested();
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	sent_count = 0;
	while (sent_of(MESSAGE_PREVOTE) == 0)
		pass(HEARTBEAT);
	hear_granted(1, 0);
	tick();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	for (uint32_t i = 0; i <= ADMISSION_SLOTS / ADMISSION_STRIDE; i++)
		tick();
	choose_all();
	assert_true(stage.leads);
	sent_count = 0;
	with_commands(9, 1);
	when_requested();
	the_only(MESSAGE_ACCEPT);
}

static void several_frames_are_packed_into_one_run(void **state)
{
	(void)state;
	with_commands(9, 2);
	when_requested_by(CLIENT);
	with_commands(20, 3);
	when_requested_by(OTHER_CLIENT);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	flush();
	then_proposed(the_only(MESSAGE_ACCEPT), 1, 5);
	flush();
	the_only(MESSAGE_ACCEPT);
}

static void commands_are_proposed_in_the_order_of_their_arrival(void **state)
{
	(void)state;
	with_commands(9, 2);
	when_requested_by(CLIENT);
	with_commands(100, FULL);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 1, FULL);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 1 + FULL, 2);
	assert_int_equal(
		((const struct entry *)(const void *)sent_nth(MESSAGE_ACCEPT, 0)->body)->session,
		9);
}

static void a_batch_lingers_only_as_long_as_asked(void **state)
{
	(void)state;
	settings.linger_ns = 20;
	with_commands(9, 2);
	when_requested();
	now += 15;
	with_commands(20, 1);
	when_requested();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	now += 5;
	flush();
	then_proposed(the_only(MESSAGE_ACCEPT), 1, 3);
}

static void a_batch_has_no_more_commands_than_its_limit(void **state)
{
	(void)state;
	settings.batch_max = 4;
	with_commands(9, 10);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 1, 4);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 5, 4);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 2), 9, 2);
}

static void a_run_leaves_room_for_the_votes_own_header(void **state)
{
	(void)state;
	with_commands(100, FULL - 1);
	when_requested_by(CLIENT);
	with_commands(200, 3);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 1, FULL);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 1 + FULL, 2);
}

static void a_batch_ends_at_a_blocks_end(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 25; i++) {
		with_commands(100 * i, 10);
		when_requested();
	}
	assert_int_equal(stage.proposer.window.end, 251);
	sent_count = 0;
	with_commands(9000, 9);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 251, 5);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 256, 4);
}

static void a_whole_frame_skips_a_blocks_rest_that_is_too_short(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 25; i++) {
		with_commands(100 * i, 10);
		when_requested();
	}
	sent_count = 0;
	with_commands(9000, 9);
	when_requested();
	then_proposed(sent_nth(MESSAGE_ACCEPT, 0), 251, 5);
	assert_int_equal(sent_nth(MESSAGE_ACCEPT, 0)->m.flags, FLAG_NOOP);
	then_proposed(sent_nth(MESSAGE_ACCEPT, 1), 256, 9);
}

static void a_batch_of_a_lost_leadership_is_not_proposed(void **state)
{
	(void)state;
	with_commands(9, 2);
	when_requested_by(CLIENT);
	hear_refused(1, REFUSAL_BALLOT, stage.proposer.ballot + 1, 0);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	assert_int_equal(stage.batch_count, 0);
	with_commands(20, 1);
	when_requested();
	then_reply(the_only(MESSAGE_REPLY), 0, CLIENT, 20, REPLY_BUSY, 0);
}

static void answers_go_to_their_own_client_merged(void **state)
{
	(void)state;
	with_commands(9, 1);
	when_requested_by(CLIENT);
	with_commands(20, 2);
	when_requested_by(CLIENT);
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
	with_commands(30, 1);
	when_requested_by(OTHER_CLIENT);
	assert_int_equal(the_only(MESSAGE_REPLY)->m.count, 3);
	then_reply(the_only(MESSAGE_REPLY), 2, CLIENT, 21, REPLY_BUSY, 0);
	flush();
	then_reply(sent_nth(MESSAGE_REPLY, 1), 0, OTHER_CLIENT, 30, REPLY_BUSY, 0);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
}

static void answers_never_exceed_a_frame(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		with_commands(1000 * i, 50);
		when_requested_by(CLIENT);
	}
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 2);
	assert_true(sent_nth(MESSAGE_REPLY, 0)->m.payload_len <= BODY_BYTES);
	assert_int_equal(sent_nth(MESSAGE_REPLY, 0)->m.count + sent_nth(MESSAGE_REPLY, 1)->m.count,
		100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_does_not_lead_redirects_to_whom_it_hears, setup_idle),
		cmocka_unit_test_setup(who_knows_no_leader_is_busy, setup_idle),
		cmocka_unit_test_setup(takes_nothing_before_its_noop_is_chosen, setup_stranger),
		cmocka_unit_test_setup(answers_go_to_their_own_client_merged, setup_idle),
		cmocka_unit_test_setup(answers_never_exceed_a_frame, setup_idle),
		cmocka_unit_test_setup(several_frames_are_packed_into_one_run, setup_packing),
		cmocka_unit_test_setup(commands_are_proposed_in_the_order_of_their_arrival,
			setup_packing),
		cmocka_unit_test_setup(a_batch_lingers_only_as_long_as_asked, setup_packing),
		cmocka_unit_test_setup(a_run_leaves_room_for_the_votes_own_header, setup_packing),
		cmocka_unit_test_setup(a_batch_ends_at_a_blocks_end, setup_packing),
		cmocka_unit_test_setup(a_batch_of_a_lost_leadership_is_not_proposed, setup_packing),
		cmocka_unit_test_setup(a_frame_of_new_commands_is_proposed_as_it_stands, setup),
		cmocka_unit_test_setup(an_open_is_proposed_with_our_id_and_the_clients_handle,
			setup),
		cmocka_unit_test_setup(a_client_may_not_propose_a_noop_or_a_stop, setup),
		cmocka_unit_test_setup(a_value_that_leaves_no_room_for_a_record_is_too_large,
			setup),
		cmocka_unit_test_setup(a_full_window_answers_busy, setup),
		cmocka_unit_test_setup(a_window_that_fills_with_whole_frames_answers_busy, setup),
		cmocka_unit_test_setup(without_room_in_the_rings_clients_hear_busy, setup),
		cmocka_unit_test_setup(a_duplicate_is_not_proposed_and_the_learner_hears_of_it,
			setup),
		cmocka_unit_test_setup(no_frame_causes_more_local_messages_than_a_ring_surely_holds,
			setup),
		cmocka_unit_test_setup(of_a_frame_with_duplicates_only_the_new_is_proposed, setup),
		cmocka_unit_test_setup(a_new_leadership_takes_again_what_an_earlier_took, setup),
		cmocka_unit_test_setup(a_batch_has_no_more_commands_than_its_limit, setup),
		cmocka_unit_test_setup(a_whole_frame_skips_a_blocks_rest_that_is_too_short, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
