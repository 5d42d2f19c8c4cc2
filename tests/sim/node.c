#include "tests/sim/node.h"

#include <string.h>

#include "consensus/check.h"
#include "tests/sim/boot.h"
#include "tests/sim/record.h"

/* The number of the stage's queue. */
static uint32_t queue_of(const struct message *m)
{
	enum stage_kind kind = stage_of(m);

	return (uint32_t)kind + (kind == STAGE_ACCEPTOR ? m->shard : 0u);
}

static struct frame *frame_new(struct node *n)
{
	CHECK(n->frames_free_count > 0);
	return &n->frames[n->frames_free[--n->frames_free_count]];
}

static void frame_release(void *context, void *frame)
{
	struct node *n = context;

	n->frames_free[n->frames_free_count++] = (uint32_t)((struct frame *)frame - n->frames);
}

static void enqueue(struct node *n, uint32_t stage, const struct frame *f)
{
	struct queue *q = &n->queues[stage];

	CHECK(q->head - q->tail < QUEUE_MAX);
	q->frames[q->head++ % QUEUE_MAX] = (uint32_t)(f - n->frames);
}

static void enqueue_copy(struct node *n, uint32_t stage, const struct frame *f)
{
	struct frame *copy = frame_new(n);

	memcpy(copy, f, offsetof(struct frame, body) + f->m.payload_len);
	enqueue(n, stage, copy);
}

/* To our own stages; some messages go to more than one. */
static void send_local(struct node *n, const struct frame *f)
{
	bool to_acceptors = goes_to_acceptors(&f->m);

	for (uint32_t shard = 0; to_acceptors && shard < n->settings.shards; shard++)
		enqueue_copy(n, STAGE_ACCEPTOR + shard, f);
	if (f->m.type != MESSAGE_ENROLLED)
		enqueue_copy(n, queue_of(&f->m), f);
}

static void send_wire(struct node *n, const struct frame *f, uint16_t to)
{
	uint8_t bytes[PACKET_BYTES_MAX];

	message_encode(&f->m, bytes);
	memcpy(bytes + HEADER_BYTES, f->body, f->m.payload_len);
	trace_message(n->trace, n->now_ns, (uint16_t)n->settings.self, "sends", to, &f->m);
	network_send(n->network, n->now_ns, (uint16_t)n->settings.self, to, bytes,
		(uint16_t)(HEADER_BYTES + f->m.payload_len));
}

void node_send(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct node *n = context;
	struct frame *f = frame_new(n);
	uint32_t bytes = 0;

	f->m = *m;
	for (uint32_t i = 0; i < parts_count; i++) {
		CHECK(bytes + parts[i].length <= SIM_BODY_MAX);
		memcpy(f->body + bytes, parts[i].bytes, parts[i].length);
		bytes += parts[i].length;
	}
	CHECK(bytes == m->payload_len);
	if (!to->local)
		f->m.sender = (uint8_t)n->settings.self;
	f->m.uuid = n->settings.uuid;
	f->m.life = n->settings.life;
	f->m.cluster = 1;
	f->m.counter = n->counter++;
	uint32_t checksum = bytes == 0 ? 0 : message_crc(f->body, bytes);

	CHECK(!m->checksum_known || m->checksum == checksum);
	f->m.checksum = checksum;
	if (n->durable && !to->local)
		witness_on_sent(&n->witness, &f->m, f->body,
			(to->members & ~(1u << n->settings.self)) != 0);
	if (m->type == MESSAGE_HEARTBEAT && (m->flags & HEARTBEAT_LEADS) != 0 &&
		m->ballot > n->claimed)
		n->claimed = m->ballot;
	if (to->local)
		send_local(n, f);
	else if (to->client >= ENDPOINT_CLIENT_FIRST)
		send_wire(n, f, (uint16_t)(MEMBER_MAX + to->client - ENDPOINT_CLIENT_FIRST));
	else
		for (uint16_t i = 0; i < n->settings.members; i++) {
			if ((to->members & 1u << i) == 0)
				continue;
			if (i == n->settings.self)
				send_local(n, f);
			else
				send_wire(n, f, i);
		}
	frame_release(n, f);
}

