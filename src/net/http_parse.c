/* SPDX-License-Identifier: MIT */
/*
 * The parser's stages: scan the head as it arrives, hand the whole head to llhttp, apply the rules,
 * then wait for the body. See http_parse.h for the three readings.
 *
 * Invariants: a byte is scanned once; a refusal depends on the bytes alone, not on how they were
 * cut; llhttp only ever sees a head that the scan let through, in one piece, from the arena, so its
 * spans are whole and its slices outlive the input buffer. Left to others: reading, deadlines,
 * the answer to a refusal.
 */
#include "net/http_parse.h"

#include <llhttp.h>
#include <string.h>

static enum bc_http_parsed refuse(struct bc_http_parser *p, int status, const char *why)
{
	p->refusal = (struct bc_http_refusal){ status, why };
	return BC_HTTP_REFUSED;
}

void bc_http_parser_begin(struct bc_http_parser *p, const struct bc_http_limits *limits,
			  struct bc_http_request *req, size_t start)
{
	*p = (struct bc_http_parser){ .limits = limits,
				      .req = req,
				      .start = start,
				      .scanned = start,
				      .line_start = start,
				      .head_start = start };
	*req = (struct bc_http_request){ .arena = req->arena,
					 .peer = req->peer,
					 .peer_local = req->peer_local };
	bc_http_chunks_begin(&p->chunks);
}

/* ---- the scan ---- */

static const char *check_target(const char *target, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)target[i];
		if (c <= 0x20)
			return "the request line has more than three words";
		if (c >= 0x7f)
			return "the request target holds a byte that must be percent-encoded";
		if (c == '#')
			return "the request target holds a fragment";
	}
	return len ? NULL : "the request line has an empty target";
}

/* "METHOD target HTTP/1.x", single spaces. Returns what is wrong, or NULL. */
static const char *check_request_line(struct bc_http_parser *p, const char *line, size_t len)
{
	const char *first = memchr(line, ' ', len);
	const char *last = memrchr(line, ' ', len);
	size_t method_len = first ? (size_t)(first - line) : len;

	if (!bc_http_is_token((struct bc_str){ line, method_len }))
		return "the request line does not start with a method";
	if (first == last)
		return "the request line has no HTTP version";
	struct bc_str version = { last + 1, len - (size_t)(last + 1 - line) };
	p->http10 = bc_str_eq(version, "HTTP/1.0");
	if (!p->http10 && !bc_str_eq(version, "HTTP/1.1"))
		return "the HTTP version is neither 1.1 nor 1.0";
	return check_target(first + 1, (size_t)(last - first - 1));
}

static const char *check_header_line(const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	if (line[0] == ' ' || line[0] == '\t')
		return "a header line is folded";
	if (!colon)
		return "a header line has no colon";
	if (colon == line)
		return "a header has an empty name";
	if (!bc_http_is_token((struct bc_str){ line, (size_t)(colon - line) }))
		return "a header name holds a byte that names may not have";
	return NULL;
}

/* An empty line before the request line: one is forgiven, as RFC 9112 2.2 asks. */
static enum bc_http_parsed skip_blank(struct bc_http_parser *p, size_t next)
{
	if (p->blank_skipped)
		return refuse(p, 400, "empty lines stand where the request line should be");
	p->blank_skipped = true;
	p->head_start = next;
	return BC_HTTP_MORE;
}

/* A line without its CRLF ended. READY: it was the empty one that ends the head. */
static enum bc_http_parsed end_line(struct bc_http_parser *p, const char *line, size_t len,
				    size_t next)
{
	const char *problem;

	if (p->lines == 0 && len == 0)
		return skip_blank(p, next);
	if (len == 0)
		return BC_HTTP_READY;
	problem = p->lines == 0 ? check_request_line(p, line, len) : check_header_line(line, len);
	if (problem)
		return refuse(p, 400, problem);
	if (p->lines++ == BC_HTTP_HEADERS_MAX + 1)
		return refuse(p, 431, "the request has more than 100 headers");
	return BC_HTTP_MORE;
}

static enum bc_http_parsed end_of_bytes(struct bc_http_parser *p, bool at_limit)
{
	return at_limit ? refuse(p, 431, "the request head is larger than this server accepts")
			: BC_HTTP_MORE;
}

