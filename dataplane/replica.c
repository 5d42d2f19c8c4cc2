#include "dataplane/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "dataplane/heap.h"

static void settings_from(struct replica *r, const struct config *config, uint32_t id)
{
	r->settings = (struct replica_settings){
		.self = id,
		.members = config->replicas_count,
		.shards = config->shards,
		.body_max = config->mtu - IP_UDP_BYTES - HEADER_BYTES,
		.seed = rte_rand(),
		.uuid = rte_rand() | 1,
		.config_hash = config_hash(config),
		.quorum = &r->quorum,
	};
}

static struct rte_mempool *pool_create(const char *kind, uint32_t id, uint32_t count, uint16_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s_%u", kind, id);
	/* A stack: what was freed last is still in the cache. */
	return rte_pktmbuf_pool_create_by_ops(name, count, MBUF_CACHE, FRAME_PRIVATE_BYTES, room,
		heap_socket(), "lf_stack");
}

static bool ring_create(struct replica *r, uint32_t from, uint32_t to)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "r%u_%u_%u", r->settings.self, from, to);
	r->rings[from][to] = handoff_create(name, HANDOFF_SIZE);
	r->crossings[from].outputs[r->crossings[from].outputs_count++] = &r->rings[from][to];
	r->crossings[to].inputs[r->crossings[to].inputs_count++] = &r->rings[from][to];
	return r->rings[from][to].ring != NULL;
}

static bool rings_create(struct replica *r)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "q%u", r->settings.self);
	r->requests = handoff_create(name, REQUESTS_SIZE);
	bool ok = r->requests.ring != NULL && ring_create(r, POSITION_IO, POSITION_LEADER) &&
		ring_create(r, POSITION_LEADER, POSITION_IO) &&
		ring_create(r, POSITION_LEADER, POSITION_LEARNER) &&
		ring_create(r, POSITION_LEARNER, POSITION_LEADER) &&
		ring_create(r, POSITION_LEARNER, POSITION_IO);

	for (uint32_t s = 0; ok && s < r->settings.shards; s++) {
		uint32_t acceptor = POSITION_ACCEPTOR + s;

		ok = ring_create(r, POSITION_IO, acceptor) &&
			ring_create(r, acceptor, POSITION_IO) &&
			ring_create(r, POSITION_LEADER, acceptor) &&
			ring_create(r, acceptor, POSITION_LEADER) &&
			ring_create(r, POSITION_LEARNER, acceptor) &&
			ring_create(r, acceptor, POSITION_LEARNER);
	}
	return ok;
}

static bool memory_create(struct replica *r, const struct config *config)
{
	r->leader = heap_zalloc("leader", sizeof(*r->leader));
	r->learner = heap_zalloc("learner", sizeof(*r->learner));
	r->sessions =
		heap_zalloc("sessions", session_slots(config->sessions_max) * sizeof(*r->sessions));
	bool ok = r->leader != NULL && r->learner != NULL && r->sessions != NULL;

	for (uint32_t s = 0; ok && s < config->shards; s++) {
		r->acceptors[s] = heap_zalloc("acceptor", sizeof(*r->acceptors[s]));
		r->logs[s] = heap_zalloc("log", config_log_bytes(config));
		ok = r->acceptors[s] != NULL && r->logs[s] != NULL;
	}
	return ok;
}

static void stage_init(struct stage *stage, const char *name,
	uint32_t (*poll)(void *self, uint64_t now_ns), void *self)
{
	*stage = (struct stage){.name = name, .poll = poll, .self = self};
}

static void release_mbuf(void *crossing, void *frame)
{
	struct crossing *c = crossing;

	spent_add(&c->spent, frame);
}

