/* The learner's stage: what is executed, what is kept, and what is asked for. */
#include "tests/unit/given_learner.h"

static void executes_what_lies_below_its_ballots_watermark(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	with_command(0, 0);
	with_command(0, 1);
	hear_voted(OURS, 0);
	flush();
	assert_int_equal(stage.learner.delivered, 0);
	hear_watermark(OURS, 3, 3);
	flush();
	assert_int_equal(stage.learner.delivered, 3);
	assert_int_equal(applied_count, 2);
	assert_int_equal(applied[0].instance, 1);
	assert_int_equal(applied[0].sequence, 0);
	assert_int_equal(applied[0].length, 8);
	assert_int_equal(applied[1].instance, 2);
}

static void a_vote_at_another_ballot_is_not_executed(void **state)
{
	/* Else: a follower that voted x@b1 delivers x though y was chosen at b2. */
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 0);
	hear_watermark(THEIRS, 1, 1);
	flush();
	assert_int_equal(stage.learner.delivered, 0);
}

static void what_another_knows_chosen_is_no_commit(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 0);
	hear_watermark(0, 0, 1);
	flush();
	assert_int_equal(stage.learner.delivered, 0);
}

static void what_is_known_chosen_is_executed_without_a_watermark(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	hear_run(0, 0, FLAG_CHOSEN, 2);
	flush();
	assert_int_equal(stage.learner.delivered, 1);
	assert_int_equal(stage.counters.opened, 1);
}

static void noops_execute_nothing(void **state)
{
	(void)state;
	given_delivered(600);
	with_entry(ENTRY_NOOP, 0, 0);
	with_entry(ENTRY_STOP, 0, 0);
	when_chosen();
	assert_int_equal(applied_count, 0);
	assert_int_equal(stage.learner.delivered, 602);
}

static void a_frame_is_retained_until_it_is_delivered(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	assert_true(hear_voted(OURS, 0));
	flush();
	assert_false(frames[0].released);
	hear_watermark(OURS, 1, 1);
	flush();
	assert_true(frames[0].released);
	with_entry(ENTRY_OPEN, 0, 0);
	assert_false(hear_voted(OURS, 0));
}

static void a_frame_that_is_replaced_comes_back(void **state)
{
	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 0);
	with_entry(ENTRY_OPEN, 1, 0);
	assert_true(hear_voted(THEIRS, 0));
	assert_true(frames[0].released);
	assert_false(frames[1].released);
	hear_noops(ballot_make(9, 0), 0, 1);
	assert_true(frames[1].released);
	assert_int_equal(stage.retained, 0);
}

static void frames_kept_are_bounded_and_a_hole_in_front_of_them_is_filled(void **state)
{
	/* Else: nothing is delivered any more, for no frame comes back before the hole's. */
	(void)state;
	for (uint64_t i = 1; i <= LEARNER_RETAINED_MAX; i++) {
		with_entry(ENTRY_OPEN, i, 0);
		assert_true(hear_voted(OURS, i));
	}
	with_entry(ENTRY_OPEN, 0, 0);
	assert_false(hear_voted(OURS, LEARNER_RETAINED_MAX + 1));
	assert_int_equal(stage.counters.unretained, 1);
	hear_watermark(OURS, LEARNER_RETAINED_MAX + 2, LEARNER_RETAINED_MAX + 2);
	flush();
	assert_int_equal(stage.learner.delivered, 0);
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 0);
	flush();
	assert_int_equal(stage.learner.delivered, LEARNER_RETAINED_MAX + 1);
	assert_int_equal(stage.retained, 0);
}

/* A run stands in the log only; the ones above it are not here. */
static void given_in_the_log_only(void)
{
	stage.retained = LEARNER_RETAINED_MAX;
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 4);
	stage.retained = 0;
	given_delivered(4);
	hear_watermark(OURS, 5, 5);
	flush();
	assert_int_equal(stage.learner.delivered, 4);
	sent_count = 0;
}

static void what_is_in_the_log_only_is_recalled(void **state)
{
	(void)state;
	given_in_the_log_only();
	tick();
	now += RETRANSMIT / 2;
	tick();
	assert_true(the_only(MESSAGE_RECALL)->to.local);
	assert_int_equal(the_only(MESSAGE_RECALL)->m.first, 4);
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 4);
	flush();
	assert_int_equal(stage.learner.delivered, 5);
}

