#include "consensus/journal_reader.h"

#include <string.h>

#include "consensus/check.h"

void journal_reader_init(struct journal_reader *r, const struct superblock *superblock)
{
	r->uuid = superblock->uuid;
	r->segment_blocks = superblock->segment_blocks;
	r->last = superblock->anchor_number;
	r->chain = superblock->anchor_chain;
	r->place = superblock->anchor_place;
	r->suspect = false;
	r->lost = false;
	r->told_loss = false;
	r->number_max = superblock->anchor_number;
	r->life_max = 0;
	r->writes = 0;
	r->first = 0;
	r->ready = 0;
	r->waiting = 0;
	r->filling = false;
	r->filling_next = false;
	r->filling_blocks = 0;
	r->filling_index = 0;
}

static struct journal_found *slot(struct journal_reader *r, uint32_t i)
{
	return &r->slots[(r->first + i) % JOURNAL_SLOTS];
}

/* The one being filled stands behind the others. */
static struct journal_found *filled(struct journal_reader *r)
{
	return slot(r, r->ready + r->waiting);
}

/* What waited is told: something durable in front of it is lost. */
static void believe_waiting(struct journal_reader *r)
{
	if (r->waiting > 0) {
		slot(r, r->ready)->follows_damage = true;
		r->told_loss = true;
		r->lost = false;
	} else {
		r->lost = true;
	}
	r->suspect = false;
	for (; r->waiting > 0; r->waiting--) {
		const struct journal_found *f = slot(r, r->ready++);

		r->last = f->number;
		r->chain = f->chain;
		r->place = f->place_after;
		r->writes++;
	}
}

static bool follows_last(const struct journal_reader *r, const struct journal_write_header *h)
{
	return h->previous == r->last && h->chain == r->chain;
}

/* Could the write behind `last` stand here? At its place, or at the next segment's start, if it did
 * not fit. */
static bool is_next_place(const struct journal_reader *r, uint64_t place)
{
	return place == r->place ||
		(place > r->place && place % r->segment_blocks == 0 &&
			place - r->place < JOURNAL_WRITE_BLOCKS);
}

/* A first block of a write that was not there when `last` was written. */
static void begin(struct journal_reader *r, uint64_t place, const struct journal_block *block)
{
	const struct journal_write_header *h =
		(const struct journal_write_header *)(const void *)(block + 1);
	struct journal_found *f;

	if (block->bytes < JOURNAL_WRITE_HEADER_BYTES)
		return;
	bool next = follows_last(r, h) && is_next_place(r, place) && r->waiting == 0;

	if (next) {
		r->suspect = false; /* What was damaged in between was no write. */
	} else if (h->durable > r->last || r->suspect || r->waiting == JOURNAL_DEPTH) {
		believe_waiting(r);
		r->lost |= h->durable > r->last && !follows_last(r, h);
	}
	f = filled(r);
	f->number = block->number;
	f->place_after = place + block->blocks;
	f->life = block->life;
	f->chain = 0;
	f->follows_damage = false;
	f->bytes = 0;
	r->filling = true;
	/* Behind a loss the first write that is whole is the next one. */
	r->filling_next = next || r->lost || (r->waiting == 0 && follows_last(r, h));
	r->filling_blocks = block->blocks;
	r->filling_index = 0;
}

/* Is this write whole? Then it is told, or waits for a judgement. */
static void finish(struct journal_reader *r)
{
	struct journal_found *f = filled(r);

	r->filling = false;
	if (!journal_payload_check(f->payload, f->bytes)) {
		r->suspect |= r->filling_next;
		return;
	}
	if (!r->filling_next) {
		r->waiting++;
		return;
	}
	f->follows_damage = r->lost;
	r->told_loss |= r->lost;
	r->lost = false;
	r->last = f->number;
	r->chain = f->chain;
	r->place = f->place_after;
	r->ready++;
	r->writes++;
}

static void add(struct journal_reader *r, const struct journal_block *block)
{
	struct journal_found *f = filled(r);

	memcpy(f->payload + f->bytes, block + 1, block->bytes);
	f->bytes += block->bytes;
	f->chain = journal_chain_block(f->chain, block->crc);
	r->filling_index++;
	if (r->filling_index == r->filling_blocks)
		finish(r);
}

static bool continues(struct journal_reader *r, const struct journal_block *block)
{
	const struct journal_found *f = filled(r);

	return block->number == f->number && block->index == r->filling_index &&
		block->blocks == r->filling_blocks && block->life == f->life;
}

/* The newest write seen whole so far, told or not. */
static uint64_t newest(struct journal_reader *r)
{
	return r->waiting > 0 ? slot(r, r->ready + r->waiting - 1)->number : r->last;
}

/* Could a write that was in flight with the next one stand here? Then a damaged block tells that
 * something was there; a torn write leaves only blocks that are whole. */
static bool is_in_flight_place(const struct journal_reader *r, uint64_t place)
{
	return place >= r->place && place - r->place < JOURNAL_DEPTH * JOURNAL_WRITE_BLOCKS;
}

void journal_reader_block(struct journal_reader *r, uint64_t place, const uint8_t *bytes)
{
	const struct journal_block *block = journal_block_check(bytes, r->uuid);

	CHECK(r->ready == 0);
	if (block == NULL) {
		r->suspect |= is_in_flight_place(r, place) || r->filling;
		r->filling = false;
		return;
	}
	if (block->number > r->number_max)
		r->number_max = block->number;
	if (block->number != 0 && block->life > r->life_max)
		r->life_max = block->life;
	if (r->filling && continues(r, block)) {
		add(r, block);
		return;
	}
	r->filling = false;
	if (block->index != 0 || block->number <= newest(r))
		return; /* Old, or the rest of a write whose first block is not there. */
	begin(r, place, block);
	if (r->filling)
		add(r, block);
}

const struct journal_found *journal_reader_take(struct journal_reader *r)
{
	if (r->ready == 0)
		return NULL;
	const struct journal_found *f = slot(r, 0);

	r->first = (r->first + 1) % JOURNAL_SLOTS;
	r->ready--;
	return f;
}

void journal_reader_end(const struct journal_reader *r, struct journal_end *end)
{
	*end = (struct journal_end){
		.verdict = JOURNAL_CLEAN,
		.tail_damaged = r->suspect || r->lost,
		.place = r->place,
		.number = r->number_max + 1,
		.previous = r->last,
		.chain = r->chain,
		.life = r->life_max,
	};
	if (r->number_max > r->last)
		end->verdict = JOURNAL_TORN;
	if (r->told_loss || end->tail_damaged)
		end->verdict = JOURNAL_DAMAGED;
	if (r->writes == 0)
		end->verdict = JOURNAL_EMPTY;
}
