/*
 * replica.h - one replica as an object: stages, pools and the rings between them. No globals, so
 * that one process can host several.
 *
 * Owns:    the pools and rings; each stage's struct belongs to the lcore that polls the stage.
 * Never:   allocates once its stages are polled.
 * Upholds: every mbuf taken in a stage leaves it: handed on, sent, retained, or freed.
 */
#ifndef DATAPLANE_REPLICA_H
#define DATAPLANE_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "config/config.h"
#include "consensus/replica_acceptor.h"
#include "consensus/replica_leader.h"
#include "consensus/replica_learner.h"
#include "dataplane/frame.h"
#include "dataplane/handoff.h"
#include "dataplane/live.h"
#include "dataplane/network.h"
#include "dataplane/stage.h"
#include "dataplane/store.h"

enum {
	/* Positions: a ring is named by the positions of its producer and its consumer. */
	POSITION_IO = 0,
	POSITION_LEADER,
	POSITION_LEARNER,
	POSITION_JOURNAL,
	POSITION_ACCEPTOR, /* and the shards after it */
	POSITIONS_MAX = POSITION_ACCEPTOR + SHARD_MAX,

	HANDOFF_SIZE = 2048,
	REQUESTS_SIZE = 8192,
	REQUESTS_WAITING = REQUESTS_SIZE / 4 * 3, /* More are answered busy. */
	DATA_MBUFS = 16383, /* In flight (window frames, n of each), rings, retained. */
	CONTROL_MBUFS =
		8191,       /* Acknowledgements, watermarks, heartbeats: a reserve of their own. */
	CONTROL_ROOM = 512, /* Bytes of body that a control mbuf holds. */
};

/* Mbufs taken from a pool ahead of their use, so that what another lcore last wrote to them is on its
 * way when they are written. */
struct stash {
	struct rte_mempool *pool;
	uint32_t count;
	struct rte_mbuf *mbufs[HANDOFF_BURST];
};

/* Mbufs of the turn that go back to their pools together at its end. */
struct spent {
	uint32_t count;
	struct rte_mbuf *mbufs[HANDOFF_BURST];
};

static inline void spent_free(struct spent *s)
{
	rte_pktmbuf_free_bulk(s->mbufs, s->count);
	s->count = 0;
}

static inline void spent_add(struct spent *s, struct rte_mbuf *mbuf)
{
	s->mbufs[s->count++] = mbuf;
	if (unlikely(s->count == HANDOFF_BURST))
		spent_free(s);
}

/* What a stage sends through: the outlet's context. */
struct crossing {
	struct replica *replica;
	uint32_t position;
	uint32_t inputs_count, outputs_count;
	struct handoff *inputs[POSITIONS_MAX];  /* The rings that end here, */
	struct handoff *outputs[POSITIONS_MAX]; /* and those that begin here. */
	struct rte_mbuf *in;                    /* The frame being handled, */
	bool in_taken;                          /* and whether it was handed on. */
	uint32_t room;                          /* Messages that each ring still takes, at least. */
	uint32_t reserved; /* Of which the frames of this burst may need so many. */
	struct stash data, control;
	struct spent spent;
	uint64_t counters[NETWORK_ROUTES_MAX]; /* Frames sent on each route. */
	uint64_t no_mbuf;                      /* Messages dropped for an empty pool. */
	uint64_t ring_full;                    /* Messages dropped for a full ring. */
	struct rte_ring *trace;                /* struct trace_step; NULL: nobody watches. */
	uint64_t trace_full;                   /* Steps that found no room in it. */
	struct recording *recording;           /* Where steps are recorded, or NULL. */
	struct outlet outlet;
};

