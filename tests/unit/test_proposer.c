/* The proposer's rules: who must have answered before anything is proposed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/proposer.h"

static struct quorum majority;
static struct replica_settings settings;
static struct proposer p;
static _Alignas(8) uint8_t body[BODY_MAX + 8];

#define BALLOT (1ull * BALLOT_NODES)

static int setup(void **state)
{
	(void)state;
	quorum_init_majority(&majority, 3);
	settings = (struct replica_settings){
		.members = 3,
		.shards = 1,
		.body_max = 1386,
		.window = 1024,
		.retransmit_ns = 100,
		.quorum = &majority,
	};
	proposer_init(&p, &settings);
	proposer_start(&p, BALLOT);
	return 0;
}

static void promise_of(uint8_t member, uint64_t lo, uint64_t high)
{
	const struct message m = {
		.type = MESSAGE_PROMISE,
		.ballot = BALLOT,
		.sender = member,
		.first = lo,
		.watermark = high,
	};

	proposer_on_promise(&p, &m);
}

static void votes_of(uint8_t member, uint64_t ballot, uint64_t from, uint64_t to)
{
	const struct message m = {
		.type = MESSAGE_VOTES,
		.ballot = ballot,
		.sender = member,
		.first = from,
		.watermark = to,
	};

	proposer_on_votes(&p, &m, NULL);
}

static void prepare_goes_to_others_only_after_the_own_promise(void **state)
{
	(void)state;
	assert_int_equal(proposer_unanswered(&p), 1);
	promise_of(1, 0, 0);
	assert_int_equal(p.state, PROPOSER_PREPARING_SELF);
	promise_of(0, 0, 0);
	assert_int_not_equal(p.state, PROPOSER_PREPARING_SELF);
}

static void a_fresh_cluster_leads_after_a_quorum_of_promises(void **state)
{
	(void)state;
	promise_of(0, 0, 0);
	assert_int_equal(p.state, PROPOSER_PREPARING);
	assert_int_equal(proposer_unanswered(&p), 6);
	promise_of(2, 0, 0);
	assert_int_equal(p.state, PROPOSER_LEADING);
}

static void a_promise_of_another_ballot_does_not_count(void **state)
{
	const struct message m = {.type = MESSAGE_PROMISE, .ballot = BALLOT + 1, .sender = 1};

	(void)state;
	promise_of(0, 0, 0);
	proposer_on_promise(&p, &m);
	assert_int_equal(p.state, PROPOSER_PREPARING);
}

static void a_node_has_promised_when_each_shard_has(void **state)
{
	struct message m = {.type = MESSAGE_PROMISE, .ballot = BALLOT};

	(void)state;
	settings.shards = 2;
	proposer_on_promise(&p, &m);
	assert_int_equal(p.state, PROPOSER_PREPARING_SELF);
	m.shard = 1;
	proposer_on_promise(&p, &m);
	assert_int_equal(p.state, PROPOSER_PREPARING);
}

static void nothing_is_proposed_before_the_prefix_below_the_largest_lo(void **state)
{
	/* Else: trimmed between promise and chunk, chosen instances are no-oped. */
	uint32_t member;

	(void)state;
	promise_of(0, 0, 0);
	promise_of(1, 512, 600);
	assert_int_equal(p.state, PROPOSER_CATCHING_UP);
	assert_int_equal(proposer_prefix(&p, &member), 512);
	assert_int_equal(member, 1);
	proposer_on_delivered(&p, 511);
	assert_int_equal(p.state, PROPOSER_CATCHING_UP);
	proposer_on_delivered(&p, 530);
	assert_int_equal(p.state, PROPOSER_PULLING);
	assert_int_equal(p.recovery.from, 530);
}

static void every_member_of_the_quorum_must_cover_the_stride(void **state)
{
	(void)state;
	promise_of(0, 0, 10);
	promise_of(1, 0, 20);
	assert_int_equal(p.state, PROPOSER_PULLING);
	votes_of(0, BALLOT, 0, 20);
	assert_int_equal(p.state, PROPOSER_PULLING);
	votes_of(1, BALLOT, 0, 8);
	assert_int_equal(p.state, PROPOSER_PULLING);
	/* A chunk beyond a hole is in no chunk: unknown. */
	votes_of(1, BALLOT, 12, 20);
	assert_int_equal(p.state, PROPOSER_PULLING);
	votes_of(1, BALLOT, 8, 20);
	assert_int_equal(p.state, PROPOSER_REPROPOSING);
}

