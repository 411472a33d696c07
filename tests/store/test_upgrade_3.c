/* SPDX-License-Identifier: MIT */
/*
 * A store that version 3 left: opened, it is today's, with all that it held, and it has a history
 * of what its rows tell. What version 3 was stands in version_3.h; older versions have their own
 * tests, which go through this step as well.
 */
#include "harness.h"
#include "version_3.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite_impl.h"

/* --- helpers ------------------------------------------------------------------------------- */

static const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
}

/* Puts a store of version 3 in place of the rig's; returns the time that its rows are of. */
static uint64_t make_version_3(struct rig *r)
{
	sqlite3 *db;
	uint64_t now_ms = bc_wall_ms(&bc_clock_system);
	bc_store_close(r->store);
	r->store = NULL;
	assert_int_equal(unlink(path_of(r)), 0);
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	run_sql(db, version_3);
	run_sql(db, bc_arena_printf(r->arena, filling, (unsigned long long)now_ms));
	sqlite3_close(db);
	return now_ms;
}

/* The first value that a statement gives, as text in the rig's arena; no store has the file. */
static const char *ask(struct rig *r, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	const char *text =
		bc_arena_printf(r->arena, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return text;
}

static void assert_is_version_3(struct rig *r)
{
	assert_string_equal(ask(r, "PRAGMA user_version"), "3");
	assert_string_equal(ask(r, "SELECT count(*) FROM sqlite_schema WHERE name = 'tally'"), "0");
	assert_string_equal(ask(r, "SELECT count(*) FROM orders"), "13");
	assert_string_equal(ask(r, "SELECT count(*) FROM clicks"), "31");
	assert_string_equal(ask(r, "PRAGMA integrity_check"), "ok");
}

static uint32_t sum(const uint32_t *counts)
{
	uint32_t all = 0;
	for (int i = 0; i < 288; i++)
		all += counts[i];
	return all;
}

static const struct bc_history *history(struct rig *r, uint64_t now_ms)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_HISTORY);
	op->in.history.now_ms = now_ms;
	op->in.history.step_ms = 5 * 60 * 1000;
	op->in.history.steps = 288;
	assert_int_equal(rig_run(r, op), 0);
	return &op->out.history;
}

static void assert_whole(struct rig *r, uint64_t now_ms)
{
	assert_counts(r, "unattributed=7 pending=6 clicks=31");
	const struct bc_history *h = history(r, now_ms);
	assert_int_equal(sum(h->clicks), 30);
	assert_int_equal(sum(h->test_clicks), 10);
	assert_int_equal(sum(h->orders), 12);
	assert_int_equal(sum(h->conversions), 6);
	/* a landing a minute: five in each whole step of the first half hour */
	assert_int_equal(h->clicks[287 - 1], 5);
	assert_int_equal(h->clicks[287 - 5], 5);
}

/* --- tests --------------------------------------------------------------------------------- */

static void a_store_of_version_3_is_upgraded_and_has_a_history(void **state)
{
	struct rig *r = *state;
	uint64_t now_ms = make_version_3(r);
	assert_is_version_3(r);
	for (int turn = 0; turn < 2; turn++) {
		rig_open(r);
		assert_whole(r, now_ms);
		bc_store_close(r->store);
		r->store = NULL;
		assert_string_equal(ask(r, "PRAGMA user_version"), "4");
		assert_string_equal(ask(r, "PRAGMA integrity_check"), "ok");
		assert_string_equal(ask(r, "SELECT value FROM meta WHERE key = 'note'"), "kept");
	}
}

static void an_upgraded_store_counts_on(void **state)
{
	struct rig *r = *state;
	uint64_t now_ms = make_version_3(r);
	rig_open(r);
	put_click(r, (struct click){ "new", "tok-new", .at = now_ms });
	convert(r, "o99", now_ms);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sum(history(r, now_ms)->clicks), 31);
		assert_int_equal(sum(history(r, now_ms)->orders), 13);
		rig_reopen(r);
	}
}

/* Column by column, and every index. */
static void an_upgraded_store_has_the_tables_of_a_new_one(void **state)
{
	static const char sql[] =
		"SELECT group_concat(what, char(10)) FROM (SELECT t.name || '.' || c.name || ' ' ||"
		" c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' ' || ifnull(c.dflt_value, '')"
		" AS what FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
		" UNION ALL SELECT name || sql FROM sqlite_schema WHERE type = 'index'"
		" AND sql NOT NULL ORDER BY 1)";
	struct rig *r = *state;
	bc_store_close(r->store);
	const char *fresh = ask(r, sql);
	assert_non_null(strstr(fresh, "tally.production INTEGER 1 0"));
	rig_open(r);
	make_version_3(r);
	rig_open(r);
	bc_store_close(r->store);
	r->store = NULL;
	assert_string_equal(ask(r, sql), fresh);
}

/* Opens the store in a process that the kernel kills when it writes beyond so many bytes of a file.
 * Returns how it ended. */
static int open_and_die(const char *url, rlim_t bytes)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit no_core = { 0 };
		struct rlimit limit = { bytes, RLIM_INFINITY };
		struct bc_store *store = NULL;
		const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &limit);
		if (bc_store_open(&options, &store, NULL))
			_exit(2);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &limit);
		bc_store_close(store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void an_upgrade_that_is_killed_leaves_version_3_whole(void **state)
{
	struct rig *r = *state;
	unsigned kills = 0;
	uint64_t now_ms = make_version_3(r);
	for (rlim_t bytes = 0;; bytes += 1000) {
		int status = open_and_die(r->url, bytes);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
		assert_int_equal(WTERMSIG(status), SIGXFSZ);
		assert_is_version_3(r);
		kills++;
	}
	print_message("%u kills\n", kills);
	assert_true(kills >= 5);
	rig_open(r);
	assert_whole(r, now_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_store_of_version_3_is_upgraded_and_has_a_history),
		STORE_TEST(an_upgraded_store_counts_on),
		STORE_TEST(an_upgraded_store_has_the_tables_of_a_new_one),
		STORE_TEST(an_upgrade_that_is_killed_leaves_version_3_whole),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("upgrade of version 3", tests, NULL, NULL);
}
