#include "consensus/replica_acceptor.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_answers.h"
#include "consensus/replica_records.h"
#include "consensus/replica_reports.h"
#include "consensus/watch.h"

void acceptor_stage_init(struct acceptor_stage *s, const struct replica_settings *settings,
	uint32_t shard, struct outlet *outlet, uint8_t *log_bytes, uint64_t log_size)
{
	s->settings = settings;
	s->outlet = outlet;
	s->shard = shard;
	s->enrolled = false;
	s->failed = false;
	s->gated = false;
	s->journal = NULL;
	s->blind = 0;
	s->heard = (struct delivery){0};
	s->noted = (struct delivery){0};
	s->installed = 0;
	s->noted_at = 0;
	s->recorded_promise = 0;
	memset(s->uuids, 0, sizeof(s->uuids));
	memset(s->lives, 0, sizeof(s->lives));
	s->acks_ballot = 0;
	s->acks_to = 0;
	s->acks_count = 0;
	memset(&s->counters, 0, sizeof(s->counters));
	log_init(&s->log, log_bytes, log_size);
	gate_init(&s->gate);
	acceptor_init(&s->acceptor, ACCEPTOR_WINDOW);
}

void acceptor_stage_journal(struct acceptor_stage *s, const struct journal_port *journal)
{
	s->journal = journal;
	s->gated = s->settings->durability == DURABILITY_SYNC;
}

void acceptor_send_members(struct acceptor_stage *s, uint32_t members, const struct message *m,
	uint32_t parts_count)
{
	const struct target to = {.members = members};

	s->outlet->send(s->outlet->context, &to, m, s->parts, parts_count);
}

void acceptor_send_learner(struct acceptor_stage *s, const struct message *m, uint32_t parts_count)
{
	const struct target to = {.local = true};

	s->outlet->send(s->outlet->context, &to, m, s->parts, parts_count);
}

void acceptor_refuse(struct acceptor_stage *s, const struct message *m, enum refusal why)
{
	const struct message answer = {
		.type = MESSAGE_REFUSED,
		.flags = (uint8_t)why,
		.ballot = s->acceptor.promised,
		.first = m->first,
		.count = m->count,
		.watermark = why == REFUSAL_UNKNOWN ? s->blind : s->acceptor.lo,
		.shard = (uint16_t)s->shard,
	};

	outlet_watch(s->outlet, TRANSITION_REFUSED, answer.ballot, m->first, m->count);
	acceptor_send_members(s, 1u << m->sender, &answer, 0);
}

void acceptor_stage_flush(struct acceptor_stage *s, uint64_t now_ns)
{
	(void)now_ns;
	acceptor_end_acks(s);
	if (__builtin_expect(s->journal != NULL, 0))
		acceptor_note_delivered(s);
}

/* What the learner hears of a run that now stands in our log. */
static void tell_learner(struct acceptor_stage *s, const struct message *voted, const uint8_t *body)
{
	s->parts[0] = (struct part){.bytes = body, .length = voted->payload_len};
	acceptor_send_learner(s, voted, voted->payload_len > 0 ? 1 : 0);
}

/* For good: what the disk has by now nobody knows. */
static void on_disk_failed(struct acceptor_stage *s)
{
	s->failed = true;
	s->acks_count = 0; /* What waits at the gate stays there: it is never opened again. */
}

/* Can its record be appended, and its answer wait? Else the input is dropped, and comes again. */
static bool admits(struct acceptor_stage *s, uint32_t bytes)
{
	if (s->journal == NULL)
		return true;
	if (!s->journal->room(s->journal->context, bytes)) {
		s->counters.journal_full++;
		return false;
	}
	if (!gate_room(&s->gate, s->acks_count + 1)) {
		s->counters.gate_full++;
		return false;
	}
	return true;
}

/* Is what this acceptor may have voted for there lost to a damaged disk? */
static bool is_blind(const struct acceptor_stage *s, uint64_t first)
{
	return first < s->blind && s->acceptor.lo < s->blind;
}

