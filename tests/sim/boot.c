#include "tests/sim/boot.h"

#include <string.h>

static struct journal_reader reader;

void boot_format(struct node *n)
{
	struct superblock superblock = {
		.uuid = n->settings.uuid,
		.node = n->settings.self,
		.shards = n->settings.shards,
		.block = BLOCK,
		.block_bytes = JOURNAL_BLOCK_BYTES,
		.segment_blocks = DISK_SEGMENT,
		.mode = DURABILITY_SYNC,
	};

	disk_format(&n->disk, n->random, &superblock);
	witness_start(&n->witness);
}

/* Has the step come at which it crashes? */
static void count_steps(struct node *n)
{
	if (n->crash_steps != 0 && n->disk.steps >= n->crash_steps)
		n->crashing = true;
}

static void submit(void *context, const struct journal_write *w)
{
	struct node *n = context;

	disk_submit(&n->disk, w, n->now_ns);
	count_steps(n);
}

/* Where the learner stands then: 0: there is no snapshot, or it is damaged. */
static uint64_t load_snapshot(struct node *n)
{
	memcpy(n->image, n->disk.snapshot, n->disk.snapshot_length);
	if (n->disk.snapshot_length > 0)
		learner_stage_load(&n->learner, n->disk.snapshot_length);
	return n->learner.learner.delivered;
}

static enum replay_result read_journal(struct node *n, struct replay *r, struct superblock *found,
	struct journal_end *end, struct journal_start *start, uint64_t *applied)
{
	struct acceptor_stage *acceptors[SIM_SHARDS_MAX];
	const struct journal_found *f;
	enum superblock_result result = superblock_read(n->disk.superblocks, found);

	if (result == SUPERBLOCK_NONE || result == SUPERBLOCK_VERSION)
		return REPLAY_EMPTY;
	for (uint32_t i = 0; i < n->settings.shards; i++)
		acceptors[i] = &n->acceptors[i];
	if (n->disk_mutant == DISK_MUTANT_NO_SECOND)
		memset(found->promised, 0, sizeof(found->promised));
	*applied = load_snapshot(n);
	replay_init(r, &n->settings, acceptors, &n->learner, found, result, *applied);
	journal_reader_init(&reader, found);
	for (uint64_t place = found->anchor_place; place < n->disk.blocks; place++) {
		journal_reader_block(&reader, place, disk_block(&n->disk, place));
		while ((f = journal_reader_take(&reader)) != NULL)
			replay_write(r, f);
	}
	journal_reader_end(&reader, end);
	return replay_end(r, end, start);
}

static void break_start(struct node *n, const struct journal_end *end)
{
	for (uint32_t i = 0; i < n->settings.shards; i++) {
		struct acceptor_stage *s = &n->acceptors[i];

		if (n->disk_mutant == DISK_MUTANT_SIGHTED)
			s->blind = 0;
		if (n->disk_mutant == DISK_MUTANT_LO && end->verdict == JOURNAL_TORN)
			acceptor_trim(&s->acceptor, (s->acceptor.high / BLOCK + 1) * BLOCK);
	}
}

bool boot_start(struct node *n, struct oracle *o, const struct machine *machine)
{
	const struct disk_port disk = {.context = n, .submit = submit};
	struct journal_start start;
	struct journal_end end;
	struct superblock superblock;
	static struct replay replay;
	uint64_t applied;

	/* What replay delivers was delivered before, or is told by replay_watch. */
	n->outlet.details = false;
	node_clear(n, machine);
	n->stays_out = read_journal(n, &replay, &superblock, &end, &start, &applied) != REPLAY_OK;
	if (n->stays_out)
		return false;
	break_start(n, &end);
	for (uint32_t i = 0; i < n->settings.shards; i++)
		witness_check(&n->witness, o, n->settings.self, &n->acceptors[i],
			n->settings.shards);
	superblock = replay_next_life(&replay, &end);
	disk_put_superblock(&n->disk, &superblock);
	n->settings.life = superblock.life;
	journal_stage_init(&n->journal, &n->settings, &n->outlet, &disk, &superblock, &start,
		n->disk.blocks, n->disk.buffers);
	journal_anchor(&n->journal.journal, applied);
	n->asked = n->journal.journal.segments.first;
	if (applied < superblock.anchor_applied)
		learner_stage_want_snapshot(&n->learner);
	leader_stage_journal(&n->leader, journal_stage_port(&n->journal, JOURNAL_LANE_LEADER));
	leader_stage_restore(&n->leader, &replay.past);
	for (uint32_t i = 0; i < n->settings.shards; i++) {
		acceptor_stage_journal(&n->acceptors[i], journal_stage_port(&n->journal, i));
		n->acceptors[i].gated = n->disk_mutant != DISK_MUTANT_UNGATED;
	}
	n->alive = true;
	node_record(n, n->record);
	for (uint32_t i = 0; i < n->settings.shards; i++) {
		n->running = STAGE_ACCEPTOR + i;
		replay_watch(&replay, i);
	}
	return true;
}

