/* What a cluster file says is loaded, and what is not one is refused with a sentence. */
#include "tests/unit/given_config.h"

static void what_a_file_leaves_out_has_its_default(void **state)
{
	(void)state;
	given(small);
	then_accepted();
	assert_int_equal(config.mtu, 1500);
	assert_int_equal(config.udp_port, 7400);
	assert_int_equal(config.state_machine, STATE_MACHINE_NULL);
	assert_int_equal(config.kv_capacity, 1048576);
	assert_int_equal(config.kv_value_max, 128);
	assert_int_equal(config.sessions_max, 16384);
	assert_int_equal(config.durability, DURABILITY_NONE);
	assert_int_equal(config.integrity, INTEGRITY_CRC32C);
	assert_int_equal(config.shards, 1);
	assert_int_equal(config.log_mebibytes, 16);
	assert_int_equal(config.quorums.kind, QUORUM_KIND_MAJORITY);
	assert_int_equal(config.replicas[0].queues, 1);
	assert_false(config.replicas[0].mac_given);
	assert_int_equal(config.clients_count, 0);

	struct tunables presets;

	tunables_preset(&presets);
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		char shown[FIELD_TEXT_MAX];
		char expected[FIELD_TEXT_MAX];

		field_show(&tunables_fields()[i], &config.tunables, shown);
		field_show(&tunables_fields()[i], &presets, expected);
		assert_string_equal(shown, expected);
		assert_string_equal(shown, tunables_fields()[i].preset);
	}
}

static void what_a_file_says_is_loaded(void **state)
{
	(void)state;
	given_small_with(
		"mtu: 9000\nudp_port: 99\nstate_machine: kv\nkv: {capacity: 5, value_max: 4000}\n"
		"sessions_max: 6\nintegrity: crc32c\n"
		"log: {mebibytes: 512}\n"
		"clients:\n"
		"  - name: load\n"
		"    address: 10.0.0.9\n"
		"    mac: 02:0A:0b:00:00:09\n"
		"    ports: [ring]\n"
		"    lcore: 5\n");
	given_changed("ports: [ring]", "mac: 02:00:00:00:00:01\n    queues: 2\n    ports: [ring]");
	then_accepted();
	assert_string_equal(config.path, "test.yaml");
	assert_string_equal(config.name, "test");
	assert_int_equal(config.cluster_id, 7);
	assert_int_equal(config.mtu, 9000);
	assert_int_equal(config.udp_port, 99);
	assert_int_equal(config.state_machine, STATE_MACHINE_KV);
	assert_int_equal(config.kv_capacity, 5);
	assert_int_equal(config.kv_value_max, 4000);
	assert_int_equal(config.sessions_max, 6);
	assert_int_equal(config.log_mebibytes, 512);
	assert_int_equal(config.replicas_count, 3);

	const struct config_replica *r = &config.replicas[0];
	const uint8_t address[4] = {10, 0, 0, 1};
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

	assert_int_equal(r->address.version, 4);
	assert_memory_equal(r->address.bytes, address, sizeof(address));
	assert_true(r->mac_given);
	assert_memory_equal(r->mac, mac, sizeof(mac));
	assert_int_equal(r->queues, 2);
	assert_int_equal(r->ports.count, 1);
	assert_string_equal(r->ports.devargs[0], CONFIG_PORT_RING);
	assert_int_equal(r->stages.io, 1);
	assert_int_equal(r->stages.leader, 2);
	assert_int_equal(r->stages.acceptors[0], 3);
	assert_int_equal(r->stages.learner, 4);
	assert_true(config_is_embedded(&config));

	const uint8_t client_mac[6] = {2, 10, 11, 0, 0, 9};

	assert_int_equal(config.clients_count, 1);
	assert_string_equal(config.clients[0].name, "load");
	assert_memory_equal(config.clients[0].mac, client_mac, sizeof(client_mac));
	assert_int_equal(config.clients[0].lcore, 5);
}

static void replicas_are_ordered_by_id_whatever_the_file_does(void **state)
{
	(void)state;
	given(small);
	given_changed("id: 0", "id: 9");
	given_changed("id: 2", "id: 0");
	given_changed("id: 9", "id: 2");
	then_accepted();
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(config.replicas[i].id, i);
	assert_int_equal(config.replicas[0].address.bytes[3], 3);
	assert_int_equal(config.replicas[2].address.bytes[3], 1);
}

