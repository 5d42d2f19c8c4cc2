#include "bench/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_random.h>

#include "bench/faults.h"
#include "bench/load.h"
#include "bench/remote.h"
#include "bench/swapped.h"
#include "dataplane/app.h"
#include "dataplane/embedded.h"

static volatile sig_atomic_t interrupted;

void run_interrupt(void)
{
	interrupted = 1;
}

bool run_interrupted(void)
{
	return interrupted != 0;
}

/* What is counted from a phase's begin to its end. */
struct counts {
	uint64_t ns;
	uint64_t done;
	uint64_t frames;
	uint64_t bytes;
	uint64_t cpu_ns;
	uint64_t busy_cycles[OUTCOME_STAGES + 1];
	uint64_t busy_turns[OUTCOME_STAGES + 1];
	uint64_t work[OUTCOME_STAGES + 1];
	uint64_t runs;
	uint64_t commands;
};

struct session_of_run {
	struct embedded cluster; /* Of a cluster elsewhere: no replicas, our own client only. */
	struct host host;        /* Our ports, then. */
	bool remote;
	struct load load;
	struct faults faults;
	struct app apps[MEMBER_MAX];
	uint64_t checkpoint; /* Next to be compared. */
	struct report *report;
};

static const char *const stage_names[] = {"io", "leader", "acceptor", "learner", "load"};

static void count_stage(struct counts *c, uint32_t kind, const struct stage *s)
{
	c->busy_cycles[kind] += __atomic_load_n(&s->busy_cycles, __ATOMIC_RELAXED);
	c->busy_turns[kind] += __atomic_load_n(&s->busy_turns, __ATOMIC_RELAXED);
	c->work[kind] += __atomic_load_n(&s->work, __ATOMIC_RELAXED);
}

static void count_network(struct counts *c, const struct network *n)
{
	c->frames += __atomic_load_n(&n->counters.tx_frames, __ATOMIC_RELAXED);
	c->bytes += __atomic_load_n(&n->counters.tx_bytes, __ATOMIC_RELAXED);
}

static struct counts count(struct session_of_run *r)
{
	struct counts c = {.ns = lcore_now_ns()};
	struct embedded *e = &r->cluster;

	c.done = __atomic_load_n(&r->load.done, __ATOMIC_RELAXED);
	count_network(&c, &e->client);
	for (uint32_t i = 0; i < e->lcores_count; i++)
		c.cpu_ns += lcore_cpu_ns(&e->lcores[i]);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct replica *replica = &e->replicas[i];

		count_network(&c, &replica->io.network);
		c.runs +=
			__atomic_load_n(&replica->leader->counters.proposed_runs, __ATOMIC_RELAXED);
		c.commands += __atomic_load_n(&replica->leader->counters.proposed_commands,
			__ATOMIC_RELAXED);
		count_stage(&c, 0, &replica->io.stage);
		count_stage(&c, 0, &replica->io.out);
		count_stage(&c, 1, &replica->leader_poll);
		for (uint32_t s = 0; s < e->config->shards; s++)
			count_stage(&c, 2, &replica->acceptor_polls[s]);
		count_stage(&c, 3, &replica->learner_poll);
	}
	count_stage(&c, 4, &r->load.stage);
	return c;
}

static double each(uint64_t total, uint64_t count)
{
	return count == 0 ? 0 : (double)total / (double)count;
}

