/* Frames: what is written is read, and each bad frame is refused by its own reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>

#include "dataplane/frame.h"

enum {
	MBUFS = 63,
	ROOM = 2048,
	COMMANDS = 3,
	SKIPPED = 77,
};

static struct rte_mempool *pool;
static struct rte_mbuf *mbuf;
static struct frame_address self, peer;
static struct frame_template template;
static struct message given;

static uint8_t *bytes(void)
{
	return rte_pktmbuf_mtod(mbuf, uint8_t *);
}

static struct frame_template *net(void)
{
	return (struct frame_template *)bytes();
}

/* A run of commands whose values have this length, as member 1 sends it to us. */
static void given_run(uint32_t length)
{
	uint8_t *body = bytes() + FRAME_BODY_OFFSET;
	uint32_t at = 0;

	for (uint32_t i = 0; i < COMMANDS; i++) {
		const struct entry e = {
			.session = 7,
			.sequence_length = entry_pack(ENTRY_COMMAND, i, length),
		};

		memcpy(body + at, &e, sizeof(e));
		memset(body + at + sizeof(e), 0x5a, entry_bytes(length) - ENTRY_BYTES);
		at += entry_bytes(length);
	}
	given = (struct message){
		.type = MESSAGE_ACCEPT,
		.sender = 1,
		.ballot = ballot_make(3, 1),
		.first = 512,
		.count = COMMANDS,
		.watermark = 500,
		.uuid = 4711,
		.payload_len = (uint16_t)at,
		.checksum = message_crc(body, at),
	};
	frame_write(mbuf, &template, &given);
}

static int setup(void **state)
{
	(void)state;
	self = (struct frame_address){
		.mac = {.addr_bytes = {2, 0, 0, 0, 0, 1}},
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1)),
		.port = rte_cpu_to_be_16(7400),
	};
	peer = (struct frame_address){
		.mac = {.addr_bytes = {2, 0, 0, 0, 0, 2}},
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2)),
		.port = rte_cpu_to_be_16(7401),
	};
	frame_template_init(&template, &peer, &self);
	mbuf = rte_pktmbuf_alloc(pool);
	if (mbuf == NULL)
		return -1;
	memset(bytes(), 0xee, ROOM);
	given_run(13);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mbuf->nb_segs = 1;
	rte_pktmbuf_free(mbuf);
	return 0;
}

static void then_refused(uint32_t reason)
{
	assert_string_equal(frame_drop_text(frame_validate(mbuf, &self)), frame_drop_text(reason));
}

static void then_accepted(void)
{
	then_refused(DROP_NONE);
	assert_int_equal(frame_of(mbuf)->m.payload_len, given.payload_len);
	assert_ptr_equal(frame_of(mbuf)->body, bytes() + FRAME_BODY_OFFSET);
}

static void set_data_len(uint32_t length)
{
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
}

static void what_is_written_is_read(void **state)
{
	const struct message *m = &frame_of(mbuf)->m;

	(void)state;
	then_accepted();
	assert_int_equal(m->type, given.type);
	assert_int_equal(m->sender, given.sender);
	assert_int_equal(m->ballot, given.ballot);
	assert_int_equal(m->first, given.first);
	assert_int_equal(m->count, given.count);
	assert_int_equal(m->watermark, given.watermark);
	assert_int_equal(m->uuid, given.uuid);
	assert_int_equal(m->checksum, given.checksum);
}

static void a_frame_without_a_body_is_read(void **state)
{
	(void)state;
	given = (struct message){.type = MESSAGE_HEARTBEAT, .sender = 1};
	frame_write(mbuf, &template, &given);
	assert_int_equal(mbuf->data_len, FRAME_BODY_OFFSET);
	then_accepted();
}

