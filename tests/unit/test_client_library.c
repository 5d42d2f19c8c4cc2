/* The client library over loopback: futures, callbacks, threads. */
#include "tests/unit/given_replicas.h"

enum {
	TOGETHER = 12,
	THREADS = 4,
	CALLS = 300,
};

static void a_future_has_the_answer_to_its_own_command(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	for (uint64_t i = 1; i < 20; i++)
		then_ok(call(c, PAXWIRE_COMMAND, i), i);
	paxwire_close(c);
}

static void waiting_ends_at_its_time_and_the_answer_still_comes(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_answer a;
	enum paxwire_status status;
	uint64_t number = 5;

	(void)state;
	given_rule(silent_to_commands);
	struct paxwire_future *f =
		paxwire_submit_future(c, PAXWIRE_COMMAND, &number, sizeof(number), &status);

	assert_non_null(f);
	assert_false(paxwire_wait(f, 0, &a));
	assert_false(paxwire_wait(f, 60, &a));
	given_rule(NULL);
	assert_true(paxwire_wait(f, PATIENCE_MS, &a));
	then_ok(a, 5);
	paxwire_release(f);
	paxwire_close(c);
}

/* ---- Callbacks ---- */

/* On the client's thread: what it submits here leaves after it. */
static void submit_many(void *context, const struct paxwire_answer *a)
{
	struct tally *t = context;

	(void)a;
	for (uint64_t i = 0; i < TOGETHER; i++) {
		uint64_t number = 100 + i;

		if (paxwire_submit(t->client, i % 2 == 0 ? PAXWIRE_COMMAND : PAXWIRE_READ, &number,
			    sizeof(number), count, t) != PAXWIRE_OK)
			t->statuses[PAXWIRE_CLOSED]++;
	}
}

static void what_is_submitted_together_shares_frames(void **state)
{
	const struct paxwire_options o = given_options();
	struct tally t = {.client = given_client(&o)};
	uint64_t number = 1;

	/* All sessions are open once one round of their opens is answered. */
	(void)state;
	for (uint64_t i = 1000; i < 1100; i++)
		then_ok(call(t.client, PAXWIRE_COMMAND, i), i);
	assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, &number, sizeof(number),
				 submit_many, &t),
		PAXWIRE_OK);
	wait_for(&t, TOGETHER);
	assert_int_equal(t.statuses[PAXWIRE_OK], TOGETHER);
	for (uint64_t i = 2; i < TOGETHER; i++) {
		assert_int_equal(copy_of(100 + i, 0).frame, copy_of(100 + i % 2, 0).frame);
		assert_int_equal(copy_of(100 + i, 0).read, i % 2 == 1 ? FLAG_READ : 0);
	}
	/* A read never stands among commands: they take another way. */
	assert_int_not_equal(copy_of(100, 0).frame, copy_of(101, 0).frame);
	paxwire_close(t.client);
}

static void closing_reports_what_is_outstanding(void **state)
{
	const struct paxwire_options o = given_options();
	struct tally t = {.client = given_client(&o)};

	(void)state;
	then_ok(call(t.client, PAXWIRE_COMMAND, 1), 1);
	given_rule(silent_to_commands);
	for (uint64_t i = 0; i < TOGETHER; i++)
		assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, &i, sizeof(i), count,
					 &t),
			PAXWIRE_OK);
	paxwire_close(t.client);
	assert_int_equal(t.statuses[PAXWIRE_CLOSED], TOGETHER);
	assert_int_equal(t.answered, TOGETHER);
}

/* ---- Threads ---- */

struct caller {
	struct paxwire_client *client;
	pthread_t thread;
	uint64_t first;
	uint32_t right;
};

static void *call_many(void *context)
{
	struct caller *caller = context;

	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t number = caller->first + i;
		struct paxwire_answer a = {0};
		struct paxwire_future *f = paxwire_submit_future(caller->client,
			i % 3 == 0 ? PAXWIRE_READ : PAXWIRE_COMMAND, &number, sizeof(number),
			&a.status);

		if (f == NULL)
			continue;
		caller->right += paxwire_wait(f, PATIENCE_MS, &a) && a.status == PAXWIRE_OK &&
				a.result == number
			? 1
			: 0;
		paxwire_release(f);
	}
	return NULL;
}

static void several_threads_share_a_client(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct caller callers[THREADS];
	struct paxwire_counters counters;

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){.client = c, .first = 10000 * (i + 1)};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]),
			0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].right, CALLS);
	}
	paxwire_count(c, &counters);
	assert_int_equal(counters.submitted, THREADS * CALLS);
	paxwire_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_future_has_the_answer_to_its_own_command, setup,
			teardown),
		cmocka_unit_test_setup_teardown(waiting_ends_at_its_time_and_the_answer_still_comes,
			setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_submitted_together_shares_frames, setup,
			teardown),
		cmocka_unit_test_setup_teardown(closing_reports_what_is_outstanding, setup,
			teardown),
		cmocka_unit_test_setup_teardown(several_threads_share_a_client, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
