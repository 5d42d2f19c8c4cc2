#include "consensus/identity.h"

void identity_init(struct identity *i, const struct replica_settings *settings)
{
	*i = (struct identity){.settings = settings, .exchanged = 1u << settings->self};
	i->uuids[settings->self] = settings->uuid;
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
	*answer = m->flags == HELLO_ASKS;
	return true;
}

void identity_pin(struct identity *i, uint32_t member, uint64_t uuid)
{
	if (member < i->settings->members && i->uuids[member] == 0)
		i->uuids[member] = uuid;
}

void identity_restore(struct identity *i)
{
	i->exchanged = (1u << i->settings->members) - 1;
}

bool identity_complete(const struct identity *i)
{
	return i->exchanged == (1u << i->settings->members) - 1;
}

uint32_t identity_asks(struct identity *i, uint64_t now_ns)
{
	if (identity_complete(i) || now_ns < i->hello_ns)
		return 0;
	i->hello_ns = now_ns + i->settings->heartbeat_ns;
	return ((1u << i->settings->members) - 1) & ~i->exchanged;
}
