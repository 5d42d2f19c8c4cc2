#include "consensus/proposer.h"

#include "consensus/check.h"

void proposer_init(struct proposer *p, const struct replica_settings *settings)
{
	p->settings = settings;
	p->state = PROPOSER_IDLE;
	p->ballot = 0;
	p->delivered = 0;
	p->quorum = 0;
	p->end = 0;
	p->due = false;
	p->sent_ns = 0;
	window_init(&p->window, 0);
}

static void enter(struct proposer *p, enum proposer_state state)
{
	p->state = state;
	p->due = true;
}

void proposer_start(struct proposer *p, uint64_t ballot)
{
	CHECK(ballot > p->ballot && ballot_node(ballot) == p->settings->self);
	p->ballot = ballot;
	p->quorum = 0;
	p->end = 0;
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		p->promises[i] = (struct proposer_promise){0};
	enter(p, PROPOSER_PREPARING_SELF);
}

void proposer_step_down(struct proposer *p)
{
	p->state = PROPOSER_IDLE;
	p->due = false;
	window_init(&p->window, p->window.end);
}

static bool promised(const struct proposer *p, uint32_t member)
{
	return p->promises[member].shards == (1u << p->settings->shards) - 1;
}

static uint32_t promised_members(const struct proposer *p)
{
	uint32_t members = 0;

	for (uint32_t i = 0; i < p->settings->members; i++)
		members |= promised(p, i) ? 1u << i : 0;
	return members;
}

uint64_t proposer_prefix(const struct proposer *p, uint32_t *member)
{
	uint64_t lo = 0;

	for (uint32_t i = 0; i < p->settings->members; i++) {
		if ((p->quorum & 1u << i) == 0 || p->promises[i].lo < lo)
			continue;
		lo = p->promises[i].lo;
		*member = i;
	}
	return lo;
}

/* The next stride, or the end of phase 1. */
static void pull_from(struct proposer *p, uint64_t from)
{
	uint64_t to = (from / BLOCK + 1) * BLOCK;

	if (from >= p->end) {
		enter(p, PROPOSER_LEADING);
		return;
	}
	if (to > p->end)
		to = p->end;
	recovery_begin(&p->recovery, from, to);
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		p->promises[i].covered = from;
	enter(p, PROPOSER_PULLING);
}

/* A phase-1 quorum is there. Below its largest lo a vote need not be reported: only what was
 * chosen there will do, and comes by catch-up. */
static void catch_up_or_pull(struct proposer *p)
{
	uint32_t member = 0;

	if (p->delivered < proposer_prefix(p, &member)) {
		enter(p, PROPOSER_CATCHING_UP);
		return;
	}
	for (uint32_t i = 0; i < p->settings->members; i++)
		if ((p->quorum & 1u << i) != 0 && p->promises[i].high > p->end)
			p->end = p->promises[i].high;
	/* Nothing was proposed yet at this ballot: the start may still move up. */
	window_init(&p->window, p->delivered);
	pull_from(p, p->delivered);
}

void proposer_on_promise(struct proposer *p, const struct message *m)
{
	if (m->ballot != p->ballot || m->sender >= p->settings->members ||
		m->shard >= p->settings->shards ||
		(p->state != PROPOSER_PREPARING_SELF && p->state != PROPOSER_PREPARING))
		return;
	struct proposer_promise *promise = &p->promises[m->sender];

	promise->shards |= 1u << m->shard;
	if (m->first > promise->lo)
		promise->lo = m->first;
	if (m->watermark > promise->high)
		promise->high = m->watermark;
	if (p->state == PROPOSER_PREPARING_SELF && promised(p, p->settings->self))
		enter(p, PROPOSER_PREPARING);
	if (p->state == PROPOSER_PREPARING &&
		quorum_phase1(p->settings->quorum, promised_members(p))) {
		p->quorum = promised_members(p);
		catch_up_or_pull(p);
	}
}

