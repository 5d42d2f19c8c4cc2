#include "consensus/replica_answers.h"

#include "consensus/replica_records.h"
#include "consensus/replica_reports.h"
#include "consensus/watch.h"

/* ---- Acknowledgements ---- */

static void send_acks(struct acceptor_stage *s)
{
	if (s->acks_count == 0)
		return;
	const struct message answer = {
		.type = MESSAGE_ACCEPTED,
		.ballot = s->acks_ballot,
		.count = (uint16_t)s->acks_count,
		.payload_len = (uint16_t)(s->acks_count * sizeof(struct range)),
		.watermark = s->acceptor.delivered,
		.shard = (uint16_t)s->shard,
	};

	for (uint32_t i = 0; s->outlet->details && i < s->acks_count; i++)
		watch_detail(s->outlet, TRANSITION_TOLD_VOTES, s->acks_ballot, s->acks[i].first,
			(uint32_t)s->acks[i].count, s->acks_to);
	s->parts[0] = (struct part){.bytes = s->acks, .length = answer.payload_len};
	s->acks_count = 0;
	acceptor_send_members(s, 1u << s->acks_to, &answer, 1);
}

/* The votes of a burst, behind their records: first ones, and repeated ones as well. */
static void gate_acks(struct acceptor_stage *s)
{
	for (uint32_t i = 0; i < s->acks_count; i++)
		gate_add(&s->gate,
			&(struct gated){
				.kind = GATE_VOTE,
				.ballot = s->acks_ballot,
				.member = (uint8_t)s->acks_to,
				.first = s->acks[i].first,
				.count = (uint16_t)s->acks[i].count,
			});
	s->acks_count = 0;
}

void acceptor_end_acks(struct acceptor_stage *s)
{
	if (__builtin_expect(s->gated, 0) && s->gate.durable < s->gate.appended)
		gate_acks(s);
	else
		send_acks(s);
}

/* Does this range not go with the others? */
static bool acks_end(const struct acceptor_stage *s, uint64_t ballot, uint32_t to)
{
	return s->acks_count > 0 &&
		(s->acks_ballot != ballot || s->acks_to != to ||
			s->acks_count == ACCEPTOR_RANGES_MAX);
}

/* Ranges are votes, and nothing else is: runs that touch share one, a hole starts another. */
static void add_ack(struct acceptor_stage *s, uint64_t ballot, uint32_t to,
	const struct range *range)
{
	s->acks_ballot = ballot;
	s->acks_to = to;

	struct range *last = &s->acks[s->acks_count > 0 ? s->acks_count - 1 : 0];

	if (s->acks_count > 0 && last->first + last->count == range->first &&
		last->count + range->count <= ACCEPTOR_WINDOW) {
		last->count += range->count;
		return;
	}
	s->acks[s->acks_count++] = *range;
}

void acceptor_acknowledge(struct acceptor_stage *s, uint64_t ballot, uint32_t to, uint64_t first,
	uint32_t count)
{
	const struct range range = {.first = first, .count = count};

	if (acks_end(s, ballot, to))
		acceptor_end_acks(s);
	add_ack(s, ballot, to, &range);
}

/* ---- What waits for the disk ---- */

static void send_promise(struct acceptor_stage *s, uint64_t ballot, uint32_t to)
{
	const struct message promise = {
		.type = MESSAGE_PROMISE,
		.ballot = ballot,
		.first = s->acceptor.lo,
		.watermark = s->acceptor.high,
		.shard = (uint16_t)s->shard,
	};

	watch_detail(s->outlet, TRANSITION_TOLD_PROMISE, ballot, promise.first, 0,
		promise.watermark);
	/* Our own election hears of it too: for one timeout it supports no other candidate. */
	acceptor_send_members(s, 1u << to | 1u << s->settings->self, &promise, 0);
}

static void confirm_read(struct acceptor_stage *s, const struct message *m)
{
	if (s->acceptor.promised > m->ballot) {
		acceptor_refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	const struct message confirm = {
		.type = MESSAGE_READ_CONFIRM,
		.ballot = m->ballot,
		.first = m->first,
		.shard = (uint16_t)s->shard,
	};

	acceptor_send_members(s, 1u << m->sender, &confirm, 0);
}

/* The message that a waiting pull or read round was. */
static struct message question_of(const struct gated *w)
{
	return (struct message){
		.ballot = w->ballot,
		.first = w->first,
		.watermark = w->end,
		.sender = w->member,
	};
}

static void release_one(struct acceptor_stage *s, const struct gated *w)
{
	const struct range range = {.first = w->first, .count = w->count};
	const struct message question = question_of(w);

	switch (w->kind) {
	case GATE_VOTE:
		if (acks_end(s, w->ballot, w->member))
			send_acks(s);
		add_ack(s, w->ballot, w->member, &range);
		return;
	case GATE_PROMISE:
		/* An older one would only be refused at its first pull. */
		if (s->acceptor.promised == w->ballot)
			send_promise(s, w->ballot, w->member);
		return;
	case GATE_PULL:
		acceptor_report_votes(s, &question);
		return;
	default:
		confirm_read(s, &question);
		return;
	}
}

void acceptor_release(struct acceptor_stage *s, const struct message *m)
{
	const struct gated *w;

	/* What this burst voted for so far waits behind its own records. */
	if (s->gated)
		gate_acks(s);
	gate_open(&s->gate, m->first);
	watch_detail(s->outlet, TRANSITION_DURABLE, 0, 0, 0, m->first);
	acceptor_trim_durable(s, m->watermark);
	while ((w = gate_take(&s->gate)) != NULL)
		release_one(s, w);
	send_acks(s);
}

void acceptor_answer_promise(struct acceptor_stage *s, const struct message *m)
{
	const struct gated promise = {
		.kind = GATE_PROMISE,
		.ballot = m->ballot,
		.member = m->sender,
	};

	if (s->gated && s->gate.durable < s->gate.promised)
		gate_add(&s->gate, &promise);
	else
		send_promise(s, m->ballot, m->sender);
}

bool acceptor_answer_question(struct acceptor_stage *s, const struct message *m)
{
	bool pull = m->type == MESSAGE_PULL;
	/* Votes are told once they all are durable; for a read it is the promise that counts. */
	uint64_t needs = pull ? s->gate.appended : s->gate.promised;
	const struct gated question = {
		.kind = pull ? GATE_PULL : GATE_READ,
		.ballot = m->ballot,
		.first = m->first,
		.end = m->watermark,
		.member = m->sender,
	};

	if (s->gated && s->gate.durable < needs) {
		if (!gate_room(&s->gate, s->acks_count + 1))
			return false;
		gate_add(&s->gate, &question);
		return true;
	}
	if (pull)
		acceptor_report_votes(s, m);
	else
		confirm_read(s, m);
	return true;
}
