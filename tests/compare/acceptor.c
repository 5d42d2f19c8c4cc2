/*
 * Every state of a small acceptor, and what every input makes of it.
 *
 * Arguments: instances, ballots, values beside the no-op, window. A run's checksum is its values,
 * two bits each: what the acceptor keeps of a run then says what was in it. That of no-ops is 0,
 * whatever their number, as in a replica. Every record has one position, so that pieces are told
 * apart by all else.
 */
#include <stdio.h>
#include <string.h>

#include "consensus/acceptor.h"
#include "tests/compare/explore.h"

enum {
	FIELDS = 5,
	SLOT_FIELDS = 6,
	KEY = FIELDS + VOTES_MAX * SLOT_FIELDS,
	STATES_MAX = 1 << 20,
	VALUE_BITS = 2,
};

/* As compare.ml numbers them. */
enum input_kind {
	PREPARE,
	ACCEPT,
	CHOOSE,
	TRIM,
	INSTALL,
	DROP,
};

static_assert(RUN_COUNT_MAX * VALUE_BITS <= 8, "a checksum is told as one byte");

struct input {
	enum input_kind kind;
	uint64_t number; /* A ballot, or an instance. */
	uint64_t first;
	uint16_t count;
	uint32_t checksum;
};

static struct explore states;
static uint64_t instances;
static uint64_t ballots;
static uint32_t values;

static void key_of(const struct acceptor *a, uint8_t *key)
{
	const uint64_t fields[FIELDS] = {a->promised, a->lo, a->delivered, a->tail, a->high};

	memset(key, 0, KEY);
	for (uint32_t i = 0; i < FIELDS; i++)
		key[i] = (uint8_t)fields[i];
	for (uint32_t i = 0; i < VOTES_MAX; i++) {
		const struct vote *v = &a->votes[i];
		uint8_t *slot = key + FIELDS + i * SLOT_FIELDS;

		slot[0] = (uint8_t)v->instance;
		slot[1] = v->state;
		slot[2] = (uint8_t)v->ballot;
		slot[3] = (uint8_t)v->count;
		slot[4] = v->index;
		slot[5] = (uint8_t)v->checksum;
	}
}

/* What a chunk of votes would say of each instance: by the pieces that one is made of. */
static void tell_reports(const struct acceptor *a)
{
	uint64_t from = instances > VOTES_MAX ? a->lo : 0;
	uint64_t end = from + VOTES_MAX < instances ? from + VOTES_MAX : instances;
	struct piece piece;

	tell(from);
	tell(end - from);
	while (from < end) {
		bool found = acceptor_piece(a, from, end, &piece);
		uint64_t gap = (found ? piece.first : end) - from;

		for (; gap > 0; gap--, from++)
			for (uint32_t i = 0; i < 3; i++)
				tell(0);
		for (uint32_t i = 0; found && i < piece.count; i++, from++) {
			tell(piece.chosen ? 2 : 1);
			tell(piece.ballot);
			tell(piece.checksum >> ((piece.index + i) * VALUE_BITS) &
				((1 << VALUE_BITS) - 1));
		}
	}
}

/* Returns the answer; 255 where there is none. */
static uint64_t apply(struct acceptor *a, const struct input *in)
{
	const struct run run = {
		.ballot = in->number,
		.first = in->first,
		.position = 0,
		.checksum = in->checksum,
		.count = in->count,
	};

	switch (in->kind) {
	case PREPARE:
		return acceptor_on_prepare(a, in->number);
	case ACCEPT:
		return acceptor_on_accept(a, &run);
	case CHOOSE:
		return acceptor_on_chosen(a, &run);
	case TRIM:
		acceptor_trim(a, in->number);
		break;
	case INSTALL:
		acceptor_install(a, in->number);
		break;
	case DROP:
		acceptor_drop(a, in->number);
		break;
	}
	return 255;
}

static void try(const struct acceptor *from, const struct input *in)
{
	struct acceptor a = *from;
	uint8_t key[KEY];

	tell('T');
	tell(in->kind);
	tell(in->number);
	tell(in->first);
	tell(in->count);
	tell(in->checksum);
	tell(apply(&a, in));
	key_of(&a, key);
	tell_bytes(key, KEY);
	explore_add(&states, key, &a);
}

/* Is there a run of these values? All are no-ops, or none is. */
static bool is_run(uint32_t checksum, uint32_t count)
{
	uint32_t noops = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t value = checksum >> i * VALUE_BITS & ((1u << VALUE_BITS) - 1);

		noops += value == 0;
		if (value > values)
			return false;
	}
	return noops == 0 || noops == count;
}

/* One kind of input for each run that lies within a block, with each choice of its values. */
static void try_runs(const struct acceptor *a, enum input_kind kind, uint64_t ballot)
{
	struct input in = {.kind = kind, .number = ballot};

	for (in.first = 0; in.first < instances; in.first++)
		for (in.count = 1; in.count <= BLOCK - in.first % BLOCK; in.count++)
			for (in.checksum = 0; in.checksum < 1u << in.count * VALUE_BITS;
				in.checksum++)
				if (is_run(in.checksum, in.count))
					try(a, &in);
}

static void try_all(const struct acceptor *a)
{
	for (uint64_t ballot = 0; ballot < ballots; ballot++) {
		try(a, &(struct input){.kind = PREPARE, .number = ballot});
		try_runs(a, ACCEPT, ballot);
	}
	try_runs(a, CHOOSE, 0);
	for (uint64_t i = 0; i <= instances; i++) {
		try(a, &(struct input){.kind = TRIM, .number = i});
		try(a, &(struct input){.kind = INSTALL, .number = i});
		try(a, &(struct input){.kind = DROP, .number = i});
	}
}

int main(int argc, char **argv)
{
	static struct acceptor a;
	uint8_t key[KEY];

	instances = argument(argc, argv, 1);
	ballots = argument(argc, argv, 2);
	values = argument(argc, argv, 3);
	acceptor_init(&a, argument(argc, argv, 4));
	tell(a.window);
	tell(BLOCK);
	tell(VOTES_MAX);
	tell(VOTES_MAX - ACCEPTOR_WINDOW);
	tell(BALLOT_NODES);
	tell(BALLOT_ROUND_JUMP);
	tell(instances);
	explore_init(&states, KEY, sizeof(a), STATES_MAX);
	key_of(&a, key);
	explore_add(&states, key, &a);
	for (uint32_t i = 0; i < states.count; i++) {
		explore_state(&states, i, &a);
		tell('S');
		tell_bytes(explore_key(&states, i), KEY);
		tell_reports(&a);
		try_all(&a);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
