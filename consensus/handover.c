#include "consensus/handover.h"

void handover_begin(struct handover *h, uint64_t now_ns)
{
	*h = (struct handover){.period_ns = now_ns};
}

/* Sums up the time since it was last done, if the run has taken too long by now. */
static void count(struct handover *h, uint64_t bound_ns, uint64_t now_ns)
{
	if (!h->looks || now_ns - h->since_ns < bound_ns)
		return;
	h->slow_ns += now_ns - h->counted_ns;
	h->counted_ns = now_ns;
}

void handover_on_chosen(struct handover *h, uint64_t bound_ns, uint64_t chosen, uint64_t now_ns)
{
	if (!h->looks || chosen <= h->first)
		return;
	if (bound_ns > 0) {
		count(h, bound_ns, now_ns);
		h->runs++;
		h->slow_runs += now_ns - h->since_ns >= bound_ns ? 1 : 0;
	}
	h->looks = false;
}

/* The newest run: mostly it was sent once only, and its time is that of its proposal. */
static void look(struct handover *h, const struct window *w)
{
	const struct flight *f = &w->flights[(w->next - 1) % WINDOW_INSTANCES];

	if (window_runs(w) == 0)
		return;
	h->looks = true;
	h->first = f->first;
	h->since_ns = f->sent_ns;
	h->counted_ns = f->sent_ns;
}

/* By time, for the fast ones of a busy leader are many; by number, for an idle one has few. */
static bool period_is_slow(const struct handover *h, uint64_t length_ns)
{
	return h->slow_ns >= length_ns / HANDOVER_SHARE ||
		(h->runs >= HANDOVER_RUNS && h->slow_runs == h->runs);
}

bool handover_on_tick(struct handover *h, uint64_t bound_ns, const struct window *w,
	uint64_t now_ns)
{
	uint64_t length_ns = now_ns - h->period_ns;

	if (bound_ns == 0)
		return false;
	if (!h->looks)
		look(h, w);
	if (length_ns < HANDOVER_PERIOD * bound_ns)
		return false;
	count(h, bound_ns, now_ns);
	bool slow = period_is_slow(h, length_ns);

	h->periods += h->periods < HANDOVER_REST ? 1 : 0;
	h->period_ns = now_ns;
	h->slow_ns = 0;
	/* Too few runs say nothing: they count with the next period's. */
	if (slow || h->runs >= HANDOVER_RUNS) {
		h->slow = slow ? h->slow + 1 : 0;
		h->runs = 0;
		h->slow_runs = 0;
	}
	return h->slow >= HANDOVER_SLOW && h->periods == HANDOVER_REST;
}
