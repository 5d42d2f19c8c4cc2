/*
 * snapshot.h - an image of a replica's state, exact at one instance: sessions with their replies,
 * and the state machine's entries.
 *
 * Owns:    the image's layout; its memory is the caller's. A header, records in any order, each once,
 *          and an end that says how many there are and carries the checksum of all before it.
 *          Little-endian, every part a multiple of 8 bytes.
 * Never:   knows when the state is cut, nor who changes it meanwhile: whoever does saves the old
 *          version first (session.h, machine.h).
 * Upholds: SN1 what checks as an image was ended by a writer of this configuration, and every record
 *              in it is one that may be loaded.
 * Proofs:  tests/unit/test_snapshot.c; tests/fuzz/snapshot.c.
 */
#ifndef CONSENSUS_SNAPSHOT_H
#define CONSENSUS_SNAPSHOT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

enum {
	SNAPSHOT_VERSION = 1,
	SNAPSHOT_HEADER_BYTES = 64,
	SNAPSHOT_RECORD_BYTES = 8,
	SNAPSHOT_SESSION_BYTES = 64,
	SNAPSHOT_END_BYTES = 24,
	SNAPSHOT_ENTRY_MAX = 8192,      /* Bytes of an entry of a state machine at most. */
	SNAPSHOT_CHECK_BYTES = 1 << 16, /* Of one step of checking, about. */
};

#define SNAPSHOT_MAGIC (0x50575850u + ((unsigned)SNAPSHOT_VERSION << 24)) /* "PXWP" + version */

struct snapshot_header {
	uint32_t magic;
	uint32_t sessions;    /* Records of each kind to come. */
	uint64_t entries;     /* Of the state machine. */
	uint64_t config_hash; /* Of what all members must have alike. */
	uint64_t instance;    /* All below is in it, and nothing else. */
	uint64_t digest;      /* digest.h, over all below. */
	uint64_t reserved[3];
};
static_assert(sizeof(struct snapshot_header) == SNAPSHOT_HEADER_BYTES, "disk and wire");

enum snapshot_kind {
	SNAPSHOT_SESSION = 1,
	SNAPSHOT_ENTRY,
	SNAPSHOT_END,
};

/* `length` bytes follow, padded with zeros to a multiple of 8. */
struct snapshot_record {
	uint16_t kind;
	uint16_t length;
	uint32_t reserved;
};
static_assert(sizeof(struct snapshot_record) == SNAPSHOT_RECORD_BYTES, "disk and wire");

/* A session (session.h) without what is not replicated. */
struct snapshot_session {
	uint64_t id; /* As in the table: its instance plus one. */
	uint64_t base;
	uint64_t last;
	uint64_t done;
	uint64_t replies[4];
};
static_assert(sizeof(struct snapshot_session) == SNAPSHOT_SESSION_BYTES, "disk and wire");

/* The last record's content. */
struct snapshot_end {
	uint64_t bytes; /* Of the whole image. */
	uint32_t crc;   /* crc32c of all before this record. */
	uint32_t reserved;
};
static_assert(SNAPSHOT_RECORD_BYTES + sizeof(struct snapshot_end) == SNAPSHOT_END_BYTES,
	"disk and wire");

/* An image in memory, in the making or whole. */
struct snapshot {
	uint8_t *bytes; /* Aligned to 8. */
	uint64_t size;
	uint64_t used;
	uint64_t summed; /* Bytes that `crc` covers so far. */
	uint32_t crc;
};

/* Bytes that `length` bytes of content take in an image. */
static inline uint64_t snapshot_record_bytes(uint64_t length)
{
	return SNAPSHOT_RECORD_BYTES + (length + 7) / 8 * 8;
}

/* The largest image of so many sessions and entries_bytes of entries, each with snapshot_record_bytes. */
static inline uint64_t snapshot_bytes(uint32_t sessions_max, uint64_t entries_bytes)
{
	return SNAPSHOT_HEADER_BYTES +
		sessions_max * snapshot_record_bytes(SNAPSHOT_SESSION_BYTES) + entries_bytes +
		SNAPSHOT_END_BYTES;
}

/* ---- Writing ---- */

/* Begins an image in s->bytes; header->magic is set here. */
void snapshot_begin(struct snapshot *s, const struct snapshot_header *header);

/* Room for the content of one more record, to be filled at once. A well sized image has it. */
uint8_t *snapshot_add(struct snapshot *s, enum snapshot_kind kind, uint32_t length);

/* Sums up some of what was added. False: nothing is left to sum. */
bool snapshot_sum(struct snapshot *s);

/* After all was added and summed: the image is whole, s->used bytes. */
void snapshot_end(struct snapshot *s);

/* ---- Checking and reading ---- */

enum snapshot_result {
	SNAPSHOT_OK,
	SNAPSHOT_MORE,    /* Not all is looked at yet. */
	SNAPSHOT_DAMAGED, /* Cut, or its checksum is wrong, or it is none. */
	SNAPSHOT_FOREIGN, /* Of another version or another configuration. */
};

/* One sentence's end for the operator. */
const char *snapshot_result_text(enum snapshot_result result);

/* What an image must fit. */
struct snapshot_rules {
	uint64_t config_hash;
	uint32_t sessions_max;
	const struct machine *machine;
};

struct snapshot_check {
	uint64_t at;
	uint64_t sessions;
	uint64_t entries;
	uint32_t crc;
};

static inline const struct snapshot_header *snapshot_header_of(const struct snapshot *s)
{
	return (const struct snapshot_header *)(const void *)s->bytes;
}

/* Looks at some more of the s->used bytes; *c starts as zeros. Believes no length before it is
 * checked. MORE: call again. OK: it may be read. */
enum snapshot_result snapshot_check_step(const struct snapshot *s,
	const struct snapshot_rules *rules, struct snapshot_check *c);

/* The record at *at of an image that was checked; its content follows it. NULL: the end. *at starts
 * as SNAPSHOT_HEADER_BYTES. */
const struct snapshot_record *snapshot_next(const struct snapshot *s, uint64_t *at);

#endif
