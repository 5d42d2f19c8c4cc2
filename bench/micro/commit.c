/*
 * A whole commit: three replicas and a client on this thread, each stage polled in turn as an
 * lcore does; one request frame under way until its last command is answered.
 */
#include <stdio.h>
#include <string.h>

#include "bench/load.h"
#include "bench/micro/cases.h"
#include "bench/micro/sample.h"
#include "dataplane/app_null.h"
#include "dataplane/embedded.h"

enum {
	BATCH = 16,
	LCORE = 1, /* By name only: this thread polls its stages. */
};

#define PATIENCE_NS 20000000000ull /* For one answer: a stall of the machine is none of ours. */

/* As paxwire-bench has it on one lcore. */
static const char cluster_text[] = "cluster: {name: micro, id: 1}\n"
				   "durability: none\n"
				   "quorums: {kind: majority}\n"
				   "tunables: {idle: busy, packing: true, batch: 0, window: 4096}\n"
				   "replicas:\n"
				   "  - {id: 0, address: 10.0.0.1, ports: [ring], "
				   "stages: {io: 1, leader: 1, acceptors: [1], learner: 1}}\n"
				   "  - {id: 1, address: 10.0.0.2, ports: [ring], "
				   "stages: {io: 1, leader: 1, acceptors: [1], learner: 1}}\n"
				   "  - {id: 2, address: 10.0.0.3, ports: [ring], "
				   "stages: {io: 1, leader: 1, acceptors: [1], learner: 1}}\n";

struct commit_bench {
	bool made;
	uint64_t turns;
	struct config config;
	struct embedded cluster;
	struct load load;
};

/* Made by the first run and kept until the process ends: a ring port's name can not be used again,
 * and an election a run would take longer than the run. */
static struct commit_bench bench;

static uint64_t turn(struct commit_bench *b)
{
	const struct lcore *l = &b->cluster.lcores[LCORE - 1];
	const uint64_t now_ns = lcore_now_ns();

	for (uint32_t i = 0; i < l->stages_count; i++)
		l->stages[i]->poll(l->stages[i]->self, now_ns);
	b->turns++;
	return now_ns;
}

/* One command of each of the first `commands` sessions, in one frame. False: no answer came. */
static bool commit(struct commit_bench *b, uint32_t commands)
{
	const uint64_t expected = b->load.done + commands;
	const uint64_t patience_ns = lcore_now_ns() + PATIENCE_NS;

	for (uint32_t i = 0; i < commands; i++)
		client_want(&b->load.client, i, 1);
	while (b->load.done < expected)
		if (turn(b) > patience_ns)
			return false;
	return true;
}

/* Elected, and every session open. */
static bool settle(struct commit_bench *b)
{
	const uint64_t patience_ns = lcore_now_ns() + PATIENCE_NS;

	while (b->load.client.opened < SAMPLE_COMMANDS_MAX)
		if (turn(b) > patience_ns)
			return false;
	return true;
}

static bool make(struct commit_bench *b, char *error, size_t size)
{
	const struct load_settings settings = {
		.members = SAMPLE_MEMBERS,
		.sessions = SAMPLE_COMMANDS_MAX,
		.window = 1,
		.batch = SAMPLE_COMMANDS_MAX,
		.value_bytes = SAMPLE_VALUE_BYTES,
		.body_max = SAMPLE_FRAME_BODY_MAX - RECORD_BYTES,
		.cluster = 1,
		.retry_ns = 200000000,
		.seed = 1,
	};
	const struct machine machines[MEMBER_MAX] = {app_null(), app_null(), app_null()};

	if (!config_load_text("micro", cluster_text, strlen(cluster_text), &b->config, error,
		    size) ||
		!embedded_create(&b->cluster, &b->config, machines, false, error, size) ||
		!load_create(&b->load, &settings, &b->cluster.client, error, size) ||
		!embedded_place(&b->cluster, &b->load.stage, LCORE, error, size))
		return false;
	return true;
}

static void *setup(struct harness *h)
{
	char error[CONFIG_ERROR_MAX];

	if (!bench.made && !make(&bench, error, sizeof(error))) {
		harness_fail(h, error);
		return NULL;
	}
	bench.made = true;
	/* After a pause the followers may have elected another leader: the first commit finds it. */
	if (!settle(&bench) || !commit(&bench, harness_argument(h))) {
		harness_fail(h, "nothing is committed within 20 s: is a CPU free?");
		return NULL;
	}
	return &bench;
}

/* Do all replicas come to stand at one instance, with one digest? */
static bool agree(struct commit_bench *b)
{
	const struct replica *r = b->cluster.replicas;
	const uint64_t patience_ns = lcore_now_ns() + PATIENCE_NS;

	for (uint64_t now_ns = turn(b); now_ns < patience_ns; now_ns = turn(b)) {
		uint64_t at = learner_stage_delivered(r[0].learner);

		if (learner_stage_delivered(r[1].learner) == at &&
			learner_stage_delivered(r[2].learner) == at)
			return learner_stage_digest(r[0].learner) ==
				learner_stage_digest(r[1].learner) &&
				learner_stage_digest(r[0].learner) ==
				learner_stage_digest(r[2].learner);
	}
	return false;
}

/* Each commit adds what it should to every replica's state machine, and nothing else does. */
static uint64_t applied(const struct commit_bench *b)
{
	return b->cluster.replicas[0].learner->counters.applied +
		b->cluster.replicas[1].learner->counters.applied +
		b->cluster.replicas[2].learner->counters.applied;
}

static void run(void *state, struct harness *h)
{
	struct commit_bench *b = state;
	const uint32_t commands = harness_argument(h);
	bool ok = agree(b);
	const uint64_t applied_before = applied(b);
	const uint64_t done_before = b->load.done;
	const uint64_t turns_before = b->turns;

	while (ok && harness_batch(h, BATCH))
		for (uint32_t i = 0; ok && i < BATCH; i++)
			ok = commit(b, commands);
	if (!ok) {
		harness_fail(h, "a request was not answered within 20 s, or replicas disagree");
		return;
	}
	const uint64_t turns = b->turns - turns_before;
	const uint64_t expected = harness_iterations(h) * commands;

	if (b->load.done - done_before != expected || b->load.failed > 0 || !agree(b) ||
		applied(b) - applied_before != SAMPLE_MEMBERS * expected) {
		harness_fail(h, "not every command was applied once by every replica");
		return;
	}
	harness_items(h, expected);
	harness_counter(h, "turns", (double)turns / (double)harness_iterations(h));
}

static void teardown(void *state)
{
	(void)state;
}

const struct harness_case case_commit = {
	.name = "commit",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = run,
	.teardown = teardown,
};
