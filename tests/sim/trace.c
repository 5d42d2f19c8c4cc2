#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[MESSAGE_WIRE_END] = {
	[MESSAGE_REQUEST] = "REQUEST",
	[MESSAGE_REPLY] = "REPLY",
	[MESSAGE_PREPARE] = "PREPARE",
	[MESSAGE_PROMISE] = "PROMISE",
	[MESSAGE_PULL] = "PULL",
	[MESSAGE_VOTES] = "VOTES",
	[MESSAGE_ACCEPT] = "ACCEPT",
	[MESSAGE_ACCEPTED] = "ACCEPTED",
	[MESSAGE_REFUSED] = "REFUSED",
	[MESSAGE_HEARTBEAT] = "HEARTBEAT",
	[MESSAGE_PREVOTE] = "PREVOTE",
	[MESSAGE_PREVOTED] = "PREVOTED",
	[MESSAGE_FETCH] = "FETCH",
	[MESSAGE_CHOSEN] = "CHOSEN",
	[MESSAGE_HELLO] = "HELLO",
	[MESSAGE_READ_ROUND] = "READ_ROUND",
	[MESSAGE_READ_CONFIRM] = "READ_CONFIRM",
	[MESSAGE_READ_PROBE] = "READ_PROBE",
	[MESSAGE_READ_REPORT] = "READ_REPORT",
	[MESSAGE_READ_INDEX] = "READ_INDEX",
	[MESSAGE_READ_INDEXED] = "READ_INDEXED",
	[MESSAGE_TIMEOUT_NOW] = "TIMEOUT_NOW",
	[MESSAGE_SNAPSHOT_ASK] = "SNAPSHOT_ASK",
	[MESSAGE_SNAPSHOT_CHUNK] = "SNAPSHOT_CHUNK",
	[MESSAGE_INSTALLING] = "INSTALLING",
};

static struct trace_event *add(struct trace *t, uint64_t at_ns, const char *what, uint16_t port,
	uint16_t other)
{
	struct trace_event *e = &t->events[t->count++ % TRACE_EVENTS_MAX];

	*e = (struct trace_event){.at_ns = at_ns, .what = what, .port = port, .other = other};
	return e;
}

void trace_message(struct trace *t, uint64_t at_ns, uint16_t port, const char *what, uint16_t other,
	const struct message *m)
{
	struct trace_event *e = add(t, at_ns, what, port, other);

	e->type = m->type;
	e->flags = m->flags;
	e->count = m->count;
	e->ballot = m->ballot;
	e->first = m->first;
	e->watermark = m->watermark;
}

void trace_transition(struct trace *t, uint64_t at_ns, uint16_t port, const struct transition *step)
{
	struct trace_event *e = add(t, at_ns, transition_text(step->event), port, TRACE_NOBODY);

	e->step = true;
	e->ballot = step->ballot;
	e->first = step->first;
	e->count = (uint16_t)step->count;
}

void trace_fault(struct trace *t, uint64_t at_ns, const char *what, uint16_t port, uint16_t other)
{
	add(t, at_ns, what, port, other);
}

static void print_port(const char *before, uint16_t port)
{
	if (port == TRACE_NOBODY)
		return;
	if (port < MEMBER_MAX)
		printf("%sreplica %u", before, port);
	else
		printf("%sclient %u", before, port - MEMBER_MAX);
}

static void print_event(const struct trace_event *e)
{
	printf("%12.3f us  ", (double)e->at_ns / 1000.0);
	print_port("", e->port);
	printf(" %s", e->what);
	if (e->type != 0)
		printf(" %s", names[e->type]);
	print_port(e->type != 0 && e->what[0] == 's' ? " to " : " from ", e->other);
	if (e->type != 0 || e->step)
		printf("  ballot %" PRIu64 ".%" PRIu64 " first %" PRIu64 " count %u",
			ballot_round(e->ballot), e->ballot % BALLOT_NODES, e->first, e->count);
	if (e->type != 0)
		printf(" watermark %" PRIu64 " flags %u", e->watermark, e->flags);
	putchar('\n');
}

void trace_print(const struct trace *t, uint64_t events)
{
	uint64_t kept = t->count < TRACE_EVENTS_MAX ? t->count : TRACE_EVENTS_MAX;

	if (events > kept)
		events = kept;
	for (uint64_t i = t->count - events; i < t->count; i++)
		print_event(&t->events[i % TRACE_EVENTS_MAX]);
}
