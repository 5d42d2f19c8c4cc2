#include "dataplane/embedded.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/app.h"
#include "dataplane/heap.h"
#include "dataplane/pool.h"

enum {
	MEMORY_MIB = 480,    /* Besides what sessions, logs, frames and the state machine take. */
	SESSION_BYTES = 512, /* Of one session: three tables of slots, the load's half. */
	MEBIBYTE = 1 << 20,
	CLIENT_MBUFS = 16383,
};

/* The highest lcore that a stage is placed on. */
static uint32_t lcores_of(const struct config *config)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < config->replicas_count; i++) {
		const struct config_stages *s = &config->replicas[i].stages;

		most = s->io > most ? s->io : most;
		most = s->leader > most ? s->leader : most;
		most = s->learner > most ? s->learner : most;
		most = s->journal > most ? s->journal : most;
		for (uint32_t shard = 0; shard < config->shards; shard++)
			most = s->acceptors[shard] > most ? s->acceptors[shard] : most;
	}
	return most;
}

struct eal_request embedded_request(const struct config *config, uint32_t lcores)
{
	struct eal_request r = {.program = "paxwire"};
	uint64_t each = session_slots(config->sessions_max) * sizeof(struct session) +
		(uint64_t)config->log_mebibytes * MEBIBYTE + app_bytes(config) +
		store_bytes(config) + replica_pools_bytes(config);
	uint64_t client = (uint64_t)config->sessions_max * SESSION_BYTES +
		pool_bytes(CLIENT_MBUFS, FRAME_PRIVATE_BYTES, frame_room(config->mtu, false));

	r.heap_mebibytes =
		MEMORY_MIB + (uint32_t)((config->replicas_count * each + client) / MEBIBYTE);
	lcores = lcores_of(config) > lcores ? lcores_of(config) : lcores;
	for (uint32_t i = 1; i <= lcores && i <= EMBEDDED_LCORES_MAX; i++)
		eal_want_lcore(&r, i);
	return r;
}

