#include "consensus/model/agreement.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/check.h"

struct quorum model_quorum;

static struct replica_settings settings[NODES];
static struct outlet outlets[NODES];

/* The roles point into what they are given: a step is made here, and copied back. */
static struct node node;
static struct node before;
static uint32_t self;
static struct outcome *outcome;

static void check_that(bool holds, const char *name)
{
	if (!holds && outcome->broken == NULL)
		outcome->broken = name;
}

/* ---- Where a CHECK of the roles ends ---- */

static jmp_buf failed;

void check_failed(const char *condition, const char *file, int line)
{
	printf("model: broken invariant at %s:%d: %s\n", file, line, condition);
	longjmp(failed, 1);
}

/* ---- Runs ---- */

enum value entries_value(const uint8_t *entries, uint32_t bytes, uint32_t index)
{
	if (bytes == 0)
		return VALUE_NOOP;
	return (enum value)((const struct entry *)(const void *)entries)[index].session;
}

enum value acceptor_value(const struct node *at, uint64_t instance)
{
	const struct vote *v = acceptor_vote(&at->acceptor.acceptor, instance);
	struct log log = at->acceptor.log;

	if (v == NULL)
		return VALUE_NONE;
	if (v->position == POSITION_NOOP)
		return VALUE_NOOP;
	/* Where a step is made its log is elsewhere than where a copy of the node is kept. */
	log.bytes = (uint8_t *)(uintptr_t)at->log;
	const struct record *r = log_at(&log, v->position);

	return entries_value((const uint8_t *)(r + 1), r->bytes, (uint32_t)(instance - r->first));
}

/* ---- What is sent ---- */

/* What makes no difference to who hears it is left out: it would only part states that are
 * alike. */
static void post(const struct message *m, const uint8_t *body, uint32_t to)
{
	struct mail mail;

	memset(&mail, 0, sizeof(mail));
	mail.m.type = m->type;
	mail.m.flags = m->flags;
	mail.m.sender = m->sender;
	mail.m.ballot = m->ballot;
	mail.m.first = m->first;
	mail.m.count = m->count;
	mail.m.checksum = m->type == MESSAGE_ACCEPT ? m->checksum : 0;
	mail.m.payload_len = m->payload_len;
	if (m->type != MESSAGE_ACCEPT && m->type != MESSAGE_ACCEPTED)
		mail.m.watermark = m->watermark;
	if (m->payload_len > 0)
		memcpy(mail.body, body, m->payload_len);
	mail.to = to;
	if (outcome->sent_count == SENT_MAX) {
		printf("model: a step sends more than %d messages\n", SENT_MAX);
		exit(1);
	}
	outcome->sent[outcome->sent_count++] = (uint16_t)mail_number(&mail);
}

static void hear_voted(const struct message *m, const struct part *parts)
{
	uintptr_t values = 0;
	void *replaced;

	for (uint32_t i = 0; i < m->count; i++)
		values |= (uintptr_t)entries_value(parts[0].bytes, m->payload_len, i)
			<< 2 * (m->first + i);
	const struct learner_run run = {
		.first = m->first,
		.ballot = m->ballot,
		.frame = (void *)values, /* What a learner keeps, and gives back, for each run. */
		.count = m->count,
		.bytes = m->payload_len,
		.chosen = (m->flags & FLAG_CHOSEN) != 0,
	};

	learner_add(&node.learner, &run, &replaced);
}

static void send(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct message sent = *m;
	_Alignas(8) uint8_t body[BODY_MAX];
	uint32_t bytes = 0;

	(void)context;
	if (to->local) {
		if (m->type == MESSAGE_VOTED)
			hear_voted(m, parts);
		return;
	}
	/* A refusal for its ballot only makes a proposer silent, which each may be at any time; and
	 * of a promise the own election is told too, which is another model's. */
	if (m->type == MESSAGE_REFUSED && m->flags != REFUSAL_TRIMMED)
		return;
	for (uint32_t i = 0; i < parts_count; i++) {
		memcpy(body + bytes, parts[i].bytes, parts[i].length);
		bytes += parts[i].length;
	}
	sent.sender = (uint8_t)self;
	/* What it tells binds it. */
	if (m->type == MESSAGE_PROMISE || m->type == MESSAGE_ACCEPTED)
		check_that(m->ballot <= node.acceptor.acceptor.promised, "A1");
	for (uint32_t i = 0; i < NODES; i++)
		if ((to->members >> i & 1) != 0 &&
			(m->type != MESSAGE_PROMISE || i == ballot_node(m->ballot)))
			post(&sent, body, i);
}

