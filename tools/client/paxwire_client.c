#include "tools/client/paxwire_client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "consensus/kv_command.h"
#include "tools/client/engine.h"

enum {
	MTU_MIN = 576,
	RETRY_US_MIN = 100,
	RETRY_US_MAX = 10000000,
};

static_assert((int)PAXWIRE_REPLICAS_MAX == (int)MEMBER_MAX, "as many as the protocol has");
static_assert((int)PAXWIRE_KV_HEAD_BYTES == (int)sizeof(struct kv_command_cas), "the longest");

/* A client is its engine, a future its operation: one allocation, one list. */
struct paxwire_client {
	struct engine engine;
};

struct paxwire_future {
	struct operation operation;
};

const char *paxwire_status_text(enum paxwire_status status)
{
	switch (status) {
	case PAXWIRE_OK:
		return "ok";
	case PAXWIRE_NOT_FOUND:
		return "not found";
	case PAXWIRE_MISMATCH:
		return "mismatch";
	case PAXWIRE_FULL:
		return "full";
	case PAXWIRE_BAD_COMMAND:
		return "bad command";
	case PAXWIRE_TOO_LARGE:
		return "too large";
	case PAXWIRE_BUSY:
		return "busy";
	case PAXWIRE_STALE:
		return "stale";
	case PAXWIRE_EXPIRED:
		return "expired";
	case PAXWIRE_UNKNOWN:
		return "unknown";
	case PAXWIRE_CLOSED:
		return "closed";
	}
	return "no status";
}

void paxwire_options_init(struct paxwire_options *options)
{
	*options = (struct paxwire_options){
		.mtu = 1500,
		.udp_port = 7400,
		.outstanding_max = 64,
		.retry_us = 20000,
		.timeout_ms = 10000,
	};
}

/* ---- The cluster ---- */

static bool members_of_file(const char *path, struct channel_settings *s, char *error, size_t size)
{
	struct config *config = malloc(sizeof(*config));
	bool right = config != NULL && config_load(path, config, error, size);

	if (config == NULL)
		snprintf(error, size, "%s: there is no memory to read it.", path);
	for (uint32_t i = 0; right && i < config->replicas_count; i++) {
		const struct address *a = &config->replicas[i].address;

		if (a->version != 4) {
			snprintf(error, size,
				"%s: replicas[%u].address: this client speaks IPv4 only.", path, i);
			right = false;
		}
		memcpy(&s->addresses[i], a->bytes, sizeof(s->addresses[i]));
	}
	if (right) {
		s->cluster = config->cluster_id;
		s->members = config->replicas_count;
		s->mtu = config->mtu;
		s->udp_port = (uint16_t)config->udp_port;
	}
	free(config);
	return right;
}

static bool members_of_options(const struct paxwire_options *o, struct channel_settings *s,
	char *error, size_t size)
{
	if (o->replicas == NULL || o->replicas_count < 1 || o->replicas_count > MEMBER_MAX) {
		snprintf(error, size,
			"no cluster is given: give its file, or the addresses of 1 to %d replicas.",
			MEMBER_MAX);
		return false;
	}
	if (o->mtu < MTU_MIN || o->mtu > MTU_MAX || o->udp_port == 0 || o->cluster_id == 0) {
		snprintf(error, size,
			"cluster_id and udp_port are from 1, mtu is from %d to %d: give those of the "
			"cluster's file.",
			MTU_MIN, MTU_MAX);
		return false;
	}
	for (uint32_t i = 0; i < o->replicas_count; i++)
		if (inet_pton(AF_INET, o->replicas[i], &s->addresses[i]) != 1) {
			snprintf(error, size,
				"replica %u: '%s' is no IPv4 address: give one as 192.168.10.1.", i,
				o->replicas[i]);
			return false;
		}
	s->cluster = o->cluster_id;
	s->members = o->replicas_count;
	s->mtu = o->mtu;
	s->udp_port = o->udp_port;
	return true;
}

static bool limits_right(const struct paxwire_options *o, char *error, size_t size)
{
	if (o->outstanding_max >= 1 && o->outstanding_max <= PAXWIRE_OUTSTANDING_MAX &&
		o->batch_max <= RUN_COUNT_MAX && o->retry_us >= RETRY_US_MIN &&
		o->retry_us <= RETRY_US_MAX)
		return true;
	snprintf(error, size,
		"outstanding_max is from 1 to %d, batch_max from 0 to %d, retry_us from %d to %d: give "
		"numbers in these ranges.",
		PAXWIRE_OUTSTANDING_MAX, RUN_COUNT_MAX, RETRY_US_MIN, RETRY_US_MAX);
	return false;
}

