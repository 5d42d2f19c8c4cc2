/*
 * transition.h - the protocol's steps as an observer sees them: what a trace records.
 *
 * Never:   changes what a role does. Off (a null function) it costs one predictable branch.
 *
 * Details are what the checker of traces (consensus/proof) needs besides: the values of runs, and
 * what leaves an acceptor. Only who asks for them (outlet.details) gets them.
 */
#ifndef CONSENSUS_TRANSITION_H
#define CONSENSUS_TRANSITION_H

#include <stdbool.h>
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

	/* Details. */
	TRANSITION_VALUES,  /* `count` <= 3 values of the run that this stage's next step is of: in
	                        `ballot`, `first`, `value`. A run of no-ops has none. */
	TRANSITION_TAKEN,   /* leader: took one client's entry, whose value is `value`. */
	TRANSITION_TRIMMED, /* acceptor: `lo` is `first`. */
	TRANSITION_APPENDED, /* acceptor: what precedes it is record `first` of this life's journal. */
	TRANSITION_DURABLE, /* acceptor: its records up to `first` are durable. */
	TRANSITION_TOLD_PROMISE, /* acceptor: its promise of `ballot` leaves: lo `first`, high `value`. */
	TRANSITION_TOLD_VOTES,  /* acceptor: it says that it voted for [first, first + count). */
	TRANSITION_TOLD_REPORT, /* acceptor: reported [first, first + count) at `ballot`. */
	TRANSITION_PREPARED,    /* leader: every own shard promised: Prepare goes to others. */
	TRANSITION_QUORUM,      /* leader: the members `value` (a bitmask) have promised. */
	TRANSITION_COVERED,     /* leader: member `value` reported [first, first + count). */
	TRANSITION_RESTORED,    /* acceptor: a new life, whose promise is `ballot`. */
	TRANSITION_FOUND, /* acceptor: of its last life's records this one is the last on disk:
	                            kind `value`, [first, first + count) at `ballot`. */
	TRANSITION_EVENTS
};

struct transition {
	uint64_t ballot;
	uint64_t first;
	uint64_t value; /* Of details only. */
	uint32_t count;
	uint16_t event; /* enum transition_event */
	uint16_t reserved;
};

static inline bool transition_is_detail(const struct transition *t)
{
	return t->event >= TRANSITION_VALUES;
}

static inline const char *transition_text(uint32_t event)
{
	static const char *const texts[TRANSITION_EVENTS] = {"promised", "voted", "refused",
		"stored", "preparing", "proposed", "chosen", "leading", "stepped-down",
		"transferring", "delivered", "installed", "values", "taken", "trimmed", "appended",
		"durable", "told-promise", "told-votes", "told-report", "prepared", "quorum",
		"covered", "restored", "found"};

	return event < TRANSITION_EVENTS ? texts[event] : "unknown";
}

#endif
