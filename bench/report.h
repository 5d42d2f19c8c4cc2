/*
 * report.h - what a run says: for people, and for machines.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "bench/run.h"

void report_print(const struct report *r);

/* False: errno says why the file could not be written. */
bool report_json(const struct report *r, const char *path);

#endif
