#include "tests/sim/world.h"

#include <inttypes.h>
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/faults.h"
#include "tests/sim/record.h"

enum {
	TURN_EVERY_US = 200, /* A node's turn when nothing arrives. */
	STARVED_US = 8000,   /* Between the turns of one that is starved, at most. */
	SLOW_US = 2500,      /* Between those of a slow leader: no election's timeout. */
	SLOW_AFTER_MS = 20,  /* Who leads by then becomes slow, */
	MOVED_MS = 400,      /* and leads no longer after that. */
	FAULTY_MS = 400,     /* Awake time with faults, at most. */
	CALM_MS = 2000,      /* After the last fault: the bound for progress. */
	WINDOW_SMALL = 2 * BLOCK,
	LONG_PERCENT = 6, /* Of runs that are long, */
	LONG_TIMES = 4,   /* by so much. */
};

static uint64_t between(struct random *r, uint64_t low, uint64_t high)
{
	return low + random_below(r, high - low + 1);
}

/* ---- The start ---- */

static void start_quorum(struct world *w)
{
	quorum_init_majority(&w->quorum, w->members);
	if (w->plan.mutant == MUTANT_ONE_VOTE)
		for (uint32_t i = 0; i < w->members; i++)
			w->quorum.phase2[1u << i] = w->quorum.phase1[1u << i] = 1;
}

/* Off, so tight that leaders hand over for nothing, or with some reason. */
static uint64_t draw_handover(struct world *w)
{
	if (w->plan.mutant == MUTANT_NO_HANDOVER)
		return 0;
	if (w->plan.slow_leader)
		return 800 * WORLD_US;
	return random_percent(&w->random, 50) ? between(&w->random, 50, 2000) * WORLD_US : 0;
}

static struct replica_settings draw_settings(struct world *w)
{
	struct random *r = &w->random;

