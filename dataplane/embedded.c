#include "dataplane/embedded.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/heap.h"
#include "dataplane/port.h"

enum {
	ARGUMENTS_MAX = 64,
	MEMORY_MIB = 640, /* Of our heap: touched as needed. */
	EAL_MIB = 64,
	CLIENT_MBUFS = 16383,
};

static void place_lcores(uint32_t lcores, char *text, size_t size)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int used = snprintf(text, size, "0@0-%ld", cpus - 1);

	for (uint32_t i = 1; i <= lcores; i++)
		used += snprintf(text + used, size - (size_t)used, ",%u@%ld", i,
			(long)(i - 1 + (lcores < (uint32_t)cpus ? 1 : 0)) % cpus);
}

bool embedded_eal(const char *program, uint32_t lcores, int more_count, char **more, char *error,
	size_t size)
{
	char placement[256];
	char memory[16];
	char *arguments[ARGUMENTS_MAX] = {
		(char *)(uintptr_t)program,
		(char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "--log-level=lib.*:warning",
		(char *)(uintptr_t) "-m",
		memory,
		(char *)(uintptr_t) "--lcores",
		placement,
	};
	int count = 10;

	place_lcores(lcores, placement, sizeof(placement));
	snprintf(memory, sizeof(memory), "%u", EAL_MIB);
	for (int i = 0; i < more_count && count < ARGUMENTS_MAX - 1; i++)
		arguments[count++] = more[i];
	if (rte_eal_init(count, arguments) < 0) {
		snprintf(error, size, "DPDK does not start with these EAL arguments: %s.",
			rte_strerror(rte_errno));
		return false;
	}
	return heap_create(MEMORY_MIB, error, size);
}

static struct frame_address address_of(const struct embedded *e, uint32_t node)
{
	struct frame_address a = {
		.mac = {.addr_bytes = {0x02, 0, 0, 0, 0, (uint8_t)(node + 1)}},
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 0, 255, 1)),
		.port = rte_cpu_to_be_16((uint16_t)e->config->udp_port),
	};

	if (node < e->replicas_count)
		memcpy(&a.ip, e->config->replicas[node].address.bytes, sizeof(a.ip));
	return a;
}

/* Peer j is queue j of node i, and queue j - 1 beyond i itself. */
static uint16_t queue_of(uint32_t node, uint32_t peer)
{
	return (uint16_t)(peer < node ? peer : peer - 1);
}

static bool wires_create(struct embedded *e, char *error, size_t size)
{
	uint32_t nodes = e->replicas_count + 1;

	for (uint32_t from = 0; from < nodes; from++)
		for (uint32_t to = 0; to < nodes; to++) {
			char name[RTE_RING_NAMESIZE];

			if (from == to)
				continue;
			snprintf(name, sizeof(name), "w%u_%u", from, to);
			e->wires[from][to] = rte_ring_create(name, EMBEDDED_RING_SIZE,
				heap_socket(), RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (e->wires[from][to] == NULL) {
				snprintf(error, size,
					"the rings between replicas do not fit DPDK's memory: "
					"give it more with -m.");
				return false;
			}
		}
	return true;
}

static bool port_create(struct embedded *e, uint32_t node, struct rte_mempool *pool, uint16_t *port,
	char *error, size_t size)
{
	struct rte_ring *rx[EMBEDDED_NODES_MAX];
	struct rte_ring *tx[EMBEDDED_NODES_MAX];
	uint32_t nodes = e->replicas_count + 1;
	char name[32];

	for (uint32_t peer = 0; peer < nodes; peer++) {
		if (peer == node)
			continue;
		rx[queue_of(node, peer)] = e->wires[peer][node];
		tx[queue_of(node, peer)] = e->wires[node][peer];
	}
	snprintf(name, sizeof(name), "node%u", node);
	return port_ring_start(name, rx, tx, (uint16_t)(nodes - 1), pool, port, error, size);
}

static bool replica_join(struct embedded *e, uint32_t id, const struct machine *machine,
	char *error, size_t size)
{
	struct replica *r = &e->replicas[id];
	struct frame_address self = address_of(e, id);
	uint16_t port;

	if (!replica_create(r, e->config, id, machine, error, size) ||
		!port_create(e, id, r->data_pool, &port, error, size))
		return false;
	replica_attach(r, &self, port, (uint16_t)e->replicas_count);
	for (uint32_t peer = 0; peer < e->replicas_count; peer++) {
		struct frame_address to = address_of(e, peer);

		if (peer != id)
			replica_route(r, peer, &to, queue_of(id, peer));
	}
	return true;
}

static bool client_join(struct embedded *e, char *error, size_t size)
{
	struct embedded_client *c = &e->client;

	c->address = address_of(e, e->replicas_count);
	c->pool = rte_pktmbuf_pool_create_by_ops("client", CLIENT_MBUFS, MBUF_CACHE,
		FRAME_PRIVATE_BYTES, (uint16_t)(RTE_PKTMBUF_HEADROOM + e->config->mtu + 64),
		heap_socket(), "lf_stack");
	if (c->pool == NULL) {
		snprintf(error, size,
			"the client's buffers do not fit DPDK's memory: give it more with -m.");
		return false;
	}
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		struct frame_address to = address_of(e, i);

		frame_template_init(&c->templates[i], &c->address, &to);
	}
	return port_create(e, e->replicas_count, c->pool, &c->port, error, size);
}

