#include "consensus/acceptor.h"

#include <stddef.h>

void acceptor_init(struct acceptor *a, uint64_t window)
{
	a->promised = 0;
	a->lo = 0;
	a->delivered = 0;
	a->tail = 0;
	a->high = 0;
	a->window = window;
	/*@ loop invariant 0 <= i <= VOTES_MAX;
	    loop invariant \forall integer k; 0 <= k < i ==>
	      a->votes[k].ballot == 0 && a->votes[k].state == VOTE_NONE;
	    loop assigns i, a->votes[0 .. VOTES_MAX - 1];
	    loop variant VOTES_MAX - i; */
	for (uint32_t i = 0; i < VOTES_MAX; i++) {
		a->votes[i].ballot = 0;
		a->votes[i].instance = 0;
		a->votes[i].position = 0;
		a->votes[i].checksum = 0;
		a->votes[i].count = 0;
		a->votes[i].index = 0;
		a->votes[i].state = VOTE_NONE;
	}
}

/*@ requires \valid_read(a);
    assigns \nothing; */
static bool too_high(const struct acceptor *a, uint64_t ballot)
{
	return ballot / BALLOT_NODES > a->promised / BALLOT_NODES &&
		ballot / BALLOT_NODES - a->promised / BALLOT_NODES > BALLOT_ROUND_JUMP;
}

enum acceptor_answer acceptor_on_prepare(struct acceptor *a, uint64_t ballot)
{
	if (ballot < a->promised)
		return ACCEPTOR_REFUSED;
	if (too_high(a, ballot))
		return ACCEPTOR_TOO_HIGH;
	/* Nothing below can fail. */
	a->promised = ballot;
	return ACCEPTOR_PROMISED;
}

/*@ requires \valid_read(v);
    assigns \nothing;
    ensures \result <==> v->state != VOTE_NONE && v->instance == instance; */
static bool holds(const struct vote *v, uint64_t instance)
{
	return v->state != VOTE_NONE && v->instance == instance;
}

const struct vote *acceptor_vote(const struct acceptor *a, uint64_t instance)
{
	const struct vote *v = &a->votes[instance % VOTES_MAX];

	return holds(v, instance) ? v : NULL;
}

/*@ requires \valid(a);
    assigns a->high;
    ensures a->high >= end && a->high >= \old(a->high); */
static void raise_high(struct acceptor *a, uint64_t end)
{
	if (end > a->high)
		a->high = end;
}

/* Writes one vote, and leaves the other slots as they are. */
/*@ requires \valid(a) && \valid_read(run) && \separated(a, run);
    requires run_ok(run) && index < run->count && state <= VOTE_CHOSEN;
    requires ballot <= a->promised && \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    assigns a->votes[0 .. VOTES_MAX - 1];
    ensures ok: \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    ensures vote: a->votes[(run->first + index) % VOTES_MAX].ballot == ballot &&
      a->votes[(run->first + index) % VOTES_MAX].instance == run->first + index &&
      a->votes[(run->first + index) % VOTES_MAX].position == run->position &&
      a->votes[(run->first + index) % VOTES_MAX].checksum == run->checksum &&
      a->votes[(run->first + index) % VOTES_MAX].count == run->count &&
      a->votes[(run->first + index) % VOTES_MAX].index == index &&
      a->votes[(run->first + index) % VOTES_MAX].state == state;
    ensures others: \forall integer k; 0 <= k < VOTES_MAX &&
      k != (run->first + index) % VOTES_MAX ==> slot_same{Pre,Post}(a, k); */
static void set_vote(struct acceptor *a, const struct run *run, uint32_t index, uint64_t ballot,
	enum vote_state state)
{
	struct vote *v = &a->votes[(run->first + index) % VOTES_MAX];

	v->ballot = ballot;
	v->instance = run->first + index;
	v->position = run->position;
	v->checksum = run->checksum;
	v->count = run->count;
	v->index = (uint8_t)index;
	v->state = (uint8_t)state;
}

