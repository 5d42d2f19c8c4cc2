#include "bench/ports.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/bare.h"
#include "bench/remote.h"
#include "bench/run.h"

enum {
	FLOOD_WINDOW = 64
};

static void pass(double seconds)
{
	const struct timespec nap = {.tv_nsec = 5000000};
	const uint64_t end_ns = lcore_now_ns() + (uint64_t)(seconds * 1e9);

	while (!run_interrupted() && lcore_now_ns() < end_ns)
		nanosleep(&nap, NULL);
}

static void route_to(struct embedded *e, const struct config_client *c)
{
	struct endpoint to = {0};

	memcpy(&to.ip, c->address.bytes, sizeof(to.ip));
	memcpy(&to.mac, c->mac, sizeof(to.mac));
	memset(e->client.routes, 0, sizeof(e->client.routes));
	network_route(&e->client, 0, &to, 0, c->mac_given);
}

static bool report(const struct options *o, const struct bare_ping *p, double flood_s,
	uint64_t flood_frames, char *error, size_t size)
{
	double p50 = (double)histogram_percentile(&p->trips, 50) / 1000;
	double p99 = (double)histogram_percentile(&p->trips, 99) / 1000;
	double frames = 2 * (double)flood_frames / flood_s;

	if (p->trips.total == 0) {
		snprintf(error, size, "%s did not reflect a frame: does it run with --reflect?",
			o->ping);
		return false;
	}
	printf("ping-pong p50 %.2f us, p99 %.2f us; %.0f frames/s with %d under way, both ways "
	       "counted; %" PRIu64 " lost\n",
		p50, p99, frames, FLOOD_WINDOW, p->lost);
	if (o->json == NULL)
		return true;
	FILE *f = fopen(o->json, "w");

	if (f == NULL) {
		snprintf(error, size, "%s can not be written.", o->json);
		return false;
	}
	fprintf(f,
		"{\"port_rtt_us\": {\"p50\": %.3f, \"p99\": %.3f}, \"port_frames_per_s\": %.0f}\n",
		p50, p99, frames);
	fclose(f);
	return true;
}

static bool ping(const struct options *o, const struct config *config, struct embedded *e,
	const struct config_client *client, char *error, size_t size)
{
	static struct bare_ping p;
	const struct options other = {.client = o->ping};
	const struct config_client *to = remote_client(config, &other, error, size);

	if (to == NULL)
		return false;
	route_to(e, to);
	p = (struct bare_ping){
		.network = &e->client,
		.frame_bytes = FRAME_BODY_OFFSET + entry_bytes(o->value_bytes),
		.window = 1,
		.stage = {.name = "ping", .poll = bare_ping_poll, .self = &p},
	};
	remote_place(e, client, &p.stage);
	if (!embedded_start(e, error, size))
		return false;
	pass(o->seconds / 2);
	uint64_t before = __atomic_load_n(&p.frames, __ATOMIC_RELAXED);

	__atomic_store_n(&p.window, FLOOD_WINDOW, __ATOMIC_RELAXED);
	pass(o->seconds / 2);
	uint64_t after = __atomic_load_n(&p.frames, __ATOMIC_RELAXED);

	embedded_stop(e);
	return report(o, &p, o->seconds / 2, after - before, error, size);
}

static bool reflect(struct embedded *e, const struct config_client *client, char *error,
	size_t size)
{
	static struct stage stage = {.name = "reflect", .poll = bare_reflect_poll};

	stage.self = &e->client;
	remote_place(e, client, &stage);
	if (!embedded_start(e, error, size))
		return false;
	puts("reflecting");
	fflush(stdout);
	pass(1e9);
	embedded_stop(e);
	return true;
}

bool ports_run(const struct options *options, const struct config *config, char *error, size_t size)
{
	static struct embedded e;
	struct host host;
	const struct config_client *client = remote_client(config, options, error, size);

	if (client == NULL || !remote_join(&e, &host, config, client, error, size))
		return false;
	bool ok = options->reflect ? reflect(&e, client, error, size)
				   : ping(options, config, &e, client, error, size);

	remote_leave(&e, &host);
	return ok;
}
