/*
 * graphs.h - who hears whom: every directed graph of three members, and some of five.
 */
#ifndef SIM_GRAPHS_H
#define SIM_GRAPHS_H

#include "tests/sim/world.h"

struct tally {
	uint64_t passed;
	uint64_t failed;
};

/* Every graph of three members, from several seeds, and `sample` ones of five. Prints what failed.
 * scenarios.md, Network: any directed graph of 3 and of 5 nodes; a returning partitioned node. */
struct tally graphs_run(struct world *w, uint64_t sample);

#endif
