/*
 * given_journal.h - a journal on an image in memory, for the tests of consensus/journal*.h.
 */
#ifndef TESTS_UNIT_GIVEN_JOURNAL_H
#define TESTS_UNIT_GIVEN_JOURNAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/journal.h"
#include "consensus/journal_reader.h"
#include "consensus/message.h"

enum {
	SEGMENT = JOURNAL_WRITE_BLOCKS,
	IMAGE_BLOCKS = 6 * SEGMENT,
	TOLD_MAX = 256,
};

static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t image[IMAGE_BLOCKS * JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t buffers[JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES];
static struct journal journal;
static struct journal_reader reader;
static struct journal_end end;
static struct journal_segments segments; /* As they were read. */
static struct superblock superblock;

/* What the reader told: the writes' numbers, and the records' first instances. */
static uint64_t told_writes[TOLD_MAX];
static bool told_damage[TOLD_MAX];
static uint32_t told_writes_count;
static uint64_t told_records[TOLD_MAX];
static uint32_t told_records_count;

static inline uint8_t *image_block(uint64_t place)
{
	assert_true(place < IMAGE_BLOCKS);
	return image + place * JOURNAL_BLOCK_BYTES;
}

static inline void given_superblock(void)
{
	superblock = (struct superblock){
		.uuid = 0x1234567890abcdefull,
		.shards = 1,
		.block = BLOCK,
		.block_bytes = JOURNAL_BLOCK_BYTES,
		.segment_blocks = SEGMENT,
		.life = 1,
	};
}

static inline void begin_life(const struct journal_start *start)
{
	journal_init(&journal, &superblock, start, IMAGE_BLOCKS, buffers);
}

/* A formatted journal in its first life, whose first write is not closed yet. */
static inline int given_journal(void **state)
{
	(void)state;
	given_superblock();
	for (uint64_t i = 0; i < IMAGE_BLOCKS; i++)
		journal_block_blank(image_block(i), superblock.uuid);
	journal_format(&superblock, image_block(0));
	memset(&reader, 0, sizeof(reader));
	return 0;
}

/* Reads `blocks` blocks of the image. */
static inline void when_read_to(uint64_t blocks)
{
	const struct journal_found *f;

	told_writes_count = 0;
	told_records_count = 0;
	journal_reader_init(&reader, &superblock);
	journal_segments_init(&segments, &superblock);
	for (uint64_t place = superblock.anchor_place; place < blocks; place++) {
		journal_reader_block(&reader, place, image_block(place));
		while ((f = journal_reader_take(&reader)) != NULL) {
			const struct journal_record *r;
			uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
			uint64_t reach = 0;

			assert_true(told_writes_count < TOLD_MAX);
			told_damage[told_writes_count] = f->follows_damage;
			told_writes[told_writes_count++] = f->number;
			while ((r = journal_record_next(f->payload, f->bytes, &offset)) != NULL) {
				assert_true(told_records_count < TOLD_MAX);
				told_records[told_records_count++] = r->first;
				reach = r->first + r->count > reach ? r->first + r->count : reach;
			}
			journal_segments_add(&segments, f->place_after - 1, f->number, f->chain,
				reach);
		}
	}
	journal_reader_end(&reader, &end);
}

static inline void when_read(void)
{
	when_read_to(IMAGE_BLOCKS);
}

/* A restart: reads, and begins the next life. */
static inline void when_restarted(void)
{
	when_read();
	superblock.life++;
	begin_life(&(struct journal_start){
		.place = end.place,
		.number = end.number,
		.previous = end.previous,
		.chain = end.chain,
		.segments = &segments,
	});
}

static inline struct journal_record vote_of(uint64_t first, uint16_t count, uint32_t length,
	uint8_t *entries)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct entry e = {
			.session = 7,
			.sequence_length = entry_pack(ENTRY_COMMAND, first + i, length),
		};

		memcpy(entries + bytes, &e, sizeof(e));
		memset(entries + bytes + sizeof(e), (int)(first + i) & 0xff,
			entry_bytes(length) - sizeof(e));
		bytes += entry_bytes(length);
	}
	return (struct journal_record){
		.kind = JOURNAL_VOTE,
		.ballot = ballot_make(3, 1),
		.first = first,
		.count = count,
		.bytes = (uint16_t)bytes,
		.checksum = message_crc(entries, bytes),
	};
}

/* One command of `length` bytes is voted for at `first`. */
static inline uint64_t append_vote(uint64_t first, uint32_t length)
{
	_Alignas(8) uint8_t entries[BODY_MAX];
	const struct journal_record r = vote_of(first, 1, length, entries);

	return journal_append(&journal, 0, &r, entries);
}

static inline uint64_t append_kind(enum journal_kind kind, uint64_t ballot, uint64_t first)
{
	const struct journal_record r = {.kind = (uint8_t)kind, .ballot = ballot, .first = first};

	return journal_append(&journal, 0, &r, NULL);
}

static inline struct journal_write close_write(void)
{
	struct journal_write w;

	assert_true(journal_close(&journal, &w));
	return w;
}

/* Blocks [from, to) of the write reach the disk. */
static inline void blocks_written(const struct journal_write *w, uint32_t from, uint32_t to)
{
	memcpy(image_block(w->place + from), w->bytes + (size_t)from * JOURNAL_BLOCK_BYTES,
		(size_t)(to - from) * JOURNAL_BLOCK_BYTES);
}

static _Alignas(8) uint8_t slots[SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES];

/* And the superblock that goes with it. */
static inline void superblock_written(const struct journal_write *w)
{
	if (w->superblock != NULL)
		memcpy(slots + w->superblock_slot * JOURNAL_BLOCK_BYTES, w->superblock,
			JOURNAL_BLOCK_BYTES);
}

static inline void written(const struct journal_write *w)
{
	blocks_written(w, 0, w->blocks);
	superblock_written(w);
	assert_true(journal_completed(&journal, w->number));
}

/* One write with one vote, durable. */
static inline struct journal_write vote_written(uint64_t first, uint32_t length)
{
	append_vote(first, length);
	struct journal_write w = close_write();

	written(&w);
	return w;
}

/* One vote a write, from `first` on, until the next one would stand in that segment. Returns the next
 * instance. */
static inline uint64_t given_written_to(uint64_t segment, uint64_t first)
{
	while (journal.place < segment * SEGMENT)
		vote_written(first++, 16);
	return first;
}

/* The first write of the first life. */
static inline void given_begun(void)
{
	begin_life(&(struct journal_start){.place = 0, .number = 1});
	when_restarted();
	assert_int_equal(end.verdict, JOURNAL_CLEAN);
	const struct journal_write w = close_write();

	written(&w);
}

static inline int given_begun_journal(void **state)
{
	given_journal(state);
	given_begun();
	return 0;
}

#endif
