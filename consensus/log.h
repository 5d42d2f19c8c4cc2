/*
 * log.h - the acceptor's log in memory: records appended to a ring of bytes.
 *
 * Owns:    the bytes given at init, head and tail. A record: struct record, then its entries, the
 *          whole padded to 8; never wraps inside (the rest before the end is skipped).
 * Never:   allocates; interprets a value.
 * Upholds: L1  a record that a slot of the acceptor's index at or above lo points to is intact.
 *          L2  what was appended reads back as it was.
 * Proofs:  tests/unit/test_log.c.
 */
#ifndef CONSENSUS_LOG_H
#define CONSENSUS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/acceptor.h"
#include "consensus/message.h"

struct log {
	uint8_t *bytes;
	uint64_t size; /* Power of two. */
	uint64_t head; /* Positions grow for ever; byte = position & (size - 1). */
	uint64_t tail;
};

void log_init(struct log *log, uint8_t *bytes, uint64_t size);

/* Makes room for a record with `bytes` of entries, from the tail on: a record none of whose
 * instances' slots points to it any more is dropped, and so is one all of whose instances are below
 * a->lo (then acceptor_drop); one that is still needed at or above lo is copied to the head and
 * relocated. Amortised O(1): drops at most what it needs. False: no room: what stands at the tail
 * is needed and does not fit at the head. */
bool log_reserve(struct log *log, struct acceptor *a, uint32_t bytes);

/* The position that the next record of `bytes` entries will have. After log_reserve only. */
uint64_t log_next(const struct log *log, uint32_t bytes);

/* Appends; log_reserve must have said yes for this size. Returns log_next(). */
uint64_t log_append(struct log *log, const struct record *record, const uint8_t *body);

/* The record at a position that a slot points to; its entries follow it. */
const struct record *log_at(const struct log *log, uint64_t position);

/* Cuts `count` entries from the index-th on out of a record's entries: sets *bytes to their
 * extent, returns their first byte. */
const uint8_t *log_cut(const struct record *record, uint32_t index, uint32_t count,
	uint32_t *bytes);

#endif
