/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's life, and a request's way through it: it is matched (routes.c), recorded, shown to
 * the faults, and handed on to answer.c; requests below /_sandbox are for the sandbox itself and
 * are neither recorded nor spoilt. A call is under way, and in s->calls, until its answer is out.
 */
#include "sandbox/sandbox.h"

#include <string.h>

#include "base/err.h"
#include "sandbox/events.h"
#include "sandbox/service.h"

#define CONTROL "/_sandbox"

enum { RAW_MAX_BYTES = 64 * 1024 * 1024 };

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
	bc_buf_init(&call->raw, RAW_MAX_BYTES);
	bc_sandbox_route(call);
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

static bool on_head(void *ctx, const struct bc_http_request *req)
{
	(void)ctx;
	return bc_sandbox_streams(req);
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
	bc_events_destroy(s->events);
	bc_faults_destroy(s->faults);
	bc_requests_destroy(s->requests);
	bc_tally_destroy(s->tally);
	bc_sovendus_destroy(s->sovendus);
	bc_ims_destroy(s->ims);
	bc_commerce_destroy(s->commerce);
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
		.streams = on_head,
		.accept = on_accept,
		.ctx = s,
	};

	return bc_http_server_create(s->loop, &options, &s->server, err);
}

static bool services_create(struct bc_sandbox *s, const struct bc_sandbox_options *options)
{
	s->requests = bc_requests_create();
	s->tally = bc_tally_create();
	s->sovendus = bc_sovendus_create(options->product_id, options->api_key);
	s->ims = bc_ims_create(options);
	s->commerce = bc_commerce_create();
	if (s->ims)
		s->events = bc_events_create(s);
	return s->requests && s->tally && s->sovendus && s->ims && s->commerce && s->events;
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
	rc = services_create(s, options) ? 0 : bc_err_nomem(err);
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
