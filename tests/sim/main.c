/*
 * paxwire-sim: whole replicas under faults, from seeds.
 *
 * A seed is one run: the same seed is the same run, to the last bit. Jobs are processes that share
 * the seeds out; each reports its counts through a pipe.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/world.h"

struct options {
	uint64_t seeds;
	uint64_t first;
	uint32_t jobs;
	uint64_t trace_events;
	bool trace;
	bool expect_caught;
	bool slow_leader;
	enum mutant mutant;
};

struct totals {
	uint64_t passed;
	uint64_t failed;
	uint64_t failed_seed;
	uint64_t commits;
	uint64_t reads;
	uint64_t faults;
	uint64_t crashes;
};

static struct world world;

static void usage(void)
{
	puts("usage: paxwire-sim --seeds N [--first S] [--jobs J]\n"
	     "       paxwire-sim --slow-leader --seeds N        no fault but that: the lead moves\n"
	     "       paxwire-sim --trace SEED [--events N]      print a seed's timeline\n"
	     "       paxwire-sim --mutant NAME --seeds N        must be caught; --mutant ?\n"
	     "                                                  lists them");
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

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seeds", required_argument, NULL, 's'},
		{"first", required_argument, NULL, 'f'},
		{"jobs", required_argument, NULL, 'j'},
		{"trace", required_argument, NULL, 't'},
		{"events", required_argument, NULL, 'e'},
		{"mutant", required_argument, NULL, 'm'},
		{"slow-leader", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.jobs = 1, .first = 1, .trace_events = 200};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o.seeds = number("seeds", optarg);
			break;
		case 'f':
			o.first = number("first", optarg);
			break;
		case 'j':
			o.jobs = (uint32_t)number("jobs", optarg);
			break;
		case 't':
			o.trace = true;
			o.first = number("trace", optarg);
			o.seeds = 1;
			break;
		case 'e':
			o.trace_events = number("events", optarg);
			break;
		case 'm':
			o.mutant = mutant_named(optarg);
			o.expect_caught = true;
			break;
		case 'l':
			o.slow_leader = true;
			break;
		case 'h':
			usage();
			exit(0);
		default:
			usage();
			exit(1);
		}
	}
	if (o.seeds == 0 || o.jobs == 0 || o.jobs > 256 || optind != argc) {
		usage();
		exit(1);
	}
	return o;
}

static void explain(const struct options *o, uint64_t seed, const struct world_result *r)
{
	trace_print(&world.trace, o->trace_events);
	printf("seed %" PRIu64 ": %s (after %" PRIu64 " commits, %" PRIu64 " faults, %.1f ms)\n",
		seed, r->passed ? "passed" : world.oracle.violation, r->commits, r->faults,
		(double)r->virtual_ns / 1e6);
	if (!r->passed)
		printf("again: paxwire-sim%s --trace %" PRIu64 "%s%s\n",
			o->slow_leader ? " --slow-leader" : "", seed,
			o->mutant == MUTANT_NONE ? "" : " --mutant ",
			o->mutant == MUTANT_NONE ? "" : mutant_names[o->mutant]);
}

/* Seeds first + job, first + job + jobs, ...; stops at its first failure. */
static struct totals run_job(const struct options *o, uint32_t job)
{
	struct totals t = {0};

	world.slow_leader = o->slow_leader;
	for (uint64_t i = job; i < o->seeds; i += o->jobs) {
		uint64_t seed = o->first + i;
		struct world_result r = world_run(&world, seed, o->mutant);

		t.commits += r.commits;
		t.reads += r.reads;
		t.faults += r.faults;
		t.crashes += r.crashes;
		if (r.passed) {
			t.passed++;
		} else {
			t.failed++;
			t.failed_seed = seed;
		}
		if (o->trace || (!r.passed && !o->expect_caught))
			explain(o, seed, &r);
		if (!r.passed)
			break;
	}
	return t;
}

static struct totals run_all(const struct options *o)
{
	struct totals all = {0};
	int pipes[2];

	if (pipe(pipes) != 0) {
		perror("paxwire-sim: pipe");
		exit(1);
	}
	for (uint32_t job = 0; job < o->jobs; job++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("paxwire-sim: fork");
			exit(1);
		}
		if (pid == 0) {
			struct totals t = run_job(o, job);

			fflush(stdout);
			_exit(write(pipes[1], &t, sizeof(t)) == sizeof(t) ? 0 : 1);
		}
	}
	close(pipes[1]);
	struct totals t;

	for (uint32_t heard = 0; heard < o->jobs; heard++) {
		if (read(pipes[0], &t, sizeof(t)) != sizeof(t)) {
			all.failed++; /* A job died: a CHECK, or a signal. Its own words say why. */
			break;
		}
		all.passed += t.passed;
		all.failed += t.failed;
		all.commits += t.commits;
		all.reads += t.reads;
		all.faults += t.faults;
		all.crashes += t.crashes;
		if (t.failed > 0)
			all.failed_seed = t.failed_seed;
	}
	while (wait(NULL) > 0)
		;
	return all;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	struct totals t = o.jobs == 1 ? run_job(&o, 0) : run_all(&o);

	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds =
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	uint64_t runs = t.passed + t.failed;

	if (o.expect_caught) {
		if (t.failed > 0)
			printf("mutant %s: seed %" PRIu64 ": %s\n", mutant_names[o.mutant],
				t.failed_seed, world.oracle.violation);
		else
			printf("mutant %s: not caught\n", mutant_names[o.mutant]);
		return t.failed > 0 ? 0 : 1;
	}
	if (runs > 0 && !o.trace)
		printf("%" PRIu64 " seeds in %.1f s (%.0f a second), %" PRIu64 " commits, %" PRIu64
		       " reads and %" PRIu64 " faults a seed, %" PRIu64 " crashes recovered\n",
			runs, seconds, (double)runs / seconds, t.commits / runs, t.reads / runs,
			t.faults / runs, t.crashes);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", t.passed, t.failed);
	return t.failed == 0 ? 0 : 1;
}
