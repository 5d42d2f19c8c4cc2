#include "dataplane/telemetry.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jemalloc/jemalloc.h>
#include <rte_telemetry.h>

#include "dataplane/port.h"

#define READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

enum {
	PARAMETERS_MAX = 4,
	TEXT_MAX = 256,
};

static struct telemetry_subject subject; /* Set before the first command can come. */

struct parameters {
	char text[TEXT_MAX];
	uint32_t count;
	char *at[PARAMETERS_MAX];
};

static int refuse(struct rte_tel_data *d, const char *sentence)
{
	rte_tel_data_start_dict(d);
	return rte_tel_data_add_dict_string(d, "error", sentence);
}

static void split(const char *text, struct parameters *p)
{
	char *rest = p->text;

	p->count = 0;
	snprintf(p->text, sizeof(p->text), "%s", text == NULL ? "" : text);
	while (p->count < PARAMETERS_MAX && *rest != 0) {
		p->at[p->count++] = rest;
		rest += strcspn(rest, ",");
		if (*rest == ',')
			*rest++ = 0;
	}
}

/* The replica that the first parameter names; NULL: an answer that says so is in `d`. */
static struct replica *find(const char *text, struct parameters *p, struct rte_tel_data *d)
{
	char sentence[TEXT_MAX];

	split(text, p);
	for (uint32_t i = 0; i < subject.replicas_count; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%u", subject.replicas[i].settings.self);
		if (p->count > 0 && strcmp(p->at[0], id) == 0)
			return &subject.replicas[i];
	}
	snprintf(sentence, sizeof(sentence),
		"give the id of a replica of this process first, such as %u",
		subject.replicas[0].settings.self);
	refuse(d, sentence);
	return NULL;
}

/* Does a shard not know what it voted for, for its disk lost it? */
static bool is_blind(const struct replica *r)
{
	for (uint32_t i = 0; i < r->settings.shards; i++)
		if (READ(r->acceptors[i]->acceptor.lo) < READ(r->acceptors[i]->blind))
			return true;
	return false;
}

static const char *condition(const struct replica *r)
{
	if (READ(r->leader->failed))
		return "stands: its disk failed; mend it, then start the replica again";
	if (READ(r->learner->beyond))
		return "takes a snapshot of another: it fell beyond every other member's log";
	if (READ(r->leader->identity.other_config) != 0)
		return "stands: a member has another configuration; give all the same file";
	if (READ(r->leader->identity.outdated) != 0)
		return "stands: others heard more of it than its disk holds: give it the disk that it last ran with";
	if (!READ(r->leader->enrolled))
		return READ(r->leader->identity.foreign) != 0
			? "stands: a member restarted under its old id and is refused"
			: "waits for all members: the first start needs every one of them";
	if (is_blind(r))
		return "learns again what its disk lost, and votes once it has";
	if (READ(r->leader->leads))
		return READ(r->leader->transfer.state) == TRANSFER_NONE
			? "leads"
			: "leads, and hands over: it takes nothing new";
	return READ(r->leader->election.leader) == ELECTION_NOBODY ? "follows nobody" : "follows";
}

/* Alarm: rounds that no honest member can have reached. */
static uint64_t ballots_too_high(const struct replica *r)
{
	uint64_t count = READ(r->leader->counters.too_high);

	for (uint32_t i = 0; i < r->settings.shards; i++)
		count += READ(r->acceptors[i]->counters.too_high);
	return count;
}

