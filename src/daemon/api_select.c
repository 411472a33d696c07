/* SPDX-License-Identifier: MIT */
/*
 * Routes of many orders: list, count, retry by selector. One selector may name millions, so each
 * works in steps: an operation that costs the store little, then the next one behind whoever waits.
 * Rows only go down from step to step: none is met twice, and what is reported meanwhile is not
 * met at all.
 *
 * A list that was asked to shows click tokens in clear, and nothing else in the program does: the
 * log says each time how many.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/api_impl.h"

enum {
	LOOK_ROWS = 250,   /* read in one step */
	RETRY_ROWS = 1000, /* moved in one step: some 10 ms of the store's time */
	LOOK_ARENA_BYTES = 16 * 1024,
	LOOK_ARENA_MAX = 4 * 1024 * 1024
};

/* A selection on its way. In the request's arena. */
struct selection {
	struct bc_order_selector select; /* before_row goes down */
	struct bc_arena *arena;		 /* owned; what one step read */
	json_t *orders;			 /* owned; list */
	uint32_t left;			 /* rows still wanted; retry: 0 = all */
	bool show_tokens;		 /* list */
	uint64_t count;			 /* that were counted or moved; tokens that were shown */
	uint64_t now_ms;		 /* when the request came */
};

/* Reads the selector; answers the call itself, and returns NULL, when something is wrong. */
static struct selection *begin(struct call *call)
{
	struct bc_order_selector select;
	if (!call_selector(call, &select))
		return NULL;
	struct selection *s = bc_arena_alloc(call->request->arena, sizeof(*s));
	struct bc_arena *arena = bc_arena_create(LOOK_ARENA_BYTES, LOOK_ARENA_MAX);
	if (!s || !arena) {
		bc_arena_destroy(arena);
		call_problem(call, BC_PROBLEM_BUSY, "no memory for a list", "try again");
		return NULL;
	}
	*s = (struct selection){ .select = select,
				 .arena = arena,
				 .now_ms = bc_wall_ms(call->api->shop->clock) };
	call->extra = s;
	return s;
}

/* Before the answer: that frees the selection itself. */
static void finish(struct selection *s)
{
	bc_arena_destroy(s->arena);
	json_decref(s->orders);
	s->arena = NULL;
	s->orders = NULL;
}

static void submit_step(struct call *call, void (*done)(struct bc_store_op *))
{
	struct selection *s = call->extra;
	bc_arena_reset(s->arena);
	call->op.done = done;
	call->op.arena = s->arena;
	bc_desk_submit(&call->api->desk, &call->op);
}

/* --- list and count ------------------------------------------------------------------------ */

static void look(struct call *call, void (*done)(struct bc_store_op *))
{
	const struct selection *s = call->extra;
	call->op = (struct bc_store_op){ .kind = BC_STORE_LIST_ORDERS };
	call->op.in.list.select = s->select;
	call->op.in.list.select.limit = s->left < LOOK_ROWS ? s->left : LOOK_ROWS;
	submit_step(call, done);
}

/* Steals the selection's orders. */
static json_t *list_json(struct selection *s)
{
	char next[24];
	json_t *orders = s->orders;
	s->orders = NULL;
	snprintf(next, sizeof(next), "%llu", (unsigned long long)s->select.before_row);
	return json_pack("{s:o, s:o}", "orders", orders, "next",
			 s->select.before_row ? json_string(next) : json_null());
}

static json_t *row_json(struct selection *s, const struct bc_order *order)
{
	json_t *j = bc_order_json(order);
	if (!j || !s->show_tokens || !order->token.ptr)
		return j;
	s->count++;
	if (json_object_set_new(j, "token", json_stringn(order->token.ptr, order->token.len)) == 0)
		return j;
	json_decref(j);
	return NULL;
}

static int take_orders(struct selection *s, const struct bc_store_op *op)
{
	int bad = 0;
	for (uint32_t i = 0; i < op->out.list.count && !bad; i++)
		bad = json_array_append_new(s->orders, row_json(s, &op->out.list.orders[i]));
	s->left -= op->out.list.count;
	s->select.before_row = op->out.list.next_before_row;
	return bad;
}

/* A page is full, or it is the last one; while the API stops it may be short. */
static void orders_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct selection *s = call->extra;
	if (op->result) {
		finish(s);
		call_error(call, op->result, &op->err);
		return;
	}
	int bad = take_orders(s, op);
	if (!bad && s->left && s->select.before_row && !call->api->stopping) {
		look(call, orders_read);
		return;
	}
	if (s->show_tokens)
		bc_log_warning("orders.tokens_shown", BC_LU("tokens", s->count),
			       BC_LU("orders", json_array_size(s->orders)));
	json_t *json = bad ? NULL : list_json(s);
	finish(s);
	call_json(call, 200, json);
}

