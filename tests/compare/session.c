/*
 * Every log of a few entries, applied to a small table of sessions.
 *
 * Arguments: entries, sessions, how many of the first instances a command names as its session,
 * sequences, and how far two instances lie apart: at 15 the sessions' places collide. A command's
 * reply counts the commands that ran.
 */
#include <stdio.h>

#include "consensus/check.h"
#include "consensus/session.h"
#include "tests/compare/explore.h"

enum {
	SLOTS = 16,
	ENTRIES_MAX = 8,
};

/* An entry's number: a no-op, an open, or a command, of which there is one for each session and
 * sequence. */
enum {
	NOOP,
	OPEN,
	COMMAND
};

/* As compare.ml numbers them. */
enum outcome {
	NOTHING,
	OPENED,
	RAN,
	CACHED,
	STALE,
	EXPIRED,
};

struct state {
	struct session_table table;
	struct session slots[SLOTS];
	uint64_t ran;
	uint32_t applied; /* Entries. */
};

/* After each number of entries. */
static struct state states[ENTRIES_MAX + 1];
static uint32_t sequences;
static uint32_t apart;

static void tell_table(const struct state *s)
{
	tell(s->table.count);
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct session *session = &s->slots[i];

		if (session->id == 0)
			continue;
		tell((session->id - 1) / apart);
		tell(session->base);
		tell(session->last / apart);
		tell(session->done);
		for (uint32_t sequence = 0; sequence < SESSION_WINDOW; sequence++) {
			uint64_t result;

			session_reply(session, sequence, &result);
			tell(result);
		}
	}
}

/* The state in which the next entry is applied: a copy. */
static struct state *next_of(const struct state *s)
{
	struct state *next = &states[s->applied + 1];

	*next = *s;
	next->table.slots = next->slots;
	next->applied++;
	return next;
}

/* As the learner does it. */
static enum outcome command(struct state *s, uint64_t id, uint64_t sequence, uint64_t *result)
{
	struct session *session = session_find(&s->table, id * apart);

	*result = 0;
	if (session == NULL)
		return EXPIRED;
	switch (session_apply(session, sequence, (s->applied - 1) * apart)) {
	case SESSION_RUN:
		*result = ++s->ran;
		session_keep(session, sequence, REPLY_OK, *result);
		return RAN;
	case SESSION_CACHED:
		session_reply(session, sequence, result);
		return CACHED;
	case SESSION_STALE:
		return STALE;
	}
	return NOTHING;
}

static void tell_entry(const struct state *before, char kind, uint64_t id, uint64_t sequence,
	enum outcome outcome, uint64_t result)
{
	tell((uint64_t)kind);
	tell(before->applied);
	tell(id);
	tell(sequence);
	tell(outcome);
	tell(result);
	tell_table(before + 1);
}

/* The entry of this number: it is applied behind the log that led to `s`, and told. */
static void try_entry(const struct state *s, uint32_t number)
{
	struct state *next = next_of(s);
	uint64_t id = (number - COMMAND) / sequences;
	uint64_t sequence = (number - COMMAND) % sequences;
	uint64_t result;
	enum outcome outcome;

	if (number == NOOP) {
		tell_entry(s, 'N', 0, 0, NOTHING, 0);
		return;
	}
	if (number == OPEN) {
		session_open(&next->table, s->applied * apart);
		tell_entry(s, 'O', 0, 0, OPENED, s->applied);
		return;
	}
	outcome = command(next, id, sequence, &result);
	tell_entry(s, 'C', id, sequence, outcome, result);
}

int main(int argc, char **argv)
{
	uint32_t numbers[ENTRIES_MAX + 1] = {0};
	uint32_t depth = 0;

	uint32_t entries = argument(argc, argv, 1);
	uint32_t sessions = argument(argc, argv, 2);
	uint32_t kinds = COMMAND + argument(argc, argv, 3) * argument(argc, argv, 4);

	sequences = argument(argc, argv, 4);
	apart = argument(argc, argv, 5);
	CHECK(entries <= ENTRIES_MAX && session_slots(sessions) == SLOTS);
	tell(SESSION_WINDOW);
	tell(sessions);
	session_init(&states[0].table, states[0].slots, sessions);
	/* Each node of the tree of logs, parents first. The first entry opens a session: without one
	 * nothing runs. */
	numbers[0] = OPEN;
	do {
		if (depth < entries && numbers[depth] < (depth == 0 ? OPEN + 1 : kinds)) {
			try_entry(&states[depth], numbers[depth]++);
			numbers[++depth] = NOOP;
		} else {
			depth--;
		}
	} while (depth > 0 || numbers[0] == OPEN);
	return fflush(stdout) == 0 ? 0 : 1;
}
