/*
 * paxwire-linear: judges histories that `paxwire-kv throughput --history` wrote: is there an order of
 * the operations, each within its time, that explains every answer?
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/linear/search.h"

enum {
	SHOWN_MAX = 12,
	ERROR_MAX = 512,
	EXIT_UNDECIDED = 2,
};

static const char help[] =
	"usage: paxwire-linear HISTORY...\n"
	"Judges the histories together; tools/client/history.h says what stands in one. The store is\n"
	"empty when they begin.\n"
	"Exit status: 0 linearizable; 1 not, and by which key; 2 it could not be judged.\n";

static int key_compare(const void *x, const void *y)
{
	const struct operation *a = x;
	const struct operation *b = y;

	return a->key == b->key ? 0 : a->key < b->key ? -1 : 1;
}

/* What was under way together with the operation that found no place. */
static void show_stuck(const struct operation *all, size_t count, const struct operation *stuck)
{
	uint32_t shown = 0;

	printf("key %" PRIu64 ": no order of its operations explains:\n", stuck->key);
	history_show(stuck, stdout);
	puts("at the same time:");
	for (size_t i = 0; i < count && shown < SHOWN_MAX; i++)
		if (&all[i] != stuck && all[i].call_ns <= stuck->return_ns &&
			(all[i].return_ns >= stuck->call_ns || all[i].outcome == OUTCOME_INFO)) {
			history_show(&all[i], stdout);
			shown++;
		}
}

static int judge(struct operations *o)
{
	uint64_t configurations = 0;
	uint64_t unknown = 0;
	uint64_t keys = 0;
	int status = 0;

	qsort(o->all, o->count, sizeof(o->all[0]), key_compare);
	for (size_t i = 0; i < o->count; i++)
		unknown += o->all[i].outcome == OUTCOME_INFO ? 1 : 0;
	for (size_t first = 0, end; first < o->count; first = end) {
		end = first;
		while (end < o->count && o->all[end].key == o->all[first].key)
			end++;
		struct judgement j = search_key(o->all + first, end - first);

		keys++;
		configurations += j.configurations;
		if (j.verdict == VERDICT_NOT) {
			/* One is enough to begin with. */
			if (status != 1)
				show_stuck(o->all + first, end - first, j.stuck);
			status = 1;
		} else if (j.verdict == VERDICT_UNDECIDED) {
			printf("key %" PRIu64 ": too many orders to look at\n", o->all[first].key);
			status = status == 0 ? EXIT_UNDECIDED : status;
		}
	}
	printf("%zu operations, %" PRIu64 " of them unknown, on %" PRIu64 " keys: %s (%" PRIu64
	       " configurations)\n",
		o->count, unknown, keys,
		status == 0           ? "linearizable"
			: status == 1 ? "NOT linearizable"
				      : "undecided",
		configurations);
	return status;
}

int main(int argc, char **argv)
{
	struct operations o = {0};
	char error[ERROR_MAX];
	bool right = argc > 1;

	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_UNDECIDED : 0;
	}
	for (int i = 1; right && i < argc; i++) {
		FILE *in = fopen(argv[i], "re");

		if (in == NULL)
			snprintf(error, sizeof(error), "%s: it can not be read.", argv[i]);
		right = in != NULL && history_read(&o, in, argv[i], error, sizeof(error));
		if (in != NULL)
			fclose(in);
	}
	if (!right)
		fprintf(stderr, "paxwire-linear: %s\n", error);
	int status = right ? judge(&o) : EXIT_UNDECIDED;

	free(o.all);
	return status;
}
