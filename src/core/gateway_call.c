/* SPDX-License-Identifier: MIT */
/*
 * One call through the gateway. Its ways from state to state:
 *
 * - HOLD: its body is whole, or too large to be held: proceed.
 * - proceed: asleep: DOOR; no token: TOKEN; no place: LINE; else ASK.
 * - DOOR: woken: proceed; the deadline: 429.
 * - TOKEN: there is one: proceed; the reason why not: 503.
 * - LINE: its turn: proceed; the deadline: 503.
 * - ASK: a 401 or 429 of a held one: TOKEN or DOOR; nothing left us: PAUSE; the head of an answer:
 *   ANSWER; none came: 503 or 504.
 * - PAUSE: the time is over: proceed.
 * - ANSWER: the answer's end, or its break.
 *
 * From each of them the client may leave. What is begun inside the exchange (the answer's head and
 * data) only notes what is to follow; it follows when the request is over (asked).
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/gateway_impl.h"

enum {
	SLOW_MS = 5000,
	PAUSE_MS = 100,
	CLIENT_LEFT = 499, /* in counts and in the log: it was not told */
	ANSWER_KEPT_BYTES = 4096
};

static uint64_t now_ms(const struct gateway_call *call)
{
	return bc_elapsed_ms(call->gateway->options.clock);
}

/* --- its end --------------------------------------------------------------------------------- */

static void drop_token(struct gateway_call *call)
{
	bc_access_token_unref(call->token);
	call->token = NULL;
}

static void call_free(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	drop_token(call);
	bc_timer_destroy(call->timer);
	bc_buf_finish(&call->body);
	free(call->target.url);
	setup_unref(call->setup);
	free(call);
	gateway_check_stopped(g);
}

static void tell(const struct gateway_call *call, uint64_t duration_ms)
{
	bc_log_at(duration_ms >= SLOW_MS ? BC_LOG_WARNING : BC_LOG_INFO, "gateway.call",
		  BC_LS("id", call->id), BC_LS("method", call->method), BC_LS("path", call->shape),
		  BC_LU("status", (uint64_t)call->status), BC_LU("attempts", call->attempt),
		  BC_LMS("duration", duration_ms));
}

/* It is answered. Only a wait for a token may be left of it. */
static void over(struct gateway_call *call, int status)
{
	uint64_t duration_ms = now_ms(call) - call->began_ms;
	gateway_line_leave(call);
	call->req = NULL;
	call->state = CALL_OVER;
	call->status = status;
	gateway_count(call->gateway, call, duration_ms);
	tell(call, duration_ms);
	if (!call->token_waits)
		call_free(call);
}

static void refuse_with(struct gateway_call *call, enum bc_gateway_refusal refusal,
			const char *detail, const char *hint, const char *extra)
{
	const struct bc_gateway_options *o = &call->gateway->options;
	bc_http_on_gone(call->req, NULL, NULL);
	o->refuse(o->ctx, call->req, refusal, detail, hint, extra);
	over(call, bc_gateway_status(refusal));
}

static void refuse(struct gateway_call *call, enum bc_gateway_refusal refusal, const char *detail,
		   const char *hint)
{
	refuse_with(call, refusal, detail, hint, NULL);
}

static void no_memory(struct gateway_call *call)
{
	refuse(call, BC_GATEWAY_BUSY, "no memory for the call", "try again");
}

/* --- waiting --------------------------------------------------------------------------------- */

static void token_came(struct bc_token_wait *wait)
{
	static const struct {
		int code;
		enum bc_gateway_refusal refusal;
	} refusals[] = {
		{ BC_EAUTH, BC_GATEWAY_CREDENTIAL_REFUSED },
		{ BC_EUNREACH, BC_GATEWAY_UNREACHABLE },
		{ BC_ETIMEDOUT, BC_GATEWAY_UNREACHABLE },
	};
	struct gateway_call *call = BC_CONTAINER(wait, struct gateway_call, token_wait);
	enum bc_gateway_refusal refusal = BC_GATEWAY_BUSY;
	call->token_waits = false;
	call->token = wait->token;
	if (call->state == CALL_OVER) {
		call_free(call);
		return;
	}
	if (!wait->result) {
		gateway_call_proceed(call);
		return;
	}
	for (size_t i = 0; i < BC_COUNT(refusals); i++)
		if (refusals[i].code == wait->result)
			refusal = refusals[i].refusal;
	refuse(call, refusal, wait->err.text[0] ? wait->err.text : "there is no access token",
	       wait->err.hint);
}

