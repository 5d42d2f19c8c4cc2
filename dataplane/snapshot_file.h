/*
 * snapshot_file.h - the snapshot in a replica's directory: one file, replaced as a whole.
 *
 * Owns:    nothing: the directory is its caller's. Control only.
 * Never:   looks into an image, or leaves a part of one under the file's name.
 * Upholds: the file is one that was written in full and was durable before it got its name: a crash
 *          at any step leaves the old one or the new one.
 * Proofs:  tests/unit/test_snapshot_file.c.
 */
#ifndef DATAPLANE_SNAPSHOT_FILE_H
#define DATAPLANE_SNAPSHOT_FILE_H

#include "dataplane/directory.h"

enum snapshot_file_result {
	SNAPSHOT_FILE_KEPT,
	SNAPSHOT_FILE_FULL,   /* There is no room for it now. */
	SNAPSHOT_FILE_FAILED, /* The disk can not be relied on. */
};

/* On return it is durable, or a sentence says why not, and the old one is still there. */
enum snapshot_file_result snapshot_file_write(struct directory *d, const uint8_t *bytes,
	uint64_t length, char *error, size_t size);

/* Into `to`, which holds `room` bytes. *length: 0: there is none. False: a sentence. */
bool snapshot_file_read(struct directory *d, uint8_t *to, uint64_t room, uint64_t *length,
	char *error, size_t size);

/* At the start: what a crash left half written is removed. */
void snapshot_file_clean(struct directory *d);

#endif
