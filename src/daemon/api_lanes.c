/* SPDX-License-Identifier: MIT */
/*
 * Routes of lanes: how each stands, and what the operator may order of one: pause, resume, probe.
 *
 * An order outlives its request: delivery has it until done, and a probe may wait for a partner
 * that hangs. When the API stops, the request is answered and the order left to end by itself.
 */
#include <string.h>

#include "base/err.h"
#include "daemon/api_impl.h"

struct lane_order {
	struct bc_lane_command command;
	struct call *call; /* NULL: answered already */
	struct lane_order *next, **slot;
};

/* --- how they stand ------------------------------------------------------------------------ */

/* Lanes come with a reload, so there may be more than were counted; they show next time. */
struct bc_lane_status *call_lanes(struct call *call, size_t *ret_count)
{
	struct bc_delivery *delivery = call->api->delivery;
	size_t room = delivery ? bc_delivery_lanes(delivery, NULL, 0) : 0;
	struct bc_lane_status *lanes =
		bc_arena_alloc(call->request->arena, (room ? room : 1) * sizeof(*lanes));
	if (!lanes)
		return NULL;
	size_t n = room ? bc_delivery_lanes(delivery, lanes, room) : 0;
	*ret_count = n < room ? n : room;
	return lanes;
}

const struct bc_lane_status *call_lane_of(struct call *call, const struct bc_order *order)
{
	char name[BC_LANE_NAME_BYTES];
	size_t n;
	if (!order->partner.ptr || !order->product.ptr)
		return NULL;
	bc_lane_name(order->partner, order->product, name);
	const struct bc_lane_status *lanes = call_lanes(call, &n);
	for (size_t i = 0; lanes && i < n; i++)
		if (strcmp(lanes[i].name, name) == 0)
			return &lanes[i];
	return NULL;
}

static const struct bc_lane_count *count_of(const struct bc_lane_count *counts, uint32_t count,
					    const char *name)
{
	char text[BC_LANE_NAME_BYTES];
	for (uint32_t i = 0; i < count; i++)
		if (!strcmp(bc_lane_name(counts[i].partner, counts[i].product, text), name))
			return &counts[i];
	return NULL;
}

json_t *call_lanes_json(struct call *call, const struct bc_lane_count *counts, uint32_t count)
{
	size_t n;
	const struct bc_lane_status *lanes = call_lanes(call, &n);
	json_t *list = lanes ? json_array() : NULL;
	for (size_t i = 0; list && i < n; i++) {
		json_t *lane = bc_lane_json(&lanes[i], count_of(counts, count, lanes[i].name));
		if (json_array_append_new(list, lane)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static void lanes_counted(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (call_failed(call, op))
		return;
	json_t *list = call_lanes_json(call, op->out.lanes.lanes, op->out.lanes.count);
	call_json(call, 200, json_pack("{s:o}", "lanes", list));
}

void get_lanes(struct call *call)
{
	call_submit(call, BC_STORE_LANES, lanes_counted);
}

/* --- the operator's orders ----------------------------------------------------------------- */

static json_t *probe_json(const struct bc_lane_command *c)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:I}", "status",
			 c->http_status ? json_integer(c->http_status) : json_null(), "outcome",
			 bc_outcome_name(c->outcome), "meaning", bc_json_words(c->meaning), "hint",
			 bc_json_words(c->hint), "duration_ms", (json_int_t)c->duration_ms);
}

/* The lane obeyed; how many wait is said where the store can tell. */
static json_t *obeyed_json(const struct bc_lane_command *c, const struct bc_store_op *op)
{
	const __typeof__(op->out.lanes) *lanes = &op->out.lanes;
	json_t *j = bc_lane_json(&c->status,
				 op->result ? NULL : count_of(lanes->lanes, lanes->count, c->lane));
	if (j && op->result)
		json_object_del(j, "pending");
	if (j && c->action == BC_LANE_PROBE && json_object_set_new(j, "probe", probe_json(c))) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void obeyed_counted(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct lane_order *order = call->extra;
	json_t *json = obeyed_json(&order->command, op);
	free(order);
	call_json(call, 200, json);
}

/* Takes its request from it: whoever does so answers. */
static struct call *leave(struct lane_order *order)
{
	struct call *call = order->call;
	if (!call)
		return NULL;
	*order->slot = order->next;
	if (order->next)
		order->next->slot = order->slot;
	order->call = NULL;
	return call;
}

static void answer_refused(struct call *call, const struct bc_lane_command *c)
{
	if (c->result == BC_EUNREACH) /* delivery stops, and this request with it */
		call_problem(call, BC_PROBLEM_BUSY, c->err.text, c->err.hint);
	else
		call_error(call, c->result, &c->err);
}

static void lane_obeyed(struct bc_lane_command *command)
{
	struct lane_order *order = BC_CONTAINER(command, struct lane_order, command);
	struct call *call = leave(order);
	if (call && command->result == 0) {
		call->extra = order;
		call_submit(call, BC_STORE_LANES, obeyed_counted);
		return;
	}
	if (call)
		answer_refused(call, command);
	free(order);
}

void api_leave_lanes(struct bc_api *api)
{
	while (api->lane_orders)
		call_problem(leave(api->lane_orders), BC_PROBLEM_BUSY,
			     "the daemon stops before the lane has answered",
			     "ask GET /v1/lanes how it stands when the daemon runs again");
}

static void order_lane(struct call *call, enum bc_lane_action action)
{
	struct bc_api *api = call->api;
	struct lane_order *order = calloc(1, sizeof(*order));
	if (!order) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the order", "try again");
		return;
	}
	order->command = (struct bc_lane_command){ .action = action,
						   .loop = api->loop,
						   .done = lane_obeyed };
	if (bc_str_copy(order->command.lane, sizeof(order->command.lane), call->param)) {
		free(order);
		call_problem(call, BC_PROBLEM_NOT_FOUND, "there is no lane of that name",
			     "GET /v1/lanes names them: partner.label, such as sovendus.default");
		return;
	}
	order->call = call;
	order->next = api->lane_orders;
	order->slot = &api->lane_orders;
	if (order->next)
		order->next->slot = &order->next;
	api->lane_orders = order;
	bc_delivery_command(api->delivery, &order->command);
}

static void order_if_possible(struct call *call, enum bc_lane_action action)
{
	if (!call->api->delivery)
		call_problem(call, BC_PROBLEM_CONFLICT,
			     "this process hands nothing back, so it has no lanes",
			     "start the daemon: backchannel serve");
	else if (call->api->stopping)
		call_problem(call, BC_PROBLEM_BUSY, "the daemon stops", "ask when it runs again");
	else
		order_lane(call, action);
}

void pause_lane(struct call *call)
{
	order_if_possible(call, BC_LANE_PAUSE);
}

void resume_lane(struct call *call)
{
	order_if_possible(call, BC_LANE_RESUME);
}

void probe_lane(struct call *call)
{
	order_if_possible(call, BC_LANE_PROBE);
}
