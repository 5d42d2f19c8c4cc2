/* Who the members are: pinned once, exchanged both ways, and nobody else. */
#include "consensus/identity.h"
#include "tests/unit/given_stage.h"

static struct identity identity;
static bool answers;

static int setup(void **state)
{
	(void)state;
	given_settings();
	identity_init(&identity, &settings);
	return 0;
}

/* A HELLO of `member`, who is `uuid` and holds `held` for us. */
static bool hello(uint8_t member, uint64_t uuid, uint64_t held, uint8_t flags)
{
	const struct message m = {
		.type = MESSAGE_HELLO,
		.sender = member,
		.uuid = uuid,
		.ballot = held,
		.flags = flags,
	};

	answers = true;
	return identity_on_hello(&identity, &m, &answers);
}

static void the_first_uuid_heard_is_pinned(void **state)
{
	(void)state;
	assert_false(identity_admits(&identity, 1, uuid_of(1)));
	assert_true(hello(1, uuid_of(1), 0, 0));
	assert_true(identity_admits(&identity, 1, uuid_of(1)));
	assert_int_equal(identity.uuids[1], uuid_of(1));
}

static void another_uuid_is_refused_and_never_replaces_the_pinned(void **state)
{
	/* Else: commits by {A, B}; B restarts empty and makes a majority with C. */
	(void)state;
	hello(1, uuid_of(1), 0, 0);
	assert_int_equal(identity.foreign, 0);
	assert_false(hello(1, 77, uuid_of(0), HELLO_ASKS));
	assert_false(answers);
	assert_int_equal(identity.foreign, 1u << 1);
	assert_false(identity_admits(&identity, 1, 77));
	assert_true(identity_admits(&identity, 1, uuid_of(1)));
	hello(2, uuid_of(2), uuid_of(0), 0);
	assert_false(identity_complete(&identity));
}

static void a_member_with_another_configuration_is_not_exchanged(void **state)
{
	(void)state;
	settings.config_hash = 5;
	assert_false(hello(1, uuid_of(1), uuid_of(0), HELLO_ASKS));
	assert_false(answers);
	assert_int_equal(identity.other_config, 1u << 1);
	assert_false(identity_admits(&identity, 1, uuid_of(1)));
	settings.config_hash = 0;
	assert_true(hello(1, uuid_of(1), uuid_of(0), HELLO_ASKS));
	assert_int_equal(identity.other_config, 0);
}

static void a_member_is_exchanged_when_it_names_our_uuid(void **state)
{
	(void)state;
	hello(1, uuid_of(1), 0, 0);
	hello(2, uuid_of(2), 0, 0);
	assert_false(identity_complete(&identity));
	hello(1, uuid_of(1), uuid_of(0), 0);
	hello(2, uuid_of(2), 4711, 0);
	assert_false(identity_complete(&identity));
	hello(2, uuid_of(2), uuid_of(0), 0);
	assert_true(identity_complete(&identity));
}

static void what_was_exchanged_stays_so(void **state)
{
	(void)state;
	hello(1, uuid_of(1), uuid_of(0), 0);
	hello(2, uuid_of(2), uuid_of(0), 0);
	hello(1, uuid_of(1), 0, 0);
	assert_true(identity_complete(&identity));
}

static void who_asks_is_answered_whatever_it_holds(void **state)
{
	(void)state;
	hello(1, uuid_of(1), 0, HELLO_ASKS);
	assert_true(answers);
	hello(1, uuid_of(1), uuid_of(0), HELLO_ASKS);
	assert_true(answers);
	hello(1, uuid_of(1), uuid_of(0), 0);
	assert_false(answers);
}

static void nobody_is_pinned_for_an_id_that_is_not_anothers(void **state)
{
	(void)state;
	assert_false(hello(MEMBERS, 77, uuid_of(0), HELLO_ASKS));
	assert_false(answers);
	assert_false(hello(0, uuid_of(0), uuid_of(0), HELLO_ASKS));
	assert_false(answers);
	identity.uuids[MEMBERS] = 77;
	assert_false(identity_admits(&identity, MEMBERS, 77));
	assert_true(identity_admits(&identity, 0, uuid_of(0)));
}

static void zero_is_no_uuid(void **state)
{
	(void)state;
	assert_false(hello(1, 0, uuid_of(0), HELLO_ASKS));
	assert_false(answers);
	assert_false(identity_admits(&identity, 1, 0));
	assert_true(hello(1, uuid_of(1), 0, 0));
}

static void asks_those_not_exchanged_on_a_timer_until_all_are(void **state)
{
	(void)state;
	assert_int_equal(identity_asks(&identity, 1000), 1u << 1 | 1u << 2);
	assert_int_equal(identity_asks(&identity, 1000 + HEARTBEAT - 1), 0);
	hello(1, uuid_of(1), uuid_of(0), 0);
	assert_int_equal(identity_asks(&identity, 1000 + HEARTBEAT), 1u << 2);
	hello(2, uuid_of(2), uuid_of(0), 0);
	assert_int_equal(identity_asks(&identity, 2000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_member_with_another_configuration_is_not_exchanged, setup),
		cmocka_unit_test_setup(the_first_uuid_heard_is_pinned, setup),
		cmocka_unit_test_setup(another_uuid_is_refused_and_never_replaces_the_pinned,
			setup),
		cmocka_unit_test_setup(a_member_is_exchanged_when_it_names_our_uuid, setup),
		cmocka_unit_test_setup(what_was_exchanged_stays_so, setup),
		cmocka_unit_test_setup(who_asks_is_answered_whatever_it_holds, setup),
		cmocka_unit_test_setup(nobody_is_pinned_for_an_id_that_is_not_anothers, setup),
		cmocka_unit_test_setup(zero_is_no_uuid, setup),
		cmocka_unit_test_setup(asks_those_not_exchanged_on_a_timer_until_all_are, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
