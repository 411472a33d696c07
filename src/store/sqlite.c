/* SPDX-License-Identifier: MIT */
/*
 * The default engine: one SQLite file in WAL mode with synchronous=FULL, so a commit is one fsync
 * of the log. This file has the transactions and hands each operation to its function; the others
 * are named in sqlite_impl.h.
 */
#include "store/sqlite_deferred.h"

#include "base/err.h"

/* --- transactions -------------------------------------------------------------------------- */

static int begin(void *engine, struct bc_engine_fault *fault)
{
	struct sq *e = engine;
	e->fault = fault;
	int result = sq_deferred_begin(e);
	if (result)
		return result;
	SQ_QUERY q = sq_query(e, SQ_BEGIN);
	return sq_run(&q);
}

static int commit(void *engine, struct bc_engine_fault *fault)
{
	struct sq *e = engine;
	e->fault = fault;
	int result = sq_insert_now(e);
	if (result == 0)
		result = sq_counts_store(e);
	if (result)
		return result;
	SQ_QUERY q = sq_query(e, SQ_COMMIT);
	if (sqlite3_step(q.stmt) != SQLITE_DONE)
		return sq_commit_failed(e, sqlite3_extended_errcode(e->db));
	sq_counts_settle(e);
	sq_deferred_settle(e);
	return 0;
}

static void rollback(void *engine)
{
	struct sq *e = engine;
	/* Some failures have rolled back already. One that fails here leaves the transaction open,
	 * and the next begin says so. */
	if (!sqlite3_get_autocommit(e->db))
		(void)sqlite3_exec(e->db, "ROLLBACK", NULL, NULL, NULL);
	sq_insert_none(e);
	sq_deferred_restore(e);
	e->first_click = 0; /* those that were deleted are there again */
	sq_counts_restore(e);
}

/* --- operations that need no file of their own --------------------------------------------- */

static int put_click(struct sq *e, struct bc_store_op *op)
{
	int result = bc_rule_put_click(&sq_rows, e, op, e->scratch);
	return result ? result : sq_tally_click(e, &op->in.put_click.click);
}

static int bind_click(struct sq *e, struct bc_store_op *op)
{
	uint64_t row = e->counts.next_row[SQ_SESSIONS].now; /* of the copy, which did not come */
	int result = bc_rule_bind_click(&sq_rows, e, op, e->scratch);
	if (result == 0 && op->result == 0)
		sq_tally_changes(e, SQ_SESSIONS, row);
	return result;
}

static int take_page(struct sq *e, struct bc_store_op *op)
{
	return bc_rule_take_page(&sq_rows, e, op);
}

static int put_comment(struct sq *e, struct bc_store_op *op)
{
	return bc_rule_put_comment(&sq_rows, e, op, e->scratch);
}

static int accept_order(struct sq *e, struct bc_store_op *op)
{
	return bc_rule_accept(&sq_rows, e, op);
}

static int finish(struct sq *e, struct bc_store_op *op)
{
	return bc_rule_finish(&sq_rows, e, op, e->scratch);
}

static int cancel(struct sq *e, struct bc_store_op *op)
{
	return bc_rule_cancel(&sq_rows, e, op);
}

static int counts(struct sq *e, struct bc_store_op *op)
{
	for (int i = 0; i < BC_ORDER_STATES; i++)
		op->out.counts.orders[i] = e->counts.orders[i].now;
	op->out.counts.clicks = e->counts.clicks.now + e->counts.late_clicks.now;
	return 0;
}

static int get_meta(struct sq *e, struct bc_store_op *op)
{
	SQ_QUERY q = sq_query(e, SQ_META_GET);
	sq_add_text(&q, op->in.meta.key);
	int row = sq_step(&q);
	if (row == 1)
		return sq_copy(&q, 0, op->arena, &op->out.meta);
	if (row == 0)
		op->result = BC_ENOENT;
	return row;
}

static int put_meta(struct sq *e, struct bc_store_op *op)
{
	return sq_rows.put_meta(e, op->in.meta.key, op->in.meta.value);
}

static int probe(struct sq *e, struct bc_store_op *op)
{
	char now[BC_TIME_TEXT_BYTES];
	(void)op;
	return sq_rows.put_meta(e, BC_STR("store.probe"),
				bc_str_of(bc_time_format(bc_wall_ms(e->clock), now)));
}

static int (*const operations[BC_STORE_KINDS])(struct sq *, struct bc_store_op *) = {
	[BC_STORE_PUT_CLICK] = put_click,
	[BC_STORE_DELETE_CLICK] = sq_delete_click,
	[BC_STORE_ACCEPT_ORDER] = accept_order,
	[BC_STORE_LEASE] = sq_lease,
	[BC_STORE_FINISH] = finish,
	[BC_STORE_RELEASE] = sq_release,
	[BC_STORE_GET_ORDER] = sq_get_order,
	[BC_STORE_LIST_ORDERS] = sq_list_orders,
	[BC_STORE_REQUEUE] = sq_requeue,
	[BC_STORE_CANCEL] = cancel,
	[BC_STORE_PURGE] = sq_purge,
	[BC_STORE_COUNTS] = counts,
	[BC_STORE_RETURNS] = sq_tell_returns,
	[BC_STORE_HISTORY] = sq_tell_history,
	[BC_STORE_LANES] = sq_tell_lanes,
	[BC_STORE_PUT_LANE] = sq_put_lane,
	[BC_STORE_GET_META] = get_meta,
	[BC_STORE_PUT_META] = put_meta,
	[BC_STORE_PROBE] = probe,
	[BC_STORE_TAKE_PAGE] = take_page,
	[BC_STORE_BIND_CLICK] = bind_click,
	[BC_STORE_DUE_COMMENTS] = sq_due_comments,
	[BC_STORE_PUT_COMMENT] = put_comment,
	[BC_STORE_BACKUP] = sq_backup,
};

/* What each of these looks for it has inserted itself; see sqlite_insert.c. */
static bool may_gather(enum bc_store_kind kind)
{
	return kind == BC_STORE_ACCEPT_ORDER || kind == BC_STORE_TAKE_PAGE ||
	       kind == BC_STORE_PUT_CLICK;
}

static int apply(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	struct sq *e = engine;
	e->fault = fault;
	bc_arena_reset(e->scratch);
	int result = may_gather(op->kind) ? 0 : sq_insert_now(e);
	if (result == 0)
		result = operations[op->kind](e, op);
	if (result == 0)
		bc_rule_answer(&sq_rows, e, op);
	return result;
}

const struct bc_engine bc_engine_sqlite = {
	.name = "sqlite",
	.help = "one file on this machine: sqlite:PATH",
	.open = sq_open,
	.close = sq_close,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.apply = apply,
	.tend = sq_tend,
	.measure = sq_measure,
};
