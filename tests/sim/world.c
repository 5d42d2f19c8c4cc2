#include "tests/sim/world.h"

#include <inttypes.h>
#include <string.h>

#define US 1000ull
#define MS 1000000ull

enum {
	TURN_EVERY_US = 200, /* A node's turn when nothing arrives. */
	STARVED_US = 2500,   /* A starved node's. */
	SLOW_AFTER_MS = 20,  /* --slow-leader: who leads by then is starved, */
	MOVED_MS = 400,      /* and leads no longer by then. */
	FAULTY_MS = 400,     /* Virtual time with faults, at most. */
	CALM_MS = 4000,      /* After the last fault: the bound for progress. */
};

static uint64_t between(struct random *r, uint64_t low, uint64_t high)
{
	return low + random_below(r, high - low + 1);
}

static void draw_network_faults(struct world *w)
{
	struct random *r = &w->random;
	struct network_faults *f = &w->network.faults;

	f->loss_percent = random_percent(r, 50) ? (uint32_t)random_below(r, 31) : 0;
	f->duplicate_percent = random_percent(r, 50) ? (uint32_t)random_below(r, 51) : 0;
	f->flip_percent = random_percent(r, 25) ? (uint32_t)random_below(r, 11) : 0;
	f->replay_percent = random_percent(r, 30) ? (uint32_t)random_below(r, 6) : 0;
	f->replay_max_ns = 200 * MS;
	f->delay_min_ns = between(r, 1, 5) * US;
	f->delay_max_ns = f->delay_min_ns + between(r, 1, 400) * US;
}

/* Members hear each other; but not who is isolated. Clients are heard by all. */
static void mend_cuts(struct world *w)
{
	uint16_t members = (uint16_t)((1u << w->members) - 1);

	memset(w->network.cut, 0, sizeof(w->network.cut));
	if (w->now_ns >= w->isolated_until_ns)
		return;
	for (uint32_t i = 0; i < w->members; i++)
		w->network.cut[i] = i == w->isolated ? members : (uint16_t)(1u << w->isolated);
}

static void draw_cuts(struct world *w)
{
	struct random *r = &w->random;

	mend_cuts(w);
	if (random_percent(r, 40))
		return;
	for (uint32_t links = 1 + (uint32_t)random_below(r, w->members); links > 0; links--) {
		uint16_t from = (uint16_t)random_below(r, w->members);
		uint16_t to = (uint16_t)random_below(r, w->members);

		w->network.cut[from] |= (uint16_t)(1u << to);
		if (random_percent(r, 50))
			w->network.cut[to] |= (uint16_t)(1u << from);
		trace_fault(&w->trace, w->now_ns, "is not heard by", from, to);
	}
}

/* A minority at most, and for ever: in mode none a crashed member has forgotten its promises. */
static void kill_one(struct world *w)
{
	uint16_t victim = (uint16_t)random_below(&w->random, w->members);
	uint32_t dead = (uint32_t)__builtin_popcount(w->killed);

	if (!w->nodes[victim].alive || 2 * (dead + 1) >= w->members)
		return;
	w->nodes[victim].alive = false;
	w->killed |= 1u << victim;
	trace_fault(&w->trace, w->now_ns, "is killed", victim, TRACE_NOBODY);
}

static void pause_one(struct world *w)
{
	uint16_t victim = (uint16_t)random_below(&w->random, w->members);
	struct node *n = &w->nodes[victim];

	n->paused_until_ns = w->now_ns + between(&w->random, 1, 60) * MS;
	w->turn_next_ns[victim] = n->paused_until_ns;
	trace_fault(&w->trace, w->now_ns, "pauses", victim, TRACE_NOBODY);
	for (uint32_t s = 0; w->mutant == MUTANT_FORGETFUL && s < n->settings.shards; s++) {
		acceptor_init(&n->acceptors[s].acceptor, ACCEPTOR_WINDOW);
		w->promised[victim][s] = 0;
	}
}

/* A leader sleeps until the others have another one, and wakes before it can hear of that. */
static void isolate_leader(struct world *w)
{
	for (uint16_t i = 0; i < w->members; i++) {
		struct node *n = &w->nodes[i];

		if (!n->alive || !n->leader.leads)
			continue;
		n->paused_until_ns = w->now_ns + between(&w->random, 15, 40) * MS;
		w->turn_next_ns[i] = n->paused_until_ns;
		w->isolated = i;
		w->isolated_until_ns = n->paused_until_ns + between(&w->random, 1, 9) * MS;
		mend_cuts(w);
		trace_fault(&w->trace, w->now_ns, "pauses, isolated", i, TRACE_NOBODY);
		return;
	}
}