bool replica_create(struct replica *r, const struct config *config, uint32_t id,
	const struct machine *machine, char *error, size_t size)
{
	memset(r, 0, sizeof(*r));
	settings_from(r, config, id);
	enum quorum_result quorum = config_quorum(config, &r->quorum);

	if (quorum != QUORUM_OK) {
		snprintf(error, size, "%s: quorums: %s.", config->path, quorum_result_text(quorum));
		return false;
	}
	struct live first = {.settings = r->settings};

	live_tune(&first, &config->tunables);
	r->cluster = config->cluster_id;
	r->data_pool = pool_create("data", id, DATA_MBUFS,
		frame_room(config->mtu, !config_is_embedded(config)));
	r->control_pool = pool_create("control", id, CONTROL_MBUFS,
		RTE_PKTMBUF_HEADROOM + FRAME_BODY_OFFSET + CONTROL_ROOM);
	if (r->data_pool == NULL || r->control_pool == NULL || !rings_create(r) ||
		!memory_create(r, config) || !live_publish(&r->live, &first)) {
		snprintf(error, size,
			"replica %u does not fit the memory that DPDK has: give it more with -m.",
			id);
		return false;
	}
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		r->crossings[p].replica = r;
		r->crossings[p].position = p;
		r->crossings[p].data.pool = r->data_pool;
		r->crossings[p].control.pool = r->control_pool;
		r->crossings[p].outlet = (struct outlet){.context = &r->crossings[p],
			.send = outlet_send,
			.room = outlet_room};
	}
	leader_stage_init(r->leader, &r->live->settings, &r->crossings[POSITION_LEADER].outlet);
	learner_stage_init(r->learner, &r->live->settings, &r->crossings[POSITION_LEARNER].outlet,
		machine, r->sessions, config->sessions_max, release_mbuf,
		&r->crossings[POSITION_LEARNER]);
	stage_init(&r->io.stage, "io", io_poll, r);
	stage_init(&r->io.out, "io_out", io_out_poll, r);
	stage_init(&r->leader_poll, "leader", leader_poll, r);
	stage_init(&r->learner_poll, "learner", learner_poll, r);
	for (uint32_t s = 0; s < config->shards; s++) {
		struct crossing *c = &r->crossings[POSITION_ACCEPTOR + s];

		acceptor_stage_init(r->acceptors[s], &r->live->settings, s, &c->outlet, r->logs[s],
			config_log_bytes(config));
		stage_init(&r->acceptor_polls[s], "acceptor", acceptor_poll, c);
	}
	return true;
}

static void empty(struct handoff *h)
{
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t taken;

	if (h->ring == NULL)
		return;
	while ((taken = handoff_take_burst(h, elements, HANDOFF_BURST)) > 0)
		for (uint32_t i = 0; i < taken; i++)
			rte_pktmbuf_free(elements[i].mbuf);
	handoff_free(h);
}

void replica_destroy(struct replica *r)
{
	empty(&r->requests);
	for (uint32_t from = 0; from < POSITIONS_MAX; from++)
		for (uint32_t to = 0; to < POSITIONS_MAX; to++)
			empty(&r->rings[from][to]);
	for (uint32_t s = 0; s < SHARD_MAX; s++) {
		rte_free(r->acceptors[s]);
		rte_free(r->logs[s]);
	}
	rte_free(r->leader);
	rte_free(r->learner);
	rte_free(r->sessions);
	rte_mempool_free(r->data_pool);
	rte_mempool_free(r->control_pool);
	free(r->live);
}

/* Control only. */
static bool publish(struct replica *r, const struct live *next, char *error, size_t size)
{
	if (live_publish(&r->live, next))
		return true;
	snprintf(error, size, "out of memory.");
	return false;
}

bool replica_attach(struct replica *r, const struct endpoint *self,
	const struct live_member *members, char *error, size_t size)
{
	struct live next = *r->live;

	network_init(&r->io.network, self, r->control_pool);
	memcpy(next.members, members, sizeof(next.members));
	return publish(r, &next, error, size);
}

bool replica_tune(struct replica *r, const char *name, const char *value, char *error, size_t size)
{
	struct live next = *r->live;
	struct tunables tunables = next.tunables;

	if (!tunables_set(&tunables, r->settings.shards, name, value, error, size))
		return false;
	live_tune(&next, &tunables);
	return publish(r, &next, error, size);
}

bool replica_transfer(struct replica *r, uint32_t member, char *error, size_t size)
{
	struct live next = *r->live;

	next.transfers++;
	next.transfer_to = member;
	return publish(r, &next, error, size);
}

bool replica_move(struct replica *r, uint32_t member, const struct live_member *to, char *error,
	size_t size)
{
	struct live next = *r->live;

	next.members[member] = *to;
	return publish(r, &next, error, size);
}
