/*
 * replica_acceptor.h - the acceptor stage: one shard's acceptor and its log.
 *
 * Owns:    the shard's promised ballot, votes and log; acknowledgements not yet sent.
 * Never:   answers a frame whose uuid is not the one pinned for its sender, nor votes before the
 *          leader stage has said who is enrolled; after the disk has failed, promises or votes.
 * Upholds: a vote leaves only after its record is in the log (mode none: in memory).
 *          G1  (mode sync) a promise, a vote, a repeated one, and what reports them leave only when
 *              their records are durable.
 *          G2  `lo` follows what is durably delivered, so that a restart comes to there again.
 *          G3  where votes may be lost to a damaged disk it answers `unknown` until it has learned
 *              what was chosen there.
 * Proofs:  tests/unit/test_replica_acceptor.c, _log.c, _journal.c; tests/sim.
 *
 * MESSAGE_VOTED goes to our own learner at once, in every mode: the learner takes a run for chosen
 * by what a quorum said, whose votes are durable; whether ours is does not matter to that.
 */
#ifndef CONSENSUS_REPLICA_ACCEPTOR_H
#define CONSENSUS_REPLICA_ACCEPTOR_H

#include "consensus/gate.h"
#include "consensus/journal.h"
#include "consensus/replica.h"

enum {
	ACCEPTOR_RANGES_MAX = 32, /* Ranges of one acknowledgement frame: a burst's at most. */
};

struct acceptor_counters {
	uint64_t votes;
	uint64_t repeats;
	uint64_t refused;
	uint64_t trimmed;
	uint64_t behind;
	uint64_t conflicts; /* Alarm: one ballot proposed two runs. */
	uint64_t too_high;  /* Alarm: a ballot from nowhere. */
	uint64_t chosen;
	uint64_t resent;
	uint64_t recalled;
	uint64_t fetched;
	uint64_t gone;
	uint64_t foreign; /* Not enrolled, or another uuid. */
	uint64_t log_full;
	uint64_t journal_full; /* Inputs dropped for want of room in the journal, */
	uint64_t gate_full;    /* or among the answers that wait for it. */
	uint64_t unknown;      /* Refused: our vote there may be lost. */
	uint64_t disk_failed;  /* Not heard: our disk failed. */
};

/* What the learner said last: all below `delivered`, and that our votes at exactly `ballot` below
 * `watermark` are chosen. */
struct delivery {
	uint64_t delivered;
	uint64_t ballot;
	uint64_t watermark;
};

struct acceptor_stage {
	const struct replica_settings *settings;
	struct outlet *outlet;
	uint32_t shard;
	bool enrolled;
	bool gated;  /* Mode sync. */
	bool failed; /* The disk: neither promises nor votes any more. */
	uint64_t uuids[MEMBER_MAX];
	uint32_t lives[MEMBER_MAX];

	const struct journal_port *journal; /* NULL: mode none. */
	uint64_t blind;                     /* Votes from lo up to here may be lost; 0: none. */
	uint64_t recorded_promise;          /* The last one with a record of its own. */
	uint64_t noted_at;                  /* Position of the last note of what is delivered. */
	struct delivery heard, noted;       /* noted: in the journal. */
	uint64_t installed; /* A snapshot's instance that is not in the journal yet; 0: none. */

	/* Votes not yet acknowledged: all at one ballot, of one proposer. */
	uint64_t acks_ballot;
	uint32_t acks_to;
	uint32_t acks_count;
	struct range acks[ACCEPTOR_RANGES_MAX];

	struct acceptor_counters counters;
	struct log log;
	struct record records[RUN_COUNT_MAX]; /* Of an answer in the making. */
	struct part parts[PARTS_MAX];
	struct gate gate;
	struct acceptor acceptor;
};

/* log_size: bytes, a power of two, at least 64 frames. */
void acceptor_stage_init(struct acceptor_stage *s, const struct replica_settings *settings,
	uint32_t shard, struct outlet *outlet, uint8_t *log_bytes, uint64_t log_size);

/* Modes async and sync, by settings->durability: before the first message, after a replay. */
void acceptor_stage_journal(struct acceptor_stage *s, const struct journal_port *journal);

/* PREPARE, PULL, ACCEPT, FETCH, CHOSEN, READ_ROUND, READ_PROBE, SNAPSHOT_ASK, SNAPSHOT_CHUNK from the
 * network or our own leader;
 * ENROLLED, DELIVERED, RESEND, RECALL, DURABLE, DISK_FAILED from our own stages. */
void acceptor_stage_on_message(struct acceptor_stage *s, const struct message *m,
	const uint8_t *body, uint64_t now_ns);

/* End of an input burst: one acknowledgement frame for all votes of it. */
void acceptor_stage_flush(struct acceptor_stage *s, uint64_t now_ns);

/* Settings that may have changed since: the caller keeps them until the next call. */
static inline void acceptor_stage_tune(struct acceptor_stage *s,
	const struct replica_settings *settings)
{
	s->settings = settings;
}

#endif
