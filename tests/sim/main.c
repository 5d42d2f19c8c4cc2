/*
 * paxwire-sim: whole replicas under faults, from seeds.
 *
 * A plan is one run: the same plan is the same run, to the last bit.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/sim/checks.h"
#include "tests/sim/graphs.h"
#include "tests/sim/jobs.h"
#include "tests/sim/minimise.h"
#include "tests/sim/record.h"
#include "tests/sim/scenes.h"
#include "tests/sim/world.h"

struct options {
	struct plan plan;
	uint64_t seeds;
	uint64_t jobs;
	uint64_t trace_events;
	uint64_t graphs;
	const char *record;
	bool trace;
	bool coverage;
	bool count;
	bool explain;
};

static struct world world;

static void usage(void)
{
	puts("usage: paxwire-sim --seeds N [--first S] [--jobs J] [--coverage]\n"
	     "                                                 --coverage: no cell may stay empty\n"
	     "       paxwire-sim --slow-leader --seeds N       no fault but that: the lead moves\n"
	     "       paxwire-sim --trace SEED [--events N]     print a seed's timeline\n"
	     "       paxwire-sim --graphs N                    connectivity: all graphs of 3 members,\n"
	     "                                                 N of 5, and the scenarios with names\n"
	     "       paxwire-sim --mutant NAME --seeds N       must be caught; --mutant ? lists\n"
	     "                                                 them;\n"
	     "                                                 [--explain]: as a failure is\n"
	     "       paxwire-sim --count --seeds N             print only when the first one fails\n"
	     "       paxwire-sim --record FILE --seeds N       record the runs for paxwire-check;\n"
	     "                                                 - is standard output\n"
	     "A smaller run of a seed: [--commits N] [--faults N] [--without KIND,KIND...]");
}

static const char *const mutant_names[] = {
	[MUTANT_NONE] = "none",
	[MUTANT_FORGETFUL] = "forgetful",
	[MUTANT_SWAP] = "swap",
	[MUTANT_ONE_VOTE] = "one-vote",
	[MUTANT_STALE_READ] = "stale-read",
	[MUTANT_NO_PROBE] = "no-probe",
	[MUTANT_OWN_REPORT] = "own-report",
	[MUTANT_REUSED_ROUND] = "reused-round",
	[MUTANT_NO_HANDOVER] = "no-handover",
	[MUTANT_DISK + DISK_MUTANT_UNGATED - 1] = "ungated",
	[MUTANT_DISK + DISK_MUTANT_REPEATED - 1] = "repeated-vote",
	[MUTANT_DISK + DISK_MUTANT_PREPARE - 1] = "early-prepare",
	[MUTANT_DISK + DISK_MUTANT_HOLE - 1] = "hole",
	[MUTANT_DISK + DISK_MUTANT_REWRITE - 1] = "rewrite",
	[MUTANT_DISK + DISK_MUTANT_LO - 1] = "lo-on-torn",
	[MUTANT_DISK + DISK_MUTANT_SIGHTED - 1] = "sighted",
	[MUTANT_DISK + DISK_MUTANT_NO_SECOND - 1] = "no-second",
};

enum {
	MUTANTS = sizeof(mutant_names) / sizeof(mutant_names[0])
};

static enum mutant mutant_named(const char *name)
{
	for (int i = MUTANT_FORGETFUL; i < MUTANTS; i++)
		if (strcmp(mutant_names[i], name) == 0)
			return (enum mutant)i;
	fprintf(stderr, "paxwire-sim: no mutant is named \"%s\"; there are", name);
	for (int i = MUTANT_FORGETFUL; i < MUTANTS; i++)
		fprintf(stderr, "%s %s", i == MUTANT_FORGETFUL ? "" : ",", mutant_names[i]);
	fputs(".\n", stderr);
	exit(1);
}

static uint32_t kinds_named(const char *names)
{
	uint32_t kinds = 0;

	while (*names != 0) {
		uint32_t length = (uint32_t)strcspn(names, ",");
		enum fault fault = fault_named(names, length);

		if (fault == FAULT_KINDS) {
			fprintf(stderr,
				"paxwire-sim: no kind of fault is named \"%.*s\"; there are",
				(int)length, names);
			for (uint32_t i = 0; i < FAULT_KINDS; i++)
				fprintf(stderr, "%s %s", i == 0 ? "" : ",", fault_name(i));
			fputs(".\n", stderr);
			exit(1);
		}
		kinds |= 1u << fault;
		names += length + (names[length] == ',' ? 1 : 0);
	}
	return kinds;
}

static uint64_t number(const char *option, const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != 0) {
		fprintf(stderr, "paxwire-sim: --%s takes a whole number, not \"%s\".\n", option,
			text);
		exit(1);
	}
	return value;
}

static const struct option longs[] = {
	{"seeds", required_argument, NULL, 's'},
	{"first", required_argument, NULL, 'f'},
	{"jobs", required_argument, NULL, 'j'},
	{"trace", required_argument, NULL, 't'},
	{"events", required_argument, NULL, 'e'},
	{"mutant", required_argument, NULL, 'm'},
	{"commits", required_argument, NULL, 'c'},
	{"faults", required_argument, NULL, 'n'},
	{"without", required_argument, NULL, 'w'},
	{"graphs", required_argument, NULL, 'g'},
	{"slow-leader", no_argument, NULL, 'l'},
	{"coverage", no_argument, NULL, 'v'},
	{"count", no_argument, NULL, 'C'},
	{"explain", no_argument, NULL, 'x'},
	{"record", required_argument, NULL, 'r'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void take_option(struct options *o, int c, const char *name)
{
	switch (c) {
	case 's':
		o->seeds = number(name, optarg);
		return;
	case 'f':
		o->plan.seed = number(name, optarg);
		return;
	case 'j':
		o->jobs = number(name, optarg);
		return;
	case 't':
		o->trace = true;
		o->plan.seed = number(name, optarg);
		o->seeds = 1;
		return;
	case 'e':
		o->trace_events = number(name, optarg);
		return;
	case 'm':
		o->plan.mutant = mutant_named(optarg);
		return;
	case 'c':
		o->plan.commits = number(name, optarg);
		return;
	case 'n':
		o->plan.faults = number(name, optarg);
		return;
	case 'w':
		o->plan.without = kinds_named(optarg);
		return;
	case 'g':
		o->graphs = number(name, optarg);
		return;
	case 'l':
		o->plan.slow_leader = true;
		o->plan.without = UINT32_MAX;
		o->plan.faults = 0;
		return;
	case 'v':
		o->coverage = true;
		return;
	case 'C':
		o->count = true;
		return;
	case 'x':
		o->explain = true;
		return;
	case 'r':
		o->record = optarg;
		return;
	case 'h':
		usage();
		exit(0);
	default:
		usage();
		exit(1);
	}
}

static struct options parse(int argc, char **argv)
{
	struct options o = {
		.plan = {.seed = 1, .commits = WORLD_COMMITS, .faults = UINT64_MAX},
		.jobs = 1,
		.trace_events = 200,
	};
	int at = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, &at)) != -1)
		take_option(&o, c, longs[at].name);
	if ((o.seeds == 0) == (o.graphs == 0) || o.jobs == 0 || o.jobs > JOBS_MAX ||
		o.plan.commits == 0 || optind != argc) {
		usage();
		exit(1);
	}
	return o;
}

static void print_again(const struct plan *plan)
{
	printf("paxwire-sim%s --trace %" PRIu64, plan->slow_leader ? " --slow-leader" : "",
		plan->seed);
	if (plan->commits != WORLD_COMMITS)
		printf(" --commits %" PRIu64, plan->commits);
	if (plan->faults != UINT64_MAX && !plan->slow_leader)
		printf(" --faults %" PRIu64, plan->faults);
	for (uint32_t i = 0, told = 0; i < FAULT_KINDS; i++)
		if ((plan->without >> i & 1) != 0 && !plan->slow_leader)
			printf("%s%s", told++ == 0 ? " --without " : ",", fault_name(i));
	if (plan->mutant != MUTANT_NONE)
		printf(" --mutant %s", mutant_names[plan->mutant]);
	putchar('\n');
}

/* Runs one plan here, and prints what happened. */
static int trace_one(const struct options *o)
{
	struct world_result r = world_run(&world, &o->plan);

	trace_print(&world.trace, o->trace_events);
	checks_print(&world);
	printf("seed %" PRIu64 ": %s (after %" PRIu64 " commits, %" PRIu64 " faults, %.1f ms)\n",
		o->plan.seed, r.passed ? "passed" : world.oracle.violation, r.commits, r.faults,
		(double)r.virtual_ns / 1e6);
	return r.passed ? 0 : 1;
}

