#include "consensus/proposer.h"

#include "consensus/check.h"

void proposer_init(struct proposer *p, const struct replica_settings *settings)
{
	p->settings = settings;
	p->state = PROPOSER_IDLE;
	p->ballot = 0;
	p->delivered = 0;
	p->quorum = 0;
	p->end = 0;
	p->due = false;
	p->sent_ns = 0;
	window_init(&p->window, 0);
}

/*@ requires \valid(p);
    assigns p->state, p->due;
    ensures p->state == state; */
static void enter(struct proposer *p, enum proposer_state state)
{
	p->state = state;
	p->due = true;
}

void proposer_start(struct proposer *p, uint64_t ballot)
{
	CHECK(ballot > p->ballot && ballot_node(ballot) == p->settings->self);
	p->ballot = ballot;
	p->quorum = 0;
	p->end = 0;
	/*@ loop invariant 0 <= i <= MEMBER_MAX;
	    loop invariant none: \forall integer k; 0 <= k < i ==> p->promises[k].shards == 0;
	    loop invariant \forall integer k; 0 <= k < i ==> p->promises[k].lo == 0;
	    loop invariant \forall integer k; 0 <= k < i ==> p->promises[k].high == 0;
	    loop invariant \forall integer k; 0 <= k < i ==> p->promises[k].covered == 0;
	    loop assigns i, p->promises[0 .. MEMBER_MAX - 1];
	    loop variant MEMBER_MAX - i; */
	for (uint32_t i = 0; i < MEMBER_MAX; i++) {
		p->promises[i].shards = 0;
		p->promises[i].lo = 0;
		p->promises[i].high = 0;
		p->promises[i].covered = 0;
	}
	enter(p, PROPOSER_PREPARING_SELF);
}

void proposer_step_down(struct proposer *p)
{
	p->state = PROPOSER_IDLE;
	p->due = false;
	window_init(&p->window, p->window.end);
}

/*@ // Coq: promised_all.
    requires proposer_apart(p) && settings_ok(p->settings) && member < MEMBER_MAX;
    assigns \nothing;
    ensures all: \result <==> all_promised(p, member); */
static bool promised(const struct proposer *p, uint32_t member)
{
	/*@ assert p->settings->shards == 1 ==> (1u << p->settings->shards) - 1 == 0x1; */
	/*@ assert p->settings->shards == 2 ==> (1u << p->settings->shards) - 1 == 0x3; */
	/*@ assert p->settings->shards == 4 ==> (1u << p->settings->shards) - 1 == 0xf; */
	return p->promises[member].shards == (1u << p->settings->shards) - 1;
}

/*@ requires proposer_apart(p) && settings_ok(p->settings);
    assigns \nothing;
    ensures set: \result < MEMBER_SETS;
    ensures those: \forall integer i; 0 <= i < MEMBER_MAX ==>
      (among(i, \result) <==> i < p->settings->members && all_promised(p, i)); */
static uint32_t promised_members(const struct proposer *p)
{
	uint32_t members = 0;

	/*@ loop invariant 0 <= i <= p->settings->members && members < MEMBER_SETS;
	    loop invariant those: \forall integer k; 0 <= k < MEMBER_MAX ==>
	      (among(k, members) <==> k < i && all_promised(p, k));
	    loop assigns i, members;
	    loop variant p->settings->members - i; */
	for (uint32_t i = 0; i < p->settings->members; i++)
		if (promised(p, i))
			members = quorum_with(members, i);
	return members;
}

uint64_t proposer_prefix(const struct proposer *p, uint32_t *member)
{
	uint64_t lo = 0;

	/*@ loop invariant 0 <= i <= p->settings->members;
	    loop invariant P4: \forall integer k; 0 <= k < i && among(k, p->quorum) ==>
	      p->promises[k].lo <= lo;
	    loop invariant whose: lo == 0 ||
	      (*member < p->settings->members && among(*member, p->quorum) &&
	        p->promises[*member].lo == lo);
	    loop assigns i, lo, *member;
	    loop variant p->settings->members - i; */
	for (uint32_t i = 0; i < p->settings->members; i++) {
		if (!quorum_has(p->quorum, i) || p->promises[i].lo < lo)
			continue;
		lo = p->promises[i].lo;
		*member = i;
	}
	return lo;
}

