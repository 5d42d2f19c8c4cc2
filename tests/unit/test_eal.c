/* DPDK's start: what it is asked for, and what is refused before it. It starts once a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "dataplane/eal.h"
#include "dataplane/heap.h"

enum {
	LCORES_MAX = 128,
	HEAP_MIB = 16,
	HUGE_MIB = 1 << 20, /* More than any machine's huge pages. */
	SKIPPED = 77,
};

static struct eal_request request;
static char error[512];

static int setup(void **state)
{
	(void)state;
	request = (struct eal_request){.program = "test_eal", .heap_mebibytes = HEAP_MIB};
	return 0;
}

static uint32_t cpus(void)
{
	return (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static void more_lcores_than_cpus_are_a_crowd(void **state)
{
	(void)state;
	assert_false(eal_crowded(&request));
	if (cpus() >= LCORES_MAX - 1)
		return;
	for (uint32_t i = 1; i <= cpus(); i++)
		eal_want_lcore(&request, i);
	assert_false(eal_crowded(&request));
	eal_want_lcore(&request, 1); /* Again: it is one. */
	assert_false(eal_crowded(&request));
	eal_want_lcore(&request, LCORES_MAX - 1);
	assert_true(eal_crowded(&request));
}

static void a_nic_without_huge_pages_is_refused_with_the_cure(void **state)
{
	(void)state;
	request.heap_mebibytes = HUGE_MIB;
	request.devices[0] = "net_af_packet0,iface=eth0";
	request.devices[1] = "0000:01:00.0";
	request.devices_count = 2;
	assert_false(eal_start(&request, error, sizeof(error)));
	assert_string_equal(error,
		"a NIC needs 1048640 MiB of huge pages and root: run `echo 524320 > "
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`.");
}

/* ---- Below: DPDK runs ---- */

static void just_the_lcores_wanted_are_there_and_control_is_0(void **state)
{
	(void)state;
	assert_int_equal(rte_get_main_lcore(), 0);
	for (uint32_t i = 0; i < LCORES_MAX; i++)
		assert_int_equal(rte_lcore_is_enabled(i), i == 0 || i == 1 || i == 70);
}

static void a_worker_has_one_cpu_and_control_any(void **state)
{
	rte_cpuset_t set = rte_lcore_cpuset(1);

	(void)state;
	assert_int_equal(CPU_COUNT(&set), 1);
	/* CPU 1 for lcore 1, if there is one to spare. */
	assert_true(cpus() <= 2 || CPU_ISSET(1, &set));
	set = rte_lcore_cpuset(70);
	assert_int_equal(CPU_COUNT(&set), 1);
	set = rte_lcore_cpuset(0);
	assert_int_equal(CPU_COUNT(&set), cpus());
}

static void the_heap_holds_what_was_asked_for(void **state)
{
	struct rte_malloc_socket_stats stats;
	void *memory = heap_zalloc("test", HEAP_MIB * 3 / 4 << 20);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(rte_malloc_get_socket_stats(heap_socket(), &stats), 0);
	assert_true(stats.heap_totalsz_bytes >= HEAP_MIB << 20);
	rte_free(memory);
}

static void what_dpdk_refuses_is_a_sentence(void **state)
{
	(void)state;
	assert_false(eal_start(&request, error, sizeof(error)));
	assert_string_equal(error,
		"DPDK does not start with these EAL arguments: Operation already in progress.");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest before[] = {
		TEST(more_lcores_than_cpus_are_a_crowd),
		TEST(a_nic_without_huge_pages_is_refused_with_the_cure),
	};
	const struct CMUnitTest running[] = {
		TEST(just_the_lcores_wanted_are_there_and_control_is_0),
		TEST(a_worker_has_one_cpu_and_control_any),
		TEST(the_heap_holds_what_was_asked_for),
		TEST(what_dpdk_refuses_is_a_sentence),
	};
	int failed = cmocka_run_group_tests(before, NULL, NULL);

	setup(NULL);
	eal_want_lcore(&request, 1);
	eal_want_lcore(&request, 70);
	if (!eal_start(&request, error, sizeof(error))) {
		printf("skipped: eal: %s\n", error);
		/* Arguments that DPDK refuses are our fault, and no machine's. */
		return failed + (strstr(error, "Invalid argument") != NULL) > 0 ? 1 : SKIPPED;
	}
	failed += cmocka_run_group_tests(running, NULL, NULL);
	rte_eal_cleanup();
	return failed;
}
