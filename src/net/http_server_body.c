/* SPDX-License-Identifier: MIT */
/*
 * Request bodies that stream, and all that a handler is told after its call: data, the body's end,
 * that the peer has gone.
 *
 * Invariants: the peer is read while the handler takes; before that until something comes, and once
 * the body is whole to learn of its end. Bytes that came too early, and those behind the body, wait
 * in the input buffer; while any do, nothing overtakes them. Data is handed over from the server's
 * one scratch buffer, so a stream costs no memory of its own. Nothing is told from within a call of
 * the handler's. A callback may answer the request: whatever follows one looks at c->handling
 * first. Left to others: the coding (http_parse.c), deadlines, the answer.
 */
#include <poll.h>
#include <string.h>

#include "base/secret.h"
#include "net/http_server_impl.h"

static struct bc_http_connection *of_request(const struct bc_http_request *req)
{
	return BC_CONTAINER(req, struct bc_http_connection, request);
}

static bool still_comes(const struct bc_http_connection *c)
{
	return c->state == BC_HTTP_STATE_STREAMING;
}

/* ---- what the handler gets ---- */

static void end_body(struct bc_http_connection *c, bool whole)
{
	c->body.intake = BC_HTTP_INTAKE_NONE;
	c->body.to.end(c->body.to.ctx, whole);
}

static void tell_end(struct bc_http_connection *c)
{
	if (c->body.intake == BC_HTTP_INTAKE_TAKING && c->body.whole)
		end_body(c, true);
	else if (c->body.intake > BC_HTTP_INTAKE_HELD && !c->body.whole &&
		 bc_http_connection_is_lost(c))
		end_body(c, false);
}

static void pause_body(struct bc_http_connection *c)
{
	c->body.intake = BC_HTTP_INTAKE_PAUSED;
	if (!still_comes(c))
		return;
	c->body.took_ms += bc_http_now(c->server) - c->body.since_ms;
	bc_http_connection_read_stop(c);
}

static void give(struct bc_http_connection *c, const char *bytes, size_t len)
{
	c->body.resumed = false;
	bool more = c->body.to.data(c->body.to.ctx, (struct bc_str){ bytes, len });
	if (!c->handling || more || c->body.resumed)
		return;
	pause_body(c);
}

/* All has come. What is left in the input is the next request; its peer is read on, as with any
 * request under way, only to learn of its end. */
static void become_whole(struct bc_http_connection *c)
{
	c->body.whole = true;
	c->state = BC_HTTP_STATE_HANDLING;
	if (c->in.len > 0)
		bc_http_connection_read_stop(c);
	else
		bc_http_connection_read(c);
}

/* Undoes the coding of data, which was read into the scratch buffer or (held) copied there from the
 * input, and hands it over. */
static void pass_on(struct bc_http_connection *c, char *data, size_t len, bool held)
{
	size_t used, body;
	enum bc_http_parsed parsed = bc_http_parser_unwrap(&c->parser, data, len, &used, &body);

	c->body.bytes += used;
	if (parsed == BC_HTTP_REFUSED) {
		bc_http_connection_overrule(c, c->parser.refusal.status, c->parser.refusal.why);
		return;
	}
	if (held) {
		bc_http_connection_drop_input(c, used);
	} else if (bc_buf_add(&c->in, data + used, len - used)) {
		bc_http_connection_close(c, "out of memory");
		return;
	}
	if (parsed == BC_HTTP_READY)
		become_whole(c);
	if (body > 0)
		give(c, data, body);
	if (c->handling)
		tell_end(c);
}

static bool takes_more(const struct bc_http_connection *c)
{
	return c->handling && c->body.intake == BC_HTTP_INTAKE_TAKING && still_comes(c);
}

static void hold(struct bc_http_connection *c, const char *bytes, size_t len)
{
	if (bc_buf_add(&c->in, bytes, len))
		bc_http_connection_close(c, "out of memory");
	else
		bc_http_connection_read_stop(c);
}

void bc_http_body_take(struct bc_http_connection *c, char *bytes, size_t len)
{
	if (takes_more(c) && c->in.len == 0)
		pass_on(c, bytes, len, false);
	else
		hold(c, bytes, len);
}

static void cut_short(struct bc_http_connection *c)
{
	bc_http_connection_overrule(c, 400, "the request ends before it is whole");
}

void bc_http_body_no_more(struct bc_http_connection *c)
{
	if (takes_more(c) && c->in.len == 0)
		cut_short(c);
	else
		bc_http_look_for_peer(c);
}

static void give_held(struct bc_http_connection *c)
{
	while (takes_more(c) && c->in.len > 0) {
		struct bc_http_server *s = c->server;
		size_t len = c->in.len < sizeof(s->scratch) ? c->in.len : sizeof(s->scratch);
		memcpy(s->scratch, c->in.data, len);
		pass_on(c, s->scratch, len, true);
		bc_wipe(s->scratch, len);
	}
	if (takes_more(c) && c->eof)
		cut_short(c);
	else if (takes_more(c))
		bc_http_connection_read(c);
}

static void tell_gone(struct bc_http_connection *c)
{
	void (*gone)(void *ctx) = c->gone;

	if (!gone || !bc_http_connection_is_lost(c))
		return;
	c->gone = NULL;
	gone(c->gone_ctx);
}

