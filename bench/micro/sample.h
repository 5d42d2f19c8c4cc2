/*
 * sample.h - what the cases work on: a run of commands of 64 bytes, and the ACCEPT that carries it.
 *
 * Owns:    nothing.
 */
#ifndef BENCH_MICRO_SAMPLE_H
#define BENCH_MICRO_SAMPLE_H

#include <stdint.h>

#include "consensus/message.h"

enum {
	SAMPLE_VALUE_BYTES = 64,
	SAMPLE_COMMANDS_MAX = 16,
	SAMPLE_STEP_BYTES = ENTRY_BYTES + SAMPLE_VALUE_BYTES,
	SAMPLE_BODY_MAX = SAMPLE_COMMANDS_MAX * SAMPLE_STEP_BYTES,
	SAMPLE_MEMBERS = 3,
	SAMPLE_LEADER = 0,
	SAMPLE_UUID = 11, /* Of the leader. */
	SAMPLE_MTU = 1500,
	SAMPLE_FRAME_BODY_MAX = SAMPLE_MTU - IP_UDP_BYTES - HEADER_BYTES,
};
static_assert(SAMPLE_BODY_MAX <= SAMPLE_FRAME_BODY_MAX, "16 commands fit a frame");

/* Fills a body, aligned to 8: command i is sequence 0 of session i. Returns its bytes. */
uint32_t sample_body(uint8_t *body, uint32_t commands);

/* Sets the session and sequence of the i-th command of a body. */
static inline void sample_address(uint8_t *body, uint32_t i, uint64_t session, uint64_t sequence)
{
	struct entry *e = (struct entry *)(void *)(body + i * SAMPLE_STEP_BYTES);

	e->session = session;
	e->sequence_length = entry_pack(ENTRY_COMMAND, sequence, SAMPLE_VALUE_BYTES);
}

/* The leader's ACCEPT of the first `commands` instances, with this body. */
struct message sample_accept(const uint8_t *body, uint32_t commands);

#endif