static uint32_t room(void *context)
{
	(void)context;
	return STAGE_ROOM;
}

/* ---- The proposer: what its stage does around it ---- */

static void propose(uint64_t first, uint32_t count, const uint8_t *body, uint32_t bytes)
{
	const struct proposer *p = &node.proposer;
	uint32_t member = 0;
	const struct message m = {
		.type = MESSAGE_ACCEPT,
		.flags = bytes == 0 ? FLAG_NOOP : 0,
		.ballot = p->ballot,
		.first = first,
		.count = (uint16_t)count,
		.sender = (uint8_t)self,
		.checksum = message_crc(body, bytes),
		.payload_len = (uint16_t)bytes,
	};

	check_that(quorum_phase1(&model_quorum, p->quorum), "P4");
	check_that(first >= proposer_prefix(p, &member), "P4");
	for (uint32_t i = 0; i < NODES; i++)
		post(&m, body, i);
}

static void ask(void)
{
	const struct proposer *p = &node.proposer;
	uint32_t members = proposer_unanswered(p);
	struct message m = {
		.type = p->state == PROPOSER_PULLING ? MESSAGE_PULL : MESSAGE_PREPARE,
		.ballot = p->ballot,
		.sender = (uint8_t)self,
	};

	for (uint32_t i = 0; i < NODES; i++) {
		if ((members >> i & 1) == 0)
			continue;
		if (p->state == PROPOSER_PULLING) {
			m.first = p->promises[i].covered;
			m.watermark = p->recovery.to;
		}
		post(&m, NULL, i);
	}
}

static bool repropose(void)
{
	_Alignas(8) uint8_t body[BODY_MAX];
	uint32_t bytes;
	uint64_t first;
	uint32_t count = proposer_repropose(&node.proposer, body, &bytes, &first, 0);

	if (count > 0)
		propose(first, count, body, bytes);
	return count > 0;
}

/* All that a proposer has to say now goes out at once: the network is free to be slow. */
static void settle(void)
{
	struct proposer *p = &node.proposer;

	do {
		if (proposer_asks(p, 0))
			ask();
	} while (p->state == PROPOSER_REPROPOSING &&
		(repropose() || p->state != PROPOSER_REPROPOSING));
}

static void start(uint64_t ballot)
{
	proposer_step_down(&node.proposer);
	proposer_start(&node.proposer, ballot);
	settle();
}

/* A run of new commands: this one, or this one and the other. */
static void take(uint32_t count, enum value value)
{
	const struct entry run[2] = {
		{.session = value, .sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)},
		{.session = VALUE_ONE + VALUE_TWO - value,
			.sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)},
	};
	uint64_t first = proposer_take(&node.proposer, count, 0);

	propose(first, count, (const uint8_t *)run, count * ENTRY_BYTES);
}

/* ---- The learner ---- */

/* The last node's log is short: it drops at once what it may, and instances a whole index further
 * on take the slots. (They are not in this model, what they do to these is.) */
static void forget(void)
{
	struct acceptor *a = &node.acceptor.acceptor;

	if (self != NODES - 1)
		return;
	acceptor_drop(a, a->lo);
	for (uint64_t i = 0; i < a->tail; i++)
		a->votes[i % VOTES_MAX].state = VOTE_NONE;
}

static void deliver(void)
{
	const struct learner_run *run;

	while ((run = learner_next(&node.learner)) != NULL) {
		for (uint32_t i = 0; i < run->count; i++) {
			check_that(node.delivered[run->first + i] == VALUE_NONE, "D2");
			node.delivered[run->first + i] =
				(uint8_t)((uintptr_t)run->frame >> 2 * (run->first + i) & 3);
		}
		learner_delivered(&node.learner);
		const struct message m = {
			.type = MESSAGE_DELIVERED,
			.first = node.learner.delivered,
		};

		acceptor_stage_on_message(&node.acceptor, &m, NULL, 0);
		forget();
		proposer_on_delivered(&node.proposer, node.learner.delivered);
		settle();
	}
}

static void tell_watermark(void)
{
	const struct proposer *p = &node.proposer;
	const struct message m = {
		.type = MESSAGE_WATERMARK,
		.ballot = p->ballot,
		.watermark = p->window.chosen,
		.sender = (uint8_t)self,
	};

	for (uint32_t i = 0; LEARNERS && i < NODES; i++)
		post(&m, NULL, i);
}

