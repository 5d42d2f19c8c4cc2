/*
 * given_replicas.h - replicas on loopback sockets that answer as a rule tells them, for the tests of
 * the client library: no protocol among them, and one thread for all.
 */
#ifndef TESTS_UNIT_GIVEN_REPLICAS_H
#define TESTS_UNIT_GIVEN_REPLICAS_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "consensus/message.h"
#include "tools/client/paxwire_client.h"

enum {
	REPLICAS = 3,
	CLUSTER = 9,
	FIRST_SESSION = 1000,
	REFLECTS = 500, /* What a stale answer of replica 0 says. */
	HEARD_MAX = 1 << 14,
	VALUE_BEGIN = 16,
	RETRY_US = 20000,
	FRAME_ALIGN = 2, /* Bodies stand at multiples of 8. */
	PATIENCE_MS = 20000,
};

/* An entry as a replica heard it. */
struct heard {
	uint64_t session, sequence;
	uint64_t at_ns;
	uint32_t replica;
	uint32_t frame; /* Number of the frame that it came in. */
	enum entry_kind kind;
	uint8_t read; /* Of FLAGS_READ; 0: a command. */
	uint8_t value[VALUE_BEGIN];
};

/* How it is answered. */
struct told {
	bool silent;
	enum reply_status status;
	uint64_t result;
	const char *value; /* NULL: none. */
	uint32_t cluster;
	bool strange_address;
};

/* What a test may set while the thread runs; guarded by `lock`, as what was heard is. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t leader;
static void (*rule)(const struct heard *h, struct told *t);
static struct heard heards[HEARD_MAX];
static uint32_t heards_count;

static int sockets[REPLICAS + 1]; /* The last one is no replica's. */
static uint16_t port;
static uint32_t frames;
static uint64_t sessions;
static bool ending;
static pthread_t thread;

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What a leader says, and the others: some reads are for any of them. */
static inline void tell_as_usual(const struct heard *h, struct told *t)
{
	if (h->replica != leader && (h->read & (FLAG_READ_ANY | FLAG_READ_STALE)) == 0) {
		t->status = REPLY_REDIRECT;
		t->result = leader;
	} else if (h->kind == ENTRY_OPEN) {
		t->status = REPLY_OPENED;
		t->result = FIRST_SESSION + sessions++;
	} else {
		t->status = REPLY_OK;
		memcpy(&t->result, h->value, sizeof(t->result));
		t->value = h->read != 0 ? "what is read" : NULL;
	}
}

static inline void answer(uint32_t replica, const struct sockaddr_in *to, const struct heard *h,
	const struct told *t)
{
	_Alignas(8) uint8_t bytes[FRAME_ALIGN + HEADER_BYTES + 256] = {0};
	uint32_t length = t->value == NULL ? 0 : (uint32_t)strlen(t->value);
	uint8_t *body = bytes + FRAME_ALIGN + HEADER_BYTES;
	const struct reply r = {
		.session = h->session,
		.sequence_status = reply_pack(h->sequence, t->status, length),
		.result = t->result,
	};
	const uint32_t body_bytes = (uint32_t)sizeof(r) + (length + 7) / 8 * 8;

	memcpy(body, &r, sizeof(r));
	if (length > 0)
		memcpy(body + sizeof(r), t->value, length);
	const struct message m = {
		.type = MESSAGE_REPLY,
		.flags = h->read == FLAG_READ_STALE ? FLAG_READ_STALE : 0,
		.count = 1,
		.watermark = h->read == FLAG_READ_STALE ? REFLECTS + replica : 0,
		.cluster = t->cluster,
		.sender = (uint8_t)replica,
		.payload_len = (uint16_t)body_bytes,
		.checksum = message_crc(body, body_bytes),
	};

	message_encode(&m, bytes + FRAME_ALIGN);
	(void)!sendto(sockets[t->strange_address ? REPLICAS : replica], bytes + FRAME_ALIGN,
		HEADER_BYTES + body_bytes, 0, (const struct sockaddr *)to, sizeof(*to));
}

static inline void hear_entry(uint32_t replica, const struct message *m, const struct entry *e,
	const struct sockaddr_in *from)
{
	uint32_t length = entry_length(e);
	struct heard h = {
		.session = e->session,
		.sequence = entry_sequence(e),
		.at_ns = clock_ns(),
		.replica = replica,
		.frame = frames,
		.kind = entry_kind(e),
		.read = m->flags & FLAGS_READ,
	};
	struct told t = {.cluster = CLUSTER};

	memcpy(h.value, e + 1, length < VALUE_BEGIN ? length : VALUE_BEGIN);
	pthread_mutex_lock(&lock);
	if (heards_count < HEARD_MAX)
		heards[heards_count++] = h;
	tell_as_usual(&h, &t);
	if (rule != NULL)
		rule(&h, &t);
	pthread_mutex_unlock(&lock);
	if (!t.silent)
		answer(replica, from, &h, &t);
}

static inline void hear_frame(uint32_t replica)
{
	_Alignas(8) uint8_t bytes[FRAME_ALIGN + MTU_MAX];
	const uint8_t *body = bytes + FRAME_ALIGN + HEADER_BYTES;
	struct sockaddr_in from;
	socklen_t from_bytes = sizeof(from);
	struct message m;
	ssize_t got = recvfrom(sockets[replica], bytes + FRAME_ALIGN, MTU_MAX, MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_bytes);

	if (got < 0 || message_decode(bytes + FRAME_ALIGN, (size_t)got, &m) != DROP_NONE ||
		m.type != MESSAGE_REQUEST)
		return;
	frames++;
	for (uint32_t i = 0; i < m.count; i++) {
		const struct entry *e = (const struct entry *)(const void *)body;

		hear_entry(replica, &m, e, &from);
		body += entry_bytes(entry_length(e));
	}
}

