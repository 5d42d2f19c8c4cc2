#include "dataplane/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "consensus/replay.h"
#include "dataplane/heap.h"
#include "dataplane/lcore.h"
#include "dataplane/pool.h"

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
		.durability = config->durability,
		.quorum = &r->quorum,
	};
}

static uint16_t data_room(const struct config *config)
{
	return frame_room(config->mtu, !config_is_embedded(config));
}

enum {
	CONTROL_MBUF_ROOM = RTE_PKTMBUF_HEADROOM + FRAME_BODY_OFFSET + CONTROL_ROOM
};

uint64_t replica_pools_bytes(const struct config *config)
{
	return pool_bytes(DATA_MBUFS, FRAME_PRIVATE_BYTES, data_room(config)) +
		pool_bytes(CONTROL_MBUFS, FRAME_PRIVATE_BYTES, CONTROL_MBUF_ROOM);
}

static struct rte_mempool *frames_create(const char *kind, uint32_t id, uint32_t count,
	uint16_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s_%u", kind, id);
	return pool_create(name, count, FRAME_PRIVATE_BYTES, room);
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

static bool memory_create(struct replica *r, const struct config *config,
	const struct machine *machine)
{
	const struct machine_snapshot *snapshot = machine->snapshot;

	/* Whole blocks, at a block: so it is written to a disk. */
	r->image_bytes =
		RTE_ALIGN_CEIL(snapshot_bytes(config->sessions_max,
				       snapshot == NULL ? 0 : snapshot->bytes(machine->state)),
			(uint64_t)JOURNAL_BLOCK_BYTES);
	r->image = heap_zalloc_at("snapshot", r->image_bytes, JOURNAL_BLOCK_BYTES);
	r->leader = heap_zalloc("leader", sizeof(*r->leader));
	r->learner = heap_zalloc("learner", sizeof(*r->learner));
	r->sessions =
		heap_zalloc("sessions", session_slots(config->sessions_max) * sizeof(*r->sessions));
	bool ok =
		r->leader != NULL && r->learner != NULL && r->sessions != NULL && r->image != NULL;

	for (uint32_t s = 0; ok && s < config->shards; s++) {
		r->acceptors[s] = heap_zalloc("acceptor", sizeof(*r->acceptors[s]));
		r->logs[s] = heap_zalloc("log", config_log_bytes(config));
		ok = r->acceptors[s] != NULL && r->logs[s] != NULL;
	}
	return ok;
}

/* The store of a durable mode, its replica's identity, and the rings by which it answers. */
static bool store_create(struct replica *r, const struct config *config, char *error, size_t size)
{
	bool ok;

	if (config->durability == DURABILITY_NONE)
		return true;
	r->store = calloc(1, sizeof(*r->store));
	if (r->store == NULL) {
		snprintf(error, size, "out of memory.");
		return false;
	}
	if (!store_open(r->store, config, r->settings.self, error, size))
		return false;
	r->settings.uuid = r->store->superblock.uuid;
	ok = ring_create(r, POSITION_JOURNAL, POSITION_LEADER);
	for (uint32_t s = 0; ok && s < config->shards; s++)
		ok = ring_create(r, POSITION_JOURNAL, POSITION_ACCEPTOR + s);
	if (!ok)
		snprintf(error, size, "the journal's rings do not fit DPDK's memory.");
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

static void found(void *replay, const struct journal_found *write)
{
	replay_write(replay, write);
}

/* Where the learner stands then: 0: there is none, or it is damaged. */
static uint64_t load_snapshot(struct replica *r)
{
	uint64_t length = store_read_snapshot(r->store, r->image, r->image_bytes);

	if (length > 0)
		learner_stage_load(r->learner, length);
	store_loaded(r->store, learner_stage_delivered(r->learner));
	return learner_stage_delivered(r->learner);
}

/* What earlier lives wrote, into the stages. */
static bool store_replay(struct replica *r, struct replay *replay, struct journal_start *start,
	struct superblock *life, char *error, size_t size)
{
	struct store *s = r->store;
	struct journal_end end;

	s->read_ns = lcore_now_ns();
	replay_init(replay, &r->live->settings, r->acceptors, r->learner, &s->superblock,
		s->superblock_result, load_snapshot(r));
	if (!store_read(s, found, replay, &end, error, size))
		return false;
	s->read_ns = lcore_now_ns() - s->read_ns;
	enum replay_result result = replay_end(replay, &end, start);

	if (result != REPLAY_OK) {
		snprintf(error, size, "%s: %s", s->directory.path, replay_text(result));
		return false;
	}
	*life = replay_next_life(replay, &end);
	return true;
}

/* Appending goes to the lanes from now on. */
static void store_join(struct replica *r, const struct config_stages *at,
	const struct leader_past *past)
{
	for (uint32_t s = 0; s < r->settings.shards; s++)
		r->ports[s] = store_port(r->store, s, at->acceptors[s] == at->journal);
	r->ports[JOURNAL_LANE_LEADER] =
		store_port(r->store, JOURNAL_LANE_LEADER, at->leader == at->journal);
	leader_stage_journal(r->leader, &r->ports[JOURNAL_LANE_LEADER]);
	leader_stage_restore(r->leader, past);
	for (uint32_t s = 0; s < r->settings.shards; s++)
		acceptor_stage_journal(r->acceptors[s], &r->ports[s]);
}

/* A new life begins where the last one ended. */
static bool store_resume(struct replica *r, const struct config *config, char *error, size_t size)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	struct journal_start start;
	struct superblock life;
	bool ok;

	if (replay == NULL) {
		snprintf(error, size, "out of memory.");
		return false;
	}
	ok = store_replay(r, replay, &start, &life, error, size);
	if (ok) {
		/* Before anything is polled, all stages' settings are control's. */
		r->settings.life = life.life;
		r->live->settings.life = life.life;
		ok = store_start(r->store, config, &r->live->settings,
			&r->crossings[POSITION_JOURNAL].outlet, &life, &start, error, size);
	}
	if (ok)
		store_join(r, &config->replicas[r->settings.self].stages, &replay->past);
	r->replay = replay;
	return ok;
}

/* True: a sentence. */
static bool attend_snapshots(struct replica *r, char *error, size_t size)
{
	struct snapshot_view view;
	bool said = false;

	if (store_wants_snapshot(r->store))
		learner_stage_want_snapshot(r->learner);
	if (learner_stage_image(r->learner, &view) &&
		store_keep(r->store, view.instance, view.bytes, view.length, lcore_now_ns(), &said,
			error, size))
		learner_stage_kept(r->learner, view.instance);
	return said;
}

bool replica_attend(struct replica *r, char *error, size_t size)
{
	return r->store != NULL &&
		(store_attend(r->store, error, size) || attend_snapshots(r, error, size));
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
	if (!store_create(r, config, error, size))
		return false;
	struct live first = {.settings = r->settings};

	live_tune(&first, &config->tunables);
	r->cluster = config->cluster_id;
	r->data_pool = frames_create("data", id, DATA_MBUFS, data_room(config));
	r->control_pool = frames_create("control", id, CONTROL_MBUFS, CONTROL_MBUF_ROOM);
	if (r->data_pool == NULL || r->control_pool == NULL || !rings_create(r) ||
		!memory_create(r, config, machine) || !live_publish(&r->live, &first)) {
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
	learner_stage_give_image(r->learner, r->image, r->image_bytes);
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
	return r->store == NULL || store_resume(r, config, error, size);
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
	if (r->store != NULL)
		store_close(r->store);
	free(r->store);
	free(r->replay);
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
	rte_free(r->image);
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

void replica_place(struct replica *r, const struct config_stages *stages,
	void (*place)(void *context, uint32_t lcore, struct stage *stage), void *context)
{
	place(context, stages->io, &r->io.stage);
	place(context, stages->leader, &r->leader_poll);
	/* Proposals leave before the own acceptor looks at them: the others are farther away. */
	if (stages->leader == stages->io)
		place(context, stages->io, &r->io.out);
	for (uint32_t shard = 0; shard < r->settings.shards; shard++)
		place(context, stages->acceptors[shard], &r->acceptor_polls[shard]);
	place(context, stages->learner, &r->learner_poll);
	if (r->store != NULL)
		place(context, stages->journal, &r->store->poll);
	place(context, stages->io, &r->io.out);
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

void replica_snapshot(struct replica *r)
{
	learner_stage_want_snapshot(r->learner);
}

bool replica_move(struct replica *r, uint32_t member, const struct live_member *to, char *error,
	size_t size)
{
	struct live next = *r->live;

	next.members[member] = *to;
	return publish(r, &next, error, size);
}
