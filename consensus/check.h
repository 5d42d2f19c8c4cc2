/*
 * check.h - what stops the process when an invariant of ours is broken.
 *
 * Never:   sees bad input: a wire byte is counted and dropped, not checked.
 */
#ifndef CONSENSUS_CHECK_H
#define CONSENSUS_CHECK_H

#define CHECK(condition)                                              \
	do {                                                          \
		if (__builtin_expect(!(condition), 0))                \
			check_failed(#condition, __FILE__, __LINE__); \
	} while (0)

/* Prints one line to standard error and aborts. On in release builds. Where a file is proved, no
 * CHECK in it can fail. */
/*@ requires unreachable: \false;
    assigns \nothing;
    ensures \false; */
__attribute__((cold, noreturn)) void check_failed(const char *condition, const char *file,
	int line);

#endif
