/* SPDX-License-Identifier: MIT */
/*
 * Lanes: how each stands and what waits in it. Both live in memory, beside each other, and are
 * written by the commit (sqlite_counts.c).
 */
#include "store/sqlite_impl.h"

#include <stdlib.h>

const struct bc_lane_record *sq_find_lane(void *e, struct bc_str partner, struct bc_str product)
{
	const struct sq_lane *lane = sq_counts_find(e, partner, product);
	return lane ? lane->record : NULL;
}

int sq_put_lane(struct sq *e, struct bc_store_op *op)
{
	struct sq_lane *lane = sq_counts_lane(e, op->in.put_lane.partner, op->in.put_lane.product);
	struct bc_lane_record *record = lane ? bc_rule_put_lane(lane->record, op) : NULL;
	if (!record)
		return sq_no_memory(e);
	if (lane->record != lane->durable_record)
		free(lane->record);
	lane->record = record;
	return 0;
}

/* --- the answer ---------------------------------------------------------------------------- */

static int read_time(struct sq *e, enum sq_stmt stmt, const struct sq_lane *lane, uint64_t *ret_ms)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_text(&q, bc_str_of(lane->partner));
	sq_add_text(&q, bc_str_of(lane->product));
	int row = sq_step(&q);
	*ret_ms = row == 1 ? sq_int(&q, 0) : 0;
	return row < 0 ? row : 0;
}

static int copy_text(struct sq *e, struct bc_arena *arena, struct bc_str text,
		     struct bc_str *ret_text)
{
	*ret_text = text;
	if (!text.ptr)
		return 0;
	ret_text->ptr = bc_arena_dup(arena, text.ptr, text.len);
	return ret_text->ptr ? 0 : sq_no_memory(e);
}

static int tell_record(struct sq *e, struct bc_arena *arena, const struct bc_lane_record *record,
		       struct bc_lane_count *out)
{
	if (!record)
		return 0;
	out->stands = record->stands;
	out->since_ms = record->since_ms;
	out->until_ms = record->until_ms;
	int result = copy_text(e, arena, record->state, &out->state);
	return result ? result : copy_text(e, arena, record->reason, &out->reason);
}

static int tell_lane(struct sq *e, struct bc_arena *arena, const struct sq_lane *lane,
		     struct bc_lane_count *out)
{
	out->pending = lane->pending.now;
	out->sending = lane->sending.now;
	int result = copy_text(e, arena, bc_str_of(lane->partner), &out->partner);
	if (result == 0)
		result = copy_text(e, arena, bc_str_of(lane->product), &out->product);
	if (result == 0)
		result = tell_record(e, arena, lane->record, out);
	if (result == 0)
		result = read_time(e, SQ_LANE_OLDEST, lane, &out->oldest_ms);
	return result ? result : read_time(e, SQ_LANE_NEXT_DUE, lane, &out->next_due_ms);
}

int sq_tell_lanes(struct sq *e, struct bc_store_op *op)
{
	const struct sq_counts *c = &e->counts;
	if (c->lane_count == 0)
		return 0;
	struct bc_lane_count *lanes = bc_arena_alloc(op->arena, c->lane_count * sizeof(*lanes));
	if (!lanes)
		return sq_no_memory(e);
	op->out.lanes.lanes = lanes;
	for (uint32_t i = 0; i < c->lane_count; i++) {
		const struct sq_lane *lane = &c->lanes[i];
		if (lane->pending.now == 0 && lane->sending.now == 0 && !lane->record)
			continue;
		int result = tell_lane(e, op->arena, lane, &lanes[op->out.lanes.count++]);
		if (result)
			return result;
	}
	return 0;
}