static void conclude(struct outcome *o, const struct counts *begin, const struct counts *end)
{
	uint64_t commits = end->done - begin->done;
	uint64_t cycles = 0;

	o->seconds = (double)(end->ns - begin->ns) / 1e9;
	o->commits = commits;
	o->frames = end->frames - begin->frames;
	o->bytes = end->bytes - begin->bytes;
	o->cpu_us_per_commit = each(end->cpu_ns - begin->cpu_ns, commits) / 1000.0;
	o->batch_mean = each(end->commands - begin->commands, end->runs - begin->runs);
	for (uint32_t i = 0; i <= OUTCOME_STAGES; i++) {
		uint64_t busy = end->busy_cycles[i] - begin->busy_cycles[i];

		cycles += busy;
		o->stages[i].name = stage_names[i];
		o->stages[i].cycles_per_commit = each(busy, commits);
		o->stages[i].frames_per_turn = each(end->work[i] - begin->work[i],
			end->busy_turns[i] - begin->busy_turns[i]);
	}
	o->work_cycles_per_commit = each(cycles, commits);
}

/* ---- Agreement ---- */

static bool alive(const struct embedded *e, uint32_t replica)
{
	return (e->killed & 1u << replica) == 0;
}

/* The lowest delivered index of the living; *same: all stand there. */
static uint64_t least_delivered(const struct embedded *e, bool *same)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	for (uint32_t i = 0; i < e->replicas_count; i++) {
		uint64_t delivered = learner_stage_delivered(e->replicas[i].learner);

		if (!alive(e, i))
			continue;
		least = delivered < least ? delivered : least;
		most = delivered > most ? delivered : most;
	}
	*same = least == most;
	return least;
}

/* One checkpoint: true if every living replica still has it; *equal: they agree. */
static bool compare_one(const struct embedded *e, uint64_t checkpoint, bool *equal)
{
	uint64_t first = 0, other = 0;
	bool any = false;

	*equal = true;
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		if (!alive(e, i))
			continue;
		if (!learner_stage_checkpoint(e->replicas[i].learner, checkpoint, &other))
			return false;
		first = any ? first : other;
		*equal = *equal && other == first;
		any = true;
	}
	return true;
}

/* Compares the replicas' digests at checkpoints that all have reached. */
static void compare_checkpoints(struct session_of_run *r)
{
	bool same, equal;

	if (r->remote)
		return;
	uint64_t least = least_delivered(&r->cluster, &same);

	/* What the replicas have overwritten meanwhile is passed over. */
	if (least > r->checkpoint + (uint64_t)CHECKPOINT_EVERY * CHECKPOINTS / 2)
		r->checkpoint = least - least % CHECKPOINT_EVERY -
			(uint64_t)CHECKPOINT_EVERY * CHECKPOINTS / 4;
	for (; r->checkpoint <= least; r->checkpoint += CHECKPOINT_EVERY) {
		if (!compare_one(&r->cluster, r->checkpoint, &equal))
			continue;
		r->report->agreement = r->report->agreement && equal;
		r->report->compared += equal ? 1 : 0;
	}
}

/* The stages stand still. */
static void compare_ends(struct session_of_run *r)
{
	const struct embedded *e = &r->cluster;
	bool same;
	bool any = false;
	uint64_t digest = 0;

	r->report->delivered = least_delivered(e, &same);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		if (!alive(e, i))
			continue;
		if (any && learner_stage_digest(e->replicas[i].learner) != digest)
			same = false;
		digest = learner_stage_digest(e->replicas[i].learner);
		any = true;
	}
	r->report->agreement = r->report->agreement && same;
}

/* ---- Phases ---- */

static void nap(void)
{
	const struct timespec t = {.tv_nsec = 2000000};

	nanosleep(&t, NULL);
}

static void progress(struct session_of_run *r, const char *what, double at, uint64_t commits)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%-10s %5.1f s  %12.0f commits/s  %u sessions ", what, at,
		(double)commits, r->load.client.opened);
	fflush(stderr);
}

