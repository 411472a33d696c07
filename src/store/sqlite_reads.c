/* SPDX-License-Identifier: MIT */
/* Operations that only read: one order's story, lists. */
#include "store/sqlite_impl.h"

#include "base/err.h"

/* Halves its way over the rows; see sq_schema on newest_ms. */
int sq_since_row(struct sq *e, uint64_t since_ms, uint64_t *ret_row)
{
	uint64_t low = 0, high = INT64_MAX;
	int row = 0;
	while (row >= 0 && since_ms && low < high) {
		SQ_QUERY q = sq_query(e, SQ_ORDER_SINCE);
		uint64_t middle = low + (high - low) / 2;
		sq_add_int(&q, middle);
		row = sq_step(&q);
		if (row == 1 && sq_int(&q, 1) < since_ms)
			low = sq_int(&q, 0) + 1;
		else
			high = middle;
	}
	*ret_row = low;
	return row < 0 ? row : 0;
}

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
		op->result = bc_err_set(&op->err, BC_ENOENT, "there is no order \"%.*s\"",
					(int)name.len, name.ptr);
	return found;
}

/* --- lists --------------------------------------------------------------------------------- */

/* Reads one order more than asked for, to know whether there are more. */
static int read_list(struct sq_query *q, struct bc_store_op *op, uint32_t limit)
{
	struct bc_order *orders = NULL, one;
	uint32_t room = 0, count = 0;
	int row;
	while ((row = sq_step_order(q, op->arena, &one)) == 1) {
		if (count == limit) {
			op->out.list.next_before_row = orders[count - 1].row;
			break;
		}
		if (count == room) {
			/* Doubling leaves the old array to the arena: at most as much again. */
			uint32_t wider = room ? 2 * room : 16;
			struct bc_order *more = bc_arena_alloc(op->arena, wider * sizeof(*more));
			if (!more)
				return sq_no_memory(q->e);
			for (uint32_t i = 0; i < count; i++)
				more[i] = orders[i];
			orders = more;
			room = wider;
		}
		orders[count++] = one;
	}
	op->out.list.orders = orders;
	op->out.list.count = count;
	return row < 0 ? row : 0;
}

int sq_list_orders(struct sq *e, struct bc_store_op *op)
{
	const struct bc_order_selector *select = &op->in.list.select;
	uint32_t limit = bc_rule_list_limit(select);
	bool any = select->state == BC_ORDER_STATE_ANY;
	uint64_t from_row;
	int result = sq_since_row(e, select->since_ms, &from_row);
	if (result)
		return result;
	SQ_QUERY q = sq_query(e, any ? SQ_ORDERS_BELOW : SQ_ORDERS_BELOW_IN_STATE);
	sq_add_int(&q, select->before_row ? select->before_row : INT64_MAX);
	sq_add_int(&q, from_row);
	sq_add_int(&q, select->since_ms);
	if (!any)
		sq_add_int(&q, (uint64_t)select->state);
	sq_add_int(&q, (uint64_t)limit + 1);
	return read_list(&q, op, limit);
}