static bool own_address(const struct paxwire_options *o, struct channel_settings *s, char *error,
	size_t size)
{
	if (o->address == NULL || inet_pton(AF_INET, o->address, &s->own) == 1)
		return true;
	snprintf(error, size, "the own address '%s' is no IPv4 address: give one as 192.168.10.9.",
		o->address);
	return false;
}

struct paxwire_client *paxwire_open(const struct paxwire_options *options, char *error, size_t size)
{
	struct channel_settings cluster = {.own.s_addr = INADDR_ANY};
	struct paxwire_client *client;

	if (!limits_right(options, error, size) || !own_address(options, &cluster, error, size) ||
		!(options->config != NULL ? members_of_file(options->config, &cluster, error, size)
					  : members_of_options(options, &cluster, error, size)))
		return NULL;
	client = aligned_alloc(_Alignof(struct paxwire_client), sizeof(*client));
	if (client == NULL) {
		snprintf(error, size, "there is no memory for a client.");
		return NULL;
	}
	memset(client, 0, sizeof(*client));
	if (engine_start(&client->engine, &cluster, options, error, size))
		return client;
	free(client);
	return NULL;
}

void paxwire_close(struct paxwire_client *client)
{
	engine_stop(&client->engine);
	free(client);
}

/* ---- Commands ---- */

uint32_t paxwire_command_max(const struct paxwire_client *client)
{
	return client->engine.operations.command_max;
}

enum paxwire_status paxwire_submit(struct paxwire_client *client, enum paxwire_kind kind,
	const void *command, uint32_t bytes,
	void (*done)(void *context, const struct paxwire_answer *answer), void *context)
{
	enum paxwire_status status;

	operation_submit(&client->engine.operations, kind, command, bytes, done, context, &status);
	return status;
}

struct paxwire_future *paxwire_submit_future(struct paxwire_client *client, enum paxwire_kind kind,
	const void *command, uint32_t bytes, enum paxwire_status *status)
{
	return (struct paxwire_future *)(void *)operation_submit(&client->engine.operations, kind,
		command, bytes, NULL, NULL, status);
}

bool paxwire_wait(struct paxwire_future *future, uint32_t timeout_ms, struct paxwire_answer *answer)
{
	return operation_wait(&future->operation, timeout_ms, answer);
}

void paxwire_release(struct paxwire_future *future)
{
	operation_release(&future->operation);
}

void paxwire_count(struct paxwire_client *client, struct paxwire_counters *counters)
{
	struct engine *e = &client->engine;

	pthread_mutex_lock(&e->operations.lock);
	*counters = e->counters;
	pthread_mutex_unlock(&e->operations.lock);
}

/* ---- Key-value commands ---- */

static uint32_t kv_command(void *command, enum kv_operation operation, uint64_t key,
	const void *value, uint32_t bytes)
{
	const struct kv_command head = {.operation = (uint8_t)operation, .key = key};

	memcpy(command, &head, sizeof(head));
	if (bytes > 0)
		memcpy((uint8_t *)command + sizeof(head), value, bytes);
	return (uint32_t)sizeof(head) + bytes;
}

uint32_t paxwire_kv_get(void *command, uint64_t key)
{
	return kv_command(command, KV_GET, key, NULL, 0);
}

uint32_t paxwire_kv_put(void *command, uint64_t key, const void *value, uint32_t bytes)
{
	return kv_command(command, KV_PUT, key, value, bytes);
}

uint32_t paxwire_kv_delete(void *command, uint64_t key)
{
	return kv_command(command, KV_DELETE, key, NULL, 0);
}

uint32_t paxwire_kv_cas(void *command, uint64_t key, uint64_t expected, const void *value,
	uint32_t bytes)
{
	const struct kv_command_cas head = {
		.command = {.operation = KV_CAS, .key = key},
		.expected = expected,
	};

	memcpy(command, &head, sizeof(head));
	if (bytes > 0)
		memcpy((uint8_t *)command + sizeof(head), value, bytes);
	return (uint32_t)sizeof(head) + bytes;
}
