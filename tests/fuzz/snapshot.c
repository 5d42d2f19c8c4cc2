/*
 * snapshot - bytes that a disk or a member gives for an image are refused and change nothing, or are
 * loaded: then the learner stage stands where the image says, with its sessions and its machine's
 * entries, goes on from there, and cuts an image that loads to the same again.
 *
 * The input is the image. Most changes are sealed.
 */
#include <stdlib.h>
#include <string.h>

#include "consensus/check.h"
#include "consensus/replica_learner.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seal_snapshot.h"

enum {
	SESSIONS = 4,
	KEYS = 4,
	VALUE_MAX = 40,
	IMAGE_MAX = 4096,
	TURNS_MAX = 1000,
	CONFIG = 0, /* Its hash. */
};

/* A key that is present; a plain store of a few. */
struct key {
	uint64_t key, version;
	uint32_t length;
	uint8_t value[VALUE_MAX];
};

struct store {
	uint32_t count;
	bool restoring;
	uint32_t changes; /* By clear and restore. */
	struct key keys[KEYS];
};

struct replica {
	bool fresh; /* Nothing changed it since its start, which takes long. */
	struct learner_stage stage;
	struct session slots[16];
	struct store store;
	uint8_t *image;
};

static struct replica_settings settings;
static struct outlet outlet;
static struct replica first, second;

/* ---- The machine ---- */

static uint64_t store_bytes(const void *state)
{
	(void)state;
	return KEYS * snapshot_record_bytes(16 + VALUE_MAX);
}

static uint64_t store_count_max(const void *state)
{
	(void)state;
	return KEYS;
}

static uint64_t store_count(const void *state)
{
	const struct store *store = state;

	return store->count;
}

static void store_begin(void *state, struct snapshot *to)
{
	const struct store *store = state;

	for (uint32_t i = 0; i < store->count; i++) {
		const struct key *k = &store->keys[i];
		uint8_t *at = snapshot_add(to, SNAPSHOT_ENTRY, 16 + k->length);

		memcpy(at, k, 16);
		memcpy(at + 16, k->value, k->length);
	}
}

static bool store_step(void *state)
{
	(void)state;
	return false;
}

static bool store_valid(const void *state, const uint8_t *entry, uint32_t length, uint64_t instance)
{
	struct key k;

	(void)state;
	if (length < 16 || length > 16 + VALUE_MAX)
		return false;
	memcpy(&k, entry, 16);
	return k.version > 0 && k.version < instance;
}

static bool store_clear(void *state)
{
	struct store *store = state;

	store->count = 0;
	store->restoring = true;
	store->changes++;
	return false;
}

static void store_restore(void *state, const uint8_t *entry, uint32_t length)
{
	struct store *store = state;
	uint32_t i = 0;

	CHECK(store->restoring);
	while (i < store->count && memcmp(&store->keys[i].key, entry, 8) != 0)
		i++;
	CHECK(i < KEYS);
	memcpy(&store->keys[i], entry, 16);
	store->keys[i].length = length - 16;
	memcpy(store->keys[i].value, entry + 16, length - 16);
	store->count += i == store->count;
	store->changes++;
}

static void store_restored(void *state)
{
	struct store *store = state;

	CHECK(store->restoring);
	store->restoring = false;
}

static const struct machine_snapshot store_snapshot = {
	.bytes = store_bytes,
	.count_max = store_count_max,
	.count = store_count,
	.begin = store_begin,
	.step = store_step,
	.valid = store_valid,
	.clear = store_clear,
	.restore = store_restore,
	.restored = store_restored,
};

/* ---- The stage ---- */

static void send(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	(void)context, (void)to, (void)m, (void)parts, (void)parts_count;
}

static uint32_t room(void *context)
{
	(void)context;
	return UINT32_MAX;
}

static void release(void *context, void *frame)
{
	(void)context, (void)frame;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	settings = (struct replica_settings){
		.members = 3,
		.shards = 1,
		.body_max = 1024,
		.retransmit_ns = 1000,
		.config_hash = CONFIG,
		.durability = DURABILITY_SYNC,
	};
	outlet = (struct outlet){.send = send, .room = room};
	CHECK(session_slots(SESSIONS) <= sizeof(first.slots) / sizeof(first.slots[0]));
	return 0;
}

