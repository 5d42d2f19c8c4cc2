#include "dataplane/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consensus/check.h"

enum {
	FILE_LOCK = 0,    /* The ring's registered files: the lock, */
	FILE_SEGMENT = 1, /* and segment i at FILE_SEGMENT + i. */
	FILES_MAX = FILE_SEGMENT + CONFIG_SEGMENTS_MAX,
	BUFFER_INDEX = 0, /* All buffers are one registered one. */
};

/* ---- Opening ---- */

static int register_all(struct disk *d)
{
	const struct iovec buffers = {
		.iov_base = d->buffers,
		.iov_len = (size_t)d->depth * DISK_WRITE_BYTES_MAX,
	};
	int files[FILES_MAX];

	for (uint32_t i = 0; i < FILES_MAX; i++)
		files[i] = -1;
	files[FILE_LOCK] = d->directory->lock;
	for (uint32_t i = 0; i < d->directory->segments_count; i++)
		files[FILE_SEGMENT + i] = d->directory->segments[i];
	int failed = io_uring_register_files(&d->ring, files, FILES_MAX);

	return failed != 0 ? failed : io_uring_register_buffers(&d->ring, &buffers, 1);
}

static bool open_ring(struct disk *d, char *error, size_t size)
{
	int failed = io_uring_queue_init(d->depth, &d->ring, 0);

	if (failed != 0) {
		snprintf(error, size,
			"io_uring can not be had (%s): let this process use it, see "
			"/proc/sys/kernel/io_uring_disabled and the limits of its container.",
			strerror(-failed));
		return false;
	}
	failed = register_all(d);
	if (failed == 0)
		return true;
	snprintf(error, size,
		"the journal's %u KiB of buffers can not be locked (%s): raise the limit of locked "
		"memory (ulimit -l), or lower journal.depth.",
		d->depth * (DISK_WRITE_BYTES_MAX / 1024), strerror(-failed));
	io_uring_queue_exit(&d->ring);
	return false;
}

bool disk_open(struct disk *d, struct directory *directory, uint32_t depth,
	const struct disk_faults *faults, char *error, size_t size)
{
	memset(d, 0, sizeof(*d));
	d->directory = directory;
	d->segments = directory->segments_count;
	d->faults = faults;
	d->depth = depth;
	CHECK(depth > 0 && depth <= CONFIG_DEPTH_MAX && (depth & (depth - 1)) == 0);
	d->buffers = aligned_alloc(DISK_BLOCK, (size_t)depth * DISK_WRITE_BYTES_MAX);
	if (d->buffers == NULL) {
		snprintf(error, size, "out of memory.");
		return false;
	}
	memset(d->buffers, 0, (size_t)depth * DISK_WRITE_BYTES_MAX);
	if (directory->memory_backed || open_ring(d, error, size))
		return true;
	free(d->buffers);
	return false;
}

static void reap(struct disk *d);

void disk_close(struct disk *d)
{
	uint32_t ended = 0;

	if (!d->directory->memory_backed) {
		/* A buffer is given back only when nobody reads it any more. */
		while (ended < disk_in_flight(d)) {
			struct io_uring_cqe *cqe;

			reap(d);
			ended = 0;
			for (uint64_t w = d->durable; w < d->begun; w++)
				ended += d->writes[w & (d->depth - 1)].ended;
			if (ended < disk_in_flight(d) && io_uring_wait_cqe(&d->ring, &cqe) != 0)
				break;
		}
		io_uring_unregister_files(&d->ring); /* Else the lock goes some time later. */
		io_uring_queue_exit(&d->ring);
	}
	free(d->buffers);
	d->buffers = NULL;
}

bool disk_add_segment(struct disk *d, char *error, size_t size)
{
	const uint32_t segment = d->segments;

	if (!directory_add_segment(d->directory, error, size))
		return false;
	if (!d->directory->memory_backed) {
		int failed = io_uring_register_files_update(&d->ring, FILE_SEGMENT + segment,
			&d->directory->segments[segment], 1);

		if (failed < 0) {
			snprintf(error, size, "%s: a new segment can not be registered: %s.",
				d->directory->path, strerror(-failed));
			return false;
		}
	}
	__atomic_store_n(&d->segments, segment + 1, __ATOMIC_RELEASE); /* disk_segments. */
	return true;
}

/* ---- Writing ---- */

