/* Histories by hand: what is linearizable, and what is not. A checker that says yes to all of them
 * would prove nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/linear/model.h"
#include "tests/linear/search.h"

enum {
	ERROR_MAX = 512,
	SMALL = 6,
	TRIES = 20000,
	MANY = 100000,
	AT_ONCE = 16,
};

static struct operations operations;

static bool read_text(const char *text, char error[ERROR_MAX])
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(in);
	operations.count = 0;
	bool right = history_read(&operations, in, "text", error, ERROR_MAX);

	fclose(in);
	return right;
}

/* Lines of the file, all of key 1. */
static enum verdict judge(const char *text)
{
	char error[ERROR_MAX];

	assert_true(read_text(text, error));
	return search_key(operations.all, operations.count).verdict;
}

static void then_linearizable(const char *text)
{
	assert_int_equal(judge(text), VERDICT_LINEARIZABLE);
}

static void then_not(const char *text)
{
	assert_int_equal(judge(text), VERDICT_NOT);
}

static void a_get_sees_the_last_put_before_it(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 ok 10 - 0 1\n"
			  "0 get 1 - - ok 10 7 2 3\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 get 1 - - absent - - 2 3\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 put 1 - 8 ok 11 - 2 3\n"
		 "0 get 1 - - ok 10 7 4 5\n");
}

static void a_get_at_the_time_of_a_put_sees_the_old_or_the_new_value(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 ok 10 - 0 9\n"
			  "1 get 1 - - absent - - 1 2\n");
	then_linearizable("0 put 1 - 7 ok 10 - 0 9\n"
			  "1 get 1 - - ok 10 7 1 2\n");
}

static void what_one_get_has_seen_no_later_one_may_unsee(void **state)
{
	(void)state;
	then_not("0 put 1 - 7 ok 10 - 0 9\n"
		 "1 get 1 - - ok 10 7 1 2\n"
		 "2 get 1 - - absent - - 3 4\n");
}

static void a_value_that_nobody_wrote_is_seen(void **state)
{
	(void)state;
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 get 1 - - ok 10 8 2 3\n");
	then_not("0 get 1 - - ok 10 8 2 3\n");
}

static void an_acknowledged_put_is_not_lost(void **state)
{
	(void)state;
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 del 1 - - absent - - 2 3\n");
}

static void a_command_that_ran_twice_is_seen(void **state)
{
	/* 8 overwrote 7, and the second run of 7 overwrote 8. */
	(void)state;
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 put 1 - 8 ok 11 - 2 3\n"
		 "0 get 1 - - ok 12 7 4 5\n");
	/* Of two deletes only one finds the key. */
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 del 1 - - ok - - 2 9\n"
		 "1 del 1 - - ok - - 2 9\n");
}

static void an_unknown_put_may_run_late_or_never(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 info - - 0 1\n"
			  "1 get 1 - - absent - - 2 3\n"
			  "1 get 1 - - ok 10 7 4 5\n");
	then_linearizable("0 put 1 - 7 info - - 0 1\n"
			  "1 get 1 - - absent - - 2 3\n");
	/* But not before its call, and once. */
	then_not("1 get 1 - - ok 10 7 0 1\n"
		 "0 put 1 - 7 info - - 2 3\n");
	then_not("0 put 1 - 7 info - - 0 1\n"
		 "1 get 1 - - ok 10 7 2 3\n"
		 "1 put 1 - 8 ok 11 - 4 5\n"
		 "1 get 1 - - ok 12 7 6 7\n");
}

static void what_did_not_run_has_no_effect(void **state)
{
	(void)state;
	then_not("0 put 1 - 7 fail - - 0 1\n"
		 "1 get 1 - - ok 10 7 2 3\n");
}

static void a_cas_runs_only_at_the_version_it_expects(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 ok 10 - 0 1\n"
			  "0 cas 1 10 8 ok 11 - 2 3\n"
			  "0 cas 1 10 9 mismatch 11 - 4 5\n"
			  "0 get 1 - - ok 11 8 6 7\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 cas 1 9 8 ok 11 - 2 3\n");
	/* Of two at one version only one wins. */
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 cas 1 10 8 ok 11 - 2 9\n"
		 "1 cas 1 10 9 ok 12 - 2 9\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 cas 1 9 8 mismatch 0 - 2 3\n");
}

