/*
 * gate.h - what an acceptor may not say before its journal is durable up to there.
 *
 * Owns:    the answers that wait, in the order in which they were made.
 * Never:   sends: the acceptor's stage takes what is due.
 * Upholds: G1  nothing is taken before all that was appended when it was made is durable.
 * Proofs:  tests/unit/test_gate.c, tests/unit/test_replica_acceptor_journal.c; tests/sim.
 */
#ifndef CONSENSUS_GATE_H
#define CONSENSUS_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"

enum {
	GATE_MAX = WINDOW_INSTANCES /* As many runs as a leader has in flight at most. */
};

enum gate_kind {
	GATE_VOTE,    /* [first, first + count) at ballot, to member */
	GATE_PROMISE, /* ballot, to member */
	GATE_PULL,    /* A pull by member, to be answered then: [first, end) at ballot. */
	GATE_READ,    /* A read round of member: ballot, nonce in first. */
};

struct gated {
	uint64_t position; /* Appended when it was made. */
	uint64_t ballot;
	uint64_t first;
	uint64_t end;
	uint16_t count;
	uint8_t kind; /* enum gate_kind */
	uint8_t member;
};

struct gate {
	uint64_t appended; /* Position of the last record appended, */
	uint64_t durable;  /* and of the last durable one. */
	uint64_t promised; /* Position of the last promise's record. */
	uint32_t first, count;
	struct gated waiting[GATE_MAX];
};

void gate_init(struct gate *g);

/* Is there room for `more`? */
static inline bool gate_room(const struct gate *g, uint32_t more)
{
	return g->count + more <= GATE_MAX;
}

/* Room: yes. Its position is set here: the last appended one. */
void gate_add(struct gate *g, const struct gated *what);

/* All up to here is durable. */
void gate_open(struct gate *g, uint64_t durable);

/* The next that is due, or NULL. It stays until the next gate_add. */
const struct gated *gate_take(struct gate *g);

#endif
