/* The acceptor's stage: what its log serves to candidates, to those behind, and to its own node. */
#include "tests/unit/given_acceptor.h"

static void a_pull_is_answered_with_the_votes_of_its_stride(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	accepts(EARLIER, 10, 3, 0);
	accepts(EARLIER, 20, 5, 8);
	prepare(LATER);
	pull(LATER, 0, 100);
	s = the_only(MESSAGE_VOTES);
	assert_int_equal(s->to.members, 1u << 1);
	assert_int_equal(s->m.ballot, LATER);
	assert_int_equal(s->m.first, 0);
	assert_int_equal(s->m.watermark, 100);
	assert_int_equal(s->m.count, 3);
	then_record(s, 0, EARLIER, 0, 4, 9);
	then_record(s, 1, EARLIER, 10, 3, 0);
	then_record(s, 2, EARLIER, 20, 5, 8);
}

static void a_pull_at_a_ballot_no_longer_promised_is_refused(void **state)
{
	/* Else, n = 3: a pull at 2B skips x@3A, B votes no-op@2B, and 4B takes it over x@1A. */
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	prepare(LATER);
	pull(EARLIER, 0, 100);
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
	assert_int_equal(sent_of(MESSAGE_VOTES), 0);
}

static void a_pull_at_a_ballot_never_promised_is_refused(void **state)
{
	(void)state;
	prepare(EARLIER);
	pull(LATER, 0, 100);
	then_refused(REFUSAL_BALLOT, 1, EARLIER, 0);
	assert_int_equal(sent_of(MESSAGE_VOTES), 0);
}

static void a_pull_below_lo_is_refused_as_trimmed(void **state)
{
	/* Else: trimmed between promise and chunk, chosen instances are no-oped. */
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	prepare(LATER);
	delivered(256);
	pull(LATER, 252, 256);
	then_refused(REFUSAL_TRIMMED, 1, LATER, 256);
	assert_int_equal(sent_of(MESSAGE_VOTES), 0);
	pull(LATER, 256, 300);
	the_only(MESSAGE_VOTES);
}

static void a_stride_of_nothing_or_of_more_than_a_block_is_not_answered(void **state)
{
	(void)state;
	prepare(LATER);
	sent_count = 0;
	pull(LATER, 10, 10);
	pull(LATER, 10, 9);
	pull(LATER, 0, BLOCK + 1);
	assert_int_equal(sent_count, 0);
	pull(LATER, 0, BLOCK);
	the_only(MESSAGE_VOTES);
}

static void votes_that_do_not_fit_one_frame_are_left_to_the_next(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 30, 9);
	accepts(EARLIER, 40, 26, 8);
	prepare(LATER);
	pull(LATER, 0, 100);
	s = the_only(MESSAGE_VOTES);
	assert_int_equal(s->m.count, 1);
	assert_int_equal(s->m.watermark, 40);
	assert_true(s->m.payload_len <= BODY_BYTES);
	sent_count = 0;
	pull(LATER, 40, 100);
	s = the_only(MESSAGE_VOTES);
	assert_int_equal(s->m.watermark, 100);
	then_record(s, 0, EARLIER, 40, 26, 8);
}

static void a_run_that_was_voted_over_in_part_is_cut(void **state)
{
	/* Else: [1..17]@1 overwrites [10..17]@3. */
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 16, 9);
	accepts(LATER, 4, 8, 7);
	pull(LATER, 0, 16);
	s = the_only(MESSAGE_VOTES);
	assert_int_equal(s->m.count, 3);
	then_record(s, 0, EARLIER, 0, 4, 9);
	then_record(s, 1, LATER, 4, 8, 7);
	then_record(s, 2, EARLIER, 12, 4, 9);
}

static void a_pull_inside_a_run_reports_the_rest_of_it(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(LATER, 0, 16, 9);
	pull(LATER, 5, 12);
	s = the_only(MESSAGE_VOTES);
	assert_int_equal(s->m.count, 1);
	assert_int_equal(s->m.watermark, 12);
	then_record(s, 0, LATER, 5, 7, 9);
}

static void what_is_known_chosen_is_reported_as_decided(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	choose(0, 4, 7);
	prepare(LATER);
	pull(LATER, 0, 4);
	then_record(the_only(MESSAGE_VOTES), 0, 0, 0, 4, 7);
}

