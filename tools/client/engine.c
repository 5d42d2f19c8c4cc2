#include "tools/client/engine.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	COMMANDS_A_SESSION = 2, /* On average: its oldest one without an answer holds it up. */
	RECEIVES_A_TURN = 8,    /* Bursts. */
	SWEEPS_A_RETRY = 16,    /* Looks for timeouts in one retry time. */
	SWEEP_LEAST_NS = 200000,
};

#define NEVER UINT64_MAX

static_assert((int)PAXWIRE_COMMAND == (int)READ_LOG && (int)PAXWIRE_READ == (int)READ_LEADER &&
		(int)PAXWIRE_READ_ANY == (int)READ_ANY &&
		(int)PAXWIRE_READ_STALE == (int)READ_STALE,
	"the protocol's modes by other names");

static enum read_mode mode_of(enum paxwire_kind kind)
{
	return (enum read_mode)kind;
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Reports ---- */

static void by_time_add(struct engine *e, struct operation *op)
{
	op->older = e->newest;
	op->younger = NULL;
	if (e->newest != NULL)
		e->newest->younger = op;
	else
		e->oldest = op;
	e->newest = op;
}

static void by_time_remove(struct engine *e, struct operation *op)
{
	*(op->older != NULL ? &op->older->younger : &e->oldest) = op->younger;
	*(op->younger != NULL ? &op->younger->older : &e->newest) = op->older;
}

/* The last that the engine says of an operation, or does with it, unless it is to be sent on. */
static void report(struct engine *e, struct operation *op, const struct paxwire_answer *answer,
	bool finished)
{
	if (op->reported) {
		operation_finish(op);
		return;
	}
	by_time_remove(e, op);
	e->reported++;
	operation_report(op, answer, finished);
}

static enum paxwire_status status_of(const struct reply *r)
{
	switch (reply_status(r)) {
	case REPLY_OK:
		return PAXWIRE_OK;
	case REPLY_NOT_FOUND:
		return PAXWIRE_NOT_FOUND;
	case REPLY_MISMATCH:
		return PAXWIRE_MISMATCH;
	case REPLY_FULL:
		return PAXWIRE_FULL;
	case REPLY_STALE:
		return PAXWIRE_STALE;
	case REPLY_TOO_LARGE:
		return PAXWIRE_TOO_LARGE;
	case REPLY_BAD_COMMAND:
		return PAXWIRE_BAD_COMMAND;
	default: /* The client half keeps the others to itself, or knows them no more than we do. */
		return PAXWIRE_UNKNOWN;
	}
}

/* ---- What the client half asks and says ---- */

/* The operation at (session, sequence); *first: it has not been sent before. */
static struct operation *operation_at(struct engine_way *w, uint32_t session, uint64_t sequence,
	bool *first)
{
	struct engine_session *s = &w->sessions[session];

	*first = sequence == w->client.sessions[session].next;
	return *first ? s->next.first : s->sent[sequence % SESSION_WINDOW];
}

static uint32_t length_of(void *context, uint32_t session, uint64_t sequence)
{
	bool first;

	return operation_at(context, session, sequence, &first)->bytes;
}

static uint32_t value_of(void *context, uint32_t session, uint64_t sequence, uint8_t *value)
{
	struct engine_way *w = context;
	bool first;
	struct operation *op = operation_at(w, session, sequence, &first);

	if (first) {
		operation_list_take(&w->sessions[session].next);
		w->sessions[session].sent[sequence % SESSION_WINDOW] = op;
	}
	memcpy(value, op->command, op->bytes);
	return op->bytes;
}

static struct operation *unbind(struct engine_way *w, uint32_t session, uint64_t sequence)
{
	struct operation **at = &w->sessions[session].sent[sequence % SESSION_WINDOW];
	struct operation *op = *at;

	*at = NULL;
	return op;
}

static void on_done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	struct engine_way *w = context;
	struct operation *op = unbind(w, session, sequence);
	const struct paxwire_answer answer = {
		.status = status_of(reply),
		.result = reply->result,
		.value = reply + 1,
		.bytes = reply_length(reply),
		.reflects = w->client.reflects,
	};

	(void)id;
	(void)sent_ns;
	report(w->engine, op, &answer, true);
}

static void on_expired(void *context, uint32_t session, uint64_t sequence)
{
	const struct paxwire_answer expired = {.status = PAXWIRE_EXPIRED};
	struct engine_way *w = context;

	report(w->engine, unbind(w, session, sequence), &expired, true);
}

/* Each knows its own sessions in it, and all hear who leads. */
static void on_reply(void *context, const struct message *m, const uint8_t *body)
{
	struct engine *e = context;

	for (uint32_t i = 0; i < ENGINE_WAYS; i++)
		if (e->ways[i].open)
			client_on_reply(&e->ways[i].client, m, body, e->now_ns);
}

/* ---- A turn ---- */

static void way_open(struct engine_way *w)
{
	struct client_settings settings = w->engine->settings;

	settings.reads = mode_of(w->kind);
	settings.context = w;
	client_init(&w->client, &settings, w->engine->sessions, w->client_memory);
	w->open = true;
}

