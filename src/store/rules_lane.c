/* SPDX-License-Identifier: MIT */
/*
 * How a lane stands, and lane time.
 *
 * Lane time is the wall clock less all the time a lane stood: while it stands, it does not run. The
 * deadline of an open conversion (pending, sending) is kept in lane time, so a stand of any length
 * moves all of them at once and touches no row; it becomes wall time for good when the conversion
 * ends, because later stands are no part of its story. Answers give wall time always.
 *
 * A wall clock that goes back while a lane stands makes the stand shorter, never negative.
 */
#include "store/rules.h"

#include <stdlib.h>
#include <string.h>

/* --- records ------------------------------------------------------------------------------- */

static struct bc_str keep_text(struct bc_str text, char **at)
{
	struct bc_str kept = { text.ptr ? *at : NULL, text.len };
	if (text.len)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return kept;
}

struct bc_lane_record *bc_lane_record_dup(const struct bc_lane_record *from)
{
	struct bc_lane_record *copy =
		malloc(sizeof(*copy) + from->state.len + from->reason.len + 1);
	if (!copy)
		return NULL;
	char *at = copy->texts;
	*copy = *from;
	copy->state = keep_text(from->state, &at);
	copy->reason = keep_text(from->reason, &at);
	return copy;
}

static uint64_t running_ms(const struct bc_lane_record *lane, uint64_t now_ms)
{
	return lane->stands && now_ms > lane->stood_since_ms ? now_ms - lane->stood_since_ms : 0;
}

static uint64_t stood_ms(const struct bc_lane_record *lane, uint64_t now_ms)
{
	return lane ? lane->stood_ms + running_ms(lane, now_ms) : 0;
}

struct bc_lane_record *bc_rule_put_lane(const struct bc_lane_record *before,
					const struct bc_store_op *op)
{
	const __typeof__(op->in.put_lane) *in = &op->in.put_lane;
	static const struct bc_lane_record never;
	struct bc_lane_record after = before ? *before : never;
	if (!bc_rule_same_text(after.state, in->state))
		after.since_ms = in->now_ms;
	if (after.stands && !in->stands) {
		after.stood_ms = stood_ms(before, in->now_ms);
		after.stood_since_ms = 0;
	} else if (!after.stands && in->stands) {
		after.stood_since_ms = in->now_ms;
	}
	after.until_ms = in->until_ms;
	after.state = in->state;
	after.reason = in->reason;
	after.stands = in->stands;
	return bc_lane_record_dup(&after);
}

/* --- lane time ----------------------------------------------------------------------------- */

uint64_t bc_rule_lane_ms(const struct bc_lane_record *lane, uint64_t now_ms)
{
	uint64_t stood = stood_ms(lane, now_ms);
	return now_ms > stood ? now_ms - stood : 0;
}

static bool is_open(enum bc_order_state state)
{
	return state == BC_ORDER_PENDING || state == BC_ORDER_SENDING;
}

void bc_rule_open_deadline(struct bc_order *order, const struct bc_lane_record *lane,
			   uint64_t deadline_ms, uint64_t now_ms)
{
	uint64_t stood = stood_ms(lane, now_ms);
	/* 0 is "none": one that would be earlier than all time is long past. */
	uint64_t kept = deadline_ms > stood ? deadline_ms - stood : 1;
	order->deadline_ms = deadline_ms ? kept : 0;
}

void bc_rule_close_deadline(struct bc_order *order, const struct bc_lane_record *lane,
			    uint64_t now_ms)
{
	if (order->deadline_ms && is_open(order->state))
		order->deadline_ms += stood_ms(lane, now_ms);
}

bool bc_rule_is_past(const struct bc_order *order, const struct bc_lane_record *lane,
		     uint64_t now_ms)
{
	return order->deadline_ms && order->deadline_ms <= bc_rule_lane_ms(lane, now_ms);
}

/* --- answers ------------------------------------------------------------------------------- */

/* The orders that an operation answers with; a page's stand in its items. */
static struct bc_order *answered(struct bc_store_op *op, uint32_t *ret_count)
{
	*ret_count = 1;
	switch (op->kind) {
	case BC_STORE_ACCEPT_ORDER:
		return &op->out.accept.order;
	case BC_STORE_GET_ORDER:
		return &op->out.story.order;
	case BC_STORE_REQUEUE:
	case BC_STORE_CANCEL:
		return &op->out.changed.order;
	case BC_STORE_LEASE:
		*ret_count = op->out.lease.count;
		return op->out.lease.orders;
	case BC_STORE_LIST_ORDERS:
	case BC_STORE_DUE_COMMENTS:
		/* One that only counts has none. */
		*ret_count = op->out.list.orders ? op->out.list.count : 0;
		return op->out.list.orders;
	default:
		*ret_count = 0;
		return NULL;
	}
}

static void answer(const struct bc_rule_rows *rows, void *e, struct bc_order *order)
{
	if (!order->deadline_ms || !is_open(order->state))
		return;
	const struct bc_lane_record *lane = rows->find_lane(e, order->partner, order->product);
	order->deadline_ms += lane ? lane->stood_ms : 0;
}

void bc_rule_answer(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	uint32_t count;
	struct bc_order *orders = answered(op, &count);
	for (uint32_t i = 0; i < count; i++)
		answer(rows, e, &orders[i]);
	if (op->kind != BC_STORE_TAKE_PAGE || op->result)
		return;
	for (uint32_t i = 0; i < op->in.page.count; i++)
		answer(rows, e, &op->in.page.items[i].order);
}
