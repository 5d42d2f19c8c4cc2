#include "consensus/model/session.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "consensus/check.h"

struct world world;
uint8_t model_key[KEY_BYTES];

static const char *broken;
static jmp_buf failed;
static bool witnessed;

static void check_that(bool holds, const char *name)
{
	if (!holds && broken == NULL)
		broken = name;
}

void check_failed(const char *condition, const char *file, int line)
{
	printf("model: broken invariant at %s:%d: %s\n", file, line, condition);
	longjmp(failed, 1);
}

/* No snapshot is taken here. */
uint8_t *snapshot_add(struct snapshot *s, enum snapshot_kind kind, uint32_t length)
{
	(void)s;
	(void)kind;
	(void)length;
	check_failed("no snapshot", __FILE__, __LINE__);
}

/* ---- Instances ---- */

/* Homes in the table of 16 slots: two at its last slot, two at its first, so that chains wrap. */
static uint64_t open_instance(uint32_t client)
{
	static const uint64_t instances[CLIENTS] = {256 + 15, 512 + 30, 768 + 31, 1024};

	return instances[client];
}

/* Only the order of the last instances is ever looked at: they are counted anew from the last open
 * on, so that the log may be of any length. */
static void renumber(void)
{
	uint64_t base = world.opened == 0 ? 0 : open_instance(world.opened - 1);

	for (uint32_t c = 0; c < world.opened; c++) {
		struct session *s = session_find(&world.table, world.clients[c].id);

		if (!world.clients[c].evicted && s != NULL)
			s->last = base + SESSIONS_MAX - world.clients[c].age;
	}
	world.instance = base + SESSIONS_MAX;
}

/* A client's session was spoken of: it is the youngest now. */
static void touch(uint32_t client)
{
	for (uint32_t c = 0; c < world.opened; c++)
		if (!world.clients[c].evicted && world.clients[c].age < world.clients[client].age)
			world.clients[c].age++;
	world.clients[client].age = 0;
}

/* ---- Events ---- */

static void open_session(void)
{
	uint32_t live = 0;
	struct client *c = &world.clients[world.opened];

	for (uint32_t i = 0; i < world.opened; i++)
		live += !world.clients[i].evicted;
	for (uint32_t i = 0; live == SESSIONS_MAX && i < world.opened; i++)
		world.clients[i].evicted |= world.clients[i].age == SESSIONS_MAX - 1;
	c->id = open_instance(world.opened);
	c->age = SESSIONS_MAX;
	world.opened++;
	touch(world.opened - 1);
	session_open(&world.table, c->id);
}

/* The machine's answer tells which command it is to. */
static uint64_t result_of(uint32_t client, uint32_t sequence)
{
	return 1 + client * SEQUENCES + sequence;
}

/* What a command in the log comes to, as the learner does it. `heard`: does its client get the
 * answer? */
static void apply(uint32_t client, uint32_t sequence, bool heard)
{
	struct client *c = &world.clients[client];
	struct session *s = session_find(&world.table, c->id);
	uint64_t result = 0;

	if (s == NULL)
		return;
	check_that(s->id == c->id + 1, "S1");
	uint64_t base = s->base;
	bool outstanding = (c->answered >> sequence & 1) == 0;
	enum session_answer seen = session_look(s, sequence);
	enum session_answer answer = session_apply(s, sequence, ++world.instance);

	touch(client);
	check_that(seen == answer, "S1");
	check_that(s->base >= base, "S2");
	switch (answer) {
	case SESSION_RUN:
		check_that((c->executed >> sequence & 1) == 0, "S1");
		check_that(sequence >= base, "S2");
		c->executed |= (uint8_t)(1u << sequence);
		session_keep(s, sequence, REPLY_OK, result_of(client, sequence));
		break;
	case SESSION_CACHED:
		check_that((c->executed >> sequence & 1) != 0, "S1");
		check_that(session_reply(s, sequence, &result) == REPLY_OK &&
				result == result_of(client, sequence),
			"reply");
		witnessed = true;
		break;
	case SESSION_STALE:
		/* Who waits for an answer waits for the one. */
		check_that(sequence < base && !outstanding, "S2");
		break;
	}
	if (heard)
		c->answered |= (uint8_t)(1u << sequence);
}

