/* SPDX-License-Identifier: MIT */
/*
 * Reading the files that settings come from: whole, bounded, never blocking on a FIFO that somebody
 * put in a secret's place, and telling why one cannot be used.
 */
#include "daemon/settings_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int refuse_open(const char *path, int error, struct bc_err *err)
{
	int code = error == ENOENT || error == ENOTDIR ? BC_ENOENT : BC_EIO;

	bc_err_set(err, code, "\"%s\" cannot be read: %s", path, strerror(error));
	if (error == EACCES)
		bc_err_hint(err, "let the user that runs backchannel read it (chown, chmod)");
	else if (code == BC_ENOENT)
		bc_err_hint(err, "check the path");
	return code;
}

static int fill(int fd, const char *path, size_t max_bytes, struct bc_buf *out, struct bc_err *err)
{
	for (;;) {
		/* One byte more than allowed tells too long from just right. */
		size_t want = max_bytes + 1 - out->len;
		char *room = bc_buf_room(out, want < 4096 ? want : 4096);
		ssize_t n;

		if (!room)
			return bc_err_nomem(err);
		n = read(fd, room, want < 4096 ? want : 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse_open(path, errno, err);
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len > max_bytes)
			return bc_err_tell(err, BC_ETOOBIG,
					   "name another file, or shorten this one: settings and "
					   "keys are small",
					   "\"%s\" is larger than %zu KiB", path, max_bytes / 1024);
	}
}

int bc_settings_read_file(const char *path, size_t max_bytes, bool want_regular, struct bc_buf *out,
			  struct stat *ret_stat, struct bc_err *err)
{
	BC_CLEANUP(close_fd)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (want_regular ? O_NONBLOCK : 0));

	if (fd < 0 || fstat(fd, ret_stat))
		return refuse_open(path, errno, err);
	if (want_regular && !S_ISREG(ret_stat->st_mode)) {
		bc_err_set(err, BC_EINVAL, "\"%s\" is not a regular file", path);
		bc_err_hint(err, "name a file that holds the text itself");
		return BC_EINVAL;
	}
	return fill(fd, path, max_bytes, out, err);
}

int bc_settings_check_trusted(const struct stat *st, struct bc_err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		bc_err_set(err, BC_EINVAL, "it belongs to neither this user nor root");
		bc_err_hint(err, "chown it, if you trust what it says");
		return BC_EINVAL;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		bc_err_set(err, BC_EINVAL, "others than its owner can write to it");
		bc_err_hint(err, "chmod go-w, if you trust what it says");
		return BC_EINVAL;
	}
	return 0;
}
