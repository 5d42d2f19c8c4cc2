/* A journal read into the roles: what is promised, held, delivered again, and what is unknown. */
#include "tests/unit/given_replay.h"

/* V1 */
static void the_promise_is_the_highest_that_anything_says(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 4, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(acceptors[0].acceptor.promised, EARLIER);
	append(0, JOURNAL_PROMISE, LATER, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(acceptors[0].acceptor.promised, LATER);
	then_voted(0, EARLIER);
	superblock.promised[0] = LATER + BALLOT_NODES;
	when_replayed();
	assert_int_equal(acceptors[0].acceptor.promised, LATER + BALLOT_NODES);
	assert_int_equal(replay.past.promised, LATER + BALLOT_NODES);
	assert_int_equal(start.promised[0], LATER + BALLOT_NODES);
}

/* V1: each write's header repeats it. */
static void a_promise_whose_record_is_lost_stands_in_later_headers(void **state)
{
	(void)state;
	append(0, JOURNAL_PROMISE, LATER, 0);
	const struct journal_write lost = sync_journal();

	append(0, JOURNAL_DELIVERED, 0, 0);
	sync_journal();
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	assert_int_equal(end.verdict, JOURNAL_DAMAGED);
	assert_int_equal(acceptors[0].acceptor.promised, LATER);
}

/* V1, J4 */
static void a_promise_lost_with_the_last_write_stands_in_the_superblock(void **state)
{
	(void)state;
	append(0, JOURNAL_PROMISE, LATER, 0);
	const struct journal_write lost = sync_journal();

	superblock.promised[0] = LATER;
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(acceptors[0].acceptor.promised, LATER);
	superblock_state = SUPERBLOCK_ONE_LOST;
	when_replayed();
	assert_int_equal(result, REPLAY_PROMISE);
}

static void votes_read_back_with_their_values(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append_run(0, JOURNAL_VOTE, LATER, 4, 8, 100);
	sync_journal();
	when_replayed();
	then_voted(3, EARLIER);
	then_voted(4, LATER);
	then_voted(11, LATER);
	const struct vote *v = acceptor_vote(&acceptors[0].acceptor, 4);
	const struct record *r = log_at(&acceptors[0].log, v->position);
	const struct entry *e = (const struct entry *)(const void *)(r + 1);

	assert_int_equal(r->count, 8);
	assert_int_equal(entry_sequence(e), 104);
	assert_int_equal(applied_count, 0);
}

static void a_noop_run_reads_back_without_entries(void **state)
{
	(void)state;
	const struct journal_record r = {
		.kind = JOURNAL_VOTE,
		.flags = FLAG_NOOP,
		.ballot = EARLIER,
		.first = 0,
		.count = 200,
	};

	journal_append(&journal, 0, &r, NULL);
	append(0, JOURNAL_DELIVERED, 0, 200);
	sync_journal();
	when_replayed();
	assert_int_equal(acceptor_vote(&acceptors[0].acceptor, 7)->position, POSITION_NOOP);
	assert_int_equal(learner.learner.delivered, 200);
}

/* V2: a restart delivers only from chosen or commit records. */
static void what_was_only_voted_for_is_not_delivered(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, 5);
	append_run(0, JOURNAL_VOTE, EARLIER, 8, 8, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 5);
	assert_int_equal(applied_count, 4);
	assert_int_equal(applied[3], 4);
}

/* V2. Else: a follower that voted x@b1 and learned y serves x. */
static void what_was_learned_as_chosen_outranks_the_own_vote(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append_run(0, JOURNAL_CHOSEN, 0, 0, 8, 100);
	append(0, JOURNAL_DELIVERED, 0, 8);
	sync_journal();
	when_replayed();
	assert_int_equal(applied_count, 7);
	assert_int_equal(applied[0], 101);
}

/* V2: the chosen record y is lost: the older vote x, which the delivered record would cover, may be
 * another value. */
