/*
 * drive.h - a run whose faults are chosen one by one: for graphs and scenarios.
 *
 * Owns:    nothing; the world does.
 */
#ifndef SIM_DRIVE_H
#define SIM_DRIVE_H

#include "tests/sim/world.h"

enum {
	DRIVE_TIMEOUT_MS = 10, /* Of elections. */
	DRIVE_BOUND_MS = 150,  /* In which a leader must be found, and all else must settle. */
};

/* Nobody leads, or two do. */
#define DRIVE_NO_LEADER WORLD_NOBODY

/* Members, clients that ask all the time, and a leader. False: there is none in time. `with`: kinds of
 * faults (a bitmask) that the run is made for; none strikes by itself. */
bool drive_start(struct world *w, uint64_t seed, uint32_t members, uint32_t with);

/* Virtual time goes by. */
void drive_pass(struct world *w, uint64_t ms);

/* Who leads now. */
uint16_t drive_leader(const struct world *w);

/* `hears[i]`: bitmask of the members that member i hears. Clients are heard by all, and hear all. */
void drive_links(struct world *w, const uint32_t *hears);
void drive_all_links(struct world *w);

/* Whether one and the same leads for `ms`, and commands are acknowledged in that time. */
bool drive_stable(struct world *w, uint64_t ms);

/* All members stand at the same place, within the bound, once clients ask no more. */
bool drive_end(struct world *w);

#endif
