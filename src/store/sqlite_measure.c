/* SPDX-License-Identifier: MIT */
/* What the store takes on disk, its log too, and what its file system has left for it. */
#include "store/sqlite_impl.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

bool sq_measure(void *engine, uint64_t *ret_bytes, uint64_t *ret_free_bytes)
{
	struct sq *e = engine;
	struct statvfs fs;
	struct stat file, log;
	bc_autofree char *wal = NULL;
	if (asprintf(&wal, "%s-wal", e->path) < 0) {
		wal = NULL;
		return false;
	}
	if (stat(e->path, &file) || statvfs(e->path, &fs))
		return false;
	if (stat(wal, &log))
		log.st_size = 0; /* nothing was written yet */
	*ret_bytes = (uint64_t)file.st_size + (uint64_t)log.st_size;
	*ret_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return true;
}
