#include "consensus/replica_snapshot.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_learner.h"
#include "consensus/replica_replies.h"
#include "consensus/watch.h"

enum {
	/* An answer is waited for so long, of retransmit_ns; then each time twice as long, up to it. */
	ASK_SOONEST = 16,
	ASKS_SLOWER = 4,
};

void learner_snapshots_init(struct learner_snapshots *p)
{
	memset(p, 0, sizeof(*p));
}

void learner_stage_give_image(struct learner_stage *s, uint8_t *bytes, uint64_t size)
{
	s->snapshots.image = (struct snapshot){.bytes = bytes, .size = size};
}

const char *learner_snapshot_text(enum snapshot_state state)
{
	static const char *const texts[] = {
		[SNAPSHOT_NONE] = "none",
		[SNAPSHOT_WHOLE] = "whole",
		[SNAPSHOT_CUTTING] = "is written",
		[SNAPSHOT_RECEIVING] = "is received",
		[SNAPSHOT_CHECKING] = "is checked",
		[SNAPSHOT_KEEPING] = "goes to the disk",
		[SNAPSHOT_CLEARING] = "replaces the state",
		[SNAPSHOT_LOADING] = "replaces the state",
	};

	return texts[state];
}

static bool durable(const struct learner_stage *s)
{
	return s->settings->durability != DURABILITY_NONE;
}

static bool kept(const struct learner_stage *s, uint64_t instance)
{
	/* Pairs with learner_stage_kept. */
	return !durable(s) || __atomic_load_n(&s->snapshots.kept, __ATOMIC_ACQUIRE) >= instance;
}

static uint64_t instance_of(const struct learner_snapshots *p)
{
	return snapshot_header_of(&p->image)->instance;
}

/* May the memory be used for another image? */
static bool is_free(const struct learner_stage *s, uint64_t now_ns)
{
	const struct learner_snapshots *p = &s->snapshots;

	if (p->state == SNAPSHOT_WHOLE)
		return now_ns >= p->lease_ns && kept(s, instance_of(p));
	return p->state == SNAPSHOT_NONE && p->image.size > 0;
}

/* For control, which may read it from here on. */
static void publish(struct learner_stage *s, uint64_t instance)
{
	__atomic_store_n(&s->snapshots.whole, durable(s) ? instance : 0, __ATOMIC_RELEASE);
}

/* ---- Cutting ---- */

static void cut(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct machine *machine = &s->machine;
	const struct snapshot_header header = {
		.sessions = s->sessions.count,
		.entries = machine->snapshot == NULL ? 0 : machine->snapshot->count(machine->state),
		.config_hash = s->settings->config_hash,
		.instance = s->learner.delivered,
		.digest = s->digest,
	};

	watch_detail(s->outlet, TRANSITION_CUT, 0, header.instance, 0, 0);
	publish(s, 0);
	p->state = SNAPSHOT_CUTTING;
	p->counters.cut++;
	snapshot_begin(&p->image, &header);
	session_snapshot_begin(&s->sessions, &p->image);
	if (machine->snapshot != NULL)
		machine->snapshot->begin(machine->state, &p->image);
}

static void cut_step(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct machine *machine = &s->machine;
	bool more = session_snapshot_step(&s->sessions) ||
		(machine->snapshot != NULL && machine->snapshot->step(machine->state));

	if (snapshot_sum(&p->image) || more)
		return;
	snapshot_end(&p->image);
	p->state = SNAPSHOT_WHOLE;
	p->counters.whole++;
	publish(s, instance_of(p));
}

/* ---- Serving ---- */

static uint64_t chunks_of(const struct learner_stage *s, uint64_t bytes)
{
	uint32_t chunk = snapshot_chunk_bytes(s->settings);

	return (bytes + chunk - 1) / chunk;
}

/* Of an image in the making, chunks that are full; the last one when it is whole. */
static void send_chunk(struct learner_stage *s, uint32_t member, uint64_t number)
{
	struct learner_snapshots *p = &s->snapshots;
	const uint32_t chunk = snapshot_chunk_bytes(s->settings);
	const uint64_t at = number * chunk;
	const bool whole = p->state == SNAPSHOT_WHOLE;

	if (at >= p->image.used || (!whole && p->image.used - at < chunk))
		return;
	const uint64_t rest = p->image.used - at;
	const struct message m = {
		.type = MESSAGE_SNAPSHOT_CHUNK,
		.ballot = whole ? p->image.used : 0,
		.first = instance_of(p),
		.watermark = number,
		.payload_len = (uint16_t)(rest < chunk ? rest : chunk),
	};
	const struct target to = {.members = 1u << member};

	p->counters.chunks_sent++;
	learner_send(s, &to, &m, p->image.bytes + at);
}

