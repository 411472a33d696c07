/* SPDX-License-Identifier: MIT */
/* See api.h. The routes, and how a request finds its own. */
#include "daemon/api.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/api_impl.h"

/* Sorted by path. A segment {…} takes any one segment, percent-decoded. */
static const struct route {
	const char *method, *path;
	route_handler *handler;
	bool open; /* needs no API token */
} routes[] = {
	{ "GET", "/healthz", get_health, true },
	{ "GET", "/metrics", get_metrics, false },
	{ "GET", "/readyz", get_ready, true },
	{ "POST", "/v1/clicks", post_click, false },
	{ "DELETE", "/v1/clicks/{click}", delete_click, false },
	{ "GET", "/v1/lanes", get_lanes, false },
	{ "GET", "/v1/orders", list_orders, false },
	{ "POST", "/v1/orders", post_order, false },
	{ "POST", "/v1/orders/retry", retry_orders, false },
	{ "GET", "/v1/orders/{order}", get_order, false },
	{ "POST", "/v1/orders/{order}/cancel", cancel_order, false },
	{ "POST", "/v1/orders/{order}/retry", retry_order, false },
};

/* --- answering ----------------------------------------------------------------------------- */

static void answer(struct call *call, const struct bc_api_answer *a)
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
	answer(call, &(struct bc_api_answer){
			     .status = status, .content_type = content_type, .body = body });
}

