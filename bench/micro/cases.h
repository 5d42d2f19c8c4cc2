/*
 * cases.h - every micro-benchmark, each in the file of its noun.
 */
#ifndef BENCH_MICRO_CASES_H
#define BENCH_MICRO_CASES_H

#include "bench/micro/harness.h"

/* codec.c */
extern const struct harness_case case_encode;
extern const struct harness_case case_decode;
extern const struct harness_case case_frame_write;
extern const struct harness_case case_frame_validate;
/* tally.c, acceptor.c, learner.c */
extern const struct harness_case case_tally;
extern const struct harness_case case_acceptor;
extern const struct harness_case case_learner;
/* handoff.c */
extern const struct harness_case case_handoff;
extern const struct harness_case case_handoff_cross;
/* commit.c */
extern const struct harness_case case_commit;

#endif
