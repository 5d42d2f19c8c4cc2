#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/members.h"
#include "config/quorums.h"
#include "config/scalars.h"
#include "consensus/journal_block.h"

enum {
	MEBIBYTE = 1 << 20,
	KV_COMMAND_BYTES = 24, /* Of the longest command's header: a compare-and-swap. */
};

static bool check_journal(const struct config *config, struct complaint *c)
{
	const struct config_journal *j = &config->journal;

	if (config->durability == DURABILITY_NONE)
		return true;
	if (j->directory[0] == '\0')
		return complain(c, "journal.directory",
			"is missing, give where each replica has its data directory, or durability: "
			"none, which keeps all in memory");
	if (j->segment_bytes % JOURNAL_BLOCK_BYTES != 0)
		return complain(c, "journal.segment_bytes",
			"%" PRIu32 " is not a multiple of %d, give one such as %" PRIu32,
			j->segment_bytes, JOURNAL_BLOCK_BYTES,
			j->segment_bytes / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES);
	if (j->snapshot_segments > j->segments)
		return complain(c, "journal.snapshot_segments",
			"%" PRIu32 " are more than the %" PRIu32
			" that journal.segments says, give at most as many",
			j->snapshot_segments, j->segments);
	if ((j->depth & (j->depth - 1)) != 0)
		return complain(c, "journal.depth",
			"%" PRIu32 " is not a power of two, give 1, 2 or 4", j->depth);
	return true;
}

/* A put's entry, command header and value stand in a run's record, alone in its frame. */
static bool check_kv(const struct config *config, struct complaint *c)
{
	uint32_t fits = (config->mtu - IP_UDP_BYTES - HEADER_BYTES - RECORD_BYTES - ENTRY_BYTES -
				KV_COMMAND_BYTES) /
		8 * 8;

	if (config->kv_value_max > fits)
		return complain(c, "kv.value_max",
			"%" PRIu32 " bytes do not fit a frame of mtu %" PRIu32
			", give at most %" PRIu32,
			config->kv_value_max, config->mtu, fits);
	return true;
}

static bool check_shards(const struct config *config, struct complaint *c)
{
	if ((config->shards & (config->shards - 1)) != 0)
		return complain(c, "shards", "%" PRIu32 " is not a power of two, give 1, 2 or 4",
			config->shards);
	return true;
}

/* What is in flight above `lo` must be held, each instance in a record of its own, which is no
 * longer than the frame that brought it; frames with more commands leave room for what is below.
 * Each shard's log is a ring of a power of two, and so is their sum. */
static uint32_t log_least_mebibytes(const struct config *config)
{
	uint64_t bytes = (uint64_t)ACCEPTOR_WINDOW * config->mtu;
	uint32_t mebibytes = SHARD_MAX;

	while ((uint64_t)mebibytes * MEBIBYTE < bytes)
		mebibytes *= 2;
	return mebibytes;
}

static bool size_log(struct config *config, struct complaint *c)
{
	uint32_t least = log_least_mebibytes(config);

	if (config->log_mebibytes == 0)
		config->log_mebibytes = least;
	if (config->log_mebibytes < least)
		return complain(c, "log.mebibytes",
			"%" PRIu32 " does not hold %d frames of mtu %" PRIu32
			", give at least %" PRIu32 ", or 0 for just that",
			config->log_mebibytes, ACCEPTOR_WINDOW, config->mtu, least);
	if ((config->log_mebibytes & (config->log_mebibytes - 1)) != 0)
		return complain(c, "log.mebibytes",
			"%" PRIu32 " is not a power of two, give one such as %" PRIu32,
			config->log_mebibytes, 2 * least);
	return true;
}

uint64_t config_log_bytes(const struct config *config)
{
	return (uint64_t)config->log_mebibytes * MEBIBYTE / config->shards;
}

static bool read_scalars(const struct document *d, struct config *config, struct complaint *c)
{
	for (size_t i = 0; i < SCALAR_COUNT; i++) {
		if (!field_set(&scalars_fields()[i], config, "", d->scalars[i], c))
			return false;
	}
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		if (!field_set(&tunables_fields()[i], &config->tunables, "tunables", d->tunables[i],
			    c))
			return false;
	}
	return true;
}

static bool read_document(const struct document *d, struct config *config, struct complaint *c)
{
	return read_scalars(d, config, c) && check_journal(config, c) && check_shards(config, c) &&
		check_kv(config, c) && size_log(config, c) && members_read(d, config, c) &&
		quorums_read(d, config, c) &&
		tunables_check(&config->tunables, config->shards, "tunables", c);
}

bool config_load_text(const char *path, const char *text, size_t bytes, struct config *config,
	char *error, size_t size)
{
	struct complaint c;

	complaint_init(&c, path, error, size);
	memset(config, 0, sizeof(*config));
	snprintf(config->path, sizeof(config->path), "%s", path);

	struct document *d = document_load(text, bytes, &c);

	if (d == NULL)
		return false;

	bool well = read_document(d, config, &c);

	document_free(d);
	return well;
}

/* NULL: a complaint was made; else malloc'ed. */
static char *read_file(const char *path, size_t *bytes, struct complaint *c)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
	const char *wrong = NULL;

	*bytes = 0;
	if (file == NULL || text == NULL)
		wrong = strerror(errno);
	if (wrong == NULL) {
		*bytes = fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, file);
		if (ferror(file))
			wrong = strerror(errno);
		else if (*bytes > CONFIG_FILE_BYTES_MAX)
			wrong = "larger than a mebibyte";
	}
	if (file != NULL)
		fclose(file);
	if (wrong == NULL)
		return text;
	free(text);
	complain(c, NULL,
		"cannot be read (%s), give a cluster file such as "
		"config/profiles/embedded.yaml",
		wrong);
	return NULL;
}

bool config_load(const char *path, struct config *config, char *error, size_t size)
{
	struct complaint c;
	size_t bytes;

	complaint_init(&c, path, error, size);

	char *text = read_file(path, &bytes, &c);

	if (text == NULL)
		return false;

	bool well = config_load_text(path, text, bytes, config, error, size);

	free(text);
	return well;
}

bool config_is_embedded(const struct config *config)
{
	return strcmp(config->replicas[0].ports.devargs[0], CONFIG_PORT_RING) == 0;
}
