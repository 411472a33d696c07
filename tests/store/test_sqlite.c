/* SPDX-License-Identifier: MIT */
/* The sqlite engine's file: who may have it, what it refuses, what is left in it. */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "store/sqlite_impl.h"

/* --- helpers ------------------------------------------------------------------------------- */

static const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static const char *beside(const struct rig *r, const char *name)
{
	static char path[160];
	snprintf(path, sizeof(path), "%s/%s", r->folder, name);
	return path;
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

/* Opens url, which must be refused with this code, text and hint. */
static void assert_refused(const char *url, int code, const char *text, const char *hint)
{
	struct bc_store *store = NULL;
	struct bc_err err = { 0 };
	const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
	assert_int_equal(bc_store_open(&options, &store, &err), code);
	assert_null(store);
	if (!strstr(err.text, text) || !strstr(err.hint, hint))
		fail_msg("\"%s\" / \"%s\"", err.text, err.hint);
}

static void assert_path_refused(const char *path, int code, const char *text, const char *hint)
{
	char url[256];
	snprintf(url, sizeof(url), "sqlite:%s", path);
	assert_refused(url, code, text, hint);
}

/* Runs SQL on the file while no store has it. */
static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void close_store(struct rig *r)
{
	bc_store_close(r->store);
	r->store = NULL;
}

/* How often a text stands in a file. An open store may cut its log meanwhile. */
static unsigned occurrences(const char *path, const char *text)
{
	struct stat st;
	unsigned n = 0;
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	assert_int_equal(fstat(fd, &st), 0);
	char *bytes = malloc((size_t)st.st_size + 1);
	ssize_t got = read(fd, bytes, (size_t)st.st_size);
	const char *end = bytes + (got > 0 ? got : 0);
	for (const char *at = bytes; (at = memmem(at, (size_t)(end - at), text, strlen(text)));
	     at++)
		n++;
	free(bytes);
	close(fd);
	return n;
}

/* --- who may have it ----------------------------------------------------------------------- */

static void the_files_are_their_owners_alone(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	assert_int_equal(mode_of(path_of(r)), 0600);
	assert_int_equal(mode_of(beside(r, "test.db-wal")), 0600);
}

static void files_that_were_open_to_others_are_closed_to_them(void **state)
{
	struct rig *r = *state;
	close_store(r);
	assert_int_equal(chmod(path_of(r), 0644), 0);
	rig_open(r);
	assert_int_equal(mode_of(path_of(r)), 0600);
}

static void a_symbolic_link_is_no_store_but_may_lead_to_its_folder(void **state)
{
	struct rig *r = *state;
	char link[160], path[200];
	close_store(r);
	snprintf(link, sizeof(link), "%s", beside(r, "link.db"));
	assert_int_equal(symlink(path_of(r), link), 0);
	assert_path_refused(link, BC_EIO, "is not a regular file", "not a link");
	snprintf(link, sizeof(link), "%s", beside(r, "folder"));
	assert_int_equal(symlink(r->folder, link), 0);
	snprintf(path, sizeof(path), "sqlite:%s/test.db", link);
	struct bc_store *store = NULL;
	const struct bc_store_options options = { .url = path, .clock = &bc_clock_system };
	assert_int_equal(bc_store_open(&options, &store, NULL), 0);
	bc_store_close(store);
	rig_open(r);
}

static void a_path_that_cannot_be_is_refused_with_what_to_do(void **state)
{
	struct rig *r = *state;
	assert_path_refused(beside(r, "none/test.db"), BC_EIO, "No such file or directory",
			    "create its folder");
	assert_path_refused("", BC_EINVAL, "names no file", "sqlite:/");
	assert_path_refused(beside(r, ""), BC_EINVAL, "names no file", "sqlite:/");
	assert_path_refused(r->folder, BC_EIO, "is not a regular file", "name the file");
}

/* Runs a process that has the store open until the pipe is closed. */
static pid_t start_holder(const char *url, int *ret_hold)
{
	int ready[2], hold[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct bc_store *store = NULL;
		const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
		close(hold[1]);
		if (bc_store_open(&options, &store, NULL) == 0 && write(ready[1], "x", 1) == 1)
			(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*ret_hold = hold[1];
	return pid;
}

static void a_store_that_another_process_has_names_that_process(void **state)
{
	struct rig *r = *state;
	char text[64];
	int hold;
	close_store(r);
	pid_t pid = start_holder(r->url, &hold);
	snprintf(text, sizeof(text), "is in use by process %d", (int)pid);
	assert_refused(r->url, BC_EBUSY, text, "only one may use a store");
	close(hold);
	waitpid(pid, NULL, 0);
	rig_open(r);
}

/* --- what it refuses ----------------------------------------------------------------------- */

static void the_database_of_another_program_is_left_as_it_is(void **state)
{
	struct rig *r = *state;
	char path[160];
	snprintf(path, sizeof(path), "%s", beside(r, "other.db"));
	run_sql(path, "CREATE TABLE notes(text); INSERT INTO notes VALUES('keep me')");
	assert_path_refused(path, BC_ESTORE, "of another program", "BACKCHANNEL_STORE");
	run_sql(path, "INSERT INTO notes VALUES('and me')");
	assert_int_equal(occurrences(path, "keep me"), 1);
	assert_int_not_equal(access(beside(r, "other.db-wal"), F_OK), 0);
}

static void a_newer_layout_is_refused(void **state)
{
	struct rig *r = *state;
	close_store(r);
	run_sql(path_of(r), "PRAGMA user_version = 5");
	assert_refused(r->url, BC_ESTORE, "newer backchannel: layout 5, this one knows 4",
		       "install that version again");
	run_sql(path_of(r), "PRAGMA user_version = 4");
	rig_open(r);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct rig *r = *state;
	char path[160];
	snprintf(path, sizeof(path), "%s", beside(r, "text.db"));
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	assert_path_refused(path, BC_ESTORE, "is no database, or is damaged", "BACKCHANNEL_STORE");
}

static void a_damaged_file_is_found_when_it_is_opened(void **state)
{
	struct rig *r = *state;
	char name[16], page[4096];
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d", 1000 + i);
		convert(r, name, 10);
	}
	close_store(r);
	int fd = open(path_of(r), O_RDWR);
	assert_true(fd >= 0);
	off_t end = lseek(fd, 0, SEEK_END);
	memset(page, 0x5a, sizeof(page));
	assert_int_equal(pwrite(fd, page, sizeof(page), end / 4096 / 2 * 4096), sizeof(page));
	close(fd);
	assert_refused(r->url, BC_ESTORE, "is damaged", ".recover");
}

static void a_missing_table_is_damage(void **state)
{
	struct rig *r = *state;
	close_store(r);
	run_sql(path_of(r), "DROP TABLE attempts");
	assert_refused(r->url, BC_ESTORE, "is damaged", ".recover");
}

/* --- no space ------------------------------------------------------------------------------ */

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void without_space_nothing_is_acknowledged_and_later_it_goes_on(void **state)
{
	struct rig *r = *state;
	struct bc_store_stats stats;
	signal(SIGXFSZ, SIG_IGN);
	convert(r, "1001", 10);
	struct stat wal;
	assert_int_equal(stat(beside(r, "test.db-wal"), &wal), 0);
	set_file_limit((rlim_t)wal.st_size);
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = BC_STR("1002");
	assert_int_equal(rig_run(r, op), BC_ESTORE);
	assert_non_null(strstr(op->err.text, "has no space left"));
	assert_non_null(strstr(op->err.hint, "free space"));
	bc_store_stats(r->store, &stats);
	assert_false(stats.writable);
	assert_false(stats.broken);
	assert_int_equal(rig_run(r, rig_op(r, BC_STORE_PROBE)), BC_ESTORE);
	assert_null(get(r, "1002"));
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(rig_run(r, rig_op(r, BC_STORE_PROBE)), 0);
	bc_store_stats(r->store, &stats);
	assert_true(stats.writable);
	assert_int_equal(rig_run(r, op), 0);
	assert_counts(r, "unattributed=1 pending=1");
	rig_reopen(r);
	assert_counts(r, "unattributed=1 pending=1");
}

/* --- what is left in it -------------------------------------------------------------------- */

static void removed_tokens_are_gone_from_the_file(void **state)
{
	struct rig *r = *state;
	char name[16], token[64];
	/* The harness makes a hash of the first 16 bytes, and hashes stay: the canary is behind. */
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(token, sizeof(token), "click-%05d-hash-|-canary-of-a-removed-click", i);
		put_click(r, (struct click){ name, token, "s1", .at = 10, .ttl = 5 });
		snprintf(token, sizeof(token), "order-%05d-hash-|-canary-of-a-cleared-order", i);
		report(r, (struct report){ name, token, .at = 10 });
	}
	/* In the log, or, if that was brought in while we looked, in the file. */
	assert_true(occurrences(beside(r, "test.db-wal"), "canary") > 0 ||
		    occurrences(path_of(r), "canary") > 0);
	assert_int_equal(lease(r, 10, 600)->out.lease.count, 600);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(finish(r, (struct end){ name, 1, BC_ORDER_DELIVERED, 20,
							 .clear_token = i % 2 }),
				 0);
	}
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.clicks_before_ms = 100;
	op->in.purge.clear_before_ms = 100;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.clicks, 600);
	assert_int_equal(op->out.purge.cleared, 300);
	close_store(r);
	assert_int_equal(occurrences(path_of(r), "canary"), 0);
	assert_int_equal(occurrences(beside(r, "test.db-wal"), "canary"), 0);
	rig_open(r);
	assert_counts(r, "delivered=600");
}

