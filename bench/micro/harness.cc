/* The one file in C++: Google Benchmark's interface, and no more than that. */
#include <benchmark/benchmark.h>

extern "C" {
#include "bench/micro/harness.h"
}

struct harness {
	benchmark::State &state;
	uint32_t argument;
	bool failed;
};

/* Google Benchmark prints a case's error, but its exit status does not tell. */
static bool any_failed;

static void run_case(benchmark::State &state, const struct harness_case *c)
{
	struct harness h = {state, static_cast<uint32_t>(state.range(0)), false};
	void *own = c->setup(&h);

	if (own == nullptr) {
		if (!h.failed)
			harness_fail(&h, "no memory: stop other programs and run again");
		return;
	}
	c->run(own, &h);
	c->teardown(own);
}

uint32_t harness_argument(const struct harness *h)
{
	return h->argument;
}

bool harness_batch(struct harness *h, uint32_t iterations)
{
	return h->state.KeepRunningBatch(iterations);
}

uint64_t harness_iterations(const struct harness *h)
{
	return static_cast<uint64_t>(h->state.iterations());
}

void harness_items(struct harness *h, uint64_t items)
{
	h->state.SetItemsProcessed(static_cast<int64_t>(items));
}

void harness_counter(struct harness *h, const char *name, double value)
{
	h->state.counters[name] = value;
}

void harness_fail(struct harness *h, const char *why)
{
	h->failed = true;
	any_failed = true;
	h->state.SkipWithError(why);
}

bool harness_init(int *argc, char **argv)
{
	benchmark::Initialize(argc, argv);
	return !benchmark::ReportUnrecognizedArguments(*argc, argv);
}

void harness_add(const struct harness_case *c)
{
	for (uint32_t i = 0; i < HARNESS_ARGUMENTS_MAX && c->arguments[i] != 0; i++) {
		benchmark::internal::Benchmark *b = benchmark::RegisterBenchmark(c->name,
			[c](benchmark::State &state) { run_case(state, c); });

		b->ArgName(c->argument)->Arg(c->arguments[i]);
		if (c->wall)
			b->UseRealTime();
	}
}

bool harness_run(void)
{
	const size_t chosen = benchmark::RunSpecifiedBenchmarks();

	benchmark::Shutdown();
	return chosen > 0 && !any_failed;
}
