/*
 * load.h - the load: a client endpoint as a stage, closed loop or open loop.
 *
 * Owns:    the sessions, the frames in the making, the latencies.
 * Upholds: open loop: a latency runs from the moment the command was meant to go out, not from
 *          when it could (coordinated omission).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/gap.h"
#include "bench/histogram.h"
#include "consensus/client.h"
#include "dataplane/network.h"
#include "dataplane/stage.h"

enum load_phase {
	LOAD_CLOSED, /* Every session keeps its window full. */
	LOAD_SINGLE, /* One command at a time, of one session: the unloaded latency. */
	LOAD_OPEN,   /* Commands at a rate, whatever the answers do. */
	LOAD_DRAIN,  /* Nothing new. */
};

struct load_settings {
	uint32_t members;
	uint32_t sessions;
	uint32_t window;      /* Outstanding of a session. */
	uint32_t batch;       /* Commands in a request frame at most. */
	uint32_t value_bytes; /* Of the null machine's command, or of what a put puts. */
	bool kv;              /* The commands are those of the kv machine: */
	uint32_t keys;        /* on so many keys, */
	double read_share;    /* and so many of them gets, */
	enum read_mode reads; /* which go so. */
	uint32_t body_max;
	uint32_t cluster;
	double rate; /* Open loop: commands a second. */
	bool poisson;
	uint64_t retry_ns;
	uint64_t seed;
};

struct load {
	struct stage stage;
	struct load_settings settings;
	struct network *network;
	struct client client;
	void *memory;
	enum load_phase phase; /* Set by control, read each turn: relaxed. */
	enum load_phase seen;
	bool recording; /* As phase. */
	uint64_t now_ns;
	uint64_t sweep_ns; /* The next look for timeouts. */
	uint64_t sweep_every_ns;
	uint64_t counter;

	/* Open loop. */
	double due_ns; /* When the next command is meant to go out. */
	double spacing_ns;
	uint32_t next_session;
	uint64_t random;
	uint32_t read_threshold; /* Of 2^32. */
	uint64_t *intended;      /* Of each session, by sequence % SESSION_WINDOW. */
	uint64_t offered;
	uint64_t unoffered; /* Meant to go out, but every session was full: counted, and late. */

	struct gap commits; /* The longest time without one. */
	uint64_t done;
	uint64_t failed;  /* Answered with another status than OK. */
	uint64_t strange; /* Valid frames that are no replies. */
	struct histogram latencies;
};

/* Route i of the network leads to member i. False: a sentence in `error`. */
bool load_create(struct load *l, const struct load_settings *settings, struct network *network,
	char *error, size_t size);
void load_destroy(struct load *l);

/* Bytes of the longest command. */
uint32_t load_command_bytes(const struct load_settings *settings);

/* Its turn: answers in, commands out. */
uint32_t load_poll(void *load, uint64_t now_ns);

static inline void load_set_phase(struct load *l, enum load_phase phase)
{
	__atomic_store_n(&l->phase, phase, __ATOMIC_RELEASE);
}

static inline void load_set_recording(struct load *l, bool recording)
{
	__atomic_store_n(&l->recording, recording, __ATOMIC_RELEASE);
}

#endif
