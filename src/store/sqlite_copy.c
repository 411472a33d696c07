/* SPDX-License-Identifier: MIT */
/*
 * Copies of a store that nothing has open, and what is in a copy; see backup.h. Nothing here
 * upgrades: a store is copied as it is, so that one made before an upgrade can be had back.
 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "store/sqlite_impl.h"

enum { COPY_PAGES = 512, CHECK_OPS = 100 * 1000, URI_MAX_BYTES = 16 * 1024 };

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}
#define AUTOCLOSE BC_CLEANUP(close_db) sqlite3

static void tell(const struct bc_backup_progress *p, const char *what, uint64_t done, uint64_t of)
{
	if (p)
		p->tell(p->ctx, what, done, of);
}

static const struct {
	int rc, code;
	const char *what, *hint;
} rows[] = {
	{ SQLITE_BUSY, BC_EBUSY, "is in use by another process",
	  "a running daemon is asked for the copy: let BACKCHANNEL_URL name it" },
	{ SQLITE_CORRUPT, BC_ESTORE, "is damaged", "take an older back-up" },
	{ SQLITE_NOTADB, BC_EINVAL, "is no store of backchannel",
	  "name the file that backchannel backup made" },
	{ SQLITE_FULL, BC_EIO, "has no space left", "free space on its file system" },
	{ SQLITE_READONLY, BC_EIO, "may not be written",
	  "run it as the owner of the file, or root" },
	{ SQLITE_CANTOPEN, BC_EIO, "cannot be opened",
	  "run it as a user who may read it: the daemon's, or root" },
};

static int failed(const char *path, int rc, struct bc_err *err)
{
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		if (rows[i].rc != (rc & 0xff))
			continue;
		bc_err_set(err, rows[i].code, "\"%s\" %s", path, rows[i].what);
		bc_err_hint(err, "%s", rows[i].hint);
		return rows[i].code;
	}
	bc_err_set(err, BC_EIO, "\"%s\" cannot be read or written: %s", path, sqlite3_errstr(rc));
	bc_err_hint(err, "look for disk errors (dmesg)");
	return BC_EIO;
}

/* --- copying --------------------------------------------------------------------------------- */

/* Locked as a daemon would have it, so that none starts meanwhile; the log stays as it is. */
static int open_source(const char *path, sqlite3 **ret_db)
{
	int rc = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(*ret_db,
				  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
				  "SELECT count(*) FROM sqlite_schema",
				  NULL, NULL, NULL);
	return rc;
}

static int open_target(const char *path, sqlite3 **ret_db)
{
	int rc = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
	return rc ? rc
		  : sqlite3_exec(*ret_db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
				 NULL, NULL, NULL);
}

static int copy_pages(sqlite3 *from, sqlite3 *to, const struct bc_backup_progress *progress)
{
	int rc;
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
	if (!copy)
		return sqlite3_errcode(to);
	do {
		rc = sqlite3_backup_step(copy, COPY_PAGES);
		uint64_t of = (uint64_t)sqlite3_backup_pagecount(copy);
		tell(progress, "copying", of - (uint64_t)sqlite3_backup_remaining(copy), of);
	} while (rc == SQLITE_OK);
	int end = sqlite3_backup_finish(copy);
	return rc == SQLITE_DONE ? end : rc;
}

int bc_backup_copy(const char *from, const char *to, const struct bc_backup_progress *progress,
		   struct bc_err *err)
{
	AUTOCLOSE *source = NULL;
	AUTOCLOSE *target = NULL;
	if (access(from, F_OK) && errno == ENOENT) {
		bc_err_set(err, BC_ENOENT, "there is no store \"%s\"", from);
		bc_err_hint(err, "is BACKCHANNEL_STATE, or store, the one the daemon uses? "
				 "backchannel config show tells");
		return BC_ENOENT;
	}
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno), "cannot make \"%s\": %s", to,
				   strerror(errno));
	close(fd);
	int rc = open_source(from, &source);
	if (rc)
		return failed(from, rc, err);
	rc = open_target(to, &target);
	if (rc == SQLITE_OK)
		rc = copy_pages(source, target, progress);
	return rc ? failed(to, rc, err) : 0;
}

int bc_backup_mark(const char *path, const char *made_at, struct bc_err *err)
{
	AUTOCLOSE *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int rc = open_source(path, &db);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta VALUES(?, ?)", -1, &stmt,
					NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, BC_BACKUP_MADE_AT, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 2, made_at, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
	sqlite3_finalize(stmt);
	return rc ? failed(path, rc, err) : 0;
}

const long bc_backup_layout_now = SQ_SCHEMA_VERSION;

int bc_backup_layout(const char *path, long *ret_layout)
{
	AUTOCLOSE *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int rc = open_source(path, &db);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		*ret_layout = (long)sqlite3_column_int64(stmt, 0);
	else
		rc = rc ? rc : SQLITE_ERROR;
	sqlite3_finalize(stmt);
	return rc ? BC_ESTORE : 0;
}

