/*
 * digest.h - the running hash over what a replica executed, to compare replicas by.
 *
 * Not cryptographic: it finds divergence, not forgery. A value is two CRC-32C, of its even and of
 * its odd words: an instruction a word; commands are chained, so order counts.
 */
#ifndef CONSENSUS_DIGEST_H
#define CONSENSUS_DIGEST_H

#include <stdint.h>
#include <string.h>

#include <nmmintrin.h>

static inline uint64_t digest_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* `bytes` whole words of a value, as they stand in a body (padded with what the client sent). */
static inline uint64_t digest_value(const uint8_t *value, uint32_t bytes)
{
	uint64_t even = bytes;
	uint64_t odd = 0xffffffffu;
	uint32_t at = 0;

	for (; at + 64 <= bytes; at += 64) {
		even = _mm_crc32_u64(even, digest_word(value + at));
		odd = _mm_crc32_u64(odd, digest_word(value + at + 8));
		even = _mm_crc32_u64(even, digest_word(value + at + 16));
		odd = _mm_crc32_u64(odd, digest_word(value + at + 24));
		even = _mm_crc32_u64(even, digest_word(value + at + 32));
		odd = _mm_crc32_u64(odd, digest_word(value + at + 40));
		even = _mm_crc32_u64(even, digest_word(value + at + 48));
		odd = _mm_crc32_u64(odd, digest_word(value + at + 56));
	}
	for (; at < bytes; at += 8)
		even = _mm_crc32_u64(even, digest_word(value + at) ^ odd);
	return odd << 32 | even;
}

static inline uint64_t digest_add(uint64_t digest, uint64_t instance, uint64_t session,
	uint64_t sequence, uint64_t value, uint64_t result)
{
	uint64_t h = (instance ^ 0x94d049bb133111ebull) * (session + 0xbf58476d1ce4e5b9ull) +
		(sequence ^ value) * 0xc2b2ae3d27d4eb4full + result;

	digest = (digest ^ h) * 0x9fb21c651e98df25ull;
	return digest ^ (digest >> 32);
}

#endif
