/*
 * codec - any bytes are a message or are refused. What is accepted encodes to the same bytes, reads
 * back as the same message, and is refused with any bit flipped or a byte cut off (W1, W2).
 */
#include <string.h>

#include "consensus/check.h"
#include "consensus/message.h"
#include "tests/fuzz/fuzz.h"

enum {
	BYTES_MAX = HEADER_BYTES + UINT16_MAX
};

static _Alignas(8) uint8_t body[UINT16_MAX + 1];
static uint8_t copy[BYTES_MAX];

static void records_are_whole(const struct message *m)
{
	uint32_t offset = 0;
	const struct record *r;

	while ((r = record_next(body, m->payload_len, &offset)) != NULL) {
		CHECK(offset <= m->payload_len);
		CHECK(r->count >= 1 && r->first >= m->first);
		CHECK(r->first + r->count <= m->watermark);
		CHECK(r->checksum == (r->bytes == 0 ? 0 : message_crc(r + 1, r->bytes)));
	}
	CHECK(offset == m->payload_len);
}

static void a_flipped_bit_is_refused(const uint8_t *data, size_t size, uint32_t bit)
{
	struct message m;

	memcpy(copy, data, size);
	copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	CHECK(message_decode(copy, size, &m) != DROP_NONE);
	CHECK(message_decode(data, size - 1, &m) != DROP_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* All bytes of both are compared, the padding too. */
	struct message m, again;
	uint8_t wire[HEADER_BYTES];

	if (size > BYTES_MAX)
		return 0;
	memset(&m, 0, sizeof(m));
	memset(&again, 0, sizeof(again));
	enum drop reason = message_decode(data, size, &m);

	CHECK(reason < DROP_REASONS && strcmp(drop_text(reason), "unknown") != 0);
	if (reason != DROP_NONE)
		return 0;
	CHECK(size == HEADER_BYTES + (size_t)m.payload_len);
	message_encode(&m, wire);
	CHECK(memcmp(wire, data, HEADER_BYTES) == 0);
	message_read(wire, &again);
	CHECK(memcmp(&m, &again, sizeof(m)) == 0);
	memcpy(body, data + HEADER_BYTES, m.payload_len);
	if (m.type == MESSAGE_VOTES || m.type == MESSAGE_CHOSEN)
		records_are_whole(&m);
	a_flipped_bit_is_refused(data, size,
		(uint32_t)(m.checksum ^ m.counter) % (8 * (uint32_t)size));
	return 0;
}
