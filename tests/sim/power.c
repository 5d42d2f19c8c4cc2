#include "tests/sim/power.h"

#include "tests/sim/boot.h"
#include "tests/sim/world.h"

#define US 1000ull
#define MS 1000000ull

enum {
	ROOM_PERCENT = 50,    /* Of restarts from a full disk. */
	CRAMPED_PERCENT = 50, /* Of full disks: a snapshot takes room too. */
};

static uint64_t between(struct world *w, uint64_t low, uint64_t high)
{
	return low + random_below(&w->chance, high - low + 1);
}

static void boot(struct world *w, uint32_t id)
{
	struct node *n = &w->nodes[id];
	bool swap = w->oracle.machines[id].swap;

	w->oracle.machines[id] =
		(struct oracle_machine){.oracle = &w->oracle, .node = id, .swap = swap};
	w->evicted[id] = 0;
	const struct machine machine = oracle_machine(&w->oracle, id);

	n->now_ns = w->now_ns;
	w->power.restart_ns[id] = UINT64_MAX;
	/* Somebody made room meanwhile, or nobody did. */
	if (n->disk.faults.full && random_percent(&w->chance, ROOM_PERCENT))
		n->disk.faults.full = n->disk.faults.cramped = false;
	if (!boot_start(n, &w->oracle, &machine)) {
		trace_fault(&w->trace, w->now_ns, "stays out", (uint16_t)id, TRACE_NOBODY);
		return;
	}
	for (uint32_t s = 0; s < n->settings.shards; s++)
		w->promised[id][s] = n->acceptors[s].acceptor.promised;
	w->turn_next_ns[id] = w->now_ns;
	n->paused_until_ns = 0;
}

void power_start(struct world *w)
{
	w->power = (struct power){0};
	for (uint32_t i = 0; i < POWER_MEMBERS_MAX; i++)
		w->power.restart_ns[i] = UINT64_MAX;
	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].durable)
			boot(w, i);
}

void power_crash(struct world *w, uint32_t id)
{
	struct node *n = &w->nodes[id];

	w->power.crashes++;
	coverage_hit(&w->coverage, FAULT_RESTART, w->network.states[id]);
	boot_crash(n);
	w->power.restart_ns[id] = w->now_ns + between(w, 100, 20000) * US;
	trace_fault(&w->trace, w->now_ns, "crashes", (uint16_t)id, TRACE_NOBODY);
}

static void crash_all(struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].alive)
			power_crash(w, i);
}

/* A minority's disks may lose what they said that they had. */
static bool may_damage(struct world *w, uint32_t id)
{
	uint32_t damaged = w->power.damaged | 1u << id;

	if (2 * (uint32_t)__builtin_popcount(damaged) >= w->members)
		return false;
	w->power.damaged = damaged;
	return true;
}

static void draw_pace(struct world *w, struct disk_faults *f)
{
	f->delay_min_ns = between(w, 5, 100) * US;
	f->delay_max_ns = f->delay_min_ns +
		(random_percent(&w->chance, 20) ? between(w, 1, 30) * MS : between(w, 1, 300) * US);
}

void power_fault(struct world *w, uint32_t id)
{
	uint64_t kind = random_below(&w->chance, 100);
	struct node *n = &w->nodes[id];

	if (!n->alive)
		return;
	if (kind < 20) {
		power_crash(w, id);
	} else if (kind < 55) {
		n->crash_steps = n->disk.steps + 1 + random_below(&w->chance, 12);
	} else if (kind < 63) {
		crash_all(w);
	} else if (kind < 80) {
		draw_pace(w, &n->disk.faults);
	} else if (kind < 88 && may_damage(w, id)) {
		trace_fault(&w->trace, w->now_ns, "has a bit turn over on its disk", (uint16_t)id,
			TRACE_NOBODY);
		power_crash(w, id);
		disk_flip(&n->disk);
	} else if (kind < 94 && may_damage(w, id)) {
		n->disk.faults.loses_next = true;
	} else if (may_damage(w, id)) {
		n->disk.faults.fails_next = true;
	}
}

void power_fill(struct world *w, uint32_t id)
{
	struct node *n = &w->nodes[id];

	if (!n->alive || n->disk.faults.full)
		return;
	n->disk.faults.full = true;
	n->disk.faults.cramped = random_percent(&w->chance, CRAMPED_PERCENT);
	coverage_hit(&w->coverage, FAULT_DISK_FULL, w->network.states[id]);
	trace_fault(&w->trace, w->now_ns,
		n->disk.faults.cramped ? "has a full disk"
				       : "has a disk with room for a snapshot only",
		(uint16_t)id, TRACE_NOBODY);
}

void power_look(struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];

	/* A write that was under way when the faults ended may fail after it. */
	if (n->crashing || (w->calm && n->durable && n->alive && n->journal.failed))
		power_crash(w, id);
}

uint64_t power_next_ns(const struct world *w)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < w->members; i++)
		at = w->power.restart_ns[i] < at ? w->power.restart_ns[i] : at;
	return at;
}

void power_turn(struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++) {
		if (w->power.restart_ns[i] > w->now_ns)
			continue;
		w->power.restarts++;
		trace_fault(&w->trace, w->now_ns, "starts again", (uint16_t)i, TRACE_NOBODY);
		boot(w, i);
		/* Now and then it crashes in its start, before its first write. */
		if (!w->calm && w->nodes[i].alive && random_percent(&w->chance, 10))
			power_crash(w, i);
		return;
	}
}

void power_restore(struct world *w, uint32_t id, const struct disk *image)
{
	struct node *n = &w->nodes[id];

	if (n->alive)
		power_crash(w, id);
	n->disk = *image;
	disk_crash(&n->disk);
	witness_start(&n->witness); /* That it has forgotten what it told is the fault. */
	trace_fault(&w->trace, w->now_ns, "has an old image of its disk", (uint16_t)id,
		TRACE_NOBODY);
}

void power_sleep(struct world *w, uint64_t sleep_ns)
{
	for (uint32_t i = 0; i < w->members; i++)
		if (w->power.restart_ns[i] != UINT64_MAX)
			w->power.restart_ns[i] += sleep_ns;
}

void power_calm(struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++) {
		struct node *n = &w->nodes[i];

		if (!n->durable)
			continue;
		if (w->power.restart_ns[i] != UINT64_MAX && w->power.restart_ns[i] > w->now_ns)
			w->power.restart_ns[i] = w->now_ns;
		bool full = n->disk.faults.full;

		n->crash_steps = 0;
		n->disk.faults =
			(struct disk_faults){.delay_min_ns = 10 * US, .delay_max_ns = 60 * US};
		/* Room that comes back is found by a start. */
		if (n->alive && full)
			power_crash(w, i);
		else if (n->alive)
			power_look(w, i);
	}
}

bool power_settled(const struct world *w)
{
	if (power_next_ns(w) != UINT64_MAX)
		return false;
	for (uint32_t i = 0; i < w->members; i++)
		if (w->nodes[i].durable && w->nodes[i].alive &&
			w->oracle.machines[i].next < w->oracle.seen)
			return false;
	return true;
}
