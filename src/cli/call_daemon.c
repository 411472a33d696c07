/* SPDX-License-Identifier: MIT */
/*
 * A call through the gateway of a running daemon, which has the access token. The gateway repeats
 * what a 401 or a 429 asks for; what else the client's rules repeat (an idempotent method after a
 * 5xx or a lost answer) is repeated here, so that a call is the same with and without a daemon.
 * Connections are kept between calls.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/call.h"
#include "cli/remote.h"
#include "net/http_client.h"

enum {
	CONNECT_MS = 2000,
	WAITED_MS = 2000, /* who took so long to say no has tried it again already */
	HEAD_MAX_BYTES = 64 * 1024,
	HEADERS_MAX = BC_OPTION_MANY + 4
};

struct call_daemon {
	const struct bc_settings *settings; /* borrowed */
	struct bc_loop *loop;
	struct bc_http_client *client;
	struct bc_timer *timer;
	char *authorization; /* owned; holds the API token; NULL: none is asked */
	const char *base;
};

/* One call as it is sent, and one answer to it. */
struct passage {
	struct call_daemon *daemon;
	const struct bc_client_request *request;
	uint64_t until_ms; /* elapsed clock */
	struct bc_commerce_target target;
	char url[BC_COMMERCE_URL_MAX + 512];
	char content_type[192], store[BC_COMMERCE_STORE_BYTES + 16];
	const char *headers[HEADERS_MAX + 1];

	struct bc_http_call *call;
	int status, error;
	bool sent, whole, too_big;
	char error_text[160];
	struct bc_buf head, body;
	char type[128], retry_after[64], date[64]; /* header values; "" = absent */
	char problem[64];			   /* the daemon's own, "" = Commerce's answer */
	uint64_t took_ms;
};

/* --- life ------------------------------------------------------------------------------------ */

static void pause_over(void *ctx)
{
	struct call_daemon *d = ctx;
	bc_loop_stop(d->loop);
}

static int open_client(struct call_daemon *d, struct bc_err *err)
{
	const char *url = d->settings->url;
	bool is_unix = strncmp(url, "unix:", 5) == 0;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .unix_socket = is_unix ? url + 5 : NULL };
	d->base = is_unix ? "http://localhost" : url;
	int result = bc_loop_create(&d->loop, err);
	if (!result)
		result = bc_http_client_create(d->loop, &options, &d->client, err);
	if (!result) {
		d->timer = bc_timer_create(d->loop, pause_over, d);
		result = d->timer ? 0 : bc_err_nomem(err);
	}
	return result;
}

static char *authorization_of(const struct bc_secret *api_token)
{
	struct bc_buf line;
	bc_buf_init(&line, 16 * 1024);
	int failed = bc_buf_addf(&line, "Authorization: Bearer %s", bc_secret_reveal(api_token));
	char *text = failed ? NULL : bc_buf_take(&line);
	bc_buf_finish(&line);
	return text;
}

int call_daemon_open(const struct bc_settings *s, struct call_daemon **ret, struct bc_err *err)
{
	struct call_daemon *d = calloc(1, sizeof(*d));
	if (!d)
		return bc_err_nomem(err);
	d->settings = s;
	int result = open_client(d, err);
	if (!result && s->api_token) {
		d->authorization = authorization_of(s->api_token);
		result = d->authorization ? 0 : bc_err_nomem(err);
	}
	if (result)
		call_daemon_close(d);
	else
		*ret = d;
	return result;
}

void call_daemon_close(struct call_daemon *d)
{
	if (!d)
		return;
	if (d->authorization)
		bc_wipe(d->authorization, strlen(d->authorization));
	free(d->authorization);
	bc_timer_destroy(d->timer);
	bc_http_client_destroy(d->client);
	bc_loop_destroy(d->loop);
	free(d);
}

/* --- the answer ------------------------------------------------------------------------------ */

static void answer_head(void *ctx, const struct bc_http_answer_head *head)
{
	struct passage *p = ctx;
	const struct {
		const char *name;
		char *text;
		size_t bytes;
	} kept[] = { { "content-type", p->type, sizeof(p->type) },
		     { "retry-after", p->retry_after, sizeof(p->retry_after) },
		     { "date", p->date, sizeof(p->date) } };
	p->status = head->status;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct bc_http_field *f = &head->fields[i];
		for (size_t k = 0; k < BC_COUNT(kept); k++)
			if (bc_str_ieq(f->name, kept[k].name))
				snprintf(kept[k].text, kept[k].bytes, "%.*s", (int)f->value.len,
					 f->value.ptr);
		p->too_big |= bc_buf_addf(&p->head, "%.*s: %.*s\n", (int)f->name.len, f->name.ptr,
					  (int)f->value.len, f->value.ptr) != 0;
	}
}

