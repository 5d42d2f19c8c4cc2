/*
 * document.h - a cluster file as it is written: its keys and lists in a tree of text, before any
 * value is read.
 *
 * Owns:    the memory that libcyaml allocated for it, until document_free.
 * Never:   judges a value. It refuses what is not YAML, unknown and repeated keys, and a list or a
 *          mapping where a value belongs.
 * Upholds: a refusal names the key path and the line.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/complaint.h"
#include "config/tunables.h"

/* The scalars of a cluster, in the order of the table in config/scalars.c. */
enum scalar {
	SCALAR_CLUSTER_NAME,
	SCALAR_CLUSTER_ID,
	SCALAR_MTU,
	SCALAR_UDP_PORT,
	SCALAR_STATE_MACHINE,
	SCALAR_KV_CAPACITY,
	SCALAR_KV_VALUE_MAX,
	SCALAR_SESSIONS_MAX,
	SCALAR_DURABILITY,
	SCALAR_INTEGRITY,
	SCALAR_SHARDS,
	SCALAR_LOG_MEBIBYTES,
	SCALAR_JOURNAL_DIRECTORY,
	SCALAR_JOURNAL_SEGMENT_BYTES,
	SCALAR_JOURNAL_SEGMENTS,
	SCALAR_JOURNAL_SNAPSHOT_SEGMENTS,
	SCALAR_JOURNAL_DEPTH,
	SCALAR_JOURNAL_MEMORY_BACKED,
	SCALAR_QUORUMS_KIND,
	SCALAR_QUORUMS_Q1,
	SCALAR_QUORUMS_Q2,
	SCALAR_QUORUMS_ROWS,
	SCALAR_QUORUMS_COLUMNS,
	SCALAR_COUNT
};

/* What a replica or a client says of itself; a key that the file does not have is NULL. */
struct document_node {
	char *id;
	char *name;
	char *address;
	char *mac;
	char *queues;
	char *lcore;
	char **ports;
	uint32_t ports_count;
	char *io;
	char *leader;
	char *learner;
	char *journal;
	char **acceptors;
	uint32_t acceptors_count;
};

struct document {
	char *scalars[SCALAR_COUNT];
	char *tunables[TUNABLE_COUNT];
	uint32_t *phase1; /* Sets of member ids as bits. */
	uint32_t *phase2;
	uint32_t phase1_count;
	uint32_t phase2_count;
	struct document_node *replicas;
	struct document_node *clients;
	uint32_t replicas_count;
	uint32_t clients_count;
};

/* NULL: a complaint was made. */
struct document *document_load(const char *text, size_t bytes, struct complaint *c);
void document_free(struct document *d);

#endif
