#include "tests/sim/faults.h"

#include <string.h>

enum {
	SPARED_PERCENT = 30,  /* Of the kinds of the run, where each may strike. */
	ASIDE_PERCENT = 50,   /* Of crashes there. */
	RESTART_PERCENT = 25, /* Of faults of durable members. */
	MEND_PERCENT = 15,    /* Of faults that end all others instead. */
	OFF_PERCENT = 25,     /* Of faults of packets that switch theirs off. */
	TRIM_ALL_PERCENT = 70,
	WANT_PERCENT = 30,  /* Of trims: the victim is to cut a snapshot, too. */
	LATE_MAX_US = 5000, /* Of a delayed packet. */
	KEPT_PERCENT = 4,   /* Of packets that may be replayed. */
	REPLAYS_MAX = 16,   /* At a time. */
	SLEEP_PERCENT = 30,
	SLEEP_MAX_S = 600,   /* Of the whole cluster. */
	JUMP_MAX_MS = 5000,  /* Of a clock. */
	RATE_MAX = 4,        /* Times as fast. */
	CLOCK_STOPS = 20,    /* Percent of rates that are 0. */
	STRIKE_MIN_US = 100, /* From one fault to the next. */
	STRIKE_MAX_US = 4000,
	CROSSING_MIN_US = 11000, /* An election's timeout, and what comes after it. */
	CROSSING_MAX_US = 22000,
};

/* Percent of packets that the strongest hits. */
static const uint8_t strongest[FAULT_PACKET_END] = {
	[FAULT_LOSS] = 30,
	[FAULT_DUPLICATE] = 50,
	[FAULT_DELAY] = 50,
	[FAULT_REPLAY] = KEPT_PERCENT,
	[FAULT_FLIP] = 10,
	[FAULT_FLIP_PAIR] = 10,
	[FAULT_TRUNCATE] = 10,
	[FAULT_FOREIGN] = 10,
	[FAULT_NUMBERS] = 5,
};

static uint64_t between(struct random *r, uint64_t low, uint64_t high)
{
	return low + random_below(r, high - low + 1);
}

/* In [low, high], of which the run's force takes its part. */
static uint64_t forced(struct world *w, enum fault kind, uint64_t low, uint64_t high)
{
	return between(&w->chance, low, low + (high - low) * w->swarm.force[kind] / 100);
}

static void hit(struct world *w, enum fault kind, uint16_t port)
{
	coverage_hit(&w->coverage, kind, w->network.states[port]);
}

void faults_start(struct world *w)
{
	swarm_draw(&w->swarm, &w->chance, w->plan.without);
	w->swarm.kinds |= w->plan.with;
	if (w->plan.mutant >= MUTANT_DISK)
		w->swarm.kinds |= 1u << FAULT_RESTART;
	w->faults = 0;
	w->isolated_until_ns = 0;
	w->fault_next_ns = between(&w->chance, 1, 12) * WORLD_MS / 2;
	if (w->plan.faults == 0)
		w->fault_next_ns = UINT64_MAX;
}

/* ---- Of packets ---- */

static void strike_packets(struct world *w, enum fault kind)
{
	struct network *n = &w->network;
	bool off = random_percent(&w->chance, OFF_PERCENT);

	n->percent[kind] = off ? 0 : (uint32_t)forced(w, kind, 1, strongest[kind]);
	n->late_max_ns = forced(w, FAULT_DELAY, 1, LATE_MAX_US) * WORLD_US;
	n->delay_min_ns = between(&w->chance, 1, 5) * WORLD_US;
	n->delay_max_ns = n->delay_min_ns + between(&w->chance, 1, 400) * WORLD_US;
	if (kind == FAULT_REPLAY)
		network_replay(n, w->now_ns, (uint32_t)forced(w, kind, 1, REPLAYS_MAX));
	trace_fault(&w->trace, w->now_ns, fault_name(kind), TRACE_NOBODY, TRACE_NOBODY);
}

/* ---- Of links ---- */

static void cut(struct world *w, uint16_t from, uint16_t to, enum fault kind)
{
	w->network.cut[from] |= (uint16_t)(1u << to);
	w->network.cut_by[from][to] = (uint8_t)kind;
}

/* A member, or now and then the clients. */
static uint16_t any_port(struct world *w)
{
	uint16_t port = (uint16_t)random_below(&w->chance, w->members + 1);

	return port < w->members ? port : MEMBER_MAX;
}

