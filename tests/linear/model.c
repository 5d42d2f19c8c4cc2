#include "tests/linear/model.h"

/* Is the key there, with this version? If it was not known, it is now. */
static bool has_version(struct state *s, uint64_t version)
{
	if (!s->present || (s->version != 0 ? s->version != version : version <= s->floor))
		return false;
	s->version = version;
	s->floor = version > s->floor ? version : s->floor;
	return true;
}

static bool write(struct state *s, uint64_t value, uint64_t version)
{
	if (version != 0 && version <= s->floor)
		return false;
	s->present = true;
	s->value = value;
	s->version = version;
	s->floor = version != 0 ? version : s->floor;
	return true;
}

static bool erase(struct state *s)
{
	if (!s->present)
		return false;
	s->present = false;
	s->version = 0;
	s->value = 0;
	return true;
}

static bool get(struct state *s, const struct operation *op)
{
	return op->outcome == OUTCOME_OK ? has_version(s, op->version) && s->value == op->value
					 : !s->present;
}

static bool put(struct state *s, const struct operation *op)
{
	return op->outcome == OUTCOME_FULL ? !s->present : write(s, op->argument, op->version);
}

static bool delete (struct state *s, const struct operation *op)
{
	return op->outcome == OUTCOME_ABSENT ? !s->present : erase(s);
}

static bool cas(struct state *s, const struct operation *op)
{
	bool expected;

	if (op->outcome == OUTCOME_MISMATCH) {
		if (op->version == op->expected)
			return false;
		return op->version == 0 ? !s->present : has_version(s, op->version);
	}
	expected = op->expected == 0 ? !s->present : has_version(s, op->expected);
	if (op->outcome == OUTCOME_FULL)
		return expected && !s->present;
	return expected && write(s, op->argument, op->version);
}

bool model_step(struct state *s, const struct operation *op)
{
	switch (op->kind) {
	case OPERATION_GET:
		return get(s, op);
	case OPERATION_PUT:
		return put(s, op);
	case OPERATION_DELETE:
		return delete (s, op);
	case OPERATION_CAS:
		break;
	}
	return cas(s, op);
}
