#include "bench/micro/sample.h"

#include <string.h>

uint32_t sample_body(uint8_t *body, uint32_t commands)
{
	for (uint32_t i = 0; i < commands; i++) {
		sample_address(body, i, i, 0);
		memset(body + i * SAMPLE_STEP_BYTES + ENTRY_BYTES, (int)(0x40 + i),
			SAMPLE_VALUE_BYTES);
	}
	return commands * SAMPLE_STEP_BYTES;
}

struct message sample_accept(const uint8_t *body, uint32_t commands)
{
	const uint32_t bytes = commands * SAMPLE_STEP_BYTES;

	return (struct message){
		.type = MESSAGE_ACCEPT,
		.ballot = ballot_make(1, SAMPLE_LEADER),
		.count = (uint16_t)commands,
		.payload_len = (uint16_t)bytes,
		.checksum = message_crc(body, bytes),
		.checksum_known = true,
		.sender = SAMPLE_LEADER,
		.uuid = SAMPLE_UUID,
	};
}
