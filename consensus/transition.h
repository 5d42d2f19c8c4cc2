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

	/* Details. A run's values come in front of its step. */
	TRANSITION_VALUES,   /* `count` <= 3 values, in `ballot`, `first`, `value`. */
	TRANSITION_TAKEN,    /* leader: took a client's entry, whose value is `value`. */
	TRANSITION_REPEATED, /* acceptor: as VOTED, for a run that it voted for before. */
	TRANSITION_TRIMMED, /* acceptor: it heard that all below `first` is delivered; `value` 1: by a
	                        snapshot. */
	TRANSITION_APPENDED, /* acceptor: a record of what came before: the `value`-th of this life's;
	                        its ballot, first, and kind * 65536 + count. */
	TRANSITION_FOUND,   /* acceptor: of the last life's records this one, as in APPENDED, is the
	                        last on the disk. */
	TRANSITION_DROPPED, /* acceptor, at a start: it holds nothing below `first`. */
	TRANSITION_RESTORED, /* acceptor: a new life: its promise is `ballot`; the learner had delivered
	                        all below `first`, and has all below `value` from a snapshot. `count`
	                        1: the disk is damaged, and it knows. */
	TRANSITION_DURABLE, /* acceptor: its records up to the `value`-th are durable. */
	TRANSITION_TOLD_PROMISE, /* acceptor: its promise of `ballot` leaves: lo `first`, high `value`. */
	TRANSITION_TOLD_VOTES,    /* acceptor: it says that it voted for [first, first + count). */
	TRANSITION_TOLD_REPORT,   /* acceptor: reports [first, first + count) at `ballot`. */
	TRANSITION_SERVED,        /* acceptor: gives [first, first + count) away as chosen. */
	TRANSITION_PREPARED,      /* leader: every own shard promised: Prepare goes to others. */
	TRANSITION_HEARD_PROMISE, /* leader: as told, by shard count / 256 of member count % 256. */
	TRANSITION_HEARD_REPORT,  /* leader: as told, by member `value`. */
	TRANSITION_QUORUM,        /* leader: the members `value` (a bitmask) are its quorum. */
	TRANSITION_ADVANCED,      /* leader: as CHOSEN, at once. */
	TRANSITION_CUT,           /* learner: begins a snapshot of all below `first`. */
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
		"transferring", "delivered", "installed", "values", "taken", "repeated", "trimmed",
		"appended", "found", "dropped", "restored", "durable", "told-promise", "told-votes",
		"told-report", "served", "prepared", "heard-promise", "heard-report", "quorum",
		"advanced", "cut"};

	return event < TRANSITION_EVENTS ? texts[event] : "unknown";
}

#endif
