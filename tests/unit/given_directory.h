/*
 * given_directory.h - a data directory under a temporary folder, for the tests of directory and
 * disk: on whatever file system the temporary folder has, or in memory.
 */
#ifndef TESTS_UNIT_GIVEN_DIRECTORY_H
#define TESTS_UNIT_GIVEN_DIRECTORY_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/directory.h"

enum {
	SEGMENT_BLOCKS = JOURNAL_WRITE_BLOCKS,
	SEGMENT_BYTES = SEGMENT_BLOCKS * JOURNAL_BLOCK_BYTES,
	BLANK = 0xb1,
	FIRST = 0xf1,
	SUPERBLOCKS_BYTES = SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES,
};

static struct config config;
static struct directory directory;
static char error[CONFIG_ERROR_MAX];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t blank[JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t first_write[JOURNAL_BLOCK_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t superblocks[SUPERBLOCKS_BYTES];
static _Alignas(JOURNAL_BLOCK_BYTES) uint8_t back[SEGMENT_BYTES]; /* What was read. */

/* `above`: a folder that exists. */
static inline void given_folder(const char *above, bool memory_backed)
{
	memset(&config, 0, sizeof(config));
	memset(back, 0, sizeof(back));
	snprintf(config.journal.directory, sizeof(config.journal.directory), "%s/paxwire-XXXXXX",
		above);
	assert_non_null(mkdtemp(config.journal.directory));
	config.journal.segment_bytes = SEGMENT_BYTES;
	config.journal.segments = 2;
	config.journal.depth = 4;
	config.journal.memory_backed = memory_backed;
	directory = (struct directory){.folder = -1, .lock = -1, .superblock = -1};
	memset(blank, BLANK, sizeof(blank));
	memset(first_write, FIRST, sizeof(first_write));
	for (size_t i = 0; i < sizeof(superblocks); i++)
		superblocks[i] = (uint8_t)(i / JOURNAL_BLOCK_BYTES + i + 1);
}

/* Of replica 0's directory. */
static inline const char *path_of(const char *name)
{
	static char path[DIRECTORY_PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/replica-0%s%s", config.journal.directory,
		name[0] == '\0' ? "" : "/", name);
	return path;
}

static inline void when_renamed(const char *from, const char *to)
{
	char old[DIRECTORY_PATH_MAX + NAME_MAX + 2];

	snprintf(old, sizeof(old), "%s", path_of(from));
	assert_int_equal(rename(old, path_of(to)), 0);
}

static inline bool when_formatted(void)
{
	const struct directory_image image = {
		.blank = blank,
		.first = first_write,
		.superblocks = superblocks,
	};

	return directory_format(&config, 0, &image, error, sizeof(error));
}

static inline void given_formatted(void)
{
	if (!when_formatted())
		fail_msg("%s", error);
}

static inline void given_open(void)
{
	if (!directory_open(&directory, &config, 0, error, sizeof(error)))
		fail_msg("%s", error);
}

static inline void remove_folder(void)
{
	DIR *dir = opendir(path_of(""));
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(path_of(entry->d_name));
	if (dir != NULL)
		closedir(dir);
	rmdir(path_of(""));
	rmdir(config.journal.directory);
}

/* Does this folder stand on a disk with O_DIRECT? If not, `error` says why. */
static inline bool is_on_disk(const char *above)
{
	given_folder(above, false);
	bool disk = when_formatted();

	remove_folder();
	return disk;
}

static inline void then_filled(const uint8_t *bytes, size_t count, uint8_t with)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != with)
			fail_msg("byte %zu is %u, not %u", i, bytes[i], with);
}

/* The sentence ends with `end` and names the directory. */
static inline void then_said(const char *end)
{
	if (strlen(error) < strlen(end) || strcmp(error + strlen(error) - strlen(end), end) != 0)
		fail_msg("%s", error);
	assert_non_null(strstr(error, config.journal.directory));
}

#endif
