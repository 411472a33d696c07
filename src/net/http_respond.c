/* SPDX-License-Identifier: MIT */
/*
 * Answers. One is a head on the stack and slices of the caller's, handed to the socket in one call;
 * only what the socket does not take is copied. Every answer names its request id, and its length
 * unless its status has none.
 *
 * Left to others: answers that stream (http_server_stream.c), what becomes of the connection
 * afterwards (http_exchange.c).
 */
#include "net/http_server_impl.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/secret.h"

enum { ID_RANDOM_BYTES = 16 };

/* What the socket did not take at once. */
struct queued {
	uv_write_t uv;
	struct bc_http_connection *c; /* borrowed; outlives it: libuv ends writes before a close */
	size_t len;
	char bytes[];
};

static struct bc_http_connection *of_request(const struct bc_http_request *req)
{
	return BC_CONTAINER(req, struct bc_http_connection, request);
}

/* ---- bytes to the socket ---- */

static void on_written(uv_write_t *uv, int status)
{
	struct queued *q = uv->data;
	struct bc_http_connection *c = q->c;

	bc_wipe(q->bytes, q->len);
	free(q);
	c->writes--;
	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	if (status < 0)
		bc_http_connection_close(c, uv_err_name(status));
	else if (c->writes == 0)
		bc_http_stream_refill(c);
	if (c->writes > 0 || c->state == BC_HTTP_STATE_CLOSING)
		return;
	if (c->state == BC_HTTP_STATE_WRITING)
		bc_http_connection_written(c);
	else if (c->wait == BC_HTTP_WAIT_WRITE)
		bc_http_wait_for(c, BC_HTTP_WAIT_NONE);
	else
		bc_http_stream_drained(c);
}

/* Copies the parts without their first skip bytes. */
static void copy_parts(char *to, const uv_buf_t *parts, unsigned int n, size_t skip)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t passed = skip < parts[i].len ? skip : parts[i].len;
		size_t left = parts[i].len - passed;

		if (left)
			memcpy(to, parts[i].base + passed, left);
		to += left;
		skip -= passed;
	}
}

static void queue_parts(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n,
			size_t skip, size_t len)
{
	struct queued *q = malloc(sizeof(*q) + len);
	uv_buf_t buf;

	if (!q) {
		bc_http_connection_close(c, "out of memory");
		return;
	}
	q->c = c;
	q->len = len;
	q->uv.data = q;
	copy_parts(q->bytes, parts, n, skip);
	buf = uv_buf_init(q->bytes, (unsigned int)len);
	int rc = uv_write(&q->uv, &c->io.stream, &buf, 1, on_written);
	if (rc < 0) {
		free(q);
		bc_http_connection_close(c, uv_err_name(rc));
		return;
	}
	c->writes++;
}

void bc_http_send_parts(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n)
{
	size_t len = 0;
	int sent = UV_EAGAIN;

	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	for (unsigned int i = 0; i < n; i++)
		len += parts[i].len;
	if (c->writes == 0)
		sent = uv_try_write(&c->io.stream, parts, n);
	if (sent < 0 && sent != UV_EAGAIN)
		bc_http_connection_close(c, uv_err_name(sent));
	else if (sent < 0)
		queue_parts(c, parts, n, 0, len);
	else if ((size_t)sent < len)
		queue_parts(c, parts, n, (size_t)sent, len - (size_t)sent);
}

/* A full socket says nothing until a third of it is free, which a slow peer may take minutes for:
 * so what the kernel has counts, too. */
size_t bc_http_unsent_bytes(const struct bc_http_connection *c)
{
	int fd, in_kernel = 0;

	if (uv_fileno(&c->io.handle, &fd) < 0 || ioctl(fd, SIOCOUTQ, &in_kernel) < 0)
		in_kernel = 0;
	return uv_stream_get_write_queue_size(&c->io.stream) + (size_t)in_kernel;
}

/* ---- request ids ---- */

static bool is_sane_id(struct bc_str id)
{
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.ptr[i];
		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) &&
		    (c == '\0' || !strchr("._-", c)))
			return false;
	}
	return id.len > 0 && id.len < sizeof(((struct bc_http_request *)0)->id);
}

/* Random numbers are fetched for many ids at once: asking the kernel each time costs more than
 * parsing. */
static void make_id(struct bc_http_server *s, char *ret_id)
{
	if (s->random_left < ID_RANDOM_BYTES) {
		bc_random(s->random, sizeof(s->random));
		s->random_left = sizeof(s->random);
	}
	s->random_left -= ID_RANDOM_BYTES;
	bc_hex((const uint8_t *)s->random + s->random_left, ID_RANDOM_BYTES, ret_id);
}

void bc_http_set_id(struct bc_http_server *s, struct bc_http_request *req)
{
	struct bc_str theirs = bc_http_header(req, "X-Request-Id");

	if (theirs.ptr && is_sane_id(theirs)) {
		memcpy(req->id, theirs.ptr, theirs.len);
		req->id[theirs.len] = '\0';
	} else {
		make_id(s, req->id);
	}
}

/* ---- whole answers ---- */

struct answer {
	int status;
	const char *content_type;
	const char *extra;
	struct bc_str body;
};

bool bc_http_has_length(int status)
{
	return status != 204 && status != 304;
}

bool bc_http_sends_body(const struct bc_http_request *req, int status)
{
	return bc_http_has_length(status) && !(req->method && strcmp(req->method, "HEAD") == 0);
}

