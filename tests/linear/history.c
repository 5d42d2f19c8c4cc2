#include "tests/linear/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 512,
	FIELDS = 10,
	ROOM_FIRST = 4096,
};

static const char *const kinds[] = {"get", "put", "del", "cas"};
static const char *const outcomes[] = {"ok", "absent", "mismatch", "full", "fail", "info"};

/* Which of the texts it is, or `count`. */
static uint32_t index_of(const char *text, const char *const *texts, uint32_t count)
{
	uint32_t i = 0;

	while (i < count && strcmp(text, texts[i]) != 0)
		i++;
	return i;
}

/* A number must be there if and only if the operation has one. */
static bool number_read(const char *text, bool there, uint64_t *number)
{
	char *end;

	*number = 0;
	if (!there)
		return strcmp(text, "-") == 0;
	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == 0;
}

static bool outcome_fits(const struct operation *op)
{
	bool writes = op->kind == OPERATION_PUT || op->kind == OPERATION_CAS;

	switch (op->outcome) {
	case OUTCOME_ABSENT:
		return !writes;
	case OUTCOME_MISMATCH:
		return op->kind == OPERATION_CAS;
	case OUTCOME_FULL:
		return writes;
	default:
		return true;
	}
}

static bool fields_read(char *const *fields, struct operation *op)
{
	uint64_t process;

	op->kind = (enum operation_kind)index_of(fields[1], kinds, 4);
	op->outcome = (enum operation_outcome)index_of(fields[5], outcomes, 6);
	if (op->kind > OPERATION_CAS || op->outcome > OUTCOME_INFO || !outcome_fits(op))
		return false;
	bool writes = op->kind == OPERATION_PUT || op->kind == OPERATION_CAS;
	bool got = op->kind == OPERATION_GET && op->outcome == OUTCOME_OK;
	bool version =
		got || (writes && op->outcome == OUTCOME_OK) || op->outcome == OUTCOME_MISMATCH;

	if (!number_read(fields[0], true, &process) || process > UINT32_MAX ||
		!number_read(fields[2], true, &op->key) ||
		!number_read(fields[3], op->kind == OPERATION_CAS, &op->expected) ||
		!number_read(fields[4], writes, &op->argument) ||
		!number_read(fields[6], version, &op->version) ||
		!number_read(fields[7], got, &op->value) ||
		!number_read(fields[8], true, &op->call_ns) ||
		!number_read(fields[9], true, &op->return_ns))
		return false;
	op->process = (uint32_t)process;
	/* Version 0 is that of an absent key. */
	return op->call_ns <= op->return_ns &&
		!(version && op->outcome == OUTCOME_OK && op->version == 0);
}

static bool line_read(char *line, struct operation *op)
{
	char *fields[FIELDS];
	char *rest = line;
	char *field;
	uint32_t count = 0;

	while ((field = strtok_r(NULL, " \n", &rest)) != NULL && count < FIELDS)
		fields[count++] = field;
	return count == FIELDS && field == NULL && fields_read(fields, op);
}

static bool operations_add(struct operations *o, const struct operation *op)
{
	if (o->count == o->room) {
		size_t room = o->room == 0 ? ROOM_FIRST : 2 * o->room;
		struct operation *all = realloc(o->all, room * sizeof(*all));

		if (all == NULL)
			return false;
		o->all = all;
		o->room = room;
	}
	o->all[o->count++] = *op;
	return true;
}

bool history_read(struct operations *o, FILE *in, const char *name, char *error, size_t size)
{
	char line[LINE_MAX_BYTES];

	for (uint64_t number = 1; fgets(line, sizeof(line), in) != NULL; number++) {
		struct operation op;

		if (line[0] == '#')
			continue;
		if (!line_read(line, &op)) {
			snprintf(error, size,
				"%s: line %" PRIu64 " is no operation: tools/client/history.h says "
				"how one is written.",
				name, number);
			return false;
		}
		if (!operations_add(o, &op)) {
			snprintf(error, size, "%s: it does not fit the memory.", name);
			return false;
		}
	}
	return true;
}

void history_show(const struct operation *op, FILE *out)
{
	fprintf(out, "  [%" PRIu64 " %" PRIu64 "] process %" PRIu32 " %s", op->call_ns,
		op->return_ns, op->process, kinds[op->kind]);
	if (op->kind == OPERATION_CAS)
		fprintf(out, " expects version %" PRIu64 ",", op->expected);
	if (op->argument != 0)
		fprintf(out, " writes %" PRIu64, op->argument);
	fprintf(out, ": %s", outcomes[op->outcome]);
	if (op->version != 0)
		fprintf(out, " version %" PRIu64, op->version);
	if (op->value != 0)
		fprintf(out, " value %" PRIu64, op->value);
	fputc('\n', out);
}
