/*
 * eal.h - DPDK under a fuzzer: plain memory, no devices, nothing shared.
 */
#ifndef TESTS_FUZZ_EAL_H
#define TESTS_FUZZ_EAL_H

/* Stops the process if DPDK does not start: a target without it would find nothing. */
void eal_start_plain(void);

#endif
