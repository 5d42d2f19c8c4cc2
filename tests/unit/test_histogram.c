/* Latencies: percentiles within a bucket's width, nothing lost at the ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/histogram.h"

static struct histogram h;

static int setup(void **state)
{
	(void)state;
	histogram_reset(&h);
	return 0;
}

static void percentiles_are_within_a_bucket(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns <= 100000; ns++)
		histogram_record(&h, ns);
	for (uint32_t percent = 1; percent <= 100; percent++) {
		uint64_t found = histogram_percentile(&h, percent);

		assert_true(found >= percent * 1000ull);
		assert_true(found <= percent * 1000ull + percent * 1000ull / HISTOGRAM_STEPS + 1);
	}
}

static void the_maximum_is_exact(void **state)
{
	(void)state;
	histogram_record(&h, 123456789);
	histogram_record(&h, 5);
	assert_int_equal(histogram_percentile(&h, 100), 123456789);
	assert_int_equal(histogram_percentile(&h, 50), 5);
}

static void buckets_go_up_with_the_duration(void **state)
{
	uint32_t last = 0;

	(void)state;
	for (uint64_t ns = 0; ns < 1ull << 40; ns += ns / 50 + 1) {
		assert_true(histogram_bucket(ns) >= last);
		last = histogram_bucket(ns);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void merging_adds(void **state)
{
	static struct histogram other;

	(void)state;
	histogram_reset(&other);
	histogram_record(&h, 10);
	histogram_record(&other, 30);
	histogram_merge(&h, &other);
	assert_int_equal(h.total, 2);
	assert_int_equal(histogram_percentile(&h, 100), 30);
}

static void nothing_recorded_is_zero(void **state)
{
	(void)state;
	assert_int_equal(histogram_percentile(&h, 99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(percentiles_are_within_a_bucket, setup),
		cmocka_unit_test_setup(the_maximum_is_exact, setup),
		cmocka_unit_test_setup(buckets_go_up_with_the_duration, setup),
		cmocka_unit_test_setup(merging_adds, setup),
		cmocka_unit_test_setup(nothing_recorded_is_zero, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
