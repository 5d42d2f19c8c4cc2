/* consensus/journal.h. */
#include "tests/unit/given_journal.h"

static void every_write_starts_at_a_fresh_block(void **state)
{
	(void)state;
	append_vote(1, 16);
	const struct journal_write a = close_write();

	append_vote(2, 16);
	const struct journal_write b = close_write();

	assert_int_equal(a.blocks, 1);
	assert_int_equal(b.place, a.place + 1);
	assert_int_equal(b.number, a.number + 1);
	assert_ptr_not_equal(a.bytes, b.bytes);
}

static void a_write_has_no_more_blocks_than_its_records_need(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		append_vote(i, 3000);
	const struct journal_write w = close_write();

	assert_int_equal(w.blocks, 3);
}

static void nothing_appended_is_nothing_to_write(void **state)
{
	(void)state;
	struct journal_write w;

	assert_false(journal_close(&journal, &w));
}

static void a_life_begins_with_a_write_of_its_own(void **state)
{
	(void)state;
	when_restarted();
	assert_true(journal_urgent(&journal));
	const struct journal_write w = close_write();

	assert_int_equal(w.blocks, 1);
	assert_false(journal_urgent(&journal));
}

/* J11. Else a torn write of many blocks stands where the damage was seen, and says nothing. */
static void what_a_start_found_lost_is_told_by_one_block_alone(void **state)
{
	(void)state;
	struct journal_write more;

	begin_life(&(struct journal_start){.place = 2,
		.number = 9,
		.previous = 2,
		.blind = ACCEPTOR_WINDOW});
	for (uint64_t i = 0; journal_room(&journal, entry_bytes(16)); i++)
		append_vote(i, 16);
	const struct journal_write first = close_write();

	assert_int_equal(first.blocks, 1);
	append_vote(1, 16);
	assert_false(journal_close(&journal, &more));
	written(&first);
	assert_true(journal_close(&journal, &more));
	append_vote(2, 16);
	assert_true(journal_close(&journal, &more));
}

/* J5. Else a vote is acknowledged whose write has a hole in front of it. */
static void durable_is_the_contiguous_prefix_of_completed_writes(void **state)
{
	(void)state;
	uint64_t first = append_vote(1, 16);
	const struct journal_write a = close_write();
	uint64_t second = append_vote(2, 16);
	const struct journal_write b = close_write();

	assert_false(journal_completed(&journal, b.number));
	assert_true(journal.durable.positions[0] < first);
	assert_true(journal_completed(&journal, a.number));
	assert_int_equal(journal.durable.number, b.number);
	assert_int_equal(journal.durable.positions[0], second);
}

static void no_more_writes_are_in_flight_than_recovery_expects(void **state)
{
	(void)state;
	struct journal_write w[JOURNAL_DEPTH];
	struct journal_write more;

	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++) {
		append_vote(i, 16);
		w[i] = close_write();
	}
	append_vote(99, 16);
	assert_false(journal_close(&journal, &more));
	journal_completed(&journal, w[0].number);
	assert_true(journal_close(&journal, &more));
}

/* Else what the disk still reads is overwritten by the next write's records. */
static void a_buffer_is_used_again_once_its_write_is_durable_and_not_before(void **state)
{
	(void)state;
	struct journal_write w[JOURNAL_DEPTH];

	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++) {
		append_vote(i, 16);
		w[i] = close_write();
		for (uint32_t k = 0; k < i; k++)
			assert_ptr_not_equal(w[k].bytes, w[i].bytes);
	}
	journal_completed(&journal, w[1].number); /* But the one before it is not. */
	journal_completed(&journal, w[0].number);
	for (uint64_t i = 0; i < 2; i++) {
		append_vote(100 + i, 16);
		const struct journal_write next = close_write();

		for (uint32_t k = 2; k < JOURNAL_DEPTH; k++)
			assert_ptr_not_equal(next.bytes, w[k].bytes);
	}
	/* With one in flight at a time two buffers are enough: they stay in the cache. */
	for (uint64_t n = w[2].number; n < journal.number; n++)
		journal_completed(&journal, n);
	for (uint64_t i = 0; i < 2 * JOURNAL_BUFFERS; i++) {
		append_vote(200 + i, 16);
		const struct journal_write next = close_write();

		journal_completed(&journal, next.number);
		if (i > 1)
			assert_true(next.bytes < buffers + 2 * JOURNAL_BUFFER_BYTES);
	}
}

