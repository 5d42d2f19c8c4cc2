#include "consensus/replica_journal.h"

static bool lane_room(void *context, uint32_t bytes)
{
	const struct journal_lane *l = context;

	return !l->stage->failed && journal_room(&l->stage->journal, bytes);
}

static uint64_t lane_append(void *context, const struct journal_record *record,
	const uint8_t *entries)
{
	const struct journal_lane *l = context;

	l->stage->counters.records++;
	return journal_append(&l->stage->journal, l->lane, record, entries);
}

void journal_stage_init(struct journal_stage *s, const struct replica_settings *settings,
	struct outlet *outlet, const struct disk_port *disk, const struct superblock *superblock,
	const struct journal_start *start, uint64_t place_end, uint8_t *buffers)
{
	s->settings = settings;
	s->outlet = outlet;
	s->disk = *disk;
	s->failed = false;
	s->lazy_ns = 0;
	s->told_delivered = start->delivered;
	s->counters = (struct journal_counters){0};
	for (uint32_t i = 0; i < JOURNAL_LANES; i++) {
		struct journal_lane *l = &s->lanes[i];

		s->told[i] = 0;
		l->stage = s;
		l->lane = i;
		l->port = (struct journal_port){
			.context = l,
			.room = lane_room,
			.append = lane_append,
		};
	}
	journal_init(&s->journal, superblock, start, place_end, buffers);
}

static bool is_due(struct journal_stage *s, uint64_t now_ns)
{
	if (journal_urgent(&s->journal))
		return true;
	if (!journal_lazy(&s->journal)) {
		s->lazy_ns = 0;
		return false;
	}
	if (s->lazy_ns == 0)
		s->lazy_ns = now_ns;
	return now_ns >= s->lazy_ns + JOURNAL_LAZY_NS ||
		!journal_room(&s->journal, JOURNAL_WRITE_PAYLOAD / 2);
}

void journal_stage_flush(struct journal_stage *s, uint64_t now_ns)
{
	struct journal_write w;

	while (!s->failed && is_due(s, now_ns) && journal_close(&s->journal, &w)) {
		s->lazy_ns = 0;
		s->counters.writes++;
		s->counters.blocks += w.blocks;
		s->counters.superblocks += w.superblock != NULL;
		s->disk.submit(s->disk.context, &w);
	}
}

static void tell(struct journal_stage *s, const struct message *m)
{
	const struct target to = {.local = true};

	s->outlet->send(s->outlet->context, &to, m, NULL, 0);
}

void journal_stage_on_completed(struct journal_stage *s, uint64_t number)
{
	const struct journal_durable *d = &s->journal.durable;

	if (s->failed || !journal_completed(&s->journal, number))
		return;
	for (uint32_t i = 0; i < s->settings->shards; i++) {
		const struct message m = {
			.type = MESSAGE_DURABLE,
			.first = d->positions[i],
			.watermark = d->delivered,
			.shard = (uint16_t)i,
		};

		if (d->positions[i] != s->told[i] || d->delivered != s->told_delivered)
			tell(s, &m);
		s->told[i] = d->positions[i];
	}
	if (d->positions[JOURNAL_LANE_LEADER] != s->told[JOURNAL_LANE_LEADER] ||
		d->delivered != s->told_delivered) {
		const struct message m = {
			.type = MESSAGE_PINNED,
			.first = d->positions[JOURNAL_LANE_LEADER],
			.watermark = d->delivered,
		};

		s->told[JOURNAL_LANE_LEADER] = m.first;
		tell(s, &m);
	}
	s->told_delivered = d->delivered;
}

void journal_stage_on_failed(struct journal_stage *s)
{
	const struct message m = {.type = MESSAGE_DISK_FAILED};

	if (s->failed)
		return;
	s->failed = true;
	tell(s, &m);
}
