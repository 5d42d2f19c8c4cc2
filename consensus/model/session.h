/*
 * session.h - the session model: clients with a window of commands outstanding, whose frames are
 * repeated, late or lost; so every command may stand in the log in any order and number.
 *
 * Owns:    the table of the shipped session.c, and what each client was answered.
 */
#ifndef CONSENSUS_MODEL_SESSION_H
#define CONSENSUS_MODEL_SESSION_H

#include "consensus/session.h"

#include "consensus/model/model.h"

enum {
	SESSIONS_MAX = 2, /* Of the table. */
	CLIENTS = 4,      /* Each opens one session, in this order. */
	SEQUENCES = 6,    /* Commands of a session: 0, 1, ... */
	SLOTS = 16,       /* Of a table that small. */
	KEY_BYTES = 1 + SLOTS * (4 + SESSION_WINDOW) + CLIENTS * 3,
};

struct client {
	uint64_t id;      /* Of its session. */
	uint8_t answered; /* Bit s: it heard an answer to sequence s. */
	uint8_t executed; /* Bit s: the machine ran it. */
	uint8_t age;      /* Sessions whose last command is later in the log. */
	bool evicted;
};

struct world {
	struct session_table table;
	struct session slots[SLOTS];
	struct client clients[CLIENTS];
	uint32_t opened; /* Clients that have a session. */
	uint64_t instance;
};

extern struct world world;
extern uint8_t model_key[KEY_BYTES];

#endif
