#include "dataplane/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "consensus/journal.h"
#include "dataplane/directory.h"

/* Whose directory it is, for as long as it lives. False: errno. */
static bool superblock_new(struct superblock *s, const struct config *config, uint32_t replica)
{
	*s = (struct superblock){
		.config_hash = config_hash(config),
		.cluster = config->cluster_id,
		.node = replica,
		.shards = config->shards,
		.block = BLOCK,
		.block_bytes = JOURNAL_BLOCK_BYTES,
		.segment_blocks = config->journal.segment_bytes / JOURNAL_BLOCK_BYTES,
		.mode = config->durability,
		.clean = 1,
	};
	if (getrandom(&s->uuid, sizeof(s->uuid), 0) != sizeof(s->uuid))
		return false;
	s->uuid |= 1; /* 0 is nobody's. */
	return true;
}

bool format_replica(const struct config *config, uint32_t replica, char *error, size_t size)
{
	enum {
		BLANK,
		FIRST,
		SUPERBLOCKS,
		BLOCKS = SUPERBLOCKS + SUPERBLOCK_SLOTS
	};
	struct superblock s;
	uint8_t *blocks;

	if (config->durability == DURABILITY_NONE) {
		snprintf(error, size,
			"%s: durability: none keeps nothing on disk: there is nothing to format.",
			config->path);
		return false;
	}
	blocks = aligned_alloc(JOURNAL_BLOCK_BYTES, BLOCKS * (size_t)JOURNAL_BLOCK_BYTES);
	if (blocks == NULL || !superblock_new(&s, config, replica)) {
		snprintf(error, size, "a new identity can not be made: %s.", strerror(errno));
		free(blocks);
		return false;
	}
	const struct directory_image image = {
		.blank = blocks + BLANK * JOURNAL_BLOCK_BYTES,
		.first = blocks + FIRST * JOURNAL_BLOCK_BYTES,
		.superblocks = blocks + SUPERBLOCKS * JOURNAL_BLOCK_BYTES,
	};

	memset(blocks, 0, BLOCKS * (size_t)JOURNAL_BLOCK_BYTES);
	journal_block_blank(blocks + BLANK * JOURNAL_BLOCK_BYTES, s.uuid);
	journal_format(&s, blocks + FIRST * JOURNAL_BLOCK_BYTES);
	for (uint32_t i = 0; i < SUPERBLOCK_SLOTS; i++) {
		uint32_t slot = (uint32_t)((s.sequence + 1) % SUPERBLOCK_SLOTS);

		superblock_seal(&s, blocks + (SUPERBLOCKS + slot) * (size_t)JOURNAL_BLOCK_BYTES);
	}
	bool ok = directory_format(config, replica, &image, error, size);

	free(blocks);
	return ok;
}
