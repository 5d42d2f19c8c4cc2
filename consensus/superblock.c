#include "consensus/superblock.h"

#include <string.h>

#include "consensus/message.h"

enum {
	CRC_BYTES = sizeof(uint32_t),
};

void superblock_seal(struct superblock *s, uint8_t *block)
{
	s->sequence++;
	s->magic = SUPERBLOCK_MAGIC;
	memset(block, 0, JOURNAL_BLOCK_BYTES);
	memcpy(block, s, sizeof(*s));
	s->crc = message_crc(block + CRC_BYTES, JOURNAL_BLOCK_BYTES - CRC_BYTES);
	memcpy(block, &s->crc, CRC_BYTES);
}

enum slot_state {
	SLOT_VALID,
	SLOT_OTHER_VERSION,
	SLOT_DAMAGED,
};

static enum slot_state read_slot(const uint8_t *block, uint32_t slot, struct superblock *s)
{
	memcpy(s, block, sizeof(*s));
	if (s->crc != message_crc(block + CRC_BYTES, JOURNAL_BLOCK_BYTES - CRC_BYTES) ||
		s->magic % 0x1000000u != SUPERBLOCK_MAGIC % 0x1000000u)
		return SLOT_DAMAGED;
	if (s->magic != SUPERBLOCK_MAGIC)
		return SLOT_OTHER_VERSION;
	/* It was sealed; but a block that went to the other one's place is none. */
	return s->sequence % SUPERBLOCK_SLOTS == slot && s->shards >= 1 && s->shards <= SHARD_MAX &&
			s->segment_blocks >= JOURNAL_WRITE_BLOCKS && s->uuid != 0
		? SLOT_VALID
		: SLOT_DAMAGED;
}

enum superblock_result superblock_read(const uint8_t *blocks, struct superblock *s)
{
	struct superblock found[SUPERBLOCK_SLOTS];
	enum slot_state states[SUPERBLOCK_SLOTS];

	for (uint32_t i = 0; i < SUPERBLOCK_SLOTS; i++)
		states[i] = read_slot(blocks + i * JOURNAL_BLOCK_BYTES, i, &found[i]);
	if (states[0] == SLOT_OTHER_VERSION || states[1] == SLOT_OTHER_VERSION)
		return SUPERBLOCK_VERSION;
	if (states[0] != SLOT_VALID && states[1] != SLOT_VALID)
		return SUPERBLOCK_NONE;
	uint32_t newest = states[0] != SLOT_VALID ||
			(states[1] == SLOT_VALID && found[1].sequence > found[0].sequence)
		? 1
		: 0;

	*s = found[newest];
	return states[0] == states[1] ? SUPERBLOCK_OK : SUPERBLOCK_ONE_LOST;
}

const char *superblock_mismatch(const struct superblock *s, const struct superblock *wanted)
{
	if (s->cluster != wanted->cluster)
		return "the journal is of another cluster: give this member its own directory.";
	if (s->node != wanted->node)
		return "the journal is of another member of the cluster: give this one its own directory.";
	if (s->shards != wanted->shards || s->block != wanted->block)
		return "the journal was made with other shards or another block: give the configuration "
		       "that it was made with.";
	if (s->block_bytes != wanted->block_bytes || s->segment_blocks != wanted->segment_blocks)
		return "the journal has blocks or segments of another size: give the configuration that "
		       "it was made with.";
	if (s->config_hash != wanted->config_hash)
		return "the journal was made with other members, quorums or durability: give the "
		       "configuration that it was made with.";
	return NULL;
}
