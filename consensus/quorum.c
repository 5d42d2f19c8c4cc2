#include "consensus/quorum.h"

const char *quorum_result_text(enum quorum_result result)
{
	switch (result) {
	case QUORUM_OK:
		return "every phase-1 quorum meets every phase-2 quorum";
	case QUORUM_MEMBERS:
		return "the number of members is out of range: give 1 to 9";
	case QUORUM_THRESHOLD:
		return "q1 and q2 must each be between 1 and the number of members, and q1 + q2 must "
		       "exceed it";
	case QUORUM_GRID:
		return "rows times columns must be between 1 and 9";
	case QUORUM_SETS:
		return "each phase needs at least one set, and each set at least one member, all of "
		       "them listed";
	case QUORUM_DISJOINT:
		return "some phase-1 quorum shares no member with some phase-2 quorum: let every pair "
		       "share one";
	}
	return "unknown";
}

/* Sets of n members; a member's weight in a set. A table, for the provers know no shifts. */
static const uint32_t places[MEMBER_MAX + 1] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

static_assert(MEMBER_SETS == 512, "places ends there");

/*@ requires n <= MEMBER_MAX;
    assigns \nothing;
    ensures \result == place(n) && 1 <= \result <= MEMBER_SETS; */
static uint32_t place_of(uint32_t n)
{
	return places[n];
}

/*@ requires member < MEMBER_MAX;
    assigns \nothing;
    ensures \result <==> has(subset, member);
    ensures subset == 0 ==> !\result; */
static bool set_has(uint32_t subset, uint32_t member)
{
	return subset / place_of(member) % 2 == 1;
}

/*@ assigns \nothing;
    ensures \result <==> share(a, b); */
static bool share_member(uint32_t a, uint32_t b)
{
	/*@ loop invariant 0 <= i <= MEMBER_MAX;
	    loop invariant \forall integer j; 0 <= j < i ==> !(has(a, j) && has(b, j));
	    loop assigns i;
	    loop variant MEMBER_MAX - i; */
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		if (set_has(a, i) && set_has(b, i))
			return true;
	return false;
}

/*@ assigns \nothing;
    ensures \result <==> contains(subset, part);
    ensures subset == 0 && 0 < part < MEMBER_SETS ==> !\result; */
static bool set_contains(uint32_t subset, uint32_t part)
{
	/*@ loop invariant 0 <= i <= MEMBER_MAX;
	    loop invariant \forall integer j; 0 <= j < i && has(part, j) ==> has(subset, j);
	    loop assigns i;
	    loop variant MEMBER_MAX - i; */
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		if (set_has(part, i) && !set_has(subset, i))
			return false;
	/*@ assert 0 < part < MEMBER_SETS ==>
	      has(part, 0) || has(part, 1) || has(part, 2) || has(part, 3) || has(part, 4) ||
	      has(part, 5) || has(part, 6) || has(part, 7) || has(part, 8); */
	return true;
}

/*@ assigns \nothing;
    ensures \result == size(subset, MEMBER_MAX) && \result <= MEMBER_MAX;
    ensures subset == 0 ==> \result == 0; */
static uint32_t size_of_set(uint32_t subset)
{
	uint32_t size = 0;

	/*@ loop invariant 0 <= i <= MEMBER_MAX && size == size(subset, i) && size <= i;
	    loop invariant subset == 0 ==> size == 0;
	    loop assigns i, size;
	    loop variant MEMBER_MAX - i; */
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		if (set_has(subset, i))
			size++;
	return size;
}

bool quorum_intersects(const struct quorum *q)
{
	/*@ loop invariant 0 <= a <= MEMBER_SETS;
	    loop invariant \forall integer i, j;
	      0 <= i < a && 0 <= j < MEMBER_SETS ==> meet(q, i, j);
	    loop assigns a;
	    loop variant MEMBER_SETS - a; */
	for (uint32_t a = 0; a < MEMBER_SETS; a++)
		/*@ loop invariant 0 <= b <= MEMBER_SETS;
		    loop invariant met: \forall integer j; 0 <= j < b ==> meet(q, a, j);
		    loop assigns b;
		    loop variant MEMBER_SETS - b; */
		for (uint32_t b = 0; b < MEMBER_SETS; b++)
			if (q->phase1[a] == 1 && q->phase2[b] == 1 && !share_member(a, b))
				return false;
	return true;
}