void proposer_on_votes(struct proposer *p, const struct message *m, const uint8_t *body)
{
	if (p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
		m->sender >= p->settings->members || (p->quorum & 1u << m->sender) == 0 ||
		m->shard != shard_of(p->recovery.from, p->settings->shards))
		return;
	struct proposer_promise *promise = &p->promises[m->sender];

	/* In no chunk means unknown: coverage grows without a hole. */
	if (m->first > promise->covered || m->watermark <= promise->covered)
		return;
	recovery_add(&p->recovery, body, m->payload_len);
	promise->covered = m->watermark < p->recovery.to ? m->watermark : p->recovery.to;
	p->due = promise->covered < p->recovery.to;
	for (uint32_t i = 0; i < p->settings->members; i++)
		if ((p->quorum & 1u << i) != 0 && p->promises[i].covered < p->recovery.to)
			return;
	enter(p, PROPOSER_REPROPOSING);
}

void proposer_on_trimmed(struct proposer *p, const struct message *m)
{
	if (p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
		m->sender >= p->settings->members || m->watermark <= p->promises[m->sender].lo)
		return;
	p->promises[m->sender].lo = m->watermark;
	/* With runs out at this ballot the start is fixed, and a hole above them would be one in the
	 * watermark: another ballot starts higher. */
	if (p->window.next == 0)
		catch_up_or_pull(p);
	else
		proposer_step_down(p);
}

void proposer_on_delivered(struct proposer *p, uint64_t delivered)
{
	uint32_t member = 0;

	if (delivered > p->delivered)
		p->delivered = delivered;
	if (p->state == PROPOSER_CATCHING_UP && p->delivered >= proposer_prefix(p, &member))
		catch_up_or_pull(p);
}

bool proposer_on_accepted(struct proposer *p, const struct message *m, const uint8_t *body)
{
	/* Votes for one stride may come while the next one is pulled. */
	if (m->ballot != p->ballot || p->state == PROPOSER_IDLE)
		return false;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct range *r = (const struct range *)(const void *)body + i;

		window_vote(&p->window, m->sender, r->first, r->count);
	}
	return window_advance(&p->window, p->settings->quorum);
}

bool proposer_asks(struct proposer *p, uint64_t now_ns)
{
	if (p->state == PROPOSER_IDLE || p->state >= PROPOSER_REPROPOSING)
		return false;
	if (!p->due && now_ns - p->sent_ns < p->settings->retransmit_ns)
		return false;
	p->due = false;
	p->sent_ns = now_ns;
	return true;
}

uint32_t proposer_unanswered(const struct proposer *p)
{
	uint32_t members = 0;

	switch (p->state) {
	case PROPOSER_PREPARING_SELF:
		return 1u << p->settings->self;
	case PROPOSER_PREPARING:
		return ((1u << p->settings->members) - 1) & ~promised_members(p);
	case PROPOSER_PULLING:
		for (uint32_t i = 0; i < p->settings->members; i++)
			if ((p->quorum & 1u << i) != 0 && p->promises[i].covered < p->recovery.to)
				members |= 1u << i;
		return members;
	default:
		return 0;
	}
}

uint32_t proposer_capacity(const struct proposer *p)
{
	/* Two blocks less: a shard hears of what is delivered a little later than we do. */
	uint64_t votable = p->delivered + ACCEPTOR_WINDOW - 2 * BLOCK;
	uint64_t span = window_span(&p->window);

	if (span >= p->settings->window || p->window.end >= votable)
		return 0;
	uint64_t room = p->settings->window - span;

	return (uint32_t)(room < votable - p->window.end ? room : votable - p->window.end);
}

uint32_t proposer_repropose(struct proposer *p, uint8_t *body, uint32_t *bytes, uint64_t *first,
	uint64_t now_ns)
{
	uint32_t limit = p->settings->body_max - RECORD_BYTES;

	if (p->state != PROPOSER_REPROPOSING)
		return 0;
	uint32_t room = proposer_capacity(p);

	if (room == 0)
		return 0;
	uint32_t count = recovery_next(&p->recovery, body, limit, room, bytes);

	if (count == 0) {
		pull_from(p, p->recovery.to);
		return 0;
	}
	*first = window_push(&p->window, count, now_ns);
	CHECK(*first + count == p->recovery.next);
	return count;
}

uint32_t proposer_room(const struct proposer *p)
{
	uint32_t room = p->state == PROPOSER_LEADING ? proposer_capacity(p) : 0;
	uint32_t block = (uint32_t)(BLOCK - p->window.end % BLOCK);

	return room < block ? room : block;
}

uint64_t proposer_take(struct proposer *p, uint32_t count, uint64_t now_ns)
{
	CHECK(count >= 1 && count <= proposer_room(p));
	return window_push(&p->window, count, now_ns);
}
