#include "tests/sim/disk.h"

#include <string.h>

static uint8_t *block_at(struct disk *d, uint64_t place)
{
	return d->image + place % DISK_BLOCKS * JOURNAL_BLOCK_BYTES;
}

void disk_extend(struct disk *d, uint64_t uuid)
{
	if (d->faults.full || d->blocks + DISK_SEGMENT > d->first + DISK_BLOCKS)
		return;
	journal_block_blank(block_at(d, d->blocks), uuid);
	for (uint64_t i = 1; i < DISK_SEGMENT; i++)
		memcpy(block_at(d, d->blocks + i), block_at(d, d->blocks), JOURNAL_BLOCK_BYTES);
	d->blocks += DISK_SEGMENT;
}

void disk_recycle(struct disk *d)
{
	d->steps++;
	/* Of a full disk the freed segment's blocks are those of its new name already. */
	if (d->blocks != d->first + DISK_BLOCKS)
		memcpy(block_at(d, d->blocks), block_at(d, d->first),
			DISK_SEGMENT * (size_t)JOURNAL_BLOCK_BYTES);
	d->first += DISK_SEGMENT;
	d->blocks += DISK_SEGMENT;
}

void disk_keep(struct disk *d, const uint8_t *bytes, uint64_t length, uint64_t instance,
	uint64_t now_ns)
{
	const struct disk_faults *f = &d->faults;

	if (d->snapshot_at_ns != UINT64_MAX || f->cramped || length > DISK_SNAPSHOT_BYTES)
		return;
	d->steps++;
	memcpy(d->snapshot_next, bytes, length);
	d->snapshot_next_length = (uint32_t)length;
	d->snapshot_instance = instance;
	d->snapshot_at_ns =
		now_ns + 2 * (f->delay_min_ns + random_below(d->random, f->delay_max_ns + 1));
}

static void put_snapshot(struct disk *d)
{
	memcpy(d->snapshot, d->snapshot_next, d->snapshot_next_length);
	d->snapshot_length = d->snapshot_next_length;
}

bool disk_kept(struct disk *d, uint64_t now_ns, uint64_t *instance)
{
	if (d->snapshot_at_ns > now_ns)
		return false;
	d->steps++;
	d->snapshot_at_ns = UINT64_MAX;
	put_snapshot(d);
	*instance = d->snapshot_instance;
	return true;
}

void disk_put_superblock(struct disk *d, struct superblock *superblock)
{
	_Alignas(8) uint8_t block[JOURNAL_BLOCK_BYTES];

	superblock_seal(superblock, block);
	memcpy(d->superblocks + superblock->sequence % SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES,
		block, JOURNAL_BLOCK_BYTES);
}

void disk_format(struct disk *d, struct random *random, struct superblock *superblock)
{
	d->random = random;
	d->faults = (struct disk_faults){.delay_min_ns = 10000, .delay_max_ns = 60000};
	d->faults_count = 0;
	d->first = 0;
	d->blocks = 0;
	d->written = 1;
	d->steps = 0;
	d->snapshot_at_ns = UINT64_MAX;
	d->snapshot_length = 0;
	d->lost_number = 0;
	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++)
		d->flights[i].at_ns = UINT64_MAX;
	disk_extend(d, superblock->uuid);
	journal_format(superblock, block_at(d, 0));
	disk_put_superblock(d, superblock);
	disk_put_superblock(d, superblock);
}

/* One is remembered, to be put back: there is no second one until then. */
static bool may_lose(const struct disk *d)
{
	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++)
		if (d->flights[i].at_ns != UINT64_MAX && d->flights[i].loses)
			return false;
	return d->lost_number == 0;
}

void disk_submit(struct disk *d, const struct journal_write *w, uint64_t now_ns)
{
	const struct disk_faults *f = &d->faults;
	struct disk_flight *flight = d->flights;
	bool loses = f->loses_next && may_lose(d) && w->superblock == NULL;

	while (flight->at_ns != UINT64_MAX)
		flight++;
	d->steps++;
	flight->write = *w;
	d->written = w->place + w->blocks;
	flight->at_ns = now_ns + f->delay_min_ns +
		random_below(d->random, f->delay_max_ns - f->delay_min_ns + 1);
	flight->fails = f->fails_next;
	flight->loses = loses;
	d->faults_count += flight->fails + flight->loses;
	d->faults.fails_next = false;
	d->faults.loses_next = f->loses_next && !flight->loses;
}

