#include "tests/sim/drive.h"

#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/faults.h"

enum {
	TURN_MS = 20, /* Of the clients: the oracle remembers so many commands of one run. */
};

void drive_pass(struct world *w, uint64_t ms)
{
	uint64_t until_ns = w->now_ns + ms * WORLD_MS;

	while (!w->oracle.violated && w->now_ns < until_ns)
		world_step(w);
}

uint16_t drive_leader(const struct world *w)
{
	uint16_t leader = DRIVE_NO_LEADER;

	for (uint16_t i = 0; i < w->members; i++) {
		if (!w->nodes[i].alive || !w->nodes[i].leader.leads)
			continue;
		if (leader != DRIVE_NO_LEADER)
			return DRIVE_NO_LEADER;
		leader = i;
	}
	return leader;
}

bool drive_start(struct world *w, uint64_t seed, uint32_t members, uint32_t with)
{
	const struct plan plan = {
		.seed = seed,
		.commits = UINT64_MAX / 8,
		.without = UINT32_MAX,
		.with = with,
		.members = members,
	};

	world_start(w, &plan);
	w->customer.every_ns = TURN_MS * WORLD_MS;
	drive_pass(w, DRIVE_BOUND_MS);
	return !w->oracle.violated && drive_leader(w) != DRIVE_NO_LEADER;
}

void drive_links(struct world *w, const uint32_t *hears)
{
	memset(w->network.cut, 0, sizeof(w->network.cut));
	for (uint32_t to = 0; to < w->members; to++)
		for (uint32_t from = 0; from < w->members; from++)
			if (from != to && (hears[to] >> from & 1) == 0) {
				w->network.cut[from] |= (uint16_t)(1u << to);
				w->network.cut_by[from][to] = FAULT_ONE_WAY;
			}
}

void drive_all_links(struct world *w)
{
	memset(w->network.cut, 0, sizeof(w->network.cut));
}

bool drive_stable(struct world *w, uint64_t ms)
{
	uint16_t leader = drive_leader(w);
	uint64_t terms = w->terms;
	uint64_t acknowledged = w->oracle.acknowledged;

	drive_pass(w, ms);
	return !w->oracle.violated && leader != DRIVE_NO_LEADER && drive_leader(w) == leader &&
		w->terms == terms && w->oracle.acknowledged > acknowledged;
}

bool drive_end(struct world *w)
{
	customer_stop(&w->customer, 0);
	world_calm(w);
	drive_pass(w, DRIVE_BOUND_MS);
	checks_end(w);
	return !w->oracle.violated && drive_leader(w) != DRIVE_NO_LEADER;
}
