/* SPDX-License-Identifier: MIT */
/* See api.h. The routes, and how a request finds its own. */
#include "daemon/api.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/api_impl.h"

/* Sorted by path. A segment {…} takes any one segment, percent-decoded. */
const struct route api_routes[] = {
	{ "GET", "/", "The console", get_console_html, true },
	{ "GET", "/console-base.js", "What the console's scripts share", get_console_base_js,
	  true },
	{ "GET", "/console-orders.js", "The console's list of orders", get_console_orders_js,
	  true },
	{ "GET", "/console-start.js", "What starts the console's scripts", get_console_start_js,
	  true },
	{ "GET", "/console.js", "The console's script", get_console_js, true },
	{ "GET", "/dygraph.css", "The style of the console's charts", get_dygraph_css, true },
	{ "GET", "/dygraph.js", "The console's charts", get_dygraph_js, true },
	{ "GET", "/healthz", "Is the process alive", get_health, true },
	{ "GET", "/metrics", "Metrics for Prometheus", get_metrics, false },
	{ "GET", "/openapi.yaml", "This description", get_openapi_yaml, true },
	{ "GET", "/readyz", "Does the store take writes", get_ready, true },
	{ "DELETE", "/v1/backup", "Drop the copy", delete_backup, false },
	{ "GET", "/v1/backup", "How far the copy of the store came", get_backup, false },
	{ "POST", "/v1/backup", "Copy the store while it works", post_backup, false },
	{ "POST", "/v1/clicks", "Keep the click of a landing", post_click, false },
	{ "DELETE", "/v1/clicks/{click}", "Forget a click, consent is withdrawn", delete_click,
	  false },
	{ "GET", "/v1/history", "Clicks, orders and hand-backs over time", get_history, false },
	{ "GET", "/v1/lanes", "Lanes, and why each stands as it does", get_lanes, false },
	{ "POST", "/v1/lanes/{lane}/pause", "Hold a lane", pause_lane, false },
	{ "POST", "/v1/lanes/{lane}/probe", "Ask the partner with a test token now", probe_lane,
	  false },
	{ "POST", "/v1/lanes/{lane}/resume", "Let a paused lane go on", resume_lane, false },
	{ "GET", "/v1/orders", "List orders, or count them", list_orders, false },
	{ "POST", "/v1/orders", "Report a completed order", post_order, false },
	{ "POST", "/v1/orders/retry", "Hand back many orders again", retry_orders, false },
	{ "GET", "/v1/orders/{order}", "Tell an order's story", get_order, false },
	{ "POST", "/v1/orders/{order}/cancel", "Withdraw an order that was not handed back yet",
	  cancel_order, false },
	{ "POST", "/v1/orders/{order}/retry", "Hand back an order now, or again", retry_order,
	  false },
	{ "GET", "/v1/pull", "How far the pull of orders came, or how it ended", get_pull, false },
	{ "POST", "/v1/pull", "Fetch orders from Commerce and reconcile", post_pull, false },
	{ "GET", "/v1/stream", "The summary, each time that it changes", get_stream, false },
	{ "GET", "/v1/summary", "The whole shop at a glance", get_summary, false },
	{ "GET", "/v1/token", "How the access token for Commerce stands", get_token, false },
};
const size_t api_route_count = BC_COUNT(api_routes);

/* --- answering ----------------------------------------------------------------------------- */

void call_answer(struct call *call, const struct bc_api_answer *a)
{
	struct bc_api_request *request = call->request;
	struct bc_api *api = call->api;
	json_decref(call->json);
	call->json = NULL;
	request->answer(request, a);
	api->calls--;
	api_check_stopped(api);
}

void call_text(struct call *call, int status, const char *content_type, struct bc_str body)
{
	call_answer(call, &(struct bc_api_answer){
				  .status = status, .content_type = content_type, .body = body });
}

