/* SPDX-License-Identifier: MIT */
/*
 * One Commerce call of the library. Its ways from state to state:
 *
 *	proceed	Commerce sleeps -> DOOR; enough are under way -> QUEUE; no token -> TOKEN; else ASK
 *	DOOR	woken -> proceed
 *	QUEUE	its turn -> proceed
 *	TOKEN	there is one -> proceed
 *	PAUSE	the time is over -> proceed
 *	ASK	a 401 -> TOKEN; a 429 or a 503 that says when -> proceed; what may go better the
 *		next time -> PAUSE; any other answer, and none, end it
 *
 * An answer is kept when another attempt follows it. Should none come to anything for want of time
 * or of a token, that answer is the call's; once another attempt was lost it is not, for what is
 * known last counts.
 *
 * One deadline bounds all. Each state keeps it by its own means: the door and the token manager are
 * told, curl's timeout is what is left, the timer is for QUEUE, and what would end a PAUSE too late
 * is not begun.
 */
#include <string.h>

#include "base/err.h"
#include "core/client_impl.h"

enum call_state { CALL_DOOR, CALL_QUEUE, CALL_TOKEN, CALL_PAUSE, CALL_ASK, CALL_OVER };

struct client_call {
	struct client_job job;
	struct client_request request;
	bc_client_done *done;
	void *ctx; /* borrowed from the caller */
	enum call_state state;
	uint64_t began_ms, deadline_ms;	 /* elapsed clock */
	struct bc_timer *timer;		 /* owned; NULL until it is needed */
	struct client_call *prev, *next; /* of those in QUEUE */
	struct bc_upstream_wait door_wait;
	struct bc_token_wait token_wait;
	bool token_waits;

	struct bc_http_call *http; /* under way, or NULL */
	struct bc_http_exchange exchange;
	struct bc_access_token *token; /* a reference; what it is signed with */
	unsigned attempt;
	bool refreshed; /* a 401 was met with another token */

	struct bc_client_answer answer; /* the last one; status 0: none */
};

static struct client_call *call_of(struct client_job *job)
{
	return BC_CONTAINER(job, struct client_call, job);
}

static uint64_t now_ms(const struct client_call *call)
{
	return bc_elapsed_ms(call->job.client->clock);
}

static uint64_t left_ms(const struct client_call *call)
{
	uint64_t now = now_ms(call);
	return call->deadline_ms > now ? call->deadline_ms - now : 0;
}

static void proceed(struct client_call *call);

/* --- its end --------------------------------------------------------------------------------- */

static void call_free(struct client_call *call)
{
	bc_timer_destroy(call->timer);
	bc_client_request_finish(&call->request);
	free(call);
}

/* Only a wait for a token may be left of it. */
static void over(struct client_call *call, int result, const struct bc_err *err)
{
	struct bc_client_answer *answer = &call->answer;
	call->state = CALL_OVER;
	bc_access_token_unref(call->token);
	call->token = NULL;
	if (call->timer)
		bc_timer_stop(call->timer);
	answer->attempts = call->attempt;
	answer->duration_ms = now_ms(call) - call->began_ms;
	if (!result && answer->status >= 400)
		(void)bc_commerce_error_message(answer->body, answer->body_bytes, answer->message);
	call->done(call->ctx, result, result ? NULL : answer, err);
	bc_client_answer_finish(answer);
	if (call->token_waits)
		return;
	bc_client_job_remove(&call->job);
	call_free(call);
}

static void answered(struct client_call *call)
{
	over(call, 0, &(struct bc_err){ 0 });
}

/* Without another attempt: what the last one brought, else why there is none. */
static void fail(struct client_call *call, const struct bc_err *err)
{
	if (call->answer.status)
		answered(call);
	else
		over(call, err->code, err);
}

static void fail_nomem(struct client_call *call)
{
	struct bc_err err = { 0 };
	bc_err_nomem(&err);
	over(call, BC_ENOMEM, &err);
}

/* --- its turn -------------------------------------------------------------------------------- */

static void timer_fired(void *ctx);

/* False without memory: then the call is over. */
static bool arm(struct client_call *call, enum call_state state, uint64_t delay_ms)
{
	if (!call->timer)
		call->timer = bc_timer_create(call->job.client->loop, timer_fired, call);
	if (!call->timer) {
		fail_nomem(call);
		return false;
	}
	call->state = state;
	bc_timer_start(call->timer, delay_ms);
	return true;
}

