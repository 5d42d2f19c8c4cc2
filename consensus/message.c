#include "consensus/message.h"

#include <string.h>

#include <isa-l/crc.h>
#include <nmmintrin.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian, like us");

enum {
	CRC_SMALL_BYTES = 128,
	TAGGED_BYTES = offsetof(struct message_wire, tag)
};

/* What a byte of a word counts. */
#define BYTE_1 0x100ull
#define BYTE_2 0x10000ull
#define BYTE_3 0x1000000ull
#define BYTE_4 0x100000000ull
#define BYTE_6 0x1000000000000ull

const char *drop_text(enum drop reason)
{
	switch (reason) {
	case DROP_NONE:
		return "none";
	case DROP_SHORT:
		return "short";
	case DROP_MAGIC:
		return "magic";
	case DROP_TYPE:
		return "type";
	case DROP_TAG:
		return "tag";
	case DROP_LENGTH:
		return "length";
	case DROP_CHECKSUM:
		return "checksum";
	case DROP_CLUSTER:
		return "cluster";
	case DROP_MALFORMED:
		return "malformed";
	case DROP_SENDER:
		return "sender";
	case DROP_REASONS:
		break;
	}
	return "unknown";
}

/* A header or a small command: ISA-L's loop pays only on more. Needs no more than the SSE4.2 that
 * DPDK needs itself. */
static uint32_t crc_small(const uint8_t *bytes, size_t length)
{
	uint64_t crc = 0xffffffffu;
	uint64_t word;

#pragma GCC unroll 4
	for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	uint32_t rest = (uint32_t)crc;

	if ((length & 4) != 0) {
		uint32_t half;

		memcpy(&half, bytes, sizeof(half));
		rest = _mm_crc32_u32(rest, half);
		bytes += sizeof(half);
	}
	if ((length & 2) != 0) {
		uint16_t quarter;

		memcpy(&quarter, bytes, sizeof(quarter));
		rest = _mm_crc32_u16(rest, quarter);
		bytes += sizeof(quarter);
	}
	if ((length & 1) != 0)
		rest = _mm_crc32_u8(rest, *bytes);
	return ~rest;
}

uint32_t message_crc(const void *bytes, size_t length)
{
	if (length <= CRC_SMALL_BYTES)
		return crc_small(bytes, length);
	return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, 0xffffffffu);
}

uint32_t message_crc_more(uint32_t crc, const void *bytes, size_t length)
{
	return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, ~crc);
}

/* Little-endian numbers, at any place. */
/*@ requires \valid_read(bytes + (0 .. 7));
    assigns \nothing;
    ensures \result == word_of(bytes); */
static uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*@ requires \valid_read(bytes + (0 .. 3));
    assigns \nothing;
    ensures \result == half_of(bytes); */
static uint32_t half_at(const uint8_t *bytes)
{
	uint32_t half;

	memcpy(&half, bytes, sizeof(half));
	return half;
}

/*@ requires \valid_read(bytes + (0 .. 1));
    assigns \nothing;
    ensures \result == quarter_of(bytes); */
static uint16_t quarter_at(const uint8_t *bytes)
{
	uint16_t quarter;

	memcpy(&quarter, bytes, sizeof(quarter));
	return quarter;
}

/* The same, written. */
/*@ requires \valid(bytes + (0 .. 7));
    assigns bytes[0 .. 7]; */
static void put_word(uint8_t *bytes, uint64_t word)
{
	memcpy(bytes, &word, sizeof(word));
}

/*@ requires \valid(bytes + (0 .. 3));
    assigns bytes[0 .. 3]; */
static void put_half(uint8_t *bytes, uint32_t half)
{
	memcpy(bytes, &half, sizeof(half));
}

/*@ requires \valid(bytes + (0 .. 1));
    assigns bytes[0 .. 1]; */
static void put_quarter(uint8_t *bytes, uint16_t quarter)
{
	memcpy(bytes, &quarter, sizeof(quarter));
}

