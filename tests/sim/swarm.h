/*
 * swarm.h - which faults a run has and how strong, drawn from its seed.
 *
 * The kinds are rows of scenarios.md; tests/README.md says which. Every run leaves some kinds out:
 * what all kinds together hide, some of them show (Groce et al., Swarm Testing, 2012).
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/random.h"

enum fault {
	/* Of single packets. */
	FAULT_LOSS,
	FAULT_DUPLICATE,
	FAULT_DELAY,     /* Long, and each packet another one: reordering. */
	FAULT_REPLAY,    /* Old packets, minutes old after a sleep. */
	FAULT_FLIP,      /* Flipped bits, in bursts of packets. */
	FAULT_FLIP_PAIR, /* Two bits that keep the UDP checksum. */
	FAULT_TRUNCATE,
	FAULT_FOREIGN, /* Another cluster's, another epoch's, a stranger's under a member's id. */
	FAULT_NUMBERS, /* Ballots and instances from nowhere, from a valid peer. */
	/* Of links. */
	FAULT_ONE_WAY,
	FAULT_PARTITION,
	FAULT_ISOLATE, /* A member, the leader mostly, sleeps until others lead, and wakes alone. */
	/* Of processes. */
	FAULT_PAUSE, /* Beyond every timeout. */
	FAULT_SLEEP, /* All at once, for minutes. */
	FAULT_STARVE,
	FAULT_TRANSFER,     /* An operator moves the lead, whatever is going on. */
	FAULT_CRASH,        /* For ever. */
	FAULT_RETURN_EMPTY, /* Who crashed starts again without memory. */
	FAULT_RESTART, /* Crashes, of all too, and disks that tear, lose, fail; from them it starts. */
	FAULT_DISK_FULL, /* Until a restart at which there is room again. */
	/* Of clocks. */
	FAULT_CLOCK_JUMP,
	FAULT_CLOCK_RATE,
	/* Of load. */
	FAULT_OVERLOAD,
	FAULT_LAG,   /* A member misses most of what is proposed. */
	FAULT_TRIM,  /* Members drop what they delivered: only a snapshot has it. */
	FAULT_EVICT, /* A session table smaller than its sessions. */
	FAULT_KINDS,

	FAULT_PACKET_END = FAULT_ONE_WAY,
};

struct swarm {
	uint32_t kinds;             /* Bitmask of enum fault. */
	uint8_t force[FAULT_KINDS]; /* Percent of the strongest. */
};

const char *fault_name(enum fault fault);

/* FAULT_KINDS: no kind has this name (of `length` characters). */
enum fault fault_named(const char *name, uint32_t length);

static inline bool swarm_has(const struct swarm *s, enum fault fault)
{
	return (s->kinds >> fault & 1) != 0;
}

/* Kinds in `without` are left out; the others are drawn as if it were empty. */
void swarm_draw(struct swarm *s, struct random *r, uint32_t without);

#endif
