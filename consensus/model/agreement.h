/*
 * agreement.h - the agreement model: acceptor stages, learners and proposers under a network that
 * loses, repeats and reorders, and crashes.
 *
 * Owns:    the world: where each node stands, and every message that was ever sent. A message
 *          stays, and may arrive at any time, any number of times, or never.
 * Never:   asks before it calls a role whether that one would do something: it just calls.
 *
 * What a node does depends on where it stands and on what it hears, and on nothing else. So both
 * are numbered, the C is called once for each pair, and its outcome is remembered.
 *
 * agreement.c has the events and what must hold of all nodes together, agreement_node.c a node and
 * what must hold of each of its steps, agreement_names.c the numbers.
 */
#ifndef CONSENSUS_MODEL_AGREEMENT_H
#define CONSENSUS_MODEL_AGREEMENT_H

#include "consensus/learner.h"
#include "consensus/proposer.h"
#include "consensus/replica_acceptor.h"

#include "consensus/model/model.h"

/* The size: a build sets it. Nodes below PROPOSERS may lead. */
#ifndef NODES
#define NODES 3
#endif
#ifndef PROPOSERS
#define PROPOSERS 2
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef INSTANCES
#define INSTANCES 1
#endif
/* Do nodes deliver, trim and fetch? */
#ifndef LEARNERS
#define LEARNERS 1
#endif
/* Is an answer heard at once, besides at any later time? */
#ifndef AT_ONCE
#define AT_ONCE 1
#endif

/* What stands at an instance. Two commands are enough: nothing looks into one. */
enum value {
	VALUE_NONE,
	VALUE_ONE,
	VALUE_TWO,
	VALUE_NOOP
};

enum {
	LOG_BYTES = 512,
	NETWORK_MAX = 128, /* Messages in one state, at most. */
	MAILS_MAX = 1024,  /* Different messages in all states. */
	SENT_MAX = 16,     /* By one step of a node. */
	KEY_BYTES = MAILS_MAX / 8 + 4 * NODES + 4,
};

/* ---- A node: agreement_node.c ---- */

struct node {
	_Alignas(64) uint8_t log[LOG_BYTES];
	struct acceptor_stage acceptor;
	struct learner learner;
	struct proposer proposer;
	uint8_t delivered[INSTANCES]; /* enum value */
};

/* A message on its way, with its body. */
struct mail {
	struct message m;
	uint32_t to;
	_Alignas(8) uint8_t body[BODY_MAX];
};

enum step {
	STEP_HEAR,    /* argument: a mail's number */
	STEP_START,   /* A ballot's place. */
	STEP_RESTART, /* A ballot's place, after a crash. */
	STEP_CRASH,   /* Of an acceptor. */
	STEP_TAKE,    /* The first command, plus 2 where the run has two. */
	STEP_FETCH,   /* Node * INSTANCES + instance: what it would be answered. */
	STEPS
};

struct outcome {
	uint32_t place; /* Where the node stands then. */
	uint32_t sent_count;
	uint16_t sent[SENT_MAX];
	const char *broken; /* The name of an invariant, or NULL. */
};

/* Node `self`, as it begins. */
void node_begin(struct node *node, uint32_t self);

/* One step of *node, which then stands where it left. */
void node_step(struct node *node, uint32_t self, enum step step, uint32_t argument,
	struct outcome *out);

/* May it be offered this step? Only where no role says so itself. */
bool node_offers(const struct node *node, enum step step, uint32_t argument);

/* What its acceptor holds at an instance. */
enum value acceptor_value(const struct node *at, uint64_t instance);

/* The value of the index-th instance of a run whose entries these are. */
enum value entries_value(const uint8_t *entries, uint32_t bytes, uint32_t index);

/* ---- Numbers: agreement_names.c ---- */

/* A message's number, and back. */
uint32_t mail_number(const struct mail *mail);
const struct mail *mail_at(uint32_t number);

/* Where a node stands, as a number, and back. */
uint32_t place_number(const struct node *node, uint32_t self);
const struct node *place_at(uint32_t place);

/* A state's key: nodes that never lead are alike but for their names, and so are the commands. */
void names_key(uint8_t *key, const uint32_t *places, const uint16_t *mails, uint32_t mails_count);

/* ---- Ballots ---- */

static inline uint64_t ballot_at(uint32_t rank)
{
	return ballot_make(1 + rank / PROPOSERS, rank % PROPOSERS);
}

static inline uint32_t ballot_rank(uint64_t ballot)
{
	return ((uint32_t)ballot_round(ballot) - 1) * PROPOSERS + ballot_node(ballot);
}

/* ---- The world: agreement.c ---- */

struct world {
	uint32_t places[NODES];
	uint32_t mails_count;
	uint16_t mails[NETWORK_MAX]; /* In the order in which they were sent. */
	/* What follows from them, by a ballot's rank. */
	uint16_t promisers[BALLOTS];
	uint16_t voters[BALLOTS][INSTANCES];
	uint8_t proposed[BALLOTS][INSTANCES]; /* enum value */
	uint32_t restarted;                   /* Begun after a crash. */
};

extern struct world world;
extern uint8_t model_key[KEY_BYTES];
extern struct quorum model_quorum;

#endif
