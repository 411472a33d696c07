/* SPDX-License-Identifier: MIT */
/*
 * The tables of the sqlite engine, and every statement that works on them.
 *
 * Times are milliseconds since 1970 (wall clock), 0 = none. Hashes are keyed, 16 bytes. States are
 * enum bc_order_state: 0 unattributed, 1 pending, 2 sending, 3 delivered, 4 rejected, 5 expired,
 * 6 cancelled; outcomes are enum bc_outcome. A partial index serves a statement only if the
 * statement repeats its condition, so states stand here as numbers; and without statistics SQLite
 * may choose another index, so the statements that must not scan name theirs.
 *
 * An absent partner or product is the empty text. orders_due names row so that a queue is read in
 * its order, and deadline_ms so that what is past it is passed over without touching the table.
 *
 * orders.deadline_ms is lane time while the order is pending or sending, wall time else: see
 * rules_lane.c.
 *
 * A click whose token is empty was used and cleaned up. There is no index that finds clicks by
 * token_hash: it would cost every capture a quarter more, to clean up sooner what expires anyway.
 *
 * What only an order of Commerce has (entity_id to comment) is 0 in all others, and so are the
 * conditions of the indexes on it: nobody else pays for them. Those two are on row alone, because
 * that is the order in which they are read.
 *
 * Whoever changes a table writes the step from the version before into sqlite_upgrade.c.
 *
 * orders.newest_ms is the greatest created_ms up to that row: it never falls from row to row, even
 * when the wall clock jumps back, so "created since" finds its first row by halving.
 */
#include "store/sqlite_impl.h"

#define CLEARABLE                                                                                  \
	"finished_ms > 0 AND (token IS NOT NULL OR click IS NOT NULL OR session IS NOT NULL)"

