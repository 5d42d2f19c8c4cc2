/*
 * given_learner.h - the learner's stage of member 1 with a machine that records, for the tests of
 * consensus/replica_learner.h.
 */
#ifndef TESTS_UNIT_GIVEN_LEARNER_H
#define TESTS_UNIT_GIVEN_LEARNER_H

#include "consensus/replica_learner.h"
#include "tests/unit/given_stage.h"

enum {
	SELF = 1,
	SESSIONS_MAX = 4,
	SLOTS = 16,
	FRAMES = 1024,
	FRAME_BODY = 2048,
	COMMANDS_MAX = 8192,
	TELL = 10000, /* The other stages hear the delivered index no more often. */
};

/* Ballots of the leaders: ourselves, and member 2 after us. */
#define OURS ballot_make(3, SELF)
#define THEIRS ballot_make(4, 2)

struct test_frame {
	bool released;
	_Alignas(8) uint8_t body[FRAME_BODY];
};

static struct learner_stage stage;
static struct session slots[SLOTS];
static struct command applied[COMMANDS_MAX];
static uint32_t applied_count;
static struct test_frame frames[FRAMES];
static uint32_t frame_next;
static uint32_t frame_count, frame_bytes; /* Of the frame in the making. */
static const uint8_t *answer_value;
static uint32_t answer_length;
static uint64_t now;

/* Answers each command with ten times its instance. */
static inline void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		assert_true(applied_count < COMMANDS_MAX);
		applied[applied_count++] = commands[i];
		results[i] = (struct result){
			.status = REPLY_OK,
			.result = 10 * commands[i].instance,
			.value = answer_value,
			.length = answer_length,
		};
	}
}

/* Answers each read with how far the stage is. */
static inline void query(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++)
		results[i] = (struct result){
			.status = REPLY_NOT_FOUND,
			.result = commands[i].instance,
		};
}

static inline void release(void *context, void *frame)
{
	struct test_frame *f = frame;

	(void)context;
	assert_false(f->released);
	f->released = true;
}

static inline int setup(void **state)
{
	const struct machine machine = {.apply = apply, .query = query};

	(void)state;
	given_settings();
	settings.self = SELF;
	learner_stage_init(&stage, &settings, &outlet, &machine, slots, SESSIONS_MAX, release,
		NULL);
	applied_count = 0;
	frame_next = 0;
	frame_count = 0;
	frame_bytes = 0;
	answer_value = NULL;
	answer_length = 0;
	now = 100000;
	return 0;
}

static inline void flush(void)
{
	learner_stage_flush(&stage, now);
}

static inline void tick(void)
{
	learner_stage_on_tick(&stage, now);
}

static inline void with_entry(enum entry_kind kind, uint64_t session, uint64_t sequence)
{
	frame_bytes += put_entry(frames[frame_next].body + frame_bytes, kind, session, sequence,
		kind == ENTRY_COMMAND ? 8 : 0);
	frame_count++;
}

static inline void with_command(uint64_t session, uint64_t sequence)
{
	with_entry(ENTRY_COMMAND, session, sequence);
}

/* An acceptor of ours has this run, in the frame in the making. True: the frame is retained. */
static inline bool hear_run(uint64_t ballot, uint64_t first, uint8_t flags, uint8_t sender)
{
	struct test_frame *f = &frames[frame_next++ % FRAMES];
	const struct message m = {
		.type = MESSAGE_VOTED,
		.flags = flags,
		.ballot = ballot,
		.first = first,
		.count = (uint16_t)frame_count,
		.payload_len = (uint16_t)frame_bytes,
		.sender = sender,
	};

	f->released = false;
	frame_count = 0;
	frame_bytes = 0;
	frame_next %= FRAMES;
	return learner_stage_on_message(&stage, &m, f->body, f, now);
}

static inline bool hear_voted(uint64_t ballot, uint64_t first)
{
	return hear_run(ballot, first, 0, (uint8_t)ballot_node(ballot));
}

static inline void hear_noops(uint64_t ballot, uint64_t first, uint32_t count)
{
	frame_count = count;
	hear_run(ballot, first, FLAG_NOOP, (uint8_t)ballot_node(ballot));
}

static inline void hear_watermark(uint64_t ballot, uint64_t watermark, uint64_t known)
{
	const struct message m = {
		.type = MESSAGE_WATERMARK,
		.ballot = ballot,
		.watermark = watermark,
		.first = known,
		.sender = ballot == 0 ? 2 : (uint8_t)ballot_node(ballot),
	};

	learner_stage_on_message(&stage, &m, NULL, NULL, now);
}

/* The run in the making is voted for and chosen at this ballot, and delivered. */
static inline void when_chosen_at(uint64_t ballot)
{
	uint64_t first = stage.learner.delivered;
	uint64_t end = first + frame_count;

	hear_voted(ballot, first);
	hear_watermark(ballot, end, end);
	flush();
	assert_int_equal(stage.learner.delivered, end);
}

static inline void when_chosen(void)
{
	when_chosen_at(OURS);
}

/* No-ops are delivered up to there. */
static inline void given_delivered(uint64_t end)
{
	while (stage.learner.delivered < end) {
		uint64_t first = stage.learner.delivered;
		uint64_t block = (first / BLOCK + 1) * BLOCK;
		uint64_t to = end < block ? end : block;

		hear_noops(OURS, first, (uint32_t)(to - first));
		hear_watermark(OURS, to, to);
		flush();
	}
	assert_int_equal(stage.learner.delivered, end);
}

#endif