/* A stride of which nobody has reported anything yet. */
/*@ requires proposer_apart(p) && settings_ok(p->settings) && p->quorum < MEMBER_SETS;
    requires from <= to <= INSTANCE_TOP;
    assigns p->state, p->due, p->recovery.from, p->recovery.to, p->recovery.next,
      p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures P4: covered_to(p, from);
    ensures P4: p->recovery.from == from && p->recovery.to == to && p->recovery.next == from;
    ensures ok: recovery_ok(&p->recovery);
    ensures R2: entries_fit(&p->recovery, 0);
    ensures settings: settings_same{Pre,Post}(p);
    ensures quorum: quorum_same{Pre,Post}(p);
    ensures numbers: numbers_same{Pre,Post}(p);
    ensures state: p->state == PROPOSER_PULLING;
    ensures window: window_same{Pre,Post}(&p->window);
    ensures shards: shards_same{Pre,Post}(p);
    ensures lo: los_same{Pre,Post}(p);
    ensures high: highs_same{Pre,Post}(p); */
static void stride_begin(struct proposer *p, uint64_t from, uint64_t to)
{
	/*@ loop invariant 0 <= i <= MEMBER_MAX;
	    loop invariant P4: \forall integer k; 0 <= k < i ==> p->promises[k].covered == from;
	    loop invariant shards: shards_same{Pre,Here}(p);
	    loop invariant lo: los_same{Pre,Here}(p);
	    loop invariant high: highs_same{Pre,Here}(p);
	    loop assigns i, p->promises[0 .. MEMBER_MAX - 1];
	    loop variant MEMBER_MAX - i; */
	for (uint32_t i = 0; i < MEMBER_MAX; i++)
		p->promises[i].covered = from;
	enter(p, PROPOSER_PULLING);
	recovery_begin(&p->recovery, from, to);
}

/* The next stride, or the end of phase 1. */
/*@ requires proposer_apart(p) && base_ok(p) && window_ok(&p->window) && promises_ok(p);
    requires quorum_is_one(p) && quorum_promised(p) && all_promised(p, p->settings->self);
    requires P4: prefix_here(p) && from == p->window.end;
    assigns p->state, p->due, p->recovery.from, p->recovery.to, p->recovery.next,
      p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P4: from >= p->end ==> p->state == PROPOSER_LEADING;
    ensures P4: from < p->end ==> p->state == PROPOSER_PULLING && p->recovery.from == from &&
      p->recovery.next == from && from < p->recovery.to <= p->end &&
      p->recovery.to <= (from / BLOCK + 1) * BLOCK;
    ensures R2: from < p->end ==> entries_fit(&p->recovery, 0);
    ensures P4: from < p->end ==> covered_to(p, from);
    ensures P1: window_same{Pre,Post}(&p->window); */
static void pull_from(struct proposer *p, uint64_t from)
{
	uint64_t to = (from / BLOCK + 1) * BLOCK;

	if (from >= p->end) {
		enter(p, PROPOSER_LEADING);
		return;
	}
	if (to > p->end)
		to = p->end;
	/*@ assert block: from / BLOCK == (to - 1) / BLOCK; */
	stride_begin(p, from, to);
	/*@ assert promised: quorum_is_one(p); */
	/*@ assert promised: all_promised(p, p->settings->self); */
	/*@ assert promised: quorum_promised(p); */
	/*@ assert ok: promises_ok(p); */
	/*@ assert prefix: prefix_here(p); */
	/*@ assert fit: entries_fit(&p->recovery, p->settings->body_max - RECORD_BYTES); */
	/*@ assert covered: covered(p, from); */
	/*@ assert block: p->recovery.from / BLOCK == (p->recovery.to - 1) / BLOCK; */
	/*@ assert stride: p->recovery.to <= p->end && p->window.end == p->recovery.next; */
	/*@ assert stride: stride_ok(p); */
	/*@ assert window: window_ok(&p->window); */
	/*@ assert base: base_ok(p); */
}

