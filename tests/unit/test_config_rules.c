/* The rules between the keys of a cluster file, each with the sentence that refuses a breach. */
#include "tests/unit/given_config.h"

/* scenarios.md, operator: an unsafe durability mode is allowed only by its name. */
static void durability_is_sync_unless_another_mode_is_named(void **state)
{
	(void)state;
	given(small);
	given_changed("durability: none\n", "journal: {directory: /d}\n");
	then_refused("replicas[0].stages.journal: is missing, give the lcore that writes its "
		     "journal");
	for (int i = 0; i < 3; i++)
		given_changed("learner: 4}", "learner: 4, journal: 3}");
	then_accepted();
	assert_int_equal(config.durability, DURABILITY_SYNC);
	assert_string_equal(config.journal.directory, "/d");
	assert_int_equal(config.journal.segment_bytes, 67108864);
	assert_int_equal(config.journal.segments, 16);
	assert_int_equal(config.journal.snapshot_segments, 4);
	assert_int_equal(config.journal.depth, 4);
	assert_false(config.journal.memory_backed);
	assert_int_equal(config.replicas[2].stages.journal, 3);
	refuses_change("durability: none", "durability: disk",
		"durability: 'disk' is unknown, give none, async or sync");
}

static void refuses_journal(const char *keys, const char *sentence)
{
	char change[256];

	snprintf(change, sizeof(change), "durability: sync\njournal: {%s}\n", keys);
	refuses_change("durability: none\n", change, sentence);
}

static void a_durable_mode_has_a_journal_that_can_be(void **state)
{
	(void)state;
	refuses_change("durability: none\n", "",
		"journal.directory: is missing, give where each replica has its data directory, or "
		"durability: none, which keeps all in memory");
	refuses_journal("directory: /d, segment_bytes: 1048577",
		"journal.segment_bytes: 1048577 is not a multiple of 4096, give one such as 1048576");
	refuses_journal("directory: /d, segment_bytes: 4096",
		"journal.segment_bytes: '4096' is out of range, give a number from 1048576 to "
		"1073741824");
	refuses_journal("directory: /d, depth: 3",
		"journal.depth: 3 is not a power of two, give 1, 2 or 4");
	refuses_journal("directory: /d, segments: 1",
		"journal.segments: '1' is out of range, give a number from 2 to 1024");
	refuses_journal("directory: /d, segments: 3",
		"journal.snapshot_segments: 4 are more than the 3 that journal.segments says, give "
		"at most as many");
	refuses_journal("directory: /d, snapshot_segments: 0",
		"journal.snapshot_segments: '0' is out of range, give a number from 1 to 1024");
	refuses_journal("directory: ''",
		"journal.directory: '' has 0 characters, give from 1 to 199");
	refuses_journal("directory: /d, memory_backed: maybe",
		"journal.memory_backed: 'maybe' is not a yes or no, give true or false");
}

static void refuses_ids_that_are_not_zero_to_n_minus_one_each_once(void **state)
{
	(void)state;
	refuses_change("id: 2", "id: 1",
		"replicas[2].id: 1 is also the id of replicas[1], give each one id from 0 to 2");
	refuses_change("id: 2", "id: 3",
		"replicas[2].id: 3 is too high for 3 replicas, give each one id from 0 to 2");
	refuses_change("id: 2", "id: 9",
		"replicas[2].id: '9' is out of range, give a number from 0 to 8");
}

static void refuses_an_address_that_is_malformed_or_no_hosts(void **state)
{
	static const char *const wrong[] = {"10.0.0", "10.0.0.256", "host", "fd00:::1", "''"};
	static const char *const other[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1",
		"'::'", "ff02::1", "::1"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		given(small);
		given_changed("10.0.0.2", wrong[i]);
		assert_false(when_loaded());
		assert_non_null(strstr(error, "test.yaml: replicas[1].address: '"));
		assert_non_null(
			strstr(error, "is no IP address, give one such as 10.0.0.1 or fd00::1"));
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		given(small);
		given_changed("10.0.0.2", other[i]);
		assert_false(when_loaded());
		assert_non_null(strstr(error, "test.yaml: replicas[1].address: '"));
		assert_non_null(strstr(error, "is not the address of one host, give one such as"));
	}
}