bool embedded_create(struct embedded *e, const struct config *config,
	const struct machine *machines, char *error, size_t size)
{
	memset(e, 0, sizeof(*e));
	e->config = config;
	e->replicas_count = config->replicas_count;
	if (!wires_create(e, error, size) || !client_join(e, error, size))
		return false;
	for (uint32_t i = 0; i < e->replicas_count; i++)
		if (!replica_join(e, i, &machines[i], error, size))
			return false;
	return true;
}

/* lcores are numbered from 1: 0 is control. */
static void place(struct embedded *e, uint32_t lcore, struct stage *stage)
{
	lcore_add(&e->lcores[lcore - 1], stage);
	if (lcore > e->lcores_count)
		e->lcores_count = lcore;
}

bool embedded_place(struct embedded *e, struct stage *client, uint32_t client_lcore, char *error,
	size_t size)
{
	uint32_t most = client_lcore;

	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct config_stages *s = &e->config->replicas[i].stages;

		most = s->io > most ? s->io : most;
		most = s->leader > most ? s->leader : most;
		most = s->learner > most ? s->learner : most;
		for (uint32_t shard = 0; shard < e->config->shards; shard++)
			most = s->acceptors[shard] > most ? s->acceptors[shard] : most;
		if (s->io == 0 || s->leader == 0 || s->learner == 0) {
			snprintf(error, size,
				"%s: replicas[%u].stages: lcore 0 is for control: place stages from 1 on.",
				e->config->path, i);
			return false;
		}
	}
	if (most > EMBEDDED_LCORES_MAX) {
		snprintf(error, size,
			"%s: replicas: an embedded cluster has lcores 1 to %u, not %u.",
			e->config->path, EMBEDDED_LCORES_MAX, most);
		return false;
	}
	for (uint32_t i = 0; i < EMBEDDED_LCORES_MAX; i++)
		lcore_init(&e->lcores[i], i + 1, e->config->tunables.idle);
	place(e, client_lcore, client);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct config_stages *s = &e->config->replicas[i].stages;
		struct replica *r = &e->replicas[i];

		place(e, s->io, &r->io.stage);
		place(e, s->leader, &r->leader_poll);
		for (uint32_t shard = 0; shard < e->config->shards; shard++)
			place(e, s->acceptors[shard], &r->acceptor_polls[shard]);
		place(e, s->learner, &r->learner_poll);
	}
	return true;
}

bool embedded_start(struct embedded *e, char *error, size_t size)
{
	for (uint32_t i = 0; i < e->lcores_count; i++)
		if (!lcore_start(&e->lcores[i])) {
			snprintf(error, size,
				"lcore %u can not be started: give DPDK more with --lcores.",
				e->lcores[i].id);
			return false;
		}
	return true;
}

void embedded_kill(struct embedded *e, uint32_t replica)
{
	struct replica *r = &e->replicas[replica];

	e->killed |= 1u << replica;
	__atomic_store_n(&r->io.stage.stopped, true, __ATOMIC_RELAXED);
	__atomic_store_n(&r->leader_poll.stopped, true, __ATOMIC_RELAXED);
	__atomic_store_n(&r->learner_poll.stopped, true, __ATOMIC_RELAXED);
	for (uint32_t s = 0; s < e->config->shards; s++)
		__atomic_store_n(&r->acceptor_polls[s].stopped, true, __ATOMIC_RELAXED);
}

void embedded_stop(struct embedded *e)
{
	for (uint32_t i = 0; i < e->lcores_count; i++)
		lcore_stop(&e->lcores[i]);
}

void embedded_destroy(struct embedded *e)
{
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		port_stop(e->replicas[i].port);
		replica_destroy(&e->replicas[i]);
	}
	port_stop(e->client.port);
	rte_mempool_free(e->client.pool);
	for (uint32_t from = 0; from < EMBEDDED_NODES_MAX; from++)
		for (uint32_t to = 0; to < EMBEDDED_NODES_MAX; to++)
			rte_ring_free(e->wires[from][to]);
}
