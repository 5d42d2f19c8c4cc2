#include "consensus/client.h"

#include <string.h>

#include "consensus/check.h"

enum {
	SWEEP_SESSIONS = 256, /* Looked at for a timeout in one call. */
	TRIES_MAX = 4,        /* Doublings of the timeout. */
	UNHEARD_MAX = 4,      /* Rounds of retries without a word from the leader. */
	ROUNDS = 4,           /* In one timeout. */
	REDIRECT_SOONER = 64, /* A redirect is followed after this part of a timeout, */
	BUSY_SOONER = 4,      /* and after busy comes this part of it. */
};

#define NONCES (1ull << 31)
#define SESSIONS_TOP (1ull << 32)

static uint32_t bits_for(uint32_t sessions)
{
	uint32_t bits = 6;

	while (1ull << bits < 4ull * sessions)
		bits++;
	return bits;
}

uint64_t client_bytes(uint32_t sessions)
{
	return sessions * sizeof(struct client_session) + sessions * sizeof(uint32_t) +
		(sizeof(uint32_t) << bits_for(sessions)) + 64;
}

static void make_ready(struct client *c, uint32_t index)
{
	struct client_session *s = &c->sessions[index];

	if (s->queued)
		return;
	s->queued = true;
	uint32_t at = c->ready_head + c->ready_count++;

	c->ready[at >= c->count ? at - c->count : at] = index;
}

void client_init(struct client *c, const struct client_settings *settings, uint32_t sessions,
	void *memory)
{
	CHECK(sessions >= 1 && settings->window >= 1 && settings->window <= SESSION_WINDOW);
	memset(c, 0, sizeof(*c));
	c->settings = *settings;
	c->count = sessions;
	c->random = settings->seed * 2 + 1;
	c->nonce = settings->seed % NONCES * SESSIONS_TOP;
	c->index_bits = bits_for(sessions);
	c->sessions = memory;
	c->index = (uint32_t *)(void *)(c->sessions + sessions);
	c->ready = c->index + (1ull << c->index_bits);
	memset(c->index, 0, sizeof(uint32_t) << c->index_bits);
	memset(c->sessions, 0, sessions * sizeof(*c->sessions));
	for (uint32_t i = 0; i < sessions; i++) {
		c->sessions[i].id = CLIENT_CLOSED;
		make_ready(c, i);
	}
}

static uint64_t index_home(const struct client *c, uint64_t id)
{
	return (id + (id >> c->index_bits)) & ((1ull << c->index_bits) - 1);
}

/* Ids are never reused, and an expired one is overwritten by its successor's slot: the table has
 * four slots a session, and is rebuilt when ids were forgotten. */
static void index_add(struct client *c, uint64_t id, uint32_t session)
{
	uint64_t mask = (1ull << c->index_bits) - 1;
	uint64_t at = index_home(c, id);

	while (c->index[at] != 0)
		at = (at + 1) & mask;
	c->index[at] = session + 1;
}

static struct client_session *find(struct client *c, uint64_t id)
{
	uint64_t mask = (1ull << c->index_bits) - 1;

	for (uint64_t at = index_home(c, id); c->index[at] != 0; at = (at + 1) & mask)
		if (c->sessions[c->index[at] - 1].id == id)
			return &c->sessions[c->index[at] - 1];
	return NULL;
}

static void rebuild_index(struct client *c)
{
	memset(c->index, 0, sizeof(uint32_t) << c->index_bits);
	for (uint32_t i = 0; i < c->count; i++)
		if (c->sessions[i].id != CLIENT_CLOSED)
			index_add(c, c->sessions[i].id, i);
}

static uint64_t timeout(struct client *c, uint32_t tries)
{
	uint64_t base = c->settings.retry_ns << tries;

	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	/* Up to half of it more, without a division. */
	return base + (uint64_t)((unsigned __int128)(base / 2 + 1) * c->random >> 64);
}

static bool may_send(const struct client *c, const struct client_session *s)
{
	if (s->id == CLIENT_CLOSED)
		return s->outstanding == 0;
	return s->allowed > 0 && s->next - s->base < c->settings.window;
}

void client_want(struct client *c, uint32_t session, uint32_t commands)
{
	struct client_session *s = &c->sessions[session];

	s->allowed += commands;
	if (may_send(c, s))
		make_ready(c, session);
}

/* Writes the entry of (session, sequence); 0 bytes: it does not fit any more. */
static uint32_t write_entry(struct client *c, uint32_t index, uint64_t sequence, uint8_t *at,
	uint32_t room)
{
	const struct client_session *s = &c->sessions[index];
	struct entry e = {.session = s->id};
	uint32_t length = 0;

	if (room < ENTRY_BYTES)
		return 0;
	if (s->id == CLIENT_CLOSED) {
		e.session = c->nonce + index;
		e.sequence_length = entry_pack(ENTRY_OPEN, 0, 0);
	} else {
		uint8_t *value = at + ENTRY_BYTES;

		if (entry_bytes(c->settings.value_max) > room)
			return 0;
		length = c->settings.value(c->settings.context, index, sequence, value);
		if (length % 8 != 0)
			memset(value + length, 0, 8 - length % 8);
		e.sequence_length = entry_pack(ENTRY_COMMAND, sequence, length);
	}
	memcpy(at, &e, sizeof(e));
	return entry_bytes(length);
}