static bool is_text(unsigned char c)
{
	return c >= 0x20 ? c != 0x7f : c == '\t';
}

static enum bc_http_parsed scan_head(struct bc_http_parser *p, const struct bc_buf *in)
{
	size_t limit = p->start + p->limits->head_max_bytes;
	size_t len = in->len < limit ? in->len : limit;

	while (p->scanned < len) {
		size_t at = p->scanned;
		unsigned char c = (unsigned char)in->data[at];
		if (is_text(c)) {
			p->scanned++;
			continue;
		}
		if (c != '\r')
			return refuse(p, 400,
				      c == '\n' ? "a line ends in a bare line feed"
						: "the request head holds a control byte");
		if (at + 1 == len)
			break;
		if (in->data[at + 1] != '\n')
			return refuse(p, 400, "a carriage return stands without its line feed");
		p->scanned = at + 2;
		enum bc_http_parsed line =
			end_line(p, in->data + p->line_start, at - p->line_start, p->scanned);
		p->line_start = p->scanned;
		if (line != BC_HTTP_MORE)
			return line;
	}
	return end_of_bytes(p, len == limit);
}

/* ---- llhttp ---- */

/* What llhttp's callbacks fill in; parser.data. */
struct split {
	struct bc_http_request *req;
	struct bc_http_field *headers; /* room for capacity */
	size_t capacity;
	size_t count;
	bool disagrees; /* llhttp saw other lines than the scan */
	bool keep_alive;
};

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct split *s = parser->data;

	s->req->target = (struct bc_str){ at, len };
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	struct split *s = parser->data;

	if (s->count == s->capacity) {
		s->disagrees = true;
		return HPE_USER;
	}
	s->headers[s->count].name = (struct bc_str){ at, len };
	s->headers[s->count].value = (struct bc_str){ at + len, 0 };
	s->count++;
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct split *s = parser->data;

	if (s->count == 0) {
		s->disagrees = true;
		return HPE_USER;
	}
	s->headers[s->count - 1].value = bc_str_trim((struct bc_str){ at, len });
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct split *s = parser->data;

	s->keep_alive = llhttp_should_keep_alive(parser);
	return 1; /* bodies are not llhttp's business */
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
};

static struct bc_http_refusal split_refusal(llhttp_errno_t error)
{
	switch (error) {
	case HPE_INVALID_METHOD:
		return (struct bc_http_refusal){ 501, "the method is not known here" };
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_CONTENT_LENGTH:
		return (struct bc_http_refusal){ 400, "Content-Length is bad, repeated or beside "
						      "Transfer-Encoding" };
	case HPE_INVALID_TRANSFER_ENCODING:
		return (struct bc_http_refusal){ 400, "Transfer-Encoding is not a lone chunked" };
	default:
		return (struct bc_http_refusal){ 400, "the request head is malformed" };
	}
}

static struct bc_http_refusal split_head(struct bc_http_parser *p, const char *head, size_t len)
{
	struct bc_http_request *req = p->req;
	struct split s = { .req = req, .capacity = p->lines - 1 };
	llhttp_t parser;

	s.headers = bc_arena_alloc(req->arena, s.capacity * sizeof(*s.headers));
	if (!s.headers)
		return (struct bc_http_refusal){ 503, "out of memory" };
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	parser.data = &s;
	llhttp_errno_t error = llhttp_execute(&parser, head, len);
	if (error != HPE_OK && error != HPE_PAUSED_UPGRADE)
		return split_refusal(error);
	if (s.disagrees || s.count != s.capacity)
		return (struct bc_http_refusal){ 400, "the request head can be read in two ways" };
	req->method = llhttp_method_name(llhttp_get_method(&parser));
	req->headers = s.headers;
	req->header_count = s.count;
	p->keep_alive = s.keep_alive;
	return (struct bc_http_refusal){ 0, NULL };
}

/* ---- the stages ---- */

/* The body is not ours to gather: what stands behind the head is left where it is. */
static void leave_body(struct bc_http_parser *p, const struct bc_http_framing *framing)
{
	p->stage = BC_HTTP_STREAMED;
	p->body_left = framing->content_length;
}

