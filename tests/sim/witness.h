/*
 * witness.h - what a node has told others that it promised and voted for: after a restart it must
 * still hold it.
 *
 * Owns:    the highest promise told of each shard, and Prepare; the ballot of the last vote told of
 *          each instance.
 */
#ifndef SIM_WITNESS_H
#define SIM_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/replica_acceptor.h"
#include "tests/sim/oracle.h"

enum {
	WITNESS_SHARDS = 2
};

struct witness {
	uint64_t promised[WITNESS_SHARDS];
	uint64_t prepared[WITNESS_SHARDS];
	uint64_t high;                        /* Instances below may have been told. */
	uint64_t votes[ORACLE_INSTANCES_MAX]; /* Ballots; 0: none. */
};

void witness_start(struct witness *w);

/* A message of the node on its way to whomever; `others`: not only to its own stages. */
void witness_on_sent(struct witness *w, const struct message *m, const uint8_t *body, bool others);

/* The node starts again with this acceptor: what it told holds, or is known to be lost. */
void witness_check(const struct witness *w, struct oracle *o, uint32_t node,
	const struct acceptor_stage *s, uint32_t shards);

#endif
