/* Hosts: which ports and addresses make a node that others reach, and where its ports lead. */
#include "tests/unit/given_config.h"

#include "dataplane/host.h"

static struct host host;

/* Three members, each with a port of its own host, and these for the one we ask about. */
static struct config_ports given_cluster(uint32_t ports)
{
	struct config_ports own = {.count = ports};

	given(small);
	for (uint32_t i = 0; i < 3; i++)
		given_changed("[ring]", "[\"net_af_packet0,iface=eth0\"]");
	then_accepted();
	for (uint32_t i = 0; i < ports; i++)
		snprintf(own.devargs[i], sizeof(own.devargs[i]), "net_memif%u", i);
	return own;
}

static bool when_checked(uint32_t member, const struct config_ports *ports)
{
	return host_check(&config, member, ports, error, sizeof(error));
}

static void then_checked_out(uint32_t member, const struct config_ports *ports,
	const char *sentence)
{
	assert_false(when_checked(member, ports));
	assert_string_equal(error, sentence);
}

/* ---- host_check ---- */

static void one_port_or_one_for_each_other_is_enough(void **state)
{
	struct config_ports ports = given_cluster(1);

	(void)state;
	assert_true(when_checked(0, &ports));
	assert_true(when_checked(HOST_CLIENT, &ports));
	ports = given_cluster(2);
	assert_true(when_checked(2, &ports));
	ports = given_cluster(3);
	assert_true(when_checked(HOST_CLIENT, &ports));
}

static void fewer_ports_than_others_are_refused(void **state)
{
	struct config_ports ports = given_cluster(2);

	(void)state;
	/* A load has no port to itself to spare. */
	then_checked_out(HOST_CLIENT, &ports,
		"test.yaml: 2 ports: give one port that leads to all, or one for each of the 3 "
		"other members.");
	config.replicas_count = 5;
	ports.count = 3;
	then_checked_out(1, &ports,
		"test.yaml: 3 ports: give one port that leads to all, or one for each of the 4 "
		"other members.");
}

static void rings_are_refused_on_a_host_of_its_own(void **state)
{
	(void)state;
	given(small);
	then_accepted();
	then_checked_out(0, &config.replicas[0].ports,
		"test.yaml: replicas[0].ports: `ring` is for replicas in one process: give a port "
		"of this host, such as net_af_packet0,iface=eth0, or run paxwire-bench --config.");
}

static void ipv6_is_refused(void **state)
{
	(void)state;
	given_cluster(1);
	given_changed("10.0.0.1", "\"fd00::1\"");
	given_changed("10.0.0.2", "\"fd00::2\"");
	given_changed("10.0.0.3", "\"fd00::3\"");
	then_accepted();
	then_checked_out(0, &config.replicas[0].ports,
		"test.yaml: replicas[0].address: frames go over IPv4 only so far, give IPv4 "
		"addresses.");
}

/* ---- What it asks of DPDK ---- */

