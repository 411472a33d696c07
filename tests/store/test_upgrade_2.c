/* SPDX-License-Identifier: MIT */
/*
 * A store that version 2 left: opened, it is today's, with all that it held. What version 2 was
 * stands in version_2.h; version 1 has its own tests, which go through this step as well.
 */
#include "pages.h"
#include "version_2.h"

#include <signal.h>
#include <stdlib.h>
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

/* Puts a store of version 2 in place of the rig's. */
static void make_version_2(struct rig *r)
{
	sqlite3 *db;
	bc_store_close(r->store);
	r->store = NULL;
	assert_int_equal(unlink(path_of(r)), 0);
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	run_sql(db, version_2);
	run_sql(db, filling);
	sqlite3_close(db);
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

static void assert_is_version_2(struct rig *r)
{
	assert_string_equal(ask(r, "PRAGMA user_version"), "2");
	assert_string_equal(ask(r, "SELECT count(*) FROM pragma_table_info('orders')"), "23");
	assert_string_equal(ask(r, "SELECT count(*) FROM sqlite_schema WHERE name IN"
				   " ('orders_revoked', 'orders_comment', 'orders_tombstones')"),
			    "0");
	assert_string_equal(ask(r, "SELECT count(*) FROM orders"), "400");
	assert_string_equal(ask(r, "PRAGMA integrity_check"), "ok");
}

static const char held[] = "unattributed=58 pending=57 sending=57 delivered=57 rejected=57"
			   " expired=57 cancelled=57 clicks=2";

static void assert_whole(struct rig *r)
{
	char name[8];
	assert_counts(r, held);
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "o%03d", i);
		const struct bc_order *o = get(r, name);
		assert_non_null(o);
		assert_int_equal(o->state, i % 7);
		assert_int_equal(o->created_ms, 1000 + i);
		assert_text(o->amount, "12.50");
		assert_int_equal(o->entity_id + o->edition + o->revoked_ms, 0);
		assert_int_equal(o->comment, BC_COMMENT_NONE);
		assert_int_equal(story(r, name)->out.story.attempt_count, i % 7 == 3);
	}
	const struct bc_order_selector revoked = { .state = BC_ORDER_STATE_ANY, .revoked = true };
	assert_int_equal(list(r, revoked)->out.list.count, 0);
}

/* --- tests --------------------------------------------------------------------------------- */

static void a_store_of_version_2_is_upgraded_with_all_that_it_holds(void **state)
{
	struct rig *r = *state;
	make_version_2(r);
	assert_is_version_2(r);
	for (int turn = 0; turn < 2; turn++) {
		rig_open(r);
		assert_whole(r);
		bc_store_close(r->store);
		r->store = NULL;
		assert_string_equal(ask(r, "PRAGMA user_version"), "4");
		assert_string_equal(ask(r, "PRAGMA integrity_check"), "ok");
		assert_string_equal(ask(r, "SELECT value FROM meta WHERE key = 'note'"), "kept");
	}
}

static void what_it_held_may_be_taken_back_and_come_back(void **state)
{
	struct rig *r = *state;
	make_version_2(r);
	rig_open(r);
	assert_int_equal(revoke_order(r, "o000", 0, 2000), BC_REVOKE_WITHDRAWN);
	assert_int_equal(revoke_order(r, "o001", 0, 2000), BC_REVOKE_WITHDRAWN);
	assert_int_equal(revoke_order(r, "o002", 0, 2000), BC_REVOKE_LATE);
	assert_int_equal(revoke_order(r, "o003", 0, 2000), BC_REVOKE_LATE);
	assert_int_equal(revoke_order(r, "o006", 0, 2000), BC_REVOKE_WITHDRAWN);
	const struct news second = { "o001", "hash-of-tok-0001", .at = 2001, .edition = 1 };
	assert_int_equal(take(r, second)->how.accepted, BC_ACCEPT_ADOPTED);
	assert_text(get(r, "o001")->token, "tok-001");
	/* the old one that never had a click has one now, and its token is known */
	assert_int_equal(
		take(r, (struct news){ "o000", "t0", .at = 2002, .edition = 1 })->how.accepted,
		BC_ACCEPT_ADOPTED);
	rig_reopen(r);
	report(r, (struct report){ "new", "t0", .at = 2003 });
	assert_text(get(r, "new")->reason, "click used by order o000");
	report(r, (struct report){ "new", "hash-of-tok-0001", .at = 2003 });
	assert_text(get(r, "new")->reason, "click used by order o001");
	struct bc_order_selector revoked = { .state = BC_ORDER_STATE_ANY, .revoked = true };
	assert_int_equal(list(r, revoked)->out.list.count, 3);
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
	assert_non_null(strstr(fresh, "orders.revoked_ms INTEGER 1 0 0"));
	assert_non_null(strstr(fresh, "orders_comment"));
	rig_open(r);
	make_version_2(r);
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

static void an_upgrade_that_is_killed_leaves_version_2_whole(void **state)
{
	struct rig *r = *state;
	unsigned kills = 0;
	make_version_2(r);
	for (rlim_t bytes = 0;; bytes += 500) {
		int status = open_and_die(r->url, bytes);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
		assert_int_equal(WTERMSIG(status), SIGXFSZ);
		assert_is_version_2(r);
		kills++;
	}
	print_message("%u kills\n", kills);
	assert_true(kills >= 10);
	assert_string_equal(ask(r, "PRAGMA user_version"), "4");
	rig_open(r);
	assert_whole(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_store_of_version_2_is_upgraded_with_all_that_it_holds),
		STORE_TEST(what_it_held_may_be_taken_back_and_come_back),
		STORE_TEST(an_upgraded_store_has_the_tables_of_a_new_one),
		STORE_TEST(an_upgrade_that_is_killed_leaves_version_2_whole),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("upgrade of version 2", tests, NULL, NULL);
}