void boot_crash(struct node *n)
{
	n->alive = false;
	n->crashing = false;
	n->crash_steps = 0;
	if (n->disk_mutant == DISK_MUTANT_REWRITE)
		disk_tear_before(&n->disk, n->settings.uuid);
	disk_crash(&n->disk);
}

/* What came with it is called durable, though a write before it is still under way. */
static void open_over_the_hole(struct node *n, uint64_t number)
{
	const struct journal *j = &n->journal.journal;
	const struct target to = {.local = true};

	for (uint32_t i = 0; i < j->flights_count; i++) {
		const struct journal_flight *f =
			&j->flights[(j->flights_first + i) % JOURNAL_DEPTH];

		for (uint32_t s = 0; s < n->settings.shards && f->number == number; s++) {
			const struct message m = {
				.type = MESSAGE_DURABLE,
				.first = f->positions[s],
				.watermark = j->durable.delivered,
				.shard = (uint16_t)s,
			};

			node_send(n, &to, &m, NULL, 0);
		}
	}
}

void boot_complete(struct node *n)
{
	uint64_t number;
	bool failed;

	if (!n->durable)
		return;
	while (!n->crashing && disk_take(&n->disk, n->now_ns, &number, &failed)) {
		count_steps(n);
		if (n->crashing)
			return; /* On the disk, and nobody heard of it. */
		if (n->disk_mutant == DISK_MUTANT_HOLE)
			open_over_the_hole(n, number);
		if (failed)
			journal_stage_on_failed(&n->journal);
		else
			journal_stage_on_completed(&n->journal, number);
	}
}

/* What control does: segments come and go, snapshots are asked for and kept. */
static void attend(struct node *n)
{
	struct journal *j = &n->journal.journal;
	struct snapshot_view view;
	uint64_t instance;

	while (n->disk.first < journal_free(j) * DISK_SEGMENT)
		disk_recycle(&n->disk);
	if (j->place + 2 * JOURNAL_WRITE_BLOCKS > n->disk.blocks)
		disk_extend(&n->disk, n->settings.uuid);
	journal_extend(j, n->disk.blocks);
	if (j->place / DISK_SEGMENT >= n->asked + SIM_SNAPSHOT_SEGMENTS) {
		n->asked = j->place / DISK_SEGMENT;
		learner_stage_want_snapshot(&n->learner);
	}
	if (learner_stage_image(&n->learner, &view))
		disk_keep(&n->disk, view.bytes, view.length, view.instance, n->now_ns);
	count_steps(n);
	if (n->crashing || !disk_kept(&n->disk, n->now_ns, &instance))
		return;
	count_steps(n);
	if (n->crashing)
		return; /* On the disk, and nobody heard of it. */
	learner_stage_kept(&n->learner, instance);
	journal_anchor(j, instance);
}

void boot_flush(struct node *n)
{
	if (!n->durable || n->crashing)
		return;
	attend(n);
	if (n->crashing)
		return;
	journal_stage_flush(&n->journal, n->here_ns);
	/* With nothing in flight it is room that is lacking, and none will come. */
	if (n->disk.faults.full && n->journal.journal.flights_count == 0 &&
		journal_urgent(&n->journal.journal))
		journal_stage_on_failed(&n->journal);
}

/* We have its record, not yet durable: said again at once. */
static void acknowledge_early(struct node *n, const struct message *m)
{
	const struct acceptor_stage *s = &n->acceptors[m->shard];
	const struct vote *v = acceptor_vote(&s->acceptor, m->first);
	const struct range range = {.first = m->first, .count = m->count};
	const struct part part = {.bytes = &range, .length = sizeof(range)};
	const struct target to = {.members = 1u << m->sender};
	const struct message accepted = {
		.type = MESSAGE_ACCEPTED,
		.ballot = m->ballot,
		.count = 1,
		.payload_len = sizeof(range),
		.shard = m->shard,
	};

	if (v != NULL && v->state == VOTE_CAST && v->ballot == m->ballot && v->count == m->count &&
		v->index == 0)
		node_send(n, &to, &accepted, &part, 1);
}

static void promise_early(struct node *n, const struct message *m)
{
	struct acceptor_stage *s = &n->acceptors[m->shard];
	const struct message promise = {
		.type = MESSAGE_PROMISE,
		.ballot = m->ballot,
		.first = s->acceptor.lo,
		.watermark = s->acceptor.high,
		.shard = m->shard,
		.sender = m->sender,
		.uuid = n->settings.uuid,
		.life = n->settings.life,
	};

	if (m->ballot > s->acceptor.promised)
		leader_stage_on_message(&n->leader, &promise, NULL, n->here_ns);
}

void boot_break_rules(struct node *n, const struct message *m)
{
	if (n->disk_mutant == DISK_MUTANT_REPEATED && m->type == MESSAGE_ACCEPT)
		acknowledge_early(n, m);
	if (n->disk_mutant == DISK_MUTANT_PREPARE && m->type == MESSAGE_PREPARE &&
		m->sender == n->settings.self)
		promise_early(n, m);
}
