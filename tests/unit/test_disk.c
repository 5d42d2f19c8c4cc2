/* The journal's writes: what counts as durable, and what ends it. */
#include "tests/unit/given_directory.h"

#include <errno.h>

#include "dataplane/disk.h"

enum {
	BUFFER_BYTES = JOURNAL_WRITE_BYTES,
};

static struct disk disk;
static bool opened;
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t buffers[DISK_FLIGHTS * BUFFER_BYTES];

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
	if (!disk_open(&disk, &directory, buffers, sizeof(buffers), &faults, error, sizeof(error)))
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
static void when_written(uint64_t place, uint32_t count, uint8_t fill)
{
	uint8_t *buffer = buffers + disk.begun % DISK_FLIGHTS * BUFFER_BYTES;

	assert_true(disk_room(&disk) > 0);
	memset(buffer, fill, (size_t)count * JOURNAL_BLOCK_BYTES);
	disk_write(&disk, place, buffer, count);
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

static void then_reads(uint64_t place, uint8_t fill)
{
	assert_true(directory_read(&directory, place / SEGMENT_BLOCKS,
		place % SEGMENT_BLOCKS * JOURNAL_BLOCK_BYTES, back, JOURNAL_BLOCK_BYTES, error,
		sizeof(error)));
	then_filled(back, JOURNAL_BLOCK_BYTES, fill);
}

static void a_write_reads_back_once_it_is_durable(void **state)
{
	(void)state;
	when_written(SEGMENT_BLOCKS + 3, 2, 0xa1);
	then_durable(1);
	assert_int_equal(disk.bytes, 2 * JOURNAL_BLOCK_BYTES);
	then_reads(SEGMENT_BLOCKS + 2, BLANK);
	then_reads(SEGMENT_BLOCKS + 3, 0xa1);
	then_reads(SEGMENT_BLOCKS + 4, 0xa1);
	then_reads(SEGMENT_BLOCKS + 5, BLANK);
}

static void the_largest_write_is_whole(void **state)
{
	(void)state;
	when_written(0, JOURNAL_WRITE_BLOCKS, 0x77);
	then_durable(1);
	then_reads(0, 0x77);
	then_reads(JOURNAL_WRITE_BLOCKS - 1, 0x77);
}

static void a_superblock_goes_to_its_slot(void **state)
{
	(void)state;
	memset(buffers, 0x5b, JOURNAL_BLOCK_BYTES);
	disk_write_superblock(&disk, 1, buffers);
	then_durable(1);
	assert_true(directory_read_superblocks(&directory, back, error, sizeof(error)));
	assert_memory_equal(back, superblocks, JOURNAL_BLOCK_BYTES);
	then_filled(back + JOURNAL_BLOCK_BYTES, JOURNAL_BLOCK_BYTES, 0x5b);
}

static void there_is_room_for_each_write_and_its_superblock(void **state)
{
	(void)state;
	assert_int_equal(disk_room(&disk), 2 * JOURNAL_DEPTH);
	for (uint32_t i = 0; i < DISK_FLIGHTS; i++)
		said[i] = DISK_HELD;
	for (uint32_t i = 0; i < DISK_FLIGHTS; i++)
		when_written(i, 1, (uint8_t)i);
	assert_int_equal(disk_in_flight(&disk), DISK_FLIGHTS);
	assert_int_equal(disk_room(&disk), 0);
	said[0] = MIND_NOTHING;
	then_durable(1);
	assert_int_equal(disk_room(&disk), 1);
}

static void many_writes_one_after_the_other_are_durable(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITES_MAX; i++) {
		while (disk_room(&disk) == 0)
			disk_poll(&disk);
		when_written(i % 2 * SEGMENT_BLOCKS + i, 1, (uint8_t)i);
	}
	then_durable(WRITES_MAX);
	for (uint32_t i = 0; i < WRITES_MAX; i++)
		then_reads(i % 2 * SEGMENT_BLOCKS + i, (uint8_t)i);
}

static void a_write_does_not_count_before_all_that_were_begun_earlier(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	when_written(0, 1, 1);
	when_written(1, 1, 2);
	when_written(2, 1, 3);
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
	assert_int_equal(disk_room(&disk), 0);
}

static void stops_at(int32_t result, const char *cause)
{
	said[1] = result;
	when_written(4, 1, 1);
	then_durable(1);
	when_written(5, 2, 2);
	when_written(7, 1, 3);
	then_stopped(1, cause);
}

/* scenarios.md, storage: write error; short write; EINTR: never counted as durable; no retry. */
static void an_error_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-EIO,
		"/replica-0/segment-0000: a write of 8192 bytes at 20480 failed: "
		"Input/output error");
}

static void a_full_disk_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-ENOSPC, "8192 bytes at 20480 failed: No space left on device");
}

static void an_interrupted_write_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(-EINTR, "8192 bytes at 20480 failed: Interrupted system call");
}

static void a_short_write_ends_it_and_is_said(void **state)
{
	(void)state;
	stops_at(JOURNAL_BLOCK_BYTES,
		"/replica-0/segment-0000: of a write of 8192 bytes at 20480, only 4096 "
		"were written");
}

