/*
 * paxwire-micro: what each part of the way of a command costs by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>

#include "bench/micro/cases.h"
#include "dataplane/eal.h"

enum {
	HEAP_MIB = 768, /* A whole cluster, and the cases' own. */
	ERROR_MAX = 512,
};

static const struct harness_case *const cases[] = {
	&case_encode,
	&case_decode,
	&case_frame_write,
	&case_frame_validate,
	&case_tally,
	&case_acceptor,
	&case_learner,
	&case_handoff,
	&case_handoff_cross,
	&case_commit,
};

int main(int argc, char **argv)
{
	char error[ERROR_MAX];

	if (!harness_init(&argc, argv))
		return EXIT_FAILURE;
	struct eal_request request = {.program = "paxwire-micro", .heap_mebibytes = HEAP_MIB};

	eal_want_lcore(&request, 1); /* The other end of the cross-core case. */
	if (!eal_start(&request, error, sizeof(error))) {
		fprintf(stderr, "paxwire-micro: %s\n", error);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		harness_add(cases[i]);
	bool ok = harness_run();

	rte_eal_cleanup();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
