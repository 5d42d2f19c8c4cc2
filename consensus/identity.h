/*
 * identity.h - who the members are: a uuid pinned for each, once.
 *
 * Owns:    the uuids this node pinned, and which members are known to have pinned ours.
 * Upholds: I1  the first uuid heard from a member is pinned before it is echoed, and never changes.
 *          I2  nobody votes or leads in epoch 0 before all others are exchanged: a member that
 *              restarts in mode none (another uuid, promises forgotten) stays out.
 *          I4  (durable modes) a pin counts, and is echoed, only when the journal has it.
 *          I3  a member with another configuration (quorums, shards, block, ...) is not exchanged.
 *          I5  (durable modes) after a restart nobody votes or leads before all others, or those that
 *              answer within an election timeout, have compared what they heard of it with what its
 *              disk holds; one that holds less, without knowing of a loss, stays out: its disk is an
 *              old image. (Where no live member heard more, an old image is not noticed.)
 * Proofs:  tests/unit/test_identity.c. (design: section 3, Identity.)
 */
#ifndef CONSENSUS_IDENTITY_H
#define CONSENSUS_IDENTITY_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/replica.h"

/* A HELLO's flags. */
enum {
	HELLO_ASKS = 1,     /* Answer, whatever you hold. */
	HELLO_OUTDATED = 2, /* An answer: I heard more of you than your disk holds. */
};

#define IDENTITY_LOST UINT64_MAX /* In place of both: the disk has lost something, and knows it. */

/* What a member's disk held at its start; a HELLO's body. 0 in mode none. */
struct identity_disk {
	uint64_t position; /* All below is delivered, durably. */
	uint64_t promised;
};

static_assert(sizeof(struct identity_disk) == HELLO_BYTES, "wire");

struct identity {
	const struct replica_settings *settings;
	uint64_t uuids[MEMBER_MAX];    /* 0: not heard yet. */
	bool durable_pins;             /* identity_pin says when a uuid is pinned. */
	uint64_t unpinned[MEMBER_MAX]; /* Heard, and not in the journal yet. */
	uint32_t exchanged;            /* Members that named our uuid, with ourselves. */
	uint32_t foreign;      /* Members from which another uuid than the pinned one came. */
	uint32_t other_config; /* Members whose configuration is not ours. */
	uint64_t hello_ns;     /* Next one due. */

	struct identity_disk disk;             /* Ours. */
	struct identity_disk told[MEMBER_MAX]; /* The most that a member told us. */
	uint32_t unheard;                      /* Members that have not compared yet, */
	uint64_t unheard_ns; /* and until when they are waited for; 0: not begun. */
	uint32_t outdated;   /* Members that heard more of us. */
};

void identity_init(struct identity *i, const struct replica_settings *settings);

/* A HELLO. False: another uuid than the pinned one. *answer: send ours back. */
bool identity_on_hello(struct identity *i, const struct message *m, bool *answer);

/* A member told of so much on its disk. */
void identity_on_told(struct identity *i, uint32_t member, uint64_t position, uint64_t promised);

/* Has a member told of more than `body`, of its HELLO, says that its disk holds? */
bool identity_outdated(const struct identity *i, uint32_t member, const uint8_t *body);

/* A pin that the journal has: heard in this life or read from it. */
void identity_pin(struct identity *i, uint32_t member, uint64_t uuid);

/* This node was enrolled in an earlier life: nobody needs to be exchanged again, but all compare. */
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
