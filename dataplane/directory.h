/*
 * directory.h - a replica's data directory: its lock, its superblock file and its segment files.
 *
 * Owns:    the directory for as long as it is open: one process has it, and of that process one
 *          replica. The descriptors of its files.
 * Never:   formats by itself; says what blocks mean (consensus/journal.h does).
 * Upholds: a segment that has its name is written from end to end and its length is final, so that
 *          a later write to it neither allocates nor can find the disk full.
 *          What is in memory is used as if it were a disk only if the configuration says so.
 * Proofs:  tests/unit/test_directory.c.
 */
#ifndef DATAPLANE_DIRECTORY_H
#define DATAPLANE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum {
	DISK_BLOCK = 4096, /* Every device's physical sector divides it, or is refused. */
	DIRECTORY_PATH_MAX = CONFIG_DIRECTORY_MAX + 32,
};

struct directory {
	char path[DIRECTORY_PATH_MAX];
	bool memory_backed;     /* No O_DIRECT: there is no device below. */
	uint64_t segment_bytes; /* Of each, a multiple of DISK_BLOCK. */
	int folder;
	int lock;
	int superblock;          /* -1: not formatted. */
	uint32_t segments_count; /* 0 to segments_count - 1 are there. */
	int segments[CONFIG_SEGMENTS_MAX];
};

/* Opens and locks the directory of a replica. False: a sentence. */
bool directory_open(struct directory *d, const struct config *config, uint32_t replica, char *error,
	size_t size);

/* The same for an empty directory, which is made if need be; then writes the segments and, last of
 * all, the superblock file: a formatting that breaks off leaves a directory that is not formatted.
 * `blocks`: aligned to DISK_BLOCK. */
bool directory_format(struct directory *d, const struct config *config, uint32_t replica,
	const uint8_t *blocks, uint32_t blocks_count, char *error, size_t size);

void directory_close(struct directory *d);

/* Adds the next segment, full of zeros. Takes as long as writing it does: control only. */
bool directory_add_segment(struct directory *d, char *error, size_t size);

/* The superblock file, whole blocks, aligned. Reading past its end is an error. */
bool directory_read_superblock(struct directory *d, uint32_t block, uint8_t *blocks,
	uint32_t blocks_count, char *error, size_t size);

/* On return they are durable. */
bool directory_write_superblock(struct directory *d, uint32_t block, const uint8_t *blocks,
	uint32_t blocks_count, char *error, size_t size);

/* Reads a segment from `offset` on, both multiples of DISK_BLOCK, `bytes` aligned. For recovery. */
bool directory_read(struct directory *d, uint32_t segment, uint64_t offset, uint8_t *to,
	uint64_t bytes, char *error, size_t size);

#endif
