#include "dataplane/port.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

enum {
	DESCRIPTORS = 2048,
	RING_DESCRIPTORS = 512,
	NAME_MAX_BYTES = 64,
};

static bool queues_start(const struct port *port, const struct rte_eth_conf *conf, uint16_t rx,
	uint16_t tx, struct rte_mempool *pool, char *error, size_t size)
{
	int failed = rte_eth_dev_configure(port->id, port->queues, port->queues, conf);

	if (failed == 0)
		failed = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
	for (uint16_t q = 0; failed == 0 && q < port->queues; q++) {
		failed = rte_eth_rx_queue_setup(port->id, q, rx, rte_socket_id(), NULL, pool);
		if (failed == 0)
			failed = rte_eth_tx_queue_setup(port->id, q, tx, rte_socket_id(), NULL);
	}
	if (failed == 0)
		failed = rte_eth_dev_start(port->id);
	if (failed != 0)
		snprintf(error, size, "port %u with %u queues does not start: %s.", port->id,
			port->queues, rte_strerror(-failed));
	return failed == 0;
}

bool port_ring_start(const char *name, struct rte_ring *const rx[], struct rte_ring *const tx[],
	uint16_t queues, struct rte_mempool *pool, struct port *port, char *error, size_t size)
{
	const struct rte_eth_conf conf = {0};
	int id = rte_eth_from_rings(name, rx, queues, tx, queues, rte_socket_id());

	if (id < 0) {
		snprintf(error, size, "port %s can not be made of rings: %s.", name,
			rte_strerror(rte_errno));
		return false;
	}
	*port = (struct port){.id = (uint16_t)id, .queues = queues};
	return queues_start(port, &conf, RING_DESCRIPTORS, RING_DESCRIPTORS, pool, error, size);
}

/* The value of key `iface` in the devargs, or an empty text: drivers of kernel interfaces. */
static void interface_of(const char *devargs, char name[IF_NAMESIZE])
{
	const char *at = strstr(devargs, "iface=");

	name[0] = 0;
	if (at != NULL)
		snprintf(name, IF_NAMESIZE, "%.*s", (int)strcspn(at + 6, ","), at + 6);
}

/* A kernel interface drops what exceeds its own MTU, and no counter of DPDK's shows it. */
static bool interface_fits(const char *devargs, uint32_t mtu, char *error, size_t size)
{
	struct ifreq request = {0};
	int s;

	interface_of(devargs, request.ifr_name);
	if (request.ifr_name[0] == 0)
		return true;
	if (if_nametoindex(request.ifr_name) == 0) {
		snprintf(error, size,
			"port \"%s\": there is no interface %s: `ip link` lists those there are.",
			devargs, request.ifr_name);
		return false;
	}
	s = socket(AF_INET, SOCK_DGRAM, 0);
	bool known = s >= 0 && ioctl(s, SIOCGIFMTU, &request) == 0;

	if (s >= 0)
		close(s);
	if (!known || (uint32_t)request.ifr_mtu >= mtu)
		return true;
	snprintf(error, size,
		"port \"%s\": %s carries %d bytes, the cluster's mtu is %u: run `ip link set %s mtu "
		"%u`, or lower mtu in every host's file.",
		devargs, request.ifr_name, request.ifr_mtu, mtu, request.ifr_name, mtu);
	return false;
}

static bool probe(const char *devargs, uint16_t *id, char *error, size_t size)
{
	char name[NAME_MAX_BYTES];
	int failed = 0;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	if (rte_eth_dev_get_port_by_name(name, id) == 0)
		return true;
	failed = rte_dev_probe(devargs);
	if (failed == 0 && rte_eth_dev_get_port_by_name(name, id) == 0)
		return true;
	if (failed == 0)
		failed = -ENODEV;
	snprintf(error, size,
		"port \"%s\" can not be opened: %s; is the device there, unused, bound to a driver "
		"that DPDK knows, and are we root?",
		devargs, strerror(failed < 0 ? -failed : failed));
	return false;
}

/* What the device takes off us, and how it spreads frames over several queues. */
static struct rte_eth_conf conf_of(const struct rte_eth_dev_info *info, uint32_t mtu,
	struct port *port)
{
	const uint64_t checksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_conf conf = {.rxmode.mtu = mtu};

	if ((info->tx_offload_capa & checksums) == checksums) {
		conf.txmode.offloads = checksums;
		port->tx_flags =
			RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM;
	}
	if (port->queues > 1 && info->flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
	}
	return conf;
}

bool port_start(const char *devargs, uint16_t queues, uint32_t mtu, struct rte_mempool *pool,
	struct port *port, char *error, size_t size)
{
	struct rte_eth_dev_info info;

	*port = (struct port){.queues = queues};
	if (!interface_fits(devargs, mtu, error, size) || !probe(devargs, &port->id, error, size))
		return false;
	int failed = rte_eth_dev_info_get(port->id, &info);

	if (failed == 0)
		failed = rte_eth_macaddr_get(port->id, &port->mac);
	if (failed != 0) {
		snprintf(error, size, "port \"%s\" does not say what it can do: %s.", devargs,
			rte_strerror(-failed));
		return false;
	}
	if (queues > info.max_rx_queues || queues > info.max_tx_queues) {
		snprintf(error, size,
			"port \"%s\" has at most %u RX and %u TX queues: give `queues` no more (some "
			"drivers have an argument for it, such as qpairs).",
			devargs, info.max_rx_queues, info.max_tx_queues);
		return false;
	}
	if (mtu > info.max_mtu) {
		snprintf(error, size, "port \"%s\" carries at most %u bytes: give `mtu` no more.",
			devargs, info.max_mtu);
		return false;
	}
	const struct rte_eth_conf conf = conf_of(&info, mtu, port);

	return queues_start(port, &conf, DESCRIPTORS, DESCRIPTORS, pool, error, size);
}

uint64_t port_missed(const struct port *port)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(port->id, &stats) != 0)
		return 0;
	return stats.imissed + stats.rx_nombuf + stats.ierrors + stats.oerrors;
}

void port_stop(const struct port *port)
{
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
}
