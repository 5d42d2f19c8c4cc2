/* Recordings: a stage's steps in a file of its own, there without being closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

#include <cmocka.h>

#include "dataplane/recording.h"
#include "tests/unit/given_dpdk.h"

enum {
	SELF = 1,
	SHARDS = 2,
	STAGES = 2 + SHARDS,
	STEPS = 100,
	PATH_BYTES = 512
};

static struct replica replica;
static char folder[] = "/tmp/paxwire-recording-XXXXXX";
static char steps_folder[PATH_BYTES];

static int setup(void **state)
{
	(void)state;
	memset(&replica, 0, sizeof(replica));
	replica.settings.self = SELF;
	replica.settings.members = 3;
	replica.settings.shards = SHARDS;
	replica.settings.durability = DURABILITY_SYNC;
	if (quorum_init_majority(&replica.quorum, 3) != QUORUM_OK)
		return -1;
	for (uint32_t p = 0; p < POSITIONS_MAX; p++)
		replica.crossings[p].outlet.context = &replica.crossings[p];
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(steps_folder, sizeof(steps_folder), "%s/steps", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[2 * PATH_BYTES];

	(void)state;
	recording_stop(&replica);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void when_started(void)
{
	char error[256] = "";

	assert_true(recording_start(&replica, steps_folder, error, sizeof(error)));
}

static void when_step(uint32_t position, enum transition_event event, uint64_t first)
{
	outlet_watch(&replica.crossings[position].outlet, event, 65536, first, 5);
}

static FILE *open_stage(uint32_t position)
{
	char end[32];
	char path[2 * PATH_BYTES] = "";
	DIR *listed = opendir(steps_folder);
	struct dirent *entry;

	assert_non_null(listed);
	snprintf(end, sizeof(end), "-%u.rec", position);
	while ((entry = readdir(listed)) != NULL)
		if (strstr(entry->d_name, end) != NULL)
			snprintf(path, sizeof(path), "%s/%s", steps_folder, entry->d_name);
	closedir(listed);
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	return file;
}

static uint64_t bytes_of(uint32_t position)
{
	FILE *file = open_stage(position);

	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	uint64_t bytes = (uint64_t)ftell(file);

	fclose(file);
	return bytes;
}

/* Reads the file of a stage as it is now; returns the steps in it, of at most `max`. */
static uint32_t read_stage(uint32_t position, struct trace_file_header *head,
	struct trace_file_step *steps, uint32_t max)
{
	FILE *file = open_stage(position);
	uint32_t count = 0;

	assert_int_equal(fread(head, sizeof(*head), 1, file), 1);
	while (count < max && fread(&steps[count], sizeof(*steps), 1, file) == 1 &&
		steps[count].stage != 0)
		count++;
	fclose(file);
	return count;
}

static void each_stage_has_a_file_that_needs_no_closing(void **state)
{
	const uint32_t positions[STAGES] = {POSITION_LEADER, POSITION_LEARNER, POSITION_ACCEPTOR,
		POSITION_ACCEPTOR + 1};
	const uint8_t stages[STAGES] = {TRACE_FILE_LEADER, TRACE_FILE_LEARNER, TRACE_FILE_ACCEPTOR,
		TRACE_FILE_ACCEPTOR + 1};
	static struct trace_file_step steps[STEPS + 1];
	struct trace_file_header head;

	(void)state;
	when_started();
	for (uint32_t i = 0; i < STEPS; i++)
		for (uint32_t p = 0; p < STAGES; p++)
			when_step(positions[p], TRANSITION_VOTED, i);
	assert_int_equal(recording_steps(&replica), STAGES * STEPS);
	for (uint32_t p = 0; p < STAGES; p++) {
		assert_int_equal(read_stage(positions[p], &head, steps, STEPS + 1), STEPS);
		assert_int_equal(head.magic, TRACE_FILE_MAGIC);
		assert_int_equal(head.members, 3);
		assert_int_equal(head.shards, SHARDS);
		assert_int_equal(head.durable, 1);
		assert_int_equal(head.phase1[0], 0xe8); /* Sets of at least two of three. */
		for (uint32_t i = 0; i < STEPS; i++) {
			assert_int_equal(steps[i].first, i);
			assert_int_equal(steps[i].ballot, 65536);
			assert_int_equal(steps[i].count, 5);
			assert_int_equal(steps[i].event, TRANSITION_VOTED);
			assert_int_equal(steps[i].member, SELF);
			assert_int_equal(steps[i].stage, stages[p]);
			assert_true(i == 0 || steps[i].at > steps[i - 1].at);
		}
	}
}

static void details_are_recorded_until_it_stops(void **state)
{
	(void)state;
	when_started();
	assert_true(replica.crossings[POSITION_LEADER].outlet.details);
	when_step(POSITION_LEARNER, TRANSITION_DELIVERED, 1);
	recording_stop(&replica);
	assert_int_equal(bytes_of(POSITION_LEARNER),
		sizeof(struct trace_file_header) + sizeof(struct trace_file_step));
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		assert_false(replica.crossings[p].outlet.details);
		assert_null(replica.crossings[p].outlet.watch);
		when_step(p, TRANSITION_VOTED, 1);
	}
	assert_int_equal(recording_steps(&replica), 0);
	/* A second life has files of its own. */
	when_started();
	when_step(POSITION_LEADER, TRANSITION_PREPARING, 1);
	assert_int_equal(recording_steps(&replica), 1);
}

static void what_can_not_be_made_is_told(void **state)
{
	char error[256] = "";

	(void)state;
	assert_false(recording_start(&replica, "/proc/no-such-folder/steps", error, sizeof(error)));
	assert_non_null(
		strstr(error, "--record: the folder /proc/no-such-folder/steps can not be made"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_stage_has_a_file_that_needs_no_closing),
		TEST(details_are_recorded_until_it_stops),
		TEST(what_can_not_be_made_is_told),
	};

	if (!given_dpdk("recording"))
		return SKIPPED;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	return failed;
}
