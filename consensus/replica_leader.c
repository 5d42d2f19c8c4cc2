#include "consensus/replica_leader.h"

#include <string.h>

#include "consensus/check.h"

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
	s->leads = false;
	s->opened = false;
	s->opening = 0;
	s->delivered = 0;
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
	memset(&s->counters, 0, sizeof(s->counters));
	identity_init(&s->identity, settings);
	election_init(&s->election, settings);
	proposer_init(&s->proposer, settings);
	reads_init(&s->reads);
	admission_clear(&s->admission);
}

static uint32_t all_members(const struct leader_stage *s)
{
	return (1u << s->settings->members) - 1;
}

static uint32_t others(const struct leader_stage *s)
{
	return all_members(s) & ~(1u << s->settings->self);
}

static void send(struct leader_stage *s, const struct target *to, const struct message *m,
	const void *body)
{
	const struct part part = {.bytes = body, .length = m->payload_len};

	s->outlet->send(s->outlet->context, to, m, &part, m->payload_len > 0 ? 1 : 0);
}

static void send_members(struct leader_stage *s, uint32_t members, const struct message *m,
	const void *body)
{
	const struct target to = {.members = members};

	if (members != 0)
		send(s, &to, m, body);
}

static void send_local(struct leader_stage *s, const struct message *m, const void *body)
{
	const struct target to = {.local = true};

	send(s, &to, m, body);
}

/* ---- Answers of admission: they speak of this copy only ---- */

static void flush_answers(struct leader_stage *s)
{
	if (s->replies_count == 0)
		return;
	const struct target to = {.client = s->replies_to};
	const struct message m = {
		.type = MESSAGE_REPLY,
		.count = (uint16_t)s->replies_count,
		.payload_len = (uint16_t)s->replies_bytes,
	};

	s->replies_count = 0;
	s->replies_bytes = 0;
	send(s, &to, &m, s->replies);
}

static void answer(struct leader_stage *s, uint16_t client, const struct entry *e,
	enum reply_status status, uint64_t result)
{
	const struct reply r = {
		.session = e->session,
		.sequence_status = reply_pack(entry_sequence(e), status, 0),
		.result = result,
	};

	if (s->replies_to != client || s->replies_bytes + sizeof(r) > s->settings->body_max)
		flush_answers(s);
	s->replies_to = client;
	memcpy(s->replies + s->replies_bytes, &r, sizeof(r));
	s->replies_bytes += (uint32_t)sizeof(r);
	s->replies_count++;
}

/* Only who leads may take it. */
static void refuse(struct leader_stage *s, uint16_t client, const struct entry *e)
{
	bool known =
		s->election.leader != ELECTION_NOBODY && s->election.leader != s->settings->self;

	answer(s, client, e, known ? REPLY_REDIRECT : REPLY_BUSY, known ? s->election.leader : 0);
	s->counters.redirected += known ? 1 : 0;
	s->counters.busy += known ? 0 : 1;
}

/* ---- Reads ---- */

/* A read of a lost leadership has changed nothing: another leader may have it. */
static void refuse_reads(struct leader_stage *s)
{
	for (uint32_t b = 0; b < 2; b++) {
		struct read_batch *batch = &s->reads.batches[b];
		uint32_t offset = 0;

		for (uint32_t i = 0; i < batch->count; i++) {
			const struct entry *e =
				(const struct entry *)(const void *)(batch->body + offset);

			refuse(s, batch->clients[i], e);
			offset += entry_bytes(entry_length(e));
		}
	}
	reads_clear(&s->reads);
}

/* The round, to every shard that has not confirmed it, our own too. */
static void ask_reads(struct leader_stage *s, uint64_t now_ns)
{
	struct message m = {
		.type = MESSAGE_READ_ROUND,
		.ballot = s->reads.ballot,
		.first = s->reads.nonce,
	};

	s->reads.sent_ns = now_ns;
	for (uint32_t shard = 0; shard < s->settings->shards; shard++) {
		m.shard = (uint16_t)shard;
		send_members(s, reads_unconfirmed(&s->reads, all_members(s), shard), &m, NULL);
	}
}

static void begin_reads(struct leader_stage *s, uint64_t now_ns)
{
	reads_begin(&s->reads, s->proposer.ballot);
	s->counters.read_rounds++;
	ask_reads(s, now_ns);
}

