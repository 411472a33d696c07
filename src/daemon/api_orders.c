/* SPDX-License-Identifier: MIT */
/* Routes of one order: report it (and wait for it), tell its story, retry, cancel. Many at once:
 * api_select.c. */
#include <string.h>

#include "base/err.h"
#include "daemon/api_impl.h"

enum { ORDER_TEXT_BYTES = 1024 }; /* of nearly all there are */

static bool is_final(enum bc_order_state state)
{
	return state != BC_ORDER_PENDING && state != BC_ORDER_SENDING;
}

/* --- waiting for the final state ------------------------------------------------------------ */

static void stop_waiting(struct call *call)
{
	if (call->slot) {
		*call->slot = call->next;
		if (call->next)
			call->next->slot = call->slot;
		call->slot = NULL;
	}
	bc_timer_destroy(call->timer);
	call->timer = NULL;
	if (call->wait_ms)
		atomic_fetch_sub(&call->api->waiters, 1);
	call->wait_ms = 0;
}

static void tell_order(struct call *call, int status, const struct bc_order *order)
{
	char room[ORDER_TEXT_BYTES];
	struct bc_str text = bc_order_text(order, room, sizeof(room));
	if (text.ptr)
		call_text(call, status, "application/json", text);
	else
		call_json(call, status, bc_order_json(order));
}

static void answer_order(struct call *call, const struct bc_order *order)
{
	stop_waiting(call);
	tell_order(call, is_final(order->state) ? 200 : 202, order);
}

static void waited_order_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (op->result == 0) {
		answer_order(call, &op->out.story.order);
		return;
	}
	stop_waiting(call);
	call_error(call, op->result, &op->err);
}

/* Time is over, or the order is final: either way, say how it stands now. */
static void read_waited_order(struct call *call)
{
	if (call->slot) {
		*call->slot = call->next;
		if (call->next)
			call->next->slot = call->slot;
		call->slot = NULL;
	}
	bc_timer_stop(call->timer);
	call->op = (struct bc_store_op){ .kind = BC_STORE_GET_ORDER,
					 .done = waited_order_read,
					 .arena = call->request->arena };
	call->op.in.get_order.order = call->order;
	bc_desk_submit(&call->api->desk, &call->op);
}

static void wait_over(void *ctx)
{
	read_waited_order(ctx);
}

/* false: it cannot wait (no memory, or the API stops). */
static bool start_waiting(struct call *call, struct bc_str order)
{
	struct bc_api *api = call->api;
	if (api->stopping)
		return false;
	call->order = (struct bc_str){ bc_arena_dup(call->request->arena, order.ptr, order.len),
				       order.len };
	call->timer = bc_timer_create(api->loop, wait_over, call);
	if (!call->order.ptr || !call->timer)
		return false;
	call->next = api->waiting;
	call->slot = &api->waiting;
	if (call->next)
		call->next->slot = &call->next;
	api->waiting = call;
	bc_timer_start(call->timer, call->wait_ms);
	return true;
}

struct final_note {
	struct bc_task task;
	struct bc_api *api;
	size_t len;
	char order[BC_ORDER_ID_MAX];
};

static void order_is_final(struct bc_task *task)
{
	struct final_note *note = BC_CONTAINER(task, struct final_note, task);
	for (struct call *c = note->api->waiting, *next; c; c = next) {
		next = c->next;
		if (c->order.len == note->len && memcmp(c->order.ptr, note->order, note->len) == 0)
			read_waited_order(c);
	}
	free(note);
}

void bc_api_order_final(struct bc_api *api, struct bc_str order)
{
	if (!atomic_load(&api->waiters) || order.len > BC_ORDER_ID_MAX)
		return;
	struct final_note *note = malloc(sizeof(*note));
	if (!note)
		return; /* who waits is answered when its time is over */
	*note = (struct final_note){ .task.run = order_is_final, .api = api, .len = order.len };
	memcpy(note->order, order.ptr, order.len);
	bc_loop_post(api->loop, &note->task);
}

