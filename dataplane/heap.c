#include "dataplane/heap.h"

#include <stdio.h>
#include <sys/mman.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#define HEAP "paxwire"

enum {
	HUGE_BYTES = 1 << 21
};

static int socket_of_heap = -1; /* Set before the lcores start; read only afterwards. */

bool heap_create(uint32_t mebibytes, char *error, size_t size)
{
	const size_t bytes = RTE_ALIGN_CEIL((size_t)mebibytes << 20, (size_t)HUGE_BYTES);
	void *memory = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED) {
		void *aligned = RTE_PTR_ALIGN_CEIL(memory, HUGE_BYTES);

		madvise(aligned, bytes, MADV_HUGEPAGE); /* Small pages are only slower. */
		if (rte_malloc_heap_create(HEAP) == 0 &&
			rte_malloc_heap_memory_add(HEAP, aligned, bytes, NULL, 0, HUGE_BYTES) ==
				0) {
			socket_of_heap = rte_malloc_heap_get_socket(HEAP);
			return true;
		}
	}
	snprintf(error, size, "%u MiB of memory can not be had: free some.", mebibytes);
	return false;
}

int heap_socket(void)
{
	return socket_of_heap >= 0 ? socket_of_heap : (int)rte_socket_id();
}

void *heap_zalloc(const char *name, size_t bytes)
{
	return heap_zalloc_at(name, bytes, RTE_CACHE_LINE_SIZE);
}

void *heap_zalloc_at(const char *name, size_t bytes, uint32_t align)
{
	return rte_zmalloc_socket(name, bytes, align, heap_socket());
}