/* Half of them at the hand-back, the other half by a purge. */
static void used_tokens_are_gone_from_the_file_while_their_clicks_stay(void **state)
{
	struct rig *r = *state;
	char name[16], token[64];
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(token, sizeof(token), "click-%05d-hash-|-canary-of-a-used-click", i);
		put_click(r, (struct click){ name, token, .at = 10 });
		report(r, (struct report){ name, .click = name, .at = 10 });
	}
	assert_int_equal(lease(r, 10, 600)->out.lease.count, 600);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		finish(r, (struct end){ name, 1, BC_ORDER_DELIVERED, 20, .clear_token = i % 2 });
	}
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.clear_before_ms = 100;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.cleared, 600);
	close_store(r);
	assert_int_equal(occurrences(path_of(r), "canary"), 0);
	assert_int_equal(occurrences(beside(r, "test.db-wal"), "canary"), 0);
	rig_open(r);
	assert_counts(r, "delivered=600 clicks=600");
}

static void no_session_and_no_secret_form_is_stored_but_its_hash(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	close_store(r);
	sqlite3 *db;
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT typeof(session), length(session) FROM clicks",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "blob");
	assert_int_equal(sqlite3_column_int(stmt, 1), BC_HASH_BYTES);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	rig_open(r);
}

static int count_rows(const char *path, const char *table)
{
	char sql[64];
	sqlite3 *db;
	sqlite3_stmt *stmt;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int count = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return count;
}

