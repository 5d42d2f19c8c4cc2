/*
 * given_client.h - a client with recorded reports and replies by hand, for the tests of
 * consensus/client.h.
 */
#ifndef TESTS_UNIT_GIVEN_CLIENT_H
#define TESTS_UNIT_GIVEN_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/client.h"

enum {
	SESSIONS = 4,
	WINDOW = 3,
	BATCH = 8,
	RETRY = 1000,
	VALUE_MAX = 32,
	DONE_MAX = 64,
	MEMORY = 4096,
	ID = 500, /* The first session's id; the others follow. */
};

struct done {
	uint32_t session;
	uint64_t id, sequence, result, sent_ns;
};

static _Alignas(64) uint8_t memory[MEMORY];
static _Alignas(8) uint8_t body[BODY_MAX];
static _Alignas(8) uint8_t replies[1024];
static uint32_t replies_count, replies_bytes;
static struct client client;
static struct client_settings settings;
static struct done dones[DONE_MAX];
static uint32_t dones_count;
static uint32_t body_bytes;
static uint64_t now;

static inline uint32_t value(void *context, uint32_t session, uint64_t sequence, uint8_t *to)
{
	(void)context;
	memset(to, (int)(16 * session + sequence + 1), 13);
	return 13;
}

static inline void done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	(void)context;
	dones[dones_count++] = (struct done){session, id, sequence, reply->result, sent_ns};
}

static inline void given_client(uint32_t sessions)
{
	assert_true(client_bytes(sessions) <= sizeof(memory));
	client_init(&client, &settings, sessions, memory);
}

static inline int setup(void **state)
{
	(void)state;
	settings = (struct client_settings){
		.members = 3,
		.window = WINDOW,
		.body_max = sizeof(body),
		.batch = BATCH,
		.retry_ns = RETRY,
		.seed = 3,
		.value_max = VALUE_MAX,
		.value = value,
		.done = done,
	};
	memset(memory, 0xee, sizeof(memory));
	memset(body, 0xee, sizeof(body));
	dones_count = 0;
	replies_count = 0;
	replies_bytes = 0;
	now = 5000;
	given_client(1);
	return 0;
}

static inline uint32_t fill(void)
{
	return client_fill(&client, body, &body_bytes, now);
}

static inline uint32_t fill_retries(void)
{
	return client_fill_retries(&client, body, &body_bytes, now);
}

/* The i-th entry of the body last filled. */
static const struct entry *entry(uint32_t i)
{
	uint32_t at = 0;

	for (; i > 0; i--)
		at += entry_bytes(entry_length((struct entry *)(void *)(body + at)));
	return (struct entry *)(void *)(body + at);
}

static inline void then_entry(uint32_t i, uint64_t session, uint64_t sequence)
{
	assert_int_equal(entry_kind(entry(i)), ENTRY_COMMAND);
	assert_int_equal(entry(i)->session, session);
	assert_int_equal(entry_sequence(entry(i)), sequence);
}

static inline void put_reply(uint64_t session, uint64_t sequence, enum reply_status status,
	uint64_t result)
{
	const struct reply r = {
		.session = session,
		.sequence_status = reply_pack(sequence, status, 0),
		.result = result,
	};

	memcpy(replies + replies_bytes, &r, sizeof(r));
	replies_bytes += (uint32_t)sizeof(r);
	replies_count++;
}

static inline void when_replies_of(uint8_t member)
{
	const struct message m = {.sender = member, .count = (uint16_t)replies_count};

	client_on_reply(&client, &m, replies, now);
	replies_count = 0;
	replies_bytes = 0;
}

static inline void when_reply(uint64_t session, uint64_t sequence, enum reply_status status,
	uint64_t result)
{
	put_reply(session, sequence, status, result);
	when_replies_of((uint8_t)client.leader);
}

static inline void given_opened(uint32_t sessions)
{
	given_client(sessions);
	assert_int_equal(fill(), sessions);
	for (uint32_t i = 0; i < sessions; i++)
		when_reply(client.nonce + i, 0, REPLY_OPENED, ID + i);
	assert_int_equal(client.opened, sessions);
}

/* One session, of which commands 0, 1, 2 are outstanding. */
static inline void given_full_window(void)
{
	given_opened(1);
	client_want(&client, 0, 10);
	assert_int_equal(fill(), WINDOW);
}

#endif