/* `count` reads of a confirmed batch, from number `from` on. */
static void hand_over(struct leader_stage *s, const struct read_batch *b, uint32_t from,
	uint32_t count, uint32_t at, uint32_t bytes)
{
	const struct target to = {.local = true};
	const struct part parts[] = {
		{.bytes = b->body + at, .length = bytes},
		{.bytes = b->clients + from, .length = count * (uint32_t)sizeof(b->clients[0])},
	};
	const struct message read = {
		.type = MESSAGE_READ,
		.first = b->index,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)(parts[0].length + parts[1].length),
	};

	s->outlet->send(s->outlet->context, &to, &read, parts, 2);
}

static void on_read_confirm(struct leader_stage *s, const struct message *m)
{
	const struct read_batch *b = reads_round(&s->reads);
	uint32_t from = 0;
	uint32_t at = 0;

	if (!reads_on_confirm(&s->reads, s->settings, m))
		return;
	while (from < b->count) {
		uint32_t bytes;
		uint32_t count = reads_piece(b, from, at, s->settings->body_max, &bytes);

		CHECK(count > 0);
		hand_over(s, b, from, count, at, bytes);
		from += count;
		at += bytes;
	}
	reads_end(&s->reads);
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
			answer(s, (uint16_t)(entry_sequence(e) % 65536), &open, REPLY_UNKNOWN, 0);
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
		send_local(s, &m, lost);
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
		refuse_reads(s);
	}
	s->leads = false;
	s->opened = false;
	s->batch_count = 0;
	s->batch_bytes = 0;
}

static void send_heartbeat(struct leader_stage *s, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;
	const struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.flags = s->leads ? HEARTBEAT_LEADS : 0,
		.ballot = s->leads ? p->ballot : s->election.leader_ballot,
		.watermark = s->leads ? p->window.chosen : 0,
		.first = s->delivered,
		.echo = election_heard(&s->election, now_ns),
	};

	if (s->leads) {
		s->watermark_sent = p->window.chosen;
		s->sent_ns = now_ns;
	}
	send_members(s, others(s), &m, NULL);
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

	send_local(s, &m, NULL);
}

static void catch_up(struct leader_stage *s, uint64_t to, uint32_t source)
{
	const struct message m = {
		.type = MESSAGE_CATCH_UP,
		.first = to,
		.sender = (uint8_t)source,
	};

	send_local(s, &m, NULL);
}

static void start_phase1(struct leader_stage *s)
{
	proposer_start(&s->proposer, s->election.ballot);
	outlet_watch(s->outlet, TRANSITION_PREPARING, s->election.ballot, s->delivered, 0);
	s->opened = false;
	s->leads = false;
}

static void enroll(struct leader_stage *s)
{
	const struct message m = {
		.type = MESSAGE_ENROLLED,
		.payload_len = sizeof(s->identity.uuids),
	};

	s->enrolled = true;
	send_local(s, &m, s->identity.uuids);
}

/* ---- Proposing ---- */

static void propose(struct leader_stage *s, const uint8_t *body, uint32_t bytes, uint64_t first,
	uint32_t count, const struct message *from)
{
	const struct proposer *p = &s->proposer;
	const struct message accept = {
		.type = MESSAGE_ACCEPT,
		.flags = bytes == 0 ? FLAG_NOOP : 0,
		.ballot = p->ballot,
		.first = first,
		.count = (uint16_t)count,
		.watermark = p->window.chosen,
		.shard = (uint16_t)shard_of(first, s->settings->shards),
		.payload_len = (uint16_t)bytes,
		.checksum = from != NULL ? from->checksum : 0,
		.checksum_known = from != NULL,
	};

	s->counters.proposed_runs++;
	outlet_watch(s->outlet, TRANSITION_PROPOSED, p->ballot, first, count);
	s->watermark_sent = p->window.chosen;
	send_members(s, all_members(s), &accept, body);
}

static void propose_noops(struct leader_stage *s, uint32_t count, uint64_t now_ns)
{
	s->counters.noops++;
	propose(s, NULL, 0, proposer_take(&s->proposer, count, now_ns), count, NULL);
}

static void propose_batch(struct leader_stage *s, uint64_t now_ns)
{
	if (s->batch_count == 0)
		return;
	CHECK(s->batch_count <= proposer_room(&s->proposer));
	uint64_t first = proposer_take(&s->proposer, s->batch_count, now_ns);

	s->sent_ns = now_ns;
	s->counters.proposed_commands += s->batch_count;
	propose(s, s->batch, s->batch_bytes, first, s->batch_count, NULL);
	s->batch_count = 0;
	s->batch_bytes = 0;
}

static uint32_t run_limit(const struct leader_stage *s)
{
	return s->settings->body_max - RECORD_BYTES;
}

