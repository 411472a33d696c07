/* SPDX-License-Identifier: MIT */
/* Request bodies that stream and go wrong: smuggling, breaking off, too slow, not wanted. */
#include "http_server_streams.h"

static int setup(void **state)
{
	struct bc_http_server_options options = stream_options();

	(void)state;
	start_streams(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_streams();
	return 0;
}

/* ---- strictness: none of these may be read as two requests ---- */

#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" HOST "\r\n"
#define CHUNKED	 POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *raw;
	int status;
	bool begun; /* its head was fine: the handler had it */
} bad[] = {
	{ POST("/s/take") "Content-Length: 4\r\nTransfer-Encoding: "
			  "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
	  400, false },
	{ POST("/s/take") "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" SMUGGLED, 400, false },
	{ POST("/s/take") "Content-Length: 0, 0\r\n\r\n" SMUGGLED, 400, false },
	{ POST("/s/take") "Content-Length: 18446744073709551615\r\n\r\n" SMUGGLED, 413, false },
	{ POST("/s/take") "Content-Length: 18446744073709551616\r\n\r\n" SMUGGLED, 400, false },
	{ POST("/s/take") "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400, false },
	{ "POST /s/take HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400,
	  false },
	{ POST("/s/take") "Expect: x\r\nContent-Length: 2\r\n\r\nhi" SMUGGLED, 417, false },
	{ CHUNKED "0\n\n" SMUGGLED, 400, true },
	{ CHUNKED "0\r\nX: y\n\n" SMUGGLED, 400, true },
	{ CHUNKED "0\r\n X: y\r\n\r\n" SMUGGLED, 400, true },
	{ CHUNKED "1\r\nZQ\r\n" SMUGGLED, 400, true },
	{ CHUNKED "-0\r\n\r\n" SMUGGLED, 400, true },
	{ CHUNKED "10000000000000000\r\n\r\n" SMUGGLED, 400, true },
	{ CHUNKED "3\r\nabc\r\nfffffffffffffffff\r\n" SMUGGLED, 413, true },
};

static void no_streamed_message_hides_a_second_one(void **state)
{
	unsigned int begun = 0;

	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		int fd = dial();
		assert_true(put(fd, bad[i].raw));
		expect_refusal(fd, bad[i].status);
		close(fd);
		expect_service();
		begun += bad[i].begun;
		assert_int_equal(seen()->requests, begun);
		assert_int_equal(seen()->broken_ends, begun);
	}
	assert_int_equal(seen()->whole_ends, 0);
}

static void do_stream_an_answer(void *ctx)
{
	bc_http_stream_begin(s.req, 200, NULL, -1);
	BC_ASSERT(bc_http_peer_gone(s.req));
	BC_ASSERT(bc_http_stream_write(s.req, "late", 4, NULL, NULL) == 0);
	do_end(ctx);
}

static void an_answer_to_a_refused_body_is_dropped(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Transfer-Encoding: chunked\r\n\r\n"));
	wait_until(look_request);
	on_loop(do_read, NULL);
	assert_true(put(fd, "x\r\n" SMUGGLED));
	wait_until(look_broken);
	on_loop(do_stream_an_answer, NULL);
	expect_refusal(fd, 400);
	close(fd);
	wait_until(look_no_connection);
}

static void trailers_have_the_heads_ceiling(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, CHUNKED "1\r\nx\r\n0\r\n"));
	for (int i = 0; i < 200 && put(fd, "X-Padding: xxxxxxxxxxxxxxxxxxxxxxx\r\n"); i++)
		;
	expect_refusal(fd, 431);
	wait_until(look_broken);
	close(fd);
}

/* ---- bodies that break off ---- */

static void a_peer_that_resets_breaks_its_body_off(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Content-Length: 5\r\n\r\nhel"));
	wait_until(look_request);
	on_loop(do_read, NULL);
	on_loop(do_watch, NULL);
	wait_until(look_data);
	reset_peer(fd);
	wait_until(look_broken);
	wait_until(look_gone);
	respond_on_loop(200);
	wait_until(look_no_connection);
	assert_int_equal(seen()->broken_ends, 1);
	assert_int_equal(seen()->whole_ends, 0);
}

