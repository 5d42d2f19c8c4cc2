/*
 * replica_learner.h - the learner stage: delivery, sessions, state machine, replies.
 *
 * Owns:    the delivery window, the session table, the state machine, replies not yet sent, reads
 *          that wait for their index.
 * Never:   answers a command unless this node leads, or took it and lost the lead (MESSAGE_LOST).
 * Upholds: a command's reply leaves only after it was applied in log order.
 *          LR3  a read runs only once its index is applied.
 *          LR6  a stale read's answer tells the instance that it reflects.
 * Snapshots are in replica_snapshot.h.
 * Proofs:  tests/unit/test_replica_learner.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_LEARNER_H
#define CONSENSUS_REPLICA_LEARNER_H

#include "consensus/digest.h"
#include "consensus/learner.h"
#include "consensus/machine.h"
#include "consensus/replica.h"
#include "consensus/replica_snapshot.h"
#include "consensus/session.h"

enum {
	LEARNER_RETAINED_MAX =
		512,             /* Frames kept from a port, and the next one; the log has all. */
	REPLY_BUFFERS = 8,       /* Clients whose replies are merged at a time. */
	CHECKPOINT_EVERY = 4096, /* Instances: digests are compared at multiples of it. */
	CHECKPOINTS = 64,
	READS_WAITING = 16, /* Frames of reads whose index is not applied yet. */
};

/* A digest at an instance; read by other threads with checkpoint_read. */
struct checkpoint {
	uint64_t instance;
	uint64_t digest;
};

struct learner_counters {
	uint64_t delivered_runs;
	uint64_t applied;
	uint64_t duplicates;
	uint64_t stale;
	uint64_t expired;
	uint64_t opened;
	uint64_t noops;
	uint64_t replies;
	uint64_t reads;
	uint64_t fetches;
	uint64_t recalls;
	uint64_t unretained; /* Frames not kept, for there were too many. */
};

struct reply_buffer {
	uint16_t client; /* 0: free. */
	uint32_t count;
	uint32_t bytes;
	uint8_t flags;      /* FLAG_READ_STALE: of stale reads, */
	uint64_t watermark; /* which reflect all below. */
	_Alignas(8) uint8_t body[(BODY_MAX + 7) / 8 * 8];
};

/* A MESSAGE_READ that waits for its index. */
struct waiting_reads {
	struct message m;
	_Alignas(8) uint8_t body[(BODY_MAX + 7) / 8 * 8];
};

struct learner_stage {
	const struct replica_settings *settings;
	struct outlet *outlet;
	void (*release)(void *context, void *frame);
	void *release_context;
	struct machine machine;
	struct session_table sessions;
	uint64_t digest;
	uint32_t leader;      /* Member id that leads, as far as we heard. */
	uint64_t silent_from; /* What is applied from this instance on is not answered by us. */
	uint32_t source;      /* Whom to fetch from. */
	uint32_t gone;        /* Members that no longer hold what comes next, */
	uint64_t gone_tail;   /* the oldest instance that they all hold, */
	uint32_t gone_asks;   /* and how often others were asked since. */
	bool beyond; /* Nobody who answers holds it: only a snapshot helps, or a new leader. */
	uint64_t commit_ballot; /* The last ballot by whose watermark something was delivered, */
	uint64_t commit_to;     /* and up to where. */
	uint64_t told;          /* Delivered index that the other stages know. */
	uint64_t told_ns;
	uint64_t stuck_at;   /* Delivered index when it last moved, */
	uint64_t stuck_ns;   /* and when. */
	uint32_t stuck_asks; /* How often its next run was asked for, up to ASKS_FASTER. */
	uint64_t chain;      /* Fetch on from here, 0: no. */
	uint64_t recalled;   /* The run last asked of our own log when its turn came. */
	uint32_t retained;
	uint32_t reply_next;
	struct reply_buffer *reply_last; /* Replies of a run go to one client mostly. */
	struct checkpoint checkpoints[CHECKPOINTS];
	struct learner_counters counters;
	struct command commands[RUN_COUNT_MAX];
	struct session *command_sessions[RUN_COUNT_MAX];
	struct result results[RUN_COUNT_MAX];
	struct reply_buffer replies[REPLY_BUFFERS];
	struct reply_buffer stale; /* Of one MESSAGE_READ only. */
	struct learner_snapshots snapshots;
	uint32_t reads_next, reads_count; /* Ring of what waits. */
	struct waiting_reads reads[READS_WAITING];
	struct learner learner;
};

/* `sessions`: session_slots(sessions_max) slots. `release` gives a retained frame back. */
void learner_stage_init(struct learner_stage *s, const struct replica_settings *settings,
	struct outlet *outlet, const struct machine *machine, struct session *sessions,
	uint32_t sessions_max, void (*release)(void *context, void *frame), void *release_context);

/* VOTED, WATERMARK, RETRY, LOST, READ, CATCH_UP, GONE, SNAPSHOT_ASKED, SNAPSHOT_PART. True: the frame (which holds m's body) is
 * retained, and comes back through `release`. */
bool learner_stage_on_message(struct learner_stage *s, const struct message *m, const uint8_t *body,
	void *frame, uint64_t now_ns);

/* Timers: what is missing is asked for; the other stages hear the delivered index. */
void learner_stage_on_tick(struct learner_stage *s, uint64_t now_ns);

/* End of an input burst: delivers what is chosen, sends the replies. */
void learner_stage_flush(struct learner_stage *s, uint64_t now_ns);

static inline uint64_t learner_stage_delivered(const struct learner_stage *s)
{
	return __atomic_load_n(&s->learner.delivered, __ATOMIC_RELAXED);
}

static inline uint64_t learner_stage_digest(const struct learner_stage *s)
{
	return s->digest;
}

/* The digest at a multiple of CHECKPOINT_EVERY. False: not reached, or overwritten. Any thread. */
bool learner_stage_checkpoint(const struct learner_stage *s, uint64_t instance, uint64_t *digest);

/* The state below h->instance is in place, by a snapshot: the stage goes on from there. Inside the
 * stage, and at a start. */
void learner_stage_stand(struct learner_stage *s, const struct snapshot_header *h);

/* The other stages hear where it stands. Inside the stage only. */
void learner_stage_tell(struct learner_stage *s, uint8_t flags);

/* Settings that may have changed since: the caller keeps them until the next call. */
static inline void learner_stage_tune(struct learner_stage *s,
	const struct replica_settings *settings)
{
	s->settings = settings;
}

#endif
