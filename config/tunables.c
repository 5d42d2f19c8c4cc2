#include "config/tunables.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "consensus/limits.h"

static_assert(sizeof(enum idle_policy) == sizeof(uint32_t), "field_set writes four bytes");

static const char *const idle_choices[] = {
	[IDLE_BUSY] = "busy",
	[IDLE_YIELD] = "yield",
	[IDLE_ADAPTIVE] = "adaptive",
	NULL,
};

#define UINT(key_, member, min_, max_, preset_, about_)                                \
	FIELD_ROW(key_, FIELD_UINT, struct tunables, member, .min = min_, .max = max_, \
		.preset = preset_, .about = about_)
#define CHOICE(key_, member, choices_, preset_, about_)                             \
	FIELD_ROW(key_, FIELD_CHOICE, struct tunables, member, .choices = choices_, \
		.preset = preset_, .about = about_)
#define BOOL(key_, member, preset_, about_) \
	FIELD_ROW(key_, FIELD_BOOL, struct tunables, member, .preset = preset_, .about = about_)

/* All defaults of what may change at run time; the others are in config/scalars.c.
 * A row: key, member, least, most, default, meaning. */
static const struct field table[TUNABLE_COUNT] = {
	[TUNABLE_BATCH] = UINT("batch", batch, 0, BLOCK, "0",
		"commands in a frame at most (0: what fits the MTU)"),
	[TUNABLE_LINGER_US] = UINT("linger_us", linger_us, 0, 10000, "0",
		"microseconds for which a frame that is not full waits for more"),
	[TUNABLE_WINDOW] =
		UINT("window", window, 1, WINDOW_INSTANCES, "4096", "instances in flight at most"),
	[TUNABLE_IDLE] = CHOICE("idle", idle, idle_choices, "adaptive",
		"what an lcore does when it found no work"),
	[TUNABLE_PACKING] = BOOL("packing", packing, "true",
		"whether one frame may carry what several client frames brought"),
	[TUNABLE_HEARTBEAT_US] = UINT("heartbeat_us", heartbeat_us, 100, 1000000, "20000",
		"microseconds between heartbeats of a leader"),
	[TUNABLE_ELECTION_TIMEOUT_MS] = UINT("election_timeout_ms", election_timeout_ms, 1, 60000,
		"150", "milliseconds without a leader after which a replica stands"),
	[TUNABLE_PROGRESS_TIMEOUT_MS] = UINT("progress_timeout_ms", progress_timeout_ms, 1, 60000,
		"2000", "milliseconds without anything chosen after which a leader steps down"),
	[TUNABLE_RETRANSMIT_US] = UINT("retransmit_us", retransmit_us, 50, 1000000, "5000",
		"microseconds without a vote after which a run is sent again"),
	[TUNABLE_COMMIT_IDLE_US] = UINT("commit_idle_us", commit_idle_us, 1, 1000000, "20",
		"microseconds of silence after which the watermark goes out alone"),
	[TUNABLE_LAG_MAX] = UINT("lag_max", lag_max, BLOCK, LOG_INSTANCES - 1, "6144",
		"instances a live follower may be behind before clients hear busy"),
	[TUNABLE_LAG_TIMEOUT_MS] = UINT("lag_timeout_ms", lag_timeout_ms, 1, 600000, "250",
		"milliseconds without progress after which a follower is not live"),
	[TUNABLE_HANDOVER_MS] = UINT("handover_ms", handover_ms, 0, 60000, "250",
		"milliseconds to commit above which a leader hands over (0: never)"),
};

const struct field *tunables_fields(void)
{
	return table;
}

void tunables_preset(struct tunables *t)
{
	struct complaint none;

	complaint_init(&none, NULL, NULL, 0);
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		field_set(&table[i], t, "", NULL, &none);
}

bool tunables_check(const struct tunables *t, uint32_t shards, const char *parent,
	struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];
	uint64_t timeout_us = (uint64_t)t->election_timeout_ms * 1000;
	uint64_t progress_us = (uint64_t)t->progress_timeout_ms * 1000;

	/* A block belongs to one shard: a span below S blocks leaves acceptors without work. */
	key_join(key, parent, table[TUNABLE_WINDOW].key);
	if (shards > 1 && t->window < shards * BLOCK)
		return complain(c, key,
			"%" PRIu32 " is less than %d for each of %" PRIu32
			" shards, give at least %" PRIu32 " or fewer shards",
			t->window, BLOCK, shards, shards * BLOCK);

	key_join(key, parent, table[TUNABLE_BATCH].key);
	if (t->batch > t->window)
		return complain(c, key,
			"%" PRIu32 " is above the window, which is %" PRIu32
			", give at most that or a wider window",
			t->batch, t->window);

	/* Otherwise `busy` is answered before the window is full. */
	key_join(key, parent, table[TUNABLE_LAG_MAX].key);
	if (t->lag_max < t->window)
		return complain(c, key,
			"%" PRIu32 " is below the window, which is %" PRIu32
			", give at least that or a narrower window",
			t->lag_max, t->window);

	/* One heartbeat may be lost and the next may be late. */
	key_join(key, parent, table[TUNABLE_HEARTBEAT_US].key);
	if ((uint64_t)t->heartbeat_us * 3 > timeout_us)
		return complain(c, key,
			"%" PRIu32 " is more than a third of election_timeout_ms, which is %" PRIu32
			" ms, give at most %" PRIu64 " or a longer timeout",
			t->heartbeat_us, t->election_timeout_ms, timeout_us / 3);

	key_join(key, parent, table[TUNABLE_RETRANSMIT_US].key);
	if ((uint64_t)t->retransmit_us * 2 > progress_us)
		return complain(c, key,
			"%" PRIu32 " is more than half of progress_timeout_ms, which is %" PRIu32
			" ms, give at most %" PRIu64 " or a longer timeout",
			t->retransmit_us, t->progress_timeout_ms, progress_us / 2);

	key_join(key, parent, table[TUNABLE_COMMIT_IDLE_US].key);
	if (t->commit_idle_us > t->heartbeat_us)
		return complain(c, key,
			"%" PRIu32 " is above heartbeat_us, which is %" PRIu32
			" and carries the watermark too, give at most that",
			t->commit_idle_us, t->heartbeat_us);
	return true;
}

bool tunables_set(struct tunables *t, uint32_t shards, const char *name, const char *value,
	char *error, size_t size)
{
	struct complaint c;
	struct tunables after = *t;
	size_t i = 0;

	complaint_init(&c, NULL, error, size);
	while (i < TUNABLE_COUNT && strcmp(table[i].key, name) != 0)
		i++;
	if (i == TUNABLE_COUNT)
		return complain(&c, NULL,
			"'%.40s' is no tunable: `paxwire-ctl tunables` lists them", name);
	if (!field_set(&table[i], &after, "", value, &c) || !tunables_check(&after, shards, "", &c))
		return false;

	/* Nothing below can fail. */
	*t = after;
	return true;
}
