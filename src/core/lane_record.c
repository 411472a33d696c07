/* SPDX-License-Identifier: MIT */
/*
 * How a lane stands, on disk: so that a restart neither forgets that a key is wrong, nor wakes a
 * partner that asked for a pause, nor sends what the operator holds back.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "core/delivery_impl.h"

static void saved(struct bc_store_op *op)
{
	struct lane *lane = BC_CONTAINER(op, struct lane, put);
	struct bc_delivery *d = lane->delivery;
	d->operations--;
	lane->putting = false;
	if (op->result)
		lane->unsaved = true; /* the next tick tries again */
	else if (!d->stopping)
		lane_save(lane);
	if (!lane->putting)
		lane_commands_recorded(lane, op->result);
	delivery_check_stopped(d);
}

void lane_save(struct lane *lane)
{
	if (!lane->unsaved || lane->putting)
		return;
	lane->unsaved = false;
	lane->putting = true;
	memcpy(lane->put_reason, lane->reason, sizeof(lane->put_reason));
	lane->put = (struct bc_store_op){ .kind = BC_STORE_PUT_LANE, .done = saved };
	__typeof__(lane->put.in.put_lane) *in = &lane->put.in.put_lane;
	in->partner = bc_str_of(lane->partner);
	in->product = bc_str_of(lane->label);
	in->state = bc_str_of(bc_lane_state_name[lane->state]);
	in->reason = bc_str_of(lane->put_reason);
	in->stands = lane_stands(lane->state);
	in->now_ms = lane->since_ms;
	in->until_ms = lane->next_ms;
	delivery_submit(lane->delivery, &lane->put);
}

void lane_restore(struct lane *lane, const struct bc_lane_count *record)
{
	int state = BC_LANE_STATES - 1;
	while (state > 0 && !(lane_is_kept((enum bc_lane_state)state) &&
			      bc_str_eq(record->state, bc_lane_state_name[state])))
		state--;
	if (state == BC_LANE_OPEN)
		return;
	lane->state = (enum bc_lane_state)state;
	lane->since_ms = record->since_ms;
	snprintf(lane->reason, sizeof(lane->reason), "%.*s", (int)record->reason.len,
		 record->reason.ptr ? record->reason.ptr : "");
	lane->alarmed = lane_alarms(lane->state);
	lane->next_ms = record->until_ms;
	lane_publish(lane);
	lane_look(lane);
}