static void queue_remove(struct client_call *call)
{
	struct bc_client *c = call->job.client;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		c->last = call->prev;
	call->prev = call->next = NULL;
}

static void queue_add(struct client_call *call)
{
	struct bc_client *c = call->job.client;
	if (!arm(call, CALL_QUEUE, left_ms(call)))
		return;
	call->prev = c->last;
	if (c->last)
		c->last->next = call;
	else
		c->first = call;
	c->last = call;
}

static void no_turn_came(struct client_call *call)
{
	struct bc_err err = { 0 };
	queue_remove(call);
	bc_err_set(&err, BC_ETIMEDOUT, "no turn came in time: %u requests are under way",
		   call->job.client->in_flight);
	bc_err_hint(&err, "raise timeout_ms or concurrency, or call less at once");
	fail(call, &err);
}

static void timer_fired(void *ctx)
{
	struct client_call *call = ctx;
	if (call->state == CALL_PAUSE)
		proceed(call);
	else if (left_ms(call))
		bc_timer_start(call->timer, left_ms(call));
	else
		no_turn_came(call);
}

/* --- waiting --------------------------------------------------------------------------------- */

static void door_opened(struct bc_upstream_wait *wait, bool open)
{
	struct client_call *call = BC_CONTAINER(wait, struct client_call, door_wait);
	struct bc_err err = { 0 };
	if (open) {
		proceed(call);
		return;
	}
	bc_err_set(&err, BC_ETIMEDOUT,
		   "Commerce asked to be called less often, and sleeps longer "
		   "than the call may take");
	bc_err_hint(&err, "raise timeout_ms, or call less often");
	fail(call, &err);
}

static void token_came(struct bc_token_wait *wait)
{
	struct client_call *call = BC_CONTAINER(wait, struct client_call, token_wait);
	call->token_waits = false;
	if (call->state == CALL_OVER) {
		bc_access_token_unref(wait->token);
		bc_client_job_remove(&call->job);
		call_free(call);
		return;
	}
	call->token = wait->token;
	if (!wait->result)
		proceed(call);
	else
		fail(call, &wait->err);
}

static void wait_for_token(struct client_call *call, uint64_t not_generation)
{
	struct bc_client *c = call->job.client;
	call->state = CALL_TOKEN;
	call->token_waits = true;
	call->token_wait = (struct bc_token_wait){ .loop = c->loop,
						   .deadline_ms = call->deadline_ms,
						   .not_generation = not_generation,
						   .done = token_came };
	bc_tokens_wait(c->tokens, &call->token_wait);
}

