#include "bench/bare.h"

#include <rte_ethdev.h>

#include "dataplane/neighbour.h"

enum {
	BURST = 32
};

#define LOST_NS 10000000ull
/* An ethertype for local experiments (IEEE 802): no stack answers it. */
#define BARE_ETHERTYPE 0x88b5

static bool is_bare(const struct rte_mbuf *mbuf)
{
	const struct rte_ether_hdr *e = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);

	return mbuf->data_len >= sizeof(*e) && e->ether_type == rte_cpu_to_be_16(BARE_ETHERTYPE);
}

static void give(const struct link *l, struct rte_mbuf **mbufs, uint16_t count)
{
	uint16_t sent = count == 0 ? 0 : rte_eth_tx_burst(l->port, l->queue, mbufs, count);

	for (uint16_t i = sent; i < count; i++)
		rte_pktmbuf_free(mbufs[i]);
}

uint32_t bare_reflect_poll(void *self, uint64_t now_ns)
{
	struct network *n = self;
	const struct link *l = &n->links[0];
	struct rte_mbuf *mbufs[BURST];
	struct rte_mbuf *back[BURST];
	uint16_t count = rte_eth_rx_burst(l->port, l->queue, mbufs, BURST);
	uint16_t answers = 0;

	(void)now_ns;
	for (uint16_t i = 0; i < count; i++) {
		struct rte_ether_hdr *e = rte_pktmbuf_mtod(mbufs[i], struct rte_ether_hdr *);
		struct endpoint sender;

		if (is_bare(mbufs[i])) {
			e->dst_addr = e->src_addr;
			e->src_addr = n->self.mac;
		} else if (neighbour_on_frame(mbufs[i], &n->self, &sender) != NEIGHBOUR_ANSWERED) {
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		back[answers++] = mbufs[i];
	}
	give(l, back, answers);
	return count;
}

static uint32_t take(struct bare_ping *p, uint64_t now_ns)
{
	const struct link *l = &p->network->links[0];
	struct rte_mbuf *mbufs[BURST];
	uint16_t count = rte_eth_rx_burst(l->port, l->queue, mbufs, BURST);

	for (uint16_t i = 0; i < count; i++) {
		if (is_bare(mbufs[i]) && p->out > 0) {
			p->frames++;
			p->out--;
			if (p->window == 1)
				histogram_record(&p->trips, now_ns - p->sent_ns);
		}
		rte_pktmbuf_free(mbufs[i]);
	}
	return count;
}

/* ARP first, by the network's own means. */
static uint32_t find_reflector(struct bare_ping *p, uint64_t now_ns)
{
	struct rte_mbuf *frames[HANDOFF_BURST];
	uint32_t taken;
	uint32_t valid = network_receive(p->network, 0, frames, &taken);

	for (uint32_t i = 0; i < valid; i++)
		rte_pktmbuf_free(frames[i]);
	network_tick(p->network, now_ns);
	network_flush(p->network);
	return taken;
}

uint32_t bare_ping_poll(void *self, uint64_t now_ns)
{
	struct bare_ping *p = self;
	const struct link *l = &p->network->links[0];
	uint32_t window = __atomic_load_n(&p->window, __ATOMIC_RELAXED);
	struct rte_mbuf *mbufs[BURST];
	uint16_t count = 0;

	if (unlikely(!p->network->routes[0].known))
		return find_reflector(p, now_ns);
	uint32_t work = take(p, now_ns);

	if (p->out > 0 && now_ns - p->sent_ns > LOST_NS) {
		p->lost += p->out;
		p->out = 0;
	}
	while (count < BURST && p->out + count < window) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(p->network->pool);

		if (mbuf == NULL)
			break;
		struct rte_ether_hdr *e = rte_pktmbuf_mtod(mbuf, struct rte_ether_hdr *);

		e->src_addr = p->network->self.mac;
		e->dst_addr = p->network->routes[0].to.mac;
		e->ether_type = rte_cpu_to_be_16(BARE_ETHERTYPE);
		mbuf->data_len = (uint16_t)p->frame_bytes;
		mbuf->pkt_len = p->frame_bytes;
		mbufs[count++] = mbuf;
	}
	if (count > 0) {
		p->out += count;
		p->sent_ns = now_ns;
		give(l, mbufs, count);
	}
	return work + count;
}