static void send_chunks(struct learner_stage *s, const struct message *m)
{
	const uint64_t count = chunks_of(s, s->snapshots.image.used);
	uint64_t mask = m->ballot;

	/* Who asks beyond the end does not know the end yet: the last one tells it. */
	if (m->watermark >= count)
		send_chunk(s, m->sender, count - 1);
	for (uint64_t i = m->watermark; mask != 0 && i < count; i++, mask >>= 1)
		if ((mask & 1) != 0 && s->outlet->room(s->outlet->context) >= STAGE_ROOM)
			send_chunk(s, m->sender, i);
}

/* SN6. Nobody offers us an image. */
static bool waits_in_vain(const struct learner_snapshots *p)
{
	return p->state == SNAPSHOT_RECEIVING && p->receipt.instance == 0 &&
		p->receipt.asks >= ASKS_SLOWER;
}

/* Any image from `least` on: the one that is here, or one cut now, which then stays for a while. */
static void offer(struct learner_stage *s, const struct message *m, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	bool here = (p->state == SNAPSHOT_WHOLE || p->state == SNAPSHOT_CUTTING) &&
		instance_of(p) >= m->watermark;

	if (here) {
		send_chunk(s, m->sender, 0);
	} else if (s->learner.delivered > 0 && s->learner.delivered >= m->watermark &&
		(s->beyond ? waits_in_vain(p) : is_free(s, now_ns))) {
		p->lease_ns = now_ns + SNAPSHOT_LEASE_NS;
		cut(s);
	}
}

void learner_snapshot_on_asked(struct learner_stage *s, const struct message *m, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;

	if (m->first == 0) {
		offer(s, m, now_ns);
	} else if ((p->state == SNAPSHOT_WHOLE || p->state == SNAPSHOT_CUTTING) &&
		instance_of(p) == m->first) {
		p->lease_ns = now_ns + SNAPSHOT_LEASE_NS;
		send_chunks(s, m);
	}
}

/* ---- Receiving ---- */

static void ask(struct learner_stage *s, uint64_t now_ns)
{
	struct snapshot_receipt *r = &s->snapshots.receipt;
	const struct message m = {
		.type = MESSAGE_SNAPSHOT_ASK,
		.first = r->instance,
		.watermark = r->instance == 0 ? r->least : r->chunk,
		.ballot = r->instance == 0 ? 0 : ~r->have,
	};
	const struct target to = {.members = 1u << r->source};

	r->asked_ns = now_ns;
	learner_send(s, &to, &m, NULL);
}

/* SN5. Whoever leads counts us as standing at the image from now on, and slows admission, for as long
 * as there is progress. */
static void tell_leaders(struct learner_stage *s, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct snapshot_receipt *r = &p->receipt;
	const struct message m = {
		.type = MESSAGE_INSTALLING,
		.first = r->instance == 0 ? r->least : r->instance,
	};
	const struct target to = {
		.members = ((1u << s->settings->members) - 1) & ~(1u << s->settings->self),
	};

	if (p->attempts == 0 || p->state == SNAPSHOT_KEEPING || r->asks > 1 ||
		now_ns - p->told_ns < s->settings->retransmit_ns / ASK_SOONEST)
		return;
	p->told_ns = now_ns;
	learner_send(s, &to, &m, NULL);
}

/* From a member on, the image from its begin: any from `least` on. */
static void receive_from(struct learner_stage *s, uint32_t source, uint64_t least, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;

	publish(s, 0);
	p->state = SNAPSHOT_RECEIVING;
	p->receipt = (struct snapshot_receipt){.source = source, .least = least};
	ask(s, now_ns);
}

static uint32_t member_after(const struct learner_stage *s, uint32_t member)
{
	do
		member = (member + 1) % s->settings->members;
	while (member == s->settings->self);
	return member;
}

/* From one that said that its log begins above us, and not the last one again if there is another. */
static void receive(struct learner_stage *s, uint64_t now_ns)
{
	uint32_t source = s->snapshots.receipt.source;

	CHECK(s->gone != 0);
	do
		source = (source + 1) % s->settings->members;
	while ((s->gone & 1u << source) == 0);
	/* Who was beyond the logs again right after an image needs one of now. */
	receive_from(s, source, s->snapshots.attempts == 0 ? s->gone_tail : s->learner.target,
		now_ns);
}

