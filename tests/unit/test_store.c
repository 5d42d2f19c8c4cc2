/* A journal on its disk: whose it is, what is written when, what is durable, and what ends it. */
#include "tests/unit/given_store.h"

static void the_first_write_of_a_life_goes_out_by_itself(void **state)
{
	(void)state;
	when_written();
	assert_int_equal(store->stage.counters.writes, 1);
	assert_int_equal(disk_in_flight(&store->disk), 0);
}

static void each_lane_hears_of_its_own_records(void **state)
{
	(void)state;
	when_appended(0, JOURNAL_VOTE, 10, 64);
	when_appended(1, JOURNAL_VOTE, 300, 64);
	when_appended(1, JOURNAL_VOTE, 301, 64);
	when_written();
	when_written();
	assert_int_equal(durable_of(0), 1);
	assert_int_equal(durable_of(1), 2);
	assert_false(was_said(MESSAGE_PINNED));
	when_appended(JOURNAL_LANE_LEADER, JOURNAL_PIN, 1, 0);
	when_written();
	assert_int_equal(then_told(MESSAGE_PINNED, 0)->first, 1);
}

static void what_was_said_to_be_durable_reads_back_in_order(void **state)
{
	struct journal_end end;

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		when_appended(0, JOURNAL_VOTE, 1000 + i, (uint16_t)(i < 2 ? 0 : 8 * i));
		if (i % 7 == 0)
			when_written();
	}
	when_written();
	when_written();
	assert_int_equal(durable_of(0), 100);
	end = when_read_back();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(found_count, 100);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(found_firsts[i], 1000 + i);
}

static void a_stage_of_the_same_lcore_appends_to_the_write_being_filled(void **state)
{
	const struct journal_port port = store_port(store, 0, true);

	(void)state;
	when_written();
	assert_int_equal(append_to(&port, 0, JOURNAL_VOTE, 10, 64), 1);
	assert_int_equal(store->stage.counters.records, 1);
	when_written();
	when_written();
	assert_int_equal(durable_of(0), 1);
}

/* Else what is appended when the write has room again stands in front of what waits. */
static void what_does_not_fit_the_write_waits_in_the_lane_and_keeps_its_place(void **state)
{
	const struct journal_port port = store_port(store, 0, true);
	const uint64_t fill = 300, all = 400;
	bool waited = false;

	(void)state;
	when_written();
	for (uint64_t i = 0; i < all; i++) {
		assert_int_equal(append_to(&port, 0, JOURNAL_VOTE, 1000 + i,
					 i % 3 == 0 ? 64 : 1400),
			1 + i);
		waited |= !rte_ring_empty(store->lanes[0].lane.ring.ring);
		if (i >= fill)
			journal_poll(store, now_ns);
	}
	assert_true(waited);
	while (durable_of(0) < all)
		journal_poll(store, now_ns);
	when_read_back();
	assert_int_equal(found_count, all);
	for (uint64_t i = 0; i < all; i++)
		assert_int_equal(found_firsts[i], 1000 + i);
}

static void nothing_is_durable_before_its_write_has_ended(void **state)
{
	(void)state;
	when_written();
	said_count = 0;
	result = DISK_HELD;
	when_appended(0, JOURNAL_VOTE, 10, 64);
	for (uint32_t i = 0; i < 1000; i++)
		journal_poll(store, now_ns);
	assert_int_equal(said_count, 0);
	assert_int_equal(store->outstanding, 1);
	result = MIND_NOTHING;
	when_written();
	assert_int_equal(durable_of(0), 1);
	assert_int_equal(store->outstanding, 0);
}

/* Group commit. */
static void what_comes_while_a_write_is_in_flight_becomes_one_write(void **state)
{
	(void)state;
	when_written();
	result = DISK_HELD;
	when_appended(0, JOURNAL_VOTE, 10, 64);
	journal_poll(store, now_ns);
	for (uint64_t i = 0; i < 20; i++) {
		when_appended(0, JOURNAL_VOTE, 11 + i, 64);
		journal_poll(store, now_ns);
	}
	assert_int_equal(disk_in_flight(&store->disk), 1);
	result = MIND_NOTHING;
	while (durable_of(0) < 21)
		journal_poll(store, now_ns);
	assert_int_equal(store->stage.counters.writes, 3);
	assert_int_equal(store->stage.counters.records, 21);
}

