/*
 * reads.h - linearizable reads by the leader's rule: those that wait, and the round under way.
 *
 * Owns:    two batches of reads: one collects, the other one's round is under way.
 * Never:   looks into a value, or sends: the leader stage does; needs a clock to be right.
 * Upholds: LR1  a round is confirmed by a phase-2 quorum of members, each with every one of its
 *              shards, for exactly its ballot and nonce.
 *          LR2  a read's round begins after the read arrived.
 *          (LR3, at the learner: a read runs once the index noted on its arrival is applied.)
 * Proofs:  tests/unit/test_reads.c; tests/sim, whose mutant skips the round.
 *
 * Who confirms has promised no higher ballot by then; so no later leader had a phase-1 quorum when
 * the read arrived, and whatever was acknowledged by then is below the index. (Ongaro, Consensus,
 * 6.4, with acceptors that are asked one by one.)
 */
#ifndef CONSENSUS_READS_H
#define CONSENSUS_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"
#include "consensus/replica.h"

enum {
	READ_FRAMES = 4, /* Bodies that a batch may fill. */
	/* Of a batch: any two that follow each other hold more than one body. */
	READ_PIECES_MAX = 2 * READ_FRAMES - 1,
};
static_assert((int)READ_PIECES_MAX <= (int)STAGE_ROOM, "one confirmation hands over a whole batch");

struct read_batch {
	uint32_t count;
	uint32_t bytes;
	uint64_t index; /* What was chosen when the last of them arrived. */
	uint16_t clients[RUN_COUNT_MAX];
	_Alignas(8) uint8_t body[(BODY_MAX + 7) / 8 * 8]; /* Entries. */
};

struct reads {
	bool under_way;      /* A round. */
	uint32_t collecting; /* The batch that does; the other one is the round's. */
	uint64_t ballot;     /* Of the round. */
	uint64_t nonce;      /* Never used twice. */
	uint64_t sent_ns;
	uint32_t confirmed[MEMBER_MAX]; /* Bitmasks of shards. */
	struct read_batch batches[2];
};

void reads_init(struct reads *r);

/* A read that arrived when all below `index` was chosen; with its client's handle it fits a body of
 * body_max bytes. False: the batch is full. */
bool reads_add(struct reads *r, const struct entry *e, uint16_t client, uint64_t index,
	uint32_t body_max);

/* Does a batch wait, and no round keeps it? */
static inline bool reads_ready(const struct reads *r)
{
	return r->batches[r->collecting].count > 0 && !r->under_way;
}

/* reads_ready: the batch's round begins; what arrives from now on waits for the next one. */
void reads_begin(struct reads *r, uint64_t ballot);

/* Bitmask of those of `members` whose shard has not confirmed the round. */
uint32_t reads_unconfirmed(const struct reads *r, uint32_t members, uint32_t shard);

/* A READ_CONFIRM. True: with it a phase-2 quorum confirmed the round, which is over: its batch is
 * reads_round until reads_end. */
bool reads_on_confirm(struct reads *r, const struct replica_settings *settings,
	const struct message *m);

static inline const struct read_batch *reads_round(const struct reads *r)
{
	return &r->batches[1 - r->collecting];
}

/* How many reads from number `from` on, which stands at byte `at`, fit a body with their clients'
 * handles; *bytes is their entries' length. */
uint32_t reads_piece(const struct read_batch *b, uint32_t from, uint32_t at, uint32_t body_max,
	uint32_t *bytes);

/* The round's batch is the caller's no more. */
void reads_end(struct reads *r);

/* Nothing waits any more, and no round is under way: its leadership is over. */
void reads_clear(struct reads *r);

#endif
