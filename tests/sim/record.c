#include "tests/sim/record.h"

#include <string.h>

bool record_open(struct record_file *r, const char *path)
{
	r->out = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
	r->steps = 0;
	r->count = 0;
	return r->out != NULL;
}

/* A failed write is sticky: record_close tells. */
static void write_out(struct record_file *r)
{
	fwrite(r->waiting, sizeof(r->waiting[0]), r->count, r->out);
	r->count = 0;
}

void record_header(struct record_file *r, const struct trace_file_header *h)
{
	write_out(r);
	fwrite(h, sizeof(*h), 1, r->out);
}

void record_step(struct record_file *r, uint64_t at_ns, uint32_t member, uint32_t stage,
	const struct transition *t)
{
	if (r->count == RECORD_STEPS)
		write_out(r);
	r->steps++;
	r->waiting[r->count++] = (struct trace_file_step){
		.at = at_ns,
		.ballot = t->ballot,
		.first = t->first,
		.value = t->value,
		.count = t->count,
		.event = t->event,
		.member = (uint8_t)member,
		.stage = (uint8_t)stage,
	};
}

bool record_close(struct record_file *r)
{
	write_out(r);
	bool failed = ferror(r->out) != 0;

	return (fclose(r->out) == 0) && !failed;
}
