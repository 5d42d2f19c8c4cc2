/*
 * paxwire: one replica as a process, over the ports that its cluster's file gives it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>

#include "dataplane/app.h"
#include "dataplane/format.h"
#include "dataplane/host.h"
#include "dataplane/recording.h"
#include "dataplane/replica.h"
#include "dataplane/telemetry.h"
#include "dataplane/trace.h"

enum {
	LCORES_MAX = 4 + SHARD_MAX, /* One for each stage at most. */
	PREFIX_MAX = 64,
	PATH_TEXT_MAX = 256,
};

static const char help[] =
	"usage: paxwire --config FILE --replica N [options] [-- EAL arguments]\n"
	"Runs replica N of the cluster that FILE describes, until SIGINT or SIGTERM.\n"
	"\n"
	"  --config FILE   the cluster; config/profiles/ holds some to start from\n"
	"  --replica N     which of its replicas this is (--id is the same)\n"
	"  --trace FILE    every protocol transition as a line; - is standard output\n"
	"  --record DIR    every one with all details, in files for paxwire-check\n"
	"  --format        make its data directory, with a new identity, and end: once, before\n"
	"                  it runs for the first time\n"
	"\n"
	"paxwire-ctl shows and tunes it while it runs.\n";

struct options {
	const char *config;
	const char *trace;
	const char *record;
	uint32_t replica;
	bool format;
	int eal_count;
	char **eal;
};

static struct config config;
static struct host host;
static struct replica replica;
static struct app app;
static struct lcore lcores[LCORES_MAX];
static uint32_t lcores_count;
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static int fail(const char *error)
{
	fprintf(stderr, "paxwire: %s\n", error);
	return EXIT_FAILURE;
}

/* False: a sentence, or the help, was printed. */
static bool options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"replica", required_argument, NULL, 'r'},
		{"id", required_argument, NULL, 'r'},
		{"trace", required_argument, NULL, 't'},
		{"record", required_argument, NULL, 'd'},
		{"format", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool replica_given = false;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'c') {
			o->config = optarg;
		} else if (option == 't') {
			o->trace = optarg;
		} else if (option == 'd') {
			o->record = optarg;
		} else if (option == 'f') {
			o->format = true;
		} else if (option == 'r') {
			replica_given = field_parse_uint(optarg, 0, MEMBER_MAX - 1, &o->replica);
		} else {
			fputs(option == 'h' ? help : "paxwire: --help lists the options.\n",
				option == 'h' ? stdout : stderr);
			exit(option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
		}
	}
	if (o->trace != NULL && o->record != NULL) {
		fputs("paxwire: give --trace or --record, not both.\n", stderr);
		return false;
	}
	if (o->config == NULL || !replica_given ||
		(optind < argc && strcmp(argv[optind - 1], "--") != 0)) {
		fputs("paxwire: give --config FILE and --replica N (0 to 8); EAL arguments stand "
		      "after --.\n",
			stderr);
		return false;
	}
	o->eal_count = argc - optind;
	o->eal = argv + optind;
	return true;
}

/* ---- Placement ---- */

static void place(void *context, uint32_t id, struct stage *stage)
{
	(void)context;
	for (uint32_t i = 0; i < lcores_count; i++)
		if (lcores[i].id == id) {
			lcore_add(&lcores[i], stage);
			return;
		}
	lcore_init(&lcores[lcores_count], id, config.tunables.idle);
	lcores[lcores_count].accounts = true;
	lcore_add(&lcores[lcores_count++], stage);
}

static void place_stages(const struct config_stages *s)
{
	replica_place(&replica, s, place, NULL);
	for (uint32_t i = 0; replica.store != NULL && i < lcores_count; i++)
		lcore_watch_disk(&lcores[i], &replica.store->outstanding);
}

