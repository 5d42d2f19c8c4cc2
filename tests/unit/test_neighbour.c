/* Neighbours: what any node of an Ethernet answers, and what is none of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include "dataplane/neighbour.h"
#include "tests/unit/given_dpdk.h"

enum {
	MBUFS = 63,
	ECHO_DATA_BYTES = 56,
};

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
} __attribute__((packed, aligned(2)));

struct echo_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_icmp_hdr icmp;
	uint8_t data[ECHO_DATA_BYTES];
} __attribute__((packed, aligned(2)));

static const struct endpoint self = {
	.mac = {.addr_bytes = {2, 0, 0, 0, 0, 1}},
	.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
};
static const struct endpoint peer = {
	.mac = {.addr_bytes = {2, 0, 0, 0, 0, 2}},
	.ip = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
};
static const struct rte_ether_addr nobody, everybody = {{255, 255, 255, 255, 255, 255}};
static const rte_be32_t another_ip = RTE_BE32(RTE_IPV4(10, 0, 0, 3));

static struct rte_mempool *pool;
static struct rte_mbuf *mbuf;
static struct endpoint sender;

static int setup(void **state)
{
	(void)state;
	mbuf = rte_pktmbuf_alloc(pool);
	if (mbuf == NULL)
		return -1;
	memset(rte_pktmbuf_mtod(mbuf, uint8_t *), 0xee, MBUF_ROOM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mbuf->nb_segs = 1;
	rte_pktmbuf_free(mbuf);
	return 0;
}

static void set_length(size_t bytes)
{
	mbuf->data_len = (uint16_t)bytes;
	mbuf->pkt_len = (uint32_t)bytes;
}

static struct arp_frame *arp(void)
{
	return rte_pktmbuf_mtod(mbuf, struct arp_frame *);
}

static struct echo_frame *echo(void)
{
	return rte_pktmbuf_mtod(mbuf, struct echo_frame *);
}

/* From the peer. */
static void given_arp(uint16_t opcode, rte_be32_t target)
{
	struct arp_frame *f = arp();

	f->ether.src_addr = peer.mac;
	f->ether.dst_addr = opcode == RTE_ARP_OP_REQUEST ? everybody : self.mac;
	f->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	f->arp.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	f->arp.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	f->arp.arp_hlen = 6;
	f->arp.arp_plen = 4;
	f->arp.arp_opcode = rte_cpu_to_be_16(opcode);
	f->arp.arp_data.arp_sha = peer.mac;
	f->arp.arp_data.arp_sip = peer.ip;
	f->arp.arp_data.arp_tha = nobody;
	f->arp.arp_data.arp_tip = target;
	set_length(sizeof(*f));
}

static uint16_t icmp_sum(void)
{
	return rte_raw_cksum(&echo()->icmp, sizeof(struct rte_icmp_hdr) + ECHO_DATA_BYTES);
}

/* From the peer to us, of `ping`'s size. */
static void given_echo(uint16_t sequence)
{
	struct echo_frame *f = echo();

	memset(f, 0, sizeof(*f));
	f->ether.src_addr = peer.mac;
	f->ether.dst_addr = self.mac;
	f->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	f->ip.version_ihl = 0x45;
	f->ip.total_length = RTE_BE16(sizeof(*f) - sizeof(f->ether));
	f->ip.packet_id = RTE_BE16(77);
	f->ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	f->ip.time_to_live = 3;
	f->ip.next_proto_id = IPPROTO_ICMP;
	f->ip.src_addr = peer.ip;
	f->ip.dst_addr = self.ip;
	f->ip.hdr_checksum = rte_ipv4_cksum(&f->ip);
	f->icmp.icmp_type = RTE_IP_ICMP_ECHO_REQUEST;
	f->icmp.icmp_ident = RTE_BE16(4711);
	f->icmp.icmp_seq_nb = rte_cpu_to_be_16(sequence);
	for (uint32_t i = 0; i < ECHO_DATA_BYTES; i++)
		f->data[i] = (uint8_t)i;
	f->icmp.icmp_cksum = (rte_be16_t)~icmp_sum();
	set_length(sizeof(*f));
}

static enum neighbour_answer when_it_comes(void)
{
	memset(&sender, 0xaa, sizeof(sender));
	return neighbour_on_frame(mbuf, &self, &sender);
}

static void then_it_is_none(void)
{
	struct echo_frame before = *echo();

	assert_int_equal(when_it_comes(), NEIGHBOUR_NONE);
	assert_int_equal(sender.ip, 0);
	assert_memory_equal(echo(), &before, sizeof(before));
}