/* --- what is in one -------------------------------------------------------------------------- */

struct inspection {
	const char *path;
	sqlite3 *db;
	const struct bc_backup_progress *progress;
	uint64_t turns;
};

static int still_checking(void *ctx)
{
	struct inspection *i = ctx;
	tell(i->progress, "checking", ++i->turns, 0);
	return 0;
}

/* As it is, without a lock, a log, or a file beside it: it may stand where nothing can be written.
 */
static int open_still(struct inspection *i, struct bc_err *err)
{
	struct bc_buf uri;
	bc_buf_init(&uri, URI_MAX_BYTES);
	bool ok = !bc_buf_adds(&uri, "file:") && !bc_percent_encode(&uri, bc_str_of(i->path)) &&
		  !bc_buf_adds(&uri, "?immutable=1");
	int rc =
		ok ? sqlite3_open_v2(uri.data, &i->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL)
		   : SQLITE_NOMEM;
	bc_buf_finish(&uri);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(i->db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
				  NULL, NULL, NULL);
	sqlite3_progress_handler(i->db, CHECK_OPS, still_checking, i);
	return rc ? failed(i->path, rc, err) : 0;
}

/* Its first column's text, up to bytes; "" without a row. */
static int ask(struct inspection *i, const char *sql, char *text, size_t bytes, struct bc_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(i->db, sql, -1, &stmt, NULL);
	text[0] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_text(stmt, 0))
		snprintf(text, bytes, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	return failed(i->path, rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc, err);
}

static int ask_number(struct inspection *i, const char *sql, uint64_t *ret, struct bc_err *err)
{
	char text[BC_BACKUP_TEXT_BYTES];
	int result = ask(i, sql, text, sizeof(text), err);
	*ret = strtoull(text, NULL, 10);
	return result;
}

static int identify(struct inspection *i, struct bc_backup_facts *f, struct bc_err *err)
{
	uint64_t id, version;
	int result = ask_number(i, "PRAGMA application_id", &id, err);
	if (!result)
		result = ask_number(i, "PRAGMA user_version", &version, err);
	if (result)
		return result;
	if (id != SQ_APPLICATION_ID || version < 1)
		return failed(i->path, SQLITE_NOTADB, err);
	f->layout = (long)version;
	if (version <= SQ_SCHEMA_VERSION)
		return 0;
	bc_err_set(err, BC_EINVAL,
		   "\"%s\" was written by a newer backchannel: layout %ld, this one knows %d",
		   i->path, f->layout, SQ_SCHEMA_VERSION);
	bc_err_hint(err, "install that version, or a newer one");
	return BC_EINVAL;
}

static int check_whole(struct inspection *i, struct bc_err *err)
{
	char said[BC_BACKUP_TEXT_BYTES];
	int result = ask(i, "PRAGMA integrity_check(1)", said, sizeof(said), err);
	if (result || strcmp(said, "ok") == 0)
		return result;
	return failed(i->path, SQLITE_CORRUPT, err);
}

static int count_orders(struct inspection *i, struct bc_backup_facts *f, struct bc_err *err)
{
	int result = 0;
	for (int state = 0; !result && state < BC_ORDER_STATES; state++) {
		char sql[80];
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM orders WHERE state = %d", state);
		result = ask_number(i, sql, &f->orders[state], err);
	}
	return result;
}

static int take_facts(struct inspection *i, struct bc_backup_facts *f, struct bc_err *err)
{
	int result = ask_number(i, "SELECT count(*) FROM clicks", &f->clicks, err);
	if (!result)
		result = ask_number(i, "SELECT count(*) FROM attempts", &f->attempts, err);
	if (!result)
		result = count_orders(i, f, err);
	if (!result)
		result = ask(i, "SELECT value FROM meta WHERE key = 'hash_key'", f->hash_key,
			     sizeof(f->hash_key), err);
	if (!result)
		result = ask(i, "SELECT value FROM meta WHERE key = '" BC_BACKUP_MADE_AT "'",
			     f->made_at, sizeof(f->made_at), err);
	return result;
}

int bc_backup_inspect(const char *path, const struct bc_backup_progress *progress,
		      struct bc_backup_facts *ret_facts, struct bc_err *err)
{
	struct inspection i = { .path = path, .progress = progress };
	struct bc_backup_facts f = { 0 };
	struct stat st;
	if (stat(path, &st)) {
		bc_err_set(err, BC_EIO, "cannot read \"%s\": %s", path, strerror(errno));
		bc_err_hint(err, "name the file that backchannel backup made");
		return BC_EIO;
	}
	f.bytes = (uint64_t)st.st_size;
	int result = open_still(&i, err);
	if (!result)
		result = identify(&i, &f, err);
	if (!result)
		result = check_whole(&i, err);
	if (!result)
		result = take_facts(&i, &f, err);
	sqlite3_close(i.db);
	if (!result)
		*ret_facts = f;
	return result;
}
