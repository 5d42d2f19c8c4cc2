/*
 * config.h - a cluster as its YAML file describes it: members, quorums, limits, placement.
 *
 * Owns:    nothing; struct config is a plain value without pointers, to be copied freely.
 * Never:   prints or exits: a refusal is one sentence, and main prints it.
 * Upholds: what config_load accepted keeps every rule of config/README.md, and its quorums
 *          intersect; replicas[i].id == i.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/address.h"
#include "config/tunables.h"
#include "consensus/durability.h"
#include "consensus/journal_segments.h"
#include "consensus/limits.h"
#include "consensus/quorum.h"

enum {
	CONFIG_PATH_MAX = 255,
	CONFIG_NAME_MAX = 31,
	CONFIG_PORTS_MAX = 8,       /* Ports of one replica or client. */
	CONFIG_DEVARGS_MAX = 255,   /* Characters of one port's devargs. */
	CONFIG_CLIENTS_MAX = 16,    /* Known load generators. */
	CONFIG_QUEUES_MAX = 16,     /* RX and TX queues of one port. */
	CONFIG_DIRECTORY_MAX = 199, /* Characters of the journals' directory. */
	CONFIG_SEGMENTS_MAX = JOURNAL_SEGMENTS_MAX,
	CONFIG_LCORE_MAX = 127, /* RTE_MAX_LCORE of Debian's DPDK, less one. */
	CONFIG_FILE_BYTES_MAX = 1 << 20,
	KV_VALUE_BYTES_MAX = 4088, /* What a reply can say of a length, in whole words. */
	CONFIG_ERROR_MAX = 512,    /* Bytes that hold every sentence. */
};

/* The port of a node that lives in one process with its peers: net_ring, made by that process. */
#define CONFIG_PORT_RING "ring"

enum config_state_machine {
	STATE_MACHINE_NULL,
	STATE_MACHINE_KV,
};

enum config_integrity {
	INTEGRITY_CRC32C,
};

enum config_quorum_kind {
	QUORUM_KIND_MAJORITY,
	QUORUM_KIND_THRESHOLD,
	QUORUM_KIND_GRID,
	QUORUM_KIND_EXPLICIT,
};

struct config_quorums {
	enum config_quorum_kind kind;
	uint32_t q1, q2;        /* threshold */
	uint32_t rows, columns; /* grid */
	/* explicit: sets of member ids as bits */
	uint32_t phase1_count, phase2_count;
	uint32_t phase1[QUORUM_SETS_MAX];
	uint32_t phase2[QUORUM_SETS_MAX];
};

struct config_ports {
	uint32_t count;
	char devargs[CONFIG_PORTS_MAX][CONFIG_DEVARGS_MAX + 1];
};

/* Where and how replicas keep their journals, unless durability is none. */
struct config_journal {
	char directory[CONFIG_DIRECTORY_MAX + 1]; /* Replica N's own is replica-N in it. */
	uint32_t segment_bytes;
	uint32_t segments;
	uint32_t snapshot_segments;
	uint32_t depth;
	bool memory_backed;
};

/* Which lcore runs which stage; several may name one lcore. */
struct config_stages {
	uint32_t io;
	uint32_t leader;
	uint32_t learner;
	uint32_t acceptors[SHARD_MAX]; /* One for each shard. */
	uint32_t journal;              /* Unless durability is none. */
};

struct config_replica {
	uint32_t id;
	struct address address;
	bool mac_given; /* Else learned by ARP. */
	uint8_t mac[ADDRESS_MAC_BYTES];
	struct config_ports ports;
	uint32_t queues;
	struct config_stages stages;
};

struct config_client {
	char name[CONFIG_NAME_MAX + 1];
	struct address address;
	bool mac_given;
	uint8_t mac[ADDRESS_MAC_BYTES];
	struct config_ports ports;
	uint32_t lcore;
};

struct config {
	char path[CONFIG_PATH_MAX + 1]; /* Of the file, for later sentences about it. */

	/* Equal among the replicas: config_hash covers these. */
	char name[CONFIG_NAME_MAX + 1];
	uint32_t cluster_id;
	uint32_t mtu;
	uint32_t udp_port;
	enum config_state_machine state_machine;
	uint32_t kv_capacity;
	uint32_t kv_value_max;
	uint32_t sessions_max;
	enum durability durability;
	enum config_integrity integrity;
	uint32_t shards;
	struct config_quorums quorums;

	/* A replica's own. */
	uint32_t log_mebibytes; /* Of all shards' logs together, a power of two. */
	struct config_journal journal;
	struct tunables tunables;

	uint32_t replicas_count;
	uint32_t clients_count;
	struct config_replica replicas[MEMBER_MAX];
	struct config_client clients[CONFIG_CLIENTS_MAX];
};

/* Reads and checks a file. False: `error` is one sentence that names the file and the key, says
 * what is wrong and what would be right; *config is not to be used. */
bool config_load(const char *path, struct config *config, char *error, size_t size);

/* The same from memory; `path` only names it. */
bool config_load_text(const char *path, const char *text, size_t bytes, struct config *config,
	char *error, size_t size);

/* The quorum system of a loaded configuration. */
enum quorum_result config_quorum(const struct config *config, struct quorum *quorum);

/* Equal for two files if and (but for chance, 2^-64) only if all that replicas must agree on is. */
uint64_t config_hash(const struct config *config);

/* Bytes of one shard's log, a power of two. */
uint64_t config_log_bytes(const struct config *config);

/* Are all nodes in one process, over rings? */
bool config_is_embedded(const struct config *config);

const char *config_state_machine_text(enum config_state_machine s);
const char *config_durability_text(enum durability d);
const char *config_integrity_text(enum config_integrity i);
const char *config_quorum_kind_text(enum config_quorum_kind k);

#endif
