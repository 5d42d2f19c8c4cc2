/*
 * How a node is used again at once, although readers may stand on it.
 *
 * rculfhash wants a grace period between a node's removal and its next use. Waiting for one would
 * block, and answering "full" until it is over would let a reader decide an answer (M1). The grace
 * period protects two things, which are kept otherwise here:
 * - The memory. Nodes and buckets live as long as the store, and the table is never resized: any
 *   pointer that a walk follows, old or new, leads to a node, a bucket or the end.
 * - The walk. A reader on a node that is removed and linked elsewhere goes on in another chain, and
 *   may miss its key. Such a removal was in the chain that it began in, and counts in the stripe
 *   of that chain before the node changes: "absent" stands only if the stripe's count has not
 *   moved. What it finds, it checks by key and version (kv_node).
 * This needs that look-ups do not write and that a removal has unlinked the node when it returns,
 * which holds with one thread that changes the table. (The kernel calls it SLAB_TYPESAFE_BY_RCU.)
 */
#include "dataplane/app_kv.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "consensus/check.h"
#include "dataplane/heap.h"

enum {
	STRIPES = 64, /* At most the buckets, so that a chain is in one. */
	READ_ATTEMPTS = 64,
	AHEAD = 8,          /* Commands ahead of the one applied, whose nodes are on their way. */
	SAVES_A_STEP = 32,  /* Nodes that one step of a snapshot looks at, */
	CLEARS_A_STEP = 64, /* and one of emptying the store. */
	WORD = sizeof(uint64_t),
};

#define VERSION_TOP 0x100000000000000ull /* A result's 56 bits. */

/* A key and its value. The version doubles as a sequence lock: 0 while the rest changes, and never
 * the same twice. Readers load every word with __atomic. */
struct kv_node {
	struct cds_lfht_node link;
	uint64_t version;
	uint64_t key;
	uint32_t length;
	uint32_t
		generation; /* Of the last snapshot that has it, or that it is too new for; 0: it has
				no key. The applying thread's own. */
	uint64_t words[];
};
static_assert(offsetof(struct kv_node, words) == 40, "with a value of 24 bytes, one cache line");

/* A key in a snapshot; the value follows, which ends with the record. */
struct kv_entry {
	uint64_t key;
	uint64_t version;
};
static_assert(sizeof(struct kv_entry) + KV_VALUE_MAX <= SNAPSHOT_ENTRY_MAX, "it fits a record");

/* A command, decoded. */
struct operation {
	enum kv_operation kind;
	bool valid;
	uint32_t length;
	uint64_t key;
	uint64_t hash;
	uint64_t expected; /* KV_CAS */
	uint64_t version;  /* Of what it writes. */
	const uint8_t *value;
};

struct kv {
	struct cds_lfht *table;
	uint8_t *nodes; /* capacity of node_bytes. */
	size_t node_bytes;
	uint64_t bucket_mask;
	uint32_t capacity;
	uint32_t value_max;
	uint32_t answer_bytes;

	/* The applying thread's own. */
	struct operation operations[RUN_COUNT_MAX];
	uint8_t *answers; /* RUN_COUNT_MAX of answer_bytes: a later put may overwrite the node. */
	uint32_t *free;   /* Indices of nodes without a key, free_count of them. */
	uint32_t free_count;
	uint32_t generation; /* Of the last snapshot begun; from 1. */
	uint32_t cursor;     /* Nodes below it are saved, or emptied. */
	struct snapshot *to; /* Where nodes of an older generation are to be saved. */

	/* Odd while a state is restored. Readers look at it. */
	uint64_t restores __attribute__((aligned(RTE_CACHE_LINE_SIZE)));

	/* By hash: keys removed so far. */
	uint64_t removals[STRIPES] __attribute__((aligned(RTE_CACHE_LINE_SIZE)));
};

/* ---- Nodes ---- */

static struct kv_node *node_at(const struct kv *kv, uint32_t index)
{
	return (struct kv_node *)(void *)(kv->nodes + index * kv->node_bytes);
}

static uint32_t node_index(const struct kv *kv, const struct kv_node *node)
{
	return (uint32_t)((size_t)((const uint8_t *)node - kv->nodes) / kv->node_bytes);
}

/* Readers may be reading it. The fence pairs with the one in node_read and, for a node used again,
 * with the one in kv_read. */
