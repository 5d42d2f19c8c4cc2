/*
 * session.h - exactly once: what each session has had executed, and the answers.
 *
 * Owns:    the table of sessions, in memory given by the caller.
 * Never:   depends on anything but the log: every replica keeps the same table.
 * Upholds: S1  a sequence of a session executes at most once.
 *          S2  a sequence below the session's base is `stale` and does not execute.
 *          S3  a full table evicts the session whose last applied command is oldest in the log.
 *          S5  a snapshot has each session once, as it stood at the cut.
 * Proofs:  tests/unit/test_session.c. (Ongaro, Consensus, 6.3; the window of W replaces "last
 *          sequence", under which 4 is lost, 5 executes, and 4 never runs.)
 */
#ifndef CONSENSUS_SESSION_H
#define CONSENSUS_SESSION_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"
#include "consensus/snapshot.h"

struct session {
	uint64_t id;   /* The instance of its open command, plus one; 0: an empty slot. */
	uint64_t base; /* Sequences below do not execute any more. */
	uint64_t last; /* Instance of its last applied command. */
	uint64_t
		replies[SESSION_WINDOW]; /* By sequence % SESSION_WINDOW: status * 2^56 + result. */
	uint16_t client;     /* Handle of the client to answer, 0: none here. Not replicated. */
	uint8_t done;        /* Bit k: sequence base + k has executed. */
	uint32_t generation; /* Of the last snapshot that has it, or that it is too new for. */
};
static_assert(sizeof(struct session) <= 64, "one cache line");

struct session_table {
	struct session *slots; /* Twice the sessions, a power of two. */
	uint64_t mask;
	uint32_t shift;
	uint32_t count;
	uint32_t max;
	uint64_t evicted;
	uint32_t generation; /* Of the last snapshot begun, or restored. */
	struct snapshot *to; /* Where sessions of an older generation are to be saved. */
	uint64_t scanned;    /* Slots below are saved; or where emptying goes on. */
};

/* Slots that a table of sessions_max sessions needs: a power of two. */
uint64_t session_slots(uint32_t sessions_max);

/* `slots`: session_slots(sessions_max) of them. */
void session_init(struct session_table *t, struct session *slots, uint32_t sessions_max);

static inline uint64_t session_home(const struct session_table *t, uint64_t id)
{
	/* Ids are instances, so already spread; neighbours in the log stay neighbours in the cache. */
	return (id + (id >> t->shift)) & t->mask;
}

static inline void session_prefetch(const struct session_table *t, uint64_t id)
{
	__builtin_prefetch(&t->slots[session_home(t, id)]);
}

/* A new session, whose id is the instance of its open command. */
struct session *session_open(struct session_table *t, uint64_t id);

/* Past the slot where it stands mostly. */
struct session *session_find_far(struct session_table *t, uint64_t id);

/* NULL: never opened, or evicted. */
static inline struct session *session_find(struct session_table *t, uint64_t id)
{
	struct session *home = &t->slots[session_home(t, id)];

	return __builtin_expect(home->id == id + 1, 1) ? home : session_find_far(t, id);
}

/* ---- Snapshots ---- */

/* Whoever changes a session, or moves it, saves it first if it is of an older generation. */
void session_save(struct session_table *t, struct session *s);

static inline bool session_unsaved(const struct session_table *t, const struct session *s)
{
	return s->generation != t->generation;
}

/* The sessions as they stand now go to `to`: some at each step. */
void session_snapshot_begin(struct session_table *t, struct snapshot *to);
bool session_snapshot_step(struct session_table *t); /* False: all are saved. */

/* With no snapshot going on a table is emptied by steps, then takes one session after the other, up to
 * its `max`. Nothing is looked up meanwhile. */
bool session_clear_step(struct session_table *t); /* False: it is empty. */
void session_restore(struct session_table *t, const struct snapshot_session *from);

/* ---- One command ---- */

enum session_answer {
	SESSION_RUN,    /* Not executed yet, and now counted as executed: give its reply soon. */
	SESSION_CACHED, /* Executed before: session_reply. */
	SESSION_STALE,
};

/* The same question without changing anything: SESSION_RUN means not executed. */
static inline enum session_answer session_look(const struct session *s, uint64_t sequence)
{
	if (sequence < s->base)
		return SESSION_STALE;
	if (sequence - s->base >= SESSION_WINDOW)
		return SESSION_RUN;
	return (s->done >> (sequence - s->base) & 1) != 0 ? SESSION_CACHED : SESSION_RUN;
}

/* Is the sequence to be executed at `instance`? Changes the session as the log says: session_save
 * comes first. */
static inline enum session_answer session_apply(struct session *s, uint64_t sequence,
	uint64_t instance)
{
	s->last = instance;
	enum session_answer answer = session_look(s, sequence);

	if (answer != SESSION_RUN)
		return answer;
	uint64_t ahead = sequence - s->base;

	if (ahead >= SESSION_WINDOW) {
		uint64_t slide = ahead + 1 - SESSION_WINDOW;

		s->done = (uint8_t)(slide < SESSION_WINDOW ? s->done >> slide : 0);
		s->base += slide;
		ahead = SESSION_WINDOW - 1;
	}
	s->done |= (uint8_t)(1u << ahead);
	return SESSION_RUN;
}

static inline void session_keep(struct session *s, uint64_t sequence, enum reply_status status,
	uint64_t result)
{
	s->replies[sequence % SESSION_WINDOW] =
		(uint64_t)status * (1ull << 56) + result % (1ull << 56);
}

static inline enum reply_status session_reply(const struct session *s, uint64_t sequence,
	uint64_t *result)
{
	uint64_t kept = s->replies[sequence % SESSION_WINDOW];

	*result = kept % (1ull << 56);
	return (enum reply_status)(kept >> 56);
}

#endif
