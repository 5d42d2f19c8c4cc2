/*
 * learner.h - what is known chosen, and the order in which it is delivered.
 *
 * Owns:    the runs that its node's acceptors hold and that are not delivered yet.
 * Never:   takes a run for chosen that was voted for at another ballot than the watermark's.
 * Upholds: D1  a run is delivered only if a record says it is chosen, or if it was voted for here
 *              at ballot b and lies below b's watermark.
 *          D2  delivery is in instance order, without a hole and without repetition.
 *          D3  a watermark of a lower ballot than one seen before is not heard.
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove); tests/unit/test_learner.c.
 */
#ifndef CONSENSUS_LEARNER_H
#define CONSENSUS_LEARNER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	LEARNER_SLOTS = VOTES_MAX
}; /* By a run's first instance. */

struct learner_run {
	uint64_t first;
	uint64_t ballot;
	void *frame;         /* What keeps `body` alive; NULL: not retained, body is not here. */
	const uint8_t *body; /* Entries; NULL with bytes > 0: in the log only. */
	uint16_t count;      /* 0: an empty slot. */
	uint16_t bytes;
	bool chosen;
};

struct learner {
	uint64_t delivered; /* Everything below is delivered. */
	uint64_t ballot;    /* Of the watermark. */
	uint64_t watermark;
	uint64_t target; /* Some node knows everything below to be chosen. */
	struct learner_run runs[LEARNER_SLOTS];
};

/*@ predicate kept_ok{L}(struct learner *l, integer k) =
  @   l->runs[k].count > 0 ==> l->runs[k].first + l->runs[k].count <= INSTANCE_TOP;
  @ predicate learner_ok{L}(struct learner *l) =
  @   l->delivered <= INSTANCE_TOP &&
  @   (\forall integer k; 0 <= k < LEARNER_SLOTS ==> kept_ok(l, k));
  @ predicate kept_same{A,B}(struct learner *l, integer k) =
  @   \at(l->runs[k].first, A) == \at(l->runs[k].first, B) &&
  @   \at(l->runs[k].ballot, A) == \at(l->runs[k].ballot, B) &&
  @   \at(l->runs[k].frame, A) == \at(l->runs[k].frame, B) &&
  @   \at(l->runs[k].body, A) == \at(l->runs[k].body, B) &&
  @   \at(l->runs[k].count, A) == \at(l->runs[k].count, B) &&
  @   \at(l->runs[k].bytes, A) == \at(l->runs[k].bytes, B) &&
  @   \at(l->runs[k].chosen, A) == \at(l->runs[k].chosen, B);
  @ // Is what is held of the run that starts at `first` as good as what is given, or better?
  @ predicate knows_better{L}(struct learner *l, struct learner_run *given, integer first) =
  @   l->runs[first % LEARNER_SLOTS].count > 0 && l->runs[first % LEARNER_SLOTS].first == first &&
  @   ((l->runs[first % LEARNER_SLOTS].chosen && l->runs[first % LEARNER_SLOTS].body != \null) ||
  @     (!given->chosen && (l->runs[first % LEARNER_SLOTS].chosen ||
  @       l->runs[first % LEARNER_SLOTS].ballot > given->ballot)));
  @ // May it be delivered now?
  @ predicate is_next{L}(struct learner *l, struct learner_run *s) =
  @   s->count > 0 && s->first == l->delivered && (s->chosen ||
  @     (s->ballot == l->ballot && s->first + s->count <= l->watermark));
  @ // What learner_add may leave in a slot: of the run given, what is not delivered yet.
  @ predicate rest_of{L}(struct learner_run *kept, struct learner_run *given, integer delivered) =
  @   kept->first == \max(given->first, delivered) &&
  @   kept->first + kept->count == given->first + given->count &&
  @   kept->ballot == given->ballot && kept->chosen == given->chosen;
  @*/

/*@ requires \valid(l);
    assigns *l;
    ensures ok: learner_ok(l);
    ensures D2: l->delivered == 0;
    ensures none: \forall integer k; 0 <= k < LEARNER_SLOTS ==> l->runs[k].count == 0; */
void learner_init(struct learner *l);

/* A run that an own acceptor holds. False: not kept (delivered already, or we know better); the
 * caller keeps the frame. True: `run.frame` is ours, and *replaced (if not NULL) is given back. */
