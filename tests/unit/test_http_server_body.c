/* SPDX-License-Identifier: MIT */
/* Request bodies that stream, over loopback sockets. */
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

/* ---- bodies of any length ---- */

static void a_counted_body_may_be_longer_than_whole_ones(void **state)
{
	size_t len = 1024 * 1024;
	char head[128];
	int fd = dial();

	(void)state;
	snprintf(head, sizeof(head), POST("/s/take") "Content-Length: %zu\r\n\r\n", len);
	for (int round = 0; round < 2; round++) {
		assert_true(put(fd, head));
		assert_true(put_bytes(fd, fixture.big, len));
		expect_sum(fd, fixture.big, len);
	}
	assert_int_equal(seen()->announced, len);
	assert_int_equal(seen()->whole_ends, 2);
	assert_true(put(fd, GET("/echo") "\r\n"));
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void a_chunked_body_may_be_longer_than_whole_ones(void **state)
{
	char size[32];
	int fd = dial();

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_true(put(fd, POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n"));
		size_t sent = 0;
		for (size_t len = 1; sent < 400000; sent += len, len = len * 3 % 50021) {
			snprintf(size, sizeof(size), "%zx;a=b\r\n", len);
			assert_true(put(fd, size));
			assert_true(put_bytes(fd, fixture.big + sent, len));
			assert_true(put(fd, "\r\n"));
		}
		assert_true(put(fd, "0\r\nX-Trailer: yes\r\nContent-Length: 7\r\n\r\n"));
		expect_sum(fd, fixture.big, sent);
	}
	assert_int_equal(seen()->announced, -1);
	assert_int_equal(seen()->whole_ends, 2);
	close(fd);
}

static void a_streamed_message_may_come_in_any_pieces(void **state)
{
	static const char *const messages[] = {
		POST("/s/take") "Content-Length: 9\r\n\r\nabcdefghi",
		POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n"
				"3\r\nabc\r\n06;x\r\ndefghi\r\n0\r\nT: v\r\n\r\n",
	};
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < BC_COUNT(messages); i++)
		for (size_t piece = 1; piece <= strlen(messages[i]); piece++) {
			for (size_t at = 0; at < strlen(messages[i]); at += piece) {
				size_t left = strlen(messages[i]) - at;
				assert_true(put_bytes(fd, messages[i] + at,
						      left < piece ? left : piece));
				unsigned int ignored = handled(); /* the loop takes a turn */
				(void)ignored;
			}
			expect_sum(fd, "abcdefghi", 9);
		}
	close(fd);
}

static void a_request_without_a_body_ends_whole(void **state)
{
	static const char *const empty[] = {
		GET("/s/take") "\r\n",
		POST("/s/take") "Content-Length: 0\r\n\r\n",
		POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		POST("/s/take") "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
	};
	static const int64_t announced[] = { 0, 0, -1, 0 };
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < BC_COUNT(empty); i++) {
		assert_true(put(fd, empty[i]));
		expect_sum(fd, "", 0);
		assert_int_equal(seen()->announced, announced[i]);
		assert_int_equal(seen()->whole_ends, i + 1);
	}
	assert_int_equal(seen()->data_calls, 0);
	close(fd);
}

static void pipelined_streams_wait_for_each_other(void **state)
{
	static const char one[] = POST("/s/take") "Content-Length: 5\r\n\r\nhello";
	static const char two[] =
		POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\n\r\n";
	struct bc_buf all;
	int fd = dial();

	(void)state;
	bc_buf_init(&all, 256 * 1024);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(bc_buf_adds(&all, one), 0);
		assert_int_equal(bc_buf_adds(&all, two), 0);
		assert_int_equal(bc_buf_adds(&all, GET("/echo") "\r\n"), 0);
	}
	assert_true(put_bytes(fd, all.data, all.len));
	for (int i = 0; i < 200; i++) {
		expect_sum(fd, "hello", 5);
		expect_sum(fd, "yo", 2);
		expect_reply(fd, 200, "GET /echo ");
	}
	bc_buf_finish(&all);
	close(fd);
}

/* ---- back-pressure ---- */

