#include "dataplane/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "consensus/replay.h"

enum {
	RECORD_STEPS = 1 << 22 /* Of one stage: 160 MiB, of which the disk has what is written. */
};

#define RECORD_BYTES \
	(sizeof(struct trace_file_header) + (size_t)RECORD_STEPS * sizeof(struct trace_file_step))

static void watch(void *crossing, const struct transition *t)
{
	struct recording *r = ((struct crossing *)crossing)->recording;
	bool full = r->next == r->last;
	const struct trace_file_step step = {
		/* Precise: neither before what it waited for, nor after what it causes. */
		.at = rte_rdtsc_precise(),
		.ballot = t->ballot,
		.first = t->first,
		.value = t->value,
		.count = t->count,
		.event = full ? TRACE_FILE_LOST : t->event,
		.member = r->member,
		.stage = r->stage,
	};

	*r->next = step;
	r->next += full ? 0 : 1;
}

static uint8_t stage_at(uint32_t position)
{
	if (position == POSITION_LEADER)
		return TRACE_FILE_LEADER;
	if (position == POSITION_LEARNER)
		return TRACE_FILE_LEARNER;
	return (uint8_t)(TRACE_FILE_ACCEPTOR + position - POSITION_ACCEPTOR);
}

/* Its memory is the file's. NULL: errno says why. */
static struct recording *recording_open(const struct replica *r, uint32_t position,
	const char *directory)
{
	const struct trace_file_header head =
		trace_file_header_of(&r->quorum, 0, r->settings.members, r->settings.shards,
			r->settings.durability == DURABILITY_SYNC ? 1 : 0);
	char path[PATH_MAX];
	struct recording *recording = calloc(1, sizeof(*recording));

	if (recording == NULL)
		return NULL;
	/* Each life has files of its own. */
	snprintf(path, sizeof(path), "%s/replica-%u-%016" PRIx64 "-%u.rec", directory,
		r->settings.self, rte_rdtsc(), position);
	recording->file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (recording->file < 0 || ftruncate(recording->file, (off_t)RECORD_BYTES) != 0)
		goto failed;
	recording->map =
		mmap(NULL, RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, recording->file, 0);
	if (recording->map == MAP_FAILED)
		goto failed;
	memcpy(recording->map, &head, sizeof(head));
	recording->next = (void *)((uint8_t *)recording->map + sizeof(head));
	recording->last = recording->next + RECORD_STEPS - 1;
	recording->member = (uint8_t)r->settings.self;
	recording->stage = stage_at(position);
	return recording;
failed:
	if (recording->file >= 0)
		close(recording->file);
	free(recording);
	return NULL;
}

static bool is_recorded(const struct replica *r, uint32_t position)
{
	return position == POSITION_LEADER || position == POSITION_LEARNER ||
		(position >= POSITION_ACCEPTOR &&
			position < POSITION_ACCEPTOR + r->settings.shards);
}

bool recording_start(struct replica *r, const char *directory, char *error, size_t size)
{
	if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
		snprintf(error, size, "--record: the folder %s can not be made: %s.", directory,
			strerror(errno));
		return false;
	}
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		struct crossing *c = &r->crossings[p];

		if (!is_recorded(r, p))
			continue;
		c->recording = recording_open(r, p, directory);
		if (c->recording == NULL) {
			snprintf(error, size, "--record: a file in %s can not be made: %s.",
				directory, strerror(errno));
			return false;
		}
		c->outlet.watch = watch;
		c->outlet.details = true;
	}
	for (uint32_t s = 0; r->replay != NULL && s < r->settings.shards; s++)
		replay_watch(r->replay, s);
	return true;
}

static uint64_t steps_of(const struct recording *recording)
{
	const uint8_t *first = (const uint8_t *)recording->map + sizeof(struct trace_file_header);

	return (uint64_t)((const uint8_t *)recording->next - first) / sizeof(*recording->next);
}

uint64_t recording_steps(const struct replica *r)
{
	uint64_t steps = 0;

	for (uint32_t p = 0; p < POSITIONS_MAX; p++)
		if (r->crossings[p].recording != NULL)
			steps += steps_of(r->crossings[p].recording);
	return steps;
}

/* To what was written; that steps were lost is behind the last one. Sparse it would do as well. */
static void cut(const struct recording *recording)
{
	const struct trace_file_step *end = recording->next + (recording->next->stage != 0 ? 1 : 0);
	bool done = ftruncate(recording->file,
			    (const uint8_t *)end - (const uint8_t *)recording->map) == 0;

	(void)done;
}

void recording_stop(struct replica *r)
{
	for (uint32_t p = 0; p < POSITIONS_MAX; p++) {
		struct crossing *c = &r->crossings[p];
		struct recording *recording = c->recording;

		if (recording == NULL)
			continue;
		c->outlet.details = false;
		c->outlet.watch = NULL;
		c->recording = NULL;
		cut(recording);
		munmap(recording->map, RECORD_BYTES);
		close(recording->file);
		free(recording);
	}
}