static const char *connection_line(const struct bc_http_connection *c)
{
	if (c->close_after)
		return "Connection: close\r\n";
	return c->parser.http10 ? "Connection: keep-alive\r\n" : "";
}

size_t bc_http_format_head(const struct bc_http_connection *c, int status, const char *framing,
			   const char *content_type, char head[BC_HTTP_HEAD_BYTES])
{
	const char digits[] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
				(char)('0' + status % 10), '\0' };
	const char *const words[] = {
		"HTTP/1.1 ",
		digits,
		" ",
		bc_http_reason(status),
		"\r\nX-Request-Id: ",
		c->request.id,
		"\r\n",
		framing,
		connection_line(c),
		content_type ? "Content-Type: " : "",
		content_type ? content_type : "",
		content_type ? "\r\n" : "",
	};
	size_t len = 0;

	/* By hand: it is on every request's way, and printf costs as much as all of parsing. */
	for (size_t i = 0; i < BC_COUNT(words); i++) {
		size_t more = strlen(words[i]);

		/* a content type is the caller's constant */
		BC_ASSERT(more < BC_HTTP_HEAD_BYTES - len);
		memcpy(head + len, words[i], more);
		len += more;
	}
	return len;
}

static void send_answer(struct bc_http_connection *c, const struct answer *a)
{
	char head[BC_HTTP_HEAD_BYTES], length[48] = "";
	uv_buf_t parts[BC_HTTP_PARTS_MAX];
	unsigned int n = 0;

	if (bc_http_has_length(a->status))
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", a->body.len);
	size_t len = bc_http_format_head(c, a->status, length, a->content_type, head);
	parts[n++] = uv_buf_init(head, (unsigned int)len);
	if (a->extra && a->extra[0])
		parts[n++] = uv_buf_init((char *)a->extra, (unsigned int)strlen(a->extra));
	parts[n++] = uv_buf_init((char *)"\r\n", 2);
	if (a->body.len > 0 && bc_http_sends_body(&c->request, a->status))
		parts[n++] = uv_buf_init((char *)a->body.ptr, (unsigned int)a->body.len);
	bc_http_send_parts(c, parts, n);
}

void bc_http_respond(struct bc_http_request *req, int status, const char *content_type,
		     const char *extra, const void *body, size_t body_bytes)
{
	struct bc_http_connection *c = of_request(req);
	struct answer answer = { status, content_type, extra, { body, body_bytes } };

	BC_ASSERT(c->handling && !c->raw && !c->answer.begun);
	BC_ASSERT(status >= 200 && status <= 999);
	c->body.intake = BC_HTTP_INTAKE_NONE;
	if (!bc_http_connection_is_lost(c)) {
		c->close_after =
			!c->parser.keep_alive || c->server->closing || !bc_http_body_skip(c);
		send_answer(c, &answer);
	}
	bc_http_connection_answered(c);
}

void bc_http_send_error(struct bc_http_connection *c, int status, const char *why)
{
	const struct bc_http_server_options *o = &c->server->options;
	struct answer answer = { .status = status,
				 .extra = status == 503 ? "Retry-After: 1\r\n" : NULL };

	if (o->describe_error)
		o->describe_error(o->ctx, status, why, &answer.body, &answer.content_type);
	if (!c->request.id[0])
		bc_http_set_id(c->server, &c->request);
	send_answer(c, &answer);
}

void bc_http_send_continue(struct bc_http_connection *c)
{
	c->parser.expect_continue = false;
	uv_buf_t part = uv_buf_init((char *)"HTTP/1.1 100 Continue\r\n\r\n", 25);

	bc_http_send_parts(c, &part, 1);
}

/* ---- raw answers ---- */

static void start_raw(struct bc_http_connection *c)
{
	BC_ASSERT(c->handling && !c->answer.begun);
	if (c->raw)
		return;
	c->raw = true;
	c->close_after = true;
	c->body.intake = BC_HTTP_INTAKE_NONE;
	if (bc_http_connection_is_lost(c))
		return;
	c->state = BC_HTTP_STATE_HANDLING;
	/* What the peer still says is dropped, and read only to learn that it went. */
	bc_buf_finish(&c->later);
	bc_http_connection_read(c);
}

void bc_http_send_raw(struct bc_http_request *req, const void *bytes, size_t len)
{
	struct bc_http_connection *c = of_request(req);
	uv_buf_t part = uv_buf_init((char *)bytes, (unsigned int)len);

	start_raw(c);
	if (bc_http_connection_is_lost(c) || len == 0)
		return;
	bc_http_send_parts(c, &part, 1);
	if (c->state == BC_HTTP_STATE_CLOSING || c->writes == 0)
		return;
	size_t queue = uv_stream_get_write_queue_size(&c->io.stream);
	if (queue > BC_HTTP_RAW_QUEUE_MAX) {
		bc_http_connection_close(c, "the peer reads too slowly");
	} else if (c->wait != BC_HTTP_WAIT_WRITE) {
		c->queue_seen = bc_http_unsent_bytes(c);
		bc_http_wait_for(c, BC_HTTP_WAIT_WRITE);
	}
}

void bc_http_close_raw(struct bc_http_request *req, bool reset)
{
	struct bc_http_connection *c = of_request(req);

	start_raw(c);
	if (reset)
		bc_http_connection_reset(c);
	bc_http_connection_answered(c);
}

bool bc_http_peer_gone(const struct bc_http_request *req)
{
	const struct bc_http_connection *c = of_request(req);

	return bc_http_connection_is_lost(c) || (c->raw && c->eof);
}
