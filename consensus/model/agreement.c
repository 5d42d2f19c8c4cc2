#include "consensus/model/agreement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;
uint8_t model_key[KEY_BYTES];

/* The name of a broken invariant, or NULL. */
static const char *broken;

static void check_that(bool holds, const char *name)
{
	if (!holds && broken == NULL)
		broken = name;
}

/* ---- Outcomes that are known ---- */

enum {
	OUTCOMES_MAX = 1 << 24
};

static struct known {
	uint64_t question; /* Place, step and argument; 0: empty. */
	struct outcome *outcome;
} * known;

static struct outcome *ask_node(uint32_t place, uint32_t self, enum step step, uint32_t argument)
{
	uint64_t question = ((uint64_t)place * STEPS + step) * MAILS_MAX + argument + 1;
	uint64_t at = question * 0x9e3779b97f4a7c15ull >> 40;
	struct node node;

	for (; known[at].question != 0; at = (at + 1) % OUTCOMES_MAX)
		if (known[at].question == question)
			return known[at].outcome;
	struct outcome *out = malloc(sizeof(*out));

	node = *place_at(place);
	if (node_offers(&node, step, argument)) {
		node_step(&node, self, step, argument, out);
		out->place = place_number(&node, self);
	} else {
		*out = (struct outcome){.place = place};
	}
	known[at] = (struct known){.question = question, .outcome = out};
	return out;
}

/* ---- What was chosen ---- */

static enum value chosen_value(uint32_t instance)
{
	for (uint32_t b = 0; b < BALLOTS; b++)
		if (quorum_phase2(&model_quorum, world.voters[b][instance]))
			return (enum value)world.proposed[b][instance];
	return VALUE_NONE;
}

static void check_agreement(void)
{
	for (uint32_t i = 0; i < INSTANCES; i++) {
		enum value chosen = chosen_value(i);

		for (uint32_t b = 0; b < BALLOTS; b++)
			check_that(!quorum_phase2(&model_quorum, world.voters[b][i]) ||
					world.proposed[b][i] == chosen,
				"agreement");
	}
}

/* Is there a phase-1 quorum that promised this ballot, and whose highest vote below it, if there is
 * any, is for this value? (Lamport, Paxos Made Simple, P2c.) Or is the value known chosen? */
static bool is_safe(uint32_t rank, uint32_t instance, enum value value)
{
	const uint32_t promised = world.promisers[rank];

	for (uint32_t members = promised; members != 0; members = (members - 1) & promised) {
		uint32_t b = rank;

		if (!quorum_phase1(&model_quorum, members))
			continue;
		while (b > 0 && (world.voters[b - 1][instance] & members) == 0)
			b--;
		if (b == 0 || world.proposed[b - 1][instance] == value)
			return true;
	}
	return chosen_value(instance) == value;
}

/* ---- What is sent ---- */

static bool was_sent(uint32_t number)
{
	for (uint32_t i = 0; i < world.mails_count; i++)
		if (world.mails[i] == number)
			return true;
	return false;
}

/* To each member, but it is one proposal. */
static void note_proposal(const struct mail *mail, const struct proposer *p)
{
	const uint32_t rank = ballot_rank(mail->m.ballot);

	if (mail->to != 0)
		return;
	check_that((p->quorum & ~(uint32_t)world.promisers[rank]) == 0, "P4");
	for (uint32_t i = 0; i < mail->m.count; i++) {
		uint32_t instance = (uint32_t)mail->m.first + i;
		enum value value = entries_value(mail->body, mail->m.payload_len, i);

		check_that(world.proposed[rank][instance] == VALUE_NONE, "P5");
		check_that(is_safe(rank, instance, value), "R1");
		world.proposed[rank][instance] = (uint8_t)value;
	}
}