static uint32_t leading(const struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].alive && w->nodes[i].leader.leads)
			return i;
	return WORLD_MEMBERS_MAX;
}

/* An operator moves the lead, whatever is going on. */
static void transfer_lead(struct world *w)
{
	uint32_t from = leading(w);
	uint32_t to = (uint32_t)random_below(&w->random, w->members);

	if (from < w->members && leader_stage_transfer(&w->nodes[from].leader, to, w->now_ns))
		trace_fault(&w->trace, w->now_ns, "is to hand over to", (uint16_t)from,
			(uint16_t)to);
}

/* A neighbour takes its processor for a while. */
static void starve_one(struct world *w)
{
	uint16_t victim = (uint16_t)random_below(&w->random, w->members);
	struct node *n = &w->nodes[victim];

	n->starved = !n->starved;
	trace_fault(&w->trace, w->now_ns, n->starved ? "is starved" : "is fed again", victim,
		TRACE_NOBODY);
}

static void fault(struct world *w)
{
	uint64_t kind = random_below(&w->random, 100);

	w->faults++;
	if (w->durable && random_percent(&w->random, 15))
		power_fault(w);
	else if (kind < 35)
		draw_network_faults(w);
	else if (kind < 60)
		draw_cuts(w);
	else if (kind < 81)
		pause_one(w);
	else if (kind < 85)
		isolate_leader(w);
	else if (kind < 89 && !w->durable)
		kill_one(w);
	else if (kind < 93)
		transfer_lead(w);
	else if (kind < 95)
		starve_one(w);
	else
		mend_cuts(w);
	w->fault_next_ns = w->now_ns + between(&w->random, 100, 4000) * US;
}

static void calm_down(struct world *w)
{
	w->calm = true;
	w->calm_since_ns = w->now_ns;
	w->fault_next_ns = UINT64_MAX;
	memset(w->network.cut, 0, sizeof(w->network.cut));
	w->network.faults = (struct network_faults){
		.delay_min_ns = 2 * US,
		.delay_max_ns = 20 * US,
	};
	for (uint32_t i = 0; i < w->members; i++)
		w->nodes[i].starved = false;
	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].paused_until_ns > w->now_ns) {
			w->nodes[i].paused_until_ns = w->now_ns;
			w->turn_next_ns[i] = w->now_ns;
		}
	power_calm(w);
	trace_fault(&w->trace, w->now_ns, "sees the faults stop", 0, TRACE_NOBODY);
}

static enum flaw flaw_of(enum mutant mutant)
{
	switch (mutant) {
	case MUTANT_STALE_READ:
		return FLAW_LEADER_ALONE;
	case MUTANT_NO_PROBE:
		return FLAW_NO_PROBE;
	case MUTANT_OWN_REPORT:
		return FLAW_OWN_REPORT;
	case MUTANT_REUSED_ROUND:
		return FLAW_ROUND_REUSED;
	default:
		return FLAW_NONE;
	}
}

/* Off, so tight that leaders hand over for nothing, or with some reason. */
static uint64_t handover_ns(struct world *w)
{
	if (w->mutant == MUTANT_NO_HANDOVER)
		return 0;
	if (w->slow_leader)
		return 800 * US;
	return random_percent(&w->random, 50) ? between(&w->random, 50, 2000) * US : 0;
}

