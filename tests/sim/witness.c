#include "tests/sim/witness.h"

#include <inttypes.h>
#include <string.h>

void witness_start(struct witness *w)
{
	memset(w->promised, 0, sizeof(w->promised));
	memset(w->prepared, 0, sizeof(w->prepared));
	memset(w->votes, 0, w->high * sizeof(w->votes[0]));
	w->high = 0;
}

static void on_votes(struct witness *w, const struct message *m, const struct range *r)
{
	for (uint64_t i = r->first; i < r->first + r->count && i < ORACLE_INSTANCES_MAX; i++) {
		if (m->ballot > w->votes[i])
			w->votes[i] = m->ballot;
		if (i >= w->high)
			w->high = i + 1;
	}
}

void witness_on_sent(struct witness *w, const struct message *m, const uint8_t *body, bool others)
{
	if (m->type == MESSAGE_PREPARE && others && m->ballot > w->prepared[m->shard])
		w->prepared[m->shard] = m->ballot;
	if (m->type == MESSAGE_PROMISE && m->ballot > w->promised[m->shard])
		w->promised[m->shard] = m->ballot;
	if (m->type != MESSAGE_ACCEPTED)
		return;
	for (uint32_t i = 0; i < m->count; i++)
		on_votes(w, m, (const struct range *)(const void *)body + i);
}

void witness_check(const struct witness *w, struct oracle *o, uint32_t node,
	const struct acceptor_stage *s, uint32_t shards)
{
	const struct acceptor *a = &s->acceptor;

	if (a->promised < w->promised[s->shard])
		oracle_violation(o,
			"A1: replica %u told that it promised %" PRIu64
			" and starts again with %" PRIu64,
			node, w->promised[s->shard], a->promised);
	if (a->promised < w->prepared[s->shard])
		oracle_violation(o,
			"P3: replica %u prepared ballot %" PRIu64
			" at others and starts again with promise %" PRIu64,
			node, w->prepared[s->shard], a->promised);
	for (uint64_t i = a->lo > s->blind ? a->lo : s->blind; i < w->high; i++) {
		const struct vote *v = acceptor_vote(a, i);

		if (shard_of(i, shards) != s->shard || w->votes[i] == 0)
			continue;
		if (v == NULL || (v->state == VOTE_CAST && v->ballot < w->votes[i]))
			oracle_violation(o,
				"vote: replica %u told that it voted at instance %" PRIu64
				" for ballot %" PRIu64 " and starts again without that vote",
				node, i, w->votes[i]);
	}
}
