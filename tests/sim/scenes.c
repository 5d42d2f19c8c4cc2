#include "tests/sim/scenes.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"

enum {
	SEEDS = 10
};

/* What went wrong, or NULL. A leader is there, and all hear each other. */
typedef const char *scene(struct world *w, uint16_t leader);

static uint32_t everybody(const struct world *w)
{
	return (1u << w->members) - 1;
}

static void hear_all(const struct world *w, uint32_t *hears)
{
	for (uint32_t i = 0; i < w->members; i++)
		hears[i] = everybody(w);
}

/* Member `a` and `b` do not hear each other. */
static void part(uint32_t *hears, uint16_t a, uint16_t b)
{
	hears[a] &= ~(1u << b);
	hears[b] &= ~(1u << a);
}

static uint16_t after(const struct world *w, uint16_t member, uint16_t steps)
{
	return (uint16_t)((member + steps) % w->members);
}

/* Only the hub is connected to a majority; `without` is not connected to it either. */
static void hear_hub(const struct world *w, uint32_t *hears, uint16_t hub, uint32_t without)
{
	for (uint16_t i = 0; i < w->members; i++)
		hears[i] = i == hub ? everybody(w) & ~without : 1u << hub & ~without;
	for (uint16_t i = 0; i < w->members; i++)
		if ((without >> i & 1) != 0)
			hears[i] = 0;
}

/* ---- Links (scenarios.md, Network) ---- */

static const char *quorum_loss(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];
	uint16_t hub = after(w, leader, 1);

	hear_hub(w, hears, hub, 0);
	drive_links(w, hears);
	drive_pass(w, DRIVE_BOUND_MS);
	if (drive_leader(w) != hub)
		return "the only one with a quorum does not lead";
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "it does not stay";
}

static const char *constrained_election(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];
	uint16_t hub = after(w, leader, 2);

	w->network.lags = (uint16_t)(1u << hub);
	drive_pass(w, DRIVE_BOUND_MS);
	hear_hub(w, hears, hub, 1u << leader);
	drive_links(w, hears);
	w->network.lags = 0;
	drive_pass(w, DRIVE_BOUND_MS);
	if (drive_leader(w) != hub)
		return "the only one with a quorum does not lead, for it had an older log";
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "it does not stay";
}

static const char *chained(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];

	hear_all(w, hears);
	part(hears, leader, after(w, leader, 1));
	drive_links(w, hears);
	return drive_stable(w, 2 * DRIVE_BOUND_MS) ? NULL : "who does not hear it deposed it";
}

static const char *deaf_leader(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];

	hear_all(w, hears);
	hears[leader] = 0;
	drive_links(w, hears);
	drive_pass(w, DRIVE_BOUND_MS);
	if (w->nodes[leader].leader.leads)
		return "a leader that can not hear leads on";
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "no other one leads within the bound";
}

static const char *duel(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];
	uint16_t one = after(w, leader, 1);

	hear_all(w, hears);
	part(hears, one, after(w, leader, 2));
	for (uint16_t i = 0; i < w->members; i++)
		part(hears, leader, i);
	drive_links(w, hears);
	drive_pass(w, DRIVE_BOUND_MS);
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "they duel beyond the bound";
}

static const char *partitioned_returns(struct world *w, uint16_t leader)
{
	uint32_t hears[WORLD_MEMBERS_MAX];
	uint16_t one = after(w, leader, 1);

	hear_all(w, hears);
	for (uint16_t i = 0; i < w->members; i++)
		part(hears, one, i);
	drive_links(w, hears);
	if (!drive_stable(w, 2 * DRIVE_BOUND_MS))
		return "a minority's absence disturbed the leader";
	drive_all_links(w);
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "its return disturbed the leader";
}

static const char *old_packets(struct world *w, uint16_t leader)
{
	uint64_t minutes_ns = 10 * 60 * 1000 * WORLD_MS;

	w->network.percent[FAULT_REPLAY] = 50;
	for (uint32_t i = 0; i < 3; i++) {
		drive_pass(w, 5 * DRIVE_TIMEOUT_MS);
		faults_pause(w, leader, w->now_ns + 3 * DRIVE_TIMEOUT_MS * WORLD_MS);
		drive_pass(w, DRIVE_BOUND_MS);
		leader = drive_leader(w);
		if (leader == DRIVE_NO_LEADER)
			return "no other one leads within the bound";
	}
	for (uint16_t i = 0; i < w->members; i++)
		faults_pause(w, i, w->now_ns + minutes_ns);
	customer_sleep(&w->customer, w->now_ns + minutes_ns);
	network_replay(&w->network, w->now_ns + minutes_ns, OLD_PACKETS);
	drive_pass(w, minutes_ns / WORLD_MS + DRIVE_BOUND_MS);
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "minutes-old packets disturbed the leader";
}

static uint64_t refused(const struct world *w)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < w->members; i++)
		count += w->nodes[i].refused;
	return count;
}

