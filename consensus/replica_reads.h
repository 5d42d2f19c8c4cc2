/*
 * replica_reads.h - the leader stage's reads, at every member: they are collected, confirmed by a
 * round, and handed to the learner with their index. Inside the leader stage only; both files belong
 * to one struct.
 *
 * Never:   puts a read into the log; runs one by its own word, unless it asked for a stale one.
 * Upholds: with reads.h LR1, LR2, LR4 and LR5; a read is run, refused, or its frame lost.
 * Proofs:  tests/unit/test_replica_leader_reads.c, test_replica_any_reads.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_READS_H
#define CONSENSUS_REPLICA_READS_H

#include "consensus/replica_leader.h"

/* A REQUEST of reads. */
void leader_take_reads(struct leader_stage *s, const struct message *m, const uint8_t *body);

/* READ_CONFIRM, READ_REPORT, READ_INDEX, READ_INDEXED. */
void leader_on_read_answer(struct leader_stage *s, const struct message *m, uint64_t now_ns);

/* More is delivered here: what waited for it is handed over. */
void leader_reads_delivered(struct leader_stage *s);

/* What was not answered is asked again. */
void leader_reads_tick(struct leader_stage *s, uint64_t now_ns);

/* What waits gets a round. */
void leader_reads_flush(struct leader_stage *s, uint64_t now_ns);

/* The lead is lost: another one may have what waits by the leader's rule. */
void leader_reads_lost(struct leader_stage *s);

#endif
