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

/* Members in both sets, found digit by digit. */
static bool share_member(uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < MEMBER_MAX; i++) {
		if (a % 2 == 1 && b % 2 == 1)
			return true;
		a = a / 2;
		b = b / 2;
	}
	return false;
}

static uint32_t size_of_set(uint32_t members)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < MEMBER_MAX; i++) {
		size += members % 2;
		members = members / 2;
	}
	return size;
}

bool quorum_intersects(const struct quorum *q)
{
	for (uint32_t a = 0; a < MEMBER_SETS; a++)
		for (uint32_t b = 0; b < MEMBER_SETS; b++)
			if (q->phase1[a] == 1 && q->phase2[b] == 1 && !share_member(a, b))
				return false;
	return true;
}

static void clear(struct quorum *q, uint32_t members)
{
	q->members = members;
	for (uint32_t set = 0; set < MEMBER_SETS; set++) {
		q->phase1[set] = 0;
		q->phase2[set] = 0;
	}
}

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
	if (q1 == 0 || q1 > members || q2 == 0 || q2 > members || q1 + q2 <= members)
		return QUORUM_THRESHOLD;
	clear(q, members);
	for (uint32_t set = 0; set < 1u << members; set++) {
		q->phase1[set] = size_of_set(set) >= q1;
		q->phase2[set] = size_of_set(set) >= q2;
	}
	return checked(q);
}

enum quorum_result quorum_init_grid(struct quorum *q, uint32_t rows, uint32_t columns)
{
	if (rows == 0 || columns == 0 || rows > MEMBER_MAX || columns > MEMBER_MAX ||
		rows * columns > MEMBER_MAX)
		return QUORUM_GRID;
	clear(q, rows * columns);
	for (uint32_t set = 0; set < 1u << (rows * columns); set++) {
		bool some_row_whole = false;
		bool each_row_met = true;

		for (uint32_t row = 0; row < rows; row++) {
			uint32_t of_row = set / (1u << (row * columns)) % (1u << columns);

			some_row_whole = some_row_whole || of_row == (1u << columns) - 1;
			each_row_met = each_row_met && of_row != 0;
		}
		q->phase1[set] = some_row_whole;
		q->phase2[set] = each_row_met;
	}
	return checked(q);
}

static bool sets_valid(const uint32_t *sets, uint32_t count, uint32_t members)
{
	for (uint32_t i = 0; i < count; i++)
		if (sets[i] == 0 || sets[i] >= 1u << members)
			return false;
	return count > 0;
}

static bool holds_one(uint32_t set, const uint32_t *sets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if ((set & sets[i]) == sets[i])
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
	for (uint32_t set = 0; set < 1u << members; set++) {
		q->phase1[set] = holds_one(set, sets1, count1);
		q->phase2[set] = holds_one(set, sets2, count2);
	}
	return checked(q);
}
