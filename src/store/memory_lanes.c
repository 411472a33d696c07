/* SPDX-License-Identifier: MIT */
/* The memory engine's lanes: the records that PUT_LANE left, and what waits in each. */
#include "store/memory_impl.h"

#include <stdlib.h>

enum { LANES_MAX = 256 };

/* A shop has a handful of them. */
struct mem_lane {
	char *partner, *product; /* owned; NULL = empty */
	struct bc_str partner_text, product_text;
	struct bc_lane_record *record; /* owned */
	struct mem_lane *next;
};

static struct mem_lane *lane_by_name(struct mem *m, struct bc_str partner, struct bc_str product)
{
	struct mem_lane *lane = m->lanes;
	while (lane && !(bc_rule_same_text(lane->product_text, product) &&
			 bc_rule_same_text(lane->partner_text, partner)))
		lane = lane->next;
	return lane;
}

const struct bc_lane_record *mem_find_lane(void *m, struct bc_str partner, struct bc_str product)
{
	const struct mem_lane *lane = lane_by_name(m, partner, product);
	return lane ? lane->record : NULL;
}

static void lane_destroy(struct mem_lane *lane)
{
	free(lane->partner);
	free(lane->product);
	free(lane->record);
	free(lane);
}

static int add_lane(struct mem *m, struct bc_store_op *op)
{
	struct bc_str partner = op->in.put_lane.partner, product = op->in.put_lane.product;
	struct mem_lane *lane = calloc(1, sizeof(*lane));
	if (!lane)
		return BC_ENOMEM;
	lane->partner = bc_str_dup(partner.ptr ? partner : BC_STR(""));
	lane->product = bc_str_dup(product.ptr ? product : BC_STR(""));
	lane->record = bc_rule_put_lane(NULL, op);
	if (!lane->partner || !lane->product || !lane->record) {
		lane_destroy(lane);
		return BC_ENOMEM;
	}
	lane->partner_text = (struct bc_str){ lane->partner, partner.len };
	lane->product_text = (struct bc_str){ lane->product, product.len };
	lane->next = m->lanes;
	m->lanes = lane;
	return 0;
}

int mem_put_lane(struct mem *m, struct bc_store_op *op)
{
	struct mem_lane *lane = lane_by_name(m, op->in.put_lane.partner, op->in.put_lane.product);
	if (!lane)
		return add_lane(m, op);
	struct bc_lane_record *record = bc_rule_put_lane(lane->record, op);
	if (!record)
		return BC_ENOMEM;
	free(lane->record);
	lane->record = record;
	return 0;
}

void mem_finish_lanes(struct mem *m)
{
	while (m->lanes) {
		struct mem_lane *lane = m->lanes;
		m->lanes = lane->next;
		lane_destroy(lane);
	}
}

/* --- the answer ---------------------------------------------------------------------------- */

/* The lane of the answer that has this name, made if need be; NULL without memory. */
static struct bc_lane_count *name_lane(struct bc_store_op *op, struct bc_str partner,
				       struct bc_str product)
{
	struct bc_lane_count *lane = op->out.lanes.lanes;
	struct bc_lane_count *end = lane + op->out.lanes.count;
	while (lane < end && !(bc_rule_same_text(lane->partner, partner) &&
			       bc_rule_same_text(lane->product, product)))
		lane++;
	if (lane < end)
		return lane;
	if (op->out.lanes.count == LANES_MAX || mem_copy_text(partner, op->arena, &lane->partner) ||
	    mem_copy_text(product, op->arena, &lane->product))
		return NULL;
	op->out.lanes.count++;
	return lane;
}

static int tell_record(const struct mem_lane *from, struct bc_store_op *op)
{
	struct bc_lane_count *lane = name_lane(op, from->partner_text, from->product_text);
	if (!lane || mem_copy_text(from->record->state, op->arena, &lane->state) ||
	    mem_copy_text(from->record->reason, op->arena, &lane->reason))
		return BC_ENOMEM;
	lane->stands = from->record->stands;
	lane->since_ms = from->record->since_ms;
	lane->until_ms = from->record->until_ms;
	return 0;
}

static int count_order(const struct bc_order *o, struct bc_store_op *op)
{
	if (o->state != BC_ORDER_PENDING && o->state != BC_ORDER_SENDING)
		return 0;
	struct bc_lane_count *lane = name_lane(op, o->partner, o->product);
	if (!lane)
		return BC_ENOMEM;
	if (o->state == BC_ORDER_SENDING) {
		lane->sending++;
		return 0;
	}
	/* Newest first: the last one seen is the oldest. */
	lane->oldest_ms = o->created_ms;
	if (!lane->pending++ || o->due_ms < lane->next_due_ms)
		lane->next_due_ms = o->due_ms;
	return 0;
}

int mem_tell_lanes(struct mem *m, struct bc_store_op *op)
{
	op->out.lanes.lanes = bc_arena_alloc(op->arena, LANES_MAX * sizeof(*op->out.lanes.lanes));
	if (!op->out.lanes.lanes)
		return BC_ENOMEM;
	for (const struct mem_lane *lane = m->lanes; lane; lane = lane->next) {
		if (tell_record(lane, op))
			return BC_ENOMEM;
	}
	const struct mem_order *rec = mem_order_below(m, 0);
	for (; rec; rec = mem_order_below(m, rec->o.row)) {
		if (count_order(&rec->o, op))
			return BC_ENOMEM;
	}
	return 0;
}
