/* The codec: each message type in and out, each truncation, each single-bit flip, each bad form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/message.h"

enum {
	FRAME_MAX = 2048
};

/* The body stands at a multiple of 8, as in an mbuf. */
static _Alignas(8) uint8_t storage[FRAME_MAX + 2];
static uint8_t *const frame = storage + 2;
static size_t frame_length;
static struct message given;

static uint32_t put_entry(uint8_t *at, enum entry_kind kind, uint64_t session, uint64_t sequence,
	uint32_t length)
{
	const struct entry e = {
		.session = session,
		.sequence_length = entry_pack(kind, sequence, length),
	};

	memcpy(at, &e, sizeof(e));
	memset(at + sizeof(e), 0x5a, entry_bytes(length) - ENTRY_BYTES);
	return entry_bytes(length);
}

static uint32_t put_record(uint8_t *at, uint64_t first, uint16_t count, uint8_t flags)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; flags == 0 && i < count; i++)
		bytes += put_entry(at + RECORD_BYTES + bytes, ENTRY_COMMAND, 7, i, 9);
	const struct record r = {
		.ballot = 65537,
		.first = first,
		.checksum = bytes == 0 ? 0 : message_crc(at + RECORD_BYTES, bytes),
		.count = count,
		.bytes = (uint16_t)bytes,
		.flags = flags,
	};

	memcpy(at, &r, sizeof(r));
	return RECORD_BYTES + bytes;
}

static void seal(uint32_t bytes)
{
	given.payload_len = (uint16_t)bytes;
	given.checksum = bytes == 0 ? 0 : message_crc(frame + HEADER_BYTES, bytes);
	message_encode(&given, frame);
	frame_length = HEADER_BYTES + bytes;
}

static void given_message(enum message_type type)
{
	uint8_t *body = frame + HEADER_BYTES;
	uint32_t bytes = 0;

	given = (struct message){
		.type = (uint8_t)type,
		.ballot = ballot_make(9, 2),
		.first = 512,
		.watermark = 700,
		.counter = 77,
		.uuid = 0x1122334455667788ull,
		.cluster = 3,
		.epoch = 0,
		.shard = 1,
		.echo = 5,
		.life = 6,
		.sender = type == MESSAGE_REQUEST ? MESSAGE_SENDER_CLIENT : 2,
	};
	switch (type) {
	case MESSAGE_REQUEST:
	case MESSAGE_ACCEPT:
		given.count = 3;
		bytes += put_entry(body, ENTRY_COMMAND, 11, 1, 64);
		bytes += put_entry(body + bytes, ENTRY_OPEN, 12, 0, 0);
		bytes += put_entry(body + bytes, ENTRY_COMMAND, 13, 99, 5);
		break;
	case MESSAGE_REPLY:
		given.count = 2;
		for (uint32_t i = 0; i < 2; i++) {
			const struct reply r = {
				.session = i,
				.sequence_status = reply_pack(i, REPLY_OK, i * 5),
			};

			memcpy(body + bytes, &r, sizeof(r));
			memset(body + bytes + sizeof(r), 1, (i * 5 + 7) / 8 * 8);
			bytes += (uint32_t)sizeof(r) + (i * 5 + 7) / 8 * 8;
		}
		break;
	case MESSAGE_ACCEPTED:
		given.count = 2;
		bytes = 2 * sizeof(struct range);
		memcpy(body, (struct range[]){{512, 17}, {600, 1}}, bytes);
		break;
	case MESSAGE_VOTES:
	case MESSAGE_CHOSEN:
		given.count = 2;
		bytes += put_record(body, 520, 4, 0);
		bytes += put_record(body + bytes, 524, 100, FLAG_NOOP);
		break;
	case MESSAGE_HELLO:
		bytes = HELLO_BYTES;
		memset(body, 9, bytes);
		break;
	case MESSAGE_SNAPSHOT_CHUNK:
		bytes = 40;
		memset(body, 7, bytes);
		break;
	default:
		break;
	}
	seal(bytes);
}

static enum drop decoded(struct message *m)
{
	return message_decode(frame, frame_length, m);
}

