#include "consensus/client.h"

#include <string.h>

#include "consensus/check.h"

enum {
	TRIES_MAX = 4,        /* Doublings of the timeout. */
	ROUNDS = 4,           /* In one timeout. */
	DOUBT_SILENT = 4,     /* What a round of retries without a word from the leader weighs, */
	DOUBT_REFUSED = 1,    /* and one in which it was busy or pointed to another. */
	DOUBT_MAX = 8,        /* So heavy, and the others are asked. */
	REDIRECT_SOONER = 64, /* A redirect is followed after this part of a timeout, */
	BUSY_SOONER = 4,      /* and after busy comes this part of it. */
};

#define NONCES (1ull << 31)
#define OPENINGS_TOP (1ull << 32)

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
		if (!client_closed(&c->sessions[i]))
			index_add(c, c->sessions[i].id, i);
}

static bool reads_only(const struct client *c)
{
	return c->settings.reads != READ_LOG;
}

/* Nobody looks for a read's session: its id only tells the answers apart. */
static void open_reader(struct client *c, uint32_t index)
{
	c->sessions[index].id = INSTANCE_TOP + c->settings.reads * CLIENT_READERS_MAX + index;
	c->opened++;
	index_add(c, c->sessions[index].id, index);
}

void client_init(struct client *c, const struct client_settings *settings, uint32_t sessions,
	void *memory)
{
	CHECK(sessions >= 1 && settings->window >= 1 && settings->window <= SESSION_WINDOW);
	CHECK(settings->reads == READ_LOG || sessions <= CLIENT_READERS_MAX);
	memset(c, 0, sizeof(*c));
	c->settings = *settings;
	c->count = sessions;
	c->random = settings->seed * 2 + 1;
	c->nonce = settings->seed % NONCES * OPENINGS_TOP;
	c->index_bits = bits_for(sessions);
	c->sessions = memory;
	c->index = (uint32_t *)(void *)(c->sessions + sessions);
	c->ready = c->index + (1ull << c->index_bits);
	memset(c->index, 0, sizeof(uint32_t) << c->index_bits);
	memset(c->sessions, 0, sessions * sizeof(*c->sessions));
	for (uint32_t i = 0; i < sessions; i++) {
		c->sessions[i].id = CLIENT_CLOSED;
		if (!reads_only(c))
			make_ready(c, i);
		else
			open_reader(c, i);
	}
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
	if (client_closed(s))
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

/* The nonce of a closed session's opening: of no other one of this client, until the numbers are used up
 * after OPENINGS_TOP >> index_bits of them. */
static uint64_t opening(const struct client *c, uint32_t index)
{
	uint64_t number = c->sessions[index].id - CLIENT_CLOSED;

	return c->nonce + ((number << c->index_bits) + index) % OPENINGS_TOP;
}

/* Writes the entry of (session, sequence) as number `count` of a body; 0 bytes: it does not fit any
 * more. */
static uint32_t write_entry(struct client *c, uint32_t index, uint64_t sequence, uint32_t count,
	uint8_t *at, uint32_t room)
{
	const struct client_session *s = &c->sessions[index];
	struct entry e = {.session = s->id};
	uint32_t length = 0;

	if (room < ENTRY_BYTES)
		return 0;
	c->reads[count / 64] &= ~(1ull << (count % 64));
	if (client_closed(s)) {
		e.session = opening(c, index);
		e.sequence_length = entry_pack(ENTRY_OPEN, 0, 0);
	} else {
		uint8_t *value = at + ENTRY_BYTES;

		length = c->settings.length == NULL
			? c->settings.value_max
			: c->settings.length(c->settings.context, index, sequence);
		if (entry_bytes(length) > room)
			return 0;
		length = c->settings.value(c->settings.context, index, sequence, value);
		if ((length & CLIENT_READ) != 0)
			c->reads[count / 64] |= 1ull << (count % 64);
		length &= ~CLIENT_READ;
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

static uint32_t batch_of(const struct client *c)
{
	return c->settings.batch < RUN_COUNT_MAX ? c->settings.batch : RUN_COUNT_MAX;
}

uint32_t client_fill(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns)
{
	uint32_t batch = batch_of(c);
	uint32_t count = 0;
	uint64_t retry_ns = now_ns + timeout(c, 0);

	*bytes = 0;
	while (c->ready_count > 0 && count < batch) {
		uint32_t index = c->ready[c->ready_head];
		struct client_session *s = &c->sessions[index];

		if (may_send(c, s)) {
			bool opens = client_closed(s);
			uint64_t sequence = opens ? 0 : s->next;
			uint32_t wrote = write_entry(c, index, sequence, count, body + *bytes,
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
		if (may_send(c, s) && count < batch)
			continue;
		c->ready_head = c->ready_head + 1 == c->count ? 0 : c->ready_head + 1;
		c->ready_count--;
		s->queued = false;
		if (may_send(c, s))
			make_ready(c, index);
	}
	return count;
}

static bool in_doubt(const struct client *c)
{
	return c->doubt >= DOUBT_MAX && c->settings.reads <= READ_LEADER;
}

/* Retries go out. A round is more than one frame, and has the time that an answer takes. */
static void count_round(struct client *c, uint64_t now_ns)
{
	if (now_ns - c->round_ns < c->settings.retry_ns / ROUNDS)
		return;
	c->round_ns = now_ns;
	c->doubt += c->refused ? DOUBT_REFUSED : DOUBT_SILENT;
	c->refused = false;
	if (in_doubt(c))
		c->asked = c->leader;
}

/* Who leads is in doubt: the member to ask now. Whom a redirect named, but then the next in turn:
 * two members may name each other. */
static void ask_next(struct client *c, uint64_t now_ns)
{
	c->followed = c->named;
	if (!c->named) {
		c->asked = c->asked + 1 >= c->settings.members ? 0 : c->asked + 1;
		c->leader = c->asked;
	}
	c->named = false;
	c->round_ns = now_ns + timeout(c, 0);
}

uint32_t client_fill_retries(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns)
{
	uint32_t count = 0;
	uint32_t looks = c->count < CLIENT_SWEEP_SESSIONS ? c->count : CLIENT_SWEEP_SESSIONS;
	bool asks = in_doubt(c);
	uint32_t batch = asks ? 1 : batch_of(c);

	*bytes = 0;
	if (asks && now_ns < c->round_ns)
		return 0;
	for (; looks > 0 && count < batch; looks--) {
		uint32_t index = c->sweep;
		struct client_session *s = &c->sessions[index];
		bool opens = client_closed(s);
		bool retried = false;

		for (uint32_t k = 0; k < SESSION_WINDOW && count < batch; k++) {
			uint64_t sequence = opens ? 0 : s->base + k;
			struct client_command *command = &s->commands[sequence % SESSION_WINDOW];

			if ((s->outstanding >> k & 1) == 0 || (!asks && now_ns < command->retry_ns))
				continue;
			uint32_t wrote = write_entry(c, index, sequence, count, body + *bytes,
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
	if (count > 0 && asks)
		ask_next(c, now_ns);
	else if (count > 0)
		count_round(c, now_ns);
	return count;
}

uint32_t client_split(const struct client *c, uint8_t *body, uint32_t count, uint32_t *bytes,
	uint8_t *reads, uint32_t *reads_bytes)
{
	uint32_t moved = 0;
	uint32_t kept_bytes = 0;

	*reads_bytes = 0;
	for (uint32_t i = 0, at = 0; i < count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + at);
		uint32_t length = entry_bytes(entry_length(e));

		at += length;
		if ((c->reads[i / 64] >> (i % 64) & 1) != 0) {
			memcpy(reads + *reads_bytes, e, length);
			*reads_bytes += length;
			moved++;
		} else {
			memmove(body + kept_bytes, e, length);
			kept_bytes += length;
		}
	}
	*bytes = kept_bytes;
	return moved;
}

/* The closed session whose opening this nonce is of. NULL: it is another client's; or late, of an earlier
 * opening, whose session may have been used (K4). */
static struct client_session *find_opening(struct client *c, uint64_t nonce)
{
	uint64_t index = (nonce - c->nonce) & ((1ull << c->index_bits) - 1);

	if (index >= c->count || !client_closed(&c->sessions[index]) ||
		nonce != opening(c, (uint32_t)index))
		return NULL;
	return &c->sessions[index];
}

static void on_opened(struct client *c, const struct reply *r)
{
	struct client_session *s = find_opening(c, r->session);

	if (s == NULL || s->outstanding == 0) {
		/* Or a second one of a retry, whose session is left to expire. */
		c->counters.late++;
		return;
	}
	if (r->result >= CLIENT_CLOSED || find(c, r->result) != NULL) {
		c->counters
			.late++; /* No instance, or another session's: no honest member's word. */
		return;
	}
	s->id = r->result;
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
	uint32_t index = (uint32_t)(s - c->sessions);
	uint32_t lost = s->outstanding;
	uint64_t base = s->base;

	c->outstanding -= (uint32_t)__builtin_popcount(lost);
	s->id = CLIENT_CLOSED + ++c->openings;
	s->next = 0;
	s->base = 0;
	s->outstanding = 0;
	c->opened--;
	c->counters.expired++;
	rebuild_index(c);
	make_ready(c, index);
	if (c->settings.expired == NULL)
		s->allowed += (uint32_t)__builtin_popcount(lost);
	for (uint32_t k = 0; k < SESSION_WINDOW && c->settings.expired != NULL; k++)
		if ((lost >> k & 1) != 0)
			c->settings.expired(c->settings.context, index, base + k);
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

/* Of one copy of a command: others may be taken. */
static bool refuses(enum reply_status status)
{
	return status == REPLY_BUSY || status == REPLY_REDIRECT || status == REPLY_UNKNOWN;
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

/* Somebody names the leader: in doubt it is asked soon, and believed when it answers. */
static void follow(struct client *c, uint32_t leader, uint64_t now_ns)
{
	uint64_t soon_ns = now_ns + timeout(c, 0) / REDIRECT_SOONER;

	c->moved = c->moved || c->leader != leader;
	c->leader = leader;
	if (!in_doubt(c) || c->named || c->followed)
		return;
	c->named = true;
	if (c->round_ns > soon_ns)
		c->round_ns = soon_ns;
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

/* A member did what only a leader does. */
static void believe(struct client *c, uint32_t member, uint64_t now_ns)
{
	bool another = in_doubt(c) || c->moved;

	if (!in_doubt(c) && member != c->leader)
		return; /* Late, from one that has led: the other one has done nothing wrong. */
	c->leader = member;
	c->doubt = 0;
	c->moved = false;
	c->refused = false;
	c->named = false;
	if (!another)
		return;
	c->round_ns = now_ns;
	retry_all(c, now_ns);
}

static inline void on_one(struct client *c, const struct reply *r, uint64_t now_ns)
{
	enum reply_status status = reply_status(r);
	bool refused = refuses(status);
	struct client_session *s;

	if (status == REPLY_OPENED) {
		on_opened(c, r);
		return;
	}
	if (status == REPLY_REDIRECT && r->result < c->settings.members)
		follow(c, (uint32_t)r->result, now_ns);
	s = find(c, r->session);
	if (s == NULL) {
		/* Of an open that was refused, whose session field tells which. */
		s = find_opening(c, r->session);
		if (refused && s != NULL)
			on_refused(c, r, s, now_ns);
		return;
	}
	uint64_t sequence = reply_sequence(r);

	if (sequence < s->base || sequence >= s->next || !outstanding_at(s, sequence)) {
		c->counters.late++;
		return;
	}
	if (refused)
		on_refused(c, r, s, now_ns);
	else if (status == REPLY_EXPIRED && reads_only(c))
		c->counters.late++; /* No honest member's word. */
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

void client_on_reply(struct client *c, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	bool from_leader = m->sender == c->leader;
	uint32_t at = 0;
	uint32_t refused = 0;

	if (m->sender < c->settings.members)
		c->asked_ns[m->sender] = 0;
	c->reflects = (m->flags & FLAG_READ_STALE) != 0 ? m->watermark : 0;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct reply *r = (const struct reply *)(const void *)(body + at);

		refused += refuses(reply_status(r)) ? 1 : 0;
		on_one(c, r, now_ns);
		at += (uint32_t)sizeof(*r) + (reply_length(r) + 7) / 8 * 8;
	}
	/* A flag says of whose reads it tells, or that its sender does not lead. */
	if (refused < m->count && m->flags == 0 && m->sender < c->settings.members)
		believe(c, m->sender, now_ns);
	else if (from_leader)
		c->refused = true;
}
