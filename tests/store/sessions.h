/* SPDX-License-Identifier: MIT */
/*
 * For the tests of sessions in the sqlite engine: clicks by number, put into the bare engine and
 * looked up there, and a look into its file.
 *
 * Click i has the id and the session of its number and the time i + 1; sessions are spread as
 * hashes are.
 */
#ifndef BC_TESTS_STORE_SESSIONS_H
#define BC_TESTS_STORE_SESSIONS_H

#include "harness.h"

#include <string.h>

#include "store/sqlite_impl.h"

enum {
	BATCH = 1024,
	ROUND = SQ_UNSETTLED_MAX / 2, /* clicks until a sweep, and of one */
	/* some settled, some swept, some in memory, some not in a full block; two parts */
	FILLED = 2 * ROUND + ROUND / 2 + 300,
	EVERY = 97,
	TTL = 1000 * 1000 * 1000
};

static inline const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline void hash_of(uint8_t *hash, uint64_t i)
{
	uint64_t words[2] = { mix(i + UINT64_C(0x9e3779b97f4a7c15)), i };
	memcpy(hash, words, BC_HASH_BYTES);
}

static inline void id_of(uint8_t *id, uint64_t i)
{
	memset(id, 0, BC_CLICK_ID_BYTES);
	for (int k = 0; k < 8; k++)
		id[k] = (uint8_t)(i >> (56 - 8 * k));
}

struct visit {
	uint64_t id, session, at, expires;
};

static inline struct visit visit_of(uint64_t i)
{
	return (struct visit){ i, i, i + 1, TTL + i };
}

/* In the transaction under way. */
static inline void apply_click(struct sq *e, struct visit visit)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_PUT_CLICK };
	struct bc_click *click = &op.in.put_click.click;
	id_of(click->id, visit.id);
	hash_of(click->session, visit.session);
	hash_of(click->token_hash, visit.id);
	click->has_session = true;
	click->token = BC_STR("token-of-a-click");
	click->partner = BC_STR("partner");
	click->product = BC_STR("default");
	click->captured_ms = visit.at;
	click->expires_ms = visit.expires;
	if (bc_engine_sqlite.apply(e, &op, &fault) || op.result)
		fail_msg("%s", fault.err.text);
}

static inline void begin(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.begin(e, &fault))
		fail_msg("%s", fault.err.text);
}

static inline void commit(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.commit(e, &fault))
		fail_msg("%s", fault.err.text);
	bc_engine_sqlite.tend(e, false, &fault);
	assert_int_equal(fault.err.code, 0);
}

static inline void put_one(struct sq *e, struct visit visit)
{
	begin(e);
	apply_click(e, visit);
	commit(e);
}

/* Clicks from a number up to another one. */
static inline void put_range(struct sq *e, uint64_t from, uint64_t to)
{
	while (from < to) {
		begin(e);
		for (unsigned k = 0; k < BATCH && from < to; k++)
			apply_click(e, visit_of(from++));
		commit(e);
	}
}

/* The time of the newest click that a session has; 0: none. */
static inline uint64_t newest_of(struct rig *r, uint64_t session)
{
	struct bc_engine_fault fault = { 0 };
	struct sq *e = r->bare;
	struct bc_click click;
	uint8_t hash[BC_HASH_BYTES];
	e->fault = &fault;
	hash_of(hash, session);
	bc_arena_reset(r->arena);
	int found = sq_rows.find_session_click(e, hash, r->arena, &click);
	if (found < 0)
		fail_msg("%s", fault.err.text);
	if (found)
		assert_memory_equal(click.session, hash, sizeof(hash));
	return found ? click.captured_ms : 0;
}

/* Looks at every 97th session, and the last. */
static inline void assert_found(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_int_equal(newest_of(r, i), i + 1);
	if (from < to)
		assert_int_equal(newest_of(r, to - 1), to);
}

static inline void assert_absent(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_int_equal(newest_of(r, i), 0);
}

static inline uint64_t number(struct sq *e, const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* How often a statement was run since the store was opened. */
static inline int runs_of(struct sq *e, enum sq_stmt stmt)
{
	return sqlite3_stmt_status(e->stmts[stmt], SQLITE_STMTSTATUS_RUN, 0);
}

static inline uint64_t in_table(struct sq *e)
{
	return number(e, "SELECT count(*) FROM click_sessions");
}

/* The invariants that sqlite_sessions.c and sqlite_clicks.c state. */
static inline void assert_sound(struct sq *e)
{
	assert_int_equal(
		number(e,
		       "SELECT count(*) FROM click_sessions s LEFT JOIN clicks c ON c.row = s.row"
		       " WHERE c.session IS NOT s.session OR c.captured_ms IS NOT s.captured_ms"
		       " OR s.part <> s.row / 131072"),
		0);
	assert_int_equal(
		number(e, "SELECT count(*) FROM clicks c WHERE session IS NOT NULL AND row <="
			  " (SELECT n FROM counts WHERE name = 'clicks.settled') AND NOT EXISTS"
			  " (SELECT 1 FROM click_sessions s WHERE s.part = c.row / 131072"
			  " AND s.session = c.session AND s.row = c.row)"),
		0);
	assert_int_equal(number(e, "SELECT count(*) FROM click_expiry x LEFT JOIN clicks c"
				   " ON c.row = x.row WHERE c.expires_ms IS NOT x.expires_ms"),
			 0);
	assert_int_equal(number(e, "SELECT count(*) FROM clicks"),
			 e->counts.clicks.now + e->counts.late_clicks.now);
	assert_int_equal(number(e, "SELECT coalesce(max(n), 0) FROM counts WHERE name = 'clicks'"),
			 number(e, "SELECT count(*) FROM click_expiry"));
}

static inline void reopen(struct rig *r)
{
	struct bc_err err = { 0 };
	bc_engine_sqlite.close(r->bare);
	r->bare = NULL;
	if (bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, &err))
		fail_msg("%s", err.text);
}

static inline uint64_t purge(struct sq *e, uint64_t before_ms, uint32_t limit)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_PURGE };
	op.in.purge.clicks_before_ms = before_ms;
	op.in.purge.limit = limit;
	begin(e);
	assert_int_equal(bc_engine_sqlite.apply(e, &op, &fault), 0);
	commit(e);
	assert_int_equal(op.out.purge.more, op.out.purge.clicks == limit);
	return op.out.purge.clicks;
}

static inline int delete_click(struct sq *e, uint64_t i)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_DELETE_CLICK };
	id_of(op.in.delete_click, i);
	assert_int_equal(bc_engine_sqlite.apply(e, &op, &fault), 0);
	return op.result;
}

#endif
