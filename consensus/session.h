/*
 * session.h - exactly once: what each session has had executed, and the answers.
 *
 * Owns:    the table of sessions, in memory given by the caller.
 * Never:   depends on anything but the log: every replica keeps the same table.
 * Upholds: S1  a sequence of a session executes at most once.
 *          S2  a sequence below the session's base is `stale` and does not execute.
 *          S3  a full table evicts the session whose last applied command is oldest in the log.
 *          S5  a snapshot has each session once, as it stood at the cut.
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove): S1, S2, and whom S3 evicts;
 *          tests/unit/test_session.c. (Ongaro, Consensus, 6.3; the window of W replaces "last
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

enum {
	DONE_SETS = 1 << SESSION_WINDOW
};

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

/*@ predicate done_bit(integer done, integer k) =
  @   0 <= k < SESSION_WINDOW &&
  @   (done / (k == 0 ? 1 : k == 1 ? 2 : k == 2 ? 4 : 8)) % 2 == 1;
  @ // What will not run any more: it has, or lies below the window.
  @ predicate spent{L}(struct session *s, integer sequence) =
  @   sequence < s->base || done_bit(s->done, sequence - s->base);
  @ predicate session_ok{L}(struct session *s) = s->done < DONE_SETS;
  @*/

/* Of the sequences of a window, those that executed; a bit each. */
/*@ requires done < DONE_SETS && k < SESSION_WINDOW;
    assigns \nothing;
    ensures \result <==> done_bit(done, k); */
static inline bool done_has(uint8_t done, uint64_t k)
{
	return (done >> k & 1) != 0;
}

/*@ requires done < DONE_SETS && k < SESSION_WINDOW;
    assigns \nothing;
    ensures \result < DONE_SETS && \forall integer i; 0 <= i < SESSION_WINDOW ==>
      (done_bit(\result, i) <==> done_bit(done, i) || i == k); */
static inline uint8_t done_with(uint8_t done, uint64_t k)
{
	return (uint8_t)(done | 1u << k);
}

/* As the window slides by `by`. */
/*@ requires done < DONE_SETS && by < SESSION_WINDOW;
    assigns \nothing;
    ensures \result < DONE_SETS && \forall integer i; 0 <= i < SESSION_WINDOW ==>
      (done_bit(\result, i) <==> done_bit(done, i + by)); */
static inline uint8_t done_slid(uint8_t done, uint64_t by)
{
	return (uint8_t)(done >> by);
}

/* The same question without changing anything: SESSION_RUN means not executed. */
/*@ // Coq: Session.session_look.
    requires \valid_read(s) && session_ok(s);
    assigns \nothing;
    ensures S2: \result == SESSION_STALE <==> sequence < s->base;
    ensures S1: \result == SESSION_RUN <==> !spent(s, sequence); */
static inline enum session_answer session_look(const struct session *s, uint64_t sequence)
{
	if (sequence < s->base)
		return SESSION_STALE;
	if (sequence - s->base >= SESSION_WINDOW)
		return SESSION_RUN;
	return done_has(s->done, sequence - s->base) ? SESSION_CACHED : SESSION_RUN;
}

/* Is the sequence to be executed at `instance`? Changes the session as the log says: session_save
 * comes first. */
/*@ // Coq: Session.session_apply.
    requires \valid(s) && session_ok(s) && sequence < SEQUENCE_TOP;
    assigns s->last, s->base, s->done;
    ensures ok: session_ok(s);
    ensures S1: \result == SESSION_RUN ==> !\old(spent(s, sequence)) && spent(s, sequence);
    ensures kept: \forall integer q; \old(spent(s, q)) ==> spent(s, q);
    ensures others: \forall integer q; q >= s->base && q != sequence && spent(s, q) ==>
      \old(spent(s, q));
    ensures S2: \result == SESSION_STALE <==> sequence < \old(s->base);
    ensures same: \result != SESSION_RUN ==>
      s->base == \old(s->base) && s->done == \old(s->done);
    ensures rises: s->base >= \old(s->base);
    ensures last: s->last == instance; */
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

		s->done = slide < SESSION_WINDOW ? done_slid(s->done, slide) : 0;
		s->base += slide;
		ahead = SESSION_WINDOW - 1;
	}
	s->done = done_with(s->done, ahead);
	/*@ assert others: \forall integer i; 0 <= i < SESSION_WINDOW && i != ahead &&
	      done_bit(s->done, i) ==>
	        done_bit(\at(s->done, Pre), i + (s->base - \at(s->base, Pre))); */
	return SESSION_RUN;
}

/*@ requires \valid(s) && 0 <= status < 256;
    assigns s->replies[sequence % SESSION_WINDOW]; */
static inline void session_keep(struct session *s, uint64_t sequence, enum reply_status status,
	uint64_t result)
{
	s->replies[sequence % SESSION_WINDOW] =
		(uint64_t)status * (1ull << 56) + result % (1ull << 56);
}

/*@ requires \valid_read(s) && \valid(result) && \separated(s, result);
    assigns *result; */
static inline enum reply_status session_reply(const struct session *s, uint64_t sequence,
	uint64_t *result)
{
	uint64_t kept = s->replies[sequence % SESSION_WINDOW];

	*result = kept % (1ull << 56);
	return (enum reply_status)(kept >> 56);
}

#endif
