/* SPDX-License-Identifier: MIT */
/* See backup.h: files that are whole or not there, and nobody else's to read. */
#include "cli/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

enum { CHUNK_BYTES = 1024 * 1024 };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define autoclose BC_CLEANUP(close_fd)

static int failed(const char *what, const char *path, struct bc_err *err)
{
	int error = errno;
	bc_err_set(err, BC_EIO, "cannot %s \"%s\": %s", what, path, strerror(error));
	if (error == EACCES || error == EPERM)
		bc_err_hint(err, "run it as root, or as the user who runs the daemon");
	else if (error == ENOSPC || error == EDQUOT)
		bc_err_hint(err, "free space there, or name a file elsewhere");
	else if (error == ENOENT)
		bc_err_hint(err, "check the path, and that this is the daemon's machine");
	else if (error == EEXIST)
		bc_err_hint(err, "is another back-up under way? else remove that file");
	else
		bc_err_hint(err, "look for disk errors (dmesg)");
	return BC_EIO;
}

const char *backup_store_path(const struct bc_settings *s, struct bc_err *err)
{
	static const char sqlite[] = "sqlite:";
	if (strncmp(s->store, sqlite, sizeof(sqlite) - 1) == 0)
		return s->store + sizeof(sqlite) - 1;
	bc_err_set(err, BC_EINVAL, "store \"%.*s\" cannot be backed up",
		   (int)strcspn(s->store, ":") + 1, s->store);
	bc_err_hint(err, strcmp(s->store, "memory:") == 0
				 ? "it forgets everything at the end: use store = sqlite:PATH"
				 : "only sqlite:PATH can");
	return NULL;
}

char *backup_path(const char *a, const char *b)
{
	char *path;
	return asprintf(&path, "%s%s", a, b) < 0 ? NULL : path;
}

bool backup_is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int pump(int from, int to, uint64_t of, const struct bc_backup_progress *progress)
{
	bc_autofree char *chunk = malloc(CHUNK_BYTES);
	uint64_t done = 0;
	ssize_t n = -1;
	while (chunk && (n = read(from, chunk, CHUNK_BYTES)) > 0) {
		if (write_all(to, chunk, (size_t)n))
			return -1;
		done += (uint64_t)n;
		progress->tell(progress->ctx, "copying", done, of);
	}
	return n < 0 ? -1 : 0;
}

int backup_copy_file(const char *from, const char *to, const struct bc_backup_progress *progress,
		     struct bc_err *err)
{
	struct stat st;
	autoclose int in = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in < 0 || fstat(in, &st))
		return failed("read", from, err);
	if (!S_ISREG(st.st_mode))
		return bc_err_tell(err, BC_EINVAL,
				   "name the file itself: no directory, link or device",
				   "\"%s\" is not a regular file", from);
	autoclose int out = create(to);
	if (out < 0)
		return failed("make", to, err);
	return pump(in, out, (uint64_t)st.st_size, progress) ? failed("write", to, err) : 0;
}

int backup_write_key(const char *path, const struct bc_secret *key, struct bc_err *err)
{
	autoclose int fd = create(path);
	if (fd < 0)
		return failed("make", path, err);
	return write_all(fd, bc_secret_reveal(key), bc_secret_len(key)) ? failed("write", path, err)
									: 0;
}

static int sync_path(const char *path, int flags)
{
	autoclose int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

int backup_put(const char *part, const char *path, bool replace, struct bc_err *err)
{
	bc_autofree char *copy = strdup(path);
	if (!copy)
		return bc_err_nomem(err);
	if (sync_path(part, O_RDONLY))
		return failed("bring to disk", part, err);
	int moved = replace ? rename(part, path)
			    : renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE);
	/* Not every file system can tell; whether it is there was asked before, then. */
	if (moved && !replace && errno == EINVAL)
		moved = rename(part, path);
	if (moved)
		return failed("put in place", path, err);
	return sync_path(dirname(copy), O_RDONLY | O_DIRECTORY)
		       ? failed("bring to disk the folder of", path, err)
		       : 0;
}

int backup_give_away(const char *path, struct bc_err *err)
{
	struct stat st;
	bc_autofree char *copy = strdup(path);
	if (!copy)
		return bc_err_nomem(err);
	if (geteuid() != 0)
		return 0;
	if (stat(dirname(copy), &st) || lchown(path, st.st_uid, st.st_gid))
		return failed("give to the owner of its folder", path, err);
	return 0;
}
