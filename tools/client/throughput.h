/*
 * throughput.h - a closed loop of key-value operations over several clients: figures and a history.
 *
 * Owns:    its clients and what each counts: a client's own thread alone writes there.
 */
#ifndef TOOLS_CLIENT_THROUGHPUT_H
#define TOOLS_CLIENT_THROUGHPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/client/paxwire_client.h"

enum {
	THROUGHPUT_CLIENTS_MAX = 64,
	THROUGHPUT_VALUE_LEAST = 8, /* Bytes: the number of the value. */
	THROUGHPUT_VALUE_MOST = 1024,
	THROUGHPUT_KEYS_MAX = 1 << 24,
};

struct throughput_settings {
	uint32_t clients;
	uint32_t outstanding; /* Of each client. */
	double seconds;
	uint64_t operations; /* In all; 0: as many as the time allows. */
	uint32_t keys;
	uint32_t reads, cas, deletes; /* Percent; puts are the rest. */
	enum paxwire_kind read_kind;
	uint32_t value_bytes;
	uint32_t first; /* Number of the first process: several programs' histories may be one. */
	uint64_t seed;
	const char *history; /* A file; NULL: none. */
};

/* Prints the figures. Returns the program's exit status: 1 with one sentence in `error` if it could
 * not run, or a value came back that nobody wrote. */
int throughput_run(const struct throughput_settings *settings,
	const struct paxwire_options *options, char *error, size_t size);

#endif
