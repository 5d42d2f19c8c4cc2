/*
 * journal_block.h - what stands on the disk: blocks, the writes made of them, the records in those.
 *
 * Owns:    the layout. A block is one physical sector. A write is 1..JOURNAL_WRITE_BLOCKS blocks in
 *          a row, in one segment; its payload is that of its blocks put together: a write header,
 *          then records. Little-endian, like the wire.
 * Never:   rewrites a block that holds an acknowledged record: each write starts at a fresh block.
 * Upholds: J1  a block that checks was sealed for this journal: the crc covers all of it.
 *          J2  what checks as a write is whole: each of its blocks says its number, its index and
 *              how many there are; its records are chained to it and to each other.
 * Proofs:  contracts below and in journal_block.c, by Frama-C/WP (tools/run prove): what is read, and
 *          J2's records; tests/unit/test_journal_block.c. (design: section 7.)
 *
 * A journal is a sequence of segments of equally many blocks; `place` counts blocks over all of
 * them: block `place % segment_blocks` of segment `place / segment_blocks`. Segments are written in
 * full before use, with journal_block_blank: such a block is valid, and older than any write.
 */
#ifndef CONSENSUS_JOURNAL_BLOCK_H
#define CONSENSUS_JOURNAL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/limits.h"

enum {
	JOURNAL_VERSION = 2,
	JOURNAL_BLOCK_BYTES = 4096, /* One physical sector; every address and length a multiple. */
	JOURNAL_BLOCK_HEADER_BYTES = 40,
	JOURNAL_BLOCK_PAYLOAD = JOURNAL_BLOCK_BYTES - JOURNAL_BLOCK_HEADER_BYTES,
	JOURNAL_WRITE_BLOCKS = 64, /* Of one write at most. */
	JOURNAL_WRITE_BYTES = JOURNAL_WRITE_BLOCKS * JOURNAL_BLOCK_BYTES,
	JOURNAL_WRITE_PAYLOAD = JOURNAL_WRITE_BLOCKS * JOURNAL_BLOCK_PAYLOAD,
	JOURNAL_DEPTH = 4, /* Writes in flight at most. */

	JOURNAL_WRITE_HEADER_BYTES = 96,
	JOURNAL_RECORD_BYTES = 40,
	JOURNAL_RECORD_BODY_MAX = BODY_MAX / 8 * 8,
};

#define JOURNAL_MAGIC (0x4a575850u + ((unsigned)JOURNAL_VERSION << 24)) /* "PXWJ" + version */

/* Stands for crc and magic while journal_block_copy is at work: what the process leaves there, if it
 * is killed just then, counts as a blank block. */
#define JOURNAL_BLOCK_UNDONE 0x454e4f444e555750ull /* "PWUNDONE" */

/* At the start of every block. */
struct journal_block {
	uint32_t crc; /* crc32c of the other 4092 bytes. */
	uint32_t magic;
	uint64_t uuid;   /* Of the node: another's block is foreign. */
	uint64_t number; /* Of the write, from 1 on; 0: a blank block. Goes up for ever. */
	uint32_t life;   /* Of the process that wrote it. */
	uint16_t index;  /* In the write. */
	uint16_t blocks; /* Of the write. */
	uint16_t bytes;  /* Of payload in this block; what follows is zero. */
	uint16_t reserved;
	uint32_t reserved2;
};
static_assert(sizeof(struct journal_block) == JOURNAL_BLOCK_HEADER_BYTES, "disk");
static_assert(offsetof(struct journal_block, uuid) == 8, "disk");
static_assert(offsetof(struct journal_block, number) == 16, "disk");
static_assert(offsetof(struct journal_block, life) == 24, "disk");
static_assert(offsetof(struct journal_block, index) == 28, "disk");
static_assert(offsetof(struct journal_block, bytes) == 32, "disk");
static_assert(JOURNAL_BLOCK_PAYLOAD % 8 == 0, "records stay aligned across blocks");

/* First in a write's payload. */
struct journal_write_header {
	uint64_t previous;  /* Number of the write that this one follows; 0: none. */
	uint64_t durable;   /* Number of the last write known durable when this was closed. */
	uint64_t delivered; /* Durable: what lies below was delivered by this node. */
	uint64_t blind;     /* Votes below this may be lost to corruption; 0: none. */
	uint64_t promised[SHARD_MAX]; /* Once this write is durable. */
	uint32_t chain;               /* Of the write before: its blocks' crcs. */
	uint32_t payload;             /* Bytes, with this header. */
	uint32_t records;
	uint32_t shards;
	uint64_t reserved[2];
};
static_assert(sizeof(struct journal_write_header) == JOURNAL_WRITE_HEADER_BYTES, "disk");
static_assert(offsetof(struct journal_write_header, promised) == 32, "disk");
static_assert(offsetof(struct journal_write_header, chain) == 64, "disk");

enum journal_kind {
	JOURNAL_VOTE =
		1, /* ballot, first, count, checksum, bytes; entries follow, none of a no-op. */
	JOURNAL_CHOSEN,  /* The same without ballot: known chosen, no vote. */
	JOURNAL_PROMISE, /* ballot */
	JOURNAL_COMMIT,  /* This shard's votes at exactly `ballot` below `first` are chosen. */
	JOURNAL_DELIVERED, /* This node delivered all below `first`, out of what stands before this. */
	JOURNAL_TRIM,      /* The acceptor's `lo` rose to the block of `first`. */
	JOURNAL_PIN,       /* ballot: the uuid of member `first`. */
	/* The state below `first` came as a snapshot: what this shard voted for there need not be what
	 * was chosen. */
	JOURNAL_INSTALLED,
	JOURNAL_KINDS
};

