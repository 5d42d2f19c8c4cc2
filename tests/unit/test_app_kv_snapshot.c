/* The key-value store's snapshots: exact at the cut, restored, and readers meanwhile. */
#include "tests/unit/given_kv.h"
#include "tests/unit/given_readers.h"

enum {
	ROUNDS = 200,
	COMMANDS_AFTER = 400, /* So that a restored store is full, and is not. */
	COMMANDS_A_STEP = 40,
	INSTANCE = 1000, /* Of an image made by hand. */
};

static _Alignas(8) uint8_t bytes[1 << 16];
static struct snapshot image;

static uint64_t seed;
static uint64_t random_state;

/* The model as it was at the cut. */
static struct model_key cut[KEYS];
static uint32_t cut_count;

static const struct snapshot_rules rules = {
	.config_hash = 5,
	.sessions_max = 1,
	.machine = &machine,
};

/* ---- Given, when, then ---- */

static int given_model(void **state)
{
	seed = seed_of_now();
	random_state = seed | 1;
	memset(model, 0, sizeof(model));
	model_count = 0;
	return setup(state);
}

/* Random commands, one by one, which the store answers as the model. */
static void when_commands(uint64_t count)
{
	for (; count > 0; count--) {
		const struct given g = random_command(&random_state);
		uint8_t answer[VALUE_MAX];
		const struct result r = when(g);
		const struct result expected = model_apply(&g, instance, answer);

		if (!same(&r, &expected))
			fail_msg("They differ at instance %lu: PAXWIRE_SEED=%lu", instance, seed);
	}
}

static void when_cut(void)
{
	const struct snapshot_header header = {
		.entries = machine.snapshot->count(machine.state),
		.config_hash = rules.config_hash,
		.instance = instance + 1,
	};

	memcpy(cut, model, sizeof(model));
	cut_count = model_count;
	image = (struct snapshot){.bytes = bytes, .size = sizeof(bytes)};
	assert_true(machine.snapshot->bytes(machine.state) <
		sizeof(bytes) - SNAPSHOT_HEADER_BYTES - SNAPSHOT_END_BYTES);
	snapshot_begin(&image, &header);
	machine.snapshot->begin(machine.state, &image);
}

static void when_ended(void)
{
	while (snapshot_sum(&image))
		;
	snapshot_end(&image);
}

/* Commands before, between and after the steps. */
static void when_saved_under_commands(void)
{
	when_cut();
	do
		when_commands(draw(&random_state) % COMMANDS_A_STEP);
	while (machine.snapshot->step(machine.state));
	when_ended();
}

static void when_cleared(void)
{
	while (machine.snapshot->clear(machine.state))
		;
}

static void when_restored(void)
{
	const struct snapshot_record *r;
	uint64_t at = SNAPSHOT_HEADER_BYTES;

	when_cleared();
	while ((r = snapshot_next(&image, &at)) != NULL)
		machine.snapshot->restore(machine.state, (const uint8_t *)(r + 1), r->length);
	machine.snapshot->restored(machine.state);
}

static void when_restored_by_hand(uint64_t key, uint64_t version, const char *text)
{
	uint8_t entry[16 + VALUE_MAX];

	memcpy(entry, &key, 8);
	memcpy(entry + 8, &version, 8);
	memcpy(entry + 16, text, strlen(text));
	machine.snapshot->restore(machine.state, entry, (uint32_t)(16 + strlen(text)));
}

static void then_image_checks(void)
{
	struct snapshot_check c = {0};
	enum snapshot_result result;

	do
		result = snapshot_check_step(&image, &rules, &c);
	while (result == SNAPSHOT_MORE);
	assert_int_equal(result, SNAPSHOT_OK);
}

/* Each key of the cut once, and nothing else. */
static void then_exact(void)
{
	const struct snapshot_record *r;
	uint64_t at = SNAPSHOT_HEADER_BYTES;
	bool seen[KEYS] = {false};
	uint32_t count = 0;

	then_image_checks();
	for (; (r = snapshot_next(&image, &at)) != NULL; count++) {
		const uint64_t *entry = (const uint64_t *)(const void *)(r + 1);
		const uint64_t key = entry[0];

		if (key >= KEYS || seen[key] || cut[key].version != entry[1] ||
			r->length != 16 + cut[key].length ||
			memcmp(entry + 2, cut[key].value, cut[key].length) != 0)
			fail_msg("Key %lu is not as at the cut: PAXWIRE_SEED=%lu", key, seed);
		seen[key] = true;
	}
	assert_int_equal(count, cut_count);
}

