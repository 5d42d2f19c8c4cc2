/*
 * proposer.h - phase 1 once for all instances, then phase 2, pipelined.
 *
 * Owns:    its ballot, who promised it, the values to propose again, the runs in flight.
 * Never:   outbids: only the election's timer makes a higher ballot.
 * Upholds: P3  Prepare goes to others only after every own shard promised the ballot.
 *          P4  nothing is proposed before a phase-1 quorum has promised, the prefix below its
 *              largest `lo` is delivered here, and every member of it has reported every instance
 *              of the stride.
 *          P5  an instance is proposed once at a ballot.
 *          P6  nothing is in flight further above `delivered` than the own acceptors can vote for.
 * Proofs:  contracts below and in proposer.c, by Frama-C/WP (tools/run prove): P6, that votes
 *          count at exactly its own ballot, what each handler ignores, where runs and strides
 *          begin, and that a begun stride keeps state_ok; of take_promise, take_votes and
 *          proposer_repropose P3 to P5 are stated there, and not proved yet;
 *          tests/unit/test_proposer.c; tests/sim. (Lamport, Paxos Made Simple, sections 2.2, 3.)
 */
#ifndef CONSENSUS_PROPOSER_H
#define CONSENSUS_PROPOSER_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/quorum.h"
#include "consensus/recovery.h"
#include "consensus/replica.h"
#include "consensus/window.h"

enum proposer_state {
	PROPOSER_IDLE,
	PROPOSER_PREPARING_SELF, /* Prepare to our own shards. */
	PROPOSER_PREPARING,      /* Prepare to the others. */
	PROPOSER_CATCHING_UP, /* The prefix below the quorum's largest lo is not delivered yet. */
	PROPOSER_PULLING,     /* Votes of one stride from every member of the quorum. */
	PROPOSER_REPROPOSING, /* What the stride reported goes out again. */
	PROPOSER_LEADING,
};

struct proposer_promise {
	uint32_t shards;  /* Bitmask of shards that promised. */
	uint64_t lo;      /* Largest of them. */
	uint64_t high;    /* Largest of them. */
	uint64_t covered; /* Reported up to here, in this stride. */
};

struct proposer {
	const struct replica_settings *settings;
	enum proposer_state state;
	uint64_t ballot;
	uint64_t delivered; /* This node's. */
	uint32_t quorum;    /* The members that we pull from: a phase-1 quorum. */
	uint64_t end;       /* One past the highest instance that the quorum reported. */
	bool due;           /* Something is to be sent without waiting for the timer. */
	uint64_t sent_ns;
	struct proposer_promise promises[MEMBER_MAX];
	struct window window;
	struct recovery recovery;
};

