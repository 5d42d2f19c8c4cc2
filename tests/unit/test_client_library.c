/* The client library over loopback: what is sent when, to whom, and how it ends. */
#include "tests/unit/given_replicas.h"

enum {
	TOGETHER = 12,
	THREADS = 4,
	CALLS = 300,
};

/* Submits the number as a command and waits; the answer's value is gone. */
static struct paxwire_answer call(struct paxwire_client *c, enum paxwire_kind kind, uint64_t number)
{
	struct paxwire_answer a = {0};
	struct paxwire_future *f =
		paxwire_submit_future(c, kind, &number, sizeof(number), &a.status);

	if (f == NULL)
		return a;
	assert_true(paxwire_wait(f, 2 * PATIENCE_MS, &a));
	paxwire_release(f);
	return a;
}

static void then_ok(struct paxwire_answer a, uint64_t number)
{
	assert_int_equal(a.status, PAXWIRE_OK);
	assert_int_equal(a.result, number);
}

/* The i-th copy heard of the command with this number. */
static struct heard copy_of(uint64_t number, uint32_t i)
{
	struct heard found = {.session = UINT64_MAX};

	pthread_mutex_lock(&lock);
	for (uint32_t k = 0; k < heards_count && found.session == UINT64_MAX; k++)
		if (heards[k].kind == ENTRY_COMMAND &&
			memcmp(heards[k].value, &number, sizeof(number)) == 0 && i-- == 0)
			found = heards[k];
	pthread_mutex_unlock(&lock);
	return found;
}

static void a_future_has_the_answer_to_its_own_command(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	for (uint64_t i = 1; i < 20; i++)
		then_ok(call(c, PAXWIRE_COMMAND, i), i);
	paxwire_close(c);
}

