/*
 * given_dpdk.h - DPDK in a test: plain memory, no devices, nothing shared; and what its pools gave.
 */
#ifndef TESTS_UNIT_GIVEN_DPDK_H
#define TESTS_UNIT_GIVEN_DPDK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/frame.h"

enum {
	MBUF_ROOM = 2048,
	SKIPPED = 77,
};

/* False: the reason to skip was printed. */
static inline bool given_dpdk(const char *test)
{
	char program[32];
	char *arguments[] = {program, "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level=lib.*:warning", "-m", "64", NULL};

	snprintf(program, sizeof(program), "test_%s", test);
	if (rte_eal_init(8, arguments) >= 0)
		return true;
	printf("skipped: %s: DPDK does not start here with 64 MiB of plain memory.\n", test);
	return false;
}

/* Without a cache: rte_mempool_in_use_count counts what its users have, and only that. */
static inline struct rte_mempool *given_pool(const char *name, uint32_t mbufs)
{
	return rte_pktmbuf_pool_create(name, mbufs, 0, FRAME_PRIVATE_BYTES,
		MBUF_ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
}

#endif
