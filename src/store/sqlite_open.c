/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing the sqlite engine's file.
 *
 * - The file and its log are the owner's alone (0600); the file itself may not be a symbolic link,
 *   the folders above it may.
 * - locking_mode=EXCLUSIVE: one process uses the store anyway, and with the lock held no shared
 *   memory file is needed, no other process can keep a checkpoint from finishing, and a commit
 *   saves its lock calls. The price: a copy of a live store is made through the daemon.
 * - secure_delete=ON, not FAST: clean-up frees whole pages of expired clicks, and FAST leaves the
 *   tokens on those.
 * - A file of an older backchannel is upgraded (sqlite_upgrade.c). In one that another program
 * wrote, as a repair does, the tables that can be made anew are.
 * - A file of another program, or of a newer backchannel, is left as it is.
 */
#include "store/sqlite_deferred.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

enum {
	BUSY_TIMEOUT_MS = 200,
	CHECK_MAX_BYTES = 16 * 1024 * 1024, /* a whole check up to here takes a blink */
	TEXT_BYTES = 128
};

/* --- the file ------------------------------------------------------------------------------ */

static int file_failed(const char *path, const char *what, int error, const char *hint,
		       struct bc_err *err)
{
	bc_err_set(err, BC_EIO, "cannot %s store \"%s\": %s", what, path, strerror(error));
	bc_err_hint(err, "%s", hint);
	return BC_EIO;
}

/* SQLite refuses symbolic links anywhere in a path; here only the last part must be none. */
static int resolve_path(const char *path, char **ret_path, struct bc_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bc_autofree char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	bc_autofree char *real = folder ? realpath(folder, NULL) : NULL;
	if (!*name) {
		bc_err_set(err, BC_EINVAL, "store \"sqlite:%s\" names no file", path);
		bc_err_hint(err, "write it as sqlite:/var/lib/backchannel/backchannel.db");
		return BC_EINVAL;
	}
	if (!folder)
		return bc_err_nomem(err);
	if (!real)
		return file_failed(path, "open", errno, "create its folder, with mode 0700", err);
	if (asprintf(ret_path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0) {
		*ret_path = NULL;
		return bc_err_nomem(err);
	}
	return 0;
}

/* By name: opening and closing a file of our own would drop the locks SQLite holds on it. */
static int tighten_mode(const char *path, struct bc_err *err)
{
	struct stat st;
	if (lstat(path, &st))
		return errno == ENOENT
			       ? 0
			       : file_failed(path, "look at", errno, "check its folder", err);
	if (!S_ISREG(st.st_mode)) {
		bc_err_set(err, BC_EIO, "store \"%s\" is not a regular file", path);
		bc_err_hint(err, "name the file itself, not a link to it");
		return BC_EIO;
	}
	if ((st.st_mode & 077) == 0 || chmod(path, 0600) == 0)
		return 0;
	return file_failed(path, "close to others the", errno,
			   "make its owner the user who runs "
			   "backchannel, mode 0600",
			   err);
}

static int prepare_file(const char *path, struct bc_err *err)
{
	bc_autofree char *wal = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return file_failed(path, "create", errno, "check the owner and mode of its folder",
				   err);
	if (asprintf(&wal, "%s-wal", path) < 0) {
		wal = NULL;
		return bc_err_nomem(err);
	}
	int result = tighten_mode(path, err);
	return result ? result : tighten_mode(wal, err);
}

/* --- who holds it -------------------------------------------------------------------------- */

/* The process that holds SQLite's lock bytes of the file, or 0. */
static long lock_holder(const char *path)
{
	struct stat st;
	char line[256];
	long pid, holder = 0;
	unsigned long inode, start;
	FILE *locks = stat(path, &st) ? NULL : fopen("/proc/locks", "re");
	while (locks && fgets(line, sizeof(line), locks)) {
		if (sscanf(line, "%*s POSIX %*s %*s %ld %*x:%*x:%lu %lu", &pid, &inode, &start) ==
			    3 &&
		    inode == st.st_ino && start >= 0x40000000)
			holder = pid;
	}
	if (locks)
		fclose(locks);
	return holder;
}

static int open_failed(struct sq *e, int rc, struct bc_err *err)
{
	long holder = (rc & 0xff) == SQLITE_BUSY ? lock_holder(e->path) : 0;
	if (!holder)
		return sq_open_failed(e, rc, err);
	bc_err_set(err, BC_EBUSY, "store \"%s\" is in use by process %ld", e->path, holder);
	bc_err_hint(err, "stop that process first; only one may use a store");
	return BC_EBUSY;
}

/* --- what is in it ------------------------------------------------------------------------- */

/* Runs one statement; text gets its first value, "" if there is none. */
static int ask(struct sq *e, const char *sql, char *text, struct bc_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL);
	text[0] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		snprintf(text, TEXT_BYTES, "%s", (const char *)sqlite3_column_text(stmt, 0));
	bool failed = rc != SQLITE_ROW && rc != SQLITE_DONE;
	int result = failed ? open_failed(e, sqlite3_extended_errcode(e->db), err) : 0;
	sqlite3_finalize(stmt);
	return result;
}

