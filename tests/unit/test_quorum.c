/* Quorum systems: what is accepted intersects, what does not intersect is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/quorum.h"

static struct quorum q;

static void a_majority_is_more_than_half(void **state)
{
	(void)state;
	assert_int_equal(quorum_init_majority(&q, 5), QUORUM_OK);
	assert_false(quorum_phase2(&q, 0x03));
	assert_true(quorum_phase2(&q, 0x07));
	assert_true(quorum_phase1(&q, 0x1c));
	assert_int_equal(quorum_init_majority(&q, 4), QUORUM_OK);
	assert_false(quorum_phase2(&q, 0x03));
}

static void the_empty_set_is_no_quorum(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= MEMBER_MAX; n++) {
		assert_int_equal(quorum_init_majority(&q, n), QUORUM_OK);
		assert_false(quorum_phase1(&q, 0));
		assert_false(quorum_phase2(&q, 0));
	}
}

static void thresholds_that_do_not_exceed_the_members_are_refused(void **state)
{
	(void)state;
	assert_int_equal(quorum_init_threshold(&q, 5, 2, 3), QUORUM_THRESHOLD);
	assert_int_equal(quorum_init_threshold(&q, 5, 4, 2), QUORUM_OK);
	assert_true(quorum_phase2(&q, 0x11));
	assert_false(quorum_phase1(&q, 0x07));
	assert_int_equal(quorum_init_threshold(&q, 5, 0, 5), QUORUM_THRESHOLD);
	assert_int_equal(quorum_init_threshold(&q, 10, 6, 6), QUORUM_MEMBERS);
}

static void a_grid_takes_a_row_and_one_of_each(void **state)
{
	(void)state;
	assert_int_equal(quorum_init_grid(&q, 2, 3), QUORUM_OK);
	assert_true(quorum_phase1(&q, 0x07));
	assert_false(quorum_phase1(&q, 0x0b));
	assert_true(quorum_phase2(&q, 0x09));
	assert_false(quorum_phase2(&q, 0x07));
	assert_int_equal(quorum_init_grid(&q, 4, 3), QUORUM_GRID);
}

static void explicit_sets_that_miss_each_other_are_refused(void **state)
{
	const uint32_t one[] = {0x3};
	const uint32_t other[] = {0x4};
	const uint32_t meets[] = {0x6, 0x1};
	const uint32_t empty[] = {0};

	(void)state;
	assert_int_equal(quorum_init_explicit(&q, 3, one, 1, other, 1), QUORUM_DISJOINT);
	assert_int_equal(quorum_init_explicit(&q, 3, one, 1, meets, 2), QUORUM_OK);
	assert_true(quorum_phase2(&q, 0x7));
	assert_int_equal(quorum_init_explicit(&q, 3, empty, 1, meets, 2), QUORUM_SETS);
	assert_int_equal(quorum_init_explicit(&q, 2, other, 1, other, 1), QUORUM_SETS);
}

static void a_superset_of_a_quorum_is_one(void **state)
{
	(void)state;
	quorum_init_grid(&q, 3, 3);
	for (uint32_t set = 0; set < MEMBER_SETS; set++)
		for (uint32_t i = 0; i < MEMBER_MAX; i++)
			if (quorum_phase1(&q, set))
				assert_true(quorum_phase1(&q, set | 1u << i));
}

static void a_broken_table_is_seen(void **state)
{
	(void)state;
	quorum_init_majority(&q, 3);
	assert_true(quorum_intersects(&q));
	q.phase2[0x1] = 1;
	assert_false(quorum_intersects(&q));
}

static void each_set_with_each_member_has_that_one_and_those_it_had(void **state)
{
	/* Every input that there is: what is proved elsewhere takes these contracts on trust. */
	(void)state;
	for (uint32_t subset = 0; subset < MEMBER_SETS; subset++)
		for (uint32_t member = 0; member < MEMBER_MAX; member++) {
			assert_int_equal(quorum_has(subset, member), subset / (1u << member) % 2);
			const uint32_t more = quorum_with(subset, member);
			uint32_t weight = 1;

			assert_true(more < MEMBER_SETS);
			for (uint32_t i = 0; i < MEMBER_MAX; i++, weight *= 2)
				assert_int_equal(more / weight % 2,
					i == member ? 1 : subset / weight % 2);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_majority_is_more_than_half),
		cmocka_unit_test(the_empty_set_is_no_quorum),
		cmocka_unit_test(thresholds_that_do_not_exceed_the_members_are_refused),
		cmocka_unit_test(a_grid_takes_a_row_and_one_of_each),
		cmocka_unit_test(explicit_sets_that_miss_each_other_are_refused),
		cmocka_unit_test(a_superset_of_a_quorum_is_one),
		cmocka_unit_test(a_broken_table_is_seen),
		cmocka_unit_test(each_set_with_each_member_has_that_one_and_those_it_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