	return (struct replica_settings){
		.members = w->members,
		.shards = random_percent(r, 70) ? 1 : 2,
		.body_max = SIM_BODY_MAX,
		.batch_max = random_percent(r, 30) ? 1 + (uint32_t)random_below(r, 8) : 0,
		.window = WINDOW_SMALL,
		.packing = random_percent(r, 60),
		.linger_ns = random_percent(r, 20) ? 50 * WORLD_US : 0,
		.heartbeat_ns = 1 * WORLD_MS,
		.election_timeout_ns = 10 * WORLD_MS,
		.progress_timeout_ns = 20 * WORLD_MS,
		.retransmit_ns = 300 * WORLD_US,
		.commit_idle_ns = 20 * WORLD_US,
		/* The low ones are below what a configuration may say, so that few commands reach it. */
		.lag_max = random_percent(r, 70) ? LOG_INSTANCES / 2 : 32 + random_below(r, 128),
		.lag_timeout_ns = 50 * WORLD_MS,
		.handover_ns = draw_handover(w),
		.quorum = &w->quorum,
		.durability = w->durable ? DURABILITY_SYNC : DURABILITY_NONE,
	};
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

static void start_node(struct world *w, uint32_t id, const struct replica_settings *common)
{
	struct replica_settings settings = *common;
	const struct machine machine = oracle_machine(&w->oracle, id);
	struct node *n = &w->nodes[id];

	settings.self = id;
	settings.seed = random_next(&w->random);
	node_init(n, &settings, w->sessions_max, &w->network, &w->trace, &w->random, &machine);
	node_record(n, w->record);
	n->flaw = flaw_of(w->plan.mutant);
	if (w->plan.mutant >= MUTANT_DISK)
		n->disk_mutant = (enum disk_mutant)(w->plan.mutant - MUTANT_DISK + 1);
	checks_watch(w, n);
	w->turn_next_ns[id] = random_below(&w->random, TURN_EVERY_US * WORLD_US);
	w->evicted[id] = 0;
	w->proposals[id] = (struct proposals){0};
	w->led[id] = 0;
	memset(w->promised[id], 0, sizeof(w->promised[id]));
}

static void record_run(struct world *w, uint32_t shards)
{
	const struct trace_file_header h = trace_file_header_of(&w->quorum, w->plan.seed,
		w->members, shards, w->durable ? 1 : 0);

	if (w->record != NULL)
		record_header(w->record, &h);
}

void world_start(struct world *w, const struct plan *plan)
{
	struct random *r = &w->random;

	w->plan = *plan;
	w->now_ns = 0;
	r->state = plan->seed * 0x9e3779b97f4a7c15ull + 1;
	w->chance.state = random_next(r);
	w->weather.state = random_next(r);
	network_init(&w->network, &w->weather, &w->coverage);
	w->trace.count = 0;
	oracle_start(&w->oracle);
	checks_start(w);
	w->members = random_percent(r, 75) ? 3 : 5;
	if (plan->members != 0)
		w->members = plan->members;
	w->broken = 0;
	w->durable = plan->mutant >= MUTANT_DISK ||
		(plan->mutant == MUTANT_NONE && random_percent(r, 50));
	w->killed = 0;
	w->outcasts = 0;
	w->calm = false;
	w->faulty_until_ns = FAULTY_MS * WORLD_MS;
	w->slowed = WORLD_NOBODY;
	w->terms = 0;
	w->block = 0;
	faults_start(w);
	start_quorum(w);

	uint32_t sessions = 2 + (uint32_t)random_below(r, CUSTOMER_SESSIONS_MAX - 1);
	const struct replica_settings common = draw_settings(w);

	bool is_long = random_percent(r, LONG_PERCENT) && !plan->slow_leader;

	w->commits = plan->commits * (is_long ? LONG_TIMES : 1);
	w->sessions_max = swarm_has(&w->swarm, FAULT_EVICT) ? 1 + sessions * 3 / 4 : SIM_SESSIONS;
	record_run(w, common.shards);
	for (uint32_t i = 0; i < w->members; i++)
		start_node(w, i, &common);
	power_start(w);
	if (plan->mutant == MUTANT_SWAP)
		w->oracle.machines[1].swap = true;
	customer_init(&w->customer, &w->network, &w->oracle, &w->trace, r, w->members, sessions);
	/* That run is longer, and the oracle's tables are not. */
	w->customer.every_ns += plan->slow_leader ? 6 * WORLD_MS : 0;
	w->network.states[MEMBER_MAX] = STATE_CLIENT_OPENING;
}

/* ---- Events ---- */

/* How often, in percent, the next fault waits for just that: moments that are short, or come once in
 * a run, are met by few faults otherwise. */
static const uint8_t ambushes[STATES] = {
	[STATE_PREVOTING] = 10,
	[STATE_PREPARING_SELF] = 50,
	[STATE_PREPARING] = 10,
	[STATE_CATCHING_UP] = 100,
	[STATE_INSTALLING] = 50,
	[STATE_PULLING] = 30,
	[STATE_REPROPOSING] = 20,
	[STATE_OPENING] = 10,
};

static void ambush(struct world *w, uint32_t id, uint8_t state)
{
	/* With a disk, a restart there would come to there again, and be ambushed for ever. */
	bool spared = state == STATE_INSTALLING && w->durable;

	if (spared || w->faults >= w->plan.faults || !random_percent(&w->chance, ambushes[state]))
		return;
	if (state == STATE_CATCHING_UP || state == STATE_INSTALLING)
		faults_strike_each(w, (uint16_t)id);
	else
		faults_strike(w, (uint16_t)id);
}

/* Once for each block, and for its first one that gets there. */
static void note_crossing(struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];
	uint64_t block = learner_stage_delivered(&n->learner) / BLOCK;

	if (block <= w->block)
		return;
	w->block = block;
	if (!w->calm && n->leader.leads)
		faults_strike_crossing(w, (uint16_t)id);
}

