/*
 * Every state of a small learner beside its acceptor, and what it would deliver.
 *
 * Arguments: instances, ballots from 1 on. What the acceptor votes for or stores goes to the
 * learner, as in a replica; watermarks come of any ballot and in any order.
 */
#include <stdio.h>
#include <string.h>

#include "consensus/acceptor.h"
#include "consensus/check.h"
#include "consensus/learner.h"
#include "tests/compare/explore.h"

enum {
	INSTANCES_MAX = 4,
	BALLOTS_MAX = 3,
	KEY = 6 + 4 * INSTANCES_MAX + 4 * INSTANCES_MAX + BALLOTS_MAX,
	STATES_MAX = 1 << 20,
};

struct state {
	struct acceptor acceptor;
	struct learner learner;
	uint8_t heard[BALLOTS_MAX]; /* The highest watermark of each ballot from 1 on. */
};

static struct explore states;
static uint64_t instances;
static uint64_t ballots;

static void add(const struct state *s)
{
	uint8_t key[KEY] = {(uint8_t)s->acceptor.promised, (uint8_t)s->acceptor.lo,
		(uint8_t)s->acceptor.high, (uint8_t)s->learner.delivered,
		(uint8_t)s->learner.ballot, (uint8_t)s->learner.watermark};
	uint8_t *at = key + 6;

	for (uint32_t i = 0; i < instances; i++) {
		const struct vote *v = &s->acceptor.votes[i];
		const struct learner_run *run = &s->learner.runs[i];

		*at++ = v->state;
		*at++ = (uint8_t)v->ballot;
		*at++ = (uint8_t)v->count;
		*at++ = v->index;
		*at++ = (uint8_t)(run->first);
		*at++ = (uint8_t)run->count;
		*at++ = (uint8_t)run->ballot;
		*at++ = run->chosen;
	}
	memcpy(at, s->heard, sizeof(s->heard));
	explore_add(&states, key, s);
}

static void tell_state(const struct state *s)
{
	const struct learner_run *run = learner_next(&s->learner);

	tell('L');
	tell(s->acceptor.lo);
	for (uint32_t i = 0; i < instances; i++) {
		tell(s->acceptor.votes[i].state);
		tell(s->acceptor.votes[i].ballot);
	}
	for (uint32_t b = 0; b < ballots; b++)
		tell(s->heard[b]);
	tell(s->learner.delivered);
	tell(run == NULL ? 0 : run->count);
	tell(run == NULL ? 0 : run->first);
	tell(run == NULL ? 0 : run->ballot);
}

static void try_run(const struct state *s, uint64_t ballot, uint64_t first, uint16_t count)
{
	struct state next = *s;
	const struct run run = {.ballot = ballot, .first = first, .count = count};
	enum acceptor_answer answer = ballot == 0 ? acceptor_on_chosen(&next.acceptor, &run)
						  : acceptor_on_accept(&next.acceptor, &run);
	void *replaced;

	if (answer == ACCEPTOR_VOTED || answer == ACCEPTOR_REPEATED || answer == ACCEPTOR_STORED ||
		answer == ACCEPTOR_KNOWN) {
		const struct learner_run held = {.first = first,
			.ballot = ballot,
			.count = count,
			.chosen = ballot == 0};

		learner_add(&next.learner, &held, &replaced);
	}
	add(&next);
}

static void try_runs(const struct state *s, uint64_t ballot)
{
	for (uint64_t first = 0; first < instances; first++) {
		try_run(s, ballot, first, 1);
		if (first % BLOCK == 0 && first + 2 <= instances)
			try_run(s, ballot, first, 2);
	}
}

static void try_watermarks(const struct state *s, uint64_t ballot)
{
	for (uint64_t watermark = 1; watermark <= instances; watermark++) {
		struct state next = *s;

		learner_on_watermark(&next.learner, ballot, watermark);
		if (next.heard[ballot - 1] < watermark)
			next.heard[ballot - 1] = (uint8_t)watermark;
		add(&next);
	}
}

static void try_delivery(const struct state *s)
{
	struct state next = *s;

	if (learner_next(&next.learner) == NULL)
		return;
	learner_delivered(&next.learner);
	acceptor_trim(&next.acceptor, next.learner.delivered);
	add(&next);
}

int main(int argc, char **argv)
{
	static struct state s;

	instances = argument(argc, argv, 1);
	ballots = argument(argc, argv, 2);
	CHECK(instances <= INSTANCES_MAX && ballots <= BALLOTS_MAX);
	tell(instances);
	tell(ballots);
	tell(BLOCK);
	explore_init(&states, KEY, sizeof(s), STATES_MAX);
	acceptor_init(&s.acceptor, ACCEPTOR_WINDOW);
	learner_init(&s.learner);
	add(&s);
	for (uint32_t i = 0; i < states.count; i++) {
		explore_state(&states, i, &s);
		tell_state(&s);
		for (uint64_t ballot = 0; ballot <= ballots; ballot++)
			try_runs(&s, ballot);
		for (uint64_t ballot = 1; ballot <= ballots; ballot++)
			try_watermarks(&s, ballot);
		try_delivery(&s);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
