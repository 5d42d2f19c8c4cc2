/*
 * limits.h - every capacity of the protocol, once; what follows from another is derived.
 *
 * Owns:    nothing.
 * Never:   varies at run time: what may vary is in config/, below these.
 * Upholds: the static_asserts below.
 */
#ifndef CONSENSUS_LIMITS_H
#define CONSENSUS_LIMITS_H

#include <assert.h>

/* The simulator's are short, so that logs wrap and members fall behind them in an ordinary run
 * (tests/sim/meson.build). */
#ifndef LIMITS_WINDOW
#define LIMITS_WINDOW 4096
#endif
#ifndef LIMITS_LOG
#define LIMITS_LOG 8192
#endif

enum {
	MEMBER_MAX = 9,
	MEMBER_SETS = 1 << MEMBER_MAX, /* Sets of members, as bitmasks. */
	QUORUM_SETS_MAX = 64,          /* Explicit quorums of one phase in a configuration. */
	SHARD_MAX = 4,

	/* Instances. A run never straddles a block; a shard owns whole blocks. */
	BLOCK = 256,
	RUN_COUNT_MAX = BLOCK,
	WINDOW_INSTANCES = LIMITS_WINDOW,            /* The leader's span in flight, at most. */
	ACCEPTOR_WINDOW = 2 * WINDOW_INSTANCES,      /* What an acceptor votes in, from `lo` on. */
	LOG_INSTANCES = LIMITS_LOG,                  /* Delivered instances that the log retains. */
	VOTES_MAX = LOG_INSTANCES + ACCEPTOR_WINDOW, /* Slots of the index: instance % VOTES_MAX. */

	/* Bytes on the wire, Ethernet to UDP: 14 + 20 + 8 (IPv4). */
	HEADER_BYTES = 86,
	MTU_MAX = 9000,
	IP_UDP_BYTES = 28,
	RECORD_BYTES =
		32, /* The header of a record in a log, a votes chunk or a catch-up answer. */
	ENTRY_BYTES = 16,
	RANGE_BYTES = 16,
	HELLO_BYTES = 16,
	BODY_MAX = MTU_MAX - IP_UDP_BYTES - HEADER_BYTES,

	SESSION_WINDOW = 4, /* Commands of one session that may be outstanding. */
};

/* Instances, ballots and sequences stay below these; nothing wraps. */
#define INSTANCE_TOP 0xffffffffffff0000ull
#define BALLOT_NODES 65536u              /* Ballot: round * BALLOT_NODES + node. */
#define BALLOT_ROUND_JUMP 0x100000000ull /* A round further above our promise is refused. */
#define SEQUENCE_TOP 0x1000000000000ull  /* 48 bits. */

static_assert(VOTES_MAX % BLOCK == 0, "a block maps onto whole slots");
static_assert(ACCEPTOR_WINDOW >= 2 * WINDOW_INSTANCES, "twice the span in flight");

#endif
