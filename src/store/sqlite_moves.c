/* SPDX-License-Identifier: MIT */
/*
 * Operations that move many orders: lease, release, requeue by selector, clean-up. Each reads a
 * chunk, closes its query, then writes, so memory is flat however many there are and no cursor
 * meets a row that it moved.
 */
#include "store/sqlite_impl.h"

#include "base/err.h"

/* --- lease --------------------------------------------------------------------------------- */

/* Reads the due orders of a lane, oldest due first, into op's arena. */
static int read_due(struct sq *e, struct bc_store_op *op)
{
	struct bc_str partner = op->in.lease.partner, product = op->in.lease.product;
	uint64_t most = sq_counts_pending(e, partner, product);
	if (most > op->in.lease.limit)
		most = op->in.lease.limit;
	if (most == 0)
		return 0;
	struct bc_order *orders = bc_arena_alloc(op->arena, most * sizeof(*orders));
	if (!orders)
		return sq_no_memory(e);
	op->out.lease.orders = orders;
	SQ_QUERY q = sq_query(e, SQ_ORDERS_DUE);
	sq_add_label(&q, partner);
	sq_add_label(&q, product);
	sq_add_int(&q, op->in.lease.now_ms);
	sq_add_int(&q, most);
	int row;
	while ((row = sq_step_order(&q, op->arena, &orders[op->out.lease.count])) == 1) {
		if (++op->out.lease.count == most)
			return 0;
	}
	return row;
}

int sq_lease(struct sq *e, struct bc_store_op *op)
{
	if (op->in.lease.only_order.ptr)
		return bc_rule_lease_only(&sq_rows, e, op);
	int result = read_due(e, op);
	for (uint32_t i = 0; result == 0 && i < op->out.lease.count; i++)
		result = bc_rule_lease(&sq_rows, e, op, &op->out.lease.orders[i]);
	return result;
}

/* --- release and requeue ------------------------------------------------------------------- */

static int read_below(struct sq *e, const struct bc_order_selector *select, uint64_t from_row,
		      struct bc_order **ret_orders, uint32_t *ret_count)
{
	bool any = select->state == BC_ORDER_STATE_ANY;
	SQ_QUERY q = sq_query(e, any ? SQ_ORDERS_BELOW : SQ_ORDERS_BELOW_IN_STATE);
	sq_add_int(&q, select->before_row ? select->before_row : INT64_MAX);
	sq_add_int(&q, from_row);
	sq_add_int(&q, select->since_ms);
	if (!any)
		sq_add_int(&q, (uint64_t)select->state);
	sq_add_int(&q, SQ_CHUNK_ROWS);
	return sq_read_chunk(&q, ret_orders, ret_count);
}

int sq_release(struct sq *e, struct bc_store_op *op)
{
	struct bc_order_selector select = { .state = BC_ORDER_SENDING };
	struct bc_order *orders;
	uint32_t count;
	do {
		int result = read_below(e, &select, 0, &orders, &count);
		for (uint32_t i = 0; result == 0 && i < count; i++) {
			bc_rule_release(&orders[i], op->in.release.now_ms);
			result = sq_move_order(e, BC_ORDER_SENDING, &orders[i]);
		}
		if (result)
			return result;
		op->out.changed.count += count;
	} while (count == SQ_CHUNK_ROWS);
	return 0;
}

/* Requeues what of a chunk the selector takes, or only counts it. */
static int requeue_chunk(struct sq *e, struct bc_store_op *op, struct bc_order *orders,
			 uint32_t count)
{
	const struct bc_order_selector *select = &op->in.requeue.select;
	for (uint32_t i = 0; i < count; i++) {
		enum bc_order_state from = orders[i].state;
		if (!bc_rule_requeues(&orders[i], select->state))
			continue;
		if (select->limit && op->out.changed.count == select->limit) {
			op->out.changed.next_before_row = orders[i].row + 1;
			return 0;
		}
		op->out.changed.count++;
		if (select->count_only)
			continue;
		bc_rule_make_due(&orders[i], op->in.requeue.now_ms, op->in.requeue.deadline_ms);
		int result = sq_move_order(e, from, &orders[i]);
		if (result)
			return result;
	}
	return 0;
}

