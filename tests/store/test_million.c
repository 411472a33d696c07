/* SPDX-License-Identifier: MIT */
/*
 * A backlog of a million conversions, as after a weekend without the partner: the store opens at
 * once, stays small, and leases what is due longest first. It opens after a kill, with a log as
 * long as a batch left it.
 *
 * One conversion comes in through the engine; the others are copies of its row, made by SQL with
 * the indexes built at the end: through the engine a million takes a minute. BC_TEST_BACKLOG says
 * how many; where a sanitizer makes all of it slow, a tenth. Memory and time are held to their
 * bounds by the plain build alone.
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#ifdef BC_SANITIZED
enum { BACKLOG = 100 * 1000, IS_PLAIN = 0 };
#else
enum { BACKLOG = 1000 * 1000, IS_PLAIN = 1 };
#endif
enum {
	LATE = 3000, /* orders that come in before the kill */
	TURN = 1024, /* the backlog is due in turned blocks, not in the order of its rows */
	APART_MS = 250,
	LEASES = 100,
	LEASE = 64,
	RSS_MAX_BYTES = 60 * 1024 * 1024,
	OPEN_MAX_MS = 2000
};
#define START UINT64_C(1790000000000) /* when the first one came in */

static uint64_t backlog(void)
{
	const char *text = getenv("BC_TEST_BACKLOG");
	return text ? strtoull(text, NULL, 10) : BACKLOG;
}

/* The bounds are those of a million rows on the bare machine. */
static bool has_bounds(void)
{
	return IS_PLAIN && !getenv("BC_TEST_BACKLOG");
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*s %lu", &pages), 1);
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* --- the backlog --------------------------------------------------------------------------- */

static void run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
		return;
	fprintf(stderr, "%s: %s\n", sql, error);
	_exit(1);
}

/* What drops, or makes, the indexes of the orders. */
static char *index_sql(sqlite3 *db, const char *what)
{
	char text[256];
	sqlite3_stmt *stmt;
	snprintf(text, sizeof(text),
		 "SELECT group_concat(%s, ';') FROM sqlite_schema"
		 " WHERE tbl_name = 'orders' AND type = 'index' AND sql NOT NULL",
		 what);
	if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) || sqlite3_step(stmt) != SQLITE_ROW)
		_exit(1);
	char *sql = strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return sql;
}

/* Copies of the one row, each with a name, a token and times of its own. */
static const char copy_sql[] =
	"WITH RECURSIVE n(i, t) AS (SELECT 1, 250 UNION ALL SELECT i + 1, t + 250 FROM n"
	" WHERE i < (SELECT rows FROM temp.size) - 1)"
	" INSERT INTO orders(row, order_id, state, reason, partner, product, token, token_hash,"
	" is_test, click, session, click_ms, amount, currency, created_ms, updated_ms, due_ms,"
	" deadline_ms, lease_ms, finished_ms, attempts, failures, newest_ms)"
	" SELECT row + i, printf('M%09d', i), state, reason, partner, product,"
	" printf('12345-%09d-12345', i), randomblob(16), is_test, click, session, click_ms, amount,"
	" currency, created_ms + t, updated_ms + t, due_ms + ((i | 1023) - (i & 1023)) * 250,"
	" deadline_ms + t, lease_ms, finished_ms, attempts, failures, newest_ms + t"
	" FROM temp.one, n";

static void multiply(sqlite3 *db)
{
	char size[96];
	bc_autofree char *drop = index_sql(db, "'DROP INDEX ' || name");
	bc_autofree char *make = index_sql(db, "sql");
	snprintf(size, sizeof(size), "CREATE TEMP TABLE size AS SELECT %llu AS rows",
		 (unsigned long long)backlog());
	run_sql(db, drop);
	run_sql(db, size);
	run_sql(db, "CREATE TEMP TABLE one AS SELECT * FROM orders");
	run_sql(db, copy_sql);
	run_sql(db, make);
}

/* What the engine knows without counting. (Its own tables it makes anew: another program wrote.) */
static void write_counts(sqlite3 *db)
{
	run_sql(db, "UPDATE counts SET n = (SELECT count(*) FROM orders)"
		    " WHERE name = 'orders.pending';"
		    "UPDATE lanes SET pending = (SELECT count(*) FROM orders);"
		    "DELETE FROM returns;"
		    "INSERT INTO returns SELECT created_ms / 300000, partner, product, count(*),"
		    " 0, 0, 0, 0, 0 FROM orders GROUP BY 1, 2, 3");
}

static void make_backlog(const char *path)
{
	sqlite3 *db;
	if (sqlite3_open(path, &db))
		_exit(1);
	run_sql(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
		    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY;"
		    "PRAGMA cache_size = -400000; BEGIN");
	multiply(db);
	write_counts(db);
	run_sql(db, "COMMIT");
	sqlite3_close(db);
}

static void accepted(struct bc_store_op *op)
{
	unsigned *waiting = op->ctx;
	if (op->result)
		_exit(1);
	(*waiting)--;
	bc_arena_destroy(op->arena);
}

