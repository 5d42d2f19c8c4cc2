#include "config/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REPLICA(key_, member, ...) \
	FIELD_ROW(key_, FIELD_UINT, struct config_replica, member, __VA_ARGS__)
#define LCORE(key_, member, about_) \
	REPLICA(key_, member, .max = CONFIG_LCORE_MAX, .required = true, .about = about_)

static const struct field replica_id = REPLICA("id", id, .max = MEMBER_MAX - 1, .required = true,
	.about = "its number, counted from 0");
static const struct field replica_queues = REPLICA("queues", queues, .min = 1,
	.max = CONFIG_QUEUES_MAX, .preset = "1", .about = "RX and TX queues of each of its ports");
static const struct field replica_io =
	LCORE("stages.io", stages.io, "the lcore that polls its ports");
static const struct field replica_leader =
	LCORE("stages.leader", stages.leader, "the lcore that proposes");
static const struct field replica_learner =
	LCORE("stages.learner", stages.learner, "the lcore that delivers and applies");
/* Read only when there is a journal. */
static const struct field replica_journal =
	LCORE("stages.journal", stages.journal, "the lcore that writes its journal");
static const struct field client_name = FIELD_ROW("name", FIELD_TEXT, struct config_client, name,
	.min = 1, .max = CONFIG_NAME_MAX, .required = true, .about = "a name for it");
static const struct field client_lcore = FIELD_ROW("lcore", FIELD_UINT, struct config_client, lcore,
	.max = CONFIG_LCORE_MAX, .required = true, .about = "the lcore on which it makes load");

static bool read_port(struct config_ports *ports, const char *key, const char *text,
	struct complaint *c)
{
	const struct field row = {.key = key,
		.kind = FIELD_TEXT,
		.min = 1,
		.max = CONFIG_DEVARGS_MAX,
		.offset = 0};

	if (!field_set(&row, ports->devargs[ports->count], "", text, c))
		return false;
	for (uint32_t i = 0; i < ports->count; i++) {
		if (strcmp(ports->devargs[i], text) == 0)
			return complain(c, key, "'%.40s' stands twice, give each port once", text);
	}
	ports->count++;
	return true;
}

static bool read_ports(struct config_ports *ports, const struct document_node *from,
	const char *parent, struct complaint *c)
{
	char list[COMPLAINT_KEY_MAX];
	char key[COMPLAINT_KEY_MAX];
	bool ring = false;

	key_join(list, parent, "ports");
	if (from->ports_count == 0)
		return complain(c, list,
			"is empty, give devargs such as [\"net_af_packet0,iface=eth0\"], or [ring]");
	if (from->ports_count > CONFIG_PORTS_MAX)
		return complain(c, list, "has %" PRIu32 " ports, give at most %d",
			from->ports_count, CONFIG_PORTS_MAX);
	for (uint32_t i = 0; i < from->ports_count; i++) {
		key_index(key, list, i);
		if (!read_port(ports, key, from->ports[i], c))
			return false;
		ring = ring || strcmp(from->ports[i], CONFIG_PORT_RING) == 0;
	}
	if (ring && ports->count > 1)
		return complain(c, list, "has ring beside another port, give either");
	return true;
}

static bool read_address(struct address *address, bool *mac_given, uint8_t mac[ADDRESS_MAC_BYTES],
	const struct document_node *from, const char *parent, struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];

	key_join(key, parent, "address");
	if (from->address == NULL)
		return complain(c, key, "is missing, give its IPv4 or IPv6 address");
	if (!address_set(address, key, from->address, c))
		return false;
	key_join(key, parent, "mac");
	*mac_given = from->mac != NULL;
	return !*mac_given || mac_set(mac, key, from->mac, c);
}

static bool read_acceptors(struct config_stages *stages, uint32_t shards,
	const struct document_node *from, const char *parent, struct complaint *c)
{
	char list[COMPLAINT_KEY_MAX];
	char key[COMPLAINT_KEY_MAX];

	key_join(list, parent, "stages.acceptors");
	if (from->acceptors_count != shards)
		return complain(c, list,
			"has %" PRIu32 " lcores for %" PRIu32
			" shards, give one lcore for each shard",
			from->acceptors_count, shards);
	for (uint32_t i = 0; i < shards; i++) {
		const struct field row = {.key = key,
			.kind = FIELD_UINT,
			.max = CONFIG_LCORE_MAX,
			.offset = i * sizeof(stages->acceptors[0])};

		key_index(key, list, i);
		if (!field_set(&row, stages->acceptors, "", from->acceptors[i], c))
			return false;
	}
	return true;
}

static bool read_replica(struct config_replica *r, const struct config *config,
	const struct document_node *from, const char *parent, struct complaint *c)
{
	return field_set(&replica_id, r, parent, from->id, c) &&
		read_address(&r->address, &r->mac_given, r->mac, from, parent, c) &&
		read_ports(&r->ports, from, parent, c) &&
		field_set(&replica_queues, r, parent, from->queues, c) &&
		field_set(&replica_io, r, parent, from->io, c) &&
		field_set(&replica_leader, r, parent, from->leader, c) &&
		read_acceptors(&r->stages, config->shards, from, parent, c) &&
		field_set(&replica_learner, r, parent, from->learner, c) &&
		(config->durability == DURABILITY_NONE ||
			field_set(&replica_journal, r, parent, from->journal, c));
}

static bool read_client(struct config_client *l, const struct document_node *from,
	const char *parent, struct complaint *c)
{
	return field_set(&client_name, l, parent, from->name, c) &&
		read_address(&l->address, &l->mac_given, l->mac, from, parent, c) &&
		read_ports(&l->ports, from, parent, c) &&
		field_set(&client_lcore, l, parent, from->lcore, c);
}

