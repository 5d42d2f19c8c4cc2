/*
 * eal.h - DPDK's start: arguments that follow from what a program needs, and the user's own.
 *
 * Never:   leaves files behind: nothing of ours is named in hugetlbfs, also after a kill -9.
 */
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EAL_DEVICES_MAX = 8
};

struct eal_request {
	const char *program;
	const char *prefix; /* Names the runtime folder with the telemetry socket; NULL: none. */
	uint64_t lcores[2]; /* Bit i of word i / 64: lcore i is wanted. 0 is always there. */
	uint32_t devices_count; /* Devargs of the ports. */
	const char *devices[EAL_DEVICES_MAX];
	uint32_t heap_mebibytes; /* Of the data plane's memory. */
	int more_count;          /* The user's own EAL arguments, which win over ours. */
	char **more;
};

static inline void eal_want_lcore(struct eal_request *r, uint32_t lcore)
{
	r->lcores[lcore / 64] |= 1ull << (lcore % 64);
}

/* Lcore 0 is control, on any CPU. Lcore i is pinned to CPU i if that is there, else they share
 * what is there in turn. Huge pages are used where there are some. False: a sentence. */
bool eal_start(const struct eal_request *request, char *error, size_t size);

/* Do more lcores want a CPU of their own than there are? Then they should yield when idle. */
bool eal_crowded(const struct eal_request *request);

#endif
