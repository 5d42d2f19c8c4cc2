#include "dataplane/live.h"

#include <stdlib.h>

#define US 1000ull
#define MS 1000000ull

void live_tune(struct live *l, const struct tunables *t)
{
	struct replica_settings *s = &l->settings;

	l->tunables = *t;
	s->batch_max = t->batch;
	s->window = t->window;
	s->packing = t->packing;
	s->linger_ns = t->linger_us * US;
	s->heartbeat_ns = t->heartbeat_us * US;
	s->election_timeout_ns = t->election_timeout_ms * MS;
	s->progress_timeout_ns = t->progress_timeout_ms * MS;
	s->retransmit_ns = t->retransmit_us * US;
	s->commit_idle_ns = t->commit_idle_us * US;
	s->lag_max = t->lag_max;
	s->lag_timeout_ns = t->lag_timeout_ms * MS;
	s->handover_ns = t->handover_ms * MS;
}

bool live_publish(struct live **slot, const struct live *next)
{
	struct live *copy = malloc(sizeof(*copy));
	struct live *old = *slot;

	if (copy == NULL)
		return false;
	*copy = *next;
	copy->generation = old == NULL ? 1 : old->generation + 1;
	/* rcu_assign_pointer, as TSan can see it: pairs with live_read's load. */
	__atomic_store_n(slot, copy, __ATOMIC_RELEASE);
	urcu_qsbr_synchronize_rcu();
	free(old);
	return true;
}
