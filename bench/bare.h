/*
 * bare.h - what two hosts' ports alone do: one reflects, the other pings and floods. No stages of a
 * replica, but the same lcore loop and idle policy.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdint.h>

#include "bench/histogram.h"
#include "dataplane/network.h"
#include "dataplane/stage.h"

struct bare_ping {
	struct stage stage;
	struct network *network; /* Route 0 leads to the reflector. */
	uint32_t frame_bytes;
	uint32_t window; /* Frames out at a time: set by control, relaxed. */
	uint32_t out;
	uint64_t sent_ns;
	uint64_t frames; /* That came back. */
	uint64_t lost;   /* Given up after LOST_NS of silence. */
	struct histogram trips;
};

/* Whatever is none of ours goes back to where it came from; ARP is answered. */
uint32_t bare_reflect_poll(void *network, uint64_t now_ns);

uint32_t bare_ping_poll(void *ping, uint64_t now_ns);

#endif
