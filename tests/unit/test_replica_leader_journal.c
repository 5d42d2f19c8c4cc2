/* The leader's stage with a journal: pins, enrolment, earlier lives, a failed disk, lost votes. */
#include "tests/unit/given_leader.h"
#include "tests/unit/given_port.h"

static int setup_durable(void **state)
{
	setup_stranger(state);
	given_port();
	settings.durability = DURABILITY_SYNC;
	leader_stage_journal(&stage, &port);
	return 0;
}

static void pinned(uint64_t position)
{
	const struct message m = {.type = MESSAGE_PINNED, .first = position};

	leader_stage_on_message(&stage, &m, NULL, now);
}

/* I4. Else another uuid can be pinned after a crash, by a member that counted ours. */
static void a_uuid_is_echoed_only_when_its_pin_is_durable(void **state)
{
	(void)state;
	hear_hello(1, 0, HELLO_ASKS);
	assert_int_equal(appended_of(JOURNAL_PIN), 1);
	assert_int_equal(appended[0].first, 1);
	assert_int_equal(appended[0].ballot, uuid_of(1));
	for (uint32_t i = 0; i < sent_of(MESSAGE_HELLO); i++)
		assert_int_equal(sent_nth(MESSAGE_HELLO, i)->m.ballot, 0);
	pinned(1);
	sent_count = 0;
	hear_hello(1, 0, HELLO_ASKS);
	assert_int_equal(the_only(MESSAGE_HELLO)->m.ballot, uuid_of(1));
	assert_int_equal(appended_of(JOURNAL_PIN), 1);
}

static void while_a_pin_is_under_way_another_uuid_is_foreign(void **state)
{
	(void)state;
	const struct message other = {
		.type = MESSAGE_HELLO,
		.sender = 1,
		.from = 1,
		.uuid = 77,
	};

	hear_hello(1, 0, 0);
	leader_stage_on_message(&stage, &other, NULL, now);
	pinned(1);
	assert_int_equal(stage.identity.uuids[1], uuid_of(1));
	assert_int_equal(stage.counters.foreign, 1);
}

static void enrolled(bool yes)
{
	assert_int_equal(sent_of(MESSAGE_ENROLLED), yes ? 1 : 0);
	assert_int_equal(stage.enrolled, yes);
}

static void voting_begins_when_the_journal_says_that_all_were_exchanged(void **state)
{
	(void)state;
	given_enrolled();
	pinned(2);
	given_enrolled();
	enrolled(false);
	assert_int_equal(appended_of(JOURNAL_PIN), 3);
	assert_int_equal(appended[2].first, SELF);
	pinned(3);
	enrolled(true);
}

static struct leader_past past_of(bool all)
{
	return (struct leader_past){
		.promised = ballot_make(9, 2),
		.delivered = 700,
		.pins = {[1] = uuid_of(1), [2] = all ? uuid_of(2) : 0},
		.enrolled = true,
	};
}

/* I5. */
static void who_was_enrolled_once_waits_for_what_others_heard_of_it(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	tick();
	enrolled(false);
	assert_int_equal(sent_of(MESSAGE_HELLO), 2);
	assert_memory_equal(sent_nth(MESSAGE_HELLO, 0)->body, &past.disk, HELLO_BYTES);
	hear_hello(1, uuid_of(SELF), 0);
	tick();
	enrolled(false);
	hear_hello(2, uuid_of(SELF), 0);
	enrolled(true);
	assert_int_equal(stage.delivered, 700);
}

/* Else a cluster that was whole once could not start again while one member is down. */
static void for_those_who_do_not_answer_it_does_not_wait_long(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	tick();
	pass(TIMEOUT);
	enrolled(true);
}

static void hear_hello_of(uint32_t life, uint64_t position, uint64_t promised)
{
	const struct message m = {
		.type = MESSAGE_HELLO,
		.ballot = uuid_of(SELF),
		.flags = HELLO_ASKS,
		.life = life,
	};
	const struct identity_disk disk = {.position = position, .promised = promised};

	sent_count = 0;
	hear(1, &m, &disk);
	assert_int_equal(the_only(MESSAGE_HELLO)->m.echo, life);
}

static void hear_told(uint32_t life, enum message_type type, uint8_t flags, uint64_t ballot,
	uint64_t watermark)
{
	const struct message m = {
		.type = (uint8_t)type,
		.flags = flags,
		.ballot = ballot,
		.watermark = watermark,
		.life = life,
	};

	hear(1, &m, NULL);
}

static void who_comes_back_with_less_than_it_told_hears_so(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	tick();
	given_enrolled();
	hear_told(3, MESSAGE_HEARTBEAT, 0, 0, 500); /* What a follower has durably. */
	hear_told(3, MESSAGE_HEARTBEAT, HEARTBEAT_LEADS, ballot_make(10, 1), 900);
	hear_told(3, MESSAGE_PROMISE, 0, ballot_make(11, 0), 0);
	hear_hello_of(4, 500, ballot_make(11, 0));
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, 0);
	hear_hello_of(4, 499, ballot_make(11, 0));
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, HELLO_OUTDATED);
	hear_hello_of(4, 500, ballot_make(10, 1));
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, HELLO_OUTDATED);
	hear_hello_of(2, 500, ballot_make(11, 0)); /* An image from before that life. */
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, HELLO_OUTDATED);
}