static int on_status(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;

	uint32_t leader = READ(r->leader->election.leader);

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "condition", condition(r));
	rte_tel_data_add_dict_u64(d, "id", r->settings.self);
	rte_tel_data_add_dict_string(d, "cluster", subject.config->name);
	rte_tel_data_add_dict_u64(d, "members", r->settings.members);
	rte_tel_data_add_dict_int(d, "leader", leader == ELECTION_NOBODY ? -1 : (int)leader);
	rte_tel_data_add_dict_u64(d, "ballot", READ(r->leader->election.leader_ballot));
	rte_tel_data_add_dict_u64(d, "promised", READ(r->acceptors[0]->acceptor.promised));
	rte_tel_data_add_dict_u64(d, "delivered", learner_stage_delivered(r->learner));
	rte_tel_data_add_dict_u64(d, "known_chosen", READ(r->learner->learner.target));
	rte_tel_data_add_dict_u64(d, "in_flight",
		READ(r->leader->leads) ? READ(r->leader->proposer.window.end) -
				READ(r->leader->proposer.window.chosen)
				       : 0);
	rte_tel_data_add_dict_u64(d, "sessions", READ(r->learner->sessions.count));
	rte_tel_data_add_dict_u64(d, "sessions_evicted", READ(r->learner->sessions.evicted));
	rte_tel_data_add_dict_string(d, "snapshot",
		learner_snapshot_text(READ(r->learner->snapshots.state)));
	rte_tel_data_add_dict_u64(d, "snapshots_cut", READ(r->learner->snapshots.counters.cut));
	rte_tel_data_add_dict_u64(d, "snapshots_whole", READ(r->learner->snapshots.counters.whole));
	rte_tel_data_add_dict_u64(d, "snapshots_installed",
		READ(r->learner->snapshots.counters.installed));
	rte_tel_data_add_dict_u64(d, "snapshots_restored",
		READ(r->learner->snapshots.counters.restored));
	rte_tel_data_add_dict_u64(d, "snapshots_refused",
		READ(r->learner->snapshots.counters.damaged));
	rte_tel_data_add_dict_u64(d, "step_downs", READ(r->leader->counters.step_downs));
	rte_tel_data_add_dict_u64(d, "transfers", READ(r->leader->counters.transfers));
	rte_tel_data_add_dict_u64(d, "handovers", READ(r->leader->counters.handovers));
	rte_tel_data_add_dict_u64(d, "transfers_failed",
		READ(r->leader->counters.transfers_failed));
	rte_tel_data_add_dict_u64(d, "retransmitted", READ(r->leader->counters.retransmitted));
	rte_tel_data_add_dict_u64(d, "conflicts", READ(r->leader->counters.conflicts));
	rte_tel_data_add_dict_u64(d, "too_high", ballots_too_high(r));
	rte_tel_data_add_dict_u64(d, "unreachable_members", READ(r->io.network.unknown));
	rte_tel_data_add_dict_string(d, "durability",
		config_durability_text(subject.config->durability));
	rte_tel_data_add_dict_string(d, "state_machine",
		config_state_machine_text(subject.config->state_machine));
	return 0;
}

static uint64_t waiting_for(const struct replica *r, uint32_t position)
{
	uint64_t waiting = position == POSITION_LEADER ? rte_ring_count(r->requests.ring) : 0;

	for (uint32_t from = 0; from < POSITIONS_MAX; from++)
		if (r->rings[from][position].ring != NULL)
			waiting += rte_ring_count(r->rings[from][position].ring);
	return waiting;
}

static void add_stage(struct rte_tel_data *d, const struct replica *r, const struct stage *s,
	uint32_t position, uint32_t shard)
{
	struct rte_tel_data *one = rte_tel_data_alloc();
	uint64_t busy_turns = READ(s->busy_turns);
	char name[32];

	if (one == NULL)
		return;
	rte_tel_data_start_dict(one);
	rte_tel_data_add_dict_u64(one, "busy_cycles", READ(s->busy_cycles));
	rte_tel_data_add_dict_u64(one, "idle_cycles", READ(s->idle_cycles));
	rte_tel_data_add_dict_u64(one, "busy_turns", busy_turns);
	rte_tel_data_add_dict_u64(one, "idle_turns", READ(s->idle_turns));
	rte_tel_data_add_dict_u64(one, "frames", READ(s->work));
	rte_tel_data_add_dict_u64(one, "frames_per_100_turns",
		busy_turns == 0 ? 0 : READ(s->work) * 100 / busy_turns);
	rte_tel_data_add_dict_u64(one, "waiting", waiting_for(r, position));
	rte_tel_data_add_dict_u64(one, "ring_size", HANDOFF_SIZE - 1);
	if (position >= POSITION_ACCEPTOR)
		snprintf(name, sizeof(name), "acceptor%u", shard);
	else
		snprintf(name, sizeof(name), "%s", s->name);
	rte_tel_data_add_dict_container(d, name, one, 0);
}

