/* The acceptor's rules (consensus/acceptor.h), each with the run that breaks without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/acceptor.h"

static struct acceptor a;

static int setup(void **state)
{
	(void)state;
	acceptor_init(&a, ACCEPTOR_WINDOW);
	return 0;
}

static enum acceptor_answer accept_run(uint64_t ballot, uint64_t first, uint16_t count,
	uint32_t checksum)
{
	const struct run run = {
		.ballot = ballot,
		.first = first,
		.count = count,
		.checksum = checksum,
		.position = ballot * 1000 + first,
	};

	return acceptor_on_accept(&a, &run);
}

static enum acceptor_answer choose(uint64_t first, uint16_t count)
{
	const struct run run = {.first = first, .count = count, .checksum = 9, .position = 7};

	return acceptor_on_chosen(&a, &run);
}

static void refuses_an_older_ballot_and_keeps_its_promise(void **state)
{
	(void)state;
	assert_int_equal(acceptor_on_prepare(&a, 7), ACCEPTOR_PROMISED);
	assert_int_equal(acceptor_on_prepare(&a, 6), ACCEPTOR_REFUSED);
	assert_int_equal(accept_run(6, 0, 1, 1), ACCEPTOR_REFUSED);
	assert_int_equal(a.promised, 7);
	assert_null(acceptor_vote(&a, 0));
}

static void accepts_an_equal_ballot(void **state)
{
	(void)state;
	acceptor_on_prepare(&a, 7);
	assert_int_equal(acceptor_on_prepare(&a, 7), ACCEPTOR_PROMISED);
	assert_int_equal(accept_run(7, 0, 4, 1), ACCEPTOR_VOTED);
}

static void a_vote_raises_the_promise(void **state)
{
	/* Else: it votes x@5 but stays at 4, and takes y@4 over it. */
	(void)state;
	acceptor_on_prepare(&a, 4);
	assert_int_equal(accept_run(5, 0, 1, 1), ACCEPTOR_VOTED);
	assert_int_equal(accept_run(4, 0, 1, 2), ACCEPTOR_REFUSED);
	assert_int_equal(acceptor_vote(&a, 0)->ballot, 5);
}

static void a_higher_ballot_replaces_only_what_it_covers(void **state)
{
	(void)state;
	accept_run(1, 1, 17, 1);
	assert_int_equal(accept_run(3, 10, 8, 2), ACCEPTOR_VOTED);
	assert_int_equal(acceptor_vote(&a, 9)->ballot, 1);
	assert_int_equal(acceptor_vote(&a, 10)->ballot, 3);
	assert_int_equal(acceptor_vote(&a, 17)->index, 7);
	assert_null(acceptor_vote(&a, 18));
}

static void an_identical_run_is_voted_for_again_without_appending(void **state)
{
	(void)state;
	accept_run(2, 0, 16, 5);
	assert_int_equal(accept_run(2, 0, 16, 5), ACCEPTOR_REPEATED);
}

static void one_ballot_with_two_runs_is_a_conflict(void **state)
{
	(void)state;
	accept_run(2, 0, 16, 5);
	assert_int_equal(accept_run(2, 0, 16, 6), ACCEPTOR_CONFLICT);
	assert_int_equal(accept_run(2, 0, 8, 5), ACCEPTOR_CONFLICT);
	assert_int_equal(accept_run(2, 8, 16, 5), ACCEPTOR_CONFLICT);
	assert_int_equal(acceptor_vote(&a, 0)->checksum, 5);
}

static void does_not_vote_below_lo_nor_beyond_the_window(void **state)
{
	(void)state;
	acceptor_trim(&a, 300);
	assert_int_equal(a.lo, 256);
	assert_int_equal(accept_run(1, 255, 1, 1), ACCEPTOR_TRIMMED);
	assert_int_equal(accept_run(1, 256 + ACCEPTOR_WINDOW, 1, 1), ACCEPTOR_BEHIND);
	assert_int_equal(accept_run(1, 256 + ACCEPTOR_WINDOW - 1, 1, 1), ACCEPTOR_VOTED);
}

static void lo_is_the_delivered_index_down_to_a_block(void **state)
{
	(void)state;
	acceptor_trim(&a, 511);
	assert_int_equal(a.lo, 256);
	acceptor_trim(&a, 100);
	assert_int_equal(a.lo, 256);
	acceptor_trim(&a, 512);
	assert_int_equal(a.lo, 512);
}

static void trimming_leaves_the_values_for_catch_up(void **state)
{
	(void)state;
	accept_run(1, 0, 16, 1);
	acceptor_trim(&a, 1000);
	assert_non_null(acceptor_vote(&a, 3));
	assert_int_equal(a.tail, 0);
}

static void what_is_chosen_is_never_replaced(void **state)
{
	(void)state;
	accept_run(1, 0, 4, 1);
	assert_int_equal(choose(2, 4), ACCEPTOR_STORED);
	assert_int_equal(accept_run(9, 2, 1, 3), ACCEPTOR_VOTED);
	assert_int_equal(choose(2, 4), ACCEPTOR_KNOWN);
	assert_int_equal(acceptor_vote(&a, 2)->state, VOTE_CHOSEN);
	assert_int_equal(acceptor_vote(&a, 1)->state, VOTE_CAST);
}

