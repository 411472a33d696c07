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
	sq_add_int(&q, bc_rule_lane_ms(sq_find_lane(e, partner, product), op->in.lease.now_ms));
	sq_add_int(&q, most + op->in.lease.except_count);
	int row;
	while ((row = sq_step_order(&q, op->arena, &orders[op->out.lease.count])) == 1) {
		if (bc_rule_is_excepted(op, orders[op->out.lease.count].order))
			continue;
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

int sq_release(struct sq *e, struct bc_store_op *op)
{
	const struct bc_order_selector select = { .state = BC_ORDER_SENDING };
	struct sq_look look;
	struct bc_order *orders;
	uint32_t count;
	int result = sq_look_start(e, &select, UINT32_MAX, &look);
	do {
		if (result == 0)
			result = sq_look_chunk(e, &look, &orders, &count);
		for (uint32_t i = 0; result == 0 && i < count; i++)
			result = bc_rule_release(&sq_rows, e, &orders[i], op->in.release.now_ms);
		if (result)
			return result;
		op->out.changed.count += count;
	} while (count == SQ_CHUNK_ROWS);
	op->out.changed.newest_ms = e->newest_ms.now;
	return 0;
}

/* Requeues what of a chunk the selector takes, or only counts it. */
static int requeue_chunk(struct sq *e, struct bc_store_op *op, struct bc_order *orders,
			 uint32_t count)
{
	const struct bc_order_selector *select = &op->in.requeue.select;
	for (uint32_t i = 0; i < count; i++) {
		if (!bc_rule_requeues(&orders[i], select))
			continue;
		if (select->limit && op->out.changed.count == select->limit) {
			op->out.changed.next_before_row = orders[i].row + 1;
			return 0;
		}
		op->out.changed.count++;
		if (select->count_only)
			continue;
		int result = bc_rule_make_due(&sq_rows, e, &orders[i], op->in.requeue.now_ms,
					      op->in.requeue.deadline_ms);
		if (result)
			return result;
	}
	return 0;
}

int sq_requeue(struct sq *e, struct bc_store_op *op)
{
	if (op->in.requeue.order.ptr)
		return bc_rule_requeue(&sq_rows, e, op);
	const struct bc_order_selector *select = &op->in.requeue.select;
	struct sq_look look;
	struct bc_order *orders;
	uint32_t count;
	int result = sq_look_start(e, select, bc_rule_requeue_look(select), &look);
	do {
		if (result == 0)
			result = sq_look_chunk(e, &look, &orders, &count);
		if (result == 0)
			result = requeue_chunk(e, op, orders, count);
		if (result)
			return result;
	} while (count == SQ_CHUNK_ROWS && !op->out.changed.next_before_row);
	if (look.more && !op->out.changed.next_before_row)
		op->out.changed.next_before_row = look.below_row;
	return 0;
}

/* --- clean-up ------------------------------------------------------------------------------ */

static int delete_clicks(struct sq *e, struct bc_store_op *op)
{
	uint32_t limit = bc_rule_purge_limit(op);
	int deleted = sq_purge_clicks(e, op->in.purge.clicks_before_ms, limit);
	if (deleted < 0)
		return deleted;
	op->out.purge.clicks = (uint64_t)deleted;
	if ((uint32_t)deleted == limit)
		op->out.purge.more = true;
	return 0;
}

/* One kind of clean-up: what to do to each order that a statement finds, all of which leave its
 * view by that. The statement takes a lane, if one is given, a time, and a limit. */
struct sweep {
	enum sq_stmt stmt;
	const char *partner, *product; /* NULL: orders of all lanes */
	uint64_t time_ms;
	uint64_t limit;
	int (*one)(struct sq *, struct bc_store_op *, struct bc_order *);
};

static int read_swept(struct sq *e, const struct sweep *sweep, uint64_t left,
		      struct bc_order **ret_orders, uint32_t *ret_count)
{
	SQ_QUERY q = sq_query(e, sweep->stmt);
	if (sweep->partner) {
		sq_add_text(&q, bc_str_of(sweep->partner));
		sq_add_text(&q, bc_str_of(sweep->product));
	}
	sq_add_int(&q, sweep->time_ms);
	sq_add_int(&q, left < SQ_CHUNK_ROWS ? left : SQ_CHUNK_ROWS);
	return sq_read_chunk(&q, ret_orders, ret_count);
}

static int expire_one(struct sq *e, struct bc_store_op *op, struct bc_order *order)
{
	op->out.purge.expired++;
	return bc_rule_expire(&sq_rows, e, order, op->in.purge.now_ms);
}

static int clear_one(struct sq *e, struct bc_store_op *op, struct bc_order *order)
{
	op->out.purge.cleared++;
	return bc_rule_clear(&sq_rows, e, order);
}

/* It was never sent: it has no attempts. */
static int delete_one(struct sq *e, struct bc_store_op *op, struct bc_order *order)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_DELETE);
	sq_add_int(&q, order->row);
	int result = sq_run(&q);
	if (result)
		return result;
	op->out.purge.orders++;
	sq_want_scrub(e);
	sq_tally_changes(e, SQ_TOKENS, order->row);
	return sq_counts_move(e, (int)order->state, -1, order);
}