static void fetches_are_served_only_below_what_is_delivered(void **state)
{
	/* Else: a follower that voted x@b1 serves x as chosen, though y was. */
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	accepts(EARLIER, 4, 4, 8);
	fetch(0);
	assert_int_equal(sent_of(MESSAGE_CHOSEN), 0);
	delivered(6);
	fetch(0);
	s = the_only(MESSAGE_CHOSEN);
	assert_int_equal(s->to.members, 1u << 1);
	assert_int_equal(s->m.first, 0);
	assert_int_equal(s->m.watermark, 6);
	assert_int_equal(s->m.count, 2);
	then_record(s, 0, 0, 0, 4, 9);
	then_record(s, 1, 0, 4, 2, 8);
	fetch(6);
	assert_int_equal(sent_of(MESSAGE_CHOSEN), 1);
}

static void what_was_learned_is_served_and_not_what_was_voted(void **state)
{
	/* Else: a follower that voted x@b1 and learned y serves x. */
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	choose(0, 4, 7);
	delivered(4);
	fetch(0);
	then_record(the_only(MESSAGE_CHOSEN), 0, 0, 0, 4, 7);
}

static void a_fetch_ends_at_its_blocks_end_at_a_hole_and_at_the_frames(void **state)
{
	(void)state;
	accepts(EARLIER, 250, 6, 9);
	accepts(EARLIER, 256, 2, 9);
	accepts(EARLIER, 260, 30, 9);
	accepts(EARLIER, 290, 30, 9);
	delivered(320);
	fetch(250);
	assert_int_equal(the_only(MESSAGE_CHOSEN)->m.watermark, 256);
	sent_count = 0;
	fetch(256);
	assert_int_equal(the_only(MESSAGE_CHOSEN)->m.watermark, 258);
	sent_count = 0;
	fetch(258);
	assert_int_equal(sent_count, 0);
	fetch(260);
	assert_int_equal(the_only(MESSAGE_CHOSEN)->m.watermark, 290);
}

static void a_fetch_below_the_tail_hears_that_it_is_gone(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	delivered(9000);
	assert_true(stage.acceptor.tail > 4);
	fetch(0);
	s = the_only(MESSAGE_CHOSEN);
	assert_int_equal(s->m.count, 0);
	assert_int_equal(s->m.first, 0);
	assert_int_equal(s->m.watermark, stage.acceptor.tail);
	assert_int_equal(stage.counters.gone, 1);
}

static void what_another_lost_is_told_to_the_learner(void **state)
{
	const struct message m = {
		.type = MESSAGE_CHOSEN,
		.first = 7,
		.watermark = 300,
		.sender = 1,
	};

	(void)state;
	send_to_stage(&m, NULL);
	assert_true(the_only(MESSAGE_GONE)->to.local);
	assert_int_equal(the_only(MESSAGE_GONE)->m.sender, 1);
	assert_int_equal(the_only(MESSAGE_GONE)->m.first, 7);
	assert_int_equal(the_only(MESSAGE_GONE)->m.watermark, 300);
}

static void chosen_records_are_stored_whatever_is_promised(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	prepare(LATER);
	sent_count = 0;
	choose(0, 4, 7);
	s = the_only(MESSAGE_VOTED);
	assert_int_equal(s->m.flags, FLAG_CHOSEN);
	assert_int_equal(s->m.ballot, 0);
	assert_int_equal(s->m.sender, 1);
	assert_int_equal(s->m.count, 4);
	assert_memory_equal(s->body, body, s->m.payload_len);
	assert_int_equal(stage.acceptor.promised, LATER);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
}

static void a_chosen_noop_is_told_as_such(void **state)
{
	(void)state;
	choose(0, 4, 0);
	assert_int_equal(the_only(MESSAGE_VOTED)->m.flags, FLAG_CHOSEN | FLAG_NOOP);
	assert_int_equal(stage.log.head, 0);
}

static void what_is_known_chosen_is_told_again_and_appended_once(void **state)
{
	uint64_t head;

	(void)state;
	choose(0, 4, 7);
	head = stage.log.head;
	choose(0, 4, 7);
	assert_int_equal(sent_of(MESSAGE_VOTED), 2);
	assert_int_equal(stage.log.head, head);
}

static void chosen_records_beyond_the_window_are_not_told(void **state)
{
	(void)state;
	delivered(256);
	choose(256 + ACCEPTOR_WINDOW, 4, 7);
	assert_int_equal(sent_count, 0);
	choose(256, 4, 7);
	the_only(MESSAGE_VOTED);
}

/* Else a learner that lost its snapshot never catches up, though others have the values. */
static void chosen_records_below_lo_are_told_and_not_kept(void **state)
{
	uint64_t head;

	(void)state;
	delivered(256);
	head = stage.log.head;
	choose(252, 4, 7);
	assert_int_equal(the_only(MESSAGE_VOTED)->m.flags, FLAG_CHOSEN);
	assert_int_equal(stage.log.head, head);
	assert_null(acceptor_vote(&stage.acceptor, 252));
}

