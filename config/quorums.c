#include "config/quorums.h"

#include <inttypes.h>
#include <string.h>

#include "config/scalars.h"

/* Which kind takes a key. */
struct part {
	enum config_quorum_kind kind;
	const char *key;
	bool given;
};

static bool check_parts(const struct document *d, const struct config *config, struct complaint *c)
{
	const struct part parts[] = {
		{QUORUM_KIND_THRESHOLD, "quorums.q1", d->scalars[SCALAR_QUORUMS_Q1] != NULL},
		{QUORUM_KIND_THRESHOLD, "quorums.q2", d->scalars[SCALAR_QUORUMS_Q2] != NULL},
		{QUORUM_KIND_GRID, "quorums.rows", d->scalars[SCALAR_QUORUMS_ROWS] != NULL},
		{QUORUM_KIND_GRID, "quorums.columns", d->scalars[SCALAR_QUORUMS_COLUMNS] != NULL},
		{QUORUM_KIND_EXPLICIT, "quorums.phase1", d->phase1_count > 0},
		{QUORUM_KIND_EXPLICIT, "quorums.phase2", d->phase2_count > 0},
	};
	enum config_quorum_kind kind = config->quorums.kind;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].given && parts[i].kind != kind)
			return complain(c, parts[i].key,
				"does not go with kind %s, remove it or give kind: %s",
				config_quorum_kind_text(kind),
				config_quorum_kind_text(parts[i].kind));
		if (!parts[i].given && parts[i].kind == kind)
			return complain(c, parts[i].key, "is missing, which kind %s needs, give %s",
				config_quorum_kind_text(kind),
				kind == QUORUM_KIND_EXPLICIT
					? "sets of ids such as [[0, 1], [1, 2]]"
					: "a number");
	}
	return true;
}

static bool read_sets(uint32_t *sets, uint32_t *count, const uint32_t *from, uint32_t from_count,
	uint32_t n, const char *list, struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];

	if (from_count > QUORUM_SETS_MAX)
		return complain(c, list, "has %" PRIu32 " sets, give at most %d", from_count,
			QUORUM_SETS_MAX);
	for (uint32_t i = 0; i < from_count; i++) {
		key_index(key, list, i);
		if (from[i] == 0)
			return complain(c, key, "is an empty set, give ids such as [0, 1]");
		if (from[i] >> n != 0)
			return complain(c, key,
				"has an id that no replica has, give ids from 0 to %" PRIu32,
				n - 1);
		sets[i] = from[i];
	}
	*count = from_count;
	return true;
}

static bool check_size(const struct config *config, struct complaint *c)
{
	const struct config_quorums *q = &config->quorums;
	uint32_t n = config->replicas_count;

	if (q->kind == QUORUM_KIND_THRESHOLD && q->q1 > n)
		return complain(c, "quorums.q1",
			"%" PRIu32 " is more than there are replicas, give from 1 to %" PRIu32,
			q->q1, n);
	if (q->kind == QUORUM_KIND_THRESHOLD && q->q2 > n)
		return complain(c, "quorums.q2",
			"%" PRIu32 " is more than there are replicas, give from 1 to %" PRIu32,
			q->q2, n);
	if (q->kind == QUORUM_KIND_GRID && q->rows * q->columns != n)
		return complain(c, "quorums.rows",
			"%" PRIu32 " times columns %" PRIu32
			" is not the number of replicas, give two numbers whose product is %" PRIu32,
			q->rows, q->columns, n);
	return true;
}

bool quorums_read(const struct document *d, struct config *config, struct complaint *c)
{
	struct config_quorums *q = &config->quorums;
	uint32_t n = config->replicas_count;
	struct quorum built;

	if (!check_parts(d, config, c) || !check_size(config, c) ||
		!read_sets(q->phase1, &q->phase1_count, d->phase1, d->phase1_count, n,
			"quorums.phase1", c) ||
		!read_sets(q->phase2, &q->phase2_count, d->phase2, d->phase2_count, n,
			"quorums.phase2", c))
		return false;

	enum quorum_result result = config_quorum(config, &built);

	if (result != QUORUM_OK)
		return complain(c, "quorums", "%s", quorum_result_text(result));
	return true;
}

enum quorum_result config_quorum(const struct config *config, struct quorum *quorum)
{
	const struct config_quorums *q = &config->quorums;
	uint32_t n = config->replicas_count;

	switch (q->kind) {
	case QUORUM_KIND_THRESHOLD:
		return quorum_init_threshold(quorum, n, q->q1, q->q2);
	case QUORUM_KIND_GRID:
		return quorum_init_grid(quorum, q->rows, q->columns);
	case QUORUM_KIND_EXPLICIT:
		return quorum_init_explicit(quorum, n, q->phase1, q->phase1_count, q->phase2,
			q->phase2_count);
	case QUORUM_KIND_MAJORITY:
		break;
	}
	return quorum_init_majority(quorum, n);
}
