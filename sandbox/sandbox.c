/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's life and its one table of routes. A request is matched, recorded, shown to the
 * faults, and handed on to answer.c; requests below /_sandbox are for the sandbox itself and are
 * neither recorded nor spoilt. A call is under way, and in s->calls, until its answer is out.
 */
#include "sandbox/sandbox.h"

#include <string.h>

#include "base/err.h"
#include "sandbox/service.h"

#define CONTROL "/_sandbox"

/* clang-format off */
static const struct sandbox_route routes[] = {
	{ .method = "POST", .pattern = "/ext/{product}/{token}/api", .handle = bc_sovendus_hand_back,
	  .arrived = bc_sovendus_arrived, .read_key = bc_sovendus_read_key,
	  .help = "Sovendus: hand a token back, body {\"apiKey\":\"...\"}" },

	{ "GET", CONTROL, bc_control_help, .help = "this text" },
	{ "DELETE", CONTROL, bc_control_reset, .help = "everything as at the start, without faults" },
	{ "GET", CONTROL "/health", bc_control_health, .help = "alive, and how much it was asked" },
	{ "GET", CONTROL "/requests", bc_control_requests, .help = "what was asked; ?path=PREFIX, ?since=N" },
	{ "DELETE", CONTROL "/requests", bc_control_requests_clear, .help = "forget it" },
	{ "GET", CONTROL "/counts", bc_sovendus_counts, .help = "by token: posted, taken, taken again; ?token=T" },
	{ "DELETE", CONTROL "/counts", bc_sovendus_counts_clear, .help = "count from nothing" },
	{ "GET", CONTROL "/faults", bc_control_faults, .help = "the rules, and how often each struck" },
	{ "POST", CONTROL "/faults", bc_control_faults_set, .help = "these rules instead: text, or {\"faults\":\"...\"}" },
	{ "DELETE", CONTROL "/faults", bc_control_faults_clear, .help = "no faults" },
	{ "GET", CONTROL "/tokens", bc_sovendus_tokens, .help = "which tokens are known" },
	{ "POST", CONTROL "/tokens", bc_sovendus_tokens_set, .help = "{\"unknown\":[GLOB...],\"known\":[GLOB...]}" },
	{ "DELETE", CONTROL "/tokens", bc_sovendus_tokens_clear, .help = "all but unknown*" },
	{ "GET", CONTROL "/products", bc_sovendus_products, .help = "product ids, and whether a key is asked for" },
	{ "POST", CONTROL "/products", bc_sovendus_products_set, .help = "these instead: {\"products\":[{\"id\":\"...\",\"key\":\"...\"}]}" },
	{ "DELETE", CONTROL "/products", bc_sovendus_products_clear, .help = "those of the start" },
};
/* clang-format on */

/* Decodes a segment only when there is something to decode. False without memory. */
static bool segment_decode(struct bc_arena *arena, struct bc_str segment, struct bc_str *ret_value)
{
	struct bc_buf out;
	char *copy = NULL;

	*ret_value = segment;
	if (segment.len == 0 || !memchr(segment.ptr, '%', segment.len))
		return true;
	bc_buf_init(&out, segment.len);
	if (bc_percent_decode(&out, segment, false) == 0)
		copy = bc_arena_dup(arena, out.data, out.len);
	*ret_value = (struct bc_str){ copy, out.len };
	bc_buf_finish(&out);
	return copy != NULL;
}

/* Does the path fit? Fills the call's parts as far as it does. */
static bool pattern_fits(const char *pattern, struct sandbox_call *call)
{
	struct bc_str want = bc_str_of(pattern), path = call->req->path;

	call->part_count = 0;
	while (want.ptr && path.ptr) {
		struct bc_str name = bc_str_split(&want, '/');
		struct bc_str segment = bc_str_split(&path, '/');

		if (name.len < 2 || name.ptr[0] != '{') {
			if (name.len != segment.len || memcmp(name.ptr, segment.ptr, name.len) != 0)
				return false;
			continue;
		}
		if (segment.len == 0 || call->part_count == SANDBOX_PARTS_MAX)
			return false;
		call->parts[call->part_count].name = (struct bc_str){ name.ptr + 1, name.len - 2 };
		if (!segment_decode(call->req->arena, segment,
				    &call->parts[call->part_count++].value))
			return false;
	}
	return !want.ptr && !path.ptr;
}

static void route_find(struct sandbox_call *call)
{
	for (size_t i = 0; i < BC_COUNT(routes); i++) {
		bool same = strcmp(routes[i].method, call->req->method) == 0;

		if ((!same && call->known_path) || !pattern_fits(routes[i].pattern, call))
			continue;
		call->known_path = true;
		if (same) {
			call->route = &routes[i];
			return;
		}
	}
	if (!call->known_path)
		call->part_count = 0;
}