static void chosen_records_of_another_shard_are_passed_over(void **state)
{
	(void)state;
	settings.shards = 2;
	choose(BLOCK, 4, 7);
	assert_int_equal(sent_count, 0);
	choose(2 * BLOCK, 4, 7);
	the_only(MESSAGE_VOTED);
}

static void resend(uint64_t ballot, uint64_t first, uint16_t count)
{
	const struct message m = {
		.type = MESSAGE_RESEND,
		.ballot = ballot,
		.first = first,
		.count = count,
		.watermark = 3,
		.echo = 1u << 0 | 1u << 1,
	};

	send_to_stage(&m, NULL);
}

static void a_run_is_sent_again_as_it_was(void **state)
{
	const struct message m = accept_of(EARLIER, 0, 4, 9);
	const struct sent *s;

	(void)state;
	send_to_stage(&m, body);
	resend(EARLIER, 0, 4);
	s = the_only(MESSAGE_ACCEPT);
	assert_int_equal(s->to.members, (1u << 0 | 1u << 1) & ~(1u << settings.self));
	assert_int_equal(s->m.ballot, EARLIER);
	assert_int_equal(s->m.count, 4);
	assert_int_equal(s->m.flags, 0);
	assert_int_equal(s->m.watermark, 3);
	assert_int_equal(s->m.checksum, m.checksum);
	assert_int_equal(s->m.payload_len, m.payload_len);
	assert_memory_equal(s->body, body, m.payload_len);
	sent_count = 0;
	accepts(EARLIER, 10, 4, 0);
	resend(EARLIER, 10, 4);
	assert_int_equal(the_only(MESSAGE_ACCEPT)->m.flags, FLAG_NOOP);
}

/* Else: our own vote is lost on its way to our own leader, and nobody else can repeat it. */
static void our_own_vote_is_said_again(void **state)
{
	const struct sent *s;

	(void)state;
	settings.self = 1;
	accepts(EARLIER, 0, 4, 9);
	acceptor_stage_flush(&stage, 0);
	sent_count = 0;
	resend(EARLIER, 0, 4);
	acceptor_stage_flush(&stage, 0);
	s = the_only(MESSAGE_ACCEPTED);
	assert_int_equal(s->to.members, 1u << 1);
	assert_int_equal(s->m.ballot, EARLIER);
	assert_int_equal(the_only(MESSAGE_ACCEPT)->to.members, 1u << 0);
}

/* What waits to be acknowledged at another ballot goes first; the run sent again stays whole. */
static void a_run_sent_again_keeps_its_body_though_others_wait(void **state)
{
	const struct message m = accept_of(EARLIER, 0, 4, 9);

	(void)state;
	settings.self = 1;
	send_to_stage(&m, body);
	acceptor_stage_flush(&stage, 0);
	accepts(LATER, 10, 4, 0);
	sent_count = 0;
	resend(EARLIER, 0, 4);
	assert_int_equal(the_only(MESSAGE_ACCEPT)->m.payload_len, m.payload_len);
	assert_memory_equal(the_only(MESSAGE_ACCEPT)->body, body, m.payload_len);
	the_only(MESSAGE_ACCEPTED);
}

static void only_the_identical_run_is_sent_again(void **state)
{
	/* Another ballot or another cut would be a new proposal. */
	(void)state;
	accepts(EARLIER, 0, 16, 9);
	accepts(LATER, 4, 4, 8);
	resend(EARLIER, 0, 16);
	resend(EARLIER, 0, 4);
	resend(EARLIER, 4, 4);
	resend(EARLIER, 8, 8);
	resend(EARLIER, 100, 4);
	resend(LATER, 4, 3);
	assert_int_equal(sent_of(MESSAGE_ACCEPT), 0);
	resend(LATER, 4, 4);
	the_only(MESSAGE_ACCEPT);
}

static void recall(uint64_t first)
{
	const struct message m = {.type = MESSAGE_RECALL, .first = first};

	send_to_stage(&m, NULL);
}

static void what_the_learner_recalls_is_handed_to_it(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	choose(4, 4, 7);
	sent_count = 0;
	recall(2);
	s = the_only(MESSAGE_VOTED);
	assert_true(s->to.local);
	assert_int_equal(s->m.ballot, EARLIER);
	assert_int_equal(s->m.first, 2);
	assert_int_equal(s->m.count, 2);
	assert_int_equal(s->m.flags, 0);
	assert_int_equal(s->m.sender, SELF);
	make_body(9, 2, 2, 8);
	assert_memory_equal(s->body, body, s->m.payload_len);
	sent_count = 0;
	recall(4);
	assert_int_equal(the_only(MESSAGE_VOTED)->m.flags, FLAG_CHOSEN);
	sent_count = 0;
	recall(8);
	assert_int_equal(sent_count, 0);
}

