#include "bench/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/limits.h"
#include "dataplane/embedded.h"

static const char help[] =
	"usage: paxwire-bench [options] [-- EAL arguments]\n"
	"Hosts a cluster of replicas and the load in this process, over net_ring ports;\n"
	"or loads one that runs elsewhere.\n"
	"\n"
	"  --demo             a saturated phase for throughput, then an unloaded one for latency\n"
	"  --embedded N       replicas in this process: 3 to 9, odd or even        (3)\n"
	"  --config FILE      the cluster from a file instead: with ports `ring` in this\n"
	"                     process, else running elsewhere\n"
	"  --client NAME      the file's client that this is                (the first)\n"
	"  --reflect          be the other end of a --ping: no load\n"
	"  --ping NAME        measure the ports alone against that reflecting client\n"
	"  --lcores N         worker lcores: 1 to 8 (above 2: a pipeline of stages) (1)\n"
	"  --seconds S        of the measured phase                                (5)\n"
	"  --commits N        end the measured phase at so many commits\n"
	"  --kill-leader      stop the leading replica for good, a second into it\n"
	"  --transfer         or let it hand over to another one\n"
	"  --pause-follower S or let a follower stand still for S seconds, or longer, until the\n"
	"                     others' logs have lost what it lacks\n"
	"  --snapshots MS     open loop: half of the time, in slices, replicas cut snapshots in\n"
	"                     turn, MS milliseconds after the last one (0: back to back)\n"
	"  --set NAME=VALUE   a tunable, over the file's or the default; may be repeated\n"
	"  --faults P         of a hundred frames so many are lost, doubled, late; each (0)\n"
	"  --mutant swap      one replica swaps two commands: agreement must be FALSE\n"
	"  --warmup S         before it                                            (1)\n"
	"  --sessions N       client sessions                                      (4096)\n"
	"  --window N         commands outstanding of a session: 1 to 4            (1)\n"
	"  --batch N          commands in a client frame; 0: what fits             (0)\n"
	"  --packing on|off   the leader packs what several frames brought         (on)\n"
	"  --value BYTES      of a command's value                                 (64)\n"
	"  --mtu BYTES        of an IP packet, without --config                    (1500)\n"
	"  --machine null|kv  the state machine, without --config                  (null)\n"
	"  --read-share R     kv: so many of the commands are gets, 0 to 1         (0.5)\n"
	"  --reads MODE       kv: gets go through the log (log), by a round of the leader\n"
	"                     (leader) or of any member (any), or without one (stale) (log)\n"
	"  --keys N           kv: on so many keys                                  (100000)\n"
	"  --rate R           open loop: commands a second (default: closed loop)\n"
	"  --poisson          open loop: exponential gaps instead of equal ones\n"
	"  --durability MODE  none, async or sync; without --config                (none)\n"
	"  --directory DIR    of the journals, then: a folder that is there\n"
	"  --segments N       files of 64 MiB that the formatting writes           (16)\n"
	"  --snapshot-segments N  filled from one snapshot to the next             (4)\n"
	"  --format           give each replica a new data directory first\n"
	"  --die FILE         kill -9 after the measured phase; FILE: how far it was\n"
	"  --survive FILE     all that was acknowledged before --die must be there\n"
	"  --trace FILE       every protocol transition as a line (embedded)\n"
	"  --record DIR       every one with all details, in files for paxwire-check (embedded)\n"
	"  --json FILE        the report for machines\n"
	"  --percentiles FILE latencies as HdrHistogram's percentile text\n";

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
	va_list arguments;

	fputs("paxwire-bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static double number(const char *option, const char *text, double low, double high)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != 0 || !(value >= low && value <= high))
		refuse("--%s takes a number from %g to %g, not \"%s\".", option, low, high, text);
	return value;
}

static uint32_t whole(const char *option, const char *text, uint32_t low, uint32_t high)
{
	double value = number(option, text, low, high);

	if (value != (double)(uint32_t)value)
		refuse("--%s takes a whole number, not \"%s\".", option, text);
	return (uint32_t)value;
}

