/* A journal and the snapshots on its disk: what is trimmed, how many files there are, and what a start
 * finds. */
#include "tests/unit/given_store.h"

static void limit_of_files(rlim_t size)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Votes, each in a block of its own, until the last write stands in that segment. */
static void given_written_to(uint64_t segment)
{
	while (store->stage.journal.segment < segment) {
		for (uint32_t i = 0; i < 40; i++) {
			when_appended(0, JOURNAL_VOTE, next_vote, 1400);
			next_vote += BLOCK;
		}
		when_written();
		assert_false(store_attend(store, error, sizeof(error)));
	}
}

static const uint8_t snapshot[9000];

/* Of all that was voted for. */
static bool when_kept(void)
{
	bool once;

	return store_keep(store, next_vote, snapshot, sizeof(snapshot), now_ns, &once, error,
		sizeof(error));
}

/* Some writes more, so that both superblocks say it, and what control then does. */
static void when_trimmed(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		when_appended(0, JOURNAL_VOTE, next_vote, 64);
		when_written();
	}
	when_written();
	next_vote += BLOCK;
	assert_false(store_attend(store, error, sizeof(error)));
}

static void a_snapshot_is_wanted_once_each_time_so_many_segments_are_filled(void **state)
{
	(void)state;
	given_written_to(1);
	assert_false(store_wants_snapshot(store));
	given_written_to(2);
	assert_true(store_wants_snapshot(store));
	assert_false(store_wants_snapshot(store));
	given_written_to(3);
	assert_false(store_wants_snapshot(store));
	given_written_to(4);
	assert_true(store_wants_snapshot(store));
}

/* ST1 */
static void what_stands_in_front_of_a_kept_snapshot_is_used_anew(void **state)
{
	(void)state;
	given_written_to(2);
	when_trimmed();
	assert_int_equal(store->directory.segments_first, 0);
	assert_true(when_kept());
	when_trimmed();
	assert_int_equal(store->directory.segments_first, 2);
	assert_int_equal(disk_segments(&store->disk), 7);
	given_written_to(6);
	const struct journal_end end = when_read_back();

	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(store->superblock.anchor_place, 2 * SEGMENT_BLOCKS);
	assert_int_equal(found_firsts[found_count - 1], next_vote - BLOCK);
}

static void a_snapshot_that_is_not_kept_frees_nothing(void **state)
{
	(void)state;
	given_written_to(2);
	limit_of_files(SEGMENT_BYTES / 2);
	static const uint8_t large[SEGMENT_BYTES];
	bool once;

	assert_false(store_keep(store, next_vote, large, sizeof(large), now_ns, &once, error,
		sizeof(error)));
	limit_of_files(RLIM_INFINITY);
	assert_true(once);
	then_said(
		"/replica-0/snapshot of 262144 bytes can not be written: No space left on device: until one "
		"can, the journal grows.");
	when_trimmed();
	assert_int_equal(store->directory.segments_first, 0);
	assert_int_equal(store->snapshots_failed, 1);
	assert_false(store->stage.failed);
}

static void on_a_full_disk_it_is_said_once_and_tried_again_some_seconds_later(void **state)
{
	static const uint8_t large[SEGMENT_BYTES];
	bool once;

	(void)state;
	limit_of_files(SEGMENT_BYTES / 2);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(store_keep(store, 1, large, sizeof(large), now_ns, &once, error,
			sizeof(error)));
		assert_int_equal(once, i == 0);
		assert_false(store_keep(store, 1, large, sizeof(large), now_ns + LONG_NS, &once,
			error, sizeof(error)));
		assert_false(once);
		assert_int_equal(store->snapshots_failed, i + 1);
		now_ns += 10ull * LONG_NS;
	}
	limit_of_files(RLIM_INFINITY);
	assert_true(when_kept());
	assert_int_equal(store->snapshots_kept, 1);
}

static void after_another_failure_no_snapshot_is_written_any_more(void **state)
{
	bool once;

	(void)state;
	assert_int_equal(mkdir(path_of("snapshot-new"), 0700), 0);
	assert_false(store_keep(store, 1, snapshot, sizeof(snapshot), now_ns, &once, error,
		sizeof(error)));
	assert_true(once);
	assert_int_equal(rmdir(path_of("snapshot-new")), 0);
	now_ns += 100ull * LONG_NS;
	assert_false(when_kept());
	assert_int_equal(store->snapshots_failed, 1);
	when_written();
	assert_false(store->stage.failed);
}

/* ST2: each snapshot is kept just before as many segments more are filled. */
static void the_journal_has_no_more_segments_than_the_bound(void **state)
{
	uint32_t kept = 0;
	bool wanted = false;
	uint64_t asked = 0;

	(void)state;
	while (kept < 20) {
		given_written_to(store->stage.journal.segment + 1);
		if (store_wants_snapshot(store)) {
			wanted = true;
			asked = next_vote;
		} else if (wanted) {
			bool once;

			assert_true(store_keep(store, asked, snapshot, sizeof(snapshot), now_ns,
				&once, error, sizeof(error)));
			wanted = false;
			kept++;
		}
		assert_true(store->directory.segments_end - store->directory.segments_first <=
			store_segments_most(&config));
	}
	assert_true(store->directory.segments_first > 30);
}

