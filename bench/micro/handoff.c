/* The rings between stages: bursts through one on one core, and to another core and back. */
#include <sched.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "bench/micro/cases.h"
#include "dataplane/handoff.h"
#include "dataplane/heap.h"
#include "dataplane/replica.h"

enum {
	BATCH = 64,
	OTHER_LCORE = 1,
	YIELD_EVERY = 256,        /* Idle polls: where both ends share a CPU, neither keeps it. */
	IDLE_POLLS_MAX = 1 << 28, /* At least seconds: the other end is gone. */
};

struct handoff_bench {
	struct handoff there;
	struct handoff back; /* Cross-core only. */
	bool stop;           /* Set by us, read by the other lcore: relaxed. */
};

/* Ours alone, and on no cache line that the other lcore reads. */
struct progress {
	uint64_t sent;  /* Elements, which are numbered. */
	uint64_t taken; /* Of them, those that came in order. */
};

static void teardown(void *state)
{
	struct handoff_bench *b = state;

	handoff_free(&b->there);
	handoff_free(&b->back);
	rte_free(b);
}

static void *setup(struct harness *h)
{
	struct handoff_bench *b = heap_zalloc("micro", sizeof(*b));

	(void)h;
	if (b == NULL)
		return NULL;
	b->there = handoff_create("micro_there", HANDOFF_SIZE);
	b->back = handoff_create("micro_back", HANDOFF_SIZE);
	if (b->there.ring == NULL || b->back.ring == NULL) {
		teardown(b);
		return NULL;
	}
	return b;
}

static void put(struct handoff_bench *b, struct progress *p, uint32_t burst)
{
	for (uint32_t i = 0; i < burst; i++)
		p->sent += handoff_put(&b->there, NULL, p->sent);
}

/* One poll's worth, at most HANDOFF_BURST. */
static uint32_t take(struct handoff *from, struct progress *p)
{
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t count = handoff_take_burst(from, elements, HANDOFF_BURST);

	for (uint32_t i = 0; i < count; i++)
		p->taken += elements[i].route == p->taken;
	return count;
}

static void conclude(const struct progress *p, struct harness *h)
{
	const uint64_t expected = harness_iterations(h) * harness_argument(h);

	if (p->sent != expected || p->taken != expected) {
		harness_fail(h, "an element was lost, doubled or out of order");
		return;
	}
	harness_items(h, p->taken);
}

static void run(void *state, struct harness *h)
{
	struct handoff_bench *b = state;
	const uint32_t burst = harness_argument(h);
	struct progress p = {0};

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			put(b, &p, burst);
			for (uint32_t left = burst, count = 1; left > 0 && count > 0; left -= count)
				count = take(&b->there, &p);
		}
	conclude(&p, h);
}

/* ---- Across cores ---- */

static void idle(uint32_t polls)
{
	rte_pause();
	if (polls % YIELD_EVERY == 0)
		sched_yield();
}

/* The other lcore gives back whatever comes. */
static int echo(void *state)
{
	struct handoff_bench *b = state;
	struct handoff_element elements[HANDOFF_BURST];
	uint32_t polls = 0;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		uint32_t count = handoff_take_burst(&b->there, elements, HANDOFF_BURST);

		/* A ring holds more than is ever under way. */
		for (uint32_t i = 0; i < count; i++)
			handoff_put(&b->back, elements[i].mbuf, elements[i].route);
		if (count == 0)
			idle(++polls);
	}
	return 0;
}

static void round_trip(struct handoff_bench *b, struct progress *p, uint32_t burst)
{
	uint32_t polls = 0;

	put(b, p, burst);
	for (uint32_t left = burst; left > 0 && polls < IDLE_POLLS_MAX;) {
		uint32_t count = take(&b->back, p);

		left -= count;
		if (count == 0)
			idle(++polls);
	}
}

/* Control runs on any CPU: away from the other lcore's, if there is one more. True: there is. */
static bool move_away(const rte_cpuset_t *usual)
{
	const rte_cpuset_t other = rte_lcore_cpuset(OTHER_LCORE);
	rte_cpuset_t own = *usual;

	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &other))
			CPU_CLR(cpu, &own);
	return CPU_COUNT(&own) > 0 && rte_thread_set_affinity(&own) == 0;
}

static void run_cross(void *state, struct harness *h)
{
	struct handoff_bench *b = state;
	const uint32_t burst = harness_argument(h);
	struct progress p = {0};

	rte_cpuset_t usual;

	if (rte_eal_remote_launch(echo, b, OTHER_LCORE) != 0) {
		harness_fail(h, "the other lcore does not start");
		return;
	}
	rte_thread_get_affinity(&usual);
	const bool apart = move_away(&usual);

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++)
			round_trip(b, &p, burst);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(OTHER_LCORE);
	rte_thread_set_affinity(&usual);
	conclude(&p, h);
	harness_counter(h, "cpus", apart ? 2 : 1);
}

const struct harness_case case_handoff = {
	.name = "handoff",
	.argument = "burst",
	.arguments = {1, 2, 4, 8, 16, 32, 64},
	.setup = setup,
	.run = run,
	.teardown = teardown,
};

const struct harness_case case_handoff_cross = {
	.name = "handoff_cross_round_trip",
	.argument = "burst",
	.arguments = {1, 2, 4, 8, 16, 32, 64},
	.wall = true,
	.setup = setup,
	.run = run_cross,
	.teardown = teardown,
};