struct journal_record {
	uint64_t ballot;
	uint64_t first;
	uint32_t checksum; /* crc32c of the entries. */
	uint32_t chain;    /* crc32c of the record before's chain and of the rest of this header. */
	uint16_t count;
	uint16_t bytes; /* Of the entries that follow; a multiple of 8. */
	uint8_t kind;   /* enum journal_kind */
	uint8_t flags;  /* FLAG_NOOP */
	uint8_t shard;
	uint8_t reserved[9];
};
static_assert(sizeof(struct journal_record) == JOURNAL_RECORD_BYTES, "disk");
static_assert(offsetof(struct journal_record, chain) == 20, "disk");
static_assert(offsetof(struct journal_record, count) == 24, "disk");
static_assert(offsetof(struct journal_record, kind) == 28, "disk");
static_assert(JOURNAL_WRITE_HEADER_BYTES % 8 == 0 && JOURNAL_RECORD_BYTES % 8 == 0, "aligned");
static_assert(JOURNAL_WRITE_HEADER_BYTES + JOURNAL_RECORD_BYTES + BODY_MAX <= JOURNAL_WRITE_PAYLOAD,
	"each record fits a write");

/* Fills 4096 bytes: what a segment is made of before use. All blank blocks of a journal are alike,
 * so one image is written over and over. */
void journal_block_blank(uint8_t *block, uint64_t uuid);

/* The header is complete but for the crc. Returns the crc. */
uint32_t journal_block_seal(uint8_t *block);

/* Copies a block to where the file itself is mapped (a directory in memory), so that whoever looks
 * after the process was killed at any instruction finds the old block, the new one, or a blank one:
 * J1 holds without a disk that writes whole sectors. Both are aligned as blocks are. */
void journal_block_copy(uint8_t *to, const uint8_t *from);

/*@ axiomatic records {
  @   // The length of the entries that the record at an offset says it has.
  @   logic integer record_body{L}(uint8_t *payload, integer at) reads payload[at + 26 .. at + 27];
  @   axiom record_body_range{L}: \forall uint8_t *payload, integer at;
  @     0 <= record_body(payload, at) <= 65535;
  @ }
  @ // Where the records of a payload end, one after the other.
  @ logic integer records_end{L}(uint8_t *payload, integer count) =
  @   count <= 0 ? JOURNAL_WRITE_HEADER_BYTES :
  @     records_end(payload, count - 1) + JOURNAL_RECORD_BYTES +
  @       record_body(payload, records_end(payload, count - 1));
  @ predicate records_in{L}(uint8_t *payload, integer count, integer bytes) =
  @   \forall integer i; 0 <= i < count ==>
  @     JOURNAL_WRITE_HEADER_BYTES <= records_end(payload, i) &&
  @     records_end(payload, i) + JOURNAL_RECORD_BYTES +
  @       record_body(payload, records_end(payload, i)) <= bytes;
  @*/

/* The block's header, or NULL: it is damaged, foreign, or of another version. */
/*@ requires \valid_read(block + (0 .. JOURNAL_BLOCK_BYTES - 1));
    assigns \nothing;
    ensures J1: \result != \null ==> \valid_read(\result) && \result->magic == JOURNAL_MAGIC;
    ensures J2: \result != \null && \result->number != 0 ==>
      \result->uuid == uuid && \result->number < INSTANCE_TOP &&
      \result->index < \result->blocks <= JOURNAL_WRITE_BLOCKS &&
      1 <= \result->bytes <= JOURNAL_BLOCK_PAYLOAD &&
      (\result->index + 1 < \result->blocks ==> \result->bytes == JOURNAL_BLOCK_PAYLOAD); */
const struct journal_block *journal_block_check(const uint8_t *block, uint64_t uuid);

/* What a write's chain is made of: its blocks' crcs, one after the other, from 0. */
uint32_t journal_chain_block(uint32_t chain, uint32_t crc);

/* The chain of a record whose other fields are set, after `chain`. */
/*@ requires \valid_read(record);
    assigns \nothing; */
uint32_t journal_chain_record(uint32_t chain, const struct journal_record *record);

/* Is it a whole write's payload: chained from `chain`, every record well formed, none beyond `bytes`?
 * `chain`: that of the write's header, which starts the records' too. */
/*@ requires \valid_read(payload + (0 .. bytes - 1));
    assigns \nothing;
    ensures J2: \result ==> \exists integer records; 0 <= records &&
      records_in(payload, records, bytes) && records_end(payload, records) == bytes; */
bool journal_payload_check(const uint8_t *payload, uint32_t bytes);

/* The record at *offset of a payload that was checked; its entries follow it. NULL at the end.
 * *offset starts as JOURNAL_WRITE_HEADER_BYTES. */
/*@ requires \valid_read(payload + (0 .. bytes - 1)) && \valid(offset);
    requires \separated(offset, payload + (0 .. bytes - 1));
    requires checked: *offset < bytes ==>
      *offset + JOURNAL_RECORD_BYTES + record_body(payload, *offset) <= bytes;
    assigns *offset;
    ensures end: \old(*offset) >= bytes ==> \result == \null && *offset == \old(*offset);
    ensures next: \old(*offset) < bytes ==> \result != \null && *offset <= bytes &&
      *offset == \old(*offset) + JOURNAL_RECORD_BYTES + \old(record_body(payload, *offset)); */
const struct journal_record *journal_record_next(const uint8_t *payload, uint32_t bytes,
	uint32_t *offset);

#endif
