/*
 * identity.h - who the members are: a uuid pinned for each, once.
 *
 * Owns:    the uuids this node pinned, and which members are known to have pinned ours.
 * Upholds: I1  the first uuid heard from a member is pinned before it is echoed, and never changes.
 *          I2  nobody votes or leads in epoch 0 before all others are exchanged: a member that
 *              restarts in mode none (another uuid, promises forgotten) stays out.
 *          I4  (durable modes) a pin counts, and is echoed, only when the journal has it.
 *          I3  a member with another configuration (quorums, shards, block, ...) is not exchanged.
 * Proofs:  tests/unit/test_identity.c. (design: section 3, Identity.)
 */
#ifndef CONSENSUS_IDENTITY_H
#define CONSENSUS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/replica.h"

enum {
	HELLO_ASKS = 1
}; /* flags: answer, whatever you hold. */

struct identity {
	const struct replica_settings *settings;
	uint64_t uuids[MEMBER_MAX];    /* 0: not heard yet. */
	bool durable_pins;             /* identity_pin says when a uuid is pinned. */
	uint64_t unpinned[MEMBER_MAX]; /* Heard, and not in the journal yet. */
	uint32_t exchanged;            /* Members that named our uuid, with ourselves. */
	uint32_t foreign;      /* Members from which another uuid than the pinned one came. */
	uint32_t other_config; /* Members whose configuration is not ours. */
	uint64_t hello_ns;     /* Next one due. */
};

void identity_init(struct identity *i, const struct replica_settings *settings);

/* A HELLO. False: another uuid than the pinned one. *answer: send ours back. */
bool identity_on_hello(struct identity *i, const struct message *m, bool *answer);

/* A pin that the journal has: heard in this life or read from it. */
void identity_pin(struct identity *i, uint32_t member, uint64_t uuid);

/* This node was enrolled in an earlier life: nobody needs to be exchanged again. */
void identity_restore(struct identity *i);

/* May a frame of this member be heard? */
static inline bool identity_admits(const struct identity *i, uint32_t member, uint64_t uuid)
{
	return member < i->settings->members && uuid != 0 && i->uuids[member] == uuid;
}

bool identity_complete(const struct identity *i);

/* Bitmask of the members to ask now; 0 most of the time. */
uint32_t identity_asks(struct identity *i, uint64_t now_ns);

#endif
