/* The io stage's turn: frames from the ports to the stages, frames from the stages to the ports. */
#include "dataplane/turn.h"

enum {
	IO_BURSTS = 4 /* Of one stage's frames, in one turn. */
};

/* The routes to the members, when control has published other ones. */
static void take_routes(struct replica *r)
{
	const struct live *live = live_read(&r->live);

	if (likely(live->generation == r->io.seen))
		return;
	r->io.seen = live->generation;
	for (uint32_t i = 0; i < r->settings.members; i++) {
		const struct live_member *m = &live->members[i];
		const struct route *now = &r->io.network.routes[i];

		if (i == r->settings.self ||
			(now->used && now->to.ip == m->endpoint.ip &&
				now->to.port == m->endpoint.port && now->link == m->link &&
				!m->known))
			continue; /* What ARP has told of an address holds. */
		network_route(&r->io.network, i, &m->endpoint, m->link, m->known);
	}
}

/* What a member sent between two frames that came, and did not come. */
static void count_lost(struct replica *r, const struct message *m)
{
	uint64_t position = m->counter >> 56;
	uint64_t count = m->counter % (1ull << 48);

	if (position >= POSITIONS_MAX)
		return;
	uint64_t *expected = &r->io.expected[m->sender][position];

	if (count < *expected) {
		r->io.late++;
		return;
	}
	r->io.lost += *expected == 0 ? 0 : count - *expected;
	*expected = count + 1;
}

/* Why a valid frame is not for our stages, or DROP_NONE. Sets where it came from. */
static uint32_t admit(struct replica *r, struct rte_mbuf *mbuf, uint16_t link, uint64_t now_ns)
{
	struct message *m = &frame_of(mbuf)->m;

	if (m->cluster != r->cluster || m->epoch != 0)
		return DROP_CLUSTER;
	if (m->shard >= r->settings.shards || m->type == MESSAGE_REPLY)
		return DROP_MALFORMED;
	if (m->sender == MESSAGE_SENDER_CLIENT) {
		uint32_t route = network_client(&r->io.network, mbuf, link, now_ns);

		m->from = (uint16_t)(ENDPOINT_CLIENT_FIRST + route - MEMBER_MAX);
		return route == NETWORK_NO_CLIENT ? DROP_SENDER : DROP_NONE;
	}
	if (m->sender >= r->settings.members || m->sender == r->settings.self)
		return DROP_SENDER;
	count_lost(r, m);
	return DROP_NONE;
}

/* A valid frame to its stage, or counted. */
static void dispatch(struct replica *r, struct rte_mbuf *mbuf, uint16_t link, uint64_t now_ns)
{
	const struct message *m = &frame_of(mbuf)->m;
	uint32_t reason = admit(r, mbuf, link, now_ns);
	struct handoff *to = &r->rings[POSITION_IO][POSITION_LEADER];

	if (unlikely(reason != DROP_NONE)) {
		r->io.foreign[reason]++;
		rte_pktmbuf_free(mbuf);
		return;
	}
	if (stage_of(m) == STAGE_ACCEPTOR)
		to = &r->rings[POSITION_IO][POSITION_ACCEPTOR + m->shard];
	else if (m->type == MESSAGE_REQUEST)
		to = &r->requests;
	if (!handoff_put(to, mbuf, 0)) {
		r->io.overload++;
		rte_pktmbuf_free(mbuf);
	}
}

static uint32_t receive(struct replica *r, uint16_t link, uint64_t now_ns)
{
	struct rte_mbuf *frames[HANDOFF_BURST];
	uint32_t taken;
	uint32_t valid = network_receive(&r->io.network, link, frames, &taken);

	for (uint32_t i = 0; i < valid; i++)
		dispatch(r, frames[i], link, now_ns);
	return taken;
}

/* A proposal leaves once for each member: one burst of input may become several of output. */
static uint32_t send_from(struct replica *r, struct handoff *h)
{
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t count = HANDOFF_BURST;
	uint32_t all = 0;

	for (uint32_t burst = 0; burst < IO_BURSTS && count == HANDOFF_BURST; burst++) {
		count = handoff_take_burst(h, elements, HANDOFF_BURST);
		for (uint32_t i = 0; i < count; i++)
			network_send(&r->io.network, (uint32_t)elements[i].route, elements[i].mbuf);
		all += count;
	}
	return all;
}

/* Input is taken only while every stage can keep what it brings: half a ring is for what the
 * stages say to each other. */
static bool stages_have_room(const struct replica *r)
{
	const struct crossing *c = &r->crossings[POSITION_IO];

	for (uint32_t i = 0; i < c->outputs_count; i++)
		if (handoff_room(c->outputs[i]) < HANDOFF_SIZE / 2)
			return false;
	return true;
}

uint32_t io_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	struct network *n = &r->io.network;
	uint32_t work = 0;

	take_routes(r);
	if (stages_have_room(r))
		for (uint16_t link = 0; link < n->links_count; link++)
			work += receive(r, link, now_ns);
	return work;
}

/* What the stages of one turn said leaves in that turn. */
uint32_t io_out_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	struct network *n = &r->io.network;
	const struct crossing *c = &r->crossings[POSITION_IO];
	uint32_t work = 0;

	for (uint32_t i = 0; i < c->inputs_count; i++)
		if (!rte_ring_empty(c->inputs[i]->ring))
			work += send_from(r, c->inputs[i]);
	network_tick(n, now_ns);
	network_flush(n);
	return work;
}
