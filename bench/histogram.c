#include "bench/histogram.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->total += from->total;
	into->sum_ns += from->sum_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

/* Largest duration that falls into the bucket. */
static uint64_t upper_end(uint32_t bucket)
{
	uint32_t doubling = bucket >> HISTOGRAM_STEP_BITS;
	uint64_t step = bucket & (HISTOGRAM_STEPS - 1);

	if (doubling == 0)
		return step;
	return ((HISTOGRAM_STEPS + step + 1) << (doubling - 1)) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percentile)
{
	uint64_t wanted = (uint64_t)ceil((double)h->total * percentile / 100.0);
	uint64_t seen = 0;

	if (wanted == 0)
		wanted = 1;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (h->total > 0 && seen >= wanted)
			return upper_end(i) < h->max_ns ? upper_end(i) : h->max_ns;
	}
	return h->max_ns;
}

void histogram_print(const struct histogram *h, FILE *out)
{
	uint64_t seen = 0;

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->counts[i] == 0)
			continue;
		seen += h->counts[i];
		double part = (double)seen / (double)h->total;

		fprintf(out, "%12.3f %14.12f %10" PRIu64, (double)upper_end(i) / 1000.0, part,
			seen);
		if (seen < h->total)
			fprintf(out, " %14.2f\n", 1.0 / (1.0 - part));
		else
			fputc('\n', out);
	}
	fprintf(out, "#[Mean    = %12.3f]\n",
		h->total == 0 ? 0.0 : h->sum_ns / (double)h->total / 1000.0);
	fprintf(out, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
		(double)h->max_ns / 1000.0, h->total);
}
