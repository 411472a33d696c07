/* SPDX-License-Identifier: MIT */
/* See listener.h. */
#include "daemon/listener.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/problem.h"

struct bc_listener {
	struct bc_http_server *server;	   /* freed by itself when closed */
	struct bc_api *api;		   /* borrowed */
	char *const *hosts;		   /* borrowed */
	const struct bc_secret *api_token; /* borrowed */
	struct bc_gateway *gateway;	   /* borrowed, may be NULL */
	bool is_unix, any_address;
	char own_host[256]; /* of the listen text */
	char address[300];
	struct bc_arena *error_arena; /* for the answers that the server gives itself */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* One request between the server and the API. */
struct exchange {
	struct bc_api_request api;
	struct bc_http_request *http;
};

static void respond(struct bc_api_request *request, const struct bc_api_answer *a)
{
	struct exchange *x = BC_CONTAINER(request, struct exchange, api);
	bc_http_respond(x->http, a->status, a->content_type, a->extra, a->body.ptr, a->body.len);
}

static struct bc_http_request *http_of(const struct bc_api_request *request)
{
	return BC_CONTAINER(request, const struct exchange, api)->http;
}

static struct bc_str header(const struct bc_api_request *request, const char *name)
{
	return bc_http_header(http_of(request), name);
}

/* --- answers that go on ---------------------------------------------------------------------- */

static void stream_begin(struct bc_api_request *request, const char *content_type,
			 void (*gone)(void *ctx), void *ctx)
{
	char head[160];
	snprintf(head, sizeof(head),
		 "Content-Type: %s\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n",
		 content_type);
	bc_http_stream_begin(http_of(request), 200, head, -1);
	bc_http_on_gone(http_of(request), gone, ctx);
}

static void stream_write(struct bc_api_request *request, struct bc_str bytes)
{
	(void)bc_http_stream_write(http_of(request), bytes.ptr, bytes.len, NULL, NULL);
}

static size_t stream_unsent(const struct bc_api_request *request)
{
	return bc_http_stream_unsent(http_of(request));
}

static bool stream_ended(const struct bc_api_request *request)
{
	return bc_http_peer_ended(http_of(request));
}

static void stream_end(struct bc_api_request *request, bool cut)
{
	if (cut)
		bc_http_stream_abort(http_of(request));
	else
		bc_http_stream_end(http_of(request));
}

static const struct bc_api_stream stream = { .begin = stream_begin,
					     .write = stream_write,
					     .unsent = stream_unsent,
					     .ended = stream_ended,
					     .end = stream_end };

/* --- refusals -------------------------------------------------------------------------------- */

static void refuse(struct bc_http_request *req, enum bc_problem problem, const char *detail,
		   const char *hint)
{
	struct bc_str body = bc_problem_body(req->arena, problem, 0, detail, hint);
	const char *extra = problem == BC_PROBLEM_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n"
			    : problem == BC_PROBLEM_BUSY       ? "Retry-After: 1\r\n"
							       : NULL;
	bc_log_info("request.refused", BC_LS("id", req->id), BC_LS("peer", req->peer),
		    BC_LS("reason", detail));
	bc_http_respond(req, bc_problem_status(problem), bc_problem_content_type, extra, body.ptr,
			body.len);
}

/* --- Host and Origin ------------------------------------------------------------------------ */

/* "name:port", "[v6]:port" -> the name, without brackets. */
static struct bc_str host_name(struct bc_str host)
{
	struct bc_str rest = host;
	if (host.len && host.ptr[0] == '[') {
		rest = (struct bc_str){ host.ptr + 1, host.len - 1 };
		return bc_str_split(&rest, ']');
	}
	return bc_str_split(&rest, ':');
}

static bool is_address(const char *name, bool *ret_loopback)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, name, &v4) == 1) {
		*ret_loopback = (ntohl(v4.s_addr) >> 24) == 127;
		return true;
	}
	if (inet_pton(AF_INET6, name, &v6) == 1) {
		*ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
		return true;
	}
	return false;
}

/* A name can be rebound by whoever owns it, so names are known ones; an address cannot. */
static bool host_known(const struct bc_listener *l, struct bc_str host)
{
	char name[256];
	bool loopback = false;
	if (l->is_unix)
		return true;
	if (bc_str_copy(name, sizeof(name), host_name(host)))
		return false;
	if (is_address(name, &loopback))
		return loopback || l->any_address || strcmp(name, l->own_host) == 0;
	if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, l->own_host) == 0)
		return true;
	for (char *const *known = l->hosts; known && *known; known++)
		if (strcasecmp(name, *known) == 0)
			return true;
	return false;
}

