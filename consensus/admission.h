/*
 * admission.h - the leader's memory of which commands it has already taken.
 *
 * Owns:    for each session the sequences taken at this leadership, and its client's handle.
 * Never:   takes a new command for a repeated one; the other way round costs a duplicate proposal,
 *          which the session table filters when it is applied.
 * Proofs:  tests/unit/test_admission.c.
 */
#ifndef CONSENSUS_ADMISSION_H
#define CONSENSUS_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	ADMISSION_SLOTS = 1 << 15,
	ADMISSION_PROBES = 4,
	ADMISSION_STRIDE = 2048, /* Slots that one call of admission_list looks at. */
};

struct admission_slot {
	uint64_t session;
	uint64_t base;  /* Sequences below were taken, or are too old to ask for. */
	uint32_t taken; /* Bit k: base + k was taken. */
	uint32_t generation;
	uint16_t client;
};

struct admission {
	uint32_t generation;
	struct admission_slot slots[ADMISSION_SLOTS];
};

enum admission_answer {
	ADMISSION_NEW,      /* Propose it. */
	ADMISSION_REPEATED, /* Taken before: the learner knows whether it was applied. */
};

/* All is forgotten: its leadership is over. The struct starts zeroed. */
void admission_clear(struct admission *a);

static inline struct admission_slot *admission_home(struct admission *a, uint64_t session)
{
	return &a->slots[(session + session / ADMISSION_SLOTS) % ADMISSION_SLOTS];
}

/* *moved: the learner must hear of this client handle: it is new for the session. */
enum admission_answer admission_take(struct admission *a, uint64_t session, uint64_t sequence,
	uint16_t client, bool *moved);

/* What is taken, from slot *at on, which it moves (ADMISSION_SLOTS: that was all): up to `max`
 * (>= SESSION_WINDOW) bare entries, with the client's handle where kind and length stand. */
uint32_t admission_list(const struct admission *a, uint32_t *at, struct entry *entries,
	uint32_t max);

static inline uint16_t admission_client(const struct entry *listed)
{
	return (uint16_t)(listed->sequence_length / SEQUENCE_TOP);
}

#endif
