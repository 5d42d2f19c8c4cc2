/*
 * stage.h - what an lcore runs: a poll function over its own state, and its accounting.
 *
 * Owns:    nothing; each stage names its owner, the lcore that polls it.
 */
#ifndef DATAPLANE_STAGE_H
#define DATAPLANE_STAGE_H

#include <stdbool.h>
#include <stdint.h>

struct stage {
	const char *name;
	/* Returns the work done: frames taken. 0: idle. */
	uint32_t (*poll)(void *self, uint64_t now_ns);
	void *self;
	bool stopped; /* Set by control: the stage is not polled any more. Relaxed. */
	/* Written by the owning lcore, read by others for telemetry: relaxed. */
	uint64_t busy_cycles; /* Of turns that did work. */
	uint64_t idle_cycles;
	uint64_t busy_turns;
	uint64_t idle_turns;
	uint64_t work;
};

#endif
