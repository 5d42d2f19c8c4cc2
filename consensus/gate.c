#include "consensus/gate.h"

#include <stddef.h>

#include "consensus/check.h"

void gate_init(struct gate *g)
{
	g->appended = 0;
	g->durable = 0;
	g->promised = 0;
	g->first = 0;
	g->count = 0;
}

void gate_add(struct gate *g, const struct gated *what)
{
	CHECK(gate_room(g, 1));
	struct gated *w = &g->waiting[(g->first + g->count++) % GATE_MAX];

	*w = *what;
	w->position = g->appended;
}

void gate_open(struct gate *g, uint64_t durable)
{
	CHECK(durable <= g->appended);
	if (durable > g->durable)
		g->durable = durable;
}

const struct gated *gate_take(struct gate *g)
{
	const struct gated *w = &g->waiting[g->first];

	if (g->count == 0 || w->position > g->durable)
		return NULL;
	g->first = (g->first + 1) % GATE_MAX;
	g->count--;
	return w;
}
