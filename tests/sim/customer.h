/*
 * customer.h - the clients of a run: the real client half, on the virtual network.
 *
 * Owns:    the sessions, how many commands are still to be asked for, and the reads outstanding.
 */
#ifndef SIM_CUSTOMER_H
#define SIM_CUSTOMER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/client.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/trace.h"

enum {
	CUSTOMER_SESSIONS_MAX = 24,
	CUSTOMER_MEMORY = 16384,
	CUSTOMER_VALUE_MAX = 40,
	CUSTOMER_READS = 6, /* Outstanding at a time. */
};

struct customer_read {
	uint64_t sequence;
	uint64_t seen;     /* The oracle's, when it was asked. */
	uint64_t retry_ns; /* UINT64_MAX: it is not outstanding. */
	bool unheard;      /* Nobody answered its last copy. */
	uint16_t to;       /* Any member: one that led before may believe that it still does. */
	uint8_t flags;     /* Of which kind it is. */
};

struct customer {
	struct network *network;
	struct oracle *oracle;
	struct trace *trace;
	struct client client;
	uint64_t now_ns;
	uint64_t next_ns;
	uint64_t every_ns; /* Between turns. */
	uint64_t reads_ns; /* When to look at the reads. */
	uint64_t wanted;   /* Commands asked for so far. */
	uint64_t limit;    /* Of them, at most. */
	uint64_t counter;
	uint64_t read_next;                         /* Sequence of the next read. */
	struct customer_read reads[CUSTOMER_READS]; /* By sequence % CUSTOMER_READS. */
	_Alignas(64) uint8_t memory[CUSTOMER_MEMORY];
};

void customer_init(struct customer *c, struct network *network, struct oracle *oracle,
	struct trace *trace, struct random *random, uint32_t members);

/* No more than `limit` commands in all. */
void customer_stop(struct customer *c, uint64_t limit);

static inline uint64_t customer_next_ns(const struct customer *c)
{
	return c->next_ns < c->reads_ns ? c->next_ns : c->reads_ns;
}

void customer_turn(struct customer *c, uint64_t now_ns);
void customer_receive(struct customer *c, const struct packet *packet, uint64_t now_ns);

/* Everything asked for was answered. */
bool customer_idle(const struct customer *c);

#endif
