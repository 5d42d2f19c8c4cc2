#include "bench/load.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/app_kv.h"
#include "dataplane/heap.h"

enum {
	FRAMES_A_TURN = 32, /* At most, and no more bytes than so many full ones: */
	FULL_A_TURN = 8,    /* others would push each other out of the cache. */
	OFFERS_A_TURN = 128,
	SWEEP_NS = 50000,   /* Between looks for timeouts, at least, */
	SWEEPS_A_RETRY = 8, /* and this often at each session while a retry is waited for. */
	ARP_PATIENCE_NS = 200000000, /* From the clock's start. */
};

/* The same for every copy of a command, another for every command. */
static uint64_t word_of(uint32_t session, uint64_t sequence)
{
	return (session + 1) * 0x9e3779b97f4a7c15ull + sequence;
}

static void fill_value(uint8_t *value, uint32_t length, uint64_t word)
{
	const uint64_t words[4] = {word, word, word, word};
	uint32_t at = 0;

	for (; at + sizeof(words) <= length; at += (uint32_t)sizeof(words))
		memcpy(value + at, words, sizeof(words));
	for (; at < length; at += 8)
		memcpy(value + at, &word, length - at < 8 ? length - at : 8);
}

static uint32_t value_of(void *context, uint32_t session, uint64_t sequence, uint8_t *value)
{
	const struct load *l = context;

	fill_value(value, l->settings.value_bytes, word_of(session, sequence));
	return l->settings.value_bytes;
}

/* A get or a put, of some key. */
static uint32_t kv_command_of(void *context, uint32_t session, uint64_t sequence, uint8_t *value)
{
	const struct load *l = context;
	uint64_t word = word_of(session, sequence) * 0xff51afd7ed558ccdull;
	const struct kv_command command = {
		.operation = (uint32_t)(word >> 32) < l->read_threshold ? KV_GET : KV_PUT,
		.key = (uint32_t)((uint64_t)(uint32_t)(word ^ word >> 29) * l->settings.keys >> 32),
	};

	memcpy(value, &command, sizeof(command));
	if (command.operation == KV_GET)
		return sizeof(command) + (l->settings.reads != READ_LOG ? CLIENT_READ : 0);
	fill_value(value + sizeof(command), l->settings.value_bytes, word);
	return (uint32_t)sizeof(command) + l->settings.value_bytes;
}

uint32_t load_command_bytes(const struct load_settings *s)
{
	return s->value_bytes + (s->kv ? (uint32_t)sizeof(struct kv_command) : 0);
}

static void done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	struct load *l = context;
	uint64_t from_ns = sent_ns;

	(void)id;
	l->done++;
	/* Of a key that nobody has put yet, that is the right answer. */
	if (reply_status(reply) != REPLY_OK && reply_status(reply) != REPLY_NOT_FOUND)
		l->failed++;
	if (l->seen == LOAD_OPEN)
		from_ns = l->intended[session * SESSION_WINDOW + sequence % SESSION_WINDOW];
	/* What an earlier phase left is none of the single session's. */
	if (__atomic_load_n(&l->recording, __ATOMIC_RELAXED) &&
		(l->seen != LOAD_SINGLE || session == 0))
		histogram_record(&l->latencies, l->now_ns > from_ns ? l->now_ns - from_ns : 0);
	if (l->seen == LOAD_CLOSED || (l->seen == LOAD_SINGLE && session == 0))
		client_want(&l->client, session, 1);
}

/* Looking costs cache misses: no more often than tells in time. */
static uint64_t sweep_every_ns(const struct load_settings *s)
{
	uint64_t sweeps = SWEEPS_A_RETRY * (s->sessions / CLIENT_SWEEP_SESSIONS + 1);
	uint64_t every_ns = s->retry_ns / sweeps;

	return every_ns > SWEEP_NS ? every_ns : SWEEP_NS;
}