/* Chunks of the stride that belong to the image, as far as its end is known. */
static uint64_t stride_of(const struct learner_stage *s, const struct snapshot_receipt *r)
{
	uint64_t count = r->total == 0 ? UINT64_MAX : chunks_of(s, r->total);

	if (count <= r->chunk)
		return 0;
	count -= r->chunk;
	return count >= SNAPSHOT_CHUNKS_ASKED ? UINT64_MAX : (1ull << count) - 1;
}

static void advance(struct learner_stage *s, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	struct snapshot_receipt *r = &p->receipt;
	uint64_t stride = stride_of(s, r);

	if ((r->have & stride) != stride)
		return;
	r->chunk += SNAPSHOT_CHUNKS_ASKED;
	r->have = 0;
	if (r->total > 0 && r->chunk >= chunks_of(s, r->total)) {
		p->image.used = r->total;
		p->check = (struct snapshot_check){0};
		p->state = SNAPSHOT_CHECKING;
		return;
	}
	ask(s, now_ns);
}

/* Is it of the image that is received? The first one offers it. */
static bool takes_image(struct learner_stage *s, const struct message *m)
{
	struct snapshot_receipt *r = &s->snapshots.receipt;

	if (s->snapshots.state != SNAPSHOT_RECEIVING || m->sender != r->source ||
		m->first <= s->learner.delivered || m->ballot > s->snapshots.image.size)
		return false;
	if (r->instance == 0 && m->first >= r->least && m->watermark == 0)
		r->instance = m->first;
	return m->first == r->instance;
}

void learner_snapshot_on_part(struct learner_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	struct snapshot_receipt *r = &p->receipt;
	const uint32_t chunk = snapshot_chunk_bytes(s->settings);

	if (!takes_image(s, m))
		return;
	if (m->ballot > 0)
		r->total = m->ballot;
	if (m->watermark >= r->chunk && m->watermark - r->chunk < SNAPSHOT_CHUNKS_ASKED &&
		m->watermark < chunks_of(s, p->image.size)) {
		const uint64_t at = m->watermark * chunk;
		const bool last = r->total > 0 && at + m->payload_len == r->total;

		if ((m->payload_len != chunk && !last) || m->payload_len > chunk ||
			m->payload_len > p->image.size - at)
			return;
		memcpy(p->image.bytes + at, body, m->payload_len);
		r->have |= 1ull << (m->watermark - r->chunk);
		r->asks = 0;
		p->counters.chunks_received++;
	}
	advance(s, now_ns);
}

/* ---- Installing ---- */

static struct snapshot_rules rules_of(const struct learner_stage *s)
{
	return (struct snapshot_rules){
		.config_hash = s->settings->config_hash,
		.sessions_max = s->sessions.max,
		.machine = &s->machine,
	};
}

/* False: the state is empty. */
static bool clear_step(struct learner_stage *s)
{
	const struct machine *machine = &s->machine;

	return session_clear_step(&s->sessions) ||
		(machine->snapshot != NULL && machine->snapshot->clear(machine->state));
}

/* False: all is loaded. */
static bool load_step(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct machine *machine = &s->machine;

	for (uint32_t i = 0; i < SNAPSHOT_LOADS_A_STEP; i++) {
		const struct snapshot_record *r = snapshot_next(&p->image, &p->loaded);

		if (r == NULL)
			return false;
		if (r->kind == SNAPSHOT_SESSION)
			session_restore(&s->sessions,
				(const struct snapshot_session *)(const void *)(r + 1));
		else
			machine->snapshot->restore(machine->state, (const uint8_t *)(r + 1),
				r->length);
	}
	return true;
}

static void stand(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct machine *machine = &s->machine;

	if (machine->snapshot != NULL && machine->snapshot->restored != NULL)
		machine->snapshot->restored(machine->state);
	p->state = SNAPSHOT_WHOLE;
	learner_stage_stand(s, snapshot_header_of(&p->image));
}

static void check_step(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct snapshot_rules rules = rules_of(s);
	enum snapshot_result result = snapshot_check_step(&p->image, &rules, &p->check);

	if (result == SNAPSHOT_MORE)
		return;
	if (result == SNAPSHOT_OK && instance_of(p) == p->receipt.instance) {
		p->state = SNAPSHOT_KEEPING;
		publish(s, instance_of(p));
		return;
	}
	p->counters.damaged++;
	p->state = SNAPSHOT_NONE; /* The next tick asks another member. */
}

