#include "consensus/replica_enroll.h"

#include "consensus/replica_requests.h"

static void send_hello(struct leader_stage *s, uint32_t member, uint8_t flags, uint32_t life)
{
	const struct message m = {
		.type = MESSAGE_HELLO,
		.flags = flags,
		.ballot = s->identity.uuids[member],
		.first = s->settings->config_hash,
		.echo = life,
		.payload_len = sizeof(s->identity.disk),
	};

	leader_send_members(s, 1u << member, &m, &s->identity.disk);
}

void leader_ask_hello(struct leader_stage *s, uint32_t members)
{
	for (uint32_t i = 0; i < s->settings->members; i++)
		if ((members & 1u << i) != 0)
			send_hello(s, i, HELLO_ASKS, 0);
}

/* What its earlier lives told of is on its disk, or that is an old image. */
static void answer_hello(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	bool outdated =
		m->life < s->lives[m->sender] || identity_outdated(&s->identity, m->sender, body);

	send_hello(s, m->sender, outdated ? HELLO_OUTDATED : 0, m->life);
}

/* No room: the next HELLO, or the next tick, tries again. */
static void append_pin(struct leader_stage *s, uint32_t member, uint64_t uuid)
{
	const struct journal_record r = {.kind = JOURNAL_PIN, .ballot = uuid, .first = member};

	if ((s->pins_waiting & 1u << member) != 0 || !s->journal->room(s->journal->context, 0))
		return;
	s->pins_at[member] = s->journal->append(s->journal->context, &r, NULL);
	s->pins_waiting |= 1u << member;
}

/* Our own pin is the mark that all were exchanged: a later life need not wait for them again. */
void leader_enroll_if_complete(struct leader_stage *s)
{
	if (s->enrolled || !identity_complete(&s->identity))
		return;
	if (s->journal != NULL && !s->marked) {
		append_pin(s, s->settings->self, s->settings->uuid);
		return;
	}
	const struct message m = {
		.type = MESSAGE_ENROLLED,
		.payload_len = sizeof(s->identity.uuids),
	};

	s->enrolled = true;
	leader_send_local(s, &m, s->identity.uuids);
}

void leader_on_hello(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	bool answer_it;

	if (!identity_on_hello(&s->identity, m, &answer_it)) {
		s->counters.foreign++;
		return;
	}
	if (s->identity.uuids[m->sender] == 0)
		append_pin(s, m->sender, s->identity.unpinned[m->sender]);
	if (answer_it)
		answer_hello(s, m, body);
	leader_enroll_if_complete(s);
}

void leader_restore_pins(struct leader_stage *s, const struct leader_past *past)
{
	bool all = true;

	for (uint32_t i = 0; i < s->settings->members; i++) {
		if (i == s->settings->self)
			continue;
		all = all && past->pins[i] != 0;
		if (past->pins[i] == 0)
			continue;
		identity_pin(&s->identity, i, past->pins[i]);
		append_pin(s, i, past->pins[i]);
	}
	if (!past->enrolled || !all)
		return;
	append_pin(s, s->settings->self, s->settings->uuid);
	identity_restore(&s->identity);
	s->marked = true;
}

void leader_on_pinned(struct leader_stage *s, uint64_t position)
{
	for (uint32_t i = 0; i < s->settings->members; i++) {
		if ((s->pins_waiting & 1u << i) == 0 || s->pins_at[i] > position)
			continue;
		s->pins_waiting &= ~(1u << i);
		if (i == s->settings->self)
			s->marked = true;
		else
			identity_pin(&s->identity, i, s->identity.unpinned[i]);
	}
	leader_enroll_if_complete(s);
}
