/* SPDX-License-Identifier: MIT */
/*
 * How a conversion moves from state to state. Every move that is allowed is here; what is not here
 * is BC_ESTATE. An attempt is always written before its order moves: an engine that cannot undo has
 * then done nothing that a second try would not do over.
 */
#include "store/rules.h"

#include <string.h>

#include "base/err.h"

bool bc_rule_is_final(enum bc_order_state state)
{
	return state >= BC_ORDER_DELIVERED;
}

static bool is_requeueable(const struct bc_order *order)
{
	if (!order->token.ptr)
		return false;
	return order->state == BC_ORDER_PENDING || order->state == BC_ORDER_REJECTED ||
	       order->state == BC_ORDER_EXPIRED || order->state == BC_ORDER_CANCELLED;
}

bool bc_rule_requeues(const struct bc_order *order, const struct bc_order_selector *select)
{
	if (select->state == BC_ORDER_STATE_ANY && order->state == BC_ORDER_CANCELLED)
		return false;
	if (select->state != BC_ORDER_STATE_ANY && (int)order->state != select->state)
		return false;
	if (order->revoked_ms && !select->revoked)
		return false;
	return is_requeueable(order);
}

/* The lane of an order that was looked up. */
static const struct bc_lane_record *lane_of(const struct bc_rule_rows *rows, void *e,
					    const struct bc_order *order)
{
	return rows->find_lane(e, order->partner, order->product);
}

int bc_rule_make_due(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
		     uint64_t now_ms, uint64_t deadline_ms)
{
	const struct bc_lane_record *lane = lane_of(rows, e, order);
	enum bc_order_state from = order->state;
	bool marks = bc_rule_drop_comment(order) || order->revoked_ms;
	/* One that stays as it is becomes wall time and lane time again where that differs. */
	bc_rule_close_deadline(order, lane, now_ms);
	bc_rule_open_deadline(order, lane, deadline_ms ? deadline_ms : order->deadline_ms, now_ms);
	order->state = BC_ORDER_PENDING;
	order->reason = (struct bc_str){ 0 };
	order->updated_ms = now_ms;
	order->due_ms = now_ms;
	order->finished_ms = 0;
	order->failures = 0;
	order->revoked_ms = 0; /* who asks for it knows better than the shop */
	int result = rows->move_order(e, from, order);
	return result || !marks ? result : rows->mark_order(e, order);
}

void bc_rule_end(struct bc_order *order, const struct bc_lane_record *lane,
		 enum bc_order_state state, struct bc_str reason, uint64_t now_ms)
{
	bc_rule_close_deadline(order, lane, now_ms);
	order->state = state;
	order->reason = reason;
	order->updated_ms = now_ms;
	order->finished_ms = now_ms;
	order->due_ms = 0;
	order->lease_ms = 0;
}

/* The end of one that was taken back while it was sending; its reason it has since then. */
static void withdraw(struct bc_order *order, const struct bc_lane_record *lane, uint64_t now_ms)
{
	/* Never before it, whatever the clock did: see rows.h. */
	uint64_t end_ms = now_ms > order->revoked_ms ? now_ms : order->revoked_ms;
	bc_rule_end(order, lane, BC_ORDER_CANCELLED, order->reason, end_ms);
}

/* Back to pending, unless the shop took it back meanwhile. */
static void leave_sending(struct bc_order *order, const struct bc_lane_record *lane,
			  uint64_t now_ms, uint64_t due_ms)
{
	if (order->revoked_ms) {
		withdraw(order, lane, now_ms);
		return;
	}
	order->state = BC_ORDER_PENDING;
	order->updated_ms = now_ms;
	order->due_ms = due_ms;
	order->lease_ms = 0;
}

int bc_rule_release(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
		    uint64_t now_ms)
{
	leave_sending(order, lane_of(rows, e, order), now_ms, now_ms);
	return rows->move_order(e, BC_ORDER_SENDING, order);
}

int bc_rule_expire(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
		   uint64_t now_ms)
{
	bc_rule_end(order, lane_of(rows, e, order), BC_ORDER_EXPIRED, BC_STR(BC_REASON_DEADLINE),
		    now_ms);
	return rows->move_order(e, BC_ORDER_PENDING, order);
}

