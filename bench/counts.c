#include "bench/counts.h"

#include <string.h>

static const char *const stage_names[] = {"io", "leader", "acceptor", "learner", "journal", "load"};

static void count_stage(struct counts *c, uint32_t kind, const struct stage *s)
{
	c->busy_cycles[kind] += __atomic_load_n(&s->busy_cycles, __ATOMIC_RELAXED);
	c->busy_turns[kind] += __atomic_load_n(&s->busy_turns, __ATOMIC_RELAXED);
	c->work[kind] += __atomic_load_n(&s->work, __ATOMIC_RELAXED);
}

static void count_network(struct counts *c, const struct network *n)
{
	c->frames += __atomic_load_n(&n->counters.tx_frames, __ATOMIC_RELAXED);
	c->bytes += __atomic_load_n(&n->counters.tx_bytes, __ATOMIC_RELAXED);
}

static void count_journal(struct counts *c, const struct store *s)
{
	count_stage(c, 4, &s->poll);
	c->writes += __atomic_load_n(&s->disk.durable, __ATOMIC_RELAXED);
	c->write_bytes += __atomic_load_n(&s->disk.bytes, __ATOMIC_RELAXED);
}

struct counts counts_take(struct embedded *e, const struct load *load)
{
	struct counts c = {.ns = lcore_now_ns()};
	c.done = __atomic_load_n(&load->done, __ATOMIC_RELAXED);
	count_network(&c, &e->client);
	for (uint32_t i = 0; i < e->lcores_count; i++)
		c.cpu_ns += lcore_cpu_ns(&e->lcores[i]);
	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct replica *replica = &e->replicas[i];

		count_network(&c, &replica->io.network);
		c.runs +=
			__atomic_load_n(&replica->leader->counters.proposed_runs, __ATOMIC_RELAXED);
		c.commands += __atomic_load_n(&replica->leader->counters.proposed_commands,
			__ATOMIC_RELAXED);
		count_stage(&c, 0, &replica->io.stage);
		count_stage(&c, 0, &replica->io.out);
		count_stage(&c, 1, &replica->leader_poll);
		for (uint32_t s = 0; s < e->config->shards; s++)
			count_stage(&c, 2, &replica->acceptor_polls[s]);
		count_stage(&c, 3, &replica->learner_poll);
		if (replica->store != NULL)
			count_journal(&c, replica->store);
	}
	count_stage(&c, OUTCOME_STAGES, &load->stage);
	return c;
}

static double each(uint64_t total, uint64_t count)
{
	return count == 0 ? 0 : (double)total / (double)count;
}

void counts_conclude(struct outcome *o, const struct counts *begin, const struct counts *end)
{
	uint64_t commits = end->done - begin->done;
	uint64_t cycles = 0;

	o->seconds = (double)(end->ns - begin->ns) / 1e9;
	o->commits = commits;
	o->frames = end->frames - begin->frames;
	o->bytes = end->bytes - begin->bytes;
	o->cpu_us_per_commit = each(end->cpu_ns - begin->cpu_ns, commits) / 1000.0;
	o->batch_mean = each(end->commands - begin->commands, end->runs - begin->runs);
	o->writes = end->writes - begin->writes;
	o->write_bytes = end->write_bytes - begin->write_bytes;
	for (uint32_t i = 0; i <= OUTCOME_STAGES; i++) {
		uint64_t busy = end->busy_cycles[i] - begin->busy_cycles[i];

		cycles += busy;
		o->stages[i].name = stage_names[i];
		o->stages[i].cycles_per_commit = each(busy, commits);
		o->stages[i].frames_per_turn = each(end->work[i] - begin->work[i],
			end->busy_turns[i] - begin->busy_turns[i]);
	}
	o->work_cycles_per_commit = each(cycles, commits);
}

static void count_drop(struct report *r, const char *reason, uint64_t count)
{
	uint32_t i = 0;

	while (i < r->drops_kinds && strcmp(r->drops_by[i].reason, reason) != 0)
		i++;
	if (i == DROPS_KINDS_MAX)
		return;
	if (i == r->drops_kinds)
		r->drops_by[r->drops_kinds++].reason = reason;
	r->drops_by[i].count += count;
	r->drops += count;
}

static void count_network_drops(struct report *report, const struct network *n)
{
	for (uint32_t i = 1; i < FRAME_DROP_REASONS; i++)
		count_drop(report, frame_drop_text(i), n->counters.drops[i]);
	count_drop(report, "port full", n->counters.tx_full);
	count_drop(report, "unreachable", n->counters.unreachable);
	count_drop(report, "too many clients", n->counters.crowded);
}

static void gather_replica(struct report *report, const struct replica *replica)
{
	count_network_drops(report, &replica->io.network);
	if (replica->store != NULL) {
		report->read_bytes += replica->store->read_bytes;
		report->read_s += (double)replica->store->read_ns / 1e9;
	}
	for (uint32_t i = 1; i < DROP_REASONS; i++)
		count_drop(report, frame_drop_text(i), replica->io.foreign[i]);
	count_drop(report, "stage overload", replica->io.overload);
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		count_drop(report, "no mbuf", replica->crossings[p].no_mbuf);
		count_drop(report, "ring full", replica->crossings[p].ring_full);
	}
	report->lost += replica->io.lost;
	report->late += replica->io.late;
	report->retransmits += replica->leader->counters.retransmitted;
	report->leaderships += replica->leader->counters.terms;
}

void counts_gather(struct report *report, const struct embedded *e, const struct load *load)
{
	for (uint32_t i = 0; i < e->replicas_count; i++)
		gather_replica(report, &e->replicas[i]);
	count_network_drops(report, &e->client);
	count_drop(report, "not a reply", load->strange);
	for (uint32_t i = 0; i < e->lcores_count; i++)
		report->allocated_bytes += e->lcores[i].allocated_bytes;
	report->client_retries = load->client.counters.retries;
	report->client_busy = load->client.counters.busy;
	report->failed = load->failed;
}
