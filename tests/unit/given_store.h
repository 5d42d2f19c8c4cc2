/* A journal on a disk, what is appended to it, and what it told. */
#ifndef TESTS_UNIT_GIVEN_STORE_H
#define TESTS_UNIT_GIVEN_STORE_H

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

static inline void hear(void *context, const struct target *to, const struct message *m,
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

static inline int32_t fault(void *context, uint64_t write, int32_t given)
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

static inline void found(void *context, const struct journal_found *write)
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
static inline struct journal_end when_opened(void)
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

static inline void when_closed(void)
{
	store_close(store);
	opened = false;
}

static uint64_t loaded = UINT64_MAX; /* The instance of the snapshot that is found; all of it. */

static inline void given_started(void)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
static inline uint64_t append_to(const struct journal_port *port, uint32_t lane,
	enum journal_kind kind, uint64_t at, uint16_t bytes)
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

static inline void when_appended(uint32_t lane, enum journal_kind kind, uint64_t at, uint16_t bytes)
{
	const struct journal_port port = store_port(store, lane, false);

	append_to(&port, lane, kind, at, bytes);
}

/* Until nothing is in flight. */
static inline void when_written(void)
{
	do {
		journal_poll(store, now_ns);
	} while (disk_in_flight(&store->disk) > 0 && !store->stage.failed);
}

/* The last of that type, to that shard. */
static inline const struct message *then_told(enum message_type type, uint32_t shard)
{
	for (uint32_t i = said_count; i > 0; i--)
		if (said[i - 1].type == type && said[i - 1].shard == shard)
			return &said[i - 1];
	fail_msg("type %d was not said to shard %u", type, shard);
	return NULL;
}

/* The last position that a shard's acceptor heard of; 0: none. */
static inline uint64_t durable_of(uint32_t shard)
{
	for (uint32_t i = said_count; i > 0; i--)
		if (said[i - 1].type == MESSAGE_DURABLE && said[i - 1].shard == shard)
			return said[i - 1].first;
	return 0;
}

static inline bool was_said(enum message_type type)
{
	for (uint32_t i = 0; i < said_count; i++)
		if (said[i].type == type)
			return true;
	return false;
}

/* For a whole program of tests. False: the reason to skip was printed. */
static inline bool given_memory_and_disk(void)
{
	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return false;
	}
	if (!given_dpdk("store"))
		return false;
	store = calloc(1, sizeof(*store));
	return store != NULL;
}

/* What a next start would read. */
static inline struct journal_end when_read_back(void)
{
	when_closed();
	return when_opened();
}

#endif
