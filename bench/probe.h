/*
 * probe.h - what the ports alone do: frames and round trips without stages.
 *
 * Owns:    nothing that lasts: it runs before and after the load, on the load's own ports.
 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include <stdint.h>

#include "bench/histogram.h"
#include "dataplane/embedded.h"

struct probe {
	double frames_per_s; /* One way, bursts of 32, both directions counted. */
	uint64_t rtt_p50_ns;
	uint64_t rtt_p99_ns;
};

/* Between the client's port and replica 0's, while no stage polls them: on lcores 1 and 2 if there
 * are two, else both ends on lcore 1 in turn. `value_bytes` is a frame's body. */
void probe_run(const struct embedded *e, uint32_t lcores, uint32_t value_bytes, double seconds,
	struct probe *result);

#endif