/* The fields stand at odd places, for the body is to begin a cache line. Eight bytes at a time they
 * are put together in registers, and the tag is computed of those: read back from memory, each would
 * wait for two stores. Sums and products, for the provers know no shifts. */
void message_encode(const struct message *m, uint8_t *wire)
{
	const uint64_t words[TAGGED_BYTES / 8] = {
		MESSAGE_MAGIC + MESSAGE_VERSION + m->type * BYTE_1 + m->flags * BYTE_2 +
			m->sender * BYTE_3 + m->count * BYTE_4 + m->ballot % BYTE_2 * BYTE_6,
		m->ballot / BYTE_2 + m->first % BYTE_2 * BYTE_6,
		m->first / BYTE_2 + m->watermark % BYTE_2 * BYTE_6,
		m->watermark / BYTE_2 + m->counter % BYTE_2 * BYTE_6,
		m->counter / BYTE_2 + m->uuid % BYTE_2 * BYTE_6,
		m->uuid / BYTE_2 + m->cluster % BYTE_2 * BYTE_6,
		m->cluster / BYTE_2 + m->epoch * BYTE_2 + m->payload_len * BYTE_6,
		m->shard + m->checksum * BYTE_2 + m->echo % BYTE_2 * BYTE_6,
	};
	const uint32_t last = (uint32_t)(m->echo / BYTE_2 + m->life % BYTE_2 * BYTE_2);
	const uint16_t end = (uint16_t)(m->life / BYTE_2);
	uint64_t crc = 0xffffffffu;

	static_assert(TAGGED_BYTES == sizeof(words) + 6, "the last six bytes stand apart");
#pragma GCC unroll 8
	/*@ loop invariant 0 <= i <= TAGGED_BYTES / 8;
	    loop assigns i, crc;
	    loop variant TAGGED_BYTES / 8 - i; */
	for (uint32_t i = 0; i < TAGGED_BYTES / 8; i++)
		crc = _mm_crc32_u64(crc, words[i]);
	put_word(wire, words[0]);
	put_word(wire + 8, words[1]);
	put_word(wire + 16, words[2]);
	put_word(wire + 24, words[3]);
	put_word(wire + 32, words[4]);
	put_word(wire + 40, words[5]);
	put_word(wire + 48, words[6]);
	put_word(wire + 56, words[7]);
	put_half(wire + sizeof(words), last);
	put_quarter(wire + sizeof(words) + 4, end);
	put_word(wire + TAGGED_BYTES,
		(uint32_t)~_mm_crc32_u16(_mm_crc32_u32((uint32_t)crc, last), end));
	put_word(wire + TAGGED_BYTES + 8, 0);
}

void message_read(const uint8_t *bytes, struct message *m)
{
	m->ballot = word_at(bytes + offsetof(struct message_wire, ballot));
	m->first = word_at(bytes + offsetof(struct message_wire, first));
	m->watermark = word_at(bytes + offsetof(struct message_wire, watermark));
	m->counter = word_at(bytes + offsetof(struct message_wire, counter));
	m->uuid = word_at(bytes + offsetof(struct message_wire, uuid));
	m->cluster = half_at(bytes + offsetof(struct message_wire, cluster));
	m->epoch = half_at(bytes + offsetof(struct message_wire, epoch));
	m->checksum = half_at(bytes + offsetof(struct message_wire, checksum));
	m->echo = half_at(bytes + offsetof(struct message_wire, echo));
	m->life = half_at(bytes + offsetof(struct message_wire, life));
	m->count = quarter_at(bytes + offsetof(struct message_wire, count));
	m->payload_len = quarter_at(bytes + offsetof(struct message_wire, payload_len));
	m->shard = quarter_at(bytes + offsetof(struct message_wire, shard));
	m->type = bytes[offsetof(struct message_wire, type)];
	m->flags = bytes[offsetof(struct message_wire, flags)];
	m->sender = bytes[offsetof(struct message_wire, sender)];
	m->from = m->sender;
	m->checksum_known = true;
}

/* The checksum of a body that stands at any place. */
/*@ requires \valid_read(bytes + (0 .. length - 1));
    assigns \nothing;
    ensures \result == crc_of(bytes, length); */
