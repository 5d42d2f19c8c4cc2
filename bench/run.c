#include "bench/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_random.h>

#include "bench/counts.h"
#include "bench/faults.h"
#include "bench/load.h"
#include "bench/remote.h"
#include "bench/survival.h"
#include "bench/swapped.h"
#include "dataplane/app.h"
#include "dataplane/embedded.h"
#include "dataplane/recording.h"
#include "dataplane/trace.h"

#define RETURN_NS 60000000000ull /* Who is not back by then is not coming. */

enum {
	SLICES = 8, /* Of a phase with snapshots. */
	/* Instances beyond which a follower lacks what is in nobody's log, whatever its rings hold. */
	PAUSE_BEHIND = 4 * LOG_INSTANCES,
};

static volatile sig_atomic_t interrupted;

void run_interrupt(void)
{
	interrupted = 1;
}

bool run_interrupted(void)
{
	return interrupted != 0;
}

struct session_of_run {
	struct embedded cluster; /* Of a cluster elsewhere: no replicas, our own client only. */
	struct host host;        /* Our ports, then. */
	bool remote;
	FILE *trace;
	struct load load;
	struct faults faults;
	struct gap turns[EMBEDDED_LCORES_MAX];
	struct app apps[MEMBER_MAX];
	struct agreement agreement;
	bool snaps; /* Replicas cut snapshots now. */
	struct report *report;
};

/* ---- Phases ---- */

static void drain_traces(struct session_of_run *r)
{
	for (uint32_t i = 0; r->trace != NULL && i < r->cluster.replicas_count; i++)
		trace_drain(&r->cluster.replicas[i], r->trace);
}

