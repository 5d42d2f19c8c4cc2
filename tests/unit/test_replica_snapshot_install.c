/* State transfer at who takes it: what is asked, received, checked, installed; and a start from an
 * image. */
#include "tests/unit/given_snapshots.h"

/* ---- Receiving and installing ---- */

static void beyond_the_logs_an_image_is_asked_for_and_installed(void **state)
{
	const struct sent *told;

	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.first, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, 10);
	when_received();
	when_whole();
	then_installed();
	told = sent_nth(MESSAGE_DELIVERED, 0);
	assert_non_null(told);
	assert_true(told->to.local);
	assert_int_equal(told->m.flags, FLAG_INSTALLED);
	assert_int_equal(told->m.first, their_instance);
}

static void one_member_that_never_answers_does_not_keep_it_from_an_image(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	hear_watermark(THEIRS, 0, their_instance);
	hear_gone(OTHER, 10);
	assert_false(stage.beyond);
	for (uint32_t i = 0; i < 100 && !stage.beyond; i++) {
		now += RETRANSMIT;
		tick();
	}
	sent_count = 0;
	now += RETRANSMIT;
	tick();
	assert_true(sent_of(MESSAGE_SNAPSHOT_ASK) > 0);
	assert_int_equal(asked_member(), OTHER);
}

static void chunks_may_be_lost_repeated_and_out_of_order(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	hear_chunk(source, chunks() - 1);
	hear_chunk(source, chunks() - 1);
	sent_count = 0;
	now += RETRANSMIT;
	tick();
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.first, their_instance);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.ballot,
		~(1ull | 1ull << (chunks() - 1)));
	for (uint64_t i = chunks(); i > 0; i--)
		hear_chunk(source, i - 1);
	when_whole();
	then_installed();
}

static void chunks_of_one_image_and_one_member_combine_and_no_others(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	hear_chunk(source == 0 ? OTHER : 0, 1);
	assert_int_equal(stage.snapshots.receipt.have, 1);
	their_instance++;
	hear_chunk(source, 1);
	assert_int_equal(stage.snapshots.receipt.have, 1);
}

static void a_chunk_that_does_not_fit_is_not_taken(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	hear_chunk(source, 0);
	/* Too short for its place; beyond the memory; an image larger than the memory. */
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, 1, theirs_bytes, theirs, 8);
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, INSTANCE_TOP - 1, theirs_bytes, theirs,
		chunk_bytes());
	hear(MESSAGE_SNAPSHOT_PART, source, their_instance, 1, IMAGE_BYTES + 8, theirs,
		chunk_bytes());
	assert_int_equal(stage.snapshots.receipt.have, 1);
}

static void a_damaged_image_changes_nothing_and_another_member_is_asked(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	uint8_t source = asked_member();

	theirs[theirs_bytes / 2] ^= 1;
	when_received();
	for (uint32_t i = 0; i < 10; i++)
		flush();
	assert_int_equal(stage.snapshots.counters.damaged, 1);
	assert_int_equal(stage.learner.delivered, 0);
	assert_int_equal(numbers[7], 7);
	sent_count = 0;
	tick();
	assert_int_not_equal(asked_member(), source);
}

static void a_member_that_is_silent_is_asked_no_more(void **state)
{
	uint8_t source;

	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	source = asked_member();
	for (uint32_t i = 0; i < 2 * SNAPSHOT_ASKS_MAX; i++) {
		now += 2 * RETRANSMIT;
		sent_count = 0;
		tick();
		if (asked_member() != source)
			return;
	}
	fail_msg("it is asked for ever");
}

static void when_nobody_answers(uint32_t asks)
{
	for (uint32_t i = 0; i < asks; i++) {
		now += 2 * RETRANSMIT;
		sent_count = 0;
		tick();
	}
}

static void after_silence_any_image_ahead_will_do(void **state)
{
	/* Else: whose log began highest is down for good, and the others' images are refused for ever. */
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	hear_watermark(THEIRS, 0, their_instance);
	hear_gone(0, their_instance + 1);
	hear_gone(OTHER, 10);
	now += RETRANSMIT;
	sent_count = 0;
	tick();
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, their_instance + 1);
	when_nobody_answers(SNAPSHOT_ASKS_MAX + 1);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, stage.learner.delivered + 1);
	when_received();
	when_whole();
	then_installed();
}

static void with_a_journal_it_is_kept_before_the_state_is_changed(void **state)
{
	/* Else: a crash right after finds the state below the image, and the log above it. */
	struct snapshot_view view;

	(void)state;
	given_theirs(20, DURABILITY_SYNC);
	when_beyond();
	when_received();
	for (uint32_t i = 0; i < 100; i++)
		flush();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_KEEPING);
	assert_int_equal(numbers[7], 7);
	assert_true(learner_stage_image(&stage, &view));
	assert_int_equal(view.instance, their_instance);
	learner_stage_kept(&stage, their_instance);
	when_whole();
	then_installed();
}