static int ask_number(struct sq *e, const char *sql, long *ret_number, struct bc_err *err)
{
	char text[TEXT_BYTES];
	int result = ask(e, sql, text, err);
	*ret_number = strtol(text, NULL, 10);
	return result;
}

static int run(struct sq *e, const char *sql, struct bc_err *err)
{
	int rc = sqlite3_exec(e->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : open_failed(e, sqlite3_extended_errcode(e->db), err);
}

static int refuse_stranger(struct sq *e, struct bc_err *err)
{
	bc_err_set(err, BC_ESTORE, "\"%s\" is the database of another program", e->path);
	bc_err_hint(err, "point BACKCHANNEL_STORE to a file of its own");
	return BC_ESTORE;
}

static int refuse_version(struct sq *e, long version, struct bc_err *err)
{
	bc_err_set(err, BC_ESTORE,
		   "store \"%s\" was written by a newer backchannel: layout %ld, this one knows %d",
		   e->path, version, SQ_SCHEMA_VERSION);
	bc_err_hint(err, "install that version again, or point BACKCHANNEL_STORE to another file");
	return BC_ESTORE;
}

/* The version of ours; 0: empty; or an error. Looks only. */
static int identify(struct sq *e, struct bc_err *err)
{
	long id = 0, version = 0, tables = 0;
	int result = ask_number(e, "PRAGMA application_id", &id, err);
	if (result == 0)
		result = ask_number(e, "PRAGMA user_version", &version, err);
	if (result == 0)
		result = ask_number(e, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (result)
		return result;
	if (id == 0 && version == 0 && tables == 0)
		return 0;
	if (id != SQ_APPLICATION_ID)
		return refuse_stranger(e, err);
	if (version < 1 || version > SQ_SCHEMA_VERSION)
		return refuse_version(e, version, err);
	return (int)version;
}

static int create_tables(struct sq *e, struct bc_err *err)
{
	char mark[TEXT_BYTES];
	snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		 SQ_APPLICATION_ID, SQ_SCHEMA_VERSION);
	int result = run(e, "BEGIN IMMEDIATE", err);
	if (result == 0)
		result = run(e, sq_schema, err);
	return result ? result : run(e, mark, err);
}

/* A damaged small file is found at once; a large one when the damage is met. */
static int check_damage(struct sq *e, struct bc_err *err)
{
	struct stat st;
	char text[TEXT_BYTES];
	if (stat(e->path, &st) || st.st_size > CHECK_MAX_BYTES)
		return 0;
	int result = ask(e, "PRAGMA quick_check(1)", text, err);
	if (result || strcmp(text, "ok") == 0)
		return result;
	return sq_open_failed(e, SQLITE_CORRUPT, err);
}

/* --- opening ------------------------------------------------------------------------------- */

/* Only a file that another program wrote has no log: one that was repaired, say. What can be made
 * anew from the rows is, then, because nobody knows whether it is whole. */
static int doubt_copy(struct sq *e, struct bc_err *err)
{
	char mode[TEXT_BYTES];
	int result = ask(e, "PRAGMA journal_mode", mode, err);
	if (result || strcmp(mode, "wal") == 0)
		return result;
	int rc = sqlite3_exec(e->db, "DELETE FROM counts WHERE name LIKE '%.settled'", NULL, NULL,
			      NULL);
	/* A table that is missing is found by prepare_all. */
	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_ERROR ? 0 : open_failed(e, rc, err);
}

static int enter_wal(struct sq *e, struct bc_err *err)
{
	char mode[TEXT_BYTES];
	int result = ask(e, "PRAGMA journal_mode = WAL", mode, err);
	if (result || strcmp(mode, "wal") == 0)
		return result;
	bc_err_set(err, BC_ESTORE, "store \"%s\" cannot have a write-ahead log", e->path);
	bc_err_hint(err, "put it on a local file system that is mounted writable");
	return BC_ESTORE;
}

static int prepare_all(struct sq *e, struct bc_err *err)
{
	for (int i = 0; i < SQ_STMTS; i++) {
		int rc = sqlite3_prepare_v3(e->db, sq_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &e->stmts[i], NULL);
		if (rc == SQLITE_OK)
			continue;
		/* Our own words are right, so a table or column is missing. */
		return open_failed(e, (rc & 0xff) == SQLITE_ERROR ? SQLITE_CORRUPT : rc, err);
	}
	return 0;
}

static int load_memory(struct sq *e, struct bc_err *err)
{
	struct bc_engine_fault fault = { 0 };
	e->fault = &fault;
	e->first_own_click = UINT64_MAX; /* not known yet */
	int result = sq_counts_load(e);
	if (result == 0)
		result = sq_deferred_open(e);
	/* From row 0 on where there is none: the first part is ours then. */
	e->first_own_click =
		e->counts.next_row[SQ_SESSIONS].now > 1 ? e->counts.next_row[SQ_SESSIONS].now : 0;
	if (result == 0)
		result = sq_clicks_open(e);
	if (result == 0)
		result = sq_tally_open(e);
	if (result && err)
		*err = fault.err;
	return result;
}

static int open_database(struct sq *e, struct bc_err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
			  SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(e->path, &e->db, flags, NULL);
	if (rc != SQLITE_OK)
		return open_failed(e, rc, err);
	/* SQLite opens what it may not write for reading alone. */
	if (sqlite3_db_readonly(e->db, "main") == 1)
		return sq_open_failed(e, SQLITE_READONLY, err);
	sqlite3_busy_timeout(e->db, BUSY_TIMEOUT_MS);
	int result = run(e,
			 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
			 "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
			 "PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF;"
			 "PRAGMA cell_size_check = ON; PRAGMA page_size = 4096",
			 err);
	int version = result ? result : identify(e, err);
	if (version < 0)
		return version;
	result = version ? doubt_copy(e, err) : 0;
	if (result == 0)
		result = enter_wal(e, err);
	if (result == 0)
		result = version ? check_damage(e, err) : create_tables(e, err);
	if (result == 0 && version && version < SQ_SCHEMA_VERSION)
		result = sq_upgrade(e, version, err);
	if (result == 0)
		result = prepare_all(e, err);
	return result ? result : load_memory(e, err);
}

/* Its count of memory is nobody's here, and costs a lock for every allocation. */
static void configure_sqlite(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int sq_open(const char *path, const struct bc_clock *clock, void **ret_engine, struct bc_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sq *e = calloc(1, sizeof(*e));
	if (!e)
		return bc_err_nomem(err);
	pthread_once(&once, configure_sqlite);
	e->clock = clock;
	e->scratch = bc_arena_create(SQ_SCRATCH_BYTES, SQ_SCRATCH_MAX);
	e->new_orders.texts = bc_arena_create(SQ_SCRATCH_BYTES, SQ_SCRATCH_MAX);
	int result = e->scratch && e->new_orders.texts ? resolve_path(path, &e->path, err)
						       : bc_err_nomem(err);
	if (result == 0)
		result = prepare_file(e->path, err);
	if (result == 0)
		result = open_database(e, err);
	if (result == 0)
		result = sq_backup_open(e, err);
	if (result) {
		sq_close(e);
		return result;
	}
	/* Takes the place of SQLite's own checkpoints, which would run inside a commit. */
	sqlite3_wal_hook(e->db, sq_count_wal, e);
	/* A log that a killed process left may hold tokens which it had removed. */
	sq_want_scrub(e);
	*ret_engine = e;
	return 0;
}

void sq_close(void *engine)
{
	struct sq *e = engine;
	sq_backup_close(e);
	for (int i = 0; i < SQ_STMTS; i++)
		sqlite3_finalize(e->stmts[i]);
	/* Closing brings the log in, unless the disk failed: then what it holds is not certain. */
	if (e->broken)
		sqlite3_db_config(e->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(e->db);
	sq_deferred_close(e);
	sq_sessions_close(e);
	sq_counts_finish(e);
	bc_arena_destroy(e->scratch);
	bc_arena_destroy(e->new_orders.texts);
	free(e->path);
	free(e);
}
