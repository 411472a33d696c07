/* SPDX-License-Identifier: MIT */
/*
 * Answers that stream. Small writes gather until the turn ends or the answer does, so a small
 * answer leaves with its head in one call; a large write takes with it what was gathered and is
 * copied only as far as the socket does not take it. While the socket is full, everything gathers.
 *
 * Invariants: what waits (gathered and with libuv) stays near BC_HTTP_STREAM_HIGH_BYTES when the
 * handler heeds it, and a handler that does not loses its connection at BC_HTTP_STREAM_MAX_BYTES.
 * Bytes leave in the order they were written. An answer to a peer that is gone is taken and
 * dropped. Left to others: the socket (http_respond.c), what comes after the answer
 * (http_exchange.c).
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "net/http_server_impl.h"

enum {
	CORK_BYTES = 8 * 1024,	   /* gathered within a turn, before it leaves anyway */
	GATHER_BYTES = 128 * 1024, /* gathered while the socket is full, before libuv gets it */
	KEPT_BYTES = 1024	   /* of the buffer, between writes and answers */
};

static struct bc_http_connection *of_request(const struct bc_http_request *req)
{
	return BC_CONTAINER(req, struct bc_http_connection, request);
}

static uv_buf_t text(const char *s)
{
	return uv_buf_init((char *)s, (unsigned int)strlen(s));
}

/* ---- bytes ---- */

static size_t waiting(const struct bc_http_connection *c)
{
	return uv_stream_get_write_queue_size(&c->io.stream) + c->answer.out.len;
}

static void empty_out(struct bc_buf *out)
{
	if (out->cap > KEPT_BYTES) {
		bc_buf_finish(out);
		bc_buf_init(out, BC_HTTP_STREAM_MAX_BYTES);
	} else if (out->len > 0) {
		bc_wipe(out->data, out->len);
		bc_buf_reset(out);
	}
}

/* What was gathered, then the parts. */
static void push(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n)
{
	struct bc_buf *out = &c->answer.out;
	uv_buf_t all[BC_HTTP_PARTS_MAX];
	unsigned int count = 0;

	if (out->len > 0)
		all[count++] = uv_buf_init(out->data, (unsigned int)out->len);
	while (n-- > 0)
		all[count++] = *parts++;
	for (unsigned int i = 0; i < count; i++)
		c->answer.pushed_bytes += all[i].len;
	if (count > 0)
		bc_http_send_parts(c, all, count);
	empty_out(out);
}

void bc_http_stream_uncork(struct bc_task *task)
{
	struct bc_http_connection *c = BC_CONTAINER(task, struct bc_http_connection, uncork);

	c->uncork_posted = false;
	if (c->state == BC_HTTP_STATE_CLOSING)
		bc_http_connection_free_if_over(c);
	else if (c->writes == 0)
		push(c, NULL, 0);
}

static void gather(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (bc_buf_add(&c->answer.out, parts[i].base, parts[i].len)) {
			bc_http_connection_close(c, "out of memory");
			return;
		}
	if (c->writes > 0 || c->uncork_posted)
		return;
	c->uncork_posted = true;
	bc_loop_at_turn_end(c->loop, &c->uncork);
}

static void add(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n)
{
	size_t len = c->answer.out.len;

	for (unsigned int i = 0; i < n; i++)
		len += parts[i].len;
	if (len <= (c->writes > 0 ? GATHER_BYTES : CORK_BYTES))
		gather(c, parts, n);
	else
		push(c, parts, n);
}

void bc_http_stream_refill(struct bc_http_connection *c)
{
	if (c->answer.out.len > 0)
		push(c, NULL, 0);
}

void bc_http_stream_drained(struct bc_http_connection *c)
{
	void (*drained)(void *ctx) = c->answer.drained;

	if (!drained)
		return;
	c->answer.drained = NULL;
	drained(c->answer.drained_ctx);
}

bool bc_http_stream_is_stuck(struct bc_http_connection *c)
{
	struct bc_http_answer_half *a = &c->answer;
	uint64_t taken = a->pushed_bytes - bc_http_unsent_bytes(c);

	if (c->writes == 0 || taken != a->taken_bytes)
		a->vain_looks = 0;
	else
		a->vain_looks++;
	a->taken_bytes = taken;
	return a->vain_looks >= BC_HTTP_STREAM_LOOKS_MAX;
}

/* ---- the answer ---- */

/* The header line that says where the body ends, and how it is marked. */
static void set_framing(struct bc_http_connection *c, int status, int64_t body_bytes,
			char line[static 48])
{
	struct bc_http_answer_half *a = &c->answer;

	line[0] = '\0';
	if (!bc_http_has_length(status))
		return;
	if (body_bytes >= 0)
		snprintf(line, 48, "Content-Length: %lld\r\n", (long long)body_bytes);
	else if (a->bodiless)
		return;
	else if (c->parser.http10)
		c->close_after = true;
	else
		a->chunked = true;
	if (a->chunked)
		snprintf(line, 48, "Transfer-Encoding: chunked\r\n");
}

