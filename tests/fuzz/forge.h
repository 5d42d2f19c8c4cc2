/*
 * forge.h - messages that lie: well-formed, and made of what the replica says at this moment, so
 * that a few bytes of input reach far.
 *
 * The input of one: {u8 type, u8 from, u8 ballot, u8 first, u8 watermark, u8 flags, u8 count, body}.
 */
#ifndef TESTS_FUZZ_FORGE_H
#define TESTS_FUZZ_FORGE_H

#include <stdint.h>

#include "tests/fuzz/fuzz.h"

/* What a liar on the wire may know of the replica. */
struct forge_view {
	uint64_t ballot; /* That it leads or stands with. */
	uint64_t promised;
	uint64_t delivered;
	uint64_t end; /* One past what it proposed. */
	uint64_t nonce;
	uint64_t uuid;
	uint32_t shards;
};

/* Writes a sealed message of at most PACKET_BYTES_MAX bytes; returns its length. */
uint16_t forge(struct input *in, const struct forge_view *v, uint8_t *bytes);

#endif
