/* The log: what was appended reads back, what is needed is moved on, the rest makes room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/log.h"

enum {
	LOG_BYTES = 4096,
	LONG_LOG_BYTES = 1 << 16, /* Some blocks of small runs. */
	LARGE_COUNT = 4,          /* Of a record that takes an eighth of the log. */
	LARGE_LENGTH = 96,
	LARGE_RECORDS = 8,
};

static _Alignas(64) uint8_t bytes[LONG_LOG_BYTES];
static _Alignas(8) uint8_t body[LOG_BYTES];
static struct log ring;
static struct acceptor a;

static int setup(void **state)
{
	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	log_init(&ring, bytes, LOG_BYTES);
	acceptor_init(&a, ACCEPTOR_WINDOW);
	return 0;
}

/* Entries of this length, whose values tell ballot and instance. */
static uint32_t make_body(uint64_t ballot, uint64_t first, uint32_t count, uint32_t length)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct entry e = {
			.session = ballot,
			.sequence_length = entry_pack(ENTRY_COMMAND, first + i, length),
		};

		memcpy(body + at, &e, sizeof(e));
		memset(body + at + ENTRY_BYTES, (int)(ballot * 16 + first + i),
			entry_bytes(length) - ENTRY_BYTES);
		at += entry_bytes(length);
	}
	return at;
}

/* Votes for a run and appends its record. False: the log has no room. */
static bool append(uint64_t ballot, uint64_t first, uint16_t count, uint32_t length)
{
	uint32_t size = make_body(ballot, first, count, length);
	const struct record record = {
		.ballot = ballot,
		.first = first,
		.checksum = message_crc(body, size),
		.count = count,
		.bytes = (uint16_t)size,
	};
	struct run run = {
		.ballot = ballot,
		.first = first,
		.checksum = record.checksum,
		.count = count,
	};

	if (!log_reserve(&ring, &a, size))
		return false;
	run.position = log_next(&ring, size);
	assert_int_equal(acceptor_on_accept(&a, &run), ACCEPTOR_VOTED);
	assert_int_equal(log_append(&ring, &record, body), run.position);
	return true;
}

static bool append_large(uint64_t ballot, uint64_t first)
{
	return append(ballot, first, LARGE_COUNT, LARGE_LENGTH);
}

/* Fills the log with records of instances from 0 on, all of which are needed. */
static void given_full(void)
{
	for (uint32_t i = 0; i < LARGE_RECORDS; i++)
		assert_true(append_large(1, i * LARGE_COUNT));
}

static const struct record *record_of(uint64_t instance)
{
	const struct vote *v = acceptor_vote(&a, instance);

	assert_non_null(v);
	return log_at(&ring, v->position);
}

/* Is the slot's record there, with its ballot, and are its entries as they were? */
static bool intact(uint64_t instance)
{
	const struct vote *v = acceptor_vote(&a, instance);
	const struct record *r = log_at(&ring, v->position);

	return r->ballot == v->ballot && instance >= r->first && instance < r->first + r->count &&
		r->checksum == v->checksum && message_crc(r + 1, r->bytes) == r->checksum;
}

static void then_intact(uint64_t instance, uint64_t ballot)
{
	assert_int_equal(record_of(instance)->ballot, ballot);
	assert_true(intact(instance));
}

static void what_was_appended_reads_back(void **state)
{
	uint32_t size;

	(void)state;
	assert_true(append(5, 100, 3, 13));
	size = make_body(5, 100, 3, 13);
	assert_int_equal(record_of(101)->first, 100);
	assert_int_equal(record_of(101)->count, 3);
	assert_int_equal(record_of(101)->bytes, size);
	assert_memory_equal(record_of(101) + 1, body, size);
	then_intact(102, 5);
}

static void a_record_never_wraps_at_the_end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		acceptor_trim(&a, i * BLOCK);
		assert_true(append(1, i * BLOCK, 5, 100));
		const struct vote *v = acceptor_vote(&a, i * BLOCK);

		assert_true(
			v->position % LOG_BYTES + RECORD_BYTES + 5 * entry_bytes(100) <= LOG_BYTES);
		then_intact(i * BLOCK, 1);
	}
}

