/*
 * snapshots.h - the replicas of an embedded cluster cut snapshots in turn, as an operator or a nearly
 * full journal would have it, so that what that does to commits can be measured.
 *
 * Owns:    whose turn it is, and what was cut.
 */
#ifndef BENCH_SNAPSHOTS_H
#define BENCH_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/embedded.h"

struct snapshots {
	uint64_t pause_ns; /* From one's end to the next one's begin. */
	uint32_t replica;  /* Whose turn it is. */
	bool asked;        /* It was told to, */
	uint64_t since_ns; /* then; else the last one was whole then. */
	uint64_t before;   /* What it had cut until then. */
	/* Whole ones: */
	uint64_t count;
	uint64_t bytes; /* of the last one's image, */
	uint64_t total_ns;
	uint64_t longest_ns; /* from being told to being whole. */
};

void snapshots_init(struct snapshots *s, uint64_t pause_ns);

/* Control only, now and then: a duration is as exact as that is often. */
void snapshots_attend(struct snapshots *s, struct embedded *e, uint64_t now_ns);

#endif