struct bc_str bc_sandbox_part(const struct sandbox_call *call, const char *name)
{
	for (size_t i = 0; i < call->part_count; i++)
		if (bc_str_eq(call->parts[i].name, name))
			return call->parts[i].value;
	return (struct bc_str){ 0 };
}

bool bc_sandbox_query(const struct sandbox_call *call, const char *name, struct bc_str *ret_value)
{
	struct bc_str query = call->req->query;

	while (query.ptr) {
		struct bc_str value = bc_str_split(&query, '&');

		if (bc_str_eq(bc_str_split(&value, '='), name))
			return value.ptr && segment_decode(call->req->arena, value, ret_value);
	}
	return false;
}

void bc_sandbox_answer(struct sandbox_call *call, int status, const char *content_type,
		       struct bc_str body)
{
	free(call->answer.owned);
	call->answer = (struct sandbox_answer){ .status = status,
						.content_type = content_type,
						.body = body };
}

void bc_sandbox_answer_json(struct sandbox_call *call, int status, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (!text) {
		bc_sandbox_answer(call, 500, "application/json",
				  BC_STR("{\"message\":\"no memory\"}"));
		return;
	}
	bc_sandbox_answer(call, status, "application/json", bc_str_of(text));
	call->answer.owned = text;
}

void bc_sandbox_answer_message(struct sandbox_call *call, int status, const char *text,
			       const char *hint)
{
	bc_sandbox_answer_json(call, status,
			       hint && *hint ? json_pack("{ssss}", "message", text, "hint", hint)
					     : json_pack("{ss}", "message", text));
}

json_t *bc_sandbox_read_object(struct sandbox_call *call)
{
	struct bc_str body = call->req->body;
	json_error_t error;
	json_t *object = json_loadb(body.ptr ? body.ptr : "", body.len, 0, &error);

	if (json_is_object(object))
		return object;
	json_decref(object);
	bc_sandbox_answer_message(call, 400, "the body is no JSON object",
				  object ? "" : error.text);
	return NULL;
}

static bool is_control(struct bc_str path)
{
	return bc_str_starts(path, CONTROL) &&
	       (path.len == sizeof(CONTROL) - 1 || path.ptr[sizeof(CONTROL) - 1] == '/');
}

static void control_refuse(struct sandbox_call *call)
{
	if (call->known_path)
		bc_sandbox_answer_message(call, 405, "this path takes other methods",
					  "GET " CONTROL " lists them");
	else
		bc_sandbox_answer_message(call, 404, "the sandbox has no such path",
					  "GET " CONTROL " lists them");
}

static void control_serve(struct sandbox_call *call)
{
	if (call->route)
		call->route->handle(call);
	else
		control_refuse(call);
	bc_sandbox_send_plain(call);
}

/* The key's fingerprint into text, "" when the request carries none. */
static void key_fingerprint(struct sandbox_call *call, char *text)
{
	struct bc_str key;
	struct bc_secret *secret;

	*text = '\0';
	if (!call->route || !call->route->read_key || !call->route->read_key(call, &key))
		return;
	secret = bc_secret_create(key.ptr, key.len);
	if (secret)
		bc_secret_fingerprint(secret, text);
	bc_secret_unref(secret);
}

/* Texts of a fault outlive its rules, which may be replaced while the call is delayed. */
static const char *keep_text(struct sandbox_call *call, const char *text)
{
	return text ? bc_arena_dup(call->req->arena, text, strlen(text)) : NULL;
}

static void faults_ask(struct sandbox_call *call)
{
	struct bc_sandbox *s = call->sandbox;
	char fingerprint[BC_FINGERPRINT_BYTES] = "";
	struct bc_fault_request asked = {
		.method = call->req->method,
		.path = call->req->path,
		.token = bc_sandbox_part(call, "token"),
		.product = bc_sandbox_part(call, "product"),
		.key_fingerprint = fingerprint,
	};
	struct bc_fault_plan plan;

	if (bc_faults_need_key(s->faults))
		key_fingerprint(call, fingerprint);
	bc_faults_decide(s->faults, &asked, bc_elapsed_ms(s->clock), &plan);
	call->delay_ms = plan.delay_ms;
	call->fault = plan.action;
	call->fault.message = keep_text(call, plan.action.message);
	call->fault.body = keep_text(call, plan.action.body);
	call->fault.type = keep_text(call, plan.action.type);
	call->fault.header = keep_text(call, plan.action.header);
	call->fault.retry_after = keep_text(call, plan.action.retry_after);
	call->fault.to = keep_text(call, plan.action.to);
}

