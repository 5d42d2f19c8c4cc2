/* The key-value store: its answers, the same on every replica, and readers on other cores. */
#include <stdio.h>

#include "tests/unit/given_kv.h"
#include "tests/unit/given_readers.h"

/* ---- Answers ---- */

static void an_absent_key_is_not_found(void **state)
{
	(void)state;
	then(when_get(7), REPLY_NOT_FOUND, 0);
	then(when_delete(7), REPLY_NOT_FOUND, 0);
}

static void a_put_answers_its_instance_and_a_get_gives_both(void **state)
{
	(void)state;
	then(when_put(7, "seven"), REPLY_OK, 1);
	then(when_put(0, "a longer value than a word"), REPLY_OK, 2);
	then_value(when_get(7), 1, "seven");
	then_value(when_get(0), 2, "a longer value than a word");
	then(when_put(7, ""), REPLY_OK, 5);
	then_value(when_get(7), 5, "");
}

static void a_deleted_key_is_absent_until_it_is_put_again(void **state)
{
	(void)state;
	when_put(7, "seven");
	then(when_delete(7), REPLY_OK, 0);
	then(when_get(7), REPLY_NOT_FOUND, 0);
	then(when_delete(7), REPLY_NOT_FOUND, 0);
	then(when_put(7, "again"), REPLY_OK, 5);
	then_value(when_get(7), 5, "again");
}

static void a_cas_writes_only_over_the_version_it_expects(void **state)
{
	(void)state;
	when_put(7, "seven");
	then(when_cas(7, 0, "x"), REPLY_MISMATCH, 1);
	then(when_cas(7, 9, "x"), REPLY_MISMATCH, 1);
	then_value(when_get(7), 1, "seven");
	then(when_cas(7, 1, "eight"), REPLY_OK, 5);
	then_value(when_get(7), 5, "eight");
}

static void a_cas_that_expects_0_wants_the_key_absent(void **state)
{
	(void)state;
	then(when_cas(7, 3, "x"), REPLY_MISMATCH, 0);
	then(when_get(7), REPLY_NOT_FOUND, 0);
	then(when_cas(7, 0, "seven"), REPLY_OK, 3);
	then_value(when_get(7), 3, "seven");
}

static void what_is_malformed_is_answered_and_changes_nothing(void **state)
{
	const uint8_t bytes[VALUE_MAX + 1] = {0};
	struct given g;

	(void)state;
	when_put(7, "seven");
	for (uint32_t operation = KV_GET; operation <= KV_CAS; operation++) {
		g = command(operation, 7, 1, NULL, 0);
		for (uint32_t whole = g.length; g.length-- > 0;) {
			assert_true(g.length < whole);
			then(when(g), REPLY_BAD_COMMAND, 0);
		}
	}
	then(when(command(0, 7, 0, NULL, 0)), REPLY_BAD_COMMAND, 0);
	then(when(command(KV_CAS + 1, 7, 0, NULL, 0)), REPLY_BAD_COMMAND, 0);
	then(when(command(KV_PUT, 7, 0, bytes, VALUE_MAX + 1)), REPLY_BAD_COMMAND, 0);
	then(when(command(KV_CAS, 7, 1, bytes, VALUE_MAX + 1)), REPLY_BAD_COMMAND, 0);
	then_value(when_get(7), 1, "seven");
	assert_int_equal(when(command(KV_PUT, 7, 0, bytes, VALUE_MAX)).status, REPLY_OK);
	assert_int_equal(when_get(7).length, VALUE_MAX);
}

static struct result when_queried(struct given g)
{
	const struct command c = at(&g, instance + 1);
	struct result r;

	machine.query(machine.state, &c, 1, &r);
	return r;
}

static void a_query_gets_and_changes_nothing(void **state)
{
	(void)state;
	when_put(7, "seven");
	then_value(when_queried(command(KV_GET, 7, 0, NULL, 0)), 1, "seven");
	then(when_queried(command(KV_GET, 8, 0, NULL, 0)), REPLY_NOT_FOUND, 0);
	then(when_queried(command(KV_PUT, 7, 0, "x", 1)), REPLY_BAD_COMMAND, 0);
	then(when_queried(command(KV_PUT, 8, 0, "x", 1)), REPLY_BAD_COMMAND, 0);
	then(when_queried(command(KV_DELETE, 7, 0, NULL, 0)), REPLY_BAD_COMMAND, 0);
	then(when_queried(command(KV_CAS, 7, 1, "x", 1)), REPLY_BAD_COMMAND, 0);
	then(when_queried((struct given){.length = 3}), REPLY_BAD_COMMAND, 0);
	then_value(when_get(7), 1, "seven");
	then(when_get(8), REPLY_NOT_FOUND, 0);
}

