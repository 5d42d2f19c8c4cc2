#include "dataplane/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consensus/check.h"

enum {
	FILE_LOCK = 0, /* The ring's registered files: the lock, */
	FILE_SUPERBLOCK,
	FILE_SEGMENT, /* and segment i at FILE_SEGMENT + i % CONFIG_SEGMENTS_MAX. */
	FILES_MAX = FILE_SEGMENT + CONFIG_SEGMENTS_MAX,
	BUFFER_INDEX = 0, /* All buffers are one registered one. */
};

/* ---- Opening ---- */

static uint32_t slot_of(uint64_t segment)
{
	return (uint32_t)(segment % CONFIG_SEGMENTS_MAX);
}

static int register_all(struct disk *d, uint8_t *buffers, uint64_t bytes)
{
	const struct iovec one = {.iov_base = buffers, .iov_len = bytes};
	int files[FILES_MAX];

	for (uint32_t i = 0; i < FILES_MAX; i++)
		files[i] = -1;
	files[FILE_LOCK] = d->directory->lock;
	files[FILE_SUPERBLOCK] = d->directory->superblock;
	for (uint64_t i = d->directory->segments_first; i < d->directory->segments_end; i++)
		files[FILE_SEGMENT + slot_of(i)] = d->directory->segments[slot_of(i)];
	int failed = io_uring_register_files(&d->ring, files, FILES_MAX);

	return failed != 0 ? failed : io_uring_register_buffers(&d->ring, &one, 1);
}

static bool open_ring(struct disk *d, uint8_t *buffers, uint64_t bytes, char *error, size_t size)
{
	int failed = io_uring_queue_init(DISK_FLIGHTS, &d->ring, 0);

	if (failed != 0) {
		snprintf(error, size,
			"io_uring can not be had (%s): let this process use it, see "
			"/proc/sys/kernel/io_uring_disabled and the limits of its container.",
			strerror(-failed));
		return false;
	}
	failed = register_all(d, buffers, bytes);
	if (failed == 0)
		return true;
	snprintf(error, size,
		"the journal's %" PRIu64
		" KiB of buffers can not be locked (%s): raise the limit of locked memory (ulimit "
		"-l).",
		bytes / 1024, strerror(-failed));
	io_uring_queue_exit(&d->ring);
	return false;
}

/* Every page is there and mapped before the first write: none waits for a fault. */
static bool map_segment(struct disk *d, uint64_t segment, char *error, size_t size)
{
	void *at = mmap(NULL, d->directory->segment_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, d->directory->segments[slot_of(segment)], 0);

	if (at == MAP_FAILED) {
		snprintf(error, size, "%s: segment-%04" PRIu64 " can not be mapped: %s.",
			d->directory->path, segment, strerror(errno));
		return false;
	}
	d->maps[slot_of(segment)] = at;
	return true;
}

static void unmap_all(struct disk *d)
{
	for (uint32_t i = 0; i < CONFIG_SEGMENTS_MAX; i++)
		if (d->maps[i] != NULL)
			munmap(d->maps[i], d->directory->segment_bytes);
}

static bool map_all(struct disk *d, char *error, size_t size)
{
	for (uint64_t i = d->directory->segments_first; i < d->segments; i++)
		if (!map_segment(d, i, error, size)) {
			unmap_all(d);
			return false;
		}
	return true;
}

bool disk_open(struct disk *d, struct directory *directory, uint8_t *buffers, uint64_t bytes,
	const struct disk_faults *faults, char *error, size_t size)
{
	memset(d, 0, sizeof(*d));
	d->directory = directory;
	d->faults = faults;
	d->segment_blocks = (uint32_t)(directory->segment_bytes / JOURNAL_BLOCK_BYTES);
	d->segments = directory->segments_end;
	return directory->memory_backed ? map_all(d, error, size)
					: open_ring(d, buffers, bytes, error, size);
}

/* What is in flight keeps the file that it began with. `fd` -1: none; a file that nobody has any more
 * gives its room back. */
