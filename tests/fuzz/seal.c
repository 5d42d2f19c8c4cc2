#include "tests/fuzz/seal.h"

#include <string.h>

#include "consensus/message.h"

enum {
	ETHER_BYTES = 14,
	IP_BYTES = 20,
	NET_BYTES = 42,
	IP_AT_PROTOCOL = 23,
};

void seal_records(uint8_t *bytes, size_t length)
{
	size_t at = HEADER_BYTES;
	struct message m;

	if (length < HEADER_BYTES)
		return;
	message_read(bytes, &m);
	if (m.type != MESSAGE_VOTES && m.type != MESSAGE_CHOSEN)
		return;
	while (length - at >= RECORD_BYTES) {
		struct record r;
		uint8_t *record = bytes + at;

		memcpy(&r, record, sizeof(r));
		at += RECORD_BYTES;
		if (r.bytes > length - at)
			return;
		r.checksum = r.bytes == 0 ? 0 : message_crc(bytes + at, r.bytes);
		memcpy(record, &r, sizeof(r));
		at += r.bytes;
	}
}

void seal_message(uint8_t *bytes, size_t length)
{
	struct message m;

	if (length < HEADER_BYTES || length - HEADER_BYTES > UINT16_MAX)
		return;
	message_read(bytes, &m);
	m.payload_len = (uint16_t)(length - HEADER_BYTES);
	m.checksum = m.payload_len == 0 ? 0 : message_crc(bytes + HEADER_BYTES, m.payload_len);
	message_encode(&m, bytes);
}

static void put_be16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void seal_frame(uint8_t *bytes, size_t length)
{
	if (length < NET_BYTES || length > UINT16_MAX || bytes[12] != 8 || bytes[13] != 0 ||
		bytes[IP_AT_PROTOCOL] != 17)
		return;
	put_be16(bytes + ETHER_BYTES + 2, length - ETHER_BYTES);
	put_be16(bytes + ETHER_BYTES + IP_BYTES + 4, length - ETHER_BYTES - IP_BYTES);
	seal_records(bytes + NET_BYTES, length - NET_BYTES);
	seal_message(bytes + NET_BYTES, length - NET_BYTES);
}
