/* Reads that wait, and the round that confirms them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/reads.h"

enum {
	CLIENT = ENDPOINT_CLIENT_FIRST,
	BODY = 1386,
	BALLOT = 65536,
};

static struct quorum majority;
static struct replica_settings settings;
static struct reads reads;

static int setup(void **state)
{
	(void)state;
	quorum_init_majority(&majority, 3);
	settings = (struct replica_settings){.members = 3, .shards = 2, .quorum = &majority};
	reads_init(&reads, READ_RULE_LEADER);
	return 0;
}

static bool add(uint64_t sequence, uint64_t index)
{
	struct {
		struct entry e;
		uint8_t value[8];
	} read = {.e.session = 9, .e.sequence_length = entry_pack(ENTRY_COMMAND, sequence, 8)};

	return reads_add(&reads, &read.e, CLIENT, index, BODY);
}

static bool confirm(uint32_t member, uint32_t shard, uint64_t ballot, uint64_t nonce)
{
	const struct message m = {
		.type = MESSAGE_READ_CONFIRM,
		.ballot = ballot,
		.first = nonce,
		.sender = (uint8_t)member,
		.shard = (uint16_t)shard,
	};

	return reads_on_confirm(&reads, &settings, &m);
}

static bool confirmed(uint32_t member, uint32_t shard)
{
	return confirm(member, shard, reads.ballot, reads.nonce);
}

static void given_round(void)
{
	add(0, 5);
	reads_begin(&reads, BALLOT, 0);
}

static void a_phase2_quorum_with_all_its_shards_confirms(void **state)
{
	(void)state;
	given_round();
	assert_false(confirmed(0, 0));
	assert_false(confirmed(1, 1));
	assert_false(confirmed(2, 0));
	assert_false(confirmed(0, 1));
	assert_true(confirmed(1, 0));
}

static void one_members_repeated_confirmation_counts_once(void **state)
{
	(void)state;
	given_round();
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(confirmed(2, 0));
		assert_false(confirmed(2, 1));
	}
}

static void a_confirmation_of_another_nonce_or_ballot_does_not_count(void **state)
{
	/* Else: what an acceptor said before a read arrived speaks for it. */
	(void)state;
	settings.shards = 1;
	given_round();
	assert_false(confirmed(0, 0));
	assert_true(confirmed(1, 0));
	reads_end(&reads);
	given_round();
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(confirm(i, 0, BALLOT, reads.nonce - 1));
		assert_false(confirm(i, 0, BALLOT - BALLOT_NODES, reads.nonce));
		assert_false(confirm(i, 0, BALLOT + BALLOT_NODES, reads.nonce));
	}
	assert_false(confirmed(0, 0));
	assert_true(confirmed(1, 0));
}

static void no_nonce_is_used_twice(void **state)
{
	uint64_t nonce;

	(void)state;
	given_round();
	nonce = reads.nonce;
	reads_clear(&reads);
	given_round();
	assert_true(reads.nonce > nonce);
}

static void a_confirmation_of_no_round_or_no_member_is_nothing(void **state)
{
	(void)state;
	settings.shards = 1;
	given_round();
	assert_false(confirmed(3, 0));
	assert_false(confirmed(4, 0));
	assert_false(confirmed(0, 1));
	assert_false(confirmed(1, 1));
	assert_false(confirmed(0, 0));
	assert_true(confirmed(1, 0));
	reads_end(&reads);
	assert_false(confirmed(2, 0));
	add(0, 5);
	assert_false(confirmed(2, 0));
}

static void what_arrives_after_the_round_began_waits_for_the_next(void **state)
{
	(void)state;
	given_round();
	add(1, 6);
	assert_false(reads_ready(&reads));
	assert_int_equal(reads_round(&reads)->count, 1);
	assert_int_equal(reads_round(&reads)->index, 5);
	reads_end(&reads);
	assert_true(reads_ready(&reads));
	reads_begin(&reads, BALLOT, 0);
	assert_int_equal(reads_round(&reads)->count, 1);
	assert_int_equal(reads_round(&reads)->index, 6);
	assert_int_equal(entry_sequence(
				 (const struct entry *)(const void *)reads_round(&reads)->body),
		1);
	reads_end(&reads);
	assert_false(reads_ready(&reads));
}

