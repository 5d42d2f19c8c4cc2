/*
 * port.h - ethdevs: of rings inside one process, or of any driver by its devargs.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>
#include <rte_ring.h>

/* A port over net_ring with one RX and one TX queue for each of `queues` peers; started. The pool
 * is net_ring's formality: frames keep their senders' mbufs. False: a sentence in `error`. */
bool port_ring_start(const char *name, struct rte_ring *const rx[], struct rte_ring *const tx[],
	uint16_t queues, struct rte_mempool *pool, uint16_t *port, char *error, size_t size);

/* Stops and closes it. */
void port_stop(uint16_t port);

#endif
