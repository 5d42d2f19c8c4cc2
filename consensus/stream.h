/*
 * stream.h - copying past the cache: to what is larger than it and not read again soon.
 *
 * Owns:    nothing.
 * Never:   orders the copy before what another core is told next; where that one reads it, the caller
 *          does (_mm_sfence).
 * Proofs:  tests/unit/test_log.c, test_disk.c.
 */
#ifndef CONSENSUS_STREAM_H
#define CONSENSUS_STREAM_H

#include <stdint.h>

#include <emmintrin.h>

enum {
	STREAM_LINE = 64,
	STREAM_WORD = 16,
};

/* `to` is aligned to STREAM_WORD. */
static inline void stream_word(uint8_t *to, const uint8_t *from)
{
	_mm_stream_si128((__m128i *)(void *)to,
		_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* As many whole lines as `bytes` has; returns what they are. A line that is written in part is first
 * read. */
static inline uint32_t stream_lines(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
	uint32_t at = 0;

	for (; at + STREAM_LINE <= bytes; at += STREAM_LINE) {
		stream_word(to + at, from + at);
		stream_word(to + at + STREAM_WORD, from + at + STREAM_WORD);
		stream_word(to + at + 2 * STREAM_WORD, from + at + 2 * STREAM_WORD);
		stream_word(to + at + 3 * STREAM_WORD, from + at + 3 * STREAM_WORD);
	}
	return at;
}

#endif
