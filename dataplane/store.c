#include "dataplane/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_mempool.h>

#include "dataplane/heap.h"

enum {
	READ_BYTES = 1 << 20,
	SEGMENTS_AHEAD = 2, /* As many whole segments are kept ahead of the writing. */
	MBUF_EXTRA = 512,   /* Of each mbuf, besides the record's entries. */
};

/* ---- Whose it is ---- */

static bool check_owner(const struct store *s, const struct config *config, uint32_t replica,
	char *error, size_t size)
{
	const struct superblock *b = &s->superblock;

	if (b->cluster != config->cluster_id || b->node != replica) {
		snprintf(error, size,
			"journal.directory: %s is that of replica %" PRIu32 " of cluster %" PRIu32
			", not of replica %" PRIu32 " of cluster %" PRIu32
			": give each replica its own.",
			s->directory.path, b->node, b->cluster, replica, config->cluster_id);
		return false;
	}
	if (b->shards != config->shards || b->block != BLOCK ||
		b->block_bytes != JOURNAL_BLOCK_BYTES) {
		snprintf(error, size,
			"shards: %s was formatted for %" PRIu32 " shards with blocks of %" PRIu32
			" instances, not %" PRIu32
			" with %d: give it the file and the program that it "
			"was formatted with.",
			s->directory.path, b->shards, b->block, config->shards, BLOCK);
		return false;
	}
	if (b->config_hash != config_hash(config)) {
		snprintf(error, size,
			"%s: %s was formatted with another file: one of the keys that all replicas "
			"have alike (config/README.md marks them) differs: give the file that it was "
			"formatted with.",
			config->path, s->directory.path);
		return false;
	}
	return true;
}

static bool read_superblocks(struct store *s, char *error, size_t size)
{
	const size_t bytes = SUPERBLOCK_SLOTS * (size_t)JOURNAL_BLOCK_BYTES;
	uint8_t *blocks = aligned_alloc(JOURNAL_BLOCK_BYTES, bytes);
	bool ok = false;

	if (blocks == NULL) {
		snprintf(error, size, "out of memory.");
		return false;
	}
	if (directory_read_superblocks(&s->directory, blocks, error, size)) {
		s->superblock_result = superblock_read(blocks, &s->superblock);
		switch (s->superblock_result) {
		case SUPERBLOCK_OK:
		case SUPERBLOCK_ONE_LOST:
			ok = true;
			break;
		case SUPERBLOCK_VERSION:
			snprintf(error, size,
				"%s/superblock is of another version of paxwire: start the version that "
				"wrote it.",
				s->directory.path);
			break;
		case SUPERBLOCK_NONE:
			snprintf(error, size,
				"%s/superblock is damaged or none of ours: this member has lost its "
				"promises and must be replaced.",
				s->directory.path);
			break;
		}
	}
	free(blocks);
	return ok;
}

bool store_open(struct store *s, const struct config *config, uint32_t replica, char *error,
	size_t size)
{
	memset(s, 0, sizeof(*s));
	if (!directory_open(&s->directory, config, replica, error, size))
		return false;
	if (read_superblocks(s, error, size) && check_owner(s, config, replica, error, size))
		return true;
	directory_close(&s->directory);
	return false;
}

/* ---- Reading back ---- */

bool store_read(struct store *s, void (*found)(void *context, const struct journal_found *write),
	void *context, struct journal_end *end, char *error, size_t size)
{
	struct journal_reader *reader = calloc(1, sizeof(*reader));
	uint8_t *blocks = aligned_alloc(JOURNAL_BLOCK_BYTES, READ_BYTES);
	const struct superblock *b = &s->superblock;
	const uint64_t all = (uint64_t)s->directory.segments_count * b->segment_blocks;
	const struct journal_found *write;
	bool ok = reader != NULL && blocks != NULL;

	if (!ok)
		snprintf(error, size, "out of memory.");
	else
		journal_reader_init(reader, b);
	for (uint64_t place = b->anchor_place; ok && place < all;) {
		uint64_t within = place % b->segment_blocks;
		uint64_t count = b->segment_blocks - within;

		count = count < READ_BYTES / JOURNAL_BLOCK_BYTES ? count
								 : READ_BYTES / JOURNAL_BLOCK_BYTES;
		ok = directory_read(&s->directory, (uint32_t)(place / b->segment_blocks),
			within * JOURNAL_BLOCK_BYTES, blocks, count * JOURNAL_BLOCK_BYTES, error,
			size);
		for (uint64_t i = 0; ok && i < count; i++, place++) {
			journal_reader_block(reader, place, blocks + i * JOURNAL_BLOCK_BYTES);
			while ((write = journal_reader_take(reader)) != NULL)
				found(context, write);
		}
	}
	if (ok)
		journal_reader_end(reader, end);
	s->read_bytes = (all - b->anchor_place) * JOURNAL_BLOCK_BYTES;
	free(blocks);
	free(reader);
	return ok;
}

/* ---- Starting ---- */

static bool write_superblock(struct store *s, char *error, size_t size)
{
	struct superblock *b = &s->superblock;
	uint8_t *block = aligned_alloc(JOURNAL_BLOCK_BYTES, JOURNAL_BLOCK_BYTES);
	bool ok = block != NULL;

	if (ok) {
		superblock_seal(b, block);
		ok = directory_write_superblock(&s->directory,
			(uint32_t)(b->sequence % SUPERBLOCK_SLOTS), block, error, size);
	} else {
		snprintf(error, size, "out of memory.");
	}
	free(block);
	return ok;
}