static const char *broken_frames(struct world *w, uint16_t leader)
{
	uint64_t broken = w->broken;
	uint64_t before = refused(w);

	(void)leader;
	w->network.percent[FAULT_FLIP] = 10;
	w->network.percent[FAULT_FLIP_PAIR] = 10;
	w->network.percent[FAULT_TRUNCATE] = 10;
	w->network.percent[FAULT_FOREIGN] = 10;
	drive_pass(w, DRIVE_BOUND_MS);
	if (w->broken == broken)
		return "no frame was broken";
	return refused(w) - before == w->broken - broken ? NULL : "one of them was not counted";
}

/* ---- Bad input (scenarios.md) ---- */

static uint64_t alarms(const struct world *w)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < w->members; i++) {
		const struct node *n = &w->nodes[i];

		count += n->leader.counters.too_high;
		for (uint32_t s = 0; s < n->settings.shards; s++)
			count += n->acceptors[s].counters.too_high;
	}
	return count;
}

static const char *numbers_from_nowhere(struct world *w, uint16_t leader)
{
	(void)leader;
	w->network.percent[FAULT_NUMBERS] = 30;
	if (!drive_stable(w, DRIVE_BOUND_MS))
		return "they cost the leadership";
	return alarms(w) > 0 ? NULL : "nobody was alarmed";
}

static const char *retries(struct world *w, uint16_t leader)
{
	uint64_t duplicates = 0;

	w->network.percent[FAULT_DUPLICATE] = 50;
	w->network.percent[FAULT_DELAY] = 50;
	w->network.late_max_ns = 5 * WORLD_MS;
	for (uint32_t i = 0; i < 4; i++) {
		faults_pause(w, leader, w->now_ns + 3 * DRIVE_TIMEOUT_MS * WORLD_MS);
		drive_pass(w, DRIVE_BOUND_MS);
		if (drive_leader(w) != DRIVE_NO_LEADER)
			leader = drive_leader(w);
	}
	for (uint32_t i = 0; i < w->members; i++)
		duplicates += w->nodes[i].learner.counters.duplicates +
			w->nodes[i].leader.counters.repeated;
	return duplicates > 0 ? NULL : "no command came twice";
}

/* ---- Processes and time (scenarios.md, Process, Time) ---- */

static const char *stopped_leader(struct world *w, uint16_t leader)
{
	uint64_t reads = w->oracle.reads;

	faults_pause(w, leader, w->now_ns + DRIVE_BOUND_MS * WORLD_MS);
	drive_pass(w, DRIVE_BOUND_MS);
	if (w->terms < 2 || w->nodes[leader].leader.counters.step_downs != 0)
		return "nobody else led while it was stopped";
	drive_pass(w, DRIVE_TIMEOUT_MS);
	if (w->nodes[leader].leader.leads)
		return "it leads on, though another one does";
	drive_pass(w, DRIVE_BOUND_MS);
	return w->oracle.reads > reads ? NULL : "no read was answered";
}

/* Of the life that ended, or of one before. */
static const char *old_image(struct world *w, uint16_t leader)
{
	static struct disk image;
	uint16_t restored = after(w, leader, 1);
	struct node *n = &w->nodes[restored];

	if (!w->durable)
		return NULL; /* There is no disk. */
	image = n->disk;
	drive_pass(w, DRIVE_BOUND_MS);
	if (random_percent(&w->chance, 50)) {
		power_crash(w, restored);
		drive_pass(w, DRIVE_BOUND_MS);
		if (!n->leader.enrolled)
			return "a restart from its own disk keeps it out";
	}
	w->outcasts |= 1u << restored;
	power_restore(w, restored, &image);
	drive_pass(w, DRIVE_BOUND_MS);
	if (n->leader.identity.outdated == 0)
		return "nobody told it that its disk is an old image";
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "the others do not go on";
}

static const char *clocks(struct world *w, uint16_t leader)
{
	uint64_t terms = w->terms;

	for (uint16_t i = 0; i < w->members; i++)
		clock_set(&w->nodes[i].clock, w->now_ns, 0,
			i == leader ? CLOCK_RATE * 9 / 10 : CLOCK_RATE * 11 / 10);
	drive_pass(w, 2 * DRIVE_BOUND_MS);
	if (w->terms != terms)
		return "a fifth of difference between clocks cost the leadership";
	for (uint16_t i = 0; i < w->members; i++) {
		clock_set(&w->nodes[i].clock, w->now_ns, 3000 * WORLD_MS, CLOCK_RATE);
		drive_pass(w, DRIVE_BOUND_MS);
	}
	return w->terms == terms ? NULL : "a jump of a clock cost the leadership";
}

