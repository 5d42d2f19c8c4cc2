/*
 * given_port.h - a journal's port that keeps the records, for the tests of stages that append.
 */
#ifndef TESTS_UNIT_GIVEN_PORT_H
#define TESTS_UNIT_GIVEN_PORT_H

#include "consensus/journal.h"

enum {
	APPENDED_MAX = 8192
};

static struct journal_record appended[APPENDED_MAX];
static uint32_t appended_count;
static bool journal_has_room;

static inline bool port_room(void *context, uint32_t bytes)
{
	(void)context;
	(void)bytes;
	return journal_has_room;
}

static inline uint64_t port_append(void *context, const struct journal_record *record,
	const uint8_t *entries)
{
	(void)context;
	(void)entries;
	assert_true(journal_has_room && appended_count < APPENDED_MAX);
	appended[appended_count++] = *record;
	return appended_count;
}

static const struct journal_port port = {.room = port_room, .append = port_append};

static inline void given_port(void)
{
	appended_count = 0;
	journal_has_room = true;
}

static inline uint32_t appended_of(enum journal_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < appended_count; i++)
		count += appended[i].kind == kind;
	return count;
}

#endif