static void refuses_a_mac_that_is_malformed_or_no_ports(void **state)
{
	static const char *const wrong[] = {"02:00:00:00:00", "02:00:00:00:00:0g",
		"02-00-00-00-00-01", "02:00:00:00:00:01:", "020000000001"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char line[80];

		given(small);
		snprintf(line, sizeof(line), "mac: '%s'\n    ports: [ring]", wrong[i]);
		given_changed("ports: [ring]", line);
		assert_false(when_loaded());
		assert_non_null(strstr(error, "test.yaml: replicas[0].mac: '"));
		assert_non_null(strstr(error,
			"is no Ethernet address, give one such as 02:00:00:00:00:01"));
	}
	refuses_change("ports: [ring]", "mac: 01:00:5e:00:00:01\n    ports: [ring]",
		"replicas[0].mac: '01:00:5e:00:00:01' is not the address of one port, give one such as "
		"02:00:00:00:00:01");
	refuses_change("ports: [ring]", "mac: 00:00:00:00:00:00\n    ports: [ring]",
		"replicas[0].mac: '00:00:00:00:00:00' is not the address of one port, give one such as "
		"02:00:00:00:00:01");
}

static void refuses_what_two_nodes_share(void **state)
{
	(void)state;
	refuses_change("10.0.0.3", "10.0.0.1",
		"replicas[2].address: is also the address of replicas[0], give each node its own");
	refuses_change("10.0.0.3", "fd00::1",
		"replicas[2].address: is IPv6 where replicas[0] has IPv4, give all nodes addresses of one kind");
	refuses_addition("clients: [{name: a, address: 10.0.0.2, ports: [ring], lcore: 1}]\n",
		"clients[0].address: is also the address of replicas[1], give each node its own");
	refuses_addition("clients:\n"
			 "  - {name: a, address: 10.0.0.8, ports: [ring], lcore: 1}\n"
			 "  - {name: a, address: 10.0.0.9, ports: [ring], lcore: 1}\n",
		"clients[1].name: is also the name of clients[0], give each client its own");

	given(small);
	given_changed("10.0.0.1\n", "10.0.0.1\n    mac: 02:00:00:00:00:01\n");
	given_changed("10.0.0.3\n", "10.0.0.3\n    mac: 02:00:00:00:00:01\n");
	then_refused("replicas[2].mac: is also the mac of replicas[0], give each node its own");
}

static void refuses_ports_that_cannot_be_meant(void **state)
{
	(void)state;
	refuses_change("[ring]", "[ring, net_null0]",
		"replicas[0].ports: has ring beside another port, give either");
	refuses_change("[ring]", "[net_null0]",
		"replicas[1].ports: is ring for some nodes only (not like replicas[0]), give ring to all "
		"nodes or to none");
	refuses_change("[ring]", "[net_null0, net_null0]",
		"replicas[0].ports[1]: 'net_null0' stands twice, give each port once");
	refuses_change("[ring]", "['']",
		"replicas[0].ports[0]: '' has 0 characters, give from 1 to 255");
	refuses_change("[ring]", "['a b']",
		"replicas[0].ports[0]: 'a b' has a space or an unprintable character, give a plain word");
	refuses_change("[ring]", "[a, b, c, d, e, f, g, h, i]",
		"replicas[0].ports: has 9 ports, give at most 8");
}

static void refuses_more_nodes_than_there_is_room_for(void **state)
{
	(void)state;
	given("cluster: {name: a, id: 1}\ndurability: none\nreplicas:\n");
	for (int i = 0; i < 10; i++)
		strcat(text, " - id: 0\n");
	then_refused("replicas: has 10 replicas, give at most 9");
	given_small_with("clients:\n");
	for (int i = 0; i < 17; i++)
		strcat(text, " - name: a\n");
	then_refused("clients: has 17 clients, give at most 16");
}

