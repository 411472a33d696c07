/* SPDX-License-Identifier: MIT */
/* Streams whose peer or server goes away: how a handler learns of it, and of nothing else. */
#include "http_server_streams.h"

static int setup(void **state)
{
	struct bc_http_server_options options = stream_options();

	(void)state;
	start_streams(&options);
	return 0;
}

static char unix_path[64];

static int setup_unix(void **state)
{
	struct bc_http_server_options options = stream_options();
	char listen[80];

	(void)state;
	snprintf(unix_path, sizeof(unix_path), "/tmp/bc-gone-%d.sock", (int)getpid());
	snprintf(listen, sizeof(listen), "unix:%s", unix_path);
	options.listen = listen;
	start_streams(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_streams();
	return 0;
}

static int ask_on(int fd, const char *request)
{
	assert_true(put(fd, request));
	wait_until(look_request);
	on_loop(do_watch, NULL);
	return fd;
}

static int ask(const char *request)
{
	return ask_on(dial(), request);
}

static void close_peer(int fd)
{
	close(fd);
}

static bool is_gone(void)
{
	bool gone = false;

	on_loop(look_gone, &gone);
	return gone;
}

static void read_due(void *ctx)
{
	*(uint64_t *)ctx = the_connection()->due_ms;
}

/* Until the peer was looked for several times. */
static void wait_for_looks(void)
{
	uint64_t first = 0, due = 0;

	on_loop(read_due, &first);
	while (due < first + 100) {
		poll(NULL, 0, 5);
		on_loop(read_due, &due);
	}
}

/* ---- before the answer ---- */

static void a_reset_is_noticed(void **state)
{
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	reset_peer(fd);
	wait_until(look_gone);
	respond_on_loop(200);
	wait_until(look_no_connection);
	assert_int_equal(seen()->gone_calls, 1);
}

static void a_peer_that_leaves_is_noticed(void **state)
{
	int fd;

	(void)state;
	look_often(10);
	fd = ask(GET("/s/wait") "\r\n");
	close(fd);
	wait_until(look_gone);
	on_loop(do_abort, NULL);
	wait_until(look_no_connection);
	assert_int_equal(seen()->gone_calls, 1);
}

static void a_peer_that_only_ended_its_side_is_answered(void **state)
{
	struct reply r;
	int fd;

	(void)state;
	look_often(10);
	fd = ask(GET("/s/wait") "\r\n");
	shutdown(fd, SHUT_WR);
	assert_true(get_head(fd, &r));
	assert_int_equal(r.status, 100);
	wait_for_looks();
	assert_false(is_gone());
	expect_silence(fd); /* it is asked once */
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	expect_end(fd);
	close(fd);
}

static void http_1_0_is_never_asked(void **state)
{
	int fd;

	(void)state;
	look_often(10);
	fd = ask("GET /s/wait HTTP/1.0\r\n\r\n");
	shutdown(fd, SHUT_WR);
	wait_for_looks();
	assert_false(is_gone());
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	close(fd);
}

static void nobody_is_asked_when_nobody_watches(void **state)
{
	int fd = dial();

	(void)state;
	look_often(10);
	assert_true(put(fd, GET("/s/wait") "\r\n"));
	wait_until(look_request);
	shutdown(fd, SHUT_WR);
	wait_for_looks();
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	close(fd);
}

static void do_unwatch(void *ctx)
{
	bc_http_on_gone(s.req, NULL, ctx);
}

static void who_took_it_back_is_not_told(void **state)
{
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	on_loop(do_unwatch, NULL);
	reset_peer(fd);
	let_pass();
	respond_on_loop(200);
	wait_until(look_no_connection);
	assert_int_equal(seen()->gone_calls, 0);
}

static void who_asks_too_late_is_told_all_the_same(void **state)
{
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	on_loop(do_unwatch, NULL);
	reset_peer(fd);
	let_pass();
	on_loop(do_watch, NULL);
	wait_until(look_gone);
	respond_on_loop(200);
	wait_until(look_no_connection);
}

static void do_watch_held(void *ctx)
{
	s.req = fixture.held[0];
	do_watch(ctx);
}

static void do_answer_held(void *ctx)
{
	s.req = NULL;
	answer_held(ctx);
}

static void a_request_that_does_not_stream_may_be_watched_too(void **state)
{
	int fd = dial();

	(void)state;
	look_often(10);
	assert_true(put(fd, GET("/hold") "\r\n"));
	wait_until(look_held);
	on_loop(do_watch_held, NULL);
	close(fd);
	wait_until(look_gone);
	on_loop(do_answer_held, NULL);
	wait_until(look_no_connection);
}

/* ---- while its body is not read ---- */

static void a_peer_that_is_not_read_is_missed_all_the_same(void **state)
{
	static void (*const leave[])(int fd) = { reset_peer, close_peer };

	(void)state;
	look_often(10);
	for (size_t i = 0; i < BC_COUNT(leave); i++) {
		int fd = ask(POST("/s/wait") "Content-Length: 100000000\r\n\r\n");
		pause_on_loop(false);
		forget();
		on_loop(do_read, NULL);
		/* More than one read, and few enough that the end gets through to the server. */
		assert_true(put_bytes(fd, fixture.big, 20000));
		wait_until(look_data);
		leave[i](fd);
		wait_until(look_gone);
		assert_int_equal(seen()->broken_ends, 1);
		on_loop(do_abort, NULL);
		wait_until(look_no_connection);
	}
}

/* ---- while the answer streams ---- */

static void do_write_big(void *ctx)
{
	(void)ctx;
	bc_http_stream_begin(s.req, 200, NULL, -1);
	s.waits = bc_http_stream_write(s.req, fixture.big, BIG_BYTES, on_drained, &s);
}

static void a_peer_that_leaves_amid_its_answer_is_noticed(void **state)
{
	char byte;
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	on_loop(do_write_big, NULL);
	assert_int_equal(get_some(fd, &byte, 1), 1);
	close(fd);
	wait_until(look_gone);
	/* Whoever waits for it to be drained goes on. */
	wait_until(look_drained);
	on_loop(do_write, (void *)"dropped");
	assert_int_equal(seen()->waits, 0);
	on_loop(do_end, NULL);
	wait_until(look_no_connection);
}

static void write_until_gone(void *ctx)
{
	do_write("tick");
	look_gone(ctx);
}

static void a_peer_that_left_between_two_pieces_is_noticed_at_the_next(void **state)
{
	struct reply r;
	bool gone = false;
	int fd;

	(void)state;
	look_often(10);
	fd = ask(GET("/s/wait") "\r\n");
	begin_on_loop(-1);
	assert_true(get_head(fd, &r));
	close(fd);
	wait_for_looks();
	assert_false(is_gone());
	for (uint64_t deadline = now_ms() + PATIENCE_MS; !gone; poll(NULL, 0, 5)) {
		assert_true(now_ms() < deadline);
		on_loop(write_until_gone, &gone);
	}
	on_loop(do_abort, NULL);
	wait_until(look_no_connection);
}

/* ---- Unix sockets tell by themselves ---- */

static void a_unix_peer_that_leaves_is_noticed(void **state)
{
	int fd;

	(void)state;
	look_often(10);
	fd = ask_on(dial_unix(unix_path), GET("/s/wait") "\r\n");
	close(fd);
	wait_until(look_gone);
	respond_on_loop(200);
	wait_until(look_no_connection);
}

static void a_unix_peer_that_only_ended_its_side_is_answered(void **state)
{
	int fd;

	(void)state;
	look_often(10);
	fd = ask_on(dial_unix(unix_path), GET("/s/wait") "\r\n");
	shutdown(fd, SHUT_WR);
	wait_for_looks();
	assert_false(is_gone());
	expect_silence(fd);
	respond_on_loop(200);
	expect_reply(fd, 200, "told");
	close(fd);
}

/* ---- the server's end ---- */

static void a_graceful_close_waits_for_a_stream(void **state)
{
	struct reply r;
	bool done = true;
	int fd = ask(POST("/s/wait") "Content-Length: 5\r\n\r\n");

	(void)state;
	on_loop(do_read, NULL);
	close_server(PATIENCE_MS);
	assert_true(put(fd, "hello"));
	wait_until(look_whole);
	begin_on_loop(-1);
	on_loop(do_write, (void *)"hello");
	assert_true(get_head(fd, &r));
	assert_string_equal(reply_header(&r, "Connection"), "close");
	on_loop(look_done, &done);
	assert_false(done);
	on_loop(do_end, NULL);
	expect_text(fd, "5\r\nhello\r\n0\r\n\r\n");
	expect_end(fd);
	close(fd);
	wait_until(look_done);
	assert_int_equal(seen()->gone_calls, 0);
}

static void a_stream_is_cut_when_the_grace_is_over(void **state)
{
	char got[4096];
	int fd = ask(POST("/s/wait") "Content-Length: 5\r\n\r\nhel");

	(void)state;
	on_loop(do_read, NULL);
	wait_until(look_data);
	begin_on_loop(-1);
	close_server(50);
	while (get_some(fd, got, sizeof(got)) > 0)
		;
	close(fd);
	wait_until(look_done);
	assert_int_equal(seen()->gone_calls, 1);
	assert_int_equal(seen()->broken_ends, 1);
	/* The request outlives its server. */
	on_loop(do_write, (void *)"dropped");
	assert_int_equal(seen()->waits, 0);
	on_loop(do_end, NULL);
}

#define SERVED(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)
#define ON_UNIX(test) cmocka_unit_test_setup_teardown(test, setup_unix, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_reset_is_noticed),
		SERVED(a_peer_that_leaves_is_noticed),
		SERVED(a_peer_that_only_ended_its_side_is_answered),
		SERVED(http_1_0_is_never_asked),
		SERVED(nobody_is_asked_when_nobody_watches),
		SERVED(who_took_it_back_is_not_told),
		SERVED(who_asks_too_late_is_told_all_the_same),
		SERVED(a_request_that_does_not_stream_may_be_watched_too),
		SERVED(a_peer_that_is_not_read_is_missed_all_the_same),
		SERVED(a_peer_that_leaves_amid_its_answer_is_noticed),
		SERVED(a_peer_that_left_between_two_pieces_is_noticed_at_the_next),
		ON_UNIX(a_unix_peer_that_leaves_is_noticed),
		ON_UNIX(a_unix_peer_that_only_ended_its_side_is_answered),
		SERVED(a_graceful_close_waits_for_a_stream),
		SERVED(a_stream_is_cut_when_the_grace_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