static void refuse_unknown(struct acceptor_stage *s, const struct message *m)
{
	s->counters.unknown++;
	acceptor_refuse(s, m, REFUSAL_UNKNOWN);
}

/* ---- What is heard ---- */

static void on_prepare(struct acceptor_stage *s, const struct message *m)
{
	if (!admits(s, 0))
		return;
	if (is_blind(s, 0)) {
		refuse_unknown(s, m);
		return;
	}
	enum acceptor_answer answer = acceptor_on_prepare(&s->acceptor, m->ballot);

	if (answer != ACCEPTOR_PROMISED) {
		s->counters.too_high += answer == ACCEPTOR_TOO_HIGH;
		s->counters.refused++;
		acceptor_refuse(s, m, REFUSAL_BALLOT);
		return;
	}
	outlet_watch(s->outlet, TRANSITION_PROMISED, m->ballot, s->acceptor.lo, 0);
	if (s->journal != NULL)
		acceptor_record_promise(s);
	acceptor_answer_promise(s, m);
}

/* Both wait for the disk, or are answered; if neither can be, they come again. */
static void on_question(struct acceptor_stage *s, const struct message *m)
{
	if (is_blind(s, 0)) {
		refuse_unknown(s, m);
		return;
	}
	if (!acceptor_answer_question(s, m))
		s->counters.gate_full++;
}

/* A new vote stands in the index: its record goes to the log, it is told, and heard by the learner. */
static void record_vote(struct acceptor_stage *s, const struct message *m, const uint8_t *body)
{
	struct message voted = *m;

	voted.type = MESSAGE_VOTED;
	voted.shard = (uint16_t)s->shard;
	voted.checksum_known = true;
	s->counters.votes++;
	watch_values(s->outlet, body, m->payload_len);
	outlet_watch(s->outlet, TRANSITION_VOTED, m->ballot, m->first, m->count);
	if (__builtin_expect(s->journal != NULL, 0))
		acceptor_record_run(s, JOURNAL_VOTE, m, body);
	acceptor_acknowledge(s, m->ballot, m->sender, m->first, m->count);
	/* Late: the log is stored past the cache, and what is stored, and soon read, behind that would
	 * wait for all of it. */
	if (m->flags != FLAG_NOOP) {
		const struct record record = {
			.ballot = m->ballot,
			.first = m->first,
			.checksum = m->checksum,
			.count = m->count,
			.bytes = m->payload_len,
		};

		log_append(&s->log, &record, body);
	}
	tell_learner(s, &voted, body);
}

static void on_accept(struct acceptor_stage *s, const struct message *m, const uint8_t *body)
{
	struct acceptor *a = &s->acceptor;
	struct run run = {
		.ballot = m->ballot,
		.first = m->first,
		.position = POSITION_NOOP,
		.checksum = m->checksum,
		.count = m->count,
	};

	if (__builtin_expect(s->journal != NULL, 0)) {
		if (!admits(s, m->payload_len))
			return;
		if (is_blind(s, m->first)) {
			refuse_unknown(s, m);
			return;
		}
	}
	if (m->flags != FLAG_NOOP) {
		if (!log_reserve(&s->log, a, m->payload_len)) {
			s->counters.log_full++;
			acceptor_refuse(s, m, REFUSAL_BEHIND);
			return;
		}
		run.position = log_next(&s->log, m->payload_len);
	}
	switch (acceptor_on_accept(a, &run)) {
	case ACCEPTOR_VOTED:
		record_vote(s, m, body);
		return;
	case ACCEPTOR_REPEATED:
		s->counters.repeats++;
		watch_values(s->outlet, body, m->payload_len);
		watch_detail(s->outlet, TRANSITION_REPEATED, m->ballot, m->first, m->count, 0);
		acceptor_acknowledge(s, m->ballot, m->sender, m->first, m->count);
		return;
	case ACCEPTOR_TRIMMED:
		s->counters.trimmed++;
		acceptor_refuse(s, m, REFUSAL_TRIMMED);
		return;
	case ACCEPTOR_BEHIND:
		s->counters.behind++;
		acceptor_refuse(s, m, REFUSAL_BEHIND);
		return;
	case ACCEPTOR_CONFLICT:
		s->counters.conflicts++;
		acceptor_refuse(s, m, REFUSAL_CONFLICT);
		return;
	case ACCEPTOR_TOO_HIGH:
		s->counters.too_high++;
		acceptor_refuse(s, m, REFUSAL_BALLOT);
		return;
	default:
		s->counters.refused++;
		acceptor_refuse(s, m, REFUSAL_BALLOT);
		return;
	}
}

