#include "consensus/replica_leader.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_enroll.h"
#include "consensus/replica_reads.h"
#include "consensus/replica_requests.h"
#include "consensus/replica_transfer.h"
#include "consensus/watch.h"

enum {
	RETRANSMIT_LOOK = 64, /* Runs from the oldest on that are looked at for retransmission. */
	RETRANSMIT_BURST = 4, /* Sent again in one tick at most: each is one local message. */
	VOTES_WAITED = 4,     /* Times as long as votes take. */
};

void leader_stage_init(struct leader_stage *s, const struct replica_settings *settings,
	struct outlet *outlet)
{
	s->settings = settings;
	s->outlet = outlet;
	s->enrolled = false;
	s->failed = false;
	s->fill_to = 0;
	s->journal = NULL;
	s->marked = false;
	s->pins_waiting = 0;
	memset(s->lives, 0, sizeof(s->lives));
	s->leads = false;
	s->opened = false;
	s->opening = 0;
	s->delivered = 0;
	s->durable = 0;
	s->watermark_told = 0;
	s->watermark_sent = 0;
	s->sent_ns = 0;
	s->votes_ns = 0;
	memset(s->peers, 0, sizeof(s->peers));
	s->batch_count = 0;
	s->batch_bytes = 0;
	s->batch_ns = 0;
	s->retries_count = 0;
	s->replies_count = 0;
	s->replies_bytes = 0;
	s->replies_to = 0;
	s->lost_at = ADMISSION_SLOTS;
	s->transfer.state = TRANSFER_NONE;
	handover_begin(&s->handover, 0);
	memset(&s->counters, 0, sizeof(s->counters));
	identity_init(&s->identity, settings);
	election_init(&s->election, settings);
	proposer_init(&s->proposer, settings);
	reads_init(&s->reads, READ_RULE_LEADER);
	reads_init(&s->any_reads, READ_RULE_QUORUM);
	admission_clear(&s->admission);
}

void leader_stage_journal(struct leader_stage *s, const struct journal_port *journal)
{
	s->journal = journal;
	s->identity.durable_pins = true;
}

void leader_stage_restore(struct leader_stage *s, const struct leader_past *past)
{
	s->delivered = past->delivered;
	s->durable = past->delivered;
	s->identity.disk = past->disk;
	proposer_on_delivered(&s->proposer, past->delivered);
	/* One ballot serves one phase 1: the next one is above all that was promised or voted here. */
	s->election.highest = past->promised;
	leader_restore_pins(s, past);
}

void leader_send(struct leader_stage *s, const struct target *to, const struct message *m,
	const void *body)
{
	const struct part part = {.bytes = body, .length = m->payload_len};

	s->outlet->send(s->outlet->context, to, m, &part, m->payload_len > 0 ? 1 : 0);
}

void leader_send_members(struct leader_stage *s, uint32_t members, const struct message *m,
	const void *body)
{
	const struct target to = {.members = members};

	if (members != 0)
		leader_send(s, &to, m, body);
}

void leader_send_local(struct leader_stage *s, const struct message *m, const void *body)
{
	const struct target to = {.local = true};

	leader_send(s, &to, m, body);
}

/* ---- Leadership ---- */

/* Nothing is known of what we took and did not answer. The learner tells what was answered; it
 * does not know of an open in the batch. */
static void give_up_taken(struct leader_stage *s)
{
	uint32_t offset = 0;

	s->lost_at = 0;
	for (uint32_t i = 0; i < s->batch_count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(s->batch + offset);
		const struct entry open = {.session = e->session};

		if (entry_kind(e) == ENTRY_OPEN)
			leader_answer(s, (uint16_t)(entry_sequence(e) % 65536), &open,
				REPLY_UNKNOWN, 0);
		offset += entry_bytes(entry_length(e));
	}
}

/* One message of them, if it surely fits: the learner may be slower than our ticks. At their end
 * all is forgotten, for the next leadership. */
