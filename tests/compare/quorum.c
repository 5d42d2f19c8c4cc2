/*
 * The tables of every small quorum system, right or wrong.
 *
 * Arguments: members of an explicit system, at most. It has up to two sets a phase, each of any
 * members and of one that is none.
 */
#include <stdio.h>

#include "consensus/quorum.h"
#include "tests/compare/explore.h"

enum {
	SETS = 2
};

static struct quorum q;

static void tell_tables(enum quorum_result result)
{
	tell(result == QUORUM_OK);
	for (uint32_t set = 0; result == QUORUM_OK && set < MEMBER_SETS; set++)
		tell(quorum_phase1(&q, set) + 2u * quorum_phase2(&q, set));
}

static void tell_thresholds(uint32_t members)
{
	for (uint32_t q1 = 0; q1 <= MEMBER_MAX + 1; q1++)
		for (uint32_t q2 = 0; q2 <= MEMBER_MAX + 1; q2++) {
			tell('T');
			tell(members);
			tell(q1);
			tell(q2);
			tell_tables(quorum_init_threshold(&q, members, q1, q2));
		}
}

static void tell_sets(const uint32_t *sets, uint32_t count)
{
	tell(count);
	for (uint32_t i = 0; i < count; i++)
		tell(sets[i]);
}

/* The next list of up to SETS sets below `end`. Returns its length, or more at the end. */
static uint32_t next_sets(uint32_t *sets, uint32_t count, uint32_t end)
{
	uint32_t i = 0;

	while (i < count && ++sets[i] == end)
		sets[i++] = 0;
	if (i == count && count <= SETS)
		sets[count++] = 0;
	return count;
}

static void tell_explicit(uint32_t members)
{
	uint32_t end = (1u << members) + 1;
	uint32_t sets1[SETS + 1];
	uint32_t sets2[SETS + 1];

	for (uint32_t count1 = 0; count1 <= SETS; count1 = next_sets(sets1, count1, end))
		for (uint32_t count2 = 0; count2 <= SETS; count2 = next_sets(sets2, count2, end)) {
			tell('E');
			tell(members);
			tell_sets(sets1, count1);
			tell_sets(sets2, count2);
			tell_tables(
				quorum_init_explicit(&q, members, sets1, count1, sets2, count2));
		}
}

int main(int argc, char **argv)
{
	for (uint32_t members = 0; members <= MEMBER_MAX + 1; members++) {
		tell('M');
		tell(members);
		tell_tables(quorum_init_majority(&q, members));
		tell_thresholds(members);
	}
	for (uint32_t rows = 0; rows <= MEMBER_MAX + 1; rows++)
		for (uint32_t columns = 0; columns <= MEMBER_MAX + 1; columns++) {
			tell('G');
			tell(rows);
			tell(columns);
			tell_tables(quorum_init_grid(&q, rows, columns));
		}
	for (uint32_t members = 0; members <= argument(argc, argv, 1); members++)
		tell_explicit(members);
	return fflush(stdout) == 0 ? 0 : 1;
}
