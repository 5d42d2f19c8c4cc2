/*
 * heap.h - where the data plane's memory comes from: DPDK's huge pages, or, without hugetlbfs,
 * anonymous memory that the kernel backs with huge pages by itself.
 *
 * Owns:    the one heap of the process, made before any thread uses it.
 */
#ifndef DATAPLANE_HEAP_H
#define DATAPLANE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a process without hugetlbfs. (DPDK's own memory is then a memfd, which gets small pages: at
 * millions of commits a second the TLB misses cost more than the protocol.) False: a sentence. */
bool heap_create(uint32_t mebibytes, char *error, size_t size);

/* The socket id to give to DPDK's allocators: our heap's if it was made, else DPDK's own. */
int heap_socket(void);

/* Zeroed, at a cache line; NULL: no room. Free with rte_free. */
void *heap_zalloc(const char *name, size_t bytes);

/* The same at a multiple of `align`, a power of two. */
void *heap_zalloc_at(const char *name, size_t bytes, uint32_t align);

#endif