static void each_query_of_a_batch_has_its_own_value(void **state)
{
	const struct given gets[] = {command(KV_GET, 7, 0, NULL, 0),
		command(KV_GET, 8, 0, NULL, 0)};
	struct result r[2];

	(void)state;
	when_put(7, "seven");
	when_put(8, "eight");
	const struct command c[] = {at(&gets[0], 3), at(&gets[1], 3)};

	machine.query(machine.state, c, 2, r);
	then_value(r[0], 1, "seven");
	then_value(r[1], 2, "eight");
}

static void a_full_store_takes_a_new_key_only_for_a_deleted_one(void **state)
{
	(void)state;
	for (uint64_t key = 0; key < CAPACITY; key++)
		assert_int_equal(when_put(key, "there").status, REPLY_OK);
	/* Each round uses the node again that the round before gave back. */
	for (uint64_t key = CAPACITY; key < 1000; key++) {
		then(when_put(key, "new"), REPLY_FULL, 0);
		then(when_cas(key, 0, "new"), REPLY_FULL, 0);
		then(when_cas(key, 1, "new"), REPLY_MISMATCH, 0);
		assert_int_equal(when_put(key - 1, "again").status, REPLY_OK);
		then(when_delete(key - CAPACITY), REPLY_OK, 0);
		assert_int_equal(when_put(key, "new").status, REPLY_OK);
	}
	const uint64_t last = instance;

	then_value(when_get(999), last, "new");
}

static void a_get_is_of_its_moment_though_its_batch_goes_on(void **state)
{
	const struct given given[] = {
		command(KV_PUT, 7, 0, "one", 3),
		command(KV_GET, 7, 0, NULL, 0),
		command(KV_PUT, 7, 0, "two", 3),
		command(KV_GET, 7, 0, NULL, 0),
		command(KV_DELETE, 7, 0, NULL, 0),
		command(KV_PUT, 8, 0, "three", 5),
	};
	struct command commands[6];
	struct result results[6];

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		commands[i] = at(&given[i], 10 + i);
	machine.apply(machine.state, commands, 6, results);
	then_value(results[1], 10, "one");
	then_value(results[3], 12, "two");
}

/* ---- Replicas ---- */

enum {
	RANDOM_COMMANDS = 100000,
};

/* Applies a batch to the store; another store gets it one by one. True: all agree. */
static bool batch_agrees(struct kv *other, uint64_t *random)
{
	static struct given given[RUN_COUNT_MAX];
	static struct command commands[RUN_COUNT_MAX];
	static struct result results[RUN_COUNT_MAX];
	static struct result expected[RUN_COUNT_MAX];
	static uint8_t answers[RUN_COUNT_MAX][VALUE_MAX];
	const struct machine single = app_kv(other);
	uint32_t count = 1 + (uint32_t)(draw(random) % RUN_COUNT_MAX);
	bool agree = true;

	for (uint32_t i = 0; i < count; i++) {
		given[i] = random_command(random);
		instance += 1 + draw(random) % 3; /* No-ops and openings take instances too. */
		commands[i] = at(&given[i], instance);
		expected[i] = model_apply(&given[i], instance, answers[i]);
	}
	machine.apply(machine.state, commands, count, results);
	for (uint32_t i = 0; i < count; i++) {
		struct result r;

		single.apply(single.state, &commands[i], 1, &r);
		agree = agree && same(&results[i], &expected[i]) && same(&r, &expected[i]);
	}
	return agree;
}

static void replicas_and_the_model_agree_on_any_commands(void **state)
{
	const uint64_t seed = seed_of_now();
	uint64_t random = seed | 1;
	char error[128];
	struct kv *other = kv_create(CAPACITY, VALUE_MAX, error, sizeof(error));

	(void)state;
	assert_non_null(other);
	memset(model, 0, sizeof(model));
	model_count = 0;
	while (instance < 2 * RANDOM_COMMANDS) /* An instance in two is a command. */
		if (!batch_agrees(other, &random))
			fail_msg("They differ by instance %lu: PAXWIRE_SEED=%lu", instance, seed);
	kv_destroy(other);
}

/* ---- Readers ---- */

enum {
	READ_CAPACITY = 64, /* Few buckets, so that many keys share one. */
	KEPT = 32,          /* Keys that are overwritten and never deleted: 0 to KEPT - 1. */
	READ_KEYS = 96,
	READS = 5000000,
};

/* What a writer puts: a word made from key and version, repeated up to a length made from both. */
static uint32_t value_of(uint64_t key, uint64_t version, uint8_t *value)
{
	uint64_t random = (key << 32 ^ version) | 1;
	const uint32_t length = (uint32_t)(draw(&random) % (VALUE_MAX + 1));
	const uint64_t word = draw(&random);

	for (uint32_t i = 0; i < length; i += 8)
		memcpy(value + i, &word, RTE_MIN(length - i, 8u));
	return length;
}

