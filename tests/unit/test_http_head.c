/* SPDX-License-Identifier: MIT */
/*
 * The server's parser as a table of raw messages: what it takes, what it refuses and with which
 * status, each message whole, byte by byte and in odd pieces, always with the same result.
 */
#include "net/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "failing_malloc.h"

enum { HEAD_MAX = 1024, BODY_MAX = 64, PENDING = 1 };

struct row {
	const char *name;
	const char *raw;
	size_t len;
	int status; /* 0 = taken, PENDING = needs more bytes, else the refusal */
	struct bc_str body;
};

#define RAW(text) (text), sizeof(text) - 1
#define H	  "Host: shop.example\r\n"
#define GET	  "GET / HTTP/1.1\r\n"
#define POST	  "POST /v1/orders HTTP/1.1\r\n" H
#define TEN	  "0123456789"
#define FIFTY	  TEN TEN TEN TEN TEN
#define CHUNKED	  POST "Transfer-Encoding: chunked\r\n\r\n"
#define TAKEN(n, raw)                                                                              \
	{                                                                                          \
		n, RAW(raw), 0,                                                                    \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define BODY(n, raw, b)                                                                            \
	{                                                                                          \
		n, RAW(raw), 0,                                                                    \
		{                                                                                  \
			RAW(b)                                                                     \
		}                                                                                  \
	}
#define REFUSED(n, raw, s)                                                                         \
	{                                                                                          \
		n, RAW(raw), s,                                                                    \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define UNFINISHED(n, raw)                                                                         \
	{                                                                                          \
		n, RAW(raw), PENDING,                                                              \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}

static const struct row rows[] = {
	/* what is taken */
	TAKEN("plain GET", GET H "\r\n"),
	TAKEN("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"),
	TAKEN("one empty line before", "\r\n" GET H "\r\n"),
	TAKEN("empty value", GET H "X-Empty:\r\n\r\n"),
	TAKEN("blank value", GET H "X-Empty: \t \r\n\r\n"),
	TAKEN("no space after the colon", GET "Host:shop.example\r\n\r\n"),
	TAKEN("obs-text in a value", GET H "X-Name: J\xc3\xb6rg\r\n\r\n"),
	TAKEN("tab in a value", GET H "X-Name: a\tb\r\n\r\n"),
	TAKEN("IPv6 host", GET "Host: [::1]:8787\r\n\r\n"),
	TAKEN("query", "GET /v1/c?u=https%3A%2F%2Fx%2F HTTP/1.1\r\n" H "\r\n"),
	TAKEN("absolute target", "GET http://shop.example/x?y HTTP/1.1\r\n" H "\r\n"),
	TAKEN("absolute target in other letters",
	      "GET HTTP://SHOP.example/x HTTP/1.1\r\n" H "\r\n"),
	TAKEN("absolute target without path", "GET http://shop.example HTTP/1.1\r\n" H "\r\n"),
	TAKEN("asterisk for OPTIONS", "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
	TAKEN("HEAD", "HEAD / HTTP/1.1\r\n" H "\r\n"),
	TAKEN("expectation in HTTP/1.0 is ignored", "GET / HTTP/1.0\r\nExpect: cake\r\n\r\n"),
	BODY("empty body", POST "Content-Length: 0\r\n\r\n", ""),
	BODY("counted body", POST "Content-Length: 5\r\n\r\nhello", "hello"),
	BODY("length with leading zeros", POST "Content-Length: 005\r\n\r\nhello", "hello"),
	BODY("length with blanks around", POST "Content-Length: \t5 \r\n\r\nhello", "hello"),
	BODY("body with CRLF and NUL bytes", POST "Content-Length: 6\r\n\r\na\r\n\0b\n",
	     "a\r\n\0b\n"),
	BODY("GET with a body", GET H "Content-Length: 2\r\n\r\nhi", "hi"),
	BODY("100-continue", POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi", "hi"),
	BODY("chunks", CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
	BODY("chunked in other letters", POST "transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", ""),
	BODY("chunk sizes in both cases and zeros",
	     CHUNKED "00A\r\n" TEN "\r\n0a\r\n" TEN "\r\n00\r\n\r\n", TEN TEN),
	BODY("chunk extensions are ignored", CHUNKED "2;a=b;c=\"d e\"\r\nhi\r\n0;x\r\n\r\n", "hi"),
	BODY("trailers are ignored", CHUNKED "2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n",
	     "hi"),
	BODY("the largest body", POST "Content-Length: 60\r\n\r\n" FIFTY TEN, FIFTY TEN),

	/* not whole yet */
	UNFINISHED("nothing", ""),
	UNFINISHED("half a request line", "GET /"),
	UNFINISHED("head without its end", GET H),
	UNFINISHED("carriage return at the end", GET H "\r"),
	UNFINISHED("body to come", POST "Content-Length: 5\r\n\r\nhell"),
	UNFINISHED("chunk to come", CHUNKED "5\r\nhel"),
	UNFINISHED("last chunk to come", CHUNKED "5\r\nhello\r\n"),
	UNFINISHED("end of trailers to come", CHUNKED "0\r\n"),

	/* request line */
	REFUSED("no version", "GET /\r\n", 400),
	REFUSED("no target", "GET\r\n", 400),
	REFUSED("empty target", "GET  HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 400),
	REFUSED("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
	REFUSED("HTTP/0.9", "GET / HTTP/0.9\r\n" H "\r\n", 400),
	REFUSED("HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 400),
	REFUSED("HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 400),
	REFUSED("http/1.1", "GET / http/1.1\r\n" H "\r\n", 400),
	REFUSED("RTSP", "OPTIONS rtsp://h/ RTSP/1.0\r\n" H "\r\n", 400),
	REFUSED("ICE", "SOURCE / ICE/1.0\r\n" H "\r\n", 400),
	REFUSED("two spaces", "GET  / HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("tab in the request line", "GET\t/ HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("space before the method", " GET / HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("space after the version", "GET / HTTP/1.1 \r\n" H "\r\n", 400),
	REFUSED("two empty lines before", "\r\n\r\n" GET H "\r\n", 400),
	REFUSED("bare line feed before", "\n" GET H "\r\n", 400),
	REFUSED("unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", 501),
	REFUSED("method in small letters", "get / HTTP/1.1\r\n" H "\r\n", 501),
	REFUSED("broken method", "G(T / HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("CONNECT", "CONNECT shop.example:443 HTTP/1.1\r\n" H "\r\n", 501),
	REFUSED("Upgrade", GET H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
	REFUSED("Upgrade to h2c", GET H "Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n", 501),
	REFUSED("asterisk for GET", "GET * HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("target without slash", "GET index HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("authority as target", "GET shop.example:80 HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("other scheme", "GET ftp://shop.example/ HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("control byte in the target", "GET /\x01 HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("DEL in the target", "GET /\x7f HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("NUL in the target", "GET /\0 HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("byte above ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
	REFUSED("garbage", "\xff\xfe\x00\x80garbage", 400),

	/* Host */
	REFUSED("no Host", GET "\r\n", 400),
	REFUSED("two Hosts", GET H "Host: other.example\r\n\r\n", 400),
	REFUSED("the same Host twice", GET H H "\r\n", 400),
	REFUSED("empty Host", GET "Host:\r\n\r\n", 400),
	REFUSED("Host with a path", GET "Host: a/b\r\n\r\n", 400),
	REFUSED("Host with user", GET "Host: u@a\r\n\r\n", 400),
	REFUSED("list of Hosts", GET "Host: a, b\r\n\r\n", 400),
	REFUSED("Host with a space", GET "Host: a b\r\n\r\n", 400),
	REFUSED("target and Host differ", "GET http://evil.example/ HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("absolute target without Host", "GET http://shop.example/ HTTP/1.1\r\n\r\n", 400),
	REFUSED("absolute target without authority", "GET http:/// HTTP/1.1\r\n" H "\r\n", 400),
	REFUSED("absolute target with user", "GET http://u@shop.example/ HTTP/1.0\r\n\r\n", 400),

	/* lines and names */
	REFUSED("folded line", GET H "X-A: b\r\n c\r\n\r\n", 400),
	REFUSED("folded with a tab", GET H "X-A: b\r\n\tc\r\n\r\n", 400),
	REFUSED("first header line folded", GET " " H "\r\n", 400),
	REFUSED("folded blank line", GET H " \r\n\r\n", 400),
	REFUSED("empty name", GET H ": v\r\n\r\n", 400),
	REFUSED("space before the colon", GET H "Content-Length : 5\r\n\r\nhello", 400),
	REFUSED("tab before the colon", GET H "Content-Length\t: 5\r\n\r\nhello", 400),
	REFUSED("no colon", GET H "nonsense\r\n\r\n", 400),
	REFUSED("name with a bracket", GET H "X(a): b\r\n\r\n", 400),
	REFUSED("name above ASCII", GET H "X-\xc3\xa9: b\r\n\r\n", 400),
	REFUSED("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400),
	REFUSED("one bare line feed", GET "Host: a\nX-B: c\r\n\r\n", 400),
	REFUSED("head ended by a bare line feed", GET H "\n", 400),
	REFUSED("bare carriage return", GET H "X-A: b\rX-C: d\r\n\r\n", 400),
	REFUSED("carriage return as line end", GET H "X-A: b\r\r\n\r\n", 400),
	REFUSED("head ended by CR CR LF", GET H "\r\r\n", 400),
	REFUSED("NUL in a value", GET H "X-A: b\0c\r\n\r\n", 400),
	REFUSED("NUL in a name", GET H "X\0A: b\r\n\r\n", 400),
	REFUSED("control byte in a value", GET H "X-A: \x1b[31m\r\n\r\n", 400),
	REFUSED("DEL in a value", GET H "X-A: \x7f\r\n\r\n", 400),

	/* framing */
	REFUSED("length and chunked",
		POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
	REFUSED("chunked and length",
		POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
	REFUSED("two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
	REFUSED("the same length twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		400),
	REFUSED("list of lengths", POST "Content-Length: 5, 5\r\n\r\nhello", 400),
	REFUSED("signed length", POST "Content-Length: +5\r\n\r\nhello", 400),
	REFUSED("negative length", POST "Content-Length: -5\r\n\r\nhello", 400),
	REFUSED("hexadecimal length", POST "Content-Length: 0x5\r\n\r\nhello", 400),
	REFUSED("length with a space inside", POST "Content-Length: 1 0\r\n\r\nhello", 400),
	REFUSED("empty length", POST "Content-Length:\r\n\r\n", 400),
	REFUSED("length beyond 64 bits", POST "Content-Length: 18446744073709551621\r\n\r\nhello",
		400),
	REFUSED("length over the limit", POST "Content-Length: 65\r\n\r\n", 413),
	REFUSED("length over the limit with 100-continue",
		POST "Expect: 100-continue\r\nContent-Length: 65\r\n\r\n", 413),
	REFUSED("other expectation", POST "Expect: 200-ok\r\nContent-Length: 2\r\n\r\n", 417),
	REFUSED("coding before chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		400),
	REFUSED("unknown coding before chunked",
		POST "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n", 400),
	REFUSED("coding after chunked", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
		400),
	REFUSED("chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
	REFUSED("two encodings",
		POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400),
	REFUSED("identity", POST "Transfer-Encoding: identity\r\n\r\n", 400),
	REFUSED("identity and length",
		POST "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", 400),
	REFUSED("almost chunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
	REFUSED("quoted chunked", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
	REFUSED("chunked with a vertical tab",
		POST "Transfer-Encoding: \x0b"
		     "chunked\r\n\r\n",
		400),
	REFUSED("empty encoding", POST "Transfer-Encoding:\r\n\r\n", 400),
	REFUSED("encoding with HTTP/1.0",
		"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),

	/* chunks */
	REFUSED("no chunk size", CHUNKED "\r\n", 400),
	REFUSED("letters as chunk size", CHUNKED "xyz\r\n", 400),
	REFUSED("chunk size with a prefix", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400),
	REFUSED("negative chunk size", CHUNKED "-1\r\n", 400),
	REFUSED("space before the chunk size", CHUNKED " 5\r\nhello\r\n", 400),
	REFUSED("space after the chunk size", CHUNKED "5 \r\nhello\r\n", 400),
	REFUSED("chunk size ended by a bare line feed", CHUNKED "5\nhello\r\n", 400),
	REFUSED("chunk size ended by a bare carriage return", CHUNKED "5\rhello\r\n", 400),
	REFUSED("extension ended by a bare line feed", CHUNKED "5;a\nhello\r\n", 400),
	REFUSED("data longer than its chunk", CHUNKED "5\r\nhelloX\r\n", 400),
	REFUSED("data ended by a bare line feed", CHUNKED "5\r\nhello\n0\r\n\r\n", 400),
	REFUSED("data ended by two other bytes", CHUNKED "5\r\nhelloXX0\r\n\r\n", 400),
	REFUSED("chunk size of many digits", CHUNKED "00000000000000005\r\nhello\r\n", 400),
	REFUSED("chunk size that overflows", CHUNKED "fffffffffffffffb\r\n", 413),
	REFUSED("chunk over the limit", CHUNKED "41\r\n", 413),
	REFUSED("chunks over the limit in sum", CHUNKED "32\r\n" FIFTY "\r\n32\r\n", 413),
	REFUSED("trailer ended by a bare line feed", CHUNKED "0\r\nA: b\n\r\n", 400),
	REFUSED("message ended by a bare line feed", CHUNKED "0\r\n\n", 400),
	REFUSED("trailer folded", CHUNKED "0\r\nA: b\r\n c\r\n\r\n", 400),
	REFUSED("trailer with an empty name", CHUNKED "0\r\n: b\r\n\r\n", 400),
	REFUSED("trailer with a space before its colon", CHUNKED "0\r\nA : b\r\n\r\n", 400),
	REFUSED("NUL in a trailer", CHUNKED "0\r\nA: \0\r\n\r\n", 400),
};

static const struct bc_http_limits limits = { HEAD_MAX, BODY_MAX };

struct reader {
	struct bc_arena *arena;
	struct bc_buf in;
	struct bc_http_request req;
	struct bc_http_parser parser;
};

static void reader_init(struct reader *r)
{
	*r = (struct reader){ .arena = bc_arena_create(1024, 64 * 1024) };
	assert_non_null(r->arena);
	bc_buf_init(&r->in, 64 * 1024);
	r->req.arena = r->arena;
	bc_http_parser_begin(&r->parser, &limits, &r->req, 0);
}

static void reader_finish(struct reader *r)
{
	bc_buf_finish(&r->in);
	bc_arena_destroy(r->arena);
}

/* Feeds in pieces until there is a result; returns its status as the rows give it. */
static int feed(struct reader *r, const char *raw, size_t len, size_t piece)
{
	enum bc_http_parsed parsed = bc_http_parse(&r->parser, &r->in);

	for (size_t at = 0; at < len && parsed == BC_HTTP_MORE; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		assert_int_equal(bc_buf_add(&r->in, raw + at, n), 0);
		parsed = bc_http_parse(&r->parser, &r->in);
	}
	if (parsed == BC_HTTP_MORE)
		return PENDING;
	return parsed == BC_HTTP_READY ? 0 : r->parser.refusal.status;
}

static void check_body(const struct row *row, struct bc_str body)
{
	if (!row->body.ptr) {
		assert_null(body.ptr);
		return;
	}
	assert_non_null(body.ptr);
	assert_int_equal(body.len, row->body.len);
	assert_memory_equal(body.ptr, row->body.ptr, body.len);
}

static void check_row(const struct row *row, size_t piece)
{
	struct reader r;

	reader_init(&r);
	int status = feed(&r, row->raw, row->len, piece);
	if (status != row->status)
		fail_msg("\"%s\" in pieces of %zu: %d, not %d (%s)", row->name, piece, status,
			 row->status, r.parser.refusal.why ? r.parser.refusal.why : "-");
	if (status == 0)
		check_body(row, r.req.body);
	else if (status != PENDING)
		assert_true(strlen(r.parser.refusal.why) > 10);
	reader_finish(&r);
}

static void each_message_of_the_table_is_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		check_row(&rows[i], 1 << 20);
}

static void the_result_does_not_depend_on_the_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 16, 50 };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		for (size_t k = 0; k < BC_COUNT(pieces); k++)
			check_row(&rows[i], pieces[k]);
}

/* Reads one message and leaves the reader open for a look. */
static void take(struct reader *r, const char *raw)
{
	reader_init(r);
	assert_int_equal(feed(r, raw, strlen(raw), 1 << 20), 0);
}

static void assert_str(struct bc_str s, const char *expected)
{
	assert_non_null(s.ptr);
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.ptr, expected, s.len);
}

static void the_head_is_split_into_its_parts(void **state)
{
	struct reader r;

	(void)state;
	take(&r, "PATCH /a/b%2Fc?x=1&y=?z HTTP/1.1\r\nhOst: h:1\r\nX-One:  1 \t\r\nX-Two:\r\n\r\n");
	assert_string_equal(r.req.method, "PATCH");
	assert_str(r.req.target, "/a/b%2Fc?x=1&y=?z");
	assert_str(r.req.path, "/a/b%2Fc");
	assert_str(r.req.query, "x=1&y=?z");
	assert_int_equal(r.req.header_count, 3);
	assert_str(r.req.headers[0].name, "hOst");
	assert_str(r.req.headers[1].value, "1");
	assert_str(r.req.headers[2].value, "");
	assert_true(r.parser.keep_alive);
	reader_finish(&r);
}

static void an_absolute_target_is_reduced_to_its_path(void **state)
{
	static const struct {
		const char *raw, *target, *path, *query;
	} cases[] = {
		{ "GET http://a/b?c HTTP/1.0\r\n\r\n", "/b?c", "/b", "c" },
		{ "GET https://a HTTP/1.0\r\n\r\n", "/", "/", NULL },
		{ "GET http://a?q HTTP/1.0\r\n\r\n", "/?q", "/", "q" },
		{ "GET http://a//b HTTP/1.0\r\n\r\n", "//b", "//b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++) {
		struct reader r;
		take(&r, cases[i].raw);
		assert_str(r.req.target, cases[i].target);
		assert_str(r.req.path, cases[i].path);
		if (cases[i].query)
			assert_str(r.req.query, cases[i].query);
		else
			assert_null(r.req.query.ptr);
		reader_finish(&r);
	}
}

static void keep_alive_follows_version_and_connection_header(void **state)
{
	static const struct {
		const char *raw;
		bool keep_alive;
	} cases[] = {
		{ GET H "\r\n", true },
		{ GET H "Connection: close\r\n\r\n", false },
		{ GET H "Connection: x, Close\r\n\r\n", false },
		{ GET H "Connection: keep-alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++) {
		struct reader r;
		take(&r, cases[i].raw);
		assert_int_equal(r.parser.keep_alive, cases[i].keep_alive);
		reader_finish(&r);
	}
}

static void only_a_body_to_come_is_expected(void **state)
{
	struct reader r;

	(void)state;
	take(&r, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
	assert_true(r.parser.expect_continue);
	reader_finish(&r);
	take(&r, POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
	assert_false(r.parser.expect_continue);
	reader_finish(&r);
	take(&r, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
	assert_false(r.parser.expect_continue);
	reader_finish(&r);
}

static void what_follows_a_message_is_left_for_the_next(void **state)
{
	static const char first[] = CHUNKED "2;x\r\nhi\r\n0\r\nA: b\r\n\r\n";
	static const char second[] = "\r\nPUT /2 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc";
	struct reader r;

	(void)state;
	reader_init(&r);
	assert_int_equal(bc_buf_add(&r.in, first, sizeof(first) - 1), 0);
	assert_int_equal(bc_buf_add(&r.in, second, sizeof(second) - 1), 0);
	assert_int_equal(bc_buf_add(&r.in, "GET", 3), 0);
	assert_int_equal(bc_http_parse(&r.parser, &r.in), BC_HTTP_READY);
	assert_str(r.req.body, "hi");
	bc_http_parser_begin(&r.parser, &limits, &r.req, bc_http_parser_end(&r.parser));
	assert_true(bc_http_parser_begun(&r.parser, &r.in));
	assert_int_equal(bc_http_parse(&r.parser, &r.in), BC_HTTP_READY);
	assert_string_equal(r.req.method, "PUT");
	assert_str(r.req.body, "abc");
	bc_http_parser_begin(&r.parser, &limits, &r.req, bc_http_parser_end(&r.parser));
	assert_int_equal(bc_http_parse(&r.parser, &r.in), BC_HTTP_MORE);
	assert_str((struct bc_str){ r.in.data + r.parser.start, r.in.len - r.parser.start }, "GET");
	reader_finish(&r);
}

/* A GET whose head is exactly so many bytes. */
static void add_head_of(struct bc_buf *raw, size_t bytes)
{
	assert_int_equal(bc_buf_adds(raw, GET H "X: "), 0);
	while (raw->len < bytes - 4)
		assert_int_equal(bc_buf_adds(raw, "x"), 0);
	assert_int_equal(bc_buf_adds(raw, "\r\n\r\n"), 0);
}

static void a_head_may_be_as_large_as_the_limit_and_no_larger(void **state)
{
	static const struct {
		size_t bytes;
		int status;
	} cases[] = { { HEAD_MAX - 1, 0 },
		      { HEAD_MAX, 0 },
		      { HEAD_MAX + 1, 431 },
		      { HEAD_MAX + 3, 431 },
		      { HEAD_MAX * 2, 431 } };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++)
		for (size_t piece = 1; piece < 3000; piece = piece * 7 + 1) {
			struct bc_buf raw;
			struct reader r;
			bc_buf_init(&raw, HEAD_MAX * 3);
			add_head_of(&raw, cases[i].bytes);
			reader_init(&r);
			assert_int_equal(feed(&r, raw.data, raw.len, piece), cases[i].status);
			reader_finish(&r);
			bc_buf_finish(&raw);
		}
}

static void a_hundred_headers_are_enough(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct bc_buf raw;
		struct reader r;
		bc_buf_init(&raw, HEAD_MAX);
		assert_int_equal(bc_buf_adds(&raw, GET H), 0);
		for (int i = 1; i < BC_HTTP_HEADERS_MAX + extra; i++)
			assert_int_equal(bc_buf_adds(&raw, "a:b\r\n"), 0);
		assert_int_equal(bc_buf_adds(&raw, "\r\n"), 0);
		reader_init(&r);
		assert_int_equal(feed(&r, raw.data, raw.len, 1 << 20), extra ? 431 : 0);
		if (!extra)
			assert_int_equal(r.req.header_count, BC_HTTP_HEADERS_MAX);
		reader_finish(&r);
		bc_buf_finish(&raw);
	}
}

static void extensions_and_trailers_are_bounded(void **state)
{
	static const char *const starts[] = { CHUNKED "1;", CHUNKED "0\r\nX-Trailer: " };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(starts); i++) {
		struct reader r;
		reader_init(&r);
		assert_int_equal(feed(&r, starts[i], strlen(starts[i]), 9), PENDING);
		for (int n = 0; n < 2 * HEAD_MAX && r.parser.refusal.status == 0; n++)
			feed(&r, "x", 1, 1);
		assert_int_equal(r.parser.refusal.status, 431);
		assert_true(r.in.len < HEAD_MAX);
		reader_finish(&r);
	}
}

static bool parse_once(void *ctx)
{
	static const char raw[] =
		"POST http://h HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\nhi\r\n0\r\n\r\n";
	struct reader r = { .arena = bc_arena_create(16, 64 * 1024) };
	enum bc_http_parsed parsed = BC_HTTP_REFUSED;

	(void)ctx;
	bc_buf_init(&r.in, 4096);
	if (r.arena && bc_buf_add(&r.in, raw, sizeof(raw) - 1) == 0) {
		r.req.arena = r.arena;
		bc_http_parser_begin(&r.parser, &limits, &r.req, 0);
		parsed = bc_http_parse(&r.parser, &r.in);
		if (parsed == BC_HTTP_REFUSED)
			assert_int_equal(r.parser.refusal.status, 503);
	}
	reader_finish(&r);
	return parsed == BC_HTTP_READY;
}

static void every_failed_allocation_is_answered_503(void **state)
{
	(void)state;
	each_allocation_failing(parse_once, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_of_the_table_is_taken_or_refused),
		cmocka_unit_test(the_result_does_not_depend_on_the_pieces),
		cmocka_unit_test(the_head_is_split_into_its_parts),
		cmocka_unit_test(an_absolute_target_is_reduced_to_its_path),
		cmocka_unit_test(keep_alive_follows_version_and_connection_header),
		cmocka_unit_test(only_a_body_to_come_is_expected),
		cmocka_unit_test(what_follows_a_message_is_left_for_the_next),
		cmocka_unit_test(a_head_may_be_as_large_as_the_limit_and_no_larger),
		cmocka_unit_test(a_hundred_headers_are_enough),
		cmocka_unit_test(extensions_and_trailers_are_bounded),
		cmocka_unit_test(every_failed_allocation_is_answered_503),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