/* With an image memory of `bytes` on the heap, so that ASan sees a step beyond it. */
static void given_replica(struct replica *r, const uint8_t *image, uint64_t bytes)
{
	const struct machine machine = {.state = &r->store, .snapshot = &store_snapshot};

	if (!r->fresh) {
		memset(&r->store, 0, sizeof(r->store));
		learner_stage_init(&r->stage, &settings, &outlet, &machine, r->slots, SESSIONS,
			release, NULL);
	}
	r->fresh = false;
	r->image = malloc(bytes);
	CHECK(r->image != NULL);
	memcpy(r->image, image, bytes);
	learner_stage_give_image(&r->stage, r->image, bytes);
}

/* ---- What must hold ---- */

static void then_nothing_changed(const struct replica *r)
{
	CHECK(r->store.changes == 0);
	CHECK(r->stage.sessions.count == 0);
	CHECK(r->stage.learner.delivered == 0);
	CHECK(r->stage.snapshots.state == SNAPSHOT_NONE);
}

/* Each record of the image is there, the last one of those with the same key. */
static void then_loaded(struct replica *r)
{
	const struct snapshot *image = &r->stage.snapshots.image;
	const struct snapshot_header *h = snapshot_header_of(image);
	const struct snapshot_record *record;
	uint64_t at = SNAPSHOT_HEADER_BYTES;

	CHECK(r->stage.learner.delivered == h->instance && r->stage.digest == h->digest);
	CHECK(r->stage.sessions.count == h->sessions && r->store.count <= h->entries);
	CHECK(!r->store.restoring);
	while ((record = snapshot_next(image, &at)) != NULL) {
		const uint64_t *words = (const uint64_t *)(const void *)(record + 1);
		uint32_t i = 0;

		if (record->kind == SNAPSHOT_SESSION) {
			CHECK(session_find(&r->stage.sessions, words[0] - 1) != NULL);
			continue;
		}
		while (i < r->store.count && r->store.keys[i].key != words[0])
			i++;
		CHECK(i < r->store.count);
	}
}

/* Its own image of what was loaded. */
static void when_cut(struct replica *r)
{
	uint64_t now_ns = SNAPSHOT_LEASE_NS;

	r->image = realloc(r->image, IMAGE_MAX);
	CHECK(r->image != NULL);
	learner_stage_give_image(&r->stage, r->image, IMAGE_MAX);
	r->stage.snapshots.state = SNAPSHOT_NONE;
	learner_stage_want_snapshot(&r->stage);
	learner_stage_on_tick(&r->stage, now_ns);
	for (uint32_t i = 0; i < TURNS_MAX && r->stage.snapshots.state != SNAPSHOT_WHOLE; i++)
		learner_stage_flush(&r->stage, ++now_ns);
	CHECK(r->stage.snapshots.state == SNAPSHOT_WHOLE);
}

/* New sessions take the place of all that were loaded. */
static void then_goes_on(struct replica *r)
{
	const uint64_t from = r->stage.learner.delivered;

	for (uint64_t i = 0; i < SESSIONS; i++)
		session_open(&r->stage.sessions, from + i);
	CHECK(r->stage.sessions.count == SESSIONS);
	for (uint64_t i = 0; i < SESSIONS; i++)
		CHECK(session_find(&r->stage.sessions, from + i) != NULL);
}

static void then_the_same_again(struct replica *r)
{
	const uint64_t length = r->stage.snapshots.image.used;

	given_replica(&second, r->image, length);
	CHECK(learner_stage_load(&second.stage, length) == SNAPSHOT_OK);
	then_loaded(&second);
	CHECK(second.stage.learner.delivered == r->stage.learner.delivered);
	CHECK(second.stage.digest == r->stage.digest);
	CHECK(second.stage.sessions.count == r->stage.sessions.count);
	CHECK(second.store.count == r->store.count);
	CHECK(memcmp(second.store.keys, r->store.keys, r->store.count * sizeof(struct key)) == 0);
	then_goes_on(&second);
	free(second.image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	given_replica(&first, data, size);
	if (learner_stage_load(&first.stage, size) == SNAPSHOT_OK) {
		then_loaded(&first);
		if (first.stage.learner.delivered > 0) {
			when_cut(&first);
			then_the_same_again(&first);
		}
		then_goes_on(&first);
	} else {
		then_nothing_changed(&first);
		first.fresh = true;
	}
	free(first.image);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max) / 8 * 8;
	if (seed % 8 != 0)
		seal_snapshot_records(data, size);
	if (seed % 16 != 1)
		seal_snapshot(data, size, CONFIG);
	return size;
}
