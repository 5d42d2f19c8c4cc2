/* consensus/journal_reader.h. */
#include "tests/unit/given_journal.h"

static bool was_told(uint64_t number)
{
	for (uint32_t i = 0; i < told_writes_count; i++)
		if (told_writes[i] == number)
			return true;
	return false;
}

static void damage(uint64_t place)
{
	image_block(place)[1000] ^= 1;
}

static void age(uint64_t place)
{
	journal_block_blank(image_block(place), superblock.uuid);
}

static void what_was_written_is_told_in_order(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 40; i++)
		vote_written(i, 1 + (uint32_t)(i * 331) % 7000);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(told_records_count, 40);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(told_records[i], i);
	assert_int_equal(end.previous, journal.previous);
	assert_int_equal(end.number, journal.number);
	assert_int_equal(end.place, journal.place);
	assert_int_equal(end.chain, journal.chain);
}

static void a_journal_without_a_valid_write_says_nothing(void **state)
{
	(void)state;
	vote_written(1, 16);
	for (uint64_t i = 0; i < 8; i++)
		damage(i);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_EMPTY);
	/* Nor does one that belongs to another node. */
	given_journal(state);
	superblock.uuid++;
	when_read();
	assert_int_equal(end.verdict, JOURNAL_EMPTY);
}

/* scenarios.md, storage: torn write at the tail. Each subset of the last write's blocks is new. */
static void a_torn_tail_is_cut_whatever_part_of_it_is_there(void **state)
{
	(void)state;
	const struct journal_write before = vote_written(1, 16);

	for (uint64_t i = 0; i < 4; i++)
		append_vote(2 + i, 3000);
	const struct journal_write w = close_write();

	assert_int_equal(w.blocks, 4);
	for (uint32_t blocks = 0; blocks < 15; blocks++) {
		for (uint32_t i = 0; i < 4; i++) {
			age(w.place + i);
			if ((blocks >> i & 1) != 0)
				blocks_written(&w, i, i + 1);
		}
		when_read();
		assert_int_equal(end.verdict, blocks == 0 ? JOURNAL_CLEAN : JOURNAL_TORN);
		assert_int_equal(told_records_count, 1);
		assert_int_equal(end.place, w.place);
		assert_int_equal(end.previous, before.number);
		assert_int_equal(end.number, blocks == 0 ? w.number : w.number + 1);
	}
}

/* Else what was never acknowledged, and is forgotten in between, comes back later. */
static void what_is_in_flight_behind_a_torn_write_is_cut_with_it_for_good(void **state)
{
	(void)state;
	append_vote(1, 16);
	const struct journal_write torn = close_write();

	append_vote(2, 16);
	const struct journal_write whole = close_write();

	blocks_written(&whole, 0, whole.blocks);
	(void)torn;
	when_restarted();
	assert_int_equal(end.verdict, JOURNAL_TORN);
	assert_int_equal(told_records_count, 0);
	const struct journal_write first = close_write();

	assert_true(first.number > whole.number);
	written(&first);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(told_records_count, 0);
}

