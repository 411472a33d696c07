/* SPDX-License-Identifier: MIT */
/*
 * Upgrades: what makes the tables of one version those of the next. All steps that a store needs
 * are one transaction with the mark of its version, so a process that dies in the middle leaves the
 * store as it was, for either program. A step says what its version was and never changes, whatever
 * the schema is today.
 */
#include "store/sqlite_impl.h"

#include <stdio.h>

/*
 * The clicks of a session and the order of a token are found by tables in place of indexes. Lanes
 * say until when; the returns of the last days are counted from the orders, once. newest_ms tells
 * where those begin: no row up to the one found was created since. (The numbers are those of
 * returns.h: five minutes, and eight days.)
 */
static const char to_2[] =
	"CREATE TABLE click_expiry("
	" expires_ms INTEGER NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(expires_ms, row)) STRICT, WITHOUT ROWID;"
	"INSERT INTO click_expiry SELECT expires_ms, row FROM clicks INDEXED BY clicks_expires"
	" WHERE expires_ms >= 0 ORDER BY 1, 2;"
	"DROP INDEX clicks_expires;"
	"CREATE TABLE click_sessions("
	" part INTEGER NOT NULL,"
	" session BLOB NOT NULL,"
	" captured_ms INTEGER NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(part, session, captured_ms, row)) STRICT, WITHOUT ROWID;"
	"INSERT INTO click_sessions SELECT row / 131072, session, captured_ms, row"
	" FROM clicks INDEXED BY clicks_session WHERE session IS NOT NULL ORDER BY 1, 2, 3, 4;"
	"DROP INDEX clicks_session;"
	"INSERT INTO counts SELECT 'clicks.settled', coalesce(max(row), 0) FROM clicks;"
	"CREATE TABLE order_tokens("
	" token_hash BLOB NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(token_hash, row)) STRICT, WITHOUT ROWID;"
	"INSERT INTO order_tokens SELECT token_hash, row FROM orders INDEXED BY orders_token"
	" WHERE token_hash IS NOT NULL AND state <> 0 ORDER BY 1;"
	"DROP INDEX orders_token;"
	"INSERT INTO counts SELECT 'orders.settled', coalesce(max(row), 0) FROM orders;"
	"ALTER TABLE lanes ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE returns("
	" bucket INTEGER NOT NULL,"
	" partner TEXT NOT NULL,"
	" product TEXT NOT NULL,"
	" pending INTEGER NOT NULL,"
	" sending INTEGER NOT NULL,"
	" delivered INTEGER NOT NULL,"
	" rejected INTEGER NOT NULL,"
	" expired INTEGER NOT NULL,"
	" cancelled INTEGER NOT NULL,"
	" PRIMARY KEY(bucket, partner, product)) STRICT, WITHOUT ROWID;"
	"INSERT INTO returns SELECT created_ms / 300000, partner, product, sum(state = 1),"
	" sum(state = 2), sum(state = 3), sum(state = 4), sum(state = 5), sum(state = 6)"
	" FROM orders NOT INDEXED WHERE state > 0 AND created_ms >= ?1 - 691200000"
	" AND row > coalesce((SELECT row FROM orders NOT INDEXED"
	" WHERE newest_ms < ?1 - 691200000 ORDER BY row DESC LIMIT 1), 0)"
	" GROUP BY 1, 2, 3;";

/* Orders of Commerce: which one it is there, whether it was taken back, what it was told. */
static const char to_3[] = "ALTER TABLE orders ADD COLUMN entity_id INTEGER NOT NULL DEFAULT 0;"
			   "ALTER TABLE orders ADD COLUMN edition INTEGER NOT NULL DEFAULT 0;"
			   "ALTER TABLE orders ADD COLUMN revoked_ms INTEGER NOT NULL DEFAULT 0;"
			   "ALTER TABLE orders ADD COLUMN comment INTEGER NOT NULL DEFAULT 0;"
			   "CREATE INDEX orders_tombstones ON orders(updated_ms)"
			   " WHERE state = 6 AND token_hash IS NULL AND revoked_ms > 0;"
			   "CREATE INDEX orders_revoked ON orders(row) WHERE revoked_ms > 0;"
			   "CREATE INDEX orders_comment ON orders(row) WHERE comment = 1;";

/* How many clicks and orders came in the last days: of what was deleted since, nobody knows, and
 * what was bound to another session counts twice. Row by row, as the clock of that time may have
 * jumped. */
static const char to_4[] =
	"CREATE TABLE tally("
	" bucket INTEGER PRIMARY KEY,"
	" production INTEGER NOT NULL,"
	" test INTEGER NOT NULL,"
	" orders INTEGER NOT NULL) STRICT;"
	"INSERT INTO tally SELECT bucket, sum(production), sum(test), sum(orders) FROM"
	" (SELECT captured_ms / 300000 AS bucket, sum(is_test = 0) AS production,"
	" sum(is_test) AS test, 0 AS orders FROM clicks NOT INDEXED"
	" WHERE captured_ms >= ?1 - 691200000 GROUP BY 1 UNION ALL"
	" SELECT created_ms / 300000, 0, 0, count(*) FROM orders NOT INDEXED"
	" WHERE created_ms >= ?1 - 691200000"
	" AND row > coalesce((SELECT row FROM orders NOT INDEXED"
	" WHERE newest_ms < ?1 - 691200000 ORDER BY row DESC LIMIT 1), 0) GROUP BY 1)"
	" GROUP BY 1;"
	"INSERT OR REPLACE INTO counts SELECT 'clicks.tallied', coalesce(max(row), 0) FROM clicks;"
	"INSERT OR REPLACE INTO counts SELECT 'orders.tallied', coalesce(max(row), 0) FROM orders;";

/* By the version that a step leads to. Parameter 1 of a statement is the time. */
static const char *const steps[SQ_SCHEMA_VERSION + 1] = { [2] = to_2, [3] = to_3, [4] = to_4 };

/* Runs the first statement of a text; *sql becomes the rest. */
static int run_next(struct sq *e, const char **sql, sqlite3_int64 now_ms, struct bc_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(e->db, *sql, -1, &stmt, sql);
	if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt))
		rc = sqlite3_bind_int64(stmt, 1, now_ms);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	int result = rc == SQLITE_DONE ? 0 : sq_open_failed(e, rc, err);
	sqlite3_finalize(stmt);
	return result;
}

static int run_all(struct sq *e, const char *sql, sqlite3_int64 now_ms, struct bc_err *err)
{
	int result = 0;
	while (result == 0 && *sql)
		result = run_next(e, &sql, now_ms, err);
	return result;
}

int sq_upgrade(struct sq *e, long version, struct bc_err *err)
{
	sqlite3_int64 now_ms = (sqlite3_int64)bc_wall_ms(e->clock);
	char mark[64];
	snprintf(mark, sizeof(mark), "PRAGMA user_version = %d;COMMIT;", SQ_SCHEMA_VERSION);
	int result = run_all(e, "BEGIN IMMEDIATE;", now_ms, err);
	while (result == 0 && ++version <= SQ_SCHEMA_VERSION)
		result = run_all(e, steps[version], now_ms, err);
	return result ? result : run_all(e, mark, now_ms, err);
}
