/*
 * replica_learner_reads.h - the learner stage's part that runs reads: those that a round has confirmed
 * once their index is applied, stale ones at once. Inside the learner stage only.
 *
 * Upholds: LR3, LR6 (replica_learner.h).
 * Proofs:  tests/unit/test_replica_learner_reads.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_LEARNER_READS_H
#define CONSENSUS_REPLICA_LEARNER_READS_H

#include "consensus/replica_learner.h"

/* Runs, waits for its index, or is refused: busy. */
void learner_on_read(struct learner_stage *s, const struct message *m, const uint8_t *body);

/* Those that wait, as far as is applied by now. */
void learner_run_waiting_reads(struct learner_stage *s);

#endif
