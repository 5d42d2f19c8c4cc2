/*
 * replay.h - a journal's writes, read in order, into the roles of a replica that starts again.
 *
 * Owns:    what it has learned so far; the stages are the caller's, freshly initialised.
 * Never:   takes a vote for chosen, unless the journal says so; takes a lost vote for none.
 * Upholds: V1  the acceptors promise and hold all that was durable: their promise is the maximum over
 *              superblocks, write headers, promises and votes.
 *          V2  what is delivered again is what was delivered: chosen records; votes that a delivered
 *              record covers, while nothing before it is lost; else votes at exactly the ballot that
 *              a commit record names.
 *          V3  `lo` is where the learner stands again, as far as the log reaches back: it never
 *              means "unknown".
 *          V4  where votes may be lost, the acceptors are blind until all there is learned.
 *          V5  without the snapshot that the journal relies on nothing is delivered: the acceptors
 *              stand where it stood, and the learner below, until it has another from others.
 * Proofs:  tests/unit/test_replay.c, test_replay_snapshots.c; tests/sim. (design: section 7.)
 *
 * The caller: superblock_read; replay_init; each write of a journal_reader to replay_write; then
 * replay_end. With a snapshot at instance N: the learner holds the state below N already, `applied`
 * is N, and the reader starts at the superblock's anchor.
 *
 * Nothing is lost with what stands in front of the anchor. All votes and chosen runs from the block of
 * the snapshot's instance on stand behind it, and so does every delivered record that speaks of them:
 * it was written after them. A commit record is only one more way to know a vote chosen. Promises
 * stand in every write's header, and blindness too. A rise of `lo` in front of it was one to no more
 * than the snapshot's instance, or to what a header behind it says. Pins stand in the superblock.
 */
#ifndef CONSENSUS_REPLAY_H
#define CONSENSUS_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/journal_reader.h"
#include "consensus/replica_acceptor.h"
#include "consensus/replica_leader.h"
#include "consensus/replica_learner.h"

enum {
	REPLAY_COMMITS = 4 /* Ballots of which a shard's commit records are kept. */
};

struct replay_commit {
	uint64_t ballot;
	uint64_t watermark;
};

struct replay_shard {
	struct acceptor_stage *acceptor;
	uint64_t delivered; /* The last delivered record's. */
	uint64_t noted;     /* Or an installed record's: once durable, others may hear of it. */
	uint32_t last_life; /* Of the last record, */
	struct journal_record last;
	uint32_t commits_next;
	struct replay_commit commits[REPLAY_COMMITS];
};

struct replay_counters {
	uint64_t writes;
	uint64_t votes;
	uint64_t chosen;
	uint64_t lost; /* Votes for which there was no place: the acceptors are blind there. */
};

struct replay {
	const struct replica_settings *settings;
	struct superblock superblock;
	bool one_superblock_lost;
	struct learner_stage *learner;
	bool damaged;     /* Something durable is lost, somewhere before. */
	uint32_t life;    /* Of the last write. */
	uint64_t applied; /* What was there before the first write: a snapshot's. */
	uint64_t loaded;  /* What the learner had of it. */
	uint64_t told;    /* Highest delivered index that a write header names. */
	uint64_t blind;   /* Votes below may be lost. */
	struct leader_past past;
	struct journal_segments segments;
	struct replay_counters counters;
	struct replay_shard shards[SHARD_MAX];
};

/* acceptors[i]: the stage of shard i. `applied`: what the learner holds already, 0 without snapshot. */
void replay_init(struct replay *r, const struct replica_settings *settings,
	struct acceptor_stage *const *acceptors, struct learner_stage *learner,
	const struct superblock *superblock, enum superblock_result superblock_result,
	uint64_t applied);

void replay_write(struct replay *r, const struct journal_found *f);

enum replay_result {
	REPLAY_OK,
	REPLAY_EMPTY,   /* No valid write: this member stays out until it is replaced. */
	REPLAY_UNCLEAN, /* Mode async, and the last life did not end in order: it counts as none. */
	REPLAY_PROMISE, /* The last write and a superblock are damaged: a promise may be lost. */
};

/* One sentence for the operator. */
const char *replay_text(enum replay_result result);

/* OK: the stages are as they were, `start` is for the next life's journal, r->past for
 * leader_stage_restore. */
enum replay_result replay_end(struct replay *r, const struct journal_end *end,
	struct journal_start *start);

/* Tells who watches the shard's acceptor as what it starts again. After replay_end said OK. */
void replay_watch(const struct replay *r, uint32_t shard);

/* The superblock of the next life, to be sealed and written before the first frame leaves. */
struct superblock replay_next_life(const struct replay *r, const struct journal_end *end);

#endif
