/*
 * journal - what the real writer wrote, written in part, torn, damaged or forged, is read back and
 * judged without harm. Without damage the reader tells what was durable, in order and unchanged,
 * and of the rest a prefix of what was closed; and what was cut never comes back. With damage it
 * tells only writes that check. After either a new life writes on.
 *
 * What a snapshot covers is trimmed: without damage either superblock alone leads to all that was
 * durable behind its anchor, and nothing in front of it is missed. Segments are used anew with what
 * is in them.
 *
 * The input is steps {u8 kind, ...}: records; a write is closed; its blocks reach the disk, all or
 * some; a snapshot is kept; free segments are used anew; a crash and a restart; a byte of a block
 * changes, sealed again or not; a block goes to another place; a byte of a superblock changes.
 */
#include <stdlib.h>
#include <string.h>

#include "consensus/check.h"
#include "consensus/journal.h"
#include "consensus/journal_reader.h"
#include "consensus/message.h"
#include "tests/fuzz/fuzz.h"

enum {
	SEGMENT_BLOCKS = JOURNAL_WRITE_BLOCKS,
	SEGMENTS = 3, /* Segment i at i % SEGMENTS: used anew, it is where it was. */
	IMAGE_BLOCKS = SEGMENTS * SEGMENT_BLOCKS,
	WRITES_MAX = 512,
	STEPS_MAX = 400,
	LIVES_MAX = 12,
	ENTRIES_MAX = 16,
	HEADERS_BYTES =
		JOURNAL_BLOCK_HEADER_BYTES + JOURNAL_WRITE_HEADER_BYTES + JOURNAL_RECORD_BYTES,
};

/* A write that was closed: what the reader must tell of it. */
struct known {
	uint64_t number;
	uint32_t bytes;
	uint32_t crc; /* Of the payload. */
	struct journal_write write;
	bool in_flight;
	uint64_t reach; /* One past the highest instance of its runs. */
	uint32_t pins;  /* Bitmask: of whom it holds a record. */
};

