/* A learner with a machine that counts, its images, and those of another member. */
#ifndef TESTS_UNIT_GIVEN_SNAPSHOTS_H
#define TESTS_UNIT_GIVEN_SNAPSHOTS_H

#include "tests/unit/given_learner.h"

enum {
	IMAGE_BYTES = 1 << 16,
	SESSIONS_MANY = 256,
	OTHER = 2, /* The member that serves us. */
};

static _Alignas(8) uint8_t image[IMAGE_BYTES];
static _Alignas(8) uint8_t theirs[IMAGE_BYTES]; /* What another member offers, */
static uint64_t theirs_bytes;

/* A machine of some numbers, that one command after the other adds to. */
enum {
	NUMBERS = 200
};

static uint64_t numbers[NUMBERS];
static bool saved[NUMBERS];
static uint32_t scanned;
static struct snapshot *saved_to;
static bool restoring; /* From the first clear on, until it was told that all is there. */

static inline void save(uint32_t i)
{
	const uint64_t entry[] = {i, numbers[i]};

	if (saved_to == NULL || saved[i])
		return;
	saved[i] = true;
	memcpy(snapshot_add(saved_to, SNAPSHOT_ENTRY, sizeof(entry)), entry, sizeof(entry));
}

static inline void add(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (uint32_t)(commands[i].instance % NUMBERS);

		save(at);
		numbers[at] += commands[i].instance;
		results[i] = (struct result){.status = REPLY_OK, .result = numbers[at]};
	}
	apply(NULL, commands, count, results);
}

static inline uint64_t numbers_bytes(const void *state)
{
	(void)state;
	return NUMBERS * snapshot_record_bytes(2 * sizeof(uint64_t));
}

static inline uint64_t numbers_count(const void *state)
{
	(void)state;
	return NUMBERS;
}

static inline void numbers_begin(void *state, struct snapshot *to)
{
	(void)state;
	saved_to = to;
	scanned = 0;
	memset(saved, 0, sizeof(saved));
}

static inline bool numbers_step(void *state)
{
	(void)state;
	for (uint32_t i = 0; i < 10 && scanned < NUMBERS; i++)
		save(scanned++);
	if (scanned == NUMBERS)
		saved_to = NULL;
	return scanned < NUMBERS;
}

static inline bool numbers_valid(const void *state, const uint8_t *entry, uint32_t length,
	uint64_t instance)
{
	(void)state;
	(void)instance;
	return length == 16 && *(const uint64_t *)(const void *)entry < NUMBERS;
}

static inline bool numbers_clear(void *state)
{
	(void)state;
	memset(numbers, 0, sizeof(numbers));
	restoring = true;
	return false;
}

static inline void numbers_restore(void *state, const uint8_t *entry, uint32_t length)
{
	const uint64_t *e = (const uint64_t *)(const void *)entry;

	(void)state;
	(void)length;
	numbers[e[0]] = e[1];
}

static inline void numbers_restored(void *state)
{
	(void)state;
	restoring = false;
}

static const struct machine_snapshot machine_snapshot = {
	.bytes = numbers_bytes,
	.count_max = numbers_count,
	.count = numbers_count,
	.begin = numbers_begin,
	.step = numbers_step,
	.valid = numbers_valid,
	.clear = numbers_clear,
	.restore = numbers_restore,
	.restored = numbers_restored,
};

static inline void given_stage_of(enum durability durability)
{
	const struct machine machine = {.apply = add,
		.query = query,
		.snapshot = &machine_snapshot};

	setup(NULL);
	settings.durability = durability;
	settings.config_hash = 99;
	learner_stage_init(&stage, &settings, &outlet, &machine, slots, SESSIONS_MAX, release,
		NULL);
	learner_stage_give_image(&stage, image, sizeof(image));
	for (uint32_t i = 0; i < NUMBERS; i++)
		numbers[i] = i;
	saved_to = NULL;
	restoring = false;
}

static inline int given_machine(void **state)
{
	(void)state;
	given_stage_of(DURABILITY_NONE);
	return 0;
}

/* `count` commands of the open session 0 are chosen, one after the other. */
static uint64_t sequence;

