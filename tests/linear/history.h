/*
 * history.h - operations of a history file, as tools/client/history.h describes it, read again.
 *
 * Owns:    nothing: the caller's array of operations.
 * Never:   trusts a line: the first that is not right is refused by its number.
 *
 * It shares no code with what writes the file: another checker would not either.
 */
#ifndef TESTS_LINEAR_HISTORY_H
#define TESTS_LINEAR_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum operation_kind {
	OPERATION_GET,
	OPERATION_PUT,
	OPERATION_DELETE,
	OPERATION_CAS,
};

enum operation_outcome {
	OUTCOME_OK,
	OUTCOME_ABSENT,
	OUTCOME_MISMATCH,
	OUTCOME_FULL,
	OUTCOME_FAIL, /* Not run. */
	OUTCOME_INFO, /* Run once at most, at any time after its call. */
};

struct operation {
	uint64_t key;
	uint64_t expected;
	uint64_t argument;
	uint64_t version;
	uint64_t value;
	uint64_t call_ns, return_ns;
	uint32_t process;
	enum operation_kind kind;
	enum operation_outcome outcome;
};

struct operations {
	struct operation *all;
	size_t count;
	size_t room;
};

/* Adds what stands in a file. False: `error` is one sentence. */
bool history_read(struct operations *o, FILE *in, const char *name, char *error, size_t size);

/* The operation as people read it. */
void history_show(const struct operation *op, FILE *out);

#endif