/* scenarios.md, storage: corruption before the tail; told apart by later valid writes. */
static void a_lost_write_is_corruption_when_a_later_one_says_it_was_durable(void **state)
{
	(void)state;
	const struct journal_write lost = vote_written(1, 16);
	const struct journal_write later = vote_written(2, 16);

	age(lost.place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_false(end.tail_damaged);
	assert_false(was_told(lost.number));
	assert_true(was_told(later.number));
	assert_true(told_damage[told_writes_count - 1]);
}

static void writes_in_flight_with_a_lost_one_survive_once_it_is_proved_lost(void **state)
{
	(void)state;
	struct journal_write w[4];

	for (uint64_t i = 0; i < 4; i++) {
		append_vote(i, 16);
		w[i] = close_write();
	}
	for (uint64_t i = 0; i < 4; i++)
		written(&w[i]);
	age(w[0].place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_TORN);
	assert_int_equal(told_records_count, 0);
	vote_written(4, 16);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_int_equal(told_records_count, 4);
}

/* A block that is neither new nor intact old, in the last write. */
static void a_damaged_last_write_is_no_torn_tail(void **state)
{
	(void)state;
	append_vote(1, 3000);
	append_vote(2, 3000);
	const struct journal_write w = close_write();

	written(&w);
	for (uint32_t i = 0; i < w.blocks; i++) {
		damage(w.place + i);
		when_read();
		assert_int_equal(end.verdict, JOURNAL_DAMAGED);
		assert_true(end.tail_damaged);
		assert_false(was_told(w.number));
		damage(w.place + i);
	}
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
}

/* A lost write, and the one that would prove it is damaged. */
static void a_damaged_block_behind_a_gap_is_no_torn_tail(void **state)
{
	(void)state;
	const struct journal_write lost = vote_written(1, 16);
	const struct journal_write proof = vote_written(2, 16);

	age(lost.place);
	damage(proof.place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_true(end.tail_damaged);
}

static void a_rotten_block_far_behind_the_end_is_none_of_a_write(void **state)
{
	(void)state;
	vote_written(1, 16);
	damage(IMAGE_BLOCKS - 1);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
}

/* Two blocks, where the segment has one left: it stands in the next one. */
static struct journal_write given_a_write_that_skips_a_segments_rest(void)
{
	uint64_t first = 0;

	while (journal.place < SEGMENT - 1)
		vote_written(first++, 16);
	append_vote(first, 3000);
	append_vote(first + 1, 3000);
	const struct journal_write w = close_write();

	written(&w);
	return w;
}

static void a_damaged_last_write_is_noticed_also_at_a_segments_start(void **state)
{
	(void)state;
	const struct journal_write w = given_a_write_that_skips_a_segments_rest();

	assert_int_equal(w.place, SEGMENT);
	damage(w.place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
}

static void a_rotten_block_in_a_segments_unused_rest_is_none_of_a_write(void **state)
{
	(void)state;
	const struct journal_write w = given_a_write_that_skips_a_segments_rest();

	damage(SEGMENT - 1);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_true(was_told(w.number));
}

/* A misdirected write: it stands where it does not belong, and not where it does. */
static void a_write_that_went_elsewhere_is_found_by_the_chain(void **state)
{
	(void)state;
	vote_written(1, 16);
	const struct journal_write astray = vote_written(2, 16);
	const struct journal_write over = vote_written(3, 16);
	const struct journal_write later = vote_written(4, 16);

	memcpy(image_block(over.place), image_block(astray.place), JOURNAL_BLOCK_BYTES);
	age(astray.place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_true(was_told(later.number));
	assert_false(was_told(over.number));
}

/* scenarios.md, storage: byte flip in each record (here: in each byte of the image). */
static void no_flip_of_a_byte_is_taken_for_an_end(void **state)
{
	(void)state;
	enum {
		WRITES = 5
	};
	struct journal_write w[WRITES];

	for (uint64_t i = 0; i < WRITES; i++)
		w[i] = vote_written(i, i == 2 ? 4000 : 64);
	uint64_t blocks = journal.place;

	for (uint32_t k = 0; k < WRITES; k++)
		for (uint64_t at = w[k].place * JOURNAL_BLOCK_BYTES;
			at < (w[k].place + w[k].blocks) * JOURNAL_BLOCK_BYTES; at += 3) {
			image[at] ^= (uint8_t)(1u << at % 8);
			when_read_to(blocks + 1);
			assert_int_equal(end.verdict, JOURNAL_DAMAGED);
			assert_int_equal(told_records_count, WRITES - 1);
			for (uint32_t i = 0, told = 0; i < WRITES; i++)
				if (i != k)
					assert_int_equal(told_records[told++], i);
			image[at] ^= (uint8_t)(1u << at % 8);
		}
}

/* scenarios.md, storage: each truncation of an image. */
static void each_truncation_tells_the_whole_writes_before_it(void **state)
{
	(void)state;
	enum {
		WRITES = 12
	};
	struct journal_write w[WRITES];
	static uint8_t kept[IMAGE_BLOCKS * JOURNAL_BLOCK_BYTES];

	for (uint64_t i = 0; i < WRITES; i++)
		w[i] = vote_written(i, 1 + (uint32_t)(i * 977) % 7000);
	memcpy(kept, image, sizeof(image));
	for (uint64_t cut = journal.place; cut > w[0].place; cut--) {
		age(cut - 1);
		when_read();
		uint32_t whole = 0;
		bool within = false;

		for (uint32_t i = 0; i < WRITES; i++) {
			whole += w[i].place + w[i].blocks <= cut - 1;
			within |= w[i].place < cut - 1 && w[i].place + w[i].blocks > cut - 1;
		}
		assert_int_equal(told_records_count, whole);
		assert_int_equal(end.verdict, within ? JOURNAL_TORN : JOURNAL_CLEAN);
	}
	/* Nothing but zeroes from a byte on, as a file that was cut short shows. */
	for (uint64_t cut = w[0].place * JOURNAL_BLOCK_BYTES;
		cut < w[4].place * JOURNAL_BLOCK_BYTES; cut += 509) {
		memcpy(image, kept, sizeof(image));
		memset(image + cut, 0, sizeof(image) - cut);
		when_read();
		uint32_t whole = 0;

		for (uint32_t i = 0; i < WRITES; i++)
			whole += (w[i].place + w[i].blocks) * JOURNAL_BLOCK_BYTES <= cut;
		/* The zeroes that pad a write are its own too. */
		assert_true(told_records_count >= whole && told_records_count <= whole + 1);
	}
}

static void reading_can_begin_behind_a_prefix_that_a_snapshot_replaced(void **state)
{
	(void)state;
	vote_written(1, 16);
	superblock.anchor_place = journal.place;
	superblock.anchor_number = journal.previous;
	superblock.anchor_chain = journal.chain;
	vote_written(2, 16);
	age(0);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(told_records_count, 1);
	assert_int_equal(told_records[0], 2);
}

/* Segments 0 and 1 are trimmed, and stand behind the last one again: as they are, for what is in them
 * is valid and older than anything that is written there. Segment 3 is being written. */
static uint64_t given_segments_used_anew(void)
{
	uint64_t first = given_written_to(2, 0);

	vote_written(first++, 16);
	journal_anchor(&journal, 4 * BLOCK);
	for (uint32_t i = 0; i < SUPERBLOCK_SLOTS; i++)
		vote_written(first++, 16);
	assert_int_equal(journal_free(&journal), 2);
	assert_int_equal(superblock_read(slots, &superblock), SUPERBLOCK_OK);
	for (uint64_t place = 0; place < (uint64_t)2 * SEGMENT; place++) {
		memcpy(image_block(place + 3 * SEGMENT), image_block(place), JOURNAL_BLOCK_BYTES);
		memset(image_block(place), 0, JOURNAL_BLOCK_BYTES);
	}
	return given_written_to(3, first);
}

static void a_segment_used_anew_reads_as_a_blank_one(void **state)
{
	(void)state;
	given_segments_used_anew();
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(end.previous, journal.previous);
	assert_int_equal(end.number, journal.number);
	vote_written(1000, 3000);
	const struct journal_write last = vote_written(1001, 5000);

	assert_int_equal(last.blocks, 2);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(end.place, last.place + 2);
	assert_int_equal(told_records[told_records_count - 1], 1001);
}

/* Each subset of its blocks, over the old writes that stood there. */
static void a_torn_tail_over_old_writes_is_cut(void **state)
{
	static uint8_t old[4 * JOURNAL_BLOCK_BYTES];

	(void)state;
	given_segments_used_anew();
	const struct journal_write before = vote_written(1000, 16);

	for (uint64_t i = 0; i < 4; i++)
		append_vote(1001 + i, 3000);
	const struct journal_write w = close_write();

	assert_int_equal(w.blocks, 4);
	memcpy(old, image_block(w.place), sizeof(old));
	for (uint32_t blocks = 0; blocks < 15; blocks++) {
		memcpy(image_block(w.place), old, sizeof(old));
		for (uint32_t i = 0; i < 4; i++)
			if ((blocks >> i & 1) != 0)
				blocks_written(&w, i, i + 1);
		when_read();
		assert_int_equal(end.verdict, blocks == 0 ? JOURNAL_CLEAN : JOURNAL_TORN);
		assert_int_equal(end.previous, before.number);
		assert_int_equal(end.place, w.place);
	}
}

static void damage_over_old_writes_is_still_damage(void **state)
{
	static uint8_t old[JOURNAL_BLOCK_BYTES];

	(void)state;
	given_segments_used_anew();
	memcpy(old, image_block(3 * SEGMENT), sizeof(old));
	const struct journal_write lost = vote_written(1000, 16);

	damage(lost.place);
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_true(end.tail_damaged);
	/* Never written, though a later one says that it was durable. */
	vote_written(1001, 16);
	memcpy(image_block(lost.place), old, sizeof(old));
	when_read();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_false(was_told(lost.number));
	assert_int_equal(told_records[told_records_count - 1], 1001);
}

/* What a crash left half written is older than what comes after the restart, also a round later. */
static void what_was_torn_in_a_segment_does_not_come_back_when_it_is_used_anew(void **state)
{
	(void)state;
	append_vote(1, 5000);
	struct journal_write torn = close_write();

	blocks_written(&torn, 0, 1);
	append_vote(2, 16);
	torn = close_write();
	blocks_written(&torn, 0, 1);
	when_restarted();
	assert_int_equal(end.verdict, JOURNAL_TORN);
	given_segments_used_anew();
	when_read();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(end.previous, journal.previous);
}

static void a_life_goes_on_where_the_last_one_ended(void **state)
{
	(void)state;
	for (uint64_t life = 0; life < 5; life++) {
		vote_written(2 * life, 5000);
		append_vote(2 * life + 1, 5000);
		const struct journal_write torn = close_write();

		blocks_written(&torn, 0, 1);
		when_restarted();
		assert_int_equal(end.verdict, JOURNAL_TORN);
		assert_int_equal(told_records_count, life + 1);
		const struct journal_write first = close_write();

		written(&first);
		when_read();
		assert_int_equal(end.verdict, JOURNAL_CLEAN);
		assert_int_equal(end.life, superblock.life);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_written_is_told_in_order, given_begun_journal),
		cmocka_unit_test_setup(a_journal_without_a_valid_write_says_nothing,
			given_begun_journal),
		cmocka_unit_test_setup(a_torn_tail_is_cut_whatever_part_of_it_is_there,
			given_begun_journal),
		cmocka_unit_test_setup(
			what_is_in_flight_behind_a_torn_write_is_cut_with_it_for_good,
			given_begun_journal),
		cmocka_unit_test_setup(
			a_lost_write_is_corruption_when_a_later_one_says_it_was_durable,
			given_begun_journal),
		cmocka_unit_test_setup(
			writes_in_flight_with_a_lost_one_survive_once_it_is_proved_lost,
			given_begun_journal),
		cmocka_unit_test_setup(a_damaged_last_write_is_no_torn_tail, given_begun_journal),
		cmocka_unit_test_setup(a_damaged_block_behind_a_gap_is_no_torn_tail,
			given_begun_journal),
		cmocka_unit_test_setup(a_rotten_block_far_behind_the_end_is_none_of_a_write,
			given_begun_journal),
		cmocka_unit_test_setup(a_damaged_last_write_is_noticed_also_at_a_segments_start,
			given_begun_journal),
		cmocka_unit_test_setup(a_rotten_block_in_a_segments_unused_rest_is_none_of_a_write,
			given_begun_journal),
		cmocka_unit_test_setup(a_write_that_went_elsewhere_is_found_by_the_chain,
			given_begun_journal),
		cmocka_unit_test_setup(no_flip_of_a_byte_is_taken_for_an_end, given_begun_journal),
		cmocka_unit_test_setup(each_truncation_tells_the_whole_writes_before_it,
			given_begun_journal),
		cmocka_unit_test_setup(reading_can_begin_behind_a_prefix_that_a_snapshot_replaced,
			given_begun_journal),
		cmocka_unit_test_setup(a_segment_used_anew_reads_as_a_blank_one,
			given_begun_journal),
		cmocka_unit_test_setup(a_torn_tail_over_old_writes_is_cut, given_begun_journal),
		cmocka_unit_test_setup(damage_over_old_writes_is_still_damage, given_begun_journal),
		cmocka_unit_test_setup(
			what_was_torn_in_a_segment_does_not_come_back_when_it_is_used_anew,
			given_begun_journal),
		cmocka_unit_test_setup(a_life_goes_on_where_the_last_one_ended,
			given_begun_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
