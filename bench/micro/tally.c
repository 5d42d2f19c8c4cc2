/* The leader's count of votes: a majority of three, with runs in flight as under load. */
#include <rte_malloc.h>

#include "bench/micro/cases.h"
#include "consensus/window.h"
#include "dataplane/heap.h"

enum {
	BATCH = 64,
	FLIGHTS = 32,
};

struct tally {
	struct quorum quorum;
	struct window window;
	uint32_t commands; /* Of a run. */
};

static void *setup(struct harness *h)
{
	struct tally *t = heap_zalloc("tally", sizeof(*t));

	if (t == NULL)
		return NULL;
	t->commands = harness_argument(h);
	if (quorum_init_majority(&t->quorum, 3) != QUORUM_OK) {
		harness_fail(h, "three members are no quorum system");
		rte_free(t);
		return NULL;
	}
	window_init(&t->window, 0);
	for (uint32_t i = 0; i < FLIGHTS; i++)
		window_push(&t->window, t->commands, 0);
	return t;
}

/* One run more in flight, the oldest one voted for by each member. The third vote comes when the
 * run is passed, as the slower follower's does. */
static void run(void *state, struct harness *h)
{
	struct tally *t = state;
	struct window *w = &t->window;
	uint64_t first = 0;
	uint64_t early = 0;
	uint64_t advances = 0;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			window_push(w, t->commands, 0);
			window_vote(w, 0, first, t->commands);
			early += window_advance(w, &t->quorum); /* One vote is no majority. */
			window_vote(w, 1, first, t->commands);
			advances += window_advance(w, &t->quorum);
			window_vote(w, 2, first, t->commands);
			first += t->commands;
		}
	if (early != 0 || advances != harness_iterations(h) ||
		w->chosen != advances * t->commands) {
		harness_fail(h, "a run was not chosen by exactly its second vote");
		return;
	}
	harness_items(h, w->chosen);
}

const struct harness_case case_tally = {
	.name = "tally",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = run,
	.teardown = rte_free,
};