static void what_is_missing_is_asked_of_one_member_after_another(void **state)
{
	(void)state;
	given_delivered(10);
	tick();
	sent_count = 0;
	hear_watermark(THEIRS, 0, 300);
	now += RETRANSMIT / 16 - 1;
	tick();
	assert_int_equal(sent_count, 0);
	now += 1;
	tick();
	assert_int_equal(the_only(MESSAGE_FETCH)->to.members, 1u << 2);
	assert_int_equal(the_only(MESSAGE_FETCH)->m.first, 10);
	the_only(MESSAGE_RECALL);
	tick();
	the_only(MESSAGE_FETCH);
	for (uint32_t i = 0; i < 2; i++) {
		now += RETRANSMIT / 2;
		tick();
	}
	assert_int_equal(sent_nth(MESSAGE_FETCH, 1)->to.members, 1u << 0);
	assert_int_equal(sent_nth(MESSAGE_FETCH, 2)->to.members, 1u << 2);
}

/* A hole that a late frame closes asks once; one that lasts does not flood the others. */
static void what_stays_missing_is_asked_for_ever_less_often(void **state)
{
	(void)state;
	given_delivered(10);
	tick();
	sent_count = 0;
	hear_watermark(THEIRS, 0, 300);
	for (uint32_t i = 0; i < 4 * RETRANSMIT; i++) {
		now++;
		tick();
	}
	assert_in_range(sent_of(MESSAGE_FETCH), 8, 12);
}

static void nothing_is_asked_for_while_deliveries_go_on(void **state)
{
	(void)state;
	hear_watermark(THEIRS, 0, 300);
	for (uint64_t i = 1; i < 20; i++) {
		with_entry(ENTRY_OPEN, 0, 0);
		hear_run(0, i - 1, FLAG_CHOSEN, SELF);
		flush();
		now += RETRANSMIT / 3;
		tick();
	}
	assert_int_equal(sent_of(MESSAGE_FETCH), 0);
}

static void nothing_is_asked_for_that_nobody_knows_chosen(void **state)
{
	(void)state;
	given_delivered(10);
	with_entry(ENTRY_OPEN, 0, 0);
	hear_voted(OURS, 20);
	for (uint32_t i = 0; i < 10; i++) {
		now += RETRANSMIT;
		tick();
	}
	assert_int_equal(sent_of(MESSAGE_FETCH), 0);
	assert_int_equal(sent_of(MESSAGE_RECALL), 0);
}

static void a_fetch_names_its_shard(void **state)
{
	(void)state;
	settings.shards = 2;
	given_delivered(BLOCK);
	hear_watermark(THEIRS, 0, 300);
	tick();
	now += RETRANSMIT;
	tick();
	assert_int_equal(the_only(MESSAGE_FETCH)->m.shard, 1);
	assert_int_equal(the_only(MESSAGE_RECALL)->m.shard, 1);
}

static void a_catch_up_asks_whom_the_leader_says(void **state)
{
	const struct message m = {.type = MESSAGE_CATCH_UP, .first = 300, .sender = 0};

	(void)state;
	given_delivered(10);
	tick();
	hear_watermark(THEIRS, 0, 0);
	learner_stage_on_message(&stage, &m, NULL, NULL, now);
	now += RETRANSMIT;
	tick();
	assert_int_equal(the_only(MESSAGE_FETCH)->to.members, 1u << 0);
}

static void nobody_fetches_from_itself(void **state)
{
	const struct message m = {.type = MESSAGE_CATCH_UP, .first = 300, .sender = SELF};

	(void)state;
	given_delivered(10);
	tick();
	sent_count = 0;
	hear_watermark(THEIRS, 0, 0);
	hear_watermark(ballot_make(9, SELF), 0, 300);
	now += RETRANSMIT;
	tick();
	assert_int_equal(the_only(MESSAGE_FETCH)->to.members, 1u << 2);
	learner_stage_on_message(&stage, &m, NULL, NULL, now);
	now += RETRANSMIT;
	tick();
	the_only(MESSAGE_FETCH);
}

