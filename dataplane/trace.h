/*
 * trace.h - every protocol transition of a replica as a line of text, on demand.
 *
 * Owns:    a ring from each stage to control. Off, a stage pays one predictable branch.
 * Never:   slows a stage for a slow file: a step that finds its ring full is counted and lost.
 *
 * A line: nanoseconds, replica, stage, event, round:node of the ballot, [first, end).
 */
#ifndef DATAPLANE_TRACE_H
#define DATAPLANE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "dataplane/replica.h"

/* Before the stages are polled. False: out of memory. */
bool trace_start(struct replica *r);

/* Writes what has come since, in time order. Control only. Returns the lines written. */
uint64_t trace_drain(struct replica *r, FILE *out);

/* Steps lost for a full ring. */
uint64_t trace_lost(const struct replica *r);

/* The stages stand still. */
void trace_stop(struct replica *r);

#endif