static void note_votes(const struct mail *mail)
{
	const struct range *ranges = (const struct range *)(const void *)mail->body;

	for (uint32_t k = 0; k < mail->m.count; k++)
		for (uint64_t i = ranges[k].first; i < ranges[k].first + ranges[k].count; i++)
			world.voters[ballot_rank(mail->m.ballot)][i] |=
				(uint16_t)(1u << mail->m.sender);
}

static void make_step(uint32_t self, const struct outcome *out);

static bool is_answer(const struct message *m)
{
	return m->type == MESSAGE_PROMISE || m->type == MESSAGE_VOTES ||
		m->type == MESSAGE_ACCEPTED || m->type == MESSAGE_REFUSED;
}

static bool does_nothing(uint32_t self, const struct outcome *out)
{
	return out->place == world.places[self] && out->sent_count == 0 && out->broken == NULL;
}

/* Is this of no use any more? It was sent before, or is a report again, to who has left the
 * question behind: that one may be asked for anew, so its loss leaves nothing out. */
static bool is_stale(uint32_t number)
{
	const struct mail *mail = mail_at(number);
	bool again = mail->m.type == MESSAGE_VOTES || mail->m.type == MESSAGE_REFUSED ||
		(mail->m.type == MESSAGE_PROMISE &&
			(world.promisers[ballot_rank(mail->m.ballot)] >> mail->m.sender & 1) != 0);

	if (was_sent(number))
		return true;
	return AT_ONCE && again &&
		does_nothing(mail->to,
			ask_node(world.places[mail->to], mail->to, STEP_HEAR, number));
}

static void send(uint32_t number, const struct node *from)
{
	const struct mail *mail = mail_at(number);

	/* Nothing is proposed twice, not even the same. */
	if (mail->m.type == MESSAGE_ACCEPT)
		note_proposal(mail, &from->proposer);
	if (is_stale(number))
		return;
	if (mail->m.type == MESSAGE_PROMISE)
		world.promisers[ballot_rank(mail->m.ballot)] |= (uint16_t)(1u << mail->m.sender);
	if (mail->m.type == MESSAGE_ACCEPTED)
		note_votes(mail);
	if (world.mails_count == NETWORK_MAX) {
		printf("model: more messages than one state has room for\n");
		exit(1);
	}
	world.mails[world.mails_count++] = (uint16_t)number;
	if (AT_ONCE && is_answer(&mail->m))
		make_step(mail->to, ask_node(world.places[mail->to], mail->to, STEP_HEAR, number));
}

/* ---- What must hold of a node and the others ---- */

static void check_window(const struct proposer *p)
{
	for (uint64_t i = 0; i < INSTANCES; i++)
		check_that(p->state < PROPOSER_REPROPOSING || i >= p->window.chosen ||
				world.proposed[ballot_rank(p->ballot)][i] == VALUE_NONE ||
				quorum_phase2(&model_quorum,
					world.voters[ballot_rank(p->ballot)][i]),
			"P2");
}

static void check_delivered(const struct node *node)
{
	for (uint32_t i = 0; i < node->learner.delivered; i++)
		check_that(node->delivered[i] == chosen_value(i), "D1");
}

static void make_step(uint32_t self, const struct outcome *out)
{
	const struct node *is = place_at(out->place);

	check_that(out->broken == NULL, out->broken);
	world.places[self] = out->place;
	for (uint32_t i = 0; i < out->sent_count; i++)
		send(out->sent[i], is);
	check_window(&place_at(world.places[self])->proposer);
	check_delivered(place_at(world.places[self]));
}

/* ---- Witnesses: what the model must be able to come to, else its silence says nothing ---- */

