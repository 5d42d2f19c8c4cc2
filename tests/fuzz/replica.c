/*
 * replica - a whole replica stands whatever members and clients say: no invariant breaks, promises
 * never go down, delivery has no hole, and whatever it sends decodes. One with a disk starts again
 * after any crash, and still holds what it told others.
 *
 * The input is {u8 shape, then steps}. The shape chooses the shards, whether the others hold votes,
 * whether there is a disk, and how far the replica is when the steps begin: just started, enrolled,
 * or leading. A step is {u8 kind, ...}: a turn after some
 * time; the others answer honestly what they were sent; a forged message (forge.h); or a message
 * as bytes {u8 from, u16 length, bytes}, sealed.
 */
#include "tests/fuzz/forge.h"
#include "tests/fuzz/peers.h"
#include "tests/fuzz/seal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/check.h"
#include "tests/sim/boot.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

enum {
	STEPS_MAX = 400,
	LEAD_TURNS = 120, /* At most, until it leads. */
};

#define US 1000ull
#define MS 1000000ull

static struct node node;
static struct peers peers;
static struct quorum quorum;
static struct random chance;
static struct machine_state {
	uint64_t last;
} applied;

/* ---- What node.h needs of a simulator ---- */

void trace_message(struct trace *t, uint64_t at_ns, uint16_t port, const char *what, uint16_t other,
	const struct message *m)
{
	(void)t, (void)at_ns, (void)port, (void)what, (void)other, (void)m;
}

void trace_transition(struct trace *t, uint64_t at_ns, uint16_t port, const struct transition *step)
{
	(void)t, (void)at_ns, (void)port, (void)step;
}

/* What it told others before a crash does not hold any more. */
void oracle_violation(struct oracle *o, const char *format, ...)
{
	va_list arguments;

	(void)o;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	abort();
}

/* Whatever leaves is accepted where it arrives. */
void network_send(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length)
{
	struct message m;

	(void)n, (void)now_ns;
	CHECK(from == PEERS_SELF && length <= PACKET_BYTES_MAX);
	CHECK(message_decode(bytes, length, &m) == DROP_NONE && m.sender == PEERS_SELF);
	CHECK((m.type == MESSAGE_REPLY) == (to >= MEMBER_MAX));
	if (to < MEMBER_MAX)
		peers_hear(&peers, to, &m);
}

/* D2: in order, each instance at most once. */
static void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	struct machine_state *m = state;

	for (uint32_t i = 0; i < count; i++) {
		CHECK(commands[i].instance + 1 > m->last);
		m->last = commands[i].instance + 1;
		results[i] = (struct result){.status = REPLY_OK, .result = m->last};
	}
}

static void query(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	const struct machine_state *m = state;

	(void)commands;
	for (uint32_t i = 0; i < count; i++)
		results[i] = (struct result){.status = REPLY_OK, .result = m->last};
}

/* ---- Its snapshots: one entry ---- */

static uint64_t entry_bytes_max(const void *state)
{
	(void)state;
	return snapshot_record_bytes(sizeof(applied.last));
}

static uint64_t entries(const void *state)
{
	(void)state;
	return 1;
}

static void save(void *state, struct snapshot *to)
{
	memcpy(snapshot_add(to, SNAPSHOT_ENTRY, sizeof(applied)), state, sizeof(applied));
}

static bool no_step(void *state)
{
	(void)state;
	return false;
}

static bool valid(const void *state, const uint8_t *entry, uint32_t length, uint64_t instance)
{
	(void)state;
	return length == sizeof(applied) && *(const uint64_t *)(const void *)entry <= instance;
}

static bool clear(void *state)
{
	struct machine_state *m = state;

	m->last = 0;
	return false;
}

static void restore(void *state, const uint8_t *entry, uint32_t length)
{
	memcpy(state, entry, length);
}

static const struct machine_snapshot machine_snapshot = {
	.bytes = entry_bytes_max,
	.count_max = entries,
	.count = entries,
	.begin = save,
	.step = no_step,
	.valid = valid,
	.clear = clear,
	.restore = restore,
};

static const struct machine machine = {
	.state = &applied,
	.snapshot = &machine_snapshot,
	.apply = apply,
	.query = query,
};

/* ---- Steps ---- */

static void start_from_disk(void)
{
	applied.last = 0;
	/* No fault was the disk's own: it always does. */
	CHECK(boot_start(&node, NULL, &machine));
}

static void crash(void)
{
	if (!node.durable)
		return;
	boot_crash(&node);
	start_from_disk();
}

static void turn(uint64_t after_ns)
{
	uint64_t promised[SIM_SHARDS_MAX];
	uint64_t delivered = learner_stage_delivered(&node.learner);

	for (uint32_t s = 0; s < node.settings.shards; s++)
		promised[s] = node.acceptors[s].acceptor.promised;
	node_turn(&node, node.now_ns + after_ns);
	for (uint32_t s = 0; s < node.settings.shards; s++)
		CHECK(node.acceptors[s].acceptor.promised >= promised[s]);
	CHECK(learner_stage_delivered(&node.learner) >= delivered);
	CHECK(node.learner.retained <= LEARNER_RETAINED_MAX + 1);
	if (node.crashing)
		crash();
}