/* Else: the entry fits no run, its instance is passed over, and the next one leaves a hole. */
static void a_chunk_longer_than_a_frame_covers_nothing(void **state)
{
	enum {
		VALUE_BYTES = 1376
	};
	struct record *record = (struct record *)(void *)body;
	struct entry *entry = (struct entry *)(void *)(record + 1);
	struct message m = {
		.type = MESSAGE_VOTES,
		.ballot = BALLOT,
		.sender = 1,
		.first = 0,
		.watermark = 1,
		.count = 1,
		.payload_len = RECORD_BYTES + ENTRY_BYTES + VALUE_BYTES,
	};

	(void)state;
	*record = (struct record){.ballot = 1, .count = 1, .bytes = ENTRY_BYTES + VALUE_BYTES};
	*entry = (struct entry){.sequence_length = entry_pack(ENTRY_COMMAND, 1, VALUE_BYTES)};
	assert_true(m.payload_len > settings.body_max);
	promise_of(0, 0, 1);
	promise_of(1, 0, 1);
	votes_of(0, BALLOT, 0, 1);
	proposer_on_votes(&p, &m, body);
	assert_int_equal(p.state, PROPOSER_PULLING);
	assert_int_equal(proposer_unanswered(&p), 1u << 1);
}

static void chunks_of_another_ballot_or_member_do_not_combine(void **state)
{
	(void)state;
	promise_of(0, 0, 10);
	promise_of(1, 0, 10);
	votes_of(0, BALLOT, 0, 10);
	votes_of(1, BALLOT - 1, 0, 10);
	votes_of(2, BALLOT, 0, 10);
	assert_int_equal(p.state, PROPOSER_PULLING);
}

