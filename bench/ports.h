/*
 * ports.h - the runs of --reflect and --ping: two hosts' ports without replicas.
 */
#ifndef BENCH_PORTS_H
#define BENCH_PORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/options.h"
#include "config/config.h"

/* Until a signal (reflect), or for --seconds (ping), which prints what it measured. */
bool ports_run(const struct options *options, const struct config *config, char *error,
	size_t size);

#endif
