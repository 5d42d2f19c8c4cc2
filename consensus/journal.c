#include "consensus/journal.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/message.h"

static uint8_t *buffer_of(const struct journal *j, uint32_t buffer)
{
	return j->buffers + (size_t)buffer * JOURNAL_BUFFER_BYTES;
}

/* Bytes of payload, from `at` on, into the blocks of the write being filled. */
static void put(struct journal *j, uint32_t at, const void *bytes, uint32_t length)
{
	const uint8_t *from = bytes;
	uint8_t *blocks = buffer_of(j, j->buffer);

	while (length > 0) {
		uint32_t within = at % JOURNAL_BLOCK_PAYLOAD;
		uint32_t piece = JOURNAL_BLOCK_PAYLOAD - within;

		piece = piece < length ? piece : length;
		memcpy(blocks + (size_t)(at / JOURNAL_BLOCK_PAYLOAD) * JOURNAL_BLOCK_BYTES +
				JOURNAL_BLOCK_HEADER_BYTES + within,
			from, piece);
		at += piece;
		from += piece;
		length -= piece;
	}
}

/* One more than may be in flight: there is a free one. */
static uint32_t take_buffer(struct journal *j)
{
	uint32_t buffer = 0;

	while (buffer < JOURNAL_BUFFERS - 1 && (j->buffers_used & 1u << buffer) != 0)
		buffer++;
	j->buffers_used |= 1u << buffer;
	return buffer;
}

static void open_write(struct journal *j)
{
	j->buffer = take_buffer(j);
	j->payload = JOURNAL_WRITE_HEADER_BYTES;
	j->records = 0;
	j->record_chain = j->chain;
	j->urgent = false;
	j->promises = false;
	j->end = 0;
}

/* Of the superblocks only this life's is known to be on the disk: the other one's anchor may be any
 * before it, so it is written anew with the first write. */
static void init_segments(struct journal *j, const struct journal_start *start)
{
	const uint32_t slot = (uint32_t)(j->superblock.sequence % SUPERBLOCK_SLOTS);

	if (start->segments != NULL) {
		j->segments = *start->segments;
	} else {
		journal_segments_init(&j->segments, &j->superblock);
		journal_segments_add(&j->segments, j->superblock.anchor_place, start->previous,
			start->chain, 0);
	}
	j->segment = j->segments.last;
	j->anchors[slot] = j->segments.first;
	j->superblocks_due = j->segments.first > 0 ? 1 : 0;
}

void journal_init(struct journal *j, const struct superblock *superblock,
	const struct journal_start *start, uint64_t place_end, uint8_t *buffers)
{
	CHECK(start->number > start->previous &&
		superblock->segment_blocks >= JOURNAL_WRITE_BLOCKS);
	*j = (struct journal){
		.superblock = *superblock,
		.place = start->place,
		.place_end = place_end,
		.previous = start->previous,
		.number = start->number,
		.chain = start->chain,
		.blind = start->blind,
		.untold = start->blind != 0,
		.durable.number = start->previous,
		.durable.delivered = start->delivered,
		.buffers = buffers,
	};
	for (uint32_t s = 0; s < SHARD_MAX; s++) {
		j->promised[s] = start->promised[s];
		j->delivered[s] = start->delivered;
	}
	init_segments(j, start);
	open_write(j);
	j->urgent = true;
}

void journal_extend(struct journal *j, uint64_t place_end)
{
	j->place_end = place_end;
}

/* The first write of a blind life goes over the damage that was found: it is new, or all is old. */
bool journal_room(const struct journal *j, uint32_t bytes)
{
	uint32_t limit = j->untold && j->flights_count == 0 ? (uint32_t)JOURNAL_BLOCK_PAYLOAD
							    : (uint32_t)JOURNAL_WRITE_PAYLOAD;

	return j->payload + JOURNAL_RECORD_BYTES + bytes <= limit;
}

