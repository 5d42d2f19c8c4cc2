#include "consensus/replica_learner_reads.h"

#include <string.h>

#include "consensus/replica_replies.h"

#include "consensus/check.h"

static void gather_reads(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	CHECK(m->count <= RUN_COUNT_MAX);
	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)body;

		s->commands[i] = (struct command){
			.instance = s->learner.delivered,
			.session = e->session,
			.sequence = entry_sequence(e),
			.value = (const uint8_t *)(e + 1),
			.length = entry_length(e),
		};
		body += entry_bytes(entry_length(e));
	}
}

/* Whoever leads by now: a quorum confirmed after they arrived that nobody else did then. */
static void reply_reads(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t clients_bytes = m->count * (uint32_t)sizeof(uint16_t);
	const uint16_t *clients =
		(const uint16_t *)(const void *)(body + m->payload_len - clients_bytes);

	for (uint32_t i = 0; i < m->count; i++)
		learner_reply_as(s, clients[i], s->commands[i].session, s->commands[i].sequence,
			&s->results[i]);
}

static void run_reads(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	gather_reads(s, m, body);
	s->machine.query(s->machine.state, s->commands, m->count, s->results);
	reply_reads(s, m, body);
	s->counters.reads += m->count;
}

static void answer_busy(struct learner_stage *s, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		s->results[i] = (struct result){.status = REPLY_BUSY};
}

/* All of one client, whatever is applied by now. */
static void run_stale_reads(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	gather_reads(s, m, body);
	if (learner_snapshot_replaces(&s->snapshots))
		answer_busy(s, m->count);
	else
		s->machine.query(s->machine.state, s->commands, m->count, s->results);
	learner_reply_stale(s, m->from, m->count);
	s->counters.reads += m->count;
}

static void refuse_reads(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	gather_reads(s, m, body);
	answer_busy(s, m->count);
	reply_reads(s, m, body);
}

void learner_run_waiting_reads(struct learner_stage *s)
{
	while (s->reads_count > 0) {
		const struct waiting_reads *w = &s->reads[s->reads_next];

		if (w->m.first > s->learner.delivered)
			return;
		run_reads(s, &w->m, w->body);
		s->reads_next = (s->reads_next + 1) % READS_WAITING;
		s->reads_count--;
	}
}

void learner_on_read(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	if (m->flags == FLAG_READ_STALE) {
		run_stale_reads(s, m, body);
		return;
	}
	bool replaces = learner_snapshot_replaces(&s->snapshots);

	if (m->first <= s->learner.delivered && !replaces) {
		run_reads(s, m, body);
		return;
	}
	if (s->reads_count == READS_WAITING || replaces) {
		refuse_reads(s, m, body);
		return;
	}
	struct waiting_reads *w = &s->reads[(s->reads_next + s->reads_count++) % READS_WAITING];

	w->m = *m;
	memcpy(w->body, body, m->payload_len);
}