/* What the slots of the run's instances say of it: VOTED if it may be voted for. What is known chosen
 * says nothing: were a run refused for it, one that others may not vote for either would never be
 * chosen. */
/*@ requires \valid_read(a) && \valid_read(run) && \separated(a, run) && run_ok(run);
    assigns \nothing;
    ensures \result == ACCEPTOR_VOTED || \result == ACCEPTOR_REPEATED ||
      \result == ACCEPTOR_CONFLICT;
    ensures \result == ACCEPTOR_VOTED ==>
      \forall integer i; run->first <= i < run->first + run->count && holds_vote(a, i) &&
        !known_chosen(a, i) ==> a->votes[i % VOTES_MAX].ballot != run->ballot; */
static enum acceptor_answer compare_votes(const struct acceptor *a, const struct run *run)
{
	uint32_t same = 0;
	uint32_t known = 0;
	bool conflict = false;

	/*@ loop invariant 0 <= i <= run->count && same + known <= i;
	    loop invariant A3: !conflict && same == 0 ==>
	      \forall integer j; run->first <= j < run->first + i && holds_vote(a, j) &&
	        !known_chosen(a, j) ==> a->votes[j % VOTES_MAX].ballot != run->ballot;
	    loop assigns i, same, known, conflict;
	    loop variant run->count - i; */
	for (uint32_t i = 0; i < run->count; i++) {
		const struct vote *v = &a->votes[(run->first + i) % VOTES_MAX];

		if (!holds(v, run->first + i))
			continue;
		if (v->state == VOTE_CHOSEN) {
			known++;
			continue;
		}
		if (v->ballot != run->ballot)
			continue;
		if (v->index == i && v->count == run->count && v->checksum == run->checksum)
			same++;
		else
			conflict = true;
	}
	if (conflict || (same > 0 && same + known < run->count))
		return ACCEPTOR_CONFLICT;
	return same > 0 ? ACCEPTOR_REPEATED : ACCEPTOR_VOTED;
}

/* One vote of a run; what is known chosen stays so. */
/*@ requires \valid(a) && \valid_read(run) && \separated(a, run) && run_ok(run);
    requires run->ballot <= a->promised && index < run->count;
    requires \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    assigns a->votes[0 .. VOTES_MAX - 1];
    ensures ok: \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    ensures cast: !\old(known_chosen(a, run->first + index)) ==>
      is_cast(a, run->first + index, run);
    ensures A4: \old(known_chosen(a, run->first + index)) ==> all_same{Pre,Post}(a);
    ensures others: \forall integer k; 0 <= k < VOTES_MAX &&
      k != (run->first + index) % VOTES_MAX ==> slot_same{Pre,Post}(a, k); */
static void cast_vote(struct acceptor *a, const struct run *run, uint32_t index)
{
	const struct vote *v = &a->votes[(run->first + index) % VOTES_MAX];

	if (!holds(v, run->first + index) || v->state != VOTE_CHOSEN)
		set_vote(a, run, index, run->ballot, VOTE_CAST);
}

/* Writes the votes of a run into the slots of its instances, and into no others. */
/*@ requires \valid(a) && \valid_read(run) && \separated(a, run) && run_ok(run);
    requires run->ballot <= a->promised;
    requires \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    assigns a->votes[0 .. VOTES_MAX - 1];
    ensures \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    ensures cast: \forall integer i; run->first <= i < run->first + run->count &&
      !\at(known_chosen(a, i), Pre) ==> is_cast(a, i, run);
    ensures A4: \forall integer i; run->first <= i < run->first + run->count &&
      \at(known_chosen(a, i), Pre) ==> slot_same{Pre,Post}(a, i % VOTES_MAX);
    ensures others: others_same{Pre,Post}(a, run->first, run->count); */
