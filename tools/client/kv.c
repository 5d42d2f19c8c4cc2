/*
 * paxwire-kv: the key-value machine of a cluster from the command line, over the client library.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/client/paxwire_client.h"
#include "tools/client/throughput.h"

static const char help[] =
	"usage: paxwire-kv --config FILE [options] COMMAND\n"
	"Speaks to the cluster that FILE describes, over the kernel's UDP.\n"
	"\n"
	"  get KEY                    prints the version, a space and the value\n"
	"  put KEY VALUE              prints the new version\n"
	"  del KEY\n"
	"  cas KEY VERSION VALUE      puts if the key has that version (0: is absent); prints the\n"
	"                             new version, or the one that there is\n"
	"  throughput                 a closed loop of operations; prints rate and latency\n"
	"\n"
	"  --address IP               our own address            (the kernel chooses)\n"
	"  --timeout MS               for an answer              (10000)\n"
	"  --retry US                 before a command is sent again  (20000)\n"
	"  --any                      gets ask each member in its turn, not the leader; both ways are\n"
	"                             linearizable\n"
	"  --stale                    gets tell what one member has by now, at once; in front of it,\n"
	"                             the instance below which all commands are in it\n"
	"\n"
	"of throughput:\n"
	"  --clients N                each with its own socket and thread      (1)\n"
	"  --outstanding N            operations under way, of each client     (64)\n"
	"  --seconds S                                                         (5)\n"
	"  --operations N             ends sooner, after so many\n"
	"  --keys N                   operations choose among them             (1000)\n"
	"  --reads P, --cas P, --deletes P   percent; the rest are puts        (50, 0, 0)\n"
	"  --value-bytes N            8 to 1024                                (32)\n"
	"  --seed N                   of the choices                           (1)\n"
	"  --history FILE             writes what was asked and heard, as history.h says\n"
	"  --first N                  number of the first process in it        (0)\n"
	"\n"
	"KEY is a number below 2^64. Exit status: 0 done; 1 it could not be asked; 2 no such key;\n"
	"3 another version; 4 no answer in time: it may have happened, once; 5 refused.\n";

enum {
	EXIT_NOT_FOUND = 2,
	EXIT_MISMATCH,
	EXIT_UNKNOWN,
	EXIT_REFUSED,
};

enum option_code {
	OPTION_ADDRESS = 256,
	OPTION_ANY,
	OPTION_CAS,
	OPTION_CLIENTS,
	OPTION_CONFIG,
	OPTION_DELETES,
	OPTION_FIRST,
	OPTION_HELP,
	OPTION_HISTORY,
	OPTION_KEYS,
	OPTION_OPERATIONS,
	OPTION_OUTSTANDING,
	OPTION_READS,
	OPTION_RETRY,
	OPTION_SECONDS,
	OPTION_SEED,
	OPTION_STALE,
	OPTION_TIMEOUT,
	OPTION_VALUE_BYTES,
};

static const struct option long_options[] = {
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"any", no_argument, NULL, OPTION_ANY},
	{"cas", required_argument, NULL, OPTION_CAS},
	{"clients", required_argument, NULL, OPTION_CLIENTS},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"deletes", required_argument, NULL, OPTION_DELETES},
	{"first", required_argument, NULL, OPTION_FIRST},
	{"help", no_argument, NULL, OPTION_HELP},
	{"history", required_argument, NULL, OPTION_HISTORY},
	{"keys", required_argument, NULL, OPTION_KEYS},
	{"operations", required_argument, NULL, OPTION_OPERATIONS},
	{"outstanding", required_argument, NULL, OPTION_OUTSTANDING},
	{"reads", required_argument, NULL, OPTION_READS},
	{"retry", required_argument, NULL, OPTION_RETRY},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"stale", no_argument, NULL, OPTION_STALE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"value-bytes", required_argument, NULL, OPTION_VALUE_BYTES},
	{NULL, 0, NULL, 0},
};

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("paxwire-kv: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static uint64_t whole(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;

	errno = 0;
	uint64_t number = strtoull(text, &end, 10);

	if (errno != 0 || *text < '0' || *text > '9' || *end != 0 || number < least ||
		number > most)
		refuse("%s: '%s' is not right, give a number from %" PRIu64 " to %" PRIu64 ".",
			name, text, least, most);
	return number;
}

static double positive(const char *name, const char *text)
{
	char *end;
	double number = strtod(text, &end);

	if (*text == 0 || *end != 0 || !(number > 0 && number < 1e6))
		refuse("%s: '%s' is not right, give seconds above 0.", name, text);
	return number;
}

static void read_option(int option, struct paxwire_options *o, struct throughput_settings *t)
{
	switch (option) {
	case OPTION_ADDRESS:
		o->address = optarg;
		break;
	case OPTION_ANY:
		t->read_kind = PAXWIRE_READ_ANY;
		break;
	case OPTION_CAS:
		t->cas = (uint32_t)whole("--cas", optarg, 0, 100);
		break;
	case OPTION_CLIENTS:
		t->clients = (uint32_t)whole("--clients", optarg, 1, THROUGHPUT_CLIENTS_MAX);
		break;
	case OPTION_CONFIG:
		o->config = optarg;
		break;
	case OPTION_DELETES:
		t->deletes = (uint32_t)whole("--deletes", optarg, 0, 100);
		break;
	case OPTION_FIRST:
		t->first = (uint32_t)whole("--first", optarg, 0, 1000000);
		break;
	case OPTION_HELP:
		fputs(help, stdout);
		exit(0);
	case OPTION_HISTORY:
		t->history = optarg;
		break;
	case OPTION_KEYS:
		t->keys = (uint32_t)whole("--keys", optarg, 1, THROUGHPUT_KEYS_MAX);
		break;
	case OPTION_OPERATIONS:
		t->operations = whole("--operations", optarg, 1, UINT64_MAX);
		break;
	case OPTION_OUTSTANDING:
		t->outstanding = (uint32_t)whole("--outstanding", optarg, 1, 4096);
		break;
	case OPTION_READS:
		t->reads = (uint32_t)whole("--reads", optarg, 0, 100);
		break;
	case OPTION_RETRY:
		o->retry_us = (uint32_t)whole("--retry", optarg, 100, 10000000);
		break;
	case OPTION_SECONDS:
		t->seconds = positive("--seconds", optarg);
		break;
	case OPTION_SEED:
		t->seed = whole("--seed", optarg, 0, UINT64_MAX);
		break;
	case OPTION_STALE:
		t->read_kind = PAXWIRE_READ_STALE;
		break;
	case OPTION_TIMEOUT:
		o->timeout_ms = (uint32_t)whole("--timeout", optarg, 1, 1000000000);
		break;
	case OPTION_VALUE_BYTES:
		t->value_bytes = (uint32_t)whole("--value-bytes", optarg, THROUGHPUT_VALUE_LEAST,
			THROUGHPUT_VALUE_MOST);
		break;
	default:
		refuse("--help lists the options.");
	}
}

/* ---- One command ---- */