static void each_shard_has_an_lcore(void **state)
{
	(void)state;
	refuses_addition("shards: 3\n", "shards: 3 is not a power of two, give 1, 2 or 4");
	refuses_addition("shards: 2\n",
		"replicas[0].stages.acceptors: has 1 lcores for 2 shards, give one lcore for each shard");
	refuses_change("acceptors: [3]", "acceptors: [3, 4]",
		"replicas[0].stages.acceptors: has 2 lcores for 1 shards, give one lcore for each shard");

	given_small_with("shards: 2\n");
	for (int i = 0; i < 3; i++)
		given_changed("acceptors: [3]", "acceptors: [5, 6]");
	then_accepted();
	assert_int_equal(config.replicas[2].stages.acceptors[1], 6);

	strcat(text, "tunables: {window: 511}\n");
	then_refused(
		"tunables.window: 511 is less than 256 for each of 2 shards, give at least 512 or "
		"fewer shards");
}

static void a_log_holds_the_acceptors_window_in_a_power_of_two(void **state)
{
	(void)state;
	refuses_addition("log: {mebibytes: 8}\n",
		"log.mebibytes: 8 does not hold 8192 frames of mtu 1500, give at least 16, or 0 for just that");
	refuses_addition("log: {mebibytes: 24}\n",
		"log.mebibytes: 24 is not a power of two, give one such as 32");

	given_small_with("mtu: 9000\nshards: 4\n");
	for (int i = 0; i < 3; i++)
		given_changed("acceptors: [3]", "acceptors: [5, 6, 5, 6]");
	then_accepted();
	assert_int_equal(config.log_mebibytes, 128);
	assert_int_equal(config_log_bytes(&config), 32 << 20);
	assert_true(config_log_bytes(&config) * config.shards >= 9000 * ACCEPTOR_WINDOW);
}

static void tunables_of_a_file_keep_the_rules_between_them(void **state)
{
	(void)state;
	refuses_addition("tunables: {heartbeat_us: 400000}\n",
		"tunables.heartbeat_us: 400000 is more than a third of election_timeout_ms, which is "
		"150 ms, give at most 50000 or a longer timeout");
	refuses_addition("tunables: {lag_max: 8192}\n",
		"tunables.lag_max: '8192' is out of range, give a number from 256 to 8191");
}

static void quorum_keys_go_with_their_kind(void **state)
{
	(void)state;
	refuses_addition("quorums: {q1: 2}\n",
		"quorums.q1: does not go with kind majority, remove it or give kind: threshold");
	refuses_addition("quorums: {kind: threshold, q1: 2, q2: 2, rows: 1}\n",
		"quorums.rows: does not go with kind threshold, remove it or give kind: grid");
	refuses_addition("quorums: {kind: grid, rows: 1, columns: 3, phase1: [[0]]}\n",
		"quorums.phase1: does not go with kind grid, remove it or give kind: explicit");
	refuses_addition("quorums: {kind: threshold, q1: 2}\n",
		"quorums.q2: is missing, which kind threshold needs, give a number");
	refuses_addition("quorums: {kind: explicit, phase1: [[0, 1]]}\n",
		"quorums.phase2: is missing, which kind explicit needs, give sets of ids such as "
		"[[0, 1], [1, 2]]");
}

static void quorum_sizes_go_with_the_number_of_replicas(void **state)
{
	(void)state;
	refuses_addition("quorums: {kind: threshold, q1: 4, q2: 1}\n",
		"quorums.q1: 4 is more than there are replicas, give from 1 to 3");
	refuses_addition("quorums: {kind: threshold, q1: 1, q2: 4}\n",
		"quorums.q2: 4 is more than there are replicas, give from 1 to 3");
	refuses_addition("quorums: {kind: grid, rows: 2, columns: 2}\n",
		"quorums.rows: 2 times columns 2 is not the number of replicas, give two numbers whose "
		"product is 3");
	refuses_addition("quorums: {kind: explicit, phase1: [[0, 3]], phase2: [[0]]}\n",
		"quorums.phase1[0]: has an id that no replica has, give ids from 0 to 2");
	refuses_addition("quorums: {kind: explicit, phase1: [[0]], phase2: [[0], [9]]}\n",
		"quorums.phase2[1]: '9' is no member id (line 18), give ids from 0 to the number of "
		"replicas - 1");
	refuses_addition("quorums: {kind: explicit, phase1: [[0]], phase2: [[0], []]}\n",
		"quorums.phase2[1]: is an empty set, give ids such as [0, 1]");
	refuses_addition("quorums: {kind: explicit, phase1: [0], phase2: [[0]]}\n",
		"quorums.phase1[0]: is one value or nothing (near line 18), give a list of member ids "
		"such as [0, 1]");
}