static void behind_a_loss_only_votes_at_the_committed_ballot_are_delivered(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	sync_journal();
	append_run(0, JOURNAL_CHOSEN, 0, 0, 4, 100);
	const struct journal_write lost = sync_journal();

	append(0, JOURNAL_DELIVERED, 0, 8);
	sync_journal();
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	assert_int_equal(learner.learner.delivered, 0);
	append_run(0, JOURNAL_VOTE, LATER, 0, 8, 200);
	append(0, JOURNAL_COMMIT, LATER, 6);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 6);
	assert_int_equal(applied[0], 201);
}

/* The learner's note of ballot b may come behind the vote that a later leader put over b's. */
static void a_vote_put_over_a_delivered_one_has_its_value(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append_run(0, JOURNAL_VOTE, LATER, 4, 8, 0);
	append(0, JOURNAL_COMMIT, EARLIER, 8);
	append(0, JOURNAL_DELIVERED, 0, 8);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 8);
	assert_int_equal(applied_count, 7);
}

static void each_shards_record_speaks_for_its_own_votes(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 1, 0);
	for (uint64_t at = 1; at < BLOCK; at += 15)
		append_run(0, JOURNAL_VOTE, EARLIER, at, 15, 0);
	append(0, JOURNAL_DELIVERED, 0, BLOCK + 8);
	append_run(1, JOURNAL_VOTE, EARLIER, BLOCK, 8, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, BLOCK);
	append(1, JOURNAL_DELIVERED, 0, BLOCK + 8);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, BLOCK + 8);
}

/* V3. Else: a power failure tears the last write of all members, each raises `lo`, nobody has the
 * prefix, and the cluster never starts. */
static void lo_is_no_higher_than_what_is_delivered_again(void **state)
{
	(void)state;
	append(0, JOURNAL_TRIM, 0, 2 * BLOCK);
	append_run(0, JOURNAL_VOTE, EARLIER, 2 * BLOCK, 8, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 0);
	assert_int_equal(acceptors[0].acceptor.lo, 0);
	then_voted(2 * BLOCK, EARLIER);
}

/* Else: a run across it can be neither voted for nor re-framed. */
static void lo_is_the_begin_of_a_block_wherever_the_learner_stands(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, 8);
	append(0, JOURNAL_TRIM, 0, 2 * BLOCK);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 8);
	assert_int_equal(acceptors[0].acceptor.delivered, 8);
	assert_int_equal(acceptors[0].acceptor.lo, 0);
}

static void a_vote_beyond_the_first_window_is_held(void **state)
{
	(void)state;
	append(0, JOURNAL_TRIM, 0, ACCEPTOR_WINDOW / 2);
	append_run(0, JOURNAL_VOTE, EARLIER, ACCEPTOR_WINDOW + BLOCK, 8, 0);
	sync_journal();
	when_replayed();
	then_voted(ACCEPTOR_WINDOW + BLOCK, EARLIER);
	assert_int_equal(replay.counters.lost, 0);
	assert_int_equal(acceptors[0].blind, 0);
}

/* V4; scenarios.md, storage: corruption before the tail. */
static void where_votes_may_be_lost_the_acceptor_is_blind(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	const struct journal_write lost = sync_journal();

	append_run(0, JOURNAL_VOTE, EARLIER, 8, 8, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(acceptors[0].blind, 0);
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(acceptors[0].blind, ACCEPTOR_WINDOW);
	then_voted(8, EARLIER); /* What survives is still reported. */
}

/* V3. What says that the window had moved is lost: the vote is not taken for none. */
static void a_vote_that_finds_no_place_is_unknown(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 2 * ACCEPTOR_WINDOW + BLOCK, 8, 0);
	sync_journal();
	when_replayed();
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(replay.counters.lost, 1);
	assert_int_equal(acceptors[0].blind, 2 * ACCEPTOR_WINDOW + 2 * BLOCK);
}

