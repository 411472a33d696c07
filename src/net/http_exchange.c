/* SPDX-License-Identifier: MIT */
/*
 * What passes over a connection: bytes in, requests out to the handler, and on to the next when one
 * is answered.
 *
 * Invariants: one request is under way at a time. What comes meanwhile is kept (one read at most)
 * and stops the reading, so a peer that pipelines waits in its own socket. The handler is called
 * from here only, never from within an answer: an answer given later leaves a task when more
 * requests wait. The input buffer starts with the message under way and does not move while the
 * handler has it; of one whose body streams it holds only what the handler did not take yet.
 * Left to others: parsing, bodies that stream, deadlines, writing, the close.
 */
#include "net/http_server_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	struct bc_http_server *s = ((struct bc_http_connection *)handle->data)->server;

	(void)suggested;
	*ret_buf = uv_buf_init(s->scratch, sizeof(s->scratch));
}

static void drain(struct bc_http_connection *c, size_t len)
{
	c->drained_bytes += len;
	if (c->drained_bytes > BC_HTTP_DRAIN_MAX)
		bc_http_connection_close(c, "answered, and the peer kept sending");
}

/* Bytes of a request that has to wait for the one under way. */
static void keep_for_later(struct bc_http_connection *c, char *bytes, size_t len)
{
	if (c->raw) {
		drain(c, len);
		return;
	}
	if (bc_buf_add(&c->later, bytes, len)) {
		bc_http_connection_close(c, "out of memory");
		return;
	}
	bc_http_connection_read_stop(c);
}

static void take(struct bc_http_connection *c, char *bytes, size_t len)
{
	if (bc_buf_add(&c->in, bytes, len)) {
		bc_http_connection_refuse(c, 503, "out of memory");
		return;
	}
	if (c->state == BC_HTTP_STATE_BODY)
		c->body_raw_bytes += len;
	bc_http_connection_advance(c);
}

/* The peer ended its side. It may still read: a request under way gets its answer. */
static void on_end(struct bc_http_connection *c)
{
	c->eof = true;
	c->reading = false;
	if (c->state == BC_HTTP_STATE_LINGER)
		bc_http_connection_close(c, "answered");
	else if (c->state == BC_HTTP_STATE_STREAMING)
		bc_http_body_no_more(c);
	else if (c->state == BC_HTTP_STATE_HANDLING)
		bc_http_look_for_peer(c);
	else if (c->state > BC_HTTP_STATE_BODY || c->resume_posted)
		return;
	else if (bc_http_parser_begun(&c->parser, &c->in))
		bc_http_connection_refuse(c, 400, "the request ends before it is whole");
	else
		bc_http_connection_close(c, "the peer closed");
}

static void ignore(struct bc_http_connection *c, char *bytes, size_t len)
{
	(void)bytes;
	drain(c, len);
}

static void (*const take_in_state[])(struct bc_http_connection *c, char *bytes, size_t len) = {
	[BC_HTTP_STATE_IDLE] = take,
	[BC_HTTP_STATE_HEAD] = take,
	[BC_HTTP_STATE_BODY] = take,
	[BC_HTTP_STATE_STREAMING] = bc_http_body_take,
	[BC_HTTP_STATE_HANDLING] = keep_for_later,
	[BC_HTTP_STATE_WRITING] = keep_for_later,
	[BC_HTTP_STATE_LINGER] = ignore,
};

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct bc_http_connection *c = stream->data;

	if (n > 0) {
		take_in_state[c->state](c, buf->base, (size_t)n);
		bc_wipe(buf->base, (size_t)n);
	} else if (n == UV_EOF) {
		on_end(c);
	} else if (n < 0) {
		bc_http_connection_close(c, uv_err_name((int)n));
	}
}

void bc_http_connection_read(struct bc_http_connection *c)
{
	if (c->reading || c->eof)
		return;
	if (uv_read_start(&c->io.stream, on_alloc, on_read) < 0)
		bc_http_connection_close(c, "cannot read");
	else
		c->reading = true;
}

void bc_http_connection_read_stop(struct bc_http_connection *c)
{
	uv_read_stop(&c->io.stream);
	c->reading = false;
}

void bc_http_connection_drop_input(struct bc_http_connection *c, size_t n)
{
	bc_buf_drop(&c->in, n);
	if (c->in.data)
		bc_wipe(c->in.data + c->in.len + 1, n);
}

void bc_http_connection_post(struct bc_http_connection *c)
{
	if (c->resume_posted)
		return;
	c->resume_posted = true;
	bc_loop_at_turn_end(c->loop, &c->resume);
}

/* ---- requests ---- */

void bc_http_connection_begin(struct bc_http_connection *c)
{
	struct bc_http_server *s = c->server;

	bc_http_parser_begin(&c->parser, &s->limits, &c->request, 0);
	c->parser.streams = s->options.streams;
	c->parser.streams_ctx = s->options.ctx;
}

static void handle(struct bc_http_connection *c)
{
	struct bc_http_server *s = c->server;

	c->state = BC_HTTP_STATE_HANDLING;
	c->handling = true;
	c->raw = false;
	c->probed = false;
	c->body.streams = false;
	c->answer.begun = false;
	c->requests++;
	if (c->parser.stage == BC_HTTP_STREAMED)
		bc_http_body_begin(c);
	else
		bc_http_wait_for(c, BC_HTTP_WAIT_NONE);
	bc_http_set_id(s, &c->request);
	s->options.handler(s->options.ctx, &c->request);
}