static void a_log_of_needed_records_has_no_room(void **state)
{
	(void)state;
	given_full();
	assert_false(append_large(1, 1000));
	assert_false(append(1, 1000, 1, 0));
	for (uint64_t i = 0; i < LARGE_RECORDS * LARGE_COUNT; i++)
		then_intact(i, 1);
	assert_int_equal(a.tail, 0);
}

static void delivered_records_make_room_and_the_tail_follows(void **state)
{
	(void)state;
	given_full();
	acceptor_trim(&a, BLOCK);
	assert_true(append_large(1, BLOCK));
	assert_int_equal(a.tail, LARGE_COUNT);
	for (uint64_t i = a.tail; i < LARGE_RECORDS * LARGE_COUNT; i++)
		then_intact(i, 1);
	then_intact(BLOCK, 1);
}

static void drops_no_more_than_it_needs(void **state)
{
	uint64_t tail;

	(void)state;
	given_full();
	acceptor_trim(&a, BLOCK);
	tail = ring.tail;
	assert_true(log_reserve(&ring, &a, 0));
	assert_int_equal(ring.tail - tail, LOG_BYTES / LARGE_RECORDS);
	tail = ring.tail;
	assert_true(log_reserve(&ring, &a, 0));
	assert_int_equal(ring.tail, tail);
}

static void what_is_needed_is_moved_to_the_head(void **state)
{
	uint64_t before;

	(void)state;
	/* The oldest record is of the highest instances: those below it are delivered first. */
	assert_true(append(1, BLOCK, 2, 40));
	before = acceptor_vote(&a, BLOCK)->position;
	for (uint32_t i = 0; i < LARGE_RECORDS - 1; i++)
		assert_true(append_large(1, i * LARGE_COUNT));
	acceptor_trim(&a, BLOCK);
	assert_true(append_large(1, BLOCK + 2));
	then_intact(BLOCK, 1);
	then_intact(BLOCK + 1, 1);
	then_intact(BLOCK + 2, 1);
	assert_int_equal(acceptor_vote(&a, BLOCK)->position,
		acceptor_vote(&a, BLOCK + 1)->position);
	assert_int_not_equal(acceptor_vote(&a, BLOCK)->position, before);
	assert_true(acceptor_vote(&a, BLOCK)->position >= ring.tail);
}

static void what_was_moved_once_is_not_moved_again(void **state)
{
	/* Else: the search for room never ends. */
	(void)state;
	for (uint32_t i = 0; i < LOG_BYTES / 64 - 1; i++)
		assert_true(append(1, i, 1, 0));
	assert_false(append_large(1, 1000));
	for (uint64_t i = 0; i < LOG_BYTES / 64 - 1; i++)
		then_intact(i, 1);
}

static void a_record_is_needed_while_one_instance_points_to_it(void **state)
{
	(void)state;
	given_full();
	/* A newer vote takes all but the last instance of the first record. */
	const struct run newer = {
		.ballot = 2,
		.count = LARGE_COUNT - 1,
		.position = POSITION_NOOP,
	};

	assert_int_equal(acceptor_on_accept(&a, &newer), ACCEPTOR_VOTED);
	assert_false(append_large(2, 1000));
	then_intact(LARGE_COUNT - 1, 1);
}

static void a_superseded_record_makes_room(void **state)
{
	/* Nor does it say of what was delivered that it is gone. */
	const struct run newer = {
		.ballot = 2,
		.first = BLOCK,
		.count = LARGE_COUNT,
		.position = POSITION_NOOP,
	};

	(void)state;
	assert_true(append_large(1, BLOCK));
	for (uint32_t i = 0; i < LARGE_RECORDS - 1; i++)
		assert_true(append_large(1, i * LARGE_COUNT));
	assert_int_equal(acceptor_on_accept(&a, &newer), ACCEPTOR_VOTED);
	acceptor_trim(&a, BLOCK);
	assert_true(append_large(2, 1000));
	assert_int_equal(a.tail, 0);
	for (uint32_t i = 0; i < (LARGE_RECORDS - 1) * LARGE_COUNT; i++)
		then_intact(i, 1);
}

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % limit);
}

