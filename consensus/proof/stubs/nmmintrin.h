/*
 * nmmintrin.h - what the provers are told of SSE4.2's checksums, in place of the compiler's header:
 * functions of their arguments alone.
 */
#ifndef CONSENSUS_PROOF_STUBS_NMMINTRIN_H
#define CONSENSUS_PROOF_STUBS_NMMINTRIN_H

#include <stdint.h>

/*@ assigns \nothing; */
uint64_t _mm_crc32_u64(uint64_t crc, uint64_t word);
/*@ assigns \nothing; */
uint32_t _mm_crc32_u32(uint32_t crc, uint32_t word);
/*@ assigns \nothing; */
uint32_t _mm_crc32_u16(uint32_t crc, uint16_t word);
/*@ assigns \nothing; */
uint32_t _mm_crc32_u8(uint32_t crc, uint8_t word);

#endif