bool bc_rule_forgets(const struct bc_order *order, uint64_t before_ms)
{
	bool taken_back = order->state == BC_ORDER_CANCELLED && order->revoked_ms;
	return (order->state == BC_ORDER_UNATTRIBUTED || (taken_back && !order->has_token_hash)) &&
	       order->updated_ms < before_ms;
}

bool bc_rule_clears(const struct bc_order *order, uint64_t before_ms)
{
	return bc_rule_is_final(order->state) && order->finished_ms < before_ms &&
	       (order->token.ptr || order->has_click || order->has_session);
}

int bc_rule_clear(const struct bc_rule_rows *rows, void *e, struct bc_order *order)
{
	/* First, while the order still says which clicks. One without a hash never had a token. */
	int result = order->has_token_hash ? rows->blank_clicks(e, order) : 0;
	if (result)
		return result;
	order->token = (struct bc_str){ 0 };
	order->has_click = false;
	order->has_session = false;
	return rows->clear_order(e, order);
}

/* --- operations on one order --------------------------------------------------------------- */

/* Loads the order an operation names. 1, 0 (op->result says that there is none), or a fault. */
static int load(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		struct bc_str name, struct bc_arena *arena, struct bc_order *ret_order)
{
	int found = rows->find_order(e, name, arena, ret_order);
	if (found != 0)
		return found;
	op->result = bc_err_set(&op->err, BC_ENOENT, "there is no order \"%.*s\"", (int)name.len,
				name.ptr);
	bc_err_hint(&op->err, "list what is known: backchannel orders");
	return 0;
}

static int refuse(struct bc_store_op *op, const struct bc_order *order, const char *why,
		  const char *hint)
{
	op->result = bc_err_set(&op->err, BC_ESTATE, "order \"%.*s\" %s", (int)order->order.len,
				order->order.ptr, why);
	bc_err_hint(&op->err, "%s", hint);
	return 0;
}

int bc_rule_lease(const struct bc_rule_rows *rows, void *e, const struct bc_store_op *op,
		  struct bc_order *order)
{
	order->state = BC_ORDER_SENDING;
	order->attempts++;
	order->updated_ms = op->in.lease.now_ms;
	order->lease_ms = op->in.lease.lease_ms;
	struct bc_attempt attempt = {
		.n = order->attempts,
		.at_ms = op->in.lease.now_ms,
		.key_fingerprint = op->in.lease.key_fingerprint,
	};
	int result = rows->insert_attempt(e, order, &attempt);
	return result ? result : rows->move_order(e, BC_ORDER_PENDING, order);
}

bool bc_rule_is_excepted(const struct bc_store_op *op, struct bc_str order)
{
	for (uint32_t i = 0; i < op->in.lease.except_count; i++)
		if (bc_rule_same_text(op->in.lease.except[i], order))
			return true;
	return false;
}

int bc_rule_lease_only(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	struct bc_order *order = bc_arena_alloc(op->arena, sizeof(*order));
	if (!order) {
		op->result = bc_err_nomem(&op->err);
		return 0;
	}
	int found = load(rows, e, op, op->in.lease.only_order, op->arena, order);
	if (found <= 0)
		return found;
	struct bc_str partner = op->in.lease.partner, product = op->in.lease.product;
	if (order->state != BC_ORDER_PENDING ||
	    bc_rule_is_past(order, lane_of(rows, e, order), op->in.lease.now_ms) ||
	    (partner.ptr && !bc_rule_same_text(order->partner, partner)) ||
	    (product.ptr && !bc_rule_same_text(order->product, product)))
		return 0;
	op->out.lease.orders = order;
	op->out.lease.count = 1;
	return bc_rule_lease(rows, e, op, order);
}