/* As the data plane's io admits it. */
static void arrive(const uint8_t *bytes, size_t length)
{
	struct message m;

	if (message_decode(bytes, length, &m) != DROP_NONE || m.cluster != 1 || m.epoch != 0 ||
		m.type == MESSAGE_REPLY || m.sender == PEERS_SELF ||
		(m.sender != MESSAGE_SENDER_CLIENT && m.sender >= PEERS_MEMBERS))
		return;
	node_receive(&node, bytes, (uint16_t)length,
		m.sender == MESSAGE_SENDER_CLIENT ? MEMBER_MAX : m.sender, node.now_ns);
}

static void others_answer(void)
{
	_Alignas(8) uint8_t bytes[PACKET_BYTES_MAX];
	uint16_t length;

	while ((length = peers_answer(&peers, bytes)) > 0)
		arrive(bytes, length);
}

static void arrive_raw(struct input *in)
{
	_Alignas(8) uint8_t bytes[PACKET_BYTES_MAX];
	const uint8_t how = input_u8(in);
	size_t length = input_u16(in) % (PACKET_BYTES_MAX + 1);

	length = length < in->left ? length : in->left;
	memcpy(bytes, in->bytes, length);
	in->bytes += length;
	in->left -= length;
	peers_sign(bytes, length);
	if (how % 2 == 0)
		seal_records(bytes, length);
	seal_message(bytes, length);
	arrive(bytes, length);
}

static void arrive_forged(struct input *in)
{
	_Alignas(8) uint8_t bytes[PACKET_BYTES_MAX];
	const struct forge_view view = {
		.ballot = node.leader.proposer.ballot,
		.promised = node.acceptors[0].acceptor.promised,
		.delivered = learner_stage_delivered(&node.learner),
		.end = node.leader.proposer.window.end,
		.nonce = node.leader.reads.nonce,
		.uuid = node.settings.uuid,
		.shards = node.settings.shards,
	};
	uint16_t length = forge(in, &view, bytes);

	arrive(bytes, length);
}

static void step(struct input *in)
{
	static const uint64_t pauses_ns[] = {0, 20 * US, 100 * US, 300 * US, 1 * MS, 5 * MS,
		12 * MS, 60 * MS};
	const uint8_t kind = input_u8(in);

	switch (kind % 8) {
	case 0:
		turn(pauses_ns[kind / 8 % 8]);
		return;
	case 1:
		/* A crash now, or at a step of the disk to come; without one, a snapshot. */
		if (!node.durable)
			learner_stage_want_snapshot(&node.learner);
		else if (kind / 8 % 8 == 0)
			crash();
		else
			node.crash_steps = node.disk.steps + kind / 8;
		return;
	case 2:
		others_answer();
		return;
	case 3:
		arrive_raw(in);
		return;
	default:
		arrive_forged(in);
	}
}

/* ---- Start ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	quorum_init_majority(&quorum, PEERS_MEMBERS);
	return 0;
}

static void start(uint32_t shards, bool voted, bool durable)
{
	const struct replica_settings settings = {
		.self = PEERS_SELF,
		.members = PEERS_MEMBERS,
		.shards = shards,
		.body_max = SIM_BODY_MAX,
		.window = WINDOW_INSTANCES / 8,
		.packing = true,
		.heartbeat_ns = 1 * MS,
		.election_timeout_ns = 10 * MS,
		.progress_timeout_ns = 20 * MS,
		.retransmit_ns = 300 * US,
		.commit_idle_ns = 20 * US,
		.lag_max = 4096,
		.lag_timeout_ns = 50 * MS,
		.seed = 7,
		.durability = durable ? DURABILITY_SYNC : DURABILITY_NONE,
		.quorum = &quorum,
	};

	chance.state = 1;
	applied.last = 0;
	node_init(&node, &settings, SIM_SESSIONS, NULL, NULL, &chance, &machine);
	node.now_ns = 1 * MS;
	if (durable)
		start_from_disk();
	peers_init(&peers, node.settings.uuid, voted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.bytes = data, .left = size};
	const uint8_t shape = input_u8(&in);

	start(1 + shape / 4 % 2, shape / 8 % 2 != 0, shape / 16 % 2 != 0);
	/* Enrolled, in two turns: asked, and answered. */
	for (uint32_t i = 0; i < 2 && shape % 4 >= 1; i++) {
		turn(100 * US);
		others_answer();
	}
	for (uint32_t i = 0; i < LEAD_TURNS && shape % 4 >= 2 && !node.leader.leads; i++) {
		turn(500 * US);
		others_answer();
	}
	CHECK(shape % 4 < 2 || node.leader.leads);
	for (uint32_t i = 0; i < STEPS_MAX && in.left > 0; i++)
		step(&in);
	turn(1 * MS);
	return 0;
}