static void ipv6_addresses_are_loaded(void **state)
{
	char shown[ADDRESS_TEXT_MAX];

	(void)state;
	given(small);
	given_changed("10.0.0.1", "fd00::1");
	given_changed("10.0.0.2", "fd00::2");
	given_changed("10.0.0.3", "fd00::3");
	then_accepted();
	assert_int_equal(config.replicas[1].address.version, 6);
	address_show(&config.replicas[1].address, shown);
	assert_string_equal(shown, "fd00::2");

	strcat(text, "mtu: 1279\n");
	then_refused("mtu: 1279 is too small for IPv6 addresses, give at least 1280");
}

static void refuses_an_unknown_key_and_lists_the_known_ones(void **state)
{
	(void)state;
	refuses_addition("colour: red\n",
		"colour: is an unknown key (line 18), give cluster, mtu, udp_port, "
		"state_machine, kv, sessions_max, durability, integrity, shards, log, "
		"journal, quorums, "
		"replicas, clients or tunables");
	refuses_change("leader: 2,", "lead: 2,",
		"replicas[0].stages.lead: is an unknown key (line 8), give io, leader, "
		"acceptors, learner or journal");
	refuses_change("  - id: 1\n", "  - id: 1\n    hue: 3\n",
		"replicas[1].hue: is an unknown key (line 10), give id, address, mac, ports, queues "
		"or stages");
}

static void refuses_a_key_that_stands_twice(void **state)
{
	(void)state;
	refuses_addition("mtu: 1500\nmtu: 1400\n",
		"mtu: stands twice (again after line 18), keep one");
}

static void refuses_a_list_where_a_value_belongs_and_the_reverse(void **state)
{
	(void)state;
	refuses_addition("mtu: [1500]\n", "mtu: is a list (near line 18), give one value");
	refuses_addition("tunables: {batch: {a: b}}\n",
		"tunables.batch: is a group of keys (near line 18), give one value");
	refuses_change("ports: [ring]", "ports: ring",
		"replicas[0].ports: is one value or nothing (near line 7), give a list such as [a, b]");
	refuses_change("cluster:\n  name: test\n  id: 7\n", "cluster: 7\n",
		"cluster: is one value or nothing (near line 1), give an indented group of keys");
	refuses_change("acceptors: [3]", "acceptors: [[3]]",
		"replicas[0].stages.acceptors[0]: is a list (near line 8), give one value");
	given("- a\n");
	then_refused("is a list (near line 0), give an indented group of keys");
}

static void refuses_what_is_not_yaml(void **state)
{
	(void)state;
	refuses_addition("mtu: \"1500\n",
		"mtu: is not YAML: found unexpected end of stream (after line 18), correct the form");
	refuses_addition("mtu: *wide\n",
		"mtu: is an alias (after line 18), write the value out instead of *name");
	refuses_addition("---\nmtu: 5\n", "has a second document after '---', keep one");
	given("");
	then_refused("says nothing, begin with one of config/profiles");
	given("# a comment\n");
	then_refused("says nothing, begin with one of config/profiles");
}

static void refuses_what_is_missing_and_says_what_to_give(void **state)
{
	(void)state;
	refuses_change("  name: test\n", "",
		"cluster.name: is missing, give the name people know it by");
	refuses_change("  id: 7\n", "",
		"cluster.id: is missing, give a number that no other cluster on this network has");
	refuses_change("  - id: 0\n    address", "  - address",
		"replicas[0].id: is missing, give its number, counted from 0");
	refuses_change("    address: 10.0.0.2\n", "",
		"replicas[1].address: is missing, give its IPv4 or IPv6 address");
	refuses_change("    ports: [ring]\n", "",
		"replicas[0].ports: is empty, give devargs such as "
		"[\"net_af_packet0,iface=eth0\"], or [ring]");
	refuses_change("ports: [ring]", "ports: []",
		"replicas[0].ports: is empty, give devargs such as "
		"[\"net_af_packet0,iface=eth0\"], or [ring]");
	refuses_change("io: 1, ", "",
		"replicas[0].stages.io: is missing, give the lcore that polls its ports");
	refuses_change(", learner: 4", "",
		"replicas[0].stages.learner: is missing, give the lcore that delivers and applies");
	refuses_change("acceptors: [3], ", "",
		"replicas[0].stages.acceptors: has 0 lcores for 1 shards, give one lcore for each shard");
	refuses_addition("clients: [{address: 10.0.0.9, ports: [ring], lcore: 1}]\n",
		"clients[0].name: is missing, give a name for it");
	given("cluster: {name: a, id: 1}\ndurability: none\nreplicas: []\n");
	then_refused("replicas: is empty, give from 1 to 9 replicas");
}

