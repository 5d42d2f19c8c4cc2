/* An image of a replica's state: written, checked, read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/limits.h"
#include "consensus/machine.h"
#include "consensus/message.h"
#include "consensus/snapshot.h"

enum {
	SESSIONS_MAX = 4,
	ENTRIES_MAX = 30,
	ENTRY_MAX = 5000,
	INSTANCE = 1000,
	CONFIG = 77,
	ROOM = 1 << 18,
};

static _Alignas(8) uint8_t room[ROOM];
static struct snapshot image;

/* ---- A machine, of which only the sizes count here ---- */

static uint64_t count_max(const void *state)
{
	(void)state;
	return ENTRIES_MAX;
}

/* The first byte is the length's. */
static bool valid(const void *state, const uint8_t *entry, uint32_t length, uint64_t instance)
{
	(void)state;
	return length >= 1 && length <= ENTRY_MAX && entry[0] == length % 256 &&
		instance == INSTANCE;
}

static const struct machine_snapshot machine_snapshot = {.count_max = count_max, .valid = valid};
static const struct machine machine = {.snapshot = &machine_snapshot};
static const struct machine stateless;

static struct snapshot_rules rules;

/* ---- Given, when, then ---- */

static struct snapshot_session session(uint64_t id)
{
	return (struct snapshot_session){
		.id = id,
		.base = 5,
		.last = id + 3,
		.done = 9,
		.replies = {1, 2, 3, id},
	};
}

static void add_session(const struct snapshot_session *s)
{
	memcpy(snapshot_add(&image, SNAPSHOT_SESSION, sizeof(*s)), s, sizeof(*s));
}

static void add_entry(uint32_t length)
{
	memset(snapshot_add(&image, SNAPSHOT_ENTRY, length), (int)(length % 256), length);
}

static void given_begun(uint32_t sessions, uint64_t entries)
{
	const struct snapshot_header header = {
		.sessions = sessions,
		.entries = entries,
		.config_hash = CONFIG,
		.instance = INSTANCE,
		.digest = 99,
	};

	image = (struct snapshot){.bytes = room, .size = sizeof(room)};
	snapshot_begin(&image, &header);
}

static void given_ended(void)
{
	while (snapshot_sum(&image))
		;
	snapshot_end(&image);
}

/* Records of both kinds mixed, and entries that are no whole words. */
static int given_image(void **state)
{
	const struct snapshot_session s[] = {session(7), session(400)};

	(void)state;
	rules = (struct snapshot_rules){
		.config_hash = CONFIG,
		.sessions_max = SESSIONS_MAX,
		.machine = &machine,
	};
	memset(room, 0xee, sizeof(room));
	given_begun(2, 3);
	add_entry(13);
	add_session(&s[0]);
	add_entry(1);
	add_session(&s[1]);
	add_entry(8);
	given_ended();
	return 0;
}

/* One session that breaks a rule or not, and nothing else. */
static void given_session(struct snapshot_session s)
{
	given_begun(1, 0);
	add_session(&s);
	given_ended();
}

static struct snapshot_header *header(void)
{
	return (struct snapshot_header *)(void *)room;
}

static struct snapshot_record *first_record(void)
{
	return (struct snapshot_record *)(void *)(room + SNAPSHOT_HEADER_BYTES);
}

/* The checksum is that of the bytes again. */
static void reseal(void)
{
	struct snapshot_end end = {.bytes = image.used};
	uint8_t *at = room + image.used - SNAPSHOT_END_BYTES;

	end.crc = message_crc_more(0, room, image.used - SNAPSHOT_END_BYTES);
	memcpy(at + SNAPSHOT_RECORD_BYTES, &end, sizeof(end));
}

/* In memory of exactly its bytes, so that ASan sees what is read behind them. */
static enum snapshot_result checked_of(const uint8_t *bytes, uint64_t length, uint32_t *steps)
{
	uint8_t *copy = malloc(length > 0 ? length : 1);
	const struct snapshot s = {.bytes = copy, .size = length, .used = length};
	struct snapshot_check c = {0};
	enum snapshot_result result;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	*steps = 0;
	do {
		result = snapshot_check_step(&s, &rules, &c);
		assert_true(++*steps < 100);
	} while (result == SNAPSHOT_MORE);
	free(copy);
	return result;
}

static enum snapshot_result checked(void)
{
	uint32_t steps;

	return checked_of(room, image.used, &steps);
}