static void nap(struct session_of_run *r)
{
	/* While a snapshot is cut, short ones: they are how exactly its duration is known. */
	const struct timespec t = {
		.tv_nsec = r->snaps && r->report->snapshots.asked ? 100000 : 2000000};
	char sentence[CONFIG_ERROR_MAX];

	drain_traces(r);
	if (r->snaps)
		snapshots_attend(&r->report->snapshots, &r->cluster, lcore_now_ns());
	for (uint32_t i = 0; i < r->cluster.replicas_count; i++)
		if (replica_attend(&r->cluster.replicas[i], sentence, sizeof(sentence)))
			fprintf(stderr, "paxwire-bench: replica %u: %s\n", i, sentence);
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

static void compare(struct session_of_run *r)
{
	if (!r->remote)
		agreement_compare(&r->agreement, &r->cluster);
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

		nap(r);
		compare(r);
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

static uint32_t leading(const struct embedded *e)
{
	for (uint32_t i = 0; i < e->replicas_count; i++)
		if (__atomic_load_n(&e->replicas[i].leader->leads, __ATOMIC_RELAXED))
			return i;
	return MEMBER_MAX;
}

/* Is something done to a replica in the middle of the measured phase? */
static bool disturbs(const struct options *o)
{
	return o->kill_leader || o->transfer || o->pause_seconds > 0;
}

/* Whoever leads is stopped for good, or hands over to the next one. */
static void change_leader(struct session_of_run *r, uint32_t leader)
{
	char error[CONFIG_ERROR_MAX];

	if (r->report->options.transfer) {
		if (replica_transfer(&r->cluster.replicas[leader],
			    leader + 1 == r->cluster.replicas_count ? 0 : leader + 1, error,
			    sizeof(error)))
			r->report->moved = (int)leader;
		return;
	}
	embedded_kill(&r->cluster, leader);
	r->report->killed = (int)leader;
}

/* Instances that a replica is behind the one that is ahead of all. */
static uint64_t behind(const struct embedded *e, uint32_t replica)
{
	uint64_t own = learner_stage_delivered(e->replicas[replica].learner);
	uint64_t most = own;

	for (uint32_t i = 0; i < e->replicas_count; i++) {
		uint64_t delivered = learner_stage_delivered(e->replicas[i].learner);

		most = delivered > most ? delivered : most;
	}
	return most - own;
}

static uint64_t installed(const struct replica *r)
{
	return __atomic_load_n(&r->learner->snapshots.counters.installed, __ATOMIC_RELAXED);
}

/* A follower stands still for a while, and until the others have dropped from their logs what it lacks,
 * however slow the machine is; then it comes back to where they are. */
static void pause_follower(struct session_of_run *r, uint32_t follower)
{
	struct absence *a = &r->report->absence;
	const struct replica *replica = &r->cluster.replicas[follower];
	const uint64_t lag_max = r->report->config->tunables.lag_max;
	const uint64_t before = installed(replica);

	a->replica = (int)follower;
	const uint64_t paused_ns = lcore_now_ns();
	uint64_t begin_ns;

	embedded_pause(&r->cluster, follower, true);
	pass(r, "a pause", r->report->options.pause_seconds, UINT64_MAX);
	while (behind(&r->cluster, follower) < PAUSE_BEHIND && !interrupted &&
		lcore_now_ns() - paused_ns < RETURN_NS)
		pass(r, "a pause", 0.1, UINT64_MAX);
	a->behind = behind(&r->cluster, follower);
	begin_ns = lcore_now_ns();
	a->paused_s = (double)(begin_ns - paused_ns) / 1e9;
	embedded_pause(&r->cluster, follower, false);
	while (!a->caught_up && !interrupted && lcore_now_ns() - begin_ns < RETURN_NS) {
		pass(r, "a return", 0.002, UINT64_MAX);
		a->return_ns = lcore_now_ns() - begin_ns;
		a->caught_up = behind(&r->cluster, follower) <= lag_max;
	}
	a->installed = installed(replica) - before;
}

/* A second into the phase. */
static void disturb(struct session_of_run *r, const char *what)
{
	uint32_t leader;

	pass(r, what, 1, UINT64_MAX);
	leader = leading(&r->cluster);
	if (leader == MEMBER_MAX)
		return; /* The report says so: nothing was done. */
	gap_mark(&r->load.commits, lcore_now_ns());
	for (uint32_t l = 0; l < r->cluster.lcores_count; l++)
		gap_mark(&r->turns[l], lcore_now_ns());
	if (r->report->options.pause_seconds > 0)
		pause_follower(r, leader + 1 == r->cluster.replicas_count ? 0 : leader + 1);
	else
		change_leader(r, leader);
}

/* What clients saw of it, and how much of that the machine may have been. */
static void conclude_disturbance(struct session_of_run *r)
{
	r->report->gap_ns = gap_longest_ns(&r->load.commits);
	r->report->stall_ns = 0;
	for (uint32_t l = 0; l < r->cluster.lcores_count; l++)
		if (gap_longest_ns(&r->turns[l]) > r->report->stall_ns)
			r->report->stall_ns = gap_longest_ns(&r->turns[l]);
}

static void take_latencies(struct session_of_run *r, struct histogram *to)
{
	load_set_recording(&r->load, false);
	nap(r);
	histogram_merge(to, &r->load.latencies);
	histogram_reset(&r->load.latencies);
}

/* Slices without and with snapshots take turns, so that what the machine does meanwhile falls on
 * both alike. */
static void pass_slices(struct session_of_run *r, double seconds)
{
	struct report *report = r->report;

	snapshots_init(&report->snapshots, (uint64_t)(report->options.snapshots_gap_ms * 1e6));
	for (uint32_t slice = 0; slice < SLICES && !interrupted; slice++) {
		r->snaps = slice % 2 == 1;
		load_set_recording(&r->load, true);
		pass(r, r->snaps ? "snapshots" : "without", seconds / SLICES, UINT64_MAX);
		take_latencies(r, r->snaps ? &report->saturated.latencies : &report->calm);
		while (report->snapshots.asked && !interrupted)
			nap(r); /* Its end belongs to no slice. */
	}
	r->snaps = false;
}

static void measure(struct session_of_run *r, const char *what, double seconds, uint64_t commits,
	bool accounts, struct outcome *o)
{
	const struct options *options = &r->report->options;
	struct counts begin, end;
	uint64_t offered = r->load.offered;

	set_accounting(r, accounts);
	load_set_recording(&r->load, true);
	begin = counts_take(&r->cluster, &r->load);
	if (accounts && disturbs(options))
		disturb(r, what);
	if (accounts && options->snapshots)
		pass_slices(r, seconds);
	else
		pass(r, what, seconds, commits == 0 ? UINT64_MAX : begin.done + commits);
	end = counts_take(&r->cluster, &r->load);
	take_latencies(r, &o->latencies);
	if (accounts && disturbs(options))
		conclude_disturbance(r);
	counts_conclude(o, &begin, &end);
	o->offered = (double)(r->load.offered - offered) / o->seconds;
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
		nap(r);
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
		nap(r);
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
		nap(r);
		compare(r);
		agreement_delivered(&r->cluster, &same);
		if ((same || r->remote) &&
			__atomic_load_n(&r->load.client.outstanding, __ATOMIC_RELAXED) == 0)
			break;
	}
	r->report->unanswered = __atomic_load_n(&r->load.client.outstanding, __ATOMIC_RELAXED);
	/* The last watermark still travels. */
	for (uint32_t i = 0; i < 20; i++)
		nap(r);
}

static bool phases(struct session_of_run *r, char *error, size_t size)
{
	const struct options *o = &r->report->options;
	enum load_phase loaded = o->rate > 0 ? LOAD_OPEN : LOAD_CLOSED;

	load_set_phase(&r->load, loaded);
	pass(r, "warm-up", o->warmup_seconds, UINT64_MAX);
	measure(r, o->rate > 0 ? "open loop" : "saturated", o->seconds, o->commits, true,
		&r->report->saturated);
	if (o->die != NULL && !survival_end(&r->cluster, o->die, error, size))
		return false;
	if (o->demo) {
		load_set_phase(&r->load, LOAD_SINGLE);
		pass(r, "settling", 0.3, UINT64_MAX);
		histogram_reset(&r->load.latencies);
		measure(r, "unloaded", o->seconds / 2, 0, false, &r->report->unloaded);
	}
	drain(r);
	return true;
}

/* A client doubts a silent leader sooner than the members do, and has asked another when there is a
 * new one. Where frames are lost on purpose, waiting long for each would measure only that. */
static uint64_t retry_ns(const struct options *o, const struct config *config)
{
	const uint64_t quarter = config->tunables.election_timeout_ms * 1000000ull / 4;

	return o->faults > 0 && quarter > 10000000 ? 10000000 : quarter;
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
		.reads = config->state_machine == STATE_MACHINE_KV ? o->reads : READ_LOG,
		.body_max = body_max,
		.cluster = config->cluster_id,
		.rate = o->rate,
		.poisson = o->poisson,
		.retry_ns = retry_ns(o, config),
		.seed = rte_rand(),
	};

	s.batch = o->batch == 0 ? body_max / entry_bytes(load_command_bytes(&s)) : o->batch;
	return s;
}