/* Lets time pass, comparing; until `seconds` are over, or so many commands are done. */
static void pass(struct session_of_run *r, const char *what, double seconds, uint64_t done_max)
{
	uint64_t begin_ns = lcore_now_ns();
	uint64_t line_ns = begin_ns;
	uint64_t line_done = r->load.done;

	while (!interrupted && (double)(lcore_now_ns() - begin_ns) < seconds * 1e9 &&
		__atomic_load_n(&r->load.done, __ATOMIC_RELAXED) < done_max) {
		uint64_t now_ns = lcore_now_ns();

		nap();
		compare_checkpoints(r);
		if (now_ns - line_ns < 1000000000ull)
			continue;
		uint64_t done = __atomic_load_n(&r->load.done, __ATOMIC_RELAXED);

		progress(r, what, (double)(now_ns - begin_ns) / 1e9, done - line_done);
		line_ns = now_ns;
		line_done = done;
	}
}

static void set_accounting(struct session_of_run *r, bool accounts)
{
	for (uint32_t i = 0; i < r->cluster.lcores_count; i++)
		__atomic_store_n(&r->cluster.lcores[i].accounts, accounts, __ATOMIC_RELAXED);
}

/* A second into the phase, whoever leads is stopped for good. */
static void kill_leader(struct session_of_run *r, const char *what)
{
	pass(r, what, 1, UINT64_MAX);
	for (uint32_t i = 0; i < r->cluster.replicas_count; i++)
		if (__atomic_load_n(&r->cluster.replicas[i].leader->leads, __ATOMIC_RELAXED)) {
			embedded_kill(&r->cluster, i);
			r->report->killed = (int)i;
			return;
		}
}

static void measure(struct session_of_run *r, const char *what, double seconds, uint64_t commits,
	bool accounts, struct outcome *o)
{
	struct counts begin, end;

	set_accounting(r, accounts);
	load_set_recording(&r->load, true);
	begin = count(r);
	if (accounts && r->report->options.kill_leader)
		kill_leader(r, what);
	pass(r, what, seconds, commits == 0 ? UINT64_MAX : begin.done + commits);
	end = count(r);
	load_set_recording(&r->load, false);
	nap();
	conclude(o, &begin, &end);
	histogram_merge(&o->latencies, &r->load.latencies);
	histogram_reset(&r->load.latencies);
}

static bool wait_for_sessions(struct session_of_run *r, char *error, size_t size)
{
	uint64_t begin_ns = lcore_now_ns();

	load_set_phase(&r->load, LOAD_SINGLE);
	while (__atomic_load_n(&r->load.done, __ATOMIC_RELAXED) == 0 && !interrupted) {
		if (lcore_now_ns() - begin_ns > 10000000000ull) {
			snprintf(error, size,
				"no command was committed within 10 s: is each lcore's CPU free?");
			return false;
		}
		nap();
	}
	r->report->first_commit_s = (double)(lcore_now_ns() - begin_ns) / 1e9;
	while (__atomic_load_n(&r->load.client.opened, __ATOMIC_RELAXED) <
			r->load.settings.sessions &&
		!interrupted) {
		if (lcore_now_ns() - begin_ns > 60000000000ull) {
			snprintf(error, size, "only %u of %u sessions opened within 60 s.",
				r->load.client.opened, r->load.settings.sessions);
			return false;
		}
		nap();
	}
	return true;
}

static void drain(struct session_of_run *r)
{
	uint64_t begin_ns = lcore_now_ns();

	load_set_phase(&r->load, LOAD_DRAIN);
	bool same = false;

	/* Generous: a stall of this machine is not a disagreement. */
	while (lcore_now_ns() - begin_ns < 20000000000ull) {
		nap();
		compare_checkpoints(r);
		least_delivered(&r->cluster, &same);
		if ((same || r->remote) &&
			__atomic_load_n(&r->load.client.outstanding, __ATOMIC_RELAXED) == 0)
			break;
	}
	r->report->unanswered = __atomic_load_n(&r->load.client.outstanding, __ATOMIC_RELAXED);
	/* The last watermark still travels. */
	for (uint32_t i = 0; i < 20; i++)
		nap();
}

