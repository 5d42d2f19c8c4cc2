/* The journal's writes: what counts as durable, and what ends it. */
#include "tests/unit/given_directory.h"

#include <errno.h>

#include "dataplane/disk.h"

static struct disk disk;
static bool opened;

/* What the kernel is made to say of each write; MIND_NOTHING: what it says itself. */
enum {
	WRITES_MAX = 64,
	MIND_NOTHING = INT32_MAX,
};
static int32_t said[WRITES_MAX];

static int32_t fault(void *context, uint64_t write, int32_t result)
{
	(void)context;
	return said[write] == MIND_NOTHING ? result : said[write];
}

static const struct disk_faults faults = {.result = fault};

static void given_disk(void)
{
	for (uint32_t i = 0; i < WRITES_MAX; i++)
		said[i] = MIND_NOTHING;
	given_formatted();
	given_open();
	if (!disk_open(&disk, &directory, config.journal.depth, &faults, error, sizeof(error)))
		fail_msg("%s", error);
	opened = true;
}

static int on_a_disk(void **state)
{
	(void)state;
	given_folder(".", false);
	given_disk();
	return 0;
}

static int in_memory(void **state)
{
	(void)state;
	given_folder("/dev/shm", true);
	given_disk();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (opened)
		disk_close(&disk);
	opened = false;
	directory_close(&directory);
	remove_folder();
	return 0;
}

/* A write whose every byte is `fill`. */
static void when_written(uint32_t segment, uint32_t block, uint32_t count, uint8_t fill)
{
	uint8_t *buffer = disk_begin(&disk);

	assert_non_null(buffer);
	assert_int_equal((uintptr_t)buffer % DISK_BLOCK, 0);
	memset(buffer, fill, (size_t)count * DISK_BLOCK);
	disk_write(&disk, (struct disk_place){.segment = segment, .block = block}, count);
}

/* Polls until as many are durable; a write takes as long as it takes. */
static void then_durable(uint64_t count)
{
	while (disk_poll(&disk) < count && !disk_stopped(&disk))
		usleep(100);
	assert_int_equal(disk.durable, count);
}

/* Most likely every write has ended then; a rule's breach may pass unseen, never a false alarm. */
static void when_time_has_passed(void)
{
	for (uint32_t i = 0; i < 50; i++) {
		disk_poll(&disk);
		usleep(1000);
	}
}

static void then_reads(uint32_t segment, uint32_t block, uint8_t fill)
{
	assert_true(directory_read(&directory, segment, (uint64_t)block * DISK_BLOCK, blocks,
		DISK_BLOCK, error, sizeof(error)));
	for (uint32_t i = 0; i < DISK_BLOCK; i++)
		assert_int_equal(blocks[i], fill);
}

static void a_write_reads_back_once_it_is_durable(void **state)
{
	(void)state;
	when_written(1, 3, 2, 0xa1);
	then_durable(1);
	assert_int_equal(disk.bytes, 2 * DISK_BLOCK);
	then_reads(1, 2, 0);
	then_reads(1, 3, 0xa1);
	then_reads(1, 4, 0xa1);
	then_reads(1, 5, 0);
}

static void a_buffer_holds_the_largest_write(void **state)
{
	uint32_t most = DISK_WRITE_BYTES_MAX / DISK_BLOCK;

	(void)state;
	assert_int_equal(DISK_WRITE_BYTES_MAX, SEGMENT_BYTES);
	when_written(0, 0, most, 0x77);
	then_durable(1);
	then_reads(0, most - 1, 0x77);
}

static void no_more_are_in_flight_than_the_depth(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITES_MAX / 2; i++)
		said[i] = DISK_HELD;
	for (uint32_t i = 0; i < config.journal.depth; i++)
		when_written(0, i, 1, (uint8_t)i);
	assert_int_equal(disk_in_flight(&disk), config.journal.depth);
	assert_null(disk_begin(&disk));
	said[0] = MIND_NOTHING;
	then_durable(1);
	assert_non_null(disk_begin(&disk));
}

static void many_writes_one_after_the_other_are_durable(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITES_MAX; i++) {
		while (disk_begin(&disk) == NULL)
			disk_poll(&disk);
		when_written(i % 2, i, 1, (uint8_t)i);
	}
	then_durable(WRITES_MAX);
	for (uint32_t i = 0; i < WRITES_MAX; i++)
		then_reads(i % 2, i, (uint8_t)i);
}

static void a_write_does_not_count_before_all_that_were_begun_earlier(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	when_written(0, 0, 1, 1);
	when_written(0, 1, 1, 2);
	when_written(0, 2, 1, 3);
	when_time_has_passed();
	assert_int_equal(disk.durable, 0);
	assert_false(disk_stopped(&disk));
	said[0] = MIND_NOTHING;
	then_durable(3);
}

