/* Telemetry: each command's answer through the socket, and each refusal's sentence. */
#include "tests/unit/given_telemetry.h"

#include "consensus/election.h"

static int setup(void **state)
{
	(void)state;
	return given_replica() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	replica_destroy(&replica);
	return 0;
}

/* ---- Whom it is about ---- */

static const char *const commands[] = {"/paxwire/status", "/paxwire/stages", "/paxwire/drops",
	"/paxwire/tunables", "/paxwire/routes", "/paxwire/transfer", "/paxwire/digests",
	"/paxwire/heap"};

enum {
	COMMANDS = sizeof(commands) / sizeof(commands[0])
};

static void a_wrong_or_missing_id_is_refused(void **state)
{
	const char *const ids[] = {"", ",", ",0", ",2", ",01", ",1x", ",-1", ",x,1"};

	(void)state;
	for (uint32_t c = 0; c < COMMANDS; c++)
		for (uint32_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			char command[64];

			snprintf(command, sizeof(command), "%s%s", commands[c], ids[i]);
			when_asked(command);
			then_refused_by(
				"give the id of a replica of this process first, such as 1");
		}
}

/* ---- Status ---- */

static void status_says_who_it_is(void **state)
{
	(void)state;
	when_asked("/paxwire/status,1");
	then_says("id", "1");
	then_says("cluster", "\"test\"");
	then_says("members", "3");
	then_says("leader", "-1");
	then_says("durability", "\"none\"");
	then_says("state_machine", "\"null\"");
}

static void status_says_how_far_it_is(void **state)
{
	struct leader_stage *l = replica.leader;

	(void)state;
	l->election.leader = 2;
	l->election.leader_ballot = 101;
	l->counters.step_downs = 102;
	l->counters.retransmitted = 103;
	l->counters.conflicts = 104;
	l->counters.too_high = 60;
	replica.acceptors[0]->counters.too_high = 52;
	replica.acceptors[0]->acceptor.promised = 105;
	replica.learner->learner.delivered = 106;
	replica.learner->learner.target = 107;
	replica.learner->sessions.count = 108;
	replica.learner->sessions.evicted = 109;
	replica.io.network.unknown = 110;
	l->proposer.window.end = 1000;
	l->proposer.window.chosen = 889;
	when_asked("/paxwire/status,1");
	then_says("leader", "2");
	then_says("ballot", "101");
	then_says("step_downs", "102");
	then_says("retransmitted", "103");
	then_says("conflicts", "104");
	then_says("too_high", "112");
	then_says("promised", "105");
	then_says("delivered", "106");
	then_says("known_chosen", "107");
	then_says("sessions", "108");
	then_says("sessions_evicted", "109");
	then_says("unreachable_members", "110");
	then_says("in_flight", "0");
	l->leads = true;
	when_asked("/paxwire/status,1");
	then_says("in_flight", "111");
}

static void then_condition(const char *sentence)
{
	char text_of_it[128];

	when_asked("/paxwire/status,1");
	snprintf(text_of_it, sizeof(text_of_it), "\"%s\"", sentence);
	then_says("condition", text_of_it);
}

/* From the least to the most urgent: each one hides those before it. */
static void status_says_what_it_waits_for(void **state)
{
	struct leader_stage *l = replica.leader;

	(void)state;
	then_condition("waits for all members: the first start needs every one of them");
	l->identity.foreign = 1;
	then_condition("stands: a member restarted under its old id and is refused");
	l->identity.outdated = 1;
	then_condition(
		"stands: others heard more of it than its disk holds: give it the disk that it last ran with");
	l->identity.outdated = 0;
	l->enrolled = true;
	then_condition("follows nobody");
	l->election.leader = 2;
	then_condition("follows");
	l->leads = true;
	then_condition("leads");
	replica.acceptors[0]->blind = BLOCK;
	then_condition("learns again what its disk lost, and votes once it has");
	l->identity.other_config = 1;
	then_condition("stands: a member has another configuration; give all the same file");
	replica.learner->beyond = true;
	then_condition("takes a snapshot of another: it fell beyond every other member's log");
	l->failed = true;
	then_condition("stands: its disk failed; mend it, then start the replica again");
}

/* ---- Stages and drops ---- */

/* Of this stage alone. */
static void then_stage_says(const char *stage, const char *key, uint64_t value)
{
	char begin[64];

	when_asked("/paxwire/stages,1");
	snprintf(begin, sizeof(begin), "\"%s\":{", stage);
	char *at = strstr(answer, begin);

	if (at == NULL)
		fail_msg("no stage %s in %s", stage, answer);
	memmove(answer, at, strlen(at) + 1);
	*strchr(answer, '}') = 0;
	strcat(answer, "}");
	then_counts(key, value);
}

