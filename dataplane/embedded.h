/*
 * embedded.h - a whole cluster in one process: replicas and one client endpoint over net_ring.
 *
 * Owns:    the replicas, the rings between every two nodes, their ports, the lcores' loops.
 * Never:   needs root, hugepages or a NIC.
 */
#ifndef DATAPLANE_EMBEDDED_H
#define DATAPLANE_EMBEDDED_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/eal.h"
#include "dataplane/lcore.h"
#include "dataplane/network.h"
#include "dataplane/port.h"
#include "dataplane/replica.h"

enum {
	EMBEDDED_NODES_MAX = MEMBER_MAX + 1, /* The client is the last node. */
	EMBEDDED_LCORES_MAX = 8,
	EMBEDDED_RING_SIZE = 4096,
};

struct embedded {
	const struct config *config;
	uint32_t replicas_count;
	uint32_t killed; /* Bitmask of replicas. */
	uint32_t lcores_count;
	struct lcore lcores[EMBEDDED_LCORES_MAX];
	struct rte_ring *wires[EMBEDDED_NODES_MAX][EMBEDDED_NODES_MAX]; /* [sender][receiver] */
	/* Where the wires end: the same rings, unless something stands between (bench/faults.h). */
	struct rte_ring *arrivals[EMBEDDED_NODES_MAX][EMBEDDED_NODES_MAX];
	struct port ports[EMBEDDED_NODES_MAX];
	struct rte_mempool *client_pool;
	struct network client; /* The load's: route i leads to replica i. */
	struct replica replicas[MEMBER_MAX];
};

/* What such a cluster asks of DPDK: no huge pages, no PCI, nothing shared; lcores 1 to `lcores`,
 * or to the highest that the configuration names. */
struct eal_request embedded_request(const struct config *config, uint32_t lcores);

/* Makes the cluster of the configuration; machines[i] is replica i's state machine. `faulty`: a
 * wire's end is another ring than its begin, and someone must carry the frames across. */
bool embedded_create(struct embedded *e, const struct config *config,
	const struct machine *machines, bool faulty, char *error, size_t size);

/* Puts every stage on the lcore that the configuration names, and the client's on its own. */
bool embedded_place(struct embedded *e, struct stage *client, uint32_t client_lcore, char *error,
	size_t size);

bool embedded_start(struct embedded *e, char *error, size_t size);
/* A replica is polled no more for as long, as if its process had been stopped. Any thread. */
void embedded_pause(struct embedded *e, uint32_t replica, bool paused);
/* Nor ever again, as if its process had been killed. Any thread. */
void embedded_kill(struct embedded *e, uint32_t replica);
void embedded_stop(struct embedded *e);
void embedded_destroy(struct embedded *e);

#endif