static void then_stopped(uint64_t durable, const char *cause)
{
	while (!disk_stopped(&disk))
		disk_poll(&disk);
	when_time_has_passed();
	assert_int_equal(disk.durable, durable);
	assert_non_null(strstr(disk.cause, cause));
	assert_null(disk_begin(&disk));
}

static void stops_at(int32_t result, const char *cause)
{
	said[1] = result;
	when_written(0, 4, 1, 1);
	then_durable(1);
	when_written(0, 5, 2, 2);
	when_written(0, 7, 1, 3);
	then_stopped(1, cause);
}

/* scenarios.md, storage: write error; short write; EINTR: never counted as durable; no retry. */
static void an_error_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-EIO,
		"/replica-0: a write of 8192 bytes to segment 0, block 5 failed: "
		"Input/output error");
}

static void a_full_disk_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-ENOSPC, "block 5 failed: No space left on device");
}

static void an_interrupted_write_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-EINTR, "block 5 failed: Interrupted system call");
}

static void a_short_write_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(DISK_BLOCK,
		"/replica-0: of a write of 8192 bytes to segment 0, block 5, only 4096 "
		"were written");
}

static void only_the_first_failure_is_said(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	said[1] = -EIO;
	when_written(0, 0, 1, 1);
	when_written(0, 1, 1, 2);
	then_stopped(0, "block 1 failed: Input/output error");
	said[0] = -ENOSPC;
	then_stopped(0, "block 1 failed: Input/output error");
}

static void a_write_that_ends_well_after_a_failure_does_not_count(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	said[1] = -EIO;
	when_written(0, 0, 1, 1);
	when_written(0, 1, 1, 2);
	then_stopped(0, "block 1 failed");
	said[0] = MIND_NOTHING;
	then_stopped(0, "block 1 failed");
}

/* The kernel's own word, not a test's. */
static void what_the_kernel_refuses_ends_it(void **state)
{
	(void)state;
	when_written(2, 0, 1, 1); /* There are two segments: 0 and 1. */
	then_stopped(0, "segment 2, block 0 failed: Bad file descriptor");
}

static void a_segment_added_while_it_runs_is_written_to(void **state)
{
	(void)state;
	assert_int_equal(disk_segments(&disk), 2);
	when_written(0, 0, 1, 1);
	assert_true(disk_add_segment(&disk, error, sizeof(error)));
	assert_int_equal(disk_segments(&disk), 3);
	when_written(2, 9, 1, 0x5a);
	then_durable(2);
	then_reads(2, 9, 0x5a);
}

static void the_directory_stays_locked_while_a_write_may_still_land(void **state)
{
	struct directory second;

	(void)state;
	directory_close(&directory); /* As the end of the process does. */
	assert_false(directory_open(&second, &config, 0, error, sizeof(error)));
	then_said("/replica-0 is in use by another process: stop that one first, or give each "
		  "replica its own.");
	disk_close(&disk);
	opened = false;
	given_open();
}

int main(void)
{
#define T(rule) cmocka_unit_test_setup_teardown(rule, on_a_disk, teardown)
#define M(rule)                                                     \
	{                                                           \
#rule "_in_memory", rule, in_memory, teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		T(a_write_reads_back_once_it_is_durable),
		T(a_buffer_holds_the_largest_write),
		T(no_more_are_in_flight_than_the_depth),
		T(many_writes_one_after_the_other_are_durable),
		T(a_write_does_not_count_before_all_that_were_begun_earlier),
		T(an_error_ends_it_and_is_said),
		T(a_full_disk_ends_it_and_is_said),
		T(an_interrupted_write_ends_it_and_is_said),
		T(a_short_write_ends_it_and_is_said),
		T(only_the_first_failure_is_said),
		T(a_write_that_ends_well_after_a_failure_does_not_count),
		T(what_the_kernel_refuses_ends_it),
		T(a_segment_added_while_it_runs_is_written_to),
		T(the_directory_stays_locked_while_a_write_may_still_land),
		M(a_write_reads_back_once_it_is_durable),
		M(many_writes_one_after_the_other_are_durable),
		M(a_write_does_not_count_before_all_that_were_begun_earlier),
		M(an_error_ends_it_and_is_said),
		M(a_short_write_ends_it_and_is_said),
		M(a_segment_added_while_it_runs_is_written_to),
	};

	given_folder(".", false);
	if (!directory_format(&directory, &config, 0, blocks, SUPERBLOCKS, error, sizeof(error))) {
		remove_folder();
		printf("%s\n", error);
		return 77;
	}
	remove_folder();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
