#include "dataplane/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "consensus/check.h"

enum {
	NAME_BYTES_MAX = 32,
	BLANKS_BYTES = 1 << 20,
	MODE_FOLDER = 0700,
	MODE_FILE = 0600,
	SYSFS_PATH_MAX = 96,
	LOCK_TRIES = 100,
};

/* ---- What is below ---- */

/* The physical sector of the device that holds it; 0: the kernel does not tell. */
static uint32_t sector_bytes(int fd)
{
	/* A partition's queue is its disk's. */
	static const char *const forms[] = {
		"/sys/dev/block/%u:%u/queue/physical_block_size",
		"/sys/dev/block/%u:%u/../queue/physical_block_size",
	};
	char path[SYSFS_PATH_MAX];
	uint32_t bytes = 0;
	struct stat s;

	if (fstat(fd, &s) != 0)
		return 0;
	for (size_t i = 0; bytes == 0 && i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(path, sizeof(path), i == 0 ? forms[0] : forms[1], major(s.st_dev),
			minor(s.st_dev));

		FILE *f = fopen(path, "r");

		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu32, &bytes) != 1)
			bytes = 0;
		fclose(f);
	}
	return bytes;
}

static bool is_memory(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 &&
		(s.f_type == (__typeof__(s.f_type))TMPFS_MAGIC ||
			s.f_type == (__typeof__(s.f_type))RAMFS_MAGIC);
}

static bool check_device(const struct directory *d, char *error, size_t size)
{
	bool memory = is_memory(d->folder);
	uint32_t sector = sector_bytes(d->folder);

	if (memory && !d->memory_backed) {
		snprintf(error, size,
			"journal.directory: %s is in memory and lost with it: give a directory on a "
			"disk, or say journal.memory_backed: true.",
			d->path);
		return false;
	}
	if (!memory && d->memory_backed) {
		snprintf(error, size,
			"journal.memory_backed: %s is not in memory: give false, or a directory of a "
			"tmpfs.",
			d->path);
		return false;
	}
	if (sector > JOURNAL_BLOCK_BYTES) {
		snprintf(error, size,
			"journal.directory: the device of %s has sectors of %" PRIu32
			" bytes: give a directory on one with at most %d.",
			d->path, sector, JOURNAL_BLOCK_BYTES);
		return false;
	}
	return true;
}

/* ---- Files ---- */

/* With what a write is on the device when it returns. */
static int open_flags(const struct directory *d)
{
	return O_RDWR | O_CLOEXEC | O_DSYNC | (d->memory_backed ? 0 : O_DIRECT);
}

static bool fail(const struct directory *d, const char *name, const char *what, char *error,
	size_t size)
{
	snprintf(error, size, "%s/%s can not be %s: %s.", d->path, name, what, strerror(errno));
	return false;
}

/* Whole or not at all: a part of it counts as an error. */
static bool write_all(int fd, const uint8_t *from, uint64_t bytes, uint64_t offset)
{
	ssize_t done = pwrite(fd, from, bytes, (off_t)offset);

	if (done >= 0 && (uint64_t)done != bytes)
		errno = ENOSPC;
	return done >= 0 && (uint64_t)done == bytes;
}

static bool read_all(int fd, uint8_t *to, uint64_t bytes, uint64_t offset)
{
	ssize_t done = pread(fd, to, bytes, (off_t)offset);

	if (done >= 0 && (uint64_t)done != bytes)
		errno = EIO;
	return done >= 0 && (uint64_t)done == bytes;
}

static bool open_folder(struct directory *d, const struct config *config, uint32_t replica,
	bool make, char *error, size_t size)
{
	*d = (struct directory){
		.folder = -1,
		.lock = -1,
		.superblock = -1,
		.segment_bytes = config->journal.segment_bytes,
		.memory_backed = config->journal.memory_backed,
	};
	snprintf(d->path, sizeof(d->path), "%s/replica-%" PRIu32, config->journal.directory,
		replica);
	if (make && mkdir(d->path, MODE_FOLDER) != 0 && errno != EEXIST) {
		snprintf(error, size,
			"journal.directory: %s can not be made (%s): make %s first, writable for this "
			"user.",
			d->path, strerror(errno), config->journal.directory);
		return false;
	}
	d->folder = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->folder >= 0)
		return true;
	if (errno == ENOENT)
		snprintf(error, size,
			"journal.directory: %s is not there: if this replica never ran, format it with "
			"`paxwire-ctl format`; else give it its directory back.",
			d->path);
	else
		snprintf(error, size, "journal.directory: %s can not be opened: %s.", d->path,
			strerror(errno));
	return false;
}

