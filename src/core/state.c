/* SPDX-License-Identifier: MIT */
/* See state.h. */
#include "core/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

enum { HASH_KEY_BYTES = 32, PATH_BYTES = 4096 };

struct bc_state_lock {
	int fd;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define autoclose BC_CLEANUP(close_fd)

static int make_parents(char *path, struct bc_err *err)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int result = mkdir(path, 0755);
		*slash = '/';
		if (result && errno != EEXIST)
			return bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
					   "cannot make the directory above \"%s\": %s", path,
					   strerror(errno));
	}
	return 0;
}

int bc_state_dir_make(const char *path, struct bc_err *err)
{
	struct stat st;
	bc_autofree char *copy = strdup(path);
	if (!copy)
		return bc_err_nomem(err);
	int made = mkdir(path, 0700) ? errno : 0;
	if (made == ENOENT) {
		int result = make_parents(copy, err);
		if (result)
			return result;
		made = 0;
		if (mkdir(path, 0700) && errno != EEXIST)
			return bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
					   "cannot make the state directory \"%s\": %s", path,
					   strerror(errno));
	}
	if (stat(path, &st)) {
		bc_err_set(err, BC_EIO, "cannot use the state directory \"%s\": %s", path,
			   strerror(made && made != EEXIST ? made : errno));
		bc_err_hint(err, "set BACKCHANNEL_STATE to a directory this user may write");
		return BC_EIO;
	}
	if (!S_ISDIR(st.st_mode))
		return bc_err_tell(err, BC_EINVAL,
				   "set BACKCHANNEL_STATE to a directory, or move that file away",
				   "the state directory \"%s\" is not a directory", path);
	if (st.st_mode & 022) {
		bc_err_set(err, BC_EINVAL, "the state directory \"%s\" may be written by others",
			   path);
		bc_err_hint(err, "chmod 700 \"%s\"", path);
		return BC_EINVAL;
	}
	return 0;
}

static int refuse_locked(int fd, const char *dir, struct bc_err *err)
{
	char holder[128] = "";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
	holder[n > 0 ? n : 0] = '\0';
	holder[strcspn(holder, "\n")] = '\0';
	bc_err_set(err, BC_EBUSY, "the state directory \"%s\" is in use by %s", dir,
		   holder[0] ? holder : "another process");
	bc_err_hint(err, "one daemon a store: stop that one, or give this one its own "
			 "BACKCHANNEL_STATE");
	return BC_EBUSY;
}

int bc_state_lock(const char *dir, struct bc_state_lock **ret_lock, struct bc_err *err)
{
	char path[PATH_BYTES];
	if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path))
		return bc_err_tell(err, BC_EINVAL, "choose a shorter path for BACKCHANNEL_STATE",
				   "the state directory's path is too long");
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		bc_err_set(err, BC_EIO, "cannot open \"%s\": %s", path, strerror(errno));
		bc_err_hint(err, "the state directory must be writable by this user");
		return BC_EIO;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return refuse_locked(fd, dir, err);
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno), "cannot lock \"%s\": %s",
				   path, strerror(errno));
	}
	struct bc_state_lock *lock = calloc(1, sizeof(*lock));
	if (!lock)
		return bc_err_nomem(err);
	lock->fd = fd;
	fd = -1;
	bc_state_lock_note(lock, "");
	*ret_lock = lock;
	return 0;
}

/* Only for people's eyes; failing to write it changes nothing. */
void bc_state_lock_note(struct bc_state_lock *lock, const char *address)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "process %ld%s%s\n", (long)getpid(),
			 address[0] ? " at " : "", address);
	if (ftruncate(lock->fd, 0) == 0 && pwrite(lock->fd, text, (size_t)n, 0) < 0)
		return;
}

void bc_state_unlock(struct bc_state_lock *lock)
{
	if (!lock)
		return;
	close(lock->fd);
	free(lock);
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n <= 0)
			return BC_EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? BC_EIO : 0;
}

/* Written beside and renamed, so that a crash leaves a whole key or none. */
static int make_key(const char *dir, const char *path, uint8_t key[HASH_KEY_BYTES],
		    struct bc_err *err)
{
	char temporary[PATH_BYTES + 8];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	bc_random(key, HASH_KEY_BYTES);
	autoclose int fd =
		open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	autoclose int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && folder >= 0 && write_all(fd, key, HASH_KEY_BYTES) == 0 &&
	    rename(temporary, path) == 0 && fsync(folder) == 0)
		return 0;
	bc_err_set(err, BC_EIO, "cannot write \"%s\": %s", path, strerror(errno));
	bc_err_hint(err, "the state directory needs free space and must be writable by this user");
	return BC_EIO;
}

static int read_key(int fd, const char *path, uint8_t key[HASH_KEY_BYTES], struct bc_err *err)
{
	uint8_t bytes[HASH_KEY_BYTES + 1];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	if (n != HASH_KEY_BYTES) {
		bc_err_set(err, BC_EINVAL,
			   "the hash key \"%s\" is damaged: %zd bytes instead of %d", path, n,
			   HASH_KEY_BYTES);
		bc_err_hint(err, "restore it from a back-up; without it sessions and tokens of "
				 "stored clicks cannot be found again");
		return BC_EINVAL;
	}
	memcpy(key, bytes, HASH_KEY_BYTES);
	bc_wipe(bytes, sizeof(bytes));
	return 0;
}

static int take_key(uint8_t key[HASH_KEY_BYTES], struct bc_secret **ret_key, struct bc_err *err)
{
	*ret_key = bc_secret_create(key, HASH_KEY_BYTES);
	bc_wipe(key, HASH_KEY_BYTES);
	return *ret_key ? 0 : bc_err_nomem(err);
}

int bc_state_hash_key_read(const char *path, struct bc_secret **ret_key, struct bc_err *err)
{
	uint8_t key[HASH_KEY_BYTES];
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		int code = errno == ENOENT ? BC_ENOENT : BC_EIO;
		return bc_err_tell(err, code, bc_errno_hint(errno),
				   "cannot read the hash key \"%s\": %s", path, strerror(errno));
	}
	int result = read_key(fd, path, key, err);
	return result ? result : take_key(key, ret_key, err);
}

int bc_state_hash_key(const char *dir, struct bc_secret **ret_key, struct bc_err *err)
{
	char path[PATH_BYTES];
	uint8_t key[HASH_KEY_BYTES];
	if (snprintf(path, sizeof(path), "%s/hash.key", dir) >= (int)sizeof(path))
		return bc_err_tell(err, BC_EINVAL, "choose a shorter path for BACKCHANNEL_STATE",
				   "the state directory's path is too long");
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result;
	if (fd < 0 && errno != ENOENT)
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno), "cannot read \"%s\": %s",
				   path, strerror(errno));
	result = fd < 0 ? make_key(dir, path, key, err) : read_key(fd, path, key, err);
	return result ? result : take_key(key, ret_key, err);
}