void call_json(struct call *call, int status, json_t *json)
{
	/* The only fractions are rates: six digits tell them. */
	char *dump = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
	json_decref(json);
	if (!dump) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
		return;
	}
	call_text(call, status, "application/json", bc_str_of(dump));
	free(dump);
}

void call_problem(struct call *call, enum bc_problem problem, const char *detail, const char *hint)
{
	struct bc_str body = bc_problem_body(call->request->arena, problem, 0, detail, hint);
	int status = bc_problem_status(problem);
	call_answer(call,
		    &(struct bc_api_answer){ .status = status,
					     .content_type = bc_problem_content_type,
					     .extra = status == 503 ? "Retry-After: 1\r\n" : NULL,
					     .body = body });
}

void call_error(struct call *call, int code, const struct bc_err *err)
{
	call_problem(call, bc_problem_of(code), err->text[0] ? err->text : bc_code_name(code),
		     err->hint);
}

void call_field_error(struct call *call, int code, const char *field, const struct bc_err *err)
{
	enum bc_problem problem = bc_problem_of(code);
	if (code == BC_EINVAL && strcmp(field, "token") == 0)
		problem = BC_PROBLEM_BAD_TOKEN;
	if (code == BC_EINVAL && strcmp(field, "session") == 0)
		problem = BC_PROBLEM_BAD_SESSION;
	call_problem(call, problem, err->text, err->hint);
}

/* --- the store ----------------------------------------------------------------------------- */

void call_submit(struct call *call, enum bc_store_kind kind, void (*done)(struct bc_store_op *))
{
	call->op.kind = kind;
	call->op.done = done;
	call->op.arena = call->request->arena;
	bc_desk_submit(&call->api->desk, &call->op);
}

bool call_failed(struct call *call, const struct bc_store_op *op)
{
	bool failed = op->result != 0;
	if (failed)
		call_error(call, op->result, &op->err);
	return failed;
}

/* --- finding the route --------------------------------------------------------------------- */

/* Compares segment by segment; the parameter on the way is not decoded yet. */
static bool path_fits(struct call *call, const char *pattern)
{
	struct bc_str want, have = call->request->path;
	/* This is on every request's way: nearly all are told apart before their parameter. */
	size_t same = 0;
	while (same < have.len && pattern[same] && pattern[same] != '{' &&
	       pattern[same] == have.ptr[same])
		same++;
	if (pattern[same] != '{')
		return same == have.len && !pattern[same];
	want = bc_str_of(pattern);
	while (want.ptr && have.ptr) {
		struct bc_str w = bc_str_split(&want, '/'), h = bc_str_split(&have, '/');
		if (w.len && w.ptr[0] == '{') {
			if (!h.len)
				return false;
			call->param = h;
		} else if (w.len != h.len || memcmp(w.ptr, h.ptr, w.len) != 0) {
			return false;
		}
	}
	return !want.ptr && !have.ptr;
}

/* 0, BC_EINVAL (no name has a NUL), BC_ETOOBIG or BC_ENOMEM. */
static int decode_param(struct call *call)
{
	struct bc_buf decoded;
	if (!call->param.ptr)
		return 0;
	bc_buf_init(&decoded, 1024);
	int result = bc_percent_decode(&decoded, call->param, false);
	if (!result && memchr(decoded.data, '\0', decoded.len))
		result = BC_EINVAL;
	char *copy = result ? NULL : bc_arena_dup(call->request->arena, decoded.data, decoded.len);
	call->param = (struct bc_str){ copy, decoded.len };
	bc_buf_finish(&decoded);
	return result || copy ? result : BC_ENOMEM;
}

static bool method_fits(const char *have, const char *want)
{
	return strcmp(have, want) == 0 || (strcmp(have, "HEAD") == 0 && strcmp(want, "GET") == 0);
}

