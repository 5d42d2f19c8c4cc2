#include "tests/sim/flaws.h"

#include <string.h>

#include "tests/sim/node.h"

/* Every shard of these members seems to answer the round at once; none has voted for anything. */
static void answer_for(struct node *n, struct reads *r, uint32_t members)
{
	for (uint32_t i = 0; r->under_way && i < n->settings.members * n->settings.shards; i++) {
		uint32_t member = i % n->settings.members;
		const struct message m = {
			.type = r->rule == READ_RULE_LEADER ? MESSAGE_READ_CONFIRM
							    : MESSAGE_READ_REPORT,
			.ballot = r->ballot,
			.first = r->nonce,
			.shard = (uint16_t)(i / n->settings.members),
			.sender = (uint8_t)member,
			.uuid = n->leader.identity.uuids[member],
		};

		if ((members & 1u << member) != 0)
			leader_stage_on_message(&n->leader, &m, NULL, n->now_ns);
	}
}

static bool own_answered(const struct node *n, const struct reads *r)
{
	return r->confirmed[n->settings.self] == (1u << n->settings.shards) - 1;
}

static void reuse_round(struct reads *r)
{
	struct read_batch *late = &r->batches[r->collecting];
	struct read_batch *b = reads_round(r);

	if (!r->under_way || late->count == 0 || b->count + late->count > RUN_COUNT_MAX ||
		b->bytes + late->bytes > sizeof(b->body))
		return;
	memcpy(b->body + b->bytes, late->body, late->bytes);
	memcpy(b->clients + b->count, late->clients, late->count * sizeof(late->clients[0]));
	b->bytes += late->bytes;
	b->count += late->count;
	late->bytes = 0;
	late->count = 0;
}

void flaw_strike(struct node *n)
{
	uint32_t everybody = (1u << n->settings.members) - 1;

	switch (n->flaw) {
	case FLAW_NONE:
		return;
	case FLAW_LEADER_ALONE:
		answer_for(n, &n->leader.reads, everybody);
		return;
	case FLAW_NO_PROBE:
		answer_for(n, &n->leader.any_reads, everybody);
		return;
	case FLAW_OWN_REPORT:
		if (own_answered(n, &n->leader.any_reads))
			answer_for(n, &n->leader.any_reads, everybody & ~(1u << n->settings.self));
		return;
	case FLAW_ROUND_REUSED:
		reuse_round(&n->leader.any_reads);
		return;
	}
}
