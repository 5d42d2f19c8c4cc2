/* Networks: two facing each other over two rings. No mbuf is lost, whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_icmp.h>

#include "dataplane/neighbour.h"
#include "dataplane/network.h"
#include "dataplane/port.h"
#include "tests/unit/given_dpdk.h"

enum {
	MBUFS = 255,
	WIRE_SIZE = 64, /* Holds one frame less. */
	PEER = 1,       /* The route to the other, on both sides. */
	UDP_PORT = 7400,
};

#define MS 1000000ull
#define S (1000 * MS)

struct side {
	struct endpoint self;
	struct network network;
	struct port port;
	struct rte_ring *arrivals;
};

static struct side a = {.self = {.mac = {.addr_bytes = {2, 0, 0, 0, 0, 1}},
				.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
				.port = RTE_BE16(UDP_PORT)}};
static struct side b = {.self = {.mac = {.addr_bytes = {2, 0, 0, 0, 0, 2}},
				.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
				.port = RTE_BE16(UDP_PORT)}};
static struct rte_mempool *pool;
static struct rte_mbuf *frames[HANDOFF_BURST];
static uint32_t frames_count;

static void restart(struct side *side, const struct side *other, bool known)
{
	network_init(&side->network, &side->self, pool);
	network_add_link(&side->network, side->port.id, 0, 0);
	network_route(&side->network, PEER, &other->self, 0, known);
}

static int setup(void **state)
{
	(void)state;
	restart(&a, &b, true);
	restart(&b, &a, true);
	frames_count = 0;
	return 0;
}

static void free_frames(void)
{
	rte_pktmbuf_free_bulk(frames, frames_count);
	frames_count = 0;
}

static void empty(struct rte_ring *wire)
{
	void *frame;

	while (rte_ring_dequeue(wire, &frame) == 0)
		rte_pktmbuf_free(frame);
}

/* Every test ends here: whatever is not on a wire and not ours was freed. */
static int teardown(void **state)
{
	(void)state;
	free_frames();
	empty(a.arrivals);
	empty(b.arrivals);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	return 0;
}

/* A heartbeat, but for the network headers. */
static struct rte_mbuf *given_frame(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	const struct message m = {.type = MESSAGE_HEARTBEAT, .sender = 1, .uuid = 4711};

	assert_non_null(mbuf);
	frame_seal(mbuf, &m);
	return mbuf;
}

/* The same as `from` sends it to `to`. */
static struct rte_mbuf *given_addressed(const struct endpoint *from, const struct endpoint *to)
{
	struct rte_mbuf *mbuf = given_frame();
	struct frame_template template;

	frame_template_init(&template, from, to);
	frame_address(mbuf, &template, 0);
	return mbuf;
}

static void given_on_the_wire(struct side *to, struct rte_mbuf *mbuf)
{
	assert_int_equal(rte_ring_enqueue(to->arrivals, mbuf), 0);
}

static void when_sent(struct side *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		network_send(&from->network, PEER, given_frame());
	network_flush(&from->network);
}

/* Returns the valid ones. */
static uint32_t when_received(struct side *side)
{
	uint32_t taken;

	free_frames();
	frames_count = network_receive(&side->network, 0, frames, &taken);
	assert_true(taken >= frames_count);
	network_flush(&side->network);
	return frames_count;
}

static struct frame_template *headers(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, struct frame_template *);
}

static void then_mac(const struct rte_ether_addr *mac, const struct rte_ether_addr *expected)
{
	assert_memory_equal(mac, expected, sizeof(*mac));
}

/* ---- Frames ---- */

static void a_frame_sent_arrives_valid(void **state)
{
	(void)state;
	when_sent(&a, 3);
	assert_int_equal(when_received(&b), 3);
	assert_int_equal(frame_of(frames[2])->m.uuid, 4711);
	then_mac(&headers(frames[2])->ether.src_addr, &a.self.mac);
	then_mac(&headers(frames[2])->ether.dst_addr, &b.self.mac);
	assert_int_equal(a.network.counters.tx_frames, 3);
	assert_int_equal(a.network.counters.tx_bytes, 3 * FRAME_BODY_OFFSET);
	assert_int_equal(b.network.counters.rx_frames, 3);
}

static void frames_wait_for_a_flush_or_a_whole_burst(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < HANDOFF_BURST - 1; i++)
		network_send(&a.network, PEER, given_frame());
	assert_int_equal(when_received(&b), 0);
	network_send(&a.network, PEER, given_frame());
	assert_int_equal(when_received(&b), HANDOFF_BURST);
}