static void tell_lost(struct leader_stage *s)
{
	if (s->outlet->room(s->outlet->context) < STAGE_ROOM)
		return;
	struct entry *lost = (struct entry *)(void *)s->scratch;
	uint32_t count = admission_list(&s->admission, &s->lost_at, lost,
		s->settings->body_max / ENTRY_BYTES);
	const struct message m = {
		.type = MESSAGE_LOST,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)(count * ENTRY_BYTES),
	};

	if (count > 0)
		leader_send_local(s, &m, lost);
	if (s->lost_at == ADMISSION_SLOTS)
		admission_clear(&s->admission);
}

static void step_down(struct leader_stage *s, uint64_t now_ns)
{
	proposer_step_down(&s->proposer);
	if (s->election.state >= ELECTION_CANDIDATE) {
		s->counters.step_downs++;
		outlet_watch(s->outlet, TRANSITION_STEPPED_DOWN, s->election.ballot, 0, 0);
		election_lost(&s->election, now_ns);
	}
	if (s->leads) {
		give_up_taken(s);
		leader_reads_lost(s);
	}
	s->leads = false;
	s->opened = false;
	s->transfer.state = TRANSFER_NONE;
	s->batch_count = 0;
	s->batch_bytes = 0;
}

static void send_heartbeat(struct leader_stage *s, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;
	uint64_t stands = s->journal != NULL ? s->durable : s->delivered;
	const struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.flags = s->leads ? HEARTBEAT_LEADS : 0,
		.ballot = s->leads ? p->ballot : s->election.leader_ballot,
		.watermark = s->leads ? p->window.chosen : stands,
		.first = s->delivered,
		.echo = election_heard(&s->election, now_ns),
	};

	if (s->leads) {
		s->watermark_sent = p->window.chosen;
		s->sent_ns = now_ns;
	}
	leader_send_members(s, leader_others(s), &m, NULL);
}

/* The learner hears the watermark of whoever leads, and how far the others are. */
static void tell_learner(struct leader_stage *s, uint64_t ballot, uint64_t watermark,
	uint64_t known, uint8_t leader)
{
	const struct message m = {
		.type = MESSAGE_WATERMARK,
		.ballot = ballot,
		.watermark = watermark,
		.first = known,
		.sender = leader,
	};

	leader_send_local(s, &m, NULL);
}

static void catch_up(struct leader_stage *s, uint64_t to, uint32_t source)
{
	const struct message m = {
		.type = MESSAGE_CATCH_UP,
		.first = to,
		.sender = (uint8_t)source,
	};

	leader_send_local(s, &m, NULL);
}

static void start_phase1(struct leader_stage *s)
{
	proposer_start(&s->proposer, s->election.ballot);
	outlet_watch(s->outlet, TRANSITION_PREPARING, s->election.ballot, s->delivered, 0);
	s->opened = false;
	s->leads = false;
}

/* ---- Answers of the others ---- */

static void on_accepted(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	leader_peer_delivered(s, &s->peers[m->sender], m->watermark, now_ns);
	const struct flight *oldest = window_oldest(&s->proposer.window);

	if (proposer_on_accepted(&s->proposer, m, body)) {
		watch_detail(s->outlet, TRANSITION_ADVANCED, s->proposer.ballot,
			s->proposer.window.chosen, 0, 0);
		election_progress(&s->election, now_ns);
		handover_on_chosen(&s->handover, s->settings->handover_ns,
			s->proposer.window.chosen, now_ns);
		/* Its slot is not reused before the next proposal (Jacobson, Congestion Avoidance and
		 * Control, 1988; Karn: a run that was sent again tells nothing). */
		if (!oldest->resent)
			s->votes_ns += (now_ns - oldest->sent_ns) / 8 - s->votes_ns / 8;
	}
	if (s->opened && !s->leads && s->proposer.window.chosen > s->opening) {
		s->leads = true;
		s->counters.terms++;
		outlet_watch(s->outlet, TRANSITION_LEADING, s->proposer.ballot, s->opening, 1);
		election_won(&s->election, now_ns);
		handover_begin(&s->handover, now_ns);
	}
}