static void store_chosen(struct acceptor_stage *s, const struct message *m, const struct record *r)
{
	struct acceptor *a = &s->acceptor;
	bool noop = r->flags == FLAG_NOOP;
	const uint8_t *body = (const uint8_t *)(r + 1);
	struct run run = {
		.first = r->first,
		.position = POSITION_NOOP,
		.checksum = r->checksum,
		.count = r->count,
	};

	if (!admits(s, r->bytes))
		return;
	if (!noop) {
		if (!log_reserve(&s->log, a, r->bytes)) {
			s->counters.log_full++;
			return;
		}
		run.position = log_next(&s->log, r->bytes);
	}
	enum acceptor_answer answer = acceptor_on_chosen(a, &run);

	if (answer == ACCEPTOR_BEHIND)
		return;
	if (answer == ACCEPTOR_STORED && !noop)
		log_append(&s->log, r, body);
	s->counters.chosen++;
	/* Below `lo` nothing is kept; but a learner that lost its snapshot may stand there. */
	if (answer != ACCEPTOR_TRIMMED) {
		watch_values(s->outlet, body, r->bytes);
		outlet_watch(s->outlet, TRANSITION_STORED, 0, r->first, r->count);
	}
	const struct message voted = {
		.type = MESSAGE_VOTED,
		.first = r->first,
		.count = r->count,
		.checksum = r->checksum,
		.payload_len = r->bytes,
		.flags = (uint8_t)(FLAG_CHOSEN | (noop ? FLAG_NOOP : 0)),
		.shard = (uint16_t)s->shard,
		.sender = m->sender,
		.checksum_known = true,
	};

	if (answer == ACCEPTOR_STORED && s->journal != NULL)
		acceptor_record_run(s, JOURNAL_CHOSEN, &voted, body);
	tell_learner(s, &voted, body);
}

static void on_chosen(struct acceptor_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t offset = 0;
	const struct record *r;

	if (m->count == 0) {
		const struct message gone = {
			.type = MESSAGE_GONE,
			.first = m->first,
			.watermark = m->watermark,
			.sender = m->sender,
		};

		acceptor_send_learner(s, &gone, 0);
		return;
	}
	while ((r = record_next(body, m->payload_len, &offset)) != NULL)
		if (shard_of(r->first, s->settings->shards) == s->shard)
			store_chosen(s, m, r);
}

/* State transfer is the learner's: it hears of members only. */
static void hand_to_learner(struct acceptor_stage *s, const struct message *m, const uint8_t *body,
	enum message_type type)
{
	struct message handed = *m;

	handed.type = (uint8_t)type;
	handed.checksum_known = true;
	s->parts[0] = (struct part){.bytes = body, .length = m->payload_len};
	acceptor_send_learner(s, &handed, m->payload_len > 0 ? 1 : 0);
}

static void on_resend(struct acceptor_stage *s, const struct message *m)
{
	struct range own;

	if (acceptor_resend(s, m, &own) && gate_room(&s->gate, s->acks_count + 1))
		acceptor_acknowledge(s, m->ballot, s->settings->self, own.first,
			(uint32_t)own.count);
}