static void a_full_port_counts_and_frees_what_it_does_not_take(void **state)
{
	(void)state;
	when_sent(&a, WIRE_SIZE + 10);
	assert_int_equal(a.network.counters.tx_frames, WIRE_SIZE - 1);
	assert_int_equal(a.network.counters.tx_full, 11);
	assert_int_equal(rte_mempool_in_use_count(pool), WIRE_SIZE - 1);
}

static void then_dropped(struct rte_mbuf *mbuf, uint32_t reason)
{
	struct rte_mbuf *good = given_addressed(&a.self, &b.self);
	uint64_t before = b.network.counters.drops[reason];
	uint64_t all = 0;

	given_on_the_wire(&b, mbuf);
	given_on_the_wire(&b, good);
	assert_int_equal(when_received(&b), 1);
	assert_ptr_equal(frames[0], good);
	assert_int_equal(b.network.counters.drops[reason], before + 1);
	for (uint32_t i = 0; i < FRAME_DROP_REASONS; i++)
		all += b.network.counters.drops[i];
	assert_int_equal(all * 2, b.network.counters.rx_frames);
	assert_int_equal(rte_mempool_in_use_count(pool), 1);
}

static void a_bad_frame_is_counted_by_its_reason_and_freed(void **state)
{
	struct rte_mbuf *bad = given_addressed(&a.self, &b.self);

	(void)state;
	headers(bad)->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	then_dropped(bad, FRAME_DROP_NOT_IP);
	bad = given_addressed(&a.self, &b.self);
	headers(bad)->ip.version_ihl = 0x46;
	then_dropped(bad, FRAME_DROP_IP);
	bad = given_addressed(&a.self, &b.self);
	headers(bad)->ip.next_proto_id = IPPROTO_TCP;
	then_dropped(bad, FRAME_DROP_NOT_UDP);
	then_dropped(given_addressed(&a.self, &a.self), FRAME_DROP_PORT);
	bad = given_addressed(&a.self, &b.self);
	bad->data_len = bad->data_len - 1;
	bad->pkt_len = bad->data_len;
	then_dropped(bad, DROP_SHORT);
	bad = given_addressed(&a.self, &b.self);
	rte_pktmbuf_mtod(bad, uint8_t *)[FRAME_BODY_OFFSET - 1] ^= 1;
	then_dropped(bad, DROP_TAG);
	bad = given_addressed(&a.self, &b.self);
	assert_int_equal(rte_pktmbuf_chain(bad, given_frame()), 0);
	then_dropped(bad, FRAME_DROP_SEGMENTS);
}

/* ---- ARP ---- */

static void a_route_without_a_mac_drops_and_counts(void **state)
{
	(void)state;
	restart(&a, &b, false);
	when_sent(&a, 3);
	assert_int_equal(a.network.counters.unreachable, 3);
	assert_int_equal(a.network.counters.tx_frames, 0);
	assert_int_equal(when_received(&b), 0);
}

static void arp_is_asked_now_and_then_and_not_more_often(void **state)
{
	(void)state;
	restart(&a, &b, false);
	for (uint64_t now = 50 * MS; now < 1050 * MS; now += MS) {
		network_tick(&a.network, now);
		network_flush(&a.network);
		empty(b.arrivals);
	}
	assert_int_equal(a.network.counters.arp_asked, 20);
}

