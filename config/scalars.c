#include "config/scalars.h"

#include <assert.h>

#include "config/config.h"
#include "config/document.h"
#include "consensus/journal_block.h"

static_assert(sizeof(enum config_state_machine) == sizeof(uint32_t), "field_set writes four bytes");
static_assert(sizeof(enum durability) == sizeof(uint32_t), "field_set writes four bytes");
static_assert(sizeof(enum config_integrity) == sizeof(uint32_t), "field_set writes four bytes");
static_assert(sizeof(enum config_quorum_kind) == sizeof(uint32_t), "field_set writes four bytes");

static const char *const state_machine_choices[] = {
	[STATE_MACHINE_NULL] = "null",
	[STATE_MACHINE_KV] = "kv",
	NULL,
};

static const char *const durability_choices[] = {
	[DURABILITY_NONE] = "none",
	[DURABILITY_ASYNC] = "async",
	[DURABILITY_SYNC] = "sync",
	NULL,
};

static const char *const integrity_choices[] = {
	[INTEGRITY_CRC32C] = "crc32c",
	NULL,
};

static const char *const quorum_kind_choices[] = {
	[QUORUM_KIND_MAJORITY] = "majority",
	[QUORUM_KIND_THRESHOLD] = "threshold",
	[QUORUM_KIND_GRID] = "grid",
	[QUORUM_KIND_EXPLICIT] = "explicit",
	NULL,
};

#define UINT(key_, member, min_, max_, preset_, about_)                              \
	FIELD_ROW(key_, FIELD_UINT, struct config, member, .min = min_, .max = max_, \
		.preset = preset_, .about = about_)
#define CHOICE(key_, member, choices_, preset_, about_)                           \
	FIELD_ROW(key_, FIELD_CHOICE, struct config, member, .choices = choices_, \
		.preset = preset_, .about = about_)
#define REQUIRED_UINT(key_, member, min_, max_, about_)                              \
	FIELD_ROW(key_, FIELD_UINT, struct config, member, .min = min_, .max = max_, \
		.required = true, .about = about_)
#define REQUIRED_TEXT(key_, member, min_, max_, about_)                              \
	FIELD_ROW(key_, FIELD_TEXT, struct config, member, .min = min_, .max = max_, \
		.required = true, .about = about_)

/* All defaults but those of what may change at run time, which are in config/tunables.c.
 * A row: key, member, least, most, default, meaning. */
static const struct field table[SCALAR_COUNT] = {
	[SCALAR_CLUSTER_NAME] = REQUIRED_TEXT("cluster.name", name, 1, CONFIG_NAME_MAX,
		"the name people know it by"),
	[SCALAR_CLUSTER_ID] = REQUIRED_UINT("cluster.id", cluster_id, 1, UINT32_MAX,
		"a number that no other cluster on this network has"),
	[SCALAR_MTU] = UINT("mtu", mtu, 576, 9000, "1500", "bytes of an IP packet at most"),
	[SCALAR_UDP_PORT] =
		UINT("udp_port", udp_port, 1, UINT16_MAX, "7400", "the UDP port of every replica"),
	[SCALAR_STATE_MACHINE] = CHOICE("state_machine", state_machine, state_machine_choices,
		"null", "what applies the commands"),
	[SCALAR_KV_CAPACITY] = UINT("kv.capacity", kv_capacity, 1, 1U << 28, "1048576",
		"keys that the kv machine holds at most"),
	[SCALAR_KV_VALUE_MAX] = UINT("kv.value_max", kv_value_max, 0, KV_VALUE_BYTES_MAX, "128",
		"bytes of a value of the kv machine at most"),
	[SCALAR_SESSIONS_MAX] = UINT("sessions_max", sessions_max, 1, 1U << 20, "16384",
		"open sessions at most; one more evicts the least recently used"),
	[SCALAR_DURABILITY] = CHOICE("durability", durability, durability_choices, "sync",
		"what a vote waits for before it leaves"),
	[SCALAR_INTEGRITY] = CHOICE("integrity", integrity, integrity_choices, "crc32c",
		"what protects a frame's header and body"),
	[SCALAR_SHARDS] =
		UINT("shards", shards, 1, SHARD_MAX, "1", "acceptors of a replica, a power of two"),
	[SCALAR_LOG_MEBIBYTES] = UINT("log.mebibytes", log_mebibytes, 0, 65536, "0",
		"memory of a replica's log, a power of two (0: the least)"),
	[SCALAR_JOURNAL_DIRECTORY] = FIELD_ROW("journal.directory", FIELD_TEXT, struct config,
		journal.directory, .min = 1, .max = CONFIG_DIRECTORY_MAX,
		.about = "where each replica has its data directory"),
	[SCALAR_JOURNAL_SEGMENT_BYTES] = UINT("journal.segment_bytes", journal.segment_bytes,
		1U << 20, 1U << 30, "67108864", "bytes of one file of a journal"),
	[SCALAR_JOURNAL_SEGMENTS] = UINT("journal.segments", journal.segments, 2,
		CONFIG_SEGMENTS_MAX, "16", "files of a journal"),
	[SCALAR_JOURNAL_SNAPSHOT_SEGMENTS] =
		UINT("journal.snapshot_segments", journal.snapshot_segments, 1, CONFIG_SEGMENTS_MAX,
			"4", "files of a journal that are filled from one snapshot to the next"),
	[SCALAR_JOURNAL_DEPTH] = UINT("journal.depth", journal.depth, 1, JOURNAL_DEPTH, "4",
		"writes of a journal in flight at most, a power of two"),
	[SCALAR_JOURNAL_MEMORY_BACKED] = FIELD_ROW("journal.memory_backed", FIELD_BOOL,
		struct config, journal.memory_backed, .preset = "false",
		.about = "the directory is in memory, and what is lost with it may be"),
	[SCALAR_QUORUMS_KIND] = CHOICE("quorums.kind", quorums.kind, quorum_kind_choices,
		"majority", "which sets of replicas are quorums"),
	[SCALAR_QUORUMS_Q1] = UINT("quorums.q1", quorums.q1, 1, MEMBER_MAX, NULL,
		"replicas of a phase-1 quorum (threshold)"),
	[SCALAR_QUORUMS_Q2] = UINT("quorums.q2", quorums.q2, 1, MEMBER_MAX, NULL,
		"replicas of a phase-2 quorum (threshold)"),
	[SCALAR_QUORUMS_ROWS] =
		UINT("quorums.rows", quorums.rows, 1, MEMBER_MAX, NULL, "rows of the grid"),
	[SCALAR_QUORUMS_COLUMNS] = UINT("quorums.columns", quorums.columns, 1, MEMBER_MAX, NULL,
		"columns of the grid"),
};

const struct field *scalars_fields(void)
{
	return table;
}

const char *config_state_machine_text(enum config_state_machine s)
{
	return state_machine_choices[s];
}

const char *config_durability_text(enum durability d)
{
	return durability_choices[d];
}

const char *config_integrity_text(enum config_integrity i)
{
	return integrity_choices[i];
}

const char *config_quorum_kind_text(enum config_quorum_kind k)
{
	return quorum_kind_choices[k];
}
