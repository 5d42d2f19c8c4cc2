/*
 * The proposer as a process. Its states are those of the outline's proposer (4.2), but that the last
 * one, PAbort, leads back to a higher ballot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/synod/synod.h"

enum state {
	INIT,
	SENT_PREPARE,
	SENT_ACCEPT,
	ABORTED,
	DECIDED,
};

static const char *const names[] = {"PInit", "PSentPrep", "PSentAccReq", "PAbort", "PDecided"};

#define TIMEOUT_NS 20000000ull /* Of a phase; drawn between one and two of it. */

static const struct settings *settings;
static enum state state;
static uint32_t round_now;
static uint64_t ballot;
static uint64_t highest; /* Ballot heard of. */
static uint64_t until_ns;
static uint64_t random_state;
static uint32_t answers; /* Acceptors that promised, or voted, at `ballot`. */
static uint64_t adopted_ballot;
static struct value value; /* What it proposes: its own, or the one of the highest vote heard. */

void proposer_begin(const struct settings *s)
{
	settings = s;
	random_state = s->seed | 1;
}

static uint64_t wait_ns(uint64_t now_ns)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return now_ns + TIMEOUT_NS + random_state % TIMEOUT_NS;
}

static void enter(enum state next)
{
	say(settings, "%s -> %s, ballot %" PRIu64 ":%u, value \"%s\"", names[state], names[next],
		ballot_round(ballot), ballot_node(ballot), value.text);
	state = next;
	answers = 0;
}

static void send_all(const struct message *m, const void *body)
{
	for (uint32_t i = 0; i < ACCEPTORS; i++)
		settings->wire->send(settings->wire->context, i, m, body);
}

static void prepare(uint64_t now_ns)
{
	uint64_t above = highest > ballot ? highest : ballot;
	const struct message m = {
		.type = MESSAGE_PREPARE,
		.ballot = ballot_make(ballot_round(above) + 1, settings->id),
		.first = round_now,
	};

	ballot = m.ballot;
	value = settings->value;
	adopted_ballot = 0;
	until_ns = wait_ns(now_ns);
	enter(SENT_PREPARE);
	send_all(&m, NULL);
}

static void propose(void)
{
	struct {
		struct entry entry;
		struct value value;
	} body = {.value = value};
	const struct message m = {
		.type = MESSAGE_ACCEPT,
		.ballot = ballot,
		.first = round_now,
		.count = 1,
		.payload_len = sizeof(body),
	};

	body.entry.sequence_length = entry_pack(ENTRY_COMMAND, 0, VALUE_MAX);
	enter(SENT_ACCEPT);
	send_all(&m, &body);
}

static void on_votes(const struct message *m, const uint8_t *body)
{
	const struct vote_body *vote = vote_of(m, body);

	if (state != SENT_PREPARE || m->ballot != ballot || m->first != round_now)
		return;
	answers |= 1u << m->sender;
	/* The value of the highest vote, if any of the quorum has voted. */
	if (vote != NULL && vote->record.ballot > adopted_ballot) {
		adopted_ballot = vote->record.ballot;
		value = vote->value;
	}
	if (__builtin_popcount(answers) >= QUORUM)
		propose();
}

static void on_accepted(const struct message *m, const uint8_t *body)
{
	struct range range;

	memcpy(&range, body, sizeof(range));
	if (state != SENT_ACCEPT || m->ballot != ballot || range.first != round_now)
		return;
	answers |= 1u << m->sender;
	if (__builtin_popcount(answers) < QUORUM)
		return;
	enter(DECIDED);
	printf("proposer %u: round %u decided %s\n", settings->id, round_now, value.text);
	fflush(stdout);
}

void proposer_hear(const struct message *m, const uint8_t *body)
{
	if (m->sender >= ACCEPTORS)
		return;
	if (m->ballot > highest)
		highest = m->ballot;
	if (m->type == MESSAGE_VOTES)
		on_votes(m, body);
	else if (m->type == MESSAGE_ACCEPTED)
		on_accepted(m, body);
	else if (m->type == MESSAGE_REFUSED && m->ballot > ballot &&
		(state == SENT_PREPARE || state == SENT_ACCEPT))
		enter(ABORTED); /* A refused proposer asks for nothing more at this ballot. */
}

bool proposer_tick(uint64_t now_ns)
{
	if (state == DECIDED) {
		round_now++;
		if (round_now == settings->rounds)
			return true;
		state = INIT;
	}
	if (state == INIT || now_ns >= until_ns)
		prepare(now_ns);
	return false;
}