static void finish_order(struct bc_order *order, const struct bc_lane_record *lane,
			 const struct bc_store_op *op)
{
	const __typeof__(op->in.finish) *in = &op->in.finish;
	bool delivered = in->next == BC_ORDER_DELIVERED;
	if (in->next == BC_ORDER_PENDING) {
		leave_sending(order, lane, in->now_ms, in->due_ms);
		if (in->deadline_ms && order->state == BC_ORDER_PENDING)
			bc_rule_open_deadline(order, lane, in->deadline_ms, in->now_ms);
	} else if (order->revoked_ms && !delivered) {
		withdraw(order, lane, in->now_ms);
	} else {
		/* Of one that is delivered it is why the shop took it back, if it did. */
		bc_rule_end(order, lane, in->next, delivered ? order->reason : in->reason,
			    in->now_ms);
		if (in->deadline_ms)
			order->deadline_ms = in->deadline_ms;
	}
	if (in->count_failure)
		order->failures++;
	if (in->clear_token)
		order->token = (struct bc_str){ 0 };
}

/* Of what states does a comment tell? */
static bool is_told(enum bc_order_state state)
{
	return state == BC_ORDER_DELIVERED || state == BC_ORDER_REJECTED;
}

int bc_rule_finish(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		   struct bc_arena *scratch)
{
	const __typeof__(op->in.finish) *in = &op->in.finish;
	struct bc_order order;
	int found = load(rows, e, op, in->order, scratch, &order);
	if (found <= 0)
		return found;
	if (order.state != BC_ORDER_SENDING || order.attempts != in->n)
		return refuse(op, &order, "is not leased for this attempt",
			      "it was released, or its result is stored already");
	finish_order(&order, lane_of(rows, e, &order), op);
	struct bc_attempt attempt = {
		.n = in->n,
		.status = in->status,
		.outcome = in->outcome,
		.duration_ms = in->duration_ms,
		.error = in->error,
	};
	int result = rows->update_attempt(e, &order, &attempt);
	if (result == 0 && in->clear_token)
		result = rows->blank_clicks(e, &order);
	if (result == 0)
		result = rows->move_order(e, BC_ORDER_SENDING, &order);
	if (result || !in->comment || !is_told(order.state))
		return result;
	order.comment = BC_COMMENT_DUE;
	return rows->mark_order(e, &order);
}

int bc_rule_cancel(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	struct bc_order *order = &op->out.changed.order;
	int found = load(rows, e, op, op->in.cancel.order, op->arena, order);
	if (found <= 0 || order->state == BC_ORDER_CANCELLED)
		return found < 0 ? found : 0;
	if (order->state == BC_ORDER_SENDING)
		return refuse(op, order, "is being handed back right now",
			      "wait for the answer: backchannel explain shows it");
	if (order->state == BC_ORDER_DELIVERED)
		return refuse(op, order, "was handed back already",
			      "ask the partner to withdraw it; backchannel explain shows when it "
			      "was sent");
	enum bc_order_state from = order->state;
	bool marks = bc_rule_drop_comment(order);
	op->out.changed.count = 1;
	bc_rule_end(order, lane_of(rows, e, order), BC_ORDER_CANCELLED, op->in.cancel.reason,
		    op->in.cancel.now_ms);
	int result = rows->move_order(e, from, order);
	return result || !marks ? result : rows->mark_order(e, order);
}

static int refuse_requeue(struct bc_store_op *op, const struct bc_order *order)
{
	if (order->state == BC_ORDER_DELIVERED)
		return refuse(op, order, "was handed back already",
			      "nothing to do; backchannel explain shows when");
	if (order->state == BC_ORDER_SENDING)
		return refuse(op, order, "is being handed back right now",
			      "wait for the answer: backchannel explain shows it");
	if (order->has_token_hash)
		return refuse(op, order, "has no click token any more",
			      "tokens are cleared when order.keep has passed");
	return refuse(op, order, "has no click to hand back",
		      "report it again with the click's id, token or session");
}

int bc_rule_requeue(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	struct bc_order *order = &op->out.changed.order;
	int found = load(rows, e, op, op->in.requeue.order, op->arena, order);
	if (found <= 0)
		return found;
	if (!is_requeueable(order))
		return refuse_requeue(op, order);
	op->out.changed.count = 1;
	if (op->in.requeue.select.count_only)
		return 0;
	return bc_rule_make_due(rows, e, order, op->in.requeue.now_ms, op->in.requeue.deadline_ms);
}