/* A number that is only part of the truth is no answer. */
static void answer_stopped(struct call *call)
{
	finish(call->extra);
	call_problem(call, BC_PROBLEM_BUSY, "the daemon stops before all orders were looked at",
		     "ask again when it runs");
}

static void answer_count(struct call *call)
{
	struct selection *s = call->extra;
	json_int_t count = (json_int_t)s->count;
	finish(s);
	call_json(call, 200, json_pack("{s:I}", "count", count));
}

static void orders_counted(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct selection *s = call->extra;
	if (op->result) {
		finish(s);
		call_error(call, op->result, &op->err);
		return;
	}
	s->count += op->out.list.count;
	s->select.before_row = op->out.list.next_before_row;
	if (!s->select.before_row)
		answer_count(call);
	else if (call->api->stopping)
		answer_stopped(call);
	else
		look(call, orders_counted);
}

void list_orders(struct call *call)
{
	bool count, tokens;
	struct selection *s;
	if (!call_query_flag(call, "count", &count) || !call_query_flag(call, "tokens", &tokens) ||
	    !(s = begin(call)))
		return;
	s->select.count_only = count;
	s->show_tokens = tokens && !count;
	s->left = s->select.limit ? s->select.limit : LIST_LIMIT_DEFAULT;
	s->orders = json_array();
	if (s->orders) {
		look(call, count ? orders_counted : orders_read);
		return;
	}
	finish(s);
	call_json(call, 200, NULL);
}

/* --- retry --------------------------------------------------------------------------------- */

static void orders_changed(struct bc_store_op *op);

static void retry_some(struct call *call)
{
	const struct selection *s = call->extra;
	call->op = (struct bc_store_op){ .kind = BC_STORE_REQUEUE };
	call->op.in.requeue.select = s->select;
	call->op.in.requeue.select.limit = s->left && s->left < RETRY_ROWS ? s->left : RETRY_ROWS;
	call->op.in.requeue.now_ms = s->now_ms;
	call->op.in.requeue.deadline_ms = s->now_ms + call->api->desk.config->retry.deadline_ms;
	submit_step(call, orders_changed);
}

/* The part that is done stays done: say how much, and that asking again does the rest. */
static void answer_partly(struct call *call, enum bc_problem problem, const char *why,
			  const char *hint)
{
	struct selection *s = call->extra;
	uint64_t count = s->select.count_only ? 0 : s->count;
	finish(s);
	if (!count) {
		call_problem(call, problem, why, hint);
		return;
	}
	char *detail = bc_arena_printf(call->request->arena, "%s; %llu are pending again by now",
				       why, (unsigned long long)count);
	call_problem(call, problem, detail ? detail : why, "ask again for the rest");
}

static bool retry_goes_on(const struct selection *s, uint64_t done)
{
	return s->select.before_row && (!s->select.limit || s->left > done);
}

static void orders_changed(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct selection *s = call->extra;
	if (op->result) {
		answer_partly(call, bc_problem_of(op->result),
			      op->err.text[0] ? op->err.text : bc_code_name(op->result),
			      op->err.hint);
		return;
	}
	uint64_t done = op->out.changed.count;
	s->count += done;
	s->select.before_row = op->out.changed.next_before_row;
	if (done && !s->select.count_only && call->api->delivery)
		bc_delivery_wake(call->api->delivery);
	if (!retry_goes_on(s, done)) {
		answer_count(call);
	} else if (call->api->stopping) {
		answer_partly(call, BC_PROBLEM_BUSY, "the daemon stops before all was done",
			      "ask again when it runs");
	} else {
		s->left -= s->select.limit ? (uint32_t)done : 0;
		retry_some(call);
	}
}

void retry_orders(struct call *call)
{
	bool dry;
	struct selection *s;
	if (!call_query_flag(call, "dry_run", &dry) || !(s = begin(call)))
		return;
	if (s->select.state == BC_ORDER_STATE_ANY) {
		finish(s);
		call_problem(call, BC_PROBLEM_BAD_REQUEST, "parameter \"state\" is missing",
			     "say which: state=rejected, expired, cancelled or pending");
		return;
	}
	s->select.count_only = dry;
	s->left = s->select.limit;
	retry_some(call);
}
