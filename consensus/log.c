#include "consensus/log.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/stream.h"

/* What stands where a record would not have fitted before the ring's end. */
enum {
	SKIP_FLAG = 0x80,
};

enum {
	RECORDS_AHEAD = 3,
};

/* Records start at whole cache lines. */
static uint64_t record_bytes(uint32_t bytes)
{
	return (RECORD_BYTES + (uint64_t)bytes + STREAM_LINE - 1) / STREAM_LINE * STREAM_LINE;
}

static uint64_t to_end(const struct log *log, uint64_t position)
{
	return log->size - (position & (log->size - 1));
}

static struct record *at(const struct log *log, uint64_t position)
{
	return (struct record *)(void *)(log->bytes + (position & (log->size - 1)));
}

void log_init(struct log *log, uint8_t *bytes, uint64_t size)
{
	CHECK(size >= RECORD_BYTES && (size & (size - 1)) == 0);
	log->bytes = bytes;
	log->size = size;
	log->head = 0;
	log->tail = 0;
}

uint64_t log_next(const struct log *log, uint32_t bytes)
{
	uint64_t rest = to_end(log, log->head);

	return rest < record_bytes(bytes) ? log->head + rest : log->head;
}

static bool fits(const struct log *log, uint32_t bytes)
{
	return log_next(log, bytes) + record_bytes(bytes) <= log->tail + log->size;
}

/* Is any of its instances' slots at or above `from` still pointing to it? */
static bool pointed_to(const struct acceptor *a, const struct record *r, uint64_t position,
	uint64_t from)
{
	uint64_t skip = from > r->first ? from - r->first : 0;

	for (uint64_t i = skip; i < r->count; i++) {
		const struct vote *v = acceptor_vote(a, r->first + i);

		if (v != NULL && v->position == position)
			return true;
	}
	return false;
}

/* The next records to go are looked at when room is needed again: they are far from the cache by now.
 * Neighbours are mostly of one size. */
static void free_tail(struct log *log, uint64_t bytes)
{
	log->tail += bytes;
	__builtin_prefetch(at(log, log->tail));
	__builtin_prefetch(at(log, log->tail + RECORDS_AHEAD * bytes));
}

/* Frees what stands at the tail. False: it is needed and does not fit at the head. */
static bool clean_one(struct log *log, struct acceptor *a)
{
	struct record *r = at(log, log->tail);
	uint64_t position = log->tail;

	/* A rest shorter than a record, or marked: skipped. */
	if (to_end(log, position) < RECORD_BYTES || (r->flags & SKIP_FLAG) != 0) {
		free_tail(log, to_end(log, position));
		return true;
	}
	/* Mostly all of it is below the acceptor's tail already, which is quick to tell. (Behind a
	 * snapshot the tail is above `lo`, and votes from there on are still told.) */
	if (r->first + r->count <= a->tail && r->first + r->count <= a->lo) {
		free_tail(log, record_bytes(r->bytes));
		return true;
	}
	if (r->first + r->count <= a->lo || !pointed_to(a, r, position, a->lo)) {
		/* What was superseded is held elsewhere: nothing is gone with it. */
		if (pointed_to(a, r, position, 0))
			acceptor_drop(a, r->first + r->count);
		free_tail(log, record_bytes(r->bytes));
		return true;
	}
	if (!fits(log, r->bytes))
		return false;
	uint64_t moved = log_append(log, r, (const uint8_t *)(r + 1));

	acceptor_relocate(a, r->first, r->count, position, moved);
	free_tail(log, record_bytes(r->bytes));
	return true;
}

bool log_reserve(struct log *log, struct acceptor *a, uint32_t bytes)
{
	uint64_t start = log->head;

	/* Once round at most: what was moved to the head is not moved again. */
	while (!fits(log, bytes)) {
		if (log->tail >= start || !clean_one(log, a))
			return false;
	}
	return true;
}

/* Past the cache: the log is larger than it, and is read only to repair. Whole lines, of which the
 * last is filled up: a line that is written in part is first read. */
static void stream(uint8_t *to, const uint8_t *from, uint32_t bytes, uint32_t filled)
{
	uint32_t at = stream_lines(to, from, bytes);

	for (; at + STREAM_WORD <= bytes; at += STREAM_WORD)
		stream_word(to + at, from + at);
	if (at < bytes) {
		uint8_t last[STREAM_WORD] = {0};

		memcpy(last, from + at, bytes - at);
		stream_word(to + at, last);
		at += STREAM_WORD;
	}
	for (; at < filled; at += STREAM_WORD)
		_mm_stream_si128((__m128i *)(void *)(to + at), _mm_setzero_si128());
}

uint64_t log_append(struct log *log, const struct record *record, const uint8_t *body)
{
	uint64_t position = log_next(log, record->bytes);

	CHECK(position + record_bytes(record->bytes) <= log->tail + log->size);
	if (position != log->head && position - log->head >= RECORD_BYTES)
		at(log, log->head)->flags = SKIP_FLAG;
	struct record *r = at(log, position);

	stream((uint8_t *)r, (const uint8_t *)record, RECORD_BYTES, RECORD_BYTES);
	stream((uint8_t *)(r + 1), body, record->bytes,
		(uint32_t)record_bytes(record->bytes) - RECORD_BYTES);
	log->head = position + record_bytes(record->bytes);
	return position;
}

const struct record *log_at(const struct log *log, uint64_t position)
{
	return at(log, position);
}

const uint8_t *log_cut(const struct record *record, uint32_t index, uint32_t count, uint32_t *bytes)
{
	const uint8_t *body = (const uint8_t *)(record + 1);
	uint32_t from = 0;

	CHECK(index + count <= record->count);
	if (index == 0 && count == record->count) {
		*bytes = record->bytes;
		return body;
	}
	for (uint32_t i = 0; i < index; i++)
		from += entry_bytes(
			entry_length((const struct entry *)(const void *)(body + from)));
	uint32_t to = from;

	for (uint32_t i = 0; i < count; i++)
		to += entry_bytes(entry_length((const struct entry *)(const void *)(body + to)));
	*bytes = to - from;
	return body + from;
}