static void print_answer(enum paxwire_kind kind, const struct paxwire_answer *a)
{
	if (kind == PAXWIRE_READ_STALE && a->status == PAXWIRE_OK)
		printf("%" PRIu64 " ", a->reflects);
	if (kind == PAXWIRE_READ_STALE && a->status == PAXWIRE_NOT_FOUND)
		printf("%" PRIu64 "\n", a->reflects);
	if (a->status == PAXWIRE_OK && kind != PAXWIRE_COMMAND)
		printf("%" PRIu64 " %.*s\n", a->result, (int)a->bytes, (const char *)a->value);
	else if (a->status == PAXWIRE_OK || a->status == PAXWIRE_MISMATCH)
		printf("%" PRIu64 "\n", a->result);
}

static int status_of(const struct paxwire_answer *a)
{
	switch (a->status) {
	case PAXWIRE_OK:
		return 0;
	case PAXWIRE_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case PAXWIRE_MISMATCH:
		return EXIT_MISMATCH;
	case PAXWIRE_BUSY:
		refuse("no replica answered in time, and nothing was done: are they running, and can "
		       "they be reached from here?");
	case PAXWIRE_UNKNOWN:
	case PAXWIRE_EXPIRED:
	case PAXWIRE_STALE:
	case PAXWIRE_CLOSED:
		fprintf(stderr,
			"paxwire-kv: no answer in time (%s): it may have happened, once; `get` tells.\n",
			paxwire_status_text(a->status));
		return EXIT_UNKNOWN;
	case PAXWIRE_FULL:
	case PAXWIRE_BAD_COMMAND:
	case PAXWIRE_TOO_LARGE:
		break;
	}
	fprintf(stderr,
		"paxwire-kv: the cluster refuses it (%s): see state_machine and kv in its file.\n",
		paxwire_status_text(a->status));
	return EXIT_REFUSED;
}

