/* SPDX-License-Identifier: MIT */
/*
 * What a shop's own system says of its orders: that it took one back, pages of such news, and the
 * comments that tell it what became of a conversion.
 *
 * Taking back is the mirror of accepting: sources repeat themselves and keep no order, so it may
 * come before the order itself, twice, or after an edition that replaced the one it is about. What
 * an order comes to must not depend on that.
 */
#include "store/rules_claim.h"

#include "base/err.h"

/* --- taking back --------------------------------------------------------------------------- */

static struct bc_order tombstone(const struct bc_revoke *in)
{
	return (struct bc_order){
		.order = in->order,
		.state = BC_ORDER_CANCELLED,
		.reason = in->reason,
		.partner = in->partner,
		.product = in->product,
		.created_ms = in->now_ms,
		.updated_ms = in->now_ms,
		.finished_ms = in->now_ms,
		.entity_id = in->entity_id,
		.edition = in->edition,
		.revoked_ms = in->now_ms,
	};
}

/* What a revocation makes of an order of each state; it writes nothing. */
static enum bc_revoke_result withdraw(struct bc_order *order, const struct bc_lane_record *lane,
				      const struct bc_revoke *in)
{
	(void)bc_rule_drop_comment(order);
	bc_rule_end(order, lane, BC_ORDER_CANCELLED, in->reason, in->now_ms);
	return BC_REVOKE_WITHDRAWN;
}

static enum bc_revoke_result come_late(struct bc_order *order, const struct bc_lane_record *lane,
				       const struct bc_revoke *in)
{
	(void)lane;
	order->reason = in->reason;
	order->updated_ms = in->now_ms;
	return BC_REVOKE_LATE;
}

/* The operator was first: revoked_ms says so by being later, whatever the clock did. */
static enum bc_revoke_result agree(struct bc_order *order, const struct bc_lane_record *lane,
				   const struct bc_revoke *in)
{
	(void)lane;
	order->updated_ms = in->now_ms;
	if (order->revoked_ms <= order->finished_ms)
		order->revoked_ms = order->finished_ms + 1;
	return BC_REVOKE_WITHDRAWN;
}

static enum bc_revoke_result (*const revocations[BC_ORDER_STATES])(struct bc_order *,
								   const struct bc_lane_record *,
								   const struct bc_revoke *) = {
	[BC_ORDER_UNATTRIBUTED] = withdraw, [BC_ORDER_PENDING] = withdraw,
	[BC_ORDER_SENDING] = come_late,	    [BC_ORDER_DELIVERED] = come_late,
	[BC_ORDER_REJECTED] = withdraw,	    [BC_ORDER_EXPIRED] = withdraw,
	[BC_ORDER_CANCELLED] = agree,
};

/* Notes which edition it is about. True: something changed. */
static bool note_edition(struct bc_order *order, const struct bc_revoke *in)
{
	bool later = in->edition > order->edition;
	if (!later && (order->entity_id || !in->entity_id))
		return false;
	order->edition = in->edition;
	order->entity_id = in->entity_id;
	return true;
}

static int revoke_known(const struct bc_rule_rows *rows, void *e, const struct bc_revoke *in,
			enum bc_revoke_result *ret_how, struct bc_order *order)
{
	*ret_how = BC_REVOKE_REPLACED;
	if (in->edition < order->edition)
		return 0;
	*ret_how = BC_REVOKE_REPEATED;
	bool noted = note_edition(order, in);
	if (order->revoked_ms)
		return noted ? rows->mark_order(e, order) : 0;
	enum bc_order_state from = order->state;
	order->revoked_ms = in->now_ms;
	*ret_how = revocations[from](order, rows->find_lane(e, order->partner, order->product), in);
	int result = rows->move_order(e, from, order);
	return result ? result : rows->mark_order(e, order);
}

static int revoke_one(const struct bc_rule_rows *rows, void *e, const struct bc_revoke *in,
		      struct bc_arena *arena, enum bc_revoke_result *ret_how,
		      struct bc_order *ret_order)
{
	int known = rows->find_order(e, in->order, arena, ret_order);
	if (known < 0)
		return known;
	if (known)
		return revoke_known(rows, e, in, ret_how, ret_order);
	*ret_order = tombstone(in);
	*ret_how = BC_REVOKE_UNKNOWN;
	return rows->insert_order(e, ret_order);
}

/* --- pages --------------------------------------------------------------------------------- */

static int take_item(const struct bc_rule_rows *rows, void *e, struct bc_page_item *item,
		     struct bc_arena *arena)
{
	if (item->what == BC_PAGE_ACCEPT)
		return bc_rule_accept_one(rows, e, &item->in.accept, arena, &item->how.accepted,
					  &item->order);
	return revoke_one(rows, e, &item->in.revoke, arena, &item->how.revoked, &item->order);
}

/* The position comes last: where nothing can be undone, a page that failed is met again. */
int bc_rule_take_page(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	const __typeof__(op->in.page) *in = &op->in.page;
	int result = 0;
	for (uint32_t i = 0; result == 0 && i < in->count; i++)
		result = take_item(rows, e, &in->items[i], op->arena);
	if (result || !in->key.ptr)
		return result;
	return rows->put_meta(e, in->key, in->value);
}

/* --- comments ------------------------------------------------------------------------------ */

bool bc_rule_drop_comment(struct bc_order *order)
{
	if (order->comment != BC_COMMENT_DUE)
		return false;
	order->comment = BC_COMMENT_NONE;
	return true;
}

int bc_rule_put_comment(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
			struct bc_arena *scratch)
{
	const __typeof__(op->in.put_comment) *in = &op->in.put_comment;
	struct bc_order order;
	int found = rows->find_order(e, in->order, scratch, &order);
	if (found < 0)
		return found;
	if (!found) {
		op->result = bc_err_tell(
			&op->err, BC_ENOENT,
			"backchannel orders lists what there is; an order that was never reported, "
			"or deleted by order.keep, is not known",
			"there is no order \"%.*s\"", (int)in->order.len, in->order.ptr);
		return 0;
	}
	/* It tells of an end that is not the last any more. */
	if (in->finished_ms && in->finished_ms != order.finished_ms)
		return 0;
	order.comment = in->state;
	if (in->entity_id)
		order.entity_id = in->entity_id;
	return rows->mark_order(e, &order);
}