static void cast_votes(struct acceptor *a, const struct run *run)
{
	/*@ loop invariant 0 <= i <= run->count;
	    loop invariant cast: \forall integer j; run->first <= j < run->first + i &&
	      !\at(known_chosen(a, j), Pre) ==> is_cast(a, j, run);
	    loop invariant A4: \forall integer j; run->first <= j < run->first + i &&
	      \at(known_chosen(a, j), Pre) ==> slot_same{Pre,Here}(a, j % VOTES_MAX);
	    loop invariant \forall integer j; run->first + i <= j < run->first + run->count ==>
	      slot_same{Pre,Here}(a, j % VOTES_MAX);
	    loop invariant others_same{Pre,Here}(a, run->first, i);
	    loop invariant \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
	    loop assigns i, a->votes[0 .. VOTES_MAX - 1];
	    loop variant run->count - i; */
	for (uint32_t i = 0; i < run->count; i++) {
		cast_vote(a, run, i);
		/*@ assert \forall integer j; run->first <= j < run->first + i ==>
		      j % VOTES_MAX != (run->first + i) % VOTES_MAX; */
		/*@ assert \forall integer j; run->first + i < j < run->first + run->count ==>
		      j % VOTES_MAX != (run->first + i) % VOTES_MAX; */
		/*@ assert \forall integer j; run->first <= j < run->first + i ==>
		      slot_same{LoopCurrent,Here}(a, j % VOTES_MAX); */
		/*@ assert \forall integer k; 0 <= k < VOTES_MAX && apart(k, run->first, i + 1) ==>
		      slot_same{LoopCurrent,Here}(a, k); */
	}
}

enum acceptor_answer acceptor_on_accept(struct acceptor *a, const struct run *run)
{
	if (run->ballot < a->promised)
		return ACCEPTOR_REFUSED;
	if (too_high(a, run->ballot))
		return ACCEPTOR_TOO_HIGH;
	if (run->first < a->lo)
		return ACCEPTOR_TRIMMED;
	if (run->first + run->count > a->lo + a->window)
		return ACCEPTOR_BEHIND;
	enum acceptor_answer answer = compare_votes(a, run);

	if (answer != ACCEPTOR_VOTED && answer != ACCEPTOR_REPEATED)
		return answer;
	/* Nothing below can fail. */
	a->promised = run->ballot;
	if (answer == ACCEPTOR_REPEATED)
		return ACCEPTOR_REPEATED;
	cast_votes(a, run);
	raise_high(a, run->first + run->count);
	return ACCEPTOR_VOTED;
}

/* One instance of a run known chosen. False: nothing to store, for it is below lo or was known. */
/*@ requires \valid(a) && \valid_read(run) && \separated(a, run) && run_ok(run);
    requires index < run->count;
    requires \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    assigns a->votes[0 .. VOTES_MAX - 1];
    ensures ok: \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
    ensures A4: \at(holds_vote(a, run->first + index), Pre) &&
      \at(a->votes[(run->first + index) % VOTES_MAX].state, Pre) == VOTE_CHOSEN ==>
        slot_same{Pre,Post}(a, (run->first + index) % VOTES_MAX);
    ensures others: \forall integer k; 0 <= k < VOTES_MAX &&
      k != (run->first + index) % VOTES_MAX ==> slot_same{Pre,Post}(a, k); */
static bool store_chosen(struct acceptor *a, const struct run *run, uint32_t index)
{
	const uint64_t instance = run->first + index;
	const struct vote *v = &a->votes[instance % VOTES_MAX];

	if (instance < a->lo || (holds(v, instance) && v->state == VOTE_CHOSEN))
		return false;
	set_vote(a, run, index, 0, VOTE_CHOSEN);
	return true;
}

enum acceptor_answer acceptor_on_chosen(struct acceptor *a, const struct run *run)
{
	bool stored = false;