static const char *starved(struct world *w, uint16_t leader)
{
	uint64_t terms = w->terms;

	w->nodes[after(w, leader, 1)].starved = true;
	drive_pass(w, 3 * DRIVE_BOUND_MS);
	if (w->terms > terms)
		return "a starved follower cost the leadership";
	w->nodes[leader].starved = true;
	drive_pass(w, 3 * DRIVE_BOUND_MS);
	/* One for each of its longest gaps, at most. */
	return w->terms <= terms + 3 * DRIVE_BOUND_MS / (2 * DRIVE_TIMEOUT_MS)
		? NULL
		: "a starved leader costs more elections than it had gaps";
}

/* Those that lead one after the other are asked to read at once, and all the time. */
static const char *early_reads(struct world *w, uint16_t leader)
{
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t reads = w->oracle.reads;

		faults_pause(w, leader, w->now_ns + 3 * DRIVE_TIMEOUT_MS * WORLD_MS);
		drive_pass(w, DRIVE_BOUND_MS);
		leader = drive_leader(w);
		if (leader == DRIVE_NO_LEADER || w->oracle.reads == reads)
			return "the next one does not lead and read within the bound";
	}
	return NULL;
}

/* ---- Load (scenarios.md, Overload) ---- */

static const char *lags_for_ever(struct world *w, uint16_t leader)
{
	uint16_t lagging = after(w, leader, 1);
	const struct leader_stage *l = &w->nodes[leader].leader;
	uint64_t widest = 0;

	w->nodes[leader].settings.lag_max = 64;
	w->network.lags = (uint16_t)(1u << lagging);
	for (uint32_t i = 0; i < 3 * DRIVE_BOUND_MS; i++) {
		uint64_t lag = l->proposer.window.end - l->peers[lagging].delivered;

		if (!l->peers[lagging].out && lag > widest)
			widest = lag;
		drive_pass(w, 1);
	}
	if (widest > 64 + RUN_COUNT_MAX)
		return "admission did not slow for a live follower";
	return drive_stable(w, DRIVE_BOUND_MS) ? NULL : "one that lags stops all others";
}

static const char *sessions_full(struct world *w, uint16_t leader)
{
	drive_pass(w, DRIVE_BOUND_MS);
	if (w->customer.client.count <= w->sessions_max)
		return NULL; /* So few sessions were drawn. */
	if (w->nodes[leader].learner.sessions.evicted == 0)
		return "none was evicted";
	return w->customer.client.counters.expired > 0 ? NULL : "no client heard `expired`";
}

struct named {
	const char *rule;
	scene *run;
	uint32_t members;
	uint32_t with;
};

static const struct named scenes[] = {
	{"quorum-loss: the only member with a quorum comes to lead", quorum_loss, 5, 0},
	{"constrained election: it comes to lead though its log is older", constrained_election, 5,
		0},
	{"chained: who does not hear the leader does not depose it", chained, 3, 0},
	{"a leader that sends but can not hear steps down, another leads", deaf_leader, 3, 0},
	{"duelling proposers end within the bound", duel, 5, 0},
	{"a partitioned member returns without disruption", partitioned_returns, 5, 0},
	{"packets replayed minutes later, across leaders, change nothing", old_packets, 3, 0},
	{"flipped, cut and foreign frames are all refused and counted", broken_frames, 3, 0},
	{"ballots and instances from nowhere are refused, with an alarm", numbers_from_nowhere, 3,
		0},
	{"retries reordered, doubled, through new leaders, run once", retries, 3, 0},
	{"a leader stopped beyond every timeout reads and commits nothing stale", stopped_leader, 3,
		0},
	{"an old image of its disk keeps a member out, also one of the last life", old_image, 3, 0},
	{"clocks that drift or jump cost no leadership", clocks, 3, 0},
	{"a starved poll loop costs few elections", starved, 3, 0},
	{"a new leader reads only after a commit in its own ballot", early_reads, 3, 0},
	{"a follower that lags for ever slows admission, and stops nobody", lags_for_ever, 3, 0},
	{"a full session table evicts, says expired, runs nothing twice", sessions_full, 3,
		1u << FAULT_EVICT},
};

static bool run_scene(struct world *w, const struct named *s, uint64_t seed)
{
	const char *wrong = "no leader at the start";

	if (drive_start(w, seed, s->members, s->with)) {
		wrong = s->run(w, drive_leader(w));
		if (wrong == NULL && !drive_end(w))
			wrong = "its end is not the same for all";
	}
	if (wrong == NULL && !w->oracle.violated)
		return true;
	printf("  seed %" PRIu64 ": %s\n", seed, w->oracle.violated ? w->oracle.violation : wrong);
	return false;
}

struct tally scenes_run(struct world *w)
{
	struct tally all = {0};

	for (uint32_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		uint32_t passed = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			passed += run_scene(w, &scenes[i], seed) ? 1 : 0;
		printf("%2u of %u seeds: %s\n", passed, SEEDS, scenes[i].rule);
		all.passed += passed;
		all.failed += SEEDS - passed;
	}
	return all;
}
