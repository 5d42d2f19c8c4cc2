/* A journal, what is appended to it, and the roles that it is read into. */
#ifndef TESTS_UNIT_GIVEN_REPLAY_H
#define TESTS_UNIT_GIVEN_REPLAY_H

#include "tests/unit/given_journal.h"

#include "consensus/replay.h"
#include "tests/unit/given_stage.h"

enum {
	SELF = 1,
	LOG_SIZE = 1 << 20,
	SESSIONS_MAX = 4,
	APPLIED_MAX = 4096,
};

#define EARLIER ballot_make(4, 0)
#define LATER ballot_make(5, 2)

static struct acceptor_stage acceptors[2];
static struct learner_stage learner;
static struct session sessions[16];
static _Alignas(64) uint8_t logs[2][LOG_SIZE];
static struct replay replay;
static struct journal_start start;
static enum replay_result result;
static enum superblock_result superblock_state;
static uint64_t applied[APPLIED_MAX];
static uint32_t applied_count;

static inline void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		assert_true(applied_count < APPLIED_MAX);
		applied[applied_count++] = commands[i].sequence;
		results[i] = (struct result){.status = REPLY_OK};
	}
}

static inline int setup_shards(void **state, uint32_t shards)
{
	given_journal(state);
	given_settings();
	settings.self = SELF;
	settings.uuid = superblock.uuid;
	settings.shards = shards;
	settings.durability = DURABILITY_SYNC;
	superblock.shards = shards;
	superblock.mode = DURABILITY_SYNC;
	superblock_state = SUPERBLOCK_OK;
	begin_life(&(struct journal_start){.place = 1, .number = 2, .previous = 1});
	/* The format's write, as the first life found it. */
	when_restarted();
	const struct journal_write w = close_write();

	written(&w);
	return 0;
}

static inline int setup(void **state)
{
	return setup_shards(state, 1);
}

static inline int setup_two_shards(void **state)
{
	return setup_shards(state, 2);
}

static inline void append(uint32_t shard, enum journal_kind kind, uint64_t ballot, uint64_t first)
{
	const struct journal_record r = {
		.kind = (uint8_t)kind,
		.ballot = ballot,
		.first = first,
		.shard = (uint8_t)shard,
	};

	journal_append(&journal, shard, &r, NULL);
}

/* An open command at instance 0, or commands of its session whose sequence is their instance; from
 * `offset` on, so that values differ. */
static inline void append_run(uint32_t shard, enum journal_kind kind, uint64_t ballot,
	uint64_t first, uint16_t count, uint64_t offset)
{
	_Alignas(8) uint8_t entries[BODY_MAX];
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += first + i == 0
			? put_entry(entries, ENTRY_OPEN, 5, 0, 0)
			: put_entry(entries + bytes, ENTRY_COMMAND, 0, first + i + offset, 16);
	const struct journal_record r = {
		.kind = (uint8_t)kind,
		.ballot = ballot,
		.first = first,
		.count = count,
		.bytes = (uint16_t)bytes,
		.checksum = message_crc(entries, bytes),
		.shard = (uint8_t)shard,
	};

	journal_append(&journal, shard, &r, entries);
}

static inline struct journal_write sync_journal(void)
{
	const struct journal_write w = close_write();

	written(&w);
	return w;
}

static inline void when_replayed_from(uint64_t applied_index)
{
	const struct machine machine = {.apply = apply};
	struct acceptor_stage *stages[] = {&acceptors[0], &acceptors[1]};
	const struct journal_found *f;

	sent_count = 0;
	applied_count = 0;
	learner_stage_init(&learner, &settings, &outlet, &machine, sessions, SESSIONS_MAX, NULL,
		NULL);
	for (uint32_t i = 0; i < settings.shards; i++)
		acceptor_stage_init(&acceptors[i], &settings, i, &outlet, logs[i], LOG_SIZE);
	learner.learner.delivered = applied_index;
	replay_init(&replay, &settings, stages, &learner, &superblock, superblock_state,
		applied_index);
	journal_reader_init(&reader, &superblock);
	for (uint64_t place = superblock.anchor_place; place < IMAGE_BLOCKS; place++) {
		journal_reader_block(&reader, place, image_block(place));
		while ((f = journal_reader_take(&reader)) != NULL)
			replay_write(&replay, f);
	}
	journal_reader_end(&reader, &end);
	result = replay_end(&replay, &end, &start);
	assert_int_equal(sent_count, 0);
}

static inline void when_replayed(void)
{
	when_replayed_from(0);
}

static inline void then_voted(uint64_t first, uint64_t ballot)
{
	const struct vote *v = acceptor_vote(&acceptors[0].acceptor, first);

	assert_non_null(v);
	assert_int_equal(v->state, VOTE_CAST);
	assert_int_equal(v->ballot, ballot);
}

static inline void then_disk_holds(uint64_t position, uint64_t promised)
{
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(replay.past.disk.position, position);
	assert_int_equal(replay.past.disk.promised, promised);
}

#endif
