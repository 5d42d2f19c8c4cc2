/*
 * given_leader.h - the leader's stage of member 0, led through an election by hand, for the tests
 * of consensus/replica_leader.h.
 */
#ifndef TESTS_UNIT_GIVEN_LEADER_H
#define TESTS_UNIT_GIVEN_LEADER_H

#include "consensus/replica_leader.h"
#include "tests/unit/given_stage.h"

enum {
	SELF = 0,
	OTHERS = EVERYBODY & ~(1 << SELF),
	CLIENT = ENDPOINT_CLIENT_FIRST + 5,
	OTHER_CLIENT = ENDPOINT_CLIENT_FIRST + 6,
};

static struct leader_stage stage;
static uint64_t now;
static _Alignas(8) uint8_t request[BODY_MAX];
static uint16_t request_count;
static uint32_t request_bytes;

static inline int setup_stranger(void **state)
{
	(void)state;
	given_settings();
	memset(&stage, 0, sizeof(stage));
	leader_stage_init(&stage, &settings, &outlet);
	now = 10000;
	request_count = 0;
	request_bytes = 0;
	return 0;
}

static inline void hear(uint8_t member, const struct message *given, const void *body)
{
	struct message m = *given;

	m.sender = member;
	m.from = member;
	m.uuid = uuid_of(member);
	leader_stage_on_message(&stage, &m, body, now);
}

static inline void hear_hello(uint8_t member, uint64_t held, uint8_t flags)
{
	const struct message m = {.type = MESSAGE_HELLO, .ballot = held, .flags = flags};
	const struct identity_disk disk = {0};

	hear(member, &m, &disk);
}

static inline void given_enrolled(void)
{
	hear_hello(1, uuid_of(SELF), 0);
	hear_hello(2, uuid_of(SELF), 0);
}

static inline void tick(void)
{
	leader_stage_on_tick(&stage, now);
}

static inline void flush(void)
{
	leader_stage_flush(&stage, now);
}

static inline void hear_heartbeat(uint8_t member, uint8_t flags, uint64_t ballot,
	uint64_t delivered, uint64_t watermark)
{
	const struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.flags = flags,
		.ballot = ballot,
		.first = delivered,
		.watermark = watermark,
		.echo = EVERYBODY,
	};

	hear(member, &m, NULL);
}

static inline void hear_others(void)
{
	hear_heartbeat(1, 0, 0, 0, 0);
	hear_heartbeat(2, 0, 0, 0, 0);
}

/* Time goes by in heartbeats; the others are heard. */
static inline void pass(uint64_t span)
{
	for (uint64_t end = now + span; now < end;) {
		now += HEARTBEAT;
		hear_others();
		tick();
	}
}

static inline void hear_granted(uint8_t member, uint64_t delivered)
{
	const struct message m = {
		.type = MESSAGE_PREVOTED,
		.flags = PREVOTED_GRANTED,
		.ballot = stage.election.ballot,
		.first = delivered,
	};

	hear(member, &m, NULL);
}

static inline void given_prevoting(void)
{
	given_enrolled();
	for (uint32_t i = 0; i < 100 && sent_of(MESSAGE_PREVOTE) == 0; i++)
		pass(HEARTBEAT);
	assert_int_equal(sent_of(MESSAGE_PREVOTE), 1);
	sent_count = 0;
}

static inline void given_candidate(void)
{
	given_prevoting();
	hear_granted(1, 0);
	tick();
}

static inline void hear_promise(uint8_t member, uint64_t lo, uint64_t high)
{
	const struct message m = {
		.type = MESSAGE_PROMISE,
		.ballot = stage.proposer.ballot,
		.first = lo,
		.watermark = high,
	};

	hear(member, &m, NULL);
}

static inline void hear_accepted(uint8_t member, uint64_t first, uint64_t count, uint64_t delivered)
{
	const struct range range = {.first = first, .count = count};
	const struct message m = {
		.type = MESSAGE_ACCEPTED,
		.ballot = stage.proposer.ballot,
		.count = 1,
		.watermark = delivered,
		.payload_len = sizeof(range),
	};

	hear(member, &m, &range);
}

/* Everything proposed so far is chosen. */
static inline void choose_all(void)
{
	const struct window *w = &stage.proposer.window;

	hear_accepted(SELF, w->chosen, w->end - w->chosen, 0);
	hear_accepted(1, w->chosen, w->end - w->chosen, 0);
	assert_int_equal(w->chosen, w->end);
}

/* A fresh cluster's first leader: its no-op is chosen as instance 0. */
static inline void given_leading(void)
{
	given_candidate();
	hear_promise(SELF, 0, 0);
	hear_promise(1, 0, 0);
	tick();
	choose_all();
	assert_true(stage.leads);
	flush();
	sent_count = 0;
}

static inline void hear_refused(uint8_t member, enum refusal why, uint64_t ballot, uint64_t lo)
{
	const struct message m = {
		.type = MESSAGE_REFUSED,
		.flags = (uint8_t)why,
		.ballot = ballot,
		.watermark = lo,
	};

	hear(member, &m, NULL);
}

static inline void delivered(uint64_t index)
{
	const struct message m = {.type = MESSAGE_DELIVERED, .first = index};

	leader_stage_on_message(&stage, &m, NULL, now);
}

/* ---- Requests ---- */

static inline void with_entry(enum entry_kind kind, uint64_t session, uint64_t sequence,
	uint32_t length)
{
	request_bytes += put_entry(request + request_bytes, kind, session, sequence, length);
	request_count++;
}

static inline void with_commands(uint64_t session, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		with_entry(ENTRY_COMMAND, session + i, 0, 8);
}

static inline void when_requested_by(uint16_t client)
{
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.sender = MESSAGE_SENDER_CLIENT,
		.from = client,
		.count = request_count,
		.payload_len = (uint16_t)request_bytes,
		.checksum = message_crc(request, request_bytes),
		.checksum_known = true,
	};

	leader_stage_on_message(&stage, &m, request, now);
	request_count = 0;
	request_bytes = 0;
}

static inline void when_requested(void)
{
	when_requested_by(CLIENT);
	flush();
}

static inline void then_reply(const struct sent *s, uint32_t i, uint16_t client, uint64_t session,
	enum reply_status status, uint64_t result)
{
	const struct reply *r = (const struct reply *)(const void *)s->body + i;

	assert_int_equal(s->m.type, MESSAGE_REPLY);
	assert_int_equal(s->to.client, client);
	assert_true(i < s->m.count);
	assert_int_equal(s->m.payload_len, s->m.count * sizeof(*r));
	assert_int_equal(r->session, session);
	assert_int_equal(reply_status(r), status);
	assert_int_equal(r->result, result);
}

/* The run proposed: to everybody, at our ballot. */
static inline void then_proposed(const struct sent *s, uint64_t first, uint16_t count)
{
	assert_non_null(s);
	assert_int_equal(s->m.type, MESSAGE_ACCEPT);
	assert_int_equal(s->to.members, EVERYBODY);
	assert_int_equal(s->m.ballot, stage.proposer.ballot);
	assert_int_equal(s->m.first, first);
	assert_int_equal(s->m.count, count);
	if (s->m.flags == FLAG_NOOP)
		assert_int_equal(s->m.payload_len, 0);
	else
		assert_true(entries_valid(s->body, s->m.payload_len, count));
}

#endif
