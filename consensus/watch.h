/*
 * watch.h - the details that a checker of traces needs: values, and what leaves.
 *
 * Owns:    nothing.
 * Never:   costs more than one predictable branch when nobody asked for details.
 */
#ifndef CONSENSUS_WATCH_H
#define CONSENSUS_WATCH_H

#include "consensus/replica.h"

static inline void watch_detail(const struct outlet *o, enum transition_event event,
	uint64_t ballot, uint64_t first, uint32_t count, uint64_t value)
{
	if (__builtin_expect(o->details, 0)) {
		const struct transition t = {
			.ballot = ballot,
			.first = first,
			.value = value,
			.count = count,
			.event = (uint16_t)event,
		};

		o->watch(o->context, &t);
	}
}

/* `count` of a journal record's step. */
static inline uint32_t watch_record(uint32_t kind, uint32_t count)
{
	return kind * 65536 + count;
}

/* What a trace calls the value of an entry: never 0, which is a no-op's, and below 2^62. Its header
 * may stand apart from its payload. */
uint64_t watch_value(const struct entry *e, const uint8_t *payload);

/* The values of a run's entries, before its own step; a run of no-ops has no bytes. */
void watch_run(const struct outlet *o, const uint8_t *body, uint32_t bytes);

static inline void watch_values(const struct outlet *o, const uint8_t *body, uint32_t bytes)
{
	if (__builtin_expect(o->details, 0))
		watch_run(o, body, bytes);
}

/* The leader took a client's entry, as it will propose it. */
static inline void watch_taken(const struct outlet *o, const struct entry *e,
	const uint8_t *payload)
{
	if (__builtin_expect(o->details, 0))
		watch_detail(o, TRANSITION_TAKEN, 0, 0, 1, watch_value(e, payload));
}

#endif
