/*
 * quorum.h - which sets of members are a quorum of phase 1, and of phase 2.
 *
 * Owns:    two tables over all sets of members, filled once at load.
 * Upholds: Q1  each phase-1 quorum meets each phase-2 quorum, checked over all pairs of sets.
 *          Q2  a superset of a quorum is a quorum; the empty set is none.
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove): Q1, and the empty set of Q2;
 *          tests/unit/test_quorum.c: that a superset is one.
 *
 * Sets are bitmasks of member ids. (Howard, Malkhi, Spiegelman: Flexible Paxos, section 3.)
 */
#ifndef CONSENSUS_QUORUM_H
#define CONSENSUS_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"

struct quorum {
	uint32_t members;
	uint8_t phase1[MEMBER_SETS]; /* 1: this set holds a phase-1 quorum. */
	uint8_t phase2[MEMBER_SETS];
};

enum quorum_result {
	QUORUM_OK,
	QUORUM_MEMBERS,   /* no members, or more than MEMBER_MAX */
	QUORUM_THRESHOLD, /* q1 or q2 out of 1..n, or q1 + q2 <= n */
	QUORUM_GRID,      /* rows * columns out of 1..MEMBER_MAX */
	QUORUM_SETS,      /* a set is empty or names a member that is not there, or none is given */
	QUORUM_DISJOINT,  /* some phase-1 quorum misses some phase-2 quorum */
};

/*@ // How many sets there are of `n` members, and the weight of member n in a set.
  @ logic integer place(integer n) =
  @   n <= 0 ? 1 : n == 1 ? 2 : n == 2 ? 4 : n == 3 ? 8 : n == 4 ? 16 : n == 5 ? 32 :
  @   n == 6 ? 64 : n == 7 ? 128 : n == 8 ? 256 : 512;
  @ predicate has(integer subset, integer member) = (subset / place(member)) % 2 == 1;
  @ predicate share(integer a, integer b) =
  @   \exists integer i; 0 <= i < MEMBER_MAX && has(a, i) && has(b, i);
  @ predicate contains(integer subset, integer part) =
  @   \forall integer i; 0 <= i < MEMBER_MAX && has(part, i) ==> has(subset, i);
  @ logic integer size(integer subset, integer n) =
  @   n <= 0 ? 0 : size(subset, n - 1) + (subset / place(n - 1)) % 2;
  @ logic integer row_of(integer subset, integer row, integer columns) =
  @   (subset / place(row * columns)) % place(columns);
  @ predicate row_whole(integer subset, integer rows, integer columns) =
  @   \exists integer r; 0 <= r < rows && row_of(subset, r, columns) == place(columns) - 1;
  @ predicate rows_met(integer subset, integer rows, integer columns) =
  @   \forall integer r; 0 <= r < rows ==> row_of(subset, r, columns) != 0;
  @ predicate holds_any{L}(integer subset, uint32_t *sets, integer count) =
  @   \exists integer i; 0 <= i < count && contains(subset, sets[i]);
  @ predicate sets_ok{L}(uint32_t *sets, integer count, integer members) = count > 0 &&
  @   \forall integer i; 0 <= i < count ==> 0 < sets[i] < place(members);
  @ predicate adds_member(integer more, integer subset, integer member) =
  @   more < MEMBER_SETS && has(more, member) &&
  @   (\forall integer i; 0 <= i < MEMBER_MAX && i != member ==> (has(more, i) <==> has(subset, i)));
  @ // As `has`, but not told to the provers: where sets are only handed on they need no arithmetic.
  @ axiomatic Sets {
  @   predicate among(integer member, integer subset);
  @   axiom nobody: \forall integer i; !among(i, 0);
  @ }
  @ predicate meet{L}(struct quorum *q, integer a, integer b) =
  @   q->phase1[a] == 1 && q->phase2[b] == 1 ==> share(a, b);
  @ predicate intersects{L}(struct quorum *q) =
  @   \forall integer a, b; 0 <= a < MEMBER_SETS && 0 <= b < MEMBER_SETS ==> meet(q, a, b);
  @ predicate empty_is_none{L}(struct quorum *q) = q->phase1[0] != 1 && q->phase2[0] != 1;
  @*/

/* One sentence: what is wrong and what would be right. */
/*@ assigns \nothing;
    ensures \valid_read(\result); */
const char *quorum_result_text(enum quorum_result result);

/*@ requires \valid(q);
    assigns *q;
    ensures Q1: \result == QUORUM_OK ==> intersects(q);
    ensures Q2: \result == QUORUM_OK ==> empty_is_none(q);
    ensures members: \result == QUORUM_OK ==> 1 <= members <= MEMBER_MAX && q->members == members;
    ensures count: \result == QUORUM_MEMBERS <==> members < 1 || members > MEMBER_MAX;
    ensures table: \result == QUORUM_OK ==>
      \forall integer s; 0 <= s < MEMBER_SETS ==>
        (q->phase1[s] == 1 <==> s < place(members) && 2 * size(s, MEMBER_MAX) > members) &&
        (q->phase2[s] == 1 <==> s < place(members) && 2 * size(s, MEMBER_MAX) > members); */
enum quorum_result quorum_init_majority(struct quorum *q, uint32_t members);

