#include "tools/client/throughput.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/histogram.h"
#include "tools/client/history.h"

enum {
	PERCENT = 100,
	LOOK_NS = 5000000,
	SPARE = 2, /* Operations for each outstanding one: unknown ones still stand in the client. */
};

/* Values are numbered: the process, and its count. */
#define VALUES_A_PROCESS (1ull << 40)

struct worker;

/* One process in the sense of a history: one operation after the other. */
struct process {
	struct worker *worker;
	struct history_record now; /* The operation under way. */
	uint64_t random;
	uint64_t values;
	bool chose;  /* At the start. */
	bool parked; /* The client took no more; whoever sees it set owns the process. */
};

/* One client and what its thread counts. */
struct worker {
	struct throughput *load;
	struct paxwire_client *client;
	struct process *processes;
	uint64_t *versions; /* By key: what it saw last. */
	struct history history;
	struct histogram latencies;
	uint64_t answered, unknown, failed, broken;
	uint64_t last_ns; /* The last answer, and the longest time without one. */
	uint64_t gap_ns;
	uint32_t running;
};

struct throughput {
	struct throughput_settings settings;
	uint64_t begin_ns, end_ns;
	uint64_t submitted;
	struct worker workers[THROUGHPUT_CLIENTS_MAX];
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- One operation ---- */

static uint32_t random_below(struct process *p, uint32_t limit)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (uint32_t)((p->random >> 32) * limit >> 32);
}

/* A value is its number, again and again: what comes back mixed is seen. */
static void value_write(uint8_t *value, uint32_t bytes, uint64_t number)
{
	for (uint32_t at = 0; at < bytes; at += 8)
		memcpy(value + at, &number, bytes - at < 8 ? bytes - at : 8);
}

static bool value_read(const uint8_t *value, uint32_t bytes, uint64_t *number)
{
	if (bytes < THROUGHPUT_VALUE_LEAST)
		return false;
	memcpy(number, value, 8);
	for (uint32_t at = 8; at < bytes; at += 8)
		if (memcmp(value + at, number, bytes - at < 8 ? bytes - at : 8) != 0)
			return false;
	return true;
}

static bool may_go_on(struct throughput *l)
{
	uint64_t limit = l->settings.operations;

	return clock_ns() < l->end_ns &&
		(limit == 0 || __atomic_fetch_add(&l->submitted, 1, __ATOMIC_RELAXED) < limit);
}

/* The next operation; false: the run is over. */
static bool process_choose(struct process *p)
{
	const struct throughput_settings *s = &p->worker->load->settings;
	struct history_record *r = &p->now;
	uint32_t dice = random_below(p, PERCENT);

	if (!may_go_on(p->worker->load)) {
		__atomic_fetch_sub(&p->worker->running, 1, __ATOMIC_RELEASE);
		return false;
	}
	r->key = random_below(p, s->keys);
	r->operation = dice < s->reads                  ? KV_GET
		: dice < s->reads + s->cas              ? KV_CAS
		: dice < s->reads + s->cas + s->deletes ? KV_DELETE
							: KV_PUT;
	r->expected = p->worker->versions[r->key];
	r->argument = (r->process + 1) * VALUES_A_PROCESS + p->values++;
	return true;
}

static uint32_t command_write(const struct process *p, uint8_t *command)
{
	const struct history_record *r = &p->now;
	uint32_t bytes = p->worker->load->settings.value_bytes;
	uint8_t value[THROUGHPUT_VALUE_MOST];

	value_write(value, bytes, r->argument);
	switch (r->operation) {
	case KV_GET:
		return paxwire_kv_get(command, r->key);
	case KV_DELETE:
		return paxwire_kv_delete(command, r->key);
	case KV_PUT:
		return paxwire_kv_put(command, r->key, value, bytes);
	case KV_CAS:
		break;
	}
	return paxwire_kv_cas(command, r->key, r->expected, value, bytes);
}

static void on_answer(void *context, const struct paxwire_answer *answer);

static void process_submit(struct process *p)
{
	uint8_t command[PAXWIRE_KV_HEAD_BYTES + THROUGHPUT_VALUE_MOST];
	uint32_t bytes = command_write(p, command);

	p->now.call_ns = clock_ns();
	if (paxwire_submit(p->worker->client,
		    p->now.operation == KV_GET ? p->worker->load->settings.read_kind
					       : PAXWIRE_COMMAND,
		    command, bytes, on_answer, p) != PAXWIRE_OK)
		__atomic_store_n(&p->parked, true, __ATOMIC_RELEASE);
}