static void note(struct journal *j, const struct journal_record *r)
{
	if (r->first + r->count > j->end && r->count > 0)
		j->end = r->first + r->count;
	switch (r->kind) {
	case JOURNAL_VOTE:
	case JOURNAL_PROMISE:
		if (r->ballot > j->promised[r->shard])
			j->promised[r->shard] = r->ballot;
		j->promises |= r->kind == JOURNAL_PROMISE;
		j->urgent = true;
		return;
	case JOURNAL_INSTALLED:
	case JOURNAL_DELIVERED:
		if (r->first > j->delivered[r->shard])
			j->delivered[r->shard] = r->first;
		return;
	case JOURNAL_PIN:
		j->superblock.pins[r->first] = r->ballot;
		j->urgent = true;
		return;
	case JOURNAL_CHOSEN:
		j->urgent = true;
		return;
	default:
		return;
	}
}

uint64_t journal_append(struct journal *j, uint32_t lane, const struct journal_record *record,
	const uint8_t *entries)
{
	struct journal_record linked = *record;

	CHECK(lane < JOURNAL_LANES && linked.bytes % 8 == 0 && journal_room(j, linked.bytes));
	linked.chain = journal_chain_record(j->record_chain, &linked);
	j->record_chain = linked.chain;
	put(j, j->payload, &linked, sizeof(linked));
	j->payload += JOURNAL_RECORD_BYTES;
	put(j, j->payload, entries, linked.bytes);
	j->payload += linked.bytes;
	j->records++;
	note(j, &linked);
	return ++j->positions[lane];
}

/* Seals blocks with their headers; returns the write's chain. */
static uint32_t seal_blocks(uint8_t *at, const struct journal_block *first, uint32_t payload)
{
	uint32_t chain = 0;

	for (uint32_t i = 0; i < first->blocks; i++, at += JOURNAL_BLOCK_BYTES) {
		uint32_t left = payload - i * JOURNAL_BLOCK_PAYLOAD;
		struct journal_block header = *first;

		header.index = (uint16_t)i;
		header.bytes =
			(uint16_t)(left < JOURNAL_BLOCK_PAYLOAD ? left : JOURNAL_BLOCK_PAYLOAD);
		memcpy(at, &header, sizeof(header));
		memset(at + JOURNAL_BLOCK_HEADER_BYTES + header.bytes, 0,
			JOURNAL_BLOCK_PAYLOAD - (size_t)header.bytes);
		chain = journal_chain_block(chain, journal_block_seal(at));
	}
	return chain;
}

static void put_header(struct journal *j)
{
	struct journal_write_header header = {
		.previous = j->previous,
		.durable = j->durable.number,
		.delivered = j->durable.delivered,
		.blind = j->blind > j->durable.delivered ? j->blind : 0,
		.chain = j->chain,
		.payload = j->payload,
		.records = j->records,
		.shards = j->superblock.shards,
	};

	memcpy(header.promised, j->promised, sizeof(header.promised));
	put(j, 0, &header, sizeof(header));
}

static void add_flight(struct journal *j, const struct journal_write *w)
{
	struct journal_flight *f =
		&j->flights[(j->flights_first + j->flights_count++) % JOURNAL_DEPTH];

	f->number = j->number;
	f->completed = false;
	f->superblock = w->superblock != NULL;
	f->slot = w->superblock_slot;
	f->anchor = j->segments.first;
	f->segment = j->segments.last;
	f->buffer = j->buffer;
	memcpy(f->positions, j->positions, sizeof(f->positions));
	memcpy(f->delivered, j->delivered, sizeof(f->delivered));
}

/* The promise goes to its second place together with the write that holds it; so does the anchor,
 * which no write holds. */
static void add_superblock(struct journal *j, struct journal_write *out)
{
	uint8_t *block = buffer_of(j, j->buffer) + JOURNAL_WRITE_BYTES;

	memcpy(j->superblock.promised, j->promised, sizeof(j->promised));
	superblock_seal(&j->superblock, block);
	out->superblock = block;
	out->superblock_slot = (uint32_t)(j->superblock.sequence % SUPERBLOCK_SLOTS);
	j->superblocks_due -= j->superblocks_due > 0 ? 1 : 0;
}

