/*
 * pool.h - the memory of frames: mempools that give mbufs from core to core in batches.
 *
 * Owns:    for each pool a lock-free stack of batches of free mbufs, behind the lcores' own caches.
 * Never:   locks. DPDK's lock-free stack alone walks a list mbuf by mbuf: where one lcore allocates and
 *          another frees, that was a cache miss for each, a tenth of all CPU time.
 * Upholds: each free mbuf is in one place: a cache, a batch, or nobody's hands but its user's.
 * Proofs:  tests/unit/test_pool.c, without TSan: it does not see what orders DPDK's stack, a compare of 16
 *          bytes by an instruction, and calls that stack itself a race.
 */
#ifndef DATAPLANE_POOL_H
#define DATAPLANE_POOL_H

#include <stdint.h>

#include <rte_mempool.h>

/* `count` mbufs with `private_bytes` of private area and `room` of data. What was freed last is taken
 * first: it is still in a cache. NULL, with rte_errno: no memory, or the name is taken or too long. */
struct rte_mempool *pool_create(const char *name, uint32_t count, uint16_t private_bytes,
	uint16_t room);

/* Bytes of memory that such a pool takes, at most. */
uint64_t pool_bytes(uint32_t count, uint16_t private_bytes, uint16_t room);

#endif