/* False: the client is being closed. */
static bool take_fresh(struct engine *e)
{
	struct operation_list fresh = operations_take(&e->operations);
	struct operation *op;

	while ((op = operation_list_take(&fresh)) != NULL) {
		struct engine_way *w = &e->ways[op->kind];

		op->due_ns = e->timeout_ns == 0 ? NEVER : e->now_ns + e->timeout_ns;
		by_time_add(e, op);
		operation_list_add(&w->waiting, op);
		if (!w->open)
			way_open(w);
	}
	return !__atomic_load_n(&e->operations.closed, __ATOMIC_ACQUIRE);
}

/* Those whose time was over before they were bound are done with. */
static bool any_waiting(struct engine_way *w)
{
	while (w->waiting.first != NULL && w->waiting.first->reported)
		operation_finish(operation_list_take(&w->waiting));
	return w->waiting.first != NULL;
}

/* Each to a session that may send it at once. */
static void bind_waiting(struct engine_way *w)
{
	const struct client *c = &w->client;

	for (uint32_t looks = c->count; looks > 0 && any_waiting(w); looks--) {
		uint32_t index = w->next_session;
		const struct client_session *s = &c->sessions[index];

		while (!client_closed(s) && s->next + s->allowed - s->base < SESSION_WINDOW &&
			any_waiting(w)) {
			struct operation *op = operation_list_take(&w->waiting);

			op->bound = true;
			operation_list_add(&w->sessions[index].next, op);
			client_want(&w->client, index, 1);
		}
		w->next_session = index + 1 == c->count ? 0 : index + 1;
	}
}

/* Frames of one kind of filling, until there is nothing more to send. */
static void transmit(struct engine_way *w,
	uint32_t (*fill)(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns))
{
	const enum read_mode mode = mode_of(w->kind);
	struct engine *e = w->engine;
	uint32_t bytes;
	uint32_t count;

	while ((count = fill(&w->client, channel_body(&e->channel), &bytes, e->now_ns)) > 0)
		channel_put(&e->channel, client_reader(&w->client, mode, e->now_ns),
			read_flags(mode), count, bytes);
}

/* Their time is over. What is bound stays so, and is sent again until its answer is heard. */
static void report_overdue(struct engine *e)
{
	while (e->oldest != NULL && e->oldest->due_ns <= e->now_ns) {
		struct operation *op = e->oldest;
		struct operation_list *waiting = &e->ways[op->kind].waiting;
		bool harmless = !op->bound || op->kind != PAXWIRE_COMMAND;
		const struct paxwire_answer none = {
			.status = harmless ? PAXWIRE_BUSY : PAXWIRE_UNKNOWN};
		/* Those who wait stand in the order of their time. */
		bool first = op == waiting->first;

		if (first)
			operation_list_take(waiting);
		report(e, op, &none, first);
	}
}

static uint64_t sweep_every_ns(const struct engine *e)
{
	uint64_t every_ns = e->settings.retry_ns / SWEEPS_A_RETRY;

	return every_ns < SWEEP_LEAST_NS ? SWEEP_LEAST_NS : every_ns;
}

/* When there is something to do though nothing is heard. */
static uint64_t next_ns(const struct engine *e)
{
	uint64_t next = e->oldest == NULL ? NEVER : e->oldest->due_ns;
	uint64_t sweep = e->sweep_ns + sweep_every_ns(e);
	uint32_t outstanding = 0;

	for (uint32_t i = 0; i < ENGINE_WAYS; i++)
		outstanding += e->ways[i].client.outstanding;
	return outstanding > 0 && sweep < next ? sweep : next;
}

static void publish(struct engine *e)
{
	const struct engine_way *commands = &e->ways[PAXWIRE_COMMAND];
	const struct engine_way *reads = &e->ways[PAXWIRE_READ];
	struct paxwire_counters all = {
		.submitted = e->operations.submitted,
		.reported = e->reported,
		.frames = e->channel.frames,
		.strange = e->channel.strange,
		.unsent = e->channel.unsent,
		.leader = (commands->open ? commands : reads)->client.leader,
		.sessions = commands->client.opened,
	};

	for (uint32_t i = 0; i < ENGINE_WAYS; i++) {
		const struct client_counters *c = &e->ways[i].client.counters;

		all.commands += c->sent;
		all.retries += c->retries;
		all.busy += c->busy;
		all.redirects += c->redirects;
		all.expired += c->expired;
		all.late += c->late;
	}
	e->counters = all;
}