/* The command that the words say; its bytes, in `command`. */
static uint32_t command_of(char **words, int count, uint8_t *command, size_t room, bool *read)
{
	static const struct {
		const char *name;
		int words;
	} commands[] = {{"get", 2}, {"put", 3}, {"del", 2}, {"cas", 4}};
	uint32_t which = 0;

	while (which < 4 && strcmp(words[0], commands[which].name) != 0)
		which++;
	if (which == 4)
		refuse("'%s' is no command: give get, put, del, cas or throughput.", words[0]);
	if (count != commands[which].words)
		refuse("%s takes %d arguments: see --help.", words[0], commands[which].words - 1);
	uint64_t key = whole("KEY", words[1], 0, UINT64_MAX);
	const char *value = words[count - 1];
	size_t bytes = strlen(value);

	if (bytes > room - PAXWIRE_KV_HEAD_BYTES)
		refuse("the value has %zu bytes, more than %zu.", bytes,
			room - PAXWIRE_KV_HEAD_BYTES);
	*read = which == 0;
	switch (which) {
	case 0:
		return paxwire_kv_get(command, key);
	case 1:
		return paxwire_kv_put(command, key, value, (uint32_t)bytes);
	case 2:
		return paxwire_kv_delete(command, key);
	default:
		return paxwire_kv_cas(command, key, whole("VERSION", words[2], 0, UINT64_MAX),
			value, (uint32_t)bytes);
	}
}

static int run_command(struct paxwire_options *options, enum paxwire_kind read_kind, char **words,
	int count)
{
	uint8_t command[PAXWIRE_KV_HEAD_BYTES + PAXWIRE_VALUE_MAX];
	struct paxwire_answer answer = {0};
	char error[PAXWIRE_ERROR_MAX];
	bool read;
	uint32_t bytes = command_of(words, count, command, sizeof(command), &read);
	enum paxwire_kind kind = read ? read_kind : PAXWIRE_COMMAND;

	options->outstanding_max = 1;
	struct paxwire_client *client = paxwire_open(options, error, sizeof(error));

	if (client == NULL)
		refuse("%s", error);
	struct paxwire_future *future =
		paxwire_submit_future(client, kind, command, bytes, &answer.status);

	if (future != NULL)
		paxwire_wait(future, UINT32_MAX, &answer);
	print_answer(kind, &answer);
	int status = status_of(&answer);

	paxwire_close(client);
	return status;
}

int main(int argc, char **argv)
{
	struct throughput_settings t = {
		.clients = 1,
		.outstanding = 64,
		.seconds = 5,
		.keys = 1000,
		.reads = 50,
		.read_kind = PAXWIRE_READ,
		.value_bytes = 32,
		.seed = 1,
	};
	struct paxwire_options options;
	char error[PAXWIRE_ERROR_MAX];
	int option;

	paxwire_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		read_option(option, &options, &t);
	if (options.config == NULL)
		refuse("no cluster is given: give its file with --config.");
	if (optind == argc)
		refuse("no command is given: give get, put, del, cas or throughput.");
	if (strcmp(argv[optind], "throughput") != 0)
		return run_command(&options, t.read_kind, argv + optind, argc - optind);
	if (t.reads + t.cas + t.deletes > 100)
		refuse("--reads, --cas and --deletes are %u percent together: give at most 100.",
			t.reads + t.cas + t.deletes);
	if (t.history != NULL && t.read_kind == PAXWIRE_READ_STALE)
		refuse("--history is of what is linearizable, --stale is not: give one of them.");
	if (throughput_run(&t, &options, error, sizeof(error)) == 0)
		return 0;
	refuse("%s", error);
}