static void the_request_names_every_port_and_sizes_the_memory(void **state)
{
	const struct config_ports ports = given_cluster(3);
	struct eal_request r = host_request(&config, &ports, "name");

	(void)state;
	assert_string_equal(r.prefix, "name");
	assert_int_equal(r.devices_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(r.devices[i], ports.devargs[i]);
	uint32_t before = r.heap_mebibytes;

	config.log_mebibytes += 1000;
	assert_int_equal(host_request(&config, &ports, "name").heap_mebibytes, before + 1000);
	config.sessions_max *= 64;
	assert_true(host_request(&config, &ports, "name").heap_mebibytes > before + 1000);
}

/* ---- Ports ---- */

static void more_queues_than_links_are_refused(void **state)
{
	const struct config_ports ports = given_cluster(3);

	(void)state;
	assert_false(host_open(&host, &config, 0, &ports, 6, NULL, error, sizeof(error)));
	assert_string_equal(error,
		"test.yaml: 3 ports with 6 queues each: at most 16 queues in all.");
}

static void an_interface_that_is_not_there_is_named(void **state)
{
	struct config_ports ports = given_cluster(1);

	(void)state;
	snprintf(ports.devargs[0], sizeof(ports.devargs[0]),
		"net_af_packet0,iface=no_such_if0,framesz=2048");
	assert_false(host_open(&host, &config, 0, &ports, 1, NULL, error, sizeof(error)));
	assert_string_equal(error,
		"port \"net_af_packet0,iface=no_such_if0,framesz=2048\": there is no interface "
		"no_such_if0: `ip link` lists those there are.");
	assert_int_equal(host.ports_count, 0);
}

/* lo carries 65536 bytes, and is everywhere. */
static void an_interface_that_carries_less_is_named_with_the_cure(void **state)
{
	struct config_ports ports = given_cluster(1);

	(void)state;
	snprintf(ports.devargs[0], sizeof(ports.devargs[0]), "net_af_packet0,iface=lo");
	config.mtu = 70000;
	assert_false(host_open(&host, &config, 0, &ports, 1, NULL, error, sizeof(error)));
	assert_string_equal(error,
		"port \"net_af_packet0,iface=lo\": lo carries 65536 bytes, the cluster's mtu is "
		"70000: run `ip link set lo mtu 70000`, or lower mtu in every host's file.");
}

/* ---- Where they lead ---- */

static void given_host(uint32_t member, uint32_t ports, uint16_t queues)
{
	host = (struct host){.config = &config, .member = member, .ports_count = ports};
	for (uint32_t i = 0; i < ports; i++)
		host.ports[i] = (struct port){.id = (uint16_t)(7 + i), .queues = queues};
}

static void then_links(uint16_t first, uint16_t second, uint16_t third)
{
	const uint16_t expected[] = {first, second, third};
	struct live_member members[MEMBER_MAX] = {0};

	host_members(&host, members);
	for (uint32_t i = 0; i < 3; i++)
		if (i != host.member)
			assert_int_equal(members[i].link, expected[i]);
}

static void one_port_leads_to_all_and_several_to_one_each(void **state)
{
	(void)state;
	given_cluster(1);
	given_host(1, 1, 4);
	then_links(0, 0, 0);
	given_host(1, 2, 1);
	then_links(0, 0, 1);
	given_host(0, 2, 1);
	then_links(0, 0, 1);
	given_host(2, 2, 4);
	then_links(0, 4, 0);
	given_host(HOST_CLIENT, 3, 2);
	then_links(0, 2, 4);
}

static void members_are_where_the_file_says(void **state)
{
	struct live_member members[MEMBER_MAX] = {0};

	(void)state;
	given(small);
	for (uint32_t i = 0; i < 3; i++)
		given_changed("[ring]", "[\"net_af_packet0,iface=eth0\"]");
	given_changed("10.0.0.3\n", "10.0.0.3\n    mac: \"02:00:00:00:10:03\"\n");
	then_accepted();
	given_host(0, 1, 1);
	host_members(&host, members);
	assert_int_equal(members[1].endpoint.ip, RTE_BE32(RTE_IPV4(10, 0, 0, 2)));
	assert_int_equal(members[1].endpoint.port, rte_cpu_to_be_16((uint16_t)config.udp_port));
	assert_false(members[1].known);
	assert_true(members[2].known);
	assert_int_equal(members[2].endpoint.mac.addr_bytes[4], 0x10);
}

static void each_queue_of_each_port_is_a_link(void **state)
{
	static struct network network;

	(void)state;
	given_cluster(1);
	given_host(0, 2, 3);
	host.ports[1].tx_flags = 5;
	host_links(&host, &network);
	assert_int_equal(network.links_count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(network.links[i].port, 7 + i / 3);
		assert_int_equal(network.links[i].queue, i % 3);
		assert_int_equal(network.links[i].tx_flags, i < 3 ? 0 : 5);
	}
}

static void its_own_address_has_its_port_s_mac(void **state)
{
	(void)state;
	given_cluster(1);
	given_host(0, 1, 1);
	host.ports[0].mac.addr_bytes[5] = 9;
	const struct endpoint e = host_endpoint(&host, &config.replicas[0].address, 7401);

	assert_int_equal(e.mac.addr_bytes[5], 9);
	assert_int_equal(e.ip, RTE_BE32(RTE_IPV4(10, 0, 0, 1)));
	assert_int_equal(e.port, RTE_BE16(7401));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_port_or_one_for_each_other_is_enough),
		cmocka_unit_test(fewer_ports_than_others_are_refused),
		cmocka_unit_test(rings_are_refused_on_a_host_of_its_own),
		cmocka_unit_test(ipv6_is_refused),
		cmocka_unit_test(the_request_names_every_port_and_sizes_the_memory),
		cmocka_unit_test(more_queues_than_links_are_refused),
		cmocka_unit_test(an_interface_that_is_not_there_is_named),
		cmocka_unit_test(an_interface_that_carries_less_is_named_with_the_cure),
		cmocka_unit_test(one_port_leads_to_all_and_several_to_one_each),
		cmocka_unit_test(members_are_where_the_file_says),
		cmocka_unit_test(each_queue_of_each_port_is_a_link),
		cmocka_unit_test(its_own_address_has_its_port_s_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