static void a_large_write_is_begun_beside_one_in_flight_up_to_the_depth(void **state)
{
	uint64_t i = 0;

	(void)state;
	when_written();
	result = DISK_HELD;
	while (i < 400) {
		when_appended(0, JOURNAL_VOTE, i++, 1400);
		journal_poll(store, now_ns);
	}
	assert_int_equal(disk_in_flight(&store->disk), config.journal.depth);
	result = MIND_NOTHING;
	while (durable_of(0) < i)
		journal_poll(store, now_ns);
}

static void a_promise_waits_for_its_superblock(void **state)
{
	(void)state;
	when_written();
	held = store->disk.begun + 1; /* The superblock: it goes out behind its write. */
	when_appended(0, JOURNAL_PROMISE, 70001, 0);
	for (uint32_t i = 0; i < 1000 || disk_in_flight(&store->disk) > 1; i++)
		journal_poll(store, now_ns);
	assert_int_equal(store->stage.counters.superblocks, 1);
	assert_int_equal(durable_of(0), 0);
	held = UINT64_MAX;
	when_written();
	assert_int_equal(durable_of(0), 1);
	when_read_back();
	assert_int_equal(store->superblock.promised[0], 70001);
}

static void notes_wait_for_some_milliseconds(void **state)
{
	(void)state;
	when_written();
	when_appended(0, JOURNAL_DELIVERED, 256, 0);
	for (uint32_t i = 0; i < 100; i++)
		when_written();
	assert_int_equal(store->stage.counters.writes, 1);
	now_ns += LONG_NS;
	when_written();
	assert_int_equal(store->stage.counters.writes, 2);
}

/* scenarios.md, storage: write error: stops voting at once, never counted as durable, no retry. */
static void a_failed_write_is_told_once_and_nothing_is_written_after_it(void **state)
{
	uint64_t begun;

	(void)state;
	when_written();
	said_count = 0;
	result = -EIO;
	when_appended(0, JOURNAL_VOTE, 10, 64);
	when_written();
	assert_true(store->stage.failed);
	assert_int_equal(said_count, 1);
	assert_int_equal(said[0].type, MESSAGE_DISK_FAILED);
	begun = store->disk.begun;
	result = MIND_NOTHING;
	when_appended(0, JOURNAL_VOTE, 11, 64);
	for (uint32_t i = 0; i < 100; i++)
		journal_poll(store, now_ns += LONG_NS);
	assert_int_equal(store->disk.begun, begun);
	assert_int_equal(said_count, 1);
}

static void given_all_segments_full(void)
{
	uint64_t last;

	do {
		last = store->stage.counters.writes;
		when_appended(0, JOURNAL_VOTE, last, 1400);
		when_written();
	} while (store->stage.counters.writes != last && !store->stage.failed);
}

static void segments_are_added_ahead_of_need(void **state)
{
	(void)state;
	assert_int_equal(disk_segments(&store->disk), 3);
	assert_false(store_attend(store, error, sizeof(error)));
	assert_int_equal(disk_segments(&store->disk), 3);
	while (store->stage.journal.place < SEGMENT_BLOCKS) {
		when_appended(0, JOURNAL_VOTE, store->stage.journal.place, 1400);
		when_written();
	}
	assert_false(store_attend(store, error, sizeof(error)));
	assert_int_equal(disk_segments(&store->disk), 4);
}

/* scenarios.md, storage: disk full: steps down. */
static void it_fails_when_there_is_no_room_for_more_segments(void **state)
{
	(void)state;
	given_all_segments_full();
	/* Another may still come. */
	assert_false(store->stage.failed);
	store->exhausted = true;
	for (uint32_t i = 0; i < 10; i++)
		journal_poll(store, now_ns);
	assert_true(store->stage.failed);
	assert_true(was_said(MESSAGE_DISK_FAILED));
}

static void it_goes_on_when_a_segment_was_added(void **state)
{
	uint64_t writes;

	(void)state;
	given_all_segments_full();
	writes = store->stage.counters.writes;
	assert_false(store_attend(store, error, sizeof(error)));
	while (store->stage.counters.writes == writes)
		journal_poll(store, now_ns);
}

static void each_start_is_a_life_of_its_own(void **state)
{
	uint32_t life = store->superblock.life;
	struct superblock s;

	(void)state;
	assert_int_equal(life, 1);
	/* Durable already, before anything was polled. */
	assert_true(directory_read_superblocks(&store->directory, back, error, sizeof(error)));
	assert_int_equal(superblock_read(back, &s), SUPERBLOCK_OK);
	assert_int_equal(s.life, 1);
	assert_int_equal(s.clean, 0);
	when_closed();
	given_started();
	assert_int_equal(store->superblock.life, 2);
}

