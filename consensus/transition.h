/*
 * transition.h - the protocol's steps as an observer sees them: what a trace records.
 *
 * Never:   changes what a role does. Off (a null function) it costs one predictable branch.
 */
#ifndef CONSENSUS_TRANSITION_H
#define CONSENSUS_TRANSITION_H

#include <stdint.h>

enum transition_event {
	TRANSITION_PROMISED,  /* acceptor: promised `ballot`. */
	TRANSITION_VOTED,     /* acceptor: voted for [first, first + count) at `ballot`. */
	TRANSITION_REFUSED,   /* acceptor: refused [first, first + count); `ballot` is promised. */
	TRANSITION_STORED,    /* acceptor: keeps [first, first + count) as chosen. */
	TRANSITION_PREPARING, /* leader: begins phase 1 of `ballot`. */
	TRANSITION_PROPOSED,  /* leader: proposed [first, first + count) at `ballot`. */
	TRANSITION_CHOSEN,    /* leader: all below `first` is chosen at `ballot`. */
	TRANSITION_LEADING,   /* leader: its no-op at `first` is chosen: it takes commands. */
	TRANSITION_STEPPED_DOWN,
	TRANSITION_TRANSFERRING, /* leader: hands its lead to member `first`. */
	TRANSITION_DELIVERED,    /* learner: executed [first, first + count). */
	TRANSITION_INSTALLED,    /* learner: took over a snapshot of all below `first`. */
	TRANSITION_EVENTS
};

struct transition {
	uint64_t ballot;
	uint64_t first;
	uint32_t count;
	uint16_t event; /* enum transition_event */
	uint16_t reserved;
};

static inline const char *transition_text(uint32_t event)
{
	static const char *const texts[TRANSITION_EVENTS] = {"promised", "voted", "refused",
		"stored", "preparing", "proposed", "chosen", "leading", "stepped-down",
		"transferring", "delivered", "installed"};

	return event < TRANSITION_EVENTS ? texts[event] : "unknown";
}

#endif