/* The timeline of a run that may abort is printed by who runs it again. */
static void explain(const struct options *o, const struct totals *t)
{
	struct plan failed = o->plan;

	failed.seed = t->failed_seed;
	printf("seed %" PRIu64 ": %s\nagain: ", t->failed_seed, t->violation);
	print_again(&failed);
	struct plan least = minimise(&world, &failed);

	printf("smallest that fails: ");
	print_again(&least);
	if (strncmp(t->violation, "abort", 5) == 0)
		return;
	world_run(&world, &least);
	trace_print(&world.trace, o->trace_events);
	checks_print(&world);
	printf("%s\n", world.oracle.violation);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the jobs, in which all runs are. */
static double core_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* With --coverage, an empty cell fails. */
static uint32_t report(const struct options *o, const struct totals *t, double seconds)
{
	uint64_t runs = t->passed + t->failed;
	uint32_t empty;

	printf("%" PRIu64 " seeds in %.1f s, %.0f a second of a core; a seed has %" PRIu64
	       " commits, %" PRIu64 " reads, %" PRIu64 " faults; %" PRIu64
	       " crashes were recovered from; at most %.0f ms from the last fault "
	       "to the end\n",
		runs, seconds, (double)runs / core_seconds(), t->commits / runs, t->reads / runs,
		t->faults / runs, t->crashes, (double)t->calm_max_ns / 1e6);
	empty = coverage_print(&t->coverage);
	if (!o->coverage || empty == 0)
		return 0;
	printf("coverage: %u cells are empty without a reason\n", empty);
	return 1;
}

/* The number of seeds until one fails, 0 if none does. */
static int count_seeds(const struct options *o)
{
	struct totals t = jobs_run(&world, &o->plan, o->seeds, (uint32_t)o->jobs);

	printf("%" PRIu64 " %s\n", t.failed > 0 ? t.failed_seed - o->plan.seed + 1 : 0,
		t.violation);
	return 0;
}

/* One after the other, here. Standard output may be the record's. */
static int record_seeds(const struct options *o)
{
	static struct record_file file;
	struct plan plan = o->plan;
	uint64_t failed = 0;

	if (!record_open(&file, o->record)) {
		fprintf(stderr, "paxwire-sim: --record: %s can not be written: %s.\n", o->record,
			strerror(errno));
		return 1;
	}
	world.record = &file;
	for (uint64_t i = 0; i < o->seeds; i++, plan.seed++)
		failed += world_run(&world, &plan).passed ? 0 : 1;
	if (!record_close(&file)) {
		fprintf(stderr, "paxwire-sim: --record: not all of %s could be written: %s.\n",
			o->record, strerror(errno));
		return 1;
	}
	fprintf(stderr, "%" PRIu64 " seeds, %" PRIu64 " failed, %" PRIu64 " steps recorded\n",
		o->seeds, failed, file.steps);
	return failed == 0 ? 0 : 1;
}

static int connectivity(const struct options *o)
{
	struct tally graphs = graphs_run(&world, o->graphs);
	struct tally scenes = scenes_run(&world);

	printf("%" PRIu64 " graphs and %" PRIu64 " runs of scenarios as they should be\n",
		graphs.passed, scenes.passed);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", graphs.passed + scenes.passed,
		graphs.failed + scenes.failed);
	return graphs.failed + scenes.failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);

	if (o.graphs != 0)
		return connectivity(&o);
	if (o.trace)
		return trace_one(&o);
	if (o.record != NULL)
		return record_seeds(&o);
	if (o.count)
		return count_seeds(&o);
	double begin = seconds_now();
	struct totals t = jobs_run(&world, &o.plan, o.seeds, (uint32_t)o.jobs);

	if (o.plan.mutant != MUTANT_NONE && !o.explain) {
		printf("mutant %s: %s\n", mutant_names[o.plan.mutant],
			t.failed > 0 ? t.violation : "not caught");
		return t.failed > 0 ? 0 : 1;
	}
	if (t.failed > 0)
		explain(&o, &t);
	t.failed += report(&o, &t, seconds_now() - begin);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", t.passed, t.failed);
	return t.failed == 0 ? 0 : 1;
}
