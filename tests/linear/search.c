#include "tests/linear/search.h"

#include <stdlib.h>
#include <string.h>

#include "tests/linear/model.h"
#include "tests/linear/versions.h"

enum {
	MEMORY_FIRST = 1 << 12,
};

#define CONFIGURATIONS_MAX (1ull << 26)

/* A call or a return in the order of time, linked so that an operation can be lifted out. */
struct event {
	struct event *before, *after;
	struct event *match; /* A call's return (NULL: an `info` has none); of a return NULL. */
	const struct operation *operation;
	uint64_t time_ns;
	bool calls;
};

/* What identifies a set of operations and a state: two words that no other gives, but for chance
 * (2^-128 for any two). */
struct mark {
	uint64_t a, b;
};

/* The configurations seen: open addressing. */
struct memory {
	struct mark *slots;
	uint64_t mask;
	uint64_t count;
};

struct step {
	struct event *call;
	struct state state; /* Before it. */
};

struct search {
	struct event *events;
	struct step *steps; /* The order so far. */
	size_t steps_count;
	struct event head;
	struct state state;
	struct mark done; /* Of the operations in the order. */
	struct memory memory;
	struct versions versions;
	size_t left; /* Operations with an answer that are not in the order yet. */
	size_t least_left;
	const struct operation *stuck;
};

/* ---- Marks ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Sets are told apart by the exclusive or of their members' marks. */
static void mark_toggle(struct mark *m, const struct event *call, const struct event *events)
{
	uint64_t number = (uint64_t)(call - events) + 1;

	m->a ^= mix(number * 0x9e3779b97f4a7c15ull);
	m->b ^= mix(number * 0xd1b54a32d192ed03ull);
}

static struct mark mark_of(const struct mark *done, const struct state *s)
{
	const uint64_t words[] = {s->value, s->version, s->floor, s->present};
	struct mark m = *done;

	for (uint32_t i = 0; i < 4; i++) {
		m.a = mix(m.a + words[i] + 1);
		m.b = mix(m.b ^ (words[i] + 1) * 0x9e3779b97f4a7c15ull);
	}
	m.a += m.a == 0 ? 1 : 0;
	return m;
}

static bool memory_resize(struct memory *m, uint64_t slots)
{
	struct memory larger = {calloc(slots, sizeof(struct mark)), slots - 1, m->count};

	if (larger.slots == NULL)
		return false;
	for (uint64_t i = 0; m->slots != NULL && i <= m->mask; i++) {
		uint64_t at = m->slots[i].a & larger.mask;

		if (m->slots[i].a == 0)
			continue;
		while (larger.slots[at].a != 0)
			at = (at + 1) & larger.mask;
		larger.slots[at] = m->slots[i];
	}
	free(m->slots);
	*m = larger;
	return true;
}

/* False: seen before. */
static bool memory_add(struct memory *m, struct mark mark)
{
	uint64_t at = mark.a & m->mask;

	for (; m->slots[at].a != 0; at = (at + 1) & m->mask)
		if (m->slots[at].a == mark.a && m->slots[at].b == mark.b)
			return false;
	m->slots[at] = mark;
	m->count++;
	return true;
}

/* ---- Events ---- */

/* By time; at one time calls before returns: operations that touch overlap. */
static int event_compare(const void *x, const void *y)
{
	const struct event *a = x;
	const struct event *b = y;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (int)b->calls - (int)a->calls;
}

/* `fail` and unknown gets have no place in any order. */
static bool has_effect(const struct operation *op)
{
	return op->outcome != OUTCOME_FAIL &&
		!(op->outcome == OUTCOME_INFO && op->kind == OPERATION_GET);
}

static size_t events_make(struct search *s, struct operation *operations, size_t count)
{
	size_t events = 0;

	for (size_t i = 0; i < count; i++) {
		struct operation *op = &operations[i];

		if (!has_effect(op))
			continue;
		s->events[events++] =
			(struct event){.operation = op, .time_ns = op->call_ns, .calls = true};
		if (op->outcome == OUTCOME_INFO)
			continue;
		s->events[events++] = (struct event){.operation = op, .time_ns = op->return_ns};
		s->left++;
	}
	qsort(s->events, events, sizeof(*s->events), event_compare);
	return events;
}