static bool register_file(struct disk *d, uint64_t segment, int fd, char *error, size_t size)
{
	int failed =
		io_uring_register_files_update(&d->ring, FILE_SEGMENT + slot_of(segment), &fd, 1);

	if (failed < 0)
		snprintf(error, size, "%s: segment-%04" PRIu64 " can not be registered: %s.",
			d->directory->path, segment, strerror(-failed));
	return failed >= 0;
}

/* The directory has one more. */
static bool take_segment(struct disk *d, char *error, size_t size)
{
	const uint64_t segment = d->directory->segments_end - 1;

	if (d->directory->memory_backed) {
		if (d->maps[slot_of(segment)] == NULL && !map_segment(d, segment, error, size))
			return false;
	} else if (!register_file(d, segment, d->directory->segments[slot_of(segment)], error,
			   size)) {
		return false;
	}
	__atomic_store_n(&d->segments, segment + 1, __ATOMIC_RELEASE); /* disk_segments. */
	return true;
}

bool disk_add_segment(struct disk *d, const uint8_t *blank, char *error, size_t size)
{
	return directory_add_segment(d->directory, blank, error, size) &&
		take_segment(d, error, size);
}

bool disk_recycle_segment(struct disk *d, char *error, size_t size)
{
	const uint64_t freed = d->directory->segments_first;

	if (!directory_recycle_segment(d->directory, error, size))
		return false;
	uint8_t *map = d->maps[slot_of(freed)];

	/* The file has another name, and is mapped as before. Nobody writes to what was freed. */
	d->maps[slot_of(freed)] = NULL;
	d->maps[slot_of(d->directory->segments_end - 1)] = map;
	return (d->directory->memory_backed || register_file(d, freed, -1, error, size)) &&
		take_segment(d, error, size);
}

bool disk_drop_segment(struct disk *d, char *error, size_t size)
{
	const uint64_t freed = d->directory->segments_first;

	if (!directory_drop_segment(d->directory, error, size))
		return false;
	if (!d->directory->memory_backed)
		return register_file(d, freed, -1, error, size);
	munmap(d->maps[slot_of(freed)], d->directory->segment_bytes);
	d->maps[slot_of(freed)] = NULL;
	return true;
}

/* ---- Writing ---- */

static struct disk_flight *flight(struct disk *d, uint64_t number)
{
	return &d->flights[number & (DISK_FLIGHTS - 1)];
}

static void submit(struct disk *d, uint64_t number, const uint8_t *from)
{
	struct disk_flight *f = flight(d, number);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);

	CHECK(sqe != NULL); /* It has an entry for each flight, and each is submitted at once. */
	io_uring_prep_write_fixed(sqe, (int)f->file, from, f->bytes, f->offset, BUFFER_INDEX);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, number);

	int submitted = io_uring_submit(&d->ring);

	if (submitted == 1)
		return;
	/* The kernel did not take it, and is not asked again. */
	f->ended = true;
	f->result = submitted < 0 ? submitted : -EAGAIN;
}

static struct disk_flight *begin(struct disk *d, const struct disk_flight *what)
{
	struct disk_flight *f = flight(d, d->begun);

	CHECK(disk_room(d) > 0);
	*f = *what;
	return f;
}

/* In memory it is a copy, done before another thread could have heard of it. */
static int32_t copy_blocks(struct disk *d, const struct disk_flight *f, const uint8_t *from)
{
	uint8_t *to = d->maps[slot_of(f->segment)] + f->offset;

	for (uint32_t at = 0; at < f->bytes; at += JOURNAL_BLOCK_BYTES)
		journal_block_copy(to + at, from + at);
	return (int32_t)f->bytes;
}

static int32_t write_now(int fd, const struct disk_flight *f, const uint8_t *from)
{
	ssize_t done = pwrite(fd, from, f->bytes, (off_t)f->offset);

	return done < 0 ? -errno : (int32_t)done;
}

