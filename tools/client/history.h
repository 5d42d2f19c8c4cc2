/*
 * history.h - what a client asked and heard, operation by operation, as a file that a checker judges.
 *
 * Owns:    the records of one client, in memory that grows.
 * Upholds: each operation that was submitted has one record, and what stands in it was seen by the
 *          client itself: times by one clock of the host, around the whole call.
 *
 * The file: text, one operation a line, fields separated by one space, in this order. Lines that
 * begin with # are comments. `-` is a field that the operation does not have.
 *
 *   process  whole number; the operations of one process follow one another
 *   op       get, put, del, cas
 *   key      whole number
 *   expected cas: the version that it expects, 0: absent
 *   argument put, cas: the number of the value that it writes, each once in a history, not 0
 *   outcome  ok, absent (get, del: no such key; cas never says it), mismatch (cas), full (put, cas);
 *            fail: certainly not run; info: it may have run once between its call and the end of time
 *   version  put, cas, get that are ok: the key's version; cas with mismatch: the version there is,
 *            0: absent
 *   value    get that is ok: the number of the value
 *   call_ns  when it was submitted, return_ns: when its outcome was known; CLOCK_MONOTONIC
 */
#ifndef TOOLS_CLIENT_HISTORY_H
#define TOOLS_CLIENT_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "consensus/kv_command.h"

enum history_outcome {
	HISTORY_OK,
	HISTORY_ABSENT,
	HISTORY_MISMATCH,
	HISTORY_FULL,
	HISTORY_FAIL,
	HISTORY_INFO,
};

struct history_record {
	uint64_t key;
	uint64_t expected;
	uint64_t argument;
	uint64_t version;
	uint64_t value;
	uint64_t call_ns, return_ns;
	uint32_t process;
	enum kv_operation operation;
	enum history_outcome outcome;
};

struct history {
	struct history_record *records;
	uint64_t count;
	uint64_t room;
	bool lost; /* A record found no memory. */
};

void history_add(struct history *h, const struct history_record *r);
void history_free(struct history *h);

/* The line that says what the columns are. */
void history_write_head(FILE *out);
void history_write(const struct history *h, FILE *out);

#endif
