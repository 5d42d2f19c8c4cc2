/*
 * network.h - one node's way to the others: links (queue pairs of ports), and a route to each node.
 *
 * Owns:    the links' frames not yet sent, the routes with their header templates, what ARP told.
 *          Belongs to the lcore that polls it (an io stage, or a load).
 * Never:   gives a frame to a stage that frame_validate did not accept.
 * Upholds: every mbuf taken here leaves: returned, sent, or freed and counted by its reason.
 */
#ifndef DATAPLANE_NETWORK_H
#define DATAPLANE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "dataplane/frame.h"
#include "dataplane/handoff.h"

enum {
	NETWORK_LINKS_MAX = 16,
	NETWORK_CLIENTS_MAX = 64,
	NETWORK_ROUTES_MAX = MEMBER_MAX + NETWORK_CLIENTS_MAX, /* Members by id, then clients. */
	NETWORK_NO_CLIENT = NETWORK_ROUTES_MAX,
};

/* One RX and one TX queue of a port. */
struct link {
	uint16_t port;
	uint16_t queue;
	uint64_t tx_flags; /* Checksums that the device computes: see frame_address. */
	uint32_t pending;
	struct rte_mbuf *tx[HANDOFF_BURST];
};

/* Where frames to one node go out. */
struct route {
	bool used;
	bool known; /* The MAC address is: else ARP is asked, and frames for it are dropped. */
	uint16_t link;
	struct endpoint to;
	uint64_t heard_ns; /* Clients: the last frame. The one silent for longest makes room. */
	struct frame_template template;
};

struct network_counters {
	uint64_t rx_frames;
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t tx_full;     /* Frames the port did not take. */
	uint64_t unreachable; /* Frames to a node whose MAC address is not known yet. */
	uint64_t crowded;     /* Frames of one client too many. */
	uint64_t arp_asked;
	uint64_t answered; /* ARP and ICMP echo. */
	uint64_t drops[FRAME_DROP_REASONS];
};

struct network {
	struct endpoint self;
	struct rte_mempool *pool; /* For ARP's questions. */
	uint64_t asked_ns;
	uint32_t unknown; /* Routes in use without a MAC address. */
	uint32_t clients;
	uint32_t client_last;
	uint32_t links_count;
	struct network_counters counters;
	struct link links[NETWORK_LINKS_MAX];
	struct route routes[NETWORK_ROUTES_MAX];
};

void network_init(struct network *n, const struct endpoint *self, struct rte_mempool *pool);

/* Returns the link's number. */
uint16_t network_add_link(struct network *n, uint16_t port, uint16_t queue, uint64_t tx_flags);

/* Sets or changes a route. Without `known`, to->mac is ignored and ARP is asked. */
void network_route(struct network *n, uint32_t route, const struct endpoint *to, uint16_t link,
	bool known);

/* Valid frames of a link, at most HANDOFF_BURST. ARP and ICMP are answered on the way, the rest
 * that is not ours is counted. *taken: all frames that came. */
uint32_t network_receive(struct network *n, uint16_t link, struct rte_mbuf **frames,
	uint32_t *taken);

/* The route back to the client that sent a valid frame; a new one gets a route. NETWORK_NO_CLIENT:
 * there are too many. */
uint32_t network_client(struct network *n, const struct rte_mbuf *mbuf, uint16_t link,
	uint64_t now_ns);

/* Addresses a sealed frame and sends it with others, at network_flush at the latest. */
void network_send(struct network *n, uint32_t route, struct rte_mbuf *mbuf);
void network_flush(struct network *n);

/* Asks ARP for the nodes that are not known, now and then. */
void network_tick(struct network *n, uint64_t now_ns);

#endif
