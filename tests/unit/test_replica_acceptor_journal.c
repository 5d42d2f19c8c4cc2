/* The acceptor's stage with a journal: what leaves when, and what is written. */
#include "tests/unit/given_acceptor.h"
#include "tests/unit/given_port.h"

static void given_journal_in(enum durability mode)
{
	given_port();
	settings.durability = mode;
	acceptor_stage_journal(&stage, &port);
}

static int setup_sync(void **state)
{
	setup(state);
	given_journal_in(DURABILITY_SYNC);
	return 0;
}

static int setup_async(void **state)
{
	setup(state);
	given_journal_in(DURABILITY_ASYNC);
	return 0;
}

/* The journal is durable up to `position`, and what all shards say is delivered there. */
static void durable(uint64_t position, uint64_t delivered_index)
{
	const struct message m = {
		.type = MESSAGE_DURABLE,
		.first = position,
		.watermark = delivered_index,
	};

	send_to_stage(&m, NULL);
}

static void all_durable(void)
{
	durable(appended_count, 0);
}

static void disk_fails(void)
{
	const struct message m = {.type = MESSAGE_DISK_FAILED};

	send_to_stage(&m, NULL);
}

static void ask_read(enum message_type type, uint64_t ballot, uint64_t nonce)
{
	const struct message m = {
		.type = (uint8_t)type,
		.ballot = ballot,
		.first = nonce,
		.sender = (uint8_t)ballot_node(ballot),
	};

	send_to_stage(&m, NULL);
}

static void read_round(uint64_t ballot, uint64_t nonce)
{
	ask_read(MESSAGE_READ_ROUND, ballot, nonce);
}

static void a_vote_leaves_when_its_record_is_durable(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
	assert_int_equal(appended_of(JOURNAL_VOTE), 1);
	all_durable();
	const struct range *r =
		(const struct range *)(const void *)the_only(MESSAGE_ACCEPTED)->body;

	assert_int_equal(r->first, 0);
	assert_int_equal(r->count, 4);
}

/* Else: a retransmit is acknowledged before the disk has it. */
static void a_repeated_vote_waits_as_the_first_one_did(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	accepts(EARLIER, 0, 4, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
	assert_int_equal(appended_of(JOURNAL_VOTE), 1);
	all_durable();
	sent_count = 0;
	accepts(EARLIER, 0, 4, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 1);
}

static void a_vote_sent_again_for_the_own_leader_waits_too(void **state)
{
	(void)state;
	const struct message resend = {
		.type = MESSAGE_RESEND,
		.ballot = EARLIER,
		.first = 0,
		.count = 4,
		.echo = 1u << SELF,
	};

	accepts(EARLIER, 0, 4, 9);
	send_to_stage(&resend, NULL);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
	all_durable();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 2);
}

static void only_what_the_disk_has_leaves(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	uint64_t first = appended_count;

	accepts(EARLIER, 4, 4, 9);
	flush();
	durable(first, 0);
	const struct range *r =
		(const struct range *)(const void *)the_only(MESSAGE_ACCEPTED)->body;

	assert_int_equal(r->first, 0);
	assert_int_equal(r->count, 4);
}

static void votes_that_became_durable_together_share_a_frame(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		accepts(EARLIER, 8 * i, 4, 9);
		flush();
	}
	all_durable();
	assert_int_equal(the_only(MESSAGE_ACCEPTED)->m.count, 5);
}

/* A burst's votes that are not flushed when an earlier write ends belong to a later one. */
static void a_burst_cut_by_a_completion_waits_for_its_own_records(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	uint64_t first = appended_count;

	accepts(EARLIER, 4, 4, 9);
	durable(first, 0);
	flush();
	const struct range *r =
		(const struct range *)(const void *)the_only(MESSAGE_ACCEPTED)->body;

	assert_int_equal(r->count, 4);
	all_durable();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 2);
}

static void the_own_learner_hears_of_a_run_at_once(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	assert_int_equal(sent_of(MESSAGE_VOTED), 1);
}

