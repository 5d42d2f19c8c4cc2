#include "consensus/replica_learner.h"

#include <string.h>

#include "consensus/replica_learner_reads.h"
#include "consensus/replica_replies.h"
#include "consensus/watch.h"

#include "consensus/admission.h"

enum {
	TELL_EVERY_NS = 10000,
	/* What is missing is asked for after retransmit_ns / 16, then each time after twice as long,
	 * up to half of it. */
	ASK_SOONEST = 16,
	ASKS_FASTER = 3,
	GONE_ASKS = 4, /* Of each member. */
};

void learner_stage_init(struct learner_stage *s, const struct replica_settings *settings,
	struct outlet *outlet, const struct machine *machine, struct session *sessions,
	uint32_t sessions_max, void (*release)(void *context, void *frame), void *release_context)
{
	s->settings = settings;
	s->outlet = outlet;
	s->release = release;
	s->release_context = release_context;
	s->machine = *machine;
	session_init(&s->sessions, sessions, sessions_max);
	s->digest = 0;
	s->leader = MEMBER_MAX;
	s->silent_from = 0;
	s->source = MEMBER_MAX;
	s->gone = 0;
	s->gone_tail = 0;
	s->gone_asks = 0;
	s->beyond = false;
	s->commit_ballot = 0;
	s->commit_to = 0;
	s->told = 0;
	s->told_ns = 0;
	s->stuck_at = 0;
	s->stuck_ns = 0;
	s->stuck_asks = 0;
	s->chain = 0;
	s->recalled = UINT64_MAX;
	s->retained = 0;
	s->reply_next = 0;
	s->reads_next = 0;
	s->reads_count = 0;
	s->reply_last = &s->replies[0];
	memset(s->checkpoints, 0, sizeof(s->checkpoints));
	memset(&s->counters, 0, sizeof(s->counters));
	for (uint32_t i = 0; i < REPLY_BUFFERS; i++) {
		s->replies[i].client = 0;
		s->replies[i].count = 0;
		s->replies[i].bytes = 0;
		s->replies[i].flags = 0;
		s->replies[i].watermark = 0;
	}
	s->stale = (struct reply_buffer){.flags = FLAG_READ_STALE};
	learner_snapshots_init(&s->snapshots);
	learner_init(&s->learner);
}

void learner_send(struct learner_stage *s, const struct target *to, const struct message *m,
	const void *body)
{
	const struct part part = {.bytes = body, .length = m->payload_len};

	s->outlet->send(s->outlet->context, to, m, &part, m->payload_len > 0 ? 1 : 0);
}

static void release(void *stage, void *frame)
{
	struct learner_stage *s = stage;

	if (frame == NULL)
		return;
	s->retained--;
	s->release(s->release_context, frame);
}

/* ---- Applying ---- */

/* The commands gathered so far: one call of the state machine. */
static void apply_gathered(struct learner_stage *s, uint32_t count)
{
	uint64_t digest = s->digest;

	if (count == 0)
		return;
	s->machine.apply(s->machine.state, s->commands, count, s->results);
	for (uint32_t i = 0; i < count; i++) {
		const struct command *c = &s->commands[i];
		const struct result *r = &s->results[i];
		struct session *session = s->command_sessions[i];

		session_keep(session, c->sequence, r->status, r->result);
		digest = digest_add(digest, c->instance, c->session, c->sequence,
			digest_value(c->value, (c->length + 7) / 8 * 8), r->result);
	}
	s->digest = digest;
	if (s->leader == s->settings->self)
		learner_reply_all(s, count);
	s->counters.applied += count;
}

static void open_session(struct learner_stage *s, const struct entry *e, uint64_t instance)
{
	uint64_t asked = entry_sequence(e);
	struct session *session = session_open(&s->sessions, instance);
	const struct result opened = {.status = REPLY_OPENED, .result = instance};

	/* The leader that proposed it wrote its own id and the client's handle there. */
	session->client = asked / 65536 == s->settings->self ? (uint16_t)(asked % 65536) : 0;
	s->digest = digest_add(s->digest, instance, e->session, 0, 0, instance);
	s->counters.opened++;
	learner_reply(s, session->client, e->session, 0, &opened);
}

static void answer_only(struct learner_stage *s, uint16_t client, const struct entry *e,
	enum reply_status status, uint64_t value)
{
	const struct result r = {.status = status, .result = value};

	learner_reply(s, client, e->session, entry_sequence(e), &r);
}

static void answer_cached(struct learner_stage *s, uint16_t client, const struct entry *e,
	const struct session *session)
{
	uint64_t value;
	enum reply_status status = session_reply(session, entry_sequence(e), &value);

	answer_only(s, client, e, status, value);
}

