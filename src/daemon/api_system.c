/* SPDX-License-Identifier: MIT */
/* Routes that tell of the daemon itself: alive, ready, lanes. */
#include <string.h>

#include "daemon/api_impl.h"

void get_health(struct call *call)
{
	call_text(call, 200, "text/plain", BC_STR("ok\n"));
}

void get_ready(struct call *call)
{
	struct bc_store_stats stats;
	bc_store_stats(call->api->shop->store, &stats);
	if (stats.broken)
		call_problem(
			call, BC_PROBLEM_STORE_FAILED,
			"the store failed to reach the disk and takes no more writes",
			"check the disk, then restart the daemon; nothing acknowledged is lost");
	else if (!stats.writable)
		call_problem(call, BC_PROBLEM_STORE_FAILED, "the store refuses writes",
			     "free space or mend the disk; the store is tried again by itself");
	else
		call_text(call, 200, "text/plain", BC_STR("ready\n"));
}

static const struct bc_lane_count *count_of(const struct bc_store_op *op, const char *name)
{
	char text[BC_LANE_NAME_BYTES];
	for (uint32_t i = 0; i < op->out.lanes.count; i++) {
		const struct bc_lane_count *c = &op->out.lanes.lanes[i];
		if (strcmp(bc_lane_name(c->partner, c->product, text), name) == 0)
			return c;
	}
	return NULL;
}

static json_t *lanes_json(struct bc_api *api, const struct bc_store_op *op)
{
	struct bc_lane_status lanes[64];
	size_t n = api->delivery ? bc_delivery_lanes(api->delivery, lanes, BC_COUNT(lanes)) : 0;
	json_t *list = json_array();
	for (size_t i = 0; list && i < n && i < BC_COUNT(lanes); i++) {
		json_t *lane = bc_lane_json(&lanes[i], count_of(op, lanes[i].name));
		if (json_array_append_new(list, lane)) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o}", "lanes", list);
}

static void lanes_counted(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (op->result)
		call_error(call, op->result, &op->err);
	else
		call_json(call, 200, lanes_json(call->api, op));
}

void get_lanes(struct call *call)
{
	call->op = (struct bc_store_op){ .kind = BC_STORE_LANES,
					 .done = lanes_counted,
					 .arena = call->request->arena };
	bc_desk_submit(&call->api->desk, &call->op);
}
