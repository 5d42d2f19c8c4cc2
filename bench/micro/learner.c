/* The leader's learner stage: a run voted for and chosen in, its replies out. */
#include <rte_malloc.h>

#include "bench/micro/cases.h"
#include "bench/micro/sample.h"
#include "consensus/replica_learner.h"
#include "dataplane/app_null.h"
#include "dataplane/heap.h"

enum {
	BATCH = 64,
	SESSIONS = 4096,
	CLIENT = ENDPOINT_CLIENT_FIRST,
};
static_assert(SESSIONS % SAMPLE_COMMANDS_MAX == 0, "all sessions open in whole runs");

struct learner_bench {
	struct replica_settings settings;
	struct outlet outlet;
	uint64_t replies;
	uint64_t others;   /* Messages of another type. */
	uint64_t released; /* Frames given back. */
	uint64_t first;    /* The next run's first instance. */
	struct session *sessions;
	_Alignas(8) uint8_t body[SAMPLE_BODY_MAX];
	struct learner_stage stage;
};

static void count(void *context, const struct target *to, const struct message *m,
	const struct part *parts, uint32_t parts_count)
{
	struct learner_bench *b = context;

	(void)parts;
	(void)parts_count;
	if (m->type == MESSAGE_REPLY && to->client == CLIENT)
		b->replies += m->count;
	else
		b->others++;
}

static void release(void *context, void *frame)
{
	struct learner_bench *b = context;

	b->released += frame == b;
}

/* What the own acceptor and the own leader say of a run, and the end of that burst. */
static void learn(struct learner_bench *b, struct message *voted, struct message *watermark)
{
	voted->first = b->first;
	voted->watermark = b->first;
	b->first += voted->count;
	watermark->watermark = b->first;
	watermark->first = b->first;
	/* Any pointer stands for the frame; the stage only keeps it and gives it back. */
	learner_stage_on_message(&b->stage, voted, b->body, b, 0);
	learner_stage_on_message(&b->stage, watermark, NULL, NULL, 0);
	learner_stage_flush(&b->stage, 0);
}

static struct message voted_of(uint32_t commands, uint32_t bytes)
{
	return (struct message){
		.type = MESSAGE_VOTED,
		.ballot = ballot_make(1, SAMPLE_LEADER),
		.count = (uint16_t)commands,
		.payload_len = (uint16_t)bytes,
		.sender = SAMPLE_LEADER,
	};
}

static struct message watermark_of(void)
{
	return (struct message){
		.type = MESSAGE_WATERMARK,
		.ballot = ballot_make(1, SAMPLE_LEADER),
		.sender = SAMPLE_LEADER,
	};
}

/* Session i is opened by instance i, which is then its id. */
static void open_sessions(struct learner_bench *b)
{
	struct message voted = voted_of(SAMPLE_COMMANDS_MAX, SAMPLE_COMMANDS_MAX * ENTRY_BYTES);
	struct message watermark = watermark_of();
	struct entry *entries = (struct entry *)(void *)b->body;

	for (uint32_t i = 0; i < SAMPLE_COMMANDS_MAX; i++)
		entries[i] = (struct entry){
			.session = i,
			.sequence_length =
				entry_pack(ENTRY_OPEN, SAMPLE_LEADER * 65536 + CLIENT, 0),
		};
	while (b->first < SESSIONS)
		learn(b, &voted, &watermark);
}

static void teardown(void *state)
{
	struct learner_bench *b = state;

	rte_free(b->sessions);
	rte_free(b);
}

static void *setup(struct harness *h)
{
	const struct machine machine = app_null();
	struct learner_bench *b = heap_zalloc("micro", sizeof(*b));

	if (b == NULL)
		return NULL;
	b->sessions = heap_zalloc("sessions", session_slots(SESSIONS) * sizeof(*b->sessions));
	if (b->sessions == NULL) {
		teardown(b);
		return NULL;
	}
	b->settings = (struct replica_settings){
		.self = SAMPLE_LEADER,
		.members = SAMPLE_MEMBERS,
		.shards = 1,
		.body_max = SAMPLE_FRAME_BODY_MAX,
	};
	b->outlet = (struct outlet){.context = b, .send = count};
	learner_stage_init(&b->stage, &b->settings, &b->outlet, &machine, b->sessions, SESSIONS,
		release, b);
	open_sessions(b);
	sample_body(b->body, harness_argument(h));
	return b;
}

static bool all_applied(const struct learner_bench *b, uint64_t runs, uint64_t commands)
{
	return b->stage.counters.opened == SESSIONS && b->stage.counters.applied == commands &&
		b->stage.counters.duplicates == 0 && b->replies == SESSIONS + commands &&
		b->released == SESSIONS / SAMPLE_COMMANDS_MAX + runs && b->others == 0;
}

/* The sessions take turns. Their names are written into the one body, which is in the cache as a
 * frame that was just decoded would be: two stores a command are measured with it. */
static void run(void *state, struct harness *h)
{
	struct learner_bench *b = state;
	const uint32_t commands = harness_argument(h);
	struct message voted = voted_of(commands, commands * SAMPLE_STEP_BYTES);
	struct message watermark = watermark_of();
	uint64_t next = 0;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			for (uint32_t k = 0; k < commands; k++, next++)
				sample_address(b->body, k, next % SESSIONS, next / SESSIONS);
			learn(b, &voted, &watermark);
		}
	if (!all_applied(b, harness_iterations(h), harness_iterations(h) * commands)) {
		harness_fail(h, "not every command was applied and answered once");
		return;
	}
	harness_items(h, next);
}

const struct harness_case case_learner = {
	.name = "learner",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
