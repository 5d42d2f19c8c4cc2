/*
 * paxwire-synod: one node of a single-decree Paxos over a DPDK port. tools/synod/run.py starts all.
 */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>

#include "config/field.h"
#include "dataplane/eal.h"
#include "dataplane/heap.h"
#include "dataplane/lcore.h"
#include "dataplane/network.h"
#include "dataplane/port.h"
#include "tools/synod/synod.h"

enum {
	UDP_PORT = 7399,
	CLUSTER = 0x5e0d,
	MTU = 1500,
	POOL_MBUFS = 2047,
	HEAP_MIB = 32,
	ERROR_MAX = 512,
};

struct node {
	struct settings settings;
	struct wire wire;
	struct network network;
	struct rte_mempool *pool;
	uint32_t loss_percent;
	uint64_t random;
	uint64_t counter;
	bool broken; /* Two values in a round. */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

void say(const struct settings *s, const char *format, ...)
{
	static const char *const roles[] = {"acceptor", "proposer", "learner"};
	uint32_t role = s->id < PROPOSER_FIRST ? 0 : s->id < LEARNER ? 1 : 2;
	va_list arguments;

	if (s->quiet)
		return;
	printf("%s %u ", roles[role], s->id);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

const struct vote_body *vote_of(const struct message *m, const uint8_t *body)
{
	const struct vote_body *vote = (const struct vote_body *)(const void *)body;

	if (m->type != MESSAGE_VOTES || m->payload_len != sizeof(*vote) ||
		vote->record.bytes != ENTRY_BYTES + VALUE_MAX ||
		entry_length(&vote->entry) != VALUE_MAX || vote->value.text[VALUE_MAX - 1] != 0)
		return NULL;
	return vote;
}

static void send_message(void *context, uint32_t to, const struct message *given, const void *body)
{
	struct node *n = context;
	struct message m = *given;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(n->pool);

	if (mbuf == NULL)
		return; /* As if it were lost. */
	m.cluster = CLUSTER;
	m.sender = (uint8_t)n->settings.id;
	m.counter = n->counter++;
	m.checksum = m.payload_len == 0 ? 0 : message_crc(body, m.payload_len);
	if (m.payload_len > 0)
		memcpy(rte_pktmbuf_mtod_offset(mbuf, void *, FRAME_BODY_OFFSET), body,
			m.payload_len);
	frame_seal(mbuf, &m);
	network_send(&n->network, to, mbuf);
}

static void hear(struct node *n, const struct message *m, const uint8_t *body)
{
	n->random = n->random * 6364136223846793005ull + 1442695040888963407ull;
	if ((n->random >> 33) % 100 < n->loss_percent || m->cluster != CLUSTER)
		return;
	if (n->settings.id < PROPOSER_FIRST)
		acceptor_hear(m, body);
	else if (n->settings.id < LEARNER)
		proposer_hear(m, body);
	else if (!learner_hear(m, body))
		n->broken = true;
}

static bool members_known(const struct network *n)
{
	return n->unknown == 0;
}

/* Until a signal; a proposer until its rounds are over. */
static bool run(struct node *n)
{
	const struct timespec nap = {.tv_nsec = 20000};
	bool over = false;

	while (!ended && !over && !n->broken) {
		struct rte_mbuf *frames[HANDOFF_BURST];
		uint64_t now_ns = lcore_now_ns();
		uint32_t taken;
		uint32_t valid = network_receive(&n->network, 0, frames, &taken);

		for (uint32_t i = 0; i < valid; i++) {
			hear(n, &frame_of(frames[i])->m, frame_of(frames[i])->body);
			rte_pktmbuf_free(frames[i]);
		}
		if (n->settings.id >= PROPOSER_FIRST && n->settings.id < LEARNER &&
			members_known(&n->network))
			over = proposer_tick(now_ns);
		network_tick(&n->network, now_ns);
		network_flush(&n->network);
		if (taken == 0)
			nanosleep(&nap, NULL);
	}
	return over;
}

static struct endpoint endpoint_of(uint32_t node)
{
	return (struct endpoint){
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 8, 0, node + 1)),
		.port = rte_cpu_to_be_16(UDP_PORT),
	};
}

