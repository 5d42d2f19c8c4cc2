#include "dataplane/app.h"

#include <stdio.h>

#include "dataplane/app_null.h"

bool app_create(struct app *a, const struct config *config, char *error, size_t size)
{
	if (config->state_machine != STATE_MACHINE_NULL) {
		snprintf(error, size, "%s: state_machine: not built yet.", config->path);
		return false;
	}
	a->machine = app_null();
	return true;
}

void app_destroy(struct app *a)
{
	a->machine = (struct machine){0};
}

uint64_t app_bytes(const struct config *config)
{
	(void)config;
	return 0;
}
