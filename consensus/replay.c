#include "consensus/replay.h"

#include "consensus/watch.h"

static void raise(uint64_t *value, uint64_t to)
{
	*value = to > *value ? to : *value;
}

static void replay_pin(struct replay *r, uint32_t member, uint64_t uuid)
{
	if (member == r->settings->self)
		r->past.enrolled = uuid == r->settings->uuid;
	else
		r->past.pins[member] = uuid;
}

void replay_init(struct replay *r, const struct replica_settings *settings,
	struct acceptor_stage *const *acceptors, struct learner_stage *learner,
	const struct superblock *superblock, enum superblock_result superblock_result,
	uint64_t applied)
{
	*r = (struct replay){
		.settings = settings,
		.superblock = *superblock,
		.one_superblock_lost = superblock_result == SUPERBLOCK_ONE_LOST,
		.learner = learner,
	};
	/* The snapshot that the anchor relies on, or a later one. If there is none the learner stands
	 * below all tails, and goes nowhere from here. */
	raise(&applied, superblock->anchor_applied);
	r->applied = applied;
	r->told = applied;
	r->loaded = learner->learner.delivered;
	journal_segments_init(&r->segments, superblock);
	for (uint32_t i = 0; i < settings->members; i++)
		replay_pin(r, i, superblock->pins[i]);
	for (uint32_t i = 0; i < settings->shards; i++) {
		r->shards[i].acceptor = acceptors[i];
		acceptor_install(&acceptors[i]->acceptor, applied);
	}
}

/* ---- Delivering again ---- */

/* How many instances of the piece are known chosen, from its first on? */
static uint32_t known(const struct replay *r, const struct replay_shard *shard,
	const struct piece *piece)
{
	uint64_t to = 0;

	if (piece->chosen)
		return piece->count;
	/* All below was delivered, and every vote by which it was stands before that record: what a
	 * vote of a higher ballot may have put over one since has the same value. */
	if (!r->damaged)
		to = shard->delivered;
	for (uint32_t i = 0; i < REPLAY_COMMITS; i++)
		if (shard->commits[i].ballot == piece->ballot && shard->commits[i].watermark > to)
			to = shard->commits[i].watermark;
	if (to <= piece->first)
		return 0;
	return to - piece->first < piece->count ? (uint32_t)(to - piece->first) : piece->count;
}

static bool deliver_next(struct replay *r)
{
	uint64_t at = r->learner->learner.delivered;
	struct replay_shard *shard = &r->shards[shard_of(at, r->settings->shards)];
	struct acceptor_stage *s = shard->acceptor;
	const uint8_t *body = NULL;
	struct piece piece;
	uint32_t bytes = 0;

	if (at < s->acceptor.tail ||
		!acceptor_piece(&s->acceptor, at, (at / BLOCK + 1) * BLOCK, &piece) ||
		piece.first != at)
		return false;
	uint32_t count = known(r, shard, &piece);

	if (count == 0)
		return false;
	if (piece.position != POSITION_NOOP)
		body = log_cut(log_at(&s->log, piece.position), piece.index, count, &bytes);
	const struct message m = {
		.type = MESSAGE_VOTED,
		.flags = (uint8_t)(FLAG_CHOSEN | (body == NULL ? FLAG_NOOP : 0)),
		.first = at,
		.count = (uint16_t)count,
		.payload_len = (uint16_t)bytes,
		.sender = (uint8_t)r->settings->self,
	};

	learner_stage_on_message(r->learner, &m, body, NULL, 0);
	learner_stage_flush(r->learner, 0);
	return r->learner->learner.delivered > at;
}

static void deliver(struct replay *r)
{
	while (deliver_next(r))
		;
}

/* ---- Records ---- */

/* It passed the acceptor's check when it was new; now reading may begin far above what went before. */
static void replay_promise(struct acceptor_stage *s, uint64_t ballot)
{
	raise(&s->acceptor.promised, ballot);
}

/* A vote that has no place in the index or the log: never taken for none. */
static void lose(struct replay *r, const struct journal_record *record)
{
	r->counters.lost++;
	raise(&r->blind, (record->first / BLOCK + 1) * BLOCK);
}

static struct record log_record_of(const struct journal_record *r)
{
	return (struct record){
		.ballot = r->ballot,
		.first = r->first,
		.checksum = r->checksum,
		.count = r->count,
		.bytes = r->bytes,
	};
}

static enum acceptor_answer take_run(struct acceptor *a, const struct journal_record *record,
	const struct run *run)
{
	return record->kind == JOURNAL_VOTE ? acceptor_on_accept(a, run)
					    : acceptor_on_chosen(a, run);
}

/* A vote or a chosen run: as the stage had it. `delivered`: of the write's header, for a record of a
 * rise of `lo` may be lost. */