static bool start_traces(struct session_of_run *r, char *error, size_t size)
{
	const char *path = r->report->options.trace;

	if (path == NULL)
		return true;
	r->trace = fopen(path, "w");
	if (r->trace == NULL) {
		snprintf(error, size, "--trace: %s can not be written: %s.", path, strerror(errno));
		return false;
	}
	for (uint32_t i = 0; i < r->cluster.replicas_count; i++)
		if (!trace_start(&r->cluster.replicas[i])) {
			snprintf(error, size, "the traces do not fit DPDK's memory.");
			return false;
		}
	return true;
}

static bool start_records(struct session_of_run *r, char *error, size_t size)
{
	const char *directory = r->report->options.record;

	for (uint32_t i = 0; directory != NULL && i < r->cluster.replicas_count; i++)
		if (!recording_start(&r->cluster.replicas[i], directory, error, size))
			return false;
	return true;
}

static void stop_records(struct session_of_run *r)
{
	for (uint32_t i = 0; i < r->cluster.replicas_count; i++) {
		r->report->recorded += recording_steps(&r->cluster.replicas[i]);
		recording_stop(&r->cluster.replicas[i]);
	}
}

static void stop_traces(struct session_of_run *r)
{
	if (r->trace == NULL)
		return;
	drain_traces(r);
	for (uint32_t i = 0; i < r->cluster.replicas_count; i++) {
		r->report->trace_lost += trace_lost(&r->cluster.replicas[i]);
		trace_stop(&r->cluster.replicas[i]);
	}
	fclose(r->trace);
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
	for (uint32_t i = 0; i < r->cluster.lcores_count && disturbs(o); i++) {
		r->turns[i].stage = (struct stage){
			.name = "turns",
			.poll = gap_poll,
			.self = &r->turns[i],
		};
		lcore_add(&r->cluster.lcores[i], &r->turns[i].stage);
	}
	if (o->faults > 0) {
		faults_init(&r->faults, &r->cluster, o->faults, settings.seed);
		lcore_add(&r->cluster.lcores[0], &r->faults.stage);
	}
	return start_traces(r, error, size) && start_records(r, error, size);
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
	agreement_init(&r.agreement);
	report->options = *options;
	report->config = config;
	report->remote = r.remote;
	report->killed = -1;
	report->moved = -1;
	report->absence.replica = -1;
	if (!fits(&settings, config, error, size))
		return false;
	if (r.remote && (options->trace != NULL || options->record != NULL)) {
		snprintf(error, size,
			"--trace and --record are of replicas in this process: give "
			"them to each replica of %s instead.",
			config->path);
		return false;
	}
	if (!(r.remote ? create_remote(&r, config, error, size)
		       : create_embedded(&r, config, error, size)))
		return false;
	probe(&r, &report->before);
	if (!embedded_start(&r.cluster, error, size))
		return false;
	bool ok = wait_for_sessions(&r, error, size);

	if (ok && options->survive != NULL)
		ok = survival_check(&r.cluster, options->survive, error, size);
	ok = ok && phases(&r, error, size);
	embedded_stop(&r.cluster);
	stop_traces(&r);
	stop_records(&r);
	if (!r.remote)
		agreement_conclude(&r.agreement, &r.cluster);
	report->agreement = r.agreement;
	counts_gather(report, &r.cluster, &r.load);
	report->faults_lost = r.faults.lost;
	report->faults_doubled = r.faults.doubled;
	report->faults_late = r.faults.late;
	report->interrupted = interrupted != 0;
	if (ok && !interrupted && report->killed < 0)
		probe(&r, &report->after);
	destroy(&r);
	return ok;
}
