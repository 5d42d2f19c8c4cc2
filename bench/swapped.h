/*
 * swapped.h - a state machine that is wrong on purpose: on one replica, once, two commands of a
 * batch change places. What compares replicas must find it (paxwire-bench --mutant swap).
 */
#ifndef BENCH_SWAPPED_H
#define BENCH_SWAPPED_H

#include "consensus/machine.h"

/* Around `inner`, which stays the caller's. One such machine a process. */
struct machine swapped(const struct machine *inner);

#endif