static bool on_off(const char *option, const char *text)
{
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		refuse("--%s is on or off, not \"%s\".", option, text);
	return strcmp(text, "on") == 0;
}

/* A tunable, over the file's or the default: NAME=VALUE. */
static void set(struct options *o, const char *tunable)
{
	if (o->sets_count == SETS_MAX)
		refuse("--set may be given %d times at most.", SETS_MAX);
	o->sets[o->sets_count++] = tunable;
}

static enum read_mode read_mode(const char *text)
{
	for (uint32_t mode = READ_LOG; mode <= READ_STALE; mode++)
		if (strcmp(text, read_mode_text((enum read_mode)mode)) == 0)
			return (enum read_mode)mode;
	refuse("--reads is log, leader, any or stale, not \"%s\".", text);
}

enum {
	OPTION_DEMO = 1,
	OPTION_EMBEDDED,
	OPTION_CONFIG,
	OPTION_CLIENT,
	OPTION_REFLECT,
	OPTION_PING,
	OPTION_LCORES,
	OPTION_SECONDS,
	OPTION_COMMITS,
	OPTION_KILL_LEADER,
	OPTION_TRANSFER,
	OPTION_PAUSE_FOLLOWER,
	OPTION_SNAPSHOTS,
	OPTION_SET,
	OPTION_FAULTS,
	OPTION_MUTANT,
	OPTION_WARMUP,
	OPTION_SESSIONS,
	OPTION_WINDOW,
	OPTION_BATCH,
	OPTION_PACKING,
	OPTION_VALUE,
	OPTION_MTU,
	OPTION_MACHINE,
	OPTION_READ_SHARE,
	OPTION_READS,
	OPTION_KEYS,
	OPTION_RATE,
	OPTION_POISSON,
	OPTION_DURABILITY,
	OPTION_DIRECTORY,
	OPTION_SEGMENTS,
	OPTION_SNAPSHOT_SEGMENTS,
	OPTION_FORMAT,
	OPTION_DIE,
	OPTION_SURVIVE,
	OPTION_TRACE,
	OPTION_RECORD,
	OPTION_JSON,
	OPTION_PERCENTILES,
	OPTION_HELP,
};

static const struct option longs[] = {
	{"demo", no_argument, NULL, OPTION_DEMO},
	{"embedded", required_argument, NULL, OPTION_EMBEDDED},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"client", required_argument, NULL, OPTION_CLIENT},
	{"reflect", no_argument, NULL, OPTION_REFLECT},
	{"ping", required_argument, NULL, OPTION_PING},
	{"lcores", required_argument, NULL, OPTION_LCORES},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"commits", required_argument, NULL, OPTION_COMMITS},
	{"kill-leader", no_argument, NULL, OPTION_KILL_LEADER},
	{"transfer", no_argument, NULL, OPTION_TRANSFER},
	{"pause-follower", required_argument, NULL, OPTION_PAUSE_FOLLOWER},
	{"snapshots", required_argument, NULL, OPTION_SNAPSHOTS},
	{"set", required_argument, NULL, OPTION_SET},
	{"faults", required_argument, NULL, OPTION_FAULTS},
	{"mutant", required_argument, NULL, OPTION_MUTANT},
	{"warmup", required_argument, NULL, OPTION_WARMUP},
	{"sessions", required_argument, NULL, OPTION_SESSIONS},
	{"window", required_argument, NULL, OPTION_WINDOW},
	{"batch", required_argument, NULL, OPTION_BATCH},
	{"packing", required_argument, NULL, OPTION_PACKING},
	{"value", required_argument, NULL, OPTION_VALUE},
	{"mtu", required_argument, NULL, OPTION_MTU},
	{"machine", required_argument, NULL, OPTION_MACHINE},
	{"read-share", required_argument, NULL, OPTION_READ_SHARE},
	{"reads", required_argument, NULL, OPTION_READS},
	{"keys", required_argument, NULL, OPTION_KEYS},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"poisson", no_argument, NULL, OPTION_POISSON},
	{"durability", required_argument, NULL, OPTION_DURABILITY},
	{"directory", required_argument, NULL, OPTION_DIRECTORY},
	{"segments", required_argument, NULL, OPTION_SEGMENTS},
	{"snapshot-segments", required_argument, NULL, OPTION_SNAPSHOT_SEGMENTS},
	{"format", no_argument, NULL, OPTION_FORMAT},
	{"die", required_argument, NULL, OPTION_DIE},
	{"survive", required_argument, NULL, OPTION_SURVIVE},
	{"trace", required_argument, NULL, OPTION_TRACE},
	{"record", required_argument, NULL, OPTION_RECORD},
	{"json", required_argument, NULL, OPTION_JSON},
	{"percentiles", required_argument, NULL, OPTION_PERCENTILES},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

