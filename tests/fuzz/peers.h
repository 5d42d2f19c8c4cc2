/*
 * peers.h - the other members of a fuzzed replica, as far as they are honest: what they answer.
 *
 * Owns:    what they were sent and did not answer yet, the latest PEERS_HEARD of it.
 */
#ifndef TESTS_FUZZ_PEERS_H
#define TESTS_FUZZ_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/message.h"

enum {
	PEERS_SELF = 0, /* The replica's own id. */
	PEERS_MEMBERS = 3,
	PEERS_HEARD = 64,
	PEERS_VOTES_END = 300, /* More than a block. */
};

struct peers {
	uint64_t uuid; /* The replica's. */
	bool voted;    /* They hold votes of lower ballots below PEERS_VOTES_END, with holes. */
	uint32_t next, count;
	struct {
		uint16_t to;
		struct message m;
	} heard[PEERS_HEARD];
};

void peers_init(struct peers *p, uint64_t uuid, bool voted);

/* The uuid of a member. */
uint64_t peers_uuid(uint32_t member);

/* A message of the replica to member `to`. */
void peers_hear(struct peers *p, uint16_t to, const struct message *m);

/* Writes the next answer; returns its length, 0: there is none. */
uint16_t peers_answer(struct peers *p, uint8_t *bytes);

/* Writes the uuid that belongs to the sender into a message of any form, and the cluster. */
void peers_sign(uint8_t *bytes, size_t length);

#endif
