#include "dataplane/replica.h"

#include <string.h>

enum {
	STASH_AHEAD = 4
};

static uint32_t local_position(const struct message *m)
{
	switch (stage_of(m)) {
	case STAGE_LEADER:
		return POSITION_LEADER;
	case STAGE_LEARNER:
		return POSITION_LEARNER;
	case STAGE_ACCEPTOR:
		break;
	}
	return POSITION_ACCEPTOR + m->shard;
}

/* The lines of it that a frame of `length` bytes is written to: not `frame_of`, which is the receiver's,
 * nor the second of the header, which nobody writes and every lcore may keep. */
static void prefetch_for_write(struct rte_mbuf *mbuf, uint32_t length)
{
	const uint8_t *bytes = frame_bytes(mbuf);

	for (uint32_t at = 0; at < length && at < FRAME_FETCH_MAX; at += RTE_CACHE_LINE_SIZE)
		__builtin_prefetch(bytes + at, 1);
}

/* As rte_pktmbuf_reset, but without what a frame of one segment never uses. */
static struct rte_mbuf *fresh(struct rte_mbuf *mbuf)
{
	mbuf->data_off = RTE_PKTMBUF_HEADROOM;
	mbuf->ol_flags = 0;
	mbuf->packet_type = 0;
	return mbuf;
}

/* For a frame of `length` bytes, as the next ones will be; NULL: the pool is empty. */
static struct rte_mbuf *stash_take(struct stash *s, uint32_t length)
{
	if (s->count == 0) {
		/* Not rte_pktmbuf_alloc_bulk: it writes to all of them before one is here. */
		if (rte_mempool_get_bulk(s->pool, (void **)s->mbufs, HANDOFF_BURST) != 0)
			return rte_pktmbuf_alloc(s->pool);
		s->count = HANDOFF_BURST;
		for (uint32_t i = 0; i < HANDOFF_BURST; i++)
			__builtin_prefetch(s->mbufs[i], 1);
		for (uint32_t i = HANDOFF_BURST - STASH_AHEAD; i < HANDOFF_BURST; i++)
			prefetch_for_write(s->mbufs[i], length);
	}
	s->count--;
	if (s->count >= STASH_AHEAD)
		prefetch_for_write(s->mbufs[s->count - STASH_AHEAD], length);
	return fresh(s->mbufs[s->count]);
}

/* An mbuf with the body at its place; NULL when the pool is empty (counted). */
static struct rte_mbuf *body_mbuf(struct crossing *c, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	/* Commands never take what acknowledgements and heartbeats need. */
	bool data = m->payload_len > CONTROL_ROOM || m->type == MESSAGE_ACCEPT ||
		m->type == MESSAGE_REPLY;
	struct rte_mbuf *mbuf = stash_take(data ? &c->data : &c->control,
		FRAME_BODY_OFFSET + (uint32_t)m->payload_len);

	if (unlikely(mbuf == NULL)) {
		c->no_mbuf++;
		return NULL;
	}
	uint8_t *at = rte_pktmbuf_mtod(mbuf, uint8_t *) + FRAME_BODY_OFFSET;

	for (uint32_t i = 0; i < parts_count; i++) {
		rte_memcpy(at, parts[i].bytes, parts[i].length);
		at += parts[i].length;
	}
	return mbuf;
}

static void put(struct crossing *c, uint32_t position, struct rte_mbuf *mbuf, uint64_t route)
{
	c->room -= c->room > 0 ? 1 : 0;
	if (unlikely(!handoff_put(&c->replica->rings[c->position][position], mbuf, route))) {
		c->ring_full++;
		rte_pktmbuf_free(mbuf);
	}
}

static void send_route(struct crossing *c, uint32_t route, struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct rte_mbuf *mbuf = body_mbuf(c, m, parts, parts_count);

	if (unlikely(mbuf == NULL))
		return;
	if (!m->checksum_known) {
		m->checksum = m->payload_len == 0
			? 0
			: message_crc(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BODY_OFFSET),
				  m->payload_len);
		m->checksum_known = true;
	}
	m->counter = ((uint64_t)c->position << 56) + ((uint64_t)route << 48) + c->counters[route]++;
	frame_seal(mbuf, m);
	put(c, POSITION_IO, mbuf, route);
}

static void stamp(const struct crossing *c, struct message *m)
{
	const struct replica_settings *s = &c->replica->settings;

	m->uuid = s->uuid;
	m->life = s->life;
	m->cluster = c->replica->cluster;
}

/* To a stage of our own. The frame in hand goes itself if its body is what is sent. */
static void send_own(struct crossing *c, uint32_t position, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct rte_mbuf *mbuf;

	if (parts_count == 1 && c->in != NULL && !c->in_taken &&
		parts[0].bytes == frame_of(c->in)->body) {
		mbuf = c->in;
		c->in_taken = true;
	} else {
		mbuf = body_mbuf(c, m, parts, parts_count);
		if (unlikely(mbuf == NULL))
			return;
		frame_of(mbuf)->body = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BODY_OFFSET);
	}
	frame_of(mbuf)->m = *m;
	stamp(c, &frame_of(mbuf)->m);
	put(c, position, mbuf, 0);
}

static void send_local(struct crossing *c, const struct message *m, const struct part *parts,
	uint32_t parts_count)
{
	bool to_acceptors = goes_to_acceptors(m);

	for (uint32_t s = 0; to_acceptors && s < c->replica->settings.shards; s++)
		send_own(c, POSITION_ACCEPTOR + s, m, parts, parts_count);
	if (m->type != MESSAGE_ENROLLED)
		send_own(c, local_position(m), m, parts, parts_count);
}

void outlet_send(void *crossing, const struct target *to, const struct message *given,
	const struct part *parts, uint32_t parts_count)
{
	struct crossing *c = crossing;
	const struct replica_settings *s = &c->replica->settings;

	if (to->local) {
		send_local(c, given, parts, parts_count);
		return;
	}
	struct message m = *given;

	stamp(c, &m);
	m.sender = (uint8_t)s->self;
	if (to->client >= ENDPOINT_CLIENT_FIRST) {
		send_route(c, MEMBER_MAX + to->client - ENDPOINT_CLIENT_FIRST, &m, parts,
			parts_count);
		return;
	}
	for (uint32_t i = 0; i < s->members; i++)
		if (i != s->self && (to->members & 1u << i) != 0)
			send_route(c, i, &m, parts, parts_count);
	/* Ourselves last: this may give the frame in hand away. */
	if (!m.checksum_known && m.type == MESSAGE_ACCEPT && m.payload_len > 0)
		m.checksum = message_crc(parts[0].bytes, m.payload_len);
	if ((to->members & 1u << s->self) != 0)
		send_own(c, local_position(&m), &m, parts, parts_count);
}

uint32_t outlet_room(void *crossing)
{
	const struct crossing *c = crossing;

	return c->room > c->reserved ? c->room - c->reserved : 0;
}

uint32_t crossing_inputs(struct crossing *c)
{
	uint32_t room = HANDOFF_SIZE;

	for (uint32_t i = 0; i < c->outputs_count; i++) {
		uint32_t left = handoff_room(c->outputs[i]);

		room = left < room ? left : room;
	}
	c->room = room;
	/* One share is for what the end of the burst causes. */
	return room < 2 * STAGE_ROOM ? 0 : room / STAGE_ROOM - 1;
}