/* The member's votes below m->watermark may be lost. */
static void on_unknown(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	/* Who can not promise does not stand. */
	if (m->sender == s->settings->self && s->election.state == ELECTION_CANDIDATE)
		step_down(s, now_ns);
	if (m->watermark > s->fill_to && m->watermark <= s->delivered + 2 * ACCEPTOR_WINDOW)
		s->fill_to = m->watermark;
}

/* Sent again before the votes can have come, everything would only take longer. */
static uint64_t votes_wait(const struct leader_stage *s)
{
	uint64_t wait_ns = VOTES_WAITED * s->votes_ns;

	return wait_ns > s->settings->retransmit_ns ? wait_ns : s->settings->retransmit_ns;
}

static void on_refused(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	if (m->flags == REFUSAL_CONFLICT)
		s->counters.conflicts++;
	if (election_saw(&s->election, m->ballot)) {
		step_down(s, now_ns);
		return;
	}
	if (m->flags == REFUSAL_UNKNOWN)
		on_unknown(s, m, now_ns);
	/* No vote is under way that is worth a long wait. */
	if (m->flags == REFUSAL_BEHIND && now_ns > votes_wait(s))
		window_refused(&s->proposer.window, m->first,
			now_ns + s->settings->retransmit_ns - votes_wait(s));
	if (m->flags != REFUSAL_TRIMMED)
		return;
	proposer_on_trimmed(&s->proposer, m);
	/* Whoever trimmed it has it as chosen. */
	if (m->watermark > s->delivered)
		catch_up(s, m->watermark, m->sender);
}

static void on_promise(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	if (m->sender == s->settings->self && ballot_node(m->ballot) != s->settings->self) {
		if (election_on_promised(&s->election, m->ballot, now_ns))
			step_down(s, now_ns);
		return;
	}
	identity_on_told(&s->identity, m->sender, 0, m->ballot);
	enum proposer_state before = s->proposer.state;

	if (before == PROPOSER_PREPARING_SELF || before == PROPOSER_PREPARING)
		watch_detail(s->outlet, TRANSITION_HEARD_PROMISE, m->ballot, m->first,
			m->shard * 256u + m->sender, m->watermark);
	proposer_on_promise(&s->proposer, m);
	if (before == PROPOSER_PREPARING_SELF && s->proposer.state != before)
		watch_detail(s->outlet, TRANSITION_PREPARED, m->ballot, 0, 0, 0);
	if (before <= PROPOSER_PREPARING && s->proposer.state > PROPOSER_PREPARING)
		watch_detail(s->outlet, TRANSITION_QUORUM, m->ballot, 0, 0, s->proposer.quorum);
}

static void on_votes(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	const struct proposer_promise *promise = &s->proposer.promises[m->sender];
	uint64_t covered = promise->covered;

	proposer_on_votes(&s->proposer, m, body);
	if (promise->covered > covered)
		watch_detail(s->outlet, TRANSITION_HEARD_REPORT, m->ballot, m->first,
			(uint32_t)(m->watermark - m->first), m->sender);
}

static void on_heartbeat(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	/* Its watermark would silence those of all true leaders. */
	if (election_nowhere(&s->election, m->ballot)) {
		s->counters.too_high++;
		return;
	}
	bool leader = (m->flags & HEARTBEAT_LEADS) != 0;

	/* A leader has promised its ballot to itself. */
	identity_on_told(&s->identity, m->sender, leader ? 0 : m->watermark,
		leader ? m->ballot : 0);
	if (!leader)
		leader_peer_delivered(s, &s->peers[m->sender], m->watermark, now_ns);
	if (election_on_heartbeat(&s->election, m, now_ns))
		step_down(s, now_ns);
	/* What another knows chosen is a reason to catch up, never a commit. */
	if (leader || m->first > s->delivered)
		tell_learner(s, leader ? m->ballot : 0, leader ? m->watermark : 0, m->first,
			m->sender);
}

static void on_prevote(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	const struct message answer_message = {
		.type = MESSAGE_PREVOTED,
		.flags = election_on_prevote(&s->election, m, now_ns) ? PREVOTED_GRANTED : 0,
		.ballot = m->ballot,
		.first = s->delivered,
	};

	leader_send_members(s, 1u << m->sender, &answer_message, NULL);
}

