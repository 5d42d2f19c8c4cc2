#include "tests/fuzz/peers.h"

#include <string.h>

void peers_init(struct peers *p, uint64_t uuid)
{
	p->uuid = uuid;
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

/* False: an honest member says nothing to it. */
static bool answer(const struct peers *p, const struct message *m, struct message *out,
	struct range *range)
{
	*out = (struct message){.ballot = m->ballot, .first = m->first, .shard = m->shard};
	switch (m->type) {
	case MESSAGE_HELLO:
		out->type = MESSAGE_HELLO;
		out->ballot = p->uuid;
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
		return true;
	case MESSAGE_PULL:
		out->type = MESSAGE_VOTES;
		out->watermark = m->watermark;
		return true;
	case MESSAGE_ACCEPT:
		*range = (struct range){.first = m->first, .count = m->count};
		out->type = MESSAGE_ACCEPTED;
		out->count = 1;
		out->payload_len = sizeof(*range);
		out->checksum = message_crc(range, sizeof(*range));
		return true;
	case MESSAGE_READ_ROUND:
		out->type = MESSAGE_READ_CONFIRM;
		return true;
	default:
		return false;
	}
}

uint16_t peers_answer(struct peers *p, uint8_t *bytes)
{
	while (p->count > 0) {
		uint32_t at = p->next;
		struct message out;
		struct range range;

		p->next = (p->next + 1) % PEERS_HEARD;
		p->count--;
		if (!answer(p, &p->heard[at].m, &out, &range))
			continue;
		out.sender = (uint8_t)p->heard[at].to;
		out.cluster = 1;
		out.uuid = peers_uuid(out.sender);
		message_encode(&out, (struct message_wire *)(void *)bytes);
		memcpy(bytes + HEADER_BYTES, &range, out.payload_len);
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
	message_encode(&m, (struct message_wire *)(void *)bytes);
}