static void one_answer_of_a_catch_up_asks_for_the_next(void **state)
{
	(void)state;
	hear_watermark(THEIRS, 0, 300);
	frame_count = 100;
	hear_run(0, 0, FLAG_CHOSEN | FLAG_NOOP, 2);
	flush();
	assert_int_equal(the_only(MESSAGE_FETCH)->m.first, 100);
	assert_int_equal(the_only(MESSAGE_FETCH)->to.members, 1u << 2);
	flush();
	the_only(MESSAGE_FETCH);
	/* Nor of what is held here, nor beyond what is known chosen. */
	hear_noops(THEIRS, 150, 50);
	frame_count = 50;
	hear_run(0, 100, FLAG_CHOSEN | FLAG_NOOP, 2);
	flush();
	frame_count = 100;
	hear_run(0, 200, FLAG_CHOSEN | FLAG_NOOP, 2);
	flush();
	the_only(MESSAGE_FETCH);
	assert_int_equal(stage.learner.delivered, 150);
}

static void the_own_log_and_votes_start_no_chain(void **state)
{
	(void)state;
	hear_watermark(THEIRS, 0, 300);
	frame_count = 100;
	hear_run(0, 0, FLAG_CHOSEN | FLAG_NOOP, SELF);
	flush();
	hear_noops(THEIRS, 100, 50);
	flush();
	assert_int_equal(sent_of(MESSAGE_FETCH), 0);
}

static void the_other_stages_hear_once_what_is_delivered(void **state)
{
	(void)state;
	given_delivered(10);
	tick();
	assert_true(the_only(MESSAGE_DELIVERED)->to.local);
	assert_int_equal(the_only(MESSAGE_DELIVERED)->m.first, 10);
	now += TELL;
	tick();
	the_only(MESSAGE_DELIVERED);
	given_delivered(20);
	tick();
	given_delivered(30);
	now += TELL - 1;
	tick();
	assert_int_equal(sent_of(MESSAGE_DELIVERED), 2);
	now += 1;
	tick();
	assert_int_equal(sent_nth(MESSAGE_DELIVERED, 2)->m.first, 30);
}

static void hear_gone(uint8_t member, uint64_t first)
{
	const struct message m = {.type = MESSAGE_GONE, .first = first, .sender = member};

	learner_stage_on_message(&stage, &m, NULL, NULL, now);
}

/* A journal must know of each ballot up to where it chose (a later loss leaves nothing else). */
static void each_ballot_that_chose_something_is_told_with_how_far(void **state)
{
	(void)state;
	hear_noops(OURS, 0, 8);
	hear_watermark(OURS, 8, 8);
	flush();
	sent_count = 0;
	hear_noops(THEIRS, 8, 8);
	hear_watermark(THEIRS, 16, 16);
	flush();
	const struct message *ours = &the_only(MESSAGE_DELIVERED)->m;

	assert_int_equal(ours->ballot, OURS);
	assert_int_equal(ours->watermark, 8);
	assert_int_equal(ours->first, 8);
	now += TELL;
	tick();
	const struct message *theirs = &sent_nth(MESSAGE_DELIVERED, 1)->m;

	assert_int_equal(theirs->ballot, THEIRS);
	assert_int_equal(theirs->watermark, 16);
}

/* Its record says that it was chosen, at whatever ballot. */
static void a_chosen_record_stretches_no_ballots_reach(void **state)
{
	(void)state;
	hear_noops(OURS, 0, 8);
	hear_watermark(OURS, 8, 8);
	with_entry(ENTRY_NOOP, 0, 0);
	hear_run(0, 8, FLAG_CHOSEN, 2);
	flush();
	now += TELL;
	tick();
	assert_int_equal(the_only(MESSAGE_DELIVERED)->m.first, 9);
	assert_int_equal(the_only(MESSAGE_DELIVERED)->m.watermark, 8);
}

static void who_hears_from_all_that_it_is_gone_asks_for_it_no_more(void **state)
{
	(void)state;
	given_delivered(10);
	tick();
	hear_watermark(THEIRS, 0, 300);
	hear_gone(0, 10);
	hear_gone(0, 10);
	assert_false(stage.beyond);
	hear_gone(2, 9);
	assert_false(stage.beyond);
	hear_gone(2, 10);
	assert_true(stage.beyond);
	sent_count = 0;
	for (uint32_t i = 0; i < 10; i++) {
		now += RETRANSMIT;
		tick();
	}
	assert_int_equal(sent_count, 0);
	frame_count = 10;
	hear_run(0, 10, FLAG_CHOSEN | FLAG_NOOP, 2);
	flush();
	assert_int_equal(stage.learner.delivered, 20);
	assert_false(stage.beyond);
}

