/*
 * seeds.c - writes the corpus: one small file for each thing that a target can meet.
 *
 * Usage: fuzz_seeds FOLDER. The configuration's seeds are config/profiles and need no other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "consensus/message.h"
#include "consensus/snapshot.h"
#include "tests/fuzz/peers.h"
#include "tests/fuzz/seal.h"

enum {
	BYTES_MAX = 2048,
	NET_BYTES = 42,
};

static const char *folder;

static void write_seed(const char *target, const char *name, const void *bytes, size_t length)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
		fprintf(stderr, "fuzz_seeds: %s can not be written\n", path);
		exit(1);
	}
}

/* ---- Messages ---- */

static size_t put_entry(uint8_t *at, uint64_t session, enum entry_kind kind, uint64_t sequence,
	uint32_t length)
{
	const struct entry e = {
		.session = session,
		.sequence_length = entry_pack(kind, sequence, length),
	};

	memset(at, 0, entry_bytes(length));
	memcpy(at, &e, sizeof(e));
	memset(at + sizeof(e), 'v', length);
	return entry_bytes(length);
}

static size_t put_record(uint8_t *at, uint64_t ballot, uint64_t first, uint8_t flags)
{
	struct record r = {.ballot = ballot, .first = first, .count = 2, .flags = flags};
	size_t bytes = 0;

	if (flags != FLAG_NOOP) {
		bytes = put_entry(at + sizeof(r), 3, ENTRY_COMMAND, 0, 5);
		bytes += put_entry(at + sizeof(r) + bytes, 3, ENTRY_COMMAND, 1, 0);
	}
	r.bytes = (uint16_t)bytes;
	memcpy(at, &r, sizeof(r));
	return sizeof(r) + bytes;
}

static size_t put_reply(uint8_t *at, enum reply_status status, uint32_t length)
{
	const struct reply r = {
		.session = 3,
		.sequence_status = reply_pack(1, status, length),
		.result = 9,
	};

	memset(at, 0, sizeof(r) + (length + 7) / 8 * 8);
	memcpy(at, &r, sizeof(r));
	return sizeof(r) + (length + 7) / 8 * 8;
}

/* The body that the type is about; sets what of the header goes with it. */
static size_t put_body(struct message *m, uint8_t *body)
{
	const struct range ranges[] = {{.first = 10, .count = 3}, {.first = 20, .count = 1}};
	size_t bytes;

	switch (m->type) {
	case MESSAGE_REQUEST:
		m->count = 2;
		bytes = put_entry(body, 77, ENTRY_OPEN, 0, 0);
		return bytes + put_entry(body + bytes, 3, ENTRY_COMMAND, 1, 24);
	case MESSAGE_ACCEPT:
		m->count = 2;
		bytes = put_entry(body, 3, ENTRY_COMMAND, 0, 8);
		return bytes + put_entry(body + bytes, 3, ENTRY_COMMAND, 1, 3);
	case MESSAGE_REPLY:
		m->count = 2;
		bytes = put_reply(body, REPLY_OK, 11);
		return bytes + put_reply(body + bytes, REPLY_REDIRECT, 0);
	case MESSAGE_ACCEPTED:
		m->count = 2;
		memcpy(body, ranges, sizeof(ranges));
		return sizeof(ranges);
	case MESSAGE_HELLO:
		memset(body, 7, HELLO_BYTES);
		return HELLO_BYTES;
	case MESSAGE_SNAPSHOT_CHUNK:
		memset(body, 7, 64);
		return 64;
	case MESSAGE_VOTES:
	case MESSAGE_CHOSEN:
		m->count = 2;
		bytes = put_record(body, m->type == MESSAGE_VOTES ? m->ballot : 0, 10, 0);
		return bytes + put_record(body + bytes, 0, 12, FLAG_NOOP);
	default:
		return 0;
	}
}

static size_t put_message(uint8_t *bytes, uint8_t type)
{
	struct message m = {
		.type = type,
		.sender = type == MESSAGE_REQUEST ? MESSAGE_SENDER_CLIENT : 1,
		.cluster = 1,
		.ballot = ballot_make(1, 1),
		.first = 10,
		.watermark = 20,
		.counter = 4,
	};

	m.uuid = peers_uuid(m.sender);
	size_t length = HEADER_BYTES + put_body(&m, bytes + HEADER_BYTES);

	message_encode(&m, bytes);
	seal_records(bytes, length);
	seal_message(bytes, length);
	return length;
}

