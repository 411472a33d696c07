/* SPDX-License-Identifier: MIT */
/*
 * A store that an older backchannel left: opened, it is today's, with all that it held. What
 * version 1 was stands in version_1.h.
 */
#include "harness.h"
#include "version_1.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite_impl.h"

/* --- helpers ------------------------------------------------------------------------------- */

enum { ORDERS = 600, APART_MS = 24 * 60 * 1000 };

static const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static uint64_t created_ms(int i, uint64_t now_ms)
{
	return now_ms - (uint64_t)(ORDERS - 1 - i) * APART_MS;
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
}

/* Puts a store of version 1 in place of the rig's. Returns the time it was filled at. */
static uint64_t make_version_1(struct rig *r)
{
	char clock[128];
	sqlite3 *db;
	uint64_t now_ms = bc_wall_ms(&bc_clock_system);
	bc_store_close(r->store);
	r->store = NULL;
	assert_int_equal(unlink(path_of(r)), 0);
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	snprintf(clock, sizeof(clock), "CREATE TEMP TABLE clock AS SELECT %llu AS now",
		 (unsigned long long)now_ms);
	run_sql(db, version_1);
	run_sql(db, clock);
	run_sql(db, filling);
	sqlite3_close(db);
	return now_ms;
}

/* The first value that a statement gives, as text. */
static void assert_sql(struct rig *r, const char *sql, const char *expected)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), expected);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void assert_is_version_1(struct rig *r)
{
	assert_sql(r, "PRAGMA user_version", "1");
	assert_sql(r, "SELECT count(*) FROM sqlite_schema WHERE name = 'returns'", "0");
	assert_sql(r, "SELECT count(*) FROM pragma_table_info('lanes')", "10");
	assert_sql(r, "SELECT count(*) FROM orders", "600");
	assert_sql(r, "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE 'click%'",
		   "clicks,clicks_session,clicks_expires");
	assert_sql(r,
		   "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE '%tokens%'"
		   " OR name = 'orders_token'",
		   "orders_token");
	assert_sql(r, "PRAGMA integrity_check", "ok");
}

/* --- what is there ------------------------------------------------------------------------- */

static struct bc_return_count expected_returns(uint64_t now_ms, const char *product)
{
	struct bc_return_count expected = { 0 };
	for (int i = 0; i < ORDERS; i++) {
		uint64_t bucket = created_ms(i, now_ms) / BC_RETURNS_STEP_MS;
		bool mine = strcmp(product, i % 2 ? "default" : "shoes") == 0;
		for (int w = 0; mine && i % 7 && w < BC_WINDOWS; w++)
			expected.orders[w][i % 7] +=
				bucket >= (now_ms - bc_window_ms[w]) / BC_RETURNS_STEP_MS;
	}
	return expected;
}

static void assert_returns(struct rig *r, uint64_t now_ms)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_RETURNS);
	op->in.returns.now_ms = now_ms;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.returns.count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct bc_return_count *told = &op->out.returns.products[i];
		bool shoes = bc_str_eq(told->product, "shoes");
		struct bc_return_count expected =
			expected_returns(now_ms, shoes ? "shoes" : "default");
		assert_true(expected.orders[2][BC_ORDER_DELIVERED] > 20);
		assert_memory_equal(told->orders, expected.orders, sizeof(expected.orders));
	}
}

static void assert_lane(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LANES);
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lanes.count, 2);
	const struct bc_lane_count *lane = &op->out.lanes.lanes[0];
	assert_text(lane->state, "parked");
	assert_text(lane->reason, "no answer");
	assert_true(lane->stands);
	assert_int_equal(lane->since_ms, 700);
	assert_int_equal(lane->until_ms, 0);
	assert_int_equal(lane->pending, 43);
}

static void assert_order(struct rig *r, uint64_t now_ms)
{
	const struct bc_order *o = get(r, "o073");
	assert_non_null(o);
	assert_int_equal(o->state, BC_ORDER_DELIVERED);
	assert_int_equal(o->created_ms, created_ms(73, now_ms));
	assert_text(o->token, "tok-073");
	assert_text(o->amount, "12.50");
	assert_int_equal(story(r, "o073")->out.story.attempt_count, 1);
}