/*@ requires \valid(l) && \valid_read(run) && \valid(replaced);
    requires \separated(l, run, replaced) && learner_ok(l);
    requires 1 <= run->count <= RUN_COUNT_MAX && run->first + run->count <= INSTANCE_TOP;
    requires body: run->body != \null ==>
      \valid_read(run->body + (0 .. run->bytes - 1)) &&
      \separated(l, run->body + (0 .. run->bytes - 1)) &&
      \separated(replaced, run->body + (0 .. run->bytes - 1)) &&
      entries_in(run->body, run->count, run->bytes);
    assigns l->runs[0 .. LEARNER_SLOTS - 1], *replaced;
    ensures ok: learner_ok(l);
    ensures D1: \forall integer k; 0 <= k < LEARNER_SLOTS ==>
      kept_same{Pre,Post}(l, k) || (\result && rest_of(&l->runs[k], run, l->delivered));
    ensures one: \forall integer k; 0 <= k < LEARNER_SLOTS &&
      k != \max(run->first, l->delivered) % LEARNER_SLOTS ==> kept_same{Pre,Post}(l, k);
    ensures known: \forall integer k; 0 <= k < LEARNER_SLOTS &&
      \old(l->runs[k].count) > 0 && \old(l->runs[k].chosen) &&
      \old(l->runs[k].first) == l->runs[k].first ==> l->runs[k].chosen;
    ensures kept: \result <==>
      l->delivered < run->first + run->count <= l->delivered + LEARNER_SLOTS &&
      !\old(knows_better(l, run, \max(run->first, l->delivered)));
    ensures back: *replaced == (\result ?
      \old(l->runs[\max(run->first, l->delivered) % LEARNER_SLOTS].frame) : \null);
    ensures not_kept: !\result ==>
      \forall integer k; 0 <= k < LEARNER_SLOTS ==> kept_same{Pre,Post}(l, k); */
bool learner_add(struct learner *l, const struct learner_run *run, void **replaced);

/*@ requires \valid(l);
    assigns l->ballot, l->watermark, l->target;
    ensures D3: l->ballot >= \old(l->ballot);
    ensures D3: ballot < \old(l->ballot) ==>
      l->ballot == \old(l->ballot) && l->watermark == \old(l->watermark);
    ensures D3: ballot == \old(l->ballot) ==> l->watermark >= \old(l->watermark);
    ensures D3: ballot > \old(l->ballot) ==> l->ballot == ballot && l->watermark == watermark;
    ensures D3: ballot == \old(l->ballot) ==> l->watermark == \max(\old(l->watermark), watermark);
    ensures target: l->target == (ballot < \old(l->ballot) ? \old(l->target) :
      \max(\old(l->target), watermark));
    ensures D1: (l->ballot == ballot && l->watermark == watermark) ||
      (l->ballot == \old(l->ballot) && l->watermark == \old(l->watermark)); */
void learner_on_watermark(struct learner *l, uint64_t ballot, uint64_t watermark);

/*@ requires \valid(l);
    assigns l->target;
    ensures target: l->target == \max(\old(l->target), known); */
void learner_on_target(struct learner *l, uint64_t known);

/* The run that starts at `delivered` if it is known chosen, else NULL. */
/*@ // Coq: Protocol.deliver_run, EDeliverChosen.
    requires \valid_read(l) && learner_ok(l);
    assigns \nothing;
    ensures \result == \null || \result == &l->runs[l->delivered % LEARNER_SLOTS];
    ensures D1: \result != \null ==> \result->chosen ||
      (\result->ballot == l->ballot && \result->first + \result->count <= l->watermark);
    ensures D2: \result != \null ==> \result->count >= 1 && \result->first == l->delivered;
    ensures next: \result != \null <==> is_next(l, &l->runs[l->delivered % LEARNER_SLOTS]); */
const struct learner_run *learner_next(const struct learner *l);

/* Is a run that starts here held, with its body? */
/*@ requires \valid_read(l);
    assigns \nothing;
    ensures held: \result <==> l->runs[first % LEARNER_SLOTS].count > 0 &&
      l->runs[first % LEARNER_SLOTS].first == first &&
      (l->runs[first % LEARNER_SLOTS].body != \null || l->runs[first % LEARNER_SLOTS].bytes == 0); */
bool learner_holds(const struct learner *l, uint64_t first);

/* All below `delivered` came otherwise: what is held of it is given back by `release`. */
void learner_jump(struct learner *l, uint64_t delivered,
	void (*release)(void *context, void *frame), void *context);

/* The next run was delivered: returns its frame, which is the caller's again. */
/*@ requires \valid(l) && learner_ok(l);
    requires next: l->runs[l->delivered % LEARNER_SLOTS].count > 0 &&
      l->runs[l->delivered % LEARNER_SLOTS].first == l->delivered;
    assigns l->delivered, l->target, l->runs[l->delivered % LEARNER_SLOTS];
    ensures ok: learner_ok(l);
    ensures D2: l->delivered ==
      \old(l->delivered) + \old(l->runs[l->delivered % LEARNER_SLOTS].count);
    ensures D2: l->runs[\old(l->delivered) % LEARNER_SLOTS].count == 0;
    ensures frame: \result == \old(l->runs[l->delivered % LEARNER_SLOTS].frame);
    ensures others: \forall integer k; 0 <= k < LEARNER_SLOTS &&
      k != \old(l->delivered) % LEARNER_SLOTS ==> kept_same{Pre,Post}(l, k); */
void *learner_delivered(struct learner *l);

#endif
