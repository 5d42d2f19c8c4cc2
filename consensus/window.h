/*
 * window.h - the runs in flight: proposed at one ballot, not yet all chosen.
 *
 * Owns:    the runs in instance order, and who voted for each.
 * Never:   holds a value: retransmission reads the log.
 * Upholds: P1  a run's boundaries never change while it is in flight.
 *          P2  `chosen` passes a run only when its votes contain a phase-2 quorum, and all before
 *              it are passed.
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove); tests/unit/test_window.c.
 */
#ifndef CONSENSUS_WINDOW_H
#define CONSENSUS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/quorum.h"

struct flight {
	uint64_t first;
	uint64_t sent_ns;
	uint32_t votes; /* Bitmask of members. */
	uint16_t count;
	bool resent; /* How long its votes took is not known. */
};

struct window {
	uint64_t
		oldest; /* Number of the oldest run in flight; run r stands at r % WINDOW_INSTANCES. */
	uint64_t next;             /* Number of the next run. */
	uint64_t chosen;           /* Every instance from the ballot's start to here is chosen. */
	uint64_t end;              /* The next run's first instance. */
	uint64_t hint[MEMBER_MAX]; /* The run that a member votes for next, if in order. */
	struct flight flights[WINDOW_INSTANCES];
};

/*@ // Where run r starts; of the next run: where it will.
  @ logic integer starts{L}(struct window *w, integer r) =
  @   r == w->next ? w->end : w->flights[r % WINDOW_INSTANCES].first;
  @ logic integer holds{L}(struct window *w, integer r) = w->flights[r % WINDOW_INSTANCES].count;
  @ logic integer voters{L}(struct window *w, integer r) = w->flights[r % WINDOW_INSTANCES].votes;
  @ predicate in_flight{L}(struct window *w, integer r) = w->oldest <= r < w->next;
  @ predicate joined{L}(struct window *w, integer r) =
  @   1 <= holds(w, r) && starts(w, r) + holds(w, r) == starts(w, r + 1);
  @ predicate without_hole{L}(struct window *w) =
  @   starts(w, w->oldest) == w->chosen &&
  @   (\forall integer r; in_flight(w, r) ==> joined(w, r));
  @ // Each run has an instance at least: so there are never more runs than slots.
  @ predicate roomy{L}(struct window *w) =
  @   \forall integer r; w->oldest <= r <= w->next ==> starts(w, r) + (w->next - r) <= w->end;
  @ predicate window_ok{L}(struct window *w) =
  @   w->oldest <= w->next <= w->end && w->chosen <= w->end &&
  @   w->end - w->chosen <= WINDOW_INSTANCES && w->end <= INSTANCE_TOP + WINDOW_INSTANCES &&
  @   (\forall integer r; in_flight(w, r) ==> voters(w, r) < MEMBER_SETS) &&
  @   without_hole(w) && roomy(w);
  @ predicate same_run{A,B}(struct window *w, integer r) =
  @   \at(starts(w, r), A) == \at(starts(w, r), B) && \at(holds(w, r), A) == \at(holds(w, r), B);
  @ predicate same_runs{A,B}(struct window *w) =
  @   \forall integer r; in_flight{A}(w, r) ==> same_run{A,B}(w, r);
  @ predicate within{L}(struct window *w, integer r, integer first, integer count) =
  @   first <= starts(w, r) && starts(w, r) + holds(w, r) <= first + count;
  @*/

/* Nothing in flight; the next run starts at `start`. */
/*@ requires \valid(w) && start <= INSTANCE_TOP;
    assigns w->oldest, w->next, w->chosen, w->end, w->hint[0 .. MEMBER_MAX - 1];
    ensures ok: window_ok(w) && w->next == 0 && w->end == start; */
void window_init(struct window *w, uint64_t start);

/* Instances proposed and not passed by `chosen`. */
/*@ requires \valid_read(w) && w->chosen <= w->end;
    assigns \nothing;
    ensures \result == w->end - w->chosen; */
static inline uint64_t window_span(const struct window *w)
{
	return w->end - w->chosen;
}

/* The next run: [end, end + count). Returns its first instance. The span stays within
 * WINDOW_INSTANCES: the caller asks before. */
/*@ requires \valid(w) && window_ok(w);
    requires room: 1 <= count && w->end - w->chosen + count <= WINDOW_INSTANCES;
    requires w->end <= INSTANCE_TOP;
    assigns w->next, w->end, w->flights[w->next % WINDOW_INSTANCES];
    ensures ok: window_ok(w);
    ensures P1: same_runs{Pre,Post}(w);
    ensures others: \forall integer r; in_flight{Pre}(w, r) ==>
      voters(w, r) == \old(voters(w, r));
    ensures pushed: w->next == \old(w->next) + 1 && w->end == \old(w->end) + count &&
      voters(w, \old(w->next)) == 0 && holds(w, \old(w->next)) == count &&
      \result == \old(w->end) && starts(w, \old(w->next)) == \result; */