static inline void when_open(void)
{
	sequence = 0;
	with_entry(ENTRY_OPEN, 0, 0);
	when_chosen();
}

static inline void when_commands(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		with_command(0, sequence++);
		when_chosen();
	}
}

static inline void hear(enum message_type type, uint8_t sender, uint64_t first, uint64_t watermark,
	uint64_t ballot, const uint8_t *body, uint32_t bytes)
{
	const struct message m = {
		.type = (uint8_t)type,
		.sender = sender,
		.first = first,
		.watermark = watermark,
		.ballot = ballot,
		.payload_len = (uint16_t)bytes,
	};

	learner_stage_on_message(&stage, &m, body, NULL, now);
}

static inline void hear_ask(uint64_t first, uint64_t watermark, uint64_t mask)
{
	sent_count = 0;
	hear(MESSAGE_SNAPSHOT_ASKED, OTHER, first, watermark, mask, NULL, 0);
}

static inline void when_whole(void)
{
	for (uint32_t i = 0; i < 1000 && stage.snapshots.state != SNAPSHOT_WHOLE; i++)
		flush();
	assert_int_equal(stage.snapshots.state, SNAPSHOT_WHOLE);
}

static inline void given_image_of(uint32_t commands)
{
	when_open();
	when_commands(commands);
	learner_stage_want_snapshot(&stage);
	tick();
	when_whole();
}

/* Another member's image: of `commands` commands, made by a stage that is thrown away. */
static uint64_t their_numbers[NUMBERS];
static uint64_t their_digest, their_instance;

static inline void given_theirs(uint32_t commands, enum durability durability)
{
	given_stage_of(DURABILITY_NONE);
	given_image_of(commands);
	theirs_bytes = stage.snapshots.image.used;
	memcpy(theirs, image, theirs_bytes);
	memcpy(their_numbers, numbers, sizeof(numbers));
	their_digest = stage.digest;
	their_instance = stage.learner.delivered;
	given_stage_of(durability);
	memset(image, 0, sizeof(image));
}

static inline void hear_gone(uint8_t member, uint64_t tail)
{
	hear(MESSAGE_GONE, member, stage.learner.delivered, tail, 0, NULL, 0);
}

/* Both others say that what comes next is gone. */
static inline void when_beyond(void)
{
	hear_watermark(THEIRS, 0, their_instance);
	hear_gone(0, 10);
	hear_gone(OTHER, 10);
	assert_true(stage.beyond);
	now += RETRANSMIT;
	sent_count = 0;
	tick();
}

static inline uint32_t chunk_bytes(void)
{
	return snapshot_chunk_bytes(&settings);
}

static inline void hear_chunk(uint8_t sender, uint64_t number)
{
	uint64_t at = number * chunk_bytes();
	uint64_t rest = theirs_bytes - at;

	hear(MESSAGE_SNAPSHOT_PART, sender, their_instance, number, theirs_bytes, theirs + at,
		(uint32_t)(rest < chunk_bytes() ? rest : chunk_bytes()));
}

static inline uint64_t chunks(void)
{
	return (theirs_bytes + chunk_bytes() - 1) / chunk_bytes();
}

static inline uint8_t asked_member(void)
{
	const struct sent *s = sent_nth(MESSAGE_SNAPSHOT_ASK, 0);

	assert_non_null(s);
	return (uint8_t)__builtin_ctz(s->to.members);
}

static inline void when_received(void)
{
	uint8_t source = asked_member();

	for (uint64_t i = 0; i < chunks(); i++)
		hear_chunk(source, i);
}

static inline void then_installed(void)
{
	assert_int_equal(stage.learner.delivered, their_instance);
	assert_int_equal(stage.digest, their_digest);
	assert_memory_equal(numbers, their_numbers, sizeof(numbers));
	assert_false(restoring);
	assert_false(stage.beyond);
	assert_non_null(session_find(&stage.sessions, 0));
	assert_int_equal(stage.snapshots.counters.installed, 1);
	assert_int_equal(stage.snapshots.counters.restored, 0);
}

#endif
