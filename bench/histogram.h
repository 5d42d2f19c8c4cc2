/*
 * histogram.h - log-linear counts of durations: 128 steps to each doubling, so within 0.8%.
 *
 * Owns:    its counts; one writer. Merge before reading from elsewhere.
 * Never:   divides or allocates while it records.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum {
	HISTOGRAM_STEP_BITS = 7,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
	HISTOGRAM_DOUBLINGS = 37, /* Up to 2^43 ns: two hours. */
	HISTOGRAM_BUCKETS = (HISTOGRAM_DOUBLINGS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
	uint64_t total;
	uint64_t max_ns;
	double sum_ns;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
void histogram_merge(struct histogram *into, const struct histogram *from);

static inline uint32_t histogram_bucket(uint64_t ns)
{
	if (ns < HISTOGRAM_STEPS)
		return (uint32_t)ns;
	uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
	uint32_t bucket =
		((shift + 1) << HISTOGRAM_STEP_BITS) + (uint32_t)((ns >> shift) - HISTOGRAM_STEPS);

	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_record(struct histogram *h, uint64_t ns)
{
	h->counts[histogram_bucket(ns)]++;
	h->total++;
	h->sum_ns += (double)ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

/* The duration that `percentile` percent of the records do not exceed (a bucket's upper end);
 * 0 if nothing was recorded. */
uint64_t histogram_percentile(const struct histogram *h, double percentile);

/* HdrHistogram's percentile text, in microseconds: its viewers read it. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