static bool want_lcores(const struct config_stages *s, struct eal_request *request, char *error,
	size_t size)
{
	bool durable = config.durability != DURABILITY_NONE;
	bool control =
		s->io == 0 || s->leader == 0 || s->learner == 0 || (durable && s->journal == 0);

	eal_want_lcore(request, s->io);
	eal_want_lcore(request, s->leader);
	eal_want_lcore(request, s->learner);
	if (durable)
		eal_want_lcore(request, s->journal);
	for (uint32_t i = 0; i < config.shards; i++) {
		eal_want_lcore(request, s->acceptors[i]);
		control = control || s->acceptors[i] == 0;
	}
	if (control)
		snprintf(error, size,
			"%s: stages: lcore 0 is for control: place them on lcores from 1 on.",
			config.path);
	return !control;
}

static bool start_lcores(char *error, size_t size)
{
	for (uint32_t i = 0; i < lcores_count; i++)
		if (!rte_lcore_is_enabled(lcores[i].id) || !lcore_start(&lcores[i])) {
			snprintf(error, size,
				"%s: stages name lcore %u, which DPDK has not got: name it in --lcores, "
				"or place the stage elsewhere.",
				config.path, lcores[i].id);
			return false;
		}
	return true;
}

/* ---- One replica of a cluster on this host at a time ---- */

/* Kept open until the process ends, which releases it however that comes. */
static bool lock_replica(uint32_t id, char *error, size_t size)
{
	char path[PATH_TEXT_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/replica.lock", rte_eal_get_runtime_dir());
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (fd >= 0 && errno == EWOULDBLOCK)
		snprintf(error, size,
			"replica %u of cluster %u runs on this host already: stop that one first.",
			id, config.cluster_id);
	else
		snprintf(error, size, "%s can not be locked: %s.", path, strerror(errno));
	return false;
}

/* ---- Life ---- */

static bool create(const struct options *o, char *error, size_t size)
{
	const struct config_replica *self = &config.replicas[o->replica];
	struct live_member members[MEMBER_MAX] = {0};

	if (!app_create(&app, &config, error, size) ||
		!replica_create(&replica, &config, o->replica, &app.machine, error, size) ||
		!host_open(&host, &config, o->replica, &self->ports, self->queues,
			replica.data_pool, error, size))
		return false;
	const struct endpoint own = host_endpoint(&host, &self->address, config.udp_port);

	if (self->mac_given && memcmp(&own.mac, self->mac, sizeof(self->mac)) != 0) {
		snprintf(error, size,
			"%s: replicas[%u].mac: port \"%s\" has " RTE_ETHER_ADDR_PRT_FMT
			": give that, or nothing.",
			config.path, o->replica, self->ports.devargs[0],
			RTE_ETHER_ADDR_BYTES(&own.mac));
		return false;
	}
	host_members(&host, members);
	if (!replica_attach(&replica, &own, members, error, size))
		return false;
	host_links(&host, &replica.io.network);
	place_stages(&self->stages);
	if (o->record != NULL && !recording_start(&replica, o->record, error, size))
		return false;
	if (o->trace != NULL && !trace_start(&replica)) {
		snprintf(error, size,
			"the trace does not fit DPDK's memory: give it more with -m.");
		return false;
	}
	return true;
}

/* Control: nothing here is on the data path. */
static void attend(FILE *trace)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	char sentence[CONFIG_ERROR_MAX];

	while (!ended) {
		nanosleep(&nap, NULL);
		if (trace != NULL)
			trace_drain(&replica, trace);
		if (replica_attend(&replica, sentence, sizeof(sentence)))
			fprintf(stderr, "paxwire: %s\n", sentence);
	}
}

static void say_goodbye(uint32_t id, FILE *trace)
{
	recording_stop(&replica);
	if (trace != NULL) {
		trace_drain(&replica, trace);
		if (trace_lost(&replica) > 0)
			fprintf(stderr, "paxwire: the trace lost %" PRIu64 " steps.\n",
				trace_lost(&replica));
		trace_stop(&replica);
	}
	printf("paxwire: replica %u ends at instance %" PRIu64 ", digest %016" PRIx64 "\n", id,
		learner_stage_delivered(replica.learner), learner_stage_digest(replica.learner));
}

