/*
 * replica_enroll.h - the leader stage's part that knows the members: their uuids are exchanged,
 * pinned, in durable modes journaled first, and then all stages hear that voting may begin.
 *
 * Upholds: I2, I4, I5 (identity.h).
 */
#ifndef CONSENSUS_REPLICA_ENROLL_H
#define CONSENSUS_REPLICA_ENROLL_H

#include "consensus/replica_leader.h"

void leader_on_hello(struct leader_stage *s, const struct message *m, const uint8_t *body);
void leader_ask_hello(struct leader_stage *s, uint32_t members);

/* Once every member is exchanged; alone, at the first tick. */
void leader_enroll_if_complete(struct leader_stage *s);

/* Pins of an earlier life; each life writes them again, so that one damaged write loses none. */
void leader_restore_pins(struct leader_stage *s, const struct leader_past *past);

/* Our records up to `position` are durable. */
void leader_on_pinned(struct leader_stage *s, uint64_t position);

#endif
