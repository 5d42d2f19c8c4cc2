/*
 * replica_answers.h - the acceptor stage's part that answers: at once, or when the journal is durable
 * up to there.
 *
 * Upholds: G1 (gate.h).
 */
#ifndef CONSENSUS_REPLICA_ANSWERS_H
#define CONSENSUS_REPLICA_ANSWERS_H

#include "consensus/replica_acceptor.h"

/* Of the votes of a burst; ranges are votes, and nothing else is. */
void acceptor_acknowledge(struct acceptor_stage *s, uint64_t ballot, uint32_t to, uint64_t first,
	uint32_t count);

/* The burst's end: one frame of acknowledgements, or none yet. */
void acceptor_end_acks(struct acceptor_stage *s);

/* The answer to a PREPARE that was promised. The gate has room. */
void acceptor_answer_promise(struct acceptor_stage *s, const struct message *m);

/* To a PULL or a READ_ROUND. False: it should wait, and there is no room. */
bool acceptor_answer_question(struct acceptor_stage *s, const struct message *m);

/* DURABLE: what waited leaves, as far as it may. */
void acceptor_release(struct acceptor_stage *s, const struct message *m);

#endif
