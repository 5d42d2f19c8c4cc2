#include "dataplane/eal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/heap.h"

enum {
	ARGUMENTS_MAX = 64,
	PLACEMENT_MAX = 2048,
	LCORES_MAX = 128,
	EAL_MIB = 64,
	PAGE_KIB = 2048,
};

struct arguments {
	int count;
	char *at[ARGUMENTS_MAX];
};

static void add(struct arguments *a, const char *argument)
{
	if (a->count < ARGUMENTS_MAX - 1)
		a->at[a->count++] = (char *)(uintptr_t)argument;
}

/* A device that is none of DPDK's own making stands on a bus. */
static bool needs_pci(const struct eal_request *r)
{
	for (uint32_t i = 0; i < r->devices_count; i++)
		if (strncmp(r->devices[i], "net_", 4) != 0)
			return true;
	return false;
}

static bool wanted(const struct eal_request *r, uint32_t lcore)
{
	return (r->lcores[lcore / 64] >> (lcore % 64) & 1) != 0;
}

static uint32_t lcores_count(const struct eal_request *r)
{
	return (uint32_t)(__builtin_popcountll(r->lcores[0]) + __builtin_popcountll(r->lcores[1]));
}

bool eal_crowded(const struct eal_request *request)
{
	return lcores_count(request) > (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Whoever names lcores or memory himself is not overruled. */
static bool user_gave(const struct eal_request *r, const char *argument)
{
	for (int i = 0; i < r->more_count; i++)
		if (strncmp(r->more[i], argument, strlen(argument)) == 0)
			return true;
	return false;
}

static void place_lcores(const struct eal_request *r, char *text, size_t size)
{
	uint32_t cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	bool fits = lcores_count(r) < cpus;
	int used = snprintf(text, size, "0@0-%u", cpus - 1);

	for (uint32_t i = 1, nth = 0; i < LCORES_MAX; i++) {
		if (!wanted(r, i))
			continue;
		/* With as many lcores as CPUs, control's CPU is needed too. */
		uint32_t cpu = !fits ? nth % cpus : i < cpus ? i : (nth + 1) % cpus;

		used += snprintf(text + used, size - (size_t)used, ",%u@%u", i, cpu);
		nth++;
	}
}

/* Free huge pages of the default size. */
static uint32_t free_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	uint32_t pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%u", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages;
}

bool eal_start(const struct eal_request *r, char *error, size_t size)
{
	char placement[PLACEMENT_MAX];
	char memory[16];
	struct arguments a = {0};
	bool pci = needs_pci(r);
	bool huge =
		geteuid() == 0 && free_pages() >= (r->heap_mebibytes + EAL_MIB) * 1024u / PAGE_KIB;

	if (pci && !huge && !user_gave(r, "--no-huge")) {
		snprintf(error, size,
			"a NIC needs %u MiB of huge pages and root: run `echo %u > "
			"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`.",
			r->heap_mebibytes + EAL_MIB,
			(r->heap_mebibytes + EAL_MIB) * 1024u / PAGE_KIB);
		return false;
	}
	add(&a, r->program);
	add(&a, "--log-level=lib.*:warning");
	if (!pci)
		add(&a, "--no-pci");
	for (uint32_t i = 0; pci && i < r->devices_count; i++) {
		add(&a, "-a"); /* No other card is touched. */
		add(&a, r->devices[i]);
	}
	/* Memory that no file name leads to: nothing is left, however the process ends. */
	add(&a, huge ? "--in-memory" : "--no-huge");
	add(&a, "--no-shconf");
	if (r->prefix == NULL) {
		add(&a, "--no-telemetry");
	} else {
		add(&a, "--file-prefix");
		add(&a, r->prefix);
	}
	if (!user_gave(r, "-m") && !user_gave(r, "--socket-mem")) {
		snprintf(memory, sizeof(memory), "%u",
			huge ? r->heap_mebibytes + EAL_MIB : EAL_MIB);
		add(&a, "-m");
		add(&a, memory);
	}
	if (!user_gave(r, "--lcores") && !user_gave(r, "-l") && !user_gave(r, "-c")) {
		place_lcores(r, placement, sizeof(placement));
		add(&a, "--lcores");
		add(&a, placement);
	}
	for (int i = 0; i < r->more_count; i++)
		add(&a, r->more[i]);
	if (rte_eal_init(a.count, a.at) < 0) {
		snprintf(error, size, "DPDK does not start with these EAL arguments: %s.",
			rte_strerror(rte_errno));
		return false;
	}
	return huge || heap_create(r->heap_mebibytes, error, size);
}