/* Of the two superblocks one is always whole, and old enough to be right. */
static bool superblock_in_flight(const struct journal *j)
{
	for (uint32_t i = 0; i < j->flights_count; i++)
		if (j->flights[(j->flights_first + i) % JOURNAL_DEPTH].superblock)
			return true;
	return false;
}

bool journal_close(struct journal *j, struct journal_write *out)
{
	uint32_t blocks = (j->payload + JOURNAL_BLOCK_PAYLOAD - 1) / JOURNAL_BLOCK_PAYLOAD;
	uint32_t segment = j->superblock.segment_blocks;
	uint64_t place = j->place;

	if ((!j->urgent && j->records == 0) || j->flights_count == JOURNAL_DEPTH ||
		(j->promises && superblock_in_flight(j)) || (j->untold && j->flights_count > 0))
		return false;
	if (place % segment + blocks > segment)
		place += segment - place % segment;
	if (place + blocks > j->place_end)
		return false;
	/* Nothing below can fail. */
	const struct journal_block first = {
		.magic = JOURNAL_MAGIC,
		.uuid = j->superblock.uuid,
		.number = j->number,
		.life = j->superblock.life,
		.blocks = (uint16_t)blocks,
	};

	*out = (struct journal_write){
		.number = j->number,
		.place = place,
		.blocks = blocks,
		.bytes = buffer_of(j, j->buffer),
	};
	put_header(j);
	j->chain = seal_blocks(buffer_of(j, j->buffer), &first, j->payload);
	journal_segments_add(&j->segments, place, j->number, j->chain, j->end);
	if (j->promises || (j->superblocks_due > 0 && !superblock_in_flight(j)))
		add_superblock(j, out);
	add_flight(j, out);
	j->place = place + blocks;
	j->previous = j->number++;
	open_write(j);
	return true;
}

void journal_anchor(struct journal *j, uint64_t applied)
{
	/* Votes of all of that block are reported, also below `applied`. */
	uint64_t segment =
		journal_segments_needed(&j->segments, applied - applied % BLOCK, j->segment);

	if (segment == j->segments.first)
		return;
	journal_segments_anchor(&j->segments, segment, &j->superblock);
	j->superblock.anchor_applied = applied;
	j->superblocks_due = SUPERBLOCK_SLOTS;
}

uint64_t journal_free(const struct journal *j)
{
	return j->anchors[0] < j->anchors[1] ? j->anchors[0] : j->anchors[1];
}

void journal_format(const struct superblock *superblock, uint8_t *block)
{
	const struct journal_write_header header = {
		.payload = JOURNAL_WRITE_HEADER_BYTES,
		.shards = superblock->shards,
	};
	const struct journal_block first = {
		.magic = JOURNAL_MAGIC,
		.uuid = superblock->uuid,
		.number = 1,
		.blocks = 1,
	};

	memcpy(block + JOURNAL_BLOCK_HEADER_BYTES, &header, sizeof(header));
	seal_blocks(block, &first, JOURNAL_WRITE_HEADER_BYTES);
}

static void settle_flight(struct journal *j, const struct journal_flight *f)
{
	uint64_t delivered = UINT64_MAX;

	j->buffers_used &= ~(1u << f->buffer);
	j->durable.number = f->number;
	j->untold = false;
	j->segment = f->segment;
	if (f->superblock)
		j->anchors[f->slot] = f->anchor;
	memcpy(j->durable.positions, f->positions, sizeof(f->positions));
	for (uint32_t s = 0; s < j->superblock.shards; s++)
		delivered = f->delivered[s] < delivered ? f->delivered[s] : delivered;
	j->durable.delivered = delivered;
}

bool journal_completed(struct journal *j, uint64_t number)
{
	bool rose = false;

	for (uint32_t i = 0; i < j->flights_count; i++) {
		struct journal_flight *f = &j->flights[(j->flights_first + i) % JOURNAL_DEPTH];

		f->completed |= f->number == number;
	}
	while (j->flights_count > 0 && j->flights[j->flights_first].completed) {
		settle_flight(j, &j->flights[j->flights_first]);
		j->flights_first = (j->flights_first + 1) % JOURNAL_DEPTH;
		j->flights_count--;
		rose = true;
	}
	return rose;
}