static enum history_outcome outcome_of(enum paxwire_status status)
{
	switch (status) {
	case PAXWIRE_OK:
		return HISTORY_OK;
	case PAXWIRE_NOT_FOUND:
		return HISTORY_ABSENT;
	case PAXWIRE_MISMATCH:
		return HISTORY_MISMATCH;
	case PAXWIRE_FULL:
		return HISTORY_FULL;
	case PAXWIRE_BUSY:
	case PAXWIRE_TOO_LARGE:
	case PAXWIRE_BAD_COMMAND:
		return HISTORY_FAIL;
	case PAXWIRE_STALE:
	case PAXWIRE_EXPIRED:
	case PAXWIRE_UNKNOWN:
	case PAXWIRE_CLOSED:
		break;
	}
	return HISTORY_INFO;
}

static void count_gap(struct worker *w, uint64_t now_ns)
{
	if (now_ns - w->last_ns > w->gap_ns)
		w->gap_ns = now_ns - w->last_ns;
}

static void count_answer(struct worker *w, const struct history_record *r)
{
	if (r->outcome == HISTORY_INFO) {
		w->unknown++;
		return;
	}
	if (r->outcome == HISTORY_FAIL) {
		w->failed++;
		return;
	}
	w->answered++;
	histogram_record(&w->latencies, r->return_ns - r->call_ns);
	count_gap(w, r->return_ns);
	w->last_ns = r->return_ns;
}

/* On the client's thread. */
static void on_answer(void *context, const struct paxwire_answer *answer)
{
	struct process *p = context;
	struct worker *w = p->worker;
	struct history_record *r = &p->now;

	r->return_ns = clock_ns();
	r->outcome = outcome_of(answer->status);
	r->version = answer->result;
	r->value = 0;
	if (r->outcome == HISTORY_OK && r->operation == KV_GET &&
		!value_read(answer->value, answer->bytes, &r->value))
		w->broken++;
	if (r->outcome == HISTORY_ABSENT)
		w->versions[r->key] = 0;
	else if (r->outcome == HISTORY_OK || r->outcome == HISTORY_MISMATCH)
		w->versions[r->key] = r->operation == KV_DELETE ? 0 : r->version;
	count_answer(w, r);
	if (w->load->settings.history != NULL)
		history_add(&w->history, r);
	if (process_choose(p))
		process_submit(p);
}

/* ---- The run ---- */

static bool worker_open(struct throughput *l, uint32_t index, const struct paxwire_options *options,
	char *error, size_t size)
{
	const struct throughput_settings *s = &l->settings;
	struct worker *w = &l->workers[index];
	struct paxwire_options own = *options;

	own.outstanding_max = SPARE * s->outstanding;
	w->load = l;
	w->processes = calloc(s->outstanding, sizeof(*w->processes));
	w->versions = calloc(s->keys, sizeof(*w->versions));
	if (w->processes == NULL || w->versions == NULL) {
		snprintf(error, size, "%u keys do not fit the memory: give fewer.", s->keys);
		return false;
	}
	w->client = paxwire_open(&own, error, size);
	for (uint32_t i = 0; w->client != NULL && i < s->outstanding; i++) {
		struct process *p = &w->processes[i];

		p->worker = w;
		p->now.process = s->first + index * s->outstanding + i;
		p->random = (s->seed + 1) * 0x9e3779b97f4a7c15ull ^
			(p->now.process + 1) * 0xff51afd7ed558ccdull;
		p->random += p->random == 0 ? 1 : 0;
	}
	return w->client != NULL;
}

static void worker_close(struct worker *w)
{
	if (w->client != NULL)
		paxwire_close(w->client);
	free(w->processes);
	free(w->versions);
	history_free(&w->history);
}

/* Processes whose client had no room try again; true: some are still at work. */
static bool look(struct throughput *l)
{
	bool busy = false;

	for (uint32_t i = 0; i < l->settings.clients; i++) {
		struct worker *w = &l->workers[i];

		for (uint32_t k = 0; k < l->settings.outstanding; k++) {
			struct process *p = &w->processes[k];

			if (!__atomic_load_n(&p->parked, __ATOMIC_ACQUIRE))
				continue;
			p->parked = false;
			if (clock_ns() < l->end_ns)
				process_submit(p);
			else
				__atomic_fetch_sub(&w->running, 1, __ATOMIC_RELEASE);
		}
		busy |= __atomic_load_n(&w->running, __ATOMIC_ACQUIRE) > 0;
	}
	return busy;
}