static bool origin_ok(struct bc_str origin, struct bc_str host)
{
	/* https: of whoever speaks it for us, with the same Host. */
	static const char *const schemes[] = { "http://", "https://" };
	bool own = !origin.ptr;
	for (size_t i = 0; i < BC_COUNT(schemes); i++) {
		size_t n = strlen(schemes[i]);
		own = own ||
		      (origin.len == n + host.len && strncasecmp(origin.ptr, schemes[i], n) == 0 &&
		       strncasecmp(origin.ptr + n, host.ptr, host.len) == 0);
	}
	return own;
}

/* What a browser says of itself: a page of another site may link to the console, and no more. (An
 * image or a script of it has no Origin.) */
static bool site_ok(const struct bc_http_request *req)
{
	struct bc_str site = bc_http_header(req, "sec-fetch-site");
	if (!site.ptr || bc_str_eq(site, "same-origin") || bc_str_eq(site, "none"))
		return true;
	return bc_str_eq(bc_http_header(req, "sec-fetch-mode"), "navigate") &&
	       bc_str_eq(bc_http_header(req, "sec-fetch-dest"), "document") &&
	       strcmp(req->method, "GET") == 0;
}

static bool is_json(struct bc_str content_type)
{
	struct bc_str rest = content_type;
	return bc_str_ieq(bc_str_trim(bc_str_split(&rest, ';')), "application/json");
}

static bool authorized(const struct bc_listener *l, const struct bc_http_request *req)
{
	struct bc_str value = bc_http_header(req, "authorization");
	struct bc_str scheme = bc_str_split(&value, ' ');
	if (!l->api_token || bc_api_is_open(req->path))
		return true;
	value = bc_str_trim(value);
	return value.ptr && bc_str_ieq(scheme, "bearer") &&
	       bc_secret_equals(l->api_token, value.ptr, value.len);
}

/* Answers the request itself and returns false when it may not reach the API. */
static bool admit(const struct bc_listener *l, struct bc_http_request *req)
{
	struct bc_str host = bc_http_header(req, "host");
	if (!host_known(l, host))
		refuse(req, BC_PROBLEM_FORBIDDEN, "the Host header is not one of this listener's",
		       "use the address it listens on, or add the name to http.hosts");
	else if (!origin_ok(bc_http_header(req, "origin"), host) || !site_ok(req))
		refuse(req, BC_PROBLEM_FORBIDDEN,
		       "web pages of another origin may not use this API",
		       "call it from the shop's server, without an Origin header");
	else if (!authorized(l, req))
		refuse(req, BC_PROBLEM_UNAUTHORIZED, "the API token is missing or wrong",
		       "send Authorization: Bearer <BACKCHANNEL_API_TOKEN>");
	else if (req->body.len && !is_json(bc_http_header(req, "content-type")))
		refuse(req, BC_PROBLEM_FORBIDDEN, "the body's Content-Type is not application/json",
		       "send Content-Type: application/json");
	else
		return true;
	return false;
}

/* Its bodies stream, of whatever type and length. */
static bool is_gateways(void *ctx, const struct bc_http_request *req)
{
	const struct bc_listener *l = ctx;
	return l->gateway && bc_str_starts(req->path, "/accs/");
}

static void handle(void *ctx, struct bc_http_request *req)
{
	struct bc_listener *l = ctx;
	if (!admit(l, req))
		return;
	if (is_gateways(l, req)) {
		bc_gateway_handle(l->gateway, req);
		return;
	}
	struct exchange *x = bc_arena_alloc(req->arena, sizeof(*x));
	if (!x) {
		refuse(req, BC_PROBLEM_BUSY, "no memory for the request", "try again");
		return;
	}
	*x = (struct exchange){ .http = req,
				.api = { .method = req->method,
					 .path = req->path,
					 .query = req->query,
					 .body = req->body,
					 .arena = req->arena,
					 .answer = respond,
					 .header = header,
					 .stream = &stream } };
	bc_api_handle(l->api, &x->api);
}

/* --- errors that the server answers itself -------------------------------------------------- */

