/*
 * canary - a bug behind the checksums that the fuzzer must find: if it does not, no silence of the
 * others means anything. It believes the length that a reply gives of its value.
 */
#include <string.h>

#include "consensus/check.h"
#include "consensus/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t value[4096];
	struct message m;
	struct reply r;

	if (size < HEADER_BYTES + sizeof(r))
		return 0;
	message_read(data, &m);
	if (m.type != MESSAGE_REPLY ||
		m.checksum != message_crc(data + HEADER_BYTES, size - HEADER_BYTES))
		return 0;
	memcpy(&r, data + HEADER_BYTES, sizeof(r));
	memcpy(value, data + HEADER_BYTES + sizeof(r), reply_length(&r));
	CHECK(memcmp(value, data + HEADER_BYTES + sizeof(r), reply_length(&r)) == 0);
	return 0;
}
