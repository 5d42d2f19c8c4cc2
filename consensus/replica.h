/*
 * replica.h - the roles joined to the stages of a replica: leader, acceptor shard, learner.
 *
 * A stage is an actor: it takes a message (header and body), changes its own state, and sends
 * through its outlet. The poll loop binds the outlet to mbufs and rings, the simulator to buffers
 * and a virtual network; the stages are the same objects in both.
 *
 * Owns:    each stage owns its struct alone; nothing is shared between stages.
 * Never:   allocates, blocks, reads a clock; time comes in as `now_ns`, monotone.
 */
#ifndef CONSENSUS_REPLICA_H
#define CONSENSUS_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/acceptor.h"
#include "consensus/durability.h"
#include "consensus/limits.h"
#include "consensus/log.h"
#include "consensus/message.h"
#include "consensus/quorum.h"
#include "consensus/transition.h"

enum {
	PARTS_MAX = 2 * RUN_COUNT_MAX
};

/* A body in pieces; concatenated they are message.payload_len bytes. */
struct part {
	const void *bytes;
	uint32_t length;
};

/* Where a message goes. Exactly one of the three. */
struct target {
	uint32_t members; /* Bitmask of member ids; may include ourselves: then our own stage. */
	uint16_t client;  /* Client handle (>= ENDPOINT_CLIENT_FIRST). */
	bool local;       /* Our own stage, by the message's type (and shard). */
};

/* `send` copies what it needs before it returns. It fills in sender, counter, uuid, cluster, epoch
 * and life, and the body's checksum unless m->checksum_known. It may lose a message to another
 * member or a client (counted), never a local one: a stage is given an input only while STAGE_ROOM
 * more messages surely fit each ring that leaves it, and what may cause more asks `room` first. */
struct outlet {
	void *context;
	void (*send)(void *context, const struct target *to, const struct message *m,
		const struct part *parts, uint32_t parts_count);
	/* Messages that surely fit now, besides what the inputs in hand may cause. */
	uint32_t (*room)(void *context);
	/* NULL: nobody watches. */
	void (*watch)(void *context, const struct transition *t);
	bool details; /* `watch` is not NULL, and hears of details too. */
};

static inline void outlet_watch(const struct outlet *o, enum transition_event event,
	uint64_t ballot, uint64_t first, uint32_t count)
{
	if (__builtin_expect(o->watch != NULL, 0)) {
		const struct transition t = {
			.ballot = ballot,
			.first = first,
			.count = count,
			.event = (uint16_t)event,
		};

		o->watch(o->context, &t);
	}
}

enum {
	STAGE_ROOM = MEMBER_MAX + 3, /* What one input, or the end of a burst, causes at most: one
				        proposal to every member, and what our own stages hear. */
};

/* What is the same for all stages of a replica, read only. */
struct replica_settings {
	uint32_t self;
	uint32_t members;   /* Count. */
	uint32_t shards;    /* Power of two. */
	uint32_t body_max;  /* Bytes of a body in one frame, from the MTU. */
	uint32_t batch_max; /* Commands of a run at most; 0: what fits. */
	uint32_t window;    /* Instances in flight at most; <= WINDOW_INSTANCES. */
	bool packing;       /* The leader packs what has arrived from several frames. */
	uint64_t linger_ns;
	uint64_t heartbeat_ns;
	uint64_t election_timeout_ns;
	uint64_t progress_timeout_ns;
	uint64_t retransmit_ns;
	uint64_t commit_idle_ns;
	uint64_t lag_max;
	uint64_t lag_timeout_ns;
	uint64_t handover_ns; /* A leader that commits slower than this hands over; 0: never. */
	uint64_t seed;
	uint64_t uuid;
	uint64_t config_hash; /* Of what all members must have alike. */
	uint32_t life;        /* How often this node was started; 0 in mode none. */
	enum durability durability;
	const struct quorum *quorum;
};

/*@ // What who fills them in makes sure of.
  @ predicate settings_ok{L}(struct replica_settings *s) =
  @   s->self < s->members <= MEMBER_MAX && (s->shards == 1 || s->shards == 2 || s->shards == 4) &&
  @   RECORD_BYTES < s->body_max <= BODY_MAX && s->window <= WINDOW_INSTANCES;
  @*/

enum stage_kind {
	STAGE_LEADER,
	STAGE_LEARNER,
	STAGE_ACCEPTOR
};

/* Goes to every acceptor; MESSAGE_ENROLLED to no other stage. */
static inline bool goes_to_acceptors(const struct message *m)
{
	return m->type == MESSAGE_DELIVERED || m->type == MESSAGE_ENROLLED ||
		m->type == MESSAGE_DISK_FAILED;
}

/* Bytes of a snapshot in one frame. */
static inline uint32_t snapshot_chunk_bytes(const struct replica_settings *settings)
{
	return settings->body_max / 8 * 8;
}

/* Which stage a message is for; an acceptor's shard is m->shard. */
static inline enum stage_kind stage_of(const struct message *m)
{
	switch (m->type) {
	case MESSAGE_PREPARE:
	case MESSAGE_PULL:
	case MESSAGE_ACCEPT:
	case MESSAGE_FETCH:
	case MESSAGE_CHOSEN:
	case MESSAGE_READ_ROUND:
	case MESSAGE_READ_PROBE:
	case MESSAGE_SNAPSHOT_ASK:
	case MESSAGE_SNAPSHOT_CHUNK:
	case MESSAGE_RESEND:
	case MESSAGE_RECALL:
	case MESSAGE_ENROLLED:
	case MESSAGE_DURABLE:
		return STAGE_ACCEPTOR;
	case MESSAGE_VOTED:
	case MESSAGE_WATERMARK:
	case MESSAGE_RETRY:
	case MESSAGE_LOST:
	case MESSAGE_READ:
	case MESSAGE_CATCH_UP:
	case MESSAGE_GONE:
	case MESSAGE_SNAPSHOT_ASKED:
	case MESSAGE_SNAPSHOT_PART:
		return STAGE_LEARNER;
	default:
		return STAGE_LEADER;
	}
}

/*@ requires shards == 1 || shards == 2 || shards == 4;
    assigns \nothing;
    ensures \result == instance / BLOCK % shards; */
static inline uint32_t shard_of(uint64_t instance, uint32_t shards)
{
	return (uint32_t)(instance / BLOCK) & (shards - 1);
}

#endif
