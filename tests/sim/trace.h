/*
 * trace.h - the last messages of a run, printed as a timeline when a seed fails.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/transition.h"

enum {
	TRACE_EVENTS_MAX = 4096
};

struct trace_event {
	uint64_t at_ns;
	const char *what; /* "sends", "hears", a step's or a fault's name: a literal. */
	uint16_t port;    /* Who. */
	uint16_t other;   /* To or from whom; TRACE_NOBODY. */
	uint8_t type, flags;
	bool step; /* A transition: ballot, first and count stand. */
	uint16_t count;
	uint64_t ballot, first, watermark;
};

enum {
	TRACE_NOBODY = 0xffff
};

struct trace {
	uint64_t count;
	struct trace_event events[TRACE_EVENTS_MAX];
};

void trace_message(struct trace *t, uint64_t at_ns, uint16_t port, const char *what, uint16_t other,
	const struct message *m);
void trace_transition(struct trace *t, uint64_t at_ns, uint16_t port,
	const struct transition *step);
void trace_fault(struct trace *t, uint64_t at_ns, const char *what, uint16_t port, uint16_t other);

/* The last `events` of it, a line each. */
void trace_print(const struct trace *t, uint64_t events);

#endif
