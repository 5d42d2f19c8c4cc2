/*
 * digest.h - the running hash over what a replica executed, to compare replicas by.
 *
 * Not cryptographic: it finds divergence, not forgery. The words of one command are summed with
 * keys by position (NH, Black et al., UMAC, 1999); commands are chained, so order counts.
 */
#ifndef CONSENSUS_DIGEST_H
#define CONSENSUS_DIGEST_H

#include <stdint.h>
#include <string.h>

static inline uint64_t digest_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* `bytes` whole words of a value, as they stand in a body (padded with what the client sent). */
static inline uint64_t digest_value(const uint8_t *value, uint32_t bytes)
{
	uint64_t sum = bytes;
	uint32_t at = 0;

	/* Blocks of 64 bytes, with four products at once; the sum is turned between two blocks. */
	for (; at + 64 <= bytes; at += 64) {
		sum = (sum << 23 | sum >> 41) +
			(digest_word(value + at) ^ 0x9e3779b97f4a7c15ull) *
				(digest_word(value + at + 8) ^ 0x8cb92ba72f3d8dd7ull) +
			(digest_word(value + at + 16) ^ 0xd1b54a32d192ed03ull) *
				(digest_word(value + at + 24) ^ 0xff51afd7ed558ccdull) +
			(digest_word(value + at + 32) ^ 0xaef17502108ef2d9ull) *
				(digest_word(value + at + 40) ^ 0xf1357aea2e62a9c5ull) +
			(digest_word(value + at + 48) ^ 0xbf58476d1ce4e5b9ull) *
				(digest_word(value + at + 56) ^ 0x94d049bb133111ebull);
	}
	for (; at < bytes; at += 8)
		sum = (sum << 23 | sum >> 41) +
			(digest_word(value + at) ^ 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
	return sum ^ (sum >> 29);
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