/* Sends bytes of fixture.big until the socket takes no more for a while; returns how many. */
static size_t stuff_big(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	size_t sent = 0;

	while (sent < BIG_BYTES && poll(&ready, 1, 200) == 1) {
		ssize_t n =
			send(fd, fixture.big + sent, BIG_BYTES - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	return sent;
}

static void measure_input(void *ctx)
{
	*(size_t *)ctx = the_connection()->in.cap + the_connection()->later.cap;
}

static void the_peer_is_read_no_faster_than_data_is_taken(void **state)
{
	size_t held = 0, sent;
	char head[128];
	int fd = dial_narrow();

	(void)state;
	snprintf(head, sizeof(head), POST("/s/take") "Content-Length: %d\r\n\r\n", BIG_BYTES);
	pause_on_loop(false);
	assert_true(put(fd, head));
	sent = stuff_big(fd);
	assert_true(sent < BIG_BYTES);
	on_loop(measure_input, &held);
	assert_true(seen()->data_calls == 1 && seen()->got_bytes <= BC_HTTP_SCRATCH_BYTES);
	assert_true(held <= 2 * BC_HTTP_SCRATCH_BYTES + 1);
	on_loop(do_resume, NULL);
	assert_true(put_bytes(fd, fixture.big + sent, BIG_BYTES - sent));
	expect_sum(fd, fixture.big, BIG_BYTES);
	close(fd);
}

static void a_pause_keeps_what_came_with_the_head_and_the_end(void **state)
{
	int fd = dial();

	(void)state;
	pause_on_loop(false);
	assert_true(put(fd, POST("/s/take") "Transfer-Encoding: chunked\r\n\r\n"
					    "3\r\nabc\r\n0\r\n\r\n" GET("/echo") "\r\n"));
	wait_until(look_data);
	let_pass();
	assert_int_equal(seen()->whole_ends, 0);
	on_loop(do_resume, NULL);
	expect_sum(fd, "abc", 3);
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void a_resume_from_within_data_counts(void **state)
{
	int fd = dial();

	(void)state;
	pause_on_loop(true);
	assert_true(put(fd, POST("/s/take") "Content-Length: 100000\r\n\r\n"));
	assert_true(put_bytes(fd, fixture.big, 100000));
	expect_sum(fd, fixture.big, 100000);
	close(fd);
}

static void a_body_waits_until_it_is_asked_for(void **state)
{
	size_t held = 0;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Content-Length: 200000\r\n\r\n"));
	wait_until(look_request);
	assert_true(put_bytes(fd, fixture.big, 200000));
	let_pass();
	on_loop(measure_input, &held);
	assert_true(held <= 4 * BC_HTTP_SCRATCH_BYTES);
	assert_int_equal(seen()->data_calls, 0);
	on_loop(do_read, NULL);
	wait_until(look_whole);
	assert_int_equal(seen()->got_bytes, 200000);
	assert_int_equal(seen()->sum, add_to_sum(0, fixture.big, 200000));
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	close(fd);
}

/* ---- Expect ---- */

static void a_body_is_called_for_when_it_is_asked_for(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
	wait_until(look_request);
	let_pass();
	expect_silence(fd);
	on_loop(do_read, NULL);
	assert_true(get_head(fd, &r));
	assert_int_equal(r.status, 100);
	assert_true(put(fd, "abc"));
	wait_until(look_whole);
	respond_on_loop(201);
	expect_reply(fd, 201, "told");
	close(fd);
}

static void a_body_that_came_along_is_not_called_for(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(
		put(fd, POST("/s/wait") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"));
	wait_until(look_request);
	on_loop(do_read, NULL);
	wait_until(look_whole);
	respond_on_loop(201);
	expect_reply(fd, 201, "told");
	close(fd);
}

static void a_body_that_nobody_wants_is_not_called_for(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POST("/s/wait") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
	wait_until(look_request);
	respond_on_loop(403);
	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.status, 403);
	assert_string_equal(reply_header(&r, "Connection"), "close");
	reply_finish(&r);
	expect_end(fd);
	close(fd);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_counted_body_may_be_longer_than_whole_ones),
		SERVED(a_chunked_body_may_be_longer_than_whole_ones),
		SERVED(a_streamed_message_may_come_in_any_pieces),
		SERVED(a_request_without_a_body_ends_whole),
		SERVED(pipelined_streams_wait_for_each_other),
		SERVED(the_peer_is_read_no_faster_than_data_is_taken),
		SERVED(a_pause_keeps_what_came_with_the_head_and_the_end),
		SERVED(a_resume_from_within_data_counts),
		SERVED(a_body_waits_until_it_is_asked_for),
		SERVED(a_body_is_called_for_when_it_is_asked_for),
		SERVED(a_body_that_came_along_is_not_called_for),
		SERVED(a_body_that_nobody_wants_is_not_called_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
