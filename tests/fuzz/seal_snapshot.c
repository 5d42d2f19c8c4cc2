#include "tests/fuzz/seal_snapshot.h"

#include <stdbool.h>
#include <string.h>

#include "consensus/message.h"
#include "consensus/snapshot.h"

static bool has_end(size_t length)
{
	return length >= SNAPSHOT_HEADER_BYTES + SNAPSHOT_END_BYTES;
}

void seal_snapshot_records(uint8_t *bytes, size_t length)
{
	struct snapshot_header h;

	if (!has_end(length))
		return;
	const size_t end = length - SNAPSHOT_END_BYTES;
	size_t at = SNAPSHOT_HEADER_BYTES;

	memcpy(&h, bytes, sizeof(h));
	h.sessions = 0;
	h.entries = 0;
	while (end - at >= SNAPSHOT_RECORD_BYTES) {
		struct snapshot_record r;

		memcpy(&r, bytes + at, sizeof(r));
		if (snapshot_record_bytes(r.length) > end - at)
			r.length = (uint16_t)(end - at - SNAPSHOT_RECORD_BYTES);
		memcpy(bytes + at, &r, sizeof(r));
		h.sessions += r.kind == SNAPSHOT_SESSION;
		h.entries += r.kind == SNAPSHOT_ENTRY;
		at += snapshot_record_bytes(r.length);
		if (at > end)
			break;
	}
	memcpy(bytes, &h, sizeof(h));
}

void seal_snapshot(uint8_t *bytes, size_t length, uint64_t config_hash)
{
	struct snapshot_header h;

	if (!has_end(length))
		return;
	const struct snapshot_record r = {
		.kind = SNAPSHOT_END,
		.length = sizeof(struct snapshot_end),
	};
	struct snapshot_end end = {.bytes = length};
	uint8_t *at = bytes + length - SNAPSHOT_END_BYTES;

	memcpy(&h, bytes, sizeof(h));
	h.magic = SNAPSHOT_MAGIC;
	h.config_hash = config_hash;
	memcpy(bytes, &h, sizeof(h));
	end.crc = message_crc_more(0, bytes, length - SNAPSHOT_END_BYTES);
	memcpy(at, &r, sizeof(r));
	memcpy(at + sizeof(r), &end, sizeof(end));
}
