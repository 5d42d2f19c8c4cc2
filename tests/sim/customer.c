#include "tests/sim/customer.h"

#include <string.h>

#include "consensus/check.h"

/* Of no session: what a reply repeats, and the client half does not know. */
#define READ_SESSION (UINT64_MAX - 1)
/* No instance is that high: such a session can not be. */
#define STRANGER_SESSION (1ull << 62)
#define READ_RETRY_NS 2000000u
#define READS_EVERY_NS 500000u
#define READ_SOON_NS 200000u

/* The same for every copy of a command, and different for any two. */
static uint32_t value_of(void *context, uint32_t session, uint64_t sequence, uint8_t *value)
{
	uint64_t word = (session + 1) * 0x9e3779b97f4a7c15ull + sequence;
	uint32_t length = (uint32_t)(word % (CUSTOMER_VALUE_MAX + 1));

	(void)context;
	for (uint32_t i = 0; i < length; i++)
		value[i] = (uint8_t)(word >> (i % 8 * 8));
	return length;
}

static void want_one(struct customer *c, uint32_t session)
{
	if (c->wanted >= c->limit)
		return;
	c->wanted++;
	client_want(&c->client, session, 1);
}

static void done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	struct customer *c = context;

	(void)sent_ns;
	if (reply_status(reply) == REPLY_OK)
		oracle_on_acknowledged(c->oracle, id, sequence, reply->result);
	else
		oracle_violation(c->oracle, "answer: a command was answered with status %u",
			(unsigned)reply_status(reply));
	want_one(c, session);
}

void customer_init(struct customer *c, struct network *network, struct oracle *oracle,
	struct trace *trace, struct random *random, uint32_t members, uint32_t sessions)
{
	const struct client_settings settings = {
		.members = members,
		.window = 1 + (uint32_t)random_below(random, SESSION_WINDOW),
		.body_max = PACKET_BYTES_MAX - HEADER_BYTES,
		.batch = 1 + (uint32_t)random_below(random, 8),
		.retry_ns = 3000000,
		.seed = random_next(random),
		.value_max = CUSTOMER_VALUE_MAX,
		.value = value_of,
		.done = done,
		.context = c,
	};

	CHECK(client_bytes(sessions) <= CUSTOMER_MEMORY);
	c->network = network;
	c->random = random;
	c->floods = false;
	c->oracle = oracle;
	c->trace = trace;
	c->now_ns = 0;
	c->next_ns = 1;
	c->reads_ns = 1;
	c->every_ns = 50000 + random_below(random, 3000000);
	c->wanted = 0;
	c->limit = UINT64_MAX;
	c->counter = 0;
	c->read_next = 0;
	for (uint32_t i = 0; i < CUSTOMER_READS; i++)
		c->reads[i] = (struct customer_read){.retry_ns = UINT64_MAX};
	client_init(&c->client, &settings, sessions, c->memory);
	for (uint32_t i = 0; i < sessions * settings.window; i++)
		want_one(c, i % sessions);
}

void customer_stop(struct customer *c, uint64_t limit)
{
	c->limit = limit;
}

/* Writes a request to `packet`; returns its length. */
static uint16_t seal_request(struct customer *c, uint8_t *packet, struct message *m,
	const void *body, uint32_t count, uint32_t bytes)
{
	m->type = MESSAGE_REQUEST;
	m->count = (uint16_t)count;
	m->cluster = 1;
	m->counter = c->counter++;
	m->sender = MESSAGE_SENDER_CLIENT;
	m->payload_len = (uint16_t)bytes;
	m->checksum = message_crc(body, bytes);
	message_encode(m, packet);
	memcpy(packet + HEADER_BYTES, body, bytes);
	return (uint16_t)(HEADER_BYTES + bytes);
}

/* A command of a session that was never opened: it costs an instance, and does nothing. */
static void send_stranger(struct customer *c, uint16_t to)
{
	uint8_t packet[HEADER_BYTES + ENTRY_BYTES];
	struct message m = {0};
	const struct entry e = {
		.session = STRANGER_SESSION + random_below(c->random, 1u << 20),
		.sequence_length = entry_pack(ENTRY_COMMAND, random_below(c->random, 9), 0),
	};
	uint16_t length = seal_request(c, packet, &m, &e, 1, sizeof(e));

	network_send(c->network, c->now_ns, MEMBER_MAX, to, packet, length);
}

/* The frame goes on its way again and again, and strange ones with it. */
static void flood(struct customer *c, const uint8_t *packet, uint16_t length)
{
	for (uint32_t i = 0; i < CUSTOMER_FLOOD; i++) {
		uint16_t to = (uint16_t)random_below(c->random, c->client.settings.members);

		coverage_hit(c->network->coverage, FAULT_OVERLOAD, c->network->states[to]);
		network_send(c->network, c->now_ns, MEMBER_MAX, to, packet, length);
		send_stranger(c, to);
	}
}

static void send(struct customer *c, uint16_t to, uint8_t flags, const void *body, uint32_t count,
	uint32_t bytes)
{
	uint8_t packet[PACKET_BYTES_MAX];
	struct message m = {.flags = flags};
	uint16_t length = seal_request(c, packet, &m, body, count, bytes);

	trace_message(c->trace, c->now_ns, MEMBER_MAX, "sends", to, &m);
	network_send(c->network, c->now_ns, MEMBER_MAX, to, packet, length);
	if (c->floods)
		flood(c, packet, length);
}