static bool join(struct node *n, const char *devargs, char *error, size_t size)
{
	struct endpoint self = endpoint_of(n->settings.id);
	struct port port;

	n->pool = rte_pktmbuf_pool_create("synod", POOL_MBUFS, 0, FRAME_PRIVATE_BYTES,
		frame_room(MTU, true), heap_socket());
	if (n->pool == NULL) {
		snprintf(error, size, "the buffers do not fit DPDK's memory.");
		return false;
	}
	if (!port_start(devargs, 1, MTU, n->pool, &port, error, size))
		return false;
	self.mac = port.mac;
	network_init(&n->network, &self, n->pool);
	network_add_link(&n->network, port.id, 0, port.tx_flags);
	for (uint32_t i = 0; i < NODES; i++) {
		const struct endpoint to = endpoint_of(i);

		if (i != n->settings.id)
			network_route(&n->network, i, &to, 0, false);
	}
	n->wire = (struct wire){.context = n, .send = send_message};
	n->settings.wire = &n->wire;
	return true;
}

static void begin(const struct node *n)
{
	if (n->settings.id < PROPOSER_FIRST)
		acceptor_start(&n->settings);
	else if (n->settings.id < LEARNER)
		proposer_begin(&n->settings);
	else
		learner_begin(&n->settings);
	puts("ready");
	fflush(stdout);
}

/* False: a sentence was printed. */
static bool parse(int argc, char **argv, struct node *n, const char **devargs)
{
	static const struct option longs[] = {
		{"id", required_argument, NULL, 'i'},
		{"value", required_argument, NULL, 'v'},
		{"port", required_argument, NULL, 'p'},
		{"rounds", required_argument, NULL, 'r'},
		{"loss", required_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	int option;
	bool well = true;

	n->settings.id = NODES;
	n->settings.rounds = 1;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'i')
			well &= field_parse_uint(optarg, 0, NODES - 1, &n->settings.id);
		else if (option == 'r')
			well &= field_parse_uint(optarg, 1, ROUNDS_MAX, &n->settings.rounds);
		else if (option == 'l')
			well &= field_parse_uint(optarg, 0, 90, &n->loss_percent);
		else if (option == 'p')
			*devargs = optarg;
		else if (option == 'v' && strlen(optarg) < VALUE_MAX)
			snprintf(n->settings.value.text, VALUE_MAX, "%s", optarg);
		else
			well = false;
	}
	if (well && n->settings.id < NODES && *devargs != NULL)
		return true;
	fprintf(stderr,
		"usage: paxwire-synod --id 0..%d --port DEVARGS [--value TEXT] [--rounds 1..%d] "
		"[--loss 0..90]\n"
		"Nodes 0 to 2 accept, 3 and 4 propose, 5 learns.\n",
		NODES - 1, ROUNDS_MAX);
	return false;
}

int main(int argc, char **argv)
{
	static struct node node;
	const struct sigaction on_end = {.sa_handler = on_signal};
	const char *devargs = NULL;
	char error[ERROR_MAX];

	if (!parse(argc, argv, &node, &devargs))
		return EXIT_FAILURE;
	struct eal_request request = {
		.program = "paxwire-synod",
		.devices_count = 1,
		.devices = {devargs},
		.heap_mebibytes = HEAP_MIB,
	};

	sigaction(SIGINT, &on_end, NULL);
	sigaction(SIGTERM, &on_end, NULL);
	node.settings.quiet = node.settings.rounds > 1;
	if (!eal_start(&request, error, sizeof(error)) ||
		!join(&node, devargs, error, sizeof(error))) {
		fprintf(stderr, "paxwire-synod: %s\n", error);
		return EXIT_FAILURE;
	}
	lcore_now_ns();
	node.random = rte_rdtsc() ^ node.settings.id;
	node.settings.seed = node.random;
	begin(&node);
	bool over = run(&node);

	if (node.settings.id == LEARNER)
		printf("%u of %u rounds, %s\n", learner_rounds(), node.settings.rounds,
			node.broken ? "and two values in one" : "one value in each");
	rte_eal_cleanup();
	if (node.settings.id >= PROPOSER_FIRST && node.settings.id < LEARNER)
		return over ? EXIT_SUCCESS : EXIT_FAILURE;
	return node.broken ? EXIT_FAILURE : EXIT_SUCCESS;
}