static void an_unknown_cas_needs_its_version_too(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 ok 10 - 0 1\n"
			  "0 cas 1 10 8 info - - 2 3\n"
			  "1 get 1 - - ok 11 8 4 5\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 cas 1 9 8 info - - 2 3\n"
		 "1 get 1 - - ok 11 8 4 5\n");
}

static void versions_only_go_up(void **state)
{
	(void)state;
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 put 1 - 8 ok 9 - 2 3\n");
	then_linearizable("0 put 1 - 7 ok 10 - 0 9\n"
			  "1 put 1 - 8 ok 9 - 1 8\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 get 1 - - ok 11 7 2 3\n");
}

static void a_full_store_refuses_only_a_new_key(void **state)
{
	(void)state;
	then_linearizable("0 put 1 - 7 full - - 0 1\n"
			  "0 get 1 - - absent - - 2 3\n");
	then_not("0 put 1 - 7 ok 10 - 0 1\n"
		 "0 put 1 - 8 full - - 2 3\n");
}

/* The operation that found no place is named: by it a person begins. */
static void names_the_operation_that_found_no_place(void **state)
{
	char error[ERROR_MAX];

	(void)state;
	assert_true(read_text("0 put 1 - 7 ok 10 - 0 1\n"
			      "0 get 1 - - ok 10 7 2 3\n"
			      "0 get 1 - - absent - - 4 5\n"
			      "0 get 1 - - ok 10 7 6 7\n",
		error));
	struct judgement j = search_key(operations.all, operations.count);

	assert_int_equal(j.verdict, VERDICT_NOT);
	assert_int_equal(j.stuck->call_ns, 4);
}

static uint64_t seed = 88172645463325252ull;

static uint32_t dice(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * limit >> 32);
}

/* An operation of a random kind, that few values and versions make likely to fit others. */
static struct operation any_operation(uint32_t number)
{
	struct operation op = {
		.key = 1,
		.kind = (enum operation_kind)dice(4),
		.call_ns = dice(12),
		.argument = number + 1,
		.expected = dice(4),
	};

	op.return_ns = op.call_ns + dice(6);
	op.outcome = dice(5) == 0          ? OUTCOME_INFO
		: dice(4) != 0             ? OUTCOME_OK
		: op.kind == OPERATION_CAS ? OUTCOME_MISMATCH
		: op.kind == OPERATION_PUT ? OUTCOME_FULL
					   : OUTCOME_ABSENT;
	if (op.outcome == OUTCOME_OK && op.kind != OPERATION_DELETE)
		op.version = 1 + dice(4);
	if (op.outcome == OUTCOME_MISMATCH)
		op.version = dice(4);
	if (op.outcome == OUTCOME_OK && op.kind == OPERATION_GET)
		op.value = 1 + dice(SMALL);
	return op;
}

/* By trying every order: `placed` stand in it already. */
static bool any_order(const struct operation *all, uint32_t placed, struct state s)
{
	bool whole = true;

	for (uint32_t i = 0; i < SMALL; i++)
		whole &= (placed >> i & 1) != 0 || all[i].outcome == OUTCOME_INFO;
	if (whole)
		return true;
	for (uint32_t i = 0; i < SMALL; i++) {
		struct state next = s;
		bool may = (placed >> i & 1) == 0;

		/* Nobody who is not placed returned before its call. */
		for (uint32_t k = 0; k < SMALL; k++)
			may &= (placed >> k & 1) != 0 || all[k].outcome == OUTCOME_INFO ||
				all[k].return_ns >= all[i].call_ns;
		if (may && model_step(&next, &all[i]) && any_order(all, placed | 1u << i, next))
			return true;
	}
	return false;
}

