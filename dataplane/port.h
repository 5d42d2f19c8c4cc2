/*
 * port.h - ethdevs: of rings inside one process, or of any driver by its devargs.
 *
 * Never:   guesses from a driver's name what it can do: rte_eth_dev_info says.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/frame.h"

struct port {
	uint16_t id;
	uint16_t queues;
	uint64_t tx_flags; /* RTE_MBUF_F_TX_* of the checksums that the device computes, or 0. */
	struct rte_ether_addr mac;
};

/* A port over net_ring with one RX and one TX queue for each of `queues` peers; started. The pool
 * is net_ring's formality: frames keep their senders' mbufs. False: a sentence in `error`. */
bool port_ring_start(const char *name, struct rte_ring *const rx[], struct rte_ring *const tx[],
	uint16_t queues, struct rte_mempool *pool, struct port *port, char *error, size_t size);

/* The port that the devargs name ("net_af_packet0,iface=eth0", "0000:01:00.0"), with so many
 * queues for packets of `mtu` bytes; started. */
bool port_start(const char *devargs, uint16_t queues, uint32_t mtu, struct rte_mempool *pool,
	struct port *port, char *error, size_t size);

/* Frames that the device or its driver dropped for want of room or of mbufs. */
uint64_t port_missed(const struct port *port);

/* Stops and closes it. */
void port_stop(const struct port *port);

#endif
