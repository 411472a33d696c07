/* SPDX-License-Identifier: MIT */
/*
 * The shape of operations: what is refused before any engine sees it, and the limits that stand
 * where a caller names none. A missing arena is the caller's bug, not an answer.
 */
#include "store/rules.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "store/history.h"

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
	[BC_STORE_HISTORY] = { 0, ARENA },
	[BC_STORE_LANES] = { 0, ARENA },
	[BC_STORE_GET_META] = { 0, ARENA },
	[BC_STORE_TAKE_PAGE] = { 0, ARENA },
	[BC_STORE_DUE_COMMENTS] = { 0, ARENA },
	[BC_STORE_BACKUP] = { 0, ARENA },
	[BC_STORE_PUT_COMMENT] = { offsetof(struct bc_store_op, in.put_comment.order), ORDER },
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
	return bc_err_tell(err, BC_ETOOBIG, "choose a shorter name for the product",
			   "a %s name of %zu bytes is longer than %d", what, label.len,
			   BC_LABEL_MAX);
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
	return bc_err_tell(err, BC_EINVAL, "this is a bug of the caller; please report it",
			   "an attempt cannot end in state %d", (int)next);
}

static int check_click(const struct bc_click *click, struct bc_err *err)
{
	if (!click->token.len)
		return bc_err_tell(err, BC_EINVAL, "this is a bug of the caller; please report it",
				   "a click without a token cannot be stored");
	return check_lane(click->partner, click->product, err);
}

static int check_put_lane(const struct bc_store_op *op, struct bc_err *err)
{
	struct bc_str state = op->in.put_lane.state;
	if (!state.len)
		return bc_err_tell(err, BC_EINVAL, "this is a bug of the caller; please report it",
				   "a lane without a state cannot be stored");
	int result = check_label(state, "state", err);
	return result ? result : check_lane(op->in.put_lane.partner, op->in.put_lane.product, err);
}

static int check_item(const struct bc_page_item *item, struct bc_err *err)
{
	bool accepts = item->what == BC_PAGE_ACCEPT;
	const struct bc_accept *a = &item->in.accept;
	const struct bc_revoke *v = &item->in.revoke;
	int result = check_order_name(accepts ? a->order : v->order, err);
	if (result)
		return result;
	return accepts ? check_lane(a->partner, a->product, err)
		       : check_lane(v->partner, v->product, err);
}

static int check_page(const struct bc_store_op *op, struct bc_err *err)
{
	uint32_t count = op->in.page.count;
	if (count > BC_PAGE_ITEMS_MAX)
		return bc_err_tell(err, BC_ETOOBIG, "this is a bug of the caller; please report it",
				   "a page of %u orders is more than %d", count, BC_PAGE_ITEMS_MAX);
	int result = 0;
	for (uint32_t i = 0; result == 0 && i < count; i++)
		result = check_item(&op->in.page.items[i], err);
	return result;
}

static int check_put_comment(const struct bc_store_op *op, struct bc_err *err)
{
	enum bc_comment_state state = op->in.put_comment.state;
	if (state <= BC_COMMENT_GIVEN_UP)
		return 0;
	return bc_err_tell(err, BC_EINVAL, "this is a bug of the caller; please report it",
			   "a comment cannot have state %d", (int)state);
}

static int check_search(const struct bc_order_selector *select, struct bc_err *err)
{
	if (select->search.len <= BC_ORDER_ID_MAX)
		return 0;
	return bc_err_tell(err, BC_EINVAL, "search for fewer characters of its beginning",
			   "no order id begins with %zu bytes", select->search.len);
}

static int check_list(const struct bc_store_op *op, struct bc_err *err)
{
	return check_search(&op->in.list.select, err);
}

static int check_requeue(const struct bc_store_op *op, struct bc_err *err)
{
	if (!op->in.requeue.order.ptr)
		return check_search(&op->in.requeue.select, err);
	BC_ASSERT(op->arena);
	return check_order_name(op->in.requeue.order, err);
}

static int check_put_click(const struct bc_store_op *op, struct bc_err *err)
{
	return check_click(&op->in.put_click.click, err);
}

static int check_accept(const struct bc_store_op *op, struct bc_err *err)
{
	return check_lane(op->in.accept.partner, op->in.accept.product, err);
}

/* What is asked of a kind beyond its shape. */
static int (*const checks[BC_STORE_KINDS])(const struct bc_store_op *, struct bc_err *) = {
	[BC_STORE_PUT_CLICK] = check_put_click,	    [BC_STORE_ACCEPT_ORDER] = check_accept,
	[BC_STORE_FINISH] = check_finish,	    [BC_STORE_PUT_LANE] = check_put_lane,
	[BC_STORE_REQUEUE] = check_requeue,	    [BC_STORE_TAKE_PAGE] = check_page,
	[BC_STORE_PUT_COMMENT] = check_put_comment, [BC_STORE_LIST_ORDERS] = check_list,
	[BC_STORE_HISTORY] = bc_history_check,
};

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
	return checks[op->kind] ? checks[op->kind](op, err) : 0;
}

bool bc_rule_same_text(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool names_label(struct bc_str wanted, struct bc_str label)
{
	return !wanted.ptr || bc_rule_same_text(wanted, label);
}

static bool begins_with(struct bc_str text, struct bc_str start)
{
	return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

bool bc_rule_selects(const struct bc_order_selector *select, const struct bc_order *order)
{
	return (select->state == BC_ORDER_STATE_ANY || (int)order->state == select->state) &&
	       order->created_ms >= select->since_ms &&
	       (!select->until_ms || order->created_ms < select->until_ms) &&
	       (!select->revoked || order->revoked_ms) &&
	       (!select->search.len || begins_with(order->order, select->search)) &&
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

uint32_t bc_rule_comment_limit(const struct bc_store_op *op)
{
	uint32_t limit = op->in.comments.limit ? op->in.comments.limit : BC_COMMENT_ROWS_DEFAULT;
	return limit < BC_LIST_ROWS_MAX ? limit : BC_LIST_ROWS_MAX;
}

uint32_t bc_rule_purge_limit(const struct bc_store_op *op)
{
	return op->in.purge.limit ? op->in.purge.limit : BC_PURGE_ROWS_DEFAULT;
}
