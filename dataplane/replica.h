/*
 * replica.h - one replica as an object: stages, pools and the rings between them. No globals, so
 * that one process can host several.
 *
 * Owns:    the pools and rings; each stage's struct belongs to the lcore that polls the stage.
 * Never:   allocates after replica_start.
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
#include "dataplane/stage.h"

enum {
	REPLICA_CLIENTS_MAX = 64,
	REPLICA_ROUTES_MAX = MEMBER_MAX + REPLICA_CLIENTS_MAX,
	REPLICA_QUEUES_MAX = 16,

	/* Positions: a ring is named by the positions of its producer and its consumer. */
	POSITION_IO = 0,
	POSITION_LEADER,
	POSITION_LEARNER,
	POSITION_ACCEPTOR, /* and the shards after it */
	POSITIONS_MAX = POSITION_ACCEPTOR + SHARD_MAX,

	HANDOFF_SIZE = 2048,
	DATA_MBUFS = 16383, /* In flight (window frames, n of each), rings, retained. */
	CONTROL_MBUFS =
		8191,       /* Acknowledgements, watermarks, heartbeats: a reserve of their own. */
	CONTROL_ROOM = 512, /* Bytes of body that a control mbuf holds. */
	MBUF_CACHE = 256,
};

/* Where frames to one endpoint go out. */
struct route {
	uint16_t port;
	uint16_t queue;
	struct frame_template template;
	struct frame_address address;
};

/* What a stage sends through: the outlet's context. */
struct crossing {
	struct replica *replica;
	uint32_t position;
	struct rte_mbuf *in; /* The frame being handled, */
	bool in_taken;       /* and whether it was handed on. */
	uint64_t counter;
	uint64_t no_mbuf;   /* Messages dropped for an empty pool. */
	uint64_t ring_full; /* Messages dropped for a full ring. */
	struct outlet outlet;
};

struct io_stage {
	struct stage stage;
	uint64_t rx_frames;
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t tx_full;  /* Frames the port did not take. */
	uint64_t overload; /* Frames for a stage whose ring was full. */
	uint64_t drops[FRAME_DROP_REASONS];
	uint32_t clients;
	uint32_t client_last;
	uint32_t pending[REPLICA_QUEUES_MAX];
	struct rte_mbuf *tx[REPLICA_QUEUES_MAX][HANDOFF_BURST];
};

struct replica {
	struct replica_settings settings;
	struct quorum quorum;
	uint32_t cluster;
	struct frame_address address;
	uint16_t port;
	uint16_t rx_queues;
	struct rte_mempool *data_pool;
	struct rte_mempool *control_pool;
	struct route routes[REPLICA_ROUTES_MAX]; /* Members by id, then clients by handle. */
	struct handoff rings[POSITIONS_MAX][POSITIONS_MAX];
	struct crossing crossings[POSITIONS_MAX];

	struct io_stage io;
	struct stage leader_poll;
	struct stage learner_poll;
	struct stage acceptor_polls[SHARD_MAX];
	struct leader_stage *leader;
	struct learner_stage *learner;
	struct acceptor_stage *acceptors[SHARD_MAX];
	uint64_t leader_tick_ns;
	uint64_t learner_tick_ns;
	struct session *sessions;
	uint8_t *logs[SHARD_MAX];
};

/* Everything a replica needs but its port: false with one sentence in `error`. */
bool replica_create(struct replica *r, const struct config *config, uint32_t id,
	const struct machine *machine, char *error, size_t size);
void replica_destroy(struct replica *r);

/* Its own address, its port (started), and the routes to the other members. */
void replica_attach(struct replica *r, const struct frame_address *self, uint16_t port,
	uint16_t rx_queues);
void replica_route(struct replica *r, uint32_t member, const struct frame_address *to,
	uint16_t queue);

/* The poll functions of its stages, each in the file named for it. */
uint32_t io_poll(void *replica, uint64_t now_ns);
uint32_t leader_poll(void *replica, uint64_t now_ns);
uint32_t learner_poll(void *replica, uint64_t now_ns);
uint32_t acceptor_poll(void *crossing, uint64_t now_ns);

/* outlet.c: the stages' way out. */
void outlet_send(void *crossing, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count);

/* May a stage take a burst of input now? Every ring that leaves it has the room. */
bool crossing_has_room(const struct crossing *c);

#endif
