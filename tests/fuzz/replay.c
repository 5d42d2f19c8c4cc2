/*
 * replay.c - a target without libFuzzer: runs each file of the folders named, so that any compiler
 * and any sanitizer sees the corpus, and what once was a crash stays a test.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

/* Targets need not have it. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Mutators are linked, and not called. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	(void)max;
	return size;
}

/* False: it can not be read. */
static bool run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;
	uint8_t *bytes = NULL;
	bool well = false;

	if (file == NULL)
		return false;
	/* Of exactly its size: what is read behind the end is seen by ASan. */
	if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
		(bytes = malloc(size > 0 ? (size_t)size : 1)) != NULL) {
		rewind(file);
		well = fread(bytes, 1, (size_t)size, file) == (size_t)size;
		if (well)
			LLVMFuzzerTestOneInput(bytes, (size_t)size);
	}
	free(bytes);
	fclose(file);
	return well;
}

int main(int argc, char **argv)
{
	uint32_t ran = 0;
	uint32_t failed = 0;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		struct dirent *entry;

		while (folder != NULL && (entry = readdir(folder)) != NULL) {
			char path[4096];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (run_file(path))
				ran++;
			else
				failed++;
		}
		if (folder == NULL)
			failed++;
		else
			closedir(folder);
	}
	printf("%u passed, %u failed\n", ran, failed + (ran == 0 ? 1 : 0));
	return ran > 0 && failed == 0 ? 0 : 1;
}
