#include "dataplane/frame.h"

#include <string.h>

enum {
	TTL = 64,
	IHL_PLAIN = 0x45
};

void frame_template_init(struct frame_template *t, const struct endpoint *from,
	const struct endpoint *to)
{
	memset(t, 0, sizeof(*t));
	t->ether.src_addr = from->mac;
	t->ether.dst_addr = to->mac;
	t->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	t->ip.version_ihl = IHL_PLAIN;
	t->ip.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	t->ip.time_to_live = TTL;
	t->ip.next_proto_id = IPPROTO_UDP;
	t->ip.src_addr = from->ip;
	t->ip.dst_addr = to->ip;
	t->ip.hdr_checksum = 0;
	t->ip.hdr_checksum = rte_ipv4_cksum(&t->ip);
	t->udp.src_port = from->port;
	t->udp.dst_port = to->port;
}

/* The template's checksum is of total_length 0: one's complement adds the length in (RFC 1624). */
static rte_be16_t checksum_with_length(rte_be16_t checksum, rte_be16_t length)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + length;

	return (rte_be16_t) ~(uint16_t)((sum & 0xffff) + (sum >> 16));
}

void frame_seal(struct rte_mbuf *mbuf, const struct message *m)
{
	message_encode(m, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_NET_BYTES));
	mbuf->data_len = (uint16_t)(FRAME_BODY_OFFSET + m->payload_len);
	mbuf->pkt_len = mbuf->data_len;
}

void frame_address(struct rte_mbuf *mbuf, const struct frame_template *t, uint64_t tx_flags)
{
	struct frame_template *net = rte_pktmbuf_mtod(mbuf, struct frame_template *);
	uint16_t ip_bytes = (uint16_t)(mbuf->data_len - sizeof(struct rte_ether_hdr));

	memcpy(net, t, sizeof(*t));
	net->ip.total_length = rte_cpu_to_be_16(ip_bytes);
	net->udp.dgram_len = rte_cpu_to_be_16((uint16_t)(ip_bytes - sizeof(struct rte_ipv4_hdr)));
	mbuf->ol_flags = tx_flags;
	if (likely(tx_flags == 0)) {
		net->ip.hdr_checksum =
			checksum_with_length(t->ip.hdr_checksum, net->ip.total_length);
		return;
	}
	mbuf->l2_len = sizeof(struct rte_ether_hdr);
	mbuf->l3_len = sizeof(struct rte_ipv4_hdr);
	net->ip.hdr_checksum = 0;
	net->udp.dgram_cksum = rte_ipv4_phdr_cksum(&net->ip, tx_flags);
}

const char *frame_drop_text(uint32_t reason)
{
	switch (reason) {
	case FRAME_DROP_NOT_IP:
		return "not_ip";
	case FRAME_DROP_IP:
		return "ip";
	case FRAME_DROP_NOT_UDP:
		return "not_udp";
	case FRAME_DROP_PORT:
		return "port";
	case FRAME_DROP_SEGMENTS:
		return "segments";
	default:
		return drop_text((enum drop)reason);
	}
}

uint32_t frame_validate(struct rte_mbuf *mbuf, const struct endpoint *self)
{
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	const struct frame_template *net = (const struct frame_template *)bytes;

	if (mbuf->nb_segs != 1)
		return FRAME_DROP_SEGMENTS;
	if (mbuf->data_len < sizeof(struct rte_ether_hdr) ||
		net->ether.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return FRAME_DROP_NOT_IP;
	if (mbuf->data_len < FRAME_BODY_OFFSET)
		return DROP_SHORT;
	uint32_t total = rte_be_to_cpu_16(net->ip.total_length);

	if (net->ip.version_ihl != IHL_PLAIN ||
		(net->ip.fragment_offset & rte_cpu_to_be_16(0x3fff)) != 0 ||
		total + sizeof(struct rte_ether_hdr) > mbuf->data_len ||
		total < FRAME_BODY_OFFSET - sizeof(struct rte_ether_hdr))
		return FRAME_DROP_IP;
	if (net->ip.next_proto_id != IPPROTO_UDP)
		return FRAME_DROP_NOT_UDP;
	if (net->ip.dst_addr != self->ip || net->udp.dst_port != self->port)
		return FRAME_DROP_PORT;
	if (rte_be_to_cpu_16(net->udp.dgram_len) != total - sizeof(struct rte_ipv4_hdr))
		return FRAME_DROP_IP;
	struct frame *frame = frame_of(mbuf);

	frame->body = bytes + FRAME_BODY_OFFSET;
	/* What the link padded lies beyond the IP length, and is not looked at. */
	return message_decode(bytes + FRAME_NET_BYTES,
		total + sizeof(struct rte_ether_hdr) - FRAME_NET_BYTES, &frame->m);
}