static void start(struct world *w, uint64_t seed, enum mutant mutant)
{
	struct random *r = &w->random;

	w->seed = seed;
	w->mutant = mutant;
	w->now_ns = 0;
	r->state = seed * 0x9e3779b97f4a7c15ull + 1;
	network_init(&w->network, r);
	w->trace.count = 0;
	oracle_start(&w->oracle);
	w->members = random_percent(r, 75) ? 3 : 5;
	w->durable = mutant >= MUTANT_DISK || (mutant == MUTANT_NONE && random_percent(r, 50));
	w->faults = 0;
	w->killed = 0;
	w->isolated_until_ns = 0;
	w->calm = false;
	w->fault_next_ns = between(r, 1, 12) * MS;
	if (w->slow_leader)
		w->fault_next_ns = UINT64_MAX;
	w->slowed = WORLD_MEMBERS_MAX;
	if (mutant == MUTANT_ONE_VOTE) {
		const uint32_t each[] = {1, 2, 4, 8, 16};

		quorum_init_majority(&w->quorum, w->members);
		for (uint32_t i = 0; i < w->members; i++)
			w->quorum.phase2[each[i]] = w->quorum.phase1[each[i]] = 1;
	} else {
		quorum_init_majority(&w->quorum, w->members);
	}
	const struct replica_settings common = {
		.members = w->members,
		.shards = random_percent(r, 70) ? 1 : 2,
		.body_max = SIM_BODY_MAX,
		.batch_max = random_percent(r, 30) ? 1 + (uint32_t)random_below(r, 8) : 0,
		.window = WINDOW_INSTANCES / 8,
		.packing = random_percent(r, 60),
		.linger_ns = 0,
		.heartbeat_ns = 1 * MS,
		.election_timeout_ns = 10 * MS,
		.progress_timeout_ns = 20 * MS,
		.retransmit_ns = 300 * US,
		.commit_idle_ns = 20 * US,
		.lag_max = 4096,
		.lag_timeout_ns = 50 * MS,
		.handover_ns = handover_ns(w),
		.quorum = &w->quorum,
		.durability = w->durable ? DURABILITY_SYNC : DURABILITY_NONE,
	};

	for (uint32_t i = 0; i < w->members; i++) {
		struct replica_settings settings = common;
		const struct machine machine = oracle_machine(&w->oracle, i);

		settings.self = i;
		settings.seed = random_next(r);
		node_init(&w->nodes[i], &settings, &w->network, &w->trace, r, &machine);
		w->nodes[i].flaw = flaw_of(mutant);
		w->turn_next_ns[i] = random_below(r, TURN_EVERY_US * US);
		memset(w->promised[i], 0, sizeof(w->promised[i]));
	}
	for (uint32_t i = 0; i < w->members && mutant >= MUTANT_DISK; i++)
		w->nodes[i].disk_mutant = (enum disk_mutant)(mutant - MUTANT_DISK + 1);
	power_start(w);
	if (mutant == MUTANT_SWAP)
		w->oracle.machines[1].swap = true;
	customer_init(&w->customer, &w->network, &w->oracle, &w->trace, r, w->members);
	/* That run is longer, and the oracle's tables are not. */
	w->customer.every_ns += w->slow_leader ? 6 * MS : 0;
}

/* After every event of a node: what must hold of it whatever happens. */
static void check_node(struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];

	for (uint32_t s = 0; s < n->settings.shards; s++) {
		const struct acceptor *a = &n->acceptors[s].acceptor;

		if (a->promised < w->promised[id][s])
			oracle_violation(&w->oracle,
				"A1: replica %u's promise went down from %" PRIu64 " to %" PRIu64,
				id, w->promised[id][s], a->promised);
		w->promised[id][s] = a->promised;
		const struct vote *v = a->high == 0 ? NULL : acceptor_vote(a, a->high - 1);

		if (v != NULL && v->ballot > a->promised)
			oracle_violation(&w->oracle, "A2: replica %u voted above its promise", id);
	}
}

static void turn(struct world *w, uint32_t id)
{
	node_turn(&w->nodes[id], w->now_ns);
	w->turn_next_ns[id] = w->now_ns + (w->nodes[id].starved ? STARVED_US : TURN_EVERY_US) * US;
	check_node(w, id);
	power_look(w, id);
}

static void arrive(struct world *w)
{
	struct packet *p = network_take(&w->network);

	if (p == NULL)
		return;
	if (p->to >= MEMBER_MAX) {
		customer_receive(&w->customer, p, w->now_ns);
	} else if (w->nodes[p->to].alive) {
		struct node *n = &w->nodes[p->to];

		node_receive(n, p->bytes, p->length, p->from, w->now_ns);
		if (n->paused_until_ns <= w->now_ns && !random_percent(&w->random, 20) &&
			!n->starved)
			turn(w, p->to);
	}
	network_give_back(&w->network, p);
}

/* Its turn, or what its disk brings to an end; but not while it is paused. */
static uint64_t node_next_ns(const struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];
	uint64_t disk = node_disk_ns(n);

	disk = disk < n->paused_until_ns ? n->paused_until_ns : disk;
	return disk < w->turn_next_ns[id] ? disk : w->turn_next_ns[id];
}

