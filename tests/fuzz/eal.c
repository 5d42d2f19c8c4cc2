#include "tests/fuzz/eal.h"

#include <pthread.h>
#include <sched.h>

#include <rte_eal.h>

#include "consensus/check.h"

void eal_start_plain(void)
{
	static char words[][32] = {"fuzz", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level=lib.*:warning", "-m", "64", "--lcores", "0"};
	static char *arguments[sizeof(words) / sizeof(words[0]) + 1];
	const int count = sizeof(words) / sizeof(words[0]);
	cpu_set_t cpus;

	for (int i = 0; i < count; i++)
		arguments[i] = words[i];
	/* The EAL binds this thread to the CPU of its lcore: several fuzzers would share one. */
	CHECK(pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus) == 0);
	CHECK(rte_eal_init(count, arguments) >= 0);
	CHECK(pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) == 0);
}