uint64_t disk_next_ns(const struct disk *d)
{
	uint64_t at = d->snapshot_at_ns;

	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++)
		at = d->flights[i].at_ns < at ? d->flights[i].at_ns : at;
	return at;
}

static void put_block(struct disk *d, const struct journal_write *w, uint32_t i)
{
	memcpy(block_at(d, w->place + i), w->bytes + (size_t)i * JOURNAL_BLOCK_BYTES,
		JOURNAL_BLOCK_BYTES);
}

static void put_superblock(struct disk *d, const struct journal_write *w)
{
	if (w->superblock != NULL)
		memcpy(d->superblocks + (size_t)w->superblock_slot * JOURNAL_BLOCK_BYTES,
			w->superblock, JOURNAL_BLOCK_BYTES);
}

/* Does this write, which is on the disk now, say that the lost one was durable? */
static void look_for_proof(struct disk *d, const struct journal_write *w)
{
	struct journal_write_header header;

	memcpy(&header, w->bytes + JOURNAL_BLOCK_HEADER_BYTES, sizeof(header));
	if (d->lost_number != 0 && header.durable >= d->lost_number)
		d->lost_is_proved = true;
}

static void lose(struct disk *d, const struct journal_write *w)
{
	d->lost_number = w->number;
	d->lost_place = w->place;
	d->lost_blocks = w->blocks;
	d->lost_is_proved = false;
	memcpy(d->lost, w->bytes, (size_t)w->blocks * JOURNAL_BLOCK_BYTES);
}

bool disk_take(struct disk *d, uint64_t now_ns, uint64_t *number, bool *failed)
{
	struct disk_flight *flight = NULL;

	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++)
		if (d->flights[i].at_ns <= now_ns &&
			(flight == NULL || d->flights[i].at_ns < flight->at_ns))
			flight = &d->flights[i];
	if (flight == NULL)
		return false;
	d->steps++;
	flight->at_ns = UINT64_MAX;
	*number = flight->write.number;
	*failed = flight->fails;
	if (flight->loses)
		lose(d, &flight->write);
	for (uint32_t i = 0; i < flight->write.blocks && !flight->loses; i++)
		if (!flight->fails || random_percent(d->random, 50))
			put_block(d, &flight->write, i);
	if (!flight->fails && !flight->loses) {
		put_superblock(d, &flight->write);
		look_for_proof(d, &flight->write);
	}
	return true;
}

void disk_crash(struct disk *d)
{
	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++) {
		struct disk_flight *flight = &d->flights[i];
		uint32_t percent = (uint32_t)random_below(d->random, 3) * 50;

		if (flight->at_ns == UINT64_MAX)
			continue;
		flight->at_ns = UINT64_MAX;
		for (uint32_t b = 0; b < flight->write.blocks; b++)
			if (random_percent(d->random, percent))
				put_block(d, &flight->write, b);
		if (random_percent(d->random, percent))
			put_superblock(d, &flight->write);
	}
	if (d->snapshot_at_ns != UINT64_MAX && random_percent(d->random, 50))
		put_snapshot(d);
	d->snapshot_at_ns = UINT64_MAX;
	if (d->lost_number != 0 && !d->lost_is_proved)
		memcpy(block_at(d, d->lost_place), d->lost,
			(size_t)d->lost_blocks * JOURNAL_BLOCK_BYTES);
	d->lost_number = 0;
	d->faults.fails_next = false;
	d->faults.loses_next = false;
}

void disk_flip(struct disk *d)
{
	uint64_t bit = random_below(d->random, JOURNAL_BLOCK_BYTES * 8);
	uint64_t used = d->written - d->first;
	uint8_t *block = block_at(d, d->first + random_below(d->random, used));

	/* The last ones tell most. */
	if (random_percent(d->random, 50))
		block = block_at(d, d->written - 1 - random_below(d->random, used < 6 ? used : 6));
	if (random_percent(d->random, 10))
		block = d->superblocks +
			random_below(d->random, SUPERBLOCK_SLOTS) * JOURNAL_BLOCK_BYTES;
	if (d->snapshot_length > 0 && random_percent(d->random, 20)) {
		block = d->snapshot;
		bit = random_below(d->random, d->snapshot_length * 8ull);
	}
	block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	d->faults_count++;
}

void disk_tear_before(struct disk *d, uint64_t uuid)
{
	for (uint32_t i = 0; i < JOURNAL_DEPTH; i++)
		if (d->flights[i].at_ns != UINT64_MAX && d->flights[i].write.place > d->first)
			journal_block_blank(block_at(d, d->flights[i].write.place - 1), uuid);
}
