#include "consensus/window.h"

#include <stddef.h>

#include "consensus/check.h"

/*@ requires \valid_read(w);
    assigns \nothing;
    ensures \result == &w->flights[run % WINDOW_INSTANCES]; */
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
	/*@ loop invariant 0 <= i <= MEMBER_MAX;
	    loop assigns i, w->hint[0 .. MEMBER_MAX - 1];
	    loop variant MEMBER_MAX - i; */
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
	/*@ assert \forall integer r; in_flight{Pre}(w, r) ==>
	      r % WINDOW_INSTANCES != \at(w->next, Pre) % WINDOW_INSTANCES; */
	/*@ assert \forall integer r; in_flight{Pre}(w, r) ==>
	      same_run{Pre,Here}(w, r) && voters(w, r) == \at(voters(w, r), Pre); */
	/*@ assert starts(w, \at(w->next, Pre)) == \at(w->end, Pre); */
	/*@ assert \at(starts(w, w->next), Pre) == \at(w->end, Pre); */
	/*@ assert \forall integer r; w->oldest <= r <= \at(w->next, Pre) ==>
	      starts(w, r) == \at(starts(w, r), Pre); */
	/*@ assert \forall integer r; in_flight{Pre}(w, r) ==> joined{Pre}(w, r); */
	/*@ assert \forall integer r; in_flight{Pre}(w, r) ==> joined(w, r); */
	/*@ assert joined(w, \at(w->next, Pre)); */
	/*@ assert starts(w, w->oldest) == w->chosen; */
	/*@ assert whole: without_hole(w); */
	/*@ assert roomy(w); */
	return first;
}

/* For the provers: that each run starts where the one before ends puts all of them in order. */
/*@ ghost
  /@ requires \valid_read(w) && window_ok(w);
     assigns \nothing;
     ensures \forall integer r, s; w->oldest <= r <= s <= w->next ==>
       starts(w, r) + (s - r) <= starts(w, s); @/
  void know_order(struct window *w)
  {
    /@ loop invariant w->oldest <= top <= w->next;
       loop invariant \forall integer r, s; w->oldest <= r <= s <= top ==>
         starts(w, r) + (s - r) <= starts(w, s);
       loop assigns top;
       loop variant w->next - top; @/
    for (uint64_t top = w->oldest; top < w->next; top++) {
      /@ assert joined(w, top); @/
    }
  } */

/* The oldest run in flight that starts at or after `first`. */
/*@ requires \valid_read(w) && window_ok(w);
    assigns \nothing;
    ensures inside: w->oldest <= \result <= w->next;
    ensures after: \result < w->next ==> starts(w, \result) >= first;
    ensures before: \forall integer r; w->oldest <= r < \result ==> starts(w, r) < first; */
static uint64_t run_from(struct window *w, uint64_t first)
{
	uint64_t low = w->oldest;
	uint64_t high = w->next;

	/*@ ghost know_order(w); */
	/*@ loop invariant w->oldest <= low <= high <= w->next;
	    loop invariant high < w->next ==> starts(w, high) >= first;
	    loop invariant \forall integer r; w->oldest <= r < low ==> starts(w, r) < first;
	    loop assigns low, high;
	    loop variant high - low; */
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
	/*@ ghost uint64_t from = run; know_order(w); */
	/*@ assert before: \forall integer r; w->oldest <= r < run ==> starts(w, r) < first; */
	/*@ loop invariant from <= run <= w->next && w->oldest <= run;
	    loop invariant ok: window_ok(w);
	    loop invariant P1: same_runs{Pre,Here}(w);
	    loop invariant after: run < w->next ==> starts(w, run) >= first;
	    loop invariant voted: \forall integer r; from <= r < run ==>
	      within(w, r, first, count) && adds_member(voters(w, r), \at(voters(w, r), Pre), member);
	    loop invariant others: \forall integer r; in_flight(w, r) && !(from <= r < run) ==>
	      voters(w, r) == \at(voters(w, r), Pre);
	    loop assigns run, w->flights[0 .. WINDOW_INSTANCES - 1].votes;
	    loop variant w->next - run; */
	for (; run < w->next; run++) {
		/*@ assert joined(w, run) && starts(w, run + 1) <= w->end; */
		struct flight *f = flight_at(w, run);

		if (f->first + f->count > first + count)
			break;
		f->votes = quorum_with(f->votes, member);
		/*@ assert \forall integer r; in_flight(w, r) && r != run ==>
		      r % WINDOW_INSTANCES != run % WINDOW_INSTANCES; */
		/*@ assert \forall integer r; 0 <= r ==> same_run{LoopCurrent,Here}(w, r); */
		/*@ assert \forall integer r; in_flight(w, r) ==>
		      joined{LoopCurrent}(w, r) && same_run{LoopCurrent,Here}(w, r + 1); */
	}
	/*@ ghost know_order(w); */
	/*@ assert beyond: run < w->next ==> joined(w, run); */
	/*@ assert beyond: run < w->next ==> starts(w, run) + holds(w, run) > first + count; */
	/*@ assert beyond: \forall integer r; run < r < w->next ==>
	      starts(w, run + 1) <= starts(w, r); */
	/*@ assert beyond: \forall integer r; run <= r < w->next ==> !within(w, r, first, count); */
	w->hint[member] = run;
	/*@ assert \forall integer r; 0 <= r ==> same_run{Pre,Here}(w, r); */
	/*@ assert \forall integer r; in_flight(w, r) ==>
	      joined{Pre}(w, r) && same_run{Pre,Here}(w, r + 1); */
	/*@ assert \forall integer r; in_flight(w, r) ==> joined(w, r); */
	/*@ assert starts(w, w->oldest) == w->chosen; */
	/*@ assert whole: without_hole(w); */
	/*@ assert roomy(w); */
}