/* What the node's turn made of it. */
static void note_state(struct world *w, uint32_t id)
{
	uint8_t before = w->network.states[id];
	uint8_t state = (uint8_t)coverage_state(&w->nodes[id]);
	uint64_t evicted = w->nodes[id].learner.sessions.evicted;

	w->network.states[id] = state;
	if (evicted > w->evicted[id])
		coverage_hit(&w->coverage, FAULT_EVICT, state);
	w->evicted[id] = evicted;
	if (!w->calm && state != before && ambushes[state] > 0)
		ambush(w, id, state);
}

static uint64_t next_turn_ns(struct world *w, const struct node *n)
{
	uint64_t gap = TURN_EVERY_US;

	if (w->slowed == n->settings.self)
		gap = SLOW_US;
	else if (n->starved)
		gap = between(&w->random, TURN_EVERY_US, STARVED_US);
	return w->now_ns + gap * WORLD_US;
}

static void turn(struct world *w, uint32_t id)
{
	struct node *n = &w->nodes[id];

	node_turn(n, w->now_ns);
	w->turn_next_ns[id] = next_turn_ns(w, n);
	checks_node(w, id);
	power_look(w, id);
	if (!n->alive)
		return;
	if (!w->network.pinned)
		w->network.pinned = checks_all_enrolled(w);
	note_state(w, id);
	note_crossing(w, id);
}

static void arrive_at_node(struct world *w, const struct packet *p)
{
	struct node *n = &w->nodes[p->to];

	if (!n->alive)
		return;
	bool taken = node_receive(n, p->bytes, p->length, p->from, w->now_ns);

	w->broken += p->kind == PACKET_BROKEN ? 1 : 0;
	if (taken && p->kind == PACKET_BROKEN)
		oracle_violation(&w->oracle, "frames: replica %u took a broken one from port %u",
			p->to, p->from);
	if (n->paused_until_ns <= w->now_ns && !n->starved && w->slowed != p->to &&
		!random_percent(&w->random, 20))
		turn(w, p->to);
}

static void arrive(struct world *w)
{
	struct packet *p = network_take(&w->network);

	if (p == NULL)
		return;
	if (p->to < MEMBER_MAX)
		arrive_at_node(w, p);
	else if (customer_receive(&w->customer, p, w->now_ns) && p->kind == PACKET_BROKEN)
		oracle_violation(&w->oracle, "frames: the client took a broken one from replica %u",
			p->from);
	network_give_back(&w->network, p);
}

static void serve_customer(struct world *w)
{
	customer_turn(&w->customer, w->now_ns);
	w->network.states[MEMBER_MAX] =
		customer_open(&w->customer) ? STATE_CLIENT_OPEN : STATE_CLIENT_OPENING;
}

/* Its turn, or what its disk brings to an end; but not while it is paused, or slow. */
static uint64_t node_next_ns(const struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];
	uint64_t disk = w->slowed == id ? UINT64_MAX : node_disk_ns(n);

	disk = disk < n->paused_until_ns ? n->paused_until_ns : disk;
	return disk < w->turn_next_ns[id] ? disk : w->turn_next_ns[id];
}

/* The next thing that happens; moves the clock to it. */
void world_step(struct world *w)
{
	uint64_t at = network_next_ns(&w->network);
	uint64_t customer_at = customer_next_ns(&w->customer);
	uint64_t power_at = power_next_ns(w);
	uint32_t who = WORLD_NOBODY;

	for (uint32_t i = 0; i < w->members; i++) {
		uint64_t node_at = w->nodes[i].alive ? node_next_ns(w, i) : UINT64_MAX;

		if (node_at < at) {
			at = node_at;
			who = i;
		}
	}
	if (power_at <= at && power_at <= customer_at && power_at <= w->fault_next_ns) {
		w->now_ns = power_at;
		power_turn(w);
	} else if (w->fault_next_ns <= at && w->fault_next_ns <= customer_at) {
		w->now_ns = w->fault_next_ns;
		faults_strike(w, WORLD_NOBODY);
	} else if (customer_at <= at) {
		w->now_ns = customer_at;
		serve_customer(w);
	} else if (who != WORLD_NOBODY) {
		w->now_ns = at;
		turn(w, who);
	} else {
		w->now_ns = at;
		arrive(w);
	}
}