static uint32_t body_crc(const uint8_t *bytes, uint32_t length)
{
	return message_crc(bytes, length);
}

/* The checksum of what the tag covers. That it is one is admitted; what it reads is proved. */
/*@ requires \valid_read(bytes + (0 .. HEADER_BYTES - 1));
    assigns \nothing;
    admit ensures \result == crc_of(bytes, TAGGED_BYTES); */
static uint32_t header_crc(const uint8_t *bytes)
{
	const uint8_t *last = bytes + TAGGED_BYTES / 8 * 8;
	uint64_t crc = 0xffffffffu;

	static_assert(TAGGED_BYTES % 8 == 6 && sizeof(((struct message_wire *)0)->tag) == 16,
		"six bytes are left, and two words of a tag");
#pragma GCC unroll 8
	/*@ loop invariant 0 <= i <= TAGGED_BYTES / 8;
	    loop assigns i, crc;
	    loop variant TAGGED_BYTES / 8 - i; */
	for (uint32_t i = 0; i < TAGGED_BYTES / 8; i++)
		crc = _mm_crc32_u64(crc, word_at(bytes + 8 * i));
	/* The six bytes: shifted to the top of the word that ends with them. */
	const uint64_t rest = word_at(last - 2) >> 16;

	return ~_mm_crc32_u16(_mm_crc32_u32((uint32_t)crc, (uint32_t)rest), (uint16_t)(rest >> 32));
}

/*@ requires \valid_read(bytes + (0 .. HEADER_BYTES - 1));
    assigns \nothing;
    ensures W1: \result <==> sealed(bytes); */
static bool tag_right(const uint8_t *bytes)
{
	const uint8_t *tag = bytes + TAGGED_BYTES;

	return word_at(tag) == header_crc(bytes) && word_at(tag + 8) == 0;
}

