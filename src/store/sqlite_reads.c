/* SPDX-License-Identifier: MIT */
/* Operations that only read: one order's story, lists, comments that are due. */
#include "store/sqlite_impl.h"

#include "base/err.h"

/* --- one order ----------------------------------------------------------------------------- */

static int read_attempt(const struct sq_query *q, struct bc_arena *arena, struct bc_attempt *a)
{
	*a = (struct bc_attempt){
		.n = (uint32_t)sq_int(q, 0),
		.at_ms = sq_int(q, 1),
		.status = (int)sq_int(q, 2),
		.outcome = (int)sq_int(q, 3),
		.duration_ms = sq_int(q, 4),
	};
	int result = sq_copy(q, 5, arena, &a->error);
	return result ? result : sq_copy(q, 6, arena, &a->key_fingerprint);
}

static int read_attempts(struct sq *e, struct bc_store_op *op)
{
	uint32_t most = op->out.story.order.attempts;
	struct bc_attempt *attempts;
	if (most == 0)
		return 0;
	attempts = bc_arena_alloc(op->arena, most * sizeof(*attempts));
	if (!attempts)
		return sq_no_memory(e);
	op->out.story.attempts = attempts;
	SQ_QUERY q = sq_query(e, SQ_ATTEMPTS);
	sq_add_int(&q, op->out.story.order.row);
	int row = 0;
	while (op->out.story.attempt_count < most && (row = sq_step(&q)) == 1) {
		row = read_attempt(&q, op->arena, &attempts[op->out.story.attempt_count]);
		if (row)
			return row;
		op->out.story.attempt_count++;
	}
	return row < 0 ? row : 0;
}

int sq_get_order(struct sq *e, struct bc_store_op *op)
{
	struct bc_str name = op->in.get_order.order;
	int found = sq_rows.find_order(e, name, op->arena, &op->out.story.order);
	if (found == 1)
		return read_attempts(e, op);
	if (found == 0)
		op->result =
			bc_err_tell(&op->err, BC_ENOENT,
				    "backchannel orders lists what there is; an order that was "
				    "never reported, or deleted by order.keep, is not known",
				    "there is no order \"%.*s\"", (int)name.len, name.ptr);
	return found;
}

/* --- lists --------------------------------------------------------------------------------- */

/* Makes room for one order more. */
static struct bc_order *grow(struct bc_order *orders, uint32_t count, struct bc_arena *arena)
{
	if (count && (count < 16 || (count & (count - 1))))
		return orders;
	/* Doubling leaves the old array to the arena: at most as much again. */
	uint32_t room = count ? 2 * count : 16;
	struct bc_order *more = bc_arena_alloc(arena, room * sizeof(*more));
	for (uint32_t i = 0; more && i < count; i++)
		more[i] = orders[i];
	return more;
}

/* Finds one order more than asked for, to know whether there are more. */
static int read_list(struct sq_query *q, struct sq_look *look, struct bc_store_op *op)
{
	const uint32_t limit = bc_rule_list_limit(look->select);
	__typeof__(op->out.list) *out = &op->out.list;
	int row;
	while ((row = sq_look_step(q, look)) == 1) {
		if (out->count == limit) {
			out->next_before_row = look->below_row + 1;
			break;
		}
		out->orders = grow(out->orders, out->count, op->arena);
		if (!out->orders)
			return sq_no_memory(q->e);
		row = sq_read_order(q, op->arena, &out->orders[out->count]);
		if (row)
			return row;
		out->count++;
	}
	return row < 0 ? row : 0;
}

static int count_list(struct sq_query *q, struct sq_look *look, struct bc_store_op *op)
{
	int row;
	while ((row = sq_look_step(q, look)) == 1)
		op->out.list.count++;
	return row;
}

int sq_list_orders(struct sq *e, struct bc_store_op *op)
{
	const struct bc_order_selector *select = &op->in.list.select;
	struct sq_look look;
	int result = sq_look_start(e, select, BC_LOOK_ROWS_MAX, &look);
	if (result)
		return result;
	SQ_QUERY q = sq_look_query(e, &look);
	result = select->count_only ? count_list(&q, &look, op) : read_list(&q, &look, op);
	if (look.more)
		op->out.list.next_before_row = look.below_row;
	return result;
}

int sq_due_comments(struct sq *e, struct bc_store_op *op)
{
	__typeof__(op->out.list) *out = &op->out.list;
	int row;
	SQ_QUERY q = sq_query(e, SQ_ORDERS_TO_COMMENT);
	sq_add_int(&q, bc_rule_comment_limit(op));
	while ((row = sq_step(&q)) == 1) {
		out->orders = grow(out->orders, out->count, op->arena);
		if (!out->orders)
			return sq_no_memory(e);
		row = sq_read_order(&q, op->arena, &out->orders[out->count]);
		if (row)
			return row;
		out->count++;
	}
	return row;
}
