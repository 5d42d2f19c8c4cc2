#include "tests/fuzz/forge.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/message.h"
#include "consensus/snapshot.h"
#include "tests/fuzz/peers.h"
#include "tests/fuzz/seal.h"
#include "tests/sim/network.h"

enum {
	BODY_BYTES_MAX = PACKET_BYTES_MAX - HEADER_BYTES,
	VALUE_MAX = 64,
};

/* Everything near what is true, and the ends of what is possible. */
static uint64_t instance_of(uint8_t choice, const struct forge_view *v)
{
	const uint64_t offset = choice / 8;

	switch (choice % 8) {
	case 0:
		return v->delivered + offset;
	case 1:
		return v->delivered - (offset < v->delivered ? offset : v->delivered);
	case 2:
		return v->end + offset;
	case 3:
		return v->end - (offset < v->end ? offset : v->end);
	case 4:
		return v->delivered + offset * BLOCK;
	case 5:
		return v->delivered + ACCEPTOR_WINDOW - offset;
	case 6:
		return v->nonce + offset;
	default:
		return INSTANCE_TOP - 1 - offset * offset;
	}
}

static uint64_t ballot_of(uint8_t choice, uint8_t sender, const struct forge_view *v)
{
	const uint64_t offset = choice / 8;

	switch (choice % 8) {
	case 0:
	case 1:
		return v->ballot;
	case 2:
		return v->promised;
	case 3:
		return ballot_make(ballot_round(v->promised) + offset, sender);
	case 4:
		return ballot_make(offset, sender);
	case 5:
		return ballot_make(ballot_round(v->promised) + BALLOT_ROUND_JUMP - 16 + offset,
			sender);
	case 6:
		return ballot_make(UINT64_MAX / BALLOT_NODES - offset, sender);
	default:
		return v->uuid;
	}
}

/* Appends up to `count` entries; returns how many. */
static uint32_t put_entries(struct input *in, uint8_t *body, uint32_t room, uint32_t count,
	uint32_t *bytes)
{
	uint32_t put = 0;

	*bytes = 0;
	for (; put < count; put++) {
		const uint8_t session = input_u8(in);
		const uint8_t sequence = input_u8(in);
		const uint8_t length = input_u8(in) % (VALUE_MAX + 1);
		/* Most are commands, and the first ones open. */
		const enum entry_kind kind =
			sequence % 8 == 7 ? (enum entry_kind)(sequence / 8 % 4) : ENTRY_COMMAND;
		const struct entry e = {
			.session = session % 16 == 15 ? UINT64_MAX - session : session % 16,
			.sequence_length = entry_pack(kind, sequence / 8, length),
		};

		if (*bytes + entry_bytes(length) > room)
			break;
		memset(body + *bytes, 0, entry_bytes(length));
		memcpy(body + *bytes, &e, sizeof(e));
		*bytes += entry_bytes(length);
	}
	return put;
}

static uint32_t put_records(struct input *in, const struct forge_view *v, struct message *m,
	uint8_t *body)
{
	uint32_t at = 0;
	uint64_t next = m->first;

	m->count = 0;
	while (in->left > 0 && at + RECORD_BYTES <= BODY_BYTES_MAX && m->count < 8) {
		const uint8_t how = input_u8(in);
		struct record r = {.first = next + how % 4};
		uint32_t bytes = 0;

		if (how >= 240)
			break;
		if (how / 4 % 4 != 0)
			r.ballot = ballot_of(how / 4, (uint8_t)(how % PEERS_MEMBERS), v);
		if (how / 16 % 4 == 0) {
			r.flags = FLAG_NOOP;
			r.count = (uint16_t)(1 + input_u8(in));
		} else {
			r.count = (uint16_t)put_entries(in, body + at + RECORD_BYTES,
				BODY_BYTES_MAX - at - RECORD_BYTES, 1 + how / 64, &bytes);
			r.bytes = (uint16_t)bytes;
		}
		next = r.first + r.count;
		memcpy(body + at, &r, sizeof(r));
		at += RECORD_BYTES + bytes;
		m->count++;
	}
	if (m->watermark < next)
		m->watermark = next;
	return at;
}

static uint32_t put_ranges(struct input *in, const struct forge_view *v, uint8_t *body,
	uint16_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct range r = {.first = instance_of(input_u8(in), v)};

		r.count = input_u8(in);
		r.count = 1 + r.count * input_u8(in) % ACCEPTOR_WINDOW;
		memcpy(body + i * sizeof(r), &r, sizeof(r));
	}
	return count * (uint32_t)sizeof(struct range);
}