/*@ // All shards of a member: the set of the first `shards` ones.
  @ predicate all_promised{L}(struct proposer *p, integer member) =
  @   p->promises[member].shards == (p->settings->shards == 1 ? 0x1 : p->settings->shards == 2 ? 0x3 : 0xf);
  @ predicate promises_ok{L}(struct proposer *p) =
  @   \forall integer i; 0 <= i < MEMBER_MAX ==>
  @     p->promises[i].shards < MEMBER_SETS && p->promises[i].lo < INSTANCE_TOP &&
  @     p->promises[i].high < INSTANCE_TOP && p->promises[i].covered <= INSTANCE_TOP;
  @ // In each state. P6: the span that the own acceptors can vote for.
  @ predicate base_ok{L}(struct proposer *p) =
  @   settings_ok(p->settings) && p->window.chosen <= p->window.end && p->state <= PROPOSER_LEADING &&
  @   (p->ballot == 0 || p->ballot % BALLOT_NODES == p->settings->self) &&
  @   p->quorum < MEMBER_SETS && p->end < INSTANCE_TOP &&
  @   p->delivered <= INSTANCE_TOP - ACCEPTOR_WINDOW &&
  @   p->window.end <= p->delivered + ACCEPTOR_WINDOW - 2 * BLOCK;
  @ // Coq: Q1, promised_all.
  @ predicate quorum_is_one{L}(struct proposer *p) =
  @   p->settings->quorum->phase1[p->quorum] == 1;
  @ predicate quorum_promised{L}(struct proposer *p) = \forall integer i;
  @   0 <= i < MEMBER_MAX && among(i, p->quorum) ==>
  @     i < p->settings->members && all_promised(p, i);
  @ // Coq: low_enough. What may be proposed, from window.chosen on, is at or above each lo.
  @ predicate prefix_here{L}(struct proposer *p) =
  @   \forall integer i; 0 <= i < MEMBER_MAX && among(i, p->quorum) ==>
  @     p->promises[i].lo <= p->window.chosen && p->promises[i].high <= p->end;
  @ predicate covered{L}(struct proposer *p, integer to) =
  @   \forall integer i; 0 <= i < MEMBER_MAX && among(i, p->quorum) ==> p->promises[i].covered >= to;
  @ predicate covered_to{L}(struct proposer *p, integer to) =
  @   \forall integer i; 0 <= i < MEMBER_MAX ==> p->promises[i].covered == to;
  @ predicate in_stride{L}(struct proposer *p) =
  @   p->state == PROPOSER_PULLING || p->state == PROPOSER_REPROPOSING;
  @ // What is proposed next is what the stride comes to next.
  @ predicate stride_ok{L}(struct proposer *p) =
  @   recovery_ok(&p->recovery) && p->recovery.from < p->recovery.to <= p->end &&
  @   p->recovery.from / BLOCK == (p->recovery.to - 1) / BLOCK &&
  @   entries_fit(&p->recovery, p->settings->body_max - RECORD_BYTES) &&
  @   p->window.end == p->recovery.next && covered(p, p->recovery.next);
  @ // Coq: select has all reports of [from, to), above_all those from `end` on.
  @ predicate state_ok{L}(struct proposer *p) =
  @   (p->state != PROPOSER_IDLE ==> promises_ok(p)) &&
  @   (p->state >= PROPOSER_PREPARING ==> all_promised(p, p->settings->self)) &&
  @   (p->state >= PROPOSER_CATCHING_UP ==> quorum_is_one(p) && quorum_promised(p)) &&
  @   (p->state <= PROPOSER_CATCHING_UP ==> p->window.next == 0) &&
  @   (p->state >= PROPOSER_PULLING ==> prefix_here(p)) &&
  @   (in_stride(p) ==> stride_ok(p)) &&
  @   (p->state == PROPOSER_REPROPOSING ==> covered(p, p->recovery.to)) &&
  @   (p->state == PROPOSER_LEADING ==> p->end <= p->window.end);
  @ predicate proposer_ok{L}(struct proposer *p) =
  @   base_ok(p) && state_ok(p) && window_ok(&p->window);
  @ // Settings stand apart, and live as long.
  @ predicate proposer_apart{L}(struct proposer *p) =
  @   \valid(p) && \valid_read(p->settings) && \valid_read(p->settings->quorum) &&
  @   \separated(p, p->settings, p->settings->quorum);
  @ predicate told{L}(struct window *w, integer r, uint8_t *ranges, integer count) =
  @   \exists integer i; 0 <= i < count &&
  @     within(w, r, range_first(ranges, i), range_count(ranges, i));
  @ // P6: within the span of the settings, and of what the own acceptors can vote for.
  @ logic integer capacity{L}(struct proposer *p) = \max(0,
  @   \min(p->settings->window - (p->window.end - p->window.chosen),
  @     p->delivered + ACCEPTOR_WINDOW - 2 * BLOCK - p->window.end));
  @ predicate promise_same{A,B}(struct proposer *p, integer i) =
  @   \at(p->promises[i].shards, A) == \at(p->promises[i].shards, B) &&
  @   \at(p->promises[i].lo, A) == \at(p->promises[i].lo, B) &&
  @   \at(p->promises[i].high, A) == \at(p->promises[i].high, B);
  @ predicate shards_same{A,B}(struct proposer *p) = \forall integer i; 0 <= i < MEMBER_MAX ==>
  @   \at(p->promises[i].shards, A) == \at(p->promises[i].shards, B);
  @ predicate los_same{A,B}(struct proposer *p) = \forall integer i; 0 <= i < MEMBER_MAX ==>
  @   \at(p->promises[i].lo, A) == \at(p->promises[i].lo, B);
  @ predicate highs_same{A,B}(struct proposer *p) = \forall integer i; 0 <= i < MEMBER_MAX ==>
  @   \at(p->promises[i].high, A) == \at(p->promises[i].high, B);
  @ predicate window_same{A,B}(struct window *w) =
  @   0 <= \at(w->oldest, A) == \at(w->oldest, B) && \at(w->next, A) == \at(w->next, B) &&
  @   \at(w->chosen, A) == \at(w->chosen, B) && \at(w->end, A) == \at(w->end, B) &&
  @   (\forall integer k; 0 <= k < WINDOW_INSTANCES ==>
  @     \at(w->flights[k].first, A) == \at(w->flights[k].first, B)) &&
  @   (\forall integer k; 0 <= k < WINDOW_INSTANCES ==>
  @     \at(w->flights[k].count, A) == \at(w->flights[k].count, B)) &&
  @   (\forall integer k; 0 <= k < WINDOW_INSTANCES ==>
  @     \at(w->flights[k].votes, A) == \at(w->flights[k].votes, B));
  @ predicate settings_same{A,B}(struct proposer *p) =
  @   \at(p->settings, A) == \at(p->settings, B) &&
  @   \at(p->settings->self, A) == \at(p->settings->self, B) &&
  @   \at(p->settings->members, A) == \at(p->settings->members, B) &&
  @   \at(p->settings->shards, A) == \at(p->settings->shards, B) &&
  @   \at(p->settings->body_max, A) == \at(p->settings->body_max, B) &&
  @   \at(p->settings->window, A) == \at(p->settings->window, B) &&
  @   \at(p->settings->quorum, A) == \at(p->settings->quorum, B);
  @ predicate quorum_same{A,B}(struct proposer *p) =
  @   \at(p->quorum, A) == \at(p->quorum, B) &&
  @   \at(p->settings->quorum->phase1[p->quorum], A) ==
  @     \at(p->settings->quorum->phase1[p->quorum], B);
  @ predicate numbers_same{A,B}(struct proposer *p) =
  @   \at(p->ballot, A) == \at(p->ballot, B) &&
  @   \at(p->delivered, A) == \at(p->delivered, B) && \at(p->end, A) == \at(p->end, B);
  @ predicate window_fresh{L}(struct window *w, integer start) =
  @   w->oldest == 0 && w->next == 0 && w->chosen == start && w->end == start;
  @ lemma window_kept{A,B}: \forall struct window *w;
  @   window_same{A,B}(w) && window_ok{A}(w) ==> window_ok{B}(w);
  @*/

