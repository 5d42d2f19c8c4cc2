/*
 * power.h - what happens to durable nodes as a whole: crashes, also of all at once, restarts, and
 * what their disks do to them meanwhile.
 *
 * Owns:    when each crashed node starts again; which members' disks were damaged: a minority.
 */
#ifndef SIM_POWER_H
#define SIM_POWER_H

#include <stdbool.h>
#include <stdint.h>

struct disk;
struct world;

enum {
	POWER_MEMBERS_MAX = 5
};

struct power {
	uint64_t restart_ns[POWER_MEMBERS_MAX]; /* UINT64_MAX: it runs, or never starts again. */
	uint32_t damaged;                       /* Bitmask. */
	uint64_t crashes, restarts;
};

void power_start(struct world *w);

/* One of the faults above, at this member mostly. */
void power_fault(struct world *w, uint32_t id);

/* This member's disk is full. */
void power_fill(struct world *w, uint32_t id);

/* After a node's turn: did it crash in it? */
void power_look(struct world *w, uint32_t id);

/* The next restart, or UINT64_MAX; and its turn. */
uint64_t power_next_ns(const struct world *w);
void power_turn(struct world *w);

/* The node crashes, and starts again later. */
void power_crash(struct world *w, uint32_t id);

/* The same, with what its disk was some time ago. */
void power_restore(struct world *w, uint32_t id, const struct disk *image);

/* Who is to start again does so that much later. */
void power_sleep(struct world *w, uint64_t sleep_ns);

/* No more faults: who is down, or whose disk failed or was full, starts again. */
void power_calm(struct world *w);

/* Nobody is about to start, and everybody that runs has executed all that was acknowledged. */
bool power_settled(const struct world *w);

#endif