/* ST2: no snapshot could be kept for a long time. */
static void what_is_beyond_the_bound_is_given_back(void **state)
{
	const uint32_t most = store_segments_most(&config);

	(void)state;
	given_written_to(2 * most);
	assert_true(store->directory.segments_end > 2 * most);
	assert_true(when_kept());
	when_trimmed();
	assert_int_equal(store->directory.segments_end - store->directory.segments_first, most);
	assert_int_equal(access(path_of("segment-0000"), F_OK), -1);
	given_written_to(2 * most + 4);
	const struct journal_end end = when_read_back();

	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(found_firsts[found_count - 1], next_vote - BLOCK);
}

static void what_a_directory_was_formatted_with_stays(void **state)
{
	(void)state;
	when_closed();
	config.journal.segments = 20;
	given_started();
	given_written_to(20);
	assert_true(when_kept());
	when_trimmed();
	assert_int_equal(store->directory.segments_end - store->directory.segments_first, 20);
}

/* Nothing of what there was is used anew twice or lost: a crash came in between. */
static void a_start_goes_on_with_free_segments_that_an_earlier_one_left(void **state)
{
	(void)state;
	given_written_to(2);
	assert_true(when_kept());
	for (uint32_t i = 0; i < 4; i++) {
		when_appended(0, JOURNAL_VOTE, next_vote, 64);
		when_written();
	}
	assert_int_equal(store->directory.segments_first, 0);
	when_closed();
	given_started();
	assert_int_equal(store->superblock.anchor_place, 2 * SEGMENT_BLOCKS);
	assert_int_equal(store->directory.segments_first, 0);
	when_trimmed();
	assert_int_equal(store->directory.segments_first, 2);
}

/* The crash came behind the snapshot, and before the anchor was moved. */
static void a_start_trims_to_the_snapshot_that_it_finds(void **state)
{
	uint8_t read[sizeof(snapshot)];

	(void)state;
	given_written_to(2);
	assert_int_equal(snapshot_file_write(&store->directory, snapshot, sizeof(snapshot), error,
				 sizeof(error)),
		SNAPSHOT_FILE_KEPT);
	when_closed();
	when_opened();
	assert_int_equal(store->superblock.anchor_place, 0);
	assert_int_equal(store_read_snapshot(store, read, sizeof(read)), sizeof(snapshot));
	when_closed();
	loaded = next_vote;
	given_started();
	when_trimmed();
	assert_int_equal(store->directory.segments_first, 2);
}

/* V5 */
static void a_journal_without_its_snapshot_says_so_and_wants_one(void **state)
{
	(void)state;
	given_written_to(2);
	assert_true(when_kept());
	when_trimmed();
	when_closed();
	loaded = store->superblock.anchor_applied - 1;
	given_started();
	assert_true(store_attend(store, error, sizeof(error)));
	then_said(
		"/replica-0/snapshot is damaged or not there, and the journal begins behind it: this "
		"replica votes, and executes nothing until it has a snapshot of another.");
	assert_false(store_attend(store, error, sizeof(error)));
	assert_true(store_wants_snapshot(store));
	assert_false(store_wants_snapshot(store));
}

static void a_journal_without_the_segment_where_it_begins_is_refused(void **state)
{
	(void)state;
	given_written_to(2);
	assert_true(when_kept());
	when_trimmed();
	when_closed();
	for (uint32_t i = 2; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "segment-%04u", i);
		assert_int_equal(unlink(path_of(name)), 0);
	}
	assert_false(store_open(store, &config, 0, error, sizeof(error)));
	then_said("/replica-0/segment-0002, where the journal begins, is not there: give it back; "
		  "if it is lost, so are promises, and this member must be replaced.");
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_snapshot_is_wanted_once_each_time_so_many_segments_are_filled),
		T(what_stands_in_front_of_a_kept_snapshot_is_used_anew),
		T(a_snapshot_that_is_not_kept_frees_nothing),
		T(on_a_full_disk_it_is_said_once_and_tried_again_some_seconds_later),
		T(after_another_failure_no_snapshot_is_written_any_more),
		T(the_journal_has_no_more_segments_than_the_bound),
		T(what_is_beyond_the_bound_is_given_back),
		T(what_a_directory_was_formatted_with_stays),
		T(a_start_goes_on_with_free_segments_that_an_earlier_one_left),
		T(a_start_trims_to_the_snapshot_that_it_finds),
		T(a_journal_without_its_snapshot_says_so_and_wants_one),
		T(a_journal_without_the_segment_where_it_begins_is_refused),
	};

	if (!given_memory_and_disk())
		return SKIPPED;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(store);
	return failed;
}