/* ---- Saving ---- */

static void a_snapshot_is_exact_at_its_cut_while_commands_go_on(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		when_commands(draw(&random_state) % COMMANDS_AFTER);
		when_saved_under_commands();
		then_exact();
	}
}

static void when_all_is_saved_commands_save_nothing(void **state)
{
	(void)state;
	when_commands(COMMANDS_AFTER);
	when_saved_under_commands();
	const uint64_t used = image.used;

	when_commands(COMMANDS_AFTER);
	assert_int_equal(image.used, used);
}

static void an_empty_store_and_a_full_one_are_saved(void **state)
{
	(void)state;
	when_saved_under_commands();
	assert_int_equal(snapshot_header_of(&image)->entries, 0);
	then_exact();
	while (model_count < CAPACITY)
		when_commands(1);
	when_saved_under_commands();
	assert_int_equal(snapshot_header_of(&image)->entries, CAPACITY);
	then_exact();
}

static void a_full_store_of_the_longest_values_takes_what_was_said(void **state)
{
	const uint8_t value[VALUE_MAX] = {0};

	(void)state;
	for (uint64_t key = 0; key < CAPACITY; key++)
		when(command(KV_PUT, key, 0, value, VALUE_MAX));
	when_cut();
	while (machine.snapshot->step(machine.state))
		;
	assert_int_equal(image.used - SNAPSHOT_HEADER_BYTES,
		machine.snapshot->bytes(machine.state));
}

static void no_step_saves_or_clears_all(void **state)
{
	(void)state;
	while (model_count < CAPACITY)
		when_commands(1);
	when_cut();
	assert_true(machine.snapshot->step(machine.state));
	while (machine.snapshot->step(machine.state))
		;
	assert_true(machine.snapshot->clear(machine.state));
	assert_in_range(machine.snapshot->count(machine.state), 1, CAPACITY - 1);
}

/* ---- Restoring ---- */

static void a_restored_store_answers_as_the_saved_one_did_at_the_cut(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		when_commands(draw(&random_state) % COMMANDS_AFTER);
		when_saved_under_commands();
		when_restored();
		memcpy(model, cut, sizeof(model));
		model_count = cut_count;
		assert_int_equal(machine.snapshot->count(machine.state), cut_count);
		/* Among them what finds it full, so that no node is lost. */
		when_commands(COMMANDS_AFTER);
	}
}

static void a_restored_store_is_saved_as_another(void **state)
{
	(void)state;
	when_commands(COMMANDS_AFTER);
	when_saved_under_commands();
	when_restored();
	memcpy(model, cut, sizeof(model));
	model_count = cut_count;
	when_saved_under_commands();
	then_exact();
}

static void a_key_that_stands_twice_has_the_later_value(void **state)
{
	(void)state;
	when_cleared();
	when_restored_by_hand(7, 3, "earlier");
	when_restored_by_hand(7, 2, "later");
	machine.snapshot->restored(machine.state);
	assert_int_equal(machine.snapshot->count(machine.state), 1);
	then_value(when_get(7), 2, "later");
	then(when_delete(7), REPLY_OK, 0);
	then(when_get(7), REPLY_NOT_FOUND, 0);
}

static bool entry_valid(uint64_t version, uint32_t length)
{
	const uint64_t entry[3] = {7, version, 0};

	return machine.snapshot->valid(machine.state, (const uint8_t *)entry, length, INSTANCE);
}

