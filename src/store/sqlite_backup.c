/* SPDX-License-Identifier: MIT */
/*
 * A copy of the open store, made by the thread that has it, a little after each batch: the file is
 * locked, so nobody else could. What is committed meanwhile reaches the pages that were copied
 * already by SQLite itself, since it is the same connection; so the copy ends as the store stands
 * then, and no commit waits for more than one step.
 *
 * The copy needs no log and no fsync of its own: one that a crash cuts short is thrown away.
 */
#include "store/sqlite_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum {
	STEP_PAGES = 16,
	STEP_US = 1000, /* what an operation waits at most */
	FORGOTTEN_MS = 10 * 60 * 1000
};

const char *const bc_backup_state_name[] = { "none", "running", "done", "failed" };

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Lets go of SQLite's half of it; the file stays. */
static void let_go(struct sq_backup *b)
{
	if (b->copy)
		(void)sqlite3_backup_finish(b->copy);
	sqlite3_close(b->to);
	b->copy = NULL;
	b->to = NULL;
}

static void drop(struct sq_backup *b)
{
	let_go(b);
	if (b->state != BC_BACKUP_NONE)
		(void)unlink(b->path);
	b->state = BC_BACKUP_NONE;
	b->pages = b->of = 0;
}

static void fail(struct sq_backup *b, const char *why)
{
	let_go(b);
	(void)unlink(b->path);
	b->state = BC_BACKUP_FAILED;
	bc_err_clear(&b->err);
	bc_err_set(&b->err, BC_EIO, "the copy \"%s\" could not be made: %s", b->path, why);
	bc_err_hint(&b->err, "it needs as much free space beside the store as the store has now");
}

/* --- beginning ------------------------------------------------------------------------------- */

static bool has_room(const struct sq *e, uint64_t pages)
{
	struct statvfs fs;
	return statvfs(e->path, &fs) ||
	       (uint64_t)fs.f_bavail * fs.f_frsize / SQ_PAGE_BYTES > pages + pages / 16;
}

static uint64_t store_pages(struct sq *e)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t pages = 0;
	if (sqlite3_prepare_v2(e->db, "PRAGMA page_count", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		pages = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return pages;
}

static int open_target(struct sq_backup *b)
{
	(void)unlink(b->path);
	int fd = open(b->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return SQLITE_CANTOPEN;
	close(fd);
	int rc = sqlite3_open_v2(b->path, &b->to,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX,
				 NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
				  NULL, NULL, NULL);
	return rc;
}

static void begin(struct sq *e)
{
	struct sq_backup *b = &e->backup;
	drop(b);
	b->of = store_pages(e);
	if (!has_room(e, b->of)) {
		fail(b, strerror(ENOSPC));
		return;
	}
	int rc = open_target(b);
	if (rc == SQLITE_OK) {
		b->state = BC_BACKUP_RUNNING;
		b->copy = sqlite3_backup_init(b->to, "main", e->db, "main");
		rc = sqlite3_errcode(b->to);
	}
	if (rc != SQLITE_OK)
		fail(b, rc == SQLITE_CANTOPEN ? strerror(errno) : sqlite3_errstr(rc));
}

/* --- going on -------------------------------------------------------------------------------- */

static void step(struct sq_backup *b)
{
	uint64_t end = now_us() + STEP_US;
	int rc;
	do
		rc = sqlite3_backup_step(b->copy, STEP_PAGES);
	while (rc == SQLITE_OK && now_us() < end);
	b->of = (uint64_t)sqlite3_backup_pagecount(b->copy);
	b->pages = b->of - (uint64_t)sqlite3_backup_remaining(b->copy);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return;
	if (rc != SQLITE_DONE) {
		fail(b, sqlite3_errstr(rc));
		return;
	}
	let_go(b);
	b->state = BC_BACKUP_DONE;
}

uint32_t sq_backup_tend(struct sq *e)
{
	struct sq_backup *b = &e->backup;
	uint64_t now_ms = bc_elapsed_ms(e->clock);
	if (b->state == BC_BACKUP_NONE)
		return BC_TEND_NEVER;
	if (now_ms >= b->seen_ms + FORGOTTEN_MS) {
		drop(b);
		return BC_TEND_NEVER;
	}
	if (b->state == BC_BACKUP_RUNNING)
		step(b);
	return b->state == BC_BACKUP_RUNNING ? 0 : (uint32_t)(b->seen_ms + FORGOTTEN_MS - now_ms);
}

/* --- the operation --------------------------------------------------------------------------- */

static int tell(struct sq *e, struct bc_store_op *op)
{
	const struct sq_backup *b = &e->backup;
	struct bc_backup_view *v = &op->out.backup;
	*v = (struct bc_backup_view){ .state = b->state, .pages = b->pages, .of = b->of };
	const struct {
		const char *from;
		struct bc_str *to;
		bool there;
	} texts[] = { { b->path, &v->path, b->state != BC_BACKUP_NONE },
		      { b->err.text, &v->problem, b->state == BC_BACKUP_FAILED },
		      { b->err.hint, &v->hint, b->state == BC_BACKUP_FAILED } };
	for (size_t i = 0; i < BC_COUNT(texts); i++) {
		if (!texts[i].there)
			continue;
		size_t n = strlen(texts[i].from);
		char *copy = bc_arena_dup(op->arena, texts[i].from, n);
		if (!copy)
			return sq_no_memory(e);
		*texts[i].to = (struct bc_str){ copy, n };
	}
	return 0;
}

int sq_backup(struct sq *e, struct bc_store_op *op)
{
	struct sq_backup *b = &e->backup;
	b->seen_ms = bc_elapsed_ms(e->clock);
	if (op->in.backup.wish == BC_BACKUP_BEGIN && b->state == BC_BACKUP_RUNNING) {
		op->result = bc_err_set(&op->err, BC_ESTATE, "a copy of the store is being made");
		bc_err_hint(&op->err, "wait for its end, or drop it");
		return 0;
	}
	if (op->in.backup.wish == BC_BACKUP_BEGIN)
		begin(e);
	else if (op->in.backup.wish == BC_BACKUP_DROP)
		drop(b);
	return tell(e, op);
}

int sq_backup_open(struct sq *e, struct bc_err *err)
{
	if (asprintf(&e->backup.path, "%s" BC_BACKUP_SUFFIX, e->path) < 0) {
		e->backup.path = NULL;
		return bc_err_nomem(err);
	}
	(void)unlink(e->backup.path); /* what a killed process left */
	return 0;
}

void sq_backup_close(struct sq *e)
{
	if (e->backup.path)
		drop(&e->backup);
	free(e->backup.path);
}