static void headers_say_what_any_host_expects(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < 400; length += 8) {
		given_run(length);
		uint32_t ip_bytes = mbuf->data_len - (uint32_t)sizeof(struct rte_ether_hdr);

		assert_int_equal(mbuf->data_len, FRAME_BODY_OFFSET + given.payload_len);
		assert_int_equal(mbuf->pkt_len, mbuf->data_len);
		assert_int_equal(rte_be_to_cpu_16(net()->ip.total_length), ip_bytes);
		assert_int_equal(rte_be_to_cpu_16(net()->udp.dgram_len),
			ip_bytes - sizeof(struct rte_ipv4_hdr));
		/* The sum over a header with its checksum in it is nothing. */
		assert_int_equal(rte_ipv4_cksum(&net()->ip), 0);
		then_accepted();
	}
	assert_memory_equal(&net()->ether.dst_addr, &self.mac, sizeof(self.mac));
	assert_memory_equal(&net()->ether.src_addr, &peer.mac, sizeof(peer.mac));
	assert_int_equal(net()->ip.src_addr, peer.ip);
	assert_int_equal(net()->udp.src_port, peer.port);
}

static void padding_is_cut(void **state)
{
	(void)state;
	for (uint32_t padding = 1; padding <= 64; padding++) {
		set_data_len(FRAME_BODY_OFFSET + given.payload_len + padding);
		then_accepted();
	}
}

static void a_chained_frame_is_refused(void **state)
{
	(void)state;
	mbuf->nb_segs = 2;
	then_refused(FRAME_DROP_SEGMENTS);
}

static void what_is_not_plain_ipv4_is_refused(void **state)
{
	const uint16_t types[] = {RTE_ETHER_TYPE_VLAN, RTE_ETHER_TYPE_QINQ, RTE_ETHER_TYPE_IPV6,
		RTE_ETHER_TYPE_ARP};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		net()->ether.ether_type = rte_cpu_to_be_16(types[i]);
		then_refused(FRAME_DROP_NOT_IP);
	}
}

static void a_frame_shorter_than_its_headers_is_refused(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < FRAME_BODY_OFFSET; length++) {
		set_data_len(length);
		then_refused(
			length < sizeof(struct rte_ether_hdr) ? FRAME_DROP_NOT_IP : DROP_SHORT);
	}
}

static void ip_options_and_other_versions_are_refused(void **state)
{
	(void)state;
	net()->ip.version_ihl = 0x46;
	then_refused(FRAME_DROP_IP);
	net()->ip.version_ihl = 0x65;
	then_refused(FRAME_DROP_IP);
}

static void fragments_are_refused(void **state)
{
	const uint16_t fragments[] = {RTE_IPV4_HDR_MF_FLAG, 1, 0x1fff, RTE_IPV4_HDR_DF_FLAG | 1};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		net()->ip.fragment_offset = rte_cpu_to_be_16(fragments[i]);
		then_refused(FRAME_DROP_IP);
	}
	net()->ip.fragment_offset = 0;
	then_accepted();
}

static void set_total_length(uint32_t length)
{
	net()->ip.total_length = rte_cpu_to_be_16((uint16_t)length);
}

static void a_total_length_that_does_not_fit_is_refused(void **state)
{
	uint32_t right = mbuf->data_len - (uint32_t)sizeof(struct rte_ether_hdr);

	(void)state;
	set_total_length(right + 1);
	then_refused(FRAME_DROP_IP);
	set_total_length(65535);
	then_refused(FRAME_DROP_IP);
	set_total_length(FRAME_BODY_OFFSET - sizeof(struct rte_ether_hdr) - 1);
	then_refused(FRAME_DROP_IP);
	set_total_length(0);
	then_refused(FRAME_DROP_IP);
	set_total_length(right);
	then_accepted();
	/* Shorter than a header, and the UDP length says so too. */
	set_total_length(100);
	net()->udp.dgram_len = rte_cpu_to_be_16(80);
	then_refused(FRAME_DROP_IP);
}

static void a_udp_length_that_differs_is_refused(void **state)
{
	(void)state;
	net()->udp.dgram_len =
		rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(net()->udp.dgram_len) - 1));
	then_refused(FRAME_DROP_IP);
	net()->udp.dgram_len = 0;
	then_refused(FRAME_DROP_IP);
}