static void refuses_more_sets_than_there_is_room_for(void **state)
{
	(void)state;
	given_small_with("quorums:\n  kind: explicit\n  phase2: [[0]]\n  phase1:\n");
	for (int i = 0; i < QUORUM_SETS_MAX; i++)
		strcat(text, "    - [0]\n");
	then_accepted();
	strcat(text, "    - [0]\n");
	then_refused("quorums.phase1: has 65 sets, give at most 64");
}

static void refuses_quorums_that_do_not_intersect(void **state)
{
	(void)state;
	refuses_addition("quorums: {kind: threshold, q1: 1, q2: 2}\n",
		"quorums: q1 and q2 must each be between 1 and the number of members, and q1 + q2 must "
		"exceed it");
	refuses_addition("quorums: {kind: explicit, phase1: [[0, 1]], phase2: [[0], [2]]}\n",
		"quorums: some phase-1 quorum shares no member with some phase-2 quorum: let every pair "
		"share one");
}

static void quorums_of_each_kind_that_intersect_are_built(void **state)
{
	static const char *const met[] = {
		"quorums: {kind: majority}\n",
		"quorums: {kind: threshold, q1: 3, q2: 1}\n",
		"quorums: {kind: grid, rows: 1, columns: 3}\n",
		"quorums: {kind: explicit, phase1: [[0, 1], [1, 2]], phase2: [[1], [0, 2]]}\n",
	};
	/* Are replicas 0 and 1 a quorum of phase 1, and is replica 2 alone one of phase 2? */
	static const bool first[] = {true, false, false, true};
	static const bool second[] = {false, true, true, false};
	struct quorum quorum;

	(void)state;
	for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++) {
		given_small_with(met[i]);
		then_accepted();
		assert_int_equal(config.quorums.kind, i);
		assert_int_equal(config_quorum(&config, &quorum), QUORUM_OK);
		assert_int_equal(quorum_phase1(&quorum, 3), first[i]);
		assert_int_equal(quorum_phase2(&quorum, 4), second[i]);
	}
	assert_int_equal(config.quorums.phase1_count, 2);
	assert_int_equal(config.quorums.phase1[0], 3);
	assert_int_equal(config.quorums.phase1[1], 6);
	assert_int_equal(config.quorums.phase2_count, 2);
	assert_int_equal(config.quorums.phase2[0], 2);
	assert_int_equal(config.quorums.phase2[1], 5);
}

static uint64_t hash_of_small_with(const char *more)
{
	given_small_with(more);
	then_accepted();
	return config_hash(&config);
}

static uint64_t hash_of_changed(const char *from, const char *to)
{
	given(small);
	given_changed(from, to);
	then_accepted();
	return config_hash(&config);
}

