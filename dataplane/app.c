#include "dataplane/app.h"

#include "dataplane/app_kv.h"
#include "dataplane/app_null.h"

bool app_create(struct app *a, const struct config *config, char *error, size_t size)
{
	a->kv = NULL;
	if (config->state_machine == STATE_MACHINE_NULL) {
		a->machine = app_null();
		return true;
	}
	a->kv = kv_create(config->kv_capacity, config->kv_value_max, error, size);
	if (a->kv == NULL)
		return false;
	a->machine = app_kv(a->kv);
	return true;
}

void app_destroy(struct app *a)
{
	if (a->kv != NULL)
		kv_destroy(a->kv);
	a->kv = NULL;
}

uint64_t app_bytes(const struct config *config)
{
	const bool kv = config->state_machine == STATE_MACHINE_KV;

	return snapshot_bytes(config->sessions_max,
		       kv ? kv_image_bytes(config->kv_capacity, config->kv_value_max) : 0) +
		(kv ? kv_bytes(config->kv_capacity, config->kv_value_max) : 0);
}