static void then_the_peer_is_told(enum neighbour_answer answer)
{
	assert_int_equal(when_it_comes(), answer);
	assert_int_equal(sender.ip, peer.ip);
	assert_memory_equal(&sender.mac, &peer.mac, sizeof(peer.mac));
}

/* ---- ARP ---- */

static void then_the_frame_is(uint16_t opcode, const struct rte_ether_addr *to,
	const struct rte_ether_addr *target_mac, rte_be32_t target)
{
	const struct arp_frame *f = arp();

	assert_int_equal(mbuf->data_len, sizeof(*f));
	assert_int_equal(mbuf->pkt_len, sizeof(*f));
	assert_memory_equal(&f->ether.dst_addr, to, sizeof(*to));
	assert_memory_equal(&f->ether.src_addr, &self.mac, sizeof(self.mac));
	assert_int_equal(f->ether.ether_type, RTE_BE16(0x0806));
	assert_int_equal(f->arp.arp_hardware, RTE_BE16(1));
	assert_int_equal(f->arp.arp_protocol, RTE_BE16(0x0800));
	assert_int_equal(f->arp.arp_hlen, 6);
	assert_int_equal(f->arp.arp_plen, 4);
	assert_int_equal(f->arp.arp_opcode, rte_cpu_to_be_16(opcode));
	assert_memory_equal(&f->arp.arp_data.arp_sha, &self.mac, sizeof(self.mac));
	assert_int_equal(f->arp.arp_data.arp_sip, self.ip);
	assert_memory_equal(&f->arp.arp_data.arp_tha, target_mac, sizeof(*target_mac));
	assert_int_equal(f->arp.arp_data.arp_tip, target);
}

static void who_asks_for_us_gets_our_address_and_tells_its_own(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	then_the_peer_is_told(NEIGHBOUR_ANSWERED);
	then_the_frame_is(2, &peer.mac, &peer.mac, peer.ip);
}

static void who_asks_for_another_is_not_answered_and_tells_its_own(void **state)
{
	struct arp_frame before;

	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, another_ip);
	before = *arp();
	then_the_peer_is_told(NEIGHBOUR_TOLD);
	assert_memory_equal(arp(), &before, sizeof(before));
}

static void who_replies_tells_its_own(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REPLY, self.ip);
	then_the_peer_is_told(NEIGHBOUR_TOLD);
}

static void a_short_arp_frame_is_none(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	for (uint32_t length = 0; length < sizeof(struct arp_frame); length++) {
		set_length(length);
		then_it_is_none();
	}
}

static void padding_behind_arp_is_no_matter(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	set_length(60);
	then_the_peer_is_told(NEIGHBOUR_ANSWERED);
}

static void arp_of_other_networks_is_none(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	arp()->arp.arp_hardware = RTE_BE16(6);
	then_it_is_none();
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	arp()->arp.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	then_it_is_none();
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	arp()->arp.arp_hlen = 8;
	then_it_is_none();
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	arp()->arp.arp_plen = 16;
	then_it_is_none();
}

static void nobody_and_everybody_are_no_senders(void **state)
{
	const struct rte_ether_addr senders[] = {nobody, everybody, {{1, 0, 0x5e, 0, 0, 1}}};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		given_arp(RTE_ARP_OP_REQUEST, self.ip);
		arp()->arp.arp_data.arp_sha = senders[i];
		then_it_is_none();
	}
}

static void a_question_asks_everybody_for_one(void **state)
{
	(void)state;
	mbuf->ol_flags = RTE_MBUF_F_TX_IP_CKSUM;
	neighbour_ask(mbuf, &self, another_ip);
	then_the_frame_is(1, &everybody, &nobody, another_ip);
	assert_int_equal(mbuf->ol_flags, 0);
}

/* ---- ICMP echo ---- */

static void an_echo_to_us_comes_back_with_its_data(void **state)
{
	(void)state;
	/* Sums of every kind: with a carry, without, and 0. */
	for (uint32_t sequence = 0; sequence <= UINT16_MAX; sequence++) {
		given_echo((uint16_t)sequence);
		assert_int_equal(when_it_comes(), NEIGHBOUR_ANSWERED);
		assert_int_equal(echo()->icmp.icmp_type, RTE_IP_ICMP_ECHO_REPLY);
		/* A message with its right checksum in it sums up to -0 (RFC 1071). */
		assert_int_equal(icmp_sum(), 0xffff);
		assert_int_equal(echo()->icmp.icmp_seq_nb, rte_cpu_to_be_16((uint16_t)sequence));
	}
	assert_int_equal(echo()->icmp.icmp_code, 0);
	assert_int_equal(echo()->icmp.icmp_ident, RTE_BE16(4711));
	for (uint32_t i = 0; i < ECHO_DATA_BYTES; i++)
		assert_int_equal(echo()->data[i], i);
}

