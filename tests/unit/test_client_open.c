/* What the client library says to bad options, and the commands that it writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "consensus/kv_command.h"
#include "consensus/limits.h"
#include "tools/client/paxwire_client.h"

static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

static struct paxwire_options options;

static int setup(void **state)
{
	(void)state;
	paxwire_options_init(&options);
	options.replicas = addresses;
	options.replicas_count = 3;
	options.cluster_id = 1;
	return 0;
}

static void then_opens(void)
{
	char error[PAXWIRE_ERROR_MAX] = "";
	struct paxwire_client *c = paxwire_open(&options, error, sizeof(error));

	if (c == NULL)
		fail_msg("%s", error);
	paxwire_close(c);
}

/* One sentence, with these words in it. */
static void then_refused(const char *words)
{
	char error[PAXWIRE_ERROR_MAX] = "";

	assert_null(paxwire_open(&options, error, sizeof(error)));
	if (strstr(error, words) == NULL)
		fail_msg("'%s' is not in: %s", words, error);
	assert_null(strchr(error, '\n'));
}

static void a_cluster_is_given_by_its_addresses(void **state)
{
	(void)state;
	then_opens();
	options.replicas_count = 0;
	then_refused("no cluster is given");
	options.replicas_count = MEMBER_MAX + 1;
	then_refused("no cluster is given");
	options.replicas_count = 3;
	options.replicas = NULL;
	then_refused("no cluster is given");
}

static void an_address_is_a_number(void **state)
{
	static const char *const wrong[] = {"127.0.0.1", "replica.example", "127.0.0.3"};

	(void)state;
	options.replicas = wrong;
	then_refused("replica 1: 'replica.example' is no IPv4 address");
	options.replicas = addresses;
	options.address = "::1";
	then_refused("'::1' is no IPv4 address");
	options.address = "192.0.2.77";
	then_refused("192.0.2.77 can not be had");
	options.address = "127.0.0.9";
	then_opens();
}

static void limits_have_ranges(void **state)
{
	(void)state;
	options.outstanding_max = 0;
	then_refused("outstanding_max is from 1");
	options.outstanding_max = PAXWIRE_OUTSTANDING_MAX + 1;
	then_refused("outstanding_max is from 1");
	setup(NULL);
	options.batch_max = RUN_COUNT_MAX + 1;
	then_refused("batch_max from 0");
	setup(NULL);
	options.retry_us = 1;
	then_refused("retry_us from 100");
	setup(NULL);
	options.mtu = 500;
	then_refused("mtu is from 576 to 9000");
	setup(NULL);
	options.cluster_id = 0;
	then_refused("cluster_id");
}

/* The file's path; the caller removes it. */
static void given_file(char path[64], const char *address)
{
	snprintf(path, 64, "/tmp/paxwire-client-XXXXXX");
	int file = mkstemp(path);

	assert_true(file >= 0);
	dprintf(file,
		"cluster: {name: test, id: 7}\ndurability: none\nquorums: {kind: majority}\nmtu: 1400\n"
		"replicas:\n  - {id: 0, address: \"%s\", ports: [\"net_null0\"], stages: {io: 1, "
		"leader: 1, acceptors: [1], learner: 1}}\n",
		address);
	close(file);
}

/* Whether this host has a route there or not: what the file says is what is spoken of. */
static void a_cluster_is_given_by_its_file(void **state)
{
	char path[64];
	char error[PAXWIRE_ERROR_MAX] = "";

	(void)state;
	given_file(path, "192.0.2.1");
	options.config = path;
	options.replicas = NULL;
	struct paxwire_client *c = paxwire_open(&options, error, sizeof(error));

	unlink(path);
	if (c == NULL) {
		assert_non_null(strstr(error, "replica 0 at 192.0.2.1 can not be reached"));
	} else {
		/* By the file's MTU, less the headers, a record's and an entry's. */
		assert_int_equal(paxwire_command_max(c),
			(1400 - IP_UDP_BYTES - HEADER_BYTES - RECORD_BYTES - ENTRY_BYTES) / 8 * 8);
		paxwire_close(c);
	}
	then_refused(path);
}

static void a_cluster_of_ipv6_is_refused(void **state)
{
	char path[64];

	(void)state;
	given_file(path, "fd00::1");
	options.config = path;
	then_refused("replicas[0].address: this client speaks IPv4 only");
	unlink(path);
}

static void commands_are_written_as_the_machine_reads_them(void **state)
{
	uint8_t bytes[PAXWIRE_KV_HEAD_BYTES + 3];
	struct kv_command command;
	struct kv_command_cas cas;

	(void)state;
	assert_int_equal(paxwire_kv_get(bytes, 5), sizeof(command));
	memcpy(&command, bytes, sizeof(command));
	assert_int_equal(command.operation, KV_GET);
	assert_int_equal(command.key, 5);
	assert_int_equal(paxwire_kv_delete(bytes, UINT64_MAX), sizeof(command));
	memcpy(&command, bytes, sizeof(command));
	assert_int_equal(command.operation, KV_DELETE);
	assert_true(command.key == UINT64_MAX);
	assert_int_equal(paxwire_kv_put(bytes, 6, "abc", 3), sizeof(command) + 3);
	memcpy(&command, bytes, sizeof(command));
	assert_int_equal(command.operation, KV_PUT);
	assert_int_equal(command.key, 6);
	assert_memory_equal(bytes + sizeof(command), "abc", 3);
	assert_int_equal(paxwire_kv_cas(bytes, 7, 99, "xyz", 3), sizeof(cas) + 3);
	memcpy(&cas, bytes, sizeof(cas));
	assert_int_equal(cas.command.operation, KV_CAS);
	assert_int_equal(cas.command.key, 7);
	assert_int_equal(cas.expected, 99);
	assert_memory_equal(bytes + sizeof(cas), "xyz", 3);
}

static void every_status_has_a_text(void **state)
{
	(void)state;
	for (int i = PAXWIRE_OK; i <= PAXWIRE_CLOSED; i++)
		assert_string_not_equal(paxwire_status_text((enum paxwire_status)i), "no status");
	assert_string_equal(paxwire_status_text((enum paxwire_status)77), "no status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_cluster_is_given_by_its_addresses, setup),
		cmocka_unit_test_setup(an_address_is_a_number, setup),
		cmocka_unit_test_setup(limits_have_ranges, setup),
		cmocka_unit_test_setup(a_cluster_is_given_by_its_file, setup),
		cmocka_unit_test_setup(a_cluster_of_ipv6_is_refused, setup),
		cmocka_unit_test_setup(commands_are_written_as_the_machine_reads_them, setup),
		cmocka_unit_test_setup(every_status_has_a_text, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
