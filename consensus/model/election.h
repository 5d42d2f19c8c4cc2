/*
 * election.h - the election model: nodes that take turns, each turn a tick of its clock, on a
 * network whose links fail, with crashes and stalls.
 *
 * Owns:    the shipped election of each node, and what its acceptor promised.
 *
 * A turn's messages are heard within it, where there is a link: what is slower than a tick is a
 * link that failed. Faults are few and come at any time; draws of lots are any until the calm
 * begins, and lucky from then on.
 */
#ifndef CONSENSUS_MODEL_ELECTION_H
#define CONSENSUS_MODEL_ELECTION_H

#include "consensus/election.h"

#include "consensus/model/model.h"

#ifndef NODES
#define NODES 3
#endif
#ifndef FAULTS
#define FAULTS 2
#endif

enum {
	TIMEOUT = 4, /* Of the election, in ticks; a heartbeat comes each tick. */
	LOTS = 3,    /* Results of a draw that differ. */
	KEY_BYTES = 4 + NODES * (19 + 3 * NODES),
};

struct node {
	struct election election;
	uint64_t promised;     /* By its acceptor: durable. */
	uint64_t stood;        /* The last ballot that it stood at. */
	uint64_t won;          /* The last one that it led at. */
	uint8_t silent[NODES]; /* Rounds since it heard that one; TIMEOUT: as good as never. */
	uint8_t echoed[NODES]; /* Did that one say that it hears us? */
	uint8_t leader_silent; /* Rounds since it heard a leader. */
	uint8_t promise_age;   /* Rounds since it promised another. */
	uint8_t stalled;       /* Turns that it will miss. */
	uint8_t leads;         /* Its no-op is chosen. */
};

struct world {
	struct node nodes[NODES];
	uint64_t now; /* Rounds. */
	uint8_t turn;
	uint8_t faults; /* So far. */
	uint8_t graph;
	uint8_t calm; /* From now on there are no faults, and lots are lucky. */
};

extern struct world world;
extern uint8_t model_key[KEY_BYTES];

/* Can a leader stand, and is there one whom a majority follows? */
int model_good(void);
int model_led(void);

#endif
