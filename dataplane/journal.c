/* The journal stage's turn: records of the other stages, in; what is durable, out. */
#include "dataplane/journal.h"

enum {
	/* A second write is begun beside one in flight only when it is large: small ones wait, and
	 * become one. */
	PIPELINED_BYTES = 16 * JOURNAL_BLOCK_PAYLOAD,
	LAZY_NS = 5000000, /* Notes that nobody waits for are written after so long. */
};

static void tell(struct journal_stage *s, enum message_type type, uint32_t lane)
{
	const struct target to = {.local = true};
	const struct message m = {
		.type = (uint8_t)type,
		.shard = (uint16_t)(lane == JOURNAL_LANE_LEADER ? 0 : lane),
		.first = s->journal.durable.positions[lane],
		.watermark = s->journal.durable.delivered,
	};

	s->outlet->send(s->outlet->context, &to, &m, NULL, 0);
}

static bool in_use(const struct journal_stage *s, uint32_t lane)
{
	return (s->lanes_mask & 1u << lane) != 0;
}

/* Everybody whose records are among what has become durable. The acceptors also hear how far the
 * node has durably delivered. */
static void tell_durable(struct journal_stage *s)
{
	const struct journal_durable *d = &s->journal.durable;

	for (uint32_t lane = 0; lane < SHARD_MAX; lane++)
		if (in_use(s, lane))
			tell(s, MESSAGE_DURABLE, lane);
	if (d->positions[JOURNAL_LANE_LEADER] != s->pinned) {
		s->pinned = d->positions[JOURNAL_LANE_LEADER];
		tell(s, MESSAGE_PINNED, JOURNAL_LANE_LEADER);
	}
}

/* Writes whose last piece is on the disk. */
static uint32_t complete(struct journal_stage *s)
{
	uint64_t durable = disk_poll(&s->disk);
	uint32_t count = 0;

	while (s->submitted_count > 0 && s->submitted[s->submitted_first].until <= durable) {
		const struct journal_submitted *w = &s->submitted[s->submitted_first];

		journal_completed(&s->journal, w->number);
		s->counters.writes++;
		s->counters.blocks += w->blocks;
		s->submitted_first = (s->submitted_first + 1) % JOURNAL_DEPTH;
		s->submitted_count--;
		count++;
	}
	if (count > 0)
		tell_durable(s);
	return count;
}

static void fail(struct journal_stage *s)
{
	if (s->failed)
		return;
	s->failed = true;
	tell(s, MESSAGE_DISK_FAILED, JOURNAL_LANE_LEADER);
}

static bool begin_write(struct journal_stage *s, uint64_t now_ns)
{
	struct journal_write w;

	if (s->submitted_count == s->depth || disk_room(&s->disk) < 2)
		return false;
	if (!journal_close(&s->journal, &w)) {
		/* With nothing in flight it is the room that is lacking. */
		if (s->submitted_count == 0 && __atomic_load_n(&s->exhausted, __ATOMIC_RELAXED))
			fail(s);
		return false;
	}
	disk_write(&s->disk, w.place, w.bytes, w.blocks);
	if (w.superblock != NULL) {
		disk_write_superblock(&s->disk, w.superblock_slot, w.superblock);
		s->counters.superblocks++;
	}
	s->submitted[(s->submitted_first + s->submitted_count++) % JOURNAL_DEPTH] =
		(struct journal_submitted){
			.number = w.number,
			.until = s->disk.begun,
			.blocks = w.blocks,
		};
	s->closed_ns = now_ns;
	return true;
}

/* Appends what waits in a lane. False: a record does not fit, and the write can not be begun yet. */
static bool take(struct journal_stage *s, uint32_t lane, uint64_t now_ns, uint32_t *work)
{
	struct journal_lane *l = &s->lanes[lane];

	do {
		for (; l->at < l->count; l->at++) {
			struct rte_mbuf *mbuf = l->taken[l->at].mbuf;
			const struct lane_record *r = lane_record_of(mbuf);

			if (!journal_room(&s->journal, r->record.bytes) && !begin_write(s, now_ns))
				return false;
			journal_append(&s->journal, lane, &r->record, r->entries);
			rte_pktmbuf_free(mbuf);
			s->counters.records++;
			(*work)++;
		}
		l->at = 0;
		l->count = handoff_take_burst(&l->lane.ring, l->taken, HANDOFF_BURST);
	} while (l->count > 0);
	return true;
}

static bool is_due(const struct journal_stage *s, uint64_t now_ns)
{
	if (journal_urgent(&s->journal))
		return s->submitted_count == 0 || s->journal.payload >= PIPELINED_BYTES;
	return s->submitted_count == 0 && journal_lazy(&s->journal) &&
		now_ns - s->closed_ns >= LAZY_NS;
}

static void extend(struct journal_stage *s)
{
	uint32_t segments = disk_segments(&s->disk);

	if (segments == s->extended)
		return;
	s->extended = segments;
	journal_extend(&s->journal, (uint64_t)segments * s->journal.superblock.segment_blocks);
}

uint32_t journal_poll(void *self, uint64_t now_ns)
{
	struct journal_stage *s = self;
	uint32_t work = complete(s);

	if (disk_stopped(&s->disk))
		fail(s);
	extend(s);
	/* After a failure nothing is written any more; nobody waits for it either. */
	for (uint32_t lane = 0; lane < JOURNAL_LANES && !s->failed; lane++)
		if (in_use(s, lane) && !take(s, lane, now_ns, &work))
			break;
	if (!s->failed && is_due(s, now_ns) && begin_write(s, now_ns))
		work++;
	__atomic_store_n(&s->outstanding, disk_in_flight(&s->disk), __ATOMIC_RELAXED);
	return work;
}