static bool load_config(const struct options *o, char *error, size_t size)
{
	if (!config_load(o->config, &config, error, size))
		return false;
	if (o->replica >= config.replicas_count) {
		snprintf(error, size, "%s: replicas: there is no replica %u, give 0 to %u.",
			config.path, o->replica, config.replicas_count - 1);
		return false;
	}
	return true;
}

/* What it needs of DPDK. */
static bool make_request(const struct options *o, struct eal_request *request, char *error,
	size_t size)
{
	static char prefix[PREFIX_MAX];
	const struct config_replica *self = &config.replicas[o->replica];

	snprintf(prefix, sizeof(prefix), "paxwire-%u-%u", config.cluster_id, o->replica);
	*request = host_request(&config, &self->ports, prefix);
	request->program = "paxwire";
	request->heap_mebibytes += (uint32_t)(app_bytes(&config) >> 20);
	request->more_count = o->eal_count;
	request->more = o->eal;
	return host_check(&config, o->replica, &self->ports, error, size) &&
		want_lcores(&self->stages, request, error, size);
}

static int format(const struct options *o)
{
	char error[CONFIG_ERROR_MAX];

	if (!format_replica(&config, o->replica, error, sizeof(error)))
		return fail(error);
	printf("paxwire: replica %u of %s (cluster %u) has a new identity and an empty journal in "
	       "%s/replica-%u\n",
		o->replica, config.name, config.cluster_id, config.journal.directory, o->replica);
	return EXIT_SUCCESS;
}

static bool run(const struct options *o, FILE *trace, char *error, size_t size)
{
	const struct telemetry_subject subject = {
		.replicas = &replica,
		.replicas_count = 1,
		.lcores = lcores,
		.config = &config,
	};
	struct telemetry_subject with_lcores = subject;

	if (!lock_replica(o->replica, error, size) || !create(o, error, size))
		return false;
	with_lcores.lcores_count = lcores_count;
	telemetry_serve(&with_lcores);
	bool ok = start_lcores(error, size);

	if (ok) {
		printf("paxwire: replica %u of %s (cluster %u) runs on %s, durability %s; the first "
		       "start needs all %u members\n",
			o->replica, config.name, config.cluster_id,
			config.replicas[o->replica].ports.devargs[0],
			config_durability_text(config.durability), config.replicas_count);
		fflush(stdout);
		attend(trace);
	}
	for (uint32_t i = 0; i < lcores_count; i++)
		lcore_stop(&lcores[i]);
	if (ok)
		say_goodbye(o->replica, trace);
	host_close(&host);
	replica_destroy(&replica);
	app_destroy(&app);
	return ok;
}

int main(int argc, char **argv)
{
	const struct sigaction on_end = {.sa_handler = on_signal};
	struct options options = {0};
	struct eal_request request;
	FILE *trace = NULL;
	char error[CONFIG_ERROR_MAX];

	if (!options_parse(argc, argv, &options))
		return EXIT_FAILURE;
	if (!load_config(&options, error, sizeof(error)))
		return fail(error);
	if (options.format)
		return format(&options);
	if (!make_request(&options, &request, error, sizeof(error)))
		return fail(error);
	if (options.trace != NULL) {
		trace = strcmp(options.trace, "-") == 0 ? stdout : fopen(options.trace, "w");
		if (trace == NULL) {
			fprintf(stderr, "paxwire: %s can not be written: %s.\n", options.trace,
				strerror(errno));
			return EXIT_FAILURE;
		}
	}
	if (eal_crowded(&request) && config.tunables.idle == IDLE_BUSY) {
		fprintf(stderr,
			"paxwire: more lcores than CPUs: idle is yield instead of busy, which would "
			"stand in its own way.\n");
		config.tunables.idle = IDLE_YIELD;
	}
	sigaction(SIGINT, &on_end, NULL);
	sigaction(SIGTERM, &on_end, NULL);
	if (!eal_start(&request, error, sizeof(error)))
		return fail(error);
	bool ok = run(&options, trace, error, sizeof(error));

	if (!ok)
		fail(error);
	if (trace != NULL && trace != stdout)
		fclose(trace);
	rte_eal_cleanup();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
