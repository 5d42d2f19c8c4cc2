#include "consensus/replica_reads.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_requests.h"

/* ---- Taking ---- */

/* May this entry be a read at all? Else it is answered. */
static bool may_be_read(struct leader_stage *s, uint16_t client, const struct entry *e)
{
	if (entry_kind(e) != ENTRY_COMMAND) {
		s->counters.bad_commands++;
		leader_answer(s, client, e, REPLY_BAD_COMMAND, 0);
		return false;
	}
	if (entry_bytes(entry_length(e)) > s->settings->body_max - RECORD_BYTES) {
		s->counters.too_large++;
		leader_answer(s, client, e, REPLY_TOO_LARGE, 0);
		return false;
	}
	return true;
}

static void take_read(struct leader_stage *s, struct reads *r, uint16_t client,
	const struct entry *e)
{
	uint64_t index = r->rule == READ_RULE_LEADER ? s->proposer.window.chosen : 0;

	if (!may_be_read(s, client, e))
		return;
	if (!reads_add(r, e, client, index, s->settings->body_max)) {
		s->counters.busy++;
		leader_answer(s, client, e, REPLY_BUSY, 0);
		return;
	}
	s->counters.reads++;
}

/* The learner runs them as it stands: one message for all of a frame. */
static void take_stale(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	struct message read = {
		.type = MESSAGE_READ,
		.flags = FLAG_READ_STALE,
		.from = m->from,
	};
	uint32_t offset = 0;
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);
		uint32_t step = entry_bytes(entry_length(e));

		offset += step;
		if (!may_be_read(s, m->from, e))
			continue;
		memcpy(s->scratch + bytes, e, step);
		bytes += step;
		read.count++;
	}
	read.payload_len = (uint16_t)bytes;
	s->counters.reads += read.count;
	if (read.count > 0)
		leader_send_local(s, &read, s->scratch);
}

void leader_take_reads(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	/* Who leads has the cheaper rule: its index is mostly applied already. */
	struct reads *r = s->leads ? &s->reads : &s->any_reads;
	uint32_t offset = 0;

	if (!s->enrolled || (m->flags == FLAG_READ && !s->leads)) {
		leader_refuse_frame(s, m, body);
		return;
	}
	if (m->flags == FLAG_READ_STALE) {
		take_stale(s, m, body);
		return;
	}
	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);

		take_read(s, r, m->from, e);
		offset += entry_bytes(entry_length(e));
	}
}

/* ---- The round ---- */

/* To every shard that has not confirmed it, our own too. */
static void ask_round(struct leader_stage *s, struct reads *r, uint64_t now_ns)
{
	struct message m = {
		.type = r->rule == READ_RULE_LEADER ? MESSAGE_READ_ROUND : MESSAGE_READ_PROBE,
		.ballot = r->ballot,
		.first = r->nonce,
	};

	r->sent_ns = now_ns;
	for (uint32_t shard = 0; shard < s->settings->shards; shard++) {
		m.shard = (uint16_t)shard;
		leader_send_members(s, reads_unconfirmed(r, leader_members(s), shard), &m, NULL);
	}
}

static void begin_round(struct leader_stage *s, struct reads *r, uint64_t now_ns)
{
	/* No answer to an earlier life's round is taken for one to this. */
	const uint64_t own = s->settings->seed + s->settings->life;

	reads_begin(r, r->rule == READ_RULE_LEADER ? s->proposer.ballot : own, now_ns);
	s->counters.read_rounds++;
	ask_round(s, r, now_ns);
}

void leader_reads_flush(struct leader_stage *s, uint64_t now_ns)
{
	if (__builtin_expect(reads_ready(&s->reads), 0))
		begin_round(s, &s->reads, now_ns);
	if (__builtin_expect(reads_ready(&s->any_reads), 0))
		begin_round(s, &s->any_reads, now_ns);
}