/* Only the first cause counts: what follows comes of it. */
static void stop(struct disk *d, uint64_t number, int32_t result)
{
	const struct disk_write *w = &d->writes[number & (d->depth - 1)];

	if (d->stopped)
		return;
	if (result >= 0)
		snprintf(d->cause, sizeof(d->cause),
			"%s: of a write of %" PRIu32 " bytes to segment %" PRIu32 ", block %" PRIu32
			", only %" PRId32 " were written",
			d->directory->path, w->bytes, w->place.segment, w->place.block, result);
	else
		snprintf(d->cause, sizeof(d->cause),
			"%s: a write of %" PRIu32 " bytes to segment %" PRIu32 ", block %" PRIu32
			" failed: %s",
			d->directory->path, w->bytes, w->place.segment, w->place.block,
			strerror(-result));
	__atomic_store_n(&d->stopped, true, __ATOMIC_RELEASE); /* Pairs with disk_stopped. */
}

uint8_t *disk_begin(struct disk *d)
{
	if (d->stopped || disk_in_flight(d) == d->depth)
		return NULL;
	return d->buffers + (d->begun & (d->depth - 1)) * DISK_WRITE_BYTES_MAX;
}

static void submit(struct disk *d, uint64_t number, const uint8_t *from)
{
	struct disk_write *w = &d->writes[number & (d->depth - 1)];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);

	CHECK(sqe != NULL); /* It has `depth` entries, and each is submitted at once. */
	io_uring_prep_write_fixed(sqe, (int)(FILE_SEGMENT + w->place.segment), from, w->bytes,
		(uint64_t)w->place.block * DISK_BLOCK, BUFFER_INDEX);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, number);

	int submitted = io_uring_submit(&d->ring);

	if (submitted == 1)
		return;
	/* The kernel did not take it, and is not asked again. */
	w->ended = true;
	w->result = submitted < 0 ? submitted : -EAGAIN;
}

void disk_write(struct disk *d, struct disk_place place, uint32_t blocks)
{
	uint64_t number = d->begun;
	struct disk_write *w = &d->writes[number & (d->depth - 1)];
	const uint8_t *from = disk_begin(d);

	CHECK(from != NULL && blocks > 0 && blocks <= DISK_WRITE_BYTES_MAX / DISK_BLOCK);
	*w = (struct disk_write){.place = place, .bytes = blocks * DISK_BLOCK};
	d->begun++;
	if (!d->directory->memory_backed) {
		submit(d, number, from);
		return;
	}
	/* In memory it is a copy, done before another thread could have heard of it. */
	ssize_t done = pwrite(d->directory->segments[place.segment], from, w->bytes,
		(off_t)place.block * DISK_BLOCK);

	w->result = done < 0 ? -errno : (int32_t)done;
	w->ended = true;
}

/* ---- Completion ---- */

static void reap(struct disk *d)
{
	struct io_uring_cqe *cqes[CONFIG_DEPTH_MAX];
	unsigned count = io_uring_peek_batch_cqe(&d->ring, cqes, CONFIG_DEPTH_MAX);

	for (unsigned i = 0; i < count; i++) {
		struct disk_write *w =
			&d->writes[io_uring_cqe_get_data64(cqes[i]) & (d->depth - 1)];

		w->result = cqes[i]->res;
		w->ended = true;
	}
	io_uring_cq_advance(&d->ring, count);
}

/* What its end means, as a test may have it. */
static int32_t result_of(const struct disk *d, uint64_t number)
{
	const struct disk_write *w = &d->writes[number & (d->depth - 1)];

	if (!w->ended)
		return DISK_HELD;
	if (__builtin_expect(d->faults != NULL, 0))
		return d->faults->result(d->faults->context, number, w->result);
	return w->result;
}

uint64_t disk_poll(struct disk *d)
{
	bool prefix = true;

	if (disk_in_flight(d) == 0 || d->stopped)
		return d->durable;
	if (!d->directory->memory_backed)
		reap(d);
	for (uint64_t n = d->durable; n < d->begun && !d->stopped; n++) {
		const struct disk_write *w = &d->writes[n & (d->depth - 1)];
		int32_t result = result_of(d, n);

		if (result == DISK_HELD) {
			prefix = false;
		} else if (result != (int32_t)w->bytes) {
			stop(d, n, result);
		} else if (prefix) {
			d->bytes += w->bytes;
			d->durable++;
		}
	}
	return d->durable;
}