/* A node's place in the file with what no two nodes may share. */
struct node {
	char key[COMPLAINT_KEY_MAX];
	const struct address *address;
	const uint8_t *mac; /* NULL: not given. */
	const struct config_ports *ports;
};

static uint32_t list_nodes(const struct config *config, struct node *nodes)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->replicas_count; i++) {
		const struct config_replica *r = &config->replicas[i];

		key_index(nodes[n].key, "replicas", i);
		nodes[n].address = &r->address;
		nodes[n].mac = r->mac_given ? r->mac : NULL;
		nodes[n++].ports = &r->ports;
	}
	for (uint32_t i = 0; i < config->clients_count; i++) {
		const struct config_client *l = &config->clients[i];

		key_index(nodes[n].key, "clients", i);
		nodes[n].address = &l->address;
		nodes[n].mac = l->mac_given ? l->mac : NULL;
		nodes[n++].ports = &l->ports;
	}
	return n;
}

static bool is_ring(const struct config_ports *ports)
{
	return strcmp(ports->devargs[0], CONFIG_PORT_RING) == 0;
}

static bool check_pair(const struct node *a, const struct node *b, struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];

	key_join(key, b->key, "address");
	if (address_equal(a->address, b->address))
		return complain(c, key, "is also the address of %s, give each node its own",
			a->key);
	if (a->address->version != b->address->version)
		return complain(c, key,
			"is IPv%d where %s has IPv%d, give all nodes addresses of one kind",
			b->address->version, a->key, a->address->version);
	key_join(key, b->key, "mac");
	if (a->mac != NULL && b->mac != NULL && memcmp(a->mac, b->mac, ADDRESS_MAC_BYTES) == 0)
		return complain(c, key, "is also the mac of %s, give each node its own", a->key);
	key_join(key, b->key, "ports");
	if (is_ring(a->ports) != is_ring(b->ports))
		return complain(c, key,
			"is ring for some nodes only (not like %s), give ring to all nodes or to none",
			a->key);
	return true;
}

static bool check_nodes(const struct config *config, struct complaint *c)
{
	struct node nodes[MEMBER_MAX + CONFIG_CLIENTS_MAX];
	uint32_t n = list_nodes(config, nodes);

	for (uint32_t b = 1; b < n; b++) {
		for (uint32_t a = 0; a < b; a++) {
			if (!check_pair(&nodes[a], &nodes[b], c))
				return false;
		}
	}
	if (nodes[0].address->version == 6 && config->mtu < 1280)
		return complain(c, "mtu",
			"%" PRIu32 " is too small for IPv6 addresses, give at least 1280",
			config->mtu);
	return true;
}

static bool check_ids(const struct config *config, struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];
	char parent[COMPLAINT_KEY_MAX];
	uint32_t n = config->replicas_count;

	for (uint32_t b = 0; b < n; b++) {
		uint32_t id = config->replicas[b].id;

		key_index(parent, "replicas", b);
		key_join(key, parent, "id");
		if (id >= n)
			return complain(c, key,
				"%" PRIu32 " is too high for %" PRIu32
				" replicas, give each one id from 0 to %" PRIu32,
				id, n, n - 1);
		for (uint32_t a = 0; a < b; a++) {
			if (config->replicas[a].id == id)
				return complain(c, key,
					"%" PRIu32 " is also the id of replicas[%" PRIu32
					"], give each one id from 0 to %" PRIu32,
					id, a, n - 1);
		}
	}
	return true;
}

static bool check_names(const struct config *config, struct complaint *c)
{
	for (uint32_t b = 1; b < config->clients_count; b++) {
		for (uint32_t a = 0; a < b; a++) {
			char parent[COMPLAINT_KEY_MAX];
			char key[COMPLAINT_KEY_MAX];

			if (strcmp(config->clients[a].name, config->clients[b].name) != 0)
				continue;
			key_index(parent, "clients", b);
			key_join(key, parent, "name");
			return complain(c, key,
				"is also the name of clients[%" PRIu32
				"], give each client its own",
				a);
		}
	}
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct config_replica *left = a;
	const struct config_replica *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static bool check_counts(const struct document *d, struct complaint *c)
{
	if (d->replicas_count == 0)
		return complain(c, "replicas", "is empty, give from 1 to %d replicas", MEMBER_MAX);
	if (d->replicas_count > MEMBER_MAX)
		return complain(c, "replicas", "has %" PRIu32 " replicas, give at most %d",
			d->replicas_count, MEMBER_MAX);
	if (d->clients_count > CONFIG_CLIENTS_MAX)
		return complain(c, "clients", "has %" PRIu32 " clients, give at most %d",
			d->clients_count, CONFIG_CLIENTS_MAX);
	return true;
}

bool members_read(const struct document *d, struct config *config, struct complaint *c)
{
	char parent[COMPLAINT_KEY_MAX];

	if (!check_counts(d, c))
		return false;
	config->replicas_count = d->replicas_count;
	for (uint32_t i = 0; i < d->replicas_count; i++) {
		key_index(parent, "replicas", i);
		if (!read_replica(&config->replicas[i], config, &d->replicas[i], parent, c))
			return false;
	}
	config->clients_count = d->clients_count;
	for (uint32_t i = 0; i < d->clients_count; i++) {
		key_index(parent, "clients", i);
		if (!read_client(&config->clients[i], &d->clients[i], parent, c))
			return false;
	}
	if (!check_ids(config, c) || !check_nodes(config, c) || !check_names(config, c))
		return false;

	/* Complaints speak of places in the file: only now by id. */
	qsort(config->replicas, config->replicas_count, sizeof(config->replicas[0]), by_id);
	return true;
}