/* The prefix is here: what this ballot proposes starts at what is delivered. */
/*@ requires proposer_apart(p) && base_ok(p) && promises_ok(p);
    requires quorum_is_one(p) && quorum_promised(p) && all_promised(p, p->settings->self);
    requires P4: \forall integer i; 0 <= i < MEMBER_MAX && among(i, p->quorum) ==>
      p->promises[i].lo <= p->delivered;
    assigns p->state, p->due, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures state: p->state == PROPOSER_PULLING || p->state == PROPOSER_LEADING;
    ensures start: p->window.next == 0 && p->window.end == p->delivered; */
static void pull_first(struct proposer *p)
{
	/*@ loop invariant 0 <= i <= p->settings->members && p->end < INSTANCE_TOP;
	    loop invariant P4: \forall integer k; 0 <= k < i && among(k, p->quorum) ==>
	      p->promises[k].high <= p->end;
	    loop assigns i, p->end;
	    loop variant p->settings->members - i; */
	for (uint32_t i = 0; i < p->settings->members; i++)
		if (quorum_has(p->quorum, i) && p->promises[i].high > p->end)
			p->end = p->promises[i].high;
	/* Nothing was proposed yet at this ballot: the start may still move up. */
	window_init(&p->window, p->delivered);
	/*@ assert lo: los_same{Pre,Here}(p); */
	/*@ assert high: highs_same{Pre,Here}(p); */
	/*@ assert prefix: prefix_here(p); */
	pull_from(p, p->delivered);
}

/* A phase-1 quorum is there. Below its largest lo a vote need not be reported: only what was
 * chosen there will do, and comes by catch-up. */
/*@ // Coq: EBegin.
    requires proposer_apart(p) && base_ok(p) && promises_ok(p) && window_ok(&p->window);
    requires quorum_is_one(p) && quorum_promised(p) && all_promised(p, p->settings->self);
    requires p->window.next == 0;
    assigns p->state, p->due, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1],
      p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures state: p->state == PROPOSER_CATCHING_UP || p->state == PROPOSER_PULLING ||
      p->state == PROPOSER_LEADING;
    ensures P4: p->state == PROPOSER_CATCHING_UP ==> \exists integer i;
      0 <= i < MEMBER_MAX && among(i, p->quorum) && p->promises[i].lo > p->delivered;
    ensures start: p->window.next == 0;
    ensures start: p->state != PROPOSER_CATCHING_UP ==> p->window.end == p->delivered; */
static void catch_up_or_pull(struct proposer *p)
{
	uint32_t member = 0;

	if (p->delivered < proposer_prefix(p, &member)) {
		enter(p, PROPOSER_CATCHING_UP);
		return;
	}
	pull_first(p);
}

/*@ // Coq: EHearPromise; EBegin where it makes the quorum.
    requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_PROMISE && numbers_ok(m);
    requires P5: m->ballot == p->ballot;
    requires member: m->sender < p->settings->members;
    requires shard: m->shard < p->settings->shards;
    requires state: p->state == PROPOSER_PREPARING_SELF || p->state == PROPOSER_PREPARING;
    assigns p->state, p->due, p->quorum, p->end, p->window, p->recovery.from, p->recovery.to,
      p->recovery.next, p->recovery.cells[0 .. BLOCK - 1], p->promises[0 .. MEMBER_MAX - 1];
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P3: p->state == \old(p->state) || \old(p->state) == PROPOSER_PREPARING ||
      all_promised(p, p->settings->self); */
