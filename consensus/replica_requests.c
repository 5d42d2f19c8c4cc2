#include "consensus/replica_requests.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_reads.h"
#include "consensus/watch.h"

/* ---- Answers of admission: they speak of this copy only ---- */

void leader_flush_answers(struct leader_stage *s)
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
	leader_send(s, &to, &m, s->replies);
}

void leader_answer(struct leader_stage *s, uint16_t client, const struct entry *e,
	enum reply_status status, uint64_t result)
{
	const struct reply r = {
		.session = e->session,
		.sequence_status = reply_pack(entry_sequence(e), status, 0),
		.result = result,
	};

	if (s->replies_to != client || s->replies_bytes + sizeof(r) > s->settings->body_max)
		leader_flush_answers(s);
	s->replies_to = client;
	memcpy(s->replies + s->replies_bytes, &r, sizeof(r));
	s->replies_bytes += (uint32_t)sizeof(r);
	s->replies_count++;
}

/* Only who leads may take it. */
void leader_refuse(struct leader_stage *s, uint16_t client, const struct entry *e)
{
	bool known =
		s->election.leader != ELECTION_NOBODY && s->election.leader != s->settings->self;

	leader_answer(s, client, e, known ? REPLY_REDIRECT : REPLY_BUSY,
		known ? s->election.leader : 0);
	s->counters.redirected += known ? 1 : 0;
	s->counters.busy += known ? 0 : 1;
}

/* ---- Proposing ---- */

void leader_propose(struct leader_stage *s, const uint8_t *body, uint32_t bytes, uint64_t first,
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
	watch_values(s->outlet, body, bytes);
	outlet_watch(s->outlet, TRANSITION_PROPOSED, p->ballot, first, count);
	s->watermark_sent = p->window.chosen;
	leader_send_members(s, leader_members(s), &accept, body);
}

void leader_propose_noops(struct leader_stage *s, uint32_t count, uint64_t now_ns)
{
	s->counters.noops++;
	leader_propose(s, NULL, 0, proposer_take(&s->proposer, count, now_ns), count, NULL);
}

void leader_propose_batch(struct leader_stage *s, uint64_t now_ns)
{
	if (s->batch_count == 0)
		return;
	CHECK(s->batch_count <= proposer_room(&s->proposer));
	uint64_t first = proposer_take(&s->proposer, s->batch_count, now_ns);

	s->sent_ns = now_ns;
	s->counters.proposed_commands += s->batch_count;
	leader_propose(s, s->batch, s->batch_bytes, first, s->batch_count, NULL);
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
	leader_send_local(s, &m, s->retries);
}