static void the_hash_covers_what_replicas_must_agree_on(void **state)
{
	static const char *const more[] = {"", "mtu: 1400\n", "udp_port: 1\n",
		"state_machine: kv\n", "kv: {capacity: 1}\n", "kv: {value_max: 8}\n",
		"sessions_max: 1\n", "quorums: {kind: threshold, q1: 2, q2: 2}\n",
		"quorums: {kind: threshold, q1: 3, q2: 2}\n",
		"quorums: {kind: threshold, q1: 2, q2: 3}\n",
		"quorums: {kind: grid, rows: 1, columns: 3}\n",
		"quorums: {kind: grid, rows: 3, columns: 1}\n",
		"quorums: {kind: explicit, phase1: [[0]], phase2: [[0]]}\n",
		"quorums: {kind: explicit, phase1: [[0, 1]], phase2: [[0]]}\n",
		"quorums: {kind: explicit, phase1: [[0]], phase2: [[0, 1]]}\n",
		"quorums: {kind: explicit, phase1: [[0, 1], [0, 2]], phase2: [[0]]}\n",
		"quorums: {kind: explicit, phase1: [[0, 1]], phase2: [[0, 2], [0]]}\n"};
	enum {
		MORE = sizeof(more) / sizeof(more[0])
	};
	uint64_t hashes[MORE + 4];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < MORE; i++)
		hashes[n++] = hash_of_small_with(more[i]);
	hashes[n++] = hash_of_changed("id: 7", "id: 8");
	hashes[n++] = hash_of_changed("name: test", "name: tess");
	hashes[n++] = hash_of_changed("10.0.0.3", "10.0.0.4");

	given_small_with("shards: 2\n");
	for (int i = 0; i < 3; i++)
		given_changed("acceptors: [3]", "acceptors: [5, 6]");
	then_accepted();
	hashes[n++] = config_hash(&config);

	for (size_t b = 1; b < n; b++) {
		for (size_t a = 0; a < b; a++)
			assert_int_not_equal(hashes[a], hashes[b]);
	}
}

static void the_hash_leaves_out_what_is_a_replicas_own(void **state)
{
	uint64_t hash = hash_of_small_with("");

	(void)state;
	assert_int_equal(hash, hash_of_small_with("tunables: {window: 99, idle: busy}\n"));
	assert_int_equal(hash, hash_of_small_with("log: {mebibytes: 64}\n"));
	assert_int_equal(hash, hash_of_changed("io: 1", "io: 9"));
	assert_int_equal(hash, hash_of_changed("[ring]", "[ring]\n    queues: 2"));
	assert_int_equal(hash,
		hash_of_small_with(
			"clients: [{name: a, address: 10.0.0.9, ports: [ring], lcore: 1}]\n"));

	given(small);
	given_changed("id: 0\n    address: 10.0.0.1", "id: 1\n    address: 10.0.0.22");
	given_changed("id: 1\n    address: 10.0.0.2\n", "id: 0\n    address: 10.0.0.1\n");
	given_changed("10.0.0.22", "10.0.0.2");
	then_accepted();
	assert_int_equal(hash, config_hash(&config));
}

static void the_choices_have_the_names_of_the_file(void **state)
{
	(void)state;
	assert_string_equal(config_state_machine_text(STATE_MACHINE_KV), "kv");
	assert_string_equal(config_durability_text(DURABILITY_NONE), "none");
	assert_string_equal(config_integrity_text(INTEGRITY_CRC32C), "crc32c");
	assert_string_equal(config_quorum_kind_text(QUORUM_KIND_GRID), "grid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durability_is_sync_unless_another_mode_is_named),
		cmocka_unit_test(a_durable_mode_has_a_journal_that_can_be),
		cmocka_unit_test(refuses_ids_that_are_not_zero_to_n_minus_one_each_once),
		cmocka_unit_test(refuses_an_address_that_is_malformed_or_no_hosts),
		cmocka_unit_test(refuses_a_mac_that_is_malformed_or_no_ports),
		cmocka_unit_test(refuses_what_two_nodes_share),
		cmocka_unit_test(refuses_ports_that_cannot_be_meant),
		cmocka_unit_test(refuses_more_nodes_than_there_is_room_for),
		cmocka_unit_test(each_shard_has_an_lcore),
		cmocka_unit_test(a_log_holds_the_acceptors_window_in_a_power_of_two),
		cmocka_unit_test(tunables_of_a_file_keep_the_rules_between_them),
		cmocka_unit_test(quorum_keys_go_with_their_kind),
		cmocka_unit_test(quorum_sizes_go_with_the_number_of_replicas),
		cmocka_unit_test(refuses_more_sets_than_there_is_room_for),
		cmocka_unit_test(refuses_quorums_that_do_not_intersect),
		cmocka_unit_test(quorums_of_each_kind_that_intersect_are_built),
		cmocka_unit_test(the_hash_covers_what_replicas_must_agree_on),
		cmocka_unit_test(the_hash_leaves_out_what_is_a_replicas_own),
		cmocka_unit_test(the_choices_have_the_names_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