static void take_promise(struct proposer *p, const struct message *m)
{
	struct proposer_promise *promise = &p->promises[m->sender];

	promise->shards = quorum_with(promise->shards, m->shard);
	if (m->first > promise->lo)
		promise->lo = m->first;
	if (m->watermark > promise->high)
		promise->high = m->watermark;
	if (p->state == PROPOSER_PREPARING_SELF && promised(p, p->settings->self))
		enter(p, PROPOSER_PREPARING);
	if (p->state == PROPOSER_PREPARING &&
		quorum_phase1(p->settings->quorum, promised_members(p))) {
		p->quorum = promised_members(p);
		catch_up_or_pull(p);
	}
}

void proposer_on_promise(struct proposer *p, const struct message *m)
{
	if (m->ballot != p->ballot || m->sender >= p->settings->members ||
		m->shard >= p->settings->shards ||
		(p->state != PROPOSER_PREPARING_SELF && p->state != PROPOSER_PREPARING))
		return;
	take_promise(p, m);
}

/* A chunk of votes, without a hole after what its member reported before. */
/*@ // Coq: EHearVotes.
    requires proposer_apart(p) && proposer_ok(p) && \valid_read(m) && \separated(p, m);
    requires decoded: m->type == MESSAGE_VOTES && numbers_ok(m) &&
      \valid_read(body + (0 .. m->payload_len - 1)) &&
      \separated(p, body + (0 .. m->payload_len - 1)) &&
      chunk_in(body, m->count, m->payload_len);
    requires state: p->state == PROPOSER_PULLING;
    requires P5: m->ballot == p->ballot;
    requires member: m->sender < p->settings->members && among(m->sender, p->quorum);
    requires shard: m->shard == p->recovery.from / BLOCK % p->settings->shards;
    requires P4: m->first <= p->promises[m->sender].covered < m->watermark;
    requires fit: m->payload_len <= p->settings->body_max;
    assigns p->state, p->due, p->promises[m->sender].covered, p->recovery;
    ensures stride: p->recovery.from == \old(p->recovery.from) &&
      p->recovery.to == \old(p->recovery.to) && p->recovery.next == \old(p->recovery.next);
    ensures ok: base_ok(p);
    ensures ok: state_ok(p);
    ensures ok: window_ok(&p->window);
    ensures P4: \forall integer i; 0 <= i < MEMBER_MAX ==>
      p->promises[i].covered == \old(p->promises[i].covered) ||
      (i == m->sender &&
        \old(p->promises[i].covered) < p->promises[i].covered <= m->watermark);
    ensures P4: p->state == PROPOSER_PULLING ||
      (p->state == PROPOSER_REPROPOSING && covered(p, p->recovery.to)); */
static void take_votes(struct proposer *p, const struct message *m, const uint8_t *body)
{
	struct proposer_promise *promise = &p->promises[m->sender];

	recovery_add(&p->recovery, body, m->payload_len);
	promise->covered = m->watermark < p->recovery.to ? m->watermark : p->recovery.to;
	p->due = promise->covered < p->recovery.to;
	/*@ loop invariant 0 <= i <= p->settings->members;
	    loop invariant \forall integer k; 0 <= k < i && among(k, p->quorum) ==>
	      p->promises[k].covered >= p->recovery.to;
	    loop assigns i;
	    loop variant p->settings->members - i; */
	for (uint32_t i = 0; i < p->settings->members; i++)
		if (quorum_has(p->quorum, i) && p->promises[i].covered < p->recovery.to)
			return;
	enter(p, PROPOSER_REPROPOSING);
}

void proposer_on_votes(struct proposer *p, const struct message *m, const uint8_t *body)
{
	if (p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
		m->sender >= p->settings->members || !quorum_has(p->quorum, m->sender) ||
		m->shard != shard_of(p->recovery.from, p->settings->shards))
		return;
	const struct proposer_promise *promise = &p->promises[m->sender];

	/* In no chunk means unknown: coverage grows without a hole. */
	if (m->first > promise->covered || m->watermark <= promise->covered)
		return;
	/* An entry longer than what a frame of ours carries would fit no run. */
	if (m->payload_len > p->settings->body_max)
		return;
	take_votes(p, m, body);
}

