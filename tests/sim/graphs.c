#include "tests/sim/graphs.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/drive.h"

enum {
	SEEDS_OF_EACH = 2
};

/* Bit k of `graph`: the k-th ordered pair of members hears each other that way. */
static void links_of(uint32_t graph, uint32_t members, uint32_t *hears)
{
	uint32_t bit = 0;

	for (uint32_t to = 0; to < members; to++) {
		hears[to] = 0;
		for (uint32_t from = 0; from < members; from++)
			if (from != to && (graph >> bit++ & 1) != 0)
				hears[to] |= 1u << from;
	}
}

/* Does a member hear a majority, itself counted, that hears it? */
static bool someone_connected(const uint32_t *hears, uint32_t members)
{
	for (uint32_t i = 0; i < members; i++) {
		uint32_t both = 1;

		for (uint32_t k = 0; k < members; k++)
			both += (hears[i] >> k & 1) != 0 && (hears[k] >> i & 1) != 0 ? 1 : 0;
		if (2 * both > members)
			return true;
	}
	return false;
}

/* What went wrong, or NULL. */
static const char *run_graph(struct world *w, uint32_t graph, uint32_t members, uint64_t seed)
{
	uint32_t hears[WORLD_MEMBERS_MAX];
	uint64_t acknowledged;

	links_of(graph, members, hears);
	if (!drive_start(w, seed, members, 0))
		return "no leader at the start";
	drive_links(w, hears);
	drive_pass(w, DRIVE_BOUND_MS);
	acknowledged = w->oracle.acknowledged;
	if (someone_connected(hears, members)) {
		if (!drive_stable(w, DRIVE_BOUND_MS))
			return "no stable leader, though a member is connected to a majority";
		drive_all_links(w);
		if (!drive_stable(w, DRIVE_BOUND_MS))
			return "the links that came back disturbed the leader";
	} else {
		drive_pass(w, DRIVE_BOUND_MS);
		if (w->oracle.acknowledged != acknowledged || drive_leader(w) != DRIVE_NO_LEADER)
			return "somebody leads, though nobody is connected to a majority";
		drive_all_links(w);
		drive_pass(w, DRIVE_BOUND_MS);
		if (!drive_stable(w, DRIVE_BOUND_MS))
			return "no stable leader, though all links came back";
	}
	return drive_end(w) ? NULL : "its end is not the same for all";
}

static void count(struct tally *t, struct world *w, uint32_t graph, uint32_t members, uint64_t seed)
{
	const char *wrong = run_graph(w, graph, members, seed);

	if (wrong == NULL && !w->oracle.violated) {
		t->passed++;
		return;
	}
	t->failed++;
	printf("graph %" PRIu32 " of %" PRIu32 " members, seed %" PRIu64 ": %s\n", graph, members,
		seed, w->oracle.violated ? w->oracle.violation : wrong);
}

struct tally graphs_run(struct world *w, uint64_t sample)
{
	struct tally t = {0};
	struct random r = {.state = 5};

	for (uint32_t graph = 0; graph < 1u << 6; graph++)
		for (uint64_t seed = 1; seed <= SEEDS_OF_EACH; seed++)
			count(&t, w, graph, 3, seed);
	for (uint64_t i = 0; i < sample; i++) {
		/* Three of four links stand: else hardly any member is connected. */
		uint32_t graph = (uint32_t)(random_next(&r) | random_next(&r)) % (1u << 20);

		count(&t, w, graph, 5, 1 + i);
	}
	return t;
}
