/* SPDX-License-Identifier: MIT */
/*
 * Clicks. Captures are what the store does most, so a row is all that each of them writes: a click
 * gets the row after the last, and what else finds it comes in bulk. By session: sqlite_sessions.c.
 * By expiry: the table click_expiry takes every block of BLOCK_ROWS when it is full, which writes
 * a fraction of the pages that an index does; who looks for what has expired looks at the rows
 * after the last full block himself. A block twice does no harm: rows that were deleted and given
 * again after a restart may fill it once more.
 *
 * counts.clicks is the number of entries in click_expiry; late_clicks of clicks without one. So the
 * count is known, and yet most commits have none to write.
 */
#include "store/sqlite_impl.h"

#include <string.h>

enum { BLOCK_ROWS = 1024 };

/* --- looking up ---------------------------------------------------------------------------- */

static int step_click(struct sq_query *q, struct bc_arena *arena, struct bc_click *ret_click)
{
	int row = sq_step(q);
	if (row <= 0)
		return row;
	*ret_click = (struct bc_click){
		.is_test = sq_int(q, 4) != 0,
		.captured_ms = sq_int(q, 7),
		.expires_ms = sq_int(q, 8),
	};
	if (!sq_hash(q, 0, ret_click->id) || !sq_hash(q, 3, ret_click->token_hash))
		return sq_failed(q->e, SQLITE_CORRUPT);
	ret_click->has_session = sq_hash(q, 1, ret_click->session);
	int result = sq_copy(q, 2, arena, &ret_click->token);
	if (result == 0)
		result = sq_copy(q, 5, arena, &ret_click->partner);
	if (result == 0)
		result = sq_copy(q, 6, arena, &ret_click->product);
	return result ? result : 1;
}

static int find_click_by(struct sq *e, enum sq_stmt stmt, const uint8_t *hash,
			 struct bc_arena *arena, struct bc_click *ret_click)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_hash(&q, true, hash);
	return step_click(&q, arena, ret_click);
}

int sq_find_click(void *e, const uint8_t *id, struct bc_arena *arena, struct bc_click *ret_click)
{
	return find_click_by(e, SQ_CLICK_BY_ID, id, arena, ret_click);
}

int sq_find_session_click(void *e, const uint8_t *session, struct bc_arena *arena,
			  struct bc_click *ret_click)
{
	struct sq_session_click newest;
	int found = sq_sessions_newest(e, session, 1, &newest);
	if (found <= 0)
		return found;
	SQ_QUERY q = sq_query(e, SQ_CLICK_BY_ROW);
	sq_add_int(&q, newest.row);
	found = step_click(&q, arena, ret_click);
	/* A session's entries go with their clicks. */
	return found ? found : sq_failed(e, SQLITE_CORRUPT);
}

/* --- removing ------------------------------------------------------------------------------ */

static int forget_expiry(struct sq *e, uint64_t row, uint64_t expires_ms)
{
	SQ_QUERY q = sq_query(e, SQ_EXPIRY_DELETE);
	sq_add_int(&q, expires_ms);
	sq_add_int(&q, row);
	int result = sq_run(&q);
	if (sqlite3_changes(e->db))
		e->counts.clicks.now--;
	else
		e->counts.late_clicks.now--;
	return result;
}

/* Runs a statement that deletes clicks, with all that belongs to them; it returns CLICK_TRACES of
 * each. How many, or a fault. */
static int run_removal(struct sq_query *q)
{
	uint8_t session[BC_HASH_BYTES];
	int row, removed = 0, result = 0;
	while ((row = sq_step(q)) == 1) {
		const struct sq_session_click click = { .row = sq_int(q, 0),
							.captured_ms = sq_int(q, 2) };
		sq_tally_changes(q->e, SQ_SESSIONS, click.row);
		if (sq_hash(q, 1, session))
			result = sq_sessions_remove(q->e, &click, session);
		if (result == 0)
			result = forget_expiry(q->e, click.row, sq_int(q, 3));
		if (result)
			return result;
		removed++;
	}
	if (removed)
		sq_want_scrub(q->e);
	return row ? row : removed;
}

/* 1: it was there; 0: it was not; or a fault. */
static int remove_click(struct sq *e, const uint8_t *id)
{
	SQ_QUERY q = sq_query(e, SQ_CLICK_DELETE);
	sq_add_hash(&q, true, id);
	return run_removal(&q);
}

int sq_delete_click(struct sq *e, struct bc_store_op *op)
{
	int removed = remove_click(e, op->in.delete_click);
	if (removed == 0)
		op->result = BC_ENOENT;
	return removed < 0 ? removed : 0;
}

/* The last row of the last full block. */
static uint64_t blocks_end(const struct sq *e)
{
	uint64_t last = e->counts.next_row[SQ_SESSIONS].now - 1;
	return last - last % BLOCK_ROWS;
}

static int remove_expired(struct sq *e, enum sq_stmt stmt, uint64_t before_ms, uint64_t limit)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_int(&q, before_ms);
	sq_add_int(&q, limit);
	if (stmt == SQ_CLICKS_EXPIRED_LATE)
		sq_add_int(&q, blocks_end(e));
	return run_removal(&q);
}