static void refuses_a_value_of_the_wrong_type(void **state)
{
	(void)state;
	refuses_addition("mtu: wide\n",
		"mtu: 'wide' is not a whole number, give a number from 576 to 9000");
	refuses_addition("mtu: 1500x\n",
		"mtu: '1500x' is not a whole number, give a number from 576 to 9000");
	refuses_addition("mtu: 1500.5\n",
		"mtu: '1500.5' is not a whole number, give a number from 576 to 9000");
	refuses_addition("mtu:\n", "mtu: '' is not a whole number, give a number from 576 to 9000");
	refuses_addition("mtu: 01500\n",
		"mtu: '01500' has a leading zero, give a number from 576 to 9000");
	refuses_addition("tunables: {packing: maybe}\n",
		"tunables.packing: 'maybe' is not a yes or no, give true or false");
	refuses_addition("tunables: {idle: lazy}\n",
		"tunables.idle: 'lazy' is unknown, give busy, yield or adaptive");
	refuses_addition("state_machine: sql\n",
		"state_machine: 'sql' is unknown, give null or kv");
	refuses_addition("integrity: md5\n", "integrity: 'md5' is unknown, give crc32c");
	refuses_addition("quorums: {kind: all}\n",
		"quorums.kind: 'all' is unknown, give majority, threshold, grid or explicit");
	refuses_change("name: test", "name: a b",
		"cluster.name: 'a b' has a space or an unprintable character, give a plain word");
	refuses_change("name: test", "name: a2345678901234567890123456789012",
		"cluster.name: 'a2345678901234567890123456789012' has 32 characters, give from 1 to 31");
}

static void refuses_a_number_out_of_range(void **state)
{
	(void)state;
	refuses_addition("mtu: 575\n",
		"mtu: '575' is out of range, give a number from 576 to 9000");
	refuses_addition("mtu: 9001\n",
		"mtu: '9001' is out of range, give a number from 576 to 9000");
	refuses_addition("udp_port: 65536\n",
		"udp_port: '65536' is out of range, give a number from 1 to 65535");
	refuses_change("id: 7", "id: 4294967296",
		"cluster.id: '4294967296' is out of range, give a number from 1 to 4294967295");
	refuses_change("id: 7", "id: 99999999999999999999999",
		"cluster.id: '99999999999999999999999' is out of range, give a number from 1 to 4294967295");
	refuses_change("io: 1", "io: -1",
		"replicas[0].stages.io: '-1' is not a whole number, give a number from 0 to 127");
	refuses_change("io: 1", "io: 128",
		"replicas[0].stages.io: '128' is out of range, give a number from 0 to 127");
	refuses_change("[3]", "[-3]",
		"replicas[0].stages.acceptors[0]: '-3' is not a whole number, give a number from 0 to 127");
	refuses_change("ports: [ring]", "ports: [ring]\n    queues: 0",
		"replicas[0].queues: '0' is out of range, give a number from 1 to 16");
	refuses_addition("tunables: {window: 4097}\n",
		"tunables.window: '4097' is out of range, give a number from 1 to 4096");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_file_leaves_out_has_its_default),
		cmocka_unit_test(what_a_file_says_is_loaded),
		cmocka_unit_test(replicas_are_ordered_by_id_whatever_the_file_does),
		cmocka_unit_test(ipv6_addresses_are_loaded),
		cmocka_unit_test(refuses_an_unknown_key_and_lists_the_known_ones),
		cmocka_unit_test(refuses_a_key_that_stands_twice),
		cmocka_unit_test(refuses_a_list_where_a_value_belongs_and_the_reverse),
		cmocka_unit_test(refuses_what_is_not_yaml),
		cmocka_unit_test(refuses_what_is_missing_and_says_what_to_give),
		cmocka_unit_test(refuses_a_value_of_the_wrong_type),
		cmocka_unit_test(refuses_a_number_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
