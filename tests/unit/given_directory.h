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
	SEGMENT_BYTES = 64 * DISK_BLOCK,
	SUPERBLOCKS = 2,
};

static struct config config;
static struct directory directory;
static char error[CONFIG_ERROR_MAX];
static _Alignas(DISK_BLOCK) uint8_t blocks[SUPERBLOCKS * DISK_BLOCK];

/* `above`: a folder that exists. */
static inline void given_folder(const char *above, bool memory_backed)
{
	memset(&config, 0, sizeof(config));
	snprintf(config.journal.directory, sizeof(config.journal.directory), "%s/paxwire-XXXXXX",
		above);
	assert_non_null(mkdtemp(config.journal.directory));
	config.journal.segment_bytes = SEGMENT_BYTES;
	config.journal.segments = 2;
	config.journal.depth = 4;
	config.journal.memory_backed = memory_backed;
	directory = (struct directory){.folder = -1, .lock = -1, .superblock = -1};
	for (size_t i = 0; i < sizeof(blocks); i++)
		blocks[i] = (uint8_t)(i / DISK_BLOCK + i + 1);
}

/* Of replica 0's directory. */
static inline const char *path_of(const char *name)
{
	static char path[DIRECTORY_PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/replica-0%s%s", config.journal.directory,
		name[0] == '\0' ? "" : "/", name);
	return path;
}

static inline void given_formatted(void)
{
	if (!directory_format(&directory, &config, 0, blocks, SUPERBLOCKS, error, sizeof(error)))
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

/* The sentence ends with `end` and names the directory. */
static inline void then_said(const char *end)
{
	if (strlen(error) < strlen(end) || strcmp(error + strlen(error) - strlen(end), end) != 0)
		fail_msg("%s", error);
	assert_non_null(strstr(error, config.journal.directory));
}

#endif