static void node_watch(void *context, const struct transition *t)
{
	struct node *n = context;

	if (n->outlet.details)
		record_step(n->record, n->now_ns, n->settings.self, TRACE_FILE_LEADER + n->running,
			t);
	if (transition_is_detail(t))
		return;
	trace_transition(n->trace, n->now_ns, (uint16_t)n->settings.self, t);
	if (n->watch != NULL)
		n->watch(n->watcher, n, t);
}

/* The shortest of our queues decides, as the rings do in the data plane. */
static uint32_t node_room(void *context)
{
	const struct node *n = context;
	uint32_t room = QUEUE_MAX;

	for (uint32_t i = 0; i < sizeof(n->queues) / sizeof(n->queues[0]); i++) {
		uint32_t left = QUEUE_MAX - (uint32_t)(n->queues[i].head - n->queues[i].tail);

		room = left < room ? left : room;
	}
	return room;
}

/* Stages that have something to do. As in the data plane, who could overflow another's queue is given
 * nothing: while queues fill, only theirs. */
static uint32_t may_run(const struct node *n, uint32_t *waiting)
{
	uint32_t stages = STAGE_ACCEPTOR + n->settings.shards;
	uint32_t count = 0;
	bool filling = false;

	for (uint32_t s = 0; s < stages; s++) {
		uint32_t queued = n->queues[s].head - n->queues[s].tail;
		bool fills = queued > QUEUE_MAX / 2;

		if (fills && !filling)
			count = 0;
		filling |= fills;
		if (queued > 0 && fills == filling)
			waiting[count++] = s;
	}
	return count;
}

void node_clear(struct node *n, const struct machine *machine)
{
	n->crashing = false;
	for (uint32_t i = 0; i < STAGES_MAX; i++)
		n->queues[i].head = n->queues[i].tail = 0;
	n->frames_free_count = FRAMES_MAX;
	for (uint32_t i = 0; i < FRAMES_MAX; i++)
		n->frames_free[i] = FRAMES_MAX - 1 - i;
	leader_stage_init(&n->leader, &n->settings, &n->outlet);
	learner_stage_init(&n->learner, &n->settings, &n->outlet, machine, n->sessions,
		n->sessions_max, frame_release, n);
	learner_stage_give_image(&n->learner, n->image, sizeof(n->image));
	for (uint32_t shard = 0; shard < n->settings.shards; shard++)
		acceptor_stage_init(&n->acceptors[shard], &n->settings, shard, &n->outlet,
			n->logs[shard], SIM_LOG_BYTES);
}

void node_init(struct node *n, const struct replica_settings *settings, uint32_t sessions_max,
	struct network *network, struct trace *trace, struct random *random,
	const struct machine *machine)
{
	n->settings = *settings;
	n->settings.uuid = random_next(random) | 1;
	n->outlet = (struct outlet){
		.context = n,
		.send = node_send,
		.room = node_room,
		.watch = node_watch,
	};
	n->network = network;
	n->trace = trace;
	n->random = random;
	n->now_ns = 0;
	n->here_ns = 0;
	n->clock = (struct clock){.rate = CLOCK_RATE};
	n->counter = 0;
	n->alive = true;
	n->durable = settings->durability == DURABILITY_SYNC;
	n->stays_out = false;
	n->crash_steps = 0;
	n->disk_mutant = DISK_MUTANT_NONE;
	n->sessions_max = sessions_max;
	n->flaw = FLAW_NONE;
	n->starved = false;
	n->paused_until_ns = 0;
	n->dropped = 0;
	n->claimed = 0;
	n->refused = 0;
	n->watcher = NULL;
	n->watch = NULL;
	n->record = NULL;
	n->running = STAGE_LEADER;
	node_clear(n, machine);
	if (n->durable)
		boot_format(n);
}

void node_record(struct node *n, struct record_file *r)
{
	n->record = r;
	n->outlet.details = r != NULL;
}

