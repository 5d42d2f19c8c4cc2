/* The acceptor stage of a follower: a frame in, its vote and what the learner hears out. */
#include <rte_malloc.h>

#include "bench/micro/cases.h"
#include "bench/micro/sample.h"
#include "consensus/replica_acceptor.h"
#include "dataplane/heap.h"

enum {
	BATCH = 64,
	LOG_BYTES = 1 << 25, /* More than the caches of a core hold, as in a replica. */
};

struct acceptor_bench {
	struct replica_settings settings;
	struct outlet outlet;
	uint64_t acknowledged; /* Instances that left as votes, */
	uint64_t told;         /* and as runs for the learner. */
	uint64_t others;       /* Messages of another type. */
	uint8_t *log;
	_Alignas(8) uint8_t body[SAMPLE_BODY_MAX];
	struct acceptor_stage stage;
};

static void count(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct acceptor_bench *b = context;

	(void)parts_count;
	if (m->type == MESSAGE_VOTED && to->local) {
		b->told += m->count;
	} else if (m->type == MESSAGE_ACCEPTED && to->members == 1u << SAMPLE_LEADER) {
		const struct range *ranges = parts[0].bytes;

		for (uint32_t i = 0; i < m->count; i++)
			b->acknowledged += ranges[i].count;
	} else {
		b->others++;
	}
}

static void teardown(void *state)
{
	struct acceptor_bench *b = state;

	rte_free(b->log);
	rte_free(b);
}

static void *setup(struct harness *h)
{
	const struct message enrolled = {.type = MESSAGE_ENROLLED};
	const uint64_t uuids[MEMBER_MAX] = {[SAMPLE_LEADER] = SAMPLE_UUID};
	struct acceptor_bench *b = heap_zalloc("micro", sizeof(*b));

	if (b == NULL)
		return NULL;
	b->log = heap_zalloc("log", LOG_BYTES);
	if (b->log == NULL) {
		teardown(b);
		return NULL;
	}
	b->settings = (struct replica_settings){
		.self = 1,
		.members = SAMPLE_MEMBERS,
		.shards = 1,
		.body_max = SAMPLE_FRAME_BODY_MAX,
	};
	b->outlet = (struct outlet){.context = b, .send = count};
	sample_body(b->body, harness_argument(h));
	acceptor_stage_init(&b->stage, &b->settings, 0, &b->outlet, b->log, LOG_BYTES);
	acceptor_stage_on_message(&b->stage, &enrolled, (const uint8_t *)uuids, 0);
	return b;
}

static void run(void *state, struct harness *h)
{
	struct acceptor_bench *b = state;
	struct message accept = sample_accept(b->body, harness_argument(h));
	struct message delivered = {.type = MESSAGE_DELIVERED};

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			acceptor_stage_on_message(&b->stage, &accept, b->body, 0);
			acceptor_stage_flush(&b->stage, 0);
			accept.first += accept.count;
			if (accept.first % BLOCK != 0)
				continue;
			/* A block is full: all but the last was delivered meanwhile. */
			delivered.first = accept.first - BLOCK;
			acceptor_stage_on_message(&b->stage, &delivered, NULL, 0);
		}
	if (b->stage.counters.votes != harness_iterations(h) || b->acknowledged != accept.first ||
		b->told != accept.first || b->others != 0) {
		harness_fail(h, "not every frame was voted for, acknowledged and handed on");
		return;
	}
	harness_items(h, b->acknowledged);
}

const struct harness_case case_acceptor = {
	.name = "acceptor",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
