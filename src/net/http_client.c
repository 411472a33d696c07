/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client's loop side: the calls under way and their completions, curl's sockets and timer
 * on a libuv loop. Calls with whole bodies are curl's; streams travel on connections of our own
 * pool, which curl only makes.
 *
 * Invariants
 * - curl is only entered from drive() (a socket, the timer or the kick fired), from a connection of
 *   the pool, from a caller's start, cancel or destroy, never from inside one of its own callbacks:
 *   those only note what to watch and who is to end. Poll handles are stopped there and freed by
 *   libuv at the end of the turn.
 * - A call that a stream's function cancels is silent at once and freed when that has returned.
 * - A completion runs after curl and the stream's functions have returned, so it may start and
 *   cancel calls and destroy the client. Whoever is on the stack above holds a reference; the
 *   memory goes with the last one.
 * - curl's "at once" (timer 0) is a task posted to the loop: never inline, and without the
 *   millisecond that a timer would cost.
 * - A socket that cannot be watched for want of memory fails its call, not the whole client.
 * - The deadlines of streams move with each byte, so they are looked at only when the earliest of
 *   those that were set has come.
 * Left to others: the request and the rule that it leaves once (http_call.c, http_wire.c), the
 * answer (http_answer.c), what a stream's waiting means (http_stream.c).
 */
#include "net/http_client.h"

#include <pthread.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http_wire.h"

enum { CONNECTIONS_DEFAULT = 64 };

/* One socket of curl's that the loop watches. */
struct watch {
	uv_poll_t poll;
	struct bc_http_client *client; /* borrowed; not touched once closing */
	curl_socket_t fd;
	int events; /* libuv's, that curl asked for */
	struct watch *prev;
	struct watch *next;
};

struct bc_http_client {
	struct bc_loop *loop;	/* borrowed */
	CURLM *multi;		/* owned; NULL once destroyed */
	CURL *model;		/* owned */
	struct bc_timer *timer; /* owned */
	struct bc_timer *stall; /* owned; the earliest deadline of a stream */
	uint64_t stall_ms;	/* when it fires; UINT64_MAX: it does not run */
	struct bc_task kick;
	bool kicked;
	bool doomed; /* some call is, or is cancelled */
	bool closing;
	unsigned inside; /* functions of streams on the stack */
	unsigned refs; /* the owner's, a posted kick's, one a drive() or on_stall() on the stack */
	struct bc_http_call *calls;
	size_t call_count;
	struct bc_http_call *waking;
	struct watch *watches;
	struct bc_http_pool pool;
};

static void client_unref(struct bc_http_client *c)
{
	if (--c->refs == 0)
		free(c);
}

/* --- calls ------------------------------------------------------------------------------------ */

static struct bc_http_call *call_of(CURL *easy)
{
	struct bc_http_call *call = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	return call;
}

static void call_link(struct bc_http_client *c, struct bc_http_call *call)
{
	call->client = c;
	call->inside = &c->inside;
	call->next = c->calls;
	if (c->calls)
		c->calls->prev = call;
	c->calls = call;
	c->call_count++;
}

/* From the list of those to be woken. */
static void waking_remove(struct bc_http_call *call)
{
	struct bc_http_call **at = &call->client->waking;

	if (!call->waking)
		return;
	while (*at != call)
		at = &(*at)->wake_next;
	*at = call->wake_next;
	call->waking = false;
}

/* Takes it out of the list. */
static void call_unlink(struct bc_http_call *call)
{
	struct bc_http_client *c = call->client;

	waking_remove(call);
	c->call_count--;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
}

static void call_free(struct bc_http_call *call)
{
	bc_http_call_finish(call);
	free(call);
}

/* Takes it out of curl, or off its connection; the answer in it stays readable. */
static void call_detach(struct bc_http_call *call, bool ended_well)
{
	struct bc_http_client *c = call->client;

	if (call->stream)
		bc_http_wire_leave(call, &c->pool, ended_well);
	else
		curl_multi_remove_handle(c->multi, call->easy);
}