bool load_create(struct load *l, const struct load_settings *settings, struct network *network,
	char *error, size_t size)
{
	const struct client_settings client = {
		.members = settings->members,
		.window = settings->window,
		.body_max = settings->body_max,
		.batch = settings->batch,
		.retry_ns = settings->retry_ns,
		.seed = settings->seed,
		.value_max = load_command_bytes(settings),
		.value = settings->kv ? kv_command_of : value_of,
		.done = done,
		.context = l,
	};

	memset(l, 0, sizeof(*l));
	l->settings = *settings;
	l->network = network;
	l->read_threshold = (uint32_t)(settings->read_share * UINT32_MAX);
	l->memory = heap_zalloc("load", client_bytes(settings->sessions));
	l->intended =
		heap_zalloc("intended", settings->sessions * SESSION_WINDOW * sizeof(uint64_t));
	if (l->memory == NULL || l->intended == NULL) {
		snprintf(error, size,
			"%u sessions do not fit DPDK's memory: give it more with -m, or take fewer.",
			settings->sessions);
		return false;
	}
	client_init(&l->client, &client, settings->sessions, l->memory);
	l->sweep_every_ns = sweep_every_ns(settings);
	l->spacing_ns = settings->rate > 0 ? 1e9 / settings->rate : 0;
	l->random = 88172645463325252ull;
	l->phase = LOAD_DRAIN;
	l->seen = LOAD_DRAIN;
	l->stage = (struct stage){.name = "load", .poll = load_poll, .self = l};
	return true;
}

void load_destroy(struct load *l)
{
	rte_free(l->memory);
	rte_free(l->intended);
}

/* ---- Open loop ---- */

static double gap_ns(struct load *l)
{
	if (!l->settings.poisson)
		return l->spacing_ns;
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return -log((double)(l->random >> 11) / 9007199254740992.0 + 1e-18) * l->spacing_ns;
}

/* Commands whose time has come go to sessions with room, round robin. */
static void offer(struct load *l)
{
	for (uint32_t i = 0; i < OFFERS_A_TURN && l->due_ns <= (double)l->now_ns; i++) {
		uint32_t session = l->next_session;
		const struct client_session *s = &l->client.sessions[session];

		if (s->next + s->allowed - s->base >= l->settings.window) {
			l->unoffered++; /* Late: it stays due, and its latency runs. */
			l->next_session = session + 1 == l->settings.sessions ? 0 : session + 1;
			return;
		}
		l->intended[session * SESSION_WINDOW + (s->next + s->allowed) % SESSION_WINDOW] =
			(uint64_t)l->due_ns;
		client_want(&l->client, session, 1);
		l->offered++;
		l->due_ns += gap_ns(l);
		l->next_session = session + 1 == l->settings.sessions ? 0 : session + 1;
	}
}

static void enter(struct load *l, enum load_phase phase)
{
	uint32_t sessions = phase == LOAD_CLOSED ? l->settings.sessions : phase == LOAD_SINGLE;

	for (uint32_t i = 0; i < sessions; i++) {
		const struct client_session *s = &l->client.sessions[i];
		uint32_t window = phase == LOAD_SINGLE ? 1 : l->settings.window;
		uint64_t has = s->next - s->base + s->allowed;

		if (has < window)
			client_want(&l->client, i, (uint32_t)(window - has));
	}
	l->due_ns = (double)l->now_ns;
	l->seen = phase;
}

/* ---- Frames ---- */

static uint32_t receive(struct load *l, uint16_t link)
{
	struct rte_mbuf *frames[HANDOFF_BURST];
	uint32_t taken;
	uint32_t valid = network_receive(l->network, link, frames, &taken);

	for (uint32_t i = 0; i < valid; i++) {
		const struct frame *f = frame_of(frames[i]);

		if (f->m.type == MESSAGE_REPLY && f->m.cluster == l->settings.cluster)
			client_on_reply(&l->client, &f->m, f->body, l->now_ns);
		else
			l->strange++;
	}
	rte_pktmbuf_free_bulk(frames, valid);
	return taken;
}