/* From clients, strangers, and our own stages: whoever it is need not be enrolled. */
static bool on_unenrolled(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	switch (m->type) {
	case MESSAGE_REQUEST:
		leader_on_request(s, m, body, now_ns);
		return true;
	case MESSAGE_DELIVERED:
		s->delivered = m->first > s->delivered ? m->first : s->delivered;
		proposer_on_delivered(&s->proposer, s->delivered);
		leader_reads_delivered(s);
		return true;
	case MESSAGE_HELLO:
		leader_on_hello(s, m, body);
		return true;
	case MESSAGE_PINNED:
		s->durable = m->watermark;
		leader_peer_delivered(s, &s->peers[s->settings->self], s->durable, now_ns);
		leader_on_pinned(s, m->first);
		return true;
	case MESSAGE_DISK_FAILED:
		s->failed = true;
		step_down(s, now_ns);
		return true;
	default:
		return false;
	}
}

void leader_stage_on_message(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	if (on_unenrolled(s, m, body, now_ns))
		return;
	if (!s->enrolled || !identity_admits(&s->identity, m->sender, m->uuid) ||
		m->life < s->lives[m->sender]) {
		s->counters.foreign++;
		return;
	}
	if (m->life > s->lives[m->sender])
		s->peers[m->sender].delivered = 0; /* It may have less than before it crashed. */
	s->lives[m->sender] = m->life;
	switch (m->type) {
	case MESSAGE_ACCEPTED:
		on_accepted(s, m, body, now_ns);
		return;
	case MESSAGE_REFUSED:
		on_refused(s, m, now_ns);
		return;
	case MESSAGE_PROMISE:
		on_promise(s, m, now_ns);
		return;
	case MESSAGE_VOTES:
		on_votes(s, m, body);
		return;
	case MESSAGE_HEARTBEAT:
		on_heartbeat(s, m, now_ns);
		return;
	case MESSAGE_PREVOTE:
		on_prevote(s, m, now_ns);
		return;
	case MESSAGE_PREVOTED:
		election_on_prevoted(&s->election, m);
		return;
	case MESSAGE_INSTALLING:
		leader_peer_installing(&s->peers[m->sender], m->first, now_ns);
		return;
	case MESSAGE_TIMEOUT_NOW:
		election_on_timeout_now(&s->election, m, now_ns);
		return;
	case MESSAGE_READ_CONFIRM:
	case MESSAGE_READ_REPORT:
	case MESSAGE_READ_INDEX:
	case MESSAGE_READ_INDEXED:
		leader_on_read_answer(s, m, now_ns);
		return;
	default:
		return; /* A reply: for clients only. */
	}
}

/* ---- Timers ---- */

static void ask_phase1(struct leader_stage *s)
{
	struct proposer *p = &s->proposer;
	uint32_t members = proposer_unanswered(p);
	uint32_t source = 0;
	uint64_t prefix;
	struct message m = {.ballot = p->ballot};

	switch (p->state) {
	case PROPOSER_PREPARING_SELF:
	case PROPOSER_PREPARING:
		m.type = MESSAGE_PREPARE;
		for (uint32_t shard = 0; shard < s->settings->shards; shard++) {
			m.shard = (uint16_t)shard;
			leader_send_members(s, members, &m, NULL);
		}
		return;
	case PROPOSER_CATCHING_UP:
		prefix = proposer_prefix(p, &source);
		catch_up(s, prefix, source);
		return;
	case PROPOSER_PULLING:
		m.type = MESSAGE_PULL;
		m.shard = (uint16_t)shard_of(p->recovery.from, s->settings->shards);
		m.watermark = p->recovery.to;
		for (uint32_t i = 0; i < s->settings->members; i++) {
			m.first = p->promises[i].covered;
			leader_send_members(s, members & 1u << i, &m, NULL);
		}
		return;
	default:
		return;
	}
}