uint64_t window_push(struct window *w, uint32_t count, uint64_t now_ns);

/* A member voted for [first, first + count): for every run that lies wholly inside it, and for no
 * other. */
/*@ // Coq: Protocol.counts.
    requires \valid(w) && window_ok(w) && member < MEMBER_MAX;
    requires first < INSTANCE_TOP && count <= ACCEPTOR_WINDOW;
    assigns w->hint[member], w->flights[0 .. WINDOW_INSTANCES - 1].votes;
    ensures ok: window_ok(w);
    ensures P1: same_runs{Pre,Post}(w);
    ensures voted: \forall integer r; in_flight(w, r) && within(w, r, first, count) ==>
      adds_member(voters(w, r), \old(voters(w, r)), member);
    ensures others: \forall integer r; in_flight(w, r) && !within(w, r, first, count) ==>
      voters(w, r) == \old(voters(w, r)); */
void window_vote(struct window *w, uint32_t member, uint64_t first, uint64_t count);

/* Passes the oldest runs that a phase-2 quorum voted for. True: `chosen` went up. */
/*@ // Coq: Protocol.advance.
    requires \valid(w) && window_ok(w) && \valid_read(q) && \separated(w, q);
    assigns w->oldest, w->chosen;
    ensures ok: window_ok(w) && w->oldest >= \old(w->oldest) && w->chosen >= \old(w->chosen);
    ensures P2: \forall integer r; \old(w->oldest) <= r < w->oldest ==>
      q->phase2[voters(w, r)] == 1;
    ensures passed: w->chosen == \old(starts(w, \at(w->oldest, Post)));
    ensures all: w->oldest < w->next ==> q->phase2[voters(w, w->oldest)] != 1;
    ensures rose: \result <==> w->chosen > \old(w->chosen); */
bool window_advance(struct window *w, const struct quorum *q);

/* The oldest run in flight, or NULL. */
/*@ requires \valid_read(w);
    assigns \nothing;
    ensures none: w->oldest >= w->next ==> \result == \null;
    ensures oldest: w->oldest < w->next ==>
      \result == &w->flights[w->oldest % WINDOW_INSTANCES]; */
static inline const struct flight *window_oldest(const struct window *w)
{
	return w->oldest < w->next ? &w->flights[w->oldest % WINDOW_INSTANCES] : NULL;
}

/* Runs in flight. */
/*@ requires \valid_read(w) && w->oldest <= w->next;
    assigns \nothing;
    ensures \result == w->next - w->oldest; */
static inline uint64_t window_runs(const struct window *w)
{
	return w->next - w->oldest;
}

/* A member could not vote yet for the run that starts at `first`: it is due as if it had been sent no
 * later than `sent_ns`. */
/*@ requires \valid(w) && window_ok(w);
    assigns w->flights[0 .. WINDOW_INSTANCES - 1].sent_ns;
    ensures ok: window_ok(w);
    ensures P1: same_runs{Pre,Post}(w);
    ensures due: \forall integer r; in_flight(w, r) && starts(w, r) == first ==>
      w->flights[r % WINDOW_INSTANCES].sent_ns ==
        \min(\old(w->flights[r % WINDOW_INSTANCES].sent_ns), sent_ns);
    ensures others: \forall integer k; 0 <= k < WINDOW_INSTANCES &&
      (\forall integer r; in_flight(w, r) && starts(w, r) == first ==>
        k != r % WINDOW_INSTANCES) ==>
          w->flights[k].sent_ns == \old(w->flights[k].sent_ns); */
void window_refused(struct window *w, uint64_t first, uint64_t sent_ns);

/* The oldest run in flight that was last sent at or before `before_ns`, among the first `look`
 * ones; NULL if none. The caller sets sent_ns. */
/*@ requires \valid(w) && window_ok(w) && look <= WINDOW_INSTANCES;
    assigns \nothing;
    ensures due: \result != \null ==> \exists integer r; in_flight(w, r) &&
      r < w->oldest + look && \result == &w->flights[r % WINDOW_INSTANCES] &&
      w->flights[r % WINDOW_INSTANCES].sent_ns <= before_ns &&
      (\forall integer s; w->oldest <= s < r ==>
        w->flights[s % WINDOW_INSTANCES].sent_ns > before_ns);
    ensures none: \result == \null ==> \forall integer r; in_flight(w, r) &&
      r < w->oldest + look ==> w->flights[r % WINDOW_INSTANCES].sent_ns > before_ns; */
struct flight *window_due(struct window *w, uint64_t before_ns, uint32_t look);

#endif