static void on_delivered(struct acceptor_stage *s, const struct message *m)
{
	if (s->journal == NULL) {
		if (m->flags == FLAG_INSTALLED)
			acceptor_install(&s->acceptor, m->first);
		acceptor_trim(&s->acceptor, m->first);
		watch_detail(s->outlet, TRANSITION_TRIMMED, 0, m->first, 0,
			m->flags == FLAG_INSTALLED ? 1 : 0);
		return;
	}
	/* The snapshot is durable by now. */
	if (m->flags == FLAG_INSTALLED)
		acceptor_hear_installed(s, m->first);
	const struct delivery d = {
		.delivered = m->first,
		.ballot = m->ballot,
		.watermark = m->watermark,
	};

	acceptor_hear_delivered(s, &d);
}

/* `high` never goes down: it covers every vote of ours, and what we hold as chosen. */
static void on_read_probe(struct acceptor_stage *s, const struct message *m)
{
	const struct acceptor *a = &s->acceptor;
	const struct message report = {
		.type = MESSAGE_READ_REPORT,
		.ballot = m->ballot,
		.first = m->first,
		.watermark = a->high > a->lo ? a->high : a->lo,
		.shard = (uint16_t)s->shard,
	};

	if (is_blind(s, 0))
		refuse_unknown(s, m); /* Votes that are lost may have stood higher. */
	else
		acceptor_send_members(s, 1u << m->sender, &report, 0);
}

/* From our own stages: always believed. */
static bool on_local(struct acceptor_stage *s, const struct message *m, const uint8_t *body)
{
	switch (m->type) {
	case MESSAGE_ENROLLED:
		memcpy(s->uuids, body, sizeof(s->uuids));
		s->enrolled = true;
		return true;
	case MESSAGE_DELIVERED:
		on_delivered(s, m);
		return true;
	case MESSAGE_RESEND:
		if (!s->failed)
			on_resend(s, m);
		return true;
	case MESSAGE_RECALL:
		acceptor_recall(s, m);
		return true;
	case MESSAGE_DURABLE:
		if (!s->failed)
			acceptor_release(s, m);
		return true;
	case MESSAGE_DISK_FAILED:
		on_disk_failed(s);
		return true;
	default:
		return false;
	}
}

/* A restarted member without a journal has another uuid: it has forgotten its promises, and is not
 * heard. One with a journal has a higher life: what an earlier one sent is not heard any more. */
static bool heard(struct acceptor_stage *s, const struct message *m)
{
	if (!s->enrolled || m->sender >= s->settings->members || m->uuid != s->uuids[m->sender] ||
		m->life < s->lives[m->sender]) {
		s->counters.foreign++;
		return false;
	}
	s->lives[m->sender] = m->life;
	return true;
}

void acceptor_stage_on_message(struct acceptor_stage *s, const struct message *m,
	const uint8_t *body, uint64_t now_ns)
{
	(void)now_ns;
	if (on_local(s, m, body) || !heard(s, m))
		return;
	if (__builtin_expect(s->failed, 0) && m->type != MESSAGE_FETCH &&
		m->type != MESSAGE_SNAPSHOT_ASK) {
		s->counters.disk_failed++;
		return;
	}
	switch (m->type) {
	case MESSAGE_ACCEPT:
		on_accept(s, m, body);
		return;
	case MESSAGE_PREPARE:
		on_prepare(s, m);
		return;
	case MESSAGE_PULL:
	case MESSAGE_READ_ROUND:
		on_question(s, m);
		return;
	case MESSAGE_FETCH:
		acceptor_report_chosen(s, m);
		return;
	case MESSAGE_CHOSEN:
		on_chosen(s, m, body);
		return;
	case MESSAGE_READ_PROBE:
		on_read_probe(s, m);
		return;
	case MESSAGE_SNAPSHOT_ASK:
		hand_to_learner(s, m, body, MESSAGE_SNAPSHOT_ASKED);
		return;
	case MESSAGE_SNAPSHOT_CHUNK:
		hand_to_learner(s, m, body, MESSAGE_SNAPSHOT_PART);
		return;
	default:
		CHECK(false); /* The routing of our own stages sent it here. */
	}
}