/* Any q1 members for phase 1, any q2 for phase 2; q1 + q2 > members. */
/*@ requires \valid(q);
    assigns *q;
    ensures Q1: \result == QUORUM_OK ==> intersects(q);
    ensures Q2: \result == QUORUM_OK ==> empty_is_none(q);
    ensures members: \result == QUORUM_OK ==> 1 <= members <= MEMBER_MAX && q->members == members;
    ensures count: \result == QUORUM_MEMBERS <==> members < 1 || members > MEMBER_MAX;
    ensures answer: 1 <= members <= MEMBER_MAX ==> (\result == QUORUM_THRESHOLD <==>
      q1 < 1 || q1 > members || q2 < 1 || q2 > members || q1 + q2 <= members);
    ensures table: \result == QUORUM_OK ==>
      \forall integer s; 0 <= s < MEMBER_SETS ==>
        (q->phase1[s] == 1 <==> s < place(members) && size(s, MEMBER_MAX) >= q1) &&
        (q->phase2[s] == 1 <==> s < place(members) && size(s, MEMBER_MAX) >= q2); */
enum quorum_result quorum_init_threshold(struct quorum *q, uint32_t members, uint32_t q1,
	uint32_t q2);

/* Member row * columns + column. Phase 1: all of one row; phase 2: one of each row. */
/*@ requires \valid(q);
    assigns *q;
    ensures Q1: \result == QUORUM_OK ==> intersects(q);
    ensures Q2: \result == QUORUM_OK ==> empty_is_none(q);
    ensures members: \result == QUORUM_OK ==>
      1 <= q->members <= MEMBER_MAX && q->members == rows * columns;
    ensures answer: \result == QUORUM_GRID <==>
      rows < 1 || columns < 1 || rows * columns > MEMBER_MAX;
    ensures table: \result == QUORUM_OK ==>
      \forall integer s; 0 <= s < MEMBER_SETS ==>
        (q->phase1[s] == 1 <==> s < place(q->members) && row_whole(s, rows, columns)) &&
        (q->phase2[s] == 1 <==> s < place(q->members) && rows_met(s, rows, columns)); */
enum quorum_result quorum_init_grid(struct quorum *q, uint32_t rows, uint32_t columns);

/* The minimal quorums of each phase, as bitmasks. */
/*@ requires \valid(q) && \valid_read(sets1 + (0 .. count1 - 1)) &&
      \valid_read(sets2 + (0 .. count2 - 1));
    requires \separated(q, sets1 + (0 .. count1 - 1)) && \separated(q, sets2 + (0 .. count2 - 1));
    assigns *q;
    ensures Q1: \result == QUORUM_OK ==> intersects(q);
    ensures Q2: \result == QUORUM_OK ==> empty_is_none(q);
    ensures members: \result == QUORUM_OK ==> 1 <= members <= MEMBER_MAX && q->members == members;
    ensures count: \result == QUORUM_MEMBERS <==> members < 1 || members > MEMBER_MAX;
    ensures answer: 1 <= members <= MEMBER_MAX ==> (\result == QUORUM_SETS <==>
      !(sets_ok(sets1, count1, members) && sets_ok(sets2, count2, members)));
    ensures table: \result == QUORUM_OK ==>
      \forall integer s; 0 <= s < MEMBER_SETS ==>
        (q->phase1[s] == 1 <==> s < place(members) && holds_any(s, sets1, count1)) &&
        (q->phase2[s] == 1 <==> s < place(members) && holds_any(s, sets2, count2)); */
enum quorum_result quorum_init_explicit(struct quorum *q, uint32_t members, const uint32_t *sets1,
	uint32_t count1, const uint32_t *sets2, uint32_t count2);

/* The set with one more member. */
/*@ requires subset < MEMBER_SETS && member < MEMBER_MAX;
    assigns \nothing;
    ensures adds_member(\result, subset, member);
    ensures \forall integer i; among(i, \result) <==> i == member || among(i, subset); */
static inline uint32_t quorum_with(uint32_t subset, uint32_t member)
{
	return subset | 1u << member;
}

/*@ requires subset < MEMBER_SETS && member < MEMBER_MAX;
    assigns \nothing;
    ensures \result <==> among(member, subset); */
static inline bool quorum_has(uint32_t subset, uint32_t member)
{
	return (subset & 1u << member) != 0;
}

/* Does every phase-1 quorum share a member with every phase-2 quorum? All pairs are looked at. */
/*@ // Coq: Quorum.intersects.
    requires \valid_read(q);
    assigns \nothing;
    ensures met: \result ==> intersects(q);
    ensures missed: !\result ==> \exists integer a, b;
      0 <= a < MEMBER_SETS && 0 <= b < MEMBER_SETS && !meet(q, a, b); */
bool quorum_intersects(const struct quorum *q);

/*@ requires \valid_read(q);
    assigns \nothing;
    ensures \result <==> members < MEMBER_SETS && q->phase1[members] == 1; */
static inline bool quorum_phase1(const struct quorum *q, uint32_t members)
{
	return members < MEMBER_SETS && q->phase1[members] == 1;
}

/*@ requires \valid_read(q);
    assigns \nothing;
    ensures \result <==> members < MEMBER_SETS && q->phase2[members] == 1; */
static inline bool quorum_phase2(const struct quorum *q, uint32_t members)
{
	return members < MEMBER_SETS && q->phase2[members] == 1;
}

#endif
