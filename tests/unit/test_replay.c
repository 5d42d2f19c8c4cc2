/* A journal read into the roles: what is promised, held, delivered again, and what is unknown. */
#include "tests/unit/given_journal.h"

#include "consensus/replay.h"
#include "tests/unit/given_stage.h"

enum {
	SELF = 1,
	LOG_SIZE = 1 << 20,
	SESSIONS_MAX = 4,
	APPLIED_MAX = 4096,
};

#define EARLIER ballot_make(4, 0)
#define LATER ballot_make(5, 2)

static struct acceptor_stage acceptors[2];
static struct learner_stage learner;
static struct session sessions[16];
static _Alignas(64) uint8_t logs[2][LOG_SIZE];
static struct replay replay;
static struct journal_start start;
static enum replay_result result;
static enum superblock_result superblock_state;
static uint64_t applied[APPLIED_MAX];
static uint32_t applied_count;

static void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		assert_true(applied_count < APPLIED_MAX);
		applied[applied_count++] = commands[i].sequence;
		results[i] = (struct result){.status = REPLY_OK};
	}
}

static int setup_shards(void **state, uint32_t shards)
{
	given_journal(state);
	given_settings();
	settings.self = SELF;
	settings.uuid = superblock.uuid;
	settings.shards = shards;
	settings.durability = DURABILITY_SYNC;
	superblock.shards = shards;
	superblock.mode = DURABILITY_SYNC;
	superblock_state = SUPERBLOCK_OK;
	begin_life(&(struct journal_start){.place = 1, .number = 2, .previous = 1});
	/* The format's write, as the first life found it. */
	when_restarted();
	const struct journal_write w = close_write();

	written(&w);
	return 0;
}

static int setup(void **state)
{
	return setup_shards(state, 1);
}

static int setup_two_shards(void **state)
{
	return setup_shards(state, 2);
}

static void append(uint32_t shard, enum journal_kind kind, uint64_t ballot, uint64_t first)
{
	const struct journal_record r = {
		.kind = (uint8_t)kind,
		.ballot = ballot,
		.first = first,
		.shard = (uint8_t)shard,
	};

	journal_append(&journal, shard, &r, NULL);
}

/* An open command at instance 0, or commands of its session whose sequence is their instance; from
 * `offset` on, so that values differ. */
static void append_run(uint32_t shard, enum journal_kind kind, uint64_t ballot, uint64_t first,
	uint16_t count, uint64_t offset)
{
	_Alignas(8) uint8_t entries[BODY_MAX];
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += first + i == 0
			? put_entry(entries, ENTRY_OPEN, 5, 0, 0)
			: put_entry(entries + bytes, ENTRY_COMMAND, 0, first + i + offset, 16);
	const struct journal_record r = {
		.kind = (uint8_t)kind,
		.ballot = ballot,
		.first = first,
		.count = count,
		.bytes = (uint16_t)bytes,
		.checksum = message_crc(entries, bytes),
		.shard = (uint8_t)shard,
	};

	journal_append(&journal, shard, &r, entries);
}

static struct journal_write sync_journal(void)
{
	const struct journal_write w = close_write();

	written(&w);
	return w;
}

static void when_replayed_from(uint64_t applied_index)
{
	const struct machine machine = {.apply = apply};
	struct acceptor_stage *stages[] = {&acceptors[0], &acceptors[1]};
	const struct journal_found *f;

	sent_count = 0;
	applied_count = 0;
	learner_stage_init(&learner, &settings, &outlet, &machine, sessions, SESSIONS_MAX, NULL,
		NULL);
	for (uint32_t i = 0; i < settings.shards; i++)
		acceptor_stage_init(&acceptors[i], &settings, i, &outlet, logs[i], LOG_SIZE);
	learner.learner.delivered = applied_index;
	replay_init(&replay, &settings, stages, &learner, &superblock, superblock_state,
		applied_index);
	journal_reader_init(&reader, &superblock);
	for (uint64_t place = superblock.anchor_place; place < IMAGE_BLOCKS; place++) {
		journal_reader_block(&reader, place, image_block(place));
		while ((f = journal_reader_take(&reader)) != NULL)
			replay_write(&replay, f);
	}
	journal_reader_end(&reader, &end);
	result = replay_end(&replay, &end, &start);
	assert_int_equal(sent_count, 0);
}

static void when_replayed(void)
{
	when_replayed_from(0);
}

static void then_voted(uint64_t first, uint64_t ballot)
{
	const struct vote *v = acceptor_vote(&acceptors[0].acceptor, first);

	assert_non_null(v);
	assert_int_equal(v->state, VOTE_CAST);
	assert_int_equal(v->ballot, ballot);
}

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

static void then_disk_holds(uint64_t position, uint64_t promised)
{
	assert_int_equal(result, REPLAY_OK);
	assert_int_equal(replay.past.disk.position, position);
	assert_int_equal(replay.past.disk.promised, promised);
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
		TEST(a_snapshot_replaces_the_prefix),
		TEST(pins_in_front_of_the_anchor_stand_in_the_superblock),
		TEST(a_promise_far_above_none_comes_back),
		TEST(nothing_below_the_snapshot_is_served),
		TEST(without_its_snapshot_nothing_is_delivered_and_votes_are_held),
		TEST(a_loss_behind_an_anchor_blinds_up_to_the_window_from_there),
		TEST(behind_an_install_a_delivered_record_needs_the_snapshot),
		TEST(a_snapshot_that_the_journal_does_not_know_of_is_told_to_it),
		TEST(which_segments_are_needed_is_read_back),
		TEST(each_start_is_a_life_above_any_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
