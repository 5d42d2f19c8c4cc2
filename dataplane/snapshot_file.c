#include "dataplane/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE_BYTES = 1 << 20,
	MODE_FILE = 0600,
};

static const char name_new[] = "snapshot-new";
static const char name_kept[] = "snapshot";

/* Out of aligned memory, in whole blocks: what is behind its end is cut off again. */
static bool write_pieces(int fd, uint8_t *piece, const uint8_t *bytes, uint64_t length)
{
	for (uint64_t at = 0; at < length; at += PIECE_BYTES) {
		uint64_t part = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
		uint64_t whole = (part + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES *
			JOURNAL_BLOCK_BYTES;

		memcpy(piece, bytes + at, part);
		memset(piece + part, 0, whole - part);
		ssize_t done = pwrite(fd, piece, whole, (off_t)at);

		if (done >= 0 && (uint64_t)done != whole)
			errno = ENOSPC;
		if (done < 0 || (uint64_t)done != whole)
			return false;
	}
	return ftruncate(fd, (off_t)length) == 0;
}

static bool replace(struct directory *d, const uint8_t *bytes, uint64_t length)
{
	const int flags =
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | (d->memory_backed ? 0 : O_DIRECT);
	uint8_t *piece = aligned_alloc(JOURNAL_BLOCK_BYTES, PIECE_BYTES);
	int fd = piece == NULL ? -1 : openat(d->folder, name_new, flags, MODE_FILE);
	bool ok = fd >= 0 && write_pieces(fd, piece, bytes, length) && fsync(fd) == 0 &&
		renameat(d->folder, name_new, d->folder, name_kept) == 0 && fsync(d->folder) == 0;
	int failed = errno;

	free(piece);
	if (fd >= 0)
		close(fd);
	errno = failed;
	return ok;
}

enum snapshot_file_result snapshot_file_write(struct directory *d, const uint8_t *bytes,
	uint64_t length, char *error, size_t size)
{
	if (replace(d, bytes, length))
		return SNAPSHOT_FILE_KEPT;
	bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

	snprintf(error, size,
		"%s/%s of %" PRIu64
		" bytes can not be written: %s: until one can, the journal grows.",
		d->path, name_kept, length, strerror(errno));
	snapshot_file_clean(d); /* Its room is given back. */
	return full ? SNAPSHOT_FILE_FULL : SNAPSHOT_FILE_FAILED;
}

static bool read_whole(int fd, uint8_t *to, uint64_t length)
{
	for (uint64_t at = 0; at < length;) {
		ssize_t done = pread(fd, to + at, length - at, (off_t)at);

		if (done == 0)
			errno = EIO;
		if (done <= 0)
			return false;
		at += (uint64_t)done;
	}
	return true;
}

bool snapshot_file_read(struct directory *d, uint8_t *to, uint64_t room, uint64_t *length,
	char *error, size_t size)
{
	int fd = openat(d->folder, name_kept, O_RDONLY | O_CLOEXEC);
	struct stat s;

	*length = 0;
	if (fd < 0 && errno == ENOENT)
		return true;
	bool ok = fd >= 0 && fstat(fd, &s) == 0;

	if (ok && (uint64_t)s.st_size > room) {
		errno = EFBIG;
		ok = false;
	}
	ok = ok && read_whole(fd, to, (uint64_t)s.st_size);
	if (ok)
		*length = (uint64_t)s.st_size;
	else
		snprintf(error, size, "%s/%s can not be read: %s.", d->path, name_kept,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

void snapshot_file_clean(struct directory *d)
{
	unlinkat(d->folder, name_new, 0);
}
