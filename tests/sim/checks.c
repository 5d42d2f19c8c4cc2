#include "tests/sim/checks.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	/* No run takes so many elections: what is above came from a forged number. */
	ROUNDS_MAX = 1 << 20
};

/* ---- What was acknowledged ---- */

static bool holds(const struct node *n, uint64_t instance)
{
	uint32_t shard = shard_of(instance, n->settings.shards);

	return instance < n->learner.learner.delivered ||
		acceptor_vote(&n->acceptors[shard].acceptor, instance) != NULL;
}

/* Who crashed held it when it said so; who came back empty, or from a damaged disk, may have. */
static bool is_held(void *context, uint64_t instance)
{
	const struct world *w = context;
	uint32_t members = w->outcasts | w->power.damaged;

	for (uint32_t i = 0; i < w->members; i++)
		members |= holds(&w->nodes[i], instance) ? 1u << i : 0;
	/* Not w->quorum, which a mutant may have. */
	return 2 * (uint32_t)__builtin_popcount(members) > w->members;
}

void checks_start(struct world *w)
{
	w->oracle.held = is_held;
	w->oracle.context = w;
}

/* ---- Transitions ---- */

/* P5: at one ballot, runs follow each other without a hole. */
static void on_proposed(struct world *w, uint32_t id, const struct transition *t)
{
	struct proposals *p = &w->proposals[id];

	if (t->ballot < p->ballot || (t->ballot == p->ballot && t->first != p->end))
		oracle_violation(&w->oracle,
			"P5: replica %u proposes instance %" PRIu64
			" at a ballot whose runs end at %" PRIu64,
			id, t->first, p->end);
	p->ballot = t->ballot;
	p->end = t->first + t->count;
}

static void on_transition(void *watcher, struct node *n, const struct transition *t)
{
	struct world *w = watcher;

	if (t->event == TRANSITION_PROPOSED)
		on_proposed(w, n->settings.self, t);
	if (t->event == TRANSITION_LEADING) {
		w->terms++;
		w->led[n->settings.self] = t->ballot;
	}
}

void checks_watch(struct world *w, struct node *n)
{
	n->watcher = w;
	n->watch = on_transition;
}

/* ---- After each turn ---- */

static void check_acceptor(struct world *w, uint32_t id, uint32_t shard)
{
	const struct acceptor_stage *s = &w->nodes[id].acceptors[shard];
	const struct acceptor *a = &s->acceptor;
	const struct vote *v = a->high == 0 ? NULL : acceptor_vote(a, a->high - 1);

	if (a->promised < w->promised[id][shard])
		oracle_violation(&w->oracle,
			"A1: replica %u's promise went down from %" PRIu64 " to %" PRIu64, id,
			w->promised[id][shard], a->promised);
	w->promised[id][shard] = a->promised;
	if (v != NULL && v->ballot > a->promised)
		oracle_violation(&w->oracle, "A2: replica %u voted above its promise", id);
	/* A member that starts again knows what its shards delivered before it has executed that. */
	if (a->tail > a->delivered || a->lo > a->delivered ||
		(!w->durable && a->delivered > w->nodes[id].learner.learner.delivered))
		oracle_violation(&w->oracle, "A5: replica %u's tail, lo and delivered crossed", id);
	if (ballot_round(a->promised) > ROUNDS_MAX)
		oracle_violation(&w->oracle, "numbers: replica %u promised a ballot from nowhere",
			id);
	if (s->counters.conflicts > 0)
		oracle_violation(&w->oracle, "P5: replica %u was sent two runs at one ballot", id);
}

static void check_memory(struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];

	if (n->frames_free_count + node_frames_held(n) != FRAMES_MAX)
		oracle_violation(&w->oracle,
			"memory: replica %u has %u frames free and holds %u, of %u", id,
			n->frames_free_count, node_frames_held(n), FRAMES_MAX);
	if (n->learner.retained > LEARNER_RETAINED_MAX + 1)
		oracle_violation(&w->oracle, "memory: replica %u retains %u frames", id,
			n->learner.retained);
}

void checks_node(struct world *w, uint32_t id)
{
	const struct node *n = &w->nodes[id];

	if (n->crashing)
		return; /* In the middle of a step. */
	for (uint32_t shard = 0; shard < n->settings.shards; shard++)
		check_acceptor(w, id, shard);
	check_memory(w, id);
	if (n->claimed > w->led[id])
		oracle_violation(&w->oracle,
			"E1: replica %u told that it leads at a ballot whose no-op is not chosen",
			id);
	if (ballot_round(n->leader.election.highest) > ROUNDS_MAX)
		oracle_violation(&w->oracle, "numbers: replica %u believes a ballot from nowhere",
			id);
	if ((w->outcasts >> id & 1) == 0 && n->leader.identity.outdated != 0)
		oracle_violation(&w->oracle,
			"I5: replica %u has its own disk, and is told that it is an old image", id);
	if ((w->outcasts >> id & 1) != 0 && n->leader.enrolled)
		oracle_violation(&w->oracle,
			"identity: replica %u came back without memory and is heard", id);
}

bool checks_all_enrolled(const struct world *w)
{
	for (uint32_t i = 0; i < w->members; i++)
		if (!w->nodes[i].leader.enrolled)
			return false;
	return true;
}

/* ---- The end ---- */

void checks_end(struct world *w)
{
	const struct node *one = NULL;

	for (uint32_t i = 0; i < w->members; i++) {
		const struct node *n = &w->nodes[i];

		if (!world_counts(w, i))
			continue;
		if (one != NULL &&
			(w->oracle.machines[i].sum != w->oracle.machines[one->settings.self].sum ||
				learner_stage_digest(&n->learner) !=
					learner_stage_digest(&one->learner)))
			oracle_violation(&w->oracle,
				"agreement: replicas %u and %u end differently", one->settings.self,
				i);
		if (learner_stage_delivered(&n->learner) < w->oracle.seen)
			oracle_violation(&w->oracle,
				"acknowledged: replica %u ends at instance %" PRIu64
				", and below %" PRIu64 " all was acknowledged or read",
				i, learner_stage_delivered(&n->learner), w->oracle.seen);
		one = n;
	}
}

void checks_print(const struct world *w)
{
	uint32_t reads = 0;

	for (uint32_t i = 0; i < w->members; i++) {
		const struct node *n = &w->nodes[i];
		const struct leader_stage *l = &n->leader;

		printf("replica %u: %s%s, %s, leader %u, delivered %" PRIu64 " of %" PRIu64
		       ", promised %" PRIu64 ".%" PRIu64 ", %u runs in flight%s\n",
			i, n->alive ? "alive" : "dead",
			(w->outcasts >> i & 1) != 0 ? " without memory" : "",
			coverage_title(coverage_state(n)), l->election.leader,
			n->learner.learner.delivered, n->learner.learner.target,
			ballot_round(n->acceptors[0].acceptor.promised),
			n->acceptors[0].acceptor.promised % BALLOT_NODES,
			(unsigned)window_runs(&l->proposer.window),
			n->learner.beyond ? ", beyond the others' logs" : "");
	}
	for (uint32_t i = 0; i < CUSTOMER_READS; i++)
		reads += w->customer.reads[i].retry_ns != UINT64_MAX ? 1 : 0;
	printf("clients: %" PRIu64 " of %" PRIu64 " commands wanted, %u outstanding, %u sessions "
	       "of %u open, %u reads outstanding\n",
		w->customer.wanted, w->customer.limit, w->customer.client.outstanding,
		w->customer.client.opened, w->customer.client.count, reads);
}