/* One command: into the batch, or answered at once. Returns the batch's new count. */
static uint32_t gather(struct learner_stage *s, const struct entry *e, uint64_t instance,
	uint32_t count)
{
	struct session *session = session_find(&s->sessions, e->session);

	if (session == NULL) {
		s->counters.expired++;
		return count; /* Whose client it was is forgotten too; its retry hears `expired`. */
	}
	if (__builtin_expect(session_unsaved(&s->sessions, session), 0))
		session_save(&s->sessions, session);
	switch (session_apply(session, entry_sequence(e), instance)) {
	case SESSION_RUN:
		s->commands[count].instance = instance;
		s->commands[count].session = e->session;
		s->commands[count].sequence = entry_sequence(e);
		s->commands[count].value = (const uint8_t *)(e + 1);
		s->commands[count].length = entry_length(e);
		s->command_sessions[count] = session;
		return count + 1;
	case SESSION_STALE:
		s->counters.stale++;
		answer_only(s, session->client, e, REPLY_STALE, 0);
		return count;
	case SESSION_CACHED:
		s->counters.duplicates++;
		/* Its first copy may stand in this very batch. */
		apply_gathered(s, count);
		answer_cached(s, session->client, e, session);
		return 0;
	}
	return count;
}

static void apply_run(struct learner_stage *s, const struct learner_run *run)
{
	const uint8_t *at = run->body;
	uint32_t gathered = 0;

	if (run->bytes == 0) {
		s->counters.noops++;
		return;
	}
	for (uint32_t i = 0; i < run->count; i++) {
		const struct entry *e = (const struct entry *)(const void *)at;

		switch (entry_kind(e)) {
		case ENTRY_COMMAND:
			gathered = gather(s, e, run->first + i, gathered);
			break;
		case ENTRY_OPEN:
			/* Opening may move sessions that the batch points to. */
			apply_gathered(s, gathered);
			gathered = 0;
			open_session(s, e, run->first + i);
			break;
		default:
			s->counters.noops++;
			break;
		}
		at += entry_bytes(entry_length(e));
	}
	apply_gathered(s, gathered);
}

/* Readers pair with the release store by their acquire load of `instance`. */
static void keep_checkpoint(struct learner_stage *s)
{
	uint64_t at = s->learner.delivered;
	struct checkpoint *c = &s->checkpoints[at / CHECKPOINT_EVERY % CHECKPOINTS];

	__atomic_store_n(&c->instance, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&c->digest, s->digest, __ATOMIC_RELAXED);
	__atomic_store_n(&c->instance, at, __ATOMIC_RELEASE);
}

bool learner_stage_checkpoint(const struct learner_stage *s, uint64_t instance, uint64_t *digest)
{
	const struct checkpoint *c = &s->checkpoints[instance / CHECKPOINT_EVERY % CHECKPOINTS];

	if (__atomic_load_n(&c->instance, __ATOMIC_ACQUIRE) != instance)
		return false;
	*digest = __atomic_load_n(&c->digest, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&c->instance, __ATOMIC_RELAXED) == instance;
}

void learner_stage_tell(struct learner_stage *s, uint8_t flags)
{
	const struct message m = {
		.type = MESSAGE_DELIVERED,
		.flags = flags,
		.first = s->learner.delivered,
		.ballot = s->commit_ballot,
		.watermark = s->commit_to,
	};
	const struct target to = {.local = true};

	s->told = s->learner.delivered;
	learner_send(s, &to, &m, NULL);
}

/* By which ballot a run is known chosen: a journal must know it of each. Of a chosen record the
 * record itself says it. */
static void note_commit(struct learner_stage *s, const struct learner_run *run)
{
	if (run->chosen)
		return;
	if (__builtin_expect(run->ballot != s->commit_ballot, 0)) {
		if (s->told != s->learner.delivered)
			learner_stage_tell(s, 0);
		s->commit_ballot = run->ballot;
	}
	s->commit_to = run->first + run->count;
}

static void recall(struct learner_stage *s, uint64_t first)
{
	const struct message m = {
		.type = MESSAGE_RECALL,
		.first = first,
		.shard = (uint16_t)shard_of(first, s->settings->shards),
	};
	const struct target to = {.local = true};

	s->counters.recalls++;
	learner_send(s, &to, &m, NULL);
}

static void deliver(struct learner_stage *s)
{
	const struct learner_run *run;

	if (learner_snapshot_replaces(&s->snapshots))
		return;
	while ((run = learner_next(&s->learner)) != NULL) {
		if (run->body == NULL && run->bytes > 0) {
			/* In the log only. Should this be lost, ask_for_missing asks again. */
			if (s->recalled != run->first)
				recall(s, run->first);
			s->recalled = run->first;
			return;
		}
		watch_values(s->outlet, run->body, run->bytes);
		outlet_watch(s->outlet, TRANSITION_DELIVERED, run->ballot, run->first, run->count);
		apply_run(s, run);
		note_commit(s, run);
		s->counters.delivered_runs++;
		release(s, learner_delivered(&s->learner));
		s->gone = 0;
		s->beyond = false;
		if (s->learner.delivered % CHECKPOINT_EVERY == 0)
			keep_checkpoint(s);
	}
}

