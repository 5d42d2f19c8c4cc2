#include "consensus/replica_acceptor.h"

#include <string.h>

#include "consensus/check.h"

void acceptor_stage_init(struct acceptor_stage *s, const struct replica_settings *settings,
	uint32_t shard, struct outlet *outlet, uint8_t *log_bytes, uint64_t log_size)
{
	s->settings = settings;
	s->outlet = outlet;
	s->shard = shard;
	s->enrolled = false;
	memset(s->uuids, 0, sizeof(s->uuids));
	s->acks_ballot = 0;
	s->acks_to = 0;
	s->acks_count = 0;
	memset(&s->counters, 0, sizeof(s->counters));
	log_init(&s->log, log_bytes, log_size);
	acceptor_init(&s->acceptor, ACCEPTOR_WINDOW);
}

static void send_members(struct acceptor_stage *s, uint32_t members, const struct message *m,
	uint32_t parts_count)
{
	const struct target to = {.members = members};

	s->outlet->send(s->outlet->context, &to, m, s->parts, parts_count);
}

static void send_learner(struct acceptor_stage *s, const struct message *m, uint32_t parts_count)
{
	const struct target to = {.local = true};

	s->outlet->send(s->outlet->context, &to, m, s->parts, parts_count);
}

static void refuse(struct acceptor_stage *s, const struct message *m, enum refusal why)
{
	const struct message answer = {
		.type = MESSAGE_REFUSED,
		.flags = (uint8_t)why,
		.ballot = s->acceptor.promised,
		.first = m->first,
		.count = m->count,
		.watermark = s->acceptor.lo,
		.shard = (uint16_t)s->shard,
	};

	outlet_watch(s->outlet, TRANSITION_REFUSED, answer.ballot, m->first, m->count);
	send_members(s, 1u << m->sender, &answer, 0);
}

void acceptor_stage_flush(struct acceptor_stage *s, uint64_t now_ns)
{
	(void)now_ns;
	if (s->acks_count == 0)
		return;
	const struct message answer = {
		.type = MESSAGE_ACCEPTED,
		.ballot = s->acks_ballot,
		.count = (uint16_t)s->acks_count,
		.payload_len = (uint16_t)(s->acks_count * sizeof(struct range)),
		.watermark = s->acceptor.delivered,
		.shard = (uint16_t)s->shard,
	};

	s->parts[0] = (struct part){.bytes = s->acks, .length = answer.payload_len};
	s->acks_count = 0;
	send_members(s, 1u << s->acks_to, &answer, 1);
}

/* Ranges are votes, and nothing else is: runs that touch share one, a hole starts another. */
static void acknowledge(struct acceptor_stage *s, const struct message *m, uint64_t now_ns)
{
	if (s->acks_count > 0 &&
		(s->acks_ballot != m->ballot || s->acks_to != m->sender ||
			s->acks_count == ACCEPTOR_RANGES_MAX))
		acceptor_stage_flush(s, now_ns);
	s->acks_ballot = m->ballot;
	s->acks_to = m->sender;

	struct range *last = &s->acks[s->acks_count > 0 ? s->acks_count - 1 : 0];

	if (s->acks_count > 0 && last->first + last->count == m->first &&
		last->count + m->count <= ACCEPTOR_WINDOW) {
		last->count += m->count;
		return;
	}
	s->acks[s->acks_count++] = (struct range){.first = m->first, .count = m->count};
}

/* What the learner hears of a run that now stands in our log. */
static void tell_learner(struct acceptor_stage *s, const struct message *run, const uint8_t *body)
{
	struct message voted = *run;

	voted.type = MESSAGE_VOTED;
	voted.shard = (uint16_t)s->shard;
	voted.checksum_known = true;
	s->parts[0] = (struct part){.bytes = body, .length = run->payload_len};
	send_learner(s, &voted, run->payload_len > 0 ? 1 : 0);
}