uint16_t world_leader(const struct world *w)
{
	for (uint16_t i = 0; i < w->members; i++)
		if (w->nodes[i].alive && w->nodes[i].leader.leads)
			return i;
	return WORLD_NOBODY;
}

/* ---- The end ---- */

/* Who leads at first becomes slow. True: another leads, and all that is left is to finish. */
static bool lead_moved(struct world *w)
{
	uint16_t leader = world_leader(w);

	if (leader == WORLD_NOBODY || w->now_ns <= SLOW_AFTER_MS * WORLD_MS)
		return false;
	if (w->slowed == WORLD_NOBODY) {
		w->slowed = leader;
		w->slowed_ns = w->now_ns;
		trace_fault(&w->trace, w->now_ns, "is slow", leader, TRACE_NOBODY);
	}
	if (leader != w->slowed)
		return true;
	if (w->now_ns - w->slowed_ns > MOVED_MS * WORLD_MS)
		oracle_violation(&w->oracle,
			"handover: replica %u is slow, and still leads after %u ms", w->slowed,
			MOVED_MS);
	return false;
}

/* The faults have done what they should. */
static bool enough(struct world *w)
{
	if (w->plan.slow_leader)
		return lead_moved(w);
	return w->now_ns > w->faulty_until_ns || w->oracle.acknowledged >= w->commits ||
		w->faults >= w->plan.faults;
}

void world_calm(struct world *w)
{
	w->calm = true;
	w->slowed = WORLD_NOBODY;
	w->calm_since_ns = w->now_ns;
	w->fault_next_ns = UINT64_MAX;
	w->isolated_until_ns = 0;
	faults_end(w);
	for (uint16_t i = 0; i < w->members; i++)
		if (w->nodes[i].paused_until_ns > w->now_ns)
			faults_pause(w, i, w->now_ns);
	power_calm(w);
	customer_wake(&w->customer, w->now_ns);
}

/* Every command is answered and every living replica stands at the same place. */
static bool settled(const struct world *w)
{
	const struct node *one = NULL;

	if (!customer_idle(&w->customer) || !power_settled(w))
		return false;
	for (uint32_t i = 0; i < w->members; i++) {
		const struct node *n = &w->nodes[i];

		if (!world_counts(w, i))
			continue;
		if (one != NULL &&
			learner_stage_delivered(&n->learner) !=
				learner_stage_delivered(&one->learner))
			return false;
		one = n;
	}
	return true;
}

struct world_result world_run(struct world *w, const struct plan *plan)
{
	world_start(w, plan);
	/* A record goes on past a violation: who reads it has to see for itself what is wrong. */
	while (!w->oracle.violated || w->record != NULL) {
		world_step(w);
		if (!w->calm && enough(w)) {
			customer_stop(&w->customer, w->commits);
			world_calm(w);
		}
		if (w->calm && settled(w))
			break;
		if (w->calm && w->now_ns - w->calm_since_ns > CALM_MS * WORLD_MS) {
			oracle_violation(&w->oracle,
				"progress: %u ms after the last fault, %" PRIu64 " of %" PRIu64
				" commands are acknowledged",
				CALM_MS, w->oracle.acknowledged, w->commits);
			break;
		}
	}
	checks_end(w);
	return (struct world_result){
		.passed = !w->oracle.violated,
		.commits = w->oracle.acknowledged,
		.reads = w->oracle.reads,
		.faults = w->faults + w->network.faults_count,
		.crashes = w->power.crashes,
		.virtual_ns = w->now_ns,
		.calm_ns = w->now_ns - w->calm_since_ns,
	};
}