/* A process that was killed holds it until its last write has landed (disk.h): a moment. */
static bool take_lock(struct directory *d, char *error, size_t size)
{
	const struct timespec nap = {.tv_nsec = 10000000};

	d->lock = openat(d->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, MODE_FILE);
	if (d->lock < 0)
		return fail(d, "lock", "opened", error, size);
	for (uint32_t i = 0; i < LOCK_TRIES; i++) {
		if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return fail(d, "lock", "locked", error, size);
		nanosleep(&nap, NULL);
	}
	snprintf(error, size,
		"journal.directory: %s is in use by another process: stop that one first, or give "
		"each replica its own.",
		d->path);
	return false;
}

/* ---- Segments ---- */

static void segment_name(char name[NAME_BYTES_MAX], uint64_t segment)
{
	snprintf(name, NAME_BYTES_MAX, "segment-%04" PRIu64, segment);
}

static int *segment_fd(struct directory *d, uint64_t segment)
{
	return &d->segments[segment % CONFIG_SEGMENTS_MAX];
}

/* Is it the name of a segment? */
static bool is_segment(const char *name, uint64_t *segment)
{
	char again[NAME_BYTES_MAX];

	if (sscanf(name, "segment-%" SCNu64, segment) != 1)
		return false;
	segment_name(again, *segment);
	return strcmp(again, name) == 0;
}

