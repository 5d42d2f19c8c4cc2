/*
 * given_acceptor.h - an acceptor's stage of member 2, enrolled, for the tests of
 * consensus/replica_acceptor.h.
 */
#ifndef TESTS_UNIT_GIVEN_ACCEPTOR_H
#define TESTS_UNIT_GIVEN_ACCEPTOR_H

#include "consensus/replica_acceptor.h"
#include "tests/unit/given_stage.h"

enum {
	LOG_SIZE = 1 << 17,
	SELF = 2,
};

static _Alignas(64) uint8_t log_bytes[LOG_SIZE];
static _Alignas(8) uint8_t body[SENT_BODY_MAX];
static struct acceptor_stage stage;

/* Ballots of members 0 and 1; the later is above the earlier. */
#define EARLIER ballot_make(4, 0)
#define LATER ballot_make(5, 1)

static inline void send_to_stage(const struct message *given, const void *given_body)
{
	struct message m = *given;

	m.uuid = m.uuid == 0 ? uuid_of(m.sender) : m.uuid;
	acceptor_stage_on_message(&stage, &m, given_body, 1);
}

static inline void given_enrolled(void)
{
	uint64_t uuids[MEMBER_MAX] = {uuid_of(0), uuid_of(1), uuid_of(2)};
	const struct message m = {.type = MESSAGE_ENROLLED, .payload_len = sizeof(uuids)};

	send_to_stage(&m, uuids);
}

static inline int setup_stranger(void **state)
{
	(void)state;
	given_settings();
	settings.self = SELF;
	acceptor_stage_init(&stage, &settings, 0, &outlet, log_bytes, sizeof(log_bytes));
	return 0;
}

static inline int setup(void **state)
{
	setup_stranger(state);
	given_enrolled();
	return 0;
}

static inline void flush(void)
{
	acceptor_stage_flush(&stage, 1);
}

static inline void prepare(uint64_t ballot)
{
	const struct message m = {
		.type = MESSAGE_PREPARE,
		.ballot = ballot,
		.sender = (uint8_t)ballot_node(ballot),
	};

	send_to_stage(&m, NULL);
}

static inline uint32_t make_body(uint64_t session, uint64_t first, uint32_t count, uint32_t length)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += put_entry(body + bytes, ENTRY_COMMAND, session, first + i, length);
	return bytes;
}

/* `session` 0: a no-op run; else what its values are made of. */
static inline struct message accept_of(uint64_t ballot, uint64_t first, uint16_t count,
	uint64_t session)
{
	uint32_t bytes = session == 0 ? 0 : make_body(session, first, count, 8);

	return (struct message){
		.type = MESSAGE_ACCEPT,
		.flags = session == 0 ? FLAG_NOOP : 0,
		.ballot = ballot,
		.first = first,
		.count = count,
		.payload_len = (uint16_t)bytes,
		.checksum = bytes == 0 ? 0 : message_crc(body, bytes),
		.sender = (uint8_t)ballot_node(ballot),
	};
}

static inline void accepts(uint64_t ballot, uint64_t first, uint16_t count, uint64_t session)
{
	const struct message m = accept_of(ballot, first, count, session);

	send_to_stage(&m, body);
}

/* What a catch-up answer of member 1 says is chosen: one record. */
static inline void choose(uint64_t first, uint16_t count, uint64_t session)
{
	_Alignas(8) uint8_t chosen[SENT_BODY_MAX];
	uint32_t bytes = session == 0 ? 0 : make_body(session, first, count, 8);
	const struct record r = {
		.first = first,
		.count = count,
		.bytes = (uint16_t)bytes,
		.checksum = bytes == 0 ? 0 : message_crc(body, bytes),
		.flags = session == 0 ? FLAG_NOOP : 0,
	};
	const struct message m = {
		.type = MESSAGE_CHOSEN,
		.first = first,
		.watermark = first + count,
		.count = 1,
		.sender = 1,
		.payload_len = (uint16_t)(RECORD_BYTES + bytes),
	};

	memcpy(chosen, &r, sizeof(r));
	memcpy(chosen + RECORD_BYTES, body, bytes);
	send_to_stage(&m, chosen);
}

static inline void delivered(uint64_t index)
{
	const struct message m = {.type = MESSAGE_DELIVERED, .first = index};

	send_to_stage(&m, NULL);
}

static inline void pull(uint64_t ballot, uint64_t from, uint64_t to)
{
	const struct message m = {
		.type = MESSAGE_PULL,
		.ballot = ballot,
		.first = from,
		.watermark = to,
		.sender = (uint8_t)ballot_node(ballot),
	};

	send_to_stage(&m, NULL);
}

static inline void fetch(uint64_t first)
{
	const struct message m = {.type = MESSAGE_FETCH, .first = first, .sender = 1};

	send_to_stage(&m, NULL);
}

static inline void then_refused(enum refusal why, uint32_t member, uint64_t promised, uint64_t lo)
{
	const struct sent *s = the_only(MESSAGE_REFUSED);

	assert_int_equal(s->m.flags, why);
	assert_int_equal(s->to.members, 1u << member);
	assert_int_equal(s->m.ballot, promised);
	assert_int_equal(s->m.watermark, lo);
}

/* The i-th record of a body. */
static const struct record *record(const struct sent *s, uint32_t i)
{
	uint32_t offset = 0;

	for (; i > 0; i--)
		record_next(s->body, s->m.payload_len, &offset);
	return record_next(s->body, s->m.payload_len, &offset);
}

static inline void then_record(const struct sent *s, uint32_t i, uint64_t ballot, uint64_t first,
	uint16_t count, uint64_t session)
{
	const struct record *r = record(s, i);
	uint32_t bytes = session == 0 ? 0 : make_body(session, first, count, 8);

	assert_non_null(r);
	assert_int_equal(r->ballot, ballot);
	assert_int_equal(r->first, first);
	assert_int_equal(r->count, count);
	assert_int_equal(r->flags, session == 0 ? FLAG_NOOP : 0);
	assert_int_equal(r->bytes, bytes);
	assert_memory_equal(r + 1, body, bytes);
	assert_int_equal(r->checksum, bytes == 0 ? 0 : message_crc(body, bytes));
}

#endif