static void what_a_snapshot_covers_is_gone_whatever_was_voted_for_there(void **state)
{
	/* Else: a vote at which something else was chosen is served as what was chosen. */
	const struct message installed = {.type = MESSAGE_DELIVERED,
		.flags = FLAG_INSTALLED,
		.first = 20};

	(void)state;
	accepts(EARLIER, 0, 30, 9);
	send_to_stage(&installed, NULL);
	sent_count = 0;
	fetch(4);
	assert_int_equal(the_only(MESSAGE_CHOSEN)->m.count, 0);
	assert_int_equal(the_only(MESSAGE_CHOSEN)->m.watermark, 20);
	/* The votes themselves stand. */
	prepare(LATER);
	pull(LATER, 0, 100);
	then_record(the_only(MESSAGE_VOTES), 0, EARLIER, 0, 30, 9);
}

static void state_transfer_is_heard_of_members_and_handed_to_the_learner(void **state)
{
	const struct message ask = {.type = MESSAGE_SNAPSHOT_ASK,
		.ballot = 7,
		.watermark = 3,
		.sender = 1};
	struct message chunk = {.type = MESSAGE_SNAPSHOT_CHUNK,
		.first = 9,
		.payload_len = 16,
		.sender = 1};

	(void)state;
	send_to_stage(&ask, NULL);
	assert_true(the_only(MESSAGE_SNAPSHOT_ASKED)->to.local);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASKED)->m.ballot, 7);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASKED)->m.sender, 1);
	memset(body, 5, 16);
	send_to_stage(&chunk, body);
	assert_memory_equal(the_only(MESSAGE_SNAPSHOT_PART)->body, body, 16);
	chunk.uuid = 1234;
	send_to_stage(&chunk, body);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_PART), 1);
	assert_int_equal(stage.counters.foreign, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_pull_is_answered_with_the_votes_of_its_stride, setup),
		cmocka_unit_test_setup(a_pull_at_a_ballot_no_longer_promised_is_refused, setup),
		cmocka_unit_test_setup(a_pull_at_a_ballot_never_promised_is_refused, setup),
		cmocka_unit_test_setup(a_pull_below_lo_is_refused_as_trimmed, setup),
		cmocka_unit_test_setup(a_stride_of_nothing_or_of_more_than_a_block_is_not_answered,
			setup),
		cmocka_unit_test_setup(votes_that_do_not_fit_one_frame_are_left_to_the_next, setup),
		cmocka_unit_test_setup(a_run_that_was_voted_over_in_part_is_cut, setup),
		cmocka_unit_test_setup(a_pull_inside_a_run_reports_the_rest_of_it, setup),
		cmocka_unit_test_setup(what_is_known_chosen_is_reported_as_decided, setup),
		cmocka_unit_test_setup(fetches_are_served_only_below_what_is_delivered, setup),
		cmocka_unit_test_setup(what_was_learned_is_served_and_not_what_was_voted, setup),
		cmocka_unit_test_setup(a_fetch_ends_at_its_blocks_end_at_a_hole_and_at_the_frames,
			setup),
		cmocka_unit_test_setup(a_fetch_below_the_tail_hears_that_it_is_gone, setup),
		cmocka_unit_test_setup(what_another_lost_is_told_to_the_learner, setup),
		cmocka_unit_test_setup(chosen_records_are_stored_whatever_is_promised, setup),
		cmocka_unit_test_setup(a_chosen_noop_is_told_as_such, setup),
		cmocka_unit_test_setup(what_is_known_chosen_is_told_again_and_appended_once, setup),
		cmocka_unit_test_setup(what_a_snapshot_covers_is_gone_whatever_was_voted_for_there,
			setup),
		cmocka_unit_test_setup(state_transfer_is_heard_of_members_and_handed_to_the_learner,
			setup),
		cmocka_unit_test_setup(chosen_records_beyond_the_window_are_not_told, setup),
		cmocka_unit_test_setup(chosen_records_below_lo_are_told_and_not_kept, setup),
		cmocka_unit_test_setup(chosen_records_of_another_shard_are_passed_over, setup),
		cmocka_unit_test_setup(a_run_is_sent_again_as_it_was, setup),
		cmocka_unit_test_setup(our_own_vote_is_said_again, setup),
		cmocka_unit_test_setup(a_run_sent_again_keeps_its_body_though_others_wait, setup),
		cmocka_unit_test_setup(only_the_identical_run_is_sent_again, setup),
		cmocka_unit_test_setup(what_the_learner_recalls_is_handed_to_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