/* All choose before one submits: from then on a worker is its client's thread's. */
static double drive(struct throughput *l)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	uint32_t all = l->settings.outstanding;

	l->begin_ns = clock_ns();
	l->end_ns = l->begin_ns + (uint64_t)(l->settings.seconds * 1e9);
	for (uint32_t i = 0; i < l->settings.clients; i++) {
		struct worker *w = &l->workers[i];

		w->running = all;
		w->last_ns = l->begin_ns;
		for (uint32_t k = 0; k < all; k++)
			w->processes[k].chose = process_choose(&w->processes[k]);
	}
	for (uint32_t i = 0; i < l->settings.clients * all; i++) {
		struct process *p = &l->workers[i / all].processes[i % all];

		if (p->chose)
			process_submit(p);
	}
	while (look(l))
		nanosleep(&pause, NULL);
	/* Those that were given up at the end had no answer either. */
	for (uint32_t i = 0; i < l->settings.clients; i++)
		count_gap(&l->workers[i], clock_ns());
	return (double)(clock_ns() - l->begin_ns) / 1e9;
}

static void print_report(const struct throughput *l, double seconds)
{
	const struct throughput_settings *s = &l->settings;
	const double percentiles[] = {50, 90, 99, 99.9};
	static struct histogram all;
	struct paxwire_counters sum = {0};
	uint64_t answered = 0;
	uint64_t unknown = 0;
	uint64_t failed = 0;
	uint64_t gap_ns = 0;

	for (uint32_t i = 0; i < s->clients; i++) {
		const struct worker *w = &l->workers[i];
		struct paxwire_counters c;

		paxwire_count(w->client, &c);
		histogram_merge(&all, &w->latencies);
		answered += w->answered;
		unknown += w->unknown;
		failed += w->failed;
		gap_ns = w->gap_ns > gap_ns ? w->gap_ns : gap_ns;
		sum.frames += c.frames;
		sum.retries += c.retries;
		sum.busy += c.busy;
		sum.redirects += c.redirects;
		sum.expired += c.expired;
		sum.strange += c.strange;
		sum.unsent += c.unsent;
	}
	printf("paxwire-kv: %u clients with %u outstanding each; %u keys, %u%% gets, %u%% cas, %u%% "
	       "deletes; %u-byte values\n",
		s->clients, s->outstanding, s->keys, s->reads, s->cas, s->deletes, s->value_bytes);
	printf("  throughput  %.0f operations/s; %" PRIu64 " answered, %" PRIu64
	       " unknown, %" PRIu64 " not run, in %.2f s\n",
		(double)answered / seconds, answered, unknown, failed, seconds);
	printf("  latency    ");
	for (uint32_t i = 0; i < 4; i++)
		printf(" p%g %.1f", percentiles[i],
			(double)histogram_percentile(&all, percentiles[i]) / 1e3);
	printf(" max %.1f us; longest gap between answers %.1f ms\n", (double)all.max_ns / 1e3,
		(double)gap_ns / 1e6);
	printf("  clients     %" PRIu64 " frames sent, %" PRIu64 " retries, %" PRIu64
	       " busy, %" PRIu64 " redirects, %" PRIu64 " expired, %" PRIu64 " strange, %" PRIu64
	       " unsent\n",
		sum.frames, sum.retries, sum.busy, sum.redirects, sum.expired, sum.strange,
		sum.unsent);
}

static bool write_history(const struct throughput *l, char *error, size_t size)
{
	FILE *out = fopen(l->settings.history, "we");
	bool right = out != NULL;

	if (right) {
		history_write_head(out);
		for (uint32_t i = 0; i < l->settings.clients; i++) {
			history_write(&l->workers[i].history, out);
			right &= !l->workers[i].history.lost;
		}
		right &= ferror(out) == 0;
		right &= fclose(out) == 0;
	}
	if (!right)
		snprintf(error, size, "%s: the history can not be written there whole.",
			l->settings.history);
	return right;
}

int throughput_run(const struct throughput_settings *settings,
	const struct paxwire_options *options, char *error, size_t size)
{
	struct throughput *l = calloc(1, sizeof(*l));
	uint64_t broken = 0;
	bool right = l != NULL;

	if (!right) {
		snprintf(error, size, "there is no memory for so many clients.");
		return 1;
	}
	l->settings = *settings;
	for (uint32_t i = 0; right && i < settings->clients; i++)
		right = worker_open(l, i, options, error, size);
	if (right) {
		double seconds = drive(l);

		print_report(l, seconds);
		right = settings->history == NULL || write_history(l, error, size);
		for (uint32_t i = 0; i < settings->clients; i++)
			broken += l->workers[i].broken;
		if (right && broken > 0)
			snprintf(error, size, "%" PRIu64 " values came back that nobody wrote.",
				broken);
	}
	for (uint32_t i = 0; i < settings->clients; i++)
		worker_close(&l->workers[i]);
	free(l);
	return right && broken == 0 ? 0 : 1;
}
