/*
 * app.h - the state machine that a configuration names, made and freed.
 */
#ifndef DATAPLANE_APP_H
#define DATAPLANE_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "consensus/machine.h"

struct kv;

struct app {
	struct kv *kv; /* NULL unless it is one. */
	struct machine machine;
};

/* False: a sentence in `error`. */
bool app_create(struct app *a, const struct config *config, char *error, size_t size);
void app_destroy(struct app *a);

/* Memory that it takes of the data plane's heap, with an image of a replica's state (snapshot.h). */
uint64_t app_bytes(const struct config *config);

#endif
