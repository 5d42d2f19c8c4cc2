#include "config/schema.h"

#include <assert.h>

#include "config/document.h"
#include "consensus/limits.h"

#define TEXT(key_, struct_, member_) \
	CYAML_FIELD_STRING_PTR(key_, CYAML_FLAG_OPTIONAL, struct_, member_, 0, CYAML_UNLIMITED)
#define SCALAR(key_, index_) TEXT(key_, struct document, scalars[index_])
#define TUNABLE(key_, index_) TEXT(key_, struct document, tunables[index_])
#define LIST(key_, struct_, member_, entry_)                                                   \
	CYAML_FIELD_SEQUENCE(key_, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct_, member_, \
		entry_, 0, CYAML_UNLIMITED)
/* A mapping in the file whose values lie in the same struct as those around it. */
#define GROUP(key_, struct_, fields_)                                              \
	{                                                                          \
		.key = key_, .value = {                                            \
			CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct_, fields_) \
		}                                                                  \
	}

static const struct cyaml_schema_value entry_text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

/* libcyaml has no list of lists; a set of ids is a list of flags to it, which is what it is. */
static const struct cyaml_strval member_bits[] = {
	{"0", 1 << 0},
	{"1", 1 << 1},
	{"2", 1 << 2},
	{"3", 1 << 3},
	{"4", 1 << 4},
	{"5", 1 << 5},
	{"6", 1 << 6},
	{"7", 1 << 7},
	{"8", 1 << 8},
};

static_assert(CYAML_ARRAY_LEN(member_bits) == MEMBER_MAX, "one bit for each member");

static const struct cyaml_schema_value entry_set = {
	CYAML_VALUE_FLAGS(CYAML_FLAG_STRICT, uint32_t, member_bits, CYAML_ARRAY_LEN(member_bits)),
};

static const struct cyaml_schema_field cluster_fields[] = {
	SCALAR("name", SCALAR_CLUSTER_NAME),
	SCALAR("id", SCALAR_CLUSTER_ID),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field kv_fields[] = {
	SCALAR("capacity", SCALAR_KV_CAPACITY),
	SCALAR("value_max", SCALAR_KV_VALUE_MAX),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field log_fields[] = {
	SCALAR("mebibytes", SCALAR_LOG_MEBIBYTES),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field journal_fields[] = {
	SCALAR("directory", SCALAR_JOURNAL_DIRECTORY),
	SCALAR("segment_bytes", SCALAR_JOURNAL_SEGMENT_BYTES),
	SCALAR("segments", SCALAR_JOURNAL_SEGMENTS),
	SCALAR("snapshot_segments", SCALAR_JOURNAL_SNAPSHOT_SEGMENTS),
	SCALAR("depth", SCALAR_JOURNAL_DEPTH),
	SCALAR("memory_backed", SCALAR_JOURNAL_MEMORY_BACKED),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field quorums_fields[] = {
	SCALAR("kind", SCALAR_QUORUMS_KIND),
	SCALAR("q1", SCALAR_QUORUMS_Q1),
	SCALAR("q2", SCALAR_QUORUMS_Q2),
	SCALAR("rows", SCALAR_QUORUMS_ROWS),
	SCALAR("columns", SCALAR_QUORUMS_COLUMNS),
	LIST("phase1", struct document, phase1, &entry_set),
	LIST("phase2", struct document, phase2, &entry_set),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field stages_fields[] = {
	TEXT("io", struct document_node, io),
	TEXT("leader", struct document_node, leader),
	LIST("acceptors", struct document_node, acceptors, &entry_text),
	TEXT("learner", struct document_node, learner),
	TEXT("journal", struct document_node, journal),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field replica_fields[] = {
	TEXT("id", struct document_node, id),
	TEXT("address", struct document_node, address),
	TEXT("mac", struct document_node, mac),
	LIST("ports", struct document_node, ports, &entry_text),
	TEXT("queues", struct document_node, queues),
	GROUP("stages", struct document_node, stages_fields),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field client_fields[] = {
	TEXT("name", struct document_node, name),
	TEXT("address", struct document_node, address),
	TEXT("mac", struct document_node, mac),
	LIST("ports", struct document_node, ports, &entry_text),
	TEXT("lcore", struct document_node, lcore),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_value entry_replica = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_node, replica_fields),
};

static const struct cyaml_schema_value entry_client = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct document_node, client_fields),
};

static const struct cyaml_schema_field tunable_keys[] = {
	TUNABLE("batch", TUNABLE_BATCH),
	TUNABLE("linger_us", TUNABLE_LINGER_US),
	TUNABLE("window", TUNABLE_WINDOW),
	TUNABLE("idle", TUNABLE_IDLE),
	TUNABLE("packing", TUNABLE_PACKING),
	TUNABLE("heartbeat_us", TUNABLE_HEARTBEAT_US),
	TUNABLE("election_timeout_ms", TUNABLE_ELECTION_TIMEOUT_MS),
	TUNABLE("progress_timeout_ms", TUNABLE_PROGRESS_TIMEOUT_MS),
	TUNABLE("retransmit_us", TUNABLE_RETRANSMIT_US),
	TUNABLE("commit_idle_us", TUNABLE_COMMIT_IDLE_US),
	TUNABLE("lag_max", TUNABLE_LAG_MAX),
	TUNABLE("lag_timeout_ms", TUNABLE_LAG_TIMEOUT_MS),
	TUNABLE("handover_ms", TUNABLE_HANDOVER_MS),
	CYAML_FIELD_END,
};

static const struct cyaml_schema_field document_fields[] = {
	GROUP("cluster", struct document, cluster_fields),
	SCALAR("mtu", SCALAR_MTU),
	SCALAR("udp_port", SCALAR_UDP_PORT),
	SCALAR("state_machine", SCALAR_STATE_MACHINE),
	GROUP("kv", struct document, kv_fields),
	SCALAR("sessions_max", SCALAR_SESSIONS_MAX),
	SCALAR("durability", SCALAR_DURABILITY),
	SCALAR("integrity", SCALAR_INTEGRITY),
	SCALAR("shards", SCALAR_SHARDS),
	GROUP("log", struct document, log_fields),
	GROUP("journal", struct document, journal_fields),
	GROUP("quorums", struct document, quorums_fields),
	LIST("replicas", struct document, replicas, &entry_replica),
	LIST("clients", struct document, clients, &entry_client),
	GROUP("tunables", struct document, tunable_keys),
	CYAML_FIELD_END,
};

const struct cyaml_schema_value schema_document = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, document_fields),
};