static void every_type_reads_back_as_it_was_written(void **state)
{
	(void)state;
	for (int type = MESSAGE_REQUEST; type < MESSAGE_WIRE_END; type++) {
		struct message m;

		given_message((enum message_type)type);
		assert_int_equal(decoded(&m), DROP_NONE);
		assert_int_equal(m.type, given.type);
		assert_int_equal(m.sender, given.sender);
		assert_int_equal(m.count, given.count);
		assert_int_equal(m.ballot, given.ballot);
		assert_int_equal(m.first, given.first);
		assert_int_equal(m.watermark, given.watermark);
		assert_int_equal(m.counter, given.counter);
		assert_int_equal(m.uuid, given.uuid);
		assert_int_equal(m.cluster, given.cluster);
		assert_int_equal(m.shard, given.shard);
		assert_int_equal(m.echo, given.echo);
		assert_int_equal(m.life, given.life);
		assert_int_equal(m.payload_len, given.payload_len);
	}
}

static void every_truncation_of_every_type_is_refused(void **state)
{
	(void)state;
	for (int type = MESSAGE_REQUEST; type < MESSAGE_WIRE_END; type++) {
		given_message((enum message_type)type);
		for (size_t length = 0; length < frame_length; length++) {
			struct message m;

			assert_int_not_equal(message_decode(frame, length, &m), DROP_NONE);
		}
	}
}

static void every_single_bit_flip_of_every_type_is_refused(void **state)
{
	(void)state;
	for (int type = MESSAGE_REQUEST; type < MESSAGE_WIRE_END; type++) {
		given_message((enum message_type)type);
		for (size_t bit = 0; bit < frame_length * 8; bit++) {
			struct message m;

			frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			assert_int_not_equal(decoded(&m), DROP_NONE);
			frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
	}
}

static void assert_refused(enum drop reason)
{
	struct message m;

	assert_int_equal(decoded(&m), reason);
}

static void a_frame_longer_than_it_says_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPT);
	frame_length += 8;
	assert_refused(DROP_LENGTH);
}

static void a_count_beyond_the_entries_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPT);
	given.count = 4;
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_count_of_zero_is_malformed(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPT);
	given.count = 0;
	seal(0);
	assert_refused(DROP_MALFORMED);
}

static void a_run_that_straddles_a_block_is_malformed(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPT);
	given.first = 2 * BLOCK - 2;
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void an_entry_longer_than_its_body_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_REQUEST);
	const struct entry e = {.session = 1, .sequence_length = entry_pack(0, 1, 16383)};

	memcpy(frame + HEADER_BYTES, &e, sizeof(e));
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_record_longer_than_its_body_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_VOTES);
	struct record r;

	memcpy(&r, frame + HEADER_BYTES, sizeof(r));
	r.bytes = 60000;
	memcpy(frame + HEADER_BYTES, &r, sizeof(r));
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_record_outside_what_the_chunk_covers_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_CHOSEN);
	given.watermark = 600;
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_record_whose_checksum_is_not_that_of_its_entries_is_refused(void **state)
{
	struct record r;

	/* Else: it goes into the log as it is, and to others, who can not use it. */
	(void)state;
	given_message(MESSAGE_CHOSEN);
	memcpy(&r, frame + HEADER_BYTES, sizeof(r));
	r.checksum ^= 1;
	memcpy(frame + HEADER_BYTES, &r, sizeof(r));
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_count_that_is_not_that_of_the_records_is_refused(void **state)
{
	(void)state;
	for (uint16_t count = 0; count < 4; count++) {
		given_message(MESSAGE_VOTES);
		given.count = count;
		seal(given.payload_len);
		if (count != 2)
			assert_refused(DROP_MALFORMED);
	}
}

static void a_range_of_nothing_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPTED);
	memcpy(frame + HEADER_BYTES, (struct range[]){{512, 0}}, sizeof(struct range));
	seal(given.payload_len);
	assert_refused(DROP_MALFORMED);
}

static void a_ballot_of_another_node_than_the_sender_is_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_PREPARE);
	given.ballot = ballot_make(9, 1);
	seal(0);
	assert_refused(DROP_SENDER);
}