static bool witness(const struct node *was, const struct node *is)
{
	switch (WITNESS) {
	case 1: /* The last ballot chooses. */
		return quorum_phase2(&model_quorum, world.voters[BALLOTS - 1][INSTANCES - 1]);
	case 2: /* Something is chosen at a ballot that was begun after a crash. */
		for (uint32_t b = 0; b < BALLOTS; b++)
			if ((world.restarted >> b & 1) != 0 &&
				quorum_phase2(&model_quorum, world.voters[b][INSTANCES - 1]))
				return true;
		return false;
	case 3: /* A value is adopted from a report. */
		return was->proposer.state == PROPOSER_PULLING && is->proposer.window.next > 0;
	case 4: /* A candidate catches up, then goes on. */
		return was->proposer.state == PROPOSER_CATCHING_UP &&
			is->proposer.state >= PROPOSER_PULLING;
	case 5: /* All deliver everything. */
		for (uint32_t n = 0; n < NODES; n++)
			if (place_at(world.places[n])->learner.delivered < INSTANCES)
				return false;
		return true;
	default:
		return false;
	}
}

/* ---- Events ---- */

enum {
	EVENT_HEAR = 0,
	EVENT_START = EVENT_HEAR + NETWORK_MAX,
	EVENT_RESTART = EVENT_START + BALLOTS,
	EVENT_TAKE = EVENT_RESTART + BALLOTS,
	EVENT_CRASH = EVENT_TAKE + PROPOSERS * 4,
	EVENT_FETCH = EVENT_CRASH + NODES,
	EVENTS = EVENT_FETCH + (LEARNERS ? NODES * NODES : 0),
};
static_assert((int)EVENTS <= (int)MODEL_EVENTS, "the Promela offers so many");

static void begin(void)
{
	static struct node node;

	known = calloc(OUTCOMES_MAX, sizeof(*known));
	for (uint32_t i = 0; i < NODES; i++) {
		node_begin(&node, i);
		world.places[i] = place_number(&node, i);
	}
}

/* Which node an event is of, and what it comes to; NULL: nothing. */
static struct outcome *outcome_of(int event, uint32_t *self)
{
	enum step step = STEP_HEAR;
	uint32_t argument;

	if (event < EVENT_START) {
		if ((uint32_t)event >= world.mails_count)
			return NULL;
		argument = world.mails[event];
		*self = mail_at(argument)->to;
	} else if (event < EVENT_TAKE) {
		step = event < EVENT_RESTART ? STEP_START : STEP_RESTART;
		argument = (uint32_t)(event - EVENT_START) % BALLOTS;
		*self = ballot_node(ballot_at(argument));
	} else if (event < EVENT_CRASH) {
		step = STEP_TAKE;
		argument = (uint32_t)(event - EVENT_TAKE) % 4;
		*self = (uint32_t)(event - EVENT_TAKE) / 4;
	} else if (event < EVENT_FETCH) {
		step = STEP_CRASH;
		argument = 0;
		*self = (uint32_t)(event - EVENT_CRASH);
	} else {
		/* The answer to a fetch stays true: it is heard at once, or asked for again
		 * later. */
		uint32_t from = (uint32_t)(event - EVENT_FETCH) % NODES;

		*self = (uint32_t)(event - EVENT_FETCH) / NODES;
		uint64_t first = place_at(world.places[*self])->learner.delivered;

		if (from == *self || first >= INSTANCES)
			return NULL;
		const struct outcome *answer = ask_node(world.places[from], from, STEP_FETCH,
			*self * INSTANCES + (uint32_t)first);

		if (answer->sent_count == 0)
			return NULL;
		argument = answer->sent[0];
	}
	return ask_node(world.places[*self], *self, step, argument);
}

/* Would anything change? What a node does when it is asked again is known by then. */
int model_enabled(int event)
{
	uint32_t self;

	if (known == NULL)
		begin();
	if (event >= EVENTS)
		return 0;
	const struct outcome *out = outcome_of(event, &self);

	if (out == NULL)
		return 0;
	if (out->place != world.places[self] || out->broken != NULL)
		return 1;
	for (uint32_t i = 0; i < out->sent_count; i++)
		if (!is_stale(out->sent[i]))
			return 1;
	return 0;
}

/* ---- For a trail ---- */