static void only_the_first_failure_is_said(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	said[1] = -EIO;
	when_written(0, 1, 1);
	when_written(1, 1, 2);
	then_stopped(0, "4096 bytes at 4096 failed: Input/output error");
	said[0] = -ENOSPC;
	then_stopped(0, "4096 bytes at 4096 failed: Input/output error");
}

static void a_write_that_ends_well_after_a_failure_does_not_count(void **state)
{
	(void)state;
	said[0] = DISK_HELD;
	said[1] = -EIO;
	when_written(0, 1, 1);
	when_written(1, 1, 2);
	then_stopped(0, "4096 bytes at 4096 failed");
	said[0] = MIND_NOTHING;
	then_stopped(0, "4096 bytes at 4096 failed");
}

/* The kernel's own word, not a test's. */
static void what_the_kernel_refuses_ends_it(void **state)
{
	(void)state;
	disk_write(&disk, 0, blank, 1); /* None of the registered buffers. */
	then_stopped(0, "/replica-0/segment-0000: a write of 4096 bytes at 0 failed: Bad address");
}

static void a_segment_added_while_it_runs_is_written_to(void **state)
{
	(void)state;
	assert_int_equal(disk_segments(&disk), 2);
	when_written(0, 1, 1);
	assert_true(disk_add_segment(&disk, blank, error, sizeof(error)));
	assert_int_equal(disk_segments(&disk), 3);
	when_written(2 * SEGMENT_BLOCKS + 9, 1, 0x5a);
	then_durable(2);
	then_reads(2 * SEGMENT_BLOCKS + 8, BLANK);
	then_reads(2 * SEGMENT_BLOCKS + 9, 0x5a);
}

static void a_free_segment_is_written_to_under_its_next_number(void **state)
{
	(void)state;
	when_written(SEGMENT_BLOCKS + 1, 1, 1);
	assert_true(disk_recycle_segment(&disk, error, sizeof(error)));
	assert_int_equal(disk_segments(&disk), 3);
	when_written(2 * SEGMENT_BLOCKS + 9, 1, 0x5a);
	then_durable(2);
	then_reads(2 * SEGMENT_BLOCKS, FIRST);
	then_reads(2 * SEGMENT_BLOCKS + 9, 0x5a);
	then_reads(SEGMENT_BLOCKS + 1, 1);
	assert_true(disk_add_segment(&disk, blank, error, sizeof(error)));
	when_written(3 * SEGMENT_BLOCKS, 1, 0x5b);
	then_durable(3);
	then_reads(3 * SEGMENT_BLOCKS, 0x5b);
}

/* Is a segment that has no name any more still mapped, or one of the ring's? */
static bool is_held(const char *list)
{
	FILE *f = fopen(list, "r");
	char line[4096];
	bool held = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		held |= strstr(line, "segment-") != NULL && strstr(line, "(deleted)") != NULL;
	fclose(f);
	return held;
}

static void a_segment_that_is_dropped_gives_its_room_back(void **state)
{
	char ring[64];

	(void)state;
	snprintf(ring, sizeof(ring), "/proc/self/fdinfo/%d", disk.ring.ring_fd);
	/* The file of the first one was another one before. */
	assert_true(disk_recycle_segment(&disk, error, sizeof(error)));
	assert_true(disk_recycle_segment(&disk, error, sizeof(error)));
	when_written(3 * SEGMENT_BLOCKS + 9, 1, 0x5a);
	assert_true(disk_drop_segment(&disk, error, sizeof(error)));
	assert_int_equal(directory.segments_first, 3);
	assert_int_equal(access(path_of("segment-0002"), F_OK), -1);
	assert_false(is_held("/proc/self/maps"));
	if (!directory.memory_backed)
		assert_false(is_held(ring));
	assert_true(disk_add_segment(&disk, blank, error, sizeof(error)));
	when_written(4 * SEGMENT_BLOCKS, 1, 0x5b);
	then_durable(2);
	then_reads(3 * SEGMENT_BLOCKS + 9, 0x5a);
	then_reads(4 * SEGMENT_BLOCKS, 0x5b);
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
		T(the_largest_write_is_whole),
		T(a_superblock_goes_to_its_slot),
		T(there_is_room_for_each_write_and_its_superblock),
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
		T(a_free_segment_is_written_to_under_its_next_number),
		T(a_segment_that_is_dropped_gives_its_room_back),
		T(the_directory_stays_locked_while_a_write_may_still_land),
		M(a_write_reads_back_once_it_is_durable),
		M(many_writes_one_after_the_other_are_durable),
		M(a_write_does_not_count_before_all_that_were_begun_earlier),
		M(an_error_ends_it_and_is_said),
		M(a_short_write_ends_it_and_is_said),
		M(a_segment_added_while_it_runs_is_written_to),
		M(a_free_segment_is_written_to_under_its_next_number),
		M(a_segment_that_is_dropped_gives_its_room_back),
	};

	if (!is_on_disk(".")) {
		printf("%s\n", error);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