static void tcp_is_refused(void **state)
{
	(void)state;
	net()->ip.next_proto_id = IPPROTO_TCP;
	then_refused(FRAME_DROP_NOT_UDP);
}

static void another_address_or_port_is_refused(void **state)
{
	(void)state;
	net()->ip.dst_addr = peer.ip;
	then_refused(FRAME_DROP_PORT);
	net()->ip.dst_addr = self.ip;
	net()->udp.dst_port = peer.port;
	then_refused(FRAME_DROP_PORT);
	net()->udp.dst_port = self.port;
	then_accepted();
}

static void a_wrong_tag_is_refused(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		bytes()[FRAME_BODY_OFFSET - 16 + i] ^= 1;
		then_refused(DROP_TAG);
		bytes()[FRAME_BODY_OFFSET - 16 + i] ^= 1;
	}
	bytes()[FRAME_NET_BYTES + offsetof(struct message_wire, ballot)] ^= 1;
	then_refused(DROP_TAG);
}

static void a_body_with_a_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 8u * given.payload_len; bit++) {
		uint8_t *byte = bytes() + FRAME_BODY_OFFSET + bit / 8;

		*byte ^= (uint8_t)(1u << (bit % 8));
		then_refused(DROP_CHECKSUM);
		*byte ^= (uint8_t)(1u << (bit % 8));
	}
	then_accepted();
}

static void every_truncation_is_refused(void **state)
{
	uint32_t whole = mbuf->data_len;

	(void)state;
	for (uint32_t length = FRAME_BODY_OFFSET; length < whole; length++) {
		given_run(13);
		set_data_len(length);
		then_refused(FRAME_DROP_IP);
		/* By one who writes the lengths anew. */
		set_total_length(length - (uint32_t)sizeof(struct rte_ether_hdr));
		net()->udp.dgram_len = rte_cpu_to_be_16((uint16_t)(length - 34));
		then_refused(DROP_LENGTH);
	}
}

static void the_tag_decides_and_no_other_checksum(void **state)
{
	(void)state;
	net()->udp.dgram_cksum = 0x1234;
	then_accepted();
	mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
	then_accepted();
	mbuf->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	bytes()[FRAME_BODY_OFFSET] ^= 1;
	then_refused(DROP_CHECKSUM);
}

static void every_reason_has_its_own_name(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < FRAME_DROP_REASONS; i++) {
		assert_string_not_equal(frame_drop_text(i), frame_drop_text(DROP_REASONS + 100));
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(frame_drop_text(i), frame_drop_text(j));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	char *arguments[] = {"test_frame", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level=lib.*:warning", "-m", "64", NULL};
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(a_frame_without_a_body_is_read),
		TEST(headers_say_what_any_host_expects),
		TEST(padding_is_cut),
		TEST(a_chained_frame_is_refused),
		TEST(what_is_not_plain_ipv4_is_refused),
		TEST(a_frame_shorter_than_its_headers_is_refused),
		TEST(ip_options_and_other_versions_are_refused),
		TEST(fragments_are_refused),
		TEST(a_total_length_that_does_not_fit_is_refused),
		TEST(a_udp_length_that_differs_is_refused),
		TEST(tcp_is_refused),
		TEST(another_address_or_port_is_refused),
		TEST(a_wrong_tag_is_refused),
		TEST(a_body_with_a_flipped_bit_is_refused),
		TEST(every_truncation_is_refused),
		TEST(the_tag_decides_and_no_other_checksum),
		TEST(every_reason_has_its_own_name),
	};

	if (rte_eal_init(8, arguments) < 0 ||
		(pool = rte_pktmbuf_pool_create("frames", MBUFS, 0, FRAME_PRIVATE_BYTES,
			 ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY)) == NULL) {
		puts("skipped: frame: DPDK does not start here with 64 MiB of plain memory.");
		return SKIPPED;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rte_eal_cleanup();
	return failed;
}
