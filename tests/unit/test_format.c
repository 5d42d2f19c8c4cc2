/* The making of a data directory: who it belongs to, and that its journal is an empty one. */
#include "tests/unit/given_directory.h"

#include "consensus/journal_reader.h"
#include "dataplane/format.h"

static int setup(void **state)
{
	(void)state;
	given_folder(".", false);
	config.durability = DURABILITY_SYNC;
	config.cluster_id = 7;
	config.shards = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	directory_close(&directory);
	remove_folder();
	return 0;
}

static struct superblock when_made(void)
{
	struct superblock s;

	if (!format_replica(&config, 0, error, sizeof(error)))
		fail_msg("%s", error);
	given_open();
	assert_true(directory_read_superblocks(&directory, back, error, sizeof(error)));
	assert_int_equal(superblock_read(back, &s), SUPERBLOCK_OK);
	return s;
}

static void the_superblock_says_whose_it_is(void **state)
{
	struct superblock s = when_made();

	(void)state;
	assert_int_equal(s.cluster, 7);
	assert_int_equal(s.node, 0);
	assert_int_equal(s.shards, 1);
	assert_int_equal(s.segment_blocks, SEGMENT_BLOCKS);
	assert_true(s.config_hash == config_hash(&config));
	assert_int_equal(s.life, 0);
	assert_int_equal(s.clean, 1);
}

static void two_formattings_are_two_identities(void **state)
{
	struct superblock one = when_made();

	(void)state;
	directory_close(&directory);
	remove_folder();
	mkdir(config.journal.directory, 0700);
	struct superblock other = when_made();

	assert_true(one.uuid != 0 && other.uuid != 0);
	assert_true(one.uuid != other.uuid);
}

static void its_journal_is_clean_and_has_the_first_write_only(void **state)
{
	static struct journal_reader reader;
	struct superblock s = when_made();
	const struct journal_found *found;
	struct journal_end end;
	uint32_t writes = 0;

	(void)state;
	journal_reader_init(&reader, &s);
	for (uint32_t segment = 0; segment < directory.segments_end; segment++) {
		assert_true(directory_read(&directory, segment, 0, back, SEGMENT_BYTES, error,
			sizeof(error)));
		for (uint32_t i = 0; i < SEGMENT_BLOCKS; i++) {
			journal_reader_block(&reader, (uint64_t)segment * SEGMENT_BLOCKS + i,
				back + (size_t)i * JOURNAL_BLOCK_BYTES);
			while ((found = journal_reader_take(&reader)) != NULL)
				writes += found->number == 1 ? 1 : 100;
		}
	}
	journal_reader_end(&reader, &end);
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(writes, 1);
	assert_int_equal(end.place, 1);
	assert_int_equal(end.number, 2);
}

static void without_durability_there_is_nothing_to_format(void **state)
{
	(void)state;
	config.durability = DURABILITY_NONE;
	assert_false(format_replica(&config, 0, error, sizeof(error)));
	assert_non_null(strstr(error,
		"durability: none keeps nothing on disk: there is nothing to format."));
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_superblock_says_whose_it_is),
		T(two_formattings_are_two_identities),
		T(its_journal_is_clean_and_has_the_first_write_only),
		T(without_durability_there_is_nothing_to_format),
	};

	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