static void start(struct bc_http_connection *c, int status, int64_t body_bytes)
{
	struct bc_buf out = c->answer.out;

	c->answer = (struct bc_http_answer_half){ .begun = true, .left = body_bytes, .out = out };
	c->answer.bodiless = !bc_http_sends_body(&c->request, status);
}

void bc_http_stream_begin(struct bc_http_request *req, int status, const char *extra,
			  int64_t body_bytes)
{
	struct bc_http_connection *c = of_request(req);
	char framing[48], head[BC_HTTP_HEAD_BYTES];
	uv_buf_t parts[3];

	BC_ASSERT(c->handling && !c->raw && !c->answer.begun);
	BC_ASSERT(status >= 200 && status <= 999);
	start(c, status, body_bytes);
	if (bc_http_connection_is_lost(c))
		return;
	if (c->wait == BC_HTTP_WAIT_NONE)
		bc_http_wait_for(c, BC_HTTP_WAIT_STREAM);
	/* Who is answered before the request is whole is not expected to finish it. */
	c->close_after = !c->parser.keep_alive || !bc_http_body_skip(c) || c->server->closing;
	set_framing(c, status, body_bytes, framing);
	size_t len = bc_http_format_head(c, status, framing, NULL, head);
	parts[0] = uv_buf_init(head, (unsigned int)len);
	parts[1] = text(extra ? extra : "");
	parts[2] = text("\r\n");
	add(c, parts, BC_COUNT(parts));
}

static void write_some(struct bc_http_connection *c, const void *bytes, size_t len)
{
	char size[24];
	uv_buf_t body = uv_buf_init((char *)bytes, (unsigned int)len);

	if (!c->answer.chunked) {
		add(c, &body, 1);
		return;
	}
	snprintf(size, sizeof(size), "%zx\r\n", len);
	const uv_buf_t chunk[] = { text(size), body, text("\r\n") };
	add(c, chunk, BC_COUNT(chunk));
}

static size_t write_to_peer(struct bc_http_connection *c, const void *bytes, size_t len)
{
	if (waiting(c) > BC_HTTP_STREAM_MAX_BYTES) {
		bc_http_connection_close(c, "the peer reads too slowly");
		return 0;
	}
	write_some(c, bytes, len);
	return bc_http_connection_is_lost(c) ? 0 : waiting(c);
}

size_t bc_http_stream_write(struct bc_http_request *req, const void *bytes, size_t len,
			    void (*drained)(void *ctx), void *ctx)
{
	struct bc_http_connection *c = of_request(req);
	struct bc_http_answer_half *a = &c->answer;

	BC_ASSERT(c->handling && a->begun && (len == 0 || !a->bodiless));
	if (a->left >= 0) {
		BC_ASSERT((uint64_t)len <= (uint64_t)a->left);
		a->left -= (int64_t)len;
	}
	if (bc_http_connection_is_lost(c))
		return 0;
	size_t wait = len > 0 ? write_to_peer(c, bytes, len) : waiting(c);
	if (wait > BC_HTTP_STREAM_HIGH_BYTES) {
		a->drained = drained;
		a->drained_ctx = ctx;
	}
	return wait;
}

size_t bc_http_stream_unsent(const struct bc_http_request *req)
{
	const struct bc_http_connection *c = of_request(req);

	return bc_http_connection_is_lost(c) ? 0 : bc_http_unsent_bytes(c) + c->answer.out.len;
}

bool bc_http_peer_ended(const struct bc_http_request *req)
{
	return of_request(req)->eof;
}

void bc_http_stream_end(struct bc_http_request *req)
{
	struct bc_http_connection *c = of_request(req);
	uv_buf_t last = text("0\r\n\r\n");

	BC_ASSERT(c->handling && c->answer.begun);
	if (c->answer.left > 0 && !c->answer.bodiless) {
		bc_http_stream_abort(req);
		return;
	}
	if (!bc_http_connection_is_lost(c))
		push(c, &last, c->answer.chunked ? 1 : 0);
	bc_http_connection_answered(c);
}

/* Would an orderly close look like the answer's end? */
static bool looks_whole(const struct bc_http_answer_half *a)
{
	return a->bodiless || a->left == 0 || (a->left < 0 && !a->chunked);
}

void bc_http_stream_abort(struct bc_http_request *req)
{
	struct bc_http_connection *c = of_request(req);

	BC_ASSERT(c->handling && !c->raw);
	if (!c->answer.begun) {
		bc_http_close_raw(req, false);
		return;
	}
	c->close_after = true;
	if (!bc_http_connection_is_lost(c)) {
		push(c, NULL, 0);
		if (looks_whole(&c->answer))
			bc_http_connection_reset(c);
	}
	bc_http_connection_answered(c);
}
