/* SPDX-License-Identifier: MIT */
/*
 * The shape of operations: what is refused before any engine sees it, and the limits that stand
 * where a caller names none. A missing arena is the caller's bug, not an answer.
 */
#include "store/rules.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"

enum { ORDER = 1, ARENA = 2 };

/* Which operation names an order, where, and which one answers with strings. */
static const struct shape {
	size_t order_at;
	unsigned flags;
} shapes[BC_STORE_KINDS] = {
	[BC_STORE_ACCEPT_ORDER] = { offsetof(struct bc_store_op, in.accept.order), ORDER | ARENA },
	[BC_STORE_LEASE] = { 0, ARENA },
	[BC_STORE_FINISH] = { offsetof(struct bc_store_op, in.finish.order), ORDER },
	[BC_STORE_GET_ORDER] = { offsetof(struct bc_store_op, in.get_order.order), ORDER | ARENA },
	[BC_STORE_LIST_ORDERS] = { 0, ARENA },
	[BC_STORE_CANCEL] = { offsetof(struct bc_store_op, in.cancel.order), ORDER | ARENA },
	[BC_STORE_RETURNS] = { 0, ARENA },
	[BC_STORE_LANES] = { 0, ARENA },
	[BC_STORE_GET_META] = { 0, ARENA },
};

static int check_order_name(struct bc_str order, struct bc_err *err)
{
	if (order.len >= 1 && order.len <= BC_ORDER_ID_MAX)
		return 0;
	bc_err_set(err, BC_EINVAL, "an order id of %zu bytes is not possible", order.len);
	bc_err_hint(err, "an order id has 1 to %d bytes", BC_ORDER_ID_MAX);
	return BC_EINVAL;
}

static int check_label(struct bc_str label, const char *what, struct bc_err *err)
{
	if (label.len <= BC_LABEL_MAX)
		return 0;
	return bc_err_set(err, BC_ETOOBIG, "a %s name of %zu bytes is longer than %d", what,
			  label.len, BC_LABEL_MAX);
}

static int check_lane(struct bc_str partner, struct bc_str product, struct bc_err *err)
{
	int result = check_label(partner, "partner", err);
	return result ? result : check_label(product, "product", err);
}

static int check_finish(const struct bc_store_op *op, struct bc_err *err)
{
	enum bc_order_state next = op->in.finish.next;
	if (next == BC_ORDER_PENDING || next == BC_ORDER_DELIVERED || next == BC_ORDER_REJECTED ||
	    next == BC_ORDER_EXPIRED)
		return 0;
	return bc_err_set(err, BC_EINVAL, "an attempt cannot end in state %d", (int)next);
}

static int check_click(const struct bc_click *click, struct bc_err *err)
{
	if (!click->token.len)
		return bc_err_set(err, BC_EINVAL, "a click without a token cannot be stored");
	return check_lane(click->partner, click->product, err);
}

static int check_put_lane(const struct bc_store_op *op, struct bc_err *err)
{
	struct bc_str state = op->in.put_lane.state;
	if (!state.len)
		return bc_err_set(err, BC_EINVAL, "a lane without a state cannot be stored");
	int result = check_label(state, "state", err);
	return result ? result : check_lane(op->in.put_lane.partner, op->in.put_lane.product, err);
}

int bc_rule_check(const struct bc_store_op *op, struct bc_err *err)
{
	BC_ASSERT((unsigned)op->kind < BC_STORE_KINDS);
	const struct shape *shape = &shapes[op->kind];
	BC_ASSERT(!(shape->flags & ARENA) || op->arena);
	if (shape->flags & ORDER) {
		const void *at = (const char *)op + shape->order_at;
		int result = check_order_name(*(const struct bc_str *)at, err);
		if (result)
			return result;
	}
	if (op->kind == BC_STORE_PUT_CLICK)
		return check_click(&op->in.put_click.click, err);
	if (op->kind == BC_STORE_ACCEPT_ORDER)
		return check_lane(op->in.accept.partner, op->in.accept.product, err);
	if (op->kind == BC_STORE_FINISH)
		return check_finish(op, err);
	if (op->kind == BC_STORE_PUT_LANE)
		return check_put_lane(op, err);
	if (op->kind == BC_STORE_REQUEUE && op->in.requeue.order.ptr) {
		BC_ASSERT(op->arena);
		return check_order_name(op->in.requeue.order, err);
	}
	return 0;
}

bool bc_rule_same_text(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool names_label(struct bc_str wanted, struct bc_str label)
{
	return !wanted.ptr || bc_rule_same_text(wanted, label);
}

bool bc_rule_selects(const struct bc_order_selector *select, const struct bc_order *order)
{
	return (select->state == BC_ORDER_STATE_ANY || (int)order->state == select->state) &&
	       order->created_ms >= select->since_ms &&
	       (!select->until_ms || order->created_ms < select->until_ms) &&
	       names_label(select->partner, order->partner) &&
	       names_label(select->product, order->product) &&
	       /* Without a click it is in no lane, whatever product it was reported with. */
	       (order->state != BC_ORDER_UNATTRIBUTED ||
		!(select->partner.ptr || select->product.ptr));
}

uint32_t bc_rule_requeue_look(const struct bc_order_selector *select)
{
	return select->limit ? BC_LOOK_ROWS_MAX : UINT32_MAX;
}

uint32_t bc_rule_list_limit(const struct bc_order_selector *select)
{
	bool in_range = select->limit >= 1 && select->limit <= BC_LIST_ROWS_MAX;
	return in_range ? select->limit : BC_LIST_ROWS_MAX;
}

uint32_t bc_rule_purge_limit(const struct bc_store_op *op)
{
	return op->in.purge.limit ? op->in.purge.limit : BC_PURGE_ROWS_DEFAULT;
}
