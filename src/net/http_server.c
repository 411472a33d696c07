/* SPDX-License-Identifier: MIT */
/*
 * The server itself: its making, the acceptance or refusal of connections, and its end.
 *
 * Invariants: the connections in the wait lists are all there are (count); no more than
 * connections_max of them are served, and a few more exist only to be told 503. done is called
 * once, from a posted task, when the listener and all connections are gone. Left to others: all
 * that happens on a connection.
 */
#include "net/http_server.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/http_server_impl.h"

static void on_connection(uv_stream_t *listener, int status);

/* ---- the way out for a connection that there is no memory for ---- */

static void accept_to_drop(struct bc_http_server *s);

static void on_spare_closed(uv_handle_t *handle)
{
	struct bc_http_server *s = handle->data;

	s->spare_busy = false;
	if (s->spare_wanted && !s->closing)
		accept_to_drop(s);
	bc_http_server_check_done(s);
}

static void accept_to_drop(struct bc_http_server *s)
{
	uv_loop_t *loop = bc_loop_uv(s->loop);

	s->spare_wanted = s->spare_busy;
	if (s->spare_busy)
		return;
	if (s->is_unix)
		uv_pipe_init(loop, &s->spare.pipe, 0);
	else
		uv_tcp_init(loop, &s->spare.tcp);
	s->spare.handle.data = s;
	s->spare_busy = true;
	int rc = uv_accept(&s->listener.stream, &s->spare.stream);
	bc_log_debug("http.dropped", BC_LS("reason", rc < 0 ? uv_err_name(rc) : "out of memory"));
	uv_close(&s->spare.handle, on_spare_closed);
}

/* ---- acceptance ---- */

static void refuse_connection(struct bc_http_connection *c)
{
	struct bc_http_server *s = c->server;

	c->over_limit = true;
	if (++s->over_limit > BC_HTTP_REFUSED_MAX)
		bc_http_connection_close(c, "too many connections");
	else
		bc_http_connection_refuse(c, 503, "too many connections: try again later");
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct bc_http_server *s = listener->data;
	const struct bc_http_server_options *o = &s->options;

	if (status < 0) {
		bc_log_debug("http.accept_failed", BC_LS("reason", uv_err_name(status)));
		return;
	}
	struct bc_http_connection *c = bc_http_connection_accept(s);
	if (!c)
		accept_to_drop(s);
	else if (o->accept && !o->accept(o->ctx))
		bc_http_connection_reset(c);
	else if (s->count - s->over_limit > o->connections_max)
		refuse_connection(c);
	else
		bc_http_connection_start(c);
}

/* ---- making ---- */

static void set_default(uint32_t *value, uint32_t standard)
{
	if (*value == 0)
		*value = standard;
}

static void set_options(struct bc_http_server *s, const struct bc_http_server_options *options)
{
	struct bc_http_server_options *o = &s->options;

	*o = *options;
	o->listen = NULL;
	set_default(&o->head_max_bytes, 16 * 1024);
	set_default(&o->body_max_bytes, 64 * 1024);
	set_default(&o->connections_max, 4096);
	set_default(&o->head_timeout_ms, 10000);
	set_default(&o->idle_timeout_ms, 75000);
	set_default(&o->body_min_rate, 1024);
	s->limits = (struct bc_http_limits){ o->head_max_bytes, o->body_max_bytes };
}

static void destroy(struct bc_http_server *s)
{
	bc_timer_destroy(s->tick);
	bc_wipe(s, sizeof(*s));
	free(s);
}

static void on_failed_listener_closed(uv_handle_t *handle)
{
	destroy(handle->data);
}

static void run_done(struct bc_task *task)
{
	struct bc_http_server *s = BC_CONTAINER(task, struct bc_http_server, done_task);
	void (*done)(void *ctx) = s->done;
	void *ctx = s->done_ctx;

	destroy(s);
	if (done)
		done(ctx);
}

int bc_http_server_create(struct bc_loop *loop, const struct bc_http_server_options *options,
			  struct bc_http_server **ret_server, struct bc_err *err)
{
	struct bc_http_server *s = calloc(1, sizeof(*s));
	bool initialised = false;
	int rc;

	if (!s)
		return bc_err_nomem(err);
	s->loop = loop;
	s->done_task.run = run_done;
	set_options(s, options);
	if (bc_http_waits_init(s)) {
		destroy(s);
		return bc_err_nomem(err);
	}
	rc = bc_http_listen(s, options->listen, on_connection, &initialised, err);
	if (rc == 0) {
		*ret_server = s;
		return 0;
	}
	if (initialised)
		uv_close(&s->listener.handle, on_failed_listener_closed);
	else
		destroy(s);
	return rc;
}

const char *bc_http_server_address(const struct bc_http_server *s)
{
	return s->address;
}

size_t bc_http_server_connections(const struct bc_http_server *s)
{
	return s->count;
}

/* ---- the end ---- */

void bc_http_server_check_done(struct bc_http_server *s)
{
	if (!s->closing || !s->listener_closed || s->spare_busy || s->count > 0 || s->done_posted)
		return;
	s->done_posted = true;
	bc_loop_post(s->loop, &s->done_task);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct bc_http_server *s = handle->data;

	s->listener_closed = true;
	bc_http_server_check_done(s);
}

static bool is_idle(const struct bc_http_connection *c)
{
	return c->state == BC_HTTP_STATE_IDLE && !bc_http_parser_begun(&c->parser, &c->in);
}

void bc_http_server_close_idle(struct bc_http_server *s, bool new_ones_too)
{
	static const enum bc_http_wait idle_waits[] = { BC_HTTP_WAIT_NEXT, BC_HTTP_WAIT_HEAD };
	struct bc_http_connection *next;

	for (size_t i = 0; i < BC_COUNT(idle_waits); i++)
		for (struct bc_http_connection *c = s->waits[idle_waits[i]].first; c; c = next) {
			next = c->next;
			if (is_idle(c) && (c->requests || new_ones_too))
				bc_http_connection_close(c, "the server stops");
		}
}

void bc_http_server_close(struct bc_http_server *s, uint64_t grace_ms, void (*done)(void *ctx),
			  void *ctx)
{
	BC_ASSERT(!s->closing);
	s->closing = true;
	s->done = done;
	s->done_ctx = ctx;
	uv_close(&s->listener.handle, on_listener_closed);
	bc_http_server_close_idle(s, false);
	bc_http_waits_cut_at(s, grace_ms);
}
