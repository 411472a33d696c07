/* SPDX-License-Identifier: MIT */
/*
 * A stream's exchange on its connection: HTTP/1.1, one request, one answer.
 *
 * Invariants
 * - A request leaves at most once per call. Only if a kept connection took no byte of it at all is
 *   another connection tried; then nothing of the request's body was read either.
 * - Every byte that was received is handed on before more is read: a caller who waits has the
 *   socket wait, and nothing is kept.
 * - A connection is kept only if the request went out whole, the answer ended by its own framing,
 *   nothing stood behind it, and neither side said that it closes.
 * - An answer of 300 or more ends the sending; so does a connection that takes no more, but what
 *   the other side said before is read first.
 * - The bytes that hold the caller's headers are wiped as soon as they have left.
 * Left to others: how an answer is framed, waiting (http_stream.c), time (http_client.c).
 */
#include "net/http_wire.h"

#include <string.h>

#include "base/err.h"
#include "base/secret.h"

/* Before others get their turn. */
enum { PIECES_MAX = 16, READS_MAX = 8, REFUSED_FROM = 300 };

static bool over(struct bc_http_call *call, CURLcode result)
{
	call->result = result;
	return false;
}

static bool cut(struct bc_http_call *call, enum bc_http_cut why)
{
	call->cut = why;
	return over(call, CURLE_WRITE_ERROR);
}

/* --- sending ---------------------------------------------------------------------------------- */

static struct bc_str without(struct bc_str s, size_t n)
{
	return (struct bc_str){ s.ptr + n, s.len - n };
}

/* As much as the connection takes; returns the rest. */
static struct bc_str send_bytes(struct bc_http_call *call, struct bc_str bytes)
{
	while (bytes.len > 0 && !call->send_failed) {
		ssize_t n = bc_http_conn_send(call->conn, bytes.ptr, bytes.len);
		if (n == 0)
			break;
		call->send_failed = n < 0;
		call->any_sent = call->any_sent || n > 0;
		if (n > 0)
			bytes = without(bytes, (size_t)n);
	}
	return bytes;
}

static void forget_out(struct bc_http_call *call)
{
	size_t max = call->out.max;

	bc_buf_finish(&call->out);
	bc_buf_init(&call->out, max);
	call->out_done = 0;
}

/* True: nothing waits to be sent. */
static bool send_waiting(struct bc_http_call *call)
{
	struct bc_str out = { call->out.data, call->out.len };

	if (out.len > 0) {
		struct bc_str rest = send_bytes(call, without(out, call->out_done));
		call->out_done = out.len - rest.len;
		if (rest.len > 0)
			return false;
		forget_out(call);
	}
	call->body_out = send_bytes(call, call->body_out);
	return call->body_out.len == 0;
}

static bool is_refused(const struct bc_http_call *call)
{
	return call->head_whole && call->status >= REFUSED_FROM;
}

static bool request_is_over(const struct bc_http_call *call)
{
	return call->out.len == 0 && call->body_out.len == 0 && !call->reading;
}

static bool send_piece(struct bc_http_call *call, struct bc_http_pool *pool)
{
	struct bc_str bytes;
	enum bc_http_cut why = bc_http_stream_read(call, pool->room, &bytes);

	if (why != BC_CUT_NONE)
		return cut(call, why);
	bytes = send_bytes(call, bytes);
	return bc_buf_add(&call->out, bytes.ptr, bytes.len) == 0 || cut(call, BC_CUT_MEMORY);
}

static bool send_more(struct bc_http_call *call, struct bc_http_pool *pool)
{
	for (int i = 0; i < PIECES_MAX; i++) {
		if (call->send_failed || is_refused(call) || !send_waiting(call))
			break;
		if (!call->reading || call->read_waits)
			break;
		if (!send_piece(call, pool))
			return false;
	}
	return true;
}

/* --- receiving -------------------------------------------------------------------------------- */

static bool take_data(struct bc_http_call *call, struct bc_str bytes)
{
	enum bc_http_cut why = bytes.len ? bc_http_stream_data(call, bytes) : BC_CUT_NONE;

	return why == BC_CUT_NONE || cut(call, why);
}

static bool take_chunks(struct bc_http_call *call, char *bytes, size_t len)
{
	size_t used = 0, body = 0;
	enum bc_http_parsed parsed = bc_http_chunks_unwrap(&call->chunks, bytes, len, &used, &body,
							   SIZE_MAX, BC_HTTP_ANSWER_HEAD_MAX);

	if (!take_data(call, (struct bc_str){ bytes, body }))
		return false;
	if (parsed == BC_HTTP_REFUSED)
		return cut(call, BC_CUT_CHUNKS);
	call->answer_over = parsed == BC_HTTP_READY;
	call->answer_closes = call->answer_closes || used < len;
	return true;
}

