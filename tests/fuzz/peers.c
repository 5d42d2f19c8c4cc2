#include "tests/fuzz/peers.h"

#include <string.h>

void peers_init(struct peers *p, uint64_t uuid, bool voted)
{
	p->uuid = uuid;
	p->voted = voted;
	p->next = 0;
	p->count = 0;
}

uint64_t peers_uuid(uint32_t member)
{
	return 0x1000 + member;
}

void peers_hear(struct peers *p, uint16_t to, const struct message *m)
{
	if (p->count == PEERS_HEARD)
		return;
	uint32_t at = (p->next + p->count++) % PEERS_HEARD;

	p->heard[at].to = to;
	p->heard[at].m = *m;
}

/* Each member's votes at its own ballot: so they differ, and the higher one counts. */
static void put_votes(const struct message *m, uint32_t member, struct message *out, uint8_t *body)
{
	struct record r = {
		.ballot = ballot_make(0, member),
		.first = m->first + member,
		.count = 2,
		.bytes = 2 * ENTRY_BYTES,
	};
	uint8_t *entries = body + sizeof(r);

	if (r.first + r.count > m->watermark)
		return;
	for (uint32_t i = 0; i < r.count; i++) {
		const struct entry e = {
			.session = member,
			.sequence_length = entry_pack(ENTRY_COMMAND, i, 0),
		};

		memcpy(entries + i * sizeof(e), &e, sizeof(e));
	}
	r.checksum = message_crc(entries, r.bytes);
	memcpy(body, &r, sizeof(r));
	out->count = 1;
	out->payload_len = sizeof(r) + r.bytes;
}

/* False: an honest member says nothing to it. */
static bool answer(const struct peers *p, uint32_t member, const struct message *m,
	struct message *out, uint8_t *body)
{
	*out = (struct message){.ballot = m->ballot, .first = m->first, .shard = m->shard};
	switch (m->type) {
	case MESSAGE_HELLO:
		out->type = MESSAGE_HELLO;
		out->ballot = p->uuid;
		out->echo = m->life;
		out->payload_len = HELLO_BYTES;
		memset(body, 0, HELLO_BYTES);
		return true;
	case MESSAGE_HEARTBEAT:
		out->type = MESSAGE_HEARTBEAT;
		out->ballot = 0;
		out->echo = (1u << PEERS_MEMBERS) - 1;
		return true;
	case MESSAGE_PREVOTE:
		out->type = MESSAGE_PREVOTED;
		out->flags = PREVOTED_GRANTED;
		return true;
	case MESSAGE_PREPARE:
		out->type = MESSAGE_PROMISE;
		out->watermark = p->voted ? PEERS_VOTES_END : 0;
		return true;
	case MESSAGE_PULL:
		out->type = MESSAGE_VOTES;
		out->watermark = m->watermark;
		if (p->voted)
			put_votes(m, member, out, body);
		return true;
	case MESSAGE_ACCEPT: {
		const struct range range = {.first = m->first, .count = m->count};

		out->type = MESSAGE_ACCEPTED;
		out->count = 1;
		out->payload_len = sizeof(range);
		memcpy(body, &range, sizeof(range));
		return true;
	}
	case MESSAGE_READ_ROUND:
		out->type = MESSAGE_READ_CONFIRM;
		return true;
	default:
		return false;
	}
}

uint16_t peers_answer(struct peers *p, uint8_t *bytes)
{
	uint8_t *body = bytes + HEADER_BYTES;

	while (p->count > 0) {
		const uint32_t at = p->next;
		const uint16_t member = p->heard[at].to;
		struct message out;

		p->next = (p->next + 1) % PEERS_HEARD;
		p->count--;
		if (!answer(p, member, &p->heard[at].m, &out, body))
			continue;
		out.sender = (uint8_t)member;
		out.cluster = 1;
		out.uuid = peers_uuid(member);
		out.checksum = out.payload_len == 0 ? 0 : message_crc(body, out.payload_len);
		message_encode(&out, bytes);
		return (uint16_t)(HEADER_BYTES + out.payload_len);
	}
	return 0;
}

void peers_sign(uint8_t *bytes, size_t length)
{
	struct message m;

	if (length < HEADER_BYTES)
		return;
	message_read(bytes, &m);
	m.cluster = 1;
	m.epoch = 0;
	m.uuid = peers_uuid(m.sender);
	message_encode(&m, bytes);
}