static void write_messages(void)
{
	uint8_t bytes[BYTES_MAX];
	char name[32];

	for (uint8_t type = 1; type < MESSAGE_WIRE_END; type++) {
		size_t length = put_message(bytes, type);

		snprintf(name, sizeof(name), "type_%02u", type);
		write_seed("codec", name, bytes, length);
		if (type == MESSAGE_REPLY)
			write_seed("canary", name, bytes, length);
	}
}

/* ---- Frames ---- */

/* Ethernet and IPv4 to 10.0.0.1 from 10.0.0.2. */
static void put_ip(uint8_t *bytes, uint8_t protocol, size_t length)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0,
		0, 0x40, 0, 64, 0, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};

	memcpy(bytes, head, sizeof(head));
	bytes[23] = protocol;
	bytes[16] = (uint8_t)((length - 14) / 256);
	bytes[17] = (uint8_t)((length - 14) % 256);
}

static void write_frames(void)
{
	/* Who has 10.0.0.1? and: 10.0.0.2 is at 02:00:00:00:00:02. */
	static const uint8_t arp[] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8,
		0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
	static const uint8_t udp[] = {0x1c, 0xe8, 0x1c, 0xe8, 0, 0, 0, 0};
	static const uint8_t echo[] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0, 'p', 'i', 'n', 'g'};
	uint8_t bytes[BYTES_MAX];
	size_t length;

	memcpy(bytes, arp, sizeof(arp));
	write_seed("frame", "arp_request", bytes, sizeof(arp));
	bytes[21] = 2;
	write_seed("frame", "arp_reply", bytes, sizeof(arp));
	length = 34 + sizeof(echo);
	put_ip(bytes, 1, length);
	memcpy(bytes + 34, echo, sizeof(echo));
	write_seed("frame", "echo", bytes, length);
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t types[] = {MESSAGE_REQUEST, MESSAGE_CHOSEN};

		length = NET_BYTES + put_message(bytes + NET_BYTES, types[i]);
		put_ip(bytes, 17, length);
		memcpy(bytes + 34, udp, sizeof(udp));
		seal_frame(bytes, length);
		write_seed("frame", i == 0 ? "request" : "chosen", bytes, length);
	}
}

/* ---- Commands ---- */

