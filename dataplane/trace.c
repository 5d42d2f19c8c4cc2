#include "dataplane/trace.h"

#include <inttypes.h>

#include <rte_ring_elem.h>

#include "dataplane/heap.h"
#include "dataplane/lcore.h"

enum {
	TRACE_STEPS = 1 << 14
};

struct trace_step {
	uint64_t ns;
	struct transition t;
};
static_assert(sizeof(struct trace_step) % 8 == 0, "rte_ring moves words");

static void watch(void *crossing, const struct transition *t)
{
	struct crossing *c = crossing;
	struct trace_step step = {.ns = lcore_now_ns(), .t = *t};

	if (rte_ring_sp_enqueue_elem(c->trace, &step, sizeof(step)) != 0)
		c->trace_full++;
}

bool trace_start(struct replica *r)
{
	for (uint32_t p = POSITION_LEADER; p < POSITIONS_MAX; p++) {
		struct crossing *c = &r->crossings[p];
		char name[RTE_RING_NAMESIZE];

		snprintf(name, sizeof(name), "t%u_%u", r->settings.self, p);
		c->trace = rte_ring_create_elem(name, sizeof(struct trace_step), TRACE_STEPS,
			heap_socket(), RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (c->trace == NULL)
			return false;
		c->outlet.watch = watch;
	}
	return true;
}

static void write_step(FILE *out, const struct replica *r, uint32_t position,
	const struct trace_step *s)
{
	const char *stage = position == POSITION_LEADER ? "leader"
		: position == POSITION_LEARNER          ? "learner"
							: "acceptor";
	uint32_t shard = position >= POSITION_ACCEPTOR ? position - POSITION_ACCEPTOR : 0;

	fprintf(out, "%" PRIu64 " replica %u %s %u %s %" PRIu64 ":%u [%" PRIu64 ", %" PRIu64 ")\n",
		s->ns, r->settings.self, stage, shard, transition_text(s->t.event),
		ballot_round(s->t.ballot), ballot_node(s->t.ballot), s->t.first,
		s->t.first + s->t.count);
}

uint64_t trace_drain(struct replica *r, FILE *out)
{
	struct trace_step next[POSITIONS_MAX];
	bool has[POSITIONS_MAX] = {false};
	uint64_t lines = 0;

	/* The stages go on meanwhile: no more than was there at the begin, or it would never end. */
	for (uint64_t bound = 0; bound < (uint64_t)TRACE_STEPS * POSITIONS_MAX; bound++) {
		uint32_t least = POSITIONS_MAX;

		for (uint32_t p = POSITION_LEADER; p < POSITIONS_MAX; p++) {
			struct rte_ring *ring = r->crossings[p].trace;

			if (!has[p] && ring != NULL)
				has[p] = rte_ring_sc_dequeue_elem(ring, &next[p],
						 sizeof(next[p])) == 0;
			if (has[p] && (least == POSITIONS_MAX || next[p].ns < next[least].ns))
				least = p;
		}
		if (least == POSITIONS_MAX)
			break;
		write_step(out, r, least, &next[least]);
		has[least] = false;
		lines++;
	}
	for (uint32_t p = POSITION_LEADER; p < POSITIONS_MAX; p++)
		if (has[p]) {
			write_step(out, r, p, &next[p]);
			lines++;
		}
	fflush(out);
	return lines;
}

uint64_t trace_lost(const struct replica *r)
{
	uint64_t lost = 0;

	for (uint32_t p = POSITION_LEADER; p < POSITIONS_MAX; p++)
		lost += __atomic_load_n(&r->crossings[p].trace_full, __ATOMIC_RELAXED);
	return lost;
}

void trace_stop(struct replica *r)
{
	for (uint32_t p = POSITION_LEADER; p < POSITIONS_MAX; p++) {
		r->crossings[p].outlet.watch = NULL;
		rte_ring_free(r->crossings[p].trace);
		r->crossings[p].trace = NULL;
	}
}
