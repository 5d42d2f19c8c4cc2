/*
 * faults.h - what a bad network does to an embedded cluster: frames lost, doubled, out of order.
 *
 * Owns:    the way between two ends of every wire of the cluster (embedded_create's `faulty`), as
 *          a stage, and the frames that are late.
 */
#ifndef BENCH_FAULTS_H
#define BENCH_FAULTS_H

#include <stdint.h>

#include "dataplane/embedded.h"

enum {
	FAULTS_LATE_MAX = 64, /* Frames of one wire that are late at a time. */
};

struct faults_wire {
	uint32_t late_count;
	struct rte_mbuf *late[FAULTS_LATE_MAX];
};

struct faults {
	struct stage stage;
	struct embedded *cluster;
	uint32_t threshold; /* Of 2^32: how often each fault happens. */
	uint64_t random;
	uint64_t lost, doubled, late;
	struct faults_wire wires[EMBEDDED_NODES_MAX][EMBEDDED_NODES_MAX];
};

/* Each frame is lost with this probability, else doubled with it, else late with it (by as long as
 * later frames take to push it out). */
void faults_init(struct faults *f, struct embedded *cluster, double percent, uint64_t seed);

#endif