static bool all_intact(uint64_t end)
{
	for (uint64_t i = a.tail; i < end; i++)
		if (acceptor_vote(&a, i) == NULL || !intact(i))
			return false;
	return true;
}

static void any_order_of_votes_and_deliveries_keeps_what_is_needed(void **state)
{
	(void)state;
	for (uint64_t first_seed = 1; first_seed <= 40; first_seed++) {
		uint64_t ballot = 1;
		uint64_t end = 0;

		seed = first_seed * 0x9e3779b97f4a7c15ull;
		setup(NULL);
		log_init(&ring, bytes, LONG_LOG_BYTES);
		for (uint32_t i = 0; i < 1500; i++) {
			uint16_t count = (uint16_t)(1 + below(5));
			uint64_t back = below(4) == 0 ? below(20) : 0;
			uint64_t first = end >= a.lo + back ? end - back : end;

			if (first / BLOCK != (first + count - 1) / BLOCK)
				count = (uint16_t)(BLOCK - first % BLOCK);
			ballot += first < end ? 1 : 0;
			if (!append(ballot, first, count, below(60)))
				acceptor_trim(&a, end);
			else if (first + count > end)
				end = first + count;
			if (below(8) == 0)
				acceptor_trim(&a, end - below(20) % (end + 1));
			if (!all_intact(end))
				fail_msg("seed %u, step %u", (unsigned)first_seed, i);
		}
		/* The log went round. */
		assert_true(a.tail > 0 && ring.head > 2 * LONG_LOG_BYTES);
	}
}

static void a_cut_of_everything_is_the_body(void **state)
{
	uint32_t size;

	(void)state;
	append(5, 100, 3, 13);
	assert_ptr_equal(log_cut(record_of(100), 0, 3, &size), record_of(100) + 1);
	assert_int_equal(size, 3 * entry_bytes(13));
}

static void a_cut_is_exactly_the_entries_asked_for(void **state)
{
	const uint32_t lengths[] = {0, 5, 64, 9};
	struct record *r = (struct record *)(void *)bytes;
	uint32_t starts[5] = {0};
	uint32_t size;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t one = make_body(1, i, 1, lengths[i]);

		memcpy((uint8_t *)(r + 1) + starts[i], body, one);
		starts[i + 1] = starts[i] + one;
	}
	*r = (struct record){.count = 4, .bytes = (uint16_t)starts[4]};
	for (uint32_t index = 0; index < 4; index++)
		for (uint32_t count = 1; index + count <= 4; count++) {
			const uint8_t *from = log_cut(r, index, count, &size);

			assert_ptr_equal(from, (uint8_t *)(r + 1) + starts[index]);
			assert_int_equal(size, starts[index + count] - starts[index]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_appended_reads_back, setup),
		cmocka_unit_test_setup(a_record_never_wraps_at_the_end, setup),
		cmocka_unit_test_setup(a_log_of_needed_records_has_no_room, setup),
		cmocka_unit_test_setup(delivered_records_make_room_and_the_tail_follows, setup),
		cmocka_unit_test_setup(drops_no_more_than_it_needs, setup),
		cmocka_unit_test_setup(what_is_needed_is_moved_to_the_head, setup),
		cmocka_unit_test_setup(what_was_moved_once_is_not_moved_again, setup),
		cmocka_unit_test_setup(a_record_is_needed_while_one_instance_points_to_it, setup),
		cmocka_unit_test_setup(a_superseded_record_makes_room, setup),
		cmocka_unit_test_setup(any_order_of_votes_and_deliveries_keeps_what_is_needed,
			setup),
		cmocka_unit_test_setup(a_cut_of_everything_is_the_body, setup),
		cmocka_unit_test_setup(a_cut_is_exactly_the_entries_asked_for, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