static void a_known_route_asks_nothing(void **state)
{
	(void)state;
	network_tick(&a.network, S);
	network_flush(&a.network);
	assert_int_equal(a.network.counters.arp_asked, 0);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void the_answer_opens_the_route(void **state)
{
	(void)state;
	restart(&a, &b, false);
	network_tick(&a.network, S);
	network_flush(&a.network);
	assert_int_equal(when_received(&b), 0);
	assert_int_equal(b.network.counters.answered, 1);
	assert_int_equal(when_received(&a), 0);
	assert_int_equal(a.network.unknown, 0);
	when_sent(&a, 1);
	assert_int_equal(when_received(&b), 1);
	then_mac(&headers(frames[0])->ether.dst_addr, &b.self.mac);
	/* Neither a question nor an answer is a drop. */
	for (uint32_t i = 0; i < FRAME_DROP_REASONS; i++)
		assert_int_equal(a.network.counters.drops[i] + b.network.counters.drops[i], 0);
	network_tick(&a.network, 2 * S);
	assert_int_equal(a.network.counters.arp_asked, 1);
}

static void who_asks_is_known_from_then_on(void **state)
{
	(void)state;
	restart(&a, &b, false);
	restart(&b, &a, false);
	network_tick(&a.network, S);
	network_flush(&a.network);
	assert_int_equal(when_received(&b), 0);
	when_sent(&b, 1);
	assert_int_equal(b.network.counters.unreachable, 0);
	assert_int_equal(when_received(&a), 1);
	then_mac(&headers(frames[0])->ether.dst_addr, &a.self.mac);
}

/* Both ways of saying it: a question to us, and one to somebody else (a gratuitous ARP). */
static void a_mac_that_changed_is_learned(void **state)
{
	struct endpoint moved = a.self;
	const rte_be32_t asked[] = {b.self.ip, a.self.ip};

	(void)state;
	for (uint8_t i = 0; i < 2; i++) {
		struct rte_mbuf *question = rte_pktmbuf_alloc(pool);

		moved.mac.addr_bytes[5] = (uint8_t)(77 + i);
		neighbour_ask(question, &moved, asked[i]);
		given_on_the_wire(&b, question);
		when_received(&b);
		empty(a.arrivals);
		when_sent(&b, 1);
		assert_int_equal(when_received(&a), 1);
		then_mac(&headers(frames[0])->ether.dst_addr, &moved.mac);
	}
}

static void what_a_stranger_tells_changes_no_route(void **state)
{
	struct endpoint stranger = {.mac = {.addr_bytes = {2, 0, 0, 0, 0, 9}}, .ip = 9};
	struct rte_mbuf *question = rte_pktmbuf_alloc(pool);

	(void)state;
	neighbour_ask(question, &stranger, b.self.ip);
	given_on_the_wire(&b, question);
	when_received(&b);
	then_mac(&b.network.routes[PEER].to.mac, &a.self.mac);
	for (uint32_t i = 0; i < NETWORK_ROUTES_MAX; i++)
		assert_int_equal(b.network.routes[i].used, i == PEER);
}

static void an_echo_comes_back_on_its_link(void **state)
{
	const struct rte_icmp_hdr icmp = {.icmp_type = RTE_IP_ICMP_ECHO_REQUEST};
	struct rte_mbuf *echo = given_addressed(&a.self, &b.self);
	void *frame;

	(void)state;
	headers(echo)->ip.next_proto_id = IPPROTO_ICMP;
	memcpy(&headers(echo)->udp, &icmp, sizeof(icmp));
	given_on_the_wire(&b, echo);
	assert_int_equal(when_received(&b), 0);
	assert_int_equal(b.network.counters.answered, 1);
	assert_int_equal(b.network.counters.drops[FRAME_DROP_NOT_UDP], 0);
	assert_int_equal(rte_ring_dequeue(a.arrivals, &frame), 0);
	frames[frames_count++] = frame;
	assert_ptr_equal(frame, echo);
	assert_int_equal(headers(frame)->ip.dst_addr, a.self.ip);
}

/* ---- Clients ---- */

/* The route back to the client with this number, by a frame of it. */
static uint32_t when_client(uint32_t number, uint8_t mac, uint64_t now_ns)
{
	const struct endpoint client = {
		.mac = {.addr_bytes = {2, 0, 0, 0, 1, mac}},
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 0, 1, 0) + number / 2),
		.port = rte_cpu_to_be_16((uint16_t)(9000 + number % 2)),
	};
	struct rte_mbuf *mbuf = given_addressed(&client, &b.self);
	uint32_t route = network_client(&b.network, mbuf, 0, now_ns);

	rte_pktmbuf_free(mbuf);
	return route;
}

static void given_64_clients(uint64_t now_ns)
{
	for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++)
		assert_int_equal(when_client(i, 1, now_ns + i), MEMBER_MAX + i);
}

static void each_client_has_a_route_and_keeps_it(void **state)
{
	(void)state;
	given_64_clients(S);
	for (uint32_t i = NETWORK_CLIENTS_MAX; i-- > 0;)
		for (uint32_t twice = 0; twice < 2; twice++)
			assert_int_equal(when_client(i, 1, 2 * S), MEMBER_MAX + i);
	assert_int_equal(b.network.counters.crowded, 0);
}