/* J6. */
static void a_write_never_straddles_a_segment(void **state)
{
	(void)state;
	uint64_t last = 0;

	for (uint64_t i = 0; i < 60; i++) {
		for (uint64_t k = 0; k < 2; k++)
			append_vote(2 * i + k, 3000);
		const struct journal_write w = close_write();

		assert_int_equal(w.blocks, 2);
		assert_int_equal(w.place / SEGMENT, (w.place + w.blocks - 1) / SEGMENT);
		assert_true(w.place > last);
		last = w.place;
		written(&w);
	}
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(told_records_count, 120);
}

/* scenarios.md, storage: disk full at each write. */
static void without_blocks_there_is_no_write_and_then_no_room(void **state)
{
	(void)state;
	struct journal_write w;

	journal_extend(&journal, journal.place);
	append_vote(1, 16);
	assert_false(journal_close(&journal, &w));
	while (journal_room(&journal, entry_bytes(3000)))
		append_vote(2, 3000);
	assert_false(journal_close(&journal, &w));
	journal_extend(&journal, IMAGE_BLOCKS);
	assert_true(journal_close(&journal, &w));
}

/* J7 */
static void a_promise_goes_to_the_superblock_with_its_write(void **state)
{
	(void)state;
	struct superblock found;

	append_vote(1, 16);
	assert_null(close_write().superblock);
	append_kind(JOURNAL_PROMISE, ballot_make(9, 1), 0);
	const struct journal_write w = close_write();

	assert_non_null(w.superblock);
	memset(slots, 0, sizeof(slots));
	superblock_written(&w);
	assert_int_equal(superblock_read(slots, &found), SUPERBLOCK_ONE_LOST);
	assert_int_equal(found.promised[0], ballot_make(9, 1));
}

static void only_one_superblock_is_written_at_a_time(void **state)
{
	(void)state;
	struct journal_write w;

	append_kind(JOURNAL_PROMISE, ballot_make(9, 1), 0);
	const struct journal_write first = close_write();

	append_kind(JOURNAL_PROMISE, ballot_make(10, 1), 0);
	assert_false(journal_close(&journal, &w));
	journal_completed(&journal, first.number);
	assert_true(journal_close(&journal, &w));
	assert_int_not_equal(w.superblock_slot, first.superblock_slot);
}

static void every_write_repeats_the_promise_and_what_is_delivered(void **state)
{
	(void)state;
	append_kind(JOURNAL_PROMISE, ballot_make(9, 1), 0);
	append_kind(JOURNAL_DELIVERED, 0, 700);
	struct journal_write w = close_write();

	written(&w);
	w = vote_written(701, 16);
	const struct journal_write_header *h =
		(const struct journal_write_header *)(const void *)(image_block(w.place) +
			JOURNAL_BLOCK_HEADER_BYTES);

	assert_int_equal(h->promised[0], ballot_make(9, 1));
	assert_int_equal(h->delivered, 700);
	assert_int_equal(h->durable, w.number - 1);
}

static void what_is_delivered_is_durable_once_every_shard_says_so(void **state)
{
	(void)state;
	struct journal_record r = {.kind = JOURNAL_DELIVERED, .first = 700};

	superblock.shards = 2;
	when_restarted();
	struct journal_write w = close_write();

	written(&w);
	journal_append(&journal, 0, &r, NULL);
	w = close_write();
	written(&w);
	assert_int_equal(journal.durable.delivered, 0);
	r.shard = 1;
	journal_append(&journal, 1, &r, NULL);
	w = close_write();
	written(&w);
	assert_int_equal(journal.durable.delivered, 700);
}

