/*
 * proposer.h - phase 1 once for all instances, then phase 2, pipelined.
 *
 * Owns:    its ballot, who promised it, the values to propose again, the runs in flight.
 * Never:   outbids: only the election's timer makes a higher ballot.
 * Upholds: P3  Prepare goes to others only after every own shard promised the ballot.
 *          P4  nothing is proposed before a phase-1 quorum has promised, the prefix below its
 *              largest `lo` is delivered here, and every member of it has reported every instance
 *              of the stride.
 *          P5  an instance is proposed once at a ballot.
 * Proofs:  tests/unit/test_proposer.c; tests/sim. (Lamport, Paxos Made Simple, sections 2.2, 3.)
 */
#ifndef CONSENSUS_PROPOSER_H
#define CONSENSUS_PROPOSER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/quorum.h"
#include "consensus/recovery.h"
#include "consensus/replica.h"
#include "consensus/window.h"

enum proposer_state {
	PROPOSER_IDLE,
	PROPOSER_PREPARING_SELF, /* Prepare to our own shards. */
	PROPOSER_PREPARING,      /* Prepare to the others. */
	PROPOSER_CATCHING_UP, /* The prefix below the quorum's largest lo is not delivered yet. */
	PROPOSER_PULLING,     /* Votes of one stride from every member of the quorum. */
	PROPOSER_REPROPOSING, /* What the stride reported goes out again. */
	PROPOSER_LEADING,
};

struct proposer_promise {
	uint32_t shards;  /* Bitmask of shards that promised. */
	uint64_t lo;      /* Largest of them. */
	uint64_t high;    /* Largest of them. */
	uint64_t covered; /* Reported up to here, in this stride. */
};

struct proposer {
	const struct replica_settings *settings;
	enum proposer_state state;
	uint64_t ballot;
	uint64_t delivered; /* This node's. */
	uint32_t quorum;    /* The members that we pull from: a phase-1 quorum. */
	uint64_t end;       /* One past the highest instance that the quorum reported. */
	bool due;           /* Something is to be sent without waiting for the timer. */
	uint64_t sent_ns;
	struct proposer_promise promises[MEMBER_MAX];
	struct window window;
	struct recovery recovery;
};

void proposer_init(struct proposer *p, const struct replica_settings *settings);

/* Phase 1 of `ballot`, whose node is ours and which we never used before. */
void proposer_start(struct proposer *p, uint64_t ballot);

void proposer_step_down(struct proposer *p);

void proposer_on_promise(struct proposer *p, const struct message *m);
void proposer_on_votes(struct proposer *p, const struct message *m, const uint8_t *body);

/* A pull was answered TRIMMED: what lies below m->watermark must be delivered here first. */
void proposer_on_trimmed(struct proposer *p, const struct message *m);

void proposer_on_delivered(struct proposer *p, uint64_t delivered);

/* Ranges of votes at exactly our ballot. True: the chosen index went up. */
bool proposer_on_accepted(struct proposer *p, const struct message *m, const uint8_t *body);

/* Is phase 1's current question to be asked (again) now? Sets the timer. The caller reads `state`
 * and asks: who has not answered is told by proposer_unanswered. */
bool proposer_asks(struct proposer *p, uint64_t now_ns);

/* Bitmask of the members whose answer the current state waits for. */
uint32_t proposer_unanswered(const struct proposer *p);

/* The largest lo of the quorum, and who reported it: CATCHING_UP waits for it. */
uint64_t proposer_prefix(const struct proposer *p, uint32_t *member);

/* REPROPOSING: the next run to send again, put into the window: count 0 when there is none now
 * (all done, or the window is full). Entries are in `body`; *bytes 0 is a no-op run. */
uint32_t proposer_repropose(struct proposer *p, uint8_t *body, uint32_t *bytes, uint64_t *first,
	uint64_t now_ns);

/* Instances that may still be put in flight: by the window, and by what the own acceptors, whose
 * `lo` follows what is delivered here, can vote for. */
uint32_t proposer_capacity(const struct proposer *p);

/* LEADING: instances that the next run may have: to the block's end, and within the capacity. */
uint32_t proposer_room(const struct proposer *p);

/* LEADING: a new run of `count` <= proposer_room instances; returns its first instance. */
uint64_t proposer_take(struct proposer *p, uint32_t count, uint64_t now_ns);

#endif