static void wait_for_token(struct gateway_call *call, uint64_t not_generation)
{
	call->state = CALL_TOKEN;
	call->token_waits = true;
	call->token_wait = (struct bc_token_wait){ .loop = call->gateway->loop,
						   .deadline_ms = call->wait_until_ms,
						   .not_generation = not_generation,
						   .done = token_came };
	bc_tokens_wait(call->gateway->options.tokens, &call->token_wait);
}

static void throttled(struct gateway_call *call)
{
	uint64_t left_ms = bc_upstream_asleep_ms(call->gateway->options.upstream);
	char extra[64];
	snprintf(extra, sizeof(extra), "Retry-After: %llu\r\n",
		 (unsigned long long)((left_ms + 999) / 1000 + (left_ms == 0)));
	refuse_with(call, BC_GATEWAY_THROTTLED, "Commerce asked to be called less often",
		    "wait as long as Retry-After says, or raise gateway.wait", extra);
}

static void door_opened(struct bc_upstream_wait *wait, bool open)
{
	struct gateway_call *call = BC_CONTAINER(wait, struct gateway_call, door_wait);
	if (open)
		gateway_call_proceed(call);
	else
		throttled(call);
}

void gateway_call_too_late(struct gateway_call *call)
{
	refuse_with(call, BC_GATEWAY_BUSY, "too many calls to Commerce are under way",
		    "call less at once, or raise gateway.wait", "Retry-After: 1\r\n");
}

static void pause_over(void *ctx)
{
	gateway_call_proceed(ctx);
}

static void pause_call(struct gateway_call *call)
{
	if (!call->timer)
		call->timer = bc_timer_create(call->gateway->loop, pause_over, call);
	if (!call->timer) {
		no_memory(call);
		return;
	}
	call->state = CALL_PAUSE;
	bc_timer_start(call->timer, PAUSE_MS);
}

/* --- the request's body ---------------------------------------------------------------------- */

/* There is more of the body, or no more of it to come. */
static void go_on_sending(struct gateway_call *call)
{
	if (call->http)
		bc_http_call_resume_read(call->http);
}

static bool take_body(void *ctx, struct bc_str bytes)
{
	struct gateway_call *call = ctx;
	size_t most =
		call->state == CALL_HOLD ? call->setup->config.hold_bytes : PIPE_MAX_BYTES - 1;
	if (bc_buf_add(&call->body, bytes.ptr, bytes.len)) {
		call->body_broken = true;
		go_on_sending(call);
		return false;
	}
	call->body_paused = call->body.len > most;
	if (call->state == CALL_HOLD && call->body_paused) {
		call->held = false;
		gateway_call_proceed(call);
		return false;
	}
	go_on_sending(call);
	return !call->body_paused;
}

static void body_ended(void *ctx, bool whole)
{
	struct gateway_call *call = ctx;
	call->body_whole = whole;
	call->body_broken = !whole;
	if (call->state != CALL_HOLD)
		go_on_sending(call);
	else if (whole)
		gateway_call_proceed(call);
	else
		refuse(call, BC_GATEWAY_BAD_REQUEST, "the request's body broke off",
		       "send it whole");
}

static void read_body(struct gateway_call *call)
{
	bc_http_body_read(call->req, &(struct bc_http_body){
					     .data = take_body, .end = body_ended, .ctx = call });
}

