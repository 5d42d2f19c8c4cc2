/*
 * live.h - what may change while a replica runs: its tunables, where the members are, and to whom the
 * lead is to go.
 *
 * Owns:    one immutable value at a time, published with RCU (liburcu's QSBR flavour). Control
 *          makes and frees the values; an lcore is a reader, quiescent between two of its turns.
 * Never:   changes in place. A stage takes the value anew at the begin of each turn and may keep
 *          the pointer until the next one only.
 * Proofs:  tests/unit/test_live.c, also under TSan.
 */
#ifndef DATAPLANE_LIVE_H
#define DATAPLANE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <urcu/urcu-qsbr.h>

#include "config/config.h"
#include "consensus/replica.h"
#include "dataplane/frame.h"

struct live_member {
	struct endpoint endpoint;
	uint16_t link;
	bool known; /* The MAC address is given; else ARP finds it. */
};

struct live {
	uint64_t generation; /* Counts up: two values may stand at one address in turn. */
	struct replica_settings
		settings; /* The tunables in the stages' units, and what is fixed. */
	struct tunables tunables;
	struct live_member members[MEMBER_MAX];
	uint64_t transfers;   /* Asked for so far; the last one, */
	uint32_t transfer_to; /* to this member. */
};

/* Sets everything in settings that follows from the tunables. */
void live_tune(struct live *l, const struct tunables *t);

/* Replaces *slot by a copy of `next`, and frees the old value after a grace period. Control only.
 * False: no memory; the old value stays. */
bool live_publish(struct live **slot, const struct live *next);

/* A reader's value until its next quiescent state. */
static inline const struct live *live_read(struct live *const *slot)
{
	/* rcu_dereference, inline: pairs with live_publish's store. */
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

#endif