void learner_stage_stand(struct learner_stage *s, const struct snapshot_header *h)
{
	learner_jump(&s->learner, h->instance, release, s);
	s->digest = h->digest;
	memset(s->checkpoints, 0, sizeof(s->checkpoints));
	s->commit_ballot = 0;
	s->commit_to = 0;
	s->gone = 0;
	s->beyond = false;
	s->chain = 0;
	s->recalled = UINT64_MAX;
}

/* ---- What is heard ---- */

static bool on_voted(struct learner_stage *s, const struct message *m, const uint8_t *body,
	void *frame)
{
	/* What comes next is always kept: else no frame in front of it ever comes back. */
	bool next = m->first <= s->learner.delivered;
	bool keeps = m->payload_len > 0 && (next || s->retained < LEARNER_RETAINED_MAX);
	void *replaced;
	const struct learner_run run = {
		.first = m->first,
		.ballot = m->ballot,
		.frame = keeps ? frame : NULL,
		.body = keeps ? body : NULL,
		.count = m->count,
		.bytes = m->payload_len,
		.chosen = (m->flags & FLAG_CHOSEN) != 0,
	};

	if (!run.chosen)
		learner_on_watermark(&s->learner, m->ballot, m->watermark);
	if (!learner_add(&s->learner, &run, &replaced))
		return false;
	s->retained += run.frame != NULL ? 1 : 0;
	s->counters.unretained += !keeps && m->payload_len > 0 ? 1 : 0;
	release(s, replaced);
	if (run.chosen && m->sender != s->settings->self)
		s->chain = m->first + m->count;
	for (uint32_t at = 0; keeps && at < m->payload_len;) {
		const struct entry *e = (const struct entry *)(const void *)(body + at);

		session_prefetch(&s->sessions, e->session);
		at += entry_bytes(entry_length(e));
	}
	return keeps;
}

static void on_leader(struct learner_stage *s, uint32_t leader)
{
	if (leader == s->settings->self)
		s->silent_from = UINT64_MAX;
	else if (s->leader == s->settings->self)
		s->silent_from = s->learner.delivered;
	s->leader = leader;
}

static void on_watermark(struct learner_stage *s, const struct message *m)
{
	if (m->ballot > 0) {
		if (m->ballot >= s->learner.ballot)
			on_leader(s, m->sender);
		learner_on_watermark(&s->learner, m->ballot, m->watermark);
	}
	learner_on_target(&s->learner, m->first);
	if (m->sender != s->settings->self)
		s->source = m->sender;
}

static void retry_one(struct learner_stage *s, const struct message *m, const struct entry *e)
{
	struct session *session = session_find(&s->sessions, e->session);

	if (session == NULL) {
		/* Not seen yet, or evicted: only the log's order tells, once we are past it. */
		if (e->session < s->learner.delivered)
			answer_only(s, m->from, e, REPLY_EXPIRED, 0);
		return;
	}
	session->client = m->from;
	switch (session_look(session, entry_sequence(e))) {
	case SESSION_CACHED:
		answer_cached(s, m->from, e, session);
		return;
	case SESSION_STALE:
		answer_only(s, m->from, e, REPLY_STALE, 0);
		return;
	case SESSION_RUN:
		return; /* In flight. */
	}
}

static void on_retry(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	const struct entry *entries = (const struct entry *)(const void *)body;

	/* What a table in the making lacks is not forgotten. */
	if (learner_snapshot_replaces(&s->snapshots))
		return;
	for (uint32_t i = 0; i < m->count; i++)
		retry_one(s, m, &entries[i]);
}

/* Taken by a leadership of ours that is over: what was applied while we led was answered. */
static void lost_one(struct learner_stage *s, const struct entry *e)
{
	const struct session *session = learner_snapshot_replaces(&s->snapshots)
		? NULL
		: session_find(&s->sessions, e->session);
	struct result r = {.status = REPLY_UNKNOWN};

	if (session != NULL) {
		enum session_answer seen = session_look(session, entry_sequence(e));

		if (seen == SESSION_STALE ||
			(seen == SESSION_CACHED && session->last < s->silent_from))
			return;
		if (seen == SESSION_CACHED)
			r.status = session_reply(session, entry_sequence(e), &r.result);
	}
	learner_reply_as(s, admission_client(e), e->session, entry_sequence(e), &r);
}