static void the_way_back_leads_to_the_client(void **state)
{
	(void)state;
	when_client(0, 1, S);
	network_send(&b.network, when_client(3, 2, S), given_frame());
	network_flush(&b.network);
	void *frame;

	assert_int_equal(rte_ring_dequeue(a.arrivals, &frame), 0);
	frames[frames_count++] = frame;
	assert_int_equal(headers(frame)->ether.dst_addr.addr_bytes[5], 2);
	assert_int_equal(headers(frame)->ip.dst_addr, RTE_BE32(RTE_IPV4(10, 0, 1, 1)));
	assert_int_equal(headers(frame)->udp.dst_port, RTE_BE16(9001));
}

static void a_client_with_another_mac_keeps_its_route_and_is_found_there(void **state)
{
	uint32_t route = when_client(0, 1, S);
	void *frame;

	(void)state;
	when_client(1, 1, S);
	assert_int_equal(when_client(0, 7, S), route);
	network_send(&b.network, route, given_frame());
	network_flush(&b.network);
	assert_int_equal(rte_ring_dequeue(a.arrivals, &frame), 0);
	frames[frames_count++] = frame;
	assert_int_equal(headers(frame)->ether.dst_addr.addr_bytes[5], 7);
	assert_int_equal(b.network.clients, 2);
}

static void one_client_too_many_is_refused_while_all_are_fresh(void **state)
{
	(void)state;
	given_64_clients(S);
	assert_int_equal(when_client(64, 1, S + S / 4 - 1), NETWORK_NO_CLIENT);
	assert_int_equal(b.network.counters.crowded, 1);
	assert_int_equal(when_client(0, 1, S + S / 4 - 1), MEMBER_MAX);
}

static void it_takes_the_place_of_the_one_silent_for_longest(void **state)
{
	(void)state;
	given_64_clients(S);
	/* All but number 20 speak again. */
	for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++)
		if (i != 20)
			when_client(i, 1, S + S / 4 - 1);
	assert_int_equal(when_client(64, 1, S + S / 4 + 20), MEMBER_MAX + 20);
	assert_int_equal(when_client(64, 1, S + S / 4 + 21), MEMBER_MAX + 20);
	assert_int_equal(b.network.routes[MEMBER_MAX + 20].to.ip, RTE_BE32(RTE_IPV4(10, 0, 1, 32)));
	/* The old one is a stranger now, and the others are fresh. */
	assert_int_equal(when_client(20, 1, S + S / 4 + 22), NETWORK_NO_CLIENT);
	assert_int_equal(b.network.counters.crowded, 1);
}

/* ---- The wire ---- */

static bool start(void)
{
	struct rte_ring *ab = rte_ring_create("ab", WIRE_SIZE, SOCKET_ID_ANY, 0);
	struct rte_ring *ba = rte_ring_create("ba", WIRE_SIZE, SOCKET_ID_ANY, 0);
	char error[256] = "no memory";

	pool = given_pool("frames", MBUFS);
	a.arrivals = ba;
	b.arrivals = ab;
	bool ok = pool != NULL && ab != NULL && ba != NULL &&
		port_ring_start("a", &ba, &ab, 1, pool, &a.port, error, sizeof(error)) &&
		port_ring_start("b", &ab, &ba, 1, pool, &b.port, error, sizeof(error));

	if (!ok)
		fprintf(stderr, "%s\n", error);
	return ok;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_sent_arrives_valid),
		TEST(frames_wait_for_a_flush_or_a_whole_burst),
		TEST(a_full_port_counts_and_frees_what_it_does_not_take),
		TEST(a_bad_frame_is_counted_by_its_reason_and_freed),
		TEST(a_route_without_a_mac_drops_and_counts),
		TEST(arp_is_asked_now_and_then_and_not_more_often),
		TEST(a_known_route_asks_nothing),
		TEST(the_answer_opens_the_route),
		TEST(who_asks_is_known_from_then_on),
		TEST(a_mac_that_changed_is_learned),
		TEST(what_a_stranger_tells_changes_no_route),
		TEST(an_echo_comes_back_on_its_link),
		TEST(each_client_has_a_route_and_keeps_it),
		TEST(the_way_back_leads_to_the_client),
		TEST(a_client_with_another_mac_keeps_its_route_and_is_found_there),
		TEST(one_client_too_many_is_refused_while_all_are_fresh),
		TEST(it_takes_the_place_of_the_one_silent_for_longest),
	};

	if (!given_dpdk("network"))
		return SKIPPED;
	int failed = !start() || cmocka_run_group_tests(tests, NULL, NULL);

	port_stop(&a.port);
	port_stop(&b.port);
	rte_eal_cleanup();
	return failed;
}
