/*
 * scenes.h - the scenarios that have names, each from several seeds.
 */
#ifndef SIM_SCENES_H
#define SIM_SCENES_H

#include "tests/sim/graphs.h"

/* Prints a line for each: its rule, and how many seeds passed. */
struct tally scenes_run(struct world *w);

#endif
