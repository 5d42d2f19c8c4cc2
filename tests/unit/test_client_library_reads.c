/* The client library over loopback: reads, by each way. */
#include "tests/unit/given_replicas.h"

enum {
	TOGETHER = 12,
};

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
	assert_int_equal(a.reflects, 0);
	paxwire_release(f);
	assert_int_equal(copy_of(8, 0).read, FLAG_READ);
	assert_int_equal(copy_of(7, 0).read, 0);
	paxwire_close(c);
}

static void who_only_reads_opens_no_session(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	struct paxwire_counters counters;

	(void)state;
	for (uint32_t kind = PAXWIRE_READ; kind <= PAXWIRE_READ_STALE; kind++)
		then_ok(call(c, (enum paxwire_kind)kind, kind), kind);
	for (uint32_t i = 0; i < heards_count; i++)
		assert_int_equal(heards[i].kind, ENTRY_COMMAND);
	assert_int_equal(sessions, 0);
	paxwire_count(c, &counters);
	assert_int_equal(counters.sessions, 0);
	/* Each by its own id: whose answer it is. */
	assert_int_not_equal(copy_of(PAXWIRE_READ, 0).session,
		copy_of(PAXWIRE_READ_ANY, 0).session);
	then_ok(call(c, PAXWIRE_COMMAND, 9), 9);
	assert_true(sessions > 0);
	paxwire_close(c);
}

static void reads_for_any_member_go_to_each_and_none_to_the_leader_alone(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);
	uint32_t asked[REPLICAS] = {0};

	(void)state;
	for (uint64_t i = 1; i <= 3 * REPLICAS; i++) {
		struct paxwire_answer a = call(c, PAXWIRE_READ_ANY, i);

		then_ok(a, i);
		assert_int_equal(a.reflects, 0);
		assert_int_equal(copy_of(i, 0).read, FLAG_READ_ANY);
		asked[copy_of(i, 0).replica]++;
	}
	for (uint32_t i = 0; i < REPLICAS; i++)
		assert_true(asked[i] > 0);
	paxwire_close(c);
}

static void a_stale_read_tells_the_instance_that_it_reflects(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	for (uint64_t i = 1; i <= REPLICAS; i++) {
		struct paxwire_answer a = call(c, PAXWIRE_READ_STALE, i);

		then_ok(a, i);
		assert_int_equal(copy_of(i, 0).read, FLAG_READ_STALE);
		assert_int_equal(a.reflects, REFLECTS + copy_of(i, 0).replica);
	}
	paxwire_close(c);
}

/* All but the last one are dead. */
static void only_the_last_answers(const struct heard *h, struct told *t)
{
	t->silent = h->replica != REPLICAS - 1;
}

static void a_read_for_any_member_is_answered_while_one_is_there(void **state)
{
	const struct paxwire_options o = given_options();
	struct paxwire_client *c = given_client(&o);

	(void)state;
	given_rule(only_the_last_answers);
	for (uint64_t i = 1; i <= TOGETHER; i++)
		then_ok(call(c, i % 2 == 0 ? PAXWIRE_READ_ANY : PAXWIRE_READ_STALE, i), i);
	paxwire_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_read_goes_as_one_and_brings_its_value, setup,
			teardown),
		cmocka_unit_test_setup_teardown(who_only_reads_opens_no_session, setup, teardown),
		cmocka_unit_test_setup_teardown(
			reads_for_any_member_go_to_each_and_none_to_the_leader_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_stale_read_tells_the_instance_that_it_reflects,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_read_for_any_member_is_answered_while_one_is_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