/* `count` reads of a confirmed batch, from number `from` on. */
static void hand_over_piece(struct leader_stage *s, const struct read_batch *b, uint32_t from,
	uint32_t count, uint32_t at, uint32_t bytes)
{
	const struct target to = {.local = true};
	const struct part parts[] = {
		{.bytes = b->body + at, .length = bytes},
		{.bytes = b->clients + from, .length = count * (uint32_t)sizeof(b->clients[0])},
	};
	const struct message read = {
		.type = MESSAGE_READ,
		.first = b->index,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)(parts[0].length + parts[1].length),
	};

	s->outlet->send(s->outlet->context, &to, &read, parts, 2);
}

static void answer_askers(struct leader_stage *s, const struct read_batch *b)
{
	for (uint32_t i = 0; i < s->settings->members; i++) {
		const struct message m = {
			.type = MESSAGE_READ_INDEXED,
			.ballot = b->askers[i].ballot,
			.first = b->askers[i].nonce,
			.watermark = b->index,
		};

		leader_send_members(s, b->asking & 1u << i, &m, NULL);
	}
}

static void hand_over(struct leader_stage *s, struct reads *r)
{
	const struct read_batch *b = reads_round(r);
	uint32_t from = 0;
	uint32_t at = 0;

	while (from < b->count) {
		uint32_t bytes;
		uint32_t count = reads_piece(b, from, at, s->settings->body_max, &bytes);

		CHECK(count > 0);
		hand_over_piece(s, b, from, count, at, bytes);
		from += count;
		at += bytes;
	}
	answer_askers(s, b);
	reads_end(r);
}

void leader_reads_delivered(struct leader_stage *s)
{
	struct reads *r = &s->any_reads;

	if (__builtin_expect(r->reported, 0) && s->delivered >= reads_round(r)->index)
		hand_over(s, r);
}

void leader_on_read_answer(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	switch (m->type) {
	case MESSAGE_READ_CONFIRM:
		if (reads_on_confirm(&s->reads, s->settings, m))
			hand_over(s, &s->reads);
		return;
	case MESSAGE_READ_REPORT:
		if (reads_on_confirm(&s->any_reads, s->settings, m))
			s->any_reads.sent_ns = now_ns;
		break;
	case MESSAGE_READ_INDEX:
		if (s->leads)
			reads_add_asker(&s->reads, m, s->proposer.window.chosen);
		return;
	case MESSAGE_READ_INDEXED:
		reads_on_indexed(&s->any_reads, m);
		break;
	default:
		return;
	}
	leader_reads_delivered(s);
}

/* ---- What is not answered ---- */

static void refuse_batch(struct leader_stage *s, const struct read_batch *b)
{
	uint32_t offset = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(b->body + offset);

		leader_refuse(s, b->clients[i], e);
		offset += entry_bytes(entry_length(e));
	}
}

/* A read of a lost leadership has changed nothing. */
void leader_reads_lost(struct leader_stage *s)
{
	refuse_batch(s, &s->reads.batches[0]);
	refuse_batch(s, &s->reads.batches[1]);
	reads_clear(&s->reads);
}

/* Something was voted for and is not applied here in time: perhaps it is never chosen. */
static void ask_leader(struct leader_stage *s, uint64_t now_ns)
{
	const struct message m = {
		.type = MESSAGE_READ_INDEX,
		.ballot = s->any_reads.ballot,
		.first = s->any_reads.nonce,
	};

	s->any_reads.sent_ns = now_ns;
	if (s->election.leader == ELECTION_NOBODY)
		return;
	s->counters.read_indices++;
	leader_send_members(s, 1u << s->election.leader, &m, NULL);
}

static void tick_any(struct leader_stage *s, uint64_t now_ns)
{
	struct reads *r = &s->any_reads;

	/* Nobody can tell us: the client may find a member that hears the others. */
	if (now_ns >= r->begun_ns + s->settings->election_timeout_ns) {
		refuse_batch(s, reads_round(r));
		reads_end(r);
	} else if (now_ns >= r->sent_ns + s->settings->retransmit_ns) {
		if (r->reported)
			ask_leader(s, now_ns);
		else
			ask_round(s, r, now_ns);
	}
}

void leader_reads_tick(struct leader_stage *s, uint64_t now_ns)
{
	if (s->reads.under_way && now_ns >= s->reads.sent_ns + s->settings->retransmit_ns)
		ask_round(s, &s->reads, now_ns);
	if (s->any_reads.under_way)
		tick_any(s, now_ns);
}