/* The next call may use its connection, so that is free before the completion. */
static void call_conclude(struct bc_http_call *call, CURLcode result)
{
	struct bc_http_answer answer;

	call_unlink(call);
	bc_http_call_read(call, result, &answer);
	call_detach(call, !answer.error && !call->cancelled);
	if (!call->cancelled) {
		call->concluded = true;
		call->done(call->ctx, &answer);
	}
	call_free(call);
}

static void doom(struct bc_http_call *call, CURLcode result)
{
	call->doomed = call->client->doomed = true;
	call->result = result;
}

/* A completion may end any other call, so the list is read from its start each time. */
static void conclude_doomed(struct bc_http_client *c)
{
	struct bc_http_call *call = c->doomed ? c->calls : NULL;

	c->doomed = false;
	while (call && !c->closing) {
		struct bc_http_call *next = call->next;
		if (call->doomed || call->cancelled) {
			call_conclude(call, call->result);
			next = c->calls;
		}
		call = next;
	}
}

/* curl has made its connection, or has not. */
static void call_connected(struct bc_http_call *call, CURLcode result)
{
	if (result == CURLE_OK && bc_http_pool_connected(call) < 0)
		result = CURLE_OUT_OF_MEMORY;
	if (result != CURLE_OK)
		call_conclude(call, result);
	else if (!bc_http_wire_go_on(call, &call->client->pool))
		call_conclude(call, call->result);
}

static void conclude_finished(struct bc_http_client *c)
{
	CURLMsg *message;
	int left;

	while (!c->closing && (message = curl_multi_info_read(c->multi, &left))) {
		struct bc_http_call *call = call_of(message->easy_handle);
		if (message->msg != CURLMSG_DONE)
			continue;
		if (call->stream)
			call_connected(call, message->data.result);
		else
			call_conclude(call, message->data.result);
	}
}

/* --- streams that go on, or do not ------------------------------------------------------------ */