/* Calls `found` for each of them, in no order. False: errno. */
static bool each_segment(struct directory *d, bool (*found)(struct directory *d, uint64_t segment))
{
	int fd = openat(d->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t segment;
	bool ok = dir != NULL;

	while (ok && (entry = readdir(dir)) != NULL)
		if (is_segment(entry->d_name, &segment))
			ok = found(d, segment);
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return ok;
}

static bool count_in(struct directory *d, uint64_t segment)
{
	d->segments_first = segment < d->segments_first ? segment : d->segments_first;
	d->segments_end = segment >= d->segments_end ? segment + 1 : d->segments_end;
	return true;
}

static bool remove_one(struct directory *d, uint64_t segment)
{
	char name[NAME_BYTES_MAX];

	segment_name(name, segment);
	return unlinkat(d->folder, name, 0) == 0;
}

static int open_file(const struct directory *d, const char *name, char *error, size_t size)
{
	int fd = openat(d->folder, name, open_flags(d));

	if (fd >= 0 || errno == ENOENT)
		return fd;
	if (errno == EINVAL)
		snprintf(error, size,
			"journal.directory: the file system of %s has no O_DIRECT: give a directory on "
			"one that has, such as ext4 or xfs.",
			d->path);
	else
		fail(d, name, "opened", error, size);
	errno = 0;
	return fd;
}

static bool open_segment(struct directory *d, uint64_t segment, char *error, size_t size)
{
	char name[NAME_BYTES_MAX];
	struct stat s;

	segment_name(name, segment);
	int fd = open_file(d, name, error, size);

	if (fd < 0 && errno == ENOENT)
		snprintf(error, size,
			"journal.directory: %s/%s is not there, and later ones are: give it back; if it "
			"is lost, so are promises, and this member must be replaced.",
			d->path, name);
	if (fd < 0)
		return false;
	*segment_fd(d, segment) = fd;
	if (fstat(fd, &s) == 0 && (uint64_t)s.st_size == d->segment_bytes)
		return true;
	snprintf(error, size,
		"journal.segment_bytes: %s/%s has %lld bytes, not %" PRIu64
		": give the size with which the directory was formatted.",
		d->path, name, (long long)s.st_size, d->segment_bytes);
	return false;
}

static bool open_segments(struct directory *d, char *error, size_t size)
{
	uint64_t end;

	d->segments_first = UINT64_MAX;
	if (!each_segment(d, count_in))
		return fail(d, "", "read", error, size);
	end = d->segments_end;
	if (end == 0)
		d->segments_first = 0;
	d->segments_end = d->segments_first;
	if (end - d->segments_first > CONFIG_SEGMENTS_MAX) {
		snprintf(error, size,
			"%s has segments %" PRIu64 " to %" PRIu64 ", which are more than %d.",
			d->path, d->segments_first, end - 1, CONFIG_SEGMENTS_MAX);
		return false;
	}
	while (d->segments_end < end) {
		*segment_fd(d, d->segments_end) = -1;
		bool opened = open_segment(d, d->segments_end++, error, size);

		if (!opened)
			return false;
	}
	return true;
}

/* From end to end: blocks that were only reserved would be turned into written ones, one by one, in
 * the middle of a commit. */
static bool write_blanks(int fd, const uint8_t *blank, uint64_t bytes)
{
	uint8_t *blanks = aligned_alloc(JOURNAL_BLOCK_BYTES, BLANKS_BYTES);
	bool ok = blanks != NULL;

	for (uint64_t at = 0; ok && at < BLANKS_BYTES; at += JOURNAL_BLOCK_BYTES)
		memcpy(blanks + at, blank, JOURNAL_BLOCK_BYTES);
	for (uint64_t at = 0; ok && at < bytes; at += BLANKS_BYTES)
		ok = write_all(fd, blanks, bytes - at < BLANKS_BYTES ? bytes - at : BLANKS_BYTES,
			at);
	int failed = errno;

	free(blanks);
	errno = failed;
	return ok && fsync(fd) == 0;
}

bool directory_add_segment(struct directory *d, const uint8_t *blank, char *error, size_t size)
{
	const int flags = (open_flags(d) & ~O_DSYNC) | O_CREAT | O_TRUNC;
	char name[NAME_BYTES_MAX];

	if (d->segments_end - d->segments_first == CONFIG_SEGMENTS_MAX) {
		snprintf(error, size, "%s has %d segments, which is the most.", d->path,
			CONFIG_SEGMENTS_MAX);
		return false;
	}
	segment_name(name, d->segments_end);

	int fd = openat(d->folder, "segment-new", flags, MODE_FILE);
	bool ok = fd >= 0 && write_blanks(fd, blank, d->segment_bytes) &&
		renameat(d->folder, "segment-new", d->folder, name) == 0 && fsync(d->folder) == 0;

	if (!ok)
		fail(d, name, "written", error, size);
	if (!ok && fd >= 0)
		unlinkat(d->folder, "segment-new", 0); /* Its room is given back. */
	if (fd >= 0)
		close(fd);
	if (!ok)
		return false;
	fd = open_file(d, name, error, size);
	if (fd < 0)
		return false;
	*segment_fd(d, d->segments_end++) = fd;
	return true;
}

bool directory_recycle_segment(struct directory *d, char *error, size_t size)
{
	char from[NAME_BYTES_MAX];
	char to[NAME_BYTES_MAX];

	CHECK(d->segments_end - d->segments_first >= 2);
	segment_name(from, d->segments_first);
	segment_name(to, d->segments_end);
	/* Durable before it is written to, and one by one: there never is a hole. */
	if (renameat(d->folder, from, d->folder, to) != 0 || fsync(d->folder) != 0)
		return fail(d, from, "renamed", error, size);
	*segment_fd(d, d->segments_end++) = *segment_fd(d, d->segments_first++);
	return true;
}

bool directory_drop_segment(struct directory *d, char *error, size_t size)
{
	char name[NAME_BYTES_MAX];

	CHECK(d->segments_end - d->segments_first >= 2);
	segment_name(name, d->segments_first);
	/* Durable before the next one goes: there never is a hole. */
	if (unlinkat(d->folder, name, 0) != 0 || fsync(d->folder) != 0)
		return fail(d, name, "removed", error, size);
	close(*segment_fd(d, d->segments_first++));
	return true;
}

/* ---- The whole ---- */

static bool open_all(struct directory *d, const struct config *config, uint32_t replica, bool make,
	char *error, size_t size)
{
	if (!open_folder(d, config, replica, make, error, size) || !take_lock(d, error, size) ||
		!check_device(d, error, size))
		return false;
	d->superblock = open_file(d, "superblock", error, size);
	return d->superblock >= 0 || errno == ENOENT;
}

bool directory_open(struct directory *d, const struct config *config, uint32_t replica, char *error,
	size_t size)
{
	bool ok = open_all(d, config, replica, false, error, size);

	if (ok && d->superblock < 0) {
		snprintf(error, size,
			"journal.directory: %s is not formatted: if this replica never ran, format it "
			"with `paxwire-ctl format`; else it has lost its promises and must be "
			"replaced.",
			d->path);
		ok = false;
	}
	ok = ok && open_segments(d, error, size);
	if (!ok)
		directory_close(d);
	return ok;
}

/* A snapshot of an earlier identity says nothing of this one's journal. */
static bool remove_old(struct directory *d)
{
	return each_segment(d, remove_one) &&
		(unlinkat(d->folder, "snapshot", 0) == 0 || errno == ENOENT);
}

static bool create_superblocks(struct directory *d, const uint8_t *blocks)
{
	const int flags = open_flags(d) | O_CREAT | O_TRUNC;
	int fd = openat(d->folder, "superblock-new", flags, MODE_FILE);
	bool ok = fd >= 0 && write_all(fd, blocks, SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES, 0) &&
		fsync(fd) == 0 &&
		renameat(d->folder, "superblock-new", d->folder, "superblock") == 0 &&
		fsync(d->folder) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The folder's own name, in the folder above it. */
static bool sync_above(const struct config *config)
{
	int above = open(config->journal.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = above >= 0 && fsync(above) == 0;

	if (above >= 0)
		close(above);
	return ok;
}

static bool format(struct directory *d, const struct config *config,
	const struct directory_image *image, char *error, size_t size)
{
	if (d->superblock >= 0) {
		snprintf(error, size,
			"%s is formatted already: to give up all that it holds, remove it first.",
			d->path);
		return false;
	}
	/* What a formatting left that broke off. */
	if (!remove_old(d))
		return fail(d, "segment-0000", "removed", error, size);
	while (d->segments_end < config->journal.segments)
		if (!directory_add_segment(d, image->blank, error, size))
			return false;
	if (!write_all(d->segments[0], image->first, JOURNAL_BLOCK_BYTES, 0))
		return fail(d, "segment-0000", "written", error, size);
	return (sync_above(config) && create_superblocks(d, image->superblocks)) ||
		fail(d, "superblock", "written", error, size);
}

bool directory_format(const struct config *config, uint32_t replica,
	const struct directory_image *image, char *error, size_t size)
{
	struct directory d;
	bool ok = open_all(&d, config, replica, true, error, size) &&
		format(&d, config, image, error, size);

	directory_close(&d);
	return ok;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void directory_close(struct directory *d)
{
	for (uint64_t i = d->segments_first; i < d->segments_end; i++)
		close_one(segment_fd(d, i));
	d->segments_end = d->segments_first;
	close_one(&d->superblock);
	close_one(&d->lock);
	close_one(&d->folder);
}

/* ---- Blocks ---- */

bool directory_read_superblocks(struct directory *d, uint8_t *blocks, char *error, size_t size)
{
	return read_all(d->superblock, blocks, SUPERBLOCK_SLOTS * JOURNAL_BLOCK_BYTES, 0) ||
		fail(d, "superblock", "read", error, size);
}

bool directory_write_superblock(struct directory *d, uint32_t slot, const uint8_t *block,
	char *error, size_t size)
{
	return write_all(d->superblock, block, JOURNAL_BLOCK_BYTES,
		       (uint64_t)slot * JOURNAL_BLOCK_BYTES) ||
		fail(d, "superblock", "written", error, size);
}

bool directory_read(struct directory *d, uint64_t segment, uint64_t offset, uint8_t *to,
	uint64_t bytes, char *error, size_t size)
{
	char name[NAME_BYTES_MAX];

	if (read_all(*segment_fd(d, segment), to, bytes, offset))
		return true;
	segment_name(name, segment);
	return fail(d, name, "read", error, size);
}
