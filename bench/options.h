/*
 * options.h - the command line of paxwire-bench.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/client.h"

enum {
	SETS_MAX = 16
};

struct options {
	bool demo;
	const char *config; /* NULL: the embedded profile's values, built in. */
	const char *client; /* Which of the file's clients we are; NULL: the first. */
	bool reflect;       /* Only send back what comes: the other end of --ping. */
	const char *ping;   /* Only measure the ports, against this reflecting client. */
	uint32_t replicas;
	uint32_t lcores;
	double seconds;          /* Of the measured phase, at most. */
	uint64_t commits;        /* It ends at so many; 0: by time only. */
	bool kill_leader;        /* In its middle. */
	bool transfer;           /* Then the leader hands over, in good health. */
	double pause_seconds;    /* Then a follower stands still for so long; 0: none does. */
	bool snapshots;          /* Half of the time replicas cut them in turn, */
	double snapshots_gap_ms; /* so long after the last one was whole. */
	uint32_t sets_count;
	const char *sets[SETS_MAX]; /* NAME=VALUE of tunables. */
	double faults;              /* Per cent of frames lost, doubled, late, each. */
	bool mutant;                /* One replica swaps two commands: agreement must be false. */
	double warmup_seconds;
	uint32_t sessions;
	uint32_t window;
	uint32_t batch; /* 0: what fits. */
	uint32_t mtu;   /* Embedded without a file. */
	uint32_t value_bytes;
	bool kv; /* Embedded without a file: its state machine is kv, not null. */
	uint32_t keys;
	double read_share;
	enum read_mode reads;
	double rate; /* 0: closed loop. */
	bool poisson;
	const char *durability;
	const char *directory; /* Of the journals, unless durability is none. */
	uint32_t segments;
	uint32_t snapshot_segments;
	bool format;
	const char *die;     /* File: see survival.h; NULL: it lives. */
	const char *survive; /* File of the run before, which died. */
	const char *trace;   /* File for every replica's transitions; NULL: nobody watches. */
	const char *record;  /* Folder for every replica's steps in detail. */
	const char *json;
	const char *percentiles; /* File for HdrHistogram's text. */
	int eal_count;
	char **eal;
};

/* Prints one sentence and exits with 1 if an argument is wrong. */
struct options options_parse(int argc, char **argv);

#endif