static void every_stage_shows_its_own_counts(void **state)
{
	const char *const names[] = {"io", "io_out", "leader", "learner", "acceptor0"};
	struct stage *const stages[] = {&replica.io.stage, &replica.io.out, &replica.leader_poll,
		&replica.learner_poll, &replica.acceptor_polls[0]};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		stages[i]->busy_cycles = 1000 + i;
		stages[i]->idle_cycles = 2000 + i;
		stages[i]->busy_turns = 4;
		stages[i]->idle_turns = 3000 + i;
		stages[i]->work = 20 + i;
	}
	for (uint32_t i = 0; i < 5; i++) {
		then_stage_says(names[i], "busy_cycles", 1000 + i);
		then_stage_says(names[i], "idle_cycles", 2000 + i);
		then_stage_says(names[i], "busy_turns", 4);
		then_stage_says(names[i], "idle_turns", 3000 + i);
		then_stage_says(names[i], "frames", 20 + i);
		then_stage_says(names[i], "frames_per_100_turns", 500 + i * 25);
		then_stage_says(names[i], "ring_size", HANDOFF_SIZE - 1);
	}
	replica.leader->counters.proposed_runs = 7;
	replica.leader->counters.proposed_commands = 8;
	when_asked("/paxwire/stages,1");
	then_says("proposed_runs", "7");
	then_says("proposed_commands", "8");
}

static void what_waits_for_a_stage_is_shown(void **state)
{
	(void)state;
	handoff_put(&replica.requests, NULL, 0);
	handoff_put(&replica.rings[POSITION_IO][POSITION_LEADER], NULL, 0);
	handoff_put(&replica.rings[POSITION_ACCEPTOR][POSITION_LEADER], NULL, 0);
	handoff_put(&replica.rings[POSITION_LEADER][POSITION_ACCEPTOR], NULL, 0);
	then_stage_says("leader", "waiting", 3);
	then_stage_says("acceptor0", "waiting", 1);
	then_stage_says("learner", "waiting", 0);
}

static void every_drop_has_its_key(void **state)
{
	struct network_counters *n = &replica.io.network.counters;

	(void)state;
	for (uint32_t i = 1; i < FRAME_DROP_REASONS; i++)
		n->drops[i] = 1000 + i;
	for (uint32_t i = 1; i < DROP_REASONS; i++)
		replica.io.foreign[i] = 100;
	replica.io.overload = 1;
	n->tx_full = 2;
	n->unreachable = 3;
	n->crowded = 4;
	replica.crossings[POSITION_LEADER].no_mbuf = 5;
	replica.crossings[POSITION_ACCEPTOR].no_mbuf = 6;
	replica.crossings[POSITION_LEARNER].ring_full = 7;
	replica.acceptors[0]->counters.foreign = 8;
	replica.leader->counters.foreign = 9;
	replica.acceptors[0]->counters.log_full = 10;
	replica.acceptors[0]->counters.journal_full = 13;
	replica.acceptors[0]->counters.gate_full = 14;
	replica.acceptors[0]->counters.unknown = 15;
	replica.acceptors[0]->counters.disk_failed = 16;
	replica.leader->counters.busy = 12;
	when_asked("/paxwire/drops,1");
	for (uint32_t i = 1; i < FRAME_DROP_REASONS; i++)
		then_counts(frame_drop_text(i), 1000 + i + (i < DROP_REASONS ? 100 : 0));
	then_says("not_ip", "1010");
	then_says("overload", "1");
	then_says("tx_full", "2");
	then_says("unreachable", "3");
	then_says("too_many_clients", "4");
	then_says("no_mbuf", "11");
	then_says("ring_full", "7");
	then_says("foreign_uuid", "17");
	then_says("log_full", "10");
	then_says("journal_full", "13");
	then_says("gate_full", "14");
	then_says("votes_unknown", "15");
	then_says("disk_failed", "16");
	then_says("busy_answers", "12");
}

/* ---- Tunables ---- */

static void all_tunables_are_shown(void **state)
{
	(void)state;
	when_asked("/paxwire/tunables,1");
	for (uint32_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct field *f = &tunables_fields()[i];
		char value[FIELD_TEXT_MAX], quoted[FIELD_TEXT_MAX + 2];

		field_show(f, &config.tunables, value);
		snprintf(quoted, sizeof(quoted), "\"%s\"", value);
		then_says(f->key, quoted);
	}
}

