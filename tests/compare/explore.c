#include "tests/compare/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/check.h"

void explore_init(struct explore *e, size_t key_bytes, size_t state_bytes, uint32_t states_max)
{
	e->key_bytes = key_bytes;
	e->state_bytes = state_bytes;
	e->count = 0;
	e->size = 1;
	while (e->size < 2 * states_max)
		e->size *= 2;
	e->keys = malloc(key_bytes * (e->size / 2));
	e->states = malloc(state_bytes * (e->size / 2));
	e->table = calloc(e->size, sizeof(*e->table));
	CHECK(e->keys != NULL && e->states != NULL && e->table != NULL);
}

/* FNV-1a, with its high bits brought down. */
static uint64_t hash(const uint8_t *key, size_t bytes)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ key[i]) * 0x100000001b3ull;
	return h ^ h >> 32;
}

const uint8_t *explore_key(const struct explore *e, uint32_t number)
{
	return e->keys + number * e->key_bytes;
}

void explore_state(const struct explore *e, uint32_t number, void *state)
{
	memcpy(state, e->states + number * e->state_bytes, e->state_bytes);
}

void explore_add(struct explore *e, const uint8_t *key, const void *state)
{
	uint64_t at = hash(key, e->key_bytes) & (e->size - 1);

	for (; e->table[at] != 0; at = (at + 1) & (e->size - 1))
		if (memcmp(explore_key(e, e->table[at] - 1), key, e->key_bytes) == 0)
			return;
	CHECK(e->count < e->size / 2);
	memcpy(e->keys + e->count * e->key_bytes, key, e->key_bytes);
	memcpy(e->states + e->count * e->state_bytes, state, e->state_bytes);
	e->count++;
	e->table[at] = e->count;
}

void tell(uint64_t number)
{
	CHECK(number < 256);
	putchar_unlocked((int)number);
}

void tell_bytes(const uint8_t *bytes, size_t count)
{
	fwrite(bytes, 1, count, stdout);
}

uint32_t argument(int argc, char **argv, int index)
{
	CHECK(index < argc);
	return (uint32_t)strtoul(argv[index], NULL, 10);
}
