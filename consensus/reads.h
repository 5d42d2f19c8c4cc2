/*
 * reads.h - linearizable reads: those that wait, and the round under way, by one of two rules.
 *
 * The leader's rule: the index is what was chosen when the read arrived, and the round asks whether
 * anybody leads at a higher ballot. Who confirms has promised none by then; so no later leader had a
 * phase-1 quorum when the read arrived, and whatever was acknowledged by then is below the index.
 * (Ongaro, Consensus, 6.4, with acceptors that are asked one by one.)
 *
 * The quorum's rule, at any member: the round asks how far each acceptor has voted, and the index is
 * the largest answer. What was acknowledged when the read arrived had a phase-2 quorum of votes; a
 * phase-1 quorum meets it, so the index is above. (Charapko, Ailijiang, Demirbas, Linearizable Quorum
 * Reads in Paxos, 2019.) What was voted for need never be chosen: then a leader is asked.
 *
 * Owns:    two batches of reads: one collects, the other one's round is under way.
 * Never:   looks into a value, or sends: the leader stage does; needs a clock to be right.
 * Upholds: LR1  a round of the leader's rule is confirmed by a phase-2 quorum of members, each with
 *              every one of its shards, for exactly its ballot and nonce.
 *          LR2  a read's round begins after the read arrived.
 *          (LR3, at the learner: a read runs once its index is applied.)
 *          LR4  the index of the quorum's rule is the largest that a phase-1 quorum of members
 *              reported, each with every one of its shards, to exactly its round.
 *          LR5  a leader's index takes its place only if it was asked for by this round.
 * Proofs:  tests/unit/test_reads.c; tests/sim, whose mutants break LR1, LR2 and LR4.
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

enum read_rule {
	READ_RULE_LEADER,
	READ_RULE_QUORUM
};

/* A member that waits for the leader's index. */
struct read_asker {
	uint64_t ballot; /* As it asked: we only repeat both. */
	uint64_t nonce;
};

struct read_batch {
	uint32_t count;
	uint32_t bytes;
	uint64_t index;  /* The leader's rule: what was chosen when the last of them arrived. */
	uint32_t asking; /* Bitmask of the members that wait for it too. */
	struct read_asker askers[MEMBER_MAX];
	uint16_t clients[RUN_COUNT_MAX];
	_Alignas(8) uint8_t body[(BODY_MAX + 7) / 8 * 8]; /* Entries. */
};

struct reads {
	enum read_rule rule;
	bool under_way;      /* A round, from its begin until reads_end. */
	bool reported;       /* The quorum's rule: its index is known, and not applied yet. */
	uint32_t collecting; /* The batch that does; the other one is the round's. */
	uint64_t ballot;     /* Of the round. */
	uint64_t nonce;      /* Never used twice. */
	uint64_t begun_ns;
	uint64_t sent_ns;               /* When its question was last sent, or answered. */
	uint32_t confirmed[MEMBER_MAX]; /* Bitmasks of shards. */
	struct read_batch batches[2];
};

void reads_init(struct reads *r, enum read_rule rule);

/* A read that arrived when all below `index` was chosen (the quorum's rule: 0); with its client's
 * handle it fits a body of body_max bytes. False: the batch is full. */
bool reads_add(struct reads *r, const struct entry *e, uint16_t client, uint64_t index,
	uint32_t body_max);

/* The leader's rule: another member's READ_INDEX, which came when all below `index` was chosen. */
void reads_add_asker(struct reads *r, const struct message *m, uint64_t index);

/* Does a batch wait, and no round keeps it? */
static inline bool reads_ready(const struct reads *r)
{
	const struct read_batch *b = &r->batches[r->collecting];

	return (b->count > 0 || b->asking != 0) && !r->under_way;
}

/* reads_ready: the batch's round begins; what arrives from now on waits for the next one. `ballot`:
 * the leader's, or of the quorum's rule a number drawn at this node's start: what was said to an
 * earlier life is no answer. */
void reads_begin(struct reads *r, uint64_t ballot, uint64_t now_ns);

/* Bitmask of those of `members` whose shard has not confirmed the round. */
uint32_t reads_unconfirmed(const struct reads *r, uint32_t members, uint32_t shard);

/* A READ_CONFIRM, or of the quorum's rule a READ_REPORT. True: with it the rule's quorum confirmed
 * the round: its batch, now with its index, is reads_round until reads_end. */
bool reads_on_confirm(struct reads *r, const struct replica_settings *settings,
	const struct message *m);

/* A READ_INDEXED: what is voted for and never chosen need not be waited for. */
void reads_on_indexed(struct reads *r, const struct message *m);

static inline struct read_batch *reads_round(struct reads *r)
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