static void call_begin(struct sandbox_call *call)
{
	struct bc_sandbox *s = call->sandbox;

	call->next = s->calls;
	call->link = &s->calls;
	if (call->next)
		call->next->link = &call->next;
	s->calls = call;
	call->number = bc_requests_add(s->requests, call->req, bc_wall_ms(s->clock),
				       bc_elapsed_ms(s->clock));
	if (call->route && call->route->arrived)
		call->route->arrived(call);
}

static void on_request(void *ctx, struct bc_http_request *req)
{
	struct sandbox_call *call = bc_arena_alloc(req->arena, sizeof(*call));

	if (!call) {
		bc_http_respond(req, 503, NULL, NULL, NULL, 0);
		return;
	}
	call->sandbox = ctx;
	call->req = req;
	bc_buf_init(&call->raw, 4 * SANDBOX_BODY_MAX);
	route_find(call);
	if (is_control(req->path)) {
		control_serve(call);
		return;
	}
	call_begin(call);
	faults_ask(call);
	if (call->delay_ms)
		bc_sandbox_later(call, call->delay_ms, bc_sandbox_perform);
	else
		bc_sandbox_perform(call);
}

static bool on_accept(void *ctx)
{
	struct bc_sandbox *s = ctx;

	return !bc_faults_reset_connection(s->faults, bc_elapsed_ms(s->clock));
}

static void sandbox_free(struct bc_sandbox *s)
{
	if (!s)
		return;
	bc_faults_destroy(s->faults);
	bc_requests_destroy(s->requests);
	bc_sovendus_destroy(s->sovendus);
	free(s);
}

static int listen_on(struct bc_sandbox *s, const char *address, struct bc_err *err)
{
	struct bc_http_server_options options = {
		.listen = address,
		.head_max_bytes = 16 * 1024,
		.body_max_bytes = SANDBOX_BODY_MAX,
		.connections_max = 4096,
		.head_timeout_ms = 10 * 1000,
		.handler = on_request,
		.accept = on_accept,
		.ctx = s,
	};

	return bc_http_server_create(s->loop, &options, &s->server, err);
}

int bc_sandbox_create(struct bc_loop *loop, const struct bc_sandbox_options *options,
		      struct bc_sandbox **ret_sandbox, struct bc_err *err)
{
	struct bc_sandbox *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return bc_err_nomem(err);
	s->loop = loop;
	s->clock = &bc_clock_system;
	s->requests = bc_requests_create();
	s->sovendus = bc_sovendus_create(options->product_id, options->api_key);
	rc = s->requests && s->sovendus ? 0 : bc_err_nomem(err);
	if (rc == 0)
		rc = bc_faults_create(bc_str_of(options->faults), bc_elapsed_ms(s->clock),
				      &s->faults, err);
	if (rc == 0)
		rc = listen_on(s, options->listen, err);
	if (rc < 0) {
		sandbox_free(s);
		return rc;
	}
	*ret_sandbox = s;
	return 0;
}

const char *bc_sandbox_address(const struct bc_sandbox *s)
{
	return bc_http_server_address(s->server);
}

static void on_closed(void *ctx)
{
	struct bc_sandbox *s = ctx;
	void (*closed)(void *) = s->closed;
	void *closed_ctx = s->closed_ctx;

	sandbox_free(s);
	if (closed)
		closed(closed_ctx);
}

void bc_sandbox_close(struct bc_sandbox *s, void (*done)(void *ctx), void *ctx)
{
	s->closed = done;
	s->closed_ctx = ctx;
	while (s->calls)
		bc_sandbox_cancel(s->calls);
	bc_http_server_close(s->server, 100, on_closed, s);
}

static int help_routes(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, "Routes\n");

	for (size_t i = 0; rc == 0 && i < BC_COUNT(routes); i++)
		rc = bc_buf_addf(out, "  %-6s %-27s %s\n", routes[i].method, routes[i].pattern,
				 routes[i].help);
	return rc;
}

int bc_sandbox_help(struct bc_buf *out)
{
	static const char *const titles[] = {
		[BC_FAULT_WHAT] = "\nFaults: rules of [METHOD] [PATH-GLOB] FAULT [WORD...]\n",
		[BC_FAULT_SHAPE] = "\nWords that shape a fault\n",
		[BC_FAULT_SELECTOR] = "\nWords that choose requests\n",
	};
	const struct bc_fault_word *w;
	int role = -1, rc = help_routes(out);

	for (size_t i = 0; rc == 0 && (w = bc_fault_word_at(i)); i++) {
		if ((int)w->role != role)
			rc = bc_buf_adds(out, titles[w->role]);
		role = (int)w->role;
		if (rc == 0)
			rc = bc_buf_addf(out, "  %s%-*s %s\n", w->name, 24 - (int)strlen(w->name),
					 w->arg, w->help);
	}
	return rc;
}