static void hear(const struct mail *mail)
{
	const struct message *m = &mail->m;
	struct proposer *p = &node.proposer;

	switch (m->type) {
	case MESSAGE_PREPARE:
	case MESSAGE_PULL:
	case MESSAGE_ACCEPT:
	case MESSAGE_CHOSEN:
		acceptor_stage_on_message(&node.acceptor, m, mail->body, 0);
		acceptor_stage_flush(&node.acceptor, 0);
		break;
	case MESSAGE_PROMISE:
		proposer_on_promise(p, m);
		break;
	case MESSAGE_VOTES:
		proposer_on_votes(p, m, mail->body);
		break;
	case MESSAGE_REFUSED:
		proposer_on_trimmed(p, m);
		break;
	case MESSAGE_ACCEPTED:
		if (proposer_on_accepted(p, m, mail->body))
			tell_watermark();
		break;
	case MESSAGE_WATERMARK:
		learner_on_watermark(&node.learner, m->ballot, m->watermark);
		break;
	default:
		break;
	}
	settle();
	deliver();
}

static void answer_fetch(uint32_t member, uint64_t first)
{
	const struct message m = {
		.type = MESSAGE_FETCH,
		.first = first,
		.sender = (uint8_t)member,
	};

	acceptor_stage_on_message(&node.acceptor, &m, NULL, 0);
}

/* ---- Starts and crashes ---- */

void node_begin(struct node *to, uint32_t id)
{
	const uint64_t uuids[MEMBER_MAX] = {0};
	const struct message enrolled = {.type = MESSAGE_ENROLLED};

	quorum_init_majority(&model_quorum, NODES);
	settings[id] = (struct replica_settings){
		.self = id,
		.members = NODES,
		.shards = 1,
		.body_max = BODY_MAX,
		.window = WINDOW_INSTANCES,
		.retransmit_ns = UINT64_MAX,
		.quorum = &model_quorum,
	};
	outlets[id] = (struct outlet){.send = send, .room = room};
	memset(&node, 0, sizeof(node));
	acceptor_stage_init(&node.acceptor, &settings[id], 0, &outlets[id], node.log, LOG_BYTES);
	acceptor_stage_on_message(&node.acceptor, &enrolled, (const uint8_t *)uuids, 0);
	learner_init(&node.learner);
	proposer_init(&node.proposer, &settings[id]);
	*to = node;
}

/* A slot's run is written again as it was, in the order of the records: votes by their ballots,
 * which never go down, and what is known chosen over them. */
static void replay(struct acceptor *a, const struct vote *v)
{
	const struct run run = {
		.ballot = v->ballot,
		.first = v->instance - v->index,
		.position = v->position,
		.checksum = v->checksum,
		.count = v->count,
	};

	if (v->state == VOTE_CHOSEN)
		acceptor_on_chosen(a, &run);
	else
		acceptor_on_accept(a, &run);
}

/* A crash takes what is not durable. What was told is, and a start comes to where it stood by the
 * same calls: so a crash of an acceptor is the loss of what is under way, and this changes
 * nothing. */
static void restart_acceptor(void)
{
	const struct acceptor *was = &before.acceptor.acceptor;
	struct acceptor *a = &node.acceptor.acceptor;

	acceptor_init(a, was->window);
	for (uint32_t rank = 0; rank <= BALLOTS; rank++)
		for (uint32_t i = 0; i < INSTANCES; i++) {
			const struct vote *v = acceptor_vote(was, i);

			if (v != NULL && v->ballot == (rank < BALLOTS ? ballot_at(rank) : 0))
				replay(a, v);
		}
	acceptor_on_prepare(a, was->promised);
	acceptor_trim(a, was->delivered);
	acceptor_drop(a, was->tail);
}

static void restart(uint64_t ballot)
{
	restart_acceptor();
	memset(&node.proposer, 0, sizeof(node.proposer));
	proposer_init(&node.proposer, &settings[self]);
	proposer_on_delivered(&node.proposer, node.learner.delivered);
	start(ballot);
}

/* ---- What must hold of each step ---- */

static bool same_vote(const struct vote *a, const struct vote *b)
{
	return a->ballot == b->ballot && a->position == b->position && a->count == b->count &&
		a->index == b->index && a->checksum == b->checksum;
}