static bool memory_create(struct store *s, const struct config *config)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	bool ok;

	snprintf(name, sizeof(name), "journal_%u", s->superblock.node);
	s->buffers = aligned_alloc(JOURNAL_BLOCK_BYTES, STORE_BUFFERS_BYTES);
	s->blank = aligned_alloc(JOURNAL_BLOCK_BYTES, JOURNAL_BLOCK_BYTES);
	s->pool = lane_pool_create(name, STORE_MBUFS, config->mtu);
	ok = s->buffers != NULL && s->blank != NULL && s->pool != NULL;
	for (uint32_t lane = 0; ok && lane < JOURNAL_LANES; lane++) {
		if (lane >= config->shards && lane != JOURNAL_LANE_LEADER)
			continue;
		s->lanes_mask |= 1u << lane;
		snprintf(name, sizeof(name), "j%u_%u", s->superblock.node, lane);
		ok = lane_create(&s->lanes[lane].lane, name, s->pool);
	}
	if (!ok)
		return false;
	memset(s->buffers, 0, STORE_BUFFERS_BYTES);
	memset(s->blank, 0, JOURNAL_BLOCK_BYTES);
	journal_block_blank(s->blank, s->superblock.uuid);
	return true;
}

bool store_start(struct store *s, const struct config *config,
	const struct replica_settings *settings, struct outlet *outlet,
	const struct superblock *life, const struct journal_start *start, char *error, size_t size)
{
	const struct disk_port port = {.context = s, .submit = journal_submit};

	s->depth = config->journal.depth;
	s->superblock = *life;
	if (!memory_create(s, config)) {
		snprintf(error, size,
			"the journal of replica %" PRIu32
			" does not fit the memory that DPDK has: give it more with -m.",
			life->node);
		return false;
	}
	if (!write_superblock(s, error, size) ||
		!disk_open(&s->disk, &s->directory, s->buffers, STORE_BUFFERS_BYTES, NULL, error,
			size))
		return false;
	s->segments = s->directory.segments_count;
	journal_stage_init(&s->stage, settings, outlet, &port, &s->superblock, start,
		(uint64_t)s->segments * s->superblock.segment_blocks, s->buffers);
	s->poll = (struct stage){.name = "journal", .poll = journal_poll, .self = s};
	s->started = true;
	return true;
}

struct journal_port store_port(struct store *s, uint32_t lane)
{
	return (struct journal_port){
		.context = &s->lanes[lane].lane,
		.room = lane_room,
		.append = lane_append,
	};
}

uint64_t store_bytes(const struct config *config)
{
	return config->durability == DURABILITY_NONE
		? 0
		: (uint64_t)STORE_MBUFS * (config->mtu + MBUF_EXTRA);
}

/* ---- Running ---- */

/* False: a sentence; what is there can still be written. */
static bool extend(struct store *s, char *error, size_t size)
{
	uint64_t place = __atomic_load_n(&s->stage.journal.place, __ATOMIC_RELAXED);
	uint64_t ahead = disk_segments(&s->disk) - place / s->superblock.segment_blocks;

	if (ahead > SEGMENTS_AHEAD || __atomic_load_n(&s->exhausted, __ATOMIC_RELAXED) ||
		disk_add_segment(&s->disk, s->blank, error, size))
		return true;
	__atomic_store_n(&s->exhausted, true, __ATOMIC_RELAXED);
	return false;
}

bool store_attend(struct store *s, char *sentence, size_t size)
{
	if (disk_stopped(&s->disk)) {
		if (s->said)
			return false;
		s->said = true;
		snprintf(sentence, size,
			"%.350s: this replica votes no more; mend the disk, and start it again.",
			s->disk.cause);
		return true;
	}
	return !extend(s, sentence, size);
}

/* Everything that was appended reaches the disk. Bounded: each turn writes, or waits for a write.
 * False: it did not all. */
static bool drain(struct store *s)
{
	const struct timespec nap = {.tv_nsec = 100000};
	uint64_t now_ns = UINT64_MAX / 2;
	uint32_t quiet = 0;

	/* Some turns without work, nothing in flight, and the time of the lazy notes gone by. */
	while (quiet < 3 && !s->stage.failed) {
		now_ns += 1000000000;
		quiet = journal_poll(s, now_ns) == 0 && disk_in_flight(&s->disk) == 0 ? quiet + 1
										      : 0;
		if (disk_in_flight(&s->disk) > 0)
			nanosleep(&nap, NULL);
	}
	for (uint32_t lane = 0; lane < JOURNAL_LANES; lane++)
		if (s->lanes[lane].at < s->lanes[lane].count)
			return false;
	return !s->stage.failed && !journal_urgent(&s->stage.journal) &&
		!journal_lazy(&s->stage.journal);
}

void store_close(struct store *s)
{
	char error[CONFIG_ERROR_MAX];

	if (s->started) {
		bool all = drain(s);

		disk_close(&s->disk);
		/* The promises that went with a write are in its superblock. */
		s->superblock = s->stage.journal.superblock;
		s->superblock.clean = 1;
		/* If it can not be written the next start takes the end for what it then was. */
		if (all)
			write_superblock(s, error, sizeof(error));
	}
	for (uint32_t lane = 0; lane < JOURNAL_LANES; lane++) {
		struct store_lane *l = &s->lanes[lane];

		for (; l->at < l->count; l->at++)
			rte_pktmbuf_free(l->taken[l->at].mbuf);
		lane_destroy(&l->lane);
	}
	rte_mempool_free(s->pool);
	free(s->blank);
	free(s->buffers);
	directory_close(&s->directory);
	s->started = false;
}
