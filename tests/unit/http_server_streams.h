/* SPDX-License-Identifier: MIT */
/*
 * A handler for streams on top of http_server_fixture.h: every request below /s streams. It keeps
 * the request, and the test says on the loop what becomes of it; /s/take reads its body at once and
 * answers with "N bytes, sum S" when it is whole.
 */
#ifndef BC_TESTS_HTTP_SERVER_STREAMS_H
#define BC_TESTS_HTTP_SERVER_STREAMS_H

#include "http_server_fixture.h"

#define POST(to) "POST " to " HTTP/1.1\r\n" HOST

/* Touched on the loop only; seen() is for the test's own thread. */
struct streams {
	struct bc_http_request *req; /* under way */
	unsigned int requests;
	int64_t announced;
	size_t got_bytes;
	uint64_t sum;
	bool pauses;	   /* data says false from then on */
	bool resumes_self; /* ... and resumes before it does */
	unsigned int data_calls, whole_ends, broken_ends, gone_calls, drained_calls;
	size_t waits; /* bc_http_stream_write's last word */
	size_t left;  /* of a download that goes on whenever drained is called */
};
static struct streams s;

static inline uint64_t add_to_sum(uint64_t sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static inline void answer_sum(void)
{
	char text[80];
	struct bc_http_request *req = s.req;

	snprintf(text, sizeof(text), "%zu bytes, sum %llu", s.got_bytes, (unsigned long long)s.sum);
	s.req = NULL;
	bc_http_respond(req, 200, "text/plain", NULL, text, strlen(text));
}

static bool on_data(void *ctx, struct bc_str bytes)
{
	BC_ASSERT(ctx == &s && s.req && bytes.len > 0);
	s.data_calls++;
	s.got_bytes += bytes.len;
	s.sum = add_to_sum(s.sum, bytes.ptr, bytes.len);
	if (s.pauses && s.resumes_self)
		bc_http_body_resume(s.req);
	return !s.pauses;
}

static void on_body_end(void *ctx, bool whole)
{
	BC_ASSERT(ctx == &s && s.req);
	s.whole_ends += whole;
	s.broken_ends += !whole;
	if (bc_str_starts(s.req->path, "/s/take"))
		answer_sum();
}

static const struct bc_http_body body_callbacks = { on_data, on_body_end, &s };

static void on_gone(void *ctx)
{
	BC_ASSERT(ctx == &s && s.req);
	s.gone_calls++;
}

static void streams_handler(void *ctx, struct bc_http_request *req)
{
	if (!bc_str_starts(req->path, "/s/")) {
		fixture_handler(ctx, req);
		return;
	}
	BC_ASSERT(!s.req && !req->body.ptr && req->id[0]);
	s.req = req;
	s.requests++;
	s.announced = bc_http_body_announced(req);
	if (bc_str_starts(req->path, "/s/take")) {
		s.got_bytes = s.sum = 0;
		bc_http_body_read(req, &body_callbacks);
	}
}

static bool below_s(void *ctx, const struct bc_http_request *req)
{
	BC_ASSERT(ctx == &fixture);
	return bc_str_starts(req->path, "/s/");
}

static inline struct bc_http_server_options stream_options(void)
{
	struct bc_http_server_options options = standard_options();

	options.handler = streams_handler;
	options.streams = below_s;
	return options;
}

static inline void start_streams(const struct bc_http_server_options *options)
{
	memset(&s, 0, sizeof(s));
	start(options);
}

/* ---- what a test has done on the loop ---- */

static inline void do_read(void *ctx)
{
	(void)ctx;
	bc_http_body_read(s.req, &body_callbacks);
}

static inline void do_resume(void *ctx)
{
	(void)ctx;
	s.pauses = false;
	bc_http_body_resume(s.req);
}

static inline void do_watch(void *ctx)
{
	(void)ctx;
	bc_http_on_gone(s.req, on_gone, &s);
}

static inline void do_respond(void *ctx)
{
	struct bc_http_request *req = s.req;

	s.req = NULL;
	bc_http_respond(req, *(int *)ctx, "text/plain", NULL, "told", 4);
}

static inline void respond_on_loop(int status)
{
	on_loop(do_respond, &status);
}

static inline void do_begin(void *ctx)
{
	bc_http_stream_begin(s.req, 200, "Content-Type: text/plain\r\n", *(int64_t *)ctx);
}

static inline void begin_on_loop(int64_t body_bytes)
{
	on_loop(do_begin, &body_bytes);
}

static void on_drained(void *ctx)
{
	BC_ASSERT(ctx == &s && s.req);
	s.drained_calls++;
}

static inline void do_write(void *ctx)
{
	const char *text = ctx;

	s.waits = bc_http_stream_write(s.req, text, strlen(text), on_drained, &s);
}

static inline void do_end(void *ctx)
{
	struct bc_http_request *req = s.req;

	(void)ctx;
	s.req = NULL;
	bc_http_stream_end(req);
}

static inline void do_abort(void *ctx)
{
	struct bc_http_request *req = s.req;

	(void)ctx;
	s.req = NULL;
	bc_http_stream_abort(req);
}

/* For the end of a test: the request that may be under way. */
static inline void do_give_up(void *ctx)
{
	if (s.req)
		do_abort(ctx);
}

static inline void stop_streams(void)
{
	on_loop(do_give_up, NULL);
	stop();
}

static inline void do_copy(void *ctx)
{
	*(struct streams *)ctx = s;
}

/* What the loop's side knows now; valid until the next call. */
static inline const struct streams *seen(void)
{
	static struct streams copy;

	on_loop(do_copy, &copy);
	return &copy;
}

static inline void do_pause(void *ctx)
{
	s.pauses = true;
	s.resumes_self = *(bool *)ctx;
}

static inline void pause_on_loop(bool resumes_self)
{
	on_loop(do_pause, &resumes_self);
}

static inline void do_forget(void *ctx)
{
	(void)ctx;
	s.got_bytes = s.sum = 0;
	s.data_calls = s.whole_ends = s.broken_ends = s.gone_calls = s.drained_calls = 0;
}

/* Counts from zero again. */
static inline void forget(void)
{
	on_loop(do_forget, NULL);
}

/* ---- conditions ---- */

static inline void look_request(void *ctx)
{
	*(bool *)ctx = s.req != NULL;
}

static inline void look_whole(void *ctx)
{
	*(bool *)ctx = s.whole_ends > 0;
}

static inline void look_broken(void *ctx)
{
	*(bool *)ctx = s.broken_ends > 0;
}

static inline void look_gone(void *ctx)
{
	*(bool *)ctx = s.gone_calls > 0;
}

static inline void look_drained(void *ctx)
{
	*(bool *)ctx = s.drained_calls > 0;
}

static inline void look_data(void *ctx)
{
	*(bool *)ctx = s.data_calls > 0;
}

/* Lets whatever has come be handled: a request on another connection is answered after it. */
static inline void let_pass(void)
{
	expect_service();
	expect_service();
}

/* The connection under way, among those that wait as streams do. */
static inline struct bc_http_connection *the_connection(void)
{
	return BC_CONTAINER(s.req, struct bc_http_connection, request);
}

static inline void shorten_stream_looks(void *ctx)
{
	fixture.server->waits[BC_HTTP_WAIT_STREAM].period_ms = *(uint64_t *)ctx;
}

static inline void look_often(uint64_t period_ms)
{
	on_loop(shorten_stream_looks, &period_ms);
}

/* ---- the peer's side ---- */

/* One that takes little before it reads, so that a stuck body does not fit the sockets. */
static inline int dial_narrow(void)
{
	int fd = dial(), small = 64 * 1024;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	return fd;
}

static inline void expect_sum(int fd, const char *bytes, size_t len)
{
	char text[80];

	snprintf(text, sizeof(text), "%zu bytes, sum %llu", len,
		 (unsigned long long)add_to_sum(0, bytes, len));
	expect_reply(fd, 200, text);
}

static inline void reset_peer(int fd)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
}

/* Nothing is there to be read now. */
static inline void expect_silence(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, 0), 0);
}

/* Exactly these bytes come. */
static inline void expect_bytes(int fd, const char *expected, size_t len)
{
	char got[4096];

	for (size_t at = 0; at < len;) {
		size_t room = len - at < sizeof(got) ? len - at : sizeof(got);
		ssize_t n = get_some(fd, got, room);
		assert_true(n > 0);
		assert_memory_equal(got, expected + at, (size_t)n);
		at += (size_t)n;
	}
}

static inline void expect_text(int fd, const char *expected)
{
	expect_bytes(fd, expected, strlen(expected));
}

#endif