static void a_torn_tail_leaves_nothing_unknown(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	sync_journal();
	for (uint64_t i = 0; i < 20; i++)
		append_run(0, JOURNAL_VOTE, EARLIER, 8 + 8 * i, 8, 0);
	const struct journal_write torn = close_write();

	assert_true(torn.blocks > 1);
	blocks_written(&torn, 1, torn.blocks);
	when_replayed();
	assert_int_equal(end.verdict, JOURNAL_TORN);
	assert_int_equal(acceptors[0].blind, 0);
	assert_int_equal(acceptors[0].acceptor.high, 8);
}

/* I5: what others heard of it is compared with this. */
static void what_the_disk_holds_is_told_unless_some_of_it_is_lost(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	const struct journal_write lost = sync_journal();

	append(0, JOURNAL_DELIVERED, 0, 8);
	append(0, JOURNAL_PROMISE, LATER, 0);
	sync_journal();
	when_replayed();
	then_disk_holds(8, LATER);
	superblock_state = SUPERBLOCK_ONE_LOST;
	when_replayed();
	then_disk_holds(IDENTITY_LOST, IDENTITY_LOST);
	superblock_state = SUPERBLOCK_OK;
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	then_disk_holds(IDENTITY_LOST, IDENTITY_LOST);
}

/* I5. No later write says that it was delivered: others heard of it all the same. */
static void an_installed_snapshot_that_is_lost_is_a_loss(void **state)
{
	(void)state;
	append(0, JOURNAL_INSTALLED, 0, 20);
	sync_journal();
	when_replayed_from(20);
	then_disk_holds(20, 0);
	when_replayed_from(0);
	then_disk_holds(IDENTITY_LOST, IDENTITY_LOST);
}

static void what_only_one_shard_delivered_is_no_loss(void **state)
{
	(void)state;
	append(0, JOURNAL_INSTALLED, 0, 20);
	append(1, JOURNAL_DELIVERED, 0, 8);
	sync_journal();
	when_replayed_from(8);
	then_disk_holds(8, 0);
}

/* What one start found lost, the next one still knows, though its write stands there now. */
static void blindness_outlives_the_evidence(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	const struct journal_write lost = sync_journal();

	image_block(lost.place)[99] ^= 1;
	when_replayed();
	assert_int_equal(acceptors[0].blind, ACCEPTOR_WINDOW);
	superblock = replay_next_life(&replay, &end);
	begin_life(&start);
	sync_journal();
	when_replayed();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	assert_int_equal(acceptors[0].blind, ACCEPTOR_WINDOW);
}

/* J11. What is cut as torn was put where the damage was seen, by a life whose first writes were many
 * votes. */
static void blindness_outlives_a_torn_write_over_the_evidence(void **state)
{
	struct journal_write torn = {0};

	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	const struct journal_write lost = sync_journal();

	image_block(lost.place)[99] ^= 1;
	when_replayed();
	superblock = replay_next_life(&replay, &end);
	begin_life(&start);
	for (uint64_t i = 0; i < 20 && journal_room(&journal, 8 * 32); i++)
		append_run(0, JOURNAL_VOTE, EARLIER, 8 + 8 * i, 8, 0);
	while (journal_close(&journal, &torn))
		blocks_written(&torn, 0, 1);
	when_replayed();
	assert_int_equal(acceptors[0].blind, ACCEPTOR_WINDOW);
}

static void blindness_ends_with_what_was_delivered_since(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	const struct journal_write lost = sync_journal();

	append(0, JOURNAL_PROMISE, EARLIER, 0);
	sync_journal();
	image_block(lost.place)[99] ^= 1;
	when_replayed();
	superblock = replay_next_life(&replay, &end);
	begin_life(&start);
	sync_journal();
	for (uint64_t at = 0; at < ACCEPTOR_WINDOW; at += BLOCK) {
		const struct journal_record r = {
			.kind = JOURNAL_CHOSEN,
			.flags = FLAG_NOOP,
			.first = at,
			.count = BLOCK,
		};

		journal_append(&journal, 0, &r, NULL);
		append(0, JOURNAL_DELIVERED, 0, at + BLOCK);
		append(0, JOURNAL_TRIM, 0, at + BLOCK);
	}
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, ACCEPTOR_WINDOW);
	assert_int_equal(acceptors[0].blind, 0);
}

