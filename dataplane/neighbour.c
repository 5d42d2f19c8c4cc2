#include "dataplane/neighbour.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_icmp.h>

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
} __attribute__((packed, aligned(2)));

struct echo_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_icmp_hdr icmp;
} __attribute__((packed, aligned(2)));

enum {
	IHL_PLAIN = 0x45,
	TTL = 64,
};

static void arp_write(struct arp_frame *f, const struct endpoint *self, uint16_t opcode,
	const struct rte_ether_addr *to_mac, rte_be32_t to_ip)
{
	f->ether.src_addr = self->mac;
	f->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	f->arp.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	f->arp.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	f->arp.arp_hlen = RTE_ETHER_ADDR_LEN;
	f->arp.arp_plen = sizeof(rte_be32_t);
	f->arp.arp_opcode = rte_cpu_to_be_16(opcode);
	f->arp.arp_data.arp_sha = self->mac;
	f->arp.arp_data.arp_sip = self->ip;
	f->arp.arp_data.arp_tha = *to_mac;
	f->arp.arp_data.arp_tip = to_ip;
}

void neighbour_ask(struct rte_mbuf *mbuf, const struct endpoint *self, rte_be32_t ip)
{
	const struct rte_ether_addr nobody = {.addr_bytes = {0}};
	struct arp_frame *f = rte_pktmbuf_mtod(mbuf, struct arp_frame *);

	memset(&f->ether.dst_addr, 0xff, sizeof(f->ether.dst_addr));
	arp_write(f, self, RTE_ARP_OP_REQUEST, &nobody, ip);
	mbuf->data_len = sizeof(*f);
	mbuf->pkt_len = sizeof(*f);
	mbuf->ol_flags = 0;
}

static enum neighbour_answer on_arp(struct rte_mbuf *mbuf, const struct endpoint *self,
	struct endpoint *sender)
{
	struct arp_frame *f = rte_pktmbuf_mtod(mbuf, struct arp_frame *);

	if (mbuf->data_len < sizeof(*f) ||
		f->arp.arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) ||
		f->arp.arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
		f->arp.arp_hlen != RTE_ETHER_ADDR_LEN || f->arp.arp_plen != sizeof(rte_be32_t) ||
		!rte_is_valid_assigned_ether_addr(&f->arp.arp_data.arp_sha))
		return NEIGHBOUR_NONE;
	const struct rte_ether_addr mac = f->arp.arp_data.arp_sha;
	const rte_be32_t ip = f->arp.arp_data.arp_sip;

	sender->mac = mac;
	sender->ip = ip;
	if (f->arp.arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
		f->arp.arp_data.arp_tip != self->ip)
		return NEIGHBOUR_TOLD;
	f->ether.dst_addr = mac;
	arp_write(f, self, RTE_ARP_OP_REPLY, &mac, ip);
	return NEIGHBOUR_ANSWERED;
}

static enum neighbour_answer on_echo(struct rte_mbuf *mbuf, const struct endpoint *self)
{
	struct echo_frame *f = rte_pktmbuf_mtod(mbuf, struct echo_frame *);

	if (mbuf->data_len < sizeof(*f) || f->ip.version_ihl != IHL_PLAIN ||
		f->ip.next_proto_id != IPPROTO_ICMP || f->ip.dst_addr != self->ip ||
		rte_be_to_cpu_16(f->ip.total_length) + sizeof(f->ether) > mbuf->data_len ||
		rte_be_to_cpu_16(f->ip.total_length) < sizeof(*f) - sizeof(f->ether) ||
		(f->ip.fragment_offset & rte_cpu_to_be_16(0x3fff)) != 0 ||
		f->icmp.icmp_type != RTE_IP_ICMP_ECHO_REQUEST || f->icmp.icmp_code != 0)
		return NEIGHBOUR_NONE;
	/* Only the type changes: one's complement takes the difference out (RFC 1624). */
	uint32_t sum =
		(uint32_t)f->icmp.icmp_cksum + rte_cpu_to_be_16(RTE_IP_ICMP_ECHO_REQUEST << 8);

	f->icmp.icmp_cksum = (rte_be16_t)((sum & 0xffff) + (sum >> 16));
	f->icmp.icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	f->ip.dst_addr = f->ip.src_addr;
	f->ip.src_addr = self->ip;
	f->ip.time_to_live = TTL;
	f->ip.hdr_checksum = 0;
	f->ip.hdr_checksum = rte_ipv4_cksum(&f->ip);
	f->ether.dst_addr = f->ether.src_addr;
	f->ether.src_addr = self->mac;
	mbuf->ol_flags = 0;
	return NEIGHBOUR_ANSWERED;
}

enum neighbour_answer neighbour_on_frame(struct rte_mbuf *mbuf, const struct endpoint *self,
	struct endpoint *sender)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);

	sender->ip = 0;
	if (mbuf->nb_segs != 1 || mbuf->data_len < sizeof(*ether))
		return NEIGHBOUR_NONE;
	if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
		return on_arp(mbuf, self, sender);
	if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return on_echo(mbuf, self);
	return NEIGHBOUR_NONE;
}
