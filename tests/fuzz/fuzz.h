/*
 * fuzz.h - what a fuzz target is: libFuzzer's functions, and a reader of its bytes.
 *
 * A target says what must hold of any bytes with CHECK; the sanitizers say the rest.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The target. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once, before the first input. Not every target has it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A change of the input that keeps its seals right. Not every target has it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* libFuzzer's own changes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* The bytes not read yet. Behind the end everything is 0. */
struct input {
	const uint8_t *bytes;
	size_t left;
};

static inline uint8_t input_u8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->bytes++;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t low = input_u8(in);

	return (uint16_t)(low | input_u8(in) << 8);
}

#endif