static void returns_that_no_window_reaches_are_gone_from_the_file(void **state)
{
	const uint64_t day = 86400000;
	struct rig *r = *state;
	convert(r, "1001", 10 * day);
	convert(r, "1002", 11 * day);
	convert(r, "1003", 20 * day);
	close_store(r);
	assert_int_equal(count_rows(path_of(r), "returns"), 3);
	rig_open(r);
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = 20 * day;
	assert_int_equal(rig_run(r, op), 0);
	close_store(r);
	assert_int_equal(count_rows(path_of(r), "returns"), 1);
	rig_open(r);
}

/* Small tables read whole, the one row at the end of the orders, what an index found (a search of
 * few orders, and the rows that no bucket has yet), the rows that a statement brings itself, and
 * what it found in each of four parts. */
static bool may_scan(int stmt)
{
	if (stmt >= SQ_ORDER_INSERT_2 && stmt <= SQ_ORDER_INSERT_32)
		return true;
	return stmt == SQ_COUNTS || stmt == SQ_LANES || stmt == SQ_RETURNS ||
	       stmt == SQ_ORDER_LAST || stmt == SQ_TALLY || stmt == SQ_TALLY_SINCE ||
	       stmt == SQ_ORDERS_STARTING || stmt == SQ_ORDERS_BELOW_STARTING;
}

static void assert_searches(sqlite3 *db, int i)
{
	char sql[1024];
	sqlite3_stmt *stmt;
	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sq_texts[i]);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(stmt, 3);
		if (strstr(step, "SCAN ") || strstr(step, "TEMP B-TREE"))
			fail_msg("%s: %s", sq_texts[i], step);
	}
	sqlite3_finalize(stmt);
}

static void no_statement_scans_or_sorts_the_orders(void **state)
{
	struct rig *r = *state;
	sqlite3 *db;
	close_store(r);
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	for (int i = SQ_CLICK_DELETE; i < SQ_STMTS; i++) {
		if (!may_scan(i))
			assert_searches(db, i);
	}
	sqlite3_close(db);
	rig_open(r);
}

/* How a statement reads its tables, one step a line. */
static const char *plan_of(struct rig *r, int i)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	const char *plan = "";
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	const char *sql = bc_arena_printf(r->arena, "EXPLAIN QUERY PLAN %s", sq_texts[i]);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		plan = bc_arena_printf(r->arena, "%s%s\n", plan,
				       (const char *)sqlite3_column_text(stmt, 3));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return plan;
}