/* The message is not whole: what do we wait for? */
static void wait_for_more(struct bc_http_connection *c)
{
	bool in_body = c->parser.stage != BC_HTTP_HEAD;

	if (c->eof) {
		on_end(c);
		return;
	}
	if (in_body && c->state != BC_HTTP_STATE_BODY) {
		c->state = BC_HTTP_STATE_BODY;
		c->body_since_ms = bc_http_now(c->server);
		c->body_raw_bytes = c->in.len - c->parser.body_start;
		bc_http_wait_for(c, BC_HTTP_WAIT_BODY_GRACE);
	} else if (c->state == BC_HTTP_STATE_IDLE && bc_http_parser_begun(&c->parser, &c->in)) {
		c->state = BC_HTTP_STATE_HEAD;
		if (c->wait != BC_HTTP_WAIT_HEAD)
			bc_http_wait_for(c, BC_HTTP_WAIT_HEAD);
	}
	if (in_body && c->parser.expect_continue && c->in.len == c->parser.body_start)
		bc_http_send_continue(c);
	c->parser.expect_continue = false;
}

/* Reads one message off the buffer. false: nothing more to be had now. */
static bool advance_once(struct bc_http_connection *c)
{
	if (c->in.len > 0 && c->request.started_ms == 0)
		c->request.started_ms = bc_elapsed_ms(&bc_clock_system);
	switch (bc_http_parse(&c->parser, &c->in)) {
	case BC_HTTP_READY:
		handle(c);
		return true;
	case BC_HTTP_REFUSED:
		bc_http_connection_refuse(c, c->parser.refusal.status, c->parser.refusal.why);
		return false;
	default:
		wait_for_more(c);
		return false;
	}
}

void bc_http_connection_advance(struct bc_http_connection *c)
{
	bool more = true;

	c->advancing = true;
	while (more && c->state <= BC_HTTP_STATE_BODY)
		more = advance_once(c);
	c->advancing = false;
}

void bc_http_connection_refuse(struct bc_http_connection *c, int status, const char *why)
{
	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	bc_log_debug("http.refused", BC_LS("peer", c->peer), BC_LU("status", (uint64_t)status),
		     BC_LS("reason", why));
	c->state = BC_HTTP_STATE_HANDLING;
	c->close_after = true;
	bc_http_send_error(c, status, why);
	bc_http_connection_answered(c);
}

/* Forgets the message that was answered and takes up what came meanwhile. */
static void begin_next(struct bc_http_connection *c)
{
	/* Of one whose body streamed nothing is left. */
	bc_http_connection_drop_input(c, c->body.streams ? 0 : bc_http_parser_end(&c->parser));
	if (c->in.len == 0 && c->in.cap > BC_HTTP_KEPT_BYTES) {
		bc_buf_finish(&c->in);
		bc_buf_init(&c->in, c->in_max);
	}
	if (c->later.len > 0 && bc_buf_add(&c->in, c->later.data, c->later.len)) {
		bc_http_connection_close(c, "out of memory");
		return;
	}
	if (c->later.data) {
		bc_buf_finish(&c->later);
		bc_buf_init(&c->later, BC_HTTP_SCRATCH_BYTES);
	}
	c->state = BC_HTTP_STATE_IDLE;
	bc_http_connection_begin(c);
	bc_http_wait_for(c, BC_HTTP_WAIT_NEXT);
	bc_http_connection_read(c);
}

void bc_http_connection_written(struct bc_http_connection *c)
{
	/* The server may have begun to stop while the answer was being written. */
	if (c->close_after || c->server->closing) {
		bc_http_connection_linger(c);
		return;
	}
	begin_next(c);
	if (c->advancing || c->state == BC_HTTP_STATE_CLOSING)
		return;
	if (c->in.len > 0 || c->eof)
		bc_http_connection_post(c);
}

/* An answer is sent or queued. */
static void go_on(struct bc_http_connection *c)
{
	if (c->state == BC_HTTP_STATE_CLOSING) {
		bc_http_connection_free_if_over(c);
	} else if (c->writes > 0) {
		c->state = BC_HTTP_STATE_WRITING;
		c->queue_seen = bc_http_unsent_bytes(c);
		/* A streamed one is looked at already. */
		if (c->wait != BC_HTTP_WAIT_STREAM)
			bc_http_wait_for(c, BC_HTTP_WAIT_WRITE);
	} else {
		bc_http_connection_written(c);
	}
}

void bc_http_connection_overrule(struct bc_http_connection *c, int status, const char *why)
{
	if (bc_http_connection_is_lost(c))
		return;
	if (c->answer.begun) {
		bc_http_connection_close(c, why);
		return;
	}
	bc_log_debug("http.refused", BC_LS("peer", c->peer), BC_LU("status", (uint64_t)status),
		     BC_LS("reason", why));
	c->lost = true;
	c->close_after = true;
	bc_http_send_error(c, status, why);
	bc_http_connection_post(c);
	go_on(c);
}

void bc_http_connection_answered(struct bc_http_connection *c)
{
	bool lost = c->lost;

	c->handling = false;
	c->lost = false;
	c->gone = NULL;
	c->body.intake = BC_HTTP_INTAKE_NONE;
	c->answer.drained = NULL;
	bc_arena_reset(c->arena);
	/* The server's own answer is on its way, in place of this one. */
	if (lost && c->state != BC_HTTP_STATE_CLOSING)
		return;
	go_on(c);
}

void bc_http_connection_resume(struct bc_task *task)
{
	struct bc_http_connection *c = BC_CONTAINER(task, struct bc_http_connection, resume);

	c->resume_posted = false;
	if (c->handling)
		bc_http_stream_tell(c);
	if (c->state == BC_HTTP_STATE_CLOSING)
		bc_http_connection_free_if_over(c);
	else if (!c->handling && c->state <= BC_HTTP_STATE_BODY)
		bc_http_connection_advance(c);
}