static void assert_whole(struct rig *r, uint64_t now_ms)
{
	static const char expected[] = "unattributed=86 pending=86 sending=86 delivered=86"
				       " rejected=86 expired=85 cancelled=85 clicks=301";
	assert_counts(r, expected);
	assert_returns(r, now_ms);
	assert_lane(r);
	assert_order(r, now_ms);
}

/* --- tests --------------------------------------------------------------------------------- */

static void a_store_of_version_1_is_upgraded_with_all_that_it_holds(void **state)
{
	struct rig *r = *state;
	uint64_t now_ms = make_version_1(r);
	rig_open(r);
	assert_whole(r, now_ms);
	rig_reopen(r);
	assert_whole(r, now_ms);
}

static void an_upgraded_store_works_on(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_LANE);
	uint64_t now_ms = make_version_1(r);
	rig_open(r);
	op->in.put_lane.partner = BC_STR("partner");
	op->in.put_lane.product = BC_STR("default");
	op->in.put_lane.state = BC_STR("throttled");
	op->in.put_lane.now_ms = now_ms;
	op->in.put_lane.until_ms = now_ms + 5;
	assert_int_equal(rig_run(r, op), 0);
	convert(r, "new", now_ms);
	bring_to(r, "o589", BC_ORDER_DELIVERED, now_ms);
	rig_reopen(r);
	struct bc_return_count expected = expected_returns(now_ms, "default");
	struct bc_store_op *told = rig_op(r, BC_STORE_RETURNS);
	told->in.returns.now_ms = now_ms;
	assert_int_equal(rig_run(r, told), 0);
	const struct bc_return_count *one = told->out.returns.products;
	if (!bc_str_eq(one->product, "default"))
		one++;
	/* o589 was pending and four hours old: one more delivered; "new" is pending in its place */
	assert_int_equal(one->orders[0][BC_ORDER_PENDING],
			 expected.orders[0][BC_ORDER_PENDING] + 1);
	assert_int_equal(one->orders[1][BC_ORDER_PENDING], expected.orders[1][BC_ORDER_PENDING]);
	assert_int_equal(one->orders[1][BC_ORDER_DELIVERED],
			 expected.orders[1][BC_ORDER_DELIVERED] + 1);
}

static void an_upgraded_store_finds_and_purges_the_clicks_it_had(void **state)
{
	struct rig *r = *state;
	make_version_1(r);
	rig_open(r);
	for (int turn = 0; turn < 2; turn++) {
		const char *order = turn ? "b" : "a", *session = "session-00000042";
		struct bc_store_op *op =
			report(r, (struct report){ order, .session = session, .at = 9000 });
		assert_int_equal(op->out.accept.order.state,
				 turn ? BC_ORDER_UNATTRIBUTED : BC_ORDER_PENDING);
		assert_text(op->out.accept.order.token, turn ? NULL : "tok-242");
	}
	put_click(r, (struct click){ "c", "tok-new", "session-00000042", .at = 2000, .ttl = 8000 });
	rig_reopen(r);
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.clicks_before_ms = 9100;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.clicks, 102);
	assert_int_equal(counts(r).clicks, 200);
	op->in.purge.clicks_before_ms = 9299;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.clicks, 199);
	op = report(r, (struct report){ "c", .session = "session-00000042", .at = 9000 });
	assert_text(op->out.accept.order.token, "tok-new");
	op = report(r, (struct report){ "d", .session = "session-00000043", .at = 9000 });
	assert_text(op->out.accept.order.reason, "no click for this session");
}

/* The order that has the token of this number; "" if it is free. */
static void assert_owner(struct rig *r, int i, const char *order)
{
	char token[32], reason[64];
	snprintf(token, sizeof(token), "hash-of-tok-%04d", i);
	snprintf(reason, sizeof(reason), "click used by order %s", order);
	struct bc_store_op *op = report(r, (struct report){ "other", .token = token, .at = 9000 });
	assert_text(op->out.accept.order.reason, *order ? reason : NULL);
	if (*order)
		assert_int_equal(op->out.accept.order.state, BC_ORDER_UNATTRIBUTED);
	bc_arena_reset(r->arena);
}