static void tell_mail(const char *verb, const struct mail *mail)
{
	static const char *const types[] = {
		[MESSAGE_PREPARE] = "Prepare",
		[MESSAGE_PROMISE] = "Promise",
		[MESSAGE_PULL] = "Pull",
		[MESSAGE_VOTES] = "Votes",
		[MESSAGE_ACCEPT] = "Accept",
		[MESSAGE_ACCEPTED] = "Accepted",
		[MESSAGE_REFUSED] = "Trimmed",
		[MESSAGE_CHOSEN] = "Chosen",
		[MESSAGE_WATERMARK] = "watermark",
	};
	const struct message *m = &mail->m;

	printf("%s %s %u -> %u, ballot %llu.%u, first %llu, count %u, watermark %llu", verb,
		types[m->type], m->sender, mail->to, (unsigned long long)ballot_round(m->ballot),
		ballot_node(m->ballot), (unsigned long long)m->first, m->count,
		(unsigned long long)m->watermark);
	for (uint32_t i = 0; m->type == MESSAGE_ACCEPT && i < m->count; i++)
		printf(", value %u", entries_value(mail->body, m->payload_len, i));
	printf("\n");
}

static void tell_event(int event, uint32_t self)
{
	uint32_t rank = (uint32_t)(event - EVENT_START) % BALLOTS;

	if (event < EVENT_START)
		tell_mail("heard:", mail_at(world.mails[event]));
	else if (event < EVENT_TAKE)
		printf("node %u %s ballot %llu.%u\n", self,
			event < EVENT_RESTART ? "starts" : "crashes, and starts",
			(unsigned long long)ballot_round(ballot_at(rank)),
			ballot_node(ballot_at(rank)));
	else
		printf("node %u %s\n", self,
			event < EVENT_CRASH           ? "takes a command"
				: event < EVENT_FETCH ? "crashes"
						      : "fetches");
}

static void tell_world(void)
{
	static const char *const states[] = {"idle", "preparing itself", "preparing", "catching up",
		"pulling", "reproposing", "leading"};

	for (uint32_t n = 0; n < NODES; n++) {
		const struct node *node = place_at(world.places[n]);
		const struct acceptor *a = &node->acceptor.acceptor;

		printf("    node %u promised %llu.%u, lo %llu", n,
			(unsigned long long)ballot_round(a->promised), ballot_node(a->promised),
			(unsigned long long)a->lo);
		for (uint32_t i = 0; i < INSTANCES; i++) {
			const struct vote *v = acceptor_vote(a, i);

			if (v != NULL)
				printf(", [%u] = %u %s %llu.%u", i, acceptor_value(node, i),
					v->state == VOTE_CHOSEN ? "chosen" : "at",
					(unsigned long long)ballot_round(v->ballot),
					ballot_node(v->ballot));
		}
		printf(", delivered %llu", (unsigned long long)node->learner.delivered);
		if (n < PROPOSERS)
			printf(", %s %llu.%u", states[node->proposer.state],
				(unsigned long long)ballot_round(node->proposer.ballot),
				ballot_node(node->proposer.ballot));
		printf("\n");
	}
}

void model_fire(int event)
{
	uint32_t self = 0;
	const struct outcome *out = outcome_of(event, &self);
	const struct node *was = place_at(world.places[self]);

	broken = NULL;
	if (TELL)
		tell_event(event, self);
	if (event >= EVENT_RESTART && event < EVENT_TAKE)
		world.restarted |= 1u << (event - EVENT_RESTART);
	make_step(self, out);
	check_agreement();
	names_key(model_key, world.places, world.mails, world.mails_count);
	if (TELL)
		tell_world();
	/* What only a witness asks for parts states only there. */
	if (WITNESS != 0) {
		model_key[KEY_BYTES - 1] = (uint8_t)world.restarted;
		check_that(!witness(was, place_at(world.places[self])), "witness");
	}
}

int model_holds(void)
{
	if (broken != NULL)
		printf("model: violated: %s\n", broken);
	return broken == NULL;
}
