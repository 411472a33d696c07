/* SPDX-License-Identifier: MIT */
/*
 * What SQLite's refusals mean for the store: which code, how far it reaches, and what an operator
 * does about it. The one rule that matters: a commit or a checkpoint that met an I/O error is final
 * for this handle. After a failed fsync the kernel may have dropped the pages, and trying again
 * would report a success that is none.
 */
#include "store/sqlite_impl.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static const struct row {
	int rc; /* primary result code */
	int code;
	enum bc_reach reach;
	const char *what, *hint;
} rows[] = {
	{ SQLITE_FULL, BC_ESTORE, BC_REACH_WRITES, "has no space left",
	  "free space on its file system; the store goes on by itself" },
	{ SQLITE_READONLY, BC_ESTORE, BC_REACH_WRITES, "is read-only",
	  "check the owner and mode of the file and its folder, and how it is mounted" },
	{ SQLITE_PERM, BC_ESTORE, BC_REACH_WRITES, "may not be written",
	  "check the owner and mode of the file and its folder" },
	{ SQLITE_CANTOPEN, BC_ESTORE, BC_REACH_WRITES, "cannot be opened",
	  "check the owner and mode of the file and its folder, and the limit of open files" },
	{ SQLITE_BUSY, BC_ESTORE, BC_REACH_WRITES, "is in use by another process",
	  "stop the other process; only one may use a store" },
	{ SQLITE_LOCKED, BC_ESTORE, BC_REACH_WRITES, "is in use by another process",
	  "stop the other process; only one may use a store" },
	{ SQLITE_IOERR, BC_ESTORE, BC_REACH_WRITES, "cannot be read or written",
	  "look for disk errors (dmesg), then restart backchannel" },
	{ SQLITE_CORRUPT, BC_ESTORE, BC_REACH_OPERATION, "is damaged",
	  "stop backchannel, keep a copy of the file, and rebuild it: sqlite3 OLD .recover | "
	  "sqlite3 NEW" },
	{ SQLITE_NOTADB, BC_ESTORE, BC_REACH_WRITES, "is no database, or is damaged",
	  "point BACKCHANNEL_STORE to another file, or put a copy back" },
	{ SQLITE_NOMEM, BC_ENOMEM, BC_REACH_OPERATION, "ran out of memory",
	  "give the process more memory" },
	{ SQLITE_TOOBIG, BC_ETOOBIG, BC_REACH_OPERATION, "does not take a text this long",
	  "shorten it" },
};

static const struct row *find_row(int rc)
{
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		if (rows[i].rc == (rc & 0xff))
			return &rows[i];
	}
	return NULL;
}

/* What the system said last about the log, else about the database file; 0 = nothing known.
 * sqlite3_system_errno does not hear of a commit's. */
static int last_errno(struct sq *e)
{
	sqlite3_file *file = NULL;
	int error = 0;
	if (!e->db)
		return 0;
	sqlite3_file_control(e->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
	if (file && file->pMethods)
		file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
	if (!error)
		sqlite3_file_control(e->db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
	return error ? error : sqlite3_system_errno(e->db);
}

/* SQLite calls only ENOSPC full; a quota or a file size limit is the same to us. */
static int plain_rc(struct sq *e, int rc)
{
	if (rc != SQLITE_IOERR_WRITE && rc != SQLITE_IOERR_TRUNCATE)
		return rc;
	int error = last_errno(e);
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? SQLITE_FULL : rc;
}

static int describe(struct sq *e, int rc, int code, const struct row *row, struct bc_err *err)
{
	int error = last_errno(e);
	int primary = rc & 0xff;
	bool io = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
	if (!row) {
		bc_err_set(err, code, "store \"%s\" failed: %s", e->path,
			   e->db ? sqlite3_errmsg(e->db) : sqlite3_errstr(rc));
		bc_err_hint(err, "this is a bug; please report it");
	} else if (io && error) {
		bc_err_set(err, code, "store \"%s\" %s: %s", e->path, row->what, strerror(error));
	} else {
		bc_err_set(err, code, "store \"%s\" %s", e->path, row->what);
	}
	if (row)
		bc_err_hint(err, "%s", row->hint);
	return code;
}

static int fail(struct sq *e, int rc, int code, enum bc_reach reach, const struct row *row)
{
	bc_err_clear(&e->fault->err);
	e->fault->reach = reach;
	return describe(e, rc, code, row, &e->fault->err);
}

static bool is_sync(int rc)
{
	return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
}

int sq_failed(struct sq *e, int rc)
{
	rc = plain_rc(e, rc);
	const struct row *row = find_row(rc);
	if (is_sync(rc)) {
		e->broken = true;
		return fail(e, rc, BC_ESTORE, BC_REACH_FINAL, row);
	}
	if (!row)
		return fail(e, rc, BC_ESTORE, BC_REACH_OPERATION, NULL);
	return fail(e, rc, row->code, row->reach, row);
}

int sq_commit_failed(struct sq *e, int rc)
{
	rc = plain_rc(e, rc);
	if ((rc & 0xff) != SQLITE_IOERR)
		return sq_failed(e, rc);
	/* The log may hold the commit whole, and a later start may find it there. */
	e->broken = true;
	return fail(e, rc, BC_EUNSURE, BC_REACH_FINAL, find_row(rc));
}

int sq_no_memory(struct sq *e)
{
	return fail(e, SQLITE_NOMEM, BC_ENOMEM, BC_REACH_OPERATION, find_row(SQLITE_NOMEM));
}

int sq_open_failed(struct sq *e, int rc, struct bc_err *err)
{
	rc = plain_rc(e, rc);
	const struct row *row = find_row(rc);
	int primary = rc & 0xff;
	int code = row ? row->code : BC_ESTORE;
	if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
		code = BC_EBUSY;
	if (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR || primary == SQLITE_PERM)
		code = BC_EIO;
	return describe(e, rc, code, row, err);
}
