/*
 * explore.h - every state that can be reached, each once; and the bytes that tell of it.
 *
 * Owns:    a queue of states in the order in which they were found, and a hash table of their keys.
 * Never:   knows what a state is: its key is the bytes by which two of them are the same.
 *
 * What is told goes to standard output, a number a byte: tests/compare/compare.ml reads it.
 */
#ifndef COMPARE_EXPLORE_H
#define COMPARE_EXPLORE_H

#include <stddef.h>
#include <stdint.h>

struct explore {
	size_t key_bytes;
	size_t state_bytes;
	uint32_t count; /* States found. */
	uint32_t size;  /* Of the table: a power of two. */
	uint8_t *keys;
	uint8_t *states;
	uint32_t *table; /* Number of a state plus one; 0: empty. */
};

/* Room for at least `states_max` states: the first that has none stops the program. */
void explore_init(struct explore *e, size_t key_bytes, size_t state_bytes, uint32_t states_max);

/* Appends the state unless its key is known. */
void explore_add(struct explore *e, const uint8_t *key, const void *state);

const uint8_t *explore_key(const struct explore *e, uint32_t number);
void explore_state(const struct explore *e, uint32_t number, void *state);

/* One number, below 256. */
void tell(uint64_t number);
void tell_bytes(const uint8_t *bytes, size_t count);

/* The program's argument at `index`, counted from one, as a number. */
uint32_t argument(int argc, char **argv, int index);

#endif