/* The exchange asks for more to send. */
static ssize_t give_body(void *ctx, void *buffer, size_t room)
{
	struct gateway_call *call = ctx;
	size_t n = call->body.len < room ? call->body.len : room;
	if (call->body_broken)
		return BC_HTTP_STREAM_ABORT;
	if (!n)
		return call->body_whole ? 0 : BC_HTTP_STREAM_WAIT;
	memcpy(buffer, call->body.data, n);
	bc_buf_drop(&call->body, n);
	if (call->body_paused && !call->body.len) {
		call->body_paused = false;
		bc_http_body_resume(call->req);
	}
	return (ssize_t)n;
}

/* --- the answer ------------------------------------------------------------------------------ */

static struct bc_commerce_verdict judge(struct gateway_call *call, int status, bool sent,
					const char *retry_after, const char *date)
{
	return bc_commerce_judge(&(struct bc_commerce_attempt){
		.method = call->method,
		.attempt = call->attempt,
		.held = call->held,
		.refreshed = call->refreshed,
		.young_token = call->token->issued_ms >= call->began_ms,
		.status = status,
		.request_sent = sent,
		.retry_after = retry_after,
		.date = date,
		.now_wall_ms = bc_wall_ms(call->gateway->options.clock) });
}

static void note_refusal(struct gateway_call *call, int status,
			 const struct bc_commerce_verdict *verdict)
{
	struct bc_upstream *u = call->gateway->options.upstream;
	if (status == 401)
		atomic_fetch_add_explicit(&u->refused_401, 1, memory_order_relaxed);
	if (status == 429)
		atomic_fetch_add_explicit(&u->refused_429, 1, memory_order_relaxed);
	if (verdict->sleeps)
		bc_upstream_sleep(u, verdict->wait_ms);
}

/* Is there another attempt instead of this answer? */
static bool is_repeated(struct gateway_call *call, const struct bc_commerce_verdict *verdict)
{
	const struct bc_gateway_options *o = &call->gateway->options;
	if (call->attempt >= ATTEMPTS_MAX || !call->held)
		return false;
	if (verdict->step == BC_COMMERCE_SLEEP)
		return now_ms(call) + bc_upstream_asleep_ms(o->upstream) < call->wait_until_ms;
	return verdict->step == BC_COMMERCE_REFRESH &&
	       bc_tokens_refused(o->tokens, call->token->generation);
}

/* A 429 without Retry-After gets ours, so that the caller knows what we know. */
static const char *answer_fields(struct gateway_call *call, const struct bc_http_answer_head *head,
				 const struct bc_commerce_verdict *verdict, bool told)
{
	const char *fields = gateway_fields_in(call, head);
	if (!fields || !verdict->sleeps || told)
		return fields;
	return bc_arena_printf(call->req->arena, "%sRetry-After: %llu\r\n", fields,
			       (unsigned long long)((verdict->wait_ms + 999) / 1000));
}

static void answer_head(void *ctx, const struct bc_http_answer_head *head)
{
	struct gateway_call *call = ctx;
	const char *retry_after = gateway_field_value(call, head, "retry-after");
	const char *date = gateway_field_value(call, head, "date");
	struct bc_commerce_verdict verdict = judge(call, head->status, true, retry_after, date);
	note_refusal(call, head->status, &verdict);
	if (is_repeated(call, &verdict)) {
		call->dropping = true;
		call->step = verdict.step;
		return;
	}
	const char *fields = answer_fields(call, head, &verdict, retry_after);
	if (!fields) {
		call->dropping = true;
		call->step = BC_COMMERCE_PASS;
		return;
	}
	call->state = CALL_ANSWER;
	call->status = head->status;
	bc_http_stream_begin(call->req, head->status, fields, head->body_bytes);
}

static void client_took_all(void *ctx)
{
	struct gateway_call *call = ctx;
	if (call->http)
		bc_http_call_resume(call->http);
}

static bool answer_data(void *ctx, struct bc_str bytes)
{
	struct gateway_call *call = ctx;
	if (call->dropping)
		return true;
	size_t waiting =
		bc_http_stream_write(call->req, bytes.ptr, bytes.len, client_took_all, call);
	return waiting <= BC_HTTP_STREAM_HIGH_BYTES;
}