static void what_was_delivered_is_noted_lazily(void **state)
{
	(void)state;
	append_kind(JOURNAL_DELIVERED, 0, 700);
	assert_false(journal_urgent(&journal));
	assert_true(journal_lazy(&journal));
	append_vote(701, 16);
	assert_true(journal_urgent(&journal));
}

static struct superblock superblock_of(const struct journal_write *w)
{
	struct superblock s;

	assert_non_null(w->superblock);
	memcpy(&s, w->superblock, sizeof(s));
	return s;
}

/* J13. Else the one superblock that can still be read names a segment that is not there any more. */
static void a_segment_is_free_when_both_superblocks_say_that_nothing_begins_there(void **state)
{
	(void)state;
	given_written_to(2, 0);
	vote_written(1000, 16);
	journal_anchor(&journal, BLOCK - 1);
	assert_null(vote_written(1001, 16).superblock);
	journal_anchor(&journal, BLOCK);
	append_vote(1002, 16);
	const struct journal_write first = close_write();

	append_vote(1003, 16);
	const struct journal_write beside = close_write();

	assert_int_equal(superblock_of(&first).anchor_place, 2 * SEGMENT);
	assert_null(beside.superblock);
	assert_int_equal(journal_free(&journal), 0);
	written(&first);
	journal_completed(&journal, beside.number);
	assert_int_equal(journal_free(&journal), 0);
	const struct journal_write w = vote_written(1004, 16);

	assert_int_equal(superblock_of(&w).anchor_place, 2 * SEGMENT);
	assert_int_equal(superblock_of(&w).anchor_applied, BLOCK);
	assert_int_not_equal(w.superblock_slot, first.superblock_slot);
	assert_int_equal(journal_free(&journal), 2);
	assert_null(vote_written(1005, 16).superblock);
}

/* J13: it was closed before the anchor moved. */
static void a_superblock_in_flight_says_what_it_said_when_it_was_closed(void **state)
{
	(void)state;
	given_written_to(2, 0);
	vote_written(1000, 16);
	append_kind(JOURNAL_PROMISE, ballot_make(9, 1), 0);
	const struct journal_write older = close_write();

	assert_int_equal(superblock_of(&older).anchor_place, 0);
	journal_anchor(&journal, BLOCK);
	written(&older);
	vote_written(1001, 16);
	assert_int_equal(journal_free(&journal), 0);
	vote_written(1002, 16);
	assert_int_equal(journal_free(&journal), 2);
}

/* J15. Else an acceptor reports no vote where it voted: `lo` is at the block's start. */
static void votes_of_the_snapshots_own_block_are_kept(void **state)
{
	(void)state;
	append_vote(BLOCK + 3, 16);
	given_written_to(2, 0);
	vote_written(2 * BLOCK, 16);
	journal_anchor(&journal, BLOCK + 9);
	assert_int_equal(journal.superblock.anchor_place, 0);
	journal_anchor(&journal, 2 * BLOCK);
	assert_int_equal(journal.superblock.anchor_place, 2 * SEGMENT);
}

/* J14. Else the write that is the first one behind the anchor is torn, and nothing is known. */
static void the_anchor_never_passes_the_last_durable_write(void **state)
{
	(void)state;
	for (uint64_t at = 0; journal.place < SEGMENT - 1; at++)
		vote_written(at, 16);
	append_vote(999, 16);
	const struct journal_write before = close_write();

	append_vote(1000, 16);
	const struct journal_write w = close_write();

	assert_int_equal(w.place, SEGMENT);
	written(&before);
	journal_anchor(&journal, 4 * BLOCK);
	assert_int_equal(journal.superblock.anchor_place, 0);
	written(&w);
	journal_anchor(&journal, 4 * BLOCK);
	assert_int_equal(journal.superblock.anchor_place, SEGMENT);
	assert_int_equal(journal.superblock.anchor_number, w.number - 1);
}

static void a_trimmed_journal_reads_back_from_its_anchor(void **state)
{
	struct superblock found;

	(void)state;
	given_written_to(2, 0);
	vote_written(1000, 16);
	journal_anchor(&journal, 4 * BLOCK);
	vote_written(1001, 16);
	vote_written(1002, 16);
	assert_int_equal(superblock_read(slots, &found), SUPERBLOCK_OK);
	superblock = found;
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(told_records_count, 3);
	assert_int_equal(told_records[0], 1000);
	assert_int_equal(end.previous, journal.previous);
}

