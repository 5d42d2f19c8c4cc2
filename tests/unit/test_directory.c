/* A replica's data directory: what is refused, and that what is there is whole. */
#include "tests/unit/given_directory.h"

static int setup(void **state)
{
	(void)state;
	given_folder(".", false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	directory_close(&directory);
	remove_folder();
	return 0;
}

static void refused(const char *end)
{
	assert_false(directory_open(&directory, &config, 0, error, sizeof(error)));
	then_said(end);
}

/* scenarios.md, process: an empty disk never votes, and says what to do. */
static void a_directory_that_is_not_there_is_refused_with_the_cure(void **state)
{
	(void)state;
	refused("/replica-0 is not there: if this replica never ran, format it with `paxwire-ctl "
		"format`; else give it its directory back.");
}

static void an_empty_directory_is_refused_with_the_cure(void **state)
{
	(void)state;
	mkdir(path_of(""), 0700);
	refused("/replica-0 is not formatted: if this replica never ran, format it with "
		"`paxwire-ctl format`; else it has lost its promises and must be replaced.");
}

static void what_was_formatted_opens_with_its_superblock_and_segments(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_int_equal(directory.segments_end, 2);
	assert_true(directory_read_superblocks(&directory, back, error, sizeof(error)));
	assert_memory_equal(back, superblocks, SUPERBLOCKS_BYTES);
}

static void a_formatted_directory_is_not_formatted_again(void **state)
{
	(void)state;
	given_formatted();
	assert_false(when_formatted());
	then_said(
		"/replica-0 is formatted already: to give up all that it holds, remove it first.");
}

static void a_formatting_that_broke_off_begins_anew(void **state)
{
	(void)state;
	given_formatted();
	unlink(path_of("superblock"));
	truncate(path_of("segment-0001"), JOURNAL_BLOCK_BYTES);
	when_renamed("segment-0000", "segment-0007");
	refused("/replica-0 is not formatted: if this replica never ran, format it with "
		"`paxwire-ctl format`; else it has lost its promises and must be replaced.");
	given_formatted();
	given_open();
	assert_int_equal(directory.segments_end, 2);
}

/* scenarios.md, process: two processes with one directory: the second refuses. */
static void a_directory_in_use_is_refused(void **state)
{
	struct directory second;

	(void)state;
	given_formatted();
	given_open();
	assert_false(directory_open(&second, &config, 0, error, sizeof(error)));
	then_said("/replica-0 is in use by another process: stop that one first, or give each "
		  "replica its own.");
	assert_false(when_formatted());
	then_said("/replica-0 is in use by another process: stop that one first, or give each "
		  "replica its own.");
	directory_close(&directory);
	given_open();
}

static void each_replica_has_its_own(void **state)
{
	struct directory second;

	(void)state;
	given_formatted();
	given_open();
	assert_false(directory_open(&second, &config, 1, error, sizeof(error)));
	assert_non_null(strstr(error, "/replica-1 is not there"));
}

static void the_first_write_stands_at_the_first_place(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_true(directory_read(&directory, 0, 0, back, SEGMENT_BYTES, error, sizeof(error)));
	then_filled(back, JOURNAL_BLOCK_BYTES, FIRST);
	then_filled(back + JOURNAL_BLOCK_BYTES, SEGMENT_BYTES - JOURNAL_BLOCK_BYTES, BLANK);
}

static void a_segment_is_written_from_end_to_end(void **state)
{
	struct stat s;

	(void)state;
	given_formatted();
	given_open();
	assert_true(directory_add_segment(&directory, blank, error, sizeof(error)));
	assert_int_equal(directory.segments_end, 3);
	assert_true(directory_read(&directory, 2, 0, back, SEGMENT_BYTES, error, sizeof(error)));
	then_filled(back, SEGMENT_BYTES, BLANK);
	/* Nothing is left to be allocated when it is written to. */
	assert_int_equal(stat(path_of("segment-0002"), &s), 0);
	assert_true((uint64_t)s.st_blocks * 512 >= SEGMENT_BYTES);
}

static void the_first_segment_becomes_the_next_one_as_it_is(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_true(directory_recycle_segment(&directory, error, sizeof(error)));
	assert_int_equal(directory.segments_first, 1);
	assert_int_equal(directory.segments_end, 3);
	assert_true(directory_recycle_segment(&directory, error, sizeof(error)));
	assert_true(directory_add_segment(&directory, blank, error, sizeof(error)));
	assert_int_equal(access(path_of("segment-0001"), F_OK), -1);
	directory_close(&directory);
	given_open();
	assert_int_equal(directory.segments_first, 2);
	assert_int_equal(directory.segments_end, 5);
	assert_true(directory_read(&directory, 2, 0, back, SEGMENT_BYTES, error, sizeof(error)));
	then_filled(back, JOURNAL_BLOCK_BYTES, FIRST);
	assert_true(directory_read(&directory, 4, 0, back, SEGMENT_BYTES, error, sizeof(error)));
	then_filled(back, SEGMENT_BYTES, BLANK);
}

/* Numbers go up for ever, beyond the most segments that there may be, and four digits. */
static void numbers_of_segments_go_up_for_ever(void **state)
{
	(void)state;
	given_formatted();
	when_renamed("segment-0000", "segment-9999");
	when_renamed("segment-0001", "segment-10000");
	given_open();
	assert_int_equal(directory.segments_first, 9999);
	assert_int_equal(directory.segments_end, 10001);
	assert_true(directory_recycle_segment(&directory, error, sizeof(error)));
	assert_true(directory_read(&directory, 10001, 0, back, JOURNAL_BLOCK_BYTES, error,
		sizeof(error)));
	then_filled(back, JOURNAL_BLOCK_BYTES, FIRST);
	assert_int_equal(access(path_of("segment-10001"), F_OK), 0);
}

/* Else a journal that lost a part is taken for one that ends there. */
static void a_segment_that_is_missing_among_others_is_refused(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_true(directory_add_segment(&directory, blank, error, sizeof(error)));
	directory_close(&directory);
	unlink(path_of("segment-0001"));
	refused("/replica-0/segment-0001 is not there, and later ones are: give it back; if it is "
		"lost, so are promises, and this member must be replaced.");
	when_renamed("segment-0002", "segment-2000");
	refused("/replica-0 has segments 0 to 2000, which are more than 1024.");
}

static void a_segment_of_another_size_is_refused(void **state)
{
	(void)state;
	given_formatted();
	config.journal.segment_bytes *= 2;
	refused("/replica-0/segment-0000 has 262144 bytes, not 524288: give the size with which "
		"the directory was formatted.");
}

static void reading_past_the_end_is_an_error(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_false(directory_read(&directory, 0, SEGMENT_BYTES - JOURNAL_BLOCK_BYTES, back,
		SUPERBLOCKS_BYTES, error, sizeof(error)));
	then_said("/replica-0/segment-0000 can not be read: Input/output error.");
	directory_close(&directory);
	truncate(path_of("superblock"), JOURNAL_BLOCK_BYTES);
	given_open();
	assert_false(directory_read_superblocks(&directory, back, error, sizeof(error)));
	then_said("/replica-0/superblock can not be read: Input/output error.");
}

static void a_superblock_written_again_reads_back(void **state)
{
	(void)state;
	given_formatted();
	given_open();
	assert_true(directory_write_superblock(&directory, 1, superblocks, error, sizeof(error)));
	directory_close(&directory);
	given_open();
	assert_true(directory_read_superblocks(&directory, back, error, sizeof(error)));
	assert_memory_equal(back, superblocks, JOURNAL_BLOCK_BYTES);
	assert_memory_equal(back + JOURNAL_BLOCK_BYTES, superblocks, JOURNAL_BLOCK_BYTES);
}

static void a_directory_in_memory_is_used_only_if_the_configuration_says_so(void **state)
{
	(void)state;
	remove_folder();
	given_folder("/dev/shm", false);
	assert_false(when_formatted());
	then_said("/replica-0 is in memory and lost with it: give a directory on a disk, or say "
		  "journal.memory_backed: true.");
	config.journal.memory_backed = true;
	given_formatted();
	given_open();
}

static void a_disk_is_not_called_memory(void **state)
{
	(void)state;
	config.journal.memory_backed = true;
	assert_false(when_formatted());
	then_said("/replica-0 is not in memory: give false, or a directory of a tmpfs.");
}

static void a_folder_that_can_not_be_made_is_named(void **state)
{
	(void)state;
	remove_folder();
	assert_false(when_formatted());
	assert_non_null(strstr(error, "can not be made (No such file or directory): make "));
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_directory_that_is_not_there_is_refused_with_the_cure),
		T(an_empty_directory_is_refused_with_the_cure),
		T(what_was_formatted_opens_with_its_superblock_and_segments),
		T(a_formatted_directory_is_not_formatted_again),
		T(a_formatting_that_broke_off_begins_anew),
		T(a_directory_in_use_is_refused),
		T(each_replica_has_its_own),
		T(the_first_write_stands_at_the_first_place),
		T(a_segment_is_written_from_end_to_end),
		T(the_first_segment_becomes_the_next_one_as_it_is),
		T(numbers_of_segments_go_up_for_ever),
		T(a_segment_that_is_missing_among_others_is_refused),
		T(a_segment_of_another_size_is_refused),
		T(reading_past_the_end_is_an_error),
		T(a_superblock_written_again_reads_back),
		T(a_directory_in_memory_is_used_only_if_the_configuration_says_so),
		T(a_disk_is_not_called_memory),
		T(a_folder_that_can_not_be_made_is_named),
	};

	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