/* Has the timer fire no later than call's deadline. */
static void stall_watch(struct bc_http_call *call, uint64_t now_ms)
{
	struct bc_http_client *c = call->client;
	uint64_t due_ms = bc_http_stream_due_ms(call);

	if (due_ms >= c->stall_ms)
		return;
	c->stall_ms = due_ms;
	bc_timer_start(c->stall, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_stall(void *ctx)
{
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);
	struct bc_http_client *c = ctx;

	c->refs++;
	c->stall_ms = UINT64_MAX;
	for (struct bc_http_call *call = c->calls; call; call = call->next) {
		if (bc_http_stream_due_ms(call) <= now_ms)
			doom(call, CURLE_OPERATION_TIMEDOUT);
		else
			stall_watch(call, now_ms);
	}
	conclude_doomed(c);
	client_unref(c);
}

/* The list is taken first: who is resumed by what comes of it has to wait for another turn. */
static void wake_calls(struct bc_http_client *c)
{
	struct bc_http_call *call = c->waking;

	c->waking = NULL;
	while (call) {
		struct bc_http_call *next = call->wake_next;
		call->waking = false;
		bc_http_stream_wake(call);
		if (!call->doomed && !bc_http_wire_go_on(call, &c->pool))
			doom(call, call->result);
		stall_watch(call, bc_elapsed_ms(&bc_clock_system));
		call = next;
	}
}

/* The one way into curl's state machine; what it finished is concluded on the way out. */
static void drive(struct bc_http_client *c, curl_socket_t fd, int events)
{
	int running;

	c->refs++;
	if (!c->closing) {
		wake_calls(c);
		curl_multi_socket_action(c->multi, fd, events, &running);
	}
	conclude_finished(c);
	conclude_doomed(c);
	client_unref(c);
}

/* --- curl's sockets and timer on the loop ----------------------------------------------------- */

/*
 * A reset socket may still hold a whole answer. libuv then stops watching and says "error", on
 * which curl would give up unread; told of no event (0), curl looks for itself and reads first. The
 * watch goes on, for curl does not ask again for what it thinks it has.
 */
static void on_watch(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int flags = 0;

	if (status < 0) {
		uv_poll_start(poll, w->events, on_watch);
		bc_loop_watches_more(w->client->loop);
	}
	if (status == 0 && (events & UV_READABLE))
		flags |= CURL_CSELECT_IN;
	if (status == 0 && (events & UV_WRITABLE))
		flags |= CURL_CSELECT_OUT;
	drive(w->client, w->fd, flags);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *watch_open(struct bc_http_client *c, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w || uv_poll_init(bc_loop_uv(c->loop), &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->client = c;
	w->fd = fd;
	w->next = c->watches;
	if (c->watches)
		c->watches->prev = w;
	c->watches = w;
	return w;
}

/* Stops at once, for curl closes the socket next; the memory goes at the end of the turn. */
static void watch_close(struct watch *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		w->client->watches = w->next;
	if (w->next)
		w->next->prev = w->prev;
	uv_close((uv_handle_t *)&w->poll, free_watch);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct bc_http_client *c = ctx;
	struct bc_http_call *call = call_of(easy);
	struct watch *w = socket_ctx;
	int events = 0;

	if (c->closing)
		return 0;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			watch_close(w);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (!w) {
		w = watch_open(c, fd);
		if (!w && call)
			doom(call, CURLE_OUT_OF_MEMORY);
		curl_multi_assign(c->multi, fd, w);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	if (w) {
		w->events = events;
		uv_poll_start(&w->poll, events, on_watch);
		bc_loop_watches_more(c->loop);
	}
	return 0;
}

static void on_conn_ready(struct bc_http_conn *conn, int events)
{
	struct bc_http_call *call = conn->call;
	struct bc_http_client *c = call->client;

	c->refs++;
	if (!bc_http_wire_ready(call, &c->pool, events))
		call_conclude(call, call->result);
	else
		stall_watch(call, call->progress_ms);
	conclude_doomed(c);
	client_unref(c);
}

static void on_kick(struct bc_task *task)
{
	struct bc_http_client *c = BC_CONTAINER(task, struct bc_http_client, kick);

	c->kicked = false;
	drive(c, CURL_SOCKET_TIMEOUT, 0);
	client_unref(c);
}

static void kick(struct bc_http_client *c)
{
	if (c->kicked)
		return;
	c->kicked = true;
	c->refs++;
	bc_loop_post(c->loop, &c->kick);
}

static void on_timer(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *ctx)
{
	struct bc_http_client *c = ctx;

	(void)multi;
	if (c->closing)
		return 0;
	bc_timer_stop(c->timer);
	if (timeout_ms == 0)
		kick(c);
	else if (timeout_ms > 0)
		bc_timer_start(c->timer, (uint64_t)timeout_ms);
	return 0;
}

/* --- the client ------------------------------------------------------------------------------- */

static CURLcode global_result;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* For the process, and never undone: resolver threads may outlive the last client. */
static int require_curl(struct bc_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, global_init);
	if (global_result == CURLE_OK)
		return 0;
	return bc_err_tell(err, BC_EINTERNAL,
			   "is libcurl installed as it was built for? Reinstall libcurl4",
			   "libcurl does not start: %s", curl_easy_strerror(global_result));
}

static int multi_open(struct bc_http_client *c, const struct bc_http_client_options *o)
{
	long connections = o->connections_max ? (long)o->connections_max : CONNECTIONS_DEFAULT;
	CURLMcode rc = CURLM_OK;

	c->multi = curl_multi_init();
	if (!c->multi)
		return BC_ENOMEM;
#define SET(option, value) (rc = rc == CURLM_OK ? curl_multi_setopt(c->multi, option, value) : rc)
	SET(CURLMOPT_SOCKETFUNCTION, on_socket);
	SET(CURLMOPT_SOCKETDATA, c);
	SET(CURLMOPT_TIMERFUNCTION, on_timeout_change);
	SET(CURLMOPT_TIMERDATA, c);
	SET(CURLMOPT_MAXCONNECTS, connections);
#undef SET
	return rc == CURLM_OK ? 0 : BC_ENOMEM;
}

static int client_open(struct bc_http_client *c, struct bc_loop *loop,
		       const struct bc_http_client_options *options, struct bc_err *err)
{
	int rc;

	c->refs = 1;
	c->loop = loop;
	c->kick.run = on_kick;
	c->stall_ms = UINT64_MAX;
	c->timer = bc_timer_create(loop, on_timer, c);
	c->stall = bc_timer_create(loop, on_stall, c);
	if (!c->timer || !c->stall)
		return bc_err_nomem(err);
	rc = require_curl(err);
	if (rc == 0)
		rc = bc_http_model_create(options, &c->model, err);
	if (rc == 0 && multi_open(c, options) < 0)
		rc = bc_err_nomem(err);
	c->pool = (struct bc_http_pool){
		.loop = loop, .multi = c->multi, .model = c->model, .ready = on_conn_ready
	};
	if (rc == 0 && bc_http_pool_open(&c->pool, options) < 0)
		rc = bc_err_nomem(err);
	return rc;
}

int bc_http_client_create(struct bc_loop *loop, const struct bc_http_client_options *options,
			  struct bc_http_client **ret_client, struct bc_err *err)
{
	struct bc_http_client *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return bc_err_nomem(err);
	rc = client_open(c, loop, options, err);
	if (rc < 0) {
		bc_http_client_destroy(c);
		return rc;
	}
	*ret_client = c;
	return 0;
}

/* From here on curl's callbacks find the client closing: the sockets are let go of before curl
 * closes them. */
void bc_http_client_destroy(struct bc_http_client *c)
{
	if (!c)
		return;
	BC_ASSERT(c->inside == 0);
	while (c->calls)
		bc_http_call_cancel(c->calls);
	bc_http_pool_close(&c->pool);
	c->closing = true;
	while (c->watches)
		watch_close(c->watches);
	curl_multi_cleanup(c->multi);
	curl_easy_cleanup(c->model);
	bc_timer_destroy(c->timer);
	bc_timer_destroy(c->stall);
	client_unref(c);
}

static void wake_later(struct bc_http_call *call)
{
	struct bc_http_client *c = call->client;

	if (call->waking)
		return;
	call->waking = true;
	call->wake_next = c->waking;
	c->waking = call;
	kick(c);
}

static int call_begin(struct bc_http_client *c, struct bc_http_call *call,
		      const struct bc_http_exchange *exchange, struct bc_err *err)
{
	bool wake = false;
	int rc;

	call->stream = exchange->stream;
	if (call->stream) {
		rc = bc_http_wire_start(call, &c->pool, exchange, &wake, err);
	} else {
		rc = bc_http_call_init(call, c->model, exchange, err);
		if (rc == 0 && curl_multi_add_handle(c->multi, call->easy) != CURLM_OK)
			rc = bc_err_nomem(err);
	}
	if (wake)
		wake_later(call);
	return rc;
}

int bc_http_call_start(struct bc_http_client *c, const struct bc_http_exchange *exchange,
		       bc_http_done *done, void *ctx, struct bc_http_call **ret_call,
		       struct bc_err *err)
{
	struct bc_http_call *call = calloc(1, sizeof(*call));
	int rc;

	BC_ASSERT(!c->closing);
	if (!call)
		return bc_err_nomem(err);
	bc_http_call_prepare(call, exchange);
	call->done = done;
	call->ctx = ctx;
	call_link(c, call);
	rc = call_begin(c, call, exchange, err);
	if (rc < 0) {
		call_unlink(call);
		call_detach(call, false);
		call_free(call);
		return rc;
	}
	stall_watch(call, call->started_ms);
	if (ret_call)
		*ret_call = call;
	return 0;
}

void bc_http_call_resume_read(struct bc_http_call *call)
{
	if (call->concluded || call->cancelled)
		return;
	call->read_resumed = true;
	wake_later(call);
}

void bc_http_call_resume(struct bc_http_call *call)
{
	call->data_resumed = true;
	bc_http_call_resume_read(call);
}

void bc_http_call_cancel(struct bc_http_call *call)
{
	if (!call || call->concluded)
		return;
	if (call->client->inside > 0) {
		call->cancelled = call->client->doomed = true;
		return;
	}
	call_unlink(call);
	call_detach(call, false);
	call_free(call);
}

size_t bc_http_client_calls(const struct bc_http_client *c)
{
	return c->call_count;
}
