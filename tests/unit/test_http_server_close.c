/* SPDX-License-Identifier: MIT */
/* The HTTP server's end: graceful, cut short, and requests that outlive their peer or their server.
 */
#include "http_server_fixture.h"

static int setup(void **state)
{
	struct bc_http_server_options options = standard_options();

	(void)state;
	start(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

static void a_graceful_close_waits_for_the_request_under_way(void **state)
{
	int busy, idle, begun;
	struct reply r;

	(void)state;
	busy = dial();
	idle = dial();
	begun = dial();
	assert_true(put(idle, GET("/echo") "\r\n"));
	expect_reply(idle, 200, NULL);
	assert_true(put(begun, "GET /echo/begun"));
	assert_true(put(busy, GET("/hold") "\r\n"));
	wait_until(look_held);
	expect_service(); /* so that the begun one was read as well */
	close_server(PATIENCE_MS);
	expect_end(idle);
	release();
	assert_true(get_reply(busy, &r, false));
	assert_int_equal(r.status, 200);
	assert_string_equal(reply_header(&r, "Connection"), "close");
	reply_finish(&r);
	expect_end(busy);
	assert_true(put(begun, " HTTP/1.1\r\n" HOST "\r\n"));
	expect_reply(begun, 200, "GET /echo/begun ");
	expect_end(begun);
	close(busy);
	close(idle);
	close(begun);
	wait_until(look_done);
}

static void look_writing(void *ctx)
{
	*(bool *)ctx = fixture.server->waits[BC_HTTP_WAIT_WRITE].first != NULL;
}

static void a_graceful_close_waits_for_an_answer_being_written(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/big") "\r\n"));
	wait_until(look_writing);
	close_server(PATIENCE_MS);
	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.body_len, BIG_BYTES);
	reply_finish(&r);
	expect_end(fd);
	close(fd);
	wait_until(look_done);
}

static void nobody_gets_in_after_the_close(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd;

	(void)state;
	to.sin_port = htons((uint16_t)fixture.port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	close_server(PATIENCE_MS);
	wait_until(look_done);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

static void the_rest_is_cut_when_the_grace_is_over(void **state)
{
	char byte;
	int fd;

	(void)state;
	fd = dial();
	assert_true(put(fd, GET("/hold") "\r\n"));
	wait_until(look_held);
	close_server(50);
	assert_true(get_some(fd, &byte, 1) <= 0);
	close(fd);
	wait_until(look_done);
	/* stop() answers the held request: its server is gone, and nobody minds */
}

static void a_request_outlives_its_peer(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd;

	(void)state;
	fd = dial();
	assert_true(put(fd, GET("/hold") "\r\n"));
	wait_until(look_held);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	wait_until(look_peer_gone);
	expect_service();
	release();
	wait_until(look_no_connection);
}

static void a_close_waits_for_a_request_without_a_peer(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	bool done = true;
	int fd;

	(void)state;
	fd = dial();
	assert_true(put(fd, GET("/hold") "\r\n"));
	wait_until(look_held);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	wait_until(look_peer_gone);
	close_server(PATIENCE_MS);
	on_loop(look_done, &done);
	assert_false(done);
	release();
	wait_until(look_done);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_graceful_close_waits_for_the_request_under_way),
		SERVED(a_graceful_close_waits_for_an_answer_being_written),
		SERVED(nobody_gets_in_after_the_close),
		SERVED(the_rest_is_cut_when_the_grace_is_over),
		SERVED(a_request_outlives_its_peer),
		SERVED(a_close_waits_for_a_request_without_a_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