const char sq_schema[] =
	"CREATE TABLE clicks("
	" row INTEGER PRIMARY KEY,"
	" id BLOB NOT NULL UNIQUE CHECK(length(id) = 16),"
	" session BLOB CHECK(length(session) = 16),"
	" token TEXT NOT NULL,"
	" token_hash BLOB NOT NULL,"
	" is_test INTEGER NOT NULL,"
	" partner TEXT NOT NULL,"
	" product TEXT NOT NULL,"
	" captured_ms INTEGER NOT NULL,"
	" expires_ms INTEGER NOT NULL) STRICT;"
	/* In place of indexes: see sqlite_clicks.c and sqlite_sessions.c. */
	"CREATE TABLE click_expiry("
	" expires_ms INTEGER NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(expires_ms, row)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE click_sessions("
	" part INTEGER NOT NULL," /* row / SQ_PART_ROWS */
	" session BLOB NOT NULL,"
	" captured_ms INTEGER NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(part, session, captured_ms, row)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE orders("
	" row INTEGER PRIMARY KEY,"
	" order_id TEXT NOT NULL UNIQUE,"
	" state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 6),"
	" reason TEXT,"
	" partner TEXT NOT NULL,"
	" product TEXT NOT NULL,"
	" token TEXT,"
	" token_hash BLOB,"
	" is_test INTEGER NOT NULL,"
	" click BLOB,"
	" session BLOB,"
	" click_ms INTEGER NOT NULL,"
	" amount TEXT,"
	" currency TEXT,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL,"
	" due_ms INTEGER NOT NULL,"
	" deadline_ms INTEGER NOT NULL,"
	" lease_ms INTEGER NOT NULL,"
	" finished_ms INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" failures INTEGER NOT NULL,"
	" newest_ms INTEGER NOT NULL,"
	" entity_id INTEGER NOT NULL DEFAULT 0,"
	" edition INTEGER NOT NULL DEFAULT 0,"
	" revoked_ms INTEGER NOT NULL DEFAULT 0,"
	" comment INTEGER NOT NULL DEFAULT 0) STRICT;"
	/* Which order holds a token, in place of an index: see sqlite_tokens.c. */
	"CREATE TABLE order_tokens("
	" token_hash BLOB NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY(token_hash, row)) STRICT, WITHOUT ROWID;"
	/* Lists, newest first. */
	"CREATE INDEX orders_state ON orders(state);"
	/* A lane's queue; its oldest one; what its deadline ends. */
	"CREATE INDEX orders_due ON orders(partner, product, due_ms, row, deadline_ms)"
	" WHERE state = 1;"
	"CREATE INDEX orders_oldest ON orders(partner, product) WHERE state = 1;"
	"CREATE INDEX orders_deadline ON orders(partner, product, deadline_ms)"
	" WHERE state = 1 AND deadline_ms > 0;"
	/* Orders that wait for their click. */
	"CREATE INDEX orders_click ON orders(click) WHERE state = 0 AND click IS NOT NULL;"
	"CREATE INDEX orders_session ON orders(session) WHERE state = 0 AND session IS NOT NULL;"
	/* Clean-up: what final ones can do without; rows that never got a click. */
	"CREATE INDEX orders_finished ON orders(finished_ms) WHERE " CLEARABLE ";"
	"CREATE INDEX orders_untouched ON orders(updated_ms) WHERE state = 0;"
	"CREATE INDEX orders_tombstones ON orders(updated_ms)"
	" WHERE state = 6 AND token_hash IS NULL AND revoked_ms > 0;"
	/* What the shop took back; what is to be told to it. */
	"CREATE INDEX orders_revoked ON orders(row) WHERE revoked_ms > 0;"
	"CREATE INDEX orders_comment ON orders(row) WHERE comment = 1;"

	"CREATE TABLE attempts("
	" row INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" status INTEGER NOT NULL,"
	" outcome INTEGER NOT NULL,"
	" duration_ms INTEGER NOT NULL,"
	" error TEXT,"
	" key_fingerprint TEXT,"
	" PRIMARY KEY(row, n)) STRICT, WITHOUT ROWID;"

	/* Kept by the engine, written with each commit that changes them. */
	"CREATE TABLE counts(name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO counts VALUES('clicks.settled', 0), ('orders.settled', 0),"
	" ('clicks.tallied', 0), ('orders.tallied', 0);"
	"CREATE TABLE lanes("
	" partner TEXT NOT NULL,"
	" product TEXT NOT NULL,"
	" pending INTEGER NOT NULL,"
	" sending INTEGER NOT NULL,"
	/* How it stands; without a state: it was never put. */
	" state TEXT,"
	" reason TEXT,"
	" stands INTEGER NOT NULL,"
	" since_ms INTEGER NOT NULL,"
	" stood_ms INTEGER NOT NULL,"
	" stood_since_ms INTEGER NOT NULL,"
	" until_ms INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(partner, product)) STRICT, WITHOUT ROWID;"
	/* Conversions by state, of one product and bucket (returns.h). */
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

	/* Clicks, by kind, and orders that came, of one bucket (tally.h, sqlite_tally.c). */
	"CREATE TABLE tally("
	" bucket INTEGER PRIMARY KEY,"
	" production INTEGER NOT NULL,"
	" test INTEGER NOT NULL,"
	" orders INTEGER NOT NULL) STRICT;"

	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/* In the order that sq_read_order reads. */
#define ORDER_COLUMNS                                                                              \
	"row, order_id, state, reason, partner, product, token, token_hash, is_test, click,"       \
	" session, click_ms, amount, currency, created_ms, updated_ms, due_ms, deadline_ms,"       \
	" lease_ms, finished_ms, attempts, failures, entity_id, edition, revoked_ms, comment"
#define SELECT_ORDER "SELECT " ORDER_COLUMNS " FROM orders"
#define CLICK_COLUMNS                                                                              \
	"id, session, token, token_hash, is_test, partner, product, captured_ms, expires_ms"
/* What belongs to a click elsewhere is found by. */
#define CLICK_TRACES "row, session, captured_ms, expires_ms"
#define LANE_COLUMNS                                                                               \
	"partner, product, pending, sending, state, reason, stands, since_ms, stood_ms,"           \
	" stood_since_ms, until_ms"
#define RETURNS_COLUMNS                                                                            \
	"bucket, partner, product, pending, sending, delivered, rejected, expired, cancelled"
/* FAIL: whatever fails has the whole transaction rolled back, so a statement of many rows need not
 * note how to undo those it came to. */
#define INSERT_ORDERS                                                                              \
	"INSERT OR FAIL INTO orders(row, order_id, state, reason, partner, product, token,"        \
	" token_hash, is_test, click, session, click_ms, amount, currency, created_ms,"            \
	" updated_ms, due_ms, deadline_ms, lease_ms, finished_ms, attempts, failures, newest_ms,"  \
	" entity_id, edition, revoked_ms, comment) VALUES"
#define NEW_ORDER                                                                                  \
	"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 0, ?, ?, ?, ?, 0)"
