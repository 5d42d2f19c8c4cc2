#include "tests/sim/minimise.h"

#include "tests/sim/jobs.h"

enum {
	HALVINGS_MAX = 10
};

static bool fails(struct world *w, const struct plan *plan)
{
	return jobs_run(w, plan, 1, 1).failed > 0;
}

/* Takes the change if the plan still fails with it. */
static bool keep_if_fails(struct world *w, struct plan *plan, const struct plan *changed)
{
	if (!fails(w, changed))
		return false;
	*plan = *changed;
	return true;
}

static void leave_out_kinds(struct world *w, struct plan *plan)
{
	for (uint32_t kind = 0; kind < FAULT_KINDS; kind++) {
		struct plan less = *plan;

		less.without |= 1u << kind;
		if (less.without != plan->without)
			keep_if_fails(w, plan, &less);
	}
}

/* Lowers the number by smaller and smaller steps, as long as the plan fails. */
static void lower(struct world *w, struct plan *plan, uint64_t *number)
{
	/* No limit: the run failed without the count of its faults being known. */
	if (*number == UINT64_MAX)
		return;
	uint64_t step = *number / 2;

	for (uint32_t i = 0; i < HALVINGS_MAX && step > 0; i++) {
		uint64_t before = *number;

		*number = before - step;
		if (!fails(w, plan))
			*number = before;
		if (step > *number / 2)
			step = *number / 2;
		else if (*number == before)
			step /= 2;
	}
}

struct plan minimise(struct world *w, const struct plan *plan)
{
	struct plan least = *plan;
	struct plan counted = *plan;
	struct plan calm = *plan;

	calm.faults = 0;
	if (keep_if_fails(w, &least, &calm)) {
		lower(w, &least, &least.commits);
		return least;
	}
	/* From what the failing run had, not from no limit. */
	counted.faults = jobs_run(w, plan, 1, 1).failed_faults;
	keep_if_fails(w, &least, &counted);
	leave_out_kinds(w, &least);
	lower(w, &least, &least.commits);
	lower(w, &least, &least.faults);
	/* What many commands needed, few may not. */
	leave_out_kinds(w, &least);
	return least;
}
