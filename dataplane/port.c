#include "dataplane/port.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

enum {
	DESCRIPTORS = 512
};

static bool start(uint16_t port, uint16_t queues, struct rte_mempool *pool, char *error,
	size_t size)
{
	const struct rte_eth_conf conf = {0};
	int failed = rte_eth_dev_configure(port, queues, queues, &conf);

	for (uint16_t q = 0; failed == 0 && q < queues; q++) {
		failed = rte_eth_rx_queue_setup(port, q, DESCRIPTORS, rte_socket_id(), NULL, pool);
		if (failed == 0)
			failed =
				rte_eth_tx_queue_setup(port, q, DESCRIPTORS, rte_socket_id(), NULL);
	}
	if (failed == 0)
		failed = rte_eth_dev_start(port);
	if (failed != 0)
		snprintf(error, size, "port %u with %u queues does not start: %s.", port, queues,
			rte_strerror(-failed));
	return failed == 0;
}

bool port_ring_start(const char *name, struct rte_ring *const rx[], struct rte_ring *const tx[],
	uint16_t queues, struct rte_mempool *pool, uint16_t *port, char *error, size_t size)
{
	int id = rte_eth_from_rings(name, rx, queues, tx, queues, rte_socket_id());

	if (id < 0) {
		snprintf(error, size, "port %s can not be made of rings: %s.", name,
			rte_strerror(rte_errno));
		return false;
	}
	*port = (uint16_t)id;
	return start(*port, queues, pool, error, size);
}

void port_stop(uint16_t port)
{
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
}