static void add_late_ones(struct rig *r)
{
	unsigned waiting = 0;
	for (unsigned i = 0; i < LATE; i++) {
		struct bc_arena *arena = bc_arena_create(2048, 65536);
		struct bc_store_op *op = bc_arena_alloc(arena, sizeof(*op));
		op->kind = BC_STORE_ACCEPT_ORDER;
		op->arena = arena;
		op->done = accepted;
		op->ctx = &waiting;
		op->in.accept.order = op->in.accept.token =
			bc_str_of(bc_arena_printf(arena, "late-%u", i));
		fill_hash(op->in.accept.token_hash, op->in.accept.order.ptr);
		op->in.accept.partner = BC_STR("partner");
		op->in.accept.product = BC_STR("default");
		op->in.accept.now_ms = op->in.accept.due_ms = START + (backlog() + i) * APART_MS;
		waiting++;
		bc_store_submit(r->store, &r->box.base, op);
	}
	while (waiting)
		mailbox_serve(&r->box);
}

/* In a process of its own, whose memory is no part of the measure, and which is killed. */
static void fill_store(struct rig *r)
{
	int status;
	bc_store_close(r->store);
	r->store = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		rig_open(r);
		report(r, (struct report){ "first", .token = "token-first", .at = START,
					   .deadline = 2 * START });
		bc_store_close(r->store);
		make_backlog(strchr(r->url, ':') + 1);
		rig_open(r);
		add_late_ones(r);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* --- the claims ---------------------------------------------------------------------------- */

/* What a start asks before it hands the first one back. */
static void ask_what_waits(struct rig *r)
{
	const uint64_t all = backlog() + LATE;
	struct bc_store_op *op = rig_op(r, BC_STORE_LANES);
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lanes.count, 1);
	assert_int_equal(op->out.lanes.lanes[0].pending, all);
	assert_int_equal(op->out.lanes.lanes[0].oldest_ms, START);
	assert_int_equal(op->out.lanes.lanes[0].next_due_ms, START);
	op = rig_op(r, BC_STORE_RETURNS);
	op->in.returns.now_ms = START + all * APART_MS;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.returns.products[0].orders[2][BC_ORDER_PENDING], all);
	assert_int_equal(counts(r).orders[BC_ORDER_PENDING], all);
}

/* The name of the k-th one that is due. */
static void assert_is_due_as(const struct bc_order *o, unsigned k)
{
	char name[16];
	unsigned i = k < TURN ? TURN - k : (k | (TURN - 1)) - (k & (TURN - 1));
	snprintf(name, sizeof(name), k ? "M%09u" : "first", i);
	assert_text(o->order, name);
	assert_int_equal(o->attempts, 1);
}

static void lease_and_finish(struct rig *r, unsigned from)
{
	bc_arena_reset(r->arena);
	struct bc_store_op *op = lease(r, START + 2 * backlog() * APART_MS, LEASE);
	assert_int_equal(op->out.lease.count, LEASE);
	for (unsigned i = 0; i < LEASE; i++)
		assert_is_due_as(&op->out.lease.orders[i], from + i);
	char name[BC_ORDER_ID_MAX + 1];
	struct bc_str order = op->out.lease.orders[0].order;
	snprintf(name, sizeof(name), "%.*s", (int)order.len, order.ptr);
	assert_int_equal(finish(r, (struct end){ name, 1, BC_ORDER_DELIVERED, START }), 0);
}

/* The first one's is long in the table, the last one's came just before the kill. */
static void assert_tokens_are_used(struct rig *r)
{
	const char *orders[] = { "first", "late-2999" }, *tokens[] = { "token-first", "late-2999" };
	for (size_t i = 0; i < BC_COUNT(orders); i++) {
		char reason[64];
		snprintf(reason, sizeof(reason), "click used by order %s", orders[i]);
		struct bc_store_op *op =
			report(r, (struct report){ "again", .token = tokens[i], .at = START });
		assert_text(op->out.accept.order.reason, reason);
	}
}

static void
a_million_that_wait_cost_little_memory_and_no_time_and_the_oldest_goes_first(void **state)
{
	struct rig *r = *state;
	fill_store(r);
	uint64_t began_ms = monotonic_ms();
	rig_open(r);
	ask_what_waits(r);
	uint64_t open_ms = monotonic_ms() - began_ms;
	for (unsigned i = 0; i < LEASES; i++)
		lease_and_finish(r, i * LEASE);
	uint64_t bytes = resident_bytes();
	print_message("%llu pending: open in %llu ms, %.1f MiB resident after %d leases of %d\n",
		      (unsigned long long)(backlog() + LATE), (unsigned long long)open_ms,
		      (double)bytes / 1024 / 1024, LEASES, LEASE);
	if (has_bounds()) {
		assert_true(open_ms < OPEN_MAX_MS);
		assert_true(bytes < RSS_MAX_BYTES);
	}
	bc_arena_reset(r->arena);
	assert_int_equal(counts(r).orders[BC_ORDER_DELIVERED], LEASES);
	assert_tokens_are_used(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(
			a_million_that_wait_cost_little_memory_and_no_time_and_the_oldest_goes_first),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("million", tests, NULL, NULL);
}
