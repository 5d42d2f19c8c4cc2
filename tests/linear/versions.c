#include "tests/linear/versions.h"

#include <stdlib.h>

/* The version that it saw; 0: none. */
static uint64_t seen_by(const struct operation *op)
{
	if (op->outcome == OUTCOME_MISMATCH || op->kind == OPERATION_GET)
		return op->version;
	return op->kind == OPERATION_CAS && op->outcome == OUTCOME_OK ? op->expected : 0;
}

/* The version that it wrote, if it is known; 0: none. */
static uint64_t written_by(const struct operation *op)
{
	return op->outcome == OUTCOME_OK && op->kind != OPERATION_GET ? op->version : 0;
}

static int compare(const void *x, const void *y)
{
	const uint64_t *a = x;
	const uint64_t *b = y;

	return *a == *b ? 0 : *a < *b ? -1 : 1;
}

static uint32_t *left_of(const struct versions *v, uint64_t version)
{
	const uint64_t *at = version == 0
		? NULL
		: bsearch(&version, v->seen, v->seen_count, sizeof(version), compare);

	return at == NULL ? NULL : &v->left[at - v->seen];
}

bool versions_create(struct versions *v, const struct operation *operations, size_t count)
{
	size_t seen = 0;

	*v = (struct versions){0};
	v->seen = calloc(count + 1, sizeof(*v->seen));
	v->left = calloc(count + 1, sizeof(*v->left));
	v->written = calloc(count + 1, sizeof(*v->written));
	if (v->seen == NULL || v->left == NULL || v->written == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (seen_by(&operations[i]) != 0)
			v->seen[seen++] = seen_by(&operations[i]);
		if (written_by(&operations[i]) != 0)
			v->written[v->written_count++] = written_by(&operations[i]);
	}
	qsort(v->seen, seen, sizeof(*v->seen), compare);
	qsort(v->written, v->written_count, sizeof(*v->written), compare);
	for (size_t i = 0; i < seen; i++) {
		if (v->seen_count == 0 || v->seen[v->seen_count - 1] != v->seen[i])
			v->seen[v->seen_count++] = v->seen[i];
		v->left[v->seen_count - 1]++;
	}
	return true;
}

void versions_destroy(struct versions *v)
{
	free(v->seen);
	free(v->left);
	free(v->written);
}

bool versions_allow(const struct versions *v, const struct operation *op,
	const struct state *before, const struct state *after)
{
	uint64_t written = written_by(op);
	const uint32_t *left = left_of(v, before->version);
	uint32_t own = seen_by(op) == before->version ? 1 : 0;

	if (written != 0 && written != v->written[v->written_done])
		return false;
	return left == NULL || before->version == after->version || *left == own;
}

void versions_join(struct versions *v, const struct operation *op)
{
	uint32_t *left = left_of(v, seen_by(op));

	if (left != NULL)
		--*left;
	v->written_done += written_by(op) != 0 ? 1 : 0;
}

void versions_leave(struct versions *v, const struct operation *op)
{
	uint32_t *left = left_of(v, seen_by(op));

	if (left != NULL)
		++*left;
	v->written_done -= written_by(op) != 0 ? 1 : 0;
}
