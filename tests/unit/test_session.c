/* Exactly once, by the session's window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sequence_executes_once_and_its_reply_is_kept, setup),
		cmocka_unit_test_setup(commands_of_a_session_may_run_out_of_order, setup),
		cmocka_unit_test_setup(a_sequence_below_the_window_is_stale, setup),
		cmocka_unit_test_setup(the_window_slides_with_what_it_has_seen, setup),
		cmocka_unit_test_setup(looking_changes_nothing, setup),
		cmocka_unit_test_setup(a_full_table_evicts_what_was_applied_longest_ago, setup),
		cmocka_unit_test_setup(eviction_never_breaks_a_chain_of_slots, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
