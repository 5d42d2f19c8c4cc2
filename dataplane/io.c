/* The io stage's turn: frames from the port to the stages, frames from the stages to the port. */
#include "dataplane/turn.h"

#include <string.h>

#include <rte_ethdev.h>

static bool is_client(const struct replica *r, uint32_t client, const struct frame_address *from)
{
	const struct frame_address *known = &r->routes[MEMBER_MAX + client].address;

	return known->ip == from->ip && known->port == from->port;
}

/* The handle of a client, by its address; a new one gets the next. 0: too many clients. */
static uint16_t client_of(struct replica *r, const struct rte_mbuf *mbuf, uint16_t queue)
{
	struct io_stage *io = &r->io;
	const struct frame_template *net = rte_pktmbuf_mtod(mbuf, const struct frame_template *);
	const struct frame_address from = {
		.mac = net->ether.src_addr,
		.ip = net->ip.src_addr,
		.port = net->udp.src_port,
	};

	/* Bursts come from one client mostly: the last one is looked at first. */
	if (io->clients > 0 && is_client(r, io->client_last, &from))
		return (uint16_t)(ENDPOINT_CLIENT_FIRST + io->client_last);
	for (uint32_t i = 0; i < io->clients; i++)
		if (is_client(r, i, &from)) {
			io->client_last = i;
			return (uint16_t)(ENDPOINT_CLIENT_FIRST + i);
		}
	if (io->clients == REPLICA_CLIENTS_MAX)
		return 0;
	replica_route(r, MEMBER_MAX + io->clients, &from, queue);
	return (uint16_t)(ENDPOINT_CLIENT_FIRST + io->clients++);
}

/* A validated frame to its stage, or counted. */
static void dispatch(struct replica *r, struct rte_mbuf *mbuf, uint16_t queue)
{
	struct frame *f = frame_of(mbuf);
	uint32_t reason = DROP_NONE;
	uint32_t position = POSITION_LEADER;

	if (f->m.cluster != r->cluster || f->m.epoch != 0)
		reason = DROP_CLUSTER;
	else if (f->m.shard >= r->settings.shards || f->m.type == MESSAGE_REPLY)
		reason = DROP_MALFORMED;
	else if (f->m.sender == MESSAGE_SENDER_CLIENT)
		f->m.from = client_of(r, mbuf, queue);
	else if (f->m.sender >= r->settings.members || f->m.sender == r->settings.self)
		reason = DROP_SENDER;
	if (f->m.from == 0 && f->m.sender == MESSAGE_SENDER_CLIENT)
		reason = DROP_SENDER;
	if (reason != DROP_NONE) {
		r->io.drops[reason]++;
		rte_pktmbuf_free(mbuf);
		return;
	}
	if (stage_of(&f->m) == STAGE_ACCEPTOR)
		position = POSITION_ACCEPTOR + f->m.shard;
	if (!handoff_put(&r->rings[POSITION_IO][position], mbuf, 0)) {
		r->io.overload++;
		rte_pktmbuf_free(mbuf);
	}
}

/* Every mbuf taken here leaves here: dispatched or freed. */
static uint32_t receive(struct replica *r, uint16_t queue)
{
	struct rte_mbuf *rx[HANDOFF_BURST];
	uint16_t count = rte_eth_rx_burst(r->port, queue, rx, HANDOFF_BURST);

	for (uint16_t i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(rx[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		uint32_t reason = frame_validate(rx[i], &r->address);

		if (unlikely(reason != DROP_NONE)) {
			r->io.drops[reason]++;
			rte_pktmbuf_free(rx[i]);
			continue;
		}
		dispatch(r, rx[i], queue);
	}
	r->io.rx_frames += count;
	return count;
}

static void transmit(struct replica *r, uint16_t queue)
{
	struct io_stage *io = &r->io;
	uint16_t count = (uint16_t)io->pending[queue];
	uint16_t sent = rte_eth_tx_burst(r->port, queue, io->tx[queue], count);

	io->tx_frames += sent;
	io->tx_full += (uint64_t)(count - sent);
	for (uint16_t i = sent; i < count; i++)
		rte_pktmbuf_free(io->tx[queue][i]);
	io->pending[queue] = 0;
}

static uint32_t send_from(struct replica *r, uint32_t position)
{
	struct handoff_element elements[HANDOFF_BURST];
	struct handoff *h = &r->rings[position][POSITION_IO];
	uint32_t count = h->ring == NULL ? 0 : handoff_take_burst(h, elements);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t queue = r->routes[elements[i].route].queue;

		r->io.tx_bytes += elements[i].mbuf->pkt_len;
		r->io.tx[queue][r->io.pending[queue]++] = elements[i].mbuf;
		if (r->io.pending[queue] == HANDOFF_BURST)
			transmit(r, queue);
	}
	return count;
}

/* Input is taken only while every stage can keep what it brings: half a ring is for what the
 * stages say to each other. */
static bool stages_have_room(const struct replica *r)
{
	for (uint32_t to = POSITION_LEADER; to < POSITIONS_MAX; to++) {
		const struct handoff *h = &r->rings[POSITION_IO][to];

		if (h->ring != NULL && handoff_room(h) < HANDOFF_SIZE / 2)
			return false;
	}
	return true;
}

uint32_t io_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	uint32_t work = 0;

	(void)now_ns;
	if (stages_have_room(r))
		for (uint16_t queue = 0; queue < r->rx_queues; queue++)
			work += receive(r, queue);
	for (uint32_t from = POSITION_LEADER; from < POSITIONS_MAX; from++)
		work += send_from(r, from);
	for (uint16_t queue = 0; queue < REPLICA_QUEUES_MAX; queue++)
		if (r->io.pending[queue] > 0)
			transmit(r, queue);
	return work;
}