void learner_snapshot_step(struct learner_stage *s)
{
	struct learner_snapshots *p = &s->snapshots;

	switch (p->state) {
	case SNAPSHOT_CUTTING:
		cut_step(s);
		return;
	case SNAPSHOT_CHECKING:
		check_step(s);
		return;
	case SNAPSHOT_KEEPING:
		if (kept(s, instance_of(p)))
			p->state = instance_of(p) > s->learner.delivered ? SNAPSHOT_CLEARING
									 : SNAPSHOT_WHOLE;
		return;
	case SNAPSHOT_CLEARING:
		if (clear_step(s))
			return;
		p->loaded = SNAPSHOT_HEADER_BYTES;
		p->state = SNAPSHOT_LOADING;
		return;
	case SNAPSHOT_LOADING:
		if (load_step(s))
			return;
		p->attempts++;
		p->counters.installed++;
		stand(s);
		outlet_watch(s->outlet, TRANSITION_INSTALLED, 0, s->learner.delivered, 0);
		learner_stage_tell(s, FLAG_INSTALLED);
		return;
	default:
		return;
	}
}

/* No answer, or not all of it: asked for again, in the end of another member. */
static void ask_again(struct learner_stage *s, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	struct snapshot_receipt *r = &p->receipt;
	uint32_t slower = r->asks < ASKS_SLOWER ? r->asks : ASKS_SLOWER;

	if (now_ns - r->asked_ns < s->settings->retransmit_ns / ASK_SOONEST << slower)
		return;
	if (++r->asks > SNAPSHOT_ASKS_MAX) {
		p->counters.silent++;
		/* SN6. Whose log began at `least` may be down for good: any step ahead will do. */
		receive_from(s, member_after(s, r->source), s->learner.delivered + 1, now_ns);
		return;
	}
	ask(s, now_ns);
}

void learner_snapshot_on_tick(struct learner_stage *s, uint64_t now_ns)
{
	struct learner_snapshots *p = &s->snapshots;
	uint64_t wanted = __atomic_load_n(&p->wanted, __ATOMIC_RELAXED);

	/* What was gone came after all: a new leader proposed it again. */
	if (p->state == SNAPSHOT_RECEIVING && !s->beyond)
		p->state = SNAPSHOT_NONE;
	if (p->state == SNAPSHOT_RECEIVING)
		ask_again(s, now_ns);
	else if (s->beyond && is_free(s, now_ns))
		receive(s, now_ns);
	else if (wanted != p->begun && !s->beyond && s->learner.delivered > 0 &&
		is_free(s, now_ns)) {
		p->begun = wanted;
		cut(s);
	}
	if (s->beyond)
		tell_leaders(s, now_ns);
}

/* ---- Before the first message ---- */

enum snapshot_result learner_stage_load(struct learner_stage *s, uint64_t length)
{
	struct learner_snapshots *p = &s->snapshots;
	const struct snapshot_rules rules = rules_of(s);
	struct snapshot_check check = {0};
	enum snapshot_result result;

	if (length > p->image.size)
		return SNAPSHOT_DAMAGED;
	p->image.used = length;
	do
		result = snapshot_check_step(&p->image, &rules, &check);
	while (result == SNAPSHOT_MORE);
	if (result != SNAPSHOT_OK)
		return result;
	/* Nothing below can fail. */
	while (clear_step(s))
		;
	p->loaded = SNAPSHOT_HEADER_BYTES;
	while (load_step(s))
		;
	p->kept = instance_of(p);
	p->counters.restored++;
	stand(s);
	return SNAPSHOT_OK;
}

/* ---- Control ---- */

bool learner_stage_image(const struct learner_stage *s, struct snapshot_view *view)
{
	const struct learner_snapshots *p = &s->snapshots;
	uint64_t whole = __atomic_load_n(&p->whole, __ATOMIC_ACQUIRE); /* Pairs with publish. */

	if (whole <= __atomic_load_n(&p->kept, __ATOMIC_RELAXED))
		return false;
	*view = (struct snapshot_view){
		.instance = whole,
		.bytes = p->image.bytes,
		.length = p->image.used,
	};
	return true;
}

void learner_stage_kept(struct learner_stage *s, uint64_t instance)
{
	/* Pairs with kept: what the disk has now, and control's last look at the image. */
	__atomic_store_n(&s->snapshots.kept, instance, __ATOMIC_RELEASE);
}

void learner_stage_want_snapshot(struct learner_stage *s)
{
	__atomic_fetch_add(&s->snapshots.wanted, 1, __ATOMIC_RELAXED);
}