/* P3: the own leader's Prepare to others waits for this very answer. */
static void a_promise_leaves_when_its_record_is_durable(void **state)
{
	(void)state;
	prepare(EARLIER);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 0);
	assert_int_equal(appended_of(JOURNAL_PROMISE), 1);
	prepare(EARLIER);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 0);
	assert_int_equal(appended_of(JOURNAL_PROMISE), 1);
	all_durable();
	assert_int_equal(sent_of(MESSAGE_PROMISE), 2);
	prepare(EARLIER);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 3);
}

/* A vote's record does not stand for a promise: the superblock would not have it (J4). */
static void a_promise_at_a_ballot_voted_for_has_a_record_of_its_own(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	all_durable();
	prepare(EARLIER);
	assert_int_equal(appended_of(JOURNAL_PROMISE), 1);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 0);
}

static void a_promise_overtaken_by_a_higher_one_is_not_sent(void **state)
{
	(void)state;
	prepare(EARLIER);
	prepare(LATER);
	all_durable();
	assert_int_equal(the_only(MESSAGE_PROMISE)->m.ballot, LATER);
}

static void votes_are_reported_when_all_of_them_are_durable(void **state)
{
	(void)state;
	prepare(EARLIER);
	accepts(EARLIER, 0, 4, 9);
	flush();
	durable(1, 0);
	pull(EARLIER, 0, 4);
	assert_int_equal(sent_of(MESSAGE_VOTES), 0);
	all_durable();
	then_record(the_only(MESSAGE_VOTES), 0, EARLIER, 0, 4, 9);
	pull(EARLIER, 0, 4);
	assert_int_equal(sent_of(MESSAGE_VOTES), 2);
}

static void a_read_is_confirmed_when_the_promise_is_durable(void **state)
{
	(void)state;
	prepare(EARLIER);
	read_round(EARLIER, 5);
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM), 0);
	all_durable();
	assert_int_equal(the_only(MESSAGE_READ_CONFIRM)->m.first, 5);
	/* A vote under way does not hold reads up. */
	accepts(EARLIER, 0, 4, 9);
	read_round(EARLIER, 6);
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM), 2);
}

static void a_read_overtaken_by_a_promise_is_refused_in_the_end(void **state)
{
	(void)state;
	prepare(EARLIER);
	read_round(EARLIER, 5);
	prepare(LATER);
	sent_count = 0;
	all_durable();
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM), 0);
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
}

static void in_mode_async_all_is_written_and_nothing_waits(void **state)
{
	(void)state;
	prepare(EARLIER);
	accepts(EARLIER, 0, 4, 9);
	flush();
	pull(EARLIER, 0, 4);
	read_round(EARLIER, 5);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 1);
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 1);
	assert_int_equal(sent_of(MESSAGE_VOTES), 1);
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM), 1);
	assert_int_equal(appended_of(JOURNAL_PROMISE), 1);
	assert_int_equal(appended_of(JOURNAL_VOTE), 1);
	delivered(300);
	assert_int_equal(stage.acceptor.lo, 256);
}

/* G2. Else a restart stands below what was told as `lo`, and nobody has the prefix. */
static void lo_follows_what_is_durably_delivered(void **state)
{
	(void)state;
	delivered(300);
	assert_int_equal(stage.acceptor.lo, 0);
	assert_int_equal(appended_of(JOURNAL_DELIVERED), 1);
	durable(appended_count, 0);
	assert_int_equal(stage.acceptor.lo, 0);
	durable(appended_count, 300);
	assert_int_equal(stage.acceptor.lo, 256);
	assert_int_equal(stage.acceptor.delivered, 300);
	assert_int_equal(appended_of(JOURNAL_TRIM), 1);
	durable(appended_count, 400);
	assert_int_equal(appended_of(JOURNAL_TRIM), 1);
}

