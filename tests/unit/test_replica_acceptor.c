/* The acceptor's stage: whom it hears, what it votes for, and how it says so. */
#include "tests/unit/given_acceptor.h"

static void nobody_is_answered_before_all_are_enrolled(void **state)
{
	const struct message anonymous = {.type = MESSAGE_PREPARE, .ballot = EARLIER};

	(void)state;
	prepare(EARLIER);
	accepts(EARLIER, 0, 4, 9);
	acceptor_stage_on_message(&stage, &anonymous, NULL, 1);
	flush();
	assert_int_equal(sent_count, 0);
	assert_int_equal(stage.counters.foreign, 3);
	given_enrolled();
	prepare(EARLIER);
	the_only(MESSAGE_PROMISE);
}

static void a_frame_of_another_uuid_is_not_answered(void **state)
{
	/* Else: commits by {A, B}; B restarts empty and makes a majority with C. */
	const enum message_type types[] = {MESSAGE_PREPARE, MESSAGE_PULL, MESSAGE_ACCEPT,
		MESSAGE_FETCH, MESSAGE_CHOSEN, MESSAGE_READ_ROUND, MESSAGE_READ_PROBE};

	(void)state;
	for (uint32_t i = 0; i < 7; i++) {
		struct message m = accept_of(EARLIER, 0, 4, 9);

		m.type = (uint8_t)types[i];
		m.uuid = uuid_of(1);
		send_to_stage(&m, body);
		flush();
		assert_int_equal(sent_count, 0);
		assert_int_equal(stage.counters.foreign, i + 1);
	}
	assert_int_equal(stage.acceptor.promised, 0);
}

static void a_frame_of_no_member_is_not_answered(void **state)
{
	const struct message m = {.type = MESSAGE_PREPARE, .ballot = LATER, .sender = MEMBERS};

	(void)state;
	acceptor_stage_on_message(&stage, &m, NULL, 1);
	assert_int_equal(sent_count, 0);
	assert_int_equal(stage.counters.foreign, 1);
}

static void a_promise_goes_to_the_candidate_and_to_the_own_election(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 256, 4, 9);
	delivered(256);
	prepare(LATER);
	s = the_only(MESSAGE_PROMISE);
	assert_int_equal(s->to.members, 1u << 1 | 1u << SELF);
	assert_int_equal(s->m.ballot, LATER);
	assert_int_equal(s->m.first, 256);
	assert_int_equal(s->m.watermark, 260);
}

static void refuses_to_promise_an_older_ballot_and_names_its_own(void **state)
{
	(void)state;
	prepare(LATER);
	prepare(EARLIER);
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
	assert_int_equal(sent_of(MESSAGE_PROMISE), 1);
}

static void refuses_to_vote_at_an_older_ballot_and_names_its_own(void **state)
{
	(void)state;
	prepare(LATER);
	accepts(EARLIER, 0, 4, 9);
	flush();
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
	assert_int_equal(sent_of(MESSAGE_VOTED), 0);
}

static void a_vote_is_a_promise_too(void **state)
{
	/* Else: C votes x@5 but stays at 4 and takes y@4 over it. */
	(void)state;
	prepare(EARLIER);
	accepts(LATER, 0, 4, 9);
	accepts(EARLIER, 0, 4, 8);
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
}

static void refuses_a_round_far_above_its_promise(void **state)
{
	uint64_t far = ballot_make(BALLOT_ROUND_JUMP + 1, 1);

	(void)state;
	prepare(far);
	then_refused(REFUSAL_BALLOT, 1, 0, 0);
	sent_count = 0;
	accepts(far, 0, 4, 9);
	flush();
	then_refused(REFUSAL_BALLOT, 1, 0, 0);
	assert_int_equal(sent_count, 1);
	assert_int_equal(stage.counters.too_high, 2);
}

static void a_vote_stands_in_the_log_when_the_learner_hears_of_it(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	s = the_only(MESSAGE_VOTED);
	assert_true(s->to.local);
	assert_int_equal(s->m.ballot, EARLIER);
	assert_int_equal(s->m.flags, 0);
	assert_memory_equal(s->body, body, s->m.payload_len);
	assert_memory_equal(log_at(&stage.log, 0) + 1, body, s->m.payload_len);
	assert_int_equal(log_at(&stage.log, 0)->checksum, s->m.checksum);
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 0);
	flush();
	assert_int_equal(the_only(MESSAGE_ACCEPTED)->to.members, 1u << 0);
}

static void then_range(const struct sent *s, uint32_t i, uint64_t first, uint64_t count)
{
	const struct range *r = (const struct range *)(const void *)s->body + i;

	assert_true(i < s->m.count);
	assert_int_equal(s->m.payload_len, s->m.count * sizeof(*r));
	assert_int_equal(r->first, first);
	assert_int_equal(r->count, count);
}

static void one_frame_acknowledges_a_burst(void **state)
{
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	accepts(EARLIER, 4, 12, 9);
	flush();
	s = the_only(MESSAGE_ACCEPTED);
	assert_int_equal(s->m.ballot, EARLIER);
	assert_int_equal(s->m.count, 1);
	then_range(s, 0, 0, 16);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 1);
}

