/*
 * machine.h - the interface of a replicated state machine: apply a batch, in log order; and read.
 *
 * Never:   blocks, allocates, or depends on anything but the commands so far: every replica must
 *          come to the same results.
 */
#ifndef CONSENSUS_MACHINE_H
#define CONSENSUS_MACHINE_H

#include <stdint.h>

#include "consensus/message.h"

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

struct machine {
	void *state;
	/* `count` commands of ascending instances; results[i] answers commands[i]. */
	void (*apply)(void *state, const struct command *commands, uint32_t count,
		struct result *results);
	/* `count` reads of the state as it stands, which they leave so: what would change it is
	 * REPLY_BAD_COMMAND. */
	void (*query)(void *state, const struct command *commands, uint32_t count,
		struct result *results);
};

#endif