/* J13: which anchor the other one has nobody knows. */
static void the_first_write_of_a_life_brings_the_other_superblock_along(void **state)
{
	(void)state;
	given_written_to(2, 0);
	vote_written(1000, 16);
	journal_anchor(&journal, 4 * BLOCK);
	vote_written(1001, 16);
	vote_written(1002, 16);
	assert_int_equal(superblock_read(slots, &superblock), SUPERBLOCK_OK);
	superblock.sequence++;
	when_restarted();
	assert_int_equal(journal_free(&journal), 0);
	const struct journal_write w = close_write();

	assert_int_equal(superblock_of(&w).life, superblock.life);
	written(&w);
	assert_int_equal(journal_free(&journal), 2);
}

/* J12 */
static void a_pin_goes_to_the_next_superblock(void **state)
{
	const struct journal_record pin = {.kind = JOURNAL_PIN, .ballot = 71, .first = 2};

	(void)state;
	journal_append(&journal, JOURNAL_LANE_LEADER, &pin, NULL);
	append_kind(JOURNAL_PROMISE, ballot_make(9, 1), 0);
	const struct journal_write w = close_write();

	assert_int_equal(superblock_of(&w).pins[2], 71);
	assert_int_equal(superblock_of(&w).pins[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_write_starts_at_a_fresh_block, given_begun_journal),
		cmocka_unit_test_setup(a_write_has_no_more_blocks_than_its_records_need,
			given_begun_journal),
		cmocka_unit_test_setup(nothing_appended_is_nothing_to_write, given_begun_journal),
		cmocka_unit_test_setup(a_life_begins_with_a_write_of_its_own, given_begun_journal),
		cmocka_unit_test_setup(what_a_start_found_lost_is_told_by_one_block_alone,
			given_begun_journal),
		cmocka_unit_test_setup(durable_is_the_contiguous_prefix_of_completed_writes,
			given_begun_journal),
		cmocka_unit_test_setup(no_more_writes_are_in_flight_than_recovery_expects,
			given_begun_journal),
		cmocka_unit_test_setup(
			a_buffer_is_used_again_once_its_write_is_durable_and_not_before,
			given_begun_journal),
		cmocka_unit_test_setup(a_write_never_straddles_a_segment, given_begun_journal),
		cmocka_unit_test_setup(without_blocks_there_is_no_write_and_then_no_room,
			given_begun_journal),
		cmocka_unit_test_setup(a_promise_goes_to_the_superblock_with_its_write,
			given_begun_journal),
		cmocka_unit_test_setup(only_one_superblock_is_written_at_a_time,
			given_begun_journal),
		cmocka_unit_test_setup(every_write_repeats_the_promise_and_what_is_delivered,
			given_begun_journal),
		cmocka_unit_test_setup(what_is_delivered_is_durable_once_every_shard_says_so,
			given_begun_journal),
		cmocka_unit_test_setup(what_was_delivered_is_noted_lazily, given_begun_journal),
		cmocka_unit_test_setup(
			a_segment_is_free_when_both_superblocks_say_that_nothing_begins_there,
			given_begun_journal),
		cmocka_unit_test_setup(a_superblock_in_flight_says_what_it_said_when_it_was_closed,
			given_begun_journal),
		cmocka_unit_test_setup(votes_of_the_snapshots_own_block_are_kept,
			given_begun_journal),
		cmocka_unit_test_setup(the_anchor_never_passes_the_last_durable_write,
			given_begun_journal),
		cmocka_unit_test_setup(a_trimmed_journal_reads_back_from_its_anchor,
			given_begun_journal),
		cmocka_unit_test_setup(the_first_write_of_a_life_brings_the_other_superblock_along,
			given_begun_journal),
		cmocka_unit_test_setup(a_pin_goes_to_the_next_superblock, given_begun_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
