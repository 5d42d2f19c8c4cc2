#include "dataplane/app_null.h"

static void apply(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	(void)state;
	(void)commands;
	for (uint32_t i = 0; i < count; i++) {
		results[i].status = REPLY_OK;
		results[i].result = 0;
		results[i].length = 0;
	}
}

static void query(void *state, const struct command *commands, uint32_t count,
	struct result *results)
{
	apply(state, commands, count, results);
}

struct machine app_null(void)
{
	return (struct machine){.apply = apply, .query = query};
}