static void while_the_state_is_replaced_nothing_is_looked_up_in_it(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_open();
	when_beyond();
	when_received();
	while (stage.snapshots.state != SNAPSHOT_LOADING)
		flush();
	assert_true(restoring);
	sent_count = 0;
	const struct entry e = {.session = 0, .sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)};
	const struct message retry = {.type = MESSAGE_RETRY, .count = 1, .from = 300};

	hear_watermark(ballot_make(9, SELF), 0, 0);
	learner_stage_on_message(&stage, &retry, (const uint8_t *)&e, NULL, now);
	flush();
	assert_int_equal(sent_of(MESSAGE_REPLY), 0);
}

static void what_came_meanwhile_is_delivered_after_it(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	/* One run straddles the image's end, one lies below it. */
	with_command(0, 99);
	hear_run(THEIRS, 3, 0, 2);
	with_command(0, 100);
	with_command(0, 101);
	hear_run(THEIRS, their_instance - 1, 0, 2);
	when_received();
	when_whole();
	then_installed();
	assert_int_equal(stage.retained, 1);
	hear_watermark(THEIRS, their_instance + 1, their_instance + 1);
	flush();
	assert_int_equal(stage.learner.delivered, their_instance + 1);
	assert_int_equal(applied[applied_count - 1].sequence, 101);
	assert_int_equal(stage.retained, 0);
}

static void who_is_beyond_again_at_once_asks_the_leader_to_wait(void **state)
{
	/* Else: each image is too old when it is installed, for ever. */
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(sent_of(MESSAGE_INSTALLING), 0);
	when_received();
	when_whole();
	their_instance += 50000;
	when_beyond();
	assert_int_equal(the_only(MESSAGE_INSTALLING)->m.first, their_instance);
	assert_int_equal(the_only(MESSAGE_INSTALLING)->to.members, 1u << 0 | 1u << OTHER);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_ASK)->m.watermark, their_instance);
}

static void who_has_caught_up_since_does_not(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	when_received();
	when_whole();
	tick();
	their_instance += 50000;
	when_beyond();
	assert_int_equal(sent_of(MESSAGE_INSTALLING), 0);
}

static void what_a_new_leader_proposes_again_needs_no_image(void **state)
{
	/* Else: who said that it is gone dies, and the others ask each other for images for ever. */
	(void)state;
	given_theirs(20, DURABILITY_NONE);
	when_beyond();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_RECEIVING);
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen_at(THEIRS);
	assert_false(stage.beyond);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_NONE);
}

static void an_image_of_less_than_was_delivered_meanwhile_replaces_nothing(void **state)
{
	(void)state;
	given_theirs(20, DURABILITY_SYNC);
	when_beyond();
	when_received();
	while (stage.snapshots.state != SNAPSHOT_KEEPING)
		flush();
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen_at(THEIRS);
	hear_noops(THEIRS, 1, 100);
	hear_watermark(THEIRS, 101, 101);
	flush();
	learner_stage_kept(&stage, their_instance);
	when_whole();
	assert_int_equal(stage.learner.delivered, 101);
	assert_int_equal(stage.snapshots.counters.installed, 0);
}

/* ---- Loading ---- */

static void a_damaged_image_is_not_loaded(void **state)
{
	(void)state;
	given_image_of(5);
	uint64_t length = stage.snapshots.image.used;

	given_stage_of(DURABILITY_SYNC);
	image[100] ^= 4;
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_DAMAGED);
	assert_int_equal(learner_stage_load(&stage, IMAGE_BYTES + 8), SNAPSHOT_DAMAGED);
	assert_int_equal(stage.learner.delivered, 0);
	image[100] ^= 4;
	settings.config_hash++;
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_FOREIGN);
}

#define TEST(name) cmocka_unit_test_setup(name, given_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(beyond_the_logs_an_image_is_asked_for_and_installed),
		TEST(one_member_that_never_answers_does_not_keep_it_from_an_image),
		TEST(chunks_may_be_lost_repeated_and_out_of_order),
		TEST(chunks_of_one_image_and_one_member_combine_and_no_others),
		TEST(a_chunk_that_does_not_fit_is_not_taken),
		TEST(a_damaged_image_changes_nothing_and_another_member_is_asked),
		TEST(a_member_that_is_silent_is_asked_no_more),
		TEST(after_silence_any_image_ahead_will_do),
		TEST(with_a_journal_it_is_kept_before_the_state_is_changed),
		TEST(while_the_state_is_replaced_nothing_is_looked_up_in_it),
		TEST(what_came_meanwhile_is_delivered_after_it),
		TEST(who_is_beyond_again_at_once_asks_the_leader_to_wait),
		TEST(who_has_caught_up_since_does_not),
		TEST(what_a_new_leader_proposes_again_needs_no_image),
		TEST(an_image_of_less_than_was_delivered_meanwhile_replaces_nothing),
		TEST(a_damaged_image_is_not_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
