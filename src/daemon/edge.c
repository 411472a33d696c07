/* SPDX-License-Identifier: MIT */
/*
 * See edge.h. The routes, how a request finds its own, and the listener's life.
 *
 * A path that is not there and one whose settings are not set look the same. Whatever the server
 * refuses by itself (a broken head, a slow one) is told in the same few words.
 */
#include "daemon/edge.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "daemon/edge_impl.h"

enum {
	HEAD_BYTES = 16 * 1024,
	/* Bytes a second of a body, after http.head_timeout: who sends slower holds memory that
	 * others need. */
	BODY_RATE = 32 * 1024
};

/* Sorted by path. */
const struct edge_route edge_routes[] = {
	{ "GET", "/capture.js", "The storefront's script", edge_capture_js, 0, NULL, false },
	{ "HEAD", "/capture.js", "The storefront's script, without its body", edge_capture_js, 0,
	  NULL, false },
	{ "GET", "/v1/c", "Tell of a landing", edge_landing, 0, NULL, false },
	{ "POST", "/v1/c", "Tell of a landing, as navigator.sendBeacon does", edge_landing,
	  EDGE_BEACON_BODY_BYTES, NULL, true },
	{ "GET", "/v1/events/adobe", "Adobe asks whether the address is ours", edge_challenge, 0,
	  edge_events_on, false },
	{ "POST", "/v1/events/adobe", "Adobe delivers events", edge_take_events,
	  EDGE_EVENTS_BODY_BYTES, edge_events_on, false },
	{ "POST", "/v1/webhooks/commerce", "Commerce tells of an order before it is placed",
	  edge_take_webhook, EDGE_EVENTS_BODY_BYTES, edge_webhook_on, false },
};
const size_t edge_route_count = BC_COUNT(edge_routes);

static const struct edge_part parts[] = {
	{ edge_open_beacon, edge_reconfigure_beacon, NULL, edge_destroy_beacon },
	{ edge_open_events, edge_reconfigure_events, edge_stop_events, edge_destroy_events },
	{ edge_open_webhook, edge_reconfigure_webhook, edge_stop_webhook, edge_destroy_webhook },
};

/* --- answering ------------------------------------------------------------------------------- */

/* The answer may point into the body: that goes after it. */
static void answer(struct edge_call *call, int status, const char *content_type, const char *extra,
		   struct bc_str body)
{
	struct bc_edge *e = call->edge;
	struct bc_buf bytes = call->bytes;
	bc_http_respond(call->http, status, content_type, extra, body.ptr, body.len);
	e->bodies_bytes -= bytes.len;
	bc_buf_finish(&bytes);
	e->calls--;
	edge_check_closed(e);
}

void edge_empty(struct edge_call *call, int status, const char *extra)
{
	answer(call, status, NULL, extra, (struct bc_str){ NULL, 0 });
}

void edge_text(struct edge_call *call, int status, const char *content_type, const char *extra,
	       struct bc_str body)
{
	answer(call, status, content_type, extra, body);
}

void edge_json(struct edge_call *call, int status, json_t *json)
{
	char *dump = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (dump)
		answer(call, status, "application/json", NULL, bc_str_of(dump));
	else
		edge_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
	free(dump);
}

void edge_problem(struct edge_call *call, enum bc_problem problem, const char *detail,
		  const char *hint)
{
	int status = bc_problem_status(problem);
	struct bc_str body = bc_problem_body(call->http->arena, problem, 0, detail, hint);
	answer(call, status, bc_problem_content_type, status == 503 ? "Retry-After: 5\r\n" : NULL,
	       body);
}

void edge_not_found(struct edge_call *call)
{
	edge_problem(call, BC_PROBLEM_NOT_FOUND, "no such path", NULL);
}

/* --- forms and queries ----------------------------------------------------------------------- */

static struct bc_str decode(struct edge_call *call, struct bc_str value)
{
	struct bc_buf decoded;
	struct bc_str text = { NULL, 0 };
	bc_buf_init(&decoded, HEAD_BYTES);
	if (!bc_percent_decode(&decoded, value, true)) {
		text.len = decoded.len;
		text.ptr = bc_arena_dup(call->http->arena, decoded.data ? decoded.data : "",
					decoded.len);
	}
	bc_buf_finish(&decoded);
	return text;
}

