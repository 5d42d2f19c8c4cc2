/*
 * limits.h - the capacities of the protocol as a model has them: as small as its rules allow.
 *
 * Included before all else (cc -include), it takes the place of consensus/limits.h: the roles that
 * a model runs are the shipped files, and only their capacities differ.
 */
#ifndef CONSENSUS_LIMITS_H
#define CONSENSUS_LIMITS_H

#include <assert.h>

/* A build of a model may set it. */
#ifndef MODEL_BLOCK
#define MODEL_BLOCK 1
#endif

enum {
	MEMBER_MAX = 9, /* As shipped: the tables of quorums are constant. */
	MEMBER_SETS = 1 << MEMBER_MAX,
	QUORUM_SETS_MAX = 64,
	SHARD_MAX = 4,

	BLOCK = MODEL_BLOCK,
	RUN_COUNT_MAX = BLOCK,
	WINDOW_INSTANCES = 2,
	ACCEPTOR_WINDOW = 2 * WINDOW_INSTANCES + 2 * (BLOCK - 1),
	LOG_INSTANCES = 2,
	VOTES_MAX = LOG_INSTANCES + ACCEPTOR_WINDOW,

	HEADER_BYTES = 86,
	MTU_MAX = 250, /* A body of two runs of two commands without a value. */
	IP_UDP_BYTES = 28,
	RECORD_BYTES = 32,
	ENTRY_BYTES = 16,
	RANGE_BYTES = 16,
	HELLO_BYTES = 16,
	BODY_MAX = MTU_MAX - IP_UDP_BYTES - HEADER_BYTES,

	SESSION_WINDOW = 4,
};

#define INSTANCE_TOP 0xffffffffffff0000ull
#define BALLOT_NODES 65536u
#define BALLOT_ROUND_JUMP 0x100000000ull
#define SEQUENCE_TOP 0x1000000000000ull

static_assert(VOTES_MAX % BLOCK == 0, "a block maps onto whole slots");
static_assert(ACCEPTOR_WINDOW >= 2 * WINDOW_INSTANCES, "twice the span in flight");

#endif
