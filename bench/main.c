/*
 * paxwire-bench: a cluster and its load in one process, measured.
 */
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_eal.h>

#include "bench/options.h"
#include "bench/ports.h"
#include "bench/remote.h"
#include "bench/report.h"
#include "bench/run.h"
#include "dataplane/embedded.h"
#include "dataplane/format.h"

enum {
	CLUSTER_TEXT_MAX = 4096,
	KV_FRAME_BYTES =
		188, /* Of a packet around a value; larger ones are refused by their own sentence. */
	SESSIONS_SPARE = 64,
};

static void on_signal(int signal_number)
{
	(void)signal_number;
	run_interrupt();
}

/* Which lcore of `lcores` runs a stage (0 io, 1 leader, 2 acceptor, 3 learner, 4 journal) of a
 * replica. One: all of it. Two: the first replica, which a fresh cluster elects, shares its own with
 * the load; the followers have the other. More: a pipeline; each stage of all replicas has one. */
static uint32_t place_stage(const struct options *o, uint32_t replica, uint32_t stage)
{
	if (o->lcores <= 2)
		return o->lcores == 1 || replica == 0 ? 1 : 2;
	return 1 + stage % o->lcores;
}

static bool in_memory(const char *directory)
{
	struct statfs s;

	return statfs(directory, &s) == 0 && s.f_type == (__typeof__(s.f_type))TMPFS_MAGIC;
}

/* The keys of a durable mode; none without. */
static void journal_text(const struct options *o, char *text, size_t size)
{
	text[0] = 0;
	if (o->directory != NULL)
		snprintf(text, size,
			"journal: {directory: \"%s\", segments: %u, snapshot_segments: %u, "
			"memory_backed: %s}\n",
			o->directory, o->segments,
			o->segments < o->snapshot_segments ? o->segments : o->snapshot_segments,
			in_memory(o->directory) ? "true" : "false");
}

/* The cluster file that --embedded N and --lcores stand for. */
static void cluster_text(const struct options *o, char *text, size_t size)
{
	char journal[CLUSTER_TEXT_MAX / 4];
	uint32_t kv_fits = o->mtu > KV_FRAME_BYTES ? o->mtu - KV_FRAME_BYTES : 0;
	bool crowded = (long)o->lcores > sysconf(_SC_NPROCESSORS_ONLN);

	journal_text(o, journal, sizeof(journal));
	size_t used = (size_t)snprintf(text, size,
		"cluster: {name: embedded, id: 1}\n"
		"mtu: %u\n"
		"durability: %s\n"
		"%s"
		"sessions_max: %u\n"
		"quorums: {kind: majority}\n"
		"state_machine: \"%s\"\n"
		"kv: {capacity: %u, value_max: %u}\n"
		"tunables: {idle: %s, packing: true, batch: 0, window: 4096}\n"
		"replicas:\n",
		o->mtu, o->durability, journal,
		o->sessions + SESSIONS_SPARE < 16384 ? 16384 : o->sessions + SESSIONS_SPARE,
		o->kv ? "kv" : "null", o->keys, o->value_bytes < kv_fits ? o->value_bytes : kv_fits,
		crowded ? "yield" : "busy");

	for (uint32_t i = 0; i < o->replicas; i++)
		used += (size_t)snprintf(text + used, size - used,
			"  - {id: %u, address: 10.0.0.%u, ports: [ring], "
			"stages: {io: %u, leader: %u, acceptors: [%u], learner: %u, journal: %u}}\n",
			i, i + 1, place_stage(o, i, 0), place_stage(o, i, 1), place_stage(o, i, 2),
			place_stage(o, i, 3), place_stage(o, i, 4));
}

/* --set, in the order given: each value stands with those before it. */
static bool set_tunables(const struct options *o, struct config *config, char *error, size_t size)
{
	for (uint32_t i = 0; i < o->sets_count; i++) {
		char name[64];
		const char *value = strchr(o->sets[i], '=');

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(o->sets[i], "="), o->sets[i]);
		if (value == NULL) {
			snprintf(error, size, "--set takes NAME=VALUE, not \"%s\".", o->sets[i]);
			return false;
		}
		if (!tunables_set(&config->tunables, config->shards, name, value + 1, error, size))
			return false;
	}
	return true;
}

/* Where they do not all fit, sessions push each other out, and the run measures that. */
static bool sessions_fit(const struct options *o, const struct config *config, char *error,
	size_t size)
{
	if (o->sessions + SESSIONS_SPARE <= config->sessions_max)
		return true;
	snprintf(error, size,
		"--sessions %u, with %d to spare for those opened twice, does not fit %s's sessions_max of %u: "
		"give that %u or more, or take fewer.",
		o->sessions, SESSIONS_SPARE, config->path, config->sessions_max,
		o->sessions + SESSIONS_SPARE);
	return false;
}