static void on_lost(struct learner_stage *s, const struct message *m, const uint8_t *body)
{
	const struct entry *entries = (const struct entry *)(const void *)body;

	for (uint32_t i = 0; i < m->count; i++)
		lost_one(s, &entries[i]);
}

static void on_gone(struct learner_stage *s, const struct message *m)
{
	uint32_t others = ((1u << s->settings->members) - 1) & ~(1u << s->settings->self);

	if (m->first != s->learner.delivered || s->beyond)
		return;
	if (s->gone == 0) {
		s->gone_tail = 0;
		s->gone_asks = 0;
	}
	s->gone |= 1u << m->sender;
	s->gone_tail = m->watermark > s->gone_tail ? m->watermark : s->gone_tail;
	s->beyond = (s->gone & others) == others;
}

bool learner_stage_on_message(struct learner_stage *s, const struct message *m, const uint8_t *body,
	void *frame, uint64_t now_ns)
{
	switch (m->type) {
	case MESSAGE_VOTED:
		return on_voted(s, m, body, frame);
	case MESSAGE_WATERMARK:
		on_watermark(s, m);
		return false;
	case MESSAGE_RETRY:
		on_retry(s, m, body);
		return false;
	case MESSAGE_LOST:
		on_lost(s, m, body);
		return false;
	case MESSAGE_READ:
		learner_on_read(s, m, body);
		return false;
	case MESSAGE_CATCH_UP:
		s->source = m->sender;
		learner_on_target(&s->learner, m->first);
		return false;
	case MESSAGE_GONE:
		on_gone(s, m);
		return false;
	case MESSAGE_SNAPSHOT_ASKED:
		learner_snapshot_on_asked(s, m, now_ns);
		return false;
	case MESSAGE_SNAPSHOT_PART:
		learner_snapshot_on_part(s, m, body, now_ns);
		return false;
	default:
		return false;
	}
}

/* ---- What is missing ---- */

static void fetch(struct learner_stage *s, uint64_t first)
{
	const struct message m = {
		.type = MESSAGE_FETCH,
		.first = first,
		.shard = (uint16_t)shard_of(first, s->settings->shards),
	};
	const struct target to = {.members = 1u << s->source};

	if (s->source >= s->settings->members || s->source == s->settings->self)
		return;
	s->counters.fetches++;
	learner_send(s, &to, &m, NULL);
}

static void next_source(struct learner_stage *s)
{
	for (uint32_t i = 1; i <= s->settings->members; i++) {
		uint32_t member = (s->source + i) % s->settings->members;

		if (member != s->settings->self) {
			s->source = member;
			return;
		}
	}
}

/* Nothing was delivered for a while, though some node knows more to be chosen: our own log may
 * hold it, else another's does. */
static void ask_for_missing(struct learner_stage *s, uint64_t now_ns)
{
	uint64_t at = s->learner.delivered;

	if (at >= s->learner.target)
		s->snapshots.attempts = 0;
	if (s->beyond || at >= s->learner.target || at != s->stuck_at) {
		s->stuck_at = at;
		s->stuck_ns = now_ns;
		s->stuck_asks = 0;
		return;
	}
	/* Frames out of order close a hole by themselves: a moment is enough for those. */
	if (now_ns - s->stuck_ns < s->settings->retransmit_ns / ASK_SOONEST << s->stuck_asks)
		return;
	s->stuck_ns = now_ns;
	s->stuck_asks += s->stuck_asks < ASKS_FASTER ? 1 : 0;
	recall(s, at);
	fetch(s, at);
	next_source(s);
	/* Who never answers need not say that it is gone. */
	s->beyond = s->gone != 0 && ++s->gone_asks >= GONE_ASKS * s->settings->members;
}

void learner_stage_on_tick(struct learner_stage *s, uint64_t now_ns)
{
	if (s->told != s->learner.delivered && now_ns - s->told_ns >= TELL_EVERY_NS) {
		s->told_ns = now_ns;
		learner_stage_tell(s, 0);
	}
	ask_for_missing(s, now_ns);
	learner_snapshot_on_tick(s, now_ns);
}

void learner_stage_flush(struct learner_stage *s, uint64_t now_ns)
{
	(void)now_ns;
	if (__builtin_expect(learner_snapshot_busy(&s->snapshots), 0))
		learner_snapshot_step(s);
	deliver(s);
	if (__builtin_expect(s->reads_count > 0, 0))
		learner_run_waiting_reads(s);
	learner_flush_replies(s);
	/* One answer of a catch-up asks for the next. */
	if (s->chain != 0 && s->chain < s->learner.target && s->chain >= s->learner.delivered &&
		!learner_holds(&s->learner, s->chain))
		fetch(s, s->chain);
	s->chain = 0;
}