struct io_stage {
	struct stage stage;             /* Frames in: polled first, */
	struct stage out;               /* and frames out: after the stages that share its lcore. */
	uint64_t seen;                  /* The generation of `live` whose routes are set. */
	uint64_t overload;              /* Frames for a stage whose ring was full. */
	uint64_t foreign[DROP_REASONS]; /* Valid frames of another cluster, sender or form. */
	/* A member's stage numbers its frames to us: what is missing was lost on the way, where no
	 * driver counts it. The next number of each, 0: none heard. */
	uint64_t expected[MEMBER_MAX][POSITIONS_MAX];
	uint64_t lost;
	uint64_t late; /* Of which some came after all, or twice. */
	struct network network;
};

struct replica {
	struct replica_settings settings;
	struct quorum quorum;
	uint32_t cluster;
	struct replay *replay; /* What the journal said at the start; NULL without one. */
	struct live *live;     /* Changed by control, read by every stage's turn. */
	struct rte_mempool *data_pool;
	struct rte_mempool *control_pool;
	struct handoff rings[POSITIONS_MAX][POSITIONS_MAX];
	struct handoff
		requests; /* io to leader, what clients ask: may wait (leader_stage_eager). */
	struct crossing crossings[POSITIONS_MAX];

	struct io_stage io;
	struct stage leader_poll;
	struct stage learner_poll;
	struct stage acceptor_polls[SHARD_MAX];
	struct leader_stage *leader;
	struct learner_stage *learner;
	struct acceptor_stage *acceptors[SHARD_MAX];
	uint64_t leader_tick_ns;
	uint64_t transfers_seen; /* Of live's: the leader stage has begun, or refused, as many. */
	uint64_t learner_tick_ns;
	struct session *sessions;
	uint8_t *image; /* Of a snapshot, image_bytes. */
	uint64_t image_bytes;
	uint8_t *logs[SHARD_MAX];
	struct store *store; /* NULL: durability none. */
	struct journal_port ports[JOURNAL_LANES];
};

/* Of memory that a replica's frames take. */
uint64_t replica_pools_bytes(const struct config *config);

/* Everything a replica needs but its port: false with one sentence in `error`. */
bool replica_create(struct replica *r, const struct config *config, uint32_t id,
	const struct machine *machine, char *error, size_t size);
/* After its stages stopped: an orderly end, which a journal notes. */
void replica_destroy(struct replica *r);

/* Its own address and links, and where the other members are. Before the stages are polled. */
bool replica_attach(struct replica *r, const struct endpoint *self,
	const struct live_member *members, char *error, size_t size);

/* Control's part of the journal, some times a second: segments are added ahead of need, snapshots
 * asked for and kept. True: there is something to say for the first time; the sentence is in `error`. */
bool replica_attend(struct replica *r, char *error, size_t size);

/* Each stage to its lcore, by `place`, in the order of a turn. */
void replica_place(struct replica *r, const struct config_stages *stages,
	void (*place)(void *context, uint32_t lcore, struct stage *stage), void *context);

/* Changes one tunable while the stages run. Control only. False: a sentence in `error`. */
bool replica_tune(struct replica *r, const char *name, const char *value, char *error, size_t size);

/* The leader stage is to hand its lead to a member (leader_stage_transfer). Control only. */
bool replica_transfer(struct replica *r, uint32_t member, char *error, size_t size);

/* The learner stage is to cut a snapshot soon. Control only. */
void replica_snapshot(struct replica *r);

/* Changes where a member is. Control only. */
bool replica_move(struct replica *r, uint32_t member, const struct live_member *to, char *error,
	size_t size);

/* The poll functions of its stages, each in the file named for it. */
uint32_t io_poll(void *replica, uint64_t now_ns);
uint32_t io_out_poll(void *replica, uint64_t now_ns);
uint32_t leader_poll(void *replica, uint64_t now_ns);
uint32_t learner_poll(void *replica, uint64_t now_ns);
uint32_t acceptor_poll(void *crossing, uint64_t now_ns);

/* outlet.c: the stages' way out. */
void outlet_send(void *crossing, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count);

uint32_t outlet_room(void *crossing);

/* Looks at the rings that leave a stage: how many frames of input may it take now? */
uint32_t crossing_inputs(struct crossing *c);

#endif
