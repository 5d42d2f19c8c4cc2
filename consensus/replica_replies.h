/*
 * replica_replies.h - the learner stage's replies, merged by client until the end of a burst. Inside
 * the learner stage only; both files belong to one struct.
 *
 * Never:   answers a command unless this node leads (learner_reply_as leaves that to its caller).
 * Proofs:  tests/unit/test_replica_learner_replies.c.
 */
#ifndef CONSENSUS_REPLICA_REPLIES_H
#define CONSENSUS_REPLICA_REPLIES_H

#include "consensus/replica_learner.h"

void learner_send(struct learner_stage *s, const struct target *to, const struct message *m,
	const void *body);

/* To a client, whoever leads. */
void learner_reply_as(struct learner_stage *s, uint16_t client, uint64_t session, uint64_t sequence,
	const struct result *result);

/* To a client (0: none), if this node leads: followers execute the same and keep silent. */
void learner_reply(struct learner_stage *s, uint16_t client, uint64_t session, uint64_t sequence,
	const struct result *result);

/* The replies of a whole batch of commands: they mostly have no values and go to one client. */
void learner_reply_all(struct learner_stage *s, uint32_t count);

/* The results of `count` stale reads of one client, marked with what is applied now. */
void learner_reply_stale(struct learner_stage *s, uint16_t client, uint32_t count);

void learner_flush_replies(struct learner_stage *s);

#endif
