/* consensus/journal_segments.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/journal_segments.h"

enum {
	BLOCKS = JOURNAL_WRITE_BLOCKS
};

static struct journal_segments s;
static struct superblock superblock;

static int setup(void **state)
{
	(void)state;
	superblock = (struct superblock){.segment_blocks = BLOCKS};
	journal_segments_init(&s, &superblock);
	journal_segments_add(&s, 0, 1, 11, 0);
	journal_segments_add(&s, 1, 2, 12, 400);
	journal_segments_add(&s, BLOCKS, 3, 13, 300);
	journal_segments_add(&s, BLOCKS + 1, 4, 14, 500);
	journal_segments_add(&s, BLOCKS + 2, 5, 15, 0);
	journal_segments_add(&s, 2 * BLOCKS, 6, 16, 0);
	journal_segments_add(&s, 3 * BLOCKS, 7, 17, 900);
	return 0;
}

/* J15 */
static void the_first_segment_with_a_run_that_reaches_there_is_needed(void **state)
{
	(void)state;
	assert_int_equal(journal_segments_needed(&s, 0, s.last), 0);
	assert_int_equal(journal_segments_needed(&s, 399, s.last), 0);
	assert_int_equal(journal_segments_needed(&s, 400, s.last), 1);
	assert_int_equal(journal_segments_needed(&s, 499, s.last), 1);
	assert_int_equal(journal_segments_needed(&s, 500, s.last), 3);
	assert_int_equal(journal_segments_needed(&s, 2000, s.last), 3);
}

static void nothing_beyond_the_limit_is_passed(void **state)
{
	(void)state;
	assert_int_equal(journal_segments_needed(&s, 2000, 2), 2);
}

static void reading_from_an_anchor_follows_the_last_write_before_it(void **state)
{
	(void)state;
	journal_segments_anchor(&s, 1, &superblock);
	assert_int_equal(superblock.anchor_place, BLOCKS);
	assert_int_equal(superblock.anchor_number, 2);
	assert_int_equal(superblock.anchor_chain, 12);
	journal_segments_anchor(&s, 3, &superblock);
	assert_int_equal(superblock.anchor_place, 3 * BLOCKS);
	assert_int_equal(superblock.anchor_number, 6);
	assert_int_equal(superblock.anchor_chain, 16);
	assert_int_equal(journal_segments_needed(&s, 0, s.last), 3);
}

static void a_table_begins_at_its_superblocks_anchor(void **state)
{
	(void)state;
	journal_segments_anchor(&s, 3, &superblock);
	journal_segments_init(&s, &superblock);
	assert_int_equal(s.first, 3);
	journal_segments_add(&s, 3 * BLOCKS, 7, 17, 900);
	journal_segments_add(&s, 4 * BLOCKS, 8, 18, 950);
	assert_int_equal(journal_segments_needed(&s, 900, s.last), 4);
	journal_segments_anchor(&s, 4, &superblock);
	assert_int_equal(superblock.anchor_number, 7);
}

/* A damaged disk may have lost all its writes: what they said is unknown, and it is passed. */
static void a_segment_of_which_nothing_was_read_is_skipped(void **state)
{
	(void)state;
	journal_segments_add(&s, 6 * BLOCKS, 8, 18, 950);
	assert_int_equal(journal_segments_needed(&s, 900, s.last), 6);
	journal_segments_anchor(&s, 5, &superblock);
	assert_int_equal(superblock.anchor_number, 7);
}

/* Slots are used again; numbers of segments go up for ever. */
static void the_table_goes_round(void **state)
{
	(void)state;
	for (uint64_t i = 4; i < 3 * JOURNAL_SEGMENTS_MAX; i++) {
		journal_segments_add(&s, i * BLOCKS, 4 + i, 0, 1000 * i);
		journal_segments_anchor(&s, i - 3, &superblock);
	}
	assert_int_equal(s.last, 3 * JOURNAL_SEGMENTS_MAX - 1);
	assert_int_equal(journal_segments_needed(&s, 1000 * (s.last - 2), s.last), s.last - 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_segment_with_a_run_that_reaches_there_is_needed),
		TEST(nothing_beyond_the_limit_is_passed),
		TEST(reading_from_an_anchor_follows_the_last_write_before_it),
		TEST(a_table_begins_at_its_superblocks_anchor),
		TEST(a_segment_of_which_nothing_was_read_is_skipped),
		TEST(the_table_goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
