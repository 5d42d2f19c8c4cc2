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

/* Another one of the three, of a restarted node that had been enrolled. */
static void given_restart(void)
{
	settings.life = 7;
	hello(1, uuid_of(1), uuid_of(0), 0);
	hello(2, uuid_of(2), uuid_of(0), 0);
	identity_restore(&identity);
}

static void hear_answer(uint8_t member, uint32_t life, uint8_t flags)
{
	const struct message m = {
		.type = MESSAGE_HELLO,
		.sender = member,
		.uuid = uuid_of(member),
		.ballot = uuid_of(0),
		.echo = life,
		.flags = flags,
	};

	assert_true(identity_on_hello(&identity, &m, &answers));
}

static bool outdated(uint64_t position, uint64_t promised)
{
	const struct identity_disk disk = {.position = position, .promised = promised};

	return identity_outdated(&identity, 1, (const uint8_t *)&disk);
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

/* I5 (scenarios.md, Process: an old disk image restored). Else: a value is chosen by {A, B}; B comes
 * back with a disk from before it and makes a majority with C. */
static void after_a_restart_all_others_are_asked_and_waited_for(void **state)
{
	(void)state;
	given_restart();
	assert_int_equal(identity_asks(&identity, 1000), 1u << 1 | 1u << 2);
	assert_false(identity_complete(&identity));
	hear_answer(1, 7, 0);
	assert_int_equal(identity_asks(&identity, 1000 + HEARTBEAT), 1u << 2);
	assert_false(identity_complete(&identity));
	hear_answer(2, 7, 0);
	assert_true(identity_complete(&identity));
}

/* Else a cluster could not start again while one member is down. */
static void who_does_not_answer_is_waited_for_an_election_timeout(void **state)
{
	(void)state;
	given_restart();
	identity_asks(&identity, 1000);
	identity_asks(&identity, 1000 + settings.election_timeout_ns - 1);
	assert_false(identity_complete(&identity));
	assert_int_equal(identity_asks(&identity, 1000 + settings.election_timeout_ns), 0);
	assert_true(identity_complete(&identity));
}

static void who_hears_that_its_disk_holds_less_stays_out(void **state)
{
	(void)state;
	given_restart();
	identity_asks(&identity, 1000);
	hear_answer(1, 7, HELLO_OUTDATED);
	hear_answer(2, 7, 0);
	identity_asks(&identity, UINT64_MAX / 2);
	assert_false(identity_complete(&identity));
	assert_int_equal(identity.outdated, 1u << 1);
}

static void an_answer_to_an_earlier_life_is_none(void **state)
{
	(void)state;
	given_restart();
	hear_answer(1, 6, HELLO_OUTDATED);
	hear_answer(2, 6, 0);
	assert_int_equal(identity.outdated, 0);
	assert_int_equal(identity.unheard, 1u << 1 | 1u << 2);
}

/* A HELLO that was late or came twice met what this life has told since. */
static void after_the_wait_nobody_is_outdated_any_more(void **state)
{
	(void)state;
	given_restart();
	hear_answer(1, 7, 0);
	hear_answer(1, 7, HELLO_OUTDATED);
	assert_int_equal(identity.outdated, 0);
}

static void who_holds_less_than_it_told_is_outdated(void **state)
{
	(void)state;
	assert_false(outdated(0, 0));
	identity_on_told(&identity, 1, 700, 0);
	identity_on_told(&identity, 1, 0, 9);
	identity_on_told(&identity, 1, 300, 4);
	assert_false(outdated(700, 9));
	assert_true(outdated(699, 9));
	assert_true(outdated(700, 8));
	assert_false(identity_outdated(&identity, 2, (const uint8_t[HELLO_BYTES]){0}));
}

/* It does not count with what it has lost, and learns it again: it need not stay out. */
static void who_knows_of_a_loss_is_not_outdated(void **state)
{
	(void)state;
	identity_on_told(&identity, 1, 700, 9);
	assert_false(outdated(IDENTITY_LOST, IDENTITY_LOST));
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
		cmocka_unit_test_setup(after_a_restart_all_others_are_asked_and_waited_for, setup),
		cmocka_unit_test_setup(who_does_not_answer_is_waited_for_an_election_timeout,
			setup),
		cmocka_unit_test_setup(who_hears_that_its_disk_holds_less_stays_out, setup),
		cmocka_unit_test_setup(an_answer_to_an_earlier_life_is_none, setup),
		cmocka_unit_test_setup(after_the_wait_nobody_is_outdated_any_more, setup),
		cmocka_unit_test_setup(who_holds_less_than_it_told_is_outdated, setup),
		cmocka_unit_test_setup(who_knows_of_a_loss_is_not_outdated, setup),
		cmocka_unit_test_setup(asks_those_not_exchanged_on_a_timer_until_all_are, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