static bool load_config(const struct options *o, struct config *config, char *error, size_t size)
{
	char text[CLUSTER_TEXT_MAX];

	if (o->config != NULL)
		return config_load(o->config, config, error, size) &&
			set_tunables(o, config, error, size) &&
			(o->reflect || o->ping != NULL || sessions_fit(o, config, error, size));
	cluster_text(o, text, sizeof(text));
	return config_load_text("embedded", text, strlen(text), config, error, size) &&
		set_tunables(o, config, error, size);
}

static int fail(const char *error)
{
	fprintf(stderr, "paxwire-bench: %s\n", error);
	return EXIT_FAILURE;
}

static bool make_request(const struct options *o, const struct config *config,
	struct eal_request *request, char *error, size_t size)
{
	const struct config_client *client;

	if (config_is_embedded(config)) {
		*request = embedded_request(config, o->lcores);
		request->program = "paxwire-bench";
		return true;
	}
	if (o->kill_leader || o->transfer || o->pause_seconds > 0 || o->snapshots) {
		snprintf(error, size,
			"--kill-leader, --transfer, --pause-follower and --snapshots are for a "
			"cluster in this process: elsewhere there are kill and paxwire-ctl.");
		return false;
	}
	client = remote_client(config, o, error, size);
	if (client == NULL || !host_check(config, HOST_CLIENT, &client->ports, error, size))
		return false;
	if (client->lcore == 0) {
		snprintf(error, size,
			"%s: clients: %s: lcore 0 is for control: place the load on one from 1 on.",
			config->path, client->name);
		return false;
	}
	*request = remote_request(config, client);
	return true;
}

int main(int argc, char **argv)
{
	static struct config config;
	static struct report report;
	const struct options options = options_parse(argc, argv);
	const struct sigaction on_end = {.sa_handler = on_signal};
	char error[CONFIG_ERROR_MAX];

	struct eal_request request;

	if (!load_config(&options, &config, error, sizeof(error)) ||
		!make_request(&options, &config, &request, error, sizeof(error)))
		return fail(error);
	for (uint32_t i = 0; options.format && i < config.replicas_count; i++)
		if (!format_replica(&config, i, error, sizeof(error)))
			return fail(error);
	request.more_count = options.eal_count;
	request.more = options.eal;
	if (!eal_start(&request, error, sizeof(error)))
		return fail(error);
	sigaction(SIGINT, &on_end, NULL);
	sigaction(SIGTERM, &on_end, NULL);
	if (options.reflect || options.ping != NULL)
		return ports_run(&options, &config, error, sizeof(error)) ? EXIT_SUCCESS
									  : fail(error);
	if (!run(&options, &config, &report, error, sizeof(error)))
		return fail(error);
	report_print(&report);
	if (options.json != NULL && !report_json(&report, options.json)) {
		fprintf(stderr, "paxwire-bench: %s can not be written: %s.\n", options.json,
			strerror(errno));
		return EXIT_FAILURE;
	}
	if (options.percentiles != NULL) {
		FILE *f = fopen(options.percentiles, "w");

		if (f == NULL) {
			fprintf(stderr, "paxwire-bench: %s can not be written: %s.\n",
				options.percentiles, strerror(errno));
			return EXIT_FAILURE;
		}
		histogram_print(&report.saturated.latencies, f);
		fclose(f);
	}
	rte_eal_cleanup();
	if (!report.agreement.holds || report.unanswered > 0 || report.failed > 0)
		return fail("the run is not sound: see Health above.");
	if ((options.kill_leader || options.transfer) && report.leaderships < 2)
		return fail("nobody else led, though the leader was killed or told to hand over.");
	if (options.pause_seconds > 0 && report.absence.installed == 0)
		return fail("the follower that stood still came back without a snapshot: it needed "
			    "none, or got none. See Health above; stand still for longer.");
	if (options.pause_seconds > 0 && !report.absence.caught_up)
		return fail("the follower that stood still was not level again within a minute.");
	if (options.snapshots && report.snapshots.count == 0)
		return fail("no snapshot was whole before the end: give --seconds more.");
	if (report.allocated_bytes > 0)
		return fail("lcores took memory from the heap while they polled.");
	if (options.commits > 0 && report.saturated.commits < options.commits &&
		!report.interrupted)
		return fail("the commits asked for were not reached in --seconds.");
	return EXIT_SUCCESS;
}