static void what_was_reported_is_proposed_again_before_anything_new(void **state)
{
	uint32_t bytes;
	uint64_t first;

	(void)state;
	promise_of(0, 0, 10);
	promise_of(1, 0, 10);
	votes_of(0, BALLOT, 0, 10);
	votes_of(1, BALLOT, 0, 10);
	assert_int_equal(proposer_room(&p), 0);
	assert_int_equal(proposer_repropose(&p, body, &bytes, &first, 1), 10);
	assert_int_equal(first, 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(proposer_repropose(&p, body, &bytes, &first, 1), 0);
	assert_int_equal(p.state, PROPOSER_LEADING);
	assert_int_equal(proposer_take(&p, 1, 1), 10);
}

static void accepted_by(uint8_t member, uint64_t first, uint64_t count)
{
	const struct range range = {.first = first, .count = count};
	const struct message m = {
		.type = MESSAGE_ACCEPTED,
		.ballot = BALLOT,
		.sender = member,
		.count = 1,
		.payload_len = sizeof(range),
	};

	proposer_on_accepted(&p, &m, (const uint8_t *)&range);
}

/* Else: in a pipeline a vote comes a moment later, is not counted, and nobody repeats the own one. */
static void votes_count_while_the_next_stride_is_pulled(void **state)
{
	uint32_t bytes;
	uint64_t first;

	(void)state;
	promise_of(0, 0, BLOCK + 10);
	promise_of(1, 0, BLOCK + 10);
	votes_of(0, BALLOT, 0, BLOCK);
	votes_of(1, BALLOT, 0, BLOCK);
	assert_int_equal(proposer_repropose(&p, body, &bytes, &first, 1), BLOCK);
	assert_int_equal(proposer_repropose(&p, body, &bytes, &first, 1), 0);
	assert_int_equal(p.state, PROPOSER_PULLING);
	accepted_by(0, 0, BLOCK);
	accepted_by(1, 0, BLOCK);
	assert_int_equal(p.window.chosen, BLOCK);
}

static void a_run_stays_in_its_block(void **state)
{
	(void)state;
	promise_of(0, 0, 0);
	promise_of(1, 0, 0);
	proposer_take(&p, 250, 1);
	assert_int_equal(proposer_room(&p), 6);
}

static void the_window_bounds_what_is_in_flight(void **state)
{
	(void)state;
	promise_of(0, 0, 0);
	promise_of(1, 0, 0);
	for (uint32_t i = 0; i < 4; i++)
		proposer_take(&p, 256, 1);
	assert_int_equal(proposer_room(&p), 0);
}

/* What is chosen and not delivered here yet still fills the window of the own acceptors. */
static void nothing_is_proposed_beyond_what_the_own_acceptors_vote_for(void **state)
{
	uint64_t end = 0;

	(void)state;
	promise_of(0, 0, 0);
	promise_of(1, 0, 0);
	for (uint32_t room = proposer_room(&p); room > 0; room = proposer_room(&p)) {
		end = proposer_take(&p, room, 1) + room;
		accepted_by(0, end - room, room);
		accepted_by(1, end - room, room);
		assert_true(end <= ACCEPTOR_WINDOW);
	}
	assert_int_equal(p.window.chosen, end);
	assert_true(end + 2 * BLOCK >= ACCEPTOR_WINDOW);
	proposer_on_delivered(&p, BLOCK);
	assert_int_equal(proposer_capacity(&p), BLOCK);
}

static void votes_of_another_ballot_choose_nothing(void **state)
{
	const struct range range = {.first = 0, .count = 4};
	struct message m = {.type = MESSAGE_ACCEPTED, .ballot = BALLOT - 1, .count = 1};

	(void)state;
	promise_of(0, 0, 0);
	promise_of(1, 0, 0);
	proposer_take(&p, 4, 1);
	for (uint8_t i = 0; i < 3; i++) {
		m.sender = i;
		assert_false(proposer_on_accepted(&p, &m, (const uint8_t *)&range));
	}
	m.ballot = BALLOT;
	proposer_on_accepted(&p, &m, (const uint8_t *)&range);
	m.sender = 0;
	assert_true(proposer_on_accepted(&p, &m, (const uint8_t *)&range));
	assert_int_equal(p.window.chosen, 4);
}

static void hear_trimmed(uint8_t sender)
{
	const struct message m = {
		.type = MESSAGE_REFUSED,
		.flags = REFUSAL_TRIMMED,
		.ballot = BALLOT,
		.sender = sender,
		.watermark = 256,
	};

	proposer_on_trimmed(&p, &m);
}

static void what_a_member_outside_the_quorum_trimmed_does_not_matter(void **state)
{
	/* Else: a member whose log begins above what its state machine has, because its snapshot is lost,
	 * makes every leader step down, though the others hold all of it. */
	(void)state;
	promise_of(0, 0, 300);
	promise_of(1, 0, 300);
	assert_int_equal(p.state, PROPOSER_PULLING);
	hear_trimmed(2);
	assert_int_equal(p.state, PROPOSER_PULLING);
	assert_int_equal(p.recovery.from, 0);
}

static void trimmed_while_pulling_raises_the_start(void **state)
{
	(void)state;
	promise_of(0, 0, 300);
	promise_of(1, 0, 300);
	hear_trimmed(1);
	assert_int_equal(p.state, PROPOSER_CATCHING_UP);
	proposer_on_delivered(&p, 260);
	assert_int_equal(p.state, PROPOSER_PULLING);
	assert_int_equal(p.recovery.from, 260);
}

static void questions_are_asked_again_after_a_while(void **state)
{
	(void)state;
	assert_true(proposer_asks(&p, 1000));
	assert_false(proposer_asks(&p, 1050));
	assert_true(proposer_asks(&p, 1100));
}

/* Every count of shards that there may be: what is proved takes the contract on trust. */
static void shards_own_blocks_by_turns(void **state)
{
	(void)state;
	for (uint32_t shards = 1; shards <= SHARD_MAX; shards *= 2)
		for (uint64_t block = 0; block < 64; block++) {
			const uint64_t high = INSTANCE_TOP - 64 * BLOCK + block * BLOCK;

			assert_int_equal(shard_of(block * BLOCK, shards), block % shards);
			assert_int_equal(shard_of(block * BLOCK + BLOCK - 1, shards),
				block % shards);
			assert_int_equal(shard_of(high, shards), high / BLOCK % shards);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(prepare_goes_to_others_only_after_the_own_promise, setup),
		cmocka_unit_test_setup(a_fresh_cluster_leads_after_a_quorum_of_promises, setup),
		cmocka_unit_test_setup(a_promise_of_another_ballot_does_not_count, setup),
		cmocka_unit_test_setup(a_node_has_promised_when_each_shard_has, setup),
		cmocka_unit_test_setup(nothing_is_proposed_before_the_prefix_below_the_largest_lo,
			setup),
		cmocka_unit_test_setup(every_member_of_the_quorum_must_cover_the_stride, setup),
		cmocka_unit_test(shards_own_blocks_by_turns),
		cmocka_unit_test_setup(a_chunk_longer_than_a_frame_covers_nothing, setup),
		cmocka_unit_test_setup(chunks_of_another_ballot_or_member_do_not_combine, setup),
		cmocka_unit_test_setup(what_was_reported_is_proposed_again_before_anything_new,
			setup),
		cmocka_unit_test_setup(votes_count_while_the_next_stride_is_pulled, setup),
		cmocka_unit_test_setup(a_run_stays_in_its_block, setup),
		cmocka_unit_test_setup(the_window_bounds_what_is_in_flight, setup),
		cmocka_unit_test_setup(nothing_is_proposed_beyond_what_the_own_acceptors_vote_for,
			setup),
		cmocka_unit_test_setup(votes_of_another_ballot_choose_nothing, setup),
		cmocka_unit_test_setup(what_a_member_outside_the_quorum_trimmed_does_not_matter,
			setup),
		cmocka_unit_test_setup(trimmed_while_pulling_raises_the_start, setup),
		cmocka_unit_test_setup(questions_are_asked_again_after_a_while, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