/* What the load does, and for how long. False: it is none of these options. */
static bool take_load(struct options *o, int option)
{
	switch (option) {
	case OPTION_SECONDS:
		o->seconds = number("seconds", optarg, 0.1, 86400);
		break;
	case OPTION_COMMITS:
		o->commits = (uint64_t)number("commits", optarg, 1, 1e15);
		break;
	case OPTION_WARMUP:
		o->warmup_seconds = number("warmup", optarg, 0, 3600);
		break;
	case OPTION_SESSIONS:
		o->sessions = whole("sessions", optarg, 1, 1000000);
		break;
	case OPTION_WINDOW:
		o->window = whole("window", optarg, 1, SESSION_WINDOW);
		break;
	case OPTION_BATCH:
		o->batch = whole("batch", optarg, 0, RUN_COUNT_MAX);
		break;
	case OPTION_PACKING:
		set(o, on_off("packing", optarg) ? "packing=true" : "packing=false");
		break;
	case OPTION_MTU:
		o->mtu = whole("mtu", optarg, 1, UINT16_MAX);
		break;
	case OPTION_VALUE:
		o->value_bytes = whole("value", optarg, 0, MTU_MAX);
		break;
	case OPTION_MACHINE:
		if (strcmp(optarg, "null") != 0 && strcmp(optarg, "kv") != 0)
			refuse("--machine is null or kv, not \"%s\".", optarg);
		o->kv = strcmp(optarg, "kv") == 0;
		break;
	case OPTION_READ_SHARE:
		o->read_share = number("read-share", optarg, 0, 1);
		break;
	case OPTION_READS:
		o->reads = read_mode(optarg);
		break;
	case OPTION_KEYS:
		o->keys = whole("keys", optarg, 1, 1u << 28);
		break;
	case OPTION_RATE:
		o->rate = number("rate", optarg, 1, 1e9);
		break;
	case OPTION_POISSON:
		o->poisson = true;
		break;
	default:
		return false;
	}
	return true;
}

/* Where the journals are. False: it is none of these options. */
static bool take_journal(struct options *o, int option)
{
	switch (option) {
	case OPTION_DURABILITY:
		if (strcmp(optarg, "none") != 0 && strcmp(optarg, "async") != 0 &&
			strcmp(optarg, "sync") != 0)
			refuse("--durability is none, async or sync, not \"%s\".", optarg);
		o->durability = optarg;
		break;
	case OPTION_DIRECTORY:
		o->directory = optarg;
		break;
	case OPTION_SEGMENTS:
		o->segments = whole("segments", optarg, 2, CONFIG_SEGMENTS_MAX);
		break;
	case OPTION_SNAPSHOT_SEGMENTS:
		o->snapshot_segments = whole("snapshot-segments", optarg, 1, CONFIG_SEGMENTS_MAX);
		break;
	case OPTION_FORMAT:
		o->format = true;
		break;
	case OPTION_DIE:
		o->die = optarg;
		break;
	case OPTION_SURVIVE:
		o->survive = optarg;
		break;
	default:
		return false;
	}
	return true;
}

