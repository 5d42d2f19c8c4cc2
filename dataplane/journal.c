/* The journal stage's turn: records from the lanes, in; writes to the disk, out; and what came of
 * them. */
#include "dataplane/store.h"

enum {
	/* A second write is begun beside one in flight only when it is large: small ones wait, and
	 * become one. */
	PIPELINED_BYTES = 16 * JOURNAL_BLOCK_PAYLOAD,
};

void journal_submit(void *store, const struct journal_write *w)
{
	struct store *s = store;

	disk_write(&s->disk, w->place, w->bytes, w->blocks);
	if (w->superblock != NULL)
		disk_write_superblock(&s->disk, w->superblock_slot, w->superblock);
	s->flights[(s->flights_first + s->flights_count++) % JOURNAL_DEPTH] =
		(struct store_flight){.number = w->number, .until = s->disk.begun};
}

static bool nothing_waits(const struct store_lane *l)
{
	return l->at == l->count && rte_ring_empty(l->lane.ring.ring);
}

bool journal_near_room(void *lane, uint32_t bytes)
{
	struct store_lane *l = lane;

	return (nothing_waits(l) && l->journal->room(l->journal->context, bytes)) ||
		lane_room(&l->lane, bytes);
}

uint64_t journal_near_append(void *lane, const struct journal_record *record,
	const uint8_t *entries)
{
	struct store_lane *l = lane;

	if (!nothing_waits(l) || !l->journal->room(l->journal->context, record->bytes))
		return lane_append(&l->lane, record, entries);
	/* The lane counts on from here, should the next one go over it. */
	l->lane.position = l->journal->append(l->journal->context, record, entries);
	return l->lane.position;
}

/* Writes whose last piece is on the disk. */
static uint32_t complete(struct store *s)
{
	uint64_t durable = disk_poll(&s->disk);
	uint32_t count = 0;

	for (; s->flights_count > 0 && s->flights[s->flights_first].until <= durable; count++) {
		journal_stage_on_completed(&s->stage, s->flights[s->flights_first].number);
		s->flights_first = (s->flights_first + 1) % JOURNAL_DEPTH;
		s->flights_count--;
	}
	if (disk_stopped(&s->disk))
		journal_stage_on_failed(&s->stage);
	return count;
}

/* Closes the write being filled, if one more may be in flight. */
static bool flush(struct store *s, uint64_t now_ns)
{
	uint32_t before = s->flights_count;

	if (before == s->depth)
		return false;
	journal_stage_flush(&s->stage, now_ns);
	return s->flights_count > before;
}

/* Appends what waits in a lane. False: a record does not fit, and no write can be begun yet. */
static bool take(struct store *s, uint32_t lane, uint64_t now_ns, uint32_t *work)
{
	const struct journal_port *port = journal_stage_port(&s->stage, lane);
	struct store_lane *l = &s->lanes[lane];

	do {
		for (; l->at < l->count; l->at++) {
			struct rte_mbuf *mbuf = l->taken[l->at].mbuf;
			const struct lane_record *r = lane_record_of(mbuf);

			if (!port->room(port->context, r->record.bytes) &&
				(!flush(s, now_ns) || !port->room(port->context, r->record.bytes)))
				return false;
			port->append(port->context, &r->record, r->entries);
			rte_pktmbuf_free(mbuf);
			(*work)++;
		}
		l->at = 0;
		l->count = handoff_take_burst(&l->lane.ring, l->taken, HANDOFF_BURST);
	} while (l->count > 0);
	return true;
}

/* Control has added segments. */
static void extend(struct store *s)
{
	uint64_t segments = disk_segments(&s->disk);

	if (segments == s->segments)
		return;
	s->segments = segments;
	journal_extend(&s->stage.journal, segments * s->superblock.segment_blocks);
}

/* Control has kept a snapshot. */
static void trim(struct store *s)
{
	uint64_t stable =
		__atomic_load_n(&s->stable, __ATOMIC_ACQUIRE); /* Pairs with store_keep. */

	if (stable != s->anchored)
		journal_anchor(&s->stage.journal, stable);
	s->anchored = stable;
	__atomic_store_n(&s->freed, journal_free(&s->stage.journal), __ATOMIC_RELEASE);
}

uint32_t journal_poll(void *store, uint64_t now_ns)
{
	struct store *s = store;
	uint32_t work = complete(s);

	extend(s);
	trim(s);
	for (uint32_t lane = 0; lane < JOURNAL_LANES; lane++)
		if ((s->lanes_mask & 1u << lane) != 0 && !take(s, lane, now_ns, &work))
			break;
	if (s->flights_count == 0 || s->stage.journal.payload >= PIPELINED_BYTES)
		work += flush(s, now_ns);
	/* In memory a write has ended when it was begun. */
	if (s->directory.memory_backed)
		work += complete(s);
	/* With nothing in flight it is room that is lacking, and none will come. */
	if (s->flights_count == 0 && journal_urgent(&s->stage.journal) &&
		__atomic_load_n(&s->exhausted, __ATOMIC_RELAXED))
		journal_stage_on_failed(&s->stage);
	__atomic_store_n(&s->outstanding, disk_in_flight(&s->disk), __ATOMIC_RELAXED);
	return work;
}