static void ranges_do_not_merge_across_a_hole(void **state)
{
	/* Else: 1-16 lost, 17-33 arrive, "watermark 34" is read as votes for 1-33. */
	const struct sent *s;

	(void)state;
	accepts(EARLIER, 16, 4, 9);
	accepts(EARLIER, 21, 4, 9);
	accepts(EARLIER, 0, 4, 9);
	flush();
	s = the_only(MESSAGE_ACCEPTED);
	assert_int_equal(s->m.count, 3);
	then_range(s, 0, 16, 4);
	then_range(s, 1, 21, 4);
	then_range(s, 2, 0, 4);
}

static void votes_of_two_ballots_are_acknowledged_apart_each_to_its_own(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	accepts(LATER, 4, 4, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 2);
	assert_int_equal(sent_nth(MESSAGE_ACCEPTED, 0)->to.members, 1u << 0);
	assert_int_equal(sent_nth(MESSAGE_ACCEPTED, 0)->m.ballot, EARLIER);
	then_range(sent_nth(MESSAGE_ACCEPTED, 0), 0, 0, 4);
	assert_int_equal(sent_nth(MESSAGE_ACCEPTED, 1)->to.members, 1u << 1);
	assert_int_equal(sent_nth(MESSAGE_ACCEPTED, 1)->m.ballot, LATER);
	then_range(sent_nth(MESSAGE_ACCEPTED, 1), 0, 4, 4);
}

static void more_ranges_than_a_frame_holds_take_a_second(void **state)
{
	(void)state;
	for (uint64_t i = 0; i <= ACCEPTOR_RANGES_MAX; i++)
		accepts(EARLIER, 2 * i, 1, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_ACCEPTED), 2);
	assert_int_equal(sent_nth(MESSAGE_ACCEPTED, 0)->m.count, ACCEPTOR_RANGES_MAX);
	then_range(sent_nth(MESSAGE_ACCEPTED, 1), 0, 2 * ACCEPTOR_RANGES_MAX, 1);
}

static void an_acknowledgement_carries_what_is_delivered_here(void **state)
{
	(void)state;
	delivered(300);
	accepts(EARLIER, 400, 4, 9);
	flush();
	assert_int_equal(the_only(MESSAGE_ACCEPTED)->m.watermark, 300);
}

static void a_retransmit_is_acknowledged_again_and_appended_once(void **state)
{
	uint64_t head;

	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	head = stage.log.head;
	sent_count = 0;
	accepts(EARLIER, 0, 4, 9);
	flush();
	then_range(the_only(MESSAGE_ACCEPTED), 0, 0, 4);
	assert_int_equal(sent_of(MESSAGE_VOTED), 0);
	assert_int_equal(stage.log.head, head);
}

static void another_run_of_one_ballot_is_refused_and_alarmed(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 4, 9);
	flush();
	sent_count = 0;
	accepts(EARLIER, 0, 4, 8);
	then_refused(REFUSAL_CONFLICT, 0, EARLIER, 0);
	sent_count = 0;
	accepts(EARLIER, 2, 4, 9);
	then_refused(REFUSAL_CONFLICT, 0, EARLIER, 0);
	assert_int_equal(stage.counters.conflicts, 2);
	flush();
	assert_int_equal(sent_count, 1);
}

static void what_lies_below_lo_is_refused_as_trimmed(void **state)
{
	(void)state;
	delivered(300);
	accepts(EARLIER, 252, 4, 9);
	then_refused(REFUSAL_TRIMMED, 0, 0, 256);
	sent_count = 0;
	accepts(EARLIER, 256, 4, 9);
	flush();
	the_only(MESSAGE_ACCEPTED);
}

static void a_vote_leaves_what_is_known_chosen_alone(void **state)
{
	(void)state;
	choose(8, 4, 7);
	accepts(LATER, 8, 4, 9);
	flush();
	assert_int_equal(sent_of(MESSAGE_REFUSED), 0);
	assert_int_equal(the_only(MESSAGE_ACCEPTED)->m.count, 1);
	assert_int_equal(acceptor_vote(&stage.acceptor, 8)->state, VOTE_CHOSEN);
}

static void what_lies_beyond_the_window_is_refused_as_behind(void **state)
{
	(void)state;
	delivered(256);
	accepts(EARLIER, 256 + ACCEPTOR_WINDOW - 4, 4, 9);
	assert_int_equal(sent_of(MESSAGE_REFUSED), 0);
	accepts(EARLIER, 256 + ACCEPTOR_WINDOW, 4, 9);
	then_refused(REFUSAL_BEHIND, 0, EARLIER, 256);
	flush();
	assert_int_equal(the_only(MESSAGE_ACCEPTED)->m.count, 1);
}

static void a_full_log_refuses_and_does_not_vote(void **state)
{
	uint64_t first = 0;

	(void)state;
	for (; stage.counters.log_full == 0; first += 32) {
		sent_count = 0;
		accepts(EARLIER, first, 32, 9);
		flush();
	}
	then_refused(REFUSAL_BEHIND, 0, EARLIER, 0);
	assert_int_equal(sent_count, 1);
	assert_null(acceptor_vote(&stage.acceptor, first - 32));
	assert_int_equal(stage.acceptor.high, first - 32);
}