bool entries_valid(const uint8_t *body, uint32_t bytes, uint32_t count)
{
	uint32_t at = 0;

	/*@ loop invariant 0 <= i <= count;
	    loop invariant inside: at <= bytes;
	    loop invariant at == entries_end(body, i);
	    loop invariant whole: entries_in(body, i, bytes);
	    loop assigns i, at;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		if (bytes - at < ENTRY_BYTES)
			return false;
		uint32_t step = entry_step(body + at);

		if (bytes - at < step)
			return false;
		at += step;
	}
	return at == bytes;
}

/*@ assigns \nothing;
    ensures run: \result <==> 1 <= count <= RUN_COUNT_MAX && first < INSTANCE_TOP &&
      first / BLOCK == (first + count - 1) / BLOCK; */
static bool run_valid(uint64_t first, uint32_t count)
{
	return count >= 1 && count <= RUN_COUNT_MAX && first < INSTANCE_TOP &&
		first / BLOCK == (first + count - 1) / BLOCK;
}

/* Is the record at `at` well formed? Its own checksum goes into the log, and from there to others and
 * to disk: it must be right although the body's is. */
/*@ requires \valid_read(body + (0 .. bytes - 1)) && \valid_read(m) && at < bytes <= 65535;
    assigns \nothing;
    ensures form: \result ==> record_in(body, at, bytes);
    ensures right: \result ==> record_right(body, at, m->first, m->watermark); */
static bool record_valid(const uint8_t *body, uint32_t at, uint32_t bytes, const struct message *m)
{
	const uint8_t *record = body + at;

	if (bytes - at < RECORD_BYTES)
		return false;
	const uint64_t first = word_at(record + offsetof(struct record, first));
	const uint32_t checksum = half_at(record + offsetof(struct record, checksum));
	const uint32_t count = quarter_at(record + offsetof(struct record, count));
	const uint32_t length = quarter_at(record + offsetof(struct record, bytes));
	const uint8_t flags = record[offsetof(struct record, flags)];

	if (!run_valid(first, count) || length > bytes - at - RECORD_BYTES || first < m->first ||
		first + count > m->watermark)
		return false;
	if (flags == FLAG_NOOP)
		return length == 0 && checksum == 0;
	return flags == 0 && entries_valid(record + RECORD_BYTES, length, count) &&
		checksum == body_crc(record + RECORD_BYTES, length);
}

/*@ requires \valid_read(body + (0 .. bytes - 1)) && \valid_read(m) && bytes <= 65535;
    assigns \nothing;
    ensures form: \result ==> chunk_in(body, m->count, bytes);
    ensures right: \result ==> chunk_right(body, m->count, m->first, m->watermark); */
static bool records_valid(const uint8_t *body, uint32_t bytes, const struct message *m)
{
	uint32_t at = 0;
	uint32_t count = 0;

	/*@ loop invariant at <= bytes && count <= at;
	    loop invariant place: at == chunk_end(body, count);
	    loop invariant form: \forall integer k; 0 <= k < count ==>
	      0 <= chunk_end(body, k) && record_in(body, chunk_end(body, k), bytes);
	    loop invariant right: chunk_right(body, count, m->first, m->watermark);
	    loop assigns at, count;
	    loop variant bytes - at; */
	for (; at < bytes; count++) {
		if (!record_valid(body, at, bytes, m))
			return false;
		at += RECORD_BYTES + quarter_at(body + at + offsetof(struct record, bytes));
	}
	return count == m->count;
}

/*@ requires \valid_read(body + (0 .. bytes - 1)) && count <= 65535;
    assigns \nothing;
    ensures \result ==> bytes == count * RANGE_BYTES && ranges_in(body, count); */
static bool ranges_valid(const uint8_t *body, uint32_t bytes, uint32_t count)
{
	if (bytes != count * sizeof(struct range))
		return false;
	/*@ loop invariant 0 <= i <= count && ranges_in(body, i);
	    loop assigns i;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *range = body + i * sizeof(struct range);
		uint64_t votes = word_at(range + offsetof(struct range, count));

		if (word_at(range) >= INSTANCE_TOP || votes == 0 || votes > ACCEPTOR_WINDOW)
			return false;
	}
	return true;
}

/*@ requires \valid_read(body + (0 .. bytes - 1));
    assigns \nothing;
    ensures W3: \result ==> replies_in(body, count, bytes); */
static bool replies_valid(const uint8_t *body, uint32_t bytes, uint32_t count)
{
	uint32_t at = 0;

	/*@ loop invariant 0 <= i <= count && at <= bytes && at == replies_end(body, i);
	    loop invariant inside: \forall integer j; 0 <= j < i ==>
	      0 <= replies_end(body, j) && replies_end(body, j) + 24 <= bytes;
	    loop assigns i, at;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		struct reply r;

		if (bytes - at < sizeof(r))
			return false;
		r.sequence_status = word_at(body + at + offsetof(struct reply, sequence_status));
		at += (uint32_t)sizeof(r);
		uint32_t step = (reply_length(&r) + 7) / 8 * 8;

		if (bytes - at < step)
			return false;
		at += step;
	}
	return at == bytes;
}

/* No reads, or reads of one kind. */
/*@ assigns \nothing;
    ensures flags: \result <==> flags == 0 || flags == FLAG_READ || flags == FLAG_READ_ANY ||
      flags == FLAG_READ_STALE; */
static bool request_flags_valid(uint8_t flags)
{
	return flags == 0 || flags == FLAG_READ || flags == FLAG_READ_ANY ||
		flags == FLAG_READ_STALE;
}

/*@ assigns \nothing;
    ensures flags: \result <==> flags == 0 || flags == FLAG_READ_ANY ||
      flags == FLAG_READ_STALE || flags == FLAG_READ_ANY + FLAG_READ_STALE; */
static bool reply_flags_valid(uint8_t flags)
{
	return flags == 0 || flags == FLAG_READ_ANY || flags == FLAG_READ_STALE ||
		flags == FLAG_READ_ANY + FLAG_READ_STALE;
}

/* The body's form by type. */
/*@ requires \valid_read(m) && \valid_read(body + (0 .. m->payload_len - 1));
    assigns \nothing;
    ensures W3: \result ==> flags_ok(m);
    ensures W3: \result ==> body_ok(m, body); */
static bool body_valid(const struct message *m, const uint8_t *body)
{
	switch (m->type) {
	case MESSAGE_REQUEST:
		return m->count >= 1 && m->count <= RUN_COUNT_MAX &&
			request_flags_valid(m->flags) &&
			entries_valid(body, m->payload_len, m->count);
	case MESSAGE_REPLY:
		return m->count >= 1 && reply_flags_valid(m->flags) &&
			replies_valid(body, m->payload_len, m->count);
	case MESSAGE_ACCEPT:
		if (!run_valid(m->first, m->count) || (m->flags != 0 && m->flags != FLAG_NOOP))
			return false;
		return m->flags == FLAG_NOOP ? m->payload_len == 0
					     : entries_valid(body, m->payload_len, m->count);
	case MESSAGE_ACCEPTED:
		return ranges_valid(body, m->payload_len, m->count);
	case MESSAGE_HELLO:
		return m->payload_len == HELLO_BYTES;
	case MESSAGE_SNAPSHOT_CHUNK:
		return m->payload_len > 0 && m->payload_len % 8 == 0 && m->count == 0;
	case MESSAGE_VOTES:
	case MESSAGE_CHOSEN:
		return records_valid(body, m->payload_len, m);
	default:
		return m->payload_len == 0;
	}
}

/* Numbers that no honest sender can have reached are refused here, once, for every role. */
/*@ requires \valid_read(m);
    assigns \nothing;
    ensures numbers: \result <==> numbers_ok(m); */
static bool numbers_valid(const struct message *m)
{
	if (m->type == MESSAGE_HELLO)
		return true; /* Its ballot carries a uuid, its first a hash. */
	return m->first < INSTANCE_TOP && m->watermark < INSTANCE_TOP && m->shard < SHARD_MAX;
}

enum drop message_decode(const uint8_t *bytes, size_t length, struct message *m)
{
	if (length < HEADER_BYTES)
		return DROP_SHORT;
	if (bytes[0] != MESSAGE_MAGIC + MESSAGE_VERSION)
		return DROP_MAGIC;
	if (bytes[1] == 0 || bytes[1] >= MESSAGE_WIRE_END)
		return DROP_TYPE;
	if (!tag_right(bytes))
		return DROP_TAG;
	message_read(bytes, m);
	if (length - HEADER_BYTES != m->payload_len)
		return DROP_LENGTH;

	const uint8_t *body = bytes + HEADER_BYTES;
	uint32_t crc = m->payload_len == 0 ? 0 : body_crc(body, m->payload_len);

	if (crc != m->checksum)
		return DROP_CHECKSUM;
	if (m->sender >= MEMBER_MAX && m->sender != MESSAGE_SENDER_CLIENT)
		return DROP_SENDER;
	if ((m->type == MESSAGE_PREPARE || m->type == MESSAGE_ACCEPT) &&
		ballot_node(m->ballot) != m->sender)
		return DROP_SENDER;
	if ((m->type == MESSAGE_REQUEST) != (m->sender == MESSAGE_SENDER_CLIENT))
		return DROP_SENDER;
	if (!numbers_valid(m) || !body_valid(m, body))
		return DROP_MALFORMED;
	return DROP_NONE;
}

/*@ requires \valid_read(body + (at .. at + RECORD_BYTES - 1));
    assigns \nothing;
    ensures \valid_read(\result) && \result->ballot == record_ballot(body, at) &&
      \result->first == record_first(body, at) && \result->count == record_count(body, at) &&
      \result->bytes == record_entries(body, at) && \result->flags == body[at + 24]; */
static const struct record *record_at(const uint8_t *body, uint32_t at)
{
	return (const struct record *)(const void *)(body + at);
}

const struct record *record_next(const uint8_t *body, uint32_t bytes, uint32_t *offset)
{
	if (*offset >= bytes)
		return NULL;
	const struct record *r = record_at(body, *offset);

	*offset += RECORD_BYTES + r->bytes;
	return r;
}