void call_json(struct call *call, int status, json_t *json)
{
	char *dump = json ? json_dumps(json, JSON_COMPACT) : NULL;
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
	answer(call, &(struct bc_api_answer){ .status = status,
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

/* --- reading ------------------------------------------------------------------------------- */

bool call_body(struct call *call)
{
	json_error_t where;
	struct bc_str body = call->request->body;
	/* A NUL inside a text is that field's fault, and the field's own check says so. */
	call->json = json_loadb(body.ptr ? body.ptr : "", body.len,
				JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	if (json_is_object(call->json))
		return true;
	char *detail = bc_arena_printf(call->request->arena, "the body is not a JSON object%s%s",
				       call->json ? "" : ": ", call->json ? "" : where.text);
	call_problem(call, BC_PROBLEM_BAD_REQUEST,
		     detail ? detail : "the body is not a JSON object",
		     "send e.g. {\"order\":\"100045\",\"click\":\"<bc_click cookie>\"}");
	return false;
}

static bool wrong_type(struct call *call, const char *name, const char *wanted)
{
	char *detail =
		bc_arena_printf(call->request->arena, "field \"%s\" must be %s", name, wanted);
	call_problem(call, BC_PROBLEM_BAD_REQUEST, detail ? detail : "a field has the wrong type",
		     "null or leaving it out means: not given");
	return false;
}

bool call_field(struct call *call, const char *name, struct bc_str *ret)
{
	const json_t *value = json_object_get(call->json, name);
	*ret = (struct bc_str){ NULL, 0 };
	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value))
		return wrong_type(call, name, "a string");
	*ret = (struct bc_str){ json_string_value(value), json_string_length(value) };
	return true;
}

bool call_number(struct call *call, const char *name, struct bc_str *ret)
{
	const json_t *value = json_object_get(call->json, name);
	if (!json_is_number(value))
		return !value || json_is_null(value) || json_is_string(value)
			       ? call_field(call, name, ret)
			       : wrong_type(call, name, "a number or a string");
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	char *text = dump ? bc_arena_dup(call->request->arena, dump, strlen(dump)) : NULL;
	free(dump);
	*ret = bc_str_of(text);
	return text ? true : wrong_type(call, name, "a shorter number");
}

static bool bad_query(struct call *call, const char *name, struct bc_str value, const char *hint)
{
	char *detail = bc_arena_printf(call->request->arena, "parameter \"%s\" is wrong: \"%.*s\"",
				       name, (int)(value.len > 80 ? 80 : value.len), value.ptr);
	call_problem(call, BC_PROBLEM_BAD_REQUEST, detail ? detail : "a parameter is wrong", hint);
	return false;
}

bool call_query(struct call *call, const char *name, struct bc_str *ret)
{
	struct bc_str rest = call->request->query;
	*ret = (struct bc_str){ NULL, 0 };
	while (rest.ptr) {
		struct bc_str value = bc_str_split(&rest, '&'), key = bc_str_split(&value, '=');
		struct bc_buf decoded;
		if (!bc_str_eq(key, name))
			continue;
		bc_buf_init(&decoded, BC_URL_MAX);
		int result = value.ptr ? bc_percent_decode(&decoded, value, true) : 0;
		*ret = bc_str_of(bc_arena_dup(call->request->arena,
					      decoded.data ? decoded.data : "", decoded.len));
		bc_buf_finish(&decoded);
		if (result || !ret->ptr)
			return bad_query(call, name, value, "percent-encode it");
	}
	return true;
}

bool call_query_duration(struct call *call, const char *name, uint64_t max_ms, uint64_t *ret_ms)
{
	struct bc_str text;
	*ret_ms = 0;
	if (!call_query(call, name, &text))
		return false;
	if (text.ptr && bc_parse_duration_ms(text, ret_ms))
		return bad_query(call, name, text, "a duration such as 500ms, 5s or 2m");
	if (*ret_ms > max_ms)
		*ret_ms = max_ms;
	return true;
}

static bool query_since(struct call *call, uint64_t *ret_ms)
{
	struct bc_str text;
	uint64_t age;
	*ret_ms = 0;
	if (!call_query(call, "since", &text))
		return false;
	if (!text.ptr || bc_time_parse(text, ret_ms) == 0)
		return true;
	if (bc_parse_duration_ms(text, &age))
		return bad_query(call, "since", text, "RFC 3339, or an age such as 2h");
	uint64_t now = bc_wall_ms(call->api->shop->clock);
	*ret_ms = now > age ? now - age : 0;
	return true;
}

bool call_selector(struct call *call, struct bc_order_selector *ret)
{
	struct bc_str state, cursor, limit;
	enum bc_order_state parsed;
	uint64_t n = LIST_LIMIT_DEFAULT;
	*ret = (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY };
	if (!call_query(call, "state", &state) || !call_query(call, "cursor", &cursor) ||
	    !call_query(call, "limit", &limit) || !query_since(call, &ret->since_ms))
		return false;
	if (state.len) {
		if (bc_order_state_parse(state, &parsed))
			return bad_query(call, "state", state,
					 "one of unattributed, pending, sending, delivered, "
					 "rejected, expired, cancelled");
		ret->state = (int)parsed;
	}
	if (limit.ptr && (bc_parse_u64(limit, &n) || n < 1 || n > LIST_LIMIT_MAX))
		return bad_query(call, "limit", limit, "a number from 1 to 1000");
	if (cursor.ptr && bc_parse_u64(cursor, &ret->before_row))
		return bad_query(call, "cursor", cursor, "what the last page's \"next\" said");
	ret->limit = (uint32_t)n;
	return true;
}

bool api_lane_of(struct bc_api *api, const struct bc_order *order, struct bc_lane_status *ret)
{
	struct bc_lane_status lanes[64];
	char name[BC_LANE_NAME_BYTES];
	if (!api->delivery || !order->partner.ptr || !order->product.ptr)
		return false;
	bc_lane_name(order->partner, order->product, name);
	size_t n = bc_delivery_lanes(api->delivery, lanes, BC_COUNT(lanes));
	for (size_t i = 0; i < n && i < BC_COUNT(lanes); i++) {
		if (strcmp(lanes[i].name, name) != 0)
			continue;
		*ret = lanes[i];
		return true;
	}
	return false;
}

/* --- finding the route --------------------------------------------------------------------- */

static bool decode_param(struct call *call, struct bc_str segment)
{
	struct bc_buf decoded;
	bc_buf_init(&decoded, 1024);
	bool ok = segment.len && bc_percent_decode(&decoded, segment, false) == 0 &&
		  memchr(decoded.data, '\0', decoded.len) == NULL;
	if (ok) {
		call->param.ptr = bc_arena_dup(call->request->arena, decoded.data, decoded.len);
		call->param.len = decoded.len;
	}
	bc_buf_finish(&decoded);
	return ok && call->param.ptr;
}

/* Compares segment by segment; reads the parameter on the way. */
static bool path_fits(struct call *call, const char *pattern)
{
	struct bc_str want = bc_str_of(pattern), have = call->request->path;
	while (want.ptr && have.ptr) {
		struct bc_str w = bc_str_split(&want, '/'), h = bc_str_split(&have, '/');
		if (w.len && w.ptr[0] == '{') {
			if (!decode_param(call, h))
				return false;
		} else if (w.len != h.len || memcmp(w.ptr, h.ptr, w.len) != 0) {
			return false;
		}
	}
	return !want.ptr && !have.ptr;
}

static bool method_fits(const char *have, const char *want)
{
	return strcmp(have, want) == 0 || (strcmp(have, "HEAD") == 0 && strcmp(want, "GET") == 0);
}

/* "GET, HEAD, POST": what the routes of this path take. NULL: no memory. */
static const char *allowed_methods(struct call *call)
{
	const char *list = NULL;
	for (size_t i = 0; i < BC_COUNT(routes); i++) {
		if (!path_fits(call, routes[i].path))
			continue;
		list = bc_arena_printf(call->request->arena, "%s%s%s%s", list ? list : "",
				       list ? ", " : "", routes[i].method,
				       strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
	}
	return list;
}

static void refuse_method(struct call *call)
{
	const char *allowed = allowed_methods(call);
	char *extra =
		allowed ? bc_arena_printf(call->request->arena, "Allow: %s\r\n", allowed) : NULL;
	struct bc_str body = bc_problem_body(call->request->arena, BC_PROBLEM_BAD_REQUEST, 405,
					     "this path does not take that method", allowed);
	answer(call, &(struct bc_api_answer){ .status = 405,
					      .content_type = bc_problem_content_type,
					      .extra = extra,
					      .body = body });
}

void bc_api_handle(struct bc_api *api, struct bc_api_request *request)
{
	bool known = false;
	struct call *call = bc_arena_alloc(request->arena, sizeof(*call));
	if (!call) {
		request->answer(request, &(struct bc_api_answer){ .status = 503 });
		return;
	}
	*call = (struct call){ .api = api, .request = request };
	api->calls++;
	for (size_t i = 0; i < BC_COUNT(routes); i++) {
		if (!path_fits(call, routes[i].path))
			continue;
		if (method_fits(request->method, routes[i].method)) {
			routes[i].handler(call);
			return;
		}
		known = true;
	}
	if (known)
		refuse_method(call);
	else
		call_problem(call, BC_PROBLEM_NOT_FOUND, "no such path",
			     "the API is described in docs/operation.md");
}

bool bc_api_is_open(struct bc_str path)
{
	for (size_t i = 0; i < BC_COUNT(routes); i++)
		if (routes[i].open && bc_str_eq(path, routes[i].path))
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
				.connections = options->connections,
				.ctx = options->ctx };
	int result = bc_desk_init(&api->desk, options->shop, loop, err);
	if (result) {
		free(api);
		return result;
	}
	*ret_api = api;
	return 0;
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
	BC_ASSERT(!api->waiting && !api->calls);
	bc_desk_finish(&api->desk);
	free(api);
}