/* Whoever waits for a peer that is gone goes on: what he writes is dropped. */
static void tell_drained(struct bc_http_connection *c)
{
	if (bc_http_connection_is_lost(c))
		bc_http_stream_drained(c);
}

static void (*const tell[])(struct bc_http_connection *c) = { give_held, tell_end, tell_gone,
							      tell_drained };

void bc_http_stream_tell(struct bc_http_connection *c)
{
	c->telling = true;
	for (size_t i = 0; i < BC_COUNT(tell) && c->handling; i++)
		tell[i](c);
	c->telling = false;
}

/* ---- what the handler wants ---- */

void bc_http_body_begin(struct bc_http_connection *c)
{
	c->body = (struct bc_http_body_half){ .streams = true,
					      .whole = c->parser.announced == 0,
					      .intake = BC_HTTP_INTAKE_HELD };
	bc_http_connection_drop_input(c, bc_http_parser_end(&c->parser));
	bc_http_wait_for(c, BC_HTTP_WAIT_STREAM);
	if (!c->body.whole)
		c->state = BC_HTTP_STATE_STREAMING;
}

static void take_up(struct bc_http_connection *c)
{
	c->body.intake = BC_HTTP_INTAKE_TAKING;
	if (still_comes(c))
		c->body.since_ms = bc_http_now(c->server);
	if (still_comes(c) && c->in.len == 0 && !c->eof)
		bc_http_connection_read(c);
	else
		bc_http_connection_post(c);
}

int64_t bc_http_body_announced(const struct bc_http_request *req)
{
	return of_request(req)->parser.announced;
}

void bc_http_body_read(struct bc_http_request *req, const struct bc_http_body *body)
{
	struct bc_http_connection *c = of_request(req);

	BC_ASSERT(c->handling && c->body.intake == BC_HTTP_INTAKE_HELD);
	c->body.to = *body;
	if (c->parser.expect_continue && still_comes(c) && c->in.len == 0 && !c->answer.begun)
		bc_http_send_continue(c);
	take_up(c);
}

void bc_http_body_resume(struct bc_http_request *req)
{
	struct bc_http_connection *c = of_request(req);

	c->body.resumed = true;
	if (c->body.intake != BC_HTTP_INTAKE_PAUSED)
		return;
	take_up(c);
	if (bc_http_body_is_late(c))
		bc_http_connection_overrule(c, 408, bc_http_body_late);
}

bool bc_http_body_skip(struct bc_http_connection *c)
{
	size_t used, body;

	if (c->body.intake == BC_HTTP_INTAKE_HELD)
		c->body.intake = BC_HTTP_INTAKE_NONE;
	/* Whoever takes it gets it. */
	while (c->body.intake == BC_HTTP_INTAKE_NONE && still_comes(c) && c->in.len > 0) {
		enum bc_http_parsed parsed =
			bc_http_parser_unwrap(&c->parser, c->in.data, c->in.len, &used, &body);
		if (parsed == BC_HTTP_REFUSED)
			return false;
		bc_http_connection_drop_input(c, used);
		if (parsed == BC_HTTP_READY)
			c->state = BC_HTTP_STATE_HANDLING;
	}
	return !still_comes(c);
}

/* ---- looks ---- */

const char bc_http_body_late[] = "the request body comes too slowly";

/* Time counts only while the handler takes: pauses are his. */
bool bc_http_body_is_late(const struct bc_http_connection *c)
{
	const struct bc_http_server *s = c->server;

	if (!takes_more(c))
		return false;
	uint64_t took_ms = c->body.took_ms + bc_http_now(s) - c->body.since_ms;
	uint64_t grace_ms = s->waits[BC_HTTP_WAIT_BODY_GRACE].period_ms;
	return took_ms >= grace_ms &&
	       (c->body.bytes == 0 ||
		c->body.bytes < (took_ms - grace_ms) * s->options.body_min_rate / 1000);
}

/*
 * The end of a peer's side means that it left, or that it sent all it had to say and reads on; TCP
 * shows no difference until something is sent. So something is, that any client of HTTP/1.1 has to
 * skip (RFC 9110 15.2.1): who has left answers with a reset. An HTTP/1.0 peer gets nothing, and is
 * missed when the answer is written.
 */
static void probe(struct bc_http_connection *c)
{
	if (c->probed || c->answer.begun || c->raw || c->server->is_unix || c->parser.http10 ||
	    c->writes > 0)
		return;
	c->probed = true;
	bc_http_send_continue(c);
}

void bc_http_look_for_peer(struct bc_http_connection *c)
{
	struct pollfd peer = { .events = POLLRDHUP };

	if (c->reading || !c->gone || uv_fileno(&c->io.handle, &peer.fd) < 0 ||
	    poll(&peer, 1, 0) <= 0)
		return;
	if (peer.revents & (POLLERR | POLLHUP))
		bc_http_connection_close(c, "the peer went");
	else
		probe(c);
}

void bc_http_on_gone(struct bc_http_request *req, void (*gone)(void *ctx), void *ctx)
{
	struct bc_http_connection *c = of_request(req);

	BC_ASSERT(c->handling);
	c->gone = gone;
	c->gone_ctx = ctx;
	if (bc_http_connection_is_lost(c))
		bc_http_connection_post(c);
	else if (c->wait == BC_HTTP_WAIT_NONE)
		bc_http_wait_for(c, BC_HTTP_WAIT_STREAM);
}