static void a_peer_that_ends_its_side_too_early_is_told_so(void **state)
{
	static const char *const cut[] = {
		POST("/s/take") "Content-Length: 5\r\n\r\nhel",
		CHUNKED "5\r\nhel",
		CHUNKED "5\r\nhello\r\n",
		CHUNKED "5\r\nhello\r\n0\r\n",
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cut); i++) {
		int fd = dial();
		assert_true(put(fd, cut[i]));
		shutdown(fd, SHUT_WR);
		expect_refusal(fd, 400);
		close(fd);
		assert_int_equal(seen()->broken_ends, i + 1);
	}
	assert_int_equal(seen()->whole_ends, 0);
}

static void a_peer_that_ends_its_side_after_its_body_is_answered(void **state)
{
	static const char *const whole[] = {
		POST("/s/wait") "Content-Length: 5\r\n\r\nhello",
		POST("/s/wait") "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(whole); i++) {
		int fd = dial();
		forget();
		assert_true(put(fd, whole[i]));
		shutdown(fd, SHUT_WR);
		wait_until(look_request);
		let_pass();
		on_loop(do_read, NULL);
		wait_until(look_whole);
		assert_int_equal(seen()->got_bytes, 5);
		respond_on_loop(200);
		expect_reply(fd, 200, "told");
		expect_end(fd);
		close(fd);
	}
	assert_int_equal(seen()->broken_ends, 0);
}

/* ---- the least rate ---- */

static void start_hasty(uint32_t rate)
{
	struct bc_http_server_options options = stream_options();

	stop();
	options.head_timeout_ms = 300;
	options.body_min_rate = rate;
	start_streams(&options);
	look_often(10);
}

static void a_streamed_body_below_the_least_rate_is_answered_408(void **state)
{
	int fd;

	(void)state;
	start_hasty(1000000);
	fd = dial();
	assert_true(put(fd, POST("/s/take") "Content-Length: 8000\r\n\r\nabc"));
	expect_refusal(fd, 408);
	close(fd);
	assert_int_equal(seen()->broken_ends, 1);
}

static void pauses_of_the_handler_do_not_count(void **state)
{
	int fd;

	(void)state;
	start_hasty(100);
	fd = dial();
	pause_on_loop(false);
	assert_true(put(fd, POST("/s/wait") "Content-Length: 4\r\n\r\n"));
	wait_until(look_request);
	poll(NULL, 0, 400); /* longer than the grace: nobody asked yet */
	on_loop(do_read, NULL);
	assert_true(put(fd, "ab"));
	wait_until(look_data);
	poll(NULL, 0, 400);
	on_loop(do_resume, NULL);
	assert_true(put(fd, "cd"));
	wait_until(look_whole);
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	close(fd);
}

static void many_short_pauses_hide_no_slow_body(void **state)
{
	struct pollfd ready = { .events = POLLIN };
	int fd;

	(void)state;
	start_hasty(1000000);
	fd = dial();
	ready.fd = fd;
	pause_on_loop(true);
	assert_true(put(fd, POST("/s/take") "Content-Length: 80000\r\n\r\n"));
	while (poll(&ready, 1, 5) == 0)
		put(fd, "x");
	expect_refusal(fd, 408);
	close(fd);
}

/* ---- answered early ---- */

static void an_early_answer_reaches_a_peer_that_still_sends(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Content-Length: 100000000\r\n\r\n"));
	wait_until(look_request);
	respond_on_loop(403);
	put_bytes(fd, fixture.big, 1024 * 1024);
	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.status, 403);
	assert_string_equal(r.body, "told");
	assert_string_equal(reply_header(&r, "Connection"), "close");
	reply_finish(&r);
	expect_end(fd);
	close(fd);
	wait_until(look_no_connection);
}