#define NEW_ORDERS_2  NEW_ORDER "," NEW_ORDER
#define NEW_ORDERS_4  NEW_ORDERS_2 "," NEW_ORDERS_2
#define NEW_ORDERS_8  NEW_ORDERS_4 "," NEW_ORDERS_4
#define NEW_ORDERS_16 NEW_ORDERS_8 "," NEW_ORDERS_8
/* The index that keeps ids apart. */
#define BY_ID " INDEXED BY sqlite_autoindex_orders_1"
#define UNCLAIMED                                                                                  \
	" state = 0 AND created_ms >= ?2 AND reason NOT LIKE '" BC_REASON_CLICK_USED "%'"          \
	" ORDER BY row DESC LIMIT 1"

const char *const sq_texts[SQ_STMTS] = {
	[SQ_BEGIN] = "BEGIN IMMEDIATE",
	[SQ_COMMIT] = "COMMIT",

	[SQ_CLICK_DELETE] = "DELETE FROM clicks WHERE id = ? RETURNING " CLICK_TRACES,
	[SQ_CLICK_INSERT] =
		"INSERT INTO clicks(row, " CLICK_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT(id) DO NOTHING",
	[SQ_CLICK_BY_ID] = "SELECT " CLICK_COLUMNS " FROM clicks WHERE id = ?",
	[SQ_CLICK_BY_ROW] = "SELECT " CLICK_COLUMNS " FROM clicks WHERE row = ?",
	[SQ_CLICK_SESSION] = "SELECT session FROM clicks WHERE id = ? AND session IS NOT NULL",
	[SQ_CLICK_BLANK] = "UPDATE clicks SET token = ''"
			   " WHERE id = ? AND token_hash = ? AND token <> ''",
	[SQ_CLICK_BLANK_ROW] = "UPDATE clicks SET token = ''"
			       " WHERE row = ? AND token_hash = ? AND token <> ''",
	[SQ_CLICKS_EXPIRED] = "DELETE FROM clicks WHERE row IN"
			      " (SELECT row FROM click_expiry WHERE expires_ms <= ?"
			      " ORDER BY expires_ms LIMIT ?) RETURNING " CLICK_TRACES,
	[SQ_CLICKS_EXPIRED_LATE] =
		"DELETE FROM clicks WHERE row IN"
		" (SELECT row FROM clicks WHERE expires_ms <= ?1 AND row > ?3 LIMIT ?2)"
		" RETURNING " CLICK_TRACES,
	[SQ_CLICKS_SINCE] = "SELECT row, session, captured_ms FROM clicks WHERE row > ?",
	[SQ_CLICK_FIRST] = "SELECT min(row) FROM clicks",
	[SQ_CLICK_LAST] = "SELECT max(row) FROM clicks",
	[SQ_CLICKS_LATE] = "SELECT count(*) FROM clicks c WHERE row > ? AND NOT EXISTS"
			   " (SELECT 1 FROM click_expiry WHERE expires_ms = c.expires_ms"
			   " AND row = c.row)",
	[SQ_EXPIRY_FILL] = "INSERT OR IGNORE INTO click_expiry"
			   " SELECT expires_ms, row FROM clicks WHERE row > ?",
	[SQ_EXPIRY_DELETE] = "DELETE FROM click_expiry WHERE expires_ms = ? AND row = ?",

	[SQ_SESSION_INSERT] = "INSERT OR IGNORE INTO click_sessions VALUES(?, ?, ?, ?)",
	[SQ_SESSION_DELETE] = "DELETE FROM click_sessions"
			      " WHERE part = ? AND session = ? AND captured_ms = ? AND row = ?",
	[SQ_SESSION_HAS] = "SELECT 1 FROM click_sessions"
			   " WHERE part = ? AND session = ? AND captured_ms = ? AND row = ?",
	[SQ_SESSION_NEWEST] = "SELECT captured_ms, row FROM click_sessions"
			      " WHERE part = ? AND session = ?"
			      " ORDER BY captured_ms DESC, row DESC LIMIT ?",

	[SQ_TOKEN_INSERT] = "INSERT OR IGNORE INTO order_tokens VALUES(?, ?)",
	[SQ_TOKEN_HAS] = "SELECT 1 FROM order_tokens WHERE token_hash = ? AND row = ?",
	[SQ_TOKEN_IN_TABLE] = "SELECT order_id FROM order_tokens t CROSS JOIN orders o"
			      " ON o.row = t.row WHERE t.token_hash = ?1 AND o.token_hash = ?1"
			      " AND partner = ?2 AND state <> 0",
	[SQ_TOKEN_OF_ROW] = "SELECT order_id FROM orders"
			    " WHERE row = ? AND token_hash = ? AND partner = ? AND state <> 0",
	[SQ_TOKENS_SINCE] = "SELECT row, token_hash, 0 FROM orders NOT INDEXED"
			    " WHERE row > ? AND token_hash IS NOT NULL AND state <> 0",

	[SQ_ORDER_BY_ID] = SELECT_ORDER " WHERE order_id = ?",
	[SQ_ORDER_UNCLAIMED_CLICK] =
		SELECT_ORDER " INDEXED BY orders_click WHERE click = ?1 AND" UNCLAIMED,
	[SQ_ORDER_UNCLAIMED_SESSION] =
		SELECT_ORDER " INDEXED BY orders_session WHERE session = ?1 AND" UNCLAIMED,

	[SQ_ORDER_INSERT] = INSERT_ORDERS NEW_ORDER,
	[SQ_ORDER_INSERT_2] = INSERT_ORDERS NEW_ORDERS_2,
	[SQ_ORDER_INSERT_4] = INSERT_ORDERS NEW_ORDERS_4,
	[SQ_ORDER_INSERT_8] = INSERT_ORDERS NEW_ORDERS_8,
	[SQ_ORDER_INSERT_16] = INSERT_ORDERS NEW_ORDERS_16,
	[SQ_ORDER_INSERT_32] = INSERT_ORDERS NEW_ORDERS_16 "," NEW_ORDERS_16,
	[SQ_ORDER_CLAIM] =
		"UPDATE orders SET state = ?, reason = ?, partner = ?, product = ?, token = ?,"
		" token_hash = ?, is_test = ?, click = ?, session = ?, click_ms = ?, amount = ?,"
		" currency = ?, updated_ms = ?, due_ms = ?, deadline_ms = ? WHERE row = ?",
	[SQ_ORDER_MOVE] =
		"UPDATE orders SET state = ?, reason = ?, updated_ms = ?, due_ms = ?,"
		" deadline_ms = ?, lease_ms = ?, finished_ms = ?, attempts = ?, failures = ?,"
		" token = iif(?, token, NULL) WHERE row = ?",
	[SQ_ORDER_MARK] = "UPDATE orders SET entity_id = ?, edition = ?, revoked_ms = ?,"
			  " comment = ? WHERE row = ?",
	[SQ_ORDER_RESTORE] = "UPDATE orders SET token = ? WHERE row = ?",

	[SQ_ORDERS_DUE] = SELECT_ORDER
	" INDEXED BY orders_due WHERE state = 1 AND partner = ?1 AND product = ?2"
	" AND due_ms <= ?3 AND (deadline_ms = 0 OR deadline_ms > ?4)"
	" ORDER BY due_ms, row LIMIT ?5",
	[SQ_ORDERS_BELOW] = SELECT_ORDER " WHERE row < ? AND row >= ? ORDER BY row DESC",
	[SQ_ORDERS_BELOW_IN_STATE] = SELECT_ORDER
	" INDEXED BY orders_state WHERE row < ? AND row >= ? AND state = ? ORDER BY row DESC",
	[SQ_ORDERS_BELOW_REVOKED] = SELECT_ORDER
	" INDEXED BY orders_revoked WHERE row < ? AND row >= ? AND revoked_ms > 0"
	" ORDER BY row DESC",
	/* The index knows the rows: only their numbers are sorted, and orders read as they are
	 * wanted. Without a limit SQLite takes the order of an inner SELECT for idle words. */
	[SQ_ORDERS_STARTING] = "SELECT count(*) FROM (SELECT 1 FROM orders" BY_ID
			       " WHERE order_id >= ? AND order_id < ? LIMIT ?)",
	[SQ_ORDERS_BELOW_STARTING] =
		"SELECT o.* FROM (SELECT row AS found FROM orders" BY_ID " WHERE order_id >= ?3"
		" AND order_id < ?4 AND row < ?1 AND row >= ?2 ORDER BY row DESC LIMIT ?5)"
		" CROSS JOIN (" SELECT_ORDER ") o ON o.row = found",
	[SQ_ORDERS_TO_COMMENT] = SELECT_ORDER
	" INDEXED BY orders_comment WHERE row > 0 AND comment = 1 ORDER BY row LIMIT ?",
	[SQ_ORDERS_PAST_DEADLINE] = SELECT_ORDER
	" INDEXED BY orders_deadline WHERE state = 1 AND partner = ? AND product = ?"
	" AND deadline_ms > 0 AND deadline_ms <= ? ORDER BY deadline_ms LIMIT ?",
	[SQ_ORDER_SINCE] = "SELECT row, newest_ms FROM orders WHERE row >= ? ORDER BY row LIMIT 1",
	[SQ_ORDER_LAST] = "SELECT row, newest_ms FROM orders ORDER BY row DESC LIMIT 1",

	[SQ_ORDERS_TO_CLEAR] = SELECT_ORDER " INDEXED BY orders_finished WHERE " CLEARABLE
					    " AND finished_ms < ? ORDER BY finished_ms LIMIT ?",
	[SQ_ORDER_CLEAR] = "UPDATE orders SET token = NULL, click = NULL, session = NULL"
			   " WHERE row = ?",
	[SQ_ORDERS_UNTOUCHED] =
		SELECT_ORDER " INDEXED BY orders_untouched WHERE state = 0 AND updated_ms < ?"
			     " ORDER BY updated_ms LIMIT ?",
	[SQ_ORDERS_TOMBSTONES] =
		SELECT_ORDER " INDEXED BY orders_tombstones WHERE state = 6 AND token_hash IS NULL"
			     " AND revoked_ms > 0 AND updated_ms < ? ORDER BY updated_ms LIMIT ?",
	[SQ_ORDER_DELETE] = "DELETE FROM orders WHERE row = ?",
	[SQ_ATTEMPT_INSERT] =
		"INSERT INTO attempts(row, n, at_ms, status, outcome, duration_ms, error,"
		" key_fingerprint) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
	[SQ_ATTEMPT_UPDATE] = "UPDATE attempts SET status = ?, outcome = ?, duration_ms = ?,"
			      " error = ? WHERE row = ? AND n = ?",
	[SQ_ATTEMPTS] = "SELECT n, at_ms, status, outcome, duration_ms, error, key_fingerprint"
			" FROM attempts WHERE row = ? ORDER BY n",

	[SQ_LANE_NEXT_DUE] =
		"SELECT due_ms FROM orders INDEXED BY orders_due WHERE state = 1 AND partner = ?"
		" AND product = ? ORDER BY due_ms LIMIT 1",
	[SQ_LANE_OLDEST] = "SELECT created_ms FROM orders INDEXED BY orders_oldest"
			   " WHERE state = 1 AND partner = ? AND product = ?"
			   " ORDER BY row LIMIT 1",

	[SQ_META_GET] = "SELECT value FROM meta WHERE key = ?",
	[SQ_META_PUT] = "INSERT INTO meta(key, value) VALUES(?, ?)"
			" ON CONFLICT(key) DO UPDATE SET value = excluded.value",
	[SQ_COUNT_PUT] = "INSERT INTO counts(name, n) VALUES(?, ?)"
			 " ON CONFLICT(name) DO UPDATE SET n = excluded.n",
	[SQ_COUNTS] = "SELECT name, n FROM counts",
	[SQ_LANE_PUT] = "INSERT OR REPLACE INTO lanes(" LANE_COLUMNS
			") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQ_LANES] = "SELECT " LANE_COLUMNS " FROM lanes",
	[SQ_RETURNS_PUT] = "INSERT OR REPLACE INTO returns(" RETURNS_COLUMNS
			   ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQ_RETURNS_DELETE] =
		"DELETE FROM returns WHERE bucket = ? AND partner = ? AND product = ?",
	[SQ_RETURNS] = "SELECT " RETURNS_COLUMNS " FROM returns",
	[SQ_TALLY_PUT] = "INSERT OR REPLACE INTO tally VALUES(?, ?, ?, ?)",
	[SQ_TALLY_DELETE] = "DELETE FROM tally WHERE bucket = ?",
	[SQ_TALLY] = "SELECT bucket, production, test, orders FROM tally",
	[SQ_TALLY_SINCE] = "SELECT captured_ms / 300000, sum(is_test = 0), sum(is_test), 0"
			   " FROM clicks NOT INDEXED WHERE row > ? GROUP BY 1 UNION ALL"
			   " SELECT created_ms / 300000, 0, 0, count(*) FROM orders NOT INDEXED"
			   " WHERE row > ? GROUP BY 1",
};