struct bc_str edge_form_value(struct edge_call *call, struct bc_str form, const char *name)
{
	while (form.ptr) {
		struct bc_str value = bc_str_split(&form, '&'), key = bc_str_split(&value, '=');
		if (value.ptr && bc_str_eq(key, name))
			return decode(call, value);
	}
	return (struct bc_str){ NULL, 0 };
}

struct bc_str edge_query(struct edge_call *call, const char *name)
{
	return edge_form_value(call, call->http->query, name);
}

/* --- finding the route ----------------------------------------------------------------------- */

static bool is_there(const struct bc_edge *e, const struct edge_route *route, struct bc_str path)
{
	return bc_str_eq(path, route->path) && (!route->on || route->on(e));
}

/* "GET, POST": what this path takes; and what for, in words. NULL: there is no such path, or no
 * memory. */
static const char *allowed_methods(const struct edge_call *call, const char **ret_words)
{
	struct bc_arena *arena = call->http->arena;
	const char *list = NULL, *words = NULL;
	for (size_t i = 0; i < edge_route_count; i++) {
		const struct edge_route *r = &edge_routes[i];
		if (!is_there(call->edge, r, call->http->path))
			continue;
		list = bc_arena_printf(arena, "%s%s%s", list ? list : "", list ? ", " : "",
				       r->method);
		words = bc_arena_printf(arena, "%s%s%s: %s", words ? words : "", words ? "; " : "",
					r->method, r->summary);
	}
	*ret_words = words;
	return list;
}

static void refuse_method(struct edge_call *call, const char *allowed, const char *words)
{
	char *extra = bc_arena_printf(call->http->arena, "Allow: %s\r\n", allowed);
	struct bc_str body = bc_problem_body(call->http->arena, BC_PROBLEM_BAD_REQUEST, 405,
					     "this path does not take that method", words);
	answer(call, 405, bc_problem_content_type, extra, body);
}

static const struct edge_route *find_route(const struct bc_edge *e,
					   const struct bc_http_request *req)
{
	for (size_t i = 0; i < edge_route_count; i++)
		if (is_there(e, &edge_routes[i], req->path) &&
		    !strcmp(req->method, edge_routes[i].method))
			return &edge_routes[i];
	return NULL;
}

static void handle(void *ctx, struct bc_http_request *req)
{
	struct bc_edge *e = ctx;
	struct edge_call *call = bc_arena_alloc(req->arena, sizeof(*call));
	if (!call) {
		bc_http_respond(req, 503, NULL, "Retry-After: 5\r\n", NULL, 0);
		return;
	}
	e->calls++;
	*call = (struct edge_call){ .edge = e, .http = req, .route = find_route(e, req) };
	bc_buf_init(&call->bytes, EDGE_EVENTS_BODY_BYTES);
	call->visitor = edge_visitor(e, req);
	const char *words = NULL;
	const char *allowed = call->route ? NULL : allowed_methods(call, &words);
	if (call->route)
		edge_read_body(call);
	else if (allowed)
		refuse_method(call, allowed, words);
	else
		edge_not_found(call);
}

/* A body that a route may read streams, so that it is bounded by its route. */
static bool body_streams(void *ctx, const struct bc_http_request *req)
{
	(void)ctx;
	return strcmp(req->method, "POST") == 0;
}

static void describe_error(void *ctx, int status, const char *why, struct bc_str *ret_body,
			   const char **ret_content_type)
{
	struct bc_edge *e = ctx;
	bool busy = status == 503, large = status == 413 || status == 431;
	enum bc_problem problem = busy	  ? BC_PROBLEM_BUSY
				  : large ? BC_PROBLEM_TOO_LARGE
					  : BC_PROBLEM_BAD_REQUEST;
	const char *hint = busy	   ? "try again"
			   : large ? "send less"
				   : "send one well-formed HTTP/1.1 request";
	bc_arena_reset(e->error_arena);
	*ret_body = bc_problem_body(e->error_arena, problem, status, why, hint);
	*ret_content_type = bc_problem_content_type;
}

