/* SPDX-License-Identifier: MIT */
/*
 * The whole shop at a glance: three cheap reads, one after the other, for the pages that tell of
 * all of it. Each is a snapshot of its own; what moves between two of them is in one and not yet in
 * the other.
 */
#include "daemon/api_impl.h"

static void view_returns(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct shop_view *view = call->extra;
	if (call_failed(call, op))
		return;
	view->returns = op->out.returns.products;
	view->return_count = op->out.returns.count;
	view->seen(call, view);
}

static void view_lanes(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct shop_view *view = call->extra;
	if (call_failed(call, op))
		return;
	view->lanes = op->out.lanes.lanes;
	view->lane_count = op->out.lanes.count;
	call->op = (struct bc_store_op){ 0 };
	call->op.in.returns.now_ms = bc_wall_ms(call->api->shop->clock);
	call_submit(call, BC_STORE_RETURNS, view_returns);
}

static void view_counts(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct shop_view *view = call->extra;
	if (call_failed(call, op))
		return;
	view->counts = op->out.counts;
	call->op = (struct bc_store_op){ 0 };
	call_submit(call, BC_STORE_LANES, view_lanes);
}

void call_view(struct call *call, void (*seen)(struct call *call, const struct shop_view *view))
{
	struct shop_view *view = bc_arena_alloc(call->request->arena, sizeof(*view));
	if (!view) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
		return;
	}
	view->seen = seen;
	call->extra = view;
	call_submit(call, BC_STORE_COUNTS, view_counts);
}
