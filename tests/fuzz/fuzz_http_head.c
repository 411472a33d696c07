/* SPDX-License-Identifier: MIT */
/*
 * The server's parser on any bytes. Checks what its header promises: the result does not depend on
 * how the bytes were cut, limits hold, and a request that is taken is clean (token names, no
 * control bytes, a target with a slash). What follows a message is parsed as the next one, as on a
 * kept connection.
 */
#include <string.h>

#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_MAX = 2048, BODY_MAX = 512, MESSAGES_MAX = 8 };

static const struct bc_http_limits limits = { HEAD_MAX, BODY_MAX };

/* What one reading of the input came to: a sum over all it saw, and how it ended. */
struct reading {
	unsigned int messages;
	enum bc_http_parsed end;
	int status;
	uint64_t sum;
};

static void add(struct reading *r, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		r->sum = (r->sum ^ at[i]) * 1099511628211u;
	r->sum = (r->sum ^ len) * 1099511628211u;
}

static void check_clean(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		BC_ASSERT((unsigned char)s.ptr[i] >= 0x20 || s.ptr[i] == '\t');
}

static void check_request(struct reading *r, const struct bc_http_request *req)
{
	BC_ASSERT(req->method && bc_http_is_token(bc_str_of(req->method)));
	BC_ASSERT(bc_str_starts(req->target, "/") || bc_str_eq(req->target, "*"));
	BC_ASSERT(req->path.len <= req->target.len && req->body.len <= BODY_MAX);
	BC_ASSERT(req->header_count <= BC_HTTP_HEADERS_MAX);
	check_clean(req->target);
	add(r, req->method, strlen(req->method));
	add(r, req->target.ptr, req->target.len);
	for (size_t i = 0; i < req->header_count; i++) {
		BC_ASSERT(bc_http_is_token(req->headers[i].name));
		check_clean(req->headers[i].value);
		add(r, req->headers[i].name.ptr, req->headers[i].name.len);
		add(r, req->headers[i].value.ptr, req->headers[i].value.len);
	}
	add(r, req->body.ptr, req->body.len);
}

/* Reads messages as long as there are whole ones; returns how the last one ended. */
static enum bc_http_parsed read_messages(struct reading *r, struct bc_http_parser *p,
					 struct bc_http_request *req, struct bc_buf *in)
{
	enum bc_http_parsed parsed;

	while ((parsed = bc_http_parse(p, in)) == BC_HTTP_READY && r->messages < MESSAGES_MAX) {
		check_request(r, req);
		BC_ASSERT(bc_http_parser_end(p) <= in->len);
		r->messages++;
		bc_buf_drop(in, bc_http_parser_end(p));
		bc_arena_reset(req->arena);
		bc_http_parser_begin(p, &limits, req, 0);
	}
	return parsed;
}

static struct reading read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
	struct reading r = { .end = BC_HTTP_MORE };
	struct bc_http_request req = { .arena = bc_arena_create(1024, 256 * 1024) };
	struct bc_http_parser parser;
	struct bc_buf in;

	bc_buf_init(&in, size + 1);
	BC_ASSERT(req.arena);
	bc_http_parser_begin(&parser, &limits, &req, 0);
	for (size_t at = 0; at < size && r.end == BC_HTTP_MORE; at += piece) {
		BC_ASSERT(bc_buf_add(&in, data + at, size - at < piece ? size - at : piece) == 0);
		r.end = read_messages(&r, &parser, &req, &in);
	}
	if (r.end == BC_HTTP_REFUSED) {
		r.status = parser.refusal.status;
		BC_ASSERT(r.status >= 400 && parser.refusal.why);
	}
	bc_buf_finish(&in);
	bc_arena_destroy(req.arena);
	return r;
}

static void check_same(const struct reading *a, const struct reading *b)
{
	BC_ASSERT(a->messages == b->messages);
	BC_ASSERT(a->end == b->end);
	BC_ASSERT(a->status == b->status);
	BC_ASSERT(a->sum == b->sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading whole = read_in_pieces(data, size, size + 1);
	struct reading bytes = read_in_pieces(data, size, 1);
	struct reading pieces = read_in_pieces(data, size, 2 + size % 11);

	if (whole.messages < MESSAGES_MAX) {
		check_same(&whole, &bytes);
		check_same(&whole, &pieces);
	}
	return 0;
}