static void write_commands(void)
{
	/* put 1 "one", get 1; a cas of version 1; delete; a batch's end after each but the first. */
	static const uint8_t bytes[] = {2, 19, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'o',
		'n', 'e', 3, 16, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 26, 4, 0, 0, 0,
		0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 't', 'w', 3, 16, 3, 0,
		0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
	uint8_t fill[9 * 18];

	write_seed("kv", "put_get_cas_delete", bytes, sizeof(bytes));
	/* More keys than fit. */
	for (uint8_t i = 0; i < 9; i++) {
		uint8_t *at = fill + 18 * i;

		memset(at, 0, 18);
		at[0] = 2;
		at[1] = 16;
		at[2] = 2;
		at[10] = i;
	}
	write_seed("kv", "full", fill, sizeof(fill));
}

/* ---- Images ---- */

static void write_images(void)
{
	static _Alignas(8) uint8_t bytes[BYTES_MAX];
	static const struct snapshot_session sessions[] = {
		{.id = 3, .base = 1, .last = 9, .done = 2, .replies = {1, 2, 3, 4}},
		{.id = 19, .last = 18},
	};
	static const uint64_t entries[][4] = {{7, 2}, {8, 11, 0x6f6e65}};
	struct snapshot image = {.bytes = bytes, .size = sizeof(bytes)};
	const struct snapshot_header header = {
		.sessions = 2,
		.entries = 2,
		.instance = 20,
		.digest = 5,
	};

	snapshot_begin(&image, &(struct snapshot_header){.instance = 1});
	snapshot_sum(&image);
	snapshot_end(&image);
	write_seed("snapshot", "bare", bytes, image.used);
	snapshot_begin(&image, &header);
	for (uint32_t i = 0; i < 2; i++) {
		memcpy(snapshot_add(&image, SNAPSHOT_SESSION, sizeof(sessions[i])), &sessions[i],
			sizeof(sessions[i]));
		memcpy(snapshot_add(&image, SNAPSHOT_ENTRY, 16 + 3 * i), entries[i], 16 + 3 * i);
	}
	while (snapshot_sum(&image))
		;
	snapshot_end(&image);
	write_seed("snapshot", "sessions_entries", bytes, image.used);
}

/* ---- Steps ---- */

static void write_client_steps(void)
{
	/* All send; five opens are answered with ids; commands go; one is done, one redirected. */
	static const uint8_t opened[] = {1, 3, 4, 0, 0, 1, 10, 4, 0, 1, 18, 8, 0, 1, 26, 12, 0, 1,
		34, 16, 0, 1, 42, 0x21, 0x25, 3, 1, 1, 1, 0, 2, 5, 1, 8, 1, 0xfc, 2, 3, 0, 1, 1, 6,
		0};

	write_seed("client", "opened_done_redirected", opened, sizeof(opened));
}

enum {
	SUPERBLOCK_STEPS = 6
};

/* A write of almost a segment; a snapshot, late by so many blocks; small writes that bring a superblock
 * along each (SUPERBLOCK_STEPS), after which what is free is used anew. */
static size_t put_segment(uint8_t *to, uint8_t number, uint8_t late)
{
	const uint8_t runs = (uint8_t)(16 * number + 15);
	const uint8_t steps[] = {24, 0, runs, 24, 0, runs, 24, 0, runs, 2, 3, 13,
		(uint8_t)(8 * (number - late)), 0, 6, runs, 2, 3, 21, 0, 4, runs, 2, 3, 21};

	memcpy(to, steps, sizeof(steps));
	return sizeof(steps);
}

static void write_trimmed_journal(const char *name, uint8_t late)
{
	/* A crash; a write that is torn over what is old, and another crash. */
	static const uint8_t crash[] = {5, 2, 3, 0, 0, 9, 2, 3, 5};
	static const uint8_t torn[] = {24, 0, 255, 2, 4, 1, 5, 2, 3};
	/* Of a write in flight, and of the one behind it, only the superblock is there. */
	static const uint8_t flies[] = {24, 0, 159, 24, 0, 159, 24, 0, 159, 2, 13, 255, 0, 4, 1, 2,
		140, 0, 5};
	uint8_t bytes[BYTES_MAX] = {2, 3};
	size_t length = 2;

	for (uint8_t number = 1; number < 9; number++) {
		length += put_segment(bytes + length, number, late);
		if (number < 5)
			continue;
		length -= number % 2 == 0 ? 0 : SUPERBLOCK_STEPS;
		memcpy(bytes + length, number % 2 == 0 ? torn : crash, sizeof(torn));
		length += sizeof(torn);
	}
	memcpy(bytes + length, flies, sizeof(flies));
	write_seed("journal", name, bytes, length + sizeof(flies));
}

static void write_journal_steps(void)
{
	/* Votes of several lanes, closed and written, a crash, and another write. */
	static const uint8_t clean[] = {2, 3, 0, 0, 40, 1, 2, 7, 2, 3, 0, 4, 9, 2, 3, 5, 2, 3, 0, 0,
		9, 2, 3, 5};
	/* A first write torn, the second whole, a crash; then writes over it. */
	static const uint8_t torn[] = {2, 3, 0, 0, 255, 0, 0, 127, 0, 0, 63, 2, 0, 0, 40, 2, 4, 1,
		11, 5, 2, 3, 0, 0, 9, 2, 3, 5};
	/* A byte changes in a durable write; another is sealed; a block goes elsewhere. */
	static const uint8_t damage[] = {2, 3, 0, 0, 40, 2, 3, 0, 0, 41, 2, 3, 38, 2, 99, 0, 3, 5,
		6, 3, 150, 0, 8, 5, 15, 1, 5, 5, 7, 0, 56, 3};

	write_seed("journal", "clean", clean, sizeof(clean));
	write_seed("journal", "torn", torn, sizeof(torn));
	write_seed("journal", "damage", damage, sizeof(damage));
	write_trimmed_journal("trimmed", 0);
	write_trimmed_journal("trimmed_late", 1);
}

static void write_replica_steps(void)
{
	uint8_t bytes[BYTES_MAX];
	char name[32];

	/* Each type as bytes, to a replica that just started, is enrolled, and leads. */
	for (uint8_t type = 1; type < MESSAGE_WIRE_END; type++) {
		size_t length = put_message(bytes + 5, type);

		if (type == MESSAGE_REPLY)
			continue;
		bytes[0] = type % 3;
		bytes[1] = 3;
		bytes[2] = 1;
		bytes[3] = (uint8_t)(length % 256);
		bytes[4] = (uint8_t)(length / 256);
		snprintf(name, sizeof(name), "bytes_%02u", type);
		write_seed("replica", name, bytes, 5 + length);
	}
	/* A leader: opens, commands of several sessions, votes, turns. */
	static const uint8_t leads[] = {2, 4, 0, 0, 0, 0, 0, 3, 1, 7, 0, 2, 7, 0, 3, 7, 0, 0, 8, 2,
		8, 4, 0, 0, 0, 0, 0, 4, 1, 0, 8, 2, 0, 9, 1, 8, 3, 2, 0, 0, 8, 2, 16, 2, 4, 0, 0, 0,
		0, 4, 2, 1, 0, 4, 2, 0, 2, 8, 2};
	/* A follower: a member prepares, accepts runs, its watermark rises, values are fetched. */
	static const uint8_t follows[] = {1, 4, 2, 0, 12, 0, 0, 0, 0, 0, 4, 6, 0, 12, 0, 0, 0, 2, 1,
		7, 0, 2, 7, 0, 3, 0, 4, 0, 4, 8, 0, 12, 0, 16, 1, 0, 8, 4, 10, 0, 12, 0, 0, 0, 0, 4,
		12, 0, 12, 0, 32, 0, 1, 64, 1, 0, 4, 0, 32};

	write_seed("replica", "leads", leads, sizeof(leads));
	write_seed("replica", "follows", follows, sizeof(follows));
	/* Leads after others' votes were proposed again, by one shard and by two. */
	bytes[0] = 2 + 8;
	write_seed("replica", "recovers", bytes, 1);
	bytes[0] = 2 + 4 + 8;
	write_seed("replica", "recovers_shards", bytes, 1);
	/* With a disk: leads, crashes, leads again; and crashes at steps of the disk. */
	static const uint8_t crashes[] = {2 + 16, 4, 0, 0, 0, 0, 0, 3, 1, 7, 0, 2, 7, 0, 3, 7, 0, 0,
		8, 2, 8, 1, 32, 2, 32, 2, 48, 2, 48, 2, 8, 1, 32, 2};
	static const uint8_t steps[] = {1 + 8 + 16, 32, 2, 48, 2, 25, 32, 2, 48, 2, 41, 4, 2, 0, 12,
		0, 0, 0, 0, 16, 16, 6, 0, 12, 0, 0, 0, 2, 1, 7, 0, 2, 7, 0, 3, 0, 4, 16, 16, 1, 16};

	/* Two members say that what comes next is gone; one gives an image of a session and an entry,
	 * which is installed. Then another asks for any image, and for chunks of it. */
	static uint8_t installs[] = {1, 32, 2, 48, 2, 32, 2, 4, 13, 0, 0, 0, 12, 0, 0, 240, 4, 13,
		1, 0, 0, 12, 0, 0, 240, 24, 4, 23, 0, 0, 12, 0, 0, 0, 5, 3, 0, 1, 1, 16, 16, 16, 16,
		16, 16, 16, 16, 4, 22, 1, 0, 0, 1, 0, 0, 16, 16, 4, 22, 1, 7, 0, 0, 0, 1, 16, 16};
	/* A leader of some commands cuts an image that is asked for. */
	static const uint8_t serves[] = {2, 4, 0, 0, 0, 0, 0, 3, 1, 7, 0, 2, 7, 0, 3, 7, 0, 0, 8, 2,
		8, 4, 22, 1, 0, 0, 1, 0, 0, 16, 16, 16, 4, 22, 1, 0, 0, 1, 0, 0, 16, 4, 22, 1, 7, 0,
		0, 0, 1, 16, 1, 16, 16};

	write_seed("replica", "installs", installs, sizeof(installs));
	installs[0] = 1 + 16; /* With a disk. */
	write_seed("replica", "installs_disk", installs, sizeof(installs));
	write_seed("replica", "serves", serves, sizeof(serves));
	write_seed("replica", "crashes", crashes, sizeof(crashes));
	write_seed("replica", "crashes_at_steps", steps, sizeof(steps));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
		return 1;
	}
	folder = argv[1];
	write_messages();
	write_frames();
	write_commands();
	write_images();
	write_client_steps();
	write_replica_steps();
	write_journal_steps();
	return 0;
}