static void a_small_body_that_nobody_asked_for_is_skipped(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_true(put(fd, POST("/s/wait") "Content-Length: 5\r\n\r\nhello"));
		wait_until(look_request);
		respond_on_loop(403);
		assert_true(get_reply(fd, &r, false));
		assert_int_equal(r.status, 403);
		assert_null(reply_header(&r, "Connection"));
		reply_finish(&r);
		assert_true(put(fd, POST("/s/wait") "Transfer-Encoding: chunked\r\n\r\n"
						    "2\r\nhi\r\n0\r\n\r\n" GET("/echo") "\r\n"));
		wait_until(look_request);
		begin_on_loop(-1);
		on_loop(do_end, NULL);
		assert_true(get_head(fd, &r));
		assert_null(reply_header(&r, "Connection"));
		expect_text(fd, "0\r\n\r\n");
		expect_reply(fd, 200, "GET /echo ");
	}
	close(fd);
}

static bool answer_first_data(void *ctx, struct bc_str bytes)
{
	struct bc_http_request *req = s.req;

	(void)ctx;
	s.req = NULL;
	s.data_calls++;
	bc_http_respond(req, 200, NULL, NULL, bytes.ptr, bytes.len < 5 ? bytes.len : 5);
	return true;
}

static void do_read_first(void *ctx)
{
	static const struct bc_http_body body = { answer_first_data, on_body_end, &s };

	(void)ctx;
	bc_http_body_read(s.req, &body);
}

static void the_request_may_be_answered_from_within_data(void **state)
{
	int fd;

	(void)state;
	/* the last data, with more behind it; from the input and from the socket */
	for (int early = 0; early < 2; early++) {
		fd = dial();
		assert_true(put(fd, POST("/s/wait") "Content-Length: 5\r\n\r\n"));
		assert_true(!early || put(fd, "hello" GET("/echo") "\r\n"));
		wait_until(look_request);
		let_pass();
		on_loop(do_read_first, NULL);
		assert_true(early || put(fd, "hello" GET("/echo") "\r\n"));
		expect_reply(fd, 200, "hello");
		expect_reply(fd, 200, "GET /echo ");
		close(fd);
	}
	/* and not the last */
	fd = dial();
	assert_true(put(fd, POST("/s/wait") "Content-Length: 500000\r\n\r\n"));
	wait_until(look_request);
	on_loop(do_read_first, NULL);
	assert_true(put_bytes(fd, "hello", 5));
	expect_reply(fd, 200, "hello");
	expect_end(fd);
	close(fd);
	assert_int_equal(seen()->data_calls, 3);
	assert_int_equal(seen()->whole_ends + seen()->broken_ends, 0);
}

static void a_raw_answer_ends_the_body(void **state)
{
	char byte;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/take") "Content-Length: 500000\r\n\r\nabc"));
	wait_until(look_data);
	on_loop(do_abort, NULL); /* before it began: closed without a word */
	put_bytes(fd, fixture.big, 100000);
	assert_true(get_some(fd, &byte, 1) <= 0);
	close(fd);
	wait_until(look_no_connection);
	assert_int_equal(seen()->whole_ends + seen()->broken_ends, 0);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(no_streamed_message_hides_a_second_one),
		SERVED(an_answer_to_a_refused_body_is_dropped),
		SERVED(trailers_have_the_heads_ceiling),
		SERVED(a_peer_that_resets_breaks_its_body_off),
		SERVED(a_peer_that_ends_its_side_too_early_is_told_so),
		SERVED(a_peer_that_ends_its_side_after_its_body_is_answered),
		SERVED(a_streamed_body_below_the_least_rate_is_answered_408),
		SERVED(pauses_of_the_handler_do_not_count),
		SERVED(many_short_pauses_hide_no_slow_body),
		SERVED(an_early_answer_reaches_a_peer_that_still_sends),
		SERVED(a_small_body_that_nobody_asked_for_is_skipped),
		SERVED(the_request_may_be_answered_from_within_data),
		SERVED(a_raw_answer_ends_the_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
