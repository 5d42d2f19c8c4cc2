/* A journal on its disk: whose it is, what is written when, what is durable, and what ends it. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/given_directory.h"
#include "tests/unit/given_dpdk.h"

#include "consensus/message.h"
#include "dataplane/format.h"
#include "dataplane/snapshot_file.h"
#include "dataplane/store.h"

enum {
	SAID_MAX = 4096,
	FOUND_MAX = 8192,
	MIND_NOTHING = INT32_MAX,
	LONG_NS = 1000000000,
};

static struct store *store;
static struct replica_settings settings;
static bool opened;
static struct message said[SAID_MAX]; /* To the other stages. */
static uint32_t said_count;
static int32_t result = MIND_NOTHING; /* What the kernel is made to say. */
static uint64_t held = UINT64_MAX;    /* A write that does not end. */
static uint64_t now_ns;

static void hear(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	(void)context;
	(void)parts;
	assert_true(to->local);
	assert_int_equal(parts_count, 0);
	assert_true(said_count < SAID_MAX);
	said[said_count++] = *m;
}

static struct outlet outlet = {.send = hear};

static int32_t fault(void *context, uint64_t write, int32_t given)
{
	(void)context;
	if (write == held)
		return DISK_HELD;
	return result == MIND_NOTHING ? given : result;
}

static const struct disk_faults faults = {.result = fault};

static uint64_t found_firsts[FOUND_MAX];
static uint32_t found_count;
static struct journal_segments segments;

static void found(void *context, const struct journal_found *write)
{
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
	const struct journal_record *r;
	uint64_t reach = 0;

	(void)context;
	while ((r = journal_record_next(write->payload, write->bytes, &offset)) != NULL) {
		assert_true(found_count < FOUND_MAX);
		found_firsts[found_count++] = r->first;
		reach = r->count > 0 ? r->first + r->count : reach;
	}
	journal_segments_add(&segments, write->place_after - 1, write->number, write->chain, reach);
}

/* As a start does: what was written is read. */
static struct journal_end when_opened(void)
{
	struct journal_end end;

	if (!store_open(store, &config, 0, error, sizeof(error)))
		fail_msg("%s", error);
	opened = true;
	found_count = 0;
	journal_segments_init(&segments, &store->superblock);
	if (!store_read(store, found, NULL, &end, error, sizeof(error)))
		fail_msg("%s", error);
	return end;
}

static void when_closed(void)
{
	store_close(store);
	opened = false;
}

static uint64_t loaded = UINT64_MAX; /* The instance of the snapshot that is found; all of it. */

static void given_started(void)
{
	const struct journal_end end = when_opened();

	store_loaded(store, loaded == UINT64_MAX ? store->superblock.anchor_applied : loaded);
	const struct journal_start start = {
		.place = end.place,
		.number = end.number,
		.previous = end.previous,
		.chain = end.chain,
		.segments = &segments,
	};
	struct superblock life = store->superblock;

	life.life++;
	life.clean = 0;
	settings.shards = config.shards;
	if (!store_start(store, &config, &settings, &outlet, &life, &start, error, sizeof(error)))
		fail_msg("%s", error);
	store->disk.faults = &faults;
}

static uint64_t next_vote;

static int setup(void **state)
{
	(void)state;
	given_folder(".", false);
	config.durability = DURABILITY_SYNC;
	config.cluster_id = 7;
	config.shards = 2;
	config.mtu = 1500;
	config.journal.segments = 3;
	config.journal.snapshot_segments = 2;
	said_count = 0;
	result = MIND_NOTHING;
	held = UINT64_MAX;
	now_ns = 1;
	next_vote = BLOCK;
	loaded = UINT64_MAX;
	if (!format_replica(&config, 0, error, sizeof(error)))
		fail_msg("%s", error);
	given_started();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	result = MIND_NOTHING; /* Closing waits for what is in flight. */
	held = UINT64_MAX;
	if (opened)
		store_close(store);
	opened = false;
	remove_folder();
	return 0;
}

/* A run of one command with `bytes` of entry, 0: a no-op; or a note of another kind. */
static uint64_t append_to(const struct journal_port *port, uint32_t lane, enum journal_kind kind,
	uint64_t at, uint16_t bytes)
{
	static _Alignas(8) uint8_t entries[JOURNAL_RECORD_BODY_MAX];
	struct journal_record record = {
		.kind = (uint8_t)kind,
		.shard = (uint8_t)(lane == JOURNAL_LANE_LEADER ? 0 : lane),
		.ballot = at,
		.first = at,
		.count = kind == JOURNAL_VOTE,
		.flags = (uint8_t)(kind == JOURNAL_VOTE && bytes == 0 ? FLAG_NOOP : 0),
		.bytes = bytes,
	};

	if (bytes > 0) {
		const struct entry entry = {
			.session = 1,
			.sequence_length = entry_pack(ENTRY_COMMAND, 1, bytes - ENTRY_BYTES),
		};

		memcpy(entries, &entry, sizeof(entry));
		record.checksum = message_crc(entries, bytes);
	}
	assert_true(port->room(port->context, bytes));
	return port->append(port->context, &record, entries);
}

static void when_appended(uint32_t lane, enum journal_kind kind, uint64_t at, uint16_t bytes)
{
	const struct journal_port port = store_port(store, lane, false);

	append_to(&port, lane, kind, at, bytes);
}

/* Until nothing is in flight. */
static void when_written(void)
{
	do {
		journal_poll(store, now_ns);
	} while (disk_in_flight(&store->disk) > 0 && !store->stage.failed);
}

/* The last of that type, to that shard. */
static const struct message *then_told(enum message_type type, uint32_t shard)
{
	for (uint32_t i = said_count; i > 0; i--)
		if (said[i - 1].type == type && said[i - 1].shard == shard)
			return &said[i - 1];
	fail_msg("type %d was not said to shard %u", type, shard);
	return NULL;
}

/* The last position that a shard's acceptor heard of; 0: none. */
static uint64_t durable_of(uint32_t shard)
{
	for (uint32_t i = said_count; i > 0; i--)
		if (said[i - 1].type == MESSAGE_DURABLE && said[i - 1].shard == shard)
			return said[i - 1].first;
	return 0;
}

static bool was_said(enum message_type type)
{
	for (uint32_t i = 0; i < said_count; i++)
		if (said[i].type == type)
			return true;
	return false;
}

/* What a next start would read. */
static struct journal_end when_read_back(void)
{
	when_closed();
	return when_opened();
}

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
		T(each_start_is_a_life_of_its_own),
		T(an_orderly_end_is_noted_and_writes_what_was_appended),
		T(an_end_after_a_failure_is_none_in_order),
		T(another_clusters_directory_is_refused),
		T(another_replicas_directory_is_refused),
		T(another_number_of_shards_is_refused),
		T(another_configuration_is_refused),
		T(a_damaged_superblock_is_refused),
	};

	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return SKIPPED;
	}
	if (!given_dpdk("store"))
		return SKIPPED;
	store = calloc(1, sizeof(*store));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(store);
	return failed;
}
