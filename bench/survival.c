#include "bench/survival.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 20000, /* For a stall of the machine: it takes a moment. */
};

struct survival {
	uint64_t delivered;
	uint64_t checkpoint; /* 0: none yet. */
	uint64_t digest;
};

static struct survival take(const struct embedded *e)
{
	struct survival s = {0};

	for (uint32_t i = 0; i < e->replicas_count; i++) {
		const struct learner_stage *l = e->replicas[i].learner;
		uint64_t delivered = learner_stage_delivered(l);
		uint64_t checkpoint = delivered - delivered % CHECKPOINT_EVERY;

		if (delivered > s.delivered)
			s.delivered = delivered;
		if (checkpoint > s.checkpoint && learner_stage_checkpoint(l, checkpoint, &s.digest))
			s.checkpoint = checkpoint;
	}
	return s;
}

bool survival_end(const struct embedded *e, const char *path, char *error, size_t size)
{
	const struct survival s = take(e);
	FILE *f = fopen(path, "w");

	if (f != NULL) {
		fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s.delivered, s.checkpoint,
			s.digest);
		if (fclose(f) == 0)
			kill(getpid(), SIGKILL);
	}
	snprintf(error, size, "--die: %s can not be written: %s.", path, strerror(errno));
	return false;
}

static bool stood_on_a_snapshot(const struct learner_stage *l)
{
	const struct snapshot_counters *c = &l->snapshots.counters;

	return __atomic_load_n(&c->restored, __ATOMIC_RELAXED) +
		__atomic_load_n(&c->installed, __ATOMIC_RELAXED) >
		0;
}

/* One replica: has it come so far, and is what it did the same? Of what lies below a snapshot that it
 * began with there is no checkpoint: the digests of the run's end speak for that. */
static bool holds(const struct learner_stage *l, const struct survival *s, bool *same)
{
	uint64_t digest = s->digest;

	bool known = s->checkpoint == 0 || learner_stage_checkpoint(l, s->checkpoint, &digest);

	if (learner_stage_delivered(l) < s->delivered || (!known && !stood_on_a_snapshot(l)))
		return false;
	*same = *same && digest == s->digest;
	return true;
}

bool survival_check(const struct embedded *e, const char *path, char *error, size_t size)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	struct survival s;
	FILE *f = fopen(path, "r");
	bool read = f != NULL &&
		fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &s.delivered, &s.checkpoint,
			&s.digest) == 3;

	if (f != NULL)
		fclose(f);
	if (!read) {
		snprintf(error, size, "--survive: %s is not what --die wrote.", path);
		return false;
	}
	for (uint32_t ms = 0; ms < PATIENCE_MS; ms++) {
		bool same = true;
		uint32_t there = 0;

		for (uint32_t i = 0; i < e->replicas_count; i++)
			there += holds(e->replicas[i].learner, &s, &same);
		if (!same) {
			snprintf(error, size,
				"--survive: what is delivered below instance %" PRIu64
				" is not what it was before the kill.",
				s.checkpoint);
			return false;
		}
		if (there == e->replicas_count)
			return true;
		nanosleep(&nap, NULL);
	}
	snprintf(error, size,
		"--survive: before the kill all below instance %" PRIu64
		" was delivered; now it is not by every replica.",
		s.delivered);
	return false;
}
