/* consensus/journal_block.h. */
#include "tests/unit/given_journal.h"

#include <signal.h>

#include <x86intrin.h>

#include "consensus/stream.h"

static void each_bit_of_a_block_is_covered_by_its_checksum(void **state)
{
	(void)state;
	vote_written(5, 100);
	uint8_t *block = image_block(2);

	assert_non_null(journal_block_check(block, superblock.uuid));
	for (uint32_t bit = 0; bit < JOURNAL_BLOCK_BYTES * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_null(journal_block_check(block, superblock.uuid));
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_block_of_another_node_is_foreign(void **state)
{
	(void)state;
	assert_null(journal_block_check(image_block(0), superblock.uuid + 1));
}

static void a_blank_block_is_valid_and_older_than_any_write(void **state)
{
	(void)state;
	const struct journal_block *b = journal_block_check(image_block(9), superblock.uuid);

	assert_non_null(b);
	assert_int_equal(b->number, 0);
}

static void a_sealed_block_with_numbers_beyond_their_bounds_is_refused(void **state)
{
	(void)state;
	vote_written(5, 100);
	struct journal_block good;
	uint8_t *block = image_block(2);

	memcpy(&good, block, sizeof(good));
	struct journal_block bad[] = {good, good, good, good, good, good};

	bad[0].blocks = 0;
	bad[1].blocks = JOURNAL_WRITE_BLOCKS + 1;
	bad[2].index = good.blocks;
	bad[3].bytes = JOURNAL_BLOCK_PAYLOAD + 1;
	bad[4].bytes = 0;
	bad[5].number = INSTANCE_TOP;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(block, &bad[i], sizeof(bad[i]));
		journal_block_seal(block);
		assert_null(journal_block_check(block, superblock.uuid));
	}
}

/* scenarios.md, storage: byte flip in each record. The flip is sealed into the block again, so that
 * only the records' own checks are left. */
static void each_flip_in_a_records_bytes_breaks_its_write(void **state)
{
	(void)state;
	append_vote(5, 40);
	append_kind(JOURNAL_PROMISE, ballot_make(4, 2), 0);
	append_kind(JOURNAL_COMMIT, ballot_make(3, 1), 6);
	append_kind(JOURNAL_DELIVERED, 0, 6);
	append_kind(JOURNAL_TRIM, 0, 6);
	append_kind(JOURNAL_PIN, 77, 2);
	const struct journal_write w = close_write();

	written(&w);
	const struct journal_block *b = journal_block_check(image_block(w.place), superblock.uuid);
	static _Alignas(8) uint8_t payload[JOURNAL_BLOCK_PAYLOAD];

	assert_non_null(b);
	memcpy(payload, b + 1, b->bytes);
	assert_true(journal_payload_check(payload, b->bytes));
	for (uint32_t bit = JOURNAL_WRITE_HEADER_BYTES * 8; bit < b->bytes * 8u; bit++) {
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(journal_payload_check(payload, b->bytes));
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void each_truncation_of_a_payload_is_refused(void **state)
{
	(void)state;
	append_vote(5, 40);
	append_vote(6, 40);
	const struct journal_write w = close_write();

	written(&w);
	const struct journal_block *b = journal_block_check(image_block(w.place), superblock.uuid);
	static _Alignas(8) uint8_t payload[JOURNAL_BLOCK_PAYLOAD];
	struct journal_write_header header;

	memcpy(payload, b + 1, b->bytes);
	memcpy(&header, payload, sizeof(header));
	for (uint32_t bytes = 0; bytes < b->bytes; bytes++) {
		assert_false(journal_payload_check(payload, bytes));
		/* Also when the header agrees. */
		header.payload = bytes;
		memcpy(payload, &header, sizeof(header));
		assert_false(journal_payload_check(payload, bytes));
		header.payload = b->bytes;
		memcpy(payload, &header, sizeof(header));
	}
	assert_true(journal_payload_check(payload, b->bytes));
}

static void a_record_with_a_length_beyond_the_write_is_refused(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t payload[JOURNAL_BLOCK_PAYLOAD];
	struct journal_record *r =
		(struct journal_record *)(void *)(payload + JOURNAL_WRITE_HEADER_BYTES);
	const struct journal_write_header header = {
		.payload = JOURNAL_WRITE_HEADER_BYTES + JOURNAL_RECORD_BYTES,
		.records = 1,
		.shards = 1,
	};

	memcpy(payload, &header, sizeof(header));
	*r = (struct journal_record){.kind = JOURNAL_VOTE, .count = 1, .bytes = 64};
	r->chain = journal_chain_record(0, r);
	assert_false(journal_payload_check(payload, header.payload));
}

/* scenarios.md, bad input: crafted journal. */
static void a_header_with_instances_that_no_node_can_reach_is_refused(void **state)
{
	(void)state;
	static _Alignas(8) uint8_t payload[JOURNAL_WRITE_HEADER_BYTES];
	struct journal_write_header header = {.payload = sizeof(payload), .shards = 1};

	memcpy(payload, &header, sizeof(header));
	assert_true(journal_payload_check(payload, sizeof(payload)));
	header.delivered = INSTANCE_TOP + 1;
	memcpy(payload, &header, sizeof(header));
	assert_false(journal_payload_check(payload, sizeof(payload)));
	header.delivered = 0;
	header.blind = INSTANCE_TOP + 1;
	memcpy(payload, &header, sizeof(header));
	assert_false(journal_payload_check(payload, sizeof(payload)));
}

enum {
	TRAP_FLAG = 0x100 /* The processor stops after each instruction. */
};

static const uint8_t *copied_to;
static volatile uint32_t stops;       /* While a copy was at work, */
static volatile uint32_t stops_bad;   /* of which so many found a damaged block, */
static volatile uint32_t stops_blank; /* and so many a blank one. */

static void on_stop(int signal)
{
	const struct journal_block *b = journal_block_check(copied_to, superblock.uuid);

	(void)signal;
	stops++;
	stops_bad += b == NULL;
	stops_blank += b != NULL && b->number == 0;
}

/* scenarios.md, process: kill at every step, of a journal in memory. */
static void a_copy_that_is_killed_at_any_instruction_leaves_no_damaged_block(void **state)
{
	const struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction before;

	(void)state;
	vote_written(5, 100);
	vote_written(6, 100);
	uint8_t *old = image_block(2);
	const uint8_t *new = image_block(3);

	copied_to = old;
	assert_int_equal(sigaction(SIGTRAP, &stop, &before), 0);
	__writeeflags(__readeflags() | TRAP_FLAG);
	journal_block_copy(old, new);
	__writeeflags(__readeflags() & ~(unsigned long long)TRAP_FLAG);
	sigaction(SIGTRAP, &before, NULL);
	/* It was stopped after each of its stores, and there it was neither the old nor the new. */
	assert_true(stops_blank >= (JOURNAL_BLOCK_BYTES - STREAM_LINE) / STREAM_WORD);
	assert_int_equal(stops_bad, 0);
	assert_memory_equal(old, new, JOURNAL_BLOCK_BYTES);
}

static void a_block_whose_copy_was_killed_cuts_its_write_as_torn(void **state)
{
	const uint64_t undone = JOURNAL_BLOCK_UNDONE;

	(void)state;
	vote_written(5, 100);
	vote_written(6, 3000);
	memcpy(image_block(3), &undone, sizeof(undone));
	memset(image_block(3) + sizeof(undone), 0x5a, 2000);
	when_read();
	assert_int_not_equal(end.verdict, JOURNAL_DAMAGED);
	assert_int_equal(told_records_count, 1);
	assert_int_equal(end.place, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_bit_of_a_block_is_covered_by_its_checksum,
			given_begun_journal),
		cmocka_unit_test_setup(a_block_of_another_node_is_foreign, given_begun_journal),
		cmocka_unit_test_setup(a_blank_block_is_valid_and_older_than_any_write,
			given_begun_journal),
		cmocka_unit_test_setup(a_sealed_block_with_numbers_beyond_their_bounds_is_refused,
			given_begun_journal),
		cmocka_unit_test_setup(each_flip_in_a_records_bytes_breaks_its_write,
			given_begun_journal),
		cmocka_unit_test_setup(each_truncation_of_a_payload_is_refused,
			given_begun_journal),
		cmocka_unit_test_setup(a_header_with_instances_that_no_node_can_reach_is_refused,
			given_begun_journal),
		cmocka_unit_test_setup(a_record_with_a_length_beyond_the_write_is_refused,
			given_begun_journal),
		cmocka_unit_test_setup(
			a_copy_that_is_killed_at_any_instruction_leaves_no_damaged_block,
			given_begun_journal),
		cmocka_unit_test_setup(a_block_whose_copy_was_killed_cuts_its_write_as_torn,
			given_begun_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
