#include "bench/snapshots.h"

void snapshots_init(struct snapshots *s, uint64_t pause_ns)
{
	*s = (struct snapshots){.pause_ns = pause_ns};
}

static const struct learner_snapshots *snapshots_of(const struct embedded *e, uint32_t replica)
{
	return &e->replicas[replica].learner->snapshots;
}

static uint64_t whole(const struct embedded *e, uint32_t replica)
{
	return __atomic_load_n(&snapshots_of(e, replica)->counters.whole, __ATOMIC_RELAXED);
}

static void conclude(struct snapshots *s, const struct embedded *e, uint64_t now_ns)
{
	uint64_t took_ns = now_ns - s->since_ns;

	s->count++;
	s->bytes = __atomic_load_n(&snapshots_of(e, s->replica)->image.used, __ATOMIC_RELAXED);
	s->total_ns += took_ns;
	s->longest_ns = took_ns > s->longest_ns ? took_ns : s->longest_ns;
	s->asked = false;
	s->since_ns = now_ns;
	s->replica = s->replica + 1 == e->replicas_count ? 0 : s->replica + 1;
}

void snapshots_attend(struct snapshots *s, struct embedded *e, uint64_t now_ns)
{
	if (s->asked && whole(e, s->replica) > s->before)
		conclude(s, e, now_ns);
	if (s->asked || now_ns - s->since_ns < s->pause_ns)
		return;
	s->before = whole(e, s->replica);
	s->asked = true;
	s->since_ns = now_ns;
	replica_snapshot(&e->replicas[s->replica]);
}
