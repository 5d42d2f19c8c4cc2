/*
 * What is proposed again for two instances, for all that up to three members may report of them.
 *
 * Of each instance a member reports nothing, a vote at ballot 1, one at 2, or what is chosen. One
 * ballot has one value for an instance, whoever reports it: proposers see to that.
 */
#include <stdio.h>
#include <string.h>

#include "consensus/recovery.h"
#include "tests/compare/explore.h"

enum {
	INSTANCES = 2,
	MEMBERS = 3,
	KINDS = 4, /* Of a report: nothing, a vote at 1, a vote at 2, chosen. */
	CHOSEN = 3,
	VALUES = 3, /* 0 is a no-op. */
	ASSIGNMENTS = VALUES * VALUES * VALUES,
	REPORTS = KINDS * KINDS,
	CHUNK_MAX = INSTANCES * (RECORD_BYTES + ENTRY_BYTES),
};

static_assert(BLOCK == (uint32_t)INSTANCES, "one block");

struct chunk {
	_Alignas(8) uint8_t bytes[CHUNK_MAX];
	uint32_t length;
};

static struct recovery recovery;

/* Which value an instance has at a ballot, or as chosen. */
static uint32_t value_of(uint32_t assignment, uint32_t kind, uint32_t instance)
{
	uint32_t value = kind == 1 ? assignment % VALUES
		: kind == 2        ? assignment / VALUES % VALUES
				   : assignment / VALUES / VALUES;

	return value == 0 ? 0 : value + instance * (VALUES - 1);
}

static void append_record(struct chunk *chunk, uint32_t kind, uint32_t first, uint16_t count,
	bool noop)
{
	const struct record record = {
		.ballot = kind == CHOSEN ? 0 : kind,
		.first = first,
		.count = count,
		.bytes = (uint16_t)(noop ? 0 : count * ENTRY_BYTES),
		.flags = noop ? FLAG_NOOP : 0,
	};

	memcpy(chunk->bytes + chunk->length, &record, sizeof(record));
	chunk->length += RECORD_BYTES;
}

static void append_entry(struct chunk *chunk, uint32_t value)
{
	const struct entry entry = {.session = value,
		.sequence_length = entry_pack(ENTRY_COMMAND, 0, 0)};

	memcpy(chunk->bytes + chunk->length, &entry, sizeof(entry));
	chunk->length += ENTRY_BYTES;
}

/* A member's report. `joined`: as one run of both instances, where that may be. */
static void make_chunk(struct chunk *chunk, uint32_t assignment, uint32_t report, bool joined)
{
	const uint32_t kinds[INSTANCES] = {report % KINDS, report / KINDS};
	uint32_t values[INSTANCES];

	for (uint32_t i = 0; i < INSTANCES; i++)
		values[i] = value_of(assignment, kinds[i], i);
	joined = joined && kinds[0] == kinds[1] && (values[0] == 0) == (values[1] == 0);
	chunk->length = 0;
	for (uint32_t i = 0; i < INSTANCES; i++) {
		if (kinds[i] == 0)
			continue;
		if (!joined || i == 0)
			append_record(chunk, kinds[i], i, joined ? INSTANCES : 1, values[i] == 0);
		if (values[i] != 0)
			append_entry(chunk, values[i]);
	}
}

static void tell_report(uint32_t assignment, uint32_t report)
{
	for (uint32_t i = 0; i < INSTANCES; i++, report /= KINDS) {
		tell(report % KINDS);
		tell(value_of(assignment, report % KINDS, i));
	}
}

/* Runs of up to `count_max` instances: their values, one after the other. */
static void tell_selected(uint32_t count_max)
{
	_Alignas(8) uint8_t body[INSTANCES * ENTRY_BYTES];
	uint32_t bytes;
	uint32_t count;

	while ((count = recovery_next(&recovery, body, sizeof(body), count_max, &bytes)) > 0)
		for (uint32_t i = 0; i < count; i++) {
			const struct entry *e = (const struct entry *)(const void *)body + i;

			tell(bytes == 0 ? 0 : e->session);
		}
}

static void try(uint32_t assignment, const uint32_t *reports, uint32_t members, uint32_t from,
	uint32_t to, bool joined)
{
	recovery_begin(&recovery, from, to);
	tell('R');
	tell(from);
	tell(to);
	tell(members);
	for (uint32_t m = 0; m < members; m++) {
		struct chunk chunk;

		make_chunk(&chunk, assignment, reports[m], joined);
		recovery_add(&recovery, chunk.bytes, chunk.length);
		tell_report(assignment, reports[m]);
	}
	tell_selected(joined ? INSTANCES : 1);
}

static void try_strides(uint32_t assignment, const uint32_t *reports, uint32_t members)
{
	for (uint32_t from = 0; from < INSTANCES; from++)
		for (uint32_t to = from + 1; to <= INSTANCES; to++) {
			try(assignment, reports, members, from, to, false);
			try(assignment, reports, members, from, to, true);
		}
}

int main(void)
{
	for (uint32_t assignment = 0; assignment < ASSIGNMENTS; assignment++) {
		uint32_t all = 1;

		for (uint32_t members = 0; members <= MEMBERS; members++, all *= REPORTS)
			for (uint32_t i = 0; i < all; i++) {
				const uint32_t reports[MEMBERS] = {i % REPORTS,
					i / REPORTS % REPORTS, i / REPORTS / REPORTS};

				try_strides(assignment, reports, members);
			}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