/* ---- Written and read ---- */

static const void *then_record(uint64_t *at, enum snapshot_kind kind, uint32_t length)
{
	const struct snapshot_record *r = snapshot_next(&image, at);

	assert_non_null(r);
	assert_int_equal(r->kind, kind);
	assert_int_equal(r->length, length);
	assert_int_equal(*at % 8, 0);
	return r + 1;
}

static void an_image_reads_back_as_it_was_written(void **state)
{
	const struct snapshot_session s[] = {session(7), session(400)};
	const uint8_t thirteen[16] = {13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13};
	const uint8_t one[8] = {1};
	uint64_t at = SNAPSHOT_HEADER_BYTES;

	(void)state;
	assert_int_equal(checked(), SNAPSHOT_OK);
	assert_int_equal(snapshot_header_of(&image)->instance, INSTANCE);
	assert_int_equal(snapshot_header_of(&image)->digest, 99);
	/* What pads is zeros, whatever was there. */
	assert_memory_equal(then_record(&at, SNAPSHOT_ENTRY, 13), thirteen, 16);
	assert_memory_equal(then_record(&at, SNAPSHOT_SESSION, 64), &s[0], sizeof(s[0]));
	assert_memory_equal(then_record(&at, SNAPSHOT_ENTRY, 1), one, 8);
	assert_memory_equal(then_record(&at, SNAPSHOT_SESSION, 64), &s[1], sizeof(s[1]));
	assert_memory_equal(then_record(&at, SNAPSHOT_ENTRY, 8), "\10\10\10\10\10\10\10\10", 8);
	assert_null(snapshot_next(&image, &at));
}

static void an_image_takes_no_more_bytes_than_was_said(void **state)
{
	const struct snapshot_session s = session(7);

	(void)state;
	given_begun(2, 2);
	add_session(&s);
	add_session(&s);
	add_entry(1);
	add_entry(13);
	given_ended();
	assert_int_equal(image.used,
		snapshot_bytes(2, snapshot_record_bytes(1) + snapshot_record_bytes(13)));
}

static void an_empty_image_is_one(void **state)
{
	(void)state;
	given_begun(0, 0);
	given_ended();
	assert_int_equal(checked(), SNAPSHOT_OK);
	rules.machine = &stateless;
	assert_int_equal(checked(), SNAPSHOT_OK);
}

static void a_large_image_is_summed_and_checked_in_steps(void **state)
{
	uint32_t sums = 1, steps;

	(void)state;
	given_begun(0, ENTRIES_MAX);
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		add_entry(ENTRY_MAX);
	while (snapshot_sum(&image))
		sums++;
	snapshot_end(&image);
	assert_int_equal(sums, 3);
	assert_int_equal(checked_of(room, image.used, &steps), SNAPSHOT_OK);
	assert_int_equal(steps, 3);
	/* A bit of each third counts. */
	for (uint32_t i = 1; i < 6; i += 2) {
		room[image.used / 6 * i] ^= 1;
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
		room[image.used / 6 * i] ^= 1;
	}
}

/* ---- Damaged ---- */

