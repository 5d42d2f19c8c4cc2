#include "dataplane/network.h"

#include <string.h>

#include <rte_ethdev.h>

#include "dataplane/neighbour.h"

enum {
	AHEAD = 6,     /* Frames whose first lines are on their way while one is validated, */
	AHEAD_ALL = 3, /* and those all of whose lines are. */
	FETCH_BEGIN = 4 * RTE_CACHE_LINE_SIZE
};

#define ASK_EVERY_NS 50000000ull
/* A client silent for so long may lose its route: another one's first frame then finds room, though
 * programs that ask once and end come many in a second. Who still waits for an answer retries, and
 * is known again. */
#define CLIENT_IDLE_NS 250000000ull

void network_init(struct network *n, const struct endpoint *self, struct rte_mempool *pool)
{
	memset(n, 0, sizeof(*n));
	n->self = *self;
	n->pool = pool;
}

uint16_t network_add_link(struct network *n, uint16_t port, uint16_t queue, uint64_t tx_flags)
{
	struct link *l = &n->links[n->links_count];

	l->port = port;
	l->queue = queue;
	l->tx_flags = tx_flags;
	return (uint16_t)n->links_count++;
}

static void count_unknown(struct network *n)
{
	n->unknown = 0;
	for (uint32_t i = 0; i < NETWORK_ROUTES_MAX; i++)
		n->unknown += n->routes[i].used && !n->routes[i].known ? 1 : 0;
}

void network_route(struct network *n, uint32_t route, const struct endpoint *to, uint16_t link,
	bool known)
{
	struct route *r = &n->routes[route];

	r->used = true;
	r->known = known;
	r->link = link;
	r->to = *to;
	frame_template_init(&r->template, &n->self, to);
	count_unknown(n);
}

/* ---- ARP ---- */

static void learn(struct network *n, const struct endpoint *told)
{
	for (uint32_t i = 0; i < MEMBER_MAX; i++) {
		struct route *r = &n->routes[i];

		if (!r->used || r->to.ip != told->ip ||
			(r->known && rte_is_same_ether_addr(&r->to.mac, &told->mac)))
			continue;
		struct endpoint to = r->to;

		to.mac = told->mac;
		network_route(n, i, &to, r->link, true);
	}
}

static void put(struct network *n, struct link *l, struct rte_mbuf *mbuf);

void network_tick(struct network *n, uint64_t now_ns)
{
	if (likely(n->unknown == 0) || now_ns - n->asked_ns < ASK_EVERY_NS)
		return;
	n->asked_ns = now_ns;
	for (uint32_t i = 0; i < MEMBER_MAX; i++) {
		struct route *r = &n->routes[i];
		struct rte_mbuf *mbuf;

		if (!r->used || r->known || (mbuf = rte_pktmbuf_alloc(n->pool)) == NULL)
			continue;
		neighbour_ask(mbuf, &n->self, r->to.ip);
		n->counters.arp_asked++;
		put(n, &n->links[r->link], mbuf);
	}
}

/* ---- Frames in ---- */

static void other_frame(struct network *n, struct link *l, struct rte_mbuf *mbuf, uint32_t reason)
{
	struct endpoint sender;
	enum neighbour_answer answer = NEIGHBOUR_NONE;

	if (reason == FRAME_DROP_NOT_IP || reason == FRAME_DROP_NOT_UDP || reason == DROP_SHORT)
		answer = neighbour_on_frame(mbuf, &n->self, &sender);
	if (answer != NEIGHBOUR_NONE && sender.ip != 0)
		learn(n, &sender);
	if (answer == NEIGHBOUR_ANSWERED) {
		n->counters.answered++;
		put(n, l, mbuf);
		return;
	}
	if (answer == NEIGHBOUR_NONE)
		n->counters.drops[reason]++;
	rte_pktmbuf_free(mbuf);
}