static void send_frame(struct load *l, struct rte_mbuf *mbuf, uint32_t member, uint8_t flags,
	uint32_t commands, uint32_t bytes)
{
	const uint8_t *body = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BODY_OFFSET);
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.flags = flags,
		.count = (uint16_t)commands,
		.cluster = l->settings.cluster,
		.counter = l->counter++,
		.sender = MESSAGE_SENDER_CLIENT,
		.payload_len = (uint16_t)bytes,
		.checksum = message_crc(body, bytes),
	};

	frame_seal(mbuf, &m);
	network_send(l->network, member, mbuf);
}

/* Sends the body's reads, in a frame of their own; the rest moves up. Returns how many went; none
 * when there is no mbuf: then they take the log. */
static uint32_t send_reads(struct load *l, uint8_t *body, uint32_t commands, uint32_t *bytes)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(l->network->pool);
	uint32_t reads_bytes;

	if (mbuf == NULL)
		return 0;
	uint32_t reads = client_split(&l->client, body, commands, bytes,
		rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BODY_OFFSET), &reads_bytes);

	if (reads > 0)
		send_frame(l, mbuf, client_reader(&l->client, l->settings.reads, l->now_ns),
			read_flags(l->settings.reads), reads, reads_bytes);
	else
		rte_pktmbuf_free(mbuf);
	return reads;
}

/* Frames of one kind of filling, to the leader. */
static uint32_t transmit(struct load *l,
	uint32_t (*fill)(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns))
{
	const uint32_t bytes_max = FULL_A_TURN * l->settings.body_max;
	uint32_t sent = 0;
	uint32_t all = 0;

	for (; sent < FRAMES_A_TURN && all < bytes_max; sent++) {
		uint32_t leader = l->client.leader;

		/* While ARP is asked, what can not go out waits; after that its node may be dead, and
		 * the retries find another. */
		if (unlikely(!l->network->routes[leader].known) && l->now_ns < ARP_PATIENCE_NS)
			break;
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(l->network->pool);
		uint32_t bytes;

		if (unlikely(mbuf == NULL))
			break;
		uint8_t *body = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BODY_OFFSET);
		uint32_t commands = fill(&l->client, body, &bytes, l->now_ns);

		if (commands == 0) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		all += bytes;
		if (unlikely(l->settings.reads != READ_LOG))
			commands -= send_reads(l, body, commands, &bytes);
		if (commands > 0)
			send_frame(l, mbuf, leader, 0, commands, bytes);
		else
			rte_pktmbuf_free(mbuf);
	}
	return sent;
}

/* Until one session is open, one asks who leads: else all of them would hear that nobody does. */
static bool may_fill(struct load *l)
{
	bool first = l->client.opened == 0 && l->done == 0;

	l->client.settings.batch = first ? 1 : l->settings.batch;
	return !first || l->client.outstanding == 0;
}

uint32_t load_poll(void *self, uint64_t now_ns)
{
	struct load *l = self;
	enum load_phase phase = __atomic_load_n(&l->phase, __ATOMIC_ACQUIRE);
	uint64_t done_before = l->done;
	uint32_t work = 0;

	l->now_ns = now_ns;
	if (unlikely(phase != l->seen))
		enter(l, phase);
	for (uint16_t link = 0; link < l->network->links_count; link++)
		work += receive(l, link);
	if (l->done != done_before)
		gap_note(&l->commits, now_ns);
	if (l->seen == LOAD_OPEN)
		offer(l);
	if (l->client.ready_count > 0 && may_fill(l))
		work += transmit(l, client_fill);
	if (now_ns >= l->sweep_ns)
		l->sweep_ns = now_ns +
			(transmit(l, client_fill_retries) > 0 ? SWEEP_NS : l->sweep_every_ns);
	network_tick(l->network, now_ns);
	network_flush(l->network);
	return work;
}
