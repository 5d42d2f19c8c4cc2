/* Details: the values of runs, three a step; nothing for who does not ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/watch.h"

enum {
	STEPS_MAX = 16,
	VALUE_BYTES = 24,
	BODY_BYTES = 8 * (ENTRY_BYTES + VALUE_BYTES)
};

static struct transition steps[STEPS_MAX];
static uint32_t count;
static _Alignas(8) uint8_t body[BODY_BYTES];

static void watch(void *context, const struct transition *t)
{
	(void)context;
	assert_true(count < STEPS_MAX);
	steps[count++] = *t;
}

static struct outlet given_outlet(bool details)
{
	count = 0;
	return (struct outlet){.watch = watch, .details = details};
}

/* Entries with values of different lengths; returns their bytes. */
static uint32_t given_entries(uint32_t entries)
{
	uint32_t at = 0;

	memset(body, 0, sizeof(body));
	for (uint32_t i = 0; i < entries; i++) {
		struct entry *e = (struct entry *)(void *)(body + at);
		uint32_t length = 1 + i * 5 % VALUE_BYTES;

		e->session = 7;
		e->sequence_length = entry_pack(ENTRY_COMMAND, i, length);
		memset(e + 1, (int)i + 1, length);
		at += entry_bytes(length);
	}
	return at;
}

static uint64_t value_of(uint32_t index)
{
	const uint8_t *at = body;

	for (; index > 0; index--)
		at += entry_bytes(entry_length((const struct entry *)(const void *)at));
	return watch_value((const struct entry *)(const void *)at, at + ENTRY_BYTES);
}

static void the_values_of_a_run_come_three_a_step(void **state)
{
	const struct outlet o = given_outlet(true);

	(void)state;
	watch_values(&o, body, given_entries(5));
	assert_int_equal(count, 2);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(steps[i].event, TRANSITION_VALUES);
	assert_int_equal(steps[0].count, 3);
	assert_int_equal(steps[1].count, 2);
	assert_int_equal(steps[0].ballot, value_of(0));
	assert_int_equal(steps[0].first, value_of(1));
	assert_int_equal(steps[0].value, value_of(2));
	assert_int_equal(steps[1].ballot, value_of(3));
	assert_int_equal(steps[1].first, value_of(4));
}

static void a_run_of_no_ops_has_no_values(void **state)
{
	const struct outlet o = given_outlet(true);

	(void)state;
	watch_values(&o, NULL, 0);
	assert_int_equal(count, 0);
}

static void who_asks_for_no_details_gets_the_steps_alone(void **state)
{
	const struct outlet o = given_outlet(false);

	(void)state;
	watch_values(&o, body, given_entries(5));
	watch_detail(&o, TRANSITION_DURABLE, 0, 0, 0, 9);
	watch_taken(&o, (const struct entry *)(const void *)body, body + ENTRY_BYTES);
	assert_int_equal(count, 0);
	outlet_watch(&o, TRANSITION_VOTED, 1, 2, 3);
	assert_int_equal(count, 1);
}

/* Each bit of an entry makes another value, none the no-op's, all within a checker's numbers. */
static void a_value_tells_entries_apart(void **state)
{
	uint32_t bytes = given_entries(1);
	uint64_t value = value_of(0);

	(void)state;
	assert_true(value != 0 && value >> 62 == 0);
	for (uint32_t bit = 0; bit < 8 * bytes; bit++) {
		bool length =
			bit >= 112 && bit < 128; /* Kind and length: other bytes would count. */

		if (length)
			continue;
		body[bit / 8] = (uint8_t)(body[bit / 8] ^ 1u << bit % 8);
		assert_int_not_equal(value_of(0), value);
		body[bit / 8] = (uint8_t)(body[bit / 8] ^ 1u << bit % 8);
	}
}

static void a_header_may_stand_apart_from_its_payload(void **state)
{
	struct entry apart;

	(void)state;
	given_entries(2);
	memcpy(&apart, body, sizeof(apart));
	assert_int_equal(watch_value(&apart, body + ENTRY_BYTES), value_of(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_values_of_a_run_come_three_a_step),
		cmocka_unit_test(a_run_of_no_ops_has_no_values),
		cmocka_unit_test(who_asks_for_no_details_gets_the_steps_alone),
		cmocka_unit_test(a_value_tells_entries_apart),
		cmocka_unit_test(a_header_may_stand_apart_from_its_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