static void send_read(struct customer *c, struct customer_read *read)
{
	const struct entry e = {
		.session = READ_SESSION,
		.sequence_length = entry_pack(ENTRY_COMMAND, read->sequence, 0),
	};

	if (read->unheard)
		read->to = (uint16_t)((read->to + 1u) % c->client.settings.members);
	read->unheard = true;
	read->retry_ns = c->now_ns + READ_RETRY_NS;
	send(c, read->to, read->flags, &e, 1, sizeof(e));
}

/* All kinds, at all members. */
static uint8_t flags_of(const struct customer *c, uint64_t sequence)
{
	const uint8_t kinds[] = {FLAG_READ, FLAG_READ_ANY, FLAG_READ_ANY, FLAG_READ_STALE};

	return kinds[sequence / c->client.settings.members % sizeof(kinds)];
}

/* New ones, as long as commands are asked for; and those that nobody answered. */
static void ask_reads(struct customer *c)
{
	for (uint32_t i = 0; i < CUSTOMER_READS; i++) {
		struct customer_read *read = &c->reads[c->read_next % CUSTOMER_READS];

		if (read->retry_ns != UINT64_MAX || c->wanted >= c->limit)
			break;
		*read = (struct customer_read){
			.sequence = c->read_next,
			.seen = c->oracle->seen,
			.retry_ns = c->now_ns,
			.to = (uint16_t)(c->read_next % c->client.settings.members),
			.flags = flags_of(c, c->read_next),
		};
		c->read_next++;
	}
	for (uint32_t i = 0; i < CUSTOMER_READS; i++)
		if (c->reads[i].retry_ns <= c->now_ns)
			send_read(c, &c->reads[i]);
}

static void on_read(struct customer *c, const struct message *m, const struct reply *r)
{
	struct customer_read *read = &c->reads[reply_sequence(r) % CUSTOMER_READS];

	if (read->sequence != reply_sequence(r) || read->retry_ns == UINT64_MAX)
		return;
	switch (reply_status(r)) {
	case REPLY_OK:
		if ((m->flags & FLAG_READ_STALE) != 0)
			oracle_on_stale_read(c->oracle, m->watermark, r->result);
		else
			oracle_on_read(c->oracle, read->seen, r->result);
		if (((m->flags & FLAG_READ_STALE) != 0) != (read->flags == FLAG_READ_STALE))
			oracle_violation(c->oracle,
				"answer: a stale read is not marked, or another one is");
		read->retry_ns = UINT64_MAX;
		return;
	case REPLY_REDIRECT:
		read->to = (uint16_t)r->result;
		read->unheard = false;
		read->retry_ns = c->now_ns;
		return;
	case REPLY_BUSY:
		read->retry_ns = c->now_ns + READ_SOON_NS;
		return;
	default:
		oracle_violation(c->oracle, "answer: a read was answered with status %u",
			(unsigned)reply_status(r));
	}
}

void customer_turn(struct customer *c, uint64_t now_ns)
{
	_Alignas(8) uint8_t body[PACKET_BYTES_MAX];
	uint32_t bytes;
	uint32_t count;

	c->now_ns = now_ns;
	if (now_ns >= c->reads_ns) {
		c->reads_ns = now_ns + READS_EVERY_NS;
		ask_reads(c);
	}
	if (now_ns < c->next_ns)
		return;
	c->next_ns = now_ns + c->every_ns;
	while ((count = client_fill(&c->client, body, &bytes, now_ns)) > 0)
		send(c, (uint16_t)c->client.leader, 0, body, count, bytes);
	while ((count = client_fill_retries(&c->client, body, &bytes, now_ns)) > 0)
		send(c, (uint16_t)c->client.leader, 0, body, count, bytes);
}

bool customer_receive(struct customer *c, const struct packet *packet, uint64_t now_ns)
{
	struct message m;

	c->now_ns = now_ns;
	if (message_decode(packet->bytes, packet->length, &m) != DROP_NONE || m.cluster != 1 ||
		m.epoch != 0 || m.type != MESSAGE_REPLY)
		return false;
	trace_message(c->trace, now_ns, MEMBER_MAX, "hears", packet->from, &m);
	const uint8_t *body = packet->bytes + HEADER_BYTES;

	client_on_reply(&c->client, &m, body, now_ns);
	for (uint32_t i = 0; i < m.count; i++) {
		const struct reply *r = (const struct reply *)(const void *)body;

		if (r->session == READ_SESSION)
			on_read(c, &m, r);
		body += sizeof(*r) + (reply_length(r) + 7) / 8 * 8;
	}
	return true;
}

bool customer_open(const struct customer *c)
{
	return c->client.opened == c->client.count;
}

bool customer_idle(const struct customer *c)
{
	for (uint32_t i = 0; i < CUSTOMER_READS; i++)
		if (c->reads[i].retry_ns != UINT64_MAX)
			return false;
	return c->wanted >= c->limit && c->client.outstanding == 0 && c->client.ready_count == 0;
}