static void node_write(struct kv_node *node, const struct operation *op, uint32_t generation)
{
	__atomic_store_n(&node->version, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&node->key, op->key, __ATOMIC_RELAXED);
	__atomic_store_n(&node->length, op->length, __ATOMIC_RELAXED);
	node->generation = generation;
	for (uint32_t at = 0; at < op->length; at += WORD) {
		uint64_t word = 0;

		memcpy(&word, op->value + at, RTE_MIN(op->length - at, (uint32_t)WORD));
		__atomic_store_n(&node->words[at / WORD], word, __ATOMIC_RELAXED);
	}
	/* Pairs with the acquire load in node_read. */
	__atomic_store_n(&node->version, op->version, __ATOMIC_RELEASE);
}

/* False: it changed meanwhile, or is another key's by now. */
static bool node_read(const struct kv_node *node, uint64_t key, uint64_t *version, uint8_t *value,
	uint32_t *length)
{
	*version = __atomic_load_n(&node->version, __ATOMIC_ACQUIRE);
	if (*version == 0 || __atomic_load_n(&node->key, __ATOMIC_RELAXED) != key)
		return false;
	/* Whichever command wrote the length, it was within value_max. */
	*length = __atomic_load_n(&node->length, __ATOMIC_RELAXED);
	for (uint32_t at = 0; at < *length; at += WORD) {
		uint64_t word = __atomic_load_n(&node->words[at / WORD], __ATOMIC_RELAXED);

		memcpy(value + at, &word, RTE_MIN(*length - at, (uint32_t)WORD));
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&node->version, __ATOMIC_RELAXED) == *version;
}

/* ---- Table ---- */

/* MurmurHash3's finalizer: one-to-one, so that only equal keys share a hash. */
static uint64_t hash_of(uint64_t key)
{
	key = (key ^ key >> 33) * 0xff51afd7ed558ccdull;
	key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53ull;
	return key ^ key >> 33;
}

static int match(struct cds_lfht_node *link, const void *key)
{
	const struct kv_node *node = caa_container_of(link, struct kv_node, link);

	return __atomic_load_n(&node->key, __ATOMIC_RELAXED) == *(const uint64_t *)key;
}

static struct kv_node *find(const struct kv *kv, uint64_t key, uint64_t hash)
{
	struct cds_lfht_iter at;

	cds_lfht_lookup(kv->table, hash, match, &key, &at);
	return at.node == NULL ? NULL : caa_container_of(at.node, struct kv_node, link);
}

static const struct cds_lfht_node *bucket_of(const struct kv *kv, uint64_t hash)
{
	return cds_lfht_mm_mmap.bucket_at(kv->table, hash & kv->bucket_mask);
}

/* The first node of a chain; a later one is as rare as the table is wide. */
static void prefetch_node(const struct kv *kv, const struct operation *op)
{
	if (!op->valid)
		return;

	/* The pointer's low bits are rculfhash's flags: they stay in the same line. Past a chain's end
	 * it is a bucket or nothing, and to prefetch that does no harm. */
	const uint8_t *node = (const uint8_t *)bucket_of(kv, op->hash)->next;

	__builtin_prefetch(node);
	__builtin_prefetch(node + RTE_CACHE_LINE_SIZE);
}

/* ---- Changes ---- */

__attribute__((cold, noinline)) static void save(struct kv *kv, struct kv_node *node)
{
	const struct kv_entry e = {.key = node->key, .version = node->version};
	uint8_t *at = snapshot_add(kv->to, SNAPSHOT_ENTRY, (uint32_t)sizeof(e) + node->length);

	memcpy(at, &e, sizeof(e));
	memcpy(at + sizeof(e), node->words, node->length);
	node->generation = kv->generation;
}

/* Of a node with a key. Whoever changes it, or takes its key away, saves it first. */
static bool unsaved(const struct kv *kv, const struct kv_node *node)
{
	return node->generation != kv->generation;
}

static void remove_key(struct kv *kv, struct kv_node *node, uint64_t hash)
{
	uint64_t *removals = &kv->removals[hash % STRIPES];

	CHECK(cds_lfht_del(kv->table, &node->link) == 0);
	/* After the removal and, by the fence in node_write, before the node's next use. */
	__atomic_store_n(removals, *removals + 1, __ATOMIC_RELEASE);
	node->generation = 0;
	kv->free[kv->free_count++] = node_index(kv, node);
}

/* ---- Commands ---- */