/*@ requires \valid(p) && \valid_read(settings) && \valid_read(settings->quorum);
    requires \separated(p, settings, settings->quorum) && settings_ok(settings);
    assigns *p;
    ensures apart: proposer_apart(p);
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures idle: p->state == PROPOSER_IDLE && p->ballot == 0; */
void proposer_init(struct proposer *p, const struct replica_settings *settings);

/* Phase 1 of `ballot`, whose node is ours and which we never used before. */
/*@ // Coq: EStart.
    requires proposer_apart(p) && base_ok(p) && p->state == PROPOSER_IDLE && p->window.next == 0;
    requires own: ballot > p->ballot && ballot % BALLOT_NODES == p->settings->self;
    assigns p->ballot, p->quorum, p->end, p->promises[0 .. MEMBER_MAX - 1], p->state, p->due;
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures state: p->state == PROPOSER_PREPARING_SELF;
    ensures P5: p->ballot == ballot && p->ballot > \old(p->ballot) && p->window.next == 0;
    ensures none: \forall integer i; 0 <= i < MEMBER_MAX ==> p->promises[i].shards == 0; */
void proposer_start(struct proposer *p, uint64_t ballot);

/*@ // Coq: EStop. In any state: also once a member is known to have trimmed what this ballot passed.
    requires proposer_apart(p) && base_ok(p);
    assigns p->state, p->due, p->window;
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures state: p->state == PROPOSER_IDLE; */
void proposer_step_down(struct proposer *p);

/*@ // Coq: EHearPromise; EBegin where it makes the quorum.
    requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_PROMISE && numbers_ok(m);
    assigns p->state, p->due, p->quorum, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P3: p->state == \old(p->state) || (\old(p->state) == PROPOSER_PREPARING_SELF &&
      all_promised(p, p->settings->self)) || \old(p->state) == PROPOSER_PREPARING;
    behavior ignored:
      assumes m->ballot != p->ballot || m->sender >= p->settings->members ||
        m->shard >= p->settings->shards ||
        (p->state != PROPOSER_PREPARING_SELF && p->state != PROPOSER_PREPARING);
      assigns \nothing; */
void proposer_on_promise(struct proposer *p, const struct message *m);

