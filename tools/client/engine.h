/*
 * engine.h - the client's own thread: binds operations to sessions, sends, hears, retries, reports.
 *
 * Owns:    the channel, and the client half of the protocol (consensus/client.h) for each kind of
 *          operation. One thread's.
 * Never:   holds the lock while it calls a callback.
 * Upholds: an operation stands at one (session, sequence) from its first copy to its answer.
 *          Who submits no command has no session at the cluster.
 * Proofs:  tests/unit/test_client_library.c, test_client_library_reads.c, test_client_room.c.
 */
#ifndef TOOLS_CLIENT_ENGINE_H
#define TOOLS_CLIENT_ENGINE_H

#include <pthread.h>

#include "consensus/client.h"
#include "tools/client/channel.h"
#include "tools/client/operation.h"

/* A session's operations: those sent, by sequence % SESSION_WINDOW, and those to be sent next. */
struct engine_session {
	struct operation *sent[SESSION_WINDOW];
	struct operation_list next;
};

/* Operations of one kind: they go their own way, and wait for each other only. */
struct engine_way {
	struct engine *engine;
	enum paxwire_kind kind;
	bool open; /* From the first operation on: until then there is no session. */
	struct client client;
	void *client_memory;
	struct engine_session *sessions;
	uint32_t next_session;         /* Where the search for room begins. */
	struct operation_list waiting; /* For a session with room. */
};

enum {
	ENGINE_WAYS = PAXWIRE_READ_STALE + 1,
};

struct engine {
	struct operations operations;
	struct channel channel;
	struct engine_way ways[ENGINE_WAYS];
	struct client_settings settings; /* Of each way's client, but for what tells them apart. */
	uint32_t sessions;               /* Of each. */
	uint64_t now_ns;
	uint64_t sweep_ns;   /* When timers were looked at last. */
	uint64_t timeout_ns; /* Of an operation; 0: none. */
	uint64_t reported;
	struct operation *oldest, *newest; /* Of those not reported. */
	struct paxwire_counters
		counters; /* Guarded by the operations' lock: as of the last turn. */
	pthread_t thread;
};

/* Starts the thread. False: `error` is one sentence. */
bool engine_start(struct engine *e, const struct channel_settings *cluster,
	const struct paxwire_options *options, char *error, size_t size);

/* Ends the thread; what is outstanding is reported as closed. */
void engine_stop(struct engine *e);

#endif