	if (run->first + run->count <= a->lo)
		return ACCEPTOR_TRIMMED;
	if (run->first + run->count > a->lo + a->window)
		return ACCEPTOR_BEHIND;
	/* Nothing below can fail. */
	/*@ loop invariant 0 <= i <= run->count;
	    loop invariant \forall integer j; run->first <= j < run->first + run->count &&
	      \at(holds_vote(a, j), Pre) &&
	      \at(a->votes[j % VOTES_MAX].state, Pre) == VOTE_CHOSEN ==>
	        slot_same{Pre,Here}(a, j % VOTES_MAX);
	    loop invariant \forall integer k; 0 <= k < VOTES_MAX &&
	      (\forall integer j; run->first <= j < run->first + i ==> k != j % VOTES_MAX) ==>
	        slot_same{Pre,Here}(a, k);
	    loop invariant \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
	    loop assigns i, stored, a->votes[0 .. VOTES_MAX - 1];
	    loop variant run->count - i; */
	for (uint32_t i = 0; i < run->count; i++) {
		if (store_chosen(a, run, i))
			stored = true;
		/*@ assert \forall integer j; run->first <= j < run->first + run->count &&
		      j != run->first + i ==> j % VOTES_MAX != (run->first + i) % VOTES_MAX; */
	}
	if (!stored)
		return ACCEPTOR_KNOWN;
	raise_high(a, run->first + run->count);
	return ACCEPTOR_STORED;
}

/* The index reaches VOTES_MAX back from the window's end; what lies below is overwritten. */
/*@ requires \valid(a) && a->tail <= a->delivered && a->lo <= a->delivered <= INSTANCE_TOP;
    assigns a->tail;
    ensures \old(a->tail) <= a->tail <= a->delivered; */
static void follow_index(struct acceptor *a)
{
	if (a->lo + ACCEPTOR_WINDOW > a->tail + VOTES_MAX)
		a->tail = a->lo + ACCEPTOR_WINDOW - VOTES_MAX;
}

void acceptor_trim(struct acceptor *a, uint64_t delivered)
{
	if (delivered <= a->delivered)
		return;
	a->delivered = delivered;
	a->lo = delivered - delivered % BLOCK;
	follow_index(a);
}

void acceptor_install(struct acceptor *a, uint64_t delivered)
{
	if (delivered <= a->delivered)
		return;
	a->delivered = delivered;
	a->lo = delivered - delivered % BLOCK;
	a->tail = delivered;
}

void acceptor_drop(struct acceptor *a, uint64_t tail)
{
	if (tail > a->lo)
		tail = a->lo;
	if (tail > a->tail)
		a->tail = tail;
}

bool acceptor_piece(const struct acceptor *a, uint64_t from, uint64_t end, struct piece *piece)
{
	uint64_t at = from;

	/*@ loop invariant from <= at <= end;
	    loop invariant \forall integer i; from <= i < at ==> !holds_vote(a, i);
	    loop assigns at;
	    loop variant end - at; */
	while (at < end && !holds(&a->votes[at % VOTES_MAX], at))
		at++;
	if (at == end)
		return false;
	const struct vote *v = &a->votes[at % VOTES_MAX];

	piece->first = at;
	piece->ballot = v->ballot;
	piece->position = v->position;
	piece->checksum = v->checksum;
	piece->run_count = v->count;
	piece->index = v->index;
	piece->chosen = v->state == VOTE_CHOSEN;
	piece->count = 1;
	at++;
	/*@ loop invariant at <= end && at == piece->first + piece->count;
	    loop invariant 1 <= piece->count && piece->count <= VOTES_MAX;
	    loop assigns at, piece->count;
	    loop variant end - at; */
	while (at < end && piece->count < piece->run_count) {
		const struct vote *next = &a->votes[at % VOTES_MAX];

		if (!holds(next, at) || next->position != piece->position ||
			next->ballot != piece->ballot || next->state != v->state ||
			next->checksum != piece->checksum || next->count != piece->run_count ||
			next->index != piece->index + piece->count)
			break;
		piece->count++;
		at++;
	}
	return true;
}

void acceptor_relocate(struct acceptor *a, uint64_t first, uint16_t count, uint64_t old,
	uint64_t new_position)
{
	/*@ loop invariant 0 <= i <= count;
	    loop invariant \forall integer k; 0 <= k < VOTES_MAX ==> slot_ok(a, k);
	    loop assigns i, a->votes[0 .. VOTES_MAX - 1].position;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		struct vote *v = &a->votes[(first + i) % VOTES_MAX];

		if (holds(v, first + i) && v->position == old)
			v->position = new_position;
	}
}