enum {
	EVENT_OPEN,
	EVENT_APPLY, /* Client, sequence: the answer is lost; then: it is heard. */
	EVENTS = EVENT_APPLY + CLIENTS * SEQUENCES * 2,
};
static_assert((int)EVENTS <= (int)MODEL_EVENTS, "the Promela offers so many");

/* A client never has s and t >= s + W outstanding. */
static uint32_t sequences_issued(const struct client *c)
{
	uint32_t first = 0;

	while (first < SEQUENCES && (c->answered >> first & 1) != 0)
		first++;
	return first + SESSION_WINDOW < SEQUENCES ? first + SESSION_WINDOW : SEQUENCES;
}

int model_enabled(int event)
{
	if (world.table.slots == NULL)
		session_init(&world.table, world.slots, SESSIONS_MAX);
	if (event == EVENT_OPEN)
		return world.opened < CLIENTS;
	if (event >= EVENTS)
		return 0;
	uint32_t client = (uint32_t)(event - EVENT_APPLY) / 2 / SEQUENCES;

	return client < world.opened &&
		(uint32_t)(event - EVENT_APPLY) / 2 % SEQUENCES <
		sequences_issued(&world.clients[client]);
}

/* ---- After each event ---- */

static void check_table(void)
{
	for (uint32_t c = 0; c < world.opened; c++) {
		struct session *s = session_find(&world.table, world.clients[c].id);

		check_that((s == NULL) == world.clients[c].evicted, "S3");
	}
}

static void make_key(void)
{
	uint8_t *at = model_key;

	*at++ = (uint8_t)world.opened;
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct session *s = &world.slots[i];
		bool empty = s->id == 0;

		*at++ = (uint8_t)(empty ? 0 : s->id / 256);
		*at++ = (uint8_t)(empty ? 0 : s->base);
		*at++ = (uint8_t)(empty ? 0 : s->done);
		*at++ = (uint8_t)(empty ? 0 : world.instance - s->last);
		for (uint32_t k = 0; k < SESSION_WINDOW; k++)
			*at++ = (uint8_t)(empty ? 0 : s->replies[k]);
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct client *c = &world.clients[i];

		*at++ = c->evicted ? 0xff : c->answered;
		*at++ = c->evicted ? 0xff : c->executed;
		*at++ = c->evicted ? 0xff : c->age;
	}
}

static void tell_event(int event)
{
	uint32_t command = (uint32_t)(event - EVENT_APPLY) / 2;

	if (event == EVENT_OPEN)
		printf("client %u opens its session\n", world.opened);
	else
		printf("client %u, sequence %u, its answer is %s\n", command / SEQUENCES,
			command % SEQUENCES, event % 2 == 0 ? "heard" : "lost");
}

static void tell_sessions(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct session *s = &world.slots[i];

		if (s->id != 0)
			printf("    slot %u: session %llu, base %llu, done %x\n", i,
				(unsigned long long)s->id - 1, (unsigned long long)s->base,
				s->done);
	}
}

void model_fire(int event)
{
	broken = NULL;
	witnessed = false;
	if (TELL)
		tell_event(event);
	if (setjmp(failed) != 0) {
		check_that(false, "CHECK");
	} else if (event == EVENT_OPEN) {
		open_session();
	} else {
		uint32_t command = (uint32_t)(event - EVENT_APPLY) / 2;

		apply(command / SEQUENCES, command % SEQUENCES, event % 2 == 0);
	}
	check_table();
	renumber();
	make_key();
	if (TELL)
		tell_sessions();
	/* A command was repeated and answered as before, while two others' sessions are evicted. */
	if (WITNESS != 0)
		check_that(!witnessed || !world.clients[0].evicted || !world.clients[1].evicted,
			"witness");
}

int model_holds(void)
{
	if (broken != NULL)
		printf("model: violated: %s\n", broken);
	return broken == NULL;
}
