/* The snapshot in a data directory: replaced as a whole, or not at all. */
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/given_directory.h"

#include "dataplane/snapshot_file.h"

enum {
	IMAGE_BYTES = 3 << 20,
	AS_LONG_AS_ITS_MEMORY = IMAGE_BYTES,
};

static uint8_t bytes[IMAGE_BYTES];
static uint8_t read_back[IMAGE_BYTES + 1];

static int setup_in(const char *above, bool memory)
{
	given_folder(above, memory);
	given_formatted();
	given_open();
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 4096);
	return 0;
}

static int on_a_disk(void **state)
{
	(void)state;
	return setup_in(".", false);
}

static int in_memory(void **state)
{
	(void)state;
	return setup_in("/dev/shm", true);
}

static int teardown(void **state)
{
	(void)state;
	directory_close(&directory);
	remove_folder();
	return 0;
}

static void when_kept(const uint8_t *from, uint64_t length)
{
	if (snapshot_file_write(&directory, from, length, error, sizeof(error)) !=
		SNAPSHOT_FILE_KEPT)
		fail_msg("%s", error);
}

static void then_reads(const uint8_t *expected, uint64_t expected_length)
{
	uint64_t length;

	if (!snapshot_file_read(&directory, read_back, IMAGE_BYTES, &length, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(length, expected_length);
	assert_memory_equal(read_back, expected, length);
}

static void none_is_no_error(void **state)
{
	(void)state;
	then_reads(bytes, 0);
}

static void what_was_kept_reads_back_whatever_its_length(void **state)
{
	const uint64_t lengths[] = {8, 4096, 4104, (1 << 20) - 8, 1 << 20, (1 << 20) + 8,
		AS_LONG_AS_ITS_MEMORY};

	(void)state;
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		when_kept(bytes, lengths[i]);
		then_reads(bytes, lengths[i]);
	}
}

static void a_new_one_takes_the_old_ones_place(void **state)
{
	(void)state;
	when_kept(bytes, IMAGE_BYTES);
	when_kept(bytes + 8, 5000);
	then_reads(bytes + 8, 5000);
	assert_int_equal(access(path_of("snapshot-new"), F_OK), -1);
}

/* The size of a file is limited: as a disk that runs full in the middle. */
static void limit(rlim_t size)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* scenarios.md, storage: disk full at each write. */
static void without_room_the_old_one_stays_and_nothing_is_left_of_the_new_one(void **state)
{
	(void)state;
	when_kept(bytes, 9000);
	limit(1 << 20);
	enum snapshot_file_result result =
		snapshot_file_write(&directory, bytes + 8, IMAGE_BYTES - 8, error, sizeof(error));
	limit(RLIM_INFINITY);
	assert_int_equal(result, SNAPSHOT_FILE_FULL);
	then_said("/replica-0/snapshot of 3145720 bytes can not be written: File too large: until "
		  "one can, the journal grows.");
	assert_int_equal(access(path_of("snapshot-new"), F_OK), -1);
	then_reads(bytes, 9000);
	when_kept(bytes + 8, IMAGE_BYTES - 8);
	then_reads(bytes + 8, IMAGE_BYTES - 8);
}

static void what_is_no_lack_of_room_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("snapshot-new"), 0700), 0);
	assert_int_equal(snapshot_file_write(&directory, bytes, 8, error, sizeof(error)),
		SNAPSHOT_FILE_FAILED);
	assert_int_equal(rmdir(path_of("snapshot-new")), 0);
}

/* A crash in the middle of writing it. */
static void what_is_half_written_is_never_read_and_goes(void **state)
{
	FILE *f;

	(void)state;
	when_kept(bytes, 9000);
	f = fopen(path_of("snapshot-new"), "w");
	assert_non_null(f);
	fputs("half", f);
	fclose(f);
	then_reads(bytes, 9000);
	snapshot_file_clean(&directory);
	assert_int_equal(access(path_of("snapshot-new"), F_OK), -1);
	then_reads(bytes, 9000);
}

static void one_that_does_not_fit_is_not_read(void **state)
{
	uint64_t length = 1;

	(void)state;
	when_kept(bytes, 9000);
	assert_false(snapshot_file_read(&directory, back, 8992, &length, error, sizeof(error)));
	assert_int_equal(length, 0);
	then_said("/replica-0/snapshot can not be read: File too large.");
}

/* Else a member that is new begins with another one's state. */
static void a_formatting_removes_it(void **state)
{
	(void)state;
	when_kept(bytes, 9000);
	directory_close(&directory);
	unlink(path_of("superblock"));
	given_formatted();
	given_open();
	then_reads(bytes, 0);
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, on_a_disk, teardown)
	const struct CMUnitTest tests[] = {
		T(none_is_no_error),
		T(what_was_kept_reads_back_whatever_its_length),
		cmocka_unit_test_setup_teardown(what_was_kept_reads_back_whatever_its_length,
			in_memory, teardown),
		T(a_new_one_takes_the_old_ones_place),
		T(without_room_the_old_one_stays_and_nothing_is_left_of_the_new_one),
		T(what_is_no_lack_of_room_is_told_apart),
		T(what_is_half_written_is_never_read_and_goes),
		T(one_that_does_not_fit_is_not_read),
		T(a_formatting_removes_it),
	};

	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