static void cut_one_way(struct world *w, uint16_t victim)
{
	uint16_t other = any_port(w);
	bool deaf = random_percent(&w->chance, 50);
	uint16_t from = deaf ? other : victim;
	uint16_t to = deaf ? victim : other;

	cut(w, from, to, FAULT_ONE_WAY);
	trace_fault(&w->trace, w->now_ns, "is not heard by", from, to);
}

/* The victim's side is drawn; the clients stand on either. */
static void partition(struct world *w, uint16_t victim)
{
	uint32_t side = (uint32_t)random_next(&w->chance) | 1u << victim;

	for (uint16_t from = 0; from < PORTS_MAX; from++)
		for (uint16_t to = 0; to < PORTS_MAX; to++)
			if ((side >> from & 1) != (side >> to & 1))
				cut(w, from, to, FAULT_PARTITION);
	for (uint16_t i = 0; i < w->members; i++)
		if ((side >> i & 1) != 0)
			trace_fault(&w->trace, w->now_ns, "is cut off with", i, victim);
}

static void isolate_until_then(struct world *w)
{
	for (uint16_t i = 0; i < w->members; i++) {
		cut(w, i, w->isolated, FAULT_ISOLATE);
		cut(w, w->isolated, i, FAULT_ISOLATE);
	}
}

/* It sleeps until the others have another leader, and wakes before it can hear of that. */
static void isolate(struct world *w, uint16_t victim)
{
	uint16_t leader = world_leader(w);

	victim = leader == WORLD_NOBODY ? victim : leader;
	faults_pause(w, victim, w->now_ns + between(&w->chance, 15, 40) * WORLD_MS);
	w->isolated = victim;
	w->isolated_until_ns =
		w->nodes[victim].paused_until_ns + between(&w->chance, 1, 9) * WORLD_MS;
	memset(w->network.cut, 0, sizeof(w->network.cut));
	isolate_until_then(w);
	hit(w, FAULT_ISOLATE, victim);
	trace_fault(&w->trace, w->now_ns, "pauses, isolated", victim, TRACE_NOBODY);
}

/* ---- Of processes ---- */

void faults_pause(struct world *w, uint16_t id, uint64_t until_ns)
{
	w->nodes[id].paused_until_ns = until_ns;
	w->turn_next_ns[id] = until_ns;
}

static void pause_one(struct world *w, uint16_t victim)
{
	struct node *n = &w->nodes[victim];

	faults_pause(w, victim, w->now_ns + forced(w, FAULT_PAUSE, 1, 60) * WORLD_MS);
	hit(w, FAULT_PAUSE, victim);
	trace_fault(&w->trace, w->now_ns, "pauses", victim, TRACE_NOBODY);
	for (uint32_t s = 0; w->plan.mutant == MUTANT_FORGETFUL && s < n->settings.shards; s++) {
		acceptor_init(&n->acceptors[s].acceptor, ACCEPTOR_WINDOW);
		w->promised[victim][s] = 0;
	}
}

/* All sleep, clients too; what was sent before may come minutes after. */
static void sleep_all(struct world *w)
{
	uint64_t sleep_ns = forced(w, FAULT_SLEEP, 1, SLEEP_MAX_S) * 1000 * WORLD_MS;
	uint64_t wake_ns = w->now_ns + sleep_ns;

	for (uint16_t i = 0; i < w->members; i++) {
		faults_pause(w, i, wake_ns + random_below(&w->chance, 2 * WORLD_MS));
		if (w->nodes[i].alive)
			hit(w, FAULT_SLEEP, i);
	}
	power_sleep(w, sleep_ns);
	customer_sleep(&w->customer, wake_ns);
	w->faulty_until_ns += sleep_ns;
	w->fault_next_ns += sleep_ns;
	if (swarm_has(&w->swarm, FAULT_REPLAY))
		network_replay(&w->network, wake_ns, REPLAYS_MAX);
	trace_fault(&w->trace, w->now_ns, "sleeps with all others", 0, TRACE_NOBODY);
}

static void starve(struct world *w, uint16_t victim)
{
	w->nodes[victim].starved = true;
	hit(w, FAULT_STARVE, victim);
	trace_fault(&w->trace, w->now_ns, "is starved", victim, TRACE_NOBODY);
}

