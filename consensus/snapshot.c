#include "consensus/snapshot.h"

#include <string.h>

#include "consensus/check.h"
#include "consensus/machine.h"
#include "consensus/message.h"
#include "consensus/session.h"

static_assert(SESSION_WINDOW == 4, "a snapshot's session has that many replies");

/* ---- Writing ---- */

void snapshot_begin(struct snapshot *s, const struct snapshot_header *header)
{
	struct snapshot_header h = *header;

	CHECK(s->size >= SNAPSHOT_HEADER_BYTES + SNAPSHOT_END_BYTES);
	h.magic = SNAPSHOT_MAGIC;
	memcpy(s->bytes, &h, sizeof(h));
	s->used = sizeof(h);
	s->summed = 0;
	s->crc = 0;
}

uint8_t *snapshot_add(struct snapshot *s, enum snapshot_kind kind, uint32_t length)
{
	const struct snapshot_record r = {.kind = (uint16_t)kind, .length = (uint16_t)length};
	const uint64_t bytes = snapshot_record_bytes(length);
	uint8_t *at = s->bytes + s->used;

	CHECK(length <= SNAPSHOT_ENTRY_MAX && bytes <= s->size - s->used);
	memcpy(at, &r, sizeof(r));
	memset(at + bytes - 8, 0, length % 8 != 0 ? 8 : 0);
	s->used += bytes;
	return at + sizeof(r);
}

bool snapshot_sum(struct snapshot *s)
{
	uint64_t bytes = s->used - s->summed;

	if (bytes == 0)
		return false;
	bytes = bytes < SNAPSHOT_CHECK_BYTES ? bytes : SNAPSHOT_CHECK_BYTES;
	s->crc = message_crc_more(s->crc, s->bytes + s->summed, bytes);
	s->summed += bytes;
	return s->summed < s->used;
}

void snapshot_end(struct snapshot *s)
{
	CHECK(s->summed == s->used);
	const struct snapshot_end end = {.bytes = s->used + SNAPSHOT_END_BYTES, .crc = s->crc};

	memcpy(snapshot_add(s, SNAPSHOT_END, sizeof(end)), &end, sizeof(end));
}

/* ---- Checking and reading ---- */

const char *snapshot_result_text(enum snapshot_result result)
{
	switch (result) {
	case SNAPSHOT_OK:
		return "it is whole.";
	case SNAPSHOT_MORE:
		return "it is not checked yet.";
	case SNAPSHOT_DAMAGED:
		return "it is damaged.";
	case SNAPSHOT_FOREIGN:
		return "it is of another version or configuration.";
	}
	return "unknown";
}

static enum snapshot_result check_header(const struct snapshot *s,
	const struct snapshot_rules *rules)
{
	const struct snapshot_header *h = snapshot_header_of(s);
	const uint64_t bare = SNAPSHOT_HEADER_BYTES + SNAPSHOT_END_BYTES;

	if (s->used < bare || s->used > s->size)
		return SNAPSHOT_DAMAGED;
	if (h->magic != SNAPSHOT_MAGIC || h->config_hash != rules->config_hash)
		return SNAPSHOT_FOREIGN;
	const struct machine *machine = rules->machine;
	const uint64_t entries_max =
		machine->snapshot == NULL ? 0 : machine->snapshot->count_max(machine->state);

	if (h->sessions > rules->sessions_max || h->entries > entries_max ||
		h->instance >= INSTANCE_TOP)
		return SNAPSHOT_DAMAGED;
	return SNAPSHOT_MORE;
}

/* Opened at `id` - 1 and last used there or later: so an id is neither 0 nor above `instance`. */
static bool session_valid(const struct snapshot_session *session, uint64_t instance)
{
	return session->last >= session->id - 1 && session->last < instance &&
		session->base < SEQUENCE_TOP && session->done < 1u << SESSION_WINDOW;
}

static bool content_valid(const struct snapshot_record *r, const struct snapshot_header *h,
	const struct snapshot_rules *rules, struct snapshot_check *c)
{
	const struct machine_snapshot *machine = rules->machine->snapshot;

	switch (r->kind) {
	case SNAPSHOT_SESSION:
		c->sessions++;
		return r->length == SNAPSHOT_SESSION_BYTES &&
			session_valid((const struct snapshot_session *)(const void *)(r + 1),
				h->instance);
	case SNAPSHOT_ENTRY:
		c->entries++;
		return machine != NULL &&
			machine->valid(rules->machine->state, (const uint8_t *)(r + 1), r->length,
				h->instance);
	default:
		return false;
	}
}

/* The checksum does not cover the end itself: it must be what a writer writes, to the bit. */
static enum snapshot_result check_end(const struct snapshot *s, const struct snapshot_check *c)
{
	const struct snapshot_header *h = snapshot_header_of(s);
	const struct snapshot_end end = {.bytes = s->used, .crc = c->crc};
	const struct snapshot_record r = {.kind = SNAPSHOT_END, .length = sizeof(end)};
	const uint8_t *at = s->bytes + c->at;

	return memcmp(at, &r, sizeof(r)) == 0 && memcmp(at + sizeof(r), &end, sizeof(end)) == 0 &&
			c->sessions == h->sessions && c->entries == h->entries
		? SNAPSHOT_OK
		: SNAPSHOT_DAMAGED;
}

enum snapshot_result snapshot_check_step(const struct snapshot *s,
	const struct snapshot_rules *rules, struct snapshot_check *c)
{
	if (c->at == 0) {
		enum snapshot_result result = check_header(s, rules);

		if (result != SNAPSHOT_MORE)
			return result;
		c->at = SNAPSHOT_HEADER_BYTES;
		c->crc = message_crc_more(0, s->bytes, SNAPSHOT_HEADER_BYTES);
	}
	const uint64_t end = s->used - SNAPSHOT_END_BYTES;
	const uint64_t from = c->at;

	while (c->at < end && c->at - from < SNAPSHOT_CHECK_BYTES) {
		const struct snapshot_record *r =
			(const struct snapshot_record *)(const void *)(s->bytes + c->at);

		if (snapshot_record_bytes(r->length) > end - c->at ||
			!content_valid(r, snapshot_header_of(s), rules, c))
			return SNAPSHOT_DAMAGED;
		c->at += snapshot_record_bytes(r->length);
	}
	c->crc = message_crc_more(c->crc, s->bytes + from, c->at - from);
	return c->at < end ? SNAPSHOT_MORE : check_end(s, c);
}

const struct snapshot_record *snapshot_next(const struct snapshot *s, uint64_t *at)
{
	if (*at >= s->used - SNAPSHOT_END_BYTES)
		return NULL;
	const struct snapshot_record *r =
		(const struct snapshot_record *)(const void *)(s->bytes + *at);

	*at += snapshot_record_bytes(r->length);
	return r;
}