int sq_requeue(struct sq *e, struct bc_store_op *op)
{
	if (op->in.requeue.order.ptr)
		return bc_rule_requeue(&sq_rows, e, op);
	struct bc_order_selector select = op->in.requeue.select;
	struct bc_order *orders;
	uint32_t count;
	uint64_t from_row;
	int result = sq_since_row(e, select.since_ms, &from_row);
	do {
		if (result == 0)
			result = read_below(e, &select, from_row, &orders, &count);
		if (result == 0)
			result = requeue_chunk(e, op, orders, count);
		if (result)
			return result;
		if (count)
			select.before_row = orders[count - 1].row;
	} while (count == SQ_CHUNK_ROWS && !op->out.changed.next_before_row);
	return 0;
}

/* --- clean-up ------------------------------------------------------------------------------ */

/* Runs a statement that takes a time and a limit and changes rows; *ret_rows says how many. */
static int sweep(struct sq *e, enum sq_stmt stmt, uint64_t time_ms, uint32_t limit,
		 uint64_t *ret_rows)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_int(&q, time_ms);
	sq_add_int(&q, limit);
	int result = sq_run(&q);
	if (result)
		return result;
	*ret_rows = (uint64_t)sqlite3_changes(e->db);
	if (*ret_rows)
		sq_want_scrub(e);
	return 0;
}

/* Reads the next chunk of a statement that takes a time and a limit. */
static int read_swept(struct sq *e, enum sq_stmt stmt, uint64_t time_ms, uint64_t limit,
		      struct bc_order **ret_orders, uint32_t *ret_count)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_int(&q, time_ms);
	sq_add_int(&q, limit < SQ_CHUNK_ROWS ? limit : SQ_CHUNK_ROWS);
	return sq_read_chunk(&q, ret_orders, ret_count);
}

static int expire_one(struct sq *e, struct bc_store_op *op, struct bc_order *order)
{
	bc_rule_expire(order, op->in.purge.now_ms);
	op->out.purge.expired++;
	return sq_move_order(e, BC_ORDER_PENDING, order);
}

static int delete_by_row(struct sq *e, enum sq_stmt stmt, uint64_t row)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_int(&q, row);
	return sq_run(&q);
}

static int delete_one(struct sq *e, struct bc_store_op *op, struct bc_order *order)
{
	int result = delete_by_row(e, SQ_ATTEMPTS_DELETE, order->row);
	if (result == 0)
		result = delete_by_row(e, SQ_ORDER_DELETE, order->row);
	if (result)
		return result;
	op->out.purge.orders++;
	sq_want_scrub(e);
	return sq_counts_move(e, order->state, -1, order);
}

/* Does one to each order of a statement, at most limit of them; each leaves the statement's view
 * by it. */
static int sweep_each(struct sq *e, struct bc_store_op *op, enum sq_stmt stmt, uint64_t time_ms,
		      int (*one)(struct sq *, struct bc_store_op *, struct bc_order *))
{
	uint32_t left = bc_rule_purge_limit(op), count = SQ_CHUNK_ROWS;
	struct bc_order *orders;
	while (left && count == SQ_CHUNK_ROWS) {
		int result = read_swept(e, stmt, time_ms, left, &orders, &count);
		for (uint32_t i = 0; result == 0 && i < count; i++)
			result = one(e, op, &orders[i]);
		if (result)
			return result;
		left -= count;
	}
	if (left == 0)
		op->out.purge.more = true;
	return 0;
}

int sq_purge(struct sq *e, struct bc_store_op *op)
{
	const __typeof__(op->in.purge) *in = &op->in.purge;
	__typeof__(op->out.purge) *out = &op->out.purge;
	uint32_t limit = bc_rule_purge_limit(op);
	int result = sweep(e, SQ_CLICKS_EXPIRED, in->now_ms, limit, &out->clicks);
	if (result)
		return result;
	e->counts.clicks.now -= out->clicks;
	if (in->expire)
		result = sweep_each(e, op, SQ_ORDERS_PAST_DEADLINE, in->now_ms, expire_one);
	if (result == 0)
		result = sweep(e, SQ_TOKENS_CLEAR, in->clear_before_ms, limit, &out->tokens);
	if (result == 0)
		result = sweep_each(e, op, SQ_ORDERS_UNTOUCHED, in->delete_before_ms, delete_one);
	if (out->clicks == limit || out->tokens == limit)
		out->more = true;
	return result;
}
