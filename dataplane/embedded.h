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

#include "dataplane/lcore.h"
#include "dataplane/replica.h"

enum {
	EMBEDDED_NODES_MAX = MEMBER_MAX + 1, /* The client is the last node. */
	EMBEDDED_LCORES_MAX = 8,
	EMBEDDED_RING_SIZE = 4096,
};

/* What a client needs to speak: queue i of its port leads to replica i. */
struct embedded_client {
	uint16_t port;
	struct frame_address address;
	struct rte_mempool *pool;
	struct frame_template templates[MEMBER_MAX];
};

struct embedded {
	const struct config *config;
	uint32_t replicas_count;
	uint32_t killed; /* Bitmask of replicas. */
	uint32_t lcores_count;
	struct lcore lcores[EMBEDDED_LCORES_MAX];
	struct rte_ring *wires[EMBEDDED_NODES_MAX][EMBEDDED_NODES_MAX];
	struct embedded_client client;
	struct replica replicas[MEMBER_MAX];
};

/* DPDK for a process of its own: no huge pages, no PCI, nothing shared; lcore 0 is control on any
 * CPU, lcores 1..lcores each on one. `more` (may be empty) are the user's own EAL arguments, after
 * ours. False: a sentence in `error`. */
bool embedded_eal(const char *program, uint32_t lcores, int more_count, char **more, char *error,
	size_t size);

/* Makes the cluster of the configuration; machines[i] is replica i's state machine. */
bool embedded_create(struct embedded *e, const struct config *config,
	const struct machine *machines, char *error, size_t size);

/* Puts every stage on the lcore that the configuration names, and the client's on its own. */
bool embedded_place(struct embedded *e, struct stage *client, uint32_t client_lcore, char *error,
	size_t size);

bool embedded_start(struct embedded *e, char *error, size_t size);
/* A replica is polled no more, as if its process had been killed. Any thread. */
void embedded_kill(struct embedded *e, uint32_t replica);
void embedded_stop(struct embedded *e);
void embedded_destroy(struct embedded *e);

#endif