static bool answer_data(void *ctx, struct bc_str bytes)
{
	struct passage *p = ctx;
	if (!p->too_big && bc_buf_add(&p->body, bytes.ptr, bytes.len)) {
		p->too_big = true;
		bc_http_call_cancel(p->call);
		bc_loop_stop(p->daemon->loop);
	}
	return true;
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct passage *p = ctx;
	p->status = answer->status;
	p->error = answer->error;
	p->sent = answer->request_sent;
	p->whole = answer->complete && !answer->error;
	p->took_ms = answer->duration_ms;
	memcpy(p->error_text, answer->error_text, sizeof(p->error_text));
	bc_loop_stop(p->daemon->loop);
}

/* Is it the daemon that speaks? */
static void note_problem(struct passage *p)
{
	static const char content_type[] = "application/problem+json", urn[] = "urn:backchannel:";
	p->problem[0] = '\0';
	if (strncmp(p->type, content_type, sizeof(content_type) - 1) != 0 || !p->body.len)
		return;
	json_t *j = json_loadb(p->body.data, p->body.len, 0, NULL);
	const char *type = bc_json_text(j, "type");
	if (strncmp(type, urn, sizeof(urn) - 1) == 0)
		snprintf(p->problem, sizeof(p->problem), "%s", type + sizeof(urn) - 1);
	json_decref(j);
}

/* --- the request ----------------------------------------------------------------------------- */

/* PAAS spells the store view into the path, which the gateway takes for either flavor. */
static int prepare(struct passage *p, const struct bc_client_request *request, struct bc_err *err)
{
	static const char base[] = "http://gateway";
	size_t n = 0;
	int result = bc_commerce_target_build(base, BC_COMMERCE_PAAS, request->path, request->store,
					      &p->target, err);
	if (result)
		return result;
	snprintf(p->url, sizeof(p->url), "%s/accs%s", p->daemon->base,
		 p->target.url + sizeof(base) - 1);
	if (p->daemon->authorization)
		p->headers[n++] = p->daemon->authorization;
	if (p->target.store[0]) {
		snprintf(p->store, sizeof(p->store), "Store: %s", p->target.store);
		p->headers[n++] = p->store;
	}
	if (request->body) {
		snprintf(p->content_type, sizeof(p->content_type), "Content-Type: %s",
			 request->content_type ? request->content_type : "application/json");
		p->headers[n++] = p->content_type;
	}
	for (size_t i = 0; request->headers && request->headers[i] && n < HEADERS_MAX; i++)
		p->headers[n++] = request->headers[i];
	return 0;
}

static uint64_t left_ms(const struct passage *p)
{
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);
	return p->until_ms > now_ms ? p->until_ms - now_ms : 0;
}

static int send_once(struct passage *p, struct bc_err *err)
{
	struct call_daemon *d = p->daemon;
	struct bc_http_stream stream = { .head = answer_head, .data = answer_data, .ctx = p };
	struct bc_http_exchange exchange = {
		.method = p->request->method,
		.url = p->url,
		.headers = p->headers,
		.body = p->request->body,
		.body_bytes = p->request->body_bytes,
		.connect_timeout_ms = CONNECT_MS,
		.timeout_ms = left_ms(p) ? (uint32_t)left_ms(p) : 1,
		.stream = &stream,
	};
	p->status = p->error = 0;
	p->sent = p->whole = false;
	p->type[0] = p->retry_after[0] = p->date[0] = '\0';
	bc_buf_reset(&p->head);
	bc_buf_reset(&p->body);
	int result = bc_http_call_start(d->client, &exchange, answered, p, &p->call, err);
	if (result)
		return result;
	bc_loop_run(d->loop);
	note_problem(p);
	return 0;
}

/* --- again? ---------------------------------------------------------------------------------- */

/* The daemon's own answers are about the call (final), or about Commerce, which did not answer. A
 * 429 of its own tells when, as one of Commerce's does. */
static int status_to_judge(const struct passage *p)
{
	if (!p->problem[0] || p->status == 429)
		return p->whole ? p->status : 0;
	return strncmp(p->problem, "upstream-", 9) == 0 && p->took_ms < WAITED_MS ? 0 : 400;
}

