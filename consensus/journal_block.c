#include "consensus/journal_block.h"

#include <string.h>

#include "consensus/message.h"
#include "consensus/stream.h"

enum {
	CRC_BYTES = sizeof(uint32_t),
};

uint32_t journal_block_seal(uint8_t *block)
{
	uint32_t crc = message_crc(block + CRC_BYTES, JOURNAL_BLOCK_BYTES - CRC_BYTES);

	memcpy(block, &crc, CRC_BYTES);
	return crc;
}

void journal_block_blank(uint8_t *block, uint64_t uuid)
{
	const struct journal_block header = {.magic = JOURNAL_MAGIC, .uuid = uuid};

	memset(block, 0, JOURNAL_BLOCK_BYTES);
	memcpy(block, &header, sizeof(header));
	journal_block_seal(block);
}

/* The stores that a killed process has made are those before some point of its program: so it is the
 * compiler alone that must keep their order. */
void journal_block_copy(uint8_t *to, const uint8_t *from)
{
	uint64_t *mark = (uint64_t *)(void *)to;
	uint64_t sealed;

	memcpy(&sealed, from, sizeof(sealed));
	__atomic_store_n(mark, JOURNAL_BLOCK_UNDONE, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(to + sizeof(sealed), from + sizeof(sealed), STREAM_LINE - sizeof(sealed));
	stream_lines(to + STREAM_LINE, from + STREAM_LINE, JOURNAL_BLOCK_BYTES - STREAM_LINE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(mark, sealed, __ATOMIC_RELAXED);
}

/* The one place where bytes are taken for a header: blocks and payloads are aligned. */
/*@ requires \valid_read(block + (0 .. JOURNAL_BLOCK_HEADER_BYTES - 1));
    assigns \nothing;
    ensures \valid_read(\result); */
static const struct journal_block *block_header(const uint8_t *block)
{
	return (const struct journal_block *)(const void *)block;
}

/*@ requires \valid_read(payload + (0 .. JOURNAL_WRITE_HEADER_BYTES - 1));
    assigns \nothing;
    ensures \valid_read(\result); */
static const struct journal_write_header *write_header(const uint8_t *payload)
{
	return (const struct journal_write_header *)(const void *)payload;
}

/*@ requires \valid_read(payload + (at .. at + JOURNAL_RECORD_BYTES - 1));
    assigns \nothing;
    ensures \valid_read(\result) && \result->bytes == record_body(payload, at); */
static const struct journal_record *record_at(const uint8_t *payload, uint32_t at)
{
	return (const struct journal_record *)(const void *)(payload + at);
}

/*@ requires \valid_read(bytes + (0 .. length - 1));
    assigns \nothing; */
static uint32_t bytes_crc(const uint8_t *bytes, uint32_t length)
{
	return message_crc(bytes, length);
}

/*@ requires \valid_read(block + (0 .. 7));
    assigns \nothing; */
static bool is_undone(const uint8_t *block)
{
	uint64_t mark;

	memcpy(&mark, block, sizeof(mark));
	return mark == JOURNAL_BLOCK_UNDONE;
}

const struct journal_block *journal_block_check(const uint8_t *block, uint64_t uuid)
{
	static const struct journal_block blank = {.magic = JOURNAL_MAGIC};
	const struct journal_block *header = block_header(block);

	if (is_undone(block))
		return &blank;
	if (header->magic != JOURNAL_MAGIC || header->uuid != uuid ||
		header->crc != bytes_crc(block + CRC_BYTES, JOURNAL_BLOCK_BYTES - CRC_BYTES))
		return NULL;
	if (header->number != 0 &&
		(header->number >= INSTANCE_TOP || header->blocks == 0 ||
			header->blocks > JOURNAL_WRITE_BLOCKS || header->index >= header->blocks ||
			header->bytes == 0 || header->bytes > JOURNAL_BLOCK_PAYLOAD ||
			(header->index + 1 < header->blocks &&
				header->bytes != JOURNAL_BLOCK_PAYLOAD)))
		return NULL;
	return header;
}

uint32_t journal_chain_block(uint32_t chain, uint32_t crc)
{
	const uint32_t both[] = {chain, crc};

	return message_crc(both, sizeof(both));
}

uint32_t journal_chain_record(uint32_t chain, const struct journal_record *record)
{
	struct journal_record linked = *record;

	linked.chain = chain;
	return message_crc(&linked, sizeof(linked));
}

/* What a record of each kind may look like, whoever made it. */
/*@ requires \valid_read(r);
    assigns \nothing;
    ensures kind: \result ==> 1 <= r->kind < JOURNAL_KINDS && r->shard < SHARD_MAX;
    ensures run: \result && (r->kind == JOURNAL_VOTE || r->kind == JOURNAL_CHOSEN) ==>
      1 <= r->count <= RUN_COUNT_MAX && r->first < INSTANCE_TOP && r->bytes <= BODY_MAX &&
      r->first / BLOCK == (r->first + r->count - 1) / BLOCK; */
static bool record_valid(const struct journal_record *r)
{
	bool run = r->kind == JOURNAL_VOTE || r->kind == JOURNAL_CHOSEN;
	bool noop = run && r->flags == FLAG_NOOP;

	if (r->kind == 0 || r->kind >= JOURNAL_KINDS || r->shard >= SHARD_MAX)
		return false;
	if (!run)
		return r->bytes == 0 && r->count == 0 && r->flags == 0 &&
			(r->kind == JOURNAL_PIN ? r->first < MEMBER_MAX && r->ballot != 0
						: r->first < INSTANCE_TOP);
	return r->count >= 1 && r->count <= RUN_COUNT_MAX && r->first < INSTANCE_TOP &&
		r->first / BLOCK == (r->first + r->count - 1) / BLOCK && (noop || r->flags == 0) &&
		(!noop || r->bytes == 0) && r->bytes <= BODY_MAX;
}

/*@ requires \valid_read(r) && \valid_read(entries + (0 .. r->bytes - 1));
    assigns \nothing;
    ensures \result && r->bytes != 0 ==> entries_in(entries, r->count, r->bytes); */
static bool entries_right(const struct journal_record *r, const uint8_t *entries)
{
	if (r->bytes == 0)
		return r->checksum == 0 && (r->count == 0 || r->flags == FLAG_NOOP);
	return bytes_crc(entries, r->bytes) == r->checksum &&
		entries_valid(entries, r->bytes, r->count);
}

bool journal_payload_check(const uint8_t *payload, uint32_t bytes)
{
	uint32_t at = JOURNAL_WRITE_HEADER_BYTES;

	if (bytes < JOURNAL_WRITE_HEADER_BYTES)
		return false;
	const struct journal_write_header *header = write_header(payload);
	uint32_t chain = header->chain;

	if (header->payload != bytes || header->shards > SHARD_MAX ||
		header->delivered > INSTANCE_TOP || header->blind > INSTANCE_TOP)
		return false;
	/*@ loop invariant 0 <= i <= header->records;
	    loop invariant inside: JOURNAL_WRITE_HEADER_BYTES <= at <= bytes;
	    loop invariant J2: at == records_end(payload, i) && records_in(payload, i, bytes);
	    loop assigns i, at, chain;
	    loop variant header->records - i; */
	for (uint32_t i = 0; i < header->records; i++) {
		if (bytes - at < JOURNAL_RECORD_BYTES)
			return false;
		const struct journal_record *r = record_at(payload, at);

		if (!record_valid(r) || r->bytes > bytes - at - JOURNAL_RECORD_BYTES ||
			r->chain != journal_chain_record(chain, r) ||
			!entries_right(r, payload + at + JOURNAL_RECORD_BYTES))
			return false;
		chain = r->chain;
		at += JOURNAL_RECORD_BYTES + r->bytes;
	}
	return at == bytes;
}

const struct journal_record *journal_record_next(const uint8_t *payload, uint32_t bytes,
	uint32_t *offset)
{
	if (*offset >= bytes)
		return NULL;
	const struct journal_record *r = record_at(payload, *offset);

	*offset += JOURNAL_RECORD_BYTES + r->bytes;
	return r;
}
