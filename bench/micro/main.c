/*
 * paxwire-micro: what each part of the way of a command costs by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>

#include "bench/micro/cases.h"
#include "dataplane/embedded.h"

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
	char error[CONFIG_ERROR_MAX];

	if (!harness_init(&argc, argv))
		return EXIT_FAILURE;
	/* lcore 1 is the other end of the cross-core case. */
	if (!embedded_eal("paxwire-micro", 1, 0, NULL, error, sizeof(error))) {
		fprintf(stderr, "paxwire-micro: %s\n", error);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		harness_add(cases[i]);
	bool ok = harness_run();

	rte_eal_cleanup();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