static struct bc_http_refusal start_body(struct bc_http_parser *p,
					 const struct bc_http_framing *framing)
{
	bool streams = p->streams && p->streams(p->streams_ctx, p->req);
	uint64_t max = streams ? (uint64_t)INT64_MAX : p->limits->body_max_bytes;

	if (framing->content_length > max)
		return (struct bc_http_refusal){ 413,
						 "the body is larger than this server accepts" };
	p->body_start = p->body_end = p->scanned;
	p->announced = framing->chunked ? -1 : (int64_t)framing->content_length;
	p->expect_continue = framing->expect_continue && p->announced != 0;
	p->stage = BC_HTTP_DONE;
	if (streams) {
		leave_body(p, framing);
	} else if (framing->chunked) {
		p->stage = BC_HTTP_BODY_CHUNKED;
	} else if (framing->counted) {
		p->stage = BC_HTTP_BODY_COUNTED;
		p->body_end += framing->content_length;
	}
	return (struct bc_http_refusal){ 0, NULL };
}

static enum bc_http_parsed read_head(struct bc_http_parser *p, const struct bc_buf *in)
{
	enum bc_http_parsed scanned = scan_head(p, in);
	struct bc_http_framing framing;

	if (scanned != BC_HTTP_READY)
		return scanned;
	size_t len = p->scanned - p->head_start;
	const char *head = bc_arena_dup(p->req->arena, in->data + p->head_start, len);
	if (!head)
		return refuse(p, 503, "out of memory");
	p->refusal = split_head(p, head, len);
	if (p->refusal.status == 0)
		p->refusal = bc_http_rules_apply(p->req, p->http10, &framing);
	if (p->refusal.status == 0)
		p->refusal = start_body(p, &framing);
	return p->refusal.status == 0 ? BC_HTTP_READY : BC_HTTP_REFUSED;
}

/* Removes the framing that was passed over: what is left of the input follows the body. */
static void close_gap(struct bc_http_parser *p, struct bc_buf *in)
{
	size_t gap = p->scanned - p->body_end;

	if (gap == 0)
		return;
	memmove(in->data + p->body_end, in->data + p->scanned, in->len - p->scanned);
	in->len -= gap;
	in->data[in->len] = '\0';
	p->scanned = p->body_end;
}

static enum bc_http_parsed read_chunks(struct bc_http_parser *p, struct bc_buf *in)
{
	size_t room = p->limits->body_max_bytes - (p->body_end - p->body_start);
	enum bc_http_parsed parsed =
		bc_http_chunks_unwrap(&p->chunks, in->data, in->len, &p->scanned, &p->body_end,
				      room, p->limits->head_max_bytes);

	close_gap(p, in);
	if (parsed == BC_HTTP_REFUSED)
		p->refusal = p->chunks.refusal;
	return parsed;
}

enum bc_http_parsed bc_http_parser_unwrap(struct bc_http_parser *p, char *data, size_t len,
					  size_t *ret_used, size_t *ret_body)
{
	enum bc_http_parsed parsed;

	*ret_used = *ret_body = 0;
	if (p->announced < 0) {
		parsed = bc_http_chunks_unwrap(&p->chunks, data, len, ret_used, ret_body, SIZE_MAX,
					       p->limits->head_max_bytes);
		p->refusal = p->chunks.refusal;
		return parsed;
	}
	*ret_used = *ret_body = len < p->body_left ? len : (size_t)p->body_left;
	p->body_left -= *ret_used;
	return p->body_left ? BC_HTTP_MORE : BC_HTTP_READY;
}

enum bc_http_parsed bc_http_parse(struct bc_http_parser *p, struct bc_buf *in)
{
	enum bc_http_parsed parsed = BC_HTTP_READY;

	if (p->stage == BC_HTTP_HEAD)
		parsed = read_head(p, in);
	if (parsed != BC_HTTP_READY || p->stage >= BC_HTTP_DONE)
		return parsed;
	if (p->stage == BC_HTTP_BODY_CHUNKED)
		parsed = read_chunks(p, in);
	else if (in->len < p->body_end)
		parsed = BC_HTTP_MORE;
	if (parsed == BC_HTTP_READY) {
		p->stage = BC_HTTP_DONE;
		p->req->body =
			(struct bc_str){ in->data + p->body_start, p->body_end - p->body_start };
	}
	return parsed;
}
