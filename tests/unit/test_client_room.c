/* The client library over loopback: an operation's time, and its place. */
#include "tests/unit/given_replicas.h"

enum {
	CALLS = 300,
};

static void what_was_never_sent_is_busy_at_its_time_and_what_was_is_unknown(void **state)
{
	struct paxwire_options o = given_options();

	(void)state;
	o.timeout_ms = 100;
	given_rule(silent_to_all);
	struct paxwire_client *c = given_client(&o);

	assert_int_equal(call(c, PAXWIRE_COMMAND, 1).status, PAXWIRE_BUSY);
	given_rule(NULL);
	/* Whether a call is in time shows with its answer: until then the sessions open. */
	for (uint32_t i = 0; i < 100 && call(c, PAXWIRE_COMMAND, 2).status != PAXWIRE_OK; i++)
		continue;
	given_rule(silent_to_commands);
	assert_int_equal(call(c, PAXWIRE_COMMAND, 3).status, PAXWIRE_UNKNOWN);
	assert_int_equal(call(c, PAXWIRE_READ, 4).status, PAXWIRE_BUSY);
	paxwire_close(c);
}

static void an_unknown_command_is_sent_on_until_it_is_answered_and_reported_once(void **state)
{
	struct paxwire_options o = given_options();
	const struct timespec pause = {.tv_nsec = 1000000};

	(void)state;
	o.timeout_ms = 50;
	o.outstanding_max = 1;
	struct tally t = {.client = given_client(&o)};
	uint64_t number = 9;

	given_rule(silent_to_commands);
	/* Its session opens meanwhile, so a first one may end before it was sent. */
	for (uint32_t i = 1; t.statuses[PAXWIRE_UNKNOWN] == 0 && i < 100; i++) {
		assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, &number, sizeof(number),
					 count, &t),
			PAXWIRE_OK);
		wait_for(&t, i);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(t.statuses[PAXWIRE_UNKNOWN], 1);
	/* It stands in the only place there is. */
	assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, &number, sizeof(number), count,
				 &t),
		PAXWIRE_BUSY);
	given_rule(NULL);
	enum paxwire_status status = PAXWIRE_BUSY;

	for (uint32_t i = 0; i < PATIENCE_MS && status == PAXWIRE_BUSY; i++) {
		nanosleep(&pause, NULL);
		number = 10;
		status = paxwire_submit(t.client, PAXWIRE_COMMAND, &number, sizeof(number), count,
			&t);
	}
	assert_int_equal(status, PAXWIRE_OK);
	wait_for(&t, t.statuses[PAXWIRE_UNKNOWN] + t.statuses[PAXWIRE_BUSY] + 1);
	paxwire_close(t.client);
	assert_int_equal(t.statuses[PAXWIRE_UNKNOWN], 1);
	assert_int_equal(t.statuses[PAXWIRE_OK], 1);
	assert_int_equal(t.statuses[PAXWIRE_CLOSED], 0);
}

/* Each has the only place there is, and gives it back with its report. */
struct chain {
	struct tally tally;
	enum paxwire_kind kind;
	uint32_t left;
	uint32_t refused;
};

static void submit_next(void *context, const struct paxwire_answer *a)
{
	struct chain *chain = context;
	uint64_t number = chain->left;

	if (chain->left-- > 0 &&
		paxwire_submit(chain->tally.client, chain->kind, &number, sizeof(number),
			submit_next, chain) != PAXWIRE_OK)
		chain->refused++;
	count(&chain->tally, a);
}

static void who_has_an_answer_has_room_for_the_next(void **state)
{
	struct paxwire_options o = given_options();
	const struct paxwire_answer none = {.status = PAXWIRE_CLOSED};
	struct chain chain = {.left = CALLS};
	enum paxwire_status status;

	(void)state;
	o.outstanding_max = 1;
	chain.tally.client = given_client(&o);
	submit_next(&chain, &none);
	wait_for(&chain.tally, CALLS + 1);
	assert_int_equal(chain.refused, 0);
	for (uint64_t i = 1; i < CALLS; i++)
		then_ok(call(chain.tally.client, PAXWIRE_COMMAND, i), i);
	paxwire_close(chain.tally.client);

	/* Also who heard that it was not sent. */
	o.timeout_ms = 20;
	given_rule(silent_to_all);
	struct paxwire_client *c = given_client(&o);

	for (uint64_t i = 0; i < 3; i++) {
		struct paxwire_answer a;
		struct paxwire_future *f =
			paxwire_submit_future(c, PAXWIRE_COMMAND, &i, sizeof(i), &status);

		assert_non_null(f);
		assert_true(paxwire_wait(f, PATIENCE_MS, &a));
		assert_int_equal(a.status, PAXWIRE_BUSY);
		paxwire_release(f);
	}
	paxwire_close(c);
}

static void more_than_there_is_room_for_is_refused_at_once(void **state)
{
	struct paxwire_options o = given_options();
	static const uint8_t bytes[MTU_MAX];
	struct tally t = {0};

	(void)state;
	o.outstanding_max = 3;
	given_rule(silent_to_all);
	t.client = given_client(&o);
	const uint32_t most = paxwire_command_max(t.client);

	assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, bytes, most + 1, count, &t),
		PAXWIRE_TOO_LARGE);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, bytes, most, count, &t),
			PAXWIRE_OK);
	assert_int_equal(paxwire_submit(t.client, PAXWIRE_COMMAND, bytes, 1, count, &t),
		PAXWIRE_BUSY);
	given_rule(NULL);
	wait_for(&t, 3);
	assert_int_equal(t.statuses[PAXWIRE_OK], 3);
	paxwire_close(t.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_never_sent_is_busy_at_its_time_and_what_was_is_unknown, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_unknown_command_is_sent_on_until_it_is_answered_and_reported_once, setup,
			teardown),
		cmocka_unit_test_setup_teardown(who_has_an_answer_has_room_for_the_next, setup,
			teardown),
		cmocka_unit_test_setup_teardown(more_than_there_is_room_for_is_refused_at_once,
			setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