/* One step of phase 1's end: a recovered run, or the no-op that opens the ballot. */
static void repropose(struct leader_stage *s, uint64_t now_ns)
{
	uint32_t bytes;
	uint64_t first;
	uint32_t count = proposer_repropose(&s->proposer, s->scratch, &bytes, &first, now_ns);

	if (count > 0)
		leader_propose(s, s->scratch, bytes, first, count, NULL);
	if (s->proposer.state != PROPOSER_LEADING || s->opened || proposer_room(&s->proposer) == 0)
		return;
	s->opened = true;
	s->opening = s->proposer.window.end;
	leader_propose_noops(s, 1, now_ns);
}

static void retransmit(struct leader_stage *s, uint64_t now_ns)
{
	struct proposer *p = &s->proposer;
	uint64_t wait_ns = votes_wait(s);

	if (p->state == PROPOSER_IDLE || now_ns < wait_ns)
		return;
	for (uint32_t i = 0; i < RETRANSMIT_BURST; i++) {
		struct flight *f = window_due(&p->window, now_ns - wait_ns, RETRANSMIT_LOOK);

		if (f == NULL)
			return;
		const struct message m = {
			.type = MESSAGE_RESEND,
			.ballot = p->ballot,
			.first = f->first,
			.count = f->count,
			.watermark = p->window.chosen,
			.echo = leader_members(s) & ~f->votes,
			.shard = (uint16_t)shard_of(f->first, s->settings->shards),
		};

		f->sent_ns = now_ns;
		f->resent = true;
		s->counters.retransmitted++;
		leader_send_local(s, &m, NULL);
	}
}

static void run_election(struct leader_stage *s, uint64_t now_ns)
{
	struct election_output out = election_on_tick(&s->election, now_ns, s->delivered,
		window_span(&s->proposer.window) > 0);
	struct message m = {.ballot = s->election.ballot};

	if (out.step_down)
		step_down(s, now_ns);
	if (out.heartbeat)
		send_heartbeat(s, now_ns);
	if (out.prevote) {
		m.type = MESSAGE_PREVOTE;
		leader_send_members(s, leader_others(s), &m, NULL);
	}
	if (out.catch_up)
		catch_up(s, s->election.grants_delivered, s->election.grants_from);
	if (out.stand)
		start_phase1(s);
}

void leader_stage_on_tick(struct leader_stage *s, uint64_t now_ns)
{
	uint32_t asked = identity_asks(&s->identity, now_ns);

	if (asked != 0)
		leader_ask_hello(s, asked);
	leader_enroll_if_complete(s);
	if (s->failed && s->lost_at < ADMISSION_SLOTS)
		tell_lost(s);
	if (!s->enrolled || s->failed)
		return;
	run_election(s, now_ns);
	/* Phase 1 gave up by itself: the election's timer takes another ballot. */
	if (s->proposer.state == PROPOSER_IDLE && s->election.state >= ELECTION_CANDIDATE)
		step_down(s, now_ns);
	if (proposer_asks(&s->proposer, now_ns))
		ask_phase1(s);
	if (s->lost_at < ADMISSION_SLOTS)
		tell_lost(s);
	else if (s->proposer.state >= PROPOSER_REPROPOSING && !s->opened)
		repropose(s, now_ns);
	leader_handover_tick(s, now_ns);
	retransmit(s, now_ns);
	if (s->proposer.window.end < s->fill_to)
		leader_fill_for_the_blind(s, now_ns);
	leader_reads_tick(s, now_ns);
	if (s->leads && s->proposer.window.chosen != s->watermark_sent &&
		now_ns >= s->sent_ns + s->settings->commit_idle_ns)
		send_heartbeat(s, now_ns);
	leader_transfer_tick(s, now_ns);
}

void leader_stage_flush(struct leader_stage *s, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;

	if (s->leads && now_ns >= s->batch_ns + s->settings->linger_ns)
		leader_propose_batch(s, now_ns);
	leader_reads_flush(s, now_ns);
	leader_flush_answers(s);
	if (p->state >= PROPOSER_REPROPOSING && p->window.chosen != s->watermark_told) {
		s->watermark_told = p->window.chosen;
		outlet_watch(s->outlet, TRANSITION_CHOSEN, p->ballot, p->window.chosen, 0);
		tell_learner(s, p->ballot, p->window.chosen, p->window.chosen,
			(uint8_t)s->settings->self);
	}
}