int sq_purge_clicks(struct sq *e, uint64_t before_ms, uint32_t limit)
{
	int removed = remove_expired(e, SQ_CLICKS_EXPIRED, before_ms, limit);
	if (removed < 0 || (uint32_t)removed == limit)
		return removed;
	int late = remove_expired(e, SQ_CLICKS_EXPIRED_LATE, before_ms, limit - (uint32_t)removed);
	return late < 0 ? late : removed + late;
}

/* --- putting ------------------------------------------------------------------------------- */

static int fill_block(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_EXPIRY_FILL);
	sq_add_int(&q, blocks_end(e) - BLOCK_ROWS);
	int result = sq_run(&q);
	uint64_t added = (uint64_t)sqlite3_changes(e->db);
	e->counts.clicks.now += added;
	e->counts.late_clicks.now -= added;
	return result;
}

/* 1: it is there now; 0: another one of that id was; or a fault. */
static int insert_click(struct sq *e, const struct bc_click *click)
{
	SQ_QUERY q = sq_query(e, SQ_CLICK_INSERT);
	sq_add_int(&q, e->counts.next_row[SQ_SESSIONS].now);
	sq_add_hash(&q, true, click->id);
	sq_add_hash(&q, click->has_session, click->session);
	sq_add_text(&q, click->token);
	sq_add_hash(&q, true, click->token_hash);
	sq_add_int(&q, click->is_test);
	sq_add_label(&q, click->partner);
	sq_add_label(&q, click->product);
	sq_add_int(&q, click->captured_ms);
	sq_add_int(&q, click->expires_ms);
	int result = sq_run(&q);
	return result ? result : sqlite3_changes(e->db);
}

/* A click that is put again gets a new row: the later one is last where the times are the same. */
int sq_put_click(void *engine, const struct bc_click *click, bool *ret_replaced)
{
	struct sq *e = engine;
	int inserted = insert_click(e, click);
	*ret_replaced = inserted == 0;
	if (inserted == 0) {
		int removed = remove_click(e, click->id);
		inserted = removed < 0 ? removed : insert_click(e, click);
	}
	if (inserted < 0)
		return inserted;
	e->counts.late_clicks.now++;
	int result = sq_sessions_add(e, click);
	if (result == 0 && blocks_end(e) == e->counts.next_row[SQ_SESSIONS].now - 1)
		result = fill_block(e);
	return result;
}

/* --- blanking ------------------------------------------------------------------------------ */

/* Runs a statement that empties tokens. */
static int run_blank(struct sq_query *q)
{
	int result = sq_run(q);
	if (result == 0 && sqlite3_changes(q->e->db))
		sq_want_scrub(q->e);
	return result;
}

static int blank_click(struct sq *e, const struct bc_order *order)
{
	SQ_QUERY q = sq_query(e, SQ_CLICK_BLANK);
	sq_add_hash(&q, true, order->click);
	sq_add_hash(&q, true, order->token_hash);
	return run_blank(&q);
}

/* The click's session, also where the order was reported without one: 1, 0 without any. */
static int find_session(struct sq *e, const struct bc_order *order, uint8_t *ret_session)
{
	SQ_QUERY q = sq_query(e, SQ_CLICK_SESSION);
	sq_add_hash(&q, true, order->click);
	int row = sq_step(&q);
	if (row == 1 && !sq_hash(&q, 0, ret_session))
		return sq_failed(e, SQLITE_CORRUPT);
	if (row || !order->has_session)
		return row;
	memcpy(ret_session, order->session, sizeof(order->session));
	return 1;
}

static int blank_session(struct sq *e, const struct bc_order *order)
{
	uint8_t session[BC_HASH_BYTES];
	struct sq_session_click clicks[BC_BLANK_CLICKS_MAX];
	int found = find_session(e, order, session);
	if (found <= 0)
		return found;
	int count = sq_sessions_newest(e, session, BC_BLANK_CLICKS_MAX, clicks);
	for (int i = 0; i < count; i++) {
		SQ_QUERY q = sq_query(e, SQ_CLICK_BLANK_ROW);
		sq_add_int(&q, clicks[i].row);
		sq_add_hash(&q, true, order->token_hash);
		int result = run_blank(&q);
		if (result)
			return result;
	}
	return count < 0 ? count : 0;
}

int sq_blank_clicks(void *e, const struct bc_order *order)
{
	if (!order->has_click)
		return 0; /* it came by its token */
	int result = blank_click(e, order);
	return result ? result : blank_session(e, order);
}

/* --- opening ------------------------------------------------------------------------------- */

int sq_clicks_open(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_CLICKS_LATE);
	sq_add_int(&q, blocks_end(e));
	int row = sq_step(&q);
	if (row == 1)
		e->counts.late_clicks = (struct sq_count){ sq_int(&q, 0), sq_int(&q, 0) };
	return row < 0 ? row : 0;
}

int sq_clicks_rebuild(struct sq *e)
{
	static const char sql[] = "DELETE FROM click_expiry;"
				  "INSERT INTO click_expiry SELECT expires_ms, row FROM clicks"
				  " ORDER BY 1, 2";
	int rc = sqlite3_exec(e->db, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sq_failed(e, rc);
	e->counts.clicks.now = (uint64_t)sqlite3_changes(e->db);
	return 0;
}
