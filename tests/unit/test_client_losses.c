/* The client library over loopback: what is lost, refused or forgotten. */
#include "tests/unit/given_replicas.h"

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

/* The first session is forgotten. */
static void forget_first_session(const struct heard *h, struct told *t)
{
	if (h->kind == ENTRY_COMMAND && h->session == FIRST_SESSION)
		t->status = REPLY_EXPIRED;
}

static void a_forgotten_session_ends_its_commands_and_another_opens(void **state)
{
	struct paxwire_options o = given_options();

	/* Two outstanding: one session. */
	(void)state;
	o.outstanding_max = 2;
	struct paxwire_client *c = given_client(&o);

	given_rule(forget_first_session);
	assert_int_equal(call(c, PAXWIRE_COMMAND, 1).status, PAXWIRE_EXPIRED);
	then_ok(call(c, PAXWIRE_COMMAND, 2), 2);
	assert_int_equal(copy_of(2, 0).session, FIRST_SESSION + 1);
	paxwire_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
			a_forgotten_session_ends_its_commands_and_another_opens, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
