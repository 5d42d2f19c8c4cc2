#include "consensus/session.h"

#include <stddef.h>
#include <string.h>

#include "consensus/check.h"

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
			t->slots[hole] = t->slots[at];
			hole = at;
		}
	}
	t->slots[hole].id = 0;
	t->count--;
}

static void evict_oldest(struct session_table *t)
{
	uint64_t oldest = 0;
	bool found = false;

	for (uint64_t at = 0; at <= t->mask; at++)
		if (t->slots[at].id != 0 && (!found || t->slots[at].last < t->slots[oldest].last)) {
			oldest = at;
			found = true;
		}
	delete_at(t, oldest);
	t->evicted++;
}

struct session *session_open(struct session_table *t, uint64_t id)
{
	if (t->count == t->max)
		evict_oldest(t);
	uint64_t at = session_home(t, id);

	while (t->slots[at].id != 0)
		at = (at + 1) & t->mask;
	t->slots[at] = (struct session){.id = id + 1, .last = id};
	t->count++;
	return &t->slots[at];
}
