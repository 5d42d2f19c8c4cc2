/*
 * boot.h - a durable node's life: formatted once, started from what its disk holds, crashed.
 *
 * Upholds: a start is that of a real replica: superblock, journal, replay, the next life's superblock
 *          before the first frame.
 */
#ifndef SIM_BOOT_H
#define SIM_BOOT_H

#include "tests/sim/node.h"
#include "tests/sim/oracle.h"

void boot_format(struct node *n);

/* Starts from the disk. False: it stays out, and says why. */
bool boot_start(struct node *n, struct oracle *o, const struct machine *machine);

/* The process ends, the power fails: what is under way is torn. */
void boot_crash(struct node *n);

/* What the disk brought to an end by now. */
void boot_complete(struct node *n);

/* What waits goes to the disk. Either may end in a crash, when its step has come. */
void boot_flush(struct node *n);

/* A mutant's acceptor, when a message comes. */
void boot_break_rules(struct node *n, const struct message *m);

#endif
