/* The learner as a process: a value is chosen when a majority voted for it at one ballot. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/synod/synod.h"

struct round {
	uint64_t ballots[ACCEPTORS]; /* Of each acceptor's newest vote heard. */
	struct value values[ACCEPTORS];
	bool chosen;
	struct value value;
};

static const struct settings *settings;
static struct round rounds[ROUNDS_MAX];
static uint32_t chosen;

void learner_begin(const struct settings *s)
{
	settings = s;
}

uint32_t learner_rounds(void)
{
	return chosen;
}

static bool conclude(uint32_t number, struct round *r, const struct value *value)
{
	if (r->chosen && strcmp(r->value.text, value->text) != 0) {
		printf("round %u: \"%s\" was chosen after \"%s\": agreement is broken\n", number,
			value->text, r->value.text);
		return false;
	}
	if (r->chosen)
		return true;
	r->chosen = true;
	r->value = *value;
	chosen++;
	printf("round %u: consensus achieved on value %s\n", number, value->text);
	fflush(stdout);
	return true;
}

bool learner_hear(const struct message *m, const uint8_t *body)
{
	const struct vote_body *vote = vote_of(m, body);

	if (vote == NULL || m->sender >= ACCEPTORS || m->first >= ROUNDS_MAX)
		return true;
	struct round *r = &rounds[m->first];
	uint32_t count = 0;

	if (vote->record.ballot <= r->ballots[m->sender])
		return true;
	r->ballots[m->sender] = vote->record.ballot;
	r->values[m->sender] = vote->value;
	say(settings, "hears that acceptor %u voted for \"%s\" at ballot %" PRIu64 ":%u", m->sender,
		vote->value.text, ballot_round(vote->record.ballot),
		ballot_node(vote->record.ballot));
	for (uint32_t i = 0; i < ACCEPTORS; i++)
		count += r->ballots[i] == vote->record.ballot ? 1 : 0;
	return count < QUORUM || conclude((uint32_t)m->first, r, &vote->value);
}
