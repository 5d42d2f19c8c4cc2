/*
 * faults.h - what goes wrong in a run: each time one fault of a kind that the run's swarm has.
 *
 * Never:   takes chance from anything but the world's `chance`.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "tests/sim/world.h"

/* Draws the swarm and the first fault's time. */
void faults_start(struct world *w);

/* The next fault, at `victim` or (WORLD_NOBODY) at anybody. */
void faults_strike(struct world *w, uint16_t victim);

/* Most kinds of the run at once, a crash before the return of who crashed. */
void faults_strike_each(struct world *w, uint16_t victim);

/* A leader has just delivered across a block's end, before the others: it sleeps until they elect
 * another one, which then lacks what the sleeper no longer reports. */
void faults_strike_crossing(struct world *w, uint16_t leader);

/* Links, load, starvation and clocks are again as they should be; what was lost stays lost. */
void faults_end(struct world *w);

/* A member, for ever. False: too few would be left. */
bool faults_crash(struct world *w, uint16_t victim);

/* Member `id` has no turn until then. */
void faults_pause(struct world *w, uint16_t id, uint64_t until_ns);

#endif
