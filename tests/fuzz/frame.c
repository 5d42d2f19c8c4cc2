/*
 * frame - any frame on a link is valid, answered (ARP, ICMP echo) or dropped and counted: by the
 * real parser, the neighbour's answers and the routes. Every mbuf leaves; an answer is a whole
 * frame back to who asked; no byte behind a frame is read.
 */
#include <string.h>

#include <rte_arp.h>
#include <rte_mbuf.h>
#include <sanitizer/asan_interface.h>

#include "consensus/check.h"
#include "dataplane/network.h"
#include "dataplane/port.h"
#include "tests/fuzz/eal.h"
#include "tests/fuzz/fuzz.h"

enum {
	MBUFS = 63,
	ROOM = 2048,
	WIRE_SIZE = 64,
	PEER = 1,
	UDP_PORT = 7400,
};

static const struct endpoint self = {.mac = {.addr_bytes = {2, 0, 0, 0, 0, 1}},
	.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
	.port = RTE_BE16(UDP_PORT)};
static const struct endpoint peer = {.mac = {.addr_bytes = {2, 0, 0, 0, 0, 2}},
	.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
	.port = RTE_BE16(UDP_PORT)};

static struct rte_mempool *pool;
static struct rte_ring *in, *out;
static struct port port;
static struct network network;
static uint64_t now_ns;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char error[256];

	(void)argc;
	(void)argv;
	eal_start_plain();
	pool = rte_pktmbuf_pool_create("frames", MBUFS, 0, FRAME_PRIVATE_BYTES,
		ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	in = rte_ring_create("in", WIRE_SIZE, SOCKET_ID_ANY, 0);
	out = rte_ring_create("out", WIRE_SIZE, SOCKET_ID_ANY, 0);
	CHECK(pool != NULL && in != NULL && out != NULL);
	CHECK(port_ring_start("fuzz", &in, &out, 1, pool, &port, error, sizeof(error)));
	return 0;
}

/* The route to the peer is asked for by ARP, so what an ARP frame tells is heard. */
static void start(void)
{
	network_init(&network, &self, pool);
	network_add_link(&network, port.id, 0, 0);
	network_route(&network, PEER, &peer, 0, false);
}

/* Returns where its bytes stand: behind them nothing may be read, until they are opened again. */
static uint8_t *put_on_wire(const uint8_t *data, size_t size)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	CHECK(mbuf != NULL);
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);

	memcpy(bytes, data, size);
	mbuf->data_len = (uint16_t)size;
	mbuf->pkt_len = (uint32_t)size;
	ASAN_POISON_MEMORY_REGION(bytes + size, ROOM - size);
	CHECK(rte_ring_enqueue(in, mbuf) == 0);
	return bytes;
}

static void then_message(struct rte_mbuf *mbuf, size_t size)
{
	const struct frame *f = frame_of(mbuf);

	CHECK(f->body == rte_pktmbuf_mtod(mbuf, uint8_t *) + FRAME_BODY_OFFSET);
	CHECK(FRAME_BODY_OFFSET + (size_t)f->m.payload_len <= size);
	if (f->m.sender == MESSAGE_SENDER_CLIENT)
		CHECK(network_client(&network, mbuf, 0, now_ns) == MEMBER_MAX);
	rte_pktmbuf_free(mbuf);
}

/* To the one who asked, from our address, no longer than what came. */
static void then_answer(struct rte_mbuf *mbuf, const uint8_t *data, size_t size)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);

	CHECK(mbuf->data_len == size && mbuf->pkt_len == size);
	CHECK(memcmp(&ether->src_addr, &self.mac, sizeof(self.mac)) == 0);
	if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)) {
		const struct rte_arp_hdr *arp = (const struct rte_arp_hdr *)(ether + 1);

		CHECK(arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REPLY));
		CHECK(arp->arp_data.arp_sip == self.ip);
	} else {
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);

		CHECK(memcmp(&ether->dst_addr, data + 6, RTE_ETHER_ADDR_LEN) == 0);
		CHECK(ip->src_addr == self.ip && rte_ipv4_cksum(ip) == 0);
	}
	rte_pktmbuf_free(mbuf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *frames[HANDOFF_BURST];
	uint32_t taken;
	uint64_t dropped = 0;
	void *answer;

	if (size > ROOM)
		return 0;
	now_ns++;
	start();
	uint8_t *bytes = put_on_wire(data, size);
	uint32_t valid = network_receive(&network, 0, frames, &taken);

	CHECK(taken == 1 && valid <= 1);
	if (valid == 1)
		then_message(frames[0], size);
	network_flush(&network);
	bool answered = rte_ring_dequeue(out, &answer) == 0;

	CHECK(network.counters.answered == (answered ? 1 : 0));
	if (answered)
		then_answer(answer, data, size);
	for (uint32_t reason = 0; reason < FRAME_DROP_REASONS; reason++)
		dropped += network.counters.drops[reason];
	CHECK(dropped + valid + (answered ? 1 : 0) <= 1);
	ASAN_UNPOISON_MEMORY_REGION(bytes, ROOM);
	CHECK(rte_ring_empty(out) && rte_mempool_in_use_count(pool) == 0);
	return 0;
}