void disk_write(struct disk *d, uint64_t place, const uint8_t *blocks, uint32_t blocks_count)
{
	uint64_t segment = place / d->segment_blocks;
	const struct disk_flight what = {
		.file = FILE_SEGMENT + slot_of(segment),
		.segment = segment,
		.offset = place % d->segment_blocks * JOURNAL_BLOCK_BYTES,
		.bytes = blocks_count * JOURNAL_BLOCK_BYTES,
		.ended = d->directory->memory_backed,
	};
	struct disk_flight *f = begin(d, &what);

	CHECK(segment < disk_segments(d) && f->offset + f->bytes <= d->directory->segment_bytes);
	if (f->ended)
		f->result = copy_blocks(d, f, blocks);
	else
		submit(d, d->begun, blocks);
	d->begun++;
}

void disk_write_superblock(struct disk *d, uint32_t slot, const uint8_t *block)
{
	const struct disk_flight what = {
		.file = FILE_SUPERBLOCK,
		.offset = (uint64_t)slot * JOURNAL_BLOCK_BYTES,
		.bytes = JOURNAL_BLOCK_BYTES,
		.ended = d->directory->memory_backed,
	};
	struct disk_flight *f = begin(d, &what);

	if (f->ended)
		f->result = write_now(d->directory->superblock, f, block);
	else
		submit(d, d->begun, block);
	d->begun++;
}

/* ---- Completion ---- */

static void reap(struct disk *d)
{
	struct io_uring_cqe *cqes[DISK_FLIGHTS];
	unsigned count = io_uring_peek_batch_cqe(&d->ring, cqes, DISK_FLIGHTS);

	for (unsigned i = 0; i < count; i++) {
		struct disk_flight *f = flight(d, io_uring_cqe_get_data64(cqes[i]));

		f->result = cqes[i]->res;
		f->ended = true;
	}
	io_uring_cq_advance(&d->ring, count);
}

/* Only the first cause counts: what follows comes of it. */
static void stop(struct disk *d, const struct disk_flight *f, int32_t result)
{
	char file[32] = "superblock";

	if (f->file != FILE_SUPERBLOCK)
		snprintf(file, sizeof(file), "segment-%04" PRIu64, f->segment);
	if (result >= 0)
		snprintf(d->cause, sizeof(d->cause),
			"%s/%s: of a write of %" PRIu32 " bytes at %" PRIu64 ", only %" PRId32
			" were written",
			d->directory->path, file, f->bytes, f->offset, result);
	else
		snprintf(d->cause, sizeof(d->cause),
			"%s/%s: a write of %" PRIu32 " bytes at %" PRIu64 " failed: %s",
			d->directory->path, file, f->bytes, f->offset, strerror(-result));
	__atomic_store_n(&d->stopped, true, __ATOMIC_RELEASE); /* Pairs with disk_stopped. */
}

/* What its end means, as a test may have it. */
static int32_t result_of(const struct disk *d, uint64_t number, const struct disk_flight *f)
{
	if (!f->ended)
		return DISK_HELD;
	if (__builtin_expect(d->faults != NULL, 0))
		return d->faults->result(d->faults->context, number, f->result);
	return f->result;
}

uint64_t disk_poll(struct disk *d)
{
	bool prefix = true;

	if (disk_in_flight(d) == 0 || d->stopped)
		return d->durable;
	if (!d->directory->memory_backed)
		reap(d);
	for (uint64_t n = d->durable; n < d->begun && !d->stopped; n++) {
		const struct disk_flight *f = flight(d, n);
		int32_t result = result_of(d, n, f);

		if (result == DISK_HELD) {
			prefix = false;
		} else if (result != (int32_t)f->bytes) {
			stop(d, f, result);
		} else if (prefix) {
			d->bytes += f->bytes;
			d->durable++;
		}
	}
	return d->durable;
}

/* ---- Closing ---- */

static bool all_ended(struct disk *d)
{
	for (uint64_t n = d->durable; n < d->begun; n++)
		if (!flight(d, n)->ended)
			return false;
	return true;
}

void disk_close(struct disk *d)
{
	struct io_uring_cqe *cqe;

	if (d->directory->memory_backed) {
		unmap_all(d);
		return;
	}
	/* A buffer is given back only when nobody reads it any more. */
	do {
		reap(d);
	} while (!all_ended(d) && io_uring_wait_cqe(&d->ring, &cqe) == 0);
	io_uring_unregister_files(&d->ring); /* Else the lock goes some time later. */
	io_uring_queue_exit(&d->ring);
}
