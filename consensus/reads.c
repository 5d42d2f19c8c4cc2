#include "consensus/reads.h"

#include <string.h>

#include "consensus/check.h"

static void empty(struct read_batch *b)
{
	b->count = 0;
	b->bytes = 0;
	b->index = 0;
	b->asking = 0;
}

void reads_init(struct reads *r, enum read_rule rule)
{
	r->rule = rule;
	r->collecting = 0;
	r->ballot = 0;
	r->nonce = 0;
	r->begun_ns = 0;
	r->sent_ns = 0;
	reads_clear(r);
}

bool reads_add(struct reads *r, const struct entry *e, uint16_t client, uint64_t index,
	uint32_t body_max)
{
	struct read_batch *b = &r->batches[r->collecting];
	uint32_t bytes = entry_bytes(entry_length(e));
	uint32_t clients_bytes = (b->count + 1) * (uint32_t)sizeof(b->clients[0]);

	if (b->count == RUN_COUNT_MAX || b->bytes + bytes > sizeof(b->body) ||
		b->bytes + bytes + clients_bytes > READ_FRAMES * body_max)
		return false;

	/* Nothing below can fail. */
	memcpy(b->body + b->bytes, e, bytes);
	b->clients[b->count] = client;
	b->count++;
	b->bytes += bytes;
	b->index = index;
	return true;
}

void reads_add_asker(struct reads *r, const struct message *m, uint64_t index)
{
	struct read_batch *b = &r->batches[r->collecting];

	b->asking |= 1u << m->sender;
	b->askers[m->sender] = (struct read_asker){.ballot = m->ballot, .nonce = m->first};
	b->index = index;
}

void reads_begin(struct reads *r, uint64_t ballot, uint64_t now_ns)
{
	CHECK(reads_ready(r));
	r->under_way = true;
	r->reported = false;
	r->collecting = 1 - r->collecting;
	r->ballot = ballot;
	r->nonce++;
	r->begun_ns = now_ns;
	r->sent_ns = now_ns;
	memset(r->confirmed, 0, sizeof(r->confirmed));
}

uint32_t reads_unconfirmed(const struct reads *r, uint32_t members, uint32_t shard)
{
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		if ((r->confirmed[i] & 1u << shard) != 0)
			members &= ~(1u << i);
	return members;
}

/* Of this very round: what an acceptor said before it began speaks for no read of it. */
static bool answers_round(const struct reads *r, const struct message *m)
{
	return r->under_way && m->ballot == r->ballot && m->first == r->nonce;
}

bool reads_on_confirm(struct reads *r, const struct replica_settings *settings,
	const struct message *m)
{
	uint32_t all_shards = (1u << settings->shards) - 1;
	struct read_batch *b = reads_round(r);
	uint32_t members = 0;

	if (!answers_round(r, m) || r->reported || m->sender >= settings->members ||
		m->shard >= settings->shards)
		return false;
	r->confirmed[m->sender] |= 1u << m->shard;
	for (uint32_t i = 0; i < settings->members; i++)
		if (r->confirmed[i] == all_shards)
			members |= 1u << i;
	if (r->rule == READ_RULE_LEADER)
		return quorum_phase2(settings->quorum, members);
	/* Who reported more than it had to only makes us wait. */
	b->index = m->watermark > b->index ? m->watermark : b->index;
	r->reported = quorum_phase1(settings->quorum, members);
	return r->reported;
}

void reads_on_indexed(struct reads *r, const struct message *m)
{
	struct read_batch *b = reads_round(r);

	if (answers_round(r, m) && m->watermark < b->index)
		b->index = m->watermark;
}

uint32_t reads_piece(const struct read_batch *b, uint32_t from, uint32_t at, uint32_t body_max,
	uint32_t *bytes)
{
	uint32_t count = 0;

	for (*bytes = 0; from + count < b->count; count++) {
		const struct entry *e = (const struct entry *)(const void *)(b->body + at + *bytes);
		uint32_t step = entry_bytes(entry_length(e));

		if (*bytes + step + (count + 1) * sizeof(b->clients[0]) > body_max)
			break;
		*bytes += step;
	}
	return count;
}

void reads_end(struct reads *r)
{
	r->under_way = false;
	r->reported = false;
	empty(&r->batches[1 - r->collecting]);
}

void reads_clear(struct reads *r)
{
	r->under_way = false;
	r->reported = false;
	empty(&r->batches[0]);
	empty(&r->batches[1]);
}
