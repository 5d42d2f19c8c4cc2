/* consensus/superblock.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/superblock.h"

static _Alignas(8) uint8_t blocks[SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES];
static struct superblock s;

static void seal(void)
{
	_Alignas(8) uint8_t block[JOURNAL_BLOCK_BYTES];

	superblock_seal(&s, block);
	memcpy(blocks + s.sequence % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES, block, sizeof(block));
}

/* Both blocks, the newer one of life 2. */
static int setup(void **state)
{
	(void)state;
	memset(blocks, 0, sizeof(blocks));
	s = (struct superblock){.uuid = 5, .shards = 2, .segment_blocks = JOURNAL_WRITE_BLOCKS};
	s.life = 1;
	seal();
	s.life = 2;
	seal();
	return 0;
}

static void the_newest_valid_block_counts(void **state)
{
	(void)state;
	struct superblock found;

	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_OK);
	assert_int_equal(found.life, 2);
	s.life = 3;
	seal();
	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_OK);
	assert_int_equal(found.life, 3);
	assert_memory_equal(&found, &s, sizeof(s));
}

static void each_flip_in_the_newest_leaves_the_other_and_says_so(void **state)
{
	(void)state;
	uint8_t *newest = blocks + s.sequence % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES;
	struct superblock found;

	for (uint32_t bit = 0; bit < JOURNAL_BLOCK_BYTES * 8; bit++) {
		newest[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_ONE_LOST);
		assert_int_equal(found.life, 1);
		newest[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void an_empty_or_foreign_directory_has_none(void **state)
{
	(void)state;
	struct superblock found;

	memset(blocks, 0, sizeof(blocks));
	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_NONE);
	memset(blocks, 0x5a, sizeof(blocks));
	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_NONE);
}

static void another_version_is_told_apart(void **state)
{
	(void)state;
	struct superblock found;
	_Alignas(8) uint8_t block[JOURNAL_BLOCK_BYTES];

	superblock_seal(&s, block);
	found = s;
	found.magic += 0x1000000u;
	memcpy(block, &found, sizeof(found));
	/* Sealed by that version. */
	found.crc = journal_block_seal(block);
	memcpy(blocks + s.sequence % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES, block, sizeof(block));
	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_VERSION);
}

static void a_block_at_the_other_ones_place_is_none(void **state)
{
	(void)state;
	struct superblock found;
	uint32_t newest = (uint32_t)(s.sequence % SUPERBLOCK_SLOTS);

	memcpy(blocks + (1 - newest) * JOURNAL_BLOCK_BYTES, blocks + newest * JOURNAL_BLOCK_BYTES,
		JOURNAL_BLOCK_BYTES);
	assert_int_equal(superblock_read(blocks, &found), SUPERBLOCK_ONE_LOST);
	assert_int_equal(found.life, 2);
}

/* scenarios.md, process: a foreign disk never votes, and says what to do. */
static void a_journal_of_something_else_is_named(void **state)
{
	(void)state;
	struct superblock others[] = {s, s, s, s, s, s};
	const char *said[] = {"another cluster", "another member", "shards", "block", "segments",
		"quorums"};

	others[0].cluster++;
	others[1].node++;
	others[2].shards++;
	others[3].block++;
	others[4].segment_blocks++;
	others[5].config_hash++;
	assert_null(superblock_mismatch(&s, &s));
	for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_non_null(superblock_mismatch(&others[i], &s));
		assert_non_null(strstr(superblock_mismatch(&others[i], &s), said[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_newest_valid_block_counts, setup),
		cmocka_unit_test_setup(each_flip_in_the_newest_leaves_the_other_and_says_so, setup),
		cmocka_unit_test_setup(an_empty_or_foreign_directory_has_none, setup),
		cmocka_unit_test_setup(another_version_is_told_apart, setup),
		cmocka_unit_test_setup(a_journal_of_something_else_is_named, setup),
		cmocka_unit_test_setup(a_block_at_the_other_ones_place_is_none, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