/* Returns what it saw wrong, or NULL. */
static void *read_all(void *unused)
{
	uint64_t newest[READ_KEYS] = {0};
	void *wrong = NULL;

	(void)unused;
	urcu_qsbr_register_thread();
	for (uint64_t key = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE);
		key = (key + 1) % READ_KEYS) {
		uint8_t value[VALUE_MAX], expected[VALUE_MAX];
		uint64_t version;
		uint32_t length;
		enum kv_found found = kv_read(kv, key, &version, value, &length);

		urcu_qsbr_quiescent_state();
		if (key == 0)
			__atomic_fetch_add(&reads, READ_KEYS, __ATOMIC_RELAXED);
		if (found == KV_ABSENT && key < KEPT)
			wrong = (void *)(uintptr_t) "A key that was never deleted is absent.";
		if (found != KV_PRESENT)
			continue;
		if (length != value_of(key, version, expected) ||
			memcmp(value, expected, length) != 0)
			wrong = (void *)(uintptr_t) "A value is torn.";
		if (version < newest[key])
			wrong = (void *)(uintptr_t) "An older value came after a newer one.";
		newest[key] = version;
	}
	urcu_qsbr_unregister_thread();
	return wrong;
}

/* Puts, and deletes of the keys that are not kept: a node goes from key to key. */
static void write_batch(void)
{
	static uint64_t random = 1;
	struct given given[RUN_COUNT_MAX];
	struct command commands[RUN_COUNT_MAX];
	struct result results[RUN_COUNT_MAX];

	for (uint32_t i = 0; i < RUN_COUNT_MAX; i++) {
		uint64_t key = draw(&random) % READ_KEYS;
		uint8_t value[VALUE_MAX];
		uint32_t length = value_of(key, ++instance, value);

		if (key < KEPT || draw(&random) % 2 == 0)
			given[i] = command(KV_PUT, key, 0, value, length);
		else
			given[i] = command(KV_DELETE, key, 0, NULL, 0);
		commands[i] = at(&given[i], instance);
	}
	machine.apply(machine.state, commands, RUN_COUNT_MAX, results);
}

static void a_reader_sees_whole_values_and_no_key_vanish(void **state)
{
	(void)state;
	open_store(READ_CAPACITY);
	for (uint64_t key = 0; key < KEPT; key++) {
		uint8_t value[VALUE_MAX];
		uint32_t length = value_of(key, instance + 1, value);

		assert_int_equal(when(command(KV_PUT, key, 0, value, length)).status, REPLY_OK);
	}
	when_read_meanwhile(read_all, READS, write_batch);
}

static void a_reader_finds_what_was_applied_and_nothing_else(void **state)
{
	uint8_t value[VALUE_MAX];
	uint64_t version;
	uint32_t length;

	(void)state;
	urcu_qsbr_register_thread();
	assert_int_equal(kv_read(kv, 7, &version, value, &length), KV_ABSENT);
	when_put(7, "a value of some words");
	assert_int_equal(kv_read(kv, 7, &version, value, &length), KV_PRESENT);
	assert_int_equal(version, 1);
	assert_int_equal(length, strlen("a value of some words"));
	assert_memory_equal(value, "a value of some words", length);
	when_delete(7);
	assert_int_equal(kv_read(kv, 7, &version, value, &length), KV_ABSENT);
	urcu_qsbr_unregister_thread();
}

static void a_store_that_does_not_fit_says_so(void **state)
{
	char error[128] = "";

	(void)state;
	assert_null(kv_create(1 << 24, KV_VALUE_MAX, error, sizeof(error)));
	assert_non_null(strstr(error, "lower kv.capacity"));
}

#define TEST(rule) cmocka_unit_test_setup_teardown(rule, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_absent_key_is_not_found),
		TEST(a_put_answers_its_instance_and_a_get_gives_both),
		TEST(a_deleted_key_is_absent_until_it_is_put_again),
		TEST(a_cas_writes_only_over_the_version_it_expects),
		TEST(a_cas_that_expects_0_wants_the_key_absent),
		TEST(what_is_malformed_is_answered_and_changes_nothing),
		TEST(a_query_gets_and_changes_nothing),
		TEST(each_query_of_a_batch_has_its_own_value),
		TEST(a_full_store_takes_a_new_key_only_for_a_deleted_one),
		TEST(a_get_is_of_its_moment_though_its_batch_goes_on),
		TEST(replicas_and_the_model_agree_on_any_commands),
		TEST(a_reader_finds_what_was_applied_and_nothing_else),
		cmocka_unit_test_teardown(a_reader_sees_whole_values_and_no_key_vanish, teardown),
		cmocka_unit_test(a_store_that_does_not_fit_says_so),
	};

	return cmocka_run_group_tests(tests, start_eal, NULL);
}