/* To the victim; from the victim, if it leads. */
static void transfer(struct world *w, uint16_t victim)
{
	uint16_t from = world_leader(w);
	uint16_t to = victim;

	if (w->nodes[victim].leader.leads) {
		from = victim;
		to = (uint16_t)((victim + 1u + random_below(&w->chance, w->members - 1)) %
			w->members);
	}
	if (from == WORLD_NOBODY ||
		!leader_stage_transfer(&w->nodes[from].leader, to, w->nodes[from].here_ns))
		return;
	hit(w, FAULT_TRANSFER, victim);
	trace_fault(&w->trace, w->now_ns, "is to hand over, as told", from, TRACE_NOBODY);
}

/* A minority at most, and for ever: in mode none a crashed member has forgotten its promises. The
 * first start needs all, so they are all there before. */
bool faults_crash(struct world *w, uint16_t victim)
{
	uint32_t dead = (uint32_t)__builtin_popcount(w->killed);

	if (!world_counts(w, victim) || 2 * (dead + 1) >= w->members || !w->network.pinned)
		return false;
	hit(w, FAULT_CRASH, victim);
	w->nodes[victim].alive = false;
	w->killed |= 1u << victim;
	trace_fault(&w->trace, w->now_ns, "is killed", victim, TRACE_NOBODY);
	return true;
}

static void return_empty(struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++) {
		struct node *n = &w->nodes[i];
		struct replica_settings settings = n->settings;

		if (n->alive)
			continue;
		const struct machine machine = oracle_machine_anew(&w->oracle, i);

		node_init(n, &settings, w->sessions_max, &w->network, &w->trace, &w->chance,
			&machine);
		memset(w->promised[i], 0, sizeof(w->promised[i]));
		w->evicted[i] = 0;
		w->outcasts |= 1u << i;
		w->turn_next_ns[i] = w->now_ns;
		for (uint16_t k = 0; k < w->members; k++)
			if (world_counts(w, k))
				hit(w, FAULT_RETURN_EMPTY, k);
		trace_fault(&w->trace, w->now_ns, "starts again, without memory", (uint16_t)i,
			TRACE_NOBODY);
		return;
	}
}

/* All of them, or one: their logs begin where they stand. As a full log would, only sooner. */
static void trim(struct world *w, uint16_t victim)
{
	bool all = random_percent(&w->chance, TRIM_ALL_PERCENT);

	for (uint16_t i = 0; i < w->members; i++) {
		struct node *n = &w->nodes[i];

		if ((!all && i != victim) || !n->alive)
			continue;
		for (uint32_t s = 0; s < n->settings.shards; s++)
			n->acceptors[s].acceptor.tail = n->acceptors[s].acceptor.delivered;
		hit(w, FAULT_TRIM, i);
	}
	if (random_percent(&w->chance, WANT_PERCENT))
		learner_stage_want_snapshot(&w->nodes[victim].learner);
	trace_fault(&w->trace, w->now_ns,
		all ? "and all others drop what they delivered" : "drops what it delivered", victim,
		TRACE_NOBODY);
}

/* ---- Of clocks ---- */

static void change_clock(struct world *w, uint16_t victim, enum fault kind)
{
	struct clock *c = &w->nodes[victim].clock;

	if (kind == FAULT_CLOCK_JUMP)
		clock_set(c, w->now_ns, forced(w, kind, 1, JUMP_MAX_MS) * WORLD_MS, c->rate);
	else
		clock_set(c, w->now_ns, 0,
			random_percent(&w->chance, CLOCK_STOPS)
				? 0
				: (uint32_t)between(&w->chance, CLOCK_RATE / RATE_MAX,
					  CLOCK_RATE * RATE_MAX));
	hit(w, kind, victim);
	trace_fault(&w->trace, w->now_ns,
		kind == FAULT_CLOCK_JUMP ? "has its clock jump" : "has its clock at another rate",
		victim, TRACE_NOBODY);
}

/* ---- One of them ---- */

void faults_end(struct world *w)
{
	network_calm(&w->network);
	if (w->now_ns < w->isolated_until_ns)
		isolate_until_then(w);
	w->customer.floods = false;
	for (uint32_t i = 0; i < w->members; i++) {
		w->nodes[i].starved = false;
		clock_set(&w->nodes[i].clock, w->now_ns, 0, CLOCK_RATE);
	}
	trace_fault(&w->trace, w->now_ns, "sees all be mended", 0, TRACE_NOBODY);
}

