/*
 * minimise.h - the smallest plan that still fails: fewer kinds of faults, faults and commands.
 */
#ifndef SIM_MINIMISE_H
#define SIM_MINIMISE_H

#include "tests/sim/world.h"

/* `plan` fails; so does what is returned. Each try is a run in a process of its own. */
struct plan minimise(struct world *w, const struct plan *plan);

#endif