static int run_sweep(struct sq *e, struct bc_store_op *op, const struct sweep *sweep)
{
	uint64_t left = sweep->limit;
	uint32_t count = SQ_CHUNK_ROWS;
	struct bc_order *orders;
	while (left && count == SQ_CHUNK_ROWS) {
		int result = read_swept(e, sweep, left, &orders, &count);
		for (uint32_t i = 0; result == 0 && i < count; i++)
			result = sweep->one(e, op, &orders[i]);
		if (result)
			return result;
		left -= count;
	}
	if (left == 0)
		op->out.purge.more = true;
	return 0;
}

/* Each lane by its own time. */
static int expire(struct sq *e, struct bc_store_op *op)
{
	const struct sq_counts *c = &e->counts;
	uint32_t limit = bc_rule_purge_limit(op);
	for (uint32_t i = 0; i < c->lane_count && op->out.purge.expired < limit; i++) {
		const struct sq_lane *lane = &c->lanes[i];
		if (lane->pending.now == 0)
			continue;
		const struct sweep sweep = {
			.stmt = SQ_ORDERS_PAST_DEADLINE,
			.partner = lane->partner,
			.product = lane->product,
			.time_ms = bc_rule_lane_ms(lane->record, op->in.purge.now_ms),
			.limit = limit - op->out.purge.expired,
			.one = expire_one,
		};
		int result = run_sweep(e, op, &sweep);
		if (result)
			return result;
	}
	return 0;
}

/* Both statements together delete no more than the limit. */
static int delete_orders(struct sq *e, struct bc_store_op *op, enum sq_stmt stmt)
{
	const struct sweep sweep = { .stmt = stmt,
				     .time_ms = op->in.purge.unattributed_before_ms,
				     .limit = bc_rule_purge_limit(op) - op->out.purge.orders,
				     .one = delete_one };
	return run_sweep(e, op, &sweep);
}

int sq_purge(struct sq *e, struct bc_store_op *op)
{
	const __typeof__(op->in.purge) *in = &op->in.purge;
	const uint32_t limit = bc_rule_purge_limit(op);
	const struct sweep clear = { .stmt = SQ_ORDERS_TO_CLEAR,
				     .time_ms = in->clear_before_ms,
				     .limit = limit,
				     .one = clear_one };
	uint32_t returns = bc_returns_expire(&e->returns, in->now_ms, limit);
	uint32_t tally = sq_tally_expire(e, in->now_ms, limit);
	if (returns == limit || tally == limit)
		op->out.purge.more = true;
	int result = delete_clicks(e, op);
	if (result == 0)
		result = expire(e, op);
	if (result == 0)
		result = run_sweep(e, op, &clear);
	if (result == 0)
		result = delete_orders(e, op, SQ_ORDERS_UNTOUCHED);
	return result ? result : delete_orders(e, op, SQ_ORDERS_TOMBSTONES);
}
