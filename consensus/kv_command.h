/*
 * kv_command.h - the commands of the key-value machine as they stand in an entry's value.
 *
 * Owns:    the wire layout of a command; dataplane/app_kv.h says what the machine does with it.
 * Proofs:  tests/unit/test_app_kv.c.
 */
#ifndef CONSENSUS_KV_COMMAND_H
#define CONSENSUS_KV_COMMAND_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KV_VALUE_MAX = 4088, /* Bytes: whole words, and a reply's length has 12 bits. */
};

/* Of each, what it answers; result is 0 where none is named. Any of them: REPLY_BAD_COMMAND when
 * it is too short, its operation is unknown, or its value is longer than value_max. */
enum kv_operation {
	KV_GET = 1, /* OK: result: the version, and the value; NOT_FOUND. */
	KV_PUT,     /* OK: result: the new version; FULL. */
	KV_DELETE,  /* OK; NOT_FOUND. */
	KV_CAS,     /* As put where the version is the expected one; else MISMATCH: result: the
	               version (0: absent). */
};

/* A command as it stands in an entry's value, little-endian. The value of a put follows it; what
 * follows a get or a delete is ignored. */
struct kv_command {
	uint8_t operation;
	uint8_t reserved[7]; /* Ignored. */
	uint64_t key;
} __attribute__((packed));

static_assert(offsetof(struct kv_command, key) == 8, "wire");
static_assert(sizeof(struct kv_command) == 16, "wire");

/* A compare-and-swap; its value follows. */
struct kv_command_cas {
	struct kv_command command;
	uint64_t expected; /* Version; 0: the key must be absent. */
} __attribute__((packed));

static_assert(offsetof(struct kv_command_cas, expected) == 16, "wire");
static_assert(sizeof(struct kv_command_cas) == 24, "wire");

#endif
