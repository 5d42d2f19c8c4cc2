#include "bench/agreement.h"

void agreement_init(struct agreement *a)
{
	*a = (struct agreement){.holds = true, .checkpoint = CHECKPOINT_EVERY};
}

static bool alive(const struct embedded *e, uint32_t replica)
{
	return (e->killed & 1u << replica) == 0;
}

uint64_t agreement_delivered(const struct embedded *e, bool *same)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	for (uint32_t i = 0; i < e->replicas_count; i++) {
		uint64_t delivered = learner_stage_delivered(e->replicas[i].learner);

		if (!alive(e, i))
			continue;
		least = delivered < least ? delivered : least;
		most = delivered > most ? delivered : most;
	}
	*same = least == most;
	return least;
}

/* One checkpoint: true if every living replica still has it; *equal: they agree. */
static bool compare_one(const struct embedded *e, uint64_t checkpoint, bool *equal)
{
	uint64_t first = 0, other = 0;
	bool any = false;

	*equal = true;
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		if (!alive(e, i))
			continue;
		if (!learner_stage_checkpoint(e->replicas[i].learner, checkpoint, &other))
			return false;
		first = any ? first : other;
		*equal = *equal && other == first;
		any = true;
	}
	return true;
}

void agreement_compare(struct agreement *a, const struct embedded *e)
{
	bool same, equal;

	uint64_t least = agreement_delivered(e, &same);

	/* What the replicas have overwritten meanwhile is passed over. */
	if (least > a->checkpoint + (uint64_t)CHECKPOINT_EVERY * CHECKPOINTS / 2)
		a->checkpoint = least - least % CHECKPOINT_EVERY -
			(uint64_t)CHECKPOINT_EVERY * CHECKPOINTS / 4;
	for (; a->checkpoint <= least; a->checkpoint += CHECKPOINT_EVERY) {
		if (!compare_one(e, a->checkpoint, &equal))
			continue;
		a->holds = a->holds && equal;
		a->compared += equal ? 1 : 0;
	}
}

void agreement_conclude(struct agreement *a, const struct embedded *e)
{
	bool same;
	bool any = false;
	uint64_t digest = 0;

	a->delivered = agreement_delivered(e, &same);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		if (!alive(e, i))
			continue;
		if (any && learner_stage_digest(e->replicas[i].learner) != digest)
			same = false;
		digest = learner_stage_digest(e->replicas[i].learner);
		any = true;
	}
	a->holds = a->holds && same;
}