static void drop_token(struct client_call *call)
{
	bc_access_token_unref(call->token);
	call->token = NULL;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* False without memory. */
static bool keep_answer(struct client_call *call, const struct bc_http_answer *from)
{
	struct bc_client_answer *answer = &call->answer;
	const char *type = from->content_type ? from->content_type : "";
	bc_client_answer_finish(answer);
	if (!from->status)
		return true;
	answer->body = malloc(from->body.len + 1);
	if (!answer->body)
		return false;
	memcpy(answer->body, from->body.ptr, from->body.len);
	answer->body[from->body.len] = '\0';
	answer->body_bytes = from->body.len;
	answer->status = from->status;
	if (bc_str_copy(answer->content_type, sizeof(answer->content_type), bc_str_of(type)))
		answer->content_type[0] = '\0';
	return true;
}

static struct bc_commerce_verdict judge(struct client_call *call, const struct bc_http_answer *a,
					int status)
{
	struct bc_client *c = call->job.client;
	return bc_commerce_judge(&(struct bc_commerce_attempt){
		.method = call->request.method,
		.attempt = call->attempt,
		.held = true,
		.refreshed = call->refreshed || !call->token,
		.young_token = call->token && call->token->issued_ms >= call->began_ms,
		.status = status,
		.request_sent = a->request_sent,
		.retry_after = a->retry_after,
		.date = a->date,
		.now_wall_ms = bc_wall_ms(c->clock) });
}

/* Beside what it says, half as much at random: many calls that failed together come back apart. */
static bool pause_call(struct client_call *call, uint64_t wait_ms)
{
	uint16_t random;
	bc_random(&random, sizeof(random));
	wait_ms += wait_ms * random / UINT16_MAX / 2;
	if (wait_ms >= left_ms(call))
		return false;
	drop_token(call);
	(void)arm(call, CALL_PAUSE, wait_ms);
	return true;
}

static bool sleep_all(struct client_call *call, uint64_t wait_ms)
{
	struct bc_upstream *u = call->job.client->upstream;
	bc_upstream_sleep(u, wait_ms);
	if (bc_upstream_asleep_ms(u) >= left_ms(call))
		return false;
	drop_token(call);
	proceed(call);
	return true;
}

static bool refresh(struct client_call *call)
{
	uint64_t generation = call->token->generation;
	if (!bc_tokens_refused(call->job.client->tokens, generation))
		return false;
	call->refreshed = true;
	drop_token(call);
	wait_for_token(call, generation);
	return true;
}

/* Is there another attempt? Then the call may even be over already. */
static bool again(struct client_call *call, const struct bc_commerce_verdict *verdict)
{
	switch (verdict->step) {
	case BC_COMMERCE_PASS:
		break;
	case BC_COMMERCE_REFRESH:
		return refresh(call);
	case BC_COMMERCE_SLEEP:
		return sleep_all(call, verdict->wait_ms);
	case BC_COMMERCE_RETRY:
		return pause_call(call, verdict->wait_ms);
	}
	return false;
}

/* What the caller is told of a failure of the HTTP client. */
static const struct {
	int error, code;
	const char *hint;
} failures[] = {
	{ BC_EUNREACH, BC_EUNREACH, "check commerce_base_url, DNS, the proxy and the network" },
	{ BC_EAUTH, BC_EUNREACH, "check the server's certificate, and ca_file" },
	{ BC_ETIMEDOUT, BC_ETIMEDOUT, "raise timeout_ms, or ask for less at once" },
	{ BC_EIO, BC_EIO, "try again" },
	{ BC_ENOMEM, BC_ENOMEM, "ask for less at once" },
};

/* The resource without its query, which may hold what is nobody's business. */
static void lost(struct client_call *call, const struct bc_http_answer *a)
{
	const struct client_request *r = &call->request;
	struct bc_str rest = bc_str_of(r->target.resource);
	struct bc_str path = bc_str_split(&rest, '?');
	struct bc_err err = { 0 };
	int code = BC_EIO;
	for (size_t i = 0; i < BC_COUNT(failures); i++) {
		if (failures[i].error != a->error)
			continue;
		code = failures[i].code;
		bc_err_hint(&err, "%s",
			    a->request_sent && !bc_commerce_is_idempotent(r->method)
				    ? "it may have been carried out all the same: look before you "
				      "repeat it"
				    : failures[i].hint);
	}
	bc_err_set(&err, code, "%s \"%.*s\": %s", r->method, (int)path.len, path.ptr,
		   a->error_text[0] ? a->error_text : "the answer broke off");
	over(call, code, &err);
}

static void too_big(struct client_call *call)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_ETOOBIG, "the answer is longer than %zu bytes",
		   call->request.answer_max_bytes);
	bc_err_hint(&err, "raise answer_max_bytes, or ask for fewer fields or smaller pages");
	over(call, BC_ETOOBIG, &err);
}

/* A status whose body broke off says what to do, but is no answer to hand over. */
static void read_answer(struct client_call *call, const struct bc_http_answer *a)
{
	struct bc_commerce_verdict verdict = judge(call, a, a->status);
	bool cut = a->status && !a->complete && a->body.len == call->request.answer_max_bytes;
	if (verdict.step == BC_COMMERCE_PASS && a->error && !cut)
		verdict = judge(call, a, 0);
	if (!keep_answer(call, a->error || cut ? &(struct bc_http_answer){ 0 } : a)) {
		fail_nomem(call);
		return;
	}
	if (again(call, &verdict))
		return;
	if (cut)
		too_big(call);
	else if (a->error)
		lost(call, a);
	else
		answered(call);
}

/* The request is over, in whatever way. */
static void asked(void *ctx, const struct bc_http_answer *answer)
{
	struct client_call *call = ctx;
	struct bc_client *c = call->job.client;
	call->http = NULL;
	bc_client_request_unsign(&call->request);
	c->in_flight--;
	if (c->first && !c->pumping) {
		c->pumping = true;
		bc_loop_post(c->loop, &c->pump);
	}
	read_answer(call, answer);
}