static bool decode(const struct kv *kv, const struct command *c, struct operation *op)
{
	struct kv_command_cas wire;
	uint32_t head = sizeof(wire.command);

	if (c->length < head)
		return false;
	memcpy(&wire.command, c->value, head);
	if (wire.command.operation == KV_CAS) {
		head = sizeof(wire);
		if (c->length < head)
			return false;
		memcpy(&wire, c->value, head);
		op->expected = wire.expected;
	}
	op->kind = wire.command.operation;
	op->key = wire.command.key;
	op->hash = hash_of(op->key);
	op->version = c->instance;
	op->value = c->value + head;
	op->length = c->length - head;
	switch (op->kind) {
	case KV_GET:
	case KV_DELETE:
		return true;
	case KV_PUT:
	case KV_CAS:
		return op->length <= kv->value_max;
	}
	return false;
}

static void on_get(const struct kv_node *node, uint8_t *answer, struct result *r)
{
	if (node == NULL) {
		r->status = REPLY_NOT_FOUND;
		return;
	}
	memcpy(answer, node->words, node->length);
	r->status = REPLY_OK;
	r->result = node->version;
	r->value = answer;
	r->length = node->length;
}

/* Inline: calls were 20 of the 340 instructions that a put takes. */
static __rte_always_inline void on_put(struct kv *kv, struct kv_node *node,
	const struct operation *op, struct result *r)
{
	if (node == NULL && kv->free_count == 0) {
		r->status = REPLY_FULL;
		return;
	}

	/* Nothing below can fail. */
	if (node == NULL) {
		node = node_at(kv, kv->free[--kv->free_count]);
		node_write(node, op, kv->generation);
		cds_lfht_add(kv->table, op->hash, &node->link);
	} else {
		if (unlikely(unsaved(kv, node)))
			save(kv, node);
		node_write(node, op, kv->generation);
	}
	r->status = REPLY_OK;
	r->result = op->version;
}

static void on_delete(struct kv *kv, struct kv_node *node, const struct operation *op,
	struct result *r)
{
	if (node == NULL) {
		r->status = REPLY_NOT_FOUND;
		return;
	}

	/* Nothing below can fail. */
	if (unlikely(unsaved(kv, node)))
		save(kv, node);
	remove_key(kv, node, op->hash);
	r->status = REPLY_OK;
}

static void on_cas(struct kv *kv, struct kv_node *node, const struct operation *op,
	struct result *r)
{
	uint64_t version = node == NULL ? 0 : node->version;

	if (version == op->expected) {
		on_put(kv, node, op, r);
		return;
	}
	r->status = REPLY_MISMATCH;
	r->result = version;
}

static void execute(struct kv *kv, const struct operation *op, uint8_t *answer, struct result *r)
{
	struct kv_node *node = find(kv, op->key, op->hash);

	switch (op->kind) {
	case KV_GET:
		on_get(node, answer, r);
		break;
	case KV_PUT:
		on_put(kv, node, op, r);
		break;
	case KV_DELETE:
		on_delete(kv, node, op, r);
		break;
	case KV_CAS:
		on_cas(kv, node, op, r);
		break;
	}
}

/* Two misses a command, the bucket and its first node, are begun before they are waited for. */
static void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	struct kv *kv = state;

	if (count == 0)
		return;
	CHECK(count <= RUN_COUNT_MAX);
	CHECK(commands[0].instance > 0 && commands[count - 1].instance < VERSION_TOP);
	for (uint32_t i = 0; i < count; i++) {
		struct operation *op = &kv->operations[i];

		op->valid = decode(kv, &commands[i], op);
		if (op->valid)
			__builtin_prefetch(bucket_of(kv, op->hash));
	}
	for (uint32_t i = 0; i < RTE_MIN(count, (uint32_t)AHEAD); i++)
		prefetch_node(kv, &kv->operations[i]);
	for (uint32_t i = 0; i < count; i++) {
		const struct operation *op = &kv->operations[i];

		if (i + AHEAD < count)
			prefetch_node(kv, &kv->operations[i + AHEAD]);
		results[i] = (struct result){.status = REPLY_BAD_COMMAND};
		if (op->valid)
			execute(kv, op, kv->answers + (size_t)i * kv->answer_bytes, &results[i]);
	}
}