static void on_prepare(struct acceptor_stage *s, const struct message *m)
{
	struct acceptor *a = &s->acceptor;
	enum acceptor_answer answer = acceptor_on_prepare(a, m->ballot);

	if (answer != ACCEPTOR_PROMISED) {
		s->counters.too_high += answer == ACCEPTOR_TOO_HIGH;
		s->counters.refused++;
		refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	const struct message promise = {
		.type = MESSAGE_PROMISE,
		.ballot = m->ballot,
		.first = a->lo,
		.watermark = a->high,
		.shard = (uint16_t)s->shard,
	};

	outlet_watch(s->outlet, TRANSITION_PROMISED, m->ballot, a->lo, 0);
	/* Our own election hears of it too: for one timeout it supports no other candidate. */
	send_members(s, 1u << m->sender | 1u << s->settings->self, &promise, 0);
}

/* Fills parts and records with the pieces of [from, end) that fit one body. Returns where it
 * stopped: everything below is covered. `decided`: report all as known chosen. */
static uint64_t gather(struct acceptor_stage *s, uint64_t from, uint64_t end, bool decided,
	struct message *out, uint32_t *parts_count)
{
	uint32_t bytes = 0;
	uint32_t records = 0;
	uint32_t parts = 0;
	uint64_t at = from;
	struct piece piece;

	while (at < end && acceptor_piece(&s->acceptor, at, end, &piece)) {
		struct record *r = &s->records[records];
		const uint8_t *body = NULL;
		uint32_t length = 0;

		if (decided && piece.first != at)
			break; /* A hole: nothing beyond it is known delivered here. */
		memset(r, 0, sizeof(*r));
		r->ballot = decided || piece.chosen ? 0 : piece.ballot;
		r->first = piece.first;
		r->count = piece.count;
		if (piece.position == POSITION_NOOP) {
			r->flags = FLAG_NOOP;
		} else {
			body = log_cut(log_at(&s->log, piece.position), piece.index, piece.count,
				&length);
			r->bytes = (uint16_t)length;
			r->checksum = piece.count == piece.run_count ? piece.checksum
								     : message_crc(body, length);
		}
		if (bytes + RECORD_BYTES + length > s->settings->body_max)
			break;
		bytes += RECORD_BYTES + length;
		records++;
		s->parts[parts++] = (struct part){.bytes = r, .length = RECORD_BYTES};
		if (length > 0)
			s->parts[parts++] = (struct part){.bytes = body, .length = length};
		at = piece.first + piece.count;
	}
	/* No piece further on: the rest is covered, and empty. */
	if (!decided && at < end && !acceptor_piece(&s->acceptor, at, end, &piece))
		at = end;
	else if (!decided && at < end)
		at = piece.first;
	out->count = (uint16_t)records;
	out->payload_len = (uint16_t)bytes;
	*parts_count = parts;
	return at;
}

static void on_pull(struct acceptor_stage *s, const struct message *m)
{
	struct acceptor *a = &s->acceptor;

	if (m->ballot != a->promised) {
		s->counters.refused++;
		refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	if (m->first < a->lo) {
		s->counters.trimmed++;
		refuse(s, m, REFUSAL_TRIMMED);
		return;
	}
	if (m->watermark <= m->first || m->watermark - m->first > BLOCK)
		return; /* Not one of ours: a stride is a block at most. */
	struct message votes = {
		.type = MESSAGE_VOTES,
		.ballot = m->ballot,
		.first = m->first,
		.shard = (uint16_t)s->shard,
	};
	uint32_t parts_count;

	votes.watermark = gather(s, m->first, m->watermark, false, &votes, &parts_count);
	send_members(s, 1u << m->sender, &votes, parts_count);
}

static void on_accept(struct acceptor_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	struct acceptor *a = &s->acceptor;
	bool noop = m->flags == FLAG_NOOP;
	struct run run = {
		.ballot = m->ballot,
		.first = m->first,
		.position = POSITION_NOOP,
		.checksum = m->checksum,
		.count = m->count,
	};

	if (!noop) {
		if (!log_reserve(&s->log, a, m->payload_len)) {
			s->counters.log_full++;
			refuse(s, m, REFUSAL_BEHIND);
			return;
		}
		run.position = log_next(&s->log, m->payload_len);
	}
	switch (acceptor_on_accept(a, &run)) {
	case ACCEPTOR_VOTED:
		if (!noop) {
			const struct record record = {
				.ballot = m->ballot,
				.first = m->first,
				.checksum = m->checksum,
				.count = m->count,
				.bytes = m->payload_len,
			};

			log_append(&s->log, &record, body);
		}
		s->counters.votes++;
		outlet_watch(s->outlet, TRANSITION_VOTED, m->ballot, m->first, m->count);
		acknowledge(s, m, now_ns);
		tell_learner(s, m, body);
		return;
	case ACCEPTOR_REPEATED:
		s->counters.repeats++;
		acknowledge(s, m, now_ns);
		return;
	case ACCEPTOR_TRIMMED:
		s->counters.trimmed++;
		refuse(s, m, REFUSAL_TRIMMED);
		return;
	case ACCEPTOR_BEHIND:
		s->counters.behind++;
		refuse(s, m, REFUSAL_BEHIND);
		return;
	case ACCEPTOR_CONFLICT:
		s->counters.conflicts++;
		refuse(s, m, REFUSAL_CONFLICT);
		return;
	case ACCEPTOR_TOO_HIGH:
		s->counters.too_high++;
		refuse(s, m, REFUSAL_BALLOT);
		return;
	default:
		s->counters.refused++;
		refuse(s, m, REFUSAL_BALLOT);
		return;
	}
}

static void store_chosen(struct acceptor_stage *s, const struct message *m, const struct record *r)
{
	struct acceptor *a = &s->acceptor;
	bool noop = r->flags == FLAG_NOOP;
	const uint8_t *body = (const uint8_t *)(r + 1);
	struct run run = {
		.first = r->first,
		.position = POSITION_NOOP,
		.checksum = r->checksum,
		.count = r->count,
	};

	if (!noop) {
		if (!log_reserve(&s->log, a, r->bytes)) {
			s->counters.log_full++;
			return;
		}
		run.position = log_next(&s->log, r->bytes);
	}
	enum acceptor_answer answer = acceptor_on_chosen(a, &run);

	if (answer != ACCEPTOR_STORED && answer != ACCEPTOR_KNOWN)
		return;
	if (answer == ACCEPTOR_STORED && !noop)
		log_append(&s->log, r, body);
	s->counters.chosen++;
	outlet_watch(s->outlet, TRANSITION_STORED, 0, r->first, r->count);
	const struct message run_message = {
		.first = r->first,
		.count = r->count,
		.checksum = r->checksum,
		.payload_len = r->bytes,
		.flags = (uint8_t)(FLAG_CHOSEN | (noop ? FLAG_NOOP : 0)),
		.sender = m->sender,
	};

	tell_learner(s, &run_message, body);
}

static void on_chosen(struct acceptor_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t offset = 0;
	const struct record *r;

	if (m->count == 0) {
		const struct message gone = {
			.type = MESSAGE_GONE,
			.first = m->first,
			.watermark = m->watermark,
			.sender = m->sender,
		};

		send_learner(s, &gone, 0);
		return;
	}
	while ((r = record_next(body, m->payload_len, &offset)) != NULL)
		if (shard_of(r->first, s->settings->shards) == s->shard)
			store_chosen(s, m, r);
}

static void on_fetch(struct acceptor_stage *s, const struct message *m)
{
	const struct acceptor *a = &s->acceptor;
	uint64_t end = (m->first / BLOCK + 1) * BLOCK;
	struct message chosen = {
		.type = MESSAGE_CHOSEN,
		.first = m->first,
		.shard = (uint16_t)s->shard,
	};
	uint32_t parts_count = 0;

	if (end > a->delivered)
		end = a->delivered;
	if (m->first < a->tail) {
		s->counters.gone++;
		chosen.watermark = a->tail;
	} else if (m->first < end) {
		chosen.watermark = gather(s, m->first, end, true, &chosen, &parts_count);
		if (chosen.count == 0)
			return;
		s->counters.fetched++;
	} else {
		return; /* Not delivered here either: another member may know. */
	}
	send_members(s, 1u << m->sender, &chosen, parts_count);
}

/* The whole run of ours that starts at m->first, as a message with its body in parts[0]. */
static bool run_from_log(struct acceptor_stage *s, uint64_t first, struct message *out,
	uint32_t *parts_count)
{
	struct piece piece;
	uint32_t length = 0;

	if (acceptor_vote(&s->acceptor, first) == NULL ||
		!acceptor_piece(&s->acceptor, first, (first / BLOCK + 1) * BLOCK, &piece) ||
		piece.first != first)
		return false;
	*parts_count = 0;
	out->ballot = piece.ballot;
	out->first = first;
	out->count = piece.count;
	out->flags = (uint8_t)(piece.chosen ? FLAG_CHOSEN : 0);
	out->shard = (uint16_t)s->shard;
	out->checksum = piece.checksum;
	out->checksum_known = piece.count == piece.run_count;
	if (piece.position == POSITION_NOOP) {
		out->flags |= FLAG_NOOP;
	} else {
		const uint8_t *body =
			log_cut(log_at(&s->log, piece.position), piece.index, piece.count, &length);

		s->parts[0] = (struct part){.bytes = body, .length = length};
		*parts_count = 1;
	}
	out->payload_len = (uint16_t)length;
	return true;
}

static void on_resend(struct acceptor_stage *s, const struct message *m, uint64_t now_ns)
{
	struct message accept = {.type = MESSAGE_ACCEPT, .watermark = m->watermark};
	uint32_t parts_count;

	/* Only the identical run may be sent again: another ballot or cut would be a new proposal. */
	if (!run_from_log(s, m->first, &accept, &parts_count) || accept.ballot != m->ballot ||
		accept.count != m->count || !accept.checksum_known)
		return;
	s->counters.resent++;
	accept.sender = (uint8_t)s->settings->self;
	send_members(s, m->echo & ~(1u << s->settings->self), &accept, parts_count);
	/* Our own vote may be what is missing: it is in the log, so it is said again. (Last: it may
	 * send what was acknowledged before, and needs the parts.) */
	if ((m->echo & 1u << s->settings->self) != 0)
		acknowledge(s, &accept, now_ns);
}

static void on_recall(struct acceptor_stage *s, const struct message *m)
{
	struct message voted = {.type = MESSAGE_VOTED};
	uint32_t parts_count;

	if (!run_from_log(s, m->first, &voted, &parts_count))
		return;
	s->counters.recalled++;
	voted.sender = (uint8_t)s->settings->self;
	send_learner(s, &voted, parts_count);
}

static void on_read_round(struct acceptor_stage *s, const struct message *m)
{
	if (s->acceptor.promised > m->ballot) {
		refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	const struct message confirm = {
		.type = MESSAGE_READ_CONFIRM,
		.ballot = m->ballot,
		.first = m->first,
		.shard = (uint16_t)s->shard,
	};

	send_members(s, 1u << m->sender, &confirm, 0);
}

/* `high` never goes down: it covers every vote of ours, and what we hold as chosen. */
static void on_read_probe(struct acceptor_stage *s, const struct message *m)
{
	const struct acceptor *a = &s->acceptor;
	const struct message report = {
		.type = MESSAGE_READ_REPORT,
		.ballot = m->ballot,
		.first = m->first,
		.watermark = a->high > a->lo ? a->high : a->lo,
		.shard = (uint16_t)s->shard,
	};

	send_members(s, 1u << m->sender, &report, 0);
}

/* From our own stages: always believed. */
static bool on_local(struct acceptor_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	switch (m->type) {
	case MESSAGE_ENROLLED:
		memcpy(s->uuids, body, sizeof(s->uuids));
		s->enrolled = true;
		return true;
	case MESSAGE_DELIVERED:
		acceptor_trim(&s->acceptor, m->first);
		return true;
	case MESSAGE_RESEND:
		on_resend(s, m, now_ns);
		return true;
	case MESSAGE_RECALL:
		on_recall(s, m);
		return true;
	default:
		return false;
	}
}

void acceptor_stage_on_message(struct acceptor_stage *s, const struct message *m,
	const uint8_t *body, uint64_t now_ns)
{
	if (on_local(s, m, body, now_ns))
		return;
	/* A restarted member has another uuid: it has forgotten its promises, and is not heard. */
	if (!s->enrolled || m->sender >= s->settings->members || m->uuid != s->uuids[m->sender]) {
		s->counters.foreign++;
		return;
	}
	switch (m->type) {
	case MESSAGE_ACCEPT:
		on_accept(s, m, body, now_ns);
		return;
	case MESSAGE_PREPARE:
		on_prepare(s, m);
		return;
	case MESSAGE_PULL:
		on_pull(s, m);
		return;
	case MESSAGE_FETCH:
		on_fetch(s, m);
		return;
	case MESSAGE_CHOSEN:
		on_chosen(s, m, body);
		return;
	case MESSAGE_READ_ROUND:
		on_read_round(s, m);
		return;
	case MESSAGE_READ_PROBE:
		on_read_probe(s, m);
		return;
	default:
		CHECK(false); /* The routing of our own stages sent it here. */
	}
}
