/* Exactly once, by the session's window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "consensus/session.h"

enum {
	SESSIONS = 4
};

static struct session slots[16];
static struct session_table table;

static int setup(void **state)
{
	(void)state;
	assert_true(session_slots(SESSIONS) <= 16);
	session_init(&table, slots, SESSIONS);
	return 0;
}

static void a_sequence_executes_once_and_its_reply_is_kept(void **state)
{
	struct session *s = session_open(&table, 10);
	uint64_t result;

	(void)state;
	assert_int_equal(session_apply(s, 0, 11), SESSION_RUN);
	session_keep(s, 0, REPLY_OK, 77);
	assert_int_equal(session_apply(s, 0, 12), SESSION_CACHED);
	assert_int_equal(session_reply(s, 0, &result), REPLY_OK);
	assert_int_equal(result, 77);
}

static void commands_of_a_session_may_run_out_of_order(void **state)
{
	/* Else, with "last sequence": 0 is lost, 1 executes, 0 is taken for a duplicate. */
	struct session *s = session_open(&table, 10);

	(void)state;
	assert_int_equal(session_apply(s, 1, 11), SESSION_RUN);
	assert_int_equal(session_apply(s, 0, 12), SESSION_RUN);
	assert_int_equal(session_apply(s, 1, 13), SESSION_CACHED);
}

static void a_sequence_below_the_window_is_stale(void **state)
{
	struct session *s = session_open(&table, 10);

	(void)state;
	assert_int_equal(session_apply(s, SESSION_WINDOW, 11), SESSION_RUN);
	assert_int_equal(session_apply(s, 0, 12), SESSION_STALE);
	assert_int_equal(session_apply(s, 1, 13), SESSION_RUN);
}

static void the_window_slides_with_what_it_has_seen(void **state)
{
	struct session *s = session_open(&table, 10);

	(void)state;
	session_apply(s, 2, 11);
	session_apply(s, SESSION_WINDOW + 1, 12);
	assert_int_equal(session_apply(s, 2, 13), SESSION_CACHED);
	assert_int_equal(session_apply(s, 3, 14), SESSION_RUN);
	session_apply(s, 1000, 15);
	assert_int_equal(session_apply(s, 3, 16), SESSION_STALE);
}

static void looking_changes_nothing(void **state)
{
	struct session *s = session_open(&table, 10);

	(void)state;
	assert_int_equal(session_look(s, 5), SESSION_RUN);
	assert_int_equal(session_look(s, 0), SESSION_RUN);
	assert_int_equal(s->base, 0);
}

static void a_full_table_evicts_what_was_applied_longest_ago(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= SESSIONS; id++)
		session_open(&table, id);
	session_apply(session_find(&table, 1), 0, 100);
	session_open(&table, 200);
	assert_non_null(session_find(&table, 1));
	assert_null(session_find(&table, 2));
	assert_non_null(session_find(&table, 200));
	assert_int_equal(table.count, SESSIONS);
}

static void eviction_never_breaks_a_chain_of_slots(void **state)
{
	(void)state;
	/* Ids that share a home, so that their slots form one chain. */
	for (uint64_t i = 0; i < 5000; i++) {
		session_open(&table, i * 7);
		for (uint64_t k = i < SESSIONS - 1 ? 0 : i - (SESSIONS - 1); k <= i; k++)
			assert_non_null(session_find(&table, k * 7));
	}
}

/* ---- Snapshots ---- */

enum {
	MANY = 100, /* Of 256 slots, four steps. */
	MANY_SLOTS = 256,
	ROUNDS = 300,
	COMMANDS_AFTER = 300,
	COMMANDS_A_STEP = 30,
	KNOWN = 2 * MANY, /* Ids that are used again, some of them evicted. */
};

/* A table, and what was done to it: the same can be done to another one. */
struct user {
	struct session_table *table;
	uint64_t random; /* xorshift64* */
	uint64_t instance;
	uint64_t ids[KNOWN];
	uint64_t opened;
};

static uint64_t seed;
static struct session many_slots[MANY_SLOTS], other_slots[MANY_SLOTS];
static struct session_table many, other;
static struct user user;

static _Alignas(8) uint8_t bytes[1 << 14];
static struct snapshot image;

/* The sessions of the cut, in any order. */
static struct snapshot_session cut[MANY];
static uint32_t cut_count;

static int given_many(void **state)
{
	struct timespec now;
	const char *given = getenv("PAXWIRE_SEED");

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	seed = given != NULL ? strtoull(given, NULL, 0)
			     : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_int_equal(session_slots(MANY), MANY_SLOTS);
	session_init(&many, many_slots, MANY);
	session_init(&other, other_slots, MANY);
	user = (struct user){.table = &many, .random = seed | 1};
	return 0;
}