static void an_entry_that_no_store_of_this_size_saves_is_refused(void **state)
{
	const uint64_t top = 1ull << 56; /* A result has so many bits. */
	const uint64_t entry[] = {7, top};

	(void)state;
	assert_true(entry_valid(1, 16));
	assert_true(entry_valid(INSTANCE - 1, 16 + VALUE_MAX));
	assert_false(entry_valid(1, 0));
	assert_false(entry_valid(1, 15));
	assert_false(entry_valid(1, 17 + VALUE_MAX));
	assert_false(entry_valid(0, 16));
	assert_false(entry_valid(INSTANCE, 16));
	assert_false(machine.snapshot->valid(machine.state, (const uint8_t *)entry, 16, top + 9));
	assert_int_equal(machine.snapshot->count_max(machine.state), CAPACITY);
}

/* ---- Readers ---- */

static enum kv_found found(uint64_t key)
{
	uint8_t value[VALUE_MAX];
	uint64_t version;
	uint32_t length;

	return kv_read(kv, key, &version, value, &length);
}

static void a_reader_hears_busy_until_all_is_restored(void **state)
{
	/* Else: of two keys, one is of the state before and the other is of none. */
	(void)state;
	urcu_qsbr_register_thread();
	when_put(7, "before");
	when_put(8, "before");
	assert_int_equal(found(7), KV_PRESENT);
	when_cleared();
	assert_int_equal(found(7), KV_BUSY);
	when_restored_by_hand(7, 1, "after");
	assert_int_equal(found(7), KV_BUSY);
	assert_int_equal(found(8), KV_BUSY);
	machine.snapshot->restored(machine.state);
	assert_int_equal(found(7), KV_PRESENT);
	assert_int_equal(found(8), KV_ABSENT);
	urcu_qsbr_unregister_thread();
}

enum {
	READ_KEYS = 8,
	READS = 200000,
};

/* All keys of a state have its number as value, and states only rise. Returns what it saw wrong. */
static void *read_all(void *unused)
{
	uint64_t newest = 0;
	void *wrong = NULL;

	(void)unused;
	urcu_qsbr_register_thread();
	for (uint64_t key = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE);
		key = (key + 1) % READ_KEYS) {
		uint8_t value[VALUE_MAX];
		uint64_t version, number;
		uint32_t length;
		enum kv_found how = kv_read(kv, key, &version, value, &length);

		urcu_qsbr_quiescent_state();
		if (how == KV_BUSY)
			continue;
		__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
		if (how == KV_ABSENT) {
			wrong = (void *)(uintptr_t) "A key of all states is absent.";
			continue;
		}
		memcpy(&number, value, sizeof(number));
		if (length != sizeof(number) || version != number)
			wrong = (void *)(uintptr_t) "A value is torn.";
		else if (number < newest)
			wrong = (void *)(uintptr_t) "An older state came after a newer one.";
		newest = number;
	}
	urcu_qsbr_unregister_thread();
	return wrong;
}

static void restore_next_state(void)
{
	static uint64_t number;

	number++;
	when_cleared();
	for (uint64_t key = 0; key < READ_KEYS; key++) {
		const uint64_t entry[] = {(key * 3 + number) % READ_KEYS, number, number};

		machine.snapshot->restore(machine.state, (const uint8_t *)entry, sizeof(entry));
	}
	machine.snapshot->restored(machine.state);
}

static void readers_on_other_cores_see_whole_states_only(void **state)
{
	(void)state;
	restore_next_state();
	when_read_meanwhile(read_all, READS, restore_next_state);
}

#define TEST(rule) cmocka_unit_test_setup_teardown(rule, given_model, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_snapshot_is_exact_at_its_cut_while_commands_go_on),
		TEST(when_all_is_saved_commands_save_nothing),
		TEST(an_empty_store_and_a_full_one_are_saved),
		TEST(a_full_store_of_the_longest_values_takes_what_was_said),
		TEST(no_step_saves_or_clears_all),
		TEST(a_restored_store_answers_as_the_saved_one_did_at_the_cut),
		TEST(a_restored_store_is_saved_as_another),
		TEST(a_key_that_stands_twice_has_the_later_value),
		TEST(an_entry_that_no_store_of_this_size_saves_is_refused),
		TEST(a_reader_hears_busy_until_all_is_restored),
		TEST(readers_on_other_cores_see_whole_states_only),
	};

	return cmocka_run_group_tests(tests, start_eal, NULL);
}