static void silent_to_commands(const struct heard *h, struct told *t)
{
	t->silent = h->kind == ENTRY_COMMAND;
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

static void a_read_goes_as_one_and_brings_its_value(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_answer a;
	enum paxwire_status status;
	uint64_t number = 8;

	(void)state;
	then_ok(call(c, PAXWIRE_COMMAND, 7), 7);
	struct paxwire_future *f =
		paxwire_submit_future(c, PAXWIRE_READ, &number, sizeof(number), &status);

	assert_true(paxwire_wait(f, PATIENCE_MS, &a));
	then_ok(a, 8);
	assert_int_equal(a.bytes, strlen("what is read"));
	assert_memory_equal(a.value, "what is read", a.bytes);
	paxwire_release(f);
	assert_true(copy_of(8, 0).read);
	assert_false(copy_of(7, 0).read);
	paxwire_close(c);
}

/* ---- Callbacks ---- */

struct tally {
	struct paxwire_client *client;
	uint32_t answered;
	uint32_t statuses[PAXWIRE_CLOSED + 1];
};

static void count(void *context, const struct paxwire_answer *a)
{
	struct tally *t = context;

	t->statuses[a->status]++;
	__atomic_fetch_add(&t->answered, 1, __ATOMIC_RELEASE);
}

static void wait_for(const struct tally *t, uint32_t answered)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (uint32_t i = 0; i < PATIENCE_MS; i++) {
		if (__atomic_load_n(&t->answered, __ATOMIC_ACQUIRE) >= answered)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("%u answers of %u", t->answered, answered);
}

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
		assert_int_equal(copy_of(100 + i, 0).read, i % 2 == 1);
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

/* ---- Losses and refusals ---- */

/* The first two copies of each command are lost. */
static void lose_two(const struct heard *h, struct told *t)
{
	uint32_t copies = 0;

	for (uint32_t i = 0; i < heards_count; i++)
		copies += heards[i].kind == ENTRY_COMMAND && heards[i].session == h->session &&
				heards[i].sequence == h->sequence
			? 1
			: 0;
	t->silent = h->kind == ENTRY_COMMAND && copies <= 2;
}

static void what_is_lost_is_sent_again_as_the_same_command(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_counters counters;

	(void)state;
	given_rule(lose_two);
	then_ok(call(c, PAXWIRE_COMMAND, 77), 77);
	for (uint32_t i = 1; i <= 2; i++) {
		struct heard first = copy_of(77, 0);
		struct heard again = copy_of(77, i);

		assert_int_equal(again.session, first.session);
		assert_int_equal(again.sequence, first.sequence);
		assert_true(again.at_ns >= first.at_ns + i * RETRY_US * 1000ull);
	}
	paxwire_count(c, &counters);
	assert_true(counters.retries >= 2);
	paxwire_close(c);
}

static void a_redirect_is_followed(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_counters counters;

	(void)state;
	given_leader(2);
	then_ok(call(c, PAXWIRE_COMMAND, 3), 3);
	then_ok(call(c, PAXWIRE_COMMAND, 4), 4);
	assert_int_equal(copy_of(4, 0).replica, 2);
	paxwire_count(c, &counters);
	assert_true(counters.redirects > 0);
	assert_int_equal(counters.leader, 2);
	paxwire_close(c);
}

/* Replica 0 is dead, 1 does not know it yet, and 2 leads. */
static void dead_leader(const struct heard *h, struct told *t)
{
	if (h->replica == 0)
		t->silent = true;
	if (h->replica == 1) {
		t->status = REPLY_REDIRECT;
		t->result = 0;
	}
}

static void a_dead_leader_is_left_though_another_still_names_it(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	then_ok(call(c, PAXWIRE_COMMAND, 1), 1);
	given_rule(dead_leader);
	given_leader(2);
	then_ok(call(c, PAXWIRE_COMMAND, 2), 2);
	paxwire_close(c);
}

/* Once each: every sequence hears `busy` and `unknown` first. */
static void refuse_first(const struct heard *h, struct told *t)
{
	lose_two(h, t);
	if (!t->silent)
		return;
	t->silent = false;
	t->status = h->sequence % 2 == 0 ? REPLY_BUSY : REPLY_UNKNOWN;
}

static void what_speaks_of_one_copy_is_not_the_answer(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	given_rule(refuse_first);
	for (uint64_t i = 1; i < 5; i++)
		then_ok(call(c, PAXWIRE_COMMAND, i), i);
	paxwire_close(c);
}

static void other_cluster_first(const struct heard *h, struct told *t)
{
	lose_two(h, t);
	if (!t->silent)
		return;
	/* An answer like the right one, of another cluster and from elsewhere. */
	t->silent = false;
	t->result = 666;
	t->strange_address = h->value[0] % 2 == 0;
	t->cluster = t->strange_address ? CLUSTER : CLUSTER + 1;
}

static void only_replicas_of_the_own_cluster_are_heard(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_counters counters;

	(void)state;
	then_ok(call(c, PAXWIRE_COMMAND, 1), 1);
	given_rule(other_cluster_first);
	for (uint64_t i = 2; i < 6; i++)
		then_ok(call(c, PAXWIRE_COMMAND, i), i);
	paxwire_count(c, &counters);
	assert_true(counters.strange >= 4);
	paxwire_close(c);
}

static const enum reply_status replied[] = {REPLY_NOT_FOUND, REPLY_MISMATCH, REPLY_FULL,
	REPLY_BAD_COMMAND, REPLY_TOO_LARGE, REPLY_STALE};

static void reply_by_number(const struct heard *h, struct told *t)
{
	if (h->kind == ENTRY_COMMAND)
		t->status = replied[h->value[0]];
}

static void each_status_of_the_machine_reaches_the_caller(void **state)
{
	const enum paxwire_status expected[] = {PAXWIRE_NOT_FOUND, PAXWIRE_MISMATCH, PAXWIRE_FULL,
		PAXWIRE_BAD_COMMAND, PAXWIRE_TOO_LARGE, PAXWIRE_STALE};
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	given_rule(reply_by_number);
	for (uint64_t i = 0; i < 6; i++) {
		struct paxwire_answer a = call(c, PAXWIRE_COMMAND, i);

		assert_int_equal(a.status, expected[i]);
		assert_int_equal(a.result, i);
	}
	paxwire_close(c);
}

/* The first session is forgotten: a command hears so, a read nothing. */
static void forget_first_session(const struct heard *h, struct told *t)
{
	if (h->kind != ENTRY_COMMAND || h->session != FIRST_SESSION)
		return;
	t->status = REPLY_EXPIRED;
	t->silent = h->read;
}

static void a_forgotten_session_ends_its_commands_and_its_reads_go_on_in_the_next(void **state)
{
	struct paxwire_options o = given_options();
	struct paxwire_answer a;
	enum paxwire_status status;
	uint64_t number = 4;

	/* Two outstanding: one session. */
	(void)state;
	o.outstanding_max = 2;
	struct paxwire_client *c = given_client(&o);

	given_rule(forget_first_session);
	struct paxwire_future *read =
		paxwire_submit_future(c, PAXWIRE_READ, &number, sizeof(number), &status);

	assert_false(paxwire_wait(read, RETRY_US / 1000, &a));
	assert_int_equal(call(c, PAXWIRE_COMMAND, 1).status, PAXWIRE_EXPIRED);
	assert_true(paxwire_wait(read, PATIENCE_MS, &a));
	then_ok(a, 4);
	paxwire_release(read);
	then_ok(call(c, PAXWIRE_COMMAND, 2), 2);
	assert_int_equal(copy_of(2, 0).session, FIRST_SESSION + 1);
	paxwire_close(c);
}

/* ---- Time and room ---- */

static void silent_to_all(const struct heard *h, struct told *t)
{
	(void)h;
	t->silent = true;
}

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
		cmocka_unit_test_setup_teardown(a_read_goes_as_one_and_brings_its_value, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_is_submitted_together_shares_frames, setup,
			teardown),
		cmocka_unit_test_setup_teardown(closing_reports_what_is_outstanding, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_is_lost_is_sent_again_as_the_same_command,
			setup, teardown),
		cmocka_unit_test_setup_teardown(a_redirect_is_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_leader_is_left_though_another_still_names_it,
			setup, teardown),
		cmocka_unit_test_setup_teardown(what_speaks_of_one_copy_is_not_the_answer, setup,
			teardown),
		cmocka_unit_test_setup_teardown(only_replicas_of_the_own_cluster_are_heard, setup,
			teardown),
		cmocka_unit_test_setup_teardown(each_status_of_the_machine_reaches_the_caller,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_forgotten_session_ends_its_commands_and_its_reads_go_on_in_the_next,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_never_sent_is_busy_at_its_time_and_what_was_is_unknown, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_unknown_command_is_sent_on_until_it_is_answered_and_reported_once, setup,
			teardown),
		cmocka_unit_test_setup_teardown(more_than_there_is_room_for_is_refused_at_once,
			setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_an_answer_has_room_for_the_next, setup,
			teardown),
		cmocka_unit_test_setup_teardown(several_threads_share_a_client, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
