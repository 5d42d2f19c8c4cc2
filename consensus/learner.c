#include "consensus/learner.h"

#include <stddef.h>
#include <string.h>

#include "consensus/check.h"

void learner_init(struct learner *l)
{
	l->delivered = 0;
	l->ballot = 0;
	l->watermark = 0;
	l->target = 0;
	memset(l->runs, 0, sizeof(l->runs));
}

static struct learner_run *slot(struct learner *l, uint64_t first)
{
	return &l->runs[first % LEARNER_SLOTS];
}

/* A run that starts below `delivered`: what is left of it. */
static void cut(struct learner_run *run, uint64_t delivered)
{
	uint32_t skip = (uint32_t)(delivered - run->first);

	if (run->body != NULL) {
		for (uint32_t i = 0; i < skip; i++) {
			const struct entry *e = (const struct entry *)(const void *)run->body;
			uint32_t bytes = entry_bytes(entry_length(e));

			run->body += bytes;
			run->bytes = (uint16_t)(run->bytes - bytes);
		}
	}
	run->first = delivered;
	run->count = (uint16_t)(run->count - skip);
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
	*replaced = s->frame;
	*s = run;
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
	l->delivered += s->count;
	learner_on_target(l, l->delivered);
	s->count = 0;
	s->frame = NULL;
	s->body = NULL;
	return frame;
}