static void a_search_and_a_recount_read_what_they_need_by_an_index(void **state)
{
	static const char range[] = "SEARCH orders USING COVERING INDEX sqlite_autoindex_orders_1 "
				    "(order_id>? AND order_id<?)";
	struct rig *r = *state;
	close_store(r);
	assert_non_null(strstr(plan_of(r, SQ_ORDERS_STARTING), range));
	assert_non_null(strstr(plan_of(r, SQ_ORDERS_BELOW_STARTING), range));
	assert_non_null(strstr(plan_of(r, SQ_ORDERS_BELOW_STARTING),
			       "SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)"));
	assert_non_null(strstr(plan_of(r, SQ_TALLY_SINCE),
			       "SEARCH clicks USING INTEGER PRIMARY KEY (rowid>?)"));
	assert_non_null(strstr(plan_of(r, SQ_TALLY_SINCE),
			       "SEARCH orders USING INTEGER PRIMARY KEY (rowid>?)"));
	rig_open(r);
}

/* A capture pays for its row alone: see sqlite_tally.c. */
static void the_tally_is_written_once_in_many_clicks_and_before_a_row_goes(void **state)
{
	struct rig *r = *state;
	for (unsigned i = 0; i < 1000; i++)
		put_click(r, (struct click){ bc_arena_printf(r->arena, "c%u", i), "tok", .at = 1 });
	close_store(r);
	assert_int_equal(count_rows(path_of(r), "tally"), 0);
	rig_open(r);
	for (unsigned i = 1000; i < 1030; i++)
		put_click(r, (struct click){ bc_arena_printf(r->arena, "c%u", i), "tok", .at = 1 });
	close_store(r);
	assert_int_equal(count_rows(path_of(r), "tally WHERE production = 1024"), 1);
	rig_open(r);
	struct bc_store_op *op = rig_op(r, BC_STORE_DELETE_CLICK);
	fill_hash(op->in.delete_click, "c1029");
	assert_int_equal(rig_run(r, op), 0);
	close_store(r);
	assert_int_equal(count_rows(path_of(r), "tally WHERE production = 1030"), 1);
	rig_open(r);
}

static void the_size_on_disk_and_the_last_commits_are_known(void **state)
{
	struct rig *r = *state;
	struct bc_store_stats stats;
	struct bc_store_recent recent;
	struct stat file;
	convert(r, "1001", 1);
	bc_store_stats(r->store, &stats);
	assert_true(stats.has_size);
	assert_int_equal(stat(path_of(r), &file), 0);
	assert_true(stats.bytes >= (uint64_t)file.st_size && stats.bytes > 0);
	assert_true(stats.free_bytes > 0);
	bc_store_recent(&stats, &recent);
	assert_int_equal(recent.commits, stats.commits);
	assert_int_equal(recent.committed, stats.committed);
	assert_true(recent.p50_us > 0 && recent.p50_us <= recent.p99_us);
	for (int i = 0; i < BC_STORE_MINUTES; i++)
		stats.minutes[i].number = 0; /* long ago */
	bc_store_recent(&stats, &recent);
	assert_int_equal(recent.commits, 0);
	assert_int_equal(recent.p99_us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_files_are_their_owners_alone),
		STORE_TEST(files_that_were_open_to_others_are_closed_to_them),
		STORE_TEST(a_symbolic_link_is_no_store_but_may_lead_to_its_folder),
		STORE_TEST(a_path_that_cannot_be_is_refused_with_what_to_do),
		STORE_TEST(a_store_that_another_process_has_names_that_process),
		STORE_TEST(the_database_of_another_program_is_left_as_it_is),
		STORE_TEST(a_newer_layout_is_refused),
		STORE_TEST(a_file_that_is_no_database_is_refused),
		STORE_TEST(a_damaged_file_is_found_when_it_is_opened),
		STORE_TEST(a_missing_table_is_damage),
		STORE_TEST(without_space_nothing_is_acknowledged_and_later_it_goes_on),
		STORE_TEST(removed_tokens_are_gone_from_the_file),
		STORE_TEST(used_tokens_are_gone_from_the_file_while_their_clicks_stay),
		STORE_TEST(no_session_and_no_secret_form_is_stored_but_its_hash),
		STORE_TEST(returns_that_no_window_reaches_are_gone_from_the_file),
		STORE_TEST(no_statement_scans_or_sorts_the_orders),
		STORE_TEST(a_search_and_a_recount_read_what_they_need_by_an_index),
		STORE_TEST(the_tally_is_written_once_in_many_clicks_and_before_a_row_goes),
		STORE_TEST(the_size_on_disk_and_the_last_commits_are_known),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
