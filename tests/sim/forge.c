#include "tests/sim/forge.h"

#include <string.h>

#include "consensus/message.h"

enum {
	FLIPS_MAX = 8,
	FLIP_SPAN = 32,
	PAIR_TRIES = 16
};

static void flip(uint8_t *bytes, uint64_t bit)
{
	bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

void forge_flip(uint8_t *bytes, uint16_t length, struct random *r)
{
	uint64_t bits = (uint64_t)length * 8;
	uint64_t at = random_below(r, bits);
	uint64_t mask = random_below(r, 1u << FLIPS_MAX) | 1;
	uint64_t step = 1 + random_below(r, FLIP_SPAN / FLIPS_MAX);

	for (uint32_t k = 0; k < FLIPS_MAX && at + k * step < bits; k++)
		if ((mask >> k & 1) != 0)
			flip(bytes, at + k * step);
}

bool forge_flip_pair(uint8_t *bytes, uint16_t length, struct random *r)
{
	for (uint32_t i = 0; i < PAIR_TRIES; i++) {
		uint64_t one = random_below(r, (uint64_t)length * 8);
		uint64_t words = length / 2u;
		uint64_t other = random_below(r, words) * 16 + one % 16;

		if (one == other || other / 8 >= length ||
			(bytes[one / 8] >> (one % 8) & 1) == (bytes[other / 8] >> (other % 8) & 1))
			continue;
		flip(bytes, one);
		flip(bytes, other);
		return true;
	}
	return false;
}

uint16_t forge_truncate(uint16_t length, struct random *r)
{
	return (uint16_t)random_below(r, length);
}

static void seal(uint8_t *bytes, const struct message *m)
{
	message_encode(m, bytes);
}

void forge_foreign(uint8_t *bytes, uint16_t length, struct random *r)
{
	struct message m;

	message_read(bytes, &m);
	switch (random_below(r, 4)) {
	case 0:
		m.cluster += 1 + (uint32_t)random_below(r, 1000);
		seal(bytes, &m);
		return;
	case 1:
		m.epoch += 1 + (uint32_t)random_below(r, 1000);
		seal(bytes, &m);
		return;
	case 2: /* Of a later version. */
		bytes[0]++;
		return;
	default:
		for (uint16_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)random_next(r);
	}
}

bool forge_stranger(uint8_t *bytes, struct random *r)
{
	struct message m;

	message_read(bytes, &m);
	if (m.sender == MESSAGE_SENDER_CLIENT || m.type == MESSAGE_REPLY)
		return false;
	m.uuid = random_next(r) | 1;
	seal(bytes, &m);
	return true;
}

bool forge_numbers(uint8_t *bytes, struct random *r)
{
	struct message m;

	message_read(bytes, &m);
	switch (m.type) {
	case MESSAGE_PREPARE:
	case MESSAGE_ACCEPT:
	case MESSAGE_REFUSED:
	case MESSAGE_HEARTBEAT:
	case MESSAGE_PREVOTE:
		m.ballot = ballot_make((1ull << 48) - 1 - random_below(r, 1u << 20),
			ballot_node(m.ballot));
		break;
	case MESSAGE_PULL:
	case MESSAGE_FETCH:
		m.first = INSTANCE_TOP - 1 - random_below(r, 2 * BLOCK);
		break;
	case MESSAGE_PROMISE:
	case MESSAGE_READ_CONFIRM:
	case MESSAGE_ACCEPTED:
		m.first = UINT64_MAX - random_below(r, BLOCK);
		break;
	default:
		return false;
	}
	seal(bytes, &m);
	return true;
}