static uint32_t count_limit(const struct leader_stage *s)
{
	uint32_t limit = s->settings->batch_max;

	return limit == 0 || limit > RUN_COUNT_MAX ? RUN_COUNT_MAX : limit;
}

/* ---- Admission ---- */

/* The learner knows what was applied of a command seen before, and whom to answer. */
static void note_retry(struct leader_stage *s, const struct entry *e)
{
	s->retries[s->retries_count++] = (struct entry){
		.session = e->session,
		.sequence_length = entry_pack(entry_kind(e), entry_sequence(e), 0),
	};
}

/* One message for all of a frame: no ring surely holds one for each command. */
static void tell_retries(struct leader_stage *s, uint16_t client)
{
	const struct message m = {
		.type = MESSAGE_RETRY,
		.count = (uint16_t)s->retries_count,
		.from = client,
		.payload_len = (uint16_t)(s->retries_count * ENTRY_BYTES),
	};

	if (s->retries_count == 0)
		return;
	s->retries_count = 0;
	send_local(s, &m, s->retries);
}

/* Near: within lag_max of what is chosen. Out is who stood still too long and is not near again. */
static void peer_delivered(struct leader_stage *s, struct peer *peer, uint64_t delivered,
	uint64_t now_ns)
{
	bool advanced = delivered > peer->delivered;
	bool near;

	if (advanced)
		peer->delivered = delivered;
	near = s->proposer.window.chosen <= peer->delivered + s->settings->lag_max;
	peer->out =
		!near && (peer->out || now_ns >= peer->advanced_ns + s->settings->lag_timeout_ns);
	if (advanced || near)
		peer->advanced_ns = now_ns;
}

/* Would one more instance fit the window and the flow control now? */
static bool may_take(const struct leader_stage *s, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;

	for (uint32_t i = 0; i < s->settings->members; i++) {
		const struct peer *peer = &s->peers[i];

		/* A live follower that lags slows admission; one that stood still does not. */
		if (i != s->settings->self && !peer->out &&
			p->window.chosen > peer->delivered + s->settings->lag_max &&
			now_ns < peer->advanced_ns + s->settings->lag_timeout_ns)
			return false;
	}
	/* A frame of many commands may become many proposals. */
	return s->batch_count < proposer_capacity(p) &&
		s->outlet->room(s->outlet->context) >= STAGE_ROOM;
}

/* Makes room for one more entry; a full batch goes out. */
static void batch_room(struct leader_stage *s, uint32_t bytes, uint64_t now_ns)
{
	if (s->batch_count == count_limit(s) || s->batch_bytes + bytes > run_limit(s) ||
		s->batch_count == proposer_room(&s->proposer))
		propose_batch(s, now_ns);
}

static void take_entry(struct leader_stage *s, const struct message *m, const struct entry *e,
	bool may, uint64_t now_ns)
{
	uint32_t bytes = entry_bytes(entry_length(e));
	enum entry_kind kind = entry_kind(e);
	struct entry own = *e;
	bool moved = false;

	if (kind != ENTRY_COMMAND && kind != ENTRY_OPEN) {
		s->counters.bad_commands++;
		answer(s, m->from, e, REPLY_BAD_COMMAND, 0);
		return;
	}
	if (bytes > run_limit(s)) {
		s->counters.too_large++;
		answer(s, m->from, e, REPLY_TOO_LARGE, 0);
		return;
	}
	if (!may || !may_take(s, now_ns)) {
		s->counters.busy++;
		answer(s, m->from, e, REPLY_BUSY, 0);
		return;
	}
	if (kind == ENTRY_OPEN) {
		/* Whoever applies it knows from this whose client it is. */
		own.sequence_length = entry_pack(kind,
			(uint64_t)s->settings->self * 65536 + m->from, entry_length(e));
	} else {
		enum admission_answer taken = admission_take(&s->admission, e->session,
			entry_sequence(e), m->from, &moved);

		if (moved || taken == ADMISSION_REPEATED)
			note_retry(s, e);
		if (taken == ADMISSION_REPEATED) {
			s->counters.repeated++;
			return;
		}
	}
	batch_room(s, bytes, now_ns);
	if (s->batch_count == 0)
		s->batch_ns = now_ns;
	memcpy(s->batch + s->batch_bytes, &own, ENTRY_BYTES);
	memcpy(s->batch + s->batch_bytes + ENTRY_BYTES, e + 1, bytes - ENTRY_BYTES);
	s->batch_bytes += bytes;
	s->batch_count++;
}

