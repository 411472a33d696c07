/* SPDX-License-Identifier: MIT */
/*
 * Sends answers: whole, or as a fault wants them. One row a fault says whether the ordinary work is
 * done first (the partner takes the conversion), how its answer is bent, and how it goes out. A
 * call ends exactly once, in call_end: what became of it is recorded, then the connection gets what
 * is meant for it.
 */
#include <string.h>
#include <time.h>

#include "sandbox/service.h"

enum { LEFT_POLL_MS = 100 };

/* Takes the call off the books; after it, only the request is left to be answered. */
static void call_end(struct sandbox_call *call, int status, bool client_left)
{
	struct bc_sandbox *s = call->sandbox;
	struct bc_request_result result = {
		.status = status,
		.fault = call->fault.name ? call->fault.name
			 : call->delay_ms ? "delay"
					  : NULL,
		.accepted = call->accepted,
		.client_left = client_left,
		.elapsed_ms = bc_elapsed_ms(s->clock),
	};

	bc_requests_answered(s->requests, call->number, &result);
	bc_tally_add(s->tally, call->route ? call->route->method : NULL,
		     call->route ? call->route->pattern : NULL, status,
		     status ? NULL : result.fault);
	bc_timer_destroy(call->timer);
	call->timer = NULL;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
}

static void answer_free(struct sandbox_call *call)
{
	free(call->answer.owned);
	call->answer.owned = NULL;
	bc_buf_finish(&call->raw);
}

/* Ends a call whose answer, if any, has been sent raw. */
static void call_close(struct sandbox_call *call, bool reset)
{
	struct bc_http_request *req = call->req;

	call_end(call, 0, bc_http_peer_gone(req));
	answer_free(call);
	bc_http_close_raw(req, reset);
}

void bc_sandbox_cancel(struct sandbox_call *call)
{
	if (call->cancel)
		call->cancel(call);
	else
		call_close(call, true);
}

void bc_sandbox_leave(struct sandbox_call *call, int status, bool whole)
{
	call_end(call, whole ? status : 0, bc_http_peer_gone(call->req));
	answer_free(call);
}

static void on_timer(void *ctx)
{
	struct sandbox_call *call = ctx;

	call->on_timer(call);
}

void bc_sandbox_later(struct sandbox_call *call, uint64_t delay_ms,
		      void (*step)(struct sandbox_call *))
{
	if (!call->timer)
		call->timer = bc_timer_create(call->sandbox->loop, on_timer, call);
	if (!call->timer) {
		bc_sandbox_cancel(call);
		return;
	}
	call->on_timer = step;
	bc_timer_start(call->timer, delay_ms);
}

void bc_sandbox_send_plain(struct sandbox_call *call)
{
	struct sandbox_answer answer = call->answer;

	bc_http_respond(call->req, answer.status, answer.content_type, answer.extra,
			answer.body.ptr, answer.body.len);
	free(answer.owned);
}

static void send_whole(struct sandbox_call *call)
{
	call_end(call, call->answer.status, bc_http_peer_gone(call->req));
	bc_sandbox_send_plain(call);
}

void bc_sandbox_finish(struct sandbox_call *call)
{
	send_whole(call);
}

/* The answer's bytes into call->raw; 0 or an error. Sets where the body begins. */
static int raw_build(struct sandbox_call *call, size_t *ret_head_bytes)
{
	const struct sandbox_answer *a = &call->answer;
	int rc =
		bc_buf_addf(&call->raw, "HTTP/1.1 %d %s\r\n", a->status, bc_http_reason(a->status));

	if (rc == 0 && a->content_type)
		rc = bc_buf_addf(&call->raw, "Content-Type: %s\r\n", a->content_type);
	if (rc == 0)
		rc = bc_buf_addf(&call->raw, "%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
				 a->extra ? a->extra : "", a->body.len);
	*ret_head_bytes = call->raw.len;
	if (rc == 0)
		rc = bc_buf_add(&call->raw, a->body.ptr, a->body.len);
	return rc;
}

static void send_half_head(struct sandbox_call *call)
{
	size_t head;

	if (raw_build(call, &head) == 0)
		bc_http_send_raw(call->req, call->raw.data, head / 2);
	call_close(call, false);
}

static void send_half_body(struct sandbox_call *call)
{
	size_t head;

	if (raw_build(call, &head) == 0)
		bc_http_send_raw(call->req, call->raw.data, head + (call->raw.len - head) / 2);
	call_close(call, false);
}

static void trickle_step(struct sandbox_call *call)
{
	size_t n = call->raw.len;

	if (n == 0 || bc_http_peer_gone(call->req)) {
		call_close(call, false);
		return;
	}
	if (n > call->fault.chunk_bytes)
		n = (size_t)call->fault.chunk_bytes;
	bc_http_send_raw(call->req, call->raw.data, n);
	bc_buf_drop(&call->raw, n);
	bc_sandbox_later(call, call->raw.len ? call->fault.chunk_ms : 0, trickle_step);
}

static void send_trickle(struct sandbox_call *call)
{
	size_t head;

	if (raw_build(call, &head) < 0)
		call_close(call, true);
	else
		trickle_step(call);
}

static void send_garbage(struct sandbox_call *call)
{
	static const char bytes[] =
		"\x16\x03\x01\x02\x00\x01\xfc\x03\x03 not HTTP at all\r\n\r\n\xff\x00\xfe";

	bc_http_send_raw(call->req, bytes, sizeof(bytes));
	call_close(call, false);
}

