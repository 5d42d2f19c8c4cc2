#include "consensus/replica_reports.h"

#include <string.h>

#include "consensus/watch.h"

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

void acceptor_report_votes(struct acceptor_stage *s, const struct message *m)
{
	struct acceptor *a = &s->acceptor;

	if (m->ballot != a->promised) {
		s->counters.refused++;
		acceptor_refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	if (m->first < a->lo) {
		s->counters.trimmed++;
		acceptor_refuse(s, m, REFUSAL_TRIMMED);
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
	watch_detail(s->outlet, TRANSITION_TOLD_REPORT, m->ballot, m->first,
		(uint32_t)(votes.watermark - m->first), m->sender);
	acceptor_send_members(s, 1u << m->sender, &votes, parts_count);
}

void acceptor_report_chosen(struct acceptor_stage *s, const struct message *m)
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
		watch_detail(s->outlet, TRANSITION_SERVED, 0, m->first,
			(uint32_t)(chosen.watermark - m->first), 0);
	} else {
		return; /* Not delivered here either: another member may know. */
	}
	acceptor_send_members(s, 1u << m->sender, &chosen, parts_count);
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

bool acceptor_resend(struct acceptor_stage *s, const struct message *m, struct range *own)
{
	struct message accept = {.type = MESSAGE_ACCEPT, .watermark = m->watermark};
	uint32_t parts_count;

	/* Only the identical run may be sent again: another ballot or cut would be a new proposal. */
	if (!run_from_log(s, m->first, &accept, &parts_count) || accept.ballot != m->ballot ||
		accept.count != m->count || !accept.checksum_known)
		return false;
	s->counters.resent++;
	accept.sender = (uint8_t)s->settings->self;
	acceptor_send_members(s, m->echo & ~(1u << s->settings->self), &accept, parts_count);
	/* Our own vote may be what is missing: it is in the log, so it is said again. */
	*own = (struct range){.first = accept.first, .count = accept.count};
	return (m->echo & 1u << s->settings->self) != 0;
}

void acceptor_recall(struct acceptor_stage *s, const struct message *m)
{
	struct message voted = {.type = MESSAGE_VOTED};
	uint32_t parts_count;

	if (!run_from_log(s, m->first, &voted, &parts_count))
		return;
	s->counters.recalled++;
	voted.sender = (uint8_t)s->settings->self;
	acceptor_send_learner(s, &voted, parts_count);
}