static void what_is_delivered_is_noted_with_the_ballot_that_chose_it(void **state)
{
	(void)state;
	const struct message m = {
		.type = MESSAGE_DELIVERED,
		.first = 300,
		.ballot = EARLIER,
		.watermark = 290,
	};

	send_to_stage(&m, NULL);
	assert_int_equal(appended_of(JOURNAL_COMMIT), 1);
	assert_int_equal(appended[0].ballot, EARLIER);
	assert_int_equal(appended[0].first, 290);
	assert_int_equal(appended[1].first, 300);
}

static void note_of(uint64_t delivered_index, uint64_t ballot, uint64_t watermark)
{
	const struct message m = {
		.type = MESSAGE_DELIVERED,
		.first = delivered_index,
		.ballot = ballot,
		.watermark = watermark,
	};

	send_to_stage(&m, NULL);
}

/* Else the notes of a busy learner fill the journal. */
static void one_note_of_what_is_delivered_is_on_its_way_at_a_time(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 50; i++)
		note_of(i, EARLIER, i);
	assert_int_equal(appended_of(JOURNAL_DELIVERED), 1);
	all_durable();
	flush();
	assert_int_equal(appended_of(JOURNAL_DELIVERED), 2);
	assert_int_equal(appended[appended_count - 1].first, 49);
}

/* Else a loss later in the journal hides what this ballot chose. */
static void each_ballot_that_chose_something_is_noted(void **state)
{
	(void)state;
	note_of(10, EARLIER, 10);
	note_of(20, EARLIER, 20);
	note_of(30, LATER, 30);
	assert_int_equal(appended_of(JOURNAL_COMMIT), 2);
	assert_int_equal(appended[2].ballot, EARLIER);
	assert_int_equal(appended[2].first, 20);
}

static void what_is_delivered_is_noted_later_if_the_journal_has_no_room(void **state)
{
	(void)state;
	journal_has_room = false;
	delivered(300);
	journal_has_room = true;
	flush();
	assert_int_equal(appended_of(JOURNAL_DELIVERED), 1);
}

static void without_room_in_the_journal_nothing_is_promised_or_voted(void **state)
{
	(void)state;
	journal_has_room = false;
	prepare(EARLIER);
	accepts(EARLIER, 0, 4, 9);
	choose(0, 4, 9);
	flush();
	assert_int_equal(stage.acceptor.promised, 0);
	assert_int_equal(stage.acceptor.high, 0);
	assert_int_equal(stage.counters.journal_full, 3);
	assert_int_equal(sent_count, 0);
}

static void without_room_among_what_waits_nothing_is_voted(void **state)
{
	(void)state;
	/* A hole after each: no two share a range. */
	for (uint64_t i = 0; i < GATE_MAX + 5; i++) {
		accepts(EARLIER, 2 * (i % 4000), 1, 0);
		flush();
		sent_count = 0;
	}
	assert_int_equal(stage.counters.gate_full, 5);
	sent_count = 0;
	all_durable();
	accepts(EARLIER, 8000, 1, 0);
	assert_int_equal(stage.counters.gate_full, 5);
}

/* scenarios.md, storage: write or sync error: stops voting at once; never counted as durable. */
static void a_failed_disk_stops_promises_and_votes_for_good(void **state)
{
	(void)state;
	prepare(EARLIER);
	accepts(EARLIER, 0, 4, 9);
	flush();
	disk_fails();
	sent_count = 0;
	all_durable();
	accepts(EARLIER, 0, 4, 9);
	accepts(EARLIER, 4, 4, 9);
	prepare(LATER);
	pull(EARLIER, 0, 4);
	read_round(EARLIER, 5);
	flush();
	assert_int_equal(sent_count, 0);
	assert_int_equal(stage.counters.disk_failed, 5);
	assert_int_equal(stage.acceptor.promised, EARLIER);
}

static void snapshot_installed(uint64_t instance)
{
	const struct message m = {
		.type = MESSAGE_DELIVERED,
		.flags = FLAG_INSTALLED,
		.first = instance,
	};

	send_to_stage(&m, NULL);
}