static uint64_t draw(struct user *u)
{
	u->random ^= u->random >> 12;
	u->random ^= u->random << 25;
	u->random ^= u->random >> 27;
	return u->random * 0x2545f4914f6cdd1dull;
}

/* One entry of the log. Returns what can be seen of it. */
static uint64_t use(struct user *u)
{
	/* Instances with few homes, so that chains are long and evictions move sessions. */
	u->instance = (u->instance / MANY_SLOTS + 1) * MANY_SLOTS + draw(u) % 8;
	if (draw(u) % 4 == 0) {
		session_open(u->table, u->instance);
		u->ids[u->opened++ % KNOWN] = u->instance;
		return u->table->count;
	}
	const uint64_t id = u->ids[draw(u) % KNOWN];
	const uint64_t sequence = draw(u) % 40;
	struct session *s = session_find(u->table, id);
	uint64_t result = 0;

	if (s == NULL)
		return 1000;
	session_save(u->table, s);
	const enum session_answer answer = session_apply(s, sequence, u->instance);

	if (answer == SESSION_RUN)
		session_keep(s, sequence, REPLY_OK, u->instance);
	else if (answer == SESSION_CACHED)
		session_reply(s, sequence, &result);
	return 2000 + answer + 4 * result;
}

static void when_used(uint64_t count)
{
	while (count-- > 0)
		use(&user);
}

static void when_cut(void)
{
	const struct snapshot_header header = {.sessions = many.count};

	cut_count = 0;
	for (uint64_t at = 0; at < MANY_SLOTS; at++) {
		const struct session *s = &many.slots[at];

		if (s->id == 0)
			continue;
		cut[cut_count] = (struct snapshot_session){.id = s->id,
			.base = s->base,
			.last = s->last,
			.done = s->done};
		memcpy(cut[cut_count++].replies, s->replies, sizeof(s->replies));
	}
	image = (struct snapshot){.bytes = bytes, .size = sizeof(bytes)};
	snapshot_begin(&image, &header);
	session_snapshot_begin(&many, &image);
}

static void when_ended(void)
{
	while (snapshot_sum(&image))
		;
	snapshot_end(&image);
}

static void when_saved_while_used(void)
{
	when_cut();
	do
		when_used(draw(&user) % COMMANDS_A_STEP);
	while (session_snapshot_step(&many));
	when_ended();
}

static void then_exact(void)
{
	const struct snapshot_record *r;
	uint64_t at = SNAPSHOT_HEADER_BYTES;
	bool seen[MANY] = {false};
	uint32_t count = 0;

	while ((r = snapshot_next(&image, &at)) != NULL) {
		uint32_t i = 0;

		assert_int_equal(r->kind, SNAPSHOT_SESSION);
		while (i < cut_count && (seen[i] || memcmp(r + 1, &cut[i], sizeof(cut[i])) != 0))
			i++;
		if (i == cut_count)
			fail_msg("A session is not as at the cut: PAXWIRE_SEED=%lu", seed);
		seen[i] = true;
		count++;
	}
	if (count != cut_count)
		fail_msg("%u sessions of %u: PAXWIRE_SEED=%lu", count, cut_count, seed);
}

static void when_restored_to_other(void)
{
	const struct snapshot_record *r;
	uint64_t at = SNAPSHOT_HEADER_BYTES;

	while (session_clear_step(&other))
		;
	while ((r = snapshot_next(&image, &at)) != NULL)
		session_restore(&other, (const struct snapshot_session *)(const void *)(r + 1));
}

static void a_snapshot_is_exact_at_its_cut_while_the_table_is_used(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		when_used(draw(&user) % COMMANDS_AFTER);
		when_saved_while_used();
		then_exact();
	}
	assert_true(many.evicted > 0);
}

static void when_all_is_saved_nothing_is_saved_again(void **state)
{
	(void)state;
	when_used(COMMANDS_AFTER * 4);
	when_saved_while_used();
	const uint64_t used = image.used;

	when_used(COMMANDS_AFTER * 4);
	assert_int_equal(image.used, used);
}