/* The headers, the begin of the body, and where the message is decoded to. */
static void prefetch_begin(struct rte_mbuf *mbuf)
{
	const uint8_t *bytes = frame_bytes(mbuf);

	rte_prefetch0(mbuf);
	for (uint32_t at = 0; at < FETCH_BEGIN; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(bytes + at);
	__builtin_prefetch(frame_of(mbuf), 1);
	__builtin_prefetch(&frame_of(mbuf)->body, 1);
}

/* The rest of it: how long it is, the mbuf says by now. */
static void prefetch_rest(const struct rte_mbuf *mbuf)
{
	const uint8_t *bytes = frame_bytes(mbuf);
	uint32_t length = mbuf->data_len < FRAME_FETCH_MAX ? mbuf->data_len : FRAME_FETCH_MAX;

	for (uint32_t at = FETCH_BEGIN; at < length; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(bytes + at);
}

uint32_t network_receive(struct network *n, uint16_t link, struct rte_mbuf **frames,
	uint32_t *taken)
{
	struct link *l = &n->links[link];
	uint16_t count = rte_eth_rx_burst(l->port, l->queue, frames, HANDOFF_BURST);
	uint32_t valid = 0;

	*taken = count;
	for (uint16_t i = 0; i < count && i < AHEAD; i++)
		prefetch_begin(frames[i]);
	for (uint16_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			prefetch_begin(frames[i + AHEAD]);
		if (i + AHEAD_ALL < count)
			prefetch_rest(frames[i + AHEAD_ALL]);
		uint32_t reason = frame_validate(frames[i], &n->self);

		if (likely(reason == DROP_NONE))
			frames[valid++] = frames[i];
		else
			other_frame(n, l, frames[i], reason);
	}
	n->counters.rx_frames += count;
	return valid;
}

/* ---- Clients ---- */

static bool is_client(const struct network *n, uint32_t client, const struct endpoint *from)
{
	const struct endpoint *known = &n->routes[MEMBER_MAX + client].to;

	return known->ip == from->ip && known->port == from->port;
}

/* A free route, else the one silent for longest, if that is long. */
static uint32_t client_room(struct network *n, uint64_t now_ns)
{
	uint32_t oldest = 0;

	if (n->clients < NETWORK_CLIENTS_MAX)
		return n->clients++;
	for (uint32_t i = 1; i < NETWORK_CLIENTS_MAX; i++)
		if (n->routes[MEMBER_MAX + i].heard_ns < n->routes[MEMBER_MAX + oldest].heard_ns)
			oldest = i;
	return now_ns - n->routes[MEMBER_MAX + oldest].heard_ns >= CLIENT_IDLE_NS
		? oldest
		: NETWORK_CLIENTS_MAX;
}

uint32_t network_client(struct network *n, const struct rte_mbuf *mbuf, uint16_t link,
	uint64_t now_ns)
{
	const struct frame_template *net = rte_pktmbuf_mtod(mbuf, const struct frame_template *);
	const struct endpoint from = {
		.mac = net->ether.src_addr,
		.ip = net->ip.src_addr,
		.port = net->udp.src_port,
	};
	uint32_t client = n->client_last;

	/* Bursts come from one client mostly: the last one is looked at first. */
	if (unlikely(client >= n->clients || !is_client(n, client, &from)))
		for (client = 0; client < n->clients && !is_client(n, client, &from);)
			client++;
	bool known = client < n->clients;

	if (unlikely(!known))
		client = client_room(n, now_ns);
	if (unlikely(client == NETWORK_CLIENTS_MAX)) {
		n->counters.crowded++;
		return NETWORK_NO_CLIENT;
	}
	struct route *r = &n->routes[MEMBER_MAX + client];

	if (unlikely(!known || !rte_is_same_ether_addr(&r->to.mac, &from.mac)))
		network_route(n, MEMBER_MAX + client, &from, link, true);
	n->client_last = client;
	r->heard_ns = now_ns;
	return MEMBER_MAX + client;
}

/* ---- Frames out ---- */

static void transmit(struct network *n, struct link *l)
{
	uint16_t count = (uint16_t)l->pending;
	uint16_t sent = rte_eth_tx_burst(l->port, l->queue, l->tx, count);

	n->counters.tx_frames += sent;
	n->counters.tx_full += (uint64_t)(count - sent);
	for (uint16_t i = sent; i < count; i++)
		rte_pktmbuf_free(l->tx[i]);
	l->pending = 0;
}

static void put(struct network *n, struct link *l, struct rte_mbuf *mbuf)
{
	n->counters.tx_bytes += mbuf->pkt_len;
	l->tx[l->pending++] = mbuf;
	if (l->pending == HANDOFF_BURST)
		transmit(n, l);
}

void network_send(struct network *n, uint32_t route, struct rte_mbuf *mbuf)
{
	const struct route *r = &n->routes[route];

	if (unlikely(!r->known)) {
		n->counters.unreachable++;
		rte_pktmbuf_free(mbuf);
		return;
	}
	struct link *l = &n->links[r->link];

	frame_address(mbuf, &r->template, l->tx_flags);
	put(n, l, mbuf);
}

void network_flush(struct network *n)
{
	for (uint32_t i = 0; i < n->links_count; i++)
		if (n->links[i].pending > 0)
			transmit(n, &n->links[i]);
}