static void add_journal(struct rte_tel_data *d, const struct replica *r)
{
	const struct store *s = r->store;

	add_stage(d, r, &s->poll, POSITION_JOURNAL, 0);
	rte_tel_data_add_dict_u64(d, "journal_writes", READ(s->stage.counters.writes));
	rte_tel_data_add_dict_u64(d, "journal_blocks", READ(s->stage.counters.blocks));
	rte_tel_data_add_dict_u64(d, "journal_records", READ(s->stage.counters.records));
	rte_tel_data_add_dict_u64(d, "journal_in_flight", READ(s->outstanding));
	rte_tel_data_add_dict_u64(d, "journal_segments",
		disk_segments(&s->disk) - READ(s->directory.segments_first));
	rte_tel_data_add_dict_u64(d, "snapshots_kept", READ(s->snapshots_kept));
	rte_tel_data_add_dict_u64(d, "snapshots_failed", READ(s->snapshots_failed));
}

static int on_stages(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;

	rte_tel_data_start_dict(d);
	add_stage(d, r, &r->io.stage, POSITION_IO, 0);
	add_stage(d, r, &r->io.out, POSITION_IO, 0);
	add_stage(d, r, &r->leader_poll, POSITION_LEADER, 0);
	for (uint32_t s = 0; s < r->settings.shards; s++)
		add_stage(d, r, &r->acceptor_polls[s], POSITION_ACCEPTOR + s, s);
	add_stage(d, r, &r->learner_poll, POSITION_LEARNER, 0);
	if (r->store != NULL)
		add_journal(d, r);
	rte_tel_data_add_dict_u64(d, "proposed_runs", READ(r->leader->counters.proposed_runs));
	rte_tel_data_add_dict_u64(d, "proposed_commands",
		READ(r->leader->counters.proposed_commands));
	rte_tel_data_add_dict_u64(d, "reads", READ(r->leader->counters.reads));
	rte_tel_data_add_dict_u64(d, "read_rounds", READ(r->leader->counters.read_rounds));
	return 0;
}

/* What the ports dropped before we saw it, as far as their drivers tell. */
static uint64_t missed(const struct network *n)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < n->links_count; i++) {
		const struct port port = {.id = n->links[i].port};

		all += n->links[i].queue == 0 ? port_missed(&port) : 0;
	}
	return all;
}

static int on_drops(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;

	const struct network_counters *n = &r->io.network.counters;
	uint64_t no_mbuf = 0, ring_full = 0;
	struct acceptor_counters sum = {0};

	rte_tel_data_start_dict(d);
	for (uint32_t i = 1; i < FRAME_DROP_REASONS; i++)
		rte_tel_data_add_dict_u64(d, frame_drop_text(i),
			READ(n->drops[i]) + (i < DROP_REASONS ? READ(r->io.foreign[i]) : 0));
	for (uint32_t i = 0; i < POSITIONS_MAX; i++) {
		no_mbuf += READ(r->crossings[i].no_mbuf);
		ring_full += READ(r->crossings[i].ring_full);
	}
	for (uint32_t s = 0; s < r->settings.shards; s++) {
		const struct acceptor_counters *c = &r->acceptors[s]->counters;

		sum.foreign += READ(c->foreign);
		sum.log_full += READ(c->log_full);
		sum.journal_full += READ(c->journal_full);
		sum.gate_full += READ(c->gate_full);
		sum.unknown += READ(c->unknown);
		sum.disk_failed += READ(c->disk_failed);
	}
	rte_tel_data_add_dict_u64(d, "foreign_uuid",
		sum.foreign + READ(r->leader->counters.foreign));
	rte_tel_data_add_dict_u64(d, "lost_on_the_way", READ(r->io.lost));
	rte_tel_data_add_dict_u64(d, "late_or_twice", READ(r->io.late));
	rte_tel_data_add_dict_u64(d, "missed_by_the_device", missed(&r->io.network));
	rte_tel_data_add_dict_u64(d, "overload", READ(r->io.overload));
	rte_tel_data_add_dict_u64(d, "tx_full", READ(n->tx_full));
	rte_tel_data_add_dict_u64(d, "unreachable", READ(n->unreachable));
	rte_tel_data_add_dict_u64(d, "too_many_clients", READ(n->crowded));
	rte_tel_data_add_dict_u64(d, "no_mbuf", no_mbuf);
	rte_tel_data_add_dict_u64(d, "ring_full", ring_full);
	rte_tel_data_add_dict_u64(d, "log_full", sum.log_full);
	rte_tel_data_add_dict_u64(d, "journal_full", sum.journal_full);
	rte_tel_data_add_dict_u64(d, "gate_full", sum.gate_full);
	rte_tel_data_add_dict_u64(d, "votes_unknown", sum.unknown);
	rte_tel_data_add_dict_u64(d, "disk_failed", sum.disk_failed);
	rte_tel_data_add_dict_u64(d, "busy_answers", READ(r->leader->counters.busy));
	return 0;
}