static void tell_time(struct node *n, uint64_t now_ns)
{
	n->now_ns = now_ns;
	n->here_ns = clock_read(&n->clock, now_ns);
}

/* What the io stage asks of a frame. */
static bool admits(const struct node *n, const struct message *m)
{
	return m->cluster == 1 && m->epoch == 0 && m->shard < n->settings.shards &&
		m->type != MESSAGE_REPLY &&
		(m->sender == MESSAGE_SENDER_CLIENT ||
			(m->sender < n->settings.members && m->sender != n->settings.self));
}

bool node_receive(struct node *n, const uint8_t *bytes, uint16_t length, uint16_t from,
	uint64_t now_ns)
{
	struct frame *f;
	struct message m;

	tell_time(n, now_ns);
	if (message_decode(bytes, length, &m) != DROP_NONE || !admits(n, &m)) {
		n->refused++;
		return false;
	}
	trace_message(n->trace, now_ns, (uint16_t)n->settings.self, "hears", from, &m);
	const struct queue *q = &n->queues[queue_of(&m)];

	if (n->frames_free_count < FRAMES_MAX / 2 || q->head - q->tail > QUEUE_MAX / 8) {
		n->dropped++; /* The pool's reserve is for what stages say to each other. */
		return true;
	}
	f = frame_new(n);
	f->m = m;
	if (m.sender == MESSAGE_SENDER_CLIENT)
		f->m.from = (uint16_t)(ENDPOINT_CLIENT_FIRST + from - MEMBER_MAX);
	memcpy(f->body, bytes + HEADER_BYTES, m.payload_len);
	enqueue(n, queue_of(&m), f);
	return true;
}

static void run_burst(struct node *n, uint32_t stage)
{
	struct queue *q = &n->queues[stage];
	uint32_t burst = 1 + (uint32_t)random_below(n->random, 8);

	n->running = stage;
	for (; burst > 0 && q->head != q->tail && !n->crashing; burst--) {
		struct frame *f = &n->frames[q->frames[q->tail++ % QUEUE_MAX]];
		bool retained = false;

		if (stage == STAGE_LEADER)
			leader_stage_on_message(&n->leader, &f->m, f->body, n->here_ns);
		else if (stage == STAGE_LEARNER)
			retained = learner_stage_on_message(&n->learner, &f->m, f->body, f,
				n->here_ns);
		else {
			boot_break_rules(n, &f->m);
			acceptor_stage_on_message(&n->acceptors[stage - STAGE_ACCEPTOR], &f->m,
				f->body, n->here_ns);
		}
		if (!retained)
			frame_release(n, f);
	}
	if (stage == STAGE_LEADER) {
		leader_stage_flush(&n->leader, n->here_ns);
		flaw_strike(n);
	} else if (stage == STAGE_LEARNER)
		learner_stage_flush(&n->learner, n->here_ns);
	else
		acceptor_stage_flush(&n->acceptors[stage - STAGE_ACCEPTOR], n->here_ns);
}

void node_turn(struct node *n, uint64_t now_ns)
{
	tell_time(n, now_ns);
	boot_complete(n);
	n->running = STAGE_LEADER;
	leader_stage_on_tick(&n->leader, n->here_ns);
	leader_stage_flush(&n->leader, n->here_ns);
	n->running = STAGE_LEARNER;
	learner_stage_on_tick(&n->learner, n->here_ns);
	learner_stage_flush(&n->learner, n->here_ns);
	while (!n->crashing) {
		uint32_t waiting[STAGES_MAX];
		uint32_t count = may_run(n, waiting);

		if (count == 0 || random_percent(n->random, n->starved ? 50 : 3))
			break;
		run_burst(n, waiting[random_below(n->random, count)]);
		if (n->durable && random_percent(n->random, 30))
			boot_flush(n);
	}
	boot_flush(n);
}

uint32_t node_frames_held(const struct node *n)
{
	uint32_t held = n->learner.retained;

	for (uint32_t i = 0; i < STAGES_MAX; i++)
		held += n->queues[i].head - n->queues[i].tail;
	return held;
}
