/*
 * app_kv.h - the key-value store: get, put, delete and compare-and-swap, readable from other cores,
 *            saved and restored.
 *
 * Owns:    the table, and the nodes of all keys: one slab, taken when the store is made.
 * Never:   allocates or blocks after kv_create; lets an answer depend on a reader, on time or on
 *          where a node stands: only on the commands so far.
 * Upholds: M1  replicas of one capacity and value_max that apply the same commands give the same
 *              answers: a put is refused as full if and only if `capacity` keys are present.
 *          M2  a reader gets a value, its version and its length as one command wrote them, and
 *              one that was current at some moment of its call.
 *          M3  a snapshot has each key once, as it stood at the cut, and a restored store answers
 *              as the one that was saved; no reader sees a part of it.
 * Proofs:  tests/unit/test_app_kv.c, and of M3 test_app_kv_snapshot.c, under TSan as well; of M2
 *          also test_app_kv_walk.c, which stops a read after each of its instructions.
 *
 * A key's version is the instance of the command that wrote it: above 0, and never used twice.
 */
#ifndef DATAPLANE_APP_KV_H
#define DATAPLANE_APP_KV_H

#include <stdint.h>

#include "consensus/kv_command.h"
#include "consensus/machine.h"

struct kv;

/* A store of up to `capacity` keys (1 to 2^28) with values of up to value_max bytes (up to
 * KV_VALUE_MAX, and what a reply of the cluster's MTU carries). Both are part of what replicas must
 * agree on. NULL: a sentence. Needs a running EAL. */
struct kv *kv_create(uint32_t capacity, uint32_t value_max, char *error, size_t size);

/* Bytes that it takes of the data plane's heap; the table's buckets come from elsewhere. */
uint64_t kv_bytes(uint32_t capacity, uint32_t value_max);

/* Bytes that its entries take of an image (snapshot.h), at most. */
uint64_t kv_image_bytes(uint32_t capacity, uint32_t value_max);

/* From control only: it waits until every thread registered with urcu-qsbr has passed a quiescent
 * state. No new reader may find the store any more, and nothing applies to it. */
void kv_destroy(struct kv *kv);

/* The store as a state machine; one thread applies and queries (gets only). A batch: up to
 * RUN_COUNT_MAX commands. */
struct machine app_kv(struct kv *kv);

enum kv_found {
	KV_PRESENT,
	KV_ABSENT,
	KV_BUSY, /* Overwritten under each attempt, or a state is being restored: ask again. */
};

/* A read from any thread that is registered with urcu-qsbr, online, and passes no quiescent state
 * during the call. It never delays the thread that applies. KV_PRESENT: the key's version, and
 * `length` bytes in `value`, which has room for value_max; else they may have changed all the same.
 * It sees what this replica has applied, which may be behind what the cluster has chosen. */
enum kv_found kv_read(const struct kv *kv, uint64_t key, uint64_t *version, uint8_t *value,
	uint32_t *length);

#endif