/* Near: within lag_max of what is chosen. Out is who stood still too long and is not near again. */
void leader_peer_delivered(struct leader_stage *s, struct peer *peer, uint64_t delivered,
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

void leader_peer_installing(struct peer *peer, uint64_t instance, uint64_t now_ns)
{
	peer->delivered = instance > peer->delivered ? instance : peer->delivered;
	peer->advanced_ns = now_ns;
	peer->out = false;
}

/* Whose window may lie behind: with journals that of our own acceptors too, which follows what is
 * durably delivered. */
static uint32_t may_lag(const struct leader_stage *s)
{
	uint32_t own = s->settings->durability == DURABILITY_NONE ? 1u << s->settings->self : 0;

	return leader_members(s) & ~own;
}

/* Does a live follower lag? One that stands still slows nobody. What is in flight counts: once chosen
 * it is delivered by others, whose logs must still hold what this one misses. With `more` instances. */
static bool follower_lags(const struct leader_stage *s, uint64_t more, uint64_t now_ns)
{
	const struct proposer *p = &s->proposer;
	const uint32_t members = may_lag(s);

	for (uint32_t i = 0; i < s->settings->members; i++) {
		const struct peer *peer = &s->peers[i];

		if ((members & 1u << i) != 0 && !peer->out &&
			p->window.end + more > peer->delivered + s->settings->lag_max &&
			now_ns < peer->advanced_ns + s->settings->lag_timeout_ns)
			return true;
	}
	return false;
}

/* As far as every log must reach back: who is beyond the others' logs already has nothing to lose. */
static uint64_t fill_end(const struct leader_stage *s)
{
	uint64_t end = s->fill_to;

	for (uint32_t i = 0; i < s->settings->members; i++) {
		uint64_t reach = s->peers[i].delivered + LOG_INSTANCES;

		if (reach >= s->delivered && reach < end)
			end = reach;
	}
	return end;
}

void leader_fill_for_the_blind(struct leader_stage *s, uint64_t now_ns)
{
	if (!s->leads || s->outlet->room(s->outlet->context) < STAGE_ROOM ||
		follower_lags(s, 0, now_ns))
		return;
	leader_propose_batch(s, now_ns);
	uint32_t room = proposer_room(&s->proposer);
	uint64_t end = fill_end(s);
	uint64_t at = s->proposer.window.end;

	if (room > 0 && at < end)
		leader_propose_noops(s, room < end - at ? room : (uint32_t)(end - at), now_ns);
}

bool leader_stage_eager(const struct leader_stage *s, uint64_t now_ns)
{
	const struct window *w = &s->proposer.window;

	/* An eighth of the window is left for the frames that are taken with the last one. */
	return !s->leads ||
		(s->transfer.state == TRANSFER_NONE && window_runs(w) < LEADER_RUNS_EAGER &&
			window_span(w) <= s->settings->window - s->settings->window / 8 &&
			!follower_lags(s, s->settings->window / 8, now_ns));
}

/* Would one more instance fit the window and the flow control now? */
static bool may_take(const struct leader_stage *s, uint64_t now_ns)
{
	/* A frame of many commands may become many proposals. */
	return s->transfer.state == TRANSFER_NONE &&
		s->batch_count < proposer_capacity(&s->proposer) &&
		s->outlet->room(s->outlet->context) >= STAGE_ROOM && !follower_lags(s, 0, now_ns);
}

/* Makes room for one more entry; a full batch goes out. */
static void batch_room(struct leader_stage *s, uint32_t bytes, uint64_t now_ns)
{
	if (s->batch_count == count_limit(s) || s->batch_bytes + bytes > run_limit(s) ||
		s->batch_count == proposer_room(&s->proposer))
		leader_propose_batch(s, now_ns);
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
		leader_answer(s, m->from, e, REPLY_BAD_COMMAND, 0);
		return;
	}
	if (bytes > run_limit(s)) {
		s->counters.too_large++;
		leader_answer(s, m->from, e, REPLY_TOO_LARGE, 0);
		return;
	}
	if (!may || !may_take(s, now_ns)) {
		s->counters.busy++;
		leader_answer(s, m->from, e, REPLY_BUSY, 0);
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
	watch_taken(s->outlet, &own, (const uint8_t *)(e + 1));
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
			watch_taken(s->outlet, e, (const uint8_t *)(e + 1));
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
			leader_propose_noops(s, proposer_room(&s->proposer), now_ns);
		uint64_t first = proposer_take(&s->proposer, m->count, now_ns);

		s->sent_ns = now_ns;
		s->counters.proposed_commands += m->count;
		leader_propose(s, body, m->payload_len, first, m->count, m);
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

void leader_refuse_frame(struct leader_stage *s, const struct message *m, const uint8_t *body)
{
	uint32_t offset = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)(body + offset);

		leader_refuse(s, m->from, e);
		offset += entry_bytes(entry_length(e));
	}
}

void leader_on_request(struct leader_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	uint32_t offset = 0;

	if (__builtin_expect(m->flags != 0, 0)) {
		leader_take_reads(s, m, body);
		return;
	}
	if (!s->leads) {
		leader_refuse_frame(s, m, body);
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
		leader_propose_batch(s, now_ns);
}
