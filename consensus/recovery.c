#include "consensus/recovery.h"

#include <string.h>

void recovery_begin(struct recovery *r, uint64_t from, uint64_t to)
{
	r->from = from;
	r->to = to;
	r->next = from;
	for (uint32_t i = 0; i < BLOCK; i++)
		r->cells[i] = (struct cell){0};
}

static bool outranks(const struct record *record, const struct cell *c)
{
	if (c->state == CELL_CHOSEN)
		return false;
	return record->ballot == 0 || c->state == CELL_EMPTY || record->ballot > c->ballot;
}

static void fill(struct recovery *r, uint64_t instance, const struct record *record,
	const uint8_t *entry, uint32_t bytes)
{
	if (instance < r->from || instance >= r->to)
		return;
	struct cell *c = &r->cells[instance % BLOCK];

	if (!outranks(record, c))
		return;
	c->state = record->ballot == 0 ? CELL_CHOSEN : CELL_VOTED;
	c->ballot = record->ballot;
	c->bytes = bytes;
	memcpy(r->entries[instance % BLOCK], entry, bytes);
}

void recovery_add(struct recovery *r, const uint8_t *body, uint32_t bytes)
{
	uint32_t offset = 0;
	const struct record *record;

	while ((record = record_next(body, bytes, &offset)) != NULL) {
		const uint8_t *entry = (const uint8_t *)(record + 1);

		for (uint32_t i = 0; i < record->count; i++) {
			uint32_t length = 0;

			if ((record->flags & FLAG_NOOP) == 0)
				length = entry_bytes(
					entry_length((const struct entry *)(const void *)entry));
			fill(r, record->first + i, record, entry, length);
			entry += length;
		}
	}
}

uint32_t recovery_next(struct recovery *r, uint8_t *body, uint32_t limit, uint32_t count_max,
	uint32_t *bytes)
{
	uint32_t count = 0;

	*bytes = 0;
	while (r->next < r->to && count < count_max) {
		const struct cell *c = &r->cells[r->next % BLOCK];

		/* No-ops and entries never share a run; a run of no-ops has no bytes. */
		if (count > 0 && (c->bytes == 0) != (*bytes == 0))
			break;
		if (*bytes + c->bytes > limit)
			break;
		memcpy(body + *bytes, r->entries[r->next % BLOCK], c->bytes);
		*bytes += c->bytes;
		count++;
		r->next++;
	}
	return count;
}