static void replay_run(struct replay *r, const struct journal_record *record, uint64_t delivered)
{
	struct acceptor_stage *s = r->shards[record->shard].acceptor;
	bool noop = record->flags == FLAG_NOOP;
	const struct record kept = log_record_of(record);
	struct run run = {
		.ballot = record->ballot,
		.first = record->first,
		.position = POSITION_NOOP,
		.checksum = record->checksum,
		.count = record->count,
	};

	if (record->kind == JOURNAL_VOTE)
		replay_promise(s, record->ballot);
	if (record->first + record->count > s->acceptor.lo + s->acceptor.window)
		acceptor_trim(&s->acceptor, delivered);
	if (!noop) {
		if (!log_reserve(&s->log, &s->acceptor, record->bytes)) {
			lose(r, record);
			return;
		}
		run.position = log_next(&s->log, record->bytes);
	}
	switch (take_run(&s->acceptor, record, &run)) {
	case ACCEPTOR_VOTED:
	case ACCEPTOR_STORED:
		if (!noop)
			log_append(&s->log, &kept, (const uint8_t *)(record + 1));
		return;
	case ACCEPTOR_REPEATED:
	case ACCEPTOR_KNOWN:
	case ACCEPTOR_TRIMMED:
		return;
	default:
		lose(r, record);
		return;
	}
}

static void replay_commit(struct replay_shard *shard, const struct journal_record *record)
{
	for (uint32_t i = 0; i < REPLAY_COMMITS; i++)
		if (shard->commits[i].ballot == record->ballot) {
			raise(&shard->commits[i].watermark, record->first);
			return;
		}
	shard->commits[shard->commits_next] = (struct replay_commit){
		.ballot = record->ballot,
		.watermark = record->first,
	};
	shard->commits_next = (shard->commits_next + 1) % REPLAY_COMMITS;
}

static void replay_record(struct replay *r, const struct journal_record *record,
	const struct journal_write_header *header)
{
	struct replay_shard *shard = &r->shards[record->shard];
	struct acceptor_stage *s = shard->acceptor;

	switch (record->kind) {
	case JOURNAL_VOTE:
	case JOURNAL_CHOSEN:
		r->counters.votes += record->kind == JOURNAL_VOTE;
		r->counters.chosen += record->kind == JOURNAL_CHOSEN;
		replay_run(r, record, header->delivered);
		break;
	case JOURNAL_PROMISE:
		replay_promise(s, record->ballot);
		s->recorded_promise = record->ballot;
		break;
	case JOURNAL_COMMIT:
		replay_commit(shard, record);
		break;
	case JOURNAL_DELIVERED:
		raise(&shard->delivered, record->first);
		raise(&shard->noted, record->first);
		deliver(r);
		break;
	case JOURNAL_TRIM:
		deliver(r);
		acceptor_trim(&s->acceptor, record->first);
		break;
	case JOURNAL_INSTALLED:
		/* It was on the disk by then. If the learner does not come to there now, it is lost,
		 * and what follows says nothing of the votes in front of it. */
		acceptor_install(&s->acceptor, record->first);
		raise(&shard->noted, record->first);
		break;
	default:
		replay_pin(r, (uint32_t)record->first, record->ballot);
		break;
	}
}

/* ---- Writes ---- */

/* Each start began so: where its learner stood again. What lies above is voted on anew. */
static void settle(struct replay *r)
{
	uint64_t delivered = r->learner->learner.delivered;

	for (uint32_t i = 0; i < r->settings->shards; i++) {
		struct acceptor *a = &r->shards[i].acceptor->acceptor;

		if (delivered < a->tail || delivered >= a->delivered)
			continue;
		a->delivered = delivered;
		a->lo = delivered - delivered % BLOCK;
	}
}

/* Votes reach as far as the window from what was durably delivered when they were cast. */
static void go_blind(struct replay *r)
{
	uint64_t from = r->learner->learner.delivered;

	raise(&from, r->told);
	for (uint32_t i = 0; i < r->settings->shards; i++)
		raise(&from, r->shards[i].delivered);
	r->damaged = true;
	raise(&r->blind, from - from % BLOCK + ACCEPTOR_WINDOW);
}

/* One past the highest instance of a run in it. */
static uint64_t end_of(const struct journal_found *f)
{
	const struct journal_record *record;
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;
	uint64_t end = 0;

	while ((record = journal_record_next(f->payload, f->bytes, &offset)) != NULL)
		if (record->count > 0)
			raise(&end, record->first + record->count);
	return end;
}

void replay_write(struct replay *r, const struct journal_found *f)
{
	const struct journal_write_header *header = journal_found_header(f);
	const struct journal_record *record;
	uint32_t offset = JOURNAL_WRITE_HEADER_BYTES;

	if (f->life != r->life) {
		deliver(r);
		settle(r);
		r->life = f->life;
	}
	raise(&r->told, header->delivered);
	if (f->follows_damage)
		go_blind(r);
	raise(&r->blind, header->blind);
	while ((record = journal_record_next(f->payload, f->bytes, &offset)) != NULL)
		if (record->shard < r->settings->shards) {
			replay_record(r, record, header);
			r->shards[record->shard].last = *record;
			r->shards[record->shard].last_life = f->life;
		}
	for (uint32_t i = 0; i < r->settings->shards; i++)
		replay_promise(r->shards[i].acceptor, header->promised[i]);
	deliver(r);
	journal_segments_add(&r->segments, f->place_after - 1, f->number, f->chain, end_of(f));
	r->counters.writes++;
}