/* V5. Else a restart takes what was voted for below it for what was delivered. */
static void an_installed_snapshot_is_noted_before_what_is_delivered_behind_it(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	delivered(4);
	all_durable();
	snapshot_installed(2 * BLOCK + 3);
	assert_int_equal(stage.acceptor.lo, 2 * BLOCK);
	assert_int_equal(stage.acceptor.tail, 2 * BLOCK + 3);
	all_durable();
	flush();
	assert_int_equal(appended_of(JOURNAL_INSTALLED), 1);
	assert_int_equal(appended[appended_count - 2].kind, JOURNAL_INSTALLED);
	assert_int_equal(appended[appended_count - 2].first, 2 * BLOCK + 3);
	assert_int_equal(appended[appended_count - 1].kind, JOURNAL_DELIVERED);
	assert_int_equal(appended[appended_count - 1].first, 2 * BLOCK + 3);
}

/* Else votes in a window stand in the journal of which a restart does not know that it rose. */
static void without_room_lo_rises_to_a_snapshot_when_it_is_noted(void **state)
{
	(void)state;
	journal_has_room = false;
	snapshot_installed(2 * BLOCK);
	flush();
	assert_int_equal(stage.acceptor.lo, 0);
	journal_has_room = true;
	flush();
	assert_int_equal(appended_of(JOURNAL_INSTALLED), 1);
	assert_int_equal(stage.acceptor.lo, 2 * BLOCK);
	assert_int_equal(stage.acceptor.tail, 2 * BLOCK);
	flush();
	assert_int_equal(appended_of(JOURNAL_INSTALLED), 1);
}

static void a_chosen_run_is_written_once(void **state)
{
	(void)state;
	choose(0, 4, 9);
	choose(0, 4, 9);
	assert_int_equal(appended_of(JOURNAL_CHOSEN), 1);
	assert_int_equal(sent_of(MESSAGE_VOTED), 2);
}

/* Its checksum is another node's word: a wrong one would make our own write look damaged. */
static void a_chosen_run_is_written_with_the_checksum_of_its_entries(void **state)
{
	(void)state;
	_Alignas(8) uint8_t chosen[SENT_BODY_MAX];
	uint32_t bytes = make_body(9, 0, 4, 8);
	const struct record r = {.first = 0, .count = 4, .bytes = (uint16_t)bytes, .checksum = 1};
	const struct message m = {
		.type = MESSAGE_CHOSEN,
		.watermark = 4,
		.count = 1,
		.sender = 1,
		.payload_len = (uint16_t)(RECORD_BYTES + bytes),
	};

	memcpy(chosen, &r, sizeof(r));
	memcpy(chosen + RECORD_BYTES, body, bytes);
	send_to_stage(&m, chosen);
	assert_int_equal(appended[0].checksum, message_crc(body, bytes));
}

/* G3; scenarios.md, storage: corruption before the tail. */
static void a_blind_acceptor_neither_promises_nor_votes_where_votes_are_lost(void **state)
{
	(void)state;
	stage.blind = 512;
	prepare(EARLIER);
	const struct sent *s = the_only(MESSAGE_REFUSED);

	assert_int_equal(s->m.flags, REFUSAL_UNKNOWN);
	assert_int_equal(s->m.watermark, 512);
	accepts(EARLIER, 256, 4, 9);
	pull(0, 0, 4);
	read_round(EARLIER, 5);
	ask_read(MESSAGE_READ_PROBE, EARLIER, 6);
	flush();
	all_durable();
	assert_int_equal(stage.counters.unknown, 5);
	assert_int_equal(stage.acceptor.promised, 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPTED) + sent_of(MESSAGE_VOTES), 0);
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM) + sent_of(MESSAGE_READ_REPORT), 0);
	accepts(EARLIER, 512, 4, 9);
	flush();
	all_durable();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 1);
}

