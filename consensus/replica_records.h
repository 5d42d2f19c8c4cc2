/*
 * replica_records.h - the acceptor stage's part that hands records to the journal. Mode none never
 * comes here.
 *
 * Upholds: what is appended in this shard's order reads back as the same acceptor: each vote, each
 *          promise, and each rise of `lo` at its place among them.
 */
#ifndef CONSENSUS_REPLICA_RECORDS_H
#define CONSENSUS_REPLICA_RECORDS_H

#include "consensus/replica_acceptor.h"

/* The run in `m`, just voted for or stored. Its room was looked at before. */
void acceptor_record_run(struct acceptor_stage *s, enum journal_kind kind, const struct message *m,
	const uint8_t *body);

/* The acceptor's promise, unless it has its record already: votes do not stand for one. */
void acceptor_record_promise(struct acceptor_stage *s);

/* What the learner said last, if it is not noted yet and there is room; one note at a time is on its
 * way to the disk. */
void acceptor_note_delivered(struct acceptor_stage *s);

/* The learner says how far it is. What it said by another ballot is noted first. */
void acceptor_hear_delivered(struct acceptor_stage *s, const struct delivery *d);

/* The learner has installed a snapshot of all below `instance`: `lo` rises to there once the journal
 * says so, before any vote that needs it. */
void acceptor_hear_installed(struct acceptor_stage *s, uint64_t instance);

/* All below is delivered, and durably so: `lo` rises to there, and the journal says when. */
void acceptor_trim_durable(struct acceptor_stage *s, uint64_t delivered);

#endif