/* Gets only; by the applying thread, so nothing changes meanwhile. */
static void query(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	struct kv *kv = state;

	CHECK(count <= RUN_COUNT_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct operation op;

		results[i] = (struct result){.status = REPLY_BAD_COMMAND};
		if (decode(kv, &commands[i], &op) && op.kind == KV_GET)
			on_get(find(kv, op.key, op.hash),
				kv->answers + (size_t)i * kv->answer_bytes, &results[i]);
	}
}

/* ---- Snapshots ---- */

uint64_t kv_image_bytes(uint32_t capacity, uint32_t value_max)
{
	return capacity * snapshot_record_bytes(sizeof(struct kv_entry) + value_max);
}

static uint64_t image_bytes(const void *state)
{
	const struct kv *kv = state;

	return kv_image_bytes(kv->capacity, kv->value_max);
}

static uint64_t count_max(const void *state)
{
	const struct kv *kv = state;

	return kv->capacity;
}

static uint64_t count_now(const void *state)
{
	const struct kv *kv = state;

	return kv->capacity - kv->free_count;
}

static void begin(void *state, struct snapshot *to)
{
	struct kv *kv = state;

	kv->generation++;
	kv->cursor = 0;
	kv->to = to;
}

static bool step(void *state)
{
	struct kv *kv = state;
	const uint32_t end = RTE_MIN(kv->capacity, kv->cursor + SAVES_A_STEP);

	for (; kv->cursor < end; kv->cursor++) {
		struct kv_node *node = node_at(kv, kv->cursor);

		if (node->generation != 0 && unsaved(kv, node))
			save(kv, node);
	}
	return kv->cursor < kv->capacity;
}

static bool valid(const void *state, const uint8_t *entry, uint32_t length, uint64_t instance)
{
	const struct kv *kv = state;
	struct kv_entry e;

	if (length < sizeof(e) || length > sizeof(e) + kv->value_max)
		return false;
	memcpy(&e, entry, sizeof(e));
	return e.version > 0 && e.version < RTE_MIN(instance, VERSION_TOP);
}

static bool clear(void *state)
{
	struct kv *kv = state;

	if (kv->restores % 2 == 0) {
		kv->cursor = 0;
		__atomic_store_n(&kv->restores, kv->restores + 1, __ATOMIC_RELAXED);
		/* Before the first change. Pairs with the fence at kv_read's end. */
		__atomic_thread_fence(__ATOMIC_RELEASE);
	}
	const uint32_t end = RTE_MIN(kv->capacity, kv->cursor + CLEARS_A_STEP);

	for (; kv->cursor < end; kv->cursor++) {
		struct kv_node *node = node_at(kv, kv->cursor);

		if (node->generation != 0)
			remove_key(kv, node, hash_of(node->key));
	}
	return kv->cursor < kv->capacity;
}

static void restore(void *state, const uint8_t *entry, uint32_t length)
{
	struct kv *kv = state;
	struct kv_entry e;
	struct result r;

	memcpy(&e, entry, sizeof(e));
	const struct operation op = {
		.key = e.key,
		.hash = hash_of(e.key),
		.version = e.version,
		.value = entry + sizeof(e),
		.length = length - (uint32_t)sizeof(e),
	};
	/* No writer of ours saves a key twice; where one stands twice the later one counts. */
	on_put(kv, find(kv, op.key, op.hash), &op, &r);
	CHECK(r.status == REPLY_OK);
}

static void restored(void *state)
{
	struct kv *kv = state;

	/* After the last change. Pairs with kv_read's first load. */
	__atomic_store_n(&kv->restores, kv->restores + 1, __ATOMIC_RELEASE);
}

static const struct machine_snapshot snapshot = {
	.bytes = image_bytes,
	.count_max = count_max,
	.count = count_now,
	.begin = begin,
	.step = step,
	.valid = valid,
	.clear = clear,
	.restore = restore,
	.restored = restored,
};

struct machine app_kv(struct kv *kv)
{
	return (struct machine){
		.state = kv,
		.snapshot = &snapshot,
		.apply = apply,
		.query = query,
	};
}

/* ---- Readers ---- */

