#include "dataplane/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_mempool.h>

#include "dataplane/format.h"
#include "dataplane/heap.h"
#include "dataplane/snapshot_file.h"

enum {
	READ_BYTES = 1 << 20,
	SEGMENTS_AHEAD = 2, /* As many whole segments are kept ahead of the writing. */
	MBUF_EXTRA = 512,   /* Of each mbuf, besides the record's entries. */
};

#define SNAPSHOT_RETRY_NS 5000000000ull /* On a full disk. */

/* ---- Whose it is ---- */

static bool check_owner(const struct store *s, const struct config *config, uint32_t replica,
	char *error, size_t size)
{
	const struct superblock wanted = format_superblock(config, replica);
	const char *wrong = superblock_mismatch(&s->superblock, &wanted);

	if (wrong != NULL)
		snprintf(error, size, "journal.directory: %s: %s", s->directory.path, wrong);
	return wrong == NULL;
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

/* Those in front of the anchor are free: a crash came before they were used anew. */
static bool check_segments(const struct store *s, char *error, size_t size)
{
	const struct directory *d = &s->directory;
	uint64_t first = s->superblock.anchor_place / s->superblock.segment_blocks;

	if (first >= d->segments_first && first < d->segments_end)
		return true;
	snprintf(error, size,
		"journal.directory: %s/segment-%04" PRIu64
		", where the journal begins, is not there: give it back; if it is lost, so are "
		"promises, and this member must be replaced.",
		d->path, first);
	return false;
}

bool store_open(struct store *s, const struct config *config, uint32_t replica, char *error,
	size_t size)
{
	memset(s, 0, sizeof(*s));
	if (!directory_open(&s->directory, config, replica, error, size))
		return false;
	if (read_superblocks(s, error, size) && check_owner(s, config, replica, error, size) &&
		check_segments(s, error, size)) {
		snapshot_file_clean(&s->directory);
		return true;
	}
	directory_close(&s->directory);
	return false;
}

/* ---- Reading back ---- */

uint64_t store_read_snapshot(struct store *s, uint8_t *to, uint64_t room)
{
	char error[CONFIG_ERROR_MAX];
	uint64_t length;

	/* Why not does not matter: the journal can do without, or does not, and says so then. */
	return snapshot_file_read(&s->directory, to, room, &length, error, sizeof(error)) ? length
											  : 0;
}

void store_loaded(struct store *s, uint64_t instance)
{
	s->stable = instance;
	s->snapshot_lost = instance < s->superblock.anchor_applied;
	s->loss_said = !s->snapshot_lost;
}

bool store_read(struct store *s, void (*found)(void *context, const struct journal_found *write),
	void *context, struct journal_end *end, char *error, size_t size)
{
	struct journal_reader *reader = calloc(1, sizeof(*reader));
	uint8_t *blocks = aligned_alloc(JOURNAL_BLOCK_BYTES, READ_BYTES);
	const struct superblock *b = &s->superblock;
	const uint64_t all = s->directory.segments_end * b->segment_blocks;
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
		ok = directory_read(&s->directory, place / b->segment_blocks,
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
	s->segments = s->directory.segments_end;
	s->snapshot_segments = config->journal.snapshot_segments;
	s->segments_most = store_segments_most(config);
	s->asked = s->superblock.anchor_place / s->superblock.segment_blocks;
	journal_stage_init(&s->stage, settings, outlet, &port, &s->superblock, start,
		s->segments * s->superblock.segment_blocks, s->buffers);
	s->poll = (struct stage){.name = "journal", .poll = journal_poll, .self = s};
	s->started = true;
	return true;
}

struct journal_port store_port(struct store *s, uint32_t lane, bool near)
{
	struct store_lane *l = &s->lanes[lane];

	l->journal = journal_stage_port(&s->stage, lane);
	return (struct journal_port){
		.context = near ? (void *)l : &l->lane,
		.room = near ? journal_near_room : lane_room,
		.append = near ? journal_near_append : lane_append,
	};
}

uint64_t store_bytes(const struct config *config)
{
	return config->durability == DURABILITY_NONE
		? 0
		: (uint64_t)STORE_MBUFS * (config->mtu + MBUF_EXTRA);
}

/* ---- Running ---- */

/* In which the journal writes, or will next. */
static uint64_t segment_now(const struct store *s)
{
	return __atomic_load_n(&s->stage.journal.place, __ATOMIC_RELAXED) /
		s->superblock.segment_blocks;
}

static bool exhaust(struct store *s)
{
	__atomic_store_n(&s->exhausted, true, __ATOMIC_RELAXED);
	return false;
}

/* Free segments go to the end at once: the more there are ahead, the longer may control be busy with
 * a snapshot. Those beyond the bound, which came while none could be kept, go for good. False: a
 * sentence. */
static bool recycle(struct store *s, char *error, size_t size)
{
	uint64_t freed = __atomic_load_n(&s->freed, __ATOMIC_ACQUIRE); /* Pairs with journal.c. */
	const struct directory *d = &s->directory;

	while (d->segments_first < freed) {
		bool surplus = d->segments_end - d->segments_first > s->segments_most;

		if (surplus ? !disk_drop_segment(&s->disk, error, size)
			    : !disk_recycle_segment(&s->disk, error, size))
			return exhaust(s);
		/* Where there was no room for more, there is one again. */
		__atomic_store_n(&s->exhausted, false, __ATOMIC_RELAXED);
	}
	return true;
}

/* False: a sentence; what is there can still be written. */
static bool extend(struct store *s, char *error, size_t size)
{
	if (disk_segments(&s->disk) - segment_now(s) > SEGMENTS_AHEAD ||
		__atomic_load_n(&s->exhausted, __ATOMIC_RELAXED) ||
		disk_add_segment(&s->disk, s->blank, error, size))
		return true;
	return exhaust(s);
}

bool store_attend(struct store *s, char *sentence, size_t size)
{
	char error[CONFIG_ERROR_MAX];

	if (disk_stopped(&s->disk)) {
		if (s->said)
			return false;
		s->said = true;
		snprintf(sentence, size,
			"%.350s: this replica votes no more; mend the disk, and start it again.",
			s->disk.cause);
		return true;
	}
	if (!s->loss_said) {
		s->loss_said = true;
		snprintf(sentence, size,
			"%.300s/snapshot is damaged or not there, and the journal begins behind it: this "
			"replica votes, and executes nothing until it has a snapshot of another.",
			s->directory.path);
		return true;
	}
	if (recycle(s, error, sizeof(error)) && extend(s, error, sizeof(error)))
		return false;
	snprintf(sentence, size,
		"%.350s This replica votes no more once its last segment is full: make room, and start "
		"it again if it stands.",
		error);
	return true;
}

/* ---- Snapshots ---- */

bool store_wants_snapshot(struct store *s)
{
	uint64_t now = segment_now(s);

	if (now < s->asked + s->snapshot_segments && !s->snapshot_lost)
		return false;
	s->asked = now;
	s->snapshot_lost = false;
	return true;
}

bool store_keep(struct store *s, uint64_t instance, const uint8_t *bytes, uint64_t length,
	uint64_t now_ns, bool *said, char *error, size_t size)
{
	enum snapshot_file_result result;

	*said = false;
	if (disk_stopped(&s->disk) || s->snapshot_ended || now_ns < s->snapshot_retry_ns)
		return false;
	result = snapshot_file_write(&s->directory, bytes, length, error, size);
	if (result == SNAPSHOT_FILE_KEPT) {
		s->snapshots_kept++;
		s->snapshot_said = false;
		__atomic_store_n(&s->stable, instance,
			__ATOMIC_RELEASE); /* Pairs with journal.c. */
		return true;
	}
	s->snapshots_failed++;
	s->snapshot_ended = result == SNAPSHOT_FILE_FAILED;
	s->snapshot_retry_ns = now_ns + SNAPSHOT_RETRY_NS;
	*said = !s->snapshot_said;
	s->snapshot_said = true;
	return false;
}

/* What is filled until one is asked for, and again until that one is kept; the one that is being
 * written to; and what is ahead. */
uint32_t store_segments_most(const struct config *config)
{
	uint32_t most = 2 * config->journal.snapshot_segments + 1 + SEGMENTS_AHEAD + 1;

	return config->journal.segments > most ? config->journal.segments : most;
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