static void who_leads_has_promised_its_ballot(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	tick();
	given_enrolled();
	hear_told(3, MESSAGE_HEARTBEAT, HEARTBEAT_LEADS, ballot_make(10, 1), 900);
	hear_hello_of(4, 0, ballot_make(9, 1));
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, HELLO_OUTDATED);
	hear_hello_of(4, 0, ballot_make(10, 1));
	assert_int_equal(the_only(MESSAGE_HELLO)->m.flags, 0);
}

static void who_lost_a_pin_exchanges_again(void **state)
{
	(void)state;
	const struct leader_past past = past_of(false);

	leader_stage_restore(&stage, &past);
	tick();
	enrolled(false);
}

static void each_life_writes_its_pins_again(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	assert_int_equal(appended_of(JOURNAL_PIN), 3);
}

/* One ballot serves one phase 1; after a restart the round goes up. */
static void a_ballot_after_a_restart_is_above_all_that_was_promised(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);

	leader_stage_restore(&stage, &past);
	tick();
	for (uint32_t i = 0; i < 100 && sent_of(MESSAGE_PREVOTE) == 0; i++)
		pass(HEARTBEAT);
	assert_true(the_only(MESSAGE_PREVOTE)->m.ballot > past.promised ||
		ballot_round(the_only(MESSAGE_PREVOTE)->m.ballot) > 9);
	assert_int_equal(ballot_round(sent_nth(MESSAGE_PREVOTE, 0)->m.ballot), 10);
}

static int setup_leading(void **state)
{
	setup_stranger(state);
	given_leading();
	sent_count = 0;
	return 0;
}

/* scenarios.md, storage: an error: steps down, and leads no more. */
static void a_leader_whose_disk_failed_steps_down_for_good(void **state)
{
	(void)state;
	const struct message failed = {.type = MESSAGE_DISK_FAILED};

	assert_true(stage.leads);
	leader_stage_on_message(&stage, &failed, NULL, now);
	assert_false(stage.leads);
	sent_count = 0;
	pass(100 * TIMEOUT);
	assert_int_equal(sent_of(MESSAGE_PREVOTE) + sent_of(MESSAGE_HEARTBEAT), 0);
}

/* S4 */
static void what_it_took_is_answered_unknown_all_the_same(void **state)
{
	(void)state;
	const struct message failed = {.type = MESSAGE_DISK_FAILED};

	with_commands(3, 1);
	when_requested();
	sent_count = 0;
	leader_stage_on_message(&stage, &failed, NULL, now);
	tick();
	assert_int_equal(the_only(MESSAGE_LOST)->m.count, 1);
}

static void refused_unknown(uint8_t member, uint64_t blind)
{
	const struct message m = {
		.type = MESSAGE_REFUSED,
		.flags = REFUSAL_UNKNOWN,
		.ballot = stage.proposer.ballot,
		.watermark = blind,
	};

	hear(member, &m, NULL);
}

static void a_leader_fills_up_to_where_a_members_votes_are_lost(void **state)
{
	(void)state;
	uint64_t begin = stage.proposer.window.end;

	refused_unknown(1, begin + 300);
	for (uint32_t i = 0; i < 10; i++)
		tick();
	assert_int_equal(stage.proposer.window.end, begin + 300);
	assert_true(sent_of(MESSAGE_ACCEPT) >= 2);
	for (uint32_t i = 0; i < sent_of(MESSAGE_ACCEPT); i++)
		assert_int_equal(sent_nth(MESSAGE_ACCEPT, i)->m.flags, FLAG_NOOP);
}

static void a_leader_fills_no_further_than_a_window_can_reach(void **state)
{
	(void)state;
	uint64_t begin = stage.proposer.window.end;

	refused_unknown(1, INSTANCE_TOP - 1);
	tick();
	assert_int_equal(stage.proposer.window.end, begin);
}

/* All that is proposed gets chosen and delivered, by us and member 1. */
static void when_filled(void)
{
	for (uint32_t i = 0; i < 2 * ACCEPTOR_WINDOW / BLOCK; i++) {
		uint64_t at = stage.proposer.window.end;

		now += HEARTBEAT;
		tick();
		if (stage.proposer.window.end == at)
			break;
		choose_all();
		at = stage.proposer.window.end;
		delivered(at);
		hear_accepted(SELF, at - 1, 1, at);
		hear_heartbeat(1, 0, 0, at, at);
	}
}

/* F2. Else a member that was away comes back beyond the others' logs, and two of whose votes some are
 * lost and one beyond are no quorum of five, for ever. */
static void a_fill_leaves_in_the_logs_what_a_member_misses(void **state)
{
	(void)state;
	settings.lag_max = ACCEPTOR_WINDOW;
	hear_heartbeat(2, 0, 0, 1, 1);
	now += settings.lag_timeout_ns; /* It slows nobody any more. */
	refused_unknown(1, ACCEPTOR_WINDOW + 300);
	when_filled();
	assert_int_equal(stage.proposer.window.end, LOG_INSTANCES + 1);
	hear_heartbeat(2, 0, 0, 301, 301);
	when_filled();
	assert_int_equal(stage.proposer.window.end, ACCEPTOR_WINDOW + 300);
}

