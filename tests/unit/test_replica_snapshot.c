/* The learner's snapshots: cut and served. */
#include "tests/unit/given_snapshots.h"

/* ---- Cutting ---- */

static void an_image_is_exact_at_its_cut_while_commands_go_on(void **state)
{
	/* Else: a scan that sees some commands and not others; replay can not mend a cas. */
	uint64_t before[NUMBERS];
	uint64_t digest;

	(void)state;
	when_open();
	when_commands(30);
	memcpy(before, numbers, sizeof(before));
	digest = stage.digest;
	learner_stage_want_snapshot(&stage);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
	when_commands(150);
	when_whole();

	uint64_t length = stage.snapshots.image.used;

	given_stage_of(DURABILITY_NONE);
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_OK);
	assert_int_equal(stage.snapshots.counters.restored, 1);
	assert_int_equal(stage.snapshots.counters.installed, 0);
	assert_int_equal(stage.learner.delivered, 31);
	assert_int_equal(stage.digest, digest);
	assert_memory_equal(numbers, before, sizeof(before));
	assert_int_equal(session_find(&stage.sessions, 0)->last, 30);
}

/* Of so many sessions the image is not written in one step. */
static void a_session_is_saved_before_a_command_changes_it(void **state)
{
	static struct session many[2 * SESSIONS_MANY];
	uint64_t length;

	(void)state;
	learner_stage_init(&stage, &settings, &outlet, &stage.machine, many, SESSIONS_MANY, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	for (uint64_t i = 0; i < 200; i++) {
		with_entry(ENTRY_OPEN, i, 0);
		when_chosen();
	}
	learner_stage_want_snapshot(&stage);
	tick();
	with_command(190, 0);
	when_chosen();
	assert_int_equal(session_find(&stage.sessions, 190)->last, 200);
	when_whole();
	length = stage.snapshots.image.used;
	learner_stage_init(&stage, &settings, &outlet, &stage.machine, many, SESSIONS_MANY, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	assert_int_equal(learner_stage_load(&stage, length), SNAPSHOT_OK);
	assert_int_equal(session_find(&stage.sessions, 190)->last, 190);
	assert_int_equal(session_look(session_find(&stage.sessions, 190), 0), SESSION_RUN);
}

static void an_image_is_cut_between_runs_only(void **state)
{
	(void)state;
	when_open();
	learner_stage_want_snapshot(&stage);
	tick();
	when_whole();
	assert_int_equal(snapshot_header_of(&stage.snapshots.image)->instance, 1);
	tick();
	assert_int_equal(stage.snapshots.counters.cut, 1);
}

static void with_a_journal_an_image_stays_until_it_is_kept(void **state)
{
	struct snapshot_view view;

	(void)state;
	given_stage_of(DURABILITY_SYNC);
	assert_false(learner_stage_image(&stage, &view));
	given_image_of(3);
	assert_true(learner_stage_image(&stage, &view));
	assert_int_equal(view.instance, 4);
	assert_ptr_equal(view.bytes, image);
	assert_int_equal(view.length, stage.snapshots.image.used);
	when_commands(1);
	learner_stage_want_snapshot(&stage);
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
	learner_stage_kept(&stage, 4);
	assert_false(learner_stage_image(&stage, &view));
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
}

static void without_a_journal_nobody_is_to_keep_it(void **state)
{
	struct snapshot_view view;

	(void)state;
	given_image_of(3);
	assert_false(learner_stage_image(&stage, &view));
}

/* ---- Serving ---- */

static void who_asks_for_any_image_gets_one_that_is_cut_for_it(void **state)
{
	(void)state;
	when_open();
	when_commands(5);
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_NONE);
	hear_ask(0, 6, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
	when_whole();
	hear_ask(0, 6, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->to.members, 1u << OTHER);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.first, 6);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.watermark, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.ballot, stage.snapshots.image.used);
}

static void who_waits_for_an_image_in_vain_gives_its_own(void **state)
{
	/* Else: all who are left wait for an image, each of the others. */
	(void)state;
	when_open();
	when_commands(5);
	hear_watermark(THEIRS, 0, 20);
	hear_gone(0, 10);
	hear_gone(OTHER, 3);
	assert_true(stage.beyond);
	tick();
	hear_ask(0, 4, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_RECEIVING);
	for (uint32_t i = 0; i < 8; i++) {
		now += 2 * RETRANSMIT;
		tick();
	}
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_RECEIVING);
	hear_ask(0, 4, 0);
	when_whole();
	tick();
	hear_ask(0, 4, 0);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.first, 6);
	now += SNAPSHOT_LEASE_NS;
	tick();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_RECEIVING);
}

static void the_chunks_asked_for_are_sent_and_no_others(void **state)
{
	(void)state;
	given_image_of(5);
	hear_ask(6, 1, 0x5);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 2);
	assert_int_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 0)->m.watermark, 1);
	assert_int_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->m.watermark, 3);
	assert_memory_equal(sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->body, image + 3 * chunk_bytes(),
		sent_nth(MESSAGE_SNAPSHOT_CHUNK, 1)->m.payload_len);
	hear_ask(5, 0, UINT64_MAX);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 0);
	hear_ask(6, 1000, UINT64_MAX);
	assert_int_equal(the_only(MESSAGE_SNAPSHOT_CHUNK)->m.watermark, 3);
}

static void without_room_in_the_rings_chunks_are_left_out(void **state)
{
	(void)state;
	given_image_of(5);
	room = STAGE_ROOM - 1;
	hear_ask(6, 0, UINT64_MAX);
	assert_int_equal(sent_of(MESSAGE_SNAPSHOT_CHUNK), 0);
}

static void an_image_that_is_asked_for_is_not_replaced(void **state)
{
	(void)state;
	given_image_of(5);
	hear_ask(6, 0, 1);
	when_commands(1);
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
	now += SNAPSHOT_LEASE_NS;
	hear_ask(0, 7, 0);
	assert_int_equal(stage.snapshots.state, SNAPSHOT_CUTTING);
}

#define TEST(name) cmocka_unit_test_setup(name, given_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_image_is_exact_at_its_cut_while_commands_go_on),
		TEST(a_session_is_saved_before_a_command_changes_it),
		TEST(an_image_is_cut_between_runs_only),
		TEST(with_a_journal_an_image_stays_until_it_is_kept),
		TEST(without_a_journal_nobody_is_to_keep_it),
		TEST(who_asks_for_any_image_gets_one_that_is_cut_for_it),
		TEST(who_waits_for_an_image_in_vain_gives_its_own),
		TEST(the_chunks_asked_for_are_sent_and_no_others),
		TEST(without_room_in_the_rings_chunks_are_left_out),
		TEST(an_image_that_is_asked_for_is_not_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