static void an_upgraded_store_knows_which_order_has_a_token(void **state)
{
	struct rig *r = *state;
	char order[8];
	make_version_1(r);
	rig_open(r);
	/* an old one that had none gets the one of its number */
	struct report old = { "o070", .token = "hash-of-tok-0070", .at = 9000 };
	assert_int_equal(report(r, old)->out.accept.how, BC_ACCEPT_ADOPTED);
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < ORDERS; i++) {
			snprintf(order, sizeof(order), "o%03d", i);
			if (i % 7 || i == 70)
				assert_owner(r, i, order);
		}
		rig_reopen(r);
	}
	assert_owner(r, 77, "");
	bc_store_close(r->store);
	r->store = NULL;
	assert_sql(r, "SELECT count(*) FROM order_tokens", "515");
}

/* Column by column: the name, the type, whether it may be absent, its place in the key. */
static void an_upgraded_store_has_the_tables_of_a_new_one(void **state)
{
	static const char sql[] =
		"SELECT group_concat(what, char(10)) FROM (SELECT t.name || '.' || c.name || ' ' ||"
		" c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' ' || ifnull(c.dflt_value, '')"
		" AS what FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
		" UNION ALL SELECT name || sql FROM sqlite_schema WHERE type = 'index'"
		" AND sql NOT NULL ORDER BY 1)";
	struct rig *r = *state;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	bc_store_close(r->store);
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	char *fresh = bc_arena_dup(r->arena, sqlite3_column_text(stmt, 0),
				   (size_t)sqlite3_column_bytes(stmt, 0));
	assert_non_null(strstr(fresh, "lanes.until_ms INTEGER 1 0 0"));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	rig_open(r);
	make_version_1(r);
	rig_open(r);
	bc_store_close(r->store);
	r->store = NULL;
	assert_sql(r, sql, fresh);
}

/* --- when it cannot ------------------------------------------------------------------------ */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Opens the store in a process that the kernel kills when it writes beyond so many bytes of a file:
 * in the middle of its transaction's way into the log. Returns how it ended. */
static int open_and_die(const char *url, rlim_t bytes)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit no_core = { 0 };
		struct bc_store *store = NULL;
		const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGXFSZ, SIG_DFL);
		limit_files(bytes);
		if (bc_store_open(&options, &store, NULL))
			_exit(2);
		limit_files(RLIM_INFINITY);
		bc_store_close(store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void an_upgrade_that_is_killed_leaves_version_1_whole(void **state)
{
	struct rig *r = *state;
	uint64_t now_ms = make_version_1(r);
	unsigned kills = 0;
	rlim_t bytes = 0;
	for (;; bytes += 500) {
		int status = open_and_die(r->url, bytes);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
		assert_int_equal(WTERMSIG(status), SIGXFSZ);
		assert_is_version_1(r);
		kills++;
	}
	assert_true(kills >= 30);
	assert_sql(r, "PRAGMA user_version", "4");
	assert_sql(r,
		   "SELECT count(*) FROM returns WHERE pending + sending + delivered + rejected +"
		   " expired + cancelled = 0",
		   "0");
	rig_open(r);
	assert_whole(r, now_ms);
}

static void an_upgrade_without_space_is_refused_and_leaves_version_1(void **state)
{
	struct rig *r = *state;
	struct bc_store *store = NULL;
	struct bc_err err = { 0 };
	const struct bc_store_options options = { .url = r->url, .clock = &bc_clock_system };
	uint64_t now_ms = make_version_1(r);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(8192);
	assert_int_equal(bc_store_open(&options, &store, &err), BC_ESTORE);
	limit_files(RLIM_INFINITY);
	assert_non_null(strstr(err.text, "has no space left"));
	assert_non_null(strstr(err.hint, "free space"));
	assert_is_version_1(r);
	rig_open(r);
	assert_whole(r, now_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_store_of_version_1_is_upgraded_with_all_that_it_holds),
		STORE_TEST(an_upgraded_store_works_on),
		STORE_TEST(an_upgraded_store_finds_and_purges_the_clicks_it_had),
		STORE_TEST(an_upgraded_store_knows_which_order_has_a_token),
		STORE_TEST(an_upgraded_store_has_the_tables_of_a_new_one),
		STORE_TEST(an_upgrade_that_is_killed_leaves_version_1_whole),
		STORE_TEST(an_upgrade_without_space_is_refused_and_leaves_version_1),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