static void a_fill_waits_for_a_live_follower(void **state)
{
	(void)state;
	settings.lag_max = BLOCK;
	hear_heartbeat(1, 0, 0, 1, 1);
	hear_heartbeat(2, 0, 0, 1, 1);
	refused_unknown(1, ACCEPTOR_WINDOW);
	when_filled();
	assert_in_range(stage.proposer.window.end, BLOCK, 2 * BLOCK);
}

/* Else what an earlier life had, and this one has not, counts as there. */
static void a_new_life_stands_where_it_says(void **state)
{
	(void)state;
	struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.watermark = 900,
		.echo = EVERYBODY,
		.life = 1,
	};

	hear(2, &m, NULL);
	m.life = 2;
	m.watermark = 400;
	hear(2, &m, NULL);
	assert_int_equal(stage.peers[2].delivered, 400);
	m.watermark = 300;
	hear(2, &m, NULL);
	assert_int_equal(stage.peers[2].delivered, 400);
}

/* F1 */
static void a_heartbeat_tells_what_is_durably_delivered(void **state)
{
	(void)state;
	const struct leader_past past = past_of(true);
	const struct message durable = {.type = MESSAGE_PINNED, .watermark = 800};

	leader_stage_restore(&stage, &past);
	given_enrolled();
	delivered(900);
	tick();
	sent_count = 0;
	now += HEARTBEAT;
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.first, 900);
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.watermark, 700);
	leader_stage_on_message(&stage, &durable, NULL, now);
	sent_count = 0;
	now += HEARTBEAT;
	tick();
	assert_int_equal(the_only(MESSAGE_HEARTBEAT)->m.watermark, 800);
}

static int setup_candidate(void **state)
{
	setup_stranger(state);
	given_candidate();
	return 0;
}

static void who_can_not_promise_does_not_stand(void **state)
{
	(void)state;
	assert_int_equal(stage.election.state, ELECTION_CANDIDATE);
	refused_unknown(SELF, 512);
	assert_int_equal(stage.election.state, ELECTION_FOLLOWER);
}

static void frames_of_a_members_earlier_life_are_not_heard(void **state)
{
	(void)state;
	struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.sender = 1,
		.from = 1,
		.uuid = uuid_of(1),
		.ballot = stage.proposer.ballot,
		.echo = EVERYBODY,
		.life = 2,
	};

	leader_stage_on_message(&stage, &m, NULL, now);
	m.life = 1;
	m.ballot = stage.proposer.ballot + BALLOT_NODES;
	leader_stage_on_message(&stage, &m, NULL, now);
	assert_true(stage.leads);
	assert_int_equal(stage.counters.foreign, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_uuid_is_echoed_only_when_its_pin_is_durable,
			setup_durable),
		cmocka_unit_test_setup(while_a_pin_is_under_way_another_uuid_is_foreign,
			setup_durable),
		cmocka_unit_test_setup(voting_begins_when_the_journal_says_that_all_were_exchanged,
			setup_durable),
		cmocka_unit_test_setup(who_was_enrolled_once_waits_for_what_others_heard_of_it,
			setup_durable),
		cmocka_unit_test_setup(for_those_who_do_not_answer_it_does_not_wait_long,
			setup_durable),
		cmocka_unit_test_setup(who_comes_back_with_less_than_it_told_hears_so,
			setup_durable),
		cmocka_unit_test_setup(who_leads_has_promised_its_ballot, setup_durable),
		cmocka_unit_test_setup(who_lost_a_pin_exchanges_again, setup_durable),
		cmocka_unit_test_setup(each_life_writes_its_pins_again, setup_durable),
		cmocka_unit_test_setup(a_ballot_after_a_restart_is_above_all_that_was_promised,
			setup_durable),
		cmocka_unit_test_setup(a_leader_whose_disk_failed_steps_down_for_good,
			setup_leading),
		cmocka_unit_test_setup(what_it_took_is_answered_unknown_all_the_same,
			setup_leading),
		cmocka_unit_test_setup(a_leader_fills_up_to_where_a_members_votes_are_lost,
			setup_leading),
		cmocka_unit_test_setup(a_leader_fills_no_further_than_a_window_can_reach,
			setup_leading),
		cmocka_unit_test_setup(a_fill_leaves_in_the_logs_what_a_member_misses,
			setup_leading),
		cmocka_unit_test_setup(a_fill_waits_for_a_live_follower, setup_leading),
		cmocka_unit_test_setup(a_new_life_stands_where_it_says, setup_leading),
		cmocka_unit_test_setup(a_heartbeat_tells_what_is_durably_delivered, setup_durable),
		cmocka_unit_test_setup(who_can_not_promise_does_not_stand, setup_candidate),
		cmocka_unit_test_setup(frames_of_a_members_earlier_life_are_not_heard,
			setup_leading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