static int on_tunables(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	char error[CONFIG_ERROR_MAX];

	if (p->count == 2 || p->count > 3)
		return refuse(d, "give a replica's id, or its id, a tunable's name and its value");
	if (p->count == 3) {
		if (!replica_tune(r, p->at[1], p->at[2], error, sizeof(error)))
			return refuse(d, error);
		for (uint32_t i = 0; i < subject.lcores_count; i++)
			__atomic_store_n(&subject.lcores[i].idle, r->live->tunables.idle,
				__ATOMIC_RELAXED);
	}
	rte_tel_data_start_dict(d);
	for (uint32_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct field *f = &tunables_fields()[i];
		char value[FIELD_TEXT_MAX];

		field_show(f, &r->live->tunables, value);
		rte_tel_data_add_dict_string(d, f->key, value);
	}
	return 0;
}

static bool moved(struct replica *r, const struct parameters *p, char *error, size_t size)
{
	struct live_member to;
	uint32_t member;

	if (!field_parse_uint(p->at[1], 0, r->settings.members - 1, &member) ||
		member == r->settings.self) {
		snprintf(error, size, "\"%s\" is no other member's id", p->at[1]);
		return false;
	}
	to = r->live->members[member];
	if (inet_pton(AF_INET, p->at[2], &to.endpoint.ip) != 1) {
		snprintf(error, size, "\"%s\" is no IPv4 address", p->at[2]);
		return false;
	}
	to.known = p->count == 4;
	if (to.known && rte_ether_unformat_addr(p->at[3], &to.endpoint.mac) != 0) {
		snprintf(error, size, "\"%s\" is no MAC address", p->at[3]);
		return false;
	}
	return replica_move(r, member, &to, error, size);
}

/* Begun only: who leads then, status tells. */
static int on_transfer(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	uint32_t leader = READ(r->leader->election.leader);
	char error[TEXT_MAX];
	uint32_t member;

	if (p->count != 2)
		return refuse(d, "give a replica's id, and the member that is to lead");
	if (!field_parse_uint(p->at[1], 0, r->settings.members - 1, &member) ||
		member == r->settings.self) {
		snprintf(error, sizeof(error), "\"%s\" is no other member's id", p->at[1]);
		return refuse(d, error);
	}
	if (!READ(r->leader->leads)) {
		if (leader == ELECTION_NOBODY || leader == r->settings.self)
			return refuse(d, "nobody leads: there is nothing to hand over");
		snprintf(error, sizeof(error), "replica %u leads: tell that one", leader);
		return refuse(d, error);
	}
	if (READ(r->leader->transfer.state) != TRANSFER_NONE)
		return refuse(d, "it hands over already: wait until status says that it is done");
	if (!replica_transfer(r, member, error, sizeof(error)))
		return refuse(d, error);
	rte_tel_data_start_dict(d);
	return rte_tel_data_add_dict_u64(d, "to", member);
}

/* Asked for only: when it is there, status tells. */
static int on_snapshot(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;
	if (learner_stage_delivered(r->learner) == 0)
		return refuse(d, "nothing was executed yet: there is nothing to save");
	if (READ(r->learner->beyond))
		return refuse(d, "it takes a snapshot of another itself");
	replica_snapshot(r);
	rte_tel_data_start_dict(d);
	return rte_tel_data_add_dict_u64(d, "delivered", learner_stage_delivered(r->learner));
}

