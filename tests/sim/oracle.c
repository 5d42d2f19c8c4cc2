#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	RESULT_BITS = 48
};

void oracle_start(struct oracle *o)
{
	o->generation++;
	o->executed = 0;
	o->acknowledged = 0;
	o->reads = 0;
	o->stale_reads = 0;
	o->seen = 0;
	o->violated = false;
	o->violation[0] = 0;
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		o->machines[i] = (struct oracle_machine){.oracle = o, .node = i};
}

void oracle_violation(struct oracle *o, const char *format, ...)
{
	va_list arguments;

	if (o->violated)
		return;
	o->violated = true;
	va_start(arguments, format);
	vsnprintf(o->violation, sizeof(o->violation), format, arguments);
	va_end(arguments);
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9fb21c651e98df25ull;
	return h ^ (h >> 32);
}

static uint64_t mix_command(uint64_t h, const struct command *c)
{
	h = mix(mix(mix(h, c->session), c->sequence), c->length);
	for (uint32_t i = 0; i < c->length; i++)
		h = mix(h, ((const uint8_t *)c->value)[i]);
	return h;
}

/* The slot of (session, sequence): its own, or an empty one. */
static struct oracle_command *find(struct oracle *o, uint64_t session, uint64_t sequence)
{
	uint64_t at = mix(session, sequence);

	for (uint32_t probes = 0; probes < ORACLE_COMMANDS_MAX; probes++) {
		struct oracle_command *c = &o->commands[(at + probes) % ORACLE_COMMANDS_MAX];

		if (c->generation != o->generation ||
			(c->session == session && c->sequence == sequence))
			return c;
	}
	return NULL;
}

static void on_executed(struct oracle_machine *om, const struct command *c, uint64_t sum)
{
	struct oracle *o = om->oracle;
	struct oracle_command *command = find(o, c->session, c->sequence);

	if (c->instance >= ORACLE_INSTANCES_MAX || command == NULL) {
		oracle_violation(o, "bounds: instance %" PRIu64 " is beyond the oracle's tables",
			c->instance);
		return;
	}
	struct execution *e = &o->executions[c->instance];

	if (c->instance < om->next)
		oracle_violation(o,
			"order: replica %u executes instance %" PRIu64 " after %" PRIu64, om->node,
			c->instance, om->next - 1);
	om->next = c->instance + 1;
	if (e->generation != o->generation) {
		*e = (struct execution){c->session, c->sequence, sum, o->generation};
		o->executed++;
	} else if (e->session != c->session || e->sequence != c->sequence || e->sum != sum) {
		oracle_violation(o,
			"agreement: at instance %" PRIu64 " replica %u executes session %" PRIu64
			" sequence %" PRIu64 " (sum %" PRIx64 "), another one session %" PRIu64
			" sequence %" PRIu64 " (sum %" PRIx64 ")",
			c->instance, om->node, c->session, c->sequence, sum, e->session,
			e->sequence, e->sum);
	}
	if (command->generation != o->generation)
		*command = (struct oracle_command){c->session, c->sequence, c->instance,
			sum >> (64 - RESULT_BITS), o->generation};
	else if (command->instance != c->instance)
		oracle_violation(o,
			"exactly once: session %" PRIu64 " sequence %" PRIu64
			" executes at instance %" PRIu64 " and at %" PRIu64,
			c->session, c->sequence, command->instance, c->instance);
}

static void machine_apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	struct oracle_machine *om = state;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;

		if (om->swap && count >= 2 && i < 2)
			at = 1 - i;
		om->sum = mix_command(om->sum, &commands[at]);
		on_executed(om, &commands[i], om->sum);
		results[i].status = REPLY_OK;
		results[i].result = om->sum >> (64 - RESULT_BITS);
		results[i].length = 0;
	}
}

/* How far the replica is: all that a read can tell. */
static void machine_query(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	const struct oracle_machine *om = state;

	(void)commands;
	for (uint32_t i = 0; i < count; i++)
		results[i] = (struct result){.status = REPLY_OK, .result = om->next};
}