/* A whole image in one chunk, which may be said to be another one. */
static uint32_t put_image(struct input *in, struct message *m, uint8_t *body)
{
	const uint8_t how = input_u8(in);
	const struct snapshot_header header = {
		.sessions = how % 4,
		.entries = how / 4 % 2,
		.instance = m->first,
		.digest = how,
	};
	static _Alignas(8) uint8_t bytes[BODY_BYTES_MAX / 8 * 8];
	struct snapshot image = {.bytes = bytes, .size = sizeof(bytes)};

	snapshot_begin(&image, &header);
	for (uint32_t i = 0; i < header.sessions; i++) {
		const struct snapshot_session s = {
			.id = 1 + input_u8(in),
			.last = m->first - 1 - input_u8(in) % 4,
			.base = input_u8(in),
			.done = input_u8(in) % (1u << SESSION_WINDOW),
		};

		memcpy(snapshot_add(&image, SNAPSHOT_SESSION, sizeof(s)), &s, sizeof(s));
	}
	for (uint32_t i = 0; i < header.entries; i++)
		memcpy(snapshot_add(&image, SNAPSHOT_ENTRY, sizeof(m->first)), &m->first,
			sizeof(m->first));
	while (snapshot_sum(&image))
		;
	snapshot_end(&image);
	memcpy(body, bytes, image.used);
	m->count = 0;
	if (how < 192) {
		m->watermark = 0;
		m->ballot = image.used;
	}
	return (uint32_t)image.used;
}

static void put_body(struct input *in, const struct forge_view *v, struct message *m, uint8_t *body)
{
	uint32_t bytes = 0;

	switch (m->type) {
	case MESSAGE_ACCEPT:
		if (m->flags == FLAG_NOOP)
			break;
		/* fall through */
	case MESSAGE_REQUEST:
		m->count = (uint16_t)put_entries(in, body, BODY_BYTES_MAX, 1u + m->count % 24u,
			&bytes);
		break;
	case MESSAGE_ACCEPTED:
		m->count = 1 + m->count % 8;
		bytes = put_ranges(in, v, body, m->count);
		break;
	case MESSAGE_HELLO:
		bytes = HELLO_BYTES;
		memset(body, input_u8(in) % 4 == 0 ? 0 : 0xff, bytes);
		break;
	case MESSAGE_SNAPSHOT_CHUNK:
		bytes = put_image(in, m, body);
		break;
	case MESSAGE_VOTES:
	case MESSAGE_CHOSEN:
		bytes = put_records(in, v, m, body);
		break;
	default:
		break;
	}
	m->payload_len = (uint16_t)bytes;
}

uint16_t forge(struct input *in, const struct forge_view *v, uint8_t *bytes)
{
	struct message m = {.cluster = 1};

	m.type = 1 + input_u8(in) % (MESSAGE_WIRE_END - 1);
	m.sender = m.type == MESSAGE_REQUEST ? MESSAGE_SENDER_CLIENT
					     : 1 + input_u8(in) % (PEERS_MEMBERS - 1);
	m.uuid = peers_uuid(m.sender);
	m.ballot = ballot_of(input_u8(in), m.sender, v);
	if (m.type == MESSAGE_PREPARE || m.type == MESSAGE_ACCEPT)
		m.ballot = ballot_make(ballot_round(m.ballot), m.sender);
	m.first = m.type == MESSAGE_HELLO ? 0 : instance_of(input_u8(in), v);
	m.watermark = instance_of(input_u8(in), v);
	const uint8_t flags = input_u8(in);

	m.flags = flags % 8;
	m.echo = flags / 8;
	m.count = input_u8(in);
	if (m.type == MESSAGE_SNAPSHOT_ASK && m.count % 2 == 0)
		m.first = 0; /* Any image. */
	put_body(in, v, &m, bytes + HEADER_BYTES);
	m.shard = (uint16_t)(m.first / BLOCK % v->shards);
	message_encode(&m, bytes);
	if (flags % 32 != 31)
		seal_records(bytes, HEADER_BYTES + (size_t)m.payload_len);
	seal_message(bytes, HEADER_BYTES + (size_t)m.payload_len);
	return (uint16_t)(HEADER_BYTES + m.payload_len);
}