static void judges_small_histories_as_trying_every_order_does(void **state)
{
	uint32_t linearizable = 0;

	(void)state;
	for (uint32_t i = 0; i < TRIES; i++) {
		struct operation all[SMALL];

		for (uint32_t k = 0; k < SMALL; k++)
			all[k] = any_operation(k);
		bool expected = any_order(all, 0, (struct state){0});

		linearizable += expected ? 1 : 0;
		assert_int_equal(search_key(all, SMALL).verdict,
			expected ? VERDICT_LINEARIZABLE : VERDICT_NOT);
	}
	/* Both answers were asked for. */
	assert_in_range(linearizable, TRIES / 200, TRIES - TRIES / 200);
}

/* AT_ONCE puts at one time, then a get at one time with the next ones; MANY operations in all. The
 * one at `bad` reads a value that was overwritten. */
static enum verdict judge_many(uint32_t bad)
{
	static struct operation many[MANY];
	uint64_t version = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t round = i / AT_ONCE;
		struct operation *op = &many[i];

		*op = (struct operation){
			.key = 1,
			.process = i % AT_ONCE,
			.kind = i % AT_ONCE == 0 && i > 0 ? OPERATION_GET : OPERATION_PUT,
			.outcome = OUTCOME_OK,
			.call_ns = 10 * round,
			.return_ns = 10 * round + 12,
		};
		if (op->kind == OPERATION_GET) {
			op->version = version - (i == bad ? 40 : 0);
			op->value = op->version;
			continue;
		}
		op->version = ++version;
		op->argument = version;
	}
	return search_key(many, MANY).verdict;
}

static void a_hundred_thousand_operations_of_one_key_are_judged(void **state)
{
	(void)state;
	assert_int_equal(judge_many(UINT32_MAX), VERDICT_LINEARIZABLE);
	assert_int_equal(judge_many(MANY / AT_ONCE / 2 * AT_ONCE), VERDICT_NOT);
}

static void a_line_that_is_no_operation_is_refused_by_its_number(void **state)
{
	static const char *const lines[] = {
		"0 put 1 - 7 ok 10 - 0\n",
		"0 put 1 - 7 ok 10 - 0 1 2\n",
		"0 put 1 - - ok 10 - 0 1\n",
		"0 put 1 - 7 ok - - 0 1\n",
		"0 put 1 - 7 ok 0 - 0 1\n",
		"0 put 1 - 7 absent - - 0 1\n",
		"0 get 1 - - mismatch 7 - 0 1\n",
		"0 get 1 - - full - - 0 1\n",
		"0 get 1 - - ok 10 7 2 1\n",
		"0 get x - - ok 10 7 0 1\n",
		"0 get -1 - - ok 10 7 0 1\n",
		"0 add 1 - 7 ok 10 - 0 1\n",
		"\n",
	};
	char error[ERROR_MAX];

	(void)state;
	for (uint32_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[ERROR_MAX];

		snprintf(text, sizeof(text), "# comment\n0 put 1 - 7 ok 10 - 0 1\n%s", lines[i]);
		assert_false(read_text(text, error));
		assert_non_null(strstr(error, "line 3 "));
	}
}

static int teardown(void **state)
{
	(void)state;
	free(operations.all);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_sees_the_last_put_before_it),
		cmocka_unit_test(a_get_at_the_time_of_a_put_sees_the_old_or_the_new_value),
		cmocka_unit_test(what_one_get_has_seen_no_later_one_may_unsee),
		cmocka_unit_test(a_value_that_nobody_wrote_is_seen),
		cmocka_unit_test(an_acknowledged_put_is_not_lost),
		cmocka_unit_test(a_command_that_ran_twice_is_seen),
		cmocka_unit_test(an_unknown_put_may_run_late_or_never),
		cmocka_unit_test(what_did_not_run_has_no_effect),
		cmocka_unit_test(a_cas_runs_only_at_the_version_it_expects),
		cmocka_unit_test(an_unknown_cas_needs_its_version_too),
		cmocka_unit_test(versions_only_go_up),
		cmocka_unit_test(a_full_store_refuses_only_a_new_key),
		cmocka_unit_test(names_the_operation_that_found_no_place),
		cmocka_unit_test(judges_small_histories_as_trying_every_order_does),
		cmocka_unit_test(a_hundred_thousand_operations_of_one_key_are_judged),
		cmocka_unit_test(a_line_that_is_no_operation_is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