static void count_drop(struct report *r, const char *reason, uint64_t count)
{
	uint32_t i = 0;

	while (i < r->drops_kinds && strcmp(r->drops_by[i].reason, reason) != 0)
		i++;
	if (i == DROPS_KINDS_MAX)
		return;
	if (i == r->drops_kinds)
		r->drops_by[r->drops_kinds++].reason = reason;
	r->drops_by[i].count += count;
	r->drops += count;
}

static void count_network_drops(struct report *report, const struct network *n)
{
	for (uint32_t i = 1; i < FRAME_DROP_REASONS; i++)
		count_drop(report, frame_drop_text(i), n->counters.drops[i]);
	count_drop(report, "port full", n->counters.tx_full);
	count_drop(report, "unreachable", n->counters.unreachable);
	count_drop(report, "too many clients", n->counters.crowded);
}

static void gather_replica(struct report *report, const struct replica *replica)
{
	count_network_drops(report, &replica->io.network);
	for (uint32_t i = 1; i < DROP_REASONS; i++)
		count_drop(report, frame_drop_text(i), replica->io.foreign[i]);
	count_drop(report, "stage overload", replica->io.overload);
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		count_drop(report, "no mbuf", replica->crossings[p].no_mbuf);
		count_drop(report, "ring full", replica->crossings[p].ring_full);
	}
	report->retransmits += replica->leader->counters.retransmitted;
	report->leaderships += replica->leader->counters.terms;
}

static void gather_counters(struct session_of_run *r)
{
	struct report *report = r->report;

	for (uint32_t i = 0; i < r->cluster.replicas_count; i++)
		gather_replica(report, &r->cluster.replicas[i]);
	count_network_drops(report, &r->cluster.client);
	count_drop(report, "not a reply", r->load.strange);
	for (uint32_t i = 0; i < r->cluster.lcores_count; i++)
		report->allocated_bytes += r->cluster.lcores[i].allocated_bytes;
	report->client_retries = r->load.client.counters.retries;
	report->client_busy = r->load.client.counters.busy;
	report->failed = r->load.failed;
	report->faults_lost = r->faults.lost;
	report->faults_doubled = r->faults.doubled;
	report->faults_late = r->faults.late;
}

static void phases(struct session_of_run *r)
{
	const struct options *o = &r->report->options;
	enum load_phase loaded = o->rate > 0 ? LOAD_OPEN : LOAD_CLOSED;

	load_set_phase(&r->load, loaded);
	pass(r, "warm-up", o->warmup_seconds, UINT64_MAX);
	uint64_t offered = r->load.offered;

	measure(r, o->rate > 0 ? "open loop" : "saturated", o->seconds, o->commits, true,
		&r->report->saturated);
	r->report->saturated.offered = o->rate > 0
		? (double)(r->load.offered - offered) / r->report->saturated.seconds
		: 0;
	if (o->demo) {
		load_set_phase(&r->load, LOAD_SINGLE);
		pass(r, "settling", 0.3, UINT64_MAX);
		histogram_reset(&r->load.latencies);
		measure(r, "unloaded", o->seconds / 2, 0, false, &r->report->unloaded);
	}
	drain(r);
}

static struct load_settings load_settings(const struct options *o, const struct config *config)
{
	const uint32_t body_max = config->mtu - IP_UDP_BYTES - HEADER_BYTES - RECORD_BYTES;
	struct load_settings s = {
		.members = config->replicas_count,
		.sessions = o->sessions,
		.window = o->window,
		.value_bytes = o->value_bytes,
		.kv = config->state_machine == STATE_MACHINE_KV,
		.keys = o->keys,
		.read_share = o->read_share,
		.read_round = o->read_round && config->state_machine == STATE_MACHINE_KV,
		.body_max = body_max,
		.cluster = config->cluster_id,
		.rate = o->rate,
		.poisson = o->poisson,
		/* Where frames are lost on purpose, waiting long for each would measure only that. */
		.retry_ns = o->faults > 0 ? 10000000 : 200000000,
		.seed = rte_rand(),
	};