static void a_noop_run_is_voted_for_without_a_record(void **state)
{
	(void)state;
	accepts(EARLIER, 0, 100, 0);
	flush();
	then_range(the_only(MESSAGE_ACCEPTED), 0, 0, 100);
	assert_int_equal(the_only(MESSAGE_VOTED)->m.flags, FLAG_NOOP);
	assert_int_equal(the_only(MESSAGE_VOTED)->m.payload_len, 0);
	assert_int_equal(stage.log.head, 0);
}

static void a_read_round_is_confirmed_unless_a_higher_ballot_is_promised(void **state)
{
	const struct message m = {
		.type = MESSAGE_READ_ROUND,
		.ballot = EARLIER,
		.first = 77,
		.sender = 0,
	};

	(void)state;
	prepare(EARLIER);
	send_to_stage(&m, NULL);
	assert_int_equal(the_only(MESSAGE_READ_CONFIRM)->m.ballot, EARLIER);
	assert_int_equal(the_only(MESSAGE_READ_CONFIRM)->m.first, 77);
	assert_int_equal(the_only(MESSAGE_READ_CONFIRM)->to.members, 1u << 0);
	prepare(LATER);
	send_to_stage(&m, NULL);
	then_refused(REFUSAL_BALLOT, 0, LATER, 0);
	assert_int_equal(sent_of(MESSAGE_READ_CONFIRM), 1);
}

static void a_read_probe_hears_of_every_vote_whatever_is_promised(void **state)
{
	/* LR4. Else: what was acknowledged before the read arrived is missed. */
	const struct message m = {
		.type = MESSAGE_READ_PROBE,
		.ballot = 4711,
		.first = 77,
		.sender = 1,
	};
	const struct sent *s;

	(void)state;
	prepare(LATER);
	send_to_stage(&m, NULL);
	assert_int_equal(the_only(MESSAGE_READ_REPORT)->m.watermark, 0);
	accepts(LATER, 3, 4, 9);
	send_to_stage(&m, NULL);
	s = sent_nth(MESSAGE_READ_REPORT, 1);
	assert_int_equal(s->m.watermark, 7);
	assert_int_equal(s->m.ballot, 4711);
	assert_int_equal(s->m.first, 77);
	assert_int_equal(s->to.members, 1u << 1);
	/* What is below lo is applied by all that this node was told. */
	delivered(2 * BLOCK + 5);
	send_to_stage(&m, NULL);
	assert_int_equal(sent_nth(MESSAGE_READ_REPORT, 2)->m.watermark, 2 * BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_is_answered_before_all_are_enrolled, setup_stranger),
		cmocka_unit_test_setup(a_frame_of_another_uuid_is_not_answered, setup),
		cmocka_unit_test_setup(a_frame_of_no_member_is_not_answered, setup),
		cmocka_unit_test_setup(a_promise_goes_to_the_candidate_and_to_the_own_election,
			setup),
		cmocka_unit_test_setup(refuses_to_promise_an_older_ballot_and_names_its_own, setup),
		cmocka_unit_test_setup(refuses_to_vote_at_an_older_ballot_and_names_its_own, setup),
		cmocka_unit_test_setup(a_vote_is_a_promise_too, setup),
		cmocka_unit_test_setup(refuses_a_round_far_above_its_promise, setup),
		cmocka_unit_test_setup(a_vote_stands_in_the_log_when_the_learner_hears_of_it,
			setup),
		cmocka_unit_test_setup(one_frame_acknowledges_a_burst, setup),
		cmocka_unit_test_setup(ranges_do_not_merge_across_a_hole, setup),
		cmocka_unit_test_setup(votes_of_two_ballots_are_acknowledged_apart_each_to_its_own,
			setup),
		cmocka_unit_test_setup(more_ranges_than_a_frame_holds_take_a_second, setup),
		cmocka_unit_test_setup(an_acknowledgement_carries_what_is_delivered_here, setup),
		cmocka_unit_test_setup(a_retransmit_is_acknowledged_again_and_appended_once, setup),
		cmocka_unit_test_setup(another_run_of_one_ballot_is_refused_and_alarmed, setup),
		cmocka_unit_test_setup(what_lies_below_lo_is_refused_as_trimmed, setup),
		cmocka_unit_test_setup(a_vote_leaves_what_is_known_chosen_alone, setup),
		cmocka_unit_test_setup(what_lies_beyond_the_window_is_refused_as_behind, setup),
		cmocka_unit_test_setup(a_full_log_refuses_and_does_not_vote, setup),
		cmocka_unit_test_setup(a_noop_run_is_voted_for_without_a_record, setup),
		cmocka_unit_test_setup(a_read_round_is_confirmed_unless_a_higher_ballot_is_promised,
			setup),
		cmocka_unit_test_setup(a_read_probe_hears_of_every_vote_whatever_is_promised,
			setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