static const struct {
	int status;
	enum bc_problem problem;
	const char *hint;
} server_errors[] = {
	{ 400, BC_PROBLEM_BAD_REQUEST, "send one well-formed HTTP/1.1 request" },
	{ 408, BC_PROBLEM_BAD_REQUEST, "send the request faster" },
	{ 413, BC_PROBLEM_TOO_LARGE, "send less, or raise http.body" },
	{ 417, BC_PROBLEM_BAD_REQUEST, "leave the Expect header out" },
	{ 431, BC_PROBLEM_TOO_LARGE, "send fewer or shorter headers" },
	{ 501, BC_PROBLEM_BAD_REQUEST, "use a plain method and no transfer coding but chunked" },
	{ 503, BC_PROBLEM_BUSY, "close idle connections, or raise http.connections" },
};

static void describe_error(void *ctx, int status, const char *why, struct bc_str *ret_body,
			   const char **ret_content_type)
{
	struct bc_listener *l = ctx;
	enum bc_problem problem = BC_PROBLEM_BAD_REQUEST;
	const char *hint = "";
	for (size_t i = 0; i < BC_COUNT(server_errors); i++) {
		if (server_errors[i].status != status)
			continue;
		problem = server_errors[i].problem;
		hint = server_errors[i].hint;
	}
	bc_arena_reset(l->error_arena);
	*ret_body = bc_problem_body(l->error_arena, problem, status, why, hint);
	*ret_content_type = bc_problem_content_type;
}

/* --- life ----------------------------------------------------------------------------------- */

static void read_own_host(struct bc_listener *l, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct bc_str host = { listen, colon ? (size_t)(colon - listen) : strlen(listen) };
	if (host.len >= 2 && host.ptr[0] == '[')
		host = (struct bc_str){ host.ptr + 1, host.len - 2 };
	l->is_unix = strncmp(listen, "unix:", 5) == 0;
	if (bc_str_copy(l->own_host, sizeof(l->own_host), host))
		l->own_host[0] = '\0';
	l->any_address = !strcmp(l->own_host, "0.0.0.0") || !strcmp(l->own_host, "::") ||
			 !strcmp(l->own_host, "*") || !l->own_host[0];
}

int bc_listener_create(struct bc_loop *loop, struct bc_api *api,
		       const struct bc_listener_options *options, struct bc_listener **ret_listener,
		       struct bc_err *err)
{
	struct bc_listener *l = calloc(1, sizeof(*l));
	struct bc_arena *arena = bc_arena_create(1024, 16 * 1024);
	if (!l || !arena) {
		bc_arena_destroy(arena);
		free(l);
		return bc_err_nomem(err);
	}
	*l = (struct bc_listener){ .api = api,
				   .hosts = options->hosts,
				   .api_token = options->api_token,
				   .gateway = options->gateway,
				   .error_arena = arena };
	read_own_host(l, options->listen);
	struct bc_http_server_options server = {
		.listen = options->listen,
		.fd = options->fd,
		.head_max_bytes = 16 * 1024,
		.body_max_bytes = (uint32_t)options->body_max_bytes,
		.connections_max = (uint32_t)options->connections_max,
		.head_timeout_ms = (uint32_t)options->head_timeout_ms,
		.handler = handle,
		.streams = is_gateways,
		.describe_error = describe_error,
		.ctx = l,
	};
	int result = bc_http_server_create(loop, &server, &l->server, err);
	if (result) {
		bc_listener_destroy(l);
		return result;
	}
	snprintf(l->address, sizeof(l->address), "%s", bc_http_server_address(l->server));
	*ret_listener = l;
	return 0;
}

static bool same_token(const struct bc_secret *a, const struct bc_secret *b)
{
	return a && b ? bc_secret_equals(a, bc_secret_reveal(b), bc_secret_len(b)) : a == b;
}

void bc_listener_reconfigure(struct bc_listener *l, const struct bc_listener_options *options)
{
	if (!same_token(l->api_token, options->api_token))
		bc_api_end_streams(l->api);
	l->hosts = options->hosts;
	l->api_token = options->api_token;
}

const char *bc_listener_address(const struct bc_listener *l)
{
	return l->address;
}

size_t bc_listener_connections(const struct bc_listener *l)
{
	return l->server ? bc_http_server_connections(l->server) : 0;
}

static void server_closed(void *ctx)
{
	struct bc_listener *l = ctx;
	l->server = NULL;
	l->closed(l->closed_ctx);
}

void bc_listener_close(struct bc_listener *l, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
	l->closed = done;
	l->closed_ctx = ctx;
	bc_http_server_close(l->server, grace_ms, server_closed, l);
}

void bc_listener_destroy(struct bc_listener *l)
{
	if (!l)
		return;
	bc_arena_destroy(l->error_arena);
	free(l);
}
