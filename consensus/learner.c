#include "consensus/learner.h"

#include <stddef.h>

#include "consensus/check.h"

void learner_init(struct learner *l)
{
	l->delivered = 0;
	l->ballot = 0;
	l->watermark = 0;
	l->target = 0;
	/*@ loop invariant 0 <= i <= LEARNER_SLOTS;
	    loop invariant \forall integer k; 0 <= k < i ==> l->runs[k].count == 0;
	    loop assigns i, l->runs[0 .. LEARNER_SLOTS - 1];
	    loop variant LEARNER_SLOTS - i; */
	for (uint32_t i = 0; i < LEARNER_SLOTS; i++) {
		l->runs[i].first = 0;
		l->runs[i].ballot = 0;
		l->runs[i].frame = NULL;
		l->runs[i].body = NULL;
		l->runs[i].count = 0;
		l->runs[i].bytes = 0;
		l->runs[i].chosen = false;
	}
}

/*@ requires \valid_read(l);
    assigns \nothing;
    ensures \result == &l->runs[first % LEARNER_SLOTS]; */
static struct learner_run *slot(struct learner *l, uint64_t first)
{
	return &l->runs[first % LEARNER_SLOTS];
}

/* A run that starts below `delivered`: what is left of it. */
/*@ requires \valid(run) && run->first < delivered < run->first + run->count;
    requires run->count <= RUN_COUNT_MAX && run->first + run->count <= INSTANCE_TOP;
    requires run->body != \null ==>
      \valid_read(run->body + (0 .. run->bytes - 1)) &&
      \separated(run, run->body + (0 .. run->bytes - 1)) &&
      entries_in(run->body, run->count, run->bytes);
    assigns run->first, run->count, run->body, run->bytes;
    ensures run->first == delivered;
    ensures run->first + run->count == \old(run->first) + \old(run->count); */
static void cut(struct learner_run *run, uint64_t delivered)
{
	uint32_t skip = (uint32_t)(delivered - run->first);

	if (run->body != NULL) {
		/*@ loop invariant 0 <= i <= skip;
		    loop invariant run->body ==
		      \at(run->body, Pre) + entries_end(\at(run->body, Pre), i);
		    loop invariant run->bytes ==
		      \at(run->bytes, Pre) - entries_end(\at(run->body, Pre), i);
		    loop assigns i, run->body, run->bytes;
		    loop variant skip - i; */
		for (uint32_t i = 0; i < skip; i++) {
			uint32_t bytes = entry_step(run->body);

			run->body += bytes;
			run->bytes = (uint16_t)(run->bytes - bytes);
		}
	}
	run->first = delivered;
	run->count = (uint16_t)(run->count - skip);
}

/* Writes one slot, and leaves the others as they are. */
/*@ requires \valid(s) && \valid_read(run) && \separated(s, run);
    assigns *s;
    ensures s->first == run->first && s->ballot == run->ballot && s->frame == run->frame &&
      s->body == run->body && s->count == run->count && s->bytes == run->bytes &&
      s->chosen == run->chosen; */
static void put(struct learner_run *s, const struct learner_run *run)
{
	s->first = run->first;
	s->ballot = run->ballot;
	s->frame = run->frame;
	s->body = run->body;
	s->count = run->count;
	s->bytes = run->bytes;
	s->chosen = run->chosen;
}

