/*
 * Every state of a small window, however votes arrive.
 *
 * Arguments: instances, members, and how many of these a phase-2 quorum has. A member votes for any
 * range of what was proposed so far, as often and in any order; a run has one or two instances.
 */
#include <stdio.h>
#include <string.h>

#include "consensus/check.h"
#include "consensus/window.h"
#include "tests/compare/explore.h"

enum {
	INSTANCES_MAX = 4,
	RANGES_MAX = INSTANCES_MAX * INSTANCES_MAX,
	KEY = 5 + MEMBER_MAX + INSTANCES_MAX + 2 * WINDOW_INSTANCES + MEMBER_MAX * 2,
	STATES_MAX = 1 << 20,
	START = 3, /* The first instance of the ballot. */
};

struct state {
	struct window window;
	uint8_t runs[INSTANCES_MAX]; /* Instances of each run that was proposed. */
	uint16_t heard[MEMBER_MAX];  /* Bit (first - START) * INSTANCES_MAX + count - 1. */
};

static struct explore states;
static struct quorum quorum;
static uint64_t instances;
static uint32_t members;

static void add(const struct state *s)
{
	uint8_t key[KEY] = {0};
	uint8_t *at = key;
	const struct window *w = &s->window;

	*at++ = (uint8_t)w->oldest;
	*at++ = (uint8_t)w->next;
	*at++ = (uint8_t)w->chosen;
	*at++ = (uint8_t)w->end;
	for (uint32_t m = 0; m < MEMBER_MAX; m++)
		*at++ = (uint8_t)w->hint[m];
	memcpy(at, s->runs, sizeof(s->runs));
	at += sizeof(s->runs);
	memcpy(at, s->heard, sizeof(s->heard));
	at += sizeof(s->heard);
	for (uint64_t run = w->oldest; run < w->next; run++) {
		*at++ = (uint8_t)w->flights[run % WINDOW_INSTANCES].first;
		*at++ = (uint8_t)w->flights[run % WINDOW_INSTANCES].votes;
	}
	explore_add(&states, key, s);
}

static void tell_heard(const struct state *s)
{
	uint32_t heard = 0;

	for (uint32_t m = 0; m < members; m++)
		heard += (uint32_t)__builtin_popcount(s->heard[m]);
	tell(heard);
	for (uint32_t m = 0; m < members; m++)
		for (uint32_t bit = 0; bit < RANGES_MAX; bit++)
			if ((s->heard[m] >> bit & 1) != 0) {
				tell(m);
				tell(START + bit / INSTANCES_MAX);
				tell(bit % INSTANCES_MAX + 1);
			}
}

/* What was proposed and heard, whose votes the runs in flight have, and how far `chosen` goes. */
static void tell_state(const struct state *s)
{
	const struct window *w = &s->window;
	struct state advanced = *s;

	tell('W');
	tell(w->next);
	for (uint64_t run = 0; run < w->next; run++)
		tell(s->runs[run]);
	tell_heard(s);
	tell(w->oldest);
	tell(w->chosen);
	for (uint64_t run = w->oldest; run < w->next; run++)
		tell(w->flights[run % WINDOW_INSTANCES].votes);
	tell(window_advance(&advanced.window, &quorum));
	tell(advanced.window.chosen);
	add(&advanced);
}

static void try_pushes(const struct state *s)
{
	for (uint32_t count = 1; count <= 2; count++) {
		struct state next = *s;

		if (s->window.end + count > START + instances ||
			window_span(&s->window) + count > WINDOW_INSTANCES)
			continue;
		next.runs[s->window.next] = (uint8_t)count;
		window_push(&next.window, count, 0);
		add(&next);
	}
}

static void try_votes(const struct state *s, uint32_t member)
{
	for (uint64_t first = START; first < s->window.end; first++)
		for (uint64_t count = 1; first + count <= s->window.end; count++) {
			struct state next = *s;
			uint64_t bit = (first - START) * INSTANCES_MAX + count - 1;

			next.heard[member] |= (uint16_t)(1u << bit);
			window_vote(&next.window, member, first, count);
			add(&next);
		}
}

int main(int argc, char **argv)
{
	static struct state s;
	uint32_t q2 = argument(argc, argv, 3);

	instances = argument(argc, argv, 1);
	members = argument(argc, argv, 2);
	CHECK(instances <= INSTANCES_MAX);
	CHECK(quorum_init_threshold(&quorum, members, members - q2 + 1, q2) == QUORUM_OK);
	tell(START);
	tell(members);
	tell(q2);
	explore_init(&states, KEY, sizeof(s), STATES_MAX);
	window_init(&s.window, START);
	add(&s);
	for (uint32_t i = 0; i < states.count; i++) {
		explore_state(&states, i, &s);
		tell_state(&s);
		try_pushes(&s);
		for (uint32_t m = 0; m < members; m++)
			try_votes(&s, m);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