/* The next thing that happens; moves the clock to it. */
static void step(struct world *w)
{
	uint64_t at = network_next_ns(&w->network);
	uint64_t customer_at = customer_next_ns(&w->customer);
	uint64_t power_at = power_next_ns(w);
	uint32_t who = WORLD_MEMBERS_MAX;

	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].alive && node_next_ns(w, i) < at) {
			at = node_next_ns(w, i);
			who = i;
		}
	if (power_at <= at && power_at <= customer_at && power_at <= w->fault_next_ns) {
		w->now_ns = power_at;
		power_turn(w);
	} else if (w->fault_next_ns <= at && w->fault_next_ns <= customer_at) {
		w->now_ns = w->fault_next_ns;
		fault(w);
	} else if (customer_at <= at) {
		w->now_ns = customer_at;
		customer_turn(&w->customer, w->now_ns);
	} else if (who < WORLD_MEMBERS_MAX) {
		w->now_ns = at;
		turn(w, who);
	} else {
		w->now_ns = at;
		arrive(w);
	}
}

/* Every command is answered and every living replica stands at the same place. */
static bool settled(const struct world *w)
{
	const struct node *one = NULL;

	if (!customer_idle(&w->customer) || !power_settled(w))
		return false;
	for (uint32_t i = 0; i < w->members; i++) {
		const struct node *n = &w->nodes[i];

		if (!n->alive || power_beyond(w, i))
			continue;
		if (one != NULL &&
			learner_stage_delivered(&n->learner) !=
				learner_stage_delivered(&one->learner))
			return false;
		one = n;
	}
	return true;
}

static void check_end(struct world *w)
{
	const struct node *one = NULL;

	for (uint32_t i = 0; i < w->members; i++) {
		if (!w->nodes[i].alive || power_beyond(w, i))
			continue;
		if (one != NULL &&
			(w->oracle.machines[i].sum != w->oracle.machines[one->settings.self].sum ||
				learner_stage_digest(&w->nodes[i].learner) !=
					learner_stage_digest(&one->learner)))
			oracle_violation(&w->oracle,
				"agreement: replicas %u and %u end differently", one->settings.self,
				i);
		one = &w->nodes[i];
	}
}

/* Who leads at first becomes slow. True: another leads, and all that is left is to finish. */
static bool lead_moved(struct world *w)
{
	uint32_t leader = leading(w);

	if (w->slowed == WORLD_MEMBERS_MAX && w->now_ns > SLOW_AFTER_MS * MS &&
		leader < w->members) {
		w->slowed = leader;
		w->slowed_ns = w->now_ns;
		w->nodes[leader].starved = true;
		trace_fault(&w->trace, w->now_ns, "is starved", (uint16_t)leader, TRACE_NOBODY);
	}
	if (w->slowed == WORLD_MEMBERS_MAX)
		return false;
	if (leader < w->members && leader != w->slowed)
		return true;
	if (w->now_ns - w->slowed_ns > MOVED_MS * MS)
		oracle_violation(&w->oracle,
			"handover: replica %u is slow, and still leads after %u ms", w->slowed,
			MOVED_MS);
	return false;
}

/* The faults have done what they should. */
static bool enough(struct world *w)
{
	if (w->slow_leader)
		return lead_moved(w);
	return w->now_ns > FAULTY_MS * MS || w->oracle.acknowledged >= WORLD_COMMITS;
}

struct world_result world_run(struct world *w, uint64_t seed, enum mutant mutant)
{
	start(w, seed, mutant);
	while (!w->oracle.violated) {
		step(w);
		if (!w->calm && enough(w)) {
			customer_stop(&w->customer, WORLD_COMMITS);
			calm_down(w);
		}
		if (w->calm && settled(w))
			break;
		if (w->calm && w->now_ns - w->calm_since_ns > CALM_MS * MS)
			oracle_violation(&w->oracle,
				"progress: %u ms after the last fault, %" PRIu64
				" of %u commands are acknowledged",
				CALM_MS, w->oracle.acknowledged, WORLD_COMMITS);
	}
	check_end(w);
	return (struct world_result){
		.passed = !w->oracle.violated,
		.commits = w->oracle.acknowledged,
		.reads = w->oracle.reads,
		.faults = w->faults + w->network.faults_count,
		.crashes = w->power.crashes,
		.virtual_ns = w->now_ns,
	};
}
