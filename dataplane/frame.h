/*
 * frame.h - Ethernet, IPv4 and UDP around a message: templates out, validation in.
 *
 * Owns:    the private area of every mbuf of ours: the decoded message, and where its body stands.
 * Never:   trusts a NIC's verdict, or a UDP checksum: the header's tag decides (consensus/message.h).
 * Upholds: a frame that frame_validate refuses is counted by its reason and read no further.
 * Proofs:  tests/unit/test_frame.c.
 */
#ifndef DATAPLANE_FRAME_H
#define DATAPLANE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "consensus/message.h"

enum {
	FRAME_NET_BYTES = 42, /* Ethernet, IPv4, UDP. */
	FRAME_BODY_OFFSET = FRAME_NET_BYTES + HEADER_BYTES,
	FRAME_SLACK_BYTES = 64, /* Ethernet's header, and a VLAN tag that we then refuse. */
};

/* Everything below the message that frames on one route share. */
struct frame_template {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip; /* total_length 0, hdr_checksum of that. */
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2)));
static_assert(sizeof(struct frame_template) == FRAME_NET_BYTES, "the body starts a cache line");

/* An endpoint as the network knows it; addresses and port in network order. */
struct endpoint {
	struct rte_ether_addr mac;
	uint32_t ip;
	uint16_t port;
};

/* In the private area of an mbuf between stages. */
struct frame {
	struct message m;
	const uint8_t *body;
};

static inline struct frame *frame_of(struct rte_mbuf *mbuf)
{
	return rte_mbuf_to_priv(mbuf);
}

/* Whole cache lines, so that a frame and its body begin one. */
enum {
	FRAME_PRIVATE_BYTES = (sizeof(struct frame) + RTE_CACHE_LINE_SIZE - 1) /
		RTE_CACHE_LINE_SIZE * RTE_CACHE_LINE_SIZE
};

/* Where a frame of our pools begins: known without a look at the mbuf, which may still be on its way. */
static inline const uint8_t *frame_bytes(const struct rte_mbuf *mbuf)
{
	return (const uint8_t *)(mbuf + 1) + FRAME_PRIVATE_BYTES + RTE_PKTMBUF_HEADROOM;
}

/* More of a frame is not fetched ahead: its begin would be lost again before it is looked at. */
enum {
	FRAME_FETCH_MAX = 2048
};

/* Bytes of an mbuf's data room for packets of `mtu` bytes. `device`: a driver fills it, and drivers
 * think in buffers of 2 KiB. */
static inline uint16_t frame_room(uint32_t mtu, bool device)
{
	uint32_t bytes = mtu + FRAME_SLACK_BYTES;

	return (uint16_t)(RTE_PKTMBUF_HEADROOM + (device ? RTE_ALIGN_CEIL(bytes, 2048u) : bytes));
}

void frame_template_init(struct frame_template *t, const struct endpoint *from,
	const struct endpoint *to);

/* Writes the sealed message in front of a body of m->payload_len bytes that stands (or will stand)
 * at FRAME_BODY_OFFSET; sets the mbuf's lengths. */
void frame_seal(struct rte_mbuf *mbuf, const struct message *m);

/* Writes the network headers in front of a sealed message. `tx_flags`: the checksums that the
 * device computes (RTE_MBUF_F_TX_*), or 0: then the IP checksum is computed here, and there is no
 * UDP checksum, for the header's tag says more (RFC 768: 0 is none). */
void frame_address(struct rte_mbuf *mbuf, const struct frame_template *t, uint64_t tx_flags);

/* Why a frame is none of ours, below the message's own reasons. */
enum frame_drop {
	FRAME_DROP_NOT_IP = DROP_REASONS, /* another ethertype, VLAN, ... */
	FRAME_DROP_IP,                    /* options, fragments, a length that does not fit */
	FRAME_DROP_NOT_UDP,
	FRAME_DROP_PORT,     /* another address or port */
	FRAME_DROP_SEGMENTS, /* a chained frame */
	FRAME_DROP_REASONS,
};

const char *frame_drop_text(uint32_t reason);

/* Validates a received frame for `self`; fills frame_of(mbuf) and cuts the padding. Returns
 * DROP_NONE or a reason. */
uint32_t frame_validate(struct rte_mbuf *mbuf, const struct endpoint *self);

#endif
