/*
 * remote.h - the load's end of a cluster that runs elsewhere: ports of its own, and one lcore.
 *
 * Owns:    the ports. The cluster's processes are not ours: what they count is asked of them with
 *          paxwire-ctl.
 */
#ifndef BENCH_REMOTE_H
#define BENCH_REMOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/options.h"
#include "dataplane/embedded.h"
#include "dataplane/host.h"

/* The client of the configuration that the options name, else its first. NULL: a sentence. */
const struct config_client *remote_client(const struct config *config, const struct options *o,
	char *error, size_t size);

/* What it asks of DPDK. */
struct eal_request remote_request(const struct config *config, const struct config_client *client);

/* Opens the client's ports; e->client leads to the replicas, e has none of its own. */
bool remote_join(struct embedded *e, struct host *h, const struct config *config,
	const struct config_client *client, char *error, size_t size);

/* Its one stage, on its one lcore. */
void remote_place(struct embedded *e, const struct config_client *client, struct stage *stage);

void remote_leave(struct embedded *e, struct host *h);

#endif
