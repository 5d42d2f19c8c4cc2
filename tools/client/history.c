#include "tools/client/history.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	ROOM_FIRST = 4096,
};

void history_add(struct history *h, const struct history_record *r)
{
	if (h->count == h->room) {
		uint64_t room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
		struct history_record *records = realloc(h->records, room * sizeof(*records));

		if (records == NULL) {
			h->lost = true;
			return;
		}
		h->records = records;
		h->room = room;
	}
	h->records[h->count++] = *r;
}

void history_free(struct history *h)
{
	free(h->records);
}

static const char *operation_text(enum kv_operation operation)
{
	switch (operation) {
	case KV_GET:
		return "get";
	case KV_PUT:
		return "put";
	case KV_DELETE:
		return "del";
	case KV_CAS:
		break;
	}
	return "cas";
}

static const char *outcome_text(enum history_outcome outcome)
{
	switch (outcome) {
	case HISTORY_OK:
		return "ok";
	case HISTORY_ABSENT:
		return "absent";
	case HISTORY_MISMATCH:
		return "mismatch";
	case HISTORY_FULL:
		return "full";
	case HISTORY_FAIL:
		return "fail";
	case HISTORY_INFO:
		break;
	}
	return "info";
}

static void write_field(FILE *out, bool there, uint64_t number)
{
	if (there)
		fprintf(out, " %" PRIu64, number);
	else
		fputs(" -", out);
}

static void write_record(const struct history_record *r, FILE *out)
{
	bool writes = r->operation == KV_PUT || r->operation == KV_CAS;
	bool got = r->outcome == HISTORY_OK && r->operation == KV_GET;
	bool version =
		got || (writes && r->outcome == HISTORY_OK) || r->outcome == HISTORY_MISMATCH;

	fprintf(out, "%" PRIu32 " %s %" PRIu64, r->process, operation_text(r->operation), r->key);
	write_field(out, r->operation == KV_CAS, r->expected);
	write_field(out, writes, r->argument);
	fprintf(out, " %s", outcome_text(r->outcome));
	write_field(out, version, r->version);
	write_field(out, got, r->value);
	fprintf(out, " %" PRIu64 " %" PRIu64 "\n", r->call_ns, r->return_ns);
}

void history_write_head(FILE *out)
{
	fputs("# paxwire history 1: process op key expected argument outcome version value "
	      "call_ns return_ns\n",
		out);
}

void history_write(const struct history *h, FILE *out)
{
	for (uint64_t i = 0; i < h->count; i++)
		write_record(&h->records[i], out);
}