static void strike(struct world *w, enum fault kind, uint16_t victim)
{
	switch (kind) {
	case FAULT_ONE_WAY:
		cut_one_way(w, victim);
		return;
	case FAULT_PARTITION:
		partition(w, victim);
		return;
	case FAULT_ISOLATE:
		isolate(w, victim);
		return;
	case FAULT_PAUSE:
		pause_one(w, victim);
		return;
	case FAULT_SLEEP:
		/* Mostly not: a run of nothing but sleep has no other faults. */
		if (random_percent(&w->chance, SLEEP_PERCENT))
			sleep_all(w);
		return;
	case FAULT_STARVE:
		starve(w, victim);
		return;
	case FAULT_TRANSFER:
		transfer(w, victim);
		return;
	case FAULT_CRASH:
		if (!w->durable)
			faults_crash(w, victim);
		return;
	case FAULT_RETURN_EMPTY:
		if (!w->durable)
			return_empty(w);
		return;
	case FAULT_RESTART:
		if (w->durable)
			power_fault(w, victim);
		return;
	case FAULT_DISK_FULL:
		if (w->durable)
			power_fill(w, victim);
		return;
	case FAULT_CLOCK_JUMP:
	case FAULT_CLOCK_RATE:
		change_clock(w, victim, kind);
		return;
	case FAULT_OVERLOAD:
		w->customer.floods = true;
		return;
	case FAULT_TRIM:
		trim(w, victim);
		return;
	case FAULT_LAG:
		w->network.lags |= (uint16_t)(1u << victim);
		return;
	default:
		strike_packets(w, kind);
	}
}

void faults_strike(struct world *w, uint16_t victim)
{
	enum fault kind = (enum fault)random_below(&w->chance, FAULT_KINDS);

	w->faults++;
	w->fault_next_ns = w->now_ns + between(&w->chance, STRIKE_MIN_US, STRIKE_MAX_US) * WORLD_US;
	if (victim == WORLD_NOBODY)
		victim = (uint16_t)random_below(&w->chance, w->members);
	for (uint32_t i = 0; i < w->members && !w->nodes[victim].alive; i++)
		victim = (uint16_t)((victim + 1u) % w->members);
	if (random_percent(&w->chance, MEND_PERCENT)) {
		faults_end(w);
		return;
	}
	/* What a disk must hold shows only at a restart: these have a share of their own. */
	if (w->durable && random_percent(&w->chance, RESTART_PERCENT))
		kind = FAULT_RESTART;
	/* A run with few kinds has more of each. */
	for (uint32_t i = 0; i < FAULT_KINDS; i++, kind = (kind + 1) % FAULT_KINDS)
		if (kind != FAULT_EVICT && swarm_has(&w->swarm, kind)) {
			strike(w, kind, victim);
			return;
		}
}

/* Whatever the swarm says: of members without disks few are ever in such a state, and to a transfer
 * belongs another one that leads. */
static bool is_rare(const struct world *w, enum fault kind)
{
	return (kind == FAULT_CRASH || kind == FAULT_RETURN_EMPTY || kind == FAULT_TRANSFER) &&
		(w->plan.without >> kind & 1) == 0;
}

void faults_strike_each(struct world *w, uint16_t victim)
{
	for (uint32_t i = 0; i < FAULT_KINDS; i++) {
		/* A transfer first: to who is cut off or starved nobody hands over. */
		enum fault kind = (FAULT_TRANSFER + i) % FAULT_KINDS;
		bool has = swarm_has(&w->swarm, kind) || is_rare(w, kind);

		if (kind == FAULT_EVICT || !has || w->faults >= w->plan.faults ||
			random_percent(&w->chance, SPARED_PERCENT))
			continue;
		w->faults++;
		/* If another one crashes, who returns empty finds this one as it is. */
		if (kind == FAULT_CRASH && random_percent(&w->chance, ASIDE_PERCENT))
			strike(w, kind, (uint16_t)((victim + 1u) % w->members));
		else
			strike(w, kind, victim);
	}
}

void faults_strike_crossing(struct world *w, uint16_t leader)
{
	if (!swarm_has(&w->swarm, FAULT_PAUSE) || w->faults >= w->plan.faults)
		return;
	w->faults++;
	faults_pause(w, leader,
		w->now_ns + between(&w->chance, CROSSING_MIN_US, CROSSING_MAX_US) * WORLD_US);
	hit(w, FAULT_PAUSE, leader);
	trace_fault(&w->trace, w->now_ns, "pauses beyond a block's end", leader, TRACE_NOBODY);
	if (swarm_has(&w->swarm, FAULT_STARVE))
		starve(w,
			(uint16_t)((leader + 1u + random_below(&w->chance, w->members - 1)) %
				w->members));
}
