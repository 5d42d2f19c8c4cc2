/*
 * oracle.h - what the simulator knows and no replica does: each instance's one command, once.
 *
 * Owns:    the record of every execution, over all replicas; the first violation seen.
 * Upholds: agreement: an instance executes the same command, with the same result, everywhere;
 *          exactly once: a (session, sequence) executes at one instance; order: a replica's
 *          instances go up; an acknowledgement's result is that of the execution; nothing
 *          acknowledged is lost: a phase-2 quorum holds it; reads: one sees all that was
 *          acknowledged, or seen by another read, before it was asked.
 *
 * Its state machine makes each result depend on all commands before it, so that any other order,
 * gap or repetition shows in the very next result.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/machine.h"

enum {
	ORACLE_INSTANCES_MAX = 1 << 18, /* Every loss on a disk is filled with no-ops: a window. */
	ORACLE_COMMANDS_MAX = 1 << 13,
	ORACLE_TEXT_MAX = 256,
};

struct oracle;

/* One replica's state machine. */
struct oracle_machine {
	struct oracle *oracle;
	uint32_t node;
	uint64_t sum;  /* Of all commands so far, in order. */
	uint64_t next; /* Instances below were executed. */
	bool swap;     /* Mutant: executes two commands of a batch in the wrong order. */
};

struct execution {
	uint64_t session, sequence;
	uint64_t sum;
	uint32_t generation;
};

struct oracle_command {
	uint64_t session, sequence, instance, result;
	uint32_t generation;
};

struct oracle {
	uint32_t generation; /* Of the seed: entries of other seeds are empty. */
	uint64_t executed;
	uint64_t acknowledged;
	uint64_t reads;
	uint64_t stale_reads;
	uint64_t seen; /* Instances below were acknowledged, or seen by a read that was answered. */
	/* Does a phase-2 quorum hold the instance now? */
	bool (*held)(void *context, uint64_t instance);
	void *context;
	bool violated;
	char violation[ORACLE_TEXT_MAX];
	struct oracle_machine machines[MEMBER_MAX];
	struct execution executions[ORACLE_INSTANCES_MAX];
	struct oracle_command commands[ORACLE_COMMANDS_MAX]; /* Open addressing. */
};

void oracle_start(struct oracle *o);
struct machine oracle_machine(struct oracle *o, uint32_t node);
/* Of a replica that has executed nothing. */
struct machine oracle_machine_anew(struct oracle *o, uint32_t node);

/* A client was told that its command executed, with this result. */
void oracle_on_acknowledged(struct oracle *o, uint64_t session, uint64_t sequence, uint64_t result);

/* A client was told that the commands below instance `result` executed; when it asked, `seen` was
 * so much. */
void oracle_on_read(struct oracle *o, uint64_t seen, uint64_t result);

/* A client was told so without a round, of all that stands below `reflects`. */
void oracle_on_stale_read(struct oracle *o, uint64_t reflects, uint64_t result);

/* The first violation is kept; the run ends at it. */
void oracle_violation(struct oracle *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
