/*
 * emmintrin.h - stands in for the compiler's header where the provers read: what uses it is not proved.
 */
#ifndef CONSENSUS_PROOF_STUBS_EMMINTRIN_H
#define CONSENSUS_PROOF_STUBS_EMMINTRIN_H

typedef struct {
	long long half[2];
} __m128i;

/*@ requires \valid_read(from);
    assigns \nothing; */
__m128i _mm_loadu_si128(const __m128i *from);
/*@ requires \valid(to);
    assigns *to; */
void _mm_stream_si128(__m128i *to, __m128i value);

#endif