/* No answer came, or none that can be read. */
static void lost(struct gateway_call *call, const struct bc_http_answer *answer)
{
	struct bc_commerce_verdict verdict = judge(call, 0, answer->request_sent, NULL, NULL);
	if (verdict.step == BC_COMMERCE_RETRY && !answer->request_sent && call->held &&
	    call->attempt == 1) {
		drop_token(call);
		pause_call(call);
		return;
	}
	bc_log_warning("gateway.failed", BC_LS("id", call->id), BC_LS("method", call->method),
		       BC_LS("path", call->shape), BC_LS("reason", answer->error_text),
		       BC_LMS("duration", answer->duration_ms));
	if (answer->error == BC_ETIMEDOUT)
		refuse(call, BC_GATEWAY_TIMED_OUT, answer->error_text,
		       answer->request_sent ? "it may have been done all the same: look before you "
					      "repeat it"
					    : "try again");
	else
		refuse(call, BC_GATEWAY_UNREACHABLE, answer->error_text,
		       answer->request_sent
			       ? "it may have been done all the same: look before you repeat it"
			       : "check API_ENDPOINT, DNS and TLS with `backchannel check`");
}

static void end_answer(struct gateway_call *call, const struct bc_http_answer *answer)
{
	struct bc_http_request *req = call->req;
	int status = call->status;
	bc_http_on_gone(req, NULL, NULL);
	if (answer->complete && !answer->error) {
		bc_http_stream_end(req);
	} else {
		bc_log_warning("gateway.failed", BC_LS("id", call->id),
			       BC_LS("method", call->method), BC_LS("path", call->shape),
			       BC_LS("reason", answer->error_text[0] ? answer->error_text
								     : "the answer broke off"),
			       BC_LMS("duration", answer->duration_ms));
		bc_http_stream_abort(req);
	}
	over(call, status);
}

static void repeat(struct gateway_call *call)
{
	uint64_t generation = call->token->generation;
	drop_token(call);
	call->dropping = false;
	if (call->step == BC_COMMERCE_PASS) {
		no_memory(call);
	} else if (call->step == BC_COMMERCE_REFRESH) {
		call->refreshed = true;
		wait_for_token(call, generation);
	} else {
		gateway_call_proceed(call);
	}
}

/* The request is over, in whatever way. */
static void asked(void *ctx, const struct bc_http_answer *answer)
{
	struct gateway_call *call = ctx;
	call->http = NULL;
	gateway_line_leave(call);
	gateway_fields_wipe(call->fields);
	if (call->state == CALL_ANSWER)
		end_answer(call, answer);
	else if (call->dropping)
		repeat(call);
	else
		lost(call, answer);
}

/* --- the request ----------------------------------------------------------------------------- */

static void ask(struct gateway_call *call)
{
	const struct bc_gateway_config *c = &call->setup->config;
	struct bc_err err = { 0 };
	bool streams = !call->held, first = call->attempt++ == 0;
	int64_t announced = bc_http_body_announced(call->req);
	call->state = CALL_ASK;
	call->fields = gateway_fields_out(call);
	if (!call->fields) {
		no_memory(call);
		return;
	}
	call->stream = (struct bc_http_stream){ .head = answer_head,
						.data = answer_data,
						.read = streams ? give_body : NULL,
						.body_bytes = announced,
						.raw_headers = true,
						.ctx = call };
	call->exchange = (struct bc_http_exchange){
		.method = call->method,
		.url = call->target.url,
		.headers = call->fields,
		.body = streams ? NULL : call->body.data,
		.body_bytes = streams ? 0 : call->body.len,
		.stream = &call->stream,
		.connect_timeout_ms = (uint32_t)c->connect_timeout_ms,
		.timeout_ms = (uint32_t)c->timeout_ms,
		.answer_max_bytes = ANSWER_KEPT_BYTES,
	};
	int result = bc_http_call_start(call->setup->client, &call->exchange, asked, call,
					&call->http, &err);
	if (result) {
		refuse(call, result == BC_EINVAL ? BC_GATEWAY_BAD_REQUEST : BC_GATEWAY_BUSY,
		       err.text, err.hint);
		return;
	}
	/* A body that is too large to be held is read from here on; one that only turned out so has
	 * been begun. */
	if (streams && first && !call->body.len)
		read_body(call);
}