/*@ requires \valid(q);
    assigns *q;
    ensures q->members == members;
    ensures \forall integer k; 0 <= k < MEMBER_SETS ==> q->phase1[k] == 0 && q->phase2[k] == 0; */
static void clear(struct quorum *q, uint32_t members)
{
	q->members = members;
	/*@ loop invariant 0 <= subset <= MEMBER_SETS;
	    loop invariant \forall integer k; 0 <= k < subset ==>
	      q->phase1[k] == 0 && q->phase2[k] == 0;
	    loop assigns subset, q->phase1[0 .. MEMBER_SETS - 1], q->phase2[0 .. MEMBER_SETS - 1];
	    loop variant MEMBER_SETS - subset; */
	for (uint32_t subset = 0; subset < MEMBER_SETS; subset++) {
		q->phase1[subset] = 0;
		q->phase2[subset] = 0;
	}
}

/*@ requires \valid_read(q);
    assigns \nothing;
    ensures \result == QUORUM_OK || \result == QUORUM_DISJOINT;
    ensures \result == QUORUM_OK <==> intersects(q); */
static enum quorum_result checked(const struct quorum *q)
{
	return quorum_intersects(q) ? QUORUM_OK : QUORUM_DISJOINT;
}

enum quorum_result quorum_init_majority(struct quorum *q, uint32_t members)
{
	return quorum_init_threshold(q, members, members / 2 + 1, members / 2 + 1);
}

enum quorum_result quorum_init_threshold(struct quorum *q, uint32_t members, uint32_t q1,
	uint32_t q2)
{
	if (members == 0 || members > MEMBER_MAX)
		return QUORUM_MEMBERS;
	/* Neither is 0 then: the other one would have to exceed the members. */
	if (q1 > members || q2 > members || q1 + q2 <= members)
		return QUORUM_THRESHOLD;
	clear(q, members);
	const uint32_t sets = place_of(members);

	/*@ loop invariant 0 <= subset <= sets;
	    loop invariant table: \forall integer k; 0 <= k < subset ==>
	      (q->phase1[k] == 1 <==> size(k, MEMBER_MAX) >= q1) &&
	      (q->phase2[k] == 1 <==> size(k, MEMBER_MAX) >= q2);
	    loop invariant \forall integer k; subset <= k < MEMBER_SETS ==>
	      q->phase1[k] == 0 && q->phase2[k] == 0;
	    loop invariant empty_is_none(q);
	    loop assigns subset, q->phase1[0 .. MEMBER_SETS - 1], q->phase2[0 .. MEMBER_SETS - 1];
	    loop variant sets - subset; */
	for (uint32_t subset = 0; subset < sets; subset++) {
		const uint32_t size = size_of_set(subset);

		q->phase1[subset] = size >= q1;
		q->phase2[subset] = size >= q2;
	}
	return checked(q);
}

/*@ requires 1 <= columns <= MEMBER_MAX && row * columns <= MEMBER_MAX;
    assigns \nothing;
    ensures \result == row_of(subset, row, columns);
    ensures subset == 0 ==> \result == 0; */
static uint32_t row_of_set(uint32_t subset, uint32_t row, uint32_t columns)
{
	return subset / place_of(row * columns) % place_of(columns);
}

/*@ requires 1 <= columns && 1 <= rows <= MEMBER_MAX && rows * columns <= MEMBER_MAX;
    assigns \nothing;
    ensures \result <==> row_whole(subset, rows, columns);
    ensures subset == 0 ==> !\result; */
static bool some_row_whole(uint32_t subset, uint32_t rows, uint32_t columns)
{
	/*@ loop invariant 0 <= row <= rows;
	    loop invariant row * columns <= rows * columns;
	    loop invariant \forall integer r; 0 <= r < row ==>
	      row_of(subset, r, columns) != place(columns) - 1;
	    loop assigns row;
	    loop variant rows - row; */
	for (uint32_t row = 0; row < rows; row++)
		if (row_of_set(subset, row, columns) == place_of(columns) - 1)
			return true;
	return false;
}

/*@ requires 1 <= columns && 1 <= rows <= MEMBER_MAX && rows * columns <= MEMBER_MAX;
    assigns \nothing;
    ensures \result <==> rows_met(subset, rows, columns);
    ensures subset == 0 ==> !\result; */
