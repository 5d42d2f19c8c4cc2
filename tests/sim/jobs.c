#include "tests/sim/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* One job's page of the shared memory. */
struct job {
	uint64_t seed; /* The one in hand. */
	bool done;
	struct totals totals;
};

static void add_run(struct totals *t, const struct world *w, const struct world_result *r)
{
	t->commits += r->commits;
	t->reads += r->reads;
	t->faults += r->faults;
	t->crashes += r->crashes;
	t->calm_max_ns = r->calm_ns > t->calm_max_ns ? r->calm_ns : t->calm_max_ns;
	if (r->passed) {
		t->passed++;
		return;
	}
	t->failed++;
	t->failed_seed = w->plan.seed;
	t->failed_faults = w->faults;
	memcpy(t->violation, w->oracle.violation, sizeof(t->violation));
}

/* Seeds number, number + jobs, ... of the plan's. */
static void run_job(struct job *job, struct world *w, const struct plan *plan, uint64_t seeds,
	uint32_t number, uint32_t jobs)
{
	struct plan one = *plan;

	memset(&w->coverage, 0, sizeof(w->coverage));
	for (uint64_t i = number; i < seeds && job->totals.failed == 0; i += jobs) {
		one.seed = job->seed = plan->seed + i;
		struct world_result r = world_run(w, &one);

		add_run(&job->totals, w, &r);
	}
	job->totals.coverage = w->coverage;
	job->done = true;
}

static void add_totals(struct totals *all, const struct totals *t)
{
	all->passed += t->passed;
	all->commits += t->commits;
	all->reads += t->reads;
	all->faults += t->faults;
	all->crashes += t->crashes;
	all->calm_max_ns = t->calm_max_ns > all->calm_max_ns ? t->calm_max_ns : all->calm_max_ns;
	coverage_add(&all->coverage, &t->coverage);
	if (t->failed > 0 && (all->failed == 0 || t->failed_seed < all->failed_seed)) {
		all->failed_seed = t->failed_seed;
		all->failed_faults = t->failed_faults;
		memcpy(all->violation, t->violation, sizeof(all->violation));
	}
	all->failed += t->failed;
}

/* A job that is not done has aborted at the seed that it had in hand. */
static void add_job(struct totals *all, struct job *job)
{
	if (!job->done) {
		job->totals.failed = 1;
		job->totals.failed_seed = job->seed;
		snprintf(job->totals.violation, sizeof(job->totals.violation),
			"abort: a CHECK, or a signal, ended the process; its own words stand above");
	}
	add_totals(all, &job->totals);
}

static void *share(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("paxwire-sim: memory for its jobs");
		exit(1);
	}
	return memory;
}

struct totals jobs_run(struct world *w, const struct plan *plan, uint64_t seeds, uint32_t jobs)
{
	struct totals all = {0};
	struct job *shared = share(jobs * sizeof(*shared));

	fflush(stdout);
	for (uint32_t i = 0; i < jobs; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("paxwire-sim: fork");
			exit(1);
		}
		if (pid == 0) {
			run_job(&shared[i], w, plan, seeds, i, jobs);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (uint32_t i = 0; i < jobs; i++)
		add_job(&all, &shared[i]);
	munmap(shared, jobs * sizeof(*shared));
	return all;
}
