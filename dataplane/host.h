/*
 * host.h - a node with ports of its own: a replica or a load in its own process.
 *
 * Owns:    the ports that its configuration names.
 *
 * One port leads to every node. Of several, the j-th leads to the j-th other member by id (a pair of
 * memif sockets for each peer, say); a load's j-th to member j.
 */
#ifndef DATAPLANE_HOST_H
#define DATAPLANE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/eal.h"
#include "dataplane/lcore.h"
#include "dataplane/live.h"
#include "dataplane/network.h"
#include "dataplane/port.h"

enum {
	HOST_CLIENT = MEMBER_MAX /* In place of a member's id: a load's node. */
};

struct host {
	const struct config *config;
	uint32_t member; /* Or HOST_CLIENT. */
	uint32_t ports_count;
	struct port ports[CONFIG_PORTS_MAX];
};

/* What such a node asks of DPDK. `prefix` must outlive eal_start. */
struct eal_request host_request(const struct config *config, const struct config_ports *ports,
	const char *prefix);

/* Can this node be reached with these ports and addresses? Before EAL. */
bool host_check(const struct config *config, uint32_t member, const struct config_ports *ports,
	char *error, size_t size);

/* Opens the ports with `queues` each. Received frames go to mbufs of `pool`. */
bool host_open(struct host *h, const struct config *config, uint32_t member,
	const struct config_ports *ports, uint32_t queues, struct rte_mempool *pool, char *error,
	size_t size);

/* The node's own address; `udp_port` in host order. */
struct endpoint host_endpoint(const struct host *h, const struct address *address,
	uint32_t udp_port);

/* Where the members are, as the configuration says and the ports lead. */
void host_members(const struct host *h, struct live_member members[MEMBER_MAX]);

/* Each queue of each port is a link, in order. */
void host_links(const struct host *h, struct network *network);

void host_close(struct host *h);

#endif