void bc_api_stop(struct bc_api *api, void (*done)(void *ctx), void *ctx)
{
	api->stopping = true;
	api->stopped = done;
	api->stopped_ctx = ctx;
	while (api->waiting)
		read_waited_order(api->waiting);
	api_leave_lanes(api);
	bc_api_end_streams(api);
	api_check_stopped(api);
}

/* --- reporting ------------------------------------------------------------------------------ */

static void accepted(void *ctx, int result, const struct bc_err *err, const struct bc_accepted *a)
{
	struct call *call = ctx;
	if (result) {
		stop_waiting(call);
		call_error(call, result, err);
		return;
	}
	if (a->how == BC_ACCEPT_CONFLICT) {
		stop_waiting(call);
		call_problem(call, BC_PROBLEM_CONFLICT,
			     "this order is known with another click token",
			     "the first report stands; GET /v1/orders/{order} tells its story");
		return;
	}
	if (!is_final(a->order->state) && call->wait_ms && start_waiting(call, a->order->order))
		return;
	stop_waiting(call);
	bool known = is_final(a->order->state) || a->how == BC_ACCEPT_REPEATED;
	tell_order(call, known ? 200 : 202, a->order);
}

static bool read_report(struct call *call, struct bc_report *in)
{
	return call_body(call) && call_field(call, "order", &in->order) &&
	       call_field(call, "token", &in->token) && call_field(call, "click", &in->click) &&
	       call_field(call, "session", &in->session) &&
	       call_field(call, "product", &in->product) &&
	       call_number(call, "amount", &in->amount) &&
	       call_field(call, "currency", &in->currency) &&
	       call_query_duration(call, "wait", WAIT_MAX_MS, &call->wait_ms);
}

void post_order(struct call *call)
{
	struct bc_report in = { 0 };
	struct bc_err err = { 0 };
	const char *field = "order";
	if (!read_report(call, &in))
		return;
	if (!call->api->delivery)
		call->wait_ms = 0;
	if (call->wait_ms)
		atomic_fetch_add(&call->api->waiters, 1);
	int result = bc_orders_accept(&call->api->desk, call->request->arena, &in, accepted, call,
				      &field, &err);
	if (result) {
		stop_waiting(call);
		call_field_error(call, result, field, &err);
	}
}

/* --- telling and changing ------------------------------------------------------------------- */

/* As call_failed, for one order. */
static bool answered_error(struct call *call, const struct bc_store_op *op)
{
	if (op->result != BC_ENOENT)
		return call_failed(call, op);
	call_problem(call, BC_PROBLEM_NOT_FOUND, "no such order was reported",
		     "check the number as the shop sends it; backchannel orders lists them");
	return true;
}

static void story_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (answered_error(call, op))
		return;
	const struct bc_order *order = &op->out.story.order;
	call_json(call, 200,
		  bc_story_json(order, op->out.story.attempts, op->out.story.attempt_count,
				call_lane_of(call, order)));
}

void get_order(struct call *call)
{
	call->op.in.get_order.order = call->param;
	call_submit(call, BC_STORE_GET_ORDER, story_read);
}

static void order_changed(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (answered_error(call, op))
		return;
	if (call->api->delivery)
		bc_delivery_wake(call->api->delivery);
	tell_order(call, 200, &op->out.changed.order);
}

void retry_order(struct call *call)
{
	uint64_t now = bc_wall_ms(call->api->shop->clock);
	call->op.in.requeue.order = call->param;
	call->op.in.requeue.now_ms = now;
	call->op.in.requeue.deadline_ms = now + call->api->desk.config->retry.deadline_ms;
	call_submit(call, BC_STORE_REQUEUE, order_changed);
}

void cancel_order(struct call *call)
{
	call->op.in.cancel.order = call->param;
	call->op.in.cancel.reason = BC_STR("withdrawn by the shop");
	call->op.in.cancel.now_ms = bc_wall_ms(call->api->shop->clock);
	call_submit(call, BC_STORE_CANCEL, order_changed);
}
