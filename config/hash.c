#include <string.h>

#include "config/config.h"

/* FNV-1a, 64 bits: it guards against two files that differ, not against an enemy. */
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static void add_bytes(uint64_t *hash, const void *bytes, size_t count)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < count; i++)
		*hash = (*hash ^ b[i]) * FNV_PRIME;
}

/* The same on machines of either byte order. */
static void add_number(uint64_t *hash, uint32_t v)
{
	const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
		(uint8_t)(v >> 24)};

	add_bytes(hash, bytes, sizeof(bytes));
}

static void add_quorums(uint64_t *hash, const struct config_quorums *q)
{
	add_number(hash, q->kind);
	add_number(hash, q->q1);
	add_number(hash, q->q2);
	add_number(hash, q->rows);
	add_number(hash, q->columns);
	add_number(hash, q->phase1_count);
	for (uint32_t i = 0; i < q->phase1_count; i++)
		add_number(hash, q->phase1[i]);
	add_number(hash, q->phase2_count);
	for (uint32_t i = 0; i < q->phase2_count; i++)
		add_number(hash, q->phase2[i]);
}

uint64_t config_hash(const struct config *config)
{
	uint64_t hash = FNV_OFFSET;

	add_bytes(&hash, config->name, strlen(config->name) + 1);
	add_number(&hash, config->cluster_id);
	add_number(&hash, config->mtu);
	add_number(&hash, config->udp_port);
	add_number(&hash, config->state_machine);
	add_number(&hash, config->kv_capacity);
	add_number(&hash, config->kv_value_max);
	/* Eviction is a step of the state machine: all replicas evict alike. */
	add_number(&hash, config->sessions_max);
	add_number(&hash, config->durability);
	add_number(&hash, config->integrity);
	add_number(&hash, config->shards);
	add_number(&hash, BLOCK);
	add_number(&hash, SESSION_WINDOW);
	add_quorums(&hash, &config->quorums);
	add_number(&hash, config->replicas_count);
	for (uint32_t i = 0; i < config->replicas_count; i++) {
		add_number(&hash, config->replicas[i].address.version);
		add_bytes(&hash, config->replicas[i].address.bytes,
			sizeof(config->replicas[i].address.bytes));
	}
	return hash;
}
