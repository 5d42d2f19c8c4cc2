/* A key-value store, commands for it, and the plainest model of it. */
#ifndef TESTS_UNIT_GIVEN_KV_H
#define TESTS_UNIT_GIVEN_KV_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <urcu/urcu-qsbr.h>

#include "dataplane/app_kv.h"

enum {
	CAPACITY = 150, /* More than a step of a snapshot looks at. */
	VALUE_MAX = 61, /* No whole words. */
	COMMAND_BYTES_MAX = sizeof(struct kv_command_cas) + VALUE_MAX + 8,
};

/* A command and room for its bytes, one byte off a word: an entry's value may stand anywhere. */
struct given {
	uint8_t bytes[1 + COMMAND_BYTES_MAX];
	uint32_t length;
};

static struct kv *kv;
static struct machine machine;
static uint64_t instance;

static inline void open_store(uint32_t capacity)
{
	char error[128];

	kv = kv_create(capacity, VALUE_MAX, error, sizeof(error));
	assert_non_null(kv);
	machine = app_kv(kv);
	instance = 0;
}

static inline int setup(void **state)
{
	(void)state;
	open_store(CAPACITY);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	kv_destroy(kv);
	return 0;
}

/* ---- Given, when, then ---- */

static inline struct given command(enum kv_operation operation, uint64_t key, uint64_t expected,
	const void *value, uint32_t length)
{
	const struct kv_command_cas head = {
		.command = {.operation = (uint8_t)operation, .key = key},
		.expected = expected,
	};
	struct given g;

	g.length = operation == KV_CAS ? sizeof(head) : sizeof(head.command);
	memcpy(g.bytes + 1, &head, g.length);
	if (length > 0)
		memcpy(g.bytes + 1 + g.length, value, length);
	g.length += length;
	return g;
}

static inline struct command at(const struct given *g, uint64_t at_instance)
{
	return (struct command){.instance = at_instance,
		.value = g->bytes + 1,
		.length = g->length};
}

static inline struct result when(struct given g)
{
	const struct command c = at(&g, ++instance);
	struct result r;

	machine.apply(machine.state, &c, 1, &r);
	return r;
}

static inline struct result when_get(uint64_t key)
{
	return when(command(KV_GET, key, 0, NULL, 0));
}

static inline struct result when_put(uint64_t key, const char *text)
{
	return when(command(KV_PUT, key, 0, text, (uint32_t)strlen(text)));
}

static inline struct result when_delete(uint64_t key)
{
	return when(command(KV_DELETE, key, 0, NULL, 0));
}

static inline struct result when_cas(uint64_t key, uint64_t expected, const char *text)
{
	return when(command(KV_CAS, key, expected, text, (uint32_t)strlen(text)));
}

static inline void then(struct result r, enum reply_status status, uint64_t result)
{
	assert_int_equal(r.status, status);
	assert_int_equal(r.result, result);
	assert_int_equal(r.length, 0);
}

static inline void then_value(struct result r, uint64_t version, const char *text)
{
	assert_int_equal(r.status, REPLY_OK);
	assert_int_equal(r.result, version);
	assert_int_equal(r.length, strlen(text));
	assert_memory_equal(r.value, text, r.length);
}

/* ---- Model ---- */

enum {
	KEYS = 240, /* More than fit: the store is full now and then. */
};

static struct model_key {
	uint64_t version; /* 0: absent. */
	uint32_t length;
	uint8_t value[VALUE_MAX];
} model[KEYS];

static uint32_t model_count;

/* xorshift64* */
static inline uint64_t draw(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 0x2545f4914f6cdd1dull;
}

static inline uint64_t seed_of_now(void)
{
	struct timespec now;
	const char *given = getenv("PAXWIRE_SEED");

	clock_gettime(CLOCK_REALTIME, &now);
	return given != NULL ? strtoull(given, NULL, 0)
			     : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct given random_command(uint64_t *random)
{
	static const enum kv_operation mix[] = {KV_GET, KV_PUT, KV_PUT, KV_DELETE, KV_CAS, KV_CAS};
	uint64_t key = draw(random) % KEYS;
	/* One value in 20 or so is too long. */
	uint32_t length = (uint32_t)(draw(random) % (VALUE_MAX + 4));
	uint8_t value[VALUE_MAX + 4];
	/* Right, or what a key's version may have been. */
	uint64_t expected = draw(random) % 2 ? model[key].version : draw(random) % (instance + 1);
	enum kv_operation operation = mix[draw(random) % RTE_DIM(mix)];

	for (uint32_t i = 0; i < length; i++)
		value[i] = (uint8_t)draw(random);
	if (operation == KV_GET || operation == KV_DELETE)
		length = 0;
	return command(operation, key, expected, value, length);
}

static inline struct result model_put(uint64_t key, uint64_t version, const uint8_t *value,
	uint32_t length)
{
	if (model[key].version == 0 && model_count == CAPACITY)
		return (struct result){.status = REPLY_FULL};
	model_count += model[key].version == 0;
	model[key].version = version;
	model[key].length = length;
	memcpy(model[key].value, value, length);
	return (struct result){.status = REPLY_OK, .result = version};
}

/* What the store has to answer. */
static inline struct result model_apply(const struct given *g, uint64_t version, uint8_t *answer)
{
	struct kv_command_cas c;
	uint32_t head = sizeof(c.command);

	memcpy(&c, g->bytes + 1, sizeof(c));
	if (c.command.operation == KV_CAS)
		head = sizeof(c);

	const uint8_t *value = g->bytes + 1 + head;
	uint64_t key = c.command.key;
	uint64_t current = model[key].version;

	if (g->length - head > VALUE_MAX)
		return (struct result){.status = REPLY_BAD_COMMAND};
	if (c.command.operation == KV_PUT)
		return model_put(key, version, value, g->length - head);
	if (c.command.operation == KV_CAS)
		return c.expected == current
			? model_put(key, version, value, g->length - head)
			: (struct result){.status = REPLY_MISMATCH, .result = current};
	if (current == 0)
		return (struct result){.status = REPLY_NOT_FOUND};
	if (c.command.operation == KV_DELETE) {
		model[key].version = 0;
		model_count--;
		return (struct result){.status = REPLY_OK};
	}
	memcpy(answer, model[key].value, model[key].length);
	return (struct result){.status = REPLY_OK,
		.result = current,
		.value = answer,
		.length = model[key].length};
}

static inline bool same(const struct result *a, const struct result *b)
{
	return a->status == b->status && a->result == b->result && a->length == b->length &&
		(a->length == 0 || memcmp(a->value, b->value, a->length) == 0);
}

static inline int start_eal(void **state)
{
	static char words[][16] = {"test_app_kv", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "-m", "64", "--lcores", "0"};
	static char *arguments[RTE_DIM(words) + 1];

	cpu_set_t cpus;

	(void)state;
	for (uint32_t i = 0; i < RTE_DIM(words); i++)
		arguments[i] = words[i];
	/* The EAL binds this thread, and those that it makes, to the CPU of its lcore. */
	return pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus) != 0 ||
			rte_eal_init(RTE_DIM(words), arguments) < 0 ||
			pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) != 0
		? -1
		: 0;
}

#endif