/*@ // Coq: EHearVotes.
    requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_VOTES && numbers_ok(m) &&
      \valid_read(body + (0 .. m->payload_len - 1)) &&
      \separated(p, body + (0 .. m->payload_len - 1)) &&
      chunk_in(body, m->count, m->payload_len);
    assigns p->state, p->due, p->promises[0 .. MEMBER_MAX - 1], p->recovery;
    ensures stride: p->recovery.from == \old(p->recovery.from) &&
      p->recovery.to == \old(p->recovery.to) && p->recovery.next == \old(p->recovery.next);
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P4: \forall integer i; 0 <= i < MEMBER_MAX ==>
      p->promises[i].covered == \old(p->promises[i].covered) ||
      (i == m->sender &&
        \old(p->promises[i].covered) < p->promises[i].covered <= m->watermark);
    ensures P4: p->state == \old(p->state) || (\old(p->state) == PROPOSER_PULLING &&
      p->state == PROPOSER_REPROPOSING && covered(p, p->recovery.to));
    behavior ignored:
      assumes p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
        m->sender >= p->settings->members || !among(m->sender, p->quorum) ||
        m->shard != p->recovery.from / BLOCK % p->settings->shards ||
        m->first > p->promises[m->sender].covered ||
        m->watermark <= p->promises[m->sender].covered ||
        m->payload_len > p->settings->body_max;
      assigns \nothing; */
void proposer_on_votes(struct proposer *p, const struct message *m, const uint8_t *body);

/* A pull was answered TRIMMED: what lies below m->watermark must be delivered here first. What a member
 * outside the quorum trimmed is not asked of it, and may be there nowhere else. */
/*@ requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_REFUSED && numbers_ok(m);
    assigns p->state, p->due, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P5: p->state == \old(p->state) || \old(p->state) == PROPOSER_PULLING;
    ensures P5: \old(p->state) == PROPOSER_PULLING && \old(p->window.next) > 0 ==>
      p->state == PROPOSER_IDLE || p->state == PROPOSER_PULLING;
    behavior ignored:
      assumes p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
        m->sender >= p->settings->members || m->watermark <= p->promises[m->sender].lo ||
        !among(m->sender, p->quorum);
      assigns \nothing; */
void proposer_on_trimmed(struct proposer *p, const struct message *m);

/*@ requires proposer_apart(p) && proposer_ok(p) && delivered <= INSTANCE_TOP - ACCEPTOR_WINDOW;
    assigns p->delivered, p->state, p->due, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures up: p->delivered == \max(\old(p->delivered), delivered);
    ensures P4: p->state == \old(p->state) || \old(p->state) == PROPOSER_CATCHING_UP;
    ensures P4: \old(p->state) == PROPOSER_CATCHING_UP && p->state != PROPOSER_CATCHING_UP ==>
      p->window.end == p->delivered;
    behavior ignored:
      assumes p->state != PROPOSER_CATCHING_UP;
      assigns p->delivered; */
void proposer_on_delivered(struct proposer *p, uint64_t delivered);

/* Ranges of votes at exactly our ballot. True: the chosen index went up. */
/*@ // Coq: Protocol.counts, EAdvance.
    requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_ACCEPTED && m->sender < MEMBER_MAX &&
      ranges_in(body, m->count) && \valid_read(body + (0 .. m->count * RANGE_BYTES - 1)) &&
      \separated(p, body + (0 .. m->count * RANGE_BYTES - 1));
    assigns p->window;
    ensures ok: base_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P2: \forall integer r; \old(p->window.oldest) <= r < p->window.oldest ==>
      p->settings->quorum->phase2[voters(&p->window, r)] == 1;
    ensures own: m->ballot != p->ballot ==> !\result &&
      p->window.oldest == \old(p->window.oldest) &&
      \forall integer r; voters(&p->window, r) == \old(voters(&p->window, r));
    ensures rose: \result <==> p->window.chosen > \old(p->window.chosen); */
bool proposer_on_accepted(struct proposer *p, const struct message *m, const uint8_t *body);

/* Is phase 1's current question to be asked (again) now? Sets the timer. The caller reads `state`
 * and asks: who has not answered is told by proposer_unanswered. */
/*@ requires proposer_apart(p) && now_ns >= p->sent_ns;
    assigns p->due, p->sent_ns;
    ensures \result ==> PROPOSER_IDLE < p->state < PROPOSER_REPROPOSING && p->sent_ns == now_ns; */
bool proposer_asks(struct proposer *p, uint64_t now_ns);