static void a_member_without_a_valid_write_stays_out(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < IMAGE_BLOCKS; i++)
		journal_block_blank(image_block(i), superblock.uuid);
	when_replayed();
	assert_int_equal(result, REPLAY_EMPTY);
	assert_non_null(strstr(replay_text(result), "replace the member"));
}

static void async_after_an_unclean_stop_counts_as_none(void **state)
{
	(void)state;
	superblock.mode = DURABILITY_ASYNC;
	when_replayed();
	assert_int_equal(result, REPLAY_UNCLEAN);
	superblock.clean = 1;
	when_replayed();
	assert_int_equal(result, REPLAY_OK);
}

static void pins_and_the_mark_of_enrolment_come_back(void **state)
{
	(void)state;
	append(0, JOURNAL_PIN, 71, 0);
	append(0, JOURNAL_PIN, 72, 2);
	sync_journal();
	when_replayed();
	assert_false(replay.past.enrolled);
	append(0, JOURNAL_PIN, settings.uuid, SELF);
	sync_journal();
	when_replayed();
	assert_true(replay.past.enrolled);
	assert_int_equal(replay.past.pins[0], 71);
	assert_int_equal(replay.past.pins[2], 72);
	const struct superblock next = replay_next_life(&replay, &end);

	assert_int_equal(next.pins[0], 71);
	assert_int_equal(next.pins[2], 72);
	assert_int_equal(next.pins[SELF], settings.uuid);
}

static void each_start_is_a_life_above_any_seen(void **state)
{
	(void)state;
	superblock.life = 7;
	when_replayed();
	assert_int_equal(replay_next_life(&replay, &end).life, 8);
	superblock.life = 1; /* The newer superblock is lost: the journal knows of life 2. */
	when_replayed();
	assert_int_equal(replay_next_life(&replay, &end).life, 3);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_promise_is_the_highest_that_anything_says),
		TEST(a_promise_whose_record_is_lost_stands_in_later_headers),
		TEST(a_promise_lost_with_the_last_write_stands_in_the_superblock),
		TEST(votes_read_back_with_their_values),
		TEST(a_noop_run_reads_back_without_entries),
		TEST(what_was_only_voted_for_is_not_delivered),
		TEST(what_was_learned_as_chosen_outranks_the_own_vote),
		TEST(behind_a_loss_only_votes_at_the_committed_ballot_are_delivered),
		TEST(a_vote_put_over_a_delivered_one_has_its_value),
		cmocka_unit_test_setup(each_shards_record_speaks_for_its_own_votes,
			setup_two_shards),
		TEST(lo_is_no_higher_than_what_is_delivered_again),
		TEST(lo_is_the_begin_of_a_block_wherever_the_learner_stands),
		TEST(a_vote_beyond_the_first_window_is_held),
		TEST(where_votes_may_be_lost_the_acceptor_is_blind),
		TEST(a_vote_that_finds_no_place_is_unknown),
		TEST(a_torn_tail_leaves_nothing_unknown),
		TEST(what_the_disk_holds_is_told_unless_some_of_it_is_lost),
		TEST(an_installed_snapshot_that_is_lost_is_a_loss),
		cmocka_unit_test_setup(what_only_one_shard_delivered_is_no_loss, setup_two_shards),
		TEST(blindness_outlives_the_evidence),
		TEST(blindness_outlives_a_torn_write_over_the_evidence),
		TEST(blindness_ends_with_what_was_delivered_since),
		TEST(a_member_without_a_valid_write_stays_out),
		TEST(async_after_an_unclean_stop_counts_as_none),
		TEST(pins_and_the_mark_of_enrolment_come_back),
		TEST(each_start_is_a_life_above_any_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