/* Waits until the client leaves; a raw answer of no bytes makes the server watch for that. */
static void hang_step(struct sandbox_call *call)
{
	bc_http_send_raw(call->req, "", 0);
	if (bc_http_peer_gone(call->req))
		call_close(call, false);
	else
		bc_sandbox_later(call, LEFT_POLL_MS, hang_step);
}

static void send_close(struct sandbox_call *call)
{
	call_close(call, false);
}

static void send_reset(struct sandbox_call *call)
{
	call_close(call, true);
}

/* An HTTP date; by hand, since strftime writes days and months by the locale. */
static const char *http_date(struct bc_arena *arena, uint64_t wall_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return bc_arena_printf(arena, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
			       days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
			       tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static const char *retry_after(struct sandbox_call *call)
{
	struct bc_str text = bc_str_of(call->fault.retry_after);
	uint64_t ahead_ms;

	if (!bc_str_starts(text, "date:") ||
	    bc_parse_duration_ms((struct bc_str){ text.ptr + 5, text.len - 5 }, &ahead_ms) < 0)
		return text.ptr;
	return http_date(call->req->arena, bc_wall_ms(call->sandbox->clock) + ahead_ms);
}

/* The header lines that a fault adds. */
static const char *fault_lines(struct sandbox_call *call, const char *location)
{
	const struct bc_fault_action *f = &call->fault;
	const char *after = f->retry_after ? retry_after(call) : NULL;
	const char *lines = bc_arena_printf(call->req->arena, "%s%s%s%s%s%s%s%s",
					    location ? "Location: " : "", location ? location : "",
					    location ? "\r\n" : "", after ? "Retry-After: " : "",
					    after ? after : "", after ? "\r\n" : "",
					    f->header ? f->header : "", f->header ? "\r\n" : "");

	return lines && *lines ? lines : NULL;
}

static void bend_status(struct sandbox_call *call)
{
	const struct bc_fault_action *f = &call->fault;
	const char *lines = fault_lines(call, NULL), *own;

	call->service->describe(call, f->status, f->message);
	own = call->answer.extra;
	if (f->body)
		bc_sandbox_answer(call, f->status, f->type ? f->type : "application/json",
				  bc_str_of(f->body));
	else if (f->type)
		call->answer.content_type = f->type;
	call->answer.extra = own && lines ? bc_arena_printf(call->req->arena, "%s%s", own, lines)
			     : lines	  ? lines
					  : own;
}

static void bend_redirect(struct sandbox_call *call)
{
	const struct bc_fault_action *f = &call->fault;

	bc_sandbox_answer(call, f->status, f->body && !f->type ? "text/plain" : f->type,
			  bc_str_of(f->body ? f->body : ""));
	call->answer.extra = fault_lines(call, f->to ? f->to : "/redirected");
}

static void bend_echo(struct sandbox_call *call)
{
	const char *echo = call->service->other_echo;

	if (echo && call->answer.status == 200)
		bc_sandbox_answer(call, 200, "application/json", bc_str_of(echo));
}

static void bend_empty(struct sandbox_call *call)
{
	bc_sandbox_answer(call, call->answer.status, NULL, BC_STR(""));
}

static void bend_html(struct sandbox_call *call)
{
	bc_sandbox_answer(call, call->answer.status, "text/html; charset=utf-8",
			  BC_STR("<!doctype html><title>Maintenance</title><h1>We will be back "
				 "soon</h1>\n"));
}

static const struct {
	bool ordinary; /* the ordinary work is done first */
	void (*bend)(struct sandbox_call *call);
	void (*send)(struct sandbox_call *call);
} performers[] = {
	[BC_FAULT_NONE] = { true, NULL, send_whole },
	[BC_FAULT_DELAY] = { true, NULL, send_whole },
	[BC_FAULT_STATUS] = { false, bend_status, send_whole },
	[BC_FAULT_REDIRECT] = { false, bend_redirect, send_whole },
	[BC_FAULT_WRONG_ECHO] = { true, bend_echo, send_whole },
	[BC_FAULT_EMPTY_BODY] = { true, bend_empty, send_whole },
	[BC_FAULT_HTML] = { true, bend_html, send_whole },
	[BC_FAULT_HALF_HEAD] = { true, NULL, send_half_head },
	[BC_FAULT_HALF_BODY] = { true, NULL, send_half_body },
	[BC_FAULT_TRICKLE] = { true, NULL, send_trickle },
	[BC_FAULT_GARBAGE] = { false, NULL, send_garbage },
	[BC_FAULT_HANG] = { false, NULL, hang_step },
	[BC_FAULT_CLOSE] = { false, NULL, send_close },
	[BC_FAULT_RESET_BEFORE] = { false, NULL, send_reset },
	[BC_FAULT_RESET_AFTER] = { false, NULL, send_reset },
	[BC_FAULT_ACCEPT_RESET] = { true, NULL, send_reset },
};
_Static_assert(BC_COUNT(performers) == BC_FAULT_KINDS, "every fault has its row");

static void do_ordinary(struct sandbox_call *call)
{
	const struct sandbox_service *service = call->service;

	if (service->guard && !service->guard(call))
		return;
	if (call->route)
		call->route->handle(call);
	else
		service->refuse(call);
}

void bc_sandbox_perform(struct sandbox_call *call)
{
	enum bc_fault_kind kind = call->fault.kind;

	if (performers[kind].ordinary || call->fault.taken)
		do_ordinary(call);
	if (call->handed_over)
		return;
	if (performers[kind].bend)
		performers[kind].bend(call);
	performers[kind].send(call);
}
