#include "consensus/replica_records.h"

#include "consensus/watch.h"

/* What came as a piece of another's log brings that one's word for its checksum. */
static uint32_t checksum_of(enum journal_kind kind, const struct message *m, const uint8_t *body)
{
	if (m->payload_len == 0)
		return 0;
	return kind == JOURNAL_VOTE ? m->checksum : message_crc(body, m->payload_len);
}

static bool room(const struct acceptor_stage *s)
{
	return s->journal->room(s->journal->context, 0);
}

static void append(struct acceptor_stage *s, struct journal_record *r, const uint8_t *body)
{
	r->shard = (uint8_t)s->shard;
	s->gate.appended = s->journal->append(s->journal->context, r, body);
	watch_detail(s->outlet, TRANSITION_APPENDED, r->ballot, r->first,
		watch_record(r->kind, r->count), s->gate.appended);
}

void acceptor_record_run(struct acceptor_stage *s, enum journal_kind kind, const struct message *m,
	const uint8_t *body)
{
	struct journal_record r = {
		.kind = (uint8_t)kind,
		.flags = m->flags & FLAG_NOOP,
		.ballot = m->ballot,
		.first = m->first,
		.count = m->count,
		.bytes = m->payload_len,
		.checksum = checksum_of(kind, m, body),
	};

	append(s, &r, body);
}

void acceptor_record_promise(struct acceptor_stage *s)
{
	struct journal_record r = {.kind = JOURNAL_PROMISE, .ballot = s->acceptor.promised};

	if (s->recorded_promise == r.ballot)
		return;
	append(s, &r, NULL);
	s->recorded_promise = r.ballot;
	s->gate.promised = s->gate.appended;
}

/* False: not yet. */
static bool note_installed(struct acceptor_stage *s)
{
	struct journal_record r = {.kind = JOURNAL_INSTALLED, .first = s->installed};

	if (s->installed == 0)
		return true;
	if (!room(s))
		return false;
	acceptor_install(&s->acceptor, s->installed);
	watch_detail(s->outlet, TRANSITION_TRIMMED, 0, s->installed, 0, 1);
	append(s, &r, NULL);
	s->installed = 0;
	return true;
}

static bool note_commit(struct acceptor_stage *s)
{
	struct journal_record r = {
		.kind = JOURNAL_COMMIT,
		.ballot = s->heard.ballot,
		.first = s->heard.watermark,
	};

	if (r.ballot == 0 ||
		(r.ballot == s->noted.ballot && s->heard.watermark == s->noted.watermark))
		return true;
	if (!room(s))
		return false;
	append(s, &r, NULL);
	s->noted.ballot = s->heard.ballot;
	s->noted.watermark = s->heard.watermark;
	return true;
}

static void note_delivered(struct acceptor_stage *s)
{
	struct journal_record r = {.kind = JOURNAL_DELIVERED, .first = s->heard.delivered};

	if (s->noted.delivered >= s->heard.delivered || !note_installed(s) || !note_commit(s) ||
		!room(s))
		return;
	append(s, &r, NULL);
	s->noted.delivered = s->heard.delivered;
	s->noted_at = s->gate.appended;
	if (!s->gated)
		acceptor_trim_durable(s, s->heard.delivered);
}

void acceptor_note_delivered(struct acceptor_stage *s)
{
	if (s->noted_at <= s->gate.durable)
		note_delivered(s);
}

void acceptor_hear_installed(struct acceptor_stage *s, uint64_t instance)
{
	s->installed = instance;
	note_installed(s);
}

void acceptor_hear_delivered(struct acceptor_stage *s, const struct delivery *d)
{
	if (s->heard.ballot != d->ballot)
		note_delivered(s);
	s->heard = *d;
	acceptor_note_delivered(s);
}

void acceptor_trim_durable(struct acceptor_stage *s, uint64_t delivered)
{
	struct journal_record r = {.kind = JOURNAL_TRIM, .first = delivered};
	bool rises = delivered - delivered % BLOCK > s->acceptor.lo;

	if (rises && !room(s))
		return;
	acceptor_trim(&s->acceptor, delivered);
	watch_detail(s->outlet, TRANSITION_TRIMMED, 0, delivered, 0, 0);
	if (rises)
		append(s, &r, NULL);
}