static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t image[IMAGE_BLOCKS * JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t supers[SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t blank[JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t buffers[JOURNAL_BUFFERS * JOURNAL_BUFFER_BYTES];
static uint8_t *exact; /* One block on the heap, so that ASan sees a step beyond it. */
static uint8_t payload[JOURNAL_WRITE_PAYLOAD];
static struct journal journal;
static struct journal_reader reader;
static struct superblock superblock;
static struct journal_segments segments;
static uint32_t pinned;        /* Bitmask: of whom a pin was read. */
static uint32_t touched;       /* Blocks of the image that are not blank lie below. */
static uint64_t first_segment; /* Those in front of it have been used anew. */
static uint64_t applied;       /* Instances below are in the snapshot. */

/* The writes that stood, stand or may stand, in order; `durable` of them surely. */
static struct known known[WRITES_MAX];
static uint32_t known_count, durable_count;
static bool damaged, ended;
static uint32_t lives;

static uint64_t place_end(void)
{
	return (first_segment + SEGMENTS) * SEGMENT_BLOCKS;
}

static uint8_t *image_at(uint32_t index)
{
	if (index >= touched)
		touched = index + 1;
	return image + (size_t)index * JOURNAL_BLOCK_BYTES;
}

/* To be written to: never in front of what is there, or behind it. */
static uint8_t *block_at(uint64_t place)
{
	CHECK(place >= first_segment * SEGMENT_BLOCKS && place < place_end());
	return image_at((uint32_t)(place % IMAGE_BLOCKS));
}

/* ---- What is written ---- */

static void append(struct input *in, uint32_t times)
{
	_Alignas(8) uint8_t entries[ENTRIES_MAX * (ENTRY_BYTES + 64)];
	const uint8_t kind = (uint8_t)(1 + input_u8(in) % (JOURNAL_KINDS - 1));
	const uint8_t number = input_u8(in);
	struct journal_record r = {.kind = kind, .ballot = number, .first = number};
	uint32_t bytes = 0;

	if (kind == JOURNAL_PIN) {
		r.first = number % MEMBER_MAX;
		r.ballot = 1 + number;
	} else if (kind == JOURNAL_VOTE || kind == JOURNAL_CHOSEN) {
		r.count = 1 + number % ENTRIES_MAX;
		r.first = number / ENTRIES_MAX * BLOCK;
		for (uint32_t i = 0; i < r.count; i++) {
			const uint32_t length = number % 64;
			const struct entry e = {
				.session = number,
				.sequence_length = entry_pack(ENTRY_COMMAND, i, length),
			};

			memcpy(entries + bytes, &e, sizeof(e));
			memset(entries + bytes + sizeof(e), number,
				entry_bytes(length) - sizeof(e));
			bytes += entry_bytes(length);
		}
		r.bytes = (uint16_t)bytes;
		r.checksum = message_crc(entries, bytes);
	}
	for (; times > 0 && journal_room(&journal, bytes); times--)
		journal_append(&journal, number % JOURNAL_LANES, &r, entries);
}

/* The payload of blocks put together. */
static uint32_t gather(const uint8_t *blocks, uint32_t count)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct journal_block header;
		const uint8_t *block = blocks + (size_t)i * JOURNAL_BLOCK_BYTES;

		memcpy(&header, block, sizeof(header));
		memcpy(payload + bytes, block + sizeof(header), header.bytes);
		bytes += header.bytes;
	}
	return bytes;
}

/* How far the runs of a write reach, and whose pins it holds. */
static uint64_t reach_of(const uint8_t *bytes, uint32_t length, uint32_t *pins)
{
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
	const struct journal_record *r;
	uint64_t reach = 0;

	*pins = 0;
	while ((r = journal_record_next(bytes, length, &offset)) != NULL) {
		if (r->kind == JOURNAL_PIN)
			*pins |= 1u << r->first % MEMBER_MAX;
		if (r->count > 0 && r->first + r->count > reach)
			reach = r->first + r->count;
	}
	return reach;
}

static void close_write(void)
{
	struct known *k = &known[known_count];

	if (known_count == WRITES_MAX || !journal_close(&journal, &k->write))
		return;
	k->number = k->write.number;
	k->bytes = gather(k->write.bytes, k->write.blocks);
	k->crc = message_crc(payload, k->bytes);
	k->reach = reach_of(payload, k->bytes, &k->pins);
	k->in_flight = true;
	known_count++;
}

/* The choice-th write in flight, or NULL. */
static struct known *in_flight(uint8_t choice)
{
	if (known_count == durable_count)
		return NULL;
	struct known *k = &known[durable_count + choice % (known_count - durable_count)];

	return k->in_flight ? k : NULL;
}

static void write_blocks(const struct known *k, uint8_t mask)
{
	for (uint32_t i = 0; i < k->write.blocks; i++)
		if ((mask >> i % 8 & 1) != 0)
			memcpy(block_at(k->write.place + i),
				k->write.bytes + (size_t)i * JOURNAL_BLOCK_BYTES,
				JOURNAL_BLOCK_BYTES);
}

static void write_superblock(const struct known *k)
{
	if (k->write.superblock != NULL)
		memcpy(supers + k->write.superblock_slot * JOURNAL_BLOCK_BYTES, k->write.superblock,
			JOURNAL_BLOCK_BYTES);
}

static void complete(struct known *k)
{
	write_blocks(k, 0xff);
	write_superblock(k);
	k->in_flight = false;
	journal_completed(&journal, k->number);
	while (durable_count < known_count && known[durable_count].number <= journal.durable.number)
		durable_count++;
}

/* A snapshot of all below `instance` is on the disk. */
static void keep_snapshot(uint64_t instance)
{
	applied = instance > applied ? instance : applied;
	journal_anchor(&journal, applied);
}

static void recycle(void)
{
	while (first_segment < journal_free(&journal))
		first_segment++;
	journal_extend(&journal, place_end());
}

/* ---- What is read ---- */

static void records_are_whole(const struct journal_found *f)
{
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
	const struct journal_record *r;

	CHECK(f->bytes >= JOURNAL_WRITE_HEADER_BYTES && f->bytes <= JOURNAL_WRITE_PAYLOAD);
	while ((r = journal_record_next(f->payload, f->bytes, &offset)) != NULL) {
		CHECK(offset <= f->bytes && r->kind >= 1 && r->kind < JOURNAL_KINDS);
		CHECK(r->shard < SHARD_MAX);
		CHECK(r->checksum == (r->bytes == 0 ? 0 : message_crc(r + 1, r->bytes)));
		CHECK(entries_valid((const uint8_t *)(r + 1), r->bytes,
			r->bytes == 0 ? 0 : r->count));
	}
	CHECK(offset == f->bytes);
}

/* The first write that stands behind the superblock's anchor. */
static uint32_t first_behind(void)
{
	uint32_t first = 0;

	while (first < known_count && known[first].number <= superblock.anchor_number)
		first++;
	return first;
}

/* Is the segment there in which its anchor stands? */
static bool is_there(const struct superblock *s)
{
	const uint64_t segment = s->anchor_place / SEGMENT_BLOCKS;

	return segment >= first_segment && segment < first_segment + SEGMENTS;
}

/* Reads all; returns how many of the writes are known now. */
static uint32_t read_all(struct journal_end *end)
{
	/* Behind what was touched all is blank, as long as it is in order. */
	const uint64_t all = first_segment == 0 ? touched : place_end();
	const struct journal_found *f;
	uint32_t told = damaged ? 0 : first_behind();
	uint64_t last = superblock.anchor_number;

	journal_reader_init(&reader, &superblock);
	journal_segments_init(&segments, &superblock);
	pinned = 0;
	for (uint64_t place = superblock.anchor_place; place < all; place++) {
		uint32_t members;

		memcpy(exact, image + place % IMAGE_BLOCKS * JOURNAL_BLOCK_BYTES,
			JOURNAL_BLOCK_BYTES);
		journal_reader_block(&reader, place, exact);
		while ((f = journal_reader_take(&reader)) != NULL) {
			records_are_whole(f);
			CHECK(f->number > last && f->place_after <= place + JOURNAL_WRITE_BLOCKS);
			last = f->number;
			journal_segments_add(&segments, f->place_after - 1, f->number, f->chain,
				reach_of(f->payload, f->bytes, &members));
			pinned |= members;
			if (!damaged) {
				CHECK(told < known_count && f->number == known[told].number);
				CHECK(f->bytes == known[told].bytes && !f->follows_damage);
				CHECK(message_crc(f->payload, f->bytes) == known[told].crc);
			}
			told++;
		}
	}
	journal_reader_end(&reader, end);
	CHECK(end->previous == last && end->number > last);
	return told;
}

/* What the superblock says of what stands in front of its anchor. */
static void check_trimmed(void)
{
	for (uint32_t i = 0; i < first_behind(); i++) {
		/* J15 */
		CHECK(known[i].reach <=
			superblock.anchor_applied - superblock.anchor_applied % BLOCK);
		/* J12 */
		for (uint32_t m = 0; m < MEMBER_MAX; m++)
			CHECK((known[i].pins >> m & 1) == 0 || superblock.pins[m] != 0);
	}
}

/* J13: either superblock may be the only one that can be read. */
static void read_from_each(void)
{
	static uint8_t one[sizeof(supers)];
	struct journal_end end;

	for (uint32_t slot = 0; slot < SUPERBLOCK_SLOTS; slot++) {
		memcpy(one, supers, sizeof(one));
		one[(1 - slot) * JOURNAL_BLOCK_BYTES] ^= 1;
		CHECK(superblock_read(one, &superblock) == SUPERBLOCK_ONE_LOST);
		CHECK(is_there(&superblock));
		check_trimmed();
		uint32_t told = read_all(&end);

		/* J14 */
		CHECK(end.verdict == JOURNAL_CLEAN || end.verdict == JOURNAL_TORN);
		CHECK(told >= durable_count && told <= known_count);
	}
}

/* Its superblock is on the disk before anything else. */
static void begin_life(const struct journal_end *end)
{
	const struct journal_start start = {
		.place = end->place,
		.number = end->number,
		.previous = end->previous,
		.chain = end->chain,
		.segments = &segments,
	};

	uint8_t block[JOURNAL_BLOCK_BYTES];

	superblock.life++;
	for (uint32_t m = 0; m < MEMBER_MAX; m++)
		if ((pinned >> m & 1) != 0)
			superblock.pins[m] = 1;
	superblock_seal(&superblock, block);
	memcpy(supers + superblock.sequence % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES, block,
		sizeof(block));
	journal_init(&journal, &superblock, &start, place_end(), buffers);
	applied = superblock.anchor_applied;
	lives++;
}

/* A superblock of this journal, whose segment is there. */
static bool read_superblocks(void)
{
	const struct superblock wanted = superblock;
	enum superblock_result result = superblock_read(supers, &superblock);

	return (result == SUPERBLOCK_OK || result == SUPERBLOCK_ONE_LOST) &&
		superblock_mismatch(&superblock, &wanted) == NULL && is_there(&superblock);
}

static void restart(void)
{
	struct journal_end end;
	uint32_t told;

	if (!damaged)
		read_from_each();
	if (!read_superblocks()) {
		CHECK(damaged);
		ended = true;
		return;
	}
	told = read_all(&end);
	/* An empty journal stays out; so does one whose place is not ours. */
	if (end.verdict == JOURNAL_EMPTY || end.place > place_end() || lives == LIVES_MAX) {
		ended = true;
		return;
	}
	known_count = damaged ? 0 : told;
	durable_count = known_count;
	begin_life(&end);
}

/* ---- What goes wrong ---- */

static void change(struct input *in, uint8_t *block)
{
	const uint16_t choice = input_u16(in);
	/* Half of them in the headers. */
	const uint32_t below = choice >> 15 != 0 ? HEADERS_BYTES : JOURNAL_BLOCK_BYTES;
	const uint32_t at = choice % below;
	const uint8_t how = input_u8(in);

	damaged = true;
	block[at] ^= (uint8_t)(1 + how / 2);
	if (how % 2 == 0)
		journal_block_seal(block);
}

/* The records of a write in one block are chained anew, and the block sealed: only what its fields
 * say can be wrong. */
static void chain_again(uint8_t *block)
{
	uint8_t *at = block + JOURNAL_BLOCK_HEADER_BYTES;
	struct journal_write_header header;
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
	uint32_t chain;

	memcpy(&header, at, sizeof(header));
	chain = header.chain;
	for (uint32_t i = 0; i < header.records; i++) {
		struct journal_record r;

		if (offset + sizeof(r) > JOURNAL_BLOCK_PAYLOAD)
			break;
		memcpy(&r, at + offset, sizeof(r));
		if (offset + sizeof(r) + r.bytes <= JOURNAL_BLOCK_PAYLOAD)
			r.checksum =
				r.bytes == 0 ? 0 : message_crc(at + offset + sizeof(r), r.bytes);
		r.chain = journal_chain_record(chain, &r);
		chain = r.chain;
		memcpy(at + offset, &r, sizeof(r));
		offset += (uint32_t)sizeof(r) + r.bytes;
	}
	journal_block_seal(block);
}

/* Of exactly its size, so that ASan sees a step beyond it. */
static void check_payload(const uint8_t *block)
{
	struct journal_block header;
	uint8_t *copy;

	memcpy(&header, block, sizeof(header));
	if (header.bytes == 0 || header.bytes > JOURNAL_BLOCK_PAYLOAD)
		return;
	copy = malloc(header.bytes);
	CHECK(copy != NULL);
	memcpy(copy, block + sizeof(header), header.bytes);
	journal_payload_check(copy, header.bytes);
	free(copy);
}

/* Superblocks as they are: whatever reads as one leads the reader to no harm. */
static void read_with_superblocks(void)
{
	const struct superblock own = superblock;
	struct journal_end end;
	enum superblock_result result = superblock_read(supers, &superblock);

	if ((result == SUPERBLOCK_OK || result == SUPERBLOCK_ONE_LOST) && is_there(&superblock)) {
		CHECK(superblock.shards >= 1 && superblock.shards <= SHARD_MAX);
		read_all(&end);
	}
	superblock = own;
}

static void change_superblock(struct input *in)
{
	uint8_t *block = supers + input_u8(in) % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES;
	const uint8_t at = input_u8(in) % SUPERBLOCK_BYTES;

	damaged = true;
	block[at] ^= input_u8(in);
	if (at % 8 != 7)
		journal_block_seal(block); /* The crc stands in front of both kinds. */
	read_with_superblocks();
}

static void step(struct input *in)
{
	const uint8_t kind = input_u8(in);
	struct known *k;
	uint8_t *block;

	switch (kind % 8) {
	case 0:
	case 1:
		append(in, 1u << kind / 8 % 4 * 2);
		return;
	case 2:
		close_write();
		return;
	case 3:
		if ((k = in_flight(kind / 8)) != NULL)
			complete(k);
		return;
	case 4:
		if ((k = in_flight(kind / 8 % 16)) != NULL) {
			write_blocks(k, input_u8(in));
			if (kind / 128 != 0)
				write_superblock(k);
		}
		return;
	case 5:
		if (kind / 8 % 4 == 1)
			keep_snapshot(input_u8(in) * (BLOCK / 8ull));
		else if (kind / 8 % 4 == 2)
			recycle();
		else
			restart();
		return;
	case 6:
		block = image_at(input_u8(in) % touched);
		change(in, block);
		if (kind / 8 % 4 == 0)
			chain_again(block);
		check_payload(block);
		return;
	default:
		if (kind / 8 % 4 == 0) {
			change_superblock(in);
			return;
		}
		damaged = true;
		block = image_at(input_u8(in) % touched);
		memcpy(image_at(input_u8(in) % IMAGE_BLOCKS), block, JOURNAL_BLOCK_BYTES);
	}
}

/* ---- Start ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	exact = aligned_alloc(JOURNAL_BLOCK_BYTES, JOURNAL_BLOCK_BYTES);
	CHECK(exact != NULL);
	superblock.uuid = 0x1234567890abcdefull;
	journal_block_blank(blank, superblock.uuid);
	touched = IMAGE_BLOCKS;
	return 0;
}

static void start(void)
{
	superblock = (struct superblock){
		.uuid = 0x1234567890abcdefull,
		.shards = 1,
		.block = BLOCK,
		.block_bytes = JOURNAL_BLOCK_BYTES,
		.segment_blocks = SEGMENT_BLOCKS,
	};
	for (uint32_t i = 0; i < touched; i++)
		memcpy(image + i * JOURNAL_BLOCK_BYTES, blank, JOURNAL_BLOCK_BYTES);
	touched = 0;
	first_segment = 0;
	journal_format(&superblock, block_at(0));
	superblock_seal(&superblock, supers + JOURNAL_BLOCK_BYTES);
	superblock_seal(&superblock, supers);
	known[0] = (struct known){.number = 1, .bytes = gather(image, 1)};
	known[0].crc = message_crc(payload, known[0].bytes);
	known_count = 1;
	durable_count = 1;
	damaged = false;
	ended = false;
	lives = 0;
	restart();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.bytes = data, .left = size};

	start();
	for (uint32_t i = 0; i < STEPS_MAX && in.left > 0 && !ended; i++)
		step(&in);
	if (!ended)
		restart();
	return 0;
}