static void events_link(struct search *s, size_t count, const struct operation *operations,
	struct event **calls)
{
	struct event *last = &s->head;

	for (size_t i = 0; i < count; i++) {
		struct event *e = &s->events[i];
		size_t number = (size_t)(e->operation - operations);

		if (e->calls)
			calls[number] = e;
		else
			calls[number]->match = e;
		e->before = last;
		last->after = e;
		last = e;
	}
	last->after = NULL;
}

static void unlink_event(struct event *e)
{
	e->before->after = e->after;
	if (e->after != NULL)
		e->after->before = e->before;
}

static void relink_event(struct event *e)
{
	e->before->after = e;
	if (e->after != NULL)
		e->after->before = e;
}

/* ---- The search ---- */

static void lift(struct search *s, struct event *call)
{
	unlink_event(call);
	if (call->match != NULL) {
		unlink_event(call->match);
		s->left--;
	}
	versions_join(&s->versions, call->operation);
	mark_toggle(&s->done, call, s->events);
}

/* In the opposite order: each finds its neighbours as it left them. */
static void unlift(struct search *s, struct event *call)
{
	if (call->match != NULL) {
		relink_event(call->match);
		s->left++;
	}
	relink_event(call);
	versions_leave(&s->versions, call->operation);
	mark_toggle(&s->done, call, s->events);
}

/* Puts the call into the order if it fits and leads to something new. */
static bool advance(struct search *s, struct event *call)
{
	struct state next = s->state;

	if (!model_step(&next, call->operation) ||
		!versions_allow(&s->versions, call->operation, &s->state, &next))
		return false;
	mark_toggle(&s->done, call, s->events);
	struct mark mark = mark_of(&s->done, &next);

	mark_toggle(&s->done, call, s->events);
	if (!memory_add(&s->memory, mark))
		return false;
	s->steps[s->steps_count++] = (struct step){call, s->state};
	s->state = next;
	lift(s, call);
	return true;
}

static enum verdict search(struct search *s)
{
	struct event *at = s->head.after;

	while (s->left > 0) {
		if (s->memory.count > s->memory.mask / 2 &&
			(s->memory.count > CONFIGURATIONS_MAX ||
				!memory_resize(&s->memory, 2 * (s->memory.mask + 1))))
			return VERDICT_UNDECIDED;
		if (at != NULL && at->calls) {
			at = advance(s, at) ? s->head.after : at->after;
			continue;
		}
		/* A return whose call is not in the order, or the end: something before was wrong. */
		if (at != NULL && s->left < s->least_left) {
			s->least_left = s->left;
			s->stuck = at->operation;
		}
		if (s->steps_count == 0)
			return VERDICT_NOT;
		const struct step *last = &s->steps[--s->steps_count];

		s->state = last->state;
		unlift(s, last->call);
		at = last->call->after;
	}
	return VERDICT_LINEARIZABLE;
}

struct judgement search_key(struct operation *operations, size_t count)
{
	struct search s = {.least_left = SIZE_MAX};
	struct judgement j = {.verdict = VERDICT_UNDECIDED};
	struct event **calls = calloc(count + 1, sizeof(struct event *));

	s.events = calloc(2 * count + 1, sizeof(*s.events));
	s.steps = calloc(count + 1, sizeof(*s.steps));
	if (calls != NULL && s.events != NULL && s.steps != NULL &&
		versions_create(&s.versions, operations, count) &&
		memory_resize(&s.memory, MEMORY_FIRST)) {
		events_link(&s, events_make(&s, operations, count), operations, calls);
		j.verdict = search(&s);
		j.configurations = s.memory.count;
		j.stuck = s.stuck;
	}
	versions_destroy(&s.versions);
	free(s.memory.slots);
	free(s.steps);
	free(s.events);
	free(calls);
	return j;
}
