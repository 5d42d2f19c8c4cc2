#include "consensus/acceptor.h"

#include <stddef.h>

void acceptor_init(struct acceptor *a, uint64_t window)
{
	a->promised = 0;
	a->lo = 0;
	a->delivered = 0;
	a->tail = 0;
	a->high = 0;
	a->window = window;
	for (uint32_t i = 0; i < VOTES_MAX; i++) {
		a->votes[i].ballot = 0;
		a->votes[i].instance = 0;
		a->votes[i].position = 0;
		a->votes[i].checksum = 0;
		a->votes[i].count = 0;
		a->votes[i].index = 0;
		a->votes[i].state = VOTE_NONE;
	}
}

static bool too_high(const struct acceptor *a, uint64_t ballot)
{
	return ballot / BALLOT_NODES > a->promised / BALLOT_NODES &&
		ballot / BALLOT_NODES - a->promised / BALLOT_NODES > BALLOT_ROUND_JUMP;
}

enum acceptor_answer acceptor_on_prepare(struct acceptor *a, uint64_t ballot)
{
	if (ballot < a->promised)
		return ACCEPTOR_REFUSED;
	if (too_high(a, ballot))
		return ACCEPTOR_TOO_HIGH;
	/* Nothing below can fail. */
	a->promised = ballot;
	return ACCEPTOR_PROMISED;
}

static bool holds(const struct vote *v, uint64_t instance)
{
	return v->state != VOTE_NONE && v->instance == instance;
}

const struct vote *acceptor_vote(const struct acceptor *a, uint64_t instance)
{
	const struct vote *v = &a->votes[instance % VOTES_MAX];

	return holds(v, instance) ? v : NULL;
}

static void raise_high(struct acceptor *a, uint64_t end)
{
	if (end > a->high)
		a->high = end;
}

static void set_vote(struct vote *v, const struct run *run, uint32_t index, uint64_t ballot,
	enum vote_state state)
{
	v->ballot = ballot;
	v->instance = run->first + index;
	v->position = run->position;
	v->checksum = run->checksum;
	v->count = run->count;
	v->index = (uint8_t)index;
	v->state = (uint8_t)state;
}

/* What the slots of the run's instances say of it: VOTED if it may be voted for. */
static enum acceptor_answer compare_votes(const struct acceptor *a, const struct run *run)
{
	uint32_t same = 0;
	bool conflict = false;

	for (uint32_t i = 0; i < run->count; i++) {
		const struct vote *v = &a->votes[(run->first + i) % VOTES_MAX];

		if (!holds(v, run->first + i))
			continue;
		if (v->state == VOTE_CHOSEN)
			return ACCEPTOR_TRIMMED;
		if (v->ballot != run->ballot)
			continue;
		if (v->index == i && v->count == run->count && v->checksum == run->checksum)
			same++;
		else
			conflict = true;
	}
	if (conflict || (same > 0 && same < run->count))
		return ACCEPTOR_CONFLICT;
	return same > 0 ? ACCEPTOR_REPEATED : ACCEPTOR_VOTED;
}

enum acceptor_answer acceptor_on_accept(struct acceptor *a, const struct run *run)
{
	if (run->ballot < a->promised)
		return ACCEPTOR_REFUSED;
	if (too_high(a, run->ballot))
		return ACCEPTOR_TOO_HIGH;
	if (run->first < a->lo)
		return ACCEPTOR_TRIMMED;
	if (run->first + run->count > a->lo + a->window)
		return ACCEPTOR_BEHIND;
	enum acceptor_answer answer = compare_votes(a, run);

	if (answer != ACCEPTOR_VOTED && answer != ACCEPTOR_REPEATED)
		return answer;
	/* Nothing below can fail. */
	a->promised = run->ballot;
	if (answer == ACCEPTOR_REPEATED)
		return ACCEPTOR_REPEATED;
	for (uint32_t i = 0; i < run->count; i++)
		set_vote(&a->votes[(run->first + i) % VOTES_MAX], run, i, run->ballot, VOTE_CAST);
	raise_high(a, run->first + run->count);
	return ACCEPTOR_VOTED;
}

enum acceptor_answer acceptor_on_chosen(struct acceptor *a, const struct run *run)
{
	bool stored = false;

	if (run->first + run->count <= a->lo)
		return ACCEPTOR_TRIMMED;
	if (run->first + run->count > a->lo + a->window)
		return ACCEPTOR_BEHIND;
	/* Nothing below can fail. */
	for (uint32_t i = 0; i < run->count; i++) {
		struct vote *v = &a->votes[(run->first + i) % VOTES_MAX];

		if (run->first + i < a->lo || (holds(v, run->first + i) && v->state == VOTE_CHOSEN))
			continue;
		set_vote(v, run, i, 0, VOTE_CHOSEN);
		stored = true;
	}
	if (!stored)
		return ACCEPTOR_KNOWN;
	raise_high(a, run->first + run->count);
	return ACCEPTOR_STORED;
}

/* The index reaches VOTES_MAX back from the window's end; what lies below is overwritten. */
static void follow_index(struct acceptor *a)
{
	if (a->lo + ACCEPTOR_WINDOW > a->tail + VOTES_MAX)
		a->tail = a->lo + ACCEPTOR_WINDOW - VOTES_MAX;
}

void acceptor_trim(struct acceptor *a, uint64_t delivered)
{
	if (delivered <= a->delivered)
		return;
	a->delivered = delivered;
	a->lo = delivered - delivered % BLOCK;
	follow_index(a);
}

void acceptor_drop(struct acceptor *a, uint64_t tail)
{
	if (tail > a->lo)
		tail = a->lo;
	if (tail > a->tail)
		a->tail = tail;
}

bool acceptor_piece(const struct acceptor *a, uint64_t from, uint64_t end, struct piece *piece)
{
	uint64_t at = from;

	while (at < end && !holds(&a->votes[at % VOTES_MAX], at))
		at++;
	if (at == end)
		return false;
	const struct vote *v = &a->votes[at % VOTES_MAX];

	piece->first = at;
	piece->ballot = v->ballot;
	piece->position = v->position;
	piece->checksum = v->checksum;
	piece->run_count = v->count;
	piece->index = v->index;
	piece->chosen = v->state == VOTE_CHOSEN;
	piece->count = 0;
	while (at < end && piece->count < piece->run_count) {
		const struct vote *next = &a->votes[at % VOTES_MAX];

		if (!holds(next, at) || next->position != piece->position ||
			next->ballot != piece->ballot || next->state != v->state ||
			next->checksum != piece->checksum || next->count != piece->run_count ||
			next->index != (uint8_t)(piece->index + piece->count))
			break;
		piece->count++;
		at++;
	}
	return true;
}

void acceptor_relocate(struct acceptor *a, uint64_t first, uint16_t count, uint64_t old,
	uint64_t new_position)
{
	for (uint32_t i = 0; i < count; i++) {
		struct vote *v = &a->votes[(first + i) % VOTES_MAX];

		if (holds(v, first + i) && v->position == old)
			v->position = new_position;
	}
}