bool learner_add(struct learner *l, const struct learner_run *given, void **replaced)
{
	struct learner_run run = *given;

	*replaced = NULL;
	if (run.first + run.count <= l->delivered ||
		run.first + run.count > l->delivered + LEARNER_SLOTS)
		return false;
	if (run.first < l->delivered)
		cut(&run, l->delivered);
	struct learner_run *s = slot(l, run.first);
	bool same_lap = s->count > 0 && s->first == run.first;

	/* Chosen outranks voted, a newer vote an older one; a body outranks its absence. */
	if (same_lap && s->chosen && s->body != NULL)
		return false;
	if (same_lap && !run.chosen && (s->chosen || s->ballot > run.ballot))
		return false;
	/*@ ghost uint64_t at = run.first % LEARNER_SLOTS; */
	*replaced = s->frame;
	/*@ assert rest: run.first == \max(given->first, l->delivered) &&
	      run.first + run.count == given->first + given->count &&
	      run.ballot == given->ballot && run.chosen == given->chosen; */
	put(s, &run);
	/*@ assert others: \forall integer k; 0 <= k < LEARNER_SLOTS && k != at ==>
	      kept_same{Pre,Here}(l, k); */
	/*@ assert rest: rest_of(&l->runs[at], given, l->delivered); */
	/*@ assert known: \at(l->runs[\at(at, Here)].count, Pre) > 0 &&
	      \at(l->runs[\at(at, Here)].chosen, Pre) &&
	      \at(l->runs[\at(at, Here)].first, Pre) == l->runs[at].first ==> l->runs[at].chosen; */
	/*@ assert ok: kept_ok(l, at); */
	/*@ assert ok: \forall integer k; 0 <= k < LEARNER_SLOTS && k != at ==>
	      kept_ok{Pre}(l, k) && kept_same{Pre,Here}(l, k) && kept_ok(l, k); */
	return true;
}

void learner_on_watermark(struct learner *l, uint64_t ballot, uint64_t watermark)
{
	if (ballot < l->ballot)
		return;
	if (ballot > l->ballot || watermark > l->watermark) {
		l->ballot = ballot;
		l->watermark = watermark;
	}
	learner_on_target(l, watermark);
}

void learner_on_target(struct learner *l, uint64_t known)
{
	if (known > l->target)
		l->target = known;
}

const struct learner_run *learner_next(const struct learner *l)
{
	const struct learner_run *s = &l->runs[l->delivered % LEARNER_SLOTS];

	if (s->count == 0 || s->first != l->delivered)
		return NULL;
	if (!s->chosen && (s->ballot != l->ballot || s->first + s->count > l->watermark))
		return NULL;
	return s;
}

bool learner_holds(const struct learner *l, uint64_t first)
{
	const struct learner_run *s = &l->runs[first % LEARNER_SLOTS];

	/*@ assert \valid_read(s); */
	return s->count > 0 && s->first == first && (s->body != NULL || s->bytes == 0);
}

void learner_jump(struct learner *l, uint64_t delivered,
	void (*release)(void *context, void *frame), void *context)
{
	l->delivered = delivered;
	learner_on_target(l, delivered);
	for (uint32_t i = 0; i < LEARNER_SLOTS; i++) {
		struct learner_run run = l->runs[i];
		void *left = run.frame;

		if (run.count == 0 || run.first >= delivered)
			continue;
		l->runs[i] = (struct learner_run){0};
		if (run.first + run.count > delivered && learner_add(l, &run, &left))
			run.frame = NULL;
		if (left != NULL)
			release(context, left);
	}
}

void *learner_delivered(struct learner *l)
{
	struct learner_run *s = slot(l, l->delivered);
	void *frame = s->frame;

	CHECK(s->count > 0 && s->first == l->delivered);
	/*@ assert kept_ok(l, l->delivered % LEARNER_SLOTS); */
	l->delivered += s->count;
	learner_on_target(l, l->delivered);
	s->count = 0;
	s->frame = NULL;
	s->body = NULL;
	/*@ assert \forall integer k; 0 <= k < LEARNER_SLOTS &&
	      k != \at(l->delivered, Pre) % LEARNER_SLOTS ==>
	        kept_ok{Pre}(l, k) && kept_same{Pre,Here}(l, k) && kept_ok(l, k); */
	/*@ assert l->delivered <= INSTANCE_TOP; */
	/*@ assert l->runs[\at(l->delivered, Pre) % LEARNER_SLOTS].count == 0; */
	return frame;
}