	s.batch = o->batch == 0 ? body_max / entry_bytes(load_command_bytes(&s)) : o->batch;
	return s;
}

static bool create_embedded(struct session_of_run *r, const struct config *config, char *error,
	size_t size)
{
	const struct options *o = &r->report->options;
	const struct load_settings settings = load_settings(o, config);
	struct machine machines[MEMBER_MAX];

	for (uint32_t i = 0; i < config->replicas_count; i++) {
		if (!app_create(&r->apps[i], config, error, size))
			return false;
		machines[i] = r->apps[i].machine;
	}
	if (o->mutant)
		machines[1] = swapped(&machines[1]);
	if (!embedded_create(&r->cluster, config, machines, o->faults > 0, error, size) ||
		!load_create(&r->load, &settings, &r->cluster.client, error, size) ||
		!embedded_place(&r->cluster, &r->load.stage, 1, error, size))
		return false;
	if (o->faults > 0) {
		faults_init(&r->faults, &r->cluster, o->faults, settings.seed);
		lcore_add(&r->cluster.lcores[0], &r->faults.stage);
	}
	return true;
}

static bool create_remote(struct session_of_run *r, const struct config *config, char *error,
	size_t size)
{
	const struct load_settings settings = load_settings(&r->report->options, config);
	const struct config_client *client =
		remote_client(config, &r->report->options, error, size);

	if (client == NULL || !remote_join(&r->cluster, &r->host, config, client, error, size) ||
		!load_create(&r->load, &settings, &r->cluster.client, error, size))
		return false;
	remote_place(&r->cluster, client, &r->load.stage);
	return true;
}

static void probe(struct session_of_run *r, struct probe *result)
{
	/* With faults on the wires nobody would carry the probe's frames. */
	if (!r->remote && r->report->options.faults == 0)
		probe_run(&r->cluster, r->cluster.lcores_count,
			entry_bytes(r->report->options.value_bytes), 0.5, result);
}

static void destroy(struct session_of_run *r)
{
	load_destroy(&r->load);
	if (r->remote)
		remote_leave(&r->cluster, &r->host);
	else
		embedded_destroy(&r->cluster);
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		app_destroy(&r->apps[i]);
}

static bool fits(const struct load_settings *s, const struct config *config, char *error,
	size_t size)
{
	uint32_t head = load_command_bytes(s) - s->value_bytes;
	uint32_t most = (s->body_max - ENTRY_BYTES - head) / 8 * 8;

	if (s->kv && most > config->kv_value_max)
		most = config->kv_value_max;
	if (s->value_bytes <= most)
		return true;
	snprintf(error, size,
		"--value: a value of %u bytes is too large: with MTU %u%s it may have %u.",
		s->value_bytes, config->mtu, s->kv ? " and kv.value_max" : "", most);
	return false;
}

bool run(const struct options *options, const struct config *config, struct report *report,
	char *error, size_t size)
{
	static struct session_of_run r;
	const struct load_settings settings = load_settings(options, config);

	r.report = report;
	r.remote = !config_is_embedded(config);
	r.checkpoint = CHECKPOINT_EVERY;
	report->options = *options;
	report->config = config;
	report->agreement = true;
	report->remote = r.remote;
	report->killed = -1;
	if (!fits(&settings, config, error, size))
		return false;
	if (!(r.remote ? create_remote(&r, config, error, size)
		       : create_embedded(&r, config, error, size)))
		return false;
	probe(&r, &report->before);
	if (!embedded_start(&r.cluster, error, size))
		return false;
	bool ok = wait_for_sessions(&r, error, size);

	if (ok)
		phases(&r);
	embedded_stop(&r.cluster);
	if (!r.remote)
		compare_ends(&r);
	gather_counters(&r);
	report->interrupted = interrupted != 0;
	if (ok && !interrupted && report->killed < 0)
		probe(&r, &report->after);
	destroy(&r);
	return ok;
}
