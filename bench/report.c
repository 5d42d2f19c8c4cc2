#include "bench/report.h"

#include <inttypes.h>
#include <stdio.h>

static double rate(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

static double us(const struct histogram *h, double percentile)
{
	return (double)histogram_percentile(h, percentile) / 1000.0;
}

static const char *ports(const struct report *r)
{
	return config_is_embedded(r->config) ? "net_ring (in process)"
					     : r->config->replicas[0].ports.devargs[0];
}

static const char *idle_text(enum idle_policy idle)
{
	return idle == IDLE_BUSY ? "busy" : idle == IDLE_YIELD ? "yield" : "adaptive";
}

static const char *reads_text(enum read_mode mode)
{
	static const char *const texts[] = {
		[READ_LOG] = "through the log",
		[READ_LEADER] = "each answered after the leader's round and called a commit here",
		[READ_ANY] =
			"each answered after a round of the member asked and called a commit here",
		[READ_STALE] =
			"each answered by one member at once (STALE) and called a commit here",
	};

	return texts[mode];
}

static const char *durability(const struct config *c)
{
	if (c->durability != DURABILITY_NONE && c->journal.memory_backed)
		return c->durability == DURABILITY_SYNC ? "sync to memory only"
							: "async to memory only";
	return config_durability_text(c->durability);
}

static void print_latencies(const char *what, const struct histogram *h)
{
	printf("  %-12s p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  p99.99 %.2f  max %.2f us\n", what,
		us(h, 50), us(h, 90), us(h, 99), us(h, 99.9), us(h, 99.99),
		(double)h->max_ns / 1000.0);
}

static void print_conditions(const struct report *r)
{
	const struct config *c = r->config;
	const struct options *o = &r->options;

	if (r->remote)
		printf("paxwire-bench: the load of a cluster of %u replicas; frames, CPU and drops are "
		       "the load's own\n",
			c->replicas_count);
	else
		printf("paxwire-bench: %u replicas and the load in one process, %u lcore%s\n",
			c->replicas_count, o->lcores, o->lcores == 1 ? "" : "s");
	printf("  ports %s, MTU %u, integrity %s, durability %s, state machine %s, idle %s\n",
		ports(r), c->mtu, config_integrity_text(c->integrity), durability(c),
		config_state_machine_text(c->state_machine), idle_text(c->tunables.idle));
	if (c->state_machine == STATE_MACHINE_KV)
		printf("  %.0f%% gets, %s, the rest puts, on %u keys\n", 100 * o->read_share,
			reads_text(o->reads), o->keys);
	printf("  %u sessions, window %u, %u-byte values, packing %s\n", o->sessions, o->window,
		o->value_bytes, c->tunables.packing ? "on" : "off");
}

static void print_saturated(const struct report *r)
{
	const struct outcome *s = &r->saturated;

	printf("\n%s, %.1f s\n", r->options.rate > 0 ? "Open loop" : "Saturated, closed loop",
		s->seconds);
	printf("  %-12s %.0f commits/s", "throughput", rate(s->commits, s->seconds));
	if (s->offered > 0)
		printf(" of %.0f offered", s->offered);
	printf("; %.0f frames/s, %.2f Gbit/s over all ports\n", rate(s->frames, s->seconds),
		rate(s->bytes, s->seconds) * 8 / 1e9);
	printf("  %-12s %.4f us a commit, idle polls included; %.0f TSC cycles in turns with work\n",
		"CPU", s->cpu_us_per_commit, s->work_cycles_per_commit);
	print_latencies(r->options.snapshots ? "with" : "latency", &s->latencies);
	if (r->remote)
		return;
	printf("  %-12s", "by stage");
	for (uint32_t i = 0; i <= OUTCOME_STAGES; i++)
		printf(" %s %.0f%s", s->stages[i].name, s->stages[i].cycles_per_commit,
			i == OUTCOME_STAGES ? " cycles a commit\n" : ",");
	printf("  %-12s %.2f commands an Accept;", "batches", s->batch_mean);
	for (uint32_t i = 0; i <= OUTCOME_STAGES; i++)
		printf(" %s %.1f%s", s->stages[i].name, s->stages[i].frames_per_turn,
			i == OUTCOME_STAGES ? " frames a turn\n" : ",");
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static void print_journal(const struct report *r)
{
	const struct outcome *s = &r->saturated;
	uint32_t journals = r->config->replicas_count;

	if (r->remote || r->config->durability == DURABILITY_NONE)
		return;
	printf("  %-12s %.0f writes/s in %u journals, %.0f bytes each, %.1f MB/s; %.1f MB/s of "
	       "acknowledged values in each\n",
		"journal", rate(s->writes, s->seconds), journals,
		share((double)s->write_bytes, (double)s->writes),
		rate(s->write_bytes, s->seconds) / 1e6,
		rate(s->commits * r->options.value_bytes, s->seconds) / 1e6);
	printf("  %-12s %.1f MB of journals in %.3f s at the start: %.1f MB/s\n", "read back",
		(double)r->read_bytes / 1e6, r->read_s, rate(r->read_bytes, r->read_s) / 1e6);
}

static double ratio(const struct report *r, double percentile)
{
	return share(us(&r->saturated.latencies, percentile), us(&r->calm, percentile));
}

static double snapshot_ms(const struct snapshots *s)
{
	return share((double)s->total_ns / 1e6, (double)s->count);
}

/* The slices without them, and what they did to the others, which stand above. */
static void print_snapshots(const struct report *r)
{
	const struct snapshots *s = &r->snapshots;

	if (!r->options.snapshots)
		return;
	print_latencies("without", &r->calm);
	printf("  %-12s p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f times as long with snapshots\n",
		"ratio", ratio(r, 50), ratio(r, 99), ratio(r, 99.9),
		share((double)r->saturated.latencies.max_ns, (double)r->calm.max_ns));
	printf("  %-12s %" PRIu64 " cut, one replica after the other; %" PRIu64
	       " bytes, %.2f ms each, %.2f ms at most\n",
		"snapshots", s->count, s->bytes, snapshot_ms(s), (double)s->longest_ns / 1e6);
}

static void print_ports(const struct report *r)
{
	const struct outcome *s = &r->saturated;

	printf("\nThe ports alone, in this run\n");
	printf("  %-12s %.0f frames/s in bursts; we moved %.0f, %.1f%% of it\n", "throughput",
		r->before.frames_per_s, rate(s->frames, s->seconds),
		100 * share(rate(s->frames, s->seconds), r->before.frames_per_s));
	printf("  %-12s p50 %.2f us before, %.2f after\n", "ping-pong",
		(double)r->before.rtt_p50_ns / 1000, (double)r->after.rtt_p50_ns / 1000);
	/* One lcore that talks to itself is no limit to compare with. */
	if (r->unloaded.commits > 0 && r->options.lcores > 1)
		printf("  %-12s an unloaded commit takes %.1f ping-pongs\n", "ratio",
			share(us(&r->unloaded.latencies, 50), (double)r->before.rtt_p50_ns / 1000));
	if (r->after.rtt_p50_ns > 0 &&
		share((double)r->after.rtt_p50_ns, (double)r->before.rtt_p50_ns) > 1.5)
		printf("  %-12s the ping-pong moved more than 1.5 times: discard this run\n",
			"beware");
}

static void print_drops(const struct report *r)
{
	bool any = false;

	for (uint32_t i = 0; i < r->drops_kinds; i++) {
		if (r->drops_by[i].count == 0)
			continue;
		printf("%s%s %" PRIu64, any ? ", " : "  dropped      ", r->drops_by[i].reason,
			r->drops_by[i].count);
		any = true;
	}
	if (any)
		putchar('\n');
}

void report_print(const struct report *r)
{
	print_conditions(r);
	print_saturated(r);
	print_snapshots(r);
	print_journal(r);
	if (r->unloaded.commits > 0) {
		printf("\nUnloaded, one command at a time, %.1f s\n", r->unloaded.seconds);
		print_latencies("latency", &r->unloaded.latencies);
	}
	if (!r->remote && r->before.frames_per_s > 0)
		print_ports(r);
	printf("\nHealth\n");
	if (r->remote)
		printf("  %-12s not known here: compare `paxwire-ctl digests` of the replicas\n",
			"agreement");
	else
		printf("  %-12s %s: %" PRIu64
		       " checkpoints and the end compared, at instance %" PRIu64 "\n",
			"agreement", r->agreement.holds ? "true" : "FALSE", r->agreement.compared,
			r->agreement.delivered);
	printf("  %-12s first commit after %.3f s; %" PRIu64 " frames dropped", "cluster",
		r->first_commit_s, r->drops);
	if (!r->remote)
		printf("; %" PRIu64 " leaderships, %" PRIu64 " runs retransmitted", r->leaderships,
			r->retransmits);
	putchar('\n');
	if (r->lost + r->late > 0)
		printf("  %-12s %" PRIu64 " frames between replicas were lost, %" PRIu64
		       " were late or came twice\n",
			"on the way", r->lost, r->late);
	print_drops(r);
	printf("  %-12s %" PRIu64 " bytes taken from the heap by lcores while they polled\n",
		"memory", r->allocated_bytes);
	printf("  %-12s %" PRIu64 " retries, %" PRIu64 " busy, %" PRIu64 " failed\n", "clients",
		r->client_retries, r->client_busy, r->failed);
	if (r->options.faults > 0)
		printf("  %-12s %" PRIu64 " frames lost, %" PRIu64 " doubled, %" PRIu64
		       " late, on purpose\n",
			"faults", r->faults_lost, r->faults_doubled, r->faults_late);
	if (r->options.record != NULL)
		printf("  %-12s %" PRIu64 " steps in %s\n", "record", r->recorded,
			r->options.record);
	if (r->options.trace != NULL)
		printf("  %-12s %" PRIu64 " steps lost because the file was slower\n", "trace",
			r->trace_lost);
	if (r->killed >= 0)
		printf("  %-12s replica %d led, and was stopped for good; agreement is of the others\n",
			"killed", r->killed);
	if (r->moved >= 0)
		printf("  %-12s replica %d led, and was told to hand over\n", "moved", r->moved);
	if (r->absence.replica >= 0)
		printf("  %-12s replica %d stood still for %.1f s; %" PRIu64
		       " instances behind at its return; %s %.2f ms later, after %" PRIu64
		       " snapshots of others\n",
			"paused", r->absence.replica, r->absence.paused_s, r->absence.behind,
			r->absence.caught_up ? "within lag_max" : "NOT within lag_max",
			(double)r->absence.return_ns / 1e6, r->absence.installed);
	if (r->killed >= 0 || r->moved >= 0 || r->absence.replica >= 0)
		printf("  %-12s no commit for %.2f ms; the longest stall of an lcore was %.2f ms\n",
			r->absence.replica >= 0 ? "gap" : "failover", (double)r->gap_ns / 1e6,
			(double)r->stall_ns / 1e6);
	if (r->unanswered > 0)
		printf("  %-12s %u commands had no answer after 20 s\n", "LOST", r->unanswered);
	if (r->interrupted)
		printf("  %-12s the run was ended early by a signal\n", "note");
}

static void json_latencies(FILE *f, const char *name, const struct histogram *h)
{
	fprintf(f,
		"  \"%s\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p999\": %.3f, "
		"\"p9999\": %.3f, \"max\": %.3f},\n",
		name, us(h, 50), us(h, 90), us(h, 99), us(h, 99.9), us(h, 99.99),
		(double)h->max_ns / 1000.0);
}

static void json_stages(FILE *f, const struct outcome *s)
{
	fprintf(f, "  \"stages\": {");
	for (uint32_t i = 0; i <= OUTCOME_STAGES; i++)
		fprintf(f, "\"%s\": {\"cycles_per_commit\": %.1f, \"frames_per_turn\": %.2f}%s",
			s->stages[i].name, s->stages[i].cycles_per_commit,
			s->stages[i].frames_per_turn, i == OUTCOME_STAGES ? "},\n" : ", ");
}

static void json_snapshots(const struct report *r, FILE *f)
{
	const struct snapshots *s = &r->snapshots;

	if (!r->options.snapshots)
		return;
	json_latencies(f, "latency_us_without_snapshots", &r->calm);
	fprintf(f,
		"  \"snapshots\": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64
		", \"ms\": %.3f, \"max_ms\": %.3f},\n",
		s->count, s->bytes, snapshot_ms(s), (double)s->longest_ns / 1e6);
}

static void json_absence(const struct report *r, FILE *f)
{
	const struct absence *a = &r->absence;

	if (a->replica < 0)
		return;
	fprintf(f,
		"  \"paused\": {\"replica\": %d, \"s\": %.3f, \"behind\": %" PRIu64
		", \"caught_up\": %s, \"return_ms\": %.3f, \"installed\": %" PRIu64 "},\n",
		a->replica, a->paused_s, a->behind, a->caught_up ? "true" : "false",
		(double)a->return_ns / 1e6, a->installed);
}

static void json_body(const struct report *r, FILE *f)
{
	const struct outcome *s = &r->saturated;
	const struct config *c = r->config;

	fprintf(f, "{\n  \"commits_per_s\": %.1f,\n", rate(s->commits, s->seconds));
	fprintf(f, "  \"offered_per_s\": %.1f,\n", s->offered);
	fprintf(f, "  \"cpu_us_per_commit\": %.5f,\n", s->cpu_us_per_commit);
	fprintf(f, "  \"commits\": %" PRIu64 ",\n  \"seconds\": %.3f,\n", s->commits, s->seconds);
	fprintf(f, "  \"work_cycles_per_commit\": %.1f,\n", s->work_cycles_per_commit);
	fprintf(f, "  \"frames_per_s\": %.1f,\n", rate(s->frames, s->seconds));
	fprintf(f, "  \"gbit_per_s\": %.4f,\n", rate(s->bytes, s->seconds) * 8 / 1e9);
	json_latencies(f, "latency_us", &s->latencies);
	if (r->unloaded.commits > 0)
		json_latencies(f, "unloaded_latency_us", &r->unloaded.latencies);
	json_snapshots(r, f);
	json_absence(r, f);
	json_stages(f, s);
	fprintf(f, "  \"port_rtt_us\": {\"p50\": %.3f, \"p99\": %.3f, \"p50_after\": %.3f},\n",
		(double)r->before.rtt_p50_ns / 1000, (double)r->before.rtt_p99_ns / 1000,
		(double)r->after.rtt_p50_ns / 1000);
	fprintf(f, "  \"port_frames_per_s\": %.1f,\n", r->before.frames_per_s);
	fprintf(f, "  \"agreement\": %s,\n",
		r->remote                    ? "null"
			: r->agreement.holds ? "true"
					     : "false");
	fprintf(f, "  \"checkpoints_compared\": %" PRIu64 ",\n", r->agreement.compared);
	fprintf(f, "  \"delivered\": %" PRIu64 ",\n", r->agreement.delivered);
	fprintf(f, "  \"first_commit_s\": %.4f,\n", r->first_commit_s);
	fprintf(f, "  \"drops\": %" PRIu64 ",\n  \"retransmits\": %" PRIu64 ",\n", r->drops,
		r->retransmits);
	fprintf(f, "  \"lost_on_the_way\": %" PRIu64 ",\n  \"late_or_twice\": %" PRIu64 ",\n",
		r->lost, r->late);
	fprintf(f, "  \"drops_by_reason\": {");
	for (uint32_t i = 0; i < r->drops_kinds; i++)
		fprintf(f, "%s\"%s\": %" PRIu64, i == 0 ? "" : ", ", r->drops_by[i].reason,
			r->drops_by[i].count);
	fprintf(f, "},\n  \"allocated_while_polling_bytes\": %" PRIu64 ",\n", r->allocated_bytes);
	fprintf(f, "  \"client_retries\": %" PRIu64 ",\n  \"client_busy\": %" PRIu64 ",\n",
		r->client_retries, r->client_busy);
	fprintf(f, "  \"leaderships\": %" PRIu64 ",\n", r->leaderships);
	fprintf(f, "  \"failed\": %" PRIu64 ",\n  \"unanswered\": %u,\n  \"killed\": %d,\n",
		r->failed, r->unanswered, r->killed);
	fprintf(f, "  \"gap_ms\": %.3f,\n  \"stall_ms\": %.3f,\n", (double)r->gap_ns / 1e6,
		(double)r->stall_ns / 1e6);
	fprintf(f, "  \"value_bytes\": %u,\n  \"mtu\": %u,\n", r->options.value_bytes, c->mtu);
	fprintf(f, "  \"sessions\": %u,\n  \"lcores\": %u,\n", r->options.sessions,
		r->options.lcores);
	fprintf(f, "  \"packing\": %s,\n", c->tunables.packing ? "true" : "false");
	fprintf(f, "  \"batch_mean\": %.3f,\n", s->batch_mean);
	fprintf(f, "  \"durability\": \"%s\",\n", config_durability_text(c->durability));
	fprintf(f, "  \"journal_in_memory\": %s,\n", c->journal.memory_backed ? "true" : "false");
	fprintf(f, "  \"journal_depth\": %u,\n", c->journal.depth);
	fprintf(f, "  \"journal_read_bytes\": %" PRIu64 ",\n  \"journal_read_s\": %.4f,\n",
		r->read_bytes, r->read_s);
	fprintf(f, "  \"journal_writes_per_s\": %.1f,\n", rate(s->writes, s->seconds));
	fprintf(f, "  \"journal_write_bytes\": %.1f,\n",
		share((double)s->write_bytes, (double)s->writes));
	fprintf(f, "  \"integrity\": \"%s\",\n", config_integrity_text(c->integrity));
	fprintf(f, "  \"state_machine\": \"%s\",\n", config_state_machine_text(c->state_machine));
	if (c->state_machine == STATE_MACHINE_KV)
		fprintf(f, "  \"read_share\": %.3f,\n  \"reads\": \"%s\",\n  \"keys\": %u,\n",
			r->options.read_share, read_mode_text(r->options.reads), r->options.keys);
	fprintf(f, "  \"idle\": \"%s\",\n", idle_text(c->tunables.idle));
	fprintf(f, "  \"interrupted\": %s,\n", r->interrupted ? "true" : "false");
	fprintf(f, "  \"ports\": \"%s\"\n}\n", ports(r));
}

bool report_json(const struct report *r, const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return false;
	json_body(r, f);
	return fclose(f) == 0;
}