static void a_blind_acceptor_counts_again_once_it_knows_what_was_chosen(void **state)
{
	(void)state;
	stage.blind = 512;
	delivered(512);
	durable(appended_count, 511);
	prepare(EARLIER);
	assert_int_equal(stage.counters.unknown, 1);
	durable(appended_count, 512);
	prepare(EARLIER);
	all_durable();
	assert_int_equal(sent_of(MESSAGE_PROMISE), 1);
}

static void frames_of_a_members_earlier_life_are_not_heard(void **state)
{
	(void)state;
	struct message m = accept_of(EARLIER, 0, 4, 9);

	m.life = 3;
	send_to_stage(&m, body);
	m.life = 2;
	m.first = 4;
	send_to_stage(&m, body);
	assert_int_equal(stage.counters.votes, 1);
	assert_int_equal(stage.counters.foreign, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_vote_leaves_when_its_record_is_durable, setup_sync),
		cmocka_unit_test_setup(a_repeated_vote_waits_as_the_first_one_did, setup_sync),
		cmocka_unit_test_setup(a_vote_sent_again_for_the_own_leader_waits_too, setup_sync),
		cmocka_unit_test_setup(only_what_the_disk_has_leaves, setup_sync),
		cmocka_unit_test_setup(votes_that_became_durable_together_share_a_frame,
			setup_sync),
		cmocka_unit_test_setup(a_burst_cut_by_a_completion_waits_for_its_own_records,
			setup_sync),
		cmocka_unit_test_setup(the_own_learner_hears_of_a_run_at_once, setup_sync),
		cmocka_unit_test_setup(a_promise_leaves_when_its_record_is_durable, setup_sync),
		cmocka_unit_test_setup(a_promise_at_a_ballot_voted_for_has_a_record_of_its_own,
			setup_sync),
		cmocka_unit_test_setup(a_promise_overtaken_by_a_higher_one_is_not_sent, setup_sync),
		cmocka_unit_test_setup(votes_are_reported_when_all_of_them_are_durable, setup_sync),
		cmocka_unit_test_setup(a_read_is_confirmed_when_the_promise_is_durable, setup_sync),
		cmocka_unit_test_setup(a_read_overtaken_by_a_promise_is_refused_in_the_end,
			setup_sync),
		cmocka_unit_test_setup(in_mode_async_all_is_written_and_nothing_waits, setup_async),
		cmocka_unit_test_setup(lo_follows_what_is_durably_delivered, setup_sync),
		cmocka_unit_test_setup(what_is_delivered_is_noted_with_the_ballot_that_chose_it,
			setup_sync),
		cmocka_unit_test_setup(one_note_of_what_is_delivered_is_on_its_way_at_a_time,
			setup_sync),
		cmocka_unit_test_setup(each_ballot_that_chose_something_is_noted, setup_sync),
		cmocka_unit_test_setup(what_is_delivered_is_noted_later_if_the_journal_has_no_room,
			setup_sync),
		cmocka_unit_test_setup(without_room_in_the_journal_nothing_is_promised_or_voted,
			setup_sync),
		cmocka_unit_test_setup(without_room_among_what_waits_nothing_is_voted, setup_sync),
		cmocka_unit_test_setup(a_failed_disk_stops_promises_and_votes_for_good, setup_sync),
		cmocka_unit_test_setup(a_chosen_run_is_written_once, setup_sync),
		cmocka_unit_test_setup(
			an_installed_snapshot_is_noted_before_what_is_delivered_behind_it,
			setup_sync),
		cmocka_unit_test_setup(without_room_lo_rises_to_a_snapshot_when_it_is_noted,
			setup_sync),
		cmocka_unit_test_setup(a_chosen_run_is_written_with_the_checksum_of_its_entries,
			setup_sync),
		cmocka_unit_test_setup(
			a_blind_acceptor_neither_promises_nor_votes_where_votes_are_lost,
			setup_sync),
		cmocka_unit_test_setup(a_blind_acceptor_counts_again_once_it_knows_what_was_chosen,
			setup_sync),
		cmocka_unit_test_setup(frames_of_a_members_earlier_life_are_not_heard, setup_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
