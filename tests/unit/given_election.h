/*
 * given_election.h - an election of three and what it hears, by hand, for the tests of
 * consensus/election.h.
 */
#ifndef TESTS_UNIT_GIVEN_ELECTION_H
#define TESTS_UNIT_GIVEN_ELECTION_H

#include "consensus/election.h"
#include "tests/unit/given_stage.h"

static struct election e;
static uint64_t now;

static inline int setup(void **state)
{
	(void)state;
	given_settings();
	election_init(&e, &settings);
	now = 1000;
	return 0;
}

static inline struct election_output tick(void)
{
	return election_on_tick(&e, now, 0, false);
}

static inline bool hears(uint8_t member, uint8_t flags, uint64_t ballot, uint32_t echo)
{
	const struct message m = {
		.sender = member,
		.flags = flags,
		.ballot = ballot,
		.echo = echo,
	};

	return election_on_heartbeat(&e, &m, now);
}

/* Both others are there and hear us; nobody leads. */
static inline void hears_the_others(void)
{
	hears(1, 0, 0, EVERYBODY);
	hears(2, 0, 0, EVERYBODY);
}

static inline bool supports(uint64_t ballot)
{
	const struct message m = {.sender = 1, .ballot = ballot};

	return election_on_prevote(&e, &m, now);
}

static inline void grants(uint8_t member, uint64_t ballot, uint8_t flags, uint64_t delivered)
{
	const struct message m = {
		.sender = member,
		.ballot = ballot,
		.flags = flags,
		.first = delivered,
	};

	election_on_prevoted(&e, &m);
}

/* Time goes by in heartbeats, with the others there. False: this node did not ask within `span`. */
static inline bool asks_within(uint64_t span)
{
	for (uint64_t end = now + span; now < end; now += HEARTBEAT) {
		hears_the_others();
		if (tick().prevote)
			return true;
	}
	return false;
}

/* Time goes by in ticks; nobody is heard. */
static inline void silence(uint64_t span)
{
	for (uint64_t end = now + span; now < end;) {
		now += HEARTBEAT;
		tick();
	}
}

static inline void given_prevoting(void)
{
	assert_true(asks_within(TIMEOUT));
	assert_int_equal(e.state, ELECTION_PREVOTING);
}

static inline void given_candidate(void)
{
	given_prevoting();
	grants(1, e.ballot, PREVOTED_GRANTED, 0);
	assert_true(tick().stand);
}

static inline void given_leader(void)
{
	given_candidate();
	election_won(&e, now);
}

#endif
