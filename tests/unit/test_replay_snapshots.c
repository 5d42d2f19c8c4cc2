/* A trimmed journal read into the roles: with its snapshot, another one, or without. */
#include "tests/unit/given_replay.h"

static void a_snapshot_replaces_the_prefix(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	sync_journal();
	superblock.anchor_place = journal.place;
	superblock.anchor_number = journal.previous;
	superblock.anchor_chain = journal.chain;
	append_run(0, JOURNAL_VOTE, EARLIER, 8, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, 16);
	sync_journal();
	when_replayed_from(8);
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(learner.learner.delivered, 16);
	assert_null(acceptor_vote(&acceptors[0].acceptor, 0));
}

/* J12 */
static void pins_in_front_of_the_anchor_stand_in_the_superblock(void **state)
{
	(void)state;
	superblock.pins[0] = 71;
	superblock.pins[2] = 72;
	when_replayed();
	assert_false(replay.past.enrolled);
	assert_int_equal(replay.past.pins[0], 71);
	assert_int_equal(replay.past.pins[2], 72);
	superblock.pins[SELF] = settings.uuid;
	when_replayed();
	assert_true(replay.past.enrolled);
}

/* As a trimmed journal is: what follows is read from here on. */
static void given_anchor(uint64_t applied_index)
{
	superblock.anchor_place = journal.place;
	superblock.anchor_number = journal.previous;
	superblock.anchor_chain = journal.chain;
	superblock.anchor_applied = applied_index;
}

/* V1: the jump was made in steps that are trimmed. */
static void a_promise_far_above_none_comes_back(void **state)
{
	const uint64_t far = ballot_make(3 * BALLOT_ROUND_JUMP, 1);

	(void)state;
	given_anchor(BLOCK);
	append_run(0, JOURNAL_VOTE, far, BLOCK, 8, 0);
	append(0, JOURNAL_PROMISE, far + BALLOT_NODES, 0);
	sync_journal();
	superblock.promised[0] = far + 2 * BALLOT_ROUND_JUMP * BALLOT_NODES;
	when_replayed_from(BLOCK);
	then_voted(BLOCK, far);
	assert_int_equal(replay.counters.lost, 0);
	assert_int_equal(acceptors[0].acceptor.promised, superblock.promised[0]);
	superblock.promised[0] = 0;
	when_replayed_from(BLOCK);
	assert_int_equal(acceptors[0].acceptor.promised, far + BALLOT_NODES);
}

/* Its value there need not be what was chosen. */
static void nothing_below_the_snapshot_is_served(void **state)
{
	(void)state;
	given_anchor(BLOCK + 4);
	append_run(0, JOURNAL_VOTE, EARLIER, BLOCK, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, BLOCK + 8);
	sync_journal();
	when_replayed_from(BLOCK + 4);
	then_voted(BLOCK, EARLIER);
	assert_int_equal(learner.learner.delivered, BLOCK + 8);
	assert_int_equal(acceptors[0].acceptor.lo, BLOCK);
	assert_int_equal(acceptors[0].acceptor.tail, BLOCK + 4);
}

/* V5 */
static void without_its_snapshot_nothing_is_delivered_and_votes_are_held(void **state)
{
	(void)state;
	given_anchor(2 * BLOCK + 4);
	append_run(0, JOURNAL_VOTE, EARLIER, 2 * BLOCK, 8, 0);
	append_run(0, JOURNAL_CHOSEN, 0, 2 * BLOCK + 8, 8, 0);
	append(0, JOURNAL_COMMIT, EARLIER, 2 * BLOCK + 16);
	append(0, JOURNAL_DELIVERED, 0, 2 * BLOCK + 16);
	sync_journal();
	for (uint64_t older = 0; older <= BLOCK; older += BLOCK) {
		when_replayed_from(older);
		assert_int_equal(result, REPLAY_OK);
		assert_int_equal(learner.learner.delivered, older);
		assert_int_equal(replay.past.delivered, older);
		assert_int_equal(applied_count, 0);
		then_voted(2 * BLOCK, EARLIER);
		assert_int_equal(acceptors[0].acceptor.promised, EARLIER);
		assert_int_equal(acceptors[0].acceptor.lo, 2 * BLOCK);
		assert_int_equal(acceptors[0].blind, 0);
		then_disk_holds(IDENTITY_LOST, IDENTITY_LOST);
	}
	when_replayed_from(2 * BLOCK + 4);
	assert_int_equal(learner.learner.delivered, 2 * BLOCK + 16);
	then_disk_holds(2 * BLOCK + 16, EARLIER);
}

