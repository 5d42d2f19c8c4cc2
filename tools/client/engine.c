#include "tools/client/engine.h"

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

static void report(struct engine *e, struct operation *op, const struct paxwire_answer *answer)
{
	by_time_remove(e, op);
	e->reported++;
	operation_report(op, answer);
}

/* Nobody will say what became of it. */
static void give_up(struct engine *e, struct operation *op, enum paxwire_status status)
{
	const struct paxwire_answer answer = {.status = status};

	if (!op->reported)
		report(e, op, &answer);
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
static struct operation *operation_at(struct engine *e, uint32_t session, uint64_t sequence,
	bool *first)
{
	struct engine_session *s = &e->sessions[session];

	*first = sequence == e->client.sessions[session].next;
	return *first ? s->next.first : s->sent[sequence % SESSION_WINDOW];
}

static uint32_t length_of(void *context, uint32_t session, uint64_t sequence)
{
	bool first;

	return operation_at(context, session, sequence, &first)->bytes;
}

static uint32_t value_of(void *context, uint32_t session, uint64_t sequence, uint8_t *value)
{
	struct engine *e = context;
	bool first;
	struct operation *op = operation_at(e, session, sequence, &first);

	if (first) {
		operation_list_take(&e->sessions[session].next);
		e->sessions[session].sent[sequence % SESSION_WINDOW] = op;
	}
	memcpy(value, op->command, op->bytes);
	return op->bytes | (op->kind == PAXWIRE_READ ? CLIENT_READ : 0);
}

static struct operation *unbind(struct engine *e, uint32_t session, uint64_t sequence)
{
	struct operation **at = &e->sessions[session].sent[sequence % SESSION_WINDOW];
	struct operation *op = *at;

	*at = NULL;
	return op;
}

static void on_done(void *context, uint32_t session, uint64_t id, uint64_t sequence,
	const struct reply *reply, uint64_t sent_ns)
{
	struct engine *e = context;
	struct operation *op = unbind(e, session, sequence);
	const struct paxwire_answer answer = {
		.status = status_of(reply),
		.result = reply->result,
		.value = reply + 1,
		.bytes = reply_length(reply),
	};

	(void)id;
	(void)sent_ns;
	if (!op->reported)
		report(e, op, &answer);
	operation_finish(op);
}

/* A read has no effect: another copy of it, in the next session, is as good. */
static void on_expired(void *context, uint32_t session, uint64_t sequence)
{
	struct engine *e = context;
	struct operation *op = unbind(e, session, sequence);

	if (op->kind == PAXWIRE_READ && !op->reported) {
		operation_list_add(&e->waiting, op);
		return;
	}
	give_up(e, op, PAXWIRE_EXPIRED);
	operation_finish(op);
}

static void on_reply(void *context, const struct message *m, const uint8_t *body)
{
	struct engine *e = context;

	client_on_reply(&e->client, m, body, e->now_ns);
}

/* ---- A turn ---- */

/* False: the client is being closed. */
static bool take_fresh(struct engine *e)
{
	struct operation_list fresh = operations_take(&e->operations);
	struct operation *op;

	while ((op = operation_list_take(&fresh)) != NULL) {
		op->due_ns = e->timeout_ns == 0 ? NEVER : e->now_ns + e->timeout_ns;
		by_time_add(e, op);
		operation_list_add(&e->waiting, op);
	}
	return !__atomic_load_n(&e->operations.closed, __ATOMIC_ACQUIRE);
}

/* Those whose time was over before they were bound are done with. */
static bool any_waiting(struct engine *e)
{
	while (e->waiting.first != NULL && e->waiting.first->reported)
		operation_finish(operation_list_take(&e->waiting));
	return e->waiting.first != NULL;
}

/* Each to a session that may send it at once. */
static void bind_waiting(struct engine *e)
{
	const struct client *c = &e->client;

	for (uint32_t looks = c->count; looks > 0 && any_waiting(e); looks--) {
		uint32_t index = e->next_session;
		const struct client_session *s = &c->sessions[index];

		while (s->id != CLIENT_CLOSED && s->next + s->allowed - s->base < SESSION_WINDOW &&
			any_waiting(e)) {
			struct operation *op = operation_list_take(&e->waiting);

			op->bound = true;
			operation_list_add(&e->sessions[index].next, op);
			client_want(&e->client, index, 1);
		}
		e->next_session = index + 1 == c->count ? 0 : index + 1;
	}
}

/* Frames of one kind of filling, until there is nothing more to send. */
static void transmit(struct engine *e,
	uint32_t (*fill)(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns))
{
	_Alignas(8) uint8_t reads[BODY_MAX];
	uint32_t reads_bytes;
	uint32_t bytes;
	uint32_t count;

	while ((count = fill(&e->client, channel_body(&e->channel), &bytes, e->now_ns)) > 0) {
		uint32_t moved = client_split(&e->client, channel_body(&e->channel), count, &bytes,
			reads, &reads_bytes);

		if (count > moved)
			channel_put(&e->channel, e->client.leader, 0, count - moved, bytes);
		if (moved == 0)
			continue;
		memcpy(channel_body(&e->channel), reads, reads_bytes);
		channel_put(&e->channel, e->client.leader, FLAG_READ, moved, reads_bytes);
	}
}

/* Their time is over. What is bound stays so, and is sent again until its answer is heard. */
static void report_overdue(struct engine *e)
{
	while (e->oldest != NULL && e->oldest->due_ns <= e->now_ns) {
		struct operation *op = e->oldest;
		bool harmless = !op->bound || op->kind == PAXWIRE_READ;

		give_up(e, op, harmless ? PAXWIRE_BUSY : PAXWIRE_UNKNOWN);
	}
}

static uint64_t sweep_every_ns(const struct engine *e)
{
	uint64_t every_ns = e->client.settings.retry_ns / SWEEPS_A_RETRY;

	return every_ns < SWEEP_LEAST_NS ? SWEEP_LEAST_NS : every_ns;
}

/* When there is something to do though nothing is heard. */
static uint64_t next_ns(const struct engine *e)
{
	uint64_t next = e->oldest == NULL ? NEVER : e->oldest->due_ns;
	uint64_t sweep = e->sweep_ns + sweep_every_ns(e);

	return e->client.outstanding > 0 && sweep < next ? sweep : next;
}

static void publish(struct engine *e)
{
	const struct client_counters *c = &e->client.counters;

	e->counters = (struct paxwire_counters){
		.submitted = e->operations.submitted,
		.reported = e->reported,
		.frames = e->channel.frames,
		.commands = c->sent,
		.retries = c->retries,
		.busy = c->busy,
		.redirects = c->redirects,
		.expired = c->expired,
		.late = c->late,
		.strange = e->channel.strange,
		.unsent = e->channel.unsent,
		.leader = e->client.leader,
		.sessions = e->client.opened,
	};
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
	bind_waiting(e);
	transmit(e, client_fill);
	if (e->now_ns - e->sweep_ns >= sweep_every_ns(e)) {
		e->sweep_ns = e->now_ns;
		transmit(e, client_fill_retries);
	}
	channel_flush(&e->channel);
}

static void *run(void *context)
{
	struct engine *e = context;

	for (e->now_ns = clock_ns(); take_fresh(e); e->now_ns = clock_ns()) {
		turn(e);
		sleep_until_next(e);
	}
	take_fresh(e);
	while (e->oldest != NULL)
		give_up(e, e->oldest, PAXWIRE_CLOSED);
	return NULL;
}

/* ---- Start and end ---- */

static bool take_memory(struct engine *e, uint32_t sessions, uint32_t outstanding_max,
	uint32_t command_max)
{
	e->client_memory = aligned_alloc(64, (client_bytes(sessions) + 63) / 64 * 64);
	e->sessions = calloc(sessions, sizeof(e->sessions[0]));
	if (e->client_memory != NULL && e->sessions != NULL &&
		operations_create(&e->operations, outstanding_max, command_max))
		return true;
	free(e->sessions);
	free(e->client_memory);
	return false;
}

static bool start_thread(struct engine *e, const struct paxwire_options *options)
{
	const uint32_t sessions =
		(options->outstanding_max + COMMANDS_A_SESSION - 1) / COMMANDS_A_SESSION;
	const uint32_t body_max = channel_body_max(&e->channel);
	/* A leader puts it into a run, which leaves room for a record's header. */
	const uint32_t command_max = (body_max - RECORD_BYTES - ENTRY_BYTES) / 8 * 8;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
		!take_memory(e, sessions, options->outstanding_max, command_max))
		return false;
	const struct client_settings settings = {
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
		.context = e,
	};

	client_init(&e->client, &settings, sessions, e->client_memory);
	if (pthread_create(&e->thread, NULL, run, e) == 0)
		return true;
	operations_destroy(&e->operations);
	free(e->sessions);
	free(e->client_memory);
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
	free(e->sessions);
	free(e->client_memory);
}
