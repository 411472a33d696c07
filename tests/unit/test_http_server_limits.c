/* SPDX-License-Identifier: MIT */
/* The HTTP server's bounds over loopback sockets: sizes, deadlines, rates, connections, memory. */
#include "http_server_fixture.h"

#define POSTED "POST /echo HTTP/1.1\r\n" HOST

static int teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

static void start_standard(void)
{
	struct bc_http_server_options options = standard_options();

	start(&options);
}

static void start_hasty(void)
{
	struct bc_http_server_options options = standard_options();

	options.head_timeout_ms = 400;
	options.idle_timeout_ms = 400;
	start(&options);
}

/* ---- sizes ---- */

static void a_head_over_the_limit_is_answered_431(void **state)
{
	struct bc_buf head;
	int fd;

	(void)state;
	start_standard();
	fd = dial();
	bc_buf_init(&head, 64 * 1024);
	assert_int_equal(bc_buf_adds(&head, GET("/echo")), 0);
	while (head.len < 20000)
		assert_int_equal(bc_buf_adds(&head,
					     "X-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
					     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
				 0);
	put_bytes(fd, head.data, head.len);
	expect_refusal(fd, 431);
	bc_buf_finish(&head);
	close(fd);
	expect_service();
}

/* The peer sends all of a body that is far too large before it reads, and still reads the answer.
 */
static void check_large_body(const char *head, const char *before_chunk)
{
	static char block[4096];
	int fd = dial();

	memset(block, 'x', sizeof(block));
	assert_true(put(fd, head));
	if (before_chunk)
		assert_true(put(fd, before_chunk));
	for (size_t sent = 0; sent < 1024 * 1024; sent += sizeof(block))
		assert_true(put_bytes(fd, block, sizeof(block)));
	expect_refusal(fd, 413);
	close(fd);
}

static void a_body_over_the_limit_is_answered_413(void **state)
{
	(void)state;
	start_standard();
	check_large_body(POSTED "Content-Length: 1048576\r\n\r\n", NULL);
	check_large_body(POSTED "Transfer-Encoding: chunked\r\n\r\n", "100000\r\n");
	expect_service();
}

static void a_body_of_exactly_the_limit_is_taken(void **state)
{
	struct bc_buf message;
	struct reply r;
	int fd;

	(void)state;
	start_standard();
	fd = dial();
	bc_buf_init(&message, 64 * 1024);
	assert_int_equal(bc_buf_adds(&message, POSTED "Content-Length: 8192\r\n\r\n"), 0);
	for (int i = 0; i < 8192; i++)
		assert_int_equal(bc_buf_add(&message, &"0123456789abcdef"[i % 16], 1), 0);
	for (int round = 0; round < 3; round++) {
		assert_true(put_bytes(fd, message.data, message.len));
		assert_true(get_reply(fd, &r, false));
		assert_int_equal(r.body_len, 8192 + strlen("POST /echo "));
		assert_memory_equal(r.body + r.body_len - 8192, message.data + message.len - 8192,
				    8192);
		reply_finish(&r);
	}
	bc_buf_finish(&message);
	close(fd);
}

/* ---- deadlines and rates ---- */

/* Sends byte after byte, with pauses, until the server answers; returns when it is readable. */
static void trickle(int fd, const char *text, int pause_ms)
{
	uint64_t deadline = now_ms() + PATIENCE_MS;
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	for (size_t i = 0; poll(&ready, 1, pause_ms) == 0; i++) {
		assert_true(now_ms() < deadline);
		put_bytes(fd, &text[i % strlen(text)], 1);
	}
}

static void a_head_that_trickles_is_answered_408(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	assert_true(put(fd, GET("/echo")));
	trickle(fd, "X-Slow: y\r\n", 10);
	expect_refusal(fd, 408);
	close(fd);
	expect_service();
}

static void many_slow_heads_do_not_keep_others_waiting(void **state)
{
	int slow[40];

	(void)state;
	start_standard();
	for (size_t i = 0; i < BC_COUNT(slow); i++) {
		slow[i] = dial();
		assert_true(put(slow[i], "GET /echo HTT"));
	}
	for (int i = 0; i < 20; i++)
		expect_service();
	for (size_t i = 0; i < BC_COUNT(slow); i++) {
		assert_true(put(slow[i], "P/1.1\r\n" HOST "\r\n"));
		expect_reply(slow[i], 200, "GET /echo ");
		close(slow[i]);
	}
}

static void a_silent_connection_is_closed_without_a_word(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	expect_end(fd);
	close(fd);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	assert_true(put(fd, GET("/echo") "\r\n"));
	expect_reply(fd, 200, NULL);
	expect_end(fd);
	close(fd);
}

static void a_stray_empty_line_is_no_request(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	assert_true(put(fd, GET("/echo") "\r\n\r\n"));
	expect_reply(fd, 200, NULL);
	expect_end(fd);
	close(fd);
}

static void a_body_that_does_not_come_is_answered_408(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	assert_true(put(fd, POSTED "Content-Length: 5\r\n\r\n"));
	expect_refusal(fd, 408);
	close(fd);
}

static void a_body_below_the_least_rate_is_answered_408(void **state)
{
	int fd;

	(void)state;
	start_hasty();
	fd = dial();
	assert_true(put(fd, POSTED "Content-Length: 8000\r\n\r\n"));
	trickle(fd, "x", 20);
	expect_refusal(fd, 408);
	close(fd);
	expect_service();
}

static void a_body_above_the_least_rate_may_take_its_time(void **state)
{
	struct bc_http_server_options options = standard_options();
	int fd;

	(void)state;
	options.head_timeout_ms = 200;
	options.body_min_rate = 5;
	start(&options);
	fd = dial();
	assert_true(put(fd, POSTED "Content-Length: 80\r\n\r\n"));
	/* 80 bytes in at least 1.6 s: longer than the grace and one look at the rate. */
	for (int i = 0; i < 80; i++) {
		assert_true(put(fd, "x"));
		poll(NULL, 0, 20);
	}
	expect_reply(fd, 200, NULL);
	close(fd);
}

static void shorten_looks(void *ctx)
{
	(void)ctx;
	fixture.server->waits[BC_HTTP_WAIT_WRITE].period_ms = 100;
	fixture.server->waits[BC_HTTP_WAIT_LINGER].period_ms = 100;
}

static void a_peer_that_does_not_read_is_cut(void **state)
{
	int fd;

	(void)state;
	start_standard();
	on_loop(shorten_looks, NULL);
	fd = dial();
	assert_true(put(fd, GET("/big") "\r\n"));
	wait_until(look_no_connection);
	close(fd);
}

static void a_refused_peer_that_stays_is_cut(void **state)
{
	int fd;

	(void)state;
	start_standard();
	on_loop(shorten_looks, NULL);
	fd = dial();
	assert_true(put(fd, "nonsense\r\n\r\n"));
	wait_until(look_no_connection);
	close(fd);
}

static void a_refused_peer_that_keeps_sending_is_cut(void **state)
{
	static char block[64 * 1024];
	size_t sent = 0;
	int fd;

	(void)state;
	start_standard();
	fd = dial();
	while (sent < 256u * 1024 * 1024 && put_bytes(fd, block, sizeof(block)))
		sent += sizeof(block);
	assert_true(sent < 256u * 1024 * 1024);
	close(fd);
	expect_service();
}

/* ---- connections ---- */

static void connections_over_the_limit_are_refused_503(void **state)
{
	struct bc_http_server_options options = standard_options();
	int kept[3], over;
	struct reply r;

	(void)state;
	options.connections_max = BC_COUNT(kept);
	start(&options);
	for (size_t i = 0; i < BC_COUNT(kept); i++) {
		kept[i] = dial();
		assert_true(put(kept[i], GET("/echo") "\r\n"));
		expect_reply(kept[i], 200, NULL);
	}
	over = dial();
	assert_true(get_reply(over, &r, false));
	assert_int_equal(r.status, 503);
	assert_non_null(reply_header(&r, "Retry-After"));
	assert_string_equal(reply_header(&r, "Connection"), "close");
	reply_finish(&r);
	expect_end(over);
	close(over);
	for (size_t i = 0; i < BC_COUNT(kept); i++) {
		assert_true(put(kept[i], GET("/echo") "\r\n"));
		expect_reply(kept[i], 200, NULL);
		close(kept[i]);
	}
	wait_until(look_no_connection);
	expect_service();
}

static void a_flood_of_connections_over_the_limit_is_survived(void **state)
{
	struct bc_http_server_options options = standard_options();
	int fds[200];

	(void)state;
	options.connections_max = 1;
	start(&options);
	for (size_t i = 0; i < BC_COUNT(fds); i++)
		fds[i] = dial();
	for (size_t i = 0; i < BC_COUNT(fds); i++)
		close(fds[i]);
	wait_until(look_no_connection);
	expect_service();
}

static void refuse_next(void *ctx)
{
	fixture.accepts = *(bool *)ctx;
}

static void a_connection_that_is_not_accepted_is_reset(void **state)
{
	bool accepts = false;
	char byte;
	int fd;

	(void)state;
	start_standard();
	on_loop(refuse_next, &accepts);
	fd = dial();
	assert_int_equal(get_some(fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	accepts = true;
	on_loop(refuse_next, &accepts);
	expect_service();
}

/* ---- memory ---- */

struct memory {
	size_t connections;
	size_t most_bytes;
};

/* Input buffers of one connection, at most. */
static void measure(void *ctx)
{
	struct memory *m = ctx;

	for (int wait = 0; wait < BC_HTTP_WAITS; wait++)
		for (struct bc_http_connection *c = fixture.server->waits[wait].first; c;
		     c = c->next) {
			size_t bytes = c->in.cap + c->later.cap;
			m->connections++;
			m->most_bytes = bytes > m->most_bytes ? bytes : m->most_bytes;
		}
}

/* Sends whatever goes without waiting; returns how much went. */
static size_t stuff(int fd, const char *message)
{
	size_t len = strlen(message), sent = 0;
	ssize_t n = 1;

	while (n > 0 && sent < 64u * 1024 * 1024) {
		n = send(fd, message + sent % len, len - sent % len, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
	}
	return sent;
}

static void a_peer_that_pipelines_waits_in_its_own_socket(void **state)
{
	struct memory m = { 0 };
	int fds[8];

	(void)state;
	start_standard();
	for (size_t i = 0; i < BC_COUNT(fds); i++) {
		fds[i] = dial();
		assert_true(put(fds[i], GET("/hold") "\r\n"));
	}
	wait_until(look_held);
	for (size_t i = 0; i < BC_COUNT(fds); i++)
		assert_true(stuff(fds[i], GET("/nothing") "\r\n") > 2 * BC_HTTP_SCRATCH_BYTES);
	expect_service();
	on_loop(measure, &m);
	assert_true(m.connections >= BC_COUNT(fds));
	assert_true(m.most_bytes <= 2 * BC_HTTP_SCRATCH_BYTES + 4096);
	for (size_t i = 0; i < BC_COUNT(fds); i++)
		close(fds[i]);
	release();
}

static void an_idle_connection_keeps_little(void **state)
{
	struct memory m = { 0 };
	struct bc_buf message;
	int fd;

	(void)state;
	start_standard();
	fd = dial();
	bc_buf_init(&message, 64 * 1024);
	assert_int_equal(bc_buf_adds(&message, POSTED "Content-Length: 8000\r\n\r\n"), 0);
	while (message.len < 8000 + strlen(POSTED "Content-Length: 8000\r\n\r\n"))
		assert_int_equal(bc_buf_adds(&message, "x"), 0);
	assert_true(put_bytes(fd, message.data, message.len));
	expect_reply(fd, 200, NULL);
	on_loop(measure, &m);
	assert_int_equal(m.connections, 1);
	assert_true(m.most_bytes <= BC_HTTP_KEPT_BYTES);
	bc_buf_finish(&message);
	close(fd);
}

static void chunks_do_not_pile_up_their_framing(void **state)
{
	struct memory m = { 0 };
	struct bc_buf some;
	int fd;

	(void)state;
	start_standard();
	fd = dial();
	bc_buf_init(&some, 64 * 1024);
	for (int i = 0; i < 400; i++)
		assert_int_equal(bc_buf_adds(&some, "0000000000000001\r\nx\r\n"), 0);
	assert_true(put(fd, POSTED "Transfer-Encoding: chunked\r\n\r\n"));
	for (uint64_t end = now_ms() + PATIENCE_MS; !m.connections; on_loop(measure, &m))
		assert_true(now_ms() < end);
	for (int i = 0; i < 20; i++) {
		assert_true(put_bytes(fd, some.data, some.len));
		m = (struct memory){ 0 };
		on_loop(measure, &m);
		assert_int_equal(m.connections, 1);
		assert_true(m.most_bytes <= 4 * BC_HTTP_SCRATCH_BYTES);
	}
	bc_buf_finish(&some);
	assert_true(put(fd, "0\r\n\r\n"));
	expect_reply(fd, 200, NULL);
	close(fd);
}

#define BOUNDED(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOUNDED(a_head_over_the_limit_is_answered_431),
		BOUNDED(a_body_over_the_limit_is_answered_413),
		BOUNDED(a_body_of_exactly_the_limit_is_taken),
		BOUNDED(a_head_that_trickles_is_answered_408),
		BOUNDED(many_slow_heads_do_not_keep_others_waiting),
		BOUNDED(a_silent_connection_is_closed_without_a_word),
		BOUNDED(an_idle_connection_is_closed_without_a_word),
		BOUNDED(a_stray_empty_line_is_no_request),
		BOUNDED(a_body_that_does_not_come_is_answered_408),
		BOUNDED(a_body_below_the_least_rate_is_answered_408),
		BOUNDED(a_body_above_the_least_rate_may_take_its_time),
		BOUNDED(a_peer_that_does_not_read_is_cut),
		BOUNDED(a_refused_peer_that_stays_is_cut),
		BOUNDED(a_refused_peer_that_keeps_sending_is_cut),
		BOUNDED(connections_over_the_limit_are_refused_503),
		BOUNDED(a_flood_of_connections_over_the_limit_is_survived),
		BOUNDED(a_connection_that_is_not_accepted_is_reset),
		BOUNDED(a_peer_that_pipelines_waits_in_its_own_socket),
		BOUNDED(an_idle_connection_keeps_little),
		BOUNDED(chunks_do_not_pile_up_their_framing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