static bool outstanding_at(const struct client_session *s, uint64_t sequence)
{
	return (s->outstanding >> (sequence - s->base) & 1) != 0;
}

uint32_t client_fill(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns)
{
	uint32_t count = 0;
	uint64_t retry_ns = now_ns + timeout(c, 0);

	*bytes = 0;
	while (c->ready_count > 0 && count < c->settings.batch) {
		uint32_t index = c->ready[c->ready_head];
		struct client_session *s = &c->sessions[index];

		if (may_send(c, s)) {
			bool opens = s->id == CLIENT_CLOSED;
			uint64_t sequence = opens ? 0 : s->next;
			uint32_t wrote = write_entry(c, index, sequence, body + *bytes,
				c->settings.body_max - *bytes);

			if (wrote == 0)
				return count;
			struct client_command *command = &s->commands[sequence % SESSION_WINDOW];

			command->sent_ns = now_ns;
			/* One draw for a frame: its commands are lost together. */
			command->retry_ns =
				s->tries == 0 ? retry_ns : now_ns + timeout(c, s->tries);
			s->outstanding |= (uint8_t)(1u << (opens ? 0 : s->next - s->base));
			s->next += opens ? 0 : 1;
			s->allowed -= opens ? 0 : 1;
			c->outstanding++;
			c->counters.sent++;
			*bytes += wrote;
			count++;
		}
		if (may_send(c, s) && count < c->settings.batch)
			continue;
		c->ready_head = c->ready_head + 1 == c->count ? 0 : c->ready_head + 1;
		c->ready_count--;
		s->queued = false;
		if (may_send(c, s))
			make_ready(c, index);
	}
	return count;
}

/* Several rounds of retries and no word from the one we think leads: the next one may know. A round
 * is more than one frame, and has the time that an answer takes. */
static void doubt_leader(struct client *c, uint64_t now_ns)
{
	if (now_ns - c->round_ns < c->settings.retry_ns / ROUNDS)
		return;
	c->round_ns = now_ns;
	if (++c->unheard < UNHEARD_MAX)
		return;
	c->unheard = 0;
	c->leader = c->leader + 1 == c->settings.members ? 0 : c->leader + 1;
	c->moved = true;
}

uint32_t client_fill_retries(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns)
{
	uint32_t count = 0;
	uint32_t looks = c->count < SWEEP_SESSIONS ? c->count : SWEEP_SESSIONS;

	*bytes = 0;
	for (; looks > 0 && count < c->settings.batch; looks--) {
		uint32_t index = c->sweep;
		struct client_session *s = &c->sessions[index];
		bool opens = s->id == CLIENT_CLOSED;
		bool retried = false;

		for (uint32_t k = 0; k < SESSION_WINDOW && count < c->settings.batch; k++) {
			uint64_t sequence = opens ? 0 : s->base + k;
			struct client_command *command = &s->commands[sequence % SESSION_WINDOW];

			if ((s->outstanding >> k & 1) == 0 || now_ns < command->retry_ns)
				continue;
			uint32_t wrote = write_entry(c, index, sequence, body + *bytes,
				c->settings.body_max - *bytes);

			if (wrote == 0)
				return count;
			command->retry_ns = now_ns + timeout(c, s->tries);
			retried = true;
			*bytes += wrote;
			count++;
		}
		if (retried && s->tries < TRIES_MAX)
			s->tries++;
		c->sweep = c->sweep + 1 == c->count ? 0 : c->sweep + 1;
	}
	c->counters.retries += count;
	if (count > 0)
		doubt_leader(c, now_ns);
	return count;
}

static void on_opened(struct client *c, const struct reply *r)
{
	if (r->session - c->nonce >= c->count)
		return;
	struct client_session *s = &c->sessions[r->session - c->nonce];

	if (s->id != CLIENT_CLOSED || s->outstanding == 0) {
		c->counters.late++; /* A second open of a retry: that session is left to expire. */
		return;
	}
	s->id = r->result;
	s->next = 0;
	s->base = 0;
	s->outstanding = 0;
	s->tries = 0;
	c->outstanding--;
	c->opened++;
	index_add(c, s->id, (uint32_t)(s - c->sessions));
	if (may_send(c, s))
		make_ready(c, (uint32_t)(s - c->sessions));
}

/* The service forgot the session: a new one, and its outstanding commands are unknown for ever. */
static void on_expired(struct client *c, struct client_session *s)
{
	c->outstanding -= (uint32_t)__builtin_popcount(s->outstanding);
	s->allowed += (uint32_t)__builtin_popcount(s->outstanding);
	s->id = CLIENT_CLOSED;
	s->outstanding = 0;
	c->opened--;
	c->counters.expired++;
	rebuild_index(c);
	make_ready(c, (uint32_t)(s - c->sessions));
}