/* What is done to the cluster meanwhile. False: it is none of these options. */
static bool take_events(struct options *o, int option)
{
	switch (option) {
	case OPTION_KILL_LEADER:
		o->kill_leader = true;
		break;
	case OPTION_TRANSFER:
		o->transfer = true;
		break;
	case OPTION_PAUSE_FOLLOWER:
		o->pause_seconds = number("pause-follower", optarg, 0.1, 3600);
		break;
	case OPTION_SNAPSHOTS:
		o->snapshots = true;
		o->snapshots_gap_ms = number("snapshots", optarg, 0, 3600000);
		break;
	case OPTION_FAULTS:
		o->faults = number("faults", optarg, 0, 50);
		break;
	case OPTION_MUTANT:
		if (strcmp(optarg, "swap") != 0)
			refuse("--mutant knows swap only, not \"%s\".", optarg);
		o->mutant = true;
		break;
	default:
		return false;
	}
	return true;
}

/* Where it runs, and what is written. */
static void take(struct options *o, int option)
{
	if (take_load(o, option) || take_journal(o, option) || take_events(o, option))
		return;
	switch (option) {
	case OPTION_DEMO:
		o->demo = true;
		break;
	case OPTION_EMBEDDED:
		o->replicas = whole("embedded", optarg, 1, MEMBER_MAX);
		break;
	case OPTION_CONFIG:
		o->config = optarg;
		break;
	case OPTION_CLIENT:
		o->client = optarg;
		break;
	case OPTION_REFLECT:
		o->reflect = true;
		break;
	case OPTION_PING:
		o->ping = optarg;
		break;
	case OPTION_LCORES:
		o->lcores = whole("lcores", optarg, 1, EMBEDDED_LCORES_MAX);
		break;
	case OPTION_SET:
		set(o, optarg);
		break;
	case OPTION_TRACE:
		o->trace = optarg;
		break;
	case OPTION_RECORD:
		o->record = optarg;
		break;
	case OPTION_JSON:
		o->json = optarg;
		break;
	case OPTION_PERCENTILES:
		o->percentiles = optarg;
		break;
	case OPTION_HELP:
		fputs(help, stdout);
		exit(0);
	default:
		fputs("paxwire-bench: --help lists the options.\n", stderr);
		exit(1);
	}
}

static void check_watchers(const struct options *o)
{
	if (o->trace != NULL && o->record != NULL)
		refuse("give --trace or --record, not both.");
}

static void check_events(const struct options *o)
{
	bool pauses = o->pause_seconds > 0;

	if ((o->kill_leader || pauses) && o->replicas < 3)
		refuse("--%s needs at least 3 replicas: fewer have no majority without one.",
			pauses ? "pause-follower" : "kill-leader");
	if (o->kill_leader + o->transfer + pauses + o->snapshots > 1)
		refuse("--kill-leader, --transfer, --pause-follower and --snapshots are runs of "
		       "their own: give one of them.");
	if (o->snapshots && o->rate == 0)
		refuse("--snapshots needs an open loop: give --rate as well.");
	if (o->snapshots && o->commits > 0)
		refuse("--snapshots compares slices of --seconds: leave --commits out.");
}

struct options options_parse(int argc, char **argv)
{
	struct options o = {
		.replicas = 3,
		.lcores = 1,
		.seconds = 5,
		.warmup_seconds = 1,
		.sessions = 4096,
		.window = 1,
		.value_bytes = 64,
		.keys = 100000,
		.read_share = 0.5,
		.durability = "none",
		.segments = 16,
		.snapshot_segments = 4,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		take(&o, option);
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0)
		refuse("\"%s\" is no option: --help lists them; EAL arguments stand after --.",
			argv[optind]);
	if (o.poisson && o.rate == 0)
		refuse("--poisson needs an open loop: give --rate as well.");
	if (strcmp(o.durability, "none") != 0 && o.directory == NULL)
		refuse("--durability %s needs --directory: where the journals are.", o.durability);
	if (o.config != NULL && (o.mtu != 0 || o.kv || strcmp(o.durability, "none") != 0))
		refuse("--mtu, --machine and --durability are keys of the file that --config names: "
		       "give them there.");
	if (o.mtu == 0)
		o.mtu = 1500;
	check_events(&o);
	check_watchers(&o);
	o.eal_count = argc - optind;
	o.eal = argv + optind;
	return o;
}
