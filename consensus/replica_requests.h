/*
 * replica_requests.h - the leader stage's clients: what they ask is admitted, batched, proposed, or
 * answered at once. Inside the leader stage only; both files belong to one struct.
 *
 * Never:   proposes a command that admission has taken before, nor one that does not fit the window.
 * Upholds: F1, and with replica_leader.h that a client's command is answered, proposed or refused.
 * Proofs:  tests/unit/test_replica_leader_requests.c, test_replica_leader_lag.c.
 */
#ifndef CONSENSUS_REPLICA_REQUESTS_H
#define CONSENSUS_REPLICA_REQUESTS_H

#include "consensus/replica_leader.h"

static inline uint32_t leader_members(const struct leader_stage *s)
{
	return (1u << s->settings->members) - 1;
}

static inline uint32_t leader_others(const struct leader_stage *s)
{
	return leader_members(s) & ~(1u << s->settings->self);
}

/* Of the stage's outlet: to members (a bitmask, 0: nobody), and to our own stages. */
void leader_send(struct leader_stage *s, const struct target *to, const struct message *m,
	const void *body);
void leader_send_members(struct leader_stage *s, uint32_t members, const struct message *m,
	const void *body);
void leader_send_local(struct leader_stage *s, const struct message *m, const void *body);

/* A REQUEST of commands or reads. */
void leader_on_request(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns);

/* A run at our ballot, to everybody. `from`: whose body it is, with its checksum; NULL: unknown. */
void leader_propose(struct leader_stage *s, const uint8_t *body, uint32_t bytes, uint64_t first,
	uint32_t count, const struct message *from);
void leader_propose_noops(struct leader_stage *s, uint32_t count, uint64_t now_ns);
/* The batch in the making, if there is one. */
void leader_propose_batch(struct leader_stage *s, uint64_t now_ns);

/* Answers that speak of this copy of a command only: busy, or who leads. */
void leader_answer(struct leader_stage *s, uint16_t client, const struct entry *e,
	enum reply_status status, uint64_t result);
void leader_refuse(struct leader_stage *s, uint16_t client, const struct entry *e);
void leader_refuse_frame(struct leader_stage *s, const struct message *m, const uint8_t *body);
void leader_flush_answers(struct leader_stage *s);

/* A member said how far it is: flow control. */
void leader_peer_delivered(struct leader_stage *s, struct peer *peer, uint64_t delivered,
	uint64_t now_ns);
/* A member will soon stand at `instance`, by a snapshot: it counts as one that does (SN5). */
void leader_peer_installing(struct peer *peer, uint64_t instance, uint64_t now_ns);

/* A member whose disk lost votes counts again once it has learned what was chosen there: in an idle
 * cluster nothing would be. No-ops up to s->fill_to, as flow control admits them. */
void leader_fill_for_the_blind(struct leader_stage *s, uint64_t now_ns);

#endif