static int on_routes(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	char error[TEXT_MAX];

	if (p->count == 2)
		return refuse(d,
			"give a replica's id, or its id, a member, its address and, if you "
			"like, its MAC address");
	if (p->count > 2 && !moved(r, p, error, sizeof(error)))
		return refuse(d, error);
	rte_tel_data_start_dict(d);
	for (uint32_t i = 0; i < r->settings.members; i++) {
		const struct route *route = &r->io.network.routes[i];
		char name[16], ip[INET_ADDRSTRLEN], mac[RTE_ETHER_ADDR_FMT_SIZE];
		char value[TEXT_MAX];

		if (i == r->settings.self)
			continue;
		inet_ntop(AF_INET, &r->live->members[i].endpoint.ip, ip, sizeof(ip));
		rte_ether_format_addr(mac, sizeof(mac), &route->to.mac);
		snprintf(name, sizeof(name), "%u", i);
		snprintf(value, sizeof(value), "%s %s", ip,
			READ(route->known) ? mac : "asked for by ARP");
		rte_tel_data_add_dict_string(d, name, value);
	}
	return 0;
}

static int on_digests(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;

	rte_tel_data_start_dict(d);
	for (uint32_t i = 0; i < CHECKPOINTS; i++) {
		uint64_t instance = READ(r->learner->checkpoints[i].instance);
		uint64_t digest;
		char name[32];

		if (instance == 0 || !learner_stage_checkpoint(r->learner, instance, &digest))
			continue;
		snprintf(name, sizeof(name), "%" PRIu64, instance);
		rte_tel_data_add_dict_u64(d, name, digest);
	}
	return 0;
}

static void add_statistic(struct rte_tel_data *d, const char *name, const char *statistic)
{
	size_t value = 0;
	size_t size = sizeof(value);

	if (mallctl(statistic, &value, &size, NULL, 0) == 0)
		rte_tel_data_add_dict_u64(d, name, value);
}

static int on_heap(struct replica *r, const struct parameters *p, struct rte_tel_data *d)
{
	(void)p;
	(void)r;
	uint64_t epoch = 1;
	uint64_t polling = 0;

	for (uint32_t i = 0; i < subject.lcores_count; i++) {
		lcore_cpu_ns(&subject.lcores[i]);
		polling += READ(subject.lcores[i].allocated_bytes);
	}
	mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)); /* Refreshes the figures. */
	rte_tel_data_start_dict(d);
	add_statistic(d, "allocated_bytes", "stats.allocated");
	add_statistic(d, "active_bytes", "stats.active");
	add_statistic(d, "resident_bytes", "stats.resident");
	add_statistic(d, "mapped_bytes", "stats.mapped");
	rte_tel_data_add_dict_u64(d, "allocated_while_polling_bytes", polling);
	return 0;
}

static const struct {
	const char *command;
	int (*answer)(struct replica *r, const struct parameters *p, struct rte_tel_data *d);
	const char *help;
} commands[] = {
	{"/paxwire/status", on_status, "Who leads and how far a replica is. Parameter: id"},
	{"/paxwire/stages", on_stages, "Cycles, turns and queues of each stage. Parameter: id"},
	{"/paxwire/drops", on_drops, "Frames that came to nothing, by reason. Parameter: id"},
	{"/paxwire/tunables", on_tunables,
		"All tunables. Parameters: id, or id,name,value to set one"},
	{"/paxwire/routes", on_routes,
		"Where the members are. Parameters: id, or id,member,address[,mac] to move one"},
	{"/paxwire/transfer", on_transfer,
		"Hands the lead to another member. Parameters: id,member"},
	{"/paxwire/snapshot", on_snapshot, "Cuts a snapshot of the state. Parameter: id"},
	{"/paxwire/digests", on_digests, "Hashes of what was executed, by instance. Parameter: id"},
	{"/paxwire/heap", on_heap, "jemalloc's figures. Parameter: id"},
};

static int on_command(const char *command, const char *text, struct rte_tel_data *d)
{
	struct parameters p;
	struct replica *r = find(text, &p, d);

	for (size_t i = 0; r != NULL && i < RTE_DIM(commands); i++)
		if (strcmp(command, commands[i].command) == 0)
			return commands[i].answer(r, &p, d);
	return 0;
}

void telemetry_serve(const struct telemetry_subject *given)
{
	subject = *given;
	for (size_t i = 0; i < RTE_DIM(commands); i++)
		rte_telemetry_register_cmd(commands[i].command, on_command, commands[i].help);
}
