/*
 * trace_file.h - a recorded trace, as the checker (consensus/proof) reads it.
 *
 * Shape:   little-endian. A header, then steps in their order: until the file's end, a zeroed one,
 *          or the next header. The simulator's file holds many runs; of replicas each stage has a
 *          file, and those of a folder are one run, merged by `at`.
 * Owns:    nothing.
 */
#ifndef CONSENSUS_TRACE_FILE_H
#define CONSENSUS_TRACE_FILE_H

#include <assert.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/quorum.h"

#define TRACE_FILE_MAGIC 0x3143525450575850ull /* "PXWPTRC1" */

struct trace_file_header {
	uint64_t magic;
	uint64_t run; /* The simulator's seed. */
	uint32_t members;
	uint32_t shards;
	uint32_t block;
	uint32_t window;
	uint32_t durable;  /* 1: what leaves an acceptor waits for its journal. */
	uint32_t retained; /* LOG_INSTANCES */
	/* Bit s % 64 of word s / 64: the set of members s (a bitmask) is a quorum. */
	uint64_t phase1[MEMBER_SETS / 64];
	uint64_t phase2[MEMBER_SETS / 64];
};
static_assert(sizeof(struct trace_file_header) == 40 + 2 * MEMBER_SETS / 8, "file");

enum {
	TRACE_FILE_LEADER = 1, /* 0: no step. */
	TRACE_FILE_LEARNER,
	TRACE_FILE_ACCEPTOR, /* And one more for each shard. */
};

/* struct transition, and whose it is. */
struct trace_file_step {
	uint64_t at; /* The simulator's nanoseconds, or the CPU's time stamp counter. */
	uint64_t ballot;
	uint64_t first;
	uint64_t value;
	uint32_t count;
	uint16_t event; /* enum transition_event */
	uint8_t member;
	uint8_t stage;
};
static_assert(sizeof(struct trace_file_step) == 40, "file");

/* Steps were lost before it: what follows can not be judged. */
#define TRACE_FILE_LOST 0xffff

static inline struct trace_file_header trace_file_header_of(const struct quorum *q, uint64_t run,
	uint32_t members, uint32_t shards, uint32_t durable)
{
	struct trace_file_header h = {
		.magic = TRACE_FILE_MAGIC,
		.run = run,
		.members = members,
		.shards = shards,
		.block = BLOCK,
		.window = ACCEPTOR_WINDOW,
		.retained = LOG_INSTANCES,
		.durable = durable,
	};

	for (uint32_t set = 0; set < MEMBER_SETS && set < 1u << members; set++) {
		h.phase1[set / 64] |= (uint64_t)quorum_phase1(q, set) << set % 64;
		h.phase2[set / 64] |= (uint64_t)quorum_phase2(q, set) << set % 64;
	}
	return h;
}

#endif
