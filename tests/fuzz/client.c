/*
 * client - the client's half stands whatever replies come: it never has more outstanding than its
 * window, reports nothing done that it did not send, ends each call, and fills bodies that a
 * replica accepts.
 *
 * The input is steps {u8 kind, ...}: time passes; commands are wanted and sent; retries are sent; a
 * member replies. A reply is {u8 session, u8 sequence, u8 status, u8 result}, each a choice among
 * what may mislead; its low bits choose.
 */
#include <string.h>

#include "consensus/check.h"
#include "consensus/client.h"
#include "tests/fuzz/fuzz.h"

enum {
	SESSIONS = 5,
	WINDOW = 3,
	MEMBERS = 3,
	MEMORY = 4096,
	VALUE_MAX = 24,
	BODY = 256,
	REPLIES_MAX = 8,
	STEPS_MAX = 512,
};

static _Alignas(64) uint8_t memory[MEMORY];
static _Alignas(8) uint8_t body[BODY];
static struct client client;
static uint64_t now_ns, sent, done_count;

static uint32_t value(void *context, uint32_t session, uint64_t sequence, uint8_t *to)
{
	uint32_t length = (uint32_t)(sequence + session) % (VALUE_MAX + 1);

	(void)context;
	memset(to, 0x5a, length);
	return length;
}

static void done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	(void)context;
	done_count++;
	CHECK(session < SESSIONS && client.sessions[session].id == id);
	CHECK(sequence < client.sessions[session].next && reply_sequence(reply) == sequence);
	CHECK(sent_ns <= now_ns && done_count <= sent);
}

static void start(void)
{
	const struct client_settings settings = {
		.members = MEMBERS,
		.window = WINDOW,
		.body_max = BODY,
		.batch = 6,
		.retry_ns = 1000,
		.seed = 3,
		.value_max = VALUE_MAX,
		.value = value,
		.done = done,
	};

	CHECK(client_bytes(SESSIONS) <= MEMORY);
	client_init(&client, &settings, SESSIONS, memory);
	now_ns = 1000;
	sent = 0;
	done_count = 0;
}

/* What goes out is a request that a replica accepts. */
static void then_request(uint32_t count, uint32_t bytes)
{
	uint8_t frame[HEADER_BYTES + BODY];
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.count = (uint16_t)count,
		.sender = MESSAGE_SENDER_CLIENT,
		.payload_len = (uint16_t)bytes,
		.checksum = bytes == 0 ? 0 : message_crc(body, bytes),
	};
	struct message decoded;

	if (count == 0)
		return;
	CHECK(bytes <= BODY && client.leader < MEMBERS);
	message_encode(&m, frame);
	memcpy(frame + HEADER_BYTES, body, bytes);
	CHECK(message_decode(frame, HEADER_BYTES + bytes, &decoded) == DROP_NONE);
}

static void then_consistent(void)
{
	uint32_t outstanding = 0;
	uint32_t opened = 0;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		const struct client_session *s = &client.sessions[i];

		outstanding += (uint32_t)__builtin_popcount(s->outstanding);
		opened += client_closed(s) ? 0 : 1;
		CHECK(client_closed(s) || s->next - s->base <= WINDOW);
	}
	CHECK(outstanding == client.outstanding && opened == client.opened);
	CHECK(client.ready_count <= SESSIONS);
}

static uint64_t session_of(uint8_t choice)
{
	switch (choice % 4) {
	case 0:
		return client.nonce + choice / 4 % (SESSIONS + 1);
	case 1:
	case 2:
		return client.sessions[choice / 4 % SESSIONS].id;
	default:
		return choice == 255 ? CLIENT_CLOSED : choice / 4;
	}
}

static uint64_t result_of(uint8_t choice)
{
	switch (choice % 8) {
	case 0:
		return UINT64_MAX - choice / 8;
	case 1:
		return client.sessions[choice / 8 % SESSIONS].id;
	default:
		return choice;
	}
}

static uint64_t sequence_of(uint64_t session, uint8_t choice)
{
	for (uint32_t i = 0; i < SESSIONS; i++)
		if (client.sessions[i].id == session)
			return (client.sessions[i].base + choice % 8 - 1) % SEQUENCE_TOP;
	return choice % 4;
}

/* By the wire, as every reply comes. */
static void reply(struct input *in)
{
	struct {
		_Alignas(8) uint8_t pad[2]; /* The body then stands at a multiple of 8. */
		uint8_t header[HEADER_BYTES];
		uint8_t body[REPLIES_MAX * sizeof(struct reply)];
	} frame;
	const uint8_t how = input_u8(in);
	const uint32_t count = how % REPLIES_MAX + 1;
	struct message m = {
		.type = MESSAGE_REPLY,
		.sender = how / REPLIES_MAX % MEMBERS,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)(count * sizeof(struct reply)),
	};

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t session = session_of(input_u8(in));
		const uint64_t sequence = sequence_of(session, input_u8(in));
		const uint8_t status = input_u8(in) % 16;
		const struct reply r = {
			.session = session,
			.sequence_status = reply_pack(sequence, status, 0),
			.result = result_of(input_u8(in)),
		};

		memcpy(frame.body + i * sizeof(r), &r, sizeof(r));
	}
	m.checksum = message_crc(frame.body, m.payload_len);
	message_encode(&m, frame.header);
	CHECK(message_decode(frame.header, HEADER_BYTES + (size_t)m.payload_len, &m) == DROP_NONE);
	client_on_reply(&client, &m, frame.body, now_ns);
}

static void step(struct input *in)
{
	const uint8_t kind = input_u8(in);
	uint32_t bytes;
	uint32_t count;

	switch (kind % 4) {
	case 0:
		now_ns += (uint64_t)(kind / 4) * 100;
		return;
	case 1:
		client_want(&client, kind / 4 % SESSIONS, 1 + kind / 32);
		count = client_fill(&client, body, &bytes, now_ns);
		sent += count;
		then_request(count, bytes);
		return;
	case 2:
		count = client_fill_retries(&client, body, &bytes, now_ns);
		then_request(count, bytes);
		return;
	default:
		reply(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.bytes = data, .left = size};

	start();
	for (uint32_t i = 0; i < STEPS_MAX && in.left > 0; i++) {
		step(&in);
		then_consistent();
	}
	return 0;
}