/* May the frame's body be the run as it stands? All commands are new then, and taken. */
static bool take_whole(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	const struct entry *e = (const struct entry *)(const void *)body;
	uint32_t bytes = entry_bytes(entry_length(e));
	uint32_t offset = 0;

	if (s->batch_count != 0 || m->payload_len > run_limit(s) || m->count > count_limit(s) ||
		proposer_capacity(&s->proposer) < (uint32_t)BLOCK + m->count ||
		!may_take(s, now_ns))
		return false;
	/* Packing copies what would leave room for another one. */
	if (s->settings->packing && m->payload_len + bytes <= run_limit(s) &&
		m->count < count_limit(s))
		return false;
	for (uint32_t i = 0; i < m->count; i++) {
		e = (const struct entry *)(const void *)(body + offset);
		if (entry_kind(e) != ENTRY_COMMAND)
			return false;
		__builtin_prefetch(admission_home(&s->admission, e->session));
		offset += entry_bytes(entry_length(e));
	}
	return true;
}

/* Takes every command of the frame: as it stands if all are new, else the new ones by the batch. */
static void take_frame(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	uint32_t offset = 0;
	uint64_t fresh[(RUN_COUNT_MAX + 63) / 64] = {0};
	uint32_t fresh_count = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);
		bool moved;
		enum admission_answer taken = admission_take(&s->admission, e->session,
			entry_sequence(e), m->from, &moved);

		if (moved || taken == ADMISSION_REPEATED)
			note_retry(s, e);
		if (taken == ADMISSION_NEW) {
			fresh[i / 64] |= 1ull << (i % 64);
			fresh_count++;
		}
		offset += entry_bytes(entry_length(e));
	}
	s->counters.repeated += m->count - fresh_count;
	tell_retries(s, m->from);
	if (fresh_count == m->count) {
		/* A block's rest that is too short is closed, so that frames stay whole. */
		if (proposer_room(&s->proposer) < m->count)
			propose_noops(s, proposer_room(&s->proposer), now_ns);
		uint64_t first = proposer_take(&s->proposer, m->count, now_ns);

		s->sent_ns = now_ns;
		s->counters.proposed_commands += m->count;
		propose(s, body, m->payload_len, first, m->count, m);
		return;
	}
	offset = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);
		uint32_t bytes = entry_bytes(entry_length(e));

		offset += bytes;
		if ((fresh[i / 64] & 1ull << (i % 64)) == 0)
			continue;
		batch_room(s, bytes, now_ns);
		if (s->batch_count == 0)
			s->batch_ns = now_ns;
		memcpy(s->batch + s->batch_bytes, e, bytes);
		s->batch_bytes += bytes;
		s->batch_count++;
	}
}

static void refuse_all(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t offset = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);

		refuse(s, m->from, e);
		offset += entry_bytes(entry_length(e));
	}
}

static void take_read(struct leader_stage *s, uint16_t client, const struct entry *e)
{
	if (entry_kind(e) != ENTRY_COMMAND) {
		s->counters.bad_commands++;
		answer(s, client, e, REPLY_BAD_COMMAND, 0);
	} else if (entry_bytes(entry_length(e)) > run_limit(s)) {
		s->counters.too_large++;
		answer(s, client, e, REPLY_TOO_LARGE, 0);
	} else if (!reads_add(&s->reads, e, client, s->proposer.window.chosen,
			   s->settings->body_max)) {
		s->counters.busy++;
		answer(s, client, e, REPLY_BUSY, 0);
	} else {
		s->counters.reads++;
	}
}

static void take_reads(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t offset = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);

		take_read(s, m->from, e);
		offset += entry_bytes(entry_length(e));
	}
}

static void on_request(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	uint32_t offset = 0;

	if (!s->leads) {
		refuse_all(s, m, body);
		return;
	}
	if (__builtin_expect((m->flags & FLAG_READ) != 0, 0)) {
		take_reads(s, m, body);
		return;
	}
	if (take_whole(s, m, body, now_ns)) {
		take_frame(s, m, body, now_ns);
		return;
	}
	bool may = may_take(s, now_ns);

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);

		take_entry(s, m, e, may, now_ns);
		offset += entry_bytes(entry_length(e));
	}
	tell_retries(s, m->from);
	if (!s->settings->packing)
		propose_batch(s, now_ns);
}

/* ---- Answers of the others ---- */

static void on_accepted(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	peer_delivered(s, &s->peers[m->sender], m->watermark, now_ns);
	const struct flight *oldest = window_oldest(&s->proposer.window);

	if (proposer_on_accepted(&s->proposer, m, body)) {
		election_progress(&s->election, now_ns);
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
	}
}

