#include "dataplane/handoff.h"

#include "dataplane/heap.h"

struct handoff handoff_create(const char *name, uint32_t size)
{
	return (struct handoff){
		.ring = rte_ring_create_elem(name, sizeof(struct handoff_element), size,
			heap_socket(), RING_F_SP_ENQ | RING_F_SC_DEQ),
	};
}

void handoff_free(struct handoff *h)
{
	rte_ring_free(h->ring);
	h->ring = NULL;
}