void proposer_on_trimmed(struct proposer *p, const struct message *m)
{
	if (p->state != PROPOSER_PULLING || m->ballot != p->ballot ||
		m->sender >= p->settings->members || m->watermark <= p->promises[m->sender].lo ||
		!quorum_has(p->quorum, m->sender))
		return;
	p->promises[m->sender].lo = m->watermark;
	/*@ assert window_same{Pre,Here}(&p->window); */
	/*@ assert window_ok(&p->window); */
	/* With runs out at this ballot the start is fixed, and a hole above them would be one in the
	 * watermark: another ballot starts higher. */
	if (p->window.next == 0)
		catch_up_or_pull(p);
	else
		proposer_step_down(p);
}

void proposer_on_delivered(struct proposer *p, uint64_t delivered)
{
	uint32_t member = 0;

	p->delivered = delivered > p->delivered ? delivered : p->delivered;
	/*@ assert window_same{Pre,Here}(&p->window); */
	/*@ assert window_ok(&p->window); */
	if (p->state == PROPOSER_CATCHING_UP && p->delivered >= proposer_prefix(p, &member))
		catch_up_or_pull(p);
}

/* The body stands at a multiple of 8, as every body in an mbuf does. */
/*@ requires \valid_read(body + (i * RANGE_BYTES .. (i + 1) * RANGE_BYTES - 1));
    assigns \nothing;
    ensures \valid_read(\result) && \result->first == range_first(body, i) &&
      \result->count == range_count(body, i); */
static const struct range *range_at(const uint8_t *body, uint32_t i)
{
	return (const struct range *)(const void *)body + i;
}

/*@ // Coq: Protocol.counts, EAdvance.
    requires \valid(w) && window_ok(w) && \valid_read(q) && \valid_read(m);
    requires \separated(w, q, m) && m->sender < MEMBER_MAX && ranges_in(body, m->count);
    requires \valid_read(body + (0 .. m->count * RANGE_BYTES - 1)) &&
      \separated(w, body + (0 .. m->count * RANGE_BYTES - 1));
    assigns *w;
    ensures ok: window_ok(w) && w->chosen >= \old(w->chosen) && w->oldest >= \old(w->oldest);
    ensures P1: same_runs{Pre,Post}(w) && w->next == \old(w->next) && w->end == \old(w->end);
    ensures P2: \forall integer r; \old(w->oldest) <= r < w->oldest ==>
      q->phase2[voters(w, r)] == 1;
    ensures counts: \forall integer r; in_flight{Pre}(w, r) ==>
      voters(w, r) == \old(voters(w, r)) || (told(w, r, body, m->count) &&
        adds_member(voters(w, r), \old(voters(w, r)), m->sender));
    ensures rose: \result <==> w->chosen > \old(w->chosen); */
static bool count_votes(struct window *w, const struct quorum *q, const struct message *m,
	const uint8_t *body)
{
	/*@ loop invariant 0 <= i <= m->count;
	    loop invariant ok: window_ok(w);
	    loop invariant P1: same_runs{Pre,Here}(w);
	    loop invariant counts: \forall integer r; in_flight(w, r) ==>
	      voters(w, r) == \at(voters(w, r), Pre) || (told(w, r, body, i) &&
	        adds_member(voters(w, r), \at(voters(w, r), Pre), m->sender));
	    loop assigns i, w->hint[m->sender], w->flights[0 .. WINDOW_INSTANCES - 1].votes;
	    loop variant m->count - i; */
	for (uint32_t i = 0; i < m->count; i++) {
		const struct range *r = range_at(body, i);

		window_vote(w, m->sender, r->first, r->count);
	}
	return window_advance(w, q);
}

bool proposer_on_accepted(struct proposer *p, const struct message *m, const uint8_t *body)
{
	/* Votes for one stride may come while the next one is pulled. */
	if (m->ballot != p->ballot || p->state == PROPOSER_IDLE)
		return false;
	bool rose = count_votes(&p->window, p->settings->quorum, m, body);

	/*@ assert base_ok(p); */
	return rose;
}