/* ---- The end ---- */

static void restore_acceptor(struct replay *r, uint32_t shard, struct journal_start *start)
{
	struct acceptor_stage *s = r->shards[shard].acceptor;

	replay_promise(s, r->superblock.promised[shard]);
	s->blind = r->blind > s->acceptor.lo ? r->blind : 0;
	/* The journal does not say so itself: what it will say of later instances is true only above. */
	if (r->shards[shard].delivered < r->applied)
		s->installed = r->applied;
	start->promised[shard] = s->acceptor.promised;
	raise(&r->past.promised, s->acceptor.promised);
}

/* The loss of a write is known, that of a superblock, and that of a snapshot: what was delivered above
 * it can not be delivered again. */
static struct identity_disk holds(const struct replay *r)
{
	uint64_t noted = UINT64_MAX;

	/* As the journal counts what is durably delivered. */
	for (uint32_t i = 0; i < r->settings->shards; i++)
		noted = r->shards[i].noted < noted ? r->shards[i].noted : noted;
	if (r->blind > 0 || r->one_superblock_lost || r->past.delivered < r->told ||
		r->past.delivered < noted || r->past.delivered < r->superblock.anchor_applied)
		return (struct identity_disk){IDENTITY_LOST, IDENTITY_LOST};
	return (struct identity_disk){r->past.delivered, r->past.promised};
}

enum replay_result replay_end(struct replay *r, const struct journal_end *end,
	struct journal_start *start)
{
	if (end->verdict == JOURNAL_EMPTY)
		return REPLAY_EMPTY;
	if (r->superblock.mode == DURABILITY_ASYNC && r->superblock.life > 0 &&
		r->superblock.clean == 0)
		return REPLAY_UNCLEAN;
	if (end->tail_damaged) {
		if (r->one_superblock_lost)
			return REPLAY_PROMISE;
		go_blind(r);
	}
	deliver(r);
	settle(r);
	r->past.delivered = r->learner->learner.delivered;
	*start = (struct journal_start){
		.place = end->place,
		.number = end->number,
		.previous = end->previous,
		.chain = end->chain,
		.blind = r->blind,
		.delivered = r->past.delivered,
		.segments = &r->segments,
	};
	for (uint32_t i = 0; i < r->settings->shards; i++)
		restore_acceptor(r, i, start);
	r->past.disk = holds(r);
	return REPLAY_OK;
}

void replay_watch(const struct replay *r, uint32_t shard)
{
	const struct replay_shard *s = &r->shards[shard];
	const struct outlet *o = s->acceptor->outlet;
	/* The superblock that is left may be of an earlier one. */
	uint32_t life = r->life > r->superblock.life ? r->life : r->superblock.life;

	if (s->last_life != 0 && s->last_life == life)
		watch_detail(o, TRANSITION_FOUND, s->last.ballot, s->last.first,
			watch_record(s->last.kind, s->last.count), 0);
	watch_detail(o, TRANSITION_DROPPED, 0, s->acceptor->acceptor.tail, 0, 0);
	watch_detail(o, TRANSITION_RESTORED, s->acceptor->acceptor.promised, r->past.delivered,
		r->damaged ? 1 : 0, r->loaded);
}

const char *replay_text(enum replay_result result)
{
	switch (result) {
	case REPLAY_OK:
		return "the journal is whole enough to go on.";
	case REPLAY_EMPTY:
		return "the journal holds no valid write, so nothing is known of this member's promises: "
		       "replace the member by a new one.";
	case REPLAY_UNCLEAN:
		return "durability was async and the last run did not end in order, so promises may be "
		       "lost: replace the member by a new one.";
	case REPLAY_PROMISE:
		return "the journal's end and a superblock are damaged, so a promise may be lost: replace "
		       "the member by a new one.";
	}
	return "unknown";
}

struct superblock replay_next_life(const struct replay *r, const struct journal_end *end)
{
	struct superblock next = r->superblock;

	next.life = (end->life > next.life ? end->life : next.life) + 1;
	next.mode = r->settings->durability;
	next.clean = 0;
	for (uint32_t i = 0; i < r->settings->members; i++)
		next.pins[i] = r->past.pins[i];
	next.pins[r->settings->self] = r->past.enrolled ? r->settings->uuid : 0;
	for (uint32_t i = 0; i < r->settings->shards; i++)
		next.promised[i] = r->shards[i].acceptor->acceptor.promised;
	return next;
}