/* --- life ------------------------------------------------------------------------------------ */

static int listen_on(struct bc_edge *e, struct bc_err *err)
{
	const struct bc_settings *s = e->settings;
	struct bc_http_server_options server = {
		.listen = s->edge,
		.fd = s->sockets.of[BC_SOCKET_EDGE].fd,
		.head_max_bytes = HEAD_BYTES,
		.body_max_bytes = EDGE_BEACON_BODY_BYTES, /* of those that do not stream */
		.body_min_rate = BODY_RATE,
		.connections_max = (uint32_t)s->http_connections,
		.head_timeout_ms = (uint32_t)s->http_head_timeout_ms,
		.handler = handle,
		.streams = body_streams,
		.describe_error = describe_error,
		.ctx = e,
	};
	int result = bc_http_server_create(e->loop, &server, &e->server, err);
	if (!result)
		snprintf(e->address, sizeof(e->address), "%s", bc_http_server_address(e->server));
	return result;
}

static int open_parts(struct bc_edge *e, struct bc_err *err)
{
	int result = 0;
	while (!result && e->parts_open < BC_COUNT(parts)) {
		result = parts[e->parts_open].open(e, err);
		if (!result)
			e->parts_open++;
	}
	return result;
}

int bc_edge_create(struct bc_loop *loop, const struct bc_edge_options *options,
		   struct bc_edge **ret_edge, struct bc_err *err)
{
	struct bc_edge *e = calloc(1, sizeof(*e));
	if (!e)
		return bc_err_nomem(err);
	*e = (struct bc_edge){ .loop = loop,
			       .delivery_loop = options->delivery_loop,
			       .shop = options->shop,
			       .settings = bc_settings_ref(options->settings),
			       .news = options->news,
			       .news_ctx = options->ctx,
			       .error_arena = bc_arena_create(1024, 16 * 1024) };
	int result =
		e->error_arena ? bc_desk_init(&e->desk, e->shop, loop, err) : bc_err_nomem(err);
	e->desk_open = !result;
	if (!result)
		result = open_parts(e, err);
	if (!result)
		result = listen_on(e, err);
	if (result)
		bc_edge_destroy(e);
	else
		*ret_edge = e;
	return result;
}

void bc_edge_reconfigure(struct bc_edge *e, struct bc_settings *settings,
			 struct bc_shop_config *config)
{
	struct bc_settings *before = e->settings;
	e->settings = bc_settings_ref(settings);
	bc_desk_reconfigure(&e->desk, config);
	for (size_t i = 0; i < BC_COUNT(parts); i++)
		if (parts[i].reconfigure)
			parts[i].reconfigure(e);
	bc_settings_unref(before);
}

const char *bc_edge_address(const struct bc_edge *e)
{
	return e->address;
}

void edge_check_closed(struct bc_edge *e)
{
	void (*closed)(void *ctx) = e->closed;
	if (!closed || e->closing_parts || e->calls)
		return;
	e->closed = NULL;
	closed(e->closed_ctx);
}

void edge_part_closed(struct bc_edge *e)
{
	e->closing_parts--;
	edge_check_closed(e);
}

static void server_closed(void *ctx)
{
	struct bc_edge *e = ctx;
	e->server = NULL;
	edge_part_closed(e);
}

void bc_edge_close(struct bc_edge *e, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
	e->closed = done;
	e->closed_ctx = ctx;
	e->closing_parts =
		1; /* the server's: it is told later, and last, so done never comes inline */
	for (size_t i = 0; i < BC_COUNT(parts); i++)
		if (parts[i].stop) {
			e->closing_parts++;
			parts[i].stop(e);
		}
	bc_http_server_close(e->server, grace_ms, server_closed, e);
}

void bc_edge_destroy(struct bc_edge *e)
{
	if (!e)
		return;
	BC_ASSERT(!e->server && !e->calls);
	while (e->parts_open--)
		if (parts[e->parts_open].destroy)
			parts[e->parts_open].destroy(e);
	if (e->desk_open)
		bc_desk_finish(&e->desk);
	bc_arena_destroy(e->error_arena);
	bc_settings_unref(e->settings);
	free(e);
}