/* Until something comes: a datagram, an operation, or time. */
static void sleep_until_next(struct engine *e)
{
	struct pollfd fds[] = {
		{.fd = e->channel.socket, .events = POLLIN},
		{.fd = e->operations.wake, .events = POLLIN},
	};
	uint64_t next = next_ns(e);
	uint64_t wait_ns = next > e->now_ns ? next - e->now_ns : 0;
	const struct timespec wait = {
		.tv_sec = (time_t)(wait_ns / 1000000000u),
		.tv_nsec = (long)(wait_ns % 1000000000u),
	};
	uint64_t wakings;

	pthread_mutex_lock(&e->operations.lock);
	publish(e);
	bool idle = e->operations.fresh.first == NULL && !e->operations.closed;

	e->operations.asleep = idle;
	pthread_mutex_unlock(&e->operations.lock);
	if (!idle)
		return;
	ppoll(fds, 2, next == NEVER ? NULL : &wait, NULL);
	pthread_mutex_lock(&e->operations.lock);
	e->operations.asleep = false;
	pthread_mutex_unlock(&e->operations.lock);
	if ((fds[1].revents & POLLIN) != 0 &&
		read(e->operations.wake, &wakings, sizeof(wakings)) < 0)
		return; /* Nothing stood there: it was read before. */
}

static void turn(struct engine *e)
{
	for (uint32_t i = 0; i < RECEIVES_A_TURN; i++)
		if (channel_receive(&e->channel, on_reply, e) < CHANNEL_BURST)
			break;
	report_overdue(e);

	bool sweeps = e->now_ns - e->sweep_ns >= sweep_every_ns(e);

	for (uint32_t i = 0; i < ENGINE_WAYS; i++) {
		struct engine_way *w = &e->ways[i];

		if (!w->open)
			continue;
		bind_waiting(w);
		transmit(w, client_fill);
		if (sweeps)
			transmit(w, client_fill_retries);
	}
	if (sweeps)
		e->sweep_ns = e->now_ns;
	channel_flush(&e->channel);
}

static void *run(void *context)
{
	const struct paxwire_answer closed = {.status = PAXWIRE_CLOSED};
	struct engine *e = context;

	for (e->now_ns = clock_ns(); take_fresh(e); e->now_ns = clock_ns()) {
		turn(e);
		sleep_until_next(e);
	}
	take_fresh(e);
	while (e->oldest != NULL)
		report(e, e->oldest, &closed, false);
	return NULL;
}

/* ---- Start and end ---- */

static void give_memory(struct engine *e)
{
	for (uint32_t i = 0; i < ENGINE_WAYS; i++) {
		free(e->ways[i].sessions);
		free(e->ways[i].client_memory);
	}
}

static bool take_memory(struct engine *e, uint32_t outstanding_max, uint32_t command_max)
{
	bool ok = true;

	for (uint32_t i = 0; i < ENGINE_WAYS; i++) {
		struct engine_way *w = &e->ways[i];

		w->engine = e;
		w->kind = (enum paxwire_kind)i;
		w->client_memory = aligned_alloc(64, (client_bytes(e->sessions) + 63) / 64 * 64);
		w->sessions = calloc(e->sessions, sizeof(w->sessions[0]));
		ok = ok && w->client_memory != NULL && w->sessions != NULL;
	}
	if (ok && operations_create(&e->operations, outstanding_max, command_max))
		return true;
	give_memory(e);
	return false;
}

static bool start_thread(struct engine *e, const struct paxwire_options *options)
{
	const uint32_t body_max = channel_body_max(&e->channel);
	/* A leader puts it into a run, which leaves room for a record's header. */
	const uint32_t command_max = (body_max - RECORD_BYTES - ENTRY_BYTES) / 8 * 8;
	uint64_t seed;

	e->sessions = (options->outstanding_max + COMMANDS_A_SESSION - 1) / COMMANDS_A_SESSION;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
		!take_memory(e, options->outstanding_max, command_max))
		return false;
	e->settings = (struct client_settings){
		.members = e->channel.settings.members,
		.window = SESSION_WINDOW,
		.body_max = body_max,
		.batch = options->batch_max == 0 ? RUN_COUNT_MAX : options->batch_max,
		.retry_ns = options->retry_us * 1000ull,
		.seed = seed,
		.value_max = command_max,
		.value = value_of,
		.length = length_of,
		.done = on_done,
		.expired = on_expired,
	};
	errno = pthread_create(&e->thread, NULL, run, e);
	if (errno == 0)
		return true;
	operations_destroy(&e->operations);
	give_memory(e);
	return false;
}

bool engine_start(struct engine *e, const struct channel_settings *cluster,
	const struct paxwire_options *options, char *error, size_t size)
{
	if (!channel_open(&e->channel, cluster, error, size))
		return false;
	e->timeout_ns = options->timeout_ms * 1000000ull;
	if (start_thread(e, options))
		return true;
	channel_close(&e->channel);
	snprintf(error, size,
		"a thread and the memory for %u commands can not be had: %s; lower "
		"outstanding_max.",
		options->outstanding_max, strerror(errno));
	return false;
}

void engine_stop(struct engine *e)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&e->operations.lock);
	__atomic_store_n(&e->operations.closed, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&e->operations.lock);
	/* As in hand_over, it can not fail. */
	if (write(e->operations.wake, &one, sizeof(one)) == sizeof(one))
		pthread_join(e->thread, NULL);
	channel_close(&e->channel);
	operations_destroy(&e->operations);
	give_memory(e);
}