static void votes_for_a_run_of_which_it_knows_a_part_chosen(void **state)
{
	(void)state;
	assert_int_equal(choose(2, 1), ACCEPTOR_STORED);
	assert_int_equal(accept_run(9, 0, 4, 3), ACCEPTOR_VOTED);
	assert_int_equal(acceptor_vote(&a, 1)->ballot, 9);
	assert_int_equal(acceptor_vote(&a, 2)->state, VOTE_CHOSEN);
	assert_int_equal(acceptor_vote(&a, 3)->ballot, 9);
	assert_int_equal(accept_run(9, 0, 4, 3), ACCEPTOR_REPEATED);
	assert_int_equal(accept_run(9, 1, 2, 3), ACCEPTOR_CONFLICT);
	/* Chosen meanwhile. */
	assert_int_equal(choose(1, 1), ACCEPTOR_STORED);
	assert_int_equal(accept_run(9, 0, 4, 3), ACCEPTOR_REPEATED);
	assert_int_equal(a.promised, 9);
}

static void stores_what_is_chosen_whatever_it_promised(void **state)
{
	(void)state;
	acceptor_on_prepare(&a, 100);
	assert_int_equal(choose(0, 4), ACCEPTOR_STORED);
	assert_int_equal(a.promised, 100);
}

static void a_ballot_from_nowhere_is_refused(void **state)
{
	(void)state;
	uint64_t far = (BALLOT_ROUND_JUMP + 1) * BALLOT_NODES;

	assert_int_equal(acceptor_on_prepare(&a, far), ACCEPTOR_TOO_HIGH);
	assert_int_equal(accept_run(far, 0, 1, 1), ACCEPTOR_TOO_HIGH);
	assert_int_equal(a.promised, 0);
	assert_int_equal(acceptor_on_prepare(&a, BALLOT_ROUND_JUMP * BALLOT_NODES),
		ACCEPTOR_PROMISED);
}

static void pieces_are_cut_at_every_boundary(void **state)
{
	struct piece piece;

	(void)state;
	accept_run(1, 1, 17, 1);
	accept_run(3, 10, 4, 2);
	assert_true(acceptor_piece(&a, 0, 256, &piece));
	assert_int_equal(piece.first, 1);
	assert_int_equal(piece.count, 9);
	assert_true(acceptor_piece(&a, 10, 256, &piece));
	assert_int_equal(piece.ballot, 3);
	assert_int_equal(piece.count, 4);
	assert_true(acceptor_piece(&a, 14, 256, &piece));
	assert_int_equal(piece.index, 13);
	assert_int_equal(piece.count, 4);
	assert_false(acceptor_piece(&a, 18, 256, &piece));
}

static void a_piece_ends_where_the_next_run_of_a_whole_block_is_like_it(void **state)
{
	struct run run = {.ballot = 3, .count = BLOCK, .checksum = 0, .position = 7};
	struct piece piece;

	(void)state;
	assert_int_equal(acceptor_on_accept(&a, &run), ACCEPTOR_VOTED);
	run.first = BLOCK;
	assert_int_equal(acceptor_on_accept(&a, &run), ACCEPTOR_VOTED);
	assert_true(acceptor_piece(&a, 10, 2 * BLOCK, &piece));
	assert_int_equal(piece.first, 10);
	assert_int_equal(piece.count, BLOCK - 10);
}

static void behind_a_snapshot_nothing_below_is_served_and_votes_stand(void **state)
{
	/* Else: a vote at which something else was chosen is served as what was chosen. */
	(void)state;
	accept_run(1, BLOCK, 16, 1);
	acceptor_install(&a, BLOCK + 10);
	assert_int_equal(a.delivered, BLOCK + 10);
	assert_int_equal(a.lo, BLOCK);
	assert_int_equal(a.tail, BLOCK + 10);
	assert_non_null(acceptor_vote(&a, BLOCK));
	acceptor_install(&a, BLOCK + 5);
	assert_int_equal(a.tail, BLOCK + 10);
	acceptor_trim(&a, BLOCK + 12);
	assert_int_equal(a.tail, BLOCK + 10);
}

static void a_slot_of_an_earlier_lap_is_no_vote(void **state)
{
	(void)state;
	accept_run(1, 0, 16, 1);
	acceptor_trim(&a, VOTES_MAX);
	assert_null(acceptor_vote(&a, VOTES_MAX));
	assert_true(a.tail > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_an_older_ballot_and_keeps_its_promise, setup),
		cmocka_unit_test_setup(accepts_an_equal_ballot, setup),
		cmocka_unit_test_setup(a_vote_raises_the_promise, setup),
		cmocka_unit_test_setup(a_higher_ballot_replaces_only_what_it_covers, setup),
		cmocka_unit_test_setup(an_identical_run_is_voted_for_again_without_appending,
			setup),
		cmocka_unit_test_setup(one_ballot_with_two_runs_is_a_conflict, setup),
		cmocka_unit_test_setup(does_not_vote_below_lo_nor_beyond_the_window, setup),
		cmocka_unit_test_setup(lo_is_the_delivered_index_down_to_a_block, setup),
		cmocka_unit_test_setup(behind_a_snapshot_nothing_below_is_served_and_votes_stand,
			setup),
		cmocka_unit_test_setup(trimming_leaves_the_values_for_catch_up, setup),
		cmocka_unit_test_setup(what_is_chosen_is_never_replaced, setup),
		cmocka_unit_test_setup(votes_for_a_run_of_which_it_knows_a_part_chosen, setup),
		cmocka_unit_test_setup(stores_what_is_chosen_whatever_it_promised, setup),
		cmocka_unit_test_setup(a_ballot_from_nowhere_is_refused, setup),
		cmocka_unit_test_setup(pieces_are_cut_at_every_boundary, setup),
		cmocka_unit_test_setup(a_piece_ends_where_the_next_run_of_a_whole_block_is_like_it,
			setup),
		cmocka_unit_test_setup(a_slot_of_an_earlier_lap_is_no_vote, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
