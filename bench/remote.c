#include "bench/remote.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/pool.h"

enum {
	POOL_MBUFS = 16383,
	PREFIX_MAX = 64,
	MEMORY_MIB = 320, /* Sessions and their commands, beside host_request's. */
	/* The load's own UDP port is the cluster's and this: both may share a host. */
	CLIENT_PORT_OFFSET = 1,
};

const struct config_client *remote_client(const struct config *config, const struct options *o,
	char *error, size_t size)
{
	for (uint32_t i = 0; i < config->clients_count; i++)
		if (o->client == NULL || strcmp(config->clients[i].name, o->client) == 0)
			return &config->clients[i];
	snprintf(error, size, "%s: clients: there is none%s%s: the load needs an entry there.",
		config->path, o->client == NULL ? "" : " named ",
		o->client == NULL ? "" : o->client);
	return NULL;
}

struct eal_request remote_request(const struct config *config, const struct config_client *client)
{
	static char prefix[PREFIX_MAX];
	struct eal_request r;

	snprintf(prefix, sizeof(prefix), "paxwire-bench-%d", (int)getpid());
	r = host_request(config, &client->ports, prefix);
	r.program = "paxwire-bench";
	r.heap_mebibytes += MEMORY_MIB;
	eal_want_lcore(&r, client->lcore);
	return r;
}

bool remote_join(struct embedded *e, struct host *h, const struct config *config,
	const struct config_client *client, char *error, size_t size)
{
	struct live_member members[MEMBER_MAX] = {0};

	memset(e, 0, sizeof(*e));
	e->config = config;
	e->client_pool = pool_create("client", POOL_MBUFS, FRAME_PRIVATE_BYTES,
		frame_room(config->mtu, true));
	if (e->client_pool == NULL) {
		snprintf(error, size,
			"the client's buffers do not fit DPDK's memory: give it more with -m.");
		return false;
	}
	if (!host_open(h, config, HOST_CLIENT, &client->ports, 1, e->client_pool, error, size))
		return false;
	const struct endpoint self =
		host_endpoint(h, &client->address, config->udp_port + CLIENT_PORT_OFFSET);

	network_init(&e->client, &self, e->client_pool);
	host_links(h, &e->client);
	host_members(h, members);
	for (uint32_t i = 0; i < config->replicas_count; i++)
		network_route(&e->client, i, &members[i].endpoint, members[i].link,
			members[i].known);
	return true;
}

void remote_place(struct embedded *e, const struct config_client *client, struct stage *stage)
{
	lcore_init(&e->lcores[0], client->lcore, e->config->tunables.idle);
	lcore_add(&e->lcores[0], stage);
	e->lcores_count = 1;
}

void remote_leave(struct embedded *e, struct host *h)
{
	host_close(h);
	rte_mempool_free(e->client_pool);
}