static void check_vote(const struct acceptor *was, const struct acceptor *is, uint64_t instance)
{
	const struct vote *old = acceptor_vote(was, instance);
	const struct vote *new = acceptor_vote(is, instance);

	check_that(old == NULL || new != NULL || instance < is->tail, "A3");
	if (new == NULL)
		return;
	check_that(new->ballot <= is->promised, "A2");
	if (old != NULL && old->state == VOTE_CHOSEN) {
		check_that(new->state == VOTE_CHOSEN &&same_vote(old, new), "A4");
		return;
	}
	if (new->state == VOTE_CHOSEN)
		return;
	check_that(old == NULL || new->ballot > old->ballot || same_vote(old, new), "A3");
	if (old == NULL || new->ballot != old->ballot)
		check_that(was->lo <= instance && instance < was->lo + was->window, "A6");
}

static void check_acceptor(void)
{
	const struct acceptor *was = &before.acceptor.acceptor;
	const struct acceptor *is = &node.acceptor.acceptor;

	check_that(is->promised >= was->promised, "A1");
	check_that(is->lo >= was->lo && is->delivered >= was->delivered && is->tail >= was->tail &&
			is->lo <= is->delivered && is->tail <= is->delivered,
		"A5");
	for (uint32_t i = 0; i < INSTANCES; i++)
		check_vote(was, is, i);
	/* Only what was proposed twice at a ballot conflicts. */
	check_that(node.acceptor.counters.conflicts == 0, "P5");
	check_that(node.acceptor.counters.log_full == 0, "the model's log has room");
}

static void check_proposer(void)
{
	const struct proposer *was = &before.proposer;
	const struct proposer *is = &node.proposer;

	if (was->ballot != is->ballot || was->window.next > is->window.next)
		return;
	for (uint64_t run = was->window.oldest; run < was->window.next; run++) {
		const struct flight *old = &was->window.flights[run % WINDOW_INSTANCES];
		const struct flight *f = &is->window.flights[run % WINDOW_INSTANCES];

		check_that(run < is->window.oldest ||
				(f->first == old->first && f->count == old->count),
			"P1");
	}
}

static void check_learner(void)
{
	check_that(node.learner.delivered >= before.learner.delivered, "D2");
	for (uint32_t i = 0; i < INSTANCES; i++) {
		check_that((i < node.learner.delivered) == (node.delivered[i] != VALUE_NONE), "D2");
		check_that(i >= before.learner.delivered ||
				node.delivered[i] == before.delivered[i],
			"D2");
	}
}

/* ---- Steps ---- */

bool node_offers(const struct node *at, enum step step, uint32_t argument)
{
	const struct proposer *p = &at->proposer;
	uint32_t count = 1 + argument / 2;

	switch (step) {
	/* The election takes a ballot once in a process life, and after a start only one above all
	 * that this node had promised. (election.pml: none is taken twice.) */
	case STEP_START:
		return ballot_at(argument) > p->ballot;
	case STEP_RESTART:
		return ballot_at(argument) > at->acceptor.acceptor.promised;
	/* A leader takes no more commands than there is room for. */
	case STEP_TAKE:
		return count <= proposer_room(p) && p->window.end + count <= INSTANCES;
	default:
		return true;
	}
}

static void make_step(enum step step, uint32_t argument)
{
	switch (step) {
	case STEP_HEAR:
		hear(mail_at(argument));
		return;
	case STEP_START:
		start(ballot_at(argument));
		return;
	case STEP_RESTART:
		restart(ballot_at(argument));
		return;
	case STEP_CRASH:
		restart_acceptor();
		return;
	case STEP_TAKE:
		take(1 + argument / 2, argument % 2 == 0 ? VALUE_ONE : VALUE_TWO);
		return;
	case STEP_FETCH:
		answer_fetch(argument / INSTANCES, argument % INSTANCES);
		return;
	default:
		return;
	}
}

void node_step(struct node *at, uint32_t id, enum step step, uint32_t argument, struct outcome *out)
{
	before = *at;
	node = *at;
	self = id;
	outcome = out;
	out->sent_count = 0;
	out->broken = NULL;
	if (setjmp(failed) != 0) {
		check_that(false, "CHECK");
	} else {
		make_step(step, argument);
		check_acceptor();
		check_proposer();
		check_learner();
	}
	*at = node;
}
