/* What the leader has taken: never twice, and nothing new for old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/admission.h"

enum {
	CLIENT = 256,
	OTHER_CLIENT = 257,
	SESSION = 42,
};

static struct admission admission;
static bool moved;

static int setup(void **state)
{
	(void)state;
	memset(&admission, 0, sizeof(admission));
	admission_clear(&admission);
	return 0;
}

static enum admission_answer take(uint64_t session, uint64_t sequence)
{
	return admission_take(&admission, session, sequence, CLIENT, &moved);
}

static void a_command_is_taken_once(void **state)
{
	(void)state;
	assert_int_equal(take(SESSION, 0), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 0), ADMISSION_REPEATED);
	assert_int_equal(take(SESSION, 1), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 0), ADMISSION_REPEATED);
	assert_int_equal(take(SESSION, 1), ADMISSION_REPEATED);
}

static void commands_of_a_window_are_taken_in_any_order(void **state)
{
	/* Else: 4 is lost, 5 is taken, and 4 is never proposed. */
	(void)state;
	assert_int_equal(take(SESSION, 103), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 100), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 102), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 101), ADMISSION_NEW);
	for (uint64_t i = 100; i <= 103; i++)
		assert_int_equal(take(SESSION, i), ADMISSION_REPEATED);
}

static void what_was_taken_stays_so_while_the_window_slides(void **state)
{
	(void)state;
	take(SESSION, 3);
	assert_int_equal(take(SESSION, 5), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 3), ADMISSION_REPEATED);
	assert_int_equal(take(SESSION, 4), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 5), ADMISSION_REPEATED);
	assert_int_equal(take(SESSION, 1000), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 997), ADMISSION_NEW);
	assert_int_equal(take(SESSION, 1000), ADMISSION_REPEATED);
}

static void what_lies_below_the_window_is_not_taken_again(void **state)
{
	(void)state;
	take(SESSION, 10);
	take(SESSION, 10 + SESSION_WINDOW);
	assert_int_equal(take(SESSION, 10), ADMISSION_REPEATED);
	assert_int_equal(take(SESSION, 0), ADMISSION_REPEATED);
}

/* The k-th session whose home is the same slot. */
static uint64_t colliding(uint64_t k)
{
	return SESSION + k * ADMISSION_SLOTS - k;
}

static void sessions_of_one_home_are_told_apart(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++) {
		assert_ptr_equal(admission_home(&admission, colliding(i)),
			admission_home(&admission, SESSION));
		assert_int_equal(take(colliding(i), 7), ADMISSION_NEW);
	}
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++)
		assert_int_equal(take(colliding(i), 7), ADMISSION_REPEATED);
}

static void a_session_too_many_is_forgotten_and_never_confused(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++)
		take(colliding(i), 7);
	assert_int_equal(take(colliding(ADMISSION_PROBES), 7), ADMISSION_NEW);
	/* Whose slot it took is taken anew: a duplicate that the session table filters. */
	assert_int_equal(take(colliding(0), 7), ADMISSION_NEW);
	assert_int_equal(take(colliding(1), 7), ADMISSION_REPEATED);
}

static void a_new_leadership_has_taken_nothing(void **state)
{
	(void)state;
	take(SESSION, 7);
	admission_clear(&admission);
	assert_int_equal(take(SESSION, 7), ADMISSION_NEW);
	assert_true(moved);
	assert_int_equal(take(SESSION, 7), ADMISSION_REPEATED);
}

static void slots_of_an_earlier_leadership_are_free(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++)
		take(colliding(i), 7);
	admission_clear(&admission);
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++)
		take(colliding(ADMISSION_PROBES + i), 7);
	for (uint64_t i = 0; i < ADMISSION_PROBES; i++)
		assert_int_equal(take(colliding(ADMISSION_PROBES + i), 7), ADMISSION_REPEATED);
}

static void a_client_is_new_for_a_session_once(void **state)
{
	(void)state;
	take(SESSION, 0);
	assert_true(moved);
	take(SESSION, 1);
	assert_false(moved);
	admission_take(&admission, SESSION, 1, OTHER_CLIENT, &moved);
	assert_true(moved);
	admission_take(&admission, SESSION, 2, OTHER_CLIENT, &moved);
	assert_false(moved);
}

static uint64_t listed_sequences(uint64_t session)
{
	static struct entry entries[ADMISSION_SLOTS];
	uint64_t sequences = 0;
	uint32_t count = 0;

	for (uint32_t at = 0; at < ADMISSION_SLOTS;) {
		uint32_t from = at;

		count = admission_list(&admission, &at, entries, ADMISSION_SLOTS);
		assert_in_range(at - from, 1, ADMISSION_STRIDE);
		for (uint32_t i = 0; i < count; i++)
			if (entries[i].session == session) {
				assert_int_equal(admission_client(&entries[i]), CLIENT);
				assert_int_equal(sequences & 1u << entry_sequence(&entries[i]), 0);
				sequences |= 1u << entry_sequence(&entries[i]);
			}
	}
	return sequences;
}

static void what_is_taken_is_listed_once_with_its_client(void **state)
{
	(void)state;
	take(SESSION + 5000, 3);
	assert_int_equal(listed_sequences(SESSION + 5000), 1 << 3);
	take(SESSION, 0);
	take(SESSION, 2);
	assert_int_equal(listed_sequences(SESSION), 1 << 0 | 1 << 2);
	take(SESSION, 5);
	assert_int_equal(listed_sequences(SESSION), 1 << 2 | 1 << 5);
	admission_clear(&admission);
	assert_int_equal(listed_sequences(SESSION), 0);
}

static void a_list_that_is_full_goes_on_where_it_ended(void **state)
{
	struct entry entries[SESSION_WINDOW];
	uint32_t total = 0;

	(void)state;
	for (uint64_t session = 0; session < 10; session++)
		for (uint64_t sequence = 0; sequence < 3; sequence++)
			take(session, sequence);
	for (uint32_t at = 0; at < ADMISSION_SLOTS;) {
		uint32_t count = admission_list(&admission, &at, entries, SESSION_WINDOW);

		assert_true(count <= SESSION_WINDOW);
		total += count;
	}
	assert_int_equal(total, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_command_is_taken_once, setup),
		cmocka_unit_test_setup(commands_of_a_window_are_taken_in_any_order, setup),
		cmocka_unit_test_setup(what_was_taken_stays_so_while_the_window_slides, setup),
		cmocka_unit_test_setup(what_lies_below_the_window_is_not_taken_again, setup),
		cmocka_unit_test_setup(sessions_of_one_home_are_told_apart, setup),
		cmocka_unit_test_setup(a_session_too_many_is_forgotten_and_never_confused, setup),
		cmocka_unit_test_setup(a_new_leadership_has_taken_nothing, setup),
		cmocka_unit_test_setup(slots_of_an_earlier_leadership_are_free, setup),
		cmocka_unit_test_setup(a_client_is_new_for_a_session_once, setup),
		cmocka_unit_test_setup(what_is_taken_is_listed_once_with_its_client, setup),
		cmocka_unit_test_setup(a_list_that_is_full_goes_on_where_it_ended, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