static inline void *serve(void *context)
{
	struct pollfd fds[REPLICAS];

	(void)context;
	for (uint32_t i = 0; i < REPLICAS; i++)
		fds[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		poll(fds, REPLICAS, 10);
		for (uint32_t i = 0; i < REPLICAS; i++)
			if (fds[i].revents != 0)
				hear_frame(i);
	}
	return NULL;
}

/* On 127.0.0.1 to 127.0.0.4, all at one port. */
static inline void open_sockets(void)
{
	port = 0;
	for (uint32_t i = 0; i <= REPLICAS; i++) {
		struct sockaddr_in own = {
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i),
		};
		socklen_t bytes = sizeof(own);

		sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_true(sockets[i] >= 0);
		assert_int_equal(bind(sockets[i], (struct sockaddr *)&own, sizeof(own)), 0);
		assert_int_equal(getsockname(sockets[i], (struct sockaddr *)&own, &bytes), 0);
		port = ntohs(own.sin_port);
	}
}

static inline int setup(void **state)
{
	(void)state;
	open_sockets();
	leader = 0;
	rule = NULL;
	heards_count = 0;
	frames = 0;
	sessions = 0;
	ending = false;
	return pthread_create(&thread, NULL, serve, NULL);
}

static inline int teardown(void **state)
{
	(void)state;
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i <= REPLICAS; i++)
		close(sockets[i]);
	return 0;
}

static inline void given_leader(uint32_t replica)
{
	pthread_mutex_lock(&lock);
	leader = replica;
	pthread_mutex_unlock(&lock);
}

static inline void given_rule(void (*told)(const struct heard *h, struct told *t))
{
	pthread_mutex_lock(&lock);
	rule = told;
	pthread_mutex_unlock(&lock);
}

static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

static inline struct paxwire_options given_options(void)
{
	struct paxwire_options o;

	paxwire_options_init(&o);
	o.replicas = addresses;
	o.replicas_count = REPLICAS;
	o.cluster_id = CLUSTER;
	o.udp_port = port;
	o.retry_us = RETRY_US;
	o.timeout_ms = PATIENCE_MS;
	return o;
}

static inline struct paxwire_client *given_client(const struct paxwire_options *options)
{
	char error[PAXWIRE_ERROR_MAX] = "";
	struct paxwire_client *c = paxwire_open(options, error, sizeof(error));

	if (c == NULL)
		fail_msg("%s", error);
	return c;
}

/* ---- Calls ---- */

/* Submits the number as a command and waits; the answer's value is gone. */
static inline struct paxwire_answer call(struct paxwire_client *c, enum paxwire_kind kind,
	uint64_t number)
{
	struct paxwire_answer a = {0};
	struct paxwire_future *f =
		paxwire_submit_future(c, kind, &number, sizeof(number), &a.status);

	if (f == NULL)
		return a;
	assert_true(paxwire_wait(f, 2 * PATIENCE_MS, &a));
	paxwire_release(f);
	return a;
}

static inline void then_ok(struct paxwire_answer a, uint64_t number)
{
	assert_int_equal(a.status, PAXWIRE_OK);
	assert_int_equal(a.result, number);
}

/* The i-th copy heard of the command with this number. */
static inline struct heard copy_of(uint64_t number, uint32_t i)
{
	struct heard found = {.session = UINT64_MAX};

	pthread_mutex_lock(&lock);
	for (uint32_t k = 0; k < heards_count && found.session == UINT64_MAX; k++)
		if (heards[k].kind == ENTRY_COMMAND &&
			memcmp(heards[k].value, &number, sizeof(number)) == 0 && i-- == 0)
			found = heards[k];
	pthread_mutex_unlock(&lock);
	return found;
}

struct tally {
	struct paxwire_client *client;
	uint32_t answered;
	uint32_t statuses[PAXWIRE_CLOSED + 1];
};

static inline void count(void *context, const struct paxwire_answer *a)
{
	struct tally *t = context;

	t->statuses[a->status]++;
	__atomic_fetch_add(&t->answered, 1, __ATOMIC_RELEASE);
}

static inline void wait_for(const struct tally *t, uint32_t answered)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (uint32_t i = 0; i < PATIENCE_MS; i++) {
		if (__atomic_load_n(&t->answered, __ATOMIC_ACQUIRE) >= answered)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("%u answers of %u", t->answered, answered);
}

/* ---- Rules ---- */

static inline void silent_to_commands(const struct heard *h, struct told *t)
{
	t->silent = h->kind == ENTRY_COMMAND;
}

static inline void silent_to_all(const struct heard *h, struct told *t)
{
	(void)h;
	t->silent = true;
}

/* The first two copies of each command are lost. */
static inline void lose_two(const struct heard *h, struct told *t)
{
	uint32_t copies = 0;

	for (uint32_t i = 0; i < heards_count; i++)
		copies += heards[i].kind == ENTRY_COMMAND && heards[i].session == h->session &&
				heards[i].sequence == h->sequence
			? 1
			: 0;
	t->silent = h->kind == ENTRY_COMMAND && copies <= 2;
}

#endif
