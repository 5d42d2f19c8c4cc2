/*
 * node.h - one replica in the simulator: the real stages, with queues where the data plane has
 * rings, and the virtual network where it has ports.
 *
 * Owns:    its stages, the frames that its learner retains, the messages between its stages.
 * Never:   looks inside a stage but for the oracle's questions.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/replica.h"
#include "consensus/replay.h"
#include "consensus/replica_acceptor.h"
#include "consensus/replica_journal.h"
#include "consensus/replica_leader.h"
#include "consensus/replica_learner.h"
#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/flaws.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/trace.h"
#include "tests/sim/witness.h"

enum {
	SIM_BODY_MAX = PACKET_BYTES_MAX - HEADER_BYTES,
	SIM_SHARDS_MAX = 2,
	QUEUE_MAX = 2048,
	FRAMES_MAX = 4096,
	SIM_LOG_BYTES = 1 << 19,
	SIM_SESSIONS = 256,
	SIM_IMAGE_BYTES = DISK_SNAPSHOT_BYTES, /* Of a snapshot of all sessions, and more. */
	SIM_SNAPSHOT_SEGMENTS = 2,             /* Filled from one snapshot to the next. */

	STAGES_MAX = STAGE_ACCEPTOR + SIM_SHARDS_MAX, /* Acceptors last, one a shard. */
};

struct frame {
	struct message m;
	_Alignas(8) uint8_t body[SIM_BODY_MAX];
};

/* A first-in first-out queue of frames between stages: what a ring is in the data plane. */
struct queue {
	uint32_t head, tail;
	uint32_t frames[QUEUE_MAX];
};

/* Rules of the disk that a mutant breaks. */
enum disk_mutant {
	DISK_MUTANT_NONE,
	DISK_MUTANT_UNGATED,   /* Votes and promises do not wait for the disk. */
	DISK_MUTANT_REPEATED,  /* A repeated vote does not. */
	DISK_MUTANT_PREPARE,   /* Prepare leaves before the own promise is durable. */
	DISK_MUTANT_HOLE,      /* Durable is the last write, not the prefix of them. */
	DISK_MUTANT_REWRITE,   /* A block is written again with what was appended since. */
	DISK_MUTANT_LO,        /* What a torn tail took is told as trimmed. */
	DISK_MUTANT_SIGHTED,   /* Lost votes are taken for none. */
	DISK_MUTANT_NO_SECOND, /* The superblocks' promises are not heard. */
};

struct node {
	struct replica_settings settings;
	struct outlet outlet;
	struct network *network;
	struct trace *trace;
	struct record_file *record; /* NULL: outlet.details is off. */
	uint32_t running;           /* The stage that runs now, by its queue. */
	struct random *random;
	uint64_t now_ns;  /* The world's time. */
	uint64_t here_ns; /* The node's own, which its stages are told. */
	struct clock clock;
	uint64_t counter;
	bool alive;
	bool durable;         /* Mode sync; else none. */
	bool crashing;        /* The process ends here, in the middle of what it does. */
	bool stays_out;       /* Its disk lost too much: replay said so. */
	uint64_t crash_steps; /* It crashes at the disk's so manieth step; 0: no. */
	enum disk_mutant disk_mutant;
	uint32_t sessions_max;
	enum flaw flaw;
	bool starved; /* Its turns are few, and end early. */
	uint64_t paused_until_ns;
	uint64_t dropped;
	uint64_t claimed; /* Highest ballot that it told others it leads at. */
	uint64_t refused; /* Frames that the codec, or who asks it, did not let in. */
	struct witness witness;
	struct disk disk;
	uint64_t asked; /* The journal's segment when a snapshot was asked for. */
	struct journal_stage journal;
	void *watcher;
	void (*watch)(void *watcher, struct node *n, const struct transition *t);

	struct queue queues[STAGES_MAX];
	uint32_t frames_free_count;
	uint32_t frames_free[FRAMES_MAX];
	struct frame frames[FRAMES_MAX];

	struct leader_stage leader;
	struct learner_stage learner;
	struct session sessions[2 * SIM_SESSIONS];
	_Alignas(8) uint8_t image[SIM_IMAGE_BYTES];
	struct acceptor_stage acceptors[SIM_SHARDS_MAX];
	_Alignas(64) uint8_t logs[SIM_SHARDS_MAX][SIM_LOG_BYTES];
};

/* `settings` is copied; the uuid is drawn from `random`. At most SIM_SESSIONS sessions. With
 * settings->durability sync its disk is formatted, and boot_start starts it. */
void node_init(struct node *n, const struct replica_settings *settings, uint32_t sessions_max,
	struct network *network, struct trace *trace, struct random *random,
	const struct machine *machine);

/* What its disk brings to an end next: UINT64_MAX: nothing. */
static inline uint64_t node_disk_ns(const struct node *n)
{
	return n->durable ? disk_next_ns(&n->disk) : UINT64_MAX;
}

/* All its steps are recorded from now on; NULL: none. */
void node_record(struct node *n, struct record_file *r);

/* Stages, queues and frames as a new process has them. */
void node_clear(struct node *n, const struct machine *machine);

/* To the node's own stages. */
void node_send(void *node, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count);

/* A packet arrives: decoded, and queued for its stage; or counted as dropped. False: refused, for
 * it is no frame that a member or a client of this cluster sealed. */
bool node_receive(struct node *n, const uint8_t *bytes, uint16_t length, uint16_t from,
	uint64_t now_ns);

/* One turn: ticks, then runs the stages in a drawn order until nothing is queued (or, now and
 * then, stops earlier, as a starved core would). */
void node_turn(struct node *n, uint64_t now_ns);

/* Frames that are queued for a stage or kept by the learner: all that are taken, or one leaked. */
uint32_t node_frames_held(const struct node *n);

#endif
