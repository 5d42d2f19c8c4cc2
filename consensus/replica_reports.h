/*
 * replica_reports.h - the acceptor stage's part that tells what its log holds: to candidates, to
 * members that catch up, to its own leader and learner.
 *
 * Never:   changes the acceptor or the log.
 */
#ifndef CONSENSUS_REPLICA_REPORTS_H
#define CONSENSUS_REPLICA_REPORTS_H

#include "consensus/replica_acceptor.h"

/* In replica_acceptor.c: to members, with the first parts_count of s->parts. */
void acceptor_send_members(struct acceptor_stage *s, uint32_t members, const struct message *m,
	uint32_t parts_count);
void acceptor_send_learner(struct acceptor_stage *s, const struct message *m, uint32_t parts_count);
void acceptor_refuse(struct acceptor_stage *s, const struct message *m, enum refusal why);

/* A candidate's PULL: the votes of a stride. */
void acceptor_report_votes(struct acceptor_stage *s, const struct message *m);

/* A FETCH: what is delivered here. */
void acceptor_report_chosen(struct acceptor_stage *s, const struct message *m);

/* RESEND: the identical run to the members in m->echo. True: our own vote is to be said again. */
bool acceptor_resend(struct acceptor_stage *s, const struct message *m, struct range *own);

/* RECALL: the run at m->first to the learner. */
void acceptor_recall(struct acceptor_stage *s, const struct message *m);

#endif