bool proposer_asks(struct proposer *p, uint64_t now_ns)
{
	if (p->state == PROPOSER_IDLE || p->state >= PROPOSER_REPROPOSING)
		return false;
	if (!p->due && now_ns - p->sent_ns < p->settings->retransmit_ns)
		return false;
	p->due = false;
	p->sent_ns = now_ns;
	return true;
}

/*@ requires proposer_apart(p) && base_ok(p) && member < p->settings->members;
    assigns \nothing;
    ensures P3: p->state == PROPOSER_PREPARING_SELF ==>
      (\result <==> member == p->settings->self);
    ensures P4: p->state == PROPOSER_PREPARING ==> (\result <==> !all_promised(p, member));
    ensures P4: p->state == PROPOSER_PULLING ==>
      (\result <==> among(member, p->quorum) && p->promises[member].covered < p->recovery.to); */
static bool waits_for(const struct proposer *p, uint32_t member)
{
	switch (p->state) {
	case PROPOSER_PREPARING_SELF:
		return member == p->settings->self;
	case PROPOSER_PREPARING:
		return !promised(p, member);
	case PROPOSER_PULLING:
		return quorum_has(p->quorum, member) &&
			p->promises[member].covered < p->recovery.to;
	default:
		return false;
	}
}

uint32_t proposer_unanswered(const struct proposer *p)
{
	uint32_t members = 0;

	/*@ loop invariant 0 <= i <= p->settings->members && members < MEMBER_SETS;
	    loop invariant P3: p->state == PROPOSER_PREPARING_SELF ==>
	      \forall integer k; 0 <= k < MEMBER_MAX ==>
	        (among(k, members) <==> k < i && k == p->settings->self);
	    loop invariant P4: p->state == PROPOSER_PULLING ==>
	      \forall integer k; 0 <= k < MEMBER_MAX ==> (among(k, members) <==>
	        k < i && among(k, p->quorum) && p->promises[k].covered < p->recovery.to);
	    loop assigns i, members;
	    loop variant p->settings->members - i; */
	for (uint32_t i = 0; i < p->settings->members; i++)
		if (waits_for(p, i))
			members = quorum_with(members, i);
	return members;
}

uint32_t proposer_capacity(const struct proposer *p)
{
	/* Two blocks less: a shard hears of what is delivered a little later than we do. */
	uint64_t votable = p->delivered + ACCEPTOR_WINDOW - 2 * BLOCK;
	uint64_t span = window_span(&p->window);

	if (span >= p->settings->window || p->window.end >= votable)
		return 0;
	uint64_t room = p->settings->window - span;

	return (uint32_t)(room < votable - p->window.end ? room : votable - p->window.end);
}

uint32_t proposer_repropose(struct proposer *p, uint8_t *body, uint32_t *bytes, uint64_t *first,
	uint64_t now_ns)
{
	uint32_t limit = p->settings->body_max - RECORD_BYTES;

	if (p->state != PROPOSER_REPROPOSING)
		return 0;
	uint32_t room = proposer_capacity(p);

	if (room == 0)
		return 0;
	uint32_t count = recovery_next(&p->recovery, body, limit, room, bytes);

	if (count == 0) {
		pull_from(p, p->recovery.to);
		return 0;
	}
	*first = window_push(&p->window, count, now_ns);
	CHECK(*first + count == p->recovery.next);
	return count;
}

uint32_t proposer_room(const struct proposer *p)
{
	uint32_t room = p->state == PROPOSER_LEADING ? proposer_capacity(p) : 0;
	uint32_t block = (uint32_t)(BLOCK - p->window.end % BLOCK);

	return room < block ? room : block;
}

uint64_t proposer_take(struct proposer *p, uint32_t count, uint64_t now_ns)
{
	CHECK(count >= 1 && count <= proposer_room(p));
	return window_push(&p->window, count, now_ns);
}