static void what_was_gone_of_an_earlier_instance_does_not_count(void **state)
{
	(void)state;
	given_delivered(10);
	tick();
	hear_gone(0, 10);
	given_delivered(20);
	hear_gone(2, 20);
	assert_false(stage.beyond);
	hear_gone(0, 20);
	assert_true(stage.beyond);
}

/* The digest after an open and ten commands, cut into runs of this many entries. */
static uint64_t digest_of(uint32_t run, uint64_t change)
{
	setup(NULL);
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen();
	for (uint64_t i = 0; i < 10; i++) {
		with_command(0, i == 7 ? i + change : i);
		if (frame_count == run || i == 9)
			when_chosen();
	}
	return learner_stage_digest(&stage);
}

static void the_digest_is_of_the_commands_and_not_of_their_runs(void **state)
{
	(void)state;
	assert_int_equal(digest_of(1, 0), digest_of(10, 0));
	assert_int_equal(digest_of(1, 0), digest_of(3, 0));
	assert_int_not_equal(digest_of(1, 0), digest_of(1, 20));
}

static void a_checkpoint_holds_the_digest_at_its_instance(void **state)
{
	uint64_t digest = 1;

	(void)state;
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen();
	assert_false(learner_stage_checkpoint(&stage, CHECKPOINT_EVERY, &digest));
	given_delivered(CHECKPOINT_EVERY);
	uint64_t then = learner_stage_digest(&stage);

	with_entry(ENTRY_OPEN, 1, 0);
	when_chosen();
	assert_int_not_equal(learner_stage_digest(&stage), then);
	assert_true(learner_stage_checkpoint(&stage, CHECKPOINT_EVERY, &digest));
	assert_int_equal(digest, then);
	given_delivered(CHECKPOINT_EVERY * (CHECKPOINTS + 1));
	assert_false(learner_stage_checkpoint(&stage, CHECKPOINT_EVERY, &digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(executes_what_lies_below_its_ballots_watermark, setup),
		cmocka_unit_test_setup(a_vote_at_another_ballot_is_not_executed, setup),
		cmocka_unit_test_setup(what_another_knows_chosen_is_no_commit, setup),
		cmocka_unit_test_setup(what_is_known_chosen_is_executed_without_a_watermark, setup),
		cmocka_unit_test_setup(noops_execute_nothing, setup),
		cmocka_unit_test_setup(a_frame_is_retained_until_it_is_delivered, setup),
		cmocka_unit_test_setup(a_frame_that_is_replaced_comes_back, setup),
		cmocka_unit_test_setup(
			frames_kept_are_bounded_and_a_hole_in_front_of_them_is_filled, setup),
		cmocka_unit_test_setup(what_is_in_the_log_only_is_recalled, setup),
		cmocka_unit_test_setup(what_is_missing_is_asked_of_one_member_after_another, setup),
		cmocka_unit_test_setup(what_stays_missing_is_asked_for_ever_less_often, setup),
		cmocka_unit_test_setup(nothing_is_asked_for_while_deliveries_go_on, setup),
		cmocka_unit_test_setup(nothing_is_asked_for_that_nobody_knows_chosen, setup),
		cmocka_unit_test_setup(a_fetch_names_its_shard, setup),
		cmocka_unit_test_setup(a_catch_up_asks_whom_the_leader_says, setup),
		cmocka_unit_test_setup(nobody_fetches_from_itself, setup),
		cmocka_unit_test_setup(one_answer_of_a_catch_up_asks_for_the_next, setup),
		cmocka_unit_test_setup(the_own_log_and_votes_start_no_chain, setup),
		cmocka_unit_test_setup(the_other_stages_hear_once_what_is_delivered, setup),
		cmocka_unit_test_setup(each_ballot_that_chose_something_is_told_with_how_far,
			setup),
		cmocka_unit_test_setup(a_chosen_record_stretches_no_ballots_reach, setup),
		cmocka_unit_test_setup(who_hears_from_all_that_it_is_gone_asks_for_it_no_more,
			setup),
		cmocka_unit_test_setup(what_was_gone_of_an_earlier_instance_does_not_count, setup),
		cmocka_unit_test_setup(the_digest_is_of_the_commands_and_not_of_their_runs, setup),
		cmocka_unit_test_setup(a_checkpoint_holds_the_digest_at_its_instance, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
