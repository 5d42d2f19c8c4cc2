/*
 * neighbour.h - what any node of an Ethernet must answer: ARP (RFC 826) and ICMP echo (RFC 792).
 *
 * Never:   keeps anything: what an ARP frame tells is handed back, and the network's routes hold it.
 * Upholds: a frame too short for what it claims, or for another address, is none of ours.
 * Proofs:  tests/unit/test_neighbour.c.
 */
#ifndef DATAPLANE_NEIGHBOUR_H
#define DATAPLANE_NEIGHBOUR_H

#include "dataplane/frame.h"

enum neighbour_answer {
	NEIGHBOUR_NONE,     /* Nothing for us. */
	NEIGHBOUR_TOLD,     /* *sender says where an IP address is. */
	NEIGHBOUR_ANSWERED, /* As TOLD (for ARP), and the mbuf has become the answer: send it back. */
};

/* A frame that frame_validate found no UDP in. *sender: mac and ip, or ip 0. */
enum neighbour_answer neighbour_on_frame(struct rte_mbuf *mbuf, const struct endpoint *self,
	struct endpoint *sender);

/* Makes a fresh mbuf the question who has `ip` (network order). */
void neighbour_ask(struct rte_mbuf *mbuf, const struct endpoint *self, rte_be32_t ip);

#endif