static void a_client_speaks_only_requests(void **state)
{
	(void)state;
	given_message(MESSAGE_ACCEPTED);
	given.sender = MESSAGE_SENDER_CLIENT;
	seal(given.payload_len);
	assert_refused(DROP_SENDER);
	given_message(MESSAGE_REQUEST);
	given.sender = 1;
	seal(given.payload_len);
	assert_refused(DROP_SENDER);
}

static void a_request_is_of_commands_or_of_one_kind_of_reads(void **state)
{
	struct message m;

	(void)state;
	given_message(MESSAGE_REQUEST);
	for (uint32_t flags = 0; flags < 256; flags++) {
		given.flags = (uint8_t)flags;
		seal(given.payload_len);
		if (flags != 0 && flags != FLAG_READ && flags != FLAG_READ_ANY &&
			flags != FLAG_READ_STALE) {
			assert_refused(DROP_MALFORMED);
			continue;
		}
		assert_int_equal(decoded(&m), DROP_NONE);
		assert_int_equal(m.flags, flags);
	}
}

static void a_reply_has_no_marks_but_those_of_reads(void **state)
{
	struct message m;

	(void)state;
	given_message(MESSAGE_REPLY);
	for (uint32_t flags = 0; flags < 256; flags++) {
		given.flags = (uint8_t)flags;
		seal(given.payload_len);
		assert_int_equal(decoded(&m),
			(flags | FLAG_READ_ANY | FLAG_READ_STALE) ==
					(FLAG_READ_ANY | FLAG_READ_STALE)
				? DROP_NONE
				: DROP_MALFORMED);
	}
}

static void instances_near_the_top_are_refused(void **state)
{
	(void)state;
	given_message(MESSAGE_PREPARE);
	given.first = INSTANCE_TOP;
	seal(0);
	assert_refused(DROP_MALFORMED);
}

static void a_local_type_never_comes_from_a_wire(void **state)
{
	(void)state;
	given_message(MESSAGE_PREPARE);
	given.type = MESSAGE_DELIVERED;
	seal(0);
	assert_refused(DROP_TYPE);
}

static void each_length_of_an_entry_says_where_the_next_one_begins(void **state)
{
	uint8_t entry[ENTRY_BYTES];

	/* Every input that counts: what is proved elsewhere takes entry_step's contract on trust. */
	(void)state;
	memset(entry, 0xff, sizeof(entry));
	for (uint32_t word = 0; word <= UINT16_MAX; word++) {
		const uint32_t length = word % 16384;

		entry[14] = (uint8_t)(word % 256);
		entry[15] = (uint8_t)(word / 256);
		assert_int_equal(entry_step(entry), ENTRY_BYTES + (length + 7) / 8 * 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_reads_back_as_it_was_written),
		cmocka_unit_test(each_length_of_an_entry_says_where_the_next_one_begins),
		cmocka_unit_test(every_truncation_of_every_type_is_refused),
		cmocka_unit_test(every_single_bit_flip_of_every_type_is_refused),
		cmocka_unit_test(a_frame_longer_than_it_says_is_refused),
		cmocka_unit_test(a_count_beyond_the_entries_is_refused),
		cmocka_unit_test(a_count_of_zero_is_malformed),
		cmocka_unit_test(a_run_that_straddles_a_block_is_malformed),
		cmocka_unit_test(an_entry_longer_than_its_body_is_refused),
		cmocka_unit_test(a_record_longer_than_its_body_is_refused),
		cmocka_unit_test(a_record_outside_what_the_chunk_covers_is_refused),
		cmocka_unit_test(a_record_whose_checksum_is_not_that_of_its_entries_is_refused),
		cmocka_unit_test(a_count_that_is_not_that_of_the_records_is_refused),
		cmocka_unit_test(a_range_of_nothing_is_refused),
		cmocka_unit_test(a_ballot_of_another_node_than_the_sender_is_refused),
		cmocka_unit_test(a_client_speaks_only_requests),
		cmocka_unit_test(a_request_is_of_commands_or_of_one_kind_of_reads),
		cmocka_unit_test(a_reply_has_no_marks_but_those_of_reads),
		cmocka_unit_test(instances_near_the_top_are_refused),
		cmocka_unit_test(a_local_type_never_comes_from_a_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
