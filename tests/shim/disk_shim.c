/* SPDX-License-Identifier: MIT */
/*
 * Makes the disk fail under a program that knows nothing of it: loaded by LD_PRELOAD, it stands
 * between SQLite and the C library.
 *
 *   DISK_SHIM_PREFIX   only files whose path begins so are touched
 *   DISK_SHIM_TRIGGER  while this file exists, what its content names fails: "write 5" (every
 *                      write, with errno 5), "sync 5" (fsync and fdatasync). Outside the prefix.
 *
 * A failed call does nothing; errno is the number given. Looked at anew with each call, so a test
 * switches it at any moment; renaming the trigger into place keeps it from being read half-written.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The C library's own. */
static struct {
	ssize_t (*write)(int fd, const void *bytes, size_t n);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t n, off_t at);
	ssize_t (*pwrite64)(int fd, const void *bytes, size_t n, off64_t at);
	ssize_t (*pwritev)(int fd, const struct iovec *parts, int n, off_t at);
	int (*fsync)(int fd);
	int (*fdatasync)(int fd);
} real;

__attribute__((constructor)) static void find_real(void)
{
	*(void **)&real.write = dlsym(RTLD_NEXT, "write");
	*(void **)&real.pwrite = dlsym(RTLD_NEXT, "pwrite");
	*(void **)&real.pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
	*(void **)&real.pwritev = dlsym(RTLD_NEXT, "pwritev");
	*(void **)&real.fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real.fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

static bool is_ours(int fd)
{
	char link[64], path[4096];
	const char *prefix = getenv("DISK_SHIM_PREFIX");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = prefix ? readlink(link, path, sizeof(path) - 1) : -1;
	if (len < 0)
		return false;
	path[len] = '\0';
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* Reads the trigger by calls that are not wrapped here. True: what is to fail, with errno set. */
static bool fails(int fd, const char *what)
{
	const char *trigger = getenv("DISK_SHIM_TRIGGER");
	char text[64] = "", name[16];
	int number, saved = errno;
	int file = trigger ? open(trigger, O_RDONLY | O_CLOEXEC) : -1;
	if (file >= 0) {
		ssize_t len = read(file, text, sizeof(text) - 1);
		text[len > 0 ? len : 0] = '\0';
		close(file);
	}
	errno = saved;
	if (sscanf(text, "%15s %d", name, &number) != 2 || strcmp(name, what) || !is_ours(fd)) {
		errno = saved;
		return false;
	}
	errno = number;
	return true;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t n)
{
	return fails(fd, "write") ? -1 : real.write(fd, bytes, n);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return fails(fd, "write") ? -1 : real.pwrite(fd, bytes, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
	return fails(fd, "write") ? -1 : real.pwrite64(fd, bytes, n, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	return fails(fd, "write") ? -1 : real.pwritev(fd, parts, n, at);
}

EXPORT int fsync(int fd)
{
	return fails(fd, "sync") ? -1 : real.fsync(fd);
}

EXPORT int fdatasync(int fd)
{
	return fails(fd, "sync") ? -1 : real.fdatasync(fd);
}
