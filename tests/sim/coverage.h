/*
 * coverage.h - which fault hit which state of the protocol, and how often.
 *
 * Owns:    the counts; the reasons why some cells stay empty.
 */
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdint.h>

#include "tests/sim/swarm.h"

struct node;

/* Of who is hit: the packet's receiver, the member that pauses, and so on. */
enum state {
	STATE_STARTING, /* Not all members are exchanged. */
	STATE_FOLLOWER,
	STATE_READING,    /* It asks a quorum how far it has voted. */
	STATE_LEARNING,   /* It knows more chosen than it has delivered. */
	STATE_INSTALLING, /* Only a snapshot of another helps it. */
	STATE_PREVOTING,
	STATE_PREPARING_SELF,
	STATE_PREPARING,
	STATE_CATCHING_UP, /* A candidate that waits for the prefix of its quorum. */
	STATE_PULLING,
	STATE_REPROPOSING,
	STATE_OPENING, /* Its no-op is proposed and not chosen. */
	STATE_LEADER_IDLE,
	STATE_LEADER_BUSY,    /* Runs are in flight. */
	STATE_LEADER_READING, /* A read round is under way. */
	STATE_CLIENT_OPENING, /* Some session of the client is not open. */
	STATE_CLIENT_OPEN,
	STATES,
};

struct coverage {
	uint64_t hits[FAULT_KINDS][STATES];
};

const char *coverage_title(enum state state);
enum state coverage_state(const struct node *n);

static inline void coverage_hit(struct coverage *c, enum fault fault, uint8_t state)
{
	c->hits[fault][state]++;
}

void coverage_add(struct coverage *to, const struct coverage *from);

/* Prints the table; returns how many cells are empty without a reason. */
uint32_t coverage_print(const struct coverage *c);

#endif