/* "GET, HEAD, POST": what this path takes; and what for, in words. NULL: no memory. */
static void allowed_methods(struct call *call, const char **ret_list, const char **ret_words)
{
	struct bc_arena *arena = call->request->arena;
	const char *list = NULL, *words = NULL;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct route *r = &api_routes[i];
		if (!path_fits(call, r->path))
			continue;
		words = bc_arena_printf(arena, "%s%s%s: %s", words ? words : "", words ? "; " : "",
					r->method, r->summary);
		list = bc_arena_printf(arena, "%s%s%s%s", list ? list : "", list ? ", " : "",
				       r->method, strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
	}
	*ret_list = list;
	*ret_words = words;
}

static void refuse_method(struct call *call)
{
	const char *allowed, *words;
	allowed_methods(call, &allowed, &words);
	char *extra =
		allowed ? bc_arena_printf(call->request->arena, "Allow: %s\r\n", allowed) : NULL;
	struct bc_str body = bc_problem_body(call->request->arena, BC_PROBLEM_BAD_REQUEST, 405,
					     "this path does not take that method", words);
	call_answer(call, &(struct bc_api_answer){ .status = 405,
						   .content_type = bc_problem_content_type,
						   .extra = extra,
						   .body = body });
}

static void no_such_path(struct call *call)
{
	call_problem(call, BC_PROBLEM_NOT_FOUND, "no such path",
		     "GET /openapi.yaml describes the API, docs/http.md for people");
}

static void run_route(struct call *call, route_handler *handler)
{
	int result = decode_param(call);
	if (result == BC_ENOMEM)
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the request", "try again");
	else if (result)
		no_such_path(call);
	else
		handler(call);
}

void bc_api_handle(struct bc_api *api, struct bc_api_request *request)
{
	bool known = false;
	struct call *call = bc_arena_alloc(request->arena, sizeof(*call));
	if (!call) {
		request->answer(request, &(struct bc_api_answer){ .status = 503,
								  .extra = "Retry-After: 1\r\n" });
		return;
	}
	*call = (struct call){ .api = api, .request = request };
	api->calls++;
	for (size_t i = 0; i < api_route_count; i++) {
		call->param = (struct bc_str){ NULL, 0 };
		if (!path_fits(call, api_routes[i].path))
			continue;
		if (method_fits(request->method, api_routes[i].method)) {
			run_route(call, api_routes[i].handler);
			return;
		}
		known = true;
	}
	if (known)
		refuse_method(call);
	else
		no_such_path(call);
}

bool bc_api_is_open(struct bc_str path)
{
	for (size_t i = 0; i < api_route_count; i++)
		if (api_routes[i].open && bc_str_eq(path, api_routes[i].path))
			return true;
	return false;
}

/* --- life ---------------------------------------------------------------------------------- */

int bc_api_create(struct bc_loop *loop, const struct bc_api_options *options,
		  struct bc_api **ret_api, struct bc_err *err)
{
	struct bc_api *api = calloc(1, sizeof(*api));
	if (!api)
		return bc_err_nomem(err);
	*api = (struct bc_api){ .loop = loop,
				.shop = options->shop,
				.delivery = options->delivery,
				.commerce = options->commerce,
				.connections = options->connections,
				.key_folder = options->key_folder,
				.started_ms = bc_wall_ms(options->shop->clock),
				.ctx = options->ctx };
	int result = bc_desk_init(&api->desk, options->shop, loop, err);
	if (result) {
		free(api);
		return result;
	}
	*ret_api = api;
	return 0;
}

void bc_api_reconfigure(struct bc_api *api, struct bc_shop_config *config)
{
	bc_desk_reconfigure(&api->desk, config);
}

void api_check_stopped(struct bc_api *api)
{
	void (*stopped)(void *) = api->stopped;
	if (!api->stopping || api->calls || !stopped)
		return;
	api->stopped = NULL;
	stopped(api->stopped_ctx);
}

void bc_api_destroy(struct bc_api *api)
{
	if (!api)
		return;
	BC_ASSERT(!api->waiting && !api->lane_orders && !api->calls);
	bc_timer_destroy(api->streams.timer);
	free(api->streams.event);
	bc_desk_finish(&api->desk);
	free(api);
}