/* 0: no; else how long to wait before. */
static uint64_t wait_before_next(const struct passage *p, unsigned attempt)
{
	uint64_t random;
	struct bc_commerce_verdict v = bc_commerce_judge(&(struct bc_commerce_attempt){
		.method = p->request->method,
		.attempt = attempt,
		.held = true,
		.refreshed = true, /* the gateway has done that */
		.status = status_to_judge(p),
		.request_sent = p->sent,
		.retry_after = p->retry_after[0] ? p->retry_after : NULL,
		.date = p->date[0] ? p->date : NULL,
		.now_wall_ms = bc_wall_ms(&bc_clock_system) });
	if (v.step != BC_COMMERCE_SLEEP && v.step != BC_COMMERCE_RETRY)
		return 0;
	bc_random(&random, sizeof(random));
	uint64_t wait_ms = v.wait_ms + 1 + random % (v.wait_ms / 4 + 1);
	return wait_ms < left_ms(p) ? wait_ms : 0;
}

static bool absent(const struct passage *p)
{
	return p->status == 0 && p->error == BC_EUNREACH && !p->sent;
}

/* Until there is an answer to keep; attempts are counted. */
static int send_all(struct passage *p, unsigned *ret_attempts, struct bc_err *err)
{
	for (*ret_attempts = 1;; ++*ret_attempts) {
		int result = send_once(p, err);
		if (result || p->too_big || (*ret_attempts == 1 && absent(p)))
			return result;
		uint64_t wait_ms = wait_before_next(p, *ret_attempts);
		if (!wait_ms)
			return 0;
		bc_timer_start(p->daemon->timer, wait_ms);
		bc_loop_run(p->daemon->loop);
	}
}

/* --- what came of it ------------------------------------------------------------------------- */

static int daemon_refuses(const struct passage *p, struct bc_err *err)
{
	json_t *problem = json_loadb(p->body.data, p->body.len, 0, NULL);
	int code = call_refused(problem, p->status, err);
	json_decref(problem);
	return code;
}

static int broke_off(const struct passage *p, struct bc_err *err)
{
	int code = p->error == BC_ETIMEDOUT ? BC_ETIMEDOUT : BC_EUNREACH;
	bc_err_set(err, code, "no whole answer from %s: %s", p->daemon->settings->url,
		   p->error_text[0] ? p->error_text : "it broke off");
	bc_err_hint(err, bc_commerce_is_idempotent(p->request->method)
				 ? "try again; the daemon's log tells more"
				 : "it may have been done all the same: look before you repeat it");
	return code;
}

static int hand_over(struct passage *p, unsigned attempts, uint64_t duration_ms,
		     struct call_answer *ret, struct bc_err *err)
{
	struct call_answer a = { .got = { .status = p->status,
					  .body_bytes = p->body.len,
					  .attempts = attempts,
					  .duration_ms = duration_ms } };
	memcpy(a.got.content_type, p->type, sizeof(p->type));
	(void)bc_commerce_error_message(p->status >= 300 ? p->body.data : NULL, p->body.len,
					a.got.message);
	a.got.body = bc_buf_take(&p->body);
	a.head = bc_buf_take(&p->head);
	if (!a.got.body || !a.head) {
		call_answer_finish(&a);
		return bc_err_nomem(err);
	}
	*ret = a;
	return 0;
}

static int conclude(struct passage *p, unsigned attempts, uint64_t duration_ms,
		    struct call_answer *ret, bool *ret_absent, struct bc_err *err)
{
	*ret_absent = absent(p);
	if (p->too_big) {
		bc_err_set(err, BC_ETOOBIG, "the answer is longer than %zu bytes", p->body.max);
		bc_err_hint(err, "ask for less: fields=..., or a smaller page; or fetch it with "
				 "curl from the daemon's /accs");
		return BC_ETOOBIG;
	}
	if (p->problem[0])
		return daemon_refuses(p, err);
	if (!p->whole)
		return broke_off(p, err);
	return hand_over(p, attempts, duration_ms, ret, err);
}

int call_daemon_ask(struct call_daemon *d, const struct bc_client_request *request,
		    struct call_answer *ret, bool *ret_absent, struct bc_err *err)
{
	uint64_t began_ms = bc_elapsed_ms(&bc_clock_system);
	size_t most = request->answer_max_bytes ? request->answer_max_bytes : CALL_BODY_MAX_BYTES;
	unsigned attempts;
	bc_autofree struct passage *p = calloc(1, sizeof(*p));
	*ret_absent = false;
	if (!p)
		return bc_err_nomem(err);
	p->daemon = d;
	p->request = request;
	p->until_ms = began_ms + (request->timeout_ms ? request->timeout_ms : CALL_TIMEOUT_MS);
	bc_buf_init(&p->head, HEAD_MAX_BYTES);
	bc_buf_init(&p->body, most);
	int result = prepare(p, request, err);
	if (!result)
		result = send_all(p, &attempts, err);
	if (!result)
		result = conclude(p, attempts, bc_elapsed_ms(&bc_clock_system) - began_ms, ret,
				  ret_absent, err);
	free(p->target.url);
	bc_buf_finish(&p->head);
	bc_buf_finish(&p->body);
	return result;
}