static void on_refused(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	if (m->flags == REFUSAL_CONFLICT)
		s->counters.conflicts++;
	if (election_saw(&s->election, m->ballot)) {
		step_down(s, now_ns);
		return;
	}
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
	proposer_on_promise(&s->proposer, m);
}

static void on_heartbeat(struct leader_stage *s, const struct message *m, uint64_t now_ns)
{
	peer_delivered(s, &s->peers[m->sender], m->first, now_ns);
	if (election_on_heartbeat(&s->election, m, now_ns))
		step_down(s, now_ns);
	/* What another knows chosen is a reason to catch up, never a commit. */
	bool leader = (m->flags & HEARTBEAT_LEADS) != 0;

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

	send_members(s, 1u << m->sender, &answer_message, NULL);
}

static void send_hello(struct leader_stage *s, uint32_t members, uint8_t flags)
{
	for (uint32_t i = 0; i < s->settings->members; i++) {
		const struct message m = {
			.type = MESSAGE_HELLO,
			.flags = flags,
			.ballot = s->identity.uuids[i],
			.first = s->settings->config_hash,
		};

		send_members(s, members & 1u << i, &m, NULL);
	}
}

static void on_hello(struct leader_stage *s, const struct message *m)
{
	bool answer_it;

	if (!identity_on_hello(&s->identity, m, &answer_it)) {
		s->counters.foreign++;
		return;
	}
	if (answer_it)
		send_hello(s, 1u << m->sender, 0);
	if (!s->enrolled && identity_complete(&s->identity))
		enroll(s);
}

void leader_stage_on_message(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	if (m->type == MESSAGE_REQUEST) {
		on_request(s, m, body, now_ns);
		return;
	}
	if (m->type == MESSAGE_DELIVERED) {
		s->delivered = m->first > s->delivered ? m->first : s->delivered;
		proposer_on_delivered(&s->proposer, s->delivered);
		return;
	}
	if (m->type == MESSAGE_HELLO) {
		on_hello(s, m);
		return;
	}
	if (!s->enrolled || !identity_admits(&s->identity, m->sender, m->uuid)) {
		s->counters.foreign++;
		return;
	}
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
		proposer_on_votes(&s->proposer, m, body);
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
	case MESSAGE_READ_CONFIRM:
		on_read_confirm(s, m);
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
			send_members(s, members, &m, NULL);
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
			send_members(s, members & 1u << i, &m, NULL);
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
		propose(s, s->scratch, bytes, first, count, NULL);
	if (s->proposer.state != PROPOSER_LEADING || s->opened || proposer_room(&s->proposer) == 0)
		return;
	s->opened = true;
	s->opening = s->proposer.window.end;
	propose_noops(s, 1, now_ns);
}

static void retransmit(struct leader_stage *s, uint64_t now_ns)
{
	struct proposer *p = &s->proposer;
	/* Sent again before the votes can have come, everything would only take longer. */
	uint64_t wait_ns = s->settings->retransmit_ns > VOTES_WAITED * s->votes_ns
		? s->settings->retransmit_ns
		: VOTES_WAITED * s->votes_ns;

	if (p->state < PROPOSER_REPROPOSING || now_ns < wait_ns)
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
			.echo = all_members(s) & ~f->votes & ~(1u << s->settings->self),
			.shard = (uint16_t)shard_of(f->first, s->settings->shards),
		};

		f->sent_ns = now_ns;
		f->resent = true;
		s->counters.retransmitted++;
		send_local(s, &m, NULL);
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
		send_members(s, others(s), &m, NULL);
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
		send_hello(s, asked, HELLO_ASKS);
	if (!s->enrolled)
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
	retransmit(s, now_ns);
	if (s->reads.under_way && now_ns >= s->reads.sent_ns + s->settings->retransmit_ns)
		ask_reads(s, now_ns);
	if (s->leads && s->proposer.window.chosen != s->watermark_sent &&
		now_ns >= s->sent_ns + s->settings->commit_idle_ns)
		send_heartbeat(s, now_ns);
}

void leader_stage_flush(struct leader_stage *s, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;

	if (s->leads && now_ns >= s->batch_ns + s->settings->linger_ns)
		propose_batch(s, now_ns);
	if (__builtin_expect(reads_ready(&s->reads), 0))
		begin_reads(s, now_ns);
	flush_answers(s);
	if (p->state >= PROPOSER_REPROPOSING && p->window.chosen != s->watermark_told) {
		s->watermark_told = p->window.chosen;
		outlet_watch(s->outlet, TRANSITION_CHOSEN, p->ballot, p->window.chosen, 0);
		tell_learner(s, p->ballot, p->window.chosen, p->window.chosen,
			(uint8_t)s->settings->self);
	}
}