static void an_orderly_end_is_noted_and_writes_what_was_appended(void **state)
{
	(void)state;
	when_appended(0, JOURNAL_DELIVERED, 256, 0);
	when_appended(1, JOURNAL_VOTE, 300, 64);
	when_read_back();
	assert_int_equal(store->superblock.clean, 1);
	assert_int_equal(found_count, 2);
}

static void an_end_after_a_failure_is_none_in_order(void **state)
{
	(void)state;
	result = -EIO;
	when_written();
	assert_true(store->stage.failed);
	when_read_back();
	assert_int_equal(store->superblock.clean, 0);
}

static void refused(const char *sentence)
{
	when_closed();
	assert_false(store_open(store, &config, 0, error, sizeof(error)));
	if (strstr(error, sentence) == NULL)
		fail_msg("%s", error);
}

/* scenarios.md, process: a foreign disk never votes, and says what to do. */
static void another_clusters_directory_is_refused(void **state)
{
	(void)state;
	config.cluster_id = 8;
	refused("/replica-0: the journal is of another cluster: give this member its own directory.");
}

static void another_replicas_directory_is_refused(void **state)
{
	char other[2 * DIRECTORY_PATH_MAX];

	(void)state;
	when_closed();
	snprintf(other, sizeof(other), "%s/replica-1", config.journal.directory);
	assert_int_equal(rename(path_of(""), other), 0);
	assert_false(store_open(store, &config, 1, error, sizeof(error)));
	assert_non_null(strstr(error,
		"/replica-1: the journal is of another member of the cluster: give this one its own directory."));
	assert_int_equal(rename(other, path_of("")), 0);
}

static void another_number_of_shards_is_refused(void **state)
{
	(void)state;
	config.shards = 1;
	refused("/replica-0: the journal was made with other shards or another block: give the configuration that it was made with.");
}

static void another_configuration_is_refused(void **state)
{
	(void)state;
	config.sessions_max = 77;
	refused("/replica-0: the journal was made with other members, quorums or durability: give the configuration that it was made with.");
}

static void damage(uint32_t slots)
{
	FILE *f = fopen(path_of("superblock"), "r+");

	assert_non_null(f);
	for (uint32_t i = 0; i < slots; i++) {
		fseek(f, (long)i * JOURNAL_BLOCK_BYTES + 100, SEEK_SET);
		fputc(0xee, f);
	}
	fclose(f);
}

static void a_damaged_superblock_is_refused(void **state)
{
	(void)state;
	when_closed();
	damage(2);
	assert_false(store_open(store, &config, 0, error, sizeof(error)));
	opened = false;
	assert_non_null(strstr(error,
		"/superblock is damaged or none of ours: this member has lost "
		"its promises and must be replaced."));
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_first_write_of_a_life_goes_out_by_itself),
		T(each_lane_hears_of_its_own_records),
		T(what_was_said_to_be_durable_reads_back_in_order),
		T(a_stage_of_the_same_lcore_appends_to_the_write_being_filled),
		T(what_does_not_fit_the_write_waits_in_the_lane_and_keeps_its_place),
		T(nothing_is_durable_before_its_write_has_ended),
		T(what_comes_while_a_write_is_in_flight_becomes_one_write),
		T(a_large_write_is_begun_beside_one_in_flight_up_to_the_depth),
		T(a_promise_waits_for_its_superblock),
		T(notes_wait_for_some_milliseconds),
		T(a_failed_write_is_told_once_and_nothing_is_written_after_it),
		T(segments_are_added_ahead_of_need),
		T(it_fails_when_there_is_no_room_for_more_segments),
		T(it_goes_on_when_a_segment_was_added),
		T(each_start_is_a_life_of_its_own),
		T(an_orderly_end_is_noted_and_writes_what_was_appended),
		T(an_end_after_a_failure_is_none_in_order),
		T(another_clusters_directory_is_refused),
		T(another_replicas_directory_is_refused),
		T(another_number_of_shards_is_refused),
		T(another_configuration_is_refused),
		T(a_damaged_superblock_is_refused),
	};

	if (!given_memory_and_disk())
		return SKIPPED;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(store);
	return failed;
}
