/*
 * kv - the key-value store and the plainest model of it answer any commands alike, batch by batch.
 *
 * The input is commands as they stand in entries: {u8 how, u8 length, value}. how: bit 0: the batch
 * ends here; bit 1: the key is one of a few, which the low bits of the value's byte 8 name.
 */
#include <string.h>

#include <urcu/urcu-qsbr.h>

#include "consensus/check.h"
#include "dataplane/app_kv.h"
#include "tests/fuzz/eal.h"
#include "tests/fuzz/fuzz.h"

enum {
	CAPACITY = 6,
	VALUE_MAX = 40,
	BATCH_MAX = 32,
	LENGTH_MAX = 80,
	FEW_KEYS = 8,
	HOW_ENDS = 1,
	HOW_FEW_KEYS = 2,
};

struct model_entry {
	bool used;
	uint64_t key, version;
	uint32_t length;
	uint8_t value[VALUE_MAX];
};

static struct model_entry model[CAPACITY];
static struct model_entry answers[BATCH_MAX]; /* Of gets, as they were at their moment. */
static struct result expected[BATCH_MAX];
static struct command commands[BATCH_MAX];
static struct result results[BATCH_MAX];
static uint8_t values[BATCH_MAX][LENGTH_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	eal_start_plain();
	return 0;
}

static struct model_entry *model_find(uint64_t key)
{
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (model[i].used && model[i].key == key)
			return &model[i];
	return NULL;
}

static struct model_entry *model_free(void)
{
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (!model[i].used)
			return &model[i];
	return NULL;
}

static struct result model_put(struct model_entry *e, uint64_t key, const struct command *c,
	uint32_t head)
{
	if (e == NULL)
		e = model_free();
	if (e == NULL)
		return (struct result){.status = REPLY_FULL};
	e->used = true;
	e->key = key;
	e->version = c->instance;
	e->length = c->length - head;
	memcpy(e->value, c->value + head, e->length);
	return (struct result){.status = REPLY_OK, .result = c->instance};
}

/* What the command must answer; `gets`: where a get finds its value. */
static struct result model_apply(const struct command *c, struct model_entry *gets)
{
	struct kv_command_cas head = {0};
	const bool cas = c->length > 0 && c->value[0] == KV_CAS;
	const uint32_t bytes = cas ? sizeof(head) : sizeof(head.command);

	if (c->length < bytes)
		return (struct result){.status = REPLY_BAD_COMMAND};
	memcpy(&head, c->value, bytes);
	struct model_entry *e = model_find(head.command.key);
	const bool writes = cas || head.command.operation == KV_PUT;
	const uint64_t version = e == NULL ? 0 : e->version;

	if (writes && c->length - bytes > VALUE_MAX)
		return (struct result){.status = REPLY_BAD_COMMAND};
	if (cas && version != head.expected)
		return (struct result){.status = REPLY_MISMATCH, .result = version};
	if (writes)
		return model_put(e, head.command.key, c, bytes);
	if (head.command.operation != KV_GET && head.command.operation != KV_DELETE)
		return (struct result){.status = REPLY_BAD_COMMAND};
	if (e == NULL)
		return (struct result){.status = REPLY_NOT_FOUND};
	if (head.command.operation == KV_DELETE) {
		e->used = false;
		return (struct result){.status = REPLY_OK};
	}
	*gets = *e;
	return (struct result){.status = REPLY_OK,
		.result = version,
		.value = gets->value,
		.length = gets->length};
}

static void then_alike(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CHECK(results[i].status == expected[i].status);
		CHECK(results[i].result == expected[i].result);
		CHECK(results[i].length == expected[i].length);
		CHECK(results[i].length == 0 ||
			memcmp(results[i].value, expected[i].value, results[i].length) == 0);
	}
}

/* False: the input is at its end. */
static bool take_command(struct input *in, uint32_t i, uint64_t instance, bool *ends)
{
	if (in->left == 0)
		return false;
	uint8_t how = input_u8(in);
	uint32_t length = input_u8(in) % (LENGTH_MAX + 1);

	for (uint32_t at = 0; at < length; at++)
		values[i][at] = input_u8(in);
	if ((how & HOW_FEW_KEYS) != 0 && length >= sizeof(struct kv_command)) {
		values[i][8] %= FEW_KEYS;
		memset(&values[i][9], 0, 7);
	}
	commands[i] = (struct command){.instance = instance, .value = values[i], .length = length};
	*ends = (how & HOW_ENDS) != 0;
	return true;
}

static void run_batches(struct machine *machine, struct input *in)
{
	uint64_t instance = 0;

	while (in->left > 0) {
		uint32_t count = 0;
		bool ends = false;

		while (count < BATCH_MAX && !ends && take_command(in, count, ++instance, &ends)) {
			expected[count] = model_apply(&commands[count], &answers[count]);
			count++;
		}
		machine->apply(machine->state, commands, count, results);
		then_alike(count);
	}
	/* Whatever was written is there, and nothing else. */
	for (uint64_t key = 0; key < FEW_KEYS; key++) {
		const struct kv_command get = {.operation = KV_GET, .key = key};

		memcpy(values[0], &get, sizeof(get));
		commands[0] = (struct command){.instance = instance + 1,
			.value = values[0],
			.length = sizeof(get)};
		expected[0] = model_apply(&commands[0], &answers[0]);
		machine->query(machine->state, commands, 1, results);
		then_alike(1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.bytes = data, .left = size};
	char error[256];
	struct kv *kv = kv_create(CAPACITY, VALUE_MAX, error, sizeof(error));

	CHECK(kv != NULL);
	struct machine machine = app_kv(kv);

	memset(model, 0, sizeof(model));
	run_batches(&machine, &in);
	kv_destroy(kv);
	return 0;
}