static void a_tunable_that_is_set_holds_from_then_on(void **state)
{
	(void)state;
	when_asked("/paxwire/tunables,1,linger_us,7");
	then_says("linger_us", "\"7\"");
	when_asked("/paxwire/tunables,1,idle,busy");
	then_says("linger_us", "\"7\"");
	then_says("idle", "\"busy\"");
	assert_int_equal(replica.live->settings.linger_ns, 7000);
	assert_int_equal(replica.live->generation, 4);
	/* The lcores too: theirs is no stage's. */
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(lcores[i].idle, IDLE_BUSY);
	when_asked("/paxwire/tunables,1,idle,yield");
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(lcores[i].idle, IDLE_YIELD);
}

/* As tunables_set refuses it, to its last word: a telemetry string is short. */
static void then_refused_whole(const char *name, const char *value)
{
	struct tunables t = replica.live->tunables;
	char command[128];

	assert_false(tunables_set(&t, 1, name, value, error, sizeof(error)));
	snprintf(command, sizeof(command), "/paxwire/tunables,1,%s,%s", name, value);
	when_asked(command);
	then_refused_by(error);
}

static void a_refused_value_changes_nothing_and_says_why(void **state)
{
	const uint64_t generation = replica.live->generation;

	(void)state;
	when_asked("/paxwire/tunables,1,window,5000");
	then_refused_by("window: '5000' is out of range, give a number from 1 to 4096");
	for (uint32_t i = 0; i < TUNABLE_COUNT; i++)
		then_refused_whole(tunables_fields()[i].key, "nonsense");
	then_refused_whole("heartbeat_us", "1000000");
	then_refused_whole("progress_timeout_ms", "9");
	then_refused_whole("commit_idle_us", "1000000");
	then_refused_whole("lag_max", "300");
	then_refused_whole("nothing_that_would_be_any_tunable_we_know", "1");
	when_asked("/paxwire/tunables,1,window");
	then_refused_by("give a replica's id, or its id, a tunable's name and its value");
	when_asked("/paxwire/tunables,1,window,16,17");
	then_refused_by("give a replica's id, or its id, a tunable's name and its value");
	assert_int_equal(replica.live->generation, generation);
}

/* ---- Routes ---- */

static void routes_show_the_others_and_whether_they_are_found(void **state)
{
	(void)state;
	when_asked("/paxwire/routes,1");
	assert_string_equal(answer,
		"{\"0\":\"10.0.0.1 asked for by ARP\","
		"\"2\":\"10.0.0.3 asked for by ARP\"}");
	io_poll(&replica, 1);
	when_asked("/paxwire/routes,1");
	assert_string_equal(answer,
		"{\"0\":\"10.0.0.1 00:00:00:00:00:01\","
		"\"2\":\"10.0.0.3 00:00:00:00:00:03\"}");
}

static void a_member_that_moved_is_found_there(void **state)
{
	(void)state;
	io_poll(&replica, 1);
	when_asked("/paxwire/routes,1,2,10.0.0.9,02:00:00:00:00:09");
	io_poll(&replica, 2);
	when_asked("/paxwire/routes,1");
	then_says("2", "\"10.0.0.9 02:00:00:00:00:09\"");
	then_says("0", "\"10.0.0.1 00:00:00:00:00:01\"");
	assert_int_equal(replica.io.network.routes[2].to.ip, RTE_BE32(RTE_IPV4(10, 0, 0, 9)));
	when_asked("/paxwire/routes,1,2,10.0.0.10");
	io_poll(&replica, 3);
	when_asked("/paxwire/routes,1");
	then_says("2", "\"10.0.0.10 asked for by ARP\"");
}

static void a_refused_move_changes_nothing_and_says_why(void **state)
{
	const char *const usage = "give a replica's id, or its id, a member, its address and, if "
				  "you like, its MAC address";
	const uint64_t generation = replica.live->generation;

	(void)state;
	when_asked("/paxwire/routes,1,2");
	then_refused_by(usage);
	when_asked("/paxwire/routes,1,3,10.0.0.9");
	then_refused_by("\\\"3\\\" is no other member's id");
	when_asked("/paxwire/routes,1,1,10.0.0.9");
	then_refused_by("\\\"1\\\" is no other member's id");
	when_asked("/paxwire/routes,1,2x,10.0.0.9");
	then_refused_by("\\\"2x\\\" is no other member's id");
	when_asked("/paxwire/routes,1,,10.0.0.9");
	then_refused_by("\\\"\\\" is no other member's id");
	when_asked("/paxwire/routes,1,2,10.0.0.300");
	then_refused_by("\\\"10.0.0.300\\\" is no IPv4 address");
	when_asked("/paxwire/routes,1,2,10.0.0.9,02:00");
	then_refused_by("\\\"02:00\\\" is no MAC address");
	assert_int_equal(replica.live->generation, generation);
}

/* ---- Digests and the heap ---- */

