#include "consensus/window.h"

#include <stddef.h>

#include "consensus/check.h"

static struct flight *flight_at(struct window *w, uint64_t run)
{
	return &w->flights[run % WINDOW_INSTANCES];
}

void window_init(struct window *w, uint64_t start)
{
	w->oldest = 0;
	w->next = 0;
	w->chosen = start;
	w->end = start;
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		w->hint[i] = 0;
}

uint64_t window_push(struct window *w, uint32_t count, uint64_t now_ns)
{
	struct flight *f = flight_at(w, w->next);
	uint64_t first = w->end;

	CHECK(window_span(w) + count <= WINDOW_INSTANCES);
	f->resent = false;
	f->first = first;
	f->sent_ns = now_ns;
	f->votes = 0;
	f->count = (uint16_t)count;
	w->next++;
	w->end += count;
	return first;
}

/* The oldest run in flight that starts at or after `first`. */
static uint64_t run_from(struct window *w, uint64_t first)
{
	uint64_t low = w->oldest;
	uint64_t high = w->next;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (flight_at(w, middle)->first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void window_vote(struct window *w, uint32_t member, uint64_t first, uint64_t count)
{
	uint64_t run = w->hint[member];

	if (run < w->oldest || run >= w->next || flight_at(w, run)->first != first)
		run = run_from(w, first);
	for (; run < w->next; run++) {
		struct flight *f = flight_at(w, run);

		if (f->first + f->count > first + count)
			break;
		f->votes |= 1u << member;
	}
	w->hint[member] = run;
}

bool window_advance(struct window *w, const struct quorum *q)
{
	uint64_t before = w->chosen;

	while (w->oldest < w->next && quorum_phase2(q, flight_at(w, w->oldest)->votes)) {
		struct flight *f = flight_at(w, w->oldest);

		w->chosen = f->first + f->count;
		w->oldest++;
	}
	return w->chosen != before;
}

void window_refused(struct window *w, uint64_t first, uint64_t sent_ns)
{
	uint64_t run = run_from(w, first);
	struct flight *f = flight_at(w, run);

	if (run < w->next && f->first == first && f->sent_ns > sent_ns)
		f->sent_ns = sent_ns;
}

struct flight *window_due(struct window *w, uint64_t before_ns, uint32_t look)
{
	for (uint64_t run = w->oldest; run < w->next && run < w->oldest + look; run++) {
		struct flight *f = flight_at(w, run);

		if (f->sent_ns <= before_ns)
			return f;
	}
	return NULL;
}
