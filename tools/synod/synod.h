/*
 * synod.h - single-decree Paxos among processes: two proposers, three acceptors, a learner.
 *
 * The scenario of the outline that paxwire implements (4.4, client implementation), on the shipped
 * acceptor and codec. Each round decides one instance, whose number is the round's.
 */
#ifndef TOOLS_SYNOD_SYNOD_H
#define TOOLS_SYNOD_SYNOD_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"

enum {
	ACCEPTORS = 3,
	PROPOSERS = 2,
	PROPOSER_FIRST = ACCEPTORS, /* Node ids: acceptors, proposers, the learner. */
	LEARNER = PROPOSER_FIRST + PROPOSERS,
	NODES = LEARNER + 1,
	VALUE_MAX = 32,
	ROUNDS_MAX = 4096,
	QUORUM = ACCEPTORS / 2 + 1,
};

/* A value as text, ended by a zero. */
struct value {
	char text[VALUE_MAX];
};

/* What a role says: to a node, on the wire. */
struct wire {
	void *context;
	void (*send)(void *context, uint32_t to, const struct message *m, const void *body);
};

struct settings {
	uint32_t id;
	uint32_t rounds;
	bool quiet; /* No line for each transition. */
	struct value value;
	uint64_t seed;
	const struct wire *wire;
};

/* One vote as VOTES carries it: a record, and the one entry of its run with the value. */
struct vote_body {
	struct record record;
	struct entry entry;
	struct value value;
};
static_assert(sizeof(struct vote_body) == RECORD_BYTES + ENTRY_BYTES + VALUE_MAX, "no holes");

/* One line about a transition, unless quiet. */
__attribute__((format(printf, 2, 3))) void say(const struct settings *s, const char *format, ...);

/* A value in a VOTES body that message_decode accepted; NULL: there is no vote in it. */
const struct vote_body *vote_of(const struct message *m, const uint8_t *body);

void acceptor_start(const struct settings *s);
void acceptor_hear(const struct message *m, const uint8_t *body);

/* Proposes its value in each round, with higher ballots until a value is chosen. True: all rounds
 * are over. */
void proposer_begin(const struct settings *s);
void proposer_hear(const struct message *m, const uint8_t *body);
bool proposer_tick(uint64_t now_ns);

/* Announces what a majority voted for at one ballot. False: two values were chosen in a round. */
void learner_begin(const struct settings *s);
bool learner_hear(const struct message *m, const uint8_t *body);
/* Rounds in which a value was chosen. */
uint32_t learner_rounds(void);

#endif
