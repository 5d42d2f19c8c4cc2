/*
 * directory.h - a replica's data directory: its lock, its superblock file and its segment files.
 *
 * Owns:    the directory for as long as it is open: one process has it, and of that process one
 *          replica. The descriptors of its files.
 * Never:   formats by itself; says what blocks mean (consensus/journal_block.h does).
 * Upholds: a block is one of the device, or a part of one: it is written whole.
 *          A segment that has its name is written from end to end and its length is final, so that
 *          a later write to it neither allocates nor can find the disk full.
 *          The segments that are there are those from one number to another. A free one is used anew
 *          by giving it the next number: what is in it is valid, and older than what is written to it
 *          (journal_segments.h).
 *          What is in memory is used as if it were a disk only if the configuration says so.
 * Proofs:  tests/unit/test_directory.c.
 */
#ifndef DATAPLANE_DIRECTORY_H
#define DATAPLANE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "consensus/superblock.h"

enum {
	DIRECTORY_PATH_MAX = CONFIG_DIRECTORY_MAX + 32,
};

struct directory {
	char path[DIRECTORY_PATH_MAX];
	bool memory_backed;     /* No O_DIRECT: there is no device below. */
	uint64_t segment_bytes; /* Of each, a multiple of JOURNAL_BLOCK_BYTES. */
	int folder;
	int lock;
	int superblock;                    /* -1: not formatted. */
	uint64_t segments_first;           /* Those from here on are there, */
	uint64_t segments_end;             /* up to before this one. */
	int segments[CONFIG_SEGMENTS_MAX]; /* Segment i at i % CONFIG_SEGMENTS_MAX. */
};

/* Opens and locks the directory of a replica. False: a sentence. */
bool directory_open(struct directory *d, const struct config *config, uint32_t replica, char *error,
	size_t size);

/* What a formatting writes; each aligned to JOURNAL_BLOCK_BYTES. */
struct directory_image {
	const uint8_t *blank;       /* The block of which segments are made, */
	const uint8_t *first;       /* but for the very first one. */
	const uint8_t *superblocks; /* SUPERBLOCK_SLOTS blocks. */
};

/* Makes a replica's directory, with the segments and, last of all, the superblocks: a formatting
 * that breaks off leaves a directory that is not formatted. It is closed again. */
bool directory_format(const struct config *config, uint32_t replica,
	const struct directory_image *image, char *error, size_t size);

void directory_close(struct directory *d);

/* Adds the next segment, full of `blank`. Takes as long as writing it does: control only. */
bool directory_add_segment(struct directory *d, const uint8_t *blank, char *error, size_t size);

/* The first segment becomes the next one, as it is, and durably so. There are two at least. */
bool directory_recycle_segment(struct directory *d, char *error, size_t size);

/* The first segment is given back to the file system. There are two at least. */
bool directory_drop_segment(struct directory *d, char *error, size_t size);

/* All SUPERBLOCK_SLOTS of them, into aligned memory. */
bool directory_read_superblocks(struct directory *d, uint8_t *blocks, char *error, size_t size);

/* On return it is durable. Before a disk is opened on the directory: then only that writes. */
bool directory_write_superblock(struct directory *d, uint32_t slot, const uint8_t *block,
	char *error, size_t size);

/* Reads a segment from `offset` on, both multiples of JOURNAL_BLOCK_BYTES, `bytes` aligned. For recovery. */
bool directory_read(struct directory *d, uint64_t segment, uint64_t offset, uint8_t *to,
	uint64_t bytes, char *error, size_t size);

#endif
