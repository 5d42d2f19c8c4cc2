#include "consensus/identity.h"

#include <string.h>

void identity_init(struct identity *i, const struct replica_settings *settings)
{
	*i = (struct identity){.settings = settings, .exchanged = 1u << settings->self};
	i->uuids[settings->self] = settings->uuid;
}

/* What comes after the wait is an answer to a HELLO that was late: this life has told more since. */
static void on_answer(struct identity *i, const struct message *m)
{
	if ((i->unheard & 1u << m->sender) == 0)
		return;
	if ((m->flags & HELLO_OUTDATED) != 0)
		i->outdated |= 1u << m->sender;
	i->unheard &= ~(1u << m->sender);
}

bool identity_on_hello(struct identity *i, const struct message *m, bool *answer)
{
	*answer = false;
	if (m->sender >= i->settings->members || m->sender == i->settings->self || m->uuid == 0)
		return false;
	if (m->first != i->settings->config_hash) {
		i->other_config |= 1u << m->sender;
		return false;
	}
	i->other_config &= ~(1u << m->sender);
	uint64_t *pin = i->durable_pins && i->uuids[m->sender] == 0 ? &i->unpinned[m->sender]
								    : &i->uuids[m->sender];

	if (*pin == 0)
		*pin = m->uuid;
	if (*pin != m->uuid) {
		i->foreign |= 1u << m->sender;
		return false;
	}
	if (i->uuids[m->sender] == 0)
		return true;
	if (m->ballot == i->settings->uuid)
		i->exchanged |= 1u << m->sender;
	if (m->echo == i->settings->life)
		on_answer(i, m);
	*answer = (m->flags & HELLO_ASKS) != 0;
	return true;
}

void identity_on_told(struct identity *i, uint32_t member, uint64_t position, uint64_t promised)
{
	struct identity_disk *told = &i->told[member];

	told->position = position > told->position ? position : told->position;
	told->promised = promised > told->promised ? promised : told->promised;
}

bool identity_outdated(const struct identity *i, uint32_t member, const uint8_t *body)
{
	struct identity_disk disk;

	memcpy(&disk, body, sizeof(disk));
	return disk.position < i->told[member].position || disk.promised < i->told[member].promised;
}

void identity_pin(struct identity *i, uint32_t member, uint64_t uuid)
{
	if (member < i->settings->members && i->uuids[member] == 0)
		i->uuids[member] = uuid;
}

void identity_restore(struct identity *i)
{
	i->exchanged = (1u << i->settings->members) - 1;
	i->unheard = i->exchanged & ~(1u << i->settings->self);
}

bool identity_complete(const struct identity *i)
{
	return i->exchanged == (1u << i->settings->members) - 1 && i->unheard == 0 &&
		i->outdated == 0;
}

uint32_t identity_asks(struct identity *i, uint64_t now_ns)
{
	if (i->unheard != 0 && i->unheard_ns == 0)
		i->unheard_ns = now_ns + i->settings->election_timeout_ns;
	if (now_ns >= i->unheard_ns)
		i->unheard = 0; /* The others are down, or cut off. */
	if (identity_complete(i) || now_ns < i->hello_ns)
		return 0;
	i->hello_ns = now_ns + i->settings->heartbeat_ns;
	return (((1u << i->settings->members) - 1) & ~i->exchanged) | i->unheard;
}