/* While no state is restored. */
static enum kv_found read_applied(const struct kv *kv, uint64_t key, uint64_t *version,
	uint8_t *value, uint32_t *length)
{
	const uint64_t hash = hash_of(key);
	const uint64_t *removals = &kv->removals[hash % STRIPES];

	for (uint32_t attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		/* Pairs with the release store in remove_key: what was removed by then is not met. */
		uint64_t before = __atomic_load_n(removals, __ATOMIC_ACQUIRE);
		const struct kv_node *node = find(kv, key, hash);

		if (node != NULL) {
			if (node_read(node, key, version, value, length))
				return KV_PRESENT;
			continue;
		}
		/* Pairs with the fence in node_write: who met a node used again sees its removal. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(removals, __ATOMIC_RELAXED) == before)
			return KV_ABSENT;
	}
	return KV_BUSY;
}

enum kv_found kv_read(const struct kv *kv, uint64_t key, uint64_t *version, uint8_t *value,
	uint32_t *length)
{
	/* Pairs with the release store in restored. */
	const uint64_t before = __atomic_load_n(&kv->restores, __ATOMIC_ACQUIRE);

	if (before % 2 != 0)
		return KV_BUSY;
	enum kv_found found = read_applied(kv, key, version, value, length);

	/* Pairs with the fence in clear: who met a key gone or restored sees that it has begun. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&kv->restores, __ATOMIC_RELAXED) == before ? found : KV_BUSY;
}

/* ---- Start and end ---- */

static bool take_memory(struct kv *kv, uint32_t capacity)
{
	const uint64_t buckets = rte_align64pow2(RTE_MAX(capacity, (uint32_t)STRIPES));

	kv->nodes = heap_zalloc("kv nodes", capacity * kv->node_bytes);
	kv->free = heap_zalloc("kv free", capacity * sizeof(kv->free[0]));
	kv->answers = heap_zalloc("kv answers", (size_t)RUN_COUNT_MAX * kv->answer_bytes);
	if (kv->nodes == NULL || kv->free == NULL || kv->answers == NULL)
		return false;
	/* All buckets from the start and no flags: it neither resizes nor allocates later. The memory
	 * type is what cds_lfht_new_flavor chooses as well; bucket_of has to know it. */
	kv->bucket_mask = buckets - 1;
	kv->table = _cds_lfht_new(buckets, buckets, buckets, 0, &cds_lfht_mm_mmap,
		&urcu_qsbr_flavor, NULL);
	return kv->table != NULL;
}

static void give_memory_back(struct kv *kv)
{
	if (kv->table != NULL)
		CHECK(cds_lfht_destroy(kv->table, NULL) == 0);
	rte_free(kv->answers);
	rte_free(kv->free);
	rte_free(kv->nodes);
	rte_free(kv);
}

static size_t node_bytes_of(uint32_t value_max)
{
	return RTE_ALIGN_CEIL(sizeof(struct kv_node) + RTE_ALIGN_CEIL(value_max, (uint32_t)WORD),
		(size_t)RTE_CACHE_LINE_SIZE);
}

uint64_t kv_bytes(uint32_t capacity, uint32_t value_max)
{
	return sizeof(struct kv) + capacity * (node_bytes_of(value_max) + sizeof(uint32_t)) +
		(uint64_t)RUN_COUNT_MAX * (value_max + WORD);
}

struct kv *kv_create(uint32_t capacity, uint32_t value_max, char *error, size_t size)
{
	CHECK(capacity > 0 && value_max <= KV_VALUE_MAX);

	const uint32_t value_bytes = RTE_ALIGN_CEIL(value_max, (uint32_t)WORD);
	const size_t node_bytes = node_bytes_of(value_max);
	struct kv *kv = heap_zalloc("kv", sizeof(*kv));

	if (kv != NULL) {
		kv->node_bytes = node_bytes;
		kv->capacity = capacity;
		kv->generation = 1;
		kv->value_max = value_max;
		kv->answer_bytes = value_bytes;
		if (take_memory(kv, capacity)) {
			for (uint32_t i = capacity; i > 0; i--)
				kv->free[kv->free_count++] = i - 1;
			return kv;
		}
		give_memory_back(kv);
	}
	snprintf(error, size,
		"The kv machine's %u keys take %zu MiB, which can not be had: lower kv.capacity.",
		capacity, capacity * node_bytes >> 20);
	return NULL;
}

void kv_destroy(struct kv *kv)
{
	struct cds_lfht_iter at;

	urcu_qsbr_synchronize_rcu();
	for (cds_lfht_first(kv->table, &at); at.node != NULL; cds_lfht_next(kv->table, &at))
		CHECK(cds_lfht_del(kv->table, at.node) == 0);
	give_memory_back(kv);
}