/* Bitmask of the members whose answer the current state waits for. */
/*@ requires proposer_apart(p) && proposer_ok(p);
    assigns \nothing;
    ensures set: \result < MEMBER_SETS;
    ensures P3: p->state == PROPOSER_PREPARING_SELF ==> \forall integer i; 0 <= i < MEMBER_MAX ==>
      (among(i, \result) <==> i == p->settings->self);
    ensures P4: p->state == PROPOSER_PULLING ==> \forall integer i; 0 <= i < MEMBER_MAX ==>
      (among(i, \result) <==> among(i, p->quorum) && p->promises[i].covered < p->recovery.to); */
uint32_t proposer_unanswered(const struct proposer *p);

/* The largest lo of the quorum, and who reported it: CATCHING_UP waits for it. */
/*@ requires proposer_apart(p) && base_ok(p) && quorum_promised(p) && \valid(member);
    requires \separated(member, p, p->settings);
    assigns *member;
    ensures P4: \forall integer i; 0 <= i < MEMBER_MAX && among(i, p->quorum) ==> p->promises[i].lo <= \result;
    ensures whose: \result == 0 || (*member < MEMBER_MAX && among(*member, p->quorum) &&
      p->promises[*member].lo == \result); */
uint64_t proposer_prefix(const struct proposer *p, uint32_t *member);

/* REPROPOSING: the next run to send again, put into the window: count 0 when there is none now
 * (all done, or the window is full). Entries are in `body`; *bytes 0 is a no-op run. */
/*@ // Coq: EPropose of what `select` gave.
    requires proposer_apart(p) && proposer_ok(p) && \valid(bytes) && \valid(first);
    requires \valid(body + (0 .. p->settings->body_max - 1));
    requires \separated(p, p->settings, p->settings->quorum, bytes, first,
      body + (0 .. p->settings->body_max - 1));
    assigns p->state, p->due, p->window, p->recovery.from, p->recovery.to, p->recovery.next,
      p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1],
      *bytes, *first, body[0 .. p->settings->body_max - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P4: \result > 0 ==> \old(p->state) == PROPOSER_REPROPOSING &&
      covered{Pre}(p, *first + \result);
    ensures P5: \result > 0 ==> *first == \old(p->window.end) && p->window.end == *first + \result;
    ensures P5: \result == 0 ==> p->window.end == \old(p->window.end);
    ensures P1: same_runs{Pre,Post}(&p->window);
    ensures P6: \result > 0 ==> p->window.end - p->window.chosen <= p->settings->window; */
uint32_t proposer_repropose(struct proposer *p, uint8_t *body, uint32_t *bytes, uint64_t *first,
	uint64_t now_ns);

/* Instances that may still be put in flight: by the window, and by what the own acceptors, whose
 * `lo` follows what is delivered here, can vote for. */
/*@ requires proposer_apart(p) && base_ok(p);
    assigns \nothing;
    ensures P6: \result == capacity(p); */
uint32_t proposer_capacity(const struct proposer *p);

/* LEADING: instances that the next run may have: to the block's end, and within the capacity. */
/*@ requires proposer_apart(p) && base_ok(p);
    assigns \nothing;
    ensures P4: p->state != PROPOSER_LEADING ==> \result == 0;
    ensures P6: p->state == PROPOSER_LEADING ==>
      \result == \min(capacity(p), BLOCK - p->window.end % BLOCK); */
uint32_t proposer_room(const struct proposer *p);

/* LEADING: a new run of `count` <= proposer_room instances; returns its first instance. */
/*@ // Coq: EPropose. What else base_ok and state_ok speak of is not assigned.
    requires proposer_apart(p) && proposer_ok(p) && p->state == PROPOSER_LEADING;
    requires room: 1 <= count <= capacity(p) && count <= BLOCK - p->window.end % BLOCK;
    assigns p->window;
    ensures ok: window_ok(&p->window);
    ensures P4: \result >= p->end && p->window.chosen == \old(p->window.chosen);
    ensures P5: \result == \old(p->window.end) && p->window.end == \result + count;
    ensures P6: p->window.end <= p->delivered + ACCEPTOR_WINDOW - 2 * BLOCK;
    ensures P6: p->window.end - p->window.chosen <= p->settings->window;
    ensures P1: same_runs{Pre,Post}(&p->window); */
uint64_t proposer_take(struct proposer *p, uint32_t count, uint64_t now_ns);

#endif