/* V4: votes may reach as far as the window from what the lost writes knew delivered. */
static void a_loss_behind_an_anchor_blinds_up_to_the_window_from_there(void **state)
{
	(void)state;
	given_anchor(2 * BLOCK);
	append_run(0, JOURNAL_VOTE, EARLIER, 2 * BLOCK, 8, 0);
	const struct journal_write lost = sync_journal();

	append_run(0, JOURNAL_VOTE, EARLIER, 2 * BLOCK + 8, 8, 0);
	sync_journal();
	image_block(lost.place)[99] ^= 1;
	when_replayed_from(0);
	assert_int_equal(acceptors[0].blind, 2 * BLOCK + ACCEPTOR_WINDOW);
}

/* V5. Else: the crash came before the journal said so, and the next life's records speak of instances
 * that this journal never saw chosen. */
static void a_snapshot_that_the_journal_does_not_know_of_is_told_to_it(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 4, 0);
	append(0, JOURNAL_DELIVERED, 0, 2);
	sync_journal();
	when_replayed_from(BLOCK);
	assert_int_equal(acceptors[0].installed, BLOCK);
	when_replayed_from(2);
	assert_int_equal(acceptors[0].installed, 0);
	when_replayed();
	assert_int_equal(acceptors[0].installed, 0);
}

/* V5. Else a member that voted x, then installed a snapshot in which y was chosen there, delivers x
 * when the snapshot is lost. */
static void behind_an_install_a_delivered_record_needs_the_snapshot(void **state)
{
	(void)state;
	append_run(0, JOURNAL_VOTE, EARLIER, 0, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, 4);
	append(0, JOURNAL_INSTALLED, 0, BLOCK);
	append_run(0, JOURNAL_VOTE, LATER, BLOCK, 8, 0);
	append(0, JOURNAL_DELIVERED, 0, BLOCK + 8);
	sync_journal();
	when_replayed();
	assert_int_equal(learner.learner.delivered, 4);
	assert_int_equal(acceptors[0].acceptor.tail, BLOCK);
	then_voted(BLOCK, LATER);
	when_replayed_from(BLOCK);
	assert_int_equal(learner.learner.delivered, BLOCK + 8);
	assert_int_equal(acceptors[0].acceptor.tail, BLOCK);
}

/* J15 over a restart. */
static void which_segments_are_needed_is_read_back(void **state)
{
	(void)state;
	given_written_to(2, 0);
	append_run(0, JOURNAL_VOTE, LATER, 8 * BLOCK, 16, 0);
	sync_journal();
	when_replayed();
	assert_memory_equal(start.segments->of, journal.segments.of,
		3 * sizeof(struct journal_segment));
	assert_int_equal(start.segments->last, 2);
	superblock = replay_next_life(&replay, &end);
	begin_life(&start);
	journal_anchor(&journal, 8 * BLOCK);
	assert_int_equal(journal.superblock.anchor_place, 2 * SEGMENT);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_snapshot_replaces_the_prefix),
		TEST(pins_in_front_of_the_anchor_stand_in_the_superblock),
		TEST(a_promise_far_above_none_comes_back),
		TEST(nothing_below_the_snapshot_is_served),
		TEST(without_its_snapshot_nothing_is_delivered_and_votes_are_held),
		TEST(a_loss_behind_an_anchor_blinds_up_to_the_window_from_there),
		TEST(behind_an_install_a_delivered_record_needs_the_snapshot),
		TEST(a_snapshot_that_the_journal_does_not_know_of_is_told_to_it),
		TEST(which_segments_are_needed_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