static void no_step_saves_or_clears_a_whole_table(void **state)
{
	(void)state;
	/* A session in every second slot or so. */
	for (uint64_t id = 0; id < MANY; id++)
		session_open(&many, id * 2);
	when_cut();
	assert_true(session_snapshot_step(&many));
	assert_in_range(image.used, SNAPSHOT_HEADER_BYTES,
		SNAPSHOT_HEADER_BYTES + 50 * snapshot_record_bytes(SNAPSHOT_SESSION_BYTES));
	while (session_snapshot_step(&many))
		;
	assert_true(session_clear_step(&many));
	assert_in_range(many.count, 50, MANY - 1);
	while (session_clear_step(&many))
		;
	assert_int_equal(many.count, 0);
	for (uint64_t id = 0; id < MANY; id++)
		assert_null(session_find(&many, id * 2));
}

static void a_restored_table_behaves_as_the_one_that_was_saved(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		when_used(draw(&user) % COMMANDS_AFTER);
		/* No use between the steps: both stand at the cut, whatever `other` was before. */
		when_cut();
		while (session_snapshot_step(&many))
			;
		when_ended();
		when_restored_to_other();
		assert_int_equal(other.count, many.count);

		struct user same = user;

		same.table = &other;
		for (uint32_t i = 0; i < COMMANDS_AFTER; i++)
			if (use(&user) != use(&same))
				fail_msg("They differ: PAXWIRE_SEED=%lu", seed);
		for (uint32_t i = 0; i < KNOWN; i++)
			assert_int_equal(session_find(&many, user.ids[i]) == NULL,
				session_find(&other, user.ids[i]) == NULL);
	}
}

static void a_restored_session_is_saved_as_any_other(void **state)
{
	(void)state;
	when_used(COMMANDS_AFTER * 4);
	when_saved_while_used();
	for (uint32_t i = 0; i < 2; i++) {
		/* Of several snapshots, or none, before: generations differ. */
		session_snapshot_begin(&other, &image);
		while (session_snapshot_step(&other))
			;
	}
	when_restored_to_other();
	const uint64_t used = image.used;

	session_save(&other, session_find(&other, cut[0].id - 1));
	assert_int_equal(image.used, used);
	image = (struct snapshot){.bytes = bytes, .size = sizeof(bytes)};
	snapshot_begin(&image, &(struct snapshot_header){.sessions = other.count});
	session_snapshot_begin(&other, &image);
	while (session_snapshot_step(&other))
		;
	when_ended();
	then_exact();
}

static void then_set(uint8_t done, uint32_t k, uint32_t by)
{
	const uint32_t weights[] = {1, 2, 4, 8, 16, 32, 64};
	const uint8_t with = done_with(done, k);
	const uint8_t slid = done_slid(done, by);

	assert_true(with < DONE_SETS && slid < DONE_SETS);
	assert_int_equal(done_has(done, k), done / weights[k] % 2);
	for (uint32_t i = 0; i < SESSION_WINDOW; i++) {
		assert_int_equal(with / weights[i] % 2, i == k ? 1 : done / weights[i] % 2);
		assert_int_equal(slid / weights[i] % 2, done / weights[i + by] % 2);
	}
}

static void each_set_of_a_window_is_read_filled_and_slid_bit_by_bit(void **state)
{
	/* Every input that there is: what is proved elsewhere takes these contracts on trust. */
	(void)state;
	for (uint32_t done = 0; done < DONE_SETS; done++)
		for (uint32_t k = 0; k < SESSION_WINDOW; k++)
			for (uint32_t by = 0; by < SESSION_WINDOW; by++)
				then_set((uint8_t)done, k, by);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sequence_executes_once_and_its_reply_is_kept, setup),
		cmocka_unit_test_setup(commands_of_a_session_may_run_out_of_order, setup),
		cmocka_unit_test_setup(a_sequence_below_the_window_is_stale, setup),
		cmocka_unit_test_setup(the_window_slides_with_what_it_has_seen, setup),
		cmocka_unit_test(each_set_of_a_window_is_read_filled_and_slid_bit_by_bit),
		cmocka_unit_test_setup(looking_changes_nothing, setup),
		cmocka_unit_test_setup(a_full_table_evicts_what_was_applied_longest_ago, setup),
		cmocka_unit_test_setup(eviction_never_breaks_a_chain_of_slots, setup),
		cmocka_unit_test_setup(a_snapshot_is_exact_at_its_cut_while_the_table_is_used,
			given_many),
		cmocka_unit_test_setup(when_all_is_saved_nothing_is_saved_again, given_many),
		cmocka_unit_test_setup(no_step_saves_or_clears_a_whole_table, given_many),
		cmocka_unit_test_setup(a_restored_table_behaves_as_the_one_that_was_saved,
			given_many),
		cmocka_unit_test_setup(a_restored_session_is_saved_as_any_other, given_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
