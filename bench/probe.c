#include "bench/probe.h"

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

enum {
	BURST = 32,
	BURSTS_OUT = 8,
	DRAIN_NS = 100000000
};

struct bare {
	const struct embedded *e;
	uint32_t bytes;
	double seconds;
	bool alone; /* The echo runs in the same loop. */
	bool stop;
	uint64_t frames;
	struct histogram trips;
};

/* Replica 0's end: whatever comes goes back. Its queue to the client is the last. */
static void echo_once(const struct bare *b)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t port = b->e->ports[0].id;
	uint16_t queue = (uint16_t)(b->e->replicas_count - 1);
	uint16_t count = rte_eth_rx_burst(port, queue, mbufs, BURST);
	uint16_t sent = count == 0 ? 0 : rte_eth_tx_burst(port, queue, mbufs, count);

	for (uint16_t i = sent; i < count; i++)
		rte_pktmbuf_free(mbufs[i]);
}

static int echo_main(void *argument)
{
	struct bare *b = argument;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED))
		echo_once(b);
	return 0;
}

static uint16_t send_bare(const struct bare *b, uint16_t wanted)
{
	struct rte_mbuf *mbufs[BURST];

	if (rte_pktmbuf_alloc_bulk(b->e->client_pool, mbufs, wanted) != 0)
		return 0;
	for (uint16_t i = 0; i < wanted; i++) {
		mbufs[i]->data_len = (uint16_t)(FRAME_BODY_OFFSET + b->bytes);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
	}
	uint16_t sent = rte_eth_tx_burst(b->e->ports[b->e->replicas_count].id, 0, mbufs, wanted);

	for (uint16_t i = sent; i < wanted; i++)
		rte_pktmbuf_free(mbufs[i]);
	return sent;
}

static uint16_t take_bare(const struct bare *b)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t count = rte_eth_rx_burst(b->e->ports[b->e->replicas_count].id, 0, mbufs, BURST);

	for (uint16_t i = 0; i < count; i++)
		rte_pktmbuf_free(mbufs[i]);
	return count;
}

static void ping_pong(struct bare *b)
{
	uint64_t end_ns = lcore_now_ns() + (uint64_t)(b->seconds * 0.5e9);
	uint64_t start_ns = 0;

	while (start_ns < end_ns) {
		start_ns = lcore_now_ns();
		if (send_bare(b, 1) == 0)
			continue;
		do {
			if (b->alone)
				echo_once(b);
		} while (take_bare(b) == 0 && lcore_now_ns() < end_ns + DRAIN_NS);
		histogram_record(&b->trips, lcore_now_ns() - start_ns);
	}
}

static void flood(struct bare *b)
{
	uint64_t begin_ns = lcore_now_ns();
	uint64_t end_ns = begin_ns + (uint64_t)(b->seconds * 0.5e9);
	uint64_t out = 0;
	uint64_t now_ns = begin_ns;

	/* What is still under way at the end is waited for, but not for ever. */
	while (now_ns < end_ns || (out > 0 && now_ns < end_ns + DRAIN_NS)) {
		if (now_ns < end_ns && out < BURST * BURSTS_OUT)
			out += send_bare(b, BURST);
		if (b->alone)
			echo_once(b);
		uint16_t back = take_bare(b);

		out -= back;
		b->frames += 2u * back;
		now_ns = lcore_now_ns();
	}
}

static int probe_main(void *argument)
{
	struct bare *b = argument;

	ping_pong(b);
	flood(b);
	return 0;
}

void probe_run(const struct embedded *e, uint32_t lcores, uint32_t value_bytes, double seconds,
	struct probe *result)
{
	static struct bare bare;

	bare = (struct bare){
		.e = e,
		.bytes = value_bytes,
		.seconds = seconds,
		.alone = lcores == 1,
	};
	if (!bare.alone)
		rte_eal_remote_launch(echo_main, &bare, 2);
	rte_eal_remote_launch(probe_main, &bare, 1);
	rte_eal_wait_lcore(1);
	__atomic_store_n(&bare.stop, true, __ATOMIC_RELAXED);
	if (!bare.alone)
		rte_eal_wait_lcore(2);
	result->frames_per_s = (double)bare.frames / (seconds * 0.5);
	result->rtt_p50_ns = histogram_percentile(&bare.trips, 50);
	result->rtt_p99_ns = histogram_percentile(&bare.trips, 99);
}
