/* The journal's stage: group commit, what the other stages hear, a failed disk. */
#include "tests/unit/given_journal.h"

#include "consensus/replica_journal.h"
#include "tests/unit/given_stage.h"

static struct journal_stage stage;
static struct journal_write submitted[JOURNAL_DEPTH * 4];
static uint32_t submitted_count;

static void submit(void *context, const struct journal_write *w)
{
	(void)context;
	submitted[submitted_count++] = *w;
}

static int setup(void **state)
{
	const struct disk_port disk = {.submit = submit};

	given_journal(state);
	given_settings();
	settings.shards = 2;
	superblock.shards = 2;
	submitted_count = 0;
	journal_stage_init(&stage, &settings, &outlet, &disk, &superblock,
		&(struct journal_start){.place = 1, .number = 2, .previous = 1}, IMAGE_BLOCKS,
		buffers);
	journal_stage_flush(&stage, 1);
	assert_int_equal(submitted_count, 1);
	journal_stage_on_completed(&stage, 2);
	submitted_count = 0;
	sent_count = 0;
	return 0;
}

static uint64_t vote(uint32_t lane, uint64_t first)
{
	_Alignas(8) uint8_t entries[256];
	const struct journal_record r = vote_of(first, 1, 16, entries);
	const struct journal_port *p = journal_stage_port(&stage, lane);

	assert_true(p->room(p->context, r.bytes));
	return p->append(p->context, &r, entries);
}

static void note(uint32_t lane, uint64_t delivered)
{
	const struct journal_record r = {
		.kind = JOURNAL_DELIVERED,
		.first = delivered,
		.shard = (uint8_t)lane,
	};
	const struct journal_port *p = journal_stage_port(&stage, lane);

	p->append(p->context, &r, NULL);
}

static void what_came_together_is_one_write(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 9; i++)
		vote((uint32_t)i % 2, i);
	journal_stage_flush(&stage, 2);
	journal_stage_flush(&stage, 3);
	assert_int_equal(submitted_count, 1);
}

static void each_shard_hears_its_own_position(void **state)
{
	(void)state;
	vote(0, 1);
	vote(0, 2);
	vote(1, 3);
	journal_stage_flush(&stage, 2);
	assert_int_equal(sent_count, 0);
	journal_stage_on_completed(&stage, submitted[0].number);
	assert_int_equal(sent_of(MESSAGE_DURABLE), 2);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 0)->m.shard, 0);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 0)->m.first, 2);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 1)->m.shard, 1);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 1)->m.first, 1);
	assert_true(sent_nth(MESSAGE_DURABLE, 1)->to.local);
}

static void a_shard_without_records_hears_nothing(void **state)
{
	(void)state;
	vote(1, 3);
	journal_stage_flush(&stage, 2);
	journal_stage_on_completed(&stage, submitted[0].number);
	assert_int_equal(the_only(MESSAGE_DURABLE)->m.shard, 1);
}

static void every_shard_hears_what_is_delivered_once_all_said_so(void **state)
{
	(void)state;
	note(0, 300);
	vote(1, 3);
	journal_stage_flush(&stage, 2);
	journal_stage_on_completed(&stage, submitted[0].number);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 0)->m.watermark, 0);
	sent_count = 0;
	note(1, 300);
	vote(1, 4);
	journal_stage_flush(&stage, 3);
	journal_stage_on_completed(&stage, submitted[1].number);
	assert_int_equal(sent_of(MESSAGE_DURABLE), 2);
	assert_int_equal(sent_nth(MESSAGE_DURABLE, 0)->m.watermark, 300);
	/* The leader tells it to whoever leads. */
	assert_int_equal(the_only(MESSAGE_PINNED)->m.watermark, 300);
}

static void the_leader_hears_that_its_pins_are_durable(void **state)
{
	(void)state;
	const struct journal_port *p = journal_stage_port(&stage, JOURNAL_LANE_LEADER);
	const struct journal_record pin = {.kind = JOURNAL_PIN, .ballot = 7, .first = 1};

	p->append(p->context, &pin, NULL);
	journal_stage_flush(&stage, 2);
	journal_stage_on_completed(&stage, submitted[0].number);
	assert_int_equal(the_only(MESSAGE_PINNED)->m.first, 1);
	assert_int_equal(sent_of(MESSAGE_DURABLE), 0);
}

/* Else an idle cluster writes a block of its own for each commit. */
static void what_was_delivered_waits_for_company_but_not_for_ever(void **state)
{
	(void)state;
	note(0, 300);
	journal_stage_flush(&stage, 2);
	assert_int_equal(submitted_count, 0);
	journal_stage_flush(&stage, 2 + JOURNAL_LAZY_NS);
	assert_int_equal(submitted_count, 1);
	note(0, 301);
	vote(0, 301);
	journal_stage_flush(&stage, 3 + JOURNAL_LAZY_NS);
	assert_int_equal(submitted_count, 2);
}

/* J10; scenarios.md, storage: write or sync error: never counted as durable; no retry. */
static void after_an_error_nothing_is_written_or_called_durable(void **state)
{
	(void)state;
	vote(0, 1);
	journal_stage_flush(&stage, 2);
	vote(0, 2);
	journal_stage_flush(&stage, 3);
	assert_int_equal(submitted_count, 2);
	journal_stage_on_failed(&stage);
	assert_int_equal(sent_of(MESSAGE_DISK_FAILED), 1);
	journal_stage_on_completed(&stage, submitted[0].number);
	journal_stage_on_failed(&stage);
	journal_stage_flush(&stage, 4 + JOURNAL_LAZY_NS);
	assert_int_equal(sent_count, 1);
	assert_int_equal(submitted_count, 2);
	const struct journal_port *p = journal_stage_port(&stage, 0);

	assert_false(p->room(p->context, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_came_together_is_one_write, setup),
		cmocka_unit_test_setup(each_shard_hears_its_own_position, setup),
		cmocka_unit_test_setup(a_shard_without_records_hears_nothing, setup),
		cmocka_unit_test_setup(every_shard_hears_what_is_delivered_once_all_said_so, setup),
		cmocka_unit_test_setup(the_leader_hears_that_its_pins_are_durable, setup),
		cmocka_unit_test_setup(what_was_delivered_waits_for_company_but_not_for_ever,
			setup),
		cmocka_unit_test_setup(after_an_error_nothing_is_written_or_called_durable, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
