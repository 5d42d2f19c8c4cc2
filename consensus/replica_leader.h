/*
 * replica_leader.h - the leader stage: election, identity, proposer and admission joined.
 *
 * Owns:    leadership, the runs in flight, the batch in the making, what clients may ask.
 * Never:   proposes, unless every member's uuid is pinned and its ballot's phase 1 is over.
 * Upholds: a refusal never outbids; a client's command is answered, proposed or refused.
 *          F1  a follower that lags slows admission while it is live; one that lagged out does
 *              not until it has caught up. What lags is what it would have after a crash.
 *          F2  no-ops that only fill take nothing from the logs that a member still misses.
 *          S4  what a lost leadership took and did not answer is answered `unknown`.
 * Proofs:  tests/unit/test_replica_leader.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_LEADER_H
#define CONSENSUS_REPLICA_LEADER_H

#include "consensus/admission.h"
#include "consensus/election.h"
#include "consensus/handover.h"
#include "consensus/identity.h"
#include "consensus/journal.h"
#include "consensus/proposer.h"
#include "consensus/reads.h"
#include "consensus/replica.h"

enum {
	/* Runs in flight that hide the round trip of a rack many times over: 4096 commands in full
	 * frames of an MTU of 1500. */
	LEADER_RUNS_EAGER = 256
};

enum transfer_state {
	TRANSFER_NONE,
	TRANSFER_DRAINING, /* Nothing new is taken; what is in flight gets chosen. */
	TRANSFER_TOLD,     /* The target stands, if it heard us. */
};

/* The lead goes to another member. */
struct transfer {
	enum transfer_state state;
	uint32_t target;
	uint64_t until_ns; /* Then we go on. */
	uint64_t sent_ns;
};

struct leader_counters {
	uint64_t proposed_runs;
	uint64_t proposed_commands;
	uint64_t noops;
	uint64_t repeated; /* Commands seen before. */
	uint64_t busy;
	uint64_t redirected;
	uint64_t too_large;
	uint64_t bad_commands;
	uint64_t retransmitted;
	uint64_t terms; /* Leaderships won. */
	uint64_t step_downs;
	uint64_t transfers;        /* Begun: by command, */
	uint64_t handovers;        /* and of these because this leader was slow; */
	uint64_t transfers_failed; /* the target did not take the lead in time. */
	uint64_t reads;
	uint64_t read_rounds;
	uint64_t
		read_indices; /* Asked of the leader: what was voted for was not applied in time. */
	uint64_t conflicts;   /* Alarm: REFUSAL_CONFLICT heard. */
	uint64_t foreign;     /* Frames of an unpinned uuid. */
	uint64_t too_high;    /* Alarm: a heartbeat of a ballot from nowhere. */
};

/* A member as flow control sees it. */
struct peer {
	uint64_t delivered;   /* With journals durably: a crash takes it back to there. */
	uint64_t advanced_ns; /* When `delivered` last went up, or was near enough. */
	bool out; /* Stood still for lag_timeout: does not count until it is near again. */
};

struct leader_stage {
	const struct replica_settings *settings;
	struct outlet *outlet;
	bool enrolled;
	bool failed;                        /* Our disk: we neither lead nor stand. */
	const struct journal_port *journal; /* NULL: mode none. */
	bool marked;                        /* The journal says that we were enrolled. */
	uint32_t pins_waiting;              /* Bitmask: appended, and not durable yet. */
	uint64_t pins_at[MEMBER_MAX];       /* Their positions. */
	uint32_t lives[MEMBER_MAX];
	uint64_t fill_to;   /* No-ops up to here let a member that lost votes count again. */
	bool leads;         /* Our no-op is chosen: commands are taken. */
	bool opened;        /* Our no-op is proposed. */
	uint64_t opening;   /* The no-op's instance. */
	uint64_t delivered; /* This node's. */
	uint64_t durable;   /* Of that, what the journal says; mode none: 0. */
	uint64_t watermark_told;
	uint64_t watermark_sent; /* To the others, on a frame. */
	uint64_t sent_ns;        /* When a frame last carried the watermark. */
	uint64_t votes_ns;       /* How long a run's votes take, smoothed. */
	struct peer peers[MEMBER_MAX];

	/* The run in the making: entries of several client frames. */
	uint32_t batch_count;
	uint32_t batch_bytes;
	uint64_t batch_ns; /* When its first entry arrived. */
	uint32_t retries_count;
	uint32_t replies_count;
	uint32_t replies_bytes;
	uint16_t replies_to;
	uint32_t lost_at; /* A lost leadership's admission is told to the learner from this slot
	                     on; ADMISSION_SLOTS: it was. */

	struct transfer transfer;
	struct handover handover;
	struct leader_counters counters;
	struct identity identity;
	struct election election;
	struct proposer proposer;
	struct admission admission;
	struct reads reads;                  /* By the leader's rule, */
	struct reads any_reads;              /* and by the quorum's, while another leads. */
	struct entry retries[RUN_COUNT_MAX]; /* Of the frame in hand. */
	_Alignas(8) uint8_t batch[(BODY_MAX + 7) / 8 * 8];
	_Alignas(8) uint8_t scratch[(BODY_MAX + 7) / 8 * 8];
	_Alignas(8) uint8_t replies[(BODY_MAX + 7) / 8 * 8];
};

/* The struct's memory must be zeroed once. */
void leader_stage_init(struct leader_stage *s, const struct replica_settings *settings,
	struct outlet *outlet);

/* Modes async and sync: pins count once the journal has them. Before the first message. */
void leader_stage_journal(struct leader_stage *s, const struct journal_port *journal);

/* What the journal says of this node's earlier lives. */
struct leader_past {
	uint64_t promised; /* Highest of all shards. */
	uint64_t delivered;
	struct identity_disk disk;
	uint64_t pins[MEMBER_MAX];
	bool enrolled;
};

/* After a replay and leader_stage_journal, before the first message. */
void leader_stage_restore(struct leader_stage *s, const struct leader_past *past);

/* Would a request become proposals now, or only a longer queue? Requests may wait in front of the
 * stage until it is so: what is in flight stays in the caches, and what others say is heard first. */
bool leader_stage_eager(const struct leader_stage *s, uint64_t now_ns);

void leader_stage_on_message(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns);

/* Hands the lead to a member. False: we do not lead, a transfer is under way, or it is nobody whom
 * we hear. Whether it succeeds is seen by who leads, or in transfers_failed. */
bool leader_stage_transfer(struct leader_stage *s, uint32_t member, uint64_t now_ns);

/* Timers: heartbeats, elections, retransmission, phase 1. Cheap when nothing is due. */
void leader_stage_on_tick(struct leader_stage *s, uint64_t now_ns);

/* End of an input burst: the batch goes out (unless it lingers), the learner hears what is chosen. */
void leader_stage_flush(struct leader_stage *s, uint64_t now_ns);

/* Settings that may have changed since: the caller keeps them until the next call. */
static inline void leader_stage_tune(struct leader_stage *s,
	const struct replica_settings *settings)
{
	s->settings = settings;
	s->identity.settings = settings;
	s->election.settings = settings;
	s->proposer.settings = settings;
}

#endif
