/*
 * checks.h - what must hold of every node after each of its turns, and at a run's end.
 *
 * Upholds: A1, A2, A5, P5; a ballot from nowhere is believed by nobody; one without memory is heard
 *          by nobody; every frame taken is queued or kept (bounded memory); an acknowledged command
 *          is held by a phase-2 quorum when it is acknowledged, and executed by all in the end.
 */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "tests/sim/world.h"

void checks_start(struct world *w);

/* Its transitions are looked at from now on. */
void checks_watch(struct world *w, struct node *n);

/* After a turn. */
void checks_node(struct world *w, uint32_t id);

bool checks_all_enrolled(const struct world *w);

void checks_end(struct world *w);

/* A line for each node and the clients: how far they are. */
void checks_print(const struct world *w);

#endif
