#include "tests/sim/coverage.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "tests/sim/node.h"

static const char *const titles[STATES] = {
	[STATE_STARTING] = "start",
	[STATE_FOLLOWER] = "follow",
	[STATE_READING] = "m-read",
	[STATE_LEARNING] = "learn",
	[STATE_INSTALLING] = "install",
	[STATE_PREVOTING] = "prevote",
	[STATE_PREPARING_SELF] = "p1-self",
	[STATE_PREPARING] = "p1-all",
	[STATE_CATCHING_UP] = "p1-catch",
	[STATE_PULLING] = "p1-pull",
	[STATE_REPROPOSING] = "p2-again",
	[STATE_OPENING] = "opening",
	[STATE_LEADER_IDLE] = "idle",
	[STATE_LEADER_BUSY] = "in-flight",
	[STATE_LEADER_READING] = "read",
	[STATE_CLIENT_OPENING] = "c-opening",
	[STATE_CLIENT_OPEN] = "c-open",
};

const char *coverage_title(enum state state)
{
	return titles[state];
}

enum state coverage_state(const struct node *n)
{
	const struct leader_stage *s = &n->leader;

	if (!s->enrolled)
		return STATE_STARTING;
	if (s->reads.under_way)
		return STATE_LEADER_READING;
	if (s->leads)
		return window_runs(&s->proposer.window) > 0 ? STATE_LEADER_BUSY : STATE_LEADER_IDLE;
	switch (s->proposer.state) {
	case PROPOSER_IDLE:
		break;
	case PROPOSER_PREPARING_SELF:
		return STATE_PREPARING_SELF;
	case PROPOSER_PREPARING:
		return STATE_PREPARING;
	case PROPOSER_CATCHING_UP:
		return STATE_CATCHING_UP;
	case PROPOSER_PULLING:
		return STATE_PULLING;
	case PROPOSER_REPROPOSING:
		return STATE_REPROPOSING;
	case PROPOSER_LEADING:
		return STATE_OPENING;
	}
	if (s->election.state == ELECTION_PREVOTING)
		return STATE_PREVOTING;
	if (n->learner.beyond)
		return STATE_INSTALLING;
	if (n->learner.learner.delivered < n->learner.learner.target)
		return STATE_LEARNING;
	return s->any_reads.under_way ? STATE_READING : STATE_FOLLOWER;
}

void coverage_add(struct coverage *to, const struct coverage *from)
{
	for (uint32_t f = 0; f < FAULT_KINDS; f++)
		for (uint32_t s = 0; s < STATES; s++)
			to->hits[f][s] += from->hits[f][s];
}

/* Why a cell can not be hit; NULL: it can. */
static const char *reason(enum fault fault, enum state state)
{
	bool client = state >= STATE_CLIENT_OPENING;

	if (client && fault == FAULT_NUMBERS)
		return "a: a client is sent replies only, which carry no ballot and no instance";
	if (client && fault >= FAULT_ISOLATE)
		return "b: happens to replicas";
	if (fault == FAULT_CRASH && state == STATE_STARTING)
		return "c: the first start needs all members, by design";
	if (state == STATE_STARTING && (fault == FAULT_RETURN_EMPTY || fault == FAULT_EVICT))
		return "d: comes after the first start";
	if (state == STATE_INSTALLING && fault == FAULT_EVICT)
		return "e: who takes a snapshot executes nothing";
	return NULL;
}

static void print_reasons(void)
{
	const char *told = NULL;

	for (uint32_t f = 0; f < FAULT_KINDS; f++)
		for (uint32_t s = 0; s < STATES; s++) {
			const char *why = reason(f, s);

			/* Reasons come in the order of their letters. */
			if (why == NULL || (told != NULL && why[0] <= told[0]))
				continue;
			printf("  %s\n", why);
			told = why;
		}
}

static void print_count(uint64_t count)
{
	if (count < 100000)
		printf(" %9" PRIu64, count);
	else if (count < 100000000)
		printf(" %8" PRIu64 "k", count / 1000);
	else
		printf(" %8" PRIu64 "M", count / 1000000);
}

uint32_t coverage_print(const struct coverage *c)
{
	uint32_t empty = 0;

	printf("%-12s", "fault");
	for (uint32_t s = 0; s < STATES; s++)
		printf(" %9s", titles[s]);
	putchar('\n');
	for (uint32_t f = 0; f < FAULT_KINDS; f++) {
		printf("%-12s", fault_name(f));
		for (uint32_t s = 0; s < STATES; s++) {
			const char *why = reason(f, s);

			if (c->hits[f][s] > 0)
				print_count(c->hits[f][s]);
			else
				printf(" %9.1s", why == NULL ? "EMPTY" : why);
			empty += c->hits[f][s] == 0 && why == NULL ? 1 : 0;
		}
		putchar('\n');
	}
	print_reasons();
	return empty;
}