static void an_echo_comes_back_to_its_sender_from_us(void **state)
{
	(void)state;
	given_echo(1);
	mbuf->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(when_it_comes(), NEIGHBOUR_ANSWERED);
	assert_memory_equal(&echo()->ether.dst_addr, &peer.mac, sizeof(peer.mac));
	assert_memory_equal(&echo()->ether.src_addr, &self.mac, sizeof(self.mac));
	assert_int_equal(echo()->ip.dst_addr, peer.ip);
	assert_int_equal(echo()->ip.src_addr, self.ip);
	assert_int_equal(echo()->ip.time_to_live, 64);
	assert_int_equal(rte_raw_cksum(&echo()->ip, sizeof(echo()->ip)), 0xffff);
	assert_int_equal(mbuf->data_len, sizeof(struct echo_frame));
	assert_int_equal(mbuf->ol_flags, 0);
	/* The MAC address of an echo may be a router's. */
	assert_int_equal(sender.ip, 0);
}

static void an_echo_to_another_address_is_none(void **state)
{
	(void)state;
	given_echo(1);
	echo()->ip.dst_addr = another_ip;
	then_it_is_none();
}

static void fragments_and_options_are_none(void **state)
{
	const uint16_t fragments[] = {RTE_IPV4_HDR_MF_FLAG, 1, 0x1fff};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		given_echo(1);
		echo()->ip.fragment_offset = rte_cpu_to_be_16(fragments[i]);
		then_it_is_none();
	}
	given_echo(1);
	echo()->ip.version_ihl = 0x46;
	then_it_is_none();
	given_echo(1);
	echo()->ip.version_ihl = 0x65;
	then_it_is_none();
}

static void what_asks_for_no_echo_is_none(void **state)
{
	(void)state;
	given_echo(1);
	echo()->icmp.icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	then_it_is_none();
	given_echo(1);
	echo()->icmp.icmp_code = 1;
	then_it_is_none();
	given_echo(1);
	echo()->ip.next_proto_id = IPPROTO_TCP;
	then_it_is_none();
	given_echo(1);
	echo()->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	then_it_is_none();
}

static void a_truncated_echo_is_none(void **state)
{
	(void)state;
	given_echo(1);
	for (uint32_t length = 0; length < sizeof(struct echo_frame); length++) {
		set_length(length);
		then_it_is_none();
	}
}

static void a_length_without_an_icmp_header_is_none(void **state)
{
	(void)state;
	for (uint16_t length = 0; length < 28; length++) {
		given_echo(1);
		echo()->ip.total_length = rte_cpu_to_be_16(length);
		then_it_is_none();
	}
}

static void a_chained_frame_is_none(void **state)
{
	(void)state;
	given_arp(RTE_ARP_OP_REQUEST, self.ip);
	mbuf->nb_segs = 2;
	then_it_is_none();
	given_echo(1);
	then_it_is_none();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_asks_for_us_gets_our_address_and_tells_its_own),
		TEST(who_asks_for_another_is_not_answered_and_tells_its_own),
		TEST(who_replies_tells_its_own),
		TEST(a_short_arp_frame_is_none),
		TEST(padding_behind_arp_is_no_matter),
		TEST(arp_of_other_networks_is_none),
		TEST(nobody_and_everybody_are_no_senders),
		TEST(a_question_asks_everybody_for_one),
		TEST(an_echo_to_us_comes_back_with_its_data),
		TEST(an_echo_comes_back_to_its_sender_from_us),
		TEST(an_echo_to_another_address_is_none),
		TEST(fragments_and_options_are_none),
		TEST(what_asks_for_no_echo_is_none),
		TEST(a_truncated_echo_is_none),
		TEST(a_length_without_an_icmp_header_is_none),
		TEST(a_chained_frame_is_none),
	};

	if (!given_dpdk("neighbour"))
		return SKIPPED;
	pool = given_pool("frames", MBUFS);
	int failed = pool == NULL || cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	return failed;
}