static bool each_row_met(uint32_t subset, uint32_t rows, uint32_t columns)
{
	/*@ loop invariant 0 <= row <= rows;
	    loop invariant row * columns <= rows * columns;
	    loop invariant \forall integer r; 0 <= r < row ==> row_of(subset, r, columns) != 0;
	    loop invariant subset == 0 ==> row == 0;
	    loop assigns row;
	    loop variant rows - row; */
	for (uint32_t row = 0; row < rows; row++)
		if (row_of_set(subset, row, columns) == 0)
			return false;
	return true;
}

enum quorum_result quorum_init_grid(struct quorum *q, uint32_t rows, uint32_t columns)
{
	if (rows == 0 || columns == 0 || rows > MEMBER_MAX || columns > MEMBER_MAX ||
		rows * columns > MEMBER_MAX)
		return QUORUM_GRID;
	clear(q, rows * columns);
	const uint32_t sets = place_of(rows * columns);

	/*@ loop invariant 0 <= subset <= sets;
	    loop invariant \forall integer k; 0 <= k < subset ==>
	      (q->phase1[k] == 1 <==> row_whole(k, rows, columns)) &&
	      (q->phase2[k] == 1 <==> rows_met(k, rows, columns));
	    loop invariant \forall integer k; subset <= k < MEMBER_SETS ==>
	      q->phase1[k] == 0 && q->phase2[k] == 0;
	    loop invariant empty_is_none(q);
	    loop assigns subset, q->phase1[0 .. MEMBER_SETS - 1], q->phase2[0 .. MEMBER_SETS - 1];
	    loop variant sets - subset; */
	for (uint32_t subset = 0; subset < sets; subset++) {
		q->phase1[subset] = some_row_whole(subset, rows, columns);
		q->phase2[subset] = each_row_met(subset, rows, columns);
	}
	return checked(q);
}

/*@ requires \valid_read(sets + (0 .. count - 1)) && members <= MEMBER_MAX;
    assigns \nothing;
    ensures valid: \result <==> sets_ok(sets, count, members); */
static bool sets_valid(const uint32_t *sets, uint32_t count, uint32_t members)
{
	/*@ loop invariant 0 <= i <= count;
	    loop invariant \forall integer j; 0 <= j < i ==> 0 < sets[j] < place(members);
	    loop assigns i;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++)
		if (sets[i] == 0 || sets[i] >= place_of(members))
			return false;
	return count > 0;
}

/*@ requires \valid_read(sets + (0 .. count - 1));
    requires \forall integer i; 0 <= i < count ==> 0 < sets[i] < MEMBER_SETS;
    assigns \nothing;
    ensures \result <==> holds_any(subset, sets, count);
    ensures subset == 0 ==> !\result; */
static bool holds_one(uint32_t subset, const uint32_t *sets, uint32_t count)
{
	/*@ loop invariant 0 <= i <= count;
	    loop invariant \forall integer j; 0 <= j < i ==> !contains(subset, sets[j]);
	    loop assigns i;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++)
		if (set_contains(subset, sets[i]))
			return true;
	return false;
}

enum quorum_result quorum_init_explicit(struct quorum *q, uint32_t members, const uint32_t *sets1,
	uint32_t count1, const uint32_t *sets2, uint32_t count2)
{
	if (members == 0 || members > MEMBER_MAX)
		return QUORUM_MEMBERS;
	if (!sets_valid(sets1, count1, members) || !sets_valid(sets2, count2, members))
		return QUORUM_SETS;
	clear(q, members);
	const uint32_t sets = place_of(members);

	/*@ loop invariant 0 <= subset <= sets;
	    loop invariant \forall integer k; 0 <= k < subset ==>
	      (q->phase1[k] == 1 <==> holds_any(k, sets1, count1)) &&
	      (q->phase2[k] == 1 <==> holds_any(k, sets2, count2));
	    loop invariant \forall integer k; subset <= k < MEMBER_SETS ==>
	      q->phase1[k] == 0 && q->phase2[k] == 0;
	    loop invariant empty_is_none(q);
	    loop assigns subset, q->phase1[0 .. MEMBER_SETS - 1], q->phase2[0 .. MEMBER_SETS - 1];
	    loop variant sets - subset; */
	for (uint32_t subset = 0; subset < sets; subset++) {
		q->phase1[subset] = holds_one(subset, sets1, count1);
		q->phase2[subset] = holds_one(subset, sets2, count2);
	}
	return checked(q);
}
