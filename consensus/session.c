#include "consensus/session.h"

#include <stddef.h>
#include <string.h>

#include "consensus/check.h"

enum {
	SLOTS_A_STEP = 64 /* Of a snapshot, or of a table that is emptied. */
};

uint64_t session_slots(uint32_t sessions_max)
{
	uint64_t slots = 16;

	while (slots < 2ull * sessions_max)
		slots *= 2;
	return slots;
}

void session_init(struct session_table *t, struct session *slots, uint32_t sessions_max)
{
	uint64_t count = session_slots(sessions_max);

	CHECK(sessions_max >= 1);
	memset(slots, 0, count * sizeof(*slots));
	t->slots = slots;
	t->mask = count - 1;
	t->shift = (uint32_t)__builtin_ctzll(count);
	t->count = 0;
	t->max = sessions_max;
	t->evicted = 0;
	t->generation = 0;
	t->to = NULL;
	t->scanned = 0;
}

struct session *session_find_far(struct session_table *t, uint64_t id)
{
	uint64_t at = session_home(t, id);

	/* The table is at most half full: an empty slot ends every search. */
	for (; t->slots[at].id != 0; at = (at + 1) & t->mask)
		if (t->slots[at].id == id + 1)
			return &t->slots[at];
	return NULL;
}

/* Takes a slot out of its chain: what follows moves up where its own home allows. */
static void delete_at(struct session_table *t, uint64_t hole)
{
	uint64_t at = hole;

	for (;;) {
		at = (at + 1) & t->mask;
		if (t->slots[at].id == 0)
			break;
		uint64_t home = session_home(t, t->slots[at].id - 1);

		if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
			session_save(t, &t->slots[at]);
			t->slots[hole] = t->slots[at];
			hole = at;
		}
	}
	t->slots[hole].id = 0;
	t->count--;
}

/* Of the sessions there are, the one whose last applied command is oldest in the log. */
/*@ requires \valid_read(t) && t->mask < INSTANCE_TOP && \valid_read(t->slots + (0 .. t->mask));
    assigns \nothing;
    ensures S3: \result <= t->mask && \forall integer k; 0 <= k <= t->mask &&
      t->slots[k].id != 0 ==>
        t->slots[\result].id != 0 && t->slots[\result].last <= t->slots[k].last; */
static uint64_t oldest_of(const struct session_table *t)
{
	uint64_t oldest = 0;
	bool found = false;

	/*@ loop invariant at <= t->mask + 1 && oldest <= t->mask;
	    loop invariant found ==> t->slots[oldest].id != 0;
	    loop invariant S3: \forall integer k; 0 <= k < at && t->slots[k].id != 0 ==>
	      found && t->slots[oldest].last <= t->slots[k].last;
	    loop assigns at, oldest, found;
	    loop variant t->mask + 1 - at; */
	for (uint64_t at = 0; at <= t->mask; at++)
		if (t->slots[at].id != 0 && (!found || t->slots[at].last < t->slots[oldest].last)) {
			oldest = at;
			found = true;
		}
	return oldest;
}

static void evict_oldest(struct session_table *t)
{
	uint64_t oldest = oldest_of(t);

	session_save(t, &t->slots[oldest]);
	delete_at(t, oldest);
	t->evicted++;
}

static struct session *empty_slot(struct session_table *t, uint64_t id)
{
	uint64_t at = session_home(t, id);

	while (t->slots[at].id != 0)
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

struct session *session_open(struct session_table *t, uint64_t id)
{
	if (t->count == t->max)
		evict_oldest(t);
	struct session *s = empty_slot(t, id);

	*s = (struct session){.id = id + 1, .last = id, .generation = t->generation};
	t->count++;
	return s;
}

/* ---- Snapshots ---- */

void session_save(struct session_table *t, struct session *s)
{
	if (!session_unsaved(t, s))
		return;
	struct snapshot_session saved = {
		.id = s->id,
		.base = s->base,
		.last = s->last,
		.done = s->done,
	};

	memcpy(saved.replies, s->replies, sizeof(saved.replies));
	memcpy(snapshot_add(t->to, SNAPSHOT_SESSION, sizeof(saved)), &saved, sizeof(saved));
	s->generation = t->generation;
}

void session_snapshot_begin(struct session_table *t, struct snapshot *to)
{
	t->generation++;
	t->to = to;
	t->scanned = 0;
}

bool session_snapshot_step(struct session_table *t)
{
	uint64_t end = t->scanned + SLOTS_A_STEP;

	end = end < t->mask + 1 ? end : t->mask + 1;
	for (; t->scanned < end; t->scanned++)
		if (t->slots[t->scanned].id != 0)
			session_save(t, &t->slots[t->scanned]);
	return t->scanned <= t->mask;
}

bool session_clear_step(struct session_table *t)
{
	for (uint32_t i = 0; i < SLOTS_A_STEP && t->count > 0; i++) {
		struct session *s = &t->slots[t->scanned++ & t->mask];

		t->count -= s->id != 0;
		s->id = 0;
	}
	return t->count > 0;
}

void session_restore(struct session_table *t, const struct snapshot_session *from)
{
	CHECK(t->count < t->max);
	struct session *s = empty_slot(t, from->id - 1);

	*s = (struct session){
		.id = from->id,
		.base = from->base,
		.last = from->last,
		.done = (uint8_t)from->done,
		.generation = t->generation,
	};
	memcpy(s->replies, from->replies, sizeof(s->replies));
	t->count++;
}