void gateway_call_proceed(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	call->door_wait = (struct bc_upstream_wait){ .deadline_ms = call->wait_until_ms,
						     .done = door_opened };
	call->state = CALL_DOOR;
	if (!bc_upstream_enter(g->door, &call->door_wait)) {
		gateway_line_leave(call);
		drop_token(call); /* it may run out meanwhile */
		return;
	}
	if (!call->token)
		call->token = bc_tokens_get(g->options.tokens);
	if (!call->token) {
		gateway_line_leave(call);
		wait_for_token(call, 0);
	} else if (gateway_line_enter(call)) {
		ask(call);
	} else {
		drop_token(call);
	}
}

/* --- its beginning --------------------------------------------------------------------------- */

static void client_left(void *ctx)
{
	struct gateway_call *call = ctx;
	struct bc_http_request *req = call->req;
	bool begun = call->state == CALL_ANSWER;
	bc_http_call_cancel(call->http);
	call->http = NULL;
	gateway_fields_wipe(call->fields);
	if (call->state == CALL_DOOR)
		bc_upstream_cancel(&call->door_wait);
	if (begun)
		bc_http_stream_abort(req);
	else
		bc_http_respond(req, 503, NULL, NULL, NULL, 0);
	over(call, CLIENT_LEFT);
}

static void keep_text(char *to, size_t room, const char *text)
{
	size_t len = strnlen(text, room - 1);
	memcpy(to, text, len);
	to[len] = '\0';
}

static struct gateway_call *call_create(struct bc_gateway *g, struct bc_http_request *req,
					struct bc_commerce_target *target)
{
	struct gateway_call *call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->gateway = g;
	call->req = req;
	call->target = *target;
	call->setup = g->setup;
	call->setup->references++;
	call->began_ms = bc_elapsed_ms(g->options.clock);
	call->wait_until_ms = call->began_ms + call->setup->config.wait_ms;
	keep_text(call->method, sizeof(call->method), req->method);
	keep_text(call->id, sizeof(call->id), req->id);
	call->shape = gateway_shape(g, call->method, target->resource);
	bc_buf_init(&call->body, call->setup->config.hold_bytes + 4 * PIPE_MAX_BYTES);
	call->next = g->calls;
	call->link = &g->calls;
	if (call->next)
		call->next->link = &call->next;
	g->calls = call;
	return call;
}

void gateway_call_begin(struct bc_gateway *g, struct bc_http_request *req,
			struct bc_commerce_target *target)
{
	int64_t announced = bc_http_body_announced(req);
	struct gateway_call *call = call_create(g, req, target);
	if (!call) {
		free(target->url);
		g->options.refuse(g->options.ctx, req, BC_GATEWAY_BUSY, "no memory for the call",
				  "try again", NULL);
		return;
	}
	bc_http_on_gone(req, client_left, call);
	call->body_whole = announced == 0;
	call->held = announced <= (int64_t)call->setup->config.hold_bytes;
	if (call->body_whole || !call->held) {
		gateway_call_proceed(call);
		return;
	}
	call->state = CALL_HOLD;
	read_body(call);
}

void gateway_call_stop(struct gateway_call *call)
{
	switch (call->state) {
	case CALL_DOOR:
		bc_upstream_cancel(&call->door_wait);
		break;
	case CALL_PAUSE:
		bc_timer_stop(call->timer);
		break;
	case CALL_HOLD:
	case CALL_LINE:
	case CALL_TOKEN:
		break;
	case CALL_ASK:
	case CALL_ANSWER:
	case CALL_OVER:
		return;
	}
	refuse(call, BC_GATEWAY_BUSY, "the daemon stops", "ask again when it is back");
}