static void a_batch_has_the_index_of_its_last_read(void **state)
{
	(void)state;
	add(0, 5);
	add(1, 9);
	reads_begin(&reads, BALLOT, 0);
	assert_int_equal(reads_round(&reads)->index, 9);
	assert_int_equal(reads_round(&reads)->count, 2);
}

static void no_batch_exceeds_its_frames_its_memory_or_a_call_of_the_machine(void **state)
{
	const struct {
		struct entry e;
		uint8_t value[1000];
	} large = {.e.sequence_length = entry_pack(ENTRY_COMMAND, 0, 1000)};
	const struct entry bare = {.sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)};
	uint32_t count = 0;

	(void)state;
	while (add(count, 5))
		count++;
	assert_int_equal(count, READ_FRAMES * BODY / (ENTRY_BYTES + 8 + 2));
	reads_clear(&reads);
	for (count = 0; reads_add(&reads, &bare, CLIENT, 5, BODY_MAX); count++)
		assert_true(count < RUN_COUNT_MAX);
	assert_int_equal(count, RUN_COUNT_MAX);
	reads_clear(&reads);
	for (count = 0; reads_add(&reads, &large.e, CLIENT, 5, BODY_MAX); count++)
		;
	assert_int_equal(count, sizeof(reads.batches[0].body) / entry_bytes(1000));
}

static void a_batch_goes_in_pieces_that_fit_a_frame(void **state)
{
	const struct {
		struct entry e;
		uint8_t value[808];
	} half = {.e.sequence_length = entry_pack(ENTRY_COMMAND, 0, 808)};
	const struct read_batch *b;
	uint32_t pieces = 0;
	uint32_t from = 0;
	uint32_t bytes;

	(void)state;
	/* No two large ones fit a piece, and each leaves room for a few small ones. */
	while (reads_add(&reads, &half.e, CLIENT, 5, BODY))
		for (uint32_t i = 0; i < 5; i++)
			add(i, 5);
	reads_begin(&reads, BALLOT, 0);
	b = reads_round(&reads);
	for (uint32_t at = 0; from < b->count; at += bytes) {
		uint32_t count = reads_piece(b, from, at, BODY, &bytes);

		assert_in_range(count, 1, b->count - from);
		assert_true(bytes + 2 * count <= BODY);
		assert_true(at + bytes <= b->bytes);
		assert_true(entries_valid(b->body + at, bytes, count));
		from += count;
		pieces++;
	}
	assert_in_range(pieces, READ_FRAMES, READ_PIECES_MAX);
}

static void who_confirmed_is_not_asked_again(void **state)
{
	(void)state;
	given_round();
	confirmed(1, 0);
	assert_int_equal(reads_unconfirmed(&reads, 7, 0), 5);
	assert_int_equal(reads_unconfirmed(&reads, 7, 1), 7);
	confirmed(2, 1);
	reads_clear(&reads);
	given_round();
	assert_int_equal(reads_unconfirmed(&reads, 7, 0), 7);
	assert_int_equal(reads_unconfirmed(&reads, 7, 1), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_phase2_quorum_with_all_its_shards_confirms, setup),
		cmocka_unit_test_setup(one_members_repeated_confirmation_counts_once, setup),
		cmocka_unit_test_setup(a_confirmation_of_another_nonce_or_ballot_does_not_count,
			setup),
		cmocka_unit_test_setup(no_nonce_is_used_twice, setup),
		cmocka_unit_test_setup(a_confirmation_of_no_round_or_no_member_is_nothing, setup),
		cmocka_unit_test_setup(what_arrives_after_the_round_began_waits_for_the_next,
			setup),
		cmocka_unit_test_setup(a_batch_has_the_index_of_its_last_read, setup),
		cmocka_unit_test_setup(
			no_batch_exceeds_its_frames_its_memory_or_a_call_of_the_machine, setup),
		cmocka_unit_test_setup(a_batch_goes_in_pieces_that_fit_a_frame, setup),
		cmocka_unit_test_setup(who_confirmed_is_not_asked_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