/* ---- Snapshots: one entry ---- */

struct oracle_entry {
	uint64_t sum, next;
};

static uint64_t machine_bytes(const void *state)
{
	(void)state;
	return snapshot_record_bytes(sizeof(struct oracle_entry));
}

static uint64_t machine_count(const void *state)
{
	(void)state;
	return 1;
}

static void machine_begin(void *state, struct snapshot *to)
{
	const struct oracle_machine *om = state;
	const struct oracle_entry e = {.sum = om->sum, .next = om->next};

	memcpy(snapshot_add(to, SNAPSHOT_ENTRY, sizeof(e)), &e, sizeof(e));
}

static bool machine_step(void *state)
{
	(void)state;
	return false;
}

static bool machine_valid(const void *state, const uint8_t *entry, uint32_t length,
	uint64_t instance)
{
	(void)state;
	return length == sizeof(struct oracle_entry) &&
		((const struct oracle_entry *)(const void *)entry)->next <= instance;
}

static bool machine_clear(void *state)
{
	struct oracle_machine *om = state;

	om->sum = 0;
	om->next = 0;
	return false;
}

static void machine_restore(void *state, const uint8_t *entry, uint32_t length)
{
	const struct oracle_entry *e = (const struct oracle_entry *)(const void *)entry;
	struct oracle_machine *om = state;

	(void)length;
	om->sum = e->sum;
	om->next = e->next;
}

static const struct machine_snapshot oracle_snapshot = {
	.bytes = machine_bytes,
	.count_max = machine_count,
	.count = machine_count,
	.begin = machine_begin,
	.step = machine_step,
	.valid = machine_valid,
	.clear = machine_clear,
	.restore = machine_restore,
};

struct machine oracle_machine(struct oracle *o, uint32_t node)
{
	return (struct machine){.state = &o->machines[node],
		.snapshot = &oracle_snapshot,
		.apply = machine_apply,
		.query = machine_query};
}

struct machine oracle_machine_anew(struct oracle *o, uint32_t node)
{
	o->machines[node].sum = 0;
	o->machines[node].next = 0;
	return oracle_machine(o, node);
}

static void see(struct oracle *o, uint64_t end)
{
	o->seen = end > o->seen ? end : o->seen;
}

void oracle_on_read(struct oracle *o, uint64_t seen, uint64_t result)
{
	o->reads++;
	if (result < seen)
		oracle_violation(o,
			"read: what stands below instance %" PRIu64
			" was seen before a read was asked, which was answered from %" PRIu64,
			seen, result);
	see(o, result);
}

/* Between the last command seen and `reflects` nothing was executed, and nothing will be. */
void oracle_on_stale_read(struct oracle *o, uint64_t reflects, uint64_t result)
{
	bool right = result <= reflects && reflects < ORACLE_INSTANCES_MAX;

	o->stale_reads++;
	for (uint64_t i = result; right && i < reflects; i++)
		right = o->executions[i].generation != o->generation;
	if (!right)
		oracle_violation(o,
			"stale read: it says that it reflects all below instance %" PRIu64
			", and was answered from %" PRIu64,
			reflects, result);
}

void oracle_on_acknowledged(struct oracle *o, uint64_t session, uint64_t sequence, uint64_t result)
{
	const struct oracle_command *c = find(o, session, sequence);

	o->acknowledged++;
	if (c == NULL || c->generation != o->generation)
		oracle_violation(o,
			"acknowledged: session %" PRIu64 " sequence %" PRIu64
			" was acknowledged, and no replica executed it",
			session, sequence);
	else if (c->result != result)
		oracle_violation(o,
			"result: session %" PRIu64 " sequence %" PRIu64 " was answered %" PRIx64
			", its execution said %" PRIx64,
			session, sequence, result, c->result);
	else if (!o->held(o->context, c->instance))
		oracle_violation(o,
			"acknowledged: instance %" PRIu64
			" was acknowledged, and no quorum holds it",
			c->instance);
	else
		see(o, c->instance + 1);
}