static void every_single_bit_flip_is_refused(void **state)
{
	(void)state;
	for (uint64_t bit = 0; bit < image.used * 8; bit++) {
		room[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (checked() == SNAPSHOT_OK)
			fail_msg("bit %lu of byte %lu may flip", bit % 8, bit / 8);
		room[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(checked(), SNAPSHOT_OK);
}

static void every_truncation_is_refused(void **state)
{
	uint32_t steps;

	(void)state;
	for (uint64_t length = 0; length < image.used; length++)
		assert_int_equal(checked_of(room, length, &steps), SNAPSHOT_DAMAGED);
}

static void bytes_behind_the_end_are_refused(void **state)
{
	uint32_t steps;

	(void)state;
	for (uint64_t more = 1; more <= 64; more++)
		assert_int_equal(checked_of(room, image.used + more, &steps), SNAPSHOT_DAMAGED);
}

static void a_cut_image_with_an_end_of_its_own_is_refused(void **state)
{
	/* Else: a member that stopped half-way, and says that this was all. */
	const uint64_t cuts[] = {88, 160, 176, 248};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		given_image(NULL);
		image.used = cuts[i];
		image.summed = 0;
		image.crc = 0;
		given_ended();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void a_length_beyond_the_memory_is_refused(void **state)
{
	const uint64_t lengths[] = {ROOM + 8, UINT64_MAX - 7, UINT64_MAX - SNAPSHOT_END_BYTES + 1,
		1ull << 63, (uint64_t)1 << 32};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct snapshot_check c = {0};

		image.used = lengths[i];
		assert_int_equal(snapshot_check_step(&image, &rules, &c), SNAPSHOT_DAMAGED);
	}
}

static void an_image_larger_than_its_memory_is_refused(void **state)
{
	struct snapshot_check c = {0};

	(void)state;
	image.size = image.used - 8;
	assert_int_equal(snapshot_check_step(&image, &rules, &c), SNAPSHOT_DAMAGED);
}

static void an_end_that_says_another_length_is_refused(void **state)
{
	const uint64_t length = image.used;
	const uint64_t lengths[] = {0, length - 8, length + 8, UINT64_MAX, length + (1ull << 32)};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		memcpy(room + length - 16, &lengths[i], 8);
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void a_record_that_reaches_into_the_end_or_beyond_is_refused(void **state)
{
	const uint16_t lengths[] = {9, 16, 32, 33, ENTRY_MAX, UINT16_MAX};

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		given_begun(0, 1);
		add_entry(8);
		given_ended();
		first_record()->length = lengths[i];
		memset(first_record() + 1, lengths[i] % 256, 8);
		reseal();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void a_record_over_the_end_leads_to_no_end_behind_it(void **state)
{
	(void)state;
	given_begun(0, 1);
	add_entry(32);
	given_ended();
	image.used = SNAPSHOT_HEADER_BYTES + snapshot_record_bytes(32);
	((struct snapshot_end *)(void *)(room + image.used + SNAPSHOT_RECORD_BYTES))->bytes =
		image.used;
	struct snapshot_check c = {0};

	assert_int_equal(snapshot_check_step(&image, &rules, &c), SNAPSHOT_DAMAGED);
}

static void a_header_without_an_end_is_refused(void **state)
{
	struct snapshot_end *behind;
	struct snapshot_check c = {0};

	(void)state;
	given_begun(0, 0);
	given_ended();
	image.used = SNAPSHOT_HEADER_BYTES;
	behind = (struct snapshot_end *)(void *)(room + image.used + SNAPSHOT_RECORD_BYTES);
	behind->bytes = image.used;
	assert_int_equal(snapshot_check_step(&image, &rules, &c), SNAPSHOT_DAMAGED);
}

static void a_record_of_no_kind_is_refused(void **state)
{
	const uint16_t kinds[] = {0, SNAPSHOT_END, SNAPSHOT_END + 1, UINT16_MAX};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		first_record()->kind = kinds[i];
		reseal();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void an_end_of_another_kind_is_refused(void **state)
{
	struct snapshot_record *end =
		(struct snapshot_record *)(void *)(room + image.used - SNAPSHOT_END_BYTES);

	(void)state;
	end->kind = SNAPSHOT_ENTRY;
	assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	end->kind = SNAPSHOT_END;
	end->length = 8;
	assert_int_equal(checked(), SNAPSHOT_DAMAGED);
}

/* ---- Foreign ---- */

static void an_image_of_another_configuration_or_version_is_foreign(void **state)
{
	(void)state;
	rules.config_hash++;
	assert_int_equal(checked(), SNAPSHOT_FOREIGN);
	rules.config_hash--;
	header()->magic += 1 << 24;
	reseal();
	assert_int_equal(checked(), SNAPSHOT_FOREIGN);
}

/* ---- Lies under a right checksum ---- */

static void counts_that_lie_are_refused(void **state)
{
	const struct {
		uint32_t sessions;
		uint64_t entries;
	} lies[] = {{1, 3}, {3, 3}, {0, 3}, {2, 2}, {2, 4}, {2, 0}, {2, UINT64_MAX},
		{UINT32_MAX, 3}};

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		header()->sessions = lies[i].sessions;
		header()->entries = lies[i].entries;
		reseal();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void more_sessions_than_fit_are_refused(void **state)
{
	const struct snapshot_session s = session(7);

	(void)state;
	for (uint32_t count = SESSIONS_MAX; count <= SESSIONS_MAX + 1; count++) {
		given_begun(count, 0);
		for (uint32_t i = 0; i < count; i++)
			add_session(&s);
		given_ended();
		assert_int_equal(checked(), count == SESSIONS_MAX ? SNAPSHOT_OK : SNAPSHOT_DAMAGED);
	}
}

static void more_entries_than_the_machine_takes_are_refused(void **state)
{
	(void)state;
	for (uint32_t count = ENTRIES_MAX; count <= ENTRIES_MAX + 1; count++) {
		given_begun(0, count);
		for (uint32_t i = 0; i < count; i++)
			add_entry(1);
		given_ended();
		assert_int_equal(checked(), count == ENTRIES_MAX ? SNAPSHOT_OK : SNAPSHOT_DAMAGED);
	}
	rules.machine = &stateless;
	for (uint32_t said = 0; said <= 1; said++) {
		given_begun(0, said);
		add_entry(1);
		given_ended();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void an_entry_that_the_machine_does_not_take_is_refused(void **state)
{
	(void)state;
	first_record()->length = 12; /* Takes as many bytes, and says 13. */
	reseal();
	assert_int_equal(checked(), SNAPSHOT_DAMAGED);
}

static void an_instance_that_nobody_reaches_is_refused(void **state)
{
	(void)state;
	given_begun(0, 0);
	given_ended();
	header()->instance = INSTANCE_TOP - 1;
	reseal();
	assert_int_equal(checked(), SNAPSHOT_OK);
	header()->instance = INSTANCE_TOP;
	reseal();
	assert_int_equal(checked(), SNAPSHOT_DAMAGED);
}

static void a_session_that_no_log_can_make_is_refused(void **state)
{
	/* Opened below the image, and last used since, but below it. */
	const struct snapshot_session may[] = {
		{.id = 7, .last = 6},
		{.id = 7, .last = INSTANCE - 1},
		{.id = INSTANCE, .last = INSTANCE - 1},
		{.id = 7, .last = 9, .base = SEQUENCE_TOP - 1},
		{.id = 7, .last = 9, .done = 15},
	};
	const struct snapshot_session may_not[] = {
		{.id = 0, .last = 9},
		{.id = 7, .last = 5},
		{.id = 7, .last = INSTANCE},
		{.id = INSTANCE + 1, .last = INSTANCE},
		{.id = INSTANCE + 1, .last = INSTANCE - 1},
		{.id = 7, .last = 9, .base = SEQUENCE_TOP},
		{.id = 7, .last = 9, .done = 16},
		{.id = 7, .last = 9, .done = 1ull << 40},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		given_session(may[i]);
		assert_int_equal(checked(), SNAPSHOT_OK);
	}
	for (uint32_t i = 0; i < sizeof(may_not) / sizeof(may_not[0]); i++) {
		given_session(may_not[i]);
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

static void a_session_of_another_length_is_refused(void **state)
{
	const uint16_t lengths[] = {57, 60, 63}; /* Each takes as many bytes. */

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		given_session(session(7));
		first_record()->length = lengths[i];
		reseal();
		assert_int_equal(checked(), SNAPSHOT_DAMAGED);
	}
}

#define TEST(rule) cmocka_unit_test_setup(rule, given_image)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_image_reads_back_as_it_was_written),
		TEST(an_image_takes_no_more_bytes_than_was_said),
		TEST(an_empty_image_is_one),
		TEST(a_large_image_is_summed_and_checked_in_steps),
		TEST(every_single_bit_flip_is_refused),
		TEST(every_truncation_is_refused),
		TEST(bytes_behind_the_end_are_refused),
		TEST(a_cut_image_with_an_end_of_its_own_is_refused),
		TEST(a_length_beyond_the_memory_is_refused),
		TEST(an_image_larger_than_its_memory_is_refused),
		TEST(an_end_that_says_another_length_is_refused),
		TEST(a_record_that_reaches_into_the_end_or_beyond_is_refused),
		TEST(a_record_over_the_end_leads_to_no_end_behind_it),
		TEST(a_header_without_an_end_is_refused),
		TEST(a_record_of_no_kind_is_refused),
		TEST(an_end_of_another_kind_is_refused),
		TEST(an_image_of_another_configuration_or_version_is_foreign),
		TEST(counts_that_lie_are_refused),
		TEST(more_sessions_than_fit_are_refused),
		TEST(more_entries_than_the_machine_takes_are_refused),
		TEST(an_entry_that_the_machine_does_not_take_is_refused),
		TEST(an_instance_that_nobody_reaches_is_refused),
		TEST(a_session_that_no_log_can_make_is_refused),
		TEST(a_session_of_another_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