bool window_advance(struct window *w, const struct quorum *q)
{
	uint64_t before = w->chosen;

	/*@ loop invariant ok: window_ok(w) && \at(w->oldest, Pre) <= w->oldest;
	    loop invariant P2: \forall integer r; \at(w->oldest, Pre) <= r < w->oldest ==>
	      q->phase2[voters(w, r)] == 1;
	    loop invariant w->chosen == \at(starts(w, \at(w->oldest, LoopCurrent)), Pre);
	    loop invariant w->chosen - before >= w->oldest - \at(w->oldest, Pre);
	    loop assigns w->oldest, w->chosen;
	    loop variant w->next - w->oldest; */
	while (w->oldest < w->next && quorum_phase2(q, flight_at(w, w->oldest)->votes)) {
		struct flight *f = flight_at(w, w->oldest);

		/*@ assert joined(w, w->oldest); */
		/*@ assert starts(w, w->oldest + 1) <= w->end; */
		w->chosen = f->first + f->count;
		w->oldest++;
		/*@ assert \forall integer r; 0 <= r ==> same_run{LoopCurrent,Here}(w, r) &&
		      voters(w, r) == \at(voters(w, r), LoopCurrent); */
		/*@ assert \forall integer r; in_flight(w, r) ==>
		      joined{LoopCurrent}(w, r) && same_run{LoopCurrent,Here}(w, r + 1); */
		/*@ assert whole: without_hole(w); */
		/*@ assert roomy(w); */
	}
	return w->chosen != before;
}

void window_refused(struct window *w, uint64_t first, uint64_t sent_ns)
{
	uint64_t run = run_from(w, first);
	struct flight *f = flight_at(w, run);

	/*@ ghost know_order(w); */
	/*@ assert one: \forall integer r; in_flight(w, r) && starts(w, r) == first ==> r == run; */
	if (run < w->next && f->first == first && f->sent_ns > sent_ns)
		f->sent_ns = sent_ns;
	/*@ assert \forall integer r; 0 <= r ==>
	      same_run{Pre,Here}(w, r) && voters(w, r) == \at(voters(w, r), Pre); */
	/*@ assert \forall integer r; in_flight(w, r) ==>
	      joined{Pre}(w, r) && same_run{Pre,Here}(w, r + 1); */
	/*@ assert whole: without_hole(w); */
	/*@ assert roomy(w); */
}

struct flight *window_due(struct window *w, uint64_t before_ns, uint32_t look)
{
	/*@ loop invariant w->oldest <= run <= w->next && run <= w->oldest + look;
	    loop invariant \forall integer r; w->oldest <= r < run ==>
	      w->flights[r % WINDOW_INSTANCES].sent_ns > before_ns;
	    loop assigns run;
	    loop variant w->next - run; */
	for (uint64_t run = w->oldest; run < w->next && run < w->oldest + look; run++) {
		struct flight *f = flight_at(w, run);

		if (f->sent_ns <= before_ns)
			return f;
	}
	return NULL;
}