static bool take_counted(struct bc_http_call *call, char *bytes, size_t len)
{
	size_t body = len < call->answer_left ? len : (size_t)call->answer_left;

	call->answer_left -= body;
	call->answer_over = call->answer_left == 0;
	call->answer_closes = call->answer_closes || body < len;
	return take_data(call, (struct bc_str){ bytes, body });
}

static bool take_body(struct bc_http_call *call, char *bytes, size_t len)
{
	if (call->answer_chunked && !call->answer_over)
		return take_chunks(call, bytes, len);
	if (call->answer_endless)
		return take_data(call, (struct bc_str){ bytes, len });
	return take_counted(call, bytes, len);
}

/* "HTTP/1.1 200 ..." */
static CURLcode check_status_line(struct bc_str line)
{
	if (!bc_str_starts(line, "HTTP/"))
		return CURLE_UNSUPPORTED_PROTOCOL;
	if (line.len < 12 ||
	    !(bc_str_starts(line, "HTTP/1.1 ") || bc_str_starts(line, "HTTP/1.0 ")))
		return CURLE_WEIRD_SERVER_REPLY;
	for (size_t i = 9; i < 12; i++)
		if (line.ptr[i] < '0' || line.ptr[i] > '9')
			return CURLE_WEIRD_SERVER_REPLY;
	return line.ptr[9] == '0' || (line.len > 12 && !strchr(" \r\n", line.ptr[12]))
		       ? CURLE_WEIRD_SERVER_REPLY
		       : CURLE_OK;
}

static bool take_line(struct bc_http_call *call, struct bc_str line)
{
	CURLcode result = call->head_open ? CURLE_OK : check_status_line(line);
	enum bc_http_cut why;

	if (result != CURLE_OK)
		return over(call, result);
	why = bc_http_call_head_line(call, line);
	return why == BC_CUT_NONE || cut(call, why);
}

/* The beginning of a line, whose end has not come. */
static bool keep_line(struct bc_http_call *call, struct bc_str part)
{
	if (call->line.len + part.len > BC_HTTP_ANSWER_HEAD_MAX)
		return cut(call, BC_CUT_HEAD);
	return bc_buf_add(&call->line, part.ptr, part.len) == 0 || cut(call, BC_CUT_MEMORY);
}

/* Takes one line from the bytes, or what there is of it. */
static bool take_head(struct bc_http_call *call, struct bc_str *bytes)
{
	const char *end = memchr(bytes->ptr, '\n', bytes->len);
	struct bc_str line = { bytes->ptr, end ? (size_t)(end + 1 - bytes->ptr) : bytes->len };

	*bytes = without(*bytes, line.len);
	if (end && call->line.len == 0)
		return take_line(call, line);
	if (!keep_line(call, line))
		return false;
	if (!end)
		return true;
	bool went = take_line(call, (struct bc_str){ call->line.data, call->line.len });
	bc_buf_reset(&call->line);
	return went;
}

static bool take(struct bc_http_call *call, char *bytes, size_t len)
{
	struct bc_str rest = { bytes, len };

	call->answer_begun = true;
	while (rest.len > 0 && !call->head_whole)
		if (!take_head(call, &rest))
			return false;
	return rest.len == 0 || take_body(call, bytes + (len - rest.len), rest.len);
}

/* The other side has ended, or the connection has broken. */
static bool take_end(struct bc_http_call *call, bool broken)
{
	call->answer_closes = true;
	if (call->head_whole && call->answer_endless && !broken) {
		call->answer_over = true;
		return true;
	}
	if (call->send_failed && !call->answer_begun)
		return over(call, CURLE_SEND_ERROR);
	if (broken)
		return over(call, CURLE_RECV_ERROR);
	if (!call->answer_begun)
		return over(call, CURLE_GOT_NOTHING);
	return over(call, call->head_whole ? CURLE_PARTIAL_FILE : CURLE_OK);
}

static bool receive(struct bc_http_call *call, struct bc_http_pool *pool)
{
	for (int i = 0; i < READS_MAX && !call->data_waits && !call->answer_over; i++) {
		ssize_t n = bc_http_conn_recv(call->conn, pool->room, BC_HTTP_PIECE_BYTES);
		if (n == BC_HTTP_CONN_LATER)
			break;
		if (n <= 0)
			return take_end(call, n < 0);
		if (!take(call, pool->room, (size_t)n))
			return false;
		if (n < BC_HTTP_PIECE_BYTES && call->origin->plain)
			break;
	}
	return true;
}

/* --- what follows ----------------------------------------------------------------------------- */

static bool settle(struct bc_http_call *call)
{
	bool sends = !call->send_failed && !is_refused(call);
	int events = 0;

	if (call->answer_over && (request_is_over(call) || is_refused(call)))
		return over(call, CURLE_OK);
	if (call->answer_over && call->send_failed)
		return over(call, CURLE_SEND_ERROR);
	if (!call->answer_over && !call->data_waits)
		events |= UV_READABLE;
	if (sends &&
	    (call->out.len > 0 || call->body_out.len > 0 || (call->reading && !call->read_waits)))
		events |= UV_WRITABLE;
	bc_http_conn_watch(call->conn, events);
	return true;
}

