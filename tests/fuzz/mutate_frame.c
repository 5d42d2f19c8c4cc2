/* The mutator of targets whose input is a frame: most changes are sealed. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seal.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max);
	if (seed % 16 != 0)
		seal_frame(data, size);
	return size;
}