/* --- the request ----------------------------------------------------------------------------- */

static void ask(struct client_call *call)
{
	struct bc_client *c = call->job.client;
	struct client_request *r = &call->request;
	struct bc_err err = { 0 };
	uint32_t timeout_ms = (uint32_t)left_ms(call);
	call->state = CALL_ASK;
	const char *const *lines = bc_client_request_sign(r, call->token);
	if (!lines) {
		fail_nomem(call);
		return;
	}
	call->exchange = (struct bc_http_exchange){
		.method = r->method,
		.url = r->target.url,
		.headers = lines,
		.body = r->body,
		.body_bytes = r->body_bytes,
		.connect_timeout_ms =
			timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
		.timeout_ms = timeout_ms,
		.answer_max_bytes = r->answer_max_bytes,
	};
	int result = bc_http_call_start(c->http, &call->exchange, asked, call, &call->http, &err);
	if (result) {
		over(call, result, &err);
		return;
	}
	call->attempt++;
	c->in_flight++;
}

static void no_time_left(struct client_call *call)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_ETIMEDOUT, "the call's time was over before it could be sent");
	bc_err_hint(&err, "raise timeout_ms, or call less at once");
	fail(call, &err);
}

/* Asked for here and not before: a token that waited with its call may have run out. */
static void ask_signed(struct client_call *call)
{
	struct bc_client *c = call->job.client;
	if (c->tokens && !call->token)
		call->token = bc_tokens_get(c->tokens);
	if (!left_ms(call))
		no_time_left(call);
	else if (c->tokens && !call->token)
		wait_for_token(call, 0);
	else
		ask(call);
}

static void proceed(struct client_call *call)
{
	struct bc_client *c = call->job.client;
	call->door_wait =
		(struct bc_upstream_wait){ .deadline_ms = call->deadline_ms, .done = door_opened };
	call->state = CALL_DOOR;
	if (!bc_upstream_enter(c->door, &call->door_wait)) {
		drop_token(call);
	} else if (c->in_flight >= c->settings.concurrency) {
		drop_token(call);
		queue_add(call);
	} else {
		ask_signed(call);
	}
}

/* Who is called may begin others, but only by the loop's queue; so each turn ends. */
void bc_client_calls_pump(struct bc_task *task)
{
	struct bc_client *c = BC_CONTAINER(task, struct bc_client, pump);
	c->pumping = false;
	for (struct client_call *call = c->first; call && c->in_flight < c->settings.concurrency;
	     call = c->first) {
		queue_remove(call);
		bc_timer_stop(call->timer);
		proceed(call);
	}
}

/* --- from outside ---------------------------------------------------------------------------- */

static void call_begin(struct client_job *job)
{
	proceed(call_of(job));
}

static void call_stop(struct client_job *job)
{
	struct client_call *call = call_of(job);
	struct bc_err err = { 0 };
	if (call->state == CALL_OVER)
		return;
	if (call->http)
		call->job.client->in_flight--;
	bc_http_call_cancel(call->http);
	call->http = NULL;
	bc_upstream_cancel(&call->door_wait);
	if (call->state == CALL_QUEUE)
		queue_remove(call);
	over(call, bc_client_gone(&err), &err);
}

int bc_client_start(struct bc_client *client, const struct bc_client_request *request,
		    bc_client_done *done, void *ctx, struct bc_err *err)
{
	int result = bc_client_check_open(client, err);
	if (result)
		return result;
	struct client_call *call = calloc(1, sizeof(*call));
	if (!call)
		return bc_err_nomem(err);
	result = bc_client_request_copy(client, request, &call->request, err);
	if (result) {
		free(call);
		return result;
	}
	call->job.begin = call_begin;
	call->job.stop = call_stop;
	call->done = done;
	call->ctx = ctx;
	call->began_ms = bc_elapsed_ms(client->clock);
	call->deadline_ms = call->began_ms + call->request.timeout_ms;
	bc_client_job_post(client, &call->job);
	return 0;
}

void bc_client_answer_finish(struct bc_client_answer *answer)
{
	free(answer->body);
	*answer = (struct bc_client_answer){ 0 };
}