static int find_connection(struct bc_http_call *call, struct bc_http_pool *pool)
{
	return bc_http_pool_take(pool, call) ? 0 : bc_http_pool_connect(pool, call);
}

/* A kept connection that had died meanwhile took nothing. */
static bool is_untouched(const struct bc_http_call *call)
{
	return call->send_failed && !call->any_sent && call->conn->kept;
}

static bool change_connection(struct bc_http_call *call, struct bc_http_pool *pool)
{
	bc_http_pool_discard(call);
	call->send_failed = call->sent = false;
	return find_connection(call, pool) == 0 || cut(call, BC_CUT_MEMORY);
}

static bool is_connected(const struct bc_http_call *call)
{
	return call->conn && call->conn->fd != CURL_SOCKET_BAD;
}

bool bc_http_wire_go_on(struct bc_http_call *call, struct bc_http_pool *pool)
{
	if (call->cancelled)
		return cut(call, BC_CUT_CALLER);
	while (is_connected(call)) {
		call->sent = true;
		if (!is_untouched(call) && !send_more(call, pool))
			return false;
		if (!is_untouched(call))
			break;
		if (!change_connection(call, pool))
			return false;
	}
	if (!is_connected(call))
		return true;
	if (call->send_failed && !receive(call, pool))
		return false;
	return settle(call);
}

bool bc_http_wire_ready(struct bc_http_call *call, struct bc_http_pool *pool, int events)
{
	bool broken = events == 0;

	if ((broken || (events & UV_WRITABLE)) && !send_more(call, pool))
		return false;
	if (is_untouched(call))
		return bc_http_wire_go_on(call, pool);
	if ((events != UV_WRITABLE || call->send_failed) && !receive(call, pool))
		return false;
	return settle(call);
}

/* --- the beginning and the end ---------------------------------------------------------------- */

static int init(struct bc_http_call *call, struct bc_http_pool *pool,
		const struct bc_http_exchange *x, struct bc_err *err)
{
	int rc = bc_http_call_check(x, err);

	BC_ASSERT(!x->stream->head == !x->stream->data);
	if (rc < 0)
		return rc;
	call->timeout_ms = x->timeout_ms;
	call->progress_ms = call->started_ms;
	call->connect_timeout_ms = x->connect_timeout_ms;
	call->no_answer_body = strcmp(x->method, "HEAD") == 0;
	call->reading = bc_http_call_reads_body(x);
	call->upload_left =
		x->stream->body_bytes < 0 ? UINT64_MAX : (uint64_t)x->stream->body_bytes;
	if (!call->reading && bc_http_call_has_length(x))
		call->body_out = (struct bc_str){ x->body, x->body_bytes };
	call->origin = bc_http_pool_origin(pool, x->url);
	return call->origin ? 0 : bc_err_nomem(err);
}

/* What fits goes with the head, at once. What is not sent stays with the call. */
static int send_head(struct bc_http_call *call, struct bc_http_pool *pool)
{
	struct bc_buf *head = &pool->head;

	if (call->body_out.len > 0 && call->body_out.len <= BC_HTTP_PIECE_BYTES) {
		if (bc_buf_add(head, call->body_out.ptr, call->body_out.len))
			return BC_ENOMEM;
		call->body_out.len = 0;
	}
	struct bc_str rest = { head->data, head->len };
	if (is_connected(call) && !call->reading) {
		call->sent = true;
		rest = send_bytes(call, rest);
	}
	return bc_buf_add(&call->out, rest.ptr, rest.len);
}

int bc_http_wire_start(struct bc_http_call *call, struct bc_http_pool *pool,
		       const struct bc_http_exchange *x, bool *ret_wake, struct bc_err *err)
{
	int rc = init(call, pool, x, err);

	if (rc == 0)
		rc = bc_http_request_write(&pool->head, x, call->origin, pool->user_agent, err);
	if (rc == 0 && (find_connection(call, pool) || send_head(call, pool)))
		rc = bc_err_nomem(err);
	if (pool->head.data)
		bc_wipe(pool->head.data, pool->head.len);
	bc_buf_reset(&pool->head);
	if (rc < 0)
		return rc;
	*ret_wake = is_connected(call) && (call->send_failed || !request_is_over(call));
	return 0;
}

void bc_http_wire_leave(struct bc_http_call *call, struct bc_http_pool *pool, bool ended_well)
{
	bool keep = ended_well && is_connected(call) && call->answer_over &&
		    request_is_over(call) && !call->answer_closes && !call->send_failed;

	if (keep)
		bc_http_pool_keep(call);
	else
		bc_http_pool_discard(call);
	bc_http_pool_drop_origin(pool, call->origin);
	call->origin = NULL;
}