static void on_done(struct client *c, struct client_session *s, const struct reply *r)
{
	uint64_t sequence = reply_sequence(r);
	uint32_t index = (uint32_t)(s - c->sessions);

	s->outstanding &= (uint8_t) ~(1u << (sequence - s->base));
	s->tries = 0;
	while (s->base < s->next && (s->outstanding & 1) == 0) {
		s->base++;
		s->outstanding >>= 1;
	}
	c->outstanding--;
	c->counters.done++;
	c->settings.done(c->settings.context, index, s->id, sequence, r,
		s->commands[sequence % SESSION_WINDOW].sent_ns);
	if (may_send(c, s))
		make_ready(c, index);
}

/* Busy and redirect speak of one copy: the command goes out again, soon. */
static void again_soon(struct client *c, struct client_session *s, uint64_t sequence,
	uint32_t sooner, uint64_t now_ns)
{
	struct client_command *command = &s->commands[sequence % SESSION_WINDOW];
	uint64_t soon = now_ns + timeout(c, s->tries) / sooner;

	if (command->retry_ns > soon)
		command->retry_ns = soon;
}

static void on_refused(struct client *c, const struct reply *r, struct client_session *s,
	uint64_t now_ns)
{
	bool redirect = reply_status(r) == REPLY_REDIRECT;

	if (redirect)
		c->counters.redirects++;
	else
		c->counters.busy++;
	again_soon(c, s, reply_sequence(r), redirect ? REDIRECT_SOONER : BUSY_SOONER, now_ns);
}

static inline void on_one(struct client *c, const struct reply *r, uint64_t now_ns)
{
	enum reply_status status = reply_status(r);
	bool refused = status == REPLY_BUSY || status == REPLY_REDIRECT || status == REPLY_UNKNOWN;
	struct client_session *s;

	if (status == REPLY_OPENED) {
		on_opened(c, r);
		return;
	}
	if (status == REPLY_REDIRECT && r->result < c->settings.members) {
		c->moved = c->moved || c->leader != r->result;
		c->leader = (uint32_t)r->result;
		c->unheard = 0;
	}
	s = find(c, r->session);
	if (s == NULL) {
		/* Of an open that was refused, whose session field tells which. */
		uint64_t index = r->session - c->nonce;

		if (refused && index < c->count && c->sessions[index].id == CLIENT_CLOSED)
			on_refused(c, r, &c->sessions[index], now_ns);
		return;
	}
	uint64_t sequence = reply_sequence(r);

	if (sequence < s->base || sequence >= s->next || !outstanding_at(s, sequence)) {
		c->counters.late++;
		return;
	}
	if (refused)
		on_refused(c, r, s, now_ns);
	else if (status == REPLY_EXPIRED)
		on_expired(c, s);
	else
		on_done(c, s, r);
}

static bool mute(const struct client *c, uint32_t member, uint64_t now_ns)
{
	return c->asked_ns[member] != 0 && now_ns - c->asked_ns[member] >= c->settings.retry_ns;
}

uint32_t client_reader(struct client *c, enum read_mode mode, uint64_t now_ns)
{
	if (mode <= READ_LEADER)
		return c->leader;
	for (uint32_t i = 0; i < c->settings.members; i++) {
		c->reader = c->reader + 1 >= c->settings.members ? 0 : c->reader + 1;
		if (!mute(c, c->reader, now_ns))
			break;
		/* Twice the timeout: it may be back. */
		if (now_ns - c->asked_ns[c->reader] >= 2 * c->settings.retry_ns) {
			c->asked_ns[c->reader] = now_ns - c->settings.retry_ns;
			return c->reader;
		}
	}
	if (c->asked_ns[c->reader] == 0)
		c->asked_ns[c->reader] = now_ns;
	return c->reader;
}

/* Another leads, and takes commands: what was sent to who led before waits no longer. */
static void retry_all(struct client *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct client_session *s = &c->sessions[i];

		s->tries = 0;
		for (uint32_t k = 0; s->outstanding >> k != 0; k++)
			s->commands[(s->base + k) % SESSION_WINDOW].retry_ns = now_ns;
	}
}

void client_on_reply(struct client *c, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	uint64_t done = c->counters.done;
	uint32_t at = 0;

	if (m->sender == c->leader)
		c->unheard = 0;
	if (m->sender < c->settings.members)
		c->asked_ns[m->sender] = 0;
	c->reflects = m->flags == FLAG_READ_STALE ? m->watermark : 0;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct reply *r = (const struct reply *)(const void *)(body + at);

		on_one(c, r, now_ns);
		at += (uint32_t)sizeof(*r) + (reply_length(r) + 7) / 8 * 8;
	}
	if (c->moved && m->sender == c->leader && c->counters.done != done) {
		c->moved = false;
		retry_all(c, now_ns);
	}
}