static void digests_are_those_of_the_checkpoints(void **state)
{
	(void)state;
	when_asked("/paxwire/digests,1");
	assert_string_equal(answer, "{}");
	replica.learner->checkpoints[2] = (struct checkpoint){2 * CHECKPOINT_EVERY, 4711};
	replica.learner->checkpoints[3] =
		(struct checkpoint){3 * CHECKPOINT_EVERY, 18446744073709551615u};
	when_asked("/paxwire/digests,1");
	assert_string_equal(answer, "{\"8192\":4711,\"12288\":18446744073709551615}");
}

static void the_heap_shows_its_size_and_what_was_taken_while_polling(void **state)
{
	const char *const keys[] = {"\"allocated_bytes\":", "\"active_bytes\":",
		"\"resident_bytes\":", "\"mapped_bytes\":"};

	(void)state;
	lcores[0].allocated_bytes = 5;
	lcores[1].allocated_bytes = 6;
	when_asked("/paxwire/heap,1");
	for (uint32_t i = 0; i < 4; i++)
		assert_non_null(strstr(answer, keys[i]));
	then_says("allocated_while_polling_bytes", "11");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- The lead ---- */

static void then_transfer_refused(const char *parameters, const char *sentence)
{
	char command[64];

	snprintf(command, sizeof(command), "/paxwire/transfer%s", parameters);
	when_asked(command);
	then_refused_by(sentence);
	assert_int_equal(replica.live->transfers, 0);
}

static void the_lead_goes_only_from_who_leads_to_another_member(void **state)
{
	(void)state;
	then_transfer_refused(",1", "give a replica's id, and the member that is to lead");
	then_transfer_refused(",1,2,2", "give a replica's id, and the member that is to lead");
	then_transfer_refused(",1,1", "\\\"1\\\" is no other member's id");
	then_transfer_refused(",1,3", "\\\"3\\\" is no other member's id");
	then_transfer_refused(",1,2", "nobody leads: there is nothing to hand over");
	replica.leader->election.leader = 0;
	then_transfer_refused(",1,2", "replica 0 leads: tell that one");
	replica.leader->enrolled = true;
	replica.leader->leads = true;
	replica.leader->transfer.state = TRANSFER_TOLD;
	then_transfer_refused(",1,2",
		"it hands over already: wait until status says that it is done");
	then_condition("leads, and hands over: it takes nothing new");
	replica.leader->transfer.state = TRANSFER_NONE;
	when_asked("/paxwire/transfer,1,2");
	then_says("to", "2");
	assert_int_equal(replica.live->transfers, 1);
	assert_int_equal(replica.live->transfer_to, 2);
}

static void the_leader_stage_begins_a_transfer_once(void **state)
{
	struct leader_stage *l = replica.leader;

	(void)state;
	l->enrolled = true;
	l->leads = true;
	l->election.state = ELECTION_LEADER;
	l->election.leader = 1;
	l->election.awake_ns = 1000000000;
	for (uint32_t i = 0; i < 3; i++) {
		l->election.heard_ns[i] = 1000000000;
		l->election.echoes[i] = 7;
	}
	assert_true(replica_transfer(&replica, 2, error, sizeof(error)));
	for (uint64_t i = 1; i < 4; i++)
		leader_poll(&replica, 1000000000 + 100000 * i);
	assert_int_equal(l->counters.transfers, 1);
	assert_int_equal(l->transfer.target, 2);
	when_asked("/paxwire/status,1");
	then_says("transfers", "1");
}

int main(void)
{
	const struct telemetry_subject subject = {
		.replicas = &replica,
		.replicas_count = 1,
		.lcores = lcores,
		.lcores_count = 2,
		.config = &config,
	};
	const struct CMUnitTest tests[] = {
		TEST(the_lead_goes_only_from_who_leads_to_another_member),
		TEST(the_leader_stage_begins_a_transfer_once),
		TEST(a_wrong_or_missing_id_is_refused),
		TEST(status_says_who_it_is),
		TEST(status_says_how_far_it_is),
		TEST(status_says_what_it_waits_for),
		TEST(every_stage_shows_its_own_counts),
		TEST(what_waits_for_a_stage_is_shown),
		TEST(every_drop_has_its_key),
		TEST(all_tunables_are_shown),
		TEST(a_tunable_that_is_set_holds_from_then_on),
		TEST(a_refused_value_changes_nothing_and_says_why),
		TEST(routes_show_the_others_and_whether_they_are_found),
		TEST(a_member_that_moved_is_found_there),
		TEST(a_refused_move_changes_nothing_and_says_why),
		TEST(digests_are_those_of_the_checkpoints),
		TEST(the_heap_shows_its_size_and_what_was_taken_while_polling),
	};

	if (!given_dpdk_with_telemetry())
		return SKIPPED;
	telemetry_serve(&subject);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	remove_folder();
	return failed || access(folder, F_OK) == 0;
}
