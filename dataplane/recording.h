/*
 * recording.h - every step of a replica, with its details, in files for the checker.
 *
 * Owns:    a file for each stage, mapped: what was recorded stands there when the process is killed.
 * Never:   loses a step unseen: a full file says so in its last one.
 *
 * Off, a stage pays one predictable branch for each step. On, it needs room in the folder: where a
 * disk runs full under a mapped file the kernel ends the process (SIGBUS).
 */
#ifndef DATAPLANE_RECORDING_H
#define DATAPLANE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/trace_file.h"
#include "dataplane/replica.h"

/* Where a stage writes its steps. */
struct recording {
	struct trace_file_step *next;
	struct trace_file_step *last; /* Of the file. */
	uint8_t member;
	uint8_t stage; /* TRACE_FILE_* */
	int file;
	void *map;
};

/* New files in the folder, which is made if it is not there. Before the stages are polled; what
 * replay found is recorded first. False: a sentence. */
bool recording_start(struct replica *r, const char *directory, char *error, size_t size);

/* Steps so far. */
uint64_t recording_steps(const struct replica *r);

/* The stages stand still. */
void recording_stop(struct replica *r);

#endif
