/*
 * given_stage.h - three members, and an outlet that records, for the tests of the roles' joints.
 */
#ifndef TESTS_UNIT_GIVEN_STAGE_H
#define TESTS_UNIT_GIVEN_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/replica.h"

enum {
	MEMBERS = 3,
	EVERYBODY = (1 << MEMBERS) - 1,
	BODY_BYTES = 1386, /* Of a body in an MTU of 1500. */
	SENT_MAX = 1024,
	SENT_BODY_MAX = 1392,
};

/* Times of these tests, in whatever unit: only their order counts. */
enum {
	HEARTBEAT = 10,
	TIMEOUT = 100,
	PROGRESS = 400,
	RETRANSMIT = 50,
};

struct sent {
	struct target to;
	struct message m;
	_Alignas(8) uint8_t body[SENT_BODY_MAX];
};

static struct quorum majority;
static struct replica_settings settings;
static struct outlet outlet;
static struct sent sent[SENT_MAX];
static uint32_t sent_count;

static inline uint64_t uuid_of(uint32_t member)
{
	return 1000 + member;
}

static inline void record_sent(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct sent *s = &sent[sent_count++];
	uint32_t bytes = 0;

	(void)context;
	assert_true(sent_count <= SENT_MAX && m->payload_len <= SENT_BODY_MAX);
	s->to = *to;
	s->m = *m;
	for (uint32_t i = 0; i < parts_count; i++) {
		assert_true(bytes + parts[i].length <= m->payload_len);
		memcpy(s->body + bytes, parts[i].bytes, parts[i].length);
		bytes += parts[i].length;
	}
	assert_int_equal(bytes, m->payload_len);
}

/* Messages that the rings still take. */
static uint32_t room;

static inline uint32_t given_room(void *context)
{
	(void)context;
	return room;
}

static inline void given_settings(void)
{
	quorum_init_majority(&majority, MEMBERS);
	settings = (struct replica_settings){
		.members = MEMBERS,
		.shards = 1,
		.body_max = BODY_BYTES,
		.window = 1024,
		.heartbeat_ns = HEARTBEAT,
		.election_timeout_ns = TIMEOUT,
		.progress_timeout_ns = PROGRESS,
		.retransmit_ns = RETRANSMIT,
		.commit_idle_ns = 5,
		.lag_max = 1000,
		.lag_timeout_ns = 1000,
		.seed = 7,
		.uuid = uuid_of(0),
		.quorum = &majority,
	};
	outlet.send = record_sent;
	outlet.room = given_room;
	room = SENT_MAX;
	sent_count = 0;
}

/* The n-th message of this type since sent_count was 0, from 0 on; NULL: fewer were sent. */
static inline const struct sent *sent_nth(enum message_type type, uint32_t n)
{
	for (uint32_t i = 0; i < sent_count; i++)
		if (sent[i].m.type == type && n-- == 0)
			return &sent[i];
	return NULL;
}

static inline uint32_t sent_of(enum message_type type)
{
	uint32_t count = 0;

	while (sent_nth(type, count) != NULL)
		count++;
	return count;
}

static inline const struct sent *the_only(enum message_type type)
{
	assert_int_equal(sent_of(type), 1);
	return sent_nth(type, 0);
}

/* Appends an entry with a value that its session and sequence tell; returns its bytes. */
static inline uint32_t put_entry(uint8_t *at, enum entry_kind kind, uint64_t session,
	uint64_t sequence, uint32_t length)
{
	const struct entry e = {
		.session = session,
		.sequence_length = entry_pack(kind, sequence, length),
	};

	memcpy(at, &e, sizeof(e));
	memset(at + sizeof(e), (int)(session * 16 + sequence), entry_bytes(length) - ENTRY_BYTES);
	return entry_bytes(length);
}

#endif
