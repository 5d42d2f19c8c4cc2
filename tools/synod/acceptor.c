/* The acceptor as a process: the shipped role, and the value of each vote. */
#include <inttypes.h>
#include <string.h>

#include "consensus/acceptor.h"
#include "tools/synod/synod.h"

static const struct settings *settings;
static struct acceptor acceptor;
static struct value values[ROUNDS_MAX]; /* Of the vote for each round. */

void acceptor_start(const struct settings *s)
{
	settings = s;
	acceptor_init(&acceptor, ACCEPTOR_WINDOW);
}

static void refuse(const struct message *m)
{
	const struct message answer = {
		.type = MESSAGE_REFUSED,
		.flags = REFUSAL_BALLOT,
		.ballot = acceptor.promised,
		.first = m->first,
		.count = 1,
	};

	say(settings, "refuses ballot %" PRIu64 ":%u, for it promised %" PRIu64 ":%u",
		ballot_round(m->ballot), ballot_node(m->ballot), ballot_round(acceptor.promised),
		ballot_node(acceptor.promised));
	settings->wire->send(settings->wire->context, m->sender, &answer, NULL);
}

/* Its vote in a round, if it has one, to whoever asked for the promise or learns. */
static void tell_vote(uint32_t to, uint64_t ballot, uint64_t round)
{
	const struct vote *v = acceptor_vote(&acceptor, round);
	struct vote_body body = {0};
	struct message m = {
		.type = MESSAGE_VOTES,
		.ballot = ballot,
		.first = round,
		.watermark = round + 1,
	};

	if (v != NULL) {
		body.entry.sequence_length = entry_pack(ENTRY_COMMAND, 0, VALUE_MAX);
		body.value = values[round];
		body.record = (struct record){
			.ballot = v->ballot,
			.first = round,
			.count = 1,
			.bytes = ENTRY_BYTES + VALUE_MAX,
			.checksum = message_crc(&body.entry, ENTRY_BYTES + VALUE_MAX),
		};
		m.count = 1;
		m.payload_len = sizeof(body);
	}
	settings->wire->send(settings->wire->context, to, &m, &body);
}

static void on_prepare(const struct message *m)
{
	if (acceptor_on_prepare(&acceptor, m->ballot) != ACCEPTOR_PROMISED) {
		refuse(m);
		return;
	}
	say(settings, "promises ballot %" PRIu64 ":%u", ballot_round(m->ballot),
		ballot_node(m->ballot));
	tell_vote(m->sender, m->ballot, m->first);
}

static void on_accept(const struct message *m, const uint8_t *body)
{
	const struct run run = {
		.ballot = m->ballot,
		.first = m->first,
		.position = m->first,
		.checksum = m->checksum,
		.count = 1,
	};
	enum acceptor_answer answer = acceptor_on_accept(&acceptor, &run);
	const struct range range = {.first = m->first, .count = 1};
	const struct message accepted = {
		.type = MESSAGE_ACCEPTED,
		.ballot = m->ballot,
		.count = 1,
		.payload_len = sizeof(range),
	};

	if (answer != ACCEPTOR_VOTED && answer != ACCEPTOR_REPEATED) {
		refuse(m);
		return;
	}
	if (answer == ACCEPTOR_VOTED) {
		memcpy(&values[m->first], body + ENTRY_BYTES, VALUE_MAX);
		say(settings, "votes for \"%s\" at ballot %" PRIu64 ":%u", values[m->first].text,
			ballot_round(m->ballot), ballot_node(m->ballot));
	}
	settings->wire->send(settings->wire->context, m->sender, &accepted, &range);
	tell_vote(LEARNER, m->ballot, m->first);
}

void acceptor_hear(const struct message *m, const uint8_t *body)
{
	if (m->first >= ROUNDS_MAX)
		return;
	if (m->type == MESSAGE_PREPARE)
		on_prepare(m);
	else if (m->type == MESSAGE_ACCEPT && m->count == 1 &&
		m->payload_len == ENTRY_BYTES + VALUE_MAX)
		on_accept(m, body);
}