static struct endpoint endpoint_of(const struct embedded *e, uint32_t node)
{
	struct endpoint a = {
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

static struct rte_ring *wire_create(char kind, uint32_t from, uint32_t to)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%c%u_%u", kind, from, to);
	return rte_ring_create(name, EMBEDDED_RING_SIZE, heap_socket(),
		RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static bool wires_create(struct embedded *e, bool faulty, char *error, size_t size)
{
	uint32_t nodes = e->replicas_count + 1;

	for (uint32_t from = 0; from < nodes; from++)
		for (uint32_t to = 0; to < nodes; to++) {
			if (from == to)
				continue;
			e->wires[from][to] = wire_create('w', from, to);
			e->arrivals[from][to] =
				faulty ? wire_create('a', from, to) : e->wires[from][to];
			if (e->wires[from][to] == NULL || e->arrivals[from][to] == NULL) {
				snprintf(error, size,
					"the rings between replicas do not fit DPDK's memory: "
					"give it more with -m.");
				return false;
			}
		}
	return true;
}

/* A link for each peer, at the peer's queue. */
static bool port_create(struct embedded *e, uint32_t node, struct network *network, char *error,
	size_t size)
{
	struct rte_ring *rx[EMBEDDED_NODES_MAX];
	struct rte_ring *tx[EMBEDDED_NODES_MAX];
	uint32_t nodes = e->replicas_count + 1;
	struct port *port = &e->ports[node];
	char name[32];

	for (uint32_t peer = 0; peer < nodes; peer++) {
		if (peer == node)
			continue;
		rx[queue_of(node, peer)] = e->arrivals[peer][node];
		tx[queue_of(node, peer)] = e->wires[node][peer];
	}
	snprintf(name, sizeof(name), "node%u", node);
	if (!port_ring_start(name, rx, tx, (uint16_t)(nodes - 1), network->pool, port, error, size))
		return false;
	for (uint16_t q = 0; q < port->queues; q++)
		network_add_link(network, port->id, q, port->tx_flags);
	return true;
}

static bool replica_join(struct embedded *e, uint32_t id, const struct machine *machine,
	char *error, size_t size)
{
	struct replica *r = &e->replicas[id];
	struct endpoint self = endpoint_of(e, id);
	struct live_member members[MEMBER_MAX] = {0};

	for (uint32_t peer = 0; peer < e->replicas_count && peer < MEMBER_MAX; peer++)
		members[peer] = (struct live_member){
			.endpoint = endpoint_of(e, peer),
			.link = queue_of(id, peer),
			.known = true,
		};
	return replica_create(r, e->config, id, machine, error, size) &&
		replica_attach(r, &self, members, error, size) &&
		port_create(e, id, &r->io.network, error, size);
}

static bool client_join(struct embedded *e, char *error, size_t size)
{
	const struct endpoint self = endpoint_of(e, e->replicas_count);

	e->client_pool = pool_create("client", CLIENT_MBUFS, FRAME_PRIVATE_BYTES,
		frame_room(e->config->mtu, false));
	if (e->client_pool == NULL) {
		snprintf(error, size,
			"the client's buffers do not fit DPDK's memory: give it more with -m.");
		return false;
	}
	network_init(&e->client, &self, e->client_pool);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		struct endpoint to = endpoint_of(e, i);

		network_route(&e->client, i, &to, (uint16_t)i, true);
	}
	return port_create(e, e->replicas_count, &e->client, error, size);
}

bool embedded_create(struct embedded *e, const struct config *config,
	const struct machine *machines, bool faulty, char *error, size_t size)
{
	memset(e, 0, sizeof(*e));
	e->config = config;
	e->replicas_count = config->replicas_count;
	if (!wires_create(e, faulty, error, size) || !client_join(e, error, size))
		return false;
	for (uint32_t i = 0; i < e->replicas_count; i++)
		if (!replica_join(e, i, &machines[i], error, size))
			return false;
	return true;
}

/* lcores are numbered from 1: 0 is control. */
static void place(void *embedded, uint32_t lcore, struct stage *stage)
{
	struct embedded *e = embedded;

	lcore_add(&e->lcores[lcore - 1], stage);
	if (lcore > e->lcores_count)
		e->lcores_count = lcore;
}

static void watch_disks(struct embedded *e)
{
	for (uint32_t i = 0; i < e->replicas_count; i++)
		for (uint32_t l = 0; e->replicas[i].store != NULL && l < e->lcores_count; l++)
			lcore_watch_disk(&e->lcores[l], &e->replicas[i].store->outstanding);
}

bool embedded_place(struct embedded *e, struct stage *client, uint32_t client_lcore, char *error,
	size_t size)
{
	uint32_t most = lcores_of(e->config);

	most = client_lcore > most ? client_lcore : most;
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct config_stages *s = &e->config->replicas[i].stages;

		if (s->io == 0 || s->leader == 0 || s->learner == 0 || s->acceptors[0] == 0 ||
			(e->config->durability != DURABILITY_NONE && s->journal == 0)) {
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
	for (uint32_t i = 0; i < e->replicas_count; i++)
		replica_place(&e->replicas[i], &e->config->replicas[i].stages, place, e);
	watch_disks(e);
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

static void pause_stage(struct stage *stage, bool paused)
{
	__atomic_store_n(&stage->stopped, paused, __ATOMIC_RELAXED);
}

void embedded_pause(struct embedded *e, uint32_t replica, bool paused)
{
	struct replica *r = &e->replicas[replica];

	pause_stage(&r->io.stage, paused);
	pause_stage(&r->io.out, paused);
	pause_stage(&r->leader_poll, paused);
	pause_stage(&r->learner_poll, paused);
	if (r->store != NULL)
		pause_stage(&r->store->poll, paused);
	for (uint32_t s = 0; s < e->config->shards; s++)
		pause_stage(&r->acceptor_polls[s], paused);
}

void embedded_kill(struct embedded *e, uint32_t replica)
{
	e->killed |= 1u << replica;
	embedded_pause(e, replica, true);
}

void embedded_stop(struct embedded *e)
{
	for (uint32_t i = 0; i < e->lcores_count; i++)
		lcore_stop(&e->lcores[i]);
}

void embedded_destroy(struct embedded *e)
{
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		port_stop(&e->ports[i]);
		replica_destroy(&e->replicas[i]);
	}
	port_stop(&e->ports[e->replicas_count]);
	rte_mempool_free(e->client_pool);
	for (uint32_t from = 0; from < EMBEDDED_NODES_MAX; from++)
		for (uint32_t to = 0; to < EMBEDDED_NODES_MAX; to++) {
			if (e->arrivals[from][to] != e->wires[from][to])
				rte_ring_free(e->arrivals[from][to]);
			rte_ring_free(e->wires[from][to]);
		}
}
