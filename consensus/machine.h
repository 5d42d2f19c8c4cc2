/*
 * machine.h - the interface of a replicated state machine: apply a batch, in log order; read; be
 * saved and restored.
 *
 * Never:   blocks, allocates, or depends on anything but the commands so far: every replica must
 *          come to the same results.
 */
#ifndef CONSENSUS_MACHINE_H
#define CONSENSUS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/snapshot.h"

struct command {
	uint64_t instance; /* Of a read: the next one that the state will see. */
	uint64_t session;
	uint64_t sequence;
	const uint8_t *value; /* Valid during the call only. */
	uint32_t length;
};

struct result {
	uint64_t result;      /* 56 bits. */
	const uint8_t *value; /* A read's answer, valid until the next call; length 0: none. */
	uint32_t length;
	enum reply_status status;
};

/* How a state is saved, exact at one instance while commands go on, and restored. All by the thread
 * that applies. Each call does a bounded piece of work. */
struct machine_snapshot {
	/* Of all entries in an image, at most (snapshot_record_bytes of each). */
	uint64_t (*bytes)(const void *state);
	/* How many entries a state has at most, */
	uint64_t (*count_max)(const void *state);
	/* and how many it has now. */
	uint64_t (*count)(const void *state);
	/* What stands now goes to `to`, each entry once (snapshot_add, SNAPSHOT_ENTRY): some at each
	 * step, and each before a command changes it. Until the steps have ended `to` stays. */
	void (*begin)(void *state, struct snapshot *to);
	bool (*step)(void *state); /* False: all entries are saved. */
	/* May this entry, of an image of all below `instance`, be restored? */
	bool (*valid)(const void *state, const uint8_t *entry, uint32_t length, uint64_t instance);
	/* A state is restored into an empty one: cleared by steps, then entry by entry, up to
	 * count_max of them; then it is told that this was all. */
	bool (*clear)(void *state); /* False: it is empty. */
	void (*restore)(void *state, const uint8_t *entry, uint32_t length);
	void (*restored)(void *state); /* NULL: it need not know. */
};

struct machine {
	void *state;
	const struct machine_snapshot *snapshot; /* NULL: it has no state. */
	/* `count` commands of ascending instances; results[i] answers commands[i]. */
	void (*apply)(void *state, const struct command *commands, uint32_t count,
		struct result *results);
	/* `count` reads of the state as it stands, which they leave so: what would change it is
	 * REPLY_BAD_COMMAND. */
	void (*query)(void *state, const struct command *commands, uint32_t count,
		struct result *results);
};

#endif
