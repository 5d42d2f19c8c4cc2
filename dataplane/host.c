#include "dataplane/host.h"

#include <stdio.h>
#include <string.h>

#include "consensus/session.h"
#include "dataplane/replica.h"
#include "dataplane/store.h"

enum {
	MEMORY_MIB = 144, /* Rings and stages, besides what the configuration sizes. */
	MEBIBYTE = 1 << 20,
};

struct eal_request host_request(const struct config *config, const struct config_ports *ports,
	const char *prefix)
{
	struct eal_request r = {.prefix = prefix, .devices_count = ports->count};

	for (uint32_t i = 0; i < ports->count; i++)
		r.devices[i] = ports->devargs[i];
	r.heap_mebibytes = MEMORY_MIB + config->log_mebibytes +
		(uint32_t)((store_bytes(config) + replica_pools_bytes(config)) / MEBIBYTE) +
		(uint32_t)(session_slots(config->sessions_max) * sizeof(struct session) / MEBIBYTE);
	return r;
}

bool host_check(const struct config *config, uint32_t member, const struct config_ports *ports,
	char *error, size_t size)
{
	uint32_t others = config->replicas_count - (member < MEMBER_MAX ? 1 : 0);

	if (config_is_embedded(config)) {
		snprintf(error, size,
			"%s: replicas[0].ports: `ring` is for replicas in one process: give a port of "
			"this host, such as net_af_packet0,iface=eth0, or run paxwire-bench --config.",
			config->path);
		return false;
	}
	if (config->replicas[0].address.version != 4) {
		snprintf(error, size,
			"%s: replicas[0].address: frames go over IPv4 only so far, give IPv4 addresses.",
			config->path);
		return false;
	}
	if (ports->count > 1 && ports->count < others) {
		snprintf(error, size,
			"%s: %u ports: give one port that leads to all, or one for each of the %u "
			"other members.",
			config->path, ports->count, others);
		return false;
	}
	return true;
}

bool host_open(struct host *h, const struct config *config, uint32_t member,
	const struct config_ports *ports, uint32_t queues, struct rte_mempool *pool, char *error,
	size_t size)
{
	*h = (struct host){.config = config, .member = member};
	if (ports->count * queues > NETWORK_LINKS_MAX) {
		snprintf(error, size, "%s: %u ports with %u queues each: at most %u queues in all.",
			config->path, ports->count, queues, NETWORK_LINKS_MAX);
		return false;
	}
	for (uint32_t i = 0; i < ports->count; i++) {
		if (!port_start(ports->devargs[i], (uint16_t)queues, config->mtu, pool,
			    &h->ports[i], error, size)) {
			host_close(h);
			return false;
		}
		h->ports_count++;
	}
	return true;
}

struct endpoint host_endpoint(const struct host *h, const struct address *address,
	uint32_t udp_port)
{
	struct endpoint e = {
		.mac = h->ports[0].mac,
		.port = rte_cpu_to_be_16((uint16_t)udp_port),
	};

	memcpy(&e.ip, address->bytes, sizeof(e.ip));
	return e;
}

void host_members(const struct host *h, struct live_member members[MEMBER_MAX])
{
	const struct config *config = h->config;
	uint32_t queues = h->ports[0].queues;
	uint32_t nth = 0;

	for (uint32_t i = 0; i < config->replicas_count; i++) {
		const struct config_replica *r = &config->replicas[i];
		struct live_member *m = &members[i];

		*m = (struct live_member){
			.endpoint = {.port = rte_cpu_to_be_16((uint16_t)config->udp_port)},
			.known = r->mac_given,
			.link = (uint16_t)(h->ports_count > 1 ? nth * queues : 0),
		};
		memcpy(&m->endpoint.ip, r->address.bytes, sizeof(m->endpoint.ip));
		memcpy(&m->endpoint.mac, r->mac, sizeof(m->endpoint.mac));
		nth += i != h->member ? 1 : 0;
	}
}

void host_links(const struct host *h, struct network *network)
{
	for (uint32_t i = 0; i < h->ports_count; i++)
		for (uint16_t q = 0; q < h->ports[i].queues; q++)
			network_add_link(network, h->ports[i].id, q, h->ports[i].tx_flags);
}

void host_close(struct host *h)
{
	for (uint32_t i = 0; i < h->ports_count; i++)
		port_stop(&h->ports[i]);
	h->ports_count = 0;
}
